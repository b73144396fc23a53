"""One set of links from two directions: worked by hand, and against the rules as they are written in the papers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc.alignment.symmetrise import SYMMETRISATIONS, links_of
from lexenc.errors import ConfigError
from lexenc.text.links import Links

# Source words down, target words across. Forward links every target word to one source word.
FORWARD = [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
# Backward links every source word to one target word.
BACKWARD = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
WORKED = {
    "intersection": {(0, 0), (1, 1)},
    "union": {(0, 0), (1, 1), (1, 2), (2, 2), (3, 3), (3, 0)},
    # Beside (1, 1) stand (1, 2), whose target is free, and (2, 2), whose source is; from there on (3, 3), both free.
    "grow-diag": {(0, 0), (1, 1), (1, 2), (2, 2), (3, 3)},
    "grow-diag-final": {(0, 0), (1, 1), (1, 2), (2, 2), (3, 3)},
    "grow-diag-final-and": {(0, 0), (1, 1), (1, 2), (2, 2), (3, 3)},
    "forward": {(0, 0), (1, 1), (1, 2), (3, 3)},
    "backward": {(0, 0), (1, 1), (2, 2), (3, 0)},
}


def pairs(forward, backward, how, **more):
    """Pairs of words that are linked, for tables [source words, target words] of one sentence pair."""
    lengths = [np.array([length]) for length in np.shape(forward)]
    tables = (np.asarray(table, dtype=np.float32).ravel() for table in (np.transpose(forward), backward))
    (links,) = links_of(*lengths, *tables, how, **more).sentences()
    return {link[:2] for link in links}


@pytest.mark.parametrize("how", WORKED)
def test_ways_to_join_two_directions_worked_by_hand(how):
    assert pairs(FORWARD, BACKWARD, how) == WORKED[how]


def test_final_adds_far_off_links_with_a_free_word_and_final_and_with_two():
    forward = np.zeros((4, 4))
    backward = np.zeros((4, 4))
    forward[0, 0] = backward[0, 0] = 1
    forward[0, 3] = 1  # its source is linked already, its target is not
    forward[3, 2] = 1  # both free
    assert pairs(forward, backward, "grow-diag") == {(0, 0)}
    assert pairs(forward, backward, "grow-diag-final") == {(0, 0), (0, 3), (3, 2)}
    assert pairs(forward, backward, "grow-diag-final-and") == {(0, 0), (3, 2)}


def test_threshold_is_one_of_the_mean_probability():
    forward, backward = [[0.8, 0.1], [0.1, 0.5]], [[0.6, 0.2], [0.0, 0.2]]
    assert pairs(forward, backward, "threshold", threshold=0.349) == {(0, 0), (1, 1)}
    assert pairs(forward, backward, "threshold", threshold=0.36) == {(0, 0)}


def test_none_wins_where_it_is_more_probable_than_any_word():
    forward = [[0.3, 0.6], [0.2, 0.1]]  # the first target word is linked to none with 0.5
    assert pairs(forward, np.zeros((2, 2)), "forward") == {(0, 1)}


@pytest.mark.parametrize("how", SYMMETRISATIONS)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_sentences_without_words_have_no_links(how, shape):
    lengths = np.array([shape[0]]), np.array([shape[1]])
    nothing = np.zeros(shape[0] * shape[1], dtype=np.uint16)
    assert list(links_of(*lengths, nothing, nothing, how).sentences()) == [[]]


def test_there_is_no_other_way():
    with pytest.raises(ConfigError, match="grow-diag-final"):
        pairs(FORWARD, BACKWARD, "grow-diag-finale")


@st.composite
def directions(draw):
    width, height = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    ahead = draw(st.lists(st.integers(-1, width - 1), min_size=height, max_size=height))
    back = draw(st.lists(st.integers(-1, height - 1), min_size=width, max_size=width))
    forward, backward = np.zeros((width, height)), np.zeros((width, height))
    for j, i in enumerate(ahead):
        if i >= 0:
            forward[i, j] = 1
    for i, j in enumerate(back):
        if j >= 0:
            backward[i, j] = 1
    return forward, backward


@settings(max_examples=80)
@given(directions())
def test_ways_contain_one_another(tables):
    found = {how: pairs(*tables, how) for how in SYMMETRISATIONS}
    assert found["intersection"] == found["forward"] & found["backward"]
    assert found["union"] == found["forward"] | found["backward"]
    assert found["intersection"] <= found["grow-diag"] <= found["grow-diag-final-and"] <= found["union"]
    assert found["grow-diag"] <= found["grow-diag-final"] <= found["union"]
    linked = {each[0] for each in found["grow-diag-final"]}, {each[1] for each in found["grow-diag-final"]}
    assert all(i in linked[0] and j in linked[1] for i, j in found["union"])


@settings(max_examples=40)
@given(st.lists(directions(), min_size=1, max_size=4), st.sampled_from(SYMMETRISATIONS))
def test_many_sentences_at_once_are_each_of_them(tables, how):
    lengths = [np.array([each[0].shape[side] for each in tables]) for side in (0, 1)]
    ahead = np.concatenate([each[0].T.ravel() for each in tables]) * 7
    back = np.concatenate([each[1].ravel() for each in tables]) * 7
    made = links_of(*lengths, ahead.astype(np.uint16), back.astype(np.uint16), how, sure=7)
    assert len(made) == len(tables)
    for links, (forward, backward) in zip(made.sentences(), tables, strict=True):
        assert [each[:2] for each in links] == sorted(pairs(forward, backward, how))
        assert all(score == pytest.approx((forward[i, j] + backward[i, j]) / 2) for i, j, score in links)


def test_links_are_put_together_and_taken_apart():
    parts = [[(1, 0, 0.5), (0, 0, 1.0)], [], [(2, 3, 0.25)]]
    made = Links.of(parts)
    assert list(made.sentences()) == [sorted(part) for part in parts]
    assert list(Links.joined([made, Links.of([]), made]).sentences()) == [sorted(part) for part in [*parts, *parts]]
    assert len(Links.joined([])) == 0


def test_room_for_links_grows_with_them():
    sure = np.full(30 * 30, 1, dtype=np.uint16)
    made = links_of(np.array([30]), np.array([30]), sure, sure, "threshold")
    assert len(made.source) == 900


def test_links_below_a_score_are_left_out():
    made = Links.of([[(0, 0, 0.9), (0, 1, 0.2)], [(1, 1, 0.1)], [(2, 2, 0.5)]])
    assert [len(each) for each in made.at_least(0.5).sentences()] == [1, 0, 1]
    assert list(made.at_least(0).sentences()) == list(made.sentences())
