"""Predictions of an evaluation on disk: one JSON object per question."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lexenc.errors import DataError
from lexenc.files.text import json_lines, write_lines

NAME = "predictions.jsonl"


@dataclass(frozen=True)
class Prediction:
    """One question with its answers.

    Args:
        source: The source word.
        gold: All gold translations.
        covered: Whether the question has vectors on both sides.
        ranks: Rank of every gold translation with a vector, from 1, in the whole search space; so many count in
            vocabulary. Empty where the question is not covered.
        predictions: Best answers with scores.
    """

    source: str
    gold: list[str]
    covered: bool
    ranks: list[int]
    predictions: list[dict[str, Any]] = field(default_factory=list)


def write_predictions(path: Path, rows: Iterable[Prediction]) -> None:
    """Write predictions as JSON Lines."""
    write_lines(path, (_line(row) for row in rows))


def _line(row: Prediction) -> str:
    # An answer may be a word of undecodable bytes; escaped, it leaves the file UTF-8 and comes back the same.
    return json.dumps(asdict(row), ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


def predictions_file(path: Path) -> Path:
    """Give the file of predictions that a user's path means: itself, or the one in the folder of an evaluation.

    Raises:
        DataError: If there are none or several.
    """
    place = _only_file(path) if path.is_dir() else path
    if not place.is_file():
        raise DataError(f"There is no file {place}.", hint="Evaluate with --out FOLDER, and give that folder.")
    return place


def read_predictions(path: Path) -> list[Prediction]:
    """Read predictions from a file, or from the folder of an evaluation.

    Raises:
        DataError: If there are none or several files of them, or a line is not a prediction.
    """
    place = predictions_file(path)
    rows = list(stream_predictions(place))
    if not rows:
        raise DataError(f"{place} is empty.", hint="Evaluate again with --out.")
    return rows


def stream_predictions(place: Path) -> Iterator[Prediction]:
    """Read the predictions of a file one by one.

    Raises:
        DataError: If a line is not a prediction.
    """
    for number, body in json_lines(place):
        try:
            yield Prediction(**body)
        except TypeError:
            raise DataError(
                f"{place}, line {number}: not a prediction.", hint="Give a file that lexenc eval bli --out wrote."
            ) from None


def _only_file(folder: Path) -> Path:
    """Give the predictions in a folder; a sweep over one lambda names them after it."""
    if (folder / NAME).is_file():
        return folder / NAME
    found = sorted(folder.glob("predictions-*.jsonl"))
    if not found:
        raise DataError(
            f"{folder} holds no {NAME}.", hint="Evaluate with --out FOLDER, and give that folder or a file of it."
        )
    if len(found) > 1:
        raise DataError(
            f"{folder} holds predictions of {len(found)} lambdas.",
            hint=f"Give one of: {', '.join(str(each) for each in found)}.",
        )
    return found[0]
