"""Word similarity: how well cosines order pairs of words as people do, with intervals, a control and a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.bootstrap import Difference

DRAWS = 10_000
SHUFFLES = 1000
_DIGITS = 10  # pairs of equal words must tie, and not be ranked by the last bit of a cosine of 1
_BLOCK = 1 << 17  # counts held at a time: what fits a cache is twice as fast as what does not
Doubles = NDArray[np.float64]
# What takes counts of pairs, shape [n, b], and gives a correlation for every column, nan where there is none.
_Weighted = Callable[[Doubles], Doubles]


@dataclass(frozen=True)
class Correlation:
    """A correlation with its percentile bootstrap interval; None stands for what is not defined.

    Args:
        value: In [-1, 1].
        low: Lower end.
        high: Upper end.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Agreement:
    """How system and people agree on the same pairs.

    Args:
        spearman: Of average ranks.
        pearson: Of the values.
        undefined: Why there is no correlation; empty where there is one.
    """

    spearman: Correlation
    pearson: Correlation
    undefined: str = ""


def cosines(first: np.ndarray, second: np.ndarray) -> Doubles:
    """Give the cosine of every pair of rows.

    Args:
        first: Shape [n, d].
        second: Shape [n, d].

    Returns:
        Shape [n], float64, ten digits; nan where a row is all zeros.
    """
    found = np.full(len(first), np.nan)
    for start in range(0, len(first), 8192):
        part = slice(start, start + 8192)
        left, right = (_unit(np.asarray(rows[part], dtype=np.float64)) for rows in (first, second))
        found[part] = np.einsum("nd,nd->n", left, right)
    limited: Doubles = np.clip(found.round(_DIGITS), -1, 1)
    return limited


def _unit(rows: Doubles) -> Doubles:
    # The largest number first: squares of tiny vectors would be lost.
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = rows / largest
        unit: Doubles = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def average_ranks(values: np.ndarray) -> Doubles:
    """Rank values from 1; equal ones share the mean of their ranks. Shape [n], float64."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Doubles = (np.cumsum(counts) - (counts - 1) / 2)[group]
    return ranks


def pearson(first: np.ndarray, second: np.ndarray) -> float | None:
    """Give Pearson's correlation, or None where it is not defined: one pair, or values that are all equal."""
    if len(first) < 2 or _constant(first) or _constant(second):
        return None
    left, right = (values - values.mean() for values in (np.asarray(first, float), np.asarray(second, float)))
    found = float(left @ right / np.sqrt((left @ left) * (right @ right)))
    return min(1.0, max(-1.0, found))


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """Give Spearman's correlation with average ranks for ties, or None where it is not defined."""
    return pearson(average_ranks(first), average_ranks(second))


def _constant(values: np.ndarray) -> bool:
    return bool(len(values) == 0 or (values == values[0]).all())


def agreement(
    found: np.ndarray, gold: np.ndarray, *, generator: np.random.Generator, draws: int = DRAWS, level: float = 0.95
) -> Agreement:
    """Correlate similarities with scores.

    Args:
        found: Similarity of every pair. Shape [n].
        gold: Score of every pair. Shape [n].
        generator: Source of randomness.
        draws: Bootstrap resamplings of the pairs; both correlations see the same ones.
        level: Share of draws inside the intervals.

    Source: Efron and Tibshirani 1993, chapter 13. Draws in which a side is constant say nothing and are left out.
    """
    found, gold = np.asarray(found, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    reason = _undefined(found, gold)
    if reason:
        nothing = Correlation(None, None, None)
        return Agreement(nothing, nothing, reason)
    drawn = _drawn([_weighted_spearman(found, gold), _weighted_pearson(found, gold)], len(found), generator, draws)
    return Agreement(
        Correlation(spearman(found, gold), *_span(drawn[0], level)),
        Correlation(pearson(found, gold), *_span(drawn[1], level)),
    )


def _undefined(found: Doubles, gold: Doubles) -> str:
    if len(found) < 2:
        return "fewer than two pairs"
    if _constant(gold):
        return "all scores are equal"
    return "all similarities are equal" if _constant(found) else ""


def _span(drawn: Doubles, level: float) -> tuple[float | None, float | None]:
    """Give the ends of an interval; None where less than half of the draws have a value."""
    defined = drawn[~np.isnan(drawn)]
    if 2 * len(defined) < len(drawn):
        return None, None
    tail = 50 * (1 - level)
    low, high = np.percentile(defined, [tail, 100 - tail])
    return float(low), float(high)


def spearman_difference(
    first: np.ndarray,
    second: np.ndarray,
    gold: np.ndarray,
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Difference:
    """Compare two systems on the same pairs: the difference of their Spearman correlations, by paired bootstrap.

    Args:
        first: Similarity of every pair. Shape [n].
        second: The other system's, in the same order. Shape [n].
        gold: Score of every pair. Shape [n].
        generator: Source of randomness.
        draws: Resamplings of the pairs; every draw is scored for both systems.
        level: Share of draws inside the interval.

    Returns:
        First minus second; all nan where a correlation is not defined.
    """
    first, second, gold = (np.asarray(values, dtype=np.float64) for values in (first, second, gold))
    values = [spearman(own, gold) for own in (first, second)]
    if values[0] is None or values[1] is None:
        return Difference(float("nan"), float("nan"), float("nan"), float("nan"))
    systems = [_weighted_spearman(own, gold) for own in (first, second)]
    one, other = _drawn(systems, len(gold), generator, draws)
    gap = one - other
    low, high = _span(gap, level)
    gap = gap[~np.isnan(gap)]
    # One is added on both sides: a finite number of draws never shows that something is impossible.
    below, above = int((gap <= 0).sum()) + 1, int((gap >= 0).sum()) + 1
    p_value = min(1.0, 2 * min(below, above) / (len(gap) + 1))
    if low is None or high is None:
        low = high = float("nan")
    return Difference(values[0] - values[1], low, high, p_value)


def shuffled_spearman(
    found: np.ndarray,
    gold: np.ndarray,
    *,
    generator: np.random.Generator,
    shuffles: int = SHUFFLES,
    level: float = 0.95,
) -> Correlation:
    """Give what no knowledge reaches: Spearman's correlation with the scores in random order.

    Args:
        found: Similarity of every pair. Shape [n].
        gold: Score of every pair. Shape [n].
        generator: Source of randomness.
        shuffles: How many orders.
        level: Share of the orders between `low` and `high`.

    Returns:
        Mean and spread; None where the correlation is not defined.
    """
    if _undefined(np.asarray(found), np.asarray(gold)):
        return Correlation(None, None, None)
    left, right = (_standard(average_ranks(values)) for values in (found, gold))
    step = max(1, _BLOCK // len(right))
    parts = []
    for start in range(0, shuffles, step):
        orders = generator.permuted(np.tile(right, (min(step, shuffles - start), 1)), axis=1)
        parts.append(orders @ left)
    drawn = np.concatenate(parts)
    return Correlation(float(drawn.mean()), *_span(drawn, level))


def _standard(values: Doubles) -> Doubles:
    """Centre values and bring them to length 1, so that products are correlations."""
    centred = values - values.mean()
    standard: Doubles = centred / np.linalg.norm(centred)
    return standard


# ---------------------------------------------------------------- draws


def _drawn(systems: list[_Weighted], count: int, generator: np.random.Generator, draws: int) -> list[Doubles]:
    """Score every system on the same resamplings. Each array has shape [draws]."""
    parts = [[each(counts) for each in systems] for counts in _counts(count, generator, draws)]
    return [np.concatenate([part[place] for part in parts]) for place in range(len(systems))]


def _counts(count: int, generator: np.random.Generator, draws: int) -> Iterator[Doubles]:
    """Give how often each pair is in each draw, block by block. Shape [n, b]; memory bounded whatever n is."""
    step = max(1, _BLOCK // count)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        chosen = generator.integers(0, count, size=(size, count))
        chosen *= size
        chosen += np.arange(size)[:, None]
        yield np.bincount(chosen.ravel(), minlength=size * count).reshape(count, size).astype(np.float64)


def _weighted_pearson(first: Doubles, second: Doubles) -> _Weighted:
    # Centred once: sums of squares of far-off values would cancel.
    left, right = first - first.mean(), second - second.mean()
    table = np.stack([left, right, left * left, right * right, left * right])

    def correlate(counts: Doubles) -> Doubles:
        # Not `@`: on so few rows the threads of a matrix product wait for one another more than they work.
        means = np.einsum("kn,nb->kb", table, counts) / len(counts)
        mean_left, mean_right, squares_left, squares_right, products = means
        spread = (squares_left - mean_left**2) * (squares_right - mean_right**2)
        # What is left of a constant draw after rounding is far below any real spread.
        floor = 1e-20 * squares_left.max(initial=0.0) * squares_right.max(initial=0.0)
        return _ratio(products - mean_left * mean_right, spread, floor)

    return correlate


def _weighted_spearman(first: Doubles, second: Doubles) -> _Weighted:
    """Prepare ranks of resampled pairs: the order of the values is known, so that no draw has to be sorted."""
    sides = [_Order.of(values) for values in (first, second)]

    def correlate(counts: Doubles) -> Doubles:
        left, right = (side.centred_ranks(counts) for side in sides)
        weighted = counts * left
        products = np.einsum("nb,nb->b", weighted, right)
        squares_left = np.einsum("nb,nb->b", weighted, left)
        np.multiply(counts, right, out=weighted)
        squares_right = np.einsum("nb,nb->b", weighted, right)
        return _ratio(products, squares_left * squares_right, 0.0)

    return correlate


def _ratio(products: Doubles, spread: Doubles, floor: float) -> Doubles:
    defined = spread > floor
    found = np.full(len(products), np.nan)
    np.divide(products, np.sqrt(spread, where=defined, out=np.ones_like(spread)), out=found, where=defined)
    return found


@dataclass(frozen=True)
class _Order:
    """The order of some values, equal ones in one group.

    Args:
        order: Positions by rising value. Shape [n].
        starts: Where each group begins in that order. Shape [g].
        group: Group of each value. Shape [n].
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    group: NDArray[np.int64]

    @classmethod
    def of(cls, values: Doubles) -> _Order:
        _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return cls(np.argsort(values, kind="stable"), starts, group)

    def centred_ranks(self, counts: Doubles) -> Doubles:
        """Give every value's average rank less the mean rank, in draws with so many copies of each. Shape [n, b]."""
        sizes = counts[self.order]
        if len(self.starts) < len(self.order):
            sizes = np.add.reduceat(sizes, self.starts, axis=0)
        ranks = np.cumsum(sizes, axis=0)
        sizes -= 1
        sizes *= 0.5
        ranks -= sizes
        ranks -= (len(counts) + 1) / 2
        centred: Doubles = ranks[self.group]
        return centred
