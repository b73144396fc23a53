"""Contrastive losses over one batch of anchors, positives and hard negatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

SCALE = 20.0  # C in section 2 of the paper
ALPHA, BETA, BASE, MARGIN = 1.0, 60.0, 0.5, 0.2  # of SapBERT


@dataclass(frozen=True)
class Contrast:
    """The encodings of a batch and which of them must not count as negatives.

    Args:
        anchors: Shape [b, d].
        positives: Shape [b, d].
        negatives: Hard negatives of every anchor, k each. Shape [b, k, d]. k may be 0.
        known_positives: True where positive j is another known translation of anchor i, or the same text as its own
            positive. Never on the diagonal. Shape [b, b], bool.
        known_negatives: True where hard negative k of anchor j is not a negative for anchor i, or only fills up a
            short row. Shape [b, b, k], bool.
        labels: Class of each pair, for a loss over classes. Shape [b]. None makes each pair a class of its own.
        related: True where two rows (anchors, then positives) are not negatives of each other even if their labels
            differ. Shape [2b, 2b], bool. None leaves it to `known_positives`.
    """

    anchors: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor
    known_positives: torch.Tensor
    known_negatives: torch.Tensor
    labels: torch.Tensor | None = None
    related: torch.Tensor | None = None


def _scores(
    contrast: Contrast, scale: float, margin: float = 0.0, negative_weight: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the scaled cosines of each anchor. Candidates that must not count are minus infinity.

    Args:
        contrast: The batch.
        scale: Factor on the cosine.
        margin: What the cosine with the own positive is lowered by.
        negative_weight: What the scaled cosines with the own hard negatives are raised by.

    Returns:
        With every positive [b, b], with its own hard negatives [b, k], and with all hard negatives [b, b * k].
    """
    anchors = F.normalize(contrast.anchors, dim=-1)
    positives = F.normalize(contrast.positives, dim=-1)
    batch, count, size = contrast.negatives.shape
    negatives = F.normalize(contrast.negatives, dim=-1).reshape(batch * count, size)
    infinity = float("-inf")
    targets = (scale * anchors @ positives.T).masked_fill(contrast.known_positives, infinity)
    hard = scale * anchors @ negatives.T
    hard = hard.masked_fill(contrast.known_negatives.reshape(batch, batch * count), infinity)
    if margin:
        targets = targets - torch.diag(targets.new_full((batch,), scale * margin))
    rows = torch.arange(batch, device=hard.device)
    if negative_weight:
        raised = hard.new_zeros(batch, batch, count)
        raised[rows, rows] = negative_weight
        hard = hard + raised.view(batch, batch * count)
    return targets, hard.view(batch, batch, count)[rows, rows], hard


def mneg(
    contrast: Contrast, *, scale: float = SCALE, margin: float = 0.0, negative_weight: float = 0.0
) -> torch.Tensor:
    """Rank the positive above all other positives and all hard negatives of the batch. Mean over anchors.

    It equals MultipleNegativesRankingLoss of sentence-transformers (footnote 5 of the paper).

    Args:
        contrast: The batch.
        scale: C, the factor on the cosine, the inverse of the temperature.
        margin: What the cosine of an anchor with its own positive is lowered by (Yang et al. 2019, "Improving
            Multilingual Sentence Embedding using Bi-directional Dual Encoder with Additive Margin Softmax").
        negative_weight: What the scaled cosines of an anchor with its own hard negatives are raised by, a constant
            (the logarithm of the factor on them in Gao et al. 2021, "SimCSE", section B).
    """
    targets, _, hard = _scores(contrast, scale, margin, negative_weight)
    return _ranking(targets, hard)


def own_hard(contrast: Contrast, *, scale: float = SCALE) -> torch.Tensor:
    """Rank as `mneg` does, but without the hard negatives of other anchors."""
    targets, own, _ = _scores(contrast, scale)
    return _ranking(targets, own)


def symmetric(
    contrast: Contrast, *, scale: float = SCALE, margin: float = 0.0, negative_weight: float = 0.0
) -> torch.Tensor:
    """Rank in both directions: the mean of `mneg` and of ranking anchors for their positives."""
    targets, _, hard = _scores(contrast, scale, margin, negative_weight)
    return 0.5 * (_ranking(targets, hard) + _ranking(targets.T, hard[:, :0]))


def printed(contrast: Contrast, *, scale: float = SCALE) -> torch.Tensor:
    """Rank by the formula as printed in the paper (section 2), summed over anchors.

    The positive is in no denominator, and in-batch and hard negatives have a logarithm each, so the value has no lower
    bound. In-batch negatives are the other targets, as in the text of the paper. Its formula has source words there.
    """
    targets, own, _ = _scores(contrast, scale)
    itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    total = -targets.diagonal().sum()
    for negatives in (targets.masked_fill(itself, float("-inf")), own):
        some = torch.isfinite(negatives).any(dim=1)
        total = total + torch.logsumexp(negatives[some], dim=1).sum()
    return total


def _ranking(targets: torch.Tensor, hard: torch.Tensor) -> torch.Tensor:
    """Return the mean cross entropy of the diagonal."""
    logits = torch.cat([targets, hard], dim=1)
    labels = torch.arange(len(targets), device=targets.device)
    return F.cross_entropy(logits, labels)


def multi_similarity(
    contrast: Contrast, *, alpha: float = ALPHA, beta: float = BETA, base: float = BASE, margin: float = MARGIN
) -> torch.Tensor:
    """Pull rows of one class together and push others apart, hard ones more. Mean over all 2b rows.

    With cosines s to the others, the loss of a row is log(1 + sum of exp(-alpha (s - base)) over its positives) / alpha
    + log(1 + sum of exp(beta (s - base)) over its negatives) / beta, both over the pairs that `surviving_pairs` keeps.
    The hard negatives of the contrast are not used, because hard pairs are searched for in the batch.

    Args:
        contrast: The batch. Anchors and positives are all rows.
        alpha: Weight of hard positives.
        beta: Weight of hard negatives.
        base: Cosine at which a positive is near enough and a negative far enough.
        margin: See `surviving_pairs`.

    Source: Wang et al. 2019, "Multi-Similarity Loss with General Pair Weighting"; Liu et al. 2021 (SapBERT), whose
    settings are the defaults.
    """
    rows = F.normalize(torch.cat([contrast.anchors, contrast.positives]), dim=-1)
    cosines = rows @ rows.T
    positive, negative = surviving_pairs(cosines.detach(), *_same_and_other(contrast), margin=margin)
    pull = _log_one_plus(-alpha * (cosines - base), positive) / alpha
    push = _log_one_plus(beta * (cosines - base), negative) / beta
    return (pull + push).mean()


def surviving_pairs(
    cosines: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, *, margin: float = MARGIN
) -> tuple[torch.Tensor, torch.Tensor]:
    """Keep the pairs that occur in a triplet (a, p, n) with d(a, p) - d(a, n) > -margin, d Euclidean on unit vectors.

    The triplets are never listed: for a given a, p has such an n if and only if the nearest n is one, and n has such a
    p if and only if the farthest p is one. Rounding does not change that, because differences are rounded monotonely.

    Args:
        cosines: Between all rows. Shape [n, n].
        positive: True where two rows are of one class. Not on the diagonal. Shape [n, n], bool.
        negative: True where two rows are certainly not of one class. Shape [n, n], bool.
        margin: Distance by which a positive must be nearer than a negative to be left out, from 0 to 2.

    Returns:
        The positive and the negative pairs that are kept. Shape [n, n] each, bool.
    """
    infinity = float("inf")
    distances = (2 - 2 * cosines).clamp(min=0).sqrt()
    nearest = distances.masked_fill(~negative, infinity).amin(dim=1, keepdim=True)
    farthest = distances.masked_fill(~positive, -infinity).amax(dim=1, keepdim=True)
    return positive & (distances - nearest > -margin), negative & (farthest - distances > -margin)


def _same_and_other(contrast: Contrast) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which rows are positives and which are negatives of each other. Shape [2b, 2b] each, bool."""
    count, device = len(contrast.anchors), contrast.anchors.device
    labels = contrast.labels if contrast.labels is not None else torch.arange(count, device=device)
    labels = torch.cat([labels, labels])
    same = labels[:, None] == labels[None, :]
    related = contrast.related
    if related is None:
        related = torch.zeros_like(same)
        related[:count, count:] = contrast.known_positives
        related = related | related.T
    itself = torch.eye(2 * count, dtype=torch.bool, device=device)
    return same & ~itself, ~(same | related)


def _log_one_plus(exponents: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Return log(1 + sum(exp)) over the kept exponents of each row, 0 without any. Shape [n]."""
    one = exponents.new_zeros(len(exponents), 1)
    return torch.logsumexp(torch.cat([one, exponents.masked_fill(~kept, float("-inf"))], dim=1), dim=1)


Loss = Callable[..., torch.Tensor]
