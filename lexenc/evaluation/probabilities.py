"""Probabilities of translation candidates: learned from judged candidates, and measured on those not learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.calibration import MODELS, Calibrator, choose_calibrator, cross_fit
from lexenc.evaluation.reliability import (
    brier_score,
    calibration_error,
    calibration_floor,
    calibration_interval,
    log_loss,
    precision_coverage,
    reliability,
)
from lexenc.randomness import generator

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Calibration:
    """Turns features of candidates into probabilities.

    Args:
        first: For the best candidate of a word.
        later: For the other candidates.
        basis: What it was measured on, one sentence.
        optimistic: Whether its probabilities are known to be too high.
    """

    first: Calibrator
    later: Calibrator
    basis: str
    optimistic: bool

    def probabilities(self, features: Doubles) -> Doubles:
        """Return the probability of every candidate. Shape [q, k, f] to [q, k]."""
        result = np.zeros(features.shape[:2])
        for place in range(features.shape[1]):
            calibrator = self.later if place else self.first
            result[:, place] = calibrator.probabilities(features[:, place])
        return result


class Fitted(NamedTuple):
    """Calibrators of the best candidates and of the others, and probabilities of both from fits without each.

    The losses are those of every model that was tried for the best candidates.
    """

    first: Calibrator
    later: Calibrator
    unseen: list[Doubles]
    losses: dict[str, float]


def fit_probabilities(features: Doubles, correct: Flags, folds: NDArray[np.int64]) -> Fitted:
    """Learn probabilities from judged candidates of words in folds. Shapes [q, k, f], [q, k] and [q]."""
    depth = features.shape[1]
    first = choose_calibrator(features[:, 0], correct[:, 0], folds)
    if depth == 1:
        return Fitted(first.calibrator, first.calibrator, [first.unseen], first.losses)
    flat = features[:, 1:].reshape(-1, features.shape[2])
    later = choose_calibrator(flat, correct[:, 1:].ravel(), np.repeat(folds, depth - 1), models=MODELS[:2])
    return Fitted(first.calibrator, later.calibrator, [first.unseen, later.unseen], first.losses)


def measure_probabilities(
    unseen: Sequence[Doubles],
    correct: Flags,
    *,
    threshold: float,
    thresholds: Sequence[float],
    seed: int,
    seen: float | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """Compare probabilities with what is correct.

    Args:
        unseen: Probabilities of the best candidates, and those of the others if there are any.
        correct: Shape [q, k].
        threshold: Probability at which precision and coverage are reported.
        thresholds: Further probabilities at which they are listed.
        seed: The user's seed.
        seen: Precision at 1 of vectors that were learned from the words, to report beside; None if not measured.

    Returns:
        Scores of the best candidates, scores of the others (an empty list or one entry), and bins of equal mass.
    """
    first, right = unseen[0], correct[:, 0]
    points = precision_coverage(first, right, sorted({*thresholds, threshold}))
    (own,) = (point for point in points if point.threshold == threshold)
    head = _errors(first, right, seed, "best candidate") | {
        "threshold": threshold,
        "precision_at_threshold": own.precision,
        "precision_at_threshold_low": own.low,
        "precision_at_threshold_high": own.high,
        "coverage_at_threshold": own.coverage,
        "precision_at_1": float(right.mean()),
        **({} if seen is None else {"precision_at_1_seen": seen}),
        "thresholds": [asdict(point) for point in points],
        "entries": len(right),
    }
    others = [_errors(each, correct[:, 1:].ravel(), seed, "candidates of rank 2 and later") for each in unseen[1:]]
    return head, others, [asdict(each) for each in reliability(first, right)]


def _errors(probabilities: Doubles, correct: Flags, seed: int, what: str) -> dict[str, Any]:
    low, high = calibration_interval(probabilities, correct, generator=generator(seed, f"noise {what}"))
    floor = calibration_floor(probabilities, generator=generator(seed, f"floor {what}"))
    return {
        "candidates": what,
        "expected_calibration_error": calibration_error(probabilities, correct),
        "expected_calibration_error_low": low,
        "expected_calibration_error_high": high,
        "expected_calibration_error_equal_width": calibration_error(probabilities, correct, binning="width"),
        "expected_calibration_error_if_perfect": floor,
        "brier_score": brier_score(probabilities, correct),
        "log_loss": log_loss(probabilities, correct),
    }


def shuffled_control(
    features: Doubles, shuffled: Flags, folds: NDArray[np.int64], *, model: str, threshold: float
) -> Mapping[str, Any]:
    """Fit the same model to the best candidates and shuffled translations; its probabilities should be low.

    Shapes are [q, f] of features, and [q] of whether each candidate is listed for its word, and of folds.
    """
    unseen = cross_fit(features, shuffled, folds, model=model)
    return {
        "control": "shuffled dictionary",
        "base_rate": float(shuffled.mean()),
        "mean_probability": float(unseen.mean()),
        "largest_probability": float(unseen.max()),
        "above_threshold": int((unseen >= threshold).sum()),
    }
