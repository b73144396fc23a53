"""Ctrl-C, kill -9 and what becomes of unfinished work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

# Enough steps, each with its checkpoint, that a signal surely comes in the middle.
LONG = ["--epochs", 20, "--batch-size", 4, "--checkpoint-seconds", 0]


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
    history, checkpoint = (partial / "unfinished" / name for name in ("training.jsonl", "checkpoint.safetensors"))
    wait(lambda: checkpoint.is_file() and history.read_text().count("\n") >= steps, process)


@pytest.mark.parametrize(
    ("kind", "how", "data"),
    [("static", signal.SIGINT, "pairs"), ("transformer", signal.SIGKILL, "pairs"),
     ("static", signal.SIGTERM, "synonyms")],
)  # fmt: skip
def test_killed_finetune_continues_to_the_same_bytes(
    request, world, fork, lexenc, failure, wait_for, tmp_path, kind, how, data
):
    encoder, whole = request.getfixturevalue(kind), tmp_path / "whole"
    lexenc(*command(world, encoder, whole, data))
    out, partial = tmp_path / "tuned", tmp_path / ".tuned.partial"
    process = fork(*command(world, encoder, out, data))
    try:
        wait_for_steps(wait_for, process, partial)
        process.send_signal(how)
        stdout, stderr = process.communicate()
    finally:
        process.kill()
    assert not out.exists()
    assert partial.is_dir(), "unfinished work stays"
    assert stdout == b""
    if how != signal.SIGKILL:
        assert process.returncode == 128 + how
        found = failure(stderr.decode(), early=False)
        assert found.message == "Interrupted."
        assert found.hint == f"Run the same command again; finetune continues where it was ({partial})."
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


def test_two_writers_of_one_place(world, static, fork, fails, wait_for, tmp_path):
    process = fork(*command(world, static, tmp_path / "tuned"))
    try:
        wait_for_steps(wait_for, process, tmp_path / ".tuned.partial", steps=1)
        process.send_signal(signal.SIGSTOP)
        found = fails(*command(world, static, tmp_path / "tuned"), code=1, early=False)
        assert "Another lexenc is writing" in found.message
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_map_leaves_nothing(world, fork, tmp_path, how):
    """Standard input that never ends keeps the stage waiting."""
    (tmp_path / "results").mkdir()
    out = tmp_path / "results" / "of" / "map" / "out"
    files = ["--source", world / "en.vec", "--target", world / "de.vec"]
    process = fork("map", *files, "--dictionary", "-", "--out", out, stdin=subprocess.PIPE)
    try:
        # More than a pipe holds: when all of it is written, the stage has begun to read.
        process.stdin.write(b"house\thaus\n" * 100_000)
        process.send_signal(how)
        assert process.wait(timeout=120) == 128 + how
        stderr = process.stderr.read().decode()
    finally:
        process.kill()
        process.communicate()
    assert stderr.startswith("error: Interrupted.")
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_train_static_leaves_nothing_and_does_not_wait_for_fasttext(world, fork, wait_for, tmp_path, how):
    out = tmp_path / "results" / "static"
    out.parent.mkdir()
    process = fork("train-static", "--text", world / "text.tsv", "--minimum-count", 1, "--dimensions", 50,
                   "--buckets", 100, "--epochs", 1_000_000, "--out", out)  # fmt: skip
    try:
        # It is the last thing that is said before fastText computes, for hours.
        wait_for(lambda: os.read(process.stderr.fileno(), 200).endswith(b" thread.\n"), process)
        time.sleep(0.3)
        process.send_signal(how)
        assert process.wait(timeout=60) == 128 + how
        stderr = process.stderr.read().decode()
    finally:
        process.kill()
        process.communicate()
    assert stderr.startswith("error: Interrupted.")
    assert list(out.parent.iterdir()) == []


@pytest.fixture
def script(tmp_path):
    """Run a script whose requests to stop are handled like those of the program."""
    head = """
import os, signal, sys, time
for each in (signal.SIGINT, signal.SIGHUP):
    signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
from lexenc_cli import interrupts
stop = lambda number: os.kill(os.getpid(), number)
"""

    def run(body, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        words = [sys.executable, "-c", head + body]
        return subprocess.run(words, capture_output=True, cwd=tmp_path, check=False, timeout=300, text=True)

    return run


def test_a_request_during_an_import_waits_for_its_end(script):
    done = script(
        """
interrupts.replace_handlers()
interrupts.command_begins()
try:
    import slow
    time.sleep(60)
except KeyboardInterrupt:
    print(sys.modules["slow"].whole, interrupts.exit_code())
""",
        slow="import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nfor _ in range(1000): pass\nwhole = True\n",
    )
    assert (done.stdout, done.stderr) == ("True 143\n", "")


def test_a_request_in_a_destructor_is_not_lost(script):
    done = script("""
class Closed:
    def __del__(self):
        stop(signal.SIGINT)
interrupts.replace_handlers()
interrupts.command_begins()
try:
    Closed()
    time.sleep(60)
except KeyboardInterrupt:
    print(interrupts.exit_code())
""")
    assert (done.stdout, done.stderr) == ("130\n", "")


def test_one_request_sent_twice_does_not_stop_the_clearing_up_but_a_second_one_does(script):
    done = script("""
interrupts.replace_handlers()
interrupts.command_begins()
try:
    stop(signal.SIGTERM)
    time.sleep(60)
except KeyboardInterrupt:
    stop(signal.SIGHUP)
    print("cleared up", flush=True)
    time.sleep(1.1)
    stop(signal.SIGINT)
    time.sleep(60)
""")
    assert done.returncode == 143
    assert done.stdout == "cleared up\n"
    assert done.stderr.startswith("error: Interrupted.\nhint:  ")


def test_a_request_after_the_end_keeps_the_exit_code(script):
    done = script("""
import atexit
interrupts.replace_handlers()
interrupts.command_begins()
atexit.register(stop, signal.SIGINT)
interrupts.leave(1)
""")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_request_in_the_last_steps_of_python_keeps_the_exit_code(script):
    done = script("""
class Last:
    def __del__(self, stop=os.kill, process=os.getpid()):
        stop(process, 2)
        stop(process, 15)
interrupts.replace_handlers()
interrupts.command_begins()
last = Last()
interrupts.leave(1)
""")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_ignored_requests_stay_ignored(script):
    done = script("""
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
interrupts.replace_handlers()
stop(signal.SIGHUP)
stop(signal.SIGINT)
print("runs on", flush=True)
stop(signal.SIGTERM)
""")
    assert (done.returncode, done.stdout) == (143, "runs on\n")


@pytest.mark.parametrize("given", ["-", "pipe"])
def test_a_signal_that_interrupts_no_read_ends_it(script, given):
    """A signal just before a read interrupts no system call, like this one, which comes to another thread."""
    done = script(f"""
import threading
import lexenc_cli.piped_inputs as piped
read, write = os.pipe()
os.dup2(read, 0)
os.mkfifo("pipe")
def later():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=later).start()
interrupts.replace_handlers()
interrupts.command_begins()
try:
    with piped.opened_stream({given!r}) as stream:
        stream.read()
except KeyboardInterrupt:
    print(interrupts.exit_code())
""")
    assert (done.stdout, done.stderr) == ("143\n", "")


def test_a_hint_that_cannot_be_made_keeps_the_exit_code(attempt, monkeypatch):
    """After an interrupt the stage may be one that cannot be imported."""

    def fail(*_):
        raise ImportError

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lexenc_cli.main.stage_of", fail)
    monkeypatch.setattr("lexenc_cli.commands.inspecting.catalogue_rows", stop)
    shown = attempt("list", "resources")
    assert shown.code == 130
    assert shown.stderr == "error: Interrupted.\nhint:  Run the same command again; nothing was left half-written.\n"
