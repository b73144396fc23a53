"""Cross-lingual pairs from monolingual ones."""

from __future__ import annotations

import pytest

from lexenc.errors import DataError
from lexenc.evaluation.similarity_pairs import cross
from lexenc.files.similarity import ScoredPairs

EN, DE = [("old", "new"), ("smart", "clever"), ("park", "taxi")], [("alt", "neu"), ("klug", "schlau"), ("park", "taxi")]


def cross_pairs(first, first_scores, second, second_scores, **more):
    sides = zip((first, second), (first_scores, second_scores), strict=True)
    return cross(*(ScoredPairs(*map(list, zip(*pairs, strict=True)), scores) for pairs, scores in sides), **more)


def crossed(**more):
    return cross_pairs(EN, [1, 9, 2], DE, [3, 6.9, 2], scale=(0, 10), **more)


def test_both_words_change_sides_and_scores_are_means():
    found = crossed()
    assert found.pairs == [("old", "neu"), ("new", "alt"), ("park", "taxi"), ("taxi", "park")]
    assert found.scores == [2, 2, 2, 2]
    assert (found.keys, found.rows, found.rejected) == (["1", "1", "3", "3"], 3, 1)


def test_the_limit_is_a_share_of_the_scale_and_itself_allowed():
    assert crossed(max_difference=0.21).rejected == 0
    assert crossed(max_difference=0.199).rejected == 2
    assert cross_pairs(EN, [1, 9, 2], DE, [3, 6.9, 2], scale=(0, 6)).rejected == 2


@pytest.mark.parametrize(("drop", "count"), [(False, 4), (True, 3)])
def test_repeated_pairs_are_counted_and_dropped_on_request(drop, count):
    found = cross_pairs(
        [("boy", "kid"), ("boy", "child")], [5, 6], [("junge", "kind"), ("knabe", "kind")], [5, 6],
        scale=(0, 10), drop_repeated=drop,
    )  # fmt: skip
    assert (len(found.pairs), found.repeated) == (count, 1)
    assert found.scores[0] == 5


def test_sets_of_other_lengths_are_refused():
    with pytest.raises(DataError, match="aligned row by row"):
        cross_pairs(EN, [1, 9, 2], DE[:2], [3, 6], scale=(0, 10))
