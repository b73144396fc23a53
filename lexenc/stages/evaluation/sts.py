"""eval sts: similarity of sentences against human ratings, for every test set and their mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lexenc.correlation import cosines
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.characters import NAME, character_cosines
from lexenc.evaluation.similarity import MEASURE, METRICS, item_columns, shuffled_spearman
from lexenc.evaluation.similarity import TASK as WORDS
from lexenc.evaluation.task import Task
from lexenc.files.evaluations import Convention, Item, Score, name_of_test
from lexenc.files.text import csv_rows, json_lines, read_lines
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import (
    SENTENCE_SYSTEM,
    SentenceParams,
    TestSet,
    check_sentence_system,
    evaluate,
    sentence_vectors,
)
from lexenc.stages.lineage import Seen, seen_lines, tell_seen_lines
from lexenc.text.folding import trim

TASK = Task("sts", "Sentence similarity", METRICS, MEASURE, item_columns, item="pair", question=("gold",),
            compared=MEASURE.metrics, uncovered="similarity 0", heads=WORDS.heads, cells=WORDS.cells)  # fmt: skip


@dataclass(frozen=True)
class EvalStsParams(SentenceParams):
    """Parameters of `eval sts`."""

    scores: Literal["similarity", "distance"] | None = param(
        None,
        "What a larger score means. similarity: more similar. distance: less similar, as in the column Overall of "
        "SemEval 2022, where 1 is most similar; the sign of the scores is turned. By default similarity. A column "
        "named Overall needs the choice.",
    )
    empty: Literal["drop", "keep"] = param(
        "drop",
        "Pairs with an empty sentence. drop: they are left out and counted. keep: they are scored, as version 1 of "
        "STS22 in mteb does.",
    )


class _Row(NamedTuple):
    """Two sentences with their score, as the file has them, and their language, if it has a column for it."""

    first: str
    second: str
    score: str
    language: str = ""


@dataclass
class _Track:
    """Sentence pairs with scores, and numbers of lines left out by reason."""

    name: str
    files: tuple[Path, ...]
    rows: list[tuple[str, str, float]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [row[:2] for row in self.rows]


def eval_sts(inputs: dict[str, Any], params: EvalStsParams, job: Job) -> Outcome:
    """Score an encoder, or static vectors, with which a sentence is the mean of its words."""
    files = zip_longest(inputs["pairs"], inputs.get("gold") or [], inputs.get("second") or [])
    tracks = [track for each in files for track in _read(*each, scores=params.scores, empty=params.empty)]
    vectors = sentence_vectors(inputs, params, job)
    systems = [inputs.get(name) for name in SENTENCE_SYSTEM]
    found = seen_lines(systems, [(each.files, each.pairs) for each in tracks])
    names = [each.name for each in tracks]
    note = tell_seen_lines(list(zip(names, found, strict=True)), sum(len(each.rows) for each in tracks), job)
    turned = {"scores": "distance, with the sign turned"} if params.scores == "distance" else {}

    def scored(track: _Track, seen: Seen) -> TestSet:
        left, right = zip(*track.pairs, strict=True)
        first, second = vectors(left, "source"), vectors(right, "target")
        covered = first.covered & second.covered
        own = zip(track.rows, cosines(first.matrix, second.matrix).tolist(), covered, strict=True)
        items = [Item((one, other), covered=bool(both), numbers={"gold": score, "cosine": cosine if both else None})
                 for (one, other, score), cosine, both in own]  # fmt: skip
        control = partial(_by_characters, [row for row, both in zip(track.rows, covered, strict=True) if both])
        return TestSet(track.name, items, {**seen.facts, **turned}, track.left_out, {NAME: control})

    return evaluate(
        TASK, (scored(*each) for each in zip(tracks, found, strict=True)), params, job,
        convention=Convention(out_of_vocabulary="left out", ties="average rank"),
        controls={"shuffled scores": shuffled_spearman}, note=note,
    )  # fmt: skip


def _by_characters(rows: Sequence[tuple[str, str, float]], *, generator: Any) -> tuple[Score, ...]:
    """Return the correlations of what spelling alone says, on the pairs that the system covers."""
    found = character_cosines([row[0] for row in rows], [row[1] for row in rows]).round(10)
    values = MEASURE.values(np.stack([found, [row[2] for row in rows]]))
    return tuple(Score(name, None if np.isnan(own) else own, n=len(rows)) for name, own in values.items())


def _read(
    path: Path, gold: Path | None = None, second: Path | None = None, *, scores: str | None = None, empty: str = "drop"
) -> list[_Track]:
    """Read the tracks of a file: one, or one for each language of its column `lang`.

    Args:
        path: Sentence pairs.
        gold: Their scores, if they are in another file.
        second: The same pairs in another language, of which the second sentence is taken.
        scores: What a larger score means.
        empty: What becomes of pairs with an empty sentence.
    """
    rows = _rows(path, scores)
    if gold is not None:
        values = [line for _, line in read_lines(gold)]
        rows = rows[:250] if (len(rows), len(values)) == (500, 250) else rows  # track 6 of STS 2017
        _check_lengths(path, rows, gold, values)
        rows = [row._replace(score=value) for row, value in zip(rows, values, strict=True)]
    name, files = name_of_test(path), tuple(filter(None, (path, gold, second)))
    if second is not None:
        rows = _crossed(path, rows, second, _rows(second, scores), scored=gold is None)
        name = f"{name} x {name_of_test(second)}"
    languages = dict.fromkeys(trim(row.language) for row in rows)
    tracks = {each: _Track(f"{name} {each}" if len(languages) > 1 else name, files) for each in languages}
    for number, row in enumerate(rows):
        track, (one, other, score) = tracks[trim(row.language)], map(trim, row[:3])
        if not score:
            track.left_out["no sentence pair with a score"] += 1
        elif not (one and other) and empty == "drop":
            track.left_out["an empty sentence"] += 1
        elif score.replace(".", "", 1).isdecimal():
            track.rows.append((one, other, float(score) * (-1 if scores == "distance" else 1)))
        elif number:  # the first line may hold the names of the columns
            track.left_out["no score"] += 1
    found = [track for track in tracks.values() if track.rows]
    if not found:
        first = f" Line 1: {', '.join(rows[0])[:80]}" if rows else ""
        raise DataError(
            f"{path} holds no pairs of sentences with a score.{first}",
            hint="One pair per line: sentence, TAB, sentence, TAB, score; or CSV.",
        )
    return found


_NAMES = (
    ("sentence1", "sentence_a", "text1"),
    ("sentence2", "sentence_b", "text2"),
    ("score", "similarity_score", "similarity", "relatedness_score", "overall"),
    ("lang", "language"),
)


def _rows(path: Path, scores: str | None) -> list[_Row]:
    """Read a table or JSON Lines, by the names of its columns, or by their order if it does not name them."""
    lines = [line for _, line in read_lines(path)]
    first = next((line for line in lines if trim(line)), "")
    if first.startswith("{"):
        objects = [value if isinstance(value, dict) else {} for _, value in json_lines(path)]
        heads = list(dict.fromkeys(str(name) for each in objects for name in each))
        table = [heads, *([_cell(each.get(name)) for name in heads] for each in objects)]
    elif "\t" in first:
        table = [line.split("\t") for line in lines]
    else:
        table = [row for _, row in csv_rows(lines, path)]
    named = {trim(cell).lower(): place for place, cell in enumerate(table[0])} if table else {}
    places = [next((named[name] for name in names if name in named), None) for names in _NAMES]
    if None in places[:3]:
        return [_Row(*[*row, "", "", ""][:3]) for row in table]
    if "overall" in named and places[2] == named["overall"] and scores is None:
        raise ConfigError(
            f"{path} has its scores in a column Overall. In that of SemEval 2022, 1 is most similar.",
            hint="If it is so here: --scores distance. If they were turned already: --scores similarity.",
        )
    widened = ([*row, *[""] * (len(table[0]) - len(row))] for row in table[1:])
    return [_Row(*("" if place is None else row[place] for place in places)) for row in widened]


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _crossed(path: Path, rows: list[_Row], second: Path, others: list[_Row], *, scored: bool) -> list[_Row]:
    """Return the first sentences of a file with the second ones of another, which has the same scores."""
    _check_lengths(path, rows, second, others)
    for number, (row, other) in enumerate(zip(rows, others, strict=True), start=1):
        if scored and trim(row.score) != trim(other.score):
            raise DataError(
                f"{path} and {second} have different scores in row {number:,}: {row.score} and {other.score}.",
                hint="Give the same pairs in another language, in the same order.",
            )
    return [row._replace(second=other.second) for row, other in zip(rows, others, strict=True)]


def _check_lengths(path: Path, rows: Sequence[Any], other: Path, values: Sequence[Any]) -> None:
    if len(rows) != len(values):
        raise DataError(f"{path} has {len(rows):,} lines, {other} {len(values):,}.", hint="Give matching files.")


def check_eval_sts(inputs: Any, params: EvalStsParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    wrong = [
        f"Every --pairs needs its --{name}."
        for name in ("gold", "second")
        if len(inputs.get(name) or ()) not in (0, len(inputs["pairs"]))
    ]
    faults = [ConfigError(message, hint="Give as many of both, or none.") for message in wrong]
    return check_sentence_system(inputs) + faults


EVAL_STS = Stage(
    name="eval sts", version=3, params=EvalStsParams, run=eval_sts, check=check_eval_sts,
    inputs={
        "pairs": Input(
            "Sentence, TAB, sentence, TAB, score; CSV; or JSON Lines with sentence1, sentence2 and score. Each file is "
            "a track, or each language of a column lang.",
            many=True,
        ),
        "gold": Input("Scores in files of their own, line by line (STS 2017).", many=True, required=False),
        "second": Input(
            "The same pairs in another language, with the same scores: the first sentences of --pairs are compared "
            "with the second ones of this file.",
            many=True,
            required=False,
        ),
        **SENTENCE_SYSTEM,
    },
    makes="scores.json, and items.jsonl with the similarity of every pair.",
    examples=(
        "lexenc eval sts --pairs stsb-en-test.csv.gz --encoder mini",
        "lexenc eval sts --pairs stsb-en-test.csv.gz --second stsb-de-test.csv.gz --encoder mini",
        "lexenc eval sts --pairs stsb-en-test.csv.gz --second stsb-de-test.csv.gz --encoder runs/projected/en "
        "--target-encoder runs/projected/de",
    ),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
