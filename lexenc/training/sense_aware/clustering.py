"""K-means of the states of many words at once."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS, _STARTS = 20, 4


def cluster_words(points: Tensor, counts: Tensor, clusters: int, *, draw: torch.Generator) -> Tensor:
    """Cluster the points of each word on the unit sphere (spherical k-means), with the best of some random starts.

    Args:
        points: Points of each word; those after the first `counts` are not read. Shape [m, k, p].
        counts: Number of points of each word, at least `clusters`. Shape [m].
        clusters: Number of clusters of each word.
        draw: Source of randomness, on the CPU.

    Returns:
        Cluster of each point, the largest cluster of a word first. -1 after the first `counts`. Shape [m, k].

    Source: Arthur and Vassilvitskii 2007 ("k-means++") for the start; Dhillon and Modha 2001 for the sphere.
    """
    words, most, _ = points.shape
    valid = torch.arange(most, device=points.device) < counts[:, None]
    unit = torch.nn.functional.normalize(points, dim=2) * valid[:, :, None]
    best = torch.full((words,), -torch.inf, device=points.device)
    labels = torch.zeros(words, most, dtype=torch.int64, device=points.device)
    for _ in range(_STARTS):
        centres = _spread(unit, valid, clusters, draw)
        for _ in range(_ROUNDS):
            nearest = torch.einsum("mkp,mcp->mkc", unit, centres).argmax(2)
            member = torch.nn.functional.one_hot(nearest, clusters).to(unit) * valid[:, :, None]
            sums = torch.einsum("mkc,mkp->mcp", member, unit)
            # A cluster that lost its points keeps its place.
            moved = torch.where(member.sum(1)[:, :, None] > 0, torch.nn.functional.normalize(sums, dim=2), centres)
            if torch.equal(moved, centres):
                break
            centres = moved
        closeness, found = torch.einsum("mkp,mcp->mkc", unit, centres).max(2)
        total = (closeness * valid).sum(1)
        better = total > best
        best, labels = torch.where(better, total, best), torch.where(better[:, None], found, labels)
    return _largest_first(labels, valid, clusters)


def _spread(unit: Tensor, valid: Tensor, clusters: int, draw: torch.Generator) -> Tensor:
    """Return points of each word that are far from each other. Shape [m, c, p]."""
    chosen: list[Tensor] = []
    weights = valid.double()
    for _ in range(clusters):
        # Inverse sampling, with numbers of the CPU so that every device chooses alike.
        bounds = weights.cumsum(1)
        level = torch.rand(len(unit), 1, generator=draw, dtype=torch.float64).to(bounds) * bounds[:, -1:]
        place = torch.searchsorted(bounds, level, right=True).clamp_max(unit.shape[1] - 1)
        chosen.append(unit.gather(1, place[:, :, None].expand(-1, -1, unit.shape[2]))[:, 0])
        nearest = torch.einsum("mkp,mcp->mkc", unit, torch.stack(chosen, 1)).amax(2)
        weights = (1 - nearest).clamp_min(1e-9).double() * valid
    return torch.stack(chosen, 1)


def _largest_first(labels: Tensor, valid: Tensor, clusters: int) -> Tensor:
    sizes = (torch.nn.functional.one_hot(labels, clusters) * valid[:, :, None]).sum(1)
    ranks = torch.argsort(torch.argsort(-sizes, dim=1, stable=True), dim=1)
    return torch.where(valid, ranks.gather(1, labels), -1)
