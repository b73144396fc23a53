"""Precision and recall of mined pairs by threshold, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.sentences.planting import KnownPairs, curve, judge

ROWS = [(0, 10), (1, 11), (7, 17), (2, 13), (5, 12), (3, 14), (8, 18), (9, 16)]
"""Mined pairs, best first: right, right, of others, wrong, wrong and of a lone sentence, right, of others, lone."""
KNOWN = KnownPairs(np.array([0, 1, 2, 3]), np.array([10, 11, 12, 14]), np.array([5, 6]), np.array([16, 19]))


def test_pairs_are_judged_by_what_is_known():
    source, target = np.array(ROWS).T
    judged, correct, lone = judge(source, target, KNOWN)
    assert judged.tolist() == [True, True, False, True, True, True, False, False]
    assert correct.tolist() == [True, True, False, False, False, True, False, False]
    assert lone.tolist() == [False, False, False, False, True, False, False, True]


def test_curve_equals_hand_computation():
    source, target = np.array(ROWS).T
    points = curve(source, target, np.linspace(2, 1.3, 8), KNOWN)
    assert [round(point.threshold, 6) for point in points] == [2.0, 1.9, 1.5]
    assert [(point.precision, point.recall) for point in points] == [(1, 0.25), (1, 0.5), (0.6, 0.75)]
    assert points[-1].f1 == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    assert [point.false_alarms for point in points] == [0, 0, 0.25]
    assert [point.pairs for point in points] == [0, 0, 1]


def test_nothing_right_has_no_curve():
    source, target = np.array(ROWS[2:4]).T
    assert curve(source, target, np.array([2.0, 1.0]), KNOWN) == []
