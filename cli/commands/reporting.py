"""report: a folder of results as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexenc.device import check_device_name
from lexenc.errors import ConfigError
from lexenc.files.text import counted

from ..ui import View, print_json


def report_command(
    folder: Annotated[str, typer.Argument(help="Folder with results, for instance runs.", metavar="FOLDER")],
    out: Annotated[str, typer.Option("--out", "-o", help="File to write.", metavar="FILE")] = "report.html",
    title: Annotated[str | None, typer.Option(help="Title; if left out, it names the folder.")] = None,
    sections: Annotated[
        str | None,
        typer.Option(
            help="What to show, parted by commas; if left out everything: claims, scores, lambda, kinds, answers, "
            "space (loads encoders, and takes longest), learning, runs."
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="Most answers shown; of more, so many are drawn at random.", metavar="NUMBER")
    ] = 500,
    device: Annotated[
        str, typer.Option(help="Where encoders compute: auto, cpu, cuda, cuda:N or mps.", envvar="LEXENC_DEVICE")
    ] = "cpu",
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of samples and intervals.", envvar="LEXENC_SEED", metavar="NUMBER")
    ] = 0,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace the file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    r"""Write one self-contained HTML file that loads nothing from the network.

    \b
    Examples:
      $ lexenc report runs --out report.html
      $ lexenc report runs --sections claims,scores,runs --title "Glossary"
    """
    check_device_name(device)
    place = _free_place(out, force)
    from lexenc.files.text import writing
    from lexenc.report.data import ReportData
    from lexenc.report.page import SECTIONS, build_page, check_sections
    from lexenc.report.results import find_results

    names = [*SECTIONS] if sections is None else [part.strip() for part in sections.split(",") if part.strip()]
    check_sections(names)
    data = ReportData(find_results(Path(folder)), seed=seed, sample=sample, device=device)
    page = build_page(data, title=title or f"Report on {Path(folder).resolve().name}", sections=names)
    body = page.html.encode("utf-8")
    with writing(place) as stream:
        stream.write(body)
    view = View(json=json, quiet=quiet or json)
    if json:
        print_json({"out": out, "results": page.results, "charts": page.charts, "bytes": len(body),
                    "headline": page.headline})  # fmt: skip
    view.say(page.headline)
    view.say(
        f"report: {counted(page.results, 'result')}, {counted(page.charts, 'chart')}, {len(body) / 1e6:.1f} MB -> {out}"
    )
    if show:
        import webbrowser

        webbrowser.open(place.resolve().as_uri())


def _free_place(out: str, force: bool) -> Path:
    """Give the file to write, before any work is done for it.

    Raises:
        ConfigError: If it cannot be written, or is there already.
    """
    place = Path(out)
    if place.is_dir():
        raise ConfigError(f"--out is a folder: {out}", hint=f"Give a file: --out {place / 'report.html'}")
    if place.exists() and not force:
        raise ConfigError(f"{out} is already there.", hint="Choose another --out, or add --force to replace it.")
    if not place.parent.is_dir():
        raise ConfigError(f"There is no folder {place.parent} to write into.", hint="Make it first, or check --out.")
    return place
