"""Text files: lines, JSON Lines and tables are read as streams, and files are written completely or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import IO, Any, Literal

from lexenc.durable import replacing
from lexenc.errors import DataError
from lexenc.files.foreign import (
    HEAD_BYTES,
    begins_like_xml,
    conversion,
    foreign_kind,
    is_tar,
    markup_kind,
    wide_encoding,
)
from lexenc.structured import parse_json
from lexenc.text.folding import trim

_GZIP = b"\x1f\x8b"
_XZ = b"\xfd7"  # of six bytes: two show enough, because no text begins with them
_BOM = b"\xef\xbb\xbf"
# Limits, so that a damaged file, or one made to do harm, takes no more memory than an honest one of its size.
LONGEST_LINE = 1 << 23
"""Bytes of a line: the longest novels have eight million letters."""
MOST_COLUMNS = 1 << 16
"""Numbers of a word vector: published ones have a few thousand at most."""
FREE_BYTES, MOST_PACKED = 1 << 23, 32
"""What may be unpacked: so many bytes, and so many for every packed one. Text becomes 3 to 20 times as long."""
# Memory for unpacking xz, which a file asks for: 65 MB if it was packed with `xz -9`.
_XZ_MEMORY = 1 << 27
_XZ_CHUNK = 1 << 16
# A file of this size of which less than the given part was ever written is a download that stopped, or made to do harm.
_HOLLOW_BYTES, _LEAST_WRITTEN = 1 << 26, 16
# Extents of a file that are looked at, so that one in thousands of pieces costs little.
_MOST_EXTENTS = 4096
# Bytes that never occur in text.
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@contextmanager
def open_bytes(path: Path, *, also: Literal["", "tar", "anything"] = "") -> Iterator[IO[bytes]]:
    """Open a file of text or word vectors. gzip and xz are recognised by content and unpacked.

    Args:
        path: The file.
        also: What else the file may be: a tar archive, or anything.

    Raises:
        DataError: If the file does not exist, is a folder, is damaged, or is of another kind (`foreign_kind`). Also if
            it becomes too long when it is unpacked, or if nearly nothing of it was ever written.
    """
    if not path.exists():
        raise DataError(f"There is no file {path}.", hint="Check the path.")
    if path.is_dir():
        raise DataError(f"{path} is a folder, expected a file.", hint="Use a file in it.")
    refuse_hollow(path)
    with path.open("rb") as raw, _unpacked(raw, str(path)) as stream:
        head = stream.peek(HEAD_BYTES)
        if not also or (also == "tar" and not is_tar(head)):
            _refuse_foreign(head, str(path), str(path))
        yield stream


def refuse_hollow(path: Path) -> None:
    """Raise an error if nearly all of a large file is a hole: no bytes on the disk, zeros when it is read.

    Raises:
        DataError: If it is so.
    """
    size = path.stat().st_size if path.is_file() else 0
    if size < _HOLLOW_BYTES or not hasattr(os, "SEEK_DATA"):
        return
    written = at = 0
    stream = os.open(path, os.O_RDONLY)
    try:
        for _ in range(_MOST_EXTENTS):
            start = os.lseek(stream, at, os.SEEK_DATA)
            at = os.lseek(stream, start, os.SEEK_HOLE)
            written += at - start
            if written * _LEAST_WRITTEN >= size:
                return
        return
    except OSError:  # no bytes after this position
        pass
    finally:
        os.close(stream)
    raise DataError(
        f"{path} has {size:,} bytes, of which only {written:,} were ever written.",
        hint="The file is incomplete. Copy or download it again.",
    )


class _Unpacked(io.RawIOBase):
    """What a stream of gzip or xz contains.

    Args:
        packed: The stream, at its start.
        name: Its name, for messages.
        xz: Whether it is xz.
    """

    def __init__(self, packed: IO[bytes], name: str, *, xz: bool) -> None:
        super().__init__()
        self._packed, self._name, self._program = _Counted(packed), name, "xz" if xz else "gzip"
        self._file: Any = _XzFile(self._packed) if xz else gzip.GzipFile(fileobj=self._packed, mode="rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._packed.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        some = self._file.read1(len(buffer))
        buffer[: len(some)] = some
        if self._file.tell() > FREE_BYTES + MOST_PACKED * self._packed.count:
            raise DataError(
                f"{self._name} becomes more than {MOST_PACKED} times as long when it is unpacked.",
                hint=f"Text does not. If the file is right, unpack it first: {self._program} -dc < FILE > UNPACKED",
            )
        return len(some)


class _XzFile:
    """A stream of xz that is unpacked in bounded memory, which `lzma.LZMAFile` cannot do.

    Args:
        packed: The stream, at its start.
    """

    def __init__(self, packed: _Counted) -> None:
        self._packed = packed
        self._begin()

    def _begin(self) -> None:
        self._at, self._decoder = 0, lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)

    def read1(self, size: int) -> bytes:
        """Return some bytes, at most `size`; none at the end."""
        some = b""
        while size > 0 and not some:
            packed = b""
            if self._decoder.eof:  # padding with zeros, and another stream, may follow
                packed = self._decoder.unused_data.lstrip(b"\0")
                while not packed:
                    more = self._packed.read(_XZ_CHUNK)
                    if not more:
                        return b""
                    packed = more.lstrip(b"\0")
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
            elif self._decoder.needs_input and not (packed := self._packed.read(_XZ_CHUNK)):
                raise EOFError("it ends before the end of its content")
            some = self._decoder.decompress(packed, size)
        self._at += len(some)
        return some

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position, counted from the start or (`whence` 1) from here; back by unpacking again."""
        target = offset + (self._at if whence == 1 else 0)
        if target < self._at:
            self._packed.seek(0)
            self._begin()
        while self._at < target and self.read1(min(_XZ_CHUNK, target - self._at)):
            pass
        return self._at


class _Counted:
    """A stream that counts the bytes that were read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.count = stream, 0

    def read(self, size: int = -1) -> bytes:
        some = self._stream.read(size)
        self.count += len(some)
        return some

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        self.count = self._stream.seek(offset, whence)
        return self.count


def too_wide(name: str, width: int) -> DataError:
    """Return the error of vectors with more numbers than `MOST_COLUMNS`."""
    return DataError(
        f"{name}: its vectors have {width:,} columns, at most {MOST_COLUMNS:,} are read.",
        hint="Check the header in its first line, the number of words and of columns.",
    )


@contextmanager
def _unpacked(raw: io.BufferedReader[Any], name: str) -> Iterator[Any]:
    try:
        head = raw.peek(2)
        if head.startswith((_GZIP, _XZ)):
            with io.BufferedReader(_Unpacked(raw, name, xz=head.startswith(_XZ)), 1 << 17) as unpacked:
                yield unpacked
        else:
            yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise DataError(f"{name} is damaged: {error}.", hint="Download or pack it again.") from None


def is_packed(stream: IO[bytes]) -> bool:
    """Return whether what `open_bytes` opened is packed."""
    return isinstance(getattr(stream, "raw", None), _Unpacked)


def bounded_lines(stream: IO[bytes], name: str, *, first: int = 1) -> Iterator[bytes]:
    """Yield the lines of a stream, each with its LF.

    Args:
        stream: The stream, at the start of a line.
        name: Its name, for the error.
        first: Number of this line.

    Raises:
        DataError: If a line is longer than `LONGEST_LINE`.
    """
    for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE + 1), b""), first):
        if len(line) > LONGEST_LINE:
            raise too_long(name, number)
        yield line


def too_long(name: str, number: int) -> DataError:
    """Return the error of a line that is longer than `LONGEST_LINE`."""
    return DataError(
        f"{name}, line {number}: it has more than {LONGEST_LINE:,} bytes.",
        hint="Is it a text with one sentence or word per line? Otherwise insert line feeds.",
    )


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
        if len(raw) > LONGEST_LINE:
            raise too_long(name, number)
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
    """Yield lines with what ends them. One that is longer than `LONGEST_LINE` is cut somewhere after it."""
    head = stream.readline(1 << 20)
    if b"\r" not in head or head.endswith(b"\n"):
        first = head if head.endswith(b"\n") else head + stream.readline(LONGEST_LINE)
        yield from [first] if first else []
        yield from iter(partial(stream.readline, LONGEST_LINE + 1), b"")
        return
    rest, blank = head, 0
    while rest:
        *lines, rest = rest.split(b"\r")
        for line in lines:
            if line:
                yield from repeat(b"\r", blank)
                yield line + b"\r"
            blank = 0 if line else blank + 1
        more = stream.read(1 << 20)
        if not more or len(rest) > LONGEST_LINE:
            break
        rest += more
    if rest:
        yield from repeat(b"\r", blank)
        yield rest + b"\r"


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


def begins_with_scores(path: Path) -> bool:
    """Return whether a table has a score, a text and a text in its rows, as LASER writes them.

    The first row of three columns decides of which either the first or the third is a number, but not both.
    """
    for _, line in read_lines(path):
        cells = line.split("\t")
        numbers = [number_of(cell) is not None for cell in cells]
        if len(cells) == 3 and numbers[0] != numbers[2]:
            return numbers[0]
    return False


def counted(number: int, one: str, more: str | None = None) -> str:
    """Return a count with its noun: `1 word`, `1,200 words`. `more` is the plural if it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
