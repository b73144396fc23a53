"""The nearest neighbours of two sets of vectors in each other, in both directions, by one matrix product.

Several threads compute blocks of scores in float32. The few scores of a block that are above the smallest one kept so
far for their row or their column are kept. The rest is as in `neighbours`: what was kept is scored again in float64,
and the few rows that could have lost a neighbour to rounding are searched again.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product, takewhile
from threading import Event, Lock
from typing import Literal

import numpy as np

from lexenc.arrays import blocks
from lexenc.device import cores
from lexenc.progress import SILENT, Progress
from lexenc.search.approximate import ApproximateIndex, ApproximateKind
from lexenc.search.both_ways import COLUMNS, ROWS, Spare, one_thread_each
from lexenc.search.neighbours import QUERY_BLOCK, Engine, Matrix, Neighbours, as_float32, top_k

IndexKind = Literal["exact", ApproximateKind]
# Scores kept per row besides those requested, so that rounding leaves few rows in doubt.
_MORE = 4
# Rows that a thread compares with a block of columns. Of vectors in a file, all targets are read once for so many rows.
_TASK = 16 * ROWS
# Number of scores up to which two searches are faster than loading compiled loops.
_FEW = 1 << 26
# Rows whose kept scores are computed again at a time.
_CHUNK = 1024


def best_of_both(
    source: Matrix,
    target: Matrix,
    *,
    k: int,
    index: IndexKind = "exact",
    seed: int = 0,
    device: str = "cpu",
    threads: int | None = None,
    progress: Progress = SILENT,
) -> tuple[Neighbours, Neighbours]:
    """Find the k nearest targets of every source and the k nearest sources of every target, by inner product.

    Equal scores are sorted by index, the lower one first. The order is that of float64 scores, whatever float type the
    vectors have. The result equals two calls of `top_k`, for any number of threads.

    Args:
        source: Shape [n, d], any float type. It may be a memory map larger than memory.
        target: Shape [m, d], the same.
        k: Number of neighbours.
        index: `exact`, or the approximate index that proposes neighbours (`approximate`), of which some are missed;
            `recall` measures how many. Scores are exact in any case.
        seed: Seed of an approximate index.
        device: `cpu`, or a device of PyTorch, on which one direction is searched after the other.
        threads: Threads on the processor, by default one per core.
        progress: Progress bar to update.

    Returns:
        Targets of every source, shape [n, min(k, m)], and sources of every target, shape [m, min(k, n)], best first.
        Where an approximate index finds fewer, the index is -1 and the score -inf.

    Raises:
        ConfigError: If k is below 1, or the sizes do not match.
        DataError: If a row contains a value that is not finite.

    Memory: 8 x (k + 4) bytes for every row and about 5 MB per thread, besides vectors and results. Vectors that are not
    float32 in memory take 32 KB x d more per thread.
    """
    if index != "exact" and k >= 1:
        return (
            _proposed(source, target, k=k, index=index, seed=seed, progress=progress),
            _proposed(target, source, k=k, index=index, seed=seed, progress=progress),
        )
    if device != "cpu" or k < 1 or len(source) * len(target) <= _FEW:
        return (
            top_k(source, target, k=k, device=device, progress=progress),
            top_k(target, source, k=k, device=device, progress=progress),
        )
    threads = threads or cores()
    sides = _Side(source, target, k), _Side(target, source, k)
    with one_thread_each(), ThreadPoolExecutor(threads) as pool:
        _compare(*sides, pool, threads, progress)
        for side in sides:
            list(pool.map(side.settle, blocks(len(side.kept), _CHUNK)))
    for side in sides:
        side.search_doubtful()
    return sides[0].found, sides[1].found


class _Side:
    """Rows that are searched: the scores kept for each so far, and then its neighbours.

    Args:
        own: The rows. Shape [q, d].
        other: What they are compared with. Shape [n, d].
        k: Number of neighbours.
    """

    def __init__(self, own: Matrix, other: Matrix, k: int) -> None:
        self.own, self._engine, self._width = own, Engine(own, other), min(k, len(other))
        kept = len(own), min(k + _MORE, len(other))
        self.kept, self.others = np.full(kept, -np.inf, dtype=np.float32), np.full(kept, -1, dtype=np.int32)
        self.found = Neighbours(np.empty((len(own), self._width), np.int64), np.empty((len(own), self._width)))
        self._doubtful = np.zeros(len(own), dtype=np.bool_)

    def settle(self, part: slice) -> None:
        """Choose the neighbours of some rows among the kept scores."""
        rows, width = np.arange(part.start, part.stop), self._width
        found = self._engine.settle(rows, self.others[part].astype(np.int64), self.kept[part, 0], width)
        self.found.indices[part], self.found.scores[part], self._doubtful[part] = found

    def search_doubtful(self) -> None:
        """Search the rows again whose neighbours the kept scores do not determine."""
        doubtful = np.flatnonzero(self._doubtful)
        for part in blocks(len(doubtful), QUERY_BLOCK):
            rows = doubtful[part]
            self.found.indices[rows], self.found.scores[rows] = self._engine.search(rows, self._width)


def _compare(source: _Side, target: _Side, pool: ThreadPoolExecutor, threads: int, progress: Progress) -> None:
    """Compute all scores, and keep the best of every row of both sides."""
    from lexenc.search.running_best import GROUP, keep_best

    sizes = len(source.own), len(target.own)
    bars = np.full((-(-sizes[1] // GROUP), GROUP), -np.inf, dtype=np.float32)
    locks = [Lock() for _ in blocks(sizes[0], ROWS)], [Lock() for _ in blocks(sizes[1], COLUMNS)]
    spare, stop = Spare(np.float32), Event()

    def compare(rows: slice, columns: slice) -> None:
        left, right = as_float32(source.own[rows]), as_float32(target.own[columns]).T
        width = right.shape[1]
        groups = slice(columns.start // GROUP, -(-columns.stop // GROUP))
        own, first = columns.start // COLUMNS, rows.start // ROWS
        parts = blocks(len(left), ROWS)
        # Threads that compare the same rows begin with different ones, so that they rarely wait for each other.
        for turn in range(len(parts)):
            place = (turn + own) % len(parts)
            part = parts[place]
            lines = slice(rows.start + part.start, rows.start + part.stop)
            scores = spare.block(part.stop - part.start, bars[groups].size)
            scores[:, width:] = -np.inf
            np.matmul(left[part], right, out=scores[:, :width])
            with locks[0][first + place], locks[1][own]:
                keep_best(
                    scores.reshape(len(scores), -1, GROUP), (lines.start, columns.start), source.kept[lines],
                    source.others[lines], target.kept[columns], target.others[columns], bars[groups],
                )  # fmt: skip

    work = product(blocks(sizes[0], _TASK), blocks(sizes[1], COLUMNS))
    with progress.task("Comparing both sides", sizes[0] * sizes[1], "comparisons") as task:

        def worker(_: int) -> None:
            try:
                for rows, columns in takewhile(lambda _: not stop.is_set(), work):
                    compare(rows, columns)
                    task.advance((rows.stop - rows.start) * (columns.stop - columns.start))
            finally:
                stop.set()

        try:
            list(pool.map(worker, range(threads)))
        finally:
            stop.set()


def _proposed(
    queries: Matrix, targets: Matrix, *, k: int, index: ApproximateKind, seed: int, progress: Progress
) -> Neighbours:
    """Find the best of the targets that an index proposes."""
    engine, width = Engine(queries, targets), min(k, len(targets))
    found = Neighbours(np.empty((len(queries), width), np.int64), np.empty((len(queries), width)))
    proposing = ApproximateIndex(targets, index, seed=seed, progress=progress)
    with progress.task("Searching neighbours", len(queries), "queries") as task:
        for rows in engine.query_blocks(QUERY_BLOCK) if width else ():
            candidates = proposing.propose(queries[rows], width + _MORE)
            unknown = np.full(len(rows), -np.inf)
            found.indices[rows], found.scores[rows], _ = engine.settle(rows, candidates, unknown, width)
            task.advance(len(rows))
    return found


def recall(
    found: Neighbours, queries: Matrix, targets: Matrix, *, sample: int = 1000, seed: int = 0, device: str = "cpu"
) -> float:
    """Return the share of the true nearest targets among those found, measured on some queries.

    Args:
        found: Neighbours of all queries by an approximate index. Shape [q, k].
        queries: Shape [q, d].
        targets: Shape [n, d].
        sample: Number of queries to measure.
        seed: Seed of their choice.
        device: As for `best_of_both`.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(queries))[:sample])
    if not found.indices[rows].size:
        return 1.0
    wanted = top_k(queries[rows], targets, k=found.indices.shape[1], device=device)
    hits = (found.indices[rows][:, :, None] == wanted.indices[:, None, :]).any(axis=1)
    return float(hits.mean())
