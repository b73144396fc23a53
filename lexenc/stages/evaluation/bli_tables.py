"""The scores of word translation as people read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lexenc.files.text import counted
from lexenc.stage import Table


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _easier(one: dict[str, Any]) -> str:
    """Label a row where there was less to choose from; rows are copied without the note below them."""
    return f", {one['search_space']}" if one["search_space"].startswith("test") else ""


def convention_table(objects: list[dict[str, Any]], *, sweep: bool) -> Table:
    """Lay out the scores of one system: a row for every convention and control.

    Args:
        objects: Results of one system, the headline first.
        sweep: Whether it is one of several values of lambda.
    """
    columns = ["convention", "queries", "P@1", "95 % interval", "P@5", "P@10", "MRR", "MAP"]
    head = objects[0]
    rows = []
    for each in objects:
        if "control" in each:
            rows.append(
                [
                    f"control: {each['control']}{_easier(each)}",
                    f"{each['queries']}",
                    _percent(each["precision_at_1"]),
                    *[""] * 5,
                ]
            )
            continue
        span = (
            f"{_percent(each['precision_at_1_low'])}-{_percent(each['precision_at_1_high'])}" if each["queries"] else ""
        )
        rows.append(
            [
                f"per {each['query_unit']}{'' if each['out_of_vocabulary'] == 'left out' else ', all lines'}"
                f"{_easier(each)}",
                f"{each['queries']}",
                _percent(each["precision_at_1"]),
                span,
                _percent(each["precision_at_5"]),
                _percent(each["precision_at_10"]),
                f"{each['mean_reciprocal_rank']:.4f}",
                f"{each['mean_average_precision']:.4f}",
            ]
        )
    note = (
        f"{_setting(head)}, coverage {100 * head['coverage']:.1f} %, ties: {head['ties']}, seed {head['seed']}. "
        "Words without vectors are left out; in 'all lines' they are wrong."
        f"{_learnt_from(head)}"
    )
    title = f"Word translation at lambda {head['lambda']:g}, the headline" if sweep else "Word translation"
    return Table(title, columns, rows, note)


def _learnt_from(head: dict[str, Any]) -> str:
    """Say that scores are too high; tables are copied without the warnings above them."""
    count = head["pairs_learnt_from"]
    was = "was" if count == 1 else "were"
    return f" NOT A FAIR TEST: {counted(count, 'test pair')} {was} learnt from." if count else ""


def _setting(head: dict[str, Any]) -> str:
    """Say how answers were found: ranking, which column asks, and what there was to choose from."""
    asks, answers = head["direction"].split("-")
    space = f"the {head['search_space']} ({counted(head['search_space_words'], 'word')})"
    if _easier(head):
        words = counted(head["search_space_words"], f"{answers} word")
        space = f"the {words} of the test dictionary only (--candidates test, far easier)"
    return f"{head['retrieval']}, {head['direction']} (the {asks} column asks), candidates: {space}"


def sweep_table(results: list[list[dict[str, Any]]], dictionary: Path) -> Table:
    """Lay the scores out as Table 8 of the paper: a row for the pair, a column for every lambda.

    Args:
        results: Results of every lambda, each with its headline first.
        dictionary: The test dictionary, which names the row.
    """
    heads = [own[0] for own in results]
    names = ["static(0.0)" if head["lambda"] == 0 else f"{head['lambda']:g}" for head in heads]
    name = dictionary.parent.name or "pair"
    rows = [
        [name + _easier(heads[0]), *(f"{100 * head['precision_at_1']:.1f}" for head in heads)],
        # Two short rows fit a narrow window where one of ranges does not.
        ["95 % from", *(f"{100 * head['precision_at_1_low']:.1f}" for head in heads)],
        ["95 % to", *(f"{100 * head['precision_at_1_high']:.1f}" for head in heads)],
    ]
    head = heads[0]
    queries, asks = counted(head["queries"], "query", "queries"), head["direction"].split("-")[0]
    origin = "the folder of the test dictionary" if dictionary.parent.name else "the test dictionary"
    note = (
        f"Row '{name}' ({origin}): P@1 x 100 for every lambda, from 0 (the static vectors alone) to 1 (the encoder "
        "alone); below it the ends of its 95 % bootstrap interval. "
        f"{_setting(head)}, {queries} ({asks} words with vectors on both sides).{_learnt_from(head)}"
    )
    return Table("Word translation over lambda", ["pair \\ lambda", *names], rows, note)
