"""Pharaoh files: what counts as a link, from where words are counted, and every fault by line and token."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.errors import DataError
from lexenc.files.alignments import alignments_file, link_line, read_alignments, score_line, sentences_file


@pytest.fixture
def write(tmp_path):
    def to(text: str, name: str = "links"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return to


def test_links_are_sure_or_possible_and_lines_keep_their_place(write):
    rows = list(read_alignments(write("0-0 1p2 10-3\n\n 2p2  2-2 \n0-1 0-1\n")))
    assert [row.line for row in rows] == [1, 2, 3, 4]
    assert [row.sure for row in rows] == [[(0, 0), (10, 3)], [], [(2, 2)], [(0, 1), (0, 1)]]
    assert [row.possible for row in rows] == [[(1, 2)], [], [(2, 2)], []]


def test_words_counted_from_one_come_back_from_zero(write):
    path = write("1-1 2p3\n4-1 2-2\n")
    assert [(row.sure, row.possible) for row in read_alignments(path, one_based=True)] == [
        ([(0, 0)], [(1, 2)]),
        ([(3, 0), (1, 1)], []),
    ]


@pytest.mark.parametrize("line", ["0-1:0.5 2-3:1e-3", "0-1-0.5 2-3-1.e-3", "0-1:5e-1 2-3:0.001"])
def test_scores_stand_beside_their_link(write, line):
    (row,) = read_alignments(write(line))
    assert (row.sure, row.scores) == ([(0, 1), (2, 3)], [0.5, 0.001])


def test_scores_may_be_negative(write):
    (row,) = read_alignments(write("0-1:-2 2-3--0.5 4p4:0.1"))
    assert (row.sure, row.possible, row.scores) == ([(0, 1), (2, 3)], [(4, 4)], [-2.0, -0.5])


def test_a_name_before_a_tab_is_none_of_the_links(write):
    rows = list(read_alignments(write("17\t0-0 1p1\nx y\t\n3-3\n")))
    assert [(row.name, row.sure) for row in rows] == [("17", [(0, 0)]), ("x y", []), ("", [(3, 3)])]


def test_packed_files_are_read(tmp_path):
    (tmp_path / "links.gz").write_bytes(gzip.compress(b"0-0\n"))
    assert next(read_alignments(tmp_path / "links.gz")).sure == [(0, 0)]


@pytest.mark.parametrize(
    ("token", "what"),
    [
        ("1", "is not a link"), ("1-", "is not a link"), ("a-b", "is not a link"), ("1-2-3", "is not a link"),
        ("1_2", "is not a link"), ("1-2:", "is not a link"), ("1-2:x", "is not a link"), ("1P2", "is not a link"),
        ("1-1234567890", "is not a link"), ("1.0-2", "is not a link"), ("٣-٣", "is not a link"),
        ("|||", "is not a link"),
        ("-1-2", "has a negative index"), ("1--2", "has a negative index"), ("1p-2", "has a negative index"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "0-0 ", "0p0 "])
def test_what_is_no_link_is_an_error_with_file_line_and_token(write, token, what, before):
    path = write(f"1-1\n{before}{token}\n")
    with pytest.raises(DataError) as caught:
        list(read_alignments(path))
    assert caught.value.message == f"{path}, line 2: '{token}' {what}."
    assert "0-0 1-2" in caught.value.hint


@pytest.mark.parametrize("token", ["0-1", "1-0", "0p1", "1p0"])
def test_an_index_0_where_words_are_counted_from_one_is_an_error(write, token):
    path = write(f"1-1\n\n2-2 {token}\n")
    with pytest.raises(DataError) as caught:
        list(read_alignments(path, one_based=True))
    assert caught.value.message.startswith(f"{path}, line 3: '{token}' has index 0")
    assert "Remove the option" in caught.value.hint


@pytest.mark.parametrize("line", ["0-0\t1-1", "a\tb\t1-1"])
def test_other_tabs_are_an_error(write, line):
    with pytest.raises(DataError, match="line 1: a TAB that is not between a name and links"):
        list(read_alignments(write(line)))


def test_links_with_and_without_scores_do_not_mix(write):
    with pytest.raises(DataError, match="line 1: 1 of 2 links have a score"):
        list(read_alignments(write("0-0:0.5 1-1")))


# ---------------------------------------------------------------- folders


@pytest.fixture
def folder(tmp_path):
    rows = [[(0, 0, 1.0), (1, 2, 0.25)], [], [(3, 1, 1e-5)]]
    for name, line in (("alignments.txt", link_line), ("scores.txt", score_line)):
        (tmp_path / name).write_text("".join(f"{line(links)}\n" for links in rows))
    return tmp_path


def test_the_folder_of_a_result_has_links_and_scores(folder):
    assert (folder / "alignments.txt").read_text() == "0-0 1-2\n\n3-1\n"
    assert (folder / "scores.txt").read_text() == "1 0.25\n\n1e-05\n"
    assert [(row.sure, row.scores) for row in read_alignments(folder)] == [
        ([(0, 0), (1, 2)], [1.0, 0.25]), ([], []), ([(3, 1)], [1e-5]),
    ]  # fmt: skip
    assert alignments_file(folder) == folder / "alignments.txt"
    assert next(read_alignments(folder / "alignments.txt")).scores == []


def test_the_sentences_of_a_result_are_found(folder):
    assert sentences_file(folder) is None
    (folder / "sentences.txt").write_text("a ||| b\n")
    assert sentences_file(folder) == folder / "sentences.txt"
    assert sentences_file(folder / "other.txt") is None


def test_the_file_of_links_of_a_result_is_the_result(folder):
    (folder / "sentences.txt").write_text("a ||| b\n")
    links = folder / "alignments.txt"
    assert sentences_file(links) == folder / "sentences.txt"
    assert list(read_alignments(links)) == list(read_alignments(folder))


def test_a_folder_without_links_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"holds no alignments\.txt"):
        list(read_alignments(tmp_path))


@pytest.mark.parametrize(
    ("scores", "message"),
    [("1 0.5\n\n", "different numbers of lines"), ("1 0.5\n\n0\n\n", "different numbers of lines"),
     ("1\n\n1\n", "line 1: 1 score for 2 links"), ("1 x\n\n1\n", "line 1: not only numbers")],
)  # fmt: skip
def test_scores_that_do_not_fit_are_an_error(folder, scores, message):
    (folder / "scores.txt").write_text(scores)
    with pytest.raises(DataError, match=message):
        list(read_alignments(folder))


# ---------------------------------------------------------------- properties

LINKS = st.lists(st.tuples(st.integers(0, 999_999_998), st.integers(0, 999_999_998)))


@given(sentences=st.lists(LINKS), one_based=st.booleans())
def test_what_is_written_is_read_again(tmp_path_factory, sentences, one_based):
    path = tmp_path_factory.mktemp("links") / "links"
    first = int(one_based)
    lines = [link_line((i + first, j + first) for i, j in links) for links in sentences]
    path.write_text("".join(f"{line}\n" for line in lines))
    assert [row.sure for row in read_alignments(path, one_based=one_based)] == sentences
