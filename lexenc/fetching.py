"""Downloads, which are resumed after interruptions, checked against known digests, and never left incomplete."""

from __future__ import annotations

import errno
import http.client
import io
import json
import lzma
import os
import re
import shutil
import ssl
import stat
import struct
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import lexenc
from lexenc.artifact import DigestStore
from lexenc.durable import flush_folder, lock, opened, replacing
from lexenc.errors import ConfigError, DataError, LexencError, WorkError
from lexenc.files.text import counted
from lexenc.progress import SILENT, Progress
from lexenc.resources.catalogue import Resource
from lexenc.structured import checked, read_json

LOCK = "fetched.json"
_CHUNK = 1 << 18
_TRIES = 3
_SECONDS = 30.0  # without a byte
_PATIENCE = 60.0  # seconds for the head of an answer, and before `_SLOWEST` counts; the total time has no limit
_SLOWEST = 100  # bytes a second
_SPARE = 64 << 20  # bytes of disk space to leave free
_UNSIZED = 16 << 30  # largest file, in bytes, of a server that does not say how large it is
_FRAMING = 1 << 20  # bytes of an answer that are not part of the file, besides a multiple of the file
_TABLE = 16 << 20  # bytes of the table of files of an archive; zipfile needs 20 times as much memory
_PACKED = 200  # largest ratio of the sizes of a file in an archive; text rarely exceeds 20
_CONTROLS = re.compile(r"[^ -~]+")
# What http.client, ssl and urllib raise for whatever a server or an address contains.
_NETWORK = (OSError, http.client.HTTPException, ValueError, OverflowError)


@dataclass(frozen=True)
class Offer:
    """A download that needs approval: its size in bytes (None if unknown), and the folder for it."""

    resource: Resource
    size: int | None
    place: Path


@dataclass(frozen=True)
class Fetched:
    """A downloaded file, its digest, and its size in bytes.

    Args:
        reused: Whether it had been downloaded earlier.
        first: Whether there was no digest to check it against. Later downloads are checked against this one.
    """

    path: Path
    sha256: str
    size: int
    reused: bool
    first: bool


def fetch(
    resource: Resource,
    folder: Path,
    *,
    approve: Callable[[Offer], None] = lambda offer: None,
    force: bool = False,
    progress: Progress = SILENT,
    digests: DigestStore | None = None,
) -> Fetched:
    """Download a resource into a folder, unless it is there already.

    A file without a known digest is trusted at its first download. Its digest is stored in `fetched.json` in the same
    folder, and another digest is an error later.

    Args:
        resource: The resource.
        folder: The folder. It is created if necessary.
        approve: Called before a download. It raises an error if the user does not agree.
        force: Download again, even if the file has changed.
        progress: Progress bar to update.
        digests: Store of digests of large files.

    Raises:
        WorkError: If the server cannot be reached, interrupts the download or has no such file, or the disk is full.
        DataError: If the file has changed on the server or on disk.
    """
    _check_address(resource)
    store = _Store(folder, force, digests or DigestStore(None), progress)
    have = store.kept(resource.file)
    if have is not None:
        return have
    archive = store.kept(resource.archive) if resource.member else None
    if archive is None:
        archive = store.download(resource, approve)
    return archive if not resource.member else store.extract(resource, archive)


@dataclass(frozen=True)
class _Record:
    """What `fetched.json` says about a file."""

    name: str
    part: str
    url: str
    sha256: str
    licence: str
    home: str
    fetched: str


@dataclass(frozen=True)
class _Store:
    folder: Path
    force: bool
    digests: DigestStore
    progress: Progress

    def records(self) -> dict[str, _Record]:
        path = self.folder / LOCK
        if not path.exists():
            return {}
        hint = "Move it and the files in its folder away."
        return checked(dict[str, _Record], read_json(path, hint=hint), path, hint=hint)

    def kept(self, name: str) -> Fetched | None:
        """Return a file downloaded earlier, after a check that it has not changed, or None."""
        path, known = self.folder / name, self.records().get(name)
        if self.force or not path.is_file():
            return None
        if known is None:
            raise _foreign_file(path)
        digest = self.digests.of(path)
        if digest != known.sha256:
            raise DataError(
                f"{path} has changed since it was fetched (sha256 {digest[:12]}, then {known.sha256[:12]}).",
                hint="Add --force to fetch it again, or move it away if it is yours.",
            )
        return Fetched(path, digest, path.stat().st_size, reused=True, first=False)

    def download(self, resource: Resource, approve: Callable[[Offer], None]) -> Fetched:
        approve(Offer(resource, size_of(resource.url), self.folder))
        with _making(self.folder):
            return self._download(resource)

    def _download(self, resource: Resource) -> Fetched:
        place = self.folder / resource.archive
        if os.path.lexists(place) and not self.force:  # something else than a file, which `kept` refuses
            raise _foreign_file(place)
        with _Partial(place).alone() as partial:
            partial.complete(resource, self.progress)
            digest = self.digests.of(partial.path)
            try:
                first = self._check(resource, digest)
            except DataError:
                partial.forget()
                raise
            with _briefly_alone(self.folder):
                partial.take_place(self.force)
                self._remember(resource.archive, resource, digest)
        return Fetched(place, digest, place.stat().st_size, reused=False, first=first)

    def _check(self, resource: Resource, digest: str) -> bool:
        """Compare a download with known digests, and return whether there were none."""
        known = self.records().get(resource.archive)
        remembered = known.sha256 if known is not None and known.url == resource.url else None
        for wanted, where in (
            (resource.sha256, "the catalogue"),
            (None if self.force else remembered, "its first download"),
        ):
            if wanted and wanted != digest:
                raise DataError(
                    f"{resource.url} has changed: sha256 {digest[:12]}, but {wanted[:12]} in {where}.",
                    hint=f"See {resource.home or 'the page of its authors'}. --force accepts the change."
                    if where != "the catalogue"
                    else "It was modified by its owner or in transit, and was not kept.",
                )
        return not resource.sha256 and (self.force or remembered is None)

    def extract(self, resource: Resource, archive: Fetched) -> Fetched:
        """Extract one file of an archive. The names of folders in the archive are not used."""
        place = self.folder / resource.file
        if os.path.lexists(place) and not self.force:
            raise _foreign_file(place)
        with _damage_of(archive.path), zipfile.ZipFile(archive.path) as packed:
            named = [one for one in packed.infolist() if one.filename.rsplit("/", 1)[-1] == resource.file]
            found = [one for one in named if not one.filename.startswith("__MACOSX/")]
            if len(found) != 1:
                raise DataError(
                    f"{archive.path} has {counted(len(found), 'file')} called {resource.file}, expected 1.",
                    hint=f"See {resource.home or resource.url}.",
                )
            self._check_member(archive.path, found[0])
            with packed.open(found[0]) as stream, replacing(place) as out:
                while chunk := _read_member(archive.path, stream):
                    out.write(chunk)
        digest = self.digests.of(place)
        with _briefly_alone(self.folder):
            self._remember(resource.file, resource, digest)
        return Fetched(place, digest, place.stat().st_size, archive.reused, archive.first)

    def _check_member(self, path: Path, member: zipfile.ZipInfo) -> None:
        """Check that a file of an archive is one, and that it has a possible size."""
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{member.filename} in {path} is a link, expected a file.", hint="Nothing was unpacked.")
        if member.file_size > _PACKED * member.compress_size + (1 << 20):
            sizes = f"{shown_size(member.file_size)} from {shown_size(member.compress_size)}"
            raise DataError(
                f"{member.filename} in {path} would unpack to {sizes}, which no text does.",
                hint="The archive is damaged or was made to fill the disk.",
            )
        _check_space(self.folder, member.filename, member.file_size)

    def _remember(self, name: str, resource: Resource, digest: str) -> None:
        table = self.records()
        table[name] = _Record(
            resource.name,
            resource.part,
            resource.url,
            digest,
            resource.licence,
            resource.home,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        body = {each: asdict(record) for each, record in table.items()}
        with replacing(self.folder / LOCK) as stream:
            stream.write((json.dumps(body, ensure_ascii=False, indent=1) + "\n").encode())


@contextmanager
def _making(folder: Path) -> Iterator[None]:
    """Make a folder, and remove what was made if the block fails and leaves nothing in it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for each in missing:
                each.rmdir()
        raise


def _foreign_file(path: Path) -> DataError:
    return DataError(
        f"{path} exists already, but was not fetched by lexenc.", hint="Choose another --out, or add --force."
    )


def _check_address(resource: Resource) -> None:
    try:
        parts = urlsplit(resource.url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or _CONTROLS.search(resource.url):
        raise ConfigError(f"{resource.url!r} is not a web address.", hint="An address begins with https://.")
    if LOCK in (resource.archive, resource.file):
        raise ConfigError(f"{resource.url} has the name of lexenc's own {LOCK}.", hint="Use another resource.")


def _check_space(folder: Path, name: str, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size + _SPARE > free:
        raise WorkError(
            f"{name} needs {shown_size(size)} more, but {folder} has {shown_size(free)} free.",
            hint="Free some space, or choose an --out on another disk.",
        )


@contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Check the size of an archive's table, and turn what zipfile raises for a damaged archive into one error."""
    try:
        if _table_size(path) > _TABLE:
            raise zipfile.BadZipFile("its table of files is too large")
        yield
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OverflowError, struct.error) as error:
        raise _bad_archive(path, error) from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # from a position outside the file
            raise
        raise _bad_archive(path, error) from None


def _table_size(path: Path) -> int:
    """Return the size of the table of an archive in bytes, which zipfile reads as a whole; 0 if there is none."""
    with path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, io.SEEK_END) - (1 << 16) - 100))
        tail = stream.read()
    sizes: list[int] = []
    for mark, place, form in ((b"PK\5\6", 12, "<L"), (b"PK\6\6", 40, "<Q")):
        found = tail.rfind(mark)
        if 0 <= found <= len(tail) - place - 8:
            sizes += struct.unpack_from(form, tail, found + place)
    return max((size for size in sizes if size != 0xFFFFFFFF), default=0)


def _bad_archive(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not a readable zip file: {_plain(error)}.", hint="Add --force.")


def _read_member(path: Path, stream: IO[bytes]) -> bytes:
    try:
        return stream.read(_CHUNK)
    # Not around the writing, so that a full disk stays one.
    except (zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise _bad_archive(path, error) from None


@contextmanager
def _briefly_alone(folder: Path) -> Iterator[None]:
    """Wait until no other lexenc begins or ends a download in a folder."""
    with opened(folder.resolve()) as stream:
        while not lock(stream):
            time.sleep(0.01)
        yield


@dataclass(frozen=True)
class _Notes:
    """What is known about the first part of a file.

    Args:
        inode: Number of the file that contains it. A file of the same name with another number is not ours.
        url: Address from which it comes.
        validator: Tag or date of the version; empty if unknown.
        length: Size of the whole file in bytes, if known.
    """

    inode: int
    url: str = ""
    validator: str = ""
    length: int | None = None


class _Partial:
    """The first part of a file, stored next to its place, with notes about it.

    A file of this name that lexenc did not make is neither changed nor followed if it is a link.
    """

    def __init__(self, place: Path) -> None:
        self.path = place.with_name(f".{place.name}.partial")
        self._place, self._notes_path = place, place.with_name(f".{place.name}.partial.json")
        self._stream: IO[bytes] = io.BytesIO()

    @contextmanager
    def alone(self) -> Iterator[_Partial]:
        """Open the file, and lock it while it is written."""
        with _briefly_alone(self.path.parent):
            self._stream = self._open()
        with self._stream:
            try:
                yield self
            except LexencError:
                if not self._size():
                    self.forget()
                raise

    def _open(self) -> IO[bytes]:
        notes = self._notes()
        if not os.path.lexists(self.path):
            return self._create()
        state = self.path.lstat()
        if not stat.S_ISREG(state.st_mode) or notes is None or notes.inode != state.st_ino:
            raise self._not_ours(self.path)
        stream = os.fdopen(os.open(self.path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)), "r+b")
        return self._locked(stream)

    def _create(self) -> IO[bytes]:
        """Create an empty file that is known as ours from its first moment, even if the process is killed."""
        folder = self.path.parent
        try:
            number = os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o666)
            nameless = True
        except (AttributeError, OSError):  # not on every system
            number, nameless = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), False
        stream = self._locked(os.fdopen(number, "r+b"))
        self._write_notes(_Notes(os.fstat(number).st_ino))
        if nameless:
            there = os.open(folder, os.O_RDONLY)
            try:  # with a folder, because only then the link in /proc is followed
                os.link(f"/proc/self/fd/{number}", self.path.name, src_dir_fd=there, dst_dir_fd=there)
            finally:
                os.close(there)
        return stream

    def _locked(self, stream: IO[bytes]) -> IO[bytes]:
        if not lock(stream.fileno()):
            stream.close()
            raise WorkError(f"Another lexenc is fetching {self._place.name}.", hint="Wait until it is done.")
        return stream

    def _not_ours(self, path: Path) -> DataError:
        return DataError(f"{path} was not made by lexenc, which needs this name.", hint="Move it away.")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._notes_path.unlink(missing_ok=True)

    def take_place(self, force: bool) -> None:
        """Give the complete file its name. A file that was not there before is replaced only with `force`.

        Raises:
            DataError: If there is such a file.
        """
        os.fsync(self._stream.fileno())
        if force:
            self.path.replace(self._place)
        else:
            try:
                os.link(self.path, self._place)
            except FileExistsError:
                raise _foreign_file(self._place) from None
            except OSError:  # a disk without hard links
                self.path.rename(self._place)
        flush_folder(self._place.parent.resolve())
        self.forget()

    def complete(self, resource: Resource, progress: Progress) -> None:
        """Download the missing part, with some retries after interruptions."""
        for attempt in range(1, _TRIES + 1):
            before = self._size()
            if self._download_more(resource, progress):
                return
            if self._size() <= before or attempt == _TRIES:
                break
        notes = self._notes()
        total = f" of {notes.length:,}" if notes is not None and notes.length is not None else ""
        raise WorkError(
            f"{resource.url} was interrupted after {self._size():,}{total} bytes.",
            hint="Run the same command again to resume.",
        )

    def _size(self) -> int:
        return os.fstat(self._stream.fileno()).st_size

    def _notes(self) -> _Notes | None:
        """Return the notes, or None if there are none.

        Raises:
            DataError: If something else has their name.
        """
        if not os.path.lexists(self._notes_path):
            return None
        try:
            if self._notes_path.is_symlink():
                raise self._not_ours(self._notes_path)
            return checked(_Notes, read_json(self._notes_path), self._notes_path)
        except DataError:
            raise self._not_ours(self._notes_path) from None

    def _write_notes(self, notes: _Notes) -> None:
        with replacing(self._notes_path) as out:
            out.write(json.dumps(asdict(notes)).encode())

    def _begin_again(self) -> None:
        self._stream.truncate(0)
        self._write_notes(_Notes(os.fstat(self._stream.fileno()).st_ino))

    def _download_more(self, resource: Resource, progress: Progress) -> bool:
        """Download until the end or an interruption, and return whether the file is complete."""
        notes, have = self._notes(), self._size()
        headers = {}
        if have and notes is not None and notes.url == resource.url and notes.validator:
            if notes.length == have:
                return True
            # Without If-Range, a new version of the file would be appended to the old one.
            headers = {"Range": f"bytes={have}-", "If-Range": notes.validator}
        with _answer(resource, headers) as response:
            if response is not None:
                head = _Head.of(response, resource.url)
                if head.start == 0 or (notes is not None and head.continues(notes, have)):
                    return self._save(response, head, resource, progress)
        # The server has another version, or sends another part than it was asked for.
        self._begin_again()
        with _answer(resource, {}) as response:
            head = _Head.of(response, resource.url)
            if head.start:
                raise _malformed(resource.url, "a part of the file", "the whole file was requested")
            return self._save(response, head, resource, progress)

    def _save(self, response: Any, head: _Head, resource: Resource, progress: Progress) -> bool:
        """Write the answer to its place in the file, and return whether the file is complete."""
        if not head.start:
            notes = _Notes(os.fstat(self._stream.fileno()).st_ino, resource.url, head.validator, head.total)
            self._write_notes(notes)
        name, folder = self._place.name, self.path.parent
        if head.total is not None:
            _check_space(folder, name, head.total - head.start)
        with progress.task(f"fetch {name}", head.total, "bytes") as task:
            self._stream.truncate(head.start)
            self._stream.seek(head.start)
            task.advance(head.start)
            whole, free_until = True, 0
            for chunk in _chunks(response):
                if chunk is None:
                    whole = False
                    break
                self._stream.write(chunk)
                task.advance(len(chunk))
                if head.total is None and self._stream.tell() > free_until:
                    self._check_unsized(resource, folder)
                    free_until = self._stream.tell() + _SPARE // 2
            self._stream.flush()
        return whole and (head.total is None or self._size() == head.total)

    def _check_unsized(self, resource: Resource, folder: Path) -> None:
        if self._stream.tell() > _UNSIZED:
            raise WorkError(
                f"{resource.url} has no end: {shown_size(self._stream.tell())} have arrived.",
                hint="See the page of its authors.",
            )
        _check_space(folder, self._place.name, 0)


@dataclass(frozen=True)
class _Head:
    """What the headers of an answer say about the file.

    Args:
        start: Where the answer begins in the file.
        total: Size of the whole file in bytes; None if the server sends it in chunks without saying.
        validator: Tag or date of the version; empty if unknown, or the tag is weak (RFC 9110, section 13.1.5).
    """

    start: int
    total: int | None
    validator: str

    @classmethod
    def of(cls, response: Any, url: str) -> _Head:
        """Check the headers of an answer.

        Raises:
            WorkError: If they are malformed, or do not allow to tell a part of the file from the whole.
        """
        headers = response.headers
        if response.status not in (200, 206):
            raise _malformed(url, f"status {response.status}", "expected 200")
        packing = str(headers.get("Content-Encoding") or "identity").strip().lower()
        # Some servers describe a .gz file in this way.
        if packing != "identity" and not (packing in ("gzip", "x-gzip") and urlsplit(url).path.endswith(".gz")):
            raise _malformed(url, f"Content-Encoding {packing}", "it was asked to send the file as it is")
        coding = str(headers.get("Transfer-Encoding") or "")
        if coding and coding.strip().lower() != "chunked":
            raise _malformed(url, f"Transfer-Encoding {coding}", "expected chunked")
        length = None if coding else _length(headers)
        if not coding and length is None:
            raise _malformed(url, "no usable Content-Length", "so a part of the file cannot be told from the whole")
        tag = str(headers.get("ETag") or "")
        validator = tag if tag and not tag.startswith("W/") else str(headers.get("Last-Modified") or "")
        if _CONTROLS.search(validator):
            validator = ""
        if response.status == 200:
            return cls(0, length, validator)
        found = str(headers.get("Content-Range") or "")
        match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", found, re.ASCII)
        start, last, total = map(int, match.groups()) if match else (-1, -1, -1)
        whole = last + 1 == total and start <= last and length in (None, total - start)
        # -1 is no start, so that the download begins again.
        return cls(start if whole else -1, total, validator)

    def continues(self, notes: _Notes, have: int) -> bool:
        """Return whether the answer is the rest of the version that was begun."""
        same = self.validator in ("", notes.validator) and notes.length in (None, self.total)
        return self.start == have and same


def _malformed(url: str, what: str, why: str) -> WorkError:
    return WorkError(
        f"{urlsplit(url).hostname} answered with {_plain(what)} ({why}): {url}",
        hint="Nothing was kept. Try again later, or download the file in another way.",
    )


def _chunks(response: Any) -> Iterator[bytes | None]:
    """Yield the parts of an answer as they arrive, and None if it is interrupted before its end."""
    missing = response.length
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except _NETWORK:
            yield None
            return
        if isinstance(response.chunk_left, int) and response.chunk_left < 0:  # its size was negative
            yield None
            return
        if not chunk:
            if missing:
                yield None
            return
        if missing is not None:
            missing -= len(chunk)
        response.pace.useful += len(chunk)
        yield chunk


class _Paced(io.RawIOBase):
    """The bytes of an answer, with limits on its duration and on bytes that are not part of the file.

    Attributes:
        useful: Bytes that were part of the file.
    """

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw, self._begin, self._arrived, self.useful = raw, time.monotonic(), 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        late = time.monotonic() - self._begin - _PATIENCE
        if late > 0 and self.useful < late * _SLOWEST:
            raise TimeoutError("it answers too slowly")
        if self._arrived > 64 * self.useful + _FRAMING:
            raise http.client.HTTPException("its answer has no end")
        size: int = self._raw.readinto(buffer)
        self._arrived += size or 0
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer whose bytes are `pace`."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.pace = _Paced(self.fp.detach())
        self.fp = io.BufferedReader(self.pace)


class _PlainConnection(http.client.HTTPConnection):
    response_class = _Response


class _SecureConnection(http.client.HTTPSConnection):
    response_class = _Response


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: Any) -> Any:
        return self.do_open(_PlainConnection, req)


class _Secure(urllib.request.HTTPSHandler):
    def https_open(self, req: Any) -> Any:
        return self.do_open(_SecureConnection, req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Handler that follows redirects to https, or from http within one host, but never from https to http."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """Follow a redirect."""
        fp.close()  # its text is not needed, and may have no end
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the next request."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        plain = new.scheme == "http" and old.scheme == "http" and new.hostname == old.hostname
        if new.port == 0:  # a larger one than there are is a ValueError
            raise ValueError("there is no port 0")
        if new.scheme != "https" and not plain:
            raise WorkError(
                f"{req.full_url} redirects to {newurl}, which is neither https nor the same host.",
                hint="Nothing was downloaded from there. See the page of its authors.",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, headers: dict[str, str], method: str = "GET") -> Any:
    """Send a request with the proxies of the environment (HTTPS_PROXY, NO_PROXY) and the certificates of the system."""
    opener = urllib.request.build_opener(_Redirects, _Plain, _Secure)
    # A server that compresses files for transport would change their size.
    own = {"User-Agent": f"lexenc/{lexenc.__version__}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=own | headers, method=method)  # noqa: S310 - checked by download
    return opener.open(request, timeout=_SECONDS)


@contextmanager
def _answer(resource: Resource, headers: dict[str, str]) -> Iterator[Any]:
    """Send a request, and yield the answer; None if the server has no such part of the file."""
    host = urlsplit(resource.url).hostname
    try:
        response = _open(resource.url, headers)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and headers:  # the partial file is longer than the file
            response = None
        else:
            home = f" See {resource.home}." if resource.home else ""
            hint = "The file may have moved." if error.code in (403, 404, 410) else "Try again later."
            answer = f"{error.code} {_plain(error.reason)}"
            raise WorkError(f"{host} answered {answer}: {resource.url}", hint=hint + home) from None
    except _NETWORK as error:
        reason = getattr(error, "reason", error)
        hint = "Check the network. Behind a proxy, set HTTPS_PROXY."
        if isinstance(reason, ssl.SSLError):
            hint = "Its certificate was rejected. Check the clock, and SSL_CERT_FILE behind a proxy."
        what = getattr(reason, "strerror", None) or _plain(reason) or type(reason).__name__
        raise WorkError(f"{host} cannot be reached: {what}.", hint=hint) from None
    if response is None:
        yield None
        return
    with response:
        yield response


def _plain(text: object) -> str:
    """Return text of a server or library in one short line, without control characters."""
    return " ".join(_CONTROLS.sub(" ", str(text)).split())[:200].rstrip(".")


def size_of(url: str) -> int | None:
    """Return the size of a file on a server, or None if it is unknown or the request fails."""
    try:
        with _open(url, {}, method="HEAD") as response:
            return _length(response.headers)
    except _NETWORK:
        return None


def _length(headers: Any) -> int | None:
    """Return the size that headers announce, or None if it is unknown, malformed or contradictory."""
    found = {str(each).strip() for each in headers.get_all("Content-Length") or ()}
    text = found.pop() if len(found) == 1 else ""
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def shown_size(size: int | None) -> str:
    """Return a number of bytes with a unit."""
    if size is None:
        return "unknown"
    if size < 1000:
        return f"{size} bytes"
    thousands = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**thousands:.3g} {('kB', 'MB', 'GB', 'TB')[thousands - 1]}"
