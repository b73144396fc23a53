"""Time the search of nearest neighbours in both directions, for mining, against one bare matrix product and faiss.

Run from the project root (about ten minutes on two cores at the default size, with 1.5 GB of memory):

    python bench/mine.py
    python bench/mine.py --rows 20000 --rounds 3
    python bench/mine.py --vectors en.npy sw.npy          vectors of real sentences, e.g. vectors.npy of lexenc encode
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python bench/mine.py --rows 20000 --processor-time    on a busy machine

The three take turns. faiss searches some of the rows in each direction, and its time is multiplied up to all rows; that
of the others is measured in full. Printed are medians, ratios and the memory that each needs besides the vectors. Then
the recall of the approximate indexes: how many of the nearest targets they propose.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import get_args

import numpy as np
from search import bare_product, measure

from lexenc.search.approximate import ApproximateKind
from lexenc.search.both_sides import best_of_both, recall
from lexenc.search.neighbours import Neighbours

BLOCK = 4096
# Dimensions in which sentences differ by content; the others have noise alone.
CONTENT = 64


def sides(rows: int, dimensions: int) -> list[np.ndarray]:
    """Return two sides of made-up sentence vectors of length 1, half of which are pairs."""
    chance = np.random.default_rng(0)
    scale = (1 + np.arange(CONTENT, dtype=np.float32)) ** -0.5
    spread = chance.standard_normal((CONTENT, dimensions), dtype=np.float32) / np.sqrt(dimensions)
    content = [chance.standard_normal((rows, CONTENT), dtype=np.float32) * scale for _ in range(2)]
    content[1][: rows // 2] = content[0][: rows // 2]
    found = []
    for own in content:
        matrix = np.empty((rows, dimensions), dtype=np.float32)
        for start in range(0, rows, BLOCK):
            part = matrix[start : start + BLOCK]
            part[:] = (own[start : start + BLOCK] + 0.1 * scale[0]) @ spread
            part += chance.standard_normal(part.shape, dtype=np.float32) * 0.03
            part /= np.linalg.norm(part, axis=1, keepdims=True)
        found.append(matrix)
    found[1] = found[1][chance.permutation(rows)]
    return found


def turns(options: argparse.Namespace, source: np.ndarray, target: np.ndarray) -> None:
    """Measure the three in turn, and print medians, ratios to the bare product and peak memory."""
    clock = time.process_time if options.processor_time else time.perf_counter
    part = min(options.faiss_rows, len(source), len(target))
    work: dict[str, tuple[Callable[[], object], float]] = {
        "bare product": (lambda: bare_product(source, target, BLOCK, BLOCK), 1.0),
        "lexenc, both directions": (
            lambda: best_of_both(source, target, k=options.k, threads=options.threads),
            1.0,
        ),
    }
    for name, rows, others in (("forward", source, target), ("backward", target, source)) if part else ():
        work[f"faiss, {name}"] = (flat_search(rows[:part], others, options.k), len(rows) / part)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    best_of_both(source[:9000], target[:9000], k=options.k)  # loads compiled loops
    for _ in range(options.rounds):
        for name, (call, times) in work.items():
            seconds, peak = measure(call, clock)
            found[name].append((seconds * times, peak))
    medians = {name: statistics.median(each for each, _ in own) for name, own in found.items()}
    print(f"{len(source)} x {len(target)} x {source.shape[1]}, k = {options.k}, median of {options.rounds}")
    print("what\tseconds\tratio\tpeak_mb")
    for name, own in found.items():
        times = f" (x {work[name][1]:g})" if work[name][1] != 1 else ""
        ratio = medians[name] / medians["bare product"]
        print(f"{name}{times}\t{medians[name]:.2f}\t{ratio:.2f}\t{max(peak for _, peak in own):.0f}")
    both = sum(each for name, each in medians.items() if name.startswith("faiss"))
    if both:
        print(f"lexenc to two faiss searches\t\t{medians['lexenc, both directions'] / both:.2f}")


def flat_search(queries: np.ndarray, targets: np.ndarray, k: int) -> Callable[[], object]:
    """Return the exact search of faiss, with its index built."""
    import faiss

    index = faiss.IndexFlatIP(targets.shape[1])
    index.add(targets)
    return lambda: index.search(queries, k)


def print_recall(source: np.ndarray, target: np.ndarray, k: int, queries: int) -> None:
    """Print how many of the nearest targets of some sources the approximate indexes find."""
    print(f"\nindex\tseconds\trecall_at_1\trecall_at_{k}\tboth directions; recall of {queries} sources")
    for kind in get_args(ApproximateKind):
        began = time.perf_counter()
        found, _ = best_of_both(source, target, k=k, index=kind)
        done = time.perf_counter()
        first = Neighbours(found.indices[:, :1], found.scores[:, :1])
        shares = [recall(each, source, target, sample=queries) for each in (first, found)]
        print(f"{kind}\t{done - began:.1f}\t{shares[0]:.4f}\t{shares[1]:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--vectors", nargs=2, help="two .npy files, instead of made-up vectors")
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, help="threads of lexenc; the others follow OMP_NUM_THREADS")
    parser.add_argument("--processor-time", action="store_true", help="count processor seconds, of all threads")
    parser.add_argument("--faiss-rows", type=int, default=20_000, help="rows that faiss searches; 0 for no faiss")
    parser.add_argument("--queries", type=int, default=5000, help="rows for which recall is measured; 0 for none")
    options = parser.parse_args()
    if options.vectors:
        source, target = (np.ascontiguousarray(np.load(path), dtype=np.float32) for path in options.vectors)
    else:
        source, target = sides(options.rows, options.dimensions)
    turns(options, source, target)
    if options.queries:
        print_recall(source, target, options.k, options.queries)


if __name__ == "__main__":
    main()
