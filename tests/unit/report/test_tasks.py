"""Any task is reported from its declaration alone: scores, charts, differences, kinds and answers."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.evaluation import TASKS
from lexenc.evaluation.bootstrap import Means
from lexenc.evaluation.task import Breakdown, Metric, Task
from lexenc.files.evaluations import Convention, Item, Score, ScoredSystem
from lexenc.pages import Figure, Grid
from lexenc.report.answers import answers, by_kind
from lexenc.report.page import SECTIONS, build_page
from lexenc.report.scores import claims, over_lambda, scores
from lexenc.report.tables import decimal, head, plain, table_of

DIGEST = "9a95ee1ec16c5897f085397ac6e9f445e710701d390a8b3254b584ccf413d8f3"


def bounded(key, value, width=0.05):
    return {key: value, f"{key}_low": value - width, f"{key}_high": value + width}


def scored(task, metric, value, *, labels=None, width=0.05, n=100, **convention):
    score = Score(metric, value, value - width, value + width, n)
    return ScoredSystem(task, (score,), Convention(**convention), labels or {})


def similarity(weight, value, *, out="left out", **more):
    labels = {**({} if weight is None else {"lambda": weight}), **more}
    return scored("xlsim", "spearman", value, labels=labels, out_of_vocabulary=out)


def grids(parts):
    return {part.title: part for part in parts if isinstance(part, Grid)}


def figures(parts):
    return {part.title: part for part in parts if isinstance(part, Figure)}


# ---------------------------------------------------------------- numbers and tables


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
    assert head("precision_at_1") == "P@1"
    assert head("some_new_key") == "some new key"


@pytest.fixture
def folder(make, data_of, tmp_path):
    make(tmp_path / "one")
    return data_of(tmp_path).results.finished[0]


def test_long_tables_show_the_first_columns_and_fold_the_others(folder):
    rows = [(folder, {**bounded("spearman", i / 10), "lambda": i / 4, **{f"detail_{k}": k * i for k in range(20)}})
            for i in range(3)]  # fmt: skip
    short, full = table_of("t", rows, first=["lambda"])
    assert short.columns[:3] == ["result", "#lambda", "#Spearman"]
    assert len(short.columns) == 9
    assert full.folded
    assert len(full.columns) > 20


def test_what_is_equal_in_all_rows_is_in_the_note(folder, texts):
    rows = [(folder, {**bounded("spearman", value), "words_missing": 0, "undefined": ""}) for value in (0.1, 0.2)]
    (grid,) = table_of("t", rows)
    assert texts(grid.rows[1]) == ["one", "20.0 [15.0, 25.0]"]
    assert "words missing: 0" in grid.note
    assert "undefined" not in grid.note


def test_rows_that_lack_a_number_say_so(folder, texts):
    rows = [(folder, {"candidates": "best", "precision_at_1": 0.5, "expected_calibration_error": 0.05}),
            (folder, {"candidates": "others", "expected_calibration_error": 5e-06})]  # fmt: skip
    (grid,) = table_of("induce: all results", rows, first=["candidates"])
    assert grid.columns == ["result", "candidates", "#P@1", "#calibration error"]
    assert texts(grid.rows[1])[1:] == ["others", "–", "0.0"]


# ---------------------------------------------------------------- tasks


def test_a_sweep_has_a_curve_with_its_control(evaluate, data_of, tmp_path):
    control = similarity(0.5, 0.0, control="shuffled scores")
    evaluate(tmp_path / "sweep", "xlsim", [
        similarity(0.0, 0.1), similarity(0.5, 0.2), similarity(1.0, 0.0), similarity(0.5, 0.1, out="similarity 0"),
        control,
    ], [([], {"lambda": weight}) for weight in (0.0, 0.5, 1.0)])  # fmt: skip
    data = data_of(tmp_path)
    assert data.main[0].label == "sweep, lambda 0.5"
    curve = figures(over_lambda(data).parts)["Word similarity: Spearman over lambda"]
    assert "highest" not in curve.about
    assert "lambda 0.5 has 20.0 (sweep)" in curve.about
    assert "control: shuffled scores" in curve.drawings["narrow"]
    (row,) = grids(claims(data).parts)["Differences between systems"].rows
    assert row[0].text == "sweep, lambda 0.5 against its control shuffled scores", "other answers are not there"
    assert figures(scores(data).parts) == {}


def test_what_may_be_chance_is_not_called_a_success(evaluate, data_of, tmp_path):
    evaluate(tmp_path / "weak", "xlsim", [similarity(None, 0.02)], [([], {})])
    page = build_page(data_of(tmp_path), title="t", sections=[*SECTIONS])
    assert page.headline == ("weak: word similarity, Spearman 2.0 [-3.0, 7.0], not significantly different from 0.")
    assert page.charts == 2


def test_conventions_and_controls_share_a_chart(evaluate, data_of, tmp_path):
    labels = [{"protocol": "names", "scored": "all"}, {"protocol": "concepts", "scored": "answerable"}]
    systems = [scored("xel", "precision_at_1", 0.5 + i / 10, labels={**own, **control})
               for control in ({}, {"control": "letters"}) for i, own in enumerate(labels)]  # fmt: skip
    evaluate(tmp_path / "linked", "xel", systems, [([], {})])
    (figure,) = figures(scores(data_of(tmp_path)).parts).values()
    for name in ("names, all", "concepts, answerable", "control: letters, names, all"):
        assert name in figure.drawings["wide"]


def test_a_smaller_error_is_better(evaluate, data_of, tmp_path):
    for name, value in (("good", 0.1), ("worse", 0.3)):
        evaluate(tmp_path / name, "alignment", [scored("alignment", "aer", value)], [([], {})])
    page = build_page(data_of(tmp_path), title="t", sections=["claims", "scores"])
    assert page.headline == "worse: word alignment, AER 30.0 [25.0, 35.0].", "the later one, not the better one"


def test_recorded_differences_are_judged_by_their_intervals(make, data_of, texts, tmp_path):
    def difference(name, value, width, **more):
        result = {**bounded("difference", value, width), "metric": "precision_at_1", "count": 643, **more}
        inputs = {side: (f"{side}.x", None) for side in ("first", "second")}
        make(tmp_path / name, stage="compare", results=[result], inputs=inputs, params={"first_system": "lambda=0.3"})

    difference("a", -0.00778, 0.02, draws=5000)
    difference("b", 0.05, 0.01)
    difference("c", -0.05, 0.01, metric="aer")
    difference("d", -0.05, 0.01, conventions="different")
    make(tmp_path / "e", stage="compare", results=[{"difference": 0.1, "metric": "aer"}, {"difference": 1}])
    grid = grids(claims(data_of(tmp_path)).parts)["Differences between systems"]
    rows = [dict(zip(grid.columns, texts(row), strict=True)) for row in grid.rows]
    assert rows[0]["comparison"] == "first.x, lambda 0.3 against second.x"
    assert rows[0]["#difference"] == "-0.8 [-2.8, 1.2]"
    assert rows[0]["how"] == "lexenc compare; 5,000 draws, lambda given, not chosen on other items"
    assert rows[0]["#items"] == "643"
    assert [row["significant"] for row in rows] == ["no", "yes", "yes", "yes, worse", "no"]
    assert rows[3]["how"].endswith("different conventions")


# ---------------------------------------------------------------- a new task


@pytest.fixture
def riddles(monkeypatch):
    """A task that the report has never seen."""
    task = Task(
        name="riddles",
        title="Riddles",
        metrics=(Metric("solved", "Solved"),),
        measure=Means(["solved"]),
        columns=lambda items, every: np.array([[each.numbers["solved"] for each in items]], dtype=np.float64),
        item="riddle",
        breakdowns=(Breakdown("by length", ("short", "long"),
                              lambda item: "short" if len(item.asked[0]) < 5 else "long", "By letters."),),
        heads=("riddle", "solution", "answers"),
    )  # fmt: skip
    monkeypatch.setitem(TASKS._entries, "riddles", task)
    monkeypatch.setitem(TASKS._loaded, "riddles", task)
    return task


def test_a_new_task_is_reported_without_changing_the_report(riddles, evaluate, data_of, texts, tmp_path):
    def answered(share):
        asked = [f"r{i}" if i % 2 else f"riddle{i}" for i in range(40)]
        answers = ["yes" if i < share else "no" for i in range(40)]
        return [
            Item((word,), ("yes",), i % 10 > 0, ({"target": answer},), {"solved": float(answer == "yes")})
            for i, (word, answer) in enumerate(zip(asked, answers, strict=True))
        ]

    for name, shares in (("old", (10, 20, 15)), ("new", (10, 30, 25))):
        systems = [scored("riddles", "solved", share / 40, labels={"lambda": weight}, width=0.1, n=36)
                   for weight, share in zip((0.0, 0.5, 1.0), shares, strict=True)]  # fmt: skip
        items = [(answered(share), each.labels) for share, each in zip(shares, systems, strict=True)]
        day = "2026-01-02" if name == "new" else "2026-01-01"
        evaluate(tmp_path / name, "riddles", systems, items, created=f"{day}T00:00:00+00:00")
    data = data_of(tmp_path)
    found = grids(claims(data).parts)["Differences between systems"]
    gains = {row[0].text: row for row in found.rows}
    assert gains["new: blending at lambda 0.5 against the static vectors alone"][2].text.startswith("+50.0 [")
    assert gains["new: blending at lambda 0.5 against the static vectors alone"][3].text == "yes"
    table = grids(scores(data).parts)["Riddles"]
    assert table.columns[:3] == ["result", "#lambda", "#Solved"]
    assert {row[2].style for row in table.rows} == {"number"}, "no value is chosen on the test set"
    assert "Riddles: Solved over lambda" in figures(over_lambda(data).parts)
    kinds = figures(by_kind(data).parts)["Solved by length"]
    assert {row[0].text for row in kinds.data.rows} == {"short", "long"}
    grid = grids(answers(data).parts)["Riddles: answers"]
    assert grid.columns == ["riddle", "", "solution", "answers", "by length"]
    assert grid.rows[0][1].text == "✗ wrong"
    assert grid.rows[-1][3].marked == [("yes", True)]
    assert "36 of 36 riddles shown, wrong answers first. 9 of 36 are wrong" in grid.note
    repeated = grids(answers(data).parts)["Repeated wrong answers"]
    assert texts(repeated.rows[0])[:3] == ["no", "9", "0"]
    page = build_page(data, title="t", sections=[*SECTIONS])
    assert page.headline.startswith("Blending at lambda 0.5 beats the static vectors alone by 50.0 [")


# ---------------------------------------------------------------- results without a task


def test_results_of_other_stages_have_tables(make, data_of, texts, tmp_path):
    make(tmp_path / "one", stage="induce", results=[{"candidates": "all", **bounded("precision", 0.2)}])
    make(tmp_path / "two", stage="align", results=[])
    make(tmp_path / "odd", stage="a new one", results=[{"a": None, "b": [1], "c": {"d": 1}, "e": "x" * 300, "f": True}])
    data = data_of(tmp_path)
    page = build_page(data, title="t", sections=[*SECTIONS])
    assert page.headline == "one: precision 0.200 [0.150, 0.250]."
    grid = grids(scores(data).parts)["induce: all results"]
    assert grid.columns == ["result", "#precision", "candidates"]
    assert texts(grid.rows[0])[1] == "20.0 [15.0, 25.0]"


@pytest.mark.parametrize("stage", ["eval xel", "eval xlsim", "compare", "map", "induce"])
def test_results_of_another_form_break_nothing(make, data_of, tmp_path, stage):
    odd = [{}, {"spearman": "high", "precision_at_1": None}, {"difference": None, "metric": None, "control": 3},
           {"spearman": 0.1, "lambda": "x", "precision_at_1": 0.1, "pairs": "many"}]  # fmt: skip
    make(tmp_path / "odd", stage=stage, results=odd)
    assert "odd" in build_page(data_of(tmp_path), title="t", sections=[*SECTIONS]).html


@pytest.mark.parametrize("body", ["{", '{"task": "gone", "items": [], "systems": []}', '{"task": "bli"}'])
def test_damaged_evaluations_break_nothing(make, data_of, tmp_path, body):
    make(tmp_path / "odd", stage="eval bli", results=[{"precision_at_1": 0.1}])
    for name in ("scores.json", "items.jsonl"):
        (tmp_path / "odd" / name).write_text(body)
    data = data_of(tmp_path)
    assert data.systems == []
    page = build_page(data, title="t", sections=["claims", "scores"])
    assert "eval bli: all results" not in page.html, "its rows would have no names"
    assert "Nothing has been compared" not in page.html
    assert page.headline == "No scores can be read."
    assert page.html.count(f"odd is left out: {tmp_path / 'odd' / 'scores.json'}") == 2, "at the top and in the section"


def test_a_damaged_result_is_no_evaluation(make, data_of, tmp_path):
    make(tmp_path / "vectors", stage="map")
    make(tmp_path / "odd", stage="map")
    (tmp_path / "odd" / "manifest.json").write_text("{")
    page = build_page(data_of(tmp_path), title="t", sections=["claims", "scores"])
    assert page.headline == "There are no evaluations in this folder: nothing has been scored yet."


@pytest.mark.parametrize("name", ["scores.json", "items.jsonl"])
def test_half_an_evaluation_is_damaged(evaluate, data_of, tmp_path, name):
    folder = evaluate(tmp_path / "one", "xlsim", [similarity(None, 0.2)], [([], {})])
    (folder / name).unlink()
    assert data_of(tmp_path).damaged == [
        f"one is left out: {folder} is not an evaluation: there is no scores.json with items.jsonl."
    ]


@pytest.mark.parametrize(("inside", "why"), [(True, "line 12: not JSON"), (False, "is damaged: it lacks 10 items of")])
def test_answers_that_were_cut_are_warned_of(evaluate, data_of, tmp_path, inside, why):
    items = [Item((f"w{place}",), ("g",), True, (), {"ranks": [1]}) for place in range(20)]
    for name in ("one", "two"):
        folder = evaluate(tmp_path / name, "bli", [scored("bli", "precision_at_1", 0.5)], [(items, {})])
    file = folder / "items.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:11]) + lines[11][:30] if inside else b"".join(lines[:10]))
    page = build_page(data_of(tmp_path), title="t", sections=["claims", "scores"])
    (warning,) = page.warnings
    assert warning.startswith(f"The answers of two are left out: {file}")
    assert why in warning
    assert warning in page.html.replace("&#39;", "'").split("<nav")[0]
    assert page.html.count("The answers of two") == 2


def test_unreadable_answers_leave_the_scores(evaluate, data_of, tmp_path):
    folder = evaluate(tmp_path / "one", "xlsim", [similarity(None, 0.2)], [([], {})])
    (folder / "items.jsonl").write_text("{}\n")
    page = build_page(data_of(tmp_path), title="t", sections=["scores", "answers"])
    assert "No answers can be read" in page.html
    assert "20.0 [15.0, 25.0]" in page.html
