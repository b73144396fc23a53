"""Files made to fill the memory are refused before they do."""

import errno
import gzip
import io
import os
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lexenc.errors import DataError
from lexenc.files import text, vectors
from lexenc.files.exchange import xml
from lexenc.files.text import read_lines, stream_lines
from lexenc.files.vec_text import line_blocks
from lexenc.files.vectors import new_table, read_rows, read_vectors, save_vectors

MEGABYTE = 1 << 20
TMX = b'<?xml version="1.0"?><tmx version="1.4"><header/><body>'
# The call that reads, the name of the file, what the error says, and the content.
BOMBS = [
    ("vectors", "columns.vec", "999,999,999 columns", b"1 999999999\nword 1 2 3\n"),
    ("vectors", "columns.bin", "999,999,999 columns", b"3 999999999\ncat \1\2\3\4"),
    ("vectors", "line.vec.gz", "line 1: it has more", gzip.compress(b"1 " * (24 * MEGABYTE))),
    ("vectors", "tabs.vec.gz", "line 1: it has more", gzip.compress(b"1\t" * (24 * MEGABYTE))),
    ("vectors", "later.vec", "line 3: it has more", b"2 1\nw 1\nw" + b"x" * (9 * MEGABYTE)),
    ("vectors", "cells.vec", "line 2: it has 1,048,577 cells", b"w 1 2 3 4\nw 1" + b" 1" * MEGABYTE + b"\n"),
    ("vectors", "rows.vec.gz", "times as long", gzip.compress(b"w 1 2 3\n" * (4 * MEGABYTE))),
    ("lines", "line.gz", "times as long", gzip.compress(b"a" * (24 * MEGABYTE))),
    ("lines", "many.gz", "times as long", gzip.compress(b"ab\n" * (16 * MEGABYTE))),
    ("lines", "returns.gz", "times as long", gzip.compress(b"ab\r" * (16 * MEGABYTE))),
    ("lines", "return.txt", "line 3: it has more", b"ab\rab\r" + b"x" * (10 * MEGABYTE)),
    ("units", "nodes.tmx", "no <tu> ends", TMX + b"<a/>" * (5 * MEGABYTE)),
    ("units", "deep.tmx", "depth", TMX + b"<a>" * 300_000),
]
READ = """
import sys
from collections import Counter
from pathlib import Path
from lexenc.errors import DataError
from lexenc.files.exchange.xml import elements
from lexenc.files.text import read_lines
from lexenc.files.vectors import read_vectors
path = Path(sys.argv[2])
how = {"vectors": read_vectors, "lines": lambda p: [t for _, t in read_lines(p)],
       "units": lambda p: list(elements(p, ("tu",), Counter()))}
try:
    how[sys.argv[1]](path)
except DataError as error:
    print(error)
# Not that of resource, which begins with the memory of the process that started this one.
status = Path("/proc/self/status").read_text().split()
print(int(status[status.index("VmHWM:") + 1]) // 1024)
"""


@pytest.mark.parametrize(("kind", "name", "message", "content"), BOMBS, ids=[each[1] for each in BOMBS])
def test_no_file_takes_much_more_memory_than_an_honest_one(tmp_path, kind, name, message, content):
    (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", READ, kind, tmp_path / name], capture_output=True, text=True, timeout=120, check=True
    )
    *shown, memory = done.stdout.splitlines()
    assert message in " ".join(shown)
    assert int(memory) < 1000


@pytest.mark.parametrize("read", [read_vectors, lambda path: list(read_lines(path))])
def test_a_file_of_which_nearly_nothing_was_written_is_refused(tmp_path, read):
    path = tmp_path / "hollow.vec"
    with path.open("wb") as stream:
        stream.write(b"1 3\nword 1 2 3\n")
        stream.truncate(1 << 34)
    with pytest.raises(DataError, match="17,179,869,184 bytes, of which only"):
        read(path)


def test_a_hollow_table_and_a_hollow_model_are_refused(tmp_path):
    save_vectors(tmp_path / "folder", ["a"], np.ones((1, 2), np.float32))
    with (tmp_path / "folder" / "words.txt").open("r+b") as stream:
        stream.truncate(1 << 33)
    with pytest.raises(DataError, match="ever written"):
        read_vectors(tmp_path / "folder")
    with (tmp_path / "model.bin").open("wb") as stream:
        stream.write(struct.pack("<i", 793712314))
        stream.truncate(1 << 33)
    with pytest.raises(DataError, match="ever written"):
        read_vectors(tmp_path / "model.bin")


def test_a_table_that_becomes_shorter_gives_an_error_and_no_signal(tmp_path):
    save_vectors(tmp_path, ["a", "b"], np.ones((2, 5000), np.float32))
    matrix = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    np.testing.assert_array_equal(read_rows(matrix, 1, 2), matrix[1:])
    os.truncate(tmp_path / "vectors.npy", 1000)
    with pytest.raises(DataError, match="became shorter"):
        read_rows(matrix, 0, 2)


def test_a_new_table_has_its_space_before_it_is_mapped(tmp_path, monkeypatch):
    table = new_table(tmp_path / "new.npy", 3, 5)
    table[1] = 7
    table.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "new.npy"), [[0] * 5, [7] * 5, [0] * 5])

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        new_table(tmp_path / "full.npy", 3, 5)
    assert not (tmp_path / "full.npy").exists()


def test_a_table_is_written_as_numpy_writes_it(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(5000, 3))
    save_vectors(tmp_path, [f"w{row}" for row in range(5000)], matrix[:, ::-1])
    np.save(tmp_path / "other.npy", np.ascontiguousarray(matrix[:, ::-1], np.float32))
    assert (tmp_path / "vectors.npy").read_bytes() == (tmp_path / "other.npy").read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_the_last_bytes_of_a_table_that_find_no_space_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(
        vectors, "writing", lambda path: (path if path.suffix == ".txt" else Path("/dev/full")).open("wb")
    )
    with pytest.raises(OSError, match="No space left"):
        save_vectors(tmp_path, ["a"], np.ones((1, 2), np.float32))


def test_limits_are_exact(monkeypatch):
    monkeypatch.setattr(text, "LONGEST_LINE", 10)
    for ending in (b"\n", b"\r\n", b""):
        longest = b"x" * (10 - len(ending)) + ending
        assert [line for _, line in stream_lines(io.BufferedReader(io.BytesIO(longest)))] == ["x" * (10 - len(ending))]
        with pytest.raises(DataError, match="line 2: it has more than 10 bytes"):
            list(stream_lines(io.BufferedReader(io.BytesIO(b"a\nx" + longest))))


def test_text_that_is_packed_well_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "FREE_BYTES", 1000)
    lines = [f"sentence {number * number}" for number in range(20_000)]
    (tmp_path / "text.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    assert [line for _, line in read_lines(tmp_path / "text.gz")] == lines


@pytest.mark.parametrize("size", [8, 64])
def test_blocks_after_a_long_line_are_small_again(size):
    lines = [b"a" * 200, *(b"%d" % number for number in range(100)), b"b" * 90, b"c"]
    found = [bytes(room[start:end]) for room, start, end in line_blocks(io.BytesIO(b"\n".join(lines)), size)]
    assert b"".join(found) == b"\n".join(lines) + b"\n"
    assert all(len(each) <= size or each.count(b"\n") == 1 for each in found)
    cut = [bytes(room[start:end]) for room, start, end in line_blocks(io.BytesIO(b"\n".join(lines)), size, longest=100)]
    assert len(cut[0]) > 101
    assert len(cut) == 1


def test_memory_between_units_counts_from_the_last_one(tmp_path, monkeypatch):
    monkeypatch.setattr(xml, "_MOST_BETWEEN", 1 << 17)
    path = tmp_path / "long.tmx"
    path.write_bytes(TMX + b"<tu>%s</tu>" % (b"x" * 1000) * 1000 + b"</body></tmx>")
    assert sum(1 for _ in xml.elements(path, ("tu",), Counter())) == 1000
