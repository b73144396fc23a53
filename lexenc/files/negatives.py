"""Files of mined hard negatives: one JSON object per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lexenc.files.text import json_lines, write_json_lines
from lexenc.structured import checked

NAME = "negatives.jsonl"
_FORM = 'Write {"source": .., "target": .., "negatives": [{"text": .., "score": ..}]}.'


@dataclass(frozen=True)
class NegativeRow:
    """One pair with its hard negatives.

    Args:
        source: The anchor.
        target: Its positive.
        negatives: Hard negatives with their cosine similarities to the anchor.
        score: Cosine similarity of anchor and positive.
        direction: `source-to-target`, or `target-to-source` if the anchor is a target word.
    """

    source: str
    target: str
    negatives: list[tuple[str, float]]
    score: float
    direction: str = "source-to-target"


@dataclass(frozen=True)
class _Mined:
    text: str
    score: float = 0.0


@dataclass(frozen=True)
class _Row:
    """A line of the file."""

    source: str
    target: str
    negatives: list[_Mined]
    score: float = 0.0
    direction: str = "source-to-target"


def write_negatives(path: Path, rows: Iterable[NegativeRow]) -> None:
    """Write rows as JSON Lines."""
    write_json_lines(path, (
        {
            "source": row.source,
            "target": row.target,
            "direction": row.direction,
            "score": round(row.score, 6),
            "negatives": [{"text": text, "score": round(score, 6)} for text, score in row.negatives],
        }
        for row in rows
    ))  # fmt: skip


def read_negatives(path: Path) -> Iterator[NegativeRow]:
    """Read rows from a file, or from a folder written by `mine-negatives`.

    Raises:
        DataError: If a line lacks a key or a value has the wrong type.
    """
    place = path / NAME if path.is_dir() else path
    for number, body in json_lines(place):
        row = checked(_Row, body, f"{place}, line {number}: not a row of negatives", hint=_FORM)
        negatives = [(each.text, each.score) for each in row.negatives]
        yield NegativeRow(row.source, row.target, negatives, row.score, row.direction)
