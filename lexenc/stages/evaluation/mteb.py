"""eval mteb: an encoder in tasks of mteb, which reads the data and computes the scores."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.evaluation.bootstrap import Columns, Drawn, Means
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Convention, Item
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import EncoderParams, TestSet, evaluate
from lexenc.stages.reading import open_encoder, result_name


class SubsetMeans(Means):
    """The mean over the subsets of a task. Between two systems subsets are resampled, if there are at least two."""

    intervals = False

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return nan: mteb returns no single answers that could be resampled."""
        return [{self.metrics[0]: np.full(draws, np.nan)} for _ in systems]

    def gaps(
        self, first: Columns, second: Columns, *, generator: np.random.Generator, draws: int
    ) -> dict[str, tuple[float, Any]]:
        """Resample the differences of subsets; nan for a single one."""
        found = super().gaps(first, second, generator=generator, draws=draws)
        few = first.shape[1] < 2
        return {name: (gap, np.full(draws, np.nan) if few else drawn) for name, (gap, drawn) in found.items()}


METRICS = (Metric("main_score", "main score"),)
TASK = Task(
    "mteb", "mteb", METRICS, SubsetMeans(["main_score"]),
    lambda items, every: np.array([[item.numbers["main_score"] or 0.0 for item in items]], dtype=np.float64),
    item="subset", test="data", heads=("subset and split", "#main score"), uncovered="score 0",
    cells=lambda item: (" ".join(item.asked), str(item.numbers["main_score"])),
)  # fmt: skip
_INSTALL = "Install it: pip install mteb"
_LOCAL = "local"


@dataclass(frozen=True)
class EvalMtebParams(EncoderParams):
    """Parameters of `eval mteb`."""

    tasks: tuple[str, ...] = param((), "Names of tasks in mteb, e.g. STS17,Tatoeba. Each task is a track.")
    subsets: tuple[str, ...] = param(
        (), "Subsets of the tasks, such as pairs of languages, e.g. en-en,es-en. If left out, all of them."
    )


def eval_mteb(inputs: dict[str, Any], params: EvalMtebParams, job: Job) -> Outcome:
    """Run the tasks one after the other with the encoder as their model."""
    data = inputs.get("data") or {}
    for name in data:
        if name not in params.tasks:
            raise ConfigError(f"--data {name or data[name]} is of no task.", hint="Write it --data TASK=FOLDER.")
    with _quiet(job), TemporaryDirectory() as cache:
        mteb = library()
        tasks = [_task(mteb, name, data.get(name), params, Path(cache)) for name in params.tasks]
        from lexenc.evaluation.mteb_model import MtebModel

        encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length)
        model = MtebModel(encoder, result_name(inputs["encoder"]), progress=job.progress)
        found = [_scored(mteb, model, task) for task in tasks]
    metrics = ", ".join(f"{each.name} {each.facts['main_score_is']}" for each in found)
    note = (
        f"Main scores of mteb {mteb.__version__}: {metrics}. A task is the mean over its subsets, such as pairs of "
        "languages. There are no intervals, because mteb returns no single answers. All texts get the prompt of the "
        "encoder, queries and documents alike."
    )
    return evaluate(TASK, found, params, job, convention=Convention(), note=note, named=True)


def library() -> Any:
    """Import mteb.

    Raises:
        ConfigError: If it is not installed, or cannot be imported.
    """
    try:
        found = import_module("mteb")
        if "datasets.utils" in sys.modules:
            sys.modules["datasets.utils"].disable_progress_bars()
        return found
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == "mteb"
        why = "is not installed" if absent else f"cannot be imported: {error}"
        raise ConfigError(f"mteb {why}.", hint=_INSTALL) from None


@contextmanager
def _quiet(job: Job) -> Iterator[None]:
    """Turn warnings of mteb into those of the job, and keep its messages from the terminal."""
    silent, loggers = logging.NullHandler(), [logging.getLogger(name) for name in ("mteb", "datasets")]
    for each in loggers:
        each.addHandler(silent)
    levels = [each.level for each in loggers]
    try:
        loggers[1].setLevel(logging.ERROR)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            yield
        for message in dict.fromkeys(str(each.message) for each in told if issubclass(each.category, UserWarning)):
            job.notices.warn(f"mteb: {message.splitlines()[0]}", None)
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.removeHandler(silent)
            each.setLevel(level)


def _task(mteb: Any, name: str, folder: Path | None, params: EvalMtebParams, cache: Path) -> Any:
    """Return a task object, which reads its data from a folder if there is one."""
    try:
        task = mteb.get_task(name, hf_subsets=list(params.subsets) or None)
    except (KeyError, ValueError) as error:
        message = str(error.args[0]).removeprefix("KeyError: ")
        raise ConfigError(f"mteb has no such task: {message}", hint="See: mteb available-tasks") from None
    if folder is not None:
        # A copy of the data set, as in its repository on the hub; what is derived from it is not kept.
        read = {"path": str(folder), "revision": _LOCAL, "cache_dir": str(cache)}
        task.metadata = task.metadata.model_copy(update={"dataset": read})
    return task


def _scored(mteb: Any, model: Any, task: Any) -> TestSet:
    """Run one task, and return its subsets as items."""
    name, meta = task.metadata.name, task.metadata
    try:
        ready = task.data_loaded
        task.load_data()
    except Exception as error:
        raise DataError(
            f"mteb cannot read the data of {name}: {_first_line(error)}",
            hint=f"mteb downloads it once. Without a network: --data {name}=FOLDER, a copy of its repository.",
        ) from error
    try:
        # Without its cache: it would return scores of another encoder of the same name.
        settings = {"cache": None, "co2_tracker": False, "show_progress_bar": False}
        found = mteb.evaluate(model, task, **settings).task_results[0].scores
    except LexencError:
        raise
    except Exception as error:
        raise DataError(f"mteb stopped in {name}: {_first_line(error)}", hint="Is its data complete?") from error
    facts = {"main_score_is": meta.main_score, "type": str(meta.type), "mteb": mteb.__version__}
    facts |= {"revision": meta.dataset["revision"]}
    if not ready:
        task.unload_data()
    return TestSet(name, list(_items(found)), facts)


def _items(scores: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Item]:
    for split, subsets in scores.items():
        for each in subsets:
            value = float(each["main_score"])
            known = bool(np.isfinite(value))
            yield Item((str(each["hf_subset"]), split), covered=known, numbers={"main_score": value if known else None})


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def check_eval_mteb(inputs: Any, params: EvalMtebParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    repeated = len(set(params.tasks)) < len(params.tasks)
    table = [(not params.tasks, "There is no task."), (repeated, "--tasks has a task twice.")]
    return [ConfigError(message, hint="For example: --tasks STS17,Tatoeba") for wrong, message in table if wrong]


EVAL_MTEB = Stage(
    name="eval mteb", version=1, params=EvalMtebParams, run=eval_mteb, check=check_eval_mteb,
    inputs={
        "data": Input("Data of a task, a copy of its repository on the hub: TASK=FOLDER. If left out, mteb downloads "
                      "it.", many=True, named=True, required=False),
        "encoder": Input("Encoder.", kind="encoder"),
    },
    makes="scores.json, and items.jsonl with the main score of every subset.",
    examples=("lexenc eval mteb --tasks STS17,Tatoeba --encoder mini",
              "lexenc eval mteb --tasks STS17 --subsets en-en,es-en --data STS17=data/sts17 --encoder mini"),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
