"""Induced senses against gold senses: adjusted Rand index, V-measure, purity, and accuracy with few examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices
from lexenc.correlation import unit_rows
from lexenc.evaluation.alignment import drawn_counts
from lexenc.evaluation.bootstrap import LEVEL, Columns, Drawn, Measure, ends
from lexenc.evaluation.clustering import LabelTable, centred
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Item, Score

SHOTS, DRAWS = 10, 20
"""Labelled examples of a sense, and how often they are drawn, for the accuracy."""
RANDOM, FREQUENT = "random senses", "most frequent sense"
_SHUFFLES = 200
METRICS = (
    Metric("adjusted_rand_index", "ARI"),
    Metric("v_measure", "V-measure"),
    Metric("purity", "purity"),
    Metric("few_shot_accuracy", f"{SHOTS}-shot"),
)


class SenseMeasure(Measure):
    """Adjusted Rand index, V-measure and purity of one clustering, and the accuracy of a classifier.

    The index is the share of pairs of items on which both agree, so adjusted that random clusters of the same sizes
    have 0 on average (Hubert and Arabie 1985). In resampled items, an item and its copy are no pair. The accuracy is
    the share of right answers. Columns: numbers of the gold sense and of the cluster, of right answers, and of answers.
    """

    def values(self, columns: Columns) -> dict[str, float]:
        """Return the value of every metric; nan where it is not defined."""
        table = LabelTable(columns[:2])
        sums = np.concatenate([table.cells.sum(axis=0), columns[2:].sum(axis=1)])[None]
        return {name: float(own[0]) for name, own in self._of_sums(table, sums, copies=0.0).items()}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the metrics on resampled items."""
        tables = [LabelTable(columns[:2]) for columns in systems]
        counts = [np.concatenate([each.cells, own[2:].T], axis=1) for each, own in zip(tables, systems, strict=True)]
        sums = drawn_counts(np.concatenate(counts, axis=1), generator=generator, draws=draws)
        parts = np.split(sums, np.cumsum([each.shape[1] for each in counts])[:-1], axis=1)
        # On average (n - 1) / 2 pairs of a resampled set are an item and its copy.
        copies = max(0, systems[0].shape[1] - 1) / 2
        found = [self._of_sums(each, part, copies) for each, part in zip(tables, parts, strict=True)]
        for own, columns in zip(found, systems, strict=True):
            own["v_measure"] = centred(own["v_measure"], self.values(columns)["v_measure"])
        return found

    def _of_sums(self, table: LabelTable, sums: Doubles, copies: float) -> Drawn:
        purity, _, v_measure = table.scores(sums[:, :-2])
        right, asked = sums[:, -2], sums[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            accuracy = np.where(asked > 0, right / asked, np.nan)
        index = _rand_index(sums[:, :-2].reshape(-1, *table.shape[1:]), copies)
        return dict(zip(self.metrics, (index, v_measure[:, 0], purity[:, 0], accuracy), strict=True))


def _rand_index(tables: Doubles, copies: float) -> Doubles:
    """Return the adjusted Rand index of tables of counts, less pairs of copies. Shape [b, k, l] to [b]."""
    both, one, other, total = (
        (counts * (counts - 1) / 2).reshape(len(tables), -1).sum(axis=1) - copies
        for counts in (tables, tables.sum(axis=2), tables.sum(axis=1), tables.sum(axis=(1, 2)))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = one * other / total
        mean = (one + other) / 2
        # Two clusterings that both have a single cluster, or only single items, are the same.
        found: Doubles = np.where(
            mean > expected, (both - expected) / (mean - expected), np.where(total > 0, 1.0, np.nan)
        )
    return found


MEASURE = SenseMeasure([metric.key for metric in METRICS])


def sense_columns(items: Sequence[Item], every: bool) -> Columns:
    """Return the columns of `SenseMeasure`."""
    names = ("gold", "cluster", "right", "asked")
    return np.array([[item.numbers[name] for name in names] for item in items], dtype=np.float64).reshape(-1, 4).T


TASK = Task("senses", "Senses of words", METRICS, MEASURE, sense_columns, item="occurrence", test="gold",
            question=("gold",), compared=MEASURE.metrics, heads=("occurrence", "sense", "#cluster", "#confidence"),
            cells=lambda item: (item.asked[1], *item.gold, str(item.numbers["cluster"]),
                                f"{item.numbers['confidence']:.2f}"))  # fmt: skip


def few_shot(vectors: Floats, gold: Indices, *, generator: np.random.Generator) -> tuple[Indices, Indices]:
    """Classify each occurrence by the nearest centroid of few labelled examples of each sense, several times.

    Vectors are centred and compared by cosine. The examples are drawn without replacement: 10 of each sense, or half of
    the occurrences of a sense that has less than 20. All other occurrences are classified.

    Args:
        vectors: Vectors of the occurrences of a word. Shape [n, d].
        gold: Number of the sense of each. Shape [n].
        generator: Source of randomness.

    Returns:
        How often each occurrence was classified rightly, and how often it was classified. Shape [n] each.
    """
    points = unit_rows(vectors - vectors.mean(axis=0))
    right, asked = np.zeros(len(gold), dtype=np.int64), np.zeros(len(gold), dtype=np.int64)
    for _ in range(DRAWS):
        examples = {}
        for sense in np.unique(gold):
            rows = generator.permutation(np.flatnonzero(gold == sense))
            if len(rows) > 1:
                examples[int(sense)] = rows[: min(SHOTS, len(rows) // 2)]
        if not examples:
            break
        centroids = unit_rows(np.stack([points[rows].mean(axis=0) for rows in examples.values()]))
        answers = np.array(list(examples))[(points @ centroids.T).argmax(axis=1)]
        others = np.ones(len(gold), dtype=np.bool_)
        others[np.concatenate(list(examples.values()))] = False
        right += others & (answers == gold)
        asked += others
    return right, asked


def random_scores(columns: Columns, *, generator: np.random.Generator, level: float = LEVEL) -> tuple[Score, ...]:
    """Return the scores of random senses of the same sizes: their mean and spread over 200 orders of the items."""
    count = columns.shape[1]
    drawn: dict[str, list[float]] = {}
    for _ in range(_SHUFFLES if count else 0):
        mixed = np.concatenate([columns[:1], generator.permuted(columns[1:2], axis=1), columns[2:]])
        for name, value in MEASURE.values(mixed).items():
            drawn.setdefault(name, []).append(value)
    return tuple(
        Score(name, float(np.mean(drawn[name])) if count else None, *ends(np.array(drawn.get(name, [])), level), count)
        for name in MEASURE.metrics[:-1]
    )


def frequent_scores(columns: Columns) -> tuple[Score, ...]:
    """Return the scores of one sense for all occurrences, which is called the most frequent one of the gold senses."""
    gold, asked = columns[0].astype(np.int64), columns[3]
    frequent = np.bincount(gold).argmax() if len(gold) else 0
    one = np.stack([columns[0], np.zeros(len(gold)), asked * (gold == frequent), asked])
    values = MEASURE.values(one)
    return tuple(Score(name, None if np.isnan(own) else own, n=len(gold)) for name, own in values.items())
