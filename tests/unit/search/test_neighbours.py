"""Neighbours, retrieval criteria and ranks against a full float64 table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lexenc.errors import ConfigError, DataError
from lexenc.search.neighbours import top_k
from lexenc.search.retrieval import NEAREST, Correction, fit_correction, mean_similarity, rank_of, retrieve

BLOCKS = [(1, 1), (7, 7), (500, 500), (3, 64), (None, None)]


def unit(matrix: NDArray[Any]) -> NDArray[np.float32]:
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(norms == 0, 1, norms)).astype(np.float32)


@pytest.fixture(scope="module")
def space() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """40 queries and 900 targets of 12 dimensions; a third of the targets are copies, and some rows are zero."""
    chance = np.random.default_rng(3)
    targets = unit(chance.normal(size=(900, 12)))
    targets[600:] = targets[chance.integers(0, 20, size=300)]
    targets[[5, 700]] = 0
    queries = unit(chance.normal(size=(40, 12)))
    queries[:10] = targets[chance.integers(0, 20, size=10)]
    queries[11] = 0
    return queries, targets


@pytest.fixture(scope="module")
def corrections(space: Any) -> dict[str, Correction]:
    queries, targets = space
    return {
        "nearest": NEAREST,
        "csls": fit_correction(targets, queries, criterion="csls", csls_neighbours=5),
        "inverted-softmax": fit_correction(targets, queries, criterion="inverted-softmax", inverse_temperature=30.0),
    }


def table(queries: Any, targets: Any, correction: Correction) -> NDArray[np.float64]:
    """All exact scores, each pair summed by itself; without the part of CSLS that belongs to the query."""
    scores = np.vecdot(targets.astype(float)[None], queries.astype(float)[:, None])
    return scores if correction.offsets is None else scores - correction.offsets


def few_of_single_rows(space: Any, blocks: tuple[int | None, int | None]) -> Any:
    """The first queries, with all that are special, where every score is a block of its own."""
    queries, targets = space
    return (queries[:13] if blocks == (1, 1) else queries), targets


def in_order(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.array([np.lexsort((np.arange(len(row)), -row)) for row in scores])


@pytest.mark.parametrize("criterion", ["nearest", "csls", "inverted-softmax"])
@pytest.mark.parametrize("blocks", BLOCKS)
def test_retrieve_gives_the_order_of_the_full_table(
    space: Any, corrections: Any, criterion: str, blocks: tuple[int | None, int | None]
) -> None:
    queries, targets = few_of_single_rows(space, blocks)
    scores = table(queries, targets, corrections[criterion])
    found = retrieve(queries, targets, k=25, correction=corrections[criterion],
                     query_block=blocks[0], target_block=blocks[1])  # fmt: skip
    np.testing.assert_array_equal(found.indices, in_order(scores)[:, :25])
    assert (found.indices.dtype, found.scores.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("k", [1, 10, 899, 900, 5000])
def test_top_k_gives_what_there_is(space: Any, k: int) -> None:
    queries, targets = space
    scores = table(queries, targets, NEAREST)
    found = top_k(queries, targets, k=k)
    assert found.indices.shape == (40, min(k, 900))
    np.testing.assert_array_equal(found.indices, in_order(scores)[:, :k])
    np.testing.assert_array_equal(found.scores, np.take_along_axis(scores, found.indices, axis=1))


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_top_k_takes_any_float(space: Any, kind: Any) -> None:
    queries, targets = (matrix.astype(kind) for matrix in space)
    found = top_k(queries, targets, k=9, target_block=100)
    np.testing.assert_array_equal(found.indices, in_order(table(queries, targets, NEAREST))[:, :9])


def test_top_k_sees_differences_that_float32_products_lose() -> None:
    chance = np.random.default_rng(0)
    query = unit(chance.normal(size=(1, 300)))
    targets = np.tile(query, (5000, 1)).astype(np.float64) + 1e-9 * chance.normal(size=(5000, 300))
    found = top_k(query, targets, k=20, target_block=512)
    np.testing.assert_array_equal(found.indices, in_order(table(query, targets, NEAREST))[:, :20])


def test_top_k_finds_neighbours_however_the_targets_are_ordered() -> None:
    chance = np.random.default_rng(0)
    queries, targets = unit(chance.normal(size=(3, 8))), unit(chance.normal(size=(5000, 8)))
    targets = targets[np.argsort(targets @ queries[0])]
    found = top_k(queries, targets, k=10, target_block=256)
    np.testing.assert_array_equal(found.indices, in_order(table(queries, targets, NEAREST))[:, :10])


@pytest.mark.parametrize("blocks", BLOCKS)
def test_top_k_leaves_out_what_is_excluded(space: Any, blocks: tuple[int | None, int | None]) -> None:
    queries, targets = few_of_single_rows(space, blocks)
    chance = np.random.default_rng(1)
    lists = [chance.choice(900, size=size, replace=False) for size in chance.integers(0, 300, size=len(queries))]
    lists[7], lists[8] = np.arange(895), np.array([], dtype=int)
    scores = table(queries, targets, NEAREST)
    for row, barred in enumerate(lists):
        scores[row, barred] = -np.inf
    found = top_k(queries, targets, k=12, exclude=lists, query_block=blocks[0], target_block=blocks[1])
    expected = in_order(scores)[:, :12]
    expected[np.take_along_axis(scores, expected, axis=1) == -np.inf] = -1
    np.testing.assert_array_equal(found.indices, expected)
    assert list(found.indices[7, 5:]) == [-1] * 7
    assert (found.scores[7, 5:] == -np.inf).all()


@pytest.mark.parametrize("target_block", [7, None])
def test_top_k_gives_the_same_on_a_device_of_pytorch(space: Any, corrections: Any, target_block: int | None) -> None:
    # "cpu:0" takes the way of a GPU.
    queries, targets = space
    lists = [np.arange(row * 3) for row in range(40)]
    for correction in corrections.values():
        found, ours = (
            retrieve(queries, targets, k=30, correction=correction, exclude=lists, device=device, target_block=block)
            for device, block in (("cpu:0", target_block), ("cpu", None))
        )
        np.testing.assert_array_equal(found.indices, ours.indices)
        np.testing.assert_array_equal(found.scores, ours.scores)
        gold = ours.indices[:, 3:5]
        ranks = [
            rank_of(queries, targets, list(gold), correction=correction, exclude=lists, device=device).values
            for device in ("cpu:0", "cpu")
        ]
        np.testing.assert_array_equal(*ranks)


def test_top_k_of_nothing_is_nothing() -> None:
    nothing, some = np.zeros((0, 3), dtype=np.float32), np.ones((2, 3), dtype=np.float32)
    assert top_k(nothing, some, k=1).indices.shape == (0, 1)
    assert top_k(some, nothing, k=1).indices.shape == (2, 0)


@pytest.mark.parametrize("criterion", ["nearest", "csls", "inverted-softmax"])
@pytest.mark.parametrize("blocks", [(1, 50), (7, 7), (500, 500)])
def test_rank_of_is_the_place_in_the_full_order(
    space: Any, corrections: Any, criterion: str, blocks: tuple[int, int]
) -> None:
    queries, targets = space
    chance = np.random.default_rng(2)
    gold = [chance.choice(900, size=size, replace=False) for size in chance.integers(0, 6, size=40)]
    gold[11], gold[3] = np.array([0, 899, 5]), np.array([], dtype=int)
    order = in_order(table(queries, targets, corrections[criterion]))
    ranks = rank_of(queries, targets, gold, correction=corrections[criterion],
                    query_block=blocks[0], target_block=blocks[1])  # fmt: skip
    assert len(ranks) == 40
    for row, wanted in enumerate(gold):
        assert [int(np.flatnonzero(order[row] == column)[0]) + 1 for column in wanted] == list(ranks[row])


def test_rank_of_does_not_count_excluded_targets(space: Any) -> None:
    queries, targets = space
    order = in_order(table(queries, targets, NEAREST))
    gold, barred = [order[row, [30]] for row in range(40)], [order[row, 10:20] for row in range(40)]
    assert list(rank_of(queries, targets, gold, exclude=barred).values) == [21] * 40


def test_csls_is_the_formula_in_full() -> None:
    # Two source words, two target words, one neighbour: cosines [[1, .6], [.8, 1]] up to rounding.
    queries = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    targets = np.array([[1, 0], [0, 1]], dtype=np.float32)
    correction = fit_correction(targets, queries, criterion="csls", csls_neighbours=1)
    found = retrieve(queries, targets, k=2, correction=correction)
    # r of the queries: 1, .8; r of the targets: 1, .8.
    np.testing.assert_array_equal(found.indices, [[0, 1], [1, 0]])
    np.testing.assert_allclose(found.scores, [[0, -1.8], [0, -0.6]], atol=1e-6)


def test_csls_averages_what_there_is_in_a_small_vocabulary() -> None:
    queries, targets = unit(np.random.default_rng(0).normal(size=(2, 3, 4)).reshape(6, 4)).reshape(2, 3, 4)
    np.testing.assert_allclose(mean_similarity(targets, queries, k=10), (targets @ queries.T).mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("beta", [1.0, 30.0, 5000.0])
def test_inverted_softmax_is_the_log_probability_of_the_query(space: Any, beta: float) -> None:
    sources, targets = space
    correction = fit_correction(targets, sources, criterion="inverted-softmax", inverse_temperature=beta)
    found = retrieve(sources, targets, k=900, correction=correction)
    logits = beta * table(sources, targets, NEAREST)
    peak = logits.max(axis=0)
    expected = logits - peak - np.log(np.exp(logits - peak).sum(axis=0))
    ours = np.take_along_axis(expected, found.indices, axis=1)
    np.testing.assert_allclose(found.scores, ours, rtol=1e-5, atol=2e-6 * beta)
    assert np.isfinite(found.scores).all()


def test_search_names_what_does_not_fit(space: Any) -> None:
    queries, targets = space
    with pytest.raises(ConfigError, match=r"11 columns.*12"):
        top_k(queries[:, :11], targets, k=1)
    with pytest.raises(ConfigError, match="got 0"):
        top_k(queries, targets, k=0)
    with pytest.raises(ConfigError, match="no target 900"):
        top_k(queries, targets, k=1, exclude=[[900]] * 40)
    with pytest.raises(ConfigError, match="39 lists"):
        rank_of(queries, targets, [[1]] * 39)
    with pytest.raises(ConfigError, match="'cls'") as error:
        fit_correction(targets, queries, criterion="cls")  # type: ignore[arg-type]
    assert error.value.hint == "Did you mean 'csls'?"
    with pytest.raises(ConfigError, match="source vocabulary"):
        fit_correction(targets, None, criterion="csls")
    with pytest.raises(ConfigError, match="900 targets, but there are 899"):
        retrieve(queries, targets[1:], k=1, correction=fit_correction(targets, queries, criterion="csls"))


def test_top_k_refuses_nan_with_its_row(space: Any) -> None:
    queries, targets = space
    broken = targets.copy()
    broken[17, 3] = np.nan
    with pytest.raises(DataError, match="target vector in row 17"):
        top_k(queries, broken, k=1)
