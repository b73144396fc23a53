"""Downloads, which are resumed after interruptions, checked against known digests, and never left incomplete."""

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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import lexenc
from lexenc.artifact import DigestStore
from lexenc.errors import ConfigError, DataError, LexencError, WorkError
from lexenc.files.text import counted, writing
from lexenc.progress import SILENT, Progress, RunningTask
from lexenc.resources.catalogue import Resource

try:
    import fcntl
except ImportError:  # on Windows, where parallel downloads of one file are not prevented
    fcntl = None  # type: ignore[assignment]

LOCK = "fetched.json"
_CHUNK = 1 << 18
_TRIES = 3
_SECONDS = 30.0  # without a byte; the total time has no limit
_SPARE = 64 << 20  # bytes of disk space to leave free


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
    folder: Path
    force: bool
    digests: DigestStore
    progress: Progress

    def records(self) -> dict[str, dict[str, Any]]:
        path = self.folder / LOCK
        if not path.is_file():
            return {}
        try:
            return {str(name): dict(one) for name, one in json.loads(path.read_text(encoding="utf-8")).items()}
        except (ValueError, TypeError, AttributeError):
            raise DataError(f"{path} is damaged.", hint="Move it and the files in its folder away.") from None

    def kept(self, name: str) -> Fetched | None:
        """Return a file downloaded earlier, after a check that it has not changed, or None."""
        path, known = self.folder / name, self.records().get(name)
        if self.force or not path.is_file():
            return None
        if known is None:
            raise DataError(
                f"{path} exists already, but was not fetched by lexenc.", hint="Choose another --out, or add --force."
            )
        digest = self.digests.of(path)
        if digest != known["sha256"]:
            raise DataError(
                f"{path} has changed since it was fetched (sha256 {digest[:12]}, then {known['sha256'][:12]}).",
                hint="Add --force to fetch it again, or move it away if it is yours.",
            )
        return Fetched(path, digest, path.stat().st_size, reused=True, first=False)

    def download(self, resource: Resource, approve: Callable[[Offer], None]) -> Fetched:
        parts = urlsplit(resource.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{resource.url} is not a web address.", hint="An address begins with https://.")
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
        """Compare a download with known digests, and return whether there were none."""
        known = self.records().get(resource.archive)
        remembered = known["sha256"] if known is not None and known.get("url") == resource.url else None
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
        try:
            with zipfile.ZipFile(archive.path) as packed:
                named = [one for one in packed.infolist() if one.filename.rsplit("/", 1)[-1] == resource.file]
                found = [one for one in named if not one.filename.startswith("__MACOSX/")]
                if len(found) != 1:
                    raise DataError(
                        f"{archive.path} has {counted(len(found), 'file')} called {resource.file}, expected 1.",
                        hint=f"See {resource.home or resource.url}.",
                    )
                with packed.open(found[0]) as stream, writing(place) as out:
                    shutil.copyfileobj(stream, out, _CHUNK)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{archive.path} is not a readable zip file: {error}.", hint="Add --force.") from None
        digest = self.digests.of(place)
        self._remember(resource.file, resource, digest)
        return Fetched(place, digest, place.stat().st_size, archive.reused, archive.first)

    def _remember(self, name: str, resource: Resource, digest: str) -> None:
        table = self.records()
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


class _Partial:
    """The first part of a file, stored next to its place."""

    def __init__(self, place: Path) -> None:
        self.path = place.with_name(f".{place.name}.partial")
        self._notes = place.with_name(f".{place.name}.partial.json")
        self._name = place.name

    @contextmanager
    def alone(self) -> Iterator[_Partial]:
        """Lock the file while it is written."""
        with self.path.open("ab") as stream:
            try:
                if fcntl is not None:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise WorkError(f"Another lexenc is fetching {self._name}.", hint="Wait until it is done.") from None
            try:
                yield self
            except LexencError:
                if self.path.exists() and not self.path.stat().st_size:
                    self.forget()
                raise

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def complete(self, resource: Resource, progress: Progress) -> None:
        """Download the missing part, with some retries after interruptions."""
        for attempt in range(1, _TRIES + 1):
            before = self._size()
            if self._download_more(resource, progress):
                return
            if self._size() <= before or attempt == _TRIES:
                break
        _, length = self._version(resource.url)
        total = f" of {length:,}" if length is not None else ""
        raise WorkError(
            f"{resource.url} was interrupted after {self._size():,}{total} bytes.",
            hint="Run the same command again to resume.",
        )

    def _size(self) -> int:
        return self.path.stat().st_size

    def _version(self, url: str) -> tuple[str, int | None]:
        """Return the tag or date of the version that was begun (empty if unknown), and its total size in bytes."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            return (notes["validator"], notes["length"]) if notes["url"] == url else ("", None)
        except (OSError, ValueError, TypeError, KeyError):
            return "", None

    def _download_more(self, resource: Resource, progress: Progress) -> bool:
        """Download until the end or an interruption, and return whether the file is complete."""
        (validator, known), have = self._version(resource.url), self._size()
        headers = {}
        if have and validator:
            if known == have:
                return True
            # Without If-Range, a new version of the file would be appended to the old one.
            headers = {"Range": f"bytes={have}-", "If-Range": validator}
        with _answer(resource, headers) as response:
            resumed = str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-")
            start = have if response.status == 206 and resumed else 0
            length = _length(response)
            total = None if length is None else start + length
            if not start:
                # Weak tags are not used (RFC 9110, section 13.1.5).
                tag = response.headers.get("ETag", "")
                validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
                notes = {"url": resource.url, "validator": validator, "length": total}
                self._notes.write_text(json.dumps(notes), encoding="utf-8")
            free = shutil.disk_usage(self.path.parent).free
            if length is not None and length + _SPARE > free:
                where = self.path.parent
                raise WorkError(
                    f"{self._name} needs {shown_size(length)} more, but {where} has {shown_size(free)} free.",
                    hint="Free some space, or choose an --out on another disk.",
                )
            with self.path.open("r+b") as out, progress.task(f"fetch {self._name}", total, "bytes") as task:
                out.truncate(start)
                out.seek(start)
                task.advance(start)
                _copy(response, out, task)
        return total is None or self._size() == total


def _copy(response: IO[bytes], out: IO[bytes], task: RunningTask) -> None:
    """Copy the response. An interruption ends it like the end of the file, and is noticed by the size."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError):
            return
        if not chunk:
            return
        out.write(chunk)
        task.advance(len(chunk))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Handler that follows redirects to https, or from http within one host, but never from https to http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the next request."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        plain = new.scheme == "http" and old.scheme == "http" and new.hostname == old.hostname
        if new.scheme != "https" and not plain:
            raise WorkError(
                f"{req.full_url} redirects to {newurl}, which is neither https nor the same host.",
                hint="Nothing was downloaded from there. See the page of its authors.",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, headers: dict[str, str], method: str = "GET") -> Any:
    """Send a request with the proxies of the environment (HTTPS_PROXY, NO_PROXY) and the certificates of the system."""
    opener = urllib.request.build_opener(_Redirects)
    # A server that compresses files for transport would change their size.
    own = {"User-Agent": f"lexenc/{lexenc.__version__}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=own | headers, method=method)  # noqa: S310 - checked by download
    return opener.open(request, timeout=_SECONDS)


@contextmanager
def _answer(resource: Resource, headers: dict[str, str]) -> Iterator[Any]:
    host = urlsplit(resource.url).hostname
    try:
        response = _open(resource.url, headers)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the partial file is longer than the file: start again
            response = _open(resource.url, {})
        else:
            home = f" See {resource.home}." if resource.home else ""
            hint = "The file may have moved." if error.code in (403, 404, 410) else "Try again later."
            raise WorkError(f"{host} answered {error.code} {error.reason}: {resource.url}", hint=hint + home) from None
    except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        hint = "Check the network. Behind a proxy, set HTTPS_PROXY."
        if isinstance(reason, ssl.SSLError):
            hint = "Its certificate was rejected. Check the clock, and SSL_CERT_FILE behind a proxy."
        what = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise WorkError(f"{host} cannot be reached: {what}.", hint=hint) from None
    with response:
        yield response


def size_of(url: str) -> int | None:
    """Return the size of a file on a server, or None if it is unknown or the request fails."""
    try:
        with _open(url, {}, method="HEAD") as response:
            return _length(response)
    except (OSError, http.client.HTTPException):
        return None


def _length(response: Any) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def shown_size(size: int | None) -> str:
    """Return a number of bytes with a unit."""
    if size is None:
        return "unknown"
    if size < 1000:
        return f"{size} bytes"
    thousands = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**thousands:.3g} {('kB', 'MB', 'GB', 'TB')[thousands - 1]}"
