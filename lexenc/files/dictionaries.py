"""Dictionaries: pairs of words or phrases in two columns, separated by a TAB, or by spaces if there are no phrases."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.exchange.pairs import PairFile, Remark, remarks
from lexenc.files.exchange.xml import looks_like_xml
from lexenc.files.text import counted, number_of, read_lines, refuse_csv, tab_hint, write_lines
from lexenc.text.folding import Folding, trim

# First columns of a lexicon. A word may stand before the last one.
LEXICON_HEAD = ("source", "target", "probability")
LEXICON = "lexicon.tsv"
"""The lexicon in the folders of `induce` and of `align`."""


@dataclass(frozen=True)
class Pairs:
    """Word pairs in file order, with repeated pairs.

    Args:
        sources: Left column.
        targets: Right column.
        lines: Line number of each pair; empty if the pairs are not from a file.
        name: Name of the file, for messages.
        probabilities: Probability of each pair, in [0, 1]. Of pairs without one, 1 for entries of a dictionary (status
            `known`) and 0 for others. Empty if the file is not a lexicon.
        remarks: Warnings about what was left out of a TMX, XLIFF or TBX file, with hints.
    """

    sources: list[str]
    targets: list[str]
    lines: list[int]
    name: str = ""
    probabilities: list[float] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(zip(self.sources, self.targets, strict=True))

    def translations(self) -> dict[str, list[str]]:
        """Return the distinct targets of every source, both in order of first appearance."""
        table: dict[str, dict[str, None]] = {}
        for source, target in self:
            table.setdefault(source, {})[target] = None
        return {source: list(targets) for source, targets in table.items()}

    def swapped(self) -> Pairs:
        """Return the pairs with their sides swapped."""
        return replace(self, sources=self.targets, targets=self.sources)

    def folded(self, folding: Folding, source_language: str | None = None, target_language: str | None = None) -> Pairs:
        """Return the pairs folded."""
        return replace(
            self,
            sources=[folding.fold(each, source_language) for each in self.sources],
            targets=[folding.fold(each, target_language) for each in self.targets],
        )

    def chosen(self, keep: Sequence[int]) -> Pairs:
        """Return the pairs at some positions."""
        lines = [self.lines[i] for i in keep] if self.lines else []
        probabilities = [self.probabilities[i] for i in keep] if self.probabilities else []
        sources, targets = [self.sources[i] for i in keep], [self.targets[i] for i in keep]
        return Pairs(sources, targets, lines, self.name, probabilities)

    def first(self) -> str:
        """Return the first pair as text, for hints on the order of columns."""
        return f"'{self.sources[0]}' - '{self.targets[0]}'" if len(self) else "none"


def _within(path: Path) -> Path:
    """Return the lexicon of a folder that has one, or else the path itself."""
    return path / LEXICON if (path / LEXICON).is_file() else path


def read_pairs(
    path: Path,
    *,
    roles: tuple[str, str] = ("source", "target"),
    languages: tuple[str | None, str | None] = (None, None),
) -> Pairs:
    """Read pairs of words, phrases or other texts.

    Lines with a TAB are split at TABs, and columns may contain spaces. Other lines are split at runs of ASCII spaces.
    Empty lines are skipped, and spaces of any kind around columns are removed. In a lexicon (the first line is source,
    target, probability and so on) the first three columns are read.

    TMX, XLIFF and TBX files are recognised by content. The line of a pair is then the line of its unit.

    Args:
        path: The file; gzip is unpacked. Or a folder with `LEXICON`.
        roles: Names of the columns, for messages.
        languages: Languages of the columns in a TMX, XLIFF or TBX file; not needed if it has two languages.

    Raises:
        DataError: If a line does not have two columns, a column is empty, a probability of a lexicon is not a number
            in [0, 1], or the file has no pairs.
    """
    path = _within(path)
    if looks_like_xml(path):
        file = PairFile(path, *languages)
        units = list(file)
        left, right, places = ([each[1] for each in units], [each[2] for each in units], [each[0] for each in units])
        return Pairs(left, right, places, str(path), remarks=remarks(file))
    sources, targets, lines = [], [], []
    probabilities: list[float] = []
    width, status = 2, None
    for number, line in read_lines(path):
        if not trim(line):
            continue
        cells = line.split("\t") if "\t" in line else [each for each in line.split(" ") if trim(each)]
        if number == 1:
            _refuse_other_tables(line, path)
        if number == 1 and _is_lexicon_head(cells):
            width, status = len(cells), cells.index("status") if "status" in cells else None
            continue
        if len(cells) != width:
            shown = counted(len(cells), "column")
            hint = _hint_on_columns(line, cells, path)
            raise DataError(f"{path}, line {number}: {shown}, expected {width} ({', '.join(roles)}).", hint=hint)
        source, target = trim(cells[0]), trim(cells[1])
        if not source or not target:
            empty = roles[0] if not source else roles[1]
            raise DataError(f"{path}, line {number}: the {empty} is empty.", hint="Fill it in, or delete the line.")
        if width > 2:
            known = status is not None and cells[status].startswith("known")
            probabilities.append(_probability(cells[2], f"{path}, line {number}", none=float(known)))
        sources.append(source)
        targets.append(target)
        lines.append(number)
    if not sources:
        raise DataError(f"{path} holds no pairs.", hint=f"One pair per line: {roles[0]}, TAB, {roles[1]}.")
    return Pairs(sources, targets, lines, str(path), probabilities)


def _probability(cell: str, place: str, *, none: float) -> float:
    value = number_of(cell) if cell.strip(" ") else none
    if value is None or not 0 <= value <= 1:
        raise DataError(f"{place}: '{cell}' is not a probability.", hint="The third column is a number from 0 to 1.")
    return value


def _refuse_other_tables(line: str, path: Path) -> None:
    if _is_review_head(line):
        raise DataError(
            f"{path} is a table for review, not a dictionary.",
            hint=f"Make a dictionary of it: lexenc read-review {shlex.quote(str(path))} --out reviewed.tsv",
        )
    refuse_csv(line, path)


def _hint_on_columns(line: str, cells: Sequence[str], path: Path) -> str:
    if "\t" not in line:
        return tab_hint(line)
    if len(cells) == 3 and (number_of(cells[2]) is not None or tuple(cells[:2]) == LEXICON_HEAD[:2]):
        return f"Leave the score out: lexenc convert {shlex.quote(str(path))} --out pairs.tsv"
    return "A tab inside the text? Replace it by a space."


def _is_lexicon_head(cells: Sequence[str]) -> bool:
    return tuple(cells[:2]) == LEXICON_HEAD[:2] and len(cells) > 2 and cells[2].endswith(LEXICON_HEAD[2])


def _is_review_head(line: str) -> bool:
    return {"source", "target", "decision"} <= {trim(each).strip('" ').lower() for each in re.split("[,;\t]", line)}


def write_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write pairs with a TAB between them."""
    write_lines(path, (f"{source}\t{target}" for source, target in pairs))
