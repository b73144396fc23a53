"""The search of both directions by one product: equal to two searches, to the last bit."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import product

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.search import both_sides
from lexenc.search.both_sides import best_of_both, recall
from lexenc.search.neighbours import top_k


def vectors(seed: int, count: int, size: int = 12) -> np.ndarray:
    """Rows of length 1, of which some are copies, some nearly so, and two are zero."""
    draw = np.random.default_rng(seed)
    found = draw.normal(size=(count, size))
    found[count // 2 : count // 2 + 40] = found[3]
    found[-60:] = found[7] + 1e-9 * draw.normal(size=(60, size))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    found[[5, count - 2]] = 0
    return found


@pytest.fixture
def fast(monkeypatch):
    """Take the way of large inputs, in small blocks."""
    for name, size in (("_FEW", 0), ("ROWS", 96), ("COLUMNS", 128), ("_TASK", 192)):
        monkeypatch.setattr(both_sides, name, size)


def assert_equal(source, target, k, **more):
    found = best_of_both(source, target, k=k, **more)
    for own, wanted in zip(found, (top_k(source, target, k=k), top_k(target, source, k=k)), strict=True):
        np.testing.assert_array_equal(own.indices, wanted.indices)
        np.testing.assert_array_equal(own.scores, wanted.scores)
        assert (own.indices.dtype, own.scores.dtype) == (np.int64, np.float64)


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize(("dtype", "k"), product([np.float16, np.float32, np.float64], [1, 4, 30]))
def test_it_equals_two_searches(dtype, k):
    assert_equal(vectors(1, 450).astype(dtype), vectors(2, 700).astype(dtype), k, threads=3)


@pytest.mark.usefixtures("fast")
def test_every_shape_and_number_of_threads():
    source, target = vectors(3, 400), vectors(4, 333)
    for rows, columns, k in ((1, 333, 4), (400, 1, 4), (400, 3, 9), (97, 129, 2), (0, 5, 1), (5, 0, 1)):
        assert_equal(source[:rows], target[:columns], k, threads=1)


@pytest.mark.usefixtures("fast")
def test_vectors_in_files_and_in_any_order(tmp_path):
    source, target = vectors(5, 300).astype(np.float32), vectors(6, 500)
    # The nearest come last, so that every block raises the bars.
    target = target[np.argsort(target @ source[0])]
    np.save(tmp_path / "source.npy", source)
    np.save(tmp_path / "target.npy", np.asfortranarray(target))
    assert_equal(*(np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("source", "target")), 4)


@pytest.mark.usefixtures("fast")
def test_what_is_wrong_is_refused():
    source, target = vectors(7, 90), vectors(8, 100)
    with pytest.raises(ConfigError, match="at least 1"):
        best_of_both(source, target, k=0)
    with pytest.raises(ConfigError, match="12 columns"):
        best_of_both(source, target[:, :6], k=1)
    target[3, 0] = np.nan
    with pytest.raises(DataError, match="row 3"):
        best_of_both(source, target, k=1)


class Broken:
    """Progress that fails when the first part is done."""

    @contextmanager
    def task(self, *_):
        yield self

    def advance(self, count):
        raise MemoryError


@pytest.mark.usefixtures("fast")
def test_an_error_in_a_thread_stops_the_search():
    with pytest.raises(MemoryError):
        best_of_both(vectors(9, 450), vectors(8, 900), k=1, progress=Broken())


@pytest.mark.parametrize("index", ["ivf", "hnsw"])
def test_an_approximate_index_finds_most_and_scores_them_exactly(index):
    source, target = vectors(1, 300, 8), vectors(2, 500, 8)
    forward, backward = best_of_both(source, target, k=4, index=index)
    assert recall(forward, source, target) > 0.9
    assert recall(backward, target, source, sample=50) > 0.9
    scores = np.take_along_axis(source @ target.T, forward.indices, axis=1)
    np.testing.assert_allclose(forward.scores, scores, rtol=1e-12)
    few = best_of_both(source[:3], target[:2], k=4, index=index)
    np.testing.assert_array_equal(few[0].indices, top_k(source[:3], target[:2], k=4).indices)
    assert recall(few[0], source[:3], target[:2]) == 1
