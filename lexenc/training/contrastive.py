"""Objectives whose loss compares all examples of a step, with gradient caching so that a step of any size fits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from lexenc.arrays import Indices, Ragged, batches
from lexenc.encoders.base import Encoder
from lexenc.training.checkpoints import random_state, restore_random
from lexenc.training.data import PairBatch, PairData, batch_of
from lexenc.training.losses import Contrast, Loss
from lexenc.training.processes import Processes

Tokens = Sequence[np.ndarray]


class ContrastiveObjective(ABC):
    """An objective with one loss for all examples of a step, as in-batch negatives need.

    A subclass has `modules`, `rows` and `sizes` (see `trainer.Objective`) and says which texts a step encodes. How they
    go through the encoder is decided here: in one pass, in cached chunks, or as the share of one of several processes.
    """

    @abstractmethod
    def prepare(self, rows: Indices, step: int) -> tuple[Tokens, Callable[[Tensor], Tensor]]:
        """Return the token ids of the texts of a step, and the loss as a function of their encodings [u, d]."""

    @abstractmethod
    def embed(self, tokens: Tokens) -> Tensor:
        """Encode texts in one differentiable pass. Shape [u, d]."""

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the loss of all examples together. Shape []."""
        tokens, loss = self.prepare(rows, step)
        return loss(self.embed(tokens))

    def backward(
        self, rows: Indices, step: int, *, chunk_tokens: int, device: torch.device, processes: Processes
    ) -> float:
        """Compute the loss of a step and add its gradient to the weights.

        Each process encodes its share of the texts. All of them compute the loss of the whole step.

        Args:
            rows: The examples of the step.
            step: Number of the step, from 0.
            chunk_tokens: Maximum number of subwords in one pass.
            device: Device of the weights.
            processes: The processes that train together.
        """
        tokens, loss_of = self.prepare(rows, step)
        own = tokens[processes.share(len(tokens))]
        encodings, send_back = encode_with_gradient(self.embed, own, chunk_tokens, device=device)
        loss = loss_of(processes.gathered(encodings, len(tokens)))
        loss.backward()
        send_back()
        return float(loss.detach())


def encode_with_gradient(
    embed: Callable[[Tokens], Tensor], tokens: Tokens, chunk_tokens: int, *, device: torch.device | None = None
) -> tuple[Tensor, Callable[[], None]]:
    """Encode the texts of a step so that a loss over all of them fits into memory.

    Texts that fit are encoded in one pass. Otherwise chunks are encoded without a graph. Once the loss has given the
    gradient of the encodings, each chunk is encoded again with the same dropout, and the gradient is sent through.

    Args:
        embed: Encodes token ids.
        tokens: Token ids of the texts.
        chunk_tokens: Maximum number of tokens in one pass.
        device: Device on which the encoder draws its dropout. None for the CPU.

    Returns:
        Encodings [u, d] to compute the loss from, and a function to call after `loss.backward()`.

    Source: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup".
    """
    chunks = [tokens[part] for part in batches([len(each) for each in tokens], chunk_tokens)]
    if len(chunks) == 1:
        return embed(tokens), lambda: None
    place = device or torch.device("cpu")
    states, parts = [], []
    for chunk in chunks:
        states.append(random_state(place))
        with torch.no_grad():
            parts.append(embed(chunk))
    encodings = torch.cat(parts).requires_grad_()

    def send_back() -> None:
        end = random_state(place)
        gradients = encodings.grad.split([len(chunk) for chunk in chunks])
        for chunk, state, gradient in zip(chunks, states, gradients, strict=True):
            restore_random(state, place)
            embed(chunk).backward(gradient)
        restore_random(end, place)

    return encodings, send_back


class PairObjective(ContrastiveObjective):
    """Pairs of texts, with hard negatives or classes, under one of the losses of `LOSSES`.

    Args:
        encoder: The encoder to train, in place.
        data: The pairs.
        tokens: Token ids of `data.texts`.
        loss: Loss of a contrast.
        mask_known: Whether known translations, and texts of the same class, do not count as negatives.
    """

    def __init__(
        self, encoder: Encoder, data: PairData, tokens: Ragged, *, loss: Loss, mask_known: bool = True
    ) -> None:
        self.encoder, self.data, self.tokens, self.loss = encoder, data, tokens, loss
        self.modules = {"encoder": encoder.module}
        self._mask_known = mask_known

    def rows(self, epoch: int) -> Indices:
        """Return all pairs. Shape [n]."""
        return np.arange(len(self.data))

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of some pairs, without hard negatives. Shape as `rows`."""
        lengths = self.tokens.lengths
        sizes: Indices = lengths[self.data.anchors[rows]] + lengths[self.data.positives[rows]]
        return sizes

    def prepare(self, rows: Indices, step: int) -> tuple[Tokens, Callable[[Tensor], Tensor]]:
        """Return the token ids of the distinct texts of a step, and the loss as a function of their encodings."""
        batch = batch_of(self.data, rows, mask_known=self._mask_known)
        return [self.tokens[text] for text in batch.texts], lambda encodings: self.loss(contrast_of(encodings, batch))

    def embed(self, tokens: Tokens) -> Tensor:
        """Encode texts in one differentiable pass. Shape [u, d]."""
        return self.encoder.embed(tokens)


def contrast_of(encodings: Tensor, batch: PairBatch) -> Contrast:
    """Gather anchors, positives and negatives from the encodings of the distinct texts of a batch."""
    device = encodings.device

    def moved(table: np.ndarray | None) -> Tensor | None:
        return None if table is None else torch.from_numpy(table).to(device)

    def rows(places: np.ndarray) -> Tensor:
        flat = encodings.index_select(0, torch.from_numpy(places.reshape(-1)).to(device))
        return flat.reshape(*places.shape, encodings.shape[1])

    return Contrast(
        anchors=rows(batch.anchors),
        positives=rows(batch.positives),
        negatives=rows(batch.negatives),
        known_positives=torch.from_numpy(batch.known_positives).to(device),
        known_negatives=torch.from_numpy(batch.known_negatives).to(device),
        labels=moved(batch.labels),
        related=moved(batch.related),
    )
