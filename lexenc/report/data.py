"""What all sections of a report share: result folders, scored systems, claims and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lexenc.report.claims import Claim, claims_of, controls_of
from lexenc.report.results import ResultFolders
from lexenc.report.systems import System, grouped, middle_of, sweeps_of, systems_of
from lexenc.report.verdicts import Verdict, verdicts_of

_COMPARED = 4  # systems shown in detail


@dataclass(frozen=True)
class ReportData:
    """What a report is made from."""

    results: ResultFolders
    seed: int = 0
    sample: int = 500
    device: str = "cpu"

    @cached_property
    def _scored(self) -> tuple[list[System], dict[str, str]]:
        return systems_of(self.results)

    @property
    def systems(self) -> list[System]:
        """Every scored system, by task."""
        return self._scored[0]

    @property
    def unread(self) -> dict[str, str]:
        """Why results, by name, are left out: their manifest or their scores cannot be read."""
        return dict(self.results.unreadable) | self._scored[1]

    @cached_property
    def damaged(self) -> list[str]:
        """A sentence for every result that is left out, and for every evaluation whose answers are."""
        told = [f"{name} is left out: {why}" for name, why in self.unread.items()]
        answers = {one.result.name: one.damage for one in self.systems if one.damage}
        return told + [f"The answers of {name} are left out: {why}" for name, why in answers.items()]

    @cached_property
    def by_task(self) -> dict[str, list[System]]:
        """Every scored system by the name of its task."""
        return grouped(self.systems, lambda one: one.task.name)

    @cached_property
    def claims(self) -> list[Claim]:
        """Differences between systems."""
        return claims_of(self.results, self.systems, self.seed)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """How self-learning judged its own results."""
        return verdicts_of(self.results)

    @cached_property
    def main(self) -> list[System]:
        """The systems of the first task to show in detail."""
        return self.compared(next(iter(self.by_task))) if self.by_task else []

    def compared(self, task: str) -> list[System]:
        """Return the systems of a task to show in detail: one, then its two parts or those most like it.

        None is chosen by its score, which would be a choice on the test set: it is the last one that is no control, as
        a fine-tuned encoder comes after its origin, and of a sweep the middle lambda.
        """
        systems = self.by_task[task]
        systems = [one for one in systems if not one.control] or systems
        sweeps = sweeps_of(systems)
        if not sweeps:
            alike = [one for one in systems[:-1] if one.convention == systems[-1].convention]
            return [systems[-1], *reversed(alike)][:_COMPARED]
        sweep = sweeps[-1]
        shown = middle_of(sweep)
        return [shown, *(one for one in (sweep[0], sweep[-1]) if one is not shown)]

    @cached_property
    def strong_controls(self) -> list[str]:
        """The controls that are not significantly worse than what they control, one sentence each, the worst first."""
        return [*controls_of(self.main, self.claims)] if self.main else []

    def part_of(self, system: System) -> str:
        """Return the name of a system by its part in a blend."""
        if system.weight == 0:
            return "static vectors (lambda 0)"
        if system.weight == 1:
            return "encoder alone (lambda 1)"
        return f"blend (lambda {system.weight:g})" if system.weight is not None else system.label
