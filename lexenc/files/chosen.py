"""A few words out of large files of vectors or words, in one pass and without holding the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from lexenc.errors import DataError
from lexenc.files.text import fold_case, open_bytes
from lexenc.files.vec_report import Fault
from lexenc.files.vec_text import header_width, parse_line, split_line
from lexenc.files.vectors import load_vectors
from lexenc.files.vocabularies import WORDS, read_vocabulary

_HEAD_BYTES = 1 << 16
_WORD_END = re.compile(rb"[ \t]")


def ranks_of(
    path: Path, words: Collection[str], *, lowercase: bool = False, language: str | None = None
) -> dict[str, int]:
    """Give the place of words in a vocabulary ordered by frequency, from 1; the first of several.

    Args:
        path: A folder with `words.txt`, a word list, or text vectors, also packed with gzip.
        words: The words that are asked for.
        lowercase: Whether the vocabulary is folded before it is looked at, so that its places count distinct forms.
        language: BCP-47 code, for folding.

    Raises:
        DataError: If the file is none of these.
    """
    wanted = set(words)
    found: dict[str, int] = {}
    for place, word in enumerate(_distinct(path, lowercase, language), start=1):
        if word in wanted:
            found[word] = place
            if len(found) == len(wanted):
                break
    return found


def _distinct(path: Path, lowercase: bool, language: str | None) -> Iterator[str]:
    seen: set[str] = set()
    for word in _words(path):
        folded = fold_case(word, language) if lowercase else word
        if folded not in seen:
            seen.add(folded)
            yield folded


def _words(path: Path) -> Iterator[str]:
    """Give the words of any vocabulary in order."""
    if path.is_dir() and (path / WORDS).is_file():
        with open_bytes(path / WORDS) as stream:
            for line in stream:
                yield line.rstrip(b"\n").decode("utf-8", "surrogateescape")
    elif path.is_dir() or (width := _width_of(path)) is None:
        yield from read_vocabulary(path).words
    else:
        for word, _ in _rows(path, width):
            yield word.decode("utf-8", "surrogateescape")


def chosen_vectors(
    path: Path, words: Collection[str], *, lowercase: bool = False, language: str | None = None
) -> tuple[list[str], np.ndarray]:
    """Read the vectors of some words; the first where a word is there several times.

    Args:
        path: A folder with `vectors.npy` and `words.txt`, or text vectors, also packed with gzip.
        words: The words that are asked for.
        lowercase: Whether the words of the file are folded before they are looked at.
        language: BCP-47 code, for folding.

    Returns:
        The words found, in the order of the file, and their vectors, shape [n, d], float32.

    Raises:
        DataError: If the file is something else: the binary formats are not read in part.
    """
    wanted = set(words)
    # Most lines are told apart by what stands before their first space, far sooner than by all their cells.
    beginnings = {word.split(" ", 1)[0] for word in wanted}
    found: dict[str, np.ndarray] = {}
    for raw, row in _candidates(path, lambda text: (fold_case(text, language) if lowercase else text) in beginnings):
        word = fold_case(raw, language) if lowercase else raw
        if word in wanted and word not in found:
            values = row()
            if values is not None:
                found[word] = values
            if len(found) == len(wanted):
                break
    return list(found), np.array(list(found.values()), dtype=np.float32)


_Test = Callable[[str], bool]


def _candidates(path: Path, may_begin: _Test) -> Iterator[tuple[str, _Row]]:
    if path.is_dir():
        loaded = load_vectors(path, mmap=True)
        for place, word in enumerate(loaded.words):
            yield word, _Row(matrix=loaded.matrix, place=place)
        return
    width = _width_of(path)
    if width is None:
        raise DataError(f"{path} holds no text vectors.", hint="Write them as text first: lexenc export --format vec")
    for name, line in _rows(path, width, may_begin):
        yield name.decode("utf-8", "surrogateescape"), _Row(line=line, width=width)


class _Row:
    """A row that is read when it is wanted."""

    def __init__(self, *, matrix: np.ndarray | None = None, place: int = 0, line: bytes = b"", width: int = 0) -> None:
        self._matrix, self._place, self._line, self._width = matrix, place, line, width

    def __call__(self) -> np.ndarray | None:
        if self._matrix is not None:
            return np.array(self._matrix[self._place], dtype=np.float32)
        parsed = parse_line(self._line, self._width)
        return None if isinstance(parsed, Fault) else np.array(parsed[1], dtype=np.float32)


def _width_of(path: Path) -> int | None:
    """Give the number of columns of text vectors; None for any other file."""
    with open_bytes(path) as stream:
        first = stream.readline(_HEAD_BYTES)
        width = header_width(first.rstrip(b"\n"))
        line = stream.readline(_HEAD_BYTES) if width is not None else first
    line = line.rstrip(b"\n")
    width = width if width is not None else len(split_line(line)) - 1
    return width if width > 1 and isinstance(parse_line(line, width), tuple) else None


def _rows(path: Path, width: int, may_begin: _Test = lambda text: True) -> Iterator[tuple[bytes, bytes]]:
    """Give the words of text vectors with their lines; the word is what stands before the numbers."""
    with open_bytes(path) as stream:
        first = stream.readline(_HEAD_BYTES)
        headed = header_width(first.rstrip(b"\n")) is not None
        for line in stream if headed else chain([first], stream):
            if not may_begin(_WORD_END.split(line, 1)[0].decode("utf-8", "surrogateescape")):
                continue
            cells = line.rsplit(maxsplit=width)
            if len(cells) == width + 1:
                yield cells[0], line.rstrip(b"\r\n")
