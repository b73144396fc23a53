"""Anchors: the mean vector of a word over its contexts in a text, and maps between the anchors of two languages.

Source: Schuster et al. 2019, "Cross-Lingual Alignment of Contextual Word Embeddings"; Liu et al. 2021, "Towards
Multi-Sense Cross-Lingual Alignment of Contextual Embeddings", section 3.1 and appendix B.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Doubles, Floats, Indices, Matrix
from lexenc.correlation import unit_rows
from lexenc.encoders.base import WordEncoder
from lexenc.lexical.mapping import Mapping as LinearMapping
from lexenc.lexical.mapping import fit_mapping, space_rank
from lexenc.randomness import generator
from lexenc.search.neighbours import top_k

Sentence = Sequence[str]
METHODS = {"lstsq": "unconstrained", "procrustes": "orthogonal"}
"""Kinds of `fit_mapping` by the names of methods."""
_DRAWN = 4096  # random numbers that are drawn at once
_TOGETHER = 256  # sentences that are encoded at once
SUMS = 2 * 8
"""Bytes of the sums of a dimension, see `average_contexts`."""

# ---------------------------------------------------------------- words and pairs


class Wanted(NamedTuple):
    """The words of two languages that get anchors.

    Args:
        pairs: Distinct pairs of words that both get one: those of the dictionary, then identical strings.
        of_dictionary: Number of pairs of the dictionary.
        identical: Number of pairs of identical strings, those of the dictionary included.
        words: Words of each language, the most frequent first.
        left_out: Number of distinct pairs of the dictionary that are left out, by reason.
    """

    pairs: list[tuple[str, str]]
    of_dictionary: int
    identical: int
    words: tuple[list[str], list[str]]
    left_out: Counter[str]


def wanted_words(
    pairs: Iterable[tuple[str, str]],
    counts: tuple[Counter[str], Counter[str]],
    *,
    cut: tuple[Callable[[str], Sentence], Callable[[str], Sentence]],
    minimum: int,
    vocabulary: int,
    identical: bool,
) -> Wanted:
    """Return the words that get anchors: those of pairs, and the most frequent ones.

    Args:
        pairs: The dictionary, folded as the texts are.
        counts: Occurrences of every word of each text.
        cut: Split a text of each language into words, so that entries of several words are known.
        minimum: Smallest number of occurrences of a word.
        vocabulary: Number of most frequent words that get an anchor without being in a pair.
        identical: Whether strings that occur in both texts are pairs too. Each counts once, also if the dictionary has
            it (footnote 6 of Liu et al.).
    """
    frequent = tuple({word: count for word, count in each.items() if count >= minimum} for each in counts)
    found: dict[tuple[str, str], None] = {}
    left_out: Counter[str] = Counter()
    for pair in dict.fromkeys(pairs):
        if any(len(split(word)) != 1 for split, word in zip(cut, pair, strict=True)):
            left_out["not one word"] += 1
        elif any(not own[word] for own, word in zip(counts, pair, strict=True)):
            left_out["no occurrence"] += 1
        elif any(word not in own for own, word in zip(frequent, pair, strict=True)):
            left_out[f"fewer than {minimum} occurrences"] += 1
        else:
            found[pair] = None
    of_dictionary = len(found)
    if identical:
        found |= dict.fromkeys((word, word) for word in frequent[0] if word in frequent[1])
    words = []
    for side, own in enumerate(frequent):
        ordered = sorted(own, key=lambda word, own=own: (-own[word], word))  # type: ignore[misc]
        chosen = {*ordered[:vocabulary], *(pair[side] for pair in found)}
        words.append([word for word in ordered if word in chosen])
    same = sum(one == other for one, other in found)
    return Wanted([*found], of_dictionary, same, (words[0], words[1]), left_out)


class Split(NamedTuple):
    """Pairs to learn from, and pairs to test on.

    Args:
        train: Pairs to learn from, by number. Shape [p].
        test: Pairs to test on, by number. No pair of `train` has a second word of theirs. Shape [q].
    """

    train: Indices
    test: Indices


def hold_out(pairs: Sequence[tuple[str, str]], share: float, random: np.random.Generator) -> Split:
    """Hold out a share of the words of the second language with all their pairs.

    Words of which a pair is two identical strings are never held out: they say little of a map.

    Args:
        pairs: Distinct pairs.
        share: Share of the other words of the second language.
        random: Source of randomness.
    """
    same = {other for one, other in pairs if one == other}
    candidates = sorted({other for _, other in pairs} - same)
    chosen = random.permutation(len(candidates))[: round(share * len(candidates))]
    held = {candidates[place] for place in chosen.tolist()}
    mask = np.array([other in held for _, other in pairs], dtype=np.bool_)
    return Split(np.flatnonzero(~mask), np.flatnonzero(mask))


# ---------------------------------------------------------------- contexts


def line_numbers(seed: int, purpose: str) -> Iterator[float]:
    """Yield a random number in [0, 1) for every line of a text, always the same ones for a seed and a purpose."""
    random = generator(seed, purpose)
    return chain.from_iterable(random.random(_DRAWN).tolist() for _ in iter(int, 1))


def line_limits(
    sentences: Iterable[Sentence], words: Mapping[str, int], numbers: Iterator[float], *, most: int
) -> list[float]:
    """Draw the lines of every word: those whose number is at most the limit of the word.

    All words draw by the same numbers. So the lines of each word are a random sample, but far fewer lines are needed
    in all than with a sample of its own for each (bottom-k sampling; Cohen and Kaplan 2007).

    Args:
        sentences: Folded words of every line.
        words: Row of every word.
        numbers: A random number for every line.
        most: Largest number of lines of a word.

    Returns:
        The limit of each word; infinite if all of its lines are drawn. Shape [v].

    Memory: `most` numbers for every word.
    """
    drawn: list[list[float]] = [[] for _ in words]
    for sentence, number in zip(sentences, numbers, strict=False):
        for word in words.keys() & {*sentence}:
            own = drawn[words[word]]
            if len(own) < most:
                heapq.heappush(own, -number)
            elif -number > own[0]:
                heapq.heapreplace(own, -number)
    return [-own[0] if len(own) == most else float("inf") for own in drawn]


class Spread(NamedTuple):
    """How far the vectors of a word are from each other, beside how far words are (section 3.1 of Liu et al.).

    Args:
        within: Mean cosine distance of the occurrences of a word to its anchor, over words that occur at least twice.
        between: Mean cosine distance between the anchors of two words.
        words: Number of words that `within` is a mean of.
    """

    within: float
    between: float
    words: int


@dataclass(frozen=True)
class Anchors:
    """Mean vectors of words over their contexts.

    Args:
        matrix: One row per word, zero for one without a vector. Shape [v, d].
        occurrences: Number of occurrences that each is a mean of. Shape [v].
        spread: How far the occurrences are from their anchors.
    """

    matrix: Floats
    occurrences: Indices
    spread: Spread


class _Sums:
    """Sums of the vectors of words at every layer, and of these vectors at length 1. Shape [v, layers, d]."""

    def __init__(self, words: int, layers: int) -> None:
        self._words, self._layers = words, layers
        self._sums: Doubles | None = None
        self._units: Doubles | None = None
        self._seen = np.zeros(words, dtype=np.int64)

    def add(self, encoder: WordEncoder, sentences: Sequence[Sentence], places: Sequence[Mapping[int, int]]) -> None:
        """Add the words of sentences whose rows `places` has by their position."""
        found = encoder(sentences)
        count, width = found.values.shape
        layered = found.values.reshape(count, self._layers, width // self._layers)
        if self._sums is None or self._units is None:
            self._sums, self._units = (np.zeros((self._words, *layered.shape[1:])) for _ in range(2))
        owners = np.repeat(np.arange(len(sentences)), np.diff(found.starts)).tolist()
        pairs = zip(owners, found.words.tolist(), strict=True)
        rows = np.array([places[owner].get(word, -1) for owner, word in pairs], dtype=np.int64)
        kept = rows >= 0
        vectors = layered[kept].astype(np.float64)
        np.add.at(self._sums, rows[kept], vectors)
        np.add.at(self._units, rows[kept], unit_rows(vectors))
        np.add.at(self._seen, rows[kept], 1)

    def anchors(self) -> list[Anchors]:
        """Return the means at every layer."""
        if self._sums is None or self._units is None:
            none = Anchors(np.zeros((self._words, 0), np.float32), self._seen, Spread(0.0, 0.0, 0))
            return [none] * self._layers
        return [self._at(self._sums[:, layer], self._units[:, layer]) for layer in range(self._layers)]

    def _at(self, sums: Doubles, all_units: Doubles) -> Anchors:
        counts = np.maximum(self._seen, 1)[:, None]
        means = sums / counts
        units, has, often = unit_rows(means), self._seen > 0, self._seen > 1
        within = np.maximum(1 - np.vecdot(all_units[often] / counts[often], units[often]), 0)
        count, total = int(has.sum()), units[has].sum(axis=0)
        # The mean cosine of all pairs of rows, of which the products with themselves are no part.
        between = 1 - (total @ total - count) / (count * (count - 1)) if count > 1 else 0.0
        spread = Spread(float(within.mean()) if len(within) else 0.0, float(between), int(often.sum()))
        return Anchors(means.astype(np.float32), self._seen, spread)


def average_contexts(
    encoder: WordEncoder,
    sentences: Iterable[tuple[Sentence, Sentence]],
    words: Mapping[str, int],
    numbers: Iterator[float],
    limits: Sequence[float],
    *,
    layers: int = 1,
) -> list[Anchors]:
    """Average the vectors of words over the lines that `line_limits` drew, the first occurrence in each.

    Args:
        encoder: Encoder of words in sentences.
        sentences: Words of every line, as they are and folded.
        words: Row of every word.
        numbers: The random number of every line.
        limits: Limit of each word. Shape [v].
        layers: Number of layers whose vectors are side by side in one vector.

    Returns:
        The anchors at each layer.

    Memory: `SUMS` bytes for every word and dimension of every layer.
    """
    sums = _Sums(len(words), layers)
    waiting: list[Sentence] = []
    places: list[dict[int, int]] = []
    for (plain, folded), number in zip(sentences, numbers, strict=False):
        first: dict[int, int] = {}
        for place, word in enumerate(folded):
            row = words.get(word)
            if row is not None and number <= limits[row]:
                first.setdefault(row, place)
        if first:
            waiting.append(plain)
            places.append({place: row for row, place in first.items()})
        if len(waiting) == _TOGETHER:
            sums.add(encoder, waiting, places)
            waiting, places = [], []
    if waiting:
        sums.add(encoder, waiting, places)
    return sums.anchors()


# ---------------------------------------------------------------- maps


def fit_map(anchors: tuple[Matrix, Matrix], rows: tuple[Indices, Indices], method: str) -> LinearMapping:
    """Learn the map from the anchors of the second language to those of the first (Eq. 8, with W on this side).

    Args:
        anchors: Anchors of each language, shape [v, d] and [w, e]. Rows of zeros do not count.
        rows: Row of each pair in each. Shape [p].
        method: A name in `METHODS`: least squares, or the nearest rotation (Schönemann 1966). Of spaces of different
            width, the matrix of the latter has orthonormal rows or columns.

    Returns:
        The mapping, whose `source` is the matrix, shape [e, d]. Its `announcement` says if the pairs are too few.

    Raises:
        WorkError: If there are no pairs.
    """
    first, second = anchors
    return fit_mapping(
        second[rows[1]],
        first[rows[0]],
        kind=METHODS[method],  # type: ignore[arg-type]
        rank_policy="truncate",
        ranks=lambda: (space_rank(second), space_rank(first)),
    )


@dataclass(frozen=True)
class Fitness:
    """How well a map brings held-out words to their translations.

    Args:
        hits: Whether the nearest word of the first language is a translation, for each held-out word. Shape [q].
        residual: Sum of squared distances of held-out pairs, as a share of the squared lengths of the first words.
    """

    hits: NDArray[np.bool_]
    residual: float


def judge_map(
    anchors: tuple[Matrix, Matrix], rows: tuple[Indices, Indices], matrix: Doubles | None, *, device: str = "cpu"
) -> Fitness:
    """Look for held-out words among all words of the first language that have anchors, by cosine.

    Args:
        anchors: Anchors of each language, shape [v, d] and [w, e]. Rows of zeros do not count.
        rows: Row of each held-out pair in each. Shape [p].
        matrix: The map. Shape [e, d]. None for none, if both are of the same width.
        device: `cpu`, or a PyTorch device.
    """
    first, second = (np.asarray(each, dtype=np.float64) for each in anchors)
    queries, place = np.unique(rows[1], return_inverse=True)
    moved = second[queries] if matrix is None else second[queries] @ matrix
    known = np.flatnonzero(first.any(axis=1))
    nearest = known[top_k(unit_rows(moved), unit_rows(first[known]), k=1, device=device).indices[:, 0]]
    hits = np.zeros(len(queries), dtype=np.bool_)
    np.logical_or.at(hits, place, nearest[place] == rows[0])
    wanted = first[rows[0]]
    residual = float(np.square(moved[place] - wanted).sum() / np.square(wanted).sum())
    return Fitness(hits, residual)
