"""Senses of one word, found by clustering the contextual vectors of its occurrences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices
from lexenc.encoders.base import Encoder
from lexenc.errors import ConfigError
from lexenc.files.text import counted
from lexenc.randomness import derived_seed

_STARTS = 10
_LEAST_SILHOUETTE = 0.1  # below it, a word has one sense
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
        spread: Mean squared distance of a projected vector to its anchor.
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

        Vectors that the senses were found from get the labels that they have.
        """
        return _nearest(_projected(vectors, self.mean, self.basis), self.anchors, self.spread)


def induce_senses(vectors: Floats, *, count: int | None = None, most: int = 8, seed: int = 0) -> InducedSenses:
    """Find the senses of a word: k-means on the centred vectors of its occurrences.

    Args:
        vectors: Contextual vectors of the occurrences. Shape [n, d].
        count: Number of senses. If None, it is chosen.
        most: Largest number of senses that is chosen.
        seed: Seed of the starting points.

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
    basis = _directions(matrix - mean)
    points = _projected(matrix, mean, basis)
    anchors = _k_means(points, count, seed) if count else _chosen(points, min(most, different - 1), seed)
    labels, _ = _nearest(points, anchors, 1.0)
    anchors = anchors[np.argsort(-np.bincount(labels, minlength=len(anchors)), kind="stable")]
    labels, _ = _nearest(points, anchors, 1.0)
    spread = float(np.square(points - anchors[labels]).sum(axis=1).mean())
    _, confidence = _nearest(points, anchors, spread)
    centres = np.stack([matrix[labels == sense].mean(axis=0) for sense in range(len(anchors))]).astype(np.float32)
    return InducedSenses(labels, confidence, centres, mean, basis, anchors, spread)


def default_layer(encoder: Encoder) -> int:
    """Return the layer of an encoder whose vectors separate senses best: the last but one. Static encoders have 0."""
    layers = int(getattr(encoder, "layers", 0))
    return max(min(layers, 1), layers - 1)


def _directions(centred: Floats) -> Floats:
    """Return the principal directions of centred vectors. Shape [n, d] to [d, p]."""
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    kept = max(1, int((sizes > sizes[0] * 1e-6).sum()))
    return np.ascontiguousarray(directions[:kept].T)


def _projected(vectors: Floats, mean: Floats, basis: Floats) -> Floats:
    return np.asarray((np.asarray(vectors, dtype=np.float32) - mean) @ basis, dtype=np.float32)


def _k_means(points: Floats, count: int, seed: int) -> Floats:
    from sklearn.cluster import KMeans

    found = KMeans(count, n_init=_STARTS, random_state=derived_seed(seed, "senses") % (1 << 32)).fit(points)
    return np.asarray(found.cluster_centers_, dtype=np.float32)


def _chosen(points: Floats, most: int, seed: int) -> Floats:
    """Return the anchors of the clustering with the largest silhouette, or of a single sense."""
    from sklearn.metrics import silhouette_score

    best = _LEAST_SILHOUETTE
    chosen = np.asarray(points.mean(axis=0, keepdims=True), dtype=np.float32)
    for count in range(2, most + 1):
        anchors = _k_means(points, count, seed)
        labels, _ = _nearest(points, anchors, 1.0)
        score = silhouette_score(points, labels)
        if score > best:
            best, chosen = score, anchors
    return chosen


def _nearest(points: Floats, anchors: Floats, spread: float) -> tuple[Indices, Doubles]:
    """Return the nearest anchor of each point, and its share among all, by distance in units of the spread."""
    distances = np.square(points[:, None].astype(np.float64) - anchors[None]).sum(axis=2)
    labels = distances.argmin(axis=1)
    weights = np.exp((distances.min(axis=1, keepdims=True) - distances) / max(spread, _TINY))
    return labels, weights.max(axis=1) / weights.sum(axis=1)
