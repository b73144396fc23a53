"""First dictionaries for self-learning: identical strings, numerals, or pairs found from the vectors alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lexenc.arrays import Indices, Matrix
from lexenc.errors import WorkError
from lexenc.lexical.mapping import normalise


def identical_pairs(source: Sequence[str], target: Sequence[str]) -> tuple[Indices, Indices]:
    """Pair the words that are written alike in both vocabularies.

    Args:
        source: Words of the source language. The first of repeated words counts.
        target: Words of the target language.

    Returns:
        Source rows and target rows, shape [p] each, in the order of the source.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(target):
        places.setdefault(word, place)
    first: dict[str, int] = {}
    for place, word in enumerate(source):
        if word in places:
            first.setdefault(word, place)
    rows = np.fromiter(first.values(), dtype=np.int64, count=len(first))
    return rows, np.array([places[word] for word in first], dtype=np.int64)


def numeral_pairs(source: Sequence[str], target: Sequence[str]) -> tuple[Indices, Indices]:
    """Pair the numbers among `identical_pairs`: only digits, of any script (Artetxe et al. 2017, section 5.1)."""
    rows, columns = identical_pairs(source, target)
    kept = np.array([source[row].isdecimal() for row in rows], dtype=np.bool_)
    return rows[kept], columns[kept]


def similarity_pairs(
    source: Matrix, target: Matrix, *, words: int = 4000, neighbours: int = 10
) -> tuple[Indices, Indices]:
    """Pair words whose sorted similarities to the words of their own language are alike.

    Args:
        source: Normalised source vectors, most frequent first, shape [n, d].
        target: Normalised target vectors, shape [m, d].
        words: Number of most frequent words to compare, the same for both languages.
        neighbours: Neighbours averaged for CSLS; 0 ranks by cosine.

    Returns:
        Source rows and target rows: the best partner of every source word, then that of every target word.

    Raises:
        WorkError: If a vocabulary is empty.

    Source: Artetxe et al. 2018 (ACL), section 3.2: the rows of the square roots of both similarity matrices, each
    sorted, then unit, center, unit; words that mean the same have the same distribution of similarities.
    """
    size = min(words, len(source), len(target))
    if not size:
        raise WorkError("A vocabulary is empty.")
    left, right = (_distributions(side[:size]) for side in (source, target))
    scores = left @ right.T
    if neighbours:
        count = min(neighbours, size)
        rows = np.partition(scores, size - count, axis=1)[:, size - count :].mean(axis=1)
        columns = np.partition(scores, size - count, axis=0)[size - count :].mean(axis=0)
        scores -= rows[:, None] / 2
        scores -= columns / 2
    own = np.arange(size)
    forward, backward = scores.argmax(axis=1), scores.argmax(axis=0)
    return np.concatenate([own, backward]), np.concatenate([forward, own])


def _distributions(matrix: Matrix) -> Matrix:
    """Return the sorted, normalised rows of (X X')^(1/2), shape [n, n]."""
    left, values, _ = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    root = ((left * values) @ left.T).astype(np.float32)
    root.sort(axis=1)
    return normalise(root, ["unit", "center", "unit"], out=root)[0]
