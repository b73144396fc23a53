"""Tables that a person edits in a spreadsheet, written and read as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from lexenc.errors import DataError
from lexenc.files.foreign import wide_encoding
from lexenc.files.text import csv_rows, open_bytes, writing
from lexenc.text.folding import trim

# A spreadsheet takes a cell that begins with one of these for a formula. It may split a cell at other characters than
# commas, even within quotes, and drop spaces, quotes, control characters and what has no width before a formula.
_ACTIVE = "[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b]"
_BEGIN = (
    "(?:^|[,;|\t\r\n])"
    '[\\x00-\\x08\\x0b\\x0c\\x0e-\\x20"\\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]*'
)
_DANGEROUS = re.compile(f"({_BEGIN})(?='*{_ACTIVE})")
_GUARDED = re.compile(f"({_BEGIN})'(?='*{_ACTIVE})")
_BOM = b"\xef\xbb\xbf"


def guarded(cell: str) -> str:
    """Return a cell with an apostrophe before everything that a spreadsheet could take for a formula."""
    return _DANGEROUS.sub(r"\1'", cell)


def unguarded(cell: str) -> str:
    """Return the text from which `guarded` made a cell."""
    return _GUARDED.sub(r"\1", cell)


def write_review_table(path: Path, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table for a spreadsheet: CSV with a byte order mark. No cell is taken for a formula."""
    with writing(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        table = csv.writer(text)
        table.writerow(heads)
        for row in rows:
            table.writerow([guarded(cell) for cell in row])
        text.detach()  # flushes it, and leaves the file open


def review_columns(path: Path) -> list[str]:
    """Return the names of the columns of a table, in lower case."""
    return _header(_read(path), path)[1]


def review_rows(path: Path, columns: Sequence[str], needed: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the place and the cells of every row, as a spreadsheet saved it: separated by commas, semicolons or TABs.

    Args:
        path: The file.
        columns: Columns that the table may have, in any order. A missing one is empty.
        needed: Columns that it must have.

    Raises:
        DataError: If a column is missing, or the file is not UTF-8 or UTF-16.
    """
    text = _read(path)
    lines, names, separator, skipped = _header(text, path)
    missing = [name for name in needed if name not in names]
    if missing:
        shown = ", ".join(f"'{name}'" for name in missing)
        raise DataError(
            f"{path}, line {1 + skipped}: no column {shown} in the header.",
            hint=f"A review file has the columns {', '.join(columns)}.",
        )
    begin = 2 + skipped
    for last, cells in csv_rows(lines, path, separator, before=1 + skipped):
        place, begin = f"{path}, line {begin}", last + 1
        if not any(map(trim, cells)):
            continue
        row = dict.fromkeys(columns, "")
        row |= {name: trim(unguarded(cell)) for name, cell in zip(names, cells, strict=False)}
        yield place, row


def _header(text: str, path: Path) -> tuple[io.StringIO, list[str], str, int]:
    """Return the lines after the header, the names of the columns, what separates them, and the lines before it."""
    lines = io.StringIO(text, newline="")
    head = lines.readline()
    skipped = 0
    if head.lower().startswith("sep="):  # written by some spreadsheets
        skipped, head = 1, lines.readline()
    separator = max(",;\t", key=head.count)
    names = [trim(cell).lower() for cell in next(csv_rows([head], path, separator), (0, []))[1]]
    return lines, names, separator, skipped


def _read(path: Path) -> str:
    with open_bytes(path) as stream:
        return _text(stream, path)


def _text(stream: IO[bytes], path: Path) -> str:
    body = stream.read()
    try:
        # UTF-16 is the "Unicode text" of spreadsheets.
        return body.removeprefix(_BOM).decode(wide_encoding(body) or "utf-8")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{body[error.start]:02x} is not {error.encoding.upper()}.",
            hint="In the spreadsheet, save it as 'CSV UTF-8'.",
        ) from None
