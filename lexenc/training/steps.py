"""Steps of training one after the other: what each did, when it is kept, and what an interruption leaves."""

from __future__ import annotations

import math
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from lexenc.device import keep_freed_memory
from lexenc.errors import WorkError
from lexenc.progress import Progress, Task
from lexenc.randomness import derived_seed
from lexenc.training import checkpoints
from lexenc.training.optimiser import SCHEDULES, MasterAdamW, warmup_steps


@dataclass(frozen=True)
class StepRecord:
    """What one step did; the same on every run with the same seed."""

    step: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float


class Pace(Protocol):
    """How fast weights learn; see the schedules of the runs."""

    @property
    def learning_rate(self) -> float:
        """Peak."""

    @property
    def weight_decay(self) -> float:
        """Of AdamW."""

    @property
    def warmup(self) -> float:
        """Share of the steps until the peak."""

    @property
    def shape(self) -> str:
        """What the learning rate does from there, of `SCHEDULES`."""

    @property
    def clip(self) -> float:
        """Largest gradient norm; 0 does not clip."""

    @property
    def checkpoint_seconds(self) -> float:
        """Time between checkpoints."""


class Run(ABC):
    """A run of training that can be taken up anywhere: its weights, and how far they are.

    Args:
        module: The weights that learn.
        device: Where they are.
        schedule: How fast they learn.
        total: Steps in all.
        seed: Of order and dropout.

    Attributes:
        step: Steps done.
        warmup: Steps until the peak of the learning rate.
    """

    def __init__(self, module: torch.nn.Module, device: torch.device, *, schedule: Pace, total: int, seed: int) -> None:
        self.module, self.device, self.total, self.seed = module, device, total, seed
        self._pace, self.step = schedule, 0
        self.warmup = warmup_steps(schedule.warmup, total)
        self.optimiser = MasterAdamW(module, learning_rate=schedule.learning_rate, weight_decay=schedule.weight_decay)

    @abstractmethod
    def batches(self) -> Iterator[tuple[int, np.ndarray]]:
        """Give epoch and rows of every step that is still to do."""

    @abstractmethod
    def take_step(self, epoch: int, rows: np.ndarray) -> StepRecord:
        """Do one step.

        Raises:
            WorkError: If the loss or its gradient is no longer a number.
        """

    def check_finite(self, value: float, what: str) -> None:
        """Refuse a loss or a gradient that is no longer a number.

        Raises:
            WorkError: If it is infinite or no number.
        """
        if not math.isfinite(value):
            raise WorkError(
                f"The {what} is {value} at step {self.step + 1} of {self.total}.",
                hint=f"Lower the learning rate ({self._pace.learning_rate:g}), or use --precision float32.",
            )

    def follow_gradient(self, epoch: int, loss: float) -> StepRecord:
        """End a step: move the weights by the gradient they have.

        Raises:
            WorkError: If the gradient is no longer a number.
        """
        factor = SCHEDULES[self._pace.shape](self.step, warmup=self.warmup, total=self.total)
        norm = self.optimiser.step(factor, clip=self._pace.clip)
        # After the last step no further loss would show what such a gradient did to the weights.
        self.check_finite(norm, "norm of the gradient")
        self.step += 1
        return StepRecord(self.step, epoch + 1, loss, factor * self._pace.learning_rate, norm)

    def checkpoint(self) -> checkpoints.Checkpoint:
        """Give all that is needed to go on from here."""
        weights = {name: each.detach() for name, each in self.module.state_dict().items()}
        return checkpoints.Checkpoint(self.step, weights, self.optimiser.state(), checkpoints.random_state(self.device))

    def restore(self, checkpoint: checkpoints.Checkpoint) -> None:
        """Continue from where another run stood."""
        self.module.load_state_dict(checkpoint.weights)
        self.optimiser.restore(checkpoint.optimiser)
        checkpoints.restore_random(checkpoint.random, self.device)
        self.step = checkpoint.step

    def run_to_end(self, folder: Path | None, record: Callable[[StepRecord], None], progress: Progress) -> None:
        """Take every step that is left, those of unfinished work excepted.

        An interruption is held back until the step is done and kept in the folder; a second one is not.

        Args:
            folder: Where unfinished work is kept and found; None keeps nothing.
            record: Told about every step.
            progress: Who watches.
        """
        keep_freed_memory()
        randomness = own_randomness(self.seed, "dropout", self.device)
        with randomness, progress.task("train", self.total, "steps") as task:
            found = checkpoints.load_checkpoint(folder) if folder is not None else None
            if found is not None:
                self.restore(found)
                task.advance(self.step)
            self.module.train()
            try:
                self._take_steps(folder, record, task)
            finally:
                self.module.eval()

    def _take_steps(self, folder: Path | None, record: Callable[[StepRecord], None], task: Task) -> None:
        saved = time.monotonic()

        def save() -> None:
            nonlocal saved
            if folder is not None:
                checkpoints.save_checkpoint(folder, self.checkpoint())
                saved = time.monotonic()

        with _interruptions_held_back() as let_through:
            for epoch, rows in self.batches():
                # What stops a step half-way leaves weights that nothing can go on from: it is not kept.
                done = self.take_step(epoch, rows)
                try:
                    record(done)
                    task.advance(1)
                    let_through()
                except KeyboardInterrupt:
                    save()
                    raise
                if time.monotonic() - saved >= self._pace.checkpoint_seconds:
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
