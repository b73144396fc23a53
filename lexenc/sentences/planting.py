"""How well mined pairs agree with known ones: precision and recall by threshold."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Doubles, Indices

RECALLS = (0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Recalls whose thresholds a curve shows, besides that of the lowest threshold."""
Truths = NDArray[np.bool_]


class KnownPairs(NamedTuple):
    """Pairs that are known to be translations, and sentences that are known to have none.

    Args:
        source: Source rows. Shape [g].
        target: Target rows. Shape [g].
        lone_source: Source rows without a translation. Shape [a].
        lone_target: Target rows without a translation. Shape [b].
    """

    source: Indices
    target: Indices
    lone_source: Indices = np.zeros(0, dtype=np.int64)
    lone_target: Indices = np.zeros(0, dtype=np.int64)

    @property
    def lone(self) -> int:
        """Number of sentences without a translation."""
        return len(self.lone_source) + len(self.lone_target)


class CurvePoint(NamedTuple):
    """Scores at a threshold.

    Args:
        threshold: Least margin of the pairs that are accepted.
        precision: Share of the accepted pairs with a sentence of a known pair that are a known pair.
        recall: Share of the known pairs that are accepted.
        f1: Harmonic mean of both.
        false_alarms: Share of the sentences without a translation that are in an accepted pair. None without any.
        pairs: Number of all other accepted pairs.
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    false_alarms: float | None
    pairs: int


def judge(source: Indices, target: Indices, known: KnownPairs) -> tuple[Truths, Truths, Truths]:
    """Compare mined pairs with known ones.

    Args:
        source: Source rows of the mined pairs. Shape [p].
        target: Their target rows. Shape [p].
        known: The known pairs.

    Returns:
        Which pairs have a sentence of a known pair, which are a known pair, and which have a sentence without a
        translation. Shape [p] each. A pair of a known sentence and one without a translation counts as both.
    """
    judged = np.isin(source, known.source) | np.isin(target, known.target)
    width = 1 + max(max(map(_highest, (target, known.target))), 0)
    correct = np.isin(source * width + target, known.source * width + known.target)
    lone = np.isin(source, known.lone_source) | np.isin(target, known.lone_target)
    return judged, correct, lone


def _highest(rows: Indices) -> int:
    return int(rows.max(initial=0))


def curve(source: Indices, target: Indices, scores: Doubles, known: KnownPairs) -> list[CurvePoint]:
    """Compute precision and recall at the thresholds of some recalls, the highest threshold first.

    The precision is a lower bound among sentences that have a translation: a pair of a known sentence with another
    than its known translation counts as wrong, although it may be right. It is no estimate for a corpus of which most
    sentences have no translation. For that, see the share of false alarms.

    Args:
        source: Source rows of the mined pairs. Shape [p].
        target: Their target rows. Shape [p].
        scores: Their margins. Shape [p].
        known: The known pairs.
    """
    judged, correct, lone = judge(source, target, known)
    hits = -np.sort(-scores[correct])
    if not len(hits):
        return []
    wanted = {math.ceil(level * len(known.source)) for level in RECALLS} | {len(hits)}
    found = []
    for count in sorted(each for each in wanted if each <= len(hits)):
        threshold = hits[count - 1]
        accepted = scores >= threshold
        right, all_judged = int((hits >= threshold).sum()), int((accepted & judged).sum())
        alarms = len(np.intersect1d(source[accepted & lone], known.lone_source))
        alarms += len(np.intersect1d(target[accepted & lone], known.lone_target))
        found.append(
            CurvePoint(
                float(threshold),
                right / all_judged,
                right / len(known.source),
                2 * right / (all_judged + len(known.source)),
                alarms / known.lone if known.lone else None,
                int((accepted & ~judged & ~lone).sum()),
            )
        )
    return found
