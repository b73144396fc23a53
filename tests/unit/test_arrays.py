from __future__ import annotations

import numpy as np
import pytest

from lexenc.arrays import Ragged, batches, blocks, joined_starts, positions, ranges


def test_ragged_keeps_rows_apart():
    rows = Ragged.of([[3, 1], [], [2]])
    assert [list(rows[place]) for place in range(len(rows))] == [[3, 1], [], [2]]
    assert list(rows.rows) == [0, 0, 2]
    assert list(rows.lengths) == [2, 0, 1]
    assert Ragged.of(rows) is rows
    assert len(Ragged.of([])) == 0


def test_ragged_takes_and_joins_rows():
    rows = Ragged.of([[3, 1], [], [2]], np.int32)
    taken = rows.take(np.array([2, 0, 0, 1]))
    assert [list(taken[place]) for place in range(4)] == [[2], [3, 1], [3, 1], []]
    joined = Ragged.joined([rows, taken])
    assert joined.values.dtype == np.int32
    assert [list(joined[place]) for place in (0, 2, 3, 4)] == [[3, 1], [2], [2], [3, 1]]


def test_starts_go_on():
    assert list(joined_starts([np.array([0, 2, 2]), np.array([0, 3])])) == [0, 2, 2, 5]
    assert list(joined_starts([])) == [0]


def test_ranges_and_positions():
    counts = np.array([2, 0, 3])
    assert list(ranges(np.array([5, 9, 1]), counts)) == [5, 6, 1, 2, 3]
    assert list(positions(counts)) == [0, 1, 0, 1, 2]
    assert len(positions(np.zeros(0, dtype=np.int64))) == 0


def test_blocks_cover_all_rows():
    assert blocks(5, 2) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert blocks(0, 2) == []


@pytest.mark.parametrize("kind", [list, np.array])
def test_batches_keep_to_the_budget(kind):
    found = list(batches(kind([2, 2, 1, 9, 0, 5]), 5))
    assert found == [slice(0, 3), slice(3, 4), slice(4, 6)]
    assert list(batches([], 5)) == []


@pytest.mark.parametrize("seed", range(5))
def test_padded_batches_are_as_large_as_the_budget_allows(seed):
    sizes = np.sort(np.random.default_rng(seed).integers(1, 12, 50))
    found = list(batches(sizes, 20, padded=True))
    assert [place for part in found for place in range(part.start, part.stop)] == list(range(50))
    for part in found:
        count = part.stop - part.start
        assert count * sizes[part.stop - 1] <= 20 or count == 1
        assert part.stop == 50 or (count + 1) * sizes[part.stop] > 20
