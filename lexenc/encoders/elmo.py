"""ELMo: two stacks of LSTMs over the words of a sentence, one in reading order and one against it.

They share only the input: a vector per word, or a convolutional network over the characters of each distinct word.
Every sentence begins and ends with a special word, so that its first word has a left context. No state is carried from
one sentence to the next.

Source: Peters et al. 2018, "Deep contextualized word representations", section 3; Józefowicz et al. 2016, "Exploring
the Limits of Language Modeling", for the convolutional network.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer
from torch import Tensor, nn

from lexenc.arrays import Indices, Ragged
from lexenc.device import CPU, Device
from lexenc.encoders.base import OWN, Languages, LayerChoice, Layers, Pooling, Tokens, check_no_languages, printable
from lexenc.encoders.folder import COPY, ELMO_TYPE, check_vocabulary, guarded, read_settings, saving, splitting
from lexenc.encoders.heads import read_weights
from lexenc.encoders.subwords import WordTokenizer, uncut_tokenizer
from lexenc.errors import ConfigError, DataError
from lexenc.files.tensors import write_tensors
from lexenc.randomness import torch_generator
from lexenc.structured import checked

UNKNOWN = "<unk>"
"""The word of the tokenizer that stands for all others."""
WEIGHTS_FILE = "model.safetensors"
_INPUT_DEVIATION = 0.3  # of the vectors of words; with smaller ones the upper layers lose the word
# Characters are bytes of UTF-8; the others mark the ends of a word, the padding after it, and the two special words.
_BEGIN, _END, _PADDING, _FIRST, _LAST, _CHARACTERS = 256, 257, 258, 259, 260, 261


@dataclass(frozen=True)
class CharacterSettings:
    """Sizes of the convolutional network over the characters of a word.

    Args:
        filters: Width in characters, and number, of the filters of each convolution.
        width: Length of the vector of a character.
        highway: Number of highway layers.
        longest: Characters of a word, both marks included. Longer words are cut.
    """

    filters: list[tuple[int, int]]
    width: int = 16
    highway: int = 2
    longest: int = 50


@dataclass(frozen=True)
class ElmoSettings:
    """Sizes of ELMo, and what its text vectors are made of.

    Args:
        dimensions: Length of the state of a direction. A layer has twice as many numbers.
        layers: Number of LSTMs of a direction.
        cells: Cells of an LSTM, whose output is projected to `dimensions`. None for as many as `dimensions`, without a
            projection.
        clip: Largest absolute value of a cell and of a projected state. None for no limit.
        dropout: Share of the inputs of each layer, and of the states for prediction, that is dropped in training.
        characters: Network over the characters of words. None for a vector per word.
        vector: Layer of text vectors: a number, 0 for the input; the mean of all layers; or all layers concatenated.
        max_length: Longest sentence in words, special ones included. None for no limit.
        model_type: `ELMO_TYPE`.
    """

    dimensions: int
    layers: int = 2
    cells: int | None = None
    clip: float | None = None
    dropout: float = 0.1
    characters: CharacterSettings | None = None
    vector: LayerChoice = "mean"
    max_length: int | None = None
    model_type: str = ELMO_TYPE

    def faults(self) -> list[str]:
        """Return what is wrong with the values."""
        sizes = {"dimensions": self.dimensions, "layers": self.layers, "cells": self.cells}
        if self.characters is not None:
            own = self.characters
            sizes |= {"width": own.width, "filters": min((min(each) for each in own.filters), default=0)}
            widest = max((width for width, _ in own.filters), default=0)
            sizes |= {"longest": own.longest - max(3, widest) + 1, "highway": own.highway + 1}
        found = [f"{name} must be positive" for name, size in sizes.items() if size is not None and size < 1]
        found += [f"{name} must be below 100,000" for name, size in sizes.items() if size is not None and size > 99_999]
        if not 0 <= self.dropout < 1:
            found.append("dropout must be from 0 to 1")
        if self.clip is not None and not self.clip > 0:
            found.append("clip must be positive")
        if isinstance(self.vector, int) and not 0 <= self.vector <= self.layers:
            found.append(f"vector must be a layer from 0 to {self.layers}")
        return found


class CharacterInput(nn.Module):  # type: ignore[misc]
    """Vectors of words from their characters: convolutions, highway layers, a projection.

    Args:
        settings: Sizes.
        dimensions: Length of a vector.
    """

    def __init__(self, settings: CharacterSettings, dimensions: int) -> None:
        super().__init__()
        width = sum(count for _, count in settings.filters)
        self.characters = nn.Embedding(_CHARACTERS, settings.width)
        self.convolutions = nn.ModuleList(nn.Conv1d(settings.width, count, size) for size, count in settings.filters)
        self.highway = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(settings.highway))
        self.projection = nn.Linear(width, dimensions)
        for layer in self.highway:  # at first most of the input is carried on
            layer.bias.data[width:].fill_(1.0)

    def forward(self, characters: Tensor) -> Tensor:
        """Return the vectors of words. Shape [u, longest] -> [u, dimensions]."""
        given = self.characters(characters).transpose(1, 2)
        states = torch.cat([F.relu(part(given).amax(2)) for part in self.convolutions], dim=1)
        for layer in self.highway:
            fresh, gate = layer(states).chunk(2, dim=1)
            gate = torch.sigmoid(gate)
            states = gate * states + (1 - gate) * F.relu(fresh)
        vectors: Tensor = self.projection(states)
        return vectors


class ClippedLstm(nn.Module):  # type: ignore[misc]
    """One LSTM whose cells and outputs are limited, and whose output may be projected. Weights are named as in PyTorch.

    Args:
        dimensions: Length of input and output.
        cells: Number of cells. None for `dimensions`, without a projection.
        clip: Largest absolute value of a cell and of a projected output. None for no limit.
    """

    def __init__(self, dimensions: int, cells: int | None, clip: float | None) -> None:
        super().__init__()
        size = cells or dimensions
        self._limit = float("inf") if clip is None else clip
        self.weight_ih_l0 = nn.Parameter(torch.empty(4 * size, dimensions))
        self.weight_hh_l0 = nn.Parameter(torch.empty(4 * size, dimensions))
        self.bias_ih_l0 = nn.Parameter(torch.empty(4 * size))
        self.bias_hh_l0 = nn.Parameter(torch.empty(4 * size))
        self.weight_hr_l0 = nn.Parameter(torch.empty(dimensions, size)) if cells else None
        for each in self.parameters():
            nn.init.uniform_(each, -(size**-0.5), size**-0.5)

    def forward(self, inputs: Tensor) -> tuple[Tensor, None]:
        """Return the outputs. Shape [b, t, dimensions] -> the same, as the first of a pair."""
        gates = F.linear(inputs, self.weight_ih_l0, self.bias_ih_l0 + self.bias_hh_l0).transpose(0, 1)
        state = inputs.new_zeros(inputs.shape[0], self.weight_hh_l0.shape[1])
        cell = inputs.new_zeros(inputs.shape[0], self.weight_hh_l0.shape[0] // 4)
        found = []
        for each in gates:
            enter, keep, fresh, leave = (each + state @ self.weight_hh_l0.T).chunk(4, dim=1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(fresh)
            cell = cell.clamp(-self._limit, self._limit)
            state = torch.sigmoid(leave) * torch.tanh(cell)
            if self.weight_hr_l0 is not None:
                state = (state @ self.weight_hr_l0.T).clamp(-self._limit, self._limit)
            found.append(state)
        return torch.stack(found, dim=1), None


class ByteDropout(nn.Dropout):  # type: ignore[misc]
    """Dropout with one random byte per number, by which its share is rounded to 1/256.

    PyTorch draws a random number for each on the processor, which takes as long as a tenth of an LSTM.
    """

    def forward(self, states: Tensor) -> Tensor:
        """Return states of which a share is 0, and the others larger, in training. Shape stays."""
        dropped = round(256 * self.p)
        if not self.training or not dropped or states.device.type != "cpu":
            return super().forward(states)
        words = torch.empty(-(-states.numel() // 8), dtype=torch.int64).random_(-(1 << 63), None)
        mask = (words.view(torch.uint8)[: states.numel()] >= dropped).view(states.shape)
        return states * (mask * (256 / (256 - dropped)))


class LayerStates(NamedTuple):
    """States of a padded batch.

    Args:
        forward: States of every layer in reading order, the input first. Shape [b, t, d] each.
        backward: Those against it, at the same places.
        lengths: Number of words of each sentence, special ones included. Shape [b].
    """

    forward: list[Tensor]
    backward: list[Tensor]
    lengths: Tensor

    @property
    def mask(self) -> Tensor:
        """Which places are words. Shape [b, t]."""
        places = torch.arange(self.forward[0].shape[1], device=self.lengths.device)
        return places[None] < self.lengths[:, None]

    def layer(self, number: Layers) -> Tensor:
        """Return both directions of a layer, forward first, or several combined. Shape [b, t, 2 d or more]."""
        if isinstance(number, int):
            return torch.cat([self.forward[number], self.backward[number]], dim=2)
        every = [self.layer(each) for each in (range(len(self.forward)) if isinstance(number, str) else number)]
        return torch.stack(every).mean(0) if number == "mean" else torch.cat(every, dim=2)


def turned_places(lengths: Tensor, longest: int) -> Tensor:
    """Return the places of padded sentences in reverse order. Shape [b] -> [b, longest], int64.

    Each sentence is turned round by its own length, so that the padding stays at the end.
    """
    places = torch.arange(longest, device=lengths.device).expand(len(lengths), -1)
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


class ElmoModule(nn.Module):  # type: ignore[misc]
    """The weights of ELMo.

    Args:
        settings: Sizes.
        vocabulary: Number of words with a vector of their own.
    """

    def __init__(self, settings: ElmoSettings, vocabulary: int) -> None:
        super().__init__()
        size, characters = settings.dimensions, settings.characters
        self.inputs: nn.Module
        if characters is None:
            self.inputs = nn.Embedding(vocabulary, size)
            nn.init.normal_(self.inputs.weight, std=_INPUT_DEVIATION)
        else:
            self.inputs = CharacterInput(characters, size)
        plain = settings.cells is None and settings.clip is None

        def stack() -> nn.ModuleList:
            return nn.ModuleList(
                nn.LSTM(size, size, batch_first=True) if plain else ClippedLstm(size, settings.cells, settings.clip)
                for _ in range(settings.layers)
            )

        self.forward_layers, self.backward_layers = stack(), stack()
        self.dropout = ByteDropout(settings.dropout)

    def forward(self, inputs: Tensor, lengths: Tensor) -> LayerStates:
        """Return the states of all layers.

        Args:
            inputs: Vectors of the words of padded sentences. Shape [b, t, d].
            lengths: Number of words of each. Shape [b].
        """
        index = turned_places(lengths, inputs.shape[1])[:, :, None].expand(inputs.shape)
        backward = self._through(self.backward_layers, inputs.gather(1, index))
        return LayerStates(
            [inputs, *self._through(self.forward_layers, inputs)],
            [inputs, *(each.gather(1, index) for each in backward)],
            lengths,
        )

    def _through(self, stack: nn.ModuleList, states: Tensor) -> list[Tensor]:
        found = []
        for number, layer in enumerate(stack):
            after = layer(self.dropout(states))[0]
            states = after + states if number else after  # a skip connection around all but the first
            found.append(states)
        return found


class ElmoEncoder:
    """Two stacks of LSTMs over words. The vector of a text is the mean of the states of its words.

    Special words have no part in it.

    Args:
        tokenizer: Splits text into words, and adds a special word at both ends.
        settings: Sizes.
        weights: Weights by name, as `ElmoModule` names them. None for random ones, drawn from PyTorch's generator.
        device: Device of the weights. The precision is always float32.
        max_length: Longest text in words, special ones included. None for that of `settings`.

    Attributes:
        layers: Number of layers, without the input.
        width: Length of a word vector of one layer.
        longest: Longest text in words, special ones included. None for no limit.
        vocabulary: Number of words of the tokenizer.

    Raises:
        DataError: If the tokenizer adds no special words, or settings and weights do not fit.
    """

    kind = "elmo"

    def __init__(
        self,
        tokenizer: Tokenizer,
        settings: ElmoSettings,
        weights: dict[str, Tensor] | None = None,
        *,
        device: Device = CPU,
        max_length: int | None = None,
    ) -> None:
        limits = [each for each in (max_length, settings.max_length) if each is not None]
        self.longest = min(limits, default=None)
        if self.longest is not None and self.longest < 3:
            raise ConfigError(
                f"The longest input must be at least 3 words, got {self.longest}.", hint="Use 16 or more."
            )
        self.settings = replace(settings, max_length=self.longest)
        self.tokenizer = uncut_tokenizer(tokenizer)
        self.vocabulary = max(self.tokenizer.get_vocab().values(), default=-1) + 1
        frame = WordTokenizer(self.tokenizer).single
        if len(frame.before) != 1 or len(frame.after) != 1:
            raise DataError(
                "The tokenizer of the encoder does not add one special word at each end of a text.",
                hint=f"Its tokenizer.json is damaged. {COPY}",
            )
        self.boundaries = frame.before[0], frame.after[0]
        if self.longest is not None:
            self.tokenizer.enable_truncation(self.longest)
        module = ElmoModule(settings, self.vocabulary)
        if weights is not None:
            _check_weights(weights, module)
            module.load_state_dict(weights)
        self.module: nn.Module = module.to(device.torch).eval()
        self._elmo, self._device = module, device.torch
        self._spelling = None if settings.characters is None else _Spelling(self.tokenizer, settings.characters.longest)
        self.layers, self.width = settings.layers, 2 * settings.dimensions
        self.dimensions = self.width * (settings.layers + 1 if settings.vector == "concat" else 1)
        self.side_by_side = device.torch.type == "cpu"

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the word numbers of texts, special words included, cut at the longest text.

        With a character network, words outside the vocabulary get numbers of their own after those of the vocabulary.
        """
        return self.numbered([printable(text) for text in texts], self.tokenizer)

    def numbered(self, texts: Sequence[str], tokenizer: Tokenizer, *, special: bool = True) -> list[list[int]]:
        """Return the word numbers of texts by a tokenizer with the words of this encoder, such as an uncut copy."""
        with splitting():
            if self._spelling is None:
                found = tokenizer.encode_batch_fast(texts, add_special_tokens=special)
                return [each.ids for each in found]
            whole = tokenizer.encode_batch(texts, add_special_tokens=special)
            return [self._spelling.numbers(each, [text]) for each, text in zip(whole, texts, strict=True)]

    def word_numbers(self, encoding: Encoding, words: Sequence[str]) -> list[int]:
        """Return the numbers of the parts of a sentence whose words were given to the tokenizer."""
        return encoding.ids if self._spelling is None else self._spelling.numbers(encoding, words)

    def embed(self, tokens: Tokens, languages: Languages | None = None) -> Tensor:
        """Return the mean of the states of the words of every text, zeros without words.

        Args:
            tokens: Word numbers, special words included. Ragged, n rows.
            languages: None or zeros, because ELMo knows no languages.

        Returns:
            Shape [n, d], float32, differentiable.

        Raises:
            ConfigError: If a text has a language.
        """
        check_no_languages(languages)
        if not len(tokens):
            return torch.zeros(0, self.dimensions, device=self._device)
        found = self.run(tokens)
        states, inner = found.layer(self.settings.vector), found.mask.clone()
        inner[:, 0] = False
        inner[torch.arange(len(inner), device=inner.device), found.lengths - 1] = False
        sums = (states * inner[:, :, None]).sum(1)
        return sums / inner.sum(1).clamp(min=1)[:, None]

    def states(self, tokens: Tokens | Ragged, layer: Layers = -1) -> Tensor:
        """Return the states of words at a layer, special words included, end to end. Shape [all words, width or more].

        Args:
            tokens: Word numbers, special words included.
            layer: 0 for the input; negative numbers count from the end. Several are concatenated. Forward states come
                before backward ones.
        """
        found = self.run(tokens)
        number = layer % (self.layers + 1) if isinstance(layer, int) else layer
        states: Tensor = found.layer(number)[found.mask]
        return states

    def run(self, tokens: Tokens | Ragged) -> LayerStates:
        """Return the states of all layers of texts, as a padded batch. Differentiable."""
        ragged = Ragged.of(tokens)
        lengths = ragged.lengths
        padded = np.full((len(ragged), int(lengths.max(initial=1))), self.boundaries[1], dtype=np.int64)
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = ragged.values
        return cast(LayerStates, self._elmo(self._vectors(padded), torch.from_numpy(lengths).to(self._device)))

    def _vectors(self, numbers: Indices) -> Tensor:
        """Return the input vectors of words. Shape [b, t] -> [b, t, d]."""
        if self._spelling is None:
            vectors: Tensor = self._elmo.inputs(torch.from_numpy(numbers).to(self._device))
            return vectors
        distinct, places = np.unique(numbers, return_inverse=True)
        own: Tensor = self._elmo.inputs(torch.from_numpy(self._spelling.characters(distinct)).to(self._device))
        return own[torch.from_numpy(places.reshape(numbers.shape)).to(self._device)]

    def reference(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts one by one, word by word, with the formulas of an LSTM in NumPy. Shape [n, d], float32."""
        weights = {name: each.detach().cpu().double().numpy() for name, each in self._elmo.state_dict().items()}
        found = []
        for numbers in self.tokenise(texts):
            with torch.no_grad():
                inputs = self._vectors(np.array([numbers]))[0].cpu().double().numpy()
            layers = [np.concatenate([inputs, inputs], axis=1)]
            one, other = inputs, inputs[::-1]
            for layer in range(self.layers):
                one = _lstm(weights, f"forward_layers.{layer}.", one, self.settings) + (one if layer else 0)
                other = _lstm(weights, f"backward_layers.{layer}.", other, self.settings) + (other if layer else 0)
                layers.append(np.concatenate([one, other[::-1]], axis=1))
            vector = self.settings.vector
            chosen = (
                layers[vector]
                if isinstance(vector, int)
                else np.concatenate(layers, axis=1)
                if vector == "concat"
                else np.mean(layers, axis=0)
            )
            found.append(chosen[1:-1].sum(0) / max(1, len(numbers) - 2))
        return np.stack(found).astype(np.float32)

    def with_vector(self, vector: LayerChoice) -> ElmoEncoder:
        """Return an encoder of the same weights, whose text vectors are made of another layer, or of all layers."""
        other = copy(self)
        other.settings = replace(self.settings, vector=vector)
        other.dimensions = self.width * (self.layers + 1 if vector == "concat" else 1)
        return other

    def save(self, folder: Path) -> None:
        """Write config.json, tokenizer.json and model.safetensors."""
        with saving(folder) as place:
            write_tensors(place / WEIGHTS_FILE, {name: each.detach() for name, each in self._elmo.state_dict().items()})
            self.tokenizer.save(str(place / "tokenizer.json"))
            text = json.dumps(asdict(self.settings), indent=2)
            (place / "config.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(
        cls, folder: Path, *, pooling: Pooling = "auto", device: Device = CPU, max_length: int | None = None
    ) -> ElmoEncoder:
        """Load a folder that `save` wrote.

        Args:
            folder: The folder.
            pooling: `auto` or `model` for the layers that the folder names; `mean` for the last layer.
            device: Device of the weights.
            max_length: Longest text in words. None for that of the folder.

        Raises:
            ConfigError: If the pooling does not fit.
            DataError: If a file is missing or damaged.
        """
        settings = read_elmo_settings(folder)
        tokenizer = read_tokenizer(folder)
        if not (folder / WEIGHTS_FILE).is_file():
            raise DataError(f"The encoder {folder} has no {WEIGHTS_FILE}.", hint=COPY)
        if pooling not in (*OWN, "mean"):
            raise ConfigError(
                f"The encoder {folder} is of kind elmo, so pooling {pooling} does not fit it.", hint="Use pooling mean."
            )
        if pooling == "mean":
            settings = replace(settings, vector=settings.layers)
        weights = read_weights(folder / WEIGHTS_FILE)
        with guarded(f"The encoder {folder} cannot be used", COPY):
            return cls(tokenizer, settings, weights, device=device, max_length=max_length)


def read_elmo_settings(folder: Path) -> ElmoSettings:
    """Return the settings of a folder of ELMo.

    Raises:
        DataError: If they are damaged, or a value is impossible.
    """
    path = folder / "config.json"
    settings: ElmoSettings = checked(ElmoSettings, read_settings(path), path, hint=COPY)
    if faults := settings.faults():
        raise DataError(f"{path}: {faults[0]}.", hint=COPY)
    return settings


def read_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a folder of ELMo.

    Raises:
        DataError: If it is missing or damaged.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise DataError(f"The encoder {folder} has no {path.name}.", hint=COPY)
    with guarded(f"{path} cannot be read", COPY):
        tokenizer = Tokenizer.from_buffer(path.read_bytes())
    check_vocabulary(tokenizer)
    return tokenizer


def new_elmo(tokenizer: Tokenizer, settings: ElmoSettings, *, seed: int, device: Device = CPU) -> ElmoEncoder:
    """Return an ELMo with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(seed, "new encoder").initial_seed())
        return ElmoEncoder(tokenizer, settings, device=device)


class _Spelling:
    """The characters of words, and numbers for words outside the vocabulary.

    Args:
        tokenizer: The tokenizer. The words that it knows keep their numbers.
        longest: Characters of a word, both marks included.
    """

    def __init__(self, tokenizer: Tokenizer, longest: int) -> None:
        self._tokenizer, self._longest = tokenizer, longest
        vocabulary = tokenizer.get_vocab()
        self._numbers: dict[str, int] = dict(vocabulary)
        self._words = [""] * (max(vocabulary.values(), default=-1) + 1)
        for word, number in vocabulary.items():
            self._words[number] = word
        self._special = set(WordTokenizer(tokenizer).single.before), set(WordTokenizer(tokenizer).single.after)
        self._unknown = tokenizer.token_to_id(UNKNOWN)

    def numbers(self, encoding: Encoding, texts: Sequence[str]) -> list[int]:
        """Return the numbers of the words of an encoding.

        Args:
            encoding: The encoding of `texts`, one text or the words of a sentence.
            texts: What was given to the tokenizer.
        """
        ids = encoding.ids
        if self._unknown not in ids:
            return list(ids)
        owners = encoding.word_ids if len(texts) != 1 else [0] * len(ids)
        offsets = encoding.offsets  # which makes a list of all of them each time
        for place, number in enumerate(ids):
            if number == self._unknown:
                begin, end = offsets[place]
                ids[place] = self._number(texts[owners[place] or 0][begin:end])
        return list(ids)

    def _number(self, part: str) -> int:
        word = part if self._tokenizer.normalizer is None else self._tokenizer.normalizer.normalize_str(part)
        if word not in self._numbers:
            self._numbers[word] = len(self._words)
            self._words.append(word)
        return self._numbers[word]

    def characters(self, numbers: Indices) -> Indices:
        """Return the characters of words. Shape [u] -> [u, longest]."""
        table = np.full((len(numbers), self._longest), _PADDING, dtype=np.int64)
        for row, number in zip(table, numbers.tolist(), strict=True):
            kind = [number in each for each in self._special]
            own = [_FIRST] if kind[0] else [_LAST] if kind[1] else list(self._words[number].encode()[: len(row) - 2])
            row[: len(own) + 2] = [_BEGIN, *own, _END]
        return table


def _check_weights(weights: dict[str, Tensor], module: nn.Module) -> None:
    expected = {name: tuple(each.shape) for name, each in module.state_dict().items()}
    found = {name: tuple(each.shape) for name, each in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            shown = [f"shape {each[name]}" if name in each else "missing" for each in (found, expected)]
            raise DataError(f"The weights have '{name}' ({shown[0]}), expected {shown[1]}.", hint=COPY)
        if not weights[name].is_floating_point():
            raise DataError(f"The weights '{name}' are whole numbers.", hint=COPY)


def _lstm(
    weights: dict[str, NDArray[np.float64]], name: str, inputs: NDArray[np.float64], settings: ElmoSettings
) -> NDArray[np.float64]:
    """Return the outputs of an LSTM, word by word. Shape [t, d] -> [t, d]."""
    into, back = weights[f"{name}weight_ih_l0"], weights[f"{name}weight_hh_l0"]
    bias = weights[f"{name}bias_ih_l0"] + weights[f"{name}bias_hh_l0"]
    out, limit = weights.get(f"{name}weight_hr_l0"), settings.clip or np.inf
    state, cell, found = np.zeros(back.shape[1]), np.zeros(len(back) // 4), []
    for vector in inputs:
        enter, keep, fresh, leave = np.split(into @ vector + back @ state + bias, 4)
        cell = np.clip(_sigmoid(keep) * cell + _sigmoid(enter) * np.tanh(fresh), -limit, limit)
        state = _sigmoid(leave) * np.tanh(cell)
        state = state if out is None else np.clip(out @ state, -limit, limit)
        found.append(state)
    return np.stack(found)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-values))
