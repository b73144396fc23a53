"""Scores on development data, by which the trainer finds the best weights."""

from __future__ import annotations

import numpy as np

from lexenc.arrays import blocks
from lexenc.encoders.base import Encoder
from lexenc.encoders.encode import encode_texts
from lexenc.training.data import PairData

_QUERIES = 1024


def retrieval_accuracy(encoder: Encoder, data: PairData) -> float:
    """Return how often the nearest text of the other side is a right one, as the mean over both directions.

    Every distinct text of a side is one query, and one candidate of the other direction. Similarity is the cosine.

    Args:
        encoder: The encoder.
        data: Development pairs, without hard negatives.
    """
    vectors = encode_texts(encoder, data.texts)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    right = np.unique(data.anchors * len(data.texts) + data.positives)
    sources, targets = np.unique(data.anchors), np.unique(data.positives)
    forward = sources * len(data.texts) + targets[_nearest(vectors[sources], vectors[targets])]
    backward = sources[_nearest(vectors[targets], vectors[sources])] * len(data.texts) + targets
    return float(np.mean([np.isin(found, right).mean() for found in (forward, backward)]))


def _nearest(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the candidate with the largest product for each query. Shape [n]."""
    return np.concatenate([(queries[part] @ candidates.T).argmax(axis=1) for part in blocks(len(queries), _QUERIES)])
