"""Data sets of word similarity, among them Multi-SimLex: the same word pairs in many languages.

Two formats of Multi-SimLex are read: the official one (`translation.csv` with the columns `ENG 1`, `ENG 2`, `FIN 1`, ..
and `scores.csv` with `ENG`, `FIN`, ..) and the one of Concepticon (one file with words and scores of each concept).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.similarity import (
    MULTI_SIMLEX_SCALE,
    SCORES,
    TRANSLATIONS,
    ScoredPairs,
    read_similarity_file,
    score_of,
)
from lexenc.files.text import cells_of, counted, read_lines, separator_of, table_rows
from lexenc.text.folding import trim

_HINT = "Use the file as it was published."
OFFICIAL, CONCEPTS = "Multi-SimLex", "Multi-SimLex as Concepticon lists it"
# Names of the columns in the official files and in Concepticon, by language code without region.
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
    """Files of a data set of many languages.

    Args:
        form: `OFFICIAL` or `CONCEPTS`.
        words: File with the words. In the form `CONCEPTS` it has the scores as well.
        scores: File with the scores.
        heads: Names of the columns of the file with the words.
    """

    form: str
    words: Path
    scores: Path
    heads: list[str]

    @property
    def languages(self) -> list[str]:
        """Names of the languages in the file."""
        if self.form == OFFICIAL:
            return [match.group(1) for head in self.heads if (match := _OFFICIAL_WORD.fullmatch(head))]
        return [head.removesuffix("_SCORE") for head in self.heads if head.endswith("_SCORE")]

    def column(self, language: str | None) -> str:
        """Return the name of a language in the file.

        Raises:
            DataError: If `language` is None, or the file does not have it.
        """
        known = {code_of(name): name for name in self.languages}
        listed = ", ".join(sorted(known))
        if language is None:
            raise DataError(
                f"{self.words} holds {counted(len(known), 'language')}, and none was chosen.",
                hint=f"Add --language, or --source-language and --target-language: {listed}.",
            )
        wanted = code_of(language.split("-")[0].upper())
        if wanted not in known:
            raise DataError(f"{self.words} has no language '{language}'.", hint=f"It has {listed}.")
        return known[wanted]


def code_of(name: str) -> str:
    """Return the shortest code of a language from `ENG`, `ENGLISH`, `en` or `eng`."""
    return next((code for code, names in _LANGUAGES.items() if name in (code.upper(), *names)), name.lower())


def find_multi_simlex(path: Path) -> MultiSimLex | None:
    """Return the files of Multi-SimLex in many languages, or None if `path` is something else.

    Args:
        path: A folder with both official files, one of them, or the file of Concepticon.

    Raises:
        DataError: If there are words of the official format without scores.
    """
    beside = path if path.is_dir() else path.parent
    if path.is_dir() or path.name == SCORES:
        path = beside / TRANSLATIONS
        if not path.is_file():
            return None
    number, head = next(((number, line) for number, line in read_lines(path) if trim(line)), (1, ""))
    heads = cells_of(head, separator_of(head, least=0), path, number)
    if {"LINKS", "SIMLEX_IDS"} <= set(heads) and any(each.endswith("_SCORE") for each in heads):
        return MultiSimLex(CONCEPTS, path, path, heads)
    if not any(_OFFICIAL_WORD.fullmatch(each) for each in heads):
        return None
    if not (beside / SCORES).is_file():
        raise DataError(f"{path} has words without scores.", hint=f"Put {SCORES} of Multi-SimLex beside it.")
    return MultiSimLex(OFFICIAL, path, beside / SCORES, heads)


def read_scored_pairs(path: Path, language: str | None = None) -> ScoredPairs:
    """Read word pairs with similarity scores. Pairs of two languages of one data set are aligned by their `keys`.

    Args:
        path: A file, or a folder with `pairs.tsv` or with the `translation.csv` and `scores.csv` of Multi-SimLex.
        language: Language to read from a data set of many languages. It has no meaning for others.

    Raises:
        DataError: If a line cannot be used, or the data set does not have the language.
    """
    found = find_multi_simlex(path)
    if found is None:
        return read_similarity_file(path)
    column = found.column(language)
    table = _official(found, column) if found.form == OFFICIAL else _from_concepts(found, column)
    if not table.scores:
        raise DataError(f"{found.words} holds no pairs.", hint=_HINT)
    return table


def _official(found: MultiSimLex, column: str) -> ScoredPairs:
    """Join words and scores by `ID`, or line by line if there is none."""
    scores: dict[str, str] = {}
    for order, (_, row) in enumerate(table_rows(found.scores, [column]), start=1):
        scores[row.get("ID", str(order))] = row[column]
    table = ScoredPairs([], [], [], OFFICIAL, MULTI_SIMLEX_SCALE)
    for order, (number, row) in enumerate(table_rows(found.words, [f"{column} 1", f"{column} 2"]), start=1):
        key, place = row.get("ID", str(order)), f"{found.words}, line {number}"
        if key not in scores:
            raise DataError(f"{place}: pair {key} has no line in {found.scores}.", hint="Take both of one release.")
        words = row[f"{column} 1"], row[f"{column} 2"]
        score = score_of(scores[key], table.scale, f"{found.scores}, pair {key}")
        _add(table, key, words, score, place)
    return table


def _from_concepts(found: MultiSimLex, column: str) -> ScoredPairs:
    """Join the words of each pair. `SIMLEX_IDS` is `203:2` for a concept that is the second word of pair 203."""
    halves: dict[str, dict[str, tuple[str, float, int]]] = {}
    for number, row in table_rows(found.words, ["SIMLEX_IDS", column, f"{column}_SCORE"]):
        place = f"{found.words}, line {number}"
        ids, scores = row["SIMLEX_IDS"].split(), row[f"{column}_SCORE"].split()
        words = _words_in_pairs(row[column], row.get(f"{column}_IN_SOURCE", ""), len(ids), place)
        if len(scores) != len(ids):
            raise DataError(f"{place}: {counted(len(ids), 'pair')} and {counted(len(scores), 'score')}.", hint=_HINT)
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
    return table


def _words_in_pairs(listed: str, said: str, count: int, place: str) -> list[str]:
    """Return the word of a concept in each of its pairs.

    The words of a concept are listed as `disease (illness/sickness)`. Its words in the pairs are separated by spaces,
    and some are phrases, so they are split such that each piece is a listed word.
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
        raise DataError(f"{place}: '{said}' cannot be split into {count} of: {', '.join(sorted(known))}.", hint=_HINT)
    return found


def _cut(tokens: Sequence[str], count: int, known: set[str]) -> list[str] | None:
    """Split tokens into `count` known phrases, with the longest first; return None if that is not possible."""
    # ways[i] holds the ways to split the first i tokens, by their number of pieces.
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
        raise DataError(f"{place}: a word of pair {key} is empty.", hint=_HINT)
    table.first.append(words[0])
    table.second.append(words[1])
    table.scores.append(score)
    table.keys.append(key)
