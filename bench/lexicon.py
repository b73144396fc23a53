"""Are the probabilities of an induced lexicon true? Three pairs of languages, on words that no part of it has seen.

The entries of a dictionary are cut at random into two halves by word. One half teaches the mapping and the
probabilities, the other one judges them: all its words, its 500 most frequent ones, and, as one bin, the tenth with the
highest probabilities. Violations are pairs of candidates of which one has more of all evidence and a lower probability,
and words whose later candidate is more probable than an earlier one.

    bundled      the bundled English and German vectors and their lexicon, mapped, and blended with mini at lambda 0.5
    fastText     the shared English and German fastText vectors, 12,000 words each, GT-BLI
    office help  German and French vectors of 100 dimensions trained on the shared office help, GT-BLI

Run:  python bench/lexicon.py [--only NAME]       some ten minutes on two cores
The data folder is found by LEXENC_TEST_DATA, by default ../shared/data.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from common import DATA

from lexenc.evaluation.reliability import calibration_error
from lexenc.files.dictionaries import read_pairs, write_pairs
from lexenc.files.spaces import load_space
from lexenc.resources import bundled_folder

LEXENC = Path(sys.executable).parent / "lexenc"
DRAWS, PAIRS = 1000, 10_000


def lexenc(*words: object) -> None:
    """Run a command."""
    subprocess.run([str(LEXENC), *(str(word) for word in words), "-q", "--json"], stdout=subprocess.DEVNULL, check=True)


def halves(files: list[Path], out: Path) -> tuple[Path, dict[str, set[str]]]:
    """Write one half of the entries in lower case, and return its path and the other half by word."""
    gold: dict[str, set[str]] = {}
    for path in files:
        for source, target in read_pairs(path).folded():
            gold.setdefault(source, set()).add(target)
    words = np.random.default_rng(0).permutation(sorted(gold))
    write_pairs(out, ((word, target) for word in words[::2] for target in sorted(gold[word])))
    return out, {word: gold[word] for word in words[1::2]}


def spaces(only: str, work: Path) -> Iterator[tuple[str, Path, Path, dict[str, set[str]]]]:
    """Yield name, space, dictionary and gold of every case."""
    if only in ("", "bundled"):
        train, gold = halves(
            [bundled_folder(f"lexicon/en-de.{part}.tsv") for part in ("train", "test")], work / "b.tsv"
        )
        lexenc("map", "--source", "bundled:static/en", "--target", "bundled:static/de", "--dictionary", train,
               "--out", work / "mapped")  # fmt: skip
        yield "bundled, mapped", work / "mapped", train, gold
        lexenc("interpolate", "--vectors", work / "mapped", "--encoder", "mini", "--dictionary", train, "--lambda", 0.5,
               "--out", work / "blended")  # fmt: skip
        yield "bundled, blended", work / "blended", train, gold
    if only in ("", "fastText"):
        train, gold = halves(sorted((DATA / "bli/gt/en-de").glob("*.?k.tsv")), work / "g.tsv")
        sides = [
            f"--{side}={DATA}/static/{code}.fasttext300.vec.gz" for side, code in (("source", "en"), ("target", "de"))
        ]
        lexenc("map", *sides, "--limit", 12_000, "--dictionary", train, "--out", work / "fasttext")
        yield "fastText", work / "fasttext", train, gold
    if only in ("", "office help"):
        train, gold = halves(sorted((DATA / "bli/gt/de-fr").glob("*.tsv")), work / "o.tsv")
        with gzip.open(DATA / "parallel/office-help.9way.tsv.gz", "rt", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        for code in ("de", "fr"):
            (work / code).write_text("".join(f"{row[code]}\n" for row in rows if row[code]), encoding="utf-8")
            lexenc("train-static", "--text", work / code, "--dimensions", 100, "--epochs", 10, "--buckets", 200_000,
                   "--out", work / f"{code}-vectors")  # fmt: skip
        lexenc("map", "--source", work / "de-vectors", "--target", work / "fr-vectors", "--dictionary", train,
               "--out", work / "office")  # fmt: skip
        yield "office help", work / "office", train, gold


def show(label: str, probabilities: np.ndarray, right: np.ndarray, bins: int = 10) -> None:
    """Print the calibration error of some words with its bootstrap interval."""
    random = np.random.default_rng(0)
    drawn = (random.integers(len(right), size=len(right)) for _ in range(DRAWS))
    low, high = np.quantile(
        [calibration_error(probabilities[rows], right[rows], bins=bins) for rows in drawn], [0.025, 0.975]
    )
    error = calibration_error(probabilities, right, bins=bins)
    counts = f"{len(right):>6}{probabilities.mean():>9.3f}{right.mean():>8.3f}"
    print(f"  {label:<24}{counts}{error:>9.3f}  {low:.3f}-{high:.3f}")


def violations(evidence: np.ndarray, probabilities: np.ndarray) -> int:
    """Count among random pairs of which one has more of all evidence those whose order is wrong."""
    random, found, seen = np.random.default_rng(0), 0, 0
    while seen < PAIRS:
        one, other = random.integers(len(evidence), size=(2, 100_000))
        more = (
            (evidence[one] >= evidence[other]).all(axis=1) & (evidence[one] > evidence[other]).any(axis=1)
        ).nonzero()[0]
        more = more[: PAIRS - seen]
        seen += len(more)
        found += int((probabilities[one[more]] < probabilities[other[more]]).sum())
    return found


def judge(space: Path, lexicon: Path, gold: dict[str, set[str]]) -> None:
    """Print how true the probabilities of a lexicon are."""
    with (lexicon / "lexicon.tsv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE) if row["probability"]]
    vectors = load_space(space)
    ranks = [{word: rank for rank, word in enumerate(side.words, 1)} for side in (vectors.source, vectors.target)]
    evidence, judged, rising = [], [], 0
    for word, same in groupby(rows, key=lambda row: row["source"]):
        own = list(same)
        if [row["rank"] for row in own] != ["1", "2", "3"]:
            continue
        chances, scores = ([float(row[name]) for row in own] for name in ("probability", "csls"))
        rising += chances != sorted(chances, reverse=True)
        margins = [float(own[0]["margin"]), *(score - scores[0] for score in scores[1:])]
        rarity = [(-ranks[0][word], -max(ranks[0][word], rank), min(ranks[0][word] / rank, 1))
                  for rank in (ranks[1][row["target"]] for row in own)]  # fmt: skip
        table = [(scores[at], margins[at], row["mutual"] == "yes", word == row["target"], *rarity[at])
                 for at, row in enumerate(own)]  # fmt: skip
        evidence += zip(np.minimum.accumulate(table, axis=0), chances, (True, False, False), strict=True)
        if word in gold:
            judged.append((chances[0], own[0]["target"] in gold[word]))
    probabilities, right = (np.array(column) for column in zip(*judged, strict=True))
    show("all", probabilities, right)
    show("500 most frequent", probabilities[:500], right[:500])
    top = np.argsort(-probabilities, kind="stable")[: len(right) // 10]
    show("most probable tenth", probabilities[top], right[top], bins=1)
    every, chances, first = (np.array(column) for column in zip(*evidence, strict=True))
    wrong, narrow = violations(every, chances), violations(every[first][:, :3], chances[first])
    print(f"  violations: {wrong} of {PAIRS:,} ({narrow} among best candidates if frequency and spelling do not count)")
    print(f"  a later candidate is more probable: {rising:,} of {len(evidence) // 3:,} words")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", choices=["", "bundled", "fastText", "office help"])
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        print(f"  {'':<24}{'words':>6}{'claimed':>9}{'right':>8}{'error':>9}  95 %")
        for number, (label, space, train, gold) in enumerate(spaces(only, work)):
            out = work / f"lexicon-{number}"
            lexenc(
                "induce", "--vectors", space, "--dictionary", train, "--top", 3, "--min-probability", 0, "--out", out
            )
            print(label)
            judge(space, out, gold)


if __name__ == "__main__":
    main()
