"""Accuracy and F1 over runs equal scikit-learn's; draws of cells are draws of items; a bag of words learns."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from lexenc.evaluation.classification import MEASURE, ClassMeasure, bag_of_words, class_columns, class_items


@pytest.fixture
def columns():
    draw = np.random.default_rng(0)
    gold = draw.integers(0, 2, 90)  # the third class is only found
    return np.stack([gold, *(np.where(draw.random(90) < 0.7, gold, draw.integers(0, 3, 90)) for _ in range(2))]) * 1.0


def test_metrics_are_means_over_runs(columns):
    gold, *runs = columns
    found = MEASURE.values(columns)
    assert found["accuracy"] == pytest.approx(np.mean([accuracy_score(gold, run) for run in runs]))
    assert found["macro_f1"] == pytest.approx(np.mean([f1_score(gold, run, average="macro") for run in runs]))
    whole = ClassMeasure(["weighted_f1", "accuracy"])
    weighted = pytest.approx(np.mean([f1_score(gold, run, average="weighted") for run in runs]))
    assert whole.values(columns) == {"weighted_f1": weighted, "accuracy": found["accuracy"]}
    assert np.mean(whole.spread([columns])["weighted_f1_by_seed"]) == weighted
    own = MEASURE.spread([columns])
    assert own["accuracy_by_seed"] == pytest.approx([accuracy_score(gold, run) for run in runs])
    assert own["accuracy_sd"] == pytest.approx(np.std(own["accuracy_by_seed"], ddof=1))
    assert MEASURE.spread([columns[:2]])["macro_f1_sd"] is None
    assert np.isnan(MEASURE.values(columns[:, :0])["accuracy"])


def test_drawn_cells_are_drawn_items(columns):
    drawn, perfect = MEASURE.drawn([columns, columns[[0, 0]]], generator=np.random.default_rng(1), draws=4000)
    draw, expected = np.random.default_rng(2), []
    for _ in range(500):
        expected.append(list(MEASURE.values(columns[:, draw.integers(0, 90, 90)]).values()))
    for place, name in enumerate(MEASURE.metrics):
        assert drawn[name].mean() == pytest.approx(np.mean(expected, axis=0)[place], abs=0.01)
        assert drawn[name].std() == pytest.approx(np.std(expected, axis=0)[place], rel=0.15)
        assert (perfect[name] == 1).all()
    assert np.isnan(MEASURE.drawn([columns[:, :0]], generator=draw, draws=3)[0]["accuracy"]).all()


def test_items_come_back_as_columns():
    gold, runs = np.array([0, 1]), [np.array([0, 0]), np.array([1, 1])]
    items = class_items([("a", "b"), ("c", "d")], gold, runs, ("no", "yes"))
    assert (items[1].gold, items[1].answers) == (("yes",), ({"target": "no"}, {"target": "yes"}))
    assert (class_columns(("no", "yes"))(items, False) == [gold, *runs]).all()
    free = class_columns()
    assert (free(items, False)[:, :1] == free(items[:1], False)).all(), "a number does not depend on other items"
    assert MEASURE.values(free(items, False)) == MEASURE.values(np.stack([gold, *runs]))
    with pytest.raises(KeyError):
        class_columns(("no",))(items, False)


def test_a_bag_of_words_learns_words_and_their_overlap():
    words = ["sun", "moon", "star", "sea"]
    same = [(f"the {a} {b}", f"the {a} {b}") for a in words for b in words]
    other = [(f"the {a} {a}", f"a {b}") for a in words for b in words if a != b]
    classes = np.repeat([1, 0], [len(same), len(other)])
    (found,) = bag_of_words(same + other, classes, [[("the sea", "the sea"), ("the sun", "a tree")]])
    assert found.tolist() == [1, 0]
    (found,) = bag_of_words([("good",), ("",), ("bad",), ("bad",)], np.array([1, 1, 0, 0]), [[("good one",), ("bad",)]])
    assert found.tolist() == [1, 0]
