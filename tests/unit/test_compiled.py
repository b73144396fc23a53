"""Compiled loops: fast arithmetic must not change what infinities mean."""

from __future__ import annotations

import numpy as np

from lexenc.compiled import compiled, inlined


@inlined
def _beats(value, best):
    return value > best


@compiled
def _summary(values):
    finite, best = 0, -np.inf
    for value in values:
        finite += np.isfinite(value)
        if _beats(value, best):
            best = value
    return finite, best


def test_infinities_and_nan_keep_their_meaning():
    assert _summary(np.array([-np.inf, np.nan, 1.0, -2.0])) == (2, 1.0)
    assert _summary(np.array([-np.inf])) == (0, -np.inf)
    assert _summary(np.array([0.5, np.inf])) == (1, np.inf)
