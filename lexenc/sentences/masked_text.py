"""Masked language modelling of sentences (MLM), and of sentences with their translations (TLM)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexenc.arrays import Indices
from lexenc.encoders.language_model import LanguageModel
from lexenc.encoders.masked_language import SHARE, MaskedText, mask_pair, mask_subwords
from lexenc.encoders.pretrained import longest_input
from lexenc.encoders.subwords import WordTokenizer
from lexenc.errors import DataError
from lexenc.randomness import generator
from lexenc.sentences.terms import PairStates, TermInputs, distinct_subwords

PAIR_SHARE = 0.2
"""Share of the subwords of a pair that are predicted, as in DAP."""


class MaskedSentences:
    """Predict masked subwords of one sentence of each row, of the anchor or the positive at random.

    The loss of a row is the mean cross entropy of its masked subwords; 0 for a sentence without subwords. Special ones,
    and the one for unknown characters, are never predicted.

    Args:
        given: With a prediction head.
        share: Share of the subwords to predict, of which 80 % are masked and 10 % replaced, as in BERT.

    Raises:
        ConfigError: If the encoder is not a transformer, or there is no head.

    Source: Devlin et al. 2019, "BERT", section 3.1.
    """

    uses_states = False
    needs_head = True

    def __init__(self, given: TermInputs, *, share: float = SHARE) -> None:
        self._encoder, self._head, self._share = given.transformer, given.prediction, share
        self.modules = {"head": self._head.module}
        self._given = given
        words = WordTokenizer(self._encoder.tokenizer)
        self._single, self._pair = words.single, words.pair
        self._regular = LanguageModel(self._encoder, self._head).regular
        found = distinct_subwords(given.tokens)
        self._others = found[self._regular[found]]

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of the longer sentence of some rows. Shape as `rows`."""
        sizes: Indices = np.maximum(*(self._given.tokens.lengths[texts[rows]] for texts in self._texts))
        return sizes

    def losses(self, rows: Indices, step: int, states: PairStates | None) -> Tensor:
        """Return the loss of each row. Shape as `rows`."""
        masked = [self._masked(row, step) for row in rows.tolist()]
        there = [text for text in masked if text is not None]
        found = torch.zeros(len(rows), device=next(self._head.module.parameters()).device)
        if not there:
            return found
        places = torch.tensor([text is not None for text in masked]).nonzero()[:, 0].to(found.device)
        return found.index_put((places,), self._head.losses(self._encoder, there))

    @property
    def _texts(self) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._given.data.anchors, self._given.data.positives

    def _inner(self, text: int) -> Indices:
        """Return the subwords of a text without special ones."""
        ids = self._given.tokens[text]
        inner: Indices = ids[len(self._single.before) : len(ids) - len(self._single.after)].astype(np.int64)
        return inner

    def _masked(self, row: int, step: int) -> MaskedText | None:
        """Return a row with masked subwords, drawn anew in every step; None if there is nothing to mask."""
        draw = generator(self._given.seed, f"masks of step {step}, row {row}")
        text = int(self._texts[int(draw.integers(2))][row])
        ids = self._given.tokens[text].astype(np.int64)
        maskable = len(self._single.before) + np.flatnonzero(self._regular[self._inner(text)])
        if not len(maskable):
            return None
        found = mask_subwords(ids, maskable, mask=self._head.mask, others=self._others, draw=draw, share=self._share)
        languages = self._given.data.languages
        return found if languages is None else replace(found, languages=np.full(len(ids), languages[text]))


class MaskedTranslations(MaskedSentences):
    """Predict masked subwords of a sentence and its translation, which are one input in random order.

    Other rows, and pairs that are longer than the model accepts, have the loss 0.

    Args:
        given: With a prediction head.
        share: As in `MaskedSentences`. The default is that of DAP.

    Attributes:
        too_long: Number of pairs that are longer than the model accepts.

    Raises:
        ConfigError: If the encoder is not a transformer, or there is no head.
        DataError: If all pairs are too long.

    Source: Conneau and Lample 2019, "Cross-lingual Language Model Pretraining", section 3.3.
    """

    needs_parallel = True

    def __init__(self, given: TermInputs, *, share: float = PAIR_SHARE) -> None:
        super().__init__(given, share=share)
        # Each sentence is as long as the encoder is set to take. The model itself may take both together.
        limit = longest_input(cast(Any, self._encoder.module)[0].auto_model)
        frames = self._pair.size - 2 * self._single.size
        joined = frames + sum(given.tokens.lengths[texts] for texts in self._texts)
        long = given.parallel & (joined > limit)
        self.too_long = int(long.sum())
        if self.too_long and self.too_long == given.parallel.sum():
            raise DataError(
                f"All {self.too_long:,} pairs are too long: a sentence and its translation together may have {limit:,} "
                "subwords.",
                hint="Use a smaller --max-length, or leave tlm out.",
            )
        self._sizes = np.where(given.parallel & ~long, joined, 0)

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of some pairs, 0 for other rows. Shape as `rows`."""
        sizes: Indices = self._sizes[rows]
        return sizes

    def _masked(self, row: int, step: int) -> MaskedText | None:
        if self._sizes[row] <= self._pair.size:
            return None
        texts = tuple(int(each[row]) for each in self._texts)
        if not any(self._regular[self._inner(text)].any() for text in texts):
            return None
        languages = self._given.data.languages
        return mask_pair(
            (self._inner(texts[0]), self._inner(texts[1])),
            self._pair,
            mask=self._head.mask,
            others=self._others,
            draw=generator(self._given.seed, f"masks of step {step}, pair of row {row}"),
            share=self._share,
            regular=self._regular,
            languages=None if languages is None else (int(languages[texts[0]]), int(languages[texts[1]])),
        )
