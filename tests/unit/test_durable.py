from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading

import pytest

from lexenc import durable
from lexenc.durable import (
    exchange,
    flush_folder,
    flush_tree,
    has_exchanged,
    lock,
    opened,
    remove_tree,
    replacing,
    reserve,
    restore_exchanged,
    share,
    sweep_files,
)
from lexenc.errors import ConfigError, WorkError


def names(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture(params=["nameless", "named"])
def way(request, monkeypatch):
    """Both ways to write a file: without a name, and with one where the system has no nameless files."""
    if request.param == "named":
        monkeypatch.setattr(durable, "_can_name_nameless", lambda: False)
    return request.param


@pytest.fixture(params=["at once", "by renaming"])
def exchanging(request, monkeypatch):
    if request.param == "by renaming":
        monkeypatch.setattr(durable, "_exchange_at_once", lambda one, other: False)
    return request.param


# ---------------------------------------------------------------- one file


@pytest.mark.parametrize("flush", [True, False])
def test_durable_file_is_whole_or_absent(tmp_path, way, flush):
    path = tmp_path / "a.txt"
    with pytest.raises(KeyboardInterrupt), replacing(path, flush=flush) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert names(tmp_path) == []
    with replacing(path, flush=flush) as stream:
        stream.write(b"old")
        assert not path.exists()
    with pytest.raises(ValueError, match="no"), replacing(path, flush=flush) as stream:
        stream.write(b"new" * 100_000)
        raise ValueError("no")
    assert path.read_bytes() == b"old"
    with replacing(path, flush=flush) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_durable_file_has_the_mode_that_the_umask_allows(tmp_path, way, umask, mode):
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "a") as stream:
            stream.write(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_durable_file_with_the_longest_name(tmp_path, way):
    path = tmp_path / ("ä" * 127)
    for body in (b"1", b"2"):
        with replacing(path) as stream:
            stream.write(body)
    assert path.read_bytes() == b"2"
    assert names(tmp_path) == [path.name]


def test_durable_file_replaces_a_link_and_spares_its_target(tmp_path, way):
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("target")
    with replacing(tmp_path / "link") as stream:
        stream.write(b"x")
    assert (tmp_path / "target").read_bytes() == b"mine"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_durable_file_replaces_neither_folders_nor_pipes(tmp_path, kind):
    path = tmp_path / "a"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(ConfigError, match=kind), replacing(path):
        raise AssertionError("never written")


@pytest.mark.parametrize("links", [True, False])
def test_durable_file_spares_one_that_appears_meanwhile(tmp_path, way, monkeypatch, links):
    path = tmp_path / "a"
    if way == "named" and not links:
        monkeypatch.setattr(os, "link", lambda *args, **more: (_ for _ in ()).throw(PermissionError(1, "no links")))
    with replacing(path, spare=True) as stream:
        stream.write(b"first")
    with pytest.raises(WorkError, match="appeared meanwhile"), replacing(path, spare=True) as stream:
        stream.write(b"second")
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["a"]


def test_durable_file_in_no_folder_names_its_path(tmp_path):
    with pytest.raises(FileNotFoundError) as found, replacing(tmp_path / "no" / "a"):
        pass
    assert found.value.filename == str(tmp_path / "no" / "a")


def test_durable_file_of_many_writers_is_of_one_of_them(tmp_path, way):
    path = tmp_path / "a"
    bodies = [bytes([number]) * 300_000 for number in range(8)]

    def write(body):
        for _ in range(5):
            with replacing(path, flush=False) as stream:
                for start in range(0, len(body), 1000):
                    stream.write(body[start : start + 1000])

    writers = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert path.read_bytes() in bodies
    assert names(tmp_path) == ["a"]


def _killed(tmp_path, code):
    """Run code with `path` in a process that kills itself."""
    begin = "import os, sys\nfrom pathlib import Path\nfrom lexenc import durable\npath = Path(sys.argv[1])\n"
    run = subprocess.run([sys.executable, "-c", begin + code, str(tmp_path / "a")], check=False)
    assert run.returncode == 9


_BEFORE_RENAMING = (
    "durable.os.replace = lambda *args, **more: os._exit(9)\n"
    "with durable.replacing(path) as stream:\n    stream.write(b'new')\n"
)


def test_durable_file_leftover_of_a_kill_is_swept_by_the_next_writing(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    _killed(tmp_path, _BEFORE_RENAMING)
    assert len(names(tmp_path)) == 2
    assert (tmp_path / "a").read_bytes() == b"old"
    with replacing(tmp_path / "a") as stream:
        stream.write(b"new")
    assert names(tmp_path) == ["a"]


def test_durable_file_leftover_of_a_kill_before_it_has_its_number(tmp_path):
    _killed(tmp_path, "durable._can_name_nameless = lambda: False\n" + _BEFORE_RENAMING)
    assert len(names(tmp_path)) == 1
    sweep_files(tmp_path / "a")
    assert names(tmp_path) == []


def test_durable_file_sweeping_spares_what_the_user_made(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    _killed(tmp_path, _BEFORE_RENAMING)
    (left,) = [each for each in tmp_path.iterdir() if each.name != "a"]
    left.rename(tmp_path / "moved")
    planted = [left.name, ".a.partial", ".a.1234.partial", ".a.0123456789abcdef.partial", ".a.lock"]
    for name in planted:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".a.12.partial").symlink_to("a")
    (tmp_path / ".a.13.partial").mkdir()
    with replacing(tmp_path / "a") as stream:
        stream.write(b"new")
    assert names(tmp_path) == sorted([*planted, "a", "moved", ".a.12.partial", ".a.13.partial"])
    assert all((tmp_path / name).read_bytes() == b"mine" for name in planted)


def test_durable_file_sweeping_spares_what_another_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(durable, "_can_name_nameless", lambda: False)
    with replacing(tmp_path / "a") as stream:
        stream.write(b"first")
        stream.flush()
        with replacing(tmp_path / "a") as other:
            other.write(b"second")
        assert len(names(tmp_path)) == 2
    assert (tmp_path / "a").read_bytes() == b"first"
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="mounts a small disk")
def test_durable_file_on_a_full_disk(tmp_path, way):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], check=False).returncode:
        pytest.skip("no mounts here")
    try:
        with replacing(small / "a") as stream:
            stream.write(b"old")
        with pytest.raises(OSError, match="space") as found, replacing(small / "a") as stream:
            stream.write(b"x" * 100_000)
        assert found.value.errno == errno.ENOSPC
        assert (small / "a").read_bytes() == b"old"
        assert names(small) == ["a"]
        with pytest.raises(OSError, match="space"):
            reserve(small / "b", 100_000)
        assert names(small) == ["a"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


# ---------------------------------------------------------------- locks


def test_durable_lock_is_held_until_the_file_is_closed(tmp_path):
    with opened(tmp_path) as first:
        assert lock(first)
        with opened(tmp_path) as second:
            assert not lock(second)
    with opened(tmp_path) as third:
        assert lock(third)


def test_durable_lock_where_there_are_none(tmp_path, monkeypatch):
    def none(stream, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(durable.fcntl, "flock", none)
    with opened(tmp_path) as stream:
        assert lock(stream)


def test_durable_open_follows_no_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OSError, match="link"), opened(tmp_path / "link"):
        pass


# ---------------------------------------------------------------- folders


def test_durable_flush_takes_all_files_and_folders(tmp_path, monkeypatch):
    seen, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda stream: (seen.append(os.fstat(stream).st_ino), real(stream)))
    for name in ("a", "sub/b", "sub/deep/c", "unfinished/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    flush_tree(tmp_path, without=["unfinished"])
    wanted = [tmp_path, *(tmp_path / name for name in ("a", "sub", "sub/b", "sub/deep", "sub/deep/c"))]
    assert sorted(seen) == sorted(each.stat().st_ino for each in wanted)


def test_durable_flush_reports_a_broken_disk_and_accepts_one_that_cannot_flush(tmp_path, monkeypatch):
    def failing(number):
        def fsync(stream):
            raise OSError(number, os.strerror(number))

        return fsync

    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    flush_tree(tmp_path)
    flush_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="error"):
        flush_tree(tmp_path)


def test_durable_removal_leaves_the_mark_to_the_end(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    for name in ("manifest.json", "a", "sub/b"):
        (folder / name).write_bytes(b"x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "c").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "mine")
    with monkeypatch.context() as patch:
        patch.setattr(durable.shutil, "rmtree", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            remove_tree(folder, last=["manifest.json"])
    assert (folder / "manifest.json").exists()
    remove_tree(folder, last=["manifest.json"])
    remove_tree(folder, last=["manifest.json"])
    assert names(tmp_path) == ["mine"]
    assert names(tmp_path / "mine") == ["c"]


def test_durable_removal_follows_no_link(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "c").write_bytes(b"x")
    (tmp_path / "link").symlink_to("mine")
    with pytest.raises(NotADirectoryError):
        remove_tree(tmp_path / "link")
    assert names(tmp_path / "mine") == ["c"]


def test_durable_folders_that_were_made_go_if_they_are_empty(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(KeyboardInterrupt), durable.within_folder(tmp_path / "mine" / "a" / "b"):
        raise KeyboardInterrupt
    assert names(tmp_path / "mine") == []
    with durable.within_folder(tmp_path / "mine" / "a" / "b"):
        (tmp_path / "mine" / "a" / "x").touch()
    assert names(tmp_path / "mine" / "a") == ["x"]
    with durable.within_folder(tmp_path / "mine" / "a" / "b"), durable.within_folder(tmp_path / "mine" / "a" / "b"):
        pass
    assert names(tmp_path / "mine" / "a") == ["x"]


@pytest.mark.parametrize("error", [OSError(28, "No space"), ValueError("I/O error: No space left (os error 28)")])
def test_durable_full_disk_is_named(tmp_path, error):
    with pytest.raises(OSError, match="No space") as told, durable.naming(tmp_path):
        raise error
    assert told.value.filename == str(tmp_path)
    with pytest.raises(OSError, match="No space") as told, durable.naming(tmp_path):
        raise OSError(28, "No space", "other")
    assert told.value.filename == "other"


def _two(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path / "one", tmp_path / "other"


def test_durable_exchange(tmp_path, exchanging):
    one, other = _two(tmp_path)
    exchange(one, other)
    assert ((one / "file").read_text(), (other / "file").read_text()) == ("other", "one")
    assert names(tmp_path) == ["one", "other"]
    with pytest.raises(FileNotFoundError):
        exchange(one, tmp_path / "none")


@pytest.mark.parametrize("renamings", [0, 1, 2, 3])
def test_durable_exchange_by_renaming_can_be_killed_anywhere(tmp_path, monkeypatch, renamings):
    one, other = _two(tmp_path)
    monkeypatch.setattr(durable, "_exchange_at_once", lambda one, other: False)
    left, real = [None] * renamings, type(one).rename

    def rename(self, target):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(one), "rename", rename)
        if renamings < 3:
            with pytest.raises(KeyboardInterrupt):
                exchange(one, other)
        else:
            exchange(one, other)
    assert has_exchanged(other) == (renamings in (1, 2))
    left = restore_exchanged(other)
    if renamings == 2:
        (old,) = left
        old.rename(one)
    assert names(tmp_path) == ["one", "other"]
    wanted = ("one", "other") if renamings < 2 else ("other", "one")
    assert ((one / "file").read_text(), (other / "file").read_text()) == wanted


def test_durable_exchange_restores_nothing_of_the_user(tmp_path):
    (tmp_path / ".other.12ab.old").mkdir()
    assert restore_exchanged(tmp_path / "other") == []
    assert names(tmp_path) == [".other.12ab.old"]


# ---------------------------------------------------------------- space


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_durable_reserved_space_is_zeros(tmp_path, size):
    (tmp_path / "a").write_bytes(b"old")
    reserve(tmp_path / "a", size)
    assert (tmp_path / "a").read_bytes() == bytes(size)
    assert (tmp_path / "a").stat().st_blocks * 512 >= size


def test_durable_reserved_space_writes_through_no_link(tmp_path):
    (tmp_path / "mine").write_bytes(b"x")
    (tmp_path / "a").symlink_to("mine")
    reserve(tmp_path / "a", 10)
    assert (tmp_path / "mine").read_bytes() == b"x"


# ---------------------------------------------------------------- two names


@pytest.mark.parametrize("linked", [True, False])
def test_durable_shared_file_has_both_names(tmp_path, monkeypatch, linked):
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"old")
    if not linked:
        real = os.link

        def link(source, target, **more):
            if not more:
                raise OSError(errno.EPERM, "no links here")
            real(source, target, **more)

        monkeypatch.setattr(os, "link", link)
    share(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").samefile(tmp_path / "b") == linked
