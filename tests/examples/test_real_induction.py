"""Probabilities of an induced lexicon on real data; skipped, loudly, without the data."""

from __future__ import annotations

import json

import pytest
from lexenc_cli.main import build_app
from typer.testing import CliRunner

pytestmark = [pytest.mark.data, pytest.mark.slow]


def lexenc(*args: object) -> list[dict]:
    """Run a command and give the objects that it prints."""
    done = CliRunner().invoke(build_app(), [*(str(each) for each in args), "--lowercase", "--json"])
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_probabilities_hold_on_words_that_nothing_was_learnt_from(data, tmp_path):
    files = [f"--{side}={data}/static/{code}.fasttext300.vec.gz" for side, code in (("source", "en"), ("target", "de"))]
    train, test = (data / "bli/gt/en-de" / name for name in ("train.freq.5k.tsv", "test.freq.2k.tsv"))
    lexenc("map", *files, "--dictionary", train, "--limit", 10_000, "--out", tmp_path / "mapped")
    vectors = ["--vectors", tmp_path / "mapped"]
    head, _, control = lexenc("induce", *vectors, "--dictionary", train, "--folds", 3, "--out", tmp_path / "lexicon")
    assert head["basis"] == "cross-fitted"
    assert head["precision_at_1_seen"] > 2 * head["precision_at_1"], "what the mapping has seen is no evidence"
    assert head["expected_calibration_error"] <= 0.05
    assert control["above_threshold"] == 0
    unseen = lexenc("induce", *vectors, "--calibration", tmp_path / "lexicon", "--held-out", test, "--limit", 10)[0]
    assert unseen["entries"] > 300
    assert unseen["expected_calibration_error"] <= 0.05 + unseen["expected_calibration_error_if_perfect"] / 2
