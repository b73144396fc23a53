"""Whole blocks at once and one line at a time must read the same; what is written must be read back."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc.errors import DataError
from lexenc.files import vec_text
from lexenc.files.vec_binary import write_word2vec_binary
from lexenc.files.vec_report import Fault, Finding, ReadReport
from lexenc.files.vec_text import TextReader, parse_line
from lexenc.files.vectors import load_vectors, read_vectors, save_vectors, write_vec
from lexenc.progress import SILENT

NASTY = [
    *("a\u00a0b", "\u2009", "\u3000", "\u0085", "\u2028", '"', "'", "#", "a b", " ", "a  ", "\tx", "nan", "NA", "null"),
    *("inf", "7", "1e5", "\udce4x", "\udcff", "\r", "x\ry", "\x00", "\x1c", "\x0b", "%s", "1 2", "\ufeff", "für", "語"),
]
WORDS = st.one_of(
    st.sampled_from(NASTY),
    st.text(
        st.sampled_from("ab70.-e \t\r\"'#%\x00\x0b\x1f\x85\xa0é语\u2009\u2028\u3000\ufeff😀\udc80\udcff"),
        min_size=1,
        max_size=6,
    ),
)
NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1, 1, width=32).map(lambda x: f"{x:.4f}"),
    st.floats(-1, 1, width=32).map(lambda x: f"{x:.6g}"),
    st.floats(-1e3, 1e3).map(repr),
    st.builds(
        "{}{:d}.{:0{}d}".format,
        st.sampled_from(["", "-", "+"]),
        st.integers(0, 10**12),
        st.integers(0, 10**8),
        st.integers(1, 12),
    ),
    st.sampled_from(["0", "-0", "1", "-1.5", ".5", "5.", "-.25", "+1", "1e-5", "123456789012.5"]),
)
ODD = st.sampled_from(
    ["", ".", "-", "-.", "1.2.3", "1-2", "--1", "nan", "inf", "-INF", "1e39", "1_0", "x", "\u0661", "1,5", "/", ":"]
)
BLANKS = ["", " ", "\t ", "\r"]


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@st.composite
def files(draw: st.DrawFn) -> tuple[int, list[bytes]]:
    width = draw(st.integers(1, 4))
    lines = []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.integers(0, 9))
        count = width if kind else draw(st.integers(0, width + 2))
        cells = [draw(NUMBERS if draw(st.integers(0, 9)) else ODD) for _ in range(count)]
        mark = draw(st.sampled_from([" ", " ", " ", "\t"]))
        word = draw(WORDS) if draw(st.integers(0, 12)) else ""
        end = draw(st.sampled_from(["", "", "", " ", "  ", "\r", " \r", "\t"]))
        lines.append(draw(st.sampled_from(BLANKS)) if kind == 1 else mark.join([word, *cells]) + end)
    return width, [encode(line) for line in lines]


def slowly(lines: list[bytes], width: int, duplicates: str, limit: int | None):
    rows: list[tuple[str, list[float]]] = []
    counts: dict[Finding, int] = {}
    seen: set[str] = set()
    for line in lines:
        parsed = parse_line(line, width)
        if isinstance(parsed, Fault):
            counts[parsed.finding] = counts.get(parsed.finding, 0) + 1
            continue
        word = parsed[0].decode("utf-8", "surrogateescape")
        if word in seen:
            counts[Finding.DUPLICATE] = counts.get(Finding.DUPLICATE, 0) + 1
            if duplicates == "first":
                continue
            rows = [row for row in rows if row[0] != word]
        seen.add(word)
        rows.append((word, parsed[1]))
        if len(seen) == limit:
            break
    return rows, counts


@settings(max_examples=120)
@given(
    files(),
    st.sampled_from(["first", "last"]),
    st.one_of(st.none(), st.integers(1, 5)),
    st.sampled_from([8, 64, 4096]),
    st.booleans(),
)
def test_blocks_and_lines_agree(file, duplicates, limit, block_bytes, together):
    width, lines = file
    rows, counts = slowly(lines, width, duplicates, limit)
    content = b"".join(line + b"\n" for line in [b"%d %d" % (len(lines), width), *lines])
    reader = TextReader(ReadReport("x.vec"), limit=limit, duplicates=duplicates, bad_lines="skip")
    many, columns = vec_text.MANY, vec_text.text_columns
    try:
        vec_text.MANY = 1 if together else many
        vec_text.text_columns = lambda *_: width  # tested by itself
        with SILENT.task("", None, "") as task:
            matrix = reader.read(io.BytesIO(content), len(content), task, block_bytes)
    except DataError:
        assert not rows
        return
    finally:
        vec_text.MANY, vec_text.text_columns = many, columns
    assert reader.words == [word for word, _ in rows]
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, np.array([values for _, values in rows], np.float64).astype(np.float32))
    compared = {
        *(Finding.BLANK, Finding.EMPTY_WORD, Finding.WRONG_LENGTH, Finding.NOT_A_NUMBER, Finding.NON_FINITE),
        Finding.DUPLICATE,
    }
    assert {finding: count for finding, count in reader.report.counts.items() if finding in compared} == counts


TABLES = st.integers(1, 3).flatmap(
    lambda width: st.lists(
        st.tuples(
            WORDS, st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=width, max_size=width)
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda row: encode(row[0]),
    )
)


@settings(max_examples=100)
@given(TABLES)
def test_what_is_written_is_read(table):
    words = [word for word, _ in table]
    matrix = np.array([values for _, values in table], np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_vectors(folder / "f", words, matrix)
        again = load_vectors(folder / "f")
        assert again.words == words
        assert again.matrix.tobytes() == matrix.tobytes()
        # Most words being phrases of numbers is taken for a wrong header.
        if sum(" " in word or "\t" in word for word in words) * 2 <= len(words):
            write_vec(folder / "x.vec", words, matrix)
            text = read_vectors(folder / "x.vec")
            assert text.words == words
            np.testing.assert_allclose(text.matrix, matrix, rtol=1e-5)


PHRASES = st.lists(
    st.lists(st.sampled_from(["new", "york", "10", "für", "語", "é", "-"]), min_size=1, max_size=3).map(" ".join),
    min_size=1,
    max_size=12,
    unique=True,
)


@settings(max_examples=200, deadline=None)
@given(PHRASES, st.sampled_from([1, 2, 3, 8, 16, 50]), st.booleans(), st.integers(0, 999))
def test_word2vec_binary_is_read_as_it_is_or_refused(words, width, line_feeds, seed):
    """With few columns the bytes of numbers may look like words, and the end of a row may be uncertain."""
    matrix = np.random.default_rng(seed).standard_normal((len(words), width)).astype(np.float32)
    rows = [encode(word) + b" " + row.tobytes() + b"\n" * line_feeds for word, row in zip(words, matrix, strict=True)]
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "x.bin").write_bytes(b"%d %d\n" % matrix.shape + b"".join(rows))
        try:
            read = read_vectors(Path(name) / "x.bin")
        except DataError:
            assert width < 16
            return
    assert read.words == words
    assert read.matrix.tobytes() == matrix.tobytes()


@pytest.mark.parametrize("word", [word for word in NASTY if " " not in word])
def test_every_nasty_word_survives_in_word2vec_binary(tmp_path, word):
    matrix = np.random.default_rng(0).standard_normal((3, 20)).astype(np.float32)
    write_word2vec_binary(tmp_path / "x.bin", ["one", word, "other"], matrix)
    assert read_vectors(tmp_path / "x.bin").words == ["one", word, "other"]


def test_numbers_are_what_float_gives():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.standard_normal(4000) * scale for scale in (1e-6, 1e-3, 0.1, 1.0, 1e4, 1e9)])
    for form in ("%.4f", "%.5g", "%.6g", "%.6f", "%.9g", "%.12f", "%.17g", "%+.3e"):
        cells = [form % value for value in values]
        content = "".join(f"w{i} {cell}\n" for i, cell in enumerate(cells)).encode()
        with SILENT.task("", None, "") as task:
            matrix = TextReader(ReadReport("x")).read(io.BytesIO(content), len(content), task)
        expected = np.array([float(cell) for cell in cells]).astype(np.float32)
        np.testing.assert_array_equal(matrix[:, 0].view(np.int32), expected.view(np.int32))


@pytest.mark.parametrize("word", NASTY)
def test_every_nasty_word_survives(tmp_path, word):
    write_vec(tmp_path / "x.vec", [word, "other"], np.eye(2, 3, dtype=np.float32))
    assert read_vectors(tmp_path / "x.vec").words == [word, "other"]
