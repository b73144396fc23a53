"""Blending of static word vectors with encodings: an orthogonal map between the spaces, then a weighted mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lexenc.arrays import Doubles, Floats, Matrix, blocks
from lexenc.errors import ConfigError, WorkError
from lexenc.lexical.mapping import fit_normalisation, row_rank, space_rank

_UNIT = fit_normalisation(np.zeros((0, 0)), ["unit"])
_ROWS = 8192
_ROUNDING = 1e-10  # largest share of squared lengths that rounding to float32 may cost


@dataclass(frozen=True)
class Views:
    """Both vectors of the same words in the space of the encoder, rows of unit length.

    Args:
        static: Mapped static vectors, float32, shape [n, d2].
        encoder: Encodings, float32, shape [n, d2].
    """

    static: Floats
    encoder: Floats


def fit_procrustes(static_rows: Matrix, encoder_rows: Matrix) -> Doubles:
    """Compute the orthogonal map that brings static vectors closest to the encodings of the same words.

    Args:
        static_rows: Static vectors of all words of the dictionary, of one language after the other, shape [p, d1].
            Their lengths do not matter.
        encoder_rows: Encodings of the same words, shape [p, d2]. Their lengths do not matter.

    Returns:
        W of shape [d1, d2], float64. W W' = I if d1 <= d2, so that no cosine changes; W' W = I if d1 > d2.

    Raises:
        WorkError: If no word has both vectors.
        ConfigError: If the numbers of rows differ.

    Source: Li et al. 2022; Schönemann 1966. Minimises the distance of F W to G, with F and G the rows at unit length.
    """
    # W = U V' of the singular value decomposition F' G = U S V'.
    first, _, second = np.linalg.svd(_cross(static_rows, encoder_rows), full_matrices=False)
    matrix: Doubles = first @ second
    return matrix


def procrustes_announcement(
    static_rows: Matrix, encoder_rows: Matrix, static: Sequence[Matrix], encoder: Sequence[Matrix]
) -> str | None:
    """Return a sentence for the user if the words are too few to determine the map of `fit_procrustes`, else None.

    Args:
        static_rows: As in `fit_procrustes`.
        encoder_rows: As in `fit_procrustes`.
        static: All static vectors, of both languages, shape [n, d1] each.
        encoder: All encodings, shape [n, d2] each. Rows of zeros do not count.
    """
    rank = min(row_rank(_UNIT.apply(static_rows)), row_rank(_UNIT.apply(encoder_rows)))
    # The map has to match no more dimensions than the space with fewer of them has.
    needed = min(static_rows.shape[1], encoder_rows.shape[1])
    if rank < needed:
        needed = min(space_rank(*static, steps=_UNIT), space_rank(*encoder, steps=_UNIT))
    if rank >= needed:
        return None
    return (
        f"{len(static_rows):,} words determine only {rank} of {needed} dimensions of the map from static vectors "
        "to encodings; the others are matched by chance."
    )


def share_lost(matrix: Doubles, static: Iterable[Matrix]) -> float:
    """Compute the share of static vectors, at unit length, that the map of `fit_procrustes` loses.

    Args:
        matrix: W, shape [d1, d2].
        static: All static vectors, of both languages, shape [n, d1] each.

    Returns:
        Mean share of the squared length. It is 0 if no cosine changes, as with d1 <= d2, or where the vectors have no
        more than d2 independent dimensions.
    """
    if matrix.shape[0] <= matrix.shape[1]:
        return 0.0
    kept, total = 0.0, 0.0
    for one in static:
        for part in blocks(len(one), _ROWS):
            rows = _UNIT.apply(one[part]).astype(np.float64)
            kept += float(np.square(rows @ matrix).sum())
            total += float(np.square(rows).sum())
    share = 1 - kept / total
    return share if share > _ROUNDING else 0.0


def join_views(static: Matrix, encoder: Matrix, matrix: Matrix) -> Views:
    """Map static vectors into the space of the encoder, and scale both to unit length.

    Args:
        static: Static vectors of n words, shape [n, d1].
        encoder: Encodings of the same words, shape [n, d2].
        matrix: W of `fit_procrustes`, shape [d1, d2].

    Returns:
        The input of `blend`, for any number of weights. A word without a static vector (a row of zeros) keeps zeros.

    Raises:
        ConfigError: If the shapes do not fit.
    """
    if len(static) != len(encoder) or (static.shape[1], encoder.shape[1]) != matrix.shape:
        raise ConfigError(
            f"Static vectors {static.shape}, encodings {encoder.shape} and map {matrix.shape} do not fit together."
        )
    mapped = np.empty(encoder.shape, dtype=np.float32)
    for part in blocks(len(static), _ROWS):
        # The first division prevents overflow and underflow in float32. W may shorten the rows again (d1 > d2).
        rows = _UNIT.apply(static[part]) @ matrix.astype(np.float32)
        _UNIT.apply(rows, out=mapped[part])
    return Views(mapped, _UNIT.apply(encoder))


def blend(views: Views, weight: float, *, out: Floats | None = None) -> Floats:
    """Compute the weighted mean of both vectors of every word.

    Args:
        views: Result of `join_views`.
        weight: Share of the encoder in [0, 1] (lambda in the paper): 0 yields the static vectors, 1 the encodings.
        out: Array for the result, shape [n, d2]; must not be one of the views.

    Returns:
        Shape [n, d2], float32. Rows have unit length at the weights 0 and 1 and are shorter between them.

    Raises:
        ConfigError: If the weight is not in [0, 1].

    Source: equation 1 of the paper.
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"The weight of the encoder must be between 0 and 1, got {weight}.")
    result = np.empty(views.encoder.shape, dtype=np.float32) if out is None else out
    for part in blocks(len(result), _ROWS):
        np.multiply(views.static[part], np.float32(1 - weight), out=result[part])
        result[part] += np.float32(weight) * views.encoder[part]
    return result


def blends(views: Views, weights: Iterable[float]) -> Iterator[tuple[float, Floats]]:
    """Yield the result of `blend` for one weight after another; the next weight overwrites the array."""
    out = np.empty(views.encoder.shape, dtype=np.float32)
    for weight in weights:
        yield weight, blend(views, weight, out=out)


def interpolate(static: Matrix, encoder: Matrix, matrix: Matrix, weight: float) -> Floats:
    """Blend static vectors and encodings of the same words: `join_views`, then `blend`."""
    return blend(join_views(static, encoder, matrix), weight)


def _cross(static_rows: Matrix, encoder_rows: Matrix) -> Doubles:
    """Compute F' G of rows at unit length, shape [d1, d2], float64."""
    if len(static_rows) != len(encoder_rows):
        raise ConfigError(f"There are {len(static_rows):,} static vectors and {len(encoder_rows):,} encodings.")
    left, right = (np.array(rows, dtype=np.float64) for rows in (static_rows, encoder_rows))
    if not left.any() or not right.any():
        raise WorkError(
            "No word of the dictionary has both a static vector and an encoding.",
            hint="Check that the dictionary and the vectors are of the same languages, and upper and lower case.",
        )
    _UNIT.change(left)
    _UNIT.change(right)
    product: Doubles = left.T @ right
    return product
