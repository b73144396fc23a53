"""A control for entity linking that uses spelling alone: cosine of character 2-4-grams, weighted by TF-IDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lexenc.arrays import Doubles, Indices, Matrix

SHORTEST, LONGEST = 2, 4
NAME = f"character {SHORTEST}-{LONGEST}-gram TF-IDF"
_CELLS = 1 << 22  # scores in memory at a time


class NgramModel:
    """Names as weighted character n-grams.

    Args:
        names: Distinct names, lower-cased if case does not count. The weights are computed from them.

    Memory: sparse, about 100 n-grams of 12 bytes per name.
    Source: Salton and Buckley 1988; smoothed inverse document frequency and unit rows as scikit-learn computes them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._model: Any = TfidfVectorizer(analyzer="char", ngram_range=(SHORTEST, LONGEST), lowercase=False)
        try:
            weighted = self._model.fit_transform(names)
        except ValueError:  # no name has two characters
            self._model, weighted = None, None
        # The product needs the rows of the transposed matrix, converted once instead of for every block.
        self._names = None if weighted is None else weighted.T.tocsr()
        self.count = len(names)

    def similarity(self, mentions: Sequence[str]) -> NgramSimilarity:
        """Compare mentions with the names."""
        return NgramSimilarity(None if self._model is None else self._model.transform(mentions), self, len(mentions))

    def scores(self, mentions: Any, rows: Indices) -> Doubles:
        """Compute the cosine of some mentions with all names. Shape [rows, names], float64."""
        if self._names is None:
            return np.zeros((len(rows), self.count))
        scores: Doubles = (mentions[rows] @ self._names).toarray()
        return scores


class NgramSimilarity:
    """Cosines of mentions and names; of equal ones, the lower number comes first.

    Args:
        mentions: Weighted n-grams, sparse.
        model: The names.
        queries: Number of mentions.
    """

    def __init__(self, mentions: Any, model: NgramModel, queries: int) -> None:
        self._mentions, self._model = mentions, model
        self.queries = queries
        self.block = max(1, _CELLS // model.count)

    def best(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Compute all scores and keep the best."""
        names = np.empty((len(rows), width), dtype=np.int64)
        scores = np.empty((len(rows), width))
        for place, own in enumerate(self.everything(rows)[0]):
            names[place] = _first(own, width)
            scores[place] = own[names[place]]
        return names, scores

    def everything(self, rows: Indices) -> tuple[Matrix, Doubles]:
        """Compute all scores."""
        return self._model.scores(self._mentions, rows), np.zeros(len(rows))

    def exact(self, row: int, names: Indices) -> Doubles:
        """Return the scores of some names."""
        scores: Doubles = self._model.scores(self._mentions, np.array([row]))[0][names]
        return scores


def _first(scores: Doubles, width: int) -> Indices:
    """Return the positions of the `width` highest scores in order; of equal scores, the first ones."""
    bar = np.partition(scores, len(scores) - width)[len(scores) - width]
    above = np.flatnonzero(scores > bar)
    above = above[np.argsort(-scores[above], kind="stable")]
    first: Indices = np.r_[above, np.flatnonzero(scores == bar)[: width - len(above)]]
    return first
