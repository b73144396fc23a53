"""A space of many languages in one folder: one folder per language, and `hub.json`, which says whose space it is."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from lexenc.errors import DataError, unknown_name
from lexenc.files.spaces import SIDES, load_space
from lexenc.files.vectors import Vectors, load_vectors

HUB = "hub.json"
_FILES = ("words.txt", "vectors.npy", "mapping.safetensors")


@dataclass(frozen=True)
class Hub:
    """What a space of many languages is made of.

    Args:
        hub: The language whose space it is.
        languages: All of them, the hub among them.
        lowercase: Whether words were lower-cased.
    """

    hub: str
    languages: list[str]
    lowercase: bool


def is_hub(folder: Path) -> bool:
    """Tell whether a folder holds a space of many languages."""
    return (folder / HUB).is_file()


def read_hub(folder: Path) -> Hub:
    """Read what a space is made of.

    Raises:
        DataError: If the folder holds no such space, or its list is damaged.
    """
    path = folder / HUB
    if not path.is_file():
        raise DataError(
            f"{folder} holds no space of many languages (no {HUB}).", hint="Make one with lexenc map --hub."
        )
    try:
        found = Hub(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}).", hint="Make the space again.") from None
    missing = [each for each in found.languages if not (folder / each / "words.txt").is_file()]
    if missing:
        raise DataError(f"{folder} holds no {missing[0]}/words.txt.", hint="Make the space again.")
    return found


def write_hub(folder: Path, hub: Hub) -> None:
    """Write what a space is made of."""
    (folder / HUB).write_text(json.dumps(asdict(hub), ensure_ascii=False) + "\n", encoding="utf-8")


def share_files(source: Path, target: Path) -> None:
    """Give a folder the words, vectors and mapping of another one.

    By hard links, which take no room; by copies where the file system has none. Results are never changed in place.

    Args:
        source: The folder that has them.
        target: The folder that gets them; made if it is not there.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        if not (source / name).is_file():
            continue
        (target / name).unlink(missing_ok=True)
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)


def load_languages(folder: Path, names: tuple[str, str]) -> tuple[Vectors, Vectors]:
    """Load two languages of a space: `source` and `target` of a pair, or any two of many.

    Args:
        folder: The space.
        names: Their names; the same twice is loaded once.

    Raises:
        DataError: If the folder holds no space, or sizes differ.
        ConfigError: If it has no language of such a name.
    """
    if not is_hub(folder):
        for name in names:
            if name not in SIDES:
                raise unknown_name(f"language in {folder}", name, SIDES)
        space = load_space(folder)
        return space.side(names[0]), space.side(names[1])
    known = read_hub(folder).languages
    for name in names:
        if name not in known:
            raise unknown_name(f"language in {folder}", name, known)
    first = load_vectors(folder / names[0])
    return first, first if names[0] == names[1] else load_vectors(folder / names[1])
