from __future__ import annotations

import pytest
import torch

from lexenc.device import choose_device, has_bfloat16


@pytest.mark.parametrize(
    ("capabilities", "has"),
    [
        ({"architecture": "x86_64"}, False),
        ({"architecture": "x86_64", "avx512_bf16": True}, True),
        ({"architecture": "x86_64", "amx_bf16": True}, True),
        ({"architecture": "aarch64"}, None),
        ({}, None),
    ],
)
def test_device_says_where_bfloat16_is_slower_than_float32(monkeypatch, capabilities, has):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert has_bfloat16() is has
    assert ("float32 is faster" in choose_device("cpu", "bfloat16").sentence) == (has is False)
    assert "faster" not in choose_device("cpu", "float32").sentence
