"""Loops that are compiled for the machine on first use; what was compiled is kept for the next time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function of numbers and arrays; while it runs, other threads run too."""
    import numba

    made: _Function = numba.njit(cache=True, nogil=True, fastmath=True)(function)
    return made


def inlined(function: _Function) -> _Function:
    """The same for what is called within such a loop."""
    import numba

    made: _Function = numba.njit(cache=True, nogil=True, fastmath=True, inline="always")(function)
    return made
