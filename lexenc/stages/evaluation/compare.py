"""compare: two evaluations of the same items -> paired bootstrap of their difference, whatever the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.artifact import Manifest, maker_of
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation import TASKS
from lexenc.evaluation.pairing import Pair, compare_tracks, pair_items
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import TRACK, UNFAIR, Evaluation, read_evaluation
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.evaluation.shared import IntervalParams, compared, difference_cells, readable

_SYSTEM = "System of the {side} evaluation, where it holds several: label=value, e.g. lambda=0.3."


@dataclass(frozen=True)
class CompareParams(IntervalParams):
    """Parameters of `compare`."""

    metric: str | None = param(
        None, "JSON key of the metric to compare, e.g. precision_at_5. If left out, those that stand for the task."
    )
    questions: Literal["covered", "all"] = param(
        "covered", "covered: items that both evaluations cover; all: items that are not covered count as wrong too."
    )
    first_system: str | None = param(None, _SYSTEM.format(side="first"))
    second_system: str | None = param(None, _SYSTEM.format(side="second"))


@dataclass(frozen=True)
class _Opened:
    """One of the two systems: its labels in an evaluation, and what made the folder, if there is a manifest."""

    evaluation: Evaluation
    labels: Mapping[str, Any]
    maker: Manifest | None
    given: Path

    @property
    def name(self) -> str:
        """The folder, with the system in it."""
        return ", ".join([str(self.given), *(f"{name} {value}" for name, value in self.labels.items())])

    def convention(self, task: Task) -> dict[str, Any] | None:
        """Return all that must be alike; None without a manifest."""
        if self.maker is None:
            return None
        head = self.evaluation.headline
        found = head.convention.known()
        flat = head.flat()
        found |= {key: flat[key] for group in task.alike for key in group if key in flat}
        for record in self.maker.inputs.get(task.test, ())[:1]:
            found |= {task.test: record.given, f"{task.test}_sha256": record.sha256}
        return found


def compare(inputs: dict[str, Any], params: CompareParams, job: Job) -> Outcome:
    """Compare two evaluations."""
    first, second = (
        _open(inputs[name], wanted, name)
        for name, wanted in (("first", params.first_system), ("second", params.second_system))
    )
    task: Task = TASKS[first.evaluation.task]
    if second.evaluation.task != task.name:
        named = [
            f"{each.evaluation.folder} is an evaluation of {TASKS[each.evaluation.task].title.lower()}"
            for each in (first, second)
        ]
        raise DataError(f"{', '.join(named)}.", hint="Compare two evaluations of the same task.")
    metrics = [task.metric(params.metric).key] if params.metric else list(task.compared or (task.headline.key,))
    every = params.questions == "all" or not task.uncovered
    hint = _case_hint(first, second) or f"Evaluate both with the same --{task.test} and the same settings."
    items = (each.evaluation.items(each.labels) for each in (first, second))
    tracks = pair_items(task, *items, every=every, hint=hint)
    alike = _check_conventions(task, first, second, job)
    if not every:
        _check_basis([task.metric(name) for name in metrics], [pair for own in tracks.values() for pair in own], job)
    for each in (first, second):
        for reason in each.evaluation.headline.facts.get(UNFAIR, ()):
            job.notices.warn(f"{each.given} is not a fair test: {reason}", None)
    settings: dict[str, Any] = {"seed": job.seed, "draws": params.draws, "level": params.level}
    gaps = compare_tracks(task, tracks, every=every, **settings)
    found = [gap for gap in gaps if gap.metric in metrics]
    if np.isnan(found[0].difference.low):
        raise DataError(
            f"{task.metric(metrics[0]).head} is not defined for {counted(found[0].n, task.item, task.items)}, or for "
            "most draws of them.",
            hint="More items are needed, with different values.",
        )
    conventions = [each.convention(task) for each in (first, second)]
    shared = {
        "questions": "all" if every else "covered",
        "conventions": "not checked" if alike is None else "alike" if alike else "different",
        "first_convention": conventions[0],
        "second_convention": conventions[1],
        **settings,
    }
    if task.uncovered:
        shared["out_of_vocabulary"] = task.uncovered if every else "left out"
    results = [
        {
            "task": "compare",
            **({TRACK: each.track} if each.track else {}),
            "metric": each.metric,
            "count": each.n,
            **compared(each.difference, each.first, each.second),
            **shared,
        }
        for each in found
    ]
    summary = {key: results[0][key] for key in ("difference", "shown")}
    return Outcome(summary, results, [_table(task, results, first, second)])


# ---------------------------------------------------------------- which systems


def _open(path: Path, wanted: str | None, side: str) -> _Opened:
    """Read an evaluation and choose a system of it."""
    evaluation = read_evaluation(path)
    choices = {
        ",".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in each.items()
        ): each
        for each in evaluation.choices()
    }
    if wanted is None and len(choices) == 1:
        chosen = next(iter(choices.values()))
    elif wanted in choices:
        chosen = choices[wanted]
    else:
        named = " or ".join(f"--{side}-system {name}" for name in choices if name) or f"leave --{side}-system out"
        found = f"has no system '{wanted}'" if wanted else f"holds {counted(len(choices), 'system')}"
        raise ConfigError(f"{path} {found}.", hint=f"Choose one: {named}.")
    return _Opened(evaluation, chosen, maker_of(evaluation.folder), path)


def _case_hint(first: _Opened, second: _Opened) -> str | None:
    """Return a hint if the evaluations were made with different `--lowercase` or `--unicode`."""
    if first.maker is None or second.maker is None:
        return None
    for name, usual in (("lowercase", False), ("unicode", "keep")):
        one, other = (each.params.get(name, usual) for each in (first.maker, second.maker))
        if one != other:
            given = first.given if one != usual else second.given
            return f"Only {given} was made with --{name}: evaluate both with it, or both without."
    return None


# ---------------------------------------------------------------- conventions


def _check_conventions(task: Task, first: _Opened, second: _Opened, job: Job) -> bool | None:
    """Warn of what makes the numbers incomparable, and return whether the conventions are alike, if that is known."""
    one, other = first.convention(task), second.convention(task)
    if one is None or other is None:
        return None
    clashes = []
    for group in (*task.alike, (f"{task.test}_sha256",)):
        clashes += [key for key in group if one.get(key) != other.get(key)][:1]
    for key in clashes:
        name = key.removesuffix("_sha256")
        values = [str(each.get(key)) for each in (one, other)]
        if name != key:
            named = [f"{each[name]} (sha256 {{}})" if name in each else "sha256 {}" for each in (one, other)]
            values = [text.format(digest[:8]) for text, digest in zip(named, values, strict=True)]
        job.notices.warn(
            f"The evaluations differ in {readable(name)}: {values[0]} in {first.given}, {values[1]} in {second.given}.",
            f"Evaluate both with the same {task.option(name)}.",
        )
    return not clashes


def _check_basis(metrics: Sequence[Metric], pairs: Sequence[Pair], job: Job) -> None:
    """Warn if the items of the two systems are averages over different numbers of answers."""
    for metric in (each for each in metrics if each.over):
        differing = sum(len(one.numbers[metric.over]) != len(other.numbers[metric.over]) for one, other in pairs)
        if differing:
            job.notices.warn(
                f"{metric.head}: for {differing:,} of {counted(len(pairs), 'question')} the evaluations have "
                "vectors for different numbers of translations, and average over those only.",
                "With --questions all every translation counts in both.",
            )


# ---------------------------------------------------------------- results


def _table(task: Task, results: Sequence[Mapping[str, Any]], first: _Opened, second: _Opened) -> Table:
    head = results[0]
    interval = f"{100 * head['level']:g} % interval"
    columns = ["metric", "first", "second", "difference", interval, "p value", "significant"]
    rows = []
    for each in results:
        metric = task.metric(each["metric"])
        rows.append(
            [
                f"{metric.head}{', ' if TRACK in each else ''}{each.get(TRACK, '')}",
                metric.show(each["first"]),
                metric.show(each["second"]),
                *difference_cells(metric, each),
            ]
        )
    note = f"First: {first.name}. Second: {second.name}. {counted(head['count'], task.item, task.items)}"
    if task.uncovered:
        policy = "not covered are left out" if head["questions"] == "covered" else f"not covered: {task.uncovered}"
        note += f" (items {policy})"
    note += f", paired bootstrap, {head['draws']:,} draws, seed {head['seed']}. "
    note += "Significant: the interval excludes zero. " + _convention_note(head)
    shown = [task.metric(key) for key in dict.fromkeys(each["metric"] for each in results)]
    smaller = ", ".join(metric.head for metric in shown if not metric.larger_is_better)
    note += f" A smaller {smaller} is better." if smaller else ""
    return Table(f"{task.title}: first against second", columns, rows, note)


def _convention_note(head: Mapping[str, Any]) -> str:
    """Return how the answers of both were found, as far as that is known."""
    one, other = head["first_convention"], head["second_convention"]
    if one is None or other is None:
        which = " and ".join(name for name, own in (("first", one), ("second", other)) if own is None)
        return f"Not checked whether both follow the same convention: no manifest of {which}."
    keys = [key for key in one if key in other and not key.endswith("sha256") and key != "seed"]
    different = [f"{readable(key)} {one[key]} against {other[key]}" for key in keys if one[key] != other[key]]
    same = [f"{readable(key)} {one[key]}" for key in keys if one[key] == other[key]]
    parts = [f"Different: {'; '.join(different)}."] if different else []
    parts += [f"Same: {'; '.join(same)}."] if same else []
    return " ".join(parts)


COMPARE = Stage(
    name="compare",
    version=4,
    inputs={
        "first": Input("Folder that an eval command wrote with --out.", positional=True),
        "second": Input("Folder of the other evaluation.", positional=True),
    },
    params=CompareParams,
    run=compare,
    examples=(
        "lexenc compare runs/scores-tuned runs/scores-untuned",
        "lexenc compare runs/sweep runs/sweep --first-system lambda=0.3 --second-system lambda=0",
    ),
    uses_seed=True,
    out_required=False,
)
