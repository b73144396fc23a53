"""Vectors and neighbours of the two sides of a corpus, computed part by part, so that a kill loses one part at most."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lexenc.arrays import Matrix, blocks
from lexenc.durable import reserve
from lexenc.errors import DataError
from lexenc.files.text import writing
from lexenc.progress import Progress
from lexenc.search.neighbours import Neighbours
from lexenc.stage import Job
from lexenc.structured import checked, read_json

if TYPE_CHECKING:
    from lexenc.encoders.base import Encoder

IndexKind = Literal["exact", "ivf", "hnsw"]
Storage = Literal["float32", "float16"]
ENCODED_TOGETHER = 8192
"""Sentences after which the vectors are flushed."""
COMPARED_TOGETHER = 20_000_000_000
"""Pairs of sentences that are compared before the neighbours are written: some minutes on a core."""
FEWEST_TOGETHER = 16_384
"""Fewest source sentences of a part, below which choosing the neighbours of all targets would take most of the time."""
SAMPLED = 500
"""Sentences of each side on which the recall of an index is measured."""


@dataclass(frozen=True)
class _Done:
    """How many rows of a file are finished."""

    rows: int


def _done(path: Path) -> int:
    try:
        return checked(_Done, read_json(path), path).rows
    except (DataError, OSError):
        return 0


def _note(path: Path, rows: int) -> None:
    with writing(path) as stream:
        stream.write(json.dumps(asdict(_Done(rows))).encode())


def _table(path: Path, kind: Any, shape: tuple[int, int]) -> np.memmap[Any, Any]:
    """Map an array on the disk into memory. A new one is made unless there is one of this size."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if not path.is_file() or path.stat().st_size != size:
        reserve(path, size)
    return np.memmap(path, dtype=kind, mode="r+", shape=shape)


def encoded(
    encoder: Encoder, texts: Sequence[str], path: Path, storage: Storage, *, token_budget: int, progress: Progress
) -> Matrix:
    """Encode texts into a file of unit vectors, or go on where an earlier run was stopped.

    Args:
        encoder: The encoder.
        texts: The sentences, at least one.
        path: The file.
        storage: Type of the numbers.
        token_budget: Tokens of one forward pass.
        progress: Progress bar to update.

    Returns:
        Rows of length 1, zeros for a text without a vector. A memory map. Shape [n, d].
    """
    from lexenc.encoders.encode import encode_texts

    note = path.with_suffix(".json")
    vectors = _table(path, storage, (len(texts), encoder.dimensions))
    start = _done(note)
    with progress.task("Encoding", len(texts), "sentences") as task:
        task.advance(start)
        for part in blocks(len(texts), ENCODED_TOGETHER):
            if part.stop <= start:
                continue
            own = encode_texts(encoder, texts[part], token_budget=token_budget)
            norms = np.linalg.norm(own, axis=1, keepdims=True)
            vectors[part] = own / np.where(norms > 0, norms, 1)
            vectors.flush()
            _note(note, part.stop)
            task.advance(part.stop - part.start)
    return vectors


def neighbours_of(
    source: Matrix, target: Matrix, k: int, folder: Path, *, index: IndexKind, job: Job
) -> tuple[Neighbours, Neighbours, float | None]:
    """Find the nearest targets of all sources and the nearest sources of all targets, or go on where it was stopped.

    Args:
        source: Unit vectors. Shape [n, d].
        target: Unit vectors. Shape [m, d].
        k: Number of neighbours.
        folder: Folder of the state.
        index: Compare all sentences, or only those that an approximate index proposes.
        job: Device, seed, progress and messages of the run.

    Returns:
        Targets of every source, sources of every target, and the recall of the index on a sample of both sides.
    """
    from lexenc.search.both_sides import best_of_both, recall

    if index == "exact":
        return (*_exact(source, target, k, folder, job), None)
    device, seed = job.device.name, job.seed
    sides = best_of_both(source, target, k=k, index=index, seed=seed, device=device, progress=job.progress)
    found = [recall(own, *each, sample=SAMPLED, seed=seed, device=device)
             for own, each in zip(sides, ((source, target), (target, source)), strict=True)]  # fmt: skip
    return (*sides, sum(found) / 2)


def _exact(source: Matrix, target: Matrix, k: int, folder: Path, job: Job) -> tuple[Neighbours, Neighbours]:
    from lexenc.search.both_sides import best_of_both

    width = min(k, len(target))
    note = folder / "searched.json"
    indices = _table(folder / "forward.indices", np.int64, (len(source), width))
    scores = _table(folder / "forward.scores", np.float64, (len(source), width))
    start = _done(note)
    back = _stored(folder, start) if start else Neighbours(
        np.full((len(target), 0), -1, dtype=np.int64), np.zeros((len(target), 0))
    )  # fmt: skip
    for part in blocks(len(source), max(FEWEST_TOGETHER, COMPARED_TOGETHER // len(target))):
        if part.stop <= start:
            continue
        there, own = best_of_both(source[part], target, k=k, device=job.device.name, progress=job.progress)
        indices[part], scores[part] = there.indices, there.scores
        back = _merged(back, own, part.start, min(k, len(source)))
        for each in (indices, scores):
            each.flush()
        if part.stop < len(source):
            with writing(_place(folder, part.stop)) as stream:
                np.savez(stream, indices=back.indices, scores=back.scores)
            _note(note, part.stop)
            _place(folder, part.start).unlink(missing_ok=True)
    return Neighbours(np.asarray(indices), np.asarray(scores)), back


def _place(folder: Path, rows: int) -> Path:
    return folder / f"backward-{rows}.npz"


def _stored(folder: Path, rows: int) -> Neighbours:
    with np.load(_place(folder, rows), allow_pickle=False) as stored:
        return Neighbours(stored["indices"], stored["scores"])


def _merged(back: Neighbours, own: Neighbours, first: int, width: int) -> Neighbours:
    """Merge the nearest sources so far with those of the next part, whose rows begin at `first`."""
    indices = np.concatenate([back.indices, np.where(own.indices < 0, -1, own.indices + first)], axis=1)
    scores = np.concatenate([back.scores, own.scores], axis=1)
    # Earlier rows are lower ones, and a stable order keeps them first where scores are equal.
    order = np.argsort(-scores, axis=1, kind="stable")[:, :width]
    return Neighbours(np.take_along_axis(indices, order, axis=1), np.take_along_axis(scores, order, axis=1))
