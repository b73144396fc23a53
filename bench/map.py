"""`lexenc map` on two text files of 200,000 x 300, end to end, against what pandas needs to parse them.

The whole command is timed as a process of its own: start, digests of the inputs, parsing, mapping, writing, digests of
the result. The peer is pandas' C reader alone on the same two files, one after the other, also as a process, without
its start-up. Runs take turns; the median of five is quoted.

Run:  python bench/map.py          Takes about three minutes on two cores and 1.5 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

_PANDAS = """
import csv, sys, time
import numpy as np
import pandas as pd
began = time.perf_counter()
for path in sys.argv[1:]:
    types = {0: str, **{i: np.float32 for i in range(1, 301)}}
    pd.read_csv(path, sep=" ", header=None, skiprows=1, quoting=csv.QUOTE_NONE, engine="c", dtype=types,
                na_filter=False, usecols=range(301))
print(time.perf_counter() - began)
"""


def write_file(path: Path, prefix: str, rows: int, seed: int) -> None:
    """Write vectors as fastText prints its own: four decimals, a space at the end of the line."""
    rng = np.random.default_rng(seed)
    with path.open("w") as stream:
        stream.write(f"{rows} 300\n")
        for start in range(0, rows, 2000):
            block = rng.normal(scale=0.1, size=(min(2000, rows - start), 300))
            lines = ["%.4f " * 300 % tuple(row) for row in block]
            stream.writelines(f"{prefix}{start + i} {line}\n" for i, line in enumerate(lines))


def run_map(folder: Path, out: Path) -> tuple[float, float]:
    """Run the command; give seconds and peak memory in GB."""
    shutil.rmtree(out, ignore_errors=True)
    command = [Path(sys.executable).parent / "lexenc", "map", "-q", "--out", out]
    command += ["--source", folder / "a.vec", "--target", folder / "b.vec", "--dictionary", folder / "train.tsv"]
    environment = {**os.environ, "LEXENC_CACHE": str(folder / "cache")}
    shutil.rmtree(folder / "cache", ignore_errors=True)
    began = time.perf_counter()
    process = subprocess.Popen([str(each) for each in command], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"lexenc map failed with status {status}")
    return seconds, usage.ru_maxrss / 1e6 * 1.024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, prefix, seed in (("a.vec", "s", 1), ("b.vec", "t", 2)):
            write_file(folder / file, prefix, options.rows, seed)
        rows = np.random.default_rng(3).choice(options.rows, size=5000, replace=False)
        (folder / "train.tsv").write_text("".join(f"s{i}\tt{i}\n" for i in rows))
        ours, theirs, memory, inside = [], [], [], []
        for _ in range(options.rounds):
            peer = subprocess.run([sys.executable, "-c", _PANDAS, folder / "a.vec", folder / "b.vec"],
                                  capture_output=True, text=True, check=True)  # fmt: skip
            theirs.append(float(peer.stdout))
            seconds, peak = run_map(folder, folder / "out")
            ours.append(seconds)
            memory.append(peak)
            inside.append(json.loads((folder / "out" / "manifest.json").read_text())["seconds"])
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(f"pandas, parsing both files: {median(theirs):.2f} s")
    print(f"lexenc map, whole command: {median(ours):.2f} s (the stage itself {median(inside):.2f} s)")
    print(f"ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); bar: at most 2")
    print(f"peak memory {max(memory):.2f} GB; bar: at most 1.2")


if __name__ == "__main__":
    main()
