"""From word vectors to word links, for many sentence pairs at once.

Source: argmax, itermax, match and distortion are those of Jalili Sabet, Dufter, Yvon and Schütze 2020, "SimAlign: High
Quality Word Alignments Without Parallel Training Data Using Static and Contextualized Embeddings", section 2. softmax
is that of Dou and Neubig 2021, "Word Alignment by Fine-tuning Embeddings on Parallel Corpora", section 2.1.

The similarities of a sentence pair form a table of source units by target units, where units are words or subwords. The
tables of all pairs are stored end to end in one array, without padding, and compiled loops go over them. Numbers that
differ by less than 1e-6 count as equal, and the first of equal numbers wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices, batches, blocks, starts_of
from lexenc.compiled import compiled
from lexenc.encoders.base import WordEncoder, WordVectors
from lexenc.errors import ConfigError, unknown_name
from lexenc.registry import Registry
from lexenc.text.links import Links

Floats = NDArray[np.float32]
Similarity = Literal["shifted", "cosine"]

CHUNK = 1024
"""Sentence pairs whose vectors are in memory at once: enough to batch sentences of equal length together."""
MOST_CELLS = 1 << 27
"""Sentence pairs with a larger table (half a gigabyte) get no links. 10,000 by 10,000 units is still less."""
_CELLS = 1 << 22
# Equal vectors must give equal similarities wherever they are, in spite of rounding.
_TIE = 1e-6


@dataclass(frozen=True)
class Matching:
    """How similarities become links.

    Args:
        method: Name in `METHODS`. argmax: units that are most similar to each other. itermax: the same, repeated among
            the units that are left. match: the one-to-one links of greatest total similarity, as many as the shorter
            side has units. softmax: units whose dot product is probable in both directions.
        similarity: shifted: (cosine + 1) / 2. cosine: the cosine. Has an effect on itermax and distortion only.
        distortion: Share of the similarity that is lost between the first unit of one sentence and the last unit of the
            other, in [0, 1].
        alpha: Share of the similarity that counts if one of two units is linked already (itermax).
        rounds: Rounds of itermax, including the first (argmax): n_max of the paper.
        threshold: Probability that both directions must exceed (softmax).

    Raises:
        ConfigError: If a number is out of its range, or there is no such method or similarity.
    """

    method: str = "itermax"
    similarity: Similarity = "shifted"
    distortion: float = 0.0
    alpha: float = 0.9
    rounds: int = 2
    threshold: float = 1e-3

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown_name(METHODS.kind, self.method, METHODS)
        if self.similarity not in get_args(Similarity):
            raise unknown_name("similarity", self.similarity, get_args(Similarity))
        for name in ("distortion", "alpha", "threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"The {name} is {getattr(self, name)}.", hint="Use a number from 0 to 1.")
        if self.rounds < 1:
            raise ConfigError(f"The number of rounds is {self.rounds}.", hint="Use 1 or more; 2 is usual.")


class Tables(NamedTuple):
    """Tables of numbers, one behind the other, each row by row.

    Args:
        values: Shape [cells].
        heights: Rows of every table. Shape [n].
        widths: Columns of every table. Shape [n].
    """

    values: Floats
    heights: Indices
    widths: Indices

    @property
    def starts(self) -> Indices:
        """Where each table begins, and the end of the last. Shape [n + 1]."""
        return starts_of(self.heights * self.widths)


class Method(NamedTuple):
    """A way to choose links.

    Args:
        choose: Tables of similarities -> scores of links in [0, 1], -1 elsewhere. Shape [cells].
        products: Whether similarities are dot products instead of cosines.
    """

    choose: Callable[[Tables, Matching], Floats]
    products: bool = False


def match_vectors(source: WordVectors, target: WordVectors, how: Matching) -> Links:
    """Link the words of many sentence pairs.

    Args:
        source: Vectors of n sentences, by word or by subword.
        target: Vectors of their n translations.
        how: Method and settings.

    Returns:
        Links of words with linked units. Their score is the maximum over these units: of the similarity (with
        distortion, at least 0) for argmax, itermax and match, of the harmonic mean of both probabilities for softmax.
    """
    method = METHODS[how.method]
    vectors = [source.values, target.values]
    if not method.products:
        for side, values in enumerate(vectors):
            lengths = np.sqrt(np.einsum("td,td->t", values, values))
            vectors[side] = values / np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]
    sizes = np.where(too_large(source, target), 0, np.diff([source.starts, target.starts]))
    parts = []
    for part in batches(sizes[0] * sizes[1], _CELLS):
        heights, widths = sizes[:, part]
        starts = (source.starts[part], target.starts[part])
        cells = starts_of(heights * widths)
        tables = Tables(np.empty(cells[-1], dtype=np.float32), heights, widths)
        _multiply(vectors[0], vectors[1], *starts, *tables[1:], cells, tables.values)
        if how.similarity == "shifted" and not method.products:
            np.divide(tables.values + np.float32(1), 2, out=tables.values)
        scores = choose(tables, how)
        room = int(np.count_nonzero(scores >= 0))
        ends = np.zeros(len(heights) + 1, dtype=np.int64)
        columns: list[Any] = [np.empty(room, dtype=kind) for kind in (np.int32, np.int32, np.float32)]
        count = _join(scores, heights, widths, source.words, target.words, *starts, ends, *columns)
        parts.append(Links(ends, *(column[:count].copy() for column in columns)))
    return Links.joined(parts)


class EmbeddingAligner:
    """Links the words of sentence pairs by their vectors.

    Args:
        encoder: Returns vectors of the words of both sides, or of the source side if `target` is given.
        target: Returns vectors of the words of the target side in the same space.
        how: Method and settings.
        least: Links with a lower score are left out.

    Attributes:
        counts: `windowed`: sentences longer than the encoder takes, which it read in overlapping windows.
            `without_vector`: words without a vector. `too_large`: sentence pairs without links because both sides are
            very long.
    """

    def __init__(
        self,
        encoder: WordEncoder,
        target: WordEncoder | None = None,
        *,
        how: Matching | None = None,
        least: float = 0.0,
    ) -> None:
        self._encoder, self._target = encoder, target
        self._how, self._least = how or Matching(), least
        self.counts: Counter[str] = Counter()

    def align(self, pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Links:
        """Link the words of sentence pairs, each the words of a sentence and those of its translation.

        A pair with an empty side has no links. The links of a pair do not depend on the other pairs.
        """
        found = []
        for part in blocks(len(pairs), CHUNK):
            ours, theirs = ([pair[side] for pair in pairs[part]] for side in range(2))
            if self._target is not None:
                source, target = self._encoder(ours), self._target(theirs)
            else:
                both = self._encoder([*ours, *theirs])
                source, target = both.part(0, len(ours)), both.part(len(ours), 2 * len(ours))
            self.counts += Counter(
                windowed=int(source.windowed.sum() + target.windowed.sum()),
                without_vector=int(source.missing.sum() + target.missing.sum()),
                too_large=int(too_large(source, target).sum()),
            )
            found.append(match_vectors(source, target, self._how))
        links = Links.joined(found)
        return links.at_least(self._least) if self._least else links


def choose(tables: Tables, how: Matching) -> Floats:
    """Choose links by similarity, after distortion. The tables are changed in place.

    Returns:
        Scores of links in [0, 1], -1 elsewhere. Shape [cells].
    """
    if how.distortion:
        _distort(*tables, tables.starts, how.distortion)
    scores: Floats = METHODS[how.method].choose(tables, how)
    return scores


def too_large(source: WordVectors, target: WordVectors) -> NDArray[np.bool_]:
    """Return which sentence pairs have too many units to be linked. Shape [n]."""
    large: NDArray[np.bool_] = np.diff(source.starts) * np.diff(target.starts) > MOST_CELLS
    return large


def argmax(tables: Tables, how: Matching) -> Floats:
    """Link units that are most similar to each other."""
    return itermax(tables, replace(how, rounds=1))


def itermax(tables: Tables, how: Matching) -> Floats:
    """Link as argmax does, then again: pairs with one linked unit count less, pairs with two do not count.

    Stops when all units of one side are linked. As in the authors' program, there is only one round if a side has one
    or two units.
    """
    kept = np.zeros(len(tables.values), dtype=np.bool_)
    _mutual(*tables, tables.starts, how.rounds, how.alpha, kept)
    return np.where(kept, tables.values.clip(0, 1), np.float32(-1))


def match(tables: Tables, how: Matching) -> Floats:
    """Link one to one, as many as the shorter side has units, so that the sum of similarities is the largest.

    If several matchings have the same sum, any of them may be returned.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped, unused-ignore]

    scores = np.full(len(tables.values), -1, dtype=np.float32)
    starts = tables.starts
    for start, stop, width in zip(starts[:-1].tolist(), starts[1:].tolist(), tables.widths.tolist(), strict=True):
        if start < stop:
            table = tables.values[start:stop].reshape(-1, width)
            rows, columns = linear_sum_assignment(table, maximize=True)
            scores[start + rows * width + columns] = table[rows, columns].clip(0, 1)
    return scores


def softmax(tables: Tables, how: Matching) -> Floats:
    """Link units if the softmax over the row and the softmax over the column both exceed the threshold."""
    scores = np.empty(len(tables.values), dtype=np.float32)
    _softmax(*tables, tables.starts, how.threshold, scores)
    return scores


METHODS = Registry(
    "matching method",
    {
        "argmax": Method(argmax),
        "itermax": Method(itermax),
        "match": Method(match),
        "softmax": Method(softmax, products=True),
    },
)
"""Ways to choose links from similarities. Other packages can add theirs."""


@compiled
def _mutual(values: Any, heights: Any, widths: Any, starts: Any, rounds: int, alpha: float, kept: Any) -> None:
    for pair in range(len(heights)):
        height, width = heights[pair], widths[pair]
        if height == 0 or width == 0:
            continue
        table = values[starts[pair] : starts[pair + 1]].reshape(height, width)
        links = kept[starts[pair] : starts[pair + 1]].reshape(height, width)
        rows, columns = np.zeros(height, dtype=np.bool_), np.zeros(width, dtype=np.bool_)
        _round(table, rows, columns, alpha, links)
        for _ in range(1, rounds if min(height, width) > 2 else 1):
            if rows.all() or columns.all() or not _round(table, rows, columns, alpha, links):
                break


@compiled
def _round(table: Any, rows: Any, columns: Any, alpha: float, links: Any) -> bool:
    """Mark pairs that are each other's best, given the rows and columns linked before; return whether there are any."""
    height, width = table.shape
    ahead, back = np.zeros(height, dtype=np.int64), np.zeros(width, dtype=np.int64)
    best = np.full(width, -np.inf, dtype=np.float32)
    for i in range(height):
        top = np.float32(-np.inf)
        for j in range(width):
            value = table[i, j]
            if rows[i] and columns[j]:
                continue
            if rows[i] or columns[j]:
                value -= np.float32(1 - alpha) * abs(value)
            if value > top + np.float32(_TIE):
                top, ahead[i] = value, j
            if value > best[j] + np.float32(_TIE):
                best[j], back[j] = value, i
    found = False
    for i in range(height):
        j = ahead[i]
        if back[j] == i and not links[i, j]:
            links[i, j] = rows[i] = columns[j] = found = True
    return found


@compiled
def _softmax(values: Any, heights: Any, widths: Any, starts: Any, threshold: float, scores: Any) -> None:
    for pair in range(len(heights)):
        height, width = heights[pair], widths[pair]
        if height == 0 or width == 0:
            continue
        table = values[starts[pair] : starts[pair + 1]].reshape(height, width)
        score = scores[starts[pair] : starts[pair + 1]].reshape(height, width)
        top = np.full(width, -np.inf, dtype=np.float32)
        total = np.zeros(width, dtype=np.float32)
        for i in range(height):
            for j in range(width):
                top[j] = max(top[j], table[i, j])
        for i in range(height):
            for j in range(width):
                score[i, j] = np.exp(table[i, j] - top[j])
                total[j] += score[i, j]
        for i in range(height):
            most = table[i].max()
            whole = np.float32(0)
            for j in range(width):
                whole += np.exp(table[i, j] - most)
            for j in range(width):
                back, ahead = score[i, j] / total[j], np.exp(table[i, j] - most) / whole
                both = ahead > threshold and back > threshold
                score[i, j] = 2 * ahead * back / (ahead + back) if both else -1


@compiled
def _multiply(
    source: Any, target: Any, source_starts: Any, target_starts: Any, heights: Any, widths: Any, starts: Any, out: Any
) -> None:
    for pair in range(len(heights)):
        height, width = heights[pair], widths[pair]
        if height and width:
            rows = source[source_starts[pair] : source_starts[pair] + height]
            columns = target[target_starts[pair] : target_starts[pair] + width]
            np.dot(rows, columns.T, out[starts[pair] : starts[pair + 1]].reshape(height, width))


@compiled
def _distort(values: Any, heights: Any, widths: Any, starts: Any, strength: float) -> None:
    """Subtract the share strength * (i / (m - 1) - j / (n - 1))^2 from similarities, if both sides have two units."""
    for pair in range(len(heights)):
        height, width = heights[pair], widths[pair]
        if height < 2 or width < 2:
            continue
        for i in range(height):
            for j in range(width):
                cell = starts[pair] + i * width + j
                away = i / (height - 1) - j / (width - 1)
                values[cell] -= np.float32(strength * away * away) * abs(values[cell])


@compiled
def _join(  # noqa: PLR0913 - one loop, for the speed of it
    scores: Any, heights: Any, widths: Any, source_words: Any, target_words: Any, source_starts: Any,
    target_starts: Any, ends: Any, source: Any, target: Any, found: Any,
) -> int:  # fmt: skip
    """Fill in links sorted by source and target word, with the maximum score of their units; return their number."""
    cell, count = 0, 0
    for pair in range(len(heights)):
        height, width = heights[pair], widths[pair]
        owners = source_words[source_starts[pair] : source_starts[pair] + height]
        others = target_words[target_starts[pair] : target_starts[pair] + width]
        for i in range(height):
            # The maximum over the rows of the units of a word is collected in the last of them.
            again = i > 0 and owners[i] == owners[i - 1]
            closed = i + 1 == height or owners[i + 1] != owners[i]
            best = np.float32(-1)
            for j in range(width):
                if again:
                    scores[cell + j] = max(scores[cell + j], scores[cell + j - width])
                best = max(best, scores[cell + j])
                if j + 1 == width or others[j + 1] != others[j]:
                    if closed and best >= 0:
                        source[count], target[count], found[count] = owners[i], others[j], best
                        count += 1
                    best = np.float32(-1)
            cell += width
        ends[pair + 1] = count
    return count
