"""Aligning by an encoder: counters, chunks, both sides."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from lexenc.alignment import matching
from lexenc.alignment.matching import METHODS, EmbeddingAligner, Matching
from lexenc.encoders.base import WordVectors
from lexenc.encoders.static import StaticEncoder
from lexenc.encoders.word_vectors import TableWords, word_encoder
from lexenc.errors import ConfigError

ENGLISH, GERMAN = ["the", "dog", "runs", "fast"], ["der", "hund", "rennt", "schnell"]
MATRIX = np.eye(4, 6, dtype=np.float32) + 0.1
PAIRS = [
    (["the", "dog", "runs"], ["der", "Hund", "rennt"]),
    (["runs", "the", "dog", "fast"], ["der", "hund", "rennt", "xyz", "schnell"]),
    ([], ["der"]),
    (["dog"], []),
    ([], []),
    (["dog", "nothing"], ["hund"]),
    (["nothing"], ["hund"]),
]
LINKS = [{(0, 0), (1, 1), (2, 2)}, {(0, 2), (1, 0), (2, 1), (3, 4)}, set(), set(), set(), {(0, 0)}, set()]


class Windowing:
    """Gives every word the vector of its first letter, and says that sentences of more than two words are long."""

    def __init__(self):
        self.calls = 0

    def __call__(self, sentences):
        self.calls += 1
        sizes = np.array([len(each) for each in sentences], dtype=np.int64)
        values = [np.eye(26, dtype=np.float32)[ord(word[0]) - ord("a")] for each in sentences for word in each]
        words = [place for each in sentences for place in range(len(each))]
        return WordVectors(
            np.array(values, dtype=np.float32).reshape(-1, 26),
            np.concatenate([[0], np.cumsum(sizes)]),
            np.array(words, dtype=np.int32),
            sizes > 2,
            np.zeros(len(sizes), dtype=np.int32),
        )


def tables():
    return TableWords(ENGLISH, MATRIX), TableWords(GERMAN, MATRIX)


def pairs_of(links):
    return [{link[:2] for link in each} for each in links.sentences()]


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("method", ["argmax", "itermax", "match"])
def test_tables_of_two_languages(method, chunk, monkeypatch):
    monkeypatch.setattr(matching, "CHUNK", chunk)
    aligner = EmbeddingAligner(*tables(), how=Matching(method))
    assert pairs_of(aligner.align(PAIRS)) == LINKS
    assert aligner.counts == {"without_vector": 3}
    aligner.align(PAIRS)
    assert aligner.counts["without_vector"] == 6


def test_scores_are_shifted_cosines():
    links = EmbeddingAligner(*tables(), how=Matching("argmax")).align(PAIRS)
    np.testing.assert_allclose(links.scores, 1, atol=1e-6)
    assert links.scores.dtype == np.float32


def test_one_encoder_serves_both_sides_in_one_call():
    encoder = Windowing()
    aligner = EmbeddingAligner(encoder, how=Matching("argmax"))
    links = aligner.align([(["ab", "cd", "ef"], ["cx", "ay"]), (["b"], ["b", "c", "d", "e"]), ([], ["a"])])
    assert pairs_of(links) == [{(0, 1), (1, 0)}, {(0, 0)}, set()]
    assert encoder.calls == 1
    assert aligner.counts["windowed"] == 2


def test_pairs_with_very_long_sides_are_counted(monkeypatch):
    monkeypatch.setattr(matching, "MOST_CELLS", 11)
    aligner = EmbeddingAligner(*tables(), how=Matching("argmax"))
    assert pairs_of(aligner.align(PAIRS)) == [LINKS[0], set(), *LINKS[2:]]
    assert aligner.counts["too_large"] == 1


def test_ten_thousand_words_on_one_side():
    source = ["nothing"] * 5000 + ["the", "dog", "runs"] + ["fast"] * 5000
    aligner = EmbeddingAligner(*tables(), how=Matching("match"))
    (found,) = pairs_of(aligner.align([(source, ["schnell", "rennt", "hund"])]))
    assert found >= {(5001, 2), (5002, 1)}
    assert len(found) == 3


@pytest.mark.parametrize("unit", ["words", "subwords"])
def test_bag_of_subwords(unit):
    pieces = ["dog", "##s", "run", "hund", "##e", "renn"]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="dog"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    encoder = StaticEncoder(tokenizer, torch_of([[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]))
    aligner = EmbeddingAligner(word_encoder(encoder, unit=unit), how=Matching("argmax"))
    (found,) = list(aligner.align([(["dogs", "run"], ["renn", "", "hunde"])]).sentences())
    assert found == [(0, 2, pytest.approx(1)), (1, 0, pytest.approx(1))]
    assert aligner.counts["without_vector"] == 1


def torch_of(rows):
    import torch

    return torch.tensor(rows, dtype=torch.float32)


def test_nothing_to_align():
    links = EmbeddingAligner(*tables()).align([])
    assert (len(links), len(links.scores)) == (0, 0)


def test_methods_are_listed():
    assert list(METHODS) == ["argmax", "itermax", "match", "softmax"]
    with pytest.raises(ConfigError, match="no matching method called 'itermx'") as caught:
        Matching("itermx")
    assert "itermax" in (caught.value.hint or "")
