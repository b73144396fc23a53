"""Vectors of the words of sentences, or of their subwords: from any layer of a transformer, or from a table.

Sentences come as lists of words. Nothing is cut: what is longer than the model goes through it in windows that overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, cast, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.device import keep_freed_memory
from lexenc.encoders.base import Encoder
from lexenc.encoders.encode import TOKEN_BUDGET, batches_within, workers
from lexenc.encoders.subwords import WordTokenizer
from lexenc.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from tokenizers import Encoding

    from lexenc.encoders.static import StaticEncoder
    from lexenc.encoders.transformer import TransformerEncoder

Sentences = Sequence[Sequence[str]]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
Unit = Literal["subwords", "words"]
Case = Literal["exact", "fallback", "lower"]

LAYER = 8
"""The layer that aligns best in models of twelve (Jalili Sabet et al. 2020, SimAlign, section 5.1)."""


class WordVectors(NamedTuple):
    """Vectors of the words of some sentences, or of their subwords, in the order of the text.

    Args:
        values: One row per word or subword. Shape [t, d].
        starts: Where those of each sentence begin, and the end of the last. Shape [n + 1].
        words: Place of the row's word in its sentence, from 0. Shape [t].
        windowed: Whether the sentence was longer than the model. Shape [n].
        missing: How many words of the sentence have no vector at all. Shape [n].
    """

    values: Floats
    starts: Indices
    words: NDArray[np.int32]
    windowed: NDArray[np.bool_]
    missing: NDArray[np.int32]

    def part(self, first: int, last: int) -> WordVectors:
        """Give the sentences from `first` up to `last`, without it; values are not copied."""
        rows = slice(int(self.starts[first]), int(self.starts[last]))
        starts = self.starts[first : last + 1] - self.starts[first]
        return WordVectors(
            self.values[rows], starts, self.words[rows], self.windowed[first:last], self.missing[first:last]
        )


class WordEncoder(Protocol):
    """Anything that gives the words of sentences vectors."""

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Give the vectors of all sentences, each a list of words."""


def word_encoder(encoder: Encoder, *, layer: int = LAYER, unit: Unit = "subwords") -> WordEncoder:
    """Make an encoder of texts give the vectors of words.

    Args:
        encoder: A transformer, or a bag of subwords.
        layer: Of a transformer: 0 before its first layer; negative numbers count from the end, -1 is the last. A bag of
            subwords has none.
        unit: A row for every subword, or for every word: the mean of its subwords.

    Raises:
        ConfigError: If there is no such layer or unit, or the tokeniser cannot tell words.
    """
    if unit not in get_args(Unit):
        raise unknown_name("unit", unit, get_args(Unit))
    if encoder.kind == "static":
        return StaticWords(cast("StaticEncoder", encoder), unit)
    return TransformerWords(cast("TransformerEncoder", encoder), layer, unit)


# ---------------------------------------------------------------------------------------------------------------------
# Transformers


class TransformerWords:
    """Words through a transformer, in passes without padding; layers after the one asked for are left out.

    The prompt of an encoder that has one is not put before the words, and special tokens give no rows.

    Args:
        encoder: The transformer.
        layer: As in `word_encoder`.
        unit: As in `word_encoder`.
        token_budget: Tokens of one forward pass.

    Raises:
        ConfigError: If there is no such layer, or the tokeniser cannot tell words.
    """

    def __init__(
        self,
        encoder: TransformerEncoder,
        layer: int = LAYER,
        unit: Unit = "subwords",
        *,
        token_budget: int = TOKEN_BUDGET,
    ) -> None:
        if not -encoder.layers - 1 <= layer <= encoder.layers:
            raise ConfigError(
                f"The encoder has {encoder.layers} layers, layer {layer} was asked for.",
                hint=f"Use a layer from 0 to {encoder.layers}, or -1 for the last.",
            )
        self.encoder, self.layer, self.unit = encoder, layer % (encoder.layers + 1), unit
        self._token_budget = token_budget
        self._words = WordTokenizer(encoder.uncut_tokenizer())
        keep_freed_memory()

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Give the vectors of all sentences; order and neighbours of a sentence do not change them."""
        pieces: list[_Piece] = []
        windowed = np.zeros(len(sentences), dtype=np.bool_)
        tokens = self._words.encode(sentences, special=True)
        row = 0
        for number, each in enumerate(tokens):
            found = list(_pieces(each.ids, each.word_ids, self.encoder.longest, row))
            windowed[number] = len(found) > 1
            row += sum(piece.size for piece in found)
            pieces += found
        values = np.empty((row, self.encoder.width), dtype=np.float32)
        sorted_pieces = sorted(pieces, key=lambda piece: len(piece.ids))
        batches = batches_within(sorted_pieces, self._token_budget, lambda piece: len(piece.ids))
        with workers(self.encoder) as pool:
            for _ in (map if pool is None else pool.map)(lambda batch: self._pass(batch, values), batches):
                pass
        return _assemble(values, tokens, sentences, windowed, self.unit)

    def _pass(self, batch: list[_Piece], values: Floats) -> None:
        """Fill in the rows of one batch."""
        import torch

        # Inference mode belongs to the thread, so it is entered here and not around the whole work.
        with torch.inference_mode():
            states = self.encoder.states([piece.ids for piece in batch], self.layer).cpu().numpy()
        starts = np.cumsum([0, *(len(piece.ids) for piece in batch[:-1])])
        counts = np.array([piece.size for piece in batch])
        kept = _ranges(starts + [piece.first for piece in batch], counts)
        values[_ranges(np.array([piece.row for piece in batch]), counts)] = states[kept]


class _Piece(NamedTuple):
    """What goes through the model at once: a sentence, or a window of one.

    Args:
        ids: Token numbers, special tokens included.
        first: The first token whose state is kept; it and those that follow belong to words.
        size: How many are kept.
        row: Where the state of the first goes.
    """

    ids: list[int]
    first: int
    size: int
    row: int


def _pieces(ids: list[int], words: list[int | None], longest: int, row: int) -> Iterator[_Piece]:
    """Cut a sentence into pieces that the model takes; most are taken whole.

    Args:
        ids: Token numbers of the sentence.
        words: The word of every token; None for special tokens, which stand at both ends.
        longest: Most tokens that the model takes.
        row: Where the state of the first subword goes.
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
    """Lay windows over a sentence so that each overlaps the next by half.

    Args:
        words: The word of every subword, without special tokens. More than `room`.
        room: Subwords in a window.

    Returns:
        Of every window its first subword, and the first one taken from it: from the middle of the overlap on, where
        both windows show as much around a word. A word is taken whole, if an overlap can hold it.
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


# ---------------------------------------------------------------------------------------------------------------------
# Tables


class StaticWords:
    """Words through a bag of subwords: every subword has its own vector wherever it stands.

    Args:
        encoder: The bag.
        unit: As in `word_encoder`.
    """

    def __init__(self, encoder: StaticEncoder, unit: Unit = "subwords") -> None:
        self.encoder, self.unit = encoder, unit
        self._words = WordTokenizer(encoder.tokenizer)

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Give the vectors of all sentences."""
        import torch

        tokens = self._words.encode(sentences, special=False)
        with torch.inference_mode():
            flat = np.fromiter(chain.from_iterable(each.ids for each in tokens), dtype=np.int64)
            values = self.encoder.states(flat).cpu().numpy()
        return _assemble(values, tokens, sentences, np.zeros(len(sentences), dtype=np.bool_), self.unit)


class TableWords:
    """Words that are looked up in a list.

    Args:
        words: Words that have a vector; of equal ones the first counts.
        matrix: Their vectors. Shape [v, d].
        case: `exact`: words are looked up as they are written. `fallback`: where that fails, in lower case. `lower`:
            the list and the words are lower-cased.

    Raises:
        ConfigError: If there is no such way, or words and vectors differ in number.
    """

    def __init__(self, words: Sequence[str], matrix: Floats, *, case: Case = "fallback") -> None:
        if case not in get_args(Case):
            raise unknown_name("way to treat case", case, get_args(Case))
        if len(words) != len(matrix):
            raise ConfigError(
                f"There are {len(words):,} words and {len(matrix):,} vectors.", hint="Give a vector for every word."
            )
        self._matrix, self._case = matrix, case
        self._index: dict[str, int] = {}
        for row, word in enumerate(words):
            self._index.setdefault(word.lower() if case == "lower" else word, row)

    def __call__(self, sentences: Sentences) -> WordVectors:
        """Give the vectors of all sentences; words that are not in the list have none."""
        lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        rows = np.fromiter((self._row(word) for words in sentences for word in words), dtype=np.int64)
        known = rows >= 0
        owners = np.repeat(np.arange(len(sentences)), lengths)[known]
        counts = np.bincount(owners, minlength=len(sentences))
        return WordVectors(
            np.ascontiguousarray(self._matrix[rows[known]], dtype=np.float32),
            starts_of(counts),
            _ranges(np.zeros(len(sentences), dtype=np.int64), lengths)[known].astype(np.int32),
            np.zeros(len(sentences), dtype=np.bool_),
            (lengths - counts).astype(np.int32),
        )

    def _row(self, word: str) -> int:
        """The row of a word, -1 for none."""
        if self._case == "lower":
            return self._index.get(word.lower(), -1)
        row = self._index.get(word, -1)
        return self._index.get(word.lower(), -1) if row < 0 and self._case == "fallback" else row


# ---------------------------------------------------------------------------------------------------------------------
# Words and subwords


def _assemble(
    values: Floats, tokens: list[Encoding], sentences: Sentences, windowed: NDArray[np.bool_], unit: Unit
) -> WordVectors:
    """Put the vectors of all subwords and the words they belong to together.

    Args:
        values: Of all subwords, special tokens left out. Shape [t, d].
        tokens: The subwords of every sentence.
        sentences: The words.
        windowed: Passed on.
        unit: Whether to average the subwords of a word.
    """
    words = np.fromiter((-1 if word is None else word for each in tokens for word in each.word_ids), dtype=np.int32)
    owners = np.repeat(np.arange(len(sentences)), [len(each) for each in tokens])[words >= 0]
    words = words[words >= 0]
    fresh = np.ones(len(words), dtype=np.bool_)
    fresh[1:] = (words[1:] != words[:-1]) | (owners[1:] != owners[:-1])
    with_vector = np.bincount(owners[fresh], minlength=len(sentences))
    lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
    if unit == "words" and len(words):
        values = _means(values, np.flatnonzero(fresh))
        words, owners = words[fresh], owners[fresh]
    counts = np.bincount(owners, minlength=len(sentences))
    return WordVectors(values, starts_of(counts), words, windowed, (lengths - with_vector).astype(np.int32))


def _means(values: Floats, starts: Indices) -> Floats:
    """Mean of the rows from each start up to the next. Shape [t, d] -> [n, d]."""
    sums: Floats = np.add.reduceat(values, starts, axis=0)
    sums /= np.diff(starts, append=len(values)).astype(np.float32)[:, None]
    return sums


def starts_of(counts: Indices) -> Indices:
    """Where parts of these sizes begin, and the end of the last. Shape [n] -> [n + 1]."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _ranges(starts: Indices, counts: Indices) -> Indices:
    """Numbers from each start on, as many as its count, one range behind the other. Shape [sum of counts]."""
    ends = np.cumsum(counts)
    ranges: Indices = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)
    return ranges
