"""Settings of sense-aware training, and the words that have several senses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices, Ragged

Scope = Literal["all", "frequent"]
Projection = Literal["paper", "word-centred"]
Start = Literal["noise", "kmeans"]
Choice = Literal["clusters", "random", "logits", "oracle"]
Decay = Literal["selected", "global"]


@dataclass(frozen=True)
class SenseSettings:
    """Settings of sense-aware training. The defaults are those of the mended choice.

    Args:
        senses: Largest number of senses of a word, S.
        scope: all: every word can have several senses. frequent: words with at least `min_count` occurrences.
        min_count: See `scope`.
        skip_top: Number of the most frequent words that have one sense.
        projection: How states and centres are compared. paper: by their projection to the principal components of all
            states. word-centred: after subtracting the running mean of their word from both, by the principal
            components of these differences, each divided by its deviation.
        width: Number of principal components, d'.
        queue: Number of states from which the components are computed, Q.
        refit_every: Steps between two computations of the components, M.
        start: Centres at the end of the warm-up. noise: the centre of the warm-up and Gaussian noise. kmeans: clusters
            of stored states of the word.
        choice: How a sense is chosen. clusters: the centre with the largest cosine; with word-centred projection the
            nearest one. random: any sense. logits: the sense with the largest score of the prediction. oracle: the
            label that comes with the prediction.
        decay: selected: only centres of senses that were chosen in the step move. global: every other centre shrinks
            by the factor 1 - `rate`, as in the authors' program.
        rate: Share of a step in the centre of a sense, alpha.
        sigma: Standard deviation of random centres.
        warmup: Share of the steps in which every word has one sense. 1 never splits them.
        reset: Random vectors and centres at the end of the warm-up, instead of copies of those of the warm-up.
        prune_every: Steps between two prunings, E. 0 for none.
        prune_below: Share of a word's occurrences below which a sense is pruned, beta.
        prune_from: Share of the steps before which nothing is pruned.
        prune_least: Occurrences of a word since its last check without which it is not pruned.
        seed: Seed of all random choices.

    Source: Liu et al. 2022, section 3.1, algorithms 1 and 2, appendix C.
    """

    senses: int = 3
    scope: Scope = "frequent"
    min_count: int = 200
    skip_top: int = 60
    projection: Projection = "word-centred"
    width: int = 16
    queue: int = 10_000
    refit_every: int = 100
    start: Start = "kmeans"
    choice: Choice = "clusters"
    decay: Decay = "selected"
    rate: float = 0.05
    sigma: float = 1.0
    warmup: float = 0.3
    reset: bool = False
    prune_every: int = 500
    prune_below: float = 0.02
    prune_from: float = 0.6
    prune_least: int = 100
    seed: int = 0


@dataclass(frozen=True)
class SensePlan:
    """Senses of a model before it is trained.

    Args:
        counts: Number of senses of each word. Shape [v].
        settings: The settings.
        translations: Words that each word can be translated to. None without a dictionary. v rows.
    """

    counts: Indices
    settings: SenseSettings
    translations: Ragged | None = None


def sense_counts(counts: Indices, regular: NDArray[np.bool_], settings: SenseSettings) -> Indices:
    """Return the number of senses of every word.

    Args:
        counts: Occurrences of each word in the training text. Shape [v].
        regular: Which words can have several senses: neither special ones nor punctuation. Shape [v].
        settings: The settings.

    Returns:
        Shape [v], 1 or `settings.senses`.
    """
    least = settings.min_count if settings.scope == "frequent" else 1
    several = regular & (counts >= max(1, least))
    ranked = np.argsort(np.where(regular, -counts, 1), kind="stable")
    several[ranked[: settings.skip_top]] = False
    return np.where(several, max(1, settings.senses), 1)


def looks_like_word(words: Sequence[str]) -> NDArray[np.bool_]:
    """Return which words of a vocabulary have a letter and are no continuation of another one ("##s"). Shape [v]."""
    return np.array([any(map(str.isalpha, word)) and not word.startswith("##") for word in words], dtype=bool)
