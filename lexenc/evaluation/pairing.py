"""Matching of the answers of two systems to the same items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lexenc.errors import DataError
from lexenc.evaluation.bootstrap import LEVEL, MACRO, Columns, Difference, difference
from lexenc.evaluation.task import Task
from lexenc.files.evaluations import CONTROL, TRACK, Item, ScoredSystem
from lexenc.randomness import generator

Pair = tuple[Item, Item]
# Track, what was asked, the numbers of the question; and how often they came before.
_Key = tuple[tuple[str, tuple[str, ...], tuple[Any, ...]], int]


def pair_items(
    task: Task, first: Iterable[Item], second: Iterable[Item], *, every: bool, hint: str | None = None
) -> dict[str, list[Pair]]:
    """Pair the answers of two systems to the same items, by track.

    Args:
        task: The task.
        first: Items of one system.
        second: Items of the other, in any order.
        every: Whether items count that are not covered by both.
        hint: For the error.

    Raises:
        DataError: If the systems were asked different questions, or no item that counts is left.
    """
    left, right = _keyed(task, first), _keyed(task, second)
    for own, others in ((left, right), (right, left)) if task.absent else ():
        for key, item in own.items():
            if key not in others and not item.gold:
                others[key] = Item(item.asked, numbers=task.absent, labels=item.labels)
    if set(left) != set(right):
        only = [key for key in (*left, *right) if (key in left) != (key in right)]
        are = "1 item is" if len(only) == 1 else f"{len(only):,} items are"
        raise DataError(
            f"The evaluations asked different questions ({are} only in one of them, e.g. '{' '.join(only[0][0][1])}').",
            hint=hint,
        )
    tracks: dict[str, list[Pair]] = {}
    for key, item in left.items():
        other = right[key]
        if set(item.gold) != set(other.gold):
            raise DataError(f"The gold answers of '{' '.join(item.asked)}' differ.", hint=hint)
        if every or (item.covered and other.covered):
            tracks.setdefault(str(item.labels.get(TRACK, "")), []).append((item, other))
    if not tracks:
        raise DataError("No question is covered by both evaluations.", hint="Use --questions all.")
    return tracks


def asked_of(task: Task, items: Iterable[Item]) -> dict[str, set[Any]]:
    """Return what was asked, with the gold answers, of the items that are covered and that all have, by track."""
    tracks: dict[str, set[Any]] = {}
    shared = (each for each in items if each.covered and (each.gold or not task.absent))
    for key, item in _keyed(task, shared).items():
        tracks.setdefault(key[0][0], set()).add((key, frozenset(item.gold)))
    return tracks


def _keyed(task: Task, items: Iterable[Item]) -> dict[_Key, Item]:
    """Return items by what was asked. An item may occur several times, and each time counts."""
    seen: Counter[Any] = Counter()
    table: dict[_Key, Item] = {}
    for item in items:
        key = (str(item.labels.get(TRACK, "")), item.asked, tuple(item.numbers.get(name) for name in task.question))
        table[key, seen[key]] = item
        seen[key] += 1
    return table


def paired_columns(task: Task, pairs: Iterable[Pair], *, every: bool) -> tuple[Columns, Columns]:
    """Return the columns of both systems, if the items have the numbers of the task."""
    first, second = zip(*pairs, strict=True)
    try:
        return task.columns(first, every), task.columns(second, every)
    except (KeyError, TypeError, ValueError):
        message = f"There are items without the numbers of {task.title.lower()}."
        raise DataError(message, hint="Evaluate again.") from None


def controlled(
    task: Task, systems: Sequence[ScoredSystem]
) -> Iterator[tuple[ScoredSystem, ScoredSystem, Difference]]:
    """Yield the systems with a control, this control, and how far they are apart by the interval of the system.

    A control has no interval and no answers of its own. Without an interval of the system the ends are nan.
    """
    for control in (each for each in systems if each.is_control):
        labels = {name: value for name, value in control.labels.items() if name != CONTROL}.items()
        own = next((each for each in systems if not each.is_control and labels <= each.labels.items()), None)
        score, other = (None if each is None else each.score(task.headline.key) for each in (own, control))
        if own is None or score is None or other is None or score.value is None or other.value is None:
            continue
        low, high = (float("nan") if end is None else end - other.value for end in (score.low, score.high))
        yield own, control, Difference(score.value - other.value, low, high, float("nan"))


def strong_controls(task: Task, systems: Sequence[ScoredSystem]) -> Iterator[tuple[ScoredSystem, ScoredSystem]]:
    """Yield the systems whose control is not significantly worse, with this control: it is inside the interval."""
    for own, control, gain in controlled(task, systems):
        # Without an interval the values decide.
        better = gain.mean != 0 and (gain.mean > 0) == task.headline.larger_is_better
        if not better or not (gain.shown or gain.low != gain.low):
            yield own, control


class Gap(NamedTuple):
    """How far two systems are apart in a metric: first minus second, the values (nan if not defined), and the items.

    The track is empty without tracks, and `MACRO` for the mean of several.
    """

    metric: str
    track: str
    difference: Difference
    first: float
    second: float
    n: int


def compare_tracks(
    task: Task, tracks: Mapping[str, Sequence[Pair]], *, every: bool, seed: int, draws: int, level: float = LEVEL
) -> Iterator[Gap]:
    """Compare two systems by paired bootstrap, in every metric: the mean over tracks first, then each track.

    Tracks and `every` are those of `pair_items`.
    """
    parts = []
    for track, pairs in tracks.items():
        one, other = paired_columns(task, pairs, every=every)
        gaps = task.measure.gaps(one, other, generator=generator(seed, "paired bootstrap"), draws=draws)
        parts.append((track, gaps, task.measure.values(one), task.measure.values(other), len(pairs)))
    for metric in task.measure.metrics if len(parts) > 1 else ():
        whole = float(np.mean([gaps[metric][0] for _, gaps, *_ in parts]))
        drawn = np.mean([gaps[metric][1] for _, gaps, *_ in parts], axis=0)
        sides = zip(*(part[2:4] for part in parts), strict=True)
        first, second = (float(np.mean([values[metric] for values in side])) for side in sides)
        count = sum(part[-1] for part in parts)
        yield Gap(metric, MACRO, difference(whole, drawn, level), first, second, count)
    for track, gaps, first_values, second_values, count in parts:
        for metric, gap in gaps.items():
            found = difference(*gap, level)
            yield Gap(metric, track, found, first_values[metric], second_values[metric], count)


def compare_answers(
    task: Task, first: Iterable[Item], second: Iterable[Item], *, seed: int, draws: int
) -> list[Gap]:
    """Compare two systems on the items that both cover, as `compare_tracks`; nothing if these are not the same items.

    Where items that are not covered count, they count as the task says.
    """
    every = not task.uncovered
    try:
        tracks = pair_items(task, first, second, every=every)
        return list(compare_tracks(task, tracks, every=every, seed=seed, draws=draws))
    except DataError:
        return []
