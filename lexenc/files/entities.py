"""Sentences with named entities: a word on each line, its tag last, and an empty line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern
from typing import NamedTuple

from lexenc.errors import DataError
from lexenc.files.text import read_lines
from lexenc.text.entities import OUTSIDE, Entity, entities_of, iob2_tags
from lexenc.text.folding import trim

_DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"([BIESLUMW])-(\S+)")
_SAME = {"L": "E", "U": "S", "M": "I", "W": "S"}  # letters of BILOU and BMEWO in BIOES
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z-]+)?:")
_HINT = "Put a word and its tag on each line, e.g. `Paris B-LOC`, and an empty line after each sentence."
_TAG_HINT = "Use O, or B-, I-, E- or S- with a type, e.g. B-PER."


class NamedSentence(NamedTuple):
    """The words of a sentence, and their tags in IOB2."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class NamedText:
    """Sentences with named entities.

    Args:
        sentences: The sentences.
        scheme: How the tags were written: IOB1, IOB2 or BIOES.
        repaired: Number of entities whose tags break the rules of this scheme, e.g. I- without a B- before it. They are
            entities nevertheless, as `entities_of` reads them.
    """

    sentences: list[NamedSentence] = field(default_factory=list)
    scheme: str = "IOB2"
    repaired: int = 0


def read_entities(path: Path) -> NamedText:
    """Read sentences with named entities in columns, as in CoNLL-2003, WikiANN and MasakhaNER. gzip is unpacked.

    The first column is the word and the last one the tag; TABs or spaces separate them. A word may have the code of its
    language before it (`en:Paris`, WikiANN), if all words of the file have one. `-DOCSTART-` and comments, which begin
    with `# ` and do not end with a tag, end a sentence like an empty line.

    Tags may be IOB1, IOB2 or BIOES, also with the letters of BILOU or BMEWO. They are recognised, and become IOB2.

    Raises:
        DataError: If a line has no tag or a wrong one, with its number; if words are numbered, which are the columns
            of another format; or if the file has no sentence.
    """
    rows = list(_sentences(path))
    if not rows:
        raise DataError(f"{path} has no words with tags.", hint=_HINT)
    if all(word == str(place) for words, _ in rows for place, word in enumerate(words, start=1)) and len(rows) > 1:
        raise DataError(f"{path} numbers the words in its first column.", hint="Remove the first column: cut -f 2-")
    if all(_LANGUAGE.match(word) for words, _ in rows for word in words):
        rows = [([_LANGUAGE.sub("", word, count=1) for word in words], tags) for words, tags in rows]
    found = [entities_of(tags) for _, tags in rows]
    scheme, repaired = _scheme([tags for _, tags in rows], found)
    return NamedText(
        [NamedSentence(tuple(words), tuple(map(intern, iob2_tags(own, len(words)))))
         for (words, _), own in zip(rows, found, strict=True)],
        scheme, repaired,
    )  # fmt: skip


def _sentences(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the words of each sentence and their tags, in the letters of BIOES."""
    words: list[str] = []
    tags: list[str] = []
    for number, line in read_lines(path):
        cells = [trim(cell) for cell in line.split("\t")] if "\t" in line else line.split()
        if any(cells) and cells[0] != _DOCUMENT and not _is_comment(cells):
            tag = _tag(cells, path, number)
            words.append(cells[0])
            tags.append(tag)
        elif words:
            yield words, tags
            words, tags = [], []
    if words:
        yield words, tags


def _is_comment(cells: Sequence[str]) -> bool:
    """Return whether a line is a comment, and not the word `#` with its tag."""
    return cells[0].split(" ")[0] == "#" and cells[-1] != OUTSIDE and not _TAG.fullmatch(cells[-1])


def _tag(cells: Sequence[str], path: Path, number: int) -> str:
    """Return the tag of a line in the letters of BIOES."""
    if len(cells) < 2:
        raise DataError(f"{path}, line {number}: '{cells[0][:40]}' has no tag.", hint=_HINT)
    match = _TAG.fullmatch(cells[-1])
    if cells[-1] != OUTSIDE and match is None:
        raise DataError(f"{path}, line {number}: '{cells[-1][:40]}' is not the tag of an entity.", hint=_TAG_HINT)
    return intern(f"{_SAME.get(match[1], match[1])}-{match[2]}" if match else OUTSIDE)


def _scheme(rows: Sequence[Sequence[str]], found: Sequence[Sequence[Entity]]) -> tuple[str, int]:
    """Return the scheme of tags, and the number of entities that break its rules."""
    letters = {tag[0] for tags in rows for tag in tags}
    spelt = [(tags, entity, "".join(tag[0] for tag in tags[entity.start : entity.end]))
             for tags, own in zip(rows, found, strict=True) for entity in own]  # fmt: skip
    if letters & {"E", "S"}:
        right = re.compile(r"S|BI*E")
        return "BIOES", sum(right.fullmatch(own) is None for _, _, own in spelt)
    without = sum(own[0] == "I" for _, _, own in spelt)
    needed = sum(own[0] == "B" and not _follows(tags, entity) for tags, entity, own in spelt)
    return ("IOB1", 0) if without and not needed else ("IOB2", without)


def _follows(tags: Sequence[str], entity: Entity) -> bool:
    """Return whether an entity stands right after another one of its type, which is where IOB1 has B-."""
    return entity.start > 0 and tags[entity.start - 1][2:] == entity.kind
