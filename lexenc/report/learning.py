"""The section on how learning went: whatever records the results happen to hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexenc.errors import LexencError
from lexenc.files.text import counted, json_lines
from lexenc.report import charts
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Cell, Figure, Grid, Part, Remark, Section, is_number, number, readable
from lexenc.report.runs import Run
from lexenc.report.verdicts import verdict_table

_POINTS = 400  # points of one line; a chart cannot show more
_TABLE = 60


def learning(evidence: Evidence) -> Section:
    """Loss, self-learning and calibration."""
    section = Section(
        "learning",
        "Learning",
        "How learning went",
        "Records that tuning, self-learning and induction leave beside their results.",
    )
    runs = evidence.runs.finished
    section.parts.extend(_training([run for run in runs if (run.folder / "training.jsonl").is_file()]))
    section.parts.extend(_self_learning(evidence))
    for run in runs:
        section.parts.extend(_calibration(run))
    if not section.parts:
        section.parts.append(
            Remark(
                "Nothing here was learnt step by step. Tuning an encoder leaves its loss:",
                "lexenc finetune --pairs train.tsv --encoder mini --out runs/encoder",
            )
        )
    return section


def _records(path: Path) -> list[dict[str, Any]]:
    """Read a record; nothing where it is not there or something else."""
    if not path.is_file():
        return []
    try:
        return [body for _, body in json_lines(path) if isinstance(body, dict)]
    except LexencError:
        return []


# ---------------------------------------------------------------- training


def _training(runs: Sequence[Run]) -> list[Part]:
    tables = {run.name: _records(run.folder / "training.jsonl") for run in runs}
    kept = {name: rows for name, rows in list(tables.items())[-6:] if any(is_number(row.get("loss")) for row in rows)}
    parts: list[Part] = []
    for key, title, what in (
        ("loss", "Loss per step", "loss"),
        ("learning_rate", "Learning rate per step", "learning rate"),
    ):
        own = {
            name: [(row.get("step", i + 1), row[key]) for i, row in enumerate(rows) if is_number(row.get(key))]
            for name, rows in kept.items()
        }
        own = {name: points for name, points in own.items() if len(points) > 1}
        means = {name: _epoch_means(kept[name], key) for name in own} if key == "loss" else {}
        if own:
            parts.append(_lines(own, title, "step", what, means))
    return parts


def _epoch_means(rows: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float, str]]:
    """Give the mean of every epoch, at its last step; one batch is easier than another."""
    epochs: dict[float, list[tuple[float, float]]] = {}
    for i, row in enumerate(rows):
        if is_number(row.get("epoch")) and is_number(row.get(key)):
            epochs.setdefault(row["epoch"], []).append((row.get("step", i + 1), row[key]))
    return [
        (own[-1][0], mean, f"epoch {epoch:g}: mean {mean:.4g}")
        for epoch, own in epochs.items()
        for mean in [sum(y for _, y in own) / len(own)]
    ]


def _thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Take means of neighbours where there are too many to draw; the last point stays what it was."""
    if len(points) <= most:
        return [*points]
    size = -(-len(points) // most)
    blocks = [points[start : start + size] for start in range(0, len(points), size)]
    return [(block[-1][0], sum(y for _, y in block) / len(block)) for block in blocks]


def _lines(
    table: dict[str, list[tuple[float, float]]],
    title: str,
    across: str,
    what: str,
    means: dict[str, list[tuple[float, float, str]]],
    called: Mapping[str, str] | None = None,
) -> Figure:
    """Draw one line per result, called as is said; the points are means where there are any, else few values."""
    shown = {name: (called or {}).get(name, name) for name in table}
    drawn: list[dict[str, Any]] = []
    for name, values in table.items():
        thin, own = _thinned(values, _POINTS), means.get(name, [])
        for place, (x, y) in enumerate(thin):
            speaks = not own and (len(thin) < _TABLE or place == len(thin) - 1)
            label = {"label": f"{shown[name]}, {across} {x:g}: {y:.4g}"} if speaks else {}
            drawn.append({"series": shown[name], "x": x, "y": y, "line": True, **label})
        drawn += [
            {"series": shown[name], "x": x, "y": y, "line": False, "label": f"{name}, {say}"} for x, y, say in own
        ]
    rows = [
        [Cell(readable(shown[name]), link=name), number(x, 0), Cell(f"{y:.4g}", y, "number")]
        for name, values in table.items()
        for x, y in _thinned(values, _TABLE)
    ]
    longest = max(map(len, table.values()))
    notes = ["Points are means over an epoch, at its end; thin lines are single steps." if any(means.values()) else ""]
    if longest > _POINTS:
        notes.append(f"Lines are means of neighbouring steps: {longest:,} of them are more than can be drawn.")
    if longest > _TABLE:
        notes.append(f"The table has means of neighbours, at most {_TABLE} rows for a result.")
    ends = "; ".join(f"{shown[name]} from {values[0][1]:.3g} to {values[-1][1]:.3g}" for name, values in table.items())
    about = f"Line chart of {what} over {across}: {ends}."
    drawing = charts.draw(charts.lines(drawn, list(shown.values()), width=charts.HALF, x=across, y=what), about)
    data = Grid("The numbers of this chart", ["result", f"#{across}", f"#{what}"], rows, folded=True)
    return Figure(title, readable(about), {"any": drawing}, data, " ".join(filter(None, notes)), half=True)


# ---------------------------------------------------------------- self-learning

_MEASURES = (
    ("objective", "Objective of self-learning"),
    ("dictionary_size", "Pairs in the dictionary of self-learning"),
    ("validation_precision_at_1", "Validation during self-learning"),
    ("keep_probability", "Share of similarities kept"),
)


_TOGETHER = 6  # results that can be told apart in one chart


def _self_learning(evidence: Evidence) -> list[Part]:
    """Draw all results that learnt by themselves in one set of charts, each with its verdict, the worst first."""
    words = {one.run.name: one.word for one in evidence.verdicts}
    tables = {run.name: _records(run.folder / "iterations.jsonl") for run in evidence.runs.finished}
    names = sorted((name for name, rows in tables.items() if rows), key=lambda name: _ORDER.get(words.get(name, ""), 3))
    parts: list[Part] = [verdict_table(evidence.verdicts)] if evidence.verdicts else []
    for start in range(0, len(names), _TOGETHER):
        own = names[start : start + _TOGETHER]
        part = f" ({start // _TOGETHER + 1} of {-(-len(names) // _TOGETHER)})" if len(names) > _TOGETHER else ""
        for key, title in _MEASURES:
            lines = {name: _points(tables[name], key) for name in own}
            lines = {name: points for name, points in lines.items() if len(points) > 1}
            called = {name: f"{name}: {words[name]}" if name in words else name for name in lines}
            if lines:
                parts.append(_lines(lines, title + part, "iteration", key.replace("_", " "), {}, called))
    return parts


_ORDER = {"not found": 0, "doubtful": 1, "found": 2}


def _points(rows: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(row.get("iteration", i + 1), row[key]) for i, row in enumerate(rows) if is_number(row.get(key))]


# ---------------------------------------------------------------- calibration


def _calibration(run: Run) -> list[Part]:
    """Draw what induction left on how far its probabilities hold; nothing where it is not there or something else."""
    path = run.folder / "calibration.json"
    if not path.is_file():
        return []
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return []
    if not isinstance(body, dict):
        return []
    parts: list[Part] = []
    bins = _shares(body.get("bins"), "mean", "right")
    if bins:
        note = (
            "Each point is a group of candidates of about the same probability; on the dashed line what was said is "
            "what was found."
        )
        titles = (f"Probabilities said and found ({run.name})", "probability said", "share found right", note)
        parts.append(_between(bins, *titles, diagonal=True))
    measured = body.get("measured")
    curve = _shares(measured.get("thresholds") if isinstance(measured, dict) else None, "coverage", "precision")
    if curve:
        note = (
            "How precise the answers are if only those above a threshold are kept, and how many words still have one."
        )
        titles = (f"Precision against coverage ({run.name})", "coverage", "precision", note)
        parts.append(_between(curve, *titles, diagonal=False))
    return parts


@dataclass(frozen=True)
class _Share:
    """A point between 0 and 1 on both axes.

    Args:
        x: Along.
        y: Up.
        more: What else is known of it.
    """

    x: float
    y: float
    more: str


def _shares(rows: Any, first: str, second: str) -> list[_Share]:
    """Take the points out of a list of objects; what is no point is left out."""
    found = []
    for row in rows if isinstance(rows, list) else []:
        values: list[Any] = [row.get(name) for name in (first, second)] if isinstance(row, dict) else []
        if values and all(is_number(value) and 0 <= value <= 1 for value in values):
            told = [
                f"{name} {row[name]:g}" for name in ("count", "threshold", "low", "high") if is_number(row.get(name))
            ]
            found.append(_Share(float(values[0]), float(values[1]), ", ".join(told)))
    return found


def _between(points: Sequence[_Share], title: str, x: str, y: str, note: str, *, diagonal: bool) -> Figure:
    drawn = [{"x": one.x, "y": one.y, "label": f"{x} {one.x:.2f}, {y} {one.y:.2f}, {one.more}"} for one in points]
    about = f"{title}: {counted(len(points), 'point')}."
    rows = [[number(one.x, 3), number(one.y, 3), Cell(one.more)] for one in points]
    data = Grid("The numbers of this chart", [f"#{x}", f"#{y}", "also"], rows, folded=True)
    drawing = charts.draw(charts.shares(drawn, width=charts.HALF, x=x, y=y, diagonal=diagonal), about)
    return Figure(readable(title), readable(about), {"any": drawing}, data, note, half=True)
