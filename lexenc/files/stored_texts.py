"""Texts on the disk that are used like a list: any number of them in constant memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from lexenc.arrays import Indices
from lexenc.files.text import writing


class StoredTexts(Sequence[str]):
    """Texts of a file, one per line, in any order.

    Args:
        path: A file that `write_texts` wrote.
        starts: First byte of each text. Shape [n].
        ends: The byte after each text. Shape [n].
    """

    def __init__(self, path: Path, starts: Indices, ends: Indices) -> None:
        self.starts, self.ends = starts, ends
        with path.open("rb") as stream:
            # An empty file cannot be mapped into memory.
            self._bytes = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            ends = self.ends[place].tolist()
            return [self._text(*each) for each in zip(self.starts[place].tolist(), ends, strict=True)]
        return self._text(int(self.starts[place]), int(self.ends[place]))

    def _text(self, start: int, end: int) -> str:
        return self._bytes[start:end].decode("utf-8", "surrogateescape")


def write_texts(path: Path, texts: Iterable[str]) -> Indices:
    """Write texts without line breaks, one per line, and return where each begins, and the end. Shape [n + 1]."""
    starts = [0]
    with writing(path) as stream:
        for text in texts:
            starts.append(starts[-1] + stream.write(text.encode("utf-8", "surrogateescape") + b"\n"))
    return np.array(starts, dtype=np.int64)
