"""Time entity linking, by name and by concept, against the bare matrix product.

Run from the project root (about five minutes on two cores at the default size):

    python bench/link.py
    python bench/link.py --names 100000 --rounds 5
    python bench/link.py --index ivf                     an approximate index too: time, and what it misses
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python bench/link.py --processor-time     on a busy machine

`spread` gives every concept two names anywhere; `synonyms` gives some concepts hundreds of names side by side, so that
the nearest names of many mentions all belong to one concept and these mentions are searched again. All take turns, so
that a busy machine hurts all of them. Printed are medians and the memory each one needs besides the given vectors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from search import bare_product, encodings, take_turns

from lexenc.arrays import Ragged
from lexenc.lexical.linking import (
    ApproximateSimilarity,
    Catalogue,
    Rankings,
    VectorSimilarity,
    link_mentions,
    recall,
)
from lexenc.search.approximate import ApproximateIndex


def one_name_per_line(concepts: np.ndarray) -> Catalogue:
    """A knowledge base in which every name stands in one line, which holds one concept."""
    _, codes = np.unique(concepts, return_inverse=True)
    offsets = np.arange(len(codes) + 1, dtype=np.int64)
    return Catalogue(offsets, Ragged(offsets, codes.astype(np.int64)), int(codes.max()) + 1)


def synonyms(names: np.ndarray, mentions: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Move names next to some mentions, and give concepts so that each such crowd is one."""
    concepts = np.arange(len(names)) // 2 + len(mentions)
    start = 0
    for row, size in enumerate(sizes):
        part = slice(start, start + size)
        names[part] = 0.2 * names[part] + mentions[row]
        names[part] /= np.linalg.norm(names[part], axis=1, keepdims=True)
        concepts[part] = row
        start += size
    return concepts


def link(mentions: np.ndarray, names: np.ndarray, catalogue: Catalogue, k: int) -> Rankings:
    return link_mentions(VectorSimilarity(mentions, names), catalogue, k=k)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions", type=int, default=1000)
    parser.add_argument("--names", type=int, default=400_000)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--k", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--index", choices=["ivf", "hnsw"], nargs="*", default=[])
    parser.add_argument("--processor-time", action="store_true", help="count processor seconds, of all threads")
    options = parser.parse_args()
    clock = time.process_time if options.processor_time else time.perf_counter
    mentions = encodings(options.mentions, options.dimensions, 0)
    names = encodings(options.names, options.dimensions, 1)
    # One mention in five among a crowd: half of them small, some of 300 names.
    sizes = ([40] * 10 + [300] * 2) * (options.mentions // 60)
    crowded = one_name_per_line(synonyms(names, mentions, sizes[: options.names // 300]))
    spread = one_name_per_line(np.random.default_rng(2).permutation(options.names) // 2)
    work: dict[str, Callable[[], object]] = {"bare product": lambda: bare_product(mentions, names)}
    for k in options.k:
        for label, catalogue in (("spread", spread), ("synonyms", crowded)):
            work[f"link k={k} {label}"] = lambda k=k, own=catalogue: link(mentions, names, own, k)
    exact = VectorSimilarity(mentions, names)
    for kind in options.index:
        start = clock()
        index = ApproximateIndex(names, kind)
        print(f"{kind} index built in {clock() - start:.1f} s")
        for k in options.k:
            own = ApproximateSimilarity(exact, index)
            work[f"{kind} k={k} spread"] = lambda k=k, own=own: link_mentions(own, spread, k=k)
            found = recall(link_mentions(own, spread, k=k), link(mentions, names, spread, k))
            print(f"{kind} recall at {k}: {found:.3f}")
    title = f"{options.mentions} mentions x {options.names} names x {options.dimensions}"
    take_turns(work, options.rounds, clock, title)


if __name__ == "__main__":
    main()
