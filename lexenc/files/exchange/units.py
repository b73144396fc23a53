"""Units of TMX 1.4, XLIFF 1.2 and 2, and TBX files of either style: texts that mean the same, by language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from lexenc.errors import DataError
from lexenc.files.exchange.xml import LocalNames, parsed

# What stands between letters for a picture, a line break or a variable; it cannot be in XML.
_PLACE = "\0"
_BETWEEN_WORDS = re.compile(rf"(?<=\w){_PLACE}+(?=\w)")
_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_BREAKS = re.compile(r" *[\t\n\v\f\r\x85\u2028\u2029][\t\n\v\f\r\x85\u2028\u2029 ]*")
# Code of the original file, for instance `<b>`: no text. Only what stands alone separates words.
_CODE = {"bpt", "ept", "it", "ut", "bx", "ex", "sc", "ec", "sm", "em"}
_STANDALONE = {"ph", "x", "cp"}
_LANG = "xml:lang"


@dataclass(frozen=True)
class Unit:
    """Texts that mean the same.

    Args:
        line: Where it begins.
        texts: Language (as written; empty where the file does not say) and text, in the order of the file.
    """

    line: int
    texts: list[tuple[str, str]]


@dataclass
class Counts:
    """What was found on the way.

    Args:
        units: Units read.
        empty: Texts left out because nothing is in them.
        cleaned: Texts in which line ends or TABs became spaces.
        deprecated: Terms left out because the termbase says not to use them.
    """

    units: int = 0
    empty: int = 0
    cleaned: int = 0
    deprecated: int = 0


@dataclass
class _Text:
    """The text of one element, as it comes.

    Args:
        parts: Its pieces.
        segments: Text of each marked segment within, by its number.
        open: Marks that are open: number and first part, or None for a mark that is no segment.
        skipped: How deep in code we are.
    """

    parts: list[str] = field(default_factory=list)
    segments: dict[str, str] = field(default_factory=dict)
    open: list[tuple[str, int] | None] = field(default_factory=list)
    skipped: int = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _STANDALONE and not self.skipped:
            self.parts.append(_PLACE)
        if self.skipped or name in _CODE or name in _STANDALONE:
            self.skipped += 1
        elif name == "mrk":
            segment = attributes.get("mtype") == "seg"
            self.open.append((attributes.get("mid", ""), len(self.parts)) if segment else None)

    def end(self, name: str) -> None:
        if self.skipped:
            self.skipped -= 1
        elif name == "mrk" and self.open:
            mark = self.open.pop()
            if mark is not None:
                self.segments[mark[0]] = "".join(self.parts[mark[1] :])

    def whole(self) -> str:
        return "".join(self.parts)


def _language(attributes: Mapping[str, str]) -> str:
    """Give the language of an element, with the hyphen of BCP-47."""
    return (attributes.get(_LANG) or attributes.get("lang") or "").strip().replace("_", "-")


class _Format:
    """What TMX, XLIFF and TBX have in common: units, and elements with text in them."""

    def __init__(self, counts: Counts, *, deprecated: bool) -> None:
        self.counts, self.deprecated = counts, deprecated
        self.ready: list[Unit] = []
        self.line = 0
        self.language = ""
        self.texts: list[tuple[str, str]] = []
        self.collected: _Text | None = None

    def begin(self, line: int) -> None:
        self.line, self.texts = line, []

    def add(self, language: str, text: str) -> None:
        """Add a text to the unit, on one line and without places."""
        if _PLACE in text:
            text = _BETWEEN_WORDS.sub(" ", text).replace(_PLACE, "")
        text = text.strip()
        if not text:
            self.counts.empty += 1
            return
        if _BREAK.search(text):
            self.counts.cleaned += 1
            text = _BREAKS.sub(" ", text)
        self.texts.append((language, text))

    def finish(self) -> None:
        self.counts.units += 1
        self.ready.append(Unit(self.line, self.texts))
        self.texts = []


class _Tmx(_Format):
    NAMES = frozenset({"tu", "tuv", "seg", "header"})
    source = ""

    def start(self, name: str, parent: str, attributes: dict[str, str], line: int) -> None:
        if name == "tu":
            self.begin(line)
        elif name == "tuv":
            self.language = _language(attributes)
        elif name == "seg":
            self.collected = _Text()
        elif name == "header":
            own = attributes.get("srclang", "")
            self.source = "" if own.lower() == "*all*" else own.replace("_", "-")

    def end(self, name: str, text: str, parent: str) -> None:
        if name == "seg":
            self.add(self.language, text)
        elif name == "tu":
            self.finish()


class _Xliff(_Format):
    """Both generations: 1.2 has trans-unit in file, 2.0 and later segment in unit."""

    NAMES = frozenset({"xliff", "file", "trans-unit", "segment", "source", "target", "seg-source"})

    def __init__(self, counts: Counts, *, deprecated: bool) -> None:
        super().__init__(counts, deprecated=deprecated)
        self.source, self.target = "", ""
        self.sides: dict[str, tuple[str, _Text]] = {}

    def start(self, name: str, parent: str, attributes: dict[str, str], line: int) -> None:
        if name == "xliff":
            self.source, self.target = attributes.get("srcLang", ""), attributes.get("trgLang", "")
        elif name == "file" and "source-language" in attributes:
            self.source = attributes["source-language"]
            self.target = attributes.get("target-language", "")
        elif name in ("trans-unit", "segment"):
            self.begin(line)
            self.sides = {}
        elif name in ("source", "target", "seg-source") and parent in ("trans-unit", "segment"):
            own = self.target if name == "target" else self.source
            self.collected = _Text()
            self.sides[name] = (_language(attributes) or own.replace("_", "-"), self.collected)

    def end(self, name: str, text: str, parent: str) -> None:
        if name in ("trans-unit", "segment"):
            self._pair()

    def _pair(self) -> None:
        """Pair segment with segment where both sides are marked, else the whole."""
        nothing = ("", _Text())
        source, target = self.sides.get("source", nothing), self.sides.get("target", nothing)
        parts = self.sides.get("seg-source", source)[1].segments
        shared = [number for number in parts if number in target[1].segments]
        if shared:
            for number in shared:
                self._add_both(source[0], parts[number], target[0], target[1].segments[number])
        else:
            self._add_both(source[0], source[1].whole(), target[0], target[1].whole())

    def _add_both(self, source: str, said: str, target: str, answer: str) -> None:
        self.add(source, said)
        self.add(target, answer)
        self.finish()


class _Tbx(_Format):
    """DCA and DCT files differ only in how they write what describes a term."""

    NAMES = frozenset({"conceptEntry", "termEntry", "langSec", "langSet", "termSec", "tig", "ntig", "term",
                       "administrativeStatus", "termNote"})  # fmt: skip
    source = ""

    def __init__(self, counts: Counts, *, deprecated: bool) -> None:
        super().__init__(counts, deprecated=deprecated)
        self.term, self.status = "", ""

    def start(self, name: str, parent: str, attributes: dict[str, str], line: int) -> None:
        if name in ("conceptEntry", "termEntry"):
            self.begin(line)
        elif name in ("langSec", "langSet"):
            self.language = _language(attributes)
        elif name in ("termSec", "tig", "ntig"):
            self.term, self.status = "", ""
        elif name == "term" or _is_status(name, attributes):
            self.collected = _Text()

    def end(self, name: str, text: str, parent: str) -> None:
        if name == "term" and parent in ("termSec", "tig", "termGrp"):
            self.term = text
        elif name in ("administrativeStatus", "termNote"):
            self.status = text or self.status
        elif name in ("termSec", "tig", "ntig"):
            self._add_term()
        elif name in ("conceptEntry", "termEntry"):
            self.finish()

    def _add_term(self) -> None:
        unwanted = self.status.strip().lower().startswith(("deprecated", "superseded"))
        if unwanted and not self.deprecated:
            self.counts.deprecated += 1
        else:
            self.add(self.language, self.term)


def _is_status(name: str, attributes: Mapping[str, str]) -> bool:
    """Tell what says whether a term may be used: `termNote` in DCA, an element of its own in DCT."""
    return name == "administrativeStatus" or (name == "termNote" and attributes.get("type") == "administrativeStatus")


_FORMATS: dict[str, type[Any]] = {"tmx": _Tmx, "xliff": _Xliff, "martif": _Tbx, "tbx": _Tbx}
NAMES = {"tmx": "TMX", "xliff": "XLIFF", "martif": "TBX", "tbx": "TBX"}


class UnitFile:
    """A TMX, XLIFF or TBX file, read unit by unit; memory does not depend on its size.

    Args:
        path: The file.
        deprecated: Whether terms count that a termbase marks as deprecated or superseded.

    Attributes:
        counts: What was found so far.
        kind: `TMX`, `XLIFF` or `TBX`; known once reading has begun.
    """

    def __init__(self, path: Path, *, deprecated: bool = False) -> None:
        self.path, self.counts, self.kind = path, Counts(), ""
        self._deprecated = deprecated
        self._format: Any = None
        self._open: list[str] = []
        self._began, self._names = 0, LocalNames()
        self._parser: Any = None

    def __iter__(self) -> Iterator[Unit]:
        """Give the units.

        Raises:
            DataError: If the file is not one of these formats, or is damaged.
        """
        self.counts, self._format, self._open = Counts(), None, []
        yield from parsed(self.path, self)

    @property
    def source(self) -> str:
        """Language that the file itself calls its source; empty where it calls none so."""
        return str(self._format.source) if self._format is not None else ""

    def attach(self, parser: expat.XMLParserType) -> None:
        """Take the parser."""
        self._parser = parser

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element."""
        name, own, opened = self._names[name], self._format, self._open
        opened.append(name)
        if own is None:
            own = self._recognise(name)
        elif own.collected is not None:
            own.collected.start(name, attributes)
            return
        if name in own.NAMES:
            own.start(name, opened[-2] if len(opened) > 1 else "", attributes, self._parser.CurrentLineNumber)
            if own.collected is not None:
                # Text is asked for only where it counts: most of a file is spaces between elements.
                self._began, self._parser.CharacterDataHandler = len(opened), self._text

    def end(self, name: str) -> None:
        """Take the end of an element."""
        own, opened, text = self._format, self._open, ""
        name = opened.pop()
        if own.collected is not None:
            if len(opened) >= self._began:
                own.collected.end(name)
                return
            text, own.collected = own.collected.whole(), None
            self._parser.CharacterDataHandler = None
        if name in own.NAMES:
            own.end(name, text, opened[-1] if opened else "")

    def _text(self, data: str) -> None:
        own = self._format.collected
        if not own.skipped:
            own.parts.append(data)

    def taken(self) -> list[Unit]:
        """Give the units finished since."""
        if self._format is None:
            return []
        ready: list[Unit] = self._format.ready
        self._format.ready = []
        return ready

    def _recognise(self, root: str) -> Any:
        if root not in _FORMATS:
            raise DataError(
                f"{self.path} is XML, but its root is <{root}>: not TMX, XLIFF or TBX.",
                hint="Export it as one of these, or as two columns with a TAB between them.",
            )
        self.kind = NAMES[root]
        self._format = _FORMATS[root](self.counts, deprecated=self._deprecated)
        return self._format
