"""The counts of an evaluation of word links on disk: one sentence pair per line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import read_lines, write_lines

NAME = "link-counts.tsv"
_HEAD = "predicted\tsure\tpossible\tsure hits\tpossible hits"
_COLUMNS = _HEAD.count("\t") + 1


def write_link_counts(path: Path, rows: Iterable[Sequence[int]]) -> None:
    """Write for every sentence pair: links of the system, sure and possible gold links, and how many of each it has."""
    write_lines(path, [_HEAD, *("\t".join(map(str, row)) for row in rows)])


def is_link_counts(path: Path) -> bool:
    """Tell whether a path means counts: a folder that holds some, or a file that begins like one."""
    if path.is_dir():
        return (path / NAME).is_file()
    return path.is_file() and next((line for _, line in read_lines(path)), "") == _HEAD


def read_link_counts(path: Path) -> list[list[int]]:
    """Read what `write_link_counts` wrote, from the file or the folder of an evaluation.

    Raises:
        DataError: If a line is not one of them, or there is none.
    """
    place = path / NAME if path.is_dir() else path
    rows = []
    for number, line in read_lines(place):
        cells = line.split("\t")
        if number == 1 and line == _HEAD:
            continue
        if len(cells) != _COLUMNS or not all(cell.isdecimal() for cell in cells):
            raise DataError(
                f"{place}, line {number}: not the counts of a sentence pair.",
                hint="Give a file that lexenc eval alignment --out wrote.",
            )
        rows.append([int(cell) for cell in cells])
    if not rows:
        raise DataError(f"{place} is empty.", hint="Evaluate again with --out.")
    return rows
