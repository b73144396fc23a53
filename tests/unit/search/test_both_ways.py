"""Partners in both directions: equal to sorting everything, whatever was found the round before."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.search.both_ways import BarredSearch, DeviceSearch, partner_search


def unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def vocabulary(seed: int, count: int, size: int = 24, dtype=np.float32) -> np.ndarray:
    """Words in clusters of different density, so that there are hubs."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(12, size))
    spread = draw.uniform(0.2, 1.5, size=12)
    own = draw.integers(12, size=count)
    return unit(centres[own] + spread[own, None] * draw.normal(size=(count, size))).astype(dtype)


def brute(source, target, source_ranks, target_ranks, neighbours):
    """Sort everything in float64."""
    scores = source.astype(np.float64) @ target.astype(np.float64).T
    half = [np.zeros(len(source)), np.zeros(len(target))]
    if neighbours:
        half = [np.sort(each, axis=1)[:, -neighbours:].mean(axis=1) / 2 for each in (scores, scores.T)]
    forward, backward = scores - half[1], (scores - half[0][:, None]).T
    return scores, (forward, source_ranks), (backward, target_ranks)


def assert_right(found, source, target, ranks, neighbours):
    """The partners have the rank asked for, but for ties within rounding."""
    scores, *sides = brute(source, target, *ranks, neighbours)
    for partners, (table, own) in zip((found.forward, found.backward), sides, strict=True):
        own = np.minimum(own, table.shape[1])
        wanted = -np.sort(-table, axis=1)[np.arange(len(table)), own - 1]
        assert np.allclose(table[np.arange(len(table)), partners], wanted, atol=1e-5)
    assert np.allclose(found.source_best, scores.max(axis=1), atol=1e-6)
    assert np.allclose(found.target_best, scores.max(axis=0), atol=1e-6)


def turned(source: np.ndarray, step: float, seed: int) -> np.ndarray:
    """Rotate a little, as a mapping moves from round to round."""
    noise = np.random.default_rng(seed).normal(size=(source.shape[1],) * 2)
    left, _, right = np.linalg.svd(np.eye(source.shape[1]) + step * (noise - noise.T))
    return (source @ (left @ right)).astype(source.dtype)


@pytest.mark.parametrize("neighbours", [0, 1, 10])
@pytest.mark.parametrize("keep", [1.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_round_equals_sorting_everything(neighbours, keep, dtype):
    source, target = vocabulary(1, 700, dtype=dtype), vocabulary(2, 900, dtype=dtype)
    search = BarredSearch(target, neighbours=neighbours)
    draw = np.random.default_rng(3)
    for number, step in enumerate((0.0, 0.001, 0.01, 0.3)):
        source = turned(source, step, number)
        ranks = draw.geometric(keep, len(source)), draw.geometric(keep, len(target))
        assert_right(search.search(source, *ranks), source, target, ranks, neighbours)


def test_few_words_need_the_whole_vocabulary_once_the_mapping_hardly_moves():
    source, target = vocabulary(1, 3000), vocabulary(2, 3000)
    search, ones = BarredSearch(target), np.ones(3000, dtype=np.int64)
    for _ in range(3):
        search.search(source, ones, ones)
    assert search.compared < 60


def test_threads_do_not_change_the_result():
    source, target = vocabulary(1, 1500), vocabulary(2, 1500)
    draw = np.random.default_rng(0)
    ranks = draw.geometric(0.2, 1500), draw.geometric(0.2, 1500)
    one, three = BarredSearch(target, threads=1), BarredSearch(target, threads=3)
    for _ in range(2):
        first, second = one.search(source, *ranks), three.search(source, *ranks)
        assert all(np.array_equal(left, right) for left, right in zip(first, second, strict=True))


def test_a_search_that_takes_over_the_bars_goes_on_with_the_same_bits():
    source, target = vocabulary(1, 800), vocabulary(2, 800)
    ones = np.ones(800, dtype=np.int64)
    first = BarredSearch(target)
    first.search(source, ones, ones)
    second = BarredSearch(target)
    second.bars = first.bars
    moved = turned(source, 0.005, 0)
    one, other = first.search(moved, ones, ones), second.search(moved, ones, ones)
    assert all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))
    assert all(np.array_equal(left, right) for left, right in zip(first.bars, second.bars, strict=True))


@pytest.mark.parametrize("neighbours", [0, 10])
def test_the_device_search_finds_the_same(neighbours):
    source, target = vocabulary(1, 600), vocabulary(2, 500)
    draw = np.random.default_rng(3)
    ranks = draw.geometric(0.1, 600), draw.geometric(0.1, 500)
    found = DeviceSearch(target, neighbours=neighbours, device="cpu").search(source, *ranks)
    assert_right(found, source, target, ranks, neighbours)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 7), (7, 2), (3, 600)])
def test_tiny_vocabularies(rows, columns):
    source, target = vocabulary(1, rows), vocabulary(2, columns)
    ranks = np.full(rows, 9), np.full(columns, 9)  # more than there are: the last one
    search = partner_search(target)
    for _ in range(2):
        assert_right(search.search(source, *ranks), source, target, ranks, 10)


def test_zero_vectors_and_equal_words_do_no_harm():
    source, target = vocabulary(1, 300), vocabulary(2, 300)
    source[:5], target[10:20], target[30:40] = 0, 0, target[30]
    ones = np.ones(300, dtype=np.int64)
    search = BarredSearch(target)
    for _ in range(2):
        assert_right(search.search(source, ones, ones), source, target, (ones, ones), 10)
