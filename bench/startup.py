"""How long does the program take to start? Its help, beside the packages that draw it.

Run:  python bench/startup.py       half a minute
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15
COMMANDS = {
    'python -c "import typer, rich"': ["-c", "import typer, rich"],
    "lexenc --help": ["-m", "lexenc_cli", "--help"],
    "lexenc map --help": ["-m", "lexenc_cli", "map", "--help"],
}


def seconds(words: list[str]) -> float:
    """Return the wall time of one run."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Print medians and their ratios to the first."""
    # In turns, so that a busy moment of the machine meets all of them.
    rounds = [[seconds(words) for words in COMMANDS.values()] for _ in range(RUNS)]
    first = None
    print(f"{'':<32} {'median':>8} {'spread':>15} {'ratio':>6}")
    for name, times in zip(COMMANDS, zip(*rounds, strict=True), strict=True):
        median = statistics.median(times)
        first = first or median
        print(f"{name:<32} {median:>6.2f} s {min(times):>6.2f} - {max(times):.2f} {median / first:>7.1f}")


if __name__ == "__main__":
    main()
