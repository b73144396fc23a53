"""Scores of any number of evaluations as one table: a row per system, a column per test set and metric."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lexenc.artifact import InputRecord, Manifest
from lexenc.errors import DataError, LexencError, unknown_name
from lexenc.evaluation import TASKS
from lexenc.evaluation.bootstrap import MACRO, Difference, holm
from lexenc.evaluation.pairing import asked_of, compare_answers
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import CONTROL, TRACK, UNFAIR, Evaluation, Score, ScoredSystem, name_of_test
from lexenc.files.review_tables import guarded
from lexenc.files.text import counted

BEST = "best"
"""Baseline that stands for the best system of each column."""
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
    strong_control: bool = False  # whether a control of the evaluation is not significantly worse

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
    """Scores by system and column, both in the order in which they came.

    Args:
        means: Whether a test set with several tracks has one column, the mean over the tracks.
        with_controls: Whether tables have a row for every kind of control, below the systems. Where systems have
            controls of their own, it has the strongest.
    """

    means: bool = False
    with_controls: bool = False
    columns: list[Column] = field(default_factory=list)
    rows: dict[str, dict[Column, Entry]] = field(default_factory=dict)
    controls: dict[str, dict[Column, Entry]] = field(default_factory=dict)
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
            heads = evaluation.heads({**labels, **task.row})
            means = [each for each in heads if each.labels.get(TRACK) == MACRO]
            for scored in means if self.means and means else heads:
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
                    entry = Entry(found, convention, evaluation, labels)
                    self.rows.setdefault(name, {})[column] = entry
                    self._add_controls(column, entry, scored)

    def _add_controls(self, column: Column, entry: Entry, scored: ScoredSystem) -> None:
        """Add the controls of a scored system; of those of several systems in one column the strongest is kept."""
        sign, value = 1 if column.of.larger_is_better else -1, entry.score.value
        for name, chance, score in _controls_of(entry.evaluation, scored, column.metric):
            own = self.controls.setdefault(f"control: {name}", {})
            known = own[column].score.value if column in own else None
            if known is None or sign * chance > sign * known:
                own[column] = Entry(score, entry.convention, entry.evaluation, entry.labels)
            low, high = entry.score.low, entry.score.high
            inside = low is not None and high is not None and low <= chance <= high
            entry.strong_control |= value is not None and (inside or sign * value <= sign * chance)

    def _told_apart(self, task: Task, evaluation: Evaluation, test: str) -> str:
        """Return the name of a test set, with what makes its scores another column than those of the same name."""
        flat = evaluation.headline.flat()
        for group in task.alike:
            for key in group:
                usual = self._conventions.setdefault((task.name, test, key), flat.get(key))
                if usual != flat.get(key):
                    return f"{test} ({key.replace('_', ' ')}: {str(flat.get(key))[:24]})"
        return test

    def mark_best(self, *, lenient: bool = False) -> None:
        """Mark the best value of every column with several systems, if all answered the same items in the same way.

        Args:
            lenient: Whether columns with answers that cannot be read have no mark. Otherwise they are an error.
        """
        asked: dict[Path, dict[str, set[Any]]] = {}
        for column in self.columns:
            entries = [row[column] for row in self.rows.values() if column in row]
            known = [each for each in entries if each.score.value is not None and len(each.evaluation.choices()) == 1]
            try:
                for each in (entry.evaluation for entry in known if len(known) > 1):
                    if each.folder not in asked:
                        asked[each.folder] = asked_of(TASKS[column.task], each.items())
                differ = _differences(column, known, asked)
            except (LexencError, OSError):
                if not lenient:
                    raise
                differ = ["whether their answers can be read"]
            if differ:
                self.unmarked[column] = differ
                continue
            sign = 1 if column.of.larger_is_better else -1
            top = max((sign * (entry.score.value or 0.0) for entry in known), default=0.0)
            for entry in known if len(known) > 1 else ():
                entry.best = sign * (entry.score.value or 0.0) == top

    def compare(self, baseline: str, *, seed: int = 0) -> None:
        """Compare every system with one of the rows where both answered the same items, by paired bootstrap.

        `BEST` is the best system of each column.
        """
        if baseline == BEST and BEST not in self.rows:
            self._compare_best(seed)
            return
        if baseline not in self.rows:
            raise unknown_name("system", baseline, [*self.rows, BEST])
        gaps = {name: _gaps(row, self.rows[baseline], seed) for name, row in self.rows.items() if name != baseline}
        base = self.rows[baseline]
        shared = (name for name in gaps if any(column in base for column in self.rows[name]))
        self.unpaired = [name for name in shared if not gaps[name]]
        for column in self.columns:
            tested = [(self.rows[name][column], own[column]) for name, own in gaps.items() if column in own]
            _set_differences(column, tested)

    def _compare_best(self, seed: int) -> None:
        for column in self.columns:
            entries = [row[column] for row in self.rows.values() if column in row]
            best = next((entry for entry in entries if entry.best), None)
            others = [] if best is None else [entry for entry in entries if entry is not best and not entry.best]
            found = [(entry, _gaps({column: entry}, {column: best}, seed)) for entry in others if best is not None]
            _set_differences(column, [(entry, gaps[column]) for entry, gaps in found if gaps])

    # ---------------------------------------------------------------- forms

    @property
    def shown(self) -> dict[str, dict[Column, Entry]]:
        """The rows of tables."""
        return {**self.rows, **self.controls} if self.with_controls else self.rows

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
            parts += [] if column.of.larger_is_better else ["smaller is better"]
            parts += ["mean over tracks"] if column.track == MACRO else []
            parts += [f"none is marked, as the systems differ in {' and '.join(differ)}"] if differ else []
            told.setdefault("".join(f"; {part}" for part in parts), []).append(f"{head} ({shown})")
        return " ".join(f"{', '.join(heads)}{text}." for text, heads in told.items())

    def weak(self) -> list[str]:
        """Return the systems with a control that is not significantly worse, each with the head of the column."""
        found = (
            [name for name, row in self.rows.items() if column in row and row[column].strong_control]
            for column in self.columns
        )
        return [f"{head}: {', '.join(names)}" for head, names in zip(self.heads(), found, strict=True) if names]

    def objects(self) -> Iterator[dict[str, Any]]:
        """Return one object per score."""
        for name, row in self.shown.items():
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

    def marked_heads(self, form: str) -> list[str]:
        """Return the heads of a `table`, `markdown` or `latex`, with an arrow where smaller is better."""
        arrow = r"$\downarrow$" if form == "latex" else "↓"
        return [_escaped(head, form) + ("" if column.of.larger_is_better else f" {arrow}")
                for head, column in zip(self.heads(), self.columns, strict=True)]  # fmt: skip

    def cells(self, form: str) -> list[list[str]]:
        """Return the rows as text in a `table`, `markdown` or `latex`, which differ in how they mark the best value."""
        return [
            [_escaped(name, form), *(_cell(column, row.get(column), form) for column in self.columns)]
            for name, row in self.shown.items()
        ]

    def csv(self) -> str:
        """Return plain numbers: the value, both ends of the interval and the p-value of every column."""
        import pandas

        table: dict[str, list[float | None]] = {}
        for head, column in zip(self.heads(), self.columns, strict=True):
            entries = [row.get(column) for row in self.shown.values()]
            for key in ("value", "low", "high"):
                found = [None if entry is None else getattr(entry.score, key) for entry in entries]
                table[head if key == "value" else f"{head} {key}"] = found
            if any(entry is not None and entry.p_value is not None for entry in entries):
                table[f"{head} p"] = [None if entry is None else entry.p_value for entry in entries]
        shown = pandas.DataFrame(table, index=pandas.Index(map(guarded, self.shown), name="system"))
        return str(shown.rename(columns=guarded).to_csv(lineterminator="\n"))

    def latex(self) -> str:
        """Return a `tabular` for the package booktabs."""
        import pandas

        heads = ["system", *self.marked_heads("latex")]
        form, cells = "l" + "c" * len(self.columns), self.cells("latex")
        text = str(pandas.DataFrame(cells, columns=heads).to_latex(index=False, column_format=form))
        below = len(cells) - len(self.rows)
        if not below:
            return text
        *lines, bottom, end = text.splitlines()
        return "\n".join([*lines[:-below], r"\midrule", *lines[-below:], bottom, end, ""])

    def markdown(self) -> str:
        """Return a table in Markdown."""
        heads = ["system", *self.marked_heads("markdown")]
        rows = [heads, ["---", *["---:"] * len(self.columns)], *self.cells("markdown")]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _controls_of(
    evaluation: Evaluation, scored: ScoredSystem, metric: str
) -> Iterator[tuple[str, float, Score]]:
    """Yield the controls of a scored system: name, value and score; for a mean over tracks, the means of controls."""
    track = scored.labels.get(TRACK)
    tracks = {each.labels.get(TRACK) for each in evaluation.systems if not each.is_control} - {MACRO}
    found: dict[str, dict[Any, Score]] = {}
    for each in (one for one in evaluation.systems if one.is_control):
        rest = {name: value for name, value in each.labels.items() if name not in (CONTROL, TRACK)}
        score = each.score(metric)
        if score is not None and score.value is not None and rest.items() <= scored.labels.items():
            found.setdefault(str(each.labels[CONTROL]), {}).setdefault(each.labels.get(TRACK), score)
    for name, own in found.items():
        if track in own:
            yield name, float(own[track].value or 0), own[track]
        elif track == MACRO and {*own} == tracks:
            mean = sum(each.value or 0.0 for each in own.values()) / len(own)
            yield name, mean, Score(metric, mean, n=sum(each.n for each in own.values()))


def _set_differences(column: Column, tested: Sequence[tuple[Entry, Difference]]) -> None:
    """Note the differences of entries of one column, with p-values corrected for their number."""
    corrected = holm([found.p_value for _, found in tested])
    for (entry, found), p_value in zip(tested, corrected, strict=True):
        entry.difference, entry.p_value = found.mean, p_value
        entry.better = (found.mean > 0) == column.of.larger_is_better


def system_name(
    evaluation: Evaluation,
    made: Manifest | None,
    *,
    named: Callable[[InputRecord], str] = lambda record: record.given,
    maker: Callable[[InputRecord], Manifest | None] = lambda record: None,
) -> str:
    """Return the name of what was evaluated; without a manifest the folder.

    Args:
        evaluation: The evaluation.
        made: What made it.
        named: Returns the name of an input. By default it is the one that the user gave.
        maker: Returns what made an input, e.g. links by an encoder, which are then named after the encoder.
    """
    inputs = made.inputs if made else {}
    for record in inputs.get("predicted", ()):
        before = maker(record)
        if before is not None and (before.inputs.get("encoder") or before.inputs.get("vectors")):
            inputs = before.inputs
    for names in (("vectors", "encoder"), ("predicted",), ("source", "target")):
        found = [named(record) for name in names for record in inputs.get(name, ())]
        if found:
            return " + ".join(found)
    return str(evaluation.folder)


def names_of_tests(found: Sequence[tuple[Evaluation, Manifest | None]]) -> list[str]:
    """Return the names of test sets: of the file, with its folder where files of one name differ.

    Several files are tracks with names of their own, of a test set that is named after their folder.
    """
    names, digests = [], dict[str, set[str]]()
    for evaluation, maker in found:
        records = maker.inputs.get(TASKS[evaluation.task].test, []) if maker else []
        path = Path(records[0].given if records else "")
        stems = dict.fromkeys(name_of_test(Path(record.given)) for record in records)
        names.append(((len(records) > 1 and path.parent.name) or "+".join(stems), path.parent.name))
        digests.setdefault(names[-1][0], set()).add(" ".join(record.sha256 for record in records))
    return [f"{parent}/{name}" if len(digests[name]) > 1 and parent else name for name, parent in names]


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
        value, ends = (each.replace("-", "$-$") for each in (value, ends))
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
