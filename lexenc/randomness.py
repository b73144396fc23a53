"""Independent random generators from one seed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derived_seed(seed: int, purpose: str) -> int:
    """Return a 63-bit seed that depends on the purpose, so that no two uses share a random stream.

    Args:
        seed: Seed of the run.
        purpose: What the numbers are for, for instance `batches`.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{purpose}".encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return a NumPy generator for one purpose."""
    return np.random.default_rng(derived_seed(seed, purpose))


def torch_generator(seed: int, purpose: str) -> torch.Generator:
    """Return a PyTorch generator on the CPU for one purpose."""
    import torch

    return torch.Generator().manual_seed(derived_seed(seed, purpose))
