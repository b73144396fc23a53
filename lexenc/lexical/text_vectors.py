"""Words and phrases as vectors: looked up, encoded or blended, with a record of how each was obtained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexenc.files.spaces import first_forms
from lexenc.files.vec_report import ReadReport
from lexenc.files.vectors import Vectors, index_of
from lexenc.lexical.procrustes import blends, join_views
from lexenc.text.folding import Folding


class Origin(StrEnum):
    """How a text got its vector; in a blend, how it got the static part of its vector."""

    STATIC = "static"
    UNDERSCORES = "static, with underscores"
    AVERAGE = "average of parts"
    ENCODER = "encoder"
    ZERO = "zero vector"
    MISSING = "missing"


_WITHOUT = (Origin.ZERO, Origin.MISSING)


@dataclass(frozen=True)
class TextVectors:
    """Texts with their vectors.

    Args:
        texts: The texts, including repeats.
        matrix: Zeros where a text has no vector. Shape [n, d], float32.
        origins: How each vector was obtained.
    """

    texts: list[str]
    matrix: NDArray[Any]
    origins: list[Origin]

    @classmethod
    def encoded(cls, texts: Sequence[str], matrix: NDArray[Any]) -> TextVectors:
        """Return encoded texts. A row of zeros (of a text without known subwords, for instance) is a zero vector."""
        return cls(list(texts), matrix, [Origin.ENCODER if row.any() else Origin.ZERO for row in matrix])

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Which texts have a vector to compare. Shape [n]."""
        return np.array([origin not in _WITHOUT for origin in self.origins], dtype=bool)


def count_origins(*parts: TextVectors) -> dict[Origin, int]:
    """Count the distinct texts of all parts by how they were obtained."""
    known = {pair for part in parts for pair in zip(part.texts, part.origins, strict=True)}
    return {origin: sum(own is origin for _, own in known) for origin in Origin}


@dataclass(frozen=True)
class WordTable:
    """Static vectors of one language, found by word.

    Args:
        name: Where they were read, for messages.
        index: Row of every word, folded if requested.
        matrix: The vectors; may be a memory map. Shape [n, d].
    """

    name: str
    index: dict[str, int]
    matrix: NDArray[Any]

    @classmethod
    def of(cls, vectors: Vectors, *, limit: int | None, folding: Folding, language: str | None) -> WordTable:
        """Index vectors.

        Args:
            vectors: Words by frequency.
            limit: Number of first words to use.
            folding: How words are folded. Of those that become equal, the first is used.
            language: BCP-47 code, for lower-casing.
        """
        words = vectors.words if limit is None else vectors.words[:limit]
        if not folding:
            return cls(vectors.report.source, index_of(words), vectors.matrix)
        folded, rows = first_forms(words, folding, language)
        return cls(vectors.report.source, dict(zip(folded, rows.tolist(), strict=True)), vectors.matrix)

    def look_up(self, texts: Sequence[str], *, average: bool = False) -> TextVectors:
        """Return the static vectors of texts. A phrase is also found with underscores instead of spaces.

        Args:
            texts: Words or phrases.
            average: Whether an unknown phrase gets the mean vector of its parts. Parts without a vector do not count.
        """
        matrix = np.zeros((len(texts), self.matrix.shape[1]), dtype=np.float32)
        origins = []
        for place, text in enumerate(texts):
            rows, origin = self._rows(text, average=average)
            if rows:
                matrix[place] = self.matrix[rows[0]] if len(rows) == 1 else self.matrix[rows].mean(axis=0)
                origin = origin if matrix[place].any() else Origin.ZERO
            origins.append(origin)
        return TextVectors(list(texts), matrix, origins)

    def _rows(self, text: str, *, average: bool) -> tuple[list[int], Origin]:
        if text in self.index:
            return [self.index[text]], Origin.STATIC
        joined = text.replace(" ", "_")
        if joined in self.index:
            return [self.index[joined]], Origin.UNDERSCORES
        parts = [self.index[part] for part in text.split(" ") if part in self.index] if average else []
        return parts, Origin.AVERAGE if parts else Origin.MISSING

    def chosen(self, words: Iterable[str]) -> Vectors:
        """Return the vectors of the known words among `words`, each once."""
        known = [word for word in dict.fromkeys(words) if word in self.index]
        return Vectors(known, self.matrix[[self.index[word] for word in known]], ReadReport(self.name))


@dataclass(frozen=True)
class WordTables:
    """Static vectors of the left and the right words.

    Args:
        source: Left words.
        target: Right words; the same as `source` for one language.
        shared: Whether these are two languages in a shared space.
    """

    source: WordTable
    target: WordTable
    shared: bool

    def only(self, side: str) -> WordTables:
        """Return the tables with one language for left and right words."""
        own = self.source if side == "source" else self.target
        return WordTables(own, own, self.shared)


def blended_texts(
    static: TextVectors,
    encoded: TextVectors,
    projection: NDArray[Any],
    weights: Iterable[float],
    *,
    encoder_alone: bool,
) -> Iterator[tuple[float, TextVectors]]:
    """Blend static vectors and encodings of the same texts with one weight after another (equation 1 of the paper).

    Args:
        static: Vectors of `WordTable.look_up`.
        encoded: Encodings.
        projection: Map from static vectors to encodings, shape [d1, d2].
        weights: Shares of the encoder: 0 yields the static vectors, 1 the encodings.
        encoder_alone: Whether a text without a static vector gets its encoding. With weight 0 it is missing.

    Yields:
        Each weight with its vectors. The next weight overwrites the array, so copy what you keep.
    """
    views = join_views(static.matrix, encoded.matrix, projection)
    for weight, matrix in blends(views, weights):
        origins = []
        for own, other in zip(static.origins, encoded.origins, strict=True):
            if own in _WITHOUT:
                origins.append(other if encoder_alone and weight > 0 else own)
            else:
                origins.append(own if weight < 1 else other)
        found = TextVectors(static.texts, matrix, origins)
        matrix[~found.covered] = 0
        yield weight, replace(found, matrix=matrix)
