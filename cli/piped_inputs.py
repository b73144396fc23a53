"""Inputs that can be read only once: copied into files while a stage runs, and shown as the user typed them."""

from __future__ import annotations

import shlex
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
class KeptInputs:
    """The inputs of a stage, some of which were copied into files.

    Args:
        given: What the stage reads, by input name.
        typed: What the user typed, by the path of the copy.
    """

    given: dict[str, Any]
    typed: dict[str, str]

    def in_message(self, text: str) -> str:
        """Replace the paths of copies in a message."""
        return self._renamed(text, {"-": "standard input"})

    def in_hint(self, hint: str | None) -> str | None:
        """Replace the paths of copies in a hint, which may have a command line."""
        return hint and self._renamed(hint, {})

    def _renamed(self, text: str, words: Mapping[str, str]) -> str:
        for path in sorted(self.typed, key=len, reverse=True):  # one may be the beginning of another
            name = words.get(self.typed[path], self.typed[path])
            text = text.replace(shlex.quote(path), name).replace(path, name)
        return text

    def notices(self, notices: Notices) -> Notices:
        """Replace the paths of copies in all messages."""
        return replace(
            notices,
            warn=lambda message, hint: notices.warn(self.in_message(message), self.in_hint(hint)),
            say=lambda sentence: notices.say(self.in_message(sentence)),
        )

    def records(self, records: Mapping[str, list[InputRecord]]) -> dict[str, list[InputRecord]]:
        """Record what the user typed, since the copies are deleted."""
        return {
            name: [replace(one, given=self.typed[one.given], path=self.typed[one.given])
                   if one.given in self.typed else one for one in many]
            for name, many in records.items()
        }  # fmt: skip


@contextmanager
def kept_inputs(stage: Stage, values: Mapping[str, Any]) -> Iterator[KeptInputs]:
    """Yield the inputs of a stage, with copies of what can be read only once.

    These are standard input, written `-`, and the pipes that a shell makes for `<(command)`.

    Raises:
        LexencError: What the stage raises, with the inputs named as the user typed them.
    """
    kept = KeptInputs({name: values.get(name) for name in stage.inputs}, {})
    texts = {name: list(value) if isinstance(value, list) else [value] for name, value in kept.given.items()}
    once = [(name, number, *stage.inputs[name].split(text)) for name, many in texts.items()
            for number, text in enumerate(many) if text is not None]  # fmt: skip
    once = [each for each in once
            if Path(each[3]).is_fifo() or (each[3] == "-" and stage.inputs[each[0]].kind == "path")]  # fmt: skip
    standard = [name for name, _, _, read in once if read == "-"]
    if len(standard) > 1:
        listed = " and ".join(f"'{name}'" for name in standard)
        raise ConfigError(f"{stage.name}: {listed} cannot both be standard input.", hint="Use - once.")
    folder = Path(tempfile.mkdtemp(prefix="lexenc-stdin-")) if once else None
    try:
        for name, number, own, read in once:
            if read == "-" and sys.stdin.isatty():
                hint = "Pipe lines in, or give a file."
                raise ConfigError(f"{name} should come from standard input, but that is a terminal.", hint=hint)
            # Some tables are named after the folder of a file.
            place = Path(str(folder)) / ("standard input" if read == "-" else f"pipe {number}")
            place.mkdir(exist_ok=True)
            path = str(copy_stream(read, place / name))
            typed = texts[name][number]
            texts[name][number] = f"{own}={path}" if own else path
            kept.typed.update({path: read, texts[name][number]: typed})
            kept.given[name] = texts[name] if isinstance(kept.given[name], list) else texts[name][0]
        yield kept
    except LexencError as error:
        for one in [error, *(error.faults if isinstance(error, ManyFaultsError) else [])]:
            one.message, one.hint = kept.in_message(one.message), kept.in_hint(one.hint)
        raise
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def copy_stream(given: str, path: Path) -> Path:
    """Copy standard input, written `-`, or a pipe into a file, and return the file."""
    with path.open("wb") as stream:
        if given == "-":
            shutil.copyfileobj(sys.stdin.buffer, stream)
        else:
            with Path(given).open("rb") as pipe:
                shutil.copyfileobj(pipe, stream)
    return path
