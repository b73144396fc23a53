"""XML files of any size, read once from start to end. Entities are not expanded and nothing is fetched."""

from __future__ import annotations

import codecs
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from lxml import etree

from lexenc.errors import DataError
from lexenc.files.foreign import HEAD_BYTES, begins_like_xml, wide_encoding
from lexenc.files.text import open_bytes

_CHUNK = 1 << 16
# Bytes between two elements that are looked for. What is between them stays in memory, twenty times as large.
_MOST_BETWEEN = 1 << 24
# Characters that XML does not allow: control characters, and in UTF-8 also surrogates, U+FFFE and U+FFFF. Some other
# encodings use three of the control characters.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xed[\xa0-\xbf][\x80-\xbf]|\xef\xbf[\xbe\xbf]")
_FORBIDDEN_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x10-\x1a\x1c-\x1f]")
_ENCODING = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"'](?!utf-?8[\"'])", re.IGNORECASE)
# Bytes without which there are none, because the search for them is slow.
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))
# A reference to a character, and what may be the beginning of one, or of a forbidden character, at the end of a chunk.
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,16})|([0-9]{1,16}));")
_CUT = re.compile(rb"(?:&(?:#[xX]?[0-9A-Fa-f]{0,16})?|\xed[\xa0-\xbf]?|\xef\xbf?)\Z")
# Codes of libxml2 for undeclared prefixes and the like. They do not matter, because prefixes are not used.
_NAMESPACE_FAULTS = range(200, 206)
# libxml2 stores lines of elements up to this one only, and uses the end of the text after that.
_LAST_STORED_LINE = 65534


def looks_like_xml(path: Path) -> bool:
    """Return whether the first bytes of a file are XML, also inside gzip."""
    if not path.is_file():
        return False
    with open_bytes(path) as stream:
        return begins_like_xml(stream.read(256))


def root_name(path: Path) -> str:
    """Return the name of the root element, without its prefix.

    Raises:
        DataError: If the file is not well-formed before the root, or if it declares entities.
    """
    root = next(_events(path, "start"))
    kind = root.getroottree().docinfo.internalDTD
    for entity in kind.iterentities() if kind is not None else ():
        # Entities of entities grow without limit, and external ones read other files.
        with open_bytes(path) as stream:
            line = next((n for n, text in enumerate(stream, 1) if b"<!ENTITY" in text.replace(b"\0", b"")), 1)
        raise DataError(
            f"{path}, line {line}: it declares the entity '{entity.name}', which is not supported.",
            hint="Replace the entity by its text, and remove the declaration.",
        )
    return local_name(root)


def elements(path: Path, names: tuple[str, ...], removed: Counter[str]) -> Iterator[etree._Element]:
    """Yield elements with some names as soon as they end, and free the memory of each one after its use.

    Args:
        path: The file, in any encoding that it declares. gzip is unpacked.
        names: Names without prefixes. The elements must not contain each other.
        removed: Counts the characters that XML does not allow, such as `U+001F`, and that are therefore left out.

    Raises:
        DataError: If the file is not well-formed, with the line.
    """
    for element in _events(path, "end", *(f"{{*}}{name}" for name in names), removed=removed):
        yield element
        element.clear()
        # A comment or an instruction may stand before the root, which is in no element.
        while (above := element.getparent()) is not None:
            while element.getprevious() is not None:
                del above[0]
            element = above


def _events(path: Path, event: str, *tags: str, removed: Counter[str] | None = None) -> Iterator[etree._Element]:
    with open_bytes(path) as stream:
        chunks, encoding = _allowed(stream, Counter() if removed is None else removed)
        end, between = b"", 0
        parser = etree.XMLPullParser(
            [event], tag=tags or None, resolve_entities=False, no_network=True, huge_tree=False, encoding=encoding
        )
        try:
            for chunk in chunks:
                end = chunk.rstrip() or end
                parser.feed(chunk)
                for fault in parser.feed_error_log:
                    # Undeclared entities raise no exception.
                    if fault.type_name in ("ERR_UNDECLARED_ENTITY", "WAR_UNDECLARED_ENTITY"):
                        raise _not_well_formed(path, fault.message, fault.line, fault.column)
                between += len(chunk)
                for _, element in parser.read_events():
                    between = 0
                    yield element
                if between > _MOST_BETWEEN:
                    raise _too_large(path, tags)
            parser.close()
        except etree.XMLSyntaxError as error:
            # The error is the first fault, and a prefix that is not declared may stand before one that matters.
            fatal = next((each for each in parser.feed_error_log if each.level == etree.ErrorLevels.FATAL), None)
            if fatal is None and error.code in _NAMESPACE_FAULTS:
                return
            message, *place = (fatal.message, fatal.line, fatal.column) if fatal else (error.msg, *error.position)
            cut = not end.endswith(b">") and not any(chunks)
            raise _not_well_formed(path, message, *place, cut=cut) from None


def _too_large(path: Path, tags: tuple[str, ...]) -> DataError:
    wanted = " or ".join(f"<{tag.removeprefix('{*}')}>" for tag in tags) or "element"
    return DataError(
        f"{path}: no {wanted} ends within {_MOST_BETWEEN:,} bytes, too much to keep in memory.",
        hint="Is it a file of translations? Otherwise export it again, without pictures and the like.",
    )


def _allowed(stream: IO[bytes], removed: Counter[str]) -> tuple[Iterator[bytes], str | None]:
    """Return a file in chunks without the characters that XML does not allow, which many programs write nevertheless.

    Line and page breaks of word processors become spaces. UTF-16 becomes UTF-8. The second value is then the encoding
    for the parser, whatever the file declares.
    """
    first = stream.read(_CHUNK)
    chunks = chain([first], iter(lambda: stream.read(_CHUNK), b""))
    if wide := wide_encoding(first[:HEAD_BYTES]):
        decode = codecs.getincrementaldecoder(wide)("surrogatepass").decode
        recoded = (decode(chunk).encode("utf-8", "surrogatepass") for chunk in chunks)
        return _without(_FORBIDDEN, recoded, removed), "utf-8"
    declared = _ENCODING.match(first.removeprefix(codecs.BOM_UTF8))
    return _without(_FORBIDDEN if declared is None else _FORBIDDEN_BYTES, chunks, removed), None


def _without(forbidden: re.Pattern[bytes], chunks: Iterable[bytes], removed: Counter[str]) -> Iterator[bytes]:
    def remove(number: int) -> bytes:
        removed[f"U+{number:04X}"] += 1
        return b" " if number in (0x0B, 0x0C) else b""

    def referred(found: re.Match[bytes]) -> bytes:
        number = int(found[1], 16) if found[1] else int(found[2])
        legal = number <= sys.maxunicode and not _FORBIDDEN.match(chr(number).encode("utf-8", "surrogatepass"))
        return found[0] if legal else remove(number)

    rest = b""
    for chunk in chunks:
        whole = rest + chunk
        cut = _CUT.search(whole, max(0, len(whole) - 20))
        rest = b"" if cut is None else cut[0]
        whole = whole[: len(whole) - len(rest)]
        if b"\xed" in whole or b"\xef" in whole or len(whole.translate(None, _CONTROLS)) < len(whole):
            whole = forbidden.sub(lambda found: remove(ord(found[0].decode("utf-8", "surrogatepass"))), whole)
        yield _REFERENCE.sub(referred, whole) if b"#" in whole else whole
    yield rest


def _not_well_formed(path: Path, message: str, line: int, column: int, *, cut: bool = False) -> DataError:
    message = re.sub(r",? line \d+, column \d+$", "", message)
    hint = f"Correct line {line}, or export the file again."
    if "Start tag expected" in message and (line, column) == (1, 1):
        hint = "It is not XML, which begins with <. Is it the right file?"
    elif cut or re.search("Premature end|not terminated|no element|' expected", message):
        hint = "It ends too early. Was it copied completely?"
    elif "encoding" in message:
        hint = "Save it as UTF-8, with that encoding in its first line."
    elif "Entity '" in message:
        hint = "Write the character itself. A file named by a DOCTYPE is never fetched."
    elif re.search("EntityRef|invalid element name|invalid Char", message):
        hint = f"In line {line}, write & as &amp; and < as &lt;."
    return DataError(f"{path}, line {line}: not well-formed XML ({message}) at column {column}.", hint=hint)


def local_name(element: etree._Element) -> str:
    """Return the name of an element without its namespace. It is empty for comments and instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def line_of(element: etree._Element) -> int:
    """Return the line of the start tag of an element."""
    line = int(element.sourceline or 0)
    if line > _LAST_STORED_LINE:
        first = element
        while not first.text and len(first):
            first = first[0]
        line -= (first.text or first.tail or "").count("\n")
    return line
