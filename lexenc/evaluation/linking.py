"""Entity linking: where the gold concept stands, and precision under both rankings and both denominators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lexenc.arrays import Indices, Ragged
from lexenc.evaluation.bootstrap import Columns, Means
from lexenc.evaluation.ranking import CUTOFFS, hits_at
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Item

DEPTH = max(CUTOFFS)
"""Places that are looked at; what stands further down counts as not found."""
PROTOCOLS = ("names", "concepts")
SCORED = ("all", "answerable")
# The order of the results: SapBERT's protocol, then the one that measures the encoder, then the two others.
ORDER = (("names", "all"), ("concepts", "answerable"), ("names", "answerable"), ("concepts", "all"))
METRICS = tuple(Metric(f"precision_at_{cutoff}", f"P@{cutoff}") for cutoff in CUTOFFS)
MEASURE = Means([metric.key for metric in METRICS])


def gold_ranks(lines: Indices, concepts: Ragged, gold: Ragged, count: int) -> Indices:
    """Return the rank of the first line with a gold concept. One concept in common is enough.

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


def hit_columns(ranks: Indices) -> Columns:
    """Return whether a gold answer is among the first 1, 5 and 10, from its place or 0. Shape [q] to [3, q]."""
    return np.stack([hits_at(ranks, cutoff) for cutoff in CUTOFFS])


def item_columns(items: Sequence[Item], every: bool) -> Columns:
    """Score items as `eval xel` does by concept: mentions without a concept in the knowledge base are wrong."""
    return hit_columns(np.array([min(item.numbers["ranks"], default=0) for item in items], dtype=np.int64))


TASK = Task(
    name="xel",
    title="Entity linking",
    metrics=METRICS,
    measure=MEASURE,
    columns=item_columns,
    item="mention",
    test="mentions",
    uncovered="counted wrong",
    alike=(("knowledge_base_sha256",), ("case",)),
    options={"case": "--lowercase"},
    row={"protocol": "concepts", "scored": "answerable"},
    heads=("mention", "concepts", "answers"),
)
