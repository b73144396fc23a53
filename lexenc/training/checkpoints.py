"""Checkpoints on disk, from which a killed run resumes with the same bits."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lexenc.errors import DataError

_NAME = "checkpoint"
_TABLES = ("weights", "optimiser", "random")


@dataclass(frozen=True)
class Best:
    """The best weights of a run.

    Args:
        step: Number of steps after which they were found.
        score: Their score on development data.
        weights: Weights by name.
    """

    step: int
    score: float
    weights: dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """State of a run from which it resumes.

    Args:
        step: Number of steps done.
        weights: Weights of encoders and heads, by name.
        optimiser: State of the optimiser, by name.
        random: State of PyTorch's generators, by device.
        best: The best weights so far.
    """

    step: int
    weights: dict[str, torch.Tensor]
    optimiser: dict[str, torch.Tensor]
    random: dict[str, torch.Tensor]
    best: Best | None = None


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint in a folder. A kill at any moment leaves the old or the new one complete."""
    aside, old, final = (folder / f"{_NAME}{suffix}" for suffix in (".new", ".old", ""))
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    tables = {name: getattr(checkpoint, name) for name in _TABLES}
    state: dict[str, float] = {"step": checkpoint.step}
    if checkpoint.best is not None:
        tables["best"] = checkpoint.best.weights
        state |= {"best_step": checkpoint.best.step, "best_score": checkpoint.best.score}
    for name, table in tables.items():
        # Copies, because tied weights are one tensor under two names, which safetensors refuses.
        copies = {key: each.to("cpu", copy=True).contiguous() for key, each in table.items()}
        save_file(copies, aside / f"{name}.safetensors")
    (aside / "state.json").write_text(json.dumps(state), encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    aside.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the newest complete checkpoint of a folder, or return None without one.

    Raises:
        DataError: If it is damaged.
    """
    for suffix in ("", ".old"):
        place = folder / f"{_NAME}{suffix}"
        if not (place / "state.json").is_file():
            continue
        try:
            state = json.loads((place / "state.json").read_text(encoding="utf-8"))
            weights, optimiser, random = (load_file(place / f"{name}.safetensors") for name in _TABLES)
            best = None
            if "best_step" in state:
                best = Best(state["best_step"], state["best_score"], load_file(place / "best.safetensors"))
            return Checkpoint(int(state["step"]), weights, optimiser, random, best)
        except Exception as error:
            raise DataError(f"{place} is damaged ({error}).", hint=f"Remove {folder} and run again.") from None
    return None


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a folder."""
    for suffix in (".new", ".old", ""):
        shutil.rmtree(folder / f"{_NAME}{suffix}", ignore_errors=True)


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the state of the generators from which dropout draws."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Restore the state of the generators that `states` has."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
