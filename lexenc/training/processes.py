"""Training by several processes at once (`torchrun`): every process computes its share of each step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


class Processes:
    """The processes of the default group of `torch.distributed`, or this process alone where there is no group.

    Attributes:
        rank: Number of this process, from 0.
        count: Number of processes.
    """

    def __init__(self) -> None:
        grouped = dist.is_available() and dist.is_initialized()
        self.rank: int = dist.get_rank() if grouped else 0
        self.count: int = dist.get_world_size() if grouped else 1

    def share(self, count: int) -> slice:
        """Return which of `count` rows this process computes: all of them where rows are fewer than processes."""
        if count < self.count:
            return slice(0, count)
        return slice(count * self.rank // self.count, count * (self.rank + 1) // self.count)

    def divisor(self, count: int) -> float:
        """Return what each process divides the sum over its share by, so that their mean is the mean over all rows."""
        return count if self.count == 1 or count < self.count else count / self.count

    def gathered(self, own: Tensor, share: slice, total: int) -> Tensor:
        """Return the rows of all processes. The gradient of a row is the sum over the losses of all processes.

        Args:
            own: Rows that this process computed. Shape [m, d].
            share: Which rows of all they are.
            total: Number of rows of all processes. m where every process computed all rows.
        """
        return own if len(own) == total else _Gathered.apply(own, share, total)

    def concatenated(self, own: Tensor, count: int) -> Tensor:
        """Return the rows of all processes one after the other, in the order of their numbers; without gradient.

        Args:
            own: Rows of this process. Processes may have different numbers of them. Shape [m, ...].
            count: Number of examples of the step, as in `share`. If every process computed all of them, the rows of
                each process are all there are.
        """
        if self.count == 1 or count < self.count:
            return own
        sizes = [torch.zeros(1, dtype=torch.int64, device=own.device) for _ in range(self.count)]
        dist.all_gather(sizes, torch.tensor([len(own)], device=own.device))
        lengths = [int(each) for each in sizes]
        padded = own.new_zeros(max(lengths), *own.shape[1:])
        padded[: len(own)] = own
        tables = [torch.empty_like(padded) for _ in lengths]
        dist.all_gather(tables, padded)
        return torch.cat([table[:length] for table, length in zip(tables, lengths, strict=True)])

    def mean(self, value: float, device: torch.device) -> float:
        """Return the mean over all processes."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=device)
        dist.all_reduce(total)
        return float(total.item()) / self.count

    def any(self, flag: bool, device: torch.device) -> bool:
        """Return whether the flag is set in any process."""
        return self.mean(float(flag), device) > 0

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over all processes."""
        if self.count == 1:
            return
        learning = [each for each in parameters if each.requires_grad]
        used = torch.tensor([each.grad is not None for each in learning], dtype=torch.int32, device=learning[0].device)
        dist.all_reduce(used, op=dist.ReduceOp.MAX)
        # A weight without a gradient in any process has none, so that weight decay leaves it alone.
        shared = [each for each, flag in zip(learning, used.tolist(), strict=True) if flag]
        # The rows of a sparse gradient differ between processes.
        sparse = [each.grad is not None and each.grad.is_sparse for each in shared]
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in shared]
        gradients = [each.to_dense() if each.is_sparse else each for each in gradients]
        flat = torch.cat([each.reshape(-1) for each in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        parts = flat.split([each.numel() for each in shared])
        for each, part, rows in zip(shared, parts, sparse, strict=True):
            each.grad = part.view_as(each).to_sparse(1) if rows else part.view_as(each)

    def by_rank(self, states: dict[str, Tensor]) -> dict[str, Tensor]:
        """Collect named tensors of all processes: those of process 1 are called `name.1`, those of process 0 `name`."""
        if self.count == 1:
            return states
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, states)
        return {_name_at(rank, name): each for rank, part in enumerate(found) for name, each in part.items()}

    def of_rank(self, states: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what `by_rank` collected from this process. Empty where it collected nothing from it."""
        names = {_name_at(self.rank, name): name for name in states if "." not in name}
        return {name: states[key] for key, name in names.items() if key in states}


def _name_at(rank: int, name: str) -> str:
    return f"{name}.{rank}" if rank else name


class _Gathered(torch.autograd.Function):  # type: ignore[misc]
    """Rows of all processes, with the gradient of all of them."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, share: slice, total: int) -> Tensor:
        ctx.share = share
        table = own.new_zeros(total, own.shape[1])
        table[share] = own
        dist.all_reduce(table)
        return table

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.share], None, None
