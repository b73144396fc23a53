"""The headline and the tiles below it: what each number is, and why two of them differ."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lexenc.files.evaluations import Convention, Item, Score, ScoredSystem
from lexenc.report.page import build_page

WEIGHTS = {0.0: 0.3, 0.2: 0.45, 0.4: 0.5, 0.6: 0.5, 1.0: 0.4}


@pytest.fixture
def page(evaluate, data_of, tmp_path):
    random, systems, answers = np.random.default_rng(0), [], []
    convention = Convention("nearest", "source-target", "whole target vocabulary", 900, "source word", "left out")
    for weight, share in WEIGHTS.items():
        right = random.random(200) < share
        items = [
            Item((f"w{i}",), ("g",), True, ({"target": "g" if each else "x", "score": 1.0},),
                 {"ranks": [1 if each else 2]})
            for i, each in enumerate(right)
        ]  # fmt: skip
        labels, score = {"lambda": weight}, Score("precision_at_1", float(right.mean()), n=200)
        answers.append((items, labels))
        systems.append(ScoredSystem("bli", (score,), convention, labels, {"coverage": 1.0}))
    inputs = {name: ("d.tsv", None) for name in ("dictionary", "encoder")}
    evaluate(tmp_path / "runs" / "sweep", "bli", systems, answers, inputs=inputs)
    return build_page(data_of(tmp_path / "runs"), title="t", sections=["claims"])


def test_a_gain_with_a_chosen_lambda_says_so_and_has_its_tile(page):
    found = re.fullmatch(
        r"Blending near lambda 0\.\d beats the static vectors alone by (\d+\.\d) "
        r"\[\d+\.\d, \d+\.\d\] points, lambda chosen on other items\.",
        page.headline,
    )
    assert found
    tiles = dict(re.findall(r'<dt>([^<]*)</dt><dd><span class="value">([^<]*)<', page.html))
    chosen, static = tiles["blend, lambda chosen on other items"], tiles["static vectors (lambda 0)"]
    assert float(chosen) - float(static) == pytest.approx(float(found[1]), abs=0.11)
    assert f'<span class="ends">+{found[1]} points</span>' in page.html


def test_the_best_tile_says_what_chose_it_and_what_that_adds(page):
    (best,) = re.findall(r"<dt>(best blend [^<]*)</dt>", page.html)
    assert best.endswith("chosen on these items")
    assert "On the items that chose it, lambda 0." in page.html
    assert "The gain above excludes the effect of choosing" in page.html


def test_the_table_of_differences_says_how_many_draws_there_were(page):
    assert "scored on the other; 10,000 draws" in page.html
