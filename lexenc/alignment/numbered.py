"""A parallel corpus as numbers, one after the other: what statistical aligners read again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.alignment.compiled import compiled
from lexenc.errors import WorkError

Indices = NDArray[np.int64]
Numbers = NDArray[np.int32]

# Cells that are numbered at a time.
_CELLS = 1 << 26
_MOST_PAIRS = (1 << 31) - 1


class Side(NamedTuple):
    """The sentences of one language.

    Args:
        words: Number of every word, all sentences behind each other, shape [t], int32; may lie on disk.
        starts: Where each sentence begins, and the end of the last. Shape [n + 1], int64.
        types: How many different words there are; numbers are below it.
    """

    words: Numbers
    starts: Indices
    types: int

    @property
    def lengths(self) -> Indices:
        """Words of every sentence. Shape [n]."""
        return np.diff(self.starts)


class PairNumbers(NamedTuple):
    """A number for every pair of words that stand in a sentence pair together.

    Args:
        numbers: Of every cell: tables [target words, source words], one behind the other. Shape [cells], int32; may
            lie on disk.
        pairs: How many pairs; numbers are below it.
    """

    numbers: Numbers
    pairs: int


class Translations(NamedTuple):
    """Translations that are known beforehand.

    Args:
        source: Number of the source word, -1 for one that is not in the corpus. Shape [k].
        target: The same of its translation. Shape [k].
        weights: How many links each counts as. Shape [k], int64.
    """

    source: Indices
    target: Indices
    weights: Indices


class Known(NamedTuple):
    """How often words were linked before anything is seen.

    Args:
        pairs: By the number of a pair. Shape [pairs], int32.
        source: Of every source word, to whatever word. Shape [source types], int64.
        target: Of every target word. Shape [target types], int64.
    """

    pairs: Numbers
    source: Indices
    target: Indices


@dataclass(frozen=True)
class Bitext:
    """Sentences and their translations, as numbers.

    Args:
        source: Sentences.
        target: Their translations, as many.
        pairs: Numbers of the pairs of words, see `number_pairs`.
        known: Links that are known beforehand.
        turned: Whether `pairs` are those of the other direction.
    """

    source: Side
    target: Side
    pairs: PairNumbers
    known: Known | None = None
    turned: bool = False

    @classmethod
    def of(cls, source: Side, target: Side, translations: Translations | None = None) -> Bitext:
        """Number the pairs of words in memory."""
        partners = Partners.of(source, target)
        numbers = np.empty(cells_of(source, target)[-1], dtype=np.int32)
        known = None if translations is None else partners.known(translations, source.types, target.types)
        return cls(source, target, number_pairs(source, target, partners, numbers), known)

    def __len__(self) -> int:
        return len(self.source.starts) - 1

    @property
    def swapped(self) -> Bitext:
        """The same the other way round."""
        known = self.known and Known(self.known.pairs, self.known.target, self.known.source)
        return replace(self, source=self.target, target=self.source, known=known, turned=not self.turned)

    @property
    def cells(self) -> Indices:
        """Where the table of each sentence begins, words by words, and the end of the last. Shape [n + 1]."""
        return cells_of(self.source, self.target)

    def parts(self, cells: int) -> Iterator[tuple[int, int]]:
        """Give sentences from and to, about so many cells at a time."""
        return _parts(self.cells, cells)


def cells_of(source: Side, target: Side) -> Indices:
    """Give where the table of each sentence pair begins, and the end of the last. Shape [n + 1]."""
    sizes: Any = source.lengths * target.lengths
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


class Partners(NamedTuple):
    """The target words that stand in the sentence pairs of every source word, each once; their place is their number.

    Args:
        starts: Where the partners of every source word begin, and the end of the last. Shape [source types + 1].
        words: The partners. Shape [pairs], int32.
    """

    starts: Indices
    words: Numbers

    @classmethod
    def of(cls, source: Side, target: Side) -> Partners:
        """Go through a corpus.

        Raises:
            WorkError: If there are more than 2^31 different pairs.
        """
        occurrences, places = _by_word(source.words, source.types)
        owners = np.repeat(np.arange(len(source.starts) - 1, dtype=np.int32), source.lengths)[places]
        seen, starts = np.full(target.types, -1, dtype=np.int32), np.zeros(source.types + 1, dtype=np.int64)
        nothing = np.zeros(0, dtype=np.int32)
        _partners(occurrences, owners, target.words, target.starts, seen, starts, nothing)
        if starts[-1] > _MOST_PAIRS:
            raise WorkError(
                f"{starts[-1]:,} different pairs of words stand in sentence pairs together.",
                hint=f"Split the corpus; {_MOST_PAIRS:,} can be counted.",
            )
        words = np.empty(starts[-1], dtype=np.int32)
        seen[:] = -1
        _partners(occurrences, owners, target.words, target.starts, seen, starts, words)
        return cls(starts, words)

    def find(self, source: Indices, target: Indices) -> Indices:
        """Give the numbers of pairs of words, -1 where they never stand in a sentence pair together. Shape [k]."""
        found = np.full(len(source), -1, dtype=np.int64)
        _find(self.starts, self.words, source, target, found)
        return found

    def known(self, translations: Translations, source_types: int, target_types: int) -> Known:
        """Give known translations as links that were counted before."""
        source, target, weights = translations
        found = self.find(source, target)
        pairs = np.zeros(len(self.words), dtype=np.int32)
        np.add.at(pairs, found[found >= 0], weights[found >= 0].astype(np.int32))
        sums = [np.zeros(types, dtype=np.int64) for types in (source_types, target_types)]
        for words, own in zip((source, target), sums, strict=True):
            np.add.at(own, words[words >= 0], weights[words >= 0])
        return Known(pairs, *sums)


def number_pairs(
    source: Side,
    target: Side,
    partners: Partners,
    numbers: Numbers,
    *,
    told: Callable[[int], None] = lambda sentences: None,
) -> PairNumbers:
    """Number the pairs of words that stand in a sentence pair together.

    Pairs of one source word have numbers next to each other. Memory: what a part of the corpus takes.

    Args:
        source: Sentences.
        target: Their translations.
        partners: Of this corpus.
        numbers: Room for the number of every cell. Shape [cells]; may lie on disk.
        told: Called with how many sentence pairs have got theirs.
    """
    number = np.zeros(target.types, dtype=np.int32)
    cells = cells_of(source, target)
    for first, last in _parts(cells, _CELLS):
        begin, end = source.starts[first], source.starts[last]
        occurrences, places = _by_word(source.words[begin:end], source.types)
        owners = np.repeat(np.arange(first, last, dtype=np.int32), source.lengths[first:last])
        _number(
            occurrences, places + begin, owners[places], source.starts, target.words, target.starts,
            cells, *partners, number, numbers,
        )  # fmt: skip
        told(last - first)
    return PairNumbers(numbers, len(partners.words))


def _parts(cells: Indices, size: int) -> Iterator[tuple[int, int]]:
    """Cut sentence pairs into parts of about so many cells, at least one each."""
    first, count = 0, len(cells) - 1
    while first < count:
        last = max(first + 1, int(np.searchsorted(cells, cells[first] + size, side="right")) - 1)
        yield first, last
        first = last


@compiled
def _by_word(words: Any, types: int) -> Any:
    """Sort places by the word that stands there, and by place.

    Returns:
        Where the places of every word begin, and the end of the last, shape [types + 1]; the places.
    """
    starts = np.zeros(types + 1, dtype=np.int64)
    for word in words:
        starts[word + 1] += 1
    for word in range(types):
        starts[word + 1] += starts[word]
    room, places = starts[:-1].copy(), np.empty(len(words), dtype=np.int64)
    for place in range(len(words)):
        word = words[place]
        places[room[word]] = place
        room[word] += 1
    return starts, places


@compiled
def _partners(
    occurrences: Any, owners: Any, targets: Any, target_starts: Any, seen: Any, starts: Any, partners: Any
) -> None:
    """Fill in where the partners of every source word begin; where there is room for them, the partners too."""
    found = 0
    for word in range(len(occurrences) - 1):
        for place in range(occurrences[word], occurrences[word + 1]):
            sentence = owners[place]
            for row in range(target_starts[sentence], target_starts[sentence + 1]):
                target = targets[row]
                if seen[target] != word:
                    seen[target] = word
                    if len(partners):
                        partners[found] = target
                    found += 1
        starts[word + 1] = found


@compiled
def _find(starts: Any, partners: Any, source: Any, target: Any, found: Any) -> None:
    """Fill in the numbers of pairs of words."""
    for row in range(len(source)):
        word = source[row]
        if word < 0 or target[row] < 0:
            continue
        for place in range(starts[word], starts[word + 1]):
            if partners[place] == target[row]:
                found[row] = place
                break


@compiled
def _number(  # noqa: PLR0913 - one loop, for the speed of it
    occurrences: Any, places: Any, owners: Any, source_starts: Any, targets: Any, target_starts: Any, cells: Any,
    starts: Any, partners: Any, number: Any, numbers: Any,
) -> None:  # fmt: skip
    """Fill in the numbers of some sentences: word by word, whose partners are numbered by their place."""
    for word in range(len(occurrences) - 1):
        if occurrences[word] == occurrences[word + 1]:
            continue
        for partner in range(starts[word], starts[word + 1]):
            number[partners[partner]] = partner
        for place in range(occurrences[word], occurrences[word + 1]):
            sentence = owners[place]
            width = source_starts[sentence + 1] - source_starts[sentence]
            cell = cells[sentence] + places[place] - source_starts[sentence]
            for row in range(target_starts[sentence], target_starts[sentence + 1]):
                numbers[cell] = number[targets[row]]
                cell += width
