"""new-encoder: text -> an untrained encoder with its own tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lexenc.encoders import ENCODERS
from lexenc.encoders.base import EncoderKind
from lexenc.encoders.card import model_card, write_card
from lexenc.errors import ConfigError
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import read_cells, result_name


@dataclass(frozen=True)
class NewEncoderParams:
    """Parameters of `new-encoder`."""

    kind: str = param("static", "Kind of encoder.", choices=ENCODERS.without("projected"))
    tokenizer: Literal["bpe", "wordpiece", "unigram"] = param(
        "bpe", "Algorithm of the tokenizer. Only bpe learns the same subwords on every run."
    )
    vocabulary_size: int = param(24_000, "Largest number of subwords.", ge=100)
    dimensions: int = param(256, "Length of a vector.", ge=1)
    layers: int = param(4, "Number of layers of a transformer, or of LSTMs in each direction of elmo.", ge=1)
    heads: int = param(4, "Number of attention heads of a transformer.", ge=1)
    max_length: int = param(128, "Longest input of a transformer or elmo, in tokens.", ge=4)
    deviation: float = param(0.1, "Standard deviation of the random vectors of a static encoder.", gt=0)
    cased: bool = param(False, "Distinguish upper and lower case.")


def _settings(params: NewEncoderParams) -> dict[str, Any]:
    return {name: getattr(params, name) for name in ("dimensions", "layers", "heads", "max_length", "deviation")}


def check_new_encoder(inputs: Mapping[str, Any], params: NewEncoderParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    kind: EncoderKind = ENCODERS[params.kind]
    return kind.faults(**_settings(params))


def new_encoder(inputs: dict[str, Any], params: NewEncoderParams, job: Job) -> Outcome:
    """Train a tokenizer on text and write an encoder with random weights."""
    from lexenc.encoders.fresh import train_tokenizer

    kind: EncoderKind = ENCODERS[params.kind]
    tokenizer = train_tokenizer(
        read_cells(inputs["text"]),
        kind=params.tokenizer,
        vocabulary_size=params.vocabulary_size,
        lowercase=not params.cased,
        special=kind.special_tokens,
    )
    kind.create(job.out, tokenizer, seed=job.seed, **_settings(params))
    names = ", ".join(f"`{path.name}`" for path in inputs["text"])
    lines = [f"An untrained encoder of kind {params.kind}. Its tokenizer was trained on {names}."]
    library = getattr(kind, "library", "sentence-transformers")
    write_card(job.out, model_card(result_name(job.out), lines, library=library))
    return Outcome({"subwords": tokenizer.get_vocab_size(), "dimensions": params.dimensions})


NEW_ENCODER = Stage(
    name="new-encoder",
    version=1,
    inputs={"text": Input("Text, one sentence per line. TABs separate texts. Can be repeated.", many=True)},
    params=NewEncoderParams,
    run=new_encoder,
    makes="an encoder. SentenceTransformer(folder) loads all kinds but elmo.",
    examples=(
        "lexenc new-encoder --text parallel.tsv --kind static --dimensions 256 --out runs/fresh",
        "lexenc finetune --pairs parallel.tsv --encoder runs/fresh --loss symmetric --out runs/encoder",
    ),
    next_step="lexenc finetune --pairs PAIRS --encoder {out} --loss symmetric --out {new:encoder}",
    uses_seed=True,
    check=check_new_encoder,
)
