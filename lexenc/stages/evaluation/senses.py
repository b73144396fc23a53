"""eval senses: senses that are induced from contextual vectors, against gold senses of the same occurrences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

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
from lexenc.word_senses.background import Background
from lexenc.word_senses.contexts import span_vectors
from lexenc.word_senses.induction import default_layer, induce_senses

_NO_VECTOR = "no vector"
_AROUND = 20  # words on each side of an occurrence that an item shows


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

    def scored(word: _Word) -> TestSet:
        spans = [(each.first, each.last) for each in word.instances]
        sentences = [each.words for each in word.instances]
        background = Background(vectors_of)
        vectors, has = span_vectors(background, sentences, spans, progress=job.progress)
        instances = [each for each, own in zip(word.instances, has, strict=True) if own]
        word.left_out.update({_NO_VECTOR: int((~has).sum())} if not has.all() else {})
        if not instances:
            raise DataError(f"{word.path}: no occurrence has a vector.", hint="Use another encoder.")
        if len(instances) > 1 and (vectors[has] == vectors[has][0]).all():
            raise DataError(
                f"{word.path}: all occurrences have the same vector.",
                hint="Use a transformer, or a later --layer: there the vector of a word depends on its context.",
            )
        names = sorted({each.sense for each in instances})
        gold = np.array([names.index(each.sense) for each in instances])
        count = len(names) if params.count == "gold" else None if params.count == "auto" else int(params.count)
        marked = {each for one in word.instances for each in one.words[one.first : one.last]}
        whitening = background.whitening(marked) if params.space == "background" else None
        senses = induce_senses(
            vectors[has], count=count, seed=derived_seed(job.seed, f"senses {word.name}"), whitening=whitening
        )
        right, asked = few_shot(vectors[has], gold, generator=generator(job.seed, f"examples {word.name}"))
        rows = zip(instances, gold.tolist(), senses.labels.tolist(), senses.confidence.tolist(), right.tolist(),
                   asked.tolist(), strict=True)  # fmt: skip
        items = [
            Item((each.name, _shown(each)), (each.sense,), numbers={"gold": sense, "cluster": cluster,
                 "confidence": round(confidence, 6), "right": good, "asked": times})
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

    found = [scored(word) for word in words]
    several = len(found) > 1
    sizes = [f"{each.name + ': ' if several else ''}{each.own['clusters']} of {counted(each.facts['senses'], 'sense')}"
             for each in found]  # fmt: skip
    how = {"gold": "as many as gold senses", "auto": "chosen from the vectors"}.get(params.count, "given")
    note = (
        f"Layer {layer}, space: {params.space}. "
        f"Number of induced senses: {how} ({'; '.join(sizes)}). Intervals resample occurrences; the "
        f"senses stay. {SHOTS}-shot: nearest centroid of {SHOTS} labelled examples of each sense (half of a sense with "
        f"less than {2 * SHOTS}), mean over {DRAWS} draws. Controls: {RANDOM} have the same sizes; {FREQUENT}: one "
        "cluster."
    )
    return evaluate(TASK, found, params, job, convention=Convention(), note=note)


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


def _shown(instance: SensevalInstance) -> str:
    """Return the sentence of an occurrence, which is marked."""
    words = [*instance.words]
    words[instance.first] = f"[{words[instance.first]}"
    words[instance.last - 1] += "]"
    start = max(0, instance.first - _AROUND)
    return " ".join(words[start : instance.last + _AROUND])


EVAL_SENSES = Stage(
    name="eval senses", version=1, params=EvalSensesParams, run=eval_senses,
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
