"""Rows of different lengths in flat arrays, and the cutting of long work into parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[Any]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, end to end in one array.

    Args:
        starts: Where each row begins in `values`, and the end of the last. Shape [n + 1], int64.
        values: All rows. Shape [t] or [t, d].
    """

    starts: Indices
    values: NDArray[Any]

    @classmethod
    def of(cls, rows: Ragged | Sequence[ArrayLike], dtype: Any = np.int64) -> Ragged:
        """Store a list of rows; rows that are stored already are returned as they are."""
        if isinstance(rows, Ragged):
            return rows
        arrays = [np.asarray(row, dtype=dtype).ravel() for row in rows]
        return cls(starts_of([len(array) for array in arrays]), np.concatenate([np.zeros(0, dtype=dtype), *arrays]))

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """Concatenate the rows of some arrays, at least one."""
        return cls(joined_starts([part.starts for part in parts]), np.concatenate([part.values for part in parts]))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, row: int) -> NDArray[Any]:
        return self.values[self.starts[row] : self.starts[row + 1]]

    @property
    def lengths(self) -> Indices:
        """Length of each row. Shape [n]."""
        return np.diff(self.starts)

    @property
    def rows(self) -> Indices:
        """The row to which each value belongs. Shape [t]."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def take(self, rows: Indices) -> Ragged:
        """Return some rows in the order given."""
        begins, counts = self.starts[rows], self.starts[np.asarray(rows) + 1] - self.starts[rows]
        return Ragged(starts_of(counts), self.values[ranges(begins, counts)])


def starts_of(counts: ArrayLike) -> Indices:
    """Return where rows of these lengths begin, and the end of the last. Shape [n] -> [n + 1]."""
    sizes = np.asarray(counts)
    starts = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=starts[1:])
    return starts


def joined_starts(parts: Sequence[Indices]) -> Indices:
    """Return the starts of rows that are concatenated; each part goes on where the one before ends."""
    return starts_of(np.concatenate([np.zeros(0, dtype=np.int64), *(np.diff(part) for part in parts)]))


def positions(counts: Indices) -> Indices:
    """Return the position of every value in its own row, from 0. Shape [n] -> [sum of counts]."""
    return ranges(np.zeros(len(counts), dtype=np.int64), counts)


def ranges(starts: Indices, counts: Indices) -> Indices:
    """Return `counts[i]` numbers from `starts[i]` on for every i, concatenated. Shape [sum of counts]."""
    ends = np.cumsum(counts)
    found: Indices = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)
    return found


def blocks(count: int, size: int) -> list[slice]:
    """Cut `count` rows into blocks of `size` rows; the last may be shorter."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def batches(sizes: Sequence[int] | Indices, budget: int, *, padded: bool = False) -> Iterator[slice]:
    """Cut rows into runs of neighbours whose sizes sum up to at most `budget`; a larger row stands alone.

    Args:
        sizes: Size of each row, e.g. its tokens. Shape [n].
        budget: Largest size of a batch.
        padded: Whether every row of a batch counts as much as its last; sizes are then in rising order.
    """
    cost = sizes.tolist() if isinstance(sizes, np.ndarray) else sizes
    ends = np.cumsum(cost, dtype=np.int64).tolist()
    first = before = 0
    while first < len(cost):
        if padded:
            fits = bisect_right(range(first, len(cost)), budget, key=lambda last: (last - first + 1) * cost[last])
        else:
            fits = bisect_right(ends, before + budget, lo=first) - first
        last = first + max(1, fits)
        yield slice(first, last)
        first, before = last, ends[last - 1]
