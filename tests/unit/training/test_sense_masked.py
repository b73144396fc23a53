"""Masked language models that predict senses: training, resuming, and what is saved."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM

from lexenc.arrays import Ragged
from lexenc.device import CPU
from lexenc.encoders.language_model import Shape, open_language_model, save_new_language_model
from lexenc.encoders.unigram import train_language_tokenizer
from lexenc.training.masked import HeldOutTexts, LanguageTexts, MaskedObjective
from lexenc.training.schedule import StepSchedule
from lexenc.training.sense_aware.bank import load_bank
from lexenc.training.sense_aware.head import SenseHead
from lexenc.training.sense_aware.settings import SensePlan, SenseSettings
from lexenc.training.trainer import Trainer, own_randomness

EN = [f"the {word} is here and a {word} was there" for word in "house dog cat tree water fire stone bread".split()]
SETTINGS = SenseSettings(senses=2, width=4, queue=50, refit_every=3, warmup=0.4, prune_every=4, prune_least=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("language") / "model"
    tokenizer = train_language_tokenizer({"en": EN * 9}, vocabulary_size=80)
    save_new_language_model(place, tokenizer, Shape(1, 16, 2, 24), seed=0)
    return place


def with_senses(folder, settings=SETTINGS, translations=None):
    model = open_language_model(folder, device=CPU)
    texts = Ragged.of([ids[1:-1] for ids in model.encoder.tokenise(EN)], dtype=np.int32)
    counts = np.where(np.bincount(texts.values, minlength=len(model.regular)) >= 2, settings.senses, 1)
    head = SenseHead(model.head, model.encoder.width, SensePlan(counts, settings, translations))
    return model._replace(head=head), LanguageTexts.of({"en": texts})


def trained(folder, steps, checkpoint=None, total=10, **more):
    """Train from the beginning, or from a checkpoint, up to a step."""
    model, texts = with_senses(folder, **more)
    objective = MaskedObjective(model, texts, exponent=1.0)
    schedule = StepSchedule(epochs=1, batch_size=4, learning_rate=1e-2, steps=total, chunk_tokens=30)
    trainer = Trainer(objective, schedule=schedule)
    records = []
    with own_randomness(0, "dropout", CPU.torch):
        if checkpoint is not None:
            trainer.restore(checkpoint)
        trainer._module.train()
        for epoch, rows in trainer.batches():
            if trainer.step == steps:
                break
            records.append(trainer.take_step(epoch, rows))
        trainer._module.eval()
        return model, trainer.checkpoint(), records


def test_a_resumed_run_has_the_same_bits(folder):
    _, whole, records = trained(folder, 10)
    for stop in (4, 7):  # at the end of the warm-up, and after a pruning
        _, kept, _ = trained(folder, stop)
        _, other, rest = trained(folder, 10, kept)
        assert [each.loss for each in rest] == [each.loss for each in records[stop:]]
        assert all(torch.equal(each, other.weights[name]) for name, each in whole.weights.items())
        assert all(torch.equal(each, other.optimiser[name]) for name, each in whole.optimiser.items())
    assert "head.senses.inventory.queue.states" in whole.weights
    assert records[2].facts["senses"] > 0
    assert not records[3].facts
    assert records[8].line()["senses"] == records[8].facts["senses"]


def test_what_is_saved_is_a_language_model_with_the_senses_beside_it(folder, tmp_path):
    model, _, _ = trained(folder, 10)
    model.head.save(tmp_path / "lm", model)
    plain = open_language_model(folder, device=CPU)
    whole, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "lm", output_loading_info=True)
    assert not info["missing_keys"]
    again = open_language_model(tmp_path / "lm", device=CPU)
    assert not again.head.fresh
    tokens = again.encoder.tokenise(EN[:2])
    with torch.no_grad():
        assert torch.equal(again.encoder.embed(tokens), model.encoder.embed(tokens))
        logits = whole.eval()(input_ids=torch.tensor(tokens[:1])).logits[0]
        states = model.head.transformed(model.encoder.states(tokens[:1]))
    vectors, bias = model.head.table.word_vectors()
    assert torch.allclose(logits, states @ vectors.T + bias, atol=1e-5)
    count, other = (sum(each.numel() for each in one.encoder.module.parameters()) for one in (again, plain))
    assert count == other
    bank = load_bank(tmp_path / "lm")
    assert "\u2581the" in bank
    assert bank.context == "masked"
    assert bank.choose("\u2581the", states.numpy()[:3]).shape == (3,)


def test_held_out_losses_are_those_of_words_so_that_a_split_changes_nothing(folder):
    model, texts = with_senses(folder)
    plain = open_language_model(folder, device=CPU)
    before, same = (HeldOutTexts(each, texts, seed=0).losses()["en"] for each in (plain, model))
    assert same == pytest.approx(before, abs=1e-5)
    inventory = model.head.table.inventory
    inventory.begin(1)
    model.head.table.divide(inventory._divide())
    assert HeldOutTexts(model, texts, seed=0).losses()["en"] == pytest.approx(before, abs=0.01)


def test_one_sense_per_word_with_a_dictionary_is_the_control_without_senses(folder):
    one = SenseSettings(senses=1, width=4, queue=50, refit_every=3)
    size = len(open_language_model(folder, device=CPU).regular)
    empty, full = (Ragged.of([[(word + 1) % size] if used else [] for word in range(size)]) for used in (False, True))
    losses = [
        [each.loss for each in trained(folder, 4, settings=one, translations=each)[2]] for each in (None, empty, full)
    ]
    assert losses[0] == losses[1]
    assert losses[0][0] != losses[2][0]
