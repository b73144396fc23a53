"""Scored word pairs."""

from __future__ import annotations

import pytest

from lexenc.errors import DataError
from lexenc.files.similarity import read_scored_pairs


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("header", ["", "word 1\tword 2\tscore"])
def test_similarity_reads_any_line_end_with_or_without_header(tmp_path, end, header):
    path = tmp_path / "pairs.txt"
    lines = [*([header] if header else []), "old\tnew\t0.5", "table of contents\tindex\t8"]
    path.write_bytes(end.join([*lines, ""]).encode())
    pairs = read_scored_pairs(path)
    assert (pairs.first, pairs.second, pairs.scores) == (["old", "table of contents"], ["new", "index"], [0.5, 8.0])


@pytest.mark.parametrize(("text", "word"), [("a\tb\n", "line 1"), ("a\tb\t1\nc\td\tx\n", "'x'"), ("", "no pairs")])
def test_similarity_bad_lines_are_named(tmp_path, text, word):
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_scored_pairs(path)
    assert word in caught.value.message


@pytest.mark.data
@pytest.mark.parametrize("language", ["english", "german", "italian", "russian"])
def test_similarity_simlex_has_999_rows(data, language):
    assert len(read_scored_pairs(data / "xlsim" / f"simlex-{language}.txt")) == 999
