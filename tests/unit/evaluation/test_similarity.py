"""Correlations of similarities with scores: against SciPy, at their edges, and their draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.decomposition import PCA

from lexenc.correlation import average_ranks, cosines, pearson, principal_directions, spearman, unit_rows
from lexenc.evaluation import similarity
from lexenc.evaluation.similarity import MEASURE, shuffled_spearman, undefined


@pytest.fixture(params=["continuous", "tied"])
def values(request):
    random = np.random.default_rng(0)
    found = random.normal(size=60)
    gold = found + random.normal(size=60)
    return (found, gold) if request.param == "continuous" else (np.round(found), np.round(gold))


def rng():
    return np.random.default_rng(1)


def agreement(found, gold, **settings):
    (scores,) = MEASURE.scores([np.array([found, gold], dtype=float)], generator=rng(), **settings)
    return scores


def spearman_difference(first, second, gold):
    systems = (np.array([own, gold]) for own in (first, second))
    return MEASURE.compare(*systems, generator=rng(), draws=300)["spearman"]


def test_correlations_are_scipys(values):
    assert spearman(*values) == pytest.approx(spearmanr(*values).statistic, abs=1e-12)
    assert pearson(*values) == pytest.approx(pearsonr(*values).statistic, abs=1e-12)
    assert np.array_equal(average_ranks(values[0]), rankdata(values[0]))


def test_draws_are_what_ranking_every_resample_gives(values):
    found, gold = values
    chosen = np.random.default_rng(2).integers(0, 60, size=(20, 60))
    counts = np.stack([np.bincount(own, minlength=60) for own in chosen], axis=1).astype(float)
    wanted = [spearmanr(found[own], gold[own]).statistic for own in chosen]
    assert np.allclose(similarity._weighted_spearman(found, gold)(counts), wanted, atol=1e-12)
    wanted = [pearsonr(found[own], gold[own]).statistic for own in chosen]
    assert np.allclose(similarity._weighted_pearson(found, gold)(counts), wanted, atol=1e-12)


def test_intervals_hold_the_value_are_seeded_and_widen_with_the_level(values):
    one, same = (agreement(*values, draws=500) for _ in range(2))
    wide = agreement(*values, draws=500, level=0.999)
    assert one == same
    for own, wider in zip(one, wide, strict=True):
        assert wider.low < own.low < own.value < own.high < wider.high


def test_blocks_do_not_matter(values, monkeypatch):
    whole = agreement(*values, draws=300)
    monkeypatch.setattr(similarity, "_BLOCK", 7 * 60)
    assert agreement(*values, draws=300)[0].low == pytest.approx(whole[0].low, abs=0.1)


@pytest.mark.parametrize(
    ("found", "gold", "why"),
    [
        ([], [], "fewer than two pairs"),
        ([0.5], [3], "fewer than two pairs"),
        ([0.1, 0.2, 0.3], [4, 4, 4], "all scores are equal"),
        ([0.1, 0.1, 0.1], [4, 5, 6], "all similarities are equal"),
    ],
)
def test_what_is_not_defined_is_none_with_a_reason(found, gold, why):
    columns = np.array([found, gold], dtype=float)
    assert undefined(columns) == why
    first, second = agreement(found, gold, draws=100)
    assert first.value is first.low is second.high is None
    assert shuffled_spearman(columns, generator=rng()).value is None


def test_an_interval_of_mostly_constant_draws_is_none():
    given = agreement([0.1, 0.2], [1, 2], draws=1000)[0]
    assert given.value == pytest.approx(1)
    assert given.low is None
    assert agreement([0.1, 0.2, 0.4, 0.5], [1, 2, 3, 5], draws=1000)[0].low == pytest.approx(1)


def test_constant_draws_of_large_values_have_no_pearson():
    counts = np.array([[3.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    found = similarity._weighted_pearson(np.array([1e6 + 0.1, 1e6, 1e6 - 0.3]), np.array([1.0, 2.0, 7.0]))(counts)
    assert math.isnan(found[0])
    assert not math.isnan(found[1])


def test_shuffled_scores_lie_around_zero(values):
    found = shuffled_spearman(np.array(values), generator=rng(), shuffles=2000)
    assert abs(found.value) < 0.02
    # The spread of a rank correlation under no relation is 1 / sqrt(n - 1).
    assert found.high == pytest.approx(1.96 / math.sqrt(59), rel=0.15)
    assert found.low == pytest.approx(-found.high, rel=0.2)


def test_a_difference_is_paired(values):
    found, gold = values
    same = spearman_difference(found, found, gold)
    assert (same.mean, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    worse = spearman_difference(found, -found, gold)
    assert worse.mean == pytest.approx(2 * spearman(found, gold))
    assert worse.shown
    assert worse.p_value < 0.01
    turned = spearman_difference(-found, found, gold)
    assert (turned.mean, turned.high) == pytest.approx((-worse.mean, -worse.low))


def test_a_difference_without_correlation_is_nan(values):
    found, gold = values
    assert math.isnan(spearman_difference(found, np.zeros(60), gold).mean)


def test_cosines_are_those_of_the_angles_and_nan_for_zeros():
    left = np.array([[1, 0], [1, 1], [0, 0], [1e-30, 0], [3e30, 0]], dtype=np.float32)
    right = np.array([[-2, 0], [1, 0], [1, 0], [5, 0], [1, 1]], dtype=np.float32)
    found = cosines(left, right)
    assert np.allclose(found[[0, 1, 3, 4]], [-1, math.sqrt(0.5), 1, math.sqrt(0.5)])
    assert math.isnan(found[2])
    assert cosines(left[:0], right[:0]).shape == (0,)


def test_unit_rows_keep_every_digit_and_rows_of_zeros():
    rows = np.random.default_rng(0).normal(size=(9000, 5)) * np.geomspace(1e-30, 1e30, 9000)[:, None]
    rows[3] = 0
    with np.errstate(invalid="ignore"):
        plain = np.nan_to_num(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    assert np.array_equal(unit_rows(rows), plain)
    assert np.array_equal(unit_rows(rows.reshape(3000, 3, 5)), plain.reshape(3000, 3, 5))
    tiny, wide = np.array([[3e-320, 4e-320], [3e300, 4e300]]), np.array([[3, 4]], dtype=np.float32)
    assert unit_rows(tiny) == pytest.approx(np.array([[0.6, 0.8]] * 2), abs=1e-4)
    assert unit_rows(wide).tolist() == [[0.6, 0.8]]
    assert unit_rows(rows[:0]).shape == (0, 5)


@pytest.mark.parametrize("shape", [(40, 6), (4, 6), (1, 6), (9000, 3)])
def test_principal_directions_are_those_of_scikit_learn(shape):
    rows = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    centred = rows - rows.mean(axis=0)
    directions, sums = principal_directions(centred, 3)
    assert directions.shape == (min(3, *shape), shape[1])
    assert directions @ directions.T == pytest.approx(np.eye(len(directions)), abs=1e-9)
    assert np.square(centred @ directions.T).sum(axis=0) == pytest.approx(sums, abs=1e-9)
    if shape[0] > 1:
        own = PCA(3).fit(rows).components_
        assert np.abs(own @ directions.T) == pytest.approx(np.eye(3), abs=1e-6)
    assert all(each[np.abs(each).argmax()] > 0 for each in directions)
