"""Files of named arrays: the same bytes as safetensors writes, but whole or absent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import save as save_numpy
from safetensors.torch import save as save_torch

from lexenc.errors import DataError
from lexenc.files.tensors import read_tensors, write_tensors

NUMPY = "uint64 int64 float64 float32 uint32 int32 float16 uint16 int16 int8 uint8 bool".split()
TORCH = [torch.int64, torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.uint8, torch.bool]


def test_arrays_of_every_type_are_written_as_safetensors_does(tmp_path):
    random = np.random.default_rng(0)
    arrays = {f"{7 * i % 12} ä": random.integers(0, 100, (3, i)).astype(kind) for i, kind in enumerate(NUMPY)}
    write_tensors(tmp_path / "a", arrays, {"fact": {"x": 'é"\\\n'}})
    assert (tmp_path / "a").read_bytes() == save_numpy(arrays, {"fact": '{"x": "\\u00e9\\"\\\\\\n"}'})
    found, facts = read_tensors(tmp_path / "a")
    assert facts == {"fact": {"x": 'é"\\\n'}}
    assert all(np.array_equal(found[name], each) and found[name].dtype == each.dtype for name, each in arrays.items())


def test_tensors_of_pytorch_are_written_as_safetensors_does(tmp_path):
    tensors = {str(kind): torch.arange(6).reshape(2, 3).to(kind) for kind in TORCH} | {"one": torch.tensor(3.0)}
    write_tensors(tmp_path / "a", tensors)
    assert (tmp_path / "a").read_bytes() == save_torch(tensors)


def test_tensors_may_share_memory(tmp_path):
    table = torch.arange(12.0).reshape(3, 4)
    write_tensors(tmp_path / "a", {"a": table, "b": table, "c": table.T, "d": torch.zeros(0, 2)})
    found, _ = read_tensors(tmp_path / "a")
    assert np.array_equal(found["b"], table.numpy())
    assert np.array_equal(found["c"], table.T.numpy())
    assert found["d"].shape == (0, 2)


def test_an_earlier_file_stays_if_writing_fails(tmp_path):
    write_tensors(tmp_path / "a", {"x": np.ones(3)})
    before = (tmp_path / "a").read_bytes()

    class Lost:
        """A tensor whose device fails."""

        dtype, nbytes, shape = np.dtype("float32"), 4, (1,)

        def detach(self):
            raise RuntimeError("device lost")

    with pytest.raises(RuntimeError, match="lost"):
        write_tensors(tmp_path / "a", {"x": np.ones(3), "y": Lost()})
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == before


def test_a_cut_file_is_named(tmp_path):
    write_tensors(tmp_path / "a", {"x": np.ones(3)})
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged"):
        read_tensors(tmp_path / "a")
