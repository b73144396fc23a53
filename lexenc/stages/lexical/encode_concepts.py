"""encode-concepts: a knowledge base + encoder -> its names as vectors, for `link` and `eval xel`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.lexical.linking import (
    INDEXED,
    LISTED,
    MAKER,
    VECTORS,
    NameParams,
    build_index,
    encode_base,
    read_base,
)
from lexenc.stages.reading import open_encoder


@dataclass(frozen=True)
class EncodeConceptsParams(NameParams):
    """Parameters of `encode-concepts`."""

    index: Literal["exact", "ivf", "hnsw"] = param(
        "exact", "exact: no index; ivf, hnsw: build one for link and eval xel with the same --index."
    )


def encode_concepts(inputs: dict[str, Any], params: EncodeConceptsParams, job: Job) -> Outcome:
    """Encode every distinct name once, and keep the lines in the order of the rows."""
    from lexenc.files.concepts import write_knowledge_base
    from lexenc.files.text import write_lines

    base = read_base(inputs["knowledge_base"], params)
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length)
    vectors = encode_base(base, encoder, job.out / VECTORS, job)
    if params.index != "exact":
        build_index(vectors, params.index, job).save(job.out / INDEXED)
    write_knowledge_base(job.out / LISTED, base)
    write_lines(job.out / "words.txt", base.names)
    return Outcome(
        {
            "names": len(base.names),
            "lines": base.lines,
            "concepts": len(base.identifiers),
            "repeated_lines": base.repeated,
            "dimensions": vectors.shape[1],
        }
    )


ENCODE_CONCEPTS = Stage(
    name=MAKER,
    version=1,
    inputs={
        "knowledge_base": Input(
            "File of 'CUI||name' lines ('CUI|CUI||name' where several fit); several files make one base.",
            many=True,
            positional=True,
        ),
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
    },
    params=EncodeConceptsParams,
    run=encode_concepts,
    makes="vectors.npy (float32, unit rows) and words.txt, row by row; knowledge-base.txt; names.index with --index.",
    examples=(
        ("lexenc encode-concepts kb.txt --encoder mini --out runs/kb", ""),
        ("lexenc link --knowledge-base runs/kb --encoder mini mentions.txt", ""),
    ),
    next_step="lexenc link --knowledge-base {out} --encoder {encoder} MENTIONS",
    uses_device=True,
    uses_seed=True,
)
