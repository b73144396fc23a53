"""Requests to stop: Ctrl-C (SIGINT), SIGTERM, and SIGHUP, which a terminal sends when it is closed.

A running command gets one `KeyboardInterrupt`, and never inside an import, because an interrupted import of a compiled
module fails in any way at all. Before and after a command, and at a second request, the process ends at once.

This is the first module of the program, so that Python's own handlers are replaced as early as possible. It imports
only what the interpreter has already loaded.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` makes enumerations of all signals, which takes longer
import atexit
import os
import sys
import time

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
# A terminal, a supervisor and a wrapper such as `timeout` may each send the same request.
_ONE_REQUEST_SECONDS = 1.0
_RETRY_SECONDS = 0.02
_IMPORT = "<frozen importlib._bootstrap>"
_HINT = "Run the same command again; nothing was left half-written."


class _State:
    """What the handler needs to know. It must not take a lock, so these are plain values."""

    replaced = False  # whether the handlers are ours
    running = False  # whether a command runs, which a KeyboardInterrupt ends
    number = 0  # the signal that a running command got
    since = 0.0
    code: int | None = None  # exit code of the work, once it is complete


_state = _State()


def replace_handlers() -> None:
    """Handle requests to stop from now on, except those that the caller of the process wants to be ignored."""
    for name in _NAMES:
        number = getattr(_signal, name, None)
        # Ctrl-C is ignored in the background, and the end of the terminal under nohup.
        if number is not None and _signal.getsignal(number) in (_signal.SIG_DFL, _signal.default_int_handler):
            _signal.signal(number, _handle)
            _state.replaced = True
    if _state.replaced:
        sys.unraisablehook = _unraisable
        # Registered first, so that it runs last.
        atexit.register(_ignore)


def command_begins() -> None:
    """Let a request to stop raise a `KeyboardInterrupt` from now on."""
    _state.running = True


def exit_code() -> int | None:
    """Return the exit code of a command that was asked to stop; None if it was not."""
    return 128 + _state.number if _state.number else None


def leave(code: int) -> None:
    """End the process with an exit code, without waiting for threads if it was asked to stop."""
    _state.code, _state.running = code, False
    if _state.number:
        os._exit(code)
    sys.exit(code)


def leave_at_once(number: int = _signal.SIGINT) -> None:
    """End the process, and say so unless the work is complete."""
    if _state.code is None:
        text = f'{{"error": "Interrupted.", "hint": "{_HINT}"}}' if "--json" in sys.argv else (
            f"error: Interrupted.\nhint:  {_HINT}")  # fmt: skip
        # Progress bars hide the cursor.
        shown = "\x1b[?25h" if _state.running and os.isatty(2) else ""
        try:
            os.write(2, f"{shown}{text}\n".encode())
        except OSError:
            pass  # nobody is left to read it
    os._exit(128 + number if _state.code is None else _state.code)


def _handle(number: int, frame: object) -> None:
    if not _state.running:
        leave_at_once(number)
    if _state.number:
        if time.monotonic() - _state.since >= _ONE_REQUEST_SECONDS:
            leave_at_once(_state.number)
        return
    _state.number, _state.since = number, time.monotonic()
    _raise_between_imports()


def _ignore() -> None:
    """Ignore requests from now on: Python takes its handlers away before its last steps, and one would kill it."""
    for name in _NAMES:
        number = getattr(_signal, name, None)
        if number is not None and _signal.getsignal(number) is _handle:
            _signal.signal(number, _signal.SIG_IGN)


def _raise_between_imports(*_: object) -> None:
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_filename != _IMPORT:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is not None and hasattr(_signal, "setitimer"):
        _signal.signal(_signal.SIGALRM, _raise_between_imports)
        _signal.setitimer(_signal.ITIMER_REAL, _RETRY_SECONDS)
        return
    raise KeyboardInterrupt


def _unraisable(failure: sys.UnraisableHookArgs) -> None:
    """Raise an interrupt again that came where Python can raise nothing, e.g. in a destructor."""
    if failure.exc_type is KeyboardInterrupt and hasattr(_signal, "setitimer"):
        _signal.signal(_signal.SIGALRM, _raise_between_imports)
        _signal.setitimer(_signal.ITIMER_REAL, _RETRY_SECONDS)
    else:
        sys.__unraisablehook__(failure)
