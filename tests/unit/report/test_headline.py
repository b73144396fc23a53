"""The headline and the tiles below it: what each number is, and why two of them differ."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lexenc.artifact import InputRecord, Manifest, write_manifest
from lexenc.files.evaluations import Convention, Item, Score, ScoredSystem, writing_evaluation
from lexenc.report.evidence import Evidence
from lexenc.report.page import build_page
from lexenc.report.runs import find_runs

WEIGHTS = {0.0: 0.3, 0.2: 0.45, 0.4: 0.5, 0.6: 0.5, 1.0: 0.4}


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "runs" / "sweep"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    values = {"precision_at_5": 0.9, "precision_at_10": 0.9, "mean_reciprocal_rank": 0.6}
    convention = Convention("nearest", "source-target", "whole target vocabulary", 900, "source word", "left out")
    with writing_evaluation(folder, "bli") as writer:
        for weight, share in WEIGHTS.items():
            right = random.random(200) < share
            items = [
                Item((f"w{i}",), ("g",), True, ({"target": "g" if each else "x", "score": 1.0},),
                     {"ranks": [1 if each else 2]})
                for i, each in enumerate(right)
            ]  # fmt: skip
            writer.write(items, {"lambda": weight})
            scores = [Score(key, value, n=200) for key, value in [("precision_at_1", right.mean()), *values.items()]]
            writer.systems.append(
                ScoredSystem("bli", tuple(scores), convention, {"lambda": weight}, {"coverage": 1.0})
            )
    results = [{**each.flat(), "seed": 0} for each in writer.systems]
    record = InputRecord("d.tsv", "d.tsv", "ab" * 32, None)
    write_manifest(folder, Manifest(
        stage="eval bli", stage_version=1, key="sweep", params={}, seed=0, outputs={}, summary={}, results=results,
        inputs={"dictionary": [record], "encoder": [record]}, tables=[], device="cpu", precision="float32",
        seconds=1.0, created="2026-01-01T00:00:00+00:00", command="", versions={"lexenc": "0"},
    ))  # fmt: skip
    return build_page(Evidence(find_runs(tmp_path / "runs")), title="t", sections=["claims"])


def test_a_gain_with_a_chosen_lambda_says_so_and_has_its_tile(page):
    found = re.fullmatch(
        r"Blending near lambda 0\.\d beats the static vectors alone by (\d+\.\d) points "
        r"\[\d+\.\d, \d+\.\d\], lambda chosen on other words\.",
        page.headline,
    )
    assert found
    tiles = dict(re.findall(r'<dt>([^<]*)</dt><dd><span class="value">([^<]*)<', page.html))
    chosen, static = tiles["blend, lambda chosen on other words"], tiles["static vectors (lambda 0)"]
    assert float(chosen) - float(static) == pytest.approx(float(found[1]), abs=0.11)
    assert f'<span class="ends">+{found[1]} points</span>' in page.html


def test_the_best_tile_says_what_chose_it_and_what_that_adds(page):
    (best,) = re.findall(r"<dt>(best blend [^<]*)</dt>", page.html)
    assert best.endswith("chosen on these words")
    assert "On the words that chose it, lambda 0." in page.html
    assert "the gain above leaves out what choosing adds" in page.html
