"""Encoders whose layers are mapped into the space of another encoder, one matrix per layer.

A linear map commutes with a mean over tokens. So the map of a layer applies to the states of words, and the map of the
layer of which the vectors of texts are made applies to these. In a folder of sentence-transformers the latter is a
`Dense` module after the pooling, so that other programs compute the same vectors of texts; they know nothing of the
maps of words. These are in `PROJECTION`, as `layer.N`: a state times its map is the projected state.

Source: Schuster et al. 2019, "Cross-Lingual Alignment of Contextual Word Embeddings"; Liu et al. 2021, "Towards
Multi-Sense Cross-Lingual Alignment of Contextual Embeddings", appendix B.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lexenc.arrays import Floats
from lexenc.encoders.base import Languages, Layers, Sentences, Tokens, WordEncoder, WordVectors
from lexenc.encoders.elmo import ElmoEncoder
from lexenc.encoders.folder import PROJECTION
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError, DataError
from lexenc.files.tensors import read_tensors, write_tensors

_AGAIN = "Make it again with lexenc project."
_NAME = re.compile(r"layer\.(\d{1,4})")
Projectable = TransformerEncoder | ElmoEncoder


def text_layers(encoder: Projectable) -> list[int]:
    """Return the layers of whose states the vectors of texts are means.

    Raises:
        ConfigError: If the vectors of texts are something else.
    """
    if isinstance(encoder, TransformerEncoder):
        encoder.check_linear()
        return [encoder.layers]
    vector = encoder.settings.vector
    return [vector] if isinstance(vector, int) else [*range(encoder.layers + 1)]


def save_projected(folder: Path, encoder: Projectable, maps: Mapping[int, Floats]) -> None:
    """Write an encoder with projected layers.

    Args:
        folder: Output folder.
        encoder: The encoder.
        maps: The map of each layer, those of `text_layers` among them. Shape [width, k].

    Raises:
        ConfigError: As `text_layers`, or if the encoder cannot be saved.
    """
    layers = text_layers(encoder)
    if isinstance(encoder, TransformerEncoder):
        encoder.save_projected(folder, maps[layers[0]])
    else:
        encoder.save(folder)
    _write_maps(folder, maps)


def _write_maps(folder: Path, maps: Mapping[int, Floats]) -> None:
    write_tensors(folder / PROJECTION, {f"layer.{layer}": each.astype(np.float32) for layer, each in maps.items()})


def read_maps(folder: Path) -> dict[int, Floats]:
    """Return the map of each layer. Shape [width, k].

    Raises:
        DataError: If the file is damaged, or a map is not a finite matrix, or they differ in shape.
    """
    path = folder / PROJECTION
    found: dict[int, Floats] = {}
    for name, each in read_tensors(path, hint=_AGAIN)[0].items():
        match = _NAME.fullmatch(name)
        if match is None or each.ndim != 2 or each.dtype != np.float32 or not each.size or not np.isfinite(each).all():
            raise DataError(
                f"{path}: '{name}' has shape {list(each.shape)} and type {each.dtype}, expected the map of a layer: "
                "a matrix of finite float32 numbers.",
                hint=_AGAIN,
            )
        found[int(match[1])] = each
    if len({each.shape for each in found.values()}) != 1:
        shapes = ", ".join(f"{layer}: {list(each.shape)}" for layer, each in found.items()) or "none"
        raise DataError(f"{path}: the maps of layers do not have the same shape ({shapes}).", hint=_AGAIN)
    return dict(sorted(found.items()))


class ProjectedEncoder:
    """An encoder whose states, and vectors of texts, are in the space of another one.

    Args:
        inner: The encoder, as it was loaded from the folder. The vectors of texts of a transformer are projected by
            its own modules.
        maps: The map of each layer. Shape [width, k].
        place: Its folder, for messages.

    Attributes:
        frozen: It cannot be trained, because its maps would fit no longer.
        word_layers: The layers that have a map.

    Raises:
        DataError: If the encoder and the maps do not fit each other.
    """

    kind = "projected"
    frozen = True

    def __init__(self, inner: Projectable, maps: Mapping[int, Floats], place: Path) -> None:
        self.inner, self.maps, self.place, self.word_layers = inner, dict(maps), place, tuple(maps)
        self.width = next(iter(self.maps.values())).shape[1]
        wrong = [layer for layer, each in self.maps.items() if layer > inner.layers or len(each) != inner.width]
        if wrong:
            raise DataError(
                f"{place / PROJECTION}: the map of layer {wrong[0]} has shape {list(self.maps[wrong[0]].shape)}, but "
                f"the encoder has {inner.layers} layers of {inner.width} dimensions.",
                hint=_AGAIN,
            )
        self._texts: TransformerEncoder | ElmoEncoder = inner
        self._map: Tensor | None = None
        if isinstance(inner, TransformerEncoder):
            self._check_dense(inner)
            self.dimensions = inner.dimensions
        else:
            self._texts = inner.with_vector("concat" if inner.settings.vector == "mean" else inner.settings.vector)
            self._map = torch.from_numpy(self._map_of_texts(inner)).to(next(inner.module.parameters()).device)
            self.dimensions = self._map.shape[1]
        self.layers, self.longest, self.side_by_side = inner.layers, inner.longest, inner.side_by_side
        self.tokenizer, self.languages = inner.tokenizer, list(getattr(inner, "languages", ()))

    def _check_dense(self, inner: TransformerEncoder) -> None:
        """Check that the vectors of texts are projected as the states of the last layer are."""
        parts = list(cast(Any, inner.module))
        dense = parts[2] if len(parts) > 2 and type(parts[2]).__name__ == "Dense" else None
        expected = self.maps.get(inner.layers)
        weight = None if dense is None else dense.linear.weight.detach().cpu().numpy().T
        if weight is None or expected is None or not np.array_equal(weight, expected):
            raise DataError(
                f"The Dense after the pooling of {self.place} is not the map of layer {inner.layers} in {PROJECTION}.",
                hint=_AGAIN,
            )

    def _map_of_texts(self, inner: ElmoEncoder) -> Floats:
        """Return the map from the vectors of texts of `self._texts` to the projected ones. Shape [any, d]."""
        layers = text_layers(inner)
        if missing := [layer for layer in layers if layer not in self.maps]:
            raise DataError(
                f"{self.place / PROJECTION} has no map of layer {missing[0]}, of which vectors of texts are made.",
                hint=_AGAIN,
            )
        own = [self.maps[layer] for layer in layers]
        if inner.settings.vector != "concat":
            return np.concatenate(own) / np.float32(len(own))
        found = np.zeros((sum(map(len, own)), self.width * len(own)), dtype=np.float32)
        for place, each in enumerate(own):
            found[place * inner.width :, place * self.width :][: len(each), : self.width] = each
        return found

    @property
    def module(self) -> nn.Module:
        """The weights of the encoder."""
        return self.inner.module

    @property
    def language(self) -> str | None:
        """The language of all texts whose language is not given. Can be set."""
        found: str | None = getattr(self.inner, "language", None)
        return found

    @language.setter
    def language(self, name: str | None) -> None:
        cast(Any, self.inner).language = name

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of texts."""
        return self._texts.tokenise(texts)

    def embed(self, tokens: Tokens, languages: Languages | None = None) -> Tensor:
        """Return the projected vectors of texts. Differentiable. Shape [n, d], float32."""
        vectors = self._texts.embed(tokens, languages)
        return vectors if self._map is None else vectors @ self._map

    def reference(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts as the plainest way of the encoder does, and project them. Shape [n, d], float32."""
        vectors = self._texts.reference(texts)
        return vectors if self._map is None else vectors @ self._map.cpu().numpy()

    def words(self, make: Any, layer: Layers) -> WordEncoder:
        """Return the encoder of words at layers.

        Args:
            make: Returns that of `inner` at several layers.
            layer: From 0; negative numbers count from the end. Several are concatenated. `mean` or `concat` for all
                projected ones.

        Raises:
            ConfigError: If there is no such layer, or it is not projected.
        """
        chosen = (*self.maps,) if isinstance(layer, str) else layer if isinstance(layer, tuple) else (layer,)
        words: WordEncoder = make(chosen)  # which checks the numbers
        numbers = [each % (self.layers + 1) for each in chosen]
        if missing := [each for each in numbers if each not in self.maps]:
            known = ", ".join(map(str, self.maps))
            raise ConfigError(
                f"Layer {missing[0]} of the encoder {self.place} is not projected.",
                hint=f"Use a projected layer ({known}), or add {missing[0]} to --layers of lexenc project.",
            )
        return ProjectedWords(words, [self.maps[each] for each in numbers], mean=layer == "mean")

    def save(self, folder: Path) -> None:
        """Write a folder that can be loaded again and then encodes the same."""
        self.inner.save(folder)
        _write_maps(folder, self.maps)


class ProjectedWords:
    """Words in the space of another encoder.

    Args:
        words: Returns their vectors at all layers, concatenated. Shape [t, layers * width].
        maps: The map of each layer. Shape [width, k].
        mean: Whether to return the mean of the layers, instead of all of them concatenated.
    """

    def __init__(self, words: WordEncoder, maps: Sequence[Floats], *, mean: bool = False) -> None:
        self._words, self._maps, self._mean = words, maps, mean

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Return the vectors of all sentences."""
        found = self._words(sentences)
        layers = np.split(found.values, len(self._maps), axis=1)
        mapped = [each @ own for each, own in zip(layers, self._maps, strict=True)]
        joined = np.stack(mapped).mean(axis=0) if self._mean else np.concatenate(mapped, axis=1)
        return found._replace(values=joined)
