"""Named arrays in one file (safetensors), with further facts as JSON: mappings, projections, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lexenc.errors import DataError

Tensors = Mapping[str, np.ndarray]


def write_tensors(path: Path, tensors: Tensors, facts: Mapping[str, Any] | None = None) -> None:
    """Write arrays and further values by name, the latter as JSON.

    If the write is interrupted, an earlier file stays whole.
    """
    aside = path.with_name(f"{path.name}.new")
    contiguous = {name: np.ascontiguousarray(each) for name, each in tensors.items()}
    save_file(contiguous, aside, metadata={name: json.dumps(each) for name, each in (facts or {}).items()} or None)
    aside.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Returns:
        Arrays by name, and facts by name.

    Raises:
        DataError: If the file is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            facts = {name: json.loads(text) for name, text in (stream.metadata() or {}).items()}
            return {name: stream.get_tensor(name) for name in stream.keys()}, facts
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}).", hint="Make it again.") from None
