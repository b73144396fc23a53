"""The questions of one system, as readers and statistics want them: how frequent, how alike, how answered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lexenc.artifact import owner_of
from lexenc.errors import LexencError
from lexenc.evaluation.groups import likeness_of
from lexenc.files.chosen import ranks_of
from lexenc.report.runs import Run, Runs
from lexenc.report.systems import System


@dataclass(frozen=True)
class Question:
    """A test word that has vectors on both sides.

    Args:
        word: The source word.
        golds: Its gold translations.
        rank: Rank of the best gold answer, from 1.
        answers: The best answers.
        likeness: How much it looks like its translation.
        frequency: Place of the word in its vocabulary, from 1; None where that is not known.
    """

    word: str
    golds: tuple[str, ...]
    rank: int
    answers: tuple[str, ...]
    likeness: str
    frequency: int | None = None

    @property
    def right(self) -> bool:
        """Whether the first answer is a gold one."""
        return self.rank == 1

    def placed(self, frequency: int | None) -> Question:
        """Give the same question with the place of its word."""
        return replace(self, frequency=frequency)


SHOWN_ANSWERS = 5


def questions_of(system: System) -> list[Question]:
    """Give the covered questions of a system in the order of the test dictionary."""
    return [
        Question(
            each.asked[0],
            each.gold,
            min(each.numbers["ranks"]),
            tuple(str(one["target"]) for one in each.answers[:SHOWN_ANSWERS]),
            likeness_of(each.asked[0], each.gold),
        )
        for each in system.answers()
        if each.covered and each.numbers["ranks"]
    ]


def asking_vocabulary(runs: Runs, run: Run) -> Path | None:
    """Give the file or folder with the words of the side that asks; None where it is gone or something else now."""
    side = run.manifest.params.get("direction", "source-target").split("-")[0]
    for name, inner in (("vectors", side), (side, ""), (f"{side}_vocabulary", "")):
        path = run.input_path(name)
        if path is None:
            continue
        place = path / inner if inner else path
        return place if place.exists() and same_as_then(runs, run, name) else None
    return None


def same_as_then(runs: Runs, run: Run, name: str) -> bool:
    """Tell whether an input made by lexenc is still what was read; a raw file is taken at its word."""
    record, path = run.manifest.inputs[name][0], run.path_of(run.manifest.inputs[name][0])
    if record.made_by is None:
        return True
    owner, maker = owner_of(path), runs.maker(record)
    return owner is not None and maker is not None and owner.samefile(maker.folder)


def frequencies_of(runs: Runs, system: System, words: Collection[str]) -> dict[str, int] | None:
    """Give the place of test words in the vocabulary of the side that asks, from 1; None where it is not at hand."""
    place = asking_vocabulary(runs, system.run)
    if place is None:
        return None
    params = system.run.manifest.params
    side = params.get("direction", "source-target").split("-")[0]
    language = params.get(f"{side}_language")
    try:
        return ranks_of(place, words, lowercase=bool(params.get("lowercase")), language=language)
    except (LexencError, OSError):
        return None


def most_wanted(questions: Sequence[Question]) -> list[tuple[str, int, int]]:
    """Give the words that are wrongly answered most often: (word, how often wrongly, how often rightly)."""
    wrong: dict[str, int] = {}
    right: dict[str, int] = {}
    for each in questions:
        if each.answers:
            table = right if each.right else wrong
            table[each.answers[0]] = table.get(each.answers[0], 0) + 1
    return sorted(
        ((word, times, right.get(word, 0)) for word, times in wrong.items()), key=lambda one: (-one[1], one[0])
    )
