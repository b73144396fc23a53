"""Tables in which a person names the senses of words, and says which to merge and which to drop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.review_tables import review_columns, review_rows, write_review_table

REVIEW = "review.csv"
SENSE_COLUMNS = ("sense", "share", "name", "decision", "nearest", "examples")
_NEEDED = ("sense", "decision")
_DECISIONS = {"": "keep", "keep": "keep", "ok": "keep", "drop": "drop"}


@dataclass(frozen=True)
class SenseDecision:
    """What a reviewer says of a sense.

    Args:
        place: File and line.
        sense: The sense.
        name: Its name or gloss; empty for none.
        into: The sense that it is merged into; itself if it is kept; empty if it is dropped.
    """

    place: str
    sense: str
    name: str
    into: str


def write_sense_review(path: Path, rows: Iterable[tuple[str, float, str, str, str]]) -> None:
    """Write a table for a spreadsheet, with a line per sense: the sense, share, name, nearest words, examples."""
    write_review_table(
        path,
        SENSE_COLUMNS,
        ((sense, f"{share:.4f}", name, "", nearest, examples) for sense, share, name, nearest, examples in rows),
    )


def is_sense_review(path: Path) -> bool:
    """Return whether a table is a review of senses, by the names of its columns."""
    return {*_NEEDED} <= {*review_columns(path)}


def read_sense_review(path: Path) -> Iterator[SenseDecision]:
    """Yield the decisions of a review of senses, as saved by a spreadsheet.

    A decision is empty or `keep`, `drop`, or the sense to merge this one into.

    Raises:
        DataError: If a column or a sense is missing, or a sense has two lines.
    """
    seen: dict[str, str] = {}
    for place, row in review_rows(path, SENSE_COLUMNS, _NEEDED):
        sense, decision = row["sense"], row["decision"]
        if not sense:
            raise DataError(f"{place}: the sense is empty.", hint="Fill it in, or delete the line.")
        if sense in seen:
            raise DataError(f"{place}: {sense} has a line already.", hint="Keep one line for each sense.")
        seen[sense] = place
        kind = _DECISIONS.get(decision.lower())
        if kind is None and "#" not in decision:
            raise DataError(
                f"{place}: unknown decision '{decision}'.",
                hint="Write nothing or keep, drop, or the sense to merge it into, e.g. bank#1.",
            )
        into = sense if kind == "keep" else "" if kind == "drop" else decision
        yield SenseDecision(place, sense, " ".join(row["name"].split()), into)
