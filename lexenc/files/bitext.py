"""Two files of sentences and the gold pairs among them: the form of BUCC, or plain lines and line numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import counted, read_lines, tab_hint
from lexenc.text.folding import trim

Links = set[tuple[int, int]]


@dataclass(frozen=True)
class SentenceFile:
    """The sentences of a file, equal ones merged.

    Args:
        path: The file.
        texts: Distinct sentences in the order in which they first occur, none of them empty.
        places: Position in `texts` of every line by its name: an id, or the line number. None for an empty sentence.
        has_ids: Whether the names are ids, which stand before the sentences.
    """

    path: Path
    texts: list[str]
    places: dict[str, int | None]
    has_ids: bool

    @property
    def empty(self) -> int:
        """Number of empty sentences."""
        return sum(place is None for place in self.places.values())

    @property
    def repeated(self) -> int:
        """Number of sentences that are equal to an earlier one."""
        return len(self.places) - self.empty - len(self.texts)


def read_sentence_file(path: Path) -> SentenceFile:
    """Read a file of sentences.

    Args:
        path: One sentence per line. If every line begins with a word and a TAB, these words are ids, as in BUCC.
            Otherwise the ids are the line numbers, counted from 1.

    Raises:
        DataError: If there are no sentences, an id stands in two lines, or a line cannot be read.
    """
    lines = [(number, line) for number, line in read_lines(path)]
    has_ids = bool(lines) and all(_begins_with_id(line) for _, line in lines)
    rows: dict[str, int] = {}
    places: dict[str, int | None] = {}
    for number, line in lines:
        name, text = line.split("\t", 1) if has_ids else (str(number), line)
        name, text = trim(name), trim(text)
        if name in places:
            raise DataError(f"{path}, line {number}: the id '{name}' has occurred before.", hint="Use every id once.")
        places[name] = rows.setdefault(text, len(rows)) if text else None
    if not rows:
        raise DataError(
            f"{path} contains no sentences.", hint="One sentence per line, with or without an id before it."
        )
    return SentenceFile(path, list(rows), places, has_ids)


def _begins_with_id(line: str) -> bool:
    name, tab, _ = line.partition("\t")
    return bool(tab) and bool(trim(name)) and " " not in trim(name)


@dataclass(frozen=True)
class Bitext:
    """Two files of sentences with the gold pairs among them.

    Args:
        source: Source sentences.
        target: Target sentences.
        path: File of the gold pairs.
        lines: Number of its pairs.
        gold: Gold pairs: positions in the texts of both sides.
        order: The gold pairs line by line, as far as both sentences have text.
    """

    source: SentenceFile
    target: SentenceFile
    path: Path
    lines: int
    order: list[tuple[int, int]]

    @cached_property
    def gold(self) -> Links:
        """Distinct gold pairs."""
        return set(self.order)

    @property
    def without_text(self) -> int:
        """Number of gold pairs that are left out because a sentence is empty."""
        return self.lines - len(self.order)

    def texts(self, pair: tuple[int, int]) -> tuple[str, str]:
        """Return both sentences of a pair."""
        return self.source.texts[pair[0]], self.target.texts[pair[1]]


def read_bitext(source: Path, target: Path, gold: Path) -> Bitext:
    """Read sentences and gold pairs.

    Args:
        source: As `read_sentence_file`.
        target: The same.
        gold: One pair per line: source id, TAB, target id. Line numbers count from 1. Further columns are ignored.

    Raises:
        DataError: If a line is not a pair, an id does not exist, or there are no pairs.
    """
    sides = read_sentence_file(source), read_sentence_file(target)
    lines, order = 0, []
    for number, line in read_lines(gold):
        if not trim(line):
            continue
        names = [trim(cell) for cell in line.split("\t")[:2]]
        if len(names) < 2:
            raise DataError(f"{gold}, line {number}: there are no two ids: '{line[:40]}'.", hint=tab_hint(line))
        left, right = (_place(name, side, gold, number) for name, side in zip(names, sides, strict=True))
        lines += 1
        if left is not None and right is not None:
            order.append((left, right))
    if not order:
        raise DataError(f"{gold} contains no gold pairs.", hint="One pair per line: source id, TAB, target id.")
    return Bitext(*sides, gold, lines, order)


def _place(name: str, side: SentenceFile, gold: Path, number: int) -> int | None:
    if name in side.places:
        return side.places[name]
    hint = "Is it the other side? The first column belongs to --source, the second to --target."
    if not side.has_ids:
        hint = f"{side.path} has {counted(len(side.places), 'line')} without ids. They are counted from 1."
    raise DataError(f"{gold}, line {number}: {side.path} has no sentence '{name}'.", hint=hint)


def find_bitext(folder: Path, like: Bitext) -> Bitext:
    """Find and read a similar test set in a folder.

    Args:
        folder: A folder with two files of sentences and their gold pairs. They have the names of the files of `like`,
            or else each is the only one with its last extension, as `.de`, `.en` and `.gold` of BUCC.
        like: The other test set.

    Raises:
        DataError: If they are not there, or as `read_bitext`.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder.", hint="Give a folder with source, target and gold of other text.")
    return read_bitext(*(_alike(folder, path) for path in (like.source.path, like.target.path, like.path)))


def _alike(folder: Path, path: Path) -> Path:
    if (folder / path.name).is_file():
        return folder / path.name
    last = path.name.removesuffix(".gz").rpartition(".")[2]
    found = sorted(each for each in folder.iterdir() if each.name.removesuffix(".gz").endswith(f".{last}"))
    if len(found) != 1:
        names = ", ".join(each.name for each in found[:4]) or "none"
        raise DataError(
            f"{folder} has no file {path.name}, and not one file in .{last}: {names}.",
            hint=f"Name the files as those of the test, or keep one .{last} there.",
        )
    return found[0]
