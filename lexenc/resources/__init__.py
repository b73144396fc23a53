"""The bundled encoder, static vectors, lexicon and presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lexenc.errors import unknown_name

ROOT = Path(__file__).parent
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


def preset_summary(name: str) -> str:
    """Return the first line of the comment at the start of a preset."""
    return _preset_text(name).splitlines()[0].removeprefix("# ")


def _preset_text(name: str) -> str:
    return (ROOT / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
