"""Word pairs with similarity scores: three columns between TABs, with or without a header line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import counted, read_lines


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs of words or phrases in file order.

    Args:
        first: Left words.
        second: Right words.
        scores: How similar people found them, on the scale of the file.
    """

    first: list[str]
    second: list[str]
    scores: list[float]

    def __len__(self) -> int:
        return len(self.scores)


def read_scored_pairs(path: Path) -> ScoredPairs:
    """Read a data set such as SimLex; lines may end with CR alone. A first line without a number is a header.

    Raises:
        DataError: If a line has other columns, or its score is no number.
    """
    table = ScoredPairs([], [], [])
    for number, line in read_lines(path):
        if not line.strip(" \t"):
            continue
        cells = [cell.strip(" ") for cell in line.split("\t")]
        if len(cells) < 3:
            raise DataError(
                f"{path}, line {number}: {counted(len(cells), 'column')}, expected 3 (word, word, score).",
                hint="Put TABs between the columns.",
            )
        score = _score(cells[2])
        if score is None:
            if number == 1:
                continue
            raise DataError(f"{path}, line {number}: the score is '{cells[2]}', not a number.", hint="Write 7.5.")
        table.first.append(cells[0])
        table.second.append(cells[1])
        table.scores.append(score)
    if not table.scores:
        raise DataError(f"{path} holds no pairs.", hint="One pair per line: word, TAB, word, TAB, score.")
    return table


def _score(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
