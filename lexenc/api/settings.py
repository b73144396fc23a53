"""Arguments of all functions: device, seed, precision and progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from tqdm.auto import tqdm

from lexenc.device import Precision, check_device_name
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress, RunningTask
from lexenc.resources import bundled_path

PathLike = str | os.PathLike[str]


def existing_path(name: PathLike) -> Path:
    """Return an existing file or folder, or the one bundled under a name, or raise ConfigError."""
    path = bundled_path(os.fspath(name)) or Path(name)
    if not path.exists():
        raise ConfigError(f"There is nothing at {name}.", hint="Check the path.")
    return path


def device_of(value: str | None, default: str = "auto") -> str:
    """Return the name of a device, by default that of LEXENC_DEVICE, or raise ConfigError."""
    name = os.environ.get("LEXENC_DEVICE", default) if value is None else value
    check_device_name(name)
    return name


def seed_of(value: Any) -> int:
    """Return a seed, by default LEXENC_SEED or 0, or raise ConfigError."""
    value = os.environ.get("LEXENC_SEED", 0) if value is None else value
    try:
        seed = int(value)
    except (TypeError, ValueError):
        seed = -1
    if seed < 0:
        raise ConfigError(f"seed must be a whole number of at least 0, got {value!r}.", hint="Try 0.")
    return seed


def precision_of(value: Any) -> Precision:
    """Return a precision, by default LEXENC_PRECISION or float32, or raise ConfigError."""
    value = os.environ.get("LEXENC_PRECISION", "float32") if value is None else value
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
