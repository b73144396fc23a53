"""Steps of training one after the other: what each did, when it is kept, and what an interruption leaves."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from lexenc.errors import WorkError
from lexenc.progress import Task
from lexenc.randomness import derived_seed
from lexenc.training import checkpoints


@dataclass(frozen=True)
class StepRecord:
    """What one step did; the same on every run with the same seed."""

    step: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float


def check_finite(value: float, what: str, *, step: int, total: int, learning_rate: float) -> None:
    """Refuse a loss or a gradient that is no longer a number.

    Args:
        value: It.
        what: What it is.
        step: Steps done so far.
        total: Of so many.
        learning_rate: Peak.

    Raises:
        WorkError: If it is infinite or no number.
    """
    if not math.isfinite(value):
        raise WorkError(
            f"The {what} is {value} at step {step + 1} of {total}.",
            hint=f"Lower the learning rate ({learning_rate:g}), or use --precision float32.",
        )


class Steps(Protocol):
    """A run of training that can be taken up anywhere."""

    def batches(self) -> Iterator[tuple[int, np.ndarray]]:
        """Give the epoch and the rows of every step that is left."""

    def take_step(self, epoch: int, rows: np.ndarray) -> StepRecord:
        """Take one step."""

    def checkpoint(self) -> checkpoints.Checkpoint:
        """Give all that is needed to go on from here."""


def take_steps(
    steps: Steps, folder: Path | None, record: Callable[[StepRecord], None], task: Task, *, every: float
) -> None:
    """Take every step that is left; keep unfinished work every now and then, and when it is interrupted.

    Args:
        steps: The run.
        folder: Where unfinished work is kept; None keeps nothing.
        record: Told about every step.
        task: Who watches.
        every: Seconds between two times that unfinished work is kept.
    """
    saved = time.monotonic()

    def save() -> None:
        nonlocal saved
        if folder is not None:
            checkpoints.save_checkpoint(folder, steps.checkpoint())
            saved = time.monotonic()

    with _interruptions_held_back() as let_through:
        for epoch, rows in steps.batches():
            # What stops a step half-way leaves weights that nothing can go on from: it is not kept.
            done = steps.take_step(epoch, rows)
            try:
                record(done)
                task.advance(1)
                let_through()
            except KeyboardInterrupt:
                save()
                raise
            if time.monotonic() - saved >= every:
                save()


@contextmanager
def _interruptions_held_back() -> Iterator[Callable[[], None]]:
    """Hold the first interruption (SIGINT) back until it is let through; the second one comes through at once.

    Where signals do not arrive (in other threads than the main one) or are ignored, nothing changes.

    Yields:
        What lets an interruption through, if one has come.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield lambda: None
        return
    came: list[int] = []

    def hold(number: int, frame: object) -> None:
        came.append(number)
        signal.signal(signal.SIGINT, usual)

    def let_through() -> None:
        if came:
            usual(came[0], None)

    signal.signal(signal.SIGINT, hold)
    try:
        yield let_through
    finally:
        signal.signal(signal.SIGINT, usual)


@contextmanager
def own_randomness(seed: int, purpose: str, device: torch.device) -> Iterator[None]:
    """Seed PyTorch for one purpose and leave everybody else's randomness alone."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derived_seed(seed, purpose))
        yield
