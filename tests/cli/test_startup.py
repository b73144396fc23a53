"""Starting is quick: nothing is imported before it is used, and Ctrl-C ends it properly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "sentence_transformers", "fasttext", "faiss", "pandas")
SCRIPT = f"""
import json, sys
from lexenc_cli.main import build_app
try:
    build_app()(sys.argv[1:])
except SystemExit as end:
    assert end.code in (0, 2), end.code
heavy = [name for name in {HEAVY!r} if name in sys.modules]
stages = [name for name in sys.modules if name.startswith("lexenc.stages.") and name.count(".") == 3]
print(json.dumps([heavy, stages]), file=sys.stderr)
"""


def imported(words):
    """Run a command and return the heavy packages and the modules of stages that it imported."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, check=True)
    return json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "words", [["map", "--help"], ["eval", "bli", "--help"], ["mapp"], ["finetune"], ["convert", "--help"]], ids=" ".join
)
def test_nothing_heavy_is_imported(words):
    assert imported(words)[0] == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list"], ["eval", "--help"], ["mapp"]], ids=" ".join)
def test_what_lists_the_commands_imports_none(words):
    assert imported(words) == [[], []]


def test_the_help_of_a_command_imports_its_own_stage_only():
    _, stages = imported(["new-encoder", "--help"])
    assert stages == ["lexenc.stages.encoders.new_encoder"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_starting(start, failure, tmp_path, wait_for, how):
    """A package that the program needs says that it is being imported, and never ends."""
    here = tmp_path / "here"
    (tmp_path / "typer.py").write_text(
        f"import pathlib, time\npathlib.Path({str(here)!r}).touch()\ntime.sleep(600)\n"
    )
    process = start("map", "--help", env={"PYTHONPATH": str(tmp_path)})
    try:
        wait_for(here.exists, process)
        process.send_signal(how)
        stdout, stderr = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 128 + how
    assert stdout == b""
    assert failure(stderr.decode()).message == "Interrupted."
