"""Finding results, their order, and what a report says of them."""

from __future__ import annotations

import json

import pytest

from lexenc.errors import ConfigError
from lexenc.pages import Figure
from lexenc.report import lineage
from lexenc.report.results import find_results


@pytest.fixture
def root(make, tmp_path):
    made = tmp_path / "runs"
    mapped = make(made / "mapped", created="2026-01-03T00:00:00+00:00")
    shuffled = make(made / "deep" / "shuffled", stage="finetune", params={"control": "shuffled-pairs"})
    make(made / "scores", stage="eval bli", inputs={"vectors": (mapped, "mapped")})
    make(made / "control", stage="eval bli", inputs={"encoder": (shuffled, "shuffled")})
    return made


def test_what_a_result_is_made_from_comes_before_it(root):
    names = [each.name for each in find_results(root).finished]
    assert sorted(names) == ["control", "deep/shuffled", "mapped", "scores"]
    assert names.index("mapped") < names.index("scores")
    assert names.index("deep/shuffled") < names.index("control")


def test_a_control_makes_controls(root):
    results = find_results(root)
    assert {each.name for each in results.finished if results.is_control(each)} == {"control", "deep/shuffled"}


def test_what_lies_outside_is_followed(root):
    results = find_results(root / "scores")
    assert [each.name for each in results.finished] == ["../mapped", "scores"]


def test_a_result_that_took_the_place_of_another_is_not_its_origin(root):
    (root / "mapped" / "manifest.json").write_text(
        (root / "mapped" / "manifest.json").read_text().replace('"key": "mapped"', '"key": "other"')
    )
    results = find_results(root)
    (scores,) = [each for each in results.finished if each.name == "scores"]
    assert results.parents(scores) == []


def test_only_what_differs_from_the_defaults_is_named(make, root):
    folder = make(root / "eval", stage="eval bli", params={"retrieval": "csls", "top": 10, "precision": "float32"})
    (run,) = [run for run in find_results(root).finished if run.folder == folder]
    assert run.changed == {"retrieval": "csls"}


def test_unfinished_and_unreadable_results_are_named(root):
    (root / ".encoder.partial").mkdir()
    (root / ".encoder.partial" / "recipe.json").write_text('{"key": "x"}')
    (root / "broken").mkdir()
    (root / "broken" / "manifest.json").write_text("{")
    results = find_results(root)
    assert results.unfinished == ("encoder",)
    assert [name for name, _ in results.unreadable] == ["broken"]
    assert len(results.finished) == 4


def test_results_within_results_are_not_looked_for(make, root):
    make(root / "mapped" / "source" / "inner")
    assert len(find_results(root).finished) == 4


@pytest.mark.parametrize(
    ("make_it", "says"), [("absent", "does not exist"), ("file", "is a file"), ("empty", "no result")]
)
def test_a_folder_without_results_is_refused(tmp_path, make_it, says):
    path = tmp_path / "x"
    if make_it == "file":
        path.write_text("x")
    elif make_it == "empty":
        path.mkdir()
    with pytest.raises(ConfigError, match=says):
        find_results(path)


def test_a_manifest_of_another_program_is_no_result(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "an app"}))
    with pytest.raises(ConfigError, match="manifest that cannot be read"):
        find_results(tmp_path)


# ---------------------------------------------------------------- settings and drawing


TUNED = {
    "epochs": 5,
    "batch_size": 128,
    "loss": "mneg",
    "scale": 20.0,
    "schedule": "linear",
    "warmup": 0.1,
    "clip": 1.0,
}
LINKED = {"epochs": 1, "batch_size": 256, "loss": "multi-similarity", "schedule": "constant", "similarity_alpha": 1.0}


@pytest.mark.parametrize(
    ("stage", "inputs", "params", "expected"),
    [
        ("finetune", ["pairs"], TUNED, {}),
        ("finetune", ["synonyms"], LINKED, {}),
        ("finetune", ["pairs"], LINKED | {"epochs": 7}, {"epochs": 7, "loss": "multi-similarity", "batch_size": 256,
                                                          "schedule": "constant"}),
        ("map", ["dictionary"], {"supervision": "dictionary", "preset": "supervised", "kind": "advanced",
                                 "source_reweight": 0.5}, {}),
        ("map", [], {"supervision": "none", "preset": "unsupervised", "csls_neighbours": 10}, {"supervision": "none"}),
        ("map", ["dictionary"], {"supervision": "dictionary", "preset": "rcsls", "kind": "rcsls"}, {"preset": "rcsls"}),
        ("map", ["dictionary"], {"supervision": "dictionary", "preset": "gone by now", "limit": 5},
         {"supervision": "dictionary", "preset": "gone by now", "limit": 5}),
        ("a new one", [], {"x": 1}, {"x": 1}),
    ],
)  # fmt: skip
def test_what_presets_and_data_bring_is_a_default_too(make, tmp_path, stage, inputs, params, expected):
    given = {name: (tmp_path / "raw", None) for name in inputs}
    folder = make(tmp_path / "run", stage=stage, params=params, inputs=given)
    assert find_results(folder).finished[0].changed == expected


def test_inputs_that_are_not_here_are_not_called_replaced(make, data_of, tmp_path):
    mapped = make(tmp_path / "elsewhere" / "mapped")
    scores = make(tmp_path / "copied" / "scores", stage="eval bli", inputs={"vectors": (mapped, "mapped")})
    (table,) = [part for part in lineage.lineage(data_of(scores.parent)).parts if "Results" in part.title]
    assert table.rows[0][2].marked == [("vectors: elsewhere/mapped (not here)", True)]
    make(tmp_path / "copied" / "mapped", key="another")
    (table,) = [part for part in lineage.lineage(data_of(scores.parent)).parts if "Results" in part.title]
    assert ("vectors: elsewhere/mapped (replaced since)", True) in [
        row[2].marked[0] for row in table.rows if row[2].marked
    ]


def test_of_many_results_those_behind_the_last_are_drawn(make, data_of, root):
    for place in range(50):
        make(root / f"other{place}")
    make(root / "last", stage="link", inputs={"vectors": (root / "mapped", "mapped")}, created="2027-01-01")
    (figure,) = [part for part in lineage.lineage(data_of(root)).parts if isinstance(part, Figure)]
    assert figure.title == "From raw files to last"
    assert "Of 55 files and results" in figure.note
    assert [[cell.text for cell in row] for row in figure.data.rows] == [["mapped", "last"]]
