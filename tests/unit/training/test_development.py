from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lexenc.training.data import number_pairs
from lexenc.training.development import mean_retrieval_accuracy, mean_spearman, retrieval_accuracy


class Table:
    """An encoder that looks vectors up."""

    def __init__(self, vectors):
        self.names, self.vectors = list(vectors), torch.tensor(list(vectors.values()), dtype=torch.float32)
        self.dimensions = self.vectors.shape[1]

    def tokenise(self, texts):
        return [[self.names.index(text)] for text in texts]

    def embed(self, tokens):
        return self.vectors[[int(row[0]) for row in tokens]]


def test_retrieval_accuracy_by_hand():
    encoder = Table({"one": [1, 0], "two": [0, 1], "uno": [5, 1], "un": [1, 2], "due": [1, 9]})
    pairs = [("one", "uno"), ("one", "un"), ("two", "due")]
    data = number_pairs([a for a, _ in pairs], [b for _, b in pairs], [])
    # one -> uno and two -> due are right; uno -> one and due -> two are right, un -> two is wrong.
    assert retrieval_accuracy(encoder, data) == pytest.approx((2 / 2 + 2 / 3) / 2)


def test_retrieval_accuracy_is_the_same_in_blocks_and_for_any_length(monkeypatch):
    draw = np.random.default_rng(0)
    vectors = {f"{side}{i}": row for side in "ab" for i, row in enumerate(draw.normal(size=(40, 6)).tolist())}
    data = number_pairs([f"a{i}" for i in range(40)], [f"b{i // 2}" for i in range(40)], [])
    whole = retrieval_accuracy(Table(vectors), data)
    monkeypatch.setattr("lexenc.training.development._QUERIES", 7)
    longer = {name: [value * (3 + len(name)) for value in row] for name, row in vectors.items()}
    assert retrieval_accuracy(Table(longer), data) == whole
    assert 0 < whole < 0.5


def test_texts_without_direction_are_no_error():
    data = number_pairs(["a"], ["b"], [])
    assert retrieval_accuracy(Table({"a": [0, 0], "b": [0, 0]}), data) == 1


def test_every_language_has_the_same_weight():
    draw = np.random.default_rng(0)
    vectors = {f"{side}{i}": row for side in "ab" for i, row in enumerate(draw.normal(size=(30, 4)).tolist())}
    data = [number_pairs([f"a{i}" for i in part], [f"b{i}" for i in part], []) for part in (range(3), range(3, 30))]
    single = [retrieval_accuracy(Table(vectors), each) for each in data]
    assert single[0] != single[1]
    assert mean_retrieval_accuracy(Table(vectors), data) == pytest.approx(sum(single) / 2)


def test_spearman_of_scored_pairs():
    encoder = Table({"a": [1, 0], "b": [1, 0.1], "c": [1, 1], "d": [0, 1], "zero": [0, 0]})
    pairs = number_pairs(["a", "a", "a", "a"], ["b", "c", "d", "a"], [])
    assert mean_spearman(encoder, [(pairs, [3.0, 2.0, 1.0, 5.0])]) == pytest.approx(1)
    assert mean_spearman(encoder, [(pairs, [3.0, 2.0, 5.0, 1.0])]) == pytest.approx(-0.8)
    both = [(pairs, [3, 2, 1, 5]), (pairs, [3, 2, 5, 1])]
    assert mean_spearman(encoder, both) == pytest.approx(0.1)
    assert math.isnan(mean_spearman(encoder, [(pairs, [1.0] * 4), both[0]]))
    assert mean_spearman(encoder, [(number_pairs(["zero", "a"], ["a", "b"], []), [0.0, 1.0])]) == pytest.approx(1)


def test_texts_are_encoded_in_their_languages():
    class Spoken(Table):
        language_number = 7

        def embed(self, tokens):
            return super().embed(tokens).roll(self.language_number, dims=1)

    encoder = Spoken({"one": [1, 0], "two": [0, 1], "uno": [0, 1], "due": [1, 0]})
    data = number_pairs(["one", "two"], ["uno", "due"], [])
    assert retrieval_accuracy(encoder, data) == 0
    numbered = replace(data, languages=np.array([2, 2, 1, 1]))
    assert retrieval_accuracy(encoder, numbered) == 1
    data = number_pairs(["one", "two"], ["uno", "uno"], [])
    numbered = replace(data, languages=np.array([1, 1, 2]))
    assert mean_spearman(encoder, [(data, [0.0, 1.0])]) == pytest.approx(1)
    assert mean_spearman(encoder, [(numbered, [0.0, 1.0])]) == pytest.approx(-1)
    assert encoder.language_number == 7
