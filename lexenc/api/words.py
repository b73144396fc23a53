"""Messages in the words of Python: options become arguments, remarks become warnings."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lexenc.errors import LexencError, ManyFaultsError
from lexenc.parameters import parameters, without_none
from lexenc.progress import log
from lexenc.stage import Notices, Stage, Table

_OWN = str(Path(__file__).parents[1])
_OPTION = re.compile(r"--[a-z][a-z0-9-]*")


class LexencWarning(UserWarning):
    """Something that may spoil a result but does not stop the work."""


class Words:
    """Writes the options in a message as the arguments that they are here.

    Args:
        stage: Whose options; None for what is no stage.
    """

    def __init__(self, stage: Stage | None) -> None:
        self._names = {f"--{name}": name for name in ("out", "force", "seed", "device", "precision")}
        self._flags = {"--force"}
        if stage is not None:
            self._names |= {"--" + name.replace("_", "-"): name for name in stage.inputs}
            for name, (one, hint) in parameters(stage.params).items():
                option = "--" + name.replace("_", "-")
                self._names[option] = one.name
                self._flags |= {option} if without_none(hint)[0] is bool else set()

    def told(self, text: str) -> str:
        """Write a sentence: `--csls-neighbours` becomes `csls_neighbours`."""
        return _OPTION.sub(lambda found: self._names.get(found[0], found[0]), text)

    def advised(self, text: str | None) -> str | None:
        """Write a hint, in which a flag is something to be typed: `--lowercase` becomes `lowercase=True`."""
        if text is None:
            return None
        return _OPTION.sub(
            lambda found: self._names.get(found[0], found[0]) + ("=True" if found[0] in self._flags else ""), text
        )


@contextmanager
def in_words_of_python(words: Words) -> Iterator[None]:
    """Rewrite the errors of a block."""
    try:
        yield
    except LexencError as error:
        several = error.faults if isinstance(error, ManyFaultsError) else []
        for one in (error, *several):
            one.message, one.hint = words.told(one.message), words.advised(one.hint)
        # With the hint, which a traceback would otherwise not show.
        error.args = (error.message + (f" {error.hint}" if error.hint else ""),)
        raise


def notices_of(words: Words, answers: list[dict[str, Any]] | None = None) -> Notices:
    """Make warnings of remarks, and keep the answers of a stage that hands them over as they come."""

    def warn(message: str, hint: str | None) -> None:
        text = words.told(message) + (f" {words.advised(hint)}" if hint else "")
        warnings.warn(text, LexencWarning, stacklevel=_depth())

    def answer(objects: Sequence[Mapping[str, Any]], table: Table) -> None:
        if answers is not None:
            answers.extend(dict(one) for one in objects)

    return Notices(warn=warn, say=lambda sentence: log.info(words.told(sentence)), answer=answer)


def _depth() -> int:
    """Count the frames up to the first that is not ours, so that a warning names the user's own line."""
    depth, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OWN) and frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth
