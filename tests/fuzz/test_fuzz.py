"""The short form of the harness; `make fuzz` is the long one, with fresh seeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHORT = ["--count", "40", "--executions", "1500", "--seconds", "0.25", "--seed", "0"]


def test_nothing_malformed_ends_in_anything_but_an_error_and_a_hint(tmp_path):
    words = [sys.executable, "-m", "tests.fuzz", "all", *SHORT, "--faults", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
