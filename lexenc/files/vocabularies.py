"""Word lists: `word` or `word count` lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import fold_case, read_lines

_COUNTED = re.compile(r"(.*[^ \t])[ \t]+(\d+)\Z")


@dataclass(frozen=True)
class Vocabulary:
    """Distinct words in file order.

    Args:
        words: The words or phrases.
        counts: How often each occurred, where the file says so.
        repeated: Lines left out because the word had come before.
    """

    words: list[str]
    counts: list[int] | None
    repeated: int = 0


def read_vocabulary(
    path: Path, *, limit: int | None = None, lowercase: bool = False, language: str | None = None
) -> Vocabulary:
    """Read a word list; the file has counts if every line ends with a number, so phrases may hold spaces.

    Args:
        path: The file; gzip is unpacked.
        limit: Keep the first words only.
        lowercase: Fold case and keep the first of the forms that become equal.
        language: BCP-47 code, for folding.

    Raises:
        DataError: If the file holds no word.
    """
    lines = [line.strip(" \t") for _, line in read_lines(path) if line.strip(" \t")]
    if not lines:
        raise DataError(f"{path} holds no words.", hint="One word per line; a count may follow it.")
    matches = [_COUNTED.match(line) for line in lines]
    counted = all(matches)
    table: dict[str, int] = {}
    repeated = 0
    for line, match in zip(lines, matches, strict=True):
        word, amount = (match.group(1), int(match.group(2))) if counted and match else (line, 0)
        word = fold_case(word, language) if lowercase else word
        if word in table:
            repeated += 1
            table[word] += amount
        elif limit is None or len(table) < limit:
            table[word] = amount
    return Vocabulary(list(table), list(table.values()) if counted else None, repeated)
