"""What the stages that train share: the run in the result folder, its log, and its checkpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from lexenc.artifact import UNFINISHED
from lexenc.errors import DataError
from lexenc.files.text import counted
from lexenc.stage import Job

if TYPE_CHECKING:
    from lexenc.training.trainer import StepRecord, Trainer

HISTORY = "training.jsonl"


def train_in_folder(trainer: Trainer, job: Job, *, stage: str, examples: str) -> list[dict[str, Any]]:
    """Train to the end, resuming unfinished work, and log one line per step.

    Args:
        trainer: The run.
        job: Device, seed, progress and messages of the run.
        stage: Name of the stage, for messages.
        examples: Number and kind of the examples, for messages.

    Returns:
        The records of all steps.

    Raises:
        DataError: If there is nothing to learn.
    """
    from lexenc.training.checkpoints import load_checkpoint

    if not trainer.total:
        raise DataError("There is nothing to learn: no example can be used.", hint="Check the input files.")
    unfinished, history = job.out / UNFINISHED, job.out / HISTORY
    unfinished.mkdir(exist_ok=True)
    job.notices.say(
        f"{examples}, {counted(trainer.total, 'step')}, learning rate {trainer.schedule.learning_rate:g} after "
        f"{counted(trainer.warmup, 'warm-up step')}."
    )
    checkpoint = load_checkpoint(unfinished)
    done = checkpoint.step if checkpoint is not None else 0
    # The steps after the checkpoint are done again.
    kept = history.read_text(encoding="utf-8").splitlines(keepends=True)[:done] if done and history.is_file() else []
    if done:
        job.notices.say(f"{stage}: continuing from step {done:,} (same settings).")
    with history.open("w", encoding="utf-8") as stream:
        stream.writelines(kept)

        def record(step: StepRecord) -> None:
            values = {name: value for name, value in asdict(step).items() if value is not None}
            stream.write(json.dumps(values) + "\n")
            stream.flush()

        trainer.run(unfinished, record=record, progress=job.progress)
    return [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]


def remove_unfinished(job: Job) -> None:
    """Remove the checkpoints after the result is written."""
    from lexenc.training.checkpoints import remove_checkpoints

    remove_checkpoints(job.out / UNFINISHED)
    (job.out / UNFINISHED).rmdir()


def mean_loss_of(steps: Sequence[dict[str, Any]]) -> float:
    """Return the mean loss of some steps. Single steps are not comparable, because some batches are easier."""
    return fmean(step["loss"] for step in steps)
