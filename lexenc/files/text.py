"""Text files: lines, JSON Lines and tables are read as streams, and files are written completely or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

from lexenc.durable import replacing
from lexenc.errors import DataError
from lexenc.files.foreign import HEAD_BYTES, begins_like_xml, conversion, foreign_kind, markup_kind, wide_encoding
from lexenc.structured import parse_json
from lexenc.text.folding import trim

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
# Bytes that never occur in text.
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file of text or word vectors. gzip is recognised by content and unpacked.

    Raises:
        DataError: If the file does not exist, is a folder, is damaged, or is of another kind (`foreign_kind`).
    """
    if not path.exists():
        raise DataError(f"There is no file {path}.", hint="Check the path.")
    if path.is_dir():
        raise DataError(f"{path} is a folder, expected a file.", hint="Use a file in it.")
    with path.open("rb") as raw, _unpacked(raw, str(path)) as stream:
        _refuse_foreign(stream.peek(HEAD_BYTES), str(path), str(path))
        yield stream


@contextmanager
def _unpacked(raw: io.BufferedReader[Any], name: str) -> Iterator[Any]:
    try:
        if raw.peek(2).startswith(_GZIP):
            with gzip.open(raw) as unpacked:
                yield unpacked
        else:
            yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name} is damaged: {error}.", hint="Download or pack it again.") from None


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 file with their numbers, counted from 1.

    Lines end with LF or CR LF, or with CR if the first megabyte has no LF (old Macintosh files). No other character
    ends a line, not even U+0085 or U+2028. A byte order mark at the start is dropped.

    Raises:
        DataError: If a line is not UTF-8, with the byte, its offset and the line; or if the file is of another kind, or
            XML, PO or the like, whose markup would be read as words.
    """
    with open_bytes(path) as stream:
        yield from _decoded(stream, str(path), str(path))


def stream_lines(stream: IO[bytes], name: str = "standard input") -> Iterator[tuple[int, str]]:
    """Yield the lines of a stream like `read_lines`, each as soon as it has arrived.

    Args:
        stream: Standard input or the like. It stays open.
        name: Name for messages.

    Raises:
        DataError: As `read_lines`.
    """
    # Two bytes show whether it is packed. `peek` might return one if no more has arrived.
    again = io.BufferedReader(_Rejoined(stream.read(2), stream))
    with _unpacked(again, name) as unpacked:
        yield from _decoded(unpacked, name, "-")


class _Rejoined(io.RawIOBase):
    """A stream with some bytes put back in front. It returns what has arrived without waiting for more."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        super().__init__()
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._head:
            some, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            some = self._rest.read1(len(buffer))  # type: ignore[attr-defined]
        buffer[: len(some)] = some
        return len(some)


def _decoded(stream: IO[bytes], name: str, argument: str) -> Iterator[tuple[int, str]]:
    """Decode and number lines. `argument` is how other programs name the file on the command line."""
    offset, begun, mixed = 0, False, False
    for number, raw in enumerate(_raw_lines(stream), start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if number == 1:
            _refuse_foreign(raw, name, argument)
        if not begun and line.strip():
            # A file of messages may begin with comments.
            begun = not line.startswith(b"#")
            if begun:
                head = line + stream.read(HEAD_BYTES) if begins_like_xml(line) else line
                if found := markup_kind(head, argument):
                    raise DataError(f"{name} is {found[0]}, expected lines of text.", hint=found[1])
        if number == 1:
            refuse_wide(raw, name, argument)
        try:
            text = line.rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError as error:
            place = offset + error.start + len(raw) - len(line)
            where = f"(byte 0x{line[error.start]:02x} at offset {place}, line {number})"
            if _CONTROLS.search(raw):
                raise DataError(f"{name} is not a text file {where}.", hint="Use a file of UTF-8 text.") from None
            hint = conversion(line, error.start, argument, mixed=mixed)
            raise DataError(f"{name} is not UTF-8 {where}.", hint=hint) from None
        yield number, text
        mixed = mixed or not text.isascii()
        offset += len(raw)


def _refuse_foreign(head: bytes, name: str, argument: str) -> None:
    """Raise an error if a file that begins with `head` is neither text nor word vectors."""
    found = foreign_kind(head[:HEAD_BYTES], argument)
    if found:
        raise DataError(f"{name} is {found[0]}.", hint=found[1])


def refuse_wide(head: bytes, name: str, argument: str) -> None:
    """Raise an error if text has two or four bytes per character.

    Args:
        head: First bytes.
        name: Name of the file, for the message.
        argument: How other programs name it on the command line.

    Raises:
        DataError: If it is UTF-16 or UTF-32.
    """
    found = wide_encoding(head)
    if found:
        hint = f"Convert it: iconv -f {found} -t utf-8 {argument}"
        raise DataError(f"{name} is not UTF-8 but {found.upper()}.", hint=hint)


def _raw_lines(stream: IO[bytes]) -> Iterator[bytes]:
    head = stream.readline(1 << 20)
    if b"\r" not in head or head.endswith(b"\n"):
        first = head if head.endswith(b"\n") else head + stream.readline()
        yield from [first] if first else []
        yield from stream
    else:
        whole = head + stream.read()
        yield from (part + b"\r" for part in whole.rstrip(b"\r").split(b"\r"))


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the values of a JSON Lines file with their line numbers. Blank lines are skipped.

    Raises:
        DataError: If a line is not JSON, or as `parse_json`.
    """
    for number, line in read_lines(path):
        if line.strip():
            yield number, parse_json(line, f"{path}, line {number}", hint="One object per line.")


def separator_of(line: str, *, least: int = 2) -> str:
    """Return what separates the columns of a first line: a TAB, commas (at least `least`), or empty for spaces."""
    return "\t" if "\t" in line else "," if line.count(",") >= least else ""


def tab_hint(line: str) -> str:
    """Return a hint on a line that has no TAB between its columns."""
    sign = next((name for mark, name in ((",", "comma"), (";", "semicolon")) if mark in line), None)
    return f"Put a TAB between the columns{f', not a {sign}' if sign else ''}."


def refuse_csv(line: str, path: Path) -> None:
    """Raise an error if a first line without TABs has a comma or semicolon after its first word, as in `dog, Hund`."""
    word = line.split(" ")[0]
    if "\t" not in line and word[1:].endswith((",", ";")):
        raise DataError(f"{path}, line 1: '{word}' ends like a cell of CSV.", hint=tab_hint(line))


def csv_rows(
    lines: Iterable[str], path: Path, separator: str = ",", *, before: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of CSV text, each with the number of its last line.

    Args:
        lines: The text.
        path: Where it was read, for the error.
        separator: What separates the columns.
        before: Number of lines of the file before the text.

    Raises:
        DataError: If a cell is longer than 131,072 characters, as after a quotation mark that is not closed.
    """
    reader = csv.reader(lines, delimiter=separator)
    begin = before + 1
    try:
        for cells in reader:
            begin = before + reader.line_num + 1
            yield begin - 1, cells
    except csv.Error as error:
        raise DataError(
            f"{path}, line {begin}: {error}.", hint="Close all quotation marks, and shorten or remove the line."
        ) from None


def cells_of(line: str, separator: str, path: Path, number: int) -> list[str]:
    """Split a line at TABs, at commas outside quotes, or (if `separator` is empty) at runs of spaces.

    `path` and `number` are the place of the line, for the error if it cannot be split.
    """
    if separator == ",":
        return [trim(cell) for _, cells in csv_rows([line], path, before=number - 1) for cell in cells]
    if separator:
        return [trim(cell) for cell in line.split(separator)]
    return [cell for cell in map(trim, line.split(" ")) if cell]


def table_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a TSV or CSV table with their line numbers. The first line holds the names of the columns.

    Args:
        path: The file.
        needed: Columns that it must have.

    Raises:
        DataError: If a column is missing, or a row is too short.
    """
    hint, heads, separator = "Use the file as it was published.", list[str](), ","
    for number, line in read_lines(path):
        if not trim(line):
            continue
        separator = separator if heads else separator_of(line, least=0)
        cells = cells_of(line, separator, path, number)
        if not heads:
            heads = cells
            for name in needed:
                if name not in heads:
                    raise DataError(f"{path} has no column '{name}'.", hint=hint)
        elif len(cells) < len(heads):
            shown = counted(len(cells), "column")
            raise DataError(f"{path}, line {number}: {shown}, expected {len(heads)}.", hint=hint)
        else:
            yield number, dict(zip(heads, cells, strict=False))


def writing(path: Path) -> AbstractContextManager[IO[bytes]]:
    """Write a file of a result, completely or not at all, as `replacing`. The result is flushed as a whole later."""
    return replacing(path, flush=False)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines with LF. Bytes that were read as surrogate escapes are written as they were."""
    with writing(path) as stream:
        for line in lines:
            stream.write(line.encode("utf-8", "surrogateescape") + b"\n")


def write_table(path: Path, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Write a table with TABs between the columns. The first line holds their names."""
    write_lines(path, ("\t".join(row) for row in chain([heads], rows)))


def write_json_lines(path: Path, values: Iterable[Any]) -> None:
    """Write one JSON value per line. Bytes that are not UTF-8 are escaped, so that the file is valid UTF-8."""
    with writing(path) as stream:
        for value in values:
            stream.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")


def number_of(cell: str) -> float | None:
    """Return a number, or None if the text is not one."""
    try:
        return float(cell)
    except ValueError:
        return None


def counted(number: int, one: str, more: str | None = None) -> str:
    """Return a count with its noun: `1 word`, `1,200 words`. `more` is the plural if it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
