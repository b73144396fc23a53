"""fetch: public dictionaries, vectors and test sets, by name."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lexenc.artifact import DigestStore, cache_folder
from lexenc.errors import ConfigError, WorkError
from lexenc.fetching import LOCK, Fetched, Offer, fetch, shown_size
from lexenc.resources.catalogue import Family, find_family, find_resource, read_catalogue
from lexenc.stage import Table

from ..options import Debug, NoProgress
from ..ui import View, plain, print_json, write_out


def fetch_command(
    name: Annotated[
        str | None, typer.Argument(help="FAMILY:KEY, for instance gt-bli:en-de. With --list a family.", metavar="NAME")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="File of the resource, for instance train or test.", metavar="TEXT")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Folder to save it in. By default the cache.", metavar="FOLDER"),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the resources.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licence without being asked.")] = False,
    catalogue: Annotated[
        str | None,
        typer.Option(help="File with more resources, or mirrors of these.", envvar="LEXENC_CATALOGUE", metavar="PATH"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Download again, and accept a changed file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the path.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path, warnings and errors only.")] = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
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
    _show_outcome(made, view)
    if json:
        body = {"name": resource.name, "part": resource.part, "path": str(made.path), "url": resource.url}
        print_json(body | {"licence": resource.licence} | {k: v for k, v in asdict(made).items() if k != "path"})
    else:
        write_out(f"{made.path}\n")


def _show_outcome(made: Fetched, view: View) -> None:
    if made.reused:
        view.say(f"fetch: already downloaded, unchanged ({made.path})")
    elif made.first:
        view.say(f"fetch: {shown_size(made.size)}, sha256 {made.sha256}")
        view.say(f"No earlier checksum was known. This one is saved in {made.path.parent / LOCK}.")
    else:
        view.say(f"fetch: {shown_size(made.size)}, sha256 {made.sha256} as expected")


def approve_offer(offer: Offer, yes: bool, view: View) -> None:
    """Show what would be downloaded, and ask the user.

    Raises:
        WorkError: If the user does not agree.
        ConfigError: If there is no terminal to ask on and the licence is not an open one.
    """
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
        if not typer.confirm(plain(f"Fetch {one.name} ({one.licence}, {shown_size(offer.size)})?"), err=True):
            raise WorkError(f"{one.name} was not downloaded.", hint="Nothing was written.")
    elif not one.open:
        raise ConfigError(
            f"The licence of {one.name} is not an open one ({one.licence}), and there is no terminal to ask on.",
            hint=f"Add --yes if you may use it. See {one.home or one.url}.",
        )


def _show_list(known: dict[str, Family], name: str, view: View) -> None:

    if not name:
        objects = [{"family": one.name, "what": one.what, "names": len(one.keys), "parts": list(one.parts),
                    "licence": one.licence} for one in known.values()]  # fmt: skip
        rows = [[f"{one.name}:", one.what, str(len(one.keys)), ", ".join(one.parts), one.licence]
                for one in known.values()]  # fmt: skip
        view.results(objects, [Table("Resources", ["family", "what", "names", "parts", "licence"], rows)])
        return
    one = find_family(known, name if ":" in name else f"{name}:")
    names = [f"{one.name}:{key}" for key in one.keys]
    objects = [{"name": each, "parts": list(one.parts), "licence": one.licence} for each in names]
    parts = ", ".join(f"{each} ({part.what})" for each, part in one.parts.items())
    columns = max(1, 72 // (max(map(len, names)) + 2)) if sys.stdout.isatty() else 1
    rows = [names[start : start + columns] for start in range(0, len(names), columns)]
    rows = [row + [""] * (columns - len(row)) for row in rows]
    heads = ["name", *([""] * (columns - 1))]
    note = f"Parts: {parts}. Licence: {one.licence}. {one.home}"
    view.results(objects, [Table(one.what, heads, rows, note)])


def catalogue_rows() -> list[tuple[str, str]]:
    """Return the families of resources with what they hold."""
    extra = os.environ.get("LEXENC_CATALOGUE")
    known = read_catalogue(Path(extra) if extra else None)
    return [(f"{one.name}:KEY", f"{one.what} ({one.licence})") for one in known.values()]
