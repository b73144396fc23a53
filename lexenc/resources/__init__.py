"""The bundled encoder, static vectors and lexicon."""

from __future__ import annotations

from pathlib import Path

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
