"""What every call can be told: device, seed, precision, who watches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args

from lexenc.device import Precision
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress, Task

PathLike = str | os.PathLike[str]


def setting(given: Mapping[str, Any], name: str, default: Any) -> Any:
    """Give an argument, or where it is None the environment's value, or the default."""
    value = given.get(name)
    return os.environ.get(f"LEXENC_{name.upper()}", default) if value is None else value


def seed_of(value: Any) -> int:
    """Give a seed, or refuse what is none."""
    try:
        seed = int(value)
    except (TypeError, ValueError):
        seed = -1
    if seed < 0:
        raise ConfigError(f"seed must be a whole number of at least 0, got {value!r}.", hint="Take any, and keep it.")
    return seed


def precision_of(value: Any) -> Precision:
    """Give a precision, or refuse what is none."""
    if value not in get_args(Precision):
        raise ConfigError(f"precision cannot be {value!r}.", hint=f"Choose one of: {', '.join(get_args(Precision))}.")
    chosen: Precision = value
    return chosen


class _Row:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, count: int) -> None:
        self._bar.update(count)


class _Bars:
    """Bars in a terminal or a notebook."""

    @contextmanager
    def task(self, title: str, total: int | None, unit: str) -> Iterator[Task]:
        from tqdm.auto import tqdm

        with tqdm(desc=title, total=total, unit=f" {unit}", leave=False) as bar:
            yield _Row(bar)


def watcher(progress: bool | Progress) -> Progress:
    """Give who watches the work."""
    if isinstance(progress, bool):
        return _Bars() if progress else SILENT
    return progress
