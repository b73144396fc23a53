"""The table of all systems on all tasks."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.files.evaluations import Convention, Item, Score, ScoredSystem
from lexenc.report.board import board
from lexenc.report.page import build_page


def words(share, n=60):
    """Answers of word translation, some of them correct."""
    right = np.arange(n) < share * n
    items = [Item((f"w{i}",), ("g",), True, ({"target": "g" if own else "x"},), {"ranks": [1 if own else 2]})
             for i, own in enumerate(right)]  # fmt: skip
    return items, float(right.mean())


@pytest.fixture
def many(evaluate, data_of, tmp_path):
    """Three encoders: word translation, where two tie, and alignment errors; one also sentence pairs in two tracks."""
    for name, share, error in (("good", 0.6, 0.2), ("same", 0.58, 0.1), ("bad", 0.1, 0.3)):
        items, value = words(share)
        score = Score("precision_at_1", value, value - 0.05, value + 0.05, 60)
        control = ScoredSystem("bli", (Score("precision_at_1", {"bad": 0.12}.get(name, 0.05), n=60),), Convention(),
                               {"control": "letters"})  # fmt: skip
        used = {"encoder": (name, None), "dictionary": ("d.tsv", None)}
        evaluate(tmp_path / f"bli-{name}", "bli", [ScoredSystem("bli", (score,)), control], [(items, {})], inputs=used)
        own = ScoredSystem("alignment", (Score("aer", error, error - 0.05, error + 0.05, 9),))
        evaluate(tmp_path / f"aer-{name}", "alignment", [own], [([], {})], inputs={"predicted": (name, None)})
    tracks = [("macro mean", 0.5), ("a", 0.4), ("b", 0.6)]
    evaluate(tmp_path / "sts", "sts", [ScoredSystem("sts", (Score("spearman", value, n=5),), labels={"track": track})
                                       for track, value in tracks], [([], {"track": "a"}), ([], {"track": "b"})],
             inputs={"encoder": ("good", None)})  # fmt: skip
    return data_of(tmp_path)


def test_a_row_for_every_encoder_and_the_controls_below(many, texts):
    (grid,) = board(many).parts
    assert grid.columns == ["system", "#bli P@1", "#alignment AER ↓", "#sts Spearman"]
    rows = {row[0].text: row[1:] for row in grid.rows}
    assert texts(rows["good"]) == ["60.0 [55.0, 65.0]", "20.0 [15.0, 25.0]", "50.0"]
    assert rows["good"][2].style.split() == ["score", "number"], "alone in its column"
    assert texts(rows["same"]) == ["58.3 ≈ [53.3, 63.3]", "10.0 [5.0, 15.0]", "–"]
    assert texts(rows["bad"])[0] == "10.0 † [5.0, 15.0]"
    assert [[name for name, row in rows.items() if "best" in row[place].style] for place in range(3)] == [
        ["good"], ["same"], [],
    ]  # fmt: skip
    assert list(rows)[-1] == "control: letters"
    assert texts(rows["control: letters"]) == ["12.0", "–", "–"], "the strongest one"
    for said in ("≈: not significantly different", "†: not significantly better", "smaller is better", "mean over tr"):
        assert said in grid.note
    assert "Not compared with the best of every column: bad, good" in grid.note, "alignment has no answers here"


def test_tables_of_papers_have_arrows_and_minus_signs(evaluate, data_of, tmp_path):
    own = ScoredSystem("alignment", (Score("aer", 0.2, 0.15, 0.25, 9),))
    evaluate(tmp_path / "aer", "alignment", [own], [([], {})], inputs={"predicted": ("a-b", None)})
    own = ScoredSystem("sts", (Score("spearman", -0.1, -0.3, 0.1, 9),))
    evaluate(tmp_path / "sts", "sts", [own], [([], {})], inputs={"encoder": ("a-b", None)})
    table = data_of(tmp_path).board
    latex = table.latex()
    assert r"alignment AER $\downarrow$ & sts Spearman" in latex
    assert r"a-b & 20.00 {\scriptsize [15.0, 25.0]} & $-$10.00 {\scriptsize [$-$30.0, 10.0]}" in latex
    assert table.markdown().startswith("| system | alignment AER ↓ | sts Spearman |")


def test_charts_say_that_smaller_is_better(many):
    page = build_page(many, title="t", sections=["scores"])
    assert "AER x 100, smaller is better" in page.html
    assert page.html.count("smaller is better") == page.html.count("AER x 100, smaller is better")


def test_it_is_part_of_the_page(many, evaluate, data_of, tmp_path):
    page = build_page(many, title="t", sections=["board"])
    assert '<td class="score number best" data-order="0.6"><bdi>60.0</bdi><br><bdi>[55.0, 65.0]</bdi></td>' in page.html


def test_systems_are_told_apart_and_sweeps_are_short(evaluate, data_of, tmp_path):
    for name in ("one", "two"):  # the same encoder and test set with other options
        items, value = words(0.5)
        evaluate(tmp_path / name, "bli", [ScoredSystem("bli", (Score("precision_at_1", value, n=60),))], [(items, {})],
                 inputs={"encoder": ("e", None), "dictionary": ("d.tsv", None)})  # fmt: skip
    weights = [0.0, 0.3, 0.5, 0.7, 1.0]
    swept = [ScoredSystem("bli", (Score("precision_at_1", 0.5, n=60),), labels={"lambda": each}) for each in weights]
    evaluate(tmp_path / "sweep", "bli", swept, [([], {"lambda": each}) for each in weights],
             inputs={"vectors": ("v", None), "dictionary": ("d.tsv", None)})  # fmt: skip
    (grid,) = board(data_of(tmp_path)).parts
    names = [row[0].text for row in grid.rows]
    assert names == ["e", "v, lambda 0", "v, lambda 0.5", "v, lambda 1", "e, two"]
