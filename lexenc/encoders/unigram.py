"""Subword vocabularies of the unigram language model, learned with the same result on every run.

The trainer of the tokenizers library sums in another order in each process, so that its scores differ between runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma  # type: ignore[import-untyped, unused-ignore]
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from lexenc.arrays import Doubles, Indices, starts_of
from lexenc.compiled import compiled
from lexenc.errors import ConfigError, DataError
from lexenc.text.words import letter_pattern

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""Special subwords in the order of XLM-R: the first four have the numbers 0 to 3, the mask has the last number."""
SPACE = "\u2581"
"""The character that stands for a space before a word, as in SentencePiece."""
_COVERAGE = 0.9995  # share of the characters that have a subword; the others are unknown (SentencePiece)
_LONGEST = 16  # characters of a subword (SentencePiece)
_SEEDS = 10  # candidates per subword wanted
_KEPT = 0.75  # share of the subwords that a round of pruning keeps (SentencePiece)
_REPEATED = 2  # occurrences of a subword with more than one character
_ROUNDS = 2  # of expectation maximisation before each pruning (SentencePiece)
_RAREST = 0.5  # expected occurrences below which a subword is dropped (SentencePiece)
_CHARACTERS = 4_000_000  # of distinct words; of more text the most frequent words are used
_MOST_WORDS = 4_000_000  # counted at once; beyond it, words that occurred once so far are forgotten
Numbers = NDArray[np.int32]


def smoothed_shares(sizes: Mapping[str, int], exponent: float) -> dict[str, float]:
    """Return the share of every language after exponential smoothing: its size to the power of `exponent`.

    Args:
        sizes: Amount of text by language.
        exponent: 1 keeps the shares of the text, 0 makes all languages equal.

    Source: Conneau and Lample 2019, "Cross-lingual Language Model Pretraining", section 3.1.
    """
    total = sum(sizes.values())
    raised = {name: (size / total) ** exponent if size else 0.0 for name, size in sizes.items()}
    return {name: each / sum(raised.values()) for name, each in raised.items()}


def train_language_tokenizer(
    texts: Mapping[str, Iterable[str]], *, vocabulary_size: int, exponent: float = 0.3
) -> Tokenizer:
    """Learn a tokenizer like that of XLM-R: unigram subwords with a mark for spaces, and no case folding.

    Args:
        texts: Lines of text by language, read once.
        vocabulary_size: Largest number of subwords, special ones included. Fewer result if the text has fewer.
        exponent: Exponent of the share of a language, see `smoothed_shares`.

    Raises:
        DataError: If there is no text.
        ConfigError: If the text has more distinct characters than the vocabulary has room for.

    Source: Conneau et al. 2020, "Unsupervised Cross-lingual Representation Learning at Scale", section 3.
    """
    normalise = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    counts = {name: _count_words(lines, normalise.normalize_str) for name, lines in texts.items()}
    sizes = {name: words.total() for name, words in counts.items()}
    total = sum(sizes.values())
    if not total:
        raise DataError("There are no words in the text.", hint="Use a text file with one sentence per line.")
    weights: dict[str, float] = {}
    for name, share in smoothed_shares(sizes, exponent).items():
        factor = share * total / max(1, sizes[name])
        for word, count in counts[name].items():
            weights[word] = weights.get(word, 0.0) + factor * count
    pieces = fit_unigram(weights, vocabulary_size - len(SPECIAL))
    first, last = SPECIAL[:4], SPECIAL[4]
    model = models.Unigram(vocab=[*((name, 0.0) for name in first), *pieces, (last, 0.0)], unk_id=3)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalise
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return tokenizer


def _count_words(lines: Iterable[str], normalise: Any) -> Counter[str]:
    """Count the words of a text, cut where letters, digits and signs meet, so that no subword mixes them."""
    cut = _Cutter()
    found: Counter[str] = Counter()
    for line in lines:
        found.update(piece for word in normalise(line).split() for piece in cut(word))
        if len(found) > _MOST_WORDS:
            found = Counter({word: count for word, count in found.items() if count > 1})
    return found


class _Cutter(dict[str, list[str]]):
    """Cuts words, and remembers the frequent ones."""

    def __init__(self) -> None:
        super().__init__()
        self._letters = letter_pattern()

    def __call__(self, word: str) -> list[str]:
        found = self.get(word)
        if found is None:
            found = self._cut(word)
            if len(self) < 1 << 16:
                self[word] = found
        return found

    def _cut(self, word: str) -> list[str]:
        found, place = [], 0
        for match in self._letters.finditer(word):
            found += [word[place : match.start()], *_digits_apart(match[0])]
            place = match.end()
        parts = [each for each in [*found, word[place:]] if each]
        return [SPACE + parts[0], *parts[1:]] if parts else []


def _digits_apart(word: str) -> list[str]:
    """Split letters and digits that follow each other."""
    if not any(map(str.isdigit, word)):
        return [word]
    parts, before = [""], word[0].isdigit()
    for sign in word:
        if sign.isdigit() != before:
            parts.append("")
            before = not before
        parts[-1] += sign
    return parts


def fit_unigram(words: Mapping[str, float], size: int) -> list[tuple[str, float]]:
    """Learn the subwords of the unigram language model.

    Args:
        words: Words with their number of occurrences, which may be weighted.
        size: Largest number of subwords.

    Returns:
        Subwords with the logarithms of their probabilities, the most probable first. All frequent characters are
        among them.

    Raises:
        ConfigError: If there are more frequent characters than `size`.

    Source: Kudo 2018, "Subword Regularization", section 3.2, with the settings of SentencePiece.
    """
    text = _Text.of(words)
    if len(text.characters) >= size:
        raise ConfigError(
            f"The text has {len(text.characters):,} frequent characters, but the vocabulary has room for {size:,} "
            "subwords.",
            hint=f"Use a vocabulary of {2 * len(text.characters)} or more.",
        )
    lattice = _Lattice.of(text, most=max(_SEEDS * size, 1000))
    wanted = max(1, round(1.1 * size))
    while True:
        for _ in range(_ROUNDS):
            expected = lattice.expected()
            kept = (expected >= _RAREST) | lattice.single
            lattice = lattice.chosen(kept, _maximised(expected[kept]))
        if len(lattice.scores) <= wanted:
            break
        lattice = lattice.pruned(max(wanted, int(_KEPT * len(lattice.scores))))
    longer = np.flatnonzero(~lattice.single)
    best = longer[np.argsort(-lattice.scores[longer], kind="stable")][: size - len(text.characters)]
    chosen = np.concatenate([np.flatnonzero(lattice.single), best])
    order = chosen[np.argsort(-lattice.scores[chosen], kind="stable")]
    return [(lattice.text(piece), float(lattice.scores[piece])) for piece in order.tolist()]


def _maximised(expected: Doubles) -> Doubles:
    """Return the scores of subwords: the maximisation step with a sparse Dirichlet prior, as SentencePiece."""
    raised = np.maximum(expected, _RAREST)
    scores: Doubles = digamma(raised) - digamma(raised.sum())
    return scores


@dataclass(frozen=True)
class _Text:
    """Distinct words without rare characters, which end a word, end to end.

    Args:
        characters: The frequent characters.
        values: Numbers of the characters of all words. Shape [t].
        starts: Where each word begins, and the end of the last. Shape [n + 1].
        weights: Occurrences of each word. Shape [n].
    """

    characters: str
    values: Indices
    starts: Indices
    weights: Doubles

    @classmethod
    def of(cls, words: Mapping[str, float]) -> _Text:
        ranked = sorted(words.items(), key=lambda one: (-one[1], one[0]))
        lengths = np.array([len(word) for word, _ in ranked], dtype=np.int64)
        some = int(np.searchsorted(np.cumsum(lengths), _CHARACTERS, side="right")) or 1
        ranked, lengths = ranked[:some], lengths[:some]
        weights = np.array([weight for _, weight in ranked])
        flat = np.frombuffer("".join(word for word, _ in ranked).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        owners = np.repeat(np.arange(some), lengths)
        codes, places = np.unique(flat, return_inverse=True)
        sums = np.bincount(places, weights[owners], minlength=len(codes))
        order = np.argsort(-sums, kind="stable")
        before = np.cumsum(sums[order]) - sums[order]
        frequent = order[before < _COVERAGE * sums.sum()]
        numbers = np.full(len(codes), -1, dtype=np.int64)
        numbers[frequent] = np.arange(len(frequent))
        values = numbers[places]
        known = values >= 0
        begins = known & (np.diff(owners, prepend=-1) != 0) | known & ~np.concatenate([[False], known[:-1]])
        owners, begins, values = owners[known], begins[known], values[known]
        starts = np.append(np.flatnonzero(begins), len(values))
        return cls("".join(map(chr, codes[frequent].tolist())), values, starts, weights[owners[starts[:-1]]])


@dataclass(frozen=True)
class _Lattice:
    """The subwords that begin at each character of a text.

    Args:
        source: The text.
        scores: Score of each subword. Shape [v].
        place: A character at which each subword begins. Shape [v].
        length: Characters of each subword. Shape [v].
        first: Where the subwords that begin at each character stand in `pieces`, and the end. Shape [t + 1].
        pieces: Numbers of subwords. Shape [e].
    """

    source: _Text
    scores: Doubles
    place: Indices
    length: Indices
    first: Indices
    pieces: Numbers

    @classmethod
    def of(cls, text: _Text, most: int) -> _Lattice:
        """Find all repeated subwords of a text, and keep those that cover most characters.

        Args:
            text: The text.
            most: Largest number of subwords with more than one character.
        """
        size = len(text.values)
        lengths = np.diff(text.starts)
        weights = np.repeat(text.weights, lengths)
        left = np.repeat(text.starts[1:], lengths) - np.arange(size)  # characters up to the end of the word
        base = len(text.characters)
        # Strings that occur at many places are found by one more character at a time: a string occurs twice only if
        # it does so without its last one.
        where, number = np.arange(size), text.values
        places, numbers, spans, covered, owns = (
            [where.astype(np.int32)],
            [number.astype(np.int32)],
            [np.ones(base, dtype=np.int64)],
            [],
            [],
        )
        _, seen = np.unique(number, return_index=True)
        owns.append(seen)
        found = base
        for span in range(2, _LONGEST + 1):
            longer = left[where] >= span
            where, number = where[longer], number[longer]
            keys = number * base + text.values[where + span - 1]
            _, seen, number = np.unique(keys, return_index=True, return_inverse=True)
            often = np.bincount(number, weights[where]) >= _REPEATED
            if not often.any():
                break
            again = np.cumsum(often) - 1
            there = often[number]
            owns.append(where[seen[often]])
            where, number = where[there], again[number[there]]
            covered.append(span * np.bincount(number, weights[where]))
            places.append(where.astype(np.int32))
            numbers.append((number + found).astype(np.int32))
            spans.append(np.full(int(often.sum()), span))
            found += int(often.sum())
        gains = np.concatenate([np.bincount(text.values, weights, minlength=base), *covered])
        length, place = np.concatenate(spans), np.concatenate(owns)
        piece, at = np.concatenate(numbers), np.concatenate(places)
        order = np.argsort(at, kind="stable")
        first = starts_of(np.bincount(at, minlength=size))
        whole = cls(text, np.zeros(len(length)), place, length, first, piece[order].astype(np.int32, copy=False))
        kept: NDArray[np.bool_] = length == 1
        kept[base + np.argsort(-gains[base:], kind="stable")[:most]] = True
        # Starting from the characters that they cover, not from their occurrences, long subwords survive.
        return whole.chosen(kept, np.log(gains[kept] / gains[kept].sum()))

    @property
    def single(self) -> NDArray[np.bool_]:
        """Which subwords are characters. They are never dropped."""
        alone: NDArray[np.bool_] = self.length == 1
        return alone

    def text(self, piece: int) -> str:
        values = self.source.values[self.place[piece] : self.place[piece] + self.length[piece]]
        return "".join(self.source.characters[value] for value in values.tolist())

    def chosen(self, kept: NDArray[np.bool_], scores: Doubles) -> _Lattice:
        """Return the lattice of some subwords, with their scores."""
        numbers = (np.cumsum(kept) - 1).astype(np.int32)
        there = kept[self.pieces]
        first = np.concatenate([[0], np.cumsum(there)])[self.first]
        return _Lattice(self.source, scores, self.place[kept], self.length[kept], first, numbers[self.pieces[there]])

    def expected(self) -> Doubles:
        """Return the expected number of occurrences of each subword. Shape [v]."""
        return _expected(*self._parts)

    @property
    def _parts(self) -> tuple[Any, ...]:
        text = self.source
        return text.starts, text.weights, self.first, self.pieces, self.length, self.scores

    def pruned(self, size: int) -> _Lattice:
        """Drop the subwords without which the likelihood falls least.

        Args:
            size: Number of subwords to keep.
        """
        counts = _best_counts(*self._parts)
        losses = _losses(self.place, self.first, self.pieces, self.length, self.scores, counts)
        losses[self.single] = np.inf
        kept = np.zeros(len(losses), dtype=bool)
        kept[np.argsort(-losses, kind="stable")[:size]] = True
        kept |= self.single
        return self.chosen(kept, self.scores[kept])


@compiled
def _sum_of_exponentials(one: float, other: float) -> float:
    """Return the logarithm of the sum of two numbers from their logarithms."""
    larger, smaller = max(one, other), min(one, other)
    return larger if smaller == -np.inf else larger + np.log1p(np.exp(smaller - larger))


@compiled
def _split(  # noqa: PLR0913 - what is compiled takes arrays one by one
    begin: int,
    size: int,
    first: Indices,
    pieces: Numbers,
    length: Indices,
    scores: Doubles,
    without: int,
    best: Doubles,
    chosen: Indices,
) -> None:
    """Find the most probable way to split some characters.

    Args:
        begin: The first character.
        size: Number of characters.
        first: As in `_Lattice`, like `pieces`, `length` and `scores`.
        pieces: See `first`.
        length: See `first`.
        scores: See `first`.
        without: A subword that is not used. -1 for none.
        best: Receives the score of the beginning up to each character. Shape [at least size + 1].
        chosen: Receives the last subword of each beginning. Shape as `best`.
    """
    best[: size + 1] = -np.inf
    best[0] = 0.0
    for i in range(size):
        for edge in range(first[begin + i], first[begin + i + 1]):
            piece = pieces[edge]
            end = i + length[piece]
            if end <= size and piece != without and best[i] + scores[piece] > best[end]:
                best[end] = best[i] + scores[piece]
                chosen[end] = piece


@compiled
def _expected(
    starts: Indices, weights: Doubles, first: Indices, pieces: Numbers, length: Indices, scores: Doubles
) -> Doubles:
    """Return the expected occurrences of each subword over all ways to split the words. Shape [v]."""
    totals = np.zeros(len(scores))
    longest = np.max(np.diff(starts)) + 1
    forward, backward = np.empty(longest), np.empty(longest)
    for word in range(len(weights)):
        begin, size = starts[word], starts[word + 1] - starts[word]
        forward[: size + 1] = -np.inf
        forward[0] = 0.0
        for i in range(size):
            for edge in range(first[begin + i], first[begin + i + 1]):
                end = i + length[pieces[edge]]
                forward[end] = _sum_of_exponentials(forward[end], forward[i] + scores[pieces[edge]])
        backward[size] = 0.0
        for i in range(size - 1, -1, -1):
            backward[i] = -np.inf
            for edge in range(first[begin + i], first[begin + i + 1]):
                rest = scores[pieces[edge]] + backward[i + length[pieces[edge]]]
                backward[i] = _sum_of_exponentials(backward[i], rest)
                totals[pieces[edge]] += weights[word] * np.exp(forward[i] + rest - forward[size])
    return totals


@compiled
def _best_counts(
    starts: Indices, weights: Doubles, first: Indices, pieces: Numbers, length: Indices, scores: Doubles
) -> Doubles:
    """Return the occurrences of each subword in the most probable way to split each word. Shape [v]."""
    counts = np.zeros(len(scores))
    longest = np.max(np.diff(starts)) + 1
    best, chosen = np.empty(longest), np.empty(longest, dtype=np.int64)
    for word in range(len(weights)):
        begin, size = starts[word], starts[word + 1] - starts[word]
        _split(begin, size, first, pieces, length, scores, -1, best, chosen)
        end = size
        while end > 0:
            counts[chosen[end]] += weights[word]
            end -= length[chosen[end]]
    return counts


@compiled
def _losses(
    place: Indices, first: Indices, pieces: Numbers, length: Indices, scores: Doubles, counts: Doubles
) -> Doubles:
    """Return by how much the mean log-likelihood of a subword falls without each one. Shape [v]."""
    losses = np.zeros(len(scores))
    total = np.sum(counts)
    longest = np.max(length) + 1
    best, chosen = np.empty(longest), np.empty(longest, dtype=np.int64)
    for piece in range(len(scores)):
        if length[piece] == 1 or counts[piece] == 0.0:
            continue
        _split(place[piece], length[piece], first, pieces, length, scores, piece, best, chosen)
        if best[length[piece]] >= scores[piece]:
            continue  # it is never the best way to write itself
        other, number, end = 0.0, 0, length[piece]
        while end > 0:
            other += np.log(counts[chosen[end]] + counts[piece])
            number += 1
            end -= length[chosen[end]]
        other -= number * np.log(total + counts[piece] * (number - 1))
        losses[piece] = counts[piece] / total * (np.log(counts[piece] / total) - other)
    return losses
