"""Aligned word prediction (AWP): predict the translation of a word in the place of the word, which is masked.

Source: WACSE, section 3.1, equations 4 and 5.
"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexenc.arrays import Indices, ranges, starts_of
from lexenc.encoders.masked_language import MaskedText
from lexenc.errors import ConfigError
from lexenc.randomness import generator
from lexenc.sentences.terms import PairStates, TermInputs

Reduction = Literal["paper", "mean"]


class _Asked(NamedTuple):
    """Words that are masked and what is predicted in their places, in one direction.

    Args:
        owners: Position of the row of each word, never falling. Shape [p].
        begins: Its first subword. Shape [p].
        sizes: Number of its subwords. Shape [p].
        right: First subword of the translation among all tokens. Shape [p].
        counts: Number of subwords that are predicted. Shape [p].
        weights: Weight of the loss of each word. Shape [p].
    """

    owners: Indices
    begins: Indices
    sizes: Indices
    right: Indices
    counts: Indices
    weights: NDArray[np.float64]


class AlignedWordPrediction:
    """Mask linked words of a sentence, and predict the subwords of their translations there, in both directions.

    The input is one sentence without its translation. All subwords of a masked word are masked. The first
    n = min(|x|, |y|) of them predict the first n subwords of the translation, the others predict nothing.

    Args:
        given: With word links and a prediction head.
        share: Share of the linked words that are masked in one pass, drawn anew in every step, at least one. With 1 all
            linked words are masked together. The paper masks one word at a time. A lower share leaves more context and
            costs less.
        reduction: paper: the loss of a sentence is the sum over its words, that of a word the mean over its subwords.
            If only some words are masked, their sum is scaled to all linked words. mean: the mean over all subwords.
            The loss of a row is half the sum of both sentences.

    Raises:
        ConfigError: If there are no links or no head, the encoder is not a transformer, or the share is not in (0, 1].
    """

    uses_states = False
    needs_links = needs_head = needs_parallel = True
    options: ClassVar = {"masked_words": "share"}

    def __init__(self, given: TermInputs, *, share: float = 0.5, reduction: Reduction = "paper") -> None:
        if not 0 < share <= 1:
            raise ConfigError(f"The share of masked words must be above 0 and at most 1, got {share}.")
        self._encoder, self._head, self._words = given.transformer, given.prediction, given.linked
        self.modules = {"head": self._head.module}
        self._given, self._share, self._reduction = given, share, reduction

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of both sentences, 0 without links. Shape as `rows`."""
        data, lengths = self._given.data, self._given.tokens.lengths
        both = lengths[data.anchors[rows]] + lengths[data.positives[rows]]
        sizes: Indices = np.where(self._words.links.lengths[rows] > 0, both, 0)
        return sizes

    def losses(self, rows: Indices, step: int, states: PairStates | None) -> Tensor:
        """Return the loss of each row. Shape as `rows`."""
        owners, texts = [], []
        for own, asked in enumerate(self._asked(rows, step)):
            for owner, text in self._masked(rows, own, asked):
                owners.append(owner)
                texts.append(text)
        found = torch.zeros(2 * len(rows), device=next(self._head.module.parameters()).device)
        if texts:
            places = torch.tensor(owners, device=found.device)
            found = found.index_put((places,), self._head.losses(self._encoder, texts))
        return found.reshape(2, -1).mean(0)

    def _asked(self, rows: Indices, step: int) -> list[_Asked]:
        """Choose the words of both directions."""
        sides, texts = (self._words.source, self._words.target), (self._given.data.anchors, self._given.data.positives)
        tokens, found = self._given.tokens, []
        draws = [] if self._share == 1 else [generator(self._given.seed, f"words of step {step}, row {row}")
                                             for row in rows.tolist()]  # fmt: skip
        for own in (0, 1):
            owners, words, others = self._words.dictionary(rows, backward=own == 1)
            weights = np.ones(len(owners))
            if draws:
                kept = _drawn(owners, draws, self._share)
                linked, masked = (np.bincount(each, minlength=len(rows)) for each in (owners, owners[kept]))
                owners, words, others = owners[kept], words[kept], others[kept]
                weights = (linked / np.maximum(masked, 1))[owners]
            begins, ends = sides[own].values[sides[own].starts[rows[owners]] + words].astype(np.int64).T
            right, last = sides[1 - own].values[sides[1 - own].starts[rows[owners]] + others].astype(np.int64).T
            counts = np.minimum(ends - begins, last - right)
            right += tokens.starts[texts[1 - own][rows[owners]]]
            found.append(_Asked(owners, begins, ends - begins, right, counts, weights))
        return found

    def _masked(self, rows: Indices, own: int, asked: _Asked) -> list[tuple[int, MaskedText]]:
        """Return the masked sentences of one side, each with its place among the losses of both sides."""
        data, tokens = self._given.data, self._given.tokens
        linked, words = np.unique(asked.owners, return_counts=True)
        chosen = (data.positives if own else data.anchors)[rows[linked]]
        inputs = tokens.take(chosen)
        ids = inputs.values.astype(np.int64)
        bases = np.repeat(inputs.starts[:-1], words)
        ids[ranges(bases + asked.begins, asked.sizes)] = self._head.mask
        places, right = ranges(asked.begins, asked.counts), tokens.values[ranges(asked.right, asked.counts)]
        weights = np.repeat(asked.weights / asked.counts, asked.counts)
        ends = starts_of(np.add.reduceat(asked.counts, starts_of(words)[:-1])) if len(words) else [0]
        found = []
        for k, row in enumerate(linked.tolist()):
            part = slice(ends[k], ends[k + 1])
            own_ids = ids[inputs.starts[k] : inputs.starts[k + 1]]
            languages = None if data.languages is None else np.full(len(own_ids), data.languages[chosen[k]])
            text = MaskedText(
                own_ids,
                places[part],
                right[part].astype(np.int64),
                weights[part] if self._reduction == "paper" else None,
                languages,
            )
            found.append((own * len(rows) + row, text))
        return found


def _drawn(owners: Indices, draws: list[np.random.Generator], share: float) -> NDArray[np.bool_]:
    """Draw words, at least one of each row that has some. Shape [p]."""
    parts = [np.zeros(0, dtype=np.bool_)]
    for draw, count in zip(draws, np.bincount(owners, minlength=len(draws)).tolist(), strict=True):
        kept = draw.random(count) < share
        if count and not kept.any():
            kept[draw.integers(count)] = True
        parts.append(kept)
    return np.concatenate(parts)
