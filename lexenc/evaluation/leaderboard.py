"""Scores of any number of evaluations as one table: a row per system, a column per test set and metric."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lexenc.errors import DataError, unknown_name
from lexenc.evaluation import TASKS
from lexenc.evaluation.bootstrap import Difference, holm
from lexenc.evaluation.pairing import asked_of, compare_answers
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import TRACK, UNFAIR, Evaluation, Score
from lexenc.files.lexicons import guarded
from lexenc.files.text import counted

_DRAWS = 10_000
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    sign: f"\\{sign}" for sign in "&%$#_{}"
}


@dataclass(frozen=True)
class Column:
    """One metric on one test set, or on one track of it."""

    task: str
    test: str
    metric: str
    track: str = ""

    @property
    def place(self) -> str:
        """The test set with the track."""
        return f"{self.test} {self.track}".strip()

    @property
    def of(self) -> Metric:
        """The metric."""
        task: Task = TASKS[self.task]
        return task.metric(self.metric)


@dataclass
class Entry:
    """The score of one system in one column, how it was made, and whether it is the best.

    A system that is one of several settings of an evaluation, e.g. a lambda, is never the best: it would be chosen on
    the test set.

    The difference from the baseline, and its p-value with Holm's correction, are None without a comparison.
    """

    score: Score
    convention: Mapping[str, Any]
    evaluation: Evaluation
    labels: Mapping[str, Any]
    best: bool = False
    p_value: float | None = None
    difference: float | None = None
    better: bool = False

    @property
    def unfair(self) -> list[str]:
        """Why its scores are too high, one sentence for each reason."""
        return list(self.evaluation.headline.facts.get(UNFAIR, ()))

    @property
    def mark(self) -> str:
        """`+` for a system that is significantly better than the baseline, `-` for one that is worse, else nothing."""
        if self.p_value is None or self.p_value >= 0.05:
            return ""
        return "+" if self.better else "-"


@dataclass
class Leaderboard:
    """Scores by system and column, both in the order in which they came."""

    columns: list[Column] = field(default_factory=list)
    rows: dict[str, dict[Column, Entry]] = field(default_factory=dict)
    unmarked: dict[Column, list[str]] = field(default_factory=dict)  # why no value of a column is the best
    unpaired: list[str] = field(default_factory=list)  # rows that share a column with the baseline, and no items
    _conventions: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def add(self, system: str, evaluation: Evaluation, test: str, metrics: Sequence[str] = ()) -> None:
        """Add all systems of an evaluation, under its name and that of the test set.

        Args:
            system: Name of what was evaluated.
            evaluation: The evaluation.
            test: Name of its test set.
            metrics: JSON keys of the metrics to show; if left out, the headline.

        Raises:
            DataError: If another evaluation has the same system, test set and metric.
        """
        task: Task = TASKS[evaluation.task]
        test = self._told_apart(task, evaluation, test)
        wanted = [key for key in metrics if any(each.key == key for each in task.metrics)]
        for labels in evaluation.choices():
            values = {key: f"{value:g}" if isinstance(value, float) else value for key, value in labels.items()}
            name = ", ".join([system, *(f"{key} {value}" for key, value in values.items())])
            for scored in evaluation.heads({**labels, **task.row}):
                track = str(scored.labels.get(TRACK, ""))
                for metric in wanted or ([] if metrics else [task.headline.key]):
                    found = scored.score(metric)
                    column = Column(task.name, test, metric, track)
                    if found is None:
                        continue
                    if column in self.rows.get(name, {}):
                        other = self.rows[name][column].evaluation.folder
                        raise DataError(
                            f"{other} and {evaluation.folder} both score {name} on {column.place}.",
                            hint="Give one of them, or name the systems: NAME=FOLDER.",
                        )
                    self.columns += [] if column in self.columns else [column]
                    convention = {key: each for key, each in scored.convention.known().items()
                                  if key not in ("ties", "seed")}  # fmt: skip
                    self.rows.setdefault(name, {})[column] = Entry(found, convention, evaluation, labels)

    def _told_apart(self, task: Task, evaluation: Evaluation, test: str) -> str:
        """Return the name of a test set, with what makes its scores another column than those of the same name."""
        flat = evaluation.headline.flat()
        for group in task.alike:
            for key in group:
                usual = self._conventions.setdefault((task.name, test, key), flat.get(key))
                if usual != flat.get(key):
                    return f"{test} ({key.replace('_', ' ')}: {str(flat.get(key))[:24]})"
        return test

    def mark_best(self) -> None:
        """Mark the best value of every column with several systems, if all answered the same items in the same way."""
        asked: dict[Path, dict[str, set[Any]]] = {}
        for column in self.columns:
            entries = [row[column] for row in self.rows.values() if column in row]
            known = [each for each in entries if each.score.value is not None and len(each.evaluation.choices()) == 1]
            for each in (entry.evaluation for entry in known if len(known) > 1):
                if each.folder not in asked:
                    asked[each.folder] = asked_of(TASKS[column.task], each.items())
            differ = _differences(column, known, asked)
            if differ:
                self.unmarked[column] = differ
                continue
            sign = 1 if column.of.larger_is_better else -1
            top = max((sign * (entry.score.value or 0.0) for entry in known), default=0.0)
            for entry in known if len(known) > 1 else ():
                entry.best = sign * (entry.score.value or 0.0) == top

    def compare(self, baseline: str, *, seed: int = 0) -> None:
        """Compare every system with one of the rows where both answered the same items, by paired bootstrap."""
        if baseline not in self.rows:
            raise unknown_name("system", baseline, self.rows)
        gaps = {name: _gaps(row, self.rows[baseline], seed) for name, row in self.rows.items() if name != baseline}
        base = self.rows[baseline]
        shared = (name for name in gaps if any(column in base for column in self.rows[name]))
        self.unpaired = [name for name in shared if not gaps[name]]
        for column in self.columns:
            tested = [(self.rows[name][column], own[column]) for name, own in gaps.items() if column in own]
            corrected = holm([found.p_value for _, found in tested])
            for (entry, found), p_value in zip(tested, corrected, strict=True):
                entry.difference, entry.p_value = found.mean, p_value
                entry.better = (found.mean > 0) == column.of.larger_is_better

    # ---------------------------------------------------------------- forms

    def conventions(self) -> str:
        """Return the number of items and the convention of every column, and why it has no mark, as sentences."""
        told: dict[str, list[str]] = {}
        for head, column in zip(self.heads(), self.columns, strict=True):
            entries = [row[column] for row in self.rows.values() if column in row]
            task, counts = TASKS[column.task], sorted({entry.score.n for entry in entries})
            known = dict.fromkeys(key for entry in entries for key in entry.convention)
            parts = [f"{key.replace('_', ' ')} {values[0]}" for key in known
                     if len(values := _values(entries, key)) == 1]  # fmt: skip
            shown = counted(counts[0], task.item, task.items)
            shown = shown if len(counts) == 1 else f"{counts[0]:,} to {counted(counts[-1], task.item, task.items)}"
            differ = self.unmarked.get(column)
            parts += [f"none is marked, as the systems differ in {' and '.join(differ)}"] if differ else []
            told.setdefault("".join(f"; {part}" for part in parts), []).append(f"{head} ({shown})")
        return " ".join(f"{', '.join(heads)}{text}." for text, heads in told.items())

    def objects(self) -> Iterator[dict[str, Any]]:
        """Return one object per score."""
        for name, row in self.rows.items():
            for column, entry in row.items():
                score = entry.score
                yield {
                    "system": name, "task": column.task, "test": column.place, "metric": column.metric,
                    "value": score.value, "low": score.low, "high": score.high, "n": score.n, "best": entry.best,
                    "difference": entry.difference, "p_value": entry.p_value, "significant": bool(entry.mark),
                    "unfair": entry.unfair, "convention": dict(entry.convention),
                    "folder": str(entry.evaluation.folder),
                }  # fmt: skip

    def heads(self) -> list[str]:
        """Return a head for every column. The test set is named if its task has several, or several tracks."""
        places = [(each.task, each.place) for each in self.columns]
        several = {task for task, _ in places if len({place for name, place in places if name == task}) > 1}
        return [
            " ".join([each.task, *([each.place] if each.task in several else []), each.of.head])
            for each in self.columns
        ]

    def cells(self, form: str) -> list[list[str]]:
        """Return the rows as text in a `table`, `markdown` or `latex`, which differ in how they mark the best value."""
        return [
            [_escaped(name, form), *(_cell(column, row.get(column), form) for column in self.columns)]
            for name, row in self.rows.items()
        ]

    def csv(self) -> str:
        """Return plain numbers: the value, both ends of the interval and the p-value of every column."""
        import pandas

        table: dict[str, list[float | None]] = {}
        for head, column in zip(self.heads(), self.columns, strict=True):
            entries = [row.get(column) for row in self.rows.values()]
            for key in ("value", "low", "high"):
                found = [None if entry is None else getattr(entry.score, key) for entry in entries]
                table[head if key == "value" else f"{head} {key}"] = found
            if any(entry is not None and entry.p_value is not None for entry in entries):
                table[f"{head} p"] = [None if entry is None else entry.p_value for entry in entries]
        shown = pandas.DataFrame(table, index=pandas.Index(map(guarded, self.rows), name="system"))
        return str(shown.rename(columns=guarded).to_csv(lineterminator="\n"))

    def latex(self) -> str:
        """Return a `tabular` for the package booktabs."""
        import pandas

        heads = ["system", *(_escaped(head, "latex") for head in self.heads())]
        form = "l" + "c" * len(self.columns)
        return str(pandas.DataFrame(self.cells("latex"), columns=heads).to_latex(index=False, column_format=form))

    def markdown(self) -> str:
        """Return a table in Markdown."""
        heads = ["system", *(_escaped(head, "markdown") for head in self.heads())]
        rows = [heads, ["---", *["---:"] * len(self.columns)], *self.cells("markdown")]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _values(entries: Sequence[Entry], key: str) -> list[str]:
    """Return the distinct values of a convention, in order."""
    found = (entry.convention.get(key, "none") for entry in entries)
    return list(dict.fromkeys(f"{each:,}" if isinstance(each, int) else str(each) for each in found))


def _differences(
    column: Column, entries: Sequence[Entry], asked: Mapping[Path, Mapping[str, set[Any]]]
) -> list[str]:
    """Return in what entries of one column differ, so that their values may not be put side by side."""
    if len(entries) < 2:  # nothing to compare, and nothing was read
        return []
    known = dict.fromkeys(key for entry in entries for key in entry.convention)
    told = [f"{key.replace('_', ' ')} ({', '.join(values)})" for key in known
            if len(values := _values(entries, key)) > 1]  # fmt: skip
    task = TASKS[column.task]
    own = [asked[entry.evaluation.folder] for entry in entries]
    same = all(each.get(column.track, each) == own[0].get(column.track, own[0]) for each in own)
    return told + ([] if same else [f"the {task.items or task.item + 's'} that they answered, or their gold answers"])


def _gaps(row: Mapping[Column, Entry], base: Mapping[Column, Entry], seed: int) -> dict[Column, Difference]:
    """Compare two systems in the columns where both answered the same items."""
    found: dict[Column, Difference] = {}
    for column, entry in row.items():
        other, task = base.get(column), TASKS[column.task]
        if other is None or column in found:
            continue
        both = [list(each.evaluation.items(each.labels)) for each in (entry, other)]  # damaged files are errors
        compared = compare_answers(task, *both, seed=seed, draws=_DRAWS)
        gaps = {(gap.metric, gap.track): gap.difference for gap in compared}
        for each, own in row.items():
            if (each.task, own.evaluation) == (column.task, entry.evaluation) and own.labels == entry.labels:
                gap = gaps.get((each.metric, each.track))
                found |= {} if gap is None or gap.p_value != gap.p_value else {each: gap}
    return found


def _cell(column: Column, entry: Entry | None, form: str) -> str:
    if entry is None or entry.score.value is None:
        return "-"
    metric, score = column.of, entry.score
    value = metric.show(score.value)
    # A space inside the interval would let a narrow terminal break the line there.
    comma = "," if form == "table" else ", "
    spanned = score.low is not None and score.high is not None
    ends = f"{metric.show(score.low, digits=1)}{comma}{metric.show(score.high, digits=1)}" if spanned else ""
    if form == "latex":
        value = rf"\textbf{{{value}}}" if entry.best else value
        value += f"$^{{{entry.mark}}}$" if entry.mark else ""
        return rf"{value} {{\scriptsize [{ends}]}}" if ends else value
    bold = "**" if form == "markdown" else "*"
    value = (f"{bold}{value}{bold}" if form == "markdown" else f"{value}*") if entry.best else value
    return f"{value}{entry.mark} [{ends}]" if ends else f"{value}{entry.mark}"


def _escaped(text: str, form: str) -> str:
    if form == "latex":
        return re.sub(r"[\\~^&%$#_{}]", lambda sign: _LATEX[sign[0]], text)
    return text.replace("|", "\\|") if form == "markdown" else text
