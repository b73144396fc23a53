"""Every loss of the table: a value worked out by hand, indifference to order, a gradient that can be used."""

from __future__ import annotations

import math

import pytest
import torch

from lexenc.training import LOSSES
from lexenc.training.losses import Contrast

NAMES = list(LOSSES)
SCALE = 2.0

# Two anchors on the axes, each its own positive, one hard negative each between the axes; all of length 1.
HALF = math.sqrt(0.5)
ANCHORS = [[1.0, 0.0], [0.0, 1.0]]
NEGATIVES = [[[HALF, HALF]], [[HALF, HALF]]]
OWN, OTHER, HARD = math.exp(SCALE), 1.0, math.exp(SCALE * HALF)
BY_HAND = {
    "mneg": -math.log(OWN / (OWN + OTHER + 2 * HARD)),
    "own-hard": -math.log(OWN / (OWN + OTHER + HARD)),
    "symmetric": -0.5 * (math.log(OWN / (OWN + OTHER + 2 * HARD)) + math.log(OWN / (OWN + OTHER))),
    "printed": 2 * (-SCALE + math.log(OTHER) + math.log(HARD)),
    # Four rows, each with its like at cosine 1 and two others at cosine 0.
    "multi-similarity": math.log(1 + math.exp(-0.5)) + math.log(1 + 2 * math.exp(60 * -0.5)) / 60,
}
# With a margin of 2 no pair is skipped, so that the value has no steps.
SETTINGS = {name: {"scale": SCALE} for name in NAMES} | {"multi-similarity": {"margin": 2.0}}
RANKING = [name for name in NAMES if name != "multi-similarity"]


def no_mask(batch, negatives):
    """Return masks that hide nothing."""
    return torch.zeros(batch, batch, dtype=torch.bool), torch.zeros(batch, batch, negatives, dtype=torch.bool)


def contrast(anchors, positives, negatives):
    anchors, positives, negatives = (
        torch.as_tensor(each, dtype=torch.float64) for each in (anchors, positives, negatives)
    )
    return Contrast(anchors, positives, negatives, *no_mask(len(anchors), negatives.shape[1]))


def some(batch=5, count=3, size=7, seed=0):
    random = torch.Generator().manual_seed(seed)
    shapes = ((batch, size), (batch, size), (batch, count, size))
    return [torch.randn(shape, generator=random, dtype=torch.float64) for shape in shapes]


def test_the_table_holds_the_losses():
    assert set(NAMES) == set(BY_HAND), "a new loss brings its value worked out by hand"


@pytest.mark.parametrize("name", NAMES)
def test_value_worked_out_by_hand(name):
    value = LOSSES[name](contrast(ANCHORS, ANCHORS, NEGATIVES), **SETTINGS[name])
    assert value.shape == ()
    assert float(value) == pytest.approx(BY_HAND[name], abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_order_of_the_pairs_does_not_matter(name):
    anchors, positives, negatives = some()
    order = torch.tensor([3, 0, 4, 1, 2])
    one = LOSSES[name](contrast(anchors, positives, negatives))
    two = LOSSES[name](contrast(anchors[order], positives[order], negatives[order][:, [2, 0, 1]]))
    assert float(one) == pytest.approx(float(two), abs=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_length_of_vectors_does_not_matter(name):
    anchors, positives, negatives = some()
    one = LOSSES[name](contrast(anchors, positives, negatives))
    two = LOSSES[name](contrast(anchors * 10, positives * 0.1, negatives * 3))
    assert float(one) == pytest.approx(float(two), abs=1e-10)


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_finite_and_right(name, count):
    parts = [each.requires_grad_() for each in some(batch=4, count=count, size=3)]
    masks = no_mask(4, count)

    def loss(*tensors):
        return LOSSES[name](Contrast(*tensors, *masks), **SETTINGS[name])

    loss(*parts).backward()
    used = parts if count and name in RANKING else parts[:2]
    assert all(torch.isfinite(each.grad).all() for each in used)
    assert torch.autograd.gradcheck(lambda *given: loss(*given, *parts[len(used) :]), used)


@pytest.mark.parametrize("name", NAMES)
def test_better_positives_lower_the_loss(name):
    anchors, positives, negatives = some()
    bad = LOSSES[name](contrast(anchors, positives, negatives))
    good = LOSSES[name](contrast(anchors, anchors, negatives))
    assert float(good) < float(bad)


@pytest.mark.parametrize("name", RANKING)
def test_masked_candidates_have_no_gradient(name):
    anchors, positives, negatives = (each.requires_grad_() for each in some(batch=3, count=2))
    known_positives, known_negatives = no_mask(3, 2)
    known_negatives[:, 1, 0] = True  # the first hard negative of anchor 1, for every anchor
    LOSSES[name](Contrast(anchors, positives, negatives, known_positives, known_negatives)).backward()
    assert (negatives.grad[1, 0] == 0).all()
    assert (negatives.grad[1, 1] != 0).any()


@pytest.mark.parametrize("name", NAMES)
def test_one_pair_alone_is_no_error(name):
    assert torch.isfinite(LOSSES[name](contrast(*some(batch=1, count=1))))
