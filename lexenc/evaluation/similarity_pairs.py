"""Cross-lingual similarity pairs from two monolingual sets of the same concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import ConfigError, DataError
from lexenc.files.similarity import ScoredPairs
from lexenc.files.text import counted

Pair = tuple[str, str]
MAX_DIFFERENCE = 0.2  # of the scale
# Scores are means written with nine digits; a difference of exactly one fifth must not be lost to the last of them.
_ROUNDING = 1e-8


@dataclass(frozen=True)
class CrossPairs:
    """Pairs of a word of the one language and a word of the other.

    Args:
        pairs: First-language word, second-language word; two for each row that was kept, unless repeats were dropped.
        scores: Mean of both languages' scores.
        rows: Which row each pair came from, from 0.
        rejected: Rows left out because the languages disagree about them.
        repeated: Pairs that had come before.
        identical: Pairs of the same string in both languages.
    """

    pairs: list[Pair]
    scores: list[float]
    rows: list[int]
    rejected: int
    repeated: int
    identical: int


def cross_pairs(
    first_pairs: Sequence[Pair],
    first_scores: Sequence[float],
    second_pairs: Sequence[Pair],
    second_scores: Sequence[float],
    *,
    scale: tuple[float, float],
    max_difference: float = MAX_DIFFERENCE,
    drop_repeated: bool = False,
) -> CrossPairs:
    """Cross two aligned sets: of row (a1, a2) in one language and (b1, b2) in the other come (a1, b2) and (a2, b1).

    Args:
        first_pairs: Pairs of the first language.
        first_scores: Their scores.
        second_pairs: Pairs of the second language, row by row the same concepts.
        second_scores: Their scores.
        scale: Lowest and highest score possible, the same for both.
        max_difference: A row is kept where its two scores differ by at most this share of the scale.
        drop_repeated: Leave out pairs that had come before, which synonyms make; the first keeps its score.

    Raises:
        ConfigError: If the sets have different lengths.

    Source: Vulić et al. 2020 (Multi-SimLex), which keeps differences up to one fifth of the scale; after
    Camacho-Collados et al. 2015.
    """
    sizes = {len(first_pairs), len(first_scores), len(second_pairs), len(second_scores)}
    if len(sizes) != 1:
        raise ConfigError(f"The sets to cross have {len(first_pairs):,} and {len(second_pairs):,} rows.")
    limit = max_difference * (scale[1] - scale[0]) + _ROUNDING
    found = CrossPairs([], [], [], 0, 0, 0)
    seen: set[Pair] = set()
    rejected = repeated = 0
    for row, (left, one, right, other) in enumerate(
        zip(first_pairs, first_scores, second_pairs, second_scores, strict=True)
    ):
        if abs(one - other) > limit:
            rejected += 1
            continue
        for pair in ((left[0], right[1]), (left[1], right[0])):
            repeated += pair in seen
            if pair in seen and drop_repeated:
                continue
            seen.add(pair)
            found.pairs.append(pair)
            found.scores.append((one + other) / 2)
            found.rows.append(row)
    identical = sum(left == right for left, right in found.pairs)
    return CrossPairs(found.pairs, found.scores, found.rows, rejected, repeated, identical)


# ---------------------------------------------------------------- data sets


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
        drop_repeated: Drop repeated pairs.
        names: Names of the sets, for messages.

    Returns:
        The pairs, and the identifier of each aligned row: a key of the data set, else the number of the row.

    Raises:
        DataError: If the sets cannot be aligned, or no pair is left.
    """
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
