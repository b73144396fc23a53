"""Calibration of probabilities: calibration error with its interval and its floor, precision by threshold.

Everywhere `correct` says which candidates are right, and has shape [n] as their probabilities have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.bootstrap import DRAWS, LEVEL

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]
Binning = Literal["mass", "width"]

BINS = 10
_LEAST = 1e-6
_CHOICES = 1 << 20  # random choices held at a time


@dataclass(frozen=True)
class Bin:
    """Candidates of about the same probability: the smallest, the largest and the mean, the share right, the number."""

    low: float
    high: float
    mean: float
    right: float
    count: int


def reliability(probabilities: Doubles, correct: Flags, *, bins: int = BINS, binning: Binning = "mass") -> list[Bin]:
    """Return probabilities and outcomes by bin.

    Args:
        probabilities: Shape [n].
        correct: Which are right. Shape [n].
        bins: Largest number of bins; empty ones are left out.
        binning: mass: as many candidates in each; width: as much of the scale from 0 to 1 in each.
    """
    order = np.argsort(probabilities, kind="stable")
    rising, right = probabilities[order], correct[order]
    starts = _starts(rising, bins, binning)
    ends = [*starts[1:].tolist(), len(order)]
    return [
        Bin(
            float(rising[start]),
            float(rising[end - 1]),
            float(rising[start:end].mean()),
            float(right[start:end].mean()),
            end - start,
        )
        for start, end in zip(starts.tolist(), ends, strict=True)
    ]


def _starts(rising: Doubles, bins: int, binning: Binning) -> Indices:
    """Return where each bin that is not empty begins. Shape [b]."""
    count = len(rising)
    if binning == "mass":
        # The first bins get one more where the number cannot be divided.
        edges = np.arange(bins) * (count // bins) + np.minimum(np.arange(bins), count % bins)
    else:
        edges = np.searchsorted(rising, np.arange(bins) / bins)
    starts: Indices = np.unique(edges[edges < count])
    return starts


def calibration_error(probabilities: Doubles, correct: Flags, *, bins: int = BINS, binning: Binning = "mass") -> float:
    """Compute the expected calibration error: the mean distance of probability and outcome over bins, by their size.

    The bins are those of `reliability`.

    Source: Naeini, Cooper and Hauskrecht 2015.
    """
    if not len(correct):
        return float("nan")
    order = np.argsort(probabilities, kind="stable")
    rising = probabilities[order]
    return float(_error((rising - correct[order])[None], _starts(rising, bins, binning))[0])


def _error(gaps: Doubles, starts: Indices) -> Doubles:
    """Compute the error of several rows of sorted candidates. Shape [m, n] to [m]."""
    result: Doubles = np.abs(np.add.reduceat(gaps, starts, axis=1)).sum(axis=1) / gaps.shape[1]
    return result


def calibration_interval(
    probabilities: Doubles, correct: Flags, *, generator: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> tuple[float, float]:
    """Return an interval of the expected calibration error that contains the estimate, in the same bins.

    The estimate is too high: noise in a bin moves its gap away from zero whichever way it goes. Resampled questions
    have that noise twice, and their percentiles may lie above the estimate altogether. So the noise is bounded instead:
    the error is the weighted sum of |gap| over bins, and sums of absolute values differ by no more than the sum of the
    absolute differences. With q the quantile of that sum, the error is within q of the estimate as often as the level
    says, however biased the estimate is; below, it ends at 0. The noise is drawn from binomials of the bins' shares of
    right answers, with one right and one wrong added, as a bin without a wrong answer is not without noise.
    """
    count = len(correct)
    if not count:
        return float("nan"), float("nan")
    found = reliability(probabilities, correct)
    sizes = np.array([each.count for each in found])
    shares = (np.array([each.right for each in found]) * sizes + 1) / (sizes + 2)
    drawn = generator.binomial(sizes, shares, size=(draws, len(sizes)))
    noise = np.abs(drawn - sizes * shares).sum(axis=1) / count
    reach = float(np.quantile(noise, level))
    error = calibration_error(probabilities, correct)
    return max(0.0, error - reach), error + reach


def calibration_floor(probabilities: Doubles, *, generator: np.random.Generator, draws: int = 200) -> float:
    """Return the calibration error that perfect probabilities show on as many questions, by simulation."""
    if not len(probabilities):
        return float("nan")
    rising = np.sort(probabilities)
    starts, count = _starts(rising, BINS, "mass"), len(rising)
    step, found = max(1, _CHOICES // count), []
    for start in range(0, draws, step):
        drawn = generator.random((min(step, draws - start), count)) < rising
        found.append(_error(rising - drawn, starts))
    return float(np.concatenate(found).mean())


def brier_score(probabilities: Doubles, correct: Flags) -> float:
    """Compute the mean squared distance of probability and outcome (Brier 1950)."""
    return float(np.mean((probabilities - correct) ** 2)) if len(correct) else float("nan")


def log_loss(probabilities: Doubles, correct: Flags) -> float:
    """Compute the mean negative logarithm of the probability of what happened, in nats."""
    sure = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return float(-np.log(np.where(correct, sure, 1 - sure)).mean()) if len(correct) else float("nan")


@dataclass(frozen=True)
class Point:
    """One point of the precision-coverage curve.

    Args:
        threshold: Minimum probability.
        kept: Number of questions whose candidate reaches it.
        precision: Share of these that are right; None without any.
        low: Lower end of its Wilson interval.
        high: Upper end.
        coverage: Share of all questions that are kept.
    """

    threshold: float
    kept: int
    precision: float | None
    low: float
    high: float
    coverage: float


def precision_coverage(probabilities: Doubles, correct: Flags, thresholds: Sequence[float]) -> list[Point]:
    """Return precision and coverage at every threshold, from the best candidate of every question."""
    points = []
    for threshold in thresholds:
        own = probabilities >= threshold
        kept, right = int(own.sum()), int(correct[own].sum())
        low, high = wilson(right, kept)
        share = kept / len(correct) if len(correct) else 0.0
        points.append(Point(threshold, kept, right / kept if kept else None, low, high, share))
    return points


def wilson(right: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the Wilson interval of a share (Wilson 1927); from 0 to 1 if nothing was counted."""
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, extra = right / count, z * z / count
    middle = (share + extra / 2) / (1 + extra)
    half = z * float(np.sqrt(share * (1 - share) / count + extra / (4 * count))) / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)
