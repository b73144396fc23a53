"""Probabilities of translation candidates: learned from judged candidates, and measured on those not learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.calibration import Calibrator, cross_fit, fit_calibrator
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
        calibrator: The model.
        basis: What it was measured on, one sentence.
        optimistic: Whether its probabilities are known to be too high.
    """

    calibrator: Calibrator
    basis: str
    optimistic: bool


def fit_probabilities(features: Doubles, correct: Flags, folds: NDArray[np.int64]) -> tuple[Calibrator, Doubles]:
    """Learn probabilities from judged candidates of words in folds. Shapes [q, k, f], [q, k] and [q].

    Returns:
        The model, and for every candidate the probability from a fit without its fold. Shape [q, k].
    """
    flat, right = features.reshape(-1, features.shape[2]), correct.ravel()
    unseen = cross_fit(flat, right, np.repeat(folds, correct.shape[1])).reshape(correct.shape)
    return fit_calibrator(flat, right), unseen


def measure_probabilities(
    unseen: Doubles,
    correct: Flags,
    *,
    threshold: float,
    thresholds: Sequence[float],
    seed: int,
    seen: float | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """Compare probabilities with what is correct.

    Args:
        unseen: Probability of every candidate, from a fit without its word. Shape [q, k].
        correct: Shape [q, k].
        threshold: Probability at which precision and coverage are reported.
        thresholds: Further probabilities at which they are listed.
        seed: The user's seed.
        seen: Precision at 1 of vectors that were learned from the words, to report beside; None if not measured.

    Returns:
        Scores of the best candidates, scores of the others (an empty list or one entry), and bins of equal mass.
    """
    first, right = unseen[:, 0], correct[:, 0]
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
    others = []
    if correct.shape[1] > 1:
        others.append(_errors(unseen[:, 1:].ravel(), correct[:, 1:].ravel(), seed, "candidates of rank 2 and later"))
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
    features: Doubles, shuffled: Flags, folds: NDArray[np.int64], *, threshold: float
) -> Mapping[str, Any]:
    """Fit a model to the best candidates and shuffled translations; its probabilities should be low.

    Shapes are [q, f] of the features, and [q] of whether each candidate is listed for its word, and of folds.
    """
    unseen = cross_fit(features, shuffled, folds)
    return {
        "control": "shuffled dictionary",
        "base_rate": float(shuffled.mean()),
        "mean_probability": float(unseen.mean()),
        "largest_probability": float(unseen.max()),
        "above_threshold": int((unseen >= threshold).sum()),
    }
