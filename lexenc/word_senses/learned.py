"""Senses that a language model learned itself, chosen for the occurrences of a word as the model chose them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices
from lexenc.correlation import unit_rows
from lexenc.errors import ConfigError
from lexenc.training.sense_aware.bank import SenseBank
from lexenc.word_senses.confidence import probabilities, spread_of
from lexenc.word_senses.contexts import WordAverages

# Marks that tokenizers put before a subword that begins a word.
_BEGINNINGS = ("", "\u2581", "\u0120")


def known_as(bank: SenseBank, word: str) -> str | None:
    """Return the entry of a word in the vocabulary of a model, or None if the model has no senses of it."""
    return next((f"{mark}{word}" for mark in _BEGINNINGS if f"{mark}{word}" in bank), None)


@dataclass(frozen=True)
class LearnedSenses:
    """Senses of one word in a sense-aware model.

    Args:
        labels: Sense of each occurrence. Shape [n].
        confidence: Confidence in it: its probability if senses are spheres around their means. Shape [n].
        centres: Mean vector of the occurrences of each sense. Shape [k, d].
        rows: Place of each sense among those of the model. Shape [k].
        spread: As from `spread_of`.
        word: Entry of the vocabulary.
        bank: The senses of the model; None until the model is opened.
    """

    labels: Indices
    confidence: Doubles
    centres: Floats
    rows: Indices
    spread: float
    word: str
    bank: SenseBank | None = None

    @classmethod
    def of(cls, vectors: Floats, word: str, bank: SenseBank) -> LearnedSenses:
        """Choose the senses of the occurrences of a word. Senses without an occurrence are left out.

        Args:
            vectors: Vectors of the occurrences at the top layer. Shape [n, d].
            word: Entry of the vocabulary.
            bank: The senses of the model.
        """
        chosen = bank.choose(word, _states(vectors, bank))
        counts = np.bincount(chosen)
        rows = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
        labels = np.argsort(rows)[np.searchsorted(np.sort(rows), chosen)]
        centres = np.stack([vectors[labels == sense].mean(axis=0) for sense in range(len(rows))])
        spread = spread_of(vectors, centres, labels)
        confidence = probabilities(vectors, centres, spread)[np.arange(len(labels)), labels]
        return cls(labels, confidence, centres, rows, spread, word, bank)

    def assign(self, vectors: Floats) -> tuple[Indices, Doubles]:
        """Return the sense of other occurrences, -1 for a sense that is not among these, and the confidence in it.

        Raises:
            ConfigError: If the model is not open.
        """
        if self.bank is None:
            raise ConfigError("The model of these senses is not open.", hint="Open it first.")
        chosen = self.bank.choose(self.word, _states(vectors, self.bank))
        places = {row: place for place, row in enumerate(self.rows.tolist())}
        labels = np.array([places.get(row, -1) for row in chosen.tolist()], dtype=np.int64)
        confidence = probabilities(vectors, self.centres, self.spread)[np.arange(len(labels)), labels]
        return labels, np.where(labels >= 0, confidence, 0.0)


@dataclass(frozen=True)
class SenseVectors:
    """Sense vectors of a model, of the words that are frequent in texts.

    Args:
        senses: Word of the vocabulary and place of each sense, -1 for the only one of a word.
        names: Word, with the number of the sense if it is one of several.
        languages: Language of each word, in whose text it is more frequent. Empty for a word that no text has.
        vectors: The vectors, of unit length, after the mean of the language is subtracted. Shape [n, d].
    """

    senses: list[tuple[str, int]]
    names: list[str]
    languages: list[str]
    vectors: Doubles

    @classmethod
    def of(
        cls,
        bank: SenseBank,
        averages: Mapping[str, WordAverages],
        headwords: Collection[str],
        fold: Callable[[str, str], str],
    ) -> SenseVectors:
        """Take the sense vectors of the words that have an average vector in some text.

        Args:
            bank: The senses of the model.
            averages: Frequent words of each text, by language.
            headwords: Entries of the vocabulary to take as well.
            fold: Returns a word of a language as it is compared.
        """
        shares = {
            language: {word: each.sentences[word] / max(1, each.total) for word in each.words}
            for language, each in averages.items()
        }

        def owner(word: str) -> str:
            text = word.lstrip("".join(_BEGINNINGS))
            found = {language: own.get(fold(text, language), 0.0) for language, own in shares.items()}
            language = max(found, key=found.__getitem__)
            return language if found[language] else ""

        senses, vectors = bank.vectors_of(lambda word: word in headwords or bool(owner(word)))
        owners = {word: owner(word) for word, _ in senses}
        languages = [owners[word] for word, _ in senses]
        of_language = np.array(languages)
        for language in {*languages}:
            rows = of_language == language
            vectors[rows] -= vectors[rows].mean(axis=0)
        texts = [word.lstrip("".join(_BEGINNINGS)) for word, _ in senses]
        names = [
            text if place < 0 else f"{text}#{place + 1}" for text, (_, place) in zip(texts, senses, strict=True)
        ]
        return cls(senses, names, languages, unit_rows(vectors))

    def neighbours(self, own: Sequence[int], language: str, most: int) -> list[list[int]]:
        """Return the senses of other words in a language that are nearest to some senses of a word, by cosine.

        Args:
            own: Rows of the senses.
            language: The language.
            most: Largest number of neighbours of each.
        """
        word = self.senses[own[0]][0]
        rows = [row for row, (other, _) in enumerate(self.senses) if other != word and self.languages[row] == language]
        cosines = self.vectors[own] @ self.vectors[rows].T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
        return [[rows[place] for place in each] for each in order.tolist()]


def _states(vectors: Floats, bank: SenseBank) -> Floats:
    """Return the states by which a model chooses senses: all of a vector, or its first half, the forward direction."""
    return np.ascontiguousarray(vectors[:, : bank.width])
