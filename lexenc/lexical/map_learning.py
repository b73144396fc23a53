"""Learning a mapping of two vocabularies: the first pairs, the vectors to compare, and the final fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from lexenc.arrays import Floats, Indices
from lexenc.errors import WorkError
from lexenc.files.text import counted
from lexenc.files.vectors import Vectors
from lexenc.lexical.confidence import CONFIDENCE_WORDS, Confidence, confidence_of
from lexenc.lexical.mapping import (
    Mapping,
    Normalisation,
    RankPolicy,
    Side,
    fit_mapping,
    fit_normalisation,
    normalise,
    space_rank,
)
from lexenc.lexical.rcsls import fit_rcsls
from lexenc.lexical.seeds import identical_pairs, numeral_pairs, similarity_pairs
from lexenc.lexical.self_learning import SelfLearningSettings
from lexenc.progress import SILENT, Progress


@dataclass(frozen=True)
class MappingSettings(SelfLearningSettings):
    """How a mapping is learned from pairs; see `fit_mapping` and `fit_rcsls`.

    Args:
        kind: A name in `lexenc.lexical.MAPPINGS`.
        normalise: Normalisation steps of both vocabularies.
        start_vocabulary: Number of most frequent words compared to find first pairs from the vectors alone.
        arithmetic: Number type of self-learning. The final fit is in float64.
    """

    kind: str = "advanced"
    normalise: tuple[str, ...] = ("unit", "center", "unit")
    whiten: bool = True
    source_reweight: float = 0.5
    target_reweight: float = 0.5
    source_dewhiten: Side | Literal["none"] = "source"
    target_dewhiten: Side | Literal["none"] = "target"
    reduce_to: int | None = None
    poor_dictionary: RankPolicy = "rotate"
    start_vocabulary: int = 4000
    rcsls_steps: int = 10
    rcsls_rate: float = 1.0
    rcsls_spectral: bool = False
    arithmetic: Literal["float32", "float64"] = "float32"


class Compared(NamedTuple):
    """The words of two languages that are compared with each other.

    Args:
        source: Normalised source vectors, the most frequent first, shape [n, d].
        target: Normalised target vectors, shape [m, d].
        rows: Source row of every dictionary pair, shape [p].
        columns: Target row of the same pair, shape [p].
        kept: Rows of these words in both vocabularies, shapes [n] and [m].
    """

    source: Any
    target: Any
    rows: Indices
    columns: Indices
    kept: tuple[Indices, Indices]


@dataclass(frozen=True)
class VocabularyPair:
    """Two vocabularies with raw vectors, and how they are normalised."""

    source: Vectors
    target: Vectors
    left: Normalisation
    right: Normalisation

    @classmethod
    def of(
        cls, source: Vectors, target: Vectors, steps: Sequence[str], target_steps: Sequence[str] | None = None
    ) -> VocabularyPair:
        """Compute the normalisation of two vocabularies; `target_steps` are `steps` unless given."""
        right = steps if target_steps is None else target_steps
        return cls(source, target, fit_normalisation(source.matrix, steps), fit_normalisation(target.matrix, right))

    def rows(self, rows: Any, columns: Any) -> tuple[Floats, Floats]:
        """Return the normalised vectors of some words of both languages."""
        return self.left.apply(self.source.matrix[rows]), self.right.apply(self.target.matrix[columns])

    def ranks(self) -> tuple[int, int]:
        """Count the independent dimensions of both normalised spaces."""
        return space_rank(self.source.matrix, steps=self.left), space_rank(self.target.matrix, steps=self.right)

    def compared(self, rows: Indices, columns: Indices, cutoff: int) -> Compared:
        """Select the `cutoff` most frequent words and the words of dictionary pairs."""
        kept = (
            np.union1d(np.arange(min(cutoff, len(self.source.words))), rows),
            np.union1d(np.arange(min(cutoff, len(self.target.words))), columns),
        )
        return Compared(*self.rows(*kept), np.searchsorted(kept[0], rows), np.searchsorted(kept[1], columns), kept)


def first_pairs(
    pair: VocabularyPair, supervision: Literal["identical", "numerals", "none"], settings: MappingSettings
) -> tuple[Indices, Indices]:
    """Return the pairs that self-learning starts from without a dictionary, as source rows and target rows.

    Args:
        pair: The vocabularies.
        supervision: `identical` strings, `numerals`, or `none`: the vectors alone.
        settings: Size of the start vocabulary, and neighbours for CSLS.

    Raises:
        WorkError: If the vocabularies have no such words in common.
    """
    if supervision == "none":
        size = settings.start_vocabulary
        left, right = pair.rows(slice(size), slice(size))
        return similarity_pairs(left, right, words=size, neighbours=settings.csls_neighbours)
    choose = identical_pairs if supervision == "identical" else numeral_pairs
    rows, columns = choose(pair.source.words, pair.target.words)
    if not len(rows):
        raise WorkError(
            f"The vocabularies have no {FIRST_PAIRS[supervision]} in common.",
            hint="Start from a small dictionary: --supervision semi --dictionary pairs.tsv",
        )
    return rows, columns


FIRST_PAIRS = {"identical": "words written alike", "numerals": "numbers"}


class Fit(Protocol):
    """A kind of mapping, as `lexenc.lexical.MAPPINGS` holds it."""

    def __call__(
        self,
        pair: VocabularyPair,
        rows: Indices,
        columns: Indices,
        settings: MappingSettings,
        *,
        device: Callable[[], str],
        progress: Progress,
    ) -> tuple[Mapping, str]:
        """Fit a mapping to dictionary pairs, and return it with a remark for the user, which may be empty.

        Args:
            pair: The vocabularies.
            rows: Source rows of the pairs, shape [p].
            columns: Target rows of the pairs, shape [p].
            settings: Kind of mapping and its settings.
            device: Returns `cpu` or a PyTorch device. Called only by kinds that use one.
            progress: Progress bar to update.
        """


def fit_linear(
    pair: VocabularyPair, rows: Indices, columns: Indices, settings: MappingSettings, **unused: Any
) -> tuple[Mapping, str]:
    """Fit an advanced, orthogonal or unconstrained mapping, as `Fit`."""
    mapping = fit_mapping(
        *pair.rows(rows, columns),
        kind=settings.kind,  # type: ignore[arg-type]
        whiten=settings.whiten,
        source_reweight=settings.source_reweight,
        target_reweight=settings.target_reweight,
        source_dewhiten=None if settings.source_dewhiten == "none" else settings.source_dewhiten,
        target_dewhiten=None if settings.target_dewhiten == "none" else settings.target_dewhiten,
        reduce_to=settings.reduce_to,
        rank_policy=settings.poor_dictionary,
        ranks=pair.ranks,
    )
    return mapping, ""


def fit_for_csls(
    pair: VocabularyPair,
    rows: Indices,
    columns: Indices,
    settings: MappingSettings,
    *,
    device: Callable[[], str],
    progress: Progress = SILENT,
) -> tuple[Mapping, str]:
    """Start from the rotation and improve it for CSLS among the most frequent words, as `Fit`."""
    words = pair.compared(rows, columns, settings.vocabulary_cutoff)
    source, target = (normalise(each, ["unit"], out=each)[0] for each in (words.source, words.target))
    start = fit_mapping(source[words.rows], target[words.columns], kind="orthogonal", ranks=pair.ranks)
    found = fit_rcsls(
        source,
        target,
        words.rows,
        words.columns,
        start.source,
        neighbours=settings.csls_neighbours,
        iterations=settings.rcsls_steps,
        rate=settings.rcsls_rate,
        spectral=settings.rcsls_spectral,
        device=device(),
        progress=progress,
    )
    first, last = round(found.losses[0], 5), round(found.losses[-1], 5)
    remark = f"RCSLS: loss {first:g} -> {last:g} in {counted(len(found.losses) - 1, 'step')}."
    return replace(start, kind="rcsls", source=found.matrix, singular_values=np.zeros(0)), remark


def judge(
    pair: VocabularyPair,
    rows: Indices,
    columns: Indices,
    settings: MappingSettings,
    *,
    spelling: bool,
    generator: np.random.Generator,
    device: str = "cpu",
) -> Confidence:
    """Measure how far the pairs that self-learning found support each other, among the most frequent words.

    Args:
        pair: The vocabularies.
        rows: Source rows of the pairs, shape [p].
        columns: Target rows of the pairs, shape [p].
        settings: Size of the vocabulary.
        spelling: Whether words written alike are evidence, i.e. self-learning did not start from them.
        generator: As in `confidence_of`.
        device: `cpu`, or a PyTorch device.
    """
    size = min(settings.vocabulary_cutoff, CONFIDENCE_WORDS)
    inside = (rows < size) & (columns < size)
    left, right = pair.rows(slice(size), slice(size))
    return confidence_of(
        left,
        right,
        rows[inside],
        columns[inside],
        generator=generator,
        alike=identical_pairs(pair.source.words[:size], pair.target.words[:size]) if spelling else None,
        device=device,
    )
