"""How self-learning judged its own results: a mapping was found, it is doubtful, or it is noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lexenc.files.evaluations import UNFAIR
from lexenc.files.text import counted
from lexenc.pages import Cell, Grid, is_number, number, readable
from lexenc.report.results import ResultFolder, ResultFolders

# Meaning, text and style of a cell; the worst first.
_WORDS = {
    "not found": ("no mapping was found, the result is noise", "✗ noise: not found", "wrong strong"),
    "doubtful": ("whether the mapping translates is doubtful", "? doubtful", "doubt"),
    "found": ("a mapping was found", "✓ found", "right"),
}
_NAMED = 6  # results that the warning names


@dataclass(frozen=True)
class Verdict:
    """A judgement."""

    result: ResultFolder
    part: str  # language that is judged; empty for the whole mapping
    word: str  # `found`, `doubtful` or `not found`
    signs: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the result with its part."""
        return f"{self.result.name} ({self.part})" if self.part else self.result.name

    @property
    def rank(self) -> int:
        """Position of the verdict from worst to best."""
        return [*_WORDS, self.word].index(self.word)

    @property
    def meaning(self) -> str:
        """The verdict in words, without a name."""
        return _WORDS[self.word][0] if self.word in _WORDS else self.word

    @property
    def cell(self) -> Cell:
        """The verdict as a cell."""
        _, text, style = _WORDS.get(self.word, ("", readable(self.word), "doubt"))
        return Cell(text, float(self.rank), style)

    @property
    def reasons(self) -> str:
        """The verdict in words with the signs that decided it."""
        told = []
        found, chance = self.sign("consistency"), self.sign("chance_consistency")
        if found is not None:
            by_chance = "" if chance is None else f", by chance {100 * chance:.0f} %"
            told.append(f"{100 * found:.0f} % of held-out pairs recovered{by_chance}")
        frequency, spelling = self.sign("frequency_agreement"), self.sign("identical_agreement")
        if frequency is not None:
            told.append(f"frequency correlation {frequency:+.2f}")
        if spelling is not None:
            told.append(f"{100 * spelling:.0f} % of identically spelled words are paired")
        return readable(f"{self.meaning} ({'; '.join(told)})" if told else self.meaning)

    def sign(self, name: str) -> float | None:
        """Return one of the signs; None if it was not computed."""
        value = self.signs.get(name)
        return float(value) if is_number(value) else None


def verdicts_of(results: ResultFolders) -> list[Verdict]:
    """Return every verdict, in the order of the results."""
    found = []
    for result in results.of_stage("map", "map-hub"):
        languages = [(str(each.get("language", "")), each) for each in result.manifest.results]
        for part, signs in [("", result.manifest.summary), *languages]:
            if isinstance(signs.get("verdict"), str):
                found.append(Verdict(result, part, signs["verdict"], signs))
    return found


def headline(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts in one sentence."""
    lost, doubtful, found = ([one.name for one in verdicts if one.word == word] for word in _WORDS)
    if len(verdicts) == 1:
        return readable(f"{verdicts[0].name}: {verdicts[0].meaning}.")
    told = [f"Self-learning found a mapping in {len(found)} of {counted(len(verdicts), 'result')}"]
    for names, what in ((lost, "noise"), (doubtful, "doubtful")):
        told += [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {what}"] if names else []
    return readable("; ".join(told) + ".")


def listed(names: Sequence[str]) -> str:
    """Return names in words, the first three of many."""
    shown = [*names] if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def warnings(results: ResultFolders, verdicts: Sequence[Verdict]) -> list[str]:
    """Return a warning for every noisy or doubtful result, noise first, with the results made from it."""
    bad = sorted((one for one in verdicts if one.word != "found"), key=lambda one: one.word != "not found")
    lines = []
    for one in bad[:_NAMED]:
        made = [
            each.name for each in results.finished if each is not one.result and one.result in results.ancestors(each)
        ]
        after = f" Made from it: {listed(made)}." if made else ""
        lines.append(readable(f"{one.name}: {one.reasons}.{after}"))
    if len(bad) > _NAMED:
        lines.append(f"{len(bad) - _NAMED} more are noise or doubtful. The table of self-learning lists all.")
    return lines


def unfair(results: ResultFolders) -> list[str]:
    """Return a warning for every result whose numbers are or may be too high because the test was not fair."""
    lines = []
    for result in results.finished:
        found = [each.get(UNFAIR) for each in result.manifest.results]
        reasons = dict.fromkeys(reason for own in found if isinstance(own, list) for reason in own)
        if reasons:
            lines.append(readable(f"{result.name}: the test was not fair. {' '.join(map(str, reasons))}"))
    left = len(lines) - _NAMED
    return lines[:_NAMED] + ([f"The tests of {left} more were not fair. Their tables say why."] if left > 0 else [])


def verdict_table(verdicts: Sequence[Verdict]) -> Grid:
    """Return a table of verdicts with their signs, the worst first."""
    rows = [
        [
            Cell(readable(one.name), link=one.result.name),
            one.cell,
            number(one.sign("consistency"), 0, scale=100),
            number(one.sign("chance_consistency"), 0, scale=100),
            number(one.sign("frequency_agreement"), 2, sign=True),
            number(one.sign("identical_agreement"), 0, scale=100),
            number(one.sign("mutual"), 0, scale=100),
            number(one.sign("objective"), 3),
            number(one.sign("iterations"), 0),
        ]
        for one in sorted(verdicts, key=lambda one: one.rank)
    ]
    columns = [
        "result", "mapping", "#held-out pairs recovered", "#by chance", "#frequency correlation",
        "#identically spelled words paired", "#mutual nearest neighbours", "#objective", "#iterations",
    ]  # fmt: skip
    note = (
        "Computed without a dictionary on the most frequent words; shares are in per cent. A rotation is learned from "
        "half of the mutual nearest neighbours and must recover the other half. Chance is a random rotation. Frequency "
        "correlation is the rank correlation within the pairs. The objective alone proves nothing, since it also rises "
        "on noise. Empty cells were not computed."
    )
    return Grid("Self-learning: was a mapping found?", columns, rows, note)
