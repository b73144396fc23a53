"""Cross-lingual similarity pairs from two monolingual sets of the same concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lexenc.errors import ConfigError

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
