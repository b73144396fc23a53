from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.evaluation.ranking import average_precisions, best_of, hits_at, reciprocal_ranks

RANKS = st.lists(st.lists(st.integers(1, 30), max_size=4, unique=True), max_size=6)


def arrays(ranks):
    return [np.array(own, dtype=np.int64) for own in ranks]


@given(RANKS, st.integers(1, 12))
def test_ranking_hits_and_reciprocal_ranks_equal_a_loop(ranks, cutoff):
    best = best_of(arrays(ranks))
    assert best.tolist() == [min(own, default=0) for own in ranks]
    assert hits_at(best, cutoff).tolist() == [float(any(rank <= cutoff for rank in own)) for own in ranks]
    assert reciprocal_ranks(best).tolist() == [1 / min(own) if own else 0.0 for own in ranks]


@given(RANKS, st.data())
def test_ranking_average_precision_equals_a_loop(ranks, data):
    counts = [len(own) + data.draw(st.integers(0, 2)) for own in ranks]
    expected = []
    for own, count in zip(ranks, counts, strict=True):
        total = sum(sum(other <= rank for other in own) / rank for rank in own)
        expected.append(total / count if count else 0.0)
    np.testing.assert_allclose(average_precisions(arrays(ranks), counts), expected, rtol=1e-12)


@given(st.lists(st.integers(1, 30).map(lambda rank: [rank]), max_size=6))
def test_ranking_average_precision_is_the_reciprocal_rank_where_there_is_one_gold(ranks):
    own = arrays(ranks)
    np.testing.assert_allclose(average_precisions(own, [1] * len(own)), reciprocal_ranks(best_of(own)))


def test_ranking_worked_example():
    ranks = arrays([[1, 3], [2], [], [10, 11]])
    best = best_of(ranks)
    assert best.tolist() == [1, 2, 0, 10]
    assert best.dtype == np.int64
    assert hits_at(best, 1).tolist() == [1, 0, 0, 0]
    assert hits_at(best, 10).tolist() == [1, 1, 0, 1]
    np.testing.assert_allclose(average_precisions(ranks, [2, 2, 1, 2]), [(1 + 2 / 3) / 2, 0.25, 0, (0.1 + 2 / 11) / 2])


def test_ranking_does_not_change_its_input():
    ranks = arrays([[5, 2]])
    average_precisions(ranks, [2])
    assert ranks[0].tolist() == [5, 2]


@pytest.mark.parametrize("ranks", [[], [[]]])
def test_ranking_of_nothing(ranks):
    own = arrays(ranks)
    assert hits_at(best_of(own), 1).sum() == reciprocal_ranks(best_of(own)).sum() == 0
    assert average_precisions(own, [0] * len(own)).tolist() == [0.0] * len(own)
