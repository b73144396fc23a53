"""The projection by which states and centres are compared, learned from a queue of states."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEAST_VARIANCE = 1e-3  # of a whitened direction, as a share of the largest, so that noise stays small


class StateQueue(nn.Module):  # type: ignore[misc]
    """The last states that were seen, first in, first out. All of it is kept in checkpoints.

    Args:
        size: Largest number of states, Q.
        width: Length of a state.
    """

    states: Tensor
    words: Tensor
    filled: Tensor
    next_place: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("states", torch.zeros(size, width))
        self.register_buffer("words", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.register_buffer("next_place", torch.zeros((), dtype=torch.int64))

    def push(self, states: Tensor, words: Tensor) -> None:
        """Append states and the words that they belong to. Shape [n, s], [n]."""
        size = len(self.words)
        states, words = states[-size:], words[-size:]
        places = (int(self.next_place) + torch.arange(len(words), device=words.device)) % size
        self.states[places] = states.to(self.states)
        self.words[places] = words
        self.next_place.fill_((int(self.next_place) + len(words)) % size)
        self.filled.fill_(min(size, int(self.filled) + len(words)))

    def held(self) -> tuple[Tensor, Tensor]:
        """Return the states, oldest first, and their words. Shape [m, s], [m]."""
        filled, place = int(self.filled), int(self.next_place)
        first = place if filled == len(self.words) else 0
        order = (first + torch.arange(filled, device=self.words.device)) % len(self.words)
        return self.states[order], self.words[order]


def principal_components(states: Tensor, width: int, *, whiten: bool = False) -> Tensor:
    """Return the first principal components of states, largest variance first.

    Args:
        states: The states. Shape [m, s].
        width: Number of components, at most s.
        whiten: Divide each by the deviation of the states along it, so that all count alike in distances.

    Returns:
        Orthogonal columns, of length 1 unless `whiten`. Shape [s, width].
    """
    centred = states.double()
    centred = centred - centred.mean(0)
    squares, vectors = torch.linalg.eigh(centred.T @ centred)
    vectors, squares = vectors.flip(1)[:, :width], squares.flip(0)[:width]
    if whiten:
        least = _LEAST_VARIANCE * squares[0] + torch.finfo(torch.float32).tiny
        vectors = vectors / (squares.clamp_min(least) / len(states)).sqrt()
    return vectors.to(states)
