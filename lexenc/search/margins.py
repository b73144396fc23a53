"""Margins of sentence pairs, the pairs that are mined by them, and the threshold above which pairs are accepted.

The margin compares the cosine of a pair with the mean cosine of both sentences to their nearest neighbours on the
other side. A cosine means little by itself, because some sentences are close to everything.

Source: Artetxe and Schwenk 2019 (ACL), "Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings",
section 3; k = 4, the three margins and four ways to keep pairs are those of its section 3 and of LASER.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lexenc.arrays import blocks
from lexenc.errors import unknown_name
from lexenc.search import MARGINS
from lexenc.search.neighbours import Doubles, Indices, Matrix, Neighbours

Keep = Literal["max", "intersection", "forward", "backward"]
NEIGHBOURS = 4
_BLOCK = 4096


class MinedPairs(NamedTuple):
    """Pairs of a source row and a target row, best first. Shape [p] each.

    Args:
        source: Source rows.
        target: Target rows.
        scores: Margins.
    """

    source: Indices
    target: Indices
    scores: Doubles

    def take(self, chosen: NDArray[Any]) -> MinedPairs:
        """Return the pairs at some positions, or those that a mask chooses."""
        return MinedPairs(self.source[chosen], self.target[chosen], self.scores[chosen])


def ratio(cosines: Doubles, means: Doubles) -> Doubles:
    """Divide the cosine by the mean; -inf where the mean is not positive, so that no ratio is defined."""
    ratios: Doubles = np.divide(cosines, means, out=np.full(np.shape(cosines), -np.inf), where=means > 0)
    return ratios


def distance(cosines: Doubles, means: Doubles) -> Doubles:
    """Subtract the mean from the cosine."""
    return cosines - means


def absolute(cosines: Doubles, means: Doubles) -> Doubles:
    """Return the cosine itself."""
    return cosines


def neighbour_means(neighbours: Neighbours) -> Doubles:
    """Return the mean score of every row to its neighbours, 0 for a row that has none. Shape [q]."""
    found = neighbours.indices >= 0
    counts = np.maximum(1, found.sum(axis=1))
    means: Doubles = np.where(found, neighbours.scores, 0.0).sum(axis=1) / counts
    return means


def margin_scores(cosines: ArrayLike, source_means: ArrayLike, target_means: ArrayLike, margin: str) -> Doubles:
    """Compute margins of pairs.

    Args:
        cosines: Cosine of every pair. Any shape.
        source_means: Mean cosine of the source of every pair to its nearest targets. A shape that fits.
        target_means: Mean cosine of the target of every pair to its nearest sources. A shape that fits.
        margin: `ratio` (cosine / mean of both means; -inf where that is not positive), `distance` (cosine - mean of
            both means), `absolute` (cosine), or one that another package registers.

    Raises:
        ConfigError: If the margin does not exist.
    """
    own = np.asarray(cosines, dtype=np.float64)
    means = (np.asarray(source_means, dtype=np.float64) + np.asarray(target_means, dtype=np.float64)) / 2
    scores: Doubles = MARGINS[margin](own, np.broadcast_to(means, own.shape))
    return scores


def mined(
    forward: Neighbours,
    backward: Neighbours,
    *,
    margin: str = "ratio",
    keep: str = "max",
    allows: Callable[[Indices, Indices], NDArray[np.bool_]] | None = None,
) -> MinedPairs:
    """Choose pairs by their margin among the nearest neighbours of both sides.

    Args:
        forward: Nearest targets of every source.
        backward: Nearest sources of every target.
        margin: Name of the margin.
        keep: `forward` keeps the best target of every source, `backward` the best source of every target,
            `intersection` the pairs that are both, and `max` takes the best pairs of either direction one after
            another, each row at most once. With `forward` a target, and with `backward` a source, may be in several
            pairs.
        allows: Returns which of some source and target rows may be a pair; by default all. The means are still those
            of all neighbours.

    Returns:
        Pairs by falling margin; equal margins by source row, then by target row. Pairs whose margin is not defined
        are left out.

    Raises:
        ConfigError: If the margin or the way to keep pairs does not exist.
    """
    if keep not in get_args(Keep):
        raise unknown_name("way to keep pairs", keep, get_args(Keep))
    means = neighbour_means(forward), neighbour_means(backward)
    if allows is not None:
        forward = _allowed(forward, allows)
        backward = _allowed(backward, lambda targets, sources: allows(sources, targets))
    there = _best(forward, means[0], means[1], margin)
    back = _best(backward, means[1], means[0], margin)
    rows, columns = np.arange(len(forward.indices)), np.arange(len(backward.indices))
    targets, sources = there[0], back[0]
    if keep == "forward":
        found = MinedPairs(rows, targets, there[1])
    elif keep == "backward":
        found = MinedPairs(sources, columns, back[1])
    elif keep == "intersection":
        both = targets >= 0
        both[both] = sources[targets[both]] == rows[both]
        found = MinedPairs(rows[both], targets[both], there[1][both])
    else:
        found = MinedPairs(
            np.concatenate([rows, sources]), np.concatenate([targets, columns]), np.concatenate([there[1], back[1]])
        )
    found = found.take((found.source >= 0) & (found.target >= 0) & (found.scores > -np.inf))
    found = found.take(np.lexsort((found.target, found.source, -found.scores)))
    return found.take(_one_to_one(found)) if keep == "max" else found


def _allowed(neighbours: Neighbours, allows: Callable[[Indices, Indices], NDArray[np.bool_]]) -> Neighbours:
    """Return neighbours without those that may not be paired with their query."""
    rows = np.broadcast_to(np.arange(len(neighbours.indices))[:, None], neighbours.indices.shape)
    kept = (neighbours.indices >= 0) & allows(rows, neighbours.indices)
    return Neighbours(np.where(kept, neighbours.indices, -1), np.where(kept, neighbours.scores, -np.inf))


def _best(neighbours: Neighbours, own_means: Doubles, other_means: Doubles, margin: str) -> tuple[Indices, Doubles]:
    """Return the neighbour with the highest margin of every row, or -1, and the margin. Shape [q] each."""
    indices, scores = neighbours.indices, neighbours.scores
    if not indices.size:
        return np.full(len(indices), -1, dtype=np.int64), np.full(len(indices), -np.inf)
    there = indices >= 0
    cosines = np.where(there, scores, 0.0)
    margins = np.where(there, margin_scores(cosines, own_means[:, None], other_means[indices], margin), -np.inf)
    # Of equal margins the first, which has the higher cosine or the lower row.
    place = margins.argmax(axis=1)[:, None]
    chosen = np.take_along_axis(indices, place, axis=1)[:, 0]
    return chosen, np.take_along_axis(margins, place, axis=1)[:, 0]


def _one_to_one(pairs: MinedPairs) -> Indices:
    """Return the positions of pairs that share no row with a pair kept before. Shape [q]."""
    kept, sources, targets = list[int](), set[int](), set[int]()
    for place, (left, right) in enumerate(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)):
        if left not in sources and right not in targets:
            sources.add(left)
            targets.add(right)
            kept.append(place)
    return np.array(kept, dtype=np.int64)


def existing(
    source: Matrix,
    target: Matrix,
    forward: Neighbours,
    backward: Neighbours,
    *,
    margin: str = "ratio",
    source_rows: Indices | None = None,
    target_rows: Indices | None = None,
) -> Doubles:
    """Compute the margins of pairs that exist already, with neighbours from the corpus itself.

    As in LASER (`mine_bitexts --mode score`) and stopes (`laser_scorer`), the neighbours of a sentence are the nearest
    of all distinct sentences of the other side, its own partner among them. So a pair whose sentences are nearest to
    each other raises its own means. Repeated sentences must be removed first: k copies of a partner would be all
    neighbours, and the ratio of the pair would be 1.

    Args:
        source: Distinct source sentences, rows of length 1. Shape [n, d].
        target: Distinct target sentences, rows of length 1. Shape [m, d].
        forward: Nearest targets of every source.
        backward: Nearest sources of every target.
        margin: Name of the margin.
        source_rows: Source of every pair; row i of both sides is a pair if left out. Shape [p].
        target_rows: Target of every pair. Shape [p].

    Returns:
        Margins in the order of the pairs, -inf where the margin is not defined. Shape [p].

    Raises:
        ConfigError: If the margin does not exist.
    """
    rows = np.arange(len(source)) if source_rows is None else source_rows
    columns = np.arange(len(target)) if target_rows is None else target_rows
    cosines = np.empty(len(rows))
    for part in blocks(len(rows), _BLOCK):
        left, right = (side[own[part]].astype(np.float64) for side, own in ((source, rows), (target, columns)))
        np.vecdot(left, right, out=cosines[part])
    return margin_scores(cosines, neighbour_means(forward)[rows], neighbour_means(backward)[columns], margin)


@dataclass(frozen=True)
class Threshold:
    """A threshold of the margin with its scores on the data on which it was chosen.

    Args:
        value: Pairs with at least this margin are accepted; infinite if none should be.
        precision: Share of accepted pairs that are correct.
        recall: Share of gold pairs that are accepted.
        f1: Harmonic mean of both.
    """

    value: float
    precision: float
    recall: float
    f1: float


def best_threshold(scores: Doubles, correct: NDArray[Any], gold: int) -> Threshold:
    """Find the threshold with the highest F1, of equal ones the highest.

    The threshold is the midpoint between the last accepted and the first rejected margin. Where all pairs are
    accepted it is the lowest margin. Pairs with equal margins are accepted or rejected together.

    Args:
        scores: Margins of the mined pairs. Shape [p].
        correct: Whether each is a gold pair. Shape [p].
        gold: Number of gold pairs, mined or not.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(correct[order])
    ends = np.flatnonzero(np.diff(ordered, append=-np.inf))
    if not len(ends) or not hits[-1]:
        return Threshold(np.inf, 0.0, 0.0, 0.0)
    f1 = 2 * hits[ends] / (ends + 1 + gold)
    last = int(ends[f1.argmax()])
    value = (ordered[last] + ordered[min(last + 1, len(ordered) - 1)]) / 2
    right = int(hits[last])
    return Threshold(float(value), right / (last + 1), right / gold, float(f1.max()))
