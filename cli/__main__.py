"""The entry of the program: Ctrl-C ends it properly even while it is starting."""

from __future__ import annotations

import os
import signal
from types import FrameType

_MESSAGE = b"error: Interrupted.\nhint:  Run the same command again; nothing was left half-written.\n"
_INTERRUPTED = 130


def main() -> None:
    """Import and run the program."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # not where interrupts are ignored, e.g. in the background
        signal.signal(signal.SIGINT, _leave)
    from lexenc_cli.main import main as run  # here, because importing takes most of the time of starting

    signal.signal(signal.SIGINT, handler)
    run()


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, _MESSAGE)
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
