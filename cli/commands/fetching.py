"""fetch: public dictionaries, vectors and test sets, by name."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexenc.artifact import DigestStore, cache_folder
from lexenc.errors import ConfigError, WorkError
from lexenc.stage import Table

from ..ui import View, print_json, write_out

if TYPE_CHECKING:
    from lexenc.fetching import Fetched, Offer
    from lexenc.resources.catalogue import Family


def fetch_command(
    name: Annotated[
        str | None, typer.Argument(help="FAMILY:KEY, for instance gt-bli:en-de; with --list a family.", metavar="NAME")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="Which file of it, for instance train or test.", metavar="TEXT")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Folder to keep it in; if left out, the cache.", metavar="FOLDER"),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List what can be fetched.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licence and ask nothing.")] = False,
    catalogue: Annotated[
        str | None,
        typer.Option(help="File with more resources, or mirrors of these.", envvar="LEXENC_CATALOGUE", metavar="PATH"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Fetch again, and take whatever comes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object in place of the path.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path, warnings and errors only.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Draw no bars.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    r"""Show name, address, licence and size, and ask before the first download.

    Without a terminal, resources with an open licence are downloaded at once and all others need --yes. The first
    download of a file is trusted: its sha256 is kept, and a later download that differs is an error. Interrupted
    downloads are resumed.

    \b
    Examples:
      $ lexenc fetch --list
      $ lexenc fetch gt-bli: --list
      $ lexenc eval bli --vectors runs/blended \
          --dictionary "$(lexenc fetch gt-bli:en-de --part test)"
    """
    from lexenc.fetching import fetch
    from lexenc.resources.catalogue import find_resource, read_catalogue

    view = View(json=json, quiet=quiet, progress=not no_progress)
    known = read_catalogue(Path(catalogue) if catalogue else None)
    if listing or name is None or name.endswith(":"):
        _show_list(known, (name or "").rstrip(":"), view)
        return
    resource = find_resource(known, name, part)
    folder = Path(out) if out is not None else cache_folder() / "fetched" / resource.family
    made = fetch(
        resource,
        folder,
        approve=lambda offer: approve_offer(offer, yes, view),
        force=force,
        progress=view.watcher(),
        digests=DigestStore.default(),
    )
    _tell(made, view)
    if json:
        body = {"name": resource.name, "part": resource.part, "path": str(made.path), "url": resource.url}
        print_json(body | {"licence": resource.licence} | {k: v for k, v in asdict(made).items() if k != "path"})
    else:
        write_out(f"{made.path}\n")


def _tell(made: Fetched, view: View) -> None:
    from lexenc.fetching import LOCK, shown_size

    if made.reused:
        view.say(f"fetch: there already, unchanged ({made.path})")
    elif made.first:
        view.say(f"fetch: {shown_size(made.size)}, sha256 {made.sha256}")
        view.say(f"Nothing was known to check this against; it is remembered in {made.path.parent / LOCK}.")
    else:
        view.say(f"fetch: {shown_size(made.size)}, sha256 {made.sha256} as expected")


def approve_offer(offer: Offer, yes: bool, view: View) -> None:
    """Show what would be fetched, and ask.

    Raises:
        WorkError: If the user does not agree.
        ConfigError: If nobody can be asked and the licence is not an open one.
    """
    from lexenc.fetching import shown_size

    one = offer.resource
    home = f" ({one.home})" if one.home else ""
    view.say(f"{one.name} {one.part}: {one.what}")
    view.say(f"  from     {one.url}")
    view.say(f"  licence  {one.licence}{home}")
    view.say(f"  size     {shown_size(offer.size)}")
    view.say(f"  to       {offer.place}")
    if yes:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        if not typer.confirm(f"Fetch {one.name} ({one.licence}, {shown_size(offer.size)})?", err=True):
            raise WorkError(f"{one.name} was not fetched.", hint="Nothing was written.")
    elif not one.open:
        raise ConfigError(
            f"The licence of {one.name} is not an open one ({one.licence}), and nobody is here to be asked.",
            hint=f"Add --yes if you may use it. See {one.home or one.url}.",
        )


def _show_list(known: dict[str, Family], name: str, view: View) -> None:
    from lexenc.resources.catalogue import find_family

    if not name:
        rows = [[f"{one.name}:", one.what, str(len(one.keys)), ", ".join(one.parts), one.licence]
                for one in known.values()]  # fmt: skip
        table = Table("What can be fetched", ["family", "what", "names", "parts", "licence"], rows)
        objects = [{"family": row[0].rstrip(":"), "what": row[1], "names": int(row[2]), "parts": row[3].split(", "),
                    "licence": row[4]} for row in rows]  # fmt: skip
        view.results(objects, [table])
        return
    one = find_family(known, name if ":" in name else f"{name}:")
    objects = [{"name": f"{one.name}:{key}", "parts": list(one.parts), "licence": one.licence} for key in one.keys]
    parts = ", ".join(f"{each} ({part.what})" for each, part in one.parts.items())
    columns = max(1, 72 // max(len(f"{one.name}:{key}") + 2 for key in one.keys)) if sys.stdout.isatty() else 1
    names = [f"{one.name}:{key}" for key in one.keys]
    rows = [names[start : start + columns] for start in range(0, len(names), columns)]
    rows = [row + [""] * (columns - len(row)) for row in rows]
    heads = ["name", *([""] * (columns - 1))]
    note = f"Parts: {parts}. Licence: {one.licence}. {one.home}"
    view.results(objects, [Table(one.what, heads, rows, note)])


def catalogue_rows() -> list[tuple[str, str]]:
    """Give the families of resources, for a list."""
    from lexenc.resources.catalogue import read_catalogue

    extra = os.environ.get("LEXENC_CATALOGUE")
    known = read_catalogue(Path(extra) if extra else None)
    return [(f"{one.name}:KEY", f"{one.what} ({one.licence})") for one in known.values()]
