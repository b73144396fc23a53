"""XML of any size, read once from front to back by a parser that expands nothing and fetches nothing."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol
from xml.parsers import expat

from lexenc.errors import DataError
from lexenc.files.text import open_bytes

_CHUNK = 1 << 16
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_START = re.compile(rb"\s*<(\?xml|!DOCTYPE|!--|[\w.-]*:?(tmx|xliff|martif|tbx)\b)", re.IGNORECASE)


class Handler(Protocol):
    """Takes elements as they come."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element."""

    def end(self, name: str) -> None:
        """Take the end of an element."""

    def taken(self) -> list[Any]:
        """Give what is finished, once."""

    def attach(self, parser: expat.XMLParserType) -> None:
        """Take the parser, which knows the line, and may be asked for text (`CharacterDataHandler`) and no more."""


class LocalNames(dict[str, str]):
    """Names of elements without their prefix; each is looked at once."""

    def __missing__(self, name: str) -> str:
        """Cut a prefix off."""
        return self.setdefault(name, name.rpartition(":")[2])


def looks_like_xml(path: Path) -> bool:
    """Tell by its first bytes whether a file is XML; UTF-16 counts where its mark stands first."""
    if not path.is_file():
        return False
    with open_bytes(path) as stream:
        head = stream.read(256)
    if head.startswith(_UTF_16):
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    return _START.match(head.removeprefix(codecs.BOM_UTF8)) is not None


def parsed(path: Path, handler: Handler) -> Iterator[Any]:
    """Feed a file to a handler and give what it makes, as soon as it is made.

    Args:
        path: The file, in any encoding that it declares; gzip is unpacked.
        handler: Who makes something of it.

    Raises:
        DataError: If it is not well-formed, or declares entities, with the line.
    """
    with open_bytes(path) as stream:
        yield from _fed(stream, _parser(path, handler), path, handler)


def _parser(path: Path, handler: Handler) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = handler.start, handler.end
    handler.attach(parser)

    def refuse(name: str, *rest: object) -> None:
        # Entities of entities grow without bound, and external ones read other files.
        raise DataError(
            f"{path}, line {parser.CurrentLineNumber}: it declares the entity '{name}', which is not read.",
            hint="Put the text itself in its place, and remove the declaration.",
        )

    def undefined(name: str, *rest: object) -> None:
        raise DataError(
            f"{path}, line {parser.CurrentLineNumber}: &{name}; is not defined.",
            hint="Write the character itself; what a DOCTYPE points to is never fetched.",
        )

    parser.EntityDeclHandler = refuse
    parser.SkippedEntityHandler = undefined
    return parser


def _fed(stream: IO[bytes], parser: expat.XMLParserType, path: Path, handler: Handler) -> Iterator[Any]:
    try:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk, False)
            yield from handler.taken()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        raise DataError(
            f"{path}, line {error.lineno}: not well-formed XML ({what}).", hint=_advice(what, error.lineno)
        ) from None
    except (LookupError, ValueError) as error:
        raise DataError(
            f"{path}: {str(error).rstrip('.')}.", hint="Save it as UTF-8, with that encoding in its first line."
        ) from None
    yield from handler.taken()


def _advice(what: str, line: int) -> str:
    if "no element" in what or "unclosed" in what:
        return "It ends too early: was it copied whole?"
    if "invalid token" in what:
        return f"See line {line}: & is written &amp;, < is written &lt;, and the encoding must be the declared one."
    return f"Mend line {line}, or export the file again."
