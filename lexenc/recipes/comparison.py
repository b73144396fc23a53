"""A table computed here next to that of the paper, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from lexenc.files.evaluations import Score, ScoredSystem, read_evaluation
from lexenc.recipes.expansion import fill, folder_name
from lexenc.recipes.paper import Paper, PaperCell, PaperEntry, RecipeTable
from lexenc.stage import Table

State = Literal["done", "not asked", "no data", "failed"]
# Shown in place of a number, and explained below the table.
_MARKS: dict[State, tuple[str, str]] = {
    "not asked": ("-", "not requested, or not in the paper"),
    "no data": ("?", "no data"),
    "failed": ("!", "failed"),
}
_NOTHING = "-"
# JSON keys of conventions that the note below a table shows.
_CONVENTIONS = (
    "retrieval", "direction", "search_space", "query_unit", "out_of_vocabulary", "protocol", "scored", "similarity",
    "case", "missing", "ties", "seed",
)  # fmt: skip
AVERAGE = "average"


@dataclass(frozen=True)
class CellScore:
    """The score of a cell."""

    score: Score
    system: ScoredSystem

    @property
    def value(self) -> float:
        """Value x 100."""
        return 100 * (self.score.value or 0.0)


@dataclass(frozen=True)
class CellScores:
    """The outcome of all cells."""

    scores: Mapping[PaperCell, CellScore]
    reasons: Mapping[PaperCell, str]
    failed: frozenset[PaperCell] = frozenset()

    def state(self, cells: Sequence[PaperCell]) -> State:
        """Return why some cells have no score."""
        if any(cell in self.failed for cell in cells):
            return "failed"
        return "no data" if any(cell in self.reasons for cell in cells) else "not asked"


@dataclass(frozen=True)
class Encoders:
    """The encoders that are used, and their labels."""

    used: Mapping[str, str]  # by their names in the paper
    labels: Mapping[str, str] = field(default_factory=dict)  # of those that replace one of the paper, by its name

    @classmethod
    def of(cls, paper: Paper, used: Mapping[str, str]) -> Encoders:
        """Find the encoders that replace one of the paper."""
        labels = {name: folder_name(own) for name, own in used.items() if not _is_copy(own, paper.encoders[name])}
        return cls({**paper.encoders, **used}, labels)

    def label(self, text: str) -> str:
        """Return a label of the paper with the names of the encoders that are used."""
        return " ".join(self.labels.get(word, word) for word in text.split(" "))

    def replaced(self, entry: PaperEntry) -> str | None:
        """Return the encoder of the paper that another one replaces in an entry; None if none is replaced."""
        name = entry.cells[0].encoder
        return name if name in self.labels else None


def _is_copy(own: str, name: str) -> bool:
    """Return whether an encoder is one of the hub, by its name or as a folder of that name."""
    names = {name.lower(), name.rpartition("/")[2].lower(), f"models--{name.replace('/', '--')}".lower()}
    return own.lower() == name.lower() or bool(names & {part.lower() for part in Path(own).parts})


@dataclass(frozen=True)
class PaperComparison:
    """One position of a table, here and in the paper."""

    row: str
    column: str
    encoder: str | None  # None for static vectors alone
    state: State
    scores: tuple[CellScore, ...]
    asked: int  # number of requested cells
    figure: float | None  # of the paper over the same cells; None if another encoder replaces that of the paper
    others: Mapping[str, float | None] = field(default_factory=dict)  # figures of replaced encoders by their names
    reason: str = ""  # why there is no score

    @property
    def value(self) -> float | None:
        """Mean of the scores x 100."""
        return fmean(each.value for each in self.scores) if self.scores else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Confidence interval x 100; None for a mean over several cells."""
        only = self.scores[0].score if len(self.scores) == 1 == self.asked else None
        if only is None or only.low is None or only.high is None:
            return None
        return 100 * only.low, 100 * only.high

    @property
    def difference(self) -> float | None:
        """Score minus figure."""
        return None if self.value is None or self.figure is None else self.value - self.figure


def score_of(paper: Paper, cell: PaperCell, folder: Path) -> CellScore | None:
    """Read the score of a cell.

    Returns:
        The score; None if the evaluation does not have it.
    """
    dataset = paper.datasets[cell.dataset]
    values = paper.languages_of(cell)
    wanted: dict[str, Any] = {name: fill(value, values) for name, value in dataset["convention"].items()}
    wanted |= {} if cell.weight is None else {"lambda": cell.weight}
    for system in read_evaluation(folder).systems:
        flat = system.flat()
        if not system.is_control and all(flat.get(name) == value for name, value in wanted.items()):
            score = system.score(dataset["metrics"][cell.metric])
            return None if score is None or score.value is None else CellScore(score, system)
    return None


def compare(
    paper: Paper, table: RecipeTable, found: CellScores, wanted: Sequence[PaperCell], encoders: Encoders
) -> dict[str, list[PaperComparison]]:
    """Compare scores with the figures of the paper.

    Returns:
        Comparisons by row. A row of averages follows if the paper has one and there are several rows.
    """
    asked = set(wanted)
    shown = {entry.column for entry in table.entries() if asked & set(entry.cells)}
    grouped: dict[str, dict[str, list[PaperEntry]]] = {}
    for label, entries in table.rows.items():
        if any(asked & set(entry.cells) for entry in entries):
            row = grouped.setdefault(encoders.label(label), {})
            for entry in (each for each in entries if each.column in shown):
                row.setdefault(encoders.label(entry.column), []).append(entry)
    if table.averages and len(grouped) > 1:
        averages = grouped.setdefault(AVERAGE, {})
        for column, stated in zip(table.columns, table.averages, strict=True):
            if column in shown:
                cells = tuple(cell for entry in table.entries() if entry.column == column for cell in entry.cells)
                averages.setdefault(encoders.label(column), []).append(PaperEntry(AVERAGE, column, cells, stated))
    return {
        label: [_compared((label, column), many, paper, encoders, found, asked) for column, many in row.items()]
        for label, row in grouped.items()
    }


def _compared(
    labels: tuple[str, str],
    entries: Sequence[PaperEntry],
    paper: Paper,
    encoders: Encoders,
    found: CellScores,
    asked: set[PaperCell],
) -> PaperComparison:
    """Compare the mean of some cells with that of the paper over the cells that have a score."""
    # Entries of a single encoder have the same scores. That of the paper itself has a figure to compare with.
    own = next((entry for entry in entries if encoders.replaced(entry) is None), None)
    basis = own or entries[0]
    done = [cell for cell in basis.cells if cell in asked and cell in found.scores]
    missing = [cell for cell in basis.cells if cell in asked and cell not in found.scores]
    compared = {replace(cell, encoder=None) for cell in done or missing}

    def figure(entry: PaperEntry) -> float | None:
        cells = [cell for cell in entry.cells if replace(cell, encoder=None) in compared]
        return entry.figure if len(cells) == len(entry.cells) else paper.mean_figure(cells)

    encoder = basis.cells[0].encoder
    return PaperComparison(
        *labels,
        None if encoder is None else encoders.used[encoder],
        "done" if done else found.state(missing),
        tuple(found.scores[cell] for cell in done),
        len(done) + len(missing),
        None if own is None else figure(own),
        {name: figure(entry) for entry in entries if (name := encoders.replaced(entry))},
        next((found.reasons[cell] for cell in missing if cell in found.reasons), ""),
    )


def as_table(
    table: RecipeTable, rows: Mapping[str, list[PaperComparison]], encoders: Encoders, remarks: Sequence[str]
) -> Table:
    """Return a table with score, interval, figure of the paper and difference, one below the other."""
    columns = [each.column for each in next(iter(rows.values()))]
    lines = [line for label, places in rows.items() for line in _lines(label, places)]
    notes = _notes([each for row in rows.values() for each in row])
    title = f"{table.name}: {encoders.label(table.title)}"
    return Table(title, ["", "x 100", *columns], lines, " ".join([*notes, *remarks]))


def _lines(label: str, places: list[PaperComparison]) -> Iterator[list[str]]:
    if any(each.state != "not asked" for each in places):
        ours = (_shown(each.value) if each.state == "done" else _MARKS[each.state][0] for each in places)
        yield [label, "ours", *ours]
    if any(each.interval for each in places):
        spans = (f"{each.interval[0]:.0f}-{each.interval[1]:.0f}" if each.interval else _NOTHING for each in places)
        yield [label, "95 %", *spans]
    if any(each.figure is not None for each in places) or not any(each.others for each in places):
        yield [label, "paper", *(_shown(each.figure) for each in places)]
    if any(each.difference is not None for each in places):
        yield [label, "gap", *(_shown(each.difference, sign="+") for each in places)]
    for name in dict.fromkeys(name for each in places for name in each.others):
        yield [label, f"paper's {name}", *(_shown(each.others.get(name)) for each in places)]


def _shown(value: float | None, sign: str = "") -> str:
    return _NOTHING if value is None else f"{value:{sign}.1f}"


def _notes(places: Sequence[PaperComparison]) -> Iterator[str]:
    """Yield the meaning of the marks that occur, and the conventions of the scores."""
    states = {each.state for each in places}
    named = [f"{mark} {meaning}" for state, (mark, meaning) in _MARKS.items() if state in states]
    if any(each.difference is not None for each in places):
        named.insert(0, "gap: ours minus the paper's")
    if named:
        yield f"{'; '.join(named)}."
    if any(each.others for each in places):
        yield "paper's NAME: the paper's figure of an encoder that another one replaces, so that there is no gap."
    results = [each.system.flat() for place in places for each in place.scores]
    values = {
        name: list(dict.fromkeys(str(result[name]) for result in results if name in result)) for name in _CONVENTIONS
    }
    parts = [f"{name.replace('_', ' ')}: {', '.join(own)}" for name, own in values.items() if own]
    shares = [100 * result["coverage"] for result in results if "coverage" in result]
    if shares:
        ends = dict.fromkeys(f"{share:.1f}" for share in (min(shares), max(shares)))
        parts.append(f"coverage: {' to '.join(ends)} %")
    if parts:
        yield f"{'; '.join(parts)}."
    if any(each.row == AVERAGE for each in places):
        yield "Averages are over the pairs that have a score in the column, for the paper too."


def as_objects(table: RecipeTable, rows: Mapping[str, list[PaperComparison]]) -> Iterator[dict[str, Any]]:
    """Yield every comparison as a JSON object."""
    for each in (place for places in rows.values() for place in places):
        low, high = each.interval or (None, None)
        body: dict[str, Any] = {
            "recipe": table.name, "row": each.row, "column": each.column, "encoder": each.encoder,
            "state": each.state, "ours": each.value, "ours_low": low, "ours_high": high, "paper": each.figure,
            "difference": each.difference, "cells": len(each.scores), "cells_asked": each.asked,
        }  # fmt: skip
        if each.others:
            body["paper_others"] = dict(each.others)
        if each.reason:
            body["reason"] = each.reason
        if len(each.scores) == 1:
            body["result"] = each.scores[0].system.flat()
        yield body
