"""What a stage is: a value with a name, inputs, parameters and a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from lexenc.device import CPU, Device, Precision, choose_device
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress

InputKind = Literal["path", "encoder"]
_NAMED = re.compile(r"([\w-]+)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Input:
    """One input of a stage.

    Args:
        help: One sentence.
        kind: `path` (a file or folder), or `encoder` (also a name: bundled, or on a hub).
        required: Whether the stage cannot do without.
        many: Whether it may be given several times.
        positional: Whether the command line takes it without an option name.
        named: Whether each may be written NAME=PATH; the stage then gets paths by name, one without a name as "".
    """

    help: str
    kind: InputKind = "path"
    required: bool = True
    many: bool = False
    positional: bool = False
    named: bool = False

    def split(self, text: str) -> tuple[str, str]:
        """Split what a user wrote into a name, empty where there is none, and a path."""
        match = _NAMED.fullmatch(text) if self.named else None
        return (match[1], match[2]) if match else ("", text)


@dataclass(frozen=True)
class Table:
    """A table as data; whoever shows it decides how.

    Args:
        title: What it is.
        columns: Heads, with units.
        rows: Cells; numbers are shown as they are written.
        note: The convention behind the numbers.
        best: Column whose largest value is marked, if any.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    best: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a stage reports beside its files.

    Args:
        summary: Counts for the manifest and the closing line.
        results: One plain object per result; the first is the headline.
        tables: The same for people.
        answer: False where the answer to what was asked is no; the exit code is then 1.
    """

    summary: dict[str, Any] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    answer: bool = True


@dataclass(frozen=True)
class Notices:
    """Where a stage's remarks go.

    Args:
        warn: Takes a sentence and a hint.
        say: Takes a sentence.
        answer: Takes some of the answers that a stage has too many of to keep: one object each, and as a table.
    """

    warn: Callable[[str, str | None], None] = lambda message, hint: None
    say: Callable[[str], None] = lambda message: None
    answer: Callable[[Sequence[Mapping[str, Any]], Table], None] = lambda objects, table: None


@dataclass
class Job:
    """All that a running stage needs besides its inputs and parameters.

    Args:
        out: Folder to write into.
        seed: The user's seed.
        device_name: Device as the user named it.
        precision: Arithmetic of encoders.
        progress: Who watches.
        notices: Where remarks go.
        continued: Whether `out` holds unfinished work of the same recipe.
        key: The recipe's key.
        kept: Whether `out` stays when the stage has run; without it only what is reported does.
    """

    out: Path
    seed: int = 0
    device_name: str = "auto"
    precision: Precision = "float32"
    progress: Progress = SILENT
    notices: Notices = field(default_factory=Notices)
    continued: bool = False
    key: str = ""
    kept: bool = True
    used_device: Device = CPU

    @cached_property
    def device(self) -> Device:
        """The device, looked for on first use and announced once."""
        self.used_device = choose_device(self.device_name, self.precision)
        self.notices.say(self.used_device.sentence)
        return self.used_device


Run = Callable[..., Outcome]


@dataclass(frozen=True)
class Stage:
    """One step of work: what goes in, what it may be told, what comes out.

    Args:
        name: The command; a space separates group and command.
        version: Raised whenever the same inputs would give another result.
        inputs: By option name with underscores.
        params: Frozen dataclass of its parameters.
        run: Called as `run(inputs, params, job)`.
        summary: One sentence. For a stage of the package it stands in the table of stages.
        makes: What the result folder holds.
        examples: Command lines with what they print.
        next_step: Command to type next; `{out}` is the result folder, `{name}` an input. Of several, the first whose
            inputs were all given. Or what gives it for inputs and parameters.
        uses_device: Whether device and precision mean something.
        uses_seed: Whether the seed means something.
        resumable: Whether unfinished work is continued.
        out_required: Whether it makes no sense without a result folder.
        check: Gives faults that only inputs and parameters together show.
        files: By the ending of a name, the file of the result that alone is written where `--out` has that ending; the
            first goes to standard output where there is no `--out`.
        resolve: Fills in the parameters whose default depends on the inputs, so that the recipe holds what was used.
        copies: By option name, a file of the result that the command line also puts where that option says.
        elsewhere: By name of an option that belongs to another command, that command; for the hint.
        draw: Gives pictures of the first so many parts of a result folder, as tables; the command line has `--show`.
    """

    name: str
    version: int
    inputs: Mapping[str, Input]
    params: type
    run: Run
    summary: str = ""
    makes: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    next_step: str | tuple[str, ...] | Callable[[Mapping[str, Any], Any], str] | None = None
    uses_device: bool = False
    uses_seed: bool = False
    resumable: bool = False
    out_required: bool = True
    check: Callable[[Mapping[str, Any], Any], list[ConfigError]] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    resolve: Callable[[Mapping[str, Any], Any], Any] | None = None
    copies: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    draw: Callable[[Path, int], list[Table]] | None = None

    def hint_for(self, name: str) -> str | None:
        """Return a hint that names the command to which an option belongs, or None."""
        command = self.elsewhere.get(name.strip("-").replace("-", "_"))
        return None if command is None else f"Use: lexenc {command} (see: lexenc {command} --help)"
