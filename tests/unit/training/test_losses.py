from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from lexenc.training import LOSSES
from lexenc.training import losses as losses_module
from lexenc.training.losses import Contrast, mneg, own_hard, printed, symmetric

ALL = [mneg, own_hard, symmetric, printed]
BOUNDED = [mneg, own_hard, symmetric]


def no_mask(batch, negatives):
    """Return masks that hide nothing."""
    return torch.zeros(batch, batch, dtype=torch.bool), torch.zeros(batch, batch, negatives, dtype=torch.bool)


def contrast(anchors, positives, negatives, masks=None) -> Contrast:
    anchors, positives, negatives = (
        torch.as_tensor(each, dtype=torch.float64) for each in (anchors, positives, negatives)
    )
    return Contrast(anchors, positives, negatives, *(masks or no_mask(len(anchors), negatives.shape[1])))


@pytest.fixture
def fixture() -> Contrast:
    """The worked example of notes on sentence-transformers' loss; C is 20."""
    return contrast(
        np.eye(3),
        [[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]],
        [[[0, 1, 0]], [[1, 0, 0]], [[0, 0.6, 0.8]]],
    )


def random(batch=5, count=2, size=6, seed=0, masks=False) -> Contrast:
    generator = torch.Generator().manual_seed(seed)
    shapes = (batch, size), (batch, size), (batch, count, size)
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    known, barred = no_mask(batch, count)
    if masks:
        known = (torch.rand(batch, batch, generator=generator) < 0.3).fill_diagonal_(False)
        barred = torch.rand(batch, batch, count, generator=generator) < 0.3
    return Contrast(*made, known, barred)


# ---------------------------------------------------------------- values


def test_losses_mneg_fixture(fixture):
    assert float(mneg(fixture)) == pytest.approx(1.57664805, abs=1e-6)
    anchors = torch.eye(3, dtype=torch.float64)
    candidates = torch.cat([fixture.positives, fixture.negatives[:, 0]])
    rows = torch.logsumexp(20 * anchors @ candidates.T, dim=1) - 20 * (anchors * fixture.positives).sum(1)
    np.testing.assert_allclose(rows, [0.69331490, 4.01847931, 0.01814994], atol=1e-6)


def test_losses_other_fixtures(fixture):
    assert float(own_hard(fixture)) == pytest.approx(0.00616189, abs=1e-6)
    assert float(printed(fixture)) == pytest.approx(-26.61369949, abs=1e-6)
    assert float(symmetric(fixture)) == pytest.approx((1.57664805 + 0.00605002) / 2, abs=1e-6)


def loop(one: Contrast, name: str, scale: float) -> float:
    """All four losses, candidate by candidate."""

    def cosine(a, b):
        return float(torch.dot(a, b) / a.norm() / b.norm())

    batch, count, _ = one.negatives.shape
    rows, back = [], []
    for i in range(batch):
        own = scale * cosine(one.anchors[i], one.positives[i])
        targets = [
            scale * cosine(one.anchors[i], one.positives[j])
            for j in range(batch)
            if not one.known_positives[i, j] and j != i
        ]
        hard = {
            (j, k): scale * cosine(one.anchors[i], one.negatives[j, k])
            for j in range(batch) for k in range(count) if not one.known_negatives[i, j, k]
        }  # fmt: skip
        mine = [value for (j, _), value in hard.items() if j == i]
        if name == "printed":
            rows.append(-own + sum(np.logaddexp.reduce(each) for each in (targets, mine) if each))
        else:
            rows.append(np.logaddexp.reduce([own, *targets, *(mine if name == "own-hard" else hard.values())]) - own)
        others = [
            scale * cosine(one.anchors[j], one.positives[i])
            for j in range(batch)
            if not one.known_positives[j, i] and j != i
        ]
        back.append(np.logaddexp.reduce([own, *others]) - own)
    if name == "symmetric":
        return (np.mean(rows) + np.mean(back)) / 2
    return float(np.sum(rows) if name == "printed" else np.mean(rows))


@pytest.mark.parametrize("name", ["mneg", "own-hard", "symmetric", "printed"])
@pytest.mark.parametrize(("batch", "count"), [(1, 0), (1, 2), (4, 0), (5, 1), (5, 3)])
@pytest.mark.parametrize("masks", [False, True])
def test_losses_equal_a_slow_loop(name, batch, count, masks):
    for seed in range(3):
        one = random(batch, count, seed=seed, masks=masks)
        assert float(LOSSES[name](one, scale=3.0)) == pytest.approx(loop(one, name, 3.0), abs=1e-9)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_losses_mneg_is_what_sentence_transformers_computes(count):
    from torch import nn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.losses import MultipleNegativesRankingLoss

        reference = MultipleNegativesRankingLoss(SentenceTransformer(modules=[nn.Identity()], device="cpu"), scale=20.0)
        one = random(8, count)
        columns = [one.anchors, one.positives, *one.negatives.unbind(1)]
        expected = reference.compute_loss_from_embeddings(columns, None)
    assert float(mneg(one)) == pytest.approx(float(expected), abs=1e-9)


# ---------------------------------------------------------------- properties


@pytest.mark.parametrize("loss", BOUNDED)
def test_losses_are_not_below_zero(loss):
    for seed in range(20):
        assert float(loss(random(seed=seed, masks=bool(seed % 2)))) >= 0
    perfect = contrast(np.eye(4), np.eye(4), -np.eye(4)[:, None])
    assert 0 <= float(loss(perfect)) < 1e-6


def test_losses_printed_has_no_lower_bound():
    perfect = contrast(np.eye(4), np.eye(4), -np.eye(4)[:, None])
    assert float(printed(perfect)) < -20


def without(one: Contrast, row: int) -> Contrast:
    """The hard negatives of one row taken away."""
    barred = one.known_negatives.clone()
    barred[:, row] = True
    return replace(one, known_negatives=barred)


def test_losses_mneg_falls_without_the_hard_negative_of_another_anchor(fixture):
    # Row 1's hard negative is anchor 0 itself, so that anchor 0 suffers from it.
    assert float(mneg(without(fixture, 1))) < float(mneg(fixture)) - 0.1
    for row in range(5):
        assert float(mneg(without(random(), row))) < float(mneg(random()))


@pytest.mark.parametrize(("loss", "feels"), [(mneg, True), (symmetric, True), (own_hard, False), (printed, False)])
def test_losses_hard_negatives_of_other_anchors_reach_an_anchor_in_some_only(loss, feels):
    one = random()
    negatives = one.negatives.clone().requires_grad_()
    anchors = one.anchors.clone().requires_grad_()
    value = loss(replace(one, anchors=anchors, negatives=negatives))
    (gradient,) = torch.autograd.grad(value, anchors, create_graph=True)
    (mixed,) = torch.autograd.grad(gradient[0].sum(), negatives)
    assert (mixed[0] != 0).any()
    assert bool((mixed[1:] != 0).any()) is feels


@pytest.mark.parametrize("loss", [mneg, own_hard, printed])
def test_losses_direction_matters(loss, fixture):
    for one in (fixture, random()):
        swapped = replace(one, anchors=one.positives, positives=one.anchors)
        assert abs(float(loss(swapped)) - float(loss(one))) > 1e-4


def test_losses_symmetric_without_hard_negatives_has_no_direction():
    one = random(count=0)
    assert float(symmetric(replace(one, anchors=one.positives, positives=one.anchors))) == pytest.approx(
        float(symmetric(one))
    )


@pytest.mark.parametrize("loss", ALL)
def test_losses_do_not_depend_on_the_length_of_vectors(loss):
    one = random()
    longer = replace(one, anchors=one.anchors * 3, positives=one.positives * 0.1, negatives=one.negatives * 7)
    assert float(loss(longer)) == pytest.approx(float(loss(one)), abs=1e-9)


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("masks", [False, True])
def test_losses_gradients_equal_finite_differences(loss, masks):
    one = random(4, 2, 3, masks=masks)

    def value(anchors, positives, negatives):
        return loss(replace(one, anchors=anchors, positives=positives, negatives=negatives), scale=5.0)

    parts = [each.clone().requires_grad_() for each in (one.anchors, one.positives, one.negatives)]
    assert torch.autograd.gradcheck(value, parts, eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("loss", ALL)
def test_losses_masked_hard_negatives_get_no_gradient_at_all(loss):
    one = random()
    barred = no_mask(5, 2)[1]
    barred[:, 2, 0] = True
    negatives = one.negatives.clone().requires_grad_()
    loss(replace(one, negatives=negatives, known_negatives=barred)).backward()
    assert (negatives.grad[2, 0] == 0).all()
    assert (negatives.grad[2, 1] != 0).any()
    assert torch.isfinite(negatives.grad).all()


@pytest.mark.parametrize("loss", ALL)
def test_losses_masked_positives_do_not_reach_the_anchor(loss):
    one = random()
    known = no_mask(5, 2)[0]
    known[0, 1] = True

    def gradient(positives, mask):
        anchors = one.anchors.clone().requires_grad_()
        loss(replace(one, anchors=anchors, positives=positives, known_positives=mask)).backward()
        return anchors.grad[0]

    moved = one.positives.clone()
    moved[1] = one.anchors[0] + 0.1
    assert torch.equal(gradient(one.positives, known), gradient(moved, known))
    assert not torch.equal(gradient(one.positives, ~known & False), gradient(moved, ~known & False))


@pytest.mark.parametrize("loss", ALL)
def test_losses_everything_masked_is_no_nan(loss):
    one = random()
    known = torch.ones(5, 5, dtype=torch.bool).fill_diagonal_(False)
    barred = torch.ones(5, 5, 2, dtype=torch.bool)
    anchors = one.anchors.clone().requires_grad_()
    value = loss(Contrast(anchors, one.positives, one.negatives, known, barred))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(anchors.grad).all()


@pytest.mark.parametrize("loss", ALL)
def test_losses_zero_vectors_are_no_nan(loss):
    one = random()
    anchors = one.anchors.clone()
    anchors[0] = 0
    anchors.requires_grad_()
    value = loss(replace(one, anchors=anchors))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(anchors.grad).all()


# ---------------------------------------------------------------- margin and weight of hard negatives


@pytest.fixture
def published() -> Contrast:
    """Three tables of normal numbers: anchors, positives, and one hard negative of every anchor."""
    draw = np.random.default_rng(1)
    anchors, positives, negatives = (draw.standard_normal((4, 8)) for _ in range(3))
    return contrast(anchors, positives, negatives[:, None])


def plain(one: Contrast) -> Contrast:
    """The same without hard negatives."""
    return contrast(one.anchors, one.positives, one.negatives[:, :0])


def test_losses_right_answers(published):
    one = plain(published)
    assert float(mneg(one)) == pytest.approx(12.712881, abs=1e-6)
    assert float(mneg(replace(one, anchors=one.positives, positives=one.anchors))) == pytest.approx(12.997135, abs=1e-6)
    assert float(symmetric(one)) == pytest.approx(12.855008, abs=1e-6)
    assert float(mneg(published)) == pytest.approx(14.910729, abs=1e-6)
    assert float(mneg(published, negative_weight=1.0)) == pytest.approx(14.970730, abs=1e-6)
    assert float(mneg(one, margin=0.3)) == pytest.approx(18.574852, abs=1e-6)


def test_losses_margin_counts_in_both_directions(published):
    one = plain(published)
    back = replace(one, anchors=one.positives, positives=one.anchors)
    both = (float(mneg(one, margin=0.3)) + float(mneg(back, margin=0.3))) / 2
    assert float(symmetric(one, margin=0.3)) == pytest.approx(both, abs=1e-9)
    assert both > float(symmetric(one)) + 1


def reference_loss(one: Contrast, **settings) -> float:
    """What sentence-transformers computes."""
    from torch import nn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

        model = SentenceTransformer(modules=[nn.Identity()], device="cpu")
        reference = MultipleNegativesRankingLoss(model, scale=20.0, **settings)
        columns = [one.anchors, one.positives, *one.negatives.unbind(1)]
        return float(reference.compute_loss_from_embeddings(columns, None))


def test_losses_are_those_of_sentence_transformers_but_for_its_weight_of_hard_negatives(published):
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    assert reference_loss(plain(published)) == pytest.approx(12.712881, abs=1e-5)
    assert reference_loss(plain(published), **both) == pytest.approx(12.855008, abs=1e-5)
    assert reference_loss(published) == pytest.approx(14.910729, abs=1e-5)
    # It raises a hard negative by a multiple of its cosine, not by a constant.
    weighted = reference_loss(published, hardness_mode="hard_negatives", hardness_strength=1.0)
    assert abs(weighted - 14.970730) > 1e-3


def test_losses_weight_of_hard_negatives_is_a_factor_on_the_own_ones(published):
    one = random(5, 2)
    logits, own, hard = losses_module._scores(one, 20.0)
    others = torch.exp(hard).sum(1) - torch.exp(own).sum(1)
    total = torch.exp(logits).sum(1) + others + 3 * torch.exp(own).sum(1)
    expected = (torch.log(total) - logits.diagonal()).mean()
    assert float(mneg(one, negative_weight=float(np.log(3)))) == pytest.approx(float(expected), abs=1e-9)


def test_losses_at_temperature_1_cannot_fall_far():
    # A pair at cosine 1 and all others at cosine -1, which no vectors of 1,024 pairs reach.
    logits = torch.full((1024, 1024), -1.0, dtype=torch.float64).fill_diagonal_(1.0)
    assert float(losses_module._ranking(logits, logits[:, :0])) == pytest.approx(4.9377, abs=5e-5)
    alike = contrast(np.eye(1024), np.eye(1024), np.zeros((1024, 0, 1024)))
    assert float(mneg(alike, scale=1.0)) > 4.9377
    assert float(mneg(alike)) < 1e-5
