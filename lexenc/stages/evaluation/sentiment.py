"""eval sentiment: texts with a sentiment, or any other label, trained in one language and tested in others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lexenc.errors import DataError
from lexenc.evaluation.classification import METRICS, ClassMeasure, class_columns
from lexenc.evaluation.task import Metric, Task
from lexenc.files.labelled import read_labelled
from lexenc.files.text import counted
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

MEASURE = ClassMeasure(["accuracy", "weighted_f1", "macro_f1"])
TASK = Task("sentiment", "Sentiment of texts", (METRICS[0], Metric("weighted_f1", "Weighted F1"), METRICS[1]), MEASURE,
            class_columns(), item="text", test="test", compared=MEASURE.metrics, facts=MEASURE.spread,
            heads=("text", "label", "answers"))  # fmt: skip
_MANY = 20  # labels from which on each of them needs more than one text


@dataclass(frozen=True)
class EvalSentimentParams(ClassifierParams):
    """Parameters of `eval sentiment`."""


def read_sentiment(path: Path, *, classes: Collection[str]) -> dict[str, Labelled]:
    """Read texts with their labels.

    Args:
        path: The file, as `lexenc.files.labelled.read_labelled` takes it.
        classes: The labels, in the order of their numbers.

    Raises:
        DataError: If there is no labelled text, or another label.
    """
    numbers = {name: place for place, name in enumerate(classes)}
    rows, left_out = read_labelled(path, known=numbers)
    found = Labelled(left_out=left_out)
    for row in rows:
        if row.label not in numbers:
            shown = ", ".join(list(numbers)[:_MANY])
            raise DataError(f"{path}, line {row.line}: the training data has no label '{row.label[:40]}'.",
                            hint=f"It has {shown}{', ...' if len(numbers) > _MANY else ''}.")  # fmt: skip
        found.add((row.text,), numbers[row.label])
    return {"": found}


def labels_of(paths: Collection[Path]) -> list[str]:
    """Return the labels of training data in alphabetical order.

    Raises:
        DataError: If most texts have a label of their own.
    """
    labels = [row.label for path in paths for row in read_labelled(path)[0]]
    found = sorted(set(labels))
    if len(found) > _MANY and 2 * len(found) > len(labels):
        texts = counted(len(labels), "text")
        shown = f"such as '{found[0][:40]}'"
        raise DataError(f"The training data has {len(found):,} different labels for {texts}, {shown}.",
                        hint="Name the columns in the first line: label and text.")  # fmt: skip
    return found


def eval_sentiment(inputs: dict[str, Any], params: EvalSentimentParams, job: Job) -> Outcome:
    """Train on texts of one language, and score every test set."""
    classes = labels_of(inputs["train"])
    kind = Classification(TASK, classes, partial(read_sentiment, classes=classes), "bag of words", lambda text: text)
    return classify(kind, inputs, params, job)


EVAL_SENTIMENT = Stage(
    name="eval sentiment", version=1, params=EvalSentimentParams, run=eval_sentiment, check=check_seeded,
    inputs=inputs_of("text and label, with any labels: a table that names its columns (AfriSenti), TSV or CSV; or two "
                     "columns with a TAB between them."),
    makes=MAKES,
    examples=("lexenc eval sentiment --train hau.train.tsv --dev hau.dev.tsv --test hau.test.tsv --encoder ENC",
              "lexenc eval sentiment --train en.tsv --test de.tsv --encoder mini --head dense --seeds 5"),
    uses_device=True, uses_seed=True, resumable=True, out_required=False,
)  # fmt: skip
