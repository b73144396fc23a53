"""The best partner of every word in both directions under CSLS, for every round in which a mapping is learnt.

One matrix product per round does the work of four. Only the cells above a threshold ("bar") of their row or column are
kept; the bars come from the previous round, in which the mapping was nearly the same. For every word it is checked
whether the kept cells determine the answer. The few other words are compared with the whole other vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from threading import local
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import blocks, positions, starts_of
from lexenc.device import cores
from lexenc.search.neighbours import cells_of, mask_of

Matrix = NDArray[Any]
Indices = NDArray[np.int64]

ROWS, COLUMNS = 512, 2048
"""Rows and columns of a block: with a mask it fits into the cache of one core, where six passes over it cost little."""
# The first bars are estimated from every eighth word.
_SAMPLE = 8
# Words compared with a whole vocabulary, or sorted, at a time.
_CHUNK = 256
# By how much a bar sinks where too few cells were above it.
_SINK = 0.02


class Partners(NamedTuple):
    """Result of one round.

    Args:
        forward: Chosen target of every source word, shape [n].
        backward: Chosen source of every target word, shape [m].
        source_best: Cosine of every source word to its nearest target, shape [n].
        target_best: Cosine of every target word to its nearest source, shape [m].
    """

    forward: Indices
    backward: Indices
    source_best: Matrix
    target_best: Matrix

    def mutual(self) -> tuple[Indices, Indices]:
        """Return the pairs that choose each other: source rows and target rows, shape [p] each."""
        rows = np.flatnonzero(self.backward[self.forward] == np.arange(len(self.forward)))
        return rows, self.forward[rows]


def partner_search(
    target: Matrix, *, neighbours: int = 10, device: str = "cpu", threads: int | None = None
) -> PartnerSearch:
    """Return the search for a device, between two vocabularies of which one changes from round to round.

    Args:
        target: Target vectors of length 1, shape [m, d], float32 or float64; arithmetic is of that type.
        neighbours: Neighbours averaged for CSLS; 0 chooses by cosine alone.
        device: `cpu`, or a device of PyTorch.
        threads: Threads on the processor, by default one per core. Does not change the result.

    Source: CSLS of Conneau et al. 2018 section 2.3, as in Artetxe et al. 2018 (ACL) section 3.3: the cosine minus half
    the mean cosine of the candidate to its own nearest words.
    """
    if device == "cpu":
        return BarredSearch(target, neighbours=neighbours, threads=threads)
    return DeviceSearch(target, neighbours=neighbours, device=device)


class _Thresholds(NamedTuple):
    """Thresholds of the words of one language that a cell must exceed to be kept.

    Args:
        near: Bar of the cosine, for the mean over the nearest words. Shape [n].
        best: Bar of the cosine minus half the mean of the other word, for the choice of a partner. Shape [n].
        half: Half the mean cosine to the nearest words at the time the bars were set. Shape [n].
    """

    near: Matrix
    best: Matrix
    half: Matrix

    def part(self, rows: slice) -> _Thresholds:
        return _Thresholds(*(each[rows] for each in self))


class _Cells(NamedTuple):
    """Cells by word: those of word i are at `starts[i]` to `starts[i + 1]`."""

    starts: Indices
    others: NDArray[np.int32]
    values: Matrix

    def table(self, part: slice) -> tuple[NDArray[np.int32], Matrix]:
        """Return the cells of some words as rows, padded with -1 and -inf."""
        counts = np.diff(self.starts[part.start : part.stop + 1])
        cells = slice(self.starts[part.start], self.starts[part.stop])
        width = max(1, int(counts.max(initial=0)))
        line = np.repeat(np.arange(len(counts)), counts)
        place = positions(counts)
        others = np.full((len(counts), width), -1, dtype=np.int32)
        values = np.full((len(counts), width), -np.inf, dtype=self.values.dtype)
        others[line, place], values[line, place] = self.others[cells], self.values[cells]
        return others, values


@dataclass(frozen=True)
class _Language:
    """One language in one round: vectors, those of the other language, and bars, kept cells and ranks of its words."""

    own: Matrix
    other: Matrix
    bars: _Thresholds
    cells: _Cells
    ranks: Indices


class BarredSearch:
    """Search on the processor, as described at the top of this module. Arguments are those of `partner_search`.

    Attributes:
        size: Number of target words.
        bars: State that is kept between rounds. A search that is given the bars of another continues with the same
            results to the last bit.
        compared: Words of the last round that were compared with a whole vocabulary.
    """

    def __init__(self, target: Matrix, *, neighbours: int = 10, threads: int | None = None) -> None:
        self._target = np.ascontiguousarray(target)
        self._neighbours = neighbours
        self._threads = threads or cores()
        self.size = len(target)
        self.bars: tuple[Matrix, ...] = ()
        self.compared = 0

    def search(self, source: Matrix, source_ranks: Indices, target_ranks: Indices) -> Partners:
        """Find the partner of a given rank by CSLS for every word; rank 1 is the best.

        Args:
            source: Source vectors of length 1, shape [n, d], of the type of the target vectors.
            source_ranks: Rank of the target to return for every source word, shape [n].
            target_ranks: Rank of the source to return for every target word, shape [m].
        """
        source = np.ascontiguousarray(source)
        self.compared = 0
        with one_thread_each(), ThreadPoolExecutor(self._threads) as pool:
            bars = (_Thresholds(*self.bars[:3]), _Thresholds(*self.bars[3:])) if self.bars else self._first_bars(source)
            rows, columns = _scan(source, self._target, bars, pool)
            sides = (
                _Language(source, self._target, bars[0], rows, source_ranks),
                _Language(self._target, source, bars[1], columns, target_ranks),
            )
            means = [self._means(side, pool) for side in sides]
            chosen = [
                self._choose(side, old.half - new.half, new.half, pool)
                for side, old, new in ((sides[0], bars[1], means[1]), (sides[1], bars[0], means[0]))
            ]
        self.bars = tuple(
            each for mean, choice in zip(means, chosen, strict=True) for each in (mean.bar, choice.bar, mean.half)
        )
        return Partners(chosen[0].partners, chosen[1].partners, means[0].best, means[1].best)

    def _first_bars(self, source: Matrix) -> tuple[_Thresholds, _Thresholds]:
        """Estimate bars from a sample of the other vocabulary."""
        dtype, count = self._target.dtype, self._neighbours
        found = []
        for own, other in ((source, self._target), (self._target, source)):
            near, half = np.empty(len(own), dtype), np.zeros(len(own), dtype)
            sample = np.ascontiguousarray(other[::_SAMPLE].T)
            for part in blocks(len(own), _CHUNK):
                scores = -np.sort(-(own[part] @ sample), axis=1)
                near[part] = scores[:, min(scores.shape[1] - 1, _near_rank(count) // _SAMPLE)]
                if count:
                    half[part] = scores[:, : max(1, count // _SAMPLE)].mean(axis=1) / 2
            found.append(_Thresholds(near, near, half))
        # For the choice half the mean of the other word is subtracted; the median is a good enough estimate.
        return (
            found[0]._replace(best=found[0].near - np.median(found[1].half)),
            found[1]._replace(best=found[1].near - np.median(found[0].half)),
        )

    def _means(self, side: _Language, pool: ThreadPoolExecutor) -> _Means:
        """Compute the exact mean cosine to the nearest words."""
        size, dtype = len(side.own), side.own.dtype
        found = _Means(np.empty(size, dtype), np.empty(size, dtype), np.empty(size, dtype))
        count = min(self._neighbours, len(side.other))
        needed = max(1, count)
        open_ = np.zeros(size, dtype=np.bool_)

        def settle(part: slice, scores: Matrix, bars: Matrix | None) -> None:
            ordered = -np.sort(-scores, axis=1)
            if ordered.shape[1] < needed:
                missing = ((0, 0), (0, needed - ordered.shape[1]))
                ordered = np.pad(ordered, missing, constant_values=-np.inf)
            found.best[part] = ordered[:, 0]
            found.half[part] = ordered[:, :count].mean(axis=1) / 2 if count else 0
            found.bar[part] = _next_bar(ordered, _near_rank(count), bars)
            if bars is not None:
                open_[part] = ordered[:, needed - 1] <= bars

        def known(part: slice) -> None:
            settle(part, side.cells.table(part)[1], side.bars.near[part])

        list(pool.map(known, blocks(size, _CHUNK)))
        self._compare(side, np.flatnonzero(open_), lambda rows, scores: settle(rows, scores, None), pool)
        return found

    def _choose(self, side: _Language, drift: Matrix, half: Matrix, pool: ThreadPoolExecutor) -> _Choice:
        """Find the exact partner of the requested rank.

        `half` are the half means of the other words now, and `drift` is by how much they have fallen since the bars
        were set, shape [m] each.
        """
        size, dtype = len(side.own), side.own.dtype
        found = _Choice(np.empty(size, dtype=np.int64), np.empty(size, dtype))
        open_ = np.zeros(size, dtype=np.bool_)
        wanted = int(np.quantile(side.ranks, 0.99)) * 3 // 2 + 8
        ranks = np.minimum(side.ranks, len(side.other))
        # The largest amount by which a cell below its bar can have risen.
        rise = float(drift.max(initial=0.0))

        def settle(part: Any, others: Matrix | None, scores: Matrix, bars: Matrix | None) -> None:
            ordered = -np.sort(-scores, axis=1)
            places = np.minimum(ranks[part], ordered.shape[1]) - 1
            value = np.take_along_axis(ordered, places[:, None], axis=1)
            column = (scores == value).argmax(axis=1)
            found.partners[part] = column if others is None else others[np.arange(len(column)), column]
            found.bar[part] = _next_bar(ordered, wanted, bars)
            if bars is not None:
                open_[part] = (ranks[part] > ordered.shape[1]) | (value[:, 0] <= bars + rise)

        def known(part: slice) -> None:
            others, values = side.cells.table(part)
            scores = np.where(others >= 0, values - half[others], -np.inf).astype(dtype, copy=False)
            settle(part, others, scores, side.bars.best[part])

        list(pool.map(known, blocks(size, _CHUNK)))

        def whole(rows: Indices, scores: Matrix) -> None:
            scores -= half
            settle(rows, None, scores, None)

        self._compare(side, np.flatnonzero(open_), whole, pool)
        return found

    def _compare(
        self, side: _Language, rows: Indices, take: Callable[[Any, Matrix], None], pool: ThreadPoolExecutor
    ) -> None:
        self.compared += len(rows)
        flipped = side.other.T

        def compare(part: slice) -> None:
            take(rows[part], side.own[rows[part]] @ flipped)

        list(pool.map(compare, blocks(len(rows), _CHUNK)))


class _Means(NamedTuple):
    """Nearest cosine, half of the mean over the nearest, and the next bar, of every word; shape [n] each."""

    best: Matrix
    half: Matrix
    bar: Matrix


class _Choice(NamedTuple):
    """Partner and next bar of every word; shape [n] each."""

    partners: Indices
    bar: Matrix


def _near_rank(neighbours: int) -> int:
    """Return the rank of the cosine that becomes the bar for means, with room for the change between rounds."""
    return 2 * max(neighbours, 1) + 4


def _next_bar(ordered: Matrix, rank: int, bars: Matrix | None) -> Matrix:
    """Return the bar at a rank; where fewer cells are known, one somewhat lower than before."""
    bar = ordered[:, min(rank, ordered.shape[1]) - 1]
    if bars is None:
        return bar
    if ordered.shape[1] < rank:
        return np.minimum(np.where(np.isfinite(bar), bar, np.inf), bars - _SINK)
    return np.where(np.isfinite(bar), bar, bars - _SINK)


def _scan(
    source: Matrix, target: Matrix, bars: tuple[_Thresholds, _Thresholds], pool: ThreadPoolExecutor
) -> tuple[_Cells, _Cells]:
    """Multiply block by block, and return the cells above a bar of their row or column: by row and by column."""
    flipped = target.T
    spare = Spare(source.dtype)

    def scan(rows: slice) -> tuple[Indices, NDArray[np.int32], Matrix]:
        found = [
            _kept(source[rows], flipped[:, columns], bars[0].part(rows), bars[1].part(columns), spare, columns.start)
            for columns in blocks(len(target), COLUMNS)
        ]
        lines, columns, values = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.argsort(lines.astype(np.uint16), kind="stable")
        return np.bincount(lines, minlength=rows.stop - rows.start), columns[order], values[order]

    found = pool.map(scan, blocks(len(source), ROWS))
    counts, columns, values = (np.concatenate(each) for each in zip(*found, strict=True))
    rows = np.repeat(np.arange(len(source), dtype=np.int32), counts)
    by_row = _Cells(starts_of(counts), columns, values)
    narrow = columns.astype(np.uint16) if len(target) <= 1 << 16 else columns  # numpy sorts 16-bit numbers by radix
    order = np.argsort(narrow, kind="stable")
    by_column = _Cells(starts_of(np.bincount(columns, minlength=len(target))), rows[order], values[order])
    return by_row, by_column


def _kept(
    source: Matrix, flipped: Matrix, rows: _Thresholds, columns: _Thresholds, spare: Spare, start: int
) -> tuple[Indices, NDArray[np.int32], Matrix]:
    """Return the cells of a block above any of its four bars: rows, columns and cosines."""
    height, width = len(source), flipped.shape[1]
    scores = np.matmul(source, flipped, out=spare.block(height, width))
    mask = mask_of(np.greater, scores, rows.near)
    inside = mask[:, :width]
    inside |= scores > columns.near
    scores -= columns.half
    inside |= scores > rows.best[:, None]
    scores -= rows.half[:, None]
    # Both half means are subtracted by now; the bar of the column is for the one of the row alone.
    inside |= scores > columns.best - columns.half
    lines, places = cells_of(mask)
    values = scores[lines, places] + columns.half[places] + rows.half[lines]
    return lines, (places + start).astype(np.int32), values


class Spare(local):
    """One block of memory per thread, which is reused."""

    def __init__(self, dtype: Any) -> None:
        self._cells = np.empty(ROWS * COLUMNS, dtype)

    def block(self, height: int, width: int) -> Matrix:
        """Return the memory as a matrix of at most ROWS x COLUMNS cells."""
        return self._cells[: height * width].reshape(height, width)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Run every matrix product in its own thread, because blocks are distributed over threads already."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> Any:
    """Find the libraries of linear algebra once; the search takes as long as a small decomposition."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class DeviceSearch:
    """Search on a device of PyTorch, like `BarredSearch`, with two products per round that are sorted in full."""

    def __init__(self, target: Matrix, *, neighbours: int = 10, device: str) -> None:
        self._torch, self._neighbours, self._device = import_module("torch"), neighbours, device
        self._target = self._on_device(target)
        self.size = len(target)
        self.bars: tuple[Matrix, ...] = ()

    def search(self, source: Matrix, source_ranks: Indices, target_ranks: Indices) -> Partners:
        """Find partners; as `BarredSearch.search`."""
        moved = self._on_device(source)
        best, half = zip(*(self._means(*pair) for pair in ((moved, self._target), (self._target, moved))), strict=True)
        forward = self._choose(moved, self._target, half[1], source_ranks)
        backward = self._choose(self._target, moved, half[0], target_ranks)
        return Partners(forward, backward, best[0].cpu().numpy(), best[1].cpu().numpy())

    def _on_device(self, array: Matrix) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def _means(self, own: Any, other: Any) -> tuple[Any, Any]:
        count = min(max(1, self._neighbours), len(other))
        tops = [(own[part] @ other.T).topk(count, dim=1).values for part in blocks(len(own), ROWS * 8)]
        top = self._torch.cat(tops)
        half = top.mean(dim=1) / 2 if self._neighbours else self._torch.zeros_like(top[:, 0])
        return top[:, 0], half

    def _choose(self, own: Any, other: Any, half: Any, ranks: Indices) -> Indices:
        wanted = self._on_device(np.minimum(ranks, len(other)))
        found = []
        for part in blocks(len(own), ROWS * 8):
            rank = wanted[part, None]
            order = (own[part] @ other.T - half).topk(int(rank.max()), dim=1).indices
            found.append(order.gather(1, rank - 1)[:, 0])
        partners: Indices = self._torch.cat(found).cpu().numpy()
        return partners


PartnerSearch = BarredSearch | DeviceSearch
