"""What all sections of a report share: result folders, scored systems, claims and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lexenc.report.claims import Claim, claims_of
from lexenc.report.results import ResultFolders
from lexenc.report.systems import System, best_of, grouped, sweeps_of, systems_of
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
    def systems(self) -> list[System]:
        """Every scored system, by task."""
        return systems_of(self.results)

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
        """The systems of the first task to show in detail, the best one first."""
        return self.compared(next(iter(self.by_task))) if self.by_task else []

    def compared(self, task: str) -> list[System]:
        """Return the systems of a task to show in detail: the best, then its two parts or those most like it."""
        systems = self.by_task[task]
        sweeps = sweeps_of(systems)
        sweeps = [sweep for sweep in sweeps if not sweep[0].control] or sweeps
        if not sweeps:
            best = best_of(systems)
            alike = [one for one in systems if one.convention == best.convention and one is not best]
            return [best, *alike][:_COMPARED]
        # Of equal sweeps the later one: a fine-tuned encoder comes after its origin.
        sweep = max(reversed(sweeps), key=lambda own: best_of(own).value)
        best = best_of(sweep)
        return [best, *(one for one in (sweep[0], sweep[-1]) if one is not best)]

    def part_of(self, system: System) -> str:
        """Return the name of a system by its part in a blend."""
        if system.weight == 0:
            return "static vectors (lambda 0)"
        if system.weight == 1:
            return "encoder alone (lambda 1)"
        return f"blend (lambda {system.weight:g})" if system.weight is not None else system.label
