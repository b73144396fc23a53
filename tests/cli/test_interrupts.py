"""Ctrl-C, kill -9 and what becomes of unfinished work."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import suppress

import pytest

# Enough steps, each with its checkpoint, that a signal surely comes in the middle.
LONG = ["--epochs", 60, "--batch-size", 4, "--checkpoint-seconds", 0]


def command(world, encoder, out, data="pairs"):
    files = ["--pairs", world / "train.tsv"]
    if data == "synonyms":
        pairs = (world / "train.tsv").read_text(encoding="utf-8").splitlines()
        files = ["--synonyms", world / "synonyms.txt"]
        lines = [f"C{i}||{pair.replace(chr(9), '||')}\n" for i, pair in enumerate(pairs)]
        files[1].write_text("".join(lines), encoding="utf-8")
    return ["finetune", *files, "--encoder", encoder, *LONG, "--out", out]


def wait_for_steps(wait, process, partial, steps=4):
    """Wait until some steps and a checkpoint are on disk."""
    history, checkpoint = partial / "training.jsonl", partial / "unfinished" / "checkpoint" / "state.json"
    wait(lambda: checkpoint.is_file() and history.read_text().count("\n") >= steps, process)


@pytest.mark.parametrize(
    ("kind", "how", "data"),
    [("static", signal.SIGINT, "pairs"), ("transformer", signal.SIGKILL, "pairs"),
     ("static", signal.SIGINT, "synonyms")],
)  # fmt: skip
def test_killed_finetune_continues_to_the_same_bytes(
    request, world, start, lexenc, failure, wait_for, tmp_path, kind, how, data
):
    encoder, whole = request.getfixturevalue(kind), tmp_path / "whole"
    lexenc(*command(world, encoder, whole, data))
    out, partial = tmp_path / "tuned", tmp_path / ".tuned.partial"
    process = start(*command(world, encoder, out, data))
    try:
        wait_for_steps(wait_for, process, partial)
        process.send_signal(how)
        stdout, stderr = process.communicate()
    finally:
        process.kill()
    assert not out.exists()
    assert partial.is_dir(), "unfinished work stays"
    assert stdout == b""
    if how == signal.SIGINT:
        assert process.returncode == 130
        found = failure(stderr.decode(), early=False)
        assert found.message == "Interrupted."
        assert "finetune continues" in found.hint
    else:
        assert process.returncode == -signal.SIGKILL
    planned = lexenc(*command(world, encoder, out, data), "--dry-run")
    assert "would continue" in planned.stderr
    again = lexenc(*command(world, encoder, out, data))
    assert "finetune: continuing from step " in again.stderr
    assert not partial.exists()
    for name in ("model.safetensors", "training.jsonl"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


def test_unfinished_work_of_other_settings_goes_only_when_asked_to(world, static, lexenc, fails, tmp_path):
    partial = tmp_path / ".tuned.partial"
    (partial / "unfinished").mkdir(parents=True)
    (partial / "recipe.json").write_text(json.dumps({"key": "another"}))
    (partial / "unfinished" / "half").write_text("x")
    files = [
        "finetune",
        "--pairs",
        world / "train.tsv",
        "--encoder",
        static,
        "--epochs",
        1,
        "--out",
        tmp_path / "tuned",
    ]
    found = fails(*files)
    assert (
        found.message
        == f"{tmp_path / 'tuned'} already holds unfinished work (of other settings or inputs, in .tuned.partial)."
    )
    assert "--force" in found.hint
    assert (partial / "unfinished" / "half").read_text() == "x"
    shown = lexenc(*files, "--force")
    assert "continuing" not in shown.stderr
    assert not (tmp_path / "tuned" / "unfinished").exists()


def test_two_writers_of_one_place(world, static, start, fails, wait_for, tmp_path):
    process = start(*command(world, static, tmp_path / "tuned"))
    try:
        wait_for_steps(wait_for, process, tmp_path / ".tuned.partial", steps=1)
        process.send_signal(signal.SIGSTOP)
        found = fails(*command(world, static, tmp_path / "tuned"), code=1, early=False)
        assert "Another lexenc is writing" in found.message
    finally:
        process.kill()
        process.communicate()


def test_interrupted_map_leaves_nothing(world, start, tmp_path):
    """Standard input that never ends keeps the stage waiting."""
    (tmp_path / "results").mkdir()
    out = tmp_path / "results" / "out"
    files = ["--source", world / "en.vec", "--target", world / "de.vec"]
    process = start("map", *files, "--dictionary", "-", "--out", out, stdin=subprocess.PIPE)
    try:
        # More than a pipe holds: when all of it is written, the stage has begun to read.
        process.stdin.write(b"house\thaus\n" * 100_000)
        # A signal in the instant before a read is seen only when the read returns, so that a second one may be needed.
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
        assert process.returncode == 130
        stderr = process.stderr.read().decode()
    finally:
        process.kill()
        process.communicate()
    assert stderr.startswith("error: Interrupted.")
    assert list((tmp_path / "results").iterdir()) == []
