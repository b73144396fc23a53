"""Occurrences of headwords in a text, which is read once as a stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from lexenc.randomness import generator
from lexenc.text.folding import Folding

Cut = Callable[[str], list[str]]
_T = TypeVar("_T")
_AROUND = 128  # words on each side of an occurrence that its vector depends on
_SHOWN = 160  # letters on each side of an occurrence that are shown
_LISTED = 50  # headwords up to which a line is searched for them before it is split into words


@dataclass(frozen=True)
class Headword:
    """A word, or several words in sequence, as they are compared with a text.

    Args:
        language: Name of the language.
        words: The words, folded.
    """

    language: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """The words, separated by spaces."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Occurrence:
    """One occurrence of a headword.

    Args:
        line: Number of the line, from 1.
        words: The words of the line, at most 128 on each side of the occurrence.
        start: Its first word.
        end: The word after its last.
        left: The text before it, at most 160 letters.
        form: The text itself.
        right: The text after it, likewise.
    """

    line: int
    words: list[str]
    start: int
    end: int
    left: str
    form: str
    right: str

    @classmethod
    def of(cls, line: int, text: str, words: Sequence[str], start: int, end: int) -> Occurrence:
        """Return the occurrence of the words from `start` to `end` of a line."""
        places, at = [], 0
        for word in words[:end]:
            at = text.index(word, at)
            places.append((at, at + len(word)))
            at += len(word)
        begin, stop = places[start][0], places[-1][1]
        first = max(0, start - _AROUND)
        left, right = _plain(text[max(0, begin - _SHOWN) : begin]), _plain(text[stop : stop + _SHOWN])
        if begin > _SHOWN:  # no half words
            left = f"…{left[max(0, left.find(' ')) :]}"
        if stop + _SHOWN < len(text):
            right = f"{right[: right.rfind(' ') + 1] or right}…"
        return cls(
            line, list(words[first : end + _AROUND]), start - first, end - first, left, _plain(text[begin:stop]), right
        )


def _plain(text: str) -> str:
    """Return a text with plain spaces only, so that it fits into a cell of a table."""
    return re.sub(r"\s", " ", text)


class HeadwordFinder:
    """Finds headwords among the words of a line. Where several begin at the same word, the longest one is found.

    Args:
        headwords: Headwords of one language by number.
        folding: How words are compared.
        language: BCP-47 code or name of the language, for folding.
    """

    def __init__(self, headwords: dict[int, Headword], folding: Folding, language: str) -> None:
        self._folding, self._language = folding, language
        self._first: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for number, one in headwords.items():
            self._first.setdefault(one.words[0], []).append((one.words, number))
        for choices in self._first.values():
            choices.sort(key=lambda choice: -len(choice[0]))
        names = "|".join(re.escape(_loose(name)) for name in self._first)
        self._pattern = re.compile(names) if 0 < len(self._first) <= _LISTED else None

    def may_be_in(self, line: str) -> bool:
        """Return False for a line that certainly contains no headword. Faster than splitting it into words."""
        if self._pattern is None:
            return bool(self._first)
        return self._pattern.search(_loose(self._folding.fold(line, self._language))) is not None

    def find(self, words: Sequence[str]) -> list[tuple[int, int, int]]:
        """Return the number of every headword that occurs, with its first word and the word after its last."""
        folded = [self._folding.fold(word, self._language) for word in words]
        found, place = [], 0
        while place < len(folded):
            for wanted, number in self._first.get(folded[place], ()):
                if tuple(folded[place : place + len(wanted)]) == wanted:
                    found.append((number, place, place + len(wanted)))
                    place += len(wanted) - 1
                    break
            place += 1
        return found


def _loose(text: str) -> str:
    # A sigma at the end of a word is another letter than within a line.
    return text.replace("ς", "σ")


class Reservoir(Generic[_T]):
    """A random sample of a stream in constant memory: every item is in it with the same probability (Vitter 1985).

    Args:
        size: Largest number of items.
        seed: Seed of the run.
        purpose: What it is for, so that no two samples share random numbers.

    Attributes:
        items: The sample.
        seen: Number of items of the stream.
    """

    def __init__(self, size: int, seed: int, purpose: str) -> None:
        self.items: list[_T] = []
        self.seen = 0
        self._size, self._random = size, generator(seed, purpose)

    def offer(self, make: Callable[[], _T]) -> None:
        """Count an item. It is made only if it enters the sample."""
        self.seen += 1
        if len(self.items) < self._size:
            self.items.append(make())
        elif (place := int(self._random.integers(self.seen))) < self._size:
            self.items[place] = make()


@dataclass
class TextSample:
    """What is kept of the text of a language.

    Args:
        occurrences: Occurrences of each headword, by number.
        sentences: Words of some lines, at most 256 of each.
    """

    occurrences: dict[int, Reservoir[Occurrence]]
    sentences: Reservoir[list[str]]

    @property
    def lines(self) -> int:
        """Number of lines that are not blank."""
        return self.sentences.seen


def sample_text(
    lines: Iterator[tuple[int, str]],
    headwords: dict[int, Headword],
    *,
    cut: Cut,
    folding: Folding,
    language: str,
    most: int,
    sentences: int,
    seed: int,
) -> TextSample:
    """Draw occurrences of headwords, and sentences, from the text of a language.

    Args:
        lines: Its lines with their numbers.
        headwords: Headwords of the language by number.
        cut: Splits a line into words.
        folding: How words are compared.
        language: The language.
        most: Largest number of occurrences of each headword.
        sentences: Largest number of sentences.
        seed: Seed of the samples. That of a headword does not depend on the other headwords.
    """
    finder = HeadwordFinder(headwords, folding, language)
    found = TextSample(
        {
            number: Reservoir(most, seed, f"occurrences of {one.text} in {language}")
            for number, one in headwords.items()
        },
        Reservoir(sentences, seed, f"sentences of {language}"),
    )
    for line, text in lines:
        if not text.strip():
            continue
        found.sentences.offer(lambda text=text: cut(text)[: 2 * _AROUND])  # type: ignore[misc]
        if not finder.may_be_in(text):
            continue
        words = cut(text)
        for number, start, end in finder.find(words):
            found.occurrences[number].offer(
                lambda place=(line, text, words, start, end): Occurrence.of(*place)  # type: ignore[misc]
            )
    return found
