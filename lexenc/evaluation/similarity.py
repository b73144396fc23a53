"""Similarity: how well cosines order pairs of texts as people do, with intervals and a control."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lexenc.arrays import Doubles
from lexenc.correlation import average_ranks, is_constant, pearson, spearman
from lexenc.evaluation.bootstrap import LEVEL, Columns, Drawn, Measure, ends
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Item, Score

SHUFFLES = 1000
_BLOCK = 1 << 17  # counts held at a time: what fits a cache is twice as fast as what does not
# From counts of pairs, shape [n, b], to a correlation for every column, nan where it is not defined.
_Weighted = Callable[[Doubles], Doubles]


class Correlations(Measure):
    """Spearman's correlation of average ranks, and Pearson's. Columns: similarities, and scores by people.

    Source of the intervals: Efron and Tibshirani 1993, chapter 13. Draws in which a column is constant are left out.
    """

    def values(self, columns: Columns) -> dict[str, float]:
        """Return both correlations."""
        found = (spearman(*columns), pearson(*columns))
        return {name: np.nan if own is None else own for name, own in zip(self.metrics, found, strict=True)}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return both correlations on resampled pairs."""
        if any(undefined(columns) for columns in systems):
            return [{name: np.full(draws, np.nan) for name in self.metrics} for _ in systems]
        weighted = [each(*columns) for columns in systems for each in (_weighted_spearman, _weighted_pearson)]
        parts = [[each(counts) for each in weighted] for counts in _counts(systems[0].shape[1], generator, draws)]
        joined = [np.concatenate([part[place] for part in parts]) for place in range(len(weighted))]
        return [dict(zip(self.metrics, joined[start : start + 2], strict=True)) for start in range(0, len(joined), 2)]


def undefined(columns: Columns) -> str:
    """Return why there is no correlation; empty if there is one."""
    found, gold = columns
    if len(found) < 2:
        return "fewer than two pairs"
    if is_constant(gold):
        return "all scores are equal"
    return "all similarities are equal" if is_constant(found) else ""


def shuffled_spearman(
    columns: Columns, *, generator: np.random.Generator, shuffles: int = SHUFFLES, level: float = LEVEL
) -> Score:
    """Return Spearman's correlation without any knowledge: its mean and spread over random orders of the scores."""
    count = columns.shape[1]
    if undefined(columns):
        return Score("spearman", None, n=count)
    # Centred and of length 1, so that products are correlations.
    centred = (ranks - ranks.mean() for ranks in map(average_ranks, columns))
    left, right = (values / np.linalg.norm(values) for values in centred)
    step, parts = max(1, _BLOCK // count), []
    for start in range(0, shuffles, step):
        orders = generator.permuted(np.tile(right, (min(step, shuffles - start), 1)), axis=1)
        parts.append(orders @ left)
    drawn = np.concatenate(parts)
    return Score("spearman", float(drawn.mean()), *ends(drawn, level), count)


# ---------------------------------------------------------------- draws


def _counts(count: int, generator: np.random.Generator, draws: int) -> Iterator[Doubles]:
    """Yield how often each pair is in each draw, block by block. Shape [n, b]; memory is bounded for any n."""
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
    sides = [_Order(values) for values in (first, second)]

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


class _Order:
    """The order of some values, equal ones in one group. Shape [n]."""

    def __init__(self, values: Doubles) -> None:
        _, self.group, sizes = np.unique(values, return_inverse=True, return_counts=True)
        self.starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self.order = np.argsort(values, kind="stable")

    def centred_ranks(self, counts: Doubles) -> Doubles:
        """Return every value's average rank less the mean rank, in draws with these counts. Shape [n, b]."""
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


METRICS = (Metric("spearman", "Spearman"), Metric("pearson", "Pearson"))
MEASURE = Correlations([metric.key for metric in METRICS])


def item_columns(items: Sequence[Item], every: bool) -> Columns:
    """Return similarities and gold scores; the similarity of a pair that is not covered is 0."""
    numbers = [item.numbers for item in items]
    found = [0.0 if own["cosine"] is None else own["cosine"] for own in numbers]
    return np.array([found, [own["gold"] for own in numbers]], dtype=np.float64)


TASK = Task(
    name="xlsim",
    title="Word similarity",
    metrics=METRICS,
    measure=MEASURE,
    columns=item_columns,
    item="pair",
    question=("gold",),
    uncovered="similarity 0",
    heads=("pair", "#gold", "#cosine"),
    cells=lambda item: (" | ".join(item.asked), *(str(item.numbers[name]) for name in ("gold", "cosine"))),
)
