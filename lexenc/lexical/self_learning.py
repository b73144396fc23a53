"""Self-learning: a dictionary gives a mapping, the mapping a larger dictionary, and so on.

Source: Artetxe et al. 2018 (ACL), section 3.3: both directions, CSLS, a vocabulary cut-off, and stochastic dictionary
induction, which drops most candidates at first so that the search leaves poor optima.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.errors import ConfigError, WorkError, unknown_name
from lexenc.progress import SILENT, Progress
from lexenc.search.both_ways import Partners, one_thread_each, partner_search

Direction = Literal["union", "forward", "backward", "mutual"]
Matrix = NDArray[Any]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Schedule:
    """When self-learning drops how much, and when it ends; the defaults are VecMap's but for the patience.

    Args:
        vocabulary_cutoff: Most frequent words of each language among which the dictionary is induced.
        neighbours: Neighbours averaged for CSLS; 0 chooses by cosine.
        direction: Whose best partners make the dictionary: both languages' (`union`), one's, or those of pairs that
            choose each other (`mutual`).
        keep_start: Share of the candidates kept at first; 1 drops none.
        keep_growth: Factor on that share whenever the objective has not improved for `patience` iterations.
        patience: Iterations without improvement before more is kept; with all kept, before the end.
        improvement: Smallest rise of the objective that counts.
        max_iterations: End at the latest; None does not bound it.
    """

    vocabulary_cutoff: int = 20_000
    neighbours: int = 10
    direction: Direction = "union"
    keep_start: float = 0.1
    keep_growth: float = 2.0
    patience: int = 50
    improvement: float = 1e-6
    max_iterations: int | None = None


@dataclass(frozen=True)
class Learning:
    """How far self-learning has come; with the generator's state, all that is needed to go on.

    Args:
        source: Source row of every dictionary pair, shape [p].
        target: Target row of the same pair, shape [p].
        iteration: Iterations done.
        keep: Share of the candidates kept in the next iteration.
        best: Best objective so far.
        improved: Iteration of the last improvement.
        finished: Whether the schedule has come to its end.
        bars: What the search remembers from one round to the next.
    """

    source: Indices
    target: Indices
    iteration: int = 0
    keep: float = 0.0
    best: float = -np.inf
    improved: int = 0
    finished: bool = False
    bars: tuple[Matrix, ...] = ()


@dataclass(frozen=True)
class Iteration:
    """One line of the log.

    Args:
        iteration: Its number, from 1.
        objective: Mean cosine of every word to its nearest in the other language, over both languages (`union`,
            `mutual`) or the one that chooses.
        keep_probability: Share of the candidates kept.
        dictionary_size: Distinct pairs induced.
        improved: Whether the objective rose.
    """

    iteration: int
    objective: float
    keep_probability: float
    dictionary_size: int
    improved: bool


def learn(
    source: Matrix,
    target: Matrix,
    start: Learning,
    *,
    schedule: Schedule,
    generator: np.random.Generator,
    record: Callable[[Iteration, Learning], None] = lambda step, state: None,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Learning:
    """Alternate between an orthogonal mapping and the dictionary that it induces.

    Args:
        source: Normalised source vectors, most frequent first, shape [n, d], float32 or float64; arithmetic is of
            that type. Similarity is their inner product, so the cosine where normalisation ends with unit length.
        target: Normalised target vectors, shape [m, d], of the same type.
        start: The first dictionary (its rows may lie beyond the cut-off), or where earlier work stopped.
        schedule: When to drop how much, and when to end.
        generator: Draws what is dropped; in the state that it had when earlier work stopped.
        record: Told about every iteration and where it led.
        device: `cpu`, or a device of PyTorch for the search.
        progress: Who watches.

    Returns:
        The last dictionary, from which the final mapping is to be learnt.

    Raises:
        WorkError: If the first dictionary is empty.
        ConfigError: If a number of the schedule is out of range or the dimensions differ.

    Instead of dropping single candidates, the rank of the first one kept is drawn for every word: of candidates that
    are each kept with probability p it is geometrically distributed. That gives the same dictionaries with the same
    probabilities and needs n random numbers in place of n x m.
    """
    _check(source, target, start, schedule)
    state = start if start.keep else replace(start, keep=schedule.keep_start)
    cut = slice(schedule.vocabulary_cutoff)
    frequent = source[cut]
    search = partner_search(target[cut], neighbours=schedule.neighbours, device=device)
    search.bars = state.bars
    with progress.task("self-learning", schedule.max_iterations, "iterations") as task:
        while not state.finished:
            matrix = rotation(source, target, state.source, state.target)
            ranks = [_ranks(len(each), state.keep, generator) for each in (frequent, target[cut])]
            found = search.search(frequent @ matrix, ranks[0], ranks[1])
            step, state = _advance(state, found, schedule)
            state = replace(state, bars=search.bars)
            record(step, state)
            task.advance(1)
    return state


def rotation(source: Matrix, target: Matrix, rows: Indices, columns: Indices) -> Matrix:
    """Find the rotation of the source that fits dictionary pairs best (Schönemann 1966), shape [d, d].

    Args:
        source: Shape [n, d].
        target: Shape [m, d].
        rows: Source rows of the pairs, shape [p].
        columns: Target rows of the pairs, shape [p].
    """
    # One thread: for so small a decomposition the others are in the way.
    with one_thread_each():
        cross = (source[rows].T @ target[columns]).astype(np.float64)
        left, _, right = np.linalg.svd(cross)
        result: Matrix = (left @ right).astype(source.dtype)
    return result


def _advance(state: Learning, found: Partners, schedule: Schedule) -> tuple[Iteration, Learning]:
    """Take the dictionary that was found, and see whether it is better and what comes next."""
    number = state.iteration + 1
    objective = _objective(found, schedule.direction)
    better = objective - state.best >= schedule.improvement
    pairs = _pairs(found, schedule.direction)
    step = Iteration(number, objective, state.keep, _distinct(*pairs), better)
    following = replace(
        state,
        source=pairs[0],
        target=pairs[1],
        iteration=number,
        best=objective if better else state.best,
        improved=number if better else state.improved,
    )
    # The dictionary of a mapping that fits nothing may be empty; the one before is the last to learn from.
    if not len(pairs[0]):
        following = replace(following, source=state.source, target=state.target, finished=True)
    return step, _scheduled(following, schedule)


def _scheduled(state: Learning, schedule: Schedule) -> Learning:
    """Keep more, or end, where nothing has improved for long enough."""
    if schedule.max_iterations is not None and state.iteration >= schedule.max_iterations:
        return replace(state, finished=True)
    if state.iteration + 1 - state.improved <= schedule.patience:
        return state
    if state.keep >= 1:
        return replace(state, finished=True)
    return replace(state, keep=min(1.0, schedule.keep_growth * state.keep), improved=state.iteration + 1)


def _objective(found: Partners, direction: Direction) -> float:
    sides = {"forward": [found.source_best], "backward": [found.target_best]}
    chosen = sides.get(direction, [found.source_best, found.target_best])
    return float(np.mean([side.mean(dtype=np.float64) for side in chosen]))


def _pairs(found: Partners, direction: Direction) -> tuple[Indices, Indices]:
    """Give the dictionary; in a union a pair that both choose stands twice and weighs double, as in the paper."""
    sources, targets = np.arange(len(found.forward)), np.arange(len(found.backward))
    if direction == "forward":
        return sources, found.forward
    if direction == "backward":
        return found.backward, targets
    if direction == "mutual":
        return found.mutual()
    return np.concatenate([sources, found.backward]), np.concatenate([found.forward, targets])


def _distinct(rows: Indices, columns: Indices) -> int:
    return len(np.unique(rows * (columns.max(initial=0) + 1) + columns))


def _ranks(count: int, keep: float, generator: np.random.Generator) -> Indices:
    return generator.geometric(keep, count) if keep < 1 else np.ones(count, dtype=np.int64)


def _check(source: Matrix, target: Matrix, start: Learning, schedule: Schedule) -> None:
    if schedule.direction not in get_args(Direction):
        raise unknown_name("direction of induction", schedule.direction, get_args(Direction))
    if source.shape[1] != target.shape[1]:
        raise ConfigError(f"Self-learning needs equal sizes, got {source.shape[1]} and {target.shape[1]} columns.")
    for value, low, name in (
        (schedule.vocabulary_cutoff, 1, "vocabulary cut-off"),
        (schedule.patience, 1, "patience"),
        (schedule.keep_growth, 1.001, "growth of the share kept"),
    ):
        if value < low:
            raise ConfigError(f"The {name} must be at least {low}, got {value}.")
    if not 0 < schedule.keep_start <= 1:
        raise ConfigError(f"The share kept must be above 0 and at most 1, got {schedule.keep_start}.")
    if not len(start.source):
        raise WorkError("Self-learning has no pair to start from.", hint="Give a dictionary, or another start.")
