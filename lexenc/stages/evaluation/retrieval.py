"""eval retrieval: how often the nearest sentence of the other language is the translation, line by line.

An answer is right if it is the sentence of the same line. `train --dev` counts otherwise: there a text that occurs
several times is one query and one candidate, and each of its translations is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.arrays import Indices
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.bootstrap import LEVEL, Means, ends
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Convention, Item, Score, name_of_test
from lexenc.files.parallel import parallel_text
from lexenc.files.tatoeba import CODES, tatoeba_files
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.search import RETRIEVAL
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import (
    SENTENCE_SYSTEM,
    SentenceParams,
    SentenceVectors,
    TestSet,
    check_sentence_system,
    evaluate,
    sentence_vectors,
)
from lexenc.stages.lineage import seen_lines, tell_seen_lines
from lexenc.text.folding import trim

METRICS = (
    Metric("mean", "accuracy"),
    Metric("source_to_target", "to target"),
    Metric("target_to_source", "to source"),
)
_DIRECTIONS = tuple(metric.key for metric in METRICS[1:])
_SHUFFLES, _LEAST_SHUFFLES, _DRAWN = 1000, 20, 100_000_000  # lines drawn for the control


def _columns(items: Sequence[Item], every: bool) -> np.ndarray:
    hits = np.array([[item.numbers[name] for name in _DIRECTIONS] for item in items], dtype=np.float64).reshape(-1, 2)
    return np.stack([hits.mean(axis=1), hits[:, 0], hits[:, 1]])


TASK = Task(
    "retrieval", "Sentence retrieval", METRICS, Means([metric.key for metric in METRICS]), _columns,
    item="pair", test="source", compared=tuple(metric.key for metric in METRICS),
    heads=("pair", "nearest target", "nearest source"),
    cells=lambda item: (" | ".join(item.asked), *(str(each["target"]) for each in item.answers)),
)  # fmt: skip


@dataclass(frozen=True)
class EvalRetrievalParams(SentenceParams):
    """Parameters of `eval retrieval`."""

    list_: Literal["14", "36", "8", "5", "4", "msimcse", "all"] | None = param(
        None,
        "Languages of --tatoeba. 14: those of XNLI; 36: those of XTREME; 8, 5, 4: low-resource languages of WACSE; "
        "msimcse: ten languages of mSimCSE; all: every language of the folder. By default all.",
    )
    retrieval: str = param(
        "nearest",
        "Retrieval method. nearest: highest cosine; csls and inverted-softmax: less often a sentence that is close to "
        "all others.",
        choices=RETRIEVAL,
    )
    characters_up_to: int = param(
        2000,
        "Largest number of pairs of a test set for which character n-grams alone are scored as well, as a control. "
        "Time grows with the square. Use 0 for none.",
        ge=0,
    )


@dataclass
class _Track:
    """One test set: line-aligned sentences of both sides, with the lines in which they are."""

    name: str
    files: tuple[Path, Path]
    languages: tuple[str | None, str | None] = (None, None)
    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def ceilings(self) -> dict[str, float]:
        """The highest possible accuracy of each direction: of lines with equal sentences, one can be right."""
        return {name: len(set(side)) / len(side)
                for name, side in zip(_DIRECTIONS, (self.sources, self.targets), strict=True)}  # fmt: skip


def eval_retrieval(inputs: dict[str, Any], params: EvalRetrievalParams, job: Job) -> Outcome:
    """Score an encoder, or static vectors, with which a sentence is the mean of its words."""
    tracks = list(_tracks(inputs, params, job))
    whole = [inputs["tatoeba"]] if inputs.get("tatoeba") else None
    vectors = sentence_vectors(inputs, params, job)
    pairs = [list(zip(each.sources, each.targets, strict=True)) for each in tracks]
    found = seen_lines(
        [inputs.get(name) for name in SENTENCE_SYSTEM],
        [(whole or each.files, own) for each, own in zip(tracks, pairs, strict=True)],
    )
    total = sum(map(len, pairs))
    del pairs
    note = tell_seen_lines(list(zip((each.name for each in tracks), found, strict=True)), total, job)
    low = [each for each in tracks if min(each.ceilings.values()) < 1]
    for each in low[:3]:
        there, back = (100 * value for value in each.ceilings.values())
        note += f" {each.name} repeats lines: at most {there:.1f} to target and {back:.1f} to source are possible."
    note += f" {counted(len(low) - 3, 'other test set')} too." if len(low) > 3 else ""
    return evaluate(
        TASK,
        (_scored(each, own.facts, vectors, params, job) for each, own in zip(tracks, found, strict=True)),
        params,
        job,
        convention=Convention(
            retrieval=params.retrieval, direction="both", search_space="all lines of the other side",
            out_of_vocabulary="counted wrong", ties="lower line",
        ),
        note=note,
    )  # fmt: skip


def _tracks(inputs: Mapping[str, Any], params: EvalRetrievalParams, job: Job) -> Iterator[_Track]:
    if inputs.get("tatoeba"):
        name = params.list_ or "all"
        files = tatoeba_files(inputs["tatoeba"], name)
        if files.missing:
            job.notices.warn(
                f"{len(files.missing)} of the {counted(len(files.found) + len(files.missing), 'language')} of the list "
                f"{name} are not in {inputs['tatoeba']}: {', '.join(files.missing)}.",
                "The mean is that of the others.",
            )
        for code, both in files.found.items():
            yield _read(_Track(code, both, (CODES.get(code), "en")), job)
        return
    for source, target in zip(inputs["source"], inputs["target"], strict=True):
        yield _read(_Track(_name(source, target), (source, target)), job)


def _name(source: Path, target: Path) -> str:
    """Return the name of a pair of files, e.g. `test.en-de` for test.en and test.de."""
    one, other = name_of_test(source), name_of_test(target)
    stem = f"{one.rpartition('.')[0]}."
    return f"{one}-{other.removeprefix(stem) if len(stem) > 1 else other}"


def _read(track: _Track, job: Job) -> _Track:
    """Read the sentences of both sides. Pairs with an empty side are left out."""
    tabs, first = 0, 0
    for number, *pair in parallel_text(*track.files):
        one, other = map(trim, pair)
        if not (one and other):
            track.left_out["an empty sentence"] += 1
            continue
        if "\t" in one or "\t" in other:
            tabs, first = tabs + 1, first or number
        track.sources.append(one)
        track.targets.append(other)
        track.lines.append(number)
    names = " and ".join(map(str, track.files))
    if not track.lines:
        raise DataError(f"There is no sentence pair in {names}.", hint="One sentence per line in both files.")
    if tabs:
        job.notices.warn(
            f"{counted(tabs, 'line')} of {names} {'has' if tabs == 1 else 'have'} a TAB, which is read as part of the "
            f"sentence (the first is line {first:,}).",
            "If these are columns, keep one of them: cut -f1 FILE" if 2 * tabs > len(track.lines) else None,
        )
    return track


def _scored(
    track: _Track, facts: Mapping[str, Any], vectors: SentenceVectors, params: EvalRetrievalParams, job: Job
) -> TestSet:
    from lexenc.lexical.mapping import normalise

    used = [name if name in vectors.languages else None for name in track.languages]
    sides = []
    for texts, side, language in zip((track.sources, track.targets), ("source", "target"), used, strict=True):
        made = vectors(texts, side, language)
        normalise(made.matrix, ["unit"], out=made.matrix)
        sides.append(made)
    places, scores = _nearest(sides[0].matrix, sides[1].matrix, params, job)
    covered = [made.covered for made in sides]
    for found, own in zip(places, covered, strict=True):
        found[~own] = -1  # what is nearest to a vector of zeros means nothing
    more: dict[str, Any] = {"coverage": float((covered[0] & covered[1]).mean())}
    if min(track.ceilings.values()) < 1:
        more["ceilings"] = list(track.ceilings.values())
    if any(used):
        more["language_vectors"] = used
    count = len(track.lines)
    controls: dict[str, Callable[..., tuple[Score, ...]]] = {"shuffled targets": partial(_shuffled, *places)}
    if count <= params.characters_up_to:
        from lexenc.evaluation.characters import NAME, character_neighbours

        controls[NAME] = lambda generator: _accuracies(*character_neighbours(track.sources, track.targets))
    elif params.characters_up_to:
        job.notices.say(f"{track.name}: no control by characters for more than {params.characters_up_to:,} pairs.")
    return TestSet(track.name, _Answers(track, places, scores), {**more, **facts}, track.left_out, controls)


def _nearest(
    source: np.ndarray, target: np.ndarray, params: EvalRetrievalParams, job: Job
) -> tuple[tuple[Indices, Indices], tuple[np.ndarray, np.ndarray]]:
    """Return the nearest target of every source and the nearest source of every target, and their scores."""
    if params.retrieval == "nearest":
        from lexenc.search.both_sides import best_of_both

        forward, backward = best_of_both(source, target, k=1, device=job.device.name, progress=job.progress)
    else:
        from lexenc.search.retrieval import fit_correction, retrieve

        work: dict[str, Any] = {"device": job.device.name, "progress": job.progress}
        forward, backward = (
            retrieve(own, other, k=1, correction=fit_correction(other, own, criterion=params.retrieval, **work), **work)
            for own, other in ((source, target), (target, source))
        )
    return (forward.indices[:, 0], backward.indices[:, 0]), (forward.scores[:, 0], backward.scores[:, 0])


@dataclass(frozen=True)
class _Answers:
    """The items of a test set, made one after the other: millions of them would fill the memory."""

    track: _Track
    places: tuple[Indices, Indices]
    scores: tuple[np.ndarray, np.ndarray]

    def __len__(self) -> int:
        return len(self.track.lines)

    def __iter__(self) -> Iterator[Item]:
        track, others = self.track, (self.track.targets, self.track.sources)
        for row, pair in enumerate(zip(track.sources, track.targets, strict=True)):
            found = [int(places[row]) for places in self.places]
            answers = tuple(
                {"target": texts[place], "line": track.lines[place], "score": round(float(scores[row]), 6)}
                if place >= 0 else {"target": ""}
                for place, texts, scores in zip(found, others, self.scores, strict=True)
            )  # fmt: skip
            hits = {name: int(place == row) for name, place in zip(_DIRECTIONS, found, strict=True)}
            yield Item(pair, answers=answers, numbers=hits)


def _accuracies(forward: Indices, backward: Indices) -> tuple[Score, ...]:
    rows = np.arange(len(forward))
    there, back = float((forward == rows).mean()), float((backward == rows).mean())
    values = (("mean", (there + back) / 2), *zip(_DIRECTIONS, (there, back), strict=True))
    return tuple(Score(name, value, n=len(rows)) for name, value in values)


def _shuffled(forward: Indices, backward: Indices, *, generator: np.random.Generator) -> tuple[Score, ...]:
    """Return the accuracy if the right target of every line is drawn at random: the mean over many orders."""
    rows, drawn = np.arange(len(forward)), []
    for _ in range(max(_LEAST_SHUFFLES, min(_SHUFFLES, _DRAWN // len(rows)))):
        order = generator.permutation(len(rows))
        drawn.append(((forward == order).mean(), (backward[order] == rows).mean()))
    there, back = np.array(drawn).T
    values = zip(("mean", *_DIRECTIONS), ((there + back) / 2, there, back), strict=True)
    return tuple(Score(name, float(own.mean()), *ends(own, LEVEL), len(rows)) for name, own in values)


def check_eval_retrieval(inputs: Mapping[str, Any], params: EvalRetrievalParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    sources, targets, folder = (inputs.get(name) or () for name in ("source", "target", "tatoeba"))
    table = [
        (
            bool(folder) == bool(sources or targets),
            "Give either --source and --target, or --tatoeba.",
            "Two files with one sentence per line: --source test.en --target test.de",
        ),
        (
            len(sources) != len(targets),
            f"--source is given {len(sources)} times, --target {len(targets)} times.",
            "Every --source needs its --target, in the same order.",
        ),
        (bool(params.list_) and not folder, "--list means nothing without --tatoeba.", "Add it, or leave --list out."),
        (
            bool(folder) and (params.source_language or params.target_language) is not None,
            "With --tatoeba the languages are those of the files.",
            "Leave --source-language and --target-language out.",
        ),
    ]
    faults = [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]
    return faults + check_sentence_system(inputs)


EVAL_RETRIEVAL = Stage(
    name="eval retrieval", version=1, params=EvalRetrievalParams, run=eval_retrieval, check=check_eval_retrieval,
    inputs={
        "source": Input("Sentences, one per line. Each file is a test set.", many=True, required=False),
        "target": Input("Their translations, line by line.", many=True, required=False),
        "tatoeba": Input(
            "Folder with the files tatoeba.xxx-eng.xxx and tatoeba.xxx-eng.eng of LASER. The source is language xxx.",
            required=False,
        ),
        **SENTENCE_SYSTEM,
    },
    makes="scores.json, and items.jsonl with the nearest sentences of every line.",
    examples=(
        "lexenc eval retrieval --source test.en --target test.de --encoder mini",
        "lexenc eval retrieval --tatoeba tatoeba --list 36 --encoder runs/encoder",
    ),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
