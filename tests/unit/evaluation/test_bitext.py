"""F1 of mined pairs: draws of sources, the weighted scores of mteb, and the control."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.evaluation.bitext import MEASURE, shuffled_f1, weighted_scores

# Predicted and gold pairs of every source, and hits.
COLUMNS = np.array([[1, 1, 0, 1, 2], [1, 1, 1, 0, 1], [1, 0, 0, 0, 1]], dtype=float)


def test_scores_are_those_of_all_pairs_together():
    assert MEASURE.values(COLUMNS) == {"f1": 4 / 9, "precision": 2 / 5, "recall": 2 / 4}
    nothing = MEASURE.values(np.array([[0.0], [1], [0]]))
    assert (nothing["f1"], nothing["recall"], np.isnan(nothing["precision"])) == (0, 0, True)


def test_draws_are_those_of_sources_one_by_one():
    columns = np.tile(COLUMNS, 20)
    other = columns.copy()
    other[2] = 0
    one, two = MEASURE.drawn([columns, other], generator=np.random.default_rng(0), draws=4000)
    draw = np.random.default_rng(1)
    sums = np.array([columns[:, draw.integers(100, size=100)].sum(axis=1) for _ in range(4000)])
    wanted = 2 * sums[:, 2] / (sums[:, 0] + sums[:, 1])
    assert (one["f1"].mean(), one["f1"].std()) == pytest.approx((wanted.mean(), wanted.std()), rel=0.05)
    assert (two["f1"] == 0).all()
    (none,) = MEASURE.drawn([np.zeros((3, 0))], generator=draw, draws=3)
    assert np.isnan(none["f1"]).all()


def test_weighted_scores_by_hand():
    # Label 5 has two gold pairs and is predicted once; label 7 is predicted three times for one.
    found = weighted_scores([5, 5, 7, 8], [5, 7, 7, 7])
    assert found["f1"].tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 2, 0])
    assert found["precision"].tolist() == pytest.approx([1, 1, 1 / 3, 0])
    assert found["recall"].tolist() == pytest.approx([1 / 2, 1 / 2, 1, 0])


def test_the_control_shuffles_what_was_mined():
    pairs, gold = [(i, i) for i in range(50)], {(i, i) for i in range(50)}
    found = shuffled_f1(np.ones((3, 50)), pairs=pairs, gold=gold, generator=np.random.default_rng(0))
    assert found.value == pytest.approx(1 / 50, abs=0.004)
    assert shuffled_f1(np.ones((3, 9)), pairs=[], gold=gold, generator=np.random.default_rng(0)).value == 0
