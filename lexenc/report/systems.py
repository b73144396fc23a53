"""What was scored on word translation: one system for every evaluation and weight, with its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lexenc.errors import LexencError
from lexenc.evaluation.bootstrap import Difference, paired_difference
from lexenc.evaluation.selection import crossfit
from lexenc.files.evaluations import Item, read_evaluation
from lexenc.randomness import generator
from lexenc.report.runs import Run, Runs

_DRAWS = 10_000
_CHOICES = 1 << 27  # random choices that one interval may take


def draws_for(queries: int, most: int = _DRAWS) -> int:
    """Give the draws of a bootstrap: fewer where there are so many queries that the interval is narrow anyway."""
    return max(1000, min(most, _CHOICES // max(1, queries)))


@dataclass(frozen=True)
class System:
    """One scored system.

    Args:
        run: The evaluation.
        weight: Lambda, where there is one.
        head: Its headline result.
        others: The same under other conventions, and controls.
        sweep: Whether the evaluation holds several weights.
        control: Whether it was meant to know nothing.
    """

    run: Run
    weight: float | None
    head: dict[str, Any]
    others: tuple[dict[str, Any], ...]
    sweep: bool
    control: bool

    @property
    def label(self) -> str:
        """The name that readers see."""
        return self.run.name if self.weight is None else f"{self.run.name}, lambda {self.weight:g}"

    @property
    def convention(self) -> tuple[Any, ...]:
        """What must be the same where scores stand side by side."""
        dictionary = self.run.manifest.inputs["dictionary"][0].sha256
        keys = ("retrieval", "direction", "search_space", "search_space_words", "coverage")
        return (dictionary, *(self.head.get(key) for key in keys))

    def answers(self) -> Iterator[Item]:
        """Read its answers one by one."""
        labels = {} if self.weight is None else {"lambda": self.weight}
        return read_evaluation(self.run.folder).items(labels)

    @cached_property
    def hits(self) -> Hits | None:
        """Whether each question was answered rightly; None where the answers are not at hand."""
        try:
            rows = [(each.asked[0], bool(each.covered), 1 in each.numbers["ranks"]) for each in self.answers()]
        except (LexencError, OSError):
            return None
        return Hits.of(rows) if rows else None


@dataclass(frozen=True)
class Hits:
    """Right and wrong, question by question.

    Args:
        words: The source words.
        covered: Which have vectors on both sides. Shape [q].
        right: Which have a gold answer at rank 1. Shape [q].
    """

    words: tuple[str, ...]
    covered: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[tuple[str, bool, bool]]) -> Hits:
        """Collect rows."""
        words, covered, right = zip(*rows, strict=True)
        return cls(words, np.array(covered, dtype=bool), np.array(right, dtype=bool))

    @property
    def values(self) -> np.ndarray:
        """1.0 and 0.0 for the covered questions."""
        values: np.ndarray = self.right[self.covered].astype(np.float64)
        return values

    def same_questions(self, other: Hits) -> bool:
        """Tell whether two systems can be compared question by question."""
        return self.words == other.words and bool((self.covered == other.covered).all())


def systems_of(runs: Runs) -> list[System]:
    """Give every system that an evaluation of word translation scored."""
    found = []
    for run in runs.of_stage("eval bli"):
        results = [each for each in run.manifest.results if each.get("task") == "bli"]
        heads = [each for each in results if _is_head(each)]
        for head in heads:
            weight = head.get("lambda")
            others = tuple(each for each in results if each is not head and each.get("lambda") == weight)
            found.append(System(run, weight, head, others, len(heads) > 1, runs.is_control(run)))
    return found


def _is_head(result: dict[str, Any]) -> bool:
    return "control" not in result and result.get("out_of_vocabulary") == "left out" and result["query_unit"] != "pair"


def sweeps_of(systems: Sequence[System]) -> list[list[System]]:
    """Give the systems of every evaluation with several weights, by rising weight."""
    table: dict[str, list[System]] = {}
    for one in systems:
        if one.sweep and one.weight is not None:
            table.setdefault(one.run.name, []).append(one)
    return [sorted(own, key=lambda one: one.weight or 0.0) for own in table.values() if len(own) > 1]


def best_of(systems: Sequence[System]) -> System:
    """Give the system with the highest precision at 1, the first of equals; controls only if there is nothing else."""
    real = [one for one in systems if not one.control] or list(systems)
    return max(real, key=lambda one: one.head["precision_at_1"])


# ---------------------------------------------------------------- claims


@dataclass(frozen=True)
class Claim:
    """Something that the runs may show.

    Args:
        text: What would be shown, as a sentence without its number.
        gain: First less second, as shares.
        how: How the two were compared.
        control: Whether it is about a system meant to know nothing.
        queries: How many questions.
        link: Result that it comes from.
        tuning: Whether it is about what tuning gained.
        short: The claim as a headline, up to its number: (if it is shown, if it is not); empty for no headline.
        score: What the first reached, where its weight was chosen on other words; None where nothing was chosen.
    """

    text: str
    gain: Difference
    how: str
    control: bool = False
    queries: int = 0
    link: str = ""
    tuning: bool = False
    short: tuple[str, str] = ("", "")
    score: float | None = None


def claims_of(runs: Runs, systems: Sequence[System], seed: int) -> list[Claim]:
    """Give what was compared on purpose, then what sweeps let us compare."""
    claims = [claim for run in runs.of_stage("compare") if (claim := _asked_for(runs, run)) is not None]
    sweeps = sweeps_of(systems)
    for sweep in sweeps:
        # A control still holds the static vectors; only what its tuning gains says something about it.
        claims += [] if sweep[0].control else _of_sweep(sweep, seed)
    claims += _of_tuning(runs, sweeps, seed)
    return claims


def _asked_for(runs: Runs, run: Run) -> Claim | None:
    """Read a result of compare."""
    result = next((each for each in run.manifest.results if each.get("task") == "compare"), None)
    if result is None or "precision" not in result["metric"]:
        return None
    gain = Difference(
        result["difference"], result["difference_low"], result["difference_high"], result.get("p_value", float("nan"))
    )
    names = [_named(runs, run, side) for side in ("first", "second")]
    how = f"lexenc compare; {result['metric'].replace('_', ' ')}, {result['questions']} questions"
    if any(_blended(_weight(run, side)) for side in ("first", "second")):
        how += "; lambda as named, not chosen on other words"
    if result.get("conventions") == "different":
        how += "; different conventions"
    control = runs.is_control(run)
    return Claim(f"{names[0]} against {names[1]}", gain, how, control, result["count"], run.name)


def _weight(run: Run, side: str) -> str:
    """Return the lambda of the first or second system of a comparison; empty without one."""
    return str(run.manifest.params.get(f"{side}_system") or "").removeprefix("lambda=")


def _blended(weight: str) -> bool:
    """Return whether answers are those of a lambda that somebody had to choose."""
    return weight not in ("", "0", "1")


def _named(runs: Runs, run: Run, side: str) -> str:
    record = run.manifest.inputs[side][0]
    maker = runs.maker(record)
    name = maker.name if maker is not None else record.given
    weight = _weight(run, side)
    return f"{name}, lambda {weight}" if weight else name


def _of_sweep(sweep: Sequence[System], seed: int) -> list[Claim]:
    """Compare the best blend with the two things that were blended."""
    hits = {one.weight: one.hits for one in sweep}
    known = [each for each in hits.values() if each is not None]
    if len(known) < len(hits) or not all(each.same_questions(known[0]) for each in known):
        return []
    blends = [one for one in sweep if one.weight is not None and 0 < one.weight < 1]
    if not blends or not len(known[0].values):
        return []
    name = sweep[0].run.name
    table = np.stack([each.values for one in blends if (each := hits[one.weight]) is not None])
    chosen = crossfit(table, generator(seed, f"report halves {name}"))
    best = best_of(blends)
    how = (
        f"lambda chosen among {len(blends)} on one half of the words and scored on the other"
        if len(blends) > 1
        else "one lambda"
    )
    claims = []
    for weight, other in ((0.0, "the static vectors alone"), (1.0, "the encoder alone")):
        rival = hits.get(weight)
        if rival is None:
            continue
        gain = paired_difference(
            chosen,
            rival.values,
            generator=generator(seed, f"report {name} {weight:g}"),
            draws=draws_for(len(chosen)),
        )
        text = f"{name}: blending, best near lambda {best.weight:g}, beats {other}"
        where = f"near lambda {best.weight:g}" if len(blends) > 1 else f"at lambda {best.weight:g}"
        short = (f"Blending {where} beats {other} by", f"That blending {where} beats {other} is not shown:")
        score = float(chosen.mean())
        claims.append(Claim(text, gain, how, queries=len(chosen), link=name, short=short, score=score))
    return claims


def _of_tuning(runs: Runs, sweeps: Sequence[Sequence[System]], seed: int) -> list[Claim]:
    """Compare every tuned encoder with the one that it was tuned from, each alone."""
    alone = [one for sweep in sweeps for one in sweep if one.weight == 1]
    claims = []
    for tuned in alone:
        before = _before_tuning(runs, tuned, alone)
        if before is None or tuned.hits is None or before.hits is None or not tuned.hits.same_questions(before.hits):
            continue
        gain = paired_difference(
            tuned.hits.values,
            before.hits.values,
            generator=generator(seed, f"report {tuned.label} {before.label}"),
            draws=draws_for(len(tuned.hits.values)),
        )
        what = "tuning on pairs that are none (the control)" if tuned.control else "tuning"
        text = f"{what} helps the encoder alone: {tuned.run.name} against {before.run.name}"
        count = len(tuned.hits.values)
        claims.append(Claim(text, gain, "lambda 1 in both", tuned.control, count, tuned.run.name, tuning=True))
    return claims


def _before_tuning(runs: Runs, tuned: System, alone: Sequence[System]) -> System | None:
    maker = runs.maker(tuned.run.manifest.inputs["encoder"][0])
    if maker is None or "encoder" not in maker.manifest.inputs:
        return None
    origin = maker.manifest.inputs["encoder"][0].sha256
    for one in alone:
        same = one.convention == tuned.convention
        if same and one is not tuned and one.run.manifest.inputs["encoder"][0].sha256 == origin:
            return one
    return None
