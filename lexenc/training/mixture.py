"""How examples of several sources or languages are drawn: their shares of an epoch, and whether a step mixes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lexenc.arrays import Indices, blocks
from lexenc.encoders.unigram import smoothed_shares
from lexenc.randomness import generator


@dataclass(frozen=True)
class Mixture:
    """Draws the examples of epochs and steps, such as pairs of sentences, or texts of some languages.

    Args:
        mix: rows: the examples of a step are drawn from all sources. batches: they are of one source.
        sampling: Exponent of the share of each source, see `smoothed_shares`, which counts its examples. An epoch has
            as many examples as there are. 1 draws every example once, 0 all sources alike.
        seed: Seed of the examples of each epoch.

    Source: Conneau et al. 2020 (XLM-R), section 3.1, for the shares.
    """

    mix: Literal["rows", "batches"] = "rows"
    sampling: float = 1.0
    seed: int = 0

    def rows(self, sources: Indices, epoch: int) -> Indices:
        """Return the examples of an epoch, sorted. None comes again before all of its source came, over epochs too.

        Args:
            sources: Source of each example. Shape [n].
            epoch: Number of the epoch, from 0.
        """
        if self.sampling == 1 or not len(sources):
            return np.arange(len(sources))
        counts = np.bincount(sources)
        quotas = _quotas(counts, self.sampling)
        drawn = [
            self._drawn(np.flatnonzero(sources == source), source, epoch * quotas[source], quotas[source])
            for source in np.flatnonzero(quotas).tolist()
        ]
        return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *drawn]))

    def _drawn(self, own: Indices, source: int, first: int, count: int) -> Indices:
        """Return some of an endless row of permutations of the examples of a source. Shape [count]."""
        passes = range(first // len(own), -(-(first + count) // len(own)))
        orders = [generator(self.seed, f"pass {each} over source {source}").permutation(own) for each in passes]
        found: Indices = np.concatenate(orders)[first % len(own) :][:count]
        return found

    def steps(self, sources: Indices, rows: Indices, *, batch_size: int, draw: np.random.Generator) -> list[Indices]:
        """Return the examples of each step in random order.

        Args:
            sources: Source of each example. Shape [n].
            rows: The examples of the epoch.
            batch_size: Examples per step. The last step may be shorter; with mix=batches, the last of every source.
            draw: Where the order comes from.
        """
        rows = draw.permutation(rows)
        if self.mix == "rows":
            return [rows[part] for part in blocks(len(rows), batch_size)]
        own = [rows[sources[rows] == source] for source in np.unique(sources)]
        steps = [each[part] for each in own for part in blocks(len(each), batch_size)]
        return [steps[place] for place in draw.permutation(len(steps))]


def _quotas(counts: Indices, alpha: float) -> Indices:
    """Return the examples of each source in an epoch, as many in all as there are; largest remainders rounded up."""
    shares = smoothed_shares({str(source): count for source, count in enumerate(counts.tolist())}, alpha)
    exact = np.array(list(shares.values())) * counts.sum()
    quotas: Indices = np.floor(exact).astype(np.int64)
    quotas[np.argsort(quotas - exact, kind="stable")[: counts.sum() - quotas.sum()]] += 1
    return quotas
