"""Word translation ranking (WTR): a linked word must be closer to its translation than to the other words around it.

Source: WACSE, section 3.2, equations 6 to 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lexenc.arrays import Indices, Ragged, batches, positions, ranges
from lexenc.errors import ConfigError
from lexenc.sentences.terms import PairStates, TermInputs, sums_of_rows

# Subwords of one side that are compared at a time, padding included.
_TOGETHER = 1 << 13


class WordRanking:
    """Rank the words of a translation by their similarity to a linked word, in both directions.

    The loss of a linked word is the cross entropy of its translation among all words of the other sentence. The loss of
    a row is half the sum over the linked words of both sentences. The similarity of two words is the mean cosine of
    their subwords, each of one word with each of the other, after the last layer.

    Args:
        given: With word links.
        temperature: Divides similarities. Lower values weigh similar words more.
        mask_links: Whether other words that are linked to a word are no candidates for it. They are in the paper.

    Raises:
        ConfigError: If there are no links, the encoder is not a transformer, or the temperature is not positive.
    """

    uses_states = needs_links = needs_parallel = True
    options: ClassVar = {"word_temperature": "temperature"}

    def __init__(self, given: TermInputs, *, temperature: float = 0.05, mask_links: bool = False) -> None:
        if not temperature > 0:
            raise ConfigError(f"The temperature must be above 0, got {temperature}.", hint="The usual one is 0.05.")
        self.modules: Mapping[str, nn.Module] = {}
        self._words, self._temperature, self._mask_links = given.linked, temperature, mask_links
        _ = given.transformer

    def sizes(self, rows: Indices) -> Indices:
        """Return zeros, because no subword is encoded a second time. Shape as `rows`."""
        return np.zeros(len(rows), dtype=np.int64)

    def losses(self, rows: Indices, step: int, states: PairStates | None) -> Tensor:
        """Return the loss of each row. Shape as `rows`."""
        assert states is not None
        sides = [
            (F.normalize(values, dim=1), starts)
            for values, starts in ((states.source, states.source_starts), (states.target, states.target_starts))
        ]
        linked = np.flatnonzero(self._words.links.lengths[rows])
        longest = np.maximum(*(np.diff(starts)[linked] for _, starts in sides))
        order = linked[np.argsort(longest, kind="stable")]
        parts = []
        for part in batches(np.sort(longest), _TOGETHER, padded=True):
            chosen = order[part]
            (source, own), (target, other) = (
                (_padded(*side, chosen), _averages(words.take(rows[chosen]), np.diff(side[1])[chosen], states.source))
                for side, words in zip(sides, (self._words.source, self._words.target), strict=True)
            )
            similarities = own @ (source @ target.mT) @ other.mT
            parts.append(self._ranked(similarities / self._temperature, rows[chosen]))
        found = states.source.new_zeros(len(rows))
        return found.index_put((_tensor(order, found),), torch.cat(parts)) if parts else found

    def _ranked(self, scores: Tensor, rows: Indices) -> Tensor:
        """Return the loss of some rows from the scores of their words. Shape [n, source words, target words] -> [n]."""
        losses = scores.new_zeros(len(rows))
        for backward, table, side in ((False, scores, self._words.target), (True, scores.mT, self._words.source)):
            owners, words, translations = self._words.dictionary(rows, backward=backward)
            flat = table.reshape(-1, table.shape[2])
            asked = flat.index_select(0, _tensor(owners * table.shape[1] + words, scores))
            absent = np.arange(table.shape[2]) >= (side.lengths[rows])[owners, None]
            if self._mask_links:
                absent |= self._others(rows, table.shape[1:], backward)[owners, words]
                absent[np.arange(len(owners)), translations] = False
            asked = asked.masked_fill(_tensor(absent, scores), -torch.inf)
            each = F.cross_entropy(asked, _tensor(translations, scores), reduction="none")
            losses = losses + sums_of_rows(each, owners, len(rows))
        return losses / 2

    def _others(self, rows: Indices, shape: Sequence[int], backward: bool) -> NDArray[np.bool_]:
        """Return which words are linked. Shape [n, words, words of the other sentence]."""
        links = self._words.links.take(rows)
        table = np.zeros((len(rows), *shape), dtype=np.bool_)
        one, other = links.values.T[::-1] if backward else links.values.T
        table[links.rows, one, other] = True
        return table


def _padded(values: Tensor, starts: Indices, rows: Indices) -> Tensor:
    """Return some rows of equal length; what follows a row has no meaning. Shape [t, d] -> [n, longest, d]."""
    sizes = starts[rows + 1] - starts[rows]
    width = int(sizes.max())
    places = starts[rows][:, None] + np.minimum(np.arange(width), sizes[:, None] - 1)
    return values.index_select(0, _tensor(places.ravel(), values)).reshape(len(rows), width, -1)


def _averages(spans: Ragged, sizes: Indices, like: Tensor) -> Tensor:
    """Return the matrices that average the subwords of words. Shape [n, most words, most subwords].

    Args:
        spans: First subword of each word, and the one after its last. n rows of shape [w, 2].
        sizes: Number of subwords of each row. Shape [n].
        like: A tensor of the same device and precision.
    """
    begins, ends = spans.values.T.astype(np.int64)
    counts = ends - begins
    table = np.zeros((len(spans), int(spans.lengths.max()), int(sizes.max())))
    words = np.repeat(np.arange(len(counts)), counts)
    table[spans.rows[words], positions(spans.lengths)[words], ranges(begins, counts)] = (1 / counts)[words]
    return torch.from_numpy(table).to(like)


def _tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like.device)
