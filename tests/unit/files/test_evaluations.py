"""Evaluations on disk: what is written comes back, and damage is named."""

from __future__ import annotations

import json

import pytest

from lexenc.errors import DataError
from lexenc.files.evaluations import Convention, Item, Score, ScoredSystem, read_evaluation, writing_evaluation

ITEMS = [
    Item(("Straße",), ("street", "road"), True, ({"target": "street", "score": 0.5},), {"ranks": [1, 7]}),
    Item(("nichts",), ("nothing",), False, (), {"ranks": []}),
    # A vector file may hold words of undecodable bytes, and they may be answers.
    Item(("ÿ",), ("y",), True, ({"target": b"\xff\xfe".decode("utf-8", "surrogateescape"), "score": 0.1},), {}),
]
SYSTEM = ScoredSystem(
    "bli",
    (Score("precision_at_1", 0.5, 0.25, 0.75, 2), Score("mean_reciprocal_rank", 0.6, n=2), Score("x", None, n=2)),
    Convention(retrieval="csls", seed=3),
    {"lambda": 0.3},
    {"coverage": 0.5},
)


@pytest.fixture
def folder(tmp_path):
    with writing_evaluation(tmp_path, "bli") as writer:
        writer.write(ITEMS, {"lambda": 0.3})
        writer.write(iter(ITEMS[:1]), {"lambda": 1.0, "track": "en-de"})
        writer.systems = [SYSTEM]
    return tmp_path


def test_what_was_written_comes_back(folder):
    found = read_evaluation(folder)
    assert (found.task, found.headline) == ("bli", SYSTEM)
    assert [each.count for each in found.counts] == [3, 1]
    assert found.choices() == [{"lambda": 0.3}, {"lambda": 1.0}]
    items = list(found.items({"lambda": 0.3}))
    assert [each.asked for each in items] == [each.asked for each in ITEMS]
    assert [list(each.answers) for each in items] == [list(each.answers) for each in ITEMS]
    assert len(list(found.items())) == 4
    assert "Straße" in (folder / "items.jsonl").read_text(encoding="utf-8")
    assert read_evaluation(folder / "items.jsonl").systems == found.systems


def test_flat_objects_have_plain_keys():
    assert SYSTEM.flat() == {
        "task": "bli", "lambda": 0.3, "retrieval": "csls", "seed": 3, "coverage": 0.5, "queries": 2,
        "precision_at_1": 0.5, "precision_at_1_low": 0.25, "precision_at_1_high": 0.75, "mean_reciprocal_rank": 0.6,
        "x": None, "x_low": None, "x_high": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "line", ["7", "[1]", "{}", '{"asked": "a", "gold": []}', '{"asked": ["a"], "gold": [], "y": 1}', "x"]
)
def test_damaged_items_are_named_by_their_line(folder, line):
    with (folder / "items.jsonl").open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError, match="line 5"):
        list(read_evaluation(folder).items())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"task": "bli", "items": [1], "systems": []}'])
def test_damaged_scores_are_named(folder, text):
    (folder / "scores.json").write_text(text)
    with pytest.raises(DataError, match=r"scores\.json"):
        read_evaluation(folder)


def test_without_either_file_there_is_no_evaluation(folder):
    (folder / "scores.json").unlink()
    with pytest.raises(DataError, match="is not an evaluation"):
        read_evaluation(folder)


def test_an_interrupted_evaluation_leaves_nothing(tmp_path):
    def broken():
        yield ITEMS[0]
        raise ValueError("interrupted")

    with pytest.raises(ValueError, match="interrupted"), writing_evaluation(tmp_path, "bli") as writer:
        writer.write(broken())
    assert not list(tmp_path.iterdir())
    assert json.dumps(SYSTEM.flat())
