"""Sentence alignments in the form of Vecalign: one link a line, `[0]:[0, 1]`, with sentences counted from 0."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import read_lines

_LINE = re.compile(r"\[([\d, ]*)\]:\[([\d, ]*)\](?::\S*)?")
# No document has so many sentences.
_DIGITS = 9


def read_ladder(path: Path) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Read the source and target sentences of every link. A cost after a second colon is ignored.

    Raises:
        DataError: If a line has another form, or there are no links.
    """
    links = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        sides = [re.findall(r"\d+", side) for side in match.groups()] if match else [["0" * (_DIGITS + 1)]]
        if any(len(each) > _DIGITS for side in sides for each in side):
            raise DataError(
                f"{path}, line {number}: '{line.strip()[:40]}' is not a link of sentences.",
                hint="Write the numbers of source and target sentences, counted from 0: [0]:[0, 1]",
            )
        links.append((tuple(map(int, sides[0])), tuple(map(int, sides[1]))))
    if not links:
        raise DataError(f"{path} contains no links.", hint="One link per line: [0]:[0, 1]")
    return links


def ladder_line(source: Sequence[int], target: Sequence[int]) -> str:
    """Return a link as text."""
    return f"{list(source)}:{list(target)}"
