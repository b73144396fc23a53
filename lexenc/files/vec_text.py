"""Word vectors as text: the format, and a parser that is several times faster than a general one.

These are the rules. All irregularities are counted in the `ReadReport`.

- Only LF ends a line. One CR before it is dropped.
- A cell ends at one ASCII space or TAB. The last `d` cells are the vector, and the text before them is the word. A word
  may contain spaces. No-break and other Unicode spaces never separate cells. Spaces at the end are ignored.
- The first line is a header if it is two whole numbers. Otherwise most lines decide on `d` (`text_columns`), because
  words may end in numbers.
- The header's number of rows is not trusted. If most lines have more numbers than it has columns, that is an error. A
  byte order mark is dropped. Blank lines and lines with an empty word are skipped.
- The bytes of words are kept. Those that are not UTF-8 are surrogate escapes.
- A line with too few cells, or with a cell that is not a finite number, is an error or skipped.
- The first or the last line of a repeated word is kept.
- Vectors of zeros are kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, compress
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from lexenc.errors import DataError
from lexenc.files.text import LONGEST_LINE, MOST_COLUMNS, bounded_lines, counted, too_long, too_wide
from lexenc.files.vec_numbers import MANY, NUMBER, Bools, Cells, Ints, parse_cell, parse_many
from lexenc.files.vec_report import Fault, Finding, ReadReport
from lexenc.progress import RunningTask

Floats = NDArray[np.float32]

# Most temporary arrays of a block stay in the second-level cache, and Python's overhead is still small.
BLOCK_BYTES = 1 << 18
BOM = b"\xef\xbb\xbf"
_MARGIN, _HEAD_BYTES = 16, 1 << 16
# Numbers for which memory is reserved at first, whatever the header of a packed file says.
_MOST_ROOM = 1 << 28
_HEADER = re.compile(rb"(\d{1,18})[ \t]+(\d{1,9})[ \t]*\r?")


# A cell that is more likely the end of a word than a number of a vector with fractions, as in "windows 10".
_COUNT = re.compile(rb"[2-9]|[1-9]\d+")


def header_width(line: bytes) -> int | None:
    """Return the number of columns in a header, or None if the line is not a header."""
    header = _HEADER.fullmatch(line)
    return int(header[2]) if header else None


def split_line(line: bytes) -> list[bytes]:
    """Split a line (without its LF) into cells, without a CR and spaces at the end."""
    return re.split(rb"[ \t]", line.removesuffix(b"\r").rstrip(b" \t"))


def parse_line(line: bytes, width: int) -> tuple[bytes, list[float]] | Fault:
    """Parse one line. `TextReader` does the same for whole blocks.

    Args:
        line: The line without its LF.
        width: Number of cells of the vector, d.

    Returns:
        The word and its d numbers, or the fault of the line.
    """
    cells = split_line(line)
    if cells == [b""]:
        return Fault(Finding.BLANK, "nothing on the line")
    if len(cells) < width + 1:
        return Fault(
            Finding.WRONG_LENGTH,
            f"{counted(len(cells), 'cell')}, expected {width + 1} (the word and {counted(width, 'number')})",
        )
    values: list[float] = []
    for number, cell in enumerate(cells[-width:], len(cells) - width + 1):
        value = parse_cell(cell)
        if isinstance(value, Finding):
            kind = "finite number" if value is Finding.NON_FINITE else "number"
            shown = f"'{cell[:40].decode('utf-8', 'replace')}', not a {kind}"
            return Fault(value, f"cell {number} is {shown if cell else 'empty (two separators in a row)'}")
        values.append(value)
    text = line.removesuffix(b"\r").rstrip(b" \t")
    word = text[: len(text) - sum(map(len, cells[-width:])) - width]
    return (word, values) if word else Fault(Finding.EMPTY_WORD, "no word before the numbers")


def text_columns(stream: IO[bytes], name: str) -> int | None:
    """Return the number of columns of text vectors, and go back to the start of the file.

    It is that of the header, unless most lines have more numbers. Without a header, it is the one that most lines agree
    on. The first lines are enough if all of them agree. Otherwise all lines of the file count, so that their order does
    not matter.

    Args:
        stream: The file, at its start.
        name: Its name, for the error.

    Returns:
        The number, or None if several are as likely, or none fits most lines.

    Raises:
        DataError: If a line is longer than `LONGEST_LINE`.
    """
    head = stream.read(_HEAD_BYTES)
    complete, stop = len(head) < _HEAD_BYTES, head.rfind(b"\n") + 1
    stream.seek(0)
    lines = (head if complete else head[:stop]).removeprefix(BOM).split(b"\n")
    declared = header_width(lines[0])
    spans = _spans(lines if declared is None else lines[1:], declared)
    columns = _agreed_columns(spans, declared)
    agreed = columns == declared if declared is not None else set(spans) == {(columns, columns)}
    if not complete and not agreed:
        rest = (line.removesuffix(b"\n") for line in bounded_lines(stream, name))
        first = next(rest, b"").removeprefix(BOM)
        declared = header_width(first)
        spans = _spans(rest if declared is not None else chain([first], rest), declared)
        stream.seek(0)
    return _agreed_columns(spans, declared)


def _spans(lines: Iterable[bytes], declared: int | None) -> Counter[tuple[int, int]]:
    """Count how many lines can have vectors of which lengths: the least and the most numbers."""
    texts = (line.removesuffix(b"\r").rstrip(b" \t") for line in lines)
    return Counter(_span(text, declared) for text in texts if text)


def _span(text: bytes, declared: int | None) -> tuple[int, int]:
    separators = text.count(b" ") + text.count(b"\t")
    if declared is not None and separators <= declared:
        return declared, declared  # it has not more
    if separators > 2 * MOST_COLUMNS:
        return separators, separators  # too many to look at
    word, _, rest = text.partition(b"\t")
    cells = split_line(rest)
    if rest and b" " in word and all(NUMBER.fullmatch(cell) for cell in cells):
        return len(cells), len(cells)  # only a TAB ends the word
    cells = split_line(text)
    most = next((number for number, cell in enumerate(reversed(cells)) if not _is_number(cell)), len(cells) - 1)
    vector = cells[len(cells) - most :]
    least = next((most - number for number, cell in enumerate(vector) if not _COUNT.fullmatch(cell)), most)
    return (least if any(b"." in cell for cell in vector[most - least :]) else most), most


def _is_number(cell: bytes) -> bool:
    return parse_cell(cell) is not Finding.NOT_A_NUMBER


def _agreed_columns(spans: Counter[tuple[int, int]], declared: int | None) -> int | None:
    """Return the number of columns by what most lines say. `declared` is the number in the header."""
    if declared is not None:
        more = Counter({least: count for (least, _), count in spans.items() if least > declared})
        return more.most_common(1)[0][0] if 2 * more.total() > spans.total() else declared
    votes = {
        columns: sum(count for (least, most), count in spans.items() if least <= columns <= most)
        for span in spans
        for columns in span
    }
    best = max(votes.values(), default=0)
    chosen = [columns for columns, count in votes.items() if count == best]
    return chosen[0] if len(chosen) == 1 and 2 * best > spans.total() else None


@dataclass
class _Layout:
    """Places of the cells in a block.

    Attributes:
        line_starts: First byte of every line. Shape [lines].
        line_ends: The LF of every line. Shape [lines].
        word_ends: End of the word in complete lines, else the start of the line. Shape [lines].
        enough: Whether a line is complete, i.e. has all cells. Shape [lines].
        blank: Whether a line is blank. Shape [lines].
        spaced: Whether the word contains a separator. Shape [lines].
        starts: First byte of each number in complete lines. Shape [complete lines, d].
        ends: The byte after each number. Shape [complete lines, d].
    """

    line_starts: Ints
    line_ends: Ints
    word_ends: Ints
    enough: Bools
    blank: Bools
    spaced: Bools
    starts: Ints
    ends: Ints


def _separators(buffer: NDArray[np.uint8], start: int, end: int) -> tuple[Ints, Bools]:
    """Return the places of spaces, TABs, LFs and CRs before an LF, and which are LFs. The first is at `start - 1`."""
    found = np.flatnonzero(buffer[start - 1 : end] <= 32)
    found += start - 1
    kind = buffer.take(found, mode="clip")
    feed = kind == 10
    known = (kind == 32) | feed
    if not known.all():
        known |= kind == 9
        known |= (kind == 13) & (buffer.take(found + 1, mode="clip") == 10)
        found, feed = found[known], feed[known]
    return found, feed


def _lay_out(buffer: NDArray[np.uint8], start: int, end: int, width: int) -> _Layout:
    """Return the layout of `buffer[start:end]`, which ends with an LF. There is another LF at `start - 1`."""
    found, feed = _separators(buffer, start, end)
    feeds = np.flatnonzero(feed)
    before, last = feeds[:-1], feeds[1:]
    line_starts, line_ends = found[before] + 1, found[last]
    last = last.copy()
    # `last` becomes the separator after the last number, by going back over empty cells.
    while True:
        empty = (last > before) & (found[last] == found[last - 1] + 1)
        if not empty.any():
            break
        last -= empty
    cells = last - before
    blank, enough = cells == 0, cells > width
    chosen = last[enough]
    word_ends = line_starts.copy()
    word_ends[enough] = found[chosen - width]
    per_line = np.diff(feeds)
    if enough.all() and (per_line == per_line[0]).all() and (cells == cells[0]).all():
        # All lines have the same number of cells, so slices can be used.
        rows, stop = found[1:].reshape(-1, per_line[0]), int(cells[0])
        ends = np.ascontiguousarray(rows[:, stop - width : stop])
        starts = rows[:, stop - width - 1 : stop - 1] + 1
    else:
        at = chosen[:, None] + np.arange(1 - width, 1)
        ends = found.take(at, mode="clip")
        at -= 1
        starts = found.take(at, mode="clip")
        starts += 1
    return _Layout(line_starts, line_ends, word_ends, enough, blank, cells > width + 1, starts, ends)


def _decode(room: bytearray, starts: Ints, ends: Ints) -> tuple[list[str], Bools | None]:
    """Return the words of a block, and which are not UTF-8 (None if all are)."""
    raw = [room[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    if not raw:
        return [], None
    try:
        # Words cannot contain an LF, so they can be decoded together.
        return b"\n".join(raw).decode("utf-8").split("\n"), None
    except UnicodeDecodeError:
        words = [word.decode("utf-8", "surrogateescape") for word in raw]
        return words, np.array([not is_utf8(word) for word in words])


def is_utf8(word: str) -> bool:
    """Return whether a word read with surrogate escapes was valid UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in word)


def line_blocks(
    stream: IO[bytes], size: int = BLOCK_BYTES, *, longest: int = LONGEST_LINE
) -> Iterator[tuple[bytearray, int, int]]:
    """Read a file in blocks of whole lines.

    Args:
        stream: File to read.
        size: Bytes of a block, a multiple of 8. Blocks are larger if a line is longer.
        longest: Bytes of the longest line. A longer one is cut somewhere after so many.

    Yields:
        A buffer and the range of the block in it. The block ends with an LF, which is added to the last line if
        necessary. The buffer has an LF and 15 other bytes before the block and 8 bytes after it, and is overwritten in
        the next step.
    """
    usual = _MARGIN + size + 8
    room, kept = bytearray(usual), 0
    while True:
        filled = _fill(stream, room, _MARGIN + kept)
        at_end = filled < len(room) - 8
        if at_end and filled > _MARGIN and room[filled - 1] != 10:
            room[filled] = 10
            filled += 1
        room[_MARGIN - 1] = 10
        start = _MARGIN
        # A room that grew for a long line may hold several blocks.
        while cut := room.rfind(b"\n", start, min(start + size, filled)) + 1 or room.find(b"\n", start, filled) + 1:
            yield room, start, cut
            start = cut
        if at_end:
            return
        kept = filled - start
        if kept > longest:
            room[filled] = 10
            yield room, start, filled + 1
            return
        rest, room = room[start:filled], room if start > _MARGIN else room + bytearray(len(room) - _MARGIN - 8)
        if len(room) > usual and kept < size:
            room = bytearray(usual)
        room[_MARGIN : _MARGIN + kept] = rest


def _fill(stream: IO[bytes], room: bytearray, start: int) -> int:
    """Fill the buffer up to its last 8 bytes or the end of the file, and return the end of the filled part."""
    with memoryview(room) as view:
        while start < len(room) - 8:
            count = stream.readinto(view[start : len(room) - 8])  # type: ignore[attr-defined]
            if not count:
                break
            start += count
    return start


# Reasons to skip a line. Their codes begin with 1, and code 0 is a line that is used.
_REASONS = [Finding.BLANK, Finding.EMPTY_WORD, Finding.WRONG_LENGTH, Finding.NOT_A_NUMBER, Finding.NON_FINITE]
_CODE = {reason: code for code, reason in enumerate(_REASONS, 1)}
_FIRST_ERROR = _CODE[Finding.WRONG_LENGTH]


class TextReader:
    """Reader of one text file, block by block.

    Args:
        report: Report to update. Its `source` is used in messages.
        limit: Maximum number of distinct words, None for all.
        duplicates: Which row of a repeated word to keep.
        bad_lines: Whether a line that cannot be read is an error or skipped.
    """

    def __init__(
        self,
        report: ReadReport,
        *,
        limit: int | None = None,
        duplicates: Literal["first", "last"] = "first",
        bad_lines: Literal["error", "skip"] = "error",
    ) -> None:
        self.report, self.limit, self.duplicates, self.bad_lines = report, limit, duplicates, bad_lines
        self.words: list[str] = []
        self._seen: set[str] = set()
        self._cells = Cells()
        self._width, self._line, self._data_lines = 0, 1, 0
        self._matrix: Floats = np.empty((0, 0), np.float32)

    def read(self, stream: IO[bytes], size: int | None, task: RunningTask, block_bytes: int = BLOCK_BYTES) -> Floats:
        """Read the vectors up to the limit.

        Args:
            stream: The file, at its start. It must be seekable.
            size: Length in bytes, None if unknown. It is used to reserve memory only.
            task: Progress bar to update.
            block_bytes: Size of a block. The result does not depend on it.

        Returns:
            The vectors, shape [n, d], float32. Their words are in `words`.

        Raises:
            DataError: If there are no vectors, their number of columns is not certain, or a line cannot be read and bad
                lines are errors.
        """
        complete = True
        columns = text_columns(stream, self.report.source)
        if columns is not None and columns > MOST_COLUMNS:
            raise too_wide(self.report.source, columns)
        for room, start, end in line_blocks(stream, block_bytes):
            if not self._width:
                start = self._begin(room, start, end, columns)
            if start == end:
                continue
            if not self._matrix.shape[1]:
                self._reserve(room, start, end, size)
            if end - start > block_bytes:
                self._refuse_long(room, start, end)
            before = len(self.words)
            self._add(room, start, end)
            task.advance(len(self.words) - before)
            if self.limit is not None and len(self._seen) >= self.limit:
                complete = False
                break
        return self._finish(complete)

    def _begin(self, room: bytearray, start: int, end: int, columns: int | None) -> int:
        """Read byte order mark, blank lines at the start and header, and return the start of the vectors."""
        if self._line == 1 and room.startswith(BOM, start, end):
            self.report.add(Finding.BOM, 1)
            start += len(BOM)
        while start < end and not self._width:
            stop = room.index(b"\n", start, end)
            line = bytes(room[start:stop])
            header = _HEADER.fullmatch(line) if self._line == 1 else None
            cells = split_line(line)
            if not header and cells != [b""]:
                if columns is None:
                    raise self._error(
                        self._line,
                        "there is no header, and the lines do not show how many columns the vectors have",
                        "Write the number of words and of columns into a first line, e.g. '20000 300'.",
                    )
                self._width = columns
                self.report.add(Finding.NO_HEADER, self._line)
                break
            if header:
                self.report.declared_rows, self._width = int(header[1]), int(header[2])
                if not self._width:
                    raise self._error(1, "the header declares vectors without columns", "Correct the header.")
                if self._width != columns:
                    text = f"the header says {counted(self._width, 'column')}, but most lines have {columns}"
                    raise self._error(1, text, "Correct the first line of the file.")
            else:
                self.report.add(Finding.BLANK, self._line)
            if line.endswith(b"\r"):
                self.report.add(Finding.CRLF, self._line)
            self._line, start = self._line + 1, stop + 1
        room[start - 1] = 10
        if not self._width and start < end:
            raise self._error(self._line, "there are no numbers", "A line of word vectors is a word and its numbers.")
        return start

    def _refuse_long(self, room: bytearray, start: int, end: int) -> None:
        """Raise an error if a block, of one long line, is too long or has more cells than can be looked at."""
        if end - start > LONGEST_LINE:
            raise too_long(self.report.source, self._line)
        if (cells := room.count(b" ", start, end) + room.count(b"\t", start, end)) > 2 * MOST_COLUMNS:
            raise self._error(self._line, f"it has {cells:,} cells", "Insert line feeds between the vectors.")

    def _reserve(self, room: bytearray, start: int, end: int, size: int | None) -> None:
        """Reserve the matrix. Memory is used only for rows that are written."""
        declared = self.report.declared_rows
        rows = declared if declared is not None else 1 << 16
        if size is not None:
            least = size // (2 * self._width + 2) + 1
            guess = int(size / (end - start) * room.count(b"\n", start, end) * 1.05) + 16
            rows = min(least, rows if declared is not None else guess)
        else:
            rows = min(rows, _MOST_ROOM // self._width)
        if self.limit is not None and self.duplicates == "first":
            rows = min(rows, self.limit)
        self._matrix = np.empty((max(rows, 1), self._width), np.float32)

    def _add(self, room: bytearray, start: int, end: int) -> None:
        """Add the lines of a block to the words and the matrix."""
        buffer = np.frombuffer(room, np.uint8)
        layout = _lay_out(buffer, start, end, self._width)
        values, status = self._values(room, buffer, layout)
        good = np.flatnonzero(status == 0)
        words, not_utf8 = _decode(room, layout.line_starts[good], layout.word_ends[good])
        fresh = self._fresh(words)
        used, count = self._cut(good, fresh, len(status))
        self._raise_first(room, layout, status[:used])
        self._note_lines(buffer, layout, status[:used])
        kept = np.ones(count, np.bool_)
        if fresh is not None:
            self._note(Finding.DUPLICATE, good[:count][~fresh[:count]])
            if self.duplicates == "first":
                kept = fresh[:count]
        rows = good[:count][kept]
        if not_utf8 is not None:
            self._note(Finding.NOT_UTF8, rows[not_utf8[:count][kept]])
        self._note(Finding.SPACED, rows[layout.spaced[rows]])
        if len(rows) < len(values):
            values = values[(np.cumsum(layout.enough) - 1)[rows]]
        self._store(words if len(rows) == len(words) else list(compress(words, kept.tolist())), values, rows)
        self._line += used

    def _values(
        self, room: bytearray, buffer: NDArray[np.uint8], layout: _Layout
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return the numbers of a block, and for each line the code of the reason to skip it."""
        status = np.zeros(len(layout.blank), np.uint8)
        status[~layout.enough] = _CODE[Finding.WRONG_LENGTH]
        status[layout.blank] = _CODE[Finding.BLANK]
        status[layout.enough & (layout.word_ends == layout.line_starts)] = _CODE[Finding.EMPTY_WORD]
        starts, ends = layout.starts.ravel(), layout.ends.ravel()
        numbers, odd = self._cells.parse(buffer, starts, ends)
        if len(odd) >= MANY:
            quick = parse_many(buffer, starts[odd], ends[odd])
            if quick is not None:
                numbers[odd] = quick
                odd = odd[:0]
        if len(odd):
            lines = np.flatnonzero(layout.enough)[odd // self._width].tolist()
            bad: set[int] = set()
            for at, line, start, end in zip(odd.tolist(), lines, starts[odd].tolist(), ends[odd].tolist(), strict=True):
                value = parse_cell(bytes(room[start:end]))
                if not isinstance(value, Finding):
                    numbers[at] = value
                elif line not in bad:
                    # The first faulty cell determines the reason of a line.
                    bad.add(line)
                    status[line] = _CODE[value]
        return numbers.reshape(-1, self._width), status

    def _fresh(self, words: list[str]) -> Bools | None:
        """Return which words are new, or None if all are."""
        seen = self._seen
        distinct = set(words)
        if len(distinct) == len(words) and seen.isdisjoint(distinct):
            seen |= distinct
            return None
        fresh = np.zeros(len(words), np.bool_)
        for index, word in enumerate(words):
            if word not in seen:
                seen.add(word)
                fresh[index] = True
        return fresh

    def _cut(self, good: Ints, fresh: Bools | None, lines: int) -> tuple[int, int]:
        """Apply the limit, and return how many lines and how many good lines of the block are used."""
        if self.limit is None or len(self._seen) < self.limit:
            return lines, len(good)
        new = len(good) if fresh is None else int(np.count_nonzero(fresh))
        wanted = self.limit - (len(self._seen) - new)
        count = wanted if fresh is None else int(np.flatnonzero(fresh)[wanted - 1]) + 1
        return int(good[count - 1]) + 1, count

    def _raise_first(self, room: bytearray, layout: _Layout, status: NDArray[np.uint8]) -> None:
        wrong = np.flatnonzero(status >= _FIRST_ERROR)
        if self.bad_lines == "skip" or not len(wrong):
            return
        at = int(wrong[0])
        fault = parse_line(bytes(room[layout.line_starts[at] : layout.line_ends[at]]), self._width)
        text = fault.text if isinstance(fault, Fault) else "the line cannot be used"
        hint = "Correct or delete the line, or add --bad-lines skip (map, map-hub, apply-mapping)."
        raise self._error(self._line + at, text, hint)

    def _note(self, finding: Finding, lines: Ints) -> None:
        """Count a finding for some lines of the block."""
        if len(lines):
            self.report.add(finding, self._line + int(lines[0]), len(lines))

    def _note_lines(self, buffer: NDArray[np.uint8], layout: _Layout, status: NDArray[np.uint8]) -> None:
        if status.any():
            for code, reason in enumerate(_REASONS, 1):
                self._note(reason, np.flatnonzero(status == code))
        ends = layout.line_ends[: len(status)]
        self._note(Finding.CRLF, np.flatnonzero(buffer.take(ends - 1, mode="clip") == 13))
        self._data_lines += int(np.count_nonzero(status != _CODE[Finding.BLANK]))

    def _store(self, words: list[str], values: NDArray[np.float64], lines: Ints) -> None:
        start, stop = len(self.words), len(self.words) + len(words)
        if stop > len(self._matrix):
            # Large arrays grow without a copy, because their pages are moved.
            self._matrix.resize((stop + stop // 4, self._width), refcheck=False)
        np.copyto(self._matrix[start:stop], values, casting="same_kind")
        self.words += words
        likely = np.flatnonzero(self._matrix[start:stop, 0] == 0)
        if len(likely):
            self._note(Finding.ZERO, lines[likely[~self._matrix[start:stop][likely].any(axis=1)]])

    def _finish(self, complete: bool) -> Floats:
        report = self.report
        if not self.words:
            raise DataError(f"{report.source} contains no word vectors.", hint="Check that it is the right file.")
        if complete and report.declared_rows not in (None, self._data_lines):
            report.add(Finding.HEADER_COUNT, 1)
        if self.duplicates == "last":
            rows = sorted({word: row for row, word in enumerate(self.words)}.values())
            if len(rows) < len(self.words):
                for start in range(0, len(rows), 4096):
                    part = rows[start : start + 4096]
                    # Rows only move towards the start, so no row is overwritten before it is read.
                    self._matrix[start : start + len(part)] = self._matrix[part]
                self.words = [self.words[row] for row in rows]
        self._matrix.resize((len(self.words), self._width), refcheck=False)
        return self._matrix

    def _error(self, line: int, text: str, hint: str) -> DataError:
        return DataError(f"{self.report.source}, line {line}: {text}.", hint=hint)
