"""The results below a folder: what each was made from, and which were never finished."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lexenc.artifact import MANIFEST, RECIPE, InputRecord, Manifest, is_artifact, maker_of, owner_of, read_manifest
from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.parameters import as_dict, build, parameters
from lexenc.planning import check_inputs
from lexenc.stages import STAGES


@dataclass(frozen=True)
class ResultFolder:
    """A result folder."""

    name: str
    folder: Path
    manifest: Manifest

    def path_of(self, record: InputRecord) -> Path:
        """Return the path of an input as the manifest names it, whether or not it still exists."""
        return Path(os.path.normpath(self.folder.absolute().parent / record.path))

    @property
    def records(self) -> list[tuple[str, InputRecord]]:
        """Every input record with the name of its input."""
        return [(name, record) for name, records in self.manifest.inputs.items() for record in records]

    @property
    def is_control(self) -> bool:
        """Whether the stage itself was run as a control."""
        return bool(self.manifest.params.get("control", "none") != "none")

    @property
    def changed(self) -> dict[str, Any]:
        """Parameters that differ from the defaults of their stage."""
        given = self.manifest.params | self.manifest.settings
        defaults = {**_defaults_of(self.manifest), "precision": "float32"}
        return {key: value for key, value in given.items() if key not in defaults or defaults[key] != value}


# Parameters that determine the defaults of others. A parameter follows those that its own default depends on.
_STEERING = ("hub", "supervision", "preset", "loss")


def _defaults_of(manifest: Manifest) -> dict[str, Any]:
    """Return the defaults of a stage, including those set by inputs, presets and losses."""
    if manifest.stage not in STAGES:
        return {}
    stage = STAGES[manifest.stage]
    params = stage.params()
    if stage.resolve is None:
        return as_dict(params)
    inputs = {name: [one.given for one in records] for name, records in manifest.inputs.items()}
    own: dict[str, Any] = {}
    try:
        for key in _STEERING:
            if hasattr(params, key) and key in manifest.params:
                own[key] = as_dict(stage.resolve(inputs, params)).get(key)
                params = replace(params, **{key: manifest.params[key]})
        return as_dict(stage.resolve(inputs, params)) | own
    except (LexencError, LookupError, TypeError, ValueError, AttributeError):  # a manifest of another version
        return as_dict(stage.params())


@dataclass(frozen=True)
class ResultFolders:
    """All results of a report."""

    root: Path
    finished: tuple[ResultFolder, ...]  # including those outside that others were made from; ancestors come first
    unfinished: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()

    def of_stage(self, *names: str) -> list[ResultFolder]:
        """Return the results of some stages, in order."""
        return [each for each in self.finished if each.manifest.stage in names]

    @cached_property
    def _by_key(self) -> dict[str, ResultFolder]:
        return {each.manifest.key: each for each in reversed(self.finished)}

    def maker(self, record: InputRecord) -> ResultFolder | None:
        """Return the result that an input came from, as it was when the input was read; None for a raw file."""
        return self._by_key.get(record.made_by) if record.made_by else None

    def absence(self, result: ResultFolder, record: InputRecord) -> str:
        """Return why the maker of an input is missing; nothing for raw files and for inputs that have one."""
        if record.made_by is None or self.maker(record) is not None:
            return ""
        folder = owner_of(result.path_of(record))
        return "not here" if folder is None or maker_of(folder) is None else "replaced since"

    def parents(self, result: ResultFolder) -> list[ResultFolder]:
        """Return the distinct results that a result was made from."""
        found = [self.maker(record) for _, record in result.records]
        return list({each.name: each for each in found if each is not None}.values())

    def ancestors(self, result: ResultFolder) -> list[ResultFolder]:
        """Return a result and everything that it was made from, directly or not."""
        seen: dict[str, ResultFolder] = {}
        waiting = [result]
        while waiting:
            one = waiting.pop()
            if one.name not in seen:
                seen[one.name] = one
                waiting += self.parents(one)
        return list(seen.values())

    def is_control(self, result: ResultFolder) -> bool:
        """Return whether a result or one of its ancestors is a control."""
        return any(each.is_control for each in self.ancestors(result))


def find_results(root: Path) -> ResultFolders:
    """Find all results below a folder, and the results outside that they were made from.

    Raises:
        ConfigError: If the folder does not exist, or contains no result.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise ConfigError(f"The folder to report on {what}: {root}", hint="Give the folder that contains your results.")
    found: list[ResultFolder] = []
    unfinished: list[str] = []
    unreadable: list[tuple[str, str]] = []
    for folder in _folders(root):
        name = _name(folder, root)
        if folder.name.startswith("."):
            unfinished.append(_name(folder.with_name(folder.name.removeprefix(".").removesuffix(".partial")), root))
            continue
        try:
            manifest = read_manifest(folder)
            _check_declared(folder, manifest)
            found.append(ResultFolder(name, folder, manifest))
        except DataError as error:
            unreadable.append((name, error.message))
    if not found:
        others = [f"{len(unfinished)} unfinished"] if unfinished else []
        others += [f"{len(unreadable)} with a manifest that cannot be read"] if unreadable else []
        also = f" (but {' and '.join(others)})" if others else ""
        raise ConfigError(
            f"There is no result of lexenc in {root}{also}.",
            hint=f"A result is a folder with a {MANIFEST}. Make some with: lexenc demo --out runs/demo",
        )
    return ResultFolders(root, _ordered(_with_outside(found, root)), tuple(unfinished), tuple(unreadable))


def _check_declared(folder: Path, manifest: Manifest) -> None:
    """Check that a manifest has the inputs and the types of parameters that its stage declares.

    Raises:
        DataError: If it has not.
    """
    stage = STAGES[manifest.stage] if manifest.stage in STAGES else None
    if stage is None or stage.version != manifest.stage_version:
        return
    known = {name: value for name, value in manifest.params.items() if name in parameters(stage.params)}
    faults = build(stage.params, known, owner=stage.name, place="params.")[1]
    faults += check_inputs(stage, {name: records for name, records in manifest.inputs.items() if name in stage.inputs})
    if faults:
        raise DataError(f"{folder / MANIFEST}: {faults[0].message}", hint="Make it again.")


def _folders(root: Path) -> Iterator[Path]:
    """Yield result folders and hidden folders of unfinished work; results are not nested."""
    for place, names, _ in os.walk(root):
        folder = Path(place)
        if is_artifact(folder):
            names.clear()
            yield folder
            continue
        partial = [name for name in names if name.startswith(".") and (folder / name / RECIPE).is_file()]
        yield from (folder / name for name in sorted(partial))
        names[:] = sorted(name for name in names if not name.startswith("."))


def _name(folder: Path, root: Path) -> str:
    if folder == root:
        return folder.resolve().name
    return Path(os.path.relpath(folder.resolve(), root.resolve())).as_posix()


def _with_outside(found: list[ResultFolder], root: Path) -> list[ResultFolder]:
    known = {each.folder.resolve() for each in found}
    waiting = list(found)
    while waiting:
        result = waiting.pop()
        for _, record in result.records:
            folder = owner_of(result.path_of(record)) if record.made_by else None
            maker = maker_of(folder) if folder is not None else None
            if folder is None or maker is None or maker.key != record.made_by or folder.resolve() in known:
                continue
            known.add(folder.resolve())
            found.append(ResultFolder(_name(folder, root), folder, maker))
            waiting.append(found[-1])
    return found


def _ordered(found: list[ResultFolder]) -> tuple[ResultFolder, ...]:
    """Sort by time, with ancestors before their descendants."""
    found.sort(key=lambda each: (each.manifest.created, each.name))
    results = ResultFolders(Path(), tuple(found))
    done: dict[str, ResultFolder] = {}

    def add(result: ResultFolder, above: tuple[str, ...]) -> None:
        for parent in results.parents(result):
            if parent.name not in above and parent.name not in done:
                add(parent, (*above, result.name))
        done.setdefault(result.name, result)

    for result in found:
        add(result, ())
    return tuple(done.values())
