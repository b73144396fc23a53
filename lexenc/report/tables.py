"""Tables of any task: columns in the order of their weight, heads and numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from lexenc.files.text import counted
from lexenc.report.parts import Cell, Grid, Part, is_number, readable
from lexenc.report.runs import Run

Results = Sequence[tuple[Run, dict[str, Any]]]

_ROWS = 300
_COLUMNS = 8  # beside the name of the result; the others stand in a second table, on demand

# What a reader looks for first: what tells rows apart, what was measured, over how much. The rest comes as it is.
_ORDER = (
    "source_language", "target_language", "language", "lambda", "candidates", "protocol", "scored", "route",
    "retrieval", "control", "method", "symmetrised", "out_of_vocabulary", "spearman", "aer",
    "expected_calibration_error",
    "expected_calibration_error_if_perfect", "precision_at_1", "precision", "recall", "f1", "pearson", "brier_score",
    "log_loss", "precision_at_5", "precision_at_10", "precision_at_threshold", "coverage_at_threshold", "coverage",
    "pairs", "queries", "sentences", "words", "mean_reciprocal_rank",
)  # fmt: skip
_HEADS = {
    "aer": "AER",
    "f1": "F1",
    "brier_score": "Brier score",
    "expected_calibration_error": "calibration error",
    "expected_calibration_error_equal_width": "calibration error, bins of equal width",
    "expected_calibration_error_if_perfect": "calibration error if perfect",
    "knowledge_base_sha256": "knowledge base (SHA-256)",
    "mean_average_precision": "MAP",
    "mean_reciprocal_rank": "MRR",
    "out_of_vocabulary": "without vectors",
    "pearson": "Pearson",
    "precision_at_1": "P@1",
    "precision_at_5": "P@5",
    "precision_at_10": "P@10",
    "search_space": "chosen among",
    "search_space_words": "words to choose from",
    "spearman": "Spearman",
}
# Shown x 100, as everywhere else.
_SHARE = re.compile(
    r"(\w+_)?(precision|coverage|gain)(_\w+)?|spearman|pearson|aer|recall|f1|expected_calibration_error\w*|base_rate"
)
# Nobody reads all of a digest, and no line breaks within it.
_DIGEST = re.compile(r"[0-9a-f]{40,}")


def head(key: str) -> str:
    """Write the name of a number as people do."""
    return _HEADS.get(key) or readable(key.replace("_", " "))


def plain(value: Any) -> str:
    """Write any plain value."""
    if is_number(value):
        return f"{value:,}" if isinstance(value, int) else decimal(float(value))
    text = readable("" if value is None else value)
    return f"{text[:12]}…" if _DIGEST.fullmatch(text) else text


def decimal(value: float) -> str:
    """Write a number so that it can be read: no powers of ten, no digits that mean nothing."""
    if value == 0:
        return "0"
    if abs(value) < 0.0005:
        return "under 0.001" if value > 0 else "above -0.001"
    if abs(value) < 1:
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def share(key: str) -> bool:
    """Tell whether a number is a share or a correlation, which is shown x 100."""
    return _SHARE.fullmatch(key) is not None


def number_of(result: dict[str, Any], key: str) -> Cell:
    """Write a number with its interval, where it has one."""
    values = [result.get(key), result.get(f"{key}_low"), result.get(f"{key}_high")]
    if not is_number(values[0]):
        return Cell("–", float("-inf"), "number quiet")
    texts = [_figure(key, each) for each in values if is_number(each)]
    interval = f" [{texts[1]}, {texts[2]}]" if len(texts) == 3 else ""
    return Cell(texts[0] + interval, float(values[0]), "number")


def _figure(key: str, value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{100 * value:z.1f}" if share(key) else decimal(float(value))


def _cell(result: dict[str, Any], key: str, *, numeric: bool) -> Cell:
    value = result.get(key)
    if numeric:
        return number_of(result, key)
    if value is None or value == "":
        return Cell("–", style="quiet")
    return Cell(plain(value))


# ---------------------------------------------------------------- any task


def any_task(title: str, results: Results) -> list[Part]:
    """Lay out the results of a task by the names that it gave them; what is the same everywhere goes into the note.

    Args:
        title: Of the table.
        results: Rows.

    Returns:
        A table with what matters, and one with everything where that is more.
    """
    left_out = len(results) - _ROWS
    results = results[:_ROWS]
    keys = _keys(each for _, each in results)
    same = [key for key in keys if len(results) > 1 and len({str(each.get(key)) for _, each in results}) == 1]
    # What is measured stays in sight, even where it came out the same everywhere.
    same = [key for key in same if f"{key}_low" not in results[0][1]]
    shown = [key for key in keys if key not in same]
    notes = ["Intervals stand in brackets; shares and correlations are x 100."]
    told = [f"{head(key)}: {plain(results[0][1][key])}" for key in same if results[0][1].get(key) not in (None, "")]
    notes += [f"The same for all: {'; '.join(told)}."] if told else []
    notes += [f"{counted(left_out, 'more row')} left out."] if left_out > 0 else []
    grid = _grid(title, results, shown[:_COLUMNS], " ".join(notes))
    if len(shown) <= _COLUMNS:
        return [grid]
    return [grid, _grid(f"{title}: every number", results, shown, notes[0], folded=True)]


def _keys(results: Iterable[dict[str, Any]]) -> list[str]:
    """Name what is plain, by weight: the well-known first, then what has an interval."""
    found: dict[str, bool] = {}
    for each in results:
        for key, value in each.items():
            if value is None or isinstance(value, str | int | float):
                found[key] = found.get(key, False) or f"{key}_low" in each
    own = [key for key in found if not (key.endswith(("_low", "_high")) and key.rsplit("_", 1)[0] in found)]

    def weight(key: str) -> tuple[int, bool]:
        return _ORDER.index(key) if key in _ORDER else len(_ORDER), not found[key]

    return sorted(own, key=weight)


def _grid(title: str, results: Results, keys: Sequence[str], note: str, *, folded: bool = False) -> Grid:
    numeric = {key: all(each.get(key) is None or is_number(each[key]) for _, each in results) for key in keys}
    heads = [f"#{head(key)}" if numeric[key] else head(key) for key in keys]
    rows = [
        [Cell(readable(run.name), link=run.name), *(_cell(each, key, numeric=numeric[key]) for key in keys)]
        for run, each in results
    ]
    return Grid(readable(title), ["result", *heads], rows, readable(note), folded=folded)


# ---------------------------------------------------------------- differences


def differences(title: str, results: Results) -> Grid:
    """Lay out what was compared: both sides, the difference with its interval, and whether it is shown."""
    rows = [_difference_row(run, each) for run, each in results[:_ROWS]]
    columns = ["result", "#difference", "#95 % interval", "answer", "first against second", "by", "#first", "#second"]
    columns.append("#count")
    note = (
        "First less second, x 100, by paired bootstrap. A difference is shown where its interval leaves out zero; one "
        "that is not shown is not known to be none."
    )
    return Grid(readable(title), columns, rows, note)


def _difference_row(run: Run, result: dict[str, Any]) -> list[Cell]:
    low, high = result.get("difference_low"), result.get("difference_high")
    ends = f"[{100 * low:.1f}, {100 * high:.1f}]" if is_number(low) and is_number(high) else ""
    by = [head(str(result.get("metric", ""))), *(str(result[key]) for key in ("protocol", "scored") if key in result)]
    count = next((result[key] for key in ("queries", "count", "pairs") if is_number(result.get(key))), None)
    return [
        Cell(readable(run.name), link=run.name),
        _hundredfold(result.get("difference"), sign=True),
        Cell(ends, 100 * low if is_number(low) else None, "number"),
        answer(result.get("difference"), low, high),
        Cell(readable(result.get("comparison") or _sides(run))),
        Cell(readable(", ".join(filter(None, by)))),
        *(_hundredfold(result.get(key), sign=False) for key in ("first", "second")),
        Cell("" if count is None else f"{count:,}", count, "number"),
    ]


def _sides(run: Run) -> str:
    records = [run.manifest.inputs.get(side) for side in ("first", "second")]
    return " against ".join(each[0].given for each in records if each)


def _hundredfold(value: Any, *, sign: bool) -> Cell:
    if not is_number(value):
        return Cell("–", style="number quiet")
    return Cell(f"{100 * value:{'+' if sign else ''}z.1f}", 100 * value, "number")


def answer(value: Any, low: Any, high: Any) -> Cell:
    """Say whether a difference is shown, by its interval alone."""
    if not (is_number(value) and is_number(low) and is_number(high)):
        return Cell("no interval", style="quiet")
    if low <= 0 <= high:
        return Cell("not shown", style="quiet")
    return Cell("shown", style="right") if value > 0 else Cell("shown: the other way round", style="wrong")
