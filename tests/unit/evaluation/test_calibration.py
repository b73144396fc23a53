from __future__ import annotations

import json

import numpy as np
import pytest

from lexenc.errors import DataError
from lexenc.evaluation.calibration import Calibrator, cross_fit, fit_calibrator
from lexenc.evaluation.reliability import (
    brier_score,
    calibration_error,
    calibration_floor,
    calibration_interval,
    log_loss,
    precision_coverage,
    reliability,
    wilson,
)


def sigmoid(odds):
    return 1 / (1 + np.exp(-odds))


@pytest.fixture(scope="module")
def answers():
    """Two features of which one tells; outcomes drawn from known probabilities."""
    random = np.random.default_rng(0)
    features = np.stack([random.normal(size=1500), random.uniform(size=1500), np.ones(1500)], axis=1)
    truth = sigmoid(2 * features[:, 0] - 0.5)
    return features, random.random(1500) < truth, truth, np.arange(1500) % 5


def test_trees_find_the_probabilities_that_outcomes_were_drawn_from(answers):
    features, correct, truth, _ = answers
    found = fit_calibrator(features, correct).probabilities(features)
    assert np.abs(found - truth).mean() < 0.06
    assert found.mean() == pytest.approx(correct.mean(), abs=0.01)


def dominating(random, count, width):
    """Two random rows of features, of which the first is at least as large in each and larger in some."""
    lower = random.normal(size=(count, width))
    return lower + random.choice([0.0, 0.0, 1.0], size=(count, width)) * random.exponential(size=(count, width)), lower


@pytest.mark.parametrize("truth", ["rises", "falls", "rises and falls", "noise"])
def test_more_of_every_feature_never_lowers_a_probability(truth):
    random = np.random.default_rng(7)
    features = random.normal(size=(3000, 4))
    shape = {
        "rises": features.sum(axis=1),
        "falls": -3 * features[:, 0] + features[:, 1],
        "rises and falls": 4 * np.abs(features[:, 0]) * features[:, 2] - 2,
        "noise": np.zeros(3000),
    }[truth]
    fit = fit_calibrator(features, random.random(3000) < sigmoid(shape))
    larger, smaller = (3 * each for each in dominating(random, 10_000, 4))
    assert (fit.probabilities(larger) >= fit.probabilities(smaller)).all()
    if truth == "rises":
        assert (fit.probabilities(larger) > fit.probabilities(smaller)).mean() > 0.5


def test_a_feature_that_speaks_against_is_not_believed():
    random = np.random.default_rng(8)
    features = random.normal(size=(2000, 2))
    fit = fit_calibrator(features, random.random(2000) < sigmoid(-4 * features[:, 1]))
    assert np.ptp(fit.probabilities(np.stack([np.zeros(50), np.linspace(-3, 3, 50)], axis=1))) < 1e-9


def test_features_beyond_what_was_seen_count_as_the_last_seen(answers):
    features, correct, _, _ = answers
    fit = fit_calibrator(features, correct)
    far, edge = np.array([[99.0, 9.0, 1.0]]), features.max(axis=0)[None]
    assert fit.probabilities(far) == fit.probabilities(edge)


@pytest.mark.parametrize("right", [False, True])
def test_answers_that_are_all_alike_give_a_constant(right):
    features = np.random.default_rng(0).normal(size=(40, 3))
    found = fit_calibrator(features, np.full(40, right)).probabilities(features)
    assert np.allclose(found, 40.5 / 41 if right else 0.5 / 41)


def test_probabilities_of_unseen_questions_are_calibrated(answers):
    features, correct, _, folds = answers
    unseen = cross_fit(features, correct, folds)
    assert calibration_error(unseen, correct) < 0.05
    assert log_loss(unseen, correct) < 0.5


def test_a_group_is_judged_without_itself(answers):
    features, correct, _, folds = answers
    flipped = correct.copy()
    flipped[folds == 2] ^= True
    one, other = (cross_fit(features, each, folds) for each in (correct, flipped))
    assert (one[folds == 2] == other[folds == 2]).all()
    assert (one[folds != 2] != other[folds != 2]).mean() > 0.9


def test_shuffled_answers_leave_the_base_rate(answers):
    features, correct, _, folds = answers
    shuffled = np.random.default_rng(3).permutation(correct)
    unseen = cross_fit(features, shuffled, folds)
    assert np.abs(unseen - shuffled.mean()).max() < 0.25
    assert not (unseen >= 0.9).any()


@pytest.mark.parametrize("alike", [False, True])
def test_calibrator_comes_back_from_json(answers, alike):
    features, correct, _, _ = answers
    fit = fit_calibrator(features, correct | alike)
    again = Calibrator.from_dict(json.loads(json.dumps(fit.as_dict())), width=3)
    assert (again.probabilities(features) == fit.probabilities(features)).all()


@pytest.mark.parametrize(
    ("name", "value"), [("column", 3), ("first", 0), ("second", 99)], ids=["no such feature", "a loop", "no such node"]
)
def test_damaged_trees_are_refused(answers, name, value):
    body = fit_calibrator(*answers[:2]).as_dict()
    body[name][0][0] = value
    with pytest.raises(DataError, match="do not form trees"):
        Calibrator.from_dict(body, width=3)
    body[name][0] = body[name][0][1:]
    with pytest.raises(DataError, match="sizes"):
        Calibrator.from_dict(body, width=3)


# ---------------------------------------------------------------- measures


def test_calibration_error_by_hand():
    probabilities = np.array([0.1, 0.3, 0.6, 0.8])
    correct = np.array([False, True, False, True])
    # Two bins: means 0.2 and 0.7, right 0.5 and 0.5.
    assert calibration_error(probabilities, correct, bins=2) == pytest.approx(0.25)
    assert calibration_error(probabilities, correct, bins=4) == pytest.approx((0.1 + 0.7 + 0.6 + 0.2) / 4)
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, dtype=bool)))


@pytest.mark.parametrize("binning", ["mass", "width"])
@pytest.mark.parametrize("count", [1, 7, 10, 103])
def test_bins_cover_everything_once(binning, count):
    random = np.random.default_rng(count)
    probabilities, correct = random.random(count), random.random(count) < 0.5
    table = reliability(probabilities, correct, binning=binning)
    assert sum(each.count for each in table) == count
    assert all(each.low <= each.mean <= each.high for each in table)
    error = sum(each.count * abs(each.mean - each.right) for each in table) / count
    assert calibration_error(probabilities, correct, binning=binning) == pytest.approx(error)
    if binning == "mass":
        assert max(each.count for each in table) - min(each.count for each in table) <= 1


def test_width_bins_lie_between_tenths():
    table = reliability(np.array([0.0, 0.05, 0.1, 0.95, 1.0]), np.ones(5, dtype=bool), binning="width")
    assert [(each.low, each.count) for each in table] == [(0.0, 2), (0.1, 1), (0.95, 2)]


def test_floor_and_interval_hold_for_true_probabilities():
    random = np.random.default_rng(4)
    truth = random.random(1000)
    correct = random.random(1000) < truth
    floor = calibration_floor(truth, generator=random)
    low, high = calibration_interval(truth, correct, generator=random, draws=300)
    assert 0.01 < floor < 0.06
    assert low < calibration_error(truth, correct) < high
    assert calibration_error(np.full(1000, 0.9), correct) == pytest.approx(0.9 - correct.mean())


def test_interval_holds_the_estimate_where_resampling_adds_to_it():
    random = np.random.default_rng(5)
    for count in (1, 7, 60, 400):
        for _ in range(20):
            truth = random.random(count)
            correct = random.random(count) < truth
            low, high = calibration_interval(truth, correct, generator=random, draws=200)
            assert 0 <= low <= calibration_error(truth, correct) <= high
    assert np.isnan(calibration_interval(np.zeros(0), np.zeros(0, dtype=bool), generator=random)).all()


@pytest.mark.parametrize("count", [150, 1000])
@pytest.mark.parametrize("slip", ["none", "a tenth too sure", "here too high, there too low", "nearly certain"])
def test_interval_covers_the_true_error(count, slip):
    random = np.random.default_rng(6)
    covered, below = 0, 0
    for _ in range(300):
        said = np.sort(random.random(count))
        if slip == "nearly certain":
            said = 0.9 + said / 10
        truth = {
            "none": said,
            "a tenth too sure": np.clip(said - 0.1, 0, 1),
            "here too high, there too low": said + 0.15 * np.sin(6 * said),
            "nearly certain": said**2,
        }[slip].clip(0, 1)
        bins = np.array_split(said - truth, 10)
        error = sum(abs(each.sum()) for each in bins) / count
        low, high = calibration_interval(said, random.random(count) < truth, generator=random, draws=300)
        covered += low - 1e-12 <= error <= high
        below += high < error
    assert covered / 300 > 0.93
    assert below == 0


def test_scores_by_hand():
    probabilities, correct = np.array([0.8, 0.4]), np.array([True, False])
    assert brier_score(probabilities, correct) == pytest.approx((0.04 + 0.16) / 2)
    assert log_loss(probabilities, correct) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)


def test_wilson_known_values():
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == 1.0
    assert wilson(0, 10)[0] == pytest.approx(0, abs=1e-12)


def test_precision_and_coverage_by_hand():
    probabilities = np.array([0.95, 0.9, 0.6, 0.2])
    first, second, third = precision_coverage(probabilities, np.array([True, False, True, False]), [0.5, 0.9, 0.99])
    assert (first.kept, first.precision, first.coverage) == (3, pytest.approx(2 / 3), 0.75)
    assert (second.kept, second.precision) == (2, 0.5)
    assert (third.kept, third.precision, third.coverage) == (0, None, 0.0)


def test_where_a_dictionary_is_incomplete_nothing_is_nearly_certain():
    random = np.random.default_rng(5)
    features = random.normal(size=(3000, 2))
    correct = random.random(3000) < 0.75 * sigmoid(4 * features[:, 0])
    unseen = cross_fit(features, correct, np.arange(3000) % 5)
    assert np.quantile(unseen, 0.99) < 0.9
    assert calibration_error(unseen, correct) < 0.03
