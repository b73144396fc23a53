"""Lines of text files: where they end, which bytes are text, how files are written whole or not at all."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lexenc.errors import ConfigError, DataError

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Bytes that no text has, and beginnings of files whose first line has none of them.
_CONTROLS, _PICTURES = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]"), (b"\x89PNG", b"\xff\xd8\xff")
# Turkish, Azerbaijani, Crimean Tatar and Tatar, by each of their codes.
_TURKIC = ("tr", "tur", "az", "aze", "azj", "crh", "tt", "tat")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.IGNORECASE)


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked where it is packed with gzip (by content, whatever its name).

    Raises:
        DataError: If it is not there, is a folder, or ends before its packed data does.
    """
    if not path.exists():
        raise DataError(f"There is no file {path}.", hint="Check the path.")
    if path.is_dir():
        raise DataError(f"{path} is a folder, expected a file.", hint="Give the file in it.")
    with path.open("rb") as raw, _unpacked(raw, str(path)) as stream:
        yield stream


@contextmanager
def _unpacked(raw: io.BufferedReader[Any], name: str) -> Iterator[IO[bytes]]:
    """Give the bytes of a stream, unpacked where they are packed."""
    try:
        if raw.peek(2).startswith(_GZIP):
            with gzip.open(raw) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name} is damaged: {error}.", hint="Fetch or pack it again.") from None


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines of a UTF-8 file with their numbers, from 1.

    LF ends a line, CR LF too; in a file without any LF in its first megabyte, CR alone does (an old Macintosh file).
    No other character does: U+0085 and U+2028 stay inside. A byte order mark at the start is dropped.

    Raises:
        DataError: If a line is not UTF-8, with the byte, its offset and the line.
    """
    with open_bytes(path) as stream:
        yield from _decoded(stream, str(path), str(path))


def stream_lines(stream: IO[bytes], name: str = "standard input") -> Iterator[tuple[int, str]]:
    """Give the lines of a stream under the rules of `read_lines`, each as soon as it has come.

    Args:
        stream: Standard input or the like; stays open.
        name: What messages call it.

    Raises:
        DataError: As `read_lines`.
    """
    # Two bytes tell whether it is packed; one could be all that has come so far.
    again = io.BufferedReader(_Rejoined(stream.read(2), stream))
    with _unpacked(again, name) as unpacked:
        yield from _decoded(unpacked, name, "-")


class _Rejoined(io.RawIOBase):
    """A stream of which some bytes were read, from its beginning; gives what has come without waiting for more."""

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
    """Decode and number lines.

    Args:
        stream: Unpacked bytes.
        name: For the message.
        argument: How a program is told to read it.
    """
    offset = 0
    for number, raw in enumerate(_raw_lines(stream), start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        try:
            yield number, line.rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError as error:
            place = offset + error.start + len(raw) - len(line)
            where = f"(byte 0x{line[error.start]:02x} at offset {place}, line {number})"
            if _is_binary(raw):
                raise DataError(f"{name} is no text file {where}.", hint="Give a file of UTF-8 text.") from None
            hint = f"Convert it: iconv -f {'utf-16' if raw.startswith(_UTF16) else 'latin1'} -t utf-8 {argument}"
            raise DataError(f"{name} is not UTF-8 {where}.", hint=hint) from None
        offset += len(raw)


def _is_binary(line: bytes) -> bool:
    """Tell whether a line that is not UTF-8 is no text in another encoding either."""
    return line.startswith(_PICTURES) or (bool(_CONTROLS.search(line)) and not line.startswith(_UTF16))


def _raw_lines(stream: IO[bytes]) -> Iterator[bytes]:
    head = stream.readline(1 << 20)
    if b"\r" not in head or head.endswith(b"\n"):
        first = head if head.endswith(b"\n") else head + stream.readline()
        yield from [first] if first else []
        yield from stream
    else:
        whole = head + stream.read()
        yield from (part + b"\r" for part in whole.rstrip(b"\r").split(b"\r"))


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file aside and give it its name when the block ends well; otherwise nothing stays.

    Args:
        path: The final name; its folder must exist.
    """
    aside = path.with_name(f".{path.name}.partial")
    try:
        with aside.open("wb") as stream:
            yield stream
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines with LF, each word with the bytes it was read with."""
    with writing(path) as stream:
        for line in lines:
            stream.write(line.encode("utf-8", "surrogateescape") + b"\n")


def fold_case(text: str, language: str | None = None) -> str:
    """Lower-case a text as its language does.

    Args:
        text: Any text.
        language: BCP-47 code. Turkish and its relatives have a dotless i: `I` becomes `ı`, `İ` becomes `i`.
    """
    if language is not None and language.split("-")[0].lower() in _TURKIC:
        text = text.replace("İ", "i").replace("I", "ı")
    return text.lower()


def counted(number: int, one: str, more: str | None = None) -> str:
    """Write a count with its noun: `1 word`, `1,200 words`.

    Args:
        number: How many there are.
        one: The singular.
        more: The plural, where it is not made with an s.
    """
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def check_language(code: str, label: str) -> None:
    """Refuse what is no language code; it would silently be folded like English.

    Args:
        code: The user's words.
        label: The option, for the message.

    Raises:
        ConfigError: If it does not look like BCP-47: a code of two or three letters, then subtags.
    """
    if _LANGUAGE.fullmatch(code):
        return
    hint = "Give its code: 'tr' for Turkish, 'az' for Azerbaijani, 'de' or 'de-AT' for German."
    if _LANGUAGE.fullmatch(code.replace("_", "-")):
        hint = f"Write a hyphen: '{code.replace('_', '-')}'."
    raise ConfigError(f"{label} must be a language code, got '{code}'.", hint=hint)


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Give the objects of a JSON Lines file with their line numbers.

    Raises:
        DataError: If a line is not JSON.
    """
    import json

    for number, line in read_lines(path):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error}).", hint="One object per line.") from None
