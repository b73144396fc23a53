"""The trainer: takes an objective through its steps, keeps the best weights, and resumes with the same bits."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lexenc.arrays import Indices
from lexenc.device import keep_freed_memory
from lexenc.errors import DataError, PausedError, WorkError
from lexenc.files.logs import StepLog
from lexenc.progress import SILENT, Progress
from lexenc.randomness import derived_seed
from lexenc.training import HISTORY
from lexenc.training.checkpoints import Best, Checkpoint, load_checkpoint, random_state, restore_random, save_checkpoint
from lexenc.training.objective import Objective, chunks
from lexenc.training.optimiser import MasterOptimiser
from lexenc.training.processes import Processes
from lexenc.training.schedule import Schedule


@dataclass(frozen=True)
class Validation:
    """Evaluation during training. The weights with the best score are kept, of equal ones the earliest.

    Args:
        score: Returns the score on development data. Larger is better. NaN where it is not defined.
        every: Number of steps between evaluations. The last step is always evaluated.
    """

    score: Callable[[], float]
    every: int


@dataclass(frozen=True)
class StepRecord:
    """What one step did. The same on every run with the same seed.

    Args:
        step: Number of the step, from 1.
        epoch: Number of the epoch, from 1.
        loss: Mean loss before the step.
        learning_rate: Learning rate of the step.
        gradient_norm: Norm of the gradient before clipping.
        score: Score on development data after the step. None where it was not evaluated, or is not defined.
        terms: Terms of the loss by name, without their weights. Empty for one term.
        facts: Further numbers of the step by name.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float
    score: float | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)

    def line(self) -> dict[str, float]:
        """Return the values of the step's line in the log."""
        groups = ("terms", "facts")
        values = {name: value for name, value in vars(self).items() if name not in groups and value is not None}
        return values | dict(self.terms) | dict(self.facts)


class Trainer:
    """A training run that can be interrupted and resumed anywhere.

    Under `torch.distributed` every process makes a trainer with the same arguments. Each computes its share of every
    step, and the weights stay the same in all of them.

    Args:
        objective: What is learned, and by which weights. They are trained in place.
        schedule: How long and how fast to train.
        seed: Seed of order and dropout.
        evaluation: How to find the best weights. Without it, the last weights are kept.

    Attributes:
        evaluation: As above. It can be replaced before the run.
        step: Number of steps done.
        total: Number of steps of the run.
        warmup: Number of warm-up steps.
        best: The best weights so far, and their score.
    """

    def __init__(
        self, objective: Objective, *, schedule: Schedule, seed: int = 0, evaluation: Validation | None = None
    ) -> None:
        self.objective, self.schedule, self.seed, self.evaluation = objective, schedule, seed, evaluation
        self._module = nn.ModuleDict(objective.modules)
        self._device = next(self._module.parameters()).device
        self._processes = Processes()
        self._epoch_steps = len(objective.steps(0, schedule.batch_size, seed)) if len(objective.rows(0)) else 0
        self.step, self.total = 0, schedule.total_steps(self._epoch_steps) if self._epoch_steps else 0
        self.warmup = schedule.warmup_steps(self.total)
        objective.begin(self.total)
        self.best: Best | None = None
        self._optimiser = MasterOptimiser(
            self._module,
            learning_rate=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            rule=schedule.update_rule,
        )

    def batches(self) -> Iterator[tuple[int, Indices]]:
        """Yield epoch and examples of every step that is left."""
        for step in range(self.step, self.total):
            epoch, place = divmod(step, self._epoch_steps)
            if step == self.step or place == 0:
                order = self.objective.steps(epoch, self.schedule.batch_size, self.seed)
            yield epoch, order[place]

    def take_step(self, epoch: int, rows: Indices) -> StepRecord:
        """Do one step.

        Raises:
            WorkError: If the loss or its gradient is not finite.
        """
        loss = self.objective.backward(
            rows, self.step, chunk_tokens=self.schedule.chunk_tokens, device=self._device, processes=self._processes
        )
        self._check_finite(loss.value, "loss")
        self._processes.average_gradients(self._module.parameters())
        factor = self.schedule.factor(self.step, self.total)
        norm = self._optimiser.step(factor, clip=self.schedule.clip)
        # After the last step no further loss would show what such a gradient did to the weights.
        self._check_finite(norm, "norm of the gradient")
        self.step += 1
        rate, score = factor * self.schedule.learning_rate, self._evaluate()
        return StepRecord(self.step, epoch + 1, loss.value, rate, norm, score, loss.terms, loss.facts)

    def _check_finite(self, value: float, what: str) -> None:
        if not math.isfinite(value):
            raise WorkError(
                f"The {what} is {value} at step {self.step + 1} of {self.total}.",
                hint=f"Lower the learning rate ({self.schedule.learning_rate:g}), or use --precision float32.",
            )

    def _evaluate(self) -> float | None:
        """Return the score on development data and remember the weights if they are the best.

        Returns:
            None if no evaluation is due, or the score is not defined.
        """
        if self.evaluation is None or (self.step % self.evaluation.every and self.step < self.total):
            return None
        random = random_state(self._device)
        self._module.eval()
        score = self._processes.mean(self.evaluation.score(), self._device)
        self._module.train()
        restore_random(random, self._device)
        if not math.isfinite(score):
            return None
        if self.best is None or score > self.best.score:
            weights = {name: each.detach().to("cpu", copy=True) for name, each in self._module.state_dict().items()}
            self.best = Best(self.step, score, weights)
        return score

    def checkpoint(self) -> Checkpoint:
        """Return everything needed to resume from here."""
        weights = {name: each.detach() for name, each in self._module.state_dict().items()}
        random = self._processes.by_rank(random_state(self._device))
        return Checkpoint(self.step, weights, self._optimiser.state(), random, self.best)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Resume from where another run stood.

        Raises:
            DataError: If it is a checkpoint of other weights. Nothing has changed then.
        """
        self._check_fits(checkpoint)
        self._module.load_state_dict(checkpoint.weights)
        self._optimiser.restore(checkpoint.optimiser)
        restore_random(self._processes.of_rank(checkpoint.random), self._device)
        self.step, self.best = checkpoint.step, checkpoint.best

    def _check_fits(self, checkpoint: Checkpoint) -> None:
        own = {name: (each.shape, each.dtype) for name, each in self._module.state_dict().items()}
        tables = [checkpoint.weights] + ([checkpoint.best.weights] if checkpoint.best else [])
        alike = all({name: (each.shape, each.dtype) for name, each in table.items()} == own for table in tables)
        random, usual = checkpoint.random.get("cpu"), torch.get_rng_state()
        alike = alike and random is not None and (random.shape, random.dtype) == (usual.shape, usual.dtype)
        if not (alike and self._optimiser.fits(checkpoint.optimiser) and 0 < checkpoint.step <= self.total):
            raise DataError("The checkpoint is of other weights.", hint="Begin again with --force.")

    def run(
        self,
        folder: Path | None = None,
        *,
        record: Callable[[StepRecord], None] = lambda record: None,
        progress: Progress = SILENT,
        say: Callable[[str], None] = lambda message: None,
        stop_after: int | None = None,
    ) -> None:
        """Take every step that is left, then load the best weights.

        An interruption is held back until the step is done and kept in the folder. A second one is not held back.

        Args:
            folder: Folder for the log (`HISTORY`) and for checkpoints, from which an unfinished run is resumed. If they
                are damaged, the run begins anew. None keeps nothing.
            record: Called after every step.
            progress: Progress bar to update.
            say: Called with a remark on where the run begins, if it is resumed.
            stop_after: Number of steps after which the run stops, and can be resumed. None for the end.

        Raises:
            PausedError: If the run stopped there.
            WorkError: If the loss is not finite, or the GPU is out of memory.
        """
        keep_freed_memory()
        dropout = "dropout" if self._processes.rank == 0 else f"dropout of process {self._processes.rank}"
        with own_randomness(self.seed, dropout, self._device):
            saving = _Saving(folder, self.schedule.checkpoint_seconds)
            self._resume(saving, say)
            self._module.train()
            try:
                self._take_steps(saving, record, progress, stop_after or self.total)
            except torch.cuda.OutOfMemoryError:
                longest = int(self.objective.sizes(self.objective.rows(0)).max())
                raise WorkError(
                    f"Out of GPU memory at step {self.step + 1} (batch size {self.schedule.batch_size}, longest "
                    f"example {longest:,} subwords).",
                    hint=f"Try --chunk-tokens {self.schedule.chunk_tokens // 4}. It changes only dropout.",
                ) from None
            finally:
                self._module.eval()
        if self.best is not None:
            self._module.load_state_dict(self.best.weights)

    def _resume(self, saving: _Saving, say: Callable[[str], None]) -> None:
        found, fault = saving.found(self._check_fits)
        # All processes resume from the same step, or none does.
        if self._processes.any(found is None, self._device) or found is None:
            saving.begin()
            if fault:
                say(f"{fault} Beginning anew.")
            return
        self.restore(found)
        say(f"continuing from step {found.step:,} (same settings).")

    def _save(self, saving: _Saving) -> None:
        if saving.wants(self.step):
            # Made of what all processes have.
            checkpoint = self.checkpoint()
            if self._processes.rank == 0:
                saving.save(checkpoint)

    def _take_steps(
        self, saving: _Saving, record: Callable[[StepRecord], None], progress: Progress, stop_after: int
    ) -> None:
        first = self._processes.rank == 0
        with progress.task("train", self.total, "steps") as task, _interruptions_held_back() as let_through:
            task.advance(self.step)
            for epoch, rows in self.batches():
                # What stops a step half-way leaves weights from which nothing can resume. They are not kept.
                done = self.take_step(epoch, rows)
                try:
                    if first:
                        saving.log(done)
                        record(done)
                    task.advance(1)
                    let_through(self._processes, self._device)
                except KeyboardInterrupt:
                    self._save(saving)
                    raise
                if self._processes.any(saving.late, self._device):
                    self._save(saving)
                if stop_after <= self.step < self.total:
                    break
            # What comes after the training may be killed too.
            self._save(saving)
            let_through(self._processes, self._device)
        if self.step < self.total:
            raise PausedError(
                f"Stopped after step {self.step:,} of {self.total:,}, which is kept.",
                hint="Run the same command with a larger --max-steps, or without it, to continue.",
            )


class _Saving:
    """The folder in which a run keeps its log and its last checkpoint.

    Args:
        folder: The folder. None keeps nothing.
        seconds: Time between checkpoints.
    """

    def __init__(self, folder: Path | None, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds
        self._log = StepLog(folder / HISTORY) if folder is not None else None
        self._step, self._time = 0, time.monotonic()

    def found(self, check: Callable[[Checkpoint], None]) -> tuple[Checkpoint | None, str]:
        """Return the checkpoint if it can be used, else None and the fault, which is empty without a checkpoint.

        Args:
            check: Raises DataError if a checkpoint is of another run.
        """
        if self._folder is None or self._log is None:
            return None, ""
        try:
            checkpoint = load_checkpoint(self._folder)
            if checkpoint is None:
                return None, ""
            check(checkpoint)
        except DataError as error:
            return None, error.message
        if not self._log.resume(checkpoint.step):
            return None, f"{self._folder / HISTORY} lacks steps of the checkpoint."
        self._step = checkpoint.step
        return checkpoint, ""

    def begin(self) -> None:
        """Forget what the folder has. It stays there until there is more."""
        self._step = 0
        if self._log is not None:
            self._log.resume(0)

    def log(self, record: StepRecord) -> None:
        """Log a step."""
        if self._log is not None:
            self._log.add(record.line())

    @property
    def late(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return self._folder is not None and time.monotonic() - self._time >= self._seconds

    def wants(self, step: int) -> bool:
        """Return whether a checkpoint after so many steps would be new. Every process calls it alike."""
        new = self._folder is not None and step > self._step
        self._step, self._time = step, time.monotonic()
        return new

    def save(self, checkpoint: Checkpoint) -> None:
        """Save the log, then the checkpoint."""
        # A second interruption may have come before the last step was logged. The checkpoint before it stays.
        if self._folder is not None and self._log is not None and self._log.steps == checkpoint.step:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._log.save()
            save_checkpoint(self._folder, checkpoint)


def mean_loss(objective: Objective, *, chunk_tokens: int = 16_384) -> float:
    """Return the mean loss of all examples without training. NaN without examples."""
    rows = objective.rows(0)
    with torch.inference_mode():
        total = sum(float(objective.losses(part, 0).sum()) for part in chunks(objective.sizes, rows, chunk_tokens))
    return total / len(rows) if len(rows) else math.nan


_STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_ONE_REQUEST_SECONDS = 1.0  # a terminal and a wrapper of the program may each send the same request


@contextmanager
def _interruptions_held_back() -> Iterator[Callable[[Processes, torch.device], None]]:
    """Hold the first request to stop (e.g. SIGINT) back until it is let through. A second one comes through at once.

    Outside the main thread, and for signals that are ignored or not handled, nothing changes.

    Yields:
        A function that lets the request of any process through.
    """
    usual = _handlers()
    came: list[int] = []
    since = math.inf

    def hold(number: int, frame: object) -> None:
        nonlocal since
        if came and time.monotonic() - since >= _ONE_REQUEST_SECONDS:
            usual[number](number, frame)
        elif not came:
            came.append(number)
            since = time.monotonic()

    def let_through(processes: Processes, device: torch.device) -> None:
        if processes.any(bool(came), device):
            if came:
                usual[came[0]](came[0], None)
            if processes.count > 1:
                raise KeyboardInterrupt

    for number in usual:
        signal.signal(number, hold)
    try:
        yield let_through
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def _handlers() -> dict[int, Callable[..., Any]]:
    """Return the functions that handle requests to stop. There are none outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: handler for number in _STOPS if callable(handler := signal.getsignal(number))}


@contextmanager
def own_randomness(seed: int, purpose: str, device: torch.device) -> Iterator[None]:
    """Seed PyTorch for one purpose, and restore the state of its generators afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derived_seed(seed, purpose))
        yield
