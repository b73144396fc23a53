"""Named arrays in one file (safetensors), with further facts as JSON: mappings, projections, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.files.text import writing
from lexenc.structured import AGAIN, parse_json, read_tensors_of

Tensors = Mapping[str, np.ndarray]

# The types of the format, in the order in which its files have them: wider ones first, so that all are aligned.
_TYPES = {
    "uint64": "U64", "int64": "I64", "float64": "F64", "float32": "F32", "uint32": "U32", "int32": "I32",
    "bfloat16": "BF16", "float16": "F16", "uint16": "U16", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_RANKS = {name: rank for rank, name in enumerate(_TYPES)}


def write_tensors(path: Path, tensors: Mapping[str, Any], facts: Mapping[str, Any] | None = None) -> None:
    """Write arrays and further values by name, the latter as JSON.

    The file is complete or not there, and an earlier one stays until then. safetensors itself leaves its temporary
    files behind when it is killed, and needs every tensor in memory once more.

    Args:
        path: The file.
        tensors: Arrays of NumPy or tensors of PyTorch, on any device. They may share memory.
        facts: Values.
    """
    named = [(name, str(each.dtype).removeprefix("torch."), each) for name, each in tensors.items()]
    named.sort(key=lambda one: (_RANKS[one[1]], one[0]))
    head: dict[str, Any] = {"__metadata__": {name: json.dumps(each) for name, each in facts.items()}} if facts else {}
    end = 0
    for name, kind, each in named:
        begin, end = end, end + each.nbytes
        head[name] = {"dtype": _TYPES[kind], "shape": list(each.shape), "data_offsets": [begin, end]}
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with writing(path) as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for *_, each in named:
            stream.write(_bytes(each).data)


def _bytes(tensor: Any) -> np.ndarray:
    """Return the bytes of an array or a tensor. Shape [bytes], uint8."""
    if not isinstance(tensor, np.ndarray):
        import torch

        flat = tensor.detach().cpu().contiguous().reshape(-1)
        return np.asarray(flat.view(torch.uint8).numpy())
    return np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)


def read_tensors(path: Path, *, hint: str = AGAIN) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Args:
        path: The file.
        hint: What the user can do if it is damaged.

    Returns:
        Arrays by name, and facts by name.

    Raises:
        DataError: If the file is damaged.
    """
    tensors, facts = read_tensors_of(path, hint=hint)
    return tensors, {name: parse_json(text, f"{path}, {name}", hint=hint) for name, text in facts.items()}
