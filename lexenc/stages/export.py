"""export: vectors of ours -> files that other programs open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import DataError
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage

if TYPE_CHECKING:
    from lexenc.files.vectors import Vectors


@dataclass(frozen=True)
class ExportParams:
    """Parameters of `export`."""

    format: Literal["vec", "word2vec", "glove"] = param(
        "vec",
        "vec: fastText text with a header (VecMap, MUSE, gensim); word2vec: binary; glove: text without a header.",
    )


def export(inputs: dict[str, Any], params: ExportParams, job: Job) -> Outcome:
    """Write vectors, or both languages of a shared space."""
    written = [_write(job.out, name, vectors, params.format) for name, vectors in _sets(inputs["vectors"]).items()]
    return Outcome({"files": len(written), "words": sum(written)})


def _sets(path: Path) -> dict[str, Vectors]:
    """Give the vector sets of a place by the name that their files will have."""
    from lexenc.files.spaces import SIDES, load_space
    from lexenc.files.vectors import read_vectors

    if path.is_dir() and not (path / "vectors.npy").is_file():
        if not (path / "source").is_dir():
            raise DataError(
                f"{path} holds no vectors.", hint="Export what map, interpolate, encode or train-static made."
            )
        space = load_space(path, mmap=True)
        return {side: space.side(side) for side in SIDES}
    return {"vectors": read_vectors(path)}


def _write(folder: Path, name: str, vectors: Vectors, kind: str) -> int:
    from lexenc.files.vectors import write_vec, write_word2vec_binary

    if kind == "word2vec":
        write_word2vec_binary(folder / f"{name}.bin", vectors.words, vectors.matrix)
    else:
        suffix = "vec" if kind == "vec" else "txt"
        write_vec(folder / f"{name}.{suffix}", vectors.words, vectors.matrix, header=kind == "vec")
    return len(vectors.words)


EXPORT = Stage(
    name="export",
    version=1,
    summary="Write vectors as files that VecMap, MUSE, gensim and others open.",
    inputs={
        "vectors": Input("What map, interpolate, encode or train-static made, or any vector file.", positional=True)
    },
    params=ExportParams,
    run=export,
    makes="source.vec and target.vec, or vectors.vec (.bin for word2vec, .txt for glove).",
    examples=(("lexenc export runs/mapped --format vec --out vectors", ""),),
)
