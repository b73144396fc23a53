"""pretrain: from text to a language model with a tokenizer and a head of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from lexenc.device import CPU
from lexenc.encoders.load import load_encoder
from lexenc.encoders.masked_language import MaskedHead
from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.training.trainer import Trainer

EN = [("dog", "barks", "loudly"), ("cat", "sleeps", "softly"), ("sun", "shines", "brightly"), ("car", "moves", "fast")]
SW = [
    ("mbwa", "anabweka", "sana"),
    ("paka", "analala", "pole"),
    ("jua", "linawaka", "kali"),
    ("gari", "linaenda", "kasi"),
]
SIZE = {"preset": "tiny", "layers": 1, "dimensions": 32, "heads": 2, "vocabulary": 90, "max_length": 24,
        "batch_size": 16, "learning_rate": 1e-2}  # fmt: skip
SHORT = SIZE | {"steps": 3}


def lines(rows, count, seed):
    """Sentences of three words, each of which follows from either of the others."""
    draw = np.random.default_rng(seed)
    return [" ".join([*rows[first], "na", *rows[second]]) + f" {n}" for n, (first, second) in
            enumerate(draw.integers(0, len(rows), (count, 2)))]  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretraining")
    en, sw = lines(EN, 400, 0), lines(SW, 120, 0)
    for name, rows in (("en", en), ("sw", sw), ("dev", lines(SW, 30, 1))):
        (folder / f"{name}.txt").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    pairs = [f"{one}\t{other}\n" for one, other in zip(en, sw, strict=False)]
    (folder / "pairs.tsv").write_text("".join(pairs), encoding="utf-8")
    return folder


def files(text, *names):
    return [f"{name}={text / f'{name}.txt'}" for name in names or ("en", "sw")]


@pytest.fixture(scope="module")
def made(stage, text, tmp_path_factory):
    """A model of two languages that has learned something."""
    out = tmp_path_factory.mktemp("made") / "lm"
    return stage("pretrain", out, SIZE | {"steps": 120, "language_sampling": 0.5}, text=files(text))


def test_it_predicts_better_than_frequencies_in_every_language(made):
    assert [each["language"] for each in made.manifest.results] == ["en", "sw"]
    for each in made.manifest.results:
        assert each["perplexity"] < each["perplexity_of_frequencies"] / 1.5 < each["perplexity_before"]
        assert each["unknown_share"] < 0.01
        assert 1 <= each["subwords_per_word"] < 3
    summary = made.manifest.summary
    assert summary["last_loss"] < summary["first_loss"]
    assert 0 < summary["best_step"] <= summary["steps"] == 120
    losses = [np.log(each["perplexity"]) for each in made.manifest.results]
    assert summary["held_out_loss"] == pytest.approx(np.mean(losses))
    assert not made.warnings


def test_result_is_a_language_model_and_an_encoder(made):
    assert made.files == {"1_Pooling/config.json", "README.md", "config.json", "config_sentence_transformers.json",
                          "manifest.json", "model.safetensors", "modules.json", "sentence_bert_config.json",
                          "tokenizer.json", "tokenizer_config.json", "training.jsonl"}  # fmt: skip
    _, info = AutoModelForMaskedLM.from_pretrained(made.out, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert AutoModel.from_pretrained(made.out)
    tokenizer = AutoTokenizer.from_pretrained(made.out)
    assert [tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id] == [
        0,
        1,
        2,
        3,
    ]
    assert tokenizer.mask_token_id == len(tokenizer) - 1
    encoder = load_encoder(made.out, device=CPU)
    assert not MaskedHead(made.out, encoder).fresh
    assert encoder.longest == 24
    texts = ["dog barks", "paka analala pole na gari", ""]
    with torch.no_grad():
        vectors = encoder.embed(encoder.tokenise(texts)).numpy()
    assert np.abs(vectors - SentenceTransformer(str(made.out), device="cpu").encode(texts)).max() < 1e-5
    assert "never trained to be compared" in (made.out / "README.md").read_text()


def test_it_fills_masks(made):
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(made.out).eval(), AutoTokenizer.from_pretrained(made.out)
    ids = tokenizer("dog barks loudly na cat sleeps softly", return_tensors="pt")["input_ids"]
    place = ids[0].tolist().index(tokenizer("barks")["input_ids"][1])
    right = ids[0, place].item()
    ids[0, place] = tokenizer.mask_token_id
    with torch.no_grad():
        chances = model(input_ids=ids).logits[0, place].softmax(-1)
    assert chances[right] > 10 / len(tokenizer)


def test_same_seed_makes_the_same_model_and_another_seed_does_not(stage, text, tmp_path):
    weights = []
    for name, seed in (("first", 0), ("second", 0), ("third", 1)):
        one = stage("pretrain", tmp_path / name, SHORT, seed, text=files(text))
        weights.append(load_file(one.out / "model.safetensors"))
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert any((weights[0][name] != weights[2][name]).any() for name in weights[0])


@pytest.mark.parametrize("objective", [["mlm"], ["mlm", "tlm"]])
def test_interrupted_run_resumes_with_the_same_bits(stage, text, tmp_path, monkeypatch, objective):
    inputs = {"text": files(text)} | ({"pairs": [text / "pairs.tsv"]} if "tlm" in objective else {})
    params = SHORT | {"steps": 8, "objective": objective, "evaluate_every": 3, "checkpoint_seconds": 0}
    whole = stage("pretrain", tmp_path / "whole", params, **inputs)
    usual, taken = Trainer.take_step, []

    def stopping(self, epoch, rows):
        if len(taken) == 5:
            taken.append(0)
            raise KeyboardInterrupt
        taken.append(0)
        return usual(self, epoch, rows)

    monkeypatch.setattr(Trainer, "take_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        stage("pretrain", tmp_path / "resumed", params, **inputs)
    resumed = stage("pretrain", tmp_path / "resumed", params, **inputs)
    assert len(taken) == 9
    for name in ("model.safetensors", "training.jsonl", "tokenizer.json"):
        assert (whole.out / name).read_bytes() == (resumed.out / name).read_bytes()
    assert whole.manifest.summary == resumed.manifest.summary
    assert whole.manifest.results == resumed.manifest.results


def test_pairs_alone_are_learned_and_those_with_a_held_out_line_are_not(stage, text, tmp_path):
    params = SHORT | {"objective": ["tlm"], "dev_share": 0.1}
    one = stage("pretrain", tmp_path / "lm", params, text=files(text), pairs=[text / "pairs.tsv"])
    summary = one.manifest.summary
    assert summary["pairs"] + summary["pairs_held_out"] == 120
    assert summary["pairs_held_out"] > 12
    assert summary["too_long"] < 20


def test_held_out_file_is_scored_but_not_where_it_is_in_the_text(stage, text, tmp_path):
    dev = (text / "dev.txt").read_text().splitlines()
    both = tmp_path / "dev.txt"
    both.write_text("".join(f"{line}\n" for line in [*dev, *(text / "sw.txt").read_text().splitlines()[:50]]))
    one, other = (
        stage("pretrain", tmp_path / name, SHORT, text=files(text), dev=[f"sw={path}"])
        for name, path in (("one", both), ("other", text / "dev.txt"))
    )
    assert "perplexity" not in one.manifest.results[0]
    assert one.manifest.results == other.manifest.results
    summaries = [each.manifest.summary for each in (one, other)]
    # One of the lines is in the text by chance.
    assert [(each["held_out_lines"], each["held_out_in_text"]) for each in summaries] == [(29, 50), (29, 1)]


def test_model_continues_with_its_head_and_its_tokenizer(stage, text, made, tmp_path):
    one = stage("pretrain", tmp_path / "more", {"steps": 5, "batch_size": 8}, text=files(text, "sw"), encoder=made.out)
    [found] = one.manifest.results
    assert found["perplexity_before"] < found["perplexity_of_frequencies"]
    assert (one.out / "tokenizer.json").read_bytes() == (made.out / "tokenizer.json").read_bytes()
    assert not one.warnings


def test_encoder_without_a_head_gets_one(stage, text, transformer, tmp_path):
    one = stage(
        "pretrain", tmp_path / "more", {"steps": 2, "batch_size": 8}, text=files(text, "en"), encoder=transformer
    )
    assert any("has no head" in each for each in one.warnings)
    assert AutoModelForMaskedLM.from_pretrained(one.out)


def test_tokenizer_of_another_encoder(stage, text, made, transformer, tmp_path):
    params = {name: value for name, value in SHORT.items() if name != "vocabulary"}
    for number, tokenizer in enumerate((made.out, transformer)):
        one = stage("pretrain", tmp_path / f"lm{number}", params, text=files(text, "en"), tokenizer=tokenizer)
        own, other = (AutoTokenizer.from_pretrained(each).get_vocab() for each in (one.out, tokenizer))
        assert own == other
        assert load_encoder(one.out, device=CPU).longest == 24


def test_long_lines_are_cut_and_a_short_text_has_a_small_vocabulary(stage, tmp_path):
    (tmp_path / "long.txt").write_text(" ".join(["the dog is here"] * 100) + "\nthe cat\n")
    one = stage(
        "pretrain", tmp_path / "lm", SHORT | {"vocabulary": 5000, "epochs": None}, text=[f"en={tmp_path}/long.txt"]
    )
    assert one.manifest.summary["lines_split"] == 1
    assert one.manifest.summary["texts"] >= 18
    assert one.manifest.summary["subwords"] < 100
    assert "perplexity" not in one.manifest.results[0]
    assert any("No lines are held out" in each for each in one.warnings)


@pytest.mark.parametrize("kind", ["empty", "unnamed", "twice", "small", "dev", "static", "heads", "pairs", "both"])
def test_errors_are_clear(stage, text, static, tmp_path, kind):
    (tmp_path / "empty.txt").write_text(" \n\n")
    given, params, message = {
        "empty": ({"text": [f"en={tmp_path}/empty.txt"]}, {}, "no text in"),
        "unnamed": ({"text": [text / "en.txt"]}, {}, "has no language"),
        "twice": ({"text": files(text, "en", "en")}, {}, "en"),
        "small": ({"text": files(text)}, {"vocabulary": 21}, "frequent characters"),
        "dev": ({"text": files(text), "dev": files(text, "dev")}, {}, "there is no --text dev"),
        "static": ({"text": files(text), "tokenizer": static}, {"vocabulary": None}, "needs a transformer"),
        "heads": ({"text": files(text)}, {"heads": 3}, "not a multiple"),
        "pairs": ({"text": files(text)}, {"objective": ["tlm"]}, "belong together"),
        "both": ({"text": files(text), "encoder": static}, {}, "exclude each other"),
    }[kind]
    with pytest.raises(LexencError, match=message) as found:
        stage("pretrain", tmp_path / "lm", SHORT | params, **given)
    assert isinstance(found.value, DataError if kind == "empty" else ConfigError)
    assert not (tmp_path / "lm").exists()


def test_evaluations_are_at_least_fifty_steps_apart_with_epochs_too(stage, text, tmp_path):
    one = stage("pretrain", tmp_path / "lm", SIZE | {"epochs": 3, "dev_share": 0.1}, text=files(text))
    steps = one.manifest.summary["steps"]
    assert 80 < steps < 100
    assert [step["step"] for step in one.json_lines("training.jsonl") if "score" in step] == [50, steps]


def test_model_that_is_worse_than_its_control_is_told(stage, text, tmp_path):
    one = stage("pretrain", tmp_path / "lm", SIZE | {"steps": 1, "learning_rate": 1e-6}, text=files(text))
    [warning] = one.warnings
    assert "en, sw" in warning
    assert "by its frequency" in warning


def test_card_and_log(made):
    steps = [json.loads(line) for line in Path(made.out / "training.jsonl").read_text().splitlines()]
    assert len(steps) == 120
    assert [each["step"] for each in steps if "score" in each] == [50, 100, 120]
