"""Alignment of documents: the cheapest ladder of all, from coarse to fine, and its scores."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lexenc.sentences.documents import (
    Agreement,
    Blocks,
    BlockTexts,
    Region,
    SentenceLinks,
    align_blocks,
    centred,
    compare_links,
    poor_regions,
    scale_rows,
)


def summed(vectors, sizes=7):
    vectors = scale_rows(np.array(vectors, dtype=np.float32))
    return Blocks.summed(vectors, sizes, lambda rows: np.empty((rows, vectors.shape[1]), np.float32))


def pair(count, *, noise=0.3, seed=0, dimensions=16):
    """Two documents of `count` sentences that are noisy copies, with a few edits on either side."""
    random = np.random.default_rng(seed)
    source = random.standard_normal((count, dimensions))
    target = source + noise * random.standard_normal(source.shape)
    kept = [np.flatnonzero(random.random(count) > 0.1) for _ in range(2)]
    return source[kept[0]], target[kept[1]]


def ladders(source, target, most):
    """Yield all ways to link the last sentences."""
    if not (source or target):
        yield []
        return
    for one, other in itertools.product(range(source + 1), range(target + 1)):
        if (one and other and one + other <= most) or one + other == 1:
            for rest in ladders(source - one, target - other, most):
                yield [*rest, (source - one, source, target - other, target)]


def cost_of(ladder, source, target, deletion):
    """Compute the cost of a ladder from the formulas, in plain loops."""
    source, target = (np.array(side, dtype=np.float64) for side in (source, target))
    source, target = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (source, target))

    def far(block, others):
        distances = sorted(1 - float(block @ other) for other in others)
        return sum(distances[1:]) / (len(distances) - 1)

    total = 0.0
    for first, last, begin, end in ladder:
        if first == last or begin == end:
            total += deletion
            continue
        one, other = source[first:last].sum(axis=0), target[begin:end].sum(axis=0)
        one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
        distance = 2 * max(0, 1 - float(one @ other) - 1e-5) / (far(one, target) + far(other, source))
        total += (last - first) * (end - begin) * distance
    return total


@pytest.mark.parametrize("seed", range(3))
def test_the_links_are_the_cheapest_of_all_ladders(seed):
    random = np.random.default_rng(seed)
    source = random.standard_normal((4, 6))
    target = (source[[0, 1, 2, 3]] + source[[0, 2, 2, 3]]) + 0.5 * random.standard_normal((4, 6))
    for most in (2, 3, 8):
        found = align_blocks(summed(source), summed(target), most=most)
        costs = [cost_of(each, source, target, found.deletion) for each in ladders(4, 4, most)]
        assert found.cost == pytest.approx(min(costs), abs=1e-5)
        own = [(one.start, one.stop, other.start, other.stop) for one, other, _ in found]
        assert cost_of(own, source, target, found.deletion) == pytest.approx(min(costs), abs=1e-5)


def test_coarse_to_fine_is_exact_with_a_wide_band_and_nearly_so_with_a_narrow_one():
    sides = [summed(side) for side in pair(420)]
    full = align_blocks(*sides, band=1000)
    assert align_blocks(*sides, band=200).cost == pytest.approx(full.cost)
    narrow = align_blocks(*sides)
    assert narrow.cost == pytest.approx(full.cost, rel=1e-3)
    strict, _ = compare_links(*(((one, other) for one, other, _ in each) for each in (narrow, full)))
    assert strict.f1 > 0.99


def test_exchanged_documents_have_exchanged_links_and_a_long_insertion_is_found():
    source, target = pair(400)
    target = np.concatenate([target[:150], np.random.default_rng(5).standard_normal((300, 16)), target[150:]])
    there, back = align_blocks(summed(source), summed(target)), align_blocks(summed(target), summed(source))
    assert there.cost == pytest.approx(back.cost)
    links = {(one, other) for one, other, _ in there if one and other}
    assert links == {(one, other) for other, one, _ in back if one and other}
    inserted = [other.start for one, other, _ in there if not one]
    assert sum(150 <= each < 450 for each in inserted) > 290
    region = max(poor_regions(there), key=lambda each: each.unreliable)
    assert region.unreliable > 290


def test_merged_and_missing_sentences_are_found():
    random = np.random.default_rng(3)
    source = scale_rows(random.standard_normal((30, 16)).astype(np.float32))
    target = np.concatenate([source[:5], source[6:10], source[10:12].sum(0, keepdims=True), source[12:], source[:1]])
    links = align_blocks(summed(source), summed(target))
    kinds = {(one.start, len(one), len(other)) for one, other, _ in links if (len(one), len(other)) != (1, 1)}
    assert kinds == {(5, 1, 0), (10, 2, 1), (30, 0, 1)}
    assert links.scores[:5] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("source", "target"), [(0, 0), (0, 3), (3, 0), (1, 1), (1, 5), (5, 1)])
def test_documents_of_hardly_any_sentences(source, target):
    sides = [np.random.default_rng(0).standard_normal((count, 4)) for count in (source, target)]
    links = list(align_blocks(*map(summed, sides)))
    assert [i for one, _, _ in links for i in one] == list(range(source))
    assert [j for _, other, _ in links for j in other] == list(range(target))


def test_equal_sentences_are_linked_in_order():
    same = np.ones((6, 4))
    assert [(len(one), len(other)) for one, other, _ in align_blocks(summed(same), summed(same))] == [(1, 1)] * 6


def test_distinct_blocks_are_joined_texts():
    texts = BlockTexts(["a", "b", "a", "b"], 3)
    assert texts[:] == ["a", "a b", "a b a", "b", "b a", "b a b"]
    assert texts[1] == "a b"
    assert texts.rows.tolist() == [[0, 3, 0, 3], [1, 4, 1, -1], [2, 5, -1, -1]]
    assert len(BlockTexts([], 3)) == 0


def test_sums_are_of_length_one_and_empty_texts_stay_zero():
    blocks = summed([[3, 0], [0, 4], [0, 0]], 3)
    half = 0.5**0.5
    assert blocks.vectors == pytest.approx(np.array([[1, 0], [0, 1], [0, 0], [half, half], [0, 1], [half, half]]))
    assert blocks.rows.tolist() == [[0, 1, 2], [3, 4, -1], [5, -1, -1]]


def test_most_of_the_mean_of_a_document_is_subtracted():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    found = centred(vectors, np.array([0, 1, 0]), lambda rows: np.empty((rows, 2), np.float32))
    expected = vectors - np.array([2, 1]) / 13
    assert found == pytest.approx(expected / np.linalg.norm(expected, axis=1, keepdims=True))


def test_strict_and_lax_agreement():
    gold = [((0,), (0,)), ((1, 2), (1,)), ((3,), ()), ((4,), (2, 3))]
    links = [([0], [0]), ([1], [1]), ([2], []), ([3, 4], [2]), ([], [3])]
    strict, lax = compare_links(links, gold)
    assert (strict, lax) == (Agreement(1, 3, 1, 3), Agreement(3, 3, 3, 3))
    assert (strict.precision, lax.f1, compare_links([], gold)[0].f1) == (1 / 3, 1, 0)


def test_regions_of_low_quality():
    scores = np.full(60, 0.8)
    scores[20:27] = np.nan
    scores[23] = 0.9
    scores[[5, 50]] = 0.05
    links = SentenceLinks(np.arange(61), np.arange(61), scores, 0.3, 0.5, 0)
    assert poor_regions(links) == [Region(20, 26, 6, 0.9)]
    assert poor_regions(SentenceLinks(np.zeros(1, int), np.zeros(1, int), np.zeros(0), 0.3, 0.5, 0)) == []
