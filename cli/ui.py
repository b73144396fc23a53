"""Everything that a person or a shell sees: results on standard output, all else on standard error."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lexenc.progress import SILENT, Progress, Task
from lexenc.stage import Notices, Table


@dataclass(frozen=True)
class View:
    """How one command talks.

    Args:
        json: One object per line on standard output, nothing else there; errors as objects too.
        quiet: Only results, warnings and errors.
        progress: Draw bars where standard error is a terminal.
    """

    json: bool = False
    quiet: bool = False
    progress: bool = True

    def notices(self) -> Notices:
        """Give the place where remarks go; the steps of a pipeline often make the same one, which is shown once."""
        seen: set[str] = set()

        def first_time(sentence: str) -> bool:
            new = sentence not in seen
            seen.add(sentence)
            return new

        def warn(message: str, hint: str | None) -> None:
            if first_time(message):
                show_warning(message, hint)

        def say(sentence: str) -> None:
            if first_time(sentence):
                self.say(sentence)

        return Notices(warn=warn, say=say, answer=self.answers)

    def say(self, sentence: str) -> None:
        """Show a remark unless asked to be quiet."""
        if not self.quiet:
            _to_stderr(sentence)

    def watcher(self) -> Progress:
        """Give who watches long work: a drawn bar on a terminal, nobody elsewhere."""
        return _Bars() if self.progress and not self.quiet and sys.stderr.isatty() else SILENT

    def results(self, results: Iterable[Mapping[str, Any]], tables: Iterable[Table]) -> None:
        """Show what a command found."""
        if self.json:
            for one in results:
                print_json(one)
        else:
            for table in tables:
                self.table(table)

    def answers(self, objects: Iterable[Mapping[str, Any]], table: Table) -> None:
        """Show some of many answers as they come; for a program without heads, which would stand between them."""
        if self.json:
            answer_out("".join(json_line(one) for one in objects))
        elif sys.stdout.isatty():
            show_table(table)
        else:
            answer_out("".join("\t".join(row) + "\n" for row in table.rows))

    def table(self, table: Table) -> None:
        """Show a table; where a program reads it, the convention behind the numbers still reaches the person."""
        if not sys.stdout.isatty():
            self.say(f"{table.title}: {table.note}" if table.note else table.title)
        show_table(table)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line of standard output."""
    write_out(json_line(value))


def json_line(value: Mapping[str, Any]) -> str:
    """Write an object in one line."""
    return json.dumps(value, ensure_ascii=False) + "\n"


class ReaderGone(Exception):  # noqa: N818 - no error: whoever read has enough
    """Whoever reads our answers has gone, so that no more of them need be made."""


def answer_out(text: str) -> None:
    """Write some of many answers to standard output.

    Raises:
        ReaderGone: If nobody reads them any more.
    """
    if not write_out(text):
        raise ReaderGone


def mute() -> None:
    """Let standard output lead nowhere, once whoever read it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def write_out(text: str) -> bool:
    """Write to standard output; words whose bytes are not UTF-8 leave as they came.

    Returns:
        Whether somebody read it; if not, all else is written to nobody, and the work can go on.
    """
    return write_bytes(text.encode("utf-8", "surrogateescape"))


def write_bytes(data: bytes) -> bool:
    """Write bytes to standard output, likewise."""
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


def _to_stderr(text: str) -> None:
    sys.stderr.write(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")
    sys.stderr.flush()


def show_error(message: str, hint: str | None, *, as_json: bool = False) -> None:
    """Show a failure: one line that says what, one that says what to do."""
    show_errors([(message, hint)], as_json=as_json)


def show_errors(faults: Sequence[tuple[str, str | None]], *, as_json: bool = False) -> None:
    """Show all faults of a failure, two lines each; as JSON one object, with a list where there are several.

    Args:
        faults: What is wrong and what to do about it. What is listed below a first line stays below it.
        as_json: For a program.
    """
    if as_json:
        objects = [_fault_object(*fault) for fault in faults]
        body = (
            objects[0] if len(objects) == 1 else {"error": f"{len(objects)} faults.", "hint": None, "faults": objects}
        )
        _to_stderr(json.dumps(body, ensure_ascii=False))
        return
    for message, hint in faults:
        _to_stderr(_styled("error:", "1;31") + f" {message}")
        if hint:
            _to_stderr(_styled("hint:", "36") + f"  {hint}")


def _fault_object(message: str, hint: str | None) -> dict[str, Any]:
    first, *listed = message.splitlines()
    more = {"listed": [" ".join(line.split()) for line in listed]} if listed else {}
    return {"error": first, "hint": hint, **more}


def show_warning(message: str, hint: str | None) -> None:
    """Show something that may spoil the result but does not stop the work."""
    _to_stderr(_styled("warning:", "33") + f" {message}")
    if hint:
        _to_stderr(_styled("hint:", "36") + f"  {hint}")


def _styled(word: str, code: str) -> str:
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        return word
    return f"\x1b[{code}m{word}\x1b[0m"


def show_table(table: Table) -> None:
    """Draw a table on a terminal; elsewhere print it as tab-separated lines for the next program."""
    if not sys.stdout.isatty():
        lines = ["\t".join(table.columns), *("\t".join(row) for row in table.rows)]
        write_out("\n".join(lines) + "\n")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    # As texts, since words of people's corpora may look like rich's markup.
    drawn = Drawn(box=box.SIMPLE_HEAD)
    # Every column counts in a window of 80.
    drawn.pad_edge, drawn.collapse_padding, drawn.show_edge = False, True, False
    for number, column in enumerate(table.columns):
        numeric = number and all(_is_number(row[number]) for row in table.rows)
        drawn.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    mark = _best_row(table)
    for number, row in enumerate(table.rows):
        drawn.add_row(*(Text(cell, style="bold" if number == mark else "") for cell in row))
    console = Console()
    wide = console.options.update(max_width=1 << 12)
    # Rather heads of several lines, and narrower gaps, than words that are broken.
    if console.measure(drawn, options=wide).maximum > console.width:
        for place in drawn.columns[1:]:
            if place.justify == "right":
                place.header = Text("\n".join(str(place.header).split()))
    if console.measure(drawn, options=wide).maximum > console.width:
        drawn.padding = (0, 0)
    console.print()
    # As parts of the table, title and note would be as narrow as it is.
    if table.title:
        console.print(Text(table.title, style="italic"))
    console.print(drawn)
    if table.note:
        console.print(Text(table.note, style="dim italic"))


def _is_number(cell: str) -> bool:
    """Tell numbers, intervals and empty cells from words."""
    return not any(letter.isalpha() for letter in cell)


def _best_row(table: Table) -> int | None:
    """Give the row whose value in the marked column is largest; the mark is a star and not only a style."""
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


class _RichTask:
    def __init__(self, bar: Any, number: Any) -> None:
        self._bar, self._number = bar, number

    def advance(self, count: int) -> None:
        self._bar.advance(self._number, count)


class _Bars:
    """Bars on standard error with amount, rate and time left; several at a time share one display."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._display: Any = None
        self._running = 0

    @contextmanager
    def task(self, title: str, total: int | None, unit: str) -> Iterator[Task]:
        with self._lock:
            if self._display is None:
                self._display = _display()
                self._display.start()
            self._running += 1
            display = self._display
        number = display.add_task(title, total=total, unit=unit)
        try:
            yield _RichTask(display, number)
        finally:
            display.remove_task(number)
            with self._lock:
                self._running -= 1
                if not self._running:
                    display.stop()
                    self._display = None


def _display() -> Any:
    """Give an empty display of bars on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Task as Row
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Row) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} {task.fields['unit']}/s" if speed else "")

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.completed:,.0f}"))
    return Progress(*columns, Rate(), TimeRemainingColumn(), console=Console(stderr=True), transient=True)
