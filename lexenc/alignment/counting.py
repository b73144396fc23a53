"""Which words were linked how often: the probabilistic lexicon of an aligned corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

# Pairs that wait to be counted together.
_WAITING = 1 << 21


class WordPair(NamedTuple):
    """A pair of words that were linked.

    Args:
        source: The word.
        target: What it was linked to.
        probability: Share of the links of the source word.
        backward: Share of the links of the target word.
        links: Links between the two.
    """

    source: str
    target: str
    probability: float
    backward: float
    links: int


class WordNumbers:
    """Numbers for words, in the order in which they come.

    Args:
        folded: Gives the form in which a word is counted; words of one form have one number.
    """

    def __init__(self, folded: Callable[[str], str] = str) -> None:
        self._folded = folded
        self._forms: dict[str, int] = {}
        # As written, so that a word is folded once only.
        self._seen: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._forms)

    def numbers(self, words: Sequence[str]) -> list[int]:
        """Give the number of every word; new words get the next ones."""
        seen = self._seen
        try:
            return [seen[word] for word in words]
        except KeyError:
            return [self._number(word) for word in words]

    def _number(self, word: str) -> int:
        if word not in self._seen:
            self._seen[word] = self._forms.setdefault(self._folded(word), len(self._forms))
        return self._seen[word]

    @property
    def words(self) -> list[str]:
        """All forms by number."""
        return list(self._forms)


class LinkCounts:
    """How often every pair of words was linked. Memory grows with the different pairs only."""

    def __init__(self) -> None:
        self._pairs: Indices = np.zeros(0, dtype=np.int64)
        self._counts: Indices = np.zeros(0, dtype=np.int64)
        self._waiting: list[Indices] = []
        self._size = 0

    @property
    def total(self) -> int:
        """All links."""
        self._settle()
        return int(self._counts.sum())

    def add(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> None:
        """Count links.

        Args:
            source: Number of the source word of every link. Shape [p].
            target: Number of the target word. Shape [p].
        """
        self._waiting.append((source.astype(np.int64) << 32) | target.astype(np.int64))
        self._size += len(source)
        if self._size >= _WAITING:
            self._settle()

    def _settle(self) -> None:
        """Count what waits."""
        if not self._waiting:
            return
        fresh, counts = np.unique(np.concatenate([self._pairs[:0], *self._waiting]), return_counts=True)
        self._waiting, self._size = [], 0
        pairs, place = np.unique(np.concatenate([self._pairs, fresh]), return_inverse=True)
        self._counts = np.bincount(
            place, weights=np.concatenate([self._counts, counts]).astype(np.float64), minlength=len(pairs)
        ).astype(np.int64)
        self._pairs = pairs

    def lexicon(
        self, source: Sequence[str], target: Sequence[str], *, min_count: int = 1, min_probability: float = 0.0
    ) -> Iterator[WordPair]:
        """Give the pairs, by how often the source word was linked, then by probability.

        Args:
            source: Source words by number.
            target: Target words by number.
            min_count: Links that a pair has at least.
            min_probability: Share of the links of the source word at least.
        """
        self._settle()
        rows, columns = self._pairs >> 32, self._pairs & 0xFFFFFFFF
        per_source = np.bincount(rows, weights=self._counts, minlength=len(source))
        per_target = np.bincount(columns, weights=self._counts, minlength=len(target))
        forward, backward = self._counts / per_source[rows], self._counts / per_target[columns]
        kept = np.flatnonzero((self._counts >= min_count) & (forward >= min_probability))
        order = kept[np.lexsort((columns[kept], -forward[kept], rows[kept], -per_source[rows[kept]]))]
        for place in order.tolist():
            yield WordPair(
                source[rows[place]],
                target[columns[place]],
                float(forward[place]),
                float(backward[place]),
                int(self._counts[place]),
            )
