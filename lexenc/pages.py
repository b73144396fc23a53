"""Pages: sections with tables, charts and remarks as data, and the one HTML file that is made from them.

Only the template contains HTML.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeGuard

from lexenc import __version__
from lexenc.charts import readable as readable
from lexenc.resources import ROOT


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    order: float | None = None  # sort key; the text without it
    style: str = ""  # `number`, `word`, `right`, `wrong`, `quiet`, `code`, `context`, `field`, `choice`
    link: str = ""  # result that it links to
    # Shown in place of the text: parts, and whether each is highlighted; of a choice what can be chosen, and what is.
    marked: Sequence[tuple[str, bool]] = ()


@dataclass(frozen=True)
class Grid:
    """A table; heads of numbers begin with `#`."""

    kind: ClassVar = "grid"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    search: bool = False  # whether a search box filters the rows
    folded: bool = False  # whether it is collapsed at first
    saved: str = ""  # of a table that is filled in: the name of the file as which it is saved


@dataclass(frozen=True)
class Figure:
    """A chart with its numbers."""

    kind: ClassVar = "figure"
    title: str
    about: str  # for screen readers
    drawings: dict[str, str]  # SVG by page width: `wide`, `narrow` or `any`
    data: Grid
    note: str = ""
    half: bool = False  # whether two fit side by side


@dataclass(frozen=True)
class Remark:
    """A sentence, with the command that produces what is missing."""

    kind: ClassVar = "remark"
    text: str
    command: str = ""


Part = Grid | Figure | Remark


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    name: str
    tab: str
    title: str
    lead: str
    parts: list[Part] = field(default_factory=list)


def number(value: float | None, digits: int = 1, *, scale: float = 1.0, sign: bool = False) -> Cell:
    """Return a number as a cell; an empty cell for None and NaN."""
    if value is None or value != value:
        return Cell("", float("-inf"), "number")
    return Cell(f"{scale * value:{'+' if sign else ''},.{digits}f}", round(scale * value, digits + 4), "number")


def count(value: int) -> Cell:
    """Return a count as a cell."""
    return Cell(f"{value:,}", value, "number")


def span(low: float | None, high: float | None, *, scale: float = 100, digits: int = 1) -> str:
    """Return an interval as text; nothing without one."""
    if low is None or high is None or low != low or high != high:
        return ""
    return f"[{scale * low:.{digits}f}, {scale * high:.{digits}f}]"


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value from a file is a number; booleans and NaN are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def word(text: object) -> Cell:
    """Return a word from a file as a cell."""
    return Cell(readable(text), style="word")


def numbers_of_chart(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Grid:
    """Return the collapsed table below a chart."""
    return Grid("The numbers of this chart", columns, rows, folded=True)


def render_page(
    *,
    title: str,
    headline: str,
    qualified: str,
    sections: Sequence[Section],
    origin: str,
    warnings: Sequence[str] = (),
    tiles: Sequence[tuple[str, str, str]] = (),
) -> str:
    """Return a page as one HTML file that needs no other file and no network.

    Args:
        title: Name of the page.
        headline: The main finding.
        qualified: What the headline holds for.
        sections: The sections. Each has a link at the top.
        origin: What the page was made from, for its last line.
        warnings: What is not to be relied on.
        tiles: The most important numbers: what, value, interval.
    """
    import jinja2

    folder = ROOT / "report"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((folder / name).read_text(encoding="utf-8").strip() for name in ("page.css", "page.js"))
    values = {"title": title, "headline": headline, "qualified": qualified, "sections": sections, "origin": origin,
              "warnings": warnings, "tiles": tiles, "version": __version__}  # fmt: skip
    return environment.get_template("page.html").render(
        **values, style=style, script=script, style_digest=_digest(style), script_digest=_digest(script)
    )


def _digest(text: str) -> str:
    """Return the digest with which a Content-Security-Policy allows exactly this text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
