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
from typing import Any, Literal, NamedTuple, get_args

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
# Cells of the sentence pairs that are gone through before somebody may stop the chain.
_CELLS = 1 << 24


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
    told: Callable[[int], None] = lambda sentences: None,
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
        told: Called with how many sentence pairs were gone through, several times in a sweep of many.
    """
    chain = _Chain(bitext, seed, priors or Priors())
    nothing = np.zeros(0, dtype=np.uint16)
    for model, count in sweeps.before:
        for _ in range(count):
            chain.sweep(_MODELS.index(model), nothing, scale, told)
    for number in range(sweeps.last):
        counted = number >= sweeps.last - sweeps.counted
        chain.sweep(_MODELS.index(sweeps.model), counts if counted else nothing, scale, told)


class _Corpus(NamedTuple):
    """What the compiled loops read.

    Args:
        sources: Number of every source word. Shape [t].
        source_starts: Where each source sentence begins. Shape [n + 1].
        targets: Number of every target word. Shape [u].
        target_starts: Where each target sentence begins. Shape [n + 1].
        cells: Where the table of each sentence pair begins. Shape [n + 1].
        pairs: Number of the pair of words of every cell. Shape [cells].
        turned: Whether the tables of `pairs` are those of the other direction.
    """

    sources: Any
    source_starts: Any
    targets: Any
    target_starts: Any
    cells: Any
    pairs: Any
    turned: bool


class _State(NamedTuple):
    """What the compiled loops change.

    Args:
        links: Source place that every target word is linked to, or none. Shape [u].
        counted: How often the words of a pair are linked, known links included, by its number. Shape [pairs].
        totals: Links of every source word. Shape [source types].
        inverse: One through the weight of all its translations. Shape [source types].
        null: Unlinked occurrences of every target word, and of all. Shape [target types + 1].
        jumped: Jumps of this sweep, by distance. Shape [distances].
        fertile: Occurrences of every source word by how many translations they have. Shape [types, fertilities].
        off: Distances from the diagonal: of the links drawn, expected, their variance, how many. Shape [4].
        random: State of the generator. Shape [1].
    """

    links: Any
    counted: Any
    totals: Any
    inverse: Any
    null: Any
    jumped: Any
    fertile: Any
    off: Any
    random: Any


class _Chain:
    """One chain: where every word is linked, and the counts that follow from it."""

    def __init__(self, bitext: Bitext, seed: int, priors: Priors) -> None:
        source, target, known = bitext.source, bitext.target, bitext.known
        self._parts, self._priors = list(bitext.parts(_CELLS)), priors
        self._corpus = _Corpus(
            source.words, source.starts, target.words, target.starts, bitext.cells, bitext.pairs.numbers, bitext.turned
        )
        totals = np.zeros(source.types, dtype=np.int64) if known is None else known.source.copy()
        self._state = _State(
            links=np.full(len(target.words), _NEW, dtype=np.int32),
            counted=np.zeros(bitext.pairs.pairs, dtype=np.int32) if known is None else known.pairs.copy(),
            totals=totals,
            inverse=1 / (totals + priors.translation * target.types),
            null=np.zeros(target.types + 1, dtype=np.int64),
            jumped=np.zeros(2 * _JUMPS + 1),
            fertile=np.zeros((source.types, _FERTILITIES), dtype=np.int64),
            off=np.zeros(4),
            random=np.array([_scrambled(seed)], dtype=np.uint64),
        )
        self._longest = int(max(source.lengths.max(initial=0), target.lengths.max(initial=0))) + 1
        self._jumps = np.ones(2 * self._longest + 1)
        self._more = np.ones((source.types, _FERTILITIES))
        self._tension = _TENSION

    def sweep(self, model: int, counts: Counts, scale: int, told: Callable[[int], None]) -> None:
        """Draw every link again, given all others."""
        priors = self._priors
        numbers = np.array([priors.translation, priors.null, priors.unlinked, self._tension])
        for each in (self._state.jumped, self._state.fertile, self._state.off):
            each[:] = 0
        for first, last in self._parts:
            _sweep(self._corpus, self._state, first, last, model, numbers, self._jumps, self._more, counts, scale)
            told(last - first)
        jumps = self._state.jumped + priors.jump
        reach = np.clip(np.arange(-self._longest, self._longest + 1), -_JUMPS, _JUMPS) + _JUMPS
        self._jumps = (jumps / jumps.sum())[reach]
        self._more = _ratios(self._state.fertile, priors.fertility)
        if model == _DIAGONAL:
            self._tension = _next_tension(self._tension, *self._state.off)


_NEW = -2  # not linked yet
_UNLINKED = -1


def _scrambled(seed: int) -> int:
    """Spread a seed over 64 bits; never zero."""
    return int(np.random.default_rng(seed).integers(1, 1 << 63))


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
def _uniform(state: Any) -> float:
    """Draw from [0, 1): xorshift of 64 bits (Marsaglia 2003)."""
    bits = state[0]
    bits ^= bits << np.uint64(13)
    bits ^= bits >> np.uint64(7)
    bits ^= bits << np.uint64(17)
    state[0] = bits
    return float(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def _near(near: Any, row: int, width: int, height: int, tension: float, weight: float) -> tuple[float, float]:
    """Fill in how probable every place is by its distance from the diagonal; give mean and variance of the distance."""
    # From the diagonal outwards every step is the same factor: two exponentials in place of one per word.
    middle = (row + 1) / height * width - 1
    first = math.floor(middle)
    factor = math.exp(-tension / width)
    value = math.exp(-tension / width * (middle - first))
    for place in range(min(first, width - 1), -1, -1):
        near[place] = value
        value *= factor
    value = math.exp(-tension / width * (first + 1 - middle))
    for place in range(first + 1, width):
        near[place] = value
        value *= factor
    total, mean, squares = 0.0, 0.0, 0.0
    for place in range(width):
        distance = abs(place - middle) / width
        total += near[place]
        mean += near[place] * distance
        squares += near[place] * distance * distance
    for place in range(width):
        near[place] *= weight / total
    mean /= total
    return mean, squares / total - mean * mean


@inlined
def _drawn(values: Any, width: int, drawn: float) -> int:
    """Give the place that a number between 0 and the sum of the values falls on."""
    place = 0
    while place < width - 1 and drawn >= values[place]:
        drawn -= values[place]
        place += 1
    return place


@compiled
def _sweep(  # noqa: C901, PLR0913 - one loop, for the speed of it
    corpus: Any, state: Any, first: int, last: int, model: int, priors: Any, jumps: Any, more: Any, counts: Any,
    scale: int,
) -> None:  # fmt: skip
    """Draw the links of some sentences."""
    reach = len(jumps) // 2
    turned_jumps = jumps[::-1].copy()
    values = np.empty(reach)
    near = np.ones(reach)
    fertility = np.ones(reach)
    having = np.zeros(reach, dtype=np.int64)
    following = np.empty(reach, dtype=np.int64)
    alpha, null_alpha, unlinked, tension = priors[0], priors[1], priors[2], priors[3]
    target_types = len(state.null) - 1
    spread = alpha * target_types
    jumping, fertile = model == _HMM or model == _FERTILITY, model == _FERTILITY
    # As plain arrays: parts of a tuple are counted whenever they are touched.
    sources, source_starts, targets, target_starts, cells, pairs, turned = corpus
    links, counted, totals, inverse, null, _, _, off, random = state
    for sentence in range(first, last):
        start, begin = source_starts[sentence], target_starts[sentence]
        width, height = source_starts[sentence + 1] - start, target_starts[sentence + 1] - begin
        base = cells[sentence]
        down, across = (1, height) if turned else (width, 1)
        having[:width] = 0
        after = width
        for row in range(height - 1, -1, -1):
            following[row] = after
            link = links[begin + row]
            if link >= 0:
                after = link
                having[link] += 1
        if fertile:
            for place in range(width):
                fertility[place] = more[sources[start + place], min(having[place], _FERTILITIES - 1)]
        before = -1
        for row in range(height):
            target = targets[begin + row]
            cell = base + row * down
            link = links[begin + row]
            if link >= 0:
                word = sources[start + link]
                counted[pairs[cell + link * across]] -= 1
                totals[word] -= 1
                inverse[word] = 1.0 / (totals[word] + spread)
                having[link] -= 1
                if fertile:
                    fertility[link] = more[word, min(having[link], _FERTILITIES - 1)]
            elif link == _UNLINKED:
                null[target] -= 1
                null[target_types] -= 1
            after = following[row]
            for place in range(width):
                values[place] = counted[pairs[cell + place * across]]
            for place in range(width):
                values[place] = (values[place] + alpha) * inverse[sources[start + place]]
            free = unlinked * (null[target] + null_alpha) / (null[target_types] + null_alpha * target_types)
            if model == _DIAGONAL and width > 0:
                mean, variance = _near(near, row, width, height, tension, 1 - unlinked)
                for place in range(width):
                    values[place] *= near[place]
            if jumping:
                free *= jumps[reach + after - before]
                for place in range(width):
                    values[place] *= jumps[reach - before + place] * turned_jumps[reach - after + place]
            if fertile:
                for place in range(width):
                    values[place] *= fertility[place]
            linked = 0.0
            for place in range(width):
                linked += values[place]
            total = linked + free
            if len(counts):
                own = base + row * width
                factor = scale / total
                for place in range(width):
                    counts[own + place] += np.uint16(values[place] * factor + 0.5)
            drawn = _uniform(random) * total
            if drawn < linked:
                link = _drawn(values, width, drawn)
                word = sources[start + link]
                counted[pairs[cell + link * across]] += 1
                totals[word] += 1
                inverse[word] = 1.0 / (totals[word] + spread)
                having[link] += 1
                if fertile:
                    fertility[link] = more[word, min(having[link], _FERTILITIES - 1)]
                before = link
                if model == _DIAGONAL:
                    off[0] += abs((link + 1) / width - (row + 1) / height)
                    off[1] += mean
                    off[2] += variance
                    off[3] += 1
                links[begin + row] = link
            else:
                links[begin + row] = _UNLINKED
                null[target] += 1
                null[target_types] += 1
        _remember(state, sources[start : start + width], links[begin : begin + height], having)


@compiled
def _remember(state: Any, words: Any, links: Any, having: Any) -> None:
    """Count the jumps and fertilities of a sentence."""
    before = -1
    for row in range(len(links)):
        if links[row] >= 0:
            state.jumped[min(max(links[row] - before, -_JUMPS), _JUMPS) + _JUMPS] += 1
            before = links[row]
    state.jumped[min(max(len(words) - before, -_JUMPS), _JUMPS) + _JUMPS] += 1
    for place in range(len(words)):
        state.fertile[words[place], min(having[place], _FERTILITIES - 1)] += 1
