"""What all sections of a report share: result folders, scored systems, claims and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lexenc.artifact import InputRecord, Manifest
from lexenc.evaluation.leaderboard import Leaderboard, names_of_tests, system_name
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
    def board(self) -> Leaderboard:
        """Every scored system by what was evaluated and by test set; of several tracks, their mean."""
        board, known, seen = Leaderboard(means=True), dict[str, str](), set[tuple[str, str, str]]()

        def named(record: InputRecord) -> str:
            made = self.results.maker(record)  # a raw input that was given by several paths has one name
            return made.name if made is not None else known.setdefault(record.sha256, record.given)

        def maker(record: InputRecord) -> Manifest | None:
            made = self.results.maker(record)
            return made.manifest if made is not None else None

        results = {one.result.name: one for one in self.systems}
        tests = names_of_tests([(one.evaluation, one.result.manifest) for one in results.values()])
        for (result, one), test in zip(results.items(), tests, strict=True):
            name = system_name(one.evaluation, one.result.manifest, named=named, maker=maker)
            name = f"{result if name == str(one.evaluation.folder) else name}{' (control)' if one.control else ''}"
            # Of several evaluations of one system on one test set, e.g. with other options, the later ones are named.
            name = f"{name}, {result}" if (name, one.task.name, test) in seen else name
            seen.add((name, one.task.name, test))
            board.add(name, one.evaluation, test)
        board.mark_best(lenient=True)
        return board

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

        None is chosen by its score alone, which would be a choice on the test set: it is the one that significantly
        beats all others; else the last one that is no control, as a fine-tuned encoder comes after its origin. Of a
        sweep it is the middle lambda.
        """
        systems = self.by_task[task]
        systems = [one for one in systems if not one.control] or systems
        sweeps = sweeps_of(systems)
        if not sweeps:
            main = self.winner(systems[-1]) or systems[-1]
            alike = [one for one in systems if one is not main and one.convention == main.convention]
            return [main, *reversed(alike)][:_COMPARED]
        sweep = sweeps[-1]
        shown = middle_of(sweep)
        return [shown, *(one for one in (sweep[0], sweep[-1]) if one is not shown)]

    def pairs_like(self, system: System) -> list[Claim]:
        """Return the differences between two systems, none a control, on the test set of a system."""
        pairs = (one for one in self.claims if len(one.systems) == 2 and not one.control)
        return [one for one in pairs if one.systems[0].test_set == system.test_set]

    def winner(self, system: System) -> System | None:
        """Return the system that significantly beats all others on the test set of a system, if there is one."""
        pairs = self.pairs_like(system)
        for one in (pair.systems[0] for pair in pairs):
            own = [pair for pair in pairs if one in pair.systems]
            if all(pair.significant and pair.better and pair.systems[0] is one for pair in own):
                return one
        return None

    @cached_property
    def controlled(self) -> list[System]:
        """The systems on the test set of the main one that controls are compared with, the main one first."""
        main = self.main[0]
        return [main, *(one for one in self.by_task[main.task.name] if one is not main and not one.control
                        and one.test_set == main.test_set and one.weight in (None, 0, 1))]  # fmt: skip

    @cached_property
    def strong_controls(self) -> list[tuple[System, str]]:
        """The systems with a control that is not significantly worse, each with a sentence, the main one first."""
        return [*controls_of(self.controlled, self.claims)] if self.main else []

    def part_of(self, system: System) -> str:
        """Return the name of a system by its part in a blend."""
        if system.weight == 0:
            return "static vectors (lambda 0)"
        if system.weight == 1:
            return "encoder alone (lambda 1)"
        return f"blend (lambda {system.weight:g})" if system.weight is not None else system.label
