"""Classification: accuracy and F1, averaged over runs with different seeds, with intervals and controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Doubles, Indices
from lexenc.evaluation.bootstrap import Columns, Drawn
from lexenc.evaluation.probe import fit_probe
from lexenc.evaluation.runs import RunMeasure
from lexenc.evaluation.task import Metric
from lexenc.files.evaluations import Item
from lexenc.text.words import segmenter

METRICS = (Metric("accuracy", "Accuracy"), Metric("macro_f1", "Macro F1"))
_BLOCK = 1 << 22  # counts held at a time


class ClassMeasure(RunMeasure):
    """Accuracy, macro F1 and weighted F1. Columns: the right class, and the class that each run found, as numbers.

    All are means over the runs. Macro F1 is the mean over classes; a class is left out of it if neither the right
    classes nor the run have it. Weighted F1 is the mean over items of the F1 of their right class. Both are as in
    scikit-learn.

    Source of the intervals: Efron and Tibshirani 1993, chapter 13. Items are drawn, not runs.
    """

    def values(self, columns: Columns) -> dict[str, float]:
        """Return the metrics; nan without items."""
        cells, counts = _cells(columns)
        found = _scores(cells, counts[None].astype(np.float64))
        return {name: float(found[name][0]) for name in self.metrics}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the metrics on resampled items.

        Items with the same classes in all columns are alike, so that only their numbers are drawn.
        """
        cells, counts = _cells(np.concatenate(list(systems)))
        size = int(counts.sum())
        if not size:
            return [{name: np.full(draws, np.nan) for name in self.metrics} for _ in systems]
        ends = np.cumsum([0, *map(len, systems)]).tolist()
        parts: list[list[Drawn]] = []
        step = max(1, _BLOCK // len(counts))
        for start in range(0, draws, step):
            weights = generator.multinomial(size, counts / size, min(step, draws - start)).astype(np.float64)
            parts.append([_scores(cells[begin:end], weights) for begin, end in pairwise(ends)])
        return [
            {name: np.concatenate([part[place][name] for part in parts]) for name in self.metrics}
            for place in range(len(systems))
        ]


MEASURE = ClassMeasure([metric.key for metric in METRICS])


def _cells(columns: Columns) -> tuple[Columns, Indices]:
    """Return the different items, and how many there are of each. Shapes [c, n] -> [c, k] and [k]."""
    cells, counts = np.unique(columns, axis=1, return_counts=True)
    return cells, counts


def _scores(cells: Columns, weights: Doubles) -> Drawn:
    """Score items by how often each counts. Shapes [1 + runs, k] and [b, k] -> [b] each."""
    gold, runs = cells[0], cells[1:]
    classes = np.unique(cells)
    is_gold = (gold == classes[:, None]).astype(np.float64)
    golds, size = weights @ is_gold.T, weights.sum(axis=1)
    accuracies, macro, weighted = [], [], []
    for run in runs:
        is_found = (run == classes[:, None]).astype(np.float64)
        hits, founds = weights @ (is_gold * is_found).T, weights @ is_found.T
        accuracies.append(_ratio(hits.sum(axis=1), size))
        present = golds + founds > 0
        each = np.divide(2 * hits, golds + founds, out=np.zeros_like(hits), where=present)
        macro.append(_ratio(each.sum(axis=1), present.sum(axis=1)))
        weighted.append(_ratio((each * golds).sum(axis=1), size))
    found = {"accuracy": accuracies, "macro_f1": macro, "weighted_f1": weighted}
    return {name: np.mean(own, axis=0) for name, own in found.items()}


def _ratio(values: NDArray[Any], counts: NDArray[Any]) -> Doubles:
    found: Doubles = np.divide(values, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return found


def class_items(
    texts: Sequence[tuple[str, ...]], gold: Indices, runs: Sequence[Indices], names: Sequence[str]
) -> list[Item]:
    """Return an item for each example, with an answer of each run.

    Args:
        texts: The texts of each example.
        gold: Right class of each. Shape [n].
        runs: What each run found. Shape [n] each.
        names: Names of the classes.
    """
    answers = zip(*(run.tolist() for run in runs), strict=True)
    return [
        Item(asked, (names[right],), answers=tuple({"target": names[each]} for each in found))
        for asked, right, found in zip(texts, gold.tolist(), answers, strict=True)
    ]


def class_columns(names: Sequence[str] | None = None) -> Callable[[Sequence[Item], bool], Columns]:
    """Return the function that turns items into columns, for classes with these names; if left out, with any."""
    number = _name_number if names is None else {name: place for place, name in enumerate(names)}.__getitem__

    def columns(items: Sequence[Item], every: bool) -> Columns:
        rows = [[number(name) for name in (item.gold[0], *(each["target"] for each in item.answers))] for item in items]
        return np.array(rows, dtype=np.float64).T if rows else np.zeros((2, 0))

    return columns


def _name_number(name: str) -> int:
    """Return a number that only this name has, the same whichever other names there are. Floats hold it exactly."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogateescape"), digest_size=6).digest())


def bag_of_words(
    train: Sequence[tuple[str, ...]], classes: Indices, tests: Sequence[Sequence[tuple[str, ...]]]
) -> list[Indices]:
    """Classify texts by their words alone, with logistic regression: a control.

    The features of a pair are the words of both texts, of the first only, and of the second only; all lower-cased.

    Args:
        train: Texts of the training examples.
        classes: Their classes, of at least two kinds. Shape [n].
        tests: Texts of the examples of each test set.

    Returns:
        Classes of the examples of each test set.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    words = segmenter("words")

    def features(texts: tuple[str, ...]) -> list[str]:
        first, *others = ({word.lower() for word in words(text)} for text in texts)
        second = others[0] if others else set[str]()
        sides = (first - second, second - first, first & second)
        return [f"{side} {word}" for side, own in enumerate(sides) for word in own] or ["none"]

    table = CountVectorizer(analyzer=features, binary=True)
    probe = fit_probe(table.fit_transform(train), classes, c=1.0, seed=0)
    return [probe.predict(table.transform(each)) for each in tests]
