"""encode-concepts: a knowledge base + encoder -> its names as vectors, for `link` and `eval xel`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.artifact import DigestStore, Manifest, maker_of, recorded_input
from lexenc.encoders.base import Encoder, Pooling
from lexenc.errors import ConfigError, DataError
from lexenc.files.concepts import KnowledgeBase, read_knowledge_base, write_knowledge_base
from lexenc.files.text import counted, write_lines
from lexenc.lexical.mapping import normalise
from lexenc.parameters import param
from lexenc.randomness import derived_seed
from lexenc.search.approximate import ApproximateIndex, ApproximateKind
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.lexical.shared import encode_to_file
from lexenc.stages.reading import POOLING, folding_of, open_encoder, unicode_param
from lexenc.text.folding import UnicodeForm, check_language

LISTED = "knowledge-base.txt"
VECTORS = "vectors.npy"
INDEXED = "names.index"
NAME = "encode-concepts"


@dataclass(frozen=True)
class NameParams:
    """How the names of a knowledge base become vectors."""

    pooling: Pooling = param("auto", POOLING)
    max_length: int | None = param(None, "Maximum length of a name in tokens. Longer names are cut off.", ge=1)
    lowercase: bool = param(
        True, "Lower-case names and mentions. SapBERT's own script lower-cases only the names, which costs hits."
    )
    unicode: UnicodeForm = unicode_param()
    name_language: str | None = param(
        None, "BCP-47 code of the names, for --lowercase, e.g. 'tr' for the dotless i.", check=check_language
    )


@dataclass(frozen=True)
class EncodeConceptsParams(NameParams):
    """Parameters of `encode-concepts`."""

    index: Literal["exact", "ivf", "hnsw"] = param(
        "exact", "exact: no index; ivf, hnsw: build one for link and eval xel with the same --index."
    )


def encode_concepts(inputs: dict[str, Any], params: EncodeConceptsParams, job: Job) -> Outcome:
    """Encode every distinct name once, and write the lines in the order of the rows."""
    base = read_base(inputs["knowledge_base"], params)
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length)
    vectors = encode_base(base, encoder, job.out / VECTORS, job)
    if params.index != "exact":
        build_index(vectors, params.index, job).save(job.out / INDEXED)
    write_knowledge_base(job.out / LISTED, base)
    write_lines(job.out / "words.txt", base.names)
    counts = {"names": len(base.names), "lines": base.lines, "concepts": len(base.identifiers)}
    return Outcome(counts | {"repeated_lines": base.repeated, "dimensions": vectors.shape[1]})


def read_base(paths: Sequence[Path], params: NameParams) -> KnowledgeBase:
    """Read a knowledge base, folding its names as requested."""
    return read_knowledge_base(paths, folding=folding_of(params), language=params.name_language)


def encode_base(base: KnowledgeBase, encoder: Encoder, path: Path, job: Job) -> np.ndarray:
    """Encode every name once into a file, in constant memory. The rows have unit length."""
    vectors = encode_to_file(encoder, base.texts(), path, job)
    normalise(vectors, ["unit"], out=vectors)
    if isinstance(vectors, np.memmap):
        vectors.flush()
    empty = int((~vectors.any(axis=1)).sum())
    if empty:
        job.notices.warn(
            f"{counted(empty, 'name')} of {len(vectors):,} {'has' if empty == 1 else 'have'} no direction: the encoder "
            "knows no part of them.",
            "Their cosine with everything is 0.",
        )
    return vectors


def open_base(paths: Sequence[Path], encoder: Path, params: NameParams, job: Job) -> KnowledgeBase:
    """Read a knowledge base from its files, or from a folder with encoded names.

    Raises:
        DataError: If the folder is not a result of encode-concepts.
        ConfigError: If it was made with another encoder or other settings.
    """
    if not paths[0].is_dir():
        return read_base(paths, params)
    folder = paths[0]
    maker = maker_of(folder)
    if maker is None or maker.stage != NAME:
        raise DataError(
            f"{folder} is not a knowledge base that lexenc encoded.",
            hint="Give its file, or make the folder with lexenc encode-concepts.",
        )
    _check_maker(folder, maker, encoder, params, job)
    return read_base([folder / LISTED], params)


def _check_maker(folder: Path, maker: Manifest, encoder: Path, params: NameParams, job: Job) -> None:
    """Refuse names that were encoded in another way than the mentions will be."""
    own = recorded_input(folder, maker, "encoder")
    if DigestStore.default().of(encoder) != own.sha256:
        raise ConfigError(
            f"{folder} was encoded with another encoder than {encoder}: {own.given}.",
            hint=f"Use --encoder {shlex.quote(own.given)}, or encode it again with lexenc encode-concepts.",
        )
    wanted = {name: getattr(params, name) for name in NameParams.__dataclass_fields__} | {"precision": job.precision}
    for name, value in wanted.items():
        if maker.params.get(name) != value:
            option = name.replace("_", "-")
            raise ConfigError(
                f"{folder} was encoded with {option} {maker.params.get(name)}, not {value}.",
                hint=f"Give the same --{option}, or encode it again with lexenc encode-concepts.",
            )


def build_index(vectors: np.ndarray, kind: ApproximateKind, job: Job) -> ApproximateIndex:
    """Build an index over names."""
    return ApproximateIndex(vectors, kind, seed=derived_seed(job.seed, "index") % 2**30, progress=job.progress)


ENCODE_CONCEPTS = Stage(
    name=NAME,
    version=2,
    inputs={
        "knowledge_base": Input(
            "File of 'CUI||name' lines ('CUI|CUI||name' for several concepts); several files make one base.",
            many=True,
            positional=True,
        ),
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
    },
    params=EncodeConceptsParams,
    run=encode_concepts,
    makes="vectors.npy (float32, unit rows) and words.txt, row by row; knowledge-base.txt; names.index with --index.",
    examples=(
        "lexenc encode-concepts kb.txt --encoder mini --out runs/kb",
        "lexenc link --knowledge-base runs/kb --encoder mini mentions.txt",
    ),
    next_step="lexenc link --knowledge-base {out} --encoder {encoder} MENTIONS",
    uses_device=True,
    uses_seed=True,
)
