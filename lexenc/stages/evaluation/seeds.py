"""What evaluations share that train with several seeds: each run once, and the table of their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lexenc.artifact import UNFINISHED
from lexenc.durable import clear_tree, flush_tree, share
from lexenc.errors import ConfigError
from lexenc.evaluation.bootstrap import Columns
from lexenc.evaluation.task import Task
from lexenc.files.evaluations import CONTROL, TRACK, Score
from lexenc.stage import Job, Table
from lexenc.stages.evaluation.shared import IntervalParams
from lexenc.stages.unfinished import once, own_folder
from lexenc.training import HISTORY

_SHOWN = 5  # seeds in a table


class SeededParams(Protocol):
    """Parameters of an evaluation that trains."""

    @property
    def epochs(self) -> int | None:
        """Passes over the training data."""

    @property
    def steps(self) -> int | None:
        """Steps of training."""

    @property
    def dev_share(self) -> float | None:
        """Share of the training data that is held out."""


def check_seeded(inputs: Mapping[str, Any], params: SeededParams) -> list[ConfigError]:
    """Return the errors of an evaluation that trains: options that exclude each other."""
    both = [("--epochs", "--steps", params.epochs is not None and params.steps is not None),
            ("--dev", "--dev-share", bool(inputs.get("dev")) and params.dev_share is not None)]  # fmt: skip
    return [ConfigError(f"{one} and {other} exclude each other.", hint="Give one of them.")
            for one, other, wrong in both if wrong]  # fmt: skip


def trained_once(name: str, job: Job, train: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do one training run of an evaluation, unless earlier, interrupted work has finished it.

    Args:
        name: Name of the run, e.g. `seed 0`. Its log goes to a folder of this name, with hyphens.
        job: Device, progress and messages of the run.
        train: Trains in the folder of the job, and returns what JSON can hold.
    """
    own = name.replace(" ", "-")
    folder = job.out / UNFINISHED / own
    (folder / UNFINISHED).mkdir(parents=True, exist_ok=True)

    def work() -> tuple[dict[str, Any], list[Any]]:
        with own_folder(name, folder, job):
            made = train()
        flush_tree(folder, without=(UNFINISHED,))
        return made, [folder / HISTORY]

    made = once(folder / "done.json", job, work)
    clear_tree(folder / UNFINISHED)  # checkpoints are large
    (job.out / own).mkdir(exist_ok=True)
    share(folder / HISTORY, job.out / own / HISTORY)
    return made


def row_store(folder: Path) -> Callable[[Iterable[np.ndarray], int], np.ndarray]:
    """Return what stores vectors that a run trains on: in files of a folder, mapped into memory.

    It takes blocks of rows, shape [k, width] each, and their width, and returns all of them, shape [n, width].
    """
    numbers = count()

    def store(parts: Iterable[np.ndarray], width: int) -> np.ndarray:
        folder.mkdir(exist_ok=True)
        path, kind = folder / f"vectors-{next(numbers)}", np.dtype(np.float16)
        with path.open("wb") as stream:
            for part in parts:
                kind = part.dtype
                stream.write(np.ascontiguousarray(part).data)
            rows = stream.tell() // (width * kind.itemsize)
        # An empty file cannot be mapped into memory.
        return np.memmap(path, kind, "r", shape=(rows, width)) if rows else np.zeros((0, width), kind)

    return store


def control_scores(
    task: Task, columns: Columns, params: IntervalParams, *, generator: np.random.Generator
) -> tuple[Score, ...]:
    """Return the scores of a control, which has one run, with intervals."""
    return task.measure.scores([columns], generator=generator, draws=params.draws, level=params.level)[0]


def spread_table(task: Task, results: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> list[Table]:
    """Lay out the headline of every seed; nothing for a single one."""
    if len(seeds) < 2:
        return []
    metric = task.headline
    columns = ["test set", *(f"seed {seed}" for seed in seeds[:_SHOWN]), "mean", "deviation"]
    rows = [
        [str(each.get(TRACK, task.title.lower())),
         *map(metric.show, [*each[f"{metric.key}_by_seed"][:_SHOWN], each[metric.key], each[f"{metric.key}_sd"]])]
        for each in results if CONTROL not in each
    ]  # fmt: skip
    left = f" {len(seeds) - _SHOWN:,} more seeds are not shown." if len(seeds) > _SHOWN else ""
    note = f"{metric.head} x 100. Deviation: standard deviation over seeds.{left}"
    return [Table(f"{metric.head} by seed", columns, rows, note)]
