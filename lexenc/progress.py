"""How the core tells a watcher what it is doing, without printing anything."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

log = logging.getLogger("lexenc")


class Task(Protocol):
    """One running piece of work."""

    def advance(self, count: int) -> None:
        """Say that `count` more units are done."""


class Progress(Protocol):
    """Somebody who watches. Core functions take one and call it, from any thread; the command line draws it."""

    def task(self, title: str, total: int | None, unit: str) -> AbstractContextManager[Task]:
        """Begin a piece of work of `total` units (None where unknown); use the result with `with`."""


class _SilentTask:
    def advance(self, count: int) -> None:
        """Ignore it."""


class Silent:
    """Nobody watches."""

    @contextmanager
    def task(self, title: str, total: int | None, unit: str) -> Iterator[Task]:
        """Begin a piece of work that nobody sees."""
        yield _SilentTask()


SILENT = Silent()
