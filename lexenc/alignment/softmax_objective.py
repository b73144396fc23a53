"""Fine-tuning of an encoder for softmax alignment: the objectives of awesome-align.

Source: Dou and Neubig 2021, "Word Alignment by Fine-tuning Embeddings on Parallel Corpora", section 2.2. With the
states h of the subwords of a sentence x and of its translation y after one layer, S = h_x h_y^T. Softmax over its rows
gives the link probabilities of each subword of x, softmax over its columns those of each subword of y. A subword pair
is linked if both are above 0.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lexenc.arrays import Indices
from lexenc.encoders.masked_language import MaskedHead, MaskedText, mask_pair
from lexenc.encoders.subwords import WordTokenizer
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.encoders.word_vectors import LAYER
from lexenc.errors import ConfigError
from lexenc.randomness import generator
from lexenc.text.links import LinkedText
from lexenc.training.objective import Objective

SoftmaxLoss = Literal["so", "co", "tlm", "supervised"]

# Subword pairs above this in both directions are linked (section 2.1).
_LINKED = 1e-3


def self_training(forward: Tensor, backward: Tensor, linked: Tensor) -> Tensor:
    """Return the loss that makes links more probable in both directions, for links found or given.

    Args:
        forward: Link probabilities of each subword of x. Shape [m, n], rows sum to 1.
        backward: Link probabilities of each subword of y. Shape [m, n], columns sum to 1.
        linked: The links. Shape [m, n], bool.
    """
    rows, columns = linked.shape
    return -(linked * (forward / rows + backward / columns)).sum() / 2


def consistency(forward: Tensor, backward: Tensor) -> Tensor:
    """Return the loss that makes both directions agree: minus their agreement, in [-1, 0].

    Args:
        forward: As in `self_training`.
        backward: As in `self_training`.
    """
    return -(forward * backward).sum() / min(forward.shape)


def extracted(forward: Tensor, backward: Tensor) -> Tensor:
    """Link what both directions find probable. Shape [m, n], bool, without gradient."""
    return ((forward > _LINKED) & (backward > _LINKED)).detach()


class SoftmaxObjective(Objective):
    """Sentence pairs. The loss of a pair is the sum of the objectives.

    Args:
        encoder: The encoder to train, in place.
        text: Sentence pairs. Only `supervised` uses their links.
        objectives: so: make the links probable that the encoder finds itself. co: make both directions agree. tlm:
            predict masked subwords of sentence and translation together. supervised: make the given links probable.
        layer: Layer whose states are compared, negative from the end. None for the eighth, or the last.
        min_score: For `supervised`: links with a lower score are not learned.
        head: For `tlm`.
        seed: Seed of the masking.

    Attributes:
        empty: Number of sentence pairs with an empty side.
        too_long: Number of sentence pairs that are longer than the encoder accepts. Nothing is learned from them.
    """

    def __init__(
        self,
        encoder: TransformerEncoder,
        text: LinkedText,
        *,
        objectives: Sequence[SoftmaxLoss] = ("so", "tlm"),
        layer: int | None = None,
        min_score: float = 0.0,
        head: MaskedHead | None = None,
        seed: int = 0,
    ) -> None:
        self._encoder, self._text, self._seed = encoder, text, seed
        self._objectives, self._head, self._min_score = frozenset(objectives), head, min_score
        self.layer = _layer(encoder, layer)
        words = WordTokenizer(encoder.tokenizer)
        self._single, self._pair = words.single, words.pair
        self.modules = {"encoder": encoder.module} | ({"head": head.module} if head else {})
        source, target = text.source.sizes, text.target.sizes
        joint, longer = source + target + self._pair.size, np.maximum(source, target) + self._single.size
        masking, linking = "tlm" in self._objectives, bool(self._objectives - {"tlm"})
        empty = (source == 0) | (target == 0)
        long = ~empty & ((joint if masking else longer) > encoder.longest)
        self.empty, self.too_long = int(empty.sum()), int(long.sum())
        self._rows = np.flatnonzero(~empty & ~long)
        self._sizes = linking * (source + target + 2 * self._single.size) + masking * joint

    def rows(self, epoch: int) -> Indices:
        """Return all sentence pairs that can be used. Shape [n]."""
        return self._rows

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of some sentence pairs. Shape as `rows`."""
        sizes: Indices = self._sizes[rows]
        return sizes

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the loss of each of some sentence pairs. Shape as `rows`."""
        parts = []
        if self._objectives - {"tlm"}:
            parts.append(self._linking(rows))
        if "tlm" in self._objectives:
            assert self._head is not None
            parts.append(self._head.losses(self._encoder, [self._masked(row, step) for row in rows.tolist()]))
        return torch.stack(parts).sum(0)

    def _linking(self, rows: Indices) -> Tensor:
        frame, sides = self._single, (self._text.source, self._text.target)
        ids = [side.sentence(row)[0] for side in sides for row in rows.tolist()]
        tokens = [np.concatenate([frame.before, each, frame.after]).astype(np.int64) for each in ids]
        states = self._encoder.states(tokens, self.layer)
        parts = states.split([len(each) for each in tokens])
        begin, end = len(frame.before), len(frame.after)
        inner = [part[begin : len(part) - end] for part in parts]
        losses = []
        for row, source, target in zip(rows.tolist(), inner[: len(rows)], inner[len(rows) :], strict=True):
            table = source @ target.T
            forward, backward = torch.softmax(table, dim=1), torch.softmax(table, dim=0)
            loss = table.new_zeros(())
            if "so" in self._objectives:
                loss = loss + self_training(forward, backward, extracted(forward, backward))
            if "supervised" in self._objectives:
                given = torch.from_numpy(self._text.subword_links(row, min_score=self._min_score)).to(table.device)
                loss = loss + self_training(forward, backward, given)
            if "co" in self._objectives:
                loss = loss + consistency(forward, backward)
            losses.append(loss)
        return torch.stack(losses)

    def _masked(self, row: int, step: int) -> MaskedText:
        """Mask subwords of a sentence pair."""
        assert self._head is not None
        first, second = (side.sentence(row)[0] for side in (self._text.source, self._text.target))
        return mask_pair(
            (first, second),
            self._pair,
            mask=self._head.mask,
            others=self._text.target.ids,
            draw=generator(self._seed, f"masks of step {step}, pair {row}"),
        )


def _layer(encoder: TransformerEncoder, layer: int | None) -> int:
    """Return the number of a layer, from 1."""
    layers = encoder.layers
    wanted = min(LAYER, layers) if layer is None else layer if layer >= 0 else layers + 1 + layer
    if not 1 <= wanted <= layers:
        raise ConfigError(
            f"The encoder has {layers} layers, layer {layer} was asked for.", hint=f"Use a layer from 1 to {layers}."
        )
    return wanted
