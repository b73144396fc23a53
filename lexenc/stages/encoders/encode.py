"""encode: words, phrases or sentences -> vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexenc.encoders.base import Pooling
from lexenc.errors import DataError
from lexenc.files.text import counted, read_lines, write_lines
from lexenc.files.vectors import new_table
from lexenc.files.vocabularies import all_counted, read_vocabulary
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import POOLING, open_encoder, set_language
from lexenc.text.folding import check_language


@dataclass(frozen=True)
class EncodeParams:
    """Parameters of `encode`."""

    pooling: Pooling = param("auto", POOLING)
    max_length: int | None = param(None, "Longest input in tokens. Longer texts are truncated.", ge=1)
    language: str | None = param(
        None,
        "BCP-47 code of the language of all texts, for an encoder that was trained with languages. By default none.",
        check=check_language,
    )
    counts: bool = param(False, "Read lines of the form 'word count'. Drops the counts and repeated words.")
    token_budget: int = param(1536, "Largest number of tokens in a forward pass.", ge=1, affects_result=False)


def encode(inputs: dict[str, Any], params: EncodeParams, job: Job) -> Outcome:
    """Encode each line of a file as a vector."""
    from lexenc.encoders.encode import encode_texts

    texts = _texts(inputs["words"], params.counts, job)
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length)
    if params.language is not None:
        set_language(encoder, inputs["encoder"], params.language)
    # A memory map keeps the memory constant for any number of lines.
    vectors = new_table(job.out / "vectors.npy", len(texts), encoder.dimensions)
    encode_texts(encoder, texts, token_budget=params.token_budget, out=vectors, progress=job.progress)
    vectors.flush()
    write_lines(job.out / "words.txt", texts)
    return Outcome({"texts": len(texts), "dimensions": encoder.dimensions})


def _texts(path: Path, counts: bool, job: Job) -> list[str]:
    """Read the lines. Blank lines stay, so that the rows of two parallel files still match."""
    if counts:
        vocabulary = read_vocabulary(path)
        if vocabulary.counts is None:
            raise DataError(
                f"--counts, but not every line of {path} ends with a number.",
                hint="Remove --counts, or use lines of the form 'word count'.",
            )
        return vocabulary.words
    texts = [line for _, line in read_lines(path)]
    blank = sum(not text.strip() for text in texts)
    if blank == len(texts):
        raise DataError(f"{path} contains no texts.", hint="Use one word, phrase or sentence per line.")
    if blank:
        job.notices.warn(
            f"{path}: {counted(blank, 'line')} without a text; the vectors of these lines are meaningless.",
            "They are kept so that row numbers equal line numbers, also in parallel files.",
        )
    if all_counted(texts):
        first = next(text for text in texts if text.strip())
        job.notices.warn(
            f"Every line ends with a number, which is encoded as part of its text ('{first}').",
            "If the numbers are counts, add --counts to drop them.",
        )
    return texts


ENCODE = Stage(
    name="encode",
    version=2,
    inputs={
        "words": Input("File with one text per line, or - for standard input.", positional=True),
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
    },
    params=EncodeParams,
    run=encode,
    makes="vectors.npy (float32) and words.txt, row by row.",
    examples=(
        "lexenc encode --encoder mini --out runs/words words.txt",
        "cut -f1 train.tsv | lexenc encode --encoder mini --out runs/words -",
    ),
    next_step="lexenc export {out} --format vec --out {new:vectors}",
    uses_device=True,
)
