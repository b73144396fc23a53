"""Inputs that can be read only once: copied into files while a stage runs, and shown as the user typed them."""

from __future__ import annotations

import io
import os
import select
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

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
            texts[name][number] = own + path
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
    with path.open("wb") as stream, opened_stream(given) as source:
        shutil.copyfileobj(source, stream)
    return path


@contextmanager
def opened_stream(given: str) -> Iterator[IO[bytes]]:
    """Open standard input, written `-`, or a pipe, so that a signal ends every read."""
    if given == "-" and not _can_wait():
        yield sys.stdin.buffer
        return
    # Opening a pipe that nobody has opened for writing would block, too.
    number = sys.stdin.fileno() if given == "-" else os.open(given, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with _Waiting(number) as raw:
            yield io.BufferedReader(raw)
    finally:
        if given != "-":
            os.close(number)


def _can_wait() -> bool:
    """Return whether standard input is a file of this process, and signals come to this thread."""
    try:
        sys.stdin.fileno()
    except io.UnsupportedOperation:
        return False
    return hasattr(select, "poll") and threading.current_thread() is threading.main_thread()


class _Waiting(io.RawIOBase):
    """A stream that is read only when it has something to read.

    Python calls its handlers of signals before a read and after it, so that a signal in between would wait for the end
    of the read. Here such a signal wakes the process, because it writes to a pipe.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waking, False)
        self._earlier = signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        self._events = select.poll()
        for each in (number, self._woken):
            self._events.register(each, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            ready = {number for number, _ in self._events.poll()}
            if self._woken in ready:
                os.read(self._woken, 1 << 10)
            if self._number in ready:
                with suppress(BlockingIOError):
                    return os.readv(self._number, [buffer])

    def close(self) -> None:
        if not self.closed:
            signal.set_wakeup_fd(self._earlier)
            os.close(self._woken)
            os.close(self._waking)
        super().close()
