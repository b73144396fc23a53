"""The terminal: results go to standard output, and everything else to standard error."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich import box, progress
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

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
            _to_stderr(sentence)

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
            answer_out("".join("\t".join(row) + "\n" for row in table.rows))

    def table(self, table: Table) -> None:
        """Show a table. If a program reads it, its title and note go to standard error."""
        if not sys.stdout.isatty():
            self.say(f"{table.title}. {table.note}" if table.note else table.title)
        show_table(table)


# ---------------------------------------------------------------- standard output


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line of standard output."""
    write_out(json_line(value))


def json_line(value: Mapping[str, Any]) -> str:
    """Return an object as a line of JSON."""
    return json.dumps(value, ensure_ascii=False) + "\n"


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
    return write_bytes(text.encode("utf-8", "surrogateescape"))


def write_bytes(data: bytes) -> bool:
    """Write bytes to standard output.

    Returns:
        Whether somebody reads it. If not, all further output is discarded and the work can go on.
    """
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
    return True


# ---------------------------------------------------------------- standard error


def _to_stderr(text: str) -> None:
    sys.stderr.write(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")
    sys.stderr.flush()


def show_errors(faults: Sequence[tuple[str, str | None]], *, as_json: bool = False) -> None:
    """Show each error as a message and a hint; as JSON one object, with a list if there are several errors.

    Args:
        faults: Messages with hints. Lines after the first line of a message are indented items.
        as_json: Whether a program reads them.
    """
    if as_json:
        objects = [_fault_object(*fault) for fault in faults]
        body = {"error": f"{len(objects)} faults.", "hint": None, "faults": objects} if len(objects) > 1 else objects[0]
        _to_stderr(json.dumps(body, ensure_ascii=False))
        return
    for message, hint in faults:
        _show_remark("error:", "1;31", message, hint)


def show_warning(message: str, hint: str | None) -> None:
    """Show a warning: something that may spoil the result but does not stop the work."""
    _show_remark("warning:", "33", message, hint)


def _fault_object(message: str, hint: str | None) -> dict[str, Any]:
    first, *listed = message.splitlines()
    more = {"listed": [" ".join(line.split()) for line in listed]} if listed else {}
    return {"error": first, "hint": hint, **more}


def _show_remark(word: str, colour: str, message: str, hint: str | None) -> None:
    coloured = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    lines = [(word, colour, f" {message}")] + ([("hint:", "36", f"  {hint}")] if hint else [])
    for head, code, text in lines:
        _to_stderr((f"\x1b[{code}m{head}\x1b[0m" if coloured else head) + text)


# ---------------------------------------------------------------- tables


def show_table(table: Table) -> None:
    """Draw a table on a terminal, or print it as tab-separated lines for a program."""
    if not sys.stdout.isatty():
        write_out("".join("\t".join(line) + "\n" for line in [table.columns, *table.rows]))
        return
    # Cells are `Text`, because words of a corpus may look like rich's markup. Every column of a terminal counts.
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for number, column in enumerate(table.columns):
        numeric = number and not any(letter.isalpha() for row in table.rows for letter in row[number])
        drawn.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    best = _best_row(table)
    for number, row in enumerate(table.rows):
        drawn.add_row(*(Text(cell, style="bold" if number == best else "") for cell in row))
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
        console.print(Text(table.title, style="italic"))
    console.print(drawn)
    if table.note:
        console.print(Text(table.note, style="dim italic"))


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
                    progress.TextColumn("{task.description}"),
                    progress.BarColumn(bar_width=24),
                    progress.TextColumn("{task.completed:,.0f}"),
                    _Rate(),
                    progress.TimeRemainingColumn(),
                    console=Console(stderr=True),
                    transient=True,
                )
                self._display.start()
            self._running += 1
            display = self._display
        number = display.add_task(title, total=total, unit=unit)
        try:
            yield _BarTask(display, number)
        finally:
            display.remove_task(number)
            with self._lock:
                self._running -= 1
                if not self._running:
                    display.stop()
                    self._display = None
