"""pretrain with senses and a dictionary: what it makes, stops and continues, and what it refuses."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from lexenc.device import CPU
from lexenc.encoders.load import load_encoder
from lexenc.errors import ConfigError, LexencError, PausedError
from lexenc.resources import read_pretraining
from lexenc.stages.encoders.pretrain import PretrainParams, check_pretrain, resolve_pretrain
from lexenc.training.sense_aware.bank import load_bank

SIZE = {"preset": "tiny", "dimensions": 8, "steps": 8, "batch_size": 8, "minimum_count": 1, "dev_share": 0.05}
ELMO = SIZE | {"model": "elmo", "cells": 8, "negatives": 10}
SENSES = {"senses": 2, "sense_min_count": 5, "skip_top": 1, "sense_refit_every": 2, "sense_queue": 50, "prune_every": 2}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("senses"), np.random.default_rng(0)
    words = {"en": "bank river money play dog".split(), "de": "ufer fluss geld spielen hund".split()}
    for name, own in words.items():
        lines = [" ".join(["na", *draw.choice(own, 3)]) for _ in range(60)]
        (folder / f"{name}.txt").write_text("".join(f"{line} {i}\n" for i, line in enumerate(lines)), encoding="utf-8")
    pairs = "bank\tufer\nbank\tgeld\nna\tna\nriver\tfluss\nriver\tcloud\n"
    (folder / "dictionary.tsv").write_text(pairs, encoding="utf-8")
    return folder


def files(text):
    return {"text": [f"{name}={text / f'{name}.txt'}" for name in ("en", "de")], "dictionary": text / "dictionary.tsv"}


def test_a_bilingual_elmo_stops_continues_and_keeps_copies(stage, text, tmp_path):
    params = ELMO | SENSES | {"keep_every": 4, "checkpoint_seconds": 1000}
    whole = stage("pretrain", tmp_path / "whole", params, **files(text))
    with pytest.raises(PausedError, match="after step 5 of 8"):
        stage("pretrain", tmp_path / "parts", params | {"max_steps": 5}, **files(text))
    parts = stage("pretrain", tmp_path / "parts", params | {"max_steps": 8}, **files(text))
    assert any("continuing from step 5" in each for each in parts.said)
    assert {"senses.json", "senses.safetensors", "steps/4/senses.json", "steps/8/model.safetensors"} <= whole.files
    for name in whole.files - {"manifest.json", "README.md"}:
        assert (whole.out / name).read_bytes() == (parts.out / name).read_bytes(), name
    summary = whole.manifest.summary
    assert summary["words_of_several_senses"] == 10
    assert (summary["dictionary_pairs_used"], summary["words_with_translations"]) == (3, 5)
    assert summary["dictionary_left_out"] == {
        "word is its own translation": 1,
        "target not in the vocabulary": 1,
    }
    assert set(summary["senses"]) == {"both directions"}
    assert summary["senses"]["both directions"]["senses"] <= 20
    lines = [json.loads(line) for line in (whole.out / "training.jsonl").read_text().splitlines()]
    assert ["senses" in line for line in lines] == [False, True] * 4
    bank = load_bank(whole.out)
    assert "bank" in bank
    assert (bank.tables, bank.context, bank.width) == (("next", "previous"), "both", 16)


def test_the_encoder_has_as_many_parameters_as_the_plain_one_and_no_sense_tables(stage, text, tmp_path):
    inputs = {"text": files(text)["text"]}
    plain = stage("pretrain", tmp_path / "plain", ELMO, **inputs)
    same = stage("pretrain", tmp_path / "one", ELMO | {"senses": 1}, **inputs)
    assert (plain.out / "model.safetensors").read_bytes() == (same.out / "model.safetensors").read_bytes()
    assert (plain.out / "training.jsonl").read_bytes() == (same.out / "training.jsonl").read_bytes()
    senses = stage("pretrain", tmp_path / "senses", ELMO | SENSES | {"sense_context": "own"}, **inputs)
    assert senses.manifest.summary["parameters"] == plain.manifest.summary["parameters"]
    assert set(senses.manifest.summary["senses"]) == {"next", "previous"}
    for name in ("senses.json", "senses.safetensors"):
        (senses.out / name).unlink()
    assert load_encoder(senses.out, device=CPU).kind == "elmo"


def test_a_bert_of_whole_words_has_senses(stage, text, tmp_path):
    params = SIZE | SENSES | {"model": "bert", "layers": 1, "heads": 2, "sense_choice": "random"}
    made = stage("pretrain", tmp_path / "bert", params, **files(text))
    assert json.loads((made.out / "config.json").read_text())["model_type"] == "bert"
    assert "bank" in load_bank(made.out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = stage("pretrain", tmp_path / "more", {"model": "bert", "steps": 2, "batch_size": 4, "senses": 2},
                      text=files(text)["text"], encoder=made.out)  # fmt: skip
    assert any("No word besides the 60 most frequent" in each for each in again.warnings)
    assert not any("new one is trained" in each for each in again.warnings)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sense_scope": "all"}, "--sense-scope has no effect without senses"),
        ({"senses": 2, "translations": 3}, "--translations has no effect without --dictionary"),
        ({"senses": 2, "sense_context": "own"}, "no effect with --model xlm-r"),
        ({"senses": 3, "prune_below": 0.4}, "would remove all of 3 senses"),
        ({"senses": 2, "reset_senses": True, "sense_start": "kmeans"}, "exclude each other"),
        ({"senses": 2, "sense_choice": "oracle"}, "needs --pseudo-words"),
    ],
)
def test_options_that_do_not_fit_are_refused(stage, text, tmp_path, params, message):
    with pytest.raises((ConfigError, LexencError), match=message):
        stage("pretrain", tmp_path / "no", params, text=files(text)["text"])


def test_a_dictionary_needs_two_languages(stage, text, tmp_path):
    with pytest.raises(LexencError, match="two languages"):
        stage("pretrain", tmp_path / "no", ELMO, text=files(text)["text"][:1], dictionary=text / "dictionary.tsv")


@pytest.mark.parametrize(
    ("preset", "kind", "senses", "steps"),
    [("saelmo", "elmo", 5, 10**6), ("sabert-tiny", "bert", 5, 10**6), ("bi-saelmo", "elmo", 3, 600_000)],
)
def test_the_preset_of_a_published_model_is_all_of_it(preset, kind, senses, steps):
    inputs = {"text": ["en=a", "de=b"]} | ({"dictionary": "d"} if preset == "bi-saelmo" else {})
    params = PretrainParams(preset=preset)
    assert check_pretrain(inputs, params) == []
    whole = resolve_pretrain(inputs, params)
    assert (whole.model, whole.senses, whole.steps, whole.sense_projection) == (kind, senses, steps, "paper")
    assert whole.sense_warmup * steps == pytest.approx(20_000, rel=2e-3)
    assert whole.prune_from * steps == pytest.approx(60_000)
    known = read_pretraining(preset)
    values = {**known["model"], **known["training"], **known["senses"]}
    assert {name: getattr(whole, name) for name in values} == values, "no value of the file is lost"
    plain = resolve_pretrain({"text": ["en=a"]}, replace(params, senses=1))
    assert (plain.sense_scope, plain.sampling) == (None, "log-uniform" if kind == "elmo" else None)
    (fault,) = check_pretrain(inputs, replace(params, model="xlm-r"))
    assert fault.message == f"--preset {preset} is of --model {kind}, not xlm-r."


def test_the_paper_preset_has_the_senses_of_the_published_model():
    for kind, width, context in (("elmo", 16, "own"), ("bert", 14, None), ("xlm-r", 14, None)):
        found = resolve_pretrain({}, PretrainParams(model=kind, preset="paper", senses=2))
        assert (found.sense_dimensions, found.sense_context, found.sense_queue) == (width, context, 20_000)
        assert (found.senses, found.sense_warmup, found.translations) == (2, 0.02, None)
