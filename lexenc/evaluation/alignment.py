"""Word alignment against gold links: precision, recall, F1 and the alignment error rate of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.evaluation.bootstrap import LEVEL, Difference

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]

DRAWS = 10_000
METRICS = ("aer", "precision", "recall", "f1")
COUNTS = ("predicted", "sure", "possible", "sure_hits", "possible_hits")
FREQUENCIES = ("1", "2-4", "5-19", "20-99", "100-")
DISTANCES = ("0", "1", "2-3", "4-7", "8-")
_LAST_FREQUENCIES = (1, 4, 19, 99)
_LAST_DISTANCES = (0, 1, 3, 7)
_BLOCK = 1 << 22  # weights of sentence pairs held at a time


class Judged(NamedTuple):
    """Every link that the gold file or the system has, once, by sentence pair, source word and target word.

    Args:
        rows: Sentence pair, source word and target word, each from 0. Shape [p, 3].
        predicted: Whether the system has it. Shape [p].
        sure: Whether the gold file calls it sure. Shape [p].
        possible: Whether it calls it possible; every sure link is. Shape [p].
        sentences: Number of sentence pairs.
    """

    rows: Indices
    predicted: Flags
    sure: Flags
    possible: Flags
    sentences: int


def judge(predicted: Indices, sure: Indices, possible: Indices, sentences: int) -> Judged:
    """Lay the links of a system beside those of the gold file; repeated ones count once.

    Args:
        predicted: Sentence pair, source word and target word of every link of the system. Shape [a, 3].
        sure: The same of the sure gold links. Shape [s, 3].
        possible: The same of the possible ones, with or without the sure ones. Shape [q, 3].
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
    """Score counts summed over a corpus; nan where nothing is there to be counted.

    Args:
        counts: As `counts_of` gives them, summed up. Shape [..., 5].

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


# ---------------------------------------------------------------- how sure


def drawn_counts(counts: Indices, *, generator: np.random.Generator, draws: int = DRAWS) -> Numbers:
    """Give the counts of corpora whose sentence pairs are drawn with replacement from these.

    Args:
        counts: Of every sentence pair; columns that go together stay together. Shape [n, c].
        generator: Source of randomness.
        draws: How many corpora.

    Returns:
        Shape [draws, c]; zeros where there is no sentence pair.
    """
    values = np.asarray(counts, dtype=np.float64)
    if not len(values):
        return np.zeros((draws, values.shape[1]))
    return np.concatenate(list(_drawn_blocks(values, generator, draws)))


def _drawn_blocks(values: Numbers, generator: np.random.Generator, draws: int) -> Iterator[Numbers]:
    size = len(values)
    step = max(1, _BLOCK // size)
    for start in range(0, draws, step):
        times = generator.multinomial(size, np.full(size, 1 / size), size=min(step, draws - start))
        yield times.astype(np.float64) @ values


def summary(totals: Any, drawn: Any, *, level: float = LEVEL) -> dict[str, float | None]:
    """Give the scores under plain keys with the ends of their intervals; None where there is no value.

    Args:
        totals: Counts of the corpus. Shape [5].
        drawn: The same of drawn corpora. Shape [draws, 5].
        level: Share of draws inside; those without a value are left out.
    """
    values, spread = scores_of(totals), scores_of(drawn)
    table: dict[str, float | None] = {}
    for metric in METRICS:
        low, high = _ends(spread[metric], level)
        table |= {metric: _plain(values[metric]), f"{metric}_low": low, f"{metric}_high": high}
    return table


def _ends(values: Numbers, level: float) -> tuple[float | None, float | None]:
    kept = values[~np.isnan(values)]
    if not len(kept):
        return None, None
    tail = 50 * (1 - level)
    low, high = np.percentile(kept, [tail, 100 - tail])
    return float(low), float(high)


def _plain(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def differences(
    first: Indices, second: Indices, *, generator: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> dict[str, Difference]:
    """Compare two systems on the same sentence pairs, metric by metric.

    Args:
        first: Counts of every sentence pair. Shape [n, 5].
        second: The other system's, in the same order. Shape [n, 5].
        generator: Source of randomness.
        draws: Resamplings.
        level: Share of draws inside the intervals.

    Returns:
        First minus second; of the error rate below zero where the first is better. nan where a score has no value.
    """
    drawn = drawn_counts(np.concatenate([first, second], axis=1), generator=generator, draws=draws)
    gaps = _gaps(drawn[:, : len(COUNTS)], drawn[:, len(COUNTS) :])
    whole = _gaps(first.sum(axis=0), second.sum(axis=0))
    return {metric: _difference(float(whole[metric]), gaps[metric], level) for metric in METRICS}


def _gaps(first: Any, second: Any) -> dict[str, Numbers]:
    left, right = scores_of(first), scores_of(second)
    return {metric: left[metric] - right[metric] for metric in METRICS}


def _difference(whole: float, drawn: Numbers, level: float) -> Difference:
    low, high = _ends(drawn, level)
    if low is None or high is None:
        return Difference(whole, float("nan"), float("nan"), float("nan"))
    # One is added on both sides: a finite number of draws never shows that something is impossible.
    below, above = int((drawn <= 0).sum()) + 1, int((drawn >= 0).sum()) + 1
    return Difference(whole, low, high, min(1.0, 2 * min(below, above) / (len(drawn) + 1)))


# ---------------------------------------------------------------- kinds of links


def frequency_bands(frequencies: Indices) -> Indices:
    """Give the place in `FREQUENCIES` of words that come so many times. Shape [p]."""
    return _bands(_LAST_FREQUENCIES, frequencies)


def distance_bands(rows: Indices, source_lengths: Indices, target_lengths: Indices) -> Indices:
    """Give the place in `DISTANCES` of links: how many words the target word is from the diagonal.

    Args:
        rows: Sentence pair, source word and target word. Shape [p, 3].
        source_lengths: Words of every source sentence. Shape [n].
        target_lengths: Words of every target sentence. Shape [n].
    """
    sentence, source, target = rows.T
    diagonal = _opposite(source, source_lengths[sentence], target_lengths[sentence])
    return _bands(_LAST_DISTANCES, np.abs(target - diagonal))


def _bands(last: tuple[int, ...], values: Indices) -> Indices:
    """Give the first band whose last value is not exceeded."""
    places: Indices = np.searchsorted(np.array(last), values)
    return places


def _opposite(source: Indices, width: Indices, height: Indices) -> Indices:
    """Give the target word that is as far along its sentence as the source word; half a word is rounded up."""
    places: Indices = np.minimum((2 * source * height + width) // (2 * width), height - 1)
    return places


# ---------------------------------------------------------------- controls


def diagonal_links(source_lengths: Indices, target_lengths: Indices) -> Indices:
    """Link every source word to the target word that is as far along its sentence.

    Args:
        source_lengths: Words of every source sentence. Shape [n].
        target_lengths: Words of every target sentence. Shape [n].

    Returns:
        Sentence pair, source word and target word; none where either sentence is empty. Shape [p, 3].
    """
    sizes = np.where(target_lengths > 0, source_lengths, 0)
    sentence = np.repeat(np.arange(len(sizes)), sizes)
    source = np.arange(len(sentence)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    target = _opposite(source, source_lengths[sentence], target_lengths[sentence])
    return np.stack([sentence, source, target], axis=1)


def random_links(
    links: Indices, source_lengths: Indices, target_lengths: Indices, generator: np.random.Generator
) -> Indices:
    """Link words of every sentence pair at random.

    Args:
        links: How many links each gets. Shape [n].
        source_lengths: Words of every source sentence. Shape [n].
        target_lengths: Words of every target sentence. Shape [n].
        generator: Source of randomness.

    Returns:
        Sentence pair, source word and target word, none of them twice. Shape [p, 3].
    """
    cells, heights = (source_lengths * target_lengths).tolist(), target_lengths.tolist()
    made = [np.zeros((0, 3), dtype=np.int64)]
    for sentence, (count, size) in enumerate(zip(links.tolist(), cells, strict=True)):
        if count and size:
            source, target = np.divmod(generator.choice(size, min(count, size), replace=False), heights[sentence])
            made.append(np.stack([np.full(len(source), sentence), source, target], axis=1))
    return np.concatenate(made)
