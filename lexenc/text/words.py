"""Segmentation of texts into words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Literal, get_args

from lexenc.errors import ConfigError, unknown_name
from lexenc.text.folding import trim

Segmentation = Literal["words", "spaces", "characters", "spacy"]
Spacing = Literal["tokenised", "written", "unspaced", "unknown"]
"""Where texts have spaces: around punctuation too; between words as they are written; nowhere; or it is unclear."""

SHOWING = 1000
"""Number of texts that show where texts of a language have spaces."""
UNSPACED_HINT = "Split the text into words first, with a program for its language"

SEGMENTATIONS: tuple[str, ...] = get_args(Segmentation)

# Scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana, and Han with its few signs among punctuation.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3041, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0xFF66, 0xFF9F),
    (0x1AFF0, 0x1B16F), (0x20000, 0x3FFFF),
)  # fmt: skip
# Characters that belong to the previous one without being combining marks: the second halves of Thai and Lao AM, the
# long vowel of kana, half-width voicing, skin tones, and the letters of tags that follow a flag.
_CLINGING = ((0x0E33, 0x0E33), (0x0EB3, 0x0EB3), (0x30FC, 0x30FC), (0xFF70, 0xFF70), (0xFF9E, 0xFF9F),
             (0x1F3FB, 0x1F3FF), (0xE0020, 0xE007F))  # fmt: skip
# Joiners shape letters inside a word of Persian or Hindi, and combine pictures; a soft hyphen is invisible.
_BMP, _LAST_LETTER = 0xFFFF, 0x33480
_NON_JOINER, _JOINER, _SOFT_HYPHEN = 0x200C, 0x200D, 0xAD
_APOSTROPHES = "'’"
_HYPHENS = "-‐‑"
# Commas and full stops of many scripts. Other marks have a space before them in French too.
_STOPS = frozenset(",.，．、。､｡،۔।॥၊။፣።។։")
# Tokenised text of scripts without spaces has a space after so many characters or fewer.
_RUN = 8
# Languages in which a short word loses its vowel before another: l'eau, dell'acqua.
_ELIDING = ("fr", "fra", "it", "ita", "ca", "cat", "oc", "oci", "wa", "wln", "scn", "lij", "pms", "frp", "co", "cos")


def segmenter(name: Segmentation, language: str | None = None) -> Callable[[str], list[str]]:
    """Return a function that splits a text of a language into words. No word is empty or contains a space.

    Args:
        name: words: words and punctuation by the classes of Unicode. spaces: see `split_at_spaces`. characters: every
            character as a reader sees it is a word, for languages without spaces. spacy: the rules of spaCy.
        language: BCP-47 code. Required for spaCy. With `words`, French, Italian and similar languages split `l'eau`.

    Raises:
        ConfigError: If the name is unknown, spaCy is not installed, or it does not support the language.
    """
    if name not in SEGMENTATIONS:
        raise unknown_name("segmentation", name, SEGMENTATIONS)
    code = None if language is None else language.split("-")[0].lower()
    if name == "spacy":
        return _spacy(code)
    if name == "spaces":
        return split_at_spaces
    return (_character_pattern() if name == "characters" else _word_pattern(code in _ELIDING)).findall


def word_expression() -> str:
    """Return the pattern of `segmenter("words")` in the syntax of Oniguruma, by which tokenizers split text."""
    escaped = re.sub(r"\\U([0-9a-f]{8})", lambda found: rf"\x{{{int(found[1], 16):x}}}", _word_pattern(False).pattern)
    return "".join(sign if ord(sign) <= _BMP else rf"\x{{{ord(sign):x}}}" for sign in escaped)


def split_at_spaces(text: str) -> list[str]:
    """Return the words between spaces or TABs.

    A no-break space is part of a word, as in `10 000`, but not at its ends. Alone it is a word, so that words keep
    their numbers.
    """
    words = [word for word in text.replace("\t", " ").split(" ") if word]
    return words if text.isascii() else [trim(word) or word for word in words]


def in_context(words: Sequence[str], start: int, end: int, *, around: int) -> str:
    """Return the words from `start` to `end` in brackets, with at most `around` words on each side; … for others."""
    first, last = max(0, start - around), end + around
    marked = f"[{' '.join(words[start:end])}]"
    shown = [*(["…"] if first else []), *words[first:start], marked, *words[end:last]]
    return " ".join([*shown, *(["…"] if last < len(words) else [])])


def spacing_of(texts: Iterable[str]) -> Spacing:
    """Return where texts of one language have spaces.

    In scripts without spaces between words, spaces decide; in all others, whether commas and full stops stand alone.
    """
    alone = attached = letters = unspaced = gaps = 0
    sign = _unspaced_sign()
    gap = re.compile(rf"{sign.pattern}[ \t]+(?={sign.pattern})")
    for text in texts:
        letters += sum(map(str.isalpha, text))
        unspaced += len(sign.findall(text))
        gaps += len(gap.findall(text))
        for word in split_at_spaces(text):
            alone += word in _STOPS
            # Not in abbreviations such as U.S. or e.g.
            attached += word[-1] in _STOPS and _STOPS.isdisjoint(word[:-1]) and _ends_in_letter(word[:-1])
    if 2 * unspaced > letters:
        return "tokenised" if _RUN * gaps >= unspaced else "unspaced"
    if alone or attached:
        return "tokenised" if alone >= attached else "written"
    return "unknown"


def _ends_in_letter(text: str) -> bool:
    return bool(text) and unicodedata.category(text[-1])[0] in "LNM"


def _spacy(language: str | None) -> Callable[[str], list[str]]:
    if language is None:
        raise ConfigError(
            "The rules of spaCy depend on the language, which is missing.",
            hint="Give the code of both languages, or choose words.",
        )
    try:
        spacy: Any = import_module("spacy")
    except ImportError:
        raise ConfigError(
            "spaCy is not installed.", hint="pip install spacy, or choose words, spaces or characters."
        ) from None
    try:
        tokenizer = spacy.blank(language).tokenizer
    except ImportError as error:  # also where the language needs a package of its own
        raise ConfigError(
            f"spaCy cannot split '{language}' into words: {' '.join(str(error).split())}.",
            hint="Choose words, spaces or characters.",
        ) from None
    # A token that contains spaces is several words.
    return lambda text: [word for token in tokenizer(text) for word in token.text.split()]


@cache
def _word_pattern(eliding: bool) -> re.Pattern[str]:
    """Return a pattern for words and punctuation, the same for all languages except for `eliding`.

    - A sequence of letters, digits and combining marks is a word; every other sign is a word.
    - An apostrophe or hyphen inside a word belongs to it (don't, well-known), but not at its edge; so does a full stop,
      comma or colon between digits (1,234.5 and 10:30). With `eliding` a word ends after the apostrophe: l' eau.
    - In Han, kana, Thai, Lao, Khmer and Burmese every character with its marks is a word.
    - Spaces and control characters separate words and are dropped.
    """
    unspaced, clinging, joiners = _points(_UNSPACED), _clinging(), {_NON_JOINER, _JOINER, _SOFT_HYPHEN}
    letters = (_of_categories("L", "N", "M") | clinging) - (unspaced - clinging)
    inner = f"[{_HYPHENS}]" if eliding else f"[{_HYPHENS}{_APOSTROPHES}]"
    start, letter = _one_of(letters), _one_of(letters | joiners)
    word = rf"{start}{letter}*(?:(?:{inner}|(?<=\d)[.,:](?=\d)){start}{letter}*)*"
    if eliding:
        word = rf"{word}(?:[{_APOSTROPHES}](?={start}))?"
    return re.compile(rf"{word}|{_sign()}")


@cache
def letter_pattern() -> re.Pattern[str]:
    r"""Return a pattern for sequences of letters and digits with their combining marks, in any script.

    Without the marks, which `\w` does not know, Hindi and Thai words would be cut at their vowels, and words in
    Unicode form NFD at their accents.
    """
    return re.compile(rf"\w[\w{_ranges(_of_categories('M') | {_NON_JOINER, _JOINER})}]*")


@cache
def _character_pattern() -> re.Pattern[str]:
    """Return a pattern for grapheme clusters: a letter with its marks, a Hangul syllable or picture of several."""
    hangul = "[\u1100-\u115f\ua960-\ua97c]+[\u1160-\u11a7\ud7b0-\ud7c6]*[\u11a8-\u11ff\ud7cb-\ud7fb]*"
    return re.compile(rf"{hangul}{_one_of(_clinging())}*|{_sign()}")


@cache
def _unspaced_sign() -> re.Pattern[str]:
    return re.compile(_one_of(_points(_UNSPACED)))


def _sign() -> str:
    """Return a pattern for one visible character with its marks, except spaces and control characters."""
    one = rf"[^\s{_ranges(_of_categories('Cc', 'Cf', 'Cs'))}]"
    more = rf"{_one_of(_clinging() | {_NON_JOINER})}*"
    flag = "[\U0001f1e6-\U0001f1ff]{2}"
    return rf"(?:{flag}|{one}){more}(?:{chr(_JOINER)}(?:{one}{more})?)*"


@cache
def _clinging() -> frozenset[int]:
    """Return the characters that belong to the previous one."""
    return _of_categories("M") | _points(_CLINGING)


@cache
def _of_categories(*wanted: str) -> frozenset[int]:
    """Return the code points of Unicode categories, given by name or first letter."""
    return frozenset(point for category, points in _categories().items() if category.startswith(wanted)
                     for point in points)  # fmt: skip


@cache
def _categories() -> dict[str, list[int]]:
    """Return the code points of every category, without those for private use and beyond."""
    table: dict[str, list[int]] = {}
    for point in (*range(_LAST_LETTER), *range(0xE0000, 0xE0200)):
        table.setdefault(unicodedata.category(chr(point)), []).append(point)
    return table


def _points(ranges: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(point for first, last in ranges for point in range(first, last + 1))


def _one_of(points: Collection[int]) -> str:
    """Return a pattern for code points.

    Those above 0xFFFF are separate, because `re` tests their ranges one by one for every character not found below.
    """
    low, high = ([point for point in points if (point > _BMP) == above] for above in (False, True))
    beyond = "[\U00010000-\U0010ffff]"
    return rf"(?:[{_ranges(low)}]|(?={beyond})[{_ranges(high)}])"


def _ranges(points: Iterable[int]) -> str:
    """Return code points as the ranges in the brackets of a pattern."""
    ranges: list[list[int]] = []
    for point in sorted(points):
        if ranges and point == ranges[-1][1] + 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
