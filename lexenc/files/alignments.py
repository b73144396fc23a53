"""Word links on disk, in the form of Pharaoh: a line for every sentence pair, `0-0 1-2` for its links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from lexenc.errors import DataError
from lexenc.files.text import counted, read_lines, writing

NAME = "alignments.txt"
SCORES = "scores.txt"
SENTENCES = "sentences.txt"

_INDEX = "[0-9]{1,9}"
_SCORE = r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"
# After a hyphen a score has a point: 1-2-3 is no link of words 1 and 2.
_LINK = re.compile(rf"({_INDEX})([-p])({_INDEX})(?::({_SCORE})|-([+-]?[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?))?")
_PLAIN = re.compile(rf"{_INDEX}-{_INDEX}(?: {_INDEX}-{_INDEX})* ?")
_NEGATIVE = re.compile(r"-[0-9]+[-p]|[0-9]+[-p]-[0-9]+$")
_HINT = "One line per sentence pair: links such as 0-0 1-2, in a gold file 3p4 for a possible one."


class Alignment(NamedTuple):
    """The links of one sentence pair; words are counted from 0, whatever the file does.

    Args:
        line: Its line, from 1.
        sure: Source and target word of every link written `i-j`, in the order of the file.
        possible: The same of those written `ipj`.
        scores: Of the sure links; empty where there are none.
        name: What stands before a TAB, if anything.
    """

    line: int
    sure: list[tuple[int, int]]
    possible: list[tuple[int, int]]
    scores: list[float]
    name: str = ""


# ---------------------------------------------------------------- places


def alignments_file(path: Path) -> Path:
    """Give the file that a user's path means: itself, or the one in the folder of a result.

    Raises:
        DataError: If the folder has none.
    """
    if path.is_dir() and not (path / NAME).is_file():
        raise DataError(f"{path} holds no {NAME}.", hint="Give a folder that lexenc align wrote, or a file.")
    return path / NAME if path.is_dir() else path


def sentences_file(path: Path) -> Path | None:
    """Give the sentences as they were cut into words, `source ||| target`, where a result has them."""
    place = path / SENTENCES
    return place if place.is_file() else None


# ---------------------------------------------------------------- reading


def read_alignments(path: Path, *, one_based: bool = False) -> Iterator[Alignment]:
    """Read links line by line; an empty line is a sentence pair without any.

    A link is `i-j`, or `ipj` for one that a gold file calls possible; with a score `i-j:0.9` or `i-j-0.9`. A line may
    begin with a name and a TAB. In the folder of a result the scores have a file of their own.

    Args:
        path: A file, packed with gzip or not, or the folder of a result.
        one_based: Whether the file counts words from 1.

    Raises:
        DataError: If something on a line is no link, an index is negative, or 0 where words are counted from 1; or if
            links and scores are not as many.
    """
    place = alignments_file(path)
    rows = (_parsed(line, number, place, int(one_based)) for number, line in read_lines(place))
    beside = path / SCORES
    return _with_scores(rows, beside, place) if path.is_dir() and beside.is_file() else rows


def _parsed(line: str, number: int, path: Path, first: int) -> Alignment:
    """Read one line whose words are counted from `first`."""
    if not first and _PLAIN.fullmatch(line):
        indices = [int(index) for index in line.replace("-", " ").split()]
        return Alignment(number, list(zip(indices[::2], indices[1::2], strict=True)), [], [])
    place = f"{path}, line {number}"
    name, links = _named(line, place)
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
            hint="Give all of them one, or none.",
        )
    return Alignment(number, sure, possible, scores, name)


def _named(line: str, place: str) -> tuple[str, str]:
    """Part a line into a name, empty where there is none, and links."""
    name, tab, links = line.rpartition("\t")
    if not tab:
        return "", line
    if "\t" in name or _LINK.fullmatch(name):
        raise DataError(f"{place}: a TAB that is not between a name and links.", hint="Put spaces between links.")
    return name, links


def _link(token: str, place: str, first: int) -> tuple[int, int, str, float | None]:
    """Read one link: source, target, its kind and its score."""
    match = _LINK.fullmatch(token)
    if match is None:
        what = "has a negative index" if _NEGATIVE.match(token) else "is no link"
        raise DataError(f"{place}: '{token}' {what}.", hint=_HINT)
    source, target = int(match[1]) - first, int(match[3]) - first
    if source < 0 or target < 0:
        raise DataError(
            f"{place}: '{token}' holds an index 0, but the file is said to count words from 1.",
            hint="It counts from 0: leave out the option that says otherwise.",
        )
    score = match[4] or match[5]
    return source, target, match[2], None if score is None else float(score)


def _with_scores(rows: Iterator[Alignment], path: Path, links: Path) -> Iterator[Alignment]:
    """Add the scores of a file of their own."""
    for row, line in zip_longest(rows, read_lines(path)):
        if row is None or line is None:
            raise DataError(
                f"{links} and {path} have different numbers of lines.", hint="Make the result again with --force."
            )
        yield row._replace(scores=_numbers(line[1], len(row.sure), f"{path}, line {row.line}"))


def _numbers(line: str, expected: int, place: str) -> list[float]:
    try:
        found = [float(cell) for cell in line.split()]
    except ValueError:
        raise DataError(f"{place}: not only numbers.", hint="Make the result again with --force.") from None
    if len(found) != expected:
        raise DataError(
            f"{place}: {counted(len(found), 'score')} for {counted(expected, 'link')}.",
            hint="Make the result again with --force.",
        )
    return found


# ---------------------------------------------------------------- writing


def link_line(links: Iterable[Sequence[float]]) -> str:
    """Write the links of a sentence pair, each with its source and target word in front, counted from 0."""
    return " ".join(f"{link[0]}-{link[1]}" for link in links)


def score_line(links: Iterable[tuple[int, int, float]]) -> str:
    """Write the scores of a sentence pair's links in the same order."""
    return " ".join(f"{score:.4g}" for _, _, score in links)


def write_alignments(folder: Path, sentences: Iterable[Sequence[tuple[int, int, float]]]) -> int:
    """Write the links of every sentence pair and, beside them, their scores.

    Args:
        folder: Where both files go.
        sentences: Source word, target word and score of every link, words counted from 0.

    Returns:
        How many links there were.
    """
    total = 0
    with writing(folder / NAME) as plain, writing(folder / SCORES) as scored:
        for links in sentences:
            plain.write(f"{link_line(links)}\n".encode())
            scored.write(f"{score_line(links)}\n".encode())
            total += len(links)
    return total
