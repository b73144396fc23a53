from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from lexenc.training.optimiser import MasterOptimiser
from lexenc.training.schedule import Schedule


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.norm, self.outer = nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 2, bias=False)
        self.unused = nn.Linear(3, 3)
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(self, states):
        return self.outer(torch.tanh(self.norm(self.inner(states))))


def batch(step):
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(step))


def backward(net, step):
    dtype = next(net.parameters()).dtype
    net(batch(step).to(dtype)).square().mean().backward()


def reference(net, decay=0.3):
    spared = [net.inner.bias, net.norm.weight, net.norm.bias, net.unused.bias]
    groups = [
        {"params": [net.inner.weight, net.outer.weight, net.unused.weight], "weight_decay": decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.01)


@pytest.mark.parametrize("clip", [0.0, 0.05])
def test_optimiser_equals_adamw_of_pytorch_in_float32(clip):
    one = Net()
    other = copy.deepcopy(one)
    mine, theirs = MasterOptimiser(one, learning_rate=0.01, weight_decay=0.3), reference(other)
    for step in range(12):
        factor = Schedule(warmup=0.25).factor(step, 12)
        backward(one, step)
        norm = mine.step(factor, clip=clip)
        backward(other, step)
        expected = nn.utils.clip_grad_norm_(other.parameters(), clip or math.inf)
        for group in theirs.param_groups:
            group["lr"] = 0.01 * factor
        theirs.step()
        theirs.zero_grad()
        assert norm == pytest.approx(float(expected), rel=1e-5)
    for (name, left), right in zip(one.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6, msg=name)
    assert all(each.grad is None for each in one.parameters())


def test_optimiser_norm_is_that_before_clipping():
    net = Net()
    backward(net, 0)
    expected = float(nn.utils.get_total_norm([each.grad for each in net.parameters() if each.grad is not None]))
    assert MasterOptimiser(net, learning_rate=0.01, weight_decay=0).step(1.0, clip=1e-3) == pytest.approx(
        expected, rel=1e-5
    )


def test_optimiser_decay_spares_biases_and_norms():
    net = Net()
    before = {name: each.detach().clone() for name, each in net.named_parameters()}
    optimiser = MasterOptimiser(net, learning_rate=0.1, weight_decay=0.5)
    for each in net.parameters():
        each.grad = torch.zeros_like(each) if each.requires_grad else None
    optimiser.step(1.0, clip=0)
    for name, each in net.named_parameters():
        kept = name.endswith("bias") or "norm" in name or name == "frozen"
        torch.testing.assert_close(each, before[name] * (1 if kept else 0.95), msg=name)


def test_optimiser_leaves_alone_what_has_no_gradient():
    net = Net()
    before = net.unused.weight.detach().clone()
    optimiser = MasterOptimiser(net, learning_rate=0.1, weight_decay=0.5)
    backward(net, 0)
    optimiser.step(1.0, clip=1.0)
    assert torch.equal(net.unused.weight, before)


def test_optimiser_factor_zero_changes_nothing():
    net = Net()
    before = copy.deepcopy(net.state_dict())
    optimiser = MasterOptimiser(net, learning_rate=0.1, weight_decay=0.5)
    backward(net, 0)
    optimiser.step(0.0, clip=1.0)
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())


def test_optimiser_bfloat16_masters_move_where_single_updates_are_below_the_rounding():
    weight = nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    with torch.no_grad():
        weight.weight.fill_(1.0)
    optimiser = MasterOptimiser(weight, learning_rate=2e-4, weight_decay=0.0)
    seen = []
    for _ in range(100):
        weight.weight.grad = torch.ones_like(weight.weight)
        optimiser.step(1.0, clip=0)
        seen.append(weight.weight.item())
        assert weight.weight.grad is None
    # Numbers just below 1 are 2^-8 apart: one step of 2e-4 is lost, a hundred are not.
    assert seen[0] == 1.0
    assert seen[-1] == pytest.approx(0.98, abs=0.003)
    assert optimiser.state()["0.master"].item() == pytest.approx(0.98, abs=1e-4)
    assert weight.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_optimiser_continues_from_its_state_with_the_same_bits(dtype):
    def steps(net, optimiser, numbers):
        for step in numbers:
            backward(net, step)
            optimiser.step(Schedule(warmup=0.2).factor(step, 10), clip=1.0)

    def fresh():
        net = Net().to(dtype)
        return net, MasterOptimiser(net, learning_rate=0.01, weight_decay=0.1)

    whole, optimiser = fresh()
    steps(whole, optimiser, range(10))
    first, optimiser = fresh()
    steps(first, optimiser, range(4))
    weights, state = copy.deepcopy(first.state_dict()), optimiser.state()
    steps(first, optimiser, range(4, 6))  # the state is a copy, so this changes nothing in it
    second, optimiser = fresh()
    second.load_state_dict(weights)
    optimiser.restore(state)
    steps(second, optimiser, range(4, 10))
    for name, each in second.state_dict().items():
        assert torch.equal(each, whole.state_dict()[name]), name


# ---------------------------------------------------------------- schedule


def test_optimiser_schedule_rises_to_one_and_falls_to_zero():
    factors = [Schedule(warmup=0.1).factor(step, 200) for step in range(201)]
    assert factors[0] == 0
    assert factors[10] == 0.5
    assert factors[20] == max(factors) == 1
    assert factors[110] == 0.5
    assert factors[200] == 0
    assert all(0 <= factor <= 1 for factor in factors)


def test_optimiser_schedule_is_that_of_transformers():
    from transformers import get_linear_schedule_with_warmup

    theirs = get_linear_schedule_with_warmup(torch.optim.SGD([torch.ones(1)], lr=1.0), 7, 40).lr_lambdas[0]
    for step in range(41):
        assert Schedule(warmup=7 / 40).factor(step, 40) == pytest.approx(theirs(step))


@pytest.mark.parametrize(("share", "total", "steps"), [(0.1, 200, 20), (0.1, 201, 21), (0.0, 200, 0), (0.1, 5, 1)])
def test_optimiser_warmup_steps(share, total, steps):
    assert Schedule(warmup=share).warmup_steps(total) == steps


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 2, 3, 10])
def test_optimiser_peak_is_reached_in_the_shortest_of_runs(share, total):
    assert max(Schedule(warmup=share).factor(step, total) for step in range(total)) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_optimiser_changed_weights_count_as_changed(dtype):
    # Encoders keep copies in bfloat16 until the version of a weight is another; the fused AdamW does not raise it.
    net = Net().to(dtype)
    before = {name: each._version for name, each in net.named_parameters()}
    optimiser = MasterOptimiser(net, learning_rate=0.1, weight_decay=0.0)
    backward(net, 0)
    optimiser.step(1.0, clip=1.0)
    for name, each in net.named_parameters():
        assert (each._version > before[name]) == each.requires_grad, name


def test_optimiser_leaves_frozen_weights_alone_and_keeps_nothing_for_them():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(50, 4), nn.Linear(4, 2))
    net[0].weight.requires_grad = False
    before = net[0].weight.clone()
    optimiser = MasterOptimiser(net, learning_rate=0.1, weight_decay=0.5)
    for _ in range(3):
        net(torch.arange(50)).square().mean().backward()
        optimiser.step(1.0, clip=1.0)
    assert torch.equal(net[0].weight, before)
    assert net[0].weight.grad is None
    assert {tuple(each.shape) for each in optimiser.state().values()} == {(2, 4), (2,), ()}


@pytest.mark.parametrize("factor", [0.9, 0.999999, 1.0, 1.000001, 1.1])
def test_optimiser_clips_at_the_norm_as_pytorch_does(factor):
    def trained(step):
        torch.manual_seed(0)
        net = nn.Linear(3, 3)
        net(torch.eye(3)).square().mean().backward()
        norm = float(nn.utils.get_total_norm([each.grad for each in net.parameters()]))
        step(net, norm * factor)
        return net.weight.detach()

    def plain(net, clip):
        nn.utils.clip_grad_norm_(net.parameters(), clip)
        groups = [{"params": [net.weight], "weight_decay": 0.1}, {"params": [net.bias], "weight_decay": 0.0}]
        torch.optim.AdamW(groups, lr=0.01, fused=True).step()

    mine = trained(lambda net, clip: MasterOptimiser(net, learning_rate=0.01, weight_decay=0.1).step(1.0, clip=clip))
    assert torch.equal(mine, trained(plain))


class Words(nn.Module):
    """A table of words, some of which occur, and a layer above it."""

    def __init__(self, sparse):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.outer = nn.Embedding(6, 3, sparse=sparse), nn.Linear(3, 2)

    def backward(self, rows):
        self.outer(self.table(torch.tensor(rows))).square().sum().backward()


@pytest.mark.parametrize("rule", ["adamw", "adagrad"])
def test_rows_of_a_sparse_gradient_are_updated_as_if_they_were_alone(rule):
    """The rows that occur in every step learn as in a dense table; the others stay as they are."""
    one, other = Words(True), Words(False)
    mine, theirs = (MasterOptimiser(each, learning_rate=0.1, weight_decay=0.0, rule=rule) for each in (one, other))
    start = one.table.weight.detach().clone()
    for _ in range(4):
        for each, optimiser in ((one, mine), (other, theirs)):
            each.backward([1, 4, 4])
            optimiser.step(1.0, clip=0.5)
    torch.testing.assert_close(one.table.weight[[1, 4]], other.table.weight[[1, 4]])
    torch.testing.assert_close(one.outer.weight, other.outer.weight)
    assert torch.equal(one.table.weight[[0, 2, 3, 5]], start[[0, 2, 3, 5]])
    assert (one.table.weight[[1, 4]] != start[[1, 4]]).all()


@pytest.mark.parametrize("rule", ["adamw", "adagrad"])
def test_sparse_tables_continue_with_the_same_bits(rule):
    def steps(net, optimiser, numbers):
        for step in numbers:
            net.backward([step % 6, 2])
            optimiser.step(1.0, clip=1.0)

    whole, part, fresh = (Words(True) for _ in range(3))
    first, second, third = (
        MasterOptimiser(each, learning_rate=0.1, weight_decay=0.1, rule=rule) for each in (whole, part, fresh)
    )
    steps(whole, first, range(6))
    steps(part, second, range(3))
    assert third.fits(second.state())
    third.restore(second.state())
    steps(fresh, third, range(3, 6))
    assert all(torch.equal(*pair) for pair in zip(whole.parameters(), fresh.parameters(), strict=True))
    other = MasterOptimiser(fresh, learning_rate=0.1, weight_decay=0, rule="adamw" if rule == "adagrad" else "adagrad")
    assert not other.fits(second.state())


def test_adagrad_is_that_of_pytorch():
    one = Net()
    other = copy.deepcopy(one)
    mine = MasterOptimiser(one, learning_rate=0.2, weight_decay=0.0, rule="adagrad")
    theirs = torch.optim.Adagrad(
        [each for each in other.parameters() if each.requires_grad], lr=0.2, initial_accumulator_value=1 / 256, eps=1e-8
    )
    for step in range(3):
        for net in (one, other):
            backward(net, step)
        mine.step(1.0, clip=0)
        theirs.step()
        theirs.zero_grad()
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(left, right)
