"""Clusters of vectors against labels: k-means, purity and V-measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lexenc.arrays import Doubles, Indices
from lexenc.evaluation.alignment import drawn_counts
from lexenc.evaluation.bootstrap import LEVEL, Columns, Drawn, Measure, ends
from lexenc.files.evaluations import Item, Score
from lexenc.progress import SILENT, Progress

RANDOM = "random clusters"
_STARTS = 10
_SHUFFLES = 200


def k_means(vectors: Doubles, k: int, seeds: Sequence[int], *, progress: Progress = SILENT) -> Indices:
    """Cluster vectors with k-means++, the best of ten starts, once for every seed.

    Args:
        vectors: Rows, of length 1 for cosines. Shape [n, d].
        k: Number of clusters, at most the number of different rows.
        seeds: Seeds below 2^32.
        progress: Progress bar to update.

    Returns:
        The cluster of every row. Shape [s, n].
    """
    from sklearn.cluster import KMeans

    found = np.empty((len(seeds), len(vectors)), dtype=np.int64)
    with progress.task("Clustering", len(seeds), "seeds") as task:
        for row, seed in zip(found, seeds, strict=True):
            row[:] = KMeans(k, n_init=_STARTS, random_state=seed).fit_predict(vectors)
            task.advance(1)
    return found


class Clusterings(Measure):
    """Micro purity, macro purity and V-measure, each the mean over several clusterings of the same items.

    Micro purity is the share of items with the most frequent label of their cluster. Macro purity is the mean of this
    share over clusters that are not empty (mSimCSE, Table 4: "mean accuracy of each cluster"). V-measure is the
    harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007). Columns: numbers of the labels, then
    of the clusters under each seed. In resampled items a cluster keeps the label that is its most frequent one.
    """

    def values(self, columns: Columns) -> dict[str, float]:
        """Return the means over the clusterings; nan without items."""
        return {name: float(own.mean()) for name, own in self.by_seed(columns).items()}

    def by_seed(self, columns: Columns) -> dict[str, Doubles]:
        """Return every metric of every clustering. Shape [s] each."""
        table = LabelTable(columns)
        return dict(zip(self.metrics, (own[0] for own in table.scores(table.cells.sum(axis=0)[None])), strict=True))

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the means over the clusterings on resampled items."""
        tables = [LabelTable(columns) for columns in systems]
        sums = drawn_counts(np.concatenate([each.cells for each in tables], axis=1), generator=generator, draws=draws)
        parts = np.split(sums, np.cumsum([each.cells.shape[1] for each in tables])[:-1], axis=1)
        found = []
        for columns, table, part in zip(systems, tables, parts, strict=True):
            micro, macro, v_measure = (own.mean(axis=1) for own in table.scores(part))
            whole = self.values(columns)[self.metrics[2]]
            found.append(dict(zip(self.metrics, (micro, macro, centred(v_measure, whole)), strict=True)))
        return found


class LabelTable:
    """How often each label is in each cluster of each clustering.

    Args:
        columns: Those of `Clusterings`.
    """

    def __init__(self, columns: Columns) -> None:
        gold, clusters = columns[0].astype(np.int64), columns[1:].astype(np.int64)
        labels, k = (int(own.max(initial=0)) + 1 for own in (gold, clusters))
        self.shape = len(clusters), k, labels
        cells = clusters * labels + gold
        ones = np.zeros((len(gold), len(clusters), k * labels))
        ones[np.arange(len(gold))[:, None], np.arange(len(clusters)), cells.T] = 1
        self.cells: Doubles = ones.reshape(len(gold), -1)
        self._major = self.cells.sum(axis=0).reshape(self.shape).argmax(axis=-1)[None, :, :, None]

    def scores(self, sums: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Return both purities and V-measure of some sums of `cells`. Shape [b, s k l] to [b, s] each."""
        table = sums.reshape(-1, *self.shape)
        right, sizes = np.take_along_axis(table, self._major, axis=-1)[..., 0], table.sum(axis=-1)
        total = sizes.sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            macro = np.nansum(right / sizes, axis=-1) / (sizes > 0).sum(axis=-1)
            joint, one, other = (
                _entropy(own / total[..., None])
                for own in (table.reshape(*table.shape[:2], -1), table.sum(axis=2), sizes)
            )
            both = one + other
            # Homogeneity and completeness are the mutual information over each entropy; one cluster of one label is 1.
            v_measure = np.where(both > 0, 2 * (both - joint) / both, np.where(total > 0, 1.0, np.nan))
            return right.sum(axis=-1) / total, macro, v_measure


def centred(drawn: Doubles, whole: float) -> Doubles:
    """Move the V-measures of resampled items so that their mean is the one of all items.

    Repeated items share label and cluster, which makes V-measure larger in nearly every draw: by 3 points of 100 for
    200 documents of 7 topics.
    """
    moved: Doubles = drawn + (whole - drawn.mean())
    return moved


def _entropy(shares: Doubles) -> Doubles:
    found: Doubles = -np.sum(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares)), axis=-1)
    return found


def cluster_columns(items: Sequence[Item], every: bool) -> Columns:
    """Return the columns of `Clusterings`."""
    return np.array([[item.numbers["gold"], *item.numbers["clusters"]] for item in items], dtype=np.float64).T


def random_purity(columns: Columns, *, generator: np.random.Generator, level: float = LEVEL) -> Score:
    """Return micro purity of random clusters of the same sizes: its mean and spread over 200 orders of the items."""
    count = columns.shape[1]
    if not count:
        return Score("purity", None)
    measure, drawn = Clusterings(("purity", "macro_purity", "v_measure")), []
    for _ in range(_SHUFFLES):
        mixed = np.concatenate([columns[:1], generator.permuted(columns[1:], axis=1)])
        drawn.append(measure.values(mixed)["purity"])
    return Score("purity", float(np.mean(drawn)), *ends(np.array(drawn), level), count)
