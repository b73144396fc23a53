"""Messages for Python: options become arguments, and remarks become warnings."""

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
    """A problem that may affect a result but does not stop the work."""


class PythonNames:
    """Replaces the options in messages, of all commands or also of one stage, by the arguments of functions."""

    def __init__(self, stage: Stage | None = None) -> None:
        self._names = {f"--{name}": name for name in ("out", "force", "seed", "device", "precision")}
        self._flags = {"--force"}
        if stage is not None:
            self._names |= {"--" + name.replace("_", "-"): name for name in stage.inputs}
            for name, (one, hint) in parameters(stage.params).items():
                option = "--" + name.replace("_", "-")
                self._names[option] = one.name
                self._flags |= {option} if without_none(hint)[0] is bool else set()

    def sentence(self, text: str) -> str:
        """Return a sentence in which `--csls-neighbours` is `csls_neighbours`."""
        return _OPTION.sub(lambda found: self._names.get(found[0], found[0]), text)

    def hint(self, text: str | None) -> str | None:
        """Return a hint in which `--lowercase` is `lowercase=True`, and other options are as in `sentence`."""

        def argument(option: re.Match[str]) -> str:
            return self._names.get(option[0], option[0]) + ("=True" if option[0] in self._flags else "")

        return None if text is None else _OPTION.sub(argument, text)


@contextmanager
def python_errors(names: PythonNames) -> Iterator[None]:
    """Replace options by arguments in the errors of a block."""
    try:
        yield
    except LexencError as error:
        for one in (error, *(error.faults if isinstance(error, ManyFaultsError) else ())):
            one.message, one.hint = names.sentence(one.message), names.hint(one.hint)
        # A traceback shows the arguments only, so the hint is added to them.
        error.args = (error.message + (f" {error.hint}" if error.hint else ""),)
        raise


def notices_of(names: PythonNames, answers: list[dict[str, Any]] | None = None) -> Notices:
    """Return notices that raise warnings, and add answers to a list."""

    def warn(message: str, hint: str | None) -> None:
        text = names.sentence(message) + (f" {names.hint(hint)}" if hint else "")
        warnings.warn(text, LexencWarning, stacklevel=_depth())

    def answer(objects: Sequence[Mapping[str, Any]], table: Table) -> None:
        if answers is not None:
            answers.extend(dict(one) for one in objects)

    return Notices(warn=warn, say=lambda sentence: log.info(names.sentence(sentence)), answer=answer)


def _depth() -> int:
    """Return the depth of the first frame outside lexenc, so that warnings show the line of the caller."""
    depth, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OWN) and frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth
