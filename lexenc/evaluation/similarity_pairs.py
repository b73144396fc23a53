"""Cross-lingual similarity pairs from two monolingual sets of the same concepts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.similarity import ScoredPairs
from lexenc.files.text import counted

MAX_DIFFERENCE = 0.2  # of the scale
# Scores are means written with nine digits; a difference of exactly one fifth must not be lost to the last of them.
_ROUNDING = 1e-8


@dataclass
class CrossPairs:
    """Pairs of a word of one language and a word of another, two for each row that was kept, with their mean scores.

    A row is named by its key in the data set, else by its number; it is rejected if the languages disagree about it.
    """

    rows: int
    pairs: list[tuple[str, str]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    rejected: int = 0
    repeated: int = 0


def cross(
    first: ScoredPairs,
    second: ScoredPairs,
    *,
    scale: tuple[float, float],
    max_difference: float = MAX_DIFFERENCE,
    drop_repeated: bool = False,
    names: tuple[str, str] = ("The first set", "the second"),
) -> CrossPairs:
    """Cross two sets: a row (a1, a2) in one language and (b1, b2) in the other gives (a1, b2) and (a2, b1).

    Args:
        first: Pairs of the first language.
        second: Pairs of the second language. They are aligned by key if both have keys, else row by row.
        scale: Lowest and highest score possible, the same for both.
        max_difference: Rows are kept if their two scores differ by at most this share of the scale.
        drop_repeated: Whether to drop repeated pairs, which synonyms make. The first keeps its score.
        names: Names of the sets, for messages.

    Raises:
        DataError: If the sets cannot be aligned, or no pair is left.

    Source: Vulić et al. 2020 (Multi-SimLex), which keeps differences up to one fifth of the scale; after
    Camacho-Collados et al. 2015.
    """
    rows = _aligned(first, second, names)
    limit = max_difference * (scale[1] - scale[0]) + _ROUNDING
    found, seen = CrossPairs(len(rows)), set[tuple[str, str]]()
    for left, right, key in rows:
        if abs(first.scores[left] - second.scores[right]) > limit:
            found.rejected += 1
            continue
        for pair in ((first.first[left], second.second[right]), (first.second[left], second.first[right])):
            found.repeated += pair in seen
            if pair in seen and drop_repeated:
                continue
            seen.add(pair)
            found.pairs.append(pair)
            found.scores.append((first.scores[left] + second.scores[right]) / 2)
            found.keys.append(key)
    if not found.pairs:
        raise DataError(
            f"No row is left: in all {counted(len(rows), 'row')} the scores differ by more than {max_difference:g} of "
            f"the scale from {scale[0]:g} to {scale[1]:g}.",
            hint="Are these the same rows, and is the scale right (--highest-score)?",
        )
    return found


def _aligned(first: ScoredPairs, second: ScoredPairs, names: tuple[str, str]) -> list[tuple[int, int, str]]:
    """Return the rows of both sets that belong together, with an identifier."""
    if first.keys and second.keys:
        places = {key: place for place, key in enumerate(second.keys)}
        return [(place, places[key], key) for place, key in enumerate(first.keys) if key in places]
    if len(first) != len(second):
        raise DataError(
            f"{names[0]} has {counted(len(first), 'pair')}, {names[1]} {len(second):,}; they are aligned row by row.",
            hint="Give two sets that were translated pair by pair, such as SimLex in two languages.",
        )
    return [(row, row, str(row + 1)) for row in range(len(first))]


def known_scale(first: ScoredPairs, second: ScoredPairs, path: Path, highest: float | None) -> tuple[float, float]:
    """Return the scale of two sets: the given one, else that of their formats, else 0 to 10.

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
                hint="Give the upper end of the scale: --highest-score.",
            )
    return scale
