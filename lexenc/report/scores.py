"""The sections on scores: what is shown, all scores, and scores over lambda."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lexenc.files.text import counted
from lexenc.report import charts
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Cell, Figure, Grid, Heading, Part, Remark, Section, number, percent, readable, span
from lexenc.report.systems import Claim, System
from lexenc.report.tables import head, plain
from lexenc.report.tasks import findings, task_parts
from lexenc.report.verdicts import verdict_table

_SWEEP = (
    "lexenc eval bli --vectors runs/mapped --encoder runs/encoder --train-dictionary train.tsv --dictionary test.tsv "
    "--lambda 0,0.1,0.2,0.3,0.4,0.5,0.7,1 --out runs/scores"
)
_EVAL = "lexenc eval bli --vectors runs/mapped --dictionary test.tsv --out runs/scores"


# ---------------------------------------------------------------- claims


def claims(evidence: Evidence) -> Section:
    """What is shown and what is not."""
    section = Section(
        "claims",
        "Findings",
        "What is shown, and what is not",
        "A difference is shown where its 95 % interval leaves out zero. Everything else is named too: what is not "
        "shown is not known to be equal either.",
    )
    if evidence.verdicts:
        section.parts.append(verdict_table(evidence.verdicts))
    others = findings(evidence)
    if not evidence.claims:
        section.parts.extend(others)
    if not evidence.claims and not others:
        section.parts.append(
            Remark(
                "Nothing was compared. A sweep over lambda, or two evaluations of one test dictionary, let claims "
                "be checked:",
                _SWEEP,
            )
        )
    if not evidence.claims:
        return section
    main = evidence.closely[0].run.name if evidence.closely else ""
    rows = [_claim_row(claim) for claim in sorted(evidence.claims, key=lambda one: one.link != main)]
    note = (
        "Gain in points of precision at 1 (x 100), paired percentile bootstrap over the test words that have vectors "
        "on both sides; 10,000 draws, fewer where there are very many words; seed "
        f"{evidence.seed} for what is compared here. Where a weight had to be chosen, one half of the words chose and "
        "the other was scored, both ways, so that the best of many does not flatter itself."
    )
    columns = ["claim", "#gain", "#95 % interval", "answer", "#words", "how compared", "result"]
    section.parts.extend([Grid("Differences between systems", columns, rows, note), *others])
    return section


def _claim_row(claim: Claim) -> list[Cell]:
    gain = claim.gain
    answer = "not shown" if not gain.shown else "yes" if gain.mean > 0 else "no: the other way round"
    style = "quiet" if not gain.shown else "right" if gain.mean > 0 else "wrong"
    return [
        Cell(readable(claim.text), style="text"),
        number(gain.mean, scale=100, sign=True),
        Cell(span(gain.low, gain.high), 100 * gain.low, "number"),
        Cell(f"control: {answer}" if claim.control else answer, style=style),
        Cell(f"{claim.queries:,}", claim.queries, "number"),
        Cell(readable(claim.how), style="quiet text"),
        Cell(readable(claim.link), link=claim.link),
    ]


# ---------------------------------------------------------------- all scores


def scores(evidence: Evidence) -> Section:
    """Every score of every evaluation."""
    section = Section(
        "scores",
        "Scores",
        "Scores",
        "Every evaluation below the folder, with the convention behind each number. Click a column to sort.",
    )
    if evidence.systems:
        section.parts.extend(_translation(evidence))
    else:
        section.parts.append(Remark("No word translation was scored. To score it:", _EVAL))
    section.parts.extend(task_parts(evidence))
    return section


def _translation(evidence: Evidence) -> list[Part]:
    heads = [one.head for one in evidence.systems]
    varying = _varying(heads)
    columns = [
        "result",
        "#lambda",
        "#P@1",
        "#95 % interval",
        "#P@5",
        "#P@10",
        "#MRR",
        "#words",
        *(head(key) for key in varying),
    ]
    best = max(one.head["precision_at_1"] for one in evidence.systems)
    rows = [
        [
            Cell(f"{one.run.name}{' (control)' if one.control else ''}", link=one.run.name),
            Cell("" if one.weight is None else f"{one.weight:g}", -1 if one.weight is None else one.weight, "number"),
            _marked(percent(one.head["precision_at_1"]), one.head["precision_at_1"] == best and not one.control),
            Cell(_interval(one.head), one.head.get("precision_at_1_low"), "number"),
            percent(one.head["precision_at_5"]),
            percent(one.head["precision_at_10"]),
            number(one.head["mean_reciprocal_rank"], 3),
            Cell(f"{one.head['queries']:,}", one.head["queries"], "number"),
            *(Cell(plain(one.head[key])) for key in varying),
        ]
        for one in sorted(evidence.systems, key=lambda one: one.run.name != evidence.closely[0].run.name)
    ]
    note = f"P@k x 100: share of words with a gold translation among the first k. {_common(heads)}"
    parts: list[Part] = [Grid("Word translation, headline convention", columns, rows, note)]
    parts.append(_conventions(evidence.systems))
    return parts


_CONVENTIONS = ("retrieval", "direction", "search_space", "search_space_words", "coverage", "seed")


def _varying(results: Sequence[dict[str, Any]]) -> list[str]:
    """Name the conventions that differ between results; the others are said once."""
    return [key for key in _CONVENTIONS if len({str(each.get(key)) for each in results}) > 1]


def _common(results: Sequence[dict[str, Any]]) -> str:
    same = [key for key in (*_CONVENTIONS, "gold", "ties") if key in results[0] and key not in _varying(results)]
    told = "; ".join(f"{head(key)}: {plain(results[0][key])}" for key in same)
    return f"Per source word, words without vectors left out. The same for all: {told}."


def _marked(cell: Cell, best: bool) -> Cell:
    return Cell(cell.text, cell.order, f"{cell.style} best") if best else cell


def _interval(result: dict[str, Any]) -> str:
    return span(result.get("precision_at_1_low"), result.get("precision_at_1_high"))


def _conventions(systems: Sequence[System]) -> Grid:
    """Lay out all other conventions and the controls."""
    rows = []
    for one in systems:
        for each in one.others:
            kind = (
                f"control: {each['control']}"
                if "control" in each
                else (f"per {each['query_unit']}, {each['out_of_vocabulary']}")
            )
            rows.append(
                [
                    Cell(one.label, link=one.run.name),
                    Cell(readable(kind)),
                    percent(each["precision_at_1"], 2),
                    Cell(_interval(each), each.get("precision_at_1_low"), "number"),
                    percent(each.get("precision_at_5")),
                    percent(each.get("precision_at_10")),
                    number(each.get("mean_reciprocal_rank"), 3),
                    Cell(f"{each['queries']:,}", each["queries"], "number"),
                ]
            )
    note = (
        "Words without vectors are left out (VecMap, MUSE) or counted wrong (fastText); per pair is xling-eval's way. "
        "The controls answer with the source word itself, and at random."
    )
    columns = ["system", "convention", "#P@1", "#95 % interval", "#P@5", "#P@10", "#MRR", "#queries"]
    return Grid("The same systems under other conventions, and controls", columns, rows, note, folded=True)


# ---------------------------------------------------------------- lambda


def over_lambda(evidence: Evidence) -> Section:
    """Scores over the weight of the encoder."""
    section = Section(
        "lambda",
        "Lambda",
        "How much encoder to blend in",
        "Precision at 1 over lambda, the weight of the encoder: 0 is the mapped static vectors alone, 1 the encoder "
        "alone. (Figure 2 of the paper, with the intervals that it leaves out.)",
    )
    if not evidence.sweeps:
        section.parts.append(Remark("No evaluation has several weights. To try some:", _SWEEP))
        return section
    alike: dict[tuple[Any, ...], list[list[System]]] = {}
    for sweep in evidence.sweeps:
        alike.setdefault(sweep[0].convention, []).append(sweep)
    for sweeps in alike.values():
        if len(alike) > 1:
            names = ", ".join(sweep[0].run.name for sweep in sweeps)
            section.parts.append(Heading(readable(names), "Scored by another convention than the others."))
        section.parts.append(_curve(sweeps))
    return section


_MOST = 6  # series that can still be told apart


def _curve(sweeps: Sequence[Sequence[System]]) -> Figure:
    shown = sorted(sweeps[-_MOST:], key=lambda sweep: sweep[0].control)
    names = [f"{sweep[0].run.name}{' (control)' if sweep[0].control else ''}" for sweep in shown]
    points, rows = [], []
    for name, sweep in zip(names, shown, strict=True):
        for one in sweep:
            head = one.head
            low, high = (100 * head.get(f"precision_at_1_{end}", float("nan")) for end in ("low", "high"))
            value = 100 * head["precision_at_1"]
            label = f"{name}, lambda {one.weight:g}: {value:.1f} [{low:.1f}, {high:.1f}]"
            points.append({"series": name, "x": one.weight, "y": value, "low": low, "high": high, "label": label})
            rows.append(
                [
                    Cell(readable(name), link=one.run.name),
                    number(one.weight, 2),
                    number(value),
                    Cell(f"[{low:.1f}, {high:.1f}]", low, "number"),
                ]
            )
    head = sweeps[0][0].head
    note = (
        f"Bands are 95 % intervals over {counted(head['queries'], 'test word')} with vectors on both sides. "
        f"{head['retrieval']}, {head['direction']}, {head['search_space']} "
        f"({counted(head['search_space_words'], 'word')} to choose from). Curves of one chart answer the same words, "
        "so that differences between them are surer than overlapping bands suggest; see the differences above."
    )
    if len(sweeps) > _MOST:
        note += f" The last {_MOST} of {len(sweeps)} evaluations are drawn."
    best = max((one for sweep in shown for one in sweep), key=lambda one: one.head["precision_at_1"])
    about = (
        f"Line chart of precision at 1 over lambda for {counted(len(shown), 'evaluation')}; the highest point is "
        f"{100 * best.head['precision_at_1']:.1f} at lambda {best.weight:g} ({best.run.name})."
    )
    drawings = {
        form: charts.draw(
            charts.curve(points, names, width=width, x="lambda, the weight of the encoder", y="P@1 x 100"), about
        )
        for form, width in (("wide", charts.WIDE), ("narrow", charts.NARROW))
    }
    data = Grid("The numbers of this chart", ["evaluation", "#lambda", "#P@1", "#95 % interval"], rows, folded=True)
    return Figure("Precision at 1 over lambda", about, drawings, data, note)
