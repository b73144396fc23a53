"""eval language-id: how well a linear classifier tells languages apart by sentence vectors; lower is more neutral."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from lexenc.correlation import unit_rows
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.probe import (
    CHARACTERS,
    MAJORITY,
    Labels,
    control_accuracy,
    fit_probe,
    label_columns,
    most_frequent,
    predict_by_characters,
)
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Convention, Item
from lexenc.files.text import counted, read_lines
from lexenc.lexical.text_vectors import TextVectors
from lexenc.parameters import param
from lexenc.randomness import derived_seed, generator
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import EncoderParams, TestSet, evaluate
from lexenc.stages.reading import encode_words, open_encoder
from lexenc.text.folding import SAME_TEXT, trim

METRICS = (Metric("accuracy", "accuracy", larger_is_better=False),)
TASK = Task("language-id", "Language identification", METRICS, Labels(["accuracy"]),
            label_columns, item="sentence", test="text", uncovered="counted wrong",
            heads=("sentence", "language", "predicted"))  # fmt: skip
_NAMED = "Name every file: --text en=en.txt --text sw=sw.txt"
_TOLD = "Lower means that the vectors show less of the language: the encoder is more language-neutral."


@dataclass(frozen=True)
class EvalLanguageIdParams(EncoderParams):
    """Parameters of `eval language-id`."""

    c: float = param(1.0, "Inverse strength of the L2 penalty. A larger value finds more of the language.", gt=0)
    test_share: float = param(0.2, "Share of the line numbers to test on. The classifier is trained on the others.",
                              gt=0, le=0.9)  # fmt: skip


def eval_language_id(inputs: dict[str, Any], params: EvalLanguageIdParams, job: Job) -> Outcome:
    """Train on some line numbers in all languages, and test on the others in all languages."""
    if "" in inputs["text"]:
        raise ConfigError(f"--text {inputs['text']['']} has no language.", hint=_NAMED)
    texts = {name: [trim(line) for _, line in read_lines(path)] for name, path in inputs["text"].items()}
    lengths = {name: len(lines) for name, lines in texts.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            f"The files have {', '.join(f'{count:,} ({name})' for name, count in lengths.items())} lines.",
            hint="Line k of every file must be the same sentence, so that no translation of a test sentence is in the "
            "training part.",
        )
    names, count = list(texts), next(iter(lengths.values()))
    tested = np.zeros(count, dtype=bool)
    size = min(max(round(params.test_share * count), 1), max(count - 1, 0))
    tested[generator(job.seed, "test lines").permutation(count)[:size]] = True
    rows = [(line, place) for place, name in enumerate(names) for line, test in zip(texts[name], tested, strict=True)
            if line and not test]  # fmt: skip
    if len({place for _, place in rows}) < len(names):
        raise DataError(f"{counted(count, 'line')} do not suffice for training.", hint="Give more sentences.")
    seen, skipped, asked = {SAME_TEXT.fold(line) for line, _ in rows}, Counter[str](), []
    skipped += Counter({"empty": sum(not line for lines in texts.values() for line in lines)})
    for place, name in enumerate(names):
        for line, test in zip(texts[name], tested, strict=True):
            if test and line and SAME_TEXT.fold(line) in seen:
                skipped["also in the training part"] += 1
            elif test and line:
                asked.append((line, place))
    if not asked:
        raise DataError(f"Of {counted(count, 'line')} none is left to test on.", hint="Give more sentences.")
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length)
    parts = [[line for line, _ in part] for part in (rows, asked)]
    trained, found = (TextVectors.encoded(part, encode_words(encoder, part, job)) for part in parts)
    labels, seed = np.array([place for _, place in rows]), derived_seed(job.seed, "folds")
    probe = fit_probe(unit_rows(trained.matrix), labels, c=params.c, seed=seed)
    if not probe.converged:
        job.notices.warn(f"The classifier with C = {probe.c:g} has not converged.", "Use a smaller --c.")
    predicted, majority = probe.predict(unit_rows(found.matrix)).tolist(), most_frequent(labels)
    (spelt,) = predict_by_characters(parts[0], labels, [parts[1]], c=params.c, seed=seed)
    items = [
        Item((line,), (names[place],), bool(own), ({"target": names[one]},),
             {"gold": place, "predicted": one, MAJORITY: majority, CHARACTERS: other})
        for (line, place), own, one, other in zip(asked, found.covered, predicted, spelt.tolist(), strict=True)
    ]  # fmt: skip
    least = float(np.mean([place == majority for _, place in asked]))
    facts = {"languages": names, "training_sentences": len(rows), "c": params.c, "majority_class": least}
    note = (
        f"{_TOLD} Always saying the {MAJORITY} scores {100 * least:.1f}, which shows nothing of the language. "
        f"Logistic regression on vectors of length 1, C = {params.c:g}, trained on {counted(len(rows), 'sentence')} of "
        f"other lines, so that no translation of a test sentence is among them. Control: {CHARACTERS}, the same "
        "classifier on TF-IDF of character 2-4-grams."
    )
    name = ", ".join(names)
    return evaluate(
        TASK, [TestSet(name, items, facts=facts, left_out=skipped)], params, job,
        convention=Convention(out_of_vocabulary="left out"),
        controls={CHARACTERS: control_accuracy(CHARACTERS)}, note=note,
    )  # fmt: skip


def check_eval_language_id(inputs: Any, params: EvalLanguageIdParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    return [ConfigError("Two languages or more are needed.", hint=_NAMED)] if len(inputs["text"]) < 2 else []


EVAL_LANGUAGE_ID = Stage(
    name="eval language-id", version=1, params=EvalLanguageIdParams, run=eval_language_id, check=check_eval_language_id,
    inputs={
        "text": Input("Sentences of a language with its name, e.g. en=en.txt. Line k of every file is the same "
                      "sentence.", many=True, named=True),
        "encoder": Input("Encoder.", kind="encoder"),
    },
    makes="scores.json, and items.jsonl with the language that was predicted for every sentence.",
    examples=("lexenc eval language-id --text en=en.txt --text de=de.txt --text fr=fr.txt --encoder mini",),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
