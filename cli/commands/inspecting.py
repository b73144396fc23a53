"""show, list, env: what is installed, and what results were made from."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lexenc.alignment import ALIGNERS
from lexenc.artifact import DigestStore, InputRecord, Manifest, altered_parts, few, maker_of, read_manifest
from lexenc.errors import unknown_name
from lexenc.planning import package_versions
from lexenc.recipes.paper import recipe_names, table_title
from lexenc.resources import BUNDLED_ENCODERS, PREFIX, bundled_folder, bundled_names, preset_summaries
from lexenc.search import RETRIEVAL
from lexenc.stage import Table
from lexenc.stages import STAGES
from lexenc.training import LOSSES

from ..options import Debug, Json
from ..ui import plain, print_json, show_table, show_warning, write_out
from . import COMMANDS
from .fetching import catalogue_rows


def show_command(
    folder: Annotated[str, typer.Argument(help="A result folder.", metavar="FOLDER")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    r"""List settings, counts and inputs, back to the original files.

    \b
    Example:
      $ lexenc show runs/blended
    """
    manifest = read_manifest(Path(folder))
    altered = altered_parts(Path(folder), DigestStore.default(), later=True)
    if altered:
        message = f"{folder} was changed after lexenc made it: {few(altered)}."
        show_warning(message, "This does not describe it any more. Make it again, unless you changed it yourself.")
    if json:
        print_json(asdict(manifest))
        return
    write_out("".join(f"{plain(line)}\n" for line in _chain(Path(folder), manifest, 0, set())))


def _chain(folder: Path, manifest: Manifest, depth: int, seen: set[str]) -> list[str]:
    """Describe a result and, indented below it, what it was made from."""
    pad = "  " * depth
    lines = [
        f"{pad}{folder}  ({manifest.stage} v{manifest.stage_version}, {manifest.created[:16]}, {manifest.seconds:g} s)"
    ]
    if manifest.key in seen:
        return [f"{pad}{folder}  (see above)"]
    seen.add(manifest.key)
    settings = ", ".join(
        f"{name} {_shown(value)}" for name, value in manifest.params.items() if value not in (None, [])
    )
    lines.append(f"{pad}  settings: {settings}, seed {manifest.seed}, {manifest.device} {manifest.precision}")
    if manifest.summary:
        tables = {name: value for name, value in manifest.summary.items() if _is_table(value)}
        lines.append(f"{pad}  counts: {_shown({k: v for k, v in manifest.summary.items() if k not in tables})}")
        lines += [f"{pad}  {name}: {_shown(row)}" for name, rows in tables.items() for row in rows]
    for name, records in manifest.inputs.items():
        for record in records:
            place = Path(os.path.normpath(folder.absolute().parent / record.path))
            lines.append(f"{pad}  {name}: {record.given}  sha256 {record.sha256[:12]}")
            lines += _origin(place, record, depth + 2, seen)
    return lines


def _origin(place: Path, record: InputRecord, depth: int, seen: set[str]) -> list[str]:
    """Describe the result that an input belongs to, unless it has been replaced since."""
    manifest = maker_of(place)
    if record.made_by is None or manifest is None:
        return []
    folder = Path(os.path.relpath(place))
    if manifest.key == record.made_by:
        return _chain(folder, manifest, depth, seen)
    return [f"{'  ' * depth}{folder}  (replaced on {manifest.created[:16]}; its earlier content is not known)"]


def _is_table(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        shown = (
            (name, f"({_shown(each)})" if isinstance(each, dict) else _shown(each)) for name, each in value.items()
        )
        return ", ".join(f"{name} {each}" for name, each in shown if each not in ("", "()"))
    return ",".join(map(_shown, value)) if isinstance(value, list) else str(value)


_TABLES = {"losses": LOSSES, "retrieval": RETRIEVAL, "aligners": ALIGNERS}
_KINDS = ("stages", "presets", "encoders", "bundled", *_TABLES, "tasks", "resources", "recipes")


def list_command(
    kind: Annotated[str, typer.Argument(help=f"One of: {', '.join(_KINDS)}.", metavar="KIND")] = "stages",
    json: Json = False,
    debug: Debug = False,
) -> None:
    r"""Print one line per name.

    \b
    Examples:
      $ lexenc list
      $ lexenc list losses
    """
    if kind not in _KINDS:
        raise unknown_name("list", kind, _KINDS)
    rows = _listed(kind)
    if json:
        for name, text in rows:
            print_json({"name": name, "summary": text})
    else:
        show_table(Table(kind.capitalize(), ["name", "what"], [list(row) for row in rows]))


_LANGUAGES = {"en": "English", "de": "German", "fr": "French"}


def _listed(kind: str) -> list[tuple[str, str]]:
    if kind == "encoders":
        rows = [(name, f"bundled, {bundled_folder(name)}") for name in BUNDLED_ENCODERS]
        folder = "folder of sentence-transformers, Hugging Face or model2vec"
        return [*rows, ("FOLDER", folder), ("NAME", "any name on the hub")]
    if kind == "bundled":
        rows = [(name, "encoder, for --encoder: a static encoder of nine languages") for name in BUNDLED_ENCODERS]
        return [*rows, *((PREFIX + name, _bundled_kind(name)) for name in bundled_names())]
    if kind == "presets":
        return list(preset_summaries().items())
    if kind == "resources":
        return catalogue_rows()
    if kind == "recipes":
        return [(name, table_title(name)) for name in recipe_names()]
    if kind == "tasks":
        return [(name.split(" ", 1)[1], STAGES.summary(name)) for name in STAGES if name.startswith("eval ")]
    tables = [_TABLES[kind]] if kind in _TABLES else [STAGES, COMMANDS]
    return [(name, table.summary(name)) for table in tables for name in table]


def _bundled_kind(name: str) -> str:
    folder, _, rest = name.partition("/")
    if folder == "static":
        language = _LANGUAGES[rest.split("/")[0]]
        words = rest.endswith(".txt")
        return f"word list, {language}" if words else f"static vectors, {language}; also a vocabulary"
    if rest == "lexicon.tsv":
        return "the whole lexicon: English, German, French and a header line; not a dictionary of two columns"
    pair, part, _ = rest.split(".")
    source, target = (_LANGUAGES[code] for code in pair.split("-"))
    return f"{'training' if part == 'train' else 'test'} lexicon, {source} to {target}"


def env_command(json: Json = False, debug: Debug = False) -> None:
    r"""Include the environment variables that affect lexenc.

    \b
    Example:
      $ lexenc env
    """
    import torch

    table = {**package_versions(), "platform": platform.platform(), "processor threads": str(torch.get_num_threads())}
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(count)]
    if torch.backends.mps.is_available():
        names.append("mps")
    table["devices"] = ", ".join(["cpu", *names])
    table |= {
        name: value for name, value in sorted(os.environ.items()) if name.startswith(("LEXENC_", "HF_HUB_OFFLINE"))
    }
    if json:
        print_json(table)
    else:
        write_out("".join(plain(f"{name}: {value}") + "\n" for name, value in table.items()))
