"""Sense vectors, and the loss of a language model that predicts senses (equations 3 to 7)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lexenc.randomness import torch_generator
from lexenc.training.objective import StepModule
from lexenc.training.sense_aware.inventory import SenseInventory, TranslationSenses
from lexenc.training.sense_aware.settings import SenseSettings
from lexenc.training.softmax import Negatives, Predictions, log_partition, soft_target_losses

_NOISE = 0.01  # of the vectors at the split, relative to their root mean square


class SenseTable(StepModule):
    """A vector and a bias for every sense, by which a language model predicts senses.

    With one sense per word and no dictionary it is the output layer of a plain language model.

    Args:
        inventory: The senses. Several tables can share them, such as those of both directions of an ELMo.
        width: Length of a state.
        start: Vectors and biases of the words to begin with. None for random vectors, with standard deviation
            1 / sqrt(d), and no biases. Shapes [v, d], [v].
        purpose: What tells the random choices of several tables apart.
        observes: Whether the centres move towards the states of its predictions. Of several tables that share an
            inventory and see the same states, one does.

    Source: Liu et al. 2022, section 3.
    """

    def __init__(
        self,
        inventory: SenseInventory,
        width: int,
        *,
        start: tuple[Tensor, Tensor] | None = None,
        purpose: str = "senses",
        observes: bool = True,
    ) -> None:
        super().__init__()
        self.inventory, self._purpose, self._observes = inventory, purpose, observes
        rows, seed = len(inventory.enabled), inventory.settings.seed
        if start is None:
            draw = torch_generator(seed, f"vectors of {purpose}")
            vectors, bias = torch.randn(rows, width, generator=draw) / math.sqrt(width), torch.zeros(rows)
        else:
            vectors, bias = (torch.repeat_interleave(each.detach().float().cpu(), inventory.sizes.cpu(), 0)
                             for each in start)  # fmt: skip
        self.vectors, self.bias = nn.Parameter(vectors.contiguous()), nn.Parameter(bias.contiguous())

    @property
    def settings(self) -> SenseSettings:
        """The settings of the senses."""
        return self.inventory.settings

    def begin(self, total: int) -> None:
        """Plan the warm-up and the pruning of a run of `total` steps."""
        self.inventory.begin(total)

    def begin_step(self, step: int) -> None:
        """Split the words at the end of the warm-up."""
        shares = self.inventory.begin_step(step)
        if shares is not None:
            self.divide(shares)

    def end_step(self, step: int, gather: Callable[[Tensor], Tensor] = lambda own: own) -> Mapping[str, float]:
        """Move the centres. Return how senses are used, at steps at which the projection is due."""
        ended = self.inventory.end_step(step, gather)
        due = ended and self.inventory.several and (step + 1) % self.settings.refit_every == 0
        return self.inventory.usage() if due else {}

    def choose(self, predictions: Predictions) -> Tensor:
        """Return the row of the sense of each word. Shape [n]."""
        with torch.no_grad():
            scores = None
            if self.settings.choice == "logits" and self.inventory.divided:
                rows, _ = self.inventory.rows_of(predictions.words)
                scores = _row_scores(predictions.states.float(), self.vectors, self.bias, rows)
            return self.inventory.choose(
                predictions.words, predictions.own.float(), scores=scores, labels=predictions.labels
            )

    def losses(
        self,
        predictions: Predictions,
        negatives: Negatives | None = None,
        *,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Return the cross entropy of the senses of the words, and of their translations. Shape [n].

        A word with translations has the mean of both; a word without has that of its own sense.

        Args:
            predictions: The predictions.
            negatives: Words that are sampled for the softmax, see `SenseInventory.sampled`. None for the exact softmax.
            rows: The chosen rows. None to choose them. Shape [n].
        """
        rows = self.choose(predictions) if rows is None else rows
        with torch.no_grad():
            candidates = self.inventory.translate(predictions.words, predictions.own.float())
        if self._observes:
            self.inventory.observe(predictions.words, predictions.own, rows)
        states = predictions.states.float()
        if negatives is not None:
            return self._sampled_losses(states, predictions.words, rows, candidates, negatives)
        targets, shares = rows[:, None], torch.ones(len(rows), 1, device=rows.device)
        if candidates is not None:
            targets, shares = targets.repeat(1, 2), torch.tensor([[1.0, 0.0]], device=rows.device).repeat(len(rows), 1)
            targets[candidates.places, 1] = candidates.chosen
            shares[candidates.places] = 0.5
        return soft_target_losses(states, self.vectors, self._usable_bias(), targets, shares)

    def exact_losses(self, predictions: Predictions) -> Tensor:
        """Return the cross entropy of words, whichever of their senses is right, by the exact softmax. Shape [n].

        The probability of a word is the sum of those of its senses, so that it is comparable with that of a model of
        one sense per word.

        Args:
            predictions: The predictions.
        """
        states, words = predictions.states.float(), predictions.words
        rows, valid = self.inventory.rows_of(words)
        own = _row_scores(states, self.vectors, self.bias, rows).masked_fill(~valid, -torch.inf)
        nothing = words.new_zeros(0)
        return log_partition(states, self.vectors, self._usable_bias(), (nothing, nothing)) - own.logsumexp(1)

    def word_vectors(self) -> tuple[Tensor, Tensor]:
        """Return vector and bias of the most chosen sense of each word. Shapes [v, d], [v]."""
        inventory = self.inventory
        words = torch.arange(len(inventory.sizes), device=inventory.sizes.device)
        rows, valid = inventory.rows_of(words)
        best = rows.gather(1, (inventory.selected[rows] + 1).masked_fill(~valid, 0).argmax(1)[:, None])[:, 0]
        return self.vectors.detach()[best], self.bias.detach()[best]

    def _usable_bias(self) -> Tensor:
        """Return the bias of each row, minus infinity for those that are disabled. Shape [r]."""
        return self.bias.masked_fill(~self.inventory.enabled, -torch.inf)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def divide(self, shares: Tensor) -> None:
        """Copy the vectors of the warm-up to all senses, with some noise. The chance of a word stays as it was.

        Args:
            shares: Share of each row in its word, as `SenseInventory.begin_step` returns it. Shape [r].
        """
        draw = torch_generator(self.settings.seed, f"split of {self._purpose}")
        noise = torch.randn(self.vectors.shape, generator=draw).to(self.vectors)
        split = torch.repeat_interleave(self.inventory.sizes > 1, self.inventory.sizes)
        first = torch.repeat_interleave(self.inventory.offsets[:-1], self.inventory.sizes)
        if self.settings.reset:
            self.vectors[split] = noise[split] / math.sqrt(self.vectors.shape[1])
            self.bias[split] = 0
            return
        spread = _NOISE * self.vectors[self.inventory.offsets[:-1]].square().mean().sqrt()
        self.vectors[split] = (self.vectors[first] + spread * noise)[split]
        self.bias[split] = (self.bias[first] + shares.log())[split]

    def _sampled_losses(
        self, states: Tensor, words: Tensor, rows: Tensor, candidates: TranslationSenses | None, negatives: Negatives
    ) -> Tensor:
        """Return losses with the sampled words, and all senses of the word itself and of its translations.

        Every score is lowered by the logarithm of the chance of its word to be sampled.
        """
        near, valid = self.inventory.rows_of(words)
        weights = ((near == rows[:, None]) & valid).to(states)
        if candidates is not None:
            more = near.new_zeros(len(near), candidates.rows.shape[1])
            more[candidates.places] = candidates.rows
            usable = torch.zeros_like(more, dtype=torch.bool)
            usable[candidates.places] = candidates.valid
            right = torch.zeros_like(more).to(states)
            right[candidates.places] = 0.5 * (candidates.rows == candidates.chosen[:, None]).to(states)
            weights[candidates.places] *= 0.5
            # A row can stand in a rectangle several times, where it is filled up.
            near, valid = torch.cat([near, more], 1), torch.cat([valid, usable], 1)
            weights = torch.cat([weights, right * usable], 1)
        sampled, stands_for = self.inventory.sampled(negatives)
        columns = torch.full((len(self.bias),), -1, device=sampled.device)
        columns[sampled] = torch.arange(len(sampled), device=sampled.device)
        close_columns = columns[near].masked_fill(~valid, -1)
        hits = torch.nonzero(close_columns >= 0)
        read = torch.cat([sampled, near.flatten()])
        table = nn.functional.embedding(read, self.vectors, sparse=True)
        bias = self.bias - torch.repeat_interleave(negatives.correction, self.inventory.sizes)
        left_out = hits[:, 0], close_columns[hits[:, 0], hits[:, 1]]
        others = log_partition(states, table[: len(sampled)], bias[sampled] + stands_for, left_out)
        close = table[len(sampled) :].view(*near.shape, -1)
        scores = torch.einsum("nd,ncd->nc", states, close) + bias[near]
        total = torch.logaddexp(scores.masked_fill(~valid, -torch.inf).logsumexp(1), others)
        return total - (weights * scores).sum(1)


def _row_scores(states: Tensor, vectors: Tensor, bias: Tensor, rows: Tensor) -> Tensor:
    """Return the scores of some rows for each state. Shape [n, d], [n, c] -> [n, c]."""
    return torch.einsum("nd,ncd->nc", states, nn.functional.embedding(rows, vectors)) + bias[rows]
