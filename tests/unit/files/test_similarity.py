"""Scored word pairs, in every form that data sets come in."""

from __future__ import annotations

import pytest

from lexenc.errors import DataError
from lexenc.files.multi_simlex import read_scored_pairs


@pytest.fixture
def pairs_of(tmp_path):
    def read(text: str, name: str = "pairs.txt"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_scored_pairs(tmp_path / name)

    return read


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("header", ["", "word 1\tword 2\tscore"])
def test_similarity_reads_any_line_end_with_or_without_header(tmp_path, end, header):
    path = tmp_path / "pairs.txt"
    lines = [*([header] if header else []), "old\tnew\t0.5", "table of contents\tindex\t8"]
    path.write_bytes(end.join([*lines, ""]).encode())
    pairs = read_scored_pairs(path)
    assert (pairs.first, pairs.second, pairs.scores) == (["old", "table of contents"], ["new", "index"], [0.5, 8.0])


SIMLEX = "word1\tword2\tPOS\tSimLex999\tconc(w1)\tconc(w2)\tAssoc(USF)\n"
FORMS = {
    "SimLex-999": SIMLEX + "old\tnew\tA\t1.58\t2.72\t2.81\t7.25\nice cream\tsnow\tN\t4\t1\t1\t0\n",
    "WordSim-353": 'Word 1,Word 2,Human (mean)\nold,new,1.58\n"ice cream",snow,4\n',
    "columns between TABs": "old\tnew\t1.58\nice cream\tsnow\t4\n",
    "columns between TABs with a head": "word 1\tword 2\tscore\trow\nold\tnew\t1.58\t1\nice cream\tsnow\t4\t2\n",
    "columns between commas": "old,new,1.58\nice cream,snow,4\n",
    "Multi-SimLex, one language, mean over annotators": (
        "Word 1,Word 2,Annotator 1,Annotator 2\nold,new,1.5,1.66\nice cream,snow,3,5\n"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_are_told_apart_and_the_score_found(pairs_of, form):
    pairs = pairs_of(FORMS[form])
    assert pairs.form == form
    assert list(zip(pairs.first, pairs.second, strict=True)) == [("old", "new"), ("ice cream", "snow")]
    assert pairs.scores == pytest.approx([1.58, 4])


def test_wordsim_between_tabs_and_columns_between_spaces(pairs_of):
    assert pairs_of("Word 1\tWord 2\tHuman (mean)\na\tb\t7\n").form == "WordSim-353"
    pairs = pairs_of("sun star 7.5\nsun  moon   8\n")
    assert (pairs.form, pairs.second, pairs.scores) == ("columns between spaces", ["star", "moon"], [7.5, 8.0])


def test_repeated_pairs_stay_and_are_counted(pairs_of):
    pairs = pairs_of("a\tb\t1\na\tb\t3\nb\ta\t1\n")
    assert (len(pairs), pairs.repeated) == (3, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\tb\n", ["line 1", "2 columns"]),
        ("a\tb\t1\nc\td\tx\n", ["line 2", "'x'"]),
        ("a\tb\t7,5\n", ["line 1", "'7,5'"]),
        ("a\tb\t1\nc\td\tnan\n", ["line 2", "finite"]),
        ("a\tb\t1\n\n\td\t2\n", ["line 3", "first word is empty"]),
        ("Word 1,Word 2,Human (mean)\na,b,11\n", ["line 2", "11", "0 to 10"]),
        (SIMLEX + "a\tb\tN\t-1\n", ["line 2", "-1"]),
        ("word 1,word 2,annotator 1\na,b,7\n", ["line 2", "0 to 6"]),
        ("ice cream snow 5\n", ["line 1", "4 columns"]),
        ("", ["no pairs"]),
        ("word 1\tword 2\tscore\n", ["no pairs"]),
    ],
)
def test_bad_lines_are_named(pairs_of, text, words):
    with pytest.raises(DataError) as caught:
        pairs_of(text)
    assert all(word in caught.value.message for word in words), caught.value.message


def test_a_decimal_comma_is_hinted_at(pairs_of):
    with pytest.raises(DataError) as caught:
        pairs_of("a\tb\t7,5\n")
    assert caught.value.hint == "Decimals use a point: 7.5."


def test_a_folder_without_pairs_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"without pairs\.tsv"):
        read_scored_pairs(tmp_path)
