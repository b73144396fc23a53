"""Word pairs: two columns, separated by a TAB (then phrases are possible) or by spaces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import counted, fold_case, read_lines, write_lines

# With these three columns a lexicon of ours begins; the last may say more of the probability.
LEXICON_HEAD = ("source", "target", "probability")


@dataclass(frozen=True)
class Pairs:
    """Pairs in file order; nothing is merged, so a repeated line counts twice.

    Args:
        sources: Left column.
        targets: Right column.
        lines: Line number of each pair; empty for pairs that came from no file.
        name: The file, for messages.
        probabilities: Of each pair, in [0, 1], where the file is a lexicon; empty otherwise.
    """

    sources: list[str]
    targets: list[str]
    lines: list[int]
    name: str = ""
    probabilities: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(zip(self.sources, self.targets, strict=True))

    def translations(self) -> dict[str, list[str]]:
        """Give the targets of every source, both in order of first appearance, without repeats."""
        table: dict[str, dict[str, None]] = {}
        for source, target in self:
            table.setdefault(source, {})[target] = None
        return {source: list(targets) for source, targets in table.items()}

    def swapped(self) -> Pairs:
        """Give the same pairs the other way round."""
        return replace(self, sources=self.targets, targets=self.sources)

    def folded(self, source_language: str | None = None, target_language: str | None = None) -> Pairs:
        """Give the pairs in lower case, each side as its language does it."""
        return replace(
            self,
            sources=[fold_case(each, source_language) for each in self.sources],
            targets=[fold_case(each, target_language) for each in self.targets],
        )

    def chosen(self, keep: Sequence[int]) -> Pairs:
        """Give the pairs at some positions."""
        lines = [self.lines[i] for i in keep] if self.lines else []
        probabilities = [self.probabilities[i] for i in keep] if self.probabilities else []
        sources, targets = [self.sources[i] for i in keep], [self.targets[i] for i in keep]
        return Pairs(sources, targets, lines, self.name, probabilities)

    def first(self) -> str:
        """Show the first pair, for a hint on the order of columns."""
        return f"'{self.sources[0]}' - '{self.targets[0]}'" if len(self) else "none"


def read_pairs(
    path: Path,
    *,
    roles: tuple[str, str] = ("source", "target"),
    languages: tuple[str | None, str | None] = (None, None),
) -> Pairs:
    """Read pairs of words, phrases or any texts.

    A line with a TAB has its columns between TABs, and a column may hold spaces; a line without one is split at runs
    of ASCII spaces. Empty lines are skipped. Spaces around a column are dropped. Of a lexicon (first line: source,
    target, probability and so on) the first three columns are read.

    TMX, XLIFF and TBX files are recognised by content; a pair has the line of its unit.

    Args:
        path: The file; gzip is unpacked.
        roles: What the columns are, for messages.
        languages: Of a TMX, XLIFF or TBX file, which are wanted; not needed where it has two.

    Raises:
        DataError: If a line has not two columns, a column is empty, the probability of a lexicon is none, or the file
            has no pair at all.
    """
    from lexenc.files.exchange.xml import looks_like_xml

    if looks_like_xml(path):
        return _read_units(path, languages)
    sources, targets, lines = [], [], []
    probabilities: list[float] = []
    width = 2
    for number, line in read_lines(path):
        if not line.strip(" \t"):
            continue
        cells = line.split("\t") if "\t" in line else [each for each in line.split(" ") if each]
        if number == 1 and _is_review_head(line):
            raise DataError(
                f"{path} is a table for review, not a dictionary.",
                hint=f"lexenc read-review makes a dictionary of it: lexenc read-review {path} --out reviewed.tsv",
            )
        if number == 1 and _is_lexicon_head(cells):
            width = len(cells)
            continue
        if len(cells) != width:
            shown = counted(len(cells), "column")
            hint = "A tab inside the text? Replace it by a space." if "\t" in line else "Put a TAB between the columns."
            raise DataError(f"{path}, line {number}: {shown}, expected {width} ({', '.join(roles)}).", hint=hint)
        source, target = cells[0].strip(" "), cells[1].strip(" ")
        if not source or not target:
            empty = roles[0] if not source else roles[1]
            raise DataError(f"{path}, line {number}: the {empty} is empty.", hint="Fill it in, or delete the line.")
        if width > 2:
            probabilities.append(_probability(cells[2], f"{path}, line {number}"))
        sources.append(source)
        targets.append(target)
        lines.append(number)
    if not sources:
        raise DataError(f"{path} holds no pairs.", hint=f"One pair per line: {roles[0]}, TAB, {roles[1]}.")
    return Pairs(sources, targets, lines, str(path), probabilities)


def _probability(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise DataError(f"{place}: '{cell}' is no probability.", hint="Give a number from 0 to 1 in the third column.")
    return value


def _read_units(path: Path, languages: tuple[str | None, str | None]) -> Pairs:
    """Read the pairs of a TMX, XLIFF or TBX file."""
    from lexenc.files.exchange.pairs import PairFile

    found = list(PairFile(path, *languages))
    return Pairs([each[1] for each in found], [each[2] for each in found], [each[0] for each in found], str(path))


def _is_lexicon_head(cells: Sequence[str]) -> bool:
    """Tell whether a first line names the columns of a lexicon."""
    return tuple(cells[:2]) == LEXICON_HEAD[:2] and len(cells) > 2 and cells[2].endswith(LEXICON_HEAD[2])


def _is_review_head(line: str) -> bool:
    """Tell whether a first line names the columns of a table that a lexicographer edits."""
    return {"source", "target", "decision"} <= {each.strip('" ').lower() for each in re.split("[,;\t]", line)}


def write_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write pairs with a TAB between them."""
    write_lines(path, (f"{source}\t{target}" for source, target in pairs))
