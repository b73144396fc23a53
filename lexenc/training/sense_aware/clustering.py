"""K-means of the states of many words at once."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS, _STARTS = 20, 4


def cluster_words(
    points: Tensor, counts: Tensor, clusters: int, *, draw: torch.Generator, sphere: bool = True
) -> Tensor:
    """Cluster the points of each word by k-means, with the best of some random starts.

    Args:
        points: Points of each word; those after the first `counts` are not read. Shape [m, k, p].
        counts: Number of points of each word, at least `clusters`. Shape [m].
        clusters: Number of clusters of each word.
        draw: Source of randomness, on the CPU.
        sphere: By cosine (spherical k-means), instead of distance.

    Returns:
        Cluster of each point, the largest cluster of a word first. -1 after the first `counts`. Shape [m, k].

    Source: Arthur and Vassilvitskii 2007 ("k-means++") for the start; Dhillon and Modha 2001 for the sphere.
    """
    words, most, _ = points.shape
    valid = torch.arange(most, device=points.device) < counts[:, None]
    points = (torch.nn.functional.normalize(points, dim=2) if sphere else points) * valid[:, :, None]
    best = torch.full((words,), -torch.inf, device=points.device)
    labels = torch.zeros(words, most, dtype=torch.int64, device=points.device)
    for _ in range(_STARTS):
        centres = _spread(points, valid, clusters, draw)
        for _ in range(_ROUNDS):
            nearest = _distances(points, centres).argmin(2)
            member = torch.nn.functional.one_hot(nearest, clusters).to(points) * valid[:, :, None]
            sums, sizes = torch.einsum("mkc,mkp->mcp", member, points), member.sum(1)[:, :, None]
            means = torch.nn.functional.normalize(sums, dim=2) if sphere else sums / sizes.clamp_min(1)
            # A cluster that lost its points keeps its place.
            moved = torch.where(sizes > 0, means, centres)
            if torch.equal(moved, centres):
                break
            centres = moved
        distance, found = _distances(points, centres).min(2)
        total = -(distance * valid).sum(1)
        better = total > best
        best, labels = torch.where(better, total, best), torch.where(better[:, None], found, labels)
    return _largest_first(labels, valid, clusters)


def _distances(points: Tensor, centres: Tensor) -> Tensor:
    """Return squared distances, of unit vectors twice 1 - cosine. Shape [m, k, p], [m, c, p] -> [m, k, c]."""
    squares = points.square().sum(2)[:, :, None] + centres.square().sum(2)[:, None]
    return squares - 2 * torch.einsum("mkp,mcp->mkc", points, centres)


def _spread(points: Tensor, valid: Tensor, clusters: int, draw: torch.Generator) -> Tensor:
    """Return points of each word that are far from each other. Shape [m, c, p]."""
    chosen: list[Tensor] = []
    weights = valid.double()
    for _ in range(clusters):
        # Inverse sampling, with numbers of the CPU so that every device chooses alike.
        bounds = weights.cumsum(1)
        level = torch.rand(len(points), 1, generator=draw, dtype=torch.float64).to(bounds) * bounds[:, -1:]
        place = torch.searchsorted(bounds, level, right=True).clamp_max(points.shape[1] - 1)
        chosen.append(points.gather(1, place[:, :, None].expand(-1, -1, points.shape[2]))[:, 0])
        weights = _distances(points, torch.stack(chosen, 1)).amin(2).clamp_min(1e-9).double() * valid
    return torch.stack(chosen, 1)


def _largest_first(labels: Tensor, valid: Tensor, clusters: int) -> Tensor:
    sizes = (torch.nn.functional.one_hot(labels, clusters) * valid[:, :, None]).sum(1)
    ranks = torch.argsort(torch.argsort(-sizes, dim=1, stable=True), dim=1)
    return torch.where(valid, ranks.gather(1, labels), -1)
