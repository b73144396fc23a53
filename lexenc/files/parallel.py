"""Parallel text, read as a stream: one file with both sides (text, TMX or XLIFF), or two files line by line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal, NamedTuple

from lexenc.errors import DataError
from lexenc.files.exchange.pairs import PairFile, Remark, remarks
from lexenc.files.exchange.xml import looks_like_xml
from lexenc.files.text import begins_with_scores, counted, number_of, read_lines, write_lines

Form = Literal[
    "source ||| target", "source TAB target", "score TAB source TAB target", "table", "two files", "units", "empty"
]
Languages = tuple[str | None, str | None]

BARS = "|||"
MINED = "pairs.tsv"
"""File of a result that has sentence pairs."""
# Three bars separate the sides only if they stand alone, as in fast_align: `a|||b` is one word.
_BARS = re.compile(r"(?<![^ \t])\|\|\|(?![^ \t])")
_BLANKS = " \t"
_SHOWN = 40
_HEADS = ["source", "target"]
"""The first heads of a table of more than two columns."""


class SentencePair(NamedTuple):
    """A sentence and its translation, either of which may be empty, and their line in the file, counted from 1."""

    line: int
    source: str
    target: str


@dataclass(frozen=True)
class ParallelText:
    """Sentence pairs of files. Every iteration reads the files again, one line at a time.

    Empty lines are pairs as well, so that the pairs match other files line by line.

    Args:
        source: File of both sides, or of the sentences.
        target: File of the translations, if it is a second file.
        form: Format; a `table` has heads and further columns, and `units` are those of a TMX or XLIFF file.
        units: The pairs of such a file.
    """

    source: Path
    target: Path | None
    form: Form
    units: PairFile | None = None

    @property
    def name(self) -> str:
        """Name of the files, for messages."""
        return str(self.source) if self.target is None else f"{self.source} and {self.target}"

    @property
    def remarks(self) -> list[Remark]:
        """Warnings about what was left out, with hints, once the pairs were read."""
        return [] if self.units is None else remarks(self.units)

    def __iter__(self) -> Iterator[SentencePair]:
        """Yield the pairs from the start.

        Raises:
            DataError: If a line is not UTF-8 or does not have two sides, one file has more lines than the other, or a
                TMX or XLIFF file is damaged.
        """
        if self.target is not None:
            return _side_by_side(self.source, self.target)
        if self.units is not None:
            return (SentencePair(line, one.strip(_BLANKS), other.strip(_BLANKS)) for line, one, other in self.units)
        return _split(self.source, self.form)


def parallel_text(source: Path, target: Path | None = None, *, languages: Languages = (None, None)) -> ParallelText:
    """Open sentence pairs. Their format is recognised by the first line that is not empty.

    Args:
        source: One file with both sides, `sentence ||| translation`, `sentence TAB translation`, TMX or XLIFF; the
            same with a score and a TAB in front, as LASER writes it; a table whose first line begins with
            `source TAB target TAB` and whose further columns are not read; a folder with such a file `pairs.tsv`, as
            `mine-bitext` writes it; or a file of sentences. gzip is unpacked.
        target: File of the translations, line by line, if `source` has the sentences only.
        languages: Languages of a TMX or XLIFF file to read; not needed if it has two.

    Raises:
        DataError: If there is only one file, with neither three bars nor a TAB.
    """
    if target is not None:
        return ParallelText(source, target, "two files")
    if source.is_dir() and (source / MINED).is_file():
        source = source / MINED
    if looks_like_xml(source):
        return ParallelText(source, None, "units", PairFile(source, *languages))
    for number, line in read_lines(source):
        if line.strip(_BLANKS) or "\t" in line:
            if line.count("\t") == 2 and begins_with_scores(source):
                return ParallelText(source, None, "score TAB source TAB target")
            if _BARS.search(line):
                return ParallelText(source, None, "source ||| target")
            if "\t" in line:
                heads = line.split("\t")
                table = len(heads) > 2 and heads[:2] == _HEADS
                return ParallelText(source, None, "table" if table else "source TAB target")
            raise DataError(
                f"{source}, line {number}: there is neither ' {BARS} ' nor a TAB between two sentences: "
                f"{_beginning(line)}.",
                hint="If there are two files, use --source and --target.",
            )
    return ParallelText(source, None, "empty")


def _beginning(line: str) -> str:
    return f"'{line}'" if len(line) <= _SHOWN else f"'{line[:_SHOWN]}...'"


def _split(path: Path, form: Form) -> Iterator[SentencePair]:
    tabs, scored, heads = form != "source ||| target", form == "score TAB source TAB target", list[str]()
    for number, line in read_lines(path):
        sides = line.split("\t") if tabs else _BARS.split(line)
        if scored and line.strip(_BLANKS):
            if len(sides) != 3 or number_of(sides[0]) is None:
                raise DataError(
                    f"{path}, line {number}: not a score, a sentence and its translation, as in the first line: "
                    f"{_beginning(line)}.",
                    hint="Put one TAB after the score and one between the sentences.",
                )
            sides = sides[1:]
        if form == "table":
            if not heads and line.strip(_BLANKS):
                heads = sides
                continue
            if len(sides) > 1 and len(sides) != len(heads):
                found = f"{counted(len(sides), 'column')}, expected {len(heads)}: {_beginning(line)}."
                raise DataError(f"{path}, line {number}: {found}", hint="The first line has the names of the columns.")
            sides = sides[:2]
        if len(sides) == 2:
            yield SentencePair(number, sides[0].strip(_BLANKS), sides[1].strip(_BLANKS))
        elif not line.strip(_BLANKS):
            yield SentencePair(number, "", "")
        else:
            separator = "TAB" if tabs else f"' {BARS} '"
            found, hint = "nowhere", f"Put {separator} between the sentence and its translation."
            if len(sides) > 1:
                found = f"{len(sides) - 1} times"
                hint = f"If a sentence contains {separator}, remove it, or use two files: --source and --target."
            raise DataError(
                f"{path}, line {number}: {separator} {found}, expected once: {_beginning(line)}.", hint=hint
            )


def _side_by_side(source: Path, target: Path) -> Iterator[SentencePair]:
    number, left, right = 0, read_lines(source), read_lines(target)
    for one, other in zip_longest(left, right):
        if one is None or other is None:
            more = number + 1 + sum(1 for _ in (left if other is None else right))
            longer, shorter = (source, target) if other is None else (target, source)
            raise DataError(
                f"{longer} has {counted(more, 'line')}, {shorter} {number:,}: lines from {number + 1:,} on have no "
                "counterpart.",
                hint="Both files need one sentence per line in the same order. Empty lines count as well.",
            )
        number += 1
        yield SentencePair(number, one[1].strip(_BLANKS), other[1].strip(_BLANKS))


def write_parallel(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write lines `sentence ||| translation`.

    Raises:
        DataError: If a sentence contains three bars or a line break.
    """
    write_lines(path, (joined(source, target, number) for number, (source, target) in enumerate(pairs, start=1)))


def joined(source: str, target: str, line: int) -> str:
    """Return a sentence and its translation as one line.

    Raises:
        DataError: If a sentence contains three bars or a line break. The message has the number `line`.
    """
    for side in (source, target):
        if BARS in side and _BARS.search(side):
            raise DataError(
                f"Sentence pair {line:,} has ' {BARS} ' inside a sentence: {_beginning(side)}.",
                hint="Remove it, because it separates a sentence from its translation.",
            )
        if "\n" in side or "\r" in side:
            raise DataError(
                f"Sentence pair {line:,} has a line break inside a sentence.", hint="Replace it by a space."
            )
    return f"{source} {BARS} {target}"
