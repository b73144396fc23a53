"""What reading a vector file met, for its reader and its user."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum


class Finding(StrEnum):
    """A declared policy that a file made use of. The value completes a sentence such as `12 ...`, in the plural."""

    NO_HEADER = "header missing"
    HEADER_COUNT = "header with a wrong number of rows"
    BOM = "byte order mark dropped"
    CRLF = "lines with a carriage return at the end"
    BLANK = "blank lines left out"
    EMPTY_WORD = "lines without a word left out"
    WRONG_LENGTH = "lines with a wrong number of cells left out"
    NOT_A_NUMBER = "lines with a cell that is no number left out"
    NON_FINITE = "lines with an infinite or undefined cell left out"
    DUPLICATE = "rows with a repeated word left out"
    ZERO = "vectors of zeros kept"
    SPACED = "words with spaces kept"
    NOT_UTF8 = "words that are not UTF-8 kept byte for byte"


_PLURAL = re.compile(r"\b(line|row|vector|word)s\b")
# These are there once, and at the beginning.
_OF_THE_FILE = (Finding.NO_HEADER, Finding.HEADER_COUNT, Finding.BOM)


@dataclass
class ReadReport:
    """What reading a file met.

    Attributes:
        source: The file or folder.
        form: Its format, for instance `text` or `word2vec binary`.
        counts: How often each policy fired; those that did not are absent.
        first_lines: The first line (or, in binary files, row) at which it did, counted from 1.
        declared_rows: Number of rows the header promises, None without a header.
    """

    source: str
    form: str = "text"
    counts: dict[Finding, int] = field(default_factory=dict)
    first_lines: dict[Finding, int] = field(default_factory=dict)
    declared_rows: int | None = None

    def add(self, finding: Finding, line: int, count: int = 1) -> None:
        """Count a finding; the first line given for it is kept."""
        self.counts[finding] = self.counts.get(finding, 0) + count
        self.first_lines.setdefault(finding, line)

    def sentences(self) -> list[str]:
        """Say it to a person, one sentence per finding."""
        return [f"{self.source}: {self._said(finding, count)}." for finding, count in self.counts.items()]

    def _said(self, finding: Finding, count: int) -> str:
        if finding in _OF_THE_FILE:
            return str(finding)
        place = f"{'line' if self.form == 'text' else 'row'} {self.first_lines[finding]}"
        if count == 1:
            singular = _PLURAL.sub(r"\1", finding, count=1).replace(" are ", " is ")
            return f"1 {singular} ({place})"
        return f"{count:,} {finding} (first: {place})"


@dataclass
class Fault:
    """Why a line cannot be used."""

    finding: Finding
    text: str
