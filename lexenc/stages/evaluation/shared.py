"""Tables of scores, built in the same way for every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lexenc.evaluation import TASKS
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import CONTROL, ScoredSystem
from lexenc.files.text import counted
from lexenc.stage import Table

WIDTH = 80
_HIDDEN = ("seed", "search_space_words")  # they never tell systems apart
_NOTED = ("retrieval", "direction", "search_space", "ties", "seed")


def readable(key: str) -> str:
    """Return a JSON key as words."""
    return key.replace("_", " ")


def span(metric: Metric, low: float | None, high: float | None, *, digits: int = 2) -> str:
    """Return an interval as tables show it."""
    if low is None or high is None:
        return "-"
    dash = "-" if low >= 0 else " to "
    return f"{metric.show(low, digits=digits)}{dash}{metric.show(high, digits=digits)}"


def varying(systems: Sequence[ScoredSystem]) -> list[str]:
    """Return the keys of labels and conventions in which systems differ."""
    tables = [{**each.labels, **each.convention.known()} for each in systems]
    keys = dict.fromkeys(key for table in tables for key in table if key not in _HIDDEN)
    return [key for key in keys if len({str(table.get(key)) for table in tables}) > 1]


def name_of(system: ScoredSystem, keys: Sequence[str]) -> str:
    """Return what tells a system apart from others.

    Args:
        system: The system.
        keys: From `varying`.
    """
    own = {**system.labels, **system.convention.known()}
    if system.is_control:
        keys = [key for key in keys if key in system.labels and key != CONTROL]
    parts = [f"{key} {own[key]:g}" if isinstance(own[key], float) else str(own[key]) for key in keys if key in own]
    if system.is_control:
        # Where other labels tell controls apart, the note names the control, which would make the column too wide.
        return f"control: {', '.join([*(parts or [own[CONTROL]]), *_restricted(system)])}"
    return ", ".join([*parts, *_restricted(system)]) or TASKS[system.task].title.lower()


def _restricted(system: ScoredSystem) -> list[str]:
    """Return a search space that makes the task far easier; rows are copied without the note below them."""
    space = system.convention.search_space
    return [space] if space.startswith("test") else []


def score_table(
    systems: Sequence[ScoredSystem],
    *,
    level: float = 0.95,
    title: str = "",
    note: str = "",
    first: str = "convention",
    extra: Mapping[str, str] | None = None,
) -> Table:
    """Lay out scores: a row for every system, a column for every metric and as many intervals as fit.

    Args:
        systems: The headline first.
        level: Of the intervals.
        title: If left out, that of the task.
        note: What to say beside the convention of the headline.
        first: Head of the first column.
        extra: Heads of facts to show in place of the number of items, by JSON key.
    """
    task: Task = TASKS[systems[0].task]
    for spans in (len(task.metrics), 1):
        table = _laid_out(task, systems, level, spans, first, extra or {})
        if _width(table) <= WIDTH:
            break
    columns, *rows = table
    controls = dict.fromkeys(each.labels[CONTROL] for each in systems if each.is_control)
    if controls and not any(name in row[0] for name in controls for row in rows):
        note += f" Control: {', '.join(controls)}."
    return Table(title or task.title, columns, rows, f"{convention_note(systems[0])} {note}".strip())


def _laid_out(
    task: Task, systems: Sequence[ScoredSystem], level: float, spans: int, first: str, extra: Mapping[str, str]
) -> list[list[str]]:
    """Return head and rows, with the intervals of the first metrics only."""
    with_n = not extra
    keys = varying(systems)
    head, rows = [first, *extra.values()], [[name_of(each, keys)] for each in systems]
    for row, each in zip(rows, systems, strict=True):
        row += [f"{value:,}" if isinstance(value := each.facts.get(key, ""), int) else str(value) for key in extra]
        row += [f"{each.scores[0].n:,}"] if with_n else []
    head += [readable(systems[0].counted)] if with_n else []
    for place, metric in enumerate(task.metrics):
        scores = [each.score(metric.key) for each in systems]
        has_span = place < spans and any(own is not None and own.low is not None for own in scores)
        head += [metric.head, f"{100 * level:g} % interval"] if has_span else [metric.head]
        for row, own in zip(rows, scores, strict=True):
            row.append("" if own is None else metric.show(own.value))
            if has_span:
                row.append("" if own is None else span(metric, own.low, own.high))
    return [head, *rows]


def _width(table: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in zip(*table, strict=True))


def sweep_table(
    heads: Sequence[ScoredSystem], *, over: str, name: str, title: str = "", level: float = 0.95, note: str = ""
) -> Table:
    """Lay out the headline metric over the values of a label: a column for every value.

    Args:
        heads: The headline of every value, in order.
        over: The label, e.g. `lambda`.
        name: Of the row.
        title: If left out, the title of the task.
        level: Of the intervals.
        note: What to say beside the convention.
    """
    task: Task = TASKS[heads[0].task]
    metric, scores = task.headline, [each.scores[0] for each in heads]
    values = [each.labels[over] for each in heads]
    rows = [
        [", ".join([name, *_restricted(heads[0])]), *(metric.show(each.value, digits=1) for each in scores)],
        # Two short rows fit a narrow window where one of ranges does not.
        [f"{100 * level:g} % from", *(metric.show(each.low, digits=1) for each in scores)],
        [f"{100 * level:g} % to", *(metric.show(each.high, digits=1) for each in scores)],
    ]
    coverages = [each.facts.get("coverage") for each in heads]
    if len(set(coverages)) > 1:
        rows.append(["coverage %", *(f"{100 * each:.1f}" if each is not None else "-" for each in coverages)])
    columns = [over, *(f"{value:g}" if isinstance(value, float) else str(value) for value in values)]
    told = f"{metric.head}{' x 100' if metric.percent else ''} for every {over}, with its {100 * level:g} % interval."
    return Table(
        title or f"{task.title} over {over}", columns, rows, f"{told} {convention_note(heads[0])} {note}".strip()
    )


def convention_note(system: ScoredSystem, keys: Sequence[str] = _NOTED) -> str:
    """Return the convention of a system as a sentence."""
    own: dict[str, Any] = system.convention.known()
    parts = []
    for key in keys:
        if key in own:
            words = f" ({counted(own['search_space_words'], 'word')})" if "search_space_words" in own else ""
            parts.append(f"{readable(key)}: {own[key]}{words if key == 'search_space' else ''}")
    if "coverage" in system.facts:
        parts.append(f"coverage: {100 * system.facts['coverage']:.1f} %")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
