"""Sentence pairs as subwords, and the links between their words, in flat arrays that stay small for a million pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import joined_starts, starts_of

Indices = NDArray[np.int64]


class Links(NamedTuple):
    """The word links of some sentence pairs, sorted by source word, then target word.

    Args:
        starts: Where the links of each sentence pair begin, and the end of the last. Shape [n + 1].
        source: Position of the source word in its sentence, from 0. Shape [p].
        target: Position of the target word. Shape [p].
        scores: In [0, 1]. Shape [p].
    """

    starts: Indices
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of sentence pairs."""
        return len(self.starts) - 1

    def sentences(self) -> Iterator[list[tuple[int, int, float]]]:
        """Yield the links of one sentence pair after the other."""
        for start, end in zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True):
            columns = (column[start:end].tolist() for column in (self.source, self.target, self.scores))
            yield list(zip(*columns, strict=True))

    def at_least(self, score: float) -> Links:
        """Return the links that reach a score."""
        kept = self.scores >= score
        before = starts_of(kept)
        return Links(before[self.starts], self.source[kept], self.target[kept], self.scores[kept])

    @classmethod
    def of(cls, sentences: Sequence[Sequence[tuple[int, int, float]]]) -> Links:
        """Store the links of every sentence pair, given in any order."""
        flat = [link for each in sentences for link in sorted(each)]
        source, target, scores = zip(*flat, strict=True) if flat else ((), (), ())
        return cls(
            starts_of([len(each) for each in sentences]),
            np.array(source, dtype=np.int32),
            np.array(target, dtype=np.int32),
            np.array(scores, dtype=np.float32),
        )

    @classmethod
    def joined(cls, parts: Sequence[Links]) -> Links:
        """Concatenate sentence pairs."""
        if not parts:
            return cls.of([])
        starts, *columns = zip(*parts, strict=True)
        return cls(joined_starts(starts), *(np.concatenate(column) for column in columns))


@dataclass(frozen=True)
class Pieces:
    """Sentences of words as subwords.

    Args:
        ids: Numbers of the subwords. Shape [t], int32.
        words: Where the subwords of every word begin in `ids`, and the end of the last. Shape [w + 1], int64.
        sentences: Where the words of every sentence begin in `words`, and the end of the last. Shape [n + 1], int64.
    """

    ids: NDArray[np.int32]
    words: Indices
    sentences: Indices

    def __len__(self) -> int:
        return len(self.sentences) - 1

    @property
    def lengths(self) -> Indices:
        """Number of words of every sentence. Shape [n]."""
        return np.diff(self.sentences)

    @property
    def sizes(self) -> Indices:
        """Number of subwords of every sentence. Shape [n]."""
        return np.diff(self.words[self.sentences])

    def sentence(self, number: int) -> tuple[NDArray[np.int32], Indices]:
        """Return the subwords of a sentence, and where those of each word begin among them, and the end."""
        bounds = self.words[self.sentences[number] : self.sentences[number + 1] + 1]
        return self.ids[bounds[0] : bounds[-1]], bounds - bounds[0]

    @classmethod
    def joined(cls, parts: Sequence[Pieces]) -> Pieces:
        """Concatenate sentences."""
        ids = np.concatenate([np.zeros(0, dtype=np.int32), *(part.ids for part in parts)])
        return cls(
            ids, joined_starts([part.words for part in parts]), joined_starts([part.sentences for part in parts])
        )


@dataclass(frozen=True)
class LinkedText:
    """Sentence pairs as subwords, with the links of their words.

    Args:
        source: Sentences.
        target: Their translations.
        links: Links of their words.
    """

    source: Pieces
    target: Pieces
    links: Links

    def __len__(self) -> int:
        return len(self.source)

    def subword_links(self, row: int, *, min_score: float = 0.0) -> NDArray[np.bool_]:
        """Link every subword of a word of one pair with every subword of the words it is linked to. Shape [m, n].

        Args:
            row: The sentence pair.
            min_score: Links with a lower score, or with 0, do not count.
        """
        bounds = [side.sentence(row)[1] for side in (self.source, self.target)]
        table = np.zeros((int(bounds[0][-1]), int(bounds[1][-1])), dtype=np.bool_)
        part = slice(*self.links.starts[row : row + 2])
        kept = is_certain(self.links.scores[part], min_score)
        pairs = zip(self.links.source[part][kept].tolist(), self.links.target[part][kept].tolist(), strict=True)
        for i, j in pairs:
            table[bounds[0][i] : bounds[0][i + 1], bounds[1][j] : bounds[1][j + 1]] = True
        return table


def is_certain(scores: NDArray[np.floating], min_score: float) -> NDArray[np.bool_]:
    """Return which links can be learnt from: those with `min_score` or more, but not 0, which means possible only."""
    return (scores >= min_score) & (scores > 0)
