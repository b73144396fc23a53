"""Pairs of sentences that are paraphrases or not: the MSR paraphrase corpus, PAWS and PAWS-X, and tables like them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lexenc.errors import DataError
from lexenc.files.text import cells_of, counted, read_lines, separator_of
from lexenc.text.folding import trim

NOT_TRANSLATED = "NS"
"""What PAWS-X has instead of a sentence that was not translated."""
_FIRST = ("#1 string", "sentence1", "sentence_1", "sentence_a", "question1", "text1")
_SECOND = ("#2 string", "sentence2", "sentence_2", "sentence_b", "question2", "text2")
_LABEL = ("quality", "label", "is_duplicate", "gold_label")
_LABELS = {"1": True, "0": False, "-1": None, "-": None, "": None}
_HINT = "Name the columns in the first line: sentence1, sentence2 and label. A label is 1 for a paraphrase, else 0."


class ParaphrasePair(NamedTuple):
    """Two sentences, either of which may be empty.

    Attributes:
        line: Line in the file, counted from 1.
        first: A sentence.
        second: The other one.
        same: Whether they are paraphrases. None without a label.
    """

    line: int
    first: str
    second: str
    same: bool | None


def read_paraphrases(path: Path) -> Iterator[ParaphrasePair]:
    """Yield the pairs of a table between TABs or commas, also those without a label. gzip is unpacked.

    Its first line names its columns as MSR, PAWS and PAWS-X do. A table without a head has three columns: sentence,
    sentence and label.

    Raises:
        DataError: If the columns are not known, a line has too few, or a label is not known.
    """
    separator = ""
    places: tuple[int, ...] = ()
    for number, line in read_lines(path):
        if not trim(line):
            continue
        separator = separator or separator_of(line) or "\t"
        cells = cells_of(line, separator, path, number)
        if not places:
            named = _named(cells)
            places = named or ((0, 1, 2) if len(cells) == 3 and cells[2] in _LABELS else ())
            if not places:
                raise DataError(f"{path}, line {number}: its columns are not known: {line[:80]}.", hint=_HINT)
            if named:
                continue
        if len(cells) <= max(places):
            shown = f"{counted(len(cells), 'column')}, expected {max(places) + 1}"
            raise DataError(f"{path}, line {number}: {shown}.", hint=_HINT)
        first, second, label = (cells[place] for place in places)
        if label not in _LABELS:
            raise DataError(f"{path}, line {number}: '{label[:40]}' is not a label.", hint=_HINT)
        yield ParaphrasePair(number, first, second, _LABELS[label])


def _named(cells: list[str]) -> tuple[int, ...]:
    """Return the columns of the sentences and of the label by their names; nothing if one is not there."""
    heads = [cell.lower() for cell in cells]
    found = [next((heads.index(name) for name in names if name in heads), -1) for names in (_FIRST, _SECOND, _LABEL)]
    return tuple(found) if min(found) >= 0 else ()
