"""What every encoder, and every kind of encoders, offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lexenc.device import Device
from lexenc.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

Pooling = Literal["auto", "mean", "cls", "first-last", "model"]
OWN = ("auto", "model")
"""Poolings that keep the modules of an encoder; the others replace them."""
Tokens = Sequence[Sequence[int]] | Sequence[np.ndarray]
"""Token ids of some texts."""
Languages = Sequence[int] | Sequence[NDArray[np.int64]] | NDArray[np.int64]
"""Language of each text, or of each of its tokens: 0 for none, otherwise 1 + its place in the encoder's languages."""
Sentences = Sequence[Sequence[str]]
Unit = Literal["subwords", "words"]
LayerChoice = int | Literal["mean", "concat"]
"""A layer, or how all layers are combined."""
Layers = LayerChoice | tuple[int, ...]
"""The same, or several layers, which are concatenated."""


class Encoder(Protocol):
    """Turns texts into vectors, and can be trained.

    May have `side_by_side = True` if `embed` gains from threads, `partial = True` if it is a part of the model in its
    folder and cannot be saved alone, `frozen = True` if it cannot be trained, `word_layers`, the layers that words have
    vectors of if they are not all, and `languages` with `language`, the one of all texts, which can be set.
    """

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def module(self) -> torch.nn.Module:
        """The weights."""

    @property
    def kind(self) -> str:
        """Name of the kind in `lexenc.encoders.ENCODERS`."""

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn texts into token ids, special tokens included, cut at the longest input of the encoder."""

    def embed(self, tokens: Tokens, languages: Languages | None = None) -> torch.Tensor:
        """Encode token ids in one pass. Differentiable. Shape [n, d], float32.

        Raises:
            ConfigError: If the encoder has no such language.
        """

    def reference(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts in the plainest way, e.g. one by one with the library that made the encoder. Shape [n, d].

        `load_encoder` refuses an encoder whose `embed` returns something else.
        """

    def save(self, folder: Path) -> None:
        """Write a folder that can be loaded again and then encodes the same."""


class WordVectors(NamedTuple):
    """Vectors of the words of some sentences, or of their subwords, in the order of the text.

    Args:
        values: One row per word or subword, float32. Shape [t, d].
        starts: Where the rows of each sentence begin, and the end of the last. Shape [n + 1], int64.
        words: Position of the word in its sentence, from 0. Shape [t], int32.
        windowed: Whether the sentence was longer than the model. Shape [n].
        missing: Number of words of the sentence that have no vector. Shape [n], int32.
    """

    values: NDArray[np.float32]
    starts: NDArray[np.int64]
    words: NDArray[np.int32]
    windowed: NDArray[np.bool_]
    missing: NDArray[np.int32]

    def part(self, first: int, last: int) -> WordVectors:
        """Return the sentences from `first` up to `last`, without it. Values are not copied."""
        rows = slice(int(self.starts[first]), int(self.starts[last]))
        starts = self.starts[first : last + 1] - self.starts[first]
        return WordVectors(
            self.values[rows], starts, self.words[rows], self.windowed[first:last], self.missing[first:last]
        )


WordEncoder = Callable[[Sentences], WordVectors]
"""Returns the vectors of all sentences, each a list of words."""


class EncoderKind(Protocol):
    """A kind of encoders.

    Attributes:
        learning_rate: Usual peak of the learning rate in fine-tuning.
        special_tokens: Whether its tokenizer adds special tokens around a text.
        language_model: Whether it contains a language model of transformers, which `align-train` can fine-tune.

    May have `library`, the name of the library that loads its folders. Without it, sentence-transformers does.
    """

    learning_rate: float
    special_tokens: bool
    language_model: bool

    def recognises(self, folder: Path) -> bool:
        """Return whether a folder contains an encoder of this kind."""

    def load(self, folder: Path, *, pooling: Pooling, device: Device, max_length: int | None) -> Encoder:
        """Load an encoder; the arguments are those of `lexenc.encoders.load.load_encoder`."""

    def create(self, folder: Path, tokenizer: Tokenizer, *, dimensions: int, seed: int, **settings: Any) -> None:
        """Write an untrained encoder with random weights.

        Args:
            folder: Output folder.
            tokenizer: Tokenizer of the encoder.
            dimensions: Length of a vector.
            seed: Seed of the weights.
            settings: The other settings of `lexenc new-encoder`: layers, heads, max_length, deviation.
        """

    def faults(self, **settings: Any) -> list[ConfigError]:
        """Return what is wrong with the settings of `create`."""

    def words(self, encoder: Any, *, layer: Layers, unit: Unit) -> WordEncoder:
        """Return the encoder of words in sentences; see `lexenc.encoders.word_vectors.word_encoder`."""


def printable(text: str) -> str:
    """Replace bytes that are not UTF-8 by the replacement character, because tokenizers refuse them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def check_no_languages(languages: Languages | None) -> None:
    """Refuse languages for an encoder that has none.

    Raises:
        ConfigError: If a text has a language.
    """
    if languages is not None and any(np.any(each) for each in languages):
        raise ConfigError(
            "The encoder has no vectors for languages, but texts have a language.", hint="Leave the language out."
        )


def untrainable(name: str | Path) -> ConfigError:
    """Return the error for an encoder that is projected already."""
    return ConfigError(
        f"The encoder {name} is projected into the space of another, so it can be neither trained nor projected again.",
        hint="Use the encoder that it was made from, and project the result.",
    )


def unsavable(name: str | Path) -> ConfigError:
    """Return the error for an encoder that is only a part of the model in its folder."""
    return ConfigError(
        f"The encoder {name} is a part of an encoder-decoder model and cannot be saved alone, so it cannot be trained.",
        hint="Use an encoder, such as XLM-R, or an encoder-decoder model such as T5 or M2M100.",
    )


def unknown_language(encoder: str, name: str, known: Sequence[str]) -> ConfigError:
    """Return the error for a language that an encoder does not have."""
    if known:
        return ConfigError(
            f"The encoder {encoder} has no vector for the language '{name}'.", hint=f"It has: {', '.join(known)}."
        )
    return ConfigError(
        f"The encoder {encoder} has no vectors for languages, but the language {name} was asked for.",
        hint="Leave the language out, or train an encoder with languages.",
    )
