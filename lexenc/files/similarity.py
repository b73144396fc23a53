"""Word pairs with similarity scores, in the formats of the usual data sets.

The format is recognised by content: SimLex-999 and WordSim-353 (columns by name), three columns between TABs (VecMap),
commas or spaces (MUSE), Multi-SimLex of one language (a column per annotator) and of many languages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import cells_of, counted, number_of, read_lines, separator_of
from lexenc.text.folding import Folding, trim

PAIRS = "pairs.tsv"
TRANSLATIONS, SCORES = "translation.csv", "scores.csv"
_TEN = (0.0, 10.0)
MULTI_SIMLEX_SCALE = (0.0, 6.0)
# Names of the column with the score, by preference. SimLex-999 has other columns with numbers.
_SCORE_HEADS = ("simlex999", "human (mean)", "score", "similarity", "mean", "average")
_WORD_HEADS = (("word 1", "word 2"), ("word1", "word2"))
_HINT = "One pair per line: word, TAB, word, TAB, score."


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs of words or phrases in file order, with repeated pairs.

    Args:
        first: Left words.
        second: Right words.
        scores: Human similarity scores, on the scale of the file.
        form: Name of the format.
        scale: Lowest and highest possible score, if the format defines them.
        keys: Identifiers by which the pairs of two languages are aligned, if the file has them.
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
        """Number of repeated pairs, with the words in the same order."""
        return len(self) - len(set(zip(self.first, self.second, strict=True)))

    def folded(
        self, folding: Folding, first_language: str | None = None, second_language: str | None = None
    ) -> ScoredPairs:
        """Return the pairs folded."""
        first = [folding.fold(word, first_language) for word in self.first]
        second = [folding.fold(word, second_language) for word in self.second]
        return ScoredPairs(first, second, self.scores, self.form, self.scale, self.keys)


def read_similarity_file(path: Path) -> ScoredPairs:
    """Read a data set of one language, such as SimLex. Further columns are ignored.

    Args:
        path: A file, or a folder with `pairs.tsv`.

    Raises:
        DataError: If a line has too few columns, a word is missing, or a score is not a number on the format's scale.
    """
    place = path / PAIRS if path.is_dir() else path
    if path.is_dir() and not place.is_file():
        raise DataError(
            f"{path} is a folder without {PAIRS}, or {TRANSLATIONS} and {SCORES}.", hint="Use the file with the pairs."
        )
    table: _Columns | None = None
    pairs = ScoredPairs([], [], [])
    for number, line in read_lines(place):
        if not trim(line):
            continue
        if table is None:
            table = _recognise(line, place, number)
            pairs = ScoredPairs([], [], [], table.form, table.scale)
            if table.headed:
                continue
        _add(pairs, table, cells_of(line, table.separator, place, number), f"{place}, line {number}")
    if not pairs.scores:
        raise DataError(f"{place} holds no pairs.", hint=_HINT)
    return pairs


@dataclass(frozen=True)
class _Columns:
    """Columns of a file. The mean of the columns `scores` is the score."""

    form: str
    separator: str
    words: tuple[int, int]
    scores: tuple[int, ...]
    headed: bool
    scale: tuple[float, float] | None
    width: int


_BETWEEN = {"\t": "columns between TABs", ",": "columns between commas", "": "columns between spaces"}


def _recognise(line: str, path: Path, number: int) -> _Columns:
    separator = separator_of(line)
    cells = cells_of(line, separator, path, number)
    heads = [cell.lower() for cell in cells]
    words = next(
        ((heads.index(left), heads.index(right)) for left, right in _WORD_HEADS if {left, right} <= {*heads}), None
    )
    annotators = tuple(place for place, head in enumerate(heads) if head.startswith("annotator"))
    if annotators and words is not None:
        form = "Multi-SimLex, one language, mean over annotators"
        return _Columns(form, separator, words, annotators, True, MULTI_SIMLEX_SCALE, len(cells))
    score = next((heads.index(head) for head in _SCORE_HEADS if head in heads), None)
    # Other heads: no cell is a number, and the third is not `7,5`.
    other = len(cells) > 2 and all(number_of(cell) is None for cell in cells) and any(map(str.isalpha, cells[2]))
    if score is None and words is None and not other:
        return _Columns(_BETWEEN[separator], separator, (0, 1), (2,), False, None, len(cells))
    form, scale = _BETWEEN[separator] + " with a head", None
    if score is not None and heads[score] == "simlex999":
        form, scale = "SimLex-999", _TEN
    elif score is not None and heads[score] == "human (mean)":
        form, scale = "WordSim-353", _TEN
    return _Columns(form, separator, words or (0, 1), (2 if score is None else score,), True, scale, len(cells))


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
    """Return a score as a number.

    Args:
        cell: Text of the score.
        scale: Lowest and highest possible score, if they are known.
        place: File and line, for messages.

    Raises:
        DataError: If it is not a finite number on the scale.
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
            f"{place}: the score is {score:g}, outside the scale from {scale[0]:g} to {scale[1]:g}.",
            hint="Correct it, or delete the line.",
        )
    return score
