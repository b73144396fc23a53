"""Files of induced lexicons, and review tables in which people decide on proposed translations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.dictionaries import LEXICON_HEAD
from lexenc.files.review_tables import review_rows, write_review_table
from lexenc.files.text import write_table
from lexenc.text.folding import trim

OPTIMISTIC = "optimistic_probability"
_REST = ("csls", "cosine", "margin", "mutual", "rank", "status")
REVIEW_COLUMNS = ("source", "target", "probability", "decision", "correction")
_NEEDED = ("source", "target", "decision")
_DECISIONS = {"ok": "ok", "wrong": "wrong", "other": "other", "another": "other", "another translation": "other"}


@dataclass(frozen=True)
class LexiconEntry:
    """One proposed translation.

    Args:
        source: The source word.
        target: Its translation.
        probability: Probability that the translation is right; None if it was not measured for such pairs.
        csls: CSLS score.
        cosine: Cosine similarity.
        margin: Difference in CSLS to the word's best other candidate.
        mutual: Whether each word is the best candidate of the other.
        rank: Rank among the candidates of the source word, from 1; None if it is not among them.
        status: `known` (in the dictionary), `new`, or `new further` (of a word that the dictionary lists with other
            translations), and `identical` for equal strings.
    """

    source: str
    target: str
    probability: float | None
    csls: float
    cosine: float
    margin: float
    mutual: bool
    rank: int | None
    status: str

    def cells(self) -> Iterator[str]:
        """Yield the values in the order of the columns."""
        yield from (self.source, self.target, self.shown(4))
        yield from (f"{value:.4f}" for value in (self.csls, self.cosine, self.margin))
        yield from ("yes" if self.mutual else "no", "" if self.rank is None else str(self.rank), self.status)

    def shown(self, digits: int) -> str:
        """Return the probability as text; empty if there is none."""
        return "" if self.probability is None else f"{self.probability:.{digits}f}"


def writable(word: str) -> bool:
    """Return whether a word can be written to a UTF-8 table with TABs between columns."""
    return not re.search("[\t\r\n\ud800-\udfff]", word) and word == trim(word)


def write_lexicon(path: Path, entries: Iterable[LexiconEntry], *, optimistic: bool = False) -> None:
    """Write a lexicon, which every command can read as a dictionary.

    If the probabilities are known to be too high (`optimistic`), this is noted in the header.
    """
    head = (*LEXICON_HEAD[:2], OPTIMISTIC if optimistic else LEXICON_HEAD[2], *_REST)
    write_table(path, head, (each.cells() for each in entries))


def write_review(path: Path, entries: Iterable[LexiconEntry], *, optimistic: bool = False) -> None:
    """Write a table for a spreadsheet: CSV with a byte order mark, one proposal per line, and empty decisions.

    If the probabilities are known to be too high (`optimistic`), this is noted in the header.
    """
    heads = [OPTIMISTIC if optimistic and each == LEXICON_HEAD[2] else each for each in REVIEW_COLUMNS]
    write_review_table(path, heads, ((each.source, each.target, each.shown(2), "", "") for each in entries))


@dataclass(frozen=True)
class Review:
    """Decisions of a reviewer.

    Args:
        accepted: Distinct confirmed or corrected pairs, in the order of the table.
        rejected: Pairs marked as wrong.
        corrected: Number of accepted pairs that are corrections, and confirmed by no line.
        undecided: Number of lines without a decision.
        lines: Number of lines.
        corrected_lines: Number of lines with a correction. One line may have several pairs.
    """

    accepted: list[tuple[str, str]] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    corrected: int = 0
    undecided: int = 0
    lines: int = 0
    corrected_lines: int = 0


def read_review(path: Path) -> Review:
    """Read a review table as saved by a spreadsheet, with commas, semicolons or TABs between columns.

    The order of columns, additional columns and the case of decisions do not matter. A correction may contain several
    translations with semicolons between them.

    Raises:
        DataError: If a column is missing, or a decision is unknown or contradicts the correction.
    """
    kept: dict[tuple[str, str], bool] = {}  # whether a line confirms it
    dropped: dict[tuple[str, str], None] = {}
    decisions = []
    for place, row in review_rows(path, REVIEW_COLUMNS, _NEEDED):
        pair, decision = _decided(place, row)
        decisions.append(decision)
        if decision == "ok":
            kept[pair] = True
        elif decision:
            dropped[pair] = None
            for better in _translations(row["correction"]) if decision == "other" else ():
                kept.setdefault((pair[0], better), False)
    return Review(
        list(kept),
        [pair for pair in dropped if pair not in kept],
        sum(not confirmed for confirmed in kept.values()),
        decisions.count(""),
        len(decisions),
        decisions.count("other"),
    )


def _translations(correction: str) -> list[str]:
    return [each for each in map(trim, correction.split(";")) if each]


def _decided(place: str, row: dict[str, str]) -> tuple[tuple[str, str], str]:
    """Return the pair of a row, and its decision: `ok`, `wrong`, `other` or empty."""
    source, target, correction = row["source"], row["target"], row["correction"]
    for name in ("source", "target"):
        if not row[name]:
            raise DataError(f"{place}: the {name} is empty.", hint="Fill it in, or delete the line.")
    if not all(writable(each) for each in (source, target, correction)):
        raise DataError(f"{place}: a TAB or line break inside a cell.", hint="Write words and phrases on one line.")
    written = row["decision"].lower()
    if written and written not in _DECISIONS:
        raise DataError(f"{place}: unknown decision '{row['decision']}'.", hint="Write ok, wrong, other or nothing.")
    decision = _DECISIONS.get(written, "")
    if correction and decision == "ok" and correction != target:
        raise DataError(
            f"{place}: '{target}' is ok, but the correction is '{correction}'.",
            hint="Write other to replace it by the correction, or remove the correction.",
        )
    if (decision == "other" or correction) and not _translations(correction):
        raise DataError(
            f"{place}: another translation, but the correction is empty.", hint="Fill it in, or write wrong."
        )
    # A correction is a decision, even if none is written.
    return (source, target), "other" if correction and decision != "ok" else decision
