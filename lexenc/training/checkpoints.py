"""Unfinished training on disk, so that a killed run continues with the same bits."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lexenc.errors import DataError

_NAME = "checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stood.

    Args:
        step: Steps done.
        weights: Of the encoder, by name.
        optimiser: State of the optimiser, by name.
        random: State of PyTorch's generators, by device.
    """

    step: int
    weights: dict[str, torch.Tensor]
    optimiser: dict[str, torch.Tensor]
    random: dict[str, torch.Tensor]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of the one before; a kill at any moment leaves one of the two whole."""
    aside, old, final = (folder / f"{_NAME}{suffix}" for suffix in (".new", ".old", ""))
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    # Copies, because tied weights are one tensor under two names, which safetensors refuses.
    weights = {name: each.to("cpu", copy=True).contiguous() for name, each in checkpoint.weights.items()}
    save_file(weights, aside / "weights.safetensors")
    save_file(checkpoint.optimiser, aside / "optimiser.safetensors")
    save_file(checkpoint.random, aside / "random.safetensors")
    (aside / "state.json").write_text(json.dumps({"step": checkpoint.step}), encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    aside.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the newest whole checkpoint; None where there is none.

    Raises:
        DataError: If it is damaged.
    """
    for suffix in ("", ".old"):
        place = folder / f"{_NAME}{suffix}"
        if (place / "state.json").is_file():
            try:
                step = int(json.loads((place / "state.json").read_text(encoding="utf-8"))["step"])
                parts = [load_file(place / f"{name}.safetensors") for name in ("weights", "optimiser", "random")]
            except Exception as error:
                raise DataError(f"{place} is damaged ({error}).", hint=f"Remove {folder} and run again.") from None
            return Checkpoint(step, *parts)
    return None


def remove_checkpoints(folder: Path) -> None:
    """Remove what is left of unfinished training."""
    for suffix in (".new", ".old", ""):
        shutil.rmtree(folder / f"{_NAME}{suffix}", ignore_errors=True)


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Give the state of the generators that dropout draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Put the generators back."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
