"""Bidirectional language modelling of words: each word is predicted from those before it, and from those after it.

Source: Peters et al. 2018, "Deep contextualized word representations", section 3.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from lexenc.arrays import Indices, Ragged, batches
from lexenc.device import Device
from lexenc.encoders.base import LayerChoice
from lexenc.encoders.elmo import (
    UNKNOWN,
    CharacterSettings,
    ElmoEncoder,
    ElmoSettings,
    new_elmo,
    read_tokenizer,
)
from lexenc.encoders.folder import COPY
from lexenc.encoders.heads import read_weights
from lexenc.encoders.subwords import uncut_tokenizer
from lexenc.encoders.unigram import smoothed_shares
from lexenc.errors import ConfigError, DataError
from lexenc.files.tensors import write_tensors
from lexenc.text.words import segmenter, split_at_spaces, word_expression
from lexenc.training.language_models import LanguageModelKind, LanguageTexts, TextObjective
from lexenc.training.mixture import Mixture
from lexenc.training.sense_aware.bank import save_senses
from lexenc.training.sense_aware.settings import SensePlan
from lexenc.training.sense_aware.table import SenseTable
from lexenc.training.sense_aware.words import give_senses, sense_tables
from lexenc.training.softmax import Negatives, Predictions, Sampling, WordSampler, log_partition

PREDICTION_FILE = "prediction.safetensors"
"""The tables that predict words, beside the encoder, which does not need them."""
FIRST, LAST = "<s>", "</s>"
_SPECIAL = (UNKNOWN, FIRST, LAST)
_CHUNK_WORDS = 4096
_PARTS = ("weight", "bias")  # of a table
_SCORES = 1 << 24  # scores of the exact softmax that are computed at once, 64 MiB
Direction = Literal["next", "previous"]
"""What a direction predicts: forward states the next word, backward states the previous one."""

# The convolutions of the paper, and some that suit two cores.
FILTERS = {
    "paper": [(1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024)],
    "tiny": [(1, 16), (2, 32), (3, 64), (4, 64)],
}


class OutputTable(nn.Module):  # type: ignore[misc]
    """A vector and a bias of every word, which score it in a state.

    Args:
        words: Number of words.
        dimensions: Length of a state.
    """

    def __init__(self, words: int, dimensions: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(words, dimensions) * dimensions**-0.5)
        self.bias = nn.Parameter(torch.zeros(words))

    def losses(self, predictions: Predictions, negatives: Negatives) -> Tensor:
        """Return the cross entropy of each prediction by a softmax over its own word and sampled ones. Shape [n].

        With all words as `negatives` it is exact. The gradient of `weight` is sparse.
        """
        words, others = predictions.words, negatives.words
        own, places = torch.unique(words, return_inverse=True)
        vectors = F.embedding(torch.cat([own, others]), self.weight, sparse=True)
        bias = self.bias - negatives.correction
        right = (predictions.states * vectors[places]).sum(1) + bias[words]
        partition = log_partition(predictions.states, vectors[len(own) :], bias[others], hits_among(words, others))
        return torch.logaddexp(right, partition) - right

    def exact_losses(self, predictions: Predictions) -> Tensor:
        """Return the cross entropy of each prediction by the softmax over all words, without gradient. Shape [n]."""
        found = []
        size = max(1, _SCORES // len(self.bias))
        with torch.no_grad():
            for states, words in zip(predictions.states.split(size), predictions.words.split(size), strict=True):
                found.append(F.cross_entropy(torch.addmm(self.bias, states, self.weight.T), words, reduction="none"))
        return torch.cat(found) if found else predictions.states.new_zeros(0)


def hits_among(words: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return which words are among others, and where. Shapes [n], [k], distinct and in order -> [h], [h]."""
    places = torch.searchsorted(others, words).clamp_max_(len(others) - 1)
    rows = (others[places] == words).nonzero()[:, 0]
    return rows, places[rows]


class ElmoLanguageModel:
    """An ELMo, and a table for each direction that predicts words from its states.

    Args:
        encoder: The encoder.
        tables: Weights of the tables by name. None for random ones, drawn from PyTorch's generator.
        longest: Longest text to learn from in words, special ones included. None for no limit.

    Attributes:
        head: The tables, by the names of `Direction`.
        room: Longest text to learn from in words, without special ones.
        fresh: Whether the tables started from random weights.
    """

    def __init__(
        self, encoder: ElmoEncoder, tables: Mapping[str, Tensor] | None = None, *, longest: int | None = None
    ) -> None:
        self.encoder, self.fresh = encoder, tables is None
        self.room = max(1, longest - 2) if longest else np.iinfo(np.int32).max
        size = encoder.settings.dimensions
        self.head = nn.ModuleDict({name: OutputTable(encoder.vocabulary, size) for name in ("next", "previous")})
        if tables is not None:
            expected = {name: each.shape for name, each in self.head.state_dict().items()}
            if expected != {name: each.shape for name, each in tables.items()}:
                raise DataError(f"The tables of {PREDICTION_FILE} do not fit the encoder.", hint=COPY)
            self.head.load_state_dict(tables)
        self.head.to(next(encoder.module.parameters()).device)

    @property
    def names(self) -> list[str]:
        """The words of the vocabulary, by number. Shape [v]."""
        vocabulary = self.encoder.tokenizer.get_vocab()
        return sorted(vocabulary, key=vocabulary.__getitem__)[: self.encoder.vocabulary]

    @property
    def regular(self) -> NDArray[np.bool_]:
        """Which words are not special. Shape [v]."""
        found = np.zeros(self.encoder.vocabulary, dtype=bool)
        vocabulary = self.encoder.tokenizer.get_vocab()
        found[[number for word, number in vocabulary.items() if word not in _SPECIAL]] = True
        return found

    def splitter(self) -> Callable[[Sequence[str]], Ragged]:
        """Return a function that splits lines of any length into words, without special ones."""
        own = uncut_tokenizer(self.encoder.tokenizer)

        def split(lines: Sequence[str]) -> Ragged:
            return Ragged.of(self.encoder.numbered(list(lines), own, special=False), dtype=np.int32)

        return split

    def unknown(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which words are not in the vocabulary. Shape as `numbers`."""
        unknown = self.encoder.tokenizer.token_to_id(UNKNOWN)
        found: NDArray[np.bool_] = (numbers == unknown) | (numbers >= self.encoder.vocabulary)
        return found

    def targets(self, numbers: NDArray[Any]) -> Indices:
        """Return the words of the vocabulary by which words are predicted. Shape as `numbers`."""
        unknown = self.encoder.tokenizer.token_to_id(UNKNOWN)
        return np.where(numbers < self.encoder.vocabulary, numbers, 0 if unknown is None else unknown).astype(np.int64)

    def predictions(self, texts: Ragged, *, context: Literal["own", "both"] = "own") -> dict[Direction, Predictions]:
        """Return what each direction predicts in some texts. Differentiable.

        Args:
            texts: Word numbers, special words included. Ragged, n rows.
            context: States by which the sense of a word is chosen: those of the same direction at the word, or of both,
                forward before backward.

        Returns:
            For each direction one prediction less than there are words: forward does not predict the first, backward
            not the last.
        """
        found = self.encoder.run(texts)
        forward, backward = found.forward[-1][found.mask], found.backward[-1][found.mask]
        device = forward.device
        ends = np.zeros(len(texts.values), dtype=bool)
        ends[texts.starts[1:] - 1] = True
        begins = np.zeros(len(texts.values), dtype=bool)
        begins[texts.starts[:-1]] = True
        words = torch.from_numpy(self.targets(texts.values)).to(device)
        owners = torch.from_numpy(texts.rows).to(device)
        both = torch.cat([forward, backward], dim=1).detach() if context == "both" else None
        dropout = self.encoder.module.dropout
        made: dict[Direction, Predictions] = {}
        sides: tuple[tuple[Direction, Tensor, NDArray[np.bool_], NDArray[np.bool_]], ...] = (
            ("next", forward, ~ends, ~begins),
            ("previous", backward, ~begins, ~ends),
        )
        for name, states, known, wanted in sides:
            places = torch.from_numpy(np.flatnonzero(wanted)).to(device)
            own = (states.detach() if both is None else both)[places]
            given = dropout(states[torch.from_numpy(np.flatnonzero(known)).to(device)])
            made[name] = Predictions(given, words[places], own, owners[places])
        return made


class WordObjective(TextObjective):
    """Texts of some languages, each word of which is predicted from those before it and from those after it.

    The loss of a text is the mean cross entropy of its words, by a softmax over sampled words, which are the same for
    all texts of a step; it is the mean of both directions. Forward also predicts the end of the text, and backward its
    beginning. Every epoch has as many examples as there are texts. Those of a language are drawn for each epoch by
    `Mixture`.

    Args:
        model: The language model to train, in place.
        texts: Texts, without special words.
        negatives: Number of words sampled in each step. With at least half of the vocabulary the softmax is exact.
        exponent: Exponent of the share of each language, see `Mixture`.
        seed: Seed of the examples and of the sampled words.
        context: As in `ElmoLanguageModel.predictions`.
        sampling: Distribution of the sampled words, see `WordSampler`.
        labels: Right sense of each word of `texts`, see `Predictions`. None where none is known.
    """

    def __init__(
        self,
        model: ElmoLanguageModel,
        texts: LanguageTexts,
        *,
        negatives: int = 1024,
        exponent: float = 0.3,
        seed: int = 0,
        context: Literal["own", "both"] = "own",
        sampling: Sampling = "log-uniform",
        labels: Ragged | None = None,
    ) -> None:
        self._model, self._context = model, context
        self._mixture = Mixture(sampling=exponent, seed=seed)
        self.modules = {"encoder": model.encoder.module, "head": model.head}
        if isinstance(model.encoder.module.inputs, nn.Embedding):
            model.encoder.module.inputs.sparse = True
        self._texts = _with_ends(texts.texts, model.encoder)
        self._usable = np.flatnonzero(texts.texts.lengths)
        self._languages = np.searchsorted(texts.starts, self._usable, side="right") - 1
        self.empty, self.too_long, self.seen = len(texts.texts) - len(self._usable), 0, 0
        size = model.encoder.vocabulary
        counts = np.bincount(model.targets(self._texts.values), minlength=size)
        most = size if 2 * negatives >= size else negatives
        self._sampler = WordSampler(counts, most, sampling=sampling, seed=seed)
        self._labels = None if labels is None else _framed(labels, -1, -1)
        self._drawn: tuple[int, Negatives] | None = None

    def rows(self, epoch: int) -> Indices:
        """Return the examples of an epoch, the same number in each. Shape [n]."""
        rows: Indices = self._usable[self._mixture.rows(self._languages, epoch)]
        return rows

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of words of some examples, special ones included. Shape as `rows`."""
        sizes: Indices = self._texts.lengths[rows]
        return sizes

    def negatives(self, step: int, device: torch.device) -> Negatives:
        """Return the sampled words of a step."""
        if self._drawn is None or self._drawn[0] != step:
            self._drawn = step, self._sampler.draw(step, device)
        return self._drawn[1]

    def predictions(self, rows: Indices) -> dict[Direction, Predictions]:
        """Return what each direction predicts in some examples."""
        made = self._model.predictions(self._texts.take(rows), context=self._context)
        if self._labels is None:
            return made
        own, device = self._labels.take(rows), made["next"].words.device
        sides = {"next": _without(own, 0), "previous": _without(own, -1)}
        return {name: each._replace(labels=torch.from_numpy(sides[name]).to(device)) for name, each in made.items()}

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the loss of each of some examples. Shape as `rows`."""
        lengths = self._texts.lengths[rows]
        self.seen += int(lengths.sum())
        made = self.predictions(rows)
        table: Any = self._model.head
        total = torch.zeros(len(rows), device=made["next"].states.device)
        for name, each in made.items():
            found = table[name].losses(each, self.negatives(step, total.device))
            assert each.owners is not None
            total = total.index_add(0, each.owners, found)
        return total / (2 * torch.from_numpy(lengths - 1).to(total))


def _with_ends(texts: Ragged, encoder: ElmoEncoder) -> Ragged:
    """Add the special words to both ends of texts."""
    first, last = encoder.boundaries
    return _framed(texts, first, last)


def _framed(texts: Ragged, first: int, last: int) -> Ragged:
    """Add a number before and after each text."""
    starts = texts.starts + 2 * np.arange(len(texts) + 1)
    values = np.empty(len(texts.values) + 2 * len(texts), dtype=np.int64)
    values[starts[:-1]], values[starts[1:] - 1] = first, last
    inner = np.ones(len(values), dtype=bool)
    inner[starts[:-1]] = inner[starts[1:] - 1] = False
    values[inner] = texts.values
    return Ragged(starts, values)


class HeldOutWords:
    """Texts on which a model is scored by the exact softmax over all words.

    Args:
        model: The language model.
        texts: The texts, without special words. Empty ones are left out.
    """

    def __init__(self, model: ElmoLanguageModel, texts: LanguageTexts) -> None:
        self._model, whole = model, _with_ends(texts.texts, model.encoder)
        self._texts: dict[str, Ragged] = {}
        for name, rows in texts.rows().items():
            own = rows[texts.texts.lengths[rows] > 0]
            if len(own):
                self._texts[name] = whole.take(own[np.argsort(whole.lengths[own], kind="stable")])

    @property
    def names(self) -> list[str]:
        """The languages that have texts."""
        return list(self._texts)

    def losses(self) -> dict[str, float]:
        """Return the mean cross entropy of the words of each language, the mean of both directions, in nats."""
        return {name: float(np.mean(list(found.values()))) for name, found in self.direction_losses().items()}

    def direction_losses(self) -> dict[str, dict[Direction, float]]:
        """Return the mean cross entropy of the words of each language in each direction, in nats."""
        head: Any = self._model.head
        found: dict[str, dict[Direction, float]] = {}
        for name, texts in self._texts.items():
            sums: dict[Direction, float] = {}
            for part in batches(texts.lengths, _CHUNK_WORDS, padded=True):
                with torch.inference_mode():
                    made = self._model.predictions(texts.take(np.arange(part.start, part.stop)))
                    for side, each in made.items():
                        sums[side] = sums.get(side, 0.0) + float(head[side].exact_losses(each).double().sum())
            count = len(texts.values) - len(texts)
            found[name] = {side: total / count for side, total in sums.items()}
        return found

    def frequency_losses(self, texts: Mapping[str, Ragged]) -> dict[str, float]:
        """Return the losses of a control that predicts every word by its frequency in the language.

        Args:
            texts: Training texts of each language, without special words. One is added to the occurrences of every
                word.
        """
        found = {}
        for name, own in self._texts.items():
            trained = _with_ends(texts[name], self._model.encoder)
            losses = []
            for skipped in (0, -1):  # forward predicts all but the first word of a text, backward all but the last
                right, seen = (self._model.targets(_without(each, skipped)) for each in (own, trained))
                counts = np.bincount(seen, minlength=self._model.encoder.vocabulary)
                chances = (counts + 1) / (counts.sum() + len(counts))
                losses.append(float(-np.log(chances[right]).mean()))
            found[name] = float(np.mean(losses))
        return found


def _without(texts: Ragged, place: int) -> NDArray[Any]:
    """Return the words of texts without the first (0) or the last (-1) of each."""
    kept = np.ones(len(texts.values), dtype=bool)
    kept[texts.starts[:-1] if place == 0 else texts.starts[1:] - 1] = False
    return texts.values[kept]


# ---------------------------------------------------------------- vocabulary


def train_word_tokenizer(
    texts: Mapping[str, Iterable[str]],
    *,
    vocabulary_size: int,
    minimum_count: int = 1,
    exponent: float = 1.0,
    cased: bool = False,
    words: Literal["words", "spaces"] = "words",
) -> Tokenizer:
    """Return a tokenizer whose vocabulary is the most frequent words of texts in some languages.

    A string that several languages share is one word. Words have the numbers of their rank, after `<unk>`, `<s>` and
    `</s>`; equally frequent ones are in the order of their code points.

    Args:
        texts: Lines of text by language, read once.
        vocabulary_size: Largest number of words, special ones included.
        minimum_count: Occurrences, in all languages together, below which a word is left out.
        exponent: Exponent of the share of a language, see `smoothed_shares`.
        cased: Whether to keep upper case.
        words: How text is split, see `lexenc.text.words.segmenter`.

    Raises:
        DataError: If no word occurs often enough.
    """
    normaliser = normalizers.Sequence([normalizers.NFC(), *([] if cased else [normalizers.Lowercase()])])
    split = segmenter("words") if words == "words" else split_at_spaces
    counts = {
        name: Counter(word for line in lines for word in split(normaliser.normalize_str(line)))
        for name, lines in texts.items()
    }
    sizes = {name: each.total() for name, each in counts.items()}
    total, sums, weights = sum(sizes.values()), Counter[str](), Counter[str]()
    shares = smoothed_shares(sizes, exponent) if total else {}
    for name, share in shares.items():
        sums.update(counts[name])
        for word, count in counts[name].items():
            weights[word] += share * total / sizes[name] * count  # type: ignore[assignment]
    frequent = [word for word in weights if sums[word] >= minimum_count and word not in _SPECIAL]
    if not frequent:
        raise DataError(
            f"No word occurs {minimum_count:,} times in the text.", hint="Lower --minimum-count, or use more text."
        )
    frequent.sort(key=lambda word: (-weights[word], word))
    vocabulary = [*_SPECIAL, *frequent[: vocabulary_size - len(_SPECIAL)]]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normaliser
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Split(Regex(word_expression()), "removed", invert=True)
        if words == "words"
        else pre_tokenizers.WhitespaceSplit()
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        pair=f"{FIRST} $A {LAST} $B {LAST}",
        special_tokens=[(FIRST, 1), (LAST, 2)],
    )
    return tokenizer


# ---------------------------------------------------------------- kind


class _WordModelKind:
    """Two stacks of LSTMs that predict the next and the previous word."""

    encoder_kind, unit, predicts, most_held_out = "elmo", "words", "words", 1000
    tokenizer_of = staticmethod(read_tokenizer)

    def tokenizer(self, texts: Mapping[str, Iterable[str]], options: Mapping[str, Any]) -> Tokenizer:
        return train_word_tokenizer(
            texts,
            vocabulary_size=options["vocabulary"],
            minimum_count=options["minimum_count"],
            exponent=options["language_sampling"],
            cased=options["cased"],
            words=options["words"],
        )

    def create(self, folder: Path, tokenizer: Any, options: Mapping[str, Any], *, seed: int) -> None:
        self.save(folder, ElmoLanguageModel(new_elmo(tokenizer, _settings(options), seed=seed)))

    def open(self, folder: Path, *, device: Device, max_length: int | None = None) -> ElmoLanguageModel:
        encoder, path = ElmoEncoder.load(folder, device=device), folder / PREDICTION_FILE
        return ElmoLanguageModel(encoder, read_weights(path) if path.is_file() else None, longest=max_length)

    def objective(
        self,
        model: ElmoLanguageModel,
        texts: LanguageTexts,
        pairs: tuple[Ragged, Ragged] | None,
        options: Mapping[str, Any],
        *,
        seed: int,
    ) -> WordObjective:
        return WordObjective(
            model,
            texts,
            negatives=options["negatives"],
            exponent=options["language_sampling"],
            seed=seed,
            context=options["sense_context"] or "own",
            sampling=options["sampling"],
            labels=options.get("labels"),
        )

    def held_out(self, model: ElmoLanguageModel, texts: LanguageTexts, *, seed: int) -> HeldOutWords:
        return HeldOutWords(model, texts)

    def with_senses(
        self, model: ElmoLanguageModel, plan: SensePlan, options: Mapping[str, Any]
    ) -> tuple[ElmoLanguageModel, dict[str, SenseTable]]:
        give_senses(model, plan, context=options["sense_context"])
        return model, sense_tables(model.head)

    def save(self, folder: Path, model: ElmoLanguageModel) -> None:
        model.encoder.save(folder)
        tables = sense_tables(model.head)
        if not tables:
            write_tensors(folder / PREDICTION_FILE, model.head.state_dict())
            return
        # Beside the senses, the most frequent one of each word, with which a plain model continues.
        vectors = {name: table.word_vectors() for name, table in tables.items()}
        found = {f"{name}.{part}": pair[place] for name, pair in vectors.items() for place, part in enumerate(_PARTS)}
        write_tensors(folder / PREDICTION_FILE, found)
        shared = len({id(table.inventory) for table in tables.values()}) < len(tables)
        save_senses(folder, model.names, tables, context="both" if shared else "own")

    def card(self, options: Mapping[str, Any]) -> str:
        return "A bidirectional language model of words (ELMo)"


def _settings(options: Mapping[str, Any]) -> ElmoSettings:
    characters = None
    if options["input"] == "characters":
        characters = CharacterSettings(FILTERS.get(options["preset"], FILTERS["paper"]))
        if options["preset"] == "tiny":
            characters = CharacterSettings(FILTERS["tiny"], highway=1, longest=24)
    cells = options["cells"] if options["cells"] != options["dimensions"] else None
    return ElmoSettings(
        options["dimensions"],
        options["layers"],
        cells=cells,
        clip=3.0 if cells else None,
        characters=characters,
        vector=layer_choice(options["vector"]),
    )


def layer_choice(text: str) -> LayerChoice:
    """Return the layer that a text names: a number, `mean` or `concat`.

    Raises:
        ConfigError: If it is none of them.
    """
    if text in ("mean", "concat"):
        return text  # type: ignore[return-value]
    if text.isdecimal():
        return int(text)
    raise ConfigError(f"There is no layer '{text}'.", hint="Use mean, concat, or a number from 0 on.")


ELMO: LanguageModelKind = _WordModelKind()
