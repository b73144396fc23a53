"""The scores of word similarity as people read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lexenc.files.text import counted
from lexenc.stage import Table

_NOTHING = "-"


def _hundredfold(value: float | None, digits: int = 2) -> str:
    return _NOTHING if value is None else f"{100 * value:.{digits}f}"


def convention_table(objects: list[dict[str, Any]], *, sweep: bool) -> Table:
    """Lay out the scores of one system: a row for every convention and the control.

    Args:
        objects: Results of one system, the headline first.
        sweep: Whether it is one of several values of lambda.
    """
    head = objects[0]
    level = f"{100 * head['level']:g} %"
    rows = []
    for each in objects:
        ends = [_hundredfold(each[f"spearman_{end}"]) for end in ("low", "high")]
        span = _NOTHING if _NOTHING in ends else " to ".join(ends)
        pearson = "" if "control" in each else _hundredfold(each["pearson"])
        rows.append([_name(each), f"{each['pairs']}", _hundredfold(each["spearman"]), span, pearson])
    title = f"Word similarity at lambda {head['lambda']:g}, the headline" if sweep else "Word similarity"
    columns = ["convention", "pairs", "Spearman", f"{level} interval", "Pearson"]
    return Table(f"{title} (x 100)", columns, rows, _note(objects))


def _name(one: dict[str, Any]) -> str:
    if "control" in one:
        return f"control: {one['control']}"
    return _COUNTED.get(one["counted"]) or f"all pairs, else {_back_off(one)}"


_COUNTED = {"static": "pairs with static vectors", "covered": "covered pairs"}


def _back_off(one: dict[str, Any]) -> str:
    return str(one["out_of_vocabulary"]).removeprefix("similarity ")


def _note(objects: list[dict[str, Any]]) -> str:
    head = objects[0]
    parts = [
        f"Cosine, {head['format']}{_setting(head)}, coverage {100 * head['coverage']:.1f} % of "
        f"{counted(head['test_pairs'], 'pair')}, ties: {head['ties']}, {head['draws']:,} draws, seed {head['seed']}. "
        "A pair with a word without a vector is left out; in 'all pairs' it gets the similarity named. The control's "
        "interval is the spread over random orders of the scores."
    ]
    if head["words_encoder_alone"] and head.get("lambda", 1) < 1:
        parts.append(f"The encoder alone stands for {counted(head['words_encoder_alone'], 'word')}.")
    if head["words_averaged"]:
        parts.append(f"{counted(head['words_averaged'], 'phrase')} by the mean of their parts.")
    if head["words_with_underscores"]:
        parts.append(f"{counted(head['words_with_underscores'], 'phrase')} found with underscores.")
    if head["undefined"]:
        parts.append(f"No correlation: {head['undefined']}.")
    return " ".join(parts)


def _setting(head: dict[str, Any]) -> str:
    """Say where static vectors were looked up, and what became of words without one."""
    return f", side {head['side']}, words without a static vector: {head['missing']}" if "side" in head else ""


def sweep_table(results: list[list[dict[str, Any]]], pairs: Path) -> Table:
    """Lay the scores out as Table 12 of the paper: a row for the pairs, a column for every lambda.

    Args:
        results: Results of every lambda, each with its headline first.
        pairs: The test pairs, which name the row.
    """
    heads = [own[0] for own in results]
    names = ["static(0.0)" if head["lambda"] == 0 else f"{head['lambda']:g}" for head in heads]
    level = f"{100 * heads[0]['level']:g} %"
    wider = [next((each for each in own[1:] if each.get("counted") == "covered"), None) for own in results]
    rows = [
        [pairs.stem, *(_hundredfold(head["spearman"], 1) for head in heads)],
        [f"{level} from", *(_hundredfold(head["spearman_low"], 1) for head in heads)],
        [f"{level} to", *(_hundredfold(head["spearman_high"], 1) for head in heads)],
        ["coverage %", *(f"{100 * head['coverage']:.1f}" for head in heads)],
    ]
    if any(wider):
        rows += [
            ["more pairs", *(_NOTHING if each is None else _hundredfold(each["spearman"], 1) for each in wider)],
            ["coverage %", *(_NOTHING if each is None else f"{100 * each['coverage']:.1f}" for each in wider)],
        ]
    counts = {"static": "the pairs with static vectors", "all": "all pairs"}.get(heads[0]["counted"], "covered pairs")
    note = (
        f"Spearman x 100 of {counts} for every lambda, from 0 (the static vectors alone) to 1 (the encoder alone), "
        f"with the ends of its bootstrap interval: {counted(heads[0]['pairs'], 'pair')}, the same for every lambda."
    )
    if any(wider):
        note += (
            " More pairs: those, too, of which the encoder alone stands for a word; not to be compared with the row "
            "above, nor with a lambda that has none."
        )
    return Table("Word similarity over lambda", ["pairs \\ lambda", *names], rows, note)
