"""A parallel corpus as numbers, one after the other: what statistical aligners read again and again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class Side(NamedTuple):
    """The sentences of one language.

    Args:
        words: Number of every word, all sentences behind each other, shape [t], int32; may lie on disk.
        starts: Where each sentence begins, and the end of the last. Shape [n + 1], int64.
        types: How many different words there are; numbers are below it.
    """

    words: NDArray[np.int32]
    starts: Indices
    types: int

    @property
    def lengths(self) -> Indices:
        """Words of every sentence. Shape [n]."""
        return np.diff(self.starts)


class Bitext(NamedTuple):
    """Sentences and their translations, as numbers.

    Args:
        source: Sentences.
        target: Their translations, as many.
    """

    source: Side
    target: Side

    def __len__(self) -> int:
        return len(self.source.starts) - 1

    @property
    def swapped(self) -> Bitext:
        """The same the other way round."""
        return Bitext(self.target, self.source)

    @property
    def cells(self) -> Indices:
        """Where the table of each sentence begins, words by words, and the end of the last. Shape [n + 1]."""
        sizes: Any = self.source.lengths * self.target.lengths
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
