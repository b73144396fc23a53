"""Masked language modelling: a head that predicts hidden subwords from the states of an encoder, and the masking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoModelForMaskedLM
from transformers.modeling_outputs import BaseModelOutput

from lexenc.encoders.folder import forward_pass
from lexenc.encoders.pretrained import load_pretrained
from lexenc.encoders.subwords import Frame
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError

Indices = NDArray[np.int64]

SHARE = 0.15
"""Share of the subwords that are predicted, as in BERT."""
# Of those, the share that becomes a mask, and the share that becomes another subword; the rest stays as it is.
_MASKED, _SWAPPED = 0.8, 0.1
# Scores that are kept for the gradient at a time; with what is derived from them, three times 2 GiB.
_SCORES = 1 << 29


@dataclass(frozen=True)
class MaskedText:
    """A text with subwords to predict.

    Args:
        ids: Numbers of the subwords, special ones included. Shape [t].
        places: Where to predict. Shape [g], at least 1.
        right: The subwords that were there, or others to predict there. Shape [g].
        weights: How much each place counts; the loss of the text is the sum of those of its places. None for their
            mean. Shape [g].
        languages: Language of each subword, as in `TransformerEncoder.embed_with_states`. None for the one of the
            encoder. Shape [t].
    """

    ids: Indices
    places: Indices
    right: Indices
    weights: NDArray[np.floating] | None = None
    languages: Indices | None = None


def mask_subwords(
    ids: Indices,
    maskable: Indices,
    *,
    mask: int,
    others: NDArray[np.integer],
    draw: np.random.Generator,
    share: float = SHARE,
) -> MaskedText:
    """Mask a random share of the subwords of a text, at least one.

    Args:
        ids: Numbers of the subwords. Shape [t].
        maskable: Places of those that may be masked. Shape [m], at least 1.
        mask: Number of the mask.
        others: Subwords from which replacements are drawn, e.g. those of the corpus, so that no special one is drawn.
        draw: Source of randomness.
        share: Share of the places to predict.

    Source: Devlin et al. 2019, "BERT", section 3.1.
    """
    ids = ids.copy()
    wanted = maskable[draw.random(len(maskable)) < share]
    places = wanted if len(wanted) else draw.choice(maskable, 1)
    right = ids[places]
    kind = draw.random(len(places))
    ids[places[kind < _MASKED]] = mask
    swapped = places[(kind >= _MASKED) & (kind < _MASKED + _SWAPPED)]
    ids[swapped] = others[draw.integers(0, len(others), len(swapped))]
    return MaskedText(ids, places, right)


def mask_pair(
    texts: tuple[NDArray[np.integer], NDArray[np.integer]],
    frame: Frame,
    *,
    mask: int,
    others: NDArray[np.integer],
    draw: np.random.Generator,
    share: float = SHARE,
    languages: tuple[int, int] | None = None,
    regular: NDArray[np.bool_] | None = None,
) -> MaskedText:
    """Join a sentence and its translation and mask subwords of both. Which one comes first is random.

    Args:
        texts: Numbers of the subwords of both, without special ones, not both empty. Shape [t] each.
        frame: The special subwords around two sentences. Each has the language of the sentence next to it.
        mask: As in `mask_subwords`, like `others`, `draw` and `share`.
        others: See there.
        draw: See there.
        share: See there.
        languages: Language of each sentence, as in `MaskedText`. None for none.
        regular: Which subwords of the vocabulary can be masked. None for all. Shape [v].

    Source: Conneau and Lample 2019, "Cross-lingual Language Model Pretraining", section 3.3.
    """
    order = (1, 0) if draw.random() < 0.5 else (0, 1)
    ids, maskable = frame.around(texts[order[0]], texts[order[1]])
    maskable = maskable if regular is None else maskable[regular[ids[maskable]]]
    found = mask_subwords(ids, maskable, mask=mask, others=others, draw=draw, share=share)
    if languages is None:
        return found
    one, other = (languages[side] for side in order)
    middle = len(frame.before) + len(texts[order[0]]) + len(frame.between)
    return replace(found, languages=np.repeat([one, other], [middle, len(ids) - middle]))


class MaskedHead:
    """The part of a language model that predicts subwords from states, separated from the rest.

    It is only applied to the states of masked places.

    Args:
        folder: Folder of the encoder.
        encoder: The encoder loaded from it. Where the language model shares its subword vectors with the head, the
            head shares those of `encoder`. If these are not trained, the head does not train them either.
        vocabulary: Subwords that can be predicted, which makes the head cheap if they are few. None for all.

    Attributes:
        module: The head.
        fresh: Whether the folder contains no head, so that it starts from random weights.
        mask: Number of the mask.
        vocabulary: The subwords that can be predicted, distinct and in order. None for all.

    Raises:
        ConfigError: If the model has no such head, its head needs more than states, or its tokenizer has no mask.
    """

    def __init__(self, folder: Path, encoder: TransformerEncoder, vocabulary: Indices | None = None) -> None:
        module, missing = load_pretrained(AutoModelForMaskedLM, folder)
        transformer = cast(Any, encoder.module)[0]
        trial = {"input_ids": torch.tensor(encoder.tokenise(["a"]))}
        with forward_pass(folder), torch.no_grad():
            states, expected = module.base_model(**trial).last_hidden_state, module(**trial).logits
        setattr(module, module.base_model_prefix, _GivenStates())
        if getattr(module.config, "tie_word_embeddings", False):
            module.get_output_embeddings().weight = transformer.auto_model.get_input_embeddings().weight
        mask = transformer.tokenizer.mask_token_id
        if mask is None:
            raise ConfigError(
                f"The tokenizer of the encoder {folder} has no mask, which masked language modelling needs.",
                hint="Use another encoder, or another objective.",
            )
        self.vocabulary = None if vocabulary is None else np.unique(vocabulary)
        if self.vocabulary is not None:
            expected = expected[..., torch.from_numpy(self.vocabulary)]
            _restrict(module, self.vocabulary)
        self.module: nn.Module = module.to(next(encoder.module.parameters()).device)
        self.fresh, self.mask, self._folder = bool(missing), int(mask), folder
        with torch.no_grad():
            found = self.logits(states.squeeze(0).to(self.module.device))
        self._scored = found.shape[1]
        if not torch.allclose(found.cpu(), expected.squeeze(0).float(), rtol=1e-4, atol=1e-4):
            raise ConfigError(
                f"The head of {folder} that predicts masked subwords needs more than the states of its encoder.",
                hint="Use another encoder, or another objective.",
            )

    def logits(self, states: Tensor) -> Tensor:
        """Score every subword that can be predicted. Shape [t, d] -> [t, v], columns as in `vocabulary`."""
        return self._scores_of(self.module, states)

    def _scores_of(self, module: Any, states: Tensor) -> Tensor:
        with forward_pass(self._folder):
            found: Tensor = module(inputs_embeds=states.unsqueeze(0)).logits
        return found.squeeze(0).float()

    def losses(self, encoder: TransformerEncoder, texts: Sequence[MaskedText]) -> Tensor:
        """Return the cross entropy of the masked subwords of each text: their mean, or the sum by weights. Shape [n].

        All subwords in `right` have to be in `vocabulary`.
        """
        languages = None
        if any(text.languages is not None for text in texts):
            default = encoder.language_number
            languages = [np.full_like(t.ids, default) if t.languages is None else t.languages for t in texts]
        states = encoder.states([text.ids for text in texts], languages=languages)
        starts = np.cumsum([0, *(len(text.ids) for text in texts[:-1])])
        places = np.concatenate([start + text.places for start, text in zip(starts, texts, strict=True)])
        right = np.concatenate([text.right for text in texts])
        found = self.token_losses(states[torch.from_numpy(places).to(states.device)], right)
        losses = found.split([len(text.right) for text in texts])
        return torch.stack([_total(each, text.weights) for each, text in zip(losses, texts, strict=True)])

    def token_losses(self, states: Tensor, right: Indices) -> Tensor:
        """Return the cross entropy of subwords, all in `vocabulary`, in given states. Shape [t, d], [t] -> [t].

        Scores that need too much memory are computed part by part, and once more for the gradient.
        """
        columns = torch.from_numpy(self._columns(right)).to(states.device)
        size = max(1, _SCORES // self._scored)
        if len(states) <= size:
            return self._losses_of(states, columns)
        parts = zip(states.split(size), columns.split(size), strict=True)
        return torch.cat([checkpoint(self._losses_of, *part, use_reentrant=False) for part in parts])

    def _losses_of(self, states: Tensor, columns: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(states), columns, reduction="none")

    def _columns(self, subwords: Indices) -> Indices:
        """Return the columns of subwords in the scores."""
        if self.vocabulary is None:
            return subwords
        columns: Indices = np.searchsorted(self.vocabulary, subwords)
        assert (self.vocabulary[np.minimum(columns, len(self.vocabulary) - 1)] == subwords).all(), "not in `vocabulary`"
        return columns


def _total(losses: Tensor, weights: NDArray[np.floating] | None) -> Tensor:
    return losses.mean() if weights is None else losses @ torch.from_numpy(weights).to(losses)


def _restrict(module: Any, vocabulary: Indices) -> None:
    """Make a language model score only some subwords."""
    whole = module.get_output_embeddings()
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            if child is whole:
                setattr(part, name, _SomeRows(whole, vocabulary))


class _SomeRows(nn.Module):  # type: ignore[misc]
    """Some rows of a linear layer, whose weights stay those of the layer. The others are never multiplied.

    Args:
        whole: The layer.
        rows: Numbers of the rows. Shape [v].
    """

    def __init__(self, whole: nn.Linear, rows: Indices) -> None:
        super().__init__()
        self.whole = whole
        self.register_buffer("rows", torch.from_numpy(rows), persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """Shape [..., width] -> [..., v]."""
        bias = self.whole.bias
        return F.linear(states, self.whole.weight[self.rows], None if bias is None else bias[self.rows])


class _GivenStates(nn.Module):  # type: ignore[misc]
    """Takes the place of a language model and returns the states that it is called with."""

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> BaseModelOutput:
        return BaseModelOutput(last_hidden_state=inputs_embeds)
