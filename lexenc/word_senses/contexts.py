"""Vectors of words in their contexts: of single occurrences, and averages over many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Floats, blocks
from lexenc.encoders.base import WordEncoder, WordVectors
from lexenc.progress import SILENT, Progress

Span = tuple[int, int]
_TOGETHER = 256  # sentences that are encoded at once


def span_vectors(
    encoder: WordEncoder, sentences: Sequence[Sequence[str]], spans: Sequence[Span], *, progress: Progress = SILENT
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the vector of one span of words of each sentence: the mean of its words.

    Args:
        encoder: Encoder of words in sentences.
        sentences: Words of n sentences.
        spans: First word of each span, and the word after its last.
        progress: Progress bar to update.

    Returns:
        The vectors, shape [n, d], and whether any word of the span has a vector, shape [n]. Without one, it is zero.
    """
    rows: list[Floats] = []
    has = np.zeros(len(sentences), dtype=np.bool_)
    with progress.task("encode", len(sentences), "sentences") as task:
        for part in blocks(len(sentences), _TOGETHER):
            found = encoder(sentences[part])
            vectors = np.zeros((len(sentences[part]), found.values.shape[1]), dtype=np.float32)
            for place, (own, words) in enumerate(_by_sentence(found)):
                start, end = spans[part.start + place]
                within = (words >= start) & (words < end)
                if within.any():
                    vectors[place] = own[within].mean(axis=0)
                    has[part.start + place] = True
            rows.append(vectors)
            task.advance(len(vectors))
    return np.concatenate(rows), has


def _by_sentence(found: WordVectors) -> Iterator[tuple[Floats, NDArray[np.int32]]]:
    """Yield the vectors of each sentence, and the words that they belong to."""
    for first, last in zip(found.starts[:-1].tolist(), found.starts[1:].tolist(), strict=True):
        yield found.values[first:last], found.words[first:last]


@dataclass(frozen=True)
class WordAverages:
    """Average contextual vectors of the frequent words of a text.

    Args:
        words: The words, the most frequent first.
        matrix: Their vectors. Shape [v, d].
        sentences: In how many sentences each word of the text occurs.
        total: Number of sentences.
    """

    words: list[str]
    matrix: Floats
    sentences: Counter[str]
    total: int

    @property
    def mean(self) -> Floats:
        """Mean of the vectors, every word alike. Shape [d]."""
        centre: Floats = self.matrix.mean(axis=0) if len(self.matrix) else np.zeros(self.matrix.shape[1], np.float32)
        return centre


def average_words(
    encoder: WordEncoder,
    sentences: Sequence[Sequence[str]],
    *,
    fold: Callable[[str], str],
    least: int,
    progress: Progress = SILENT,
) -> WordAverages:
    """Average the vectors of all occurrences of each word.

    Args:
        encoder: Encoder of words in sentences.
        sentences: Words of at least one sentence.
        fold: Brings words to the form in which they are compared.
        least: Smallest number of occurrences of a word.
        progress: Progress bar to update.
    """
    folded = [[fold(word) for word in words] for words in sentences]
    counts = Counter(word for words in folded for word in words if any(map(str.isalpha, word)))
    kept = [word for word, count in counts.most_common() if count >= least]
    rows = {word: row for row, word in enumerate(kept)}
    sums: NDArray[np.float64] | None = None
    seen = np.zeros(len(kept), dtype=np.int64)
    with progress.task("average words", len(sentences), "sentences") as task:
        for part in blocks(len(sentences), _TOGETHER):
            found = encoder(sentences[part])
            if sums is None:
                sums = np.zeros((len(kept), found.values.shape[1]))
            for place, (own, words) in enumerate(_by_sentence(found)):
                targets = np.array([rows.get(folded[part.start + place][word], -1) for word in words.tolist()], int)
                np.add.at(sums, targets[targets >= 0], own[targets >= 0])
                np.add.at(seen, targets[targets >= 0], 1)
            task.advance(len(sentences[part]))
    assert sums is not None
    has = seen > 0
    matrix = np.ascontiguousarray(sums[has] / seen[has, None], dtype=np.float32)
    return WordAverages(
        [word for word, own in zip(kept, has.tolist(), strict=True) if own],
        matrix,
        Counter(word for words in folded for word in {*words}),
        len(sentences),
    )
