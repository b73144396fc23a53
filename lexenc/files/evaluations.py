"""The result of an evaluation on disk, in one form for all tasks.

`scores.json` has `task`, `items` (the number of items by their labels) and `systems`: for every scored system, the
headline first, `labels`, `convention`, `facts`, `counted` and `scores` (`metric`, `value`, `low`, `high`, `n`).
`items.jsonl` has one object per question: `asked`, `gold`, `covered`, `answers`, `numbers` and `labels`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from lexenc.errors import DataError
from lexenc.files.text import counted, json_lines, writing
from lexenc.structured import checked, read_json

SCORES, ITEMS = "scores.json", "items.jsonl"
CONTROL, TRACK = "control", "track"
_AGAIN = "Evaluate again."
UNFAIR = "unfair"
"""JSON key of a result: why its numbers are too high, one sentence for each reason."""


@dataclass(frozen=True)
class Score:
    """The value of a metric with its confidence interval.

    Args:
        metric: JSON key, for instance `precision_at_1`.
        value: None where the metric is not defined.
        low: Lower end; None without an interval.
        high: Upper end.
        n: Number of items that were scored.
    """

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Convention:
    """How the answers were found and counted; what does not apply to a task is left at its default."""

    retrieval: str = ""
    direction: str = ""
    search_space: str = ""
    search_space_words: int | None = None
    query_unit: str = ""
    out_of_vocabulary: str = ""
    ties: str = ""
    seed: int | None = None

    def known(self) -> dict[str, Any]:
        """Return the fields that apply."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


@dataclass(frozen=True)
class ScoredSystem:
    """The scores of one system under one convention.

    Args:
        task: Name in `lexenc.evaluation.TASKS`.
        scores: The headline metric first.
        convention: How answers were found and counted.
        labels: What tells the systems of an evaluation apart, e.g. `lambda`, `control`, `protocol`, `track`, `band`.
        facts: Everything else that readers may want, e.g. `coverage`.
        counted: JSON key of the number of items.
    """

    task: str
    scores: tuple[Score, ...]
    convention: Convention = field(default_factory=Convention)
    labels: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    counted: str = "queries"

    @property
    def is_control(self) -> bool:
        """Whether the system knows nothing and is only there to be compared with."""
        return CONTROL in self.labels

    def score(self, metric: str) -> Score | None:
        """Return the score of a metric, if the system has one."""
        return next((each for each in self.scores if each.metric == metric), None)

    def flat(self) -> dict[str, Any]:
        """Return one object with plain keys: METRIC, METRIC_low and METRIC_high for every metric with an interval."""
        table = {"task": self.task, **self.labels, **self.convention.known(), **self.facts}
        if self.scores:
            table[self.counted] = self.scores[0].n
        # A metric called `mean` follows those that it is the mean of.
        for each in sorted(self.scores, key=lambda score: score.metric == "mean"):
            table[each.metric] = each.value
            if each.low is not None or each.value is None:
                table |= {f"{each.metric}_low": each.low, f"{each.metric}_high": each.high}
        return table


@dataclass(frozen=True)
class Item:
    """One question of a test set with what a system answered.

    Args:
        asked: What was asked: a word, two words, two sentences, or the number of a sentence pair.
        gold: Correct answers, where they are texts.
        covered: Whether the system could answer at all.
        answers: Best answers: `target`, `score`, and what else a task says of them.
        numbers: What the metrics are computed from, by name, e.g. `ranks`, or `gold` and `cosine`.
        labels: Which system answered, and of which track the question is, where there are several.
    """

    asked: tuple[str, ...]
    gold: tuple[str, ...] = ()
    covered: bool = True
    answers: tuple[Mapping[str, Any], ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ItemCount:
    """How many items have the same labels."""

    labels: Mapping[str, Any]
    count: int


@dataclass(frozen=True)
class Evaluation:
    """An evaluation as it was read: what was scored, headline first, and the items by label."""

    folder: Path
    task: str
    systems: tuple[ScoredSystem, ...]
    counts: tuple[ItemCount, ...]

    @property
    def headline(self) -> ScoredSystem:
        """The first system."""
        return self.systems[0]

    def heads(self, labels: Mapping[str, Any]) -> list[ScoredSystem]:
        """Return the first system with some labels, for every track."""
        found: dict[str, ScoredSystem] = {}
        for each in self.systems:
            if not each.is_control and labels.items() <= each.labels.items():
                found.setdefault(str(each.labels.get(TRACK, "")), each)
        return list(found.values())

    def choices(self) -> list[dict[str, Any]]:
        """Return the labels of every system that has items, without tracks; one empty object for a single system."""
        found: list[dict[str, Any]] = []
        for each in self.counts:
            labels = {name: value for name, value in each.labels.items() if name != TRACK}
            found += [] if labels in found else [labels]
        return found

    def items(self, labels: Mapping[str, Any] | None = None) -> Iterator[Item]:
        """Read the items with these labels, or all, one by one.

        Raises:
            DataError: If a line is not an item, or there are not as many as were written.
        """
        wanted = (labels or {}).items()
        missing = sum(each.count for each in self.counts if wanted <= each.labels.items())
        for number, body in json_lines(self.folder / ITEMS):
            item = checked(Item, body, f"{self.folder / ITEMS}, line {number}: not an item", hint=_AGAIN)
            if wanted <= item.labels.items():
                missing -= 1
                yield item
        if missing > 0:
            raise DataError(
                f"{self.folder / ITEMS} is damaged: it lacks {counted(missing, 'item')} of those in {SCORES}.",
                hint=_AGAIN,
            )


def name_of_test(path: Path) -> str:
    """Return the name of a test set: that of its file without what names the format."""
    return re.sub(r"^STS\.input\.|(\.(csv|tsv|txt|jsonl|(data\.)?xml))?(\.[gx]z)?$", "", path.name)


class EvaluationWriter:
    """Write the items of an evaluation as they come; `systems` is set before the end."""

    def __init__(self, task: str, stream: IO[bytes]) -> None:
        self.task = task
        self.systems: list[ScoredSystem] = []
        self.counts: list[ItemCount] = []
        self._stream = stream

    def write(self, items: Iterable[Item], labels: Mapping[str, Any] | None = None) -> None:
        """Write the items of one system, all with the same labels."""
        count, labels = 0, labels or {}
        for item in items:
            # Undecodable bytes of a word are escaped, so that the file is UTF-8 and they come back the same.
            line = json.dumps({**vars(item), "labels": labels}, ensure_ascii=False)
            self._stream.write(line.encode("utf-8", "backslashreplace") + b"\n")
            count += 1
        self.counts.append(ItemCount(labels, count))


@contextmanager
def writing_evaluation(folder: Path, task: str) -> Iterator[EvaluationWriter]:
    """Write `items.jsonl` while the block runs, and `scores.json` when it ends well."""
    with writing(folder / ITEMS) as stream:
        writer = EvaluationWriter(task, stream)
        yield writer
    body = {
        "task": task,
        "items": [asdict(each) for each in writer.counts],
        "systems": [{name: value for name, value in asdict(each).items() if name != "task"} for each in writer.systems],
    }
    with writing(folder / SCORES) as stream:
        stream.write(json.dumps(body, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace") + b"\n")


@dataclass(frozen=True)
class _Written:
    """What `scores.json` holds."""

    task: str
    items: tuple[ItemCount, ...]
    systems: list[dict[str, Any]]


def is_evaluation(folder: Path) -> bool:
    """Return whether a folder holds an evaluation."""
    return (folder / SCORES).is_file() and (folder / ITEMS).is_file()


def read_evaluation(place: Path) -> Evaluation:
    """Read an evaluation from its folder, or from a file in that folder.

    Raises:
        DataError: If there is none, or it is damaged.
    """
    folder = place if place.is_dir() else place.parent
    if not is_evaluation(folder):
        raise DataError(
            f"{place} is not an evaluation: there is no {SCORES} with {ITEMS}.",
            hint="Evaluate with --out FOLDER, and give that folder.",
        )
    path = folder / SCORES
    body = checked(_Written, read_json(path, hint=_AGAIN), path, hint=_AGAIN)
    systems = tuple(
        checked(ScoredSystem, each | {"task": body.task}, f"{path}, system {number}", hint=_AGAIN)
        for number, each in enumerate(body.systems, start=1)
    )
    if not systems:
        raise DataError(f"{path} has no system.", hint=_AGAIN)
    return Evaluation(folder, body.task, systems, body.items)
