"""The section on what was run: every result, what it was made from, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lexenc.artifact import InputRecord
from lexenc.files.text import counted
from lexenc.report import charts
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Cell, Figure, Grid, Part, Remark, Section, number, readable
from lexenc.report.runs import Run, Runs
from lexenc.report.tasks import best_of_tasks

_DRAWN = 40  # boxes that a drawing can hold
_WIDE_FROM = 4  # columns from which a drawing is shrunk to the width of the page


def lineage(evidence: Evidence) -> Section:
    """Everything that was run, from the raw files on."""
    runs = evidence.runs
    seconds = sum(run.manifest.seconds for run in runs.finished)
    lead = (
        f"{counted(len(runs.finished), 'result')}, made in {_time(seconds)} of work in all. Each names its inputs by "
        "what they held (SHA-256), so that every number above can be traced to the files it came from."
    )
    section = Section("runs", "Runs", "What was run, and from what", lead)
    for name in runs.unfinished:
        section.parts.append(
            Remark(
                readable(f"{name} is not finished: its making was interrupted. The command that began it continues it.")
            )
        )
    for name, message in runs.unreadable:
        section.parts.append(Remark(readable(f"{name} is left out: {message}")))
    section.parts.extend(_drawing(evidence))
    section.parts.extend([_results(runs), _inputs(runs), _versions(runs)])
    return section


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


# ---------------------------------------------------------------- drawing


def _drawing(evidence: Evidence) -> list[Part]:
    runs = evidence.runs
    nodes, edges = _graph(runs, runs.finished, runs.unfinished)
    title, left_out, shown = "From raw files to results", "", list(runs.finished)
    if len(nodes) > _DRAWN:
        whole, best = len(nodes), _best(evidence)
        own = {one.name for one in runs.ancestors(best)}
        shown = [run for run in runs.finished if run.name in own]
        nodes, edges = _graph(runs, shown, ())
        if len(nodes) > _DRAWN:
            return [Remark(f"{whole} files and results are more than a drawing can hold; the tables below have all.")]
        title = f"From raw files to {best.name}"
        left_out = (
            f" Of {whole} files and results, more than a drawing can hold, these are what {best.name} came from; the "
            "tables below have all."
        )
    about = (
        f"Diagram of the pipeline: {counted(len(shown), 'result')} made from "
        f"{counted(sum(node['kind'] == 'raw' for node in nodes), 'raw file')}; the tables below say the same in words."
    )
    names = {node["id"]: node["name"] for node in nodes}
    rows = [[Cell(readable(names[start])), Cell(readable(names[end]))] for start, end in edges]
    data = Grid("The lines of this drawing", ["read", "to make"], rows, folded=True)
    drawing = charts.draw(charts.pipeline(nodes, edges), about)
    note = f"Raw files on the left, results to the right of what they were made from.{left_out}"
    form = "fit" if max(node["column"] for node in nodes) >= _WIDE_FROM else "scroll"
    return [Figure(readable(title), readable(about), {form: drawing}, data, readable(note))]


def _best(evidence: Evidence) -> Run:
    """Give the result that a reader asks for first: the best on translation, else on another task, else the last."""
    if evidence.closely:
        return evidence.closely[0].run
    scored = best_of_tasks(evidence)
    return scored[0][0].run if scored else evidence.runs.finished[-1]


def _graph(
    runs: Runs, shown: Sequence[Run], unfinished: Sequence[str]
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Give boxes and lines; the boxes of raw files are told apart by all that was typed, results by their names."""
    raw: dict[str, dict[str, Any]] = {}
    made: dict[str, dict[str, Any]] = {}
    edges: dict[tuple[str, str], None] = {}
    for run in shown:
        own = f"result {run.name}"
        column = 1 + max((made[f"result {each.name}"]["column"] for each in runs.parents(run)), default=0)
        for role, record in ((role, one) for role, many in run.manifest.inputs.items() for one in many):
            maker = runs.maker(record)
            start = f"file {record.given}" if maker is None else f"result {maker.name}"
            if maker is None:
                raw.setdefault(start, _raw_box(start, role, record))
            edges[start, own] = None
        made[own] = _made_box(own, run, column)
    pending = [
        {"id": f"pending {name}", "name": name, "what": "not finished", "kind": "pending", "column": 1,
         "label": f"{name}: not finished"}
        for name in unfinished
    ]  # fmt: skip
    return [*raw.values(), *made.values(), *pending], list(edges)


def _raw_box(name: str, role: str, record: InputRecord) -> dict[str, Any]:
    label = f"{record.given}, sha256 {record.sha256[:12]}"
    what = role.replace("_", " ")
    return {"id": name, "name": _raw_name(record.given), "what": what, "kind": "raw", "column": 0, "label": label}


def _made_box(name: str, run: Run, column: int) -> dict[str, Any]:
    told = "control, " if run.manifest.params.get("control", "none") != "none" else ""
    what = f"{told}{run.manifest.stage}, {_time(run.manifest.seconds)}"
    label = f"{run.name}: {run.manifest.stage}{_settings(run)}"
    return {"id": name, "name": run.name, "what": what, "kind": "made", "column": column, "label": label}


def _raw_name(given: str) -> str:
    """Name a raw file shortly, but with the folder that tells it from others."""
    path = Path(given)
    return "/".join(path.parts[-2:]) if len(path.parts) > 1 else given


def _settings(run: Run) -> str:
    told = ", ".join(f"{name} {_plain(value)}" for name, value in run.changed.items())
    return f" with {told}" if told else ""


def _plain(value: Any) -> str:
    return ",".join(str(each) for each in value) if isinstance(value, list) else str(value)


# ---------------------------------------------------------------- tables


def _results(runs: Runs) -> Grid:
    rows = [
        [
            Cell(readable(run.name), style="anchor"),
            Cell(f"{run.manifest.stage} v{run.manifest.stage_version}"),
            Cell("", marked=[(one, True) for one in _sources(runs, run)]),
            Cell(readable(", ".join(f"{name} {_plain(value)}" for name, value in run.changed.items())) or "defaults"),
            Cell(str(run.manifest.seed), run.manifest.seed, "number"),
            Cell(readable(f"{run.manifest.device} {run.manifest.precision}")),
            number(run.manifest.seconds, 1),
            Cell(run.manifest.created[:16].replace("T", " ")),
            Cell(run.manifest.key[:8], style="code"),
        ]
        for run in runs.finished
    ]
    columns = ["result", "stage", "made from", "settings that are not defaults", "#seed", "device", "#seconds",
               "made at (UTC)", "recipe"]  # fmt: skip
    note = "The same recipe key means the same result: stage, version, settings, seed and the content of all inputs."
    return Grid("Results, in the order of making", columns, rows, note)


def _sources(runs: Runs, run: Run) -> list[str]:
    found = []
    for role, record in ((role, one) for role, many in run.manifest.inputs.items() for one in many):
        maker = runs.maker(record)
        name = maker.name if maker is not None else _raw_name(record.given)
        absence = runs.absence(run, record)
        gone = f" ({absence})" if absence else ""
        found.append(readable(f"{role.replace('_', ' ')}: {name}{gone}"))
    return found


def _inputs(runs: Runs) -> Grid:
    seen: dict[tuple[str, str], tuple[list[str], str]] = {}
    for run in runs.finished:
        for record in (one for many in run.manifest.inputs.values() for one in many):
            if record.made_by is None:
                users, _ = seen.setdefault((record.given, record.sha256), ([], record.revision or ""))
                if run.name not in users:
                    users.append(run.name)
    rows = [
        [Cell(readable(given)), Cell(digest[:16], style="code"), Cell(readable(revision[:12]), style="code"),
         Cell(readable(", ".join(users)))]
        for (given, digest), (users, revision) in seen.items()
    ]  # fmt: skip
    columns = ["file or encoder, as it was named", "SHA-256 (beginning)", "revision", "read by"]
    return Grid("Raw inputs", columns, rows, "What no result of lexenc made.", folded=True)


def _versions(runs: Runs) -> Grid:
    names: dict[str, list[str]] = {}
    for run in runs.finished:
        for package, version in run.manifest.versions.items():
            known = names.setdefault(package, [])
            if version not in known:
                known.append(version)
    rows = [[Cell(readable(package)), Cell(readable(", ".join(versions)))] for package, versions in names.items()]
    commits = list(dict.fromkeys(run.manifest.commit for run in runs.finished if run.manifest.commit))
    note = f"Commit of the repository worked in: {', '.join(each[:12] for each in commits)}." if commits else ""
    return Grid("Versions", ["package", "version"], rows, readable(note), folded=True)
