"""Bidirectional language modelling of words: what is predicted from what, losses, and the vocabulary."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lexenc.arrays import Ragged
from lexenc.device import CPU
from lexenc.encoders.elmo import CharacterSettings, ElmoSettings, new_elmo
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.errors import DataError
from lexenc.training.language_models import LanguageTexts
from lexenc.training.processes import Processes
from lexenc.training.softmax import Negatives
from lexenc.training.word_prediction import (
    ELMO,
    ElmoLanguageModel,
    HeldOutWords,
    WordObjective,
    train_word_tokenizer,
)

EN = ["the dog barks", "the cat sleeps", "the dog sleeps", "", "a dog", "The dog, the cat"]
CHARACTERS = CharacterSettings([(1, 4), (2, 4)], width=3, longest=8)


def made(**settings):
    tokenizer = train_word_tokenizer({"en": EN}, vocabulary_size=9, minimum_count=1)
    torch.manual_seed(0)
    model = ElmoLanguageModel(new_elmo(tokenizer, ElmoSettings(6, **settings), seed=1))
    with torch.no_grad():
        for each in model.head.parameters():
            each.normal_()
    return model


def texts(model, lines=EN):
    return LanguageTexts.of({"en": model.splitter()(lines)})


@pytest.fixture(params=["words", "characters"])
def model(request):
    return made(characters=CHARACTERS if request.param == "characters" else None)


def test_vocabulary_is_by_frequency_over_all_languages():
    lines = {"en": ["the dog the", "a, b"], "de": ["Der Hund, der", "hund a the", "selten"]}
    one = train_word_tokenizer(lines, vocabulary_size=100, minimum_count=2)
    order = sorted(one.get_vocab(), key=one.get_vocab().get)
    assert order == ["<unk>", "<s>", "</s>", "the", ",", "a", "der", "hund"]
    assert one.encode("The DOG, A").ids == [1, 3, 0, 4, 5, 2]
    assert train_word_tokenizer(lines, vocabulary_size=5).get_vocab_size() == 5
    assert "Hund" in train_word_tokenizer(lines, vocabulary_size=100, cased=True).get_vocab()
    assert "a," in train_word_tokenizer(lines, vocabulary_size=100, words="spaces").get_vocab()
    # Each language has the same weight: the three words of en count as many as those of de.
    even = train_word_tokenizer({"en": ["x"] * 9, "de": ["y", "z", "z"]}, vocabulary_size=5, exponent=0)
    assert sorted(even.get_vocab(), key=even.get_vocab().get)[3:] == ["x", "z"]
    with pytest.raises(DataError, match="No word occurs 9 times"):
        train_word_tokenizer(lines, vocabulary_size=9, minimum_count=9)


def test_every_word_is_predicted_from_either_side_and_never_from_itself(model):
    """Changing a word changes the state by which its sense is chosen, not the state from which it is predicted."""
    vocabulary = model.encoder.tokenizer.get_vocab()
    the, dog, cat = (vocabulary[word] for word in ("the", "dog", "cat"))
    one, other = Ragged.of([[1, the, dog, 2], [1, 2]]), Ragged.of([[1, the, cat, 2], [1, 2]])
    with torch.no_grad():
        first, second = (model.predictions(each, context="own") for each in (one, other))
        both = model.predictions(one, context="both")
    assert first["next"].words.tolist() == [the, dog, 2, 2]
    assert first["previous"].words.tolist() == [1, the, dog, 1]
    assert first["next"].owners.tolist() == [0, 0, 0, 1]
    for side, place in (("next", 1), ("previous", 2)):
        assert torch.equal(first[side].states[place], second[side].states[place])
        assert not torch.isclose(first[side].own[place], second[side].own[place]).any()
        assert both[side].own.shape == (4, 12)
    assert torch.equal(both["next"].own[:, :6], first["next"].own)
    # Both predictions of a word are made by the states of both directions at it.
    assert torch.equal(both["next"].own[[0, 1]], both["previous"].own[[1, 2]])
    assert not first["next"].own.requires_grad


def test_loss_is_the_mean_of_both_directions_and_exact_with_all_words(model):
    data = texts(model)
    objective = WordObjective(model, data, negatives=1000, exponent=1.0)
    rows = objective.rows(0)
    assert objective.empty == 1
    assert rows.tolist() == [0, 1, 2, 4, 5]
    assert objective.sizes(rows).tolist() == [5, 5, 5, 4, 7]
    found = objective.losses(rows, 0).detach()
    for row, loss in zip(rows.tolist(), found, strict=True):
        [ids] = model.encoder.tokenise([EN[row]])
        states = model.encoder.states([ids], 2).detach()
        right = torch.from_numpy(model.targets(np.array(ids)))
        halves = []
        for side, own, words in (("next", states[:-1, :6], right[1:]), ("previous", states[1:, 6:], right[:-1])):
            table = model.head[side]
            halves.append(torch.nn.functional.cross_entropy(own @ table.weight.T + table.bias, words).item())
        assert float(loss) == pytest.approx(sum(halves) / 2, rel=1e-4)
    held_out = HeldOutWords(model, data)
    sizes = objective.sizes(rows) - 1
    assert held_out.losses()["en"] == pytest.approx(
        float(found @ torch.from_numpy(sizes / sizes.sum()).float()), rel=1e-5
    )


def test_sampled_gradients_are_those_of_the_exact_softmax_and_sparse():
    model = made()
    objective = WordObjective(model, texts(model), negatives=1000, exponent=1.0)
    assert objective.negatives(0, torch.device("cpu")).words.tolist() == list(range(9))
    objective.losses(np.array([0, 5]), 0).sum().backward()
    table = model.head["next"]
    assert table.weight.grad.is_sparse
    assert model.encoder.module.inputs.weight.grad.is_sparse
    found = table.weight.grad.to_dense()
    table.zero_grad()
    each = objective.predictions(np.array([0, 5]))["next"]
    scores = each.states.detach() @ table.weight.T + table.bias
    losses = torch.nn.functional.cross_entropy(scores, each.words, reduction="none")
    (losses / (2 * torch.tensor([4.0, 6.0])[each.owners])).sum().backward()
    assert torch.allclose(found, table.weight.grad, atol=1e-6)


def test_sampled_loss_by_hand():
    model = made()
    table = model.head["next"]
    negatives = Negatives(torch.tensor([1, 4, 6]), torch.linspace(-1, 0, 9))
    each = model.predictions(Ragged.of([[1, 4, 5, 2]]))["next"]
    scores = (each.states @ table.weight.T + table.bias - negatives.correction).detach()
    for loss, own, word in zip(table.losses(each, negatives), scores, each.words.tolist(), strict=True):
        kept = sorted({1, 4, 6} | {word})
        assert loss.item() == pytest.approx((torch.logsumexp(own[kept], 0) - own[word]).item(), rel=1e-5)


def test_negatives_are_those_of_the_step_and_chunks_change_nothing():
    model = made()
    objective = WordObjective(model, texts(model), negatives=3, exponent=1.0, seed=4)
    cpu = torch.device("cpu")
    drawn = [objective.negatives(step, cpu).words.tolist() for step in (0, 1, 2, 1)]
    assert all(len(set(each)) == 3 for each in drawn)
    assert drawn[1] == drawn[3]
    assert len(set(map(tuple, drawn))) > 1
    values = []
    for tokens in (1000, 1):
        model.head.zero_grad()
        loss = objective.backward(objective.rows(0), 1, chunk_tokens=tokens, device=cpu, processes=Processes())
        values.append((loss.value, model.head["next"].weight.grad.to_dense()))
    assert values[0][0] == pytest.approx(values[1][0], rel=1e-6)
    assert torch.allclose(values[0][1], values[1][1], atol=1e-6)


def test_control_predicts_frequencies(model):
    held_out = HeldOutWords(model, texts(model, ["the dog", ""]))
    assert held_out.names == ["en"]
    trained = model.splitter()(["the the", "dog"])
    the, dog = (model.encoder.tokenizer.token_to_id(word) for word in ("the", "dog"))
    counts = np.ones(9)
    np.add.at(counts, [the, the, dog, 2, 2], 1)
    chances = counts / counts.sum()
    expected = -np.log(chances[[the, dog, 2]]).mean()
    assert held_out.frequency_losses({"en": trained})["en"] == pytest.approx(expected)


def test_saved_model_continues_and_its_encoder_ignores_the_tables(model, tmp_path):
    ELMO.save(tmp_path, model)
    again = ELMO.open(tmp_path, device=CPU, max_length=8)
    assert (again.fresh, again.room) == (False, 6)
    assert all(torch.equal(*pair) for pair in zip(again.head.parameters(), model.head.parameters(), strict=True))
    vectors = encode_texts(load_encoder(tmp_path, device=CPU), EN)
    (tmp_path / "prediction.safetensors").unlink()
    assert (encode_texts(load_encoder(tmp_path, device=CPU), EN) == vectors).all()
    assert ELMO.open(tmp_path, device=CPU).fresh
    other = ElmoLanguageModel(new_elmo(train_word_tokenizer({"en": ["a"]}, vocabulary_size=9), ElmoSettings(6), seed=1))
    ELMO.save(tmp_path / "other", other)
    (tmp_path / "other/prediction.safetensors").rename(tmp_path / "prediction.safetensors")
    with pytest.raises(DataError, match="do not fit"):
        ELMO.open(tmp_path, device=CPU)
