"""Senses induced from vectors of occurrences."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.encoders.base import WordVectors
from lexenc.errors import ConfigError
from lexenc.word_senses.background import Background
from lexenc.word_senses.induction import induce_senses


@pytest.fixture
def groups():
    """Three groups of occurrences, of 50, 30 and 20, in 24 dimensions."""
    random = np.random.default_rng(0)
    gold = np.repeat([0, 1, 2], [50, 30, 20])
    centres = 3 * random.normal(size=(3, 24))
    vectors = (5 + centres[gold] + random.normal(size=(100, 24))).astype(np.float32)
    order = random.permutation(100)
    return vectors[order], gold[order]


@pytest.mark.parametrize("count", [3, None])
def test_senses_are_found_and_ordered_by_frequency(groups, count):
    vectors, gold = groups
    senses = induce_senses(vectors, count=count)
    assert (senses.labels == gold).all()
    assert senses.shares.tolist() == [0.5, 0.3, 0.2]
    assert senses.centres == pytest.approx(
        np.stack([vectors[gold == each].mean(axis=0) for each in range(3)]), abs=1e-5
    )
    assert senses.confidence.min() > 0.9


def test_the_same_vectors_are_assigned_to_the_same_senses(groups):
    vectors, _ = groups
    senses = induce_senses(vectors, count=2)
    labels, confidence = senses.assign(vectors)
    assert (labels == senses.labels).all()
    assert (confidence == senses.confidence).all()
    assert (induce_senses(vectors, count=2).labels == senses.labels).all()


def test_one_cloud_is_one_sense_and_small_senses_are_merged(groups):
    vectors, gold = groups
    random = np.random.default_rng(1)
    assert induce_senses(random.normal(size=(300, 24)).astype(np.float32)).count == 1
    few = np.concatenate([vectors[gold < 2], vectors[gold == 2][:3]])
    assert induce_senses(few).count == 2
    assert induce_senses(few, count=3).shares.min() == pytest.approx(3 / 83)


def test_a_background_shows_what_is_hidden_by_larger_differences(groups):
    vectors, gold = groups
    random = np.random.default_rng(1)
    noise = np.zeros((24, 24), dtype=np.float32)
    noise[:, :6] = random.normal(size=(24, 6)) * 2

    def encode(sentences):
        """Every word has a vector that differs in six directions, as the word of the senses does too."""
        lengths = [len(words) for words in sentences]
        values = random.normal(size=(sum(lengths), 24)) + random.normal(size=(sum(lengths), 24)) @ noise.T
        places = np.concatenate([np.arange(each) for each in lengths]).astype(np.int32)
        starts = np.cumsum([0, *lengths])
        return WordVectors(
            values.astype(np.float32), starts, places, np.zeros(len(lengths), bool), np.zeros(len(lengths), np.int32)
        )

    background = Background(encode)
    assert background.whitening() is None, "nothing is known"
    background([["The", "cat", "sat"], ["the", "cat"]] * 60)
    hidden = vectors + (random.normal(size=(100, 24)) @ noise.T).astype(np.float32)
    plain = induce_senses(hidden, count=3)
    whitened = induce_senses(hidden, count=3, whitening=background.whitening())
    assert (whitened.labels == gold).mean() > 0.95 > (plain.labels == gold).mean()
    assert (whitened.assign(hidden)[0] == whitened.labels).all()


def test_too_few_occurrences_are_refused():
    with pytest.raises(ConfigError, match="1 different occurrence cannot form 2 senses"):
        induce_senses(np.ones((5, 3), dtype=np.float32), count=2)
    assert induce_senses(np.ones((1, 3), dtype=np.float32)).labels.tolist() == [0]
