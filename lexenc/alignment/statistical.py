"""Chains of both directions, side by side, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from lexenc.alignment.numbered import Bitext
from lexenc.alignment.sampling import Counts, Model, Priors, Sweeps, sample_links
from lexenc.alignment.symmetrise import Symmetrisation, links_of
from lexenc.text.links import Links

# Sums of a chain stay below this, so that they fit into 16 bits.
_MOST = 65_535
# Cells of the sentence pairs whose links are made at a time.
_CELLS = 1 << 22


@dataclass(frozen=True)
class Chain:
    """One chain: a direction and a number.

    Args:
        direction: `forward` links every target word to a source word, `backward` every source word to a target word.
        number: From 0; chains of one direction differ in their seed only.
    """

    direction: str
    number: int

    @property
    def name(self) -> str:
        """What to call it."""
        return f"{self.direction}-{self.number}"


def all_chains(count: int) -> list[Chain]:
    """Give so many chains of each direction, in turn."""
    return [Chain(direction, number) for number in range(count) for direction in ("forward", "backward")]


def usual_priors(model: Model) -> Priors:
    """Give the priors of a model: as their programs have them, but that fewer words are left without a link."""
    return Priors(unlinked=0.08 if model == "diagonal" else 0.05)


@dataclass(frozen=True)
class Sampling:
    """How the chains of a corpus are run.

    Args:
        sweeps: How often each goes through the corpus.
        seed: Of all of them.
        priors: What is thought before.
    """

    sweeps: Sweeps
    seed: int
    priors: Priors

    @property
    def scale(self) -> int:
        """What a certain link counts in one sweep."""
        return max(1, min(4096, _MOST // max(1, self.sweeps.counted)))

    @property
    def sure(self) -> int:
        """What a link counts that was certain in all sweeps of a chain."""
        return self.sweeps.counted * self.scale


class _Stopped(Exception):  # noqa: N818 - nothing is wrong
    """Somebody else had to stop."""


def run_chains(
    bitext: Bitext,
    chains: Iterable[Chain],
    sampling: Sampling,
    *,
    space: Callable[[Chain], Counts],
    finished: Callable[[Chain, Counts], None] = lambda chain, counts: None,
    threads: int = 1,
    told: Callable[[int], None] = lambda sentences: None,
) -> None:
    """Run chains side by side; the number of threads does not change the result.

    Args:
        bitext: The corpus.
        chains: Which.
        sampling: How.
        space: Gives room for the counts of a chain, zeros, shape [cells]; may lie on disk.
        finished: Told when a chain has come to its end.
        threads: Chains at a time.
        told: Called with how many sentence pairs any of them went through.
    """
    stopped = Event()

    def go_on(sentences: int) -> None:
        if stopped.is_set():
            raise _Stopped
        told(sentences)

    def run(chain: Chain) -> None:
        counts = space(chain)
        own = bitext if chain.direction == "forward" else bitext.swapped
        drawn = np.random.SeedSequence([sampling.seed, chain.number, int(chain.direction == "backward")])
        sample_links(
            own,
            sweeps=sampling.sweeps,
            seed=int(drawn.generate_state(1, np.uint64)[0]),
            counts=counts,
            scale=sampling.scale,
            priors=sampling.priors,
            told=go_on,
        )
        finished(chain, counts)

    pool = ThreadPoolExecutor(max(1, threads))
    try:
        for each in [pool.submit(run, chain) for chain in chains]:
            each.result()
    finally:
        # Whoever interrupts need not wait for more than a part of a sweep.
        stopped.set()
        pool.shutdown(cancel_futures=True)


def joined_links(
    bitext: Bitext,
    forward: list[Counts],
    backward: list[Counts],
    *,
    sure: int,
    how: Symmetrisation,
    threshold: float,
) -> Iterator[Links]:
    """Give the links of the corpus part by part: the chains of each direction averaged, both directions joined.

    Args:
        bitext: The corpus.
        forward: Counts of the chains of one direction. Shape [cells] each.
        backward: Of the other.
        sure: What a certain link counts in one chain.
        how: How directions are joined.
        threshold: For joining by probability.
    """
    cells = bitext.cells
    for first, last in bitext.parts(_CELLS):
        part = slice(cells[first], cells[last])
        ahead, back = (_summed([each[part] for each in side]) for side in (forward, backward))
        yield links_of(
            bitext.source.lengths[first:last],
            bitext.target.lengths[first:last],
            ahead,
            back,
            how,
            sure=sure * len(forward),
            threshold=threshold,
        )


def _summed(counts: list[Counts]) -> NDArray[np.int32]:
    total = counts[0].astype(np.int32)
    for each in counts[1:]:
        total += each
    return total
