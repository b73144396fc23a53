"""Pairs of two languages from multilingual units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.exchange.units import DELETIONS, KEEP, ONE_SIDED, REASONS, TAGS, Counts, Texts, UnitFile
from lexenc.files.text import counted

# A warning and a hint.
Remark = tuple[str, str | None]


@dataclass
class PairSummary:
    """Languages and counts of a file that is being read.

    Args:
        source: Source language, as requested or found.
        target: Target language, as requested or found.
        pairs: Number of pairs.
        identical: Number of pairs whose texts are equal.
        variants: For each side, the number of texts by language, as written in the file.
    """

    source: str = ""
    target: str = ""
    pairs: int = 0
    identical: int = 0
    variants: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))


@lru_cache(maxsize=1024)
def matches(wanted: str, language: str) -> bool:
    """Return whether a language is the requested one, or a variety of it.

    This is basic filtering of RFC 4647, section 3.3.1: `en` matches `en`, `en-US` and `EN_us`, while `en-US` matches
    only itself and its varieties.
    """
    wanted, language = wanted.replace("_", "-").lower(), language.replace("_", "-").lower()
    return language == wanted or language.startswith(wanted + "-")


def _closeness(one: str, other: str) -> int:
    """Return 2 if one language is a variety of the other, 1 if both are varieties of the same language, and else 0."""
    alike = matches(one, other) or matches(other, one)
    return 2 * alike or int(_primary(one) == _primary(other))


def _primary(language: str) -> str:
    return language.replace("_", "-").split("-")[0].lower()


class PairFile:
    """The pairs of two languages in a TMX, XLIFF or TBX file. Memory does not depend on its size.

    A unit with several texts of a language (synonyms in a termbase, varieties in a memory) yields every combination.

    Args:
        path: The file.
        source: Language (BCP-47) of the left side. If None, it is the source language of the file, or else the first
            language. It must be given if the file has more than two languages.
        target: Language of the right side.
        keep: Of `KEEP`, the reasons for which nothing is left out.

    Attributes:
        found: Languages and counts of the part read so far.
        keep: As given.
    """

    def __init__(
        self, path: Path, source: str | None = None, target: str | None = None, *, keep: Collection[str] = ()
    ) -> None:
        self._units = UnitFile(path, keep=keep)
        self.path, self._wanted, self.keep = path, (source, target), frozenset(keep)
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
            for language, _, _ in unit.texts:
                seen[language] += 1
            left = self._side(unit.texts, source, 0)
            right = self._side(unit.texts, target, 1)
            if not (left and right):
                self.counts.left_out[ONE_SIDED] += 1
                continue
            others = self._kept(right)
            for one in self._kept(left):
                for other in others:
                    found.pairs += 1
                    found.identical += one == other
                    yield unit.line, one, other
        if not found.pairs:
            raise self._nothing(seen)

    def _side(self, texts: Texts, wanted: str, side: int) -> Texts:
        """Return the texts of a language. Without a language, the second text is the target."""
        variants, taken = self.found.variants[side], []
        for place, each in enumerate(texts):
            language = each[0]
            if matches(wanted, language) or (not language and side == place == 1):
                variants[language or wanted] += 1
                taken.append(each)
        return taken

    def _kept(self, texts: Texts) -> list[str]:
        """Return the texts that there is no reason to leave out, and count the others."""
        taken = []
        for _, text, reason in texts:
            keep = not reason or reason in self.keep
            if reason:
                (self.counts.kept if keep else self.counts.left_out)[reason] += 1
            if keep:
                taken.append(text)
        return taken

    def _choose(self, source: str | None, target: str | None) -> tuple[str, str]:
        """Return the languages to read if not both were requested."""
        seen = Counter(language for unit in self._units for language, _, _ in unit.texts)
        if not seen:
            raise self._nothing(seen)
        names = list({each.lower(): each for each in reversed(seen)}.values())[::-1]
        if len(names) != 2:
            # Varieties of a language count as one if that makes two.
            names = list(dict.fromkeys(map(_primary, names)))
        if len(names) != 2:
            hint = "Export it with its translations."
            if len(seen) > 1:
                hint = f"Choose two: --source-language {next(iter(seen))} --target-language {list(seen)[1]}"
            raise DataError(f"{self.path} holds {_listed(seen)}, but a pair has two languages.", hint=hint)
        first, second = names
        own = source or self._units.source
        if _closeness(own, second) > _closeness(own, first) or (target and matches(target, first)):
            first, second = second, first
        return source or first, target or second

    def _nothing(self, seen: Counter[str]) -> DataError:
        if not self.counts.units:
            what = "units" if self.kind != "TBX" else "concepts"
            return DataError(f"{self.path} holds no {what}.", hint="Was it exported with its content?")
        both = f"{self.found.source} and {self.found.target}" if self.found.source else "two languages"
        if named := _listed_reasons(self.counts.left_out):
            message = f"{self.path} holds no pairs of {both}: {named} left out."
            return DataError(message, hint=_how_to_keep(self, *REASONS))
        return DataError(
            f"{self.path}: none of {counted(self.counts.units, 'unit')} has text in {both}.",
            hint=f"It holds {_listed(seen)}." if seen else "All of its texts are empty.",
        )


def _listed(seen: Counter[str]) -> str:
    return f"{counted(len(seen), 'language')}: {_listed_counts(seen, 'a language without a name')}"


def _listed_counts(seen: Counter[str], unnamed: str = "") -> str:
    shown = [f"{name or unnamed} ({number:,})" for name, number in list(seen.items())[:8]]
    more = f" and {len(seen) - 8} more" if len(seen) > 8 else ""
    return ", ".join(shown) + more


def remarks(read: PairFile) -> list[Remark]:
    """Return warnings about a file that was read to its end, with hints."""
    counts, found, said = read.counts, read.found, list[Remark]()
    for option, variants in zip(("source", "target"), found.variants, strict=True):
        if len(variants) > 1:
            listed = _listed_counts(Counter(dict(variants.most_common())))
            hint = f"To read one of them: --{option}-language {variants.most_common(1)[0][0]}"
            said.append((f"Several varieties were read as {option}: {listed}.", hint))
    if named := _listed_reasons(counts.left_out):
        said.append((f"Skipped {named}.", _how_to_keep(read, *REASONS)))
    if named := _listed_reasons(counts.kept):
        said.append((f"Kept {named}, which the result does not mark.", None))
    one_sided, tags, deletions = (counts.left_out[each] for each in (ONE_SIDED, TAGS, DELETIONS))
    characters, unknown = counts.characters.total(), counts.unknown.total()
    identical = found.identical if _primary(found.source) != _primary(found.target) else 0
    said += [
        (sentence, hint)
        for number, sentence, hint in (
            (one_sided, f"Skipped {counted(one_sided, 'unit')} without text on one side.", None),
            (
                tags,
                f"Removed escaped tags, such as <f0> or </b>, from {counted(tags, 'text')}.",
                _how_to_keep(read, TAGS),
            ),
            (deletions, f"Removed deletions of tracked changes from {counted(deletions, 'text')}.", None),
            (
                characters,
                f"Removed {counted(characters, 'character')} that XML does not allow: "
                f"{_listed_counts(counts.characters)}.",
                None,
            ),
            (
                unknown,
                f"Kept {counted(unknown, 'term')} with an unknown status: {_listed_counts(counts.unknown)}.",
                "Remove them from the termbase if they must not be used.",
            ),
            (counts.cleaned, f"Replaced line ends or TABs by spaces in {counted(counts.cleaned, 'text')}.", None),
            (
                identical > found.pairs / 2,
                f"{identical:,} of {counted(found.pairs, 'target')} are equal to their sources.",
                "Was the file exported before it was translated?",
            ),
        )
        if number
    ]
    return [(f"{read.path}: {sentence}", hint) for sentence, hint in said]


def _listed_reasons(numbers: Counter[str]) -> str:
    return ", ".join(counted(numbers[reason], *nouns) for reason, nouns in REASONS.items() if numbers[reason])


def _how_to_keep(read: PairFile, *wanted: str) -> str:
    """Return how to keep what is left out for some reasons, and what is kept already."""
    reasons = [each for each in KEEP if each in read.keep or (each in wanted and read.counts.left_out[each])]
    return f"lexenc convert keeps them with --keep {','.join(reasons)}."
