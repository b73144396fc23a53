from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from lexenc.errors import DataError
from lexenc.training import checkpoints as module
from lexenc.training.checkpoints import (
    Checkpoint,
    load_checkpoint,
    random_state,
    remove_checkpoints,
    restore_random,
    save_checkpoint,
)

CPU = torch.device("cpu")


def made(step: int) -> Checkpoint:
    weights = {"a": torch.full((2, 3), float(step)), "b": torch.full((2,), float(step)).to(torch.bfloat16)}
    return Checkpoint(
        step, weights, {"0.step": torch.tensor(float(step)), "0.exp_avg": torch.ones(2, 3)}, random_state(CPU)
    )


def same(one: Checkpoint, other: Checkpoint) -> bool:
    tables = [(one.weights, other.weights), (one.optimiser, other.optimiser), (one.random, other.random)]
    return one.step == other.step and all(
        left.keys() == right.keys()
        and all(torch.equal(left[k], right[k]) and left[k].dtype == right[k].dtype for k in left)
        for left, right in tables
    )


def test_checkpoints_round_trip(tmp_path):
    assert load_checkpoint(tmp_path) is None
    for step in (3, 7):
        save_checkpoint(tmp_path, made(step))
        assert same(load_checkpoint(tmp_path), made(step))
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint"]
    remove_checkpoints(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert load_checkpoint(tmp_path / "nothing") is None


def test_checkpoints_take_weights_that_are_views_or_tied(tmp_path):
    table = torch.arange(12.0).reshape(3, 4)
    tied = Checkpoint(1, {"a": table, "b": table, "c": table.T}, {}, random_state(CPU))
    save_checkpoint(tmp_path, tied)
    assert same(load_checkpoint(tmp_path), tied)


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("survives", range(12))
def test_checkpoints_killed_at_any_moment_leave_a_whole_one(tmp_path, monkeypatch, survives):
    """Every call that touches the disk may be the last; afterwards the old or the new one is there, whole."""
    save_checkpoint(tmp_path, made(3))
    left = [survives]

    def mortal(real):
        def call(*given, **more):
            if left[0] == 0:
                raise KilledError
            left[0] -= 1
            return real(*given, **more)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_file", mortal(module.save_file))
        for name in ("rename", "mkdir", "write_text"):
            patch.setattr(Path, name, mortal(getattr(Path, name)))
        patch.setattr(shutil, "rmtree", mortal(shutil.rmtree))
        try:
            save_checkpoint(tmp_path, made(7))
        except KilledError:
            killed = True
        else:
            killed = False
    assert killed == (survives < 10), "the parametrisation must reach the end"
    found = load_checkpoint(tmp_path)
    assert same(found, made(3)) or same(found, made(7))
    save_checkpoint(tmp_path, made(9))
    assert same(load_checkpoint(tmp_path), made(9))
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("name", ["weights.safetensors", "optimiser.safetensors", "random.safetensors", "state.json"])
def test_checkpoints_damaged_ones_are_refused(tmp_path, name):
    save_checkpoint(tmp_path, made(3))
    (tmp_path / "checkpoint" / name).write_bytes(b"xx")
    with pytest.raises(DataError, match="damaged"):
        load_checkpoint(tmp_path)


def test_checkpoints_random_state_comes_back():
    before = torch.get_rng_state()
    try:
        state = random_state(CPU)
        drawn = torch.rand(3)
        restore_random(state, CPU)
        assert torch.equal(torch.rand(3), drawn)
    finally:
        torch.set_rng_state(before)
