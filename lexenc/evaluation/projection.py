"""Vectors on a plane, for pictures, and numbers of the whole space that a picture is checked against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lexenc.arrays import Doubles, Indices, blocks
from lexenc.correlation import principal_directions

_DIGITS = 6  # cosines of equal texts must tie, and not be ranked by their last bits
_NEIGHBOURS = 5  # of trustworthiness, as in scikit-learn


def principal_plane(rows: Doubles) -> tuple[Doubles, Doubles]:
    """Project vectors on their first two principal components.

    Args:
        rows: The vectors. Shape [n, d].

    Returns:
        Positions, shape [n, 2], and the share of the variance along each axis, shape [2].
    """
    centred = rows - rows.mean(axis=0)
    axes, sums = principal_directions(centred, 2)
    # Vectors of one dimension lie on a line.
    places = np.pad(centred @ axes.T, ((0, 0), (0, 2 - len(axes))))
    share = np.pad(sums, (0, 2 - len(sums))) / max(float(np.square(centred).sum()), 1e-30)
    return places, share


def leading_plane(rows: Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Project vectors on the first two principal components of some of them, e.g. of senses and not of words.

    Where these have fewer than two components, what they leave of all vectors brings the others.

    Args:
        rows: The vectors. Shape [n, d].
        count: Number of vectors, the first ones, whose components are meant. At least 1.

    Returns:
        As for `principal_plane`, with shares of the variance of all vectors.
    """
    centred = rows - rows[:count].mean(axis=0)
    axes, sums = principal_directions(centred[:count], 2)
    leading = axes[sums > max(1e-12 * float(sums[0]), 1e-24)]
    along = centred @ leading.T
    rest, _ = principal_plane(centred - along @ leading)
    places = np.concatenate([along, rest], axis=1)[:, :2]
    total = max(float(np.square(rows - rows.mean(axis=0)).sum()), 1e-30)
    return places, np.square(places - places.mean(axis=0)).sum(axis=0) / total


def neighbour_plane(rows: Doubles, *, perplexity: float) -> Doubles:
    """Place vectors on a plane by t-SNE (van der Maaten and Hinton 2008), which keeps neighbours together.

    It starts from the principal components and uses one thread, so that equal vectors give equal pictures.

    Args:
        rows: The vectors. Shape [n, d].
        perplexity: Number of neighbours that each point has in effect. Less than n.

    Returns:
        Positions. Shape [n, 2].
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    start, _ = principal_plane(rows)
    start *= 1e-4 / max(float(start[:, 0].std()), 1e-30)  # the spread that scikit-learn starts with
    with threadpool_limits(1):
        model = TSNE(init=start.astype(np.float32), perplexity=perplexity, learning_rate="auto", random_state=0)
        places: Doubles = model.fit_transform(rows.astype(np.float32)).astype(np.float64)
    return places


def trustworthiness(rows: Doubles, places: Doubles) -> float | None:
    """Return how far the neighbours on a plane are neighbours in space too, at most 1 (Venna and Kaski 2001).

    None for fewer than five points.
    """
    from sklearn.manifold import trustworthiness as measured

    if len(rows) < _NEIGHBOURS:
        return None
    return float(measured(rows, places, n_neighbors=min(_NEIGHBOURS, (len(rows) - 1) // 2)))


@dataclass(frozen=True)
class Closeness:
    """How texts of several languages lie in a space.

    Args:
        together: Mean cosine of translations; nan without any.
        apart: Mean cosine of texts of different languages that are no translations; nan without any.
        same_language: Share of the texts whose nearest text is of the same language. Of several equally near texts each
            counts in part.
        by_chance: That share if languages made no difference.
    """

    together: float
    apart: float
    same_language: float
    by_chance: float


def closeness(unit: Doubles, languages: Indices, pairs: Indices) -> Closeness:
    """Measure how texts of several languages lie in a space.

    Args:
        unit: Vectors of length 1. Shape [n, d], n at least 2.
        languages: Number of the language of each. Shape [n].
        pairs: Texts of different languages that are translations, each pair once. Shape [p, 2].
    """
    n = len(unit)
    shares, total, count = np.empty(n), 0.0, 0
    for part in blocks(n, 1024):
        cosines = unit[part] @ unit.T
        same = languages[part, None] == languages
        total += float(cosines[~same].sum())
        count += int((~same).sum())
        cosines = cosines.round(_DIGITS)
        cosines[np.arange(len(cosines)), np.arange(n)[part]] = -np.inf
        nearest = cosines == cosines.max(axis=1, keepdims=True)
        shares[part] = (nearest & same).sum(axis=1) / nearest.sum(axis=1)
    joined = float(np.einsum("pd,pd->", unit[pairs[:, 0]], unit[pairs[:, 1]]))
    others = count // 2 - len(pairs)
    sizes = np.bincount(languages)
    return Closeness(
        joined / len(pairs) if len(pairs) else np.nan,
        (total / 2 - joined) / others if others else np.nan,
        float(shares.mean()),
        float(((sizes[languages] - 1) / (n - 1)).mean()),
    )
