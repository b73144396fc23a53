"""What all sections of one report share: results, scored systems, and the questions of those looked at closely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lexenc.errors import LexencError
from lexenc.report.questions import Question, frequencies_of, questions_of
from lexenc.report.runs import Run, Runs
from lexenc.report.systems import Claim, System, best_of, claims_of, sweeps_of, systems_of
from lexenc.report.verdicts import Verdict, verdicts_of

_OWN_PLACES = ("eval bli", "compare")
CLOSELY = 4  # systems looked at word by word


@dataclass(frozen=True)
class Evidence:
    """What a report is made from.

    Args:
        runs: All results.
        seed: Of samples, intervals and halves.
        sample: Most answers shown in one table.
        device: Where encoders compute.
    """

    runs: Runs
    seed: int = 0
    sample: int = 500
    device: str = "cpu"

    @cached_property
    def systems(self) -> list[System]:
        """Every system that word translation was scored for."""
        return systems_of(self.runs)

    @cached_property
    def sweeps(self) -> list[list[System]]:
        """Systems by evaluation, where it has several weights."""
        return sweeps_of(self.systems)

    @cached_property
    def claims(self) -> list[Claim]:
        """What the results may show."""
        return claims_of(self.runs, self.systems, self.seed)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """What self-learning judged of its results."""
        return verdicts_of(self.runs)

    @cached_property
    def closely(self) -> list[System]:
        """The systems looked at word by word, the most interesting one first: the best blend, then its two parts."""
        if not self.systems:
            return []
        real = [sweep for sweep in self.sweeps if not sweep[0].control] or self.sweeps
        if not real:
            best = best_of(self.systems)
            alike = [one for one in self.systems if one.convention == best.convention and one is not best]
            return [best, *alike][:CLOSELY]
        # Of equals the later one: what was tuned comes after what it was tuned from.
        sweep = max(reversed(real), key=lambda own: best_of(own).head["precision_at_1"])
        best = best_of(sweep)
        return [best, *(one for one in (sweep[0], sweep[-1]) if one is not best)]

    @cached_property
    def _asked(self) -> dict[str, tuple[list[Question], bool]]:
        return {}

    def questions(self, system: System) -> tuple[list[Question], bool]:
        """Give the covered questions of a system, and whether the frequency of their words is known."""
        if system.label not in self._asked:
            self._asked[system.label] = self._read(system)
        return self._asked[system.label]

    def _read(self, system: System) -> tuple[list[Question], bool]:
        try:
            plain = questions_of(system)
        except (LexencError, OSError):
            return [], False
        known = frequencies_of(self.runs, system, {one.word for one in plain})
        return ([one.placed(known.get(one.word)) for one in plain] if known else plain), bool(known)

    def part_of(self, system: System) -> str:
        """Name a system by its part in a blend."""
        if system.weight == 0:
            return "static vectors (lambda 0)"
        if system.weight == 1:
            return "encoder alone (lambda 1)"
        return f"blend (lambda {system.weight:g})" if system.weight is not None else system.run.name

    def evaluations(self) -> list[Run]:
        """Give what has scores other than those of word translation and of comparisons, which have their own places."""
        return [run for run in self.runs.finished if run.manifest.results and run.manifest.stage not in _OWN_PLACES]
