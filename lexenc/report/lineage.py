"""The section on provenance: every result, what it was made from, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lexenc import charts
from lexenc.artifact import InputRecord
from lexenc.files.text import counted
from lexenc.pages import Cell, Figure, Grid, Part, Remark, Section, number, numbers_of_chart, readable
from lexenc.report.data import ReportData
from lexenc.report.results import ResultFolder, ResultFolders

_DRAWN = 40  # boxes of a drawing
_WIDE_FROM = 4  # columns from which a drawing is shrunk to the width of the page


def lineage(data: ReportData) -> Section:
    """Return the section on everything that was run, from the raw files on."""
    results = data.results
    seconds = sum(each.manifest.seconds for each in results.finished)
    lead = (
        f"{counted(len(results.finished), 'result')}, computed in {_time(seconds)} in total. Each records the SHA-256 "
        "of its inputs, so that every number above can be traced to its files."
    )
    section = Section("runs", "Runs", "What was run, and from what", lead)
    for name in results.unfinished:
        text = f"{name} is not finished: it was interrupted. Run the same command again to resume it."
        section.parts.append(Remark(readable(text)))
    section.parts.extend(Remark(readable(sentence)) for sentence in data.damaged)
    section.parts.extend([_drawing(data), _table(results), _inputs(results), _versions(results)])
    return section


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _drawing(data: ReportData) -> Part:
    results = data.results
    nodes, edges = _graph(results, results.finished, results.unfinished)
    title, left_out, shown = "From raw files to results", "", list(results.finished)
    if len(nodes) > _DRAWN:
        whole, last = len(nodes), data.main[0].result if data.main else results.finished[-1]
        own = {one.name for one in results.ancestors(last)}
        shown = [each for each in results.finished if each.name in own]
        nodes, edges = _graph(results, shown, ())
        title = f"From raw files to {last.name}"
        left_out = f" Of {whole} files and results, it shows those that {last.name} was made from. The tables list all."
        if len(nodes) > _DRAWN:
            return Remark(f"{whole} files and results do not fit into one drawing. The tables below list all.")
    about = (
        f"Diagram of the pipeline: {counted(len(shown), 'result')} made from "
        f"{counted(sum(node['kind'] == 'raw' for node in nodes), 'raw file')}. The tables below list the same."
    )
    names = {node["id"]: node["name"] for node in nodes}
    rows = [[Cell(readable(names[start])), Cell(readable(names[end]))] for start, end in edges]
    drawing = charts.draw(charts.pipeline(nodes, edges), about)
    note = f"Raw files are on the left. Each result is to the right of its inputs.{left_out}"
    form = "fit" if max(node["column"] for node in nodes) >= _WIDE_FROM else "scroll"
    numbers = numbers_of_chart(["input", "result"], rows)
    return Figure(readable(title), readable(about), {form: drawing}, numbers, readable(note))


def _graph(
    results: ResultFolders, shown: Sequence[ResultFolder], unfinished: Sequence[str]
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return boxes and lines; the boxes of raw files are identified by the path as given, results by their names."""
    raw: dict[str, dict[str, Any]] = {}
    made: dict[str, dict[str, Any]] = {}
    edges: dict[tuple[str, str], None] = {}
    for result in shown:
        own = f"result {result.name}"
        column = 1 + max((made[f"result {each.name}"]["column"] for each in results.parents(result)), default=0)
        for role, record in result.records:
            maker = results.maker(record)
            start = f"file {record.given}" if maker is None else f"result {maker.name}"
            if maker is None:
                label = f"{record.given}, sha256 {record.sha256[:12]}"
                raw.setdefault(start, _box(start, _short_path(record), role.replace("_", " "), "raw", 0, label))
            edges[start, own] = None
        what = f"{'control, ' if result.is_control else ''}{result.manifest.stage}, {_time(result.manifest.seconds)}"
        changed = _settings(result)
        label = f"{result.name}: {result.manifest.stage}{f' with {changed}' if changed else ''}"
        made[own] = _box(own, result.name, what, "made", column, label)
    pending = [
        _box(f"pending {name}", name, "not finished", "pending", 1, f"{name}: not finished") for name in unfinished
    ]
    return [*raw.values(), *made.values(), *pending], list(edges)


def _box(key: str, name: str, what: str, kind: str, column: int, label: str) -> dict[str, Any]:
    return {"id": key, "name": name, "what": what, "kind": kind, "column": column, "label": label}


def _short_path(record: InputRecord) -> str:
    """Return the last two parts of the path of a raw file."""
    path = Path(record.given)
    return "/".join(path.parts[-2:]) if len(path.parts) > 1 else record.given


def _settings(result: ResultFolder) -> str:
    texts = (",".join(map(str, each)) if isinstance(each, list) else each for each in result.changed.values())
    return ", ".join(f"{name} {text}" for name, text in zip(result.changed, texts, strict=True))


def _table(results: ResultFolders) -> Grid:
    rows = [
        [
            Cell(readable(each.name), style="anchor"),
            Cell(f"{each.manifest.stage} v{each.manifest.stage_version}"),
            Cell("", marked=[(readable(one), True) for one in _sources(results, each)]),
            Cell(readable(_settings(each)) or "defaults"),
            Cell(str(each.manifest.seed), each.manifest.seed, "number"),
            Cell(readable(f"{each.manifest.device} {each.manifest.precision}")),
            number(each.manifest.seconds, 1),
            Cell(each.manifest.created[:16].replace("T", " ")),
            Cell(each.manifest.key[:8], style="code"),
        ]
        for each in results.finished
    ]
    columns = ["result", "stage", "made from", "settings other than defaults", "#seed", "device", "#seconds",
               "created (UTC)", "recipe"]  # fmt: skip
    note = "An equal recipe key means an equal result: stage, version, settings, seed and the content of all inputs."
    return Grid("Results in the order of creation", columns, rows, note)


def _sources(results: ResultFolders, result: ResultFolder) -> Iterator[str]:
    for role, record in result.records:
        maker, absence = results.maker(record), results.absence(result, record)
        name = maker.name if maker is not None else _short_path(record)
        yield f"{role.replace('_', ' ')}: {name}{f' ({absence})' if absence else ''}"


def _inputs(results: ResultFolders) -> Grid:
    users: dict[tuple[str, str, str], dict[str, None]] = {}
    for each in results.finished:
        for _, record in each.records:
            if record.made_by is None:
                key = (record.given, record.sha256, record.revision or "")
                users.setdefault(key, {})[each.name] = None
    rows = [
        [Cell(readable(given)), Cell(digest[:16], style="code"), Cell(readable(revision[:12]), style="code"),
         Cell(readable(", ".join(names)))]
        for (given, digest, revision), names in users.items()
    ]  # fmt: skip
    columns = ["file or encoder as given", "SHA-256 (beginning)", "revision", "read by"]
    return Grid("Raw inputs", columns, rows, "Inputs that lexenc did not make.", folded=True)


def _versions(results: ResultFolders) -> Grid:
    names: dict[str, dict[str, None]] = {}
    for each in results.finished:
        for package, version in each.manifest.versions.items():
            names.setdefault(package, {})[version] = None
    rows = [[Cell(readable(package)), Cell(readable(", ".join(versions)))] for package, versions in names.items()]
    commits = dict.fromkeys(each.manifest.commit[:12] for each in results.finished if each.manifest.commit)
    note = f"Commit of the working repository: {', '.join(commits)}." if commits else ""
    return Grid("Versions", ["package", "version"], rows, readable(note), folded=True)
