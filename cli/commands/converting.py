"""convert: between tables of pairs and the exchange formats of translation tools."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from io import BufferedWriter
from itertools import chain
from pathlib import Path
from typing import IO, Annotated, Literal

import typer

from lexenc.durable import replacing
from lexenc.errors import ConfigError, LexencError
from lexenc.files.exchange.pairs import PairFile, remarks
from lexenc.files.exchange.units import KEEP
from lexenc.files.exchange.writing import SUFFIXES, PairRow, Written, read_rows, write_rows
from lexenc.files.exchange.xml import looks_like_xml
from lexenc.files.text import counted
from lexenc.parameters import checked_choice
from lexenc.resources import bundled_path
from lexenc.text.folding import check_language

from ..options import Debug
from ..piped_inputs import KeptInputs, copy_stream
from ..ui import StandardOutput, View, answer_out, json_line, print_json

Kind = Literal["tsv", "tmx", "tbx", "tbx2", "xliff", "xliff2"]

_LANGUAGE = "Language code (BCP-47) of the {side} words; en takes en-US too."


def convert_command(
    pairs: Annotated[
        str, typer.Argument(help="TMX, XLIFF or TBX file, or a table; - for standard input.", metavar="PAIRS")
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", help="File to write; - for standard output.", metavar="FILE")
    ] = "-",
    to: Annotated[
        Kind | None,
        typer.Option(
            help="Format; if left out, by the name of --out, else tsv. tbx: version 3; tbx2: version 2; xliff: 1.2; "
            "xliff2: 2.0. One of: tsv, tmx, tbx, tbx2, xliff, xliff2.",
            metavar="CHOICE",
        ),
    ] = None,
    source_language: Annotated[str | None, typer.Option(help=_LANGUAGE.format(side="source"), metavar="TEXT")] = None,
    target_language: Annotated[str | None, typer.Option(help=_LANGUAGE.format(side="target"), metavar="TEXT")] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="What to read although it is left out by default; several with commas. deprecated: terms not to be "
            "used. untranslated, rejected, translate-no: such units of XLIFF. tags: escaped tags, as of OmegaT.",
            metavar="REASONS",
        ),
    ] = None,
    deprecated: Annotated[bool, typer.Option(help="As --keep deprecated.", hidden=True)] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per pair, or the counts where --out names a file.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace the file named by --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print pairs, warnings and errors only.")] = False,
    debug: Debug = False,
) -> None:
    r"""Read TMX, XLIFF 1.2 and 2, TBX 2 and 3, tables of source, target and optional score, or the output of translate.

    The format is recognised by content, also inside gzip. Inline tags are removed and their text is kept. Text that is
    no translation is left out and counted: deletions of tracked changes, untranslated units, forbidden terms.

    \b
    Examples:
      $ lexenc convert terms.tbx --source-language en --target-language de \
          --out pairs.tsv
      $ lexenc convert memory.tmx | wc -l
      $ lexenc translate --vectors runs/blended terms.txt | lexenc convert - \
          --source-language en --target-language de --out induced.tbx
    """
    view = View(json=json, quiet=quiet)
    for code, option in ((source_language, "--source-language"), (target_language, "--target-language")):
        if code is not None:
            check_language(code, option)
    kind, kept = to or _kind_of(out), _reasons(keep, deprecated)
    with _seekable(pairs) as (path, names):
        _check_apart(path, out, force)
        read = PairFile(path, source_language, target_language, keep=kept) if looks_like_xml(path) else None
        # A table does not name its languages, so the user has to.
        wanted = (source_language, target_language) if read is None else None
        if wanted is not None and kind != "tsv" and None in wanted:
            raise ConfigError(
                f"convert: {kind} names its languages, and a table does not.",
                hint="Add for instance --source-language en --target-language de.",
            )
        if read is None and kept:
            raise ConfigError("convert: a table has nothing to --keep.", hint="Leave it out.")
        rows, languages = _rows(path, read, wanted)
        made = None
        if json and out == "-":
            for row in rows:
                answer_out(json_line({name: value for name, value in asdict(row).items() if value is not None}))
        else:
            with _opened(out, force) as stream:
                made = write_rows(stream, rows, kind, *languages)
    if read is not None:
        for message, hint in remarks(read):
            names.notices(view.notices()).warn(message, hint)
    if made is not None:
        _show_counts(made, read, languages, out, view)


def _reasons(keep: str | None, deprecated: bool) -> list[str]:
    """Return the reasons for which nothing is left out. `--deprecated` is an earlier name of one."""
    named = [each.strip() for each in (keep or "").split(",") if each.strip()]
    return [checked_choice(each, KEEP, "--keep") for each in named] + ["deprecated"] * deprecated


def _rows(
    path: Path, read: PairFile | None, wanted: tuple[str | None, str | None] | None
) -> tuple[Iterator[PairRow], tuple[str, str]]:
    """Return the pairs and their languages."""
    if read is None:
        source, target = wanted or (None, None)
        return read_rows(path), (source or "", target or "")
    rows = (PairRow(source, target) for _, source, target in read)
    # The languages are known after the first pair. A file without pairs fails before anything is written.
    first = next(rows)
    return chain([first], rows), (read.found.source, read.found.target)


def _kind_of(out: str) -> Kind:
    """Return the format that belongs to a file name."""
    if out == "-":
        return "tsv"
    if Path(out).is_dir():
        raise ConfigError(f"--out is a folder: {out}", hint="Name a file in it.")
    suffix = Path(out).suffix.lower()
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise ConfigError(
            f"convert cannot tell a format from the name {out}.", hint=f"Add --to, or use one of: {known}."
        )
    return SUFFIXES[suffix]


@contextmanager
def _seekable(given: str) -> Iterator[tuple[Path, KeptInputs]]:
    """Yield a file that can be read twice, a copy of standard input or of a pipe or the file itself, and its name."""
    path = bundled_path(given) or Path(given)
    if given != "-" and not path.is_fifo():
        yield path, KeptInputs({}, {})
        return
    if given == "-" and sys.stdin.isatty():
        raise ConfigError("convert waits for pairs, but standard input is a terminal.", hint="Give a file.")
    with tempfile.TemporaryDirectory(prefix="lexenc-stdin-") as folder:
        path = copy_stream(given, Path(folder) / "standard input")
        names = KeptInputs({}, {str(path): given})
        try:
            yield path, names
        except LexencError as error:
            error.message, error.hint = names.in_message(error.message), names.in_hint(error.hint)
            raise


def _check_apart(path: Path, out: str, force: bool) -> None:
    place = Path(out)
    if out == "-" or not place.exists():
        return
    if path.exists() and place.samefile(path):
        raise ConfigError(f"--out is the file that is read: {out}", hint="Choose another name.")
    if not force:
        raise ConfigError(f"{out} is already there.", hint="Choose another name, or add --force to replace it.")


@contextmanager
def _opened(out: str, force: bool) -> Iterator[IO[bytes]]:
    if out == "-":
        with BufferedWriter(StandardOutput()) as stream:
            yield stream
        return
    with replacing(Path(out), spare=not force) as stream:
        yield stream


def _show_counts(made: Written, read: PairFile | None, languages: tuple[str, str], out: str, view: View) -> None:
    if made.characters:
        view.notices().warn(f"{counted(made.characters, 'character')} that XML cannot hold left out.", None)
    if view.json:
        table: dict[str, object] = {"pairs": made.pairs}
        if read is not None:
            table |= {"units": read.counts.units, "empty_texts": read.counts.empty,
                      "cleaned_texts": read.counts.cleaned, "left_out": +read.counts.left_out,
                      "removed_characters": read.counts.characters.total()}  # fmt: skip
        table |= {"source_language": languages[0] or None, "target_language": languages[1] or None, "out": out}
        print_json(table)
    else:
        named = f" {' to '.join(languages)}" if all(languages) else ""
        of = f" of {counted(read.counts.units, 'unit')}" if read is not None else ""
        view.say(f"convert: {counted(made.pairs, 'pair')}{named}{of} -> {'standard output' if out == '-' else out}")
