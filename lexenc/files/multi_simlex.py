"""Multi-SimLex: the same word pairs in many languages.

Two forms are read: the official one (`translation.csv` with the columns `ENG 1`, `ENG 2`, `FIN 1`, .. and `scores.csv`
with `ENG`, `FIN`, ..) and Concepticon's list of concepts (one file: a word and scores per concept and language).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.similarity import (
    MULTI_SIMLEX_SCALE,
    SCORES,
    TRANSLATIONS,
    ScoredPairs,
    cells_of,
    score_of,
)
from lexenc.files.text import counted, read_lines

OFFICIAL, CONCEPTS = "Multi-SimLex", "Multi-SimLex as Concepticon lists it"
# By the code without region: how the official files and Concepticon name the column.
_LANGUAGES = {
    "ar": ("ARA", "ARABIC"),
    "cy": ("CYM", "WELSH"),
    "en": ("ENG", "ENGLISH"),
    "es": ("SPA", "SPANISH"),
    "et": ("EST", "ESTONIAN"),
    "fi": ("FIN", "FINNISH"),
    "fr": ("FRA", "FRENCH"),
    "he": ("HEB", "HEBREW"),
    "pl": ("POL", "POLISH"),
    "ru": ("RUS", "RUSSIAN"),
    "sw": ("SWA", "KISWAHILI"),
    "yue": ("YUE", "CANTONESE"),
    "zh": ("CMN", "CHINESE"),
}
_OFFICIAL_WORD = re.compile(r"([A-Z]{3}) 1")
_LISTED = re.compile(r"(.*?)\s*\((.*)\)\s*", re.DOTALL)


@dataclass(frozen=True)
class MultiSimLex:
    """Where a data set of many languages lies.

    Args:
        form: `OFFICIAL` or `CONCEPTS`.
        words: File with the words (and, for concepts, with the scores).
        scores: File with the scores.
        heads: Columns of the file with the words.
    """

    form: str
    words: Path
    scores: Path
    heads: list[str]

    @property
    def languages(self) -> list[str]:
        """Names of the languages as the file has them."""
        if self.form == OFFICIAL:
            return [match.group(1) for head in self.heads if (match := _OFFICIAL_WORD.fullmatch(head))]
        return [head.removesuffix("_SCORE") for head in self.heads if head.endswith("_SCORE")]

    def column(self, language: str | None) -> str:
        """Give the name that the file has for a language.

        Raises:
            DataError: If no language was asked for, or it is not there.
        """
        known = {code_of(name): name for name in self.languages}
        listed = ", ".join(sorted(known))
        if language is None:
            raise DataError(
                f"{self.words} holds {counted(len(known), 'language')}, and none was chosen.",
                hint=f"Give --language, or --source-language and --target-language: {listed}.",
            )
        wanted = code_of(language.split("-")[0].upper())
        if wanted not in known:
            raise DataError(f"{self.words} has no language '{language}'.", hint=f"It has {listed}.")
        return known[wanted]


def code_of(name: str) -> str:
    """Give the shortest code of a language that a file names `ENG` or `ENGLISH`, or a user `en` or `eng`."""
    return next((code for code, names in _LANGUAGES.items() if name in (code.upper(), *names)), name.lower())


def find_multi_simlex(path: Path) -> MultiSimLex | None:
    """Tell whether a file or folder is Multi-SimLex in many languages, by the head of the file.

    Args:
        path: A folder with both official files, one of them, or Concepticon's list.

    Raises:
        DataError: If the scores of the official form are not beside the words.
    """
    beside = path if path.is_dir() else path.parent
    if path.is_dir() or path.name == SCORES:
        path = beside / TRANSLATIONS
        if not path.is_file():
            return None
    head = next((line for _, line in read_lines(path) if line.strip(" \t")), "")
    heads = cells_of(head, _separator(head))
    if {"LINKS", "SIMLEX_IDS"} <= set(heads) and any(each.endswith("_SCORE") for each in heads):
        return MultiSimLex(CONCEPTS, path, path, heads)
    if not any(_OFFICIAL_WORD.fullmatch(each) for each in heads):
        return None
    if not (beside / SCORES).is_file():
        raise DataError(f"{path} has words without scores.", hint=f"Put {SCORES} of Multi-SimLex beside it.")
    return MultiSimLex(OFFICIAL, path, beside / SCORES, heads)


def read_multi_simlex(path: Path, language: str | None) -> ScoredPairs:
    """Read one language; the pairs of two languages are aligned by their `keys`.

    Raises:
        DataError: If it is no such data set, the language is not there, or a line cannot be used.
    """
    found = find_multi_simlex(path)
    if found is None:
        raise DataError(f"{path} is not Multi-SimLex in many languages.", hint="Give the file as it was published.")
    column = found.column(language)
    return _official(found, column) if found.form == OFFICIAL else _from_concepts(found, column)


def _separator(head: str) -> str:
    return "\t" if "\t" in head else ","


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the lines of a table with a head by column, with their numbers."""
    heads: list[str] = []
    separator = ","
    for number, line in read_lines(path):
        if not line.strip(" \t"):
            continue
        if not heads:
            separator = _separator(line)
            heads = cells_of(line, separator)
            missing = [each for each in needed if each not in heads]
            if missing:
                raise DataError(f"{path} has no column '{missing[0]}'.", hint="Give the file as it was published.")
            continue
        cells = cells_of(line, separator)
        if len(cells) < len(heads):
            raise DataError(
                f"{path}, line {number}: {counted(len(cells), 'column')}, expected {len(heads)}.",
                hint="Give the file as it was published.",
            )
        yield number, dict(zip(heads, cells, strict=False))


def _official(found: MultiSimLex, column: str) -> ScoredPairs:
    """Join words and scores by `ID`, or line by line where a file has none."""
    scores: dict[str, str] = {}
    for order, (_, row) in enumerate(_rows(found.scores, [column]), start=1):
        scores[row.get("ID", str(order))] = row[column]
    table = ScoredPairs([], [], [], OFFICIAL, MULTI_SIMLEX_SCALE)
    for order, (number, row) in enumerate(_rows(found.words, [f"{column} 1", f"{column} 2"]), start=1):
        key, place = row.get("ID", str(order)), f"{found.words}, line {number}"
        if key not in scores:
            raise DataError(f"{place}: pair {key} has no line in {found.scores}.", hint="Take both of one release.")
        words = row[f"{column} 1"], row[f"{column} 2"]
        score = score_of(scores[key], table.scale, f"{found.scores}, pair {key}")
        _add(table, key, words, score, place)
    return _whole(table, found.words)


def _from_concepts(found: MultiSimLex, column: str) -> ScoredPairs:
    """Put the pairs together again: `SIMLEX_IDS` has `203:2` where a concept is the second word of pair 203."""
    halves: dict[str, dict[str, tuple[str, float, int]]] = {}
    said = f"{column}_IN_SOURCE"
    needed = ["SIMLEX_IDS", column, f"{column}_SCORE"]
    for number, row in _rows(found.words, needed):
        place = f"{found.words}, line {number}"
        ids, scores = row["SIMLEX_IDS"].split(), row[f"{column}_SCORE"].split()
        words = _words_in_pairs(row[column], row.get(said, ""), len(ids), place)
        if len(scores) != len(ids):
            raise DataError(
                f"{place}: {counted(len(ids), 'pair')} and {counted(len(scores), 'score')}.",
                hint="Give the file as it was published.",
            )
        for identifier, score, word in zip(ids, scores, words, strict=True):
            pair, _, half = identifier.partition(":")
            halves.setdefault(pair, {})[half] = (word, score_of(score, MULTI_SIMLEX_SCALE, place), number)
    return _joined(halves, found.words)


def _joined(halves: Mapping[str, Mapping[str, tuple[str, float, int]]], path: Path) -> ScoredPairs:
    table = ScoredPairs([], [], [], CONCEPTS, MULTI_SIMLEX_SCALE)
    for pair in sorted(halves, key=lambda each: (len(each), each)):
        both = halves[pair]
        if set(both) != {"1", "2"}:
            line = next(iter(both.values()))[2]
            raise DataError(f"{path}, line {line}: pair {pair} has no other word.", hint="Use the whole file.")
        (first, score, line), (second, other, _) = both["1"], both["2"]
        if score != other:
            raise DataError(
                f"{path}, line {line}: pair {pair} has the scores {score:g} and {other:g}.", hint="Use the whole file."
            )
        _add(table, pair, (first, second), score, f"{path}, line {line}")
    return _whole(table, path)


def _words_in_pairs(listed: str, said: str, count: int, place: str) -> list[str]:
    """Give the word that a concept has in each of its pairs.

    A concept lists its words as `disease (illness/sickness)`; what stands in each pair is a row of words separated by
    spaces, of which some are phrases: cut so that every piece is a listed word.
    """
    match = _LISTED.fullmatch(listed)
    listing = [listed, *([match.group(1), *match.group(2).split("/")] if match else [])]
    known = {" ".join(each.split()) for each in listing}
    tokens = said.split()
    if not tokens:
        return [" ".join((match.group(1) if match else listed).split())] * count
    if count == 1:
        return [" ".join(tokens)]
    found = tokens if len(tokens) == count else _cut(tokens, count, known)
    if found is None:
        raise DataError(
            f"{place}: '{said}' cannot be told apart into {count} of: {', '.join(sorted(known))}.",
            hint="Give the file as it was published.",
        )
    return found


def _cut(tokens: Sequence[str], count: int, known: set[str]) -> list[str] | None:
    """Cut tokens into so many known phrases, from the left, longest first; None where that cannot be done."""
    # ways[i] holds the ways to cut the first i tokens, by their number of pieces.
    ways: list[dict[int, list[str]]] = [{0: []}]
    for end in range(1, len(tokens) + 1):
        here: dict[int, list[str]] = {}
        for start in range(end):
            piece = " ".join(tokens[start:end])
            if piece in known:
                for pieces, before in ways[start].items():
                    here.setdefault(pieces + 1, [*before, piece])
        ways.append(here)
    return ways[-1].get(count)


def _add(table: ScoredPairs, key: str, words: tuple[str, str], score: float, place: str) -> None:
    if not all(words):
        raise DataError(f"{place}: a word of pair {key} is empty.", hint="Give the file as it was published.")
    table.first.append(words[0])
    table.second.append(words[1])
    table.scores.append(score)
    table.keys.append(key)


def _whole(table: ScoredPairs, path: Path) -> ScoredPairs:
    if not table.scores:
        raise DataError(f"{path} holds no pairs.", hint="Give the file as it was published.")
    return table
