"""trim-vocabulary: an encoder and text -> the encoder with only the subwords of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lexenc.encoders.card import model_card, write_card
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import read_cells, result_name


@dataclass(frozen=True)
class TrimVocabularyParams:
    """Parameters of `trim-vocabulary`; it has none."""


def trim(inputs: dict[str, Any], params: TrimVocabularyParams, job: Job) -> Outcome:
    """Write an encoder without the vectors of subwords that a corpus does not need."""
    from lexenc.encoders.trimming import trim_vocabulary

    found = trim_vocabulary(inputs["encoder"], job.out, lambda: read_cells(inputs["text"]), progress=job.progress)
    before, after = found.subwords
    names = ", ".join(f"`{path.name}`" for path in inputs["text"])
    lines = [
        f"The encoder `{inputs['encoder'].name}` with {after:,} of its {before:,} subwords: those of {names}. "
        "Texts that need no others have the same vectors."
    ]
    write_card(job.out, model_card(result_name(job.out), lines))
    return Outcome(
        {
            "texts": found.texts,
            "subwords_before": before,
            "subwords": after,
            "parameters_before": found.parameters[0],
            "parameters": found.parameters[1],
            "megabytes_before": round(found.size[0] / 1e6, 1),
            "megabytes": round(found.size[1] / 1e6, 1),
        }
    )


TRIM_VOCABULARY = Stage(
    name="trim-vocabulary",
    version=1,
    inputs={
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
        "text": Input(
            "Text whose subwords stay, one sentence per line. TABs separate texts. Can be repeated.", many=True
        ),
    },
    params=TrimVocabularyParams,
    run=trim,
    makes="an encoder that SentenceTransformer(folder) loads, with the same vectors for the text.",
    examples=(
        "lexenc trim-vocabulary --encoder intfloat/multilingual-e5-small --text en.txt --text sw.txt --out runs/small",
    ),
    next_step="lexenc encode WORDS --encoder {out} --out {new:words}",
)
