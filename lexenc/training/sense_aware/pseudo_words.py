"""Pseudo-words: two words merged into one, so that the right sense of every occurrence is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lexenc.arrays import Indices, Ragged


def merge_words(texts: Ragged, pairs: Sequence[tuple[int, int]]) -> tuple[Ragged, Ragged]:
    """Merge pairs of words in texts.

    Args:
        texts: Word numbers.
        pairs: Distinct words; the second of a pair becomes the first.

    Returns:
        The texts with merged words, and for every word 0 if it was the first of a pair, 1 if it was the second, and -1
        if it is in no pair.

    Source: Gale, Church and Yarowsky 1992, "Work on statistical methods for word sense disambiguation".
    """
    if not pairs:  # of a corpus without pseudo-words nothing is copied
        return texts, Ragged(texts.starts, np.broadcast_to(np.int64(-1), len(texts.values)))
    first, second = (np.array([pair[side] for pair in pairs], dtype=texts.values.dtype) for side in (0, 1))
    values, labels = texts.values.copy(), np.full(len(texts.values), -1, dtype=np.int64)
    labels[np.isin(values, first)] = 0
    order: Indices = np.argsort(second, kind="stable")
    places = np.minimum(np.searchsorted(second[order], values), len(pairs) - 1)
    hit = second[order][places] == values
    values[hit], labels[hit] = first[order][places][hit], 1
    return Ragged(texts.starts, values), Ragged(texts.starts, labels)
