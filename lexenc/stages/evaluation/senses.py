"""eval senses: senses that are induced from contextual vectors, against gold senses of the same occurrences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lexenc.arrays import Floats
from lexenc.encoders.base import WordEncoder
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.senses import (
    DRAWS,
    FREQUENT,
    RANDOM,
    SHOTS,
    TASK,
    few_shot,
    frequent_scores,
    random_scores,
    sense_columns,
)
from lexenc.files.evaluations import Convention, Item, Score, name_of_test
from lexenc.files.senseval import SensevalInstance, read_senseval
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.randomness import derived_seed, generator
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import IntervalParams, TestSet, evaluate
from lexenc.stages.reading import open_encoder
from lexenc.text.words import in_context
from lexenc.word_senses.background import Background
from lexenc.word_senses.contexts import span_vectors
from lexenc.word_senses.induction import default_layer, induce_senses

_NO_VECTOR = "no vector"
_AROUND = 20  # words on each side of an occurrence that are shown


def _check_count(value: str, name: str) -> None:
    if value not in ("gold", "auto") and not (value.isdecimal() and 1 <= int(value) <= 1000):
        raise ConfigError(f"{name} must be gold, auto or a number from 1 to 1000, not '{value}'.", hint="--count gold")


@dataclass(frozen=True)
class EvalSensesParams(IntervalParams):
    """Parameters of `eval senses`."""

    count: str = param(
        "gold",
        "Number of senses of each word. gold: as many as the gold senses, which no user knows. auto: chosen from the "
        "vectors. Or a number.",
        check=_check_count,
    )
    space: Literal["background", "plain"] = param(
        "background",
        "Where senses are sought. background: in the three directions in which the word differs most between contexts, "
        "compared with other words of the same sentences. plain: in the vectors as they are, which are only centred.",
    )
    layer: int | None = param(
        None, "Layer of the encoder that vectors are taken from; negative from the end. If left out, the last but one."
    )
    most: int = param(
        400, "Largest number of occurrences of a word. Of more, this many are drawn at random.", ge=20, le=20_000
    )


class _Word(NamedTuple):
    """A word of a file.

    Attributes:
        name: Name of its test set.
        path: The file.
        instances: Its occurrences, or a sample of them.
        total: Number of occurrences in the file.
        left_out: Numbers of instances that were left out, by reason.
    """

    name: str
    path: Path
    instances: list[SensevalInstance]
    total: int
    left_out: Counter[str]


def eval_senses(inputs: dict[str, Any], params: EvalSensesParams, job: Job) -> Outcome:
    """Induce the senses of every word of every file, and compare them with the gold senses."""
    words = [word for path in inputs["gold"] for word in _read(path, params, job.seed)]
    from lexenc.encoders.word_vectors import word_encoder

    encoder = open_encoder(inputs["encoder"], "auto", job)
    layer = default_layer(encoder) if params.layer is None else params.layer
    vectors_of = word_encoder(encoder, layer=layer, unit="words")
    found = [_scored(word, vectors_of, layer, params, job) for word in words]
    return evaluate(TASK, found, params, job, convention=Convention(), note=_note(found, layer, params))


def _scored(word: _Word, vectors_of: WordEncoder, layer: int, params: EvalSensesParams, job: Job) -> TestSet:
    """Induce the senses of a word, and compare them with its gold senses."""
    background = Background(vectors_of)
    vectors = _vectors(word, background, job)
    names = sorted({each.sense for each in word.instances})
    gold = np.array([names.index(each.sense) for each in word.instances])
    count = len(names) if params.count == "gold" else None if params.count == "auto" else int(params.count)
    marked = {each for one in word.instances for each in one.words[one.first : one.last]}
    whitening = background.whitening(marked) if params.space == "background" else None
    seed = derived_seed(job.seed, f"senses {word.name}")
    senses = induce_senses(vectors, count=count, seed=seed, whitening=whitening)
    right, asked = few_shot(vectors, gold, generator=generator(job.seed, f"examples {word.name}"))
    rows = zip(word.instances, gold.tolist(), senses.labels.tolist(), senses.confidence.tolist(), right.tolist(),
               asked.tolist(), strict=True)  # fmt: skip
    items = [
        Item((each.name, in_context(each.words, each.first, each.last, around=_AROUND)), (each.sense,),
             numbers={"gold": sense, "cluster": cluster, "confidence": round(confidence, 6), "right": good,
                      "asked": times})
        for each, sense, cluster, confidence, good, times in rows
    ]  # fmt: skip
    columns = sense_columns(items, True)
    controls: dict[str, Callable[..., tuple[Score, ...]]] = {
        RANDOM: partial(random_scores, columns, level=params.level),
        FREQUENT: lambda generator: frequent_scores(columns),
    }
    facts = {"senses": len(names), "occurrences_of_file": word.total, "layer": layer}
    own = {
        "clusters": senses.count,
        "count": params.count,
        "space": params.space,
        "shares": senses.shares.round(6).tolist(),
    }
    return TestSet(word.name, items, facts, word.left_out, controls, own)


def _vectors(word: _Word, background: Background, job: Job) -> Floats:
    """Return the vectors of the occurrences of a word. Those without one are left out of the word.

    Raises:
        DataError: If there is no vector, or if all are the same.
    """
    spans = [(each.first, each.last) for each in word.instances]
    vectors, has = span_vectors(background, [each.words for each in word.instances], spans, progress=job.progress)
    word.left_out.update({_NO_VECTOR: int((~has).sum())} if not has.all() else {})
    word.instances[:] = [each for each, own in zip(word.instances, has, strict=True) if own]
    if not word.instances:
        raise DataError(f"{word.path}: no occurrence has a vector.", hint="Use another encoder.")
    if len(word.instances) > 1 and (vectors[has] == vectors[has][0]).all():
        raise DataError(
            f"{word.path}: all occurrences have the same vector.",
            hint="Use a transformer, or a later --layer: there the vector of a word depends on its context.",
        )
    return vectors[has]


def _note(found: Sequence[TestSet], layer: int, params: EvalSensesParams) -> str:
    """Return what the table says of the senses."""
    several = len(found) > 1
    sizes = [f"{each.name + ': ' if several else ''}{each.own['clusters']} of {counted(each.facts['senses'], 'sense')}"
             for each in found]  # fmt: skip
    how = {"gold": "as many as gold senses", "auto": "chosen from the vectors"}.get(params.count, "given")
    return (
        f"Layer {layer}, space: {params.space}. "
        f"Number of induced senses: {how} ({'; '.join(sizes)}). Intervals resample occurrences; the "
        f"senses stay. {SHOTS}-shot: nearest centroid of {SHOTS} labelled examples of each sense (half of a sense with "
        f"less than {2 * SHOTS}), mean over {DRAWS} draws. Controls: {RANDOM} have the same sizes; {FREQUENT}: one "
        "cluster."
    )


def _read(path: Path, params: EvalSensesParams, seed: int) -> Iterator[_Word]:
    """Yield the words of a file, with a sample of the occurrences of each."""
    found, left_out = read_senseval(path)
    for word, instances in found.items():
        name = name_of_test(path) if len(found) == 1 else f"{name_of_test(path)} {word}"
        total = len(instances)
        if total > params.most:
            chosen = generator(seed, f"sample {word}").choice(total, params.most, replace=False)
            instances = [instances[row] for row in sorted(chosen.tolist())]
        # What the file has, and is left out of all of its words, is reported once.
        yield _Word(name, path, instances, total, left_out)
        left_out = Counter()


EVAL_SENSES = Stage(
    name="eval senses", version=3, params=EvalSensesParams, run=eval_senses,
    inputs={
        "gold": Input("Occurrences with gold senses: a lexical sample of Senseval, in XML, or a .pos file of NLTK. "
                      "Each word is a test set.", many=True),
        "encoder": Input("Encoder.", kind="encoder"),
    },
    makes="scores.json, and items.jsonl with the induced sense of every occurrence.",
    examples=(
        "lexenc eval senses --gold line.pos --encoder ENC",
        "lexenc eval senses --gold line.pos --gold serve.pos --encoder ENC --count auto",
    ),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
