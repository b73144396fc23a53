from __future__ import annotations

import gzip

import pytest

from lexenc.errors import DataError
from lexenc.files.vocabularies import Vocabulary, read_vocabulary
from lexenc.text.folding import Folding

LOWER = Folding(lowercase=True)


@pytest.fixture
def read(tmp_path):
    def make(content: str | bytes, **more) -> Vocabulary:
        path = tmp_path / "x.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_vocabulary(path, **more)

    return make


@pytest.mark.parametrize(
    ("text", "words", "counts"),
    [
        ("the\ncat\n", ["the", "cat"], None),
        ("the 9\ncat 3\n", ["the", "cat"], [9, 3]),
        ("the\t9\ncat   3\n", ["the", "cat"], [9, 3]),
        ("the 9\r\ncat 3\r\n", ["the", "cat"], [9, 3]),
        ("the 9\rcat 3\r", ["the", "cat"], [9, 3]),
        ("\ufeffthe 9\n\n \ncat 3", ["the", "cat"], [9, 3]),
        ("New York 9\nroute 66 3\n", ["New York", "route 66"], [9, 3]),
        ("New York\nroute 66\n", ["New York", "route 66"], None),
        ("route 66\n", ["route"], [66]),
        ("66 3\n7 2\n", ["66", "7"], [3, 2]),
        ("66\n7\n", ["66", "7"], None),
        (" the 9\n  cat 3 \n", ["the", "cat"], [9, 3]),
        ("  the 9\n cat 3\n", ["the", "cat"], [9, 3]),
        ("  the \n cat\n", ["the", "cat"], None),
        ("foo\u00a0 9\n\u3000 3\na\u2028 2\n", ["foo", "\u3000", "a"], [9, 3, 2]),
        ("a\u0085b 9\nc 1", ["a\u0085b", "c"], [9, 1]),
        ("x -3\ny 2.5\n", ["x -3", "y 2.5"], None),
    ],
)
def test_vocabularies_words_and_counts(read, text, words, counts):
    got = read(text)
    assert (got.words, got.counts, got.repeated) == (words, counts, 0)
    assert read(gzip.compress(text.encode())) == got


def test_vocabularies_repeats_are_counted_and_their_counts_added(read):
    assert read("a 5\nb 4\na 3\nb 1\n") == Vocabulary(["a", "b"], [8, 5], 2)


def test_vocabularies_folding_keeps_the_first_form(read):
    assert read("Haus 5\nhaus 3\nHAUS 1\nder 2\n", folding=LOWER) == Vocabulary(["haus", "der"], [9, 2], 2)
    assert read("KADIN 2\nkadın 1\n", folding=LOWER, language="tr") == Vocabulary(["kadın"], [3], 1)
    assert read("KADIN 2\nkadın 1\n", folding=LOWER).words == ["kadin", "kadın"]
    assert read("Haus\nhaus\n").words == ["Haus", "haus"]


def test_vocabularies_limit_counts_distinct_words(read):
    assert read("A 5\na 4\nb 3\nc 2\nB 1\n", limit=2, folding=LOWER) == Vocabulary(["a", "b"], [9, 4], 2)
    assert read("a\nb\n", limit=9).words == ["a", "b"]


def test_vocabularies_of_folders_are_the_words_beside_the_vectors(tmp_path):
    (tmp_path / "words.txt").write_text("route 66\nroute 66\nNew York\n")
    assert read_vocabulary(tmp_path) == Vocabulary(["route 66", "New York"], None, 1)
    (tmp_path / "words.txt").write_text("route 66\n")
    assert read_vocabulary(tmp_path).words == ["route 66"], "what ends with a number is no count there"


def test_vocabularies_of_folders_without_words(tmp_path):
    with pytest.raises(DataError, match="folder") as empty:
        read_vocabulary(tmp_path)
    assert "words.txt" in empty.value.hint
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "words.txt").write_text("haus\n")
    with pytest.raises(DataError, match=r"without words\.txt") as space:
        read_vocabulary(tmp_path)
    assert str(tmp_path / "target") in space.value.hint


@pytest.mark.parametrize("content", [b"", b"\n \t \n"])
def test_vocabularies_empty(read, content):
    with pytest.raises(DataError, match="no words"):
        read(content)


def test_vocabularies_not_utf8(read):
    with pytest.raises(DataError, match=r"0xe9 at offset 6, line 2"):
        read(b"a 3\nca\xe9 2\n")


@pytest.mark.data
@pytest.mark.parametrize("language", ["de", "tr", "he", "ka"])
def test_vocabularies_real_ones_have_counts(data, language):
    vocabulary = read_vocabulary(data / "vocab" / f"{language}.50k.txt.gz")
    assert 40_000 <= len(vocabulary.words) <= 50_000
    assert vocabulary.counts is not None
    assert vocabulary.counts == sorted(vocabulary.counts, reverse=True)
