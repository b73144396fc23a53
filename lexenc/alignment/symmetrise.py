"""Symmetrisation: the links of two directions become one set."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.alignment import Symmetrisation
from lexenc.arrays import Indices
from lexenc.compiled import compiled
from lexenc.errors import unknown_name
from lexenc.text.links import Links

SYMMETRISATIONS: tuple[str, ...] = get_args(Symmetrisation)
_THRESHOLD, _INTERSECTION, _UNION, _GROW, _FINAL, _FINAL_AND, _FORWARD, _BACKWARD = range(8)


def links_of(
    source_lengths: Indices,
    target_lengths: Indices,
    forward: NDArray[Any],
    backward: NDArray[Any],
    how: Symmetrisation,
    *,
    sure: float = 1.0,
    threshold: float = 0.45,
) -> Links:
    """Combine the links of both directions of many sentence pairs.

    Args:
        source_lengths: Number of words of every source sentence. Shape [n].
        target_lengths: Number of words of every target sentence. Shape [n].
        forward: Tables [target words, source words], end to end: probability that the target word is linked to the
            source word, times `sure`. Those of a target word sum up to at most `sure`; the rest is the probability that
            it is not linked. Use zeros and ones for links without probabilities. Shape [cells].
        backward: Tables [source words, target words] of the other direction. Shape [cells].
        how: threshold: pairs whose mean probability reaches `threshold`. All others combine the most probable link (or
            none) of every word. intersection: links in both directions. union: links in either direction. grow-diag:
            the intersection, and neighbouring links of the union with a word that is not linked yet (Koehn et al.
            2003). grow-diag-final: also links of either direction with such a word anywhere. grow-diag-final-and: only
            those with two such words. forward, backward: the links of one direction.
        sure: Value of a certain link in the tables.
        threshold: Smallest mean probability, if `how` is "threshold".

    Returns:
        Links whose score is the mean probability of the two directions.

    Raises:
        ConfigError: If there is no such symmetrisation.
    """
    if how not in SYMMETRISATIONS:
        raise unknown_name("symmetrisation", how, SYMMETRISATIONS)
    # Memory that is never written to is never taken.
    source, target = np.empty(len(forward), dtype=np.int32), np.empty(len(forward), dtype=np.int32)
    scores, starts = np.empty(len(forward), dtype=np.float32), np.zeros(len(source_lengths) + 1, dtype=np.int64)
    widest, highest = int(source_lengths.max(initial=1)), int(target_lengths.max(initial=1))
    _links(source_lengths, target_lengths, forward, backward, 1 / sure, SYMMETRISATIONS.index(how), threshold,
           starts, source, target, scores, widest, highest)  # fmt: skip
    end = starts[-1]
    return Links(starts, source[:end].copy(), target[:end].copy(), scores[:end].copy())


@compiled
def _links(  # noqa: PLR0913 - one loop, for the speed of it
    source_lengths: Any, target_lengths: Any, forward: Any, backward: Any, unit: float, how: int, threshold: float,
    starts: Any, source: Any, target: Any, scores: Any, widest: int, highest: int,
) -> None:  # fmt: skip
    """Fill in the links of all sentence pairs."""
    kept = np.zeros((widest, highest), dtype=np.bool_)
    one, other = np.zeros_like(kept), np.zeros_like(kept)
    ahead = np.zeros((widest, highest), dtype=np.float32)
    back = np.zeros((widest, highest), dtype=np.float32)
    cell, end = 0, 0
    for sentence in range(len(source_lengths)):
        width, height = source_lengths[sentence], target_lengths[sentence]
        for i in range(width):
            for j in range(height):
                ahead[i, j] = forward[cell + j * width + i] * unit
                back[i, j] = backward[cell + i * height + j] * unit
        cell += width * height
        _choose(ahead[:width, :height], back[:width, :height], how, threshold, kept, one, other)
        for i in range(width):
            for j in range(height):
                if kept[i, j]:
                    source[end], target[end] = i, j
                    scores[end] = (ahead[i, j] + back[i, j]) / 2
                    end += 1
        starts[sentence + 1] = end


@compiled
def _choose(forward: Any, backward: Any, how: int, threshold: float, kept: Any, one: Any, other: Any) -> None:
    """Mark the links of one sentence pair in `kept`, with `one` and `other` as working space."""
    width, height = forward.shape
    for i in range(width):
        for j in range(height):
            kept[i, j] = how == _THRESHOLD and (forward[i, j] + backward[i, j]) >= 2 * threshold
            one[i, j] = False
            other[i, j] = False
    if how == _THRESHOLD or width == 0 or height == 0:
        return
    _best(forward, one)
    _best(backward.T, other.T)
    for i in range(width):
        for j in range(height):
            if how == _UNION:
                kept[i, j] = one[i, j] or other[i, j]
            else:
                kept[i, j] = (one[i, j] or how == _BACKWARD) and (other[i, j] or how == _FORWARD)
    if how in (_GROW, _FINAL, _FINAL_AND):
        _grow(kept, one, other, width, height)
    if how in (_FINAL, _FINAL_AND):
        _finish(kept, one, width, height, how == _FINAL_AND)
        _finish(kept, other, width, height, how == _FINAL_AND)


@compiled
def _best(probabilities: Any, taken: Any) -> None:
    """Mark the most probable row of every column, unless no link is more probable."""
    width, height = probabilities.shape
    for j in range(height):
        place, total = 0, 0.0
        for i in range(width):
            total += probabilities[i, j]
            if probabilities[i, j] > probabilities[place, j]:
                place = i
        if probabilities[place, j] > 0 and probabilities[place, j] >= 1 - total - 1e-6:
            taken[place, j] = True


@compiled
def _grow(kept: Any, one: Any, other: Any, width: int, height: int) -> None:
    """Add neighbours of links that are in the union and have a word that is not linked."""
    grown = True
    while grown:
        grown = False
        for i in range(width):
            for j in range(height):
                if not kept[i, j]:
                    continue
                for x in range(max(i - 1, 0), min(i + 2, width)):
                    for y in range(max(j - 1, 0), min(j + 2, height)):
                        if kept[x, y] or not (one[x, y] or other[x, y]):
                            continue
                        if not kept[x, :height].any() or not kept[:width, y].any():
                            kept[x, y] = True
                            grown = True


@compiled
def _finish(kept: Any, direction: Any, width: int, height: int, both: bool) -> None:
    """Add the links of one direction with a word, or both words, not linked."""
    for i in range(width):
        for j in range(height):
            if not direction[i, j] or kept[i, j]:
                continue
            free, also = not kept[i, :height].any(), not kept[:width, j].any()
            if (free and also) if both else (free or also):
                kept[i, j] = True
