"""Hard negatives: target words that an encoder wrongly ranks close to a source word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lexenc.progress import SILENT, Progress
from lexenc.search.neighbours import top_k

_DEEPEST = 8192  # maximum number of candidates per anchor that filters are applied to


@dataclass(frozen=True)
class Filter:
    """Which candidates may become negatives.

    Args:
        count: Negatives per pair.
        range_min: Number of nearest candidates to skip.
        range_max: Maximum number of candidates; None for as many as necessary.
        max_score: Maximum cosine with the anchor.
        min_score: Minimum cosine with the anchor.
        absolute_margin: Minimum difference between the positive's cosine and the negative's.
        relative_margin: The negative's cosine is at most (1 - this) x the positive's.
        sampling: The nearest candidates of the range, or a random choice of them.
    """

    count: int = 10
    range_min: int = 0
    range_max: int | None = None
    max_score: float | None = None
    min_score: float | None = None
    absolute_margin: float | None = None
    relative_margin: float | None = None
    sampling: Literal["top", "random"] = "top"

    @property
    def selective(self) -> bool:
        """Whether scores can exclude candidates, so that more than `count` of them are needed."""
        return any(
            each is not None for each in (self.max_score, self.min_score, self.absolute_margin, self.relative_margin)
        )

    def first_depth(self) -> int:
        """Return the number of candidates to search first."""
        if self.sampling == "random" and self.range_max is not None:
            return self.range_max
        depth = self.range_min + self.count * (4 if self.selective else 1)
        return min(depth, self.range_max) if self.range_max is not None else depth

    def last_depth(self) -> int:
        """Return the maximum number of candidates to search if the first ones do not suffice."""
        deepest = max(_DEEPEST, self.range_min + self.count)
        return min(deepest, self.range_max) if self.range_max is not None else deepest

    def passes(self, scores: np.ndarray, positive: float) -> np.ndarray:
        """Return which candidates pass the filter.

        Args:
            scores: Cosine of each candidate with the anchor, best first. Shape [k].
            positive: Cosine of the positive with the anchor.

        Returns:
            Shape [k], bool.
        """
        keep: np.ndarray = np.isfinite(scores)
        keep[: self.range_min] = False
        if self.max_score is not None:
            keep &= scores <= self.max_score
        if self.min_score is not None:
            keep &= scores >= self.min_score
        if self.absolute_margin is not None:
            keep &= scores <= positive - self.absolute_margin
        if self.relative_margin is not None:
            keep &= scores <= positive * (1 - self.relative_margin)
        return keep


def forbidden_rows(
    anchors: Sequence[str],
    translations: Mapping[str, set[str]],
    vocabulary: Sequence[str],
    fold_anchor: Callable[[str], str],
    fold_word: Callable[[str], str],
) -> list[np.ndarray]:
    """Find the vocabulary rows of the anchor's translations and of the anchor itself, in any case.

    Args:
        anchors: Distinct anchors.
        translations: Case-folded translations in the whole dictionary, by case-folded anchor.
        vocabulary: Candidate words.
        fold_anchor: Folds the case of an anchor by the rules of its language.
        fold_word: Folds the case of a candidate by the rules of its language.

    Returns:
        Rows for every anchor. Ragged.
    """
    rows: dict[str, list[int]] = {}
    for row, word in enumerate(vocabulary):
        rows.setdefault(fold_word(word), []).append(row)
    forbidden = []
    for anchor in anchors:
        folded = fold_anchor(anchor)
        # The anchor folded by the rules of either language: they differ if one is Turkish.
        words = translations.get(folded, set()) | {folded, fold_word(anchor)}
        found = [row for word in words for row in rows.get(word, ())]
        forbidden.append(np.array(sorted(found), dtype=np.int64))
    return forbidden


@dataclass(frozen=True)
class Mined:
    """Negatives of every pair.

    Args:
        rows: Vocabulary rows, nearest first (in random order for a random choice). Ragged.
        scores: Their cosines with the anchor. Ragged.
    """

    rows: list[np.ndarray]
    scores: list[np.ndarray]


def mine_negatives(  # noqa: PLR0913 - two sides, their pairs and what is allowed
    anchors: np.ndarray,
    vocabulary: np.ndarray,
    pair_anchors: np.ndarray,
    positive_scores: np.ndarray,
    *,
    forbidden: Sequence[np.ndarray],
    wanted: Filter,
    generator: np.random.Generator,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Mined:
    """Choose hard negatives for every pair.

    Args:
        anchors: Unit rows of the distinct anchors. Shape [a, d].
        vocabulary: Unit rows of the candidates. Shape [v, d].
        pair_anchors: Anchor of each pair. Shape [n].
        positive_scores: Cosine of the two words of each pair. Shape [n].
        forbidden: Candidates that must not become negatives, by anchor. Ragged.
        wanted: Which candidates may become negatives.
        generator: Draws random negatives.
        device: `cpu`, or a PyTorch device for the search.
        progress: Progress bar to update.

    Returns:
        Up to `wanted.count` negatives for each pair; fewer only if the filter or the vocabulary leaves fewer.

    Source: section 2 of the paper, with the options of `mine_hard_negatives` in sentence-transformers.
    """
    chosen: dict[int, np.ndarray] = {}
    scores: dict[int, np.ndarray] = {}
    open_pairs = np.arange(len(pair_anchors))
    depth, last = wanted.first_depth(), min(wanted.last_depth(), len(vocabulary))
    while len(open_pairs):
        depth = min(depth, last)
        used, places = np.unique(pair_anchors[open_pairs], return_inverse=True)
        found = top_k(
            anchors[used],
            vocabulary,
            k=max(1, depth),
            exclude=[forbidden[i] for i in used],
            device=device,
            progress=progress,
        )
        cosines = found.scores.astype(np.float32)
        short = []
        for pair, place in zip(open_pairs.tolist(), places, strict=True):
            picks = np.flatnonzero(wanted.passes(cosines[place], float(positive_scores[pair])))
            if len(picks) < wanted.count and depth < last:
                short.append(pair)
                continue
            if wanted.sampling == "random" and len(picks) > wanted.count:
                picks = generator.choice(picks, size=wanted.count, replace=False)
            picks = picks[: wanted.count]
            chosen[pair], scores[pair] = found.indices[place][picks], cosines[place][picks]
        open_pairs, depth = np.array(short, dtype=np.int64), depth * 4
    order = range(len(pair_anchors))
    return Mined([chosen[i] for i in order], [scores[i] for i in order])
