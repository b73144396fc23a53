"""What it costs that results are flushed to the disk and inputs are compared again after the work.

`lexenc map` on two text files of 200,000 x 300 and `lexenc encode` on 20,000 words with the bundled encoder are run by
this version and by an earlier one, in turns, each as a process of its own. The ratio of the shortest times is quoted,
because other work on the machine only ever adds to them. Without --before, this version is run with `os.fsync` switched
off instead, which shows the flushing alone.

Run:  python bench/durability.py --before OTHER/.venv/bin/python
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from map import write_file

_RUN = "import sys; from lexenc_cli.__main__ import main; sys.exit(main())"
_UNFLUSHED = "import os; os.fsync = lambda stream: None; "


def seconds(python: Path, code: str, words: Sequence[object], folder: Path) -> float:
    for old in (folder / "out", folder / "cache"):
        shutil.rmtree(old, ignore_errors=True)
    os.sync()  # what the last run has left to write is not counted
    command = [str(python), "-c", code, *map(str, words), "-q", "--no-progress", "--out", str(folder / "out")]
    environment = {**os.environ, "LEXENC_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="python of an environment with an earlier version")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--words", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    here = Path(sys.executable)
    earlier = (options.before, _RUN) if options.before else (here, _UNFLUSHED + _RUN)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        for file, prefix, seed in (("a.vec", "s", 1), ("b.vec", "t", 2)):
            write_file(folder / file, prefix, options.rows, seed)
        rows = np.random.default_rng(3).choice(options.rows, size=5000, replace=False)
        (folder / "train.tsv").write_text("".join(f"s{i}\tt{i}\n" for i in rows))
        (folder / "words.txt").write_text("".join(f"word number {i} of many\n" for i in range(options.words)))
        vectors = ["--source", folder / "a.vec", "--target", folder / "b.vec", "--dictionary", folder / "train.tsv"]
        for words in (["encode", "--encoder", "mini", folder / "words.txt"], ["map", *vectors]):
            before, now = [], []
            for _ in range(options.rounds):
                before.append(seconds(*earlier, words, folder))
                now.append(seconds(here, _RUN, words, folder))
            ratio, shown = min(now) / min(before), " ".join(f"{one:.1f}" for one in [*before, *now])
            print(f"{words[0]}: {min(before):.2f} s before, {min(now):.2f} s now ({shown})")
            print(f"ratio {ratio:.3f}; bar: at most 1.05", flush=True)


if __name__ == "__main__":
    main()
