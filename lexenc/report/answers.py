"""The sections on answers, for any task: scores by kind of question, and answers to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lexenc import charts
from lexenc.evaluation.bootstrap import DRAWS, Means, interval
from lexenc.evaluation.task import Breakdown
from lexenc.files.evaluations import Item
from lexenc.files.text import counted
from lexenc.pages import (
    Cell,
    Figure,
    Grid,
    Part,
    Remark,
    Section,
    count,
    number,
    numbers_of_chart,
    readable,
    span,
    word,
)
from lexenc.randomness import generator
from lexenc.report.claims import draws_for
from lexenc.report.data import ReportData
from lexenc.report.scores import EVAL
from lexenc.report.systems import System

_REPEATED = 12  # repeated wrong answers shown
_ANSWERS = 5  # answers shown to one question
_ASKED = 8  # questions shown for one repeated answer
NOTHING = Remark("No answers can be read. Evaluations with an output folder keep them:", EVAL)

_Values = list[tuple[Item, float]]
"""Covered items with what they count for the headline metric."""


def _values(system: System, items: Sequence[Item]) -> _Values:
    """Return what items count; nothing if the metric is not a mean over items."""
    if not isinstance(system.task.measure, Means):
        return []
    try:
        return list(zip(items, system.task.columns(items, False)[0].tolist(), strict=True))
    except (LookupError, TypeError, ValueError):
        return []


def by_kind(data: ReportData) -> Section:
    """Return the section with scores by kind of question, for tasks that have kinds."""
    lead = (
        "Frequent words have better vectors, and cognates can be translated by their letters alone. A mean over all "
        "words hides both."
    )
    parts: list[Part] = []
    for name in data.by_task:
        systems = {one.label: (one, values) for one in data.compared(name) if (values := _values(one, one.covered()))}
        for breakdown in next(iter(systems.values()))[0].task.breakdowns if systems else ():
            parts.extend(_breakdown(data, list(systems.values()), breakdown))
    return Section("kinds", "Words", "Which words are translated well", lead, parts or [NOTHING])


def _breakdown(data: ReportData, systems: Sequence[tuple[System, _Values]], breakdown: Breakdown) -> list[Part]:
    found = Counter(breakdown.kind(item) for item, _ in systems[0][1])
    kinds = [kind for kind in breakdown.kinds if found[kind]]
    if not kinds:
        return []
    task = systems[0][0].task
    names = [data.part_of(one) for one, _ in systems]
    shown = {kind: f"{kind} (n = {found[kind]:,})" for kind in kinds}
    points: list[dict[str, Any]] = []
    rows = []
    for name, (system, values) in zip(names, systems, strict=True):
        for kind in kinds:
            own = np.array([value for item, value in values if breakdown.kind(item) == kind])
            drawn = generator(data.seed, f"report {system.label} {kind}")
            low, high = interval(own, generator=drawn, draws=draws_for(len(own), DRAWS))
            mean = float(own.mean()) if len(own) else float("nan")
            asked = counted(len(own), task.item, task.items)
            label = f"{kind}, {name}: {100 * mean:.1f} {span(low, high)} over {asked}"
            ends = {"y": 100 * mean, "low": 100 * low, "high": 100 * high}
            points.append({"series": name, "kind": shown[kind], "label": label, **ends})
            score = [number(mean, scale=100), Cell(span(low, high), low, "number"), count(len(own))]
            rows.append([Cell(kind, float(kinds.index(kind))), Cell(readable(name)), *score])
    axis = f"{task.headline.head} x 100"
    about = f"Points with intervals: {task.headline.head} {breakdown.title} for {', '.join(names)}."
    groups, draws = list(shown.values()), draws_for(min(found.values()), DRAWS)
    drawings = charts.draw_both(lambda width: charts.intervals(points, names, groups, width=width, x=axis), about)
    note = (
        f"{breakdown.note} n is the number of {task.items or f'{task.item}s'}. Lines are 95 % confidence intervals "
        f"(percentile bootstrap, {draws:,} draws). They are too short for fewer than about 30 items, and have no "
        f"length if all answers are correct or all are wrong. Result: {systems[0][0].result.name}."
    )
    grid = numbers_of_chart(["kind", "system", f"#{task.headline.head}", "#95 % interval", "#items"], rows)
    title = f"{task.headline.head} {breakdown.title}"
    return [Figure(title, readable(about), drawings, grid, readable(note))]


def answers(data: ReportData) -> Section:
    """Return the section with answers to read, for one system of every task."""
    parts: list[Part] = []
    for name in data.by_task:
        system = data.compared(name)[0]
        items = system.covered()
        if items:
            values = _values(system, items)
            parts += [_grid(data, system, items, [value for _, value in values]), *_repeated(values)]
    lead = (
        "Answers of one system of every task: the one that significantly beats all others on its test set, else the "
        "last one; of a sweep, its middle lambda."
    )
    return Section("answers", "Answers", "Answers to read", lead, parts or [NOTHING])


def _grid(data: ReportData, system: System, items: Sequence[Item], values: Sequence[float]) -> Grid:
    task = system.task
    shown = list(range(len(items)))
    note = ""
    if len(shown) > data.sample:
        drawn = generator(data.seed, "report answers").choice(len(shown), data.sample, replace=False)
        shown, note = sorted(drawn.tolist()), f", drawn at random (seed {data.seed})"
    kinds = task.breakdowns if values else ()
    rows = []
    for place in shown:
        item = items[place]
        cells = [_cell(head, text, item) for head, text in zip(task.heads, task.cells(item), strict=True)]
        if values:
            right = values[place] == 1
            cells.insert(1, Cell("✓ right" if right else "✗ wrong", values[place], "right" if right else "wrong"))
        for each in kinds:
            kind = each.kind(item) or ""
            cells.append(Cell(kind, float([*each.kinds, kind].index(kind)), "quiet"))
        rows.append(cells)
    if values:
        rows.sort(key=lambda cells: [cell.order for cell in (cells[1], *cells[len(task.heads) + 1 :])])
    heads = [*task.heads, *(each.title for each in kinds)]
    text = f"{system.label}: {len(shown):,} of {counted(len(items), task.item, task.items)} shown{note}"
    if values:
        heads.insert(1, "")
        wrong = sum(value < 1 for value in values)
        text += (
            f", wrong answers first. {wrong:,} of {len(values):,} are wrong by the test set. Such an answer can still "
            "be correct, since test sets are incomplete. ✓ marks answers of the test set"
        )
    return Grid(f"{task.title}: answers", heads, rows, readable(f"{text}."), search=True)


def _cell(head: str, text: str, item: Item) -> Cell:
    if head == "answers" and item.answers:
        targets = [str(each.get("target", "")) for each in item.answers[:_ANSWERS]]
        return Cell(
            readable(", ".join(targets)),
            style="word text",
            marked=[(readable(target), target in item.gold) for target in targets],
        )
    if not head.startswith("#") or not text.removeprefix("-").replace(".", "", 1).isdecimal():
        return word(text)
    return Cell(f"{float(text):.4g}" if "." in text else f"{int(text):,}", float(text), "number")


def _repeated(values: _Values) -> list[Part]:
    """Return a table of the answers that are wrong most often."""
    asked: dict[str, list[str]] = {}
    right: Counter[str] = Counter()
    for item, value in values:
        if item.answers:
            target = str(item.answers[0].get("target", ""))
            if value == 1:
                right[target] += 1
            else:
                asked.setdefault(target, []).append(" ".join(item.asked))
    wrong = sorted(asked, key=lambda target: (-len(asked[target]), target))
    repeated = [target for target in wrong if len(asked[target]) > 1][:_REPEATED]
    if not repeated:
        return [Remark("No word is a wrong answer twice: there are no hubs among the answers.")] if wrong else []
    total = sum(map(len, asked.values()))
    taken = sum(len(asked[target]) for target in wrong[: max(1, len(wrong) // 100)])
    rows = [
        [word(target), count(len(asked[target])), count(right[target]),
         word(", ".join(asked[target][:_ASKED]) + (" …" if len(asked[target]) > _ASKED else ""))]
        for target in repeated
    ]  # fmt: skip
    note = (
        f"{counted(total, 'wrong answer')} name {counted(len(wrong), 'word')}. The most frequent 1 % of these words "
        f"are {100 * taken / total:.1f} % of the wrong answers. Words that are close to everything are called hubs. "
        "CSLS reduces them."
    )
    return [Grid("Repeated wrong answers", ["answer", "#times wrong", "#times right", "given for"], rows, note)]
