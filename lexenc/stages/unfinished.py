"""Parts of the work of a stage that are done once, however often it is interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lexenc.errors import DataError
from lexenc.files.text import writing
from lexenc.stage import Job
from lexenc.structured import checked, read_json


def once(path: Path, job: Job, work: Callable[[], tuple[dict[str, Any], Iterable[Path]]]) -> dict[str, Any]:
    """Do a part of the work, unless it is done: then return what it returned, and repeat its warnings.

    Args:
        path: Note that the part is done. If it is damaged, or a file has another size, the part is done again.
        job: Device and messages of the run.
        work: Does the part. It returns counts and the like, which JSON can hold, and its files, which are flushed.
    """
    done = _done(path)
    if done is not None:
        for message, hint in done.warnings:
            job.notices.warn(message, hint)
        if done.device:
            _ = job.device  # the manifest names it
        return done.made
    notices, warnings = job.notices, list[tuple[str, str | None]]()

    def warn(message: str, hint: str | None) -> None:
        warnings.append((message, hint))
        notices.warn(message, hint)

    job.notices = replace(notices, warn=warn)
    try:
        made, files = work()
    finally:
        job.notices = notices
    sizes = {os.path.relpath(each, path.parent): each.stat().st_size for each in files}
    done = _Done(made, sizes, warnings, "device" in vars(job))
    with writing(path) as stream:
        stream.write(json.dumps(asdict(done)).encode())
    return made


@contextmanager
def own_folder(name: str, folder: Path, job: Job) -> Iterator[None]:
    """Let the job write to the folder of a part, and begin its messages with the name of the part."""
    out, notices = job.out, job.notices
    job.out = folder
    job.notices = replace(
        notices,
        warn=lambda message, hint: notices.warn(f"{name}: {message}", hint),
        say=lambda message: notices.say(f"{name}: {message}"),
    )
    try:
        yield
    finally:
        job.out, job.notices = out, notices


@dataclass(frozen=True)
class _Done:
    """A part that is done.

    Args:
        made: What it returned.
        sizes: Sizes of its files in bytes, by their path relative to the note.
        warnings: Its warnings, with hints.
        device: Whether the work had used the device.
    """

    made: dict[str, Any]
    sizes: dict[str, int]
    warnings: list[tuple[str, str | None]]
    device: bool


def _done(path: Path) -> _Done | None:
    try:
        done = checked(_Done, read_json(path), path)
        whole = all((path.parent / name).stat().st_size == size for name, size in done.sizes.items())
    except (DataError, OSError):
        return None
    return done if whole else None
