"""Inputs that can be read only once, kept in files while a stage runs and named as the user named them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lexenc.artifact import InputRecord
from lexenc.errors import ConfigError, LexencError, ManyFaultsError
from lexenc.stage import Notices, Stage


@dataclass(frozen=True)
class Kept:
    """The inputs of a stage, of which some are kept in files that nobody has heard of.

    Args:
        given: What the stage reads, by input name.
        typed: What the user typed, by the path of the file that was made of it.
    """

    given: dict[str, Any]
    typed: dict[str, str]

    def told(self, text: str) -> str:
        """Name in a sentence what the user gave."""
        return self._renamed(text, {"-": "standard input"})

    def advised(self, hint: str | None) -> str | None:
        """Name in a command line what the user typed."""
        return hint and self._renamed(hint, {})

    def _renamed(self, text: str, words: Mapping[str, str]) -> str:
        for path in sorted(self.typed, key=len, reverse=True):  # one may be the beginning of another
            text = text.replace(path, words.get(self.typed[path], self.typed[path]))
        return text

    def notices(self, notices: Notices) -> Notices:
        """Name things so in remarks."""
        return replace(
            notices,
            warn=lambda message, hint: notices.warn(self.told(message), self.advised(hint)),
            say=lambda sentence: notices.say(self.told(sentence)),
        )

    def records(self, records: Mapping[str, list[InputRecord]]) -> dict[str, list[InputRecord]]:
        """Record what the user typed; the files are gone when somebody reads the manifest."""
        return {
            name: [replace(one, given=self.typed[one.given], path=self.typed[one.given])
                   if one.given in self.typed else one for one in many]
            for name, many in records.items()
        }  # fmt: skip


@contextmanager
def kept_inputs(stage: Stage, values: Mapping[str, Any]) -> Iterator[Kept]:
    """Give the inputs; what can be read only once is kept in a file while the stage runs.

    That is standard input, written `-`, and the pipes that a shell makes for `<(command)`.

    Raises:
        LexencError: What the stage raises, with these inputs named as the user did.
    """
    kept = Kept({name: values.get(name) for name in stage.inputs}, {})
    texts = {name: list(value) if isinstance(value, list) else [value] for name, value in kept.given.items()}
    folder = None
    try:
        piped = [
            name
            for name, many in texts.items()
            for text in many
            if text is not None and _is_standard_input(stage, name, stage.inputs[name].split(text)[1])
        ]
        if len(piped) > 1:
            listed = " and ".join(f"'{name}'" for name in piped)
            raise ConfigError(f"{stage.name}: {listed} cannot both be standard input.", hint="Use - once.")
        for name, many in texts.items():
            for number, text in enumerate(many):
                if text is None:
                    continue
                own, read = stage.inputs[name].split(text)
                if not (_is_standard_input(stage, name, read) or _is_pipe(read)):
                    continue
                folder = folder or Path(tempfile.mkdtemp(prefix="lexenc-stdin-"))
                # Some tables are named after the folder of a file.
                place = folder / (f"pipe {number}" if _is_pipe(read) else "standard input")
                place.mkdir(exist_ok=True)
                path = str(_kept(place / name, read))
                many[number] = f"{own}={path}" if own else path
                kept.typed.update({path: read, many[number]: text})
            kept.given[name] = many if isinstance(kept.given[name], list) else many[0]
        yield kept
    except LexencError as error:
        for one in [error, *(error.faults if isinstance(error, ManyFaultsError) else [])]:
            one.message, one.hint = kept.told(one.message), kept.advised(one.hint)
        raise
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _is_standard_input(stage: Stage, name: str, text: str | None) -> bool:
    return text == "-" and stage.inputs[name].kind == "path"


def _is_pipe(text: str | None) -> bool:
    return text is not None and Path(text).is_fifo()


def _kept(path: Path, given: str) -> Path:
    if given == "-" and sys.stdin.isatty():
        hint = "Pipe lines in, or give a file."
        raise ConfigError(f"{path.name} should come from standard input, but that is a terminal.", hint=hint)
    return copy_stream(given, path)


def copy_stream(given: str, path: Path) -> Path:
    """Copy standard input, written `-`, or a pipe into a file, and return the file."""
    with path.open("wb") as stream:
        if given == "-":
            shutil.copyfileobj(sys.stdin.buffer, stream)
        else:
            with Path(given).open("rb") as pipe:
                shutil.copyfileobj(pipe, stream)
    return path
