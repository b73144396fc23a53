"""report: a folder of results as one page."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from lexenc.device import check_device_name
from lexenc.durable import replacing
from lexenc.errors import ConfigError
from lexenc.files.text import counted
from lexenc.report.data import ReportData
from lexenc.report.page import SECTIONS, build_page, check_sections
from lexenc.report.results import find_results

from ..options import Debug, Device, Json, Seed
from ..ui import View, print_json, show_warning


def report_command(
    folder: Annotated[str, typer.Argument(help="Folder with results, e.g. runs.", metavar="FOLDER")],
    out: Annotated[str, typer.Option("--out", "-o", help="File to write.", metavar="FILE")] = "report.html",
    title: Annotated[str | None, typer.Option(help="Title. If left out, it names the folder.")] = None,
    sections: Annotated[
        str | None,
        typer.Option(
            help="Sections, separated by commas. If left out, all: board, claims, scores, lambda, kinds, answers, "
            "space (uses encoders and takes longest), learning, runs."
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="Maximum number of answers shown, drawn at random.", metavar="NUMBER")
    ] = 500,
    device: Device = "cpu",
    seed: Seed = 0,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace the file.")] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors only.")] = False,
    debug: Debug = False,
) -> None:
    r"""Write one self-contained HTML file that loads nothing from the network.

    \b
    Examples:
      $ lexenc report runs --out report.html
      $ lexenc report runs --sections claims,scores,runs --title "Glossary"
    """
    check_device_name(device)
    place = Path(out)
    if place.is_dir():
        raise ConfigError(f"--out is a folder: {out}", hint=f"Give a file: --out {place / 'report.html'}")
    if place.exists() and not force:
        raise ConfigError(f"{out} already exists.", hint="Choose another --out, or add --force to replace it.")
    if not place.parent.is_dir():
        raise ConfigError(f"There is no folder {place.parent} to write to.", hint="Create it first, or check --out.")
    names = [*SECTIONS] if sections is None else [part.strip() for part in sections.split(",") if part.strip()]
    check_sections(names)
    data = ReportData(find_results(Path(folder)), seed=seed, sample=sample, device=device)
    page = build_page(data, title=title or f"Report on {Path(folder).resolve().name}", sections=names)
    body = page.html.encode("utf-8")
    with replacing(place, spare=not force) as stream:
        stream.write(body)
    for sentence in page.warnings:
        show_warning(sentence, "Remove it and make it again, or move it out of the folder.")
    view = View(json=json, quiet=quiet or json)
    if json:
        print_json({"out": out, "results": page.results, "charts": page.charts, "bytes": len(body),
                    "headline": page.headline})  # fmt: skip
    view.say(page.headline)
    size = f"{len(body) / 1e6:.1f} MB" if len(body) >= 1e5 else f"{len(body) / 1e3:.1f} kB"
    view.say(f"report: {counted(page.results, 'result')}, {counted(page.charts, 'chart')}, {size} -> {out}")
    if show:
        webbrowser.open(place.resolve().as_uri())
