from __future__ import annotations

import math

import numpy as np
import pytest

from lexenc.evaluation import bootstrap
from lexenc.evaluation.bootstrap import interval, paired_difference


def random(seed=0):
    return np.random.default_rng(seed)


HITS = (np.arange(400) % 5 == 0).astype(float)  # mean 0.2


def test_bootstrap_interval_is_near_the_normal_approximation():
    low, high = interval(HITS, generator=random())
    half = 1.96 * math.sqrt(0.2 * 0.8 / 400)
    assert low == pytest.approx(0.2 - half, abs=0.006)
    assert high == pytest.approx(0.2 + half, abs=0.006)


def test_bootstrap_interval_is_the_same_with_the_same_generator():
    assert interval(HITS, generator=random()) == interval(HITS, generator=random())
    assert interval(HITS, generator=random()) != interval(HITS, generator=random(1))


def test_bootstrap_interval_narrows_with_level_and_number():
    wide, narrow = interval(HITS, generator=random()), interval(HITS, generator=random(), level=0.5)
    many = interval(np.tile(HITS, 10), generator=random())
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert many[1] - many[0] < (wide[1] - wide[0]) / 2


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_bootstrap_interval_of_equal_values_is_a_point(value):
    assert interval(np.full(7, value), generator=random()) == (value, value)


def test_bootstrap_interval_of_nothing_is_no_number():
    assert all(math.isnan(end) for end in interval(np.zeros(0), generator=random()))


def test_bootstrap_blocks_give_the_right_number_of_draws(monkeypatch):
    for block in (1, 1000, 4001):
        monkeypatch.setattr(bootstrap, "_BLOCK", block)
        drawn = bootstrap._draws(HITS[None], random(), 33)
        assert drawn.shape == (1, 33)
        assert 0.1 < drawn.mean() < 0.3


def test_bootstrap_coverage_is_what_it_says():
    inside = 0
    for seed in range(200):
        sample = (random(seed).random(200) < 0.4).astype(float)
        low, high = interval(sample, generator=random(seed), draws=400)
        inside += low <= 0.4 <= high
    assert 180 <= inside <= 198


# ---------------------------------------------------------------- paired


def test_bootstrap_equal_systems_do_not_differ():
    same = paired_difference(HITS, HITS, generator=random())
    assert (same.mean, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert not same.shown


def test_bootstrap_paired_difference_is_antisymmetric():
    other = np.roll(HITS, 1)
    one, back = (paired_difference(*pair, generator=random()) for pair in ((HITS, other), (other, HITS)))
    assert one.mean == -back.mean
    assert one.low == pytest.approx(-back.high)
    assert one.p_value == pytest.approx(back.p_value)


def test_bootstrap_paired_difference_uses_the_pairs():
    # The second system gets exactly the first one's hits and 20 more: small, but certain.
    better = HITS.copy()
    better[np.flatnonzero(HITS == 0)[:20]] = 1
    found = paired_difference(better, HITS, generator=random())
    assert found.mean == pytest.approx(0.05)
    assert found.shown
    assert found.p_value < 0.01
    # The same gain without pairing is within chance.
    shuffled = paired_difference(random(1).permutation(better), HITS, generator=random())
    assert shuffled.mean == pytest.approx(0.05)
    assert not shuffled.shown
    assert shuffled.p_value > 0.05


def test_bootstrap_p_value_is_never_zero_and_has_its_level():
    assert 0 < paired_difference(np.ones(50), np.zeros(50), generator=random()).p_value < 0.002
    values = []
    for seed in range(200):
        draws = random(seed).normal(size=(2, 60))
        values.append(paired_difference(*draws, generator=random(seed), draws=400).p_value)
    assert 0.01 <= np.mean(np.array(values) < 0.05) <= 0.11


def test_bootstrap_paired_difference_of_nothing_is_no_number():
    nothing = paired_difference(np.zeros(0), np.zeros(0), generator=random())
    assert math.isnan(nothing.mean)
    assert not nothing.shown


def test_p_values_are_corrected_as_statsmodels_does():
    from lexenc.evaluation.bootstrap import holm

    assert holm([]) == []
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
