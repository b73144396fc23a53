"""Alignments for people: a grid of source and target words for every sentence pair, as a page and for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from lexenc.resources import ROOT

# Larger grids are left out: nobody reads them, and browsers fail on them.
_MOST_CELLS = 10_000
# Columns of a grid that fit into a terminal.
_ACROSS = 24


class LinkGrid(NamedTuple):
    """The links of one sentence pair.

    Args:
        line: Number of the sentence pair, from 1.
        source: Source words.
        target: Target words.
        scores: Score of every link by the positions of its words.
    """

    line: int
    source: list[str]
    target: list[str]
    scores: dict[tuple[int, int], float]

    @property
    def linked(self) -> list[tuple[str, str]]:
        """Source and target word of every link."""
        return [(self.source[i], self.target[j]) for i, j in self.scores]


def first_grids(
    aligned: Iterable[tuple[list[str], list[str], list[tuple[int, int, float]]]], count: int
) -> Iterator[LinkGrid]:
    """Return the first grids that are neither empty nor too large.

    Args:
        aligned: Source words, target words and links with scores of every sentence pair.
        count: Number of grids.
    """
    grids = (
        LinkGrid(line, source, target, {(i, j): score for i, j, score in links})
        for line, (source, target, links) in enumerate(aligned, start=1)
        if 0 < len(source) * len(target) <= _MOST_CELLS
    )
    return islice(grids, count)


def html_page(grids: Iterable[LinkGrid]) -> str:
    """Return an HTML page of grids that needs no other file."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)  # fmt: skip
    template = environment.from_string((ROOT / "alignment" / "page.html").read_text(encoding="utf-8"))
    return template.render(grids=list(grids), most=_MOST_CELLS)


def text_grid(grid: LinkGrid) -> tuple[str, list[str], list[list[str]], str]:
    """Return title, columns, rows and legend of a grid for a terminal."""
    wide = min(len(grid.target), _ACROSS)
    rows = [[f"{i + 1} {word}", *(_mark(grid.scores.get((i, j))) for j in range(wide))]
            for i, word in enumerate(grid.source)]  # fmt: skip
    legend = "  ".join(f"{j} {word}" for j, word in enumerate(grid.target[:wide], start=1))
    if len(grid.target) > wide:
        legend += f"  ... and {len(grid.target) - wide} more: see alignments.html"
    legend += "\n## from 0.75, ++ from 0.50, -- below; words counted from 1"
    title = f"Line {grid.line}: " + "  ".join(f"{source}={target}" for source, target in grid.linked[:_ACROSS])
    return title, ["", *(f"{j + 1}" for j in range(wide))], rows, legend


def _mark(score: float | None) -> str:
    if score is None:
        return "."
    return "##" if score >= 0.75 else "++" if score >= 0.5 else "--"
