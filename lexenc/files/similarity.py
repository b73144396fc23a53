"""Word pairs with similarity scores, in the forms that the data sets of the field come in.

Told apart by content, not by name: SimLex-999 and WordSim-353 (columns found by their heads), three columns between
TABs (VecMap), commas or spaces (MUSE), Multi-SimLex for one language (a column per annotator) and for many.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import counted, fold_case, read_lines, write_lines

PAIRS = "pairs.tsv"
TRANSLATIONS, SCORES = "translation.csv", "scores.csv"
_TEN = (0.0, 10.0)
MULTI_SIMLEX_SCALE = (0.0, 6.0)
# Heads of the column that holds the score, the surest first; SimLex-999 has others with numbers before and after it.
_SCORE_HEADS = ("simlex999", "human (mean)", "score", "similarity", "mean", "average")
_WORD_HEADS = (("word 1", "word 2"), ("word1", "word2"))
_HINT = "One pair per line: word, TAB, word, TAB, score."


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs of words or phrases in file order; a repeated pair counts each time.

    Args:
        first: Left words.
        second: Right words.
        scores: How similar people found them, on the scale of the file.
        form: The format that was recognised.
        scale: Lowest and highest score possible, where the format fixes them.
        keys: What aligns the pairs of two languages, where the file says so: an identifier of each pair.
    """

    first: list[str]
    second: list[str]
    scores: list[float]
    form: str = ""
    scale: tuple[float, float] | None = None
    keys: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def repeated(self) -> int:
        """How many pairs had come before, in the same order of words."""
        return len(self) - len(set(zip(self.first, self.second, strict=True)))

    def folded(self, first_language: str | None = None, second_language: str | None = None) -> ScoredPairs:
        """Give the pairs in lower case, each side as its language does it."""
        first = [fold_case(word, first_language) for word in self.first]
        second = [fold_case(word, second_language) for word in self.second]
        return ScoredPairs(first, second, self.scores, self.form, self.scale, self.keys)


def read_scored_pairs(path: Path, language: str | None = None) -> ScoredPairs:
    """Read a data set such as SimLex; lines may end with CR alone. Columns beyond those needed are passed over.

    Args:
        path: A file, or a folder with `pairs.tsv` or with the `translation.csv` and `scores.csv` of Multi-SimLex.
        language: Code of the language to take from a file that holds many; without meaning for others.

    Raises:
        DataError: If a line has too few columns, a word is missing, a score is no number or off the format's scale, or
            a file of many languages has not the one asked for.
    """
    from lexenc.files.multi_simlex import find_multi_simlex, read_multi_simlex

    if find_multi_simlex(path) is not None:
        return read_multi_simlex(path, language)
    place = path / PAIRS if path.is_dir() else path
    if path.is_dir() and not place.is_file():
        raise DataError(
            f"{path} is a folder without {PAIRS}, or {TRANSLATIONS} and {SCORES}.", hint="Give the file with the pairs."
        )
    table = _Columns.none()
    pairs = ScoredPairs([], [], [])
    for number, line in read_lines(place):
        if not line.strip(" \t"):
            continue
        if not table.known:
            table = _recognise(line)
            pairs = ScoredPairs([], [], [], table.form, table.scale)
            if table.headed:
                continue
        _add(pairs, table, cells_of(line, table.separator), f"{place}, line {number}")
    if not pairs.scores:
        raise DataError(f"{place} holds no pairs.", hint=_HINT)
    return pairs


def write_scored_pairs(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write pairs with a head line, TABs between the columns; the first three are word, word and score."""
    write_lines(path, ("\t".join(row) for row in [columns, *rows]))


# ---------------------------------------------------------------- recognising


@dataclass(frozen=True)
class _Columns:
    """Where the words and scores of a file stand.

    Args:
        form: Name of the format.
        separator: TAB, comma, or empty for runs of spaces.
        words: Columns of both words.
        scores: Columns whose mean is the score.
        headed: Whether the first line is a head.
        scale: Lowest and highest score, where the format fixes them.
        width: Number of columns of the first line.
    """

    form: str
    separator: str
    words: tuple[int, int]
    scores: tuple[int, ...]
    headed: bool
    scale: tuple[float, float] | None
    width: int

    @classmethod
    def none(cls) -> _Columns:
        return cls("", "", (0, 1), (2,), False, None, 0)

    @property
    def known(self) -> bool:
        return bool(self.form)


_BETWEEN = {"\t": "columns between TABs", ",": "columns between commas", "": "columns between spaces"}


def cells_of(line: str, separator: str) -> list[str]:
    """Split a line at TABs, at commas outside quotes, or (separator empty) at runs of spaces."""
    if separator == ",":
        return [cell.strip(" ") for cell in next(csv.reader([line]), [])]
    if separator:
        return [cell.strip(" ") for cell in line.split(separator)]
    return [cell for cell in line.split(" ") if cell]


def separator_of(line: str) -> str:
    """Tell what separates the columns of a first line."""
    return "\t" if "\t" in line else "," if line.count(",") >= 2 else ""


def _recognise(line: str) -> _Columns:
    """Tell the format from the first line."""
    separator = separator_of(line)
    cells = cells_of(line, separator)
    heads = [cell.lower() for cell in cells]
    words = _word_columns(heads)
    annotators = tuple(place for place, head in enumerate(heads) if head.startswith("annotator"))
    if annotators and words is not None:
        form = "Multi-SimLex, one language, mean over annotators"
        return _Columns(form, separator, words, annotators, True, MULTI_SIMLEX_SCALE, len(cells))
    score = next((heads.index(head) for head in _SCORE_HEADS if head in heads), None)
    headed = score is not None or words is not None or _is_head(cells)
    if not headed:
        return _Columns(_BETWEEN[separator], separator, (0, 1), (2,), False, None, len(cells))
    form, scale = _BETWEEN[separator] + " with a head", None
    if score is not None and heads[score] == "simlex999":
        form, scale = "SimLex-999", _TEN
    elif score is not None and heads[score] == "human (mean)":
        form, scale = "WordSim-353", _TEN
    return _Columns(form, separator, words or (0, 1), (2 if score is None else score,), True, scale, len(cells))


def _word_columns(heads: Sequence[str]) -> tuple[int, int] | None:
    for left, right in _WORD_HEADS:
        if left in heads and right in heads:
            return heads.index(left), heads.index(right)
    return None


def _is_head(cells: Sequence[str]) -> bool:
    """Tell a head from a pair: it has no number, and `7,5` is one wrongly written and no word."""
    numbers = any(number_of(cell) is not None for cell in cells)
    return len(cells) > 2 and not numbers and any(letter.isalpha() for letter in cells[2])


# ---------------------------------------------------------------- lines


def _add(pairs: ScoredPairs, table: _Columns, cells: Sequence[str], place: str) -> None:
    if not table.separator and len(cells) > 3:
        raise DataError(
            f"{place}: {counted(len(cells), 'column')}, expected 3 (word, word, score).",
            hint="Phrases need TABs between the columns.",
        )
    if len(cells) <= max(*table.words, *table.scores):
        raise DataError(
            f"{place}: {counted(len(cells), 'column')}, expected {max(3, table.width)} (word, word, score).",
            hint="Put TABs between the columns.",
        )
    first, second = (cells[column] for column in table.words)
    if not first or not second:
        raise DataError(
            f"{place}: the {'first' if not first else 'second'} word is empty.", hint="Fill it in, or delete the line."
        )
    values = [score_of(cells[column], table.scale, place) for column in table.scores]
    pairs.first.append(first)
    pairs.second.append(second)
    pairs.scores.append(sum(values) / len(values))


def score_of(cell: str, scale: tuple[float, float] | None, place: str) -> float:
    """Read a score.

    Args:
        cell: What the file says.
        scale: Lowest and highest score, where they are known.
        place: File and line, for messages.

    Raises:
        DataError: If it is no finite number or off the scale.
    """
    score = number_of(cell)
    if score is None:
        pointed = cell.replace(",", ".")
        decimal = "," in cell and number_of(pointed) is not None
        hint = f"Decimals use a point: {pointed}." if decimal else "Write 7.5."
        raise DataError(f"{place}: the score is '{cell}', not a number.", hint=hint)
    if not math.isfinite(score):
        raise DataError(f"{place}: the score is '{cell}', not a finite number.", hint="Write 7.5, or delete the line.")
    if scale is not None and not scale[0] <= score <= scale[1]:
        raise DataError(
            f"{place}: the score is {score:g}, off the scale from {scale[0]:g} to {scale[1]:g}.",
            hint="Correct it, or delete the line.",
        )
    return score


def number_of(cell: str) -> float | None:
    """Read a number, or give None."""
    try:
        return float(cell)
    except ValueError:
        return None
