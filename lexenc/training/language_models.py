"""What `pretrain` needs of a kind of language models, and the texts that models learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices, Ragged, starts_of
from lexenc.device import Device
from lexenc.encoders.base import Encoder
from lexenc.training.objective import Objective
from lexenc.training.sense_aware.settings import SensePlan
from lexenc.training.sense_aware.table import SenseTable

Split = Callable[[Sequence[str]], Ragged]
"""Turns lines into subwords or words, without special ones."""


@dataclass(frozen=True)
class LanguageTexts:
    """Texts of some languages as subwords or words, without special ones.

    Args:
        names: Names of the languages.
        texts: The texts, language by language.
        starts: Where the texts of each language begin, and the end of the last. Shape [languages + 1].
    """

    names: Sequence[str]
    texts: Ragged
    starts: Indices

    @classmethod
    def of(cls, texts: Mapping[str, Ragged]) -> LanguageTexts:
        """Concatenate the texts of each language."""
        joined = Ragged.joined([Ragged.of([], dtype=np.int32), *texts.values()])
        return cls(list(texts), joined, starts_of([len(each) for each in texts.values()]))

    def rows(self) -> dict[str, Indices]:
        """Return the numbers of the texts of each language."""
        bounds = zip(self.names, self.starts[:-1], self.starts[1:], strict=True)
        return {name: np.arange(begin, end) for name, begin, end in bounds}


class TrainableModel(Protocol):
    """A language model in training: an encoder, and what predicts from its states."""

    @property
    def encoder(self) -> Encoder:
        """The encoder."""

    @property
    def fresh(self) -> bool:
        """Whether the part that predicts is new, so that it starts from random weights."""

    @property
    def regular(self) -> NDArray[np.bool_]:
        """Which subwords or words of the vocabulary are not special. Shape [v]."""

    @property
    def names(self) -> list[str]:
        """The subwords or words of the vocabulary, by number. Shape [v]."""

    @property
    def room(self) -> int:
        """Longest text in subwords or words, without special ones."""

    def splitter(self) -> Split:
        """Return a function that splits lines of any length."""

    def unknown(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which subwords or words stand for what the vocabulary lacks. Shape as `numbers`."""


class HeldOut(Protocol):
    """Texts on which a language model is scored."""

    @property
    def names(self) -> list[str]:
        """The languages that have texts."""

    def losses(self) -> dict[str, float]:
        """Return the mean cross entropy of what is predicted in each language, in nats."""

    def frequency_losses(self, texts: Mapping[str, Ragged]) -> dict[str, float]:
        """Return the losses of a control that predicts by frequency in the training texts of each language."""


class TextObjective(Objective):
    """An objective of texts.

    Attributes:
        empty: Number of texts and pairs with nothing to predict.
        too_long: Number of pairs that are longer than the model accepts. Nothing is learned from them.
        seen: Number of subwords or words of which losses were computed, special ones included.
    """

    empty: int
    too_long: int
    seen: int


class LanguageModelKind(Protocol):
    """A kind of language models that `pretrain` trains: how it is made, what it learns and how it is scored.

    Attributes:
        encoder_kind: Kind of its encoders, see `lexenc.encoders.ENCODERS`.
        unit: What it predicts, in the plural: subwords or words.
        predicts: The same for messages, e.g. `masked subwords`.
        most_held_out: Largest number of lines of a language that are held out by default.
    """

    encoder_kind: str
    unit: str
    predicts: str
    most_held_out: int

    def tokenizer(self, texts: Mapping[str, Iterable[str]], options: Mapping[str, Any]) -> Any:
        """Return a tokenizer that is learned from lines by language. `options` are the parameters of `pretrain`."""

    def tokenizer_of(self, folder: Path) -> Any:
        """Return the tokenizer of an encoder, for another model."""

    def create(self, folder: Path, tokenizer: Any, options: Mapping[str, Any], *, seed: int) -> None:
        """Write a model with random weights."""

    def open(self, folder: Path, *, device: Device, max_length: int | None = None) -> Any:
        """Load a model to train it, a `TrainableModel`."""

    def objective(
        self,
        model: Any,
        texts: LanguageTexts,
        pairs: tuple[Ragged, Ragged] | None,
        options: Mapping[str, Any],
        *,
        seed: int,
    ) -> TextObjective:
        """Return what the model learns from texts and pairs."""

    def with_senses(self, model: Any, plan: SensePlan, options: Mapping[str, Any]) -> tuple[Any, dict[str, SenseTable]]:
        """Return a model that predicts senses, and its tables by name."""

    def held_out(self, model: Any, texts: LanguageTexts, *, seed: int) -> HeldOut:
        """Return texts on which the model is scored."""

    def save(self, folder: Path, model: Any) -> None:
        """Write a folder that is an encoder, and that `open` loads again."""

    def card(self, options: Mapping[str, Any]) -> str:
        """Return what the model is and learned, as the beginning of a sentence of its card."""
