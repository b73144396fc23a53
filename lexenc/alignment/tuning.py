"""The training loop of aligners: lessons in, tuned weights out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lexenc.alignment.spans import batches_of
from lexenc.device import Device
from lexenc.errors import WorkError
from lexenc.progress import SILENT, Progress
from lexenc.randomness import generator
from lexenc.training.steps import Run, StepRecord

Indices = NDArray[np.int64]

# Lessons of so many steps are sorted by size together, so that little has to be filled up.
_SORTED_STEPS = 50


class Lessons(Protocol):
    """What an aligner is tuned on: numbered lessons, each with a loss."""

    @property
    def module(self) -> nn.Module:
        """All weights that learn."""

    @property
    def device(self) -> Device:
        """Where it computes."""

    def rows(self, epoch: int) -> Indices:
        """Give the lessons of an epoch, as many in each. Shape [n]."""

    def sizes(self, rows: Indices) -> Indices:
        """Give the subwords of some lessons. Shape as `rows`."""

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Give the loss of each of some lessons; what is drawn depends on the step. Shape as `rows`."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to tune.

    Args:
        epochs: Passes over the lessons.
        batch_size: Lessons per step.
        learning_rate: Peak.
        weight_decay: Of AdamW.
        warmup: Share of the steps until the peak.
        shape: What the learning rate does from there: falls to 0 on a line, or stays.
        clip: Largest gradient norm; 0 does not clip.
        chunk_tokens: Subwords in one pass; a step with more goes through in chunks with the same gradient.
        checkpoint_seconds: Time between checkpoints; does not affect the result.
    """

    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    shape: Literal["linear", "constant"] = "linear"
    clip: float = 1.0
    chunk_tokens: int = 16_384
    checkpoint_seconds: float = 60.0


class Tuning(Run):
    """A run: the state that every step changes.

    Args:
        lessons: What is learnt, and by which weights.
        schedule: How long and how fast.
        seed: Of order and dropout.
    """

    def __init__(self, lessons: Lessons, *, schedule: Schedule, seed: int) -> None:
        self.lessons, self.schedule = lessons, schedule
        self.steps_per_epoch = math.ceil(len(lessons.rows(0)) / schedule.batch_size)
        total = schedule.epochs * self.steps_per_epoch
        super().__init__(lessons.module, lessons.device.torch, schedule=schedule, total=total, seed=seed)

    def batches(self) -> Iterator[tuple[int, Indices]]:
        """Give epoch and lessons of every step that is still to do."""
        for epoch in range(self.step // max(1, self.steps_per_epoch), self.schedule.epochs):
            skipped = max(0, self.step - epoch * self.steps_per_epoch)
            order = self._order(epoch)
            for start in range(skipped * self.schedule.batch_size, len(order), self.schedule.batch_size):
                yield epoch, order[start : start + self.schedule.batch_size]

    def _order(self, epoch: int) -> Indices:
        """Give the lessons of an epoch, step after step: those of a step are drawn, but of about the same size."""
        draw = generator(self.seed, f"order of epoch {epoch}")
        rows, size = draw.permutation(self.lessons.rows(epoch)), self.schedule.batch_size
        block, parts = size * _SORTED_STEPS, []
        for start in range(0, len(rows), block):
            part = rows[start : start + block]
            part = part[np.argsort(self.lessons.sizes(part), kind="stable")]
            steps = [part[first : first + size] for first in range(0, len(part), size)]
            # Only the last step of all may be a short one.
            last = [steps.pop()] if len(steps[-1]) < size else []
            parts += [steps[place] for place in draw.permutation(len(steps))] + last
        return np.concatenate(parts) if parts else rows

    def take_step(self, epoch: int, rows: Indices) -> StepRecord:
        """Do one step.

        Raises:
            WorkError: If the loss or its gradient is no longer a number.
        """
        value = 0.0
        for part in _chunks(self.lessons, rows, self.schedule.chunk_tokens):
            loss = self.lessons.losses(part, self.step).sum() / len(rows)
            loss.backward()
            value += float(loss.detach())
        self.check_finite(value, "loss")
        return self.follow_gradient(epoch, value)


def _chunks(lessons: Lessons, rows: Indices, tokens: int) -> Iterator[Indices]:
    """Part lessons into what goes through the model at once."""
    sizes = lessons.sizes(rows)
    for places in batches_of(np.argsort(sizes, kind="stable"), sizes, tokens):
        yield rows[places]


def run_tuning(
    tuning: Tuning,
    *,
    folder: Path | None = None,
    record: Callable[[StepRecord], None] = lambda record: None,
    progress: Progress = SILENT,
) -> None:
    """Tune to the end.

    An interruption is held back until the step is done and kept in the folder; a second one is not.

    Args:
        tuning: A run; the weights of its lessons are tuned in place.
        folder: Where unfinished work is kept and found; None keeps nothing.
        record: Told about every step.
        progress: Who watches.

    Raises:
        WorkError: If the loss is no longer a number, or the GPU has not enough memory.
    """
    try:
        tuning.run_to_end(folder, record, progress)
    except torch.cuda.OutOfMemoryError:
        raise WorkError(
            f"Out of GPU memory at step {tuning.step + 1} (batch {tuning.schedule.batch_size}).",
            hint=f"Try --chunk-tokens {tuning.schedule.chunk_tokens // 4}; only dropout then falls differently.",
        ) from None


def mean_loss(lessons: Lessons, *, tokens: int = 16_384) -> float:
    """Give the mean loss of all lessons without tuning anything; NaN where there is none."""
    rows = lessons.rows(0)
    with torch.inference_mode():
        total = sum(float(lessons.losses(part, 0).sum()) for part in _chunks(lessons, rows, tokens))
    return total / len(rows) if len(rows) else math.nan
