"""AdamW on float32 weights, whatever the precision of the encoder."""

from __future__ import annotations

import torch


class MasterAdamW:
    """AdamW over float32 copies of the weights.

    Weights in float32 are their own copies. In bfloat16 an update of 2e-5 would vanish in the rounding of the
    weights, so the copies are updated and the weights are rounded from them.

    Args:
        module: The module to train.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay. Biases and normalisation layers have none.
    """

    def __init__(self, module: torch.nn.Module, *, learning_rate: float, weight_decay: float) -> None:
        self._peak = learning_rate
        named = [(name, each) for name, each in module.named_parameters() if each.requires_grad]
        self._weights = [each for _, each in named]
        self._masters = [each if each.dtype == torch.float32 else each.detach().float() for each in self._weights]
        spared = {
            f"{path}.{name}".lstrip(".")
            for path, part in module.named_modules()
            for name, _ in part.named_parameters(recurse=False)
            if name.endswith("bias") or "norm" in type(part).__name__.lower()
        }
        groups: dict[bool, list[torch.Tensor]] = {False: [], True: []}
        for (name, _), master in zip(named, self._masters, strict=True):
            groups[name in spared].append(master)
        kept = [{"params": groups[spares], "weight_decay": 0.0 if spares else weight_decay}
                for spares in (False, True) if groups[spares]]  # fmt: skip
        fused = all(each.device.type in ("cpu", "cuda") for each in self._masters)
        self._adam = torch.optim.AdamW(kept, lr=learning_rate, fused=fused)

    def step(self, factor: float, *, clip: float) -> float:
        """Clip the gradient, update the weights and clear the gradient.

        Args:
            factor: Factor on the peak learning rate.
            clip: Maximum norm of the gradient. 0 for no clipping.

        Returns:
            The norm before clipping.
        """
        for weight, master in zip(self._weights, self._masters, strict=True):
            if weight is not master:
                master.grad = weight.grad.float() if weight.grad is not None else None
                weight.grad = None
        gradients = [master.grad for master in self._masters if master.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        # A factor of 1 would change nothing and pass over all gradients, a table of 250,000 subwords among them.
        if 0 < clip <= 1.001 * float(norm) + 1e-5:
            torch.nn.utils.clip_grads_with_norm_(self._masters, clip, norm)
        for group in self._adam.param_groups:
            group["lr"] = self._peak * factor
        self._adam.step()
        # The fused step does not raise the version of a weight, on which the copies that encoders keep depend.
        torch.autograd.graph.increment_version(self._masters)
        self._adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            for weight, master in zip(self._weights, self._masters, strict=True):
                if weight is not master:
                    weight.copy_(master)
        return float(norm)

    def state(self) -> dict[str, torch.Tensor]:
        """Return everything needed to resume, as named tensors."""
        table = {}
        for number, master in enumerate(self._masters):
            table[f"{number}.master"] = master.detach().clone()
            for name, value in self._adam.state.get(master, {}).items():
                table[f"{number}.{name}"] = value.detach().clone()
        return table

    def fits(self, state: dict[str, torch.Tensor]) -> bool:
        """Return whether `restore` can resume from a state."""
        shapes: dict[str, torch.Size] = {}
        for number, master in enumerate(self._masters):
            shapes |= dict.fromkeys((f"{number}.{name}" for name in ("master", "exp_avg", "exp_avg_sq")), master.shape)
            shapes[f"{number}.step"] = torch.Size([])
        alike = all(shapes.get(name) == each.shape and each.dtype == torch.float32 for name, each in state.items())
        return alike and all(f"{number}.master" in state for number in range(len(self._masters)))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Resume from `state`."""
        for number, (weight, master) in enumerate(zip(self._weights, self._masters, strict=True)):
            master.copy_(state[f"{number}.master"])
            if weight is not master:
                weight.copy_(master)
            names = [name for name in ("step", "exp_avg", "exp_avg_sq") if f"{number}.{name}" in state]
            if names:
                # A checkpoint is on the CPU. The fused optimiser needs all of its state beside the weights.
                self._adam.state[master] = {
                    name: state[f"{number}.{name}"].to(master.device, copy=True) for name in names
                }
