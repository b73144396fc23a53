"""AdamW or Adagrad on float32 weights, whatever the precision of the encoder. Tables of words learn row by row."""

from __future__ import annotations

import torch

from lexenc.training.schedule import UpdateRule

_BETAS, _EPSILON = (0.9, 0.999), 1e-8
# The accumulator starts at 1 in ELMo, where the loss is multiplied by 16, the words of a sequence.
_ACCUMULATOR = 1 / 256


class MasterOptimiser:
    """AdamW or Adagrad over float32 copies of the weights.

    Weights in float32 are their own copies. In bfloat16 an update of 2e-5 would vanish in the rounding of the
    weights, so the copies are updated and the weights are rounded from them.

    Of a weight with a sparse gradient only the rows that the gradient has are updated, without weight decay (lazy
    Adam). A pass over a table of 100,000 words would take longer than the rest of a step.

    Args:
        module: The module to train.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay of AdamW. Biases and normalisation layers have none.
        rule: How gradients become updates.
    """

    def __init__(
        self, module: torch.nn.Module, *, learning_rate: float, weight_decay: float, rule: UpdateRule = "adamw"
    ) -> None:
        self._peak, self._rule = learning_rate, rule
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
        self._inner: torch.optim.Optimizer
        if rule == "adamw":
            self._inner = torch.optim.AdamW(kept, lr=learning_rate, betas=_BETAS, eps=_EPSILON, fused=fused)
        else:
            self._inner = torch.optim.Adagrad(
                self._masters, lr=learning_rate, initial_accumulator_value=_ACCUMULATOR, eps=_EPSILON
            )

    def step(self, factor: float, *, clip: float) -> float:
        """Clip the gradient, update the weights and clear the gradient.

        Args:
            factor: Factor on the peak learning rate.
            clip: Maximum norm of the gradient. 0 for no clipping.

        Returns:
            The norm before clipping.
        """
        sparse: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        for weight, master in zip(self._weights, self._masters, strict=True):
            gradient = weight.grad
            if gradient is not None and gradient.is_sparse:
                rows = gradient.coalesce()
                sparse.append((master, rows.indices()[0], rows.values().float()))
                weight.grad = master.grad = None
            elif weight is not master:
                master.grad = gradient.float() if gradient is not None else None
                weight.grad = None
        gradients = [master.grad for master in self._masters if master.grad is not None]
        norm = torch.nn.utils.get_total_norm([*gradients, *(values for *_, values in sparse)])
        # A factor of 1 would change nothing and pass over all gradients, a table of 250,000 subwords among them.
        if 0 < clip <= 1.001 * float(norm) + 1e-5:
            torch.nn.utils.clip_grads_with_norm_(self._masters, clip, norm)
            share = min(1.0, clip / (float(norm) + 1e-6))
            sparse = [(master, rows, share * values) for master, rows, values in sparse]
        for group in self._inner.param_groups:
            group["lr"] = self._peak * factor
        self._inner.step()
        for master, rows, values in sparse:
            self._update_rows(master, rows, values, self._peak * factor)
        # The fused step does not raise the version of a weight, on which the copies that encoders keep depend.
        torch.autograd.graph.increment_version(self._masters)
        self._inner.zero_grad(set_to_none=True)
        with torch.no_grad():
            for weight, master in zip(self._weights, self._masters, strict=True):
                if weight is not master:
                    weight.copy_(master)
        return float(norm)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _update_rows(self, master: torch.Tensor, rows: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        """Update some rows of a weight by their gradient. Shapes [v, d], [r], [r, d]."""
        state = self._inner.state[master]
        if "step" not in state:
            state["step"] = torch.tensor(0.0)
            for name in _STATE[self._rule]:
                state[name] = torch.zeros_like(master)
        state["step"] += 1
        if self._rule == "adagrad":
            squares = state["sum"][rows].addcmul_(gradient, gradient)
            state["sum"][rows] = squares
            master[rows] -= rate * gradient / (squares.sqrt_() + _EPSILON)
            return
        steps = float(state["step"])
        mean = state["exp_avg"][rows].lerp_(gradient, 1 - _BETAS[0])
        squares = state["exp_avg_sq"][rows].mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        state["exp_avg"][rows], state["exp_avg_sq"][rows] = mean, squares
        bound = squares.sqrt_().div_((1 - _BETAS[1] ** steps) ** 0.5).add_(_EPSILON)
        master[rows] -= rate / (1 - _BETAS[0] ** steps) * mean / bound

    def state(self) -> dict[str, torch.Tensor]:
        """Return everything needed to resume, as named tensors."""
        table = {}
        for number, master in enumerate(self._masters):
            table[f"{number}.master"] = master.detach().clone()
            for name, value in self._inner.state.get(master, {}).items():
                table[f"{number}.{name}"] = value.detach().clone()
        return table

    def fits(self, state: dict[str, torch.Tensor]) -> bool:
        """Return whether `restore` can resume from a state."""
        shapes: dict[str, torch.Size] = {}
        for number, master in enumerate(self._masters):
            shapes |= dict.fromkeys((f"{number}.{name}" for name in ("master", *_STATE[self._rule])), master.shape)
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
            names = [name for name in ("step", *_STATE[self._rule]) if f"{number}.{name}" in state]
            if names:
                # A checkpoint is on the CPU. The fused optimiser needs all of its state beside the weights.
                self._inner.state[master] = {
                    name: state[f"{number}.{name}"].to(master.device, copy=True) for name in names
                }


_STATE = {"adamw": ("exp_avg", "exp_avg_sq"), "adagrad": ("sum",)}
