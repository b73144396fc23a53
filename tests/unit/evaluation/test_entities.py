"""Scores of entities: by hand, against plain loops, resampled, and by type."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.evaluation.entities import (
    MEASURE,
    most_frequent_tags,
    scores_by_type,
    sentence_columns,
    sentence_item,
    tag_scores,
)
from lexenc.files.entities import NamedSentence

# conlleval on these tags: 3 gold entities, 4 found, 2 right. Strict: 3 found, 1 right.
GOLD = ["B-X I-X O B-Y".split(), "O B-X O O".split(), "O O O O".split()]
FOUND = ["B-X I-X O I-Y".split(), "B-X I-X O O".split(), "O O B-Y O".split()]
NOTHING = [["O"] * 4] * 3


def columns(gold, *runs):
    words = [[f"w{place}" for place in range(len(each))] for each in gold]
    items = [sentence_item(*row[:2], row[2:]) for row in zip(words, gold, *runs, strict=True)]
    return items, sentence_columns(items, True)


def test_scores_by_hand():
    precision, recall, f1 = tag_scores(GOLD, FOUND)
    assert (precision, recall, f1) == pytest.approx((2 / 4, 2 / 3, 4 / 7))
    assert tag_scores(GOLD, FOUND, strict=True) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert tag_scores(GOLD, NOTHING) == (0, 0, 0)
    assert tag_scores([], []) == (0, 0, 0)
    items, table = columns(GOLD, FOUND, GOLD)
    assert items[0].gold == ("X 1-2 w0 w1", "Y 4-4 w3")
    assert [each["target"] for each in items[2].answers] == ["Y 3-3 w2", "O"]
    assert MEASURE.values(table) == pytest.approx(
        {"f1": (4 / 7 + 1) / 2, "precision": 3 / 4, "recall": (2 / 3 + 1) / 2, "strict_f1": (1 / 3 + 1) / 2}
    )
    assert MEASURE.spread([table])["f1_by_seed"] == pytest.approx([4 / 7, 1])
    assert MEASURE.spread([table[:5]])["f1_sd"] is None
    assert scores_by_type(GOLD, [FOUND, NOTHING])["Y"] == pytest.approx(
        {"entities": 1, "precision": 1 / 4, "recall": 1 / 2, "f1": 1 / 3}
    )


def test_draws_are_those_of_sentences_drawn_one_by_one():
    random = np.random.default_rng(0)
    tags = np.array(["O", "B-X", "I-X", "B-Y", "I-Y"])
    gold, one, other = ([tags[random.integers(0, 5, 5)].tolist() for _ in range(60)] for _ in range(3))
    _, table = columns(gold, one, other)
    drawn = MEASURE.drawn([table, table[:5]], generator=random, draws=1000)
    plain = [MEASURE.values(table[:, random.integers(0, 60, 60)]) for _ in range(1000)]
    for name in MEASURE.metrics:
        expected = np.array([each[name] for each in plain])
        assert drawn[0][name].mean() == pytest.approx(expected.mean(), abs=0.02)
        assert drawn[0][name].std() == pytest.approx(expected.std(), rel=0.2)
    assert MEASURE.values(table)["f1"] == pytest.approx(np.mean([tag_scores(gold, run).f1 for run in (one, other)]))
    nothing = MEASURE.drawn([np.zeros((5, 0))], generator=random, draws=3)[0]["f1"]
    assert np.isnan(nothing).all()


def test_the_lexicon_gives_every_word_its_most_frequent_tag():
    train = [NamedSentence(("a", "b"), ("B-X", "O")), NamedSentence(("a", "b"), ("B-X", "B-Y")),
             NamedSentence(("a",), ("O",))]  # fmt: skip
    assert most_frequent_tags(train, [[("a", "b", "c")], []]) == [[["B-X", "B-Y", "O"]], []]
