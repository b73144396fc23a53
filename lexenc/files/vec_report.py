"""Irregularities of vector files, counted while a file is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum


class Finding(StrEnum):
    """An irregularity, and how it is treated. The value completes a sentence that begins with a count."""

    NO_HEADER = "header missing"
    HEADER_COUNT = "header with a wrong number of rows"
    BOM = "byte order mark dropped"
    CRLF = "lines with a carriage return at the end"
    BLANK = "blank lines skipped"
    EMPTY_WORD = "lines without a word skipped"
    WRONG_LENGTH = "lines with a wrong number of cells skipped"
    NOT_A_NUMBER = "lines with a cell that is not a number skipped"
    NON_FINITE = "lines with an infinite or undefined cell skipped"
    DUPLICATE = "rows with a repeated word skipped"
    UNUSUAL = "vectors with a number below 1e-15 or above 1e10 kept"
    ZERO = "vectors of zeros kept"
    SPACED = "words with spaces kept"
    BYTES_LEFT = "bytes after the last row skipped"
    NOT_UTF8 = "words that are not UTF-8 kept byte for byte"


_PLURAL = re.compile(r"\b(line|row|vector|word)s\b")
# These occur once.
_OF_THE_FILE = (Finding.NO_HEADER, Finding.HEADER_COUNT, Finding.BOM, Finding.BYTES_LEFT)


@dataclass
class ReadReport:
    """Irregularities of a file.

    Attributes:
        source: The file or folder.
        form: Format, for instance `text` or `word2vec binary`.
        counts: Count of each irregularity that occurs.
        first_lines: First line (in binary files: row) of each irregularity, counted from 1.
        declared_rows: Number of rows in the header, None without a header.
    """

    source: str
    form: str = "text"
    counts: dict[Finding, int] = field(default_factory=dict)
    first_lines: dict[Finding, int] = field(default_factory=dict)
    declared_rows: int | None = None

    def add(self, finding: Finding, line: int, count: int = 1) -> None:
        """Count a finding at a line."""
        self.counts[finding] = self.counts.get(finding, 0) + count
        self.first_lines.setdefault(finding, line)

    def sentences(self) -> list[str]:
        """Return one sentence per finding."""
        return [f"{self.source}: {self._sentence(finding, count)}." for finding, count in self.counts.items()]

    def _sentence(self, finding: Finding, count: int) -> str:
        if finding in _OF_THE_FILE:
            return str(finding)
        place = f"{'line' if self.form == 'text' else 'row'} {self.first_lines[finding]}"
        if count == 1:
            singular = _PLURAL.sub(r"\1", finding, count=1).replace(" are ", " is ")
            return f"1 {singular} ({place})"
        return f"{count:,} {finding} (first: {place})"


@dataclass
class Fault:
    """Reason why a line cannot be read."""

    finding: Finding
    text: str
