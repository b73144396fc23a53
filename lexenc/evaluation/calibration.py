"""Probabilities that candidates are right, fitted on entries that nothing was learnt from.

A logistic regression on what is known of a candidate, with or without products of the features, with or without an
isotonic step behind it. Which of them is decided by the log loss on questions that the fit did not see (cross-fitting);
the isotonic step, which is the more careful one near 1, stays unless it is clearly worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.reliability import log_loss, log_losses

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

MODELS = ("linear", "quadratic", "quadratic, isotonic")
_PENALTY = 1.0  # of squared weights of standardised features, as scikit-learn's C = 1
_BLOCK = 16_384
_ISOTONIC_FROM = 300  # questions; steps drawn through fewer follow their noise


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on standardised features.

    Args:
        low: Smallest value of each feature that the fit saw; what lies below counts as this. Shape [f].
        high: The largest. Shape [f].
        products: Whether squares and products of two features are features too.
        centre: Mean of every column after that. Shape [g].
        scale: Its standard deviation; 1 where it does not vary. Shape [g].
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
        """Give the probability of every row. Shape [n, f] to [n]."""
        result = np.empty(len(features))
        for start in range(0, len(features), _BLOCK):
            part = slice(start, start + _BLOCK)
            columns = (_expanded(features[part], self.low, self.high, self.products) - self.centre) / self.scale
            result[part] = _sigmoid(columns @ self.weights + self.bias)
        return result


@dataclass(frozen=True)
class Steps:
    """A rising curve that mends probabilities; straight between its points.

    Args:
        before: Probabilities as they come. Shape [b], rising.
        after: What they are worth. Shape [b], rising.
    """

    before: Doubles
    after: Doubles

    def mended(self, probabilities: Doubles) -> Doubles:
        """Give what probabilities are worth. Shape [n]."""
        result: Doubles = np.interp(probabilities, self.before, self.after)
        return result


@dataclass(frozen=True)
class Calibrator:
    """Turns features of a candidate into the probability that it is right.

    Args:
        model: One of `MODELS`.
        logistic: The regression.
        steps: What mends its probabilities, if anything does.
    """

    model: str
    logistic: Logistic
    steps: Steps | None = None

    def probabilities(self, features: Doubles) -> Doubles:
        """Give the probability of every row. Shape [n, f] to [n], in [0, 1]."""
        plain = self.logistic.probabilities(features)
        return plain if self.steps is None else self.steps.mended(plain)

    def as_dict(self) -> dict[str, Any]:
        """Give plain lists and numbers, for a file."""
        body: dict[str, Any] = _plain(asdict(self))
        return body

    @classmethod
    def from_dict(cls, body: dict[str, Any]) -> Calibrator:
        """Take what `as_dict` gave.

        Raises:
            KeyError: If something is missing; TypeError or ValueError if something is of another kind.
        """
        arrays = ("low", "high", "centre", "scale", "weights")
        own = dict(body["logistic"])
        own |= {name: np.array(own[name], dtype=np.float64) for name in arrays}
        steps = body["steps"]
        if steps is not None:
            steps = Steps(**{name: np.array(steps[name], dtype=np.float64) for name in ("before", "after")})
        return cls(body["model"], Logistic(**own), steps)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def fit_logistic(features: Doubles, correct: Flags, *, products: bool = False) -> Logistic:
    """Fit a logistic regression with a small penalty on the squared weights (Newton's method).

    Args:
        features: Shape [n, f].
        correct: Shape [n].
        products: Add squares and products of two features.

    Where all answers are alike, the weights are zero and the probability is half an answer away from certainty.

    Source: Hastie, Tibshirani and Friedman 2009, section 4.4.1.
    """
    low, high = features.min(axis=0), features.max(axis=0)
    columns = _expanded(features, low, high, products)
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    scale[scale < 1e-9 * np.maximum(1.0, np.abs(centre))] = 1.0
    right = float(correct.sum())
    if right in (0.0, float(len(correct))):
        share = (right + 0.5) / (len(correct) + 1)
        return Logistic(low, high, products, centre, scale, np.zeros(len(centre)), float(np.log(share / (1 - share))))
    varying = (columns.max(axis=0) > columns.min(axis=0)).nonzero()[0]
    standard = (columns[:, varying] - centre[varying]) / scale[varying]
    found = _newton(np.concatenate([standard, np.ones((len(columns), 1))], axis=1), correct.astype(np.float64))
    weights = np.zeros(len(centre))
    weights[varying] = found[:-1]
    return Logistic(low, high, products, centre, scale, weights, float(found[-1]))


def _newton(table: Doubles, wanted: Doubles) -> Doubles:
    """Minimise the penalised log loss; the last column, of ones, is not penalised. Shape [n, g] to [g]."""
    penalty = np.full(table.shape[1], _PENALTY)
    penalty[-1] = 0.0
    weights = np.zeros(table.shape[1])

    def loss(at: Doubles) -> float:
        odds = table @ at
        return float((np.logaddexp(0, odds) - wanted * odds).sum() + 0.5 * (penalty * at * at).sum())

    now = loss(weights)
    for _ in range(100):
        guess = _sigmoid(table @ weights)
        slope = table.T @ (guess - wanted) + penalty * weights
        bend = (table * (guess * (1 - guess))[:, None]).T @ table
        bend[np.diag_indices_from(bend)] += penalty + 1e-9
        step = np.linalg.solve(bend, slope)
        size = 1.0
        while (new := loss(weights - size * step)) > now and size > 1e-6:
            size /= 2
        weights = weights - size * step
        if now - new < 1e-9 * max(1.0, abs(now)):
            break
        now = new
    return weights


def _expanded(features: Doubles, low: Doubles, high: Doubles, products: bool) -> Doubles:
    """Keep features within what the fit saw, between 0 and 1, and add products. Shape [n, f] to [n, g]."""
    span = np.where(high > low, high - low, 1.0)
    inside = (np.clip(features, low, high) - low) / span
    if not products:
        return inside
    first, second = np.triu_indices(inside.shape[1])
    return np.concatenate([inside, (inside - 0.5)[:, first] * (inside - 0.5)[:, second]], axis=1)


def _sigmoid(odds: Doubles) -> Doubles:
    result: Doubles = np.exp(-np.logaddexp(0, -odds))
    return result


def fit_steps(probabilities: Doubles, correct: Flags) -> Steps:
    """Fit the rising curve closest to the outcomes (isotonic regression, pool adjacent violators).

    Args:
        probabilities: Of questions that their own fit did not see. Shape [n].
        correct: Shape [n].

    Every step counts one more question than it has, answered as its probabilities say, so that none is certain.

    Source: Zadrozny and Elkan 2002.
    """
    order = np.argsort(probabilities, kind="stable")
    blocks: list[list[float]] = []  # right answers, questions, sum of probabilities
    for probability, right in zip(probabilities[order].tolist(), correct[order].tolist(), strict=True):
        blocks.append([float(right), 1.0, probability])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [one + other for one, other in zip(blocks[-1], last, strict=True)]
    table = np.array(blocks)
    before = table[:, 2] / table[:, 1]
    after = (table[:, 0] + before) / (table[:, 1] + 1)
    return Steps(before, np.maximum.accumulate(after))


class _Fits:
    """Regressions on all groups but some, each fitted once.

    Args:
        features: Shape [n, f].
        correct: Shape [n].
        folds: Group of every row. Shape [n].
        products: As in `fit_logistic`.
    """

    def __init__(self, features: Doubles, correct: Flags, folds: Indices, *, products: bool) -> None:
        self.features, self.correct, self.folds = features, correct, folds
        self._products = products
        self._known: dict[frozenset[int], Logistic] = {}

    def without(self, *groups: int) -> Logistic:
        """Fit on all groups but these; on all rows where none would be left."""
        key = frozenset(groups)
        if key not in self._known:
            rows = ~np.isin(self.folds, list(key))
            rows = rows if rows.any() else np.ones(len(rows), dtype=bool)
            self._known[key] = fit_logistic(self.features[rows], self.correct[rows], products=self._products)
        return self._known[key]

    def calibrator(self, model: str, *groups: int) -> Calibrator:
        """Fit a whole model on all groups but these."""
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
        """Give the probability of every row by a model that did not see its group. Shape [n]."""
        result = np.zeros(len(self.folds))
        for group in np.unique(self.folds).tolist():
            own = self.folds == group
            result[own] = self.calibrator(model, group).probabilities(self.features[own])
        return result


def fit_calibrator(features: Doubles, correct: Flags, folds: Indices, *, model: str) -> Calibrator:
    """Fit one of the models.

    Args:
        features: Shape [n, f].
        correct: Shape [n].
        folds: Group of every row; the isotonic step is fitted on groups that the regression did not see. Shape [n].
        model: One of `MODELS`.
    """
    return _Fits(features, correct, folds, products=model != "linear").calibrator(model)


def cross_fit(features: Doubles, correct: Flags, folds: Indices, *, model: str) -> Doubles:
    """Give the probability of every row by a model fitted on the other groups. Shape [n].

    Args:
        features: Shape [n, f].
        correct: Shape [n].
        folds: Group of every row, at least two groups. Shape [n].
        model: One of `MODELS`.
    """
    return _Fits(features, correct, folds, products=model != "linear").unseen(model)


@dataclass(frozen=True)
class Choice:
    """The model that was chosen, and what it says of the questions that it was fitted on.

    Args:
        calibrator: Fitted on all questions.
        unseen: Probabilities by models fitted on the other groups. Shape [n].
        losses: Log loss of every model on questions that it did not see.
    """

    calibrator: Calibrator
    unseen: Doubles
    losses: dict[str, float]


def choose_calibrator(features: Doubles, correct: Flags, folds: Indices, *, models: Sequence[str] = MODELS) -> Choice:
    """Fit every model, and take the one with the least log loss on groups that it did not see.

    The isotonic one is taken, too, if it is worse by no more than a standard error of the difference: where a
    dictionary is incomplete even the best candidates are not always listed, and a regression alone goes on rising.

    Args:
        features: Shape [n, f].
        correct: Shape [n].
        folds: Group of every row; rows of one question belong to one group. Shape [n].
        models: Some of `MODELS`.
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
