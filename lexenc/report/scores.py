"""The sections on scores, for any task: differences, all scores, and scores over lambda."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lexenc import charts
from lexenc.evaluation.bootstrap import LEVEL
from lexenc.files.evaluations import ScoredSystem
from lexenc.files.text import counted
from lexenc.pages import Cell, Figure, Grid, Part, Remark, Section, count, number, numbers_of_chart, readable
from lexenc.report.claims import Claim
from lexenc.report.data import ReportData
from lexenc.report.systems import System, grouped, label_texts, middle_of, over, shown_score, sweeps_of, variant_names
from lexenc.report.tables import Rows, table_of
from lexenc.report.verdicts import verdict_table

_SWEEP = (
    "lexenc eval bli --vectors runs/mapped --encoder runs/encoder --train-dictionary train.tsv --dictionary test.tsv "
    "--lambda 0,0.1,0.2,0.3,0.4,0.5,0.7,1 --out runs/scores"
)
EVAL = "lexenc eval bli --vectors runs/mapped --dictionary test.tsv --out runs/scores"
_SERIES = 6  # series that readers can tell apart in one chart
_GROUPS = 12  # results in one chart


def claims(data: ReportData) -> Section:
    """Return the section on differences."""
    lead = (
        f"A difference is significant if its {100 * LEVEL:g} % confidence interval excludes zero. Of several pairs on "
        "one test set the p-value decides, corrected for their number (Holm 1979). Differences that are not "
        "significant are listed too: they do not show that two systems are equal."
    )
    nothing = Remark("Nothing has been compared. Evaluate a sweep over lambda, or compare two evaluations:", _SWEEP)
    parts: list[Part] = [Remark(readable(sentence)) for sentence in data.damaged]
    parts += [verdict_table(data.verdicts)] if data.verdicts else []
    parts += [_differences(data)] if data.claims else []
    return Section("claims", "Findings", "What is significant", lead, parts or [nothing])


def _differences(data: ReportData) -> Grid:
    main = data.main[0].result.name if data.main else ""
    rows = [_claim_row(claim) for claim in sorted(data.claims, key=lambda one: one.link != main)]
    note = (
        "First minus second, x 100 for shares and correlations. Paired percentile bootstrap over the items that both "
        f"systems cover. Differences computed for this report use seed {data.seed}. A control of the same evaluation "
        "has no answers of its own: the interval is that of the system."
    )
    if any(claim.chosen for claim in data.claims):
        note += (
            " If lambda was chosen on one half of the items, the other half was scored, and vice versa, so that the "
            "choice does not inflate the score. lexenc compare scores a given lambda on all items, which is another "
            "question: difference and interval are not the same."
        )
    columns = ["comparison", "metric", "#difference", "significant", "#first", "#second", "#items", "how"]
    return Grid("Differences between systems", columns, rows, note)


def _claim_row(claim: Claim) -> list[Cell]:
    answer = "no" if not claim.significant else "yes" if claim.better else "yes, worse"
    style = "quiet" if not claim.significant else "right" if claim.better else "wrong"
    scale = 100 if claim.metric.percent else 1
    return [
        Cell(readable(claim.text), style="text", link=claim.link),
        Cell(claim.metric.head),
        Cell(claim.shown, scale * claim.gain.mean, "number"),
        Cell(f"control: {answer}" if claim.control else answer, style=style),
        number(claim.first, scale=scale),
        number(claim.second, scale=scale),
        count(claim.items),
        Cell(readable(claim.how), style="quiet text"),
    ]


def scores(data: ReportData) -> Section:
    """Return the section with every score."""
    lead = "Every evaluation below the folder with its conventions. Click a column to sort."
    section = Section("scores", "Scores", "Scores", lead)
    if not data.systems:
        section.parts.append(Remark("Nothing has been evaluated. To score word translation:", EVAL))
    for systems in data.by_task.values():
        section.parts.extend(_interval_charts(systems))
        section.parts.extend(_score_tables(systems))
    evaluated = {*data.unread, *(one.result.name for one in data.systems)}
    others = [
        (result, each)
        for result in data.results.finished
        for each in result.manifest.results
        if result.name not in evaluated and each and "difference" not in each
    ]
    for stage, rows in grouped(others, lambda row: row[0].manifest.stage).items():
        section.parts.extend(table_of(f"{stage}: all results", rows))
    return section


def _score_tables(systems: Sequence[System]) -> list[Part]:
    task = systems[0].task
    labels = dict.fromkeys(key for one in systems for each in (one.head, *one.others) for key in each.labels)
    first = [*labels, *(metric.key for metric in task.metrics), systems[0].head.counted]
    heads: Rows = [(one.result, one.head.flat()) for one in systems]
    others: Rows = [(one.result, each.flat()) for one in systems for each in one.others]
    parts = table_of(task.title, heads, first=first)
    if others:
        names = [*first, "out_of_vocabulary", "query_unit"]
        parts += table_of(f"{task.title}: other conventions, parts and controls", others, first=names, folded=True)
    return parts


def _interval_charts(systems: Sequence[System]) -> list[Part]:
    """Draw evaluations without a sweep over lambda; a chart has the systems of one test set."""
    swept = {sweep[0].result.name for sweep in sweeps_of(systems)}
    drawn = [one for one in systems if one.result.name not in swept and one.score.low is not None]
    return [_interval_chart(own[-_GROUPS:], len(own)) for own in grouped(drawn, lambda one: one.convention).values()]


def _interval_chart(systems: Sequence[System], total: int) -> Figure:
    task = systems[0].task
    rows: list[tuple[str, str, ScoredSystem]] = []
    for one in systems:
        scored = [each for each in (one.head, *one.others) if each.scores[0].low is not None][:_SERIES]
        kind = ", ".join([one.name, *label_texts(one.labels)])
        names = variant_names(scored)
        rows += [(kind, name or task.title.lower(), each) for name, each in zip(names, scored, strict=True)]
    names = sorted(dict.fromkeys(name for _, name, _ in rows), key=lambda name: name.startswith("control"))
    kinds = list(dict.fromkeys(kind for kind, _, _ in rows))
    points = [_point(each, system=systems[0], series=name, kind=kind) for kind, name, each in rows]
    title = f"{task.title}: {task.headline.head}"
    about = f"Points with intervals: {task.headline.head} of {counted(len(kinds), 'system')}."
    x = _axis(systems[0])
    drawings = charts.draw_both(lambda width: charts.intervals(points, names, kinds, width=width, x=x), about)
    note = f"Lines are 95 % confidence intervals over {task.items or f'{task.item}s'}."
    note += f" The last {len(systems)} of {total} systems are drawn." if total > len(systems) else ""
    cells = [[Cell(readable(kind)), Cell(readable(name)), *_numbers(systems[0], each)] for kind, name, each in rows]
    data = numbers_of_chart(["system", "convention", "#value", "#items"], cells)
    return Figure(title, about, drawings, data, readable(note))


def _axis(system: System) -> str:
    metric = system.task.headline
    smaller = "" if metric.larger_is_better else ", smaller is better"
    return f"{metric.head}{' x 100' if metric.percent else ''}{smaller}"


def _point(scored: ScoredSystem, *, system: System, **own: Any) -> dict[str, Any]:
    metric, score = system.task.headline, scored.scores[0]
    scale = 100 if metric.percent else 1
    y, low, high = (
        scale * (value if value is not None else score.value or 0.0) for value in (score.value, score.low, score.high)
    )
    where = ", ".join(f"lambda {each:g}" if name == "x" else str(each) for name, each in own.items())
    return {**own, "y": y, "low": low, "high": high, "label": f"{where}: {shown_score(metric, score)}"}


def _numbers(system: System, scored: ScoredSystem) -> list[Cell]:
    score = scored.scores[0]
    return [Cell(shown_score(system.task.headline, score), score.value, "number"), count(score.n)]


def over_lambda(data: ReportData) -> Section:
    """Return the section with scores over the weight of the encoder."""
    lead = "Lambda is the weight of the encoder: 0 is the mapped static vectors alone, 1 the encoder alone."
    alike = grouped(sweeps_of(data.systems), lambda sweep: sweep[0].convention)
    curves = [_curve(sweeps, len(alike) > 1) for sweeps in alike.values()]
    nothing = Remark("No evaluation has several values of lambda. To evaluate some:", _SWEEP)
    return Section("lambda", "Lambda", "Scores over lambda", lead, [*curves] or [nothing])


def _curve(sweeps: Sequence[Sequence[System]], several: bool) -> Figure:
    shown = sorted(sweeps[-_SERIES:], key=lambda sweep: sweep[0].control)
    task = shown[0][0].task
    rows = [(one.name, one, one.head) for sweep in shown for one in sweep]
    if len(shown) == 1:
        controls = [
            (one, each) for one in shown[0] for each in one.others if each.is_control and each.scores[0].low is not None
        ]
        names = variant_names([each for _, each in controls])
        rows += [(name, one, each) for name, (one, each) in zip(names, controls, strict=True)]
    names = list(dict.fromkeys(name for name, _, _ in rows))
    points = [_point(each, system=one, series=name, x=one.weight) for name, one, each in rows]
    main = middle_of(shown[0])
    known = [f"{key.replace('_', ' ')}: {each}" for key, each in main.head.convention.known().items() if key != "seed"]
    note = (
        f"Bands are 95 % confidence intervals over {over(main)}. {'; '.join(known)}. All systems of a chart answer the "
        "same questions, so that a difference can be significant even if bands overlap."
    )
    note += f" The last {len(shown)} of {len(sweeps)} evaluations are drawn." if len(sweeps) > len(shown) else ""
    about = (
        f"Line chart of {task.headline.head} over lambda for {counted(len(shown), 'evaluation')}; lambda "
        f"{main.weight:g} has {task.headline.show(main.score.value, digits=1)} ({main.result.name})."
    )
    x = "lambda, the weight of the encoder"
    drawings = charts.draw_both(lambda width: charts.curve(points, names, width=width, x=x, y=_axis(main)), about)
    cells = [
        [Cell(readable(name), link=one.result.name), number(one.weight, 2), *_numbers(one, each)]
        for name, one, each in rows
    ]
    title = f"{task.title}: {task.headline.head} over lambda"
    title += f" ({', '.join(sweep[0].result.name for sweep in shown)})" if several else ""
    data = numbers_of_chart(["series", "#lambda", "#value", "#items"], cells)
    return Figure(readable(title), readable(about), drawings, data, readable(note))
