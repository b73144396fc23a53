"""The bundled encoder, static vectors and lexicon."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent
BUNDLED_ENCODERS = ("mini",)


def bundled_folder(name: str) -> Path:
    """Give the folder of something bundled.

    Args:
        name: For instance `mini` (an encoder), `static/en` (vectors) or `lexicon`.
    """
    return ROOT / name
