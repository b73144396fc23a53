"""What is said about the senses of a headword: shares, nearest words, typical context words, examples, translations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices
from lexenc.correlation import unit_rows
from lexenc.word_senses.contexts import WordAverages
from lexenc.word_senses.occurrences import Occurrence

_TALKATIVE = 2  # least number of contexts of a sense in which a typical word occurs
_SHORT, _LONG = 6, 40  # words of a sentence that makes a good example


@dataclass(frozen=True)
class WordScore:
    """A word with a score, whose meaning depends on the list that it is in."""

    word: str
    score: float


@dataclass(frozen=True)
class ContextExample:
    """An occurrence of a headword in a sense.

    Args:
        line: Number of the line in the text.
        left: Text before it.
        word: The text itself.
        right: Text after it.
        confidence: Confidence that it has this sense, from 0 to 1.
    """

    line: int
    left: str
    word: str
    right: str
    confidence: float


@dataclass(frozen=True)
class SenseTranslations:
    """Translations of a sense into one language.

    Args:
        method: `word links`: words that are linked to occurrences of the sense; the score is their share of its links.
            `nearest words`: words whose average vectors are nearest; the score is their cosine.
        words: The translations, the best first.
        links: Number of links, 0 for nearest words.
    """

    method: Literal["word links", "nearest words"]
    words: list[WordScore]
    links: int = 0


@dataclass(frozen=True)
class SenseEntry:
    """One sense of a headword.

    Args:
        sense: Its identifier, e.g. `bank#1`.
        name: Name or gloss that a reviewer gave it.
        count: Number of sampled occurrences.
        share: Its share of them.
        confidence: Their mean confidence.
        nearest: By language, the words whose average vectors are nearest, with cosines.
        context_words: Words that are typical of its sentences, with log-likelihood ratios.
        translations: By language.
        examples: Some occurrences, the best first.
    """

    sense: str
    count: int
    share: float
    confidence: float
    name: str = ""
    nearest: dict[str, list[WordScore]] = field(default_factory=dict)
    context_words: list[WordScore] = field(default_factory=list)
    translations: dict[str, SenseTranslations] = field(default_factory=dict)
    examples: list[ContextExample] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its identifier, with its name if it has one."""
        return f"{self.sense} {self.name}".rstrip()


@dataclass(frozen=True)
class HeadwordEntry:
    """A headword and its senses.

    Args:
        word: The headword.
        language: Its language.
        occurrences: How often it occurs in the text.
        sampled: Number of these from which its senses come.
        senses: Its senses, the most frequent first.
    """

    word: str
    language: str
    occurrences: int
    sampled: int
    senses: list[SenseEntry]


def sense_names(word: str, count: int, *, language: str = "") -> list[str]:
    """Return the identifiers of the senses of a word: `bank#1`, or `de:bank#1` with a language."""
    prefix = f"{language}:" if language else ""
    return [f"{prefix}{word.replace(' ', '_')}#{number}" for number in range(1, count + 1)]


def nearest_words(
    vectors: Floats, centre: Floats, averages: WordAverages, *, top: int, without: Collection[str] = ()
) -> list[list[WordScore]]:
    """Return the words that are nearest to some vectors, by cosine.

    The vectors of a language lie around its mean, which says nothing about meaning and is subtracted on both sides.

    Args:
        vectors: k vectors. Shape [k, d].
        centre: Mean of the language of these vectors. Shape [d].
        averages: Words of the same language, or of another.
        top: Words per vector.
        without: Words that are left out.
    """
    kept = [row for row, word in enumerate(averages.words) if word not in without]
    cosines = unit_rows(vectors - centre) @ unit_rows(averages.matrix[kept] - averages.mean).T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :top]
    return [
        [WordScore(averages.words[kept[column]], round(float(own[column]), 4)) for column in columns]
        for own, columns in zip(cosines, order.tolist(), strict=True)
    ]


def typical_words(
    contexts: Sequence[Collection[str]],
    labels: Indices,
    count: int,
    *,
    top: int,
    elsewhere: Mapping[str, int],
    total: int,
) -> list[list[WordScore]]:
    """Return the words that are typical of the sentences of each sense, by log-likelihood ratio (Dunning 1993).

    A sense is compared with the other senses of its word, or, if it is the only one, with the text.

    Args:
        contexts: The distinct words of the sentence of each occurrence, without the headword.
        labels: Sense of each occurrence. Shape [n].
        count: Number of senses.
        top: Words per sense.
        elsewhere: In how many sentences of the text each word occurs.
        total: Number of these sentences.
    """
    counts = [Counter[str]() for _ in range(count)]
    for words, label in zip(contexts, labels.tolist(), strict=True):
        counts[label].update({*words})
    sizes = np.bincount(labels, minlength=count)
    every = sum(counts, Counter[str]())
    found = []
    for sense, own in enumerate(counts):
        rows: list[tuple[float, str]] = []
        for word, often in own.items():
            others = every[word] - often if count > 1 else elsewhere.get(word, 0)
            rest = int(sizes.sum() - sizes[sense]) if count > 1 else total
            if often >= _TALKATIVE and often * rest > others * sizes[sense] and any(map(str.isalpha, word)):
                rows.append((_likelihood_ratio(often, int(sizes[sense]), others, rest), word))
        rows.sort(key=lambda row: (-row[0], row[1]))
        found.append([WordScore(word, round(score, 2)) for score, word in rows[:top]])
    return found


def _likelihood_ratio(often: int, size: int, others: int, rest: int) -> float:
    """Return twice the log-likelihood ratio of a word in `often` of `size` and in `others` of `rest` sentences."""
    observed = np.array([[often, size - often], [others, rest - others]], dtype=np.float64)
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / max(observed.sum(), 1.0)
    present = observed > 0
    return float(2 * (observed[present] * np.log(observed[present] / expected[present])).sum())


def good_examples(
    occurrences: Sequence[Occurrence], labels: Indices, confidence: Doubles, count: int, *, top: int
) -> list[list[ContextExample]]:
    """Return the most certain occurrences of each sense. Sentences that are neither short nor long come first.

    A sentence that is equal to an earlier one is left out.
    """
    found = []
    for sense in range(count):
        rows = np.flatnonzero(labels == sense).tolist()
        rows.sort(key=lambda row: (not _SHORT <= len(occurrences[row].words) <= _LONG, -confidence[row], row))
        chosen: dict[tuple[str, str], ContextExample] = {}
        for row in rows:
            one = occurrences[row]
            shown = ContextExample(one.line, one.left, one.form, one.right, round(float(confidence[row]), 4))
            chosen.setdefault((one.left, one.right), shown)
            if len(chosen) == top:
                break
        found.append([*chosen.values()])
    return found
