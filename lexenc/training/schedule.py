"""How long and how fast to train: the parameters that every stage with a trainer inherits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lexenc.parameters import param

UpdateRule = Literal["adamw", "adagrad"]
"""How gradients become updates of weights."""


@dataclass(frozen=True)
class Schedule:
    """Length, batches and optimiser of a training run. Stages inherit it and override defaults and help."""

    epochs: int = param(1, "Passes over the training data.", ge=1)
    batch_size: int = param(32, "Examples per step.", ge=1)
    learning_rate: float = param(2e-5, "Peak learning rate.", gt=0)
    weight_decay: float = param(0.01, "Weight decay of AdamW. Biases and normalisation layers have none.", ge=0)
    schedule: Literal["linear", "constant"] = param(
        "linear", "Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak."
    )
    warmup: float = param(0.1, "Share of the steps in which the learning rate rises to its peak.", ge=0, le=1)
    clip: float = param(1.0, "Maximum norm of the gradient. Use 0 for no clipping.", ge=0)
    chunk_tokens: int = param(
        16_384,
        "Maximum number of subwords in one pass. A larger step is split into chunks, which needs less memory and "
        "changes only dropout.",
        ge=1,
    )
    checkpoint_seconds: float = param(60.0, "Time between checkpoints, in seconds.", ge=0, affects_result=False)

    @property
    def update_rule(self) -> UpdateRule:
        """The optimiser, AdamW. A stage that has others overrides it."""
        return "adamw"

    def epoch_steps(self, rows: int) -> int:
        """Return the number of steps of one epoch with `rows` examples."""
        return math.ceil(rows / self.batch_size)

    def total_steps(self, epoch_steps: int) -> int:
        """Return the number of steps of a run."""
        return self.epochs * epoch_steps

    def warmup_steps(self, total: int) -> int:
        """Return the number of warm-up steps: the share rounded up, as Hugging Face does, but never all steps.

        The learning rate is 0 at the first step of a warm-up, so a run of one step would otherwise change nothing.
        """
        return min(math.ceil(self.warmup * total), max(0, total - 1))

    def factor(self, step: int, total: int) -> float:
        """Return the factor on the peak learning rate.

        It rises from 0 during the warm-up, and then falls to 0 at the end of the run or stays at 1.

        Args:
            step: Number of the step, from 0. The first step after the warm-up has the factor 1.
            total: Number of steps of the run.
        """
        warmup = self.warmup_steps(total)
        if step < warmup:
            return step / warmup
        return 1.0 if self.schedule == "constant" else max(0.0, (total - step) / max(1, total - warmup))


@dataclass(frozen=True)
class StepSchedule(Schedule):
    """A schedule whose length can also be given in steps."""

    steps: int | None = param(None, "Steps of training, instead of --epochs.", ge=1)

    def total_steps(self, epoch_steps: int) -> int:
        """Return the number of steps of a run."""
        return super().total_steps(epoch_steps) if self.steps is None else self.steps
