"""Progress of long work. The library reports it, and the command line draws progress bars."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

log = logging.getLogger("lexenc")


class RunningTask(Protocol):
    """A piece of work that is in progress."""

    def advance(self, count: int) -> None:
        """Add to the number of units that are done."""


class Progress(Protocol):
    """Receiver of progress. Its methods may be called from any thread."""

    def task(self, title: str, total: int | None, unit: str) -> AbstractContextManager[RunningTask]:
        """Start a piece of work of `total` units, None if unknown. Use the result in a `with` statement."""


class _SilentTask:
    def advance(self, count: int) -> None:
        """Do nothing."""


class Silent:
    """A receiver that ignores progress."""

    @contextmanager
    def task(self, title: str, total: int | None, unit: str) -> Iterator[RunningTask]:
        """Start a piece of work."""
        yield _SilentTask()


SILENT = Silent()


class Within:
    """A receiver whose pieces of work are parts of a task that runs already.

    Args:
        running: This task.
    """

    def __init__(self, running: RunningTask) -> None:
        self._running = running

    @contextmanager
    def task(self, title: str, total: int | None, unit: str) -> Iterator[RunningTask]:
        """Start a part of the task."""
        yield self._running
