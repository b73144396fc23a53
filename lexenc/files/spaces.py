"""A shared space: the vectors of two languages in one folder, `source/` and `target/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lexenc.errors import DataError
from lexenc.files.vectors import Vectors, load_vectors, save_vectors
from lexenc.text.folding import Folding

SIDES = ("source", "target")


@dataclass(frozen=True)
class Space:
    """Word vectors of two languages in a shared space, with equal dimensions."""

    source: Vectors
    target: Vectors

    def side(self, name: str) -> Vectors:
        """Return the vectors of the language `source` or `target`."""
        return self.source if name == "source" else self.target


def load_space(folder: Path, *, mmap: bool = False) -> Space:
    """Load a shared space from the folder of a result.

    Raises:
        DataError: If the folder has none, or dimensions differ.
    """
    for side in SIDES:
        if not (folder / side / "words.txt").is_file():
            raise DataError(
                f"{folder} holds no shared space (no {side}/words.txt).",
                hint="Make one with: lexenc map --source en.vec --target de.vec --dictionary train.tsv --out FOLDER",
            )
    space = Space(load_vectors(folder / "source", mmap=mmap), load_vectors(folder / "target", mmap=mmap))
    left, right = space.source.matrix.shape[1], space.target.matrix.shape[1]
    if left != right:
        raise DataError(f"{folder}: source vectors have {left} columns, target vectors {right}.", hint="Make it again.")
    return space


def save_space(folder: Path, space: Space) -> None:
    """Write the vectors of both languages."""
    for side in SIDES:
        (folder / side).mkdir(exist_ok=True)
        vectors = space.side(side)
        save_vectors(folder / side, vectors.words, vectors.matrix)


def first_forms(words: list[str], folding: Folding, language: str | None) -> tuple[list[str], np.ndarray]:
    """Fold a vocabulary, and keep the first of the words that become equal.

    Args:
        words: Words by frequency.
        folding: How words are folded.
        language: BCP-47 code.

    Returns:
        The n folded words, and their positions in `words`, shape [n].
    """
    table: dict[str, int] = {}
    for place, word in enumerate(words):
        table.setdefault(folding.fold(word, language), place)
    return list(table), np.fromiter(table.values(), dtype=np.int64, count=len(table))
