"""What is said when a file that is mapped into memory becomes shorter, or its disk fails, while it is read.

The system sends SIGBUS. A handler of Python would be called between two instructions of Python, which never come: the
one that failed is tried again for ever. So the C library calls a function that says what happened and ends the process.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import sys
from contextlib import suppress
from functools import cache
from typing import Any

from lexenc.errors import ExitCode

from .ui import show_errors

# A line of /proc/self/maps on a shared map: where it begins and ends, its place in the file, and the file.
_MAP = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S{3}s ([0-9a-f]+) \S+ \d+ +(/.*)")


@cache
def explain_lost_files() -> Any:
    """Say which file is lost, if one is, instead of ending with a signal. Return what must not be freed."""
    if not hasattr(signal, "SIGBUS") or signal.getsignal(signal.SIGBUS) != signal.SIG_DFL or faulthandler.is_enabled():
        return None
    import ctypes

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(_tell)
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.signal.argtypes, library.signal.restype = [ctypes.c_int, type(handler)], ctypes.c_void_p
        library.signal(int(signal.SIGBUS), handler)
    return handler


def _tell(_: int) -> None:
    try:
        lost = _lost_file()
        message = f"{lost or 'A file'} became shorter while it was read, or its disk failed."
        show_errors([(message, "Run the same command again.")], as_json="--json" in sys.argv)
        sys.stderr.flush()
    finally:
        os._exit(ExitCode.USAGE)


def _lost_file() -> str | None:
    """Return a mapped file that is shorter than its map, if the system tells."""
    page = os.sysconf("SC_PAGESIZE")
    with suppress(OSError), open("/proc/self/maps", errors="surrogateescape") as stream:  # noqa: PTH123 - shorter
        for line in stream:
            found = _MAP.match(line)
            if found:
                start, end, offset = (int(each, 16) for each in found.groups()[:3])
                with suppress(OSError):
                    if os.stat(found[4]).st_size <= offset + end - start - page:  # noqa: PTH116 - shorter
                        return found[4]
    return None
