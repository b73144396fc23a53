"""eval nli: natural language inference, trained on English and tested on any language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexenc.errors import DataError
from lexenc.evaluation.classification import MEASURE, METRICS, class_columns
from lexenc.evaluation.task import Task
from lexenc.files.nli import nli_text
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

CLASSES = ("entailment", "neutral", "contradiction")
TASK = Task("nli", "Language inference", METRICS, MEASURE, class_columns(CLASSES), item="pair", test="test",
            compared=MEASURE.metrics, facts=MEASURE.spread,
            heads=("premise, hypothesis", "label", "answers"))  # fmt: skip


@dataclass(frozen=True)
class EvalNliParams(ClassifierParams):
    """Parameters of `eval nli`."""


def read_nli(path: Path) -> dict[str, Labelled]:
    """Read pairs with their relation, by language.

    Raises:
        DataError: If the file has triplets, or pairs without labels.
    """
    text = nli_text(path)
    if text.form != "labelled pairs":
        raise DataError(f"{path} holds {text.form}, expected labelled pairs.",
                        hint="Name the columns in the first line: premise, hypothesis and label.")  # fmt: skip
    found: dict[str, Labelled] = {}
    for row in text:
        own = CLASSES.index(row.label) if row.label else None
        found.setdefault(row.language, Labelled()).add((row.premise, row.hypothesis), own)
    return found


KIND = Classification(TASK, CLASSES, read_nli, "hypothesis only", lambda pair: pair[1:])


def eval_nli(inputs: dict[str, Any], params: EvalNliParams, job: Job) -> Outcome:
    """Train on pairs of one language, and score every test set."""
    return classify(KIND, inputs, params, job)


EVAL_NLI = Stage(
    name="eval nli", version=1, params=EvalNliParams, run=eval_nli, check=check_seeded,
    inputs=inputs_of("premise, hypothesis and label (SNLI, MultiNLI, XNLI, SICK, AmericasNLI), TSV, CSV or JSONL."),
    makes=MAKES,
    examples=("lexenc eval nli --train multinli.train.en.tsv --dev xnli.dev.tsv --test xnli.test.tsv --encoder ENC",
              "lexenc eval nli --train SICK_train.txt --test SICK_test_annotated.txt --encoder mini --head dense"),
    uses_device=True, uses_seed=True, resumable=True, out_required=False,
)  # fmt: skip
