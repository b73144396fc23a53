"""A learnt mapping on disk: `mapping.safetensors`, ready for new words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lexenc.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from lexenc.files.vectors import Vectors
    from lexenc.lexical.mapping import Mapping, Normalisation

NAME = "mapping.safetensors"


def moved(vectors: Vectors, mapping: Mapping, side: str) -> Vectors:
    """Map the vectors of one side, in the memory that they have where the size stays and nobody else reads it."""
    from lexenc.files.vectors import Vectors

    matrix, apply = (
        (mapping.source, mapping.apply_source) if side == "source" else (mapping.target, mapping.apply_target)
    )
    in_place = matrix.shape[0] == matrix.shape[1] and vectors.matrix.flags.writeable
    return Vectors(vectors.words, apply(vectors.matrix, out=vectors.matrix if in_place else None), vectors.report)


def save_mapping(folder: Path, mapping: Mapping) -> None:
    """Write the matrices, and what the vectors go through before them."""
    from safetensors.numpy import save_file

    tensors = {"source": mapping.source, "target": mapping.target, "singular_values": mapping.singular_values}
    about: dict[str, object] = {
        "kind": mapping.kind,
        "rank": mapping.rank,
        "pairs": mapping.pairs,
        "whitened": mapping.whitened,
        "announcement": mapping.announcement,
    }
    for side, steps in (("source", mapping.source_normalisation), ("target", mapping.target_normalisation)):
        if steps is not None:
            about[f"{side}_actions"] = list(steps.actions)
            tensors |= {
                f"{side}_columns_{i}": columns for i, columns in enumerate(steps.columns) if columns is not None
            }
    contiguous = {name: _contiguous(each) for name, each in tensors.items()}
    save_file(contiguous, folder / NAME, metadata={"mapping": json.dumps(about)})


def _contiguous(array: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.ascontiguousarray(array, dtype=np.float64)


def load_mapping(folder: Path) -> Mapping:
    """Read a mapping that `save_mapping` wrote.

    Raises:
        DataError: If the folder holds none, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    from lexenc.lexical.mapping import Mapping

    path = folder / NAME if folder.is_dir() else folder
    if not path.is_file():
        raise DataError(f"{folder} holds no {NAME}.", hint="Give a folder that lexenc map made.")
    try:
        with safe_open(path, framework="numpy") as stream:
            about = json.loads(stream.metadata()["mapping"])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is not a mapping ({error}).", hint="Make it again with lexenc map.") from None
    mapping = Mapping(
        source=tensors["source"],
        target=tensors["target"],
        singular_values=tensors["singular_values"],
        rank=about["rank"],
        pairs=about["pairs"],
        kind=about["kind"],
        whitened=about["whitened"],
        announcement=about["announcement"],
    )
    if "source_actions" not in about:
        return mapping
    return mapping.normalised_by(_steps("source", about, tensors), _steps("target", about, tensors))


def _steps(side: str, about: dict[str, list[str]], tensors: dict[str, np.ndarray]) -> Normalisation:
    from lexenc.lexical.mapping import Normalisation

    actions = tuple(about[f"{side}_actions"])
    columns = tuple(tensors.get(f"{side}_columns_{i}") for i in range(len(actions)))
    return Normalisation(actions, columns)  # type: ignore[arg-type]
