"""Places of gold concepts, and precision."""

from __future__ import annotations

import numpy as np

from lexenc.arrays import Ragged
from lexenc.evaluation.linking import MEASURE, gold_ranks, hit_columns
from lexenc.files.evaluations import ScoredSystem
from lexenc.randomness import generator


def test_any_concept_in_common_is_a_hit():
    concepts = Ragged.of([[0], [1, 2], [3], [2]])
    lines = np.array([[0, 1, 3], [2, 1, -1], [0, 3, 1], [2, -1, -1]])
    gold = Ragged.of([[2, 4], [3], [], [1]])
    assert gold_ranks(lines, concepts, gold, 5).tolist() == [2, 1, 0, 0]


def summary(ranks):
    (scores,) = MEASURE.scores([hit_columns(ranks)], generator=generator(0, "x"))
    return ScoredSystem("xel", scores).flat()


def test_precision_is_the_share_of_places_up_to_the_cutoff():
    ranks = np.array([1, 0, 2, 5, 6, 10, 1, 0])
    table = summary(ranks)
    assert (table["queries"], table["precision_at_1"], table["precision_at_5"], table["precision_at_10"]) == (
        8, 0.25, 0.5, 0.75,
    )  # fmt: skip
    assert 0 <= table["precision_at_1_low"] <= 0.25 <= table["precision_at_1_high"] <= 1
    assert summary(ranks[:0]) == {
        "task": "xel", "queries": 0, "precision_at_1": 0.0, "precision_at_5": 0.0, "precision_at_10": 0.0,
    }  # fmt: skip
