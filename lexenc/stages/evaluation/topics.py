"""eval topics: a linear classifier on vectors of documents, trained in one language and tested in others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.correlation import unit_rows
from lexenc.errors import DataError
from lexenc.evaluation.probe import (
    CHARACTERS,
    MAJORITY,
    STRENGTHS,
    Labels,
    control_accuracy,
    fit_probe,
    label_columns,
    most_frequent,
    predict_by_characters,
)
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Convention, Item
from lexenc.files.labelled import LabelledText, read_labelled
from lexenc.files.text import counted
from lexenc.lexical.text_vectors import TextVectors
from lexenc.parameters import param
from lexenc.randomness import derived_seed
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import EncoderParams, TestSet, evaluate
from lexenc.stages.reading import encode_words, open_encoder
from lexenc.text.folding import SAME_TEXT

METRICS = (Metric("accuracy", "accuracy"), Metric("macro_f1", "macro F1"))
TASK = Task("topics", "Topics of documents", METRICS, Labels([metric.key for metric in METRICS]), label_columns,
            item="document", test="test", compared=("accuracy", "macro_f1"), uncovered="counted wrong",
            heads=("document", "topic", "predicted"))  # fmt: skip
_SHOWN = 200  # characters of a document that an item has
# After a full stop and the like with a space; those of Chinese and Japanese need none.
_SENTENCES = re.compile(r"(?<=[。！？])\s*|(?<=[.!?…।؟])\s+")
_SIZES = ", ".join(f"{each:g}" for each in STRENGTHS)


@dataclass(frozen=True)
class DocumentParams(EncoderParams):
    """Parameters of every evaluation of documents."""

    documents: Literal["cut", "mean"] = param(
        "cut", "cut: a document is one text, cut at the longest input; mean: the mean of the vectors of its sentences."
    )


@dataclass(frozen=True)
class EvalTopicsParams(DocumentParams):
    """Parameters of `eval topics`."""

    c: float | None = param(
        None,
        "Inverse strength of the L2 penalty of the classifier: a larger value fits the training text more closely. If "
        f"left out, the best of {_SIZES} in cross-validation on the training text.",
        gt=0,
    )


def document_vectors(folder: Path, params: DocumentParams, job: Job) -> Callable[[Sequence[str], str], TextVectors]:
    """Open an encoder, and return the function from documents and their name to vectors, which warns of cut ones."""
    encoder = open_encoder(folder, params.pooling, job, max_length=params.max_length)
    longest = getattr(encoder, "longest", None) or params.max_length

    def encoded(texts: Sequence[str], name: str) -> TextVectors:
        parts = [[text] for text in texts]
        if params.documents == "mean":
            parts = [[each for each in _SENTENCES.split(text) if each.strip()] or [text] for text in texts]
        flat = [each for own in parts for each in own]
        cut = sum(len(ids) >= longest for ids in encoder.tokenise(flat)) if longest else 0
        if cut:
            what, are = "document" if params.documents == "cut" else "sentence", "is" if cut == 1 else "are"
            job.notices.warn(
                f"{name}: {cut:,} of {counted(len(flat), what)} {are} cut at {longest:,} tokens.",
                None if params.documents == "mean" else "With --documents mean all sentences of a document count.",
            )
        vectors = encode_words(encoder, flat, job)
        if params.documents == "mean":
            starts = np.cumsum([0, *map(len, parts)])[:-1]
            sums = np.add.reduceat(unit_rows(vectors), starts, axis=0)
            vectors = (sums / [[len(own)] for own in parts]).astype(np.float32)
        return TextVectors.encoded(texts, vectors)

    return encoded


def shown(text: str) -> str:
    """Return the beginning of a document, for an item."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def eval_topics(inputs: dict[str, Any], params: EvalTopicsParams, job: Job) -> Outcome:
    """Train the classifier and its controls on the training text, and test them on every file."""
    train, skipped = read_labelled(inputs["train"])
    names = sorted({each.label for each in train})
    if len(names) < 2:
        raise DataError(f"{inputs['train']} has only the label '{names[0]}'.", hint="Two or more are needed.")
    if skipped:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in skipped.items())
        job.notices.warn(f"{inputs['train']}: {counted(skipped.total(), 'line')} left out ({reasons}).", None)
    tests = [_unseen(path, train) for path in inputs["test"]]
    texts, labels = [each.text for each in train], np.array([names.index(each.label) for each in train])
    vectors, seed = document_vectors(inputs["encoder"], params, job), derived_seed(job.seed, "folds")
    probe = fit_probe(unit_rows(vectors(texts, inputs["train"].name).matrix), labels, c=params.c, seed=seed)
    asked = [[each.text for each in rows] for rows, _ in tests]
    characters = predict_by_characters(texts, labels, asked, c=params.c, seed=seed)
    if not probe.converged:
        job.notices.warn(f"The classifier with C = {probe.c:g} has not converged.", "Use a smaller --c.")
    facts = {"training_documents": len(train), "documents_longer": params.documents}

    def scored(path: Path, rows: Sequence[LabelledText], left_out: Counter[str], spelt: np.ndarray) -> TestSet:
        found = vectors([each.text for each in rows], path.name)
        predicted = probe.predict(unit_rows(found.matrix)).tolist()
        majority = most_frequent(labels)
        items = [
            Item((shown(row.text),), (row.label,), bool(own), ({"target": names[one]},),
                 {"gold": names.index(row.label), "predicted": one, MAJORITY: majority, CHARACTERS: other})
            for row, own, one, other in zip(rows, found.covered, predicted, spelt.tolist(), strict=True)
        ]  # fmt: skip
        return TestSet.of(path, items, facts=facts, left_out=left_out, own={"c": probe.c})

    how = "given" if params.c else f"the best of {_SIZES} in cross-validation on them"
    note = (
        f"Logistic regression on vectors of length 1, trained on {counted(len(train), 'document')} of "
        f"{inputs['train'].name} with {len(names)} topics; C = {probe.c:g}, {how}. Controls: {MAJORITY} of the "
        f"training text, and {CHARACTERS}: the same classifier on TF-IDF of character 2-4-grams."
    )
    return evaluate(
        TASK,
        (scored(path, *test, spelt) for path, test, spelt in zip(inputs["test"], tests, characters, strict=True)),
        params,
        job,
        convention=Convention(out_of_vocabulary="left out"),
        controls={name: control_accuracy(name) for name in (MAJORITY, CHARACTERS)},
        note=note,
    )


def _unseen(path: Path, train: Sequence[LabelledText]) -> tuple[list[LabelledText], Counter[str]]:
    """Read a test set, without documents that the classifier was trained on, or whose label it never saw."""
    rows, skipped = read_labelled(path)
    seen, known, kept = {SAME_TEXT.fold(each.text) for each in train}, {each.label for each in train}, []
    for row in rows:
        if row.label not in known:
            skipped["label not in the training text"] += 1
        elif SAME_TEXT.fold(row.text) in seen:
            skipped["also in the training text"] += 1
        else:
            kept.append(row)
    if not kept:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in skipped.items())
        raise DataError(f"{path} has no document to test on ({reasons}).", hint="Use other documents, the same labels.")
    return kept, skipped


EVAL_TOPICS = Stage(
    name="eval topics", version=1, params=EvalTopicsParams, run=eval_topics,
    inputs={
        "train": Input("Training documents: label, TAB, text; or a table with category, headline and text."),
        "test": Input("Test documents of a language. Each file is a track.", many=True),
        "encoder": Input("Encoder.", kind="encoder"),
    },
    makes="scores.json, and items.jsonl with the topic that was predicted for every document.",
    examples=("lexenc eval topics --train eng.tsv --test fra.tsv --test swa.tsv --encoder mini",),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
