"""Linear-chain conditional random fields: the probability of a whole sequence of tags.

Source: Lafferty, McCallum and Pereira 2001, "Conditional Random Fields"; Lample et al. 2016, "Neural Architectures for
Named Entity Recognition", section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lexenc.randomness import torch_generator

_DEVIATION = 0.1  # of the scores of pairs of tags at first


class LinearChain(nn.Module):  # type: ignore[misc]
    """Scores of pairs of neighbouring tags, and of first and last tags.

    Sequences are padded: `lengths`, shape [b], says how many places of each belong to it, at least 1. What the padding
    holds does not matter.

    Args:
        tags: Number of tags.
        seed: Seed of the weights.
    """

    def __init__(self, tags: int, *, seed: int) -> None:
        super().__init__()
        source = torch_generator(seed, "linear chain")
        shapes = ((tags, tags), (tags,), (tags,))
        self.pairs, self.first, self.last = (
            nn.Parameter(_DEVIATION * torch.randn(shape, generator=source)) for shape in shapes
        )

    def scores(self, emissions: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """Return the score of one sequence of tags for each sentence: the sum of its emissions and transitions.

        Args:
            emissions: Score of each tag at each place. Shape [b, t, k].
            lengths: Shape [b].
            tags: Shape [b, t].
        """
        inside = _inside(emissions, lengths)
        own = emissions.gather(2, tags[:, :, None])[:, :, 0].where(inside, 0.0).sum(1)
        pairs = self.pairs[tags[:, :-1], tags[:, 1:]].where(inside[:, 1:], 0.0).sum(1)
        last = tags.gather(1, lengths[:, None] - 1)[:, 0]
        return own + pairs + self.first[tags[:, 0]] + self.last[last]

    def log_partition(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Return the logarithm of the sum of exp(score) over all sequences, by the forward algorithm. Shape [b]."""
        inside = _inside(emissions, lengths)
        sums = self.first + emissions[:, 0]
        for place in range(1, emissions.shape[1]):
            after = torch.logsumexp(sums[:, :, None] + self.pairs, dim=1) + emissions[:, place]
            sums = after.where(inside[:, place, None], sums)
        return torch.logsumexp(sums + self.last, dim=1)

    def losses(self, emissions: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """Return minus the log probability of one sequence for each sentence, in nats. Arguments as in `scores`."""
        return self.log_partition(emissions, lengths) - self.scores(emissions, lengths, tags)

    def best(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Return the sequence with the highest score for each sentence, by Viterbi's algorithm. Shape [b, t].

        Of equal ones it is the one with the lowest numbers from its end on. The padding holds 0.
        """
        inside = _inside(emissions, lengths)
        scores, steps = self.first + emissions[:, 0], []
        for place in range(1, emissions.shape[1]):
            highest, before = (scores[:, :, None] + self.pairs).max(dim=1)
            scores = (highest + emissions[:, place]).where(inside[:, place, None], scores)
            steps.append(before)
        found = torch.zeros(emissions.shape[:2], dtype=torch.long, device=emissions.device)
        tag = (scores + self.last).argmax(dim=1)
        for place in range(emissions.shape[1] - 1, 0, -1):
            found[:, place] = tag.where(inside[:, place], 0)
            tag = steps[place - 1].gather(1, tag[:, None])[:, 0].where(inside[:, place], tag)
        found[:, 0] = tag
        return found


def _inside(emissions: Tensor, lengths: Tensor) -> Tensor:
    """Return which places belong to their sentence. Shape [b, t]."""
    return torch.arange(emissions.shape[1], device=emissions.device) < lengths[:, None]
