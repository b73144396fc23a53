"""Vectors of the words of sentences, or of their subwords: from any layer of an encoder, or from a list of words.

Sentences are lists of words. Nothing is truncated: sentences longer than the model pass through it in overlapping
windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from lexenc.arrays import batches, positions, ranges, starts_of
from lexenc.device import keep_freed_memory
from lexenc.encoders import ENCODERS
from lexenc.encoders.base import Encoder, Layers, Sentences, Unit, WordEncoder, WordVectors, printable
from lexenc.encoders.encode import TOKEN_BUDGET, workers
from lexenc.encoders.subwords import WordTokenizer
from lexenc.errors import ConfigError, unknown_name
from lexenc.files.text import counted

if TYPE_CHECKING:
    from tokenizers import Encoding

    from lexenc.encoders.elmo import ElmoEncoder
    from lexenc.encoders.static import StaticEncoder
    from lexenc.encoders.transformer import TransformerEncoder

Floats = NDArray[np.float32]
Case = Literal["exact", "fallback", "lower"]

LAYER = 8
"""The layer that aligns best in models of twelve layers (Jalili Sabet et al. 2020, SimAlign, section 5.1)."""


def word_encoder(encoder: Encoder, *, layer: Layers = LAYER, unit: Unit = "subwords") -> WordEncoder:
    """Return the encoder of words in sentences that belongs to an encoder of texts.

    Args:
        encoder: An encoder of any kind.
        layer: Layer, 0 for the input of the first. Negative numbers count from the end, -1 is the last. Several are
            concatenated, in one pass. `mean` for the mean of all layers, `concat` for all of them concatenated. Static
            encoders have no layers.
        unit: Whether to return a row for every subword, or for every word the mean of its subwords.

    Raises:
        ConfigError: If there is no such layer or unit, or the tokenizer does not report words.
    """
    if unit not in get_args(Unit):
        raise unknown_name("unit", unit, get_args(Unit))
    words: WordEncoder = ENCODERS[encoder.kind].words(encoder, layer=layer, unit=unit)
    return words


def _chosen(encoder: TransformerEncoder | ElmoEncoder, layer: Layers) -> tuple[Layers, int]:
    """Return a choice of layers without negative numbers, and the length of the vectors.

    Raises:
        ConfigError: If there is no such layer.
    """
    if isinstance(layer, str):
        return layer, encoder.width * (encoder.layers + 1 if layer == "concat" else 1)
    numbers = layer if isinstance(layer, tuple) else (layer,)
    for number in numbers:
        if not -encoder.layers - 1 <= number <= encoder.layers:
            raise ConfigError(
                f"The encoder has {counted(encoder.layers, 'layer')}, so there is no layer {number}.",
                hint=f"Use a layer from 0 to {encoder.layers}, or -1 for the last.",
            )
    found = tuple(number % (encoder.layers + 1) for number in numbers)
    return (found if isinstance(layer, tuple) else found[0]), encoder.width * len(found)


class TransformerWords:
    """Words at layers of a transformer, in passes without padding. Later layers are not computed.

    The prompt of the encoder is not used, and special tokens have no rows.

    Args:
        encoder: The transformer.
        layer: As in `word_encoder`.
        unit: As in `word_encoder`.
        token_budget: Tokens of one forward pass.

    Raises:
        ConfigError: If there is no such layer, or the tokenizer does not report words.
    """

    def __init__(
        self,
        encoder: TransformerEncoder,
        layer: Layers = LAYER,
        unit: Unit = "subwords",
        *,
        token_budget: int = TOKEN_BUDGET,
    ) -> None:
        self.encoder, self.unit = encoder, unit
        self.layer, self._width = _chosen(encoder, layer)
        self._token_budget = token_budget
        self._words = WordTokenizer(encoder.tokenizer)
        keep_freed_memory()

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Return the vectors of all sentences; the order of the sentences does not change them."""
        pieces: list[_Piece] = []
        windowed = np.zeros(len(sentences), dtype=np.bool_)
        tokens = self._words.encode(sentences, special=True)
        row = 0
        for number, each in enumerate(tokens):
            found = list(_pieces(each.ids, each.word_ids, self.encoder.longest, row))
            windowed[number] = len(found) > 1
            row += sum(piece.size for piece in found)
            pieces += found
        values = np.empty((row, self._width), dtype=np.float32)
        pieces.sort(key=lambda piece: len(piece.ids))
        parts = batches([len(piece.ids) for piece in pieces], self._token_budget)

        def fill_in(part: slice) -> None:
            batch = pieces[part]
            # Inference mode belongs to a thread, so it is entered here.
            with torch.inference_mode():
                states = self.encoder.states([piece.ids for piece in batch], self.layer).cpu().numpy()
            starts = starts_of([len(piece.ids) for piece in batch])[:-1] + np.array([piece.first for piece in batch])
            counts = np.array([piece.size for piece in batch])
            values[ranges(np.array([piece.row for piece in batch]), counts)] = states[ranges(starts, counts)]

        with workers(self.encoder) as pool:
            for _ in (map if pool is None else pool.map)(fill_in, parts):
                pass
        return _assemble(values, tokens, sentences, windowed, self.unit)


class _Piece(NamedTuple):
    """A sentence, or a window of one, as the model takes it.

    Args:
        ids: Token ids, special tokens included.
        first: The first token whose state is kept.
        size: Number of tokens from there on whose states are kept.
        row: Row of the result for the first state.
    """

    ids: list[int]
    first: int
    size: int
    row: int


def _pieces(ids: list[int], words: list[int | None], longest: int, row: int) -> Iterator[_Piece]:
    """Cut a sentence into pieces that are not too long for the model; most sentences are one piece.

    `words` are those of the tokens, None for the special ones at both ends; `row` is that of the first subword.
    """
    head = next((place for place, word in enumerate(words) if word is not None), len(ids))
    if head == len(ids):
        return
    tail = next(place for place, word in enumerate(reversed(words)) if word is not None)
    if len(ids) <= longest:
        yield _Piece(ids, head, len(ids) - head - tail, row)
        return
    body, owners = ids[head : len(ids) - tail], words[head : len(ids) - tail]
    room = max(1, longest - head - tail)
    windows = _windows(owners, room)
    for (start, first), (_, last) in zip(windows, [*windows[1:], (0, len(body))], strict=True):
        window = [*ids[:head], *body[start : start + room], *ids[len(ids) - tail :]]
        yield _Piece(window, head + first - start, last - first, row + first)


def _windows(words: Sequence[int | None], room: int) -> list[tuple[int, int]]:
    """Cover a sentence with windows, each of which overlaps the next by half.

    Args:
        words: The word of every subword, without special tokens. More than `room`.
        room: Subwords in a window.

    Returns:
        For every window its first subword, and the first subword whose state is used: from the middle of the overlap
        on, where both windows show equally much context. A word is not divided if it fits into the overlap.
    """
    last = len(words) - room
    starts = [*range(0, last, (room + 1) // 2), last]
    windows = [(0, 0)]
    for start, after in pairwise(starts):
        low, high = max(after, windows[-1][1]), start + room
        middle = (after + high) // 2
        fresh = [place for place in range(low, high + 1) if words[place - 1] != words[place]]
        windows.append((after, min(fresh, key=lambda place: abs(place - middle), default=max(low, middle))))
    return windows


class ElmoWords:
    """Words at a layer of ELMo, forward states before backward ones. Sentences of any length are read as a whole.

    Words outside the vocabulary have states too, because their context is known.

    Args:
        encoder: The encoder.
        layer: As in `word_encoder`; both halves of layer 0 are the input.
        unit: As in `word_encoder`, for the parts into which the tokenizer of the encoder splits a word.
        token_budget: Words of one forward pass.

    Raises:
        ConfigError: If there is no such layer.
    """

    def __init__(
        self,
        encoder: ElmoEncoder,
        layer: Layers = -1,
        unit: Unit = "subwords",
        *,
        token_budget: int = TOKEN_BUDGET,
    ) -> None:
        self.encoder, self.unit, self._token_budget = encoder, unit, token_budget
        self.layer, self._width = _chosen(encoder, layer)
        self._words = WordTokenizer(encoder.tokenizer)

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Return the vectors of all sentences; the order of the sentences does not change them."""
        tokens = self._words.encode(sentences, special=True)
        numbers = [
            self.encoder.word_numbers(each, [printable(word) for word in words])
            for each, words in zip(tokens, sentences, strict=True)
        ]
        sizes = np.array([len(each) for each in numbers], dtype=np.int64)
        starts = starts_of(sizes - 2)
        values = np.empty((int(starts[-1]), self._width), dtype=np.float32)
        order = np.argsort(sizes, kind="stable")

        def fill_in(part: slice) -> None:
            rows = order[part]
            with torch.inference_mode():  # it belongs to a thread
                states = self.encoder.states([numbers[row] for row in rows], self.layer).cpu().numpy()
            inner = ranges(starts_of(sizes[rows])[:-1] + 1, sizes[rows] - 2)
            values[ranges(starts[rows], sizes[rows] - 2)] = states[inner]

        with workers(self.encoder) as pool:
            parts = batches(sizes[order], self._token_budget, padded=True)
            for _ in (map if pool is None else pool.map)(fill_in, parts):
                pass
        return _assemble(values, tokens, sentences, np.zeros(len(sentences), dtype=np.bool_), self.unit)


class StaticWords:
    """Words of a static encoder: every word or subword has the vector of a text of its own, in every sentence.

    The prompt of the encoder is not used.

    Args:
        encoder: The static encoder.
        unit: As in `word_encoder`.
    """

    def __init__(self, encoder: StaticEncoder, unit: Unit = "subwords") -> None:
        self.encoder, self.unit = encoder, unit
        self._words = WordTokenizer(encoder.tokenizer)

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Return the vectors of all sentences."""
        tokens = self._words.encode(sentences, special=False)
        with torch.inference_mode():
            flat = np.fromiter(chain.from_iterable(each.ids for each in tokens), dtype=np.int64)
            values = self.encoder.states(flat).cpu().numpy()
        found = _assemble(values, tokens, sentences, np.zeros(len(sentences), dtype=np.bool_), self.unit)
        return found._replace(values=self.encoder.finish(found.values))


class JoinedWords:
    """Words at several layers of an encoder, computed in one pass.

    Args:
        encoder: An encoder with layers, or of any kind if there is one layer.
        layers: The layers.
        how: `mean` for the mean of the layers, `concat` for all of them concatenated.
        unit: As in `word_encoder`.

    Raises:
        ConfigError: As `word_encoder`.
    """

    def __init__(
        self, encoder: Encoder, layers: tuple[int, ...], how: Literal["mean", "concat"], *, unit: Unit = "subwords"
    ) -> None:
        self._words, self._parts = word_encoder(encoder, layer=layers, unit=unit), len(layers) if how == "mean" else 1

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Return the vectors of all sentences."""
        found = self._words(sentences)
        if self._parts == 1:
            return found
        return found._replace(values=np.stack(np.split(found.values, self._parts, axis=1)).mean(axis=0))


class TableWords:
    """Words that are looked up in a list of words with vectors.

    Args:
        words: Words of the list; the first of equal ones counts.
        matrix: Their vectors. Shape [v, d].
        case: `exact`: look up words as they are written. `fallback`: if that fails, look up the lower-cased word.
            `lower`: lower-case the list and the words.

    Raises:
        ConfigError: If there is no such case policy, or words and vectors differ in number.
    """

    def __init__(self, words: Sequence[str], matrix: Floats, *, case: Case = "fallback") -> None:
        if case not in get_args(Case):
            raise unknown_name("case policy", case, get_args(Case))
        if len(words) != len(matrix):
            raise ConfigError(
                f"There are {len(words):,} words and {len(matrix):,} vectors.", hint="Give a vector for every word."
            )
        self._matrix, self._case = matrix, case
        self._index: dict[str, int] = {}
        for row, word in enumerate(words):
            self._index.setdefault(word.lower() if case == "lower" else word, row)

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Return the vectors of all sentences; words that are not in the list have none."""
        lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        rows = np.fromiter((self._row(word) for words in sentences for word in words), dtype=np.int64)
        known = rows >= 0
        owners = np.repeat(np.arange(len(sentences)), lengths)[known]
        counts = np.bincount(owners, minlength=len(sentences))
        return WordVectors(
            np.ascontiguousarray(self._matrix[rows[known]], dtype=np.float32),
            starts_of(counts),
            positions(lengths)[known].astype(np.int32),
            np.zeros(len(sentences), dtype=np.bool_),
            (lengths - counts).astype(np.int32),
        )

    def _row(self, word: str) -> int:
        if self._case == "lower":
            return self._index.get(word.lower(), -1)
        row = self._index.get(word, -1)
        return self._index.get(word.lower(), -1) if row < 0 and self._case == "fallback" else row


def _assemble(
    values: Floats, tokens: list[Encoding], sentences: Sentences, windowed: NDArray[np.bool_], unit: Unit
) -> WordVectors:
    """Assign the vectors of all subwords, special ones left out, to the words of the sentences. Shape [t, d]."""
    words = np.fromiter((-1 if word is None else word for each in tokens for word in each.word_ids), dtype=np.int32)
    owners = np.repeat(np.arange(len(sentences)), [len(each) for each in tokens])[words >= 0]
    words = words[words >= 0]
    fresh = np.ones(len(words), dtype=np.bool_)
    fresh[1:] = (words[1:] != words[:-1]) | (owners[1:] != owners[:-1])
    with_vector = np.bincount(owners[fresh], minlength=len(sentences))
    lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
    if unit == "words" and len(words):
        starts = np.flatnonzero(fresh)
        values = np.add.reduceat(values, starts, axis=0)
        values /= np.diff(starts, append=len(words)).astype(np.float32)[:, None]
        words, owners = words[fresh], owners[fresh]
    counts = np.bincount(owners, minlength=len(sentences))
    return WordVectors(values, starts_of(counts), words, windowed, (lengths - with_vector).astype(np.int32))
