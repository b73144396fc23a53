"""A kind of encoders that another package registers is made, fine-tuned, encodes and is evaluated like ours."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lexenc.device import CPU
from lexenc.encoders import ENCODERS
from lexenc.encoders.load import encoder_kind, load_encoder
from lexenc.encoders.word_vectors import word_encoder
from lexenc.errors import ConfigError
from lexenc.parameters import parameters


class CharacterHash:
    """The mean of one vector per character."""

    kind = "hash"

    def __init__(self, weights):
        self.dimensions = weights.shape[1]
        self.module = torch.nn.EmbeddingBag(*weights.shape, mode="mean", _weight=weights.clone())

    def tokenise(self, texts):
        return [[ord(character) % len(self.module.weight) for character in text] or [0] for text in texts]

    def embed(self, tokens):
        flat = torch.tensor([number for each in tokens for number in each])
        return self.module(flat, torch.tensor(np.cumsum([0, *map(len, tokens)])[:-1]))

    def reference(self, texts):
        table = self.module.weight.detach().numpy()
        return np.stack([table[[ord(character) % len(table) for character in text]].mean(axis=0) for text in texts])

    def save(self, folder):
        save_file({"hashed": self.module.weight.detach()}, folder / "hash.safetensors")


class HashKind:
    learning_rate = 0.05
    special_tokens = False
    language_model = False

    def recognises(self, folder):
        return (folder / "hash.safetensors").is_file()

    def load(self, folder, *, pooling, device, max_length):
        return CharacterHash(load_file(folder / "hash.safetensors")["hashed"])

    def create(self, folder, tokenizer, *, dimensions, seed, **settings):
        CharacterHash(torch.randn(251, dimensions, generator=torch.Generator().manual_seed(seed))).save(folder)

    def faults(self, **settings):
        return [ConfigError("Too many.", hint="Fewer.")] if settings["dimensions"] > 100 else []

    def words(self, encoder, *, layer, unit):
        raise ConfigError("Characters have no words.")


@pytest.fixture
def made(stage, world, tmp_path, monkeypatch):
    """An untrained encoder of the new kind."""
    monkeypatch.setitem(ENCODERS._entries, "hash", HashKind())
    parameters.cache_clear()  # the choices of --kind
    params = {"kind": "hash", "dimensions": 12, "vocabulary_size": 100}
    yield stage("new-encoder", tmp_path / "fresh", params, text=[world / "text.tsv"]).out
    parameters.cache_clear()


def test_its_folder_is_recognised(made, static, transformer):
    assert [encoder_kind(each) for each in (made, static, transformer)] == ["hash", "static", "transformer"]


def test_it_encodes(stage, made, world, tmp_path):
    done = stage("encode", tmp_path / "encoded", words=world / "en.txt", encoder=made)
    weights = load_file(made / "hash.safetensors")["hashed"].numpy()
    expected = [weights[[ord(letter) % 251 for letter in word]].mean(axis=0) for word in done.words()]
    np.testing.assert_allclose(done.matrix(), expected, rtol=1e-5)


def test_it_is_refused_if_it_computes_something_else(made, monkeypatch):
    monkeypatch.setattr(CharacterHash, "tokenise", lambda self, texts: [[ord(text[0]) % 251] for text in texts])
    with pytest.raises(ConfigError, match=f"The vectors of the encoder {made} differ by"):
        load_encoder(made, device=CPU)


def test_it_is_fine_tuned_and_evaluated(stage, made, world, tmp_path):
    tuned = stage("finetune", tmp_path / "tuned", {"epochs": 20, "batch_size": 8, "loss": "symmetric"},
                  pairs=world / "train.tsv", encoder=made)  # fmt: skip
    steps = [json.loads(line) for line in (tuned.out / "training.jsonl").read_text().splitlines()]
    assert max(step["learning_rate"] for step in steps) == pytest.approx(0.05)
    assert np.mean([step["loss"] for step in steps[-5:]]) < np.mean([step["loss"] for step in steps[:5]])
    words = {"source_vocabulary": world / "en.txt", "target_vocabulary": world / "de.txt"}
    scores = [
        stage("eval bli", tmp_path / name, encoder=folder, dictionary=world / "train.tsv", **words).manifest.tables
        for name, folder in (("before", made), ("after", tuned.out))
    ]
    assert scores[0] != scores[1]


def test_its_options_are_checked_and_its_errors_shown(stage, made, world, tmp_path):
    with pytest.raises(ConfigError, match="Too many"):
        stage("new-encoder", tmp_path / "wide", {"kind": "hash", "dimensions": 101}, text=[world / "text.tsv"])
    with pytest.raises(ConfigError, match="no words"):
        word_encoder(load_encoder(made, device=CPU))
