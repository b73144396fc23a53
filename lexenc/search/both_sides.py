"""The nearest neighbours of two sets of vectors in each other, in both directions."""

from __future__ import annotations

from lexenc.progress import SILENT, Progress
from lexenc.search.neighbours import Matrix, Neighbours, top_k


def best_of_both(
    source: Matrix,
    target: Matrix,
    *,
    k: int,
    device: str = "cpu",
    threads: int | None = None,
    progress: Progress = SILENT,
) -> tuple[Neighbours, Neighbours]:
    """Find the k nearest targets of every source and the k nearest sources of every target, by inner product.

    Equal scores are sorted by index, the lower one first. The order is that of float64 scores. The result equals two
    calls of `top_k`, for any number of threads.

    Args:
        source: Shape [n, d], any float type.
        target: Shape [m, d], any float type.
        k: Number of neighbours.
        device: `cpu`, or a device of PyTorch for the matrix products.
        threads: Threads on the processor, by default one per core.
        progress: Progress bar to update.

    Returns:
        Targets of every source, shape [n, min(k, m)], and sources of every target, shape [m, min(k, n)], best first.

    Raises:
        ConfigError: If k is below 1, or the sizes do not match.
        DataError: If a row contains a value that is not finite.
    """
    return (
        top_k(source, target, k=k, device=device, progress=progress),
        top_k(target, source, k=k, device=device, progress=progress),
    )
