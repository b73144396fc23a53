"""How words are rewritten before they are compared: spaces around them, case and Unicode normal form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from unicodedata import category, normalize

from lexenc.errors import ConfigError

UnicodeForm = Literal["keep", "nfc", "nfkc"]

# Turkish, Azerbaijani, Crimean Tatar and Tatar, by each of their codes.
_TURKIC = ("tr", "tur", "az", "aze", "azj", "crh", "tt", "tat")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.IGNORECASE)

# White space of Unicode, and what is as invisible: zero-width space, word joiner, marks of direction and of byte order.
# Joiners (U+200C, U+200D) are none of these, because they shape letters.
_AROUND = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u200b\u2060\u200e\u200f\u061c\ufeff"
)


def trim(text: str) -> str:
    """Return a text without white space and other invisible characters at its ends.

    Readers use it for the cells of tables and lists, where a no-break space or a byte order mark would make another
    word. The words of vector files are not trimmed: they are what the vectors were trained on.
    """
    return text.strip(_AROUND)


@dataclass(frozen=True)
class Folding:
    """How words are rewritten before they are compared.

    Args:
        lowercase: Whether they are lower-cased.
        unicode: Normal form of Unicode (Standard Annex 15). nfc: a letter and its accents become one character;
            nfkc: full-width letters, ligatures and the like become plain letters as well; keep: as they are.
    """

    lowercase: bool = False
    unicode: UnicodeForm = "keep"

    def __bool__(self) -> bool:
        """Return whether any word may change."""
        return self.lowercase or self.unicode != "keep"

    def fold(self, text: str, language: str | None = None) -> str:
        """Return a text as it is compared. `language` is a BCP-47 code, for lower-casing."""
        # Composed first, so that Turkish finds its dotted I; once more, as lower-casing may leave letters to compose.
        text = self._normal(text)
        return self._normal(fold_case(text, language)) if self.lowercase else text

    def fold_pair(self, pair: tuple[str, str]) -> tuple[str, str]:
        """Return two texts as they are compared."""
        return self.fold(pair[0]), self.fold(pair[1])

    def _normal(self, text: str) -> str:
        if self.unicode == "keep" or text.isascii():
            return text
        return normalize("NFC" if self.unicode == "nfc" else "NFKC", text)


AS_IT_IS = Folding()
COMPOSED = Folding(unicode="nfc")
# Two texts that differ in nothing but case and accents' encoding are one, where it is asked whether something was seen.
SAME_TEXT = Folding(lowercase=True, unicode="nfc")


class _Letters(dict[int, int | None]):
    """For `str.translate`: keep letters, their marks and digits, and remove every other character."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        self[code] = code if character.isalnum() or category(character).startswith("M") else None
        return self[code]


_LETTERS = _Letters()


def same_sentence(pair: tuple[str, str]) -> tuple[str, str]:
    """Return two sentences as they are compared where it is asked whether they were seen.

    Only letters, their marks and digits count, in lower case: one text may be tokenised or have other quotation marks.
    A sentence without any of these is compared without spaces.
    """
    first, second = (text.translate(_LETTERS) or "".join(text.split()) for text in SAME_TEXT.fold_pair(pair))
    return first, second


def fold_case(text: str, language: str | None = None) -> str:
    """Return a text in lower case.

    Args:
        text: Any text.
        language: BCP-47 code. In Turkish and related languages `I` becomes `ı` and `İ` becomes `i`.
    """
    if language is not None and language.split("-")[0].lower() in _TURKIC:
        text = text.replace("İ", "i").replace("I", "ı")
    return text.lower()


def check_language(code: str, label: str) -> None:
    """Check a language code, because an unknown one would silently be folded like English.

    Raises:
        ConfigError: If it does not look like BCP-47: a code of two or three letters, then subtags. `label` names it.
    """
    if _LANGUAGE.fullmatch(code):
        return
    hint = "Use its code: 'tr' for Turkish, 'az' for Azerbaijani, 'de' or 'de-AT' for German."
    if _LANGUAGE.fullmatch(code.replace("_", "-")):
        hint = f"Write a hyphen: '{code.replace('_', '-')}'."
    raise ConfigError(f"{label} must be a language code, got '{code}'.", hint=hint)
