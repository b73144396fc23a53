"""A parallel corpus as numbers, one after the other: what statistical aligners read again and again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.alignment.compiled import compiled
from lexenc.alignment.pair_table import FREE, fill, slot_of

Indices = NDArray[np.int64]

# Up to so many cells their pairs are numbered, which takes some hundred megabytes.
MOST_CELLS = 1 << 25
_LOAD = 0.5


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


class PairNumbers(NamedTuple):
    """A number for every pair of words that stand in a sentence pair together.

    Args:
        numbers: Of every cell: tables [target words, source words], one behind the other. Shape [cells], int32.
        pairs: How many pairs.
    """

    numbers: NDArray[np.int32]
    pairs: int


@dataclass(frozen=True)
class Bitext:
    """Sentences and their translations, as numbers.

    Args:
        source: Sentences.
        target: Their translations, as many.
        pairs: Numbers of the pairs of words, which make everything faster where there is memory for them.
        turned: Whether `pairs` are those of the other direction.
    """

    source: Side
    target: Side
    pairs: PairNumbers | None = None
    turned: bool = False

    def __len__(self) -> int:
        return len(self.source.starts) - 1

    @property
    def swapped(self) -> Bitext:
        """The same the other way round."""
        return Bitext(self.target, self.source, self.pairs, not self.turned)

    def with_pairs(self, most: int = MOST_CELLS) -> Bitext:
        """Number the pairs of words, if there are no more than so many cells."""
        cells = int(self.cells[-1])
        if cells > most:
            return self
        source, target = self.source, self.target
        numbers = np.empty(cells, dtype=np.int32)
        keys, found = np.full((1 << 12, 2), -1, dtype=np.int64), 0
        first = 0
        while first < len(self):
            first, found = _number(
                source.words, source.starts, target.words, target.starts, keys, first, found, numbers
            )
            if first < len(self):
                keys = _grown(keys)
        return replace(self, pairs=PairNumbers(numbers, found), turned=False)

    @property
    def cells(self) -> Indices:
        """Where the table of each sentence begins, words by words, and the end of the last. Shape [n + 1]."""
        sizes: Any = self.source.lengths * self.target.lengths
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _grown(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give a table of four times as many slots, with what was in it."""
    made = np.full((4 * len(keys), 2), FREE, dtype=np.int64)
    fill(keys[keys[:, 0] != FREE], made)
    return made


@compiled
def _number(
    sources: Any, source_starts: Any, targets: Any, target_starts: Any, keys: Any, first: int, found: int, numbers: Any
) -> tuple[int, int]:
    """Number the pairs of the sentences from `first` on, in the order in which they come.

    Returns:
        The first sentence for which there was no room in the table, and how many pairs there are now.
    """
    cell = 0
    for sentence in range(first):
        cell += (source_starts[sentence + 1] - source_starts[sentence]) * (
            target_starts[sentence + 1] - target_starts[sentence]
        )
    for sentence in range(first, len(source_starts) - 1):
        width = source_starts[sentence + 1] - source_starts[sentence]
        height = target_starts[sentence + 1] - target_starts[sentence]
        if found + width * height > _LOAD * len(keys):
            return sentence, found
        for row in range(height):
            for place in range(width):
                word = sources[source_starts[sentence] + place]
                pair = (np.int64(word) << 32) | targets[target_starts[sentence] + row]
                slot = slot_of(keys, pair)
                if keys[slot, 0] == FREE:
                    keys[slot, 0] = pair
                    keys[slot, 1] = found
                    found += 1
                numbers[cell] = keys[slot, 1]
                cell += 1
    return len(source_starts) - 1, found
