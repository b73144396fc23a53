"""Running text whose words have sense keys: XML with a file of keys (Raganato et al. 2017), and lists of first senses.

The XML has `<text>`, `<sentence>`, and in it `<wf>` for a word and `<instance id lemma pos>` for one that has a sense.
A line of the file of keys is an id and its keys, separated by spaces. The same form is used for other languages and
inventories (XL-WSD), whose keys are not those of WordNet. So keys are only compared, and never taken apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lexenc.errors import DataError
from lexenc.files.exchange.xml import elements, line_of, local_name, looks_like_xml, root_name
from lexenc.files.text import counted, read_lines
from lexenc.text.folding import trim

NO_KEY = "no sense key"
"""Reason why an instance is left out: the file of keys lacks it."""
_SHOWN = 60  # characters of a value in a message
CORPUS = "corpus"
"""Root element of the XML."""
_RAGANATO = "The data of Raganato et al. 2017 has <corpus>, <text>, <sentence>, and in it <wf> and <instance>."
# Tags of Penn Treebank begin like this; a single letter is one of WordNet. `s` is a satellite adjective.
_PARTS = {"n": "n", "v": "v", "a": "a", "j": "a", "s": "a", "r": "r", "noun": "n", "verb": "v", "adj": "a", "adv": "r"}
_PENN = {"nn": "n", "vb": "v", "jj": "a", "rb": "r"}
_SENSE_TYPES = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}


class SenseTag(NamedTuple):
    """A word, or several in a row, with its senses.

    Args:
        start: Position of its first word in the sentence, from 0.
        end: Position after its last word.
        lemma: Lemma in lower case, with `_` between words.
        part: Part of speech: n, v, a or r; another tag as it is.
        keys: Its senses, each once. Empty if none is known.
        numbers: Number of each sense in WordNet, from 1; empty if they are not known.
        unmapped: How many senses were left out because WordNet lacks them.
        name: Id of the instance, if it has one.
    """

    start: int
    end: int
    lemma: str
    part: str
    keys: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    unmapped: int = 0
    name: str = ""


class TaggedSentence(NamedTuple):
    """A sentence some of whose words have senses.

    Args:
        document: Name of the document.
        words: The words; a multiword expression is several words.
        tags: The words with senses, in order.
    """

    document: str
    words: list[str]
    tags: list[SenseTag]


def words_of(text: str) -> list[str]:
    """Return the words of an expression, e.g. `pointed out` or `Fulton_County`."""
    return text.replace("_", " ").split()


def normal_lemma(text: str) -> str:
    """Return a lemma as they are compared: in lower case, with `_` between its words."""
    return "_".join(text.lower().split())


def part_of_speech(tag: str) -> str:
    """Return n, v, a or r for a tag of WordNet, of the universal tags or of Penn Treebank; another one as it is."""
    low = tag.lower()
    return _PARTS.get(low) or _PENN.get(low[:2], low)


def part_of_key(key: str) -> str:
    """Return the part of speech of a WordNet sense, e.g. n for `1:03:00::`; empty if it is none."""
    return _SENSE_TYPES.get(key[:1], "") if key[1:2] == ":" else ""


def shown(value: str) -> str:
    """Return a value of a file for a message, shortened if it is long."""
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"


def read_sense_keys(path: Path) -> dict[str, tuple[str, ...]]:
    """Read the keys of instances: an id and its keys on each line. gzip and xz are unpacked.

    Raises:
        DataError: If a line has no key, an id comes twice, or there is no line.
    """
    keys: dict[str, tuple[str, ...]] = {}
    for number, line in read_lines(path):
        name, *own = line.split() or [""]
        if not name:
            continue
        if not own:
            raise DataError(
                f"{path}, line {number}: '{shown(name)}' has no sense key.",
                hint="A line is the id of an instance and its keys, separated by spaces.",
            )
        if name in keys:
            raise DataError(
                f"{path}, line {number}: the instance '{shown(name)}' has a line already.",
                hint="Write all keys of an instance on one line.",
            )
        keys[name] = tuple(dict.fromkeys(own))
    if not keys:
        raise DataError(f"{path} has no sense keys.", hint="A line is the id of an instance and its keys.")
    return keys


def read_tagged_xml(path: Path, keys: Mapping[str, tuple[str, ...]], removed: Counter[str]) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file in the form of Raganato et al. 2017, in constant memory besides the ids.

    Args:
        path: The XML file. gzip and xz are unpacked.
        keys: Keys of the instances. One without keys has a tag without keys.
        removed: Counts the characters that XML does not allow, and that are left out.

    Raises:
        DataError: If the file is other XML or none, an instance has no id, lemma or part of speech or no words, an id
            comes twice, or no instance has a key.
    """
    if not looks_like_xml(path) or (root := root_name(path)) != CORPUS:
        what = f"its root is <{shown(root)}>" if looks_like_xml(path) else "it does not begin with <?xml"
        raise DataError(f"{path} is no XML of tagged text: {what}, expected <{CORPUS}>.", hint=_RAGANATO)
    known: set[str] = set()
    for sentence in elements(path, ("sentence",), removed):
        words: list[str] = []
        tags: list[SenseTag] = []
        above = sentence.getparent()
        document = "" if above is None or local_name(above) != "text" else above.get("id", "")
        for each in sentence:
            if not (kind := local_name(each)):  # a comment
                continue
            own = words_of("".join(each.itertext()))
            where = f"{path}, line {line_of(each)}"
            if kind == "instance":
                tag = _instance(each, len(words), len(own), keys, where)
                if tag.name in known:
                    message = f"{where}: the instance '{shown(tag.name)}' comes twice."
                    raise DataError(message, hint="Give every instance an id of its own.")
                known.add(tag.name)
                tags.append(tag)
            elif kind != "wf":
                raise DataError(f"{where}: unknown element <{shown(kind)}> in a sentence.", hint=_RAGANATO)
            words += own
        yield TaggedSentence(document, words, tags)
    if known.isdisjoint(keys):
        first = next(iter(known), "")
        found = f"'{shown(first)}' and {counted(len(known) - 1, 'other id')}" if first else "there are none"
        raise DataError(
            f"None of the instances of {path} has a line in the file of keys ({found}).",
            hint="Give the file of keys that belongs to it, in the same order if there are several.",
        )


def _instance(each: Any, start: int, length: int, keys: Mapping[str, tuple[str, ...]], where: str) -> SenseTag:
    name, lemma, part = (trim(each.get(attribute, "")) for attribute in ("id", "lemma", "pos"))
    for attribute, value in (("id", name), ("lemma", lemma), ("pos", part)):
        if not value:
            raise DataError(f"{where}: <instance> without '{attribute}'.", hint=_RAGANATO)
    if not length:
        raise DataError(f"{where}: the instance '{shown(name)}' has no words.", hint=_RAGANATO)
    lemma, part = normal_lemma(lemma), part_of_speech(part)
    return SenseTag(start, start + length, lemma, part, keys.get(name, ()), name=name)


def read_first_senses(path: Path) -> dict[tuple[str, str], str]:
    """Read the first sense of every lemma and part of speech from `index.sense` or `cntlist.rev` of WordNet.

    A line of `index.sense` is a key, the place of its synset, its number and a count. A line of `cntlist.rev` lacks the
    place, and the file lacks senses without a count. gzip and xz are unpacked.

    Raises:
        DataError: If a line is not of this form, or there is none.
    """
    best: dict[tuple[str, str], tuple[int, str]] = {}
    columns = 0
    for number, line in read_lines(path):
        cells = line.split()
        if not cells:
            continue
        columns = columns or len(cells)
        lemma, sign, rest = cells[0].partition("%")
        part, numbers = part_of_key(rest), cells[1:]
        if len(cells) != columns or columns not in (3, 4) or not (lemma and sign and part and _are_numbers(numbers)):
            raise DataError(
                f"{path}, line {number}: '{shown(line.strip())}' is no line of index.sense or cntlist.rev.",
                hint="A line is a sense key, the place of its synset (index.sense only), its number and its count.",
            )
        own = (normal_lemma(lemma), part)
        best[own] = min(best.get(own, (1 << 62, "")), (int(numbers[-2]), cells[0]))
    if not best:
        raise DataError(f"{path} has no senses.", hint="Give index.sense or cntlist.rev of WordNet.")
    return {own: key for own, (_, key) in best.items()}


def _are_numbers(cells: list[str]) -> bool:
    return all(cell.isascii() and cell.isdigit() and len(cell) < 16 for cell in cells)
