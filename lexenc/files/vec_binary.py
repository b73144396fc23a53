"""Word vectors in two binary formats, both often called `.bin`.

- word2vec: a text line `N D`, then for each row the word, a space and D little-endian float32 numbers. An LF before a
  word is dropped, because only some writers end rows with it. Words cannot contain spaces.
- fastText: a whole model. Words are sorted by frequency; their vectors include subwords. Other texts have vectors, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from lexenc.errors import DataError
from lexenc.files.text import writing
from lexenc.files.vec_report import Finding, ReadReport
from lexenc.files.vec_text import Floats, is_utf8
from lexenc.progress import RunningTask

FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
_CHUNK = 1 << 20
_LONGEST_WORD = 1 << 16


class _Bytes:
    """A stream with a buffer of the next bytes, for records of unknown length."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.data, self.at = stream, b"", 0

    def more(self) -> bool:
        """Read another chunk, and return False at the end of the file."""
        chunk = self._stream.read(_CHUNK)
        self.data, self.at = self.data[self.at :] + chunk, 0
        return bool(chunk)

    def find(self, mark: bytes, longest: int) -> int:
        """Return the position of the next `mark`, or -1 if it is not within `longest` bytes."""
        while (found := self.data.find(mark, self.at)) < 0:
            if len(self.data) - self.at > longest or not self.more():
                return -1
        return found

    def has(self, count: int) -> bool:
        """Return whether `count` more bytes can be read."""
        while len(self.data) - self.at < count:
            if not self.more():
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
            DataError: If the file ends early, is empty, or has infinite or undefined numbers.
        """
        source = _Bytes(stream)
        end = source.find(b"\n", 64)
        rows, width = (int(part) for part in source.data[:end].split())
        self.report.declared_rows, source.at = rows, end + 1
        if width < 1:
            raise DataError(f"{self.report.source}: the header declares vectors without columns.")
        room = rows if size is None else min(rows, size // (4 * width + 1) + 1)
        room = min(room, 1 << 22 if self.limit is None or self.keep_last else self.limit)
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
        for row in range(1, rows + 1):
            space = source.find(b" ", _LONGEST_WORD)
            if space >= 0:
                raw = source.data[source.at : space].removeprefix(b"\n")
                source.at = space + 1
            if space < 0 or not source.has(4 * width):
                raise DataError(
                    f"{self.report.source} ends in row {row:,} of {rows:,}.",
                    hint="The file is incomplete. Download it again.",
                )
            vector = np.frombuffer(source.data, "<f4", width, source.at)
            source.at += 4 * width
            word = raw.decode("utf-8", "surrogateescape")
            if self._usable(row, word, vector):
                yield row, word, vector

    def _usable(self, row: int, word: str, vector: Floats) -> bool:
        """Return whether a row can be used, and count its irregularities."""
        if not np.isfinite(vector).all():
            if not self.skip_bad:
                raise DataError(
                    f"{self.report.source}, row {row}: the vector of '{word}' has a number that is not finite.",
                    hint="Correct the file, or skip such rows with: lexenc map --bad-lines skip",
                )
            self.report.add(Finding.NON_FINITE, row)
            return False
        if not word:
            self.report.add(Finding.EMPTY_WORD, row)
            return False
        if not is_utf8(word):
            self.report.add(Finding.NOT_UTF8, row)
        if not vector.any():
            self.report.add(Finding.ZERO, row)
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


def _model(path: Path) -> Any:
    import fasttext

    try:
        return fasttext.load_model(str(path))
    except (ValueError, MemoryError, RuntimeError) as error:
        raise DataError(
            f"{path} cannot be read as a fastText model ({error}).", hint="Download the file again."
        ) from error


def read_fasttext(path: Path, report: ReadReport, limit: int | None, task: RunningTask) -> tuple[list[str], Floats]:
    """Read the words of a fastText model and their vectors, sorted by frequency.

    Args:
        path: A `.bin` file of fastText.
        report: Report to update.
        limit: Maximum number of words, None for all.
        task: Progress bar to update.

    Returns:
        Words, and vectors of shape [n, d], float32.

    Raises:
        DataError: If fastText cannot read it.
    """
    model = _model(path)
    words: list[str] = model.get_words(on_unicode_error="surrogateescape")[:limit]
    matrix = _vectors(model, words)
    task.advance(len(words))
    for row in np.flatnonzero(~matrix.any(axis=1)).tolist():
        report.add(Finding.ZERO, row + 1)
    for row, word in enumerate(words):
        if not word.isascii() and not is_utf8(word):
            report.add(Finding.NOT_UTF8, row + 1)
    if not words:
        raise DataError(f"{path} is a model without words.", hint="Check that it is the right file.")
    return words, matrix


def is_fasttext(path: Path) -> bool:
    """Return whether a file is a fastText model, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(FASTTEXT_MAGIC)) == FASTTEXT_MAGIC


class Subwords:
    """A loaded fastText model, which computes vectors of any words from their subwords.

    Args:
        path: A `.bin` file of fastText.

    Raises:
        DataError: If it is not a fastText model, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        if not is_fasttext(path):
            raise DataError(
                f"{path} is not a fastText model.", hint="Use a .bin file. Only a whole model has vectors of new words."
            )
        self._model = _model(path)

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._model.get_dimension())

    def vectors(self, words: Sequence[str]) -> Floats:
        """Return the vectors of n words, shape [n, d], float32.

        Vectors of unknown words are computed from their subwords, and are zero without any known subword. A phrase
        counts as one word.
        """
        return _vectors(self._model, words)


def _vectors(model: Any, words: Sequence[str]) -> Floats:
    matrix = np.empty((len(words), model.get_dimension()), np.float32)
    for row, word in enumerate(words):
        # Words that are not UTF-8 have vectors as well, hence bytes.
        matrix[row] = model.get_word_vector(word.encode("utf-8", "surrogateescape"))
    return matrix
