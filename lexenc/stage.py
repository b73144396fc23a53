"""Stages: values with a name, inputs, parameters and a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from lexenc.artifact import Manifest
from lexenc.artifact import Table as Table
from lexenc.device import CPU, Device, Precision, choose_device
from lexenc.errors import ConfigError, unknown_name
from lexenc.progress import SILENT, Progress

InputKind = Literal["path", "encoder"]
_NAMED = re.compile(r"([\w-]+)=(.+)", re.DOTALL)
# Names of sources may list several languages: `en,sw=PATH`.
_LISTED = re.compile(r"([\w,-]+)=(.+)", re.DOTALL)
_PREFIXED = re.compile(r"(?:.*/)?([\w-]+):(?!//)[^:]+", re.DOTALL)


@dataclass(frozen=True)
class GivenSource:
    """One source of an input that has kinds.

    Args:
        kind: One of the kinds of the input.
        name: Name that the user gave it, e.g. its languages. Empty for none.
        path: Its file or folder.
    """

    kind: str
    name: str
    path: Path

    @property
    def label(self) -> str:
        """Its kind and its name, as a manifest has them: `KIND:NAME`, or the kind alone."""
        return f"{self.kind}:{self.name}" if self.name else self.kind

    @classmethod
    def labelled(cls, label: str, path: Path) -> GivenSource:
        """Return the source with a label and a path."""
        kind, _, name = label.partition(":")
        return cls(kind, name, path)


@dataclass(frozen=True)
class Input:
    """One input of a stage.

    Args:
        help: One sentence.
        kind: `path` (a file or folder), or `encoder` (also a name: bundled, or on a hub).
        required: Whether the stage needs it.
        many: Whether it may be given several times.
        positional: Whether the command line takes it as an argument instead of an option.
        named: Whether it may be written NAME=PATH. The stage then gets paths by name, with "" for no name.
        kinds: If there are any, it may be given several times and be written [KIND:][NAME=]PATH. The stage then gets a
            list of `GivenSource`, with the first kind for those without one.
        number: Parameter that gets the value if a number is given instead of a path, e.g. `--dev 0.05`.
    """

    help: str
    kind: InputKind = "path"
    required: bool = True
    many: bool = False
    positional: bool = False
    named: bool = False
    kinds: tuple[str, ...] = ()
    number: str = ""

    @property
    def repeated(self) -> bool:
        """Whether it may be given several times."""
        return self.many or bool(self.kinds)

    @property
    def written(self) -> str:
        """How it is written, for help."""
        prefix = "[NAME=]" if self.kinds else "NAME=" if self.named else ""
        prefix = f"[KIND:]{prefix}" if len(self.kinds) > 1 else prefix
        return f"{prefix}PATH{'|NUMBER' if self.number else ''}"

    def split(self, text: str) -> tuple[str, str]:
        """Split the text that a user typed into what stands before the path, with its sign, and the path."""
        path = text
        if self.kinds:
            kind, sign, rest = path.partition(":")
            path = rest if sign and kind in self.kinds and rest else path
        match = (_LISTED if self.kinds else _NAMED).fullmatch(path) if self.named or self.kinds else None
        path = match[2] if match else path
        return text[: len(text) - len(path)], path

    def label(self, text: str) -> str:
        """Return the name that a user gave an input, with its kind if it has kinds. Empty for none."""
        prefix, path = self.split(text)
        return self.source(text, Path(path)).label if self.kinds else prefix[:-1]

    def source(self, text: str, path: Path) -> GivenSource:
        """Return the source that a user typed, with the path that was found for it."""
        return GivenSource(*self._parts(self.split(text)[0]), path)

    def _parts(self, prefix: str) -> tuple[str, str]:
        kind, sign, name = prefix.rpartition(":")
        return (kind if sign else self.kinds[0]), name.rstrip("=")

    def typed(self, label: str, path: str) -> str:
        """Return the text for a path and its label: a name, a kind, or both as `KIND:NAME`."""
        sign = "" if not label else ":" if label in self.kinds else "="
        return f"{label}{sign}{path}"

    def unknown_kind(self, path: str) -> ConfigError | None:
        """Return the error for a path that does not exist, if it begins with a kind that does not exist either."""
        match = _PREFIXED.fullmatch(path) if self.kinds else None
        return unknown_name("kind of data", match[1], self.kinds) if match else None


@dataclass(frozen=True)
class Outcome:
    """What a stage reports besides its files.

    Args:
        summary: Counts for the manifest and the closing line.
        results: One plain object per result. The first is the headline.
        tables: The results as tables.
        answer: False if the answer is no, e.g. an audit found leaks. The exit code is then 1.
    """

    summary: dict[str, Any] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    answer: bool = True


@dataclass(frozen=True)
class Notices:
    """Functions that receive the messages of a stage.

    Args:
        warn: Receives a warning and a hint.
        say: Receives a message.
        answer: Receives some of many answers, which are not kept: one object each, and a table of them.
    """

    warn: Callable[[str, str | None], None] = lambda message, hint: None
    say: Callable[[str], None] = lambda message: None
    answer: Callable[[Sequence[Mapping[str, Any]], Table], None] = lambda objects, table: None


@dataclass
class Job:
    """What a running stage needs besides its inputs and parameters.

    Args:
        out: Folder to write into.
        seed: Seed of all random choices.
        device_name: Device as the user named it.
        precision: Arithmetic of encoders.
        progress: Progress bar to update.
        notices: Where messages go.
        continued: Whether `out` contains unfinished work of the same recipe.
        key: Key of the recipe.
        kept: Whether `out` is kept after the stage has run.
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
        """The device, which is chosen on first use and announced once."""
        self.used_device = choose_device(self.device_name, self.precision)
        self.notices.say(self.used_device.sentence)
        return self.used_device


Run = Callable[..., Outcome]


@dataclass(frozen=True)
class Stage:
    """One step of work: its inputs, parameters and outcome.

    Args:
        name: Name of the command. A space separates group and command.
        version: Increased whenever the same inputs give another result.
        inputs: By option name with underscores.
        params: Frozen dataclass of the parameters.
        run: Called as `run(inputs, params, job)`.
        summary: One sentence. For stages of the package it comes from the table `STAGES`.
        makes: Files of the result.
        examples: Command lines; further lines of an example are its output.
        next_step: Command to run next, or a function of the manifest that returns it. `{out}` is the output folder,
            `{name}` an input as the user typed it, `{new:name}` a folder beside the output folder that does not exist
            yet, and a word in capitals stands for what the user has to fill in.
        uses_device: Whether the stage uses device and precision.
        uses_seed: Whether the stage uses the seed.
        resumable: Whether unfinished work is resumed.
        out_required: Whether the stage needs an output folder.
        check: Returns the errors that involve more than one input or parameter.
        files: By file name extension, the only file of the result to write if `--out` has this extension. The first one
            goes to standard output if there is no `--out`.
        resolve: Fills in the parameters whose default depends on the inputs, so that the recipe has the values used.
        copies: By option name, a file of the result that this option writes to another place too.
        elsewhere: By option name, another command that has this option, for the hint.
        draw: Returns the first parts of a result as drawn tables, for `--show`.
    """

    name: str
    version: int
    inputs: Mapping[str, Input]
    params: type
    run: Run
    summary: str = ""
    makes: str = ""
    examples: tuple[str, ...] = ()
    next_step: str | Callable[[Manifest], str] | None = None
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
