"""Word vectors in the binary format of word2vec.

A text line `N D`, then for each row the word, a space and D little-endian float32 numbers. Some writers end rows with
an LF. Some write words with spaces, although a space ends a word: `_Layout` finds out where a row ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from lexenc.errors import DataError
from lexenc.files.text import MOST_COLUMNS, too_wide, writing
from lexenc.files.vec_numbers import Bools
from lexenc.files.vec_report import Finding, ReadReport
from lexenc.files.vec_text import Floats, is_utf8
from lexenc.progress import RunningTask

_CHUNK = 1 << 20
_LONGEST_WORD = 1 << 16
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_LINE_FEED = 10
# Rows that are read at once, at most.
_BLOCK = 256
# Of fewer columns, bytes at a wrong position may all have usual sizes.
_FEW = 16
# Spaces of a word, one of which may be its end.
_MOST_SPACES = 64
# Numbers for which memory is reserved at first, whatever the header says.
_MOST_ROOM = 1 << 30
# Usual sizes of numbers, and the bits of the smallest and the largest.
_USUAL = np.array([1e-15, 1e10], np.float32)
_SMALLEST, _LARGEST = _USUAL.view(np.uint32)
_RANGE, _WITHOUT_SIGN = int(_LARGEST - _SMALLEST), np.uint32(0x7FFFFFFF)
_INFINITE, _BITS, _FLOAT = np.uint32(0x7F800000), np.dtype("<u4"), np.dtype("<f4")


class _Bytes:
    """A stream with a buffer, for records of unknown length. Positions are relative to the next byte."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.data, self.at = stream, b"", 0

    def _more(self) -> bool:
        """Read another chunk, and return False at the end of the file."""
        chunk = self._stream.read(_CHUNK)
        self.data, self.at = self.data[self.at :] + chunk, 0
        return bool(chunk)

    def find(self, mark: bytes, start: int = 0, longest: int = _LONGEST_WORD) -> int:
        """Return the position of the next `mark` after `start`, or -1 if it is not within `longest` bytes."""
        while (found := self.data.find(mark, self.at + start)) < 0:
            if len(self.data) - self.at - start > longest or not self._more():
                return -1
        return found - self.at

    def has(self, count: int) -> bool:
        """Return whether `count` more bytes can be read."""
        while len(self.data) - self.at < count:
            if not self._more():
                return False
        return True

    def part(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, fewer at the end of the file."""
        self.has(end)
        return self.data[self.at + start : self.at + end]


class _Layout:
    """Where the rows of a word2vec binary file begin and end.

    A word ends at its first space, unless the bytes after it are no vector, and those after a later space are one that
    the next row follows. Numbers of trained vectors have usual sizes, which the bytes of text and of numbers that are
    read from a wrong position nearly never have: text has values of at least 1e20, and its last space makes 1e-19.

    Args:
        source: The file, at its first row.
        width: Numbers of a vector.
        name: Name of the file, for messages.
    """

    def __init__(self, source: _Bytes, width: int, name: str) -> None:
        self._source, self._width, self._name = source, width, name
        # Rows after a doubtful one that must fit.
        self._ahead = 1 if width >= _FEW else 3
        # No more rows are in the buffer.
        self._most = min(_BLOCK, _CHUNK // (4 * width) + 1)
        self._room, self._block = np.empty((self._most, width), _BITS), self._most
        self._line_feeds = True
        ends = self._ends(0, self._ahead)
        self._line_feeds = False
        if not ends and not self._ends(0, self._ahead):
            ends = [source.find(b" ")]  # numbers of unusual sizes
        self._line_feeds = any(self._byte_after(end) == b"\n" for end in ends)

    def plain_rows(self) -> list[tuple[str, Floats]]:
        """Read the next rows of the buffer up to the first that is doubtful, many at once.

        Returns:
            Words and vectors, which are overwritten by the next call. They are finite and not zero.
        """
        if self._width < _FEW:
            return []
        data, start, step = self._source.data, self._source.at, 1 + 4 * self._width + self._line_feeds
        raw, starts = list[bytes](), [start]
        for row in range(self._block):
            end = data.find(b" ", start)
            if end <= start or end + step > len(data) or (self._line_feeds and data[end + step - 1] != _LINE_FEED):
                break
            raw.append(data[start:end])
            self._room[row] = np.frombuffer(data, _BITS, self._width, end + 1)
            start = end + step
            starts.append(start)
        bits = self._room[: len(raw)] & _WITHOUT_SIGN
        doubtful = ~(_usual(bits).all(axis=1) & bits.any(axis=1))
        good = int(doubtful.argmax()) if doubtful.any() else len(raw)
        if not _is_clean(b" ".join(raw[:good])):
            good = next((row for row, word in enumerate(raw[:good]) if not _is_clean(word)), good)
        # The row before a doubtful one may be the wrong one.
        good = max(good - 1, 0)
        self._block = min(max(2 * good, 8), self._most)
        self._source.at = starts[good]
        return [(word.decode("utf-8"), self._room[row].view(_FLOAT)) for row, word in enumerate(raw[:good])]

    def is_over(self, at: int = 0) -> bool:
        """Return whether the file ends at a position, perhaps with a line feed."""
        return not self._source.has(at + 2) and self._source.part(at, at + 1) in (b"", b"\n")

    def next_row(self, end: int) -> int:
        """Return the start of the row after the one whose word ends at `end`, -1 if this one cannot end there."""
        after = end + 1 + 4 * self._width
        if not self._line_feeds:
            return after
        byte = self._byte_after(end)
        return after + len(byte) if byte in (b"\n", b"") else -1

    def _byte_after(self, end: int) -> bytes:
        after = end + 1 + 4 * self._width
        return self._source.part(after, after + 1)

    def end_of_word(self, row: int, last: bool) -> int:
        """Return the end of the word of the next row, -1 if the file ends within the row.

        Args:
            row: Its number, for the error.
            last: Whether the header has no more rows.

        Raises:
            DataError: If no place or several places can be the end.
        """
        source = self._source
        first = source.find(b" ")
        if self._is_cut(first):
            return -1
        after, usual = self.next_row(first), self._is_usual(first)
        follows = after >= 0 and (_is_clean(self._word(after)) or self.is_over(after))
        single = self._width >= _FEW or not _is_clean(source.part(0, source.find(b" ", first + 1)))
        if usual and single and (follows or (last and after >= 0)):
            return first
        ends = self._ends(0, self._ahead)
        if not ends:
            # The word of the next row may be no UTF-8, or some numbers of this one may be unusual, but not both.
            odd = self._may_be_odd(first) if follows else usual and after >= 0 and self._fits(source.find(b" ", after))
            ends = [first] if odd else []
        if len(ends) == 1:
            return ends[0]
        shown = _CONTROL.sub(b"?", source.part(0, first)[:40]).decode("utf-8", "replace")
        raise DataError(
            f"{self._name}, row {row:,}: the word that begins with '{shown}' does not end at the first space, or the "
            "file is damaged: the rows after it do not fit.",
            hint="Write the file again, as .vec text or with underscores in place of spaces.",
        )

    def _word(self, at: int) -> bytes:
        """Return the bytes from a position to the next space."""
        return self._source.part(at, max(at, self._source.find(b" ", at)))

    def _is_cut(self, end: int) -> bool:
        """Return whether the file ends before the vector of the word that ends at `end`, -1 for no end."""
        return end < 0 or not self._source.has(end + 1 + 4 * self._width)

    def _fits(self, end: int) -> bool:
        """Return whether the numbers of a row have usual sizes, whatever its word, or the file ends within it."""
        return self._is_cut(end) or self._is_usual(end)

    def _may_be_odd(self, end: int) -> bool:
        """Return whether the numbers of a row are those of a vector although some have no usual size.

        Without line feeds nothing else shows where a row ends. A third of the numbers from a wrong position is usual,
        and the last one may have bytes of the next word.
        """
        bits = self._bits(end)
        usual, infinite = _usual(bits), bits >= _INFINITE
        most = usual if usual[-1] else infinite
        return self._line_feeds or bool(4 * most.sum() >= 3 * self._width)

    def _bits(self, end: int) -> NDArray[np.uint32]:
        """Return the bits of the numbers after the word that ends at `end`, without their signs."""
        return np.frombuffer(self._source.data, _BITS, self._width, self._source.at + end + 1) & _WITHOUT_SIGN

    def _is_usual(self, end: int) -> bool:
        """Return whether all numbers after the word that ends at `end` are zero or have a usual size."""
        return bool(_usual(self._bits(end)).all())

    def _ends(self, at: int, ahead: int) -> list[int]:
        """Return the ends of a word with usual numbers after it, and then `ahead` such rows or the end of the file."""
        return list(self._each_end(at, ahead, {}))

    def _each_end(self, at: int, ahead: int, known: dict[tuple[int, int], bool]) -> Iterator[int]:
        end = self._source.find(b" ", at)
        for _ in range(_MOST_SPACES):
            if self._is_cut(end) or not _is_clean(self._source.part(at, end)):
                break
            after = self.next_row(end) if self._is_usual(end) else -1
            if after >= 0 and (self.is_over(after) or not ahead or self._follow(after, ahead - 1, known)):
                yield end
            end = self._source.find(b" ", end + 1)

    def _follow(self, at: int, ahead: int, known: dict[tuple[int, int], bool]) -> bool:
        """Return whether a row can begin at a position, with what is `known` of the others."""
        if (at, ahead) not in known:
            found = self._is_cut(self._source.find(b" ", at)) or any(True for _ in self._each_end(at, ahead, known))
            known[at, ahead] = found
        return known[at, ahead]


def _usual(bits: NDArray[np.uint32]) -> Bools:
    """Return which numbers are zero or have a usual size. Bits without the sign have the order of the sizes."""
    # Below the smallest, the difference becomes large.
    usual: Bools = (bits - _SMALLEST <= _RANGE) | (bits == 0)
    return usual


def _is_clean(word: bytes) -> bool:
    """Return whether bytes are UTF-8 without control characters, as nearly all words are and no vector is."""
    if _CONTROL.search(word):
        return False
    try:
        word.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class BinaryReader:
    """Reader of a word2vec binary file.

    Args:
        report: Report to update.
        limit: Maximum number of distinct words, None for all.
        keep_last: Keep the last row of a repeated word instead of the first.
        skip_bad: Skip rows with infinite or undefined numbers instead of raising an error.
    """

    report: ReadReport
    limit: int | None
    keep_last: bool
    skip_bad: bool

    def read(self, stream: IO[bytes], size: int | None, task: RunningTask) -> tuple[list[str], Floats]:
        """Read the rows.

        Args:
            stream: The file, at its start.
            size: Length in bytes, None if unknown. It is used to reserve memory only.
            task: Progress bar to update.

        Returns:
            Words, and vectors of shape [n, d], float32.

        Raises:
            DataError: If the file ends within a row, is empty, has infinite or undefined numbers, or has a row of which
                it is not certain where it ends.
        """
        source = _Bytes(stream)
        end = source.find(b"\n")
        rows, width = (int(part) for part in source.data[:end].split())
        self.report.declared_rows, source.at = rows, source.at + end + 1
        if width < 1:
            raise DataError(f"{self.report.source}: the header declares vectors without columns.")
        if width > MOST_COLUMNS:
            raise too_wide(self.report.source, width)
        room = rows if size is None else min(rows, size // (4 * width + 1) + 1)
        room = min(room, _MOST_ROOM // width if self.limit is None or self.keep_last else self.limit)
        matrix = np.empty((max(room, 1), width), np.float32)
        index: dict[str, int] = {}
        words: list[str] = []
        for row, word, vector in self._rows(source, rows, width):
            task.advance(1)
            if word in index:
                self.report.add(Finding.DUPLICATE, row)
                if not self.keep_last:
                    continue
            index[word] = len(words)
            if len(words) == len(matrix):
                matrix.resize((len(words) + len(words) // 2 + 1, width), refcheck=False)
            matrix[len(words)] = vector
            words.append(word)
            if len(index) == self.limit:
                break
        if not words:
            raise DataError(f"{self.report.source} contains no word vectors.", hint="Check that it is the right file.")
        if len(index) < len(words):
            kept = sorted(index.values())
            return [words[row] for row in kept], matrix[kept]
        matrix.resize((len(words), width), refcheck=False)
        return words, matrix

    def _rows(self, source: _Bytes, rows: int, width: int) -> Iterator[tuple[int, str, Floats]]:
        """Yield number, word and vector of every row that can be used."""
        layout = _Layout(source, width, self.report.source)
        row = 1
        while not layout.is_over():
            for word, vector in layout.plain_rows():
                yield row, word, vector
                row += 1
            if layout.is_over():
                break
            end = layout.end_of_word(row, row == rows)
            if end < 0 and row <= rows:
                raise DataError(
                    f"{self.report.source} ends in row {row:,} of {rows:,}.",
                    hint="The file is incomplete. Download it again.",
                )
            if end < 0:
                self.report.add(Finding.BYTES_LEFT, row)
                break
            word = source.part(0, end).decode("utf-8", "surrogateescape")
            vector = np.frombuffer(source.data, _FLOAT, width, source.at + end + 1)
            source.at += layout.next_row(end)
            if self._usable(row, word, vector):
                yield row, word, vector
            row += 1
        if row - 1 != rows:
            self.report.add(Finding.HEADER_COUNT, 1)

    def _usable(self, row: int, word: str, vector: Floats) -> bool:
        """Return whether a row can be used, and count its irregularities."""
        if not np.isfinite(vector).all():
            if not self.skip_bad:
                raise DataError(
                    f"{self.report.source}, row {row}: the vector of '{word}' has a number that is not finite.",
                    hint="Correct the file, or add --bad-lines skip (map, map-hub, apply-mapping).",
                )
            self.report.add(Finding.NON_FINITE, row)
            return False
        if not word:
            self.report.add(Finding.EMPTY_WORD, row)
            return False
        if " " in word:
            self.report.add(Finding.SPACED, row)
        if not word.isascii() and not is_utf8(word):
            self.report.add(Finding.NOT_UTF8, row)
        sizes = np.abs(vector[vector != 0])
        if not sizes.size:
            self.report.add(Finding.ZERO, row)
        elif sizes.min() < _USUAL[0] or sizes.max() > _USUAL[1]:
            self.report.add(Finding.UNUSUAL, row)
        return True


def write_word2vec_binary(path: Path, words: Sequence[str], matrix: Floats) -> None:
    """Write the binary format of word2vec, completely or not at all.

    Args:
        path: The file. Its folder must exist.
        words: n words, without spaces.
        matrix: Shape [n, d].

    Raises:
        DataError: If a word is empty, or contains a space or a line feed.
    """
    if matrix.ndim != 2 or len(words) != len(matrix):
        raise ValueError(f"{len(words)} words for an array of shape {matrix.shape}")
    with writing(path) as stream:
        stream.write(b"%d %d\n" % matrix.shape)
        for start in range(0, len(words), 1024):
            part = np.ascontiguousarray(matrix[start : start + 1024], "<f4")
            rows: list[bytes] = []
            for word, vector in zip(words[start : start + 1024], part, strict=True):
                raw = word.encode("utf-8", "surrogateescape")
                if not raw or b" " in raw or b"\n" in raw:
                    raise DataError(
                        f"'{word}' cannot be written as word2vec binary: its words have no spaces and are not empty.",
                        hint="Replace spaces by underscores, or remove the word.",
                    )
                rows += (raw, b" ", vector.tobytes())
            stream.write(b"".join(rows))
