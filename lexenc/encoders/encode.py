"""Vectors for any number of texts, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from lexenc.progress import SILENT, Progress, Task

Item = TypeVar("Item")

WINDOW = 65_536
"""Texts tokenised and sorted together; bounds the memory."""
TOKEN_BUDGET = 1_536
"""Tokens in one forward pass on the processor: large enough for full speed, small enough for the cache."""
MOST_WORKERS = 16
"""Forward passes run side by side at most, so that Python itself does not become the bottleneck."""


class TextEncoder(Protocol):
    """Anything that turns token numbers into vectors."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text."""

    def embed(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Vectors of token numbers, shape [texts, dimensions]."""


def encode_texts(
    encoder: TextEncoder,
    texts: Sequence[str],
    *,
    token_budget: int = TOKEN_BUDGET,
    out: np.ndarray | None = None,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Turn texts into vectors; order, batches and neighbours of a text do not change its vector.

    Args:
        encoder: The encoder. Where it has `side_by_side = True`, several forward passes run at once, one per thread.
        texts: Words, phrases or sentences; may be empty strings. Any sequence that can be sliced, read in windows.
        token_budget: Tokens of one forward pass; a longer text gets a pass of its own.
        out: Where the vectors go, for instance a memory map. Shape [n, d], float32. None makes a new array.
        progress: Told how many texts are done.

    Returns:
        Row i is the vector of text i. Shape [n, d], float32; `out` where given.

    Memory: one window of 65,536 texts with their tokens, and one batch per thread, besides the result.
    """
    if out is None:
        out = np.empty((len(texts), encoder.dimensions), dtype=np.float32)
    with progress.task("Encoding", len(texts), "texts") as task, workers(encoder) as pool:
        for start in range(0, len(texts), WINDOW):
            rows = out[start : start + WINDOW]
            _encode_window(encoder, texts[start : start + WINDOW], rows, token_budget, pool, task)
    return out


def _encode_window(
    encoder: TextEncoder,
    texts: Sequence[str],
    out: np.ndarray,
    token_budget: int,
    pool: ThreadPoolExecutor | None,
    task: Task,
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
    for batch in batches_within(distinct, token_budget, len):
        if pool is None:
            finish(batch, _embed(encoder, batch))
            continue
        waiting.append((batch, pool.submit(_embed, encoder, batch)))
        if len(waiting) > 4 * MOST_WORKERS:
            first, future = waiting.pop(0)
            finish(first, future.result())
    for batch, future in waiting:
        finish(batch, future.result())


def batches_within(texts: Iterable[Item], token_budget: int, length: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Cut sorted texts into batches of at most `token_budget` tokens; a longer text stands alone.

    Args:
        texts: Shortest first.
        token_budget: Tokens of a batch.
        length: Gives the tokens of a text.
    """
    batch: list[Item] = []
    size = 0
    for text in texts:
        if batch and size + length(text) > token_budget:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length(text)
    if batch:
        yield batch


def _embed(encoder: TextEncoder, batch: list[tuple[int, ...]]) -> np.ndarray:
    """One forward pass without gradients; float32."""
    # Inference mode belongs to the thread, so it is entered here and not around the whole work.
    with torch.inference_mode():
        vectors: np.ndarray = encoder.embed(batch).float().cpu().numpy()
        return vectors


@contextmanager
def workers(encoder: Any) -> Iterator[ThreadPoolExecutor | None]:
    """Threads that run forward passes side by side, or None where the encoder works on its own.

    One pass per thread beats one pass over all threads: the many small steps of a pass need not wait for one another,
    above all on a machine that is busy with other work.
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
