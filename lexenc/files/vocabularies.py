"""Word lists: lines `word` or `word count`, or the words of a folder with vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import read_lines
from lexenc.text.folding import AS_IT_IS, Folding, trim

WORDS = "words.txt"
_COUNTED = re.compile(r"(.*[^ \t])[ \t]+(\d+)\Z")


@dataclass(frozen=True)
class Vocabulary:
    """Distinct words in file order.

    Args:
        words: Words or phrases.
        counts: Count of each word, if the file has counts.
        repeated: Number of skipped lines with a repeated word.
    """

    words: list[str]
    counts: list[int] | None
    repeated: int = 0


def read_vocabulary(
    path: Path, *, limit: int | None = None, folding: Folding = AS_IT_IS, language: str | None = None
) -> Vocabulary:
    """Read a word list. It has counts if every line ends with a number, so phrases may contain spaces.

    Args:
        path: A file, or a folder with `words.txt`, which never has counts. gzip is unpacked.
        limit: Maximum number of words.
        folding: How words are folded. Of those that become equal, the first is kept.
        language: BCP-47 code for lower-casing.

    Raises:
        DataError: If the file is empty, or the folder has no word list.
    """
    listed = path / WORDS if path.is_dir() else path
    if path.is_dir() and not listed.is_file():
        inner = next((each for each in (path / "target", path / "source") if (each / WORDS).is_file()), None)
        raise DataError(
            f"{path} is a folder without {WORDS}.",
            hint=f"Use one of its languages: {inner}" if inner else f"Use a word list, or a folder with {WORDS}.",
        )
    lines = [line.strip(" \t") for _, line in read_lines(listed) if line.strip(" \t")]
    if not lines:
        raise DataError(f"{path} holds no words.", hint="One word per line; a count may follow it.")
    matches = [_COUNTED.match(line) for line in lines]
    counted = all(matches) and listed == path
    table: dict[str, int] = {}
    repeated = 0
    for line, match in zip(lines, matches, strict=True):
        word, amount = (match.group(1), int(match.group(2))) if counted and match else (line, 0)
        # The words of a folder are those of its vectors, as they are. A character of white space may be a word.
        word = word if listed != path else trim(word) or word
        word = folding.fold(word, language)
        if word in table:
            repeated += 1
            table[word] += amount
        elif limit is None or len(table) < limit:
            table[word] = amount
    return Vocabulary(list(table), list(table.values()) if counted else None, repeated)


def all_counted(lines: Sequence[str]) -> bool:
    """Return whether lines look like `word count`. A single line is not enough."""
    lines = [line for line in lines if line.strip(" \t")]
    return len(lines) > 1 and all(_COUNTED.match(line.strip(" \t")) for line in lines)
