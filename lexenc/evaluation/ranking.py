"""Scores from ranks: precision at k, mean reciprocal rank, mean average precision.

`best_ranks` are those of the best gold answer of every query, from 1; 0 where none can be found. Shape [q].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CUTOFFS = (1, 5, 10)


def hits_at(best_ranks: np.ndarray, cutoff: int) -> np.ndarray:
    """Return 1.0 for every query with a gold answer among the first, else 0.0. Shape [q], float64."""
    return ((best_ranks > 0) & (best_ranks <= cutoff)).astype(np.float64)


def reciprocal_ranks(best_ranks: np.ndarray) -> np.ndarray:
    """Return 1 / rank, and 0 where there is none. Shape [q], float64."""
    values = np.zeros(len(best_ranks))
    np.divide(1.0, best_ranks, out=values, where=best_ranks > 0)
    return values


def average_precisions(ranks: Sequence[np.ndarray], gold_counts: Sequence[int]) -> np.ndarray:
    """Return the mean over a query's gold answers of (gold answers up to its rank) / rank; 0 for one not found.

    Ranks are those of the gold answers that can be found, from 1, one array per query. Shape [q].
    """
    values = np.zeros(len(ranks))
    for place, (own, count) in enumerate(zip(ranks, gold_counts, strict=True)):
        ordered = np.sort(own)
        values[place] = (np.arange(1, len(ordered) + 1) / ordered).sum() / count if count else 0.0
    return values


def best_of(ranks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the best rank of every query, 0 where there is none. Shape [q], int64."""
    return np.array([int(own.min()) if len(own) else 0 for own in ranks], dtype=np.int64)
