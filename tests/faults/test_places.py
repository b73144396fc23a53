"""Odd places: planted files and links, mount points, foreign repositories, byte paths, users without rights."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from campaign import Runner, can_mount, mount, snapshot, unmount, whole_results
from tiny import RUNS, make_world

NOBODY = 65534
TINY = {
    "map": RUNS["map"][0],
    "finetune": RUNS["finetune"][0],
    "induce": RUNS["induce"][1],
    "convert": RUNS["convert"][0],
}
FOLDERS = ["map", "finetune"]


@pytest.fixture(scope="module")
def base():
    """A folder into which other users may go."""
    with tempfile.TemporaryDirectory(prefix="places-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def runner(base):
    """Forks children that run commands; `world` has the inputs, and `old/NAME` a result of each command."""
    for name in ("world", "tmp", "cache"):
        (base / name).mkdir()
        (base / name).chmod(0o777)
    kept = dict(os.environ)
    os.environ |= {"LEXENC_CACHE": str(base / "cache"), "TMPDIR": str(base / "tmp")}
    runner = Runner(base, None)
    make_world(base / "world", lambda words: runner.well(words, base))
    for name, tiny in TINY.items():
        (base / "old" / name).mkdir(parents=True)
        runner.well(tiny.words("../../world"), base / "old" / name)
    yield runner
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture
def place(runner, request):
    """An empty folder, as far from the inputs as the results in `old`."""
    folder = runner.base / "places" / re.sub(r"\W+", "-", request.node.name)
    folder.mkdir(parents=True)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def run(runner, name, place, *, force=False, other=False, out=None, **more):
    """Run a command; it ends well, or in errors with hints."""
    words = TINY[name].words("../../world", force=force, other=other)
    words = [*words[:-1], *([TINY[name].out] if out is None else [out])]
    ended = runner.child(words, place, **more)
    assert ended.code in (0, 1, 2), ended
    assert "Traceback" not in ended.stderr
    if ended.code:
        assert re.search(r"^error: .+(\n.*)*\nhint: ", ended.stderr, re.M), ended.stderr
    return ended


def assert_result(runner, name, place):
    """The result is what an undisturbed run makes."""
    own = {path: each for path, each in snapshot(place).items() if path.split("/")[0] == TINY[name].out}
    assert own == snapshot(runner.base / "old" / name)


# ---------------------------------------------------------------- planted names


def plant(path, kind, outside):
    """Put something of the user's at a path. Links lead outside."""
    outside.mkdir()
    (outside / "file").write_text("theirs")
    if kind == "file":
        path.write_text("theirs")
    elif kind == "folder":
        path.mkdir()
        (path / "file").write_text("theirs")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link": outside / "file", "folder link": outside, "dangling link": outside / "new"}[kind])


@pytest.mark.parametrize("kind", ["file", "folder", "pipe", "link", "folder link", "dangling link"])
@pytest.mark.parametrize("hidden", [".{}.partial", ".{}.lock", ".{}.old-1"])
@pytest.mark.parametrize("name", TINY)
def test_hidden_names_of_the_user_are_neither_used_nor_removed(runner, place, name, hidden, kind):
    planted, outside = place / hidden.format(TINY[name].out), place / "outside"
    plant(planted, kind, outside)
    before, theirs = snapshot(place), stat.S_IFMT(planted.lstat().st_mode)
    ended = run(runner, name, place)
    after = snapshot(place)
    assert {path: after.get(path) for path in before} == before
    assert stat.S_IFMT(planted.lstat().st_mode) == theirs
    if ended.code == 0:
        assert_result(runner, name, place)
        assert set(place.iterdir()) == {planted, outside, place / TINY[name].out}
    else:
        assert set(place.iterdir()) == {planted, outside}


# ---------------------------------------------------------------- file systems


@pytest.mark.skipif(not can_mount(), reason="NO RIGHT to mount: mount points and read-only disks are not tested")
@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("kind", ["mount point", "read-only", "read-only result"])
def test_other_disks(runner, place, name, kind):
    folder = place / TINY[name].out if kind == "mount point" else place
    folder.mkdir(exist_ok=True)
    mount(folder, 500)
    try:
        if kind == "read-only result":
            shutil.copytree(runner.base / "old" / name, place, dirs_exist_ok=True)
        if kind != "mount point":
            mount(place, 500, again=True, read_only=True)
        before = snapshot(place)
        assert run(runner, name, place, force=True, other=kind == "read-only result").code == 2
        assert snapshot(place) == before
    finally:
        unmount(folder)


# ---------------------------------------------------------------- repositories


def no_repository(git):
    git.rmdir()


HEADS = {
    "no repository": no_repository,
    "no head": lambda git: None,
    "a folder": lambda git: (git / "HEAD").mkdir(),
    "a pipe": lambda git: os.mkfifo(git / "HEAD"),
    "another file": lambda git: (git / "HEAD").write_text("ref: ../../../../../../../../etc/passwd\n"),
    "an absolute path": lambda git: (git / "HEAD").write_text("ref: /etc/passwd\n"),
    "a link": lambda git: (git / "HEAD").symlink_to("/etc/passwd"),
    "a reference that is a link": lambda git: (
        (git / "HEAD").write_text("ref: refs/heads/x\n"),
        (git / "refs/heads").mkdir(parents=True),
        (git / "refs/heads/x").symlink_to("/etc/passwd"),
    ),
    "a long file": lambda git: (git / "HEAD").write_bytes(b"0" * 50_000_000),
    "bytes": lambda git: (git / "HEAD").write_bytes(b"ref: \xff\x00\xfe\n"),
    "words": lambda git: (git / "HEAD").write_text("password=secret\n"),
    "a file as repository": lambda git: (git.rmdir(), git.write_text("gitdir: /etc\n")),
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_foreign_repository_gives_a_commit_or_nothing(runner, place, kind):
    (place / ".git").mkdir()
    HEADS[kind](place / ".git")
    assert run(runner, "map", place).code == 0
    text = (place / "out" / "manifest.json").read_text()
    assert re.search(r'"commit": (null|"[0-9a-f]{40}"|"[0-9a-f]{64}"),', text)
    assert "root:" not in text


# ---------------------------------------------------------------- paths


NAMES = {
    "bytes": os.fsdecode(b"\xff\xfe"),
    "line break": "a\nb",
    "escape": "\x1b[31m",
    "long": "x" * 255,
    "wide": "ä" * 120,
    "dots": "...",
    "option": "-",
    "spaces": " ",
    "equals": "en=de",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", FOLDERS)
def test_odd_names_of_results(runner, place, command, name):
    ended = run(runner, command, place, out=f"./{NAMES[name]}")
    if name == "long":
        assert ended.code == 2
        assert list(place.iterdir()) == []
    else:
        assert ended.code == 0
        assert [each.name for each in place.iterdir()] == [NAMES[name]]
        assert list(whole_results(place / NAMES[name])) == []
        again = run(runner, command, place, out=f"./{NAMES[name]}")
        assert (again.code, "reused" in again.stderr) == (0, True)


@pytest.mark.parametrize("name", TINY)
def test_paths_that_are_not_text(runner, place, name):
    odd = place / os.fsdecode(b"\xe9")
    odd.mkdir()
    shutil.copytree(runner.base / "world", odd / "world")
    (odd / "x").mkdir()
    words = TINY[name].words(str(odd / "world"))
    ended = runner.child([*words[:-1], str(odd / "x" / TINY[name].out)], odd)
    assert ended.code == 0, ended.stderr
    assert list(whole_results(odd / "x" / TINY[name].out)) == []
    assert [each.name for each in (odd / "x").iterdir()] == [TINY[name].out]


def _leave():
    Path.cwd().rmdir()


@pytest.mark.parametrize("name", TINY)
def test_a_working_folder_that_is_gone(runner, place, name):
    (place / "gone").mkdir()
    words = TINY[name].words(str(runner.base / "world"))
    ended = runner.child([*words[:-1], str(place / TINY[name].out)], place / "gone", before=_leave)
    assert ended.code in (0, 2), ended
    assert "Traceback" not in ended.stderr
    assert [each.name for each in place.iterdir()] == [TINY[name].out] * (ended.code == 0)


# ---------------------------------------------------------------- rights

unprivileged = pytest.mark.skipif(os.getuid() != 0, reason="NOT ROOT: another user is not tested")


def become_nobody():
    os.environ["LEXENC_CACHE"] = os.environ["TMPDIR"]
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


@unprivileged
@pytest.mark.parametrize("name", TINY)
def test_a_place_that_may_not_be_written(runner, place, name):
    ended = run(runner, name, place, before=become_nobody)
    assert ended.code == 2
    assert "ermission" in ended.stderr
    assert list(place.iterdir()) == []


@unprivileged
@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("sticky", [False, True])
def test_a_result_of_somebody_else(runner, place, name, sticky):
    """Where others may write, it is replaced or kept, whole."""
    shutil.copytree(runner.base / "old" / name, place, dirs_exist_ok=True)
    place.chmod(0o1777 if sticky else 0o777)
    before = snapshot(place)
    ended = run(runner, name, place, force=True, other=True, before=become_nobody)
    assert list(whole_results(place / TINY[name].out)) == []
    own = {path: each for path, each in snapshot(place).items() if not path.startswith(".")}
    assert (own == before) == bool(ended.code)
    # The new result is kept if it could not get its name, the old one if it could not be removed.
    assert {each.name for each in place.iterdir()} <= {TINY[name].out, f".{TINY[name].out}.partial"}


@unprivileged
@pytest.mark.parametrize("name", TINY)
def test_inputs_that_may_not_be_read(runner, place, name):
    shutil.copytree(runner.base / "world", place / "world")
    for path in (place / "world").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
    (place / "x/y").mkdir(parents=True)
    (place / "x/y").chmod(0o777)
    ended = run(runner, name, place / "x/y", before=become_nobody)
    assert ended.code == 2
    assert "ermission" in ended.stderr
    assert list((place / "x/y").iterdir()) == []


@unprivileged
@pytest.mark.parametrize("name", FOLDERS)
def test_own_result_without_the_right_to_write_in_it(runner, place, name):
    place.chmod(0o777)
    assert run(runner, name, place, before=become_nobody).code == 0
    for folder in (place / "out", *(place / "out").rglob("*")):
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    before = snapshot(place)
    ended = run(runner, name, place, force=True, other=True, before=become_nobody)
    assert list(whole_results(place / "out")) == []
    assert ended.code == 0
    assert not (place / ".out.partial").exists()
    assert snapshot(place) != before


@unprivileged
@pytest.mark.parametrize("mode", [0o555, 0o700])
def test_a_cache_without_rights_is_no_error(runner, place, mode):
    place.chmod(0o777)
    cache = place.with_name("cache")
    cache.mkdir(exist_ok=True)
    cache.chmod(mode)

    def before():
        become_nobody()
        os.environ["LEXENC_CACHE"] = str(cache)

    assert run(runner, "map", place, before=before).code == 0
