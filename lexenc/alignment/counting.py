"""How often words are linked: the probabilistic lexicon of an aligned corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from lexenc.arrays import Indices

# Pairs that are collected before they are counted together.
_WAITING = 1 << 21

WordPair = tuple[list[str], list[str]]
"""The words of a sentence and of its translation."""


class WordNumbers:
    """Numbers for words, in order of first appearance.

    Args:
        folded: Returns the form in which a word is counted. Words of one form have one number.
    """

    def __init__(self, folded: Callable[[str], str] = str) -> None:
        self._folded = folded
        self._forms: dict[str, int] = {}
        # Words as written, so that each is folded only once.
        self._seen: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._forms)

    def numbers(self, words: Sequence[str]) -> list[int]:
        """Return the number of every word. New words get the next numbers."""
        seen = self._seen
        try:
            return [seen[word] for word in words]
        except KeyError:
            for word in words:
                if word not in seen:
                    seen[word] = self._forms.setdefault(self._folded(word), len(self._forms))
            return [seen[word] for word in words]

    def find(self, words: Iterable[str]) -> Indices:
        """Return the number of every word, -1 for words without one. Shape [n]."""
        return np.array([self._forms.get(self._folded(word), -1) for word in words], dtype=np.int64)

    @property
    def words(self) -> list[str]:
        """All forms by number."""
        return list(self._forms)


class LinkCounts:
    """Number of links of every pair of words. Memory grows with the number of different pairs only.

    Args:
        source: Numbers of source words.
        target: Numbers of target words.
    """

    def __init__(self, source: WordNumbers, target: WordNumbers) -> None:
        self.source, self.target = source, target
        self._pairs: Indices = np.zeros(0, dtype=np.int64)
        self._counts: Indices = np.zeros(0, dtype=np.int64)
        self._waiting: list[Indices] = []
        self._size = 0

    @property
    def total(self) -> int:
        """Number of all links."""
        self._settle()
        return int(self._counts.sum())

    def add(self, pairs: Iterable[WordPair], links: Iterable[Sequence[Sequence[float]]]) -> None:
        """Count the links of sentence pairs.

        Args:
            pairs: Words of every sentence pair.
            links: Links of every sentence pair, each beginning with the positions of its source and target word.
        """
        source: list[str] = []
        target: list[str] = []
        for (one, other), found in zip(pairs, links, strict=True):
            source += [one[int(link[0])] for link in found]
            target += [other[int(link[1])] for link in found]
        rows, columns = self.source.numbers(source), self.target.numbers(target)
        self._waiting.append((np.array(rows, dtype=np.int64) << 32) | np.array(columns, dtype=np.int64))
        self._size += len(rows)
        if self._size >= _WAITING:
            self._settle()

    def _settle(self) -> None:
        if not self._waiting:
            return
        fresh, counts = np.unique(np.concatenate(self._waiting), return_counts=True)
        self._waiting, self._size = [], 0
        pairs, place = np.unique(np.concatenate([self._pairs, fresh]), return_inverse=True)
        both = np.concatenate([self._counts, counts]).astype(np.float64)
        self._counts = np.bincount(place, weights=both, minlength=len(pairs)).astype(np.int64)
        self._pairs = pairs

    def lexicon(
        self, *, min_count: int = 1, min_probability: float = 0.0
    ) -> Iterator[tuple[str, str, float, float, int]]:
        """Yield the pairs of linked words, sorted by the number of links of the source word, then by its share.

        Args:
            min_count: Smallest number of links of a pair.
            min_probability: Smallest share of the links of the source word.

        Yields:
            Source word, target word, share of the links of the source word, of the target word, number of links.
        """
        self._settle()
        source, target = self.source.words, self.target.words
        rows, columns = self._pairs >> 32, self._pairs & 0xFFFFFFFF
        per_source = np.bincount(rows, weights=self._counts, minlength=len(source))
        per_target = np.bincount(columns, weights=self._counts, minlength=len(target))
        forward, backward = self._counts / per_source[rows], self._counts / per_target[columns]
        kept = np.flatnonzero((self._counts >= min_count) & (forward >= min_probability))
        order = kept[np.lexsort((columns[kept], -forward[kept], rows[kept], -per_source[rows[kept]]))]
        table = (rows, columns, forward, backward, self._counts)
        for row, column, ahead, back, links in zip(*(each[order].tolist() for each in table), strict=True):
            yield source[row], target[column], ahead, back, links
