"""RCSLS: a mapping optimised for the retrieval criterion itself (Joulin et al. 2018)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lexenc.arrays import Doubles, Indices, Matrix
from lexenc.correlation import unit_rows
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress
from lexenc.search.neighbours import Neighbours, top_k


class Relaxation(NamedTuple):
    """Result of RCSLS.

    Args:
        matrix: Maps source rows, shape [d, d]. The target does not move.
        losses: Loss before the first step and after every accepted step.
    """

    matrix: Doubles
    losses: list[float]


def fit_rcsls(  # noqa: PLR0913 - one argument per switch of the method
    source: Matrix,
    target: Matrix,
    rows: Indices,
    columns: Indices,
    start: Doubles,
    *,
    neighbours: int = 10,
    iterations: int = 10,
    rate: float = 1.0,
    spectral: bool = False,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Relaxation:
    """Minimise the relaxed CSLS of dictionary pairs by gradient steps on the whole dictionary.

    The loss of section 3 is the mean over pairs (x, y) of -2 x'Wy + the mean of x'Wy' over the k targets y' nearest
    to Wx + the mean of x''Wy over the k sources x'' whose images are nearest to y.

    Args:
        source: Unit source vectors to search for neighbours, shape [n, d].
        target: Unit target vectors, shape [m, d].
        rows: Source rows of the pairs, shape [p].
        columns: Target rows of the pairs, shape [p].
        start: Initial matrix, usually the rotation of the same pairs, shape [d, d].
        neighbours: k.
        iterations: Number of steps to try.
        rate: Size of the first step. If the loss rises, the step is undone and the rate is halved.
        spectral: Whether to keep all singular values at most 1 (the convex hull of the rotations).
        device: `cpu`, or a PyTorch device for the search.
        progress: Progress bar to update.

    Raises:
        ConfigError: If the rate or the number of neighbours is not positive.
    """
    if rate <= 0 or neighbours < 1:
        raise ConfigError(f"RCSLS needs a positive rate and neighbours, got {rate:g} and {neighbours}.")
    anchors, positives = source[rows].astype(np.float64), target[columns].astype(np.float64)
    matrix = start.astype(np.float64)
    loss, gradient = _loss(matrix, source, target, anchors, positives, neighbours, device)
    losses = [loss]
    with progress.task("RCSLS", iterations, "steps") as task:
        for _ in range(iterations):
            tried = matrix - rate * gradient
            if spectral:
                left, values, right = np.linalg.svd(tried)
                tried = (left * np.minimum(values, 1)) @ right
            new_loss, new_gradient = _loss(tried, source, target, anchors, positives, neighbours, device)
            if new_loss < losses[-1]:
                matrix, gradient = tried, new_gradient
                losses.append(new_loss)
            else:
                rate /= 2
            task.advance(1)
    return Relaxation(matrix, losses)


def _loss(
    matrix: Doubles, source: Matrix, target: Matrix, anchors: Doubles, positives: Doubles, neighbours: int, device: str
) -> tuple[float, Doubles]:
    """Compute the loss and its gradient, with the neighbours fixed, as in the paper."""
    images = anchors @ matrix
    near_targets = top_k(unit_rows(images), target, k=neighbours, device=device)
    near_sources = top_k(positives, unit_rows(source @ matrix), k=neighbours, device=device)
    others, sources = _mean_rows(target, near_targets), _mean_rows(source, near_sources)
    count = len(anchors)
    gradient = (anchors.T @ (others - 2 * positives) + sources.T @ positives) / count
    pull = np.vecdot(images, others - 2 * positives).sum()
    push = np.vecdot(sources @ matrix, positives).sum()
    return float((pull + push) / count), gradient


def _mean_rows(matrix: Matrix, found: Neighbours) -> Doubles:
    """Compute the mean of the neighbours of every query, shape [q, d]."""
    total: Doubles = np.zeros((len(found.indices), matrix.shape[1]))
    for column in found.indices.T:
        total += matrix[column]
    total /= found.indices.shape[1]
    return total
