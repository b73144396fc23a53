"""XML files of any size, read once from start to end. Entities are not expanded and nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from lexenc.errors import DataError
from lexenc.files.text import begins_like_xml, open_bytes

_CHUNK = 1 << 16
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


def elements(path: Path, names: tuple[str, ...]) -> Iterator[etree._Element]:
    """Yield elements with some names as soon as they end, and free the memory of each one after its use.

    Args:
        path: The file, in any encoding that it declares. gzip is unpacked.
        names: Names without prefixes. The elements must not contain each other.

    Raises:
        DataError: If the file is not well-formed, with the line.
    """
    for element in _events(path, "end", *(f"{{*}}{name}" for name in names)):
        yield element
        element.clear()
        while element is not None:
            above = element.getparent()
            while element.getprevious() is not None:
                del above[0]
            element = above


def _events(path: Path, event: str, *tags: str) -> Iterator[etree._Element]:
    parser = etree.XMLPullParser([event], tag=tags or None, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        with open_bytes(path) as stream:
            while chunk := stream.read(_CHUNK):
                parser.feed(chunk)
                for fault in parser.feed_error_log:
                    # Undeclared entities raise no exception.
                    if fault.type_name in ("ERR_UNDECLARED_ENTITY", "WAR_UNDECLARED_ENTITY"):
                        raise _not_well_formed(path, fault.message, fault.line)
                yield from (element for _, element in parser.read_events())
            parser.close()
    except etree.XMLSyntaxError as error:
        if error.code not in _NAMESPACE_FAULTS:
            raise _not_well_formed(path, error.msg, error.lineno) from None


def _not_well_formed(path: Path, message: str, line: int) -> DataError:
    message = re.sub(r",? line \d+, column \d+$", "", message)
    hint = f"Correct line {line}, or export the file again."
    if re.search("Premature end|not terminated|no element|' expected", message):
        hint = "It ends too early. Was it copied completely?"
    elif "encoding" in message:
        hint = "Save it as UTF-8, with that encoding in its first line."
    elif "Entity '" in message:
        hint = "Write the character itself. A file named by a DOCTYPE is never fetched."
    elif re.search("EntityRef|invalid element name|invalid Char", message):
        hint = f"In line {line}, write & as &amp; and < as &lt;."
    return DataError(f"{path}, line {line}: not well-formed XML ({message}).", hint=hint)


def local_name(element: etree._Element) -> str:
    """Return the name of an element without its namespace. It is empty for comments and instructions."""
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""


def line_of(element: etree._Element) -> int:
    """Return the line of the start tag of an element."""
    line = int(element.sourceline or 0)
    if line > _LAST_STORED_LINE:
        first = element
        while not first.text and len(first):
            first = first[0]
        line -= (first.text or first.tail or "").count("\n")
    return line
