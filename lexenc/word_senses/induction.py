"""Senses of one word, found by clustering the contextual vectors of its occurrences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices
from lexenc.correlation import principal_directions
from lexenc.encoders.base import Encoder
from lexenc.errors import ConfigError
from lexenc.files.text import counted
from lexenc.randomness import generator
from lexenc.word_senses.confidence import probabilities, spread_of, squared_distances

DIRECTIONS, PLAIN_DIRECTIONS = 3, 50
"""Directions in which senses are sought: with a background or for choosing their number, and otherwise."""
SMALLEST = 0.05
"""Smallest share of the occurrences of a sense, if the number of senses is chosen."""
_LEAST_SILHOUETTE = 0.42
"""Silhouette below which a word has one sense.

23 of 30 words of captions and news that have one sense keep one, and all pseudo-words of two or three words get as many
senses. That is the same from 0.40 to 0.43. At 0.45 one word more keeps its sense, but more ambiguous words lose theirs.
"""
_COMPARED = 1000  # occurrences that the silhouette compares with each other
_STARTS, _STEPS = 20, 100
_TINY = 1e-12


@dataclass(frozen=True)
class InducedSenses:
    """Senses of one word.

    Args:
        labels: Sense of each occurrence. Sense 0 is the most frequent one. Shape [n].
        confidence: Confidence in the sense of each occurrence, from 0 to 1. Shape [n].
        centres: Mean vector of each sense, in the space of the input. Shape [k, d].
        mean: Mean of the vectors, which is subtracted before the projection. Shape [d].
        basis: Directions to which vectors are projected. Shape [d, p].
        anchors: Centre of each sense among the projected vectors. Shape [k, p].
        spread: Variance of projected vectors around their anchors, as from `spread_of`.
    """

    labels: Indices
    confidence: Doubles
    centres: Floats
    mean: Floats
    basis: Floats
    anchors: Floats
    spread: float

    @property
    def count(self) -> int:
        """Number of senses."""
        return len(self.centres)

    @property
    def shares(self) -> Doubles:
        """Share of the occurrences that each sense has. Shape [k]."""
        return np.bincount(self.labels, minlength=self.count) / len(self.labels)

    def assign(self, vectors: Floats) -> tuple[Indices, Doubles]:
        """Return the sense of other occurrences of the word, and the confidence in it. Shape [n, d] to [n] each.

        Vectors that the senses were found from get the labels that they have. The confidence is the probability of the
        sense as from `probabilities`.
        """
        points = _projected(vectors, self.mean, self.basis)
        return _nearest(points, self.anchors), probabilities(points, self.anchors, self.spread).max(axis=1)


def default_layer(encoder: Encoder) -> int:
    """Return the layer of an encoder whose vectors separate senses best: the last but one. Static encoders have 0."""
    layers = int(getattr(encoder, "layers", 0))
    return max(min(layers, 1), layers - 1)


def induce_senses(
    vectors: Floats,
    *,
    count: int | None = None,
    most: int = 8,
    seed: int = 0,
    whitening: Floats | None = None,
    directions: int | None = None,
) -> InducedSenses:
    """Find the senses of a word: k-means in the few directions in which its vectors differ most.

    Args:
        vectors: Contextual vectors of the occurrences. Shape [n, d].
        count: Number of senses. If None, it is chosen.
        most: Largest number of senses that is chosen.
        seed: Seed of the starting points.
        whitening: Matrix of `Background.whitening`, which makes directions comparable. Shape [d, d]. If None, the
            directions are compared as they are.
        directions: Number of directions. If None, 3 with `whitening` or if the number of senses is chosen, else 50.

    Raises:
        ConfigError: If there are not as many different vectors as senses.
    """
    matrix = np.asarray(vectors, dtype=np.float32)
    different = len(np.unique(matrix, axis=0))
    if different < max(1, count or 1):
        raise ConfigError(
            f"{counted(different, 'different occurrence')} cannot form {counted(count or 1, 'sense')}.",
            hint="Use fewer senses, or more text.",
        )
    mean = matrix.mean(axis=0)
    white = matrix - mean if whitening is None else (matrix - mean) @ whitening
    some = directions or (PLAIN_DIRECTIONS if whitening is None and count else DIRECTIONS)
    axes = principal_directions(white, some)[0].T
    basis = np.ascontiguousarray(axes if whitening is None else whitening @ axes, dtype=np.float32)
    points = _projected(matrix, mean, basis)
    anchors = _chosen(points, min(most, different), seed) if count is None else _k_means(points, count, seed)
    anchors = anchors[np.argsort(-np.bincount(_nearest(points, anchors), minlength=len(anchors)), kind="stable")]
    labels = _nearest(points, anchors)
    spread = spread_of(points, anchors, labels)
    confidence = probabilities(points, anchors, spread).max(axis=1)
    centres = np.stack([matrix[labels == sense].mean(axis=0) for sense in range(len(anchors))]).astype(np.float32)
    return InducedSenses(labels, confidence, centres, mean, basis, anchors, spread)


def _nearest(points: Floats, anchors: Floats) -> Indices:
    labels: Indices = squared_distances(points, anchors).argmin(axis=1)
    return labels


def _projected(vectors: Floats, mean: Floats, basis: Floats) -> Floats:
    return np.asarray((np.asarray(vectors, dtype=np.float32) - mean) @ basis, dtype=np.float32)


def _k_means(points: Floats, count: int, seed: int) -> Floats:
    """Return the best centres of 20 starts of k-means++, which run side by side. Shape [n, p] to [k, p]."""
    random, size = generator(seed, "starts of senses"), len(points)
    x = points.astype(np.float64)
    squares = np.square(x).sum(axis=1)
    centres = np.empty((_STARTS, count, x.shape[1]))
    centres[:, 0] = x[random.integers(size, size=_STARTS)]
    far = np.full((_STARTS, size), np.inf)
    for place in range(1, count):
        last = centres[:, place - 1]
        distances = squares + np.square(last).sum(axis=1)[:, None] - 2 * last @ x.T
        far = np.minimum(far, np.maximum(distances, 0))
        sums = far.cumsum(axis=1)
        drawn = random.random(_STARTS) * sums[:, -1]
        rows = [
            min(int(np.searchsorted(own, each, side="right")), size - 1) for own, each in zip(sums, drawn, strict=True)
        ]
        centres[:, place] = x[rows]
    labels = np.zeros((_STARTS, size), dtype=np.int64)
    costs = np.zeros(_STARTS)
    for step in range(_STEPS):
        distances = np.square(centres).sum(axis=2)[:, :, None] - 2 * centres @ x.T
        found, costs = distances.argmin(axis=1), distances.min(axis=1).sum(axis=1)
        if step and (found == labels).all():
            break
        labels = found
        members = (labels[:, None] == np.arange(count)[:, None]).astype(np.float64)
        counts = members.sum(axis=2)[:, :, None]
        centres = np.where(counts > 0, members @ x / np.maximum(counts, 1), centres)
    return np.asarray(centres[costs.argmin()], dtype=np.float32)


def _chosen(points: Floats, most: int, seed: int) -> Floats:
    """Return the anchors of the number of senses with the largest silhouette, less small ones. Shape [n, p] to [k, p].

    A word has one sense if no silhouette (Rousseeuw 1987) reaches a least value.
    """
    best, anchors = _LEAST_SILHOUETTE, np.asarray(points.mean(axis=0, keepdims=True), dtype=np.float32)
    rows = generator(seed, "silhouette").permutation(len(points))[:_COMPARED]
    for count in range(2, most + 1):
        found = _k_means(points, count, seed)
        labels = _nearest(points, found)
        while (shares := np.bincount(labels, minlength=len(found)) / len(labels)).min() < SMALLEST:
            found = np.delete(found, shares.argmin(), axis=0)
            labels = _nearest(points, found)
        score = _silhouette(points[rows], labels[rows])
        if score > best:
            best, anchors = score, found
    return anchors


def _silhouette(points: Floats, labels: Indices) -> float:
    """Return the mean silhouette of points; 0 if they have one label. Shape [n, p] and [n]."""
    names, places = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        return 0.0
    squares = np.square(points).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0))
    members = (places[:, None] == np.arange(len(names))).astype(np.float64)
    counts, rows = members.sum(axis=0), np.arange(len(points))
    sums = distances @ members
    inside = sums[rows, places] / np.maximum(counts[places] - 1, 1)
    others = sums / counts
    others[rows, places] = np.inf
    outside = others.min(axis=1)
    return float(np.mean((outside - inside) / np.maximum(np.maximum(inside, outside), _TINY)))
