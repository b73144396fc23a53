"""Sentence alignment of two documents by vectors of blocks of sentences, in linear time.

After Vecalign (Thompson and Koehn, EMNLP 2019, section 3). A link joins a block of n sentences and a block of m
sentences. It costs n m times the distance 1 - cosine of their vectors, divided by the mean distance to random
sentences of the other document. Long documents are halved again and again, by averaging neighbours, and aligned from
coarse to fine within a band around the path of the level above.

Three things differ from the paper. The vectors are centred first (`centred`), because they also say which language a
sentence is in, which hides the differences between sentences. The paper draws random sentences, but the mean of cosines
to unit vectors is the product with the mean of these vectors, so all sentences count here and nothing is drawn. And in
the paper a sentence without a partner costs a quantile of the costs of random pairs. Here it costs more than half a
typical link and less than a random pair, the medians of a first alignment of single sentences and of random pairs. With
good encoders, the quantile is so far above a typical link that inserted sentences are joined to their neighbours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices, blocks, starts_of
from lexenc.compiled import compiled
from lexenc.progress import SILENT, Progress, RunningTask

MOST = 16
"""Largest number of sentences of a link: both sides have to fit into a byte."""
# Documents with at most so many pairs of sentences are searched completely.
_COMPLETE = 1 << 16
# Sentences per side, spread over the document, whose pairs stand for random ones.
_SPREAD = 256
# Rows of the search between two looks at Ctrl-C.
_ROWS = 1024
_GATHERED = 4096
# Rounding error of a distance. Otherwise several equal sentences might cost less together than one by one.
_ROUNDING = 1e-5
_LEAST = 1e-6
# Sentences that the mean of a document counts as zeros.
_PRIOR = 10
# Quantile of the costs of random pairs that a sentence without a partner costs in the first alignment of a document.
_FIRST = 0.2

Link = tuple[Sequence[int], Sequence[int]]
"""Source and target sentences of a link."""


def scale_rows(vectors: Floats) -> Floats:
    """Scale vectors to length 1 in place, and return them. Zeros stay zeros. Shape [n, d]."""
    for part in blocks(len(vectors), _GATHERED):
        lengths = np.linalg.norm(vectors[part], axis=1, keepdims=True)
        vectors[part] /= np.maximum(lengths, np.finfo(np.float32).tiny)
    return vectors


def centred(vectors: Floats, rows: Indices, table: Callable[[int], Floats]) -> Floats:
    """Subtract the mean of the sentences of a document, and what is common to a language with it; scale to length 1.

    The mean of few sentences is uncertain, so n / (n + 10) of it is subtracted.

    Args:
        vectors: Vectors of the distinct blocks. Shape [b, d].
        rows: Row of every sentence. Shape [n].
        table: Makes the array for a number of vectors, e.g. a memory map.
    """
    mean = np.zeros(vectors.shape[1])
    for part in blocks(len(rows), _GATHERED):
        mean += vectors[rows[part]].sum(axis=0, dtype=np.float64) / (len(rows) + _PRIOR)
    found = table(len(vectors))
    for part in blocks(len(vectors), _GATHERED):
        found[part] = scale_rows((vectors[part] - mean).astype(np.float32))
    return found


class BlockTexts(Sequence[str]):
    """The distinct blocks of one to `sizes` consecutive sentences, each joined by a space when it is asked for.

    Args:
        sentences: The sentences of a document. Shape [n].
        sizes: Largest number of sentences of a block.

    Attributes:
        rows: Number of the block of k + 1 sentences that begins with sentence i; -1 if it passes the end. Equal texts
            have the same number. Shape [sizes, n].
    """

    def __init__(self, sentences: Sequence[str], sizes: int) -> None:
        self._sentences = sentences
        count = len(sentences)
        places = [(first, size) for first in range(count) for size in range(min(sizes, count - first))]
        hashes = (hashlib.blake2b(self._text(*each).encode("utf-8", "replace"), digest_size=16) for each in places)
        digests = np.frombuffer(b"".join(each.digest() for each in hashes), dtype=np.int64).reshape(-1, 2)
        _, first, numbers = np.unique(digests, axis=0, return_index=True, return_inverse=True)
        # Numbers in the order of the text, so that neighbours are near each other in a file.
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        table = np.array(places, dtype=np.int64).reshape(-1, 2)
        self._places = table[first[order]]
        self.rows = np.full((sizes, count), -1, dtype=np.int64)
        self.rows[table[:, 1], table[:, 0]] = rank[numbers.ravel()]

    def _text(self, first: int, size: int) -> str:
        return " ".join(self._sentences[first : first + size + 1])

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self._text(*each) for each in self._places[place].tolist()]
        return self._text(*self._places[place].tolist())


@dataclass(frozen=True)
class Blocks:
    """Vectors of the blocks of consecutive sentences of a document.

    Args:
        vectors: Vectors of length 1, or 0 for no text. Shape [b, d], float32; may be a memory map.
        rows: Row of the block of k + 1 sentences that begins with sentence i, -1 if it passes the end. Shape
            [sizes, n].
    """

    vectors: Floats
    rows: Indices

    def __len__(self) -> int:
        return int(self.rows.shape[1])

    @classmethod
    def summed(cls, sentences: Floats, sizes: int, table: Callable[[int], Floats]) -> Blocks:
        """Return blocks whose vectors are the sums of the vectors of their sentences, of length 1.

        Args:
            sentences: Vectors of length 1. Shape [n, d].
            sizes: Largest number of sentences of a block.
            table: Makes the array for a number of vectors, e.g. a memory map.
        """
        count = len(sentences)
        lengths = np.maximum(0, count - np.arange(sizes))
        starts = starts_of(lengths)
        vectors, rows = table(int(starts[-1])), np.full((sizes, count), -1, dtype=np.int64)
        for size, length in enumerate(lengths.tolist()):
            rows[size, :length] = np.arange(starts[size], starts[size + 1])
        for part in blocks(count, _GATHERED):
            sums = np.zeros((part.stop - part.start, sentences.shape[1]), dtype=np.float32)
            for size in range(sizes):
                end = max(part.start, min(part.stop, count - size))
                sums = sums[: end - part.start] + sentences[part.start + size : end + size]
                vectors[starts[size] + part.start : starts[size] + end] = scale_rows(sums.copy())
        return cls(vectors, rows)


@dataclass(frozen=True)
class SentenceLinks:
    """An ordered alignment: link t joins the source sentences from `source[t]` to before `source[t + 1]`, and so on.

    Args:
        source: Shape [l + 1].
        target: Shape [l + 1].
        scores: 1 for equal vectors, 0 for as similar as random sentences; NaN if a side is empty. Shape [l].
        chance: Score that one of a hundred random sentence pairs reaches.
        deletion: Cost of a sentence without a partner.
        cost: Sum of the costs of all links.
    """

    source: Indices
    target: Indices
    scores: Doubles
    chance: float
    deletion: float
    cost: float

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[tuple[range, range, float]]:
        """Yield the source sentences, the target sentences and the score of every link."""
        ends = (map(range, side[:-1], side[1:]) for side in (self.source.tolist(), self.target.tolist()))
        yield from zip(*ends, self.scores.tolist(), strict=True)


def align_blocks(
    source: Blocks,
    target: Blocks,
    *,
    most: int = 8,
    deletion: float = 0.33,
    band: int = 10,
    progress: Progress = SILENT,
) -> SentenceLinks:
    """Find the ordered links of least cost between two documents, which cover all sentences.

    Args:
        source: Blocks of up to `most` - 1 sentences.
        target: The same of the other document. Either may be empty.
        most: Largest number of sentences of a link, both sides together, from 2 to below `MOST`.
        deletion: Cost of a sentence without a partner: 0 is half the cost of a typical link, 1 that of a random pair.
            With a larger one, fewer sentences have no partner.
        band: Distance from the path of the level above at which partners are still looked for, in sentences or means of
            sentences. The links are exactly the best if it is not less than the sentences of the longer document.
        progress: Progress bar to update.

    Time and memory are linear in the number of sentences. The result depends on no random numbers, and exchanging the
    documents exchanges the sides of the links.
    """
    pairs, longest = [(source, target)], max(len(source), len(target))
    while len(pairs[-1][0]) * len(pairs[-1][1]) > _COMPLETE and band < longest:
        pairs.append((_halved(pairs[-1][0]), _halved(pairs[-1][1])))
    path, width = np.zeros((1, 2), dtype=np.int64), longest  # the search of the first level is complete
    with progress.task("Align", len(source) + sum(len(one) for one, _ in pairs), "sentences") as task:
        while pairs:
            one, other = pairs.pop()
            costs = _Costs.of(one, other)
            bounds = _corridor(path, len(one), len(other), width)
            path, _ = _cheapest(one, other, costs, 2, bounds, task)
            width = band
        costs = costs.with_deletion(_scores(source, target, costs, path), deletion)
        path, total = _cheapest(source, target, costs, most, bounds, task)
    scores = _scores(source, target, costs, path)
    return SentenceLinks(path[:, 0], path[:, 1], scores, 1 - costs.chance, costs.deletion, total)


def _halved(document: Blocks) -> Blocks:
    """Return the means of neighbouring sentences, two by two, as blocks of one sentence."""
    count = (len(document) + 1) // 2
    found = np.empty((count, document.vectors.shape[1]), dtype=np.float32)
    rows = document.rows[0]
    for part in blocks(count, _GATHERED):
        second = np.minimum(2 * np.arange(part.start, part.stop) + 1, len(rows) - 1)
        found[part] = scale_rows(
            document.vectors[rows[2 * part.start : 2 * part.stop : 2]] + document.vectors[rows[second]]
        )
    return Blocks(found, np.arange(count, dtype=np.int64)[None, :])


@dataclass(frozen=True)
class _Costs:
    """What the costs of two documents are made from.

    Args:
        source: Mean distance of every block of the source to random sentences of the target. Shape [b].
        target: The same of the target. Shape [c].
        random: Median cost of a random pair of sentences.
        chance: Cost that one of a hundred random pairs does not exceed.
        deletion: Cost of a sentence without a partner.
    """

    source: Doubles
    target: Doubles
    random: float = 1.0
    chance: float = 1.0
    deletion: float = 1.0

    @classmethod
    def of(cls, source: Blocks, target: Blocks) -> _Costs:
        """Compute them from the vectors, with the deletion cost for a first alignment."""
        far = _far(source, target), _far(target, source)
        if not (len(source) and len(target)):
            return cls(*far)
        rows = [each.rows[0][_spread(len(each))] for each in (source, target)]
        products = (source.vectors[rows[0]] @ target.vectors[rows[1]].T).astype(np.float64)
        random = np.sort(_cost(products, far[0][rows[0]][:, None], far[1][rows[1]][None, :]).ravel())
        # Some of these pairs are translations, about as many as the shorter document has sentences.
        random = random[min(len(random) - 1, round(len(random) / max(len(source), len(target)))) :]
        return cls(*far, *(float(np.quantile(random, share)) for share in (0.5, 0.01, _FIRST)))

    def with_deletion(self, scores: Doubles, share: float) -> _Costs:
        """Set the deletion cost by the scores of links of one sentence each. Those of wrong links do not count."""
        right = scores[scores > 1 - self.chance]
        if not len(right):
            return self
        return replace(self, deletion=(1 - share) * float(1 - np.median(right)) / 2 + share * self.random)


def _spread(count: int) -> Indices:
    return np.unique(np.linspace(0, count - 1, min(count, _SPREAD)).astype(np.int64))


def _far(document: Blocks, other: Blocks) -> Doubles:
    """Return the mean distance of every block to random sentences of another document. Shape [b].

    In a short document, the nearest sentence may be the translation and is not random. A single sentence stands for
    random ones that are orthogonal.
    """
    found = np.ones(len(document.vectors))
    sentences, mean = np.zeros((0, 0)), np.zeros(document.vectors.shape[1])
    if 1 < len(other) <= _SPREAD:
        sentences = other.vectors[other.rows[0]]
    for part in blocks(len(other), _GATHERED):
        mean += other.vectors[other.rows[0, part]].sum(axis=0, dtype=np.float64) / len(other)
    for part in blocks(len(document.vectors) if len(other) > 1 else 0, _GATHERED):
        found[part] -= document.vectors[part] @ mean
        if len(sentences):
            nearest = 1 - (document.vectors[part] @ sentences.T).max(axis=1)
            found[part] = (len(other) * found[part] - nearest) / (len(other) - 1)
    return found


def _cost(products: Doubles, source: Doubles, target: Doubles) -> Doubles:
    """Return the costs of links of one sentence each: about 1 for random ones."""
    found: Doubles = 2 * np.maximum(0, 1 - products - _ROUNDING) / np.maximum(source + target, _LEAST)
    return found


def _corridor(path: Indices, source: int, target: int, band: int) -> tuple[Indices, Indices]:
    """Return the first and the last number of target sentences that are searched, by number of source sentences.

    Args:
        path: Points of the path of the level above. Shape [p, 2].
        source: Number of source sentences n.
        target: Number of target sentences m.
        band: Points farther than that from all points of the path are not searched. At least 1.

    Returns:
        Two arrays of shape [n + 1].
    """
    rows = np.arange(source + 1, dtype=np.int64)
    points = np.minimum(2 * path, [source, target])
    first = np.searchsorted(points[:, 0], rows - band, side="left")
    last = np.searchsorted(points[:, 0], rows + band, side="right") - 1
    return np.maximum(points[first, 1] - band, 0), np.minimum(points[last, 1] + band, target)


def _cheapest(
    source: Blocks, target: Blocks, costs: _Costs, most: int, bounds: tuple[Indices, Indices], task: RunningTask
) -> tuple[Indices, float]:
    """Return the points of the cheapest path from (0, 0) to (n, m), shape [p, 2], and its cost."""
    low, high = bounds
    starts = starts_of(high - low + 1)
    sums = np.full(starts[-1], np.inf)
    moves = np.zeros(starts[-1], dtype=np.uint8)
    # Plain arrays, since a memory map would be another type to compile for.
    left = np.asarray(source.vectors), source.rows, costs.source
    right = np.asarray(target.vectors), target.rows, costs.target
    for part in blocks(len(low), _ROWS):
        _search((low, high, starts, sums, moves), left, right, most, costs.deletion, part.start, part.stop)
        task.advance(min(part.stop, len(source)) - part.start)
    i, j = len(source), len(target)
    points = [(i, j)]
    while i or j:
        one, other = divmod(int(moves[starts[i] + j - low[i]]), MOST)
        i, j = i - one, j - other
        points.append((i, j))
    return np.array(points[::-1], dtype=np.int64), float(sums[-1])


@compiled
def _search(  # noqa: C901 - one loop, for the speed of it
    table: Any, source: Any, target: Any, most: int, deletion: float, begin: int, end: int
) -> None:
    """Fill rows of the table: least cost of aligning the first i and the first j sentences, and its last link.

    Of equal costs, a link wins over a sentence without a partner, and a smaller link over a larger one.
    """
    low, high, starts, sums, moves = table
    source_vectors, source_rows, source_far = source
    target_vectors, target_rows, target_far = target
    for i in range(begin, end):
        for j in range(low[i], high[i] + 1):
            best, move = np.inf, 0
            if i == 0 and j == 0:
                best = 0.0
            for one in range(1, min(i, most - 1) + 1):
                above = i - one
                for other in range(max(1, j - high[above]), min(j - low[above], most - one) + 1):
                    before = sums[starts[above] + j - other - low[above]]
                    if before < best:
                        x, y = source_rows[one - 1, above], target_rows[other - 1, j - other]
                        product = np.float32(0)
                        for place in range(source_vectors.shape[1]):
                            product += source_vectors[x, place] * target_vectors[y, place]
                        far = max(source_far[x] + target_far[y], _LEAST)
                        distance: Any = 1.0 - product - _ROUNDING
                        cost = before + 2 * one * other * max(0.0, distance) / far
                        if cost < best:
                            best, move = cost, one * MOST + other
            if i > 0 and low[i - 1] <= j <= high[i - 1]:
                cost = sums[starts[i - 1] + j - low[i - 1]] + deletion
                if cost < best:
                    best, move = cost, MOST
            if j > low[i]:
                cost = sums[starts[i] + j - 1 - low[i]] + deletion
                if cost < best:
                    best, move = cost, 1
            sums[starts[i] + j - low[i]], moves[starts[i] + j - low[i]] = best, move


def _scores(source: Blocks, target: Blocks, costs: _Costs, path: Indices) -> Doubles:
    """Return the score of every link of a path; NaN if a side is empty."""
    sizes = np.diff(path, axis=0)
    scores = np.full(len(sizes), np.nan)
    both = np.flatnonzero((sizes > 0).all(axis=1))
    for part in blocks(len(both), _GATHERED):
        own = both[part]
        one, other = (each.rows[sizes[own, side] - 1, path[own, side]] for side, each in enumerate((source, target)))
        products = np.einsum("ld,ld->l", source.vectors[one], target.vectors[other]).astype(np.float64)
        scores[own] = 1 - _cost(products, costs.source[one], costs.target[other])
    return scores


@dataclass(frozen=True)
class Region:
    """A run of links of which many are unreliable: a side is empty, or the score is below `SentenceLinks.chance`.

    Args:
        first: Its first link.
        last: Its last link.
        unreliable: Number of its unreliable links.
        score: Mean score of its links that have two sides, NaN if there are none.
    """

    first: int
    last: int
    unreliable: int
    score: float


def poor_regions(links: SentenceLinks, *, window: int = 10) -> list[Region]:
    """Return the runs in which every link is in some `window` links of which at least half are unreliable.

    A run begins and ends with an unreliable link. A document with fewer links than `window` is one window.
    """
    poor = ~(links.scores >= links.chance)
    size = min(window, len(links))
    if not size:
        return []
    sums = starts_of(poor)
    flagged = np.zeros(len(poor) + 1, dtype=np.int64)
    dense = np.flatnonzero(2 * (sums[size:] - sums[:-size]) >= size)
    np.add.at(flagged, dense, 1)
    np.add.at(flagged, dense + size, -1)
    inside = starts_of(np.cumsum(flagged)[:-1] > 0)
    edges = np.flatnonzero(np.diff(np.diff(inside), prepend=0, append=0))
    found = []
    for begin, end in edges.reshape(-1, 2).tolist():
        own = begin + np.flatnonzero(poor[begin:end])
        first, last = int(own[0]), int(own[-1])
        scores = links.scores[first : last + 1]
        scores = scores[~np.isnan(scores)]
        found.append(Region(first, last, len(own), float(scores.mean()) if len(scores) else np.nan))
    return found


@dataclass(frozen=True)
class Agreement:
    """Agreement of links with gold links. Insertions and deletions do not count.

    Args:
        right: Number of links that a gold link agrees with.
        links: Number of links.
        found: Number of gold links that a link agrees with.
        gold: Number of gold links.
    """

    right: int
    links: int
    found: int
    gold: int

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.right + other.right, self.links + other.links, self.found + other.found, self.gold + other.gold
        )

    @property
    def precision(self) -> float:
        """Share of the links that are right."""
        return self.right / max(1, self.links)

    @property
    def recall(self) -> float:
        """Share of the gold links that are found."""
        return self.found / max(1, self.gold)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def compare_links(links: Iterable[Link], gold: Iterable[Link]) -> tuple[Agreement, Agreement]:
    """Return the strict and the lax agreement (Sennrich and Volk 2010, as Vecalign reports it).

    Strict: two links have the same sentences. Lax: they share a sentence on both sides.
    """
    own, golden = ({(tuple(one), tuple(other)) for one, other in each if one and other} for each in (links, gold))
    same = len(own & golden)
    strict = Agreement(same, len(own), same, len(golden))
    return strict, Agreement(_overlapping(own, golden), len(own), _overlapping(golden, own), len(golden))


def _overlapping(links: set[tuple[tuple[int, ...], tuple[int, ...]]], others: set[Any]) -> int:
    """Return how many links share a sentence with another link on both sides."""
    partners: dict[int, set[int]] = {}
    for one, other in others:
        for sentence in one:
            partners.setdefault(sentence, set()).update(other)
    empty: set[int] = set()
    return sum(any(not partners.get(sentence, empty).isdisjoint(other) for sentence in one) for one, other in links)
