"""Named entities: precision, recall and F1 of whole entities, as conlleval counts them, averaged over runs.

An entity is right if its first word, its last word and its type are. The scores are micro averages: all entities of all
sentences count alike. As in conlleval, a ratio without a denominator is 0.

Source: Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 Shared Task", and its program conlleval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from lexenc.arrays import Doubles
from lexenc.evaluation.bootstrap import Columns, Drawn
from lexenc.evaluation.runs import RunMeasure
from lexenc.evaluation.task import Metric, Task
from lexenc.files.entities import NamedSentence
from lexenc.files.evaluations import Item
from lexenc.text.entities import OUTSIDE, Entity, entities_of

LEXICON, RANDOM = "most frequent tags", "random vectors"
METRICS = (
    Metric("f1", "F1"),
    Metric("precision", "precision"),
    Metric("recall", "recall"),
    Metric("strict_f1", "strict F1"),
)
COUNTS = ("predicted", "right", "strict_predicted", "strict_right")
_BLOCK = 1 << 22  # counts held at a time


class EntityScores(NamedTuple):
    """Scores of counted entities. Shapes are those of the counts.

    Args:
        precision: Share of right entities of those found.
        recall: Share of right entities of the gold ones.
        f1: Harmonic mean of both.
    """

    precision: Doubles
    recall: Doubles
    f1: Doubles


def entity_scores(gold: Any, predicted: Any, right: Any) -> EntityScores:
    """Return the scores of numbers of entities: gold ones, those found, and those that are both."""
    both = np.asarray(gold) + np.asarray(predicted)
    return EntityScores(_ratio(right, predicted), _ratio(right, gold), _ratio(2 * np.asarray(right), both))


def _ratio(part: Any, whole: Any) -> Doubles:
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    found: Doubles = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    return found


def tag_scores(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]], *, strict: bool = False) -> EntityScores:
    """Score the tags of some sentences.

    Args:
        gold: Right tags of every sentence.
        found: Its predicted tags, as many.
        strict: Count only predicted entities that are written in IOB2; see `lexenc.text.entities.entities_of`.
    """
    pairs = [(set(entities_of(one)), set(entities_of(other, strict=strict)))
             for one, other in zip(gold, found, strict=True)]  # fmt: skip
    counts = np.array([(len(one), len(other), len(one & other)) for one, other in pairs]).reshape(-1, 3).sum(axis=0)
    return entity_scores(*counts)


def scores_by_type(gold: Sequence[Sequence[str]], runs: Sequence[Sequence[Sequence[str]]]) -> dict[str, dict[str, Any]]:
    """Return, for every type, the number of gold entities, and precision, recall and F1 as means over runs.

    Args:
        gold: Right tags of every sentence.
        runs: Predicted tags of every sentence, by each run.
    """
    right = [entities_of(tags) for tags in gold]
    golds = Counter(each.kind for own in right for each in own)
    tables = []
    for run in runs:
        found = [entities_of(tags) for tags in run]
        predicted = Counter(each.kind for own in found for each in own)
        hits = Counter(each.kind for one, other in zip(right, found, strict=True) for each in {*one} & {*other})
        tables.append((predicted, hits))
    kinds = sorted(golds | {kind: 1 for predicted, _ in tables for kind in predicted})
    scores = {kind: [entity_scores(golds[kind], one[kind], hits[kind]) for one, hits in tables] for kind in kinds}
    return {kind: {"entities": golds[kind]} | {name: float(np.mean([getattr(each, name) for each in own]))
                                              for name in EntityScores._fields}
            for kind, own in scores.items()}  # fmt: skip


def most_frequent_tags(
    train: Sequence[NamedSentence], tests: Sequence[Sequence[Sequence[str]]]
) -> list[list[list[str]]]:
    """Tag every word with its most frequent tag in the training data, and others as outside: a control.

    Args:
        train: Training sentences.
        tests: Words of the sentences of each test set.

    Returns:
        Tags of the sentences of each test set. Of equally frequent tags of a word it is the first in the alphabet.
    """
    counts: dict[str, Counter[str]] = {}
    for words, tags in train:
        for word, tag in zip(words, tags, strict=True):
            counts.setdefault(word, Counter())[tag] += 1
    best = {word: min(own, key=lambda tag: (-own[tag], tag)) for word, own in counts.items()}
    return [[[best.get(word, OUTSIDE) for word in words] for words in test] for test in tests]


class EntityMeasure(RunMeasure):
    """Precision, recall and F1 of entities. Columns: gold entities of a sentence, and `COUNTS` of every run.

    Each metric is the mean of that of the runs. Source of the intervals: Efron and Tibshirani 1993, chapter 13.
    Sentences are drawn, not runs.
    """

    rows = len(COUNTS)

    def values(self, columns: Columns) -> dict[str, float]:
        """Return the metrics; nan without a gold entity."""
        return {name: float(own[0]) for name, own in self._scores_of(columns.sum(axis=1)[None]).items()}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the metrics on resampled sentences.

        Sentences with the same numbers in all columns are alike, so that only how often they are drawn is random.
        """
        cells, counts = np.unique(np.concatenate(list(systems)), axis=1, return_counts=True)
        ends, size = np.cumsum([0, *map(len, systems)]).tolist(), int(counts.sum())
        parts = [np.zeros((0, len(cells)))]
        step = max(1, _BLOCK // max(1, len(counts)))
        for start in range(0, draws if size else 0, step):
            times = generator.multinomial(size, counts / size, min(step, draws - start))
            parts.append(times.astype(np.float64) @ cells.T)
        table = np.concatenate(parts) if size else np.zeros((draws, len(cells)))
        return [self._scores_of(table[:, begin:end]) for begin, end in pairwise(ends)]

    def _scores_of(self, sums: Doubles) -> Drawn:
        """Score numbers of entities. Shape [b, 1 + runs * 4] -> [b] each."""
        gold, runs = sums[:, 0], sums[:, 1:].reshape(len(sums), -1, self.rows)
        predicted, right, strict_predicted, strict_right = np.moveaxis(runs, 2, 0)
        own = entity_scores(gold[:, None], predicted, right)
        strict = entity_scores(gold[:, None], strict_predicted, strict_right)
        values = {"f1": own.f1, "precision": own.precision, "recall": own.recall, "strict_f1": strict.f1}
        return {name: np.where(gold > 0, each.mean(axis=1), np.nan) for name, each in values.items()}


MEASURE = EntityMeasure([metric.key for metric in METRICS])


def sentence_item(words: Sequence[str], gold: Sequence[str], runs: Sequence[Sequence[str]]) -> Item:
    """Return the item of a sentence: its entities, and those that each run found.

    Args:
        words: Its words.
        gold: Their tags.
        runs: The tags that each run found.
    """
    right, numbers = set(entities_of(gold)), dict[str, list[int]]()
    for tags in runs:
        own, strict = set(entities_of(tags)), set(entities_of(tags, strict=True))
        for name, count in zip(COUNTS, (len(own), len(own & right), len(strict), len(strict & right)), strict=True):
            numbers.setdefault(name, []).append(count)
    answers = tuple({"target": "; ".join(_shown(entities_of(tags), words)) or OUTSIDE} for tags in runs)
    return Item((" ".join(words),), tuple(_shown(sorted(right), words)), True, answers,
                {"entities": len(right), **numbers})  # fmt: skip


def _shown(entities: Sequence[Entity], words: Sequence[str]) -> list[str]:
    """Write entities as their type, place and words; the place tells repeated names of a sentence apart."""
    return [f"{kind} {start + 1}-{end} {' '.join(words[start:end])}" for start, end, kind in entities]


def sentence_columns(items: Sequence[Item], every: bool) -> Columns:
    """Return the columns of `EntityMeasure`."""
    rows = [[each.numbers["entities"], *np.array([each.numbers[name] for name in COUNTS]).T.ravel().tolist()]
            for each in items]  # fmt: skip
    return np.array(rows, dtype=np.float64).T if rows else np.zeros((1 + len(COUNTS), 0))


TASK = Task(
    name="ner",
    title="Named entities",
    metrics=METRICS,
    measure=MEASURE,
    columns=sentence_columns,
    item="sentence",
    test="test",
    compared=MEASURE.metrics,
    question=("entities",),
    alike=(("types",),),
    facts=MEASURE.spread,
    heads=("sentence", "entities", "answers"),
)
