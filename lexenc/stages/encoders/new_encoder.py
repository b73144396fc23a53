"""new-encoder: text -> an untrained encoder with its own tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lexenc.errors import ConfigError, DataError
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import result_name


@dataclass(frozen=True)
class NewEncoderParams:
    """Parameters of `new-encoder`."""

    kind: Literal["static", "transformer"] = param("static", "static: a bag of subwords; transformer: a BERT.")
    tokenizer: Literal["bpe", "wordpiece", "unigram"] = param(
        "bpe", "How subwords are learnt; only bpe gives the same ones on every run."
    )
    vocabulary_size: int = param(24_000, "Subwords at most.", ge=100)
    dimensions: int = param(256, "Length of a vector.", ge=1)
    layers: int = param(4, "Layers of a transformer.", ge=1)
    heads: int = param(4, "Attention heads of a transformer.", ge=1)
    max_length: int = param(128, "Longest input of a transformer, in tokens.", ge=4)
    deviation: float = param(0.1, "Standard deviation of a static encoder's first numbers.", gt=0)
    cased: bool = param(False, "Keep upper and lower case apart.")


def check_new_encoder(inputs: Mapping[str, Any], params: NewEncoderParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    if params.kind == "transformer" and params.dimensions % params.heads:
        return [
            ConfigError(
                f"--dimensions {params.dimensions} is no multiple of --heads {params.heads}.",
                hint=f"Use --heads {max(h for h in range(1, params.heads + 1) if params.dimensions % h == 0)}.",
            )
        ]
    return []


def new_encoder(inputs: dict[str, Any], params: NewEncoderParams, job: Job) -> Outcome:
    """Learn a tokenizer from text and put random weights behind it."""
    from lexenc.encoders.card import model_card
    from lexenc.encoders.fresh import new_static, save_new_transformer, train_tokenizer

    tokenizer = train_tokenizer(
        _lines(inputs["text"]),
        kind=params.tokenizer,
        vocabulary_size=params.vocabulary_size,
        lowercase=not params.cased,
        special=params.kind == "transformer",
    )
    if params.kind == "static":
        new_static(tokenizer, dimensions=params.dimensions, deviation=params.deviation, seed=job.seed).save(job.out)
    else:
        save_new_transformer(
            job.out,
            tokenizer,
            dimensions=params.dimensions,
            layers=params.layers,
            heads=params.heads,
            max_length=params.max_length,
            seed=job.seed,
        )
    names = ", ".join(f"`{path.name}`" for path in inputs["text"])
    lines = [f"An untrained {params.kind} encoder with a tokenizer learnt from {names}."]
    card = model_card(result_name(job.out), lines)
    (job.out / "README.md").write_text(card, encoding="utf-8")
    return Outcome({"subwords": tokenizer.get_vocab_size(), "dimensions": params.dimensions})


def _lines(paths: list[Path]) -> Iterator[str]:
    """Give the text of all files; the columns of a pair file are texts of their own."""
    from lexenc.files.text import read_lines

    empty = True
    for path in paths:
        for _, line in read_lines(path):
            for cell in line.split("\t"):
                if cell.strip():
                    empty = False
                    yield cell
    if empty:
        names = ", ".join(str(path) for path in paths)
        raise DataError(f"There is no text in {names}.", hint="Give a text file with one sentence per line.")


NEW_ENCODER = Stage(
    name="new-encoder",
    version=1,
    inputs={"text": Input("Text, one sentence per line; TABs separate texts. May be given several times.", many=True)},
    params=NewEncoderParams,
    run=new_encoder,
    makes="an encoder that SentenceTransformer(folder) loads.",
    examples=(
        ("lexenc new-encoder --text parallel.tsv --kind static --dimensions 256 --out runs/fresh", ""),
        ("lexenc finetune --pairs parallel.tsv --encoder runs/fresh --loss symmetric --out runs/encoder", ""),
    ),
    next_step="lexenc finetune --pairs parallel.tsv --encoder {out} --loss symmetric --out runs/encoder",
    uses_seed=True,
    check=check_new_encoder,
)
