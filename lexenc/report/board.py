"""The section with all systems on all tasks in one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from lexenc.evaluation.leaderboard import Column, Entry
from lexenc.pages import Cell, Grid, Part, Remark, Section, readable
from lexenc.report.claims import Claim
from lexenc.report.data import ReportData
from lexenc.report.scores import EVAL
from lexenc.report.systems import System, middle_of, shown_score, sweeps_of

_TIE, _WEAK, _DOWN = " ≈", " †", " ↓"


def board(data: ReportData) -> Section:
    """Return the section with a row for every system and a column for every test set."""
    lead = "A row for each system and a column for each test set. 95 % confidence intervals are below the values."
    nothing = Remark("Nothing has been evaluated. To score word translation:", EVAL)
    parts: list[Part] = [_Table(data).grid()] if data.systems else [nothing]
    return Section("board", "Overview", "All systems on all tasks", lead, parts)


def summary(data: ReportData) -> str:
    """Return in a sentence which system is best on how many test sets; nothing if there are no two to compare on."""
    leads = _Table(data).leads()
    if len({column for _, column, _ in leads}) < 2:
        return ""
    told = list[str]()
    for name, count in Counter(name for name, *_ in leads).most_common():
        sure = sum(own for each, _, own in leads if each == name)
        told.append(f"{name} {'' if told else 'is best '}on {count}{f' (significantly on {sure})' if sure else ''}")
    told[0] = f"{told[0]} of {len({column for _, column, _ in leads})} test sets"
    return readable(f"{', '.join(told)}.")


class _Table:
    """Systems by task, as a table of a page."""

    def __init__(self, data: ReportData) -> None:
        self.data, self.board = data, data.board
        # Of a sweep over lambda both parts are shown, and the middle one.
        middle = [id(middle_of(sweep)) for sweep in sweeps_of(data.systems)]
        self._systems = {self._key(one.evaluation.folder, one.labels): one for one in data.systems
                         if one.weight in (None, 0, 1) or id(one) in middle}  # fmt: skip
        pairs = (claim for claim in data.claims if len(claim.systems) == 2)
        self._claims = {frozenset(one.label for one in claim.systems): claim for claim in pairs}

    @staticmethod
    def _key(folder: object, labels: Mapping[str, object]) -> tuple[object, ...]:
        return (folder, *sorted(map(str, labels.items())))

    def _system(self, entry: Entry | None) -> System | None:
        return None if entry is None else self._systems.get(self._key(entry.evaluation.folder, entry.labels))

    def _against_best(self, column: Column, entry: Entry) -> Claim | None:
        """Return the comparison of a system with the best of the column, if they were compared."""
        one = self._system(entry)
        best = next((other for row in self.board.rows.values() if (own := row.get(column)) is not None and own.best
                     and (other := self._system(own)) is not None), None)  # fmt: skip
        return None if one is None or best is None else self._claims.get(frozenset((one.label, best.label)))

    def leads(self) -> list[tuple[str, Column, bool]]:
        """Return the best system of every column, and whether it is significantly better than all others there."""
        found = []
        for column in self.board.columns:
            entries = {name: row[column] for name, row in self.board.rows.items() if column in row}
            others = [entry for entry in entries.values() if not entry.best and self._system(entry) is not None]
            claims = [self._against_best(column, entry) for entry in others]
            sure = bool(claims) and all(claim is not None and claim.significant for claim in claims)
            best = [name for name, entry in entries.items() if entry.best]
            found += [(name, column, sure and len(best) == 1) for name in best]
        return found

    def grid(self) -> Grid:
        """Return the table: the systems, and below them their controls."""
        columns, rows, marks = self.board.columns, [], set[str]()
        for name, row in self.board.rows.items():
            known = [one for entry in row.values() if (one := self._system(entry)) is not None]
            if known:
                entries = [entry if self._system(entry) is not None else None for entry in map(row.get, columns)]
                cells = [self._cell(column, entry) for column, entry in zip(columns, entries, strict=True)]
                marks.update(sign for cell in cells for sign in (_TIE, _WEAK) if sign in cell.text)
                rows.append([Cell(readable(name), link=self._link(known)), *cells])
        for name, row in self.board.controls.items():
            cells = [self._cell(column, row.get(column), control=True) for column in columns]
            rows.append([Cell(readable(name), style="quiet"), *cells])
        heads = [f"#{readable(head)}{'' if column.of.larger_is_better else _DOWN}"
                 for head, column in zip(self.board.heads(), columns, strict=True)]  # fmt: skip
        return Grid("Scores by system and task", ["system", *heads], rows, readable(" ".join(self._notes(marks))))

    def _cell(self, column: Column, entry: Entry | None, *, control: bool = False) -> Cell:
        if entry is None or entry.score.value is None:
            return Cell("–", float("-inf"), "number quiet")
        claim = None if entry.best or control else self._against_best(column, entry)
        signs = _TIE if claim is not None and not claim.significant else ""
        signs += _WEAK if entry.strong_control else ""
        value, _, ends = shown_score(column.of, entry.score).partition(" ")
        lines = [(f"{value}{signs}", entry.best), *([(ends, False)] if ends else [])]
        style = f"score number{' best' if entry.best else ''}"
        return Cell(" ".join(text for text, _ in lines), entry.score.value, style, marked=lines)

    def _link(self, systems: Iterable[System]) -> str:
        """Return what made a system, if it was made here, or else its evaluation."""
        result = next(iter(systems)).result
        records = [record for name in ("encoder", "vectors", "predicted") for record in
                   result.manifest.inputs.get(name, ())]  # fmt: skip
        makers = (self.data.results.maker(record) for record in records)
        return next((each.name for each in makers if each is not None), result.name)

    def _notes(self, marks: set[str]) -> list[str]:
        entries = [(name, column, entry) for name, row in self.board.rows.items() for column, entry in row.items()]
        told = ["Bold: best of the column."] if any(entry.best for *_, entry in entries) else []
        if _TIE in marks:
            told.append("≈: not significantly different from the best (paired bootstrap, Holm's correction).")
        best = {column for _, column, entry in entries if entry.best}
        apart = dict.fromkeys(name for name, column, entry in entries if column in best and not entry.best
                              and self._against_best(column, entry) is None)  # fmt: skip
        told += [f"Not compared with the best of every column: {', '.join(apart)}."] if apart else []
        told += ["†: not significantly better than a control of the same evaluation."] if _WEAK in marks else []
        told += ["Of controls that each system has of its own, the strongest is shown."] if self.board.controls else []
        return [*told, "Shares and correlations are x 100.", self.board.conventions()]
