"""Word alignment without a model: an HMM with fertilities under Dirichlet priors, by Gibbs sampling.

Source: Östling and Tiedemann 2016, "Efficient Word Alignment with Markov Chain Monte Carlo". One direction links every
target word to one source word or to none. A chain begins with translation probabilities alone (IBM 1), adds jumps
between linked words (HMM), and ends with fertilities: the number of words that a word is translated by. Translation
counts are collapsed. Jumps and fertilities are those of the previous sweep. The link probabilities of a few short
chains are averaged over sweeps: on small corpora this average and the sparse priors decide.

Unlike in the paper, IBM 1 is not sampled. A chain that begins with chance links keeps most of them for many sweeps, the
more so the less the languages are alike. EM finds the best probabilities of this model in a few rounds from any start,
because its likelihood has a single maximum (Brown et al. 1993, "The Mathematics of Statistical Machine Translation").

The fast model uses the distance of a link from the diagonal instead (Dyer, Chahuneau and Smith 2013: IBM 2 with one
parameter). No link depends on the word before it, so few sweeps are enough. It is sampled in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.alignment import Model
from lexenc.alignment.numbered import Bitext
from lexenc.arrays import batches
from lexenc.compiled import compiled, inlined
from lexenc.errors import unknown_name

Counts = NDArray[np.uint16]

# Longer jumps count as jumps of this length.
_JUMPS = 100
# Words with this many translations or more are treated alike.
_FERTILITIES = 8
# The first 1/4 of the sweeps with the last model are not counted: the chain is still moving.
_SETTLING = 4
_HMM, _FERTILITY, _DIAGONAL = range(3)
_LAST = {"fertility": _FERTILITY, "diagonal": _DIAGONAL}
# A link with this probability or a larger one is not drawn again for so many sweeps. Most links of a corpus are like
# that after a few sweeps, and the time goes to the others.
_SURE, _REST = 0.995, 3
# Rounds of EM before the links are drawn for the first time.
_ROUNDS = 5
# How strongly links keep to the diagonal at first, and the bounds of what is learnt (as in Dyer et al.'s program).
_TENSION, _TENSION_BOUNDS = 4.0, (0.1, 14.0)
# Cells of the sentence pairs between two chances to stop a chain.
_CELLS = 1 << 24
# The counts of a chain fit into 16 bits.
_MOST = 65_535
_UNLINKED = -1
# Dirichlet parameters, as in the paper's program: of the translations of a word (with a small value a word has few), of
# words that translate nothing, and of every distance between words that are linked one after the other.
_TRANSLATION, _NULL, _JUMP = 0.001, 0.001, 0.5


@dataclass(frozen=True)
class Sweeps:
    """Number of passes of a chain over the corpus.

    Args:
        hmm: Passes without fertilities, after those of EM.
        last: Passes with `model`, which the links are taken from.
        model: The last model.
    """

    hmm: int
    last: int
    model: Model = "fertility"

    @property
    def counted(self) -> int:
        """Sweeps that links are taken from."""
        return self.last - self.last // _SETTLING

    @property
    def total(self) -> int:
        """All passes, also those of EM and of the first draw."""
        return _ROUNDS + 1 + self.hmm + self.last

    @property
    def scale(self) -> int:
        """Count of a certain link in one sweep."""
        return max(1, min(4096, _MOST // max(1, self.counted)))


def usual_sweeps(sentences: int, model: Model = "fertility", *, factor: float = 1.0) -> Sweeps:
    """Return the usual numbers: many for a small corpus, fewer for a large one.

    Rare words need many sweeps in a corpus of any size. So the numbers fall with the fourth root of the size only, not
    with the square root as in the paper's program, where more text can cost more links than it brings.

    Args:
        sentences: Size of the corpus.
        model: Last model.
        factor: Multiplies the numbers.

    Raises:
        ConfigError: If there is no such model.
    """
    full = max(2, round(factor * 540 / max(1, sentences) ** 0.25))
    if model == "fertility":
        return Sweeps(max(1, full // 4), full)
    if model == "diagonal":
        return Sweeps(0, max(4, full // 2), "diagonal")
    raise unknown_name("model", model, get_args(Model))


def sample_links(
    bitext: Bitext,
    *,
    sweeps: Sweeps,
    seed: int,
    counts: Counts,
    scale: int,
    unlinked: float = 0.2,
    advance: Callable[[int], None] = lambda sentences: None,
) -> None:
    """Run one chain in one direction and add up the probability of every link.

    Args:
        bitext: The corpus. Every target word is linked to a source word or to none.
        sweeps: Number of passes.
        seed: Seed of the chain.
        counts: Increased in every counted sweep by the probability times `scale`, rounded. Shape [cells], a table
            [target words, source words] for every sentence. May lie on disk. Integers, so that sums do not depend on
            their order.
        scale: Count of a certain link in one sweep.
        unlinked: Prior probability that a word translates nothing; by default that of the paper's program.
        advance: Called with the number of sentence pairs after each part of a sweep.
    """
    chain = _Sampler(bitext, seed, unlinked)
    nothing = np.zeros(0, dtype=np.uint16)
    chain.begin(bitext, advance)
    for _ in range(sweeps.hmm):
        chain.sweep(_HMM, nothing, scale, advance)
    for number in range(sweeps.last):
        counted = number >= sweeps.last - sweeps.counted
        chain.sweep(_LAST[sweeps.model], counts if counted else nothing, scale, advance)


class _ChainState(NamedTuple):
    """Arrays that the compiled loops change.

    Args:
        links: Source position that every target word is linked to, or `_UNLINKED`. Shape [u].
        rest: Sweeps that the link of every target word is kept for. Shape [u].
        counted: Links of every pair of words, known links included. Shape [pairs].
        totals: Links of every source word. Shape [source types].
        inverse: 1 / the weight of all translations of a source word. Shape [source types].
        null: Unlinked occurrences of every target word, and of all. Shape [target types + 1].
        jumped: Jumps of this sweep, by distance. Shape [distances].
        fertile: Occurrences of every source word by its number of translations. Shape [types, fertilities].
        off: Distances from the diagonal: of the links drawn, expected, their variance, number. Shape [4].
        random: State of the generator. Shape [1].
    """

    links: Any
    rest: Any
    counted: Any
    totals: Any
    inverse: Any
    null: Any
    jumped: Any
    fertile: Any
    off: Any
    random: Any


class _Sampler:
    """One chain: the link of every word, and the counts that follow from it."""

    def __init__(self, bitext: Bitext, seed: int, unlinked: float) -> None:
        source, target, known = bitext.source, bitext.target, bitext.known
        self._parts, self._unlinked = list(batches(np.diff(bitext.cells), _CELLS)), unlinked
        # What the compiled loops read.
        self._corpus = (
            source.values, source.starts, target.values, target.starts, bitext.cells, bitext.numbers, bitext.turned
        )  # fmt: skip
        totals = np.zeros(source.types, dtype=np.int64) if known is None else known.source.copy()
        self._state = _ChainState(
            links=np.full(len(target.values), _UNLINKED, dtype=np.int32),
            rest=np.zeros(len(target.values), dtype=np.uint8),
            counted=np.zeros(bitext.pairs, dtype=np.int32) if known is None else known.pairs.copy(),
            totals=totals,
            inverse=1 / (totals + _TRANSLATION * target.types),
            null=np.zeros(target.types + 1, dtype=np.int64),
            jumped=np.zeros(2 * _JUMPS + 1),
            fertile=np.zeros((source.types, _FERTILITIES), dtype=np.int64),
            off=np.zeros(4),
            # The seed spread over 64 bits, never zero.
            random=np.array([np.random.default_rng(seed).integers(1, 1 << 63)], dtype=np.uint64),
        )
        self._longest = int(max(source.lengths.max(initial=0), target.lengths.max(initial=0))) + 1
        self._jumps = np.ones(2 * self._longest + 1)
        self._more = np.ones((source.types, _FERTILITIES))
        self._tension = _TENSION

    def begin(self, bitext: Bitext, advance: Callable[[int], None]) -> None:
        """Learn translation probabilities by EM, and draw every link from them."""
        state, known = self._state, 0 if bitext.known is None else bitext.known.pairs
        numbers = np.array([_TRANSLATION, _NULL, self._unlinked])
        table, totals, null = (
            state.counted.astype(np.float32),
            state.totals.astype(np.float64),
            np.zeros(len(state.null)),
        )
        # Expectations share their memory with the counts of links, which are not drawn yet.
        fresh = state.counted.view(np.float32)
        for number in range(_ROUNDS + 1):
            drawing = number == _ROUNDS
            (state.counted if drawing else fresh)[:] = known
            sums, nulls = state.totals.astype(np.float64), np.zeros(len(null))
            for part in self._parts:
                _expect(self._corpus, state, part.start, part.stop, numbers, table, totals, null, fresh, sums, nulls,
                        drawing)  # fmt: skip
                advance(part.stop - part.start)
            if not drawing:
                table[:], totals, null = fresh, sums, nulls
        state.inverse[:] = 1 / (state.totals + _TRANSLATION * (len(null) - 1))
        self._learn_positions()

    def sweep(self, model: int, counts: Counts, scale: int, advance: Callable[[int], None]) -> None:
        """Draw every link again, given all others."""
        state = self._state
        numbers = np.array([_TRANSLATION, _NULL, self._unlinked, self._tension])
        for each in (state.jumped, state.fertile, state.off):
            each[:] = 0
        for part in self._parts:
            _sweep(self._corpus, state, part.start, part.stop, model, numbers, self._jumps, self._more, counts, scale)
            advance(part.stop - part.start)
        self._learn_positions()
        if model == _DIAGONAL:
            # One step of Newton's method.
            drawn, expected, squares, links = state.off
            if links and squares > 0:
                self._tension = float(np.clip(self._tension + (expected - drawn) / squares, *_TENSION_BOUNDS))

    def _learn_positions(self) -> None:
        """Estimate jumps and fertilities from the links."""
        state = self._state
        jumps = state.jumped + _JUMP
        reach = np.clip(np.arange(-self._longest, self._longest + 1), -_JUMPS, _JUMPS) + _JUMPS
        self._jumps = (jumps / jumps.sum())[reach]
        # How much likelier one more translation of a word is, by how many it has.
        average = state.fertile.sum(axis=0) + 0.5
        shares = state.fertile + average / average.sum()  # the average word counts as one occurrence
        self._more = np.full(shares.shape, 0.1)
        self._more[:, :-1] = shares[:, 1:] / shares[:, :-1]


@inlined
def _uniform(state: Any) -> float:
    """Draw from [0, 1) with a 64-bit xorshift generator (Marsaglia 2003)."""
    bits = state[0]
    bits ^= bits << np.uint64(13)
    bits ^= bits >> np.uint64(7)
    bits ^= bits << np.uint64(17)
    state[0] = bits
    return float(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def _near(near: Any, row: int, width: int, height: int, tension: float, weight: float) -> tuple[float, float]:
    """Fill in the probability of every position by its distance from the diagonal; return mean and variance of it."""
    # Each step away from the diagonal is the same factor: two exponentials instead of one per word.
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
    """Return the position that a number between 0 and the sum of the values falls on."""
    place = 0
    while place < width - 1 and drawn >= values[place]:
        drawn -= values[place]
        place += 1
    return place


@compiled
def _expect(  # noqa: PLR0913 - one loop, for the speed of it
    corpus: Any, state: Any, first: int, last: int, priors: Any, table: Any, totals: Any, null: Any, fresh: Any,
    sums: Any, nulls: Any, drawing: bool,
) -> None:  # fmt: skip
    """Add the expected links of some sentences to `fresh`, `sums` and `nulls`, or draw them if `drawing`.

    Expectations of the last round are in `table`, `totals` and `null`, as counts are in `state`.
    """
    sources, source_starts, targets, target_starts, cells, pairs, turned = corpus
    alpha, null_alpha, unlinked = priors[0], priors[1], priors[2]
    types = len(null) - 1
    longest = 1
    for sentence in range(first, last):
        longest = max(longest, source_starts[sentence + 1] - source_starts[sentence])
    values = np.empty(longest)
    having = np.zeros(longest, dtype=np.int64)
    inverse = 1.0 / (totals + alpha * types)
    for sentence in range(first, last):
        start, begin = source_starts[sentence], target_starts[sentence]
        width, height = source_starts[sentence + 1] - start, target_starts[sentence + 1] - begin
        down, across = (1, height) if turned else (width, 1)
        having[:width] = 0
        for row in range(height):
            target, cell = targets[begin + row], cells[sentence] + row * down
            free = unlinked * (null[target] + null_alpha) / (null[types] + null_alpha * types)
            share = (1 - unlinked) / max(width, 1)
            linked = 0.0
            for place in range(width):
                values[place] = (table[pairs[cell + place * across]] + alpha) * inverse[sources[start + place]] * share
                linked += values[place]
            total = linked + free
            if not drawing:
                for place in range(width):
                    expected = values[place] / total
                    fresh[pairs[cell + place * across]] += expected
                    sums[sources[start + place]] += expected
                nulls[target] += free / total
                nulls[types] += free / total
                continue
            drawn = _uniform(state.random) * total
            if drawn < linked:
                link = _drawn(values, width, drawn)
                state.counted[pairs[cell + link * across]] += 1
                state.totals[sources[start + link]] += 1
                having[link] += 1
                state.links[begin + row] = link
            else:
                state.null[target] += 1
                state.null[types] += 1
        if drawing:
            _remember(state, sources[start : start + width], state.links[begin : begin + height], having)


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
    jumping, fertile = model != _DIAGONAL, model == _FERTILITY
    # As plain arrays: references to parts of a tuple are counted at every access.
    sources, source_starts, targets, target_starts, cells, pairs, turned = corpus
    links, rest, counted, totals, inverse, null, _, _, off, random = state
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
            if rest[begin + row]:
                rest[begin + row] -= 1
                if link >= 0:
                    before = link
                    if len(counts):
                        counts[base + row * width + link] += np.uint16(scale)
                continue
            if link >= 0:
                word = sources[start + link]
                counted[pairs[cell + link * across]] -= 1
                totals[word] -= 1
                inverse[word] = 1.0 / (totals[word] + spread)
                having[link] -= 1
                if fertile:
                    fertility[link] = more[word, min(having[link], _FERTILITIES - 1)]
            else:
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
            drawn, value = _uniform(random) * total, free
            if drawn < linked:
                link = _drawn(values, width, drawn)
                value = values[link]
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
            if jumping and value >= _SURE * total:
                rest[begin + row] = _REST
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
