"""Files of named entities: columns, schemes of tags, languages before words, and what is refused."""

from __future__ import annotations

import gzip

import pytest

from lexenc.errors import DataError
from lexenc.files.entities import read_entities


def read(tmp_path, text):
    path = tmp_path / "x.conll"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_entities(path)


def rows(found):
    return [(" ".join(words), " ".join(tags)) for words, tags in found.sentences]


def test_columns_of_conll_wikiann_and_masakhaner(tmp_path):
    conll = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n# id 1\nin IN I-PP O\nUlm NNP I-NP I-LOC\n"
    found = read(tmp_path, conll)
    assert rows(found) == [("EU rejects", "B-ORG O"), ("in Ulm", "O B-LOC")]
    assert (found.scheme, found.repaired) == ("IOB1", 0)
    wikiann = gzip.compress("de:a:b\tB-PER\r\nde:#\tI-PER\r\n\r\nde:so\tO\r\n".encode("utf-8-sig"))
    assert rows(read(tmp_path, wikiann)) == [("a:b #", "B-PER I-PER"), ("so", "O")]
    # A word with a colon is no language where other words have none, and `#` with a tag is a word.
    assert rows(read(tmp_path, "re: O\n# O\n# B-X\n")) == [("re: # #", "O O B-X")]
    assert rows(read(tmp_path, "New York\tB-LOC\n\xa0a\tO"))[0] == ("New York a", "B-LOC O")


@pytest.mark.parametrize(("tags", "expected", "scheme", "repaired"), [
    ("B-X I-X O B-X", "B-X I-X O B-X", "IOB2", 0),
    ("I-X I-X B-X O", "B-X I-X B-X O", "IOB1", 0),
    ("I-X I-Y O I-Y", "B-X B-Y O B-Y", "IOB1", 0),
    ("I-X O B-X I-Y", "B-X O B-X B-Y", "IOB2", 2),
    ("S-X B-X I-X E-X", "B-X B-X I-X I-X", "BIOES", 0),
    ("U-X B-X M-X L-X", "B-X B-X I-X I-X", "BIOES", 0),
    ("B-X O I-X E-X", "B-X O B-X I-X", "BIOES", 2),
    ("B-A-B I-A-B O O", "B-A-B I-A-B O O", "IOB2", 0),
])  # fmt: skip
def test_schemes_of_tags_become_one(tmp_path, tags, expected, scheme, repaired):
    found = read(tmp_path, "".join(f"w {tag}\n" for tag in tags.split()))
    assert (rows(found)[0][1], found.scheme, found.repaired) == (expected, scheme, repaired)


@pytest.mark.parametrize(("text", "message"), [
    ("a O\nword\n", "line 2: 'word' has no tag"),
    ("a\tPERSON\n", "line 1: 'PERSON' is not the tag"),
    ("a B-\n", "line 1: 'B-' is not the tag"),
    ("a O\n\n1\tb\tc\n", "line 3: 'c' is not the tag"),
    ("1 a O\n2 b O\n\n1 c B-X\n", "numbers the words in its first column"),
    ("\n-DOCSTART- O\n\n", "has no words with tags"),
    ("", "has no words with tags"),
    (b"a\xff O\n", "is not UTF-8"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, text)
    assert caught.value.hint


def test_real_data_has_as_many_entities_as_its_makers_say(data):
    found = read_entities(data / "ner/wikiann/de.test.gz")
    kinds = [tag for each in found.sentences for tag in each.tags if tag.startswith("B-")]
    assert (len(found.sentences), found.scheme, found.repaired) == (10_000, "IOB2", 0)
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"B-LOC": 4961, "B-ORG": 4157, "B-PER": 4750}
    assert len(read_entities(data / "ner/masakhaner2/swa.dev.txt.gz").sentences) == 942
