"""The section on how learning went: whatever records the results happen to hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexenc.errors import LexencError
from lexenc.files.text import counted, json_lines
from lexenc.report import charts
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Cell, Figure, Grid, Part, Remark, Section, number, readable
from lexenc.report.runs import Run

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
    for run in runs:
        section.parts.extend(_iterations(run) + _calibration(run))
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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


# ---------------------------------------------------------------- training


def _training(runs: Sequence[Run]) -> list[Part]:
    tables = {run.name: _records(run.folder / "training.jsonl") for run in runs}
    kept = {name: rows for name, rows in list(tables.items())[-6:] if any(_is_number(row.get("loss")) for row in rows)}
    parts: list[Part] = []
    for key, title, what in (
        ("loss", "Loss per step", "loss"),
        ("learning_rate", "Learning rate per step", "learning rate"),
    ):
        own = {
            name: [(row.get("step", i + 1), row[key]) for i, row in enumerate(rows) if _is_number(row.get(key))]
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
        if _is_number(row.get("epoch")) and _is_number(row.get(key)):
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
) -> Figure:
    """Draw one line per result; the points are means where there are any, else the values, if these are few."""
    drawn: list[dict[str, Any]] = []
    for name, values in table.items():
        thin, own = _thinned(values, _POINTS), means.get(name, [])
        for place, (x, y) in enumerate(thin):
            speaks = not own and (len(thin) < _TABLE or place == len(thin) - 1)
            label = {"label": f"{name}, {across} {x:g}: {y:.4g}"} if speaks else {}
            drawn.append({"series": name, "x": x, "y": y, "line": True, **label})
        drawn += [{"series": name, "x": x, "y": y, "line": False, "label": f"{name}, {say}"} for x, y, say in own]
    rows = [
        [Cell(readable(name), link=name), number(x, 0), Cell(f"{y:.4g}", y, "number")]
        for name, values in table.items()
        for x, y in _thinned(values, _TABLE)
    ]
    longest = max(map(len, table.values()))
    notes = ["Points are means over an epoch, at its end; thin lines are single steps." if any(means.values()) else ""]
    if longest > _POINTS:
        notes.append(f"Lines are means of neighbouring steps: {longest:,} of them are more than can be drawn.")
    if longest > _TABLE:
        notes.append(f"The table has means of neighbours, at most {_TABLE} rows for a result.")
    ends = "; ".join(f"{name} from {values[0][1]:.3g} to {values[-1][1]:.3g}" for name, values in table.items())
    about = f"Line chart of {what} over {across}: {ends}."
    drawing = charts.draw(charts.lines(drawn, list(table), width=charts.HALF, x=across, y=what), about)
    data = Grid("The numbers of this chart", ["result", f"#{across}", f"#{what}"], rows, folded=True)
    return Figure(title, readable(about), {"any": drawing}, data, " ".join(filter(None, notes)), half=True)


# ---------------------------------------------------------------- self-learning

_MEASURES = (
    ("objective", "Objective of self-learning"),
    ("dictionary_size", "Pairs in the dictionary of self-learning"),
    ("validation_precision_at_1", "Validation during self-learning"),
    ("keep_probability", "Share of similarities kept"),
)


def _iterations(run: Run) -> list[Part]:
    records = _records(run.folder / "iterations.jsonl")
    parts: list[Part] = []
    for key, title in _MEASURES:
        points = [(row.get("iteration", i + 1), row[key]) for i, row in enumerate(records) if _is_number(row.get(key))]
        if len(points) > 1:
            heading = f"{title} ({run.name})"
            parts.append(_lines({run.name: points}, heading, "iteration", key.replace("_", " "), {}))
    return parts


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
        if values and all(_is_number(value) and 0 <= value <= 1 for value in values):
            told = [
                f"{name} {row[name]:g}" for name in ("count", "threshold", "low", "high") if _is_number(row.get(name))
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
