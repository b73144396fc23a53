"""Units of TMX 1.4, XLIFF 1.2 and 2, and TBX (both styles): texts with the same meaning in several languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from lexenc.errors import DataError
from lexenc.files.exchange.xml import elements, line_of, local_name, root_name

# Stands for a picture, a line break or a variable between letters. It cannot be in XML.
_PLACE = "\0"
_BETWEEN_WORDS = re.compile(rf"(?<=\w){_PLACE}+(?=\w)")
_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_BREAKS = re.compile(r" *[\t\n\v\f\r\x85\u2028\u2029][\t\n\v\f\r\x85\u2028\u2029 ]*")
# Code of the original file, for instance `<b>`, is not text. Only standalone code separates words.
_CODE = {"bpt", "ept", "it", "ut", "bx", "ex", "sc", "ec", "sm", "em"}
_STANDALONE = {"ph", "x", "cp"}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

# Language (empty if the file does not say) and text, in the order of the file.
_Texts = list[tuple[str, str]]


@dataclass(frozen=True)
class Unit:
    """Texts with the same meaning, and the line at which they begin. A language is as written, or empty if missing."""

    line: int
    texts: _Texts


@dataclass
class Counts:
    """Counts of a file that is being read.

    Args:
        units: Units read.
        empty: Empty texts, which were skipped.
        cleaned: Texts in which line ends or TABs were replaced by spaces.
        deprecated: Deprecated terms, which were skipped.
    """

    units: int = 0
    empty: int = 0
    cleaned: int = 0
    deprecated: int = 0


class UnitFile:
    """A TMX, XLIFF or TBX file, read unit by unit. Memory does not depend on its size.

    Args:
        path: The file.
        deprecated: Whether to keep terms that a termbase marks as deprecated or superseded.

    Attributes:
        counts: Counts of the part read so far.
        kind: `TMX`, `XLIFF` or `TBX`; known once reading has begun.
        source: Source language that the file names, or empty.
    """

    def __init__(self, path: Path, *, deprecated: bool = False) -> None:
        self.path, self.counts, self.kind, self.source = path, Counts(), "", ""
        self.deprecated = deprecated

    def __iter__(self) -> Iterator[Unit]:
        """Yield the units.

        Raises:
            DataError: If the file has none of these formats, or is damaged.
        """
        self.counts, root = Counts(), root_name(self.path)
        if root not in _FORMATS:
            raise DataError(
                f"{self.path} is XML, but its root is <{root}>: not TMX, XLIFF or TBX.",
                hint="Export it in one of these formats, or as two columns with a TAB between them.",
            )
        self.kind, names, texts_of = _FORMATS[root]
        for element in elements(self.path, names):
            for texts in texts_of(self, element):
                self.counts.units += 1
                clean = [(language, self._clean(text)) for language, text in texts]
                yield Unit(line_of(element), [each for each in clean if each[1]])

    def _clean(self, text: str) -> str:
        """Return a text on one line and without marks of places."""
        if _PLACE in text:
            text = _BETWEEN_WORDS.sub(" ", text).replace(_PLACE, "")
        text = text.strip()
        self.counts.empty += not text
        if _BREAK.search(text):
            self.counts.cleaned += 1
            text = _BREAKS.sub(" ", text)
        return text


def _text(element: etree._Element, segments: dict[str, str] | None = None) -> str:
    """Return the text of an element without the code in it, and add the texts of its marked segments to `segments`."""
    if not len(element):
        return element.text or ""
    parts = [element.text or ""]
    for child in element:
        name = local_name(child)
        if name in _STANDALONE:
            parts.append(_PLACE)
        elif name and name not in _CODE:
            parts.append(_text(child, segments))
            if segments is not None and name == "mrk" and child.get("mtype") == "seg":
                segments[child.get("mid", "")] = parts[-1]
        parts.append(child.tail or "")
    return "".join(parts)


def _language(element: etree._Element | None) -> str:
    """Return the language of an element, with the hyphen of BCP-47."""
    if element is None:
        return ""
    return (element.get(_LANG) or element.get("lang") or "").strip().replace("_", "-")


def _tmx(file: UnitFile, element: etree._Element) -> Iterator[_Texts]:
    if local_name(element) == "header":
        language = element.get("srclang", "")
        file.source = "" if language.lower() == "*all*" else language.replace("_", "-")
    else:
        versions = element.iterchildren("{*}tuv")
        yield [(_language(each), _text(text)) for each in versions for text in each.iterchildren("{*}seg")]


def _xliff(file: UnitFile, element: etree._Element) -> Iterator[_Texts]:
    """Pair segments if both sides have marks of segments, else the whole texts."""
    root = element.getroottree().getroot()
    about = next(element.iterancestors("{*}file"), root).attrib
    file.source = about.get("source-language") or root.get("srcLang", "")
    target_language = about.get("target-language") or root.get("trgLang", "")
    sides = {local_name(child): child for child in element}
    source, target = sides.get("source"), sides.get("target")
    left = _language(source) or (file.source.replace("_", "-") if source is not None else "")
    right = _language(target) or (target_language.replace("_", "-") if target is not None else "")
    parts: tuple[dict[str, str], dict[str, str]] = ({}, {})
    whole = ["" if each is None else _text(each, own) for each, own in zip((source, target), parts, strict=True)]
    if "seg-source" in sides:
        parts[0].clear()
        _text(sides["seg-source"], parts[0])
    shared = [number for number in parts[0] if number in parts[1]]
    for number in shared:
        yield [(left, parts[0][number]), (right, parts[1][number])]
    if not shared:
        yield [(left, whole[0]), (right, whole[1])]


def _tbx(file: UnitFile, element: etree._Element) -> Iterator[_Texts]:
    """Read a concept. DCA and DCT files differ only in how they write the properties of a term."""
    texts = []
    for section in element.iter("{*}langSec", "{*}langSet"):
        for each in section.iter("{*}termSec", "{*}tig", "{*}ntig"):
            term = status = ""
            for child in each.iter("{*}term", "{*}termNote", "{*}administrativeStatus"):
                if local_name(child) == "term":
                    term = _text(child) if local_name(child.getparent()) in ("termSec", "tig", "termGrp") else term
                elif child.get("type", "administrativeStatus") == "administrativeStatus":
                    status = _text(child) or status
            if status.strip().lower().startswith(("deprecated", "superseded")) and not file.deprecated:
                file.counts.deprecated += 1
            else:
                texts.append((_language(section), term))
    yield texts


# By root element: the name of the format, the elements to read, and how to read one.
_TERMS = ("TBX", ("conceptEntry", "termEntry"), _tbx)
_FORMATS: dict[str, tuple[str, tuple[str, ...], Callable[[UnitFile, etree._Element], Iterator[_Texts]]]] = {
    "tmx": ("TMX", ("header", "tu"), _tmx),
    "xliff": ("XLIFF", ("trans-unit", "segment"), _xliff),
    "tbx": _TERMS,
    "martif": _TERMS,
}
