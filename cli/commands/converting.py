"""convert: between a table of pairs and the files of translators' tools."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

import typer

from lexenc.errors import ConfigError
from lexenc.files.text import check_language, counted, writing
from lexenc.resources import bundled_path

from ..ui import ReaderGone, View, answer_out, json_line, mute, print_json

if TYPE_CHECKING:
    from lexenc.files.exchange.pairs import PairFile
    from lexenc.files.exchange.writing import PairRow, Written

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
    deprecated: Annotated[
        bool, typer.Option(help="Keep terms that a termbase marks as deprecated or superseded.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per pair, or the counts where --out names a file.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace the file named by --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print pairs, warnings and errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    r"""Read TMX, XLIFF 1.2 and 2, TBX 2 and 3, tables of source, target and optional score, or the output of translate.

    The format is recognised by content, also inside gzip. Inline tags are removed and their text is kept.

    \b
    Examples:
      $ lexenc convert terms.tbx --source-language en --target-language de \
          --out pairs.tsv
      $ lexenc convert memory.tmx | wc -l
      $ lexenc translate --vectors runs/blended terms.txt | lexenc convert - \
          --source-language en --target-language de --out induced.tbx
    """
    from lexenc.files.exchange.pairs import PairFile, remarks
    from lexenc.files.exchange.writing import write_rows
    from lexenc.files.exchange.xml import looks_like_xml

    view = View(json=json, quiet=quiet)
    for code, option in ((source_language, "--source-language"), (target_language, "--target-language")):
        if code is not None:
            check_language(code, option)
    kind = to or _kind_of(out)
    with _seekable(pairs) as path:
        _check_apart(path, out, force)
        read = PairFile(path, source_language, target_language, deprecated=deprecated) if looks_like_xml(path) else None
        # The languages are the user's where the file does not say which they are.
        wanted = (source_language, target_language) if read is None else None
        if wanted is not None and kind != "tsv" and None in wanted:
            raise ConfigError(
                f"convert: {kind} names its languages, and a table does not.",
                hint="Add --source-language en --target-language de, or whichever they are.",
            )
        rows, languages = _rows(path, read, wanted)
        if json and out == "-":
            for row in rows:
                answer_out(json_line({name: value for name, value in asdict(row).items() if value is not None}))
            return
        with _opened(out) as stream:
            made = write_rows(stream, rows, kind, *languages)
    if read is not None:
        for message, hint in remarks(read):
            view.notices().warn(f"{pairs}: {message}", hint)
    _tell(made, read, languages, out, view)


def _rows(
    path: Path, read: PairFile | None, wanted: tuple[str | None, str | None] | None
) -> tuple[Iterator[PairRow], tuple[str, str]]:
    """Give the pairs and their languages."""
    from lexenc.files.exchange.writing import PairRow, read_rows

    if read is None:
        source, target = wanted or (None, None)
        return read_rows(path), (source or "", target or "")
    rows = (PairRow(source, target) for _, source, target in read)
    # The languages are known once the first pair is; a file without any fails before anything is written.
    first = next(rows)
    return _rejoined(first, rows), (read.found.source, read.found.target)


def _rejoined(first: PairRow, rest: Iterator[PairRow]) -> Iterator[PairRow]:
    yield first
    yield from rest


def _kind_of(out: str) -> Kind:
    """Take the format from a file's name."""
    from lexenc.files.exchange.writing import SUFFIXES

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
def _seekable(given: str) -> Iterator[Path]:
    """Give a file that can be read twice; standard input and pipes are kept in one for that."""
    path = bundled_path(given) or Path(given)
    if given != "-" and not path.is_fifo():
        yield path
        return
    if given == "-" and sys.stdin.isatty():
        raise ConfigError("convert waits for pairs, but standard input is a terminal.", hint="Give a file.")
    with tempfile.TemporaryDirectory(prefix="lexenc-stdin-") as folder:
        kept = Path(folder) / "standard input"
        with kept.open("wb") as stream:
            if given == "-":
                shutil.copyfileobj(sys.stdin.buffer, stream)
            else:
                with path.open("rb") as pipe:
                    shutil.copyfileobj(pipe, stream)
        yield kept


def _check_apart(path: Path, out: str, force: bool) -> None:
    """Refuse to write over what is read, or over a file unasked."""
    place = Path(out)
    if out == "-" or not place.exists():
        return
    if path.exists() and place.samefile(path):
        raise ConfigError(f"--out is the file that is read: {out}", hint="Choose another name.")
    if not force:
        raise ConfigError(f"{out} is already there.", hint="Choose another name, or add --force to replace it.")


@contextmanager
def _opened(out: str) -> Iterator[IO[bytes]]:
    if out == "-":
        try:
            sys.stdout.flush()
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            mute()
            raise ReaderGone from None
        return
    with writing(Path(out)) as stream:
        yield stream


def _tell(made: Written, read: PairFile | None, languages: tuple[str, str], out: str, view: View) -> None:
    table: dict[str, object] = {"pairs": made.pairs}
    if read is not None:
        table |= {"units": read.counts.units, "empty_texts": read.counts.empty, "cleaned_texts": read.counts.cleaned,
                  "deprecated_terms": read.counts.deprecated, "one_sided_units": read.found.one_sided}  # fmt: skip
    table |= {"source_language": languages[0] or None, "target_language": languages[1] or None, "out": out}
    if made.characters:
        view.notices().warn(f"{counted(made.characters, 'character')} that XML cannot hold left out.", None)
    if view.json:
        print_json(table)
    else:
        named = f" {' to '.join(languages)}" if all(languages) else ""
        of = f" of {counted(read.counts.units, 'unit')}" if read is not None else ""
        view.say(f"convert: {counted(made.pairs, 'pair')}{named}{of} -> {'standard output' if out == '-' else out}")
