"""The program on real data, with the numbers that were measured for it; skipped, loudly, without the data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lexenc_cli.main import build_app
from scipy.stats import spearmanr
from typer.testing import CliRunner

pytestmark = pytest.mark.data


def lexenc(*args: object) -> list[dict]:
    """Run a command and give the objects that it prints."""
    done = CliRunner().invoke(build_app(), [*(str(each) for each in args), "--json"])
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def mapped(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """English and German fastText vectors in one space, by VecMap's supervised preset."""
    out = tmp_path_factory.mktemp("mapped") / "mapped"
    files = [f"--{side}={data}/static/{code}.fasttext300.vec.gz" for side, code in (("source", "en"), ("target", "de"))]
    lexenc("map", *files, "--dictionary", data / "bli/gt/en-de/train.freq.5k.tsv", "--lowercase", "--out", out)
    return out


@pytest.mark.parametrize(
    ("retrieval", "wanted"), [("nearest", 0.1184), pytest.param("csls", 0.1569, marks=pytest.mark.slow)]
)
def test_mapping_alone_reaches_what_vecmap_reaches(data, mapped, retrieval, wanted):
    files = ["--vectors", mapped, "--dictionary", data / "bli/gt/en-de/test.freq.2k.tsv"]
    head, *others = lexenc("eval", "bli", *files, "--lowercase", "--retrieval", retrieval)
    assert head["queries"] == 752
    assert round(head["precision_at_1"], 4) == pytest.approx(wanted, abs=0.0014), "one question of 752"
    every = next(each for each in others if each["out_of_vocabulary"] == "counted wrong")
    assert every["precision_at_1"] == pytest.approx(head["precision_at_1"] * 752 / every["queries"])
    assert head["precision_at_1_low"] < head["precision_at_1"] < head["precision_at_1_high"]


def test_mapping_keeps_words_and_shows_the_chain(data, mapped):
    (manifest,) = lexenc("show", mapped)
    assert manifest["summary"]["rank"] == 300
    assert manifest["summary"]["source_words"] == 23_770
    assert manifest["summary"]["target_words"] == 35_505


@pytest.mark.parametrize(
    ("train", "test", "pairs", "sources"),
    [
        ("gt/de-fr/train.freq.5k.tsv", "gt/de-fr/test.freq.2k.tsv", 115, 347),
        ("gt/en-de/train.freq.5k.tsv", "gt/en-de/test.freq.2k.tsv", 0, 0),
        ("panlex/bg-ca/bg-ca.train.5000.cc.trans", "panlex/bg-ca/bg-ca.test.2000.cc.trans", 14, 498),
    ],
)
def test_audit_finds_the_known_leaks(data, tmp_path, train, test, pairs, sources):
    files = ["--train", data / "bli" / train, "--test", data / "bli" / test]
    (found,) = lexenc("audit", *files, "--lowercase", "--out", tmp_path / "clean")
    assert (found["leaked_pairs"], found["leaked_sources"]) == (pairs, sources)
    files[1] = tmp_path / "clean" / "train.tsv"
    assert lexenc("audit", *files, "--lowercase")[0]["leaked_pairs"] == 0


COUNT = 10


@pytest.fixture(scope="module", params=["gt/de-fi/train.freq.5k.tsv", "panlex/ca-et/ca-et.train.5000.cc.trans"])
def mined(request, data, tmp_path_factory) -> tuple[list[tuple[str, str]], list[dict]]:
    """A dictionary that repeats its sources, and the negatives of an untrained bag of subwords for it."""
    folder = tmp_path_factory.mktemp("mined")
    pairs = data / "bli" / request.param
    code = pairs.parent.name.split("-")[1]
    size = ["--dimensions", 16, "--vocabulary-size", 800]
    lexenc("new-encoder", "--text", pairs, *size, "--out", folder / "encoder")
    files = ["--pairs", pairs, "--encoder", folder / "encoder"]
    vocabulary = ["--target-vocabulary", data / "vocab" / f"{code}.50k.txt.gz"]
    lexenc("mine-negatives", *files, *vocabulary, "--count", COUNT, "--out", folder / "negatives")
    lines = (folder / "negatives" / "negatives.jsonl").read_text(encoding="utf-8").splitlines()
    read = [line.split("\t") for line in pairs.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [(source.strip(" "), target.strip(" ")) for source, target in read], [json.loads(line) for line in lines]


def test_no_mined_word_is_a_translation(mined):
    pairs, rows = mined
    gold: dict[str, set[str]] = {}
    for source, target in pairs:
        gold.setdefault(source.lower(), set()).add(target.lower())
    assert len(gold) < len(pairs), "sources are repeated"
    own_only = 0
    for row in rows:
        words = {each["text"].lower() for each in row["negatives"]}
        assert not words & gold[row["source"].lower()]
        assert row["source"].lower() not in words
        own_only += len(gold[row["source"].lower()]) > 1
    assert own_only > 300, "there was something to get wrong"


def test_every_row_has_exactly_so_many_different_words(mined):
    pairs, rows = mined
    assert [(row["source"], row["target"]) for row in rows] == pairs
    for row in rows:
        assert len({each["text"] for each in row["negatives"]}) == len(row["negatives"]) == COUNT


def test_static_vectors_order_word_pairs_as_scipy_says(data, mapped, tmp_path):
    files = [f"--{side}={data}/xlsim/simlex-{name}.txt" for side, name in (("source", "english"), ("target", "german"))]
    lexenc("cross-pairs", *files, "--out", tmp_path / "pairs")
    head, every, control = lexenc("eval", "xlsim", "--vectors", mapped, "--pairs", tmp_path / "pairs")
    words, vectors = (
        {side: read(side) for side in ("source", "target")}
        for read in (
            lambda side: (mapped / side / "words.txt").read_text(encoding="utf-8").splitlines(),
            lambda side: np.load(mapped / side / "vectors.npy").astype(float),
        )
    )
    index = {side: {word: row for row, word in enumerate(words[side])} for side in words}
    lines = (tmp_path / "pairs" / "pairs.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    kept = [row for row in rows if row[0] in index["source"] and row[1] in index["target"]]
    left, right = (
        vectors[side][[index[side][row[place]] for row in kept]] for place, side in enumerate(("source", "target"))
    )
    cosines = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    assert (head["pairs"], every["pairs"], len(kept)) == (1060, 1460, 1060)
    assert head["spearman"] == pytest.approx(spearmanr(cosines, [float(row[2]) for row in kept]).statistic, abs=1e-6)
    assert every["spearman"] < head["spearman_low"], "words without a vector cost much"
    assert abs(control["spearman"]) < 0.01
