"""Results of the functions of stages."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexenc.artifact import Manifest
from lexenc.stage import Table


@dataclass(frozen=True, repr=False)
class Result:
    """The result of a stage.

    Args:
        stage: Name of the stage.
        out: Folder of the result; None if it was not kept.
        summary: Counts.
        results: One dictionary per result. The first is the headline.
        tables: The results as tables, which `print(result)` shows.
        answer: Whether the answer to the question of a stage is yes.
        reused: Whether an earlier result was reused.
        manifest: The manifest: inputs, parameters and versions.
    """

    stage: str
    out: Path | None
    summary: dict[str, Any]
    results: list[dict[str, Any]]
    tables: list[Table]
    answer: bool
    reused: bool
    manifest: Manifest

    @classmethod
    def of(cls, manifest: Manifest, out: Path | None, *, reused: bool) -> Result:
        """Make a result from a manifest."""
        tables = manifest.tables
        return cls(manifest.stage, out, manifest.summary, manifest.results, tables, manifest.answer, reused, manifest)

    def __repr__(self) -> str:
        parts = [
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value!r}"
            for name, value in self.summary.items()
        ]
        parts += [f"out='{self.out}'"] if self.out is not None else []
        return f"<{self.stage}: {', '.join(parts)}{', reused' if self.reused else ''}>"

    def __str__(self) -> str:
        return "\n\n".join(_as_text(table) for table in self.tables) or repr(self)

    def _repr_html_(self) -> str:
        return "".join(_as_html(table) for table in self.tables) or f"<code>{html.escape(repr(self))}</code>"


def _as_text(table: Table) -> str:
    rows = [table.columns, *table.rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([table.title, *lines, *([table.note] if table.note else [])])


def _as_html(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f"<table><caption>{html.escape(table.title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table><p><small>{html.escape(table.note)}</small></p>"
    )
