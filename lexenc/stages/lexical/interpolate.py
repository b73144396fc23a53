"""interpolate: shared space + encoder + dictionary -> blended space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import ConfigError
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.lexical.shared import encode_to_file, learn_projection, warn_of_second_blend
from lexenc.stages.reading import (
    POOLING,
    PoolingChoice,
    language_param,
    lowercase_param,
    open_encoder,
    read_dictionary,
)

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder
    from lexenc.files.spaces import Space
    from lexenc.files.vectors import Vectors


@dataclass(frozen=True)
class InterpolateParams:
    """Parameters of `interpolate`."""

    lambda_: float = param(0.3, "Weight of the encoder: 0 is the static space, 1 the encoder alone.", ge=0, le=1)
    pooling: PoolingChoice = param("auto", POOLING)
    missing: Literal["encoder", "average", "drop"] = param(
        "encoder",
        "Words of --source-vocabulary and --target-vocabulary without a static vector: encoder alone; "
        "average: blended with the mean of their parts' static vectors, where they have any; drop.",
    )
    lowercase: bool = lowercase_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")


def interpolate(inputs: dict[str, Any], params: InterpolateParams, job: Job) -> Outcome:
    """Blend the static vectors of a shared space with an encoder's (equation 1 of the paper)."""
    from safetensors.numpy import save_file

    from lexenc.files.spaces import SIDES, load_space

    space = load_space(inputs["vectors"], mmap=True)
    warn_of_second_blend(inputs["vectors"], (params.lambda_,), job)
    dictionary = read_dictionary(inputs["dictionary"], params)
    encoder = open_encoder(inputs["encoder"], params.pooling, job)
    sides = [
        _Side.of(name, space, inputs.get(f"{name}_vocabulary"), params, job.out / name, encoder, job) for name in SIDES
    ]
    static = tuple(side.encoded[: len(side.vectors.words)] for side in sides)
    projection = learn_projection(space, (static[0], static[1]), dictionary, job, lowercase=params.lowercase)
    for side in sides:
        side.blend(projection, params.lambda_)
    save_file({"projection": projection}, job.out / "projection.safetensors")
    counts: dict[str, Any] = {"dimensions": encoder.dimensions, "lambda": params.lambda_}
    for side in sides:
        counts |= {f"{side.name}_words": len(side.encoded), f"{side.name}_encoder_only": side.encoder_only}
    if encoder.dimensions < space.source.matrix.shape[1]:
        counts["static_preserved"] = False
    return Outcome(counts)


@dataclass
class _Side:
    """One language while it is blended.

    Args:
        name: `source` or `target`.
        vectors: Its static vectors.
        extra: Words without one.
        parts: Static vectors that stand in for those of the extra words; zero where there is none. Shape [e, d1].
        encoded: All encodings, in the file that becomes the result. Shape [n + e, d2].
    """

    name: str
    vectors: Vectors
    extra: list[str]
    parts: np.ndarray
    encoded: np.ndarray

    @classmethod
    def of(
        cls, name: str, space: Space, vocabulary: Path | None, params: InterpolateParams, folder: Path,
        encoder: Encoder, job: Job,
    ) -> _Side:  # fmt: skip
        from lexenc.files.text import write_lines

        vectors = space.side(name)
        language = params.source_language if name == "source" else params.target_language
        extra = _extra_words(vocabulary, vectors, params, language)
        folder.mkdir()
        words = [*vectors.words, *extra]
        write_lines(folder / "words.txt", words)
        encoded = encode_to_file(encoder, words, folder / "vectors.npy", job)
        return cls(name, vectors, extra, _averages(extra, vectors, wanted=params.missing == "average"), encoded)

    @property
    def encoder_only(self) -> int:
        """How many words have no static part."""
        return int((~self.parts.any(axis=1)).sum())

    def blend(self, projection: np.ndarray, weight: float) -> None:
        """Turn the encodings into blended vectors, in place and block by block."""
        from lexenc.lexical.procrustes import interpolate as blend

        known, step = len(self.vectors.words), 16_384
        for start in range(0, known, step):
            rows = slice(start, min(known, start + step))
            self.encoded[rows] = blend(self.vectors.matrix[rows], self.encoded[rows], projection, weight)
        for place, part in enumerate(self.parts, start=known):
            # Without a static vector there is nothing to weigh against: the encoder's stands alone.
            own = weight if part.any() else 1.0
            self.encoded[place : place + 1] = blend(part[None], self.encoded[place : place + 1], projection, own)
        self.encoded.flush()  # type: ignore[attr-defined]


def _extra_words(path: Path | None, vectors: Vectors, params: InterpolateParams, language: str | None) -> list[str]:
    """Give the words of a vocabulary without a static vector."""
    from lexenc.files.vocabularies import read_vocabulary

    if path is None or params.missing == "drop":
        return []
    known = set(vectors.words)
    words = read_vocabulary(path, lowercase=params.lowercase, language=language).words
    return [word for word in words if word not in known]


def _averages(words: list[str], vectors: Vectors, *, wanted: bool) -> np.ndarray:
    """Give the mean static vector of the parts of phrases; zero where no part has one. Shape [e, d1]."""
    import numpy as np

    from lexenc.files.vectors import index_of

    table = np.zeros((len(words), vectors.matrix.shape[1]), dtype=np.float32)
    if wanted:
        index = index_of(vectors.words)
        for place, word in enumerate(words):
            rows = [index[part] for part in word.split(" ") if part in index]
            if rows:
                table[place] = vectors.matrix[rows].mean(axis=0)
    return table


def check_interpolate(inputs: Any, params: InterpolateParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    if params.missing != "encoder" and not (inputs.get("source_vocabulary") or inputs.get("target_vocabulary")):
        return [
            ConfigError(
                f"--missing {params.missing} means nothing without --source-vocabulary or --target-vocabulary.",
                hint="All words of a shared space have static vectors.",
            )
        ]
    return []


INTERPOLATE = Stage(
    name="interpolate",
    version=1,
    inputs={
        "vectors": Input("Shared space: a folder that map made."),
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
        "dictionary": Input("Training dictionary, from which the projection between the two is learnt."),
        "source_vocabulary": Input(
            "More source words or phrases to have in the result: a list or a folder with words.txt.", required=False
        ),
        "target_vocabulary": Input("More target words or phrases.", required=False),
    },
    params=InterpolateParams,
    run=interpolate,
    makes="source/ and target/ (vectors.npy, words.txt) with the encoder's dimensions, and projection.safetensors.",
    examples=(
        (
            "lexenc interpolate --vectors runs/mapped --encoder runs/encoder --dictionary train.tsv --lambda 0.3 "
            "--out runs/blended",
            "",
        ),
    ),
    next_step="lexenc eval bli --vectors {out} --dictionary test.tsv",
    uses_device=True,
    check=check_interpolate,
)
