"""Finding results, their order, and what a report says of them."""

from __future__ import annotations

import json

import pytest

from lexenc.artifact import InputRecord, Manifest, write_manifest
from lexenc.errors import ConfigError
from lexenc.report import lineage
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Figure
from lexenc.report.runs import find_runs


def make(folder, *, stage="map", key=None, inputs=None, created="2026-01-01T00:00:00+00:00", params=None, results=()):
    folder.mkdir(parents=True)
    records = {name: [InputRecord(str(path), f"{path.name}", "ab" * 32, made_by)]
               for name, (path, made_by) in (inputs or {}).items()}  # fmt: skip
    manifest = Manifest(
        stage=stage, stage_version=1, key=key or folder.name, params=params or {}, seed=0, inputs=records, outputs={},
        summary={}, results=list(results), tables=[], device="cpu", precision="float32", seconds=1.0, created=created,
        command="", versions={"lexenc": "0"},
    )  # fmt: skip
    write_manifest(folder, manifest)
    return folder


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "runs"
    mapped = make(made / "mapped", created="2026-01-03T00:00:00+00:00")
    shuffled = make(made / "deep" / "shuffled", stage="finetune", params={"control": "shuffled-pairs"})
    make(made / "scores", stage="eval bli", inputs={"vectors": (mapped, "mapped")})
    make(made / "control", stage="eval bli", inputs={"encoder": (shuffled, "shuffled")})
    return made


def test_what_a_result_is_made_from_comes_before_it(root):
    names = [run.name for run in find_runs(root).finished]
    assert sorted(names) == ["control", "deep/shuffled", "mapped", "scores"]
    assert names.index("mapped") < names.index("scores")
    assert names.index("deep/shuffled") < names.index("control")


def test_a_control_makes_controls(root):
    runs = find_runs(root)
    assert {run.name for run in runs.finished if runs.is_control(run)} == {"control", "deep/shuffled"}


def test_what_lies_outside_is_followed(root):
    runs = find_runs(root / "scores")
    assert [run.name for run in runs.finished] == ["../mapped", "scores"]


def test_a_result_that_took_the_place_of_another_is_not_its_origin(root):
    (root / "mapped" / "manifest.json").write_text(
        (root / "mapped" / "manifest.json").read_text().replace('"key": "mapped"', '"key": "other"')
    )
    runs = find_runs(root)
    (scores,) = [run for run in runs.finished if run.name == "scores"]
    assert runs.parents(scores) == []


def test_only_what_differs_from_the_defaults_is_named(root):
    folder = make(root / "eval", stage="eval bli", params={"retrieval": "csls", "top": 10, "precision": "float32"})
    (run,) = [run for run in find_runs(root).finished if run.folder == folder]
    assert run.changed == {"retrieval": "csls"}


def test_unfinished_and_unreadable_results_are_named(root):
    (root / ".encoder.partial").mkdir()
    (root / ".encoder.partial" / "recipe.json").write_text('{"key": "x"}')
    (root / "broken").mkdir()
    (root / "broken" / "manifest.json").write_text("{")
    runs = find_runs(root)
    assert runs.unfinished == ("encoder",)
    assert [name for name, _ in runs.unreadable] == ["broken"]
    assert len(runs.finished) == 4


def test_results_within_results_are_not_looked_for(root):
    make(root / "mapped" / "source" / "inner")
    assert len(find_runs(root).finished) == 4


@pytest.mark.parametrize(
    ("make_it", "says"), [("absent", "is not there"), ("file", "is a file"), ("empty", "no result")]
)
def test_a_folder_without_results_is_refused(tmp_path, make_it, says):
    path = tmp_path / "x"
    if make_it == "file":
        path.write_text("x")
    elif make_it == "empty":
        path.mkdir()
    with pytest.raises(ConfigError, match=says):
        find_runs(path)


def test_a_manifest_of_another_program_is_no_result(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "an app"}))
    with pytest.raises(ConfigError, match="manifest that cannot be read"):
        find_runs(tmp_path)


# ---------------------------------------------------------------- settings and drawing


def changed(folder, **more):
    make(folder, **more)
    return find_runs(folder).finished[0].changed


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
def test_what_presets_and_data_bring_is_a_default_too(tmp_path, stage, inputs, params, expected):
    given = {name: (tmp_path / "raw", None) for name in inputs}
    assert changed(tmp_path / "run", stage=stage, params=params, inputs=given) == expected


def test_inputs_that_are_not_here_are_not_called_replaced(root, tmp_path):
    mapped = make(tmp_path / "elsewhere" / "mapped")
    scores = make(tmp_path / "copied" / "scores", stage="eval bli", inputs={"vectors": (mapped, "mapped")})
    (table,) = [part for part in lineage.lineage(Evidence(find_runs(scores.parent))).parts if "Results" in part.title]
    assert table.rows[0][2].marked == [("vectors: elsewhere/mapped (not here)", True)]
    make(tmp_path / "copied" / "mapped", key="another")
    (table,) = [part for part in lineage.lineage(Evidence(find_runs(scores.parent))).parts if "Results" in part.title]
    assert ("vectors: elsewhere/mapped (replaced since)", True) in [
        row[2].marked[0] for row in table.rows if row[2].marked
    ]


def test_of_many_results_those_behind_the_last_are_drawn(root):
    for place in range(50):
        make(root / f"other{place}")
    make(root / "last", stage="link", inputs={"vectors": (root / "mapped", "mapped")}, created="2027-01-01")
    (figure,) = [part for part in lineage.lineage(Evidence(find_runs(root))).parts if isinstance(part, Figure)]
    assert figure.title == "From raw files to last"
    assert "Of 55 files and results" in figure.note
    assert [[cell.text for cell in row] for row in figure.data.rows] == [["mapped", "last"]]
