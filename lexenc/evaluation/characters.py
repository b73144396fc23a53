"""A control for evaluations of sentences that uses spelling alone: cosines of weighted character n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lexenc.arrays import Doubles, Indices, blocks

NAME = "characters only"
SHORTEST, LONGEST = 2, 4
_CELLS = 1 << 22  # cosines in memory at a time


def character_cosines(source: Sequence[str], target: Sequence[str]) -> Doubles:
    """Return the cosine of the two texts of every pair, 0 where a text has no n-gram. Shape [n], float64.

    Args:
        source: Texts.
        target: Texts that they are compared with, as many.
    """
    rows = _weighted(source, target)
    if rows is None:
        return np.zeros(len(source))
    products: Doubles = np.asarray(rows[0].multiply(rows[1]).sum(axis=1), dtype=np.float64).ravel()
    return products


def character_neighbours(source: Sequence[str], target: Sequence[str]) -> tuple[Indices, Indices]:
    """Return the nearest target of every source, shape [n], and the nearest source of every target, shape [m].

    Of equal cosines, the lower index comes first. -1 stands for a text that has no n-gram in common with any other.

    Args:
        source: Texts.
        target: Texts of the other side.

    Memory: sparse rows, and four million cosines at a time.
    """
    forward, backward = np.full(len(source), -1, dtype=np.int64), np.full(len(target), -1, dtype=np.int64)
    rows = _weighted(source, target)
    if rows is None:
        return forward, backward
    left, right = rows[0], rows[1].T.tocsr()
    best = np.zeros(len(target))
    for part in blocks(len(source), max(1, _CELLS // max(1, len(target)))):
        cosines: Doubles = (left[part] @ right).toarray()
        found = cosines.argmax(axis=1)
        known = cosines[np.arange(len(found)), found] > 0
        forward[part] = np.where(known, found, -1)
        highest = cosines.max(axis=0)
        better = np.flatnonzero(highest > best)
        backward[better], best[better] = part.start + cosines[:, better].argmax(axis=0), highest[better]
    return forward, backward


def _weighted(source: Sequence[str], target: Sequence[str]) -> tuple[Any, Any] | None:
    """Return both sides as sparse rows of length 1, or None if no text has an n-gram.

    Character n-grams within words, with a space at each end of a word; 1 + log of their counts, weighted by smoothed
    inverse document frequencies of both sides together, as scikit-learn computes them.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    model = TfidfVectorizer(analyzer="char_wb", ngram_range=(SHORTEST, LONGEST), sublinear_tf=True)
    try:
        rows = model.fit_transform([*source, *target])
    except ValueError:  # no text has two characters
        return None
    return rows[: len(source)], rows[len(source) :]
