from __future__ import annotations

import numpy as np
import pytest

from lexenc.errors import ConfigError
from lexenc.lexical.induction import (
    FEATURES,
    Candidates,
    chosen,
    features,
    find_candidates,
    has_letter,
    measure_density,
    same_strings,
)

SOURCES, TARGETS, NEAREST = 30, 40, 10


def unit(matrix):
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def space():
    random = np.random.default_rng(0)
    return unit(random.normal(size=(SOURCES, 6))), unit(random.normal(size=(TARGETS, 6)))


@pytest.fixture(scope="module")
def table(space):
    """CSLS of every pair, by its formula."""
    source, target = (side.astype(np.float64) for side in space)
    cosines = source @ target.T
    own = np.sort(cosines, axis=1)[:, -NEAREST:].mean(axis=1)
    other = np.sort(cosines, axis=0)[-NEAREST:].mean(axis=0)
    return 2 * cosines - own[:, None] - other[None, :], cosines


def found_in(space, rows, k):
    return find_candidates(*space, np.array(rows), k=k, density=measure_density(*space, neighbours=NEAREST))


@pytest.mark.parametrize("rows", [list(range(SOURCES)), [7, 3, 29]], ids=["all", "some"])
def test_candidates_are_those_of_the_whole_table(space, table, rows):
    csls, cosines = table
    found = found_in(space, rows, 4)
    order = np.argsort(-csls[rows], axis=1)
    assert (found.targets == order[:, :4]).all()
    line = np.array(rows)[:, None]
    assert np.allclose(found.csls, csls[line, found.targets], atol=1e-6)
    assert np.allclose(found.cosine, cosines[line, found.targets], atol=1e-6)
    ordered = np.take_along_axis(csls[rows], order, axis=1)
    others = np.where(np.arange(4) == 0, ordered[:, 1:2], ordered[:, :1])
    assert np.allclose(found.margin, ordered[:, :4] - others, atol=1e-6)
    back = csls.argmax(axis=0)
    wanted = (back[found.targets] == line) & (found.targets == csls[rows].argmax(axis=1)[:, None])
    assert (found.mutual == wanted).all()
    assert found.mutual.any()
    assert not found.mutual[:, 1:].any()


def test_more_candidates_than_words(space):
    found = find_candidates(
        space[0], space[1][:3], np.arange(5), k=9, density=measure_density(space[0], space[1][:3], neighbours=NEAREST)
    )
    assert found.targets.shape == (5, 3)
    assert (found.margin[:, 0] > 0).all()
    lone = find_candidates(
        space[0], space[1][:1], np.arange(5), k=2, density=measure_density(space[0], space[1][:1], neighbours=NEAREST)
    )
    assert (lone.margin == 0).all()
    with pytest.raises(ConfigError, match="at least 1"):
        found_in(space, [0], 0)


def test_parts_join_to_the_whole(space):
    whole = found_in(space, range(SOURCES), 3)
    again = Candidates.joined([found_in(space, range(11), 3), found_in(space, range(11, SOURCES), 3)])
    for name in Candidates.__dataclass_fields__:
        assert (getattr(whole, name) == getattr(again, name)).all()


def test_features_are_what_their_names_say(space):
    found = found_in(space, [4, 9], 3)
    same = np.zeros((2, 3), dtype=bool)
    same[1, 2] = True
    laid = features(found, same)
    assert laid.shape == (2, 3, len(FEATURES))
    column = {name: laid[:, :, place] for place, name in enumerate(FEATURES)}
    assert (column["csls"] == found.csls).all()
    assert (column["margin"][:, 0] == found.margin[:, 0]).all()
    assert not column["identical"].any(), "a later candidate has no more than the ones before it"
    assert np.allclose(column["word_frequency"][:, 0], -np.log([5, 10]))
    rarer = np.maximum(found.targets[:, 0], [4, 9]) + 1
    assert np.allclose(column["pair_frequency"][:, 0], -np.log(rarer))
    ratio = np.minimum([5, 10] / (found.targets[:, 0] + 1), 1)
    assert np.allclose(column["relative_frequency"][:, 0], np.log(ratio))
    same[1, 0] = True
    assert features(found, same)[1, 0, FEATURES.index("identical")] == 1


def test_no_feature_rises_with_the_rank(space):
    found = found_in(space, range(SOURCES), 5)
    same = np.random.default_rng(1).random(found.csls.shape) < 0.3
    assert (np.diff(features(found, same), axis=1) <= 0).all()


def test_same_strings(space):
    words = [f"w{row}" for row in range(SOURCES)]
    found = found_in(space, [2, 5], 3)
    choices = [f"z{row}" for row in range(TARGETS)]
    choices[found.targets[1, 1]] = "w5"
    assert same_strings(found, words, choices).tolist() == [[False] * 3, [False, True, False]]


def test_filters(space):
    found = found_in(space, range(SOURCES), 3)
    assert chosen(found).all()
    assert (chosen(found, mutual=True) == found.mutual).all()
    near = chosen(found, margin=0.05)
    assert (near == (found.margin >= 0.05)).all()
    assert near[:, 0].any()
    assert not near[:, 1:].any(), "a later candidate is behind the best one"


@pytest.mark.parametrize(("word", "letters"), [("7", False), ("--", False), ("3d", True), ("ä", True), ("日", True)])
def test_numbers_and_signs_have_no_letter(word, letters):
    assert has_letter(word) == letters
