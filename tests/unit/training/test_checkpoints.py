from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from lexenc.errors import DataError
from lexenc.training.checkpoints import (
    Checkpoint,
    load_checkpoint,
    random_state,
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
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert load_checkpoint(tmp_path / "nothing") is None


def test_checkpoints_take_weights_that_are_views_or_tied(tmp_path):
    table = torch.arange(12.0).reshape(3, 4)
    tied = Checkpoint(1, {"a": table, "b": table, "c": table.T}, {}, random_state(CPU))
    save_checkpoint(tmp_path, tied)
    assert same(load_checkpoint(tmp_path), tied)


def test_checkpoints_keep_the_old_one_if_the_new_one_fails_half_way(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, made(3))
    broken = made(7)
    broken.optimiser["0.step"] = "not a tensor"
    with pytest.raises(AttributeError):
        save_checkpoint(tmp_path, broken)
    assert same(load_checkpoint(tmp_path), made(3))
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint.safetensors"]


@pytest.mark.parametrize("cut", [0, 4, 9, 200, -1])
def test_checkpoints_damaged_ones_are_refused(tmp_path, cut):
    save_checkpoint(tmp_path, made(3))
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="damaged"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("state", ["{}", "[]", "{", '{"step": "3"}', '{"step": 3, "more": 1}', '{"step": NaN}'])
def test_checkpoints_with_other_numbers_are_refused(tmp_path, state):
    save_file(made(3).weights, tmp_path / "checkpoint.safetensors", {"state": state})
    with pytest.raises(DataError, match=r"checkpoint\.safetensors"):
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
