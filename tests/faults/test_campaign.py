"""Every stage is covered by the harness, and the harness finds no fault with a few trials of each run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from campaign import SHARES
from lexenc_cli.commands import COMMANDS
from tiny import RUNS

from lexenc.stages import STAGES

HERE = Path(__file__).parent
# Commands that write nothing, or what others do: pages and downloads of their own tests, runs of pipelines.
ELSEWHERE = {"translate", "status", "check", "init", "demo", "reproduce", "fetch", "results", "show", "list", "env"}


def test_every_stage_and_command_has_a_tiny_run():
    assert set(RUNS) == set(STAGES) | set(COMMANDS) - ELSEWHERE, "add a line to RUNS in tests/faults/tiny.py"
    assert {name for name, many in RUNS.items() if not many} == {"compare", "eval mteb"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="NO C COMPILER: the faults of file-system calls are not tested")
def test_few_kills_of_every_run_lose_nothing():
    # The same trials every time, without those that depend on the clock: what fails here fails again.
    modes = ",".join(mode for mode in SHARES if mode != "real")
    words = [sys.executable, HERE / "campaign.py", "120", "--workers", "1", "--seed", "1", "--mode", modes]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
