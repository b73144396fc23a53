from __future__ import annotations

import gzip
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc.errors import DataError
from lexenc.files.dictionaries import Pairs, read_pairs, write_pairs
from lexenc.files.exchange.writing import PairRow, read_rows
from lexenc.text.folding import Folding, trim


@pytest.fixture
def read(tmp_path):
    def make(text: str | bytes, **more) -> Pairs:
        path = tmp_path / "x.tsv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_pairs(path, **more)

    return make


@pytest.mark.parametrize(
    ("text", "pairs", "lines"),
    [
        ("a\tb\n", [("a", "b")], [1]),
        ("a b\n", [("a", "b")], [1]),
        ("a   b  \n", [("a", "b")], [1]),
        ("  a b", [("a", "b")], [1]),
        ("a\tb\r\nc\td\r\n", [("a", "b"), ("c", "d")], [1, 2]),
        ("a b\rc d\r", [("a", "b"), ("c", "d")], [1, 2]),
        ("\ufeffa\tb\n", [("a", "b")], [1]),
        ("\n \t\n\na\tb\n\n", [("a", "b")], [4]),
        ("New York\tNeu York\n", [("New York", "Neu York")], [1]),
        (" New York \t Big  Apple \n", [("New York", "Big  Apple")], [1]),
        ("a b\nNew York\tb\n", [("a", "b"), ("New York", "b")], [1, 2]),
        ("a\u00a0b\u3000c d\n", [("a\u00a0b\u3000c", "d")], [1]),
        ("a\u0085b\tc\u2028d\n", [("a\u0085b", "c\u2028d")], [1]),
        ("a\tb\na\tc\na\tb\n", [("a", "b"), ("a", "c"), ("a", "b")], [1, 2, 3]),
    ],
)
def test_dictionaries_pairs(read, text, pairs, lines):
    got = read(text)
    assert list(got) == pairs
    assert got.lines == lines
    assert len(got) == len(pairs)
    packed = read(gzip.compress(text.encode()))
    assert list(packed) == pairs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\tb\nhello\n", ["line 2", "1 column,"]),
        ("a\tb\n\nnew york nueva york\n", ["line 3", "4 columns"]),
        ("a\tb\tc\n", ["line 1", "3 columns"]),
        ("a\tb\t\n", ["line 1", "3 columns"]),
        ("a\tb\n\tb\n", ["line 2", "anchor is empty"]),
        ("a\t  \n", ["line 1", "positive is empty"]),
        ("", ["no pairs"]),
        ("\n \n", ["no pairs"]),
    ],
)
def test_dictionaries_faults_name_line_and_column(read, text, words):
    with pytest.raises(DataError) as caught:
        read(text, roles=("anchor", "positive"))
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a\tb\t0.5\n", r"^Leave the score out: lexenc convert \S*x\.tsv --out pairs\.tsv$"),
        ("source\ttarget\tscore\na\tb\t0.5\n", "Leave the score out"),
        ("a\tb\tc\n", "A tab inside the text"),
        ("house,Haus\n", r"^Put a TAB between the columns, not a comma\.$"),
        ("house;Haus\n", "not a semicolon"),
        ("house, Haus\n", "not a comma"),
        ("house\n", r"^Put a TAB between the columns\.$"),
    ],
)
def test_a_dictionary_in_another_form_is_told_what_to_do(read, text, hint, tmp_path):
    with pytest.raises(DataError) as caught:
        read(text)
    assert re.search(hint, caught.value.hint)
    if "score" in caught.value.hint:
        assert list(read_rows(tmp_path / "x.tsv")) == [PairRow("a", "b", 0.5)]
    elif "comma" in hint:
        with pytest.raises(DataError) as caught:
            list(read_rows(tmp_path / "x.tsv"))
        assert re.search(hint, caught.value.hint)


def test_signs_may_be_words_and_a_comma_may_end_one_later(read):
    assert list(read(", ,\nhouse Haus\netc., usw.,\n")) == [(",", ","), ("house", "Haus"), ("etc.,", "usw.,")]


def test_dictionaries_not_utf8(read):
    with pytest.raises(DataError, match=r"0xe9 at offset 7, line 2"):
        read(b"a\tb\ncaf\xe9\tb\n")


WORDS = st.text(st.characters(exclude_characters="\t\r\n", exclude_categories=["Cs"]), min_size=1).filter(
    lambda word: word == trim(word)
)


@settings(max_examples=60)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_dictionaries_what_is_written_is_read_again(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("d") / "x.tsv"
    write_pairs(path, pairs)
    assert list(read_pairs(path)) == pairs


def test_dictionaries_translations_keep_the_order_and_drop_repeats(read):
    table = read("b\tx\na\ty\nb\tw\nb\tx\n").translations()
    assert table == {"b": ["x", "w"], "a": ["y"]}
    assert list(table) == ["b", "a"]


def test_dictionaries_other_views(read):
    pairs = read("KADIN\tIT\nb\tw\n")
    assert list(pairs.swapped()) == [("IT", "KADIN"), ("w", "b")]
    assert list(pairs.folded(Folding(lowercase=True), "tr", None)) == [("kadın", "it"), ("b", "w")]
    assert list(pairs.folded(Folding(lowercase=True), None, "tr")) == [("kadin", "ıt"), ("b", "w")]
    assert list(pairs.chosen([1])) == [("b", "w")]
    assert pairs.chosen([1]).lines == [2]
    assert pairs.swapped().lines == [1, 2]
    assert list(Pairs(["a", "b"], ["c", "d"], []).chosen([1, 0])) == [("b", "d"), ("a", "c")]
    assert "KADIN" in pairs.first()
    assert "IT" in pairs.first()
    assert Pairs([], [], []).first() == "none"


@pytest.mark.data
def test_dictionaries_all_real_ones_parse(data):
    files = sorted(path for path in (data / "bli").rglob("*") if path.suffix in (".tsv", ".trans"))
    assert len(files) >= 40
    for path in files:
        pairs = read_pairs(path)
        text = path.read_bytes()
        assert len(pairs) == text.count(b"\n") + (not text.endswith(b"\n")), path
        number = 5000 if "5k" in path.name else 1000 if "1k" in path.name else 2000 if "2k" in path.name else None
        if number is not None:
            assert len(pairs) == number, path
        assert all(left.strip() == left and right.strip() == right for left, right in pairs), path


@pytest.mark.data
@pytest.mark.parametrize("pair", ["en-de", "en-fr", "en-tr"])
def test_dictionaries_english_pairs_have_one_translation_per_source(data, pair):
    for name in ("train.freq.5k.tsv", "test.freq.2k.tsv"):
        pairs = read_pairs(data / "bli" / "gt" / pair / name)
        assert {len(golds) for golds in pairs.translations().values()} == {1}
        assert len(pairs.translations()) == len(pairs)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_dictionary_that_is_a_review_names_what_reads_it(read, mark):
    head = mark.join(["source", "target", "probability", "decision", "correction"])
    with pytest.raises(DataError, match="is a table for review") as caught:
        read(f"\ufeff{head}\n" + mark.join(["dog", "hund", "0.9", "ok", ""]) + "\n")
    assert caught.value.hint.startswith("Make a dictionary of it: lexenc read-review")


def test_a_lexicon_brings_probabilities(read):
    pairs = read("source\ttarget\tprobability\tlinks\na\tb\t0.25\t3\nc\td\t1\t4\n")
    assert read("source\ttarget\tprobability\na\tb\t\nc\td\t0.5\n").probabilities == [0, 0.5], "none is no weight"
    assert list(pairs) == [("a", "b"), ("c", "d")]
    assert pairs.swapped().folded(Folding(lowercase=True)).chosen([1, 0]).probabilities == [1.0, 0.25]
    with pytest.raises(DataError, match="line 2: 'x' is not a probability"):
        read("source\ttarget\tprobability\na\tb\tx\n")


def test_a_folder_with_a_lexicon_is_a_dictionary_too(tmp_path):
    with pytest.raises(DataError, match="is a folder, expected a file"):
        read_pairs(tmp_path)
    (tmp_path / "lexicon.tsv").write_text("source\ttarget\tprobability\na\tb\t0.5\n", encoding="utf-8")
    pairs = read_pairs(tmp_path)
    assert (list(pairs), pairs.probabilities) == ([("a", "b")], [0.5])
    assert pairs.name == str(tmp_path / "lexicon.tsv")
