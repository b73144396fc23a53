"""What makes the softmax over the states of a language model align better: the objectives of awesome-align.

Source: Dou and Neubig 2021, "Word Alignment by Fine-tuning Embeddings on Parallel Corpora", section 2.2. With the
states h of the subwords of a sentence x and of its translation y after one layer, S = h_x h_y^T; softmax over its rows
says what each subword of x is linked to, softmax over its columns what each of y is. A subword pair is linked where
both are above 0.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM
from transformers.modeling_outputs import BaseModelOutput

from lexenc.alignment.span_model import load_pretrained
from lexenc.alignment.tuning_spans import LinkedText, is_learnt
from lexenc.device import Device
from lexenc.encoders.subwords import Frame, Pieces, WordTokenizer
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.encoders.word_vectors import LAYER
from lexenc.errors import ConfigError
from lexenc.randomness import generator

Objective = Literal["so", "co", "tlm", "supervised"]
Indices = NDArray[np.int64]

# Subword pairs above this in both directions are linked (section 2.1).
_LINKED = 1e-3
# Of the subwords that are to be guessed, as BERT does it: most are masked, some are another, some stay.
_GUESSED, _MASKED, _SWAPPED = 0.15, 0.8, 0.1


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


class _Given(nn.Module):  # type: ignore[misc]
    """Stands where a language model was, and gives the states that it is given."""

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> BaseModelOutput:
        return BaseModelOutput(last_hidden_state=inputs_embeds)


class MaskedHead:
    """The part of a language model that guesses subwords from states, apart from the rest.

    So the vocabulary is only looked at where there is something to guess.

    Args:
        folder: Of the encoder.
        encoder: The encoder loaded from it; where its own subword vectors are also those of the guesses, both stay
            one.

    Attributes:
        module: The head.
        fresh: Whether the encoder came without one, so that it has to be learnt from nothing.
        mask: Number of the subword that stands for one to guess.

    Raises:
        ConfigError: If there is no such head for the kind of encoder, or the tokenizer has no mask.
    """

    def __init__(self, folder: Path, encoder: TransformerEncoder) -> None:
        module, missing = load_pretrained(AutoModelForMaskedLM, folder)
        transformer = cast(Any, encoder.module)[0]
        setattr(module, module.base_model_prefix, _Given())
        if getattr(module.config, "tie_word_embeddings", False):
            module.get_output_embeddings().weight = transformer.auto_model.get_input_embeddings().weight
        mask = transformer.tokenizer.mask_token_id
        if mask is None:
            raise ConfigError("The encoder's tokenizer has no mask, which tlm needs.", hint="Leave tlm out.")
        self.module: nn.Module = module.to(next(encoder.parameters()).device)
        self.fresh, self.mask = bool(missing), int(mask)

    def logits(self, states: Tensor) -> Tensor:
        """Score every subword of the vocabulary. Shape [t, d] -> [t, v]."""
        found: Tensor = self.module(inputs_embeds=states.unsqueeze(0)).logits
        return found.squeeze(0).float()


@dataclass(frozen=True)
class _Guess:
    """A sentence and its translation with subwords to guess.

    Args:
        ids: Numbers of the subwords, special ones included. Shape [t].
        places: Where to guess. Shape [g], at least 1.
        right: What is right there. Shape [g].
    """

    ids: Indices
    places: Indices
    right: Indices


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
        words = WordTokenizer(encoder.uncut_tokenizer())
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
            parts.append(self._guessing(rows, step))
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
            given = torch.from_numpy(subword_links(self._text, row, min_score=self._min_score)).to(table.device)
            loss = loss + self_training(forward, backward, given)
        if "co" in self._objectives:
            loss = loss + consistency(forward, backward)
        return loss

    def _guessing(self, rows: Indices, step: int) -> Tensor:
        """Give the mean cross entropy of what is masked in each sentence pair. Shape as `rows`."""
        assert self._head is not None
        guesses = [self._masked(row, step) for row in rows.tolist()]
        states = self._encoder.states([guess.ids for guess in guesses])
        starts = np.cumsum([0, *(len(guess.ids) for guess in guesses[:-1])])
        places = np.concatenate([start + guess.places for start, guess in zip(starts, guesses, strict=True)])
        at = states.device
        logits = self._head.logits(states[torch.from_numpy(places).to(at)])
        right = torch.from_numpy(np.concatenate([guess.right for guess in guesses])).to(at)
        losses = F.cross_entropy(logits, right, reduction="none").split([len(guess.right) for guess in guesses])
        return torch.stack([each.mean() for each in losses])

    def _masked(self, row: int, step: int) -> _Guess:
        """Draw what is to be guessed of a sentence pair, at least one subword; which side comes first is drawn too."""
        assert self._head is not None
        draw = generator(self._seed, f"masks of step {step}, pair {row}")
        sides = [side.sentence(row)[0].astype(np.int64) for side in (self._text.source, self._text.target)]
        if draw.random() < 0.5:
            sides.reverse()
        ids, free = _joined(self._pair, sides)
        wanted = free[draw.random(len(free)) < _GUESSED]
        places = wanted if len(wanted) else draw.choice(free, 1)
        right = ids[places].copy()
        kind = draw.random(len(places))
        ids[places[kind < _MASKED]] = self._head.mask
        others = places[(kind >= _MASKED) & (kind < _MASKED + _SWAPPED)]
        # Another subword of the corpus, so that no special one is drawn.
        corpus = self._text.target.ids
        ids[others] = corpus[draw.integers(0, len(corpus), len(others))]
        return _Guess(ids, places, right)


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


def subword_links(text: LinkedText, row: int, *, min_score: float = 0.0) -> NDArray[np.bool_]:
    """Link every subword of a word with every subword of each word it is linked to. Shape [m, n].

    Args:
        text: Sentence pairs with links.
        row: Which of them.
        min_score: Links with a lower score, or with none, do not count.
    """
    bounds = [side.sentence(row)[1] for side in (text.source, text.target)]
    table = np.zeros((int(bounds[0][-1]), int(bounds[1][-1])), dtype=np.bool_)
    part = slice(text.links.starts[row], text.links.starts[row + 1])
    learnt = is_learnt(text.links.scores[part], min_score)
    for i, j in zip(text.links.source[part][learnt].tolist(), text.links.target[part][learnt].tolist(), strict=True):
        table[bounds[0][i] : bounds[0][i + 1], bounds[1][j] : bounds[1][j + 1]] = True
    return table


def cut_pieces(encoder: TransformerEncoder, sentences: Sequence[Sequence[str]]) -> Pieces:
    """Cut sentences of words into the subwords of an encoder."""
    return WordTokenizer(encoder.uncut_tokenizer()).cut(sentences)
