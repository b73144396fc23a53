"""Probabilities that candidates are right, learned from candidates that were judged.

A larger feature never lowers a probability: the model is a sum of regression trees that rise with every feature
(gradient boosting of the log odds with monotonic constraints). Trees are constant beyond the values that they were
learned from, so nothing is extrapolated.

Everywhere `features` has shape [n, f], and larger values speak for the candidate; `correct` says which rows are right,
shape [n]; `folds` is the group of every row, and rows of one question belong to one group, shape [n].
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import blocks
from lexenc.errors import DataError
from lexenc.structured import checked

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

# The log loss of held-out words is about the same for half or twice these values; more trees are too sure of the best.
_TREES, _LEAVES, _LEAST, _STEP = 30, 6, 40, 0.8
_BLOCK = 16_384


@dataclass(frozen=True)
class _Trees:
    """A calibrator as JSON."""

    base: float
    column: list[list[int]]
    threshold: list[list[float]]
    first: list[list[int]]
    second: list[list[int]]
    value: list[list[float]]


@dataclass(frozen=True)
class Calibrator:
    """Predicts the probability that a candidate is right from its features, by trees of the same number of nodes.

    Args:
        base: Log odds that the trees start from.
        column: Feature that a node compares; -1 at a leaf. Shape [t, m].
        threshold: A larger feature leads to the second child. Shape [t, m].
        first: Node for smaller features. Shape [t, m].
        second: Node for larger features. Shape [t, m].
        value: Log odds that a leaf adds. Shape [t, m].
    """

    base: float
    column: Indices
    threshold: Doubles
    first: Indices
    second: Indices
    value: Doubles

    @classmethod
    def empty(cls, base: float, trees: int) -> Calibrator:
        """Return trees that add nothing yet."""
        shape = trees, 2 * _LEAVES - 1
        numbers = [np.zeros(shape, dtype=np.int64) for _ in range(3)]
        return cls(base, numbers[0] - 1, np.zeros(shape), numbers[1], numbers[2], np.zeros(shape))

    def probabilities(self, features: Doubles) -> Doubles:
        """Return the probability of every row. Shape [..., f] to [...], in [0, 1]."""
        rows = features.reshape(-1, features.shape[-1])
        odds = np.full(len(rows), self.base)
        for part in blocks(len(rows), _BLOCK):
            for tree in range(len(self.column)):
                odds[part] += self.added(tree, rows[part])
        result: Doubles = _chance(odds).reshape(features.shape[:-1])
        return result

    def added(self, tree: int, features: Doubles) -> Doubles:
        """Return the log odds that one tree adds to every row. Shape [n, f] to [n]."""
        node, rows = np.zeros(len(features), dtype=np.int64), np.arange(len(features))
        column, threshold = self.column[tree], self.threshold[tree]
        while (inner := column[node] >= 0).any():
            larger = features[rows, column[node]] > threshold[node]
            node = np.where(inner, np.where(larger, self.second[tree][node], self.first[tree][node]), node)
        result: Doubles = self.value[tree][node]
        return result

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain lists and numbers for JSON."""
        return {name: own.tolist() if isinstance(own, np.ndarray) else own for name, own in vars(self).items()}

    @classmethod
    def from_dict(cls, body: Any, *, width: int, place: Path | str = "calibrator") -> Calibrator:
        """Make a calibrator from the result of `as_dict`, for `width` features.

        `place` is where it was read, for messages.

        Raises:
            DataError: If a field is missing or wrong.
        """
        hint, saved = "Make it again with lexenc induce.", checked(_Trees, body, place)
        sizes = {tuple(map(len, each)) for each in vars(saved).values() if isinstance(each, list)}
        if len(sizes) > 1 or len(set(*sizes)) > 1:
            raise DataError(f"{place} has trees of different sizes.", hint=hint)
        column, first, second = (np.array(each, dtype=np.int64) for each in (saved.column, saved.first, saved.second))
        threshold, value = (np.array(each, dtype=np.float64) for each in (saved.threshold, saved.value))
        made = cls(saved.base, column, threshold, first, second, value)
        if len(column):
            node = np.arange(column.shape[1])
            lower, upper = np.minimum(first, second), np.maximum(first, second)
            if ((column >= 0) & ((column >= width) | (lower <= node) | (upper >= len(node)))).any():
                raise DataError(f"{place} has nodes that do not form trees.", hint=hint)
        return made


def _chance(odds: Doubles) -> Doubles:
    result: Doubles = 1 / (1 + np.exp(-odds))
    return result


def fit_calibrator(features: Doubles, correct: Flags) -> Calibrator:
    """Fit trees that rise with every feature, each to what the ones before it leave.

    If all answers are right, or all wrong, there are none, and the probability is half an answer away from 1 or 0.

    Source: Friedman 2001, with a constant step in place of a line search.
    """
    from sklearn.tree import DecisionTreeRegressor

    share = (correct.sum() + 0.5) / (len(correct) + 1)
    varied = 0 < correct.sum() < len(correct)
    made = Calibrator.empty(float(np.log(share / (1 - share))), _TREES if varied else 0)
    odds = np.full(len(correct), made.base)
    for tree in range(len(made.column)):
        model = DecisionTreeRegressor(
            max_leaf_nodes=_LEAVES, min_samples_leaf=_LEAST, monotonic_cst=[1] * features.shape[1], random_state=0
        )
        fitted = model.fit(features, correct - _chance(odds)).tree_
        own = tree, slice(0, fitted.node_count)
        made.column[own] = np.maximum(fitted.feature, -1)
        made.threshold[own] = fitted.threshold
        made.first[own], made.second[own] = fitted.children_left, fitted.children_right
        made.value[own] = _STEP * fitted.value[:, 0, 0]
        odds += made.added(tree, features)
    return made


def cross_fit(features: Doubles, correct: Flags, folds: Indices) -> Doubles:
    """Return the probability of every row, from a model fitted on the other groups. Shape [n].

    If there is only one group, the model is fitted on it.
    """
    result = np.zeros(len(folds))
    for group in np.unique(folds).tolist():
        own = folds == group
        others = ~own if not own.all() else own
        result[own] = fit_calibrator(features[others], correct[others]).probabilities(features[own])
    return result
