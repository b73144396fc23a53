"""The systems that evaluations scored, whatever the task: one for every choice of labels, e.g. for every lambda."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from lexenc.errors import LexencError
from lexenc.evaluation import TASKS
from lexenc.evaluation.bootstrap import Columns
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import CONTROL, ITEMS, SCORES, Evaluation, Item, Score, ScoredSystem, read_evaluation
from lexenc.files.text import counted
from lexenc.pages import is_number
from lexenc.report.results import ResultFolder, ResultFolders

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class AnswerColumns:
    """The questions of a system, and what its covered ones count."""

    asked: tuple[tuple[tuple[str, ...], bool], ...]
    columns: Columns


@dataclass(frozen=True)
class System:
    """One scored system."""

    result: ResultFolder
    evaluation: Evaluation
    labels: Mapping[str, Any]  # what tells it apart from other systems of the evaluation
    head: ScoredSystem  # its scores under the headline convention
    others: tuple[ScoredSystem, ...]  # under other conventions, of its parts, and of its controls
    control: bool  # whether anything that it was made from is a control

    @property
    def task(self) -> Task:
        """Task that it was scored on."""
        found: Task = TASKS[self.evaluation.task]
        return found

    @property
    def name(self) -> str:
        """Name of the result, marked if it is a control."""
        return f"{self.result.name}{' (control)' if self.control else ''}"

    @property
    def label(self) -> str:
        """Name of the result with the labels of the system."""
        return ", ".join([self.result.name, *label_texts(self.labels)])

    @property
    def weight(self) -> float | None:
        """Lambda, if it is one of the labels."""
        weight = self.labels.get("lambda")
        return float(weight) if is_number(weight) else None

    @property
    def is_blend(self) -> bool:
        """Whether static vectors and an encoder were blended."""
        return self.weight is not None and 0 < self.weight < 1

    @property
    def score(self) -> Score:
        """Score of the headline metric."""
        return self.head.scores[0]

    @property
    def shown(self) -> str:
        """Headline metric with its interval."""
        return shown_score(self.task.headline, self.score)

    @property
    def test_set(self) -> tuple[Any, ...]:
        """What must be equal if answers are compared item by item."""
        tests = self.result.manifest.inputs.get(self.task.test, [])
        keys = [key for group in self.task.alike for key in group]
        flat = self.head.flat()
        return (self.task.name, *(each.sha256 for each in tests), *(flat.get(key) for key in keys))

    @property
    def static(self) -> tuple[str, ...]:
        """Digests of the static vectors that it was made from."""
        inputs = self.result.manifest.inputs
        return tuple(each.sha256 for name in ("vectors", "source", "target") for each in inputs.get(name, ()))

    @property
    def convention(self) -> tuple[Any, ...]:
        """What must be equal if scores are put side by side."""
        flat = self.head.flat()
        return (*self.test_set, *(flat.get(key) for key in ("retrieval", "out_of_vocabulary", "coverage")))

    @cached_property
    def _read(self) -> tuple[list[Item], str]:
        try:
            return list(self.evaluation.items(self.labels)), ""
        except (LexencError, OSError) as error:
            return [], str(error)

    @property
    def items(self) -> list[Item]:
        """Its answers; nothing if they cannot be read."""
        return self._read[0]

    @property
    def damage(self) -> str:
        """Why its answers cannot be read or do not count; empty if they can be used."""
        if self.covered() and self.answers is None:
            return f"The items lack numbers of {self.task.title.lower()}."
        return self._read[1]

    def covered(self) -> list[Item]:
        """Return the items that it covers."""
        return [each for each in self.items if each.covered]

    @cached_property
    def answers(self) -> AnswerColumns | None:
        """What its answers count; None if they cannot be read."""
        try:
            columns = self.task.columns(self.covered(), False)
        except (LookupError, TypeError, ValueError):
            return None
        asked = tuple((each.asked, each.covered) for each in self.items)
        return AnswerColumns(asked, columns) if asked else None


def label_texts(labels: Mapping[str, Any]) -> list[str]:
    """Return labels as people write them."""
    return [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in labels.items()]


def shown_score(metric: Metric, score: Score) -> str:
    """Return a value with its interval, e.g. `52.3 [48.1, 56.0]`."""
    if score.low is None or score.high is None:
        return metric.show(score.value, digits=1)
    ends = ", ".join(metric.show(end, digits=1) for end in (score.low, score.high))
    return f"{metric.show(score.value, digits=1)} [{ends}]"


def over(system: System) -> str:
    """Return the number of items that a system is scored on, in words."""
    return counted(system.score.n, system.task.item, system.task.items)


def systems_of(results: ResultFolders) -> tuple[list[System], dict[str, str]]:
    """Return every system that an evaluation scored, by task, and why the others, by name, cannot be read."""
    found, damaged = [], dict[str, str]()
    for result in results.finished:
        if not any((result.folder / name).exists() for name in (SCORES, ITEMS)):
            continue
        try:
            evaluation = read_evaluation(result.folder)
        except LexencError as error:
            damaged[result.name] = str(error)
            continue
        if evaluation.task not in TASKS:
            damaged[result.name] = f"{result.folder / SCORES}: there is no task '{evaluation.task}'."
            continue
        for labels in evaluation.choices() or [{}]:
            head = next(iter(evaluation.heads(labels | TASKS[evaluation.task].row)), None)
            if head is not None and head.scores and head.scores[0].value is not None:
                own = [each for each in evaluation.systems if labels.items() <= each.labels.items()]
                others = tuple(each for each in own if each is not head)
                found.append(System(result, evaluation, labels, head, others, results.is_control(result)))
    order = [*TASKS]
    return sorted(found, key=lambda one: order.index(one.task.name)), damaged


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return items by a key, in the order in which the keys first occur."""
    table: dict[K, list[T]] = {}
    for one in items:
        table.setdefault(key(one), []).append(one)
    return table


def sweeps_of(systems: Sequence[System]) -> list[list[System]]:
    """Return the systems of every evaluation with several lambdas, sorted by lambda."""
    table = grouped((one for one in systems if one.weight is not None), lambda one: one.result.name)
    return [sorted(own, key=lambda one: one.weight or 0.0) for own in table.values() if len(own) > 1]


def middle_of(sweep: Sequence[System]) -> System:
    """Return the middle one of the blends of a sweep, or of all if none is a blend."""
    blends = [one for one in sweep if one.is_blend] or sweep
    return blends[len(blends) // 2]


def metric_of(key: str) -> Metric | None:
    """Return a metric of any task by its JSON key."""
    return next((each for name in TASKS for each in TASKS[name].metrics if each.key == key), None)


def variant_names(systems: Sequence[ScoredSystem]) -> list[str]:
    """Return what tells scores of one evaluation apart: labels and conventions in which they differ."""
    tables = [{**each.convention.known(), **each.labels} for each in systems]
    known = dict.fromkeys(key for table in tables for key in table if key not in ("lambda", "seed", CONTROL))
    keys = [key for key in known if len({str(table.get(key)) for table in tables}) > 1]
    names = []
    for system, table in zip(systems, tables, strict=True):
        own = [str(table[key]).replace("_", " ") for key in keys if key in table]
        names.append(f"control: {', '.join([table[CONTROL], *own])}" if system.is_control else ", ".join(own))
    return names
