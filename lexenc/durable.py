"""Files and folders that are whole or absent after a kill, a full disk or a power cut, and never somebody else's."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from lexenc.errors import ConfigError, LexencError, WorkError

try:
    import fcntl
except ImportError:  # on Windows, where two writers of one folder are not kept apart
    fcntl = None  # type: ignore[assignment]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the errors of a disk, a share of it, or a file that is full."""
# How libraries in Rust (safetensors, tokenizers) and faiss tell of errors of the system.
_TOLD = re.compile(r"\bos error (\d+)\b|(No space left on device)")
# What a system says of a call that it does not have, or that a file system does not have.
_MISSING = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EISDIR, errno.EBADF, errno.ENOENT}
_UNFLUSHED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EROFS, errno.EBADF}
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_LONGEST = 255  # bytes of a name, on all usual file systems
_FLUSHERS = 8


# ---------------------------------------------------------------- one file


@contextmanager
def replacing(path: Path, *, flush: bool = True, spare: bool = False) -> Iterator[IO[bytes]]:
    """Write a file, completely or not at all. An older file is replaced when the block succeeds.

    The file has no name, or one that no other file had, until it is complete. If several processes write the same path,
    the file of one of them stays, whole. A link at the path is replaced, and what it points to stays.

    Args:
        path: The file. Its folder must exist.
        flush: Make it survive a power cut. False for the files of a folder that is flushed as a whole (`flush_tree`).
        spare: Do not replace a file that is there in the end.

    Yields:
        A binary stream.

    Raises:
        OSError: If it cannot be written, with the path as its file name. Nothing is left then.
        ConfigError: If the path is a folder, a device or the like.
        WorkError: If there is a file to be spared.
    """
    _check_ordinary(path)
    try:
        folder = os.open(path.parent, _FOLDER) if os.name == "posix" else -1
    except OSError as error:
        raise _at(error, path) from None
    try:
        sweep_files(path)
        with naming(path), _Aside(path, folder) as aside:
            yield aside.stream
            aside.take_place(flush=flush, spare=spare)
    finally:
        if folder >= 0:
            os.close(folder)


def _check_ordinary(path: Path) -> None:
    with suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or the like"
            raise ConfigError(f"{path} is {kind}, not a file.", hint="Choose another name.")


def share(source: Path, target: Path) -> None:
    """Give a file a second name. It takes no space; where the file system has no hard links, the file is copied.

    Neither name loses it in a kill, unlike a renaming, of which the reader of the first name must know.

    Args:
        source: The file. It must not be changed in place afterwards.
        target: The second name. A file that has it is replaced.

    Raises:
        OSError: If it cannot be written.
    """
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        with source.open("rb") as stream, replacing(target) as copy:
            shutil.copyfileobj(stream, copy)


@contextmanager
def naming(place: Path) -> Iterator[None]:
    """Name a place in the error of a full disk that names none, such as those of writing to an open file.

    Args:
        place: The file or folder that the block writes.

    Raises:
        OSError: With this place as its file name, also for the errors of libraries that tell it in words only.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL and error.filename is None:
            raise _at(error, place) from None
        raise
    except Exception as error:
        told = told_of_system(error)
        if told is not None and told.errno in FULL:
            raise _at(told, place) from None
        raise


def told_of_system(error: BaseException) -> OSError | None:
    """Return the error of the system that a library, such as safetensors or faiss, tells of in words only."""
    found = None if isinstance(error, LexencError | OSError) else _TOLD.search(str(error))
    if found is None:
        return None
    number = errno.ENOSPC if found[2] else int(found[1])
    return OSError(number, os.strerror(number))


def _at(error: OSError, path: Path) -> OSError:
    """Return an error that names the path that the user knows."""
    return OSError(error.errno, error.strerror, str(path))


class _Aside:
    """A file on its way to a path. Its name, once it has one, contains its own number on the disk.

    So a file that was left by a kill can be told from everything that the user made: a copy, a planted file or one of
    another folder has another number. While it is written, a lock keeps other writers from taking it for a leftover.
    """

    def __init__(self, path: Path, folder: int) -> None:
        self._path, self._folder, self._named = path, folder, ""

    def __enter__(self) -> _Aside:
        try:
            self.stream = os.fdopen(self._open(), "wb")
        except OSError as error:
            raise _at(error, self._path) from None
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self.stream.close()
        except OSError as fault:  # what was buffered does not fit on the disk; the block has failed of the same already
            if error is None:
                raise _at(fault, self._path) from None
        finally:
            if self._named:
                with suppress(OSError):
                    os.unlink(self._named, **self._within())

    def _within(self) -> dict[str, Any]:
        return {"dir_fd": self._folder} if self._folder >= 0 else {}

    def _both_within(self) -> dict[str, Any]:
        return {"src_dir_fd": self._folder, "dst_dir_fd": self._folder} if self._folder >= 0 else {}

    def _open(self) -> int:
        if hasattr(os, "O_TMPFILE") and _can_name_nameless():
            try:
                made = os.open(self._path.parent, os.O_TMPFILE | os.O_RDWR, 0o666)
            except OSError as error:
                if error.errno not in _MISSING:
                    raise
            else:
                lock(made)
                return made
        # An empty file of such a name is swept whatever its number is, since a kill may come before it is renamed.
        how = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
        while True:
            self._named = self._name(secrets.token_hex(8))
            made = os.open(self._named, how, 0o666, **self._within())
            if lock(made) and os.fstat(made).st_nlink:
                break
            os.close(made)  # another writer took it for a leftover before it was locked
        if self._folder >= 0:
            numbered = self._name(_number(made))
            self._rename(numbered)
            self._named = numbered
        return made

    def _name(self, tail: str) -> str:
        name = _aside_name(self._path.name, tail)
        return name if self._folder >= 0 else str(self._path.with_name(name))

    def _rename(self, name: str) -> None:
        os.replace(self._named, name, **self._both_within())  # noqa: PTH105 - Path.replace takes no folder
        self._named = ""

    def _rename_sparing(self, name: str) -> None:
        try:
            os.link(self._named, name, **self._both_within())
        except FileExistsError:
            raise
        except OSError:  # no hard links here
            if os.path.lexists(self._path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self._path)) from None
            self._rename(name)

    def take_place(self, *, flush: bool, spare: bool) -> None:
        """Give the file its final name."""
        try:
            self.stream.flush()
            number = self.stream.fileno()
            if flush:
                _flush(number)
            final = self._path.name if self._folder >= 0 else str(self._path)
            if self._named:
                if self._folder < 0:
                    self.stream.close()  # Windows renames no open file
                self._rename_sparing(final) if spare else self._rename(final)
            else:
                self._name_nameless(number, final, spare)
            if flush and self._folder >= 0:
                _flush(self._folder)
        except FileExistsError:
            hint = "Move it away, choose another name, or allow that it is replaced."
            raise WorkError(f"{self._path} has appeared meanwhile, and is not replaced.", hint=hint) from None
        except OSError as error:
            raise _at(error, self._path) from None

    def _name_nameless(self, number: int, final: str, spare: bool) -> None:
        """Link the nameless file: at once if the path is free, else by a name from which it is renamed."""
        try:
            self._link(number, final)
        except FileExistsError:
            if spare:
                raise
            self._named = self._name(_number(number))
            with suppress(FileNotFoundError):
                os.unlink(self._named, dir_fd=self._folder)  # only a file with our number could be meant
            self._link(number, self._named)
            self._rename(final)

    def _link(self, number: int, name: str) -> None:
        # With a folder given, Python calls linkat, which follows the link in /proc to the file itself.
        os.link(f"/proc/self/fd/{number}", name, **self._both_within())


@cache
def _can_name_nameless() -> bool:
    return Path("/proc/self/fd").is_dir()


def _number(stream: int) -> str:
    return f"{os.fstat(stream).st_ino:x}"


def _aside_name(name: str, tail: str) -> str:
    room = _LONGEST - len(f"..{tail}.partial")
    return f".{os.fsdecode(os.fsencode(name)[:room])}.{tail}.partial"


def sweep_files(path: Path) -> None:
    """Remove what kills have left of earlier writings of a file.

    Only files are removed whose name contains their own number on the disk, that belong to this user, and that no
    process is writing; and empty files with such a name.
    """
    pattern = re.compile(re.escape(_aside_name(path.name, "@")).replace("@", "([0-9a-f]+)"))
    try:
        with os.scandir(path.parent) as entries:
            names = [each.name for each in entries if pattern.fullmatch(each.name)]
    except OSError:
        return
    for name in names:
        found = pattern.fullmatch(name)
        with suppress(OSError):
            _sweep_file(path.with_name(name), found[1] if found else "")


def _sweep_file(place: Path, tail: str) -> None:
    with opened(place) as stream:
        state = os.fstat(stream)
        ours = stat.S_ISREG(state.st_mode) and state.st_nlink == 1 and (
            f"{state.st_ino:x}" == tail or (state.st_size == 0 and len(tail) == 16)
        )  # fmt: skip
        if ours and state.st_uid == _user() and lock(stream):
            place.unlink()


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


# ---------------------------------------------------------------- locks


@contextmanager
def opened(path: Path, how: int = os.O_RDONLY) -> Iterator[int]:
    """Open a file or folder, but never through a link, and without waiting for a pipe.

    Args:
        path: The file or folder.
        how: Flags as of `os.open`.

    Yields:
        Its number, or -1 for a folder where the system opens none (Windows).

    Raises:
        OSError: If it does not exist, is a link or cannot be read.
    """
    if os.name != "posix" and path.is_dir():
        yield -1
        return
    stream = os.open(path, how | _NOFOLLOW | _BINARY | getattr(os, "O_NONBLOCK", 0))
    try:
        yield stream
    finally:
        os.close(stream)


def lock(stream: int, *, wait: bool = False) -> bool:
    """Lock an open file or folder until it is closed, and return whether no other process holds it.

    A file system that has no locks counts as free: refusing to work there would help nobody.

    Args:
        stream: Number of the open file.
        wait: Wait for the other process.
    """
    if fcntl is None or stream < 0:
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


# ---------------------------------------------------------------- flushing


def _flush(stream: int) -> None:
    try:
        os.fsync(stream)
    except OSError as error:
        if error.errno not in _UNFLUSHED:
            raise


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut.

    Raises:
        OSError: If the disk reports an error.
    """
    if os.name == "posix":  # elsewhere a folder cannot be opened
        with opened(folder) as stream:
            _flush(stream)


def flush_tree(folder: Path, *, without: Sequence[str] = ()) -> None:
    """Make all files and folders below a folder, and the folder itself, survive a power cut.

    Args:
        folder: The folder.
        without: Names directly in it to leave out.

    Raises:
        OSError: If the disk reports an error.
    """
    files: list[Path] = []
    folders: list[Path] = []
    for place, inner, names in os.walk(folder):
        if Path(place) == folder:
            inner[:] = [name for name in inner if name not in without]
            names = [name for name in names if name not in without]
        folders.append(Path(place))
        files += [Path(place, name) for name in names]
    with ThreadPoolExecutor(_FLUSHERS) as pool:
        list(pool.map(_flush_file, files))
    # The innermost first, so that a name is on the disk only after what it names.
    for each in reversed(folders):
        flush_folder(each)


def _flush_file(path: Path) -> None:
    if stat.S_ISREG(os.lstat(path).st_mode):
        with opened(path) as stream:
            _flush(stream)


# ---------------------------------------------------------------- folders


def remove_tree(folder: Path, last: Sequence[str] = ()) -> None:
    """Delete a folder with all that is in it. Links are deleted, and not followed.

    In folders of this user, missing rights do not prevent it.

    Args:
        folder: The folder. It may be gone already.
        last: Names in it that are deleted at the end, in this order. As long as they are there, a later run can
            recognise what a kill has left.

    Raises:
        OSError: If something cannot be deleted, or the folder is a link.
    """
    clear_tree(folder, keep=last)
    for name in last:
        (folder / name).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        folder.rmdir()


def clear_tree(folder: Path, keep: Sequence[str] = ()) -> None:
    """Delete all that is in a folder, except some names directly in it.

    Raises:
        OSError: If something cannot be deleted, or the folder is a link.
    """
    if folder.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _allow(folder)
    try:
        with os.scandir(folder) as entries:
            found = [each for each in entries if each.name not in keep]
    except FileNotFoundError:
        return
    for each in found:
        if each.is_dir(follow_symlinks=False):
            _allow_tree(Path(each.path))
            shutil.rmtree(each.path)
        else:
            Path(each.path).unlink(missing_ok=True)


def _allow(folder: Path) -> None:
    """Give this user all rights in a folder of his own, without which nothing in it can be deleted."""
    with suppress(OSError):
        state = folder.lstat()
        mode = stat.S_IMODE(state.st_mode)
        if stat.S_ISDIR(state.st_mode) and state.st_uid == _user() and mode & stat.S_IRWXU != stat.S_IRWXU:
            folder.chmod(mode | stat.S_IRWXU)


def _allow_tree(folder: Path) -> None:
    _allow(folder)
    for place, inner, _ in os.walk(folder):
        for name in inner:
            _allow(Path(place, name))


@contextmanager
def within_folder(folder: Path) -> Iterator[None]:
    """Make a folder, with its parents, for the block. Those that were made and are empty at its end are removed.

    Raises:
        OSError: If it cannot be made.
    """
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in reversed(missing):
            flush_folder(each.parent)
        yield
    finally:
        for each in missing:
            with suppress(OSError):  # not empty, or not made
                each.rmdir()


def exchange(one: Path, other: Path) -> None:
    """Exchange two files or folders of one file system, at once where the system can.

    Elsewhere `other` is first renamed to a name that contains its number on the disk. If the process is killed before
    the exchange is complete, `restore_exchanged(other)` undoes it or returns what is left of it.

    Raises:
        OSError: If one of them does not exist, or the folders are not on one file system.
    """
    if _exchange_at_once(one, other):
        return
    aside = other.with_name(f".{other.name}.{os.lstat(other).st_ino:x}.old")
    if os.path.lexists(aside):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(aside))
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)


def restore_exchanged(other: Path) -> list[Path]:
    """Undo an exchange that a kill has interrupted, if it left nothing at `other`.

    Returns:
        What was exchanged for the file or folder that is there now. The caller may delete it.
    """
    left = []
    for path in _exchanged(other):
        if os.path.lexists(other):
            left.append(path)
        else:
            path.rename(other)
    return left


def has_exchanged(other: Path) -> bool:
    """Return whether an exchange was interrupted at `other`."""
    return any(True for _ in _exchanged(other))


def _exchanged(other: Path) -> Iterator[Path]:
    pattern = re.compile(re.escape(f".{other.name}.") + "([0-9a-f]+)" + re.escape(".old"))
    try:
        with os.scandir(other.parent) as entries:
            found = [(Path(each.path), pattern.fullmatch(each.name)) for each in entries]
    except OSError:
        return
    for path, named in found:
        if named is not None and f"{path.lstat().st_ino:x}" == named[1] and not path.is_symlink():
            yield path


_RENAME_EXCHANGE, _AT_FDCWD = 2, -100


@cache
def _renameat2() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None


def _exchange_at_once(one: Path, other: Path) -> bool:
    call = _renameat2()
    if call is None:
        return False
    if not call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


# ---------------------------------------------------------------- space


def reserve(path: Path, size: int) -> None:
    """Make a file of zeros whose space on the disk is really reserved, e.g. for a memory map.

    Writing to a map of a file without its space on a full disk would kill the process.

    Args:
        path: The file. An older one is replaced.
        size: Bytes.

    Raises:
        OSError: If there is too little space. No file is left then.
    """
    path.unlink(missing_ok=True)
    stream = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY, 0o666)
    try:
        os.ftruncate(stream, size)
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream, 0, size)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            return  # the file system cannot reserve
        path.unlink(missing_ok=True)
        raise _at(error, path) from None
    finally:
        os.close(stream)
