"""The bundled encoder, static vectors, lexicon and presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lexenc.errors import unknown_name

ROOT = Path(__file__).parent
BUNDLED_ENCODERS = ("mini",)
PREFIX = "bundled:"


def bundled_folder(name: str) -> Path:
    """Give the folder of something bundled.

    Args:
        name: For instance `mini`, an encoder.
    """
    return ROOT / name


def bundled_names() -> list[str]:
    """List what `bundled:NAME` may name: folders with vectors and dictionaries."""
    vectors = [path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("static/*/vectors.npy")]
    words = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("static/*/words.txt")]
    dictionaries = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("lexicon/*.tsv")]
    return sorted(vectors + words + dictionaries)


def bundled_path(text: str) -> Path | None:
    """Turn `bundled:lexicon/en-de.train.tsv` into a path; None for any other text.

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
    """List the presets of map."""
    return sorted(path.stem for path in (ROOT / "presets").glob("*.yaml") if path.stem != "defaults")


def read_preset(name: str) -> dict[str, Any]:
    """Read all values of a preset of map: its own, and those that all share.

    Raises:
        ConfigError: If there is no such preset.
    """
    if name not in preset_names():
        raise unknown_name("preset", name, preset_names())
    return _values("defaults") | _values(name)


def _values(name: str) -> dict[str, Any]:
    import yaml

    values: dict[str, Any] = yaml.safe_load(_preset_text(name))
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def preset_summary(name: str) -> str:
    """Give the first line of the comment at the head of a preset."""
    return _preset_text(name).splitlines()[0].removeprefix("# ")


def _preset_text(name: str) -> str:
    return (ROOT / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
