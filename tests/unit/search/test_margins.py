"""Margins, mined pairs and thresholds against answers worked out elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.errors import ConfigError
from lexenc.search.both_sides import best_of_both
from lexenc.search.margins import best_threshold, existing, margin_scores, mined, neighbour_means
from lexenc.search.neighbours import Neighbours


@pytest.fixture(scope="module")
def sides():
    """Two sides of random vectors, of which 500 are pairs with noise."""
    draw = np.random.default_rng(0)
    source, target = draw.standard_normal((2000, 64)), draw.standard_normal((1500, 64))
    left, right = draw.permutation(2000)[:500], draw.permutation(1500)[:500]
    target[right] = source[left] + 0.9 * draw.standard_normal((500, 64))
    source, target = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (source, target))
    return source, target, set(zip(left.tolist(), right.tolist(), strict=True)), best_of_both(source, target, k=4)


@pytest.mark.parametrize(
    ("margin", "kept", "mutual", "best", "f1"),
    [
        ("ratio", 1340, 1164, 1.766313, 0.9970),
        ("distance", 1344, 1159, 0.366967, 0.9990),
        ("absolute", 1221, 902, 0.872072, 0.9990),
    ],
)
def test_pairs_and_thresholds_are_those_of_the_protocol(sides, margin, kept, mutual, best, f1):
    *_, gold, found = sides
    pairs = mined(*found, margin=margin)
    assert (len(pairs.source), len(mined(*found, margin=margin, keep="intersection").source)) == (kept, mutual)
    assert pairs.scores[0] == pytest.approx(best, abs=5e-7)
    assert len(set(pairs.source)) == len(set(pairs.target)) == kept
    correct = np.array([pair in gold for pair in zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)])
    threshold = best_threshold(pairs.scores, correct, len(gold))
    assert threshold.f1 == pytest.approx(f1, abs=5e-5)
    accepted = pairs.scores >= threshold.value
    right = int(correct[accepted].sum())
    assert (threshold.precision, threshold.recall) == (right / accepted.sum(), right / len(gold))
    if margin == "ratio":
        assert (pairs.source[0], pairs.target[0]) == (1928, 644)
        assert threshold.value == pytest.approx(1.330697, abs=5e-7)


@pytest.mark.parametrize("margin", ["ratio", "distance", "absolute"])
def test_every_way_to_keep_pairs_equals_a_loop_over_all_pairs(sides, margin):
    source, target, _, found = sides
    cosines = source @ target.T
    means = [np.sort(each, axis=1)[:, -4:].mean(axis=1) for each in (cosines, cosines.T)]
    table = margin_scores(cosines, means[0][:, None], means[1], margin)
    best = []
    for scores, near in ((table, found[0].indices), (table.T, found[1].indices)):
        own = np.take_along_axis(scores, near, axis=1)
        best.append((near[np.arange(len(near)), own.argmax(axis=1)], own.max(axis=1)))
    for keep, (others, scores), flip in (("forward", best[0], False), ("backward", best[1], True)):
        pairs = mined(*found, margin=margin, keep=keep)
        rows, columns = (pairs.target, pairs.source) if flip else (pairs.source, pairs.target)
        assert sorted(rows) == list(range(len(others)))
        assert (columns == others[rows]).all()
        assert np.allclose(pairs.scores, scores[rows])
        assert (np.diff(pairs.scores) <= 0).all()
    taken = existing(
        source, target, *found, margin=margin, source_rows=np.array([3, 1928]), target_rows=np.array([9, 644])
    )
    assert np.allclose(taken, table[[3, 1928], [9, 644]])


def test_another_order_of_the_targets_changes_nothing(sides):
    source, target, *_ = sides
    order = np.random.default_rng(1).permutation(300)
    first = mined(*best_of_both(source[:400], target[:300], k=4))
    second = mined(*best_of_both(source[:400], target[:300][order], k=4))
    assert [*zip(*first, strict=True)] == [*zip(second.source, order[second.target], second.scores, strict=True)]


def test_pairs_that_are_not_allowed_leave_their_sentences_to_others(sides):
    source, target, gold, found = sides
    codes = np.array([left * 1500 + right for left, right in gold])
    pairs = mined(*found, allows=lambda rows, columns: ~np.isin(rows * 1500 + columns, codes))
    assert not gold & set(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True))
    assert len(set(pairs.source) & {left for left, _ in gold}) > 100
    # The means are those of all neighbours.
    own = existing(source, target, *found, source_rows=pairs.source, target_rows=pairs.target)
    assert np.allclose(pairs.scores, own)


def test_what_has_no_margin_is_left_out():
    nothing = Neighbours(np.full((2, 1), -1), np.full((2, 1), -np.inf))
    low = Neighbours(np.array([[1], [0]]), np.array([[-0.5], [-0.2]]))
    for keep in ("max", "intersection", "forward", "backward"):
        assert not len(mined(nothing, nothing, keep=keep).source)
        assert not len(mined(low, low, keep=keep).source)
    assert len(mined(low, low, margin="distance").source) == 2
    empty = Neighbours(np.zeros((3, 0), dtype=np.int64), np.zeros((3, 0)))
    none = Neighbours(np.zeros((0, 3), dtype=np.int64), np.zeros((0, 3)))
    assert not len(mined(empty, none).source)
    assert neighbour_means(empty).tolist() == [0, 0, 0]
    for wrong in ({"margin": "ration"}, {"keep": "maximum"}):
        with pytest.raises(ConfigError, match=next(iter(wrong.values()))):
            mined(low, low, **wrong)


@pytest.mark.parametrize(
    ("scores", "correct", "gold", "value", "f1"),
    [
        ([3, 2, 1], [1, 1, 1], 3, 1, 1.0),  # the best is the last candidate
        ([3, 2, 1], [1, 0, 0], 2, 2.5, 2 / 3),
        ([3, 2, 2, 1], [1, 1, 0, 0], 2, 1.5, 0.8),  # equal margins are accepted together
        ([1, 3, 2], [0, 1, 1], 2, 1.5, 1.0),  # in any order
        ([3, 2], [0, 0], 2, np.inf, 0.0),
        ([], [], 2, np.inf, 0.0),
    ],
)
def test_thresholds_by_hand(scores, correct, gold, value, f1):
    found = best_threshold(np.array(scores, dtype=float), np.array(correct, dtype=bool), gold)
    assert (found.value, found.f1) == (value, pytest.approx(f1))
