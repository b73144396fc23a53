"""Inducing a lexicon: the translation candidates of every word, their features, and filters on them.

Scores are full CSLS, 2 cos(x, z) - r(x) - r(z), so that they can be compared between words. The features use both
directions: how far a candidate is ahead of the word's other candidates, and whether the word is the best one for the
candidate as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Doubles, Indices, Matrix
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress
from lexenc.search.neighbours import top_k
from lexenc.search.retrieval import mean_similarity

Flags = NDArray[np.bool_]

# Held-out log loss, of random words and of words rarer than those learned from, is no better with the cosine, or with
# how far a candidate's best word is ahead.
FEATURES = ("csls", "margin", "mutual", "identical", "word_frequency", "pair_frequency", "relative_frequency")


@dataclass(frozen=True)
class Candidates:
    """The best candidates of some words, best first. Every array except `rows` has shape [q, k].

    Args:
        rows: Row of each word in its vocabulary. Shape [q].
        targets: Row of the candidate; -1 if there are fewer.
        csls: 2 cos - r of the word - r of the candidate, over the whole vocabularies.
        cosine: Cosine of word and candidate.
        margin: Difference to the word's best other candidate, in CSLS: negative for all but the best one.
        mutual: Whether word and candidate are each other's best.
    """

    rows: Indices
    targets: Indices
    csls: Doubles
    cosine: Doubles
    margin: Doubles
    mutual: Flags

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Concatenate candidates with the same number of ranks."""
        names = cls.__dataclass_fields__
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclass(frozen=True)
class DirectedSpace:
    """A shared space with a direction of lookup.

    Args:
        words: Words of the query language.
        choices: Words of the other language.
        queries: Vectors of the words, of unit length. Shape [n, d].
        targets: Vectors of the choices, of unit length. Shape [m, d].
    """

    words: list[str]
    choices: list[str]
    queries: Matrix
    targets: Matrix


class Density(NamedTuple):
    """Density of both vocabularies: the mean cosine of every word to its nearest words of the other language.

    Args:
        source: r of the query words. Shape [n].
        target: r of the candidates. Shape [m].
    """

    source: Doubles
    target: Doubles


def measure_density(
    source: Matrix, target: Matrix, *, neighbours: int = 10, device: str = "cpu", progress: Progress = SILENT
) -> Density:
    """Compute the densities that CSLS needs, over two whole vocabularies.

    Args:
        source: Rows of unit length (or 0), shape [n, d].
        target: Rows of the other language, shape [m, d].
        neighbours: Neighbours to average over; all words if there are fewer.
        device: `cpu`, or a PyTorch device.
        progress: Progress bar to update.

    Source: Conneau et al. 2018, section 2.3.
    """
    return Density(
        mean_similarity(source, target, k=neighbours, device=device, progress=progress),
        mean_similarity(target, source, k=neighbours, device=device, progress=progress),
    )


def find_candidates(
    source: Matrix,
    target: Matrix,
    rows: Indices,
    *,
    k: int,
    density: Density,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Candidates:
    """Find the best translations of some words among the whole target vocabulary, and the best word for each of them.

    Args:
        source: Vectors of the query language, rows of unit length, shape [n, d].
        target: Vectors of the other language, shape [m, d].
        rows: Rows of the words to look up. Shape [q].
        k: Candidates per word.
        density: Result of `measure_density` for the same vectors.
        device: `cpu`, or a PyTorch device.
        progress: Progress bar to update.

    Raises:
        ConfigError: If k is below 1.

    Memory: a few blocks of scores besides the vectors.
    """
    if k < 1:
        raise ConfigError(f"The number of candidates must be at least 1, got {k}.")
    # One more than requested, so that the best one has a margin in any case.
    everything = len(rows) == len(source) and bool((rows == np.arange(len(rows))).all())
    found = top_k(
        source if everything else source[rows],
        target,
        k=k + 1,
        offsets=density.target / 2,
        device=device,
        progress=progress,
    )
    width = min(k, len(target))
    csls = 2 * found.scores - density.source[rows][:, None]
    targets = found.indices[:, :width]
    best = targets[:, 0]
    asked, place = np.unique(best, return_inverse=True)
    back = top_k(target[asked], source, k=1, offsets=density.source / 2, device=device, progress=progress)
    own = csls[:, :width]
    # A vocabulary of one word has no other candidate: its margin is 0.
    margin = own - csls[:, :1]
    margin[:, 0] = csls[:, 0] - csls[:, min(1, csls.shape[1] - 1)]
    return Candidates(
        rows=rows,
        targets=targets,
        csls=own,
        cosine=(own + density.source[rows][:, None] + density.target[targets]) / 2,
        margin=margin,
        mutual=(back.indices[place, 0] == rows)[:, None] & (np.arange(width) == 0),
    )


def score_others(
    found: Candidates, places: Indices, targets: Indices, source: Matrix, target: Matrix, *, density: Density
) -> Candidates:
    """Score translations that are not among the candidates of their words, one per row.

    Args:
        found: Candidates of the words.
        places: Place of the word of each translation in `found`. Shape [n].
        targets: Row of each translation in its vocabulary. Shape [n].
        source: Vectors of the query language, rows of unit length, shape [n, d].
        target: Vectors of the other language, shape [m, d].
        density: Result of `measure_density` for the same vectors.
    """
    rows = found.rows[places]
    cosine = np.einsum("nd,nd->n", source[rows], target[targets], dtype=np.float64)
    csls = 2 * cosine - density.source[rows] - density.target[targets]
    margin = csls - found.csls[places, 0]
    # The word has a better candidate, so that the two are not each other's best.
    mutual = np.zeros((len(rows), 1), dtype=bool)
    return Candidates(rows, targets[:, None], csls[:, None], cosine[:, None], margin[:, None], mutual)


def features(candidates: Candidates, identical: Flags) -> Doubles:
    """Return the features of every candidate, in the order of `FEATURES`; larger values speak for the candidate.

    Frequency is the rank in the vocabulary. It counts in three ways: rare words have worse vectors, so have pairs of
    which one word is rare, and a translation is seldom rarer than its word. No feature of a candidate exceeds those of
    the ones that rank before it, so that it cannot become more probable than they are.

    Args:
        candidates: Shape [q, k].
        identical: Whether word and candidate are the same string. Shape [q, k].

    Returns:
        Shape [q, k, f]. Frequencies are negative natural logarithms of ranks from 1.
    """
    word = np.broadcast_to(-np.log1p(candidates.rows)[:, None], candidates.csls.shape)
    candidate = -np.log1p(np.maximum(candidates.targets, 0))
    columns = {
        "csls": candidates.csls,
        "margin": candidates.margin,
        "mutual": candidates.mutual,
        "identical": identical,
        "word_frequency": word,
        "pair_frequency": np.minimum(word, candidate),
        "relative_frequency": np.minimum(candidate - word, 0),
    }
    stacked = np.stack([np.asarray(columns[name], dtype=np.float64) for name in FEATURES], axis=2)
    return np.minimum.accumulate(stacked, axis=1)


def same_strings(candidates: Candidates, words: Sequence[str], choices: Sequence[str]) -> Flags:
    """Return which candidates are spelled the same as their word. Shape [q, k].

    Args:
        candidates: The candidates.
        words: Vocabulary of the query words.
        choices: Vocabulary of the candidates.
    """
    known = {word: row for row, word in enumerate(choices)}
    own = np.array([known.get(words[row], -2) for row in candidates.rows], dtype=np.int64)
    same: Flags = candidates.targets == own[:, None]
    return same


def has_letter(word: str) -> bool:
    """Return whether a word contains a letter, unlike a number or a sign."""
    return any(letter.isalpha() for letter in word)


def chosen(candidates: Candidates, *, margin: float | None = None, mutual: bool = False) -> Flags:
    """Return which candidates pass all filters on scores. Shape [q, k].

    Args:
        candidates: Shape [q, k].
        margin: Minimum difference to the word's best other candidate, in CSLS; None for any.
        mutual: Whether to keep only pairs that are each other's best.
    """
    kept: Flags = candidates.targets >= 0
    if margin is not None:
        kept &= candidates.margin >= margin
    if mutual:
        kept &= candidates.mutual
    return kept
