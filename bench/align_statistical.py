"""Statistical word alignment: error rate and time beside eflomal in one run, and memory at a million sentence pairs.

Run from the project root, with real sentences (some minutes each on two cores):

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
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import DATA

import lexenc

WORD = re.compile(r"\w+|[^\w\s]")
SYSTEMS = {
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


def error_rate(data: Path, links: Path) -> str:
    """Score the gold sentences, which stand first."""
    head = links.with_suffix(".head")
    with links.open(encoding="utf-8") as stream:
        head.write_text("".join(next(stream) for _ in range(447)), encoding="utf-8")
    scores = lexenc.eval_alignment(gold=data / "align/enfr.gold", predicted=head, gold_one_based=True)
    found = scores.results[0]
    return (f"AER {100 * found['aer']:5.1f} [{100 * found['aer_low']:.1f}, {100 * found['aer_high']:.1f}]  precision "
            f"{100 * found['precision']:.1f}  recall {100 * found['recall']:.1f}")  # fmt: skip


def eflomal_command(folder: Path) -> list[str]:
    """Return the command of the peer; nothing where it is not installed."""
    beside = Path(sys.executable).parent / "eflomal-align"
    found = str(beside) if beside.is_file() else shutil.which("eflomal-align")
    if found is None:
        print("eflomal is not installed: it is left out.")
        return []
    files = ["-i", folder / "corpus.txt", "-f", folder / "forward", "-r", folder / "backward"]
    return [found, *map(str, files), "--overwrite"]


def run_eflomal(folder: Path) -> float:
    """Align in both directions and write the links that both have; return the seconds of the peer alone."""
    began = time.perf_counter()
    subprocess.run(eflomal_command(folder), check=True, capture_output=True)
    seconds = time.perf_counter() - began
    with (folder / "forward").open() as ahead, (folder / "backward").open() as back:
        both = [" ".join(sorted(set(one.split()) & set(other.split()))) for one, other in zip(ahead, back, strict=True)]
    (folder / "eflomal.txt").write_text("".join(f"{line}\n" for line in both))
    return seconds


def run_ours(folder: Path, **settings: Any) -> float:
    """Align; return the seconds."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    began = time.perf_counter()
    lexenc.align(pairs=folder / "corpus.txt", words="spaces", drawn=0, out=folder / "out", **settings)
    return time.perf_counter() - began


def compare(data: Path) -> None:
    """Align both corpora with every system."""
    for more in (False, True):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            count = corpus(data, folder / "corpus.txt", more=more)
            print(f"\n{count:,} sentence pairs", flush=True)
            base = 0.0
            if eflomal_command(folder):
                base = run_eflomal(folder)
                rates = error_rate(data, folder / "eflomal.txt")
                print(f"{'eflomal, intersection':26} {rates}  {base:6.1f} s  1.00", flush=True)
            for system, settings in SYSTEMS.items():
                if not more:
                    run_ours(folder, sweeps=0.02, **settings)  # once for the compiler
                seconds = run_ours(folder, **settings)
                base = base or seconds
                rates = error_rate(data, folder / "out/alignments.txt")
                print(f"{system:26} {rates}  {seconds:6.1f} s  {seconds / base:4.2f}", flush=True)


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
        print(f"{pairs:,} sentence pairs, {(folder / 'corpus.txt').stat().st_size / 1e6:.0f} MB", flush=True)
        ours = [sys.executable, "-m", "lexenc_cli", "align", "--words", "spaces", "--no-progress", "-q",
                "--pairs", str(folder / "corpus.txt"), "--out", str(folder / "out")]  # fmt: skip
        for system, command in (("fertility", ours), ("eflomal", eflomal_command(folder))):
            if not command:
                continue
            began = time.perf_counter()
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            own, whole = peaks(process)
            seconds = time.perf_counter() - began
            print(f"{system}: {seconds:.0f} s, peak {own:,} MB of its own, {whole:,} MB with the files it has mapped "
                  f"(the system takes them back when it must), exit code {process.returncode}", flush=True)  # fmt: skip


def peaks(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Watch a program and those it starts to the end; return the most memory, in MB: its own, and with mapped files."""
    own = whole = 0
    while process.poll() is None:
        found = [memory(number) for number in family(process.pid)]
        own, whole = max(own, sum(each[0] for each in found)), max(whole, sum(each[1] for each in found))
        time.sleep(0.1)
    return own // 1024, whole // 1024


def family(number: int) -> list[int]:
    """Return a process and all that it started."""
    try:
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:
        return []
    return [number, *(each for child in children for each in family(int(child)))]


def memory(number: int) -> tuple[int, int]:
    """Return the memory of a process in kB: its own, and with mapped files."""
    try:
        found = dict(re.findall(r"(RssAnon|VmRSS):\s+(\d+) kB", Path(f"/proc/{number}/status").read_text()))
    except OSError:
        return 0, 0
    return int(found.get("RssAnon", 0)), int(found.get("VmRSS", 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
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
