"""eval sts: similarity of sentences against human ratings, for every test set and their mean."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from lexenc.correlation import cosines
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.similarity import MEASURE, METRICS, item_columns, shuffled_spearman
from lexenc.evaluation.similarity import TASK as WORDS
from lexenc.evaluation.task import Task
from lexenc.files.evaluations import Convention, Item
from lexenc.files.text import csv_rows, read_lines
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import SentenceParams, TestSet, evaluate, sentence_vectors
from lexenc.stages.lineage import seen_pairs, tell_seen_pairs
from lexenc.text.folding import trim

TASK = Task("sts", "Sentence similarity", METRICS, MEASURE, item_columns, item="pair", question=("gold",),
            compared=MEASURE.metrics, uncovered="similarity 0", heads=WORDS.heads, cells=WORDS.cells)  # fmt: skip


@dataclass(frozen=True)
class EvalStsParams(SentenceParams):
    """Parameters of `eval sts`."""


def eval_sts(inputs: dict[str, Any], params: EvalStsParams, job: Job) -> Outcome:
    """Score an encoder, or static vectors, with which a sentence is the mean of its words."""
    vectors = sentence_vectors(inputs.get("encoder"), inputs.get("vectors"), params, job)

    def scored(path: Path, gold: Path | None) -> TestSet:
        rows, skipped = _read(path, gold)
        first, second = (vectors([row[0] for row in rows], "source"), vectors([row[1] for row in rows], "target"))
        found = zip(rows, cosines(first.matrix, second.matrix).tolist(), first.covered & second.covered, strict=True)
        items = [Item((left, right), covered=bool(own), numbers={"gold": score, "cosine": cosine if own else None})
                 for (left, right, score), cosine, own in found]  # fmt: skip
        seen = seen_pairs([inputs.get("encoder"), inputs.get("vectors")], [row[:2] for row in rows], path)
        tell_seen_pairs(seen, len(rows), job)
        return TestSet.of(path, items, facts=seen.facts, left_out=skipped)

    return evaluate(
        TASK, (scored(*each) for each in zip_longest(inputs["pairs"], inputs.get("gold") or [])), params, job,
        convention=Convention(out_of_vocabulary="left out", ties="average rank"),
        controls={"shuffled scores": shuffled_spearman},
    )  # fmt: skip


def _read(path: Path, gold: Path | None) -> tuple[list[tuple[str, str, float]], Counter[str]]:
    """Read sentence pairs with their scores, and count the lines left out by reason."""
    lines = [line for _, line in read_lines(path)]
    if lines and "\t" in lines[0]:
        rows = [line.split("\t") for line in lines]
    else:
        rows = [row for _, row in csv_rows(lines, path)]
    if gold is not None:
        scores = [line for _, line in read_lines(gold)]
        rows = rows[:250] if (len(rows), len(scores)) == (500, 250) else rows  # track 6 of STS 2017
        if len(rows) != len(scores):
            raise DataError(f"{path} has {len(rows):,} lines, {gold} {len(scores):,}.", hint="Give matching files.")
        rows = [[*row[:2], score] for row, score in zip(rows, scores, strict=True)]
    kept, skipped = [], Counter[str]()
    for number, row in enumerate(rows):
        row = [trim(cell) for cell in row]
        if len(row) < 3 or not (row[0] and row[1]):
            skipped["no two sentences with a score"] += 1
        elif row[2].replace(".", "", 1).isdecimal():
            kept.append((row[0], row[1], float(row[2])))
        elif number:  # the first line may hold the names of the columns
            skipped["no score"] += 1
    if not kept:
        first = f" Line 1: {', '.join(rows[0])[:80]}" if rows else ""
        raise DataError(
            f"{path} holds no pairs of sentences with a score.{first}",
            hint="One pair per line: sentence, TAB, sentence, TAB, score; or CSV.",
        )
    return kept, skipped


def check_eval_sts(inputs: Any, params: EvalStsParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    golds, hint = inputs.get("gold") or [], "For an encoder: --encoder mini. Give as many --gold as --pairs, or none."
    wrong = [bool(inputs.get("encoder")) == bool(inputs.get("vectors")) and "Give either --encoder or --vectors.",
             len(golds) not in (0, len(inputs["pairs"])) and "Every --pairs needs its --gold."]  # fmt: skip
    return [ConfigError(message, hint=hint) for message in wrong if message]


EVAL_STS = Stage(
    name="eval sts", version=2, params=EvalStsParams, run=eval_sts, check=check_eval_sts,
    inputs={
        "pairs": Input("Sentence, TAB, sentence, TAB, score; or CSV. Each file is a track.", many=True),
        "gold": Input("Scores in files of their own, line by line (STS 2017).", many=True, required=False),
        "encoder": Input("Encoder.", kind="encoder", required=False),
        "vectors": Input("Shared space, or vectors of one language.", required=False),
    },
    makes="scores.json, and items.jsonl with the similarity of every pair.",
    examples=("lexenc eval sts --pairs stsb-en-test.csv.gz --encoder mini",),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
