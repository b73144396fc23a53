"""Taggers of words: a BiLSTM-CRF on the vectors of a frozen encoder, or a fine-tuned encoder with a linear layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lexenc.arrays import Indices, Ragged, blocks, starts_of
from lexenc.encoders.base import Encoder, Sentences, Unit, WordEncoder, WordVectors
from lexenc.encoders.encode import TOKEN_BUDGET
from lexenc.encoders.subwords import WordTokenizer
from lexenc.encoders.word_vectors import JoinedWords, TableWords, word_encoder
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress
from lexenc.randomness import derived_seed, torch_generator
from lexenc.training.classification import Store, device_of, in_memory, linear
from lexenc.training.crf import LinearChain
from lexenc.training.objective import Objective, chunks

_CHUNK = 1024  # sentences whose vectors are computed at a time
_WORD_DROPOUT = 0.05  # share of words whose vector is dropped in training, as in Flair
_DEVIATION = 0.02  # of the weights of a last layer, as in BERT
_DROPOUT = 0.1  # of the states of a fine-tuned encoder
_EPSILON = 1e-12


@dataclass(frozen=True)
class TaggerSettings:
    """Settings of taggers; each uses those that concern it.

    Args:
        layers: Layers of the encoder that word vectors are taken from. Empty for all.
        combine: How the vectors of several layers become one.
        word: Whether a word has the vector of its first subword, or the mean of all.
        longest: Words of a sentence that are read at most, or subwords by `FineTunedTagger`. The rest is cut.
        hidden: Width of the LSTM of a direction.
        dropout: Share of the inputs and outputs of the LSTM that is dropped in training.
    """

    layers: tuple[int, ...] = ()
    combine: Literal["concat", "mean"] = "mean"
    word: Literal["first", "mean"] = "mean"
    longest: int = 512
    hidden: int = 256
    dropout: float = 0.5


@dataclass(frozen=True)
class TaggerInput:
    """Sentences as a tagger reads them.

    Args:
        sizes: Number of words or subwords that are computed of each in every step, at least 1. Shape [n].
        lengths: Number of words of each that are read. Shape [n].
        data: What the tagger computes from.
        truncated: Number of sentences that are too long.
        missing: Number of words without a vector.
    """

    sizes: Indices
    lengths: Indices
    data: Any
    truncated: int = 0
    missing: int = 0

    def __len__(self) -> int:
        return len(self.sizes)


# ---------------------------------------------------------------- what is read


class FrozenWords:
    """Vectors of words, computed once.

    Each vector is brought to mean 0 and variance 1 over its dimensions, so that the scale of an encoder does not
    matter, and stored in float16. A word without a vector has zeros. Memory: 2 d bytes for each word, which may be on
    the disk, and the vectors of 1,024 sentences.

    Args:
        encode: Returns the vectors of words, or of their subwords, of which the first counts.
        settings: Longest sentence.
        device: Device of the tagger.
        layers: Layers of an encoder that the vectors are of.
        store: Stores all vectors.

    Attributes:
        width: Length of a vector.
    """

    def __init__(
        self, encode: WordEncoder, settings: TaggerSettings, *, device: torch.device,
        layers: tuple[int, ...] = (), store: Store = in_memory,
    ) -> None:  # fmt: skip
        self._encode, self._settings, self.device, self.layers = encode, settings, device, layers
        self._store = store
        self.width = self._vectors([["a"]])[0].shape[1]

    @classmethod
    def of(cls, encoder: Encoder, settings: TaggerSettings, *, store: Store = in_memory) -> FrozenWords:
        """Return the vectors of words of an encoder.

        Raises:
            ConfigError: If the encoder has no such layer, or its tokenizer does not report words.
        """
        count = getattr(encoder, "layers", 0)
        if settings.layers and not count:
            raise ConfigError(f"A {encoder.kind} encoder has no layers to choose from.", hint="Leave --layer out.")
        unit: Unit = "subwords" if settings.word == "first" else "words"
        encode: WordEncoder = (
            JoinedWords(encoder, settings.layers, settings.combine, unit=unit)
            if settings.layers
            else word_encoder(encoder, layer=settings.combine, unit=unit)
        )
        every = settings.layers or getattr(encoder, "word_layers", tuple(range(count + 1)))
        known = tuple(layer % (count + 1) for layer in every) if count else ()
        return cls(encode, settings, device=device_of(encoder), layers=known, store=store)

    def __call__(self, sentences: Sentences, *, progress: Progress = SILENT) -> TaggerInput:
        """Compute the vectors of all words that are read."""
        sizes = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        lengths = np.minimum(sizes, self._settings.longest)
        starts = starts_of(lengths)
        missing = np.ones(int(starts[-1]), dtype=np.bool_)
        values = self._store(self._tables(sentences, starts, missing, progress), self.width)
        cut = int((lengths < sizes).sum())
        return TaggerInput(np.maximum(1, lengths), lengths, Ragged(starts, values), cut, int(missing.sum()))

    def _tables(
        self, sentences: Sentences, starts: Indices, missing: NDArray[np.bool_], progress: Progress
    ) -> Iterator[NDArray[np.float16]]:
        """Yield the vectors of all words that are read, block by block, and note which have none."""
        with progress.task("Encoding words", len(sentences), "sentences") as task:
            for block in blocks(len(sentences), _CHUNK):
                part = [words[: self._settings.longest] for words in sentences[block]]
                vectors, rows = self._vectors(part)
                missing[starts[block.start] + rows] = False
                table = np.zeros((int(starts[block.stop] - starts[block.start]), self.width), dtype=np.float16)
                table[rows] = F.layer_norm(torch.from_numpy(vectors), vectors.shape[1:], eps=_EPSILON).numpy()
                yield table
                task.advance(len(part))

    def _vectors(self, sentences: Sentences) -> tuple[np.ndarray, Indices]:
        """Return the vectors of the words that have one, and their places among all words. Shapes [t, d] and [t]."""
        found = self._encode(sentences)
        starts = starts_of([len(words) for words in sentences])
        places = np.repeat(starts[:-1], np.diff(found.starts)) + found.words
        fresh = np.flatnonzero(np.diff(places, prepend=-1))  # the first subword of every word
        return found.values[fresh], places[fresh]


class RandomWords:
    """A random vector for each distinct word, the same in every sentence: a control, which knows words but no meaning.

    Args:
        width: Length of a vector.
        seed: Seed of the vectors.
    """

    def __init__(self, width: int, *, seed: int) -> None:
        self._width, self._seed = width, seed

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Return the vectors of all words."""
        words = list(dict.fromkeys(chain.from_iterable(sentences)))
        table = np.empty((len(words), self._width), dtype=np.float32)
        for place, word in enumerate(words):
            source = np.random.default_rng(derived_seed(self._seed, f"vector of {word!r}"))
            table[place] = source.standard_normal(self._width, dtype=np.float32)
        return TableWords(words, table, case="exact")(sentences)


class TunedWords:
    """Subwords of sentences for an encoder that is fine-tuned, cut at its longest input.

    Args:
        encoder: The encoder.
        settings: Longest sentence.
    """

    def __init__(self, encoder: Any, settings: TaggerSettings) -> None:
        self.encoder = encoder
        self._tokenizer, self._longest = WordTokenizer(encoder.tokenizer), min(settings.longest, encoder.longest)

    def __call__(self, sentences: Sentences, *, progress: Progress = SILENT) -> TaggerInput:
        """Tokenise sentences, and find the first subword of each word, -1 for a word without one or after the cut."""
        tail = len(self._tokenizer.single.after)
        tokens, places, cut = [Ragged.of([], np.int32)], [Ragged.of([])], 0
        with progress.task("tokenise", len(sentences), "sentences") as task:
            for block in blocks(len(sentences), _CHUNK):
                part = sentences[block]
                found = self._tokenizer.encode(part, special=True)
                ids, firsts = [], []
                for each, words in zip(found, part, strict=True):
                    own, owners, last = each.ids, each.word_ids, len(each.ids)
                    if last > self._longest:
                        last, cut = max(0, self._longest - tail), cut + 1
                        own = [*own[:last], *own[len(own) - tail :]]
                    first = dict.fromkeys(range(len(words)), -1)
                    first.update((word, place) for place, word in reversed([*enumerate(owners[:last])])
                                 if word is not None)  # fmt: skip
                    ids.append(own)
                    firsts.append([*first.values()])
                tokens.append(Ragged.of(ids, np.int32))
                places.append(Ragged.of(firsts))
                task.advance(len(part))
        stored, first_of = Ragged.joined(tokens), Ragged.joined(places)
        lengths, missing = first_of.lengths, int((first_of.values < 0).sum())
        return TaggerInput(np.maximum(1, stored.lengths), lengths, (stored, first_of), cut, missing)


# ---------------------------------------------------------------- taggers


class Tagger(ABC):
    """Scores the tags of the words of sentences. A subclass is made anew for every seed.

    Args:
        words: What the sentences were read with.
        tags: Number of tags; 0 is the one of words that are not read.
        settings: Settings.
        seed: Seed of the new weights.

    Attributes:
        tunes: Whether it changes the encoder, so that every seed needs it as it was.
        epochs: Usual number of passes over the training data.
        batch_size: Usual number of sentences per step.
        learning_rate: Usual peak learning rate.
        modules: Everything that learns, by name.
    """

    tunes: ClassVar[bool]
    epochs: ClassVar[int]
    batch_size: ClassVar[int]
    learning_rate: ClassVar[float]
    modules: Mapping[str, nn.Module]

    @abstractmethod
    def __init__(self, words: Any, *, tags: int, settings: TaggerSettings, seed: int) -> None: ...

    @staticmethod
    @abstractmethod
    def words(encoder: Any, settings: TaggerSettings, *, store: Store = in_memory) -> Any:
        """Return what reads sentences, a function from sentences to `TaggerInput`.

        Args:
            encoder: The encoder.
            settings: Settings.
            store: Holds what memory is too small for.
        """

    @abstractmethod
    def losses(self, given: TaggerInput, rows: Indices, tags: Ragged) -> Tensor:
        """Return the loss of some sentences: the sum over their words, in nats. Differentiable. Shape as `rows`.

        Args:
            given: All sentences.
            rows: The sentences.
            tags: Right tags of all words of all sentences.
        """

    @abstractmethod
    def best(self, given: TaggerInput, rows: Indices) -> list[Indices]:
        """Return the best tags of some sentences, one for each word that is read."""


class LockedDropout(nn.Module):  # type: ignore[misc]
    """Drops the same dimensions at all places of a sentence, and whole words.

    Args:
        share: Share of the dimensions.
        words: Share of the words.

    Source: Gal and Ghahramani 2016, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks".
    """

    def __init__(self, share: float, words: float = 0.0) -> None:
        super().__init__()
        self._share, self._words = share, words

    def forward(self, states: Tensor) -> Tensor:
        """Return states of which some are 0, and the others larger, in training. Shape [b, t, d] stays."""
        if not self.training:
            return states
        kept = F.dropout(states.new_ones(states.shape[0], 1, states.shape[2]), self._share)
        if self._words:
            kept = kept * (torch.rand(states.shape[:2], device=states.device) >= self._words)[:, :, None]
        return states * kept


class BiLstmCrf(Tagger):
    """A bidirectional LSTM on frozen vectors of words, a linear layer, and a linear-chain CRF.

    Source: Huang, Xu and Yu 2015, "Bidirectional LSTM-CRF Models for Sequence Tagging"; Akbik et al. 2018, "Contextual
    String Embeddings for Sequence Labeling", for dropout and width.
    """

    tunes = False
    epochs, batch_size, learning_rate = 20, 32, 2e-3

    def __init__(self, words: FrozenWords, *, tags: int, settings: TaggerSettings, seed: int) -> None:
        size, source = settings.hidden, torch_generator(seed, "LSTM")
        lstm = nn.LSTM(words.width, size, batch_first=True, bidirectional=True)
        for each in lstm.parameters():
            nn.init.uniform_(each, -(size**-0.5), size**-0.5, generator=source)
        parts = {"dropout": LockedDropout(settings.dropout, _WORD_DROPOUT), "lstm": lstm,
                 "dropout_after": LockedDropout(settings.dropout),
                 "last": linear(2 * size, tags, seed, "last layer", _DEVIATION),
                 "crf": LinearChain(tags, seed=seed)}  # fmt: skip
        self._device = words.device
        self._parts: Any = nn.ModuleDict(parts).to(self._device).eval()
        self.modules = {"tagger": self._parts}

    @staticmethod
    def words(encoder: Any, settings: TaggerSettings, *, store: Store = in_memory) -> FrozenWords:
        """Return what computes the vectors of words."""
        return FrozenWords.of(encoder, settings, store=store)

    def _emissions(self, given: TaggerInput, rows: Indices) -> tuple[Tensor, Tensor]:
        """Return the scores of all tags, and the lengths of the sentences. Shapes [b, t, k] and [b]."""
        vectors: Ragged = given.data
        lengths = given.lengths[rows]
        padded = np.zeros((len(rows), int(lengths.max()), vectors.values.shape[1]), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            padded[place, : lengths[place]] = vectors[row]
        states = self._parts["dropout"](torch.from_numpy(padded).to(self._device))
        packed = nn.utils.rnn.pack_padded_sequence(
            states, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(self._parts["lstm"](packed)[0], batch_first=True)
        emissions: Tensor = self._parts["last"](self._parts["dropout_after"](states))
        return emissions, torch.from_numpy(lengths).to(self._device)

    def losses(self, given: TaggerInput, rows: Indices, tags: Ragged) -> Tensor:
        """Return minus the log probability of the right tags of some sentences."""
        emissions, lengths = self._emissions(given, rows)
        right = np.zeros(emissions.shape[:2], dtype=np.int64)
        for place, row in enumerate(rows.tolist()):
            right[place, : given.lengths[row]] = tags[row][: given.lengths[row]]
        found: Tensor = self._parts["crf"].losses(emissions, lengths, torch.from_numpy(right).to(self._device))
        return found

    def best(self, given: TaggerInput, rows: Indices) -> list[Indices]:
        """Return the best tags of some sentences by Viterbi's algorithm."""
        found = self._parts["crf"].best(*self._emissions(given, rows)).cpu().numpy()
        return [own[: given.lengths[row]] for own, row in zip(found, rows.tolist(), strict=True)]


class FineTunedTagger(Tagger):
    """An encoder and a linear layer on the first subword of every word, trained together.

    Source: Devlin et al. 2019, "BERT", section 5.3.
    """

    tunes = True
    epochs, batch_size, learning_rate = 3, 16, 5e-5

    def __init__(self, words: TunedWords, *, tags: int, settings: TaggerSettings, seed: int) -> None:
        self._encoder, self._tags = words.encoder, tags
        self._device = device_of(self._encoder)
        layers = [nn.Dropout(_DROPOUT), linear(self._encoder.width, tags, seed, "last layer", _DEVIATION)]
        self._head = nn.Sequential(*layers).to(self._device).eval()
        self.modules = {"encoder": self._encoder.module, "head": self._head}

    @staticmethod
    def words(encoder: Any, settings: TaggerSettings, *, store: Store = in_memory) -> TunedWords:
        """Return what tokenises sentences."""
        return TunedWords(encoder, settings)

    def _logits(self, given: TaggerInput, rows: Indices) -> tuple[Tensor, Indices, list[Indices]]:
        """Return the scores of the words that are read, the sentence of each, and the words of each sentence that are.

        Shapes [w, k] and [w]; the places in a sentence are from 0.
        """
        stored, firsts = given.data
        tokens = [stored[row] for row in rows.tolist()]
        own = [firsts[row] for row in rows.tolist()]
        read = [np.flatnonzero(each >= 0) for each in own]
        starts = starts_of([len(each) for each in tokens])[:-1]
        places = np.concatenate([start + each[kept] for start, each, kept in zip(starts, own, read, strict=True)])
        states = self._encoder.states(tokens)[torch.from_numpy(places).to(self._device)]
        owners = np.repeat(np.arange(len(rows)), [len(each) for each in read])
        return self._head(states).float(), owners, read

    def losses(self, given: TaggerInput, rows: Indices, tags: Ragged) -> Tensor:
        """Return the cross entropy of the right tags of some sentences, summed over words."""
        logits, owners, read = self._logits(given, rows)
        right = np.concatenate([tags[row][own] for row, own in zip(rows.tolist(), read, strict=True)])
        each = F.cross_entropy(logits, torch.from_numpy(right).to(self._device), reduction="none")
        return each.new_zeros(len(rows)).index_add(0, torch.from_numpy(owners).to(self._device), each)

    def best(self, given: TaggerInput, rows: Indices) -> list[Indices]:
        """Return the tag with the highest score for each word, 0 for words that are not read."""
        logits, owners, read = self._logits(given, rows)
        best = logits.argmax(dim=1).cpu().numpy()
        found = []
        for place, (row, own) in enumerate(zip(rows.tolist(), read, strict=True)):
            tags = np.zeros(given.lengths[row], dtype=np.int64)
            tags[own] = best[owners == place]
            found.append(tags)
        return found


# ---------------------------------------------------------------- training


class TaggingObjective(Objective):
    """Sentences with the tags of their words. The loss is that of a sentence divided by the mean number of words.

    Args:
        tagger: The tagger to train.
        given: The sentences.
        tags: Right tag of each word.
    """

    def __init__(self, tagger: Tagger, given: TaggerInput, tags: Ragged) -> None:
        self._tagger, self._given, self._tags = tagger, given, tags
        self._mean = max(1.0, float(given.lengths.mean())) if len(given) else 1.0
        self.modules = tagger.modules

    def rows(self, epoch: int) -> Indices:
        """Return all sentences. Shape [n]."""
        return np.arange(len(self._given))

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of words or subwords of some sentences. Shape as `rows`."""
        found: Indices = self._given.sizes[rows]
        return found

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the losses of some sentences, about one nat per word and less. Shape as `rows`."""
        return self._tagger.losses(self._given, rows, self._tags) / self._mean


def predicted_tags(tagger: Tagger, given: TaggerInput, *, tokens: int = TOKEN_BUDGET) -> list[Indices]:
    """Return the best tags of each sentence, one for each word that is read.

    Args:
        tagger: A tagger that is not being trained.
        given: The sentences.
        tokens: Maximum number of words or subwords in one pass.
    """
    found: list[Indices] = [np.zeros(0, dtype=np.int64)] * len(given)
    with torch.inference_mode():
        for rows in chunks(given.sizes.take, np.arange(len(given)), tokens):
            for row, own in zip(rows.tolist(), tagger.best(given, rows), strict=True):
                found[row] = own
    return found
