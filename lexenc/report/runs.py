"""The results below a folder: which there are, what each was made from, and which were never finished."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lexenc.artifact import MANIFEST, RECIPE, InputRecord, Manifest, is_artifact, maker_of, owner_of, read_manifest
from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.parameters import as_dict
from lexenc.stages import STAGES


@dataclass(frozen=True)
class Run:
    """One result.

    Args:
        name: Its folder as seen from the folder that is reported on.
        folder: Where it is.
        manifest: What made it.
    """

    name: str
    folder: Path
    manifest: Manifest

    def path_of(self, record: InputRecord) -> Path:
        """Give the place of an input as it is named in the manifest; it need not be there any more."""
        return Path(os.path.normpath(self.folder.absolute().parent / record.path))

    def input_path(self, name: str) -> Path | None:
        """Give the place of an input by its name; None for one that was not given."""
        records = self.manifest.inputs.get(name)
        return self.path_of(records[0]) if records else None

    @property
    def changed(self) -> dict[str, Any]:
        """Parameters whose values are not the defaults of their stage."""
        given = self.manifest.params | self.manifest.settings
        defaults = {**_defaults_of(self.manifest), "precision": "float32"}
        return {key: value for key, value in given.items() if key not in defaults or defaults[key] != value}


# Parameters that defaults of others depend on, each after those that its own default depends on.
_STEERING = ("hub", "supervision", "preset", "loss")


def _defaults_of(manifest: Manifest) -> dict[str, Any]:
    """Give what a stage would have taken by itself: its defaults, and those that inputs, presets and losses bring."""
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
    except (LexencError, LookupError, TypeError, ValueError, AttributeError):  # of another version
        return as_dict(stage.params())


@dataclass(frozen=True)
class Runs:
    """All that a report speaks of.

    Args:
        root: The folder that is reported on.
        finished: Results below it, and those outside that they were made from; what a result is made from comes first.
        unfinished: Names of results whose making was interrupted.
        unreadable: Folders with a manifest that cannot be read, and why.
    """

    root: Path
    finished: tuple[Run, ...]
    unfinished: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()

    def of_stage(self, *names: str) -> list[Run]:
        """Give the results of some stages, in order."""
        return [run for run in self.finished if run.manifest.stage in names]

    @cached_property
    def _by_key(self) -> dict[str, Run]:
        return {run.manifest.key: run for run in reversed(self.finished)}

    def maker(self, record: InputRecord) -> Run | None:
        """Give the result that an input belongs to, as it was when the input was read; None for a raw file."""
        return self._by_key.get(record.made_by) if record.made_by else None

    def absence(self, run: Run, record: InputRecord) -> str:
        """Say why an input that lexenc made has no maker here; nothing for what has one, and for raw files."""
        if record.made_by is None or self.maker(record) is not None:
            return ""
        folder = owner_of(run.path_of(record))
        return "not here" if folder is None or maker_of(folder) is None else "replaced since"

    def parents(self, run: Run) -> list[Run]:
        """Give the results that one was made from, each once."""
        found = [self.maker(record) for records in run.manifest.inputs.values() for record in records]
        return list({each.name: each for each in found if each is not None}.values())

    def ancestors(self, run: Run) -> list[Run]:
        """Give a result and all that it was made from, directly or not."""
        seen: dict[str, Run] = {}
        waiting = [run]
        while waiting:
            one = waiting.pop()
            if one.name not in seen:
                seen[one.name] = one
                waiting += self.parents(one)
        return list(seen.values())

    def is_control(self, run: Run) -> bool:
        """Tell whether a result, or anything that it was made from, was meant to know nothing."""
        return any(each.manifest.params.get("control", "none") != "none" for each in self.ancestors(run))


def find_runs(root: Path) -> Runs:
    """Find all results below a folder, and what outside it they were made from.

    Raises:
        ConfigError: If there is no such folder, or no result in it.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "is not there"
        raise ConfigError(f"The folder to report on {what}: {root}", hint="Give the folder that holds your results.")
    found, unfinished, unreadable = [], [], []
    for folder in _folders(root):
        name = _name(folder, root)
        if folder.name.startswith("."):
            unfinished.append(_name(folder.with_name(folder.name.removeprefix(".").removesuffix(".partial")), root))
            continue
        try:
            found.append(Run(name, folder, read_manifest(folder)))
        except DataError as error:
            unreadable.append((name, error.message))
    if not found:
        raise ConfigError(
            f"There is no result of lexenc in {root}{_also(unfinished, unreadable)}.",
            hint=f"A result is a folder with a {MANIFEST}. Make some with: lexenc demo --out runs/demo",
        )
    return Runs(root, _ordered(_with_outside(found, root)), tuple(unfinished), tuple(unreadable))


def _also(unfinished: list[str], unreadable: list[tuple[str, str]]) -> str:
    parts = [f"{len(unfinished)} unfinished"] if unfinished else []
    parts += [f"{len(unreadable)} with a manifest that cannot be read"] if unreadable else []
    return f" (but {' and '.join(parts)})" if parts else ""


def _folders(root: Path) -> Iterator[Path]:
    """Give folders with a manifest, and hidden ones with unfinished work; results do not lie within results."""
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


def _with_outside(found: list[Run], root: Path) -> list[Run]:
    """Add the results outside the folder that those in it were made from."""
    known = {run.folder.resolve() for run in found}
    waiting = list(found)
    while waiting:
        run = waiting.pop()
        for record in (one for records in run.manifest.inputs.values() for one in records):
            folder = owner_of(run.path_of(record)) if record.made_by else None
            maker = maker_of(folder) if folder is not None else None
            if folder is None or maker is None or maker.key != record.made_by or folder.resolve() in known:
                continue
            known.add(folder.resolve())
            made = Run(_name(folder, root), folder, maker)
            found.append(made)
            waiting.append(made)
    return found


def _ordered(found: list[Run]) -> tuple[Run, ...]:
    """Put what a result was made from before it; else the older one first."""
    found.sort(key=lambda run: (run.manifest.created, run.name))
    runs = Runs(Path(), tuple(found))
    done: dict[str, Run] = {}

    def add(run: Run, above: tuple[str, ...]) -> None:
        for parent in runs.parents(run):
            if parent.name not in above and parent.name not in done:
                add(parent, (*above, run.name))
        done.setdefault(run.name, run)

    for run in found:
        add(run, ())
    return tuple(done.values())
