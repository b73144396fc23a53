"""Pairs of two languages from multilingual units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.exchange.units import Counts, UnitFile
from lexenc.files.text import counted


@dataclass
class PairSummary:
    """Languages and counts of a file that is being read.

    Args:
        source: Source language, as requested or found.
        target: Target language, as requested or found.
        pairs: Number of pairs.
        one_sided: Number of units skipped because a side has no text.
        variants: For each side, the number of texts by language, as written in the file.
    """

    source: str = ""
    target: str = ""
    pairs: int = 0
    one_sided: int = 0
    variants: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))


@lru_cache(maxsize=1024)
def matches(wanted: str, language: str) -> bool:
    """Return whether a language is the requested one, or a variety of it.

    This is basic filtering of RFC 4647, section 3.3.1: `en` matches `en`, `en-US` and `EN_us`, while `en-US` matches
    only itself and its varieties.
    """
    wanted, language = wanted.replace("_", "-").lower(), language.replace("_", "-").lower()
    return language == wanted or language.startswith(wanted + "-")


class PairFile:
    """The pairs of two languages in a TMX, XLIFF or TBX file. Memory does not depend on its size.

    A unit with several texts of a language (synonyms in a termbase, varieties in a memory) yields every combination.

    Args:
        path: The file.
        source: Language (BCP-47) of the left side. If None, it is the source language of the file, or else the first
            language. It must be given if the file has more than two languages.
        target: Language of the right side.
        deprecated: Whether to keep terms that a termbase marks as deprecated or superseded.

    Attributes:
        found: Languages and counts of the part read so far.
    """

    def __init__(
        self, path: Path, source: str | None = None, target: str | None = None, *, deprecated: bool = False
    ) -> None:
        self._units = UnitFile(path, deprecated=deprecated)
        self._path, self._wanted = path, (source, target)
        self.found = PairSummary()

    @property
    def counts(self) -> Counts:
        """Counts of the part read so far."""
        return self._units.counts

    @property
    def kind(self) -> str:
        """`TMX`, `XLIFF` or `TBX`."""
        return self._units.kind

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        """Yield line, source and target of every pair.

        Raises:
            DataError: If the file is damaged, the languages are not clear, or there are no pairs.
        """
        source, target = self._wanted
        if source is None or target is None:
            source, target = self._choose(source, target)
        self.found = found = PairSummary(source, target)
        seen: Counter[str] = Counter()
        for unit in self._units:
            seen.update(language for language, _ in unit.texts)
            left = self._side(unit.texts, source, 0)
            right = self._side(unit.texts, target, 1)
            found.one_sided += not (left and right)
            for one in left:
                for other in right:
                    found.pairs += 1
                    yield unit.line, one, other
        if not found.pairs:
            raise self._nothing(seen)

    def _side(self, texts: list[tuple[str, str]], wanted: str, side: int) -> list[str]:
        """Return the texts of a language. Without a language, the second text is the target."""
        variants, taken = self.found.variants[side], []
        for place, (language, text) in enumerate(texts):
            if matches(wanted, language) or (not language and side == place == 1):
                variants[language or wanted] += 1
                taken.append(text)
        return taken

    def _choose(self, source: str | None, target: str | None) -> tuple[str, str]:
        """Return the languages to read if not both were requested."""
        seen = Counter(language for unit in self._units for language, _ in unit.texts)
        if not seen:
            raise self._nothing(seen)
        names = list({each.lower(): each for each in reversed(seen)}.values())[::-1]
        if len(names) != 2:
            # Varieties of a language count as one if that makes two.
            names = list(dict.fromkeys(each.split("-")[0].lower() for each in names))
        if len(names) != 2:
            hint = "Export it with its translations."
            if len(seen) > 1:
                hint = f"Choose two: --source-language {next(iter(seen))} --target-language {list(seen)[1]}"
            raise DataError(f"{self._path} holds {_listed(seen)}, but a pair has two languages.", hint=hint)
        first, second = names
        own = source or self._units.source
        if matches(own, second) or matches(second, own) or (target and matches(target, first)):
            first, second = second, first
        return source or first, target or second

    def _nothing(self, seen: Counter[str]) -> DataError:
        if not self._units.counts.units:
            what = "units" if self._units.kind != "TBX" else "concepts"
            return DataError(f"{self._path} holds no {what}.", hint="Was it exported with its content?")
        both = f"{self.found.source} and {self.found.target}" if self.found.source else "two languages"
        return DataError(
            f"{self._path}: none of {counted(self._units.counts.units, 'unit')} has text in {both}.",
            hint=f"It holds {_listed(seen)}." if seen else "All of its texts are empty.",
        )


def _listed(seen: dict[str, int]) -> str:
    shown = [f"{name or 'a language without a name'} ({number:,})" for name, number in list(seen.items())[:8]]
    more = f" and {len(seen) - 8} more" if len(seen) > 8 else ""
    return f"{counted(len(seen), 'language')}: {', '.join(shown)}{more}"


def remarks(read: PairFile) -> list[tuple[str, str | None]]:
    """Return warnings about a file that was read to its end, with hints."""
    counts, found, said = read.counts, read.found, list[tuple[str, str | None]]()
    for option, variants in zip(("source", "target"), found.variants, strict=True):
        if len(variants) > 1:
            listed = ", ".join(f"{name} ({number:,})" for name, number in variants.most_common())
            hint = f"To read one of them: --{option}-language {variants.most_common(1)[0][0]}"
            said.append((f"Several varieties were read as {option}: {listed}.", hint))
    if counts.deprecated:
        said.append((f"Skipped {counted(counts.deprecated, 'deprecated term')}.", "--deprecated keeps them."))
    if found.one_sided:
        said.append((f"Skipped {counted(found.one_sided, 'unit')} without text on one side.", None))
    if counts.cleaned:
        said.append((f"Replaced line ends or TABs by spaces in {counted(counts.cleaned, 'text')}.", None))
    return said
