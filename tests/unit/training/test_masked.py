"""Masked language modelling as an objective: what an epoch has, what is masked, and what the control scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM

from lexenc.arrays import Ragged
from lexenc.device import CPU, Device
from lexenc.encoders.language_model import Shape, open_language_model, save_language_model, save_new_language_model
from lexenc.encoders.unigram import train_language_tokenizer
from lexenc.training.language_models import LanguageTexts
from lexenc.training.masked import HeldOutTexts, MaskedObjective
from lexenc.training.schedule import StepSchedule
from lexenc.training.trainer import Trainer

EN = [f"the {word} is here and a {word} was there" for word in "house dog cat tree water fire stone bread".split()]
SW = [f"{word} iko hapa na {word} ilikuwa pale" for word in "nyumba mbwa paka mti".split()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("language") / "model"
    tokenizer = train_language_tokenizer({"en": EN * 9, "sw": SW * 9}, vocabulary_size=120)
    save_new_language_model(place, tokenizer, Shape(1, 16, 2, 24), seed=0)
    return place


@pytest.fixture
def model(folder):
    return open_language_model(folder, device=CPU)


def cut(model, lines):
    return Ragged.of([ids[1:-1] for ids in model.encoder.tokenise(lines)], dtype=np.int32)


@pytest.fixture
def texts(model):
    return LanguageTexts.of({"en": cut(model, EN), "sw": cut(model, SW)})


def test_epochs_have_as_many_examples_and_more_of_the_small_language(model, texts):
    objective = MaskedObjective(model, texts, exponent=0.0)
    epochs = [objective.rows(epoch) for epoch in range(4)]
    assert [len(each) for each in epochs] == [12] * 4
    assert all((each >= 8).sum() == 6 for each in epochs)
    assert (objective.rows(0) == objective.rows(0)).all()
    assert any((epochs[0] != each).any() for each in epochs[1:])
    assert sorted(MaskedObjective(model, texts, exponent=1.0).rows(3)) == list(range(12))
    counts = np.bincount(epochs[0], minlength=12)
    assert counts[8:].min() >= 1  # nobody twice before everybody once
    assert counts[8:].max() <= 2
    counts = np.bincount(np.concatenate(epochs), minlength=12)
    assert counts.tolist() == [3] * 8 + [6] * 4, "over epochs, no text comes again before all of its language came"


def test_loss_of_an_example_does_not_depend_on_the_others(model, texts):
    pairs = (cut(model, EN[:4]), cut(model, SW))
    objective = MaskedObjective(model, texts, pairs)
    rows = objective.rows(0)
    assert len(rows) == 16
    with torch.no_grad():
        together = objective.losses(rows, 3)
        alone = torch.cat([objective.losses(rows[i : i + 1], 3) for i in range(len(rows))])
        other = objective.losses(rows, 4)
    assert torch.allclose(together, alone, atol=1e-5)
    assert not torch.allclose(together, other, atol=1e-3)
    assert (objective.sizes(rows)[-4:] == [len(a) + len(b) + 4 for a, b in zip(*map(list, pairs), strict=True)]).all()


def test_masked_texts_keep_their_special_subwords_and_pairs_have_any_order(model, texts):
    pairs = (cut(model, EN[:1]), cut(model, SW[:1]))
    objective = MaskedObjective(model, texts, pairs)
    first, second = pairs[0][0], pairs[1][0]
    seen = set()
    for step in range(40):
        one = objective._masked(12, step)
        whole = one.ids.copy()
        whole[one.places] = one.right
        ways = {"there": [0, *first, 2, 2, *second, 2], "back": [0, *second, 2, 2, *first, 2]}
        seen |= {name for name, ids in ways.items() if whole.tolist() == ids}
        assert not np.isin(one.right, [0, 1, 2, 3]).any()
        assert len(one.places)
    assert seen == {"there", "back"}


def test_texts_without_anything_to_predict_and_long_pairs_are_counted(model, texts):
    odd = LanguageTexts.of({"en": Ragged.of([[], [3, 3], [9, 3]], dtype=np.int32)})
    objective = MaskedObjective(model, odd)
    assert objective.empty == 2
    assert set(objective.rows(0).tolist()) == {2}
    long = Ragged.of([[9] * 15, [9] * 3, []], dtype=np.int32)
    objective = MaskedObjective(model, LanguageTexts.of({}), (long, long))
    assert (objective.too_long, objective.empty) == (1, 1)
    assert objective.rows(5).tolist() == [1]


def test_held_out_masks_are_fixed_and_the_control_predicts_frequencies(model, texts):
    held_out = HeldOutTexts(model, texts, seed=1)
    assert held_out.losses() == HeldOutTexts(model, texts, seed=1).losses()
    assert held_out.losses() != HeldOutTexts(model, texts, seed=2).losses()
    size = len(model.regular)
    assert held_out.losses()["en"] == pytest.approx(np.log(size), rel=0.1)  # it has learned nothing yet
    flat = held_out.frequency_losses(dict.fromkeys(texts.names, Ragged.of([], dtype=np.int32)))
    assert flat == pytest.approx({"en": np.log(size), "sw": np.log(size)})
    counts = np.bincount(texts.texts.values, minlength=size)
    right = np.concatenate([each.right for each in held_out._masked["en"]])
    expected = -np.log((counts[right] + 1) / (counts.sum() + size)).mean()
    assert held_out.frequency_losses(dict.fromkeys(texts.names, texts.texts))["en"] == pytest.approx(expected)


def test_held_out_loss_is_that_of_transformers(model, texts, folder):
    held_out = HeldOutTexts(model, texts, seed=1)
    plain = AutoModelForMaskedLM.from_pretrained(folder).eval()
    losses = []
    for one in held_out._masked["sw"]:
        with torch.no_grad():
            logits = plain(input_ids=torch.from_numpy(one.ids)[None]).logits[0]
        losses += torch.nn.functional.cross_entropy(
            logits[torch.from_numpy(one.places)], torch.from_numpy(one.right), reduction="none"
        ).tolist()
    assert held_out.losses()["sw"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_model_is_saved_with_its_head(model, texts, tmp_path):
    with torch.no_grad():
        for each in model.head.module.parameters():
            each.add_(0.01)
    losses = HeldOutTexts(model, texts, seed=0).losses()
    save_language_model(tmp_path / "saved", model)
    again = open_language_model(tmp_path / "saved", device=CPU)
    assert not again.head.fresh
    assert HeldOutTexts(again, texts, seed=0).losses() == pytest.approx(losses, rel=1e-6)
    assert HeldOutTexts(model, texts, seed=0).losses() == losses  # saving leaves the model as it was
    _, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]


def test_bfloat16_learns_as_float32_does(folder):
    def losses(precision):
        model = open_language_model(folder, device=Device("cpu", precision, ""))
        objective = MaskedObjective(model, LanguageTexts.of({"en": cut(model, EN), "sw": cut(model, SW)}), seed=1)
        found = []
        schedule = StepSchedule(steps=20, batch_size=4, learning_rate=1e-2)
        Trainer(objective, schedule=schedule, seed=1).run(record=lambda step: found.append(step.loss))
        return np.array(found)

    one, other = losses("float32"), losses("bfloat16")
    assert (one != other).any()
    np.testing.assert_allclose(other, one, rtol=0.05)
    assert other[-5:].mean() < other[:5].mean()
