"""Checkpoints on disk, from which a killed run resumes with the same bits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from lexenc.errors import DataError
from lexenc.files.tensors import write_tensors
from lexenc.structured import checked, parse_json, read_tensors_of

_NAME = "checkpoint.safetensors"
_HINT = "Begin again with --force."
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
    """Replace the checkpoint in a folder. A kill at any moment leaves the old or the new one, complete."""
    tables = {name: getattr(checkpoint, name) for name in _TABLES}
    state = _State(checkpoint.step)
    if checkpoint.best is not None:
        tables["best"] = checkpoint.best.weights
        state = _State(checkpoint.step, checkpoint.best.step, checkpoint.best.score)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{table}/{name}": each for table, named in tables.items() for name, each in named.items()}
    write_tensors(folder / _NAME, tensors, {"state": asdict(state)})


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the checkpoint of a folder, or return None without one.

    Raises:
        DataError: If it is damaged.
    """
    path = folder / _NAME
    if not path.is_file():
        return None
    try:
        tensors, facts = read_tensors_of(path, "pt", hint=_HINT)
        state = checked(_State, parse_json(facts["state"], path, hint=_HINT), path, hint=_HINT)
        tables: dict[str, dict[str, torch.Tensor]] = {name: {} for name in (*_TABLES, "best")}
        for key, each in tensors.items():
            table, _, name = key.partition("/")
            tables[table][name] = each
    except KeyError as error:
        raise DataError(f"{path} is damaged ({error}).", hint=_HINT) from None
    best = Best(state.best_step, state.best_score, tables["best"]) if state.best_step else None
    return Checkpoint(state.step, best=best, **{name: tables[name] for name in _TABLES})


@dataclass(frozen=True)
class _State:
    """The numbers of a checkpoint; 0 steps if there are no best weights."""

    step: int
    best_step: int = 0
    best_score: float = 0.0


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
