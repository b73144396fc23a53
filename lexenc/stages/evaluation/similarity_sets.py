"""What the stages on word similarity share: choosing languages of a data set, and crossing two of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lexenc.errors import DataError
from lexenc.files.text import counted

if TYPE_CHECKING:
    from lexenc.files.similarity import ScoredPairs
    from lexenc.lexical.similarity_pairs import CrossPairs


def cross(
    first: ScoredPairs,
    second: ScoredPairs,
    *,
    scale: tuple[float, float],
    max_difference: float,
    drop_repeated: bool = False,
    names: tuple[str, str],
) -> tuple[CrossPairs, list[str]]:
    """Align two monolingual sets and cross them.

    Args:
        first: Pairs of the first language.
        second: Pairs of the second.
        scale: Lowest and highest score possible.
        max_difference: Share of the scale by which the scores of a row may differ.
        drop_repeated: Leave out pairs that had come before.
        names: What the sets are called, for messages.

    Returns:
        The pairs, and what identifies each aligned row: a key of the data set, else the number of the row.

    Raises:
        DataError: If the sets cannot be aligned, or no pair is left.
    """
    from lexenc.lexical.similarity_pairs import cross_pairs

    left, right, keys = _aligned(first, second, names)
    found = cross_pairs(
        [(first.first[i], first.second[i]) for i in left],
        [first.scores[i] for i in left],
        [(second.first[i], second.second[i]) for i in right],
        [second.scores[i] for i in right],
        scale=scale,
        max_difference=max_difference,
        drop_repeated=drop_repeated,
    )
    if not found.pairs:
        raise DataError(
            f"No row is left: in all {counted(len(keys), 'row')} the scores differ by more than {max_difference:g} of "
            f"the scale from {scale[0]:g} to {scale[1]:g}.",
            hint="Are these the same rows, and is the scale right (--highest-score)?",
        )
    return found, keys


def _aligned(first: ScoredPairs, second: ScoredPairs, names: tuple[str, str]) -> tuple[list[int], list[int], list[str]]:
    """Align by key where both have keys, else row by row."""
    if first.keys and second.keys:
        places = {key: place for place, key in enumerate(second.keys)}
        left = [place for place, key in enumerate(first.keys) if key in places]
        keys = [first.keys[place] for place in left]
        return left, [places[key] for key in keys], keys
    if len(first) != len(second):
        raise DataError(
            f"{names[0]} has {counted(len(first), 'pair')}, {names[1]} {len(second):,}; they are aligned row by row.",
            hint="Give two sets that were translated pair by pair, such as SimLex in two languages.",
        )
    rows = list(range(len(first)))
    return rows, rows, [str(row + 1) for row in rows]


def known_scale(first: ScoredPairs, second: ScoredPairs, path: Path, highest: float | None) -> tuple[float, float]:
    """Give the scale of two sets: what was asked for, else what their formats fix, else 0 to 10.

    Raises:
        DataError: If the formats differ in their scale, or a score is off it.
    """
    if highest is None and None not in (first.scale, second.scale) and first.scale != second.scale:
        raise DataError(
            f"{first.form} and {second.form} have different scales.", hint="Cross two languages of one data set."
        )
    scale = (0.0, highest) if highest is not None else first.scale or second.scale or (0.0, 10.0)
    for score in (*first.scores, *second.scores):
        if not scale[0] <= score <= scale[1]:
            raise DataError(
                f"{path}: a score is {score:g}, off the scale from {scale[0]:g} to {scale[1]:g}.",
                hint="Say how far the scale goes: --highest-score.",
            )
    return scale
