"""Word sense disambiguation by the nearest sense vector, beside the first sense, scored as the official program does.

The vector of a sense is the mean of the vectors of its occurrences in training data. A word gets the sense whose vector
has the highest cosine: of all senses, or of those of its lemma and part of speech.

Source: Peters et al. 2018 (ELMo), section 5.3, after Melamud et al. 2016; Raganato, Camacho-Collados and Navigli 2017.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices, ranges, starts_of
from lexenc.correlation import unit_rows
from lexenc.evaluation.alignment import drawn_counts
from lexenc.evaluation.bootstrap import Columns, Drawn, Means, Measure
from lexenc.evaluation.task import Breakdown, Metric, Task
from lexenc.files.evaluations import Item, Score
from lexenc.files.sense_keys import SenseTag, TaggedSentence
from lexenc.progress import SILENT, Progress
from lexenc.search.neighbours import top_k

if TYPE_CHECKING:
    from lexenc.encoders.base import WordVectors

FIRST_SENSE, SHUFFLED = "first sense", "shuffled vectors"
_SHUFFLES = 20
# Cosines closer than this are equal: those of senses with one vector differ by rounding alone.
_TIED = 1e-7
_MOST_TIED = 32  # senses that are looked at for the first of equal ones
_FIRST_ROOM = 1024  # senses that a table has room for at first


# ---------------------------------------------------------------- scoring


class KeyScores(NamedTuple):
    """Scores of answers against gold keys.

    Args:
        precision: Share of right answers of the instances with an answer.
        recall: Share of right answers of all instances of the gold keys.
        f1: Harmonic mean of both.
    """

    precision: float
    recall: float
    f1: float


def credit(answers: Collection[str], gold: Collection[str]) -> float:
    """Return the share of the answers to one instance that are among its gold keys; 0 without an answer."""
    return sum(each in gold for each in answers) / len(answers) if answers else 0.0


def key_scores(answers: Mapping[str, Collection[str]], gold: Mapping[str, Collection[str]]) -> KeyScores:
    """Score answers to instances as the official program does: several answers to an instance share its credit.

    Args:
        answers: Keys of instances. Those of instances without gold keys are ignored, as are instances without a key.
        gold: Gold keys of all instances; one of them is enough.

    Source: Scorer.java of Raganato et al. 2017.
    """
    credits = [credit(own, gold[name]) for name, own in answers.items() if name in gold and own]
    right = sum(credits)
    precision, recall = (right / n if n else 0.0 for n in (len(credits), len(gold)))
    return KeyScores(precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0)


# ---------------------------------------------------------------- training


def tag_vectors(found: WordVectors, sentences: Sequence[TaggedSentence]) -> tuple[Floats, np.ndarray]:
    """Return the vectors of tagged words, each the mean over its words that have a vector.

    Args:
        found: Vectors of the words of some sentences, a row for every word.
        sentences: These sentences. They have t tags.

    Returns:
        Vectors, shape [t, d], and which of them have any word with a vector, shape [t]. Others are 0.
    """
    counts = [len(each.tags) for each in sentences]
    spans = np.array([tag[:2] for each in sentences for tag in each.tags], dtype=np.int64).reshape(-1, 2)
    # Rows are in the order of the text, so that one number for sentence and word is too.
    widest = max((len(each.words) for each in sentences), default=0) + 1
    rows = np.repeat(np.arange(len(sentences)), np.diff(found.starts)) * widest + found.words
    places = np.searchsorted(rows, spans + np.repeat(np.arange(len(sentences)), counts)[:, None] * widest)
    lengths = places[:, 1] - places[:, 0]
    covered = lengths > 0
    values = np.zeros((len(spans), found.values.shape[1]), dtype=np.float32)
    if covered.any():
        chosen = found.values[ranges(places[covered, 0], lengths[covered])]
        sums = np.add.reduceat(chosen, starts_of(lengths[covered])[:-1], axis=0)
        values[covered] = sums / lengths[covered, None].astype(np.float32)
    return values, covered


@dataclass
class TaggedSenses:
    """The senses of training data: how often each occurs, and the sum of its vectors.

    Attributes:
        keys: The senses, in the order of their first occurrence.
        senses: Numbers of the senses of every lemma and part of speech.
        without_vector: Number of tags of which no word has a vector.
        tags: Number of tags with a sense.
    """

    keys: list[str] = field(default_factory=list)
    senses: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    without_vector: int = 0
    tags: int = 0
    _index: dict[str, int] = field(default_factory=dict)
    _counts: list[int] = field(default_factory=list)  # of the occurrences
    _numbers: list[int] = field(default_factory=list)  # of WordNet
    _sums: Doubles = field(default_factory=lambda: np.zeros((0, 0)))

    def count(self, tag: SenseTag) -> list[int]:
        """Count an occurrence of every key of a tag, and return their numbers."""
        rows = []
        for place, key in enumerate(tag.keys):
            row = self._index.setdefault(key, len(self.keys))
            if row == len(self.keys):
                self.keys.append(key)
                self._counts.append(0)
                self._numbers.append(tag.numbers[place] if tag.numbers else 1 << 30)
            own = self.senses.setdefault((tag.lemma, tag.part), [])
            if row not in own:
                own.append(row)
            self._counts[row] += 1
            rows.append(row)
        self.tags += bool(rows)
        return rows

    def add(self, tags: Sequence[SenseTag], vectors: Floats, covered: np.ndarray) -> None:
        """Add occurrences; one with several keys is added to each.

        Args:
            tags: The occurrences.
            vectors: Their vectors. Shape [t, d].
            covered: Which of them have one. Shape [t].
        """
        pairs = [(row, place) for place, tag in enumerate(tags) for row in self.count(tag)]
        rows, places = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        self.without_vector += sum(bool(tag.keys) and not has for tag, has in zip(tags, covered.tolist(), strict=True))
        kept = covered[places]
        rows, places = rows[kept], places[kept]
        if len(self.keys) > len(self._sums):
            room = max(_FIRST_ROOM, 2 * len(self._sums), len(self.keys))
            grown = np.zeros((room, vectors.shape[1]))
            grown[: len(self._sums)] = self._sums.reshape(-1, vectors.shape[1])
            self._sums = grown
        if len(rows):
            order = np.argsort(rows, kind="stable")
            distinct, starts = np.unique(rows[order], return_index=True)
            self._sums[distinct] += np.add.reduceat(vectors[places[order]].astype(np.float64), starts, axis=0)

    def first_senses(self, back_off: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
        """Return the sense of every lemma and part of speech that is most frequent in the training data.

        Of equally frequent ones it is the one with the lowest number in WordNet, then the one that occurs first.

        Args:
            back_off: Senses of lemmas that the training data lacks.
        """

        def order(row: int) -> tuple[int, int, int]:
            return -self._counts[row], self._numbers[row], row

        return {**back_off, **{own: self.keys[min(rows, key=order)] for own, rows in self.senses.items()}}

    def vectors(self) -> SenseVectors:
        """Return the sense vectors. Senses without one are left out."""
        sums = self._sums[: len(self.keys)]
        known = np.flatnonzero(np.abs(sums).max(axis=1, initial=0.0) > 0)
        places = {row: place for place, row in enumerate(known.tolist())}
        return SenseVectors(
            tuple(self.keys[row] for row in known),
            unit_rows(sums[known]).astype(np.float32),
            {own: np.array([places[row] for row in rows if row in places], dtype=np.int64)
             for own, rows in self.senses.items()},
        )  # fmt: skip


# ---------------------------------------------------------------- answers


@dataclass(frozen=True)
class SenseVectors:
    """Senses with vectors of length 1.

    Args:
        keys: The senses.
        matrix: Their vectors. Shape [k, d].
        senses: Places of the senses of every lemma and part of speech.
    """

    keys: tuple[str, ...]
    matrix: Floats
    senses: Mapping[tuple[str, str], Indices]

    def nearest(
        self, tags: Sequence[SenseTag], vectors: Floats, covered: np.ndarray, *, device: str = "cpu",
        progress: Progress = SILENT,
    ) -> Nearest:  # fmt: skip
        """Find the sense with the highest cosine for every word; of equal ones the first.

        Args:
            tags: The words.
            vectors: Their vectors. Shape [t, d].
            covered: Which of them have one. Shape [t].
            device: Where the products are computed.
            progress: Progress bar to update.
        """
        count, unit = len(tags), unit_rows(vectors)
        nearest, own = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
        cosines, own_cosines = np.full(count, np.nan), np.full(count, np.nan)
        rows = np.flatnonzero(covered & (np.abs(unit).max(axis=1, initial=0.0) > 0))
        if len(rows) and len(self.keys):
            queries = unit[rows].astype(np.float32)
            found = top_k(queries, self.matrix, k=_MOST_TIED, device=device, progress=progress)
            cosines[rows] = found.scores[:, 0]
            equal = found.scores >= found.scores[:, :1] - _TIED
            nearest[rows] = np.where(equal, found.indices, len(self.keys)).min(axis=1)
        for row in rows.tolist():
            places = self.senses.get((tags[row].lemma, tags[row].part))
            if places is not None and len(places):
                scores = self.matrix[places].astype(np.float64) @ unit[row]
                best = _first_best(scores)
                own[row], own_cosines[row] = places[best], scores[best]
        return Nearest(nearest, cosines, own, own_cosines)

    def answers(
        self, tags: Sequence[SenseTag], found: Nearest, back_off: Mapping[tuple[str, str], str]
    ) -> list[tuple[ChosenSense | None, ChosenSense | None]]:
        """Return the sense of every word among all, and among those of its lemma and part of speech, if there is one.

        Args:
            tags: The words.
            found: What `nearest` returned for them.
            back_off: First senses. Among all senses they are the answer for a lemma that the training data lacks as
                any part of speech, among those of the lemma for one that it lacks as this part of speech.
        """
        lemmas, chosen = {lemma for lemma, _ in self.senses}, []
        for row, tag in enumerate(tags):
            parts = (found.nearest[row], found.cosines[row]), (found.own[row], found.own_cosines[row])
            free, own = (
                ChosenSense(self.keys[place], float(cosine)) if place >= 0 else None for place, cosine in parts
            )
            first = back_off.get((tag.lemma, tag.part))
            if first is not None:
                free = ChosenSense(first, None) if tag.lemma not in lemmas else free
                own = ChosenSense(first, None) if not self.has_candidates(tag) else own
            chosen.append((free, own))
        return chosen

    def has_candidates(self, tag: SenseTag) -> bool:
        """Return whether a word has senses of its lemma and part of speech."""
        return len(self.senses.get((tag.lemma, tag.part), ())) > 0

    @cached_property
    def lemmas(self) -> dict[str, set[str]]:
        """The lemmas of every sense."""
        found: dict[str, set[str]] = {}
        for (lemma, _), places in self.senses.items():
            for place in places.tolist():
                found.setdefault(self.keys[place], set()).add(lemma)
        return found

    def shuffled(
        self, tags: Sequence[SenseTag], vectors: Floats, found: Nearest, *, generator: np.random.Generator
    ) -> tuple[Score, ...]:
        """Return the scores when senses have the vectors of other senses: means over twenty shuffles.

        The nearest vector stays the same, and is that of another sense. Within a lemma the choice is random.

        Args:
            tags: The words, with their gold keys.
            vectors: Their vectors. Shape [t, d].
            found: What `nearest` returned for them.
            generator: Source of randomness.
        """
        totals, unit = np.zeros((_SHUFFLES, 2)), unit_rows(vectors)
        for total in totals:
            order = generator.permutation(len(self.keys))  # sense i has the vector of sense order[i]
            sense = np.argsort(order)
            for row, tag in enumerate(tags):
                if found.nearest[row] >= 0:
                    total[0] += self.keys[sense[found.nearest[row]]] in tag.keys
                if found.own[row] >= 0:
                    places = self.senses[tag.lemma, tag.part]
                    best = places[0] if len(places) == 1 else places[(self.matrix[order[places]] @ unit[row]).argmax()]
                    total[1] += self.keys[best] in tag.keys
        values = totals.mean(axis=0) / max(1, len(tags))
        return tuple(Score(name, float(value), n=len(tags)) for name, value in zip(_KEYS[:2], values, strict=True))


def _first_best(scores: np.ndarray) -> int:
    return int((scores >= scores.max() - _TIED).argmax())


class ChosenSense(NamedTuple):
    """A sense that was chosen.

    Args:
        key: The sense.
        cosine: Cosine with its vector; None for the first sense of a lemma without training data.
    """

    key: str
    cosine: float | None


@dataclass(frozen=True)
class Nearest:
    """The nearest senses of some words, -1 for none, with their cosines. Shape [t] each.

    Args:
        nearest: Of all senses.
        cosines: Its cosine.
        own: Of the senses of the lemma and part of speech.
        own_cosines: Its cosine.
    """

    nearest: Indices
    cosines: Doubles
    own: Indices
    own_cosines: Doubles


# ---------------------------------------------------------------- the task


class ClusterMeans(Means):
    """Metrics that are means over items, all with an interval.

    Groups of items are resampled, because items of one group are not independent.

    The first columns are those of the metrics, the last one is the number of the group, e.g. of the document. Others
    are not resampled. Source: Field and Welsh 2007 (the cluster bootstrap).
    """

    def values(self, columns: Columns) -> dict[str, float]:
        """Return the means; 0 without items."""
        return {name: float(own.mean()) if len(own) else 0.0 for name, own in zip(self.metrics, columns, strict=False)}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the means over the items of resampled groups, those of the first system; nan for a single group."""
        size = len(self.metrics)
        if not systems[0].shape[1]:
            return [{} for _ in systems]
        if groups_of(systems[0]) < 2:  # the same in every draw, which would look certain
            return [dict.fromkeys(self.metrics, np.full(draws, np.nan)) for _ in systems]
        _, groups = np.unique(systems[0][-1], return_inverse=True)
        rows = [np.ones(len(groups)), *(row for columns in systems for row in columns[:size])]
        totals = np.stack([np.bincount(groups, row).astype(np.float64) for row in rows], axis=1)
        n, *sums = drawn_counts(totals, generator=generator, draws=draws).T
        parts = (sums[start : start + size] for start in range(0, len(sums), size))
        return [{name: own / n for name, own in zip(self.metrics, part, strict=True)} for part in parts]

    def gaps(
        self, first: Columns, second: Columns, *, generator: np.random.Generator, draws: int
    ) -> dict[str, tuple[float, Any]]:
        """Return the differences on all items, and on those of the same resampled groups."""
        return Measure.gaps(self, first, second, generator=generator, draws=draws)


def groups_of(columns: Columns) -> int:
    """Return the number of groups that are resampled."""
    return len(np.unique(columns[-1]))


METRICS = (
    Metric("accuracy", "all senses"),
    Metric("filtered_accuracy", "own lemma"),
    Metric("right_lemma", "right lemma"),
)
_KEYS = tuple(metric.key for metric in METRICS)
_FACTS = ("first_sense", "ceiling", "back_off", "without_candidate")
_NUMBERS = (*_KEYS, *_FACTS, "group")


def instance_columns(items: Sequence[Item], every: bool) -> Columns:
    """Return the columns of `ClusterMeans`: metrics, facts and the group."""
    rows = [[item.numbers[name] for name in _NUMBERS] for item in items]
    return np.array(rows, dtype=np.float64).reshape(-1, len(_NUMBERS)).T


def instance_facts(parts: Sequence[Columns]) -> dict[str, Any]:
    """Return the first-sense figure, the ceiling and the like: means over test sets, and over all their instances."""
    first = len(_KEYS)
    means = np.mean([own[first : first + len(_FACTS)].mean(axis=1) for own in parts], axis=0)
    facts: dict[str, Any] = dict(zip(_FACTS, means.tolist(), strict=True))
    if len(parts) > 1:
        whole = dict(zip((*_KEYS, *_FACTS), np.concatenate(parts, axis=1).mean(axis=1).tolist(), strict=False))
        facts |= {f"{name}_all_instances": whole[name] for name in (*_KEYS, "first_sense")}
    return facts


_KINDS = {"n": "noun", "v": "verb", "a": "adjective", "r": "adverb"}
_FREQUENCIES = ("first sense", "another sense", "not in training")


def _frequency(item: Item) -> str:
    if not item.numbers["ceiling"]:
        return _FREQUENCIES[2]
    return _FREQUENCIES[not item.numbers["first_sense"]]


TASK = Task(
    name="wsd",
    title="Word senses",
    metrics=METRICS,
    measure=ClusterMeans(_KEYS),
    columns=instance_columns,
    item="instance",
    test="test",
    compared=_KEYS,
    question=("group",),
    alike=(("training_tags",), ("resampled",), ("back_off_file",)),
    options={"training_tags": "--train", "resampled": "--resample", "back_off_file": "--back-off"},
    facts=instance_facts,
    breakdowns=(
        Breakdown(
            "by part of speech",
            tuple(_KINDS.values()),
            lambda item: _KINDS.get(item.asked[1].rpartition(".")[2]),
            "The part of speech is that of the test set.",
        ),
        Breakdown(
            "by frequency of the sense",
            _FREQUENCIES,
            _frequency,
            "First sense: a gold sense is the most frequent one of its lemma in the training data. Not in training: "
            "no gold sense occurs there, so that none can be found.",
        ),
    ),
    heads=("instance", "gold", "of all senses", "of the lemma"),
    cells=lambda item: (
        " ".join(item.asked),
        ", ".join(item.gold),
        *(str(each.get("target", "-")) for each in (*item.answers, {}, {})[:2]),
    ),
)
