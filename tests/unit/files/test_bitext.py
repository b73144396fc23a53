"""Sentences with and without ids, and the gold pairs among them."""

from __future__ import annotations

import pytest

from lexenc.errors import DataError
from lexenc.files.bitext import read_bitext, read_sentence_file


@pytest.fixture
def write(tmp_path):
    def written(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name

    return written


def test_ids_are_recognised_and_equal_sentences_merged(write):
    found = read_sentence_file(write("a", "\ufeffa-1\tone dog\r\na-2\t one dog \r\na-3\t\r\na-4\ta\tb"))
    assert found.texts == ["one dog", "a\tb"]
    assert found.places == {"a-1": 0, "a-2": 0, "a-3": None, "a-4": 1}
    assert (found.has_ids, found.repeated, found.empty) == (True, 1, 1)


def test_plain_lines_have_their_numbers(write):
    found = read_sentence_file(write("a", "one dog\na\tb\n\none dog\n"))
    assert found.places == {"1": 0, "2": 1, "3": None, "4": 0}
    assert not found.has_ids


def test_gold_pairs_are_places_of_texts(write):
    source, target = write("a", "a-1\tx\na-2\tx\na-3\t\n"), write("b", "y\nz\n")
    found = read_bitext(source, target, write("g", "a-1\t2\na-2\t2\tmore\n\na-3\t1\n"))
    assert (found.order, found.gold, found.lines, found.without_text) == ([(0, 1), (0, 1)], {(0, 1)}, 3, 1)
    assert found.texts((0, 1)) == ("x", "z")


@pytest.mark.parametrize(
    ("source", "gold", "message", "hint"),
    [
        ("", "1\t1\n", "contains no sentences", None),
        ("\n \n", "1\t1\n", "contains no sentences", None),
        ("a-1\tx\na-1\ty\n", "a-1\t1\n", "line 2: the id 'a-1' has occurred before", None),
        (b"x\n\xff\n", "1\t1\n", "is not UTF-8", None),
        ("x\n", "", "contains no gold pairs", None),
        ("x\n", "1\t1\n1 1\n", "g, line 2: there are no two ids: '1 1'", "TAB"),
        ("x\n", "0\t1\n", "has no sentence '0'", "counted from 1"),
        ("a-1\tx\n", "1\t1\n", "has no sentence '1'", "first column belongs to --source"),
    ],
)
def test_what_cannot_be_read_is_refused(write, source, gold, message, hint):
    with pytest.raises(DataError, match=message) as caught:
        read_bitext(write("a", source), write("b", "y\n"), write("g", gold))
    assert hint is None or hint in caught.value.hint
