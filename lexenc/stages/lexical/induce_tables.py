"""How far the probabilities of a lexicon can be trusted, as people read it."""

from __future__ import annotations

from typing import Any

from lexenc.files.text import counted
from lexenc.stage import Table


def curve_table(head: dict[str, Any]) -> Table:
    """Lay out precision and coverage over thresholds.

    Args:
        head: The first result of `induce`.
    """
    rows = []
    for point in head["thresholds"]:
        if point["precision"] is None:
            rows.append([f"{point['threshold']:g}", "0", "", "", "0.0"])
            continue
        span = f"{100 * point['low']:.1f}-{100 * point['high']:.1f}"
        rows.append(
            [
                f"{point['threshold']:g}",
                f"{point['kept']:,}",
                f"{100 * point['precision']:.1f}",
                span,
                f"{100 * point['coverage']:.1f}",
            ]
        )
    without = head["entries_unanswerable"]
    note = (
        f"Best candidate of each of {counted(head['entries'], 'dictionary word')}, "
        f"{_BASES[head['basis']]}; {head['direction']}, candidates: the {head['search_space']} "
        f"({head['search_space_words']:,} words). A translation that the dictionary does not list counts as wrong, so "
        f"that precision is a lower bound{_unanswerable(without, head)}. Wilson intervals. Seed {head['seed']}."
    )
    return Table("Precision and coverage", ["probability from", "words", "precision", "95 %", "coverage"], rows, note)


_BASES = {
    "held out": "held out from all that the vectors learnt from",
    "not learnt from": "none of which the vectors were learnt from",
    "cross-fitted": "each translated by a mapping that was learnt without it",
    "optimistic": "OPTIMISTIC: the vectors were learnt from these very words",
}


def _unanswerable(count: int, head: dict[str, Any]) -> str:
    if not count:
        return ""
    what = "count so too" if head["out_of_vocabulary"] == "wrong" else "are left out"
    return f"; {counted(count, 'word')} of whose translations none has a vector {what}"


def bin_table(head: dict[str, Any], bins: list[dict[str, Any]]) -> Table:
    """Lay probabilities beside outcomes.

    Args:
        head: The first result of `induce`.
        bins: Tenths of the words by probability.
    """
    rows = [
        [
            f"{each['low']:.3f}-{each['high']:.3f}",
            f"{each['count']:,}",
            f"{each['mean']:.3f}",
            f"{each['right']:.3f}",
        ]
        for each in bins
    ]
    note = (
        f"Expected calibration error {head['expected_calibration_error']:.3f} (10 bins of equal mass; 95 % interval "
        f"{head['expected_calibration_error_low']:.3f}-{head['expected_calibration_error_high']:.3f}; perfect "
        f"probabilities would show {head['expected_calibration_error_if_perfect']:.3f} on so few words); "
        f"{head['expected_calibration_error_equal_width']:.3f} in bins of equal width. Brier score "
        f"{head['brier_score']:.4f}. Model: {head['model']}."
    )
    return Table("Are the probabilities true?", ["probability", "words", "mean", "right"], rows, note)
