"""Scores on development data, by which the trainer finds the best weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from lexenc.arrays import blocks
from lexenc.correlation import cosines, spearman
from lexenc.encoders.base import Encoder
from lexenc.encoders.encode import encode_texts
from lexenc.training.data import PairData

_QUERIES = 1024


def retrieval_accuracy(encoder: Encoder, data: PairData) -> float:
    """Return how often the nearest text of the other side is a right one, as the mean over both directions.

    Every distinct text of a side is one query, and one candidate of the other direction. Similarity is the cosine.
    `eval retrieval` counts lines instead: only the text of the same line is right there, so that lines that repeat a
    text cannot all be right.

    Args:
        encoder: The encoder.
        data: Development pairs, without hard negatives.
    """
    vectors = _vectors(encoder, data)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    right = np.unique(data.anchors * len(data.texts) + data.positives)
    sources, targets = np.unique(data.anchors), np.unique(data.positives)
    forward = sources * len(data.texts) + targets[_nearest(vectors[sources], vectors[targets])]
    backward = sources[_nearest(vectors[targets], vectors[sources])] * len(data.texts) + targets
    return float(np.mean([np.isin(found, right).mean() for found in (forward, backward)]))


def mean_retrieval_accuracy(encoder: Encoder, data: Sequence[PairData]) -> float:
    """Return the mean of `retrieval_accuracy` over some languages, each with the same weight."""
    return fmean(retrieval_accuracy(encoder, each) for each in data)


def mean_spearman(encoder: Encoder, data: Sequence[tuple[PairData, Sequence[float]]]) -> float:
    """Return Spearman's correlation of cosines with the scores that people gave, the mean over some sets of pairs.

    Args:
        encoder: The encoder.
        data: Pairs of every set, and a score for each of them.

    Returns:
        NaN where a correlation is not defined: cosines or scores are all equal, or there is only one pair.
    """
    return fmean(_spearman(encoder, pairs, scores) for pairs, scores in data)


def _spearman(encoder: Encoder, pairs: PairData, scores: Sequence[float]) -> float:
    vectors = _vectors(encoder, pairs)
    found = cosines(vectors[pairs.anchors], vectors[pairs.positives])
    correlation = spearman(np.nan_to_num(found), np.asarray(scores, dtype=np.float64))
    return math.nan if correlation is None else correlation


def _vectors(encoder: Encoder, data: PairData) -> np.ndarray:
    """Encode all texts, each in its language. Shape [number of texts, d]."""
    if data.languages is None:
        return encode_texts(encoder, data.texts)
    spoken: Any = encoder
    found = np.empty((len(data.texts), encoder.dimensions), dtype=np.float32)
    before = spoken.language_number
    try:
        for number in np.unique(data.languages):
            spoken.language_number = int(number)
            rows = np.flatnonzero(data.languages == number)
            found[rows] = encode_texts(encoder, [data.texts[row] for row in rows])
    finally:
        spoken.language_number = before
    return found


def _nearest(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the candidate with the largest product for each query. Shape [n]."""
    return np.concatenate([(queries[part] @ candidates.T).argmax(axis=1) for part in blocks(len(queries), _QUERIES)])
