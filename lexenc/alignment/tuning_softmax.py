"""What makes the softmax over the states of a language model align better: the objectives of awesome-align.

Source: Dou and Neubig 2021, "Word Alignment by Fine-tuning Embeddings on Parallel Corpora", section 2.2. With the
states h of the subwords of a sentence x and of its translation y after one layer, S = h_x h_y^T; softmax over its rows
says what each subword of x is linked to, softmax over its columns what each of y is. A subword pair is linked where
both are above 0.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lexenc.device import Device
from lexenc.encoders.masked_language import MaskedHead, MaskedText, mask_subwords
from lexenc.encoders.subwords import Frame, WordTokenizer
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.encoders.word_vectors import LAYER
from lexenc.errors import ConfigError
from lexenc.randomness import generator
from lexenc.text.links import LinkedText, Pieces

Objective = Literal["so", "co", "tlm", "supervised"]
Indices = NDArray[np.int64]

# Subword pairs above this in both directions are linked (section 2.1).
_LINKED = 1e-3


def self_training(forward: Tensor, backward: Tensor, linked: Tensor) -> Tensor:
    """Give the loss that makes links more probable in both directions: self-training, or learning from given links.

    Args:
        forward: What each subword of x is linked to. Shape [m, n], rows sum up to 1.
        backward: What each subword of y is linked to. Shape [m, n], columns sum up to 1.
        linked: The links. Shape [m, n], bool.
    """
    rows, columns = linked.shape
    return -(linked * (forward / rows + backward / columns)).sum() / 2


def consistency(forward: Tensor, backward: Tensor) -> Tensor:
    """Give the loss that makes both directions say the same: minus their agreement, in [-1, 0].

    Args:
        forward: As in `self_training`.
        backward: As in `self_training`.
    """
    return -(forward * backward).sum() / min(forward.shape)


def extracted(forward: Tensor, backward: Tensor) -> Tensor:
    """Link what both directions find probable. Shape [m, n], bool; carries no gradient."""
    return ((forward > _LINKED) & (backward > _LINKED)).detach()


class SoftmaxLessons:
    """Sentence pairs; the loss of each is the sum of its objectives.

    Args:
        encoder: The encoder that learns.
        text: Sentence pairs; their links are for `supervised`.
        objectives: so: make the links probable that the encoder finds itself. co: make both directions agree. tlm:
            guess masked subwords of sentence and translation together. supervised: make given links probable.
        layer: Whose states are compared; negative from the end. None takes the eighth, or the last.
        min_score: For `supervised`; links with a lower score are not learnt.
        head: For `tlm`.
        seed: Of what is masked.

    Attributes:
        empty: Sentence pairs of which a side is empty.
        too_long: Sentence pairs that are longer than the encoder takes; nothing of them is learnt.
    """

    def __init__(
        self,
        encoder: TransformerEncoder,
        text: LinkedText,
        *,
        objectives: Sequence[Objective] = ("so", "tlm"),
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
        self.module = nn.ModuleDict({"encoder": encoder.module} | ({"head": head.module} if head else {}))
        source, target = text.source.sizes, text.target.sizes
        empty = (source == 0) | (target == 0)
        long = ~empty & (self._longest(source, target) > encoder.longest)
        self.empty, self.too_long = int(empty.sum()), int(long.sum())
        self._rows = np.flatnonzero(~empty & ~long)
        self._sizes = self._subwords(source, target)

    def _longest(self, source: Indices, target: Indices) -> Indices:
        """Give the subwords of the longest input for each sentence pair. Shape [n]."""
        if "tlm" in self._objectives:
            return source + target + self._pair.size
        return np.maximum(source, target) + self._single.size

    def _subwords(self, source: Indices, target: Indices) -> Indices:
        """Give the subwords of all inputs for each sentence pair. Shape [n]."""
        linking = int(bool(self._objectives - {"tlm"})) * (source + target + 2 * self._single.size)
        guessing = int("tlm" in self._objectives) * (source + target + self._pair.size)
        return linking + guessing

    @property
    def device(self) -> Device:
        """Where it computes."""
        name = str(next(self._encoder.parameters()).device)
        return Device(name, "float32", "")

    def rows(self, epoch: int) -> Indices:
        """Give the sentence pairs of an epoch: all. Shape [n]."""
        return self._rows

    def sizes(self, rows: Indices) -> Indices:
        """Give the subwords of some sentence pairs. Shape as `rows`."""
        found: Indices = self._sizes[rows]
        return found

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Give the loss of each of some sentence pairs. Shape as `rows`."""
        parts = []
        if self._objectives - {"tlm"}:
            parts.append(self._linking(rows))
        if "tlm" in self._objectives:
            assert self._head is not None
            parts.append(self._head.losses(self._encoder, [self._masked(row, step) for row in rows.tolist()]))
        return torch.stack(parts).sum(0)

    def _linking(self, rows: Indices) -> Tensor:
        source, target = ([side.sentence(row)[0] for row in rows.tolist()]
                          for side in (self._text.source, self._text.target))  # fmt: skip
        frame = self._single
        tokens = [np.concatenate([frame.before, ids, frame.after]).astype(np.int64) for ids in [*source, *target]]
        states = self._encoder.states(tokens, self.layer)
        parts = states.split([len(each) for each in tokens])
        begin, end = len(frame.before), len(frame.after)
        inner = [part[begin : len(part) - end] for part in parts]
        return torch.stack(
            [
                self._of_pair(row, one, other)
                for row, one, other in zip(rows.tolist(), inner[: len(rows)], inner[len(rows) :], strict=True)
            ]
        )

    def _of_pair(self, row: int, source: Tensor, target: Tensor) -> Tensor:
        """Add up what is asked for of one sentence pair.

        Args:
            row: The sentence pair.
            source: States of its subwords. Shape [m, d].
            target: The same of the translation. Shape [n, d].
        """
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
        return loss

    def _masked(self, row: int, step: int) -> MaskedText:
        """Mask subwords of a sentence pair; which side comes first is random."""
        assert self._head is not None
        draw = generator(self._seed, f"masks of step {step}, pair {row}")
        sides = [side.sentence(row)[0].astype(np.int64) for side in (self._text.source, self._text.target)]
        if draw.random() < 0.5:
            sides.reverse()
        ids, free = _joined(self._pair, sides)
        return mask_subwords(ids, free, mask=self._head.mask, others=self._text.target.ids, draw=draw)


def _joined(frame: Frame, sides: Sequence[Indices]) -> tuple[Indices, Indices]:
    """Put two sentences into one input; give its subwords, and the places of those that are not special."""
    ids = np.concatenate([frame.before, sides[0], frame.between, sides[1], frame.after]).astype(np.int64)
    first = len(frame.before) + np.arange(len(sides[0]))
    second = len(frame.before) + len(sides[0]) + len(frame.between) + np.arange(len(sides[1]))
    return ids, np.concatenate([first, second])


def _layer(encoder: TransformerEncoder, layer: int | None) -> int:
    """Give the number of a layer from 1.

    Raises:
        ConfigError: If the encoder has no such layer.
    """
    layers = encoder.layers
    wanted = min(LAYER, layers) if layer is None else layer if layer >= 0 else layers + 1 + layer
    if not 1 <= wanted <= layers:
        raise ConfigError(
            f"The encoder has {layers} layers, layer {layer} was asked for.", hint=f"Use a layer from 1 to {layers}."
        )
    return wanted


def cut_pieces(encoder: TransformerEncoder, sentences: Sequence[Sequence[str]]) -> Pieces:
    """Cut sentences of words into the subwords of an encoder."""
    return WordTokenizer(encoder.tokenizer).cut(sentences)
