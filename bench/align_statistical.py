"""Statistical word alignment: error rate and time beside eflomal in one run, and memory at a million sentence pairs.

Run from the project root, with real sentences (ten minutes for the first on two cores, half an hour for the second):

    python bench/align_statistical.py                 447 gold sentences alone, and with 60,283 others
    python bench/align_statistical.py --million       a million sentence pairs: seconds and peak memory

The peer is run where it is installed (pip install eflomal); its two directions are intersected, as is usual, and ours
are taken by mean probability, and intersected too. The gold links are of pre-tokenised text, English and French.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import lexenc

WORD = re.compile(r"\w+|[^\w\s]")
SYSTEMS = {
    "eflomal, intersection": {"method": "eflomal"},
    "fertility": {"method": "statistical"},
    "fertility, intersection": {"method": "statistical", "symmetrise": "intersection"},
    "diagonal": {"method": "statistical", "model": "diagonal"},
    "diagonal, intersection": {"method": "statistical", "model": "diagonal", "symmetrise": "intersection"},
}


def gold_pairs(data: Path) -> list[tuple[str, str]]:
    lines = (data / "align/enfr.src-tgt").read_text(encoding="utf-8").splitlines()
    return [tuple(" ".join(side.split()) for side in line.split("|||")) for line in lines]


def other_pairs(data: Path) -> Iterator[tuple[str, str]]:
    with gzip.open(data / "parallel/office-help.9way.tsv.gz", "rt", encoding="utf-8") as stream:
        head = stream.readline().rstrip("\n").split("\t")
        for line in stream:
            cells = line.rstrip("\n").split("\t")
            yield cells[head.index("en")], cells[head.index("fr")]
    sides = [gzip.open(data / f"parallel/multi30k/train.{code}.gz", "rt", encoding="utf-8") for code in ("en", "fr")]
    yield from zip(*sides, strict=True)


def corpus(data: Path, path: Path, *, more: bool) -> int:
    """Write the gold sentences, and others behind them."""
    pairs = gold_pairs(data)
    if more:
        cut = ((" ".join(WORD.findall(one)), " ".join(WORD.findall(other))) for one, other in other_pairs(data))
        pairs += [pair for pair in cut if all(pair)]
    path.write_text("".join(f"{one} ||| {other}\n" for one, other in pairs), encoding="utf-8")
    return len(pairs)


def error_rate(data: Path, folder: Path) -> str:
    """Score the gold sentences, which stand first."""
    head = folder / "head.txt"
    with (folder / "out/alignments.txt").open(encoding="utf-8") as stream:
        head.write_text("".join(next(stream) for _ in range(447)), encoding="utf-8")
    scores = lexenc.eval_alignment(gold=data / "align/enfr.gold", predicted=head, gold_one_based=True)
    found = scores.results[0]
    return (f"AER {100 * found['aer']:5.1f} [{100 * found['aer_low']:.1f}, {100 * found['aer_high']:.1f}]  precision "
            f"{100 * found['precision']:.1f}  recall {100 * found['recall']:.1f}")  # fmt: skip


def compare(data: Path) -> None:
    """Align both corpora with every system."""
    present = shutil.which("eflomal-align") or (Path(sys.executable).parent / "eflomal-align").is_file()
    if not present:
        print("eflomal is not installed: it is left out.")
    for more in (False, True):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            count = corpus(data, folder / "corpus.txt", more=more)
            print(f"\n{count:,} sentence pairs", flush=True)
            base = 0.0
            for system, settings in SYSTEMS.items():
                if "eflomal" in system and not present:
                    continue
                shutil.rmtree(folder / "out", ignore_errors=True)
                began = time.perf_counter()
                lexenc.align(pairs=folder / "corpus.txt", words="spaces", drawn=0, out=folder / "out", **settings)
                seconds = time.perf_counter() - began
                base = base or seconds
                print(f"{system:26} {error_rate(data, folder)}  {seconds:6.1f} s  {seconds / base:4.2f}", flush=True)


def million(data: Path, pairs: int) -> None:
    """Align so many sentence pairs: real ones again and again, with words left out."""
    with tempfile.TemporaryDirectory() as name:
        folder, draw, written = Path(name), random.Random(0), 0
        with (folder / "corpus.txt").open("w", encoding="utf-8") as stream:
            while written < pairs:
                for pair in other_pairs(data):
                    sides = [[word for word in WORD.findall(side) if draw.random() < 0.9] for side in pair]
                    if written < pairs and all(sides) and max(map(len, sides)) <= 60:
                        stream.write(" ||| ".join(" ".join(side) for side in sides) + "\n")
                        written += 1
        command = [sys.executable, "-m", "lexenc_cli.main", "align", "--words", "spaces", "--no-progress",
                   "--pairs", folder / "corpus.txt", "--out", folder / "out"]  # fmt: skip
        began = time.perf_counter()
        subprocess.run([str(each) for each in command], check=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        size = (folder / "corpus.txt").stat().st_size / 1e6
        print(f"{pairs:,} sentence pairs, {size:.0f} MB: {time.perf_counter() - began:.0f} s, peak {peak:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[1] / "../shared/data")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--pairs", type=int, default=1_000_000)
    given = parser.parse_args()
    if not (given.data / "align").is_dir():
        print(f"SKIPPED: there are no gold links in {given.data}; give --data.")
    elif given.million:
        million(given.data, given.pairs)
    else:
        compare(given.data)


if __name__ == "__main__":
    main()
