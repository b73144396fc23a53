"""Word similarity and entity linking: what they came to in a line each, and their charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lexenc.files.text import counted
from lexenc.report import charts
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Cell, Figure, Grid, Part, Remark, is_number, number, readable, span
from lexenc.report.runs import Run
from lexenc.report.tables import any_task, differences

_SWEEPS = 4  # evaluations over lambda that are drawn, each in a chart of its own
_DRAWN = 5  # evaluations of linking in one chart, beside their control
_COVERED, _ALL = "pairs with vectors", "all pairs"


@dataclass(frozen=True)
class Measured:
    """A number that an evaluation came to.

    Args:
        run: The evaluation.
        series: What it is a number of: a convention, or a control.
        result: All that was told of it.
        key: Its name.
    """

    run: Run
    series: str
    result: dict[str, Any]
    key: str

    @property
    def value(self) -> float:
        """The number x 100."""
        return 100 * float(self.result[self.key])

    @property
    def ends(self) -> tuple[float, float]:
        """Its interval x 100; the number itself where it has none."""
        ends = [self.result.get(f"{self.key}_{end}") for end in ("low", "high")]
        low, high = (100 * float(end) if is_number(end) else self.value for end in ends)
        return low, high

    @property
    def weight(self) -> float | None:
        """Lambda, where there is one."""
        weight = self.result.get("lambda")
        return float(weight) if is_number(weight) else None

    def count(self, key: str) -> int:
        """How many it is over."""
        count = self.result.get(key)
        return int(count) if is_number(count) else 0


def _similarities(evidence: Evidence) -> dict[str, list[Measured]]:
    """Give what was measured on word similarity, by evaluation."""
    table: dict[str, list[Measured]] = {}
    for run in evidence.runs.of_stage("eval xlsim"):
        for each in run.manifest.results:
            if is_number(each.get("spearman")):
                plain = _COVERED if each.get("out_of_vocabulary") == "left out" else _ALL
                series = f"control: {each['control']}" if "control" in each else plain
                table.setdefault(run.name, []).append(Measured(run, series, each, "spearman"))
    return table


def _linkings(evidence: Evidence) -> list[Measured]:
    return [
        Measured(run, f"control: {each['control']}" if "control" in each else run.name, each, "precision_at_1")
        for run in evidence.runs.of_stage("eval xel")
        for each in run.manifest.results
        if is_number(each.get("precision_at_1")) and "difference" not in each
    ]


# ---------------------------------------------------------------- findings


def findings(evidence: Evidence) -> list[Part]:
    """Say in a line each what word similarity and entity linking came to, and what was compared in other tasks."""
    best = best_of_tasks(evidence)
    rows = [_finding_row(one, told, how) for one, told, how in best]
    parts: list[Part] = []
    if rows:
        columns = ["finding", "#x 100", "#95 % interval", "#over", "how measured", "result"]
        note = (
            "The best weight of a sweep was chosen on the pairs that it is scored on, which flatters it a little; "
            "lexenc compare tells whether two differ."
        )
        parts.append(Grid("Word similarity and entity linking", columns, rows, note))
    others = [
        (run, each)
        for run in evidence.runs.finished
        for each in run.manifest.results
        if "difference" in each and not _is_claim(run, each)
    ]
    return [*parts, differences("Differences in other tasks", others)] if others else parts


def _is_claim(run: Run, result: dict[str, Any]) -> bool:
    """Tell whether a difference stands among the claims on word translation."""
    return run.manifest.stage == "compare" and "precision" in str(result.get("metric"))


def best_of_tasks(evidence: Evidence) -> list[tuple[Measured, str, str]]:
    """Give the best number of every evaluation of similarity and of linking: (number, finding, how)."""
    return [*_best_similarities(evidence), *_best_linkings(evidence)]


def _best_similarities(evidence: Evidence) -> Iterator[tuple[Measured, str, str]]:
    for name, own in _similarities(evidence).items():
        real = [one for one in own if one.series == _COVERED]
        whole = [one for one in own if one.series == _ALL]
        # Weights that answer different pairs cannot be told apart by their scores on these.
        uneven = len({one.count("pairs") for one in real}) > 1
        chosen = whole if uneven and whole else real or whole
        if not chosen:
            continue
        best = max(chosen, key=lambda one: one.value)
        where = f", best at lambda {best.weight:g}" if best.weight is not None and len(chosen) > 1 else ""
        told = "agrees with people" if best.ends[0] > 0 else "is not shown to agree with people"
        filled = f", {best.result.get('out_of_vocabulary')} for a word without a vector" if chosen is whole else ""
        how = f"Spearman, {best.series}{filled}"
        yield best, f"{name} {told}{where}", how + (f", best of {len(chosen)} weights" if where else "")


def _best_linkings(evidence: Evidence) -> Iterator[tuple[Measured, str, str]]:
    for one in _linkings(evidence):
        if "control" not in one.result and (one.result.get("protocol"), one.result.get("scored")) == _FAIR:
            yield one, f"{one.run.name} names the concept of a mention", "P@1 by concept, mentions that have one"


_FAIR = ("concepts", "answerable")


def _finding_row(one: Measured, told: str, how: str) -> list[Cell]:
    count = one.count("pairs" if one.key == "spearman" else "queries")
    return [
        Cell(readable(told), style="text"),
        number(one.value, 1),
        Cell(span(*one.ends, scale=1), one.ends[0], "number"),
        Cell(f"{count:,}", count, "number"),
        Cell(readable(how), style="quiet text"),
        Cell(readable(one.run.name), link=one.run.name),
    ]


# ---------------------------------------------------------------- charts and tables


def task_parts(evidence: Evidence) -> list[Part]:
    """Draw similarity and linking, then lay out the results of every task."""
    parts: list[Part] = [*_similarity_charts(evidence), *_linking_charts(evidence)]
    tables: dict[tuple[str, str], list[tuple[Run, dict[str, Any]]]] = {}
    for run in evidence.evaluations():
        for result in run.manifest.results:
            what = "differences" if "difference" in result else "controls" if "control" in result else "all results"
            tables.setdefault((run.manifest.stage, what), []).append((run, result))
    for (stage, what), results in tables.items():
        title = f"{stage}: {what}"
        parts += [differences(title, results)] if what == "differences" else any_task(title, results)
    return parts


def _similarity_charts(evidence: Evidence) -> list[Part]:
    table = _similarities(evidence)
    swept = {name: own for name, own in table.items() if len({one.weight for one in own}) > 1}
    parts: list[Part] = [_over_weights(name, own) for name, own in list(swept.items())[-_SWEEPS:]]
    if len(swept) > _SWEEPS:
        parts.append(
            Remark(f"The last {_SWEEPS} of {len(swept)} sweeps of word similarity are drawn; the table has all.")
        )
    single = [one for name, own in table.items() if name not in swept for one in own]
    if single:
        note = (
            "Lines are 95 % intervals over pairs. Without vectors, a pair is left out, or gets a similarity as said in "
            "the table. The control's line is the spread over random orders of the scores: what lies within it is no "
            "better than chance."
        )
        rows = [(one.run.name, one.series, one) for one in single]
        parts.append(_intervals("Word similarity: agreement with people", rows, "Spearman x 100", "pairs", note))
    return parts


def _over_weights(name: str, own: Sequence[Measured]) -> Figure:
    rows = sorted((one for one in own if one.weight is not None), key=lambda one: (one.series, one.weight))
    series = sorted({one.series for one in rows}, key=lambda each: (each.startswith("control"), each != _COVERED))
    points = [
        {"series": one.series, "x": one.weight, "y": one.value, "low": one.ends[0], "high": one.ends[1],
         "label": f"{one.series}, lambda {one.weight:g}: {_told(one, 'pairs')}"}
        for one in rows
    ]  # fmt: skip
    best = max(rows, key=lambda one: one.value)
    about = (
        f"Line chart of Spearman's correlation over lambda for {name}; the highest point is {best.value:.1f} at lambda "
        f"{best.weight or 0:g} ({best.series})."
    )
    counts = sorted({one.count("pairs") for one in rows if one.series == _COVERED})
    uneven = ""
    if len(counts) > 1:
        uneven = (
            f" The weights do not have vectors for the same pairs ({counts[0]:,} to {counts[-1]:,}): compare them by "
            f"'{_ALL}'."
        )
    note = "Bands are 95 % intervals over pairs; that of the control is the spread over random orders." + uneven
    x, y = "lambda, the weight of the encoder", "Spearman x 100"
    drawings = {
        form: charts.draw(charts.curve(points, series, width=width, x=x, y=y), about)
        for form, width in (("wide", charts.WIDE), ("narrow", charts.NARROW))
    }
    data = _numbers([(f"{one.weight:g}", one.series, one) for one in rows], "lambda", "pairs")
    return Figure(readable(f"Word similarity over lambda ({name})"), readable(about), drawings, data, note)


def _told(one: Measured, noun: str) -> str:
    return f"{one.value:.1f} {span(*one.ends, scale=1)} over {one.count(noun):,} {noun}"


def _linking_charts(evidence: Evidence) -> list[Part]:
    """Draw linking by knowledge base and mentions; only what answers the same can stand side by side."""
    alike: dict[tuple[str, str], list[Measured]] = {}
    for one in _linkings(evidence):
        mentions = one.run.manifest.inputs.get("mentions")
        key = (str(one.result.get("knowledge_base_sha256")), mentions[0].sha256 if mentions else "")
        alike.setdefault(key, []).append(one)
    return [_linking_chart(own) for own in alike.values()]


def _linking_chart(own: Sequence[Measured]) -> Figure:
    names = list(dict.fromkeys(one.run.name for one in own))[-_DRAWN:]
    seen: dict[tuple[str, str], Measured] = {}
    for one in own:
        if one.run.name in names:
            # The control is the same for all who link the same mentions.
            seen.setdefault((_PROTOCOLS.get(_asked(one), ", ".join(_asked(one))), one.series), one)
    rows = [(kind, series, one) for (kind, series), one in seen.items()]
    mentions = counted(own[0].count("mentions"), "mention")
    note = (
        f"{mentions}, {own[0].count('answerable_mentions'):,} of them with a concept in the knowledge base; the others "
        "are wrong where all are asked. By name every line of the knowledge base counts, by concept only its best "
        "name. The control compares letters and knows no meaning. Lines are 95 % intervals over mentions."
    )
    return _intervals(f"Entity linking: {', '.join(names)}", rows, "P@1 x 100", "queries", note)


_PROTOCOLS = {
    ("names", "answerable"): "by name, answerable",
    ("concepts", "answerable"): "by concept, answerable",
    ("names", "all"): "by name, all",
    ("concepts", "all"): "by concept, all",
}


def _asked(one: Measured) -> tuple[str, str]:
    return str(one.result.get("protocol", "")), str(one.result.get("scored", ""))


def _intervals(title: str, rows: Sequence[tuple[str, str, Measured]], what: str, noun: str, note: str) -> Figure:
    """Draw numbers with their intervals: (group, series, number)."""
    kinds = list(dict.fromkeys(kind for kind, _, _ in rows))
    names = sorted(dict.fromkeys(series for _, series, _ in rows), key=lambda each: each.startswith("control"))
    points = [
        {"series": series, "kind": kind, "y": one.value, "low": one.ends[0], "high": one.ends[1],
         "label": f"{kind}, {series}: {_told(one, noun)}"}
        for kind, series, one in rows
    ]  # fmt: skip
    about = f"Points with intervals: {what} of {', '.join(names)}, for {counted(len(kinds), 'group')}."
    drawings = {
        form: charts.draw(charts.intervals(points, names, kinds, width=width, x=what), about)
        for form, width in (("wide", charts.WIDE), ("narrow", charts.NARROW))
    }
    return Figure(readable(title), readable(about), drawings, _numbers(rows, "group", noun), readable(note))


def _numbers(rows: Sequence[tuple[str, str, Measured]], first: str, noun: str) -> Grid:
    cells = [
        [
            Cell(readable(kind)),
            Cell(readable(series)),
            number(one.value, 1),
            Cell(span(*one.ends, scale=1), one.ends[0], "number"),
            Cell(f"{one.count(noun):,}", one.count(noun), "number"),
        ]
        for kind, series, one in rows
    ]
    columns = [first, "series", "#x 100", "#95 % interval", f"#{noun}"]
    return Grid("The numbers of this chart", columns, cells, folded=True)
