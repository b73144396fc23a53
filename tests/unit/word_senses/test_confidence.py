"""Confidence in senses, beside densities of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from lexenc.word_senses.confidence import probabilities, spread_of, squared_distances

CENTRES = np.array([[0, 0, 0], [2, 0, 0]], dtype=np.float32)


def test_probabilities_are_those_of_spheres_three_times_as_wide_as_clusters():
    points = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    densities = np.stack([multivariate_normal(each, 9 * 0.5).pdf(points) for each in CENTRES], axis=1)
    assert probabilities(points, CENTRES, 0.5) == pytest.approx(densities / densities.sum(axis=1, keepdims=True))
    assert squared_distances(points, CENTRES)[3, 1] == pytest.approx(float(np.square(points[3] - CENTRES[1]).sum()))


def test_directions_in_which_nothing_happens_do_not_count():
    random = np.random.default_rng(1)
    labels = random.integers(2, size=4000)
    points = (CENTRES[labels] + random.normal(size=(4000, 3))).astype(np.float32)
    wide, centres = np.pad(points, ((0, 0), (0, 9))), np.pad(CENTRES, ((0, 0), (0, 9)))
    assert spread_of(points, CENTRES, labels) == pytest.approx(1, rel=0.05)
    assert spread_of(wide, centres, labels) == pytest.approx(spread_of(points, CENTRES, labels))


def test_points_on_their_centres_are_certain():
    labels = np.array([0, 1, 1])
    assert spread_of(CENTRES[labels], CENTRES, labels) == 0
    assert probabilities(CENTRES, CENTRES, 0.0).tolist() == [[1, 0], [0, 1]]
