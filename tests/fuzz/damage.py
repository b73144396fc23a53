"""Kinds of damage: each writes, in place of a valid file, one that is not what it should be."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pickle
import re
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

BIG = 300_000_000
"""Size in bytes of what a bomb unpacks to, or of a sparse file: far too much for the formats, and for the ceiling."""

JUNK = Random(0).randbytes(3000)


@cache
def _bomb(unit: bytes, size: int = BIG) -> bytes:
    packed = BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        block = unit * (1_000_000 // len(unit))
        for _ in range(size // len(block)):
            stream.write(block)
    return packed.getvalue()


@cache
def _zip() -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.txt", "a\tb\n" * 100)
    return packed.getvalue()


def _npy(header: str, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + size + text + body


def _saved(array: np.ndarray) -> bytes:
    stream = BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _tensors(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length % 2**64) + text + body


def _one(start: int, end: int, shape: list[int] | None = None, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape or [1, 1], "data_offsets": [start, end]}


_YAML_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
)
_XML = '<?xml version="1.0"?>\n'
_LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
_TU = '<tu><tuv xml:lang="en"><seg>{}</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu>'
_TMX = _XML + '<tmx version="1.4"><header srclang="en"/><body>{}</body></tmx>'

# Contents that do not depend on the valid file.
CONTENTS: dict[str, bytes | Callable[[], bytes]] = {
    "empty": b"",
    "one byte": b"x",
    "one NUL": b"\0",
    "junk": JUNK,
    "NULs": b"\0" * 3000,
    "byte order mark only": b"\xef\xbb\xbf",
    "UTF-16 mark only": b"\xff\xfe",
    "newlines only": b"\n" * 3000,
    "blanks only": b" \t \xe3\x80\x80\xc2\xa0\n" * 9,
    "lone CR": b"a\tb\rc\td\r",
    "one long line": b"x" * 3_000_000,
    "one long number": b"1" * 20_000 + b"\n",
    "a million columns": b"a\t" * 1_000_000 + b"\n",
    "a million cells of a CSV": b"a," * 1_000_000 + b"\n",
    "a million spaces": b"a" + b" 1" * 1_000_000 + b"\n",
    "quotation mark never closed": b'"source,target\n' + b"a,b\n" * 60_000,
    "a web page": b'<!DOCTYPE html>\n<html><body><p>a\tb</p></body></html>\n',
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "ZIP": _zip,
    "ZIP cut": lambda: _zip()[:40],
    "pickle": pickle.dumps({"a": [1, 2]}),
    "pickle that calls": b"cos\nsystem\n(S'exit 3'\ntR.",
    "gzip of nothing": lambda: gzip.compress(b""),
    "gzip of junk": lambda: gzip.compress(JUNK),
    "gzip of gzip": lambda: gzip.compress(gzip.compress(b"a\tb\n")),
    "gzip header only": b"\x1f\x8b\x08\x00",
    "gzip bomb of one line": lambda: _bomb(b"x"),
    "gzip bomb of zeros": lambda: _bomb(b"\0"),
    "JSON null": b"null\n",
    "JSON number": b"1\n",
    "JSON list": b"[]\n",
    "JSON object": b"{}\n",
    "JSON deep": b"[" * 100_000 + b"]" * 100_000,
    "JSON deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "JSON huge number": b"1" * 6000,
    "JSON NaN": b'{"a": NaN, "b": -Infinity}\n',
    "JSON infinite": b'{"a": 1e999}\n',
    "JSON surrogate": b'{"a": "\\ud800"}\n',
    "JSON cut": b'{"a": {"b": [1, 2',
    "JSON twice": b"{}{}\n",
    "YAML aliases": _YAML_BOMB.encode(),
    "YAML cycle": b"steps: &a [*a]\n",
    "YAML python": b"steps: !!python/object/apply:os.system ['exit 3']\n",
    "YAML int": b"steps: !!int abc\nseed: !!float x\n",
    "YAML date": b"seed: 2024-13-45\nsteps: []\n",
    "YAML digits": b"seed: " + b"1" * 6000 + b"\n",
    "YAML deep": b"steps: " + b"[" * 5000,
    "YAML binary": b"steps: !!binary 'x'\n",
    "YAML keys": b"? [a, b]\n: 1\n? {c: d}\n: 2\n",
    "YAML sixty": b"seed: 1:99:99\nsteps: [{stage: 1_0, name: .nan}]\n",
    "YAML two documents": b"steps: []\n---\nsteps: []\n",
    "YAML TAB": b"steps:\n\t- stage: map\n",
    "XML entities": (_XML + f'<!DOCTYPE tmx [<!ENTITY l0 "l">{_LAUGHS}]>'
                     f'<tmx version="1.4"><header srclang="en"/><body>{_TU.format("&l9;")}</body></tmx>').encode(),
    "XML outside": (_XML + '<!DOCTYPE tmx [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
                    f'<tmx version="1.4"><header srclang="en"/><body>{_TU.format("&e;")}</body></tmx>').encode(),
    "XML deep": (_TMX.format(_TU.format("<hi>" * 20_000 + "</hi>" * 20_000))).encode(),
    "XML many attributes": (_XML + "<tmx " + " ".join(f'a{i}="1"' for i in range(50_000)) + "/>").encode(),
    "XML long text": (_TMX.format(_TU.format("x" * 12_000_000))).encode(),
    "XML cut": (_TMX.format(_TU.format("a")))[:120].encode(),
    "XML empty": (_TMX.format("")).encode(),
    "XML wrong encoding": b'<?xml version="1.0" encoding="klingon"?><tmx/>',
    "XML no languages": _TMX.format("<tu><tuv><seg>a</seg></tuv></tu>").encode(),
    "vec header too wide": b"2 999999999\na 1 2\n",
    "vec header too long": b"999999999999 2\na 1 2\nb 1 2\n",
    "vec header negative": b"-2 -3\na 1 2\n",
    "vec header of digits": b"1" * 5000 + b" 3\na 1 2 3\n",
    "vec not a number": b"2 2\na nan inf\nb 1e999 -1e999\n",
    "vec mixed widths": b"a 1 2 3\nb 1 2\nc 1\nd\n",
    "vec all zero": b"2 3\nhouse 0 0 0\ndog 0 0 0\n",
    "vec same words": b"house 1 2\n" * 3,
    "vec largest numbers": b"house 3e38 -3e38\ndog 1e-45 3.5e38\ncat 1e308 1\n",
    "word2vec binary wide": b"2 999999999\nhouse " + b"\0" * 64,
    "word2vec binary long": b"9999999999 4\nhouse " + b"\0" * 64,
    "word2vec binary NaN": b"2 1\nhouse " + b"\xff" * 4 + b"\ndog " + b"\xff\xff\x7f\x7f\n",
    "fastText magic": struct.pack("<2i", 793712314, 12),
    "fastText magic and junk": struct.pack("<2i", 793712314, 12) + JUNK,
    "fastText huge": struct.pack("<2i12id", 793712314, 12, 2**30, 5, 5, 1, 5, 1, 3, 2, 2**30, 3, 6, 100, 1e-4) + b"\0" * 64,
    "npy of objects": lambda: _saved(np.array([{"a": 1}, None], dtype=object)),
    "npy lying": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 300)}", b"\0" * 64),
    "npy overflow": _npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**62}, 4)}}", b"\0" * 64),
    "npy negative": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8)}", b"\0" * 64),
    "npy header that calls": _npy("{'descr': '<f4', 'fortran_order': __import__('os'), 'shape': (1,)}"),
    "npy header deep": _npy("(" * 5000 + ")" * 5000),
    "npy header long": _npy("{'descr': '<f4'}", version=b"\x02\x00") + b" " * 10_000,
    "npy header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
    "npy of texts": lambda: _saved(np.array(["a", "b"])),
    "npy of records": lambda: _saved(np.zeros(3, dtype=[("a", "<f4"), ("b", "<i8")])),
    "npy of complex": lambda: _saved(np.zeros((40, 8), dtype=complex)),
    "npy of one number": lambda: _saved(np.array(1.0, dtype=np.float32)),
    "npy of no columns": lambda: _saved(np.zeros((40, 0), dtype=np.float32)),
    "npy of no rows": lambda: _saved(np.zeros((0, 8), dtype=np.float32)),
    "npy of NaN": lambda: _saved(np.full((40, 8), np.nan, dtype=np.float32)),
    "npy of infinities": lambda: _saved(np.full((40, 8), np.inf, dtype=np.float32)),
    "npy of zeros": lambda: _saved(np.zeros((40, 8), dtype=np.float32)),
    "npy of whole numbers": lambda: _saved(np.ones((40, 8), dtype=np.int64)),
    "npy big-endian": lambda: _saved(np.ones((40, 8), dtype=">f4")),
    "npy of three dimensions": lambda: _saved(np.ones((4, 4, 4), dtype=np.float32)),
    "safetensors header of 1 GB": _tensors({}, length=999_999_999),
    "safetensors header negative": _tensors({}, length=-1),
    "safetensors header cut": _tensors({"a": _one(0, 4)}, b"\0" * 4)[:20],
    "safetensors of nothing": _tensors({}),
    "safetensors deep": _tensors(b"[" * 100_000 + b"]" * 100_000),
    "safetensors overlapping": _tensors({"a": _one(0, 8, [2, 1]), "b": _one(4, 12, [2, 1])}, b"\0" * 12),
    "safetensors lying": _tensors({"a": _one(0, 4, [1 << 40, 300])}, b"\0" * 4),
    "safetensors overflow": _tensors({"a": _one(0, 4, [1 << 62, 1 << 62])}, b"\0" * 4),
    "safetensors beyond": _tensors({"a": _one(0, 4000, [1000, 1])}, b"\0" * 4),
    "safetensors of odd kind": _tensors({"a": _one(0, 4, [4, 1], "F8_E4M3")}, b"\0" * 4),
    "safetensors of other names": _tensors({"a": _one(0, 4)}, b"\0" * 4),
    "safetensors metadata": _tensors({"__metadata__": {"lexenc": "{"}, "a": _one(0, 4)}, b"\0" * 4),
}  # fmt: skip


def _lines(change: Callable[[list[bytes], Random], list[bytes]]) -> Callable[[bytes, Random], bytes]:
    return lambda data, draw: b"".join(change(data.splitlines(keepends=True) or [b""], draw))


def _some(data: bytes, draw: Random, new: bytes) -> bytes:
    """Replace some numbers of a text, or some words where it has none."""
    pattern = rb"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])" if re.search(rb"\d", data) else rb"\w+"
    return re.sub(pattern, lambda found: new if draw.random() < 0.3 else found[0], data)


def _flip(data: bytes, draw: Random) -> bytes:
    body = bytearray(data or b"x")
    for _ in range(max(1, len(body) // 300)):
        body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
    return bytes(body)


def _within(new: bytes) -> Callable[[bytes, Random], bytes]:
    def change(data: bytes, draw: Random) -> bytes:
        at = draw.randrange(len(data) + 1)
        return data[:at] + new + data[at:]

    return change


def _letters(new: str) -> Callable[[bytes, Random], bytes]:
    """Put odd characters into all words, so that the file is legal and its words are not."""
    return lambda data, draw: re.sub(rb"[a-z]{3,}", lambda found: found[0][:1] + new.encode() + found[0][1:], data)


# What is made of a valid file.
CHANGES: dict[str, Callable[[bytes, Random], bytes]] = {
    "UTF-16": lambda data, draw: data.decode("utf-8", "replace").encode("utf-16"),
    "UTF-16 cut": lambda data, draw: data.decode("utf-8", "replace").encode("utf-16")[:101],
    "UTF-16 without a mark": lambda data, draw: data.decode("utf-8", "replace").encode("utf-16-be"),
    "UTF-32": lambda data, draw: data.decode("utf-8", "replace").encode("utf-32"),
    "Latin-1": lambda data, draw: data.decode("utf-8", "replace").replace("a", "ä").encode("latin-1", "replace"),
    "half": lambda data, draw: data[: len(data) // 2],
    "last byte missing": lambda data, draw: data[:-1],
    "first byte missing": lambda data, draw: data[1:],
    "twice": lambda data, draw: data + data,
    "bits flipped": _flip,
    "bits flipped again": _flip,
    "junk within": _within(JUNK[:50]),
    "junk behind": lambda data, draw: data + JUNK,
    "NUL within": _within(b"\0"),
    "surrogates": _within(b"\xed\xa0\x80\xed\xb0\x80"),
    "gzip cut": lambda data, draw: gzip.compress(data + JUNK)[: (len(data) + 1000) // 2],
    "gzip with a wrong sum": lambda data, draw: gzip.compress(data)[:-8] + b"\0" * 8,
    "gzip with junk behind": lambda data, draw: gzip.compress(data) + JUNK,
    "CR instead of LF": lambda data, draw: data.replace(b"\n", b"\r"),
    "spaces instead of TAB": lambda data, draw: data.replace(b"\t", b" ").replace(b",", b" "),
    "TAB doubled": lambda data, draw: data.replace(b"\t", b"\t\t"),
    "columns cut": _lines(lambda rows, draw: [re.split(rb"[\t,| ]", row)[0].strip() + b"\n" for row in rows]),
    "columns of any number": _lines(lambda rows, draw: [b"\t".join([row.strip()] * draw.randint(0, 4)) + b"\n" for row in rows]),
    "rows repeated": _lines(lambda rows, draw: [row for row in rows for _ in range(3)]),
    "rows shuffled": _lines(lambda rows, draw: draw.sample(rows, len(rows))),
    "rows missing": _lines(lambda rows, draw: rows[: len(rows) // 3]),
    "first row missing": _lines(lambda rows, draw: rows[1:]),
    "numbers not": lambda data, draw: _some(data, draw, b"nan"),
    "numbers infinite": lambda data, draw: _some(data, draw, b"-inf"),
    "numbers 1e999": lambda data, draw: _some(data, draw, b"1e999"),
    "numbers huge": lambda data, draw: _some(data, draw, b"9" * 400),
    "numbers negative": lambda data, draw: _some(data, draw, b"-1"),
    "numbers of another script": lambda data, draw: _some(data, draw, "٣²".encode()),
    "numbers empty": lambda data, draw: _some(data, draw, b""),
    "words with control characters": _letters("\x1b[31m\x07\x08\x9b"),
    "words that turn direction": _letters("\u202e\u2066"),
    "words with spaces": _letters("\u00a0\u2028\u3000"),
    "words of nothing": _letters("\u200b\u200d\ufeff"),
    "words with quotes": _letters("\"'"),
    "words of separators": _letters("||<>&;="),
    "words of format characters": _letters("%s{0}{x!r}"),
    "words very long": _letters("x" * 30_000),
    "words of combining letters": _letters("\u0301" * 300),
}  # fmt: skip


def _folder(place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("x")


def _sparse(place: Path) -> None:
    with place.open("wb") as stream:
        stream.truncate(BIG)


def _linked(target: str) -> Callable[[Path], None]:
    return lambda place: place.symlink_to(target)


# What stands at the path instead of a file.
PLACES: dict[str, Callable[[Path], None]] = {
    "missing": lambda place: None,
    "a folder": _folder,
    "an empty folder": lambda place: place.mkdir(),
    "nothing (/dev/null)": _linked("/dev/null"),
    "a file that cannot be read": _linked("/proc/self/mem"),
    "a link to itself": lambda place: place.symlink_to(place.name),
    "a link to nowhere": _linked("nowhere"),
    "a link to the terminal": _linked("/dev/tty"),
    "a sparse file": _sparse,
    "a socket": lambda place: _socket(place),
}


def _socket(place: Path) -> None:
    import socket

    with contextlib.chdir(place.parent), socket.socket(socket.AF_UNIX) as one:
        one.bind(place.name)


# Words that are not a path at all.
PATHS = {
    "no word": "",
    "a blank": " ",
    "standard input": "-",
    "name too long": "x" * 300,
    "path too long": "x/" * 3000,
    "path below a file": "/dev/null/x",
    "bytes that are not UTF-8": os.fsdecode(b"\xff\xfe.tsv"),
    "control characters": "\x1b[31mred\x07\n.tsv",
    "a NUL": "a\0b",
    "like an option": "--out",
    "a home": "~nobody-at-all/x",
    "a name": "zh-MODEL",
    "an address": "https://example.org/x.tsv",
}


def json_changes(data: bytes, draw: Random, limit: int = 14) -> Iterator[tuple[str, bytes]]:
    """Yield JSON (or JSON lines) with one value replaced by one of another type, or taken out, or a key added."""
    first, *rest = data.split(b"\n", 1) if data.count(b"\n{") else [data]
    try:
        body = json.loads(first)
    except ValueError:
        return
    places = list(_places(body))
    for keys in draw.sample(places, min(limit, len(places))):
        changed = json.loads(first)
        inner = changed
        for key in keys[:-1]:
            inner = inner[key]
        new = draw.choice([None, -1, 10**400, "\x1b[31m", [], {}, True, [[]], 0.5, "../../x", 1e308, "NaN", "GONE"])
        if new == "GONE":
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = float("nan") if new == "NaN" else new
        where = ".".join(map(str, keys))
        yield f"{where} = {str(new)[:20]!r}", b"\n".join([json.dumps(changed).encode(), *rest])


def _places(body: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = body.items() if isinstance(body, dict) else enumerate(body[:2]) if isinstance(body, list) else ()
    for key, value in inside:
        yield (*above, key)
        yield from _places(value, (*above, key))


def content(kind: str) -> bytes:
    """Return one of `CONTENTS`."""
    found = CONTENTS[kind]
    return found if isinstance(found, bytes) else found()


def copied(original: Path, place: Path) -> None:
    """Copy a file or folder."""
    if original.is_dir():
        shutil.copytree(original, place)
    else:
        shutil.copyfile(original, place)
