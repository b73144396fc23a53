"""Downloads: continued where they broke off, checked against what is known of them, and never half there."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import lexenc
from lexenc.artifact import DigestStore
from lexenc.errors import ConfigError, DataError, LexencError, WorkError
from lexenc.files.text import counted, writing
from lexenc.progress import SILENT, Progress, Task
from lexenc.resources.catalogue import Resource

LOCK = "fetched.json"
_CHUNK = 1 << 18
_TRIES = 3
_SECONDS = 30.0  # without a byte; a slow server may take as long as it likes in all
_SPARE = 64 << 20  # of disk, left to others


@dataclass(frozen=True)
class Offer:
    """What would be fetched, for somebody to agree to.

    Args:
        resource: The resource.
        size: Bytes to come; None where the server does not say.
        place: Where it would go.
    """

    resource: Resource
    size: int | None
    place: Path


@dataclass(frozen=True)
class Fetched:
    """What is there now.

    Args:
        path: The file.
        sha256: Its digest.
        size: Its bytes.
        reused: Whether it was there already.
        first: Whether nothing was known to check the download against; its digest is remembered from now on.
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
    """Have a resource in a folder, fetching what is not there.

    What is fetched without a digest to check it against is trusted the first time and never again: its digest is kept
    in `fetched.json` beside it, and another one later is an error.

    Args:
        resource: What.
        folder: Where to; made if need be.
        approve: Called before anything is fetched; raises where the user does not agree.
        force: Fetch again, and take whatever comes.
        progress: Who watches.
        digests: Remembered digests of large files.

    Raises:
        WorkError: If the server cannot be reached, breaks off or has no such file, or the disk is full.
        DataError: If what came, or what was there, is not what it was.
    """
    store = _Store(folder, force, digests or DigestStore(None), progress)
    have = store.kept(resource.file)
    if have is not None:
        return have
    archive = store.kept(resource.archive) if resource.member else None
    if archive is None:
        archive = store.download(resource, approve)
    return archive if not resource.member else store.extract(resource, archive)


@dataclass(frozen=True)
class _Store:
    """A folder with files that were fetched, and what is remembered of each.

    Args:
        folder: The folder.
        force: Whether what is remembered is forgotten.
        digests: Remembered digests of large files.
        progress: Who watches.
    """

    folder: Path
    force: bool
    digests: DigestStore
    progress: Progress

    def remembered(self) -> dict[str, dict[str, Any]]:
        path = self.folder / LOCK
        if not path.is_file():
            return {}
        try:
            return {str(name): dict(one) for name, one in json.loads(path.read_text(encoding="utf-8")).items()}
        except (ValueError, TypeError, AttributeError):
            raise DataError(f"{path} is damaged.", hint="Move it and the files beside it away.") from None

    def kept(self, name: str) -> Fetched | None:
        """Give a file that is there already, after a look at whether it is still what was fetched."""
        path, known = self.folder / name, self.remembered().get(name)
        if self.force or not path.is_file():
            return None
        if known is None:
            raise DataError(
                f"{path} is there already, but lexenc did not fetch it.", hint="Choose another --out, or add --force."
            )
        digest = self.digests.of(path)
        if digest != known["sha256"]:
            raise DataError(
                f"{path} has changed since it was fetched (sha256 {digest[:12]}, then {known['sha256'][:12]}).",
                hint="Add --force to fetch it again, or move it away if it is yours.",
            )
        return Fetched(path, digest, path.stat().st_size, reused=True, first=False)

    def download(self, resource: Resource, approve: Callable[[Offer], None]) -> Fetched:
        """Fetch the file at the address."""
        _check_address(resource.url)
        approve(Offer(resource, size_of(resource.url), self.folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / resource.archive
        with _Partial(place).alone() as partial:
            partial.complete(resource, self.progress)
            digest = self.digests.of(partial.path)
            try:
                first = self._check(resource, digest)
            except DataError:
                partial.forget()
                raise
            partial.path.replace(place)
            partial.forget()
        self._remember(resource.archive, resource, digest)
        return Fetched(place, digest, place.stat().st_size, reused=False, first=first)

    def _check(self, resource: Resource, digest: str) -> bool:
        """Compare a download with what is known of it; tell whether nothing was."""
        known = self.remembered().get(resource.archive)
        remembered = known["sha256"] if known is not None and known.get("url") == resource.url else None
        for wanted, where in (
            (resource.sha256, "the catalogue"),
            (None if self.force else remembered, "its first time"),
        ):
            if wanted and wanted != digest:
                raise DataError(
                    f"{resource.url} is not what it was: sha256 {digest[:12]}, by {where} {wanted[:12]}.",
                    hint=f"Look at {resource.home or 'the page of its makers'}; --force takes what there is now."
                    if where != "the catalogue"
                    else "It was altered on the way or by its owner. Nothing was kept.",
                )
        return not resource.sha256 and (self.force or remembered is None)

    def extract(self, resource: Resource, archive: Fetched) -> Fetched:
        """Take one file out of an archive; where it goes does not depend on what the archive calls it."""
        place = self.folder / resource.file
        try:
            with zipfile.ZipFile(archive.path) as packed:
                one = _member(packed, resource, archive.path)
                with packed.open(one) as stream, writing(place) as out:
                    shutil.copyfileobj(stream, out, _CHUNK)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{archive.path} is no zip file that can be read: {error}.", hint="Add --force.") from None
        digest = self.digests.of(place)
        self._remember(resource.file, resource, digest)
        return Fetched(place, digest, place.stat().st_size, archive.reused, archive.first)

    def _remember(self, name: str, resource: Resource, digest: str) -> None:
        table = self.remembered()
        table[name] = {
            "name": resource.name,
            "part": resource.part,
            "url": resource.url,
            "sha256": digest,
            "licence": resource.licence,
            "home": resource.home,
            "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with writing(self.folder / LOCK) as stream:
            stream.write((json.dumps(table, ensure_ascii=False, indent=1) + "\n").encode())


def _member(packed: zipfile.ZipFile, resource: Resource, path: Path) -> zipfile.ZipInfo:
    named = [one for one in packed.infolist() if one.filename.rsplit("/", 1)[-1] == resource.file]
    found = [one for one in named if not one.filename.startswith("__MACOSX/")]
    if len(found) != 1:
        raise DataError(
            f"{path} holds {counted(len(found), 'file')} called {resource.file}, expected 1.",
            hint=f"See {resource.home or resource.url}.",
        )
    return found[0]


# ---------------------------------------------------------------- a download that may break off


@dataclass(frozen=True)
class _State:
    """What is remembered of an unfinished download.

    Args:
        url: Where it comes from.
        validator: By which the server knows whether it is still the same; empty where it gave none.
        length: Bytes in all; None where it did not say.
    """

    url: str
    validator: str
    length: int | None


class _Partial:
    """The beginning of a file, beside its place."""

    def __init__(self, place: Path) -> None:
        self.path = place.with_name(f".{place.name}.partial")
        self._notes = place.with_name(f".{place.name}.partial.json")
        self._name = place.name

    @contextmanager
    def alone(self) -> Iterator[_Partial]:
        """Hold others off while this one is written."""
        with self.path.open("ab") as stream:
            try:
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:  # not on Windows: two at a time are then the user's own affair
                pass
            except OSError:
                raise WorkError(f"Another lexenc is fetching {self._name}.", hint="Wait until it is done.") from None
            try:
                yield self
            except LexencError:
                if self.path.exists() and not self.path.stat().st_size:
                    self.forget()
                raise

    def forget(self) -> None:
        """Leave nothing."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def complete(self, resource: Resource, progress: Progress) -> None:
        """Fetch what is missing; a connection that breaks is taken up again a few times."""
        for attempt in range(1, _TRIES + 1):
            before = self._size()
            if self._some(resource, progress):
                return
            if self._size() <= before or attempt == _TRIES:
                break
        state = self._state(resource.url)
        total = f" of {state.length:,}" if state is not None and state.length is not None else ""
        raise WorkError(
            f"{resource.url} broke off after {self._size():,}{total} bytes.",
            hint="Run the same command again: it continues there.",
        )

    def _size(self) -> int:
        return self.path.stat().st_size

    def _state(self, url: str) -> _State | None:
        """Read what is remembered, if it is of the same address."""
        try:
            state = _State(**json.loads(self._notes.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return state if state.url == url else None

    def _some(self, resource: Resource, progress: Progress) -> bool:
        """Fetch as much as comes; tell whether it is all."""
        state, have = self._state(resource.url), self._size()
        headers = {}
        if have and state is not None and state.validator:
            if state.length == have:
                return True
            # Without the second one a file that has changed since would be glued to the old one.
            headers = {"Range": f"bytes={have}-", "If-Range": state.validator}
        with _answer(resource, headers) as response:
            start = have if response.status == 206 and _starts_at(response, have) else 0
            length = _length(response)
            total = None if length is None else start + length
            if not start:
                validator = _validator(response)
                self._notes.write_text(json.dumps(asdict(_State(resource.url, validator, total))), encoding="utf-8")
            self._check_room(length)
            with self.path.open("r+b") as out, progress.task(f"fetch {self._name}", total, "bytes") as task:
                out.truncate(start)
                out.seek(start)
                task.advance(start)
                _copy(response, out, task)
        return total is None or self._size() == total

    def _check_room(self, length: int | None) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if length is not None and length + _SPARE > free:
            raise WorkError(
                f"{self._name} needs {shown_size(length)} more, and {self.path.parent} has {shown_size(free)} free.",
                hint="Free some space, or choose an --out on another disk.",
            )


def _copy(response: IO[bytes], out: IO[bytes], task: Task) -> None:
    """Copy what comes; a connection that breaks ends it like the end of the file, and the size tells them apart."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError):
            return
        if not chunk:
            return
        out.write(chunk)
        task.advance(len(chunk))


# ---------------------------------------------------------------- HTTP


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https, and within one host; never from https to where anybody could listen or alter."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Give the next request."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        plain = new.scheme == "http" and old.scheme == "http" and new.hostname == old.hostname
        if new.scheme != "https" and not plain:
            raise WorkError(
                f"{req.full_url} leads to {newurl}, which is neither https nor the same host.",
                hint="Nothing was fetched from there. Look at the page of its makers.",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url} is no address of the web.", hint="It begins with https://.")


def _open(url: str, headers: dict[str, str], method: str = "GET") -> Any:
    """Ask a server; proxies are those of the environment (HTTPS_PROXY, NO_PROXY), certificates those of the system."""
    opener = urllib.request.build_opener(_Redirects)
    # Packed files are wanted as they are; a server that packs them once more would change their size.
    own = {"User-Agent": f"lexenc/{lexenc.__version__}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=own | headers, method=method)  # noqa: S310 - checked by _check_address
    return opener.open(request, timeout=_SECONDS)


@contextmanager
def _answer(resource: Resource, headers: dict[str, str]) -> Iterator[Any]:
    """Ask for a file, and turn what goes wrong into words."""
    host = urlsplit(resource.url).hostname
    try:
        response = _open(resource.url, headers)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # more was asked for than there is: begin again
            response = _open(resource.url, {})
        else:
            home = f" See {resource.home}." if resource.home else ""
            hint = "The file may have moved." if error.code in (403, 404, 410) else "Try again later."
            raise WorkError(f"{host} answered {error.code} {error.reason}: {resource.url}", hint=hint + home) from None
    except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        hint = "Check the network; behind a proxy, set HTTPS_PROXY."
        if isinstance(reason, ssl.SSLError):
            hint = "Its certificate was not accepted. Is the clock right, or a proxy in between (SSL_CERT_FILE)?"
        what = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise WorkError(f"{host} cannot be reached: {what}.", hint=hint) from None
    with response:
        yield response


def size_of(url: str) -> int | None:
    """Ask a server how large a file is; None where it does not say or answer, which the download will explain."""
    try:
        with _open(url, {}, method="HEAD") as response:
            return _length(response)
    except (OSError, http.client.HTTPException):
        return None


def _length(response: Any) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _validator(response: Any) -> str:
    """Give what tells one version of a file from another; a weak tag does not (RFC 9110, section 13.1.5)."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else str(response.headers.get("Last-Modified", ""))


def _starts_at(response: Any, place: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {place}-")


def shown_size(size: int | None) -> str:
    """Write a number of bytes for people."""
    if size is None:
        return "unknown"
    value, unit = float(size), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{size:,} bytes" if unit == "bytes" else f"{value:.3g} {unit}"
