"""Word similarity on the real SimLex sets; skipped, loudly, without the data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lexenc_cli.main import build_app
from scipy.stats import spearmanr
from typer.testing import CliRunner

from lexenc.device import choose_device
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.resources import bundled_folder

pytestmark = pytest.mark.data


def lexenc(*args: object) -> list[dict]:
    """Run a command and give the objects that it prints."""
    done = CliRunner().invoke(build_app(), [*(str(each) for each in args), "--json"])
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_simlex_in_two_languages_gives_1460_pairs(data, tmp_path):
    files = [f"--{side}={data}/xlsim/simlex-{name}.txt" for side, name in (("source", "english"), ("target", "german"))]
    lexenc("cross-pairs", *files, "--out", tmp_path / "pairs")
    (found,) = lexenc("cross-pairs", *files, "--out", tmp_path / "pairs")
    assert (found["pairs"], found["rows"], found["repeated_pairs"], found["max_difference"]) == (1460, 999, 3, 2.0)
    train = data / "bli/gt/en-de/train.freq.5k.tsv"
    files = ["--pairs", tmp_path / "pairs", "--train-dictionary", train, "--encoder", "mini", "--draws", 100]
    assert lexenc("eval", "xlsim", *files)[0]["pairs_learnt_from"] == 18, "German nouns differ in case only"


def test_the_bundled_encoder_scores_what_scipy_says(data):
    path = data / "xlsim" / "simlex-german.txt"
    rows = [line.split("\t") for line in path.read_bytes().decode().split("\r") if line.strip()][1:]
    assert len(rows) == 999
    encoder = load_encoder(bundled_folder("mini"), device=choose_device("cpu", "float32"))
    left, right = (encode_texts(encoder, [row[side] for row in rows]).astype(float) for side in (0, 1))
    cosines = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    head = lexenc("eval", "xlsim", "--encoder", "mini", "--pairs", path)[0]
    assert head["spearman"] == pytest.approx(spearmanr(cosines, [float(row[2]) for row in rows]).statistic, abs=1e-5)
    assert head["spearman_low"] < head["spearman"] < head["spearman_high"]


def test_two_languages_of_multi_simlex_are_crossed(data):
    files = ["--pairs", data / "xlsim" / "multi-simlex.tsv", "--encoder", "mini", "--draws", 100]
    crossed = lexenc("eval", "xlsim", *files, "--source-language", "en", "--target-language", "fi")[0]
    assert crossed["test_pairs"] == 3118
    assert lexenc("eval", "xlsim", *files, "--language", "fi")[0]["test_pairs"] == 1888
