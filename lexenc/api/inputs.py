"""Inputs of a call: paths, or word pairs, which are written to a temporary file while a stage runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lexenc.artifact import InputRecord
from lexenc.errors import ConfigError, LexencError, ManyFaultsError
from lexenc.files.dictionaries import Pairs, write_pairs
from lexenc.stage import Input, Stage

# Inputs of this name are dictionaries in all stages.
_DICTIONARIES = ("dictionary", "train_dictionary", "pairs", "train", "test")


def takes_pairs(name: str, one: Input) -> bool:
    """Return whether an input may be word pairs."""
    return name in _DICTIONARIES and one.kind == "path" and not one.named


@dataclass(frozen=True)
class CallInputs:
    """The inputs of a call.

    Args:
        given: Inputs as text, by name.
        files: Description of word pairs, by the file to which they were written.
    """

    given: dict[str, str | list[str]]
    files: dict[str, str]

    def records(self, records: Mapping[str, list[InputRecord]]) -> dict[str, list[InputRecord]]:
        """Return records for the manifest, in which the description of word pairs replaces their temporary file."""
        return {
            name: [replace(one, given=self.files[one.given], path=self.files[one.given])
                   if one.given in self.files else one for one in many]
            for name, many in records.items()
        }  # fmt: skip

    def described(self, text: str | None) -> str | None:
        """Return a message in which the description of word pairs replaces their temporary file."""
        for path, words in self.files.items():
            text = text and text.replace(path, words)
        return text


@contextmanager
def call_inputs(stage: Stage, given: Mapping[str, Any]) -> Iterator[CallInputs]:
    """Yield the inputs of a call as text. Word pairs are in temporary files until the block ends.

    Raises:
        ConfigError: If an input is neither a path nor word pairs.
        LexencError: Errors of the block, with a description of word pairs instead of their file.
    """
    with tempfile.TemporaryDirectory(prefix="lexenc-pairs-") as folder:
        made = CallInputs({}, {})
        try:
            for name, one in stage.inputs.items():
                value = given.get(name)
                if value is None:
                    continue
                pairs = _pairs(value) if takes_pairs(name, one) else None
                if pairs is None:
                    made.given[name] = _texts(name, one, value)
                else:
                    path = Path(folder) / f"{name}.tsv"
                    for pair in pairs:
                        if any(mark in text for text in pair for mark in "\t\r\n"):
                            what = f"{name} contains a TAB or a line break: {pair!r}."
                            raise ConfigError(what, hint="Replace it by a space.")
                    write_pairs(path, pairs)
                    made.given[name] = str(path)
                    made.files[str(path)] = f"the pairs given as {name}"
            yield made
        except LexencError as error:
            for fault in [error, *(error.faults if isinstance(error, ManyFaultsError) else [])]:
                fault.message, fault.hint = str(made.described(fault.message)), made.described(fault.hint)
            raise


def _pairs(value: Any) -> list[tuple[str, str]] | None:
    """Return a value as word pairs, or None if it is something else."""
    if isinstance(value, Pairs):
        return list(value)
    if isinstance(value, str | os.PathLike | Mapping) or not hasattr(value, "__iter__"):
        return None
    pairs = [each for each in value if isinstance(each, tuple | list)]
    if not pairs or len(pairs) != len(value) or any(len(each) != 2 for each in pairs):
        return None
    return [(left, right) for left, right in pairs] if all(isinstance(e, str) for p in pairs for e in p) else None


def _texts(name: str, one: Input, value: Any) -> str | list[str]:
    try:
        if one.number and isinstance(value, int | float):
            return repr(value)
        if isinstance(value, Mapping):
            return [one.typed(own, os.fspath(path)) for own, path in value.items()]
        return os.fspath(value) if isinstance(value, str | os.PathLike) else [os.fspath(each) for each in value]
    except TypeError:
        wanted = "a path, or several" if one.repeated else "a path"
        wanted += ", or a number" if one.number else ""
        wanted += ", or a list of word pairs" if takes_pairs(name, one) else ""
        shown = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:57]}..."
        raise ConfigError(f"{name} takes {wanted}, got {shown}.", hint="Write the data to a file.") from None


def shown_argument(value: Any) -> str:
    """Return an argument as text for the manifest, with the number of pairs instead of pairs."""
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    pairs = _pairs(value)
    return repr(value) if pairs is None else f"[{len(pairs)} pairs]"
