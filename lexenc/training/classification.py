"""Classifiers of texts and of pairs of texts: a fine-tuned encoder, or a small head on the vectors of a frozen one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lexenc.arrays import Indices, Ragged, blocks
from lexenc.encoders.base import Encoder, Pooling
from lexenc.encoders.encode import TOKEN_BUDGET, encode_texts
from lexenc.progress import SILENT, Progress
from lexenc.randomness import torch_generator
from lexenc.training.objective import Objective, chunks

Texts = tuple[str, ...]
"""What is classified: one text, or the two of a pair."""
_HIDDEN = 512  # width of the layer between vectors and classes, as in InferSent
_DROPOUT = 0.1
_DEVIATION = 0.02  # of the weights of a last layer, as in BERT, so that all classes are alike at first
_CHUNK = 8192  # examples tokenised at a time
_DROPOUTS = ("classifier_dropout", "seq_classif_dropout", "hidden_dropout_prob", "dropout")


Store = Callable[[Iterable[NDArray[Any]], int], NDArray[Any]]
"""Stores blocks of rows one after the other, and returns them as one array; its second argument is their length."""


def in_memory(parts: Iterable[NDArray[Any]], width: int) -> NDArray[Any]:
    """Store rows in memory. Shape [k, width] each -> [n, width]."""
    return np.concatenate([np.zeros((0, width), dtype=np.float16), *parts])


@dataclass(frozen=True)
class Examples:
    """Texts as a classifier reads them.

    Args:
        sizes: Number of subwords that the encoder reads of each in every step, at least 1. Shape [n].
        data: What `Classifier.logits` computes from.
        truncated: Number of examples that are longer than the encoder reads.
    """

    sizes: Indices
    data: Any
    truncated: int = 0

    def __len__(self) -> int:
        return len(self.sizes)


class Classifier(ABC):
    """Scores the classes of examples. A subclass is made anew for every seed.

    Args:
        encoder: The encoder.
        texts: Number of texts of an example, 1 or 2.
        classes: Number of classes.
        seed: Seed of the new weights.

    Attributes:
        tunes: Whether it changes the encoder, so that every seed needs it as it was.
        pooling: Usual pooling of the encoder.
        epochs: Usual number of passes over the training data.
        batch_size: Usual number of examples per step.
        learning_rate: Usual peak learning rate.
        modules: Everything that learns, by name.
    """

    tunes: ClassVar[bool]
    pooling: ClassVar[Pooling]
    epochs: ClassVar[int]
    batch_size: ClassVar[int]
    learning_rate: ClassVar[float]
    modules: Mapping[str, nn.Module]

    @abstractmethod
    def __init__(self, encoder: Any, *, texts: int, classes: int, seed: int) -> None: ...

    @staticmethod
    def width(encoder: Any) -> int:
        """Return the length of the vectors of an encoder that it reads."""
        return int(encoder.dimensions)

    @staticmethod
    @abstractmethod
    def read(
        encoder: Any, texts: Sequence[Texts], *, store: Store = in_memory, progress: Progress = SILENT
    ) -> Examples:
        """Prepare examples, the same for every seed.

        Args:
            encoder: The encoder.
            texts: The examples, all of as many texts.
            store: Holds what memory is too small for.
            progress: Progress bar to update.
        """

    @abstractmethod
    def logits(self, examples: Examples, rows: Indices) -> Tensor:
        """Score the classes of some examples. Differentiable. Shape [b, classes], float32."""


class FineTuned(Classifier):
    """An encoder and one linear layer, trained together. A pair is one input, joined as the tokenizer joins pairs.

    The linear layer reads the vector that the encoder has after pooling, by default the state of the first token, after
    the dropout of the model.

    Source: Devlin et al. 2019, "BERT", section 4.1; Conneau et al. 2018, "XNLI".
    """

    tunes, pooling = True, "cls"
    epochs, batch_size, learning_rate = 2, 32, 5e-5

    def __init__(self, encoder: Any, *, texts: int, classes: int, seed: int) -> None:
        self._encoder = encoder
        config = cast(Any, encoder.module)[0].auto_model.config
        found = (getattr(config, name, None) for name in _DROPOUTS)
        dropout = next((float(each) for each in found if isinstance(each, int | float)), _DROPOUT)
        last = linear(encoder.dimensions, classes, seed, "last layer", _DEVIATION)
        self._head = nn.Sequential(nn.Dropout(dropout), last).to(device_of(encoder)).eval()
        self.modules = {"encoder": encoder.module, "head": self._head}

    @staticmethod
    def read(
        encoder: Any, texts: Sequence[Texts], *, store: Store = in_memory, progress: Progress = SILENT
    ) -> Examples:
        """Tokenise texts or pairs."""
        tokens, types, truncated = [Ragged.of([], np.int32)], list[Ragged](), 0
        with progress.task("tokenise", len(texts), "examples") as task:
            for block in blocks(len(texts), _CHUNK):
                if len(texts[0]) > 1:
                    ids, kinds, cut = encoder.tokenise_pairs(texts[block])
                    types += [] if kinds is None else [Ragged.of(kinds, np.int8)]
                else:
                    ids = encoder.tokenise([text for (text,) in texts[block]])
                    cut = sum(len(each) >= encoder.longest for each in ids)
                tokens.append(Ragged.of(ids, np.int32))
                truncated += cut
                task.advance(len(ids))
        stored = Ragged.joined(tokens)
        return Examples(np.maximum(1, stored.lengths), (stored, Ragged.joined(types) if types else None), truncated)

    def logits(self, examples: Examples, rows: Indices) -> Tensor:
        """Encode some examples and score them."""
        tokens, types = examples.data
        kinds = None if types is None else [types[row].astype(np.int64) for row in rows.tolist()]
        found: Tensor = self._head(self._encoder.embed_pairs([tokens[row] for row in rows.tolist()], kinds))
        return found.float()


class Dense(Classifier):
    """Two dense layers on the vectors of a frozen encoder: u of one text; u, v, |u - v| and u * v of a pair.

    Every vector is first brought to mean 0 and variance 1 over its dimensions, so that the scale of an encoder does not
    matter. Memory: 4 n d bytes for each text of an example.

    Source: Conneau et al. 2017, "Supervised Learning of Universal Sentence Representations", section 3.1.
    """

    tunes, pooling = False, "auto"
    epochs, batch_size, learning_rate = 10, 64, 1e-3

    def __init__(self, encoder: Any, *, texts: int, classes: int, seed: int) -> None:
        width = encoder.dimensions * (4 if texts > 1 else 1)
        self._device = device_of(encoder)
        self._head = dense_layers(width, classes, seed).to(self._device).eval()
        self.modules = {"head": self._head}

    @staticmethod
    def read(
        encoder: Any, texts: Sequence[Texts], *, store: Store = in_memory, progress: Progress = SILENT
    ) -> Examples:
        """Encode every text."""
        sides = []
        for side in zip(*texts, strict=True):
            vectors = torch.from_numpy(encode_texts(encoder, side, progress=progress))
            sides.append(F.layer_norm(vectors, vectors.shape[1:], eps=1e-12))
        return Examples(np.ones(len(texts), dtype=np.int64), sides)

    def logits(self, examples: Examples, rows: Indices) -> Tensor:
        """Score some examples by their vectors."""
        u, *others = (side[torch.from_numpy(rows)].to(self._device) for side in examples.data)
        parts = [u, *(part for v in others for part in (v, (u - v).abs(), u * v))]
        found: Tensor = self._head(torch.cat(parts, dim=1))
        return found


def dense_layers(width: int, classes: int, seed: int) -> nn.Sequential:
    """Return two dense layers with random weights: vectors of this width to scores of classes."""
    return nn.Sequential(
        linear(width, _HIDDEN, seed, "first layer", width**-0.5),
        nn.ReLU(),
        nn.Dropout(_DROPOUT),
        linear(_HIDDEN, classes, seed, "last layer", _DEVIATION),
    )


def device_of(encoder: Encoder) -> torch.device:
    """Return the device of the weights of an encoder."""
    return next(encoder.module.parameters()).device


def linear(width: int, out: int, seed: int, name: str, deviation: float) -> nn.Linear:
    """Return a linear layer with random weights and no bias at first."""
    layer = nn.utils.skip_init(nn.Linear, width, out)
    nn.init.zeros_(layer.bias)
    nn.init.normal_(layer.weight, std=deviation, generator=torch_generator(seed, name))
    return cast(nn.Linear, layer)


class ClassificationObjective(Objective):
    """Examples with their classes. The loss of an example is its cross entropy.

    Args:
        classifier: The classifier to train.
        examples: The examples.
        classes: Right class of each. Shape [n].
    """

    def __init__(self, classifier: Classifier, examples: Examples, classes: Indices) -> None:
        self._classifier, self._examples, self._classes = classifier, examples, classes
        self.modules = classifier.modules

    def rows(self, epoch: int) -> Indices:
        """Return all examples. Shape [n]."""
        return np.arange(len(self._examples))

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of some examples. Shape as `rows`."""
        found: Indices = self._examples.sizes[rows]
        return found

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the cross entropy of some examples, in nats. Shape as `rows`."""
        logits = self._classifier.logits(self._examples, rows)
        right = torch.from_numpy(self._classes[rows]).to(logits.device)
        return F.cross_entropy(logits, right, reduction="none")


def predicted_classes(classifier: Classifier, examples: Examples, *, tokens: int = TOKEN_BUDGET) -> Indices:
    """Return the class with the highest score for each example, of equal ones the first. Shape [n].

    Args:
        classifier: A classifier that is not being trained.
        examples: The examples.
        tokens: Maximum number of subwords in one pass.
    """
    found = np.zeros(len(examples), dtype=np.int64)
    with torch.inference_mode():
        for rows in chunks(examples.sizes.take, np.arange(len(examples)), tokens):
            found[rows] = classifier.logits(examples, rows).argmax(dim=1).cpu().numpy()
    return found


def accuracy(classifier: Classifier, examples: Examples, classes: Indices) -> float:
    """Return the share of examples that get their right class. NaN without examples."""
    return float(np.mean(predicted_classes(classifier, examples) == classes)) if len(examples) else float("nan")
