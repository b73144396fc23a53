"""Cosines of pairs of vectors, vectors of length 1, principal directions, and correlations of two lists of numbers."""

from __future__ import annotations

import numpy as np

from lexenc.arrays import Doubles, Floats, Matrix, blocks

_DIGITS = 10  # pairs of equal words must tie, and not be ranked by the last bit of a cosine of 1
_BLOCK = 8192  # rows at a time


def cosines(first: np.ndarray, second: np.ndarray) -> Doubles:
    """Return the cosine of every pair of rows, with ten digits; nan where a row is all zeros. Shape [n, d] to [n]."""
    found = np.full(len(first), np.nan)
    for part in blocks(len(first), _BLOCK):
        left, right = unit_rows(first[part]), unit_rows(second[part])
        found[part] = np.where(left.any(axis=1) & right.any(axis=1), np.einsum("nd,nd->n", left, right), np.nan)
    limited: Doubles = np.clip(found.round(_DIGITS), -1, 1)
    return limited


def unit_rows(rows: Matrix) -> Doubles:
    """Return vectors of length 1, float64. A vector of zeros stays as it is. Shape [n, d] or [n, k, d]."""
    unit = np.zeros(rows.shape)
    for part in blocks(len(rows), _BLOCK):
        own = np.asarray(rows[part], dtype=np.float64)
        # Squares of tiny numbers would be lost. A power of two changes no digit of the others.
        _, exponents = np.frexp(np.abs(own).max(axis=-1, initial=0.0, keepdims=True))
        own = np.ldexp(own, -exponents)
        lengths = np.linalg.norm(own, axis=-1, keepdims=True)
        np.divide(own, lengths, out=unit[part], where=lengths > 0)
    return unit


def principal_directions(centred: Floats | Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Return the directions in which vectors differ most (Hotelling 1933), the largest first.

    Args:
        centred: Vectors whose mean is 0. Shape [n, d].
        count: Number of directions.

    Returns:
        The directions, shape [p, d], and the sum of the squares of the vectors along each, shape [p]. There are fewer
        than `count` if n or d is smaller.
    """
    rows, width = centred.shape
    if rows > width:
        gram = np.zeros((width, width))
        for part in blocks(rows, _BLOCK):
            wide = np.asarray(centred[part], dtype=np.float64)
            gram += wide.T @ wide
        sums, columns = np.linalg.eigh(gram)
        sums, directions = np.maximum(sums[::-1], 0), columns.T[::-1]
    else:
        _, strengths, directions = np.linalg.svd(np.asarray(centred, dtype=np.float64), full_matrices=False)
        sums = strengths**2
    directions = directions[:count]
    # The sign of a direction is arbitrary. Its largest entry decides, so that every machine finds the same.
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    return directions * signs[:, None], sums[:count]


def average_ranks(values: np.ndarray) -> Doubles:
    """Rank values from 1; equal ones share the mean of their ranks. Shape [n], float64."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Doubles = (np.cumsum(counts) - (counts - 1) / 2)[group]
    return ranks


def pearson(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return Pearson's correlation, or None where it is not defined: one pair, or values that are all equal."""
    if len(first) < 2 or is_constant(first) or is_constant(second):
        return None
    left, right = (values - values.mean() for values in (np.asarray(first, float), np.asarray(second, float)))
    found = float(left @ right / np.sqrt((left @ left) * (right @ right)))
    return min(1.0, max(-1.0, found))


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return Spearman's correlation with average ranks for ties, or None where it is not defined."""
    return pearson(average_ranks(first), average_ranks(second))


def is_constant(values: np.ndarray) -> bool:
    """Return whether all values are equal, also if there are none."""
    return bool(len(values) == 0 or (values == values[0]).all())
