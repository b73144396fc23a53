"""Natural language inference: premises, hypotheses and their relation, read as a stream.

The format is recognised by content:

- a table between TABs or commas whose first line names its columns (SNLI, MultiNLI, XNLI, SICK and others), or JSON
  Lines with the same names;
- triplets with the columns `sent0,sent1,hard_neg` (SimCSE) or `anchor,positive,negative`;
- two or three columns without a head: premise, hypothesis, and label if there is a third;
- pairs with a score instead of a label, such as the STS benchmark.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat, zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lexenc.errors import DataError
from lexenc.files.text import counted, csv_rows, json_lines, number_of, read_lines
from lexenc.text.folding import trim

Relation = Literal["entailment", "neutral", "contradiction", ""]
NliForm = Literal["labelled pairs", "triplets", "pairs", "scored pairs"]

# Numbers as in the data sets of the Hugging Face hub: SNLI, MultiNLI and XNLI.
_LABELS: dict[str, Relation] = {
    **dict.fromkeys(("entailment", "entails", "e", "0"), "entailment"),
    **dict.fromkeys(("neutral", "not_entailment", "n", "1"), "neutral"),
    **dict.fromkeys(("contradiction", "contradictory", "contradicts", "c", "2"), "contradiction"),
    **dict.fromkeys(("-", "-1", "", "hidden"), ""),
}
_PREMISE = ("premise", "sentence1", "sentence_a", "context", "text1")
_HYPOTHESIS = ("hypothesis", "hypo", "sentence2", "sentence_b", "text2")
_LABEL = ("label", "gold_label", "entailment_judgment", "entailment_label")
_SCORE = ("score", "relatedness_score", "similarity", "similarity_score")
_LANGUAGE = ("language", "lang")
_TRIPLETS = (("sent0", "sent1", "hard_neg"), ("anchor", "positive", "negative"))
_HINT = "Name the columns in the first line: premise, hypothesis and label, or sentence1, sentence2 and score."
_LABEL_HINT = "Labels are entailment, neutral and contradiction, or 0, 1 and 2. '-' is a pair without a label."
_SHOWING = 200
OTHER_LANGUAGE = "in other languages"
# A part of a name that is a language: multinli.train.sw.tsv, test.quy.tsv.gz.
_OF_LANGUAGE = re.compile(r"(.+)\.(?!dev\.)([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\.(tsv|csv|txt|jsonl)(?:\.gz)?")


class NliRow(NamedTuple):
    """A premise and a hypothesis, either of which may be empty.

    Attributes:
        line: Line in the file, counted from 1.
        premise: The premise, or the first sentence of a scored pair.
        hypothesis: The hypothesis.
        label: Relation of the hypothesis to the premise. Empty if there is no gold label, or a score instead.
        contradiction: In a triplet, a sentence that contradicts the premise.
        score: Score of the pair, if it has one.
        language: Language, if the file has a column for it.
    """

    line: int
    premise: str
    hypothesis: str
    label: Relation
    contradiction: str = ""
    score: float | None = None
    language: str = ""


@dataclass(frozen=True)
class _Fields:
    """Names or numbers of columns. None for what the file does not have."""

    form: NliForm
    premise: Any
    hypothesis: Any
    label: Any = None
    contradiction: Any = None
    score: Any = None
    language: Any = None

    @property
    def width(self) -> int:
        used = (self.premise, self.hypothesis, self.label, self.contradiction, self.score, self.language)
        return 1 + max(int(each) for each in used if each is not None)


@dataclass(frozen=True)
class NliText:
    """The rows of a file. Every iteration reads the file again, one line at a time.

    Args:
        path: The file.
        form: What its rows are.
        read: Returns its rows.
    """

    path: Path
    form: NliForm
    read: Callable[[], Iterator[NliRow]]

    def __iter__(self) -> Iterator[NliRow]:
        """Yield the rows from the start, also those without a label and with an empty side.

        Raises:
            DataError: If a line is not UTF-8, has too few columns, or its label or score is not known.
        """
        return self.read()


def nli_text(path: Path) -> NliText:
    """Open a file of natural language inference. gzip is unpacked.

    Args:
        path: The file.

    Raises:
        DataError: If its columns are not known.
    """
    first = next(((number, line) for number, line in read_lines(path) if trim(line)), None)
    if first is None:
        raise DataError(f"{path} holds no sentences.", hint=_HINT)
    if first[1].lstrip().startswith("{"):
        _, value = next(json_lines(path))
        keys = _fields({name.lower(): name for name in value}) if isinstance(value, dict) else None
        if keys is None:
            raise DataError(f"{path}, line {first[0]}: it has no premise, hypothesis and label.", hint=_HINT)
        return NliText(path, keys.form, partial(_objects, path, keys))
    separator = "\t" if "\t" in first[1] else ","
    some = [cells for _, cells in islice(_table(path, separator), _SHOWING)]
    if not some:
        raise DataError(f"{path} holds no sentences.", hint=_HINT)
    heads = {trim(cell).lower(): place for place, cell in enumerate(some[0])}
    found = _fields(heads)
    headed = found is not None or not heads.keys().isdisjoint((*_PREMISE, *_HYPOTHESIS))
    found = found if headed else _unnamed(some, separator)
    if found is None:
        shown = ", ".join(some[0])
        raise DataError(f"{path}, line {first[0]}: its columns are not known: {shown[:80]}.", hint=_HINT)
    return NliText(path, found.form, partial(_columns, path, separator, found, skip=headed))


def is_scored(path: Path) -> bool:
    """Return whether a file has pairs with scores. A file that is not of this kind, such as parallel text, has none."""
    try:
        return nli_text(path).form == "scored pairs"
    except DataError:
        return False


def _fields(own: Mapping[str, Any]) -> _Fields | None:
    """Return the columns of a table, or the keys of an object, by their names in lower case."""

    def one(known: Sequence[str]) -> Any:
        return next((own[name] for name in known if name in own), None)

    for anchor, positive, negative in _TRIPLETS:
        if anchor in own and positive in own:
            form: NliForm = "triplets" if negative in own else "pairs"
            return _Fields(form, own[anchor], own[positive], contradiction=own.get(negative))
    premise, hypothesis, label, score = one(_PREMISE), one(_HYPOTHESIS), one(_LABEL), one(_SCORE)
    if premise is None or hypothesis is None or (label is None and score is None):
        return None
    if label is None:
        return _Fields("scored pairs", premise, hypothesis, score=score, language=one(_LANGUAGE))
    return _Fields("labelled pairs", premise, hypothesis, label, language=one(_LANGUAGE))


def _unnamed(rows: Sequence[Sequence[str]], separator: str) -> _Fields | None:
    """Return the columns of a table without a head, by what stands in the third one."""
    width, third = len(rows[0]), [trim(row[2]).lower() for row in rows if len(row) > 2]
    if width == 3 and any(third) and all(cell in _LABELS for cell in third):
        return _Fields("labelled pairs", 0, 1, 2)
    if width == 3 and all(number_of(cell) is not None for cell in third):
        return _Fields("scored pairs", 0, 1, score=2)
    return _Fields("pairs", 0, 1) if width == 2 and separator == "\t" else None


def _table(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    if separator == "\t":
        yield from ((number, line.split("\t")) for number, line in read_lines(path) if trim(line))
    else:
        lines = (f"{line}\n" for _, line in read_lines(path))
        yield from ((number, cells) for number, cells in csv_rows(lines, path) if any(map(trim, cells)))


def _columns(path: Path, separator: str, own: _Fields, *, skip: bool) -> Iterator[NliRow]:
    width = own.width
    for number, cells in islice(_table(path, separator), int(skip), None):
        if len(cells) < width:
            hint = "A premise, a hypothesis and a label stand on one line, with a TAB or comma between them."
            raise DataError(f"{path}, line {number}: {counted(len(cells), 'column')}, expected {width}.", hint=hint)
        yield _row(path, number, cells.__getitem__, own)


def _objects(path: Path, own: _Fields) -> Iterator[NliRow]:
    def text(name: str) -> str:
        found = value.get(name)
        found = "" if found is None else found
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            raise DataError(f"{path}, line {number}: '{name}' is neither text nor a number.", hint=_HINT)
        return str(found)

    for number, value in json_lines(path):
        if not isinstance(value, dict):
            raise DataError(f"{path}, line {number}: it is not an object.", hint="One object per line.")
        yield _row(path, number, text, own)


def _row(path: Path, line: int, cell: Callable[[Any], str], own: _Fields) -> NliRow:
    label: Relation = "entailment" if own.form in ("triplets", "pairs") else ""
    score = None
    if own.label is not None:
        named = trim(cell(own.label))
        found = _LABELS.get(named.lower())
        if found is None:
            raise DataError(f"{path}, line {line}: '{named[:40]}' is not a label.", hint=_LABEL_HINT)
        label = found
    elif own.score is not None:
        score = number_of(cell(own.score))
        if score is None or not math.isfinite(score):
            raise DataError(f"{path}, line {line}: the score is '{cell(own.score)[:40]}', not a number.", hint=_HINT)
    contradiction = "" if own.contradiction is None else _sentence(cell(own.contradiction))
    language = "" if own.language is None else trim(cell(own.language))
    return NliRow(line, _sentence(cell(own.premise)), _sentence(cell(own.hypothesis)), label, contradiction, score,
                  language)  # fmt: skip


def _sentence(text: str) -> str:
    return trim(text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text)


# ---------------------------------------------------------------- the same rows in several languages


def language_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by language, such as `multinli.train.sw.tsv` or `test.quy.tsv.gz`.

    Raises:
        DataError: If there are none, or the folder has files of several data sets.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _OF_LANGUAGE.fullmatch(path.name)
        if match and path.is_file():
            found.setdefault(match[1], {})[match[2]] = path
    if not found:
        raise DataError(f"{folder} has no files such as NAME.en.tsv.", hint="One file per language, e.g. train.sw.tsv.")
    if len(found) > 1:
        one = next(iter(next(iter(found.values())).items()))
        raise DataError(
            f"{folder} has files of several data sets: {', '.join(found)}.",
            hint=f"Give the files of one of them, e.g. --data cross-lingual-nli:{one[0]}={one[1]} for each language.",
        )
    return next(iter(found.values()))


def aligned_files(files: Mapping[str, Path]) -> Iterator[tuple[NliRow, ...]]:
    """Yield the rows of files of several languages side by side, in the order of the files.

    Args:
        files: A file for each language. Their rows must be translations of each other. Of a file with a column for the
            language, the rows of that language are read, so that one file may be given for several.

    Raises:
        DataError: If the files differ in their number of rows or in the label of a row, or a file has other languages.
    """
    texts = {language: nli_text(path) for language, path in files.items()}
    sides = [zip(repeat(text.path), rows_in(text, language), strict=False) for language, text in texts.items()]
    shared = len(set(files.values())) < len(files)
    return _aligned(sides, [f"{path} in {language}" if shared else str(path) for language, path in files.items()])


def rows_in(text: NliText, language: str, counts: Counter[str] | None = None) -> Iterator[NliRow]:
    """Yield the rows of one language, which is also that of the rows without one.

    Args:
        text: The file.
        language: The language.
        counts: Receives the number of rows in other languages.

    Raises:
        DataError: If all rows are in other languages.
    """
    others = Counter[str]()
    used = False
    for row in text:
        if row.language in ("", language):
            used = True
            yield row._replace(language=language)
        else:
            others[row.language] += 1
    if others and not used:
        raise DataError(f"{text.path} has no language '{language}'.", hint=f"It has {', '.join(others)}.")
    if others and counts is not None:
        counts[OTHER_LANGUAGE] += others.total()


def aligned_columns(path: Path) -> Iterator[tuple[NliRow, ...]]:
    """Yield the rows of a file with several languages side by side, such as `xnli.dev.tsv`.

    Args:
        path: A file with a column for the language. The rows of each language must be in the same order.

    Raises:
        DataError: If there is no such column, or the languages differ in rows or labels.
    """
    found: dict[str, list[NliRow]] = {}
    for row in nli_text(path):
        found.setdefault(row.language, []).append(row)
    if "" in found:
        raise DataError(
            f"{path} has no column 'language'.",
            hint=f"Give a folder with one file per language, or a file for each: --data cross-lingual-nli:en={path}",
        )
    sides = [iter([(path, row) for row in rows]) for rows in found.values()]
    return _aligned(sides, [f"{path} in {language}" for language in found])


def _aligned(sides: Sequence[Iterator[tuple[Path, NliRow]]], names: Sequence[str]) -> Iterator[tuple[NliRow, ...]]:
    hint = "Row k of every language must be the translation of the same pair."
    for number, rows in enumerate(zip_longest(*sides), start=1):
        short = next((name for name, each in zip(names, rows, strict=True) if each is None), None)
        if short is not None:
            longer = next(name for name, each in zip(names, rows, strict=True) if each is not None)
            raise DataError(f"{short} has {counted(number - 1, 'row')}, {longer} has more.", hint=hint)
        (first, one), *others = rows
        for path, other in others:
            if other.label != one.label:
                message = f"{path}, line {other.line}: the label is {other.label or '-'}, but {one.label or '-'} in "
                raise DataError(f"{message}{first}, line {one.line}.", hint=hint)
        yield tuple(row for _, row in rows)
