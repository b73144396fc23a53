"""Entity linking: the best names of a knowledge base for every mention, and its best concepts.

A knowledge base has distinct names. A name occurs in one or more lines, and a line has one or more concepts (several
if its authors could not decide). Names are ranked by similarity, and lines have the similarity of their name.

There are two rankings. SapBERT ranks lines, so that synonyms of one concept can fill all places. The ranking by concept
skips a line if all of its concepts were answered before. It needs an unknown number of names, so mentions without
enough of them are searched again, finally among all names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from lexenc.arrays import Doubles, Indices, Matrix, Ragged, blocks, ranges, starts_of
from lexenc.progress import SILENT, Progress
from lexenc.search.approximate import ApproximateIndex
from lexenc.search.neighbours import GPU_QUERY_BLOCK, QUERY_BLOCK, Engine

_CELLS = 1 << 24  # scores of mentions with all names in memory at a time
_PART = 4096  # names whose exact scores are computed at a time


@dataclass(frozen=True)
class Catalogue:
    """The names of a knowledge base, the lines of every name, and the concepts of every line.

    Args:
        line_offsets: Where the lines of each name begin; the lines of a name are adjacent. Shape [names + 1].
        concepts: Concepts of every line; each occurs in at least one line.
        count: Number of concepts.
    """

    line_offsets: Indices
    concepts: Ragged
    count: int

    @property
    def names(self) -> int:
        """Number of names."""
        return len(self.line_offsets) - 1

    @cached_property
    def name_of_line(self) -> Indices:
        """Name of every line. Shape [lines]."""
        return np.repeat(np.arange(self.names, dtype=np.int64), np.diff(self.line_offsets))

    @cached_property
    def by_concept(self) -> Ragged:
        """Lines of every concept, ascending."""
        order = np.argsort(self.concepts.values, kind="stable")
        counts = np.bincount(self.concepts.values, minlength=self.count)
        return Ragged(starts_of(counts), self.concepts.rows[order])


@dataclass(frozen=True)
class Rankings:
    """The best lines of every mention in both rankings, best first; -1 if there are fewer.

    Args:
        lines: Ranking of all lines (SapBERT). Shape [q, k].
        line_scores: Their similarities, -inf where there is no line. Shape [q, k], float64.
        answers: Ranking of the lines with a concept not answered before. Shape [q, k].
        answer_scores: As `line_scores`.
    """

    lines: Indices
    line_scores: Doubles
    answers: Indices
    answer_scores: Doubles

    def take(self, rows: Indices) -> Rankings:
        """Return the rankings of the mentions `rows`, in that order."""
        return Rankings(self.lines[rows], self.line_scores[rows], self.answers[rows], self.answer_scores[rows])


class MentionSimilarity(Protocol):
    """Similarities of mentions and names."""

    @property
    def queries(self) -> int:
        """Number of mentions."""

    @property
    def block(self) -> int:
        """Number of mentions to look up at a time."""

    def best(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Return the best names of some mentions with exact scores, ties by number; -1 if there are fewer."""

    def everything(self, rows: Indices) -> tuple[Matrix, Doubles]:
        """Return scores with all names, shape [rows, names], and the maximum error of each row."""

    def exact(self, row: int, names: Indices) -> Doubles:
        """Return exact scores of one mention with some names."""


def link_mentions(
    similarity: MentionSimilarity, catalogue: Catalogue, *, k: int, progress: Progress = SILENT
) -> Rankings:
    """Rank lines and concepts for every mention.

    Args:
        similarity: Mentions and names.
        catalogue: Lines and concepts of the names.
        k: Places in either ranking.
        progress: Progress bar to update.

    Returns:
        Exact rankings if `similarity.best` is exact. Of equal scores, the first name in the catalogue comes first, then
        the first line.

    Memory: one block of mentions with a few names each, and 2^24 scores for those that are searched among all names.
    Source: Liu et al. 2021 (SapBERT), section 3, for the ranking of names.
    """
    shape = (similarity.queries, k)
    lines, answers = (np.full(shape, -1, dtype=np.int64) for _ in range(2))
    found = Rankings(lines, np.full(shape, -np.inf), answers, np.full(shape, -np.inf))
    with progress.task("Linking", similarity.queries, "mentions") as task:
        for start in range(0, similarity.queries, similarity.block):
            rows = np.arange(start, min(start + similarity.block, similarity.queries), dtype=np.int64)
            _link_block(similarity, catalogue, rows, found)
            task.advance(len(rows))
    return found


def recall(found: Rankings, wanted: Rankings) -> float:
    """Return the share of the lines of an exact ranking that another ranking has as well; 1.0 if there are none."""
    shared = sum(len(np.intersect1d(one[one >= 0], other[other >= 0]))
                 for one, other in zip(found.lines, wanted.lines, strict=True))  # fmt: skip
    total = int((wanted.lines >= 0).sum())
    return shared / total if total else 1.0


def _link_block(similarity: MentionSimilarity, catalogue: Catalogue, rows: Indices, found: Rankings) -> None:
    k = found.lines.shape[1]
    first = min(2 * k + 8, catalogue.names)
    pending = rows
    for width in (first, min(8 * first, catalogue.names)):
        names, scores = similarity.best(pending, width)
        # Every name stands for its lines.
        owners, _ = np.nonzero(names >= 0)
        flat, values = names[names >= 0], scores[names >= 0]
        lines, source = _ranges(catalogue.line_offsets[flat], catalogue.line_offsets[flat + 1])
        ranking = _Ranking(owners[source], lines, values[source])
        if width == first:
            _write(found.lines, found.line_scores, pending, ranking)
        collapsed = _first_of_concepts(catalogue, ranking)
        _write(found.answers, found.answer_scores, pending, collapsed)
        counts = np.bincount(collapsed.owners, minlength=len(pending))
        seen_all = (names >= 0).sum(axis=1) == catalogue.names
        pending = pending[(counts < k) & ~seen_all]
        if not len(pending):
            return
    # What is left needs more names: the concepts are ranked by comparing every name.
    for part in blocks(len(pending), max(1, _CELLS // catalogue.names)):
        scores, errors = similarity.everything(pending[part])
        for row, own, error in zip(pending[part], scores, errors, strict=True):
            ranking = _among_all(similarity, catalogue, int(row), own, float(error), k)
            _write(found.answers, found.answer_scores, np.array([row]), ranking)


@dataclass(frozen=True)
class _Ranking:
    """Lines of several mentions, mention by mention, best first.

    Args:
        owners: Position of the mention, ascending. Shape [m].
        lines: Line. Shape [m].
        scores: Score of the line. Shape [m].
    """

    owners: Indices
    lines: Indices
    scores: Doubles


def _first_of_concepts(catalogue: Catalogue, ranking: _Ranking) -> _Ranking:
    """Keep the lines with a concept that no earlier line of the mention has."""
    own = catalogue.concepts.take(ranking.lines)
    source = own.rows
    keys = ranking.owners[source] * catalogue.count + own.values
    _, first = np.unique(keys, return_index=True)
    kept = np.unique(source[first])
    return _Ranking(ranking.owners[kept], ranking.lines[kept], ranking.scores[kept])


def _ranges(starts: Indices, stops: Indices) -> tuple[Indices, Indices]:
    """Return the numbers from every start to its stop, concatenated, and the range to which each belongs."""
    return ranges(starts, stops - starts), np.repeat(np.arange(len(starts), dtype=np.int64), stops - starts)


def _write(lines: Indices, scores: Doubles, rows: Indices, ranking: _Ranking) -> None:
    """Write the best lines of every mention to its row of the result."""
    starts = np.searchsorted(ranking.owners, np.arange(len(rows)))
    places = np.arange(len(ranking.owners)) - starts[ranking.owners]
    kept = places < lines.shape[1]
    cells = (rows[ranking.owners[kept]], places[kept])
    lines[cells], scores[cells] = ranking.lines[kept], ranking.scores[kept]


def _among_all(
    similarity: MentionSimilarity, catalogue: Catalogue, row: int, scores: Matrix, error: float, k: int
) -> _Ranking:
    """Rank concepts from scores with all names, each at most `error` from the exact one.

    The rough score of a concept's best line is at most twice the error below the concept's best rough score. Therefore
    the exact scores of few lines suffice, and the lines left out are below a bar that the answers must reach.
    """
    by_concept = catalogue.by_concept
    rough = scores[catalogue.name_of_line[by_concept.values]].astype(np.float64)
    best = np.maximum.reduceat(rough, by_concept.starts[:-1])
    wanted = 4 * k
    while True:
        bar = -np.inf if wanted >= len(best) else np.partition(best, len(best) - wanted)[len(best) - wanted]
        near = np.flatnonzero(best >= bar - 2 * error)
        places, source = _ranges(by_concept.starts[near], by_concept.starts[near + 1])
        lines = np.unique(by_concept.values[places[rough[places] >= best[near][source] - 2 * error]])
        exact = _exact(similarity, row, catalogue.name_of_line[lines])
        order = np.lexsort((lines, -exact))
        ranking = _Ranking(np.zeros(len(lines), dtype=np.int64), lines[order], exact[order])
        ranking = _first_of_concepts(catalogue, ranking)
        if bar == -np.inf or np.count_nonzero(ranking.scores >= bar - error) >= k:
            return ranking
        wanted *= 8


def _exact(similarity: MentionSimilarity, row: int, names: Indices) -> Doubles:
    """Compute exact scores in parts, because thousands of equal names would not fit in memory."""
    parts = [similarity.exact(row, names[part]) for part in blocks(len(names), _PART)]
    return np.concatenate(parts)


# ---------------------------------------------------------------- similarities of vectors


class VectorSimilarity:
    """Inner products of vectors, exact: the cosine where all rows have length 1.

    Args:
        mentions: Shape [q, d], any float type.
        names: Shape [n, d], any float type.
        device: `cpu`, or a PyTorch device.

    Raises:
        ConfigError: If the dimensions differ.
        DataError: If a value is not finite.
    """

    def __init__(self, mentions: Matrix, names: Matrix, *, device: str = "cpu") -> None:
        self.engine = Engine(mentions, names, device=device)
        self.queries = len(mentions)
        self.block = QUERY_BLOCK if device == "cpu" else GPU_QUERY_BLOCK

    def best(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Search among all names."""
        return self.engine.search(rows, width)

    def everything(self, rows: Indices) -> tuple[Matrix, Doubles]:
        """Compute all scores in float32."""
        scores = np.empty((len(rows), len(self.engine.targets)), dtype=np.float32)
        for start, block in self.engine.blocks(rows):
            scores[:, start : start + block.shape[1]] = block
        return scores, self.engine.error[rows]

    def exact(self, row: int, names: Indices) -> Doubles:
        """Compute in float64."""
        scores: Doubles = self.engine.exact(np.array([row]), names[None, :])[0]
        return scores


class ApproximateSimilarity(VectorSimilarity):
    """Inner products of vectors with the names that an index proposes; it may miss some.

    Scores of proposed names are exact, so scores and ties are those of the exact search. Mentions without direction,
    and those for which the index proposes too few concepts, are searched among all names.

    Args:
        exact: Mentions and names.
        index: Of the same names.
    """

    def __init__(self, exact: VectorSimilarity, index: ApproximateIndex) -> None:
        self.engine, self.queries, self.block, self._index = exact.engine, exact.queries, exact.block, index

    def best(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Keep the best of twice as many proposals of the index."""
        engine = self.engine
        names = self._index.propose(engine.queries[rows], min(2 * width, len(engine.targets)))
        scores = engine.exact(rows, names)
        order = np.lexsort((names, -scores), axis=-1)[:, :width]
        names, scores = np.take_along_axis(names, order, axis=1), np.take_along_axis(scores, order, axis=1)
        empty = np.flatnonzero(engine.query_norms[rows] == 0)
        if len(empty):
            names[empty], scores[empty] = super().best(rows[empty], width)
        return names, scores
