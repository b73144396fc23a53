"""Word alignment by word vectors of an encoder: words with similar vectors are linked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lexenc.alignment.matching import Matching, match_vectors, too_large
from lexenc.arrays import blocks
from lexenc.encoders.base import WordEncoder
from lexenc.text.links import Links

CHUNK = 1024
"""Sentence pairs whose vectors are in memory at once: enough to batch sentences of equal length together."""


class EmbeddingAligner:
    """Links the words of sentence pairs by their vectors.

    Args:
        encoder: Returns vectors of the words of both sides, or of the source side if `target` is given.
        target: Returns vectors of the words of the target side in the same space.
        how: Method and settings.
        least: Links with a lower score are left out.

    Attributes:
        counts: `windowed`: sentences longer than the encoder takes, which it read in overlapping windows.
            `without_vector`: words without a vector. `too_large`: sentence pairs without links because both sides are
            very long.
    """

    def __init__(
        self,
        encoder: WordEncoder,
        target: WordEncoder | None = None,
        *,
        how: Matching | None = None,
        least: float = 0.0,
    ) -> None:
        self._encoder, self._target = encoder, target
        self._how, self._least = how or Matching(), least
        self.counts: Counter[str] = Counter()

    def align(self, pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Links:
        """Link the words of sentence pairs, each the words of a sentence and those of its translation.

        A pair with an empty side has no links. The links of a pair do not depend on the other pairs.
        """
        found = []
        for part in blocks(len(pairs), CHUNK):
            ours, theirs = ([pair[side] for pair in pairs[part]] for side in range(2))
            if self._target is not None:
                source, target = self._encoder(ours), self._target(theirs)
            else:
                both = self._encoder([*ours, *theirs])
                source, target = both.part(0, len(ours)), both.part(len(ours), 2 * len(ours))
            self.counts += Counter(
                windowed=int(source.windowed.sum() + target.windowed.sum()),
                without_vector=int(source.missing.sum() + target.missing.sum()),
                too_large=int(too_large(source, target).sum()),
            )
            found.append(match_vectors(source, target, self._how))
        links = Links.joined(found)
        return links.at_least(self._least) if self._least else links
