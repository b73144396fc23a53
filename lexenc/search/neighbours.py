"""Exact nearest neighbours of the rows of one matrix among the rows of another, the same for any block size.

The search has two steps. The fast one computes every score in float32, block by block, and keeps a few more candidates
per query than requested. The slow one computes the scores of the candidates again in float64, each pair by its own sum,
and sorts them by score, then by index. The largest rounding error of a float32 score is known beforehand. So it is
also known which queries could have lost a neighbour in the first step; those few are searched again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lexenc.arrays import Ragged, blocks, positions
from lexenc.errors import ConfigError, DataError
from lexenc.progress import SILENT, Progress

Matrix = NDArray[Any]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]

QUERY_BLOCK = 2048
TARGET_BLOCK = 4096
# On a GPU the targets are copied to the device once per query block, so blocks are few and large.
GPU_QUERY_BLOCK = 16384
# Bytes of float64 rows gathered at a time when candidates are scored again: about one level-2 cache.
_GATHER_BYTES = 1 << 21
# Columns from which the first, rough threshold for every query is computed.
_HEAD = 512
_ROUNDING = float(np.finfo(np.float32).eps) / 2


@dataclass(frozen=True)
class Neighbours:
    """The best targets of every query, best first.

    Args:
        indices: Row of the target, shape [q, k]; -1 where a query has fewer than k targets left.
        scores: The score of that target, shape [q, k]; -inf where the index is -1.
    """

    indices: Indices
    scores: Matrix


def top_k(  # noqa: PLR0913 - what is searched, what is left out, and how the work is cut
    queries: Matrix,
    targets: Matrix,
    *,
    k: int,
    offsets: Doubles | None = None,
    exclude: Ragged | Sequence[ArrayLike] | None = None,
    query_block: int | None = None,
    target_block: int | None = None,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Neighbours:
    """Find the k targets with the highest inner product for every query (cosine where all rows have length 1).

    Equal scores are sorted by index, the lower one first. The order is that of float64 scores, whatever float type the
    vectors have. Neither block sizes nor the device change the result.

    Args:
        queries: Shape [q, d], any float type.
        targets: Shape [n, d], any float type.
        k: Number of neighbours.
        offsets: Number subtracted from every score of a target. Shape [n].
        exclude: For every query the targets to leave out (e.g. its own row or its translations).
        query_block: Queries compared at a time; more is a little faster and takes more memory.
        target_block: Targets compared at a time; the same.
        device: `cpu`, or a device of PyTorch for the matrix products.
        progress: Progress bar to update.

    Returns:
        Indices and float64 scores of shape [q, min(k, n)], best first.

    Raises:
        ConfigError: If k is below 1, the sizes do not match, or an excluded index does not exist.
        DataError: If a row contains a value that is not finite.

    Memory: about 8 bytes x query_block x target_block besides the inputs, whatever their sizes.
    """
    if k < 1:
        raise ConfigError(f"The number of neighbours must be at least 1, got {k}.")
    engine = Engine(queries, targets, offsets=offsets, exclude=exclude, target_block=target_block, device=device)
    width = min(k, len(targets))
    indices = np.full((len(queries), width), -1, dtype=np.int64)
    scores = np.full((len(queries), width), -np.inf)
    if width:
        with progress.task("Searching neighbours", len(queries), "queries") as task:
            for rows in engine.query_blocks(query_block or (QUERY_BLOCK if device == "cpu" else GPU_QUERY_BLOCK)):
                indices[rows], scores[rows] = engine.search(rows, width)
                task.advance(len(rows))
    return Neighbours(indices, scores)


class Engine:
    """Scores of queries against targets, block by block, for the search of neighbours and of ranks.

    Args:
        queries: Shape [q, d].
        targets: Shape [n, d].
        offsets: Subtracted from every score of a target, shape [n].
        exclude: For every query the targets whose score becomes -inf.
        target_block: Targets compared at a time.
        device: `cpu`, or a device of PyTorch.

    Raises:
        ConfigError: If sizes do not match or an excluded index does not exist.
        DataError: If a row contains a value that is not finite.
    """

    def __init__(
        self,
        queries: Matrix,
        targets: Matrix,
        *,
        offsets: Doubles | None = None,
        exclude: Ragged | Sequence[ArrayLike] | None = None,
        target_block: int | None = None,
        device: str = "cpu",
    ) -> None:
        if queries.ndim != 2 or targets.ndim != 2:
            raise ConfigError(f"Queries and targets must be matrices, got shapes {queries.shape} and {targets.shape}.")
        if queries.shape[1] != targets.shape[1]:
            raise ConfigError(
                f"The queries have {queries.shape[1]} columns, the targets {targets.shape[1]}.",
                hint="Both must come from one space: map or encode them together.",
            )
        self.queries, self.targets = queries, targets
        self.offsets = None if offsets is None else np.asarray(offsets, dtype=np.float64)
        self._offsets32 = None if offsets is None else np.asarray(offsets, dtype=np.float32)
        self.exclude = None if exclude is None else checked_lists(exclude, len(queries), len(targets), "excluded")
        self.target_block = target_block or TARGET_BLOCK
        self.device = device
        self._torch: Any = None if device == "cpu" else import_module("torch")
        self.query_norms = row_norms(queries, "query")
        longest = float(row_norms(targets, "target").max(initial=0.0))
        largest = 0.0 if self.offsets is None else float(np.abs(self.offsets).max(initial=0.0))
        # Sum of d products in float32, rounded inputs and offset included (Higham 2002, section 3.1): never exceeded,
        # in whatever order a library adds.
        steps = queries.shape[1] + 8
        self.error = steps * _ROUNDING * self.query_norms * longest + 8 * _ROUNDING * largest
        self._buffer = np.empty(0, dtype=np.float32)

    def query_blocks(self, size: int) -> Iterator[Indices]:
        """Yield the row numbers of all queries, `size` at a time."""
        for part in blocks(len(self.queries), size):
            yield np.arange(part.start, part.stop, dtype=np.int64)

    def blocks(self, rows: Indices) -> Iterator[tuple[int, Floats]]:
        """Compute the float32 scores of some queries, one block of targets after another.

        Args:
            rows: The queries.

        Yields:
            The first target of the block, and scores of shape [rows, block]. The array is reused for the next block,
            and may be overwritten by the caller.
        """
        columns, excluded_rows = self._excluded(rows)
        block = as_float32(self.queries[rows])
        left = block if self.device == "cpu" else self._on_device(block)
        for part in blocks(len(self.targets), self.target_block):
            scores = self._product(left, part)
            if self._offsets32 is not None:
                scores -= self._offsets32[part]
            low, high = np.searchsorted(columns, (part.start, part.stop))
            scores[excluded_rows[low:high], columns[low:high] - part.start] = -np.inf
            yield part.start, scores

    def exact(self, rows: Indices, columns: Indices) -> Doubles:
        """Compute scores in float64, each pair by its own sum, which no other pair and no block size can change.

        Args:
            rows: Queries, shape [p].
            columns: Some targets for every query, shape [p, m]; the score of -1 is -inf.

        Returns:
            Scores, shape [p, m].
        """
        result = np.empty(columns.shape)
        step = max(1, _GATHER_BYTES // (8 * max(1, columns.shape[1] * self.queries.shape[1])))
        for part in blocks(len(rows), step):
            left = self.queries[rows[part], None].astype(np.float64)
            right = self.targets[columns[part]].astype(np.float64)
            np.vecdot(right, left, out=result[part])
        if self.offsets is not None:
            result -= self.offsets[columns]
        result[columns < 0] = -np.inf
        return result

    def search(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Find the best `width` targets of some queries: indices and float64 scores, shape [rows, width]."""
        indices = np.full((len(rows), width), -1, dtype=np.int64)
        scores = np.full((len(rows), width), -np.inf)
        empty = self.query_norms[rows] == 0
        if empty.any():
            indices[empty], scores[empty] = self._search_empty(rows[empty], width)
        filled = np.flatnonzero(~empty)
        if not len(filled):
            return indices, scores
        candidates, floor = self._collect(rows[filled], width)
        indices[filled], scores[filled], doubtful = self.settle(rows[filled], candidates, floor, width)
        for place in filled[doubtful]:
            indices[place], scores[place] = self._search_again(rows[place], scores[place, -1], width)
        return indices, scores

    def settle(
        self, rows: Indices, candidates: Indices, floor: Matrix, width: int
    ) -> tuple[Indices, Doubles, NDArray[np.bool_]]:
        """Choose the best `width` of the candidates of some queries by their exact scores.

        Args:
            rows: The queries. Shape [q].
            candidates: Targets of every query, -1 for none. Shape [q, c], c at least `width`.
            floor: The largest score in float32 that a target besides these can have. Shape [q].
            width: Number of targets.

        Returns:
            Indices and float64 scores, shape [q, width], and whether rounding may have lost a target, shape [q].
        """
        best, values = _in_order(candidates, self.exact(rows, candidates), width)
        return best, values, (floor > -np.inf) & (values[:, -1] <= floor + self.error[rows])

    def _collect(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Return the best few by float32 score: their indices, and the largest score that a dropped one can have."""
        best = _Best(len(rows), min(width + 16 + width // 8, len(self.targets)))
        if self.device != "cpu":
            return self._collect_torch(rows, best.count)
        for start, scores in self.blocks(rows):
            head = 0
            if start == 0:
                head = min(max(_HEAD, 4 * best.count), scores.shape[1])
                best.offer_all(0, scores[:, :head])
            best.offer(start + head, scores[:, head:])
        return best.indices, best.floor.astype(np.float64)

    def _search_again(self, query: np.int64, least: float, width: int) -> tuple[Indices, Doubles]:
        """Search one query among all targets whose float32 score may reach `least`, which the last neighbour does."""
        rows = np.array([query])
        indices, scores = np.full((1, width), -1, dtype=np.int64), np.full((1, width), -np.inf)
        for start, block in self.blocks(rows):
            near = np.flatnonzero(block[0] >= np.float32(least - 2 * self.error[query])) + start
            # In parts, because thousands of equal targets would fill the memory.
            for part in np.array_split(near, len(near) // 4096 + 1):
                found = np.concatenate([indices, part[None, :]], axis=1)
                values = np.concatenate([scores, self.exact(rows, part[None, :])], axis=1)
                indices, scores = _in_order(found, values, width)
            least = max(least, float(scores[0, -1]))
        return indices[0], scores[0]

    def empty_scores(self) -> Doubles:
        """Return the scores of a query that is zero, shape [n]: only offsets tell its targets apart."""
        return np.zeros(len(self.targets)) if self.offsets is None else -self.offsets

    def _search_empty(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        values = self.empty_scores()
        order = np.argsort(-values, kind="stable")
        indices = np.full((len(rows), width), -1, dtype=np.int64)
        for place, row in enumerate(rows):
            excluded: ArrayLike = [] if self.exclude is None else self.exclude[int(row)]
            head = order[: width + np.size(excluded)]
            kept = head[~np.isin(head, excluded)][:width]
            indices[place, : len(kept)] = kept
        return indices, np.where(indices < 0, -np.inf, values[indices])

    def _excluded(self, rows: Indices) -> tuple[Indices, Indices]:
        """Return the columns and the rows of the excluded cells of some queries, sorted by column."""
        if self.exclude is None:
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing
        lists = self.exclude.take(rows)
        order = np.argsort(lists.values, kind="stable")
        return lists.values[order], lists.rows[order]

    def _product(self, block: Any, part: slice) -> Floats:
        """Multiply on the processor into an array that is reused, or on the device."""
        if self.device != "cpu":
            on_processor: Floats = self._scores_on_device(block, part).cpu().numpy()
            return on_processor
        cells = len(block) * (part.stop - part.start)
        if len(self._buffer) < cells:
            self._buffer = np.empty(cells, dtype=np.float32)
        out = self._buffer[:cells].reshape(len(block), part.stop - part.start)
        return np.matmul(block, as_float32(self.targets[part]).T, out=out)

    def _on_device(self, array: Matrix) -> Any:
        return self._torch.from_numpy(array).to(self.device)

    def _scores_on_device(self, left: Any, part: slice) -> Any:
        """Multiply in full float32 precision; with less the error bound would not hold."""
        torch = self._torch
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            return left @ self._on_device(as_float32(self.targets[part])).T
        finally:
            torch.set_float32_matmul_precision(before)

    def _collect_torch(self, rows: Indices, count: int) -> tuple[Indices, Doubles]:
        """Do the same as `_collect` on the device."""
        torch = self._torch
        columns, excluded_rows = self._excluded(rows)
        left = self._on_device(as_float32(self.queries[rows]))
        best = torch.full((len(rows), count), -torch.inf, device=self.device)
        indices = torch.full((len(rows), count), -1, dtype=torch.int64, device=self.device)
        for part in blocks(len(self.targets), self.target_block):
            scores = self._scores_on_device(left, part)
            if self._offsets32 is not None:
                scores -= self._on_device(self._offsets32[part])
            low, high = np.searchsorted(columns, (part.start, part.stop))
            cells = (excluded_rows[low:high], columns[low:high] - part.start)
            scores[self._on_device(cells[0]), self._on_device(cells[1])] = -torch.inf
            found, places = scores.topk(min(count, scores.shape[1]), dim=1)
            best, order = torch.cat([best, found], dim=1).topk(count, dim=1)
            indices = torch.cat([indices, places + part.start], dim=1).gather(1, order)
        indices[best == -torch.inf] = -1
        return indices.cpu().numpy(), best[:, -1].cpu().numpy().astype(np.float64)


class _Best:
    """The best `count` targets of every query so far, by float32 score, in no order."""

    def __init__(self, rows: int, count: int) -> None:
        self.count = count
        self.indices = np.full((rows, count), -1, dtype=np.int64)
        self.scores = np.full((rows, count), -np.inf, dtype=np.float32)
        self.floor = np.full(rows, -np.inf, dtype=np.float32)

    def offer(self, start: int, scores: Floats) -> None:
        """Add the targets from `start` on; few scores exceed the floor of their row, and only those are copied."""
        rows, columns = cells_of(mask_of(np.greater, scores, self.floor))
        if not len(rows):
            return
        counts = np.bincount(rows, minlength=len(scores))
        active = np.flatnonzero(counts)
        widest = int(counts.max())
        # In each line the present best of an active query, its new candidates, then fillers.
        place = positions(counts[active])
        line = np.repeat(np.arange(len(active)), counts[active])
        values = np.full((len(active), self.count + widest), -np.inf, dtype=np.float32)
        found = np.full(values.shape, -1, dtype=np.int64)
        values[:, : self.count], found[:, : self.count] = self.scores[active], self.indices[active]
        values[line, self.count + place] = scores[rows, columns]
        found[line, self.count + place] = columns + start
        self._keep(active, values, found)

    def offer_all(self, start: int, scores: Floats) -> None:
        """Add all targets from `start` on, the very first ones."""
        active = np.arange(len(scores))
        values = np.concatenate([self.scores, scores], axis=1)
        columns = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
        self._keep(active, values, np.concatenate([self.indices, columns], axis=1))

    def _keep(self, active: Indices, values: Floats, found: Indices) -> None:
        """Replace the best of the active queries by the best among `values`."""
        order = np.argpartition(values, values.shape[1] - self.count, axis=1)[:, -self.count :]
        kept = np.take_along_axis(values, order, axis=1)
        self.scores[active] = kept
        self.indices[active] = np.where(kept == -np.inf, -1, np.take_along_axis(found, order, axis=1))
        self.floor[active] = kept.min(axis=1)


def mask_of(test: np.ufunc, scores: Floats, bars: Floats) -> NDArray[np.bool_]:
    """Compare every cell with the threshold of its row.

    Args:
        test: The comparison, e.g. `np.greater`.
        scores: Shape [q, n].
        bars: Thresholds. Shape [q].

    Returns:
        Shape [q, n rounded up to a multiple of 8]; the additional cells are False.
    """
    height, width = scores.shape
    mask = np.empty((height, -(-width // 8) * 8), dtype=np.bool_)
    mask[:, width:] = False
    test(scores, bars[:, None], out=mask[:, :width])
    return mask


def cells_of(mask: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Return the rows and columns of the few True cells of a mask made by `mask_of`, row by row.

    Eight cells are read at a time, as one number, because nearly all of them are False.
    """
    if not mask.size:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing
    hits = np.flatnonzero(mask.view(np.uint64) != 0)
    which, inner = np.nonzero(mask.reshape(-1, 8)[hits])
    rows, columns = np.divmod(hits[which] * 8 + inner, mask.shape[1])
    return rows, columns


def _in_order(indices: Indices, scores: Doubles, width: int) -> tuple[Indices, Doubles]:
    """Sort every row by score, the highest first, equal ones by index, and keep the first `width`."""
    order = np.lexsort((indices, -scores), axis=-1)[:, :width]
    return np.take_along_axis(indices, order, axis=1), np.take_along_axis(scores, order, axis=1)


def row_norms(matrix: Matrix, what: str = "row") -> Doubles:
    """Compute the Euclidean length of every row in float64.

    Args:
        matrix: Shape [n, d], any float type.
        what: What a row is called in an error message.

    Raises:
        DataError: If a row is not finite.
    """
    norms = np.empty(len(matrix))
    step = max(1, _GATHER_BYTES // (8 * max(1, matrix.shape[1])))
    for part in blocks(len(matrix), step):
        rows = matrix[part].astype(np.float64)
        np.sqrt(np.vecdot(rows, rows), out=norms[part])
    wrong = np.flatnonzero(~np.isfinite(norms))
    if len(wrong):
        raise DataError(
            f"The {what} vector in row {wrong[0]} has a value that is not finite ({len(wrong):,} such rows).",
            hint="Remove these vectors, or compute them again.",
        )
    return norms


def as_float32(matrix: Matrix) -> Floats:
    """Return a matrix as contiguous float32, without a copy if it is that already."""
    return np.ascontiguousarray(matrix, dtype=np.float32)


def checked_lists(lists: Ragged | Sequence[ArrayLike], queries: int, targets: int, what: str) -> Ragged:
    """Check that there is a list for every query, and that the listed targets exist.

    Args:
        lists: Some targets for every query.
        queries: Number of queries.
        targets: Number of targets.
        what: What the listed targets are called in an error message.

    Raises:
        ConfigError: If the lists do not fit.
    """
    ragged = Ragged.of(lists)
    if len(ragged) != queries:
        raise ConfigError(f"There are {len(ragged)} lists of {what} targets for {queries} queries.")
    if len(ragged.values) and not 0 <= ragged.values.min() <= ragged.values.max() < targets:
        wrong = ragged.values.min() if ragged.values.min() < 0 else ragged.values.max()
        raise ConfigError(f"There is no target {wrong} ({what}); there are {targets:,}.")
    return ragged
