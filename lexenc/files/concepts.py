"""Names of concepts: `CUI||name` of a knowledge base, `CUI|CUI||mention` of a test set."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lexenc.errors import DataError
from lexenc.files.text import fold_case, read_lines, write_lines

# Identifiers of every vocabulary known here are written without spaces; plain text that holds `||` rarely begins so.
_IDENTIFIERS = re.compile(r"[^\s|]+(?:\|[^\s|]+)*")
# XL-BEL marks the mention in its sentence so.
_MARK = "<tgt>"
_EXAMPLE = "C0032821||potassium"


@dataclass(frozen=True)
class ConceptName:
    """A name and the concepts that it may stand for.

    Args:
        concepts: Identifiers; several where the data set could not decide, none for a mention nobody has looked up.
        text: The name, whole: neither `+` nor a single `|` in it means anything.
        context: The sentence around it, where the file gives one.
    """

    concepts: tuple[str, ...]
    text: str
    context: str = ""

    def shares(self, other: ConceptName) -> bool:
        """Tell whether two names have a concept in common."""
        return not set(self.concepts).isdisjoint(other.concepts)


def read_concept_names(path: Path) -> list[ConceptName]:
    """Read a knowledge base or mentions (SapBERT's and XL-BEL's formats), line by line; repeated lines stay.

    Raises:
        DataError: If a line has no identifier or no name, or there is no line.
    """
    names = list(stream_concept_names(path))
    if not names:
        raise DataError(f"{path} holds no names.", hint=f"One per line: {_EXAMPLE}.")
    return names


def stream_concept_names(path: Path) -> Iterator[ConceptName]:
    """Give what `read_concept_names` reads, line by line.

    Raises:
        DataError: If a line has no identifier or no name.
    """
    for _, name in _numbered(path):
        yield name


def _numbered(path: Path) -> Iterator[tuple[int, ConceptName]]:
    for number, line in read_lines(path):
        if not line.strip():
            continue
        fields = [field.strip(" ") for field in line.split("||")]
        concepts = tuple(dict.fromkeys(identifier for identifier in fields[0].split("|") if identifier))
        if len(fields) < 2 or not concepts or not fields[1]:
            raise DataError(f"{path}, line {number}: not an identifier and a name.", hint=f"Write {_EXAMPLE}.")
        yield number, ConceptName(concepts, fields[1], "||".join(fields[2:]))


def stream_mentions(path: Path) -> Iterator[ConceptName]:
    """Give the mentions of a file, each line by what it holds; blank lines are left out.

    A line with identifiers without white space before its first `||` is `CUI||mention` or `CUI||mention||context`.
    Any other line is a mention as it stands, whatever signs it holds, and has no concepts.
    """
    for _, line in read_lines(path):
        text = line.strip(" \t")
        if not text:
            continue
        fields = [field.strip(" ") for field in text.split("||")]
        if len(fields) > 1 and fields[1] and _IDENTIFIERS.fullmatch(fields[0]):
            yield ConceptName(tuple(dict.fromkeys(fields[0].split("|"))), fields[1], "||".join(fields[2:]))
        else:
            yield ConceptName((), text)


# ---------------------------------------------------------------- knowledge bases


@dataclass(frozen=True)
class KnowledgeBase:
    """Distinct names, the distinct lines that each of them stands in, and the concepts of every line.

    Lines are numbered in the order of the first appearance of their names; those of one name lie side by side.

    Args:
        names: As written where each first appeared.
        line_offsets: Where the lines of each name begin. Shape [names + 1].
        concept_offsets: Where the concepts of each line begin in `concepts`. Shape [lines + 1].
        concepts: Numbers of concepts, line by line.
        identifiers: Identifier of every concept, by its number.
        repeated: Lines left out because they had come before.
        lowercase: Whether names that differ in case only are one.
        language: BCP-47 code of the names, for folding.
    """

    names: list[str]
    line_offsets: np.ndarray
    concept_offsets: np.ndarray
    concepts: np.ndarray
    identifiers: list[str]
    repeated: int = 0
    lowercase: bool = False
    language: str | None = None

    @property
    def lines(self) -> int:
        """Number of distinct lines."""
        return len(self.concept_offsets) - 1

    def texts(self) -> list[str]:
        """Give the names as they are compared."""
        return [fold_case(name, self.language) for name in self.names] if self.lowercase else self.names

    def digest(self) -> str:
        """Give the SHA-256 of the distinct lines: the same for a base that was encoded and for its file."""
        digest = hashlib.sha256()
        for line in _written_lines(self):
            digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
        return digest.hexdigest()

    def name_of(self, line: int) -> str:
        """Give the name in a line."""
        return self.names[int(np.searchsorted(self.line_offsets, line, side="right")) - 1]

    def identifiers_of(self, line: int) -> list[str]:
        """Give the identifiers in a line."""
        part = self.concepts[self.concept_offsets[line] : self.concept_offsets[line + 1]]
        return [self.identifiers[number] for number in part.tolist()]


def read_knowledge_base(
    paths: Sequence[Path], *, lowercase: bool = False, language: str | None = None
) -> KnowledgeBase:
    """Read knowledge bases, one behind the other; a line that says the same again is left out.

    Args:
        paths: Files of `CUI||name` or `CUI|CUI||name` lines.
        lowercase: Take names that differ in case only for one; the first form stays.
        language: BCP-47 code of the names, for folding.

    Raises:
        DataError: If a line is no such line, or a file holds none.
    """
    fold = partial(fold_case, language=language) if lowercase else _as_written
    table = _Lines()
    for path in paths:
        before = table.read
        for name in _names_of(path):
            table.add(fold(name.text), name)
        if table.read == before:
            raise DataError(f"{path} holds no names.", hint=f"One per line: {_EXAMPLE}.")
    return table.grouped(lowercase, language)


def _as_written(text: str) -> str:
    return text


def _names_of(path: Path) -> Iterator[ConceptName]:
    """Give the names of a knowledge base; a second name behind another `||` would be lost without a word."""
    for number, name in _numbered(path):
        if name.context and _MARK not in name.context:
            raise DataError(
                f"{path}, line {number}: something follows the name: {name.context}",
                hint=f"One name per line of a knowledge base: {_EXAMPLE}.",
            )
        yield name


class _Lines:
    """Lines of a knowledge base as they come, in flat arrays: a million of them stay small."""

    def __init__(self) -> None:
        self.read = 0
        self._names: dict[str, int] = {}
        self._written: list[str] = []
        self._identifiers: dict[str, int] = {}
        self._name_of_line = array("q")
        self._offsets = array("q", [0])
        self._concepts = array("q")
        self._first = array("q")
        # Only names that come again need a look at their earlier lines.
        self._known: dict[int, set[tuple[int, ...]]] = {}

    def add(self, text: str, name: ConceptName) -> None:
        """Take one line; `text` is the name as it is compared."""
        self.read += 1
        own = tuple(self._identifiers.setdefault(each, len(self._identifiers)) for each in name.concepts)
        number = self._names.setdefault(text, len(self._names))
        if number == len(self._written):
            self._written.append(name.text)
            self._first.append(len(self._name_of_line))
        else:
            start = self._first[number]
            begun = tuple(self._concepts[self._offsets[start] : self._offsets[start + 1]])
            known = self._known.setdefault(number, {begun})
            if own in known:
                return
            known.add(own)
        self._name_of_line.append(number)
        self._concepts.extend(own)
        self._offsets.append(len(self._concepts))

    def grouped(self, lowercase: bool, language: str | None) -> KnowledgeBase:
        """Put the lines of a name side by side."""
        names, offsets = (np.array(each, dtype=np.int64) for each in (self._name_of_line, self._offsets))
        order = np.argsort(names, kind="stable")
        counts = np.diff(offsets)[order]
        concept_offsets, line_offsets = np.zeros(len(names) + 1, np.int64), np.zeros(len(self._written) + 1, np.int64)
        np.cumsum(counts, out=concept_offsets[1:])
        np.cumsum(np.bincount(names, minlength=len(self._written)), out=line_offsets[1:])
        moved = np.arange(len(self._concepts)) + np.repeat(offsets[:-1][order] - concept_offsets[:-1], counts)
        return KnowledgeBase(
            self._written,
            line_offsets,
            concept_offsets,
            np.array(self._concepts, dtype=np.int64)[moved],
            list(self._identifiers),
            self.read - len(names),
            lowercase,
            language,
        )


def write_knowledge_base(path: Path, base: KnowledgeBase) -> None:
    """Write the distinct lines in their order; read again under the same case policy they are the same base."""
    write_lines(path, _written_lines(base))


def _written_lines(base: KnowledgeBase) -> Iterator[str]:
    for name, (start, stop) in zip(base.names, _spans(base.line_offsets), strict=True):
        for line in range(start, stop):
            yield f"{'|'.join(base.identifiers_of(line))}||{name}"


def _spans(offsets: np.ndarray) -> Iterable[tuple[int, int]]:
    return zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)


def concept_numbers(base: KnowledgeBase) -> Callable[[Iterable[str]], list[int]]:
    """Give a function that looks identifiers up; those that the base does not hold are left out."""
    known = {identifier: number for number, identifier in enumerate(base.identifiers)}
    return lambda identifiers: [known[each] for each in identifiers if each in known]
