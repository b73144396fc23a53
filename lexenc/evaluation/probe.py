"""Probes: which labels a linear classifier finds in vectors, beside one that sees characters only, and their scores."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lexenc.arrays import Doubles, Indices
from lexenc.evaluation.alignment import drawn_counts
from lexenc.evaluation.bootstrap import Columns, Drawn, Measure
from lexenc.files.evaluations import Item, Score

STRENGTHS = (1.0, 10.0, 100.0)
"""Values of C of which cross-validation chooses."""
_FOLDS = 5
_STEPS = 1000
CHARACTERS = "characters only"
MAJORITY = "majority class"
ROWS = ("gold", "predicted", MAJORITY, CHARACTERS)
"""Numbers of an item: of its label, of the label that was predicted, and of those that controls predict."""


@dataclass(frozen=True)
class Probe:
    """A logistic regression that was fitted to rows of numbers, dense or sparse.

    Args:
        model: The classifier.
        c: Inverse strength of its L2 penalty.
        accuracies: Accuracy of every C that was tried, in cross-validation on the training rows.
        converged: Whether the solver reached its tolerance.
    """

    model: Any
    c: float
    accuracies: dict[float, float]
    converged: bool

    def predict(self, rows: Any) -> Indices:
        """Return the label of every row. Shape [n]."""
        found: Indices = self.model.predict(rows)
        return found


def fit_probe(rows: Any, labels: Indices, *, c: float | None, seed: int) -> Probe:
    """Fit a multinomial logistic regression.

    Args:
        rows: Training rows, dense or sparse. Shape [n, d].
        labels: Numbers of their labels, at least two different ones. Shape [n].
        c: Inverse strength of the L2 penalty. If None, it is the best of `STRENGTHS` in cross-validation with five
            folds, or fewer if a label has fewer rows; of equally good ones the smallest. If a label has a single row,
            it is the smallest without cross-validation.
        seed: Seed of the folds.
    """
    from sklearn.model_selection import StratifiedKFold

    accuracies: dict[float, float] = {}
    folds = min(_FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
    if c is None and folds > 1:
        parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed % (1 << 32)).split(labels, labels))
        for each in STRENGTHS:
            hits = [_fit(rows[own], labels[own], each)[0].predict(rows[rest]) == labels[rest] for own, rest in parts]
            accuracies[each] = float(np.concatenate(hits).mean())
    chosen = c or max(accuracies, key=accuracies.__getitem__, default=STRENGTHS[0])
    model, converged = _fit(rows, labels, chosen)
    return Probe(model, chosen, accuracies, converged)


def _fit(rows: Any, labels: Indices, c: float) -> tuple[Any, bool]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ConvergenceWarning)
        model = LogisticRegression(C=c, max_iter=_STEPS).fit(rows, labels)
    return model, not told


def predict_by_characters(
    texts: Sequence[str], labels: Indices, asked: Sequence[Sequence[str]], *, c: float | None, seed: int
) -> list[Indices]:
    """Predict labels with `fit_probe` from TF-IDF of character 2-4-grams inside words, without any encoder.

    Args:
        texts: Training texts.
        labels: Numbers of their labels. Shape [n].
        asked: Texts of each test set.
        c: As in `fit_probe`.
        seed: Seed of the folds.

    Returns:
        The labels of each test set; the most frequent one everywhere if no text has characters.

    Memory: sparse, at most 20,000 n-grams.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    model = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=20_000)
    try:
        rows = model.fit_transform(texts)
    except ValueError:  # no text has two characters
        return [np.full(len(each), most_frequent(labels)) for each in asked]
    probe = fit_probe(rows, labels, c=c, seed=seed)
    return [probe.predict(model.transform(each)) if each else np.zeros(0, dtype=np.int64) for each in asked]


def most_frequent(labels: Indices) -> int:
    """Return the most frequent label, the smallest of several."""
    return int(np.bincount(labels).argmax())


class Labels(Measure):
    """Accuracy, and macro F1: the mean F1 of the labels that are gold or predicted.

    Columns are those of `ROWS`.
    """

    def values(self, columns: Columns) -> dict[str, float]:
        """Return both on all items; nan without items."""
        return {name: float(own[0]) for name, own in self._scores_of(_counts(columns).sum(axis=0)[None]).items()}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return both on resampled items."""
        parts = [_counts(columns) for columns in systems]
        table = drawn_counts(np.concatenate(parts, axis=1), generator=generator, draws=draws)
        ends = np.cumsum([part.shape[1] for part in parts])[:-1]
        return [self._scores_of(own) for own in np.split(table, ends, axis=1)]

    def _scores_of(self, table: Doubles) -> Drawn:
        """Return the metrics of some sums of `_counts`. Shape [n, 3 l] to [n] each."""
        right, gold, found = np.split(table, 3, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = 2 * right / (gold + found)
            known = {
                "accuracy": right.sum(axis=1) / gold.sum(axis=1),
                "macro_f1": np.nansum(f1, axis=1) / (gold + found > 0).sum(axis=1),
            }
        return {name: known[name] for name in self.metrics}


def _counts(columns: Columns) -> Doubles:
    """Return for every label whether an item is right with it, has it, and got it. Shape [n, 3 l]."""
    numbers = np.arange(columns[:2].max(initial=0) + 1)
    gold, found = (columns[row][:, None] == numbers for row in (0, 1))
    return np.concatenate([gold & found, gold, found], axis=1).astype(np.float64)


def label_columns(items: Sequence[Item], every: bool) -> Columns:
    """Return the columns of `Labels`; an item that is not covered is predicted nothing."""
    rows = [[item.numbers[name] if item.covered or name == "gold" else -1 for item in items] for name in ROWS]
    return np.array(rows, dtype=np.float64)


def control_accuracy(name: str) -> Callable[..., Score]:
    """Return the function of columns that scores a control of `ROWS`."""

    def score(columns: Columns, *, generator: np.random.Generator) -> Score:
        count = columns.shape[1]
        right = columns[0] == columns[ROWS.index(name)]
        return Score("accuracy", float(right.mean()) if count else None, n=count)

    return score
