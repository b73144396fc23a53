"""Softmax over many words: the values and gradients of the plain computation, and samples of words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lexenc.training.softmax import WordSampler, log_partition, soft_target_losses


@pytest.fixture
def layer():
    draw = torch.Generator().manual_seed(0)
    states, vectors, bias = (torch.randn(*shape, generator=draw, dtype=torch.float64).requires_grad_()
                             for shape in ((7, 5), (23, 5), (23,)))  # fmt: skip
    targets = torch.randint(0, 20, (7, 2), generator=draw)
    shares = torch.tensor([[0.5, 0.5]] * 4 + [[1.0, 0.0]] * 3, dtype=torch.float64)
    return states, vectors, bias, targets, shares


@pytest.mark.parametrize("scores", [7, 40, 10_000])
def test_blocks_are_the_plain_softmax_with_its_gradients(layer, scores):
    states, vectors, bias, targets, shares = layer
    left_out = torch.arange(23) >= 20
    usable, again = (bias.masked_fill(left_out, -torch.inf) for _ in range(2))
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    found = soft_target_losses(states, vectors, usable, targets, shares, scores=scores)
    gradients = torch.autograd.grad(found @ weights, (states, vectors, bias))
    chances = (states @ vectors.T + again).log_softmax(1)
    expected = -(shares * chances.gather(1, targets)).sum(1)
    assert torch.allclose(found, expected)
    for one, other in zip(gradients, torch.autograd.grad(expected @ weights, (states, vectors, bias)), strict=True):
        assert torch.allclose(one, other)
    assert not gradients[1][20:].any()


@pytest.mark.parametrize("scores", [7, 10_000])
def test_rows_can_be_left_out_of_single_predictions(layer, scores):
    states, vectors, bias, *_ = layer
    places, columns = torch.tensor([0, 3, 3, 6]), torch.tensor([22, 1, 9, 1])
    found = log_partition(states, vectors, bias, (places, columns), scores=scores)
    gradients = torch.autograd.grad(found.sum(), (states, vectors, bias))
    logits = (states @ vectors.T + bias).index_put((places, columns), torch.tensor(-torch.inf, dtype=torch.float64))
    expected = logits.logsumexp(1)
    assert torch.allclose(found, expected)
    for one, other in zip(gradients, torch.autograd.grad(expected.sum(), (states, vectors, bias)), strict=True):
        assert torch.allclose(one, other)


def test_nothing_to_sum_is_minus_infinity_without_gradient():
    states, vectors, bias = torch.ones(2, 3, requires_grad=True), torch.ones(1, 3, requires_grad=True), torch.zeros(1)
    hits = (torch.tensor([0]), torch.tensor([0]))
    found = log_partition(states, vectors, bias, hits)
    assert found.tolist() == [-torch.inf, 3]
    torch.logaddexp(found, torch.zeros(2)).sum().backward()
    assert torch.isfinite(states.grad).all()
    assert not states.grad[0].any()


def test_samples_are_distinct_redrawn_and_favour_frequent_words():
    counts = np.array([5, 1, 100, 20] + [0] * 96)
    sampler = WordSampler(counts, 20, seed=1)
    drawn = [sampler.draw(step).words.numpy() for step in range(300)]
    assert all(len(np.unique(each)) == 20 for each in drawn)
    assert (sampler.draw(7).words.numpy() == drawn[7]).all()
    assert (drawn[0] != drawn[1]).any()
    shares = np.bincount(np.concatenate(drawn), minlength=100) / 300
    expected = np.mean([sampler.draw(step).correction.exp().numpy() for step in range(300)], axis=0)
    assert np.abs(shares - expected).max() < 0.1
    assert shares[2] > shares[3] > shares[0] > shares[50:].mean()
    assert expected[2] > 0.95


def test_uniform_samples_need_no_correction_and_all_words_neither():
    uniform = WordSampler(np.arange(50), 10, sampling="uniform").draw(0)
    assert len(uniform.words) == 10
    assert not uniform.correction.any()
    every = WordSampler(np.arange(50), 60).draw(0)
    assert every.words.tolist() == list(range(50))
    assert not every.correction.any()
