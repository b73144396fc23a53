"""Word translation in a shared space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lexenc.search.neighbours import Neighbours


@dataclass(frozen=True)
class Answer:
    """One translation of a word.

    Args:
        source: The word.
        rank: Rank of the translation, from 1.
        target: The translation.
        score: Score of the retrieval criterion; higher is closer.
    """

    source: str
    rank: int
    target: str
    score: float


def answers(words: Sequence[str], found: Neighbours, targets: Sequence[str]) -> Iterator[Answer]:
    """Yield the neighbours of every word as answers, best first.

    Args:
        words: Word of every row of `found`.
        found: Neighbours among `targets`.
        targets: Words of the language of the answers.
    """
    for word, rows, scores in zip(words, found.indices, found.scores, strict=True):
        for rank, (row, score) in enumerate(zip(rows, scores, strict=True), start=1):
            if row >= 0 and np.isfinite(score):
                yield Answer(word, rank, targets[row], float(score))
