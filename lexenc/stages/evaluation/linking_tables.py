"""The scores of entity linking as people read them."""

from __future__ import annotations

from typing import Any

from lexenc.files.text import counted
from lexenc.stage import Table


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def protocol_table(results: list[dict[str, Any]], search: str) -> Table:
    """Lay out the scores: a row for every protocol and denominator of the encoder and of the control.

    Args:
        results: Results, the headline first.
        search: How names were searched, in words.
    """
    rows = []
    for each in results:
        prefix = "control: " if "control" in each else ""
        rows.append(
            [
                f"{prefix}{each['protocol']}, {each['scored']}",
                f"{each['queries']}",
                _percent(each["precision_at_1"]),
                f"{_percent(each['precision_at_1_low'])}-{_percent(each['precision_at_1_high'])}",
                _percent(each["precision_at_5"]),
                _percent(each["precision_at_10"]),
            ]
        )
    head = results[0]
    control = next((f" Control: {each['control']}." for each in results if "control" in each), "")
    note = (
        f"Knowledge base: {counted(head['names'], 'name')} of {counted(head['concepts'], 'concept')}; "
        f"{head['answerable_mentions']:,} of {counted(head['mentions'], 'mention')} have a concept in it (answerable), "
        f"the others are wrong in 'all'. names: every line counts (SapBERT); concepts: only the best name of each. "
        f"Any concept in common counts, {head['case']}, {head['similarity']}, {search}, ties: {head['ties']}, "
        f"seed {head['seed']}.{control}"
    )
    if head["mentions_learnt_from"]:
        stand = "stands" if head["mentions_learnt_from"] == 1 else "stand"
        note += f" NOT A FAIR TEST: {counted(head['mentions_learnt_from'], 'mention')} {stand} in what it was tuned on."
    return Table("Entity linking", ["protocol", "mentions", "P@1", "95 % interval", "P@5", "P@10"], rows, note)


def difference_table(compared: dict[str, Any]) -> Table:
    """Show how much better the encoder is than the control, and whether that is more than chance."""
    row = [
        "encoder - control",
        f"{100 * compared['difference']:+.2f}",
        f"{100 * compared['difference_low']:+.2f} to {100 * compared['difference_high']:+.2f}",
        f"{compared['p_value']:.4f}",
        "yes" if compared["shown"] else "no",
    ]
    note = (
        f"By concept, {counted(compared['queries'], 'answerable mention')}, paired bootstrap, "
        f"{compared['draws']:,} draws, seed {compared['seed']}. Shown: the interval leaves out zero."
    )
    return Table("Encoder against control", ["systems", "P@1 gained", "95 % interval", "p value", "shown"],
                 [row], note)  # fmt: skip
