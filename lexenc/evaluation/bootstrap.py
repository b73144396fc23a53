"""Confidence intervals and paired comparisons by bootstrap, for any metric that is computed from columns of numbers.

Everywhere `draws` is the number of resamplings, and `level` the share of draws inside an interval.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexenc.files.evaluations import Score

DRAWS = 2000
LEVEL = 0.95
_BLOCK = 1 << 22  # random choices held at a time
Columns = NDArray[np.float64]
"""What is known of every item, one row per number. Shape [c, n]."""
Drawn = dict[str, NDArray[np.float64]]
"""The value of every metric in every draw, nan where it is not defined. Shape [draws] each."""
MACRO = "macro mean"
"""The track that stands for the mean over all tracks."""
_NAN = float("nan")


@dataclass(frozen=True)
class Difference:
    """A paired comparison of two systems on the same items.

    Args:
        mean: First minus second; nan where it is not defined.
        low: Lower end of the interval.
        high: Upper end.
        p_value: Two-sided: how often the difference of a draw falls on the other side of zero, doubled.
    """

    mean: float
    low: float
    high: float
    p_value: float

    @property
    def shown(self) -> bool:
        """Whether the difference is significant: the interval excludes zero."""
        return self.low > 0 or self.high < 0


class Measure(ABC):
    """How metrics are computed from columns, and how items are resampled.

    Args:
        metrics: Names, the headline first.

    Attributes:
        intervals: Whether scores of one system have intervals.
    """

    intervals = True

    def __init__(self, metrics: Sequence[str]) -> None:
        self.metrics = tuple(metrics)

    @abstractmethod
    def values(self, columns: Columns) -> dict[str, float]:
        """Return the value of every metric, nan where it is not defined."""

    @abstractmethod
    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the metrics of several systems on the same resampled items."""

    def gaps(
        self, first: Columns, second: Columns, *, generator: np.random.Generator, draws: int
    ) -> dict[str, tuple[float, NDArray[np.float64]]]:
        """Return for every metric first minus second: on all items, and in every draw."""
        left, right = self.drawn([first, second], generator=generator, draws=draws)
        one, other = self.values(first), self.values(second)
        return {name: (one[name] - other[name], left[name] - right[name]) for name in left}

    def scores(
        self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
    ) -> list[tuple[Score, ...]]:
        """Return the scores of several systems, with intervals from the same draws."""
        found = self.drawn(systems, generator=generator, draws=draws)
        return [
            self._scores(self.values(columns), drawn, level, columns.shape[1])
            for columns, drawn in zip(systems, found, strict=True)
        ]

    def _scores(self, values: Mapping[str, float], drawn: Drawn, level: float, n: int) -> tuple[Score, ...]:
        spans = {name: ends(own, level) for name, own in drawn.items()}
        known = {name: None if np.isnan(values[name]) else float(values[name]) for name in self.metrics}
        return tuple(Score(name, known[name], *spans.get(name, (None, None)), n) for name in self.metrics)

    def track_scores(
        self,
        tracks: Mapping[str, Columns],
        *,
        generators: Callable[[str], np.random.Generator],
        draws: int = DRAWS,
        level: float = LEVEL,
    ) -> dict[str, tuple[Score, ...]]:
        """Return the scores of several test sets, and before them their mean, in which every set has the same weight.

        Args:
            tracks: Columns by the name of the test set.
            generators: Returns the source of randomness of a set.
            draws: Number of resamplings of each set.
            level: Share of draws inside the intervals.
        """
        values = {name: self.values(columns) for name, columns in tracks.items()}
        drawn = {name: self.drawn([own], generator=generators(name), draws=draws)[0] for name, own in tracks.items()}
        sizes = {name: columns.shape[1] for name, columns in tracks.items()}
        if len(tracks) > 1:
            means = {metric: float(np.mean([own[metric] for own in values.values()])) for metric in self.metrics}
            shared = [metric for metric in self.metrics if all(metric in own for own in drawn.values())]
            averaged = {metric: np.mean([own[metric] for own in drawn.values()], axis=0) for metric in shared}
            values, drawn = {MACRO: means, **values}, {MACRO: averaged, **drawn}
            sizes = {MACRO: sum(sizes.values()), **sizes}
        return {name: self._scores(values[name], drawn[name], level, sizes[name]) for name in values}

    def compare(
        self, first: Columns, second: Columns, *, generator: np.random.Generator, draws: int, level: float = LEVEL
    ) -> dict[str, Difference]:
        """Compare two systems by paired bootstrap; their columns have the items in the same order.

        Source: Efron and Tibshirani 1993, chapters 13 and 16; Koehn 2004 for the paired form.
        """
        gaps = self.gaps(first, second, generator=generator, draws=draws)
        return {name: difference(whole, drawn, level) for name, (whole, drawn) in gaps.items()}


def difference(whole: float, drawn: NDArray[np.float64], level: float) -> Difference:
    """Return the difference of two systems, on all items and in every draw, with its interval and p-value."""
    low, high = ends(drawn, level)
    if np.isnan(whole) or low is None or high is None:
        return Difference(whole, _NAN, _NAN, _NAN)
    defined = drawn[~np.isnan(drawn)]
    # One is added on both sides: a finite number of draws never shows that something is impossible.
    below, above = int((defined <= 0).sum()) + 1, int((defined >= 0).sum()) + 1
    return Difference(whole, low, high, min(1.0, 2 * min(below, above) / (len(defined) + 1)))


def ends(drawn: NDArray[np.float64], level: float) -> tuple[float | None, float | None]:
    """Return the ends of a percentile interval; None if less than half of the draws have a value."""
    defined = drawn[~np.isnan(drawn)]
    if not len(defined) or 2 * len(defined) < len(drawn):
        return None, None
    tail = 50 * (1 - level)
    low, high = np.percentile(defined, [tail, 100 - tail])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number: the smallest of m is multiplied by m, the next one by m - 1, and so on.

    Source: Holm 1979. The chance that any of them is below a level without a difference stays at most this level.
    """
    corrected, largest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


class Means(Measure):
    """Metrics that are means over items; each has its own column, and the headline an interval."""

    def values(self, columns: Columns) -> dict[str, float]:
        """Return the means; 0 without items."""
        return {name: float(own.mean()) if len(own) else 0.0 for name, own in zip(self.metrics, columns, strict=True)}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the headline's mean in every draw; nothing without items."""
        if not systems[0].shape[1]:
            return [{} for _ in systems]
        found = _draws(np.stack([columns[0] for columns in systems]), generator, draws)
        return [{self.metrics[0]: own} for own in found]

    def gaps(
        self, first: Columns, second: Columns, *, generator: np.random.Generator, draws: int
    ) -> dict[str, tuple[float, NDArray[np.float64]]]:
        """Resample the differences, item by item."""
        gap = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
        drawn = _draws(gap, generator, draws) if gap.shape[1] else np.full((len(gap), draws), _NAN)
        wholes = [float(own.mean()) if len(own) else _NAN for own in gap]
        return dict(zip(self.metrics, zip(wholes, drawn, strict=True), strict=True))


def _draws(columns: Columns, generator: np.random.Generator, draws: int) -> NDArray[np.float64]:
    """Return the means of resampled items. Shape [c, draws]; memory is bounded for any number of items."""
    size = columns.shape[1]
    step, parts = max(1, _BLOCK // size), []
    for start in range(0, draws, step):
        chosen = generator.integers(0, size, size=(min(step, draws - start), size))
        parts.append(np.stack([own[chosen].mean(axis=1) for own in columns]))
    return np.concatenate(parts, axis=1)


_MEAN = Means(("mean",))


def interval(
    values: np.ndarray, *, generator: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean; nan without values. Shape of `values`: [n]."""
    if not len(values):
        return _NAN, _NAN
    low, high = ends(_draws(values[None], generator, draws)[0], level)
    return (_NAN, _NAN) if low is None or high is None else (low, high)


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, generator: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> Difference:
    """Compare the means of two systems, with one value per item in the same order. Shape [n] each."""
    found = _MEAN.compare(first[None], second[None], generator=generator, draws=draws, level=level)
    return found["mean"]
