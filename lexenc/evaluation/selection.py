"""Scores of a setting that was chosen by its score, on words that were not used for the choice."""

from __future__ import annotations

import numpy as np


def crossfit(values: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """Score every query with the setting that is best on the half of the queries it is not in.

    The best of several scores on the same queries is too high on average. This one is not, because no half is used for
    its own choice. Values have one row per setting and one column per query, shape [s, q].

    Returns:
        The score of every query, shape [q], and the settings that the halves chose.
    """
    first = generator.permutation(values.shape[1]) < values.shape[1] // 2
    chosen, settings = np.empty(values.shape[1], dtype=np.float64), list[int]()
    for own in (first, ~first):
        # Without another half there is nothing to choose by: the first setting stands.
        best = int(values[:, ~own].mean(axis=1).argmax()) if (~own).any() else 0
        chosen[own] = values[best, own]
        settings.append(best)
    return chosen, settings
