"""What an evaluation is: its metrics, how they are computed and resampled, and how a question is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lexenc.errors import unknown_name
from lexenc.evaluation.bootstrap import Columns, Measure
from lexenc.files.evaluations import Item


@dataclass(frozen=True)
class Metric:
    """One number that a task is scored by.

    Args:
        key: JSON key.
        head: Short name for tables, e.g. P@1.
        larger_is_better: Whether a larger value is better.
        percent: Whether tables show it times 100.
        over: Name of the numbers of an item that it averages over, if it does.
    """

    key: str
    head: str
    larger_is_better: bool = True
    percent: bool = True
    over: str = ""

    def show(self, value: float | None, *, sign: str = "", digits: int = 2) -> str:
        """Return the value as tables show it; a dash where it is not defined."""
        if value is None or value != value:
            return "-"
        return f"{100 * value:{sign}.{digits}f}" if self.percent else f"{value:{sign}.{digits + 2}f}"


@dataclass(frozen=True)
class Breakdown:
    """Kinds of items that a report scores one by one.

    Args:
        title: What tells the kinds apart, e.g. `by frequency`.
        kinds: Kinds in order.
        kind: Returns the kind of an item; None for an item of no kind.
        note: How the kinds are defined.
    """

    title: str
    kinds: tuple[str, ...]
    kind: Callable[[Item], str | None]
    note: str


@dataclass(frozen=True)
class Task:
    """An evaluation, declared once: everything that tables, `compare`, `results` and the report need to know of it.

    Args:
        name: JSON value of `task`, and the name in the registry.
        title: Title of its tables.
        metrics: The headline first.
        measure: How the metrics are computed from columns, and how items are resampled.
        columns: Turns items into columns; its second argument says whether items that are not covered count, as
            `uncovered` says. Without it they are left out before.
        item: Singular of what is counted.
        items: Its plural, if it is not made with an s.
        test: The input of the stage that holds the test set.
        compared: Metrics that `compare` shows; only the headline if left out.
        question: Names of the numbers that belong to the question and not to the answer.
        uncovered: What becomes of items that are not covered where all count; empty if every item is covered.
        absent: Numbers of an item without gold answers for a system that has no such item, where only some systems may
            have it, e.g. a sentence that only one of them mined. If empty, all systems have the same items.
        alike: JSON keys that must be the same where two evaluations are compared, in groups: of a group, the first that
            differs explains the others.
        options: The option that sets a key, where it has another name.
        breakdowns: Kinds of items that a report scores one by one.
        facts: Returns what else to report, from the columns of a system on a test set, or on several together.
        row: Labels of the scores that the items give, where an evaluation has others too.
        heads: Heads of the line that shows an item; those of numbers begin with `#`.
        cells: Shows an item as a line of cells.
    """

    name: str
    title: str
    metrics: tuple[Metric, ...]
    measure: Measure
    columns: Callable[[Sequence[Item], bool], Columns]
    item: str = "question"
    items: str | None = None
    test: str = "pairs"
    compared: tuple[str, ...] = ()
    question: tuple[str, ...] = ()
    uncovered: str = ""
    absent: Mapping[str, float] = field(default_factory=dict)
    alike: tuple[tuple[str, ...], ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    row: Mapping[str, str] = field(default_factory=dict)
    breakdowns: tuple[Breakdown, ...] = ()
    facts: Callable[[Sequence[Columns]], Mapping[str, Any]] = lambda columns: {}
    heads: tuple[str, ...] = ("question", "gold", "answers")
    cells: Callable[[Item], tuple[str, ...]] = lambda item: (
        " | ".join(item.asked),
        ", ".join(item.gold),
        ", ".join(str(each["target"]) for each in item.answers),
    )

    @property
    def headline(self) -> Metric:
        """The metric that stands for the others."""
        return self.metrics[0]

    def metric(self, key: str) -> Metric:
        """Return a metric by its JSON key, with or without `mean_`.

        Raises:
            ConfigError: If the task has no such metric.
        """
        for each in self.metrics:
            if each.key in (key, f"mean_{key}"):
                return each
        raise unknown_name(f"metric of {self.title.lower()}", key, [each.key for each in self.metrics])

    def option(self, key: str) -> str:
        """Return the option that sets a JSON key."""
        return self.options.get(key, f"--{key.replace('_', '-')}")
