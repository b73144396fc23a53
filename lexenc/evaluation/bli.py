"""Bilingual lexicon induction: which test words count, and what they score under every convention of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lexenc.evaluation.bootstrap import interval
from lexenc.evaluation.ranking import CUTOFFS, average_precisions, best_of, hits_at, reciprocal_ranks


@dataclass(frozen=True)
class Questions:
    """Unique source words of a test dictionary with their gold translations.

    Args:
        words: Source words in order of first appearance.
        golds: All gold translations of each.
        rows: Row of each source word in its vectors; -1 where it has none. Shape [q].
        gold_rows: Rows of the gold translations that have vectors. Ragged.
    """

    words: list[str]
    golds: list[list[str]]
    rows: np.ndarray
    gold_rows: list[np.ndarray]

    @property
    def covered(self) -> np.ndarray:
        """Which questions have a vector on both sides. Shape [q], bool."""
        answerable = np.array([len(own) > 0 for own in self.gold_rows], dtype=bool)
        covered: np.ndarray = (self.rows >= 0) & answerable
        return covered


def ask(
    translations: Mapping[str, Sequence[str]], source_index: Mapping[str, int], target_index: Mapping[str, int]
) -> Questions:
    """Turn a test dictionary into questions.

    Args:
        translations: Gold translations by source word.
        source_index: Row of every source word with a vector.
        target_index: Row of every target word with a vector.
    """
    words = list(translations)
    rows = np.array([source_index.get(word, -1) for word in words], dtype=np.int64)
    golds = [list(translations[word]) for word in words]
    gold_rows = [np.array([target_index[g] for g in own if g in target_index], dtype=np.int64) for own in golds]
    return Questions(words, golds, rows, gold_rows)


@dataclass(frozen=True)
class Scores:
    """Scores of every query under one convention. Each array has shape [q].

    Args:
        hits: By cutoff, 1.0 where a gold answer is among the first k.
        reciprocal: 1 / rank of the best gold answer.
        average: Average precision.
    """

    hits: dict[int, np.ndarray]
    reciprocal: np.ndarray
    average: np.ndarray

    def summary(self, generator: np.random.Generator) -> dict[str, Any]:
        """Give the means under plain keys, with the interval of precision at 1."""
        count = len(self.reciprocal)

        def mean(values: np.ndarray) -> float:
            return float(values.mean()) if count else 0.0

        low, high = interval(self.hits[1], generator=generator)
        table: dict[str, Any] = {"queries": count}
        for cutoff in CUTOFFS:
            table[f"precision_at_{cutoff}"] = mean(self.hits[cutoff])
        table |= {"precision_at_1_low": low, "precision_at_1_high": high} if count else {}
        table |= {"mean_reciprocal_rank": mean(self.reciprocal), "mean_average_precision": mean(self.average)}
        return table


def score(ranks: Sequence[np.ndarray], gold_counts: Sequence[int]) -> Scores:
    """Score queries from the ranks of their gold answers.

    Args:
        ranks: Ranks from 1 of the gold answers that can be found. Ragged.
        gold_counts: Number of gold answers of each query, found or not.
    """
    best = best_of(ranks)
    hits = {cutoff: hits_at(best, cutoff) for cutoff in CUTOFFS}
    return Scores(hits, reciprocal_ranks(best), average_precisions(ranks, gold_counts))


def conventions(questions: Questions, ranks: Sequence[np.ndarray]) -> dict[str, Scores]:
    """Score the same ranks as the tools of the field do.

    Args:
        questions: All of them, covered or not.
        ranks: Ranks of the gold rows of every question; empty for one that is not covered. Ragged.

    Returns:
        `source word, in vocabulary` (VecMap, MUSE), `source word, all lines` (fastText: what has no vector is wrong),
        `pair, in vocabulary` (xling-eval: every pair by the rank of its own target), `pair, all lines`.
    """
    covered = np.flatnonzero(questions.covered).tolist()
    inside = [ranks[i] for i in covered]
    every = [len(own) for own in questions.golds]
    pairs = [np.array([rank]) for own in inside for rank in own]
    lost = sum(every) - len(pairs)
    nothing = np.zeros(0, dtype=np.int64)
    return {
        "source word, in vocabulary": score(inside, [len(own) for own in inside]),
        "source word, all lines": score(list(ranks), every),
        "pair, in vocabulary": score(pairs, [1] * len(pairs)),
        "pair, all lines": score(pairs + [nothing] * lost, [1] * (len(pairs) + lost)),
    }


def control_scores(questions: Questions, target_words: Sequence[str]) -> dict[str, float]:
    """Give what no knowledge reaches on the covered questions: copying the word, and choosing at random.

    Args:
        questions: All of them.
        target_words: The search space.

    Returns:
        Precision at 1 of answering with the source word itself, and the expected value of a random answer.
    """
    covered = np.flatnonzero(questions.covered)
    if not len(covered):
        return {"identity": 0.0, "random": 0.0}
    copied = [questions.words[i] in questions.golds[i] for i in covered]
    chance = [len(questions.gold_rows[i]) / len(target_words) for i in covered]
    known = set(target_words)
    copied = [hit and questions.words[i] in known for hit, i in zip(copied, covered, strict=True)]
    return {"identity": float(np.mean(copied)), "random": float(np.mean(chance))}
