"""The section on training: the records that results contain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lexenc import charts
from lexenc.errors import LexencError
from lexenc.files.text import counted, json_lines
from lexenc.pages import Cell, Figure, Part, Remark, Section, is_number, number, numbers_of_chart, readable
from lexenc.report.data import ReportData
from lexenc.report.results import ResultFolder
from lexenc.report.verdicts import verdict_table
from lexenc.structured import read_json

_POINTS = 400  # points of one line
_ROWS = 60  # rows of one line in the table
_SERIES = 6  # results that readers can tell apart in one chart
_TRAINING = {"loss": "Loss per step", "learning_rate": "Learning rate per step"}
# Title, axis, and what scores are multiplied by, for the development scores of a metric or of a stage.
_DEVELOPED = {
    "retrieval": ("Retrieval on development data", "P@1 x 100, mean of both directions", 100),
    "sts": ("Sentence similarity on development data", "Spearman x 100", 100),
    "finetune": ("Accuracy on development pairs", "accuracy x 100", 100),
    "pretrain": ("Loss on held-out text", "loss", -1),
    "": ("Score on development data", "score", 1),
}
_LOGARITHMIC = 100  # ratio of the largest to the smallest number from which an axis is logarithmic
_KNOWN = {"step", "epoch", "gradient_norm", "score", *_TRAINING}
_SELF_LEARNING = {
    "objective": "Objective of self-learning",
    "dictionary_size": "Dictionary size of self-learning",
    "validation_precision_at_1": "Validation during self-learning",
    "keep_probability": "Share of similarities kept",
}

_NOTHING = Remark(
    "Nothing here was trained step by step. Fine-tuning an encoder records its loss:",
    "lexenc finetune --pairs train.tsv --encoder mini --out runs/encoder",
)

_Points = list[tuple[float, float]]


def learning(data: ReportData) -> Section:
    """Return the section on losses, self-learning and calibration."""
    lead = "Records that training, self-learning and induction write next to their results."
    parts = [*_training(data), *_self_learning(data)]
    parts += [part for result in data.results.finished for part in _calibration(result)]
    return Section("learning", "Learning", "Training", lead, parts or [_NOTHING])


def _records(data: ReportData, name: str) -> dict[str, list[dict[str, Any]]]:
    """Read the records of a name by result; empty if there is none, or if it is something else."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for each in data.results.finished:
        path = each.folder / name
        try:
            rows = json_lines(path) if path.is_file() else ()
            tables[each.name] = [body for _, body in rows if isinstance(body, dict)]
        except LexencError:
            continue
    return tables


def _points(rows: Sequence[dict[str, Any]], across: str, key: str) -> _Points:
    places = ((row.get(across, i + 1), row.get(key)) for i, row in enumerate(rows))
    return [(x, y) for x, y in places if is_number(x) and is_number(y)]


def _training(data: ReportData) -> list[Part]:
    found = _records(data, "training.jsonl")
    tables = dict([(name, rows) for name, rows in found.items() if _points(rows, "step", "loss")][-_SERIES:])
    parts: list[Part] = []
    terms = {key: None for rows in tables.values() for row in rows[:1] for key in row if key not in _KNOWN}
    for key, title in {**_TRAINING, **{key: f"Term {key} of the loss per step" for key in terms}}.items():
        lines = {name: _points(rows, "step", key) for name, rows in tables.items()}
        means = {name: _epoch_means(rows) for name, rows in tables.items()} if key == "loss" else {}
        parts += _line_chart(lines, title, "step", key.replace("_", " "), means=means)
        parts += _development(data, tables) if key == "loss" else []
    return parts


def _development(data: ReportData, tables: Mapping[str, list[dict[str, Any]]]) -> list[Part]:
    """Return a chart of the development scores of every metric, with the score before training if it is known."""
    results = {each.name: each for each in data.results.finished}
    kinds = {name: _metric_of(results[name]) for name in tables}
    parts: list[Part] = []
    for kind, (title, what, scale) in _DEVELOPED.items():
        lines, said = {}, []
        for name in (each for each in tables if kinds[each] == kind):
            summary = results[name].manifest.summary
            before, best = summary.get("dev_score_before"), summary.get("best_step")
            points = [(0, before)] if is_number(before) else []
            lines[name] = [(x, scale * y) for x, y in [*points, *_points(tables[name], "step", "score")]]
            said += [f"Step 0 of {name} is before training."] if points else []
            said += [f"{name} has the weights of step {best:,}."] if isinstance(best, int) else []
        parts += _line_chart(lines, title, "step", what, said=" ".join(said))
    return parts


def _metric_of(result: ResultFolder) -> str:
    """Return the metric of the development scores of a result, or its stage."""
    known = (result.manifest.params.get("dev_metric"), result.manifest.stage)
    return next((str(each) for each in known if each in _DEVELOPED), "")


def _epoch_means(rows: Sequence[dict[str, Any]]) -> dict[float, tuple[float, float]]:
    """Return the mean loss of every epoch with its last step, since batches differ in difficulty."""
    epochs: dict[float, _Points] = {}
    for i, row in enumerate(rows):
        epoch, step, loss = row.get("epoch"), row.get("step", i + 1), row.get("loss")
        if is_number(epoch) and is_number(step) and is_number(loss):
            epochs.setdefault(epoch, []).append((step, loss))
    return {epoch: (own[-1][0], sum(y for _, y in own) / len(own)) for epoch, own in epochs.items()}


def _self_learning(data: ReportData) -> list[Part]:
    """Return charts of self-learning with verdicts, the worst first."""
    verdicts = {one.result.name: one for one in data.verdicts}
    tables = _records(data, "iterations.jsonl")
    names = sorted(
        (name for name, rows in tables.items() if rows),
        key=lambda name: verdicts[name].rank if name in verdicts else len(verdicts),
    )
    called = {name: f"{name}: {one.word}" for name, one in verdicts.items()}
    parts: list[Part] = [verdict_table(data.verdicts)] if data.verdicts else []
    for start in range(0, len(names), _SERIES):
        part = f" ({start // _SERIES + 1} of {-(-len(names) // _SERIES)})" if len(names) > _SERIES else ""
        for key, title in _SELF_LEARNING.items():
            lines = {name: _points(tables[name], "iteration", key) for name in names[start : start + _SERIES]}
            parts += _line_chart(lines, title + part, "iteration", key.replace("_", " "), called=called)
    return parts


def _thinned(points: _Points, most: int) -> _Points:
    """Average neighbouring points if there are too many."""
    size = -(-len(points) // most)
    blocks = [points[start : start + size] for start in range(0, len(points), size)]
    return [(block[-1][0], sum(y for _, y in block) / len(block)) for block in blocks]


def _line_chart(
    lines: Mapping[str, _Points],
    title: str,
    across: str,
    what: str,
    *,
    means: Mapping[str, Mapping[float, tuple[float, float]]] | None = None,
    called: Mapping[str, str] | None = None,
    said: str = "",
) -> list[Part]:
    """Draw one line for every result; points are means if there are any, else single values."""
    lines = {name: points for name, points in lines.items() if len(points) > 1}
    if not lines:
        return []
    shown = {name: (called or {}).get(name, name) for name in lines}
    drawn: list[dict[str, Any]] = []
    for name, points in lines.items():
        thin, own = _thinned(points, _POINTS), (means or {}).get(name, {})
        for place, (x, y) in enumerate(thin):
            labelled = not own and (len(thin) < _ROWS or place == len(thin) - 1)
            label = {"label": f"{shown[name]}, {across} {x:g}: {y:.4g}"} if labelled else {}
            drawn.append({"series": shown[name], "x": x, "y": y, "line": True, **label})
        for epoch, (x, y) in own.items():
            label = {"label": f"{name}, epoch {epoch:g}: mean {y:.4g}"}
            drawn.append({"series": shown[name], "x": x, "y": y, "line": False, **label})
    rows = [
        [Cell(readable(shown[name]), link=name), number(x, 0), Cell(f"{y:.4g}", y, "number")]
        for name, points in lines.items()
        for x, y in _thinned(points, _ROWS)
    ]
    longest = max(map(len, lines.values()))
    values = [y for points in lines.values() for _, y in points]
    logarithmic = min(values) > 0 and max(values) > _LOGARITHMIC * min(values)
    notes = [said] if said else []
    notes += ["The vertical axis is logarithmic."] if logarithmic else []
    notes += ["Points are means over an epoch, at its end. Thin lines are single steps."] if means else []
    if longest > _POINTS:
        notes.append(f"Lines are means of neighbouring steps, of which there are {longest:,}.")
    if longest > _ROWS:
        notes.append(f"The table has means of neighbouring steps, at most {_ROWS} rows for each result.")
    ends = "; ".join(f"{shown[name]} from {own[0][1]:.3g} to {own[-1][1]:.3g}" for name, own in lines.items())
    about = f"Line chart of {what} over {across}: {ends}."
    spec = charts.lines(drawn, list(shown.values()), width=charts.HALF, x=across, y=what, logarithmic=logarithmic)
    drawing = charts.draw(spec, about)
    data = numbers_of_chart(["result", f"#{across}", f"#{what}"], rows)
    return [Figure(title, readable(about), {"any": drawing}, data, " ".join(notes), half=True)]


def _calibration(result: ResultFolder) -> list[Part]:
    """Draw how well the probabilities of induction hold; nothing if there is no record, or something else."""
    try:
        body = read_json(result.folder / "calibration.json")
    except (LexencError, OSError):
        return []
    if not isinstance(body, dict):
        return []
    measured = body.get("measured")
    thresholds = measured.get("thresholds") if isinstance(measured, dict) else None
    reliability = (
        "Each point is a group of candidates with similar probabilities. On the dashed line, predicted and observed "
        "shares agree."
    )
    coverage = "Precision of the answers above a threshold, and the share of words that still have an answer."
    bins, curve = _shares(body.get("bins"), "mean", "right"), _shares(thresholds, "coverage", "precision")
    titles = f"Reliability of probabilities ({result.name})", f"Precision against coverage ({result.name})"
    return [
        *_share_chart(bins, titles[0], "predicted probability", "share correct", reliability, diagonal=True),
        *_share_chart(curve, titles[1], "coverage", "precision", coverage, diagonal=False),
    ]


def _shares(rows: Any, x: str, y: str) -> list[tuple[float, float, str]]:
    """Return the points in a list of objects with what else is known of them; other objects are skipped."""
    found = []
    for row in rows if isinstance(rows, list) else []:
        values: list[Any] = [row.get(name) for name in (x, y)] if isinstance(row, dict) else []
        if values and all(is_number(value) and 0 <= value <= 1 for value in values):
            more = [
                f"{name} {row[name]:g}" for name in ("count", "threshold", "low", "high") if is_number(row.get(name))
            ]
            found.append((float(values[0]), float(values[1]), ", ".join(more)))
    return found


def _share_chart(
    points: Sequence[tuple[float, float, str]], title: str, x: str, y: str, note: str, *, diagonal: bool
) -> list[Part]:
    if not points:
        return []
    drawn = [{"x": one, "y": other, "label": f"{x} {one:.2f}, {y} {other:.2f}, {more}"} for one, other, more in points]
    about = f"{title}: {counted(len(points), 'point')}."
    drawing = charts.draw(charts.shares(drawn, width=charts.HALF, x=x, y=y, diagonal=diagonal), about)
    rows = [[number(one, 3), number(other, 3), Cell(more)] for one, other, more in points]
    data = numbers_of_chart([f"#{x}", f"#{y}", "also"], rows)
    return [Figure(readable(title), readable(about), {"any": drawing}, data, note, half=True)]
