"""What a call gives as inputs: paths, or pairs of words, which are kept in a file while a stage runs."""

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
from lexenc.stage import Input, Stage

# Inputs that are dictionaries, wherever they occur.
_DICTIONARIES = ("dictionary", "train_dictionary", "pairs", "train", "test")


def takes_pairs(name: str, one: Input) -> bool:
    """Tell whether an input may be given as pairs of words."""
    return name in _DICTIONARIES and one.kind == "path" and not one.named


@dataclass(frozen=True)
class Kept:
    """The inputs of a call.

    Args:
        given: As they would be typed, by name.
        files: What pairs were given as, by the file that holds them.
    """

    given: dict[str, str | list[str]]
    files: dict[str, str]

    def records(self, records: Mapping[str, list[InputRecord]]) -> dict[str, list[InputRecord]]:
        """Record that pairs were given; the files are gone when somebody reads the manifest."""
        return {
            name: [replace(one, given=self.files[one.given], path=self.files[one.given])
                   if one.given in self.files else one for one in many]
            for name, many in records.items()
        }  # fmt: skip

    def told(self, text: str | None) -> str | None:
        """Name in a sentence what was given."""
        for path, words in self.files.items():
            text = text and text.replace(path, words)
        return text


@contextmanager
def kept_pairs(stage: Stage, given: Mapping[str, Any]) -> Iterator[Kept]:
    """Give the inputs of a call as texts; pairs of words are kept in files until the block ends.

    Raises:
        ConfigError: If an input is neither.
        LexencError: What the stage raises, with pairs named as such.
    """
    with tempfile.TemporaryDirectory(prefix="lexenc-pairs-") as folder:
        kept = Kept({}, {})
        try:
            for name, one in stage.inputs.items():
                value = given.get(name)
                if value is None:
                    continue
                pairs = _pairs(value) if takes_pairs(name, one) else None
                if pairs is None:
                    kept.given[name] = _texts(name, one, value)
                else:
                    kept.given[name] = path = str(_written(Path(folder) / f"{name}.tsv", name, pairs))
                    kept.files[path] = f"the pairs given as {name}"
            yield kept
        except LexencError as error:
            for fault in [error, *(error.faults if isinstance(error, ManyFaultsError) else [])]:
                fault.message, fault.hint = str(kept.told(fault.message)), kept.told(fault.hint)
            raise


def _pairs(value: Any) -> list[tuple[str, str]] | None:
    """Take pairs of words; None where these are none."""
    from lexenc.files.dictionaries import Pairs

    if isinstance(value, Pairs):
        return list(zip(value.sources, value.targets, strict=True))
    if isinstance(value, str | os.PathLike | Mapping) or not hasattr(value, "__iter__"):
        return None
    pairs = [each for each in value if isinstance(each, tuple | list)]
    if not pairs or len(pairs) != len(value) or any(len(each) != 2 for each in pairs):
        return None
    return [(left, right) for left, right in pairs] if all(isinstance(e, str) for p in pairs for e in p) else None


def _written(path: Path, name: str, pairs: list[tuple[str, str]]) -> Path:
    from lexenc.files.dictionaries import write_pairs

    for pair in pairs:
        if any(mark in text for text in pair for mark in "\t\r\n"):
            raise ConfigError(f"{name} holds a TAB or a line break: {pair!r}.", hint="Replace it by a space.")
    write_pairs(path, pairs)
    return path


def _texts(name: str, one: Input, value: Any) -> str | list[str]:
    """Write paths as a user would type them."""
    try:
        if isinstance(value, Mapping):
            return [f"{own}={os.fspath(path)}" if own else os.fspath(path) for own, path in value.items()]
        return os.fspath(value) if isinstance(value, str | os.PathLike) else [os.fspath(each) for each in value]
    except TypeError:
        wanted = "a path, or several" if one.many else "a path"
        wanted += ", or a list of pairs of words" if takes_pairs(name, one) else ""
        shown = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:57]}..."
        raise ConfigError(f"{name} takes {wanted}, got {shown}.", hint="Write what you have to a file.") from None


def shown_argument(value: Any) -> str:
    """Write an argument for the manifest; of pairs, how many."""
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    pairs = _pairs(value)
    return repr(value) if pairs is None else f"[{len(pairs)} pairs]"
