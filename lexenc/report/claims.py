"""What the results may show: differences between systems, with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.bootstrap import LEVEL, Difference, Means, holm, paired_difference
from lexenc.evaluation.pairing import compare_answers, controlled, strong_controls
from lexenc.evaluation.selection import crossfit
from lexenc.evaluation.task import Metric
from lexenc.files.evaluations import CONTROL
from lexenc.pages import is_number
from lexenc.randomness import generator
from lexenc.report.results import ResultFolder, ResultFolders
from lexenc.report.systems import System, grouped, metric_of, middle_of, sweeps_of

Values = NDArray[np.float64]
_DRAWS = 10_000
_PAIRED = 8  # systems of one test set that are compared with each other
_CHOICES = 1 << 27  # random choices of one interval


def draws_for(items: int, most: int = _DRAWS) -> int:
    """Return the number of bootstrap draws: fewer for very many items, whose intervals are narrow anyway."""
    return max(1000, min(most, _CHOICES // max(1, items)))


@dataclass(frozen=True)
class Claim:
    """A difference between two systems."""

    text: str
    metric: Metric
    gain: Difference  # first minus second
    first: float | None
    second: float | None
    how: str
    items: int
    link: str  # result that it comes from
    control: bool = False  # whether one of the systems is a control
    chosen: bool = False  # whether lambda was chosen on one half of the items and scored on the other
    tuning: bool = False  # whether it is about what fine-tuning gained
    headline: tuple[str, str] | None = None  # beginning of a headline, for a significant and another difference
    p_value: float | None = None  # corrected for all comparisons on the test set, if it is one of several
    systems: tuple[System, ...] = ()  # both systems, if they are known

    @property
    def significant(self) -> bool:
        """Whether the difference is significant, after the correction for several comparisons if there is one."""
        return self.gain.shown if self.p_value is None else self.p_value < 1 - LEVEL

    @property
    def better(self) -> bool:
        """Whether the first is better, significantly or not."""
        return (self.gain.mean > 0) == self.metric.larger_is_better

    @property
    def shown(self) -> str:
        """The difference with its interval."""
        ends = ", ".join(self.metric.show(end, digits=1) for end in (self.gain.low, self.gain.high))
        return f"{self.metric.show(self.gain.mean, sign='+', digits=1)} [{ends}]"


def claims_of(results: ResultFolders, systems: Sequence[System], seed: int) -> list[Claim]:
    """Return the differences that results contain, then those within sweeps, of fine-tuning, and of all other pairs."""
    claims = [claim for each in results.finished for claim in _recorded(results, each)]
    means = [one for one in systems if isinstance(one.task.measure, Means) and one.task.headline.larger_is_better]
    sweeps = sweeps_of(means)
    for sweep in sweeps:
        # A control still contains the static vectors. Only the gain of its fine-tuning is informative.
        claims += [] if sweep[0].control else _of_sweep(sweep, seed)
    claims += _of_tuning(results, sweeps, seed)
    claims += _of_pairs(systems, {_labels(*one.systems) for one in claims}, seed)
    return [*claims, *_of_controls(systems)]


def _recorded(results: ResultFolders, result: ResultFolder) -> Iterator[Claim]:
    for each in result.manifest.results:
        metric = metric_of(str(each.get("metric")))
        if metric is None or not is_number(each.get("difference")):
            continue
        # A difference without an interval is not significant.
        low, high, p_value = (_float(each.get(key), float("nan")) for key in
                              ("difference_low", "difference_high", "p_value"))  # fmt: skip
        compared = [f"{name} {each[name]}" for name in ("track", "protocol", "scored") if name in each]
        compared += [f"{each['questions']} questions"] if "questions" in each else []
        compared += [f"{each['draws']:,} draws"] if is_number(each.get("draws")) else []
        systems = [str(result.manifest.params.get(f"{side}_system") or "") for side in ("first", "second")]
        if any(each.startswith("lambda=") and each not in ("lambda=0", "lambda=1") for each in systems):
            compared.append("lambda given, not chosen on other items")
        compared += ["different conventions"] if each.get("conventions") == "different" else []
        count = next((each[key] for key in ("count", "queries", "pairs") if is_number(each.get(key))), 0)
        named = [_named(results, result, side, each) for side, each in zip(("first", "second"), systems, strict=True)]
        yield Claim(
            str(each.get("comparison") or " against ".join(named)),
            metric,
            Difference(float(each["difference"]), low, high, p_value),
            _float(each.get("first"), None),
            _float(each.get("second"), None),
            f"lexenc {result.manifest.stage}; {', '.join(compared)}",
            int(count),
            result.name,
            results.is_control(result),
        )


def _float(value: Any, otherwise: Any) -> Any:
    return float(value) if is_number(value) else otherwise


def _named(results: ResultFolders, result: ResultFolder, side: str, system: str) -> str:
    if side not in result.manifest.inputs:
        return side
    record = result.manifest.inputs[side][0]
    maker = results.maker(record)
    return ", ".join(filter(None, [maker.name if maker is not None else record.given, system.replace("=", " ")]))


def _of_sweep(sweep: Sequence[System], seed: int) -> Iterator[Claim]:
    """Compare the best blend with both of its parts."""
    known = {one.weight: one.answers for one in sweep if one.answers is not None}
    if len(known) < len(sweep) or len({each.asked for each in known.values()}) > 1:
        return
    blends = [one for one in sweep if one.is_blend]
    if not blends or not known[blends[0].weight].columns.shape[1]:
        return
    name = sweep[0].result.name
    table = np.stack([known[one.weight].columns[0] for one in blends])
    chosen, settings = crossfit(table, generator(seed, f"report halves {name}"))
    weights = [f"{blends[place].weight:g}" for place in dict.fromkeys(settings)]
    where, how = f"at lambda {weights[0]}", "one lambda"
    if len(blends) > 1:
        where = "at a lambda chosen on other items"
        how = (
            f"lambda chosen among {len(blends)} on one half of the items and scored on the other "
            f"({' and '.join(weights)})"
        )
    for weight, other in ((0.0, "the static vectors alone"), (1.0, "the encoder alone")):
        if weight in known:
            values, words = (chosen, known[weight].columns[0]), f"report {name} {weight:g}"
            headline = f"Blending {where} beats {other} by", f"Blending {where} does not significantly beat {other}:"
            text, drawn = f"{name}: blending {where} against {other}", generator(seed, words)
            yield _computed(blends[0], text, values, how, drawn, chosen=len(blends) > 1, headline=headline)


def _computed(
    system: System, text: str, values: tuple[Values, Values], how: str, drawn: np.random.Generator, **more: Any
) -> Claim:
    """Compare what the same items count for two systems."""
    count, (first, second) = len(values[0]), values
    draws = draws_for(count)
    gain = paired_difference(first, second, generator=drawn, draws=draws)
    means, how = (float(first.mean()), float(second.mean())), f"{how}; {draws:,} draws"
    return Claim(
        text, system.task.headline, gain, *means, how, count, system.result.name, control=system.control, **more
    )


def _of_tuning(results: ResultFolders, sweeps: Sequence[Sequence[System]], seed: int) -> Iterator[Claim]:
    """Compare every fine-tuned encoder with the one that it was fine-tuned from, each alone."""
    alone = [one for sweep in sweeps for one in sweep if one.weight == 1]
    for tuned in alone:
        before = _before_tuning(results, tuned, alone)
        first, second = (one.answers if one is not None else None for one in (tuned, before))
        if before is None or first is None or second is None or first.asked != second.asked:
            continue
        what = "fine-tuning on shuffled pairs (control)" if tuned.control else "fine-tuning"
        text = f"{what}, encoder alone: {tuned.result.name} against {before.result.name}"
        drawn = generator(seed, f"report {tuned.label} {before.label}")
        values = first.columns[0], second.columns[0]
        yield _computed(tuned, text, values, "lambda 1 in both", drawn, tuning=True, systems=(tuned, before))


def _before_tuning(results: ResultFolders, tuned: System, alone: Sequence[System]) -> System | None:
    inputs: Mapping[str, Any] = tuned.result.manifest.inputs
    maker = results.maker(inputs["encoder"][0]) if "encoder" in inputs else None
    if maker is None or "encoder" not in maker.manifest.inputs:
        return None
    origin = maker.manifest.inputs["encoder"][0].sha256
    for one in alone:
        encoder = one.result.manifest.inputs.get("encoder")
        if one is not tuned and one.convention == tuned.convention and encoder and encoder[0].sha256 == origin:
            return one
    return None


def _labels(*systems: System) -> frozenset[str]:
    return frozenset(one.label for one in systems)


def _of_pairs(systems: Sequence[System], known: Set[frozenset[str]], seed: int) -> Iterator[Claim]:
    """Compare all pairs of systems on the same test set, with Holm's correction; the better one comes first.

    Of a sweep the two parts are compared: a blend would have to be chosen on the test set.
    """
    alone = [one for one in systems if one.weight in (None, 1)]
    # At lambda 0 sweeps of several encoders are the same, and those of a control are no control.
    static = {(one.test_set, one.static): one for one in systems if one.weight == 0 and not one.control}
    for own in grouped([*alone, *static.values()], lambda one: one.test_set).values():
        pairs = combinations(own[-_PAIRED:], 2)
        wanted = (pair for pair in pairs if _labels(*pair) not in known)
        found = [claim for pair in wanted if (claim := _compared(*pair, seed)) is not None]
        corrected = holm([claim.gain.p_value for claim in found])
        for claim, p_value in zip(found, corrected, strict=True):
            several = f", p {p_value:.4f} after Holm's correction for {len(found)}" if len(found) > 1 else ""
            yield replace(claim, p_value=p_value, how=f"{claim.how}{several}")


def _compared(first: System, second: System, seed: int) -> Claim | None:
    """Compare two systems on the items that both cover; None if they were asked other items."""
    task, draws = first.task, draws_for(first.score.n)
    gaps = compare_answers(task, first.items, second.items, seed=seed, draws=draws)
    gap = next((each for each in gaps if each.metric == task.headline.key), None)
    if gap is None or gap.difference.p_value != gap.difference.p_value:
        return None
    values, gain = (gap.first, gap.second), gap.difference
    if gain.mean and (gain.mean < 0) == task.headline.larger_is_better:
        first, second, values = second, first, values[::-1]
        gain = replace(gain, mean=-gain.mean, low=-gain.high, high=-gain.low)
    text, how = f"{first.label} against {second.label}", f"pair on one test set; {draws:,} draws"
    pair, control = (first, second), first.control or second.control
    return Claim(text, task.headline, gain, *values, how, gap.n, first.result.name, control, systems=pair)


def _of_controls(systems: Sequence[System]) -> Iterator[Claim]:
    """Compare every system with the controls of its own evaluation; of a sweep, the middle one."""
    chosen = [middle_of(sweep) for sweep in sweeps_of(systems)]
    for one in (one for one in systems if not one.control and (one.weight is None or one in chosen)):
        for own, control, gain in controlled(one.task, (one.head, *one.others)):
            if own is one.head:
                text, values = f"{one.label} against its control {control.labels[CONTROL]}", (own, control)
                first, second = (each.scores[0].value for each in values)
                how = "control of the same evaluation"
                yield Claim(text, one.task.headline, gain, first, second, how, one.score.n, one.result.name, True)


def controls_of(systems: Sequence[System], claims: Sequence[Claim]) -> Iterator[tuple[System, str]]:
    """Yield systems with a control that is not significantly worse, each with a sentence that says so.

    A control is one of the same evaluation, or another system that was made as a control. Of a sweep, the controls of
    the evaluation are compared at the main lambda, which is the first of the systems.
    """
    for one in (one for one in systems if one.weight is None or one is systems[0]):
        for own, control in strong_controls(one.task, (one.head, *one.others)):
            if own is one.head:
                values = own.scores[0].value, control.scores[0].value
                yield one, _strength(one, str(control.labels[CONTROL]), values)
    for claim in claims:
        for one, other in (claim.systems, claim.systems[::-1]) if len(claim.systems) == 2 else ():
            lost = claim.significant and claim.better and one is claim.systems[0]
            if one in systems and other.control and not one.control and one.weight == other.weight and not lost:
                values = (claim.first, claim.second)
                yield one, _strength(one, other.label, values if one is claim.systems[0] else values[::-1])


def _strength(system: System, control: str, values: tuple[float | None, float | None]) -> str:
    metric, (own, other) = system.task.headline, values
    worse = own is not None and other is not None and (other < own) == metric.larger_is_better and other != own
    how = "is not significantly worse than" if worse else "scores no worse than"
    first, second = (metric.show(value, digits=1) for value in (other, own))
    return f"The control {control} {how} {system.label}: {metric.head} {first} against {second}."
