"""AdamW with a warm-up, on float32 weights whatever the precision of the encoder."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch


def linear_schedule(step: int, *, warmup: int, total: int) -> float:
    """Give the factor on the learning rate: up from 0 over the warm-up, then down to 0 at the end.

    Args:
        step: From 0.
        warmup: Steps of the warm-up; the factor is exactly 1 at this step.
        total: Steps in all.
    """
    if step < warmup:
        return step / max(1, warmup)
    return max(0.0, (total - step) / max(1, total - warmup))


def constant_schedule(step: int, *, warmup: int, total: int) -> float:
    """Give the factor on the learning rate: up from 0 over the warm-up, then always 1.

    Args:
        step: From 0.
        warmup: Steps of the warm-up.
        total: Steps in all.
    """
    return min(1.0, step / max(1, warmup)) if warmup else 1.0


SCHEDULES = {"linear": linear_schedule, "constant": constant_schedule}


def warmup_steps(share: float, total: int) -> int:
    """Give the steps of the warm-up: the share rounded up, as Hugging Face does it, but never all of them.

    The learning rate is 0 at the first step of a warm-up, so a run of one step would otherwise change nothing.
    """
    return min(math.ceil(share * total), max(0, total - 1))


class MasterAdamW:
    """AdamW over float32 copies of the weights.

    Where the encoder computes in float32, the copies are the weights themselves. In bfloat16 an update of 2e-5 would
    vanish in the rounding of the weights, so the copies take it and the weights follow.

    Args:
        module: The encoder's weights.
        learning_rate: Peak.
        weight_decay: Decoupled; biases and the weights of normalisation layers have none.
        epsilon: Added to the root of the second moment.
    """

    def __init__(
        self, module: torch.nn.Module, *, learning_rate: float, weight_decay: float, epsilon: float = 1e-8
    ) -> None:
        self._peak = learning_rate
        named = [(name, each) for name, each in module.named_parameters() if each.requires_grad]
        self._weights = [each for _, each in named]
        self._masters = [each if each.dtype == torch.float32 else each.detach().float() for each in self._weights]
        spared = set(_spared(module))
        groups = [
            {"params": self._chosen(named, spared, False), "weight_decay": weight_decay},
            {"params": self._chosen(named, spared, True), "weight_decay": 0.0},
        ]
        fused = all(each.device.type in ("cpu", "cuda") for each in self._masters)
        kept = [group for group in groups if group["params"]]
        self._adam = torch.optim.AdamW(kept, lr=learning_rate, eps=epsilon, fused=fused)

    def _chosen(
        self, named: list[tuple[str, torch.nn.Parameter]], spared: set[str], wanted: bool
    ) -> list[torch.Tensor]:
        return [master for (name, _), master in zip(named, self._masters, strict=True) if (name in spared) == wanted]

    def step(self, factor: float, *, clip: float) -> float:
        """Clip, update and clear the gradients.

        Args:
            factor: On the peak learning rate.
            clip: Largest norm of all gradients together; 0 does not clip.

        Returns:
            The norm before clipping.
        """
        for weight, master in zip(self._weights, self._masters, strict=True):
            if weight is not master:
                master.grad = weight.grad.float() if weight.grad is not None else None
                weight.grad = None
        norm = torch.nn.utils.clip_grad_norm_(self._masters, clip if clip > 0 else math.inf)
        for group in self._adam.param_groups:
            group["lr"] = self._peak * factor
        self._adam.step()
        # The fused step raises no version of a weight, and encoders keep copies until the version is another.
        torch.autograd.graph.increment_version(self._masters)
        self._adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            for weight, master in zip(self._weights, self._masters, strict=True):
                if weight is not master:
                    weight.copy_(master)
        return float(norm)

    def state(self) -> dict[str, torch.Tensor]:
        """Give everything needed to continue, as named tensors."""
        table = {}
        for number, master in enumerate(self._masters):
            table[f"{number}.master"] = master.detach().clone()
            for name, value in self._adam.state.get(master, {}).items():
                table[f"{number}.{name}"] = value.detach().clone()
        return table

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Continue from `state`."""
        with torch.no_grad():
            self._restore(state)

    def _restore(self, state: dict[str, torch.Tensor]) -> None:
        for number, (weight, master) in enumerate(zip(self._weights, self._masters, strict=True)):
            master.copy_(state[f"{number}.master"])
            if weight is not master:
                weight.copy_(master)
            own = {
                name: state[f"{number}.{name}"]
                for name in ("step", "exp_avg", "exp_avg_sq")
                if f"{number}.{name}" in state
            }
            if own:
                # A checkpoint lies on the processor; the fused optimiser wants all of it beside the weights.
                self._adam.state[master] = {name: value.to(master.device, copy=True) for name, value in own.items()}


def _spared(module: torch.nn.Module) -> Iterable[str]:
    """Name the parameters without weight decay."""
    for path, part in module.named_modules():
        is_norm = "norm" in type(part).__name__.lower()
        for name, _ in part.named_parameters(recurse=False):
            if is_norm or name.endswith("bias"):
                yield f"{path}.{name}" if path else name
