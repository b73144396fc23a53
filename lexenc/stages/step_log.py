"""The log of a training: a line per step, also over interruptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lexenc.stage import Job

if TYPE_CHECKING:
    from lexenc.training.steps import StepRecord


@contextmanager
def step_log(history: Path, unfinished: Path, job: Job, name: str) -> Iterator[Callable[[StepRecord], None]]:
    """Write one line per step; after a resume the lines of steps that are done again go."""
    from lexenc.training.checkpoints import load_checkpoint

    checkpoint = load_checkpoint(unfinished)
    done = checkpoint.step if checkpoint is not None else 0
    kept = history.read_text(encoding="utf-8").splitlines(keepends=True)[:done] if history.is_file() and done else []
    if done:
        job.notices.say(f"{name}: continuing from step {done:,} (same settings).")
    with history.open("w", encoding="utf-8") as stream:
        stream.writelines(kept)

        def record(step: StepRecord) -> None:
            stream.write(json.dumps(asdict(step)) + "\n")
            stream.flush()

        yield record
