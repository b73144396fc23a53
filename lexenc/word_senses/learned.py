"""Senses that a language model learned itself, chosen for the occurrences of a word as the model chose them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices
from lexenc.errors import ConfigError
from lexenc.training.sense_aware.bank import SenseBank
from lexenc.word_senses.confidence import probabilities, spread_of

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


def _states(vectors: Floats, bank: SenseBank) -> Floats:
    """Return the states by which a model chooses senses: all of a vector, or its first half, the forward direction."""
    return np.ascontiguousarray(vectors[:, : bank.width])
