"""A parallel corpus as numbers: what statistical aligners read again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices, Ragged, batches, starts_of
from lexenc.compiled import compiled
from lexenc.errors import WorkError

Numbers = NDArray[np.int32]

# Cells that are numbered at a time.
_CELLS = 1 << 26
_MOST_PAIRS = (1 << 31) - 1


@dataclass(frozen=True)
class Side(Ragged):
    """The sentences of one language: the number of every word, int32.

    Args:
        types: Number of different words. All numbers are below it.
    """

    types: int = 0


class KnownLinks(NamedTuple):
    """Counts of links from which sampling starts.

    Args:
        pairs: By the number of a pair of words. Shape [pairs], int32.
        source: Of every source word, to any word. Shape [source types], int64.
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
        numbers: Number of the pair of words of every cell: tables [target words, source words], one behind the other.
            Shape [cells], int32. May lie on disk.
        pairs: Number of different pairs of words. All `numbers` are below it.
        known: Links that are known beforehand.
        turned: Whether `numbers` are those of the other direction.
    """

    source: Side
    target: Side
    numbers: Numbers
    pairs: int
    known: KnownLinks | None = None
    turned: bool = False

    @classmethod
    def of(
        cls,
        source: Side,
        target: Side,
        translations: tuple[Indices, Indices, Indices] | None = None,
        *,
        numbers: Numbers | None = None,
        numbered: bool = False,
        advance: Callable[[int], None] = lambda sentences: None,
    ) -> Bitext:
        """Number the pairs of words that occur together in a sentence pair.

        The pairs of one source word have consecutive numbers. Needs memory for a part of the corpus only, if `numbers`
        lie on disk.

        Args:
            source: Sentences.
            target: Their translations.
            translations: Translations that are known beforehand: number of the source word, -1 for a word that is not
                in the corpus; number of its translation; number of links that each counts as. Shape [k] each, int64.
            numbers: Array that the numbers are written into. Shape [cells].
            numbered: Whether `numbers` are filled in already.
            advance: Called with the number of sentence pairs after each part.

        Raises:
            WorkError: If there are more than 2^31 different pairs.
        """
        partners = _partners_of(source, target)
        if numbers is None:
            numbers = np.empty(cells_of(source, target)[-1], dtype=np.int32)
        if not numbered:
            _number_pairs(source, target, partners, numbers, advance)
        known = translations and _known(*translations, partners, source.types, target.types)
        return cls(source, target, numbers, len(partners.values), known)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def swapped(self) -> Bitext:
        """The same corpus in the other direction."""
        known = self.known and KnownLinks(self.known.pairs, self.known.target, self.known.source)
        return replace(self, source=self.target, target=self.source, known=known, turned=not self.turned)

    @property
    def cells(self) -> Indices:
        """Where the table of each sentence begins, and the end of the last. Shape [n + 1]."""
        return cells_of(self.source, self.target)


def cells_of(source: Side, target: Side) -> Indices:
    """Return where the table of each sentence pair begins, and the end of the last. Shape [n + 1]."""
    return starts_of(source.lengths * target.lengths)


def _partners_of(source: Side, target: Side) -> Ragged:
    """List the target words that occur in the sentence pairs of every source word, each once.

    The position of a partner in `values` is the number of the pair.
    """
    occurrences, places = _by_word(source.values, source.types)
    owners = np.repeat(np.arange(len(source), dtype=np.int32), source.lengths)[places]
    seen, starts = np.full(target.types, -1, dtype=np.int32), np.zeros(source.types + 1, dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int32)
    _partners(occurrences, owners, target.values, target.starts, seen, starts, nothing)
    if starts[-1] > _MOST_PAIRS:
        raise WorkError(
            f"The corpus has {starts[-1]:,} different pairs of words; at most {_MOST_PAIRS:,} can be counted.",
            hint="Split the corpus.",
        )
    words = np.empty(starts[-1], dtype=np.int32)
    seen[:] = -1
    _partners(occurrences, owners, target.values, target.starts, seen, starts, words)
    return Ragged(starts, words)


def _number_pairs(
    source: Side, target: Side, partners: Ragged, numbers: Numbers, advance: Callable[[int], None]
) -> None:
    number = np.zeros(target.types, dtype=np.int32)
    cells = cells_of(source, target)
    for part in batches(np.diff(cells), _CELLS):
        begin, end = source.starts[part.start], source.starts[part.stop]
        occurrences, places = _by_word(source.values[begin:end], source.types)
        rows = np.arange(part.start, part.stop, dtype=np.int32)
        owners = np.repeat(rows, source.lengths[part])[places]
        _number(
            occurrences, places + begin, owners, source.starts, target.values, target.starts, cells,
            partners.starts, partners.values, number, numbers,
        )  # fmt: skip
        advance(part.stop - part.start)


def _known(
    source: Indices, target: Indices, weights: Indices, partners: Ragged, source_types: int, target_types: int
) -> KnownLinks:
    found = np.full(len(source), -1, dtype=np.int64)
    _find(partners.starts, partners.values, source, target, found)
    pairs = np.zeros(len(partners.values), dtype=np.int32)
    np.add.at(pairs, found[found >= 0], weights[found >= 0].astype(np.int32))
    sums = [np.zeros(types, dtype=np.int64) for types in (source_types, target_types)]
    for words, own in zip((source, target), sums, strict=True):
        np.add.at(own, words[words >= 0], weights[words >= 0])
    return KnownLinks(pairs, *sums)


def _by_word(words: Numbers, types: int) -> tuple[Indices, Indices]:
    """Return where the positions of every word begin, and the end of the last, shape [types + 1]; and the positions."""
    return starts_of(np.bincount(words, minlength=types)), np.argsort(words, kind="stable")


@compiled
def _partners(
    occurrences: Any, owners: Any, targets: Any, target_starts: Any, seen: Any, starts: Any, partners: Any
) -> None:
    """Fill in where the partners of every source word begin, and the partners too unless `partners` is empty."""
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
    """Fill in the numbers of pairs of words; those that never occur together are left out."""
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
    """Fill in the numbers of some sentences, word by word. The number of a pair is the position of the partner."""
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
