"""Pairs of sentences with a label: MSR, PAWS-X, and tables like them."""

from __future__ import annotations

import gzip

import pytest

from lexenc.errors import DataError
from lexenc.files.paraphrases import read_paraphrases

ROWS = [("a dog runs", "a dog is running", True), ('he said "no"', "a cat, so", False), ("x", "y", None)]
LABEL = {True: "1", False: "0", None: "-1"}
FORMS = {
    "msr": ("\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n", "{2}\t12\t34\t{0}\t{1}\n"),
    "paws-x": ("id\tsentence1\tsentence2\tlabel\n", "7\t{0}\t{1}\t{2}\n"),
    "qqp": ("id,qid1,qid2,question1,question2,is_duplicate\n", '1,2,3,"{3}","{1}",{2}\n'),
    "no head": ("", "{0}\t{1}\t{2}\n"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_all_forms_are_read_alike(form, end, tmp_path):
    head, line = FORMS[form]
    text = head + "".join(line.format(a, b, LABEL[same], a.replace('"', '""')) for a, b, same in ROWS)
    path = tmp_path / "pairs"
    path.write_bytes(gzip.compress(text.replace("\n", end).encode()))
    assert [row[1:] for row in read_paraphrases(path)] == ROWS
    assert [row.line for row in read_paraphrases(path)] == [n + bool(head) for n in (1, 2, 3)]


def test_an_empty_file_has_no_pairs(tmp_path):
    (tmp_path / "empty").write_text("\n")
    assert not list(read_paraphrases(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"id\tsentence1\tsentence2\tlabel\n1\ta\tb\n", "line 2: 3 columns, expected 4"),
        (b"id\tsentence1\tsentence2\tlabel\n1\ta\tb\tyes\n", "line 2: 'yes' is not a label"),
        (b"one\ttwo\tthree\tfour\n", "line 1: its columns are not known"),
        (b"a\tb\t1\n\xff\tc\t0\n", "not UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, message, tmp_path):
    (tmp_path / "wrong").write_bytes(text)
    with pytest.raises(DataError, match=message):
        list(read_paraphrases(tmp_path / "wrong"))
