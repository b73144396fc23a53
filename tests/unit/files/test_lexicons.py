from __future__ import annotations

import csv
import dataclasses
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc.errors import DataError
from lexenc.files.dictionaries import read_pairs
from lexenc.files.lexicons import (
    REVIEW_COLUMNS,
    LexiconEntry,
    read_review,
    writable,
    write_lexicon,
    write_review,
)
from lexenc.files.review_tables import guarded, unguarded
from lexenc.text.folding import trim


def entry(source, target, status="new", probability=0.87654):
    return LexiconEntry(source, target, probability, 0.1, 0.5, 0.02, True, 1, status)


@pytest.fixture
def entries():
    return [entry("print", "drucken"), entry("New York", "New York", "known identical"), entry("=sum", "-summe")]


@pytest.mark.parametrize("optimistic", [False, True])
def test_lexicon_is_a_dictionary(entries, tmp_path, optimistic):
    path = tmp_path / "lexicon.tsv"
    write_lexicon(path, entries, optimistic=optimistic)
    pairs = read_pairs(path)
    assert list(pairs) == [("print", "drucken"), ("New York", "New York"), ("=sum", "-summe")]
    assert pairs.lines == [2, 3, 4]
    head, first, *_ = path.read_text(encoding="utf-8").splitlines()
    kind = "optimistic_probability" if optimistic else "probability"
    assert head.split("\t") == ["source", "target", kind, "csls", "cosine", "margin", "mutual", "rank", "status"]
    assert first.split("\t") == ["print", "drucken", "0.8765", "0.1000", "0.5000", "0.0200", "yes", "1", "new"]


def test_a_pair_without_a_probability_has_an_empty_cell(tmp_path):
    path, review = tmp_path / "lexicon.tsv", tmp_path / "review.csv"
    entries = [entry("print", "drucken", "known"), entry("print", "druck", "new further", None), entry("a", "b")]
    write_lexicon(path, entries)
    assert [line.split("\t")[2] for line in path.read_text().splitlines()[1:]] == ["0.8765", "", "0.8765"]
    assert read_pairs(path).probabilities == [0.8765, 0, 0.8765]
    write_lexicon(path, [dataclasses.replace(entry("a", "b", "known identical", None), rank=None), *entries])
    assert path.read_text().splitlines()[1].split("\t")[6:] == ["yes", "", "known identical"]
    assert read_pairs(path).probabilities == [1, 0.8765, 0, 0.8765], "an entry of a dictionary is right"
    write_review(review, entries)
    assert [line.split(",")[2] for line in review.read_text().splitlines()[1:]] == ["0.88", "", "0.88"]
    assert read_review(review).undecided == 3


def test_columns_of_a_lexicon_are_counted(tmp_path):
    path = tmp_path / "lexicon.tsv"
    path.write_text("source\ttarget\tprobability\na\tb\t0.5\nc\td\n")
    with pytest.raises(DataError, match=r"line 3: 2 columns, expected 3"):
        read_pairs(path)
    path.write_text("source\ttarget\tprobability\n")
    with pytest.raises(DataError, match="holds no pairs"):
        read_pairs(path)
    path.write_text("source\ttarget\na\tb\n")
    assert list(read_pairs(path)) == [("source", "target"), ("a", "b")], "two words like any others"


@pytest.mark.parametrize(
    ("word", "can"), [("a b", True), ("a\tb", False), ("a\rb", False), ("\udce9", False), (" a", False), ("ä", True)]
)
def test_words_that_a_table_cannot_hold(word, can):
    assert writable(word) == can


# ---------------------------------------------------------------- review


@pytest.mark.parametrize("cell", ["=1+1", "+a", "-a", "@a", "\ta", "'=a", "''-a", "＝a"])
def test_formulas_are_guarded_and_come_back(cell):
    assert guarded(cell) == f"'{cell}"
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("x;=1+1", "x;'=1+1"), ("x,+1", "x,'+1"), ("x|@a", "x|'@a"), ("x\t=1", "x\t'=1"), ("x\r=1", "x\r'=1"),
        ("\ufeff=1+1", "\ufeff'=1+1"), ("  =1", "  '=1"), ("x; \u200b=1", "x; \u200b'=1"), ('x;"=1', "x;\"'=1"),
        ("\x00=1", "\x00'=1"), ("=1;=2", "'=1;'=2"), ("x;'=1", "x;''=1"), ("\uff1da;\ufe66b", "'\uff1da;'\ufe66b"),
    ],
)  # fmt: skip
def test_formulas_behind_what_a_spreadsheet_splits_at_or_drops(cell, safe):
    assert guarded(cell) == safe
    assert unguarded(safe) == cell


@settings(max_examples=500)
@given(st.text(st.one_of(st.sampled_from("=+-@;,|\t\r\n '\"\ufeff\uff1da"), st.characters()), max_size=9))
def test_any_cell_comes_back(cell):
    assert unguarded(guarded(cell)) == cell
    for part in re.split("[,;|\t\r\n]", guarded(cell)):
        assert part.strip().strip("\"\ufeff ")[:1] not in tuple("=+-@"), part


@pytest.mark.parametrize("cell", ["a", "'tis", "a-b", "", "1", "''", "a = b", "x - y", "en.vec + de.vec"])
def test_other_cells_stay(cell):
    assert guarded(cell) == unguarded(cell) == cell


@pytest.mark.parametrize("optimistic", [False, True])
def test_review_says_whether_its_probabilities_are_too_high(entries, tmp_path, optimistic):
    path = tmp_path / "review.csv"
    write_review(path, entries, optimistic=optimistic)
    head, first, *_ = path.read_text(encoding="utf-8-sig").splitlines()
    assert head == f"source,target,{'optimistic_' if optimistic else ''}probability,decision,correction"
    path.write_text(f"{head}\n{first.replace(',,', ',ok,')}\n", encoding="utf-8")
    assert read_review(path).accepted == [("print", "drucken")]


WORDS = st.text(st.characters(exclude_characters="\t\r\n", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda word: word == trim(word)
)


@settings(max_examples=60)
@given(
    pairs=st.lists(st.tuples(WORDS, WORDS, WORDS.filter(lambda word: ";" not in word)), min_size=1, max_size=6),
    separator=st.sampled_from(",;\t"),
)
def test_review_comes_back_from_any_spreadsheet(tmp_path_factory, pairs, separator):
    path = tmp_path_factory.mktemp("review") / "review.csv"
    write_review(path, [entry(source, target) for source, target, _ in pairs])
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    assert tuple(rows[0]) == REVIEW_COLUMNS
    assert not any(cell[:1] in tuple("=+-@\t\r") and cell for row in rows for cell in row)
    for row, (_, target, better) in zip(rows[1:], pairs, strict=True):
        row[3:] = ["other", guarded(better)] if better != target else [" OK ", ""]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=separator).writerows(rows)
    wanted = dict.fromkeys((source, better) for source, _, better in pairs)
    assert read_review(path).accepted == list(wanted)


@pytest.fixture
def review(tmp_path):
    def make(text: str | bytes):
        path = tmp_path / "review.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_review(path)

    return make


def test_several_corrections_are_pairs_of_their_own_and_counts_add_up(review):
    found = review(
        "source,target,decision,correction\n"
        "the,den,other,der; die ;das;\n"
        "the,der,ok,\n"
        "a,eine,ok,\n"
        "an,x,,ein;eine\n"
        "an,y,wrong,\n"
        "of,z,,\n"
    )
    assert found.accepted == [("the", "der"), ("the", "die"), ("the", "das"), ("a", "eine"), ("an", "ein"),
                              ("an", "eine")]  # fmt: skip
    assert found.rejected == [("the", "den"), ("an", "x"), ("an", "y")]
    assert (found.corrected, found.corrected_lines, found.undecided, found.lines) == (4, 2, 1, 6)


def test_decisions(review):
    found = review(
        "Decision,target,SOURCE,note,correction\n"
        "ok,b,a,,\nWrong,d,c,x,\nanother translation,f,e,,g\n,h,i,,\nwrong,k,j,,l\n,n,m,,o\nok,q,p,,q\n,,,,\nok,b,a,,\n"
    )
    assert found.accepted == [("a", "b"), ("e", "g"), ("j", "l"), ("m", "o"), ("p", "q")]
    assert found.rejected == [("c", "d"), ("e", "f"), ("j", "k"), ("m", "n")]
    assert (found.corrected, found.undecided) == (3, 1)


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\nsource;target;decision\r\na;b;ok\r\n",
        "source\ttarget\tdecision\ta\t\na\tb\tok\t\t\n".encode("utf-16"),
        "\ufeffsource,target,decision\na,b,ok",
        'source,target,decision\n"a","b","ok"\n',
    ],
    ids=["sep", "utf-16", "bom", "quoted"],
)
def test_forms_that_spreadsheets_save(review, text):
    assert review(text).accepted == [("a", "b")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source,target,decision\na,b,ok\nc,d,maybe\n", ["line 3", "unknown decision 'maybe'"]),
        ('source,target,decision\n"a","b\nb",ok\nc,d,maybe\n', ["line 2", "line break"]),
        ('source,target,decision,note\na,b,ok,"x\ny"\nc,d,maybe,\n', ["line 4", "'maybe'"]),
        ("source,target,decision,correction\na,b,ok,c\n", ["line 2", "'b' is ok", "'c'"]),
        ("source,target,decision,correction\na,b,other,\n", ["line 2", "correction is empty"]),
        ("source,target,decision,correction\na,b,,;  ;\n", ["line 2", "correction is empty"]),
        ("source,target,decision\n,b,ok\n", ["line 2", "source is empty"]),
        ("source,target\na,b\n", ["line 1", "'decision'"]),
        ("", ["line 1", "'source'"]),
        (b"source,target,decision\na,b,ok\nc,\xe4,ok\n", ["line 3", "0xe4"]),
    ],
)
def test_faults_name_file_line_and_value(review, text, words):
    with pytest.raises(DataError) as caught:
        review(text)
    assert "review.csv" in caught.value.message
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.hint
