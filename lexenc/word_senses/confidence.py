"""Which sense an occurrence is nearest to, and how certain it is that it has a sense."""

from __future__ import annotations

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices

_TINY = 1e-12
_WIDER = 3
"""A sense is this many times as wide as its cluster, because clusters end where the next one begins.

With the width of the clusters, the mean confidence of right and wrong senses alike is 0.9 or more. Chosen on the words
hard and interest and two encoders, as many senses as gold: the expected calibration error is 0.36 at 1, 0.24 at 2, 0.21
at 3 and 0.23 at 3.5, and on line and serve 0.41, 0.18, 0.12 and 0.15.
"""


def squared_distances(points: Floats, centres: Floats) -> Doubles:
    """Return the squared distance of every point to every centre. Shape [n, p] and [k, p] to [n, k]."""
    return np.stack([np.square(points - centre.astype(np.float64)).sum(axis=1) for centre in centres], axis=1)


def spread_of(points: Floats, centres: Floats, labels: Indices) -> float:
    """Return the variance of points around the centres of their senses.

    It is the mean over directions, in which a direction counts as much as it varies. A plain mean would be smaller the
    more directions there are in which nothing happens, and every sense would seem certain.

    Args:
        points: Occurrences. Shape [n, p].
        centres: Shape [k, p].
        labels: Sense of each occurrence. Shape [n].
    """
    within = np.square(points - centres[labels]).mean(axis=0, dtype=np.float64)
    return float(np.square(within).sum() / max(float(within.sum()), _TINY))


def probabilities(points: Floats, centres: Floats, spread: float) -> Doubles:
    """Return the probability of every sense, if senses are spheres of one size and none is more frequent.

    The spheres are three times as wide as the clusters, which makes the probability comparable with the share of right
    senses.

    Args:
        points: Occurrences. Shape [n, p].
        centres: Shape [k, p].
        spread: As from `spread_of`.

    Returns:
        Shape [n, k]. The nearest sense has the largest probability.
    """
    distances = squared_distances(points, centres)
    weights = np.exp((distances.min(axis=1, keepdims=True) - distances) / (2 * _WIDER**2 * max(spread, _TINY)))
    shares: Doubles = weights / weights.sum(axis=1, keepdims=True)
    return shares
