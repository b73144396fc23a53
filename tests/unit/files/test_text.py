from __future__ import annotations

import gzip
import io
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc.errors import DataError
from lexenc.files.text import (
    json_lines,
    open_bytes,
    read_lines,
    stream_lines,
    write_lines,
    writing,
)


@pytest.fixture
def lines(tmp_path):
    def read(content: bytes) -> list[str]:
        path = tmp_path / "x.txt"
        path.write_bytes(content)
        numbered = list(read_lines(path))
        assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
        return [line for _, line in numbered]

    return read


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\nb", ["a", "b"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\nb\n", ["a", "b"]),
        (b"a\rb\rc", ["a", "b", "c"]),
        (b"a\rb\rc\r", ["a", "b", "c"]),
        (b"a\r\rb\r", ["a", "", "b"]),
        (b"a\rb\nc", ["a\rb", "c"]),
        (b"\xef\xbb\xbfa\nb", ["a", "b"]),
        (b"\xef\xbb\xbfa\rb", ["a", "b"]),
        (b"a\n\xef\xbb\xbfb", ["a", "\ufeffb"]),
        ("a\u0085b\u2028c\u2029d\x0be\x0cf\x1cg\nh".encode(), ["a\u0085b\u2028c\u2029d\x0be\x0cf\x1cg", "h"]),
        ("\u00a0a\u3000 \n".encode(), ["\u00a0a\u3000 "]),
    ],
)
def test_text_lines(lines, content, expected):
    assert lines(content) == expected
    assert lines(gzip.compress(content)) == expected
    for sent in (content, gzip.compress(content)):
        assert [line for _, line in stream_lines(io.BytesIO(sent))] == expected


@settings(max_examples=60)
@given(texts=st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=5))
def test_text_what_is_written_is_read_again(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("t") / "x"
    write_lines(path, texts)
    if texts and texts[0].startswith("\ufeff"):
        texts[0] = texts[0][1:]  # at the start of a file it is a byte order mark
    assert [line for _, line in read_lines(path)] == texts


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_text_lines_over_the_edge_of_a_block(lines, size, end):
    long = b"x" * (size - len(end))
    assert lines(b"a" + end + long + end + "é".encode() + end) == ["a", long.decode(), "é"]


def test_text_long_file_of_carriage_returns(lines):
    assert lines(b"word\r" * 300_000) == ["word"] * 300_000


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"gr\xfcn\n", "is not UTF-8 (byte 0xfc", "Convert it: iconv -f latin1 -t utf-8"),
        (b"\x84gr\xfcn\x93\n", "is not UTF-8 (byte 0x84", "Convert it: iconv -f cp1252 -t utf-8"),
        ("кошка сидит\n".encode("cp1251"), "is not UTF-8 (byte 0xea", "Convert it from its encoding, e.g. cp1251"),
        ("猫が座る\n".encode("shift_jis"), "is not UTF-8", "Convert it from its encoding, e.g. cp1251, gb18030"),
        (b"a\n\xf0\x9f\x98", "is not UTF-8 (byte 0xf0", "The file ends within a character."),
        ("für\ngr".encode() + b"\xfcn\n", "is not UTF-8 (byte 0xfc at offset 7", "The text before it is UTF-8"),
        ("\ufeffgr\xfcn\n".encode("utf-16-le"), "is not UTF-8 but UTF-16", "Convert it: iconv -f utf-16 -t utf-8"),
        ("\ufeffgr\xfcn\n".encode("utf-16-be"), "is not UTF-8 but UTF-16", "Convert it: iconv -f utf-16 -t utf-8"),
        ("gr\xfcn\n".encode("utf-16-le"), "is not UTF-8 but UTF-16LE", "Convert it: iconv -f utf-16le -t utf-8"),
        ("кошка 1\n".encode("utf-16-be"), "is not UTF-8 but UTF-16BE", "Convert it: iconv -f utf-16be -t utf-8"),
        ("\ufeffab\n".encode("utf-32-le"), "is not UTF-8 but UTF-32", "Convert it: iconv -f utf-32 -t utf-8"),
        (b"\x00\x01\x02ab\xff\n", "is not a text file (byte 0xff", "Use a file of UTF-8 text."),
    ],
)
def test_text_that_is_not_utf8_says_what_to_do(tmp_path, content, message, hint):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_lines(path))
    assert caught.value.message.startswith(f"{path} {message}")
    assert caught.value.hint.startswith(hint)


COLUMN = "Write a column of it as text: lexenc convert {} | cut -f1 > text.txt"


@pytest.mark.parametrize(
    ("content", "kind", "hint"),
    [
        ('<?xml version="1.0"?>\n<tmx version="1.4">', "TMX", COLUMN),
        ("\ufeff\n  <!-- x -->\n<xliff>", "XLIFF", COLUMN),
        ('<?xml version="1.0"?><x:martif xmlns:x="urn:x">', "TBX", COLUMN),
        ("<?xml version='1.0'?>\n<TS/>", "XML", "Save it as plain text"),
        ("<HTML><body>", "HTML", "save it as plain text"),
        ("<!doctype HTML>\n", "HTML", "save it as plain text"),
        ('<doc id="1" title=\'a "b"\'>\r\ntext\r\n', "markup", "Remove the tags"),
        ('# a comment\n\n#: a.c:1\nmsgctxt "x"\n', "PO", "po2xliff"),
        ("{\\rtf1\\ansi a}\n", "RTF", "Save it as plain text"),
        ("%PDF-1.7\n", "PDF", "Save it as plain text"),
    ],
)
def test_markup_is_not_read_as_lines_of_text(tmp_path, content, kind, hint):
    path = tmp_path / "x"
    bodies = [content.encode(), gzip.compress(content.encode())]
    if content.startswith("<?xml"):
        bodies.append(content.encode("utf-16"))
    for body in bodies:
        path.write_bytes(body)
        with pytest.raises(DataError) as caught:
            list(read_lines(path))
        assert caught.value.message.startswith(f"{path} is {kind}")
        assert hint.format(path) in caught.value.hint
        with pytest.raises(DataError, match=f"standard input is {kind}\\b"):
            list(stream_lines(io.BytesIO(body)))


@pytest.mark.parametrize(
    "content", [b"<s>\n<unk>\n", b"<b>bold</b> text\n", b'<a href="x">a link</a>\n', b"< 3\n", b"# msgid\nword\n"]
)
def test_words_in_angle_brackets_are_text(lines, content):
    assert lines(content) == content.decode().splitlines()


@pytest.mark.parametrize(
    ("content", "byte", "offset", "line"),
    [
        (b"caf\xe9\n", "0xe9", 3, 1),
        (b"ab\ncaf\xe9\n", "0xe9", 6, 2),
        (b"ab\r\ncaf\xe9\n", "0xe9", 7, 2),
        (b"ab\rcaf\xe9\r", "0xe9", 6, 2),
        (b"\xef\xbb\xbfcaf\xe9\n", "0xe9", 6, 1),
        ("äö\n".encode() + b"\xff", "0xff", 5, 2),
        (b"a\n\xf0\x9f\x98", "0xf0", 2, 2),
    ],
)
def test_text_that_is_not_utf8_says_where(lines, content, byte, offset, line):
    with pytest.raises(DataError) as caught:
        lines(content)
    assert f"byte {byte} at offset {offset}, line {line})" in caught.value.message
    assert content[offset] == int(byte, 16)
    assert caught.value.hint
    with pytest.raises(DataError) as streamed:
        list(stream_lines(io.BytesIO(content)))
    assert streamed.value.message == f"standard input is not UTF-8 (byte {byte} at offset {offset}, line {line})."
    assert streamed.value.hint == re.sub(r" /\S*x\.txt$", " -", caught.value.hint)


def test_text_of_a_stream_comes_line_by_line():
    """Somebody who asks word by word gets every answer before the next question."""
    out, into = os.pipe()
    with os.fdopen(out, "rb") as reader, os.fdopen(into, "wb", buffering=0) as writer:
        found = stream_lines(reader)
        for word in ("a", "house", "dog"):
            writer.write(f"{word}\n".encode())
            assert next(found)[1] == word
        writer.write(b"last")
        writer.close()
        assert [line for _, line in found] == ["last"]


def test_text_of_a_named_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with os.fdopen(os.open(tmp_path / "pipe", os.O_RDWR), "wb", buffering=0) as writer:
        writer.write(b"dog\ncat")
        found = read_lines(tmp_path / "pipe")
        assert next(found) == (1, "dog")
        writer.close()
        assert list(found) == [(2, "cat")]


def test_text_gzip_is_known_by_content_not_by_name(tmp_path):
    (tmp_path / "packed.txt").write_bytes(gzip.compress(b"a\n"))
    (tmp_path / "plain.gz").write_bytes(b"a\n")
    assert list(read_lines(tmp_path / "packed.txt")) == list(read_lines(tmp_path / "plain.gz")) == [(1, "a")]


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-9], lambda packed: packed[:2], lambda packed: packed[:12] + b"!" * 9]
)
def test_text_damaged_gzip_is_a_data_error(tmp_path, damage):
    path = tmp_path / "x.gz"
    path.write_bytes(damage(gzip.compress(bytes(range(65, 91)) * 50)))
    with pytest.raises(DataError, match="damaged"):
        list(read_lines(path))


def test_text_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match="no file"), open_bytes(tmp_path / "none"):
        pass
    with pytest.raises(DataError, match="folder"), open_bytes(tmp_path):
        pass


def test_text_writing_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), writing(path) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    with writing(path) as stream:
        stream.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["x.txt"]


def test_text_words_of_undecodable_bytes_keep_their_bytes(tmp_path):
    write_lines(tmp_path / "x", [b"a\xff".decode("utf-8", "surrogateescape")])
    assert (tmp_path / "x").read_bytes() == b"a\xff\n"


def test_text_json_lines(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n\n  \n[2]\n')
    assert list(json_lines(path)) == [(1, {"a": 1}), (4, [2])]
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(DataError, match="line 2"):
        list(json_lines(path))
