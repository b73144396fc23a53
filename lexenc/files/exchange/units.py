"""Units of TMX 1.4, XLIFF 1.2 and 2, and TBX (both styles): texts with the same meaning in several languages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lxml import etree

from lexenc.errors import DataError
from lexenc.files.exchange.xml import elements, line_of, local_name, root_name
from lexenc.text.folding import trim

# Marks in the text of an element, none of which XML can contain: something that separates words (a picture, a line
# break, a variable), the edge of an inline element, and text that a tracked change deletes.
_PLACE, _EDGE, _DELETION = "\0", "\1", "\2"
# Spaces with a mark and more spaces after it; and places between letters.
_SECOND_SPACES = re.compile("[ \t\r\n]+(?=[\0\1\2]+[ \t\r\n])")
_BETWEEN_WORDS = re.compile(r"(?<=\w)[\1\2]*\0[\0\1\2]*(?=\w)")
_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_BREAKS = re.compile(r" *[\t\n\v\f\r\x85\u2028\u2029][\t\n\v\f\r\x85\u2028\u2029 ]*")
# Code of the original file, for instance `<b>`, is not text. Only standalone code separates words.
_CODE = {"bpt", "ept", "it", "ut", "bx", "ex", "sc", "ec", "sm", "em"}
_STANDALONE = {"ph", "x", "cp"}
_DELETED = ("del", "deleted", "deletion")
# Tags that are escaped, so that they are text for XML: `<f0>` of OmegaT, and tags of HTML.
_TAG = re.compile(r"""<(/?)([A-Za-z][\w:.-]*|\d+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))*)\s*(/?)>""")
_NUMBERED = re.compile(r"[a-z]{1,3}\d+")
_VOID = ("br", "hr", "img", "wbr")
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

# States of a translation: of XLIFF 1.2 and 2, of memoQ, and of Trados Studio.
_UNTRANSLATED = {"new", "needs-translation", "initial", "NotStarted", "Unspecified"}
_REJECTED = ("rejected", "Rejected")
_MEMOQ_STATUS = "{MQXliff}status"
# Properties of a term that say whether to use it, in lower case, and the beginnings of their values.
_STATUSES = ("administrativestatus", "normativeauthorization", "temporalqualifier", "usagestatus", "termstatus",
             "status")  # fmt: skip
_DEPRECATED = ("deprecated", "superseded", "forbidden", "prohibited", "obsolete", "outdated", "archaic",
               "notrecommended", "donotuse", "rejected")  # fmt: skip
_USABLE = ("preferred", "admitted", "standardi", "legal", "regulated", "recommended", "approved", "allowed", "proposed",
           "new")  # fmt: skip

# Reasons to leave a unit or a term out, with nouns for their number. `TAGS` are left out of texts.
REASONS = {
    "deprecated": ("deprecated, forbidden or obsolete term", "deprecated, forbidden or obsolete terms"),
    "untranslated": ("unit that is not translated yet", "units that are not translated yet"),
    "rejected": ("unit whose translation was rejected", "units whose translation was rejected"),
    "translate-no": ('unit marked translate="no"', 'units marked translate="no"'),
}
TAGS = "tags"
KEEP = (*REASONS, TAGS)
# What cannot be kept: units without text on a side, and text that a tracked change deletes.
ONE_SIDED, DELETIONS = "one-sided", "deletions"

# Language (empty if the file does not say), text, and the reason to leave it out (or empty), in the order of the file.
Texts = list[tuple[str, str, str]]


class Unit(NamedTuple):
    """Texts with the same meaning, and the line at which they begin. A language is as written, or empty if missing."""

    line: int
    texts: Texts


@dataclass
class Counts:
    """Counts of a file that is being read.

    Args:
        units: Units read.
        empty: Empty texts, which were skipped.
        cleaned: Texts in which line ends or TABs were replaced by spaces.
        left_out: Units, terms or texts by the reason for which they, or a part of them, were left out.
        kept: Units and terms by the reason for which they would be left out by default.
        characters: Characters that XML does not allow, which were removed.
        unknown: Terms by their status, if it is not known whether they are to be used.
    """

    units: int = 0
    empty: int = 0
    cleaned: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


class UnitFile:
    """A TMX, XLIFF or TBX file, read unit by unit. Memory does not depend on its size.

    Args:
        path: The file.
        keep: With `tags`, tags that are escaped in the file stay in the texts.

    Attributes:
        counts: Counts of the part read so far.
        kind: `TMX`, `XLIFF` or `TBX`; known once reading has begun.
        source: Source language that the file names, or empty.
    """

    def __init__(self, path: Path, *, keep: Collection[str] = ()) -> None:
        self.path, self.counts, self.kind, self.source = path, Counts(), "", ""
        self._keep_tags = TAGS in keep

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
        for element in elements(self.path, names, self.counts.characters):
            for texts in texts_of(self, element):
                self.counts.units += 1
                clean = [(language, self._clean(text), reason) for language, text, reason in texts]
                yield Unit(line_of(element), [each for each in clean if each[1]])

    def _clean(self, text: str) -> str:
        """Return a text on one line, without marks and escaped tags."""
        if "<" in text and not self._keep_tags:
            bare = _without_tags(text)
            self.counts.left_out[TAGS] += bare != text
            text = bare
        plain = text.isprintable()  # without marks and breaks
        text = trim(text if plain else self._without_marks(text))
        self.counts.empty += not text
        if not plain and _BREAK.search(text):
            self.counts.cleaned += 1
            text = _BREAKS.sub(" ", text)
        return text

    def _without_marks(self, text: str) -> str:
        if _DELETION in text:
            self.counts.left_out[DELETIONS] += 1
        if _PLACE in text:
            text = _BETWEEN_WORDS.sub(" ", text)
        bare = _bare(text)
        return _bare(_SECOND_SPACES.sub("", text)) if "  " in bare else bare


def _bare(text: str) -> str:
    return text.replace(_EDGE, "").replace(_PLACE, "").replace(_DELETION, "")


def _without_tags(text: str) -> str:
    """Replace tags by marks. `<name>` alone may be a word, so it needs an end tag, attributes or a number."""
    closed = {tag[2] for tag in _TAG.finditer(text) if tag[1]}

    def mark(tag: re.Match[str]) -> str:
        _, name, attributes, alone = tag.groups()
        if alone or name.lower() in _VOID:
            return _PLACE
        return _EDGE if name in closed or attributes or _NUMBERED.fullmatch(name) else tag[0]

    return _TAG.sub(mark, text)


def _text(element: etree._Element, segments: dict[str, str] | None = None) -> str:
    """Return the text of an element without the code in it, and add the texts of its marked segments to `segments`."""
    if not len(element):
        return element.text or ""
    parts = [element.text or ""]
    for child in element:
        name = local_name(child)
        if name in _STANDALONE:
            parts.append(_PLACE)
        elif name in _DELETED or (name == "mrk" and child.get("mtype", "").endswith(_DELETED)):
            parts.append(_DELETION)
        elif name in _CODE:
            parts.append(_EDGE)
        elif name:
            inner = _text(child, segments)
            if segments is not None and name == "mrk" and child.get("mtype") == "seg":
                segments[child.get("mid", "")] = inner
            parts += (_EDGE, inner, _EDGE)
        parts.append(child.tail or "")
    return "".join(parts)


def _language(element: etree._Element | None) -> str:
    """Return the language of an element, with the hyphen of BCP-47."""
    if element is None:
        return ""
    return (element.get(_LANG) or element.get("lang") or "").strip().replace("_", "-")


def _tmx(file: UnitFile, element: etree._Element) -> Iterator[Texts]:
    # A unit may name its own source language, where the header has `*all*`.
    if not file.source and (language := element.get("srclang", "")).lower() != "*all*":
        file.source = language.replace("_", "-")
    if local_name(element) == "tu":
        versions = element.iterchildren("{*}tuv")
        yield [(_language(each), _text(text), "") for each in versions for text in each.iterchildren("{*}seg")]


def _xliff(file: UnitFile, element: etree._Element) -> Iterator[Texts]:
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
    reason = _reason(element, target)
    if parts[0].keys() & parts[1].keys():
        states = {} if reason else _studio_states(sides.get("seg-defs"))
        for number in {**parts[0], **parts[1]}:
            texts = (parts[side].get(number, "") for side in (0, 1))
            yield [(left, next(texts), ""), (right, next(texts), reason or states.get(number, ""))]
    else:
        yield [(left, whole[0], ""), (right, whole[1], reason)]


def _reason(unit: etree._Element, target: etree._Element | None) -> str:
    """Return the reason to leave a translation out, or an empty text."""
    own = next((each.get("translate") for each in (unit, *unit.iterancestors()) if each.get("translate")), "yes")
    if own == "no":
        return "translate-no"
    state = unit.get("state") or unit.get(_MEMOQ_STATUS) or ""
    qualifier = ""
    if target is not None:
        state, qualifier = target.get("state", state), target.get("state-qualifier", "")
    return _state_reason(qualifier) or _state_reason(state)


def _state_reason(state: str) -> str:
    return "untranslated" if state in _UNTRANSLATED else "rejected" if state.startswith(_REJECTED) else ""


def _studio_states(definitions: etree._Element | None) -> dict[str, str]:
    """Return the reasons to leave segments of Trados Studio out, by their numbers. A copied source is a draft."""
    found = {}
    for each in definitions if definitions is not None else ():
        copied = each.get("conf") == "Draft" and each.get("origin") == "source"
        found[each.get("id", "")] = "untranslated" if copied else _state_reason(each.get("conf", "Unspecified"))
    return found


def _tbx(file: UnitFile, element: etree._Element) -> Iterator[Texts]:
    """Read a concept. DCA and DCT files differ only in how they write the properties of a term."""
    texts = []
    for section in element.iter("{*}langSec", "{*}langSet"):
        for each in section.iter("{*}termSec", "{*}tig", "{*}ntig"):
            term = reason = ""
            for child in each.iter("{*}*"):
                name = local_name(child)
                if name == "term":
                    term = _text(child) if local_name(child.getparent()) in ("termSec", "tig", "termGrp") else term
                elif (child.get("type", "") if name == "termNote" else name).lower() in _STATUSES:
                    status = "".join(filter(str.isalpha, _text(child))).lower()
                    if status.startswith(_DEPRECATED):
                        reason = "deprecated"
                    elif status and not status.startswith(_USABLE):
                        file.counts.unknown[_text(child).strip()] += 1
            texts.append((_language(section), term, reason))
    yield texts


# By root element: the name of the format, the elements to read, and how to read one.
_TERMS = ("TBX", ("conceptEntry", "termEntry"), _tbx)
_FORMATS: dict[str, tuple[str, tuple[str, ...], Callable[[UnitFile, etree._Element], Iterator[Texts]]]] = {
    "tmx": ("TMX", ("header", "tu"), _tmx),
    "xliff": ("XLIFF", ("trans-unit", "segment"), _xliff),
    "tbx": _TERMS,
    "martif": _TERMS,
}
