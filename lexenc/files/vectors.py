"""Reading and writing of word vectors in the usual formats.

The format is recognised by content: a folder with `vectors.npy` and `words.txt`, text with or without a header, the
binary format of word2vec (both also with gzip), or a fastText model. The treatment of irregular files is defined in
`vec_text` and counted in the report of the vectors.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lexenc.durable import reserve
from lexenc.errors import ConfigError, DataError
from lexenc.files.text import counted, is_packed, open_bytes, refuse_hollow, refuse_wide, writing
from lexenc.files.vec_binary import BinaryReader
from lexenc.files.vec_fasttext import FASTTEXT_MAGIC, read_fasttext
from lexenc.files.vec_report import Finding, ReadReport
from lexenc.files.vec_text import Floats, TextReader, header_width, is_utf8, parse_line
from lexenc.progress import SILENT, Progress
from lexenc.structured import read_npy, shown

Duplicates = Literal["first", "last"]
BadLines = Literal["error", "skip"]

_AGAIN = "Make the folder again."
_WORD_BYTES = 1 << 16  # how long words may be on average; longer ones are no word list
_HEAD_BYTES = 1 << 16
_ROWS_AT_ONCE = 4096
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class Vectors:
    """Words and their vectors.

    Attributes:
        words: Words in the order of the file. Bytes that are not UTF-8 are surrogate escapes.
        matrix: One row per word. Shape [n, d], float32, C-contiguous.
        report: Irregularities of the file.
    """

    words: list[str]
    matrix: Floats
    report: ReadReport

    def chosen(self, rows: Sequence[int] | NDArray[np.int64], words: list[str]) -> Vectors:
        """Return some rows under the given words. They are copied unless they are all rows.

        Args:
            rows: Row numbers in ascending order.
            words: Word of each row.
        """
        whole = len(rows) == len(self.words)
        return Vectors(words, self.matrix if whole else np.ascontiguousarray(self.matrix[rows]), self.report)


def index_of(words: Sequence[str]) -> dict[str, int]:
    """Return the row of every word, and the first one of a repeated word."""
    return dict(zip(reversed(words), range(len(words) - 1, -1, -1), strict=True))


def read_vectors(
    path: Path,
    *,
    limit: int | None = None,
    duplicates: Duplicates = "first",
    bad_lines: BadLines = "error",
    progress: Progress = SILENT,
) -> Vectors:
    """Read word vectors from a file or folder of any format.

    Args:
        path: The file or folder.
        limit: Maximum number of distinct words, read from the start; None for all.
        duplicates: Which row of a repeated word to keep.
        bad_lines: Whether a row that cannot be read is an error or skipped.
        progress: Progress bar to update.

    Returns:
        Vectors of shape [n, d] with n of at least 1.

    Raises:
        ConfigError: If `limit` is below 1.
        DataError: If there are no vectors, or some cannot be read.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit must be at least 1, got {limit}.")
    if path.is_dir():
        return _read_folder(path, limit, duplicates)
    report = ReadReport(str(path))
    with open_bytes(path) as stream, progress.task(f"Read {path.name}", limit, "words") as task:
        size = None if is_packed(stream) else path.stat().st_size
        report.form = _form(path, stream.read(_HEAD_BYTES))
        stream.seek(0)
        if report.form == "fastText model":
            words, matrix = read_fasttext(path, report, limit, task)
        elif report.form == "word2vec binary":
            binary = BinaryReader(report, limit=limit, keep_last=duplicates == "last", skip_bad=bad_lines == "skip")
            words, matrix = binary.read(stream, size, task)
        else:
            text = TextReader(report, limit=limit, duplicates=duplicates, bad_lines=bad_lines)
            matrix = text.read(stream, size, task)
            words = text.words
    return Vectors(words, matrix, report)


def read_two(
    first: Path,
    second: Path,
    *,
    limit: int | None = None,
    duplicates: Duplicates = "first",
    bad_lines: BadLines = "error",
    progress: Progress = SILENT,
) -> tuple[Vectors, Vectors]:
    """Read two files in parallel, like `read_vectors`."""
    read = partial(read_vectors, limit=limit, duplicates=duplicates, bad_lines=bad_lines, progress=progress)
    with ThreadPoolExecutor(2) as pool:
        left, right = pool.map(read, (first, second))
    return left, right


def _form(path: Path, head: bytes) -> str:
    """Return the format of a file from its first bytes."""
    if head.startswith(FASTTEXT_MAGIC):
        return "fastText model"
    refuse_wide(head, str(path), str(path))
    line, _, rest = head.partition(b"\n")
    width = header_width(line)
    if width is None or not rest:
        return "text"
    # In files with few dimensions the bytes of a float may look like the end of a line. If the name is that of a binary
    # file, all lines must be text.
    lines = rest.removesuffix(b"\n").split(b"\n")
    if path.suffix != ".bin":
        lines = lines[:1]
    elif len(head) == _HEAD_BYTES and len(lines) > 1:
        lines.pop()  # cut off
    if all(isinstance(parse_line(each, width), tuple) for each in lines):
        return "text"
    # The bytes of floats nearly always include control characters. Words of text files nearly never do.
    return "word2vec binary" if _CONTROL.search(rest[: 4 * width + 256]) or path.suffix == ".bin" else "text"


def _read_folder(folder: Path, limit: int | None, duplicates: Duplicates) -> Vectors:
    loaded = _load(folder, mmap=True)
    words, matrix, report = loaded.words, loaded.matrix, loaded.report
    table: dict[str, int] = {}
    used = 0
    for row, word in enumerate(words):
        if word in table:
            report.add(Finding.DUPLICATE, row + 1)
        if duplicates == "last" or word not in table:
            table[word] = row
        used = row + 1
        if len(table) == limit:
            break
    matrix = read_rows(matrix, 0, used)
    if len(table) < used:
        rows = sorted(table.values())
        words, matrix = [words[row] for row in rows], matrix[rows]
    else:
        words = words[:used]
    _refuse_infinite(folder, words, matrix)
    if not words:
        raise DataError(f"{folder} contains no word vectors.", hint="Check that it is the right folder.")
    for row in np.flatnonzero(~matrix.any(axis=1)).tolist():
        report.add(Finding.ZERO, row + 1)
    return Vectors(words, matrix, report)


def _refuse_infinite(folder: Path, words: Sequence[str], matrix: Floats) -> None:
    # The extremes show every infinite or undefined number without a second array.
    if matrix.size and not (np.isfinite(matrix.min()) and np.isfinite(matrix.max())):
        row = next(row for row, each in enumerate(matrix) if not np.isfinite(each).all())
        raise DataError(
            f"{folder}, row {row + 1}: the vector of {shown(words[row])} has a number that is not finite.", hint=_AGAIN
        )


def read_rows(matrix: Floats, start: int, stop: int) -> Floats:
    """Return a copy of some rows. If they lie on disk, the file is read and its map is not touched.

    So an error and not a signal comes if the file became shorter.

    Args:
        matrix: As `load_vectors` returns it. Shape [n, d].
        start: The first row.
        stop: The row after the last.

    Raises:
        DataError: If the file became shorter.
    """
    if not isinstance(matrix, np.memmap):
        return np.array(matrix[start:stop])
    columns = matrix.shape[1]
    place = matrix.offset + start * columns * matrix.itemsize
    read = np.fromfile(str(matrix.filename), np.float32, (stop - start) * columns, offset=place)
    if len(read) < (stop - start) * columns:
        raise DataError(f"{matrix.filename} became shorter while it was read.", hint="Run the same command again.")
    return read.reshape(stop - start, columns)


def load_vectors(folder: Path, *, mmap: bool = False) -> Vectors:
    """Load vectors that `save_vectors` wrote.

    Args:
        folder: Folder with `vectors.npy` and `words.txt`.
        mmap: Keep the vectors on disk, read-only, and load pages when they are used.

    Returns:
        The vectors as float32, shape [n, d]. Other types of floats are converted in memory.

    Raises:
        DataError: If a file is missing or damaged, their numbers of words differ, or a number is not finite.
    """
    loaded = _load(folder, mmap=mmap)
    _refuse_infinite(folder, loaded.words, loaded.matrix)
    return loaded


def _load(folder: Path, *, mmap: bool) -> Vectors:
    table, names = folder / "vectors.npy", folder / "words.txt"
    for path in (table, names):
        if not path.is_file():
            raise DataError(f"There is no {path}.", hint="Expected a folder with vectors.npy and words.txt.")
        refuse_hollow(path)
    stored = read_npy(table, mmap=mmap, dimensions=2, hint=_AGAIN)
    if not stored.shape[1]:
        raise DataError(f"{table} has vectors without a number.", hint=_AGAIN)
    if names.stat().st_size > _WORD_BYTES * (len(stored) + 1):
        raise DataError(f"{names} is too large for {counted(len(stored), 'word')}.", hint=_AGAIN)
    plain = stored.dtype == np.dtype("=f4") and stored.flags.c_contiguous
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused
        matrix: Floats = stored if plain else np.ascontiguousarray(stored, np.float32)
    report = ReadReport(str(folder), form="folder")
    text = names.read_bytes().decode("utf-8", "surrogateescape")
    lines = text.count("\n") + (not text.endswith("\n")) if text else 0
    if lines != len(matrix):
        raise DataError(
            f"{folder} has {counted(lines, 'word')} and {counted(len(matrix), 'vector')}.",
            hint=_AGAIN,
        )
    words = text.removesuffix("\n").split("\n") if text else []
    if not text.isascii():
        for row, word in enumerate(words):
            if not word.isascii() and not is_utf8(word):
                report.add(Finding.NOT_UTF8, row + 1)
    return Vectors(words, matrix, report)


def new_table(path: Path, rows: int, columns: int) -> np.memmap[Any, np.dtype[np.float32]]:
    """Make a `.npy` file of zeros and map it into memory, so that any number of rows can be filled in.

    Its space on the disk is reserved first. Otherwise a full disk would end the program with a signal.

    Args:
        path: The file. An older one is replaced.
        rows: n, at least 1.
        columns: d, at least 1.

    Returns:
        Shape [n, d], float32.

    Raises:
        OSError: If there is too little space. No file is left then.
    """
    head = _head(rows, columns)
    reserve(path, len(head) + 4 * rows * columns)
    with path.open("r+b") as stream:
        stream.write(head)
    return np.memmap(path, np.float32, mode="r+", offset=len(head), shape=(rows, columns))


def _head(rows: int, columns: int) -> bytes:
    """Return how a `.npy` file of a table of float32 begins."""
    stream = io.BytesIO()
    facts = {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}
    np.lib.format.write_array_header_1_0(stream, facts)
    return stream.getvalue()


def save_vectors(folder: Path, words: Sequence[str], matrix: Floats) -> None:
    """Write `vectors.npy` (float32) and `words.txt` (one word per line, with the bytes as read) to a folder.

    Args:
        folder: The folder. It is created if necessary.
        words: n words.
        matrix: Shape [n, d].

    Raises:
        DataError: If a word contains a line feed.
    """
    lines = _encode(words, matrix)
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder / "words.txt") as stream:
        stream.write(b"".join(line + b"\n" for line in lines))
    with writing(folder / "vectors.npy") as stream:
        # np.save would write to the file by itself, and not see that the last bytes found no space.
        stream.write(_head(*matrix.shape))
        for start in range(0, len(matrix), _ROWS_AT_ONCE):
            stream.write(np.ascontiguousarray(matrix[start : start + _ROWS_AT_ONCE], "<f4").data)


def write_vec(path: Path, words: Sequence[str], matrix: Floats, *, header: bool = True) -> None:
    """Write text, completely or not at all: words with the bytes as read, and numbers with six digits.

    Args:
        path: The file. Its folder must exist.
        words: n words.
        matrix: Shape [n, d].
        header: Whether to write n and d to the first line.

    Raises:
        DataError: If a word contains a line feed.
    """
    lines = _encode(words, matrix)
    numbers = b" %.6g" * matrix.shape[1]
    with writing(path) as stream:
        if header:
            stream.write(b"%d %d\n" % matrix.shape)
        for start in range(0, len(lines), 256):
            rows = matrix[start : start + 256].tolist()
            part = [
                word + numbers % tuple(row) + b"\n" for word, row in zip(lines[start : start + 256], rows, strict=True)
            ]
            stream.write(b"".join(part))


def _encode(words: Sequence[str], matrix: Floats) -> list[bytes]:
    """Return words as bytes, and check that they fit into lines."""
    if matrix.ndim != 2 or len(words) != len(matrix):
        raise ValueError(f"{len(words)} words for an array of shape {matrix.shape}")
    lines = [word.encode("utf-8", "surrogateescape") for word in words]
    for line in lines:
        if b"\n" in line:
            raise DataError(f"A word contains a line feed and cannot be written: {line!r}.", hint="Remove it.")
    return lines
