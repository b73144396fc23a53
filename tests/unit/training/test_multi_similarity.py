"""Multi-similarity: values by hand and by the formula written out, mining against all triplets, gradients."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lexenc.training.losses import Contrast, multi_similarity, surviving_pairs


def contrast(rows, labels=None, related=None, grad=False):
    rows = torch.as_tensor(rows, dtype=torch.float64).requires_grad_(grad)
    labels = None if labels is None else torch.as_tensor(labels)
    return contrast_of(rows, labels, related), rows


def some(pairs, size=4, classes=3, seed=0, dtype=torch.float64):
    random = torch.Generator().manual_seed(seed)
    rows = torch.randn(2 * pairs, size, generator=random, dtype=dtype)
    labels = torch.randint(classes, (pairs,), generator=random)
    related = torch.rand(2 * pairs, 2 * pairs, generator=random) < 0.1
    return rows, labels, related | related.T


def all_triplets(distances, positive, negative, margin):
    """Every (a, p, n), one after the other."""
    found = set()
    for a in range(len(distances)):
        for p in positive[a].nonzero().flatten().tolist():
            for n in negative[a].nonzero().flatten().tolist():
                if distances[a, p] - distances[a, n] > -margin:
                    found.add((a, p, n))
    return found


def masks(labels, related):
    labels = torch.cat([labels, labels])
    same = labels[:, None] == labels[None, :]
    return same & ~torch.eye(len(labels), dtype=torch.bool), ~same & ~related


def written_out(rows, labels, related, alpha, beta, base, margin):
    """The formula, a number at a time."""
    rows = F.normalize(rows, dim=-1)
    cosines = rows @ rows.T
    positive, negative = masks(labels, related)
    triplets = all_triplets((2 - 2 * cosines).clamp(min=0).sqrt(), positive, negative, margin)
    total = 0.0
    for i in range(len(rows)):
        pull = sum(math.exp(-alpha * (cosines[i, p] - base)) for p in {p for a, p, _ in triplets if a == i})
        push = sum(math.exp(beta * (cosines[i, n] - base)) for n in {n for a, _, n in triplets if a == i})
        total += math.log(1 + pull) / alpha + math.log(1 + push) / beta
    return total / len(rows)


def test_value_worked_out_by_hand():
    # Anchor 1 and its positive are 60 degrees apart; anchor 2 and its positive are one row, 30 degrees from anchor 1
    # and 90 from its positive. In cosines: a1-p1 1/2, a1-a2 = a1-p2 sqrt(3)/2, p1-a2 = p1-p2 0, a2-p2 1.
    angles = [60, 90, 0, 90]
    made, _ = contrast([[math.cos(math.radians(x)), math.sin(math.radians(x))] for x in angles])
    near = math.sqrt(0.75)
    # a1: its positive (distance 1) is farther than its two negatives (0.52): all are kept.
    first = math.log(1 + 1) + math.log(1 + 2 * math.exp(60 * (near - 0.5))) / 60
    # p1: positive at 1, negatives at 1.41, further away by more than 0.2: nothing is kept.
    # a2 and p2: positive at 0, negatives at 0.52 and 1.41: nothing is kept.
    assert float(multi_similarity(made)) == pytest.approx(first / 4, abs=1e-9)
    # With a margin of 0.6 also a2 and p2 keep their positive and the negative a1, p1 its positive and both negatives.
    second = math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(60 * (near - 0.5))) / 60
    third = math.log(1 + 1) + math.log(1 + 2 * math.exp(60 * (0 - 0.5))) / 60
    value = float(multi_similarity(made, margin=0.6))
    assert value == pytest.approx((first + 2 * second + third) / 4, abs=1e-9)


@pytest.mark.parametrize("margin", [0.0, 0.2, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_value_is_that_of_the_formula_written_out(seed, margin):
    rows, labels, related = some(6, seed=seed)
    settings = {"alpha": 1.5, "beta": 9.0, "base": 0.3, "margin": margin}
    made, _ = contrast(rows, labels, related)
    assert float(multi_similarity(made, **settings)) == pytest.approx(
        written_out(rows, labels, related, **settings), abs=1e-12
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("margin", [0.0, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_mining_keeps_what_occurs_in_a_triplet_and_nothing_else(seed, margin, dtype):
    rows, labels, related = some(8, size=3, classes=5, seed=seed, dtype=dtype)
    rows[3] = rows[1]  # equal distances too
    rows = F.normalize(rows, dim=-1)
    cosines = rows @ rows.T
    positive, negative = masks(labels, related)
    triplets = all_triplets((2 - 2 * cosines).clamp(min=0).sqrt(), positive, negative, margin)
    kept = surviving_pairs(cosines, positive, negative, margin=margin)
    assert {(a, p) for a, p, _ in triplets} == {tuple(each) for each in kept[0].nonzero().tolist()}
    assert {(a, n) for a, _, n in triplets} == {tuple(each) for each in kept[1].nonzero().tolist()}
    assert triplets


@pytest.mark.parametrize("margin", [0.2, 2.0])
def test_gradient_is_that_of_finite_differences(margin):
    rows, labels, related = some(5, seed=3)

    def loss(given):
        return multi_similarity(contrast_of(given, labels, related), margin=margin)

    assert torch.autograd.gradcheck(loss, rows.requires_grad_(), eps=1e-7, atol=1e-5)


def contrast_of(rows, labels, related):
    half = len(rows) // 2
    masks = torch.zeros(half, half, dtype=torch.bool), torch.zeros(half, half, 0, dtype=torch.bool)
    return Contrast(rows[:half], rows[half:], rows.new_zeros(half, 0, rows.shape[1]), *masks, labels, related)


@pytest.mark.parametrize("rows", [[[1, 0], [0, 1], [1, 0], [0, 1]], [[1, 0], [0.3, 1]], [[0, 0], [0, 0]]])
def test_nothing_that_survives_gives_zero_and_a_zero_gradient(rows):
    made, given = contrast(rows, grad=True)
    value = multi_similarity(made)
    value.backward()
    assert float(value.detach()) == 0
    assert (given.grad == 0).all()


def test_extreme_cosines_stay_finite():
    made, given = contrast([[1.0, 0], [1.0, 1e-9], [-1.0, 0], [-1.0, 1e-9]], grad=True)
    value = multi_similarity(made, alpha=900.0, beta=900.0)
    value.backward()
    assert math.isfinite(float(value.detach()))
    assert torch.isfinite(given.grad).all()
    assert float(value.detach()) == pytest.approx(1.5 + 0.5, abs=0.01)  # for large weights: the hardest pair alone


def test_related_rows_are_no_negatives_of_each_other():
    rows, labels = [[1.0, 0], [0.9, 0.1], [0.0, 1], [0.1, 0.9]], [0, 1]
    alone = contrast(rows, labels)[0]
    related = torch.ones(4, 4, dtype=torch.bool)
    assert float(multi_similarity(alone)) > 0
    assert float(multi_similarity(contrast(rows, labels, related)[0])) == 0, "positives without negatives are let be"


def test_known_translations_are_no_negatives_where_no_relation_is_told():
    made, _ = contrast([[1.0, 0], [0.9, 0.1], [0.0, 1], [0.1, 0.9]])
    made.known_positives[0, 1] = True
    related = torch.zeros(4, 4, dtype=torch.bool)
    related[0, 3] = related[3, 0] = True
    told, _ = contrast([[1.0, 0], [0.9, 0.1], [0.0, 1], [0.1, 0.9]], related=related)
    assert float(multi_similarity(made)) == float(multi_similarity(told))


def test_rows_of_one_class_are_positives_across_pairs():
    rows = [[1.0, 0], [0.0, 1], [1.0, 0.1], [0.1, 1]]
    one_class = multi_similarity(contrast(rows, [7, 7])[0], margin=2.0)
    assert float(one_class) == 0, "a batch of one class has no negatives"
    rows = [[1.0, 0], [0.0, 1], [0.5, 0.5], [1.0, 0.1], [0.1, 1], [0.4, 0.5]]
    apart = multi_similarity(contrast(rows, [0, 1, 2])[0], margin=2.0)
    together = multi_similarity(contrast(rows, [0, 0, 2])[0], margin=2.0)
    assert float(together) > float(apart), "two more positives, at right angles"
