"""One file of a result, where `--out` names a file or nothing: written whole or not at all, or printed."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lexenc.errors import ConfigError
from lexenc.files.text import writing
from lexenc.planning import Plan
from lexenc.stage import Stage

from .ui import write_bytes


@dataclass(frozen=True)
class SingleFile:
    """A file of a result, and where it goes.

    Args:
        name: Within the result.
        path: Where the user wants it; None for standard output.
        option: What the user wrote before it.
    """

    name: str
    path: Path | None
    option: str = "--out"

    @property
    def place(self) -> str:
        """Where it goes, in words."""
        return "standard output" if self.path is None else str(self.path)

    def check_apart(self, inputs: Mapping[str, Any]) -> None:
        """Refuse to replace what the result is made from.

        Raises:
            ConfigError: If the file is an input, or lies in one.
        """
        if self.path is None:
            return
        own = self.path.resolve()
        for name, value in inputs.items():
            for path in value if isinstance(value, list) else [value]:
                if path is not None and own.is_relative_to(path.resolve()):
                    where = "is" if own == path.resolve() else "lies in"
                    raise ConfigError(
                        f"{self.option} {self.path} {where} the input '{name}' itself.",
                        hint="Choose another place for it.",
                    )

    def deliver(self, folder: Path) -> None:
        """Take the file out of the folder that it was made in."""
        with (folder / self.name).open("rb") as made:
            if self.path is None:
                for part in iter(partial(made.read, 1 << 20), b""):
                    write_bytes(part)
                return
            # Somebody's link stays one: what it points to is replaced.
            place = self.path.resolve()
            place.parent.mkdir(parents=True, exist_ok=True)
            with writing(place) as stream:
                shutil.copyfileobj(made, stream)


def wanted_file(stage: Stage, values: Mapping[str, Any]) -> SingleFile | None:
    """Tell which file of a result is wanted alone; None where it is the whole, or the numbers only (`--json`).

    Raises:
        ConfigError: If it is there already and was not to be replaced, or two things are to be printed.
    """
    given = values.get("out")
    if not stage.files:
        return None
    if given in (None, "-"):
        first = next(iter(stage.files.values()))
        if given == "-" and values["run_json"]:
            raise ConfigError(f"--json and --out - both print, one numbers, one {first}.", hint="Give --out a name.")
        if values.get("run_show"):
            raise ConfigError(f"--show draws, and {first} would be printed too.", hint="Give --out a folder.")
        return None if values["run_json"] else SingleFile(first, None)
    path = Path(given)
    name = stage.files.get(path.suffix.lower())
    if name is None:
        return None
    if path.is_dir():
        raise ConfigError(f"--out {path} is a folder, but its name means one file.", hint="Choose another name.")
    if path.exists() and not values.get("run_force"):
        raise ConfigError(f"{path} is there already.", hint="Choose another --out, or add --force to replace it.")
    return SingleFile(name, path)


def wanted_copies(stage: Stage, values: Mapping[str, Any], plan: Plan) -> list[SingleFile]:
    """Tell which files of a result are wanted in another place too.

    Raises:
        ConfigError: If there is another file in such a place, and it was not to be replaced.
    """
    made = []
    for name, file in stage.copies.items():
        given, option = values.get(f"copy_{name}"), f"--{name}"
        if given is None:
            continue
        path = Path(given)
        # The folder of the result may not be there yet.
        if path.is_dir() or (values.get("out") is not None and path == Path(values["out"])):
            raise ConfigError(f"{option} {path} is a folder.", hint="Give a file name.")
        if path.exists() and not values.get("run_force") and not _is_that(path, file, plan):
            raise ConfigError(f"{path} is there already.", hint=f"Choose another {option}, or add --force.")
        made.append(SingleFile(file, path, option))
    return made


def _is_that(path: Path, file: str, plan: Plan) -> bool:
    """Tell whether a file is what an earlier run of the same plan put there."""
    if plan.action != "reuse" or plan.out is None:
        return False
    return filecmp.cmp(path, plan.out / file, shallow=False)
