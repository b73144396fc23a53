"""Bitext mining: precision, recall and F1 of mined pairs, and the weighted scores of mteb."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from lexenc.evaluation.bootstrap import LEVEL, Columns, Drawn, Means, Measure, ends
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Item, Score

COUNTS = ("predicted", "gold", "hits")
SHUFFLES = 1000


def scores_of(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return F1, precision and recall of summed counts, nan where the denominator is 0.

    Args:
        counts: As `COUNTS` names them. Shape [3, ...].
    """
    predicted, gold, hits = np.asarray(counts, dtype=np.float64)
    table = {"f1": (2 * hits, predicted + gold), "precision": (hits, predicted), "recall": (hits, gold)}
    return {
        name: np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
        for name, (part, whole) in table.items()
    }


class PairMeasure(Measure):
    """F1, precision and recall of pairs. The sources that have a gold or a mined pair are resampled.

    Columns are those of `COUNTS`: pairs of every source.
    """

    def values(self, columns: Columns) -> dict[str, float]:
        """Return the scores of all sources together."""
        return {name: float(value) for name, value in scores_of(columns.sum(axis=1)).items()}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the scores of test sets whose sources are drawn with replacement."""
        # Sources with the same counts are alike, so that it is enough to draw how many of every kind there are.
        kinds, sizes = np.unique(np.concatenate(systems), axis=1, return_counts=True)
        count = int(sizes.sum())
        if not count:
            return [{name: np.full(draws, np.nan) for name in self.metrics} for _ in systems]
        times = generator.multinomial(count, sizes / count, size=draws)
        sums = kinds @ times.T
        return [scores_of(sums[start:end]) for start, end in pairwise(range(0, len(sums) + 1, len(COUNTS)))]


METRICS = (Metric("f1", "F1"), Metric("precision", "precision"), Metric("recall", "recall"))
MEASURE = PairMeasure([metric.key for metric in METRICS])


def _columns(names: Sequence[str]) -> Callable[[Sequence[Item], bool], Columns]:
    return lambda items, every: np.array([[item.numbers[name] for item in items] for name in names], dtype=np.float64)


TASK = Task(
    name="bitext",
    title="Bitext mining",
    metrics=METRICS,
    measure=MEASURE,
    columns=_columns(COUNTS),
    item="source",
    test="gold",
    compared=MEASURE.metrics,
    alike=(("protocol",), ("margin", "neighbours", "keep")),
    absent=dict.fromkeys(COUNTS, 0),
    heads=("source", "gold", "mined"),
)
"""Pairs above a threshold against gold pairs. An item is a source sentence with a gold or a mined pair."""

MTEB_TASK = Task(
    name="bitext-mteb",
    title="Bitext retrieval as in mteb",
    metrics=METRICS,
    measure=Means([metric.key for metric in METRICS]),
    columns=_columns([metric.key for metric in METRICS]),
    item="query",
    items="queries",
    test="gold",
    heads=("source", "gold", "nearest"),
)
"""The nearest target of every gold source, weighted by the label: another number than that of mined pairs."""


def weighted_scores(gold: Sequence[int], found: Sequence[int]) -> dict[str, np.ndarray]:
    """Return F1, precision and recall of the label of every query, whose means are the weighted scores of mteb.

    Args:
        gold: Gold target of every query. Shape [q].
        found: Nearest target of every query. Shape [q].

    Source: mteb, `BitextMiningEvaluator`, which calls scikit-learn with `average="weighted"`: scores of every label
    are averaged by the number of its gold pairs.
    """
    support, predicted = Counter(gold), Counter(found)
    hits = Counter(own for own, other in zip(gold, found, strict=True) if own == other)
    counts = np.array([[predicted[own], support[own], hits[own]] for own in gold], dtype=np.float64).reshape(-1, 3)
    return {name: np.nan_to_num(values) for name, values in scores_of(counts.T).items()}


def shuffled_f1(
    columns: Columns,
    *,
    pairs: Sequence[tuple[int, int]],
    gold: set[tuple[int, int]],
    generator: np.random.Generator,
    shuffles: int = SHUFFLES,
    level: float = LEVEL,
) -> Score:
    """Return the F1 of as many pairs without any knowledge: the targets of the mined pairs in random order.

    Args:
        columns: Counts of every source.
        pairs: The mined pairs.
        gold: The gold pairs.
        generator: Source of randomness.
        shuffles: Number of random orders.
        level: Share of them in the interval.
    """
    sources, targets = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    right: dict[int, list[int]] = {}
    for source, target in gold:
        right.setdefault(source, []).append(target)
    width = max(map(len, right.values()), default=1)
    table = np.array([(right.get(each, []) + [-1] * width)[:width] for each in sources.tolist()]).reshape(-1, width)
    hits = [(table == generator.permutation(targets)[:, None]).sum() for _ in range(shuffles)]
    drawn = 2 * np.array(hits) / (len(sources) + len(gold))
    return Score("f1", float(drawn.mean()), *ends(drawn, level), columns.shape[1])


def shuffled_weighted_f1(
    columns: Columns,
    *,
    gold: Sequence[int],
    found: Sequence[int],
    generator: np.random.Generator,
    shuffles: int = SHUFFLES // 10,
    level: float = LEVEL,
) -> Score:
    """Return the weighted F1 of the same answers in random order, as `shuffled_f1`; arguments of `weighted_scores`."""
    orders = (generator.permutation(np.array(found, dtype=np.int64)).tolist() for _ in range(shuffles))
    drawn = np.array([weighted_scores(gold, order)["f1"].mean() for order in orders])
    return Score("f1", float(drawn.mean()), *ends(drawn, level), columns.shape[1])
