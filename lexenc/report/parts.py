"""What a page is made of: sections of tables, charts and remarks, as data. The template alone knows HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeGuard

# Neither HTML nor SVG can hold these, and half of a surrogate pair is no character at all.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def readable(text: object) -> str:
    """Replace what a page cannot show; words come from files and may hold anything."""
    return _UNPRINTABLE.sub("\ufffd", str(text))


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        text: What is shown.
        order: What sorting goes by; the text where it is None.
        style: `number`, `word`, `right`, `wrong`, `quiet`, `code` or nothing.
        link: Name of the anchor that it leads to.
        marked: Parts of the text that stand out, as (text, is it right).
    """

    text: str
    order: float | None = None
    style: str = ""
    link: str = ""
    marked: Sequence[tuple[str, bool]] = ()


@dataclass(frozen=True)
class Grid:
    """A table.

    Args:
        title: Its caption.
        columns: Heads; those of numbers begin with `#`.
        rows: Cells.
        note: The convention behind the numbers.
        search: Whether a box filters its rows.
        folded: Whether it is shown on demand only.
        sorted_by: Column by which it comes sorted, and whether downwards.
    """

    kind: ClassVar = "grid"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    search: bool = False
    folded: bool = False
    sorted_by: tuple[str, bool] | None = None


@dataclass(frozen=True)
class Figure:
    """A chart with the numbers that it shows.

    Args:
        title: What it shows.
        about: The same in words for those who cannot see it.
        drawings: SVG by the window it is for: `wide`, `narrow` or `any`.
        data: Its numbers.
        note: How to read it.
        half: Whether two stand side by side where there is room.
    """

    kind: ClassVar = "figure"
    title: str
    about: str
    drawings: dict[str, str]
    data: Grid
    note: str = ""
    half: bool = False


@dataclass(frozen=True)
class Remark:
    """A quiet line, with the command that would make what is missing."""

    kind: ClassVar = "remark"
    text: str
    command: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading between parts."""

    kind: ClassVar = "heading"
    text: str
    lead: str = ""


Part = Grid | Figure | Remark | Heading


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        name: Its anchor.
        tab: Its name in one word, for the list of sections.
        title: Its heading.
        lead: One or two sentences on what it is about.
        parts: What it holds.
    """

    name: str
    tab: str
    title: str
    lead: str
    parts: list[Part] = field(default_factory=list)


def number(value: float | None, digits: int = 1, *, scale: float = 1.0, sign: bool = False) -> Cell:
    """Write a number as a cell; an empty cell for none."""
    if value is None or value != value:
        return Cell("", float("-inf"), "number")
    return Cell(f"{scale * value:{'+' if sign else ''},.{digits}f}", round(scale * value, digits + 4), "number")


def percent(value: float | None, digits: int = 1) -> Cell:
    """Write a share of 1 as a number of hundredths."""
    return number(value, digits, scale=100)


def span(low: float | None, high: float | None, *, scale: float = 100, digits: int = 1) -> str:
    """Write an interval; nothing for none."""
    if low is None or high is None or low != low or high != high:
        return ""
    return f"[{scale * low:.{digits}f}, {scale * high:.{digits}f}]"


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value of a file is a number; what is true or false is none, and neither is NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def word(text: object) -> Cell:
    """Write a word from a file."""
    return Cell(readable(text), style="word")
