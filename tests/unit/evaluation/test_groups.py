"""Frequency bands, edit distance and likeness of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.evaluation.groups import BANDS, band_of, edit_distance, likeness_of

short = st.text(alphabet="abcß", max_size=7)


@pytest.mark.parametrize(
    ("rank", "band"),
    [(1, "1-500"), (500, "1-500"), (501, "501-1k"), (1000, "501-1k"), (1001, "1k-2k"), (2001, "2k-5k"),
     (5001, "5k-10k"), (10_000, "5k-10k"), (10_001, "10k-"), (2_000_000, "10k-")],
)  # fmt: skip
def test_bands_hold_their_last_rank(rank, band):
    assert band_of(rank) == band
    assert band in BANDS


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [("", "", 0), ("abc", "abc", 0), ("house", "haus", 2), ("kitten", "sitting", 3), ("", "abc", 3), ("ab", "ba", 2)],
)
def test_known_distances(left, right, distance):
    assert edit_distance(left, right, at_most=9) == distance


def slow(left, right):
    if not left or not right:
        return len(left) + len(right)
    return min(slow(left[1:], right) + 1, slow(left, right[1:]) + 1, slow(left[1:], right[1:]) + (left[0] != right[0]))


@given(st.text(alphabet="abß", max_size=5), st.text(alphabet="abß", max_size=5), st.integers(0, 6))
def test_distance_is_that_of_the_definition_up_to_its_bound(left, right, bound):
    assert edit_distance(left, right, at_most=bound) == min(slow(left, right), bound + 1)


@given(short, short)
def test_distance_is_symmetric(left, right):
    assert edit_distance(left, right, at_most=99) == edit_distance(right, left, at_most=99)


@pytest.mark.parametrize(
    ("word", "golds", "likeness"),
    [
        ("hotel", ["Hotel"], "identical"),
        ("hotel", ["gasthof", "hotel"], "identical"),
        ("station", ["bahnhof", "statio"], "similar"),
        ("abcdefghij", ["abcdefgxyz"], "similar"),  # 3 of 10: just within the share
        ("abcdefghij", ["abcdefwxyz"], "different"),
        ("dog", ["hund"], "different"),
        ("a", ["b"], "different"),
    ],
)
def test_likeness_takes_the_closest_translation(word, golds, likeness):
    assert likeness_of(word, golds) == likeness
