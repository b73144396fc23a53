"""Indexes that propose the nearest rows without looking at all of them; what they propose is scored again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.errors import DataError, unknown_name
from lexenc.progress import SILENT, Progress

ApproximateKind = Literal["ivf", "hnsw"]
_BLOCK = 16_384
# Rows per cell that k-means is trained on, and the fewest that faiss takes without a complaint.
_TRAINED, _FEWEST = 64, 39
# Cells looked at, at least.
_LOOKED_AT = 32
# More rounds of k-means move the centres no more than another seed does.
_ROUNDS = 10
_LINKS, _BUILD_WIDTH = 32, 80


class ApproximateIndex:
    """Rows by inner product, found through an inverted file or a graph.

    Rows are kept in a byte per dimension, a quarter of their size, because proposals are scored again from the rows
    themselves. Few rows (below 40) are looked at in full.

    Args:
        targets: Rows of length 1. Shape [n, d], any float type.
        kind: `ivf` (cells around centres, of which the nearest sixteenth, at least 32, are looked at) or `hnsw` (a
            graph of neighbours, slow to build and fast to ask; built by several threads it is not the same every time).
        seed: Of the centres.
        progress: Told about every row added.

    Raises:
        ConfigError: If there is no such kind.

    Source: Jegou et al. 2011 (inverted file); Malkov and Yashunin 2020 (graph); both by faiss.
    """

    def __init__(
        self, targets: NDArray[Any], kind: ApproximateKind, *, seed: int = 0, progress: Progress = SILENT
    ) -> None:
        if kind not in get_args(ApproximateKind):
            raise unknown_name("approximate index", kind, get_args(ApproximateKind))
        self._index = _made(targets, kind, seed)
        with progress.task("Building the index", len(targets), "names") as task:
            for start in range(0, len(targets), _BLOCK):
                part = _rows(targets[start : start + _BLOCK])
                self._index.add(part)
                task.advance(len(part))

    def save(self, path: Path) -> None:
        """Write the index, a byte per dimension and row."""
        _faiss().write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path) -> ApproximateIndex:
        """Read what `save` wrote.

        Raises:
            DataError: If the file is no index.
        """
        made = cls.__new__(cls)
        try:
            made._index = _faiss().read_index(str(path))
        except RuntimeError:
            raise DataError(f"{path} is not an index of names.", hint="Make its folder again.") from None
        return made

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def propose(self, queries: NDArray[Any], count: int) -> NDArray[np.int64]:
        """Propose rows.

        Args:
            queries: Shape [q, d].
            count: Proposals per query.

        Returns:
            Row numbers in no order, -1 where fewer are found. Shape [q, count].
        """
        faiss = _faiss()
        options = None
        if isinstance(self._index, faiss.IndexHNSW):
            # A graph gives no more than it keeps in mind on its way.
            options = faiss.SearchParametersHNSW(efSearch=max(2 * count, 128))
        _, found = self._index.search(_rows(queries), count, params=options)
        proposed: NDArray[np.int64] = found.astype(np.int64, copy=False)
        return proposed


def _made(targets: NDArray[Any], kind: ApproximateKind, seed: int) -> Any:
    """Make an index that is trained and empty."""
    faiss = _faiss()
    count, dimensions = targets.shape
    inner, byte = faiss.METRIC_INNER_PRODUCT, faiss.ScalarQuantizer.QT_8bit
    cells = min(int(4 * math.sqrt(count)), count // _FEWEST)
    if not cells:
        return faiss.IndexFlatIP(dimensions)
    if kind == "hnsw":
        index = faiss.IndexHNSWSQ(dimensions, byte, _LINKS, inner)
        index.hnsw.efConstruction = _BUILD_WIDTH
    else:
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dimensions), dimensions, cells, byte, inner)
        index.cp.seed, index.cp.niter = seed + 1, _ROUNDS  # a seed of 0 would take the clock
        index.nprobe = min(cells, max(_LOOKED_AT, cells // 16))
    chosen = np.random.default_rng(seed).choice(count, min(count, _TRAINED * cells), replace=False)
    index.train(_rows(targets[np.sort(chosen)]))
    return index


def _faiss() -> Any:
    """Import faiss; its types do not know half of it."""
    import faiss

    return faiss


def _rows(matrix: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(matrix, dtype=np.float32)
