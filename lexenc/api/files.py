"""Functions that write one file: pairs in another format, and reports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lexenc.api.settings import PathLike, device_of, existing_path, seed_of
from lexenc.api.words import PythonNames, notices_of, python_errors
from lexenc.durable import replacing
from lexenc.errors import ConfigError
from lexenc.files.exchange.pairs import PairFile, remarks
from lexenc.files.exchange.units import KEEP
from lexenc.files.exchange.writing import SUFFIXES, Kind, PairRow, read_rows, write_rows
from lexenc.files.exchange.xml import looks_like_xml
from lexenc.parameters import checked_choice
from lexenc.report.data import ReportData
from lexenc.report.page import SECTIONS, build_page, check_sections
from lexenc.report.results import find_results
from lexenc.text.folding import check_language


def _free(out: PathLike, force: bool) -> Path:
    """Check that a file can be written, and return its path."""
    place = Path(out)
    if place.is_dir() or not place.parent.is_dir():
        what = "is a folder" if place.is_dir() else "is in a folder that does not exist"
        raise ConfigError(f"out {what}: {out}", hint="Name a file in an existing folder.")
    if place.exists() and not force:
        raise ConfigError(f"{out} exists already.", hint="Choose another out, or add force=True to replace it.")
    return place


def convert(
    pairs: PathLike | Sequence[tuple[str, str]],
    *,
    out: PathLike,
    to: Kind | None = None,
    source_language: str | None = None,
    target_language: str | None = None,
    keep: Sequence[str] = (),
    force: bool = False,
) -> Path:
    """Convert translation memories and termbases to word pairs, and back.

    Args:
        pairs: TMX, XLIFF or TBX file, a table, or a list of word pairs.
        out: File to write.
        to: tsv, tmx, tbx (version 3), tbx2, xliff (1.2) or xliff2; None is the format of the name of `out`.
        source_language: Language code (BCP-47) of the source words. Tables and lists do not have one.
        target_language: Language code of the target words.
        keep: What to read although it is left out by default. deprecated: terms not to be used. untranslated,
            rejected, translate-no: such units of XLIFF. tags: escaped tags, as in OmegaT's files.
        force: Replace the file.

    Returns:
        The file that was written.

    Raises:
        LexencError: If pairs or arguments cannot be used.
    """
    place, kind = _free(out, force), to or SUFFIXES.get(Path(out).suffix.lower())
    if kind is None:
        raise ConfigError(f"convert cannot infer a format from the name {out}.", hint="Add to='tmx', for instance.")
    for code, name in ((source_language, "source_language"), (target_language, "target_language")):
        if code is not None:
            check_language(code, name)
    for reason in keep:
        checked_choice(reason, KEEP, "keep")
    languages, found = (source_language, target_language), None
    if isinstance(pairs, str | os.PathLike):
        path = existing_path(pairs)
        if path.resolve() == place.resolve():
            raise ConfigError(f"out is the file that is read: {out}", hint="Choose another name.")
        found = PairFile(path, *languages, keep=keep) if looks_like_xml(path) else None
        rows: list[PairRow] = list(
            read_rows(path) if found is None else (PairRow(left, right) for _, left, right in found)
        )
    else:
        rows = [PairRow(left, right) for left, right in pairs]
    if found is not None:
        languages = (found.found.source, found.found.target)
        for message, hint in remarks(found):
            notices_of(PythonNames()).warn(message, hint)
    if kind != "tsv" and None in languages:
        hint = "Add for instance source_language='en', target_language='de'."
        raise ConfigError(f"convert: {kind} needs languages, but the pairs have none.", hint=hint)
    with replacing(place, spare=not force) as stream:
        write_rows(stream, rows, kind, languages[0] or "", languages[1] or "")
    return place


def write_report(
    folder: PathLike,
    *,
    out: PathLike = "report.html",
    title: str | None = None,
    sections: Sequence[str] | None = None,
    sample: int = 500,
    seed: int | None = None,
    device: str | None = None,
    force: bool = False,
) -> Path:
    """Write a report on results as an HTML page, like the command `report`.

    Args:
        folder: Folder with results.
        out: File to write.
        title: Title; None is the name of the folder.
        sections: Sections to show; None for all.
        sample: Maximum number of answers to show, drawn at random.
        seed: Seed of samples and intervals; None: LEXENC_SEED, else 0.
        device: Device of encoders; None: LEXENC_DEVICE, else cpu.
        force: Replace the file.

    Returns:
        The file that was written.

    Raises:
        LexencError: If there are no results, or the page cannot be written.
    """
    place, chosen = _free(out, force), [*SECTIONS] if sections is None else list(sections)
    with python_errors(PythonNames()):
        name = device_of(device, "cpu")
        check_sections(chosen)
        own_seed = seed_of(seed)
        data = ReportData(find_results(Path(folder)), seed=own_seed, sample=sample, device=name)
        page = build_page(data, title=title or f"Report on {Path(folder).resolve().name}", sections=chosen)
    with replacing(place, spare=not force) as stream:
        stream.write(page.html.encode("utf-8"))
    return place
