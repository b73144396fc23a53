"""Word alignment by the vectors of an encoder: what is similar belongs together."""

from __future__ import annotations

from collections.abc import Sequence

from lexenc.alignment.matching import METHODS, Matching, match_vectors, too_large
from lexenc.encoders.word_vectors import WordEncoder, WordVectors
from lexenc.text.links import Links

__all__ = ["METHODS", "EmbeddingAligner", "Matching"]

Pairs = Sequence[tuple[Sequence[str], Sequence[str]]]

CHUNK = 1024
"""Sentence pairs whose vectors are in memory at once: enough for sentences of equal length to meet."""


class EmbeddingAligner:
    """Links the words of sentence pairs by their vectors.

    Args:
        encoder: Gives the words of both sides vectors; of the source side only where `target` is given.
        target: Gives the words of the target side vectors in the same space.
        how: Method and settings.

    Attributes:
        windowed: How many sentences so far were longer than the encoder takes, and went through it in windows.
        without_vector: How many words so far have no vector, and so no links.
        too_large: How many sentence pairs so far have no links because both sides are very long.
    """

    def __init__(self, encoder: WordEncoder, target: WordEncoder | None = None, *, how: Matching | None = None) -> None:
        self._encoders = (encoder, target)
        self._how = how or Matching()
        self.windowed = self.without_vector = self.too_large = 0

    def align(self, pairs: Pairs) -> Links:
        """Link the words of sentence pairs, each a list of words and the list of its translation's.

        A pair with an empty side has no links. Neighbours and order of the pairs do not change the links.
        """
        return Links.joined([self._chunk(pairs[start : start + CHUNK]) for start in range(0, len(pairs), CHUNK)])

    def _chunk(self, pairs: Pairs) -> Links:
        """Link some pairs at once."""
        source, target = self._encode([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        for side in (source, target):
            self.windowed += int(side.windowed.sum())
            self.without_vector += int(side.missing.sum())
        self.too_large += int(too_large(source, target).sum())
        return match_vectors(source, target, self._how)

    def _encode(
        self, source: Sequence[Sequence[str]], target: Sequence[Sequence[str]]
    ) -> tuple[WordVectors, WordVectors]:
        """Give the vectors of both sides; together, where one encoder serves both."""
        encoder, other = self._encoders
        if other is not None:
            return encoder(source), other(target)
        both = encoder([*source, *target])
        return both.part(0, len(source)), both.part(len(source), 2 * len(source))
