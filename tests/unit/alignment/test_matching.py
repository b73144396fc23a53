"""From vectors to links: tables worked out by hand, plain definitions, and many pairs against each alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.alignment import matching
from lexenc.alignment.matching import METHODS, Matching, Tables, choose, match_vectors, too_large
from lexenc.encoders.word_vectors import WordVectors
from lexenc.errors import ConfigError
from lexenc.text.links import Links

# Best of each row: a a b c. Best of each column: 0 0 2 1. Only 0-a is both.
# Then 0 and a count 0.9: rows say b a b c, columns 1 0 2 1, so 0-b (0.765 beats 0.75) and 1-a (0.72 beats 0.70).
# Then 0, 1, a and b count 0.9: rows say d d b c, columns 2 2 2 1, so 1-d and 2-b.
# One to one: 0.90 + 0.60 + 0.75 + 0.35 = 2.60; the next best way, with 0-b, 1-a and 2-d, has 2.50.
TABLE = [
    [0.90, 0.85, 0.10, 0.20],
    [0.80, 0.70, 0.30, 0.60],
    [0.20, 0.75, 0.40, 0.50],
    [0.10, 0.20, 0.35, 0.30],
]
# Exponentials of dot products. Rows sum up to 10 10 8 10, columns to 10 10 10 8.
WEIGHTS = [[6, 2, 1, 1], [1, 4, 4, 1], [2, 1, 1, 4], [1, 3, 4, 2]]


def table_of(matrix):
    values = np.array(matrix, dtype=np.float32)
    return Tables(values.reshape(-1), np.array(values.shape[:1]), np.array(values.shape[1:]))


def links_in(matrix, how):
    scores = choose(table_of(matrix), how).reshape(np.shape(matrix))
    return {(int(i), int(j)): float(scores[i, j]) for i, j in np.argwhere(scores >= 0)}


def vectors(sentences, words=None):
    """Vectors of sentences given as arrays of rows, each row a word of its own unless told otherwise."""
    sizes = [len(each) for each in sentences]
    flat = [row for each in sentences for row in each]
    return WordVectors(
        np.array(flat, dtype=np.float32).reshape(len(flat), len(flat[0]) if flat else 0),
        np.cumsum([0, *sizes]),
        np.array(words if words is not None else [i for size in sizes for i in range(size)], dtype=np.int32),
        np.zeros(len(sizes), dtype=bool),
        np.zeros(len(sizes), dtype=np.int32),
    )


def corpus(seed, count, *, most=12, dimensions=6):
    random = np.random.default_rng(seed)
    sides = [[random.normal(size=(random.integers(0, most), dimensions)) for _ in range(count)] for _ in range(2)]
    return sides[0], sides[1]


def as_dicts(links: Links):
    return [{link[:2]: link[2] for link in each} for each in links.sentences()]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Matching("argmax"), {(0, 0)}),
        (Matching("itermax"), {(0, 0), (0, 1), (1, 0)}),
        (Matching("itermax", rounds=1), {(0, 0)}),
        (Matching("itermax", rounds=3), {(0, 0), (0, 1), (1, 0), (1, 3), (2, 1)}),
        # Nothing is lost by being linked already: 2 takes b as before, and what is free is not preferred.
        (Matching("itermax", alpha=1.0), {(0, 0), (0, 1), (1, 0)}),
        # What one word is linked to, no other takes.
        (Matching("itermax", alpha=0.0), {(0, 0), (2, 1)}),
        (Matching("match"), {(0, 0), (1, 3), (2, 1), (3, 2)}),
    ],
)
def test_table_of_four_by_four(how, expected):
    found = links_in(TABLE, how)
    assert found == pytest.approx({(i, j): TABLE[i][j] for i, j in expected})


def test_softmax_of_four_by_four():
    found = links_in(np.log(WEIGHTS), Matching("softmax", threshold=0.26))
    expected = {(0, 0): 0.6, (1, 1): 0.4, (1, 2): 0.4, (2, 3): 0.5, (3, 1): 0.3, (3, 2): 0.4}
    assert found == pytest.approx(expected, abs=1e-6)


def test_softmax_score_is_the_harmonic_mean():
    found = links_in(np.log([[3.0, 1.0]]), Matching("softmax"))
    assert found == pytest.approx({(0, 0): 2 * 0.75 / 1.75, (0, 1): 2 * 0.25 / 1.25}, abs=1e-6)


def test_softmax_bears_large_products():
    assert links_in([[3000.0, -3000.0], [-3000.0, 2900.0]], Matching("softmax")) == {(0, 0): 1.0, (1, 1): 1.0}


@pytest.mark.parametrize("method", ["argmax", "itermax", "match"])
def test_score_is_between_0_and_1(method):
    assert links_in([[-0.5]], Matching(method)) == {(0, 0): 0.0}
    assert links_in([[1.0000001]], Matching(method)) == {(0, 0): 1.0}


def test_itermax_is_argmax_where_a_side_has_two_units():
    table = [row[:2] for row in TABLE]
    assert links_in(table, Matching("itermax")) == links_in(table, Matching("argmax")) == {(0, 0): pytest.approx(0.9)}


def test_itermax_makes_negative_similarities_smaller_too():
    # 0-a and 1-b first. What is left for c is -0.1 of row 2, free, and -0.095 of row 0, which counts -0.1045.
    table = [[0.9, 0.0, -0.095], [0.0, 0.9, -0.5], [-0.6, -0.6, -0.1]]
    assert links_in(table, Matching("argmax")).keys() == {(0, 0), (1, 1)}
    assert links_in(table, Matching("itermax")).keys() == {(0, 0), (1, 1), (2, 2)}


def test_of_equals_the_first_is_linked():
    assert links_in(np.full((3, 4), 0.5), Matching("argmax")).keys() == {(0, 0)}
    assert links_in(np.full((3, 4), 0.5), Matching("itermax")).keys() == {(0, 0), (1, 1)}
    # Rounding makes no difference.
    assert links_in([[0.5, 0.5 + 3e-7], [0.5 + 2e-7, 0.5]], Matching("argmax")).keys() == {(0, 0)}


@pytest.mark.parametrize("place", [0, 1, 5, 7, 8, 15])
def test_repeated_words_are_equal_wherever_they_stand(place):
    random = np.random.default_rng(place)
    words = random.normal(size=(17, 384))
    words[16] = words[place]
    (found,) = as_dicts(match_vectors(vectors([words]), vectors([words]), Matching("argmax")))
    assert found.keys() == {(i, i) for i in range(16)}


def test_distortion_takes_from_what_is_far_from_the_diagonal():
    tables = table_of(np.ones((3, 2)))
    choose(tables, Matching("argmax", distortion=0.5))
    np.testing.assert_allclose(tables.values.reshape(3, 2), [[1, 0.5], [0.875, 0.875], [0.5, 1]])
    alone = table_of(np.ones((1, 5)))
    choose(alone, Matching("argmax", distortion=0.5))
    assert (alone.values == 1).all()


def test_distortion_tells_repeated_words_apart():
    same = vectors([np.ones((4, 3))])
    (found,) = as_dicts(match_vectors(same, same, Matching("argmax", distortion=0.3)))
    assert found.keys() == {(i, i) for i in range(4)}


def plain_itermax(table, rounds=2, alpha=0.9):
    """The definition of the paper, with whole matrices."""
    links = np.zeros(table.shape, dtype=bool)
    for number in range(rounds):
        rows, columns = links.any(1)[:, None], links.any(0)[None]
        if number and (min(table.shape) <= 2 or rows.all() or columns.all()):
            break
        weighted = np.where(rows | columns, alpha, 1.0) * table
        weighted[rows & columns] = 0
        best = (weighted == weighted.max(1, keepdims=True)) & (weighted == weighted.max(0, keepdims=True))
        links |= best & ~(rows & columns)
    return links


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_rounds_equal_the_definition(seed, height, width, rounds):
    # No number is 0.9 times another: of equals the definition takes both.
    table = np.random.default_rng(seed).permutation(height * width).reshape(height, width) / 97 + 0.0531
    found = links_in(table, Matching("itermax", rounds=rounds))
    assert found.keys() == set(map(tuple, np.argwhere(plain_itermax(table, rounds)).tolist()))


@given(st.integers(0, 2**32), st.sampled_from(["shifted", "cosine"]), st.sampled_from([0.0, 0.4]))
def test_what_holds_for_all_pairs(seed, similarity, distortion):
    source, target = corpus(seed, 6)
    found = {
        method: as_dicts(match_vectors(vectors(source), vectors(target), Matching(method, similarity, distortion)))
        for method in METHODS
    }
    for number, (one, other) in enumerate(zip(source, target, strict=True)):
        assert found["argmax"][number].items() <= found["itermax"][number].items()
        matched = found["match"][number]
        assert len(matched) == min(len(one), len(other))
        assert len({i for i, _ in matched}) == len({j for _, j in matched}) == len(matched)
        for links in found.values():
            assert all(0 <= score <= 1 for score in links[number].values())
            assert all(i < len(one) and j < len(other) for i, j in links[number])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("similarity", ["shifted", "cosine"])
def test_many_at_once_equal_each_alone(method, similarity, monkeypatch):
    monkeypatch.setattr(matching, "_CELLS", 100)
    source, target = corpus(3, 40)
    how = Matching(method, similarity, 0.2)
    together = as_dicts(match_vectors(vectors(source), vectors(target), how))
    for one, other, links in zip(source, target, together, strict=True):
        (alone,) = as_dicts(match_vectors(vectors([one]), vectors([other]), how))
        assert alone == pytest.approx(links, abs=1e-5)


def test_similarities_are_those_of_the_vectors():
    source, target = corpus(5, 8)
    shifted = as_dicts(match_vectors(vectors(source), vectors(target), Matching("match")))
    for one, other, links in zip(source, target, shifted, strict=True):
        for (i, j), score in links.items():
            cosine = one[i] @ other[j] / np.linalg.norm(one[i]) / np.linalg.norm(other[j])
            assert score == pytest.approx((cosine + 1) / 2, abs=1e-5)


def test_softmax_takes_dot_products():
    source, target = corpus(6, 8, dimensions=3)
    for one, other, links in zip(
        source, target, as_dicts(match_vectors(vectors(source), vectors(target), Matching("softmax"))), strict=True
    ):
        assert links == pytest.approx(links_in(one @ other.T, Matching("softmax")) if len(one) else {}, abs=1e-5)


def test_words_are_linked_as_any_of_their_subwords():
    # Source words 0 0 2, target words 1 1 3 4 by subword; words 1 (source), 0 and 2 (target) have no vector.
    source = vectors([[[1, 0, 0], [0, 1, 0], [0, 0.6, 0.8]]], words=[0, 0, 2])
    target = vectors([[[1, 0.2, 0], [0.1, 1, 0], [0, 0, 1], [-1, 0, 0]]], words=[1, 1, 3, 4])
    (found,) = as_dicts(match_vectors(source, target, Matching("argmax", "cosine")))
    # 0-0 with 1 / sqrt(1.04), 1-1 with 1 / sqrt(1.01): the greater one; 2-2 with 0.8.
    assert found == pytest.approx({(0, 1): 1.01**-0.5, (2, 3): 0.8}, abs=1e-6)


@given(st.integers(0, 2**32))
def test_joining_equals_the_definition(seed):
    random = np.random.default_rng(seed)
    source, target = (random.normal(size=(n, 3)) for n in random.integers(1, 9, size=2))
    owners = [np.sort(random.integers(0, 5, size=len(side))) for side in (source, target)]
    how = Matching("softmax", threshold=0.05)
    (found,) = as_dicts(match_vectors(vectors([source], owners[0]), vectors([target], owners[1]), how))
    expected: dict[tuple[int, int], float] = {}
    for (i, j), score in links_in(source @ target.T, how).items():
        pair = (int(owners[0][i]), int(owners[1][j]))
        expected[pair] = max(score, expected.get(pair, 0))
    assert found == pytest.approx(expected, abs=1e-5)


def test_links_are_in_order():
    source, target = corpus(7, 20)
    links = match_vectors(vectors(source), vectors(target), Matching("softmax"))
    assert len(links) == 20
    for each in links.sentences():
        assert each == sorted(each)


@pytest.mark.parametrize("method", METHODS)
def test_empty_sentences_have_no_links(method):
    nothing, something = np.empty((0, 3)), np.eye(3)
    source, target = [nothing, something, nothing, something], [something, nothing, nothing, something]
    found = as_dicts(match_vectors(vectors(source), vectors(target), Matching(method)))
    assert [bool(links) for links in found] == [False, False, False, True]
    none = match_vectors(vectors([]), vectors([]), Matching(method))
    assert (len(none), len(none.source)) == (0, 0)


def test_zero_vectors_do_no_harm():
    words = np.vstack([np.eye(3), np.zeros(3)])
    (found,) = as_dicts(match_vectors(vectors([words]), vectors([words]), Matching("argmax")))
    assert found.keys() >= {(0, 0), (1, 1), (2, 2)}


def test_too_large_pairs_have_no_links(monkeypatch):
    monkeypatch.setattr(matching, "MOST_CELLS", 30)
    side = vectors([np.eye(6), np.eye(6)[:5]])
    source, target = side, side
    assert too_large(source, target).tolist() == [True, False]
    assert [len(each) for each in as_dicts(match_vectors(source, target, Matching("argmax")))] == [0, 5]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "argmx"}, "argmx"),
        ({"similarity": "dot"}, "dot"),
        ({"distortion": 1.5}, "1.5"),
        ({"alpha": -0.1}, "-0.1"),
        ({"threshold": 2.0}, "2.0"),
        ({"rounds": 0}, "0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said) as caught:
        Matching(**settings)
    assert caught.value.hint
