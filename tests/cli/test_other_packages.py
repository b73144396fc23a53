"""A package that is not part of lexenc adds a loss, a retrieval method, an aligner and an evaluation."""

from __future__ import annotations

import json
import os

import pytest

PACKAGE = '''
from dataclasses import dataclass

import numpy as np

from lexenc.alignment.aligners import AlignerKind
from lexenc.parameters import param
from lexenc.search.retrieval import Correction
from lexenc.evaluation.similarity import MEASURE, METRICS, item_columns
from lexenc.evaluation.task import Task
from lexenc.files.evaluations import Convention, Item
from lexenc.stage import Input, Stage
from lexenc.stages.evaluation.shared import IntervalParams, TestSet, evaluate
from lexenc.text.links import Links


def distance(contrast, *, scale):
    """Return the squared distance of each pair."""
    return scale * ((contrast.anchors - contrast.positives) ** 2).sum()


def short_first(targets, sources, **settings):
    """Prefer targets that stand early in the vocabulary."""
    return Correction(2.0, np.linspace(0, 0.01, len(targets)))


class Diagonal:
    def __init__(self, setup):
        self.least, self.counts = setup.options["threshold"], {"unequal": 0}

    def align(self, pairs):
        self.counts["unequal"] += sum(len(source) != len(target) for source, target in pairs)
        return Links.of([[(i, i, self.least) for i in range(min(map(len, pair)))] for pair in pairs])


DIAGONAL = AlignerKind(Diagonal, threshold=0.3, counts=("unequal",), summary="Link the words in order.")


LENGTHS = Task("length", "Length of words", METRICS, MEASURE, item_columns, item="pair", question=("gold",))


@dataclass(frozen=True)
class LengthParams(IntervalParams):
    at_most: int = param(9, "Letters that count.", ge=1)


def evaluate_length(inputs, params, job):
    pairs = [line.split("\t") for line in inputs["pairs"].read_text(encoding="utf-8").splitlines()]
    items = [Item((left, right), numbers={"gold": len(left), "cosine": min(len(right), params.at_most)})
             for left, right in pairs]
    return evaluate(LENGTHS, [TestSet("all", items)], params, job, convention=Convention(ties="average rank"))


LENGTH = Stage(
    name="eval length",
    version=1,
    inputs={"pairs": Input("Pairs of words.")},
    params=LengthParams,
    run=evaluate_length,
    summary="Score the length of words.",
    makes="scores.json and items.jsonl.",
    uses_seed=True,
)
'''
POINTS = """
[lexenc.loss]
distance = made_up:distance
[lexenc.retrieval]
short-first = made_up:short_first
[lexenc.aligner]
diagonal = made_up:DIAGONAL
[lexenc.stage]
eval length = made_up:LENGTH
[lexenc.task]
length = made_up:LENGTHS
"""


@pytest.fixture(scope="module")
def run(forked, tmp_path_factory):
    """Run a command where the package is installed; the exit code must be 0."""
    site = tmp_path_factory.mktemp("site")
    (site / "made_up.py").write_text(PACKAGE)
    (site / "made_up-1.0.dist-info").mkdir()
    (site / "made_up-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    (site / "made_up-1.0.dist-info" / "entry_points.txt").write_text(POINTS)

    def well(*words):
        done = forked(*words, env=os.environ | {"PYTHONPATH": str(site), "COLUMNS": "200"}, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return well


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["eval", "--help"], "Score the length of words."),
        (["eval", "length", "--help"], "Letters that count."),
        (["finetune", "--help"], "One of: mneg, own-hard, symmetric, printed, multi-similarity, distance."),
        (["eval", "bli", "--help"], "One of: nearest, csls, inverted-softmax, short-first."),
        (["translate", "--help"], "One of: nearest, csls, inverted-softmax, short-first."),
        (["align", "--help"], "statistical, eflomal, diagonal."),
        (["list", "aligners"], "diagonal Link the words in order."),
        (["list", "losses"], "distance Return the squared distance of each pair."),
        (["list", "tasks"], "length Score the length of words."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_parts_of_another_package_are_listed(run, words, shown):
    assert shown in " ".join(run(*words).replace("│", " ").split())


def test_parts_of_another_package_do_their_work(run, world, static, mapped, tmp_path):
    pairs = str(world / "train.tsv")
    steps = [
        {"stage": "finetune", "name": "tuned", "inputs": {"pairs": pairs, "encoder": str(static)},
         "params": {"loss": "distance", "epochs": 1}},
        {"stage": "eval bli", "name": "scores", "inputs": {"vectors": str(mapped), "dictionary": pairs},
         "params": {"retrieval": "short-first"}},
        {"stage": "align", "name": "links", "inputs": {"pairs": str(world / "text.tsv")},
         "params": {"method": "diagonal"}},
        {"stage": "eval length", "name": "long", "inputs": {"pairs": pairs}},
        {"stage": "eval length", "name": "short", "inputs": {"pairs": pairs}, "params": {"at_most": 4}},
        {"stage": "compare", "name": "compared", "inputs": {"first": "${long}", "second": "${short}"}},
    ]  # fmt: skip
    (tmp_path / "p.yaml").write_text(json.dumps({"workdir": "runs", "steps": steps}))
    results = [json.loads(line) for line in run("run", tmp_path / "p.yaml", "--json").splitlines()]
    first = {each["step"]: each for each in reversed(results)}
    assert first["long"]["task"] == "length"
    assert first["long"]["spearman"] != first["short"]["spearman"]
    assert first["compared"]["difference"] == pytest.approx(first["long"]["spearman"] - first["short"]["spearman"])
    assert first["scores"]["retrieval"] == "short-first"
    tuned = json.loads((tmp_path / "runs" / "tuned" / "manifest.json").read_text())
    assert tuned["params"]["loss"] == "distance"
    links = (tmp_path / "runs" / "links" / "alignments.txt").read_text().splitlines()
    assert set(links) == {"0-0 1-1 2-2 3-3"}
    assert set((tmp_path / "runs" / "links" / "scores.txt").read_text().split()) == {"0.3"}
    assert json.loads((tmp_path / "runs" / "links" / "manifest.json").read_text())["summary"]["unequal"] == len(links)
