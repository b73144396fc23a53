"""interpolate: shared space + encoder + dictionary -> blended space."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.artifact import recorded_param
from lexenc.encoders.base import Encoder, Pooling
from lexenc.errors import ConfigError
from lexenc.files.spaces import SIDES, Space, load_space
from lexenc.files.tensors import read_tensors, write_tensors
from lexenc.files.text import write_lines
from lexenc.files.vectors import Vectors, index_of
from lexenc.files.vocabularies import read_vocabulary
from lexenc.lexical.procrustes import interpolate as blend
from lexenc.lexical.procrustes import share_lost
from lexenc.parameters import param
from lexenc.stage import Input, Job, Notices, Outcome, Stage
from lexenc.stages.lexical.map import MapAgain, NotAgainError, input_of, made_by, params_of, remaining
from lexenc.stages.lexical.shared import encode_to_file, learn_projection, warn_of_second_blend
from lexenc.stages.reading import (
    POOLING,
    folding_of,
    language_param,
    lowercase_param,
    open_encoder,
    read_dictionary,
    unicode_param,
)
from lexenc.text.folding import UnicodeForm

_PROJECTION = "projection.safetensors"
_ROWS = 16_384  # words blended at a time


@dataclass(frozen=True)
class InterpolateParams:
    """Parameters of `interpolate`."""

    lambda_: float = param(0.3, "Weight of the encoder: 0 is the static space, 1 the encoder alone.", ge=0, le=1)
    pooling: Pooling = param("auto", POOLING)
    missing: Literal["encoder", "average", "drop"] = param(
        "encoder",
        "Words of --source-vocabulary and --target-vocabulary without a static vector: encoder: the encoding alone; "
        "average: blended with the mean static vector of their parts, if any; drop: leave them out.",
    )
    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")


def check_interpolate(inputs: Any, params: InterpolateParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    if params.missing != "encoder" and not (inputs.get("source_vocabulary") or inputs.get("target_vocabulary")):
        return [
            ConfigError(
                f"--missing {params.missing} means nothing without --source-vocabulary or --target-vocabulary.",
                hint="All words of a shared space have static vectors.",
            )
        ]
    return []


def interpolate(inputs: dict[str, Any], params: InterpolateParams, job: Job) -> Outcome:
    """Blend the static vectors of a shared space with an encoder's (equation 1 of the paper)."""
    space = load_space(inputs["vectors"], mmap=True)
    warn_of_second_blend(inputs["vectors"], (params.lambda_,), job)
    dictionary = read_dictionary(inputs["dictionary"], params, job)
    encoder = open_encoder(inputs["encoder"], params.pooling, job)
    sides = [_Blended.of(name, space, inputs.get(f"{name}_vocabulary"), params, encoder, job) for name in SIDES]
    left, right = (side.encoded[: len(side.vectors.words)] for side in sides)
    projection = learn_projection(space, (left, right), dictionary, job, folding=folding_of(params))
    counts: dict[str, Any] = {"dimensions": encoder.dimensions, "lambda": params.lambda_}
    for name, side in zip(SIDES, sides, strict=True):
        side.blend(projection, params.lambda_)
        encoder_only = int((~side.parts.any(axis=1)).sum())
        counts |= {f"{name}_words": len(side.encoded), f"{name}_encoder_only": encoder_only}
    write_tensors(job.out / _PROJECTION, {"projection": projection})
    if share_lost(projection, (space.source.matrix, space.target.matrix)):
        counts["static_preserved"] = False
    return Outcome(counts)


@dataclass
class _Blended:
    """One language while it is blended.

    Args:
        vectors: Static vectors.
        parts: Static vectors to use for words without one; zero if there are none. Shape [e, d1].
        encoded: All encodings, in the file that becomes the result. Shape [n + e, d2].
    """

    vectors: Vectors
    parts: np.ndarray
    encoded: np.ndarray

    @classmethod
    def of(
        cls, name: str, space: Space, vocabulary: Path | None, params: InterpolateParams, encoder: Encoder, job: Job
    ) -> _Blended:
        """Encode the words of a language, and further words of a vocabulary."""
        vectors = space.side(name)
        index = index_of(vectors.words)
        extra: list[str] = []
        if vocabulary is not None and params.missing != "drop":
            language = params.source_language if name == "source" else params.target_language
            words = read_vocabulary(vocabulary, folding=folding_of(params), language=language).words
            extra = [word for word in words if word not in index]
        parts = np.zeros((len(extra), vectors.matrix.shape[1]), dtype=np.float32)
        for place, word in enumerate(extra if params.missing == "average" else ()):
            rows = [index[part] for part in word.split(" ") if part in index]
            if rows:
                parts[place] = vectors.matrix[rows].mean(axis=0)
        folder = job.out / name
        folder.mkdir()
        write_lines(folder / "words.txt", [*vectors.words, *extra])
        return cls(vectors, parts, encode_to_file(encoder, [*vectors.words, *extra], folder / "vectors.npy", job))

    def blend(self, projection: np.ndarray, weight: float) -> None:
        """Replace the encodings by blended vectors, block by block."""
        known = len(self.vectors.words)
        for start in range(0, known, _ROWS):
            rows = slice(start, min(start + _ROWS, known))
            self.encoded[rows] = blend(self.vectors.matrix[rows], self.encoded[rows], projection, weight)
        for place, part in enumerate(self.parts, start=known):
            # A word without any static vector is represented by its encoding alone.
            own = weight if part.any() else 1.0
            self.encoded[place : place + 1] = blend(part[None], self.encoded[place : place + 1], projection, own)
        self.encoded.flush()  # type: ignore[attr-defined]


class BlendAgain:
    """Learns a space of `interpolate` again, without the dictionary entries of some words; as `MapAgain`.

    The encoder is not needed. Every row of a blend is (1 - lambda) u + lambda e, with u and e of unit length. As u is
    known, the encoding e can be computed exactly.
    """

    def __init__(self, folder: Path, column: int, job: Job) -> None:
        maker = made_by(folder)
        self._weight = recorded_param(folder, maker, "lambda", float)
        if self._weight == 0:
            raise NotAgainError(f"{folder} holds nothing of its encoder (lambda 0)")
        static = input_of(folder, maker, "vectors")
        self._map = MapAgain(static, column, job)
        self._params: InterpolateParams = params_of(INTERPOLATE, maker, {})
        self._column, self._job = column, replace(job, notices=Notices(), kept=False)
        self._pairs = read_dictionary(input_of(folder, maker, "dictionary"), self._params, self._job)
        self._blended = load_space(folder)
        projection = read_tensors(folder / _PROJECTION)[0]["projection"]
        self._encoded = []
        for side in SIDES:
            own, whole = self._map.space.side(side), self._blended.side(side)
            known = len(own.words)
            if whole.words[:known] != own.words:
                raise NotAgainError(f"the {side} words of {folder} are not those of {static}")
            if len(whole.words) > known and maker.params.get("missing") == "average":
                raise NotAgainError(f"{folder} has averages for words without a static vector")
            encoded = whole.matrix.copy()
            # With weight 0, the second argument does not count.
            encoded[:known] -= (1 - self._weight) * blend(own.matrix, whole.matrix[:known], projection, 0.0)
            encoded[:known] /= self._weight
            self._encoded.append(encoded)

    def without(self, words: Collection[str]) -> Space:
        """Learn mapping and projection without the entries of some words, and blend; as `MapAgain.without`."""
        static = self._map.without(words)
        pairs = remaining(self._pairs, self._column, words)
        sizes = [len(static.side(side).words) for side in SIDES]
        left, right = (encoded[:known] for encoded, known in zip(self._encoded, sizes, strict=True))
        projection = learn_projection(static, (left, right), pairs, self._job, folding=folding_of(self._params))
        sides = []
        for name, encoded, known in zip(SIDES, self._encoded, sizes, strict=True):
            matrix = encoded.copy()
            matrix[:known] = blend(static.side(name).matrix, encoded[:known], projection, self._weight)
            sides.append(replace(self._blended.side(name), matrix=matrix))
        return Space(*sides)


INTERPOLATE = Stage(
    name="interpolate",
    version=2,
    inputs={
        "vectors": Input("Shared space: a folder of map."),
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
        "dictionary": Input("Training dictionary, from which the projection to the encoder is learned."),
        "source_vocabulary": Input(
            "Further source words or phrases for the result: a list, or a folder with words.txt.", required=False
        ),
        "target_vocabulary": Input("The same for the target.", required=False),
    },
    params=InterpolateParams,
    run=interpolate,
    makes="source/ and target/ (vectors.npy, words.txt) with the encoder's dimensions, and projection.safetensors.",
    examples=(
        "lexenc interpolate --vectors runs/mapped --encoder runs/encoder --dictionary train.tsv --lambda 0.3 "
        "--out runs/blended",
    ),
    next_step="lexenc eval bli --vectors {out} --dictionary TEST-DICTIONARY",
    uses_device=True,
    check=check_interpolate,
)
