"""Loops compiled to machine code on first use. The compiled code is cached between runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
# All of fast math but "nnan" and "ninf": sums may be reordered, but infinities and NaN keep their meaning.
_FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}


def compiled(function: _Function, **options: Any) -> _Function:
    """Compile a function of numbers and arrays. It releases the interpreter lock while it runs."""
    import numba

    made: _Function = numba.njit(cache=True, nogil=True, fastmath=_FAST, **options)(function)
    return made


def inlined(function: _Function) -> _Function:
    """Compile a function that is called within a compiled loop, where its body replaces the call."""
    return compiled(function, inline="always")
