"""The one training loop: pairs in, tuned weights out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from lexenc.errors import WorkError
from lexenc.progress import SILENT, Progress
from lexenc.training import checkpoints
from lexenc.training.data import Batch, PairData, TokenStore, batch_of, epoch_rows
from lexenc.training.losses import Contrast, Loss
from lexenc.training.steps import Run, StepRecord

if TYPE_CHECKING:
    from lexenc.encoders.base import Encoder


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Args:
        epochs: Passes over the pairs.
        batch_size: Pairs per step.
        learning_rate: Peak.
        weight_decay: Of AdamW.
        warmup: Share of the steps until the peak.
        shape: What the learning rate does from there: falls to 0 on a line, or stays.
        clip: Largest gradient norm; 0 does not clip.
        chunk_tokens: Tokens per pass through the encoder; a step with more goes through in chunks with the same
            gradient, twice as long and in bounded memory.
        mask_known: Hide known translations, and texts of the same class, among the candidates.
        checkpoint_seconds: Time between checkpoints; does not affect the result.
    """

    epochs: int = 5
    batch_size: int = 128
    learning_rate: float = 2e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    chunk_tokens: int = 32_768
    mask_known: bool = True
    checkpoint_seconds: float = 60.0
    shape: Literal["linear", "constant"] = "linear"

    def steps_per_epoch(self, pairs: int) -> int:
        """Give the steps of one epoch."""
        return math.ceil(pairs / self.batch_size)

    def total(self, pairs: int) -> int:
        """Give all steps."""
        return self.epochs * self.steps_per_epoch(pairs)


Encode = Callable[[Sequence[np.ndarray]], torch.Tensor]


def encode_with_gradient(
    embed: Encode, tokens: Sequence[np.ndarray], chunk_tokens: int, *, device: torch.device | None = None
) -> tuple[torch.Tensor, Callable[[], None]]:
    """Encode a step's texts so that the loss can be taken over all of them whatever memory allows.

    Where they fit, it is one packed pass. Otherwise chunks are encoded without a graph; once the loss has given the
    gradient of the encodings, each chunk is encoded again with the same dropout and the gradient is sent through.

    Args:
        embed: The encoder's.
        tokens: Token ids of the step's texts.
        chunk_tokens: Tokens per pass.
        device: Where the encoder computes, and draws its dropout; None for the processor.

    Returns:
        Encodings [u, d] to take the loss of, and what to call after `loss.backward()`.

    Source: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup".
    """
    chunks = list(_chunks([len(each) for each in tokens], chunk_tokens))
    if len(chunks) == 1:
        return embed(tokens), lambda: None
    place = device or torch.device("cpu")
    states, parts = [], []
    for chunk in chunks:
        states.append(checkpoints.random_state(place))
        with torch.no_grad():
            parts.append(embed(tokens[chunk.start : chunk.stop]))
    encodings = torch.cat(parts).requires_grad_()

    def send_back() -> None:
        end = checkpoints.random_state(place)
        for chunk, state in zip(chunks, states, strict=True):
            checkpoints.restore_random(state, place)
            gradient = encodings.grad[chunk.start : chunk.stop] if encodings.grad is not None else None
            embed(tokens[chunk.start : chunk.stop]).backward(gradient)
        checkpoints.restore_random(end, place)

    return encodings, send_back


def _chunks(lengths: Sequence[int], budget: int) -> Iterator[slice]:
    """Cut a list of texts where the token budget is reached; a text longer than the budget stands alone."""
    start, used = 0, 0
    for place, length in enumerate(lengths):
        if place > start and used + length > budget:
            yield slice(start, place)
            start, used = place, 0
        used += length
    yield slice(start, len(lengths))


def contrast_of(encodings: torch.Tensor, batch: Batch) -> Contrast:
    """Gather the rows of anchors, positives and negatives from the encodings of the distinct texts."""
    device = encodings.device

    def there(table: np.ndarray | None) -> torch.Tensor | None:
        return None if table is None else torch.from_numpy(table).to(device)

    def rows(places: np.ndarray) -> torch.Tensor:
        flat = encodings.index_select(0, torch.from_numpy(places.reshape(-1)).to(device))
        return flat.reshape(*places.shape, encodings.shape[1])

    return Contrast(
        anchors=rows(batch.anchors),
        positives=rows(batch.positives),
        negatives=rows(batch.negatives),
        known_positives=torch.from_numpy(batch.known_positives).to(device),
        known_negatives=torch.from_numpy(batch.known_negatives).to(device),
        labels=there(batch.labels),
        related=there(batch.related),
    )


class Training(Run):
    """A run: weights, optimiser and the number of steps done.

    Args:
        encoder: What is tuned, in place.
        data: The pairs.
        tokens: Token ids of `data.texts`.
        loss: From `losses.LOSSES`, called with a contrast.
        schedule: How long and how fast.
        seed: Of order and dropout.
    """

    def __init__(
        self, encoder: Encoder, data: PairData, tokens: TokenStore, *, loss: Loss, schedule: Schedule, seed: int
    ) -> None:
        self.encoder, self.data, self.tokens = encoder, data, tokens
        self.loss, self.schedule = loss, schedule
        module = encoder.module
        device, total = next(module.parameters()).device, schedule.total(len(data))
        super().__init__(module, device, schedule=schedule, total=total, seed=seed)

    def batches(self) -> Iterator[tuple[int, np.ndarray]]:
        """Give epoch and rows of every step that is still to do."""
        per_epoch = self.schedule.steps_per_epoch(len(self.data))
        for epoch in range(self.step // per_epoch, self.schedule.epochs):
            skipped = self.step - epoch * per_epoch
            for place, rows in enumerate(
                epoch_rows(len(self.data), self.schedule.batch_size, seed=self.seed, epoch=epoch)
            ):
                if place >= skipped:
                    yield epoch, rows

    def take_step(self, epoch: int, rows: np.ndarray) -> StepRecord:
        """Do one step.

        Raises:
            WorkError: If the loss or its gradient is no longer a number.
        """
        batch = batch_of(self.data, rows, mask_known=self.schedule.mask_known)
        tokens = self.tokens.rows(batch.texts)
        encodings, send_back = encode_with_gradient(
            self.encoder.embed, tokens, self.schedule.chunk_tokens, device=self.device
        )
        loss = self.loss(contrast_of(encodings, batch))
        value = float(loss.detach())
        self.check_finite(value, "loss")
        loss.backward()
        send_back()
        return self.follow_gradient(epoch, value)


def run_training(
    training: Training,
    *,
    folder: Path | None = None,
    record: Callable[[StepRecord], None] = lambda record: None,
    progress: Progress = SILENT,
) -> None:
    """Train to the end.

    An interruption is held back until the step is done and kept in the folder; a second one is not.

    Args:
        training: A run; its encoder is tuned in place.
        folder: Where unfinished work is kept and found; None keeps nothing.
        record: Told about every step.
        progress: Who watches.

    Raises:
        WorkError: If the loss is no longer a number, or the GPU has not enough memory.
    """
    try:
        training.run_to_end(folder, record, progress)
    except torch.cuda.OutOfMemoryError:
        lengths = training.tokens.lengths()
        size = training.schedule.batch_size
        raise WorkError(
            f"Out of GPU memory at step {training.step + 1} (batch {size}, longest text {lengths.max()} tokens).",
            hint=f"Try --chunk-tokens {training.schedule.chunk_tokens // 4}; only dropout then falls differently.",
        ) from None
