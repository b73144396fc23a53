"""Errors that a user can cause: a message, a hint and an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the program.

    `FAILED` also means that the answer is no, e.g. a pipeline is out of date or an audit found leaks. `INTERRUPTED` is
    for Ctrl-C: 128 plus the number of the signal. SIGTERM gives 143, and SIGHUP 129.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    BUG = 70
    INTERRUPTED = 130


class LexencError(Exception):
    """An error with a hint.

    Args:
        message: What is wrong, with the value and the place. One or more whole sentences.
        hint: What the user can do about it.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class ConfigError(LexencError):
    """An option, parameter or pipeline entry cannot be used."""

    exit_code = ExitCode.USAGE


class DataError(LexencError):
    """The content of an input file cannot be used."""

    exit_code = ExitCode.USAGE


class WorkError(LexencError):
    """The work failed with this input and these settings."""

    exit_code = ExitCode.FAILED


class PausedError(WorkError):
    """The work stopped where the user told it to, and the same command continues it."""


class ManyFaultsError(ConfigError):
    """Several errors in one place, shown together."""

    def __init__(self, place: str, faults: Sequence[LexencError]) -> None:
        lines = [f"{place} has {len(faults)} problems:"]
        lines += [f"  {fault.message}" + (f"  hint: {fault.hint}" if fault.hint else "") for fault in faults]
        super().__init__("\n".join(lines), hint="Fix all of them and run the same command again.")
        self.faults = faults


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """Return the error for a name that does not exist, with the one that was probably meant.

    Args:
        kind: What the name refers to, for instance `stage` or `parameter of map`.
        name: The name that was given.
        known: The names that exist.
    """
    known = list(known)
    close = get_close_matches(name, known, n=1)
    if close:
        hint = f"Did you mean '{close[0]}'?"
    elif known:
        hint = f"Known: {', '.join(known)}."
    else:
        hint = f"There is no {kind} at all."
    return ConfigError(f"There is no {kind} called '{name}'.", hint=hint)


def several(place: str, faults: Sequence[LexencError]) -> LexencError:
    """Return all errors of one place as one error. A single error is returned as it is.

    Args:
        place: The file or command with the errors.
        faults: One error or more.
    """
    flat = [one for fault in faults for one in (fault.faults if isinstance(fault, ManyFaultsError) else [fault])]
    return flat[0] if len(flat) == 1 else ManyFaultsError(place, flat)


def is_panic(error: BaseException) -> bool:
    """Return whether an error is a panic of a library in Rust, such as tokenizers; it is no Exception."""
    return type(error).__name__ == "PanicException"
