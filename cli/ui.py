"""The terminal: results go to standard output, and everything else to standard error.

Everything that the program prints goes through this module, so that no control character of the user's data reaches a
terminal. What a file or a program gets from standard output stays as it is.
"""

from __future__ import annotations

import codecs
import io
import json
import math
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, cast

from rich import box, progress
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from lexenc.errors import WorkError
from lexenc.progress import SILENT, Progress, RunningTask
from lexenc.stage import Notices, Table


@dataclass(frozen=True)
class View:
    """How a command shows what it does.

    Args:
        json: Print one JSON object per line on standard output, nothing else there; errors are objects too.
        quiet: Show only results, warnings and errors.
        progress: Draw progress bars if standard error is a terminal.
    """

    json: bool = False
    quiet: bool = False
    progress: bool = True

    def notices(self) -> Notices:
        """Return notices that show each sentence once, since the steps of a pipeline often repeat one."""
        seen: set[str] = set()

        def first_time(sentence: str) -> bool:
            new = sentence not in seen
            seen.add(sentence)
            return new

        return Notices(
            warn=lambda message, hint: show_warning(message, hint) if first_time(message) else None,
            say=lambda sentence: self.say(sentence) if first_time(sentence) else None,
            answer=self.answers,
        )

    def say(self, sentence: str) -> None:
        """Show a sentence unless the command is quiet."""
        if not self.quiet:
            _to_stderr(plain(bounded(sentence)))

    def watcher(self) -> Progress:
        """Return progress bars for a terminal, and silent ones otherwise."""
        return ProgressBars() if self.progress and not self.quiet and sys.stderr.isatty() else SILENT

    def results(self, results: Iterable[Mapping[str, Any]], tables: Iterable[Table]) -> None:
        """Show the results of a command."""
        if self.json:
            for one in results:
                print_json(one)
        else:
            for table in tables:
                self.table(table)

    def answers(self, objects: Iterable[Mapping[str, Any]], table: Table) -> None:
        """Show some of many answers while they are computed. Programs get no heads, which would repeat."""
        if self.json:
            answer_out("".join(json_line(one) for one in objects))
        elif sys.stdout.isatty():
            show_table(table)
        else:
            answer_out("".join(map(table_line, table.rows)))

    def table(self, table: Table) -> None:
        """Show a table. If a program reads it, its title and note go to standard error."""
        if not sys.stdout.isatty():
            for line in (f"{table.title}. {table.note}" if table.note else table.title).split("\n"):
                self.say(line)
        show_table(table)


# ---------------------------------------------------------------- control characters

# C0 and C1 controls, separators of lines and paragraphs, embeddings and overrides of the direction of writing, and what
# UTF-8 cannot encode.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_BREAKS = re.compile("[\t\n\r]")
_NO_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # halves of surrogate pairs that stand for no byte


def plain(text: str, *, keep: str = "") -> str:
    r"""Return a text for a person, with control characters as escapes such as `\x1b`.

    Args:
        text: The text. Bytes that are not UTF-8 are surrogate escapes.
        keep: Control characters to leave as they are.
    """
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte
        code -= 0xDC00
    return _NAMED.get(character) or (f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}")


_LONGEST_WORD, _LONGEST_LINE, _LONGEST_TEXT = 500, 2_000, 20_000
_TOO_LONG = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")


def bounded(text: str) -> str:
    """Return a message with what is too long in it shortened in the middle. It may quote a huge cell of a file."""
    text = _TOO_LONG.sub(lambda found: _shortened(found[0], _LONGEST_WORD), text)
    return _shortened("\n".join(_shortened(line, _LONGEST_LINE) for line in text.split("\n")), _LONGEST_TEXT)


def _shortened(text: str, length: int) -> str:
    half = length // 2
    return (
        text if len(text) <= length else f"{text[:half]} [... {len(text) - 2 * half:,} characters ...] {text[-half:]}"
    )


class _Breaks:
    """The number of cells that contain characters which separate cells or lines."""

    count = 0


def table_line(cells: Iterable[str]) -> str:
    """Return cells as a line with TABs between them, for a program. TABs and line breaks in cells become spaces."""
    if sys.stdout.isatty():
        return "\t".join(map(plain, cells)) + "\n"
    kept = []
    for cell in cells:
        text, found = _BREAKS.subn(" ", cell)
        _Breaks.count += bool(found)
        kept.append(text)
    return "\t".join(kept) + "\n"


def warn_of_breaks() -> None:
    """Show how many cells `table_line` changed."""
    count, _Breaks.count = _Breaks.count, 0
    if count:
        cells = "1 cell contains TABs or line breaks" if count == 1 else f"{count:,} cells contain TABs or line breaks"
        show_warning(f"{cells}, which are printed as spaces.", "--json prints them as they are.")


# ---------------------------------------------------------------- standard output


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line of standard output."""
    write_out(json_line(value))


def json_line(value: Mapping[str, Any]) -> str:
    """Return an object as a line of JSON. Control characters are escaped, and numbers that JSON lacks are null."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_with_null(value), ensure_ascii=False, allow_nan=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _with_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_null(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_null(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class ReaderGone(Exception):  # noqa: N818 - not an error: the reader has enough
    """The program that reads standard output has ended, so no more answers need to be computed."""


def answer_out(text: str) -> None:
    """Write some of many answers to standard output.

    Raises:
        ReaderGone: If nobody reads them any more.
    """
    if not write_out(text):
        raise ReaderGone


def mute() -> None:
    """Redirect standard output to nowhere, after its reader has ended."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def write_out(text: str) -> bool:
    """Write text to standard output; bytes that are not UTF-8 stay as they were read. Return as `write_bytes`."""
    return write_bytes(_NO_CHARACTER.sub("\ufffd", text).encode("utf-8", "surrogateescape"))


_decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")


def write_bytes(data: bytes) -> bool:
    """Write UTF-8 to standard output. A terminal gets lines and TABs, but no other control character.

    Returns:
        Whether somebody reads it. If not, all further output is discarded and the work can go on.
    """
    if sys.stdout.isatty():
        data = plain(_decoder.decode(data), keep="\n\t").encode()
    try:
        sys.stdout.flush()
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is None:
            sys.stdout.write(data.decode("utf-8", "surrogateescape"))
        else:
            buffer.write(data)
            buffer.flush()
    except BrokenPipeError:
        mute()
        return False
    except OSError as error:
        mute()  # what is still in the buffer would fail again at the end
        reason = str(error.strerror or error).rstrip(".")
        hint = "Check where it goes: a pipe, a terminal, or a file on a disk with space."
        raise WorkError(f"Standard output cannot be written: {reason}.", hint=hint) from None
    return True


class StandardOutput(io.RawIOBase):
    """Standard output as a binary stream, which raises `ReaderGone` if nobody reads it."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write all of the bytes."""
        if not write_bytes(bytes(data)):
            raise ReaderGone
        return len(data)


# ---------------------------------------------------------------- standard error


def _to_stderr(text: str) -> None:
    # A message that nobody can read, e.g. because the terminal is closed, does not stop the work.
    with suppress(OSError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def show_traceback() -> None:
    """Show the traceback of the error that is being handled."""
    _to_stderr(plain(traceback.format_exc().rstrip(), keep="\n"))


def show_errors(faults: Sequence[tuple[str, str | None]], *, as_json: bool = False) -> None:
    """Show each error as a message and a hint; as JSON one object, with a list if there are several errors.

    Args:
        faults: Messages with hints. Lines after the first line of a message are indented items.
        as_json: Whether a program reads them.
    """
    faults = [(bounded(message), hint and bounded(hint)) for message, hint in faults]
    if as_json:
        objects = [_fault_object(*fault) for fault in faults]
        body = {"error": f"{len(objects)} faults.", "hint": None, "faults": objects} if len(objects) > 1 else objects[0]
        _to_stderr(json_line(body).rstrip("\n"))
        return
    for message, hint in faults:
        _show_remark("error:", "1;31", message, hint)


def show_warning(message: str, hint: str | None) -> None:
    """Show a warning: something that may spoil the result but does not stop the work."""
    _show_remark("warning:", "33", bounded(message), hint and bounded(hint))


def _fault_object(message: str, hint: str | None) -> dict[str, Any]:
    first, *listed = message.split("\n")
    more = {"listed": [" ".join(line.split()) for line in listed]} if listed else {}
    return {"error": first, "hint": hint, **more}


def _show_remark(word: str, colour: str, message: str, hint: str | None) -> None:
    coloured = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    # A line break in a value must not begin a line that looks like another message. Items of a list are indented.
    text = re.sub(r"\n(?! )", r"\\n", plain(message, keep="\n"))
    lines = [(word, colour, f" {text}")] + ([("hint:", "36", f"  {plain(hint)}")] if hint else [])
    for head, code, rest in lines:
        _to_stderr((f"\x1b[{code}m{head}\x1b[0m" if coloured else head) + rest)


# ---------------------------------------------------------------- tables


def show_table(table: Table) -> None:
    """Draw a table on a terminal, or print it as tab-separated lines for a program."""
    if not sys.stdout.isatty():
        write_out("".join(map(table_line, [table.columns, *table.rows])))
        return
    # Cells are `Text`, because words of a corpus may look like rich's markup. Every column of a terminal counts.
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for number, column in enumerate(table.columns):
        numeric = number and not any(letter.isalpha() for row in table.rows for letter in row[number])
        drawn.add_column(Text(plain(column)), justify="right" if numeric else "left", overflow="fold")
    best = _best_row(table)
    for number, row in enumerate(table.rows):
        drawn.add_row(*(Text(plain(cell), style="bold" if number == best else "") for cell in row))
    console = Console()
    wide = console.options.update(max_width=1 << 12)
    # Heads of several lines, and then narrower gaps, are better than broken words.
    if console.measure(drawn, options=wide).maximum > console.width:
        for place in drawn.columns[1:]:
            if place.justify == "right":
                place.header = Text("\n".join(re.split(" (?!%)", str(place.header))))
    if console.measure(drawn, options=wide).maximum > console.width:
        drawn.padding = (0, 0)
    console.print()
    # Inside the table, title and note would be as narrow as it is.
    if table.title:
        console.print(Text(plain(table.title), style="italic"))
    console.print(drawn)
    if table.note:
        console.print(Text(plain(table.note, keep="\n"), style="dim italic"))


def _best_row(table: Table) -> int | None:
    """Return the row with the largest value in the column that is marked."""
    if table.best is None or table.best not in table.columns:
        return None
    place = table.columns.index(table.best)
    values = []
    for row in table.rows:
        try:
            values.append(float(row[place].split()[0].rstrip("*")))
        except (ValueError, IndexError):
            values.append(float("-inf"))
    return max(range(len(values)), key=values.__getitem__) if values else None


# ---------------------------------------------------------------- progress


class _Rate(progress.ProgressColumn):
    def render(self, task: progress.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {task.fields['unit']}/s" if speed else "")


class _Unread:
    """Standard error for progress bars, which do not stop the work if the terminal is closed."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _BarTask:
    def __init__(self, display: progress.Progress, number: progress.TaskID) -> None:
        self._display, self._number = display, number

    def advance(self, count: int) -> None:
        self._display.advance(self._number, count)


class ProgressBars:
    """Bars on standard error with amount, rate and remaining time. Several at a time share one display."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._display: progress.Progress | None = None
        self._running = 0

    @contextmanager
    def task(self, title: str, total: int | None, unit: str) -> Iterator[RunningTask]:
        """Draw a bar while the block runs."""
        with self._lock:
            if self._display is None:
                self._display = progress.Progress(
                    progress.TextColumn("{task.description}", markup=False),
                    progress.BarColumn(bar_width=24),
                    progress.TextColumn("{task.completed:,.0f}"),
                    _Rate(),
                    progress.TimeRemainingColumn(),
                    console=Console(file=cast(IO[str], _Unread(sys.stderr))),
                    transient=True,
                )
                self._display.start()
            self._running += 1
            display = self._display
        number = display.add_task(plain(title), total=total, unit=unit)
        try:
            yield _BarTask(display, number)
        finally:
            display.remove_task(number)
            with self._lock:
                self._running -= 1
                if not self._running:
                    display.stop()
                    self._display = None
