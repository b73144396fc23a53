"""What every encoder, and every kind of encoders, offers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lexenc.device import Device
from lexenc.errors import ConfigError, DataError, LexencError

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

Pooling = Literal["auto", "mean", "model"]
Sentences = Sequence[Sequence[str]]
Unit = Literal["subwords", "words"]

STATIC_CLASS = "StaticEmbedding"
"""The module of sentence-transformers with one vector per subword."""
MODULES_PATH = "sentence_transformers.models."
"""The path under which every release of sentence-transformers since 3.2 finds its modules."""


class Encoder(Protocol):
    """Turns texts into vectors, and can be trained.

    May have `side_by_side = True` if `embed` gains from threads, and `partial = True` if it is a part of the model in
    its folder and cannot be saved alone.
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

    def embed(self, tokens: Sequence[Sequence[int]] | Sequence[np.ndarray]) -> torch.Tensor:
        """Encode token ids in one pass. Differentiable. Shape [n, d], float32."""

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

    def words(self, encoder: Any, *, layer: int, unit: Unit) -> WordEncoder:
        """Return the encoder of words in sentences; see `lexenc.encoders.word_vectors.word_encoder`."""


def printable(text: str) -> str:
    """Replace bytes that are not UTF-8 by the replacement character, because tokenizers refuse them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextmanager
def forward_pass(name: str | Path) -> Iterator[None]:
    """Turn what a model raises while it computes into an error that names the encoder.

    Raises:
        ConfigError: If the model fails. Errors of memory stay as they are.
    """
    try:
        yield
    except (LexencError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # of PyTorch, which is not imported here
            raise
        raise ConfigError(
            f"The encoder {name} cannot compute: {one_line(error)}",
            hint="Its settings, weights and tokenizer may belong to different models. Copy it again, or use another.",
        ) from error


def one_line(error: Exception) -> str:
    """Return the text of an error as one line, with the class of the error if it is not a sentence."""
    text = " ".join(str(error).split())[:300]
    return text if " " in text else f"{type(error).__name__}: {text}"


def unsavable(name: str | Path) -> ConfigError:
    """Return the error for an encoder that is only a part of the model in its folder."""
    return ConfigError(
        f"The encoder {name} is a part of an encoder-decoder model and cannot be saved alone, so it cannot be trained.",
        hint="Use an encoder, such as XLM-R, or an encoder-decoder model such as T5 or M2M100.",
    )


def class_of(module: Mapping[str, str]) -> str:
    """Return the class of a row of the table of modules: its name alone if it is one of sentence-transformers."""
    path = module.get("type", "")
    return path.rpartition(".")[2] if path.startswith("sentence_transformers.") else path


def read_modules(folder: Path) -> list[dict[str, str]]:
    """Return the table of modules of a sentence-transformers folder; no rows for a plain language model.

    Raises:
        DataError: If the table is not JSON, or a module is outside the folder.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return []
    try:
        modules = [dict(each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is not a table of modules ({error}).", hint="Copy the encoder again.") from None
    for each in modules:
        place = PurePath(str(each.setdefault("path", "")))
        if place.is_absolute() or ".." in place.parts:
            raise DataError(f"{path} has a module outside the folder: {place}", hint="Use another encoder.")
    return modules


def read_settings(path: Path) -> dict[str, Any]:
    """Return a JSON file of settings by name; no settings if there is no file.

    Raises:
        DataError: If it is not a JSON object.
    """
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is not a JSON object ({error}).", hint="Copy the encoder again.") from None


def static_modules(folder: Path) -> list[dict[str, str]]:
    """Return the table of modules of a static encoder, which begins with `STATIC_CLASS`; no rows for another folder.

    Folders of model2vec before 0.3 have no table. The one that later releases write follows from its settings.

    Raises:
        DataError: If the table is damaged.
    """
    modules = read_modules(folder)
    if not modules and (settings := read_settings(folder / "config.json")).get("model_type") == "model2vec":
        names = [STATIC_CLASS, *(["Normalize"] if settings.get("normalize") else [])]
        modules = [{"path": "" if name == STATIC_CLASS else f"1_{name}", "type": MODULES_PATH + name} for name in names]
    return modules if modules and class_of(modules[0]) == STATIC_CLASS else []
