"""What self-learning judged of its own results: was a mapping found, is it doubtful, or is it noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lexenc.files.text import counted
from lexenc.report.parts import Cell, Grid, is_number, number, percent, readable
from lexenc.report.runs import Run, Runs

_SAYS = {
    "found": "a mapping was found",
    "doubtful": "whether the mapping translates is doubtful",
    "not found": "no mapping was found, the result is noise",
}
_STYLES = {"found": "right", "doubtful": "doubt", "not found": "wrong strong"}
_NAMED = 6  # results that are warned of by name


@dataclass(frozen=True)
class Verdict:
    """A judgement.

    Args:
        run: The mapping.
        part: Language of it that is judged; empty where it is the whole.
        word: `found`, `doubtful` or `not found`.
        signs: The numbers behind it, as the stage named them.
    """

    run: Run
    part: str
    word: str
    signs: dict[str, Any]

    @property
    def name(self) -> str:
        """What readers know it by."""
        return f"{self.run.name} ({self.part})" if self.part else self.run.name

    @property
    def sentence(self) -> str:
        """Say it in words with the signs that decided, without a name."""
        told = []
        found, chance = self.sign("consistency"), self.sign("chance_consistency")
        if found is not None:
            by_chance = "" if chance is None else f", by chance {100 * chance:.0f} %"
            told.append(f"{100 * found:.0f} % of held-out pairs found again{by_chance}")
        frequency, spelling = self.sign("frequency_agreement"), self.sign("identical_agreement")
        if frequency is not None:
            told.append(f"agreement of frequencies {frequency:+.2f}")
        if spelling is not None:
            told.append(f"{100 * spelling:.0f} % of the words written alike are partners")
        what = _SAYS.get(self.word, self.word)
        return readable(f"{what} ({'; '.join(told)})" if told else what)

    def sign(self, name: str) -> float | None:
        """Give one of the signs; None where it was not looked at."""
        value = self.signs.get(name)
        return float(value) if is_number(value) else None


def verdicts_of(runs: Runs) -> list[Verdict]:
    """Give every judgement, in the order of the results."""
    return [one for run in runs.of_stage("map") for one in _of(run)]


def _of(run: Run) -> Iterator[Verdict]:
    summary = run.manifest.summary
    if isinstance(summary.get("verdict"), str):
        yield Verdict(run, "", summary["verdict"], summary)
    for each in run.manifest.results:
        if each.get("task") == "map" and isinstance(each.get("verdict"), str):
            yield Verdict(run, str(each.get("language", "")), each["verdict"], each)


def headline(verdicts: Sequence[Verdict]) -> str:
    """Say what self-learning came to, in one sentence."""
    found, doubtful, lost = ([one.name for one in verdicts if one.word == word] for word in _SAYS)
    if len(verdicts) == 1:
        return readable(f"{verdicts[0].name}: {_SAYS.get(verdicts[0].word, verdicts[0].word)}.")
    told = [f"Self-learning found a mapping in {len(found)} of {counted(len(verdicts), 'result')}"]
    told += [f"{_listed(lost)} {'is' if len(lost) == 1 else 'are'} noise"] if lost else []
    told += [f"{_listed(doubtful)} {'is' if len(doubtful) == 1 else 'are'} doubtful"] if doubtful else []
    return readable("; ".join(told) + ".")


def _listed(names: Sequence[str]) -> str:
    shown = [*names] if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def warnings(runs: Runs, verdicts: Sequence[Verdict]) -> list[str]:
    """Warn of every result that is noise or doubtful, noise first, and name what was made from it."""
    bad = sorted((one for one in verdicts if one.word != "found"), key=lambda one: one.word != "not found")
    lines = []
    for one in bad[:_NAMED]:
        made = [run.name for run in runs.finished if run is not one.run and one.run in runs.ancestors(run)]
        after = f" Made from it: {_listed(made)}." if made else ""
        lines.append(readable(f"{one.name}: {one.sentence}.{after}"))
    if len(bad) > _NAMED:
        lines.append(f"{len(bad) - _NAMED} more are noise or doubtful; the table of self-learning has all.")
    return lines


def verdict_table(verdicts: Sequence[Verdict]) -> Grid:
    """Lay out judgements with their signs, the worst first."""
    order = [*_SAYS][::-1]
    rows = [
        [
            Cell(readable(one.name), link=one.run.name),
            Cell(_shown(one.word), float(_place(order, one.word)), _STYLES.get(one.word, "doubt")),
            _share(one, "consistency"),
            _share(one, "chance_consistency"),
            number(one.sign("frequency_agreement"), 2, sign=True),
            _share(one, "identical_agreement"),
            _share(one, "mutual"),
            number(one.sign("objective"), 3),
            number(one.sign("iterations"), 0),
        ]
        for one in sorted(verdicts, key=lambda one: _place(order, one.word))
    ]
    columns = [
        "result", "mapping", "#held-out pairs found again", "#by chance", "#agreement of frequencies",
        "#written alike that are partners", "#choose each other", "#objective", "#iterations",
    ]  # fmt: skip
    note = (
        "Judged without a dictionary on the most frequent words; shares in per cent. Of the pairs that choose each "
        "other, half teach a rotation that has to find the other half again; chance is a rotation drawn at random. "
        "Frequencies: rank correlation within the pairs. A rising objective alone says nothing: it rises on noise "
        "too. Empty: not looked at."
    )
    return Grid("Self-learning: was a mapping found?", columns, rows, note)


def _shown(word: str) -> str:
    return {"not found": "✗ noise: not found", "doubtful": "? doubtful", "found": "✓ found"}.get(word, readable(word))


def _place(order: Sequence[str], word: str) -> int:
    return order.index(word) if word in order else len(order)


def _share(one: Verdict, name: str) -> Cell:
    return percent(one.sign(name), 0)
