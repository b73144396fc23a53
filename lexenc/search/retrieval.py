"""Retrieval criteria (nearest, CSLS, inverted softmax), and the exact ranks of given targets.

Each criterion sorts the targets of a query by the cosine minus a number that depends on the target alone. So one engine
serves all of them. That number, the costly part, is computed once (`fit_correction`) for any number of queries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lexenc.arrays import Ragged
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress
from lexenc.search import RETRIEVAL
from lexenc.search.neighbours import QUERY_BLOCK, Engine, Neighbours, cells_of, checked_lists, mask_of, top_k

Matrix = NDArray[Any]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Correction:
    """What a retrieval criterion needs to know of every target, computed from the whole source vocabulary.

    The score of a pair is `scale` x (cosine - offset of the target), for CSLS minus the mean cosine of the query.

    Args:
        scale: Factor of the corrected cosine.
        offsets: One number per target, float64, shape [n]. None stands for zeros.
        neighbours: Number of nearest targets whose mean cosine is subtracted from the scores of a query; 0 for none.
    """

    scale: float = 1.0
    offsets: Doubles | None = None
    neighbours: int = 0


NEAREST = Correction()


def fit_correction(
    targets: Matrix,
    sources: Matrix | None,
    *,
    criterion: str = "nearest",
    csls_neighbours: int = 10,
    inverse_temperature: float = 1.0,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Correction:
    """Compute what a retrieval criterion needs to know of every target.

    Args:
        targets: The whole target vocabulary, rows of length 1, shape [n, d].
        sources: The whole source vocabulary, rows of length 1, shape [m, d], not just the queries. A sample is enough
            for the inverted softmax. Not needed for `nearest`.
        criterion: `nearest` (cosine), `csls` (cosine minus how close a target is to everything), `inverted-softmax`
            (probability of the query given the target), or one that another package registers.
        csls_neighbours: Number of source words averaged for every target.
        inverse_temperature: Factor of the cosine in the inverted softmax; VecMap uses 1, MUSE 30.
        device: `cpu`, or a device of PyTorch.
        progress: Progress bar to update.

    Raises:
        ConfigError: If the criterion does not exist, the source vocabulary is missing, or a number is out of range.
    """
    fit: Callable[..., Correction] = RETRIEVAL[criterion]
    return fit(
        targets,
        sources,
        csls_neighbours=csls_neighbours,
        inverse_temperature=inverse_temperature,
        device=device,
        progress=progress,
    )


def fit_nearest(targets: Matrix, sources: Matrix | None, **_: Any) -> Correction:
    """Rank targets by cosine."""
    return NEAREST


def fit_csls(
    targets: Matrix, sources: Matrix | None, *, csls_neighbours: int, device: str, progress: Progress, **_: Any
) -> Correction:
    """Rank by CSLS: subtract from the cosine the mean cosines of query and target to their nearest words.

    Source: Conneau et al. 2018, section 2.3.
    """
    sources = _needed(sources, "csls")
    means = mean_similarity(targets, sources, k=csls_neighbours, device=device, progress=progress)
    return Correction(2.0, means / 2, csls_neighbours)


def fit_inverted_softmax(
    targets: Matrix, sources: Matrix | None, *, inverse_temperature: float, device: str, progress: Progress, **_: Any
) -> Correction:
    """Rank by inverted softmax: normalise exp(inverse temperature x cosine) over all source words.

    Source: Smith et al. 2017, section 2.3.

    Raises:
        ConfigError: If the inverse temperature is not above 0.
    """
    sources = _needed(sources, "inverted-softmax")
    if not inverse_temperature > 0:
        raise ConfigError(f"The inverse temperature must be above 0, got {inverse_temperature}.")
    # Its own block sizes, never the caller's: sums of float32 products differ in the seventh digit between blocks.
    engine = Engine(sources, targets, device=device)
    peaks, totals = np.full(len(targets), -np.inf), np.zeros(len(targets))
    with progress.task("Comparing vocabularies", len(sources), "words") as task:
        for rows in engine.query_blocks(QUERY_BLOCK):
            for start, scores in engine.blocks(rows):
                part = slice(start, start + scores.shape[1])
                scores *= np.float32(inverse_temperature)
                peak = np.maximum(peaks[part], scores.max(axis=0))
                totals[part] *= np.exp(peaks[part] - peak)
                np.subtract(scores, peak.astype(np.float32), out=scores)
                totals[part] += np.exp(scores, out=scores).sum(axis=0, dtype=np.float64)
                peaks[part] = peak
            task.advance(len(rows))
    return Correction(inverse_temperature, (np.log(totals) + peaks) / inverse_temperature)


def _needed(sources: Matrix | None, criterion: str) -> Matrix:
    if sources is None or not len(sources):
        raise ConfigError(f"Retrieval by {criterion} needs the vectors of the source vocabulary.")
    return sources


def retrieve(  # noqa: PLR0913 - the arguments of top_k and the correction
    queries: Matrix,
    targets: Matrix,
    *,
    k: int,
    correction: Correction = NEAREST,
    exclude: Ragged | Sequence[ArrayLike] | None = None,
    query_block: int | None = None,
    target_block: int | None = None,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Neighbours:
    """Find the k best targets of every query under a retrieval criterion.

    Scores can be compared between queries: for CSLS 2 cos(x, z) - r(x) - r(z), for the inverted softmax the logarithm
    of the probability. Neither block sizes nor the number of queries change the result.

    Args:
        queries: Rows of length 1, shape [q, d].
        targets: Rows of length 1, shape [n, d].
        k: Number of targets per query.
        correction: Result of `fit_correction` for the same targets; the default is the nearest neighbour by cosine.
        exclude: For every query the targets to leave out.
        query_block: Queries compared at a time; does not change the result.
        target_block: Targets compared at a time; does not change the result.
        device: `cpu`, or a device of PyTorch.
        progress: Progress bar to update.

    Returns:
        Indices and float32 scores, shape [q, min(k, n)], best first. Equal scores are sorted by index.

    Raises:
        ConfigError: As in `top_k`, or if the correction belongs to other targets.
        DataError: As in `top_k`.
    """
    _check_correction(correction, len(targets))
    found = top_k(
        queries, targets, k=k, offsets=correction.offsets, exclude=exclude,
        query_block=query_block, target_block=target_block, device=device, progress=progress,
    )  # fmt: skip
    scores = found.scores * correction.scale
    if correction.neighbours:
        scores -= mean_similarity(queries, targets, k=correction.neighbours, device=device, progress=progress)[:, None]
    return Neighbours(found.indices, scores.astype(np.float32))


def mean_similarity(
    queries: Matrix, targets: Matrix, *, k: int = 10, device: str = "cpu", progress: Progress = SILENT
) -> Doubles:
    """Compute the mean cosine of every query to its k nearest targets (r in the paper on CSLS).

    Args:
        queries: Rows of length 1, shape [q, d].
        targets: Rows of length 1, shape [n, d].
        k: Number of targets averaged.
        device: `cpu`, or a device of PyTorch.
        progress: Progress bar to update.

    Returns:
        Shape [q], float64.

    Raises:
        ConfigError: If k is below 1 or there is no target.
    """
    if not len(targets):
        raise ConfigError("There are no vectors to compare with.")
    means: Doubles = top_k(queries, targets, k=k, device=device, progress=progress).scores.mean(axis=1)
    return means


def rank_of(
    queries: Matrix,
    targets: Matrix,
    gold: Ragged | Sequence[ArrayLike],
    *,
    correction: Correction = NEAREST,
    exclude: Ragged | Sequence[ArrayLike] | None = None,
    query_block: int = QUERY_BLOCK,
    target_block: int | None = None,
    device: str = "cpu",
) -> Ragged:
    """Compute the rank of given targets among all targets, as if all were sorted for every query.

    Args:
        queries: Rows of length 1, shape [q, d].
        targets: Rows of length 1, shape [n, d].
        gold: For every query the targets whose ranks to compute.
        correction: Result of `fit_correction`; the default is the nearest neighbour by cosine.
        exclude: For every query the targets to leave out.
        query_block: Queries compared at a time; does not change the result.
        target_block: Targets compared at a time; does not change the result.
        device: `cpu`, or a device of PyTorch.

    Returns:
        Ranks, from 1, in the same lists as `gold`. The target of rank r is in column r - 1 of the result of `retrieve`.

    Raises:
        ConfigError: If the sizes do not match, a target does not exist, or the correction belongs to other targets.
        DataError: If a row contains a value that is not finite.

    Memory: about 8 bytes x query_block x target_block besides the inputs.
    """
    _check_correction(correction, len(targets))
    engine = Engine(
        queries, targets, offsets=correction.offsets, exclude=exclude, target_block=target_block, device=device
    )
    lists = checked_lists(gold, len(queries), len(targets), "expected")
    ranks = np.ones(len(lists.values), dtype=np.int64)
    for rows in engine.query_blocks(query_block):
        part = slice(lists.starts[rows[0]], lists.starts[rows[-1] + 1])
        lines = lists.rows[part] - rows[0]
        columns = lists.values[part]
        filled = engine.query_norms[rows[lines]] > 0
        ranks[part][filled] += _count_better(engine, rows, lines[filled], columns[filled])
        ranks[part][~filled] += _count_better_empty(engine, rows[lines[~filled]], columns[~filled])
    return Ragged(lists.starts, ranks)


def _count_better(engine: Engine, rows: Indices, lines: Indices, columns: Indices) -> Indices:
    """Count the targets that are better than that of each pair of a query, `rows[lines]` (ascending), and a column."""
    better = np.zeros(len(lines), dtype=np.int64)
    if not len(lines):
        return better
    own = engine.exact(rows[lines], columns[:, None])[:, 0]
    # Outside these bounds a float32 score decides which of two targets is better; between them float64 has to.
    error = engine.error[rows[lines]]
    high = np.nextafter((own + error).astype(np.float32), np.float32(np.inf))
    low = np.nextafter((own - error).astype(np.float32), np.float32(-np.inf))
    # At most one pair per query at a time.
    begins = np.r_[True, lines[1:] != lines[:-1]]
    turn = np.arange(len(lines)) - np.flatnonzero(begins)[np.cumsum(begins) - 1]
    turns = [np.flatnonzero(turn == number) for number in range(turn.max() + 1)]
    for start, scores in engine.blocks(rows):
        for pairs in turns:
            seen = scores if len(pairs) == len(rows) else scores[lines[pairs]]
            above = mask_of(np.greater, seen, high[pairs])
            better[pairs] += np.fromiter(map(np.count_nonzero, above), dtype=np.int64, count=len(pairs))
            near = mask_of(np.greater_equal, seen, low[pairs]) ^ above
            which, found = cells_of(near)
            found += start
            which = pairs[which]
            # The target of the pair itself is always among them.
            others = found != columns[which]
            which, found = which[others], found[others]
            values = engine.exact(rows[lines[which]], found[:, None])[:, 0]
            wins = (values > own[which]) | ((values == own[which]) & (found < columns[which]))
            np.add.at(better, which[wins], 1)
    return better


def _count_better_empty(engine: Engine, rows: Indices, columns: Indices) -> Indices:
    """Do the same as `_count_better` for queries that are zero."""
    better = np.zeros(len(rows), dtype=np.int64)
    values = engine.empty_scores()
    for place, (row, column) in enumerate(zip(rows, columns, strict=True)):
        wins = values > values[column]
        wins[:column] |= values[:column] == values[column]
        if engine.exclude is not None:
            wins[engine.exclude[int(row)]] = False
        better[place] = np.count_nonzero(wins)
    return better


def _check_correction(correction: Correction, targets: int) -> None:
    if correction.offsets is not None and len(correction.offsets) != targets:
        raise ConfigError(f"The correction belongs to {len(correction.offsets):,} targets, but there are {targets:,}.")
