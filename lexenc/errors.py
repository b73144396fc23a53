"""Every failure a user can cause: a message, a hint and an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees.

    `FAILED` also means "the answer is no": a pipeline that is out of date, a check that found faults.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    BUG = 70
    INTERRUPTED = 130


class LexencError(Exception):
    """A failure with a remedy.

    Args:
        message: What is wrong, with the value and the place. One or more whole sentences.
        hint: One thing to do about it.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class ConfigError(LexencError):
    """An option, parameter or pipeline entry that cannot be used."""

    exit_code = ExitCode.USAGE


class DataError(LexencError):
    """An input file whose content cannot be used."""

    exit_code = ExitCode.USAGE


class WorkError(LexencError):
    """The work itself could not be done with this input and these settings."""

    exit_code = ExitCode.FAILED


class ManyFaultsError(ConfigError):
    """Several faults of one place, shown together."""

    def __init__(self, place: str, faults: Sequence[LexencError]) -> None:
        lines = [f"{place} has {len(faults)} problems:"]
        lines += [f"  {fault.message}" + (f"  hint: {fault.hint}" if fault.hint else "") for fault in faults]
        super().__init__("\n".join(lines), hint="Mend all of them and run the same command again.")
        self.faults = faults


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """Say that a name does not exist, and which one was probably meant.

    Args:
        kind: What the name should name, for instance `stage` or `parameter of map`.
        name: The name given.
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
    """Put all faults of one place into one error; a single fault stays as it is.

    Args:
        place: The file or command in which the faults are.
        faults: At least one.
    """
    flat = [one for fault in faults for one in (fault.faults if isinstance(fault, ManyFaultsError) else [fault])]
    return flat[0] if len(flat) == 1 else ManyFaultsError(place, flat)
