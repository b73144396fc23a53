"""Blending a shared space with encodings: both by word, the matrix between them, and what was blended before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lexenc.artifact import maker_of
from lexenc.stage import Job
from lexenc.stages.reading import usable_rows

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder
    from lexenc.files.dictionaries import Pairs
    from lexenc.files.spaces import Space


def encode_to_file(encoder: Encoder, words: Sequence[str], path: Path, job: Job) -> np.ndarray:
    """Encode words into a `.npy` file, in constant memory however many there are. Shape [n, d], float32."""
    import numpy as np

    from lexenc.encoders.encode import encode_texts

    shape = (len(words), encoder.dimensions)
    vectors: np.ndarray = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    return encode_texts(encoder, words, out=vectors, progress=job.progress)


def learn_projection(
    space: Space, encoded: tuple[np.ndarray, np.ndarray], dictionary: Pairs, job: Job, *, lowercase: bool
) -> np.ndarray:
    """Learn W of section 2 from all dictionary words of both languages, stacked; a repeated word counts each time.

    Args:
        space: Mapped static vectors.
        encoded: Encodings of the source and the target words, row by row as in `space`.
        dictionary: Training pairs.
        job: For warnings.
        lowercase: For a hint.

    Returns:
        W. Shape [d1, d2], float64.
    """
    import numpy as np

    from lexenc.lexical.procrustes import fit_procrustes, procrustes_announcement

    rows = usable_rows(dictionary, space.source.words, space.target.words, job, lowercase=lowercase)
    static = np.concatenate([space.source.matrix[rows.source], space.target.matrix[rows.target]])
    other = np.concatenate([encoded[0][rows.source], encoded[1][rows.target]])
    small, large = static.shape[1], other.shape[1]
    poor = procrustes_announcement(static, other)
    if poor is not None:
        job.notices.warn(poor, "Use a larger dictionary.")
    if small > large:
        job.notices.warn(
            f"Static vectors have {small} dimensions, the encoder {large}: the projection loses some of what they "
            "hold, and lambda 0 does not give the static scores.",
            f"Reduce the static vectors first: lexenc map --reduce-to {large}.",
        )
    projection: np.ndarray = fit_procrustes(static, other)
    return projection


def repeated_weight(weights: Sequence[float]) -> str | None:
    """Give the first weight that comes again as it is written in tables and file names."""
    written = [f"{weight + 0.0:g}" for weight in weights]  # the sum makes 0 of -0
    return next((each for place, each in enumerate(written) if each in written[:place]), None)


def warn_of_second_blend(folder: Path, weights: Sequence[float], job: Job) -> None:
    """Say what weighs how much in the end where a space holds an encoder's vectors already.

    Args:
        folder: The space that is about to be blended.
        weights: Weights of the encoder that were asked for.
        job: For the warning.
    """
    maker = maker_of(folder)
    if maker is None or maker.stage != "interpolate" or not any(weights):
        return
    first, weight = float(maker.params["lambda"]), next(each for each in weights if each)
    origin = maker.inputs["vectors"][0].given
    job.notices.warn(
        f"{folder} is blended already, with lambda {first:g}: after {weight:g} more its static vectors weigh about "
        f"{(1 - first) * (1 - weight):.2g}, encodings {1 - (1 - first) * (1 - weight):.2g}.",
        f"For lambda {weight:g} give the space that it was blended from: {origin}",
    )
