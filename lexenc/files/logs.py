"""Logs of runs that can be resumed: JSON Lines with one object per step."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class StepLog:
    """A log with one line per step. A run resumes from a step of which the log has all lines up to it, and no other.

    New lines are kept in memory until `save`, which comes before the state of the run is saved. So the log never lacks
    a step of the state, whenever the process is killed, and what it has beyond the state is cut off.

    Args:
        path: The file. It is made by the first `save`.

    Attributes:
        steps: Number of lines, those in memory included.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size, self._new = 0, list[bytes]()
        self.steps = 0

    def resume(self, steps: int) -> bool:
        """Continue after a number of steps; return False, and begin anew, if the file does not have all of them.

        Every line begins with its number; a file in which a line does not is not trusted.
        """
        self._size, self._new, self.steps = 0, [], 0
        size = 0
        for number, line in enumerate(self._lines()[:steps], start=1):
            if not _is_step(line, number):
                return False
            size += len(line)
            if number == steps:
                self._size, self.steps = size, steps
        return self.steps == steps

    def add(self, values: Mapping[str, Any]) -> None:
        """Add the line of the next step, whose first value is its number. All numbers are finite, as in all JSON."""
        self._new.append(json.dumps(values, allow_nan=False).encode() + b"\n")
        self.steps += 1

    def save(self) -> None:
        """Write the new lines to the disk, behind the last step that counts."""
        with self._path.open("r+b" if self._path.exists() else "xb") as stream:
            # Cut here and not before, so that what an earlier run saved stays until there is more.
            stream.truncate(self._size)
            stream.seek(self._size)
            stream.write(b"".join(self._new))
            stream.flush()
            os.fsync(stream.fileno())
            self._size, self._new = stream.tell(), []

    def _lines(self) -> list[bytes]:
        return self._path.read_bytes().splitlines(keepends=True) if self._path.is_file() else []


def _is_step(line: bytes, number: int) -> bool:
    try:
        values = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return line.endswith(b"\n") and isinstance(values, dict) and next(iter(values.values()), None) == number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")
