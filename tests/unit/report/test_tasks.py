"""Tables, findings and charts of tasks other than word translation, known ones and unknown ones."""

from __future__ import annotations

import pytest

from lexenc.artifact import InputRecord, Manifest, write_manifest
from lexenc.report.evidence import Evidence
from lexenc.report.page import SECTIONS, build_page
from lexenc.report.parts import Figure, Grid
from lexenc.report.runs import find_runs
from lexenc.report.tables import any_task, decimal, differences, head, plain
from lexenc.report.tasks import best_of_tasks, findings, task_parts

DIGEST = "9a95ee1ec16c5897f085397ac6e9f445e710701d390a8b3254b584ccf413d8f3"


def make(folder, *, stage, results, inputs=None):
    folder.mkdir(parents=True)
    records = {name: [InputRecord(path, path, "ab" * 32, None)] for name, path in (inputs or {}).items()}
    write_manifest(folder, Manifest(
        stage=stage, stage_version=1, key=folder.name, params={}, seed=0, inputs=records, outputs={}, summary={},
        results=list(results), tables=[], device="cpu", precision="float32", seconds=1.0,
        created="2026-01-01T00:00:00+00:00", command="", versions={"lexenc": "0"},
    ))  # fmt: skip


def bounded(key, value, width=0.05):
    return {key: value, f"{key}_low": value - width, f"{key}_high": value + width}


def similarity(weight, value, *, out="left out", pairs=100, **more):
    own = {"task": "xlsim", "out_of_vocabulary": out, "pairs": pairs, "words_static": 7, "words_missing": 0,
           "undefined": "", **bounded("spearman", value), **more}  # fmt: skip
    return own if weight is None else {**own, "lambda": weight}


def linking(protocol, scored, value, **more):
    return {"task": "xel", "mentions": 9, "answerable_mentions": 6, "knowledge_base_sha256": DIGEST, "queries": 6,
            "protocol": protocol, "scored": scored, **bounded("precision_at_1", value), **more}  # fmt: skip


def difference(value, width=0.01, **more):
    return {**bounded("difference", value, width), "first": 0.8, "second": 0.8 - value, "shown": abs(value) > width,
            "metric": "precision_at_1", "queries": 643, **more}  # fmt: skip


@pytest.fixture
def sweep(tmp_path):
    """Without a vector for everything, lambda 0 is scored on fewer pairs, and looks best on these."""
    make(tmp_path / "sweep", stage="eval xlsim", results=[
        similarity(0.0, 0.3, pairs=60), similarity(0.5, 0.2), similarity(1.0, 0.0),
        similarity(0.0, 0.1, out="similarity 0"), similarity(0.5, 0.2, out="similarity 0"),
        similarity(1.0, 0.0, out="similarity 0"), similarity(0.5, 0.0, control="shuffled scores"),
    ])  # fmt: skip
    return Evidence(find_runs(tmp_path))


@pytest.fixture
def linked(tmp_path):
    control = {"control": "letters"}
    make(tmp_path / "linked", stage="eval xel", inputs={"mentions": "m.txt"}, results=[
        linking("names", "all", 0.5), linking("concepts", "answerable", 0.8),
        linking("names", "all", 0.6, **control), linking("concepts", "answerable", 0.9, **control),
        difference(-0.008, comparison="encoder against control", protocol="concepts", **control),
    ])  # fmt: skip
    return Evidence(find_runs(tmp_path))


def texts(row):
    return [cell.text for cell in row]


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (5.809e-06, "under 0.001"),
        (0.00567, "0.006"),
        (0.5, "0.5"),
        (0.9999, "1"),
        (12.345, "12.3"),
        (1234.6, "1,235"),
        (-1e-9, "above -0.001"),
    ],
)
def test_numbers_have_no_powers_of_ten(value, text):
    assert decimal(value) == text


def test_digests_are_short_enough_to_break_no_page():
    assert plain(DIGEST) == "9a95ee1ec16c…"
    assert plain(None) == ""
    assert plain(True) == "True"
    assert plain(1234) == "1,234"


def test_heads_are_words():
    assert head("search_space_words") == "words to choose from"
    assert head("some_new_key") == "some new key"


# ---------------------------------------------------------------- tables


def test_what_matters_comes_first_and_empty_conventions_are_not_told(sweep):
    runs = [(sweep.runs.finished[0], each) for each in sweep.runs.finished[0].manifest.results[:6]]
    grid = any_task("eval xlsim: all results", runs)[0]
    assert grid.columns[:4] == ["result", "#lambda", "without vectors", "#Spearman"]
    assert texts(grid.rows[1])[1:4] == ["0.5", "left out", "20.0 [15.0, 25.0]"]
    assert "words missing: 0" in grid.note
    assert "undefined" not in grid.note


def test_long_tables_show_the_best_columns_and_fold_the_others(sweep):
    more = {f"detail_{i}": i for i in range(20)}
    rows = [(sweep.runs.finished[0], {**similarity(i / 4, i / 10), **{key: i * v for key, v in more.items()}})
            for i in range(3)]  # fmt: skip
    short, full = any_task("t", rows)
    assert len(short.columns) == 9
    assert "#Spearman" in short.columns
    assert full.folded
    assert len(full.columns) > 20


def test_rows_that_lack_a_number_say_so(sweep):
    run = sweep.runs.finished[0]
    rows = [(run, {"candidates": "best", "precision_at_1": 0.5, "expected_calibration_error": 0.05}),
            (run, {"candidates": "others", "expected_calibration_error": 5e-06})]  # fmt: skip
    grid = any_task("induce: all results", rows)[0]
    assert grid.columns == ["result", "candidates", "#calibration error", "#P@1"]
    assert texts(grid.rows[1])[1:] == ["others", "0.0", "–"]


def test_differences_have_columns_and_an_answer(linked):
    run = linked.runs.finished[0]
    found = [difference(-0.00778, 0.02), difference(0.05), difference(-0.05), {"difference": 1}]
    grid = differences("d", [(run, each) for each in found])
    table = [dict(zip(grid.columns, texts(row), strict=True)) for row in grid.rows]
    assert table[0]["#difference"] == "-0.8"
    assert table[0]["#95 % interval"] == "[-2.8, 1.2]"
    assert [row["answer"] for row in table] == ["not shown", "shown", "shown: the other way round", "no interval"]
    assert table[0]["#count"] == "643"


# ---------------------------------------------------------------- findings and charts


def test_a_sweep_is_judged_on_pairs_that_all_weights_answer(sweep):
    ((best, told, how),) = best_of_tasks(sweep)
    assert (best.weight, told) == (0.5, "sweep agrees with people, best at lambda 0.5")
    assert "all pairs, similarity 0" in how
    (curve,) = [part for part in task_parts(sweep) if isinstance(part, Figure)]
    assert curve.title == "Word similarity over lambda (sweep)"
    assert "do not have vectors for the same pairs (60 to 100)" in curve.note
    assert "control: shuffled scores" in curve.drawings["narrow"]


def test_what_may_be_chance_is_not_called_agreement(tmp_path):
    make(tmp_path / "weak", stage="eval xlsim", results=[similarity(None, 0.02)])
    page = build_page(Evidence(find_runs(tmp_path)), title="t", sections=[*SECTIONS])
    assert page.headline == "weak is not shown to agree with people: 2.0 [-3.0, 7.0]."
    assert page.charts == 2


def test_linking_is_drawn_with_its_control_and_compared(linked):
    figures = [part for part in task_parts(linked) if isinstance(part, Figure)]
    assert [one.title for one in figures] == ["Entity linking: linked"]
    assert "by concept, answerable" in figures[0].drawings["wide"]
    assert "control: letters" in figures[0].drawings["wide"]
    found = [part for part in findings(linked) if isinstance(part, Grid)]
    assert texts(found[0].rows[0])[:3] == ["linked names the concept of a mention", "80.0", "[75.0, 85.0]"]
    assert texts(found[1].rows[0])[1:4] == ["-0.8", "[-1.8, 0.2]", "not shown"]


# ---------------------------------------------------------------- unknown tasks


def test_tasks_that_the_report_does_not_know_have_tables(tmp_path):
    scores = {**bounded("aer", 0.2), **bounded("precision", 0.8), **bounded("recall", 0.7)}
    make(tmp_path / "one", stage="eval alignment", results=[{"task": "alignment", "method": "hmm", **scores}])
    make(tmp_path / "two", stage="align", results=[])
    make(tmp_path / "odd", stage="a new one", results=[{"a": None, "b": [1], "c": {"d": 1}, "e": "x" * 300, "f": True}])
    page = build_page(Evidence(find_runs(tmp_path)), title="t", sections=[*SECTIONS])
    assert page.headline == "one: AER 0.200 [0.150, 0.250]."
    (grid, *_) = [part for part in task_parts(Evidence(find_runs(tmp_path))) if "alignment" in part.title]
    assert grid.columns[:5] == ["result", "method", "#AER", "#precision", "#recall"]
    assert texts(grid.rows[0])[2] == "20.0 [15.0, 25.0]"


@pytest.mark.parametrize("stage", ["eval xel", "eval xlsim", "compare", "map", "induce"])
def test_results_of_another_form_break_nothing(tmp_path, stage):
    odd = [{}, {"spearman": "high", "precision_at_1": None}, {"difference": None, "metric": None, "control": 3},
           {"spearman": 0.1, "lambda": "x", "precision_at_1": 0.1, "pairs": "many"}]  # fmt: skip
    make(tmp_path / "odd", stage=stage, results=odd)
    assert "odd" in build_page(Evidence(find_runs(tmp_path)), title="t", sections=[*SECTIONS]).html
