"""What the trainer needs of an objective, and what every objective of single examples has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from lexenc.arrays import Indices, batches, blocks
from lexenc.randomness import generator
from lexenc.training.processes import Processes

# Examples of this many steps are sorted by size together, so that chunks need little padding.
_SORTED_STEPS = 50


@dataclass(frozen=True)
class StepLoss:
    """The loss of a step.

    Args:
        value: What was minimised.
        terms: The terms of which it is the weighted sum, by name and without their weights. Empty for one term.
        facts: Further numbers of the step, for its line in the log.
    """

    value: float
    terms: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, terms: Mapping[str, float], weights: Mapping[str, float]) -> StepLoss:
        """Add up terms; a weight that is missing is 1."""
        value = sum(weights.get(name, 1.0) * term for name, term in terms.items())
        return cls(value, terms if len(terms) > 1 else {})


class StepModule(nn.Module):  # type: ignore[misc]
    """A module that changes once per step besides its weights. What changes lies in buffers, so that it is resumed."""

    def begin(self, total: int) -> None:
        """Plan a run of `total` steps, before the first of them or a resumed one."""

    def begin_step(self, step: int) -> None:
        """Prepare a step, from 0, before its losses are computed in one or several parts."""

    def end_step(self, step: int, gather: Callable[[Tensor], Tensor]) -> Mapping[str, float]:
        """Finish a step, after its losses were computed and before the weights are updated.

        Args:
            step: Number of the step, from 0.
            gather: Concatenates the rows of all processes, in the same order in each.

        Returns:
            Numbers for the line of the step in the log.
        """
        return {}


def _means(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of every number over the modules that report it."""
    names = dict.fromkeys(name for each in found for name in each)
    values = {name: [each[name] for each in found if name in each] for name in names}
    return {name: sum(own) / len(own) for name, own in values.items()}


class Objective(ABC):
    """Numbered examples and the weights that learn from them.

    The loss of an example does not depend on the other examples of its step, so that a step may be split wherever
    memory requires it. Objectives that compare examples derive from `contrastive.ContrastiveObjective`.

    Attributes:
        modules: Everything that learns, by name: encoders and heads. All of it is kept in checkpoints. Each
            `StepModule` in it takes part in the steps.
    """

    modules: Mapping[str, nn.Module]

    @abstractmethod
    def rows(self, epoch: int) -> Indices:
        """Return the examples of an epoch, the same number in each. Shape [n]."""

    @abstractmethod
    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of some examples. Shape as `rows`."""

    @abstractmethod
    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the loss of each of some examples. Random choices depend on `step`. Shape as `rows`."""

    def begin(self, total: int) -> None:
        """Plan a run of `total` steps, before the first of them or a resumed one."""
        for each in self._step_modules():
            each.begin(total)

    def _step_modules(self) -> list[StepModule]:
        parts = (part for module in self.modules.values() for part in module.modules())
        return [part for part in dict.fromkeys(parts) if isinstance(part, StepModule)]

    def steps(self, epoch: int, batch_size: int, seed: int) -> list[Indices]:
        """Return the examples of each step of an epoch, as many steps in each epoch.

        The order is random, but examples of similar size are in the same step.

        Args:
            epoch: Number of the epoch, from 0.
            batch_size: Examples per step. Only the last step may be shorter.
            seed: Seed of the run.
        """
        draw = generator(seed, f"order of epoch {epoch}")
        rows = draw.permutation(self.rows(epoch))
        order: list[Indices] = []
        for block in blocks(len(rows), batch_size * _SORTED_STEPS):
            part = rows[block]
            part = part[np.argsort(self.sizes(part), kind="stable")]
            steps = [part[one] for one in blocks(len(part), batch_size)]
            # Only the last step of all may be short.
            last = [steps.pop()] if len(steps[-1]) < batch_size else []
            order += [steps[place] for place in draw.permutation(len(steps))] + last
        return order

    def backward(
        self, rows: Indices, step: int, *, chunk_tokens: int, device: torch.device, processes: Processes
    ) -> StepLoss:
        """Compute the mean loss of a step and add its gradient to the weights.

        Args:
            rows: The examples of the step.
            step: Number of the step, from 0.
            chunk_tokens: Maximum number of subwords in one pass.
            device: Device of the weights.
            processes: The processes that train together. Each computes its share of the examples.
        """
        own, divisor = processes.share(len(rows)), processes.divisor(len(rows))
        value = 0.0
        parts = self._step_modules()
        for each in parts:
            each.begin_step(step)
        for part in chunks(self.sizes, rows[own], chunk_tokens):
            loss = self.losses(part, step).sum() / divisor
            loss.backward()
            value += float(loss.detach())
        found = [each.end_step(step, lambda own: processes.concatenated(own, len(rows))) for each in parts]
        return StepLoss(processes.mean(value, device), facts=_means(found))


def chunks(sizes: Callable[[Indices], Indices], rows: Indices, tokens: int) -> Iterator[Indices]:
    """Cut examples, sorted by size, into parts for one pass each.

    Args:
        sizes: Returns the number of subwords of some examples.
        rows: The examples.
        tokens: Maximum number of subwords in one pass, as if all examples were as long as the longest.
    """
    found = sizes(rows)
    order = np.argsort(found, kind="stable")
    for part in batches(found[order], tokens, padded=True):
        yield rows[order[part]]
