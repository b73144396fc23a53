"""Cleaning of parallel text: which sentences and sentence pairs are junk, and why.

The rules compare numbers that are computed once per sentence, so that millions of candidate pairs can be checked.
Junk often has the highest margins of all, because a copy of a sentence is nearer to it than any translation.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices, starts_of
from lexenc.text.words import letter_pattern

Rule = Literal["duplicates", "copies", "language", "numbers", "lengths"]
RULES: tuple[Rule, ...] = get_args(Rule)
Hashes = NDArray[np.uint64]
Truths = NDArray[np.bool_]

SHARED_WORDS = 0.5
"""Share of the words of the shorter sentence that also stand in the other: above it, a pair is nearly a copy."""
FEWEST_WORDS = 4
"""Words of the shorter sentence from which this share is measured."""
LONGEST_RATIO = 3.0
"""How many times longer than expected one side may be, with `ADDED_LENGTH` characters added to both."""
ADDED_LENGTH = 15
SMALL = 2
"""Digits of a number that one side may lack."""
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"\d+(?:[.,'\u2019\u00a0\u202f]\d+)*")
# Web addresses, and names and topics of social media: their digits are no numbers.
_ADDRESS = re.compile(
    r"(?:https?://|www\.|(?<![a-z0-9.-])(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}/)[!-~]*|[@#][^\W\d]\w*",
    re.IGNORECASE | re.ASCII,
)
# What each digit, and each number below 100, adds to a sum that does not depend on the order.
_DIGIT_WEIGHTS, _SMALL_WEIGHTS = np.split(np.random.default_rng(0).integers(1 << 62, size=110, dtype=np.uint64), [10])
_LETTERS = re.compile(r"[^\W\d_]+")


def text_hash(text: str) -> int:
    """Return 64 bits of BLAKE2 of a text. Of a billion texts, two share them with a probability of 3 in 100."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")


def plain_form(text: str) -> str:
    """Return a text without case, punctuation and spaces, in Unicode form NFKC; as it is if nothing else is left."""
    folded = text.casefold() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter_pattern().findall(folded)) or text


def numbers_of(text: str) -> list[str]:
    """Return the numbers of a text as ASCII, without separators and without those of web addresses and names."""
    if not _DIGIT.search(text):
        return []
    found = _NUMBER.findall(_ADDRESS.sub(" ", text))
    return ["".join(str(unicodedata.decimal(sign)) for sign in each if sign.isdecimal()) for each in found]


@dataclass(frozen=True)
class SentenceFacts:
    """What the rules need to know of the sentences of one side. All arrays have shape [n].

    Args:
        forms: Hashes of the sentences in their plain form.
        shapes: The same, with every number replaced by 0.
        digits: Sums over all digits. 0 without any.
        numbers: Hashes of the set of numbers. 0 without any.
        small: Sums over the numbers of at most two digits.
        large: Sums over the digits of the other numbers.
        lengths: Number of characters.
    """

    forms: Hashes
    shapes: Hashes
    digits: Hashes
    numbers: Hashes
    small: Hashes
    large: Hashes
    lengths: Indices

    @classmethod
    def of(cls, texts: Iterable[str]) -> SentenceFacts:
        """Compute the facts of some sentences."""
        columns = list(zip(*map(_facts, texts), strict=True)) or [()] * 7
        types: list[Any] = [np.uint64] * 6 + [np.int64]
        arrays: list[Any] = [np.array(own, dtype=kind) for own, kind in zip(columns, types, strict=True)]
        return cls(*arrays)

    @classmethod
    def joined(cls, parts: Sequence[SentenceFacts]) -> SentenceFacts:
        """Concatenate the facts of some parts, at least one."""
        return cls(*(np.concatenate(each) for each in zip(*(vars(part).values() for part in parts), strict=True)))

    def take(self, rows: Indices) -> SentenceFacts:
        """Return the facts of some sentences."""
        return SentenceFacts(*(each[rows] for each in vars(self).values()))


def _facts(text: str) -> tuple[int, ...]:
    form = plain_form(text)
    own = text_hash(form)
    if not _DIGIT.search(text):
        return own, own, 0, 0, 0, 0, len(text)
    numbers = numbers_of(text)
    small = [each for each in numbers if len(each) <= SMALL]
    large = "".join(each for each in numbers if len(each) > SMALL)
    return (
        own,
        text_hash(_DIGITS.sub("0", form)),
        _sum(_DIGIT_WEIGHTS, "".join(numbers)),
        text_hash(" ".join(sorted(set(numbers)))) if numbers else 0,
        _sum(_SMALL_WEIGHTS, small),
        _sum(_DIGIT_WEIGHTS, large),
        len(text),
    )


def _sum(weights: Hashes, numbers: Iterable[str]) -> int:
    return sum(int(weights[int(each)]) for each in numbers) % (1 << 64)


@dataclass(frozen=True)
class PairRules:
    """Rules for pairs of sentences.

    Args:
        source: Facts of the source sentences.
        target: Facts of the target sentences.
        names: The rules to use.
        growth: Usual number of target characters per source character.
    """

    source: SentenceFacts
    target: SentenceFacts
    names: frozenset[str]
    growth: float

    def broken(self, rows: Indices, columns: Indices) -> dict[str, Truths]:
        """Return which pairs break each rule.

        Args:
            rows: Source sentences. Any shape.
            columns: Target sentences. The same shape.

        Returns:
            By rule, of those that look at no text: copies, numbers and lengths. The shape of `rows`.
        """
        left, right = self.source, self.target
        found: dict[str, Truths] = {}
        if "copies" in self.names:
            found["copies"] = left.forms[rows] == right.forms[columns]
        if "numbers" in self.names:
            found["numbers"] = self._other_numbers(rows, columns)
        if "lengths" in self.names:
            longer = (right.lengths[columns] + ADDED_LENGTH) / (self.growth * left.lengths[rows] + ADDED_LENGTH)
            found["lengths"] = np.maximum(longer, 1 / longer) > LONGEST_RATIO
        return found

    def _other_numbers(self, rows: Indices, columns: Indices) -> Truths:
        """Return which pairs have other numbers. The shape of `rows`.

        Digits are compared without separators and order, which depend on the language: 1,234.5 is 1.234,5, and dates
        turn around. A number may be repeated, and a small one may be missing, because it is often a word.
        """
        left, right = self.source, self.target
        different: Truths = left.digits[rows] != right.digits[columns]
        different &= left.numbers[rows] != right.numbers[columns]
        rows, columns = rows[different], columns[different]
        one, other = left.small[rows], right.small[columns]
        missing = np.isin(one - other, _SMALL_WEIGHTS) | np.isin(other - one, _SMALL_WEIGHTS)
        different[different] = ~missing | (left.large[rows] != right.large[columns])
        return different

    def allows(self, rows: Indices, columns: Indices) -> Truths:
        """Return which pairs break no rule. The shape of `rows`."""
        allowed = np.ones(np.shape(rows), dtype=np.bool_)
        for each in self.broken(rows, columns).values():
            allowed &= ~each
        return allowed


def nearly_copied(source: str, target: str) -> bool:
    """Return whether more than half of the words of a sentence also stand in its translation.

    The same holds for the words that are not capitalised, so that names alone are no copy. Numbers do not count, and
    sentences of fewer than four words are never nearly copied.
    """
    found = [[word for word in letter_pattern().findall(text) if not word.isnumeric()] for text in (source, target)]
    words = [{word.casefold() for word in own} for own in found]
    if min(map(len, words)) < FEWEST_WORDS or not _mostly_shared(*words):
        return False
    plain = [{word for word in own if not word[0].isupper()} for own in found]
    return not all(plain) or _mostly_shared(*plain)


def _mostly_shared(one: set[str], other: set[str]) -> bool:
    return len(one & other) > SHARED_WORDS * min(len(one), len(other))


def repeats(*columns: NDArray[Any]) -> Truths:
    """Return which rows equal an earlier row in all columns. Shape [p]."""
    rows = np.stack(columns, axis=1)
    _, first = np.unique(rows, axis=0, return_index=True)
    repeated = np.ones(len(rows), dtype=np.bool_)
    repeated[first] = False
    return repeated


# ---------------------------------------------------------------- languages

BUCKETS = 1 << 18
"""Number of hashed trigrams that are counted."""
_SURE = 4.0
"""Least log-odds, per trigram order, at which a sentence is of the other language: about 98 %."""
_COMMON = 0.2
"""Share of the letters of a file from which a script is one of its own."""
_ALIKE = 0.8
"""Accuracy on sentences of known files below which two languages are too similar to be told apart."""
_FEWEST = 50
"""Sentences per side from which languages are learned."""


class LanguageJudge:
    """Tells the language of a sentence by its script and its trigrams, learned from the two files themselves.

    Of both files, the trigrams of letters are counted in two halves. Every sentence is judged by the half that it is
    not in, so that it cannot vouch for itself. A sentence that looks more like the other file is in the wrong language,
    and so is one of which most letters are of a script that the file hardly has. A third language in the script of the
    file is not noticed. Where the two files are too similar to be told apart, trigrams are not used.

    Attributes:
        accuracy: Mean over both files of the share of sentences that look like their own file, measured by trigrams.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((2, 2, BUCKETS))
        self._letters: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._sentences = [0, 0]
        self._right = [0.0, 0.0]
        self.accuracy = 0.0

    def learn(self, side: int, first: int, texts: Sequence[str]) -> None:
        """Count the trigrams and letters of some sentences.

        Args:
            side: 0 for source, 1 for target.
            first: Number of the first sentence.
            texts: The sentences.
        """
        grams, rows = _trigrams(texts)
        half = (first + rows) % 2
        for number in range(2):
            self._counts[side, number] += np.bincount(grams[half == number], minlength=BUCKETS)
        for letters in _letter_counts("".join(texts)).items():
            self._letters[side][script_of(letters[0])] += letters[1]
        self._sentences[side] += len(texts)

    def check(self, side: int, first: int, texts: Sequence[str]) -> None:
        """Measure the accuracy on some sentences of a file, when all are learned. Arguments as in `learn`."""
        odds = self._log_odds(side, first, texts)
        self._right[side] += float((odds < 0).sum() + (odds == 0).sum() / 2)
        shares = [right / max(1, count) for right, count in zip(self._right, self._sentences, strict=True)]
        self.accuracy = sum(shares) / 2

    @property
    def tells_apart(self) -> bool:
        """Whether the two languages differ enough, and there are enough sentences."""
        return min(self._sentences) >= _FEWEST and self.accuracy >= _ALIKE

    def scripts(self, side: int) -> list[str]:
        """Return the scripts of a file, the most frequent first."""
        counts = self._letters[side]
        return [name for name, count in counts.most_common() if count >= _COMMON * counts.total()]

    def foreign(self, side: int, first: int, texts: Sequence[str]) -> Truths:
        """Return which sentences are not in the language of their file. Arguments as in `learn`. Shape [n]."""
        own = set(self.scripts(side))
        found = np.array([_is_foreign(text, own) for text in texts], dtype=np.bool_)
        return found | (self._log_odds(side, first, texts) > _SURE) if self.tells_apart else found

    def _log_odds(self, side: int, first: int, texts: Sequence[str]) -> NDArray[Any]:
        """Return how much more likely each sentence is in the other file than in its own, as a logarithm. Shape [n]."""
        grams, rows = _trigrams(texts)
        half = 1 - (first + rows) % 2
        found = self._shares[1 - side, half, grams] - self._shares[side, half, grams]
        odds: NDArray[Any] = np.bincount(rows, weights=found, minlength=len(texts)) / 3  # a letter is in three trigrams
        return odds

    @cached_property
    def _shares(self) -> NDArray[Any]:
        """Logarithms of the shares of the trigrams, by side and half. Read when all is learned."""
        shares: NDArray[Any] = np.log((self._counts + 0.5) / (self._counts.sum(axis=2, keepdims=True) + 0.5 * BUCKETS))
        return shares


def _trigrams(texts: Sequence[str]) -> tuple[Indices, Indices]:
    """Return the hashed trigrams of texts, of lower-case letters and single spaces, and the text of each."""
    cleaned = [" ".join(["", *_LETTERS.findall(text.lower()), ""]) for text in texts]
    ends = starts_of([len(text) for text in cleaned])
    points = np.frombuffer("".join(cleaned).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    if len(points) < 3:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing
    mixed = points[:-2] * np.uint64(0x9E3779B97F4A7C15) ^ points[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (mixed ^ points[2:] * np.uint64(0x165667B19E3779F9)) * np.uint64(0x9E3779B97F4A7C15)
    places = np.arange(len(mixed))
    rows = np.searchsorted(ends, places, side="right") - 1
    inside = places + 2 < ends[rows + 1]
    grams = (mixed >> np.uint64(64 - BUCKETS.bit_length() + 1)).astype(np.int64)
    return grams[inside], rows[inside]


def _letter_counts(text: str) -> Counter[str]:
    return Counter(each for each in text if each.isalpha())


_SAME_SCRIPT = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "HALFWIDTH": "CJK", "IDEOGRAPHIC": "CJK", "FULLWIDTH": "LATIN"}


@cache
def script_of(letter: str) -> str:
    """Return the script of a letter: the first word of its name in Unicode. Kana and Han are one script, CJK."""
    name = unicodedata.name(letter, "").split(" ")[0].split("-")[0]
    return _SAME_SCRIPT.get(name, name)


def _is_foreign(text: str, own: set[str]) -> bool:
    if text.isascii() and "LATIN" in own:
        return False
    letters = _letter_counts(text)
    ours = sum(count for letter, count in letters.items() if script_of(letter) in own)
    return 2 * ours < letters.total()
