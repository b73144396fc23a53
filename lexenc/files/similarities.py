"""Similarities of a system on disk: one pair per line, with the score that people gave it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.similarity import number_of
from lexenc.files.text import read_lines, write_lines

NAME = "similarities.tsv"
_HEAD = ["word 1", "word 2", "score", "cosine", "word 1 from", "word 2 from"]


@dataclass(frozen=True)
class Similarity:
    """One pair.

    Args:
        first: Left word.
        second: Right word.
        score: What people say.
        cosine: What the system says; None where a word has no vector.
        origins: How each word got its vector.
    """

    first: str
    second: str
    score: float
    cosine: float | None
    origins: tuple[str, str]

    @property
    def asked(self) -> tuple[str, str, float]:
        """What was asked, without the answer."""
        return self.first, self.second, self.score


def write_similarities(path: Path, rows: Iterable[Similarity]) -> None:
    """Write a table with a head; numbers keep all their digits."""
    lines = ("\t".join([row.first, row.second, repr(row.score), _cell(row.cosine), *row.origins]) for row in rows)
    write_lines(path, ["\t".join(_HEAD), *lines])


def _cell(cosine: float | None) -> str:
    return "" if cosine is None else repr(cosine)


def is_similarities(path: Path) -> bool:
    """Tell whether a path means similarities: a folder that holds some, or a file that begins like one."""
    if path.is_dir():
        return any(path.glob("similarities*.tsv"))
    return path.is_file() and next((line for _, line in read_lines(path)), "") == "\t".join(_HEAD)


def similarities_file(path: Path) -> Path:
    """Give the file that a user's path means: itself, or the one in the folder of an evaluation.

    Raises:
        DataError: If there are none or several.
    """
    if not path.is_dir() or (path / NAME).is_file():
        return path / NAME if path.is_dir() else path
    found = sorted(path.glob("similarities-*.tsv"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise DataError(f"{path} holds no {NAME}.", hint="Evaluate with: lexenc eval xlsim --out FOLDER")
    raise DataError(
        f"{path} holds similarities of {len(found)} lambdas.",
        hint=f"Give one of: {', '.join(str(each) for each in found)}.",
    )


def read_similarities(path: Path) -> list[Similarity]:
    """Read what `write_similarities` wrote, from the file or the folder of an evaluation.

    Raises:
        DataError: If there are none or several files, or a line is not one of them.
    """
    place = similarities_file(path)
    rows = []
    for number, line in read_lines(place):
        cells = line.split("\t")
        if number == 1 and cells == _HEAD:
            continue
        score, cosine = (number_of(cells[i]) if len(cells) == len(_HEAD) else None for i in (2, 3))
        if score is None or (cosine is None and cells[3]):
            raise DataError(
                f"{place}, line {number}: not a pair with its similarity.",
                hint="Give a file that lexenc eval xlsim --out wrote.",
            )
        rows.append(Similarity(cells[0], cells[1], score, cosine, (cells[4], cells[5])))
    if not rows:
        raise DataError(f"{place} is empty.", hint="Evaluate again with --out.")
    return rows
