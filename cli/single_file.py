"""A single file of a result, for `--out FILE` or no `--out`: written completely or not at all, or printed."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import IO, Any

from lexenc.durable import replacing, within_folder
from lexenc.errors import ConfigError, WorkError
from lexenc.planning import Plan, paths_of
from lexenc.stage import Stage

from .ui import write_bytes


@dataclass(frozen=True)
class SingleFile:
    """A file of a result, and where to write it.

    Args:
        name: Name within the result.
        path: Path to write to. None for standard output.
        option: Option that names the path.
        replace: Whether to replace another file.
    """

    name: str
    path: Path | None
    option: str = "--out"
    replace: bool = False

    @property
    def place(self) -> str:
        """The path, or the name of standard output."""
        return "standard output" if self.path is None else str(self.path)

    def check_apart(self, inputs: Mapping[str, Any]) -> None:
        """Check that the file replaces no input.

        Raises:
            ConfigError: If the file is an input, or lies in one.
        """
        if self.path is None:
            return
        own = self.path.resolve()
        for name, value in inputs.items():
            for path in paths_of(value):
                if own.is_relative_to(path.resolve()):
                    where = "is" if own == path.resolve() else "lies in"
                    message = f"{self.option} {self.path} {where} the input '{name}' itself."
                    raise ConfigError(message, hint="Choose another path.")

    def deliver(self, folder: Path) -> None:
        """Copy the file from the folder of the result to its place.

        Raises:
            ConfigError: If this result has no such file.
        """
        if not (folder / self.name).is_file():
            raise ConfigError(
                f"The result has no {self.name} for {self.option} {self.place}.",
                hint="See what the command makes: --help",
            )
        with (folder / self.name).open("rb") as made:
            if self.path is None:
                for part in iter(partial(made.read, 1 << 20), b""):
                    write_bytes(part)
                return
            place = self.path.resolve()  # a link stays, and its target is replaced
            with within_folder(place.parent):
                try:
                    self._copy(made, place, spare=not self.replace)
                except WorkError as error:  # the work is done, and would be lost
                    place = unused(place)
                    self._copy(made, place, spare=True)
                    error.hint = f"The result is in {place}."
                    raise

    def _copy(self, made: IO[bytes], place: Path, *, spare: bool) -> None:
        made.seek(0)
        with replacing(place, spare=spare) as stream:
            shutil.copyfileobj(made, stream)


def unused(path: Path) -> Path:
    """Return a path that does not exist: this one, or with a number."""
    names = chain([path.name], (f"{path.stem}-{number}{path.suffix}" for number in count(2)))
    return next(place for place in map(path.with_name, names) if not os.path.lexists(place))


def wanted_file(stage: Stage, values: Mapping[str, Any]) -> SingleFile | None:
    """Return the only file of the result to write, or None for the whole result, or for numbers only (`--json`).

    Raises:
        ConfigError: If it exists already and there is no `--force`, or two things would be printed.
    """
    given = values.get("out")
    if not stage.files:
        return None
    if given in (None, "-"):
        first = next(iter(stage.files.values()))
        if given == "-" and values["run_json"]:
            raise ConfigError(f"--json and --out - would both print, numbers and {first}.", hint="Give --out a name.")
        if values.get("run_show"):
            raise ConfigError(f"--show and {first} would both be printed.", hint="Give --out a folder.")
        return None if values["run_json"] else SingleFile(first, None)
    path = Path(given)
    name = stage.files.get(path.suffix.lower())
    if name is None:
        return None
    if path.is_dir():
        raise ConfigError(f"--out {path} is a folder, but its name means a file.", hint="Choose another name.")
    if path.exists() and not values.get("run_force"):
        raise ConfigError(f"{path} already exists.", hint="Choose another --out, or add --force to replace it.")
    return SingleFile(name, path, replace=bool(values.get("run_force")))


def wanted_copies(stage: Stage, values: Mapping[str, Any], plan: Plan) -> list[SingleFile]:
    """Return the files of the result that are written to another place too.

    Raises:
        ConfigError: If there is another file in such a place, and no `--force`.
    """
    made = []
    for name, file in stage.copies.items():
        given, option = values.get(f"copy_{name}"), f"--{name}"
        if given is None:
            continue
        path = Path(given)
        if path.is_dir() or (values.get("out") is not None and path == Path(values["out"])):
            raise ConfigError(f"{option} {path} is a folder.", hint="Give a file name.")
        # An earlier run of the same plan may have written it.
        same = plan.action == "reuse" and plan.out is not None and path.exists()
        same = same and filecmp.cmp(path, Path(str(plan.out)) / file, shallow=False)
        if path.exists() and not same and not values.get("run_force"):
            raise ConfigError(f"{path} already exists.", hint=f"Choose another {option}, or add --force.")
        made.append(SingleFile(file, path, option, replace=same or bool(values.get("run_force"))))
    return made
