from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from lexenc.arrays import starts_of
from lexenc.encoders.masked_language import MaskedHead
from lexenc.encoders.top_layers import TopLayers
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError
from lexenc.sentences.representation_translation import RepresentationTranslation
from lexenc.sentences.terms import PairStates

ALL = np.arange(5)


def states_of(given, rows=ALL):
    encoder, tokens = given.encoder, given.tokens
    sides = [tokens.take(texts[rows]) for texts in (given.data.anchors, given.data.positives)]
    every = encoder.states([side[k] for side in sides for k in range(len(rows))])
    source, target = every.split([int(side.starts[-1]) for side in sides])
    return PairStates(source, sides[0].starts, target, sides[1].starts)


def direct(given, row, states):
    """Compute the loss of one row with the layers of transformers."""
    model = given.encoder.module[0].auto_model
    source = states.source[states.source_starts[row] + 1 : states.source_starts[row + 1]]
    target = torch.from_numpy(given.tokens[given.data.positives[row]].astype(np.int64))
    places = torch.arange(1, len(target))[None]
    masks = model.embeddings(input_ids=torch.full_like(places, given.head.mask), position_ids=places)
    hidden = torch.cat([source[None], masks], dim=1)
    for layer in model.encoder.layer[-2:]:
        hidden = layer(hidden)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    logits = given.head.logits(hidden[0, len(source) :])
    right = target[1:]
    if given.head.vocabulary is not None:
        right = torch.from_numpy(np.searchsorted(given.head.vocabulary, right.numpy()))
    return F.cross_entropy(logits, right)


@pytest.mark.parametrize("whole", [True, False])
def test_the_loss_is_the_one_of_the_last_layers(make_given, whole):
    given = make_given(whole=whole)
    term = RepresentationTranslation(given)
    with torch.no_grad():
        states = states_of(given)
        losses = term.losses(ALL, 0, states)
        expected = torch.stack([direct(given, row, states) for row in ALL])
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-5)
    assert term.uses_states
    assert set(term.modules) == {"head", "translator"}


def test_first_special_subwords_take_no_part(make_given):
    given = make_given()
    term = RepresentationTranslation(given)
    with torch.no_grad():
        states = states_of(given)
        before = term.losses(ALL, 0, states)
        states.source[states.source_starts[:-1]] = 7
        states.target[:] = 7
        assert torch.equal(term.losses(ALL, 0, states), before)
        states.source[states.source_starts[1:] - 1] = 7
        assert not torch.equal(term.losses(ALL, 0, states), before)


def test_losses_depend_on_their_own_row_and_rows_that_are_no_translations_have_none(make_given):
    given = make_given(parallel=np.array([True, False, True, True, True]))
    term = RepresentationTranslation(given)
    with torch.no_grad():
        whole = term.losses(ALL, 0, states_of(given))
        rows = np.array([4, 1, 0])
        some = term.losses(rows, 0, states_of(given, rows))
        torch.testing.assert_close(some, whole[torch.from_numpy(rows)])
        assert whole[1] == 0
        assert term.losses(np.array([1]), 0, states_of(given, np.array([1]))).tolist() == [0]
        assert term.losses(ALL[:0], 0, PairStates(torch.zeros(0, 16), starts_of([]), torch.zeros(0, 16),
                                                  starts_of([]))).tolist() == []  # fmt: skip
    assert term.sizes(np.array([1, 2])).tolist() == [0, 6]


def test_gradients_reach_encoder_head_and_copied_layers(make_given):
    given = make_given()
    term = RepresentationTranslation(given)
    before = {name: each.clone() for name, each in given.encoder.module.named_parameters()}
    modules = nn.ModuleDict({"encoder": given.encoder.module, **term.modules}).train()
    term.losses(ALL, 0, states_of(given)).sum().backward()
    for name, each in modules.named_parameters():
        if "pooler" not in name:
            assert each.grad is not None, name
            assert torch.isfinite(each.grad).all()
    copied = dict(term.modules["translator"].named_parameters())
    assert len([name for name in copied if name.startswith("layers.")]) == 2 * 16
    assert not {id(each) for each in copied.values()} & {id(each) for each in given.encoder.module.parameters()}
    with torch.no_grad():
        for each in copied.values():
            each.add_(1.0)
    assert all(torch.equal(each, before[name]) for name, each in given.encoder.module.named_parameters())


def test_the_same_bits_every_time_and_from_saved_weights(make_given):
    results = []
    for _ in range(2):
        given = make_given()
        term = RepresentationTranslation(given)
        loss = term.losses(ALL, 0, states_of(given))
        loss.sum().backward()
        results.append((loss, term.modules["translator"].inputs.grad, term))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    first, second = (result[2] for result in results)
    with torch.no_grad():
        for each in first.modules["translator"].parameters():
            each.mul_(1.1)
        second.modules["translator"].load_state_dict(first.modules["translator"].state_dict())
        given = make_given()
        torch.testing.assert_close(*(term.losses(ALL, 0, states_of(given)) for term in (first, second)))


def test_positions_start_again_in_models_whose_first_position_is_not_0(make_given, tmp_path):
    torch.manual_seed(0)
    config = XLMRobertaConfig(vocab_size=80, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
                              intermediate_size=32, max_position_embeddings=50, pad_token_id=0)  # fmt: skip
    XLMRobertaModel(config).save_pretrained(tmp_path)
    make_given().encoder.module[0].tokenizer.save_pretrained(tmp_path)
    encoder = TransformerEncoder.load_folder(tmp_path, pooling="mean")
    copied = TopLayers(encoder, 2, subword=4, positions=3)
    model = encoder.module[0].auto_model
    expected = model.embeddings(input_ids=torch.full((1, 3), 4), position_ids=torch.arange(3)[None] + 1)
    torch.testing.assert_close(copied.inputs[None], expected)


def test_an_encoder_that_is_not_packed_is_refused(make_given, tmp_path):
    config = BertConfig(vocab_size=80, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=32, is_decoder=True)  # fmt: skip
    BertModel(config).save_pretrained(tmp_path)
    make_given().encoder.module[0].tokenizer.save_pretrained(tmp_path)
    given = make_given()
    encoder = TransformerEncoder.load_folder(tmp_path, pooling="mean")
    with pytest.raises(ConfigError, match="architecture is not known"):
        RepresentationTranslation(replace(given, encoder=encoder))
    with pytest.raises(ConfigError, match="need a prediction head"):
        RepresentationTranslation(replace(given, head=None))


def test_the_head_is_the_same_object_in_all_terms(make_given):
    given = make_given()
    assert isinstance(given.head, MaskedHead)
    assert RepresentationTranslation(given).modules["head"] is given.head.module
