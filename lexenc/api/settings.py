"""Arguments of all functions: device, seed, precision and progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args

from tqdm.auto import tqdm

from lexenc.device import Precision
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress, RunningTask

PathLike = str | os.PathLike[str]


def setting(given: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return an argument. If it is None, return the environment variable or the default."""
    value = given.get(name)
    return os.environ.get(f"LEXENC_{name.upper()}", default) if value is None else value


def seed_of(value: Any) -> int:
    """Return a seed as an integer, or raise ConfigError."""
    try:
        seed = int(value)
    except (TypeError, ValueError):
        seed = -1
    if seed < 0:
        raise ConfigError(f"seed must be a whole number of at least 0, got {value!r}.", hint="Try 0.")
    return seed


def precision_of(value: Any) -> Precision:
    """Return a precision, or raise ConfigError."""
    if value not in get_args(Precision):
        raise ConfigError(f"precision cannot be {value!r}.", hint=f"Choose one of: {', '.join(get_args(Precision))}.")
    chosen: Precision = value
    return chosen


class _TqdmTask:
    def __init__(self, bar: Any) -> None:
        self.advance: Callable[[int], None] = bar.update


class _TqdmProgress:
    @contextmanager
    def task(self, title: str, total: int | None, unit: str) -> Iterator[RunningTask]:
        with tqdm(desc=title, total=total, unit=f" {unit}", leave=False) as bar:
            yield _TqdmTask(bar)


def progress_of(progress: bool | Progress) -> Progress:
    """Return the progress bars for an argument: True is bars in a terminal or notebook."""
    if isinstance(progress, bool):
        return _TqdmProgress() if progress else SILENT
    return progress
