"""SemCor: running text with WordNet senses, in tags one per line, as it was published.

It comes as a folder, a tar archive (also packed) or a single file. The tags look like XML, but the original writes
attributes without quotation marks, so a parser of XML refuses it. Nothing is unpacked to the disk: an archive is read
from start to end, links and the like in it are left out, and names of its files are only shown.
"""

from __future__ import annotations

import codecs
import html
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from lexenc.errors import DataError
from lexenc.files.foreign import HEAD_BYTES, is_tar
from lexenc.files.sense_keys import SenseTag, TaggedSentence, normal_lemma, part_of_key, shown, words_of
from lexenc.files.text import counted, open_bytes

UNMAPPED = "sense not in WordNet (wnsn=0)"
NOT_SEMCOR = "file without <contextfile>"
NOT_A_FILE = "link or the like in the archive"
_CHUNK, _LONGEST = 1 << 16, 1 << 20  # bytes read at a time, and characters of a tag with its text
_HINT = "Give SemCor as it was published: brown1 and brown2, or the archive of them."
_BEGIN = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]{0,200}>\s*)?(<!doctype[^>]{0,200}>\s*)?<contextfile\b", re.IGNORECASE
)
_TAG = re.compile(r"<([/?!]?)([A-Za-z]\w*)([^<>]*)>([^<]*)(?:</(?:wf|punc)>\s*)?", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
_BLOCK = 512  # bytes of a block of tar
# Kinds of entries of a tar archive: files; what has no content, whatever its size: links, devices, folders and pipes;
# and folders with what says more of the next file.
_REGULAR, _WITHOUT_CONTENT = (b"0", b"\0", b"7"), (b"1", b"2", b"3", b"4", b"5", b"6")
_ABOUT_FILES = (b"5", b"x", b"g", b"X", b"L", b"K")
_WORDS = frozenset({"wf", "punc"})
_NEEDED, _NOTHING = ("lemma", "lexsn", "wnsn"), ("", "", "")
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)
_LEXICAL_SENSE = re.compile(r"[1-5]:\d\d:\d\d:[^:;\s]*:\d*")


def read_semcor(path: Path, left_out: Counter[str]) -> Iterator[TaggedSentence]:
    """Yield the sentences of SemCor, file by file, in constant memory.

    A key is the lemma with the lexical sense, e.g. `group%1:03:00::`. Senses that are not mapped to WordNet (`wnsn=0`)
    are left out; a word that has no others has a tag without keys.

    Args:
        path: A folder, a tar archive, or a file of it. gzip and xz are unpacked.
        left_out: Counts what is left out, by reason.

    Raises:
        DataError: If a file is damaged or cut, with its line; or if there is no SemCor at all.
    """
    empty = True
    for sentence in _all_sentences(path, left_out):
        empty = False
        yield sentence
    if empty:
        other = left_out[NOT_SEMCOR]
        held = f" It holds {counted(other, 'other file')}." if path.is_dir() or other > 1 else ""
        raise DataError(f"{path} has no sentences of SemCor, which begins with <contextfile>.{held}", hint=_HINT)


def _all_sentences(path: Path, left_out: Counter[str]) -> Iterator[TaggedSentence]:
    """Yield the sentences of every file; inside of what turns damage of packed files into errors."""
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.is_file() and each.stat().st_size:
                with open_bytes(each, also="anything") as stream:
                    yield from _sentences(stream, str(each), left_out)
        return
    with open_bytes(path, also="tar") as stream:
        if is_tar(_head(stream)):
            for name, body in _members(stream, path, left_out):
                yield from _sentences(body, name, left_out)
        else:
            yield from _sentences(stream, str(path), left_out)


class _Member(io.RawIOBase):
    """The content of a file in an archive: the next bytes of a stream.

    Args:
        stream: The archive.
        size: Number of these bytes.
        path: The archive, for the error.
    """

    def __init__(self, stream: IO[bytes], size: int, path: Path) -> None:
        super().__init__()
        self._stream, self.left, self._path = stream, size, path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        some = self._stream.read(min(len(buffer), self.left))
        if self.left and not some:
            raise _damaged(self._path, "it ends too early")
        buffer[: len(some)] = some
        self.left -= len(some)
        return len(some)


def _members(stream: IO[bytes], path: Path, left_out: Counter[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the name and the content of every file of a tar archive, which is only read forward.

    `tarfile` ends silently where a header is damaged or missing, and reads sparse files, which are as long as they say.
    Source: POSIX.1-2017, pax, ustar interchange format.
    """
    while True:
        head = stream.read(_BLOCK)
        if len(head) < _BLOCK:
            raise _damaged(path, "it ends too early")
        if not any(head):
            return
        if 256 + sum(head[:148]) + sum(head[156:]) != _number(head[148:156]):
            raise _damaged(path, "the checksum of a header is wrong")
        kind, size = head[156:157], _number(head[124:136])
        if size < 0:
            raise _damaged(path, "the size of a file is wrong")
        name = (head[345:500].rstrip(b"\0") + b"/" + head[:100].partition(b"\0")[0]).decode("utf-8", "replace")
        body = _Member(stream, 0 if kind in _WITHOUT_CONTENT else size, path)
        if kind in _REGULAR and size:
            yield f"{path}: {shown(name.lstrip('/'))}", io.BufferedReader(body)
        elif kind not in _REGULAR and kind not in _ABOUT_FILES:
            left_out[NOT_A_FILE] += 1
        while body.left:
            body.read(min(_CHUNK, body.left))
        stream.read(-size % _BLOCK if kind not in _WITHOUT_CONTENT else 0)


def _number(field: bytes) -> int:
    """Return a number of a header: octal, or the bytes of it after a mark; -1 if it is none."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    return int(digits or b"0", 8) if re.fullmatch(rb"[0-7]*", digits) else -1


def _damaged(path: Path, problem: str) -> DataError:
    return DataError(f"{path} is a damaged tar archive: {problem}.", hint="Download or pack it again.")


def _head(stream: Any) -> bytes:
    head: bytes = stream.peek(HEAD_BYTES)
    return head


def _sentences(stream: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[TaggedSentence]:
    """Yield the sentences of one file; none if it is no SemCor, which is counted."""
    if not _BEGIN.match(_head(stream)):
        left_out[NOT_SEMCOR] += 1
        return
    document = name
    words: list[str] | None = None
    tags: list[SenseTag] = []
    for sign, kind, attributes, text, problem in _tags(stream, name):
        if kind in _WORDS and not sign:
            if words is None:
                raise problem(f"a word outside of a sentence: {shown(text)}")
            before = len(words)
            words += words_of(html.unescape(text) if "&" in text else text)
            if "lexsn" in attributes and len(words) > before:
                tags.append(_tag(before, len(words), attributes, problem))
                left_out[UNMAPPED] += not tags[-1].keys
        elif kind == "s":
            if (words is None) == bool(sign):
                raise problem(f"a sentence {'ends outside' if sign else 'begins inside'} of one")
            if words is not None:
                yield TaggedSentence(document, words, tags)
            words, tags = (None if sign else []), []
        elif kind == "context" and not sign:
            document = _attributes(attributes).get("filename", name)


def _tags(stream: IO[bytes], name: str) -> Iterator[tuple[str, str, str, str, Callable[[str], DataError]]]:
    """Yield the sign, the name, the attributes and the text of every tag, and a function that makes an error there."""
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    text, line, at, more, last = "", 1, 0, True, ""

    def problem(words: str) -> DataError:
        return DataError(f"{name}, line {line + text.count(chr(10), 0, at)}: {words}.", hint=_HINT)

    while more:
        chunk = stream.read(_CHUNK)
        more = bool(chunk)
        try:
            text += decode(chunk, final=not more)
        except UnicodeDecodeError:
            at = len(text)
            raise problem("it is not UTF-8 from here on, or a little later") from None
        at = 0
        for match in _TAG.finditer(text):
            if match.start() > at and not text[at : match.start()].isspace():
                break
            if match.end() == len(text) and more:  # the rest of it may follow
                at = match.start()
                break
            at = match.start()
            sign, kind, attributes, inner = match.groups()
            last = kind = kind.lower()
            if inner and kind not in _WORDS and not inner.isspace():
                raise problem(f"text outside of <wf> and <punc>: {shown(inner.strip())}")
            yield sign, kind, attributes, inner, problem
            at = match.end()
        rest = text[at:] if more else text[at:].strip()
        if len(rest) > _LONGEST or (rest and not more):
            raise problem(f"no tag: {shown(rest.strip())}")
        line, text, at = line + text.count("\n", 0, at), rest, 0
    if last != "contextfile":
        raise problem("it ends too early, without </contextfile>")


def _attributes(text: str) -> dict[str, str]:
    unescape = html.unescape if "&" in text else str
    return {name: unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(text)}


def _tag(start: int, end: int, attributes: str, problem: Callable[[str], DataError]) -> SenseTag:
    own = _attributes(attributes)
    try:
        lemma, part, keys, numbers, unmapped = _senses(*map(own.get, _NEEDED, _NOTHING))
    except ValueError as error:
        raise problem(str(error)) from None
    return SenseTag(start, end, lemma, part, keys, numbers, unmapped)


@lru_cache(maxsize=1 << 16)  # the same senses come again and again
def _senses(lemma: str, lexsn: str, wnsn: str) -> tuple[str, str, tuple[str, ...], tuple[int, ...], int]:
    """Return the fields of a `SenseTag` from `lemma` on. The arguments are the attributes of the same names.

    Raises:
        ValueError: If they are no senses.
    """
    lemma = normal_lemma(lemma)
    senses, numbers = lexsn.split(";"), wnsn.split(";")
    if not lemma:
        raise ValueError("a word with a sense, but without a lemma")
    if len(senses) != len(numbers):
        raise ValueError("lexsn and wnsn differ in length")
    known: dict[str, int] = {}
    for sense, number in zip(senses, numbers, strict=True):
        if not _LEXICAL_SENSE.fullmatch(sense):
            raise ValueError(f"lexsn '{shown(sense)}' is no sense, such as 1:03:00::")
        if not _NUMBER.fullmatch(number):
            raise ValueError(f"wnsn '{shown(number)}' is no number")
        if int(number) > 0:
            known.setdefault(f"{lemma}%{sense}", int(number))
    unmapped = sum(int(number) <= 0 for number in numbers)
    return lemma, part_of_key(senses[0]), tuple(known), tuple(known.values()), unmapped
