"""What the stages that train share: the run in the result folder, its log, and its checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from lexenc.artifact import UNFINISHED
from lexenc.durable import share
from lexenc.errors import DataError
from lexenc.files.text import counted, json_lines
from lexenc.stage import Job
from lexenc.training import HISTORY

if TYPE_CHECKING:
    from lexenc.training.trainer import StepRecord, Trainer


def train_in_folder(
    trainer: Trainer,
    job: Job,
    *,
    stage: str,
    examples: str,
    record: Callable[[StepRecord], None] = lambda record: None,
    stop_after: int | None = None,
) -> list[dict[str, Any]]:
    """Train to the end, resuming unfinished work, and write the log, which has one line per step.

    Args:
        trainer: The run.
        job: Device, seed, progress and messages of the run.
        stage: Name of the stage, for messages.
        examples: Number and kind of the examples, for messages.
        record: Called after every step.
        stop_after: Number of steps after which the run stops, and can be resumed. None for the end.

    Returns:
        The records of all steps.

    Raises:
        DataError: If there is nothing to learn.
        PausedError: If the run stopped at `stop_after`.
    """
    if not trainer.total:
        raise DataError("There is nothing to learn: no example can be used.", hint="Check the input files.")
    job.notices.say(
        f"{examples}, {counted(trainer.total, 'step')}, learning rate {trainer.schedule.learning_rate:g} after "
        f"{counted(trainer.warmup, 'warm-up step')}."
    )
    unfinished = job.out / UNFINISHED
    trainer.run(
        unfinished,
        record=record,
        progress=job.progress,
        say=lambda message: job.notices.say(f"{stage}: {message}"),
        stop_after=stop_after,
    )
    if trainer.evaluation is not None and trainer.best is None:
        job.notices.warn(
            "No evaluation gave a score, because all development examples got the same result. The last weights are "
            "kept.",
            "A lower --learning-rate keeps the vectors apart.",
        )
    share(unfinished / HISTORY, job.out / HISTORY)
    return [step for _, step in json_lines(job.out / HISTORY)]


def mean_loss_of(steps: Sequence[dict[str, Any]]) -> float:
    """Return the mean loss of some steps. Single steps are not comparable, because some batches are easier."""
    return fmean(step["loss"] for step in steps)
