"""Some vectors of large files, read in one pass without keeping the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from lexenc.errors import DataError
from lexenc.files.text import bounded_lines, open_bytes
from lexenc.files.vec_report import Fault
from lexenc.files.vec_text import BOM, header_width, parse_line, text_columns
from lexenc.files.vectors import load_vectors, read_rows
from lexenc.text.folding import AS_IT_IS, Folding

_HEAD_BYTES = 1 << 16
_WORD_END = re.compile(rb"[ \t]")


def chosen_vectors(
    path: Path, words: Collection[str], *, folding: Folding = AS_IT_IS, language: str | None = None
) -> tuple[list[str], np.ndarray]:
    """Read the vectors of some words. If a word is repeated in the file, its first vector is read.

    Args:
        path: A folder with `vectors.npy` and `words.txt`, or text vectors; gzip is unpacked.
        words: Words to look up.
        folding: How the words of the file are folded.
        language: BCP-47 code for lower-casing.

    Returns:
        The words found, in the order of the file, and their vectors, shape [n, d], float32.

    Raises:
        DataError: If the file is something else. Binary formats cannot be read in part.
    """
    wanted = set(words)
    fold = partial(folding.fold, language=language)
    # Most lines can be skipped by the text before their first space, without splitting them into cells.
    beginnings = {word.split(" ", 1)[0] for word in wanted}
    found: dict[str, np.ndarray] = {}
    for raw, row in _candidates(path, lambda text: fold(text) in beginnings):
        word = fold(raw)
        if word in wanted and word not in found:
            values = row()
            if values is not None:
                found[word] = values
            if len(found) == len(wanted):
                break
    return list(found), np.array(list(found.values()), dtype=np.float32)


def _candidates(path: Path, may_begin: Callable[[str], bool]) -> Iterator[tuple[str, Callable[[], np.ndarray | None]]]:
    """Yield words with functions that read their vectors. In text the word is what stands before the numbers."""
    if path.is_dir():
        loaded = load_vectors(path, mmap=True)
        for place, word in enumerate(loaded.words):
            yield word, lambda place=place: read_rows(loaded.matrix, place, place + 1)[0]  # type: ignore[misc]
        return
    with open_bytes(path) as stream:
        width = text_columns(stream, str(path)) or 0
        first = stream.readline(_HEAD_BYTES).removeprefix(BOM)
        if header_width(first.rstrip(b"\n")) is not None:
            first = stream.readline(_HEAD_BYTES)
        if width < 2 or isinstance(parse_line(first.rstrip(b"\n"), width), Fault):
            hint = "Write text with: lexenc export --format vec"
            raise DataError(f"{path} is not a file of text vectors.", hint=hint)
        for line in chain([first], bounded_lines(stream, str(path), first=2)):
            if may_begin(_WORD_END.split(line, 1)[0].decode("utf-8", "surrogateescape")):
                cells = line.rsplit(maxsplit=width)
                if len(cells) == width + 1:
                    yield cells[0].decode("utf-8", "surrogateescape"), partial(_numbers, line.rstrip(b"\r\n"), width)


def _numbers(line: bytes, width: int) -> np.ndarray | None:
    parsed = parse_line(line, width)
    return None if isinstance(parsed, Fault) else np.array(parsed[1], dtype=np.float32)
