"""Planes, charts and records: what is drawn, and that nothing a file holds can harm the page."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from lexenc import charts
from lexenc.errors import DataError
from lexenc.files.evaluations import Item
from lexenc.pages import Figure, Grid, number, readable, span
from lexenc.report import learning
from lexenc.report.planes import Pair, _plane, choose_pairs, project
from lexenc.report.verdicts import Verdict

EVIL = "</svg><script>hacked=1</script>\"'&\x00\udcff"


def asked(word, rank, answer="x"):
    gold = answer if rank == 1 else "gold"
    return Item((word,), (gold,), True, ({"target": answer},), {"ranks": [rank]})


def drawn(plane):
    return charts.plane(plane.pairs, plane.places, plane.explained.tolist())


def test_unprintable_characters_are_replaced():
    assert readable("a\x00b\x1b[0m\udcff\nü") == "a\ufffdb\ufffd[0m\ufffd\nü"


def test_numbers_and_intervals():
    assert number(0.1234, scale=100, sign=True).text == "+12.3"
    assert number(None).text == number(float("nan")).text == ""
    assert span(0.081, 0.14) == "[8.1, 14.0]"
    assert span(None, 1) == span(float("nan"), 1.0) == ""


# ---------------------------------------------------------------- planes


def test_the_plane_is_that_of_principal_components():
    random = np.random.default_rng(0)
    source, target = random.normal(size=(2, 30, 6)) * [9, 3, 1, 1, 1, 1]
    pairs = [Pair(f"a{i}", f"b{i}", True) for i in range(30)]
    plane = project("space", pairs, source, target)
    unit = np.concatenate([each / np.linalg.norm(each, axis=1, keepdims=True) for each in (source, target)])
    centred = unit - unit.mean(axis=0)
    values = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    np.testing.assert_allclose(plane.explained, values[:2] / values.sum())
    both = plane.places.reshape(-1, 2)
    np.testing.assert_allclose(both.var(axis=0) * len(both), values[:2])
    cosines = unit[:30] @ unit[30:].T
    assert plane.together == pytest.approx(np.diag(cosines).mean())
    assert plane.apart == pytest.approx(cosines[~np.eye(30, dtype=bool)].mean())


def test_the_signs_of_components_do_not_depend_on_the_machine():
    random = np.random.default_rng(1)
    source, target = random.normal(size=(2, 8, 5))
    pairs = [Pair("a", "b", True)] * 8
    first = project("space", pairs, source, target)
    turned = project("space", pairs[::-1], source[::-1], target[::-1])
    np.testing.assert_allclose(turned.places[0, ::-1], first.places[0], atol=1e-9)


def test_vectors_of_zeros_and_of_one_dimension_are_drawn():
    plane = project("space", [Pair("a", "b", True)] * 3, np.zeros((3, 2)), np.ones((3, 2)))
    assert np.isfinite(plane.places).all()
    assert "<svg" in charts.draw(
        drawn(project("s", [Pair("a", "b", True)] * 3, np.ones((3, 1)), np.zeros((3, 1)))), "x"
    )


def test_pairs_are_drawn_from_both_sides():
    rows = [asked(f"r{i}", 1, answer=f"t{i}") for i in range(50)] + [asked(f"w{i}", 2) for i in range(50)]
    pairs = choose_pairs(rows, seed=0, count=20)
    assert len(pairs) == 20
    assert sum(pair.right for pair in pairs) == 10
    assert all(pair.target == pair.source.replace("r", "t") for pair in pairs if pair.right)
    assert all(pair.target == "gold" for pair in pairs if not pair.right)
    assert pairs == choose_pairs(rows, seed=0, count=20)
    assert pairs != choose_pairs(rows, seed=1, count=20)
    assert len(choose_pairs(rows[:3], seed=0, count=20)) == 3
    assert len(choose_pairs([*rows[:3], *rows[50:]], seed=0, count=20)) == 20


def test_a_space_without_the_words_is_missing():
    table = {"a": np.ones(3)}
    with pytest.raises(DataError, match="only 0 of the 5 pairs"):
        _plane("space", [Pair("a", "b", True)] * 5, table, table)


def test_languages_of_different_dimensions_are_missing():
    pairs = [Pair("a", "b", True)] * 5
    with pytest.raises(DataError, match="3 and 4 dimensions"):
        _plane("space", pairs, {"a": np.ones(3)}, {"b": np.ones(4)})


# ---------------------------------------------------------------- charts


def all_charts():
    point = {"series": EVIL, "kind": f"{EVIL}|n=1", "label": EVIL, "x": 0.5, "y": 1.0, "low": 0.0, "high": 2.0}
    names, axes = [EVIL], {"x": EVIL, "y": EVIL}
    pairs = [Pair(EVIL, "wort", True), Pair("word", EVIL, False), Pair("c", "d", True)]
    random = np.random.default_rng(0)
    box = {"what": EVIL, "kind": "made", "label": EVIL}
    return {
        "curve": charts.curve([point], names, width=charts.WIDE, **axes),
        "lines": charts.lines([{**point, "line": True}], names, width=charts.HALF, **axes),
        "intervals": charts.intervals([point], names, [point["kind"]], width=charts.NARROW, x=EVIL),
        "shares": charts.shares([point], width=charts.HALF, diagonal=True, **axes),
        "plane": drawn(project(EVIL, pairs, *random.normal(size=(2, 3, 4)))),
        "pipeline": charts.pipeline(
            [{"id": "a", "name": EVIL, "column": 0, **box}, {"id": "b", "name": "b", "column": 1, **box}], [("a", "b")]
        ),
    }


@pytest.mark.parametrize("name", list(all_charts()))
def test_charts_are_safe_svg_without_colours_of_their_own(name):
    svg = charts.draw(all_charts()[name], EVIL)
    root = ElementTree.fromstring(svg)  # well-formed, so that nothing broke out
    assert root.tag == "svg"
    assert root.get("aria-label") == readable(EVIL)
    tags = {each.tag for each in root.iter()}
    assert tags <= {"svg", "g", "path", "line", "text", "tspan", "rect"}
    assert " style=" not in svg
    assert " id=" not in svg
    assert "http" not in svg
    assert len(root.findall(".//path")) > 2
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg))
    assert all(each.startswith("var(--") or each in ("none", "currentColor", "transparent") for each in colours), (
        colours
    )


def test_texts_keep_their_digits():
    svg = charts.draw(all_charts()["curve"] | {"title": "0.12345"}, "1.23456")
    assert ">0.12345<" in svg
    assert 'aria-label="1.23456"' in svg


def test_series_differ_in_more_than_colour():
    rows = [{"series": name, "x": x, "y": x, "low": 0, "high": 1, "label": "l"} for name in "ab" for x in (0, 1)]
    svg = charts.draw(charts.curve(rows, ["a", "b"], width=charts.WIDE, x="x", y="y"), "")
    points = re.findall(r'aria-label="l"[^>]* d="([^"]*)"', svg)
    assert "stroke-dasharray" in svg
    assert len(points) == 4
    assert len(set(points)) == 2, "shapes"


def drawn_curve(values, best, width=charts.NARROW):
    rows = [{"series": "a", "x": x, "y": float(x == best), "low": 0, "high": 1, "label": "l"} for x in values]
    svg = charts.draw(charts.curve(rows, ["a"], width=width, x="x", y="y"), "")
    axis = svg[: svg.index(">x</text>")].rsplit("role-axis-label", 1)[1] if "role-axis-label" in svg else svg
    return re.findall(r">([\d.]+)</text>", axis)


@pytest.mark.parametrize("best", [0.5, 0.45, 0.95])
def test_the_ends_are_named_on_narrow_pages_whatever_is_best(best):
    shown = drawn_curve([0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 1], best)
    assert (shown[0], shown[-1]) == ("0", "1")
    assert "0.45" not in shown


def test_eight_weights_have_room_on_narrow_pages():
    assert drawn_curve([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1], 0.5) == "0 0.1 0.2 0.3 0.4 0.5 0.7 1".split()


def test_the_legend_of_a_narrow_chart_fits_beside_its_names():
    names, kinds = ["macro mean", "headlines.eng", "headlines.swa"], ["minilm/topics", "e5/topics"]
    points = [{"series": name, "kind": kind, "label": "", "y": 1.0, "low": 0.0, "high": 2.0}
              for name in names for kind in kinds]  # fmt: skip
    spec = charts.intervals(points, names, kinds, width=charts.NARROW, x="accuracy")
    width = float(ElementTree.fromstring(charts.draw(spec, "about")).get("viewBox").split()[2])
    assert width <= charts.NARROW


def test_words_at_the_edge_of_a_plane_stay_off_the_title_of_its_axis():
    random = np.random.default_rng(0)
    pairs = [Pair(f"eine sehr lange Benennung {i}", f"a very long name {i}", True) for i in range(40)]
    spec = drawn(project("s", pairs, *random.normal(size=(2, 40, 4))))
    size, rows = spec["width"], spec["data"]["values"]
    low, high = min(row["x"] for row in rows), max(row["x"] for row in rows)
    shown = spec["layer"][2]["data"]["values"]
    assert shown
    for row in shown:
        middle = 22 + (row["x"] - low) / (high - low) * (size - 44)
        assert 0 <= middle - 3.6 * len(row["word"])
        assert middle + 3.6 * len(row["word"]) <= size


# ---------------------------------------------------------------- records


@pytest.fixture
def run(tmp_path):
    return trained(tmp_path)


def trained(folder, name="run", **manifest):
    known = {"params": {}, "stage": "other", "summary": {}} | manifest
    return SimpleNamespace(name=name, folder=folder, manifest=SimpleNamespace(**known))


@pytest.fixture
def titles(stub):
    return lambda *runs: [part.title for part in learning.learning(stub(*runs)).parts if isinstance(part, Figure)]


def test_nothing_learnt_says_what_would_be_needed(stub, run):
    (remark,) = learning.learning(stub(run)).parts
    assert remark.command.startswith("lexenc finetune")


def test_records_are_drawn_where_they_are(titles, run):
    steps = [{"step": i, "epoch": i // 3, "loss": 3.0 / i, "learning_rate": 1e-3} for i in range(1, 9)]
    (run.folder / "training.jsonl").write_text("".join(json.dumps(each) + "\n" for each in steps))
    turns = [
        {"iteration": i, "objective": i / 9, "keep_probability": 0.1, "dictionary_size": 5 * i} for i in range(1, 5)
    ]
    (run.folder / "iterations.jsonl").write_text("".join(json.dumps(each) + "\n" for each in turns))
    bins = [{"low": 0, "high": 0.5, "mean": 0.3, "right": 0.2, "count": 9}, {"mean": 0.9, "right": 0.8}]
    points = [
        {"threshold": 0.5, "precision": 0.7, "coverage": 0.9},
        {"threshold": 0.9, "precision": None, "coverage": 0},
    ]
    (run.folder / "calibration.json").write_text(json.dumps({"bins": bins, "measured": {"thresholds": points}}))
    assert titles(run) == [
        "Loss per step", "Learning rate per step", "Objective of self-learning",
        "Dictionary size of self-learning", "Share of similarities kept",
        "Reliability of probabilities (run)", "Precision against coverage (run)",
    ]  # fmt: skip


def test_terms_and_development_scores_are_drawn(titles, run):
    steps = [{"step": i, "loss": 3.0 / i, "tr": 2.0, "wtr": 1.0 / i} for i in range(1, 9)]
    for step in steps[3::4]:
        step["score"] = step["step"] / 10
    (run.folder / "training.jsonl").write_text("".join(json.dumps(each) + "\n" for each in steps))
    assert titles(run) == [
        "Loss per step", "Score on development data", "Term tr of the loss per step", "Term wtr of the loss per step",
    ]  # fmt: skip


def test_development_scores_have_their_metric_and_the_score_before_training(stub, tmp_path):
    runs = []
    for name, more in (("sentences", {"stage": "train", "params": {"dev_metric": "retrieval"},
                                      "summary": {"dev_score_before": 0.02, "best_step": 6}}),
                       ("language", {"stage": "pretrain"})):  # fmt: skip
        (tmp_path / name).mkdir()
        steps = [{"step": i, "loss": 0.1**i, "score": -1.0 if name == "language" else i / 10} for i in range(1, 9)]
        (tmp_path / name / "training.jsonl").write_text("".join(json.dumps(each) + "\n" for each in steps))
        runs.append(trained(tmp_path / name, name, **more))
    figures = {part.title: part for part in learning.learning(stub(*runs)).parts}
    found = figures["Retrieval on development data"]
    assert [cell.text for cell in found.data.rows[0]] == ["sentences", "0", "2"]
    assert found.data.rows[1][2].text == "10", "x 100"
    assert found.note == "Step 0 of sentences is before training. sentences has the weights of step 6."
    assert figures["Loss on held-out text"].data.rows[0][2].text == "1", "the score is its negative"
    assert "logarithmic" in figures["Loss per step"].note
    assert ">1e-8<" not in figures["Loss per step"].drawings["any"]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "[1, 2]", '{"bins": 3}', '{"bins": [1, {"mean": "x"}], "measured": []}']
)
def test_records_of_another_form_are_left_out(titles, run, body):
    for name in ("training.jsonl", "iterations.jsonl", "calibration.json"):
        (run.folder / name).write_text(body)
    assert titles(run) == []


def test_long_records_are_thinned_and_it_is_said(stub, run):
    steps = [{"step": i, "epoch": 1, "loss": 1.0, "learning_rate": 1e-3} for i in range(5000)]
    (run.folder / "training.jsonl").write_text("".join(json.dumps(each) + "\n" for each in steps))
    figure = learning.learning(stub(run)).parts[0]
    assert "5,000" in figure.note
    assert len(figure.data.rows) <= 60
    assert len(figure.drawings["any"]) < 60_000


def learner(folder, name):
    place = folder / name
    place.mkdir()
    rows = [{"iteration": i, "objective": i / 9} for i in range(1, 5)]
    (place / "iterations.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return SimpleNamespace(name=name, folder=place)


def test_results_that_learnt_by_themselves_share_a_chart_with_their_verdicts(stub, tmp_path):
    runs = [learner(tmp_path, name) for name in ("good", "noise")]
    verdicts = [Verdict(run, "", word, {}) for run, word in zip(runs, ("found", "not found"), strict=True)]
    parts = learning.learning(stub(*runs, verdicts=verdicts)).parts
    (figure,) = [part for part in parts if isinstance(part, Figure)]
    assert figure.title == "Objective of self-learning"
    assert figure.drawings["any"].index("noise: not found") < figure.drawings["any"].index("good: found")
    (table,) = [part for part in parts if isinstance(part, Grid)]
    assert [row[1].text for row in table.rows] == ["✗ noise: not found", "✓ found"]


def test_no_chart_has_more_lines_than_can_be_told_apart(titles, tmp_path):
    runs = [learner(tmp_path, f"run{i}") for i in range(8)]
    assert titles(*runs) == ["Objective of self-learning (1 of 2)", "Objective of self-learning (2 of 2)"]
