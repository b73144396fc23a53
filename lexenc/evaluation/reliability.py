"""How far probabilities hold: calibration error with its interval and its floor, precision by threshold.

All of it looks at probabilities beside outcomes, and knows nothing of where they come from.
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
    """Candidates of about the same probability.

    Args:
        low: Smallest probability among them.
        high: The largest.
        mean: Their mean probability.
        right: Share that is right.
        count: How many.
    """

    low: float
    high: float
    mean: float
    right: float
    count: int


def reliability(probabilities: Doubles, correct: Flags, *, bins: int = BINS, binning: Binning = "mass") -> list[Bin]:
    """Lay probabilities beside outcomes.

    Args:
        probabilities: Shape [n].
        correct: Shape [n].
        bins: How many at most; empty ones are left out.
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
    """Give where each bin that is not empty begins. Shape [b]."""
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

    Args:
        probabilities: Shape [n].
        correct: Shape [n].
        bins: As in `reliability`.
        binning: As in `reliability`.

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
    probabilities: Doubles,
    correct: Flags,
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Give the percentile bootstrap interval of the expected calibration error over resampled questions.

    Resampling adds noise to every bin, so that the interval lies rather too high than too low.
    """
    count = len(correct)
    if not count:
        return float("nan"), float("nan")
    order = np.argsort(probabilities, kind="stable")
    gaps, starts = (probabilities - correct)[order], _starts(probabilities[order], BINS, "mass")
    # Numbers of sorted candidates, sorted, are sorted candidates again.
    found = [
        _error(gaps[np.sort(generator.integers(0, count, size=(size, count)), axis=1)], starts)
        for size in _sizes(draws, count)
    ]
    tail = 50 * (1 - level)
    low, high = np.percentile(np.concatenate(found), [tail, 100 - tail])
    return float(low), float(high)


def calibration_floor(probabilities: Doubles, *, generator: np.random.Generator, draws: int = 200) -> float:
    """Give the calibration error that perfect probabilities would show on so few questions, by simulation."""
    if not len(probabilities):
        return float("nan")
    rising = np.sort(probabilities)
    starts, count = _starts(rising, BINS, "mass"), len(rising)
    found = [_error(rising - (generator.random((size, count)) < rising), starts) for size in _sizes(draws, count)]
    return float(np.concatenate(found).mean())


def _sizes(draws: int, count: int) -> list[int]:
    """Split draws into blocks of bounded memory."""
    step = max(1, _CHOICES // max(1, count))
    return [min(step, draws - start) for start in range(0, draws, step)]


def brier_score(probabilities: Doubles, correct: Flags) -> float:
    """Compute the mean squared distance of probability and outcome (Brier 1950)."""
    return float(np.mean((probabilities - correct) ** 2)) if len(correct) else float("nan")


def log_loss(probabilities: Doubles, correct: Flags) -> float:
    """Compute the mean negative logarithm of the probability of what happened, in nats."""
    return float(log_losses(probabilities, correct).mean()) if len(correct) else float("nan")


def log_losses(probabilities: Doubles, correct: Flags) -> Doubles:
    """Compute the negative logarithm of the probability of what happened, in nats. Shape [n]."""
    sure = np.clip(probabilities, _LEAST, 1 - _LEAST)
    result: Doubles = -np.log(np.where(correct, sure, 1 - sure))
    return result


@dataclass(frozen=True)
class Point:
    """One point of the precision-coverage curve.

    Args:
        threshold: Least probability.
        kept: Questions whose candidate reaches it.
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
    """Follow precision and coverage over thresholds.

    Args:
        probabilities: Of the best candidate of every question. Shape [n].
        correct: Shape [n].
        thresholds: Least probabilities.
    """
    points = []
    for threshold in thresholds:
        own = probabilities >= threshold
        kept, right = int(own.sum()), int(correct[own].sum())
        low, high = wilson(right, kept)
        share = kept / len(correct) if len(correct) else 0.0
        points.append(Point(threshold, kept, right / kept if kept else None, low, high, share))
    return points


def wilson(right: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Give the Wilson interval of a share; from 0 to 1 where nothing was counted.

    Source: Wilson 1927.
    """
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, extra = right / count, z * z / count
    middle = (share + extra / 2) / (1 + extra)
    half = z * float(np.sqrt(share * (1 - share) / count + extra / (4 * count))) / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)
