"""Contrastive losses over one batch of anchors, positives and hard negatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from lexenc.registry import Registry

SCALE = 20.0  # C of section 2


@dataclass(frozen=True)
class Contrast:
    """The encodings of a batch and which of them must not count as negatives.

    Args:
        anchors: Shape [b, d].
        positives: Shape [b, d].
        negatives: Hard negatives of every anchor, k each. Shape [b, k, d]; k may be 0.
        known_positives: True where positive j is another known translation of anchor i, or the same text as its own
            positive; never on the diagonal. Shape [b, b], bool.
        known_negatives: True where hard negative k of anchor j is no negative for anchor i, or only fills up a row
            that is short. Shape [b, b, k], bool.
    """

    anchors: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor
    known_positives: torch.Tensor
    known_negatives: torch.Tensor


def no_mask(batch: int, negatives: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give masks that hide nothing. Shapes [b, b] and [b, b, k]."""
    return torch.zeros(batch, batch, dtype=torch.bool), torch.zeros(batch, batch, negatives, dtype=torch.bool)


@dataclass(frozen=True)
class _Scores:
    """Scaled cosines, with what must not count at minus infinity.

    Args:
        targets: Anchor i against positive j. Shape [b, b].
        own_hard: Anchor i against its own hard negatives. Shape [b, k].
        all_hard: Anchor i against every hard negative of the batch. Shape [b, b * k].
        back: Positive j against anchor i, masked alike. Shape [b, b].
    """

    targets: torch.Tensor
    own_hard: torch.Tensor
    all_hard: torch.Tensor
    back: torch.Tensor


def _scores(contrast: Contrast, scale: float) -> _Scores:
    anchors = F.normalize(contrast.anchors, dim=-1)
    positives = F.normalize(contrast.positives, dim=-1)
    batch, count, size = contrast.negatives.shape
    negatives = F.normalize(contrast.negatives, dim=-1).reshape(batch * count, size)
    infinity = float("-inf")
    targets = (scale * anchors @ positives.T).masked_fill(contrast.known_positives, infinity)
    hard = scale * anchors @ negatives.T
    hard = hard.masked_fill(contrast.known_negatives.reshape(batch, batch * count), infinity)
    rows = torch.arange(batch, device=hard.device)
    own = hard.view(batch, batch, count)[rows, rows]
    return _Scores(targets, own, hard, targets.T)


def mneg(contrast: Contrast, *, scale: float = SCALE) -> torch.Tensor:
    """Rank the positive over all positives and all hard negatives of the batch; mean over anchors.

    This is what sentence-transformers computes as MultipleNegativesRankingLoss (footnote 5 of the paper).

    Args:
        contrast: The batch.
        scale: C, the factor on the cosine; one over the temperature.
    """
    scores = _scores(contrast, scale)
    return _ranking(scores.targets, scores.all_hard)


def own_hard(contrast: Contrast, *, scale: float = SCALE) -> torch.Tensor:
    """As `mneg`, but the hard negatives of other anchors do not count."""
    scores = _scores(contrast, scale)
    return _ranking(scores.targets, scores.own_hard)


def symmetric(contrast: Contrast, *, scale: float = SCALE) -> torch.Tensor:
    """Mean of `mneg` and of ranking each anchor for its positive over the other anchors of the batch."""
    scores = _scores(contrast, scale)
    nothing = scores.all_hard[:, :0]
    return 0.5 * (_ranking(scores.targets, scores.all_hard) + _ranking(scores.back, nothing))


def printed(contrast: Contrast, *, scale: float = SCALE) -> torch.Tensor:
    """Compute the formula as the paper prints it (section 2), summed over anchors.

    The positive is in no denominator, and in-batch and hard negatives have a logarithm each, so the value has no lower
    bound. In-batch negatives are the other targets, as the paper's text says; its formula has the letter of the source
    words there.
    """
    scores = _scores(contrast, scale)
    rest = scores.targets.masked_fill(
        torch.eye(len(scores.targets), dtype=torch.bool, device=scores.targets.device), float("-inf")
    )
    total = -scores.targets.diagonal().sum()
    for negatives in (rest, scores.own_hard):
        total = total + _log_sums(negatives).sum()
    return total


def _log_sums(scores: torch.Tensor) -> torch.Tensor:
    """Give log(sum(exp)) of the rows that have something to sum; a row without negatives adds nothing."""
    if scores.shape[1] == 0:
        return scores.new_zeros(0)
    return torch.logsumexp(scores[torch.isfinite(scores).any(dim=1)], dim=1)


def _ranking(targets: torch.Tensor, hard: torch.Tensor) -> torch.Tensor:
    """Give the mean cross-entropy of the diagonal."""
    logits = torch.cat([targets, hard], dim=1)
    labels = torch.arange(len(targets), device=targets.device)
    return F.cross_entropy(logits, labels)


Loss = Callable[..., torch.Tensor]

LOSSES = Registry(
    "loss",
    {
        "mneg": "lexenc.training.losses:mneg",
        "own-hard": "lexenc.training.losses:own_hard",
        "symmetric": "lexenc.training.losses:symmetric",
        "printed": "lexenc.training.losses:printed",
    },
)
