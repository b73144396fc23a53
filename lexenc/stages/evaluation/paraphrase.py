"""eval paraphrase: paraphrases or not, trained on English and tested on any language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexenc.errors import DataError
from lexenc.evaluation.classification import MEASURE, METRICS, class_columns
from lexenc.evaluation.task import Task
from lexenc.files.paraphrases import NOT_TRANSLATED, read_paraphrases
from lexenc.stage import Job, Outcome, Stage
from lexenc.stages.evaluation.classification import (
    MAKES,
    Classification,
    ClassifierParams,
    Labelled,
    classify,
    inputs_of,
)
from lexenc.stages.evaluation.seeds import check_seeded

CLASSES = ("different", "paraphrase")
TASK = Task("paraphrase", "Paraphrases", METRICS, MEASURE, class_columns(CLASSES), item="pair", test="test",
            compared=MEASURE.metrics, facts=MEASURE.spread, heads=("pair", "label", "answers"))  # fmt: skip


@dataclass(frozen=True)
class EvalParaphraseParams(ClassifierParams):
    """Parameters of `eval paraphrase`."""


def read_paraphrase_data(path: Path) -> dict[str, Labelled]:
    """Read pairs with their labels, without the pairs of PAWS-X that were not translated.

    Raises:
        DataError: If there are no pairs.
    """
    found = Labelled()
    for row in read_paraphrases(path):
        if NOT_TRANSLATED in (row.first, row.second):
            found.left_out["not translated (NS)"] += 1
        else:
            found.add((row.first, row.second), None if row.same is None else int(row.same))
    if not (found.texts or found.left_out):
        raise DataError(f"{path} holds no sentences.", hint="Use a file with sentence1, sentence2 and label.")
    return {"": found}


KIND = Classification(TASK, CLASSES, read_paraphrase_data, "bag of words", lambda pair: pair)


def eval_paraphrase(inputs: dict[str, Any], params: EvalParaphraseParams, job: Job) -> Outcome:
    """Train on pairs of one language, and score every test set."""
    return classify(KIND, inputs, params, job)


EVAL_PARAPHRASE = Stage(
    name="eval paraphrase", version=1, params=EvalParaphraseParams, run=eval_paraphrase, check=check_seeded,
    inputs=inputs_of("two sentences and a label, 1 for a paraphrase (MSR, PAWS, PAWS-X), TSV or CSV."),
    makes=MAKES,
    examples=("lexenc eval paraphrase --train train.tsv --dev dev_2k.tsv --test de/test_2k.tsv --encoder ENC",
              "lexenc eval paraphrase --train msr/train.tsv --test msr/test.tsv --encoder mini"),
    uses_device=True, uses_seed=True, resumable=True, out_required=False,
)  # fmt: skip
