"""Files of word links in the Pharaoh format: one line per sentence pair, with links such as `0-0 1-2`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from lexenc.errors import DataError
from lexenc.files.text import counted, read_lines
from lexenc.text.folding import trim

NAME = "alignments.txt"
SCORES = "scores.txt"
SENTENCES = "sentences.txt"

_INDEX = "[0-9]{1,9}"
_SCORE = r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"
# After a hyphen a score must have a point: 1-2-3 is not a link of words 1 and 2.
_LINK = re.compile(rf"({_INDEX})([-p])({_INDEX})(?::({_SCORE})|-([+-]?[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?))?")
_PLAIN = re.compile(rf"{_INDEX}-{_INDEX}(?: {_INDEX}-{_INDEX})* ?")
_NEGATIVE = re.compile(r"-[0-9]+[-p]|[0-9]+[-p]-[0-9]+$")
_HINT = "One line per sentence pair: links such as 0-0 1-2, or 3p4 for a possible link of a gold file."
_AGAIN = "Make the result again with --force."


class Alignment(NamedTuple):
    """The links of one sentence pair. Words are counted from 0, even if the file counts from 1.

    Args:
        line: Line in the file, counted from 1.
        sure: Source and target word of every link `i-j`, in the order of the file.
        possible: Source and target word of every link `ipj`.
        scores: Scores of the sure links; empty if the file has none.
        name: Text before a TAB, if any.
    """

    line: int
    sure: list[tuple[int, int]]
    possible: list[tuple[int, int]]
    scores: list[float]
    name: str = ""


def result_of(path: Path) -> Path:
    """Return the folder of a result instead of its file of links; any other path as it is."""
    beside = all((path.parent / name).is_file() for name in (SCORES, SENTENCES))
    return path.parent if path.name == NAME and beside else path


def alignments_file(path: Path) -> Path:
    """Return the file of links of a path: the path itself, or the file in the folder of a result.

    Raises:
        DataError: If the folder has no such file.
    """
    if path.is_dir() and not (path / NAME).is_file():
        raise DataError(f"{path} holds no {NAME}.", hint="Use a folder written by lexenc align, or a file.")
    return path / NAME if path.is_dir() else path


def sentences_file(path: Path) -> Path | None:
    """Return the file with the tokenised sentences, `source ||| target`, or None if the result has none."""
    place = result_of(path) / SENTENCES
    return place if place.is_file() else None


def read_alignments(path: Path, *, one_based: bool = False) -> Iterator[Alignment]:
    """Read links line by line. An empty line is a sentence pair without links.

    A link is `i-j`, or `ipj` if it is possible but not sure. A score is written `i-j:0.9` or `i-j-0.9`. A line may
    begin with a name and a TAB. In the folder of a result, the scores are in a second file.

    Args:
        path: A file, or the folder of a result; gzip is unpacked.
        one_based: Whether the file counts words from 1.

    Raises:
        DataError: If a line has something else than links, an index is below the first one, or the numbers of links and
            scores differ.
    """
    path = result_of(path)
    place = alignments_file(path)
    rows = (_parsed(line, number, place, int(one_based)) for number, line in read_lines(place))
    beside = path / SCORES
    return _with_scores(rows, beside, place) if path.is_dir() and beside.is_file() else rows


def _parsed(line: str, number: int, path: Path, first: int) -> Alignment:
    if not first and _PLAIN.fullmatch(line):
        indices = [int(index) for index in line.replace("-", " ").split()]
        return Alignment(number, list(zip(indices[::2], indices[1::2], strict=True)), [], [])
    place = f"{path}, line {number}"
    name, tab, links = line.rpartition("\t")
    name, links = trim(name), trim(links)
    if tab and ("\t" in name or _LINK.fullmatch(name)):
        raise DataError(f"{place}: a TAB that is not between a name and links.", hint="Put spaces between links.")
    sure: list[tuple[int, int]] = []
    possible: list[tuple[int, int]] = []
    scores: list[float] = []
    for token in links.split():
        source, target, kind, score = _link(token, place, first)
        (sure if kind == "-" else possible).append((source, target))
        if kind == "-" and score is not None:
            scores.append(score)
    if scores and len(scores) < len(sure):
        raise DataError(
            f"{place}: {len(scores):,} of {counted(len(sure), 'link')} have a score.",
            hint="Give a score to all links or to none.",
        )
    return Alignment(number, sure, possible, scores, name)


def _link(token: str, place: str, first: int) -> tuple[int, int, str, float | None]:
    """Return source word, target word, kind and score of a link."""
    match = _LINK.fullmatch(token)
    if match is None:
        what = "has a negative index" if _NEGATIVE.match(token) else "is not a link"
        raise DataError(f"{place}: '{token}' {what}.", hint=_HINT)
    source, target = int(match[1]) - first, int(match[3]) - first
    if source < 0 or target < 0:
        raise DataError(
            f"{place}: '{token}' has index 0, but one-based indices were requested.",
            hint="The file counts words from 0. Remove the option that says otherwise.",
        )
    score = match[4] or match[5]
    return source, target, match[2], None if score is None else float(score)


def _with_scores(rows: Iterator[Alignment], path: Path, links: Path) -> Iterator[Alignment]:
    for row, line in zip_longest(rows, read_lines(path)):
        if row is None or line is None:
            raise DataError(f"{links} and {path} have different numbers of lines.", hint=_AGAIN)
        place, expected = f"{path}, line {row.line}", len(row.sure)
        try:
            scores = [float(cell) for cell in line[1].split()]
        except ValueError:
            raise DataError(f"{place}: not only numbers.", hint=_AGAIN) from None
        if len(scores) != expected:
            shown = f"{counted(len(scores), 'score')} for {counted(expected, 'link')}"
            raise DataError(f"{place}: {shown}.", hint=_AGAIN)
        yield row._replace(scores=scores)


def link_line(links: Iterable[Sequence[float]]) -> str:
    """Return the line of a sentence pair. Each link begins with its source and target word, counted from 0."""
    return " ".join(f"{link[0]}-{link[1]}" for link in links)


def score_line(links: Iterable[tuple[int, int, float]]) -> str:
    """Return the line with the scores of a sentence pair, in the same order."""
    return " ".join(f"{score:.4g}" for _, _, score in links)
