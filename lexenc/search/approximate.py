"""Approximate indexes, which propose nearest rows without a comparison of all rows; proposals are scored again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import blocks
from lexenc.durable import replacing
from lexenc.errors import DataError, unknown_name
from lexenc.progress import SILENT, Progress
from lexenc.search.neighbours import as_float32

ApproximateKind = Literal["ivf", "hnsw"]
_BLOCK = 16_384
# Rows per cell on which k-means is trained, and the fewest for which faiss prints no warning.
_TRAINED, _FEWEST = 64, 39
# Smallest number of cells to search.
_LOOKED_AT = 32
# More rounds of k-means change the centres no more than another seed.
_ROUNDS = 10
_LINKS, _BUILD_WIDTH = 32, 80


class ApproximateIndex:
    """Nearest rows by inner product in an inverted file or a graph.

    Rows are stored with one byte per dimension, because proposals are scored again with the rows themselves. Fewer than
    40 rows are searched exactly.

    Args:
        targets: Rows of length 1. Shape [n, d], any float type.
        kind: `ivf` (clusters of rows, of which the nearest sixteenth, at least 32, are searched) or `hnsw` (a graph of
            neighbours, slow to build and fast to search; not reproducible if several threads build it).
        seed: Seed of the clusters.
        progress: Progress bar to update.

    Raises:
        ConfigError: If the kind does not exist.

    Source: Jegou et al. 2011 (inverted file); Malkov and Yashunin 2020 (graph); both by faiss.
    """

    def __init__(
        self, targets: NDArray[Any], kind: ApproximateKind, *, seed: int = 0, progress: Progress = SILENT
    ) -> None:
        if kind not in get_args(ApproximateKind):
            raise unknown_name("approximate index", kind, get_args(ApproximateKind))
        self._index = _made(targets, kind, seed)
        with progress.task("Building the index", len(targets), "names") as task:
            for part in blocks(len(targets), _BLOCK):
                self._index.add(as_float32(targets[part]))
                task.advance(part.stop - part.start)

    def save(self, path: Path) -> None:
        """Write the index to a file.

        Raises:
            OSError: If there is too little space. No file is left then.
        """
        faiss, faults = _faiss(), list[OSError]()

        def write(part: bytes) -> None:
            try:
                stream.write(part)
            except OSError as error:
                faults.append(error)
                raise

        with replacing(path, flush=False) as stream:
            try:
                faiss.write_index(self._index, faiss.PyCallbackIOWriter(write))
            except Exception as error:  # faiss does not pass on what a writer raises
                raise (faults[0] if faults else error) from None

    @classmethod
    def load(cls, path: Path) -> ApproximateIndex:
        """Read an index that `save` wrote.

        Raises:
            DataError: If the file is not an index.
        """
        made = cls.__new__(cls)
        try:
            made._index = _faiss().read_index(str(path))
        except (RuntimeError, MemoryError):  # a size without measure
            raise DataError(f"{path} is not an index of names.", hint="Make its folder again.") from None
        return made

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def propose(self, queries: NDArray[Any], count: int) -> NDArray[np.int64]:
        """Propose the nearest rows.

        Args:
            queries: Shape [q, d].
            count: Number of proposals per query.

        Returns:
            Row numbers in any order, -1 where fewer are found. Shape [q, count].
        """
        faiss = _faiss()
        options = None
        if isinstance(self._index, faiss.IndexHNSW):
            # A graph returns no more rows than its search list holds.
            options = faiss.SearchParametersHNSW(efSearch=max(2 * count, 128))
        _, found = self._index.search(as_float32(queries), count, params=options)
        proposed: NDArray[np.int64] = found.astype(np.int64, copy=False)
        return proposed


def _made(targets: NDArray[Any], kind: ApproximateKind, seed: int) -> Any:
    """Return an index that is trained and empty."""
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
        index.cp.seed, index.cp.niter = seed + 1, _ROUNDS  # with a seed of 0 faiss would use the clock
        index.nprobe = min(cells, max(_LOOKED_AT, cells // 16))
    chosen = np.random.default_rng(seed).choice(count, min(count, _TRAINED * cells), replace=False)
    index.train(as_float32(targets[np.sort(chosen)]))
    return index


def _faiss() -> Any:
    """Import faiss, whose types are incomplete."""
    import faiss

    return faiss
