"""Word alignment against gold links: precision, recall, F1 and the alignment error rate of a corpus.

Links are rows of sentence pair, source word and target word, each from 0. `source_lengths` and `target_lengths` are the
numbers of words of every sentence, shape [n].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.bootstrap import Columns, Drawn, Measure
from lexenc.evaluation.task import Metric, Task

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]

COUNTS = ("predicted", "sure", "possible", "sure_hits", "possible_hits")
FREQUENCIES = ("1", "2-4", "5-19", "20-99", "100-")
DISTANCES = ("0", "1", "2-3", "4-7", "8-")
_LAST_FREQUENCIES = (1, 4, 19, 99)
_LAST_DISTANCES = (0, 1, 3, 7)
_BLOCK = 1 << 22  # weights of sentence pairs held at a time


class Judged(NamedTuple):
    """All distinct links of the gold file and of the system, ordered by sentence pair, source word and target word.

    Args:
        rows: The links. Shape [p, 3].
        predicted: Whether the system has it. Shape [p].
        sure: Whether it is a sure gold link. Shape [p].
        possible: Whether it is a possible gold link; every sure link is. Shape [p].
        sentences: Number of sentence pairs.
    """

    rows: Indices
    predicted: Flags
    sure: Flags
    possible: Flags
    sentences: int


def judge(predicted: Indices, sure: Indices, possible: Indices, sentences: int) -> Judged:
    """Match the links of a system with those of the gold file; repeated links count once.

    Args:
        predicted: Links of the system. Shape [a, 3].
        sure: Sure gold links. Shape [s, 3].
        possible: Possible ones, with or without the sure ones. Shape [q, 3].
        sentences: Number of sentence pairs.
    """
    parts = (predicted, sure, possible)
    rows, place = np.unique(np.concatenate(parts).reshape(-1, 3), axis=0, return_inverse=True)
    flags = np.zeros((3, len(rows)), dtype=np.bool_)
    flags[np.repeat(np.arange(3), [len(part) for part in parts]), place.reshape(-1)] = True
    return Judged(rows, flags[0], flags[1], flags[1] | flags[2], sentences)


def counts_of(judged: Judged, chosen: Flags | None = None) -> Indices:
    """Count the links of every sentence pair.

    Args:
        judged: The links.
        chosen: Which of them count; all if left out. Shape [p].

    Returns:
        As `COUNTS` names them: links of the system; gold links that are sure; those that are only possible; sure ones
        that the system has; possible ones that it has, whether sure or not. Shape [n, 5].
    """
    own = judged.predicted
    flags = (own, judged.sure, judged.possible & ~judged.sure, own & judged.sure, own & judged.possible)
    kept = flags if chosen is None else [each & chosen for each in flags]
    columns = [np.bincount(judged.rows[each, 0], minlength=judged.sentences) for each in kept]
    return np.stack(columns, axis=1)


def scores_of(counts: Any) -> dict[str, Numbers]:
    """Return the scores of summed counts; nan where the denominator is 0.

    Args:
        counts: From `counts_of`, summed over sentence pairs. Shape [..., 5].

    Returns:
        For A predicted, S sure and P possible links, P with S: precision |A & P| / |A|, recall |A & S| / |S|, their
        harmonic mean F1, and the alignment error rate 1 - (|A & S| + |A & P|) / (|A| + |S|). Each of shape [...].

    Source: Och and Ney 2003, "A Systematic Comparison of Various Statistical Alignment Models", section 6.1.
    """
    own, sure, _, sure_hits, possible_hits = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    precision, recall = _ratio(possible_hits, own), _ratio(sure_hits, sure)
    both = precision + recall
    f1 = np.where(both == 0, 0.0, _ratio(2 * precision * recall, both))
    return {
        "aer": 1 - _ratio(sure_hits + possible_hits, own + sure),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def _ratio(part: Any, whole: Any) -> Any:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) != 0)


class LinkMeasure(Measure):
    """Alignment error rate, precision, recall and F1 of a corpus; sentence pairs are resampled.

    Columns are those of `COUNTS`.
    """

    def values(self, columns: Columns) -> dict[str, float]:
        """Return the scores of the whole corpus."""
        return {name: float(value) for name, value in scores_of(columns.sum(axis=1)).items()}

    def drawn(self, systems: Sequence[Columns], *, generator: np.random.Generator, draws: int) -> list[Drawn]:
        """Return the scores of corpora whose sentence pairs are drawn with replacement."""
        table = drawn_counts(np.concatenate(systems).T, generator=generator, draws=draws)
        size = len(COUNTS)
        return [scores_of(table[:, start : start + size]) for start in range(0, table.shape[1], size)]


def drawn_counts(counts: Numbers, *, generator: np.random.Generator, draws: int) -> Numbers:
    """Return the summed counts of corpora whose sentence pairs are drawn with replacement.

    Args:
        counts: Of every sentence pair; columns that belong together stay together. Shape [n, c].
        generator: Source of randomness.
        draws: Number of corpora.

    Returns:
        Shape [draws, c]; zeros without sentence pairs.
    """
    values = np.asarray(counts, dtype=np.float64)
    size = len(values)
    if not size:
        return np.zeros((draws, values.shape[1]))
    step, parts = max(1, _BLOCK // size), []
    for start in range(0, draws, step):
        times = generator.multinomial(size, np.full(size, 1 / size), size=min(step, draws - start))
        parts.append(times.astype(np.float64) @ values)
    return np.concatenate(parts)


METRICS = (
    Metric("aer", "AER", larger_is_better=False),
    Metric("precision", "precision"),
    Metric("recall", "recall"),
    Metric("f1", "F1"),
)
MEASURE = LinkMeasure([metric.key for metric in METRICS])
TASK = Task(
    name="alignment",
    title="Word alignment",
    metrics=METRICS,
    measure=MEASURE,
    columns=lambda items, every: np.array(
        [[item.numbers[name] for item in items] for name in COUNTS], dtype=np.float64
    ),
    item="sentence pair",
    test="gold",
    compared=MEASURE.metrics,
    question=("sure", "possible"),
    heads=("sentence pair", "gold links", "links"),
)


# ---------------------------------------------------------------- kinds of links


def frequency_bands(frequencies: Indices) -> Indices:
    """Return the index into `FREQUENCIES` of words with these frequencies. Shape [p]."""
    bands: Indices = np.searchsorted(np.array(_LAST_FREQUENCIES), frequencies)
    return bands


def distance_bands(rows: Indices, source_lengths: Indices, target_lengths: Indices) -> Indices:
    """Return the index into `DISTANCES` of links: how many words the target word is from the diagonal. Shape [p]."""
    sentence, source, target = rows.T
    diagonal = _opposite(source, source_lengths[sentence], target_lengths[sentence])
    bands: Indices = np.searchsorted(np.array(_LAST_DISTANCES), np.abs(target - diagonal))
    return bands


def _opposite(source: Indices, width: Indices, height: Indices) -> Indices:
    """Return the target word at the same relative position as the source word; halves are rounded up."""
    places: Indices = np.minimum((2 * source * height + width) // (2 * width), height - 1)
    return places


# ---------------------------------------------------------------- controls


def diagonal_links(source_lengths: Indices, target_lengths: Indices) -> Indices:
    """Link every source word to the target word at the same relative position, if there is one. Shape [p, 3]."""
    sizes = np.where(target_lengths > 0, source_lengths, 0)
    sentence = np.repeat(np.arange(len(sizes)), sizes)
    source = np.arange(len(sentence)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    target = _opposite(source, source_lengths[sentence], target_lengths[sentence])
    return np.stack([sentence, source, target], axis=1)


def random_links(
    links: Indices, source_lengths: Indices, target_lengths: Indices, generator: np.random.Generator
) -> Indices:
    """Link words of every sentence pair at random, as often as `links` says and no two twice. Shape [n] to [p, 3]."""
    cells, heights = (source_lengths * target_lengths).tolist(), target_lengths.tolist()
    made = [np.zeros((0, 3), dtype=np.int64)]
    for sentence, (count, size) in enumerate(zip(links.tolist(), cells, strict=True)):
        if count and size:
            source, target = np.divmod(generator.choice(size, min(count, size), replace=False), heights[sentence])
            made.append(np.stack([np.full(len(source), sentence), source, target], axis=1))
    return np.concatenate(made)
