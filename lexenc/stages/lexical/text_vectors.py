"""Words and phrases -> vectors: looked up, encoded or blended, with word of how each was obtained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lexenc.stage import Job
from lexenc.stages.lexical.shared import learn_projection
from lexenc.stages.reading import CasePolicy, encode_words, tell_findings

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder
    from lexenc.files.dictionaries import Pairs
    from lexenc.files.vectors import Vectors


class Origin(StrEnum):
    """How a text got its vector; in a blend, how it got the static part of it."""

    STATIC = "static"
    UNDERSCORES = "static, with underscores"
    AVERAGE = "average of parts"
    ENCODER = "encoder"
    ZERO = "zero vector"
    MISSING = "missing"


@dataclass(frozen=True)
class TextVectors:
    """Texts with their vectors.

    Args:
        texts: As asked, repeats included.
        matrix: Zeros where a text has no vector. Shape [n, d], float32.
        origins: How each was obtained.
    """

    texts: list[str]
    matrix: np.ndarray
    origins: list[Origin]

    @property
    def covered(self) -> np.ndarray:
        """Which texts have a vector to compare. Shape [n], bool."""
        import numpy as np

        return np.array([origin not in _WITHOUT for origin in self.origins], dtype=bool)


def count_origins(*parts: TextVectors) -> dict[Origin, int]:
    """Count distinct texts of all parts by how they were obtained."""
    known = {pair for part in parts for pair in zip(part.texts, part.origins, strict=True)}
    return {origin: sum(own is origin for _, own in known) for origin in Origin}


_WITHOUT = (Origin.ZERO, Origin.MISSING)


@dataclass(frozen=True)
class WordTable:
    """One language with static vectors, ready to be asked.

    Args:
        name: Where it was read, for messages.
        index: Row of every word, folded where case is.
        matrix: The vectors; may lie on disk. Shape [n, d].
    """

    name: str
    index: dict[str, int]
    matrix: np.ndarray

    @classmethod
    def of(cls, vectors: Vectors, *, limit: int | None, lowercase: bool, language: str | None) -> WordTable:
        """Index vectors.

        Args:
            vectors: Words by frequency.
            limit: Use the first words only.
            lowercase: Fold case; of forms that become equal the first is used.
            language: BCP-47 code, for folding.
        """
        from lexenc.files.spaces import first_forms
        from lexenc.files.vectors import index_of

        words = vectors.words if limit is None else vectors.words[:limit]
        if not lowercase:
            return cls(vectors.report.source, index_of(words), vectors.matrix)
        folded, rows = first_forms(words, language)
        return cls(vectors.report.source, dict(zip(folded, rows.tolist(), strict=True)), vectors.matrix)

    def look_up(self, texts: Sequence[str], *, average: bool = False) -> TextVectors:
        """Give the static vectors of texts: of the text itself, else of the text with underscores for spaces.

        Args:
            texts: Words or phrases.
            average: Give a phrase that is not there the mean of its parts' vectors; parts without one do not count.
        """
        import numpy as np

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
        """Give the vectors of those words that are there, each once."""
        from lexenc.files.vectors import ReadReport, Vectors

        known = [word for word in dict.fromkeys(words) if word in self.index]
        return Vectors(known, self.matrix[[self.index[word] for word in known]], ReadReport(self.name))


@dataclass(frozen=True)
class Sides:
    """Static vectors of the left and the right words.

    Args:
        source: Left words.
        target: Right words; for one language the same words.
        shared: Whether these are two languages in one space, and not one language.
    """

    source: WordTable
    target: WordTable
    shared: bool

    def only(self, side: str) -> Sides:
        """Give one language for left and right words alike."""
        own = self.source if side == "source" else self.target
        return Sides(own, own, self.shared)


def open_words(path: Path, policy: CasePolicy, job: Job, *, limit: int | None = None) -> Sides:
    """Open a shared space (a folder with source/ and target/), or vectors of one language in any form.

    Args:
        path: Folder or file.
        policy: Case and languages.
        job: Progress, remarks.
        limit: Use the first words of each vocabulary only.

    Raises:
        DataError: If it holds no vectors.
    """
    from lexenc.files.spaces import SIDES, load_space
    from lexenc.files.vectors import read_vectors

    def table(vectors: Vectors, language: str | None) -> WordTable:
        return WordTable.of(vectors, limit=limit, lowercase=policy.lowercase, language=language)

    if any((path / side / "words.txt").is_file() for side in SIDES):
        space = load_space(path, mmap=True)
        for vectors in (space.source, space.target):
            tell_findings(vectors, job)
        return Sides(table(space.source, policy.source_language), table(space.target, policy.target_language), True)
    vectors = read_vectors(path, limit=limit, progress=job.progress)
    tell_findings(vectors, job)
    first = table(vectors, policy.source_language)
    same = not policy.lowercase or policy.source_language == policy.target_language
    return Sides(first, first if same else table(vectors, policy.target_language), False)


# ---------------------------------------------------------------- encoders


def encoded_texts(texts: Sequence[str], encoder: Encoder, job: Job) -> TextVectors:
    """Encode texts. One that the encoder gives zeros for (of no known subword, say) counts as a zero vector."""
    matrix = encode_words(encoder, texts, job)
    origins = [Origin.ENCODER if row.any() else Origin.ZERO for row in matrix]
    return TextVectors(list(texts), matrix, origins)


def projection_between(sides: Sides, encoder: Encoder, train: Pairs, job: Job, *, lowercase: bool) -> np.ndarray:
    """Learn the matrix from a shared space to an encoder's, encoding only the words of the dictionary.

    Args:
        sides: Both languages.
        encoder: The encoder.
        train: Training pairs, folded where the words of `sides` are.
        job: Progress, remarks.
        lowercase: Whether case is folded already, for a hint.

    Returns:
        W of `lexenc.stages.lexical.shared.learn_projection`. Shape [d1, d2], float64.
    """
    from lexenc.files.spaces import Space

    # All that a slip could have meant stays to be found: the other column, another case. None of it is encoded.
    wanted = [*train.sources, *train.targets]
    wanted += [] if lowercase else [word.lower() for word in wanted]
    left, right = sides.source.chosen(wanted), sides.target.chosen(wanted)
    encoded = (
        _encoded_only(left.words, set(train.sources), encoder, job),
        _encoded_only(right.words, set(train.targets), encoder, job),
    )
    return learn_projection(Space(left, right), encoded, train, job, lowercase=lowercase)


def _encoded_only(words: Sequence[str], wanted: set[str], encoder: Encoder, job: Job) -> np.ndarray:
    import numpy as np

    rows = [row for row, word in enumerate(words) if word in wanted]
    table = np.zeros((len(words), encoder.dimensions), dtype=np.float32)
    table[rows] = encode_words(encoder, [words[row] for row in rows], job)
    return table


def blended_texts(
    static: TextVectors,
    encoded: TextVectors,
    projection: np.ndarray,
    weights: Iterable[float],
    *,
    encoder_alone: bool,
) -> Iterator[tuple[float, TextVectors]]:
    """Blend static vectors and encodings of the same texts with one weight after another (equation 1 of the paper).

    Args:
        static: Of `WordTable.look_up`.
        encoded: Of `encoded_texts`.
        projection: Of `projection_between`.
        weights: Shares of the encoder: 0 gives the static vectors, 1 the encodings.
        encoder_alone: Whether a text without a static vector is represented by the encoder alone. At weight 0 nothing
            of the encoder is left, and such a text is missing.

    Returns:
        Every weight with its vectors. The array is used again for the next weight: copy what is to stay.
    """
    from lexenc.lexical.procrustes import blends, join_views

    views = join_views(static.matrix, encoded.matrix, projection)
    for weight, matrix in blends(views, weights):
        origins = [
            _blended_origin(own, other, weight, encoder_alone)
            for own, other in zip(static.origins, encoded.origins, strict=True)
        ]
        found = TextVectors(static.texts, matrix, origins)
        matrix[~found.covered] = 0
        yield weight, replace(found, matrix=matrix)


def _blended_origin(static: Origin, encoded: Origin, weight: float, encoder_alone: bool) -> Origin:
    if static not in _WITHOUT:
        return static if weight < 1 else encoded
    return encoded if encoder_alone and weight > 0 else static
