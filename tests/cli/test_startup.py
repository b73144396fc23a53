"""Help comes at once: nothing heavy is imported before there is work for it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

import pytest

HEAVY = ("torch", "transformers", "sentence_transformers", "fasttext", "faiss", "pandas")
SCRIPT = f"""
import json, sys
from lexenc_cli.main import build_app
try:
    build_app()(sys.argv[1:])
except SystemExit as end:
    assert end.code in (0, 2), end.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
print(json.dumps(loaded), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words",
    [["--help"], ["map", "--help"], ["eval", "bli", "--help"], ["--version"], ["list"], ["mapp"], ["finetune"]],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(words):
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, check=True, timeout=60)
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_help_is_quick(capsys):
    """The aim is 0.5 s on an idle machine; the bound leaves room for a busy one."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "lexenc_cli.main", "--help"], capture_output=True, check=True, timeout=60)
        times.append(time.perf_counter() - began)
    with capsys.disabled():
        sys.stdout.write(f"\nlexenc --help: median of 5 runs {statistics.median(times):.2f} s\n")
    assert statistics.median(times) < 1.5
