"""All terms in one objective: in chunks as in one pass, and with heads that they share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lexenc.sentences import OBJECTIVES
from lexenc.sentences.objective import SentenceObjective
from lexenc.training import LOSSES
from lexenc.training.processes import Processes


def gradients(given, chunk_tokens, names=tuple(OBJECTIVES)):
    terms = {name: OBJECTIVES[name](given) for name in names}
    objective = SentenceObjective(given.encoder, given.data, given.tokens, LOSSES["mneg"], terms, {"awp": 0.1})
    loss = objective.backward(
        np.arange(5), 3, chunk_tokens=chunk_tokens, device=torch.device("cpu"), processes=Processes()
    )
    modules = nn.ModuleDict(objective.modules)
    return loss, {name: each.grad for name, each in modules.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("chunk_tokens", [60, 1])
def test_chunks_give_the_gradient_of_one_pass(make_given, chunk_tokens):
    whole, parts = (gradients(make_given(), size) for size in (10_000, chunk_tokens))
    assert set(whole[1]) == set(parts[1])
    for name, each in whole[1].items():
        torch.testing.assert_close(parts[1][name], each, rtol=1e-3, atol=1e-5, msg=name)
    assert parts[0].terms == pytest.approx(whole[0].terms, rel=1e-4)
    assert set(whole[0].terms) == {"tr", *OBJECTIVES}


def test_modules_are_shared_by_name(make_given):
    given = make_given()
    terms = {name: OBJECTIVES[name](given) for name in OBJECTIVES}
    objective = SentenceObjective(given.encoder, given.data, given.tokens, LOSSES["mneg"], terms)
    assert set(objective.modules) == {"encoder", "head", "translator"}


def test_the_same_bits_every_time_with_dropout(make_given):
    results = []
    for _ in range(2):
        given = make_given()
        given.encoder.module.train()
        torch.manual_seed(5)
        results.append(gradients(given, 60))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(each, results[1][1][name]) for name, each in results[0][1].items())
