"""Entity linking: the best names of a knowledge base for every mention, and its best concepts.

A knowledge base has distinct names; a name stands in one or more lines, and a line holds one or more concepts (several
where its makers could not decide). Names are ranked by similarity; lines inherit the similarity of their name.

Two rankings come of it. SapBERT ranks lines, so that synonyms of one concept can fill all places. Ranked by concept,
a line whose concepts have all been answered before is passed over. The second needs more names than places, nobody
knows beforehand how many; so mentions that ran out of names are searched again, at last among all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lexenc.arrays import Ragged, ranges, starts_of
from lexenc.progress import SILENT, Progress
from lexenc.search.neighbours import (
    GPU_QUERY_BLOCK,
    QUERY_BLOCK,
    Doubles,
    Engine,
    Indices,
    Matrix,
)

if TYPE_CHECKING:
    from lexenc.search.approximate import ApproximateIndex

# Scores of one group of mentions with all names, held at a time.
_CELLS = 1 << 24
# Names whose exact scores are computed at a time.
_PART = 4096


@dataclass(frozen=True)
class Catalogue:
    """Which names there are, which lines they stand in, and which concepts a line holds.

    Args:
        line_offsets: Where the lines of each name begin; lines of one name lie side by side. Shape [names + 1].
        concepts: Concepts of every line, each at least in one line.
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
    """The best lines of every mention under both rankings, best first; -1 where there are fewer.

    Args:
        lines: Every line counts (SapBERT). Shape [q, k].
        line_scores: Their similarities, -inf where there is none. Shape [q, k], float64.
        answers: Lines that bring a concept not answered before. Shape [q, k].
        answer_scores: As `line_scores`.
    """

    lines: Indices
    line_scores: Doubles
    answers: Indices
    answer_scores: Doubles

    def take(self, rows: Indices) -> Rankings:
        """Give the links of some mentions, in the order given."""
        return Rankings(self.lines[rows], self.line_scores[rows], self.answers[rows], self.answer_scores[rows])


class MentionSimilarity(Protocol):
    """How alike mentions and names are."""

    @property
    def queries(self) -> int:
        """Number of mentions."""

    @property
    def block(self) -> int:
        """Mentions looked up at a time."""

    def best(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Give the best names of some mentions with exact scores, ties by number; -1 where none is left."""

    def everything(self, rows: Indices) -> tuple[Matrix, Doubles]:
        """Give scores with all names, shape [rows, names], and how far each row's can be from the exact ones."""

    def exact(self, row: int, names: Indices) -> Doubles:
        """Give exact scores of one mention with some names."""


def link_mentions(
    similarity: MentionSimilarity, catalogue: Catalogue, *, k: int, progress: Progress = SILENT
) -> Rankings:
    """Rank lines and concepts for every mention.

    Args:
        similarity: Mentions and names.
        catalogue: What the names stand for.
        k: Places under either ranking.
        progress: Told about every finished mention.

    Returns:
        Exact rankings wherever `similarity.best` is exact. Equal scores: the name that comes first in the catalogue,
        then the line.

    Memory: one block of mentions with a few names each, and 2^24 scores for those that are searched among all names.
    Source: Liu et al. 2021 (SapBERT), section 3, for the ranking of names.
    """
    shape = (similarity.queries, k)
    (lines, line_scores), (answers, answer_scores) = _empty(shape), _empty(shape)
    found = Rankings(lines, line_scores, answers, answer_scores)
    with progress.task("Linking", similarity.queries, "mentions") as task:
        for start in range(0, similarity.queries, similarity.block):
            rows = np.arange(start, min(start + similarity.block, similarity.queries), dtype=np.int64)
            _link_block(similarity, catalogue, rows, found)
            task.advance(len(rows))
    return found


def _empty(shape: tuple[int, int]) -> tuple[Indices, Doubles]:
    return np.full(shape, -1, dtype=np.int64), np.full(shape, -np.inf)


def recall(found: Rankings, wanted: Rankings) -> float:
    """Give the share of the lines of an exact ranking that another one has too; 1.0 where there are none."""
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
        ranking = _lines_of(catalogue, names, scores)
        if width == first:
            _write(found.lines, found.line_scores, pending, ranking)
        collapsed = _first_of_concepts(catalogue, ranking)
        _write(found.answers, found.answer_scores, pending, collapsed)
        counts = np.bincount(collapsed.owners, minlength=len(pending))
        seen_all = (names >= 0).sum(axis=1) == catalogue.names
        pending = pending[(counts < k) & ~seen_all]
        if not len(pending):
            return
    _settle(similarity, catalogue, pending, found)


@dataclass(frozen=True)
class _Ranking:
    """Lines of several mentions, mention by mention, best first.

    Args:
        owners: Place of the mention, ascending. Shape [m].
        lines: The line. Shape [m].
        scores: Its score. Shape [m].
    """

    owners: Indices
    lines: Indices
    scores: Doubles


def _lines_of(catalogue: Catalogue, names: Indices, scores: Doubles) -> _Ranking:
    """Put the lines of every name in its place."""
    owners, _ = np.nonzero(names >= 0)
    flat, values = names[names >= 0], scores[names >= 0]
    lines, source = _ranges(catalogue.line_offsets[flat], catalogue.line_offsets[flat + 1])
    return _Ranking(owners[source], lines, values[source])


def _first_of_concepts(catalogue: Catalogue, ranking: _Ranking) -> _Ranking:
    """Leave the lines that bring a concept which no line before them has."""
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
    """Put the first of every mention into their rows of the result."""
    starts = np.searchsorted(ranking.owners, np.arange(len(rows)))
    places = np.arange(len(ranking.owners)) - starts[ranking.owners]
    kept = places < lines.shape[1]
    cells = (rows[ranking.owners[kept]], places[kept])
    lines[cells], scores[cells] = ranking.lines[kept], ranking.scores[kept]


# ---------------------------------------------------------------- mentions that ran out of names


def _settle(similarity: MentionSimilarity, catalogue: Catalogue, pending: Indices, found: Rankings) -> None:
    """Rank the concepts of some mentions by looking at every name."""
    step = max(1, _CELLS // catalogue.names)
    for start in range(0, len(pending), step):
        rows = pending[start : start + step]
        scores, errors = similarity.everything(rows)
        for row, own, error in zip(rows, scores, errors, strict=True):
            ranking = _among_all(similarity, catalogue, int(row), own, float(error), found.lines.shape[1])
            _write(found.answers, found.answer_scores, np.array([row]), ranking)


def _among_all(
    similarity: MentionSimilarity, catalogue: Catalogue, row: int, scores: Matrix, error: float, k: int
) -> _Ranking:
    """Rank concepts from scores with all names, each at most `error` from the exact one.

    A concept's best line has, by its rough score, at most twice the error less than the concept's best rough score.
    So the exact scores of few lines suffice; and what is left out lies below a bar that the answers must reach.
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
    """Compute exact scores, in parts, because thousands of equal names would otherwise fill the memory."""
    parts = [similarity.exact(row, names[start : start + _PART]) for start in range(0, len(names), _PART)]
    return np.concatenate(parts)


# ---------------------------------------------------------------- similarities of vectors


class VectorSimilarity:
    """Inner products of vectors, exact: the cosine where all rows have length 1.

    Args:
        mentions: Shape [q, d], any float type.
        names: Shape [n, d], any float type.
        device: `cpu`, or a device of PyTorch.

    Raises:
        ConfigError: If the dimensions differ.
        DataError: If a row holds a value that is not finite.
    """

    def __init__(self, mentions: Matrix, names: Matrix, *, device: str = "cpu") -> None:
        self.engine = Engine(mentions, names, device=device)
        self.queries = len(mentions)
        self.block = QUERY_BLOCK if device == "cpu" else GPU_QUERY_BLOCK

    def best(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Search all names."""
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


class ApproximateSimilarity:
    """The same, where an index that may miss some names proposes them.

    Proposals get their exact scores, so scores and ties are those of the exact search. Mentions without any direction,
    and those for which the index proposes too few concepts, are searched among all names.

    Args:
        exact: Mentions and names.
        index: Of the same names.
    """

    def __init__(self, exact: VectorSimilarity, index: ApproximateIndex) -> None:
        self._exact, self._index = exact, index
        self.queries, self.block = exact.queries, exact.block

    def best(self, rows: Indices, width: int) -> tuple[Indices, Doubles]:
        """Let the index propose twice as many, and keep the best."""
        engine = self._exact.engine
        names = self._index.propose(engine.queries[rows], min(2 * width, len(engine.targets)))
        scores = engine.exact(rows, names)
        order = np.lexsort((names, -scores), axis=-1)[:, :width]
        names, scores = np.take_along_axis(names, order, axis=1), np.take_along_axis(scores, order, axis=1)
        empty = np.flatnonzero(engine.query_norms[rows] == 0)
        if len(empty):
            names[empty], scores[empty] = self._exact.best(rows[empty], width)
        return names, scores

    def everything(self, rows: Indices) -> tuple[Matrix, Doubles]:
        """As the exact search does."""
        return self._exact.everything(rows)

    def exact(self, row: int, names: Indices) -> Doubles:
        """As the exact search does."""
        return self._exact.exact(row, names)
