"""Texts with a label, such as topics of news: label, TAB, text; or a table whose first line names its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from lexenc.errors import DataError
from lexenc.files.text import csv_rows, read_lines, separator_of
from lexenc.text.folding import trim

_LABEL = ("category", "label", "topic", "class")
_TITLE = ("headline", "title")
_TEXT = ("text", "body", "sentence", "document", "tweet")
_HINT = "One document per line: label, TAB, text; or a table with the columns category, headline and text."


class LabelledText(NamedTuple):
    """A text with its label. Line breaks in the text are spaces.

    Attributes:
        label: The label.
        text: The text.
        line: Its last line in the file, counted from 1.
    """

    label: str
    text: str
    line: int


def read_labelled(path: Path, *, known: Collection[str] = ()) -> tuple[list[LabelledText], Counter[str]]:
    """Read texts with labels, and count the rows left out by reason. gzip is unpacked.

    A table names its columns in the first line: `category`, `label`, `topic` or `class`, and `text`, `body`,
    `sentence`, `document` or `tweet`. A `headline` or `title` precedes the text (MasakhaNEWS). Cells may be quoted and
    hold line breaks, as in CSV; TABs or commas separate them. Without such a line, what stands before the first TAB is
    the label, or what stands after the last if it is more often `known`, or without known labels has fewer different
    values; quotation marks are text.

    Args:
        path: The file.
        known: Labels, if they are known.

    Raises:
        DataError: If the file has no labelled text.
    """
    first = next((line for _, line in read_lines(path) if trim(line)), "")
    separator = separator_of(first, least=1) or "\t"
    heads = [trim(cell).lower() for cell in first.split(separator)]
    label = next((heads.index(name) for name in _LABEL if name in heads), None)
    texts = [heads.index(name) for names in (_TITLE, _TEXT) for name in names if name in heads]
    rows = _table(path, separator) if label is not None and texts else _lines(path, last=_label_is_last(path, known))
    place, places = (0, [1]) if label is None or not texts else (label, texts)
    found, skipped = [], Counter[str]()
    for line, cells in rows:
        if len(cells) <= max(place, *places):
            skipped["too few columns"] += 1
            continue
        name, text = trim(cells[place]), " ".join(filter(None, (trim(cells[each]) for each in places)))
        if not name:
            skipped["no label"] += 1
        elif not text:
            skipped["no text"] += 1
        else:
            found.append(LabelledText(name, " ".join(text.split("\n")), line))
    if not found:
        shown = f" Line 1: {first[:80]}" if first else ""
        raise DataError(f"{path} holds no texts with labels.{shown}", hint=_HINT)
    return found, skipped


def _lines(path: Path, *, last: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield label and text of every line; `last` says which of them is the label."""
    for number, line in read_lines(path):
        if trim(line):
            yield number, line.rsplit("\t", 1)[::-1] if last else line.split("\t", 1)


def _label_is_last(path: Path, known: Collection[str]) -> bool:
    """Return whether the labels of a table without a head stand behind the texts."""
    first, last = set[str](), set[str]()
    hits = 0
    for _, line in read_lines(path):
        if "\t" in line:
            one, other = trim(line.split("\t", 1)[0]), trim(line.rsplit("\t", 1)[1])
            first.add(one)
            last.add(other)
            hits += (other in known) - (one in known)
    return hits > 0 if known else 0 < len(last - {""}) < len(first - {""})


def _table(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    rows = csv_rows((f"{line}\n" for _, line in read_lines(path)), path, separator)
    next(row for _, row in rows if any(map(trim, row)))
    return ((number, cells) for number, cells in rows if any(map(trim, cells)))
