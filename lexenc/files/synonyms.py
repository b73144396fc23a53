"""Files of synonyms: `concept||name`, `concept||name||name` (two formats of SapBERT), and MRCONSO.RRF of UMLS."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from lexenc.errors import ConfigError, DataError, unknown_name
from lexenc.files.text import counted, read_lines
from lexenc.structured import shown
from lexenc.text.folding import trim

SynonymForm = Literal["names", "pairs", "MRCONSO"]

FORMS: dict[SynonymForm, str] = {"names": "concept||name", "pairs": "concept||name||name", "MRCONSO": "MRCONSO.RRF"}
# Columns of MRCONSO.RRF, counted from 0. Every row ends with a bar.
_COLUMNS, _CONCEPT, _LANGUAGE, _NAME, _SUPPRESS = 18, 0, 1, 14, 16

# Language codes of UMLS (column LAT) by ISO 639-1. Most of them are the bibliographic codes of ISO 639-2.
UMLS_LANGUAGES = {
    "ar": "ARA", "cs": "CZE", "da": "DAN", "de": "GER", "el": "GRE", "en": "ENG", "es": "SPA", "et": "EST", "eu": "BAQ",
    "fi": "FIN", "fr": "FRE", "he": "HEB", "hr": "SCR", "hu": "HUN", "it": "ITA", "ja": "JPN", "ko": "KOR", "lv": "LAV",
    "nb": "NOR", "nl": "DUT", "nn": "NOR", "no": "NOR", "pl": "POL", "pt": "POR", "ru": "RUS", "sv": "SWE", "tr": "TUR",
    "uk": "UKR", "zh": "CHI",
}  # fmt: skip
# ISO 639-3 codes that differ from those of UMLS.
_TERMINOLOGICAL = {
    "ces": "CZE", "deu": "GER", "ell": "GRE", "eus": "BAQ", "fra": "FRE", "hrv": "SCR", "nld": "DUT", "nno": "NOR",
    "nob": "NOR", "zho": "CHI",
}  # fmt: skip


class SynonymEntry(NamedTuple):
    """A line of a file.

    Args:
        concepts: Identifiers; several if the name is ambiguous in the data set (`C1|C2||name`).
        names: One name, or both names of a pair.
        language: Language code of UMLS; None if the format has no languages.
    """

    concepts: tuple[str, ...]
    names: tuple[str, ...]
    language: str | None = None


@dataclass
class SynonymReport:
    """Counts of a file that is being read.

    Args:
        suppressible: Rows skipped because their SUPPRESS is not N.
        other_languages: Rows skipped because of their language.
        languages: Rows kept, by language.
    """

    suppressible: int = 0
    other_languages: int = 0
    languages: Counter[str] = field(default_factory=Counter)


def umls_language(code: str) -> str:
    """Return the language code of UMLS for an ISO 639 code or for a code of UMLS, in upper or lower case.

    Raises:
        ConfigError: If it is neither a known ISO code nor three letters.
    """
    low = code.lower()
    if low in UMLS_LANGUAGES or low in _TERMINOLOGICAL:
        return UMLS_LANGUAGES.get(low) or _TERMINOLOGICAL[low]
    if re.fullmatch("[a-z]{3}", low):
        return code.upper()
    raise unknown_name("language of UMLS", code, [*UMLS_LANGUAGES, *sorted(set(UMLS_LANGUAGES.values()))])


def check_umls_language(code: str, label: str) -> None:
    """Check that the value of a parameter is a language of UMLS."""
    try:
        umls_language(code)
    except ConfigError as fault:
        raise ConfigError(f"{label}: {fault.message}", hint=fault.hint) from None


def synonym_form(path: Path) -> SynonymForm:
    """Return the format of a file, recognised by its first line that is not empty.

    Raises:
        DataError: If it has none of the formats, or is empty.
    """
    for number, line in read_lines(path):
        if not trim(line):
            continue
        bars = line.split("|")
        if _is_row(bars) and re.fullmatch("[A-Z]{3}", bars[_LANGUAGE]):
            return "MRCONSO"
        fields = len(line.split("||"))
        if fields in (2, 3):
            return "names" if fields == 2 else "pairs"
        hint = "Write C0032821||potassium, or C0032821||potassium||kalium."
        if "\t" in line:
            hint = "Two columns with a TAB between them are pairs. Use --pairs for them."
        raise DataError(
            f"{path}, line {number}: neither {FORMS['names']} nor {FORMS['pairs']} nor a row of {FORMS['MRCONSO']}: "
            f"{shown(line)}.",
            hint=hint,
        )
    raise DataError(f"{path} holds no names.", hint="One per line: C0032821||potassium.")


def read_synonyms(
    path: Path, *, languages: Collection[str] = (), keep_suppressible: bool = False, report: SynonymReport | None = None
) -> Iterator[SynonymEntry]:
    """Read a file of any of the formats, line by line, with repeated lines.

    Args:
        path: The file; gzip is unpacked.
        languages: Language codes of UMLS to keep in MRCONSO.RRF; empty for all. Other formats have no languages.
        keep_suppressible: Keep the rows of MRCONSO.RRF whose SUPPRESS is not N: obsolete and abbreviated names.
        report: Counts to update.

    Raises:
        DataError: If a line does not have the format of the first, or has no identifier or no name.
    """
    form = synonym_form(path)
    if form == "MRCONSO":
        return _rows(path, frozenset(languages), keep_suppressible, report or SynonymReport())
    return _names(path, 2 if form == "names" else 3)


def _names(path: Path, wanted: int) -> Iterator[SynonymEntry]:
    form = FORMS["names" if wanted == 2 else "pairs"]
    for number, line in read_lines(path):
        if not trim(line):
            continue
        head, *names = map(trim, line.split("||"))
        if len(names) + 1 != wanted:
            raise DataError(
                f"{path}, line {number}: {counted(len(names) + 1, 'field')}, expected {wanted} ({form}): "
                f"{shown(line)}.",
                hint="Put names and pairs into separate files, and give each with --synonyms.",
            )
        concepts = tuple(each for each in map(trim, head.split("|")) if each)
        if not concepts or not all(names):
            what = "identifier" if not concepts else "name"
            raise DataError(f"{path}, line {number}: the {what} is empty: {shown(line)}.", hint=f"Write {form}.")
        if "<tgt>" in names[-1]:
            raise DataError(
                f"{path}, line {number}: a mention in its sentence, not a pair of names: {shown(line)}.",
                hint="This is a test set. Keep its first two fields: cut -d'|' -f1-3",
            )
        yield SynonymEntry(concepts, tuple(names))


def _rows(
    path: Path, languages: frozenset[str], keep_suppressible: bool, report: SynonymReport
) -> Iterator[SynonymEntry]:
    for number, line in read_lines(path):
        row = line.split("|")
        if not _is_row(row):
            if not trim(line):
                continue
            columns = len(row) - (row[-1] == "")
            raise DataError(
                f"{path}, line {number}: {counted(columns, 'column')}, expected {_COLUMNS} ({FORMS['MRCONSO']}): "
                f"{shown(line)}.",
                hint="Was the file cut off? Copy it again.",
            )
        language = row[_LANGUAGE]
        if languages and language not in languages:
            report.other_languages += 1
            continue
        if not keep_suppressible and row[_SUPPRESS] != "N":
            report.suppressible += 1
            continue
        concept, name = trim(row[_CONCEPT]), trim(row[_NAME])
        if not concept or not name:
            what = "CUI" if not concept else "STR"
            raise DataError(f"{path}, line {number}: {what} is empty: {shown(line)}.", hint="Copy the file again.")
        report.languages[language] += 1
        yield SynonymEntry((concept,), (name,), language)


def _is_row(cells: list[str]) -> bool:
    return len(cells) == _COLUMNS or (len(cells) == _COLUMNS + 1 and cells[-1] == "")
