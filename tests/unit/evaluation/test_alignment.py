"""Scores of word alignment: hand-worked values, and what a slow loop over sets gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.evaluation.alignment import (
    MEASURE,
    counts_of,
    diagonal_links,
    distance_bands,
    drawn_counts,
    frequency_bands,
    judge,
    random_links,
    scores_of,
)

METRICS = MEASURE.metrics


def links(*rows):
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


# Two sentence pairs: the system has 4 links, of which 2 are sure and 3 possible; 3 links are sure.
PREDICTED = links((0, 0, 0), (0, 1, 1), (0, 2, 1), (1, 0, 1))
SURE = links((0, 0, 0), (1, 0, 0), (1, 0, 1))
POSSIBLE = links((0, 1, 1), (1, 5, 5))


@pytest.fixture
def judged():
    return judge(PREDICTED, SURE, POSSIBLE, 2)


def random():
    return np.random.default_rng(0)


def test_hand_worked_scores(judged):
    assert counts_of(judged).tolist() == [[3, 1, 1, 1, 2], [1, 2, 1, 1, 1]]
    scores = scores_of(counts_of(judged).sum(axis=0))
    assert scores["precision"] == 3 / 4
    assert scores["recall"] == 2 / 3
    assert scores["f1"] == pytest.approx(2 * (3 / 4) * (2 / 3) / (3 / 4 + 2 / 3))
    assert scores["aer"] == pytest.approx(1 - (2 + 3) / (4 + 3))


def test_repeated_links_count_once_and_sure_ones_are_possible():
    twice = judge(np.concatenate([PREDICTED, PREDICTED]), SURE, np.concatenate([SURE, POSSIBLE, SURE]), 2)
    assert counts_of(twice).tolist() == [[3, 1, 1, 1, 2], [1, 2, 1, 1, 1]]
    assert int(twice.possible.sum()) == 5


def test_of_some_links_only_these_count(judged):
    assert counts_of(judged, judged.rows[:, 1] == 0).tolist() == [[1, 1, 0, 1, 1], [1, 2, 0, 1, 1]]


@pytest.mark.parametrize(
    ("counts", "scores"),
    [
        ([0, 3, 9, 0, 0], (1.0, None, 0.0, None)),
        ([4, 0, 9, 0, 4], (0.0, 1.0, None, None)),
        ([4, 3, 9, 0, 0], (1.0, 0.0, 0.0, 0.0)),
        ([3, 3, 9, 3, 3], (0.0, 1.0, 1.0, 1.0)),
        ([0, 0, 9, 0, 0], (None, None, None, None)),
    ],
)
def test_scores_without_a_value_are_none(counts, scores):
    (found,) = MEASURE.scores([np.array([counts]).T], generator=random(), draws=2)
    assert tuple(each.value for each in found) == scores
    assert tuple(each.low for each in found) == scores


# ---------------------------------------------------------------- bootstrap


def test_draws_keep_the_number_of_sentence_pairs_and_their_mean():
    counts = np.array([[1, 10], [1, 20], [1, 60]])
    drawn = drawn_counts(counts, generator=random(), draws=4000)
    assert drawn.shape == (4000, 2)
    assert set(drawn[:, 0]) == {3.0}
    assert drawn[:, 1].mean() == pytest.approx(90, rel=0.02)
    assert {30.0, 180.0} <= set(drawn[:, 1]) <= set(range(30, 181, 10))


def test_draws_do_not_depend_on_the_size_of_blocks(monkeypatch):
    counts = np.arange(20).reshape(5, 4)
    whole = drawn_counts(counts, generator=random(), draws=50)
    monkeypatch.setattr("lexenc.evaluation.alignment._BLOCK", 15)
    assert (drawn_counts(counts, generator=random(), draws=50) == whole).all()


def test_without_sentence_pairs_nothing_is_drawn():
    assert drawn_counts(np.zeros((0, 5), dtype=np.int64), generator=random(), draws=3).tolist() == [[0.0] * 5] * 3


def test_intervals_hold_the_score_and_widen_with_the_level(judged):
    counts = np.tile(counts_of(judged), (30, 1))
    (narrow,), (wide,) = (
        MEASURE.scores([counts.T], generator=random(), draws=1000, level=level) for level in (0.5, 0.99)
    )
    for inner, outer in zip(narrow, wide, strict=True):
        assert outer.low < inner.low <= inner.value <= inner.high < outer.high


def test_a_better_system_is_shown_to_be_better():
    gold = links(*((n, i, i) for n in range(40) for i in range(4)))
    worse = np.concatenate([gold[::2], links(*((n, 0, 3) for n in range(0, 40, 2)))])
    one, other = (counts_of(judge(each, gold, gold, 40)).T for each in (gold, worse))
    found = MEASURE.compare(one, other, generator=random(), draws=500)
    assert found["aer"].mean == pytest.approx(0 - (1 - 160 / (100 + 160)))
    assert found["aer"].high < 0 < found["recall"].low
    assert found["aer"].shown
    assert found["aer"].p_value < 0.01
    same = MEASURE.compare(one, one, generator=random(), draws=500)["aer"]
    assert (same.mean, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def test_differences_of_scores_without_a_value_are_nan():
    none = np.array([[0, 1, 0, 0, 0]]).T
    found = MEASURE.compare(none, none, generator=random(), draws=10)
    assert np.isnan([found["precision"].mean, found["precision"].p_value]).all()
    assert found["recall"].mean == 0


# ---------------------------------------------------------------- kinds and controls


def test_bands_of_frequency_and_distance():
    assert frequency_bands(np.array([1, 2, 4, 5, 19, 20, 99, 100, 10**6])).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    rows = links((0, 0, 0), (0, 0, 1), (0, 1, 4), (0, 1, 6), (0, 3, 0), (0, 0, 7), (0, 0, 8), (1, 0, 0))
    assert distance_bands(rows, np.array([4, 1]), np.array([8, 1])).tolist() == [0, 1, 2, 3, 3, 3, 4, 0]


def test_the_diagonal_goes_from_corner_to_corner():
    assert diagonal_links(np.array([3, 0, 2, 2]), np.array([3, 4, 0, 5])).tolist() == [
        [0, 0, 0], [0, 1, 1], [0, 2, 2], [3, 0, 0], [3, 1, 3],
    ]  # fmt: skip
    assert diagonal_links(np.array([5]), np.array([2]))[:, 2].tolist() == [0, 0, 1, 1, 1]
    assert diagonal_links(np.array([3]), np.array([1]))[:, 2].tolist() == [0, 0, 0]


def test_the_diagonal_has_no_distance_from_itself():
    lengths = np.array([7, 3, 40]), np.array([2, 11, 39])
    assert not distance_bands(diagonal_links(*lengths), *lengths).any()


def test_random_links_are_as_many_and_in_range():
    made = random_links(np.array([3, 9, 0, 5]), np.array([2, 2, 3, 0]), np.array([5, 3, 3, 4]), random())
    assert np.bincount(made[:, 0], minlength=4).tolist() == [3, 6, 0, 0]
    assert len(np.unique(made, axis=0)) == len(made)
    assert (made[:, 1] < 2).all()
    assert made[made[:, 0] == 0, 2].max() < 5
    assert made[made[:, 0] == 1, 2].max() == 2
    assert random_links(np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0, dtype=int), random()).shape == (
        0,
        3,
    )


# ---------------------------------------------------------------- properties

TRIPLES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=30)


@given(predicted=TRIPLES, sure=TRIPLES, possible=TRIPLES)
def test_scores_are_those_of_sets(predicted, sure, possible):
    judged = judge(links(*predicted), links(*sure), links(*possible), 4)
    counts = counts_of(judged)
    for sentence in range(4):
        own, gold, more = ({link for link in each if link[0] == sentence} for each in (predicted, sure, possible))
        wanted = [len(own), len(gold), len(more - gold), len(own & gold), len(own & (gold | more))]
        assert counts[sentence].tolist() == wanted
    own, gold, wide = set(predicted), set(sure), set(sure) | set(possible)
    scores = scores_of(counts.sum(axis=0))
    if own or gold:
        assert scores["aer"] == pytest.approx(1 - (len(own & gold) + len(own & wide)) / (len(own) + len(gold)))
    if own and gold:
        assert scores["precision"] == len(own & wide) / len(own)
        assert scores["recall"] == len(own & gold) / len(gold)
    assert judge(links(*predicted), links(*sure), links(*possible), 4).rows.tolist() == sorted(
        [list(link) for link in own | wide]
    )


@given(predicted=TRIPLES, sure=TRIPLES)
def test_without_possible_links_the_error_rate_is_one_minus_f1(predicted, sure):
    scores = scores_of(counts_of(judge(links(*predicted), links(*sure), links(), 4)).sum(axis=0))
    if predicted and sure:
        assert scores["aer"] == pytest.approx(1 - scores["f1"])
