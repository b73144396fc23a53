"""The scores of word alignment as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lexenc.files.text import counted
from lexenc.stage import Table

_NOTHING = "-"
_COLUMNS = ("aer", "precision", "recall", "f1")


def _hundredfold(value: float | None) -> str:
    return _NOTHING if value is None else f"{100 * value:.2f}"


def _span(one: dict[str, Any], metric: str) -> str:
    low, high = (one[f"{metric}_{end}"] for end in ("low", "high"))
    # One digit, and no more words than must be, so that all columns fit into a window of 80.
    return _NOTHING if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"


def score_table(results: Sequence[dict[str, Any]]) -> Table:
    """Lay out the scores of the system and of the controls.

    Args:
        results: The headline first.
    """
    head = results[0]
    level = f"{100 * head['level']:g} %"
    rows = [
        [
            f"control: {each['control']}" if "control" in each else "alignment",
            f"{each['predicted']:,}",
            _hundredfold(each["aer"]),
            _span(each, "aer"),
            *(cell for metric in _COLUMNS[1:3] for cell in (_hundredfold(each[metric]), _span(each, metric))),
            # The interval of the last is in the numbers for programs: more columns break in a window of 80.
            _hundredfold(each["f1"]),
        ]
        for each in results
    ]
    columns = ["links of", "links", "AER", level, "precision", level, "recall", level, "F1"]
    return Table("Word alignment (x 100; a lower AER is better)", columns, rows, _note(head))


def _note(head: dict[str, Any]) -> str:
    return (
        f"{counted(head['sentences'], 'sentence pair')} taken together, {counted(head['sure'], 'sure link')} and "
        f"{head['possible']:,} more possible ones; a possible link is right where there is one, and not missed where "
        f"there is none. Words counted from {head['gold_counts_from']} in the gold file, from "
        f"{head['predicted_counts_from']} in the other. Bootstrap of the sentence pairs, {head['draws']:,} draws, seed "
        f"{head['seed']}."
    )


def band_table(bands: Sequence[dict[str, Any]]) -> Table:
    """Lay out the scores of links of one kind, band by band.

    Args:
        bands: In order; all of the frequency of the source word, or all of the distance from the diagonal.
    """
    what, title, note = {
        "frequency": ("times", "By frequency of the source word", "How often the word comes in these sentences."),
        "distance": (
            "words",
            "By distance from the diagonal",
            "How many words the target word is from where the source word would be if both sentences went on evenly.",
        ),
    }[bands[0]["by"]]
    rows = [
        [
            each["band"],
            f"{each['sure']:,}",
            f"{each['predicted']:,}",
            _hundredfold(each["aer"]),
            _span(each, "aer"),
            *(_hundredfold(each[metric]) for metric in _COLUMNS[1:]),
        ]
        for each in bands
    ]
    level = f"{100 * bands[0]['level']:g} %"
    columns = [what, "sure links", "links", "AER", level, "precision", "recall", "F1"]
    return Table(f"{title} (x 100)", columns, rows, note)
