"""What the results may show: differences between systems, with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.bootstrap import Difference, Means, paired_difference
from lexenc.evaluation.selection import crossfit
from lexenc.evaluation.task import Metric
from lexenc.randomness import generator
from lexenc.report.parts import is_number
from lexenc.report.results import ResultFolder, ResultFolders
from lexenc.report.systems import System, best_of, metric_of, sweeps_of

Values = NDArray[np.float64]
_DRAWS = 10_000
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
    """Return the differences that results contain, then those that can be computed from sweeps over lambda."""
    claims = [claim for each in results.finished for claim in _recorded(results, each)]
    means = [one for one in systems if isinstance(one.task.measure, Means) and one.task.headline.larger_is_better]
    sweeps = sweeps_of(means)
    for sweep in sweeps:
        # A control still contains the static vectors. Only the gain of its fine-tuning is informative.
        claims += [] if sweep[0].control else _of_sweep(sweep, seed)
    return [*claims, *_of_tuning(results, sweeps, seed)]


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
    chosen = crossfit(table, generator(seed, f"report halves {name}"))
    best, several = best_of(blends), len(blends) > 1
    where = f"{'near' if several else 'at'} lambda {best.weight:g}"
    how = (
        f"lambda chosen among {len(blends)} on one half of the items and scored on the other"
        if several
        else "one lambda"
    )
    for weight, other in ((0.0, "the static vectors alone"), (1.0, "the encoder alone")):
        if weight in known:
            values, words = (chosen, known[weight].columns[0]), f"report {name} {weight:g}"
            headline = f"Blending {where} beats {other} by", f"Blending {where} does not significantly beat {other}:"
            text = f"{name}: blending {where} against {other}"
            yield _computed(best, text, values, how, generator(seed, words), chosen=several, headline=headline)


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
        yield _computed(tuned, text, (first.columns[0], second.columns[0]), "lambda 1 in both", drawn, tuning=True)


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
