"""The bundled encoder, static vectors, lexicon, and the presets of map and pretrain."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lexenc.errors import unknown_name

ROOT = Path(__file__).parent
PUBLISHED_MODELS = ("saelmo", "sabert-tiny", "bi-saelmo")
"""Presets of pretrain that are the whole of a published model, with its kind and its senses."""
BUNDLED_ENCODERS = ("mini",)
PREFIX = "bundled:"


def bundled_folder(name: str) -> Path:
    """Return the folder of a bundled resource, for instance of the encoder `mini`."""
    return ROOT / name


def bundled_names() -> list[str]:
    """Return the names for `bundled:NAME`: folders with vectors, word lists and dictionaries."""
    vectors = [path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("static/*/vectors.npy")]
    words = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("static/*/words.txt")]
    dictionaries = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("lexicon/*.tsv")]
    return sorted(vectors + words + dictionaries)


def bundled_path(text: str) -> Path | None:
    """Return the path of `bundled:lexicon/en-de.train.tsv`, or None for any other text.

    Raises:
        ConfigError: If nothing of that name is bundled.
    """
    if not text.startswith(PREFIX):
        return None
    name = text.removeprefix(PREFIX)
    if name not in bundled_names():
        raise unknown_name("bundled file", name, bundled_names())
    return ROOT / name


def preset_names() -> list[str]:
    """Return the names of the presets of map."""
    return sorted(path.stem for path in (ROOT / "presets").glob("*.yaml") if path.stem != "defaults")


def read_preset(name: str) -> dict[str, Any]:
    """Read the values of a preset of map, including those shared by all presets.

    Raises:
        ConfigError: If there is no such preset.
    """
    if name not in preset_names():
        raise unknown_name("preset", name, preset_names())
    return _values("defaults") | _values(name)


def _values(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(_preset_text(name))
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def preset_summaries() -> dict[str, str]:
    """Return the stage of every preset, and the first line of the comment at its start, by name."""
    folders = {"map": ("presets", preset_names()), "pretrain": ("pretraining", PUBLISHED_MODELS)}
    return {
        name: f"{stage}: {_preset_text(name, folder).splitlines()[0].removeprefix('# ')}"
        for stage, (folder, names) in folders.items()
        for name in names
    }


def _preset_text(name: str, folder: str = "presets") -> str:
    return (ROOT / folder / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def read_pretraining(name: str) -> dict[str, Any]:
    """Read the values of `pretrain` for a kind of models, by preset, or those of a published model, by part."""
    values: dict[str, Any] = yaml.safe_load(_preset_text(name, "pretraining"))
    return values
