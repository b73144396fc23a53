"""pretrain --model elmo: a language model of words, and the encoder that it leaves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from lexenc.device import CPU
from lexenc.encoders.load import load_encoder
from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.training.trainer import Trainer
from tests.stages.test_pretrain import EN, SW, files, lines

SIZE = {"model": "elmo", "preset": "tiny", "dimensions": 24, "cells": 24, "vocabulary": 60, "minimum_count": 1,
        "negatives": 9, "batch_size": 16, "learning_rate": 3e-2}  # fmt: skip
SHORT = SIZE | {"steps": 3}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretraining")
    for name, rows in (("en", lines(EN, 300, 0)), ("sw", lines(SW, 120, 0))):
        (folder / f"{name}.txt").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(stage, text, tmp_path_factory):
    """A model of two languages that has learned something."""
    out = tmp_path_factory.mktemp("made") / "lm"
    return stage("pretrain", out, SIZE | {"steps": 40, "language_sampling": 0.5, "dev_share": 0.1}, text=files(text))


def test_it_predicts_better_than_frequencies_in_every_language(made):
    assert [each["language"] for each in made.manifest.results] == ["en", "sw"]
    for each in made.manifest.results:
        assert each["perplexity"] < each["perplexity_of_frequencies"] / 1.5 < each["perplexity_before"]
        assert 0 < each["unknown_share"] < 0.2, "the numbers of the lines"
        assert each["words"] == 8 * each["texts"]
    summary = made.manifest.summary
    assert summary["words"] == 57
    assert summary["last_loss"] < summary["first_loss"]
    losses = [np.log(each["perplexity"]) for each in made.manifest.results]
    assert summary["held_out_loss"] == pytest.approx(np.mean(losses))
    assert made.manifest.params["objective"] == []
    assert not made.warnings


def test_result_is_an_encoder_that_ignores_the_tables(made, stage, world, tmp_path):
    assert made.files == {"README.md", "config.json", "manifest.json", "model.safetensors", "prediction.safetensors",
                          "tokenizer.json", "training.jsonl"}  # fmt: skip
    encoder = load_encoder(made.out, device=CPU)
    assert (encoder.kind, encoder.dimensions, encoder.longest) == ("elmo", 48, None)
    card = (made.out / "README.md").read_text()
    assert "Only lexenc can load it" in card
    assert "lexenc encode" in card
    vectors = stage("encode", tmp_path / "vectors", {}, encoder=made.out, words=world / "en.txt").matrix()
    assert np.isfinite(vectors).all()
    aligned = stage("align", tmp_path / "links", {"layer": 1, "threshold": 0.0}, encoder=made.out,
                    pairs=[world / "text.tsv"])  # fmt: skip
    assert not aligned.warnings


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_interrupted_run_resumes_with_the_same_bits(stage, text, tmp_path, monkeypatch, kind):
    params = SHORT | {"steps": 8, "input": kind, "evaluate_every": 3, "checkpoint_seconds": 0}
    if kind == "characters":
        params |= {"optimiser": "adagrad", "cells": 30}
    whole = stage("pretrain", tmp_path / "whole", params, text=files(text))
    usual, taken = Trainer.take_step, []

    def stopping(self, epoch, rows):
        if len(taken) == 5:
            raise KeyboardInterrupt
        taken.append(1)
        return usual(self, epoch, rows)

    monkeypatch.setattr(Trainer, "take_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        stage("pretrain", tmp_path / "parts", params, text=files(text))
    monkeypatch.setattr(Trainer, "take_step", usual)
    parts = stage("pretrain", tmp_path / "parts", params, text=files(text))
    assert any("continuing from step" in each for each in parts.said)
    for name in ("model.safetensors", "prediction.safetensors"):
        one, other = (load_file(each.out / name) for each in (whole, parts))
        assert all((one[key] == other[key]).all() for key in one)
    assert whole.json_lines("training.jsonl") == parts.json_lines("training.jsonl")
    assert whole.manifest.results == parts.manifest.results


def test_model_continues_with_its_tables_and_its_words(stage, text, made, tmp_path):
    one = stage("pretrain", tmp_path / "more", {"model": "elmo", "steps": 3, "batch_size": 8, "dev_share": 0.2},
                text=files(text, "sw"), encoder=made.out)  # fmt: skip
    [found] = one.manifest.results
    assert found["perplexity_before"] < found["perplexity_of_frequencies"]
    assert (one.out / "tokenizer.json").read_bytes() == (made.out / "tokenizer.json").read_bytes()
    assert not one.warnings
    params = {name: value for name, value in SHORT.items() if name not in ("vocabulary", "cells")}
    one = stage("pretrain", tmp_path / "again", params | {"cells": 30, "vector": "concat", "dev_share": 0},
                text=files(text, "en"), tokenizer=made.out)  # fmt: skip
    assert one.manifest.summary["words"] == 57
    assert load_encoder(one.out, device=CPU).dimensions == 3 * 48
    settings = json.loads((one.out / "config.json").read_text())
    assert (settings["cells"], settings["clip"], settings["vector"]) == (30, 3.0, "concat")


def test_long_lines_are_cut_but_the_encoder_reads_them_whole(stage, tmp_path):
    (tmp_path / "long.txt").write_text(" ".join(["the dog is here"] * 20) + "\nthe cat\n")
    one = stage("pretrain", tmp_path / "lm", SHORT | {"max_length": 22}, text=[f"en={tmp_path}/long.txt"])
    assert one.manifest.summary["lines_split"] == 1
    assert one.manifest.summary["texts"] == 5
    encoder = load_encoder(one.out, device=CPU)
    assert len(encoder.tokenise(["the dog " * 50])[0]) == 102


@pytest.mark.parametrize(
    ("given", "params", "message"),
    [
        ({}, {"heads": 2}, "--heads has no effect with --model elmo"),
        ({}, {"objective": ["tlm"]}, "--objective has no effect"),
        ({"pairs": True}, {}, "--pairs has no effect"),
        ({}, {"vector": "top"}, "no layer 'top'"),
        ({}, {"vector": "3"}, "no layer 3"),
        ({}, {"minimum_count": 1000}, "No word occurs 1,000 times"),
        ({"encoder": "made"}, {}, "exclude each other"),
        ({"encoder": "static"}, {"model": "elmo", "steps": 2}, "needs an encoder of kind elmo"),
        ({"encoder": "made"}, {"steps": 2}, "Add --model elmo"),
        ({}, {"model": "xlm-r", "negatives": 5}, "--negatives has no effect with --model xlm-r"),
    ],
)
def test_errors_are_clear(stage, text, made, static, tmp_path, given, params, message):
    places = {"made": made.out, "static": static, True: [text / "en.txt"]}
    inputs = {name: places[value] for name, value in given.items()}
    if "encoder" not in given or not params:
        params = SHORT | params
    if params.get("model") == "xlm-r":
        params = {"model": "xlm-r", "negatives": 5}
    with pytest.raises(LexencError) as found:
        stage("pretrain", tmp_path / "lm", params, text=files(text), **inputs)
    assert message in f"{found.value} {found.value.hint}"
    assert isinstance(found.value, ConfigError | DataError)
    assert not (tmp_path / "lm").exists()
