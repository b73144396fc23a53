"""Time the exact neighbour search against the bare matrix product and against faiss.

Run from the project root (about ten minutes on two cores at the default size):

    python bench/search.py
    python bench/search.py --queries 1000 --targets 50000 --rounds 5
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python bench/search.py --processor-time     on a busy machine

The three take turns, so that a busy machine hurts all of them. Printed are medians and the memory each one needs
besides the given encodings.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lexenc.search.neighbours import QUERY_BLOCK, TARGET_BLOCK, top_k
from lexenc.search.retrieval import fit_correction, retrieve


def encodings(rows: int, dimensions: int, seed: int) -> np.ndarray:
    """Random rows of length 1 around a common direction, as real encoders give them."""
    chance = np.random.default_rng(seed)
    matrix = chance.standard_normal((rows, dimensions), dtype=np.float32)
    matrix += 0.5
    for start in range(0, rows, 4096):
        part = matrix[start : start + 4096]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return matrix


def bare_product(
    queries: np.ndarray, targets: np.ndarray, height: int = QUERY_BLOCK, width: int = TARGET_BLOCK
) -> None:
    """Compute all scores in blocks, and look at none."""
    out = np.empty(height * width, dtype=np.float32)
    for row in range(0, len(queries), height):
        left = queries[row : row + height]
        for start in range(0, len(targets), width):
            right = targets[start : start + width]
            np.matmul(left, right.T, out=out[: len(left) * len(right)].reshape(len(left), len(right)))


def resident() -> float:
    """Memory of this process in megabytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


def measure(work: Callable[[], object], clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds, and the peak of the memory above what was there before."""
    before, peak, done = resident(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = clock()
    work()
    seconds = clock() - start
    done.set()
    watcher.join()
    return seconds, peak


def take_turns(work: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float], title: str) -> None:
    """Measure everything in turn, and print medians, ratios to the bare product and peak memory."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            found[name].append(measure(call, clock))
    bare = statistics.median(seconds for seconds, _ in found["bare product"])
    print(f"{title}, median of {rounds}")
    print("what\tseconds\tratio\tpeak_mb")
    for name, results in found.items():
        seconds = statistics.median(seconds for seconds, _ in results)
        print(f"{name}\t{seconds:.2f}\t{seconds / bare:.2f}\t{max(peak for _, peak in results):.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--targets", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--k", type=int, nargs="+", default=[10, 60])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--faiss", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--csls", action="store_true", help="time CSLS too; its table is given")
    parser.add_argument("--processor-time", action="store_true", help="count processor seconds, of all threads")
    options = parser.parse_args()
    clock = time.process_time if options.processor_time else time.perf_counter
    queries = encodings(options.queries, options.dimensions, 0)
    targets = encodings(options.targets, options.dimensions, 1)
    work: dict[str, Callable[[], object]] = {"bare product": lambda: bare_product(queries, targets)}
    for k in options.k:
        work[f"top_k k={k}"] = lambda k=k: top_k(queries, targets, k=k)
    if options.csls:
        correction = fit_correction(targets, queries[:2000], criterion="csls")
        work["retrieve csls k=10"] = lambda: retrieve(queries, targets, k=10, correction=correction)
    if options.faiss:
        import faiss

        index = faiss.IndexFlatIP(options.dimensions)
        index.add(targets)
        for k in options.k:
            work[f"faiss IndexFlatIP k={k}"] = lambda k=k: index.search(queries, k)
    take_turns(work, options.rounds, clock, f"{options.queries} x {options.targets} x {options.dimensions}")


if __name__ == "__main__":
    main()
