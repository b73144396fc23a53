"""Objectives whose loss compares all examples of a step, with gradient caching so that a step of any size fits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lexenc.arrays import Indices, Ragged, batches, blocks
from lexenc.encoders.base import Encoder
from lexenc.randomness import generator
from lexenc.training.checkpoints import random_state, restore_random
from lexenc.training.data import PairBatch, PairData, batch_of
from lexenc.training.losses import Contrast, Loss
from lexenc.training.objective import Objective, StepLoss
from lexenc.training.processes import Processes

Tokens = Sequence[np.ndarray]


@dataclass(frozen=True)
class Encoded:
    """The encodings of some texts, and what is learned beside them from the same pass.

    Args:
        vectors: Encodings. Shape [m, d].
        local: Returns losses that depend on no other texts, by name: sums over the groups of texts. Shape [] each.
    """

    vectors: Tensor
    local: Callable[[], Mapping[str, Tensor]] = dict


Encode = Callable[[slice], Encoded]


@dataclass(frozen=True)
class Comparison:
    """What a step encodes, and what it learns from all encodings together.

    Args:
        sizes: Number of subwords of each group of texts that are encoded in one pass. Shape [n].
        starts: Where the texts of each group begin, and the end of the last. Shape [n + 1].
        encode: Encodes the texts of some groups that follow one another. If anything is learned beside the encodings,
            every example of the step is a group, and its loss is divided by n.
        losses: Returns losses by name from the encodings of all texts. Shape [u, d] to [] each.
        weights: Factors on all losses by name. 1 for a name that it lacks.
    """

    sizes: Indices
    starts: Indices
    encode: Encode
    losses: Callable[[Tensor], Mapping[str, Tensor]]
    weights: Mapping[str, float] = field(default_factory=dict)

    def total(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the weighted sum of some losses, none without losses."""
        parts = [self.weights.get(name, 1.0) * loss for name, loss in losses.items()]
        return [torch.stack(parts).sum()] if parts else []


class ContrastiveObjective(Objective):
    """An objective with one loss for all examples of a step, as in-batch negatives need.

    A subclass has `modules`, `rows` and `sizes` (see `Objective`) and says which texts a step encodes. How they go
    through the encoder is decided here: in one pass, in cached chunks, or as the share of one of several processes.
    """

    @abstractmethod
    def prepare(self, rows: Indices, step: int) -> Comparison:
        """Return what a step encodes and what it learns from it."""

    def steps(self, epoch: int, batch_size: int, seed: int) -> list[Indices]:
        """Return the examples of each step of an epoch in random order, because each is a negative of the others."""
        rows = generator(seed, f"order of epoch {epoch}").permutation(self.rows(epoch))
        return [rows[part] for part in blocks(len(rows), batch_size)]

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the loss of all examples together. Shape []."""
        made = self.prepare(rows, step)
        encoded = made.encode(slice(0, len(made.sizes)))
        local = {name: loss / len(made.sizes) for name, loss in encoded.local().items()}
        (total,) = made.total({**made.losses(encoded.vectors), **local})
        return total

    def backward(
        self, rows: Indices, step: int, *, chunk_tokens: int, device: torch.device, processes: Processes
    ) -> StepLoss:
        """Compute the loss of a step and add its gradient to the weights; see `learn`."""
        made = self.prepare(rows, step)
        return StepLoss.of(learn(made, chunk_tokens=chunk_tokens, device=device, processes=processes), made.weights)


def learn(made: Comparison, *, chunk_tokens: int, device: torch.device, processes: Processes) -> dict[str, float]:
    """Compute the losses of a step and add the gradient of their weighted sum to the weights of the encoder.

    Each process encodes its share of the texts. All of them compute the losses of the whole step.

    Args:
        made: What the step encodes and compares.
        chunk_tokens: Maximum number of subwords in one pass.
        device: Device of the weights.
        processes: The processes that train together.

    Returns:
        The losses by name, without their weights.
    """
    groups, divisor = processes.share(len(made.sizes)), processes.divisor(len(made.sizes))
    own = slice(int(made.starts[groups.start]), int(made.starts[groups.stop]))

    def encode(part: slice) -> Encoded:
        return made.encode(slice(groups.start + part.start, groups.start + part.stop))

    vectors, send_back = encode_with_gradient(encode, made.sizes[groups], chunk_tokens, device=device)
    losses = made.losses(processes.gathered(vectors, own, int(made.starts[-1])))
    for total in made.total(losses):
        total.backward()
    local = send_back({name: weight / divisor for name, weight in made.weights.items()})
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    values |= {name: processes.mean(float(loss) / divisor, device) for name, loss in local.items()}
    return values


def encode_with_gradient(
    encode: Encode, sizes: Indices, chunk_tokens: int, *, device: torch.device | None = None
) -> tuple[Tensor, Callable[[Mapping[str, float]], dict[str, Tensor]]]:
    """Encode the texts of a step so that a loss over all of them fits into memory.

    Texts that fit are encoded in one pass. Otherwise chunks are encoded without a graph. Once the loss has given the
    gradient of the encodings, each chunk is encoded again with the same dropout, and the gradient is sent through.
    Together with it goes the gradient of what is learned from the chunk alone.

    Args:
        encode: Encodes some groups of texts.
        sizes: Number of subwords of each group. Shape [n].
        chunk_tokens: Maximum number of subwords in one pass.
        device: Device on which the encoder draws its dropout. None for the CPU.

    Returns:
        Encodings [u, d] to compute the loss from, and a function to call after `loss.backward()` with the factors on
        the local losses by name. It returns the local losses, summed over all groups, without the factors.

    Source: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup".
    """
    chunks = list(batches(sizes, chunk_tokens))
    place = device or torch.device("cpu")
    states: list[dict[str, Tensor]] = []
    whole = encode(chunks[0]) if len(chunks) == 1 else None
    if whole is not None:
        parts = [whole.vectors.detach()]
    else:
        parts = []
        for chunk in chunks:
            states.append(random_state(place))
            with torch.no_grad():
                parts.append(encode(chunk).vectors)
    vectors = torch.cat(parts).requires_grad_()

    def again(number: int) -> Encoded:
        if whole is not None:
            return whole
        # Local losses draw after all encodings, as they do where there is one chunk.
        end = random_state(place)
        restore_random(states[number], place)
        encoded = encode(chunks[number])
        restore_random(end, place)
        return encoded

    def send_back(factors: Mapping[str, float]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        gradients = [None] * len(parts) if vectors.grad is None else vectors.grad.split([len(each) for each in parts])
        for number, gradient in enumerate(gradients):
            encoded = again(number)
            local = encoded.local()
            roots = [] if gradient is None else [(encoded.vectors, gradient)]
            roots += [(loss, loss.new_tensor(factors[name])) for name, loss in local.items() if loss.requires_grad]
            if roots:
                torch.autograd.backward(*map(list, zip(*roots, strict=True)))
            for name, loss in local.items():
                found[name] = found.get(name, 0) + loss.detach()
        return found

    return vectors, send_back


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

    def prepare(self, rows: Indices, step: int) -> Comparison:
        """Encode every distinct text of a step by itself."""
        batch = batch_of(self.data, rows, mask_known=self._mask_known)
        tokens = [self.tokens[text] for text in batch.texts]
        return Comparison(
            np.array([len(each) for each in tokens]),
            np.arange(len(tokens) + 1),
            lambda part: Encoded(self.embed(tokens[part])),
            lambda encodings: {"loss": self.loss(contrast_of(encodings, batch))},
        )

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
