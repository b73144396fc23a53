"""Sense vectors and their losses: equations 3 to 7, exact and sampled, and the files beside the encoder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from lexenc.arrays import Ragged
from lexenc.errors import ConfigError, DataError
from lexenc.training.sense_aware.bank import FACTS, TABLES, load_bank, save_senses
from lexenc.training.sense_aware.inventory import SenseInventory
from lexenc.training.sense_aware.settings import SensePlan, SenseSettings
from lexenc.training.sense_aware.table import SenseTable
from lexenc.training.softmax import Negatives, Predictions, WordSampler

SETTINGS = SenseSettings(senses=3, width=2, queue=30, warmup=0.5, refit_every=4, start="noise", prune_every=0)
SIZES = np.array([3, 1, 2, 1, 3, 1])
TRANSLATIONS = Ragged.of([[2, 3], [4], [0], [0], [1], []])


def table_of(translations=None, settings=SETTINGS, sizes=SIZES, disabled=(1,)):
    made = SenseTable(SenseInventory(SensePlan(sizes, settings, translations), 4), 5)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        made.bias.copy_(torch.randn(made.bias.shape, generator=draw))
    made.inventory.enabled.fill_(True)
    made.inventory.enabled[list(disabled)] = False
    made.inventory.divided.fill_(True)
    return made


def predictions_of(words=(0, 1, 2, 3, 4, 5, 0, 4)):
    draw = torch.Generator().manual_seed(5)
    states = torch.randn(len(words), 5, generator=draw, requires_grad=True)
    return Predictions(states, torch.tensor(words), torch.randn(len(words), 4, generator=draw))


def plain(table, predictions, rows):
    """Cross entropy of rows among all that are enabled, by the dense softmax."""
    logits = predictions.states @ table.vectors.T + table.bias
    return F.cross_entropy(logits.masked_fill(~table.inventory.enabled, -torch.inf), rows, reduction="none")


def test_sense_loss_is_the_softmax_over_all_senses():
    table, predictions = table_of(), predictions_of()
    rows = table.choose(predictions)
    losses = table.losses(predictions)
    assert torch.allclose(losses, plain(table, predictions, rows), atol=1e-6)
    losses.sum().backward()
    assert table.vectors.grad is not None
    assert not any(each.requires_grad for each in table.inventory.buffers())
    assert predictions.own.grad is None


def test_joint_loss_is_the_mean_of_two_and_words_without_translation_have_the_sense_loss():
    table, predictions = table_of(TRANSLATIONS), predictions_of()
    rows = table.choose(predictions)
    candidates = table.inventory.translate(predictions.words, predictions.own)
    assert candidates.places.tolist() == [0, 1, 2, 3, 4, 6, 7]
    owners = torch.repeat_interleave(torch.arange(6), torch.from_numpy(SIZES))
    for place, chosen in zip(candidates.places.tolist(), candidates.chosen.tolist(), strict=True):
        assert owners[chosen] in TRANSLATIONS[int(predictions.words[place])]
    other = rows.clone()
    other[candidates.places] = candidates.chosen
    sense, translation = (plain(table, predictions, each) for each in (rows, other))
    losses = table.losses(predictions)
    assert torch.allclose(losses, (sense + translation) / 2, atol=1e-6)
    assert losses[5] == table_of().losses(predictions, rows=rows)[5]
    assert not torch.allclose(losses[:5], sense[:5])


@pytest.mark.parametrize("translations", [None, TRANSLATIONS])
def test_a_sample_of_all_words_is_the_exact_softmax(translations):
    table, predictions = table_of(translations), predictions_of()
    every = WordSampler(SIZES, 6).draw(0)
    weights = torch.linspace(1, 2, 8)
    found = table.losses(predictions, every)
    gradients = torch.autograd.grad(found @ weights, [table.vectors, table.bias, predictions.states])
    exact = table.losses(predictions)
    assert torch.allclose(found, exact, atol=1e-5)
    wanted = torch.autograd.grad(exact @ weights, [table.vectors, table.bias, predictions.states])
    assert gradients[0].is_sparse
    for one, other in zip(gradients, wanted, strict=True):
        assert torch.allclose(one.to_dense(), other, atol=1e-5)


def test_samples_have_all_senses_of_their_words_and_the_other_senses_of_the_word_itself():
    table, predictions = table_of(), predictions_of((0, 5))
    correction = torch.tensor([-0.1, -0.2, -0.3, -0.4, -0.5, -0.6])
    rows = torch.tensor([2, 10])
    found = table.losses(predictions, Negatives(torch.tensor([0, 2]), correction), rows=rows)
    logits = predictions.states @ table.vectors.T + table.bias
    logits = logits - correction[torch.repeat_interleave(torch.arange(6), torch.from_numpy(SIZES))]
    # Row 1 is disabled; words 1, 3 and 4 (rows 3 and 6 to 9) were not sampled.
    taken = [[0, 2, 4, 5], [0, 2, 4, 5, 10]]
    expected = [logits[i, own].logsumexp(0) - logits[i, rows[i]] for i, own in enumerate(taken)]
    assert torch.allclose(found, torch.stack(expected), atol=1e-5)


def test_a_sampled_word_is_stood_for_by_any_of_its_senses():
    inventory = table_of().inventory  # row 1 is disabled
    draws = torch.linspace(0, 0.999, 12).double()
    rows, logarithms = inventory.sampled(Negatives(torch.zeros(12, dtype=torch.int64), torch.zeros(6), draws))
    assert rows.tolist() == [0] * 6 + [2] * 6
    assert logarithms.exp().tolist() == pytest.approx([2.0] * 12)
    words = torch.tensor([1, 2, 4])
    rows, logarithms = inventory.sampled(Negatives(words, torch.zeros(6), torch.tensor([0.99, 0.6, 0.4]).double()))
    assert rows.tolist() == [3, 5, 8]
    assert logarithms.exp().tolist() == pytest.approx([1, 2, 3])
    drawn = WordSampler(SIZES, 3).draw(0)
    assert torch.equal(inventory.sampled(drawn)[0], inventory.sampled(WordSampler(SIZES, 3).draw(0))[0])


def test_one_sense_per_word_is_a_plain_output_layer_and_keeps_nothing():
    table = table_of(sizes=np.ones(6, dtype=np.int64), disabled=())
    predictions = predictions_of()
    assert torch.equal(table.choose(predictions), predictions.words)
    table.begin_step(0)
    losses = table.losses(predictions)
    assert not table.end_step(0)
    assert torch.allclose(losses, plain(table, predictions, predictions.words), atol=1e-6)
    assert torch.equal(losses, table.exact_losses(predictions)) or torch.allclose(
        losses, table.exact_losses(predictions)
    )
    assert not table.inventory.centres.numel()
    assert not table.inventory.queue.filled


def test_exact_losses_are_those_of_words_whichever_sense():
    table, predictions = table_of(), predictions_of()
    chances = (predictions.states @ table.vectors.T + table.bias).masked_fill(~table.inventory.enabled, -torch.inf)
    chances = chances.softmax(1)
    owners = torch.repeat_interleave(torch.arange(6), torch.from_numpy(SIZES))
    of_words = torch.stack([chances[:, owners == word].sum(1) for word in range(6)], 1)
    expected = -of_words.gather(1, predictions.words[:, None])[:, 0].log()
    assert torch.allclose(table.exact_losses(predictions), expected, atol=1e-5)


def test_the_split_keeps_the_chances_of_words_and_copies_their_vectors():
    table, predictions = table_of(), predictions_of()
    table.inventory.divided.fill_(False)
    table.inventory.enabled.zero_()
    table.inventory.enabled[table.inventory.offsets[:-1]] = True
    table.inventory.begin(10)
    before, first = table.exact_losses(predictions), table.vectors.detach().clone()
    table.begin_step(4)
    assert torch.equal(table.exact_losses(predictions), before)
    table.begin_step(5)
    assert table.inventory.enabled.all()
    assert torch.allclose(table.exact_losses(predictions), before, atol=0.05)
    assert torch.allclose(table.vectors[:3], first[:1].expand(3, -1), atol=0.05)
    assert not torch.equal(table.vectors[0], table.vectors[1])
    assert torch.equal(table.vectors[3], first[3]), "words of one sense stay"
    split = table.vectors.detach().clone()
    table.begin_step(6)
    assert torch.equal(table.vectors, split)


def test_tables_of_two_directions_share_their_senses():
    inventory = SenseInventory(SensePlan(SIZES, SETTINGS), 4)
    tables = [SenseTable(inventory, 5, purpose=name, observes=name == "forward") for name in ("forward", "backward")]
    assert not torch.equal(tables[0].vectors, tables[1].vectors)
    inventory.begin(10)
    predictions = predictions_of()
    for number in range(10):
        for table in tables:
            table.begin_step(number)
        rows = tables[0].choose(predictions)
        for table in tables:
            table.losses(predictions, rows=rows)
        facts = [table.end_step(number) for table in tables]
        assert bool(facts[0]) == (number % 4 == 3), "how senses are used is told by one of the tables"
        assert not facts[1]
    assert int(inventory.queue.filled) == 30
    assert int(inventory.selected.sum()) == 5 * 5, "of the five predictions of words with several senses, once each"


def test_a_bank_chooses_as_the_training_did(tmp_path):
    words = ["bank", "the", "play", "a", "run", "x"]
    table, predictions = table_of(TRANSLATIONS), predictions_of((0, 2, 4, 0, 4, 2))
    table.inventory.means.normal_(generator=torch.Generator().manual_seed(1))
    table.inventory.selected.copy_(torch.arange(11))
    save_senses(tmp_path, words, {"senses": table}, context="masked")
    bank = load_bank(tmp_path)
    assert (bank.words, bank.tables, bank.context) == (["bank", "play", "run"], ("senses",), "masked")
    assert "bank" in bank
    assert "the" not in bank
    rows = table.choose(predictions)
    for place, word in enumerate(predictions.words.tolist()):
        enabled = [row for row in range(*table.inventory.offsets[word : word + 2].tolist()) if row != 1]
        found = bank.choose(words[word], predictions.own[place : place + 1].numpy())
        assert enabled[found[0]] == rows[place]
        assert (bank.vectors(words[word]) == table.vectors.detach()[enabled].numpy()).all()
        assert (bank.centres(words[word]) == table.inventory.centres[enabled].numpy()).all()
    assert bank.shares("run") == pytest.approx([7 / 24, 8 / 24, 9 / 24])
    names, vectors = bank.vectors_of(lambda word: word != "x")
    assert names == [("bank", 0), ("bank", 1), ("the", -1), ("play", 0), ("play", 1), ("a", -1), ("run", 0), ("run", 1),
                     ("run", 2)]  # fmt: skip
    assert vectors[1] == pytest.approx(bank.vectors("bank")[1] / np.linalg.norm(bank.vectors("bank")[1]), abs=1e-6)
    assert vectors.shape == (9, 5)
    for word in ("the", "unknown"):
        with pytest.raises(ConfigError, match=word):
            bank.centres(word)
    with pytest.raises(ConfigError, match="shape"):
        bank.choose("bank", np.zeros((1, 3), dtype=np.float32))


def test_damaged_banks_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no model with senses"):
        load_bank(tmp_path)
    save_senses(tmp_path, list("abcdef"), {"senses": table_of()}, context="masked")
    facts, tensors = json.loads((tmp_path / FACTS).read_text()), load_file(tmp_path / TABLES)
    for damage in ({"words": list("abc")}, {"tables": {"forward": 0}}, {"tables": {"senses": 1}}, {"tables": {}}):
        (tmp_path / FACTS).write_text(json.dumps(facts | damage))
        with pytest.raises(DataError, match=r"senses\.safetensors"):
            load_bank(tmp_path)
    (tmp_path / FACTS).write_text(json.dumps(facts))
    for name, value in (("enabled", torch.zeros(11, dtype=torch.bool)), ("sizes", torch.full((6,), -1)),
                        ("slots", torch.full((6,), 9)), ("centres", torch.zeros(3, 4))):  # fmt: skip
        save_file(tensors | {f"inventory.0.{name}": value}, tmp_path / TABLES)
        with pytest.raises(DataError, match="does not fit"):
            load_bank(tmp_path)
