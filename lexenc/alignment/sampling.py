"""Word alignment without a model: an HMM with fertilities under Dirichlet priors, by Gibbs sampling.

Source: Östling and Tiedemann 2016, "Efficient Word Alignment with Markov Chain Monte Carlo". One direction links every
target word to one source word or to none. A chain begins with translation probabilities alone (IBM 1), goes on with
jumps between the words linked (HMM), and ends with fertilities: how many words a word is translated by. Translation
counts are collapsed; jumps and fertilities are those of the sweep before. What a few short chains say of every link,
word by word and sweep by sweep, is averaged: on small corpora that, and the sparse priors, decide.

The fast way asks instead how far a link is from the diagonal (Dyer, Chahuneau and Smith 2013, IBM 2 with one
parameter): nothing depends on the word before, so that few sweeps are enough. It is sampled in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.alignment.compiled import compiled, inlined
from lexenc.alignment.numbered import Bitext
from lexenc.errors import unknown_name

Doubles = NDArray[np.float64]
Counts = NDArray[np.uint16]

# Jumps further than this count as this.
_JUMPS = 100
# Words with that many translations or more are alike.
_FERTILITIES = 8
# Of the last stage, the first sweeps are not counted: the chain is still moving.
_SETTLING = 4
_MODELS = ("ibm 1", "hmm", "fertility", "diagonal")
_IBM_1, _HMM, _FERTILITY, _DIAGONAL = range(4)
# How strongly links keep to the diagonal at first, and within which bounds it is learnt (Dyer et al.'s program).
_TENSION, _TENSION_BOUNDS = 4.0, (0.1, 14.0)
# Of its slots, the share that a table of counts fills at most.
_LOAD = 0.6


@dataclass(frozen=True)
class Priors:
    """What is thought before anything is seen; the first four as in the paper's program.

    Args:
        translation: Dirichlet parameter of the translations of a word; small: a word has few.
        null: The same for words that translate nothing.
        unlinked: Probability that a word translates nothing.
        jump: Dirichlet parameter of every distance between words linked one after the other.
        fertility: Weight of the average word's fertilities in those of a word, in occurrences.
    """

    translation: float = 0.001
    null: float = 0.001
    unlinked: float = 0.2
    jump: float = 0.5
    fertility: float = 1.0


Model = Literal["fertility", "diagonal"]


@dataclass(frozen=True)
class Sweeps:
    """How often a chain goes through the corpus.

    Args:
        before: With simpler models: their name and how often, in order.
        last: With the model asked for, from which the links are taken.
        model: It.
    """

    before: tuple[tuple[str, int], ...]
    last: int
    model: Model = "fertility"

    @property
    def counted(self) -> int:
        """Sweeps that links are taken from."""
        return self.last - self.last // _SETTLING

    @property
    def total(self) -> int:
        """All sweeps."""
        return self.last + sum(count for _, count in self.before)


def usual_sweeps(sentences: int, model: Model = "fertility", *, factor: float = 1.0) -> Sweeps:
    """Give the numbers of the paper's program: many for a small corpus, few for a large one.

    Args:
        sentences: Of the corpus.
        model: From which the links are taken.
        factor: Times as many.

    Raises:
        ConfigError: If there is no such model.
    """
    full = max(2, round(factor * 5000 / math.sqrt(max(1, sentences))))
    if model == "fertility":
        return Sweeps((("ibm 1", max(2, full // 4)), ("hmm", max(1, full // 4))), full)
    if model == "diagonal":
        return Sweeps((), max(4, full // 2), "diagonal")
    raise unknown_name("model", model, get_args(Model))


def sample_links(
    bitext: Bitext,
    *,
    sweeps: Sweeps,
    seed: int,
    counts: Counts,
    scale: int,
    priors: Priors | None = None,
    told: Callable[[], None] = lambda: None,
) -> None:
    """Run one chain in one direction, and add what it says of every link.

    Args:
        bitext: The corpus; every target word is linked to a source word or to none.
        sweeps: How often to go through it.
        seed: Of the chain.
        counts: Added to, for every sweep that counts: probability times `scale`, rounded. Shape [cells], a table
            [target words, source words] for every sentence; may lie on disk. Whole numbers, so that sums do not
            depend on their order.
        scale: What a sure link counts in one sweep.
        priors: None takes the usual ones.
        told: Called after every sweep.
    """
    chain = _Chain(bitext, seed, priors or Priors())
    nothing = np.zeros(0, dtype=np.uint16)
    for model, count in sweeps.before:
        for _ in range(count):
            chain.sweep(_MODELS.index(model), nothing, scale)
            told()
    for number in range(sweeps.last):
        counted = number >= sweeps.last - sweeps.counted
        chain.sweep(_MODELS.index(sweeps.model), counts if counted else nothing, scale)
        told()


class _Chain:
    """One chain: where every word is linked, and the counts that follow from it."""

    def __init__(self, bitext: Bitext, seed: int, priors: Priors) -> None:
        source, target = bitext
        self._bitext, self._priors = bitext, priors
        self._state = np.array([_scrambled(seed)], dtype=np.uint64)
        self._links = np.full(len(target.words), _NEW, dtype=np.int32)
        self._table = _empty_table(2 * len(target.words))
        self._inverse = np.empty(source.types, dtype=np.float64)
        self._totals = np.zeros(source.types, dtype=np.int64)
        self._inverse[:] = 1 / (priors.translation * target.types)
        self._null = np.zeros(target.types + 1, dtype=np.int64)  # the last one is their sum
        self._jumps = np.ones(2 * _JUMPS + 1)
        self._more = np.ones((source.types, _FERTILITIES))
        self._used = 0
        self._tension = _TENSION

    def sweep(self, model: int, counts: Counts, scale: int) -> None:
        """Draw every link again, given all others."""
        source, target = self._bitext
        priors = self._priors
        longest = int(max(source.lengths.max(initial=0), target.lengths.max(initial=0))) + 1
        jumped = np.zeros(2 * _JUMPS + 1)
        fertile = np.zeros((source.types, _FERTILITIES), dtype=np.int64)
        off = np.zeros(4)
        first = 0
        cells = self._bitext.cells
        while first < len(self._bitext):
            # The table of counts must not fill up half-way: so many sentences as it has room for.
            room = int(_LOAD * len(self._table)) - self._used
            last = int(np.searchsorted(target.starts, target.starts[first] + max(room, 0), side="right")) - 1
            if last <= first:
                self._table, self._used = _rebuilt(self._table)
                continue
            self._used += _sweep(
                source.words, source.starts, target.words, target.starts, cells, first, last,
                self._links, self._table, self._totals, self._inverse, self._null, self._jumps, self._more,
                model, counts, scale, self._state,
                np.array([priors.translation, priors.null, priors.unlinked, self._tension]),
                jumped, fertile, off, longest,
            )  # fmt: skip
            first = last
        self._jumps = (jumped + priors.jump) / (jumped + priors.jump).sum()
        self._more = _ratios(fertile, priors.fertility)
        if model == _DIAGONAL:
            self._tension = _next_tension(self._tension, *off)


_NEW = -2  # not linked yet
_UNLINKED = -1
_FREE = -1  # a slot without a pair


def _scrambled(seed: int) -> int:
    """Spread a seed over 64 bits; never zero."""
    return int(np.random.default_rng(seed).integers(1, 1 << 63))


def _empty_table(pairs: int) -> NDArray[np.int64]:
    """A table of counts by pair of words, with room for that many. Shape [slots, 2]: pair, count."""
    slots = 1 << max(16, math.ceil(math.log2(max(1, pairs) / _LOAD)))
    return np.full((slots, 2), _FREE, dtype=np.int64)


def _rebuilt(table: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Leave out pairs that are not linked any more; give the table and how many are left."""
    live = table[table[:, 1] > 0]
    made = _empty_table(max(len(live) * 2, int(_LOAD * len(table))))
    _fill(live, made)
    return made, len(live)


def _ratios(fertile: NDArray[np.int64], weight: float) -> Doubles:
    """Give for every word how much likelier one more translation is, by how many it has. Shape [types, fertilities]."""
    average = fertile.sum(axis=0) + 0.5
    shares = fertile + weight * average / average.sum()
    result: Doubles = np.full(shares.shape, 0.1)
    result[:, :-1] = shares[:, 1:] / shares[:, :-1]
    return result


def _next_tension(tension: float, drawn: float, expected: float, squares: float, links: float) -> float:
    """Fit the tension to the distances drawn: one step of Newton's method.

    Args:
        tension: What it was.
        drawn: Sum of the distances from the diagonal of the links drawn.
        expected: Sum of the distances that links have on average under the tension.
        squares: Sum of their variances.
        links: How many links.
    """
    if not links or squares <= 0:
        return tension
    low, high = _TENSION_BOUNDS
    return float(min(max(tension + (expected - drawn) / squares, low), high))


# ---------------------------------------------------------------- compiled


@inlined
def _slot(table: Any, pair: int) -> int:
    """Find the slot of a pair, or the free one where it would stand."""
    mask = len(table) - 1
    place = ((pair * -7046029254386353131) >> 20) & mask
    while table[place, 0] != pair and table[place, 0] != _FREE:
        place = (place + 1) & mask
    return place


@compiled
def _fill(pairs: Any, table: Any) -> None:
    for row in range(len(pairs)):
        place = _slot(table, pairs[row, 0])
        table[place, 0] = pairs[row, 0]
        table[place, 1] = pairs[row, 1]


@inlined
def _uniform(state: Any) -> float:
    """Draw from [0, 1): xorshift of 64 bits (Marsaglia 2003)."""
    bits = state[0]
    bits ^= bits << np.uint64(13)
    bits ^= bits >> np.uint64(7)
    bits ^= bits << np.uint64(17)
    state[0] = bits
    return float(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@inlined
def _jump(distance: int) -> int:
    """Give the row of a distance."""
    return min(max(distance, -_JUMPS), _JUMPS) + _JUMPS


@compiled
def _near(near: Any, row: int, width: int, height: int, tension: float, weight: float) -> tuple[float, float]:
    """Fill in how probable every place is by its distance from the diagonal; give mean and variance of the distance."""
    total, mean, squares = 0.0, 0.0, 0.0
    for place in range(width):
        distance = abs((place + 1) / width - (row + 1) / height)
        value = math.exp(-tension * distance)
        near[place] = value
        total += value
        mean += value * distance
        squares += value * distance * distance
    for place in range(width):
        near[place] *= weight / total
    mean /= total
    return mean, squares / total - mean * mean


@compiled
def _sweep(  # noqa: C901, PLR0913 - one loop, for the speed of it
    sources: Any, source_starts: Any, targets: Any, target_starts: Any, cells: Any, first: int, last: int,
    links: Any, table: Any, totals: Any, inverse: Any, null: Any, jumps: Any, more: Any,
    model: int, counts: Any, scale: int, state: Any, priors: Any, jumped: Any, fertile: Any, off: Any, longest: int,
) -> int:  # fmt: skip
    """Draw the links of some sentences; give how many pairs are new in the table."""
    rising = np.empty(longest)
    having = np.zeros(longest, dtype=np.int64)
    following = np.empty(longest, dtype=np.int64)
    near = np.ones(longest)
    alpha, null_alpha, unlinked, tension = priors[0], priors[1], priors[2], priors[3]
    target_types = len(null) - 1
    spread = alpha * target_types
    new = 0
    for sentence in range(first, last):
        start, begin = source_starts[sentence], target_starts[sentence]
        width, height = source_starts[sentence + 1] - start, target_starts[sentence + 1] - begin
        having[:width] = 0
        after = width
        for row in range(height - 1, -1, -1):
            following[row] = after
            link = links[begin + row]
            if link >= 0:
                after = link
                having[link] += 1
        before = -1
        for row in range(height):
            target = targets[begin + row]
            link = links[begin + row]
            if link >= 0:
                word = sources[start + link]
                table[_slot(table, (np.int64(word) << 32) | target), 1] -= 1
                totals[word] -= 1
                inverse[word] = 1.0 / (totals[word] + spread)
                having[link] -= 1
            elif link == _UNLINKED:
                null[target] -= 1
                null[target_types] -= 1
            after = following[row]
            if model == _DIAGONAL:
                mean, variance = _near(near, row, width, height, tension, 1 - unlinked)
            total = 0.0
            for place in range(width):
                word = sources[start + place]
                slot = _slot(table, (np.int64(word) << 32) | target)
                count = max(table[slot, 1], 0)
                value = (count + alpha) * inverse[word]
                if model == _DIAGONAL:
                    value *= near[place]
                elif model >= _HMM:
                    value *= jumps[_jump(place - before)] * jumps[_jump(after - place)]
                if model == _FERTILITY:
                    value *= more[word, min(having[place], _FERTILITIES - 1)]
                total += value
                rising[place] = total
            linked = total
            value = unlinked * (null[target] + null_alpha) / (null[target_types] + null_alpha * target_types)
            if model == _HMM or model == _FERTILITY:
                value *= jumps[_jump(after - before)]
            total += value
            if len(counts):
                cell = cells[sentence] + row * width
                lower = 0.0
                for place in range(width):
                    counts[cell + place] += np.uint16((rising[place] - lower) / total * scale + 0.5)
                    lower = rising[place]
            drawn = _uniform(state) * total
            if drawn < linked:
                low, high = 0, width - 1
                while low < high:
                    middle = (low + high) >> 1
                    if rising[middle] > drawn:
                        high = middle
                    else:
                        low = middle + 1
                word = sources[start + low]
                pair = (np.int64(word) << 32) | target
                slot = _slot(table, pair)
                if table[slot, 0] == _FREE:
                    table[slot, 0] = pair
                    table[slot, 1] = 0
                    new += 1
                table[slot, 1] += 1
                totals[word] += 1
                inverse[word] = 1.0 / (totals[word] + spread)
                having[low] += 1
                links[begin + row] = low
                before = low
                if model == _DIAGONAL:
                    off[0] += abs((low + 1) / width - (row + 1) / height)
                    off[1] += mean
                    off[2] += variance
                    off[3] += 1
            else:
                links[begin + row] = _UNLINKED
                null[target] += 1
                null[target_types] += 1
        before = -1
        for row in range(height):
            link = links[begin + row]
            if link >= 0:
                jumped[_jump(link - before)] += 1
                before = link
        jumped[_jump(width - before)] += 1
        for place in range(width):
            fertile[sources[start + place], min(having[place], _FERTILITIES - 1)] += 1
    return new
