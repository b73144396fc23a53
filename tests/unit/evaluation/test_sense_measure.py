"""Scores of induced senses: equal to scikit-learn, and intervals without a bias from repeated items."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, v_measure_score

from lexenc.evaluation.senses import MEASURE, few_shot, frequent_scores, random_scores


def _columns(gold, clusters):
    return np.stack([gold, clusters, np.arange(len(gold)) % 3, np.full(len(gold), 4)]).astype(float)


def test_values_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    for senses, clusters in ((3, 3), (5, 2), (2, 6), (1, 3), (3, 1), (1, 1)):
        gold, found = random.integers(senses, size=60), random.integers(clusters, size=60)
        found = np.where(random.random(60) < 0.5, gold % clusters, found)
        values = MEASURE.values(_columns(gold, found))
        assert values["adjusted_rand_index"] == pytest.approx(adjusted_rand_score(gold, found))
        assert values["v_measure"] == pytest.approx(v_measure_score(gold, found), abs=1e-9)
        assert values["purity"] == sum(np.bincount(gold[found == each]).max() for each in np.unique(found)) / 60
        assert values["few_shot_accuracy"] == 60 / 240
    single = MEASURE.values(_columns(np.arange(5), np.arange(5)))
    assert single["adjusted_rand_index"] == 1


def test_draws_have_no_bias_and_systems_share_them():
    random = np.random.default_rng(0)
    gold = random.integers(2, size=40)
    mixed = _columns(gold, random.permutation(np.arange(40) % 3))
    right = _columns(gold, gold)
    drawn = MEASURE.drawn([mixed, right, mixed], generator=np.random.default_rng(1), draws=2000)
    assert drawn[0]["adjusted_rand_index"].mean() == pytest.approx(
        MEASURE.values(mixed)["adjusted_rand_index"], abs=0.003
    )
    assert drawn[0]["v_measure"].mean() == pytest.approx(MEASURE.values(mixed)["v_measure"])
    assert (drawn[0]["adjusted_rand_index"] == drawn[2]["adjusted_rand_index"]).all()
    assert drawn[1]["adjusted_rand_index"] == pytest.approx(1)


def test_few_examples_classify_what_is_apart():
    random = np.random.default_rng(0)
    gold = np.repeat([0, 1, 2], [60, 11, 1])
    vectors = (random.normal(size=(3, 8))[gold] * 5 + random.normal(size=(72, 8))).astype(np.float32)
    right, asked = few_shot(vectors, gold, generator=np.random.default_rng(0))
    assert asked.sum() == 20 * (72 - 10 - 5)
    assert (right[gold < 2] == asked[gold < 2]).all()
    assert (right[-1], asked[-1]) == (0, 20), "a sense of one occurrence has no example"


def test_controls():
    random = np.random.default_rng(0)
    gold = np.repeat([0, 1], [30, 10])
    random_index, *_ = random_scores(_columns(gold, gold), generator=random)
    assert abs(random_index.value) < 0.02 < random_index.high
    values = {each.metric: each.value for each in frequent_scores(_columns(gold, gold))}
    assert values == {"adjusted_rand_index": 0, "v_measure": 0, "purity": 0.75, "few_shot_accuracy": 0.75}
