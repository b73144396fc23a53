"""How the vectors of one word differ between contexts, measured on all words of a text."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from lexenc.arrays import Doubles, Floats
from lexenc.encoders.base import Sentences, WordEncoder, WordVectors

_LEAST, _MOST = 5, 30
"""Occurrences of a word that counts, and how many of them count."""
_ROWS = 20_000  # vectors that are kept
_SHRINKAGE = 0.3
_POWER = 0.25
"""Power of the covariance by which directions are divided: 0 leaves them as they are, 0.5 makes them alike.

Of 0, 0.125, 0.25 and 0.5, with 3 and 30 directions, 0.25 with 3 has the largest mean adjusted Rand index on the words
hard and interest and two encoders. Full whitening hides the senses of inflected words.
"""


class Background:
    """An encoder of words in sentences that measures, on the way, how the vectors of a word differ between contexts.

    Most words have one sense in a text. Directions in which their vectors differ much, such as those of syntax and of
    the position in the sentence, say little about senses. `whitening` makes directions more alike in this respect, half
    of within-class covariance normalisation (Hatch et al. 2006) with words for classes.

    Args:
        encoder: The encoder that returns the vectors.
        fold: Brings words to the form in which they are compared.
    """

    def __init__(self, encoder: WordEncoder, *, fold: Callable[[str], str] = str.lower) -> None:
        self._encoder, self._fold = encoder, fold
        self._vectors: dict[str, list[Floats]] = {}
        self._rows = 0

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Return the vectors of all sentences, and remember some of them."""
        found = self._encoder(sentences)
        for words, first, last in zip(sentences, found.starts[:-1].tolist(), found.starts[1:].tolist(), strict=True):
            if self._rows >= _ROWS:
                break
            for row, place in zip(range(first, last), found.words[first:last].tolist(), strict=True):
                own = self._vectors.setdefault(self._fold(words[place]), [])
                if len(own) < _MOST:
                    own.append(found.values[row].copy())
                    self._rows += 1
        return found

    def whitening(self, without: Collection[str] = ()) -> Floats | None:
        """Return the matrix that makes directions differ less within words; None if too little is known.

        The covariance is shrunk towards a multiple of the identity. Shape [d, d], symmetric.

        Args:
            without: Words that do not count, in any form: the word whose senses are sought, or its senses would be
                taken for differences that say nothing.
        """
        left_out = {self._fold(word) for word in without}
        groups = [np.stack(own) for word, own in self._vectors.items() if len(own) >= _LEAST and word not in left_out]
        if not groups:
            return None
        freedom = sum(len(own) - 1 for own in groups)
        spread: Doubles = np.zeros((groups[0].shape[1],) * 2)
        for own in groups:
            centred = own - own.mean(axis=0)
            spread += centred.T @ centred
        sizes, directions = np.linalg.eigh(spread / freedom)
        size = sizes.mean()
        if size <= 0:
            return None  # static vectors do not depend on the context
        shrunk = np.maximum(sizes, 0) / size + _SHRINKAGE * (1 + len(sizes) / freedom)
        return np.asarray((directions / (shrunk * size) ** _POWER) @ directions.T, dtype=np.float32)
