"""A table as it was made here beside the paper's, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from lexenc.artifact import Manifest
from lexenc.recipes.expansion import folder_name
from lexenc.recipes.paper import Cell, Entry, Paper, RecipeTable
from lexenc.stage import Table

State = Literal["done", "not asked", "no data", "failed"]
# In place of a number.
MARKS: dict[State, str] = {"not asked": "-", "no data": "?", "failed": "!"}
_NOTHING = "-"
# Which keys of a result name a convention, and how they are read.
_CONVENTIONS = (
    "retrieval", "direction", "search_space", "query_unit", "out_of_vocabulary", "protocol", "scored", "similarity",
    "case", "missing", "ties", "seed",
)  # fmt: skip
AVERAGE = "average"


@dataclass(frozen=True)
class Score:
    """A result of ours, times 100.

    Args:
        value: The number.
        low: Lower end of its interval; None where it has none.
        high: Upper end.
        result: All that the stage says of it.
    """

    value: float
    low: float | None
    high: float | None
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Systems:
    """The encoders that are really used, and how labels name them.

    Args:
        used: Encoder by its name in the paper, for those that are asked for.
        labels: Label of what stands in for an encoder of the paper, by its name there.
    """

    used: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, paper: Paper, used: Mapping[str, str]) -> Systems:
        """Tell which encoders are the paper's own and which stand in for one of them."""
        labels = {name: folder_name(own) for name, own in used.items() if not _is_copy(own, paper.encoders[name])}
        return cls({**paper.encoders, **used}, labels)

    def label(self, text: str) -> str:
        """Name in a label what is really used."""
        return " ".join(self.labels.get(word, word) for word in text.split(" "))

    def stands_in(self, entry: Entry) -> str | None:
        """Give the encoder of the paper in whose place another is used for an entry; None where none is."""
        name = entry.cells[0].encoder
        return name if name in self.labels else None

    def encoder(self, entry: Entry) -> str | None:
        """Give the encoder of an entry; None for static vectors alone."""
        name = entry.cells[0].encoder
        return None if name is None else self.used[name]


def _is_copy(own: str, name: str) -> bool:
    """Tell whether an encoder is one of the hub, under its name or as a folder of that name."""
    names = {name.lower(), name.rpartition("/")[2].lower(), f"models--{name.replace('/', '--')}".lower()}
    return own.lower() == name.lower() or bool(names & {part.lower() for part in Path(own).parts})


@dataclass(frozen=True)
class Compared:
    """One place of a table, here and in the paper.

    Args:
        row: Label of its row.
        column: Label of its column.
        encoder: What was asked; None for static vectors alone.
        state: Whether there is a number of ours.
        scores: Ours of every cell that has one.
        asked: How many cells were asked for.
        figure: The paper's over the same cells; over all that were asked for where there is no number of ours, and
            None where another encoder stands in for the paper's.
        others: The paper's of the encoders that this one stands in for, by their names.
        reason: Why there is none.
    """

    row: str
    column: str
    encoder: str | None
    state: State
    scores: tuple[Score, ...]
    asked: int
    figure: float | None
    others: Mapping[str, float | None] = field(default_factory=dict)
    reason: str = ""

    @property
    def value(self) -> float | None:
        """Our number."""
        return fmean(score.value for score in self.scores) if self.scores else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its interval; a mean over pairs has none."""
        only = self.scores[0] if len(self.scores) == 1 == self.asked else None
        return (only.low, only.high) if only is not None and only.low is not None and only.high is not None else None

    @property
    def difference(self) -> float | None:
        """Ours less the paper's."""
        return None if self.value is None or self.figure is None else self.value - self.figure


@dataclass(frozen=True)
class Found:
    """What came of the cells.

    Args:
        scores: Results of ours.
        reasons: Why a cell has none, by cell.
        failed: Which of these were tried.
    """

    scores: Mapping[Cell, Score]
    reasons: Mapping[Cell, str]
    failed: frozenset[Cell] = frozenset()

    def state(self, cells: Sequence[Cell]) -> State:
        """Say what became of some cells that have no number."""
        if any(cell in self.failed for cell in cells):
            return "failed"
        return "no data" if any(cell in self.reasons for cell in cells) else "not asked"


def score_of(paper: Paper, cell: Cell, manifest: Manifest) -> Score | None:
    """Find the number of a cell among the results of the step that it is read from."""
    dataset = paper.datasets[cell.dataset]
    key, wanted = dataset["metrics"][cell.metric], dict(dataset["convention"])
    if cell.weight is not None:
        wanted["lambda"] = cell.weight
    for result in manifest.results:
        if "control" not in result and all(result.get(name) == value for name, value in wanted.items()):
            ends = [result.get(f"{key}_{end}") for end in ("low", "high")]
            low, high = (None if end is None else 100 * end for end in ends)
            return None if result[key] is None else Score(100 * result[key], low, high, result)
    return None


def compare(
    paper: Paper, table: RecipeTable, found: Found, wanted: Sequence[Cell], systems: Systems
) -> dict[str, list[Compared]]:
    """Put ours beside the paper's.

    Args:
        paper: What its tables share.
        table: The table.
        found: Our results.
        wanted: Cells in question; rows and columns without any are left out.
        systems: The encoders; where one stands in for several of the paper's, these are one place.

    Returns:
        Places by row, in order; with a row of averages where the paper has one and there are several rows.
    """
    asked = set(wanted)
    shown = {entry.column for entry in table.entries() if asked & set(entry.cells)}
    grouped: dict[str, dict[str, list[Entry]]] = {}
    for label, entries in table.rows.items():
        if any(asked & set(entry.cells) for entry in entries):
            row = grouped.setdefault(systems.label(label), {})
            for entry in (each for each in entries if each.column in shown):
                row.setdefault(systems.label(entry.column), []).append(entry)
    rows = {
        label: [_compared((label, column), many, paper, systems, found, asked) for column, many in row.items()]
        for label, row in grouped.items()
    }
    if table.averages and len(rows) > 1:
        columns: dict[str, list[Entry]] = {}
        for column, stated in zip(table.columns, table.averages, strict=True):
            if column in shown:
                columns.setdefault(systems.label(column), []).append(_whole(table, column, stated))
        rows[AVERAGE] = [
            _compared((AVERAGE, column), many, paper, systems, found, asked) for column, many in columns.items()
        ]
    return rows


def _whole(table: RecipeTable, column: str, stated: float) -> Entry:
    """Give all cells of a column as one entry."""
    cells = tuple(cell for entry in table.entries() if entry.column == column for cell in entry.cells)
    return Entry(AVERAGE, column, cells, stated)


def _compared(
    labels: tuple[str, str], entries: Sequence[Entry], paper: Paper, systems: Systems, found: Found, asked: set[Cell]
) -> Compared:
    """Compare the mean of some cells with the paper's over those that have a number."""
    # Those of one encoder have one number of ours; the paper's own has a figure to compare it with.
    own = next((entry for entry in entries if systems.stands_in(entry) is None), None)
    basis = own or entries[0]
    done = [cell for cell in basis.cells if cell in asked and cell in found.scores]
    missing = [cell for cell in basis.cells if cell in asked and cell not in found.scores]
    compared = {replace(cell, encoder=None) for cell in done or missing}
    others = {name: _figure(paper, entry, compared) for entry in entries if (name := systems.stands_in(entry))}
    return Compared(
        *labels,
        systems.encoder(basis),
        "done" if done else found.state(missing),
        tuple(found.scores[cell] for cell in done),
        len(done) + len(missing),
        None if own is None else _figure(paper, own, compared),
        others,
        next((found.reasons[cell] for cell in missing if cell in found.reasons), ""),
    )


def _figure(paper: Paper, entry: Entry, compared: set[Cell]) -> float | None:
    """Give the paper's figure over some of the cells of an entry, whatever their encoder."""
    cells = [cell for cell in entry.cells if replace(cell, encoder=None) in compared]
    return entry.figure if len(cells) == len(entry.cells) else paper.mean_figure(cells)


# ---------------------------------------------------------------- showing


def as_table(table: RecipeTable, rows: Mapping[str, list[Compared]], systems: Systems, remarks: Sequence[str]) -> Table:
    """Lay out ours, its interval, the paper's and the difference, one under the other.

    Args:
        table: The table.
        rows: From `compare`.
        systems: The encoders.
        remarks: What else to say below it.
    """
    columns = [each.column for each in next(iter(rows.values()))]
    lines = [line for label, places in rows.items() for line in _lines(label, places)]
    places = [each for row in rows.values() for each in row]
    return Table(
        f"{table.name}: {systems.label(table.title)}",
        ["", "x 100", *columns],
        lines,
        " ".join([*_notes(places), *remarks]),
    )


def _lines(label: str, places: list[Compared]) -> Iterator[list[str]]:
    if any(each.state != "not asked" for each in places):
        yield [label, "ours", *(MARKS.get(each.state, _shown(each.value)) for each in places)]
    if any(each.interval for each in places):
        yield [label, "95 %", *(_span(each.interval) for each in places)]
    if any(each.figure is not None for each in places) or not any(each.others for each in places):
        yield [label, "paper", *(_shown(each.figure) for each in places)]
    if any(each.difference is not None for each in places):
        yield [label, "gap", *(_shown(each.difference, sign="+") for each in places)]
    for name in dict.fromkeys(name for each in places for name in each.others):
        yield [label, f"paper's {name}", *(_shown(each.others.get(name)) for each in places)]


def _shown(value: float | None, sign: str = "") -> str:
    return _NOTHING if value is None else f"{value:{sign}.1f}"


def _span(interval: tuple[float, float] | None) -> str:
    return _NOTHING if interval is None else f"{interval[0]:.0f}-{interval[1]:.0f}"


def _notes(places: Sequence[Compared]) -> Iterator[str]:
    """Name the marks that occur, and the conventions of the numbers."""
    states = {each.state for each in places}
    marks = {"not asked": "not asked for, or not in the paper", "no data": "no data", "failed": "failed"}
    named = [f"{MARKS[state]} {words}" for state, words in marks.items() if state in states]
    if any(each.difference is not None for each in places):
        named.insert(0, "gap: ours less the paper's")
    if named:
        yield f"{'; '.join(named)}."
    if any(each.others for each in places):
        yield "paper's NAME: the paper's number of an encoder that another stands in for, so that there is no gap."
    results = [score.result for each in places for score in each.scores]
    said = {
        name: list(dict.fromkeys(str(result[name]) for result in results if name in result)) for name in _CONVENTIONS
    }
    parts = [f"{name.replace('_', ' ')}: {', '.join(values)}" for name, values in said.items() if values]
    shares = [100 * result["coverage"] for result in results if "coverage" in result]
    if shares:
        ends = dict.fromkeys(f"{share:.1f}" for share in (min(shares), max(shares)))
        parts.append(f"coverage: {' to '.join(ends)} %")
    if parts:
        yield f"{'; '.join(parts)}."
    if any(each.row == AVERAGE for each in places):
        yield "Averages are over the pairs that have a number in the column, the paper's over the same ones."


def as_objects(table: RecipeTable, rows: Mapping[str, list[Compared]]) -> Iterator[dict[str, Any]]:
    """Give every place as a plain object."""
    for places in rows.values():
        for each in places:
            body: dict[str, Any] = {"recipe": table.name, "row": each.row, "column": each.column,
                                    "encoder": each.encoder, "state": each.state}  # fmt: skip
            low, high = each.interval or (None, None)
            body |= {"ours": each.value, "ours_low": low, "ours_high": high, "paper": each.figure,
                     "difference": each.difference, "cells": len(each.scores), "cells_asked": each.asked}  # fmt: skip
            if each.others:
                body["paper_others"] = dict(each.others)
            if each.reason:
                body["reason"] = each.reason
            if len(each.scores) == 1:
                body["result"] = dict(each.scores[0].result)
            yield body
