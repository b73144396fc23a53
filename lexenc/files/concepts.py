"""Names of concepts: `CUI||name` in knowledge bases, and `CUI|CUI||mention` in test sets."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from lexenc.errors import DataError
from lexenc.files.text import read_lines, write_lines
from lexenc.text.folding import AS_IT_IS, Folding, trim

# Identifiers never contain spaces. Plain text with `||` rarely begins like one.
_IDENTIFIERS = re.compile(r"[^\s|]+(?:\|[^\s|]+)*")
# Mark of the mention in a sentence of XL-BEL.
_MARK = "<tgt>"
_EXAMPLE = "C0032821||potassium"


@dataclass(frozen=True)
class ConceptName:
    """A name with its concepts.

    Args:
        concepts: Identifiers; several if the name is ambiguous in the data set, none if they are unknown.
        text: The name. Neither `+` nor a single `|` in it has a meaning.
        context: Sentence with the name, if the file has one.
    """

    concepts: tuple[str, ...]
    text: str
    context: str = ""


def stream_concept_names(path: Path) -> Iterator[ConceptName]:
    """Read a knowledge base or mentions (the formats of SapBERT and XL-BEL), line by line, with repeated lines.

    Raises:
        DataError: If a line has no identifier or no name.
    """
    return (name for _, name in _numbered(path))


def _numbered(path: Path) -> Iterator[tuple[int, ConceptName]]:
    for number, line in read_lines(path):
        if not trim(line):
            continue
        fields = [trim(field) for field in line.split("||")]
        concepts = tuple(dict.fromkeys(identifier for identifier in fields[0].split("|") if identifier))
        if len(fields) < 2 or not concepts or not fields[1]:
            raise DataError(f"{path}, line {number}: not an identifier and a name.", hint=f"Write {_EXAMPLE}.")
        yield number, ConceptName(concepts, fields[1], "||".join(fields[2:]))


def stream_mentions(path: Path) -> Iterator[ConceptName]:
    """Read the mentions of a file, line by line. Blank lines are skipped.

    A line with identifiers without white space before its first `||` is `CUI||mention` or `CUI||mention||context`. Any
    other line is a mention without concepts.
    """
    for _, line in read_lines(path):
        text = trim(line)
        if not text:
            continue
        fields = [trim(field) for field in text.split("||")]
        if len(fields) > 1 and fields[1] and _IDENTIFIERS.fullmatch(fields[0]):
            yield ConceptName(tuple(dict.fromkeys(fields[0].split("|"))), fields[1], "||".join(fields[2:]))
        else:
            yield ConceptName((), text)


@dataclass(frozen=True)
class KnowledgeBase:
    """Distinct names, the distinct lines of each name, and the concepts of each line.

    Lines are in the order of the first appearance of their names, so that the lines of a name follow each other.

    Args:
        names: Names as first written.
        line_offsets: First line of each name. Shape [names + 1].
        concept_offsets: Start of the concepts of each line in `concepts`. Shape [lines + 1].
        concepts: Numbers of concepts, line by line.
        identifiers: Identifier of every concept, by number.
        repeated: Number of repeated lines, which were skipped.
        folding: How names are folded to compare them.
        language: BCP-47 code of the names for lower-casing.
    """

    names: list[str]
    line_offsets: np.ndarray
    concept_offsets: np.ndarray
    concepts: np.ndarray
    identifiers: list[str]
    repeated: int = 0
    folding: Folding = AS_IT_IS
    language: str | None = None

    @property
    def lines(self) -> int:
        """Number of distinct lines."""
        return len(self.concept_offsets) - 1

    def texts(self) -> list[str]:
        """Return the names as they are compared."""
        return [self.folding.fold(name, self.language) for name in self.names] if self.folding else self.names

    def digest(self) -> str:
        """Return the SHA-256 of the distinct lines, which is the same for an encoded base and its file."""
        digest = hashlib.sha256()
        for line in _written_lines(self):
            digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
        return digest.hexdigest()

    def name_of(self, line: int) -> str:
        """Return the name in a line."""
        return self.names[int(np.searchsorted(self.line_offsets, line, side="right")) - 1]

    def identifiers_of(self, line: int) -> list[str]:
        """Return the identifiers in a line."""
        part = self.concepts[self.concept_offsets[line] : self.concept_offsets[line + 1]]
        return [self.identifiers[number] for number in part.tolist()]


def read_knowledge_base(
    paths: Sequence[Path], *, folding: Folding = AS_IT_IS, language: str | None = None
) -> KnowledgeBase:
    """Read knowledge bases one after the other. Repeated lines are skipped.

    Args:
        paths: Files of lines `CUI||name` or `CUI|CUI||name`.
        folding: How names are folded to compare them. Of those that become equal, the first is kept.
        language: BCP-47 code of the names for lower-casing.

    Raises:
        DataError: If a line is something else, or a file is empty.
    """
    table = _Lines()
    for path in paths:
        before = table.read
        for number, name in _numbered(path):
            # A second name after another `||` would be lost.
            if name.context and _MARK not in name.context:
                raise DataError(
                    f"{path}, line {number}: unexpected text after the name: {name.context}",
                    hint=f"Write one name per line of a knowledge base: {_EXAMPLE}.",
                )
            table.add(folding.fold(name.text, language), name)
        if table.read == before:
            raise DataError(f"{path} holds no names.", hint=f"One per line: {_EXAMPLE}.")
    return table.grouped(folding, language)


class _Lines:
    """Lines of a knowledge base in their order, in flat arrays, which need little memory."""

    def __init__(self) -> None:
        self.read = 0
        self._names: dict[str, int] = {}
        self._written: list[str] = []
        self._identifiers: dict[str, int] = {}
        self._name_of_line = array("q")
        self._offsets = array("q", [0])
        self._concepts = array("q")
        self._first = array("q")
        # Lines of names that are repeated.
        self._known: dict[int, set[tuple[int, ...]]] = {}

    def add(self, text: str, name: ConceptName) -> None:
        """Add a line. `text` is the name as it is compared."""
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

    def grouped(self, folding: Folding, language: str | None) -> KnowledgeBase:
        """Return a knowledge base in which the lines of a name follow each other."""
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
            folding,
            language,
        )


def write_knowledge_base(path: Path, base: KnowledgeBase) -> None:
    """Write the distinct lines. If they are read with the same options, the result is the same base."""
    write_lines(path, _written_lines(base))


def _written_lines(base: KnowledgeBase) -> Iterator[str]:
    for name, (start, stop) in zip(base.names, pairwise(base.line_offsets.tolist()), strict=True):
        for line in range(start, stop):
            yield f"{'|'.join(base.identifiers_of(line))}||{name}"


def concept_numbers(base: KnowledgeBase) -> Callable[[Iterable[str]], list[int]]:
    """Return a function that looks up the numbers of identifiers. Unknown ones are skipped."""
    known = {identifier: number for number, identifier in enumerate(base.identifiers)}
    return lambda identifiers: [known[each] for each in identifiers if each in known]
