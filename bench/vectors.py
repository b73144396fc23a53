"""How fast are word vectors read and written?

Compares with what pandas' compiled parser alone needs for the same text. Runs are interleaved, medians are shown, and
memory is the highest of a fresh process that reads two files at once.

    python bench/vectors.py [--rows 200000] [--columns 300] [--repeats 5] [--form %.4f]

Takes about three minutes with the defaults, and 1 GB in the temporary folder.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lexenc.files.vectors import read_two, read_vectors, write_vec  # noqa: E402


def make(path: Path, rows: int, columns: int, form: str, seed: int) -> None:
    """Write a file as fastText does: header, words by frequency, a space at the end of each line."""
    rng = np.random.default_rng(seed)
    numbers = b" ".join([form.encode()] * columns) + b" \n"
    with path.open("wb") as stream:
        stream.write(b"%d %d\n" % (rows, columns))
        for start in range(0, rows, 1000):
            table = (rng.standard_normal((min(1000, rows - start), columns)) * 0.06).tolist()
            stream.write(b"".join(b"word%d " % (start + i) + numbers % tuple(row) for i, row in enumerate(table)))


def with_pandas(path: Path, columns: int) -> None:
    import pandas as pd

    kinds = {0: str, **dict.fromkeys(range(1, columns + 1), np.float32)}
    frame = pd.read_csv(
        path,
        sep=" ",
        header=None,
        skiprows=1,
        quoting=3,
        engine="c",
        dtype=kinds,
        na_filter=False,
        usecols=range(columns + 1),
    )
    assert frame.shape[1] == columns + 1


def measure(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - start)
    return times


def peak(first: Path, second: Path) -> None:
    read_two(first, second)
    # Not ru_maxrss, which a child process inherits from its parent.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) // 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--form", default="%.4f")
    parser.add_argument("--peak", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        return peak(*options.peak)
    with tempfile.TemporaryDirectory() as name:
        first, second, third = (Path(name) / part for part in ("a.vec", "b.vec", "c.vec"))
        for seed, path in enumerate((first, second)):
            make(path, options.rows, options.columns, options.form, seed)
        megabytes = first.stat().st_size / 1e6
        print(f"two files of {options.rows:,} x {options.columns}, {options.form}, {megabytes:.0f} MB each")
        some = read_vectors(first, limit=20_000)
        times = measure(
            {
                "pandas, one file": lambda: with_pandas(first, options.columns),
                "read_vectors, one file": lambda: read_vectors(first),
                "read_two, both files": lambda: read_two(first, second),
                "write_vec, 20,000 rows": lambda: write_vec(third, some.words, some.matrix),
            },
            options.repeats,
        )
        base = statistics.median(times["pandas, one file"])
        for what, values in times.items():
            middle = statistics.median(values)
            spread = f"{min(values):.2f} to {max(values):.2f}"
            print(f"{what:24s} {middle:7.2f} s   ({spread})   {middle / base:5.2f} of pandas on one file")
        both = statistics.median(times["read_two, both files"]) / (2 * base)
        print(f"read_two against pandas on both, one after the other: {both:.2f}")
        arrays = 2 * 4 * options.rows * options.columns / 2**20
        command = [sys.executable, __file__, "--peak", str(first), str(second)]
        memory = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"read_two, highest memory: {memory} MiB, of which the two arrays {arrays:.0f} MiB")


if __name__ == "__main__":
    main()
