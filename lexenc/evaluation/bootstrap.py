"""How sure a mean is: bootstrap over queries, alone and paired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

DRAWS = 2000
LEVEL = 0.95
_BLOCK = 1 << 22  # random choices held at a time


@dataclass(frozen=True)
class Difference:
    """A paired comparison of two systems on the same queries.

    Args:
        mean: First minus second.
        low: Lower end of the interval.
        high: Upper end.
        p_value: Two-sided: how often the difference of a draw falls on the other side of zero, doubled.
    """

    mean: float
    low: float
    high: float
    p_value: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def _draws(values: np.ndarray, generator: np.random.Generator, draws: int) -> np.ndarray:
    """Give the means of resampled queries. Shape [draws]; memory bounded whatever the number of queries."""
    return np.concatenate(list(_draw_blocks(values, generator, draws)))


def _draw_blocks(values: np.ndarray, generator: np.random.Generator, draws: int) -> Iterator[np.ndarray]:
    step = max(1, _BLOCK // max(1, len(values)))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        yield values[generator.integers(0, len(values), size=(size, len(values)))].mean(axis=1)


def interval(
    values: np.ndarray, *, generator: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> tuple[float, float]:
    """Give the percentile bootstrap interval of a mean.

    Args:
        values: One value per query. Shape [n].
        generator: Source of randomness.
        draws: Resamplings.
        level: Share of draws inside.

    Returns:
        Lower and upper end; both nan without queries.
    """
    if not len(values):
        return float("nan"), float("nan")
    tail = 50 * (1 - level)
    low, high = np.percentile(_draws(values, generator, draws), [tail, 100 - tail])
    return float(low), float(high)


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Difference:
    """Compare two systems query by query.

    Args:
        first: One value per query. Shape [n].
        second: The other system's, in the same order. Shape [n].
        generator: Source of randomness.
        draws: Resamplings.
        level: Share of draws inside the interval.

    Source: Efron and Tibshirani 1993, chapters 13 and 16; Koehn 2004 for the paired form.
    """
    gap = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if not len(gap):
        return Difference(float("nan"), float("nan"), float("nan"), float("nan"))
    drawn = _draws(gap, generator, draws)
    tail = 50 * (1 - level)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    # One is added on both sides: a finite number of draws never shows that something is impossible.
    below, above = int((drawn <= 0).sum()) + 1, int((drawn >= 0).sum()) + 1
    p_value = min(1.0, 2 * min(below, above) / (draws + 1))
    return Difference(float(gap.mean()), float(low), float(high), p_value)
