"""Occurrences of a word with their senses: XML of the lexical samples of Senseval, and `.pos` files of NLTK.

    <lexelt item="line-n"> <instance id="1"> <answer instance="1" senseid="cord"/>
    <context> <wf pos="DT">the</wf> <head><wf pos="NN">line</wf></head> <wf pos="VBD">broke</wf> </context> </instance>

Text outside `wf` is split at spaces, as in the files of Senseval 2 and 3. A line break inside a context, or an element
`s`, ends a sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lxml import etree

from lexenc.errors import DataError
from lexenc.files.exchange.xml import elements, line_of, local_name, root_name
from lexenc.text.folding import trim
from lexenc.text.words import split_at_spaces

NO_WORD, NO_SENSE, SEVERAL = "no marked word", "no sense", "several senses"
_HINT = "Use XML with <instance>, <answer senseid> and a <context> with <head>, such as line.pos of Senseval."


class SensevalInstance(NamedTuple):
    """A word in its context, with its sense.

    Attributes:
        name: Name of the instance.
        sense: Name of its sense.
        sentences: Words of the context, sentence by sentence. No sentence is empty.
        sentence: Number of the sentence that contains the word.
        first: Position of the word in its sentence, or of the first of several marked words.
        last: Position after the last marked word.
    """

    name: str
    sense: str
    sentences: list[list[str]]
    sentence: int
    first: int
    last: int

    @property
    def words(self) -> list[str]:
        """Words of the sentence that contains the word."""
        return self.sentences[self.sentence]


def read_senseval(path: Path) -> tuple[dict[str, list[SensevalInstance]], Counter[str]]:
    """Read the instances of each word, e.g. `line-n`, and count those left out by reason. gzip is unpacked.

    Instances without a marked word, without a sense or with several senses are left out.

    Raises:
        DataError: If the file is not well-formed, two instances of a word have one name, or no instance is left.
    """
    root_name(path)
    found: dict[str, dict[str, SensevalInstance]] = {}
    left_out, count = Counter[str](), 0
    for count, element in enumerate(elements(path, ("instance",), Counter()), start=1):
        instance, above = _instance(element), element.getparent()
        if isinstance(instance, str):
            left_out[instance] += 1
            continue
        own = found.setdefault(trim("" if above is None else above.get("item", "")), {})
        if instance.name and instance.name in own:
            raise DataError(
                f"{path}, line {line_of(element)}: the instance '{instance.name}' is there twice.",
                hint="Give every instance an id of its own.",
            )
        own[instance.name or f"instance {count}"] = instance
    if not found:
        reasons = ", ".join(f"{reason}: {number:,}" for reason, number in left_out.items())
        why = f"all of its {count:,} instances were left out ({reasons})" if count else "it has no <instance>"
        raise DataError(f"{path} holds no occurrences with a sense: {why}.", hint=_HINT)
    return {word: list(own.values()) for word, own in found.items()}, left_out


def _instance(element: etree._Element) -> SensevalInstance | str:
    """Return an instance, or the reason to leave it out."""
    senses = {trim(each.get("senseid", "")) for each in element.iter("{*}answer")} - {""}
    if len(senses) != 1:
        return SEVERAL if senses else NO_SENSE
    sentences: list[list[str]] = [[]]
    marked: list[tuple[int, int]] = []
    for context in element.iter("{*}context"):
        for text, alone, inside in _texts(context, inside=False):
            lines = [" ".join(text.split())] if alone else text.split("\n")
            for number, line in enumerate(lines):
                if number and sentences[-1]:
                    sentences.append([])
                for word in [line] if alone and line else split_at_spaces(trim(line)):
                    marked += [(len(sentences) - 1, len(sentences[-1]))] if inside else []
                    sentences[-1].append(word)
    places = [place for sentence, place in marked if sentence == marked[0][0]]
    if not places:
        return NO_WORD
    name = trim(element.get("id", ""))
    return SensevalInstance(
        name, senses.pop(), [each for each in sentences if each], marked[0][0], places[0], places[-1] + 1
    )


def _texts(element: etree._Element, *, inside: bool) -> Iterator[tuple[str, bool, bool]]:
    """Yield the texts of a context in order: whether each is one word, and whether it is marked."""
    name = local_name(element)
    inside = inside or name == "head"
    if name:
        yield element.text or "", name == "wf", inside
        if name == "s":
            yield "\n", False, False
    for each in element if name else ():
        yield from _texts(each, inside=inside)
        yield each.tail or "", False, inside
