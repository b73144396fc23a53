"""Fuzz one reader guided by coverage, with atheris; started by `readers.fuzz` as a process of its own.

The package is instrumented while it is imported, which is why this cannot be the process that made the world.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import time
from pathlib import Path
from random import Random

import atheris

from tests.fuzz.readers import LARGEST, READERS, Inputs, confine, mutated, outcome


def main(name: str, world: str, folder: str, executions: str, end: str, seed: str) -> None:
    """Fuzz until there were so many executions, or until the monotonic clock shows `end`."""
    reader, place = READERS[name], Path(folder)
    inputs = Inputs(reader, Path(world), place)
    with atheris.instrument_imports(include=["lexenc"]):
        for each in reader.seeds:
            outcome(reader.read, inputs.path(each))
    parts, seen = list(inputs.valid), set[str]()
    corpus = place / "corpus"
    corpus.mkdir()
    for number, part in enumerate(parts):  # the first byte says which file it is
        (corpus / str(number)).write_bytes(bytes([number]) + inputs.valid[part])
    with (place / "shared").open("r+b") as stream:
        shared = mmap.mmap(stream.fileno(), 64)
    faults, now = (place / "faults.jsonl").open("w"), os.open(place / "now", os.O_RDWR | os.O_CREAT)
    counts = [0, 0]

    def one(data: bytes) -> None:
        which, part = parts[data[0] % len(parts)] if data else parts[0]
        os.ftruncate(now, 0)
        os.pwrite(now, f"{which}\n{part}".encode(), 0)
        sign, fault = outcome(reader.read, inputs.write(which, part, data[1:]))
        counts[0] += 1
        counts[1] += sign != "read"
        struct.pack_into("<QQ", shared, 0, *counts)
        if fault and sign not in seen:
            seen.add(sign)
            faults.write(
                json.dumps({"what": fault, "data": data[1:].hex(), "seed": which, "part": part, "times": 1}) + "\n"
            )
            faults.flush()
        if time.monotonic() > float(end):
            os._exit(0)

    def change(data: bytes, most: int, number: int) -> bytes:
        draw = Random(number)
        if draw.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return (data[:1] + mutated(data[1:], draw))[:most]

    confine()
    handlers = [f"-handle_{each}=0" for each in ("segv", "abrt", "bus", "ill", "fpe", "int", "term")]
    options = [
        f"-runs={executions}",
        f"-seed={int(seed) % 2**31}",
        f"-max_len={4 * LARGEST}",
        "-rss_limit_mb=0",
        *handlers,
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options, f"-artifact_prefix={place}/"], one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
