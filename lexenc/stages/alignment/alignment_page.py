"""Alignments for people: a grid of source and target words for every sentence pair, as a page and in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lexenc.files.text import writing
from lexenc.resources import ROOT
from lexenc.stage import Table
from lexenc.stages.alignment.aligned_files import read_aligned

PAGE = "alignments.html"
_TEMPLATE = ROOT / "alignment" / "page.html"
# A larger grid than this nobody looks at, and no browser takes.
_MOST_CELLS = 10_000
# Columns of a grid that stand beside each other in a terminal.
_ACROSS = 24
_STRENGTHS = ((0.75, "##"), (0.5, "++"), (0.0, "--"))

Pair = tuple[list[str], list[str], list[tuple[int, int, float]]]


def write_page(folder: Path, count: int) -> None:
    """Write the grids of the first sentence pairs as one page that needs nothing else."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)  # fmt: skip
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    drawn = [_drawn(number, pair) for number, pair in _first(folder, count)]
    with writing(folder / PAGE) as stream:
        stream.write(template.render(pairs=drawn, most=_MOST_CELLS).encode("utf-8", "replace"))


def _first(folder: Path, count: int) -> Iterator[tuple[int, Pair]]:
    """Give the first sentence pairs that have words on both sides, but not too many, with their lines from 1."""
    pairs = (
        (number, pair)
        for number, pair in enumerate(read_aligned(folder), start=1)
        if 0 < len(pair[0]) * len(pair[1]) <= _MOST_CELLS
    )
    return islice(pairs, count)


def _drawn(number: int, pair: Pair) -> dict[str, Any]:
    source, target, links = pair
    scores = {(i, j): score for i, j, score in links}
    linked = {i for i, _, _ in links}, {j for _, j, _ in links}
    return {
        "line": number,
        "source": [(word, i in linked[0]) for i, word in enumerate(source)],
        "target": [(word, j in linked[1]) for j, word in enumerate(target)],
        "rows": [[scores.get((i, j)) for j in range(len(target))] for i in range(len(source))],
        "listed": [(source[i], target[j]) for i, j, _ in links],
    }


def grids(folder: Path, count: int) -> list[Table]:
    """Give the grids of the first sentence pairs as tables: a row per source word, a column per target word."""
    return [_grid(number, pair) for number, pair in _first(folder, count)]


def _grid(number: int, pair: Pair) -> Table:
    source, target, links = pair
    scores = {(i, j): score for i, j, score in links}
    wide = min(len(target), _ACROSS)
    rows = [[f"{i + 1} {word}", *(_mark(scores.get((i, j))) for j in range(wide))] for i, word in enumerate(source)]
    legend = "  ".join(f"{j + 1} {word}" for j, word in enumerate(target[:wide]))
    cut = f"  ... and {len(target) - wide} more: see {PAGE}" if len(target) > wide else ""
    title = f"Line {number}: " + "  ".join(
        f"{source[i]}={target[j]}" for i, j, _ in links[:_ACROSS]
    )  # fmt: skip
    key = "\n## from 0.75, ++ from 0.50, -- below; words counted from 1"
    return Table(title, ["", *(f"{j + 1}" for j in range(wide))], rows, legend + cut + key)


def _mark(score: float | None) -> str:
    """Draw a score: ## from 0.75, ++ from 0.5, -- below, a dot for none."""
    if score is None:
        return "."
    return next(mark for least, mark in _STRENGTHS if score >= least)
