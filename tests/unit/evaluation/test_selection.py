"""Scoring with a setting that was chosen on other queries."""

from __future__ import annotations

import numpy as np

from lexenc.evaluation.selection import crossfit


def random(seed=0):
    return np.random.default_rng(seed)


def test_one_setting_scores_as_it_is():
    values = random().normal(size=(1, 9))
    np.testing.assert_array_equal(crossfit(values, random(1))[0], values[0])


def test_a_setting_that_is_better_everywhere_is_always_chosen():
    values = np.stack([np.zeros(20), np.ones(20), np.full(20, 0.5)])
    np.testing.assert_array_equal(crossfit(values, random())[0], np.ones(20))


def test_the_best_of_equal_settings_does_not_flatter():
    """Forty settings that all guess: the best of them looks better than chance, the chosen one does not."""
    means, bests = [], []
    for seed in range(60):
        values = (random(seed).random((40, 200)) < 0.3).astype(float)
        means.append(crossfit(values, random(1000 + seed))[0].mean())
        bests.append(values.mean(axis=1).max())
    assert abs(np.mean(means) - 0.3) < 0.01
    assert np.mean(bests) > 0.35


def test_every_query_is_scored_by_what_the_other_half_chose():
    values = random(3).random((3, 10))
    first = random(7).permutation(10) < 5
    chosen = crossfit(values, random(7))[0]
    np.testing.assert_array_equal(chosen[first], values[values[:, ~first].mean(axis=1).argmax(), first])
    np.testing.assert_array_equal(chosen[~first], values[values[:, first].mean(axis=1).argmax(), ~first])


def test_a_single_query_keeps_the_first_setting():
    assert crossfit(np.array([[0.0], [1.0]]), random())[0].tolist() == [0.0]
