"""Sentences and their translations: one file of both (text, TMX or XLIFF), or two line by line; read as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal, NamedTuple

from lexenc.errors import DataError
from lexenc.files.exchange.pairs import PairFile
from lexenc.files.exchange.xml import looks_like_xml
from lexenc.files.text import counted, read_lines, write_lines

Form = Literal["source ||| target", "source TAB target", "two files", "units", "empty"]
Languages = tuple[str | None, str | None]

BARS = "|||"
# Three bars part the sides where they stand alone, as in fast_align; `a|||b` is one word.
_BARS = re.compile(r"(?<![^ \t])\|\|\|(?![^ \t])")
_BLANKS = " \t"
_SHOWN = 40


class SentencePair(NamedTuple):
    """A sentence and its translation; either may be empty.

    Args:
        line: Its line, from 1.
        source: The sentence.
        target: Its translation.
    """

    line: int
    source: str
    target: str


@dataclass(frozen=True)
class ParallelText:
    """Sentence pairs on disk; every loop over them reads the files again, one line at a time.

    Every line counts, whether there is anything on it or not: the pairs stay in step with what else there is by line.

    Args:
        source: The file of both, or that of the sentences.
        target: The file of the translations, where it is another.
        form: How they are written; units: those of a TMX or XLIFF file.
        languages: Of units, which are wanted; not needed where there are two.
    """

    source: Path
    target: Path | None
    form: Form
    languages: Languages = (None, None)

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.source) if self.target is None else f"{self.source} and {self.target}"

    def __iter__(self) -> Iterator[SentencePair]:
        """Read from the beginning.

        Raises:
            DataError: If a line is not UTF-8 or has not two sides, one file has more lines than the other, or units
                are damaged.
        """
        if self.target is not None:
            return _side_by_side(self.source, self.target)
        if self.form == "units":
            return _units(self.source, self.languages)
        return _parted(self.source, self.form)


def parallel_text(source: Path, target: Path | None = None, *, languages: Languages = (None, None)) -> ParallelText:
    """Find out how sentence pairs are written: the first line with anything on it shows it.

    Args:
        source: One file, `sentence ||| translation` or `sentence TAB translation`, or TMX or XLIFF; or the sentences
            alone. Packed with gzip or not.
        target: Their translations, line by line, where `source` has the sentences alone.
        languages: Of a TMX or XLIFF file, which are wanted; not needed where it has two.

    Raises:
        DataError: If a single file has neither three bars nor a TAB.
    """
    if target is not None:
        return ParallelText(source, target, "two files")
    if looks_like_xml(source):
        return ParallelText(source, None, "units", languages)
    for number, line in read_lines(source):
        if line.strip(_BLANKS) or "\t" in line:
            return ParallelText(source, None, _form_of(line, f"{source}, line {number}"))
    return ParallelText(source, None, "empty")


def _form_of(line: str, place: str) -> Form:
    if _BARS.search(line):
        return "source ||| target"
    if "\t" in line:
        return "source TAB target"
    raise DataError(
        f"{place}: there is neither ' {BARS} ' nor a TAB between two sentences: {_beginning(line)}.",
        hint="Two files? Give them as --source and --target.",
    )


def _beginning(line: str) -> str:
    """Show how a line begins."""
    return f"'{line}'" if len(line) <= _SHOWN else f"'{line[:_SHOWN]}...'"


def _parted(path: Path, form: Form) -> Iterator[SentencePair]:
    """Read a file that has both sides on every line."""
    tabs = form == "source TAB target"
    for number, line in read_lines(path):
        sides = line.split("\t") if tabs else _BARS.split(line)
        if len(sides) == 2:
            yield SentencePair(number, sides[0].strip(_BLANKS), sides[1].strip(_BLANKS))
        elif not line.strip(_BLANKS):
            yield SentencePair(number, "", "")
        else:
            raise _not_two(f"{path}, line {number}", line, len(sides) - 1, "TAB" if tabs else f"' {BARS} '")


def _not_two(place: str, line: str, found: int, separator: str) -> DataError:
    many = f"{found} times" if found else "nowhere"
    hint = f"Put {separator} between the sentence and its translation." if not found else (
        f"A {separator} inside a sentence? Take it out, or give two files: --source and --target."
    )  # fmt: skip
    return DataError(f"{place}: {separator} {many}, expected once: {_beginning(line)}.", hint=hint)


def _units(path: Path, languages: Languages) -> Iterator[SentencePair]:
    """Read the units of a TMX or XLIFF file that have both languages; a pair has the line of its unit."""
    for line, source, target in PairFile(path, *languages):
        yield SentencePair(line, source.strip(_BLANKS), target.strip(_BLANKS))


def _side_by_side(source: Path, target: Path) -> Iterator[SentencePair]:
    """Read two files in step."""
    number = 0
    left, right = (_texts(path) for path in (source, target))
    for one, other in zip_longest(left, right):
        if one is None or other is None:
            rest = 1 + sum(1 for _ in (left if other is None else right))
            raise _unequal((source, target) if other is None else (target, source), number + rest, number)
        number += 1
        yield SentencePair(number, one, other)


def _texts(path: Path) -> Iterator[str]:
    return (line.strip(_BLANKS) for _, line in read_lines(path))


def _unequal(files: tuple[Path, Path], more: int, fewer: int) -> DataError:
    """Give the error for two files of which the first has more lines."""
    longer, shorter = files
    return DataError(
        f"{longer} has {counted(more, 'line')}, {shorter} {fewer:,}: from line {fewer + 1:,} on there is nothing "
        "beside it.",
        hint="Both need one sentence per line in the same order; empty lines count too.",
    )


def write_parallel(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write `sentence ||| translation` lines.

    Raises:
        DataError: If a side has three bars of its own, or a line break.
    """
    write_lines(path, (joined(source, target, number) for number, (source, target) in enumerate(pairs, start=1)))


def joined(source: str, target: str, line: int) -> str:
    """Write a sentence and its translation as one line.

    Args:
        source: The sentence.
        target: Its translation.
        line: Its number, for the message.

    Raises:
        DataError: If a side has three bars of its own, or a line break.
    """
    for side in (source, target):
        if BARS in side and _BARS.search(side):
            raise DataError(
                f"Sentence pair {line:,} has ' {BARS} ' inside a sentence: {_beginning(side)}.",
                hint="Take it out: it stands between a sentence and its translation.",
            )
        if "\n" in side or "\r" in side:
            raise DataError(
                f"Sentence pair {line:,} has a line break inside a sentence.", hint="Replace it by a space."
            )
    return f"{source} {BARS} {target}"
