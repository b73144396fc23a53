"""Errors of Python and of libraries that no reader caught: one line, one hint, the right exit code, no traceback."""

from __future__ import annotations

import errno
import pickle
import zipfile
import zlib

import numpy as np
import pytest
from lexenc_cli import main
from safetensors import SafetensorError


class PanicException(BaseException):
    """As that of libraries in Rust."""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.npy"), 1, "No space left on device: a.npy."),
        (OSError(errno.ENOSPC, "No space left on device", b"a\xff"), 1, "No space left on device: a"),
        (OSError(errno.EACCES, "Permission denied", "a"), 2, "Permission denied: a."),
        (SafetensorError("I/O error: No space left on device (os error 28)"), 1, "No space left on device."),
        (RuntimeError("Error: 'ret == 1' failed: write error: No space left on device"), 1, "No space left on device."),
        (SafetensorError("Error while deserializing header: header too large"), 2, "its tensors are damaged"),
        (np._core._exceptions._ArrayMemoryError((10**12,), np.dtype("f4")), 1, "Out of memory."),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), 1, "Out of memory."),
        (MemoryError(), 1, "Out of memory."),
        (RecursionError("maximum recursion depth exceeded"), 2, "it is nested too deeply"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), 2, "half a character"),
        (EOFError("Compressed file ended"), 2, "it is cut"),
        (zlib.error("Error -3"), 2, "packed content is damaged"),
        (zipfile.BadZipFile("no zip"), 2, "no whole zip file"),
        (pickle.UnpicklingError("no"), 2, "never read"),
        (PanicException("called `Option::unwrap()` on a `None` value"), 70, "Something is wrong inside lexenc"),
        (KeyError("x"), 70, "Something is wrong inside lexenc"),
    ],
)
def test_every_error_ends_properly(attempt, monkeypatch, error, code, said):
    def fails(self, *args, **extra):
        raise error

    monkeypatch.setattr(main.TyperGroup, "main", fails)
    done = attempt("list")
    assert (done.code, done.stdout) == (code, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: ")
    assert said in first
