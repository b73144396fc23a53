"""Named arrays in one file (safetensors), with further facts as JSON: mappings, projections, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from lexenc.structured import AGAIN, parse_json, read_tensors_of

Tensors = Mapping[str, np.ndarray]


def write_tensors(path: Path, tensors: Tensors, facts: Mapping[str, Any] | None = None) -> None:
    """Write arrays and further values by name, the latter as JSON.

    If the write is interrupted, an earlier file stays whole.
    """
    aside = path.with_name(f"{path.name}.new")
    contiguous = {name: np.ascontiguousarray(each) for name, each in tensors.items()}
    save_file(contiguous, aside, metadata={name: json.dumps(each) for name, each in (facts or {}).items()} or None)
    aside.replace(path)


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
