"""What holds for any vectors: mapping, blending and searching."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lexenc.lexical.mapping import fit_mapping, normalise
from lexenc.lexical.procrustes import fit_procrustes
from lexenc.search.neighbours import top_k
from lexenc.search.retrieval import fit_correction, rank_of, retrieve

# Coarse values, so that equal scores are common.
values = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.1, 0.5, 1.0, 3.0])


def matrices(rows: Any, columns: int) -> Any:
    return rows.flatmap(lambda n: arrays(np.float32, (n, columns), elements=values))


@given(matrices(st.integers(1, 6), 3), matrices(st.integers(1, 40), 3), st.integers(1, 8), st.data())
@settings(max_examples=60)
def test_search_does_not_depend_on_blocks(queries: Any, targets: Any, k: int, data: st.DataObject) -> None:
    block, other = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    lists = data.draw(
        st.lists(st.lists(st.integers(0, len(targets) - 1), max_size=5), min_size=len(queries), max_size=len(queries))
    )
    whole = top_k(queries, targets, k=k, exclude=lists)
    parts = top_k(queries, targets, k=k, exclude=lists, query_block=block, target_block=other)
    np.testing.assert_array_equal(whole.indices, parts.indices)
    np.testing.assert_array_equal(whole.scores, parts.scores)
    for row, barred in enumerate(lists):
        assert not set(barred) & set(whole.indices[row].tolist())


@given(matrices(st.integers(1, 6), 3), matrices(st.integers(1, 30), 3), st.sampled_from(["nearest", "csls"]))
@settings(max_examples=60)
def test_ranks_are_the_columns_of_the_search(queries: Any, targets: Any, criterion: Any) -> None:
    correction = fit_correction(targets, queries, criterion=criterion, csls_neighbours=2)
    found = retrieve(queries, targets, k=len(targets), correction=correction)
    ranks = rank_of(queries, targets, list(found.indices), correction=correction)
    for row in range(len(queries)):
        assert list(ranks[row]) == list(range(1, len(targets) + 1))


@given(matrices(st.integers(1, 6), 3), matrices(st.integers(2, 30), 3), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_search_does_not_depend_on_the_order_of_targets(queries: Any, targets: Any, chance: Any) -> None:
    order = list(range(len(targets)))
    chance.shuffle(order)
    np.testing.assert_array_equal(top_k(queries, targets, k=5).scores, top_k(queries, targets[order], k=5).scores)


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 6))
@settings(max_examples=40)
def test_an_orthogonal_mapping_keeps_inner_products(seed: int, d1: int, d2: int) -> None:
    chance = np.random.default_rng(seed)
    left, right = chance.normal(size=(20, min(d1, d2))), chance.normal(size=(20, max(d1, d2)))
    for matrix in (fit_mapping(left, right, kind="orthogonal").source, fit_procrustes(left, right)):
        np.testing.assert_allclose(left @ matrix @ matrix.T @ left.T, left @ left.T, atol=1e-9)


@given(st.integers(0, 10_000), st.sampled_from(["advanced", "orthogonal", "unconstrained"]))
@settings(max_examples=40)
def test_mapping_identical_spaces_leaves_every_word_with_itself(seed: int, kind: Any) -> None:
    words, _ = normalise(np.random.default_rng(seed).normal(size=(30, 4)), ["unit", "center", "unit"])
    mapping = fit_mapping(words, words, kind=kind)
    source, _ = normalise(mapping.apply_source(words), ["unit"])
    target, _ = normalise(mapping.apply_target(words), ["unit"])
    np.testing.assert_allclose(np.vecdot(source, target), 1, atol=1e-5)
    assert list(top_k(source, target, k=1).indices[:, 0]) == list(range(30))


@given(st.integers(0, 10_000), st.permutations(range(12)))
@settings(max_examples=30)
def test_the_order_of_dictionary_lines_does_not_matter(seed: int, order: Any) -> None:
    left, right = np.random.default_rng(seed).normal(size=(2, 12, 3))
    ours, other = fit_mapping(left, right), fit_mapping(left[order], right[order])
    np.testing.assert_allclose(
        left @ ours.source @ ours.target.T @ right.T, left @ other.source @ other.target.T @ right.T, atol=1e-6
    )
