"""Entity linking: where the gold concept stands, and precision under both rankings and both denominators."""

from __future__ import annotations

from typing import Any

import numpy as np

from lexenc.arrays import Indices, Ragged
from lexenc.evaluation.bootstrap import interval
from lexenc.evaluation.ranking import CUTOFFS, hits_at

DEPTH = max(CUTOFFS)
"""Places that are looked at; what stands further down counts as not found."""
PROTOCOLS = ("names", "concepts")
SCORED = ("all", "answerable")
# The order of the results: SapBERT's protocol, then the one that measures the encoder, then the two others.
ORDER = (("names", "all"), ("concepts", "answerable"), ("names", "answerable"), ("concepts", "all"))


def gold_ranks(lines: Indices, concepts: Ragged, gold: Ragged, count: int) -> Indices:
    """Give the place of the first line that holds a gold concept; any one in common is enough.

    Args:
        lines: Ranked lines of every mention, -1 where there are no more. Shape [q, k].
        concepts: Concepts of every line.
        gold: Gold concepts of every mention, as far as the knowledge base has them.
        count: Number of concepts.

    Returns:
        Places from 1, 0 where none holds one. Shape [q].
    """
    ranks = np.zeros(len(lines), dtype=np.int64)
    owners, places = np.nonzero(lines >= 0)
    own = concepts.take(lines[owners, places])
    hits = np.isin(owners[own.rows] * count + own.values, gold.rows * count + gold.values)
    # Backwards, so that the first place is the one that stays.
    which = own.rows[hits][::-1]
    ranks[owners[which]] = places[which] + 1
    return ranks


def summary(ranks: Indices, generator: np.random.Generator) -> dict[str, Any]:
    """Give precision at 1, 5 and 10 under plain keys, with the interval of precision at 1.

    Args:
        ranks: Place of the first gold answer of every mention that is scored, 0 where there is none. Shape [q].
        generator: Source of randomness.
    """
    table: dict[str, Any] = {"queries": len(ranks)}
    for cutoff in CUTOFFS:
        table[f"precision_at_{cutoff}"] = float(hits_at(ranks, cutoff).mean()) if len(ranks) else 0.0
    if len(ranks):
        low, high = interval(hits_at(ranks, 1), generator=generator)
        table |= {"precision_at_1_low": low, "precision_at_1_high": high}
    return table
