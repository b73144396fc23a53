"""Self-learning: alternate between learning a mapping from a dictionary and inducing a dictionary with the mapping.

Source: Artetxe et al. 2018 (ACL), section 3.3: induction in both directions with CSLS and a vocabulary cut-off, and
stochastic dictionary induction, which drops most candidates at first so that the search leaves poor local optima.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from lexenc.arrays import Indices, Matrix
from lexenc.errors import ConfigError, WorkError, unknown_name
from lexenc.progress import SILENT, Progress
from lexenc.search.both_ways import Partners, one_thread_each, partner_search

Direction = Literal["union", "forward", "backward", "mutual"]

_IMPROVEMENT = 1e-6  # smallest rise of the objective that counts


@dataclass(frozen=True)
class SelfLearningSettings:
    """How a dictionary is induced, and when self-learning ends. The defaults are those of VecMap except for `patience`.

    Args:
        vocabulary_cutoff: Number of most frequent words of each language that the dictionary is induced among.
        csls_neighbours: Neighbours averaged for CSLS; 0 ranks by cosine.
        induction: Whose best partners make the dictionary: both languages' (`union`), one's (`forward`, `backward`), or
            pairs that choose each other (`mutual`).
        keep_start: Share of the candidates kept at first; 1 drops none.
        keep_growth: Factor on that share whenever the objective has not improved for `patience` iterations.
        patience: Iterations without improvement before more candidates are kept, or, if all are kept, before the end.
        max_iterations: Maximum number of iterations; None for no limit.
    """

    vocabulary_cutoff: int = 20_000
    csls_neighbours: int = 10
    induction: Direction = "union"
    keep_start: float = 0.1
    keep_growth: float = 2.0
    patience: int = 50
    max_iterations: int | None = None


@dataclass(frozen=True)
class Learning:
    """State of self-learning. With the state of the generator, it is all that is needed to continue.

    Args:
        source: Source row of every dictionary pair, shape [p].
        target: Target row of the same pair, shape [p].
        iteration: Iterations done.
        keep: Share of the candidates kept in the next iteration.
        best: Best objective so far.
        improved: Iteration of the last improvement.
        finished: Whether self-learning has ended.
        bars: State that the search carries from one iteration to the next.
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
        objective: Mean cosine of every word to its nearest neighbour in the other language, over both languages
            (`union`, `mutual`) or the one that chooses.
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
    settings: SelfLearningSettings,
    generator: np.random.Generator,
    record: Callable[[Iteration, Learning], None] = lambda step, state: None,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Learning:
    """Alternate between an orthogonal mapping and the dictionary that it induces.

    Args:
        source: Normalised source vectors, most frequent first, shape [n, d], float32 or float64; arithmetic is of
            that type. Similarity is the inner product, i.e. the cosine if normalisation ends with unit length.
        target: Normalised target vectors, shape [m, d], of the same type.
        start: The first dictionary (its rows may lie beyond the cut-off), or the state at which earlier work stopped.
        settings: How the dictionary is induced, and when to end.
        generator: Draws the candidates that are dropped. To continue earlier work, restore its state.
        record: Called after every iteration with its log line and the new state.
        device: `cpu`, or a PyTorch device for the search.
        progress: Progress bar to update.

    Returns:
        The last state; the final mapping is learned from its dictionary.

    Raises:
        WorkError: If the first dictionary is empty.
        ConfigError: If a setting is out of range or the dimensions differ.

    Instead of dropping single candidates, the rank of the first one kept is drawn for every word. If each candidate is
    kept with probability p, this rank is geometrically distributed. The dictionaries and their probabilities are the
    same, with n random numbers instead of n x m.
    """
    _check(source, target, start, settings)
    state = start if start.keep else replace(start, keep=settings.keep_start)
    cut = slice(settings.vocabulary_cutoff)
    frequent = source[cut]
    search = partner_search(target[cut], neighbours=settings.csls_neighbours, device=device)
    search.bars = state.bars
    with progress.task("self-learning", settings.max_iterations, "iterations") as task:
        while not state.finished:
            matrix = rotation(source, target, state.source, state.target)
            sizes = len(frequent), len(target[cut])
            ranks = [generator.geometric(state.keep, size) if state.keep < 1 else np.ones(size, int) for size in sizes]
            found = search.search(frequent @ matrix, ranks[0], ranks[1])
            step, state = _advance(state, found, settings)
            state = replace(state, bars=search.bars)
            record(step, state)
            task.advance(1)
    return state


def rotation(source: Matrix, target: Matrix, rows: Indices, columns: Indices) -> Matrix:
    """Compute the rotation of the source that fits dictionary pairs best (Schönemann 1966), shape [d, d].

    Args:
        source: Shape [n, d].
        target: Shape [m, d].
        rows: Source rows of the pairs, shape [p].
        columns: Target rows of the pairs, shape [p].
    """
    # For so small a decomposition, more threads are slower than one.
    with one_thread_each():
        cross = (source[rows].T @ target[columns]).astype(np.float64)
        left, _, right = np.linalg.svd(cross)
        result: Matrix = (left @ right).astype(source.dtype)
    return result


def _advance(state: Learning, found: Partners, settings: SelfLearningSettings) -> tuple[Iteration, Learning]:
    """Replace the dictionary by the new one, and decide whether to keep more candidates or to end."""
    number = state.iteration + 1
    one_way = {"forward": [found.source_best], "backward": [found.target_best]}
    sides = one_way.get(settings.induction, [found.source_best, found.target_best])
    objective = float(np.mean([side.mean(dtype=np.float64) for side in sides]))
    better = objective - state.best >= _IMPROVEMENT
    rows, columns = _pairs(found, settings.induction)
    distinct = len(np.unique(rows * (columns.max(initial=0) + 1) + columns))
    following = replace(
        state,
        source=rows,
        target=columns,
        iteration=number,
        best=objective if better else state.best,
        improved=number if better else state.improved,
    )
    # The dictionary of a mapping that fits nothing may be empty. Then the last one before it is the result.
    if not len(rows):
        following = replace(following, source=state.source, target=state.target, finished=True)
    return Iteration(number, objective, state.keep, distinct, better), _scheduled(following, settings)


def _scheduled(state: Learning, settings: SelfLearningSettings) -> Learning:
    """Keep more candidates, or end, if nothing has improved for `patience` iterations."""
    if settings.max_iterations is not None and state.iteration >= settings.max_iterations:
        return replace(state, finished=True)
    if state.iteration + 1 - state.improved <= settings.patience:
        return state
    if state.keep >= 1:
        return replace(state, finished=True)
    return replace(state, keep=min(1.0, settings.keep_growth * state.keep), improved=state.iteration + 1)


def _pairs(found: Partners, induction: Direction) -> tuple[Indices, Indices]:
    """Return the dictionary. In a union, a pair that both languages choose occurs twice, as in the paper."""
    sources, targets = np.arange(len(found.forward)), np.arange(len(found.backward))
    if induction == "forward":
        return sources, found.forward
    if induction == "backward":
        return found.backward, targets
    if induction == "mutual":
        return found.mutual()
    return np.concatenate([sources, found.backward]), np.concatenate([found.forward, targets])


def _check(source: Matrix, target: Matrix, start: Learning, settings: SelfLearningSettings) -> None:
    if settings.induction not in get_args(Direction):
        raise unknown_name("direction of induction", settings.induction, get_args(Direction))
    if source.shape[1] != target.shape[1]:
        raise ConfigError(f"Self-learning needs equal sizes, got {source.shape[1]} and {target.shape[1]} columns.")
    for value, low, name in (
        (settings.vocabulary_cutoff, 1, "vocabulary cut-off"),
        (settings.patience, 1, "patience"),
        (settings.keep_growth, 1.001, "growth of the share kept"),
    ):
        if value < low:
            raise ConfigError(f"The {name} must be at least {low}, got {value}.")
    if not 0 < settings.keep_start <= 1:
        raise ConfigError(f"The share kept must be above 0 and at most 1, got {settings.keep_start}.")
    if not len(start.source):
        raise WorkError("Self-learning has no pairs to start from.", hint="Give a dictionary, or another start.")
