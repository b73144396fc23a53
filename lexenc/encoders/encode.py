"""Vectors of any number of texts, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from lexenc.arrays import batches, blocks
from lexenc.encoders.base import Encoder
from lexenc.progress import SILENT, Progress, RunningTask

WINDOW = 65_536
"""Texts tokenised and sorted together; limits the memory."""
TOKEN_BUDGET = 1_536
"""Tokens in one forward pass on the processor: large enough for full speed, small enough for the cache."""
MOST_WORKERS = 16
"""Largest number of forward passes at the same time; with more, Python itself becomes the bottleneck."""


def encode_texts(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    token_budget: int = TOKEN_BUDGET,
    out: np.ndarray | None = None,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Turn texts into vectors. The vector of a text does not depend on the other texts or on the batches.

    Args:
        encoder: The encoder. If it has `side_by_side = True`, several forward passes run at once, one per thread.
        texts: Words, phrases or sentences; may be empty strings. Any sequence that can be sliced.
        token_budget: Tokens of one forward pass; a longer text has a pass of its own.
        out: Array for the vectors, e.g. a memory map. Shape [n, d], float32. None for a new array.
        progress: Progress bar to update.

    Returns:
        The vector of text i in row i. Shape [n, d], float32. This is `out` if it was given.

    Memory: one window of 65,536 texts with their tokens, and one batch per thread, besides the result.
    """
    if out is None:
        out = np.empty((len(texts), encoder.dimensions), dtype=np.float32)
    with progress.task("Encoding", len(texts), "texts") as task, workers(encoder) as pool:
        for part in blocks(len(texts), WINDOW):
            _encode_window(encoder, texts[part], out[part], token_budget, pool, task)
    return out


def _encode_window(
    encoder: Encoder,
    texts: Sequence[str],
    out: np.ndarray,
    token_budget: int,
    pool: ThreadPoolExecutor | None,
    task: RunningTask,
) -> None:
    """Encode the texts of one window into `out`, each distinct text once."""
    owners: dict[tuple[int, ...], list[int]] = {}
    for row, numbers in enumerate(encoder.tokenise(texts)):
        owners.setdefault(tuple(numbers), []).append(row)
    distinct = sorted(owners, key=len, reverse=True)

    def finish(batch: list[tuple[int, ...]], vectors: np.ndarray) -> None:
        rows = [row for numbers in batch for row in owners[numbers]]
        repeats = [len(owners[numbers]) for numbers in batch]
        out[rows] = vectors if len(rows) == len(batch) else np.repeat(vectors, repeats, axis=0)
        task.advance(len(rows))

    waiting: list[tuple[list[tuple[int, ...]], Future[np.ndarray]]] = []
    for part in batches(list(map(len, distinct)), token_budget):
        batch = distinct[part]
        if pool is None:
            finish(batch, _embed(encoder, batch))
            continue
        waiting.append((batch, pool.submit(_embed, encoder, batch)))
        if len(waiting) > 4 * MOST_WORKERS:
            first, future = waiting.pop(0)
            finish(first, future.result())
    for batch, future in waiting:
        finish(batch, future.result())


def _embed(encoder: Encoder, batch: list[tuple[int, ...]]) -> np.ndarray:
    # Inference mode belongs to a thread, so it is entered here.
    with torch.inference_mode():
        try:
            vectors: np.ndarray = encoder.embed(batch).float().cpu().numpy()
        except torch.OutOfMemoryError as error:  # which is no MemoryError
            raise MemoryError from error
        return vectors


@contextmanager
def workers(encoder: Any) -> Iterator[ThreadPoolExecutor | None]:
    """Start threads for forward passes at the same time; None if the encoder does not gain from them.

    One pass per thread is faster than one pass over all threads, because the many small steps of a pass need not wait
    for each other, above all on a machine that is busy with other work.
    """
    threads = torch.get_num_threads()
    if threads == 1 or not getattr(encoder, "side_by_side", False):
        yield None
        return
    count = min(threads, MOST_WORKERS)
    pool = ThreadPoolExecutor(count, "encode", initializer=torch.set_num_threads, initargs=(threads // count,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
