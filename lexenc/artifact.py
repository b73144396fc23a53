"""Artifacts: result folders with a manifest. They are built in a temporary folder and then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lexenc import durable
from lexenc.errors import ConfigError, DataError, LexencError, PausedError, WorkError
from lexenc.structured import checked, read_json, shown

MANIFEST = "manifest.json"
RECIPE = "recipe.json"
UNFINISHED = "unfinished"  # where a resumable stage saves its state
CARD = "README.md"
SCHEMA = 1
_DROPPED = ".dropped"  # what is deleted next
_LARGE = 16 << 20  # bytes from which on the digest of a file is remembered
Keep = Literal["nothing", "unfinished", "finished"]
"""What to keep of the temporary folder of an earlier run."""


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
        raise DataError(message, hint=hint)
    return checked(Manifest, body, f"{path} is not a manifest of lexenc", hint=hint)


def recorded_param(folder: Path, manifest: Manifest, name: str, kind: Any) -> Any:
    """Return a parameter that a result was made with.

    Raises:
        DataError: If its manifest has none of this type.
    """
    table: Any = dict
    return checked(table[str, kind], {name: manifest.params.get(name)}, f"{folder / MANIFEST}, params")[name]


def recorded_input(folder: Path, manifest: Manifest, name: str) -> InputRecord:
    """Return the only input of a name that a result was made from.

    Raises:
        DataError: If its manifest has none, or several.
    """
    found = manifest.inputs.get(name, [])
    if len(found) != 1:
        raise DataError(f"{folder / MANIFEST} has {len(found)} inputs '{name}', expected 1.", hint="Make it again.")
    return found[0]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which is the last file of an artifact. Bytes of paths that are not UTF-8 are escaped."""
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
    with durable.replacing(folder / MANIFEST) as stream:
        stream.write(text.encode("utf-8", "backslashreplace") + b"\n")


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


# Keys by which a manifest of lexenc is told from a manifest.json of some other program.
_OWN_KEYS = frozenset({"schema", "stage", "stage_version"})
# Files that only lexenc writes together: a shared space of two languages, and one of many.
_OWN_FORMS = (("source/words.txt", "target/words.txt"), ("hub.json",))


def unknown_origin(path: Path) -> str:
    """Return why it is not known what a result of lexenc, or the result that a path belongs to, was made from.

    The text is empty if it is known, and for what lexenc did not make.
    """
    folder = owner_of(path)
    if folder is not None and maker_of(folder) is None and not _is_foreign(folder / MANIFEST):
        return f"{folder / MANIFEST} cannot be read"
    places = (path, path.parent) if folder is None and path.is_dir() else filter(None, [folder])
    for each in places:
        if maker_of(each) is None and any(all((each / name).is_file() for name in form) for form in _OWN_FORMS):
            return f"{each} has no manifest of lexenc"
    return ""


def _is_foreign(path: Path) -> bool:
    """Return whether a manifest.json is that of some other program, not a damaged one of lexenc."""
    try:
        body = read_json(path)
    except DataError:
        return False
    return isinstance(body, dict) and bool(body) and not body.keys() & _OWN_KEYS


# ---------------------------------------------------------------- digests


def cache_folder() -> Path:
    """Return the cache folder: `LEXENC_CACHE`, else `lexenc` in `XDG_CACHE_HOME`, else in `~/.cache`."""
    own = os.environ.get("LEXENC_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lexenc"


FileStates = tuple[tuple[str, int, int, int, int, int], ...]


class DigestStore:
    """Digests of large files, remembered by inode, size and time of change to make planning fast.

    Args:
        path: File that saves them. None remembers nothing.
        trust: Use remembered digests. Otherwise every file is read.
    """

    def __init__(self, path: Path | None, *, trust: bool = True) -> None:
        self._path, self._trust = path, trust
        self._known: dict[str, str] = {}
        with suppress(DataError, OSError):  # a cache that cannot be read is none
            if path is not None and path.is_file():
                self._known = checked(dict[str, str], read_json(path), path)

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

    def changed(self, path: Path, state: FileStates, digest: str) -> bool:
        """Return whether a file or folder is gone or has another digest than when it was in this state."""
        try:
            return states_of(path) != state and self.of(path) != digest
        except OSError:
            return True

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
            with durable.replacing(self._path, flush=False) as stream:
                stream.write(json.dumps(dict(self._known)).encode())
        except (OSError, RuntimeError, LexencError):
            self._path = None  # a cache that cannot be written is not an error


def states_of(path: Path) -> FileStates:
    """Return what a change of a file, or of the files of a folder, alters in their states, without reading them."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    states = ((each, each.stat()) for each in files)
    return tuple(
        (str(each), one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for each, one in states
    )


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
    """Return the digest of each file of an artifact except its manifest and unfinished work, by relative name."""
    files = [each for each in _made(folder) if each.name not in (MANIFEST, RECIPE)]
    names = [each.relative_to(folder).as_posix() for each in files]
    return dict(zip(names, digests.of_many(files), strict=True))


def _made(folder: Path) -> list[Path]:
    """Return the files of an artifact, sorted, without the unfinished work beside them."""
    passing = [folder / name for name in (UNFINISHED, _DROPPED)]
    return sorted(
        each for each in folder.rglob("*") if each.is_file() and not any(each.is_relative_to(one) for one in passing)
    )


def share(folder: Path) -> None:
    """Set the mode of all files to what the umask allows, since safetensors writes files for the owner only.

    This comes before their digests are remembered, because a change of mode is a change of time.
    """
    allowed = (folder / RECIPE).stat().st_mode & 0o666
    for path in _made(folder):
        if not path.is_symlink() and (mode := path.stat().st_mode) & allowed != allowed:
            path.chmod(stat.S_IMODE(mode) | allowed)


def complete(folder: Path, digests: DigestStore) -> dict[str, str]:
    """Make the files of a finished artifact ready for its manifest, and return their digests by relative name.

    They get their modes and are flushed to the disk, which takes no longer than the digests.
    """
    share(folder)
    with ThreadPoolExecutor(1) as pool:
        flushed = pool.submit(durable.flush_tree, folder, without=(UNFINISHED, _DROPPED))
        outputs = output_digests(folder, digests)
        flushed.result()
    return outputs


def altered_outputs(folder: Path, manifest: Manifest, digests: DigestStore) -> list[str]:
    """Return the files of an artifact that are missing or were changed."""
    now = output_digests(folder, digests)
    return [name for name, digest in manifest.outputs.items() if now.get(name) != digest]


def altered_parts(path: Path, digests: DigestStore, *, later: bool = False) -> list[str]:
    """Return the files of a result, or of a part of it, that are missing or were changed. A card may be edited.

    Args:
        path: The result, or a file or folder of it.
        digests: Remembered digests.
        later: Read only files that are newer than the manifest, which is written last. This takes no time for a
            result that nobody touched.
    """
    folder = owner_of(path)
    manifest = None if folder is None else maker_of(folder)
    if folder is None or manifest is None:
        return []
    altered, made = [], (folder / MANIFEST).stat().st_mtime_ns if later else -1
    for name, digest in manifest.outputs.items():
        place = folder / name
        if place.is_relative_to(path) and place.name != CARD:
            try:
                state = place.stat()  # the time of a change of state also shows an older file that was moved here
                same = max(state.st_mtime_ns, state.st_ctime_ns) <= made or digests.of(place) == digest
            except OSError:
                same = False
            altered += [] if same else [name]
    return altered


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


class InputChangedError(WorkError):
    """An input changed while a stage read it, so that what was computed belongs to no recipe."""


def aside_folder(out: Path) -> Path:
    """Return the folder in which a result is built before it gets its name."""
    return out.parent / f".{out.name}.partial"


def unfinished_key(out: Path) -> str | None:
    """Return the key of the unfinished work on a result that could be resumed, if there is any.

    A finished result that could not take its place counts too.
    """
    folder = aside_folder(out)
    recipe = _recipe_of(folder)
    if recipe is None:
        # Either a finished result, after a kill just before it took its place, or an older one on its way out.
        made = maker_of(folder)
        return None if made is None else made.key
    return str(recipe["key"]) if is_artifact(folder) or _holds(folder / UNFINISHED) else None


def can_be_dropped(out: Path) -> bool:
    """Return whether unfinished work is lost only with a result that was replaced, or cannot be resumed."""
    recipe = _recipe_of(aside_folder(out))
    return recipe is None or bool(recipe.get("failed"))


def finished_manifest(folder: Path, key: str, digests: DigestStore) -> Manifest | None:
    """Return the manifest of a result that is complete in its temporary folder, if it has this key."""
    made = maker_of(folder)
    return made if made is not None and made.key == key and not altered_outputs(folder, made, digests) else None


def _holds(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _recipe_of(folder: Path) -> dict[str, Any] | None:
    try:
        body = read_json(folder / RECIPE)
    except (DataError, OSError):
        return None
    return body if isinstance(body, dict) and isinstance(body.get("key"), str) else None


def _note(folder: Path, key: str, **more: bool) -> None:
    """Write the recipe of a temporary folder, which marks it as one of lexenc."""
    with durable.replacing(folder / RECIPE) as stream:
        stream.write(json.dumps({"key": key} | more).encode())


@contextmanager
def locked(out: Path) -> Iterator[Path]:
    """Lock the place of a result, and yield the temporary folder to build it in.

    The lock is on the folder itself, so no other file is needed. What killed runs have left beside it is removed.

    Args:
        out: Final name of the result.

    Raises:
        WorkError: If another process is writing the same result.
        ConfigError: If something of the user has the name of the temporary folder.
    """
    folder = aside_folder(out)
    with durable.within_folder(out.parent):
        try:
            with ExitStack() as closing:
                _lock_folder(folder, out, closing)
                for old in durable.restore_exchanged(out):
                    _discard(old)
                yield folder
        finally:
            # Only an empty folder can be removed so, and not that of another process.
            with suppress(OSError), durable.opened(folder) as stream:
                if durable.lock(stream):
                    folder.rmdir()


_TRIES = 100  # to lock a folder that other processes make and remove at the same time


def _lock_folder(folder: Path, out: Path, closing: ExitStack) -> None:
    tries = 0
    while True:
        try:
            if not os.path.lexists(folder):
                folder.mkdir(exist_ok=True)
            stream = closing.enter_context(durable.opened(folder))
        except OSError as error:
            # Its owner, or that of the folder around it, may just have removed it; some places make no folder at all.
            if isinstance(error, FileNotFoundError) and (tries := tries + 1) < _TRIES:
                out.parent.mkdir(parents=True, exist_ok=True)
                continue
            if folder.is_symlink():
                raise _foreign(folder, "is a link") from None
            raise OSError(error.errno, error.strerror, str(out)) from None
        if not folder.is_dir() and os.path.lexists(folder):
            raise _foreign(folder, "is not a folder")
        if not durable.lock(stream):
            raise _busy(out)
        # Its owner may have renamed it after it was opened here.
        with suppress(FileNotFoundError):
            if stream < 0 or os.path.samestat(os.fstat(stream), folder.lstat()):
                return


def _busy(out: Path) -> WorkError:
    return WorkError(f"Another lexenc is writing {out}.", hint="Wait until it is done, or choose another --out.")


def _foreign(folder: Path, what: str) -> ConfigError:
    return ConfigError(f"{folder} {what}, but lexenc builds the result there.", hint="Move it away, then run again.")


@contextmanager
def building(
    folder: Path, out: Path, key: str, *, keep: Keep = "nothing", resumable: bool = False, force: bool = False
) -> Iterator[None]:
    """Build a result in a locked temporary folder, and rename it when the block succeeds.

    If the block fails, nothing is left. If a resumable stage is interrupted after it saved something under
    `UNFINISHED`, the folder stays for the next run with the same key. If the result is complete, but something has
    appeared in its place meanwhile, it is kept in the temporary folder.

    Args:
        folder: The temporary folder, which `locked` made.
        out: Final name of the folder.
        key: Key of the recipe.
        keep: Whether the folder has unfinished work of the same recipe, or its finished result, to go on from.
        resumable: Whether the stage can resume its work.
        force: Replace an older result of lexenc.

    Raises:
        ConfigError: If the temporary folder contains files that lexenc did not make, or the place is taken.
    """
    if keep != "finished":
        _check_own(folder)
    with _locked_recipe(folder) as free:
        if not free:
            raise _busy(out)
    try:
        if keep != "finished":
            _prepare(folder, key, resuming=keep == "unfinished")
        with _locked_recipe(folder):
            yield
    except BaseException as error:
        _abandon(folder, key, error, resumable=resumable, resuming=keep == "unfinished")
        raise
    _take_place(folder, out, key, force=force)


@contextmanager
def _locked_recipe(folder: Path) -> Iterator[bool]:
    """Lock the recipe as well, because machines of a network see only the locks of files. Yield whether it is free."""
    with ExitStack() as closing:
        free = True
        with suppress(OSError):
            free = durable.lock(closing.enter_context(durable.opened(folder / RECIPE, os.O_RDWR)))
        yield free


def _prepare(folder: Path, key: str, *, resuming: bool) -> None:
    """Clear the temporary folder of an earlier run. After a kill at any moment, the next run can do it again."""
    recipe = _recipe_of(folder)
    resuming = resuming and recipe is not None and recipe["key"] == key
    if not resuming:
        _drop_unfinished(folder)
    durable.clear_tree(folder, keep=(RECIPE, MANIFEST, *([UNFINISHED] if resuming else [])))
    if recipe != {"key": key}:
        _note(folder, key)
    (folder / MANIFEST).unlink(missing_ok=True)


def _check_own(folder: Path) -> None:
    """Check that the temporary folder contains nothing of the user.

    Raises:
        ConfigError: If it may.
    """
    recipe = folder / RECIPE
    if not any(folder.iterdir()) or (recipe.is_file() and not recipe.is_symlink() and _may_be_recipe(recipe)):
        return
    if not _may_be_ours(folder):
        raise _foreign(folder, "contains files that lexenc did not make")
    found = strangers(folder)
    if found:
        raise _foreign(folder, f"contains {few(found)} that lexenc did not make")


def _may_be_recipe(path: Path) -> bool:
    try:
        read_json(path)
    except DataError:
        return True  # damaged, as after a power cut
    return _recipe_of(path.parent) is not None


def _drop_unfinished(folder: Path) -> None:
    """Delete the state of a stage. It is renamed first, so that no run resumes from half of it."""
    dropped = folder / _DROPPED
    durable.remove_tree(dropped)
    with suppress(FileNotFoundError):
        (folder / UNFINISHED).rename(dropped)
    durable.remove_tree(dropped)


def _abandon(folder: Path, key: str, error: BaseException, *, resumable: bool, resuming: bool) -> None:
    """Delete what a failed run leaves, unless it can be resumed."""
    # At the first run, an error of the recipe itself would happen again. Later, it may be in the saved state.
    own = isinstance(error, LexencError) and not isinstance(error, PausedError)
    hopeless = isinstance(error, InputChangedError) or (own and not resuming)
    passing = isinstance(error, (PausedError, OSError, MemoryError, RuntimeError))
    with suppress(OSError):
        if not resumable or hopeless or not _holds(folder / UNFINISHED):
            _drop_unfinished(folder)
            durable.remove_tree(folder, last=(RECIPE,))
        elif resuming and isinstance(error, Exception) and not passing:
            _note(folder, key, failed=True)


def _take_place(folder: Path, out: Path, key: str, *, force: bool) -> None:
    """Rename a finished folder, or exchange it with an older result, which is deleted only after that."""
    _drop_unfinished(folder)
    (folder / RECIPE).unlink(missing_ok=True)
    durable.flush_folder(folder)
    try:
        if force and _may_be_ours(out):
            _replace(folder, out)
        else:
            if os.name != "posix":
                with suppress(OSError):
                    out.rmdir()
            folder.rename(out)  # replaces nothing but an empty folder
    except (OSError, LexencError) as error:
        with suppress(OSError):
            _note(folder, key)
        reason = error.message.rstrip(".") if isinstance(error, LexencError) else error.strerror
        if isinstance(error, OSError) and error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            reason = "something has appeared there meanwhile"
        raise WorkError(
            f"The result cannot take its place at {out}: {reason}. It is kept, complete, in {folder}.",
            hint="Clear the place and run the same command again, or rename the folder that was kept.",
        ) from None
    durable.flush_folder(out.parent)


def _replace(folder: Path, out: Path) -> None:
    with durable.opened(out) as old:
        durable.lock(old, wait=True)  # of the process that made it, if that is still deleting an even older one
        found = strangers(out)
        if not found:
            durable.exchange(folder, out)
            try:
                found = strangers(folder)  # what was added before the exchange and after the first look
            except LexencError:
                durable.exchange(folder, out)
                raise
            if found:
                durable.exchange(folder, out)
        if found:
            raise ConfigError(f"it contains {few(found)} that lexenc did not make")
        durable.flush_folder(out.parent)
        with suppress(OSError):  # the next run tries again
            durable.remove_tree(folder, last=(MANIFEST,))


def few(names: Sequence[str]) -> str:
    """Return the first names of a list, and the number of the others."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more files" if len(names) > 3 else "")


def _discard(folder: Path) -> None:
    """Delete a replaced result, unless another process is doing so, or it contains something of the user."""
    with suppress(OSError, LexencError), durable.opened(folder) as stream:
        if durable.lock(stream):
            _check_own(folder)
            durable.remove_tree(folder, last=(MANIFEST,))


def kept_old(out: Path) -> Path | None:
    """Return the folder beside a result in which an older result is that could not be deleted, if there is one."""
    folder = aside_folder(out)
    return folder if is_artifact(folder) and not (folder / RECIPE).is_file() else None


def sweep(out: Path, key: str) -> None:
    """Remove what killed runs have left beside a result, unless work could be resumed from it.

    Args:
        out: The result.
        key: Its key. Unfinished work on it is not needed any more.
    """
    if not (os.path.lexists(aside_folder(out)) or durable.has_exchanged(out)):
        return
    with suppress(OSError, LexencError), locked(out) as folder:
        if unfinished_key(out) == key or can_be_dropped(out):
            _check_own(folder)
            _drop_unfinished(folder)
            durable.remove_tree(folder, last=(MANIFEST, RECIPE))


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
    path, here = Path(text), []
    try:
        here = [Path.cwd(), *Path.cwd().parents]
    except FileNotFoundError:
        if not path.is_absolute():
            raise ConfigError("The current folder was removed.", hint=f"Change to another: cd {Path.home()}") from None
    if not text or path.resolve() in here:
        named = f"the current folder or a parent of it: {text}" if text else "empty"
        raise ConfigError(f"{label} is {named}.", hint="Give the name of a new folder.")
    return path.resolve() if path.is_symlink() else path


def check_place(out: Path) -> None:
    """Check that a result may be written to a folder.

    Raises:
        ConfigError: If it is a file, a mount point, or a folder with files that lexenc did not make.
    """
    if os.path.ismount(out):
        raise ConfigError(
            f"{out} is a mount point, which cannot be replaced.", hint=f"Give a folder in it: {out / 'result'}"
        )
    if out.is_file():
        raise ConfigError(f"{out} is a file, not a folder.", hint="Choose an empty or new folder for --out.")
    if out.is_dir() and not _may_be_ours(out) and any(out.iterdir()):
        message = f"{out} contains files that lexenc did not make."
        raise ConfigError(message, hint="Choose an empty or new folder for --out.")
