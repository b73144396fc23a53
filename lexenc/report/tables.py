"""Tables of results by their JSON keys: the most important columns first, heads and numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lexenc.files.text import counted
from lexenc.pages import Cell, Grid, Part, is_number, readable
from lexenc.report.results import ResultFolder
from lexenc.report.systems import metric_of

Rows = Sequence[tuple[ResultFolder, dict[str, Any]]]

_ROWS = 300
_COLUMNS = 8  # beside the name of the result; a second table has the others
_HEADS = {
    "aer": "AER",
    "expected_calibration_error": "calibration error",
    "knowledge_base_sha256": "knowledge base (SHA-256)",
    "out_of_vocabulary": "without vectors",
    "search_space_words": "candidates",
}
_PERCENT = re.compile(r"(\w+_)?(precision|coverage|gain)(_\w+)?|recall|f1|expected_calibration_error\w*|base_rate")
_DIGEST = re.compile(r"[0-9a-f]{40,}")


def head(key: str) -> str:
    """Return a JSON key as a column head."""
    metric = metric_of(key)
    return metric.head if metric is not None else _HEADS.get(key) or readable(key.replace("_", " "))


def plain(value: Any) -> str:
    """Return a plain value as text."""
    if is_number(value):
        return f"{value:,}" if isinstance(value, int) else decimal(float(value))
    text = readable("" if value is None else value)
    return f"{text[:12]}…" if _DIGEST.fullmatch(text) else text


def decimal(value: float) -> str:
    """Return a number without powers of ten and without meaningless digits."""
    if value == 0:
        return "0"
    if abs(value) < 0.0005:
        return "under 0.001" if value > 0 else "above -0.001"
    if abs(value) < 1:
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def number_of(result: dict[str, Any], key: str) -> Cell:
    """Return a number with its interval, if it has one."""
    values = [result.get(name) for name in (key, f"{key}_low", f"{key}_high")]
    if not is_number(values[0]):
        return Cell("–", float("-inf"), "number quiet")
    texts = [_shown(key, each) for each in values if is_number(each)]
    interval = f" [{texts[1]}, {texts[2]}]" if len(texts) == 3 else ""
    return Cell(texts[0] + interval, float(values[0]), "number")


def _shown(key: str, value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    metric = metric_of(key)
    percent = metric.percent if metric is not None else _PERCENT.fullmatch(key) is not None
    return f"{100 * value:z.1f}" if percent else decimal(float(value))


def table_of(
    title: str, rows: Rows, *, first: Sequence[str] = (), folded: bool = False
) -> list[Part]:
    """Return results as a table; values that are equal in all rows are moved into its note.

    Returns:
        A table with the most important columns, and one with all columns if there are more.
    """
    left_out, rows = len(rows) - _ROWS, rows[:_ROWS]
    keys = _keys(rows, first)
    same = [
        key
        for key in keys
        if len(rows) > 1 and len({str(each.get(key)) for _, each in rows}) == 1 and f"{key}_low" not in rows[0][1]
    ]
    shown = [key for key in keys if key not in same]
    notes = ["Intervals are in brackets. Shares and correlations are x 100."]
    common = [f"{head(key)}: {plain(rows[0][1][key])}" for key in same if rows[0][1].get(key) not in (None, "")]
    notes += [f"The same for all: {'; '.join(common)}."] if common else []
    notes += [f"{counted(left_out, 'more row')} left out."] if left_out > 0 else []
    grid = _grid(title, rows, shown[:_COLUMNS], " ".join(notes), folded)
    if len(shown) <= _COLUMNS:
        return [grid]
    return [grid, _grid(f"{title}: every number", rows, shown, notes[0], folded=True)]


def _keys(rows: Rows, first: Sequence[str]) -> list[str]:
    """Return the keys of plain values: the given ones, then those of metrics, then those with an interval."""
    found: dict[str, bool] = {}
    for _, each in rows:
        for key, value in each.items():
            if value is None or isinstance(value, str | int | float):
                found[key] = found.get(key, False) or f"{key}_low" in each
    own = [key for key in found if not (key.endswith(("_low", "_high")) and key.rsplit("_", 1)[0] in found)]

    def order(key: str) -> tuple[int, bool, bool]:
        return [*first, key].index(key), metric_of(key) is None, not found[key]

    return sorted(own, key=order)


def _grid(
    title: str, rows: Rows, keys: Sequence[str], note: str, folded: bool = False
) -> Grid:
    numeric = {key: all(each.get(key) is None or is_number(each[key]) for _, each in rows) for key in keys}
    heads = [f"#{head(key)}" if numeric[key] else head(key) for key in keys]
    table = []
    for result, each in rows:
        cells = [Cell(readable(result.name), link=result.name)]
        for key in keys:
            text = plain(each.get(key))
            cells.append(number_of(each, key) if numeric[key] else Cell(text or "–", style="" if text else "quiet"))
        table.append(cells)
    return Grid(readable(title), ["result", *heads], table, readable(note), folded=folded)
