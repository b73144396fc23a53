"""Masked language modelling: hidden subwords of texts (MLM) and of sentence pairs (TLM) are predicted.

Source: Devlin et al. 2019, "BERT", section 3.1; Conneau and Lample 2019, "Cross-lingual Language Model Pretraining",
sections 3.3 and 3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from lexenc.arrays import Indices, Ragged, batches
from lexenc.encoders.elmo import UNKNOWN
from lexenc.encoders.language_model import (
    LanguageModel,
    Shape,
    open_language_model,
    save_language_model,
    save_new_language_model,
)
from lexenc.encoders.masked_language import MaskedText, mask_pair, mask_subwords
from lexenc.encoders.pretrained import load_tokenizer
from lexenc.encoders.subwords import WordTokenizer
from lexenc.encoders.unigram import train_language_tokenizer
from lexenc.randomness import generator
from lexenc.training.language_models import LanguageModelKind, LanguageTexts, TextObjective
from lexenc.training.mixture import Mixture
from lexenc.training.sense_aware.head import SenseHead
from lexenc.training.sense_aware.settings import SensePlan
from lexenc.training.sense_aware.table import SenseTable
from lexenc.training.word_prediction import FIRST, LAST, train_word_tokenizer

_CHUNK_TOKENS = 16_384
FRAME, _MASKS = (UNKNOWN, FIRST, LAST), ("<pad>", "<mask>")  # special words of BERT
Numbers = NDArray[np.int32]


class Masking:
    """Puts special subwords around texts, and masks some of their own.

    Args:
        model: The language model.

    Attributes:
        regular: Which subwords can be masked: all that are not special. Shape [v], bool.
        single: The special subwords around a text.
        pair: Those around a pair of texts.
    """

    def __init__(self, model: LanguageModel) -> None:
        words = WordTokenizer(model.encoder.tokenizer)
        self.single, self.pair, self.regular = words.single, words.pair, model.regular
        self._others, self._mask = np.flatnonzero(self.regular), model.head.mask

    def masked(self, text: Numbers, draw: np.random.Generator) -> MaskedText:
        """Mask subwords of a text, at least one of which can be masked."""
        ids, own = self.single.around(text)
        return mask_subwords(ids, own[self.regular[ids[own]]], mask=self._mask, others=self._others, draw=draw)

    def masked_pair(self, texts: tuple[Numbers, Numbers], draw: np.random.Generator) -> MaskedText:
        """Mask subwords of a sentence and its translation, in any order."""
        return mask_pair(texts, self.pair, mask=self._mask, others=self._others, draw=draw, regular=self.regular)

    def usable(self, texts: Ragged) -> np.ndarray:
        """Return which texts have a subword that can be masked. Shape [n], bool."""
        found = np.zeros(len(texts), dtype=bool)
        found[texts.rows[self.regular[texts.values]]] = True
        return found


class MaskedObjective(TextObjective):
    """Texts of some languages (MLM), and sentence pairs (TLM). Every epoch and every step has new masks.

    The loss of an example is the mean cross entropy of its masked subwords. Every epoch has as many examples as there
    are. Those of a language are drawn for each epoch by `Mixture`, so that languages with little text are seen more
    often.

    Args:
        model: The language model to train, in place.
        texts: Texts. No one is longer than the model accepts.
        pairs: Sentences and their translations as subwords, without special ones. Which of the two comes first is
            random.
        exponent: Exponent of the share of each language, see `Mixture`.
        seed: Seed of the examples and of their masks.

    Attributes:
        empty: Number of texts and pairs with nothing to predict.
        too_long: Number of pairs that are longer than the model accepts. Nothing is learned from them.
        seen: Number of subwords of which losses were computed, special ones included.
    """

    def __init__(
        self,
        model: LanguageModel,
        texts: LanguageTexts,
        pairs: tuple[Ragged, Ragged] | None = None,
        *,
        exponent: float = 0.3,
        seed: int = 0,
    ) -> None:
        self._model, self._texts, self._seed = model, texts, seed
        self._mixture = Mixture(sampling=exponent, seed=seed)
        self._masking = Masking(model)
        self.modules = {"encoder": model.encoder.module, "head": model.head.module}
        usable = self._masking.usable(texts.texts)
        self._usable = np.flatnonzero(usable)
        self._languages = np.searchsorted(texts.starts, self._usable, side="right") - 1
        sizes = [texts.texts.lengths + self._masking.single.size]
        self._pairs, self._first_pair = pairs, len(texts.texts)
        self._pair_rows, self.too_long, self.empty = np.zeros(0, dtype=np.int64), 0, int((~usable).sum())
        if pairs is not None:
            source, target = pairs
            joint = source.lengths + target.lengths + self._masking.pair.size
            full = self._masking.usable(source) & self._masking.usable(target)
            fits = joint <= model.encoder.longest
            self.empty, self.too_long = self.empty + int((~full).sum()), int((full & ~fits).sum())
            self._pair_rows = self._first_pair + np.flatnonzero(full & fits)
            sizes.append(joint)
        self._sizes, self.seen = np.concatenate(sizes), 0

    def rows(self, epoch: int) -> Indices:
        """Return the examples of an epoch, the same number in each. Shape [n]."""
        return np.concatenate([self._usable[self._mixture.rows(self._languages, epoch)], self._pair_rows])

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of some examples. Shape as `rows`."""
        sizes: Indices = self._sizes[rows]
        return sizes

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the loss of each of some examples. Shape as `rows`."""
        masked = [self._masked(row, step) for row in rows.tolist()]
        self.seen += int(self._sizes[rows].sum())
        return self._model.head.losses(self._model.encoder, masked)

    def _masked(self, row: int, step: int) -> MaskedText:
        draw = generator(self._seed, f"masks of step {step}, example {row}")
        if self._pairs is None or row < self._first_pair:
            return self._masking.masked(self._texts.texts[row], draw)
        source, target = (side[row - self._first_pair] for side in self._pairs)
        return self._masking.masked_pair((source, target), draw)


class HeldOutTexts:
    """Texts with fixed masks, on which a model is scored.

    Args:
        model: The language model.
        texts: The texts. Those with nothing to predict are left out.
        seed: Seed of the masks.
    """

    def __init__(self, model: LanguageModel, texts: LanguageTexts, *, seed: int) -> None:
        self._model, masking = model, Masking(model)
        usable = masking.usable(texts.texts)
        rows = {name: own[usable[own]] for name, own in texts.rows().items()}
        self._masked: dict[str, list[MaskedText]] = {}
        for name in (name for name, own in rows.items() if len(own)):
            found = []
            for row in rows[name].tolist():
                one = masking.masked(texts.texts[row], generator(seed, f"masks of held-out text {row}"))
                found.append(replace(one, weights=np.ones(len(one.right))))
            self._masked[name] = sorted(found, key=lambda each: len(each.ids))

    @property
    def names(self) -> list[str]:
        """The languages that have texts."""
        return list(self._masked)

    def losses(self) -> dict[str, float]:
        """Return the mean cross entropy of the masked subwords of each language, in nats."""
        with torch.inference_mode():
            return {name: self._loss(texts) for name, texts in self._masked.items()}

    def _loss(self, texts: Sequence[MaskedText]) -> float:
        sizes = np.array([len(each.ids) for each in texts])
        parts = (self._model.head.losses(self._model.encoder, texts[part]) for part in batches(sizes, _CHUNK_TOKENS))
        return sum(float(part.double().sum()) for part in parts) / sum(len(each.right) for each in texts)

    def frequency_losses(self, texts: Mapping[str, Ragged]) -> dict[str, float]:
        """Return the losses of a control that predicts every subword by its frequency in the language.

        Args:
            texts: Training texts of each language. One is added to the occurrences of every subword.
        """
        found = {}
        for name, own in self._masked.items():
            right = np.concatenate([each.right for each in own])
            counts = np.bincount(texts[name].values, minlength=len(self._model.regular))
            chances = (counts + 1) / (counts.sum() + len(counts))
            found[name] = float(-np.log(chances[right]).mean())
        return found


class _MaskedKind:
    """Transformers of the architecture of XLM-R that predict masked subwords."""

    encoder_kind, unit, predicts, most_held_out = "transformer", "subwords", "masked subwords", 5000
    open = staticmethod(open_language_model)
    held_out = HeldOutTexts
    tokenizer_of = staticmethod(load_tokenizer)
    architecture: Literal["xlm-r", "bert"] = "xlm-r"

    def tokenizer(self, texts: Mapping[str, Iterable[str]], options: Mapping[str, Any]) -> Tokenizer:
        return train_language_tokenizer(
            texts, vocabulary_size=options["vocabulary"], exponent=options["language_sampling"]
        )

    def create(self, folder: Path, tokenizer: Any, options: Mapping[str, Any], *, seed: int) -> None:
        shape = Shape(*(options[name] for name in ("layers", "dimensions", "heads", "max_length")))
        save_new_language_model(folder, tokenizer, shape, seed=seed, architecture=self.architecture)

    def objective(
        self,
        model: LanguageModel,
        texts: LanguageTexts,
        pairs: tuple[Ragged, Ragged] | None,
        options: Mapping[str, Any],
        *,
        seed: int,
    ) -> MaskedObjective:
        learnt = texts if "mlm" in options["objective"] else LanguageTexts.of({})
        return MaskedObjective(model, learnt, pairs, exponent=options["language_sampling"], seed=seed)

    def with_senses(
        self, model: LanguageModel, plan: SensePlan, options: Mapping[str, Any]
    ) -> tuple[LanguageModel, dict[str, SenseTable]]:
        head = SenseHead(model.head, model.encoder.width, plan)
        return model._replace(head=head), {"senses": head.table}

    def save(self, folder: Path, model: LanguageModel) -> None:
        if isinstance(model.head, SenseHead):
            model.head.save(folder, model)
        else:
            save_language_model(folder, model)

    def card(self, options: Mapping[str, Any]) -> str:
        return f"A masked language model ({' and '.join(options['objective'])})"


class _BertKind(_MaskedKind):
    """Transformers of the architecture of BERT, whose subwords are whole words unless a tokenizer is given."""

    architecture = "bert"

    def tokenizer(self, texts: Mapping[str, Iterable[str]], options: Mapping[str, Any]) -> Tokenizer:
        made = train_word_tokenizer(
            texts,
            vocabulary_size=options["vocabulary"] - len(_MASKS),
            minimum_count=options["minimum_count"],
            exponent=options["language_sampling"],
            cased=options["cased"],
            words=options["words"],
        )
        made.add_special_tokens([*FRAME, *_MASKS])
        return made


XLM_R: LanguageModelKind = _MaskedKind()
BERT: LanguageModelKind = _BertKind()
