"""Probabilities that candidates are right, fitted on dictionary entries that were not used for learning.

The models are a logistic regression on the features of a candidate, with or without products of the features, with or
without isotonic regression after it. The model is chosen by its log loss on questions that its fit did not see
(cross-fitting). The isotonic model, which is the most careful one near 1, is preferred unless it is clearly worse.

Everywhere `features` has shape [n, f]; `correct` says which rows are right, shape [n]; `folds` is the group of every
row, and rows of one question belong to one group, shape [n]; `model` is one of `MODELS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import blocks
from lexenc.evaluation.reliability import log_loss, log_losses

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

MODELS = ("linear", "quadratic", "quadratic, isotonic")
_BLOCK = 16_384
_ISOTONIC_FROM = 300  # questions; with fewer, isotonic regression follows their noise


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on standardised features.

    Args:
        low: Smallest value of each feature in the training data. Smaller values are raised to it. Shape [f].
        high: Largest value. Larger values are lowered to it. Shape [f].
        products: Whether squares and products of two features are features too.
        centre: Mean of every column. Shape [g].
        scale: Standard deviation of every column; 1 if it does not vary. Shape [g].
        weights: Shape [g].
        bias: Log odds at the centre.
    """

    low: Doubles
    high: Doubles
    products: bool
    centre: Doubles
    scale: Doubles
    weights: Doubles
    bias: float

    def probabilities(self, features: Doubles) -> Doubles:
        """Return the probability of every row. Shape [n, f] to [n]."""
        result = np.empty(len(features))
        for part in blocks(len(features), _BLOCK):
            columns = (_expanded(features[part], self.low, self.high, self.products) - self.centre) / self.scale
            result[part] = np.exp(-np.logaddexp(0, -(columns @ self.weights + self.bias)))
        return result


@dataclass(frozen=True)
class Steps:
    """A rising curve from probabilities to corrected ones, linear between its points. Shape [b] each, rising."""

    before: Doubles
    after: Doubles

    def corrected(self, probabilities: Doubles) -> Doubles:
        """Return the corrected probabilities. Shape [n]."""
        result: Doubles = np.interp(probabilities, self.before, self.after)
        return result


@dataclass(frozen=True)
class Calibrator:
    """Predicts the probability that a candidate is right from its features."""

    model: str
    logistic: Logistic
    steps: Steps | None = None

    def probabilities(self, features: Doubles) -> Doubles:
        """Return the probability of every row. Shape [n, f] to [n], in [0, 1]."""
        plain = self.logistic.probabilities(features)
        return plain if self.steps is None else self.steps.corrected(plain)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain lists and numbers for JSON."""
        return asdict(
            self,
            dict_factory=lambda fields: {
                name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in fields
            },
        )

    @classmethod
    def from_dict(cls, body: dict[str, Any]) -> Calibrator:
        """Make a calibrator from the result of `as_dict`.

        Raises:
            KeyError, TypeError, ValueError: If a field is missing or wrong.
        """

        def arrays(own: dict[str, Any], *names: str) -> dict[str, Any]:
            return {**own, **{name: np.array(own[name], dtype=np.float64) for name in names}}

        steps = None if body["steps"] is None else Steps(**arrays(body["steps"], "before", "after"))
        logistic = Logistic(**arrays(body["logistic"], "low", "high", "centre", "scale", "weights"))
        return cls(body["model"], logistic, steps)


def fit_logistic(features: Doubles, correct: Flags, *, products: bool = False) -> Logistic:
    """Fit a logistic regression on standardised features, with scikit-learn's default penalty on squared weights.

    With `products`, squares and products of two features are added. If all answers are right, or all wrong, the weights
    are zero and the probability is half an answer away from 1 or 0.

    Source: Hastie, Tibshirani and Friedman 2009, section 4.4.1.
    """
    from sklearn.linear_model import LogisticRegression

    low, high = features.min(axis=0), features.max(axis=0)
    columns = _expanded(features, low, high, products)
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    scale[scale < 1e-9 * np.maximum(1.0, np.abs(centre))] = 1.0
    weights, right = np.zeros(len(centre)), float(correct.sum())
    if right in (0.0, float(len(correct))):
        share = (right + 0.5) / (len(correct) + 1)
        return Logistic(low, high, products, centre, scale, weights, float(np.log(share / (1 - share))))
    varying = (columns.max(axis=0) > columns.min(axis=0)).nonzero()[0]
    model = LogisticRegression(solver="newton-cholesky", tol=1e-8)
    model.fit((columns[:, varying] - centre[varying]) / scale[varying], correct)
    weights[varying] = model.coef_[0]
    return Logistic(low, high, products, centre, scale, weights, float(model.intercept_[0]))


def _expanded(features: Doubles, low: Doubles, high: Doubles, products: bool) -> Doubles:
    """Clip features to the range of the training data, scale them to [0, 1], add products. Shape [n, f] to [n, g]."""
    span = np.where(high > low, high - low, 1.0)
    inside = (np.clip(features, low, high) - low) / span
    if not products:
        return inside
    first, second = np.triu_indices(inside.shape[1])
    return np.concatenate([inside, (inside - 0.5)[:, first] * (inside - 0.5)[:, second]], axis=1)


def fit_steps(probabilities: Doubles, correct: Flags) -> Steps:
    """Fit the rising curve that is closest to the outcomes (isotonic regression).

    Each step counts one more question than it contains, answered as its mean probability says, so that no step is
    certain. The probabilities are those of questions that the regression did not see, shape [n].

    Source: Zadrozny and Elkan 2002.
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression().fit_transform(probabilities, correct.astype(np.float64))
    _, step = np.unique(fitted, return_inverse=True)
    size = np.bincount(step)
    before = np.bincount(step, weights=probabilities) / size
    after = (np.bincount(step, weights=correct) + before) / (size + 1)
    return Steps(before, np.maximum.accumulate(after))


class _Fits:
    """Regressions that leave out some groups, each fitted once."""

    def __init__(self, features: Doubles, correct: Flags, folds: Indices, *, products: bool) -> None:
        self.features, self.correct, self.folds = features, correct, folds
        self._products = products
        self._known: dict[frozenset[int], Logistic] = {}

    def without(self, *groups: int) -> Logistic:
        """Return the regression fitted on all other groups, or on all rows if no other group exists."""
        key = frozenset(groups)
        if key not in self._known:
            rows = ~np.isin(self.folds, list(key))
            rows = rows if rows.any() else np.ones(len(rows), dtype=bool)
            self._known[key] = fit_logistic(self.features[rows], self.correct[rows], products=self._products)
        return self._known[key]

    def calibrator(self, model: str, *groups: int) -> Calibrator:
        """Return a calibrator fitted on all other groups."""
        logistic = self.without(*groups)
        if "isotonic" not in model:
            return Calibrator(model, logistic)
        rows = ~np.isin(self.folds, groups)
        unseen = np.zeros(len(rows))
        for group in np.unique(self.folds[rows]).tolist():
            own = self.folds == group
            unseen[own] = self.without(*groups, group).probabilities(self.features[own])
        return Calibrator(model, logistic, fit_steps(unseen[rows], self.correct[rows]))

    def unseen(self, model: str) -> Doubles:
        """Return the probability of every row, from a model that did not see its group. Shape [n]."""
        result = np.zeros(len(self.folds))
        for group in np.unique(self.folds).tolist():
            own = self.folds == group
            result[own] = self.calibrator(model, group).probabilities(self.features[own])
        return result


def cross_fit(features: Doubles, correct: Flags, folds: Indices, *, model: str) -> Doubles:
    """Return the probability of every row, from a model fitted on the other groups. Shape [n]."""
    return _Fits(features, correct, folds, products=model != "linear").unseen(model)


class Choice(NamedTuple):
    """The chosen model, its predictions for groups that its fit did not see, and every model's log loss on these."""

    calibrator: Calibrator
    unseen: Doubles
    losses: dict[str, float]


def choose_calibrator(features: Doubles, correct: Flags, folds: Indices, *, models: Sequence[str] = MODELS) -> Choice:
    """Fit every model and choose the one with the smallest log loss on groups that its fit did not see.

    The isotonic model is chosen as well if it is worse by no more than a standard error of the difference. In an
    incomplete dictionary even the best candidates are not always listed, and a regression alone keeps rising.
    """
    known = [each for each in models if "isotonic" not in each or len(correct) >= _ISOTONIC_FROM]
    fits = {products: _Fits(features, correct, folds, products=products) for products in (False, True)}
    found = {model: fits[model != "linear"].unseen(model) for model in known}
    losses = {model: log_loss(own, correct) for model, own in found.items()}
    best = min(losses, key=losses.__getitem__)
    if MODELS[-1] in known and best != MODELS[-1]:
        gap = log_losses(found[MODELS[-1]], correct) - log_losses(found[best], correct)
        if gap.mean() <= gap.std() / np.sqrt(len(gap)):
            best = MODELS[-1]
    return Choice(fits[best != "linear"].calibrator(best), found[best], losses)
