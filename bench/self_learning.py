"""Time self-learning against its bare matrix products, and score what it reaches without a dictionary.

Run from the project root, with real vectors (about two minutes for the first, an hour for the second on two cores):

    python bench/self_learning.py
    python bench/self_learning.py --learn identical semi none --seeds 0 1 2

The first takes rounds of self-learning in turn with the two products that one round asks for (source by target, for
either direction) and with the same round as its formulas stand: four products, a random matrix, partial sorts. The
second maps without a dictionary (`semi`: 500 pairs) and prints precision at 1 on the GT-BLI test words, next to what
VecMap's own program reached on the same vectors.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import DATA, seconds_of

import lexenc
from lexenc.files.vectors import read_two
from lexenc.lexical.mapping import normalise
from lexenc.lexical.seeds import identical_pairs
from lexenc.lexical.self_learning import rotation
from lexenc.search.both_ways import BarredSearch

BLOCK = 1000  # rows at a time, as VecMap takes them


class Words(NamedTuple):
    """Normalised vectors of two languages and the pairs written alike."""

    source: np.ndarray
    target: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def load(data: Path, cutoff: int) -> Words:
    """Read the shared vectors, as the preset does, and keep the most frequent words."""
    files = [data / f"static/{code}.fasttext300.vec.gz" for code in ("en", "de")]
    both = read_two(*files, limit=None, duplicates="first", bad_lines="error")
    matrices = [normalise(each.matrix, ["unit", "center", "unit"])[0][:cutoff] for each in both]
    return Words(*matrices, *identical_pairs(*(each.words[:cutoff] for each in both)))


def two_products(source: np.ndarray, target: np.ndarray) -> None:
    """Multiply block by block in both directions; nobody looks at the scores."""
    for left, right in ((source, target), (target, source)):
        for start in range(0, len(left), BLOCK):
            left[start : start + BLOCK] @ right.T


def plain_round(source: np.ndarray, target: np.ndarray, keep: float, draw: np.random.Generator) -> None:
    """One round as the formulas stand."""
    for left, right in ((source, target), (target, source)):
        means = np.empty(len(right), dtype=np.float32)
        for start in range(0, len(right), BLOCK):
            scores = right[start : start + BLOCK] @ left.T
            means[start : start + BLOCK] = np.partition(scores, len(left) - 10, axis=1)[:, -10:].mean(axis=1)
        for start in range(0, len(left), BLOCK):
            scores = left[start : start + BLOCK] @ right.T
            scores.max(axis=1)
            scores -= means / 2
            scores *= draw.random(scores.shape) < keep
            scores.argmax(axis=1)


def time_rounds(words: Words, rounds: int, keep: float) -> None:
    """Print medians and ratios of rounds that take turns."""
    source, target = words.source, words.target
    draw = np.random.default_rng(0)
    search = BarredSearch(target)
    rows, columns = words.rows, words.columns
    times: dict[str, list[float]] = {
        "two bare products": [],
        "one round": [],
        "of it the search": [],
        "plain round": [],
    }
    for number in range(rounds + 3):
        began = time.perf_counter()
        moved = source @ rotation(source, target, rows, columns)
        searched = time.perf_counter()
        ranks = draw.geometric(keep, len(source)), draw.geometric(keep, len(target))
        found = search.search(moved, *ranks)
        ended = time.perf_counter()
        rows = np.concatenate([np.arange(len(source)), found.backward])
        columns = np.concatenate([found.forward, np.arange(len(target))])
        print(f"round {number}: {ended - began:.2f} s, {search.compared:,} words compared with all", flush=True)
        if number < 3:
            continue  # the first rounds move far, and the bars are guessed
        times["one round"].append(ended - began)
        times["of it the search"].append(ended - searched)
        times["two bare products"].append(seconds_of(two_products, moved, target))
        if number < 5:
            times["plain round"].append(seconds_of(plain_round, moved, target, keep, draw))
    base = statistics.median(times["two bare products"])
    print(f"\n{len(source):,} x {len(target):,} x {source.shape[1]}, CSLS, {keep:g} kept, medians of {rounds} rounds")
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{name:20} {middle:7.2f} s   {middle / base:5.2f} of the two bare products")


def learn(data: Path, supervision: str, seed: int, cutoff: int, patience: int | None) -> dict:
    """Map without a dictionary and score the test words."""
    gold = data / "bli/gt/en-de"
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "few.tsv"
        few.write_text("".join(f"{line}\n" for line in (gold / "train.freq.5k.tsv").read_text().splitlines()[:500]))
        given = {"dictionary": few} if supervision == "semi" else {}
        files = {f"{side}": data / f"static/{code}.fasttext300.vec.gz" for side, code in
                 (("source", "en"), ("target", "de"))}  # fmt: skip
        began = time.perf_counter()
        made = lexenc.map(**files, **given, supervision=supervision, vocabulary_cutoff=cutoff, patience=patience,
                          lowercase=True, seed=seed, out=Path(folder) / "mapped", checkpoint_seconds=1e9)  # fmt: skip
        seconds = time.perf_counter() - began
        scores = {
            way: lexenc.eval_bli(vectors=made.out, dictionary=gold / "test.freq.2k.tsv", lowercase=True, retrieval=way)
            for way in ("nearest", "csls")
        }
    summary = made.summary
    return {
        "supervision": supervision, "seed": seed, "iterations": summary["iterations"], "seconds": round(seconds),
        **{f"P@1 {way}": round(100 * own.results[0]["precision_at_1"], 2) for way, own in scores.items()},
        "objective": round(summary["objective"], 4), "verdict": summary["verdict"],
        "consistency": round(summary["consistency"], 2), "frequency": round(summary["frequency_agreement"], 2),
    }  # fmt: skip


def learn_all(data: Path, ways: list[str], seeds: list[int], cutoff: int, patience: int | None) -> None:
    """Print one line per run, then the spread, then what VecMap reached."""
    for way in ways:
        runs = []
        for seed in seeds:
            runs.append(learn(data, way, seed, cutoff, patience))
            print(runs[-1], flush=True)
        for measure in ("P@1 nearest", "P@1 csls", "seconds", "iterations"):
            values = [run[measure] for run in runs]
            print(f"{way:10} {measure:12} mean {statistics.mean(values):8.2f}   {min(values)} to {max(values)}")
    with (data / "expected/vecmap-self-learning.tsv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            print(f"VecMap     {row}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cutoff", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=float, default=0.1)
    parser.add_argument("--learn", nargs="*", choices=["identical", "semi", "none", "numerals"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--patience", type=int)
    given = parser.parse_args()
    if not (given.data / "static").is_dir():
        print(f"SKIPPED: there are no vectors in {given.data}; give --data.")
    elif given.learn is not None:
        learn_all(given.data, given.learn, given.seeds, given.cutoff, given.patience)
    else:
        time_rounds(load(given.data, given.cutoff), given.rounds, given.keep)


if __name__ == "__main__":
    main()
