"""Artifacts: result folders with a manifest. They are built in a temporary folder and then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lexenc.errors import ConfigError, DataError, LexencError, WorkError
from lexenc.structured import checked, read_json, shown

MANIFEST = "manifest.json"
RECIPE = "recipe.json"
UNFINISHED = "unfinished"  # where a resumable stage saves its state
CARD = "README.md"
SCHEMA = 1
_LARGE = 16 << 20  # bytes from which on the digest of a file is remembered


@dataclass(frozen=True)
class InputRecord:
    """One input of an artifact.

    Args:
        given: The text that the user typed.
        path: Its path, relative to the folder that contains the artifact.
        sha256: Digest of its content.
        made_by: Key of the artifact it belongs to, if any.
        revision: Commit of a model from a hub.
        name: Name that the user gave it, if the stage takes named inputs.
    """

    given: str
    path: str
    sha256: str
    made_by: str | None = None
    revision: str | None = None
    name: str | None = None

    @property
    def identity(self) -> str:
        """Its content, and its name if it has one: what distinguishes it from other inputs."""
        return self.sha256 if self.name is None else f"{self.name}={self.sha256}"


@dataclass(frozen=True)
class Table:
    """A table as data.

    Args:
        title: Title.
        columns: Heads, with units.
        rows: Cells, as they are shown.
        note: The convention behind the numbers.
        best: Column whose largest value is marked, if any.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    best: str | None = None


@dataclass(frozen=True)
class Manifest:
    """How an artifact was made, from what, and the outcome."""

    stage: str
    stage_version: int
    key: str
    params: dict[str, Any]
    seed: int
    inputs: dict[str, list[InputRecord]]
    outputs: dict[str, str]
    summary: dict[str, Any]
    results: list[dict[str, Any]]
    tables: list[Table]
    device: str
    precision: str
    seconds: float
    created: str
    command: str
    versions: dict[str, str]
    commit: str | None = None
    schema: int = SCHEMA
    settings: dict[str, Any] = field(default_factory=dict)
    answer: bool = True
    warnings: list[str] = field(default_factory=list)


def is_artifact(folder: Path) -> bool:
    """Return whether a folder contains a manifest."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an artifact.

    Raises:
        DataError: If there is none, or this version cannot read it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder} contains no result of lexenc.", hint=f"A result is a folder with a {MANIFEST}.")
    hint = "Make it again elsewhere, or remove the folder first."
    body = read_json(path, hint=hint)
    if not isinstance(body, dict) or "schema" not in body:
        raise DataError(f"{path} is not a manifest of lexenc.", hint=hint)
    if body["schema"] != SCHEMA:
        message = f"{path} has schema {shown(body['schema'])}, expected {SCHEMA}."
        raise DataError(message, hint="Make it again with --force.")
    return checked(Manifest, body, f"{path} is not a manifest of lexenc", hint=hint)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which is the last file of an artifact."""
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def maker_of(folder: Path) -> Manifest | None:
    """Return the manifest of a folder, or None if lexenc did not make it."""
    try:
        return read_manifest(folder) if is_artifact(folder) else None
    except DataError:  # a manifest.json of some other program
        return None


def owner_of(path: Path) -> Path | None:
    """Return the artifact that a file or folder belongs to, if any."""
    for folder in (path, path.parent):
        if is_artifact(folder):
            return folder
    return None


# ---------------------------------------------------------------- digests


def cache_folder() -> Path:
    """Return the cache folder: `LEXENC_CACHE`, else `lexenc` in `XDG_CACHE_HOME`, else in `~/.cache`."""
    own = os.environ.get("LEXENC_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lexenc"


class DigestStore:
    """Digests of large files, remembered by inode, size and time of change to make planning fast.

    Args:
        path: File that saves them. None remembers nothing.
        trust: Use remembered digests. Otherwise every file is read.
    """

    def __init__(self, path: Path | None, *, trust: bool = True) -> None:
        self._path, self._trust = path, trust
        self._known: dict[str, str] = {}
        if path is not None and path.is_file():
            try:
                self._known = checked(dict[str, str], read_json(path), path)
            except (DataError, OSError):  # begin again
                self._known = {}

    @classmethod
    def default(cls, *, trust: bool = True) -> DigestStore:
        """Return the store in the cache folder."""
        return cls(cache_folder() / "digests.json", trust=trust)

    def of(self, path: Path) -> str:
        """Return the digest of a file, or of the names and contents of a folder without its manifest."""
        if path.is_dir():
            return self._of_folder(path)
        state = path.stat()
        if state.st_size < _LARGE:
            return _file_digest(path)
        label = f"{state.st_dev}:{state.st_ino}:{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}"
        if not (self._trust and label in self._known):
            self._known[label] = _file_digest(path)
            self._save()
        return self._known[label]

    def of_many(self, paths: Iterable[Path]) -> list[str]:
        """Return several digests, computed in parallel."""
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            return list(pool.map(self.of, paths))

    def _of_folder(self, folder: Path) -> str:
        # A model card names folders and files, but does not change what an encoder computes.
        files = sorted(each for each in folder.rglob("*") if each.is_file() and each.name not in (MANIFEST, CARD))
        names = [each.relative_to(folder).as_posix() for each in files]
        # Length-prefixed, so that ("ab", "c") and ("a", "bc") differ and a renamed file counts as a change.
        body = "".join(f"{len(part)}:{part}" for pair in zip(names, map(self.of, files), strict=True) for part in pair)
        return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()

    def _save(self) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside = self._path.with_name(f".{self._path.name}.{os.getpid()}.{id(self)}")
            aside.write_text(json.dumps(dict(self._known)), encoding="utf-8")
            aside.replace(self._path)
        except (OSError, RuntimeError):
            self._path = None  # a cache that cannot be written is not an error


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def recipe_key(
    stage: str, version: int, params: Mapping[str, Any], seed: int, inputs: Mapping[str, list[InputRecord]]
) -> str:
    """Return the key of a result. The same key means the same result.

    Paths, time, device and speed settings are not part of it.
    """
    digests = {name: [one.identity for one in many] for name, many in inputs.items()}
    body = json.dumps([stage, version, dict(params), seed, digests], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()


def output_digests(folder: Path, digests: DigestStore) -> dict[str, str]:
    """Return the digest of each file of an artifact except its manifest, by relative name."""
    files = sorted(each for each in folder.rglob("*") if each.is_file() and each.name not in (MANIFEST, RECIPE))
    names = [each.relative_to(folder).as_posix() for each in files]
    return dict(zip(names, digests.of_many(files), strict=True))


def share(folder: Path) -> None:
    """Set the mode of all files to what the umask allows, since safetensors writes files for the owner only.

    This comes before their digests are remembered, because a change of mode is a change of time.
    """
    allowed = (folder / RECIPE).stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and (mode := path.stat().st_mode) & allowed != allowed:
            path.chmod(stat.S_IMODE(mode) | allowed)


def altered_outputs(folder: Path, manifest: Manifest, digests: DigestStore) -> list[str]:
    """Return the files of an artifact that are missing or were changed."""
    now = output_digests(folder, digests)
    return [name for name, digest in manifest.outputs.items() if now.get(name) != digest]


# Files that file managers leave in folders.
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")


def strangers(folder: Path) -> list[str]:
    """Return the files in an artifact folder that do not belong to the artifact and would be lost with it.

    Raises:
        ConfigError: If its manifest cannot be read.
    """
    path = folder / MANIFEST
    try:
        known = set(checked(dict[str, Any], checked(dict[str, Any], read_json(path), path).get("outputs"), path))
    except DataError:
        hint = "Choose another --out, or check the folder and remove it yourself."
        raise ConfigError(f"{path} does not say which files belong to the result.", hint=hint) from None
    found = [each for each in sorted(folder.rglob("*")) if not each.is_dir() or each.is_symlink()]
    names = [each.relative_to(folder).as_posix() for each in found if each.name not in _LITTER]
    return [name for name in names if name not in known | {MANIFEST, RECIPE}]


# ---------------------------------------------------------------- building


def aside_folder(out: Path) -> Path:
    """Return the folder in which a result is built before it gets its name."""
    return out.parent / f".{out.name}.partial"


def unfinished_key(out: Path) -> str | None:
    """Return the key of the unfinished work on a result that could be resumed, if there is any."""
    folder = aside_folder(out)
    state = folder / UNFINISHED
    if not (state.is_dir() and any(state.iterdir())):
        return None
    try:
        return checked(dict[str, str], read_json(folder / RECIPE), RECIPE).get("key")
    except (DataError, OSError):
        return None


@contextmanager
def building(out: Path, key: str, *, resumable: bool) -> Iterator[tuple[Path, bool]]:
    """Build a result in a temporary folder, and rename it when the block succeeds.

    If the block fails, nothing is left. If a resumable stage is interrupted after it saved something under
    `UNFINISHED`, its folder stays for the next run with the same key.

    Args:
        out: Final name of the folder.
        key: Key of the recipe.
        resumable: Whether an unfinished folder with the same key is resumed.

    Yields:
        The folder to write into, and whether it contains unfinished work of the same recipe.

    Raises:
        WorkError: If another process is writing the same result.
        ConfigError: If the temporary folder contains files that lexenc did not make.
    """
    folder = aside_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _locked(out.parent / f".{out.name}.lock", out):
        continued = resumable and unfinished_key(out) == key
        if not continued:
            _clear(folder)
            folder.mkdir()
            (folder / RECIPE).write_text(json.dumps({"key": key}), encoding="utf-8")
        try:
            yield folder, continued
        except BaseException as error:
            # An error of the recipe itself would happen again, and without saved state there is nothing to resume.
            if not resumable or isinstance(error, LexencError) or not any(folder.glob(f"{UNFINISHED}/*")):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        (folder / RECIPE).unlink(missing_ok=True)
        _take_place(folder, out)


def _clear(folder: Path) -> None:
    """Remove the temporary folder of an earlier run, but no folder of the user with this name."""
    if not folder.exists():
        return
    ours = folder.is_dir() and ((folder / RECIPE).is_file() or is_artifact(folder) or not any(folder.iterdir()))
    if not ours:
        raise ConfigError(f"{folder} contains files that lexenc did not make.", hint="Move it away, then run again.")
    shutil.rmtree(folder)


def _take_place(folder: Path, out: Path) -> None:
    """Rename a finished folder. An older result is deleted only after that."""
    if not out.exists():
        folder.rename(out)
        return
    # In a new folder, so that no other folder is touched even if the process is killed between the two renamings.
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.old-", dir=out.parent))
    old = aside / out.name
    out.rename(old)
    try:
        folder.rename(out)
    except OSError:
        old.rename(out)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield
        return
    try:
        stream = path.open("w")
    except OSError as error:  # the user knows nothing of the lock
        raise OSError(error.errno, error.strerror, str(out)) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its owner may have removed it after it was opened here; a lock on it would have no effect.
            if not os.fstat(stream.fileno()).st_nlink:
                raise BlockingIOError
        except OSError:
            hint = "Wait until it is done, or choose another --out."
            raise WorkError(f"Another lexenc is writing {out}.", hint=hint) from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _may_be_ours(folder: Path) -> bool:
    """Return whether a folder has a manifest of lexenc, even a damaged one. Other programs use the name too."""
    if not is_artifact(folder):
        return False
    try:
        body = read_json(folder / MANIFEST)
    except DataError:
        return True
    return isinstance(body, dict) and {"schema", "stage", "key"} <= set(body)


def result_folder(text: str, label: str = "--out") -> Path:
    """Return the output folder for a result, with a link resolved.

    Args:
        text: The path as the user typed it.
        label: Name of the option or argument, for messages.

    Raises:
        ConfigError: If it is empty, or the current folder or a parent of it.
    """
    path = Path(text)
    if not text or path.resolve() in (Path.cwd(), *Path.cwd().parents):
        named = f"the current folder or a parent of it: {text}" if text else "empty"
        raise ConfigError(f"{label} is {named}.", hint="Give the name of a new folder.")
    return path.resolve() if path.is_symlink() else path


def check_place(out: Path) -> None:
    """Check that a result may be written to a folder.

    Raises:
        ConfigError: If it is a file, or a folder with files that lexenc did not make.
    """
    if out.is_file():
        raise ConfigError(f"{out} is a file, not a folder.", hint="Choose an empty or new folder for --out.")
    if out.is_dir() and not _may_be_ours(out) and any(out.iterdir()):
        message = f"{out} contains files that lexenc did not make."
        raise ConfigError(message, hint="Choose an empty or new folder for --out.")
