"""Softmax over many words without an array of predictions times words, exact and sampled."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lexenc.arrays import Indices
from lexenc.randomness import generator

# Scores that exist at a time. They fit into the caches of a processor, and larger blocks are not faster. If all need at
# most 64 MiB, they are kept for the gradient instead of being computed again.
_SCORES, _KEPT_SCORES = 1 << 21, 1 << 24

Sampling = Literal["log-uniform", "uniform"]


class Predictions(NamedTuple):
    """What a language model predicts, and the states at the words themselves, by which their senses are chosen.

    Args:
        states: States from which words are predicted (h*). Shape [n, d].
        words: Numbers of the words that are right. Shape [n].
        own: States at the words themselves, without gradient. Shape [n, s].
        owners: Number of the text to which each prediction belongs, ascending. None where no one asks. Shape [n].
        labels: Right sense of each word, from 0, where it is known; -1 elsewhere. None where none is. Shape [n].
    """

    states: Tensor
    words: Tensor
    own: Tensor
    owners: Tensor | None = None
    labels: Tensor | None = None


def soft_target_losses(
    states: Tensor, vectors: Tensor, bias: Tensor, targets: Tensor, shares: Tensor, *, scores: int | None = None
) -> Tensor:
    """Return the cross entropy of a softmax over all rows with soft targets.

    Scores are computed block by block, and once more for the gradient, so that memory is needed only for a block and
    for the gradients of states, vectors and bias.

    Args:
        states: States from which rows are predicted. Shape [n, d].
        vectors: Vectors of the rows. Shape [r, d].
        bias: Bias of each row; minus infinity for a row that is left out. Shape [r].
        targets: Rows that are right, t of each prediction. Shape [n, t].
        shares: Share of each target, 1 in all. A target with the share 0 is not read. Shape [n, t].
        scores: Number of scores in a block. None for all of them if there are few, or a usual number.

    Returns:
        Losses in nats. Shape [n].
    """
    nothing = targets.new_zeros(0)
    loss: Tensor = _BlockwiseSoftmax.apply(states, vectors, bias, targets, shares, (nothing, nothing), scores)
    return loss


def log_partition(
    states: Tensor, vectors: Tensor, bias: Tensor, hits: tuple[Tensor, Tensor], *, scores: int | None = None
) -> Tensor:
    """Return the logarithm of the sum of the exponentiated scores of all rows but some.

    Args:
        states: As in `soft_target_losses`, like `vectors`, `bias` and `scores`.
        vectors: See there.
        bias: See there.
        hits: Predictions, and rows that are left out for each of them. Shape [h] each.
        scores: See there.

    Returns:
        Minus infinity where no row is left. Shape [n].
    """
    places, columns = hits
    order = torch.argsort(columns, stable=True)
    targets = places.new_zeros(len(states), 0)
    total: Tensor = _BlockwiseSoftmax.apply(
        states, vectors, bias, targets, states.new_zeros(targets.shape), (places[order], columns[order]), scores
    )
    return total


class _BlockwiseSoftmax(torch.autograd.Function):  # type: ignore[misc]
    """log sum exp(scores) - sum of shares * scores of the targets."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        vectors: Tensor,
        bias: Tensor,
        targets: Tensor,
        shares: Tensor,
        hits: tuple[Tensor, Tensor],
        scores: int | None,
    ) -> Tensor:
        places, columns = hits
        ctx.blocks = _blocks(len(states), len(vectors), columns, scores)
        # A finite top, so that a block in which no row is left adds nothing instead of NaN.
        top = states.new_full((len(states),), torch.finfo(states.dtype).min)
        total, space = torch.zeros_like(top), _space(states, ctx.blocks)
        for block, own in ctx.blocks:
            found = _scores(states, vectors[block], bias[block], places[own], columns[own] - block.start, space)
            own_top = found.amax(1).clamp_min_(torch.finfo(found.dtype).min)
            higher = torch.maximum(top, own_top)
            own_total = found.sub_(own_top[:, None]).exp_().sum(1)
            total = total * (top - higher).exp() + own_total * (own_top - higher).exp()
            top = higher
        # A single block is kept for the first gradient, which saves its computation.
        ctx.kept = (found, top) if len(ctx.blocks) == 1 else None
        total = top + total.log()
        ctx.save_for_backward(states, vectors, bias, targets, shares, places, columns, total)
        if targets.shape[1]:
            right = torch.bmm(vectors[targets], states[:, :, None])[:, :, 0] + bias[targets]
            total = total - torch.where(shares > 0, shares * right, 0.0).sum(1)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        states, vectors, bias, targets, shares, places, columns, total = ctx.saved_tensors
        to_states, to_vectors, to_bias = torch.zeros_like(states), torch.empty_like(vectors), torch.empty_like(bias)
        finite = total.clamp_min(torch.finfo(total.dtype).min)
        kept, ctx.kept = ctx.kept, None  # it is changed in place
        space = states.new_empty(0) if kept else _space(states, ctx.blocks)
        for block, own in ctx.blocks:
            if kept:
                chances = kept[0].mul_((gradient * (kept[1] - finite).exp())[:, None])
            else:
                found = _scores(states, vectors[block], bias[block], places[own], columns[own] - block.start, space)
                chances = found.sub_(finite[:, None]).exp_().mul_(gradient[:, None])
            to_states.addmm_(chances, vectors[block])
            torch.mm(chances.T, states, out=to_vectors[block])
            torch.sum(chances, 0, out=to_bias[block])
        if targets.shape[1]:
            weights = gradient[:, None] * shares
            to_states -= torch.bmm(weights[:, None], vectors[targets])[:, 0]
            flat = targets.reshape(-1)
            to_vectors.index_add_(0, flat, (weights[:, :, None] * states[:, None]).reshape(len(flat), -1), alpha=-1)
            to_bias.index_add_(0, flat, weights.reshape(-1), alpha=-1)
        return to_states, to_vectors, to_bias, None, None, None, None


def _blocks(predictions: int, rows: int, columns: Tensor, scores: int | None) -> list[tuple[slice, slice]]:
    """Return the blocks of rows, and the hits in each of them."""
    if scores is None:
        scores = _KEPT_SCORES if predictions * rows <= _KEPT_SCORES else _SCORES
    size = max(1, scores // max(1, predictions))
    starts = list(range(0, rows, size))
    ends = [*starts[1:], rows]
    if not len(columns):
        return [(slice(begin, end), slice(0, 0)) for begin, end in zip(starts, ends, strict=True)]
    bounds = torch.searchsorted(columns, torch.tensor([*starts, rows], device=columns.device)).tolist()
    hits = [slice(begin, end) for begin, end in pairwise(bounds)]
    return [(slice(begin, end), own) for begin, end, own in zip(starts, ends, hits, strict=True)]


def _space(states: Tensor, blocks: list[tuple[slice, slice]]) -> Tensor:
    """Return memory for the scores of any block. Memory of its own for each would fragment between the results."""
    return states.new_empty(len(states) * max((block.stop - block.start for block, _ in blocks), default=0))


def _scores(states: Tensor, vectors: Tensor, bias: Tensor, places: Tensor, columns: Tensor, space: Tensor) -> Tensor:
    """Return the scores of some rows, in `space`. Shape [n, r]."""
    found = space[: len(states) * len(vectors)].view(len(states), len(vectors))
    torch.addmm(bias, states, vectors.T, out=found)
    if len(places):
        found[places, columns] = -torch.inf
    return found


# ---------------------------------------------------------------- sampling


class Negatives(NamedTuple):
    """Words that are sampled for the softmax of a step.

    Args:
        words: The words, distinct and in order. Shape [k].
        correction: Logarithm of the chance of every word of the vocabulary to be sampled, by which its scores are
            lowered; 0 for all where it is the same. Shape [v].
        draws: A number from 0 to 1 for each, by which one of its senses is drawn to stand for all of them. None if all
            of its senses are to be used. Shape [k].
    """

    words: Tensor
    correction: Tensor
    draws: Tensor | None = None


class WordSampler:
    """Samples distinct words by their frequency, or all alike.

    Args:
        counts: Occurrences of each word, or anything that falls with the rank of its frequency. Shape [v].
        size: Number of words to sample, K. All of them if there are no more.
        sampling: log-uniform: the chance of a word falls with the rank of its frequency. uniform: all alike.
        seed: Seed of the samples.

    Source: Jean et al. 2015, "On Using Very Large Target Vocabulary for Neural Machine Translation", for the
    correction; the log-uniform distribution and the chances of distinct words are those of TensorFlow.
    """

    def __init__(self, counts: Indices, size: int, *, sampling: Sampling = "log-uniform", seed: int = 0) -> None:
        self._total, self._size, self._sampling, self._seed = len(counts), min(size, len(counts)), sampling, seed
        self._ranked = np.argsort(-counts, kind="stable")
        self._chances = np.empty(self._total)
        self._chances[self._ranked] = np.log1p(1 / np.arange(1, self._total + 1)) / np.log(self._total + 1)

    def draw(self, step: int, device: torch.device | None = None) -> Negatives:
        """Return the words of a step, the same in every part of it and in every process."""
        if self._size == self._total:
            return Negatives(torch.arange(self._total, device=device), torch.zeros(self._total, device=device))
        draw = generator(self._seed, f"negatives of step {step}")
        words, correction = self._draw(draw)
        found = words, correction.astype(np.float32), draw.random(len(words), dtype=np.float32)  # as all devices have
        return Negatives(*(torch.from_numpy(each).to(device) for each in found))

    def _draw(self, draw: np.random.Generator) -> tuple[Indices, np.ndarray]:
        if self._sampling == "uniform":
            return np.sort(draw.choice(self._total, self._size, replace=False)), np.zeros(self._total)
        drawn = ranks = np.zeros(0, dtype=np.int64)
        while len(ranks) < self._size:
            more = np.exp(draw.random(4 * self._size) * np.log(self._total + 1)).astype(np.int64) - 1
            drawn = np.concatenate([drawn, np.minimum(more, self._total - 1)])
            ranks, firsts = np.unique(drawn, return_index=True)
        kept = np.argsort(firsts)[: self._size]
        tries = int(firsts[kept[-1]]) + 1
        chances = -np.expm1(tries * np.log1p(-self._chances))
        return np.sort(self._ranked[ranks[kept]]), np.log(chances)
