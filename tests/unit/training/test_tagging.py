"""Taggers: the CRF against sums over all sequences, heads that learn, and words as their encoders give them."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from lexenc.arrays import Ragged
from lexenc.device import CPU
from lexenc.encoders.load import load_encoder
from lexenc.encoders.word_vectors import word_encoder
from lexenc.errors import ConfigError
from lexenc.training import TAGGERS
from lexenc.training.crf import LinearChain
from lexenc.training.schedule import Schedule
from lexenc.training.tagging import (
    FrozenWords,
    LockedDropout,
    RandomWords,
    TaggerSettings,
    TaggingObjective,
    TunedWords,
    predicted_tags,
)
from lexenc.training.trainer import Trainer
from tests.unit.training.test_classification import save_bert


def test_the_crf_equals_a_sum_over_all_paths():
    torch.manual_seed(0)
    crf, lengths = LinearChain(3, seed=1).double(), [4, 1, 3]
    for each in crf.parameters():
        each.data.normal_(0, 2)
    emissions, tags = torch.randn(3, 4, 3).double() * 3, torch.randint(0, 3, (3, 4))
    emissions.requires_grad_(True)

    def score(row, path):
        own = crf.first[path[0]] + crf.last[path[-1]] + sum(emissions[row, i, tag] for i, tag in enumerate(path))
        return own + sum(crf.pairs[a, b] for a, b in pairwise(path))

    found = crf.losses(emissions, torch.tensor(lengths), tags)
    best = crf.best(emissions, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        paths = [*product(range(3), repeat=length)]
        scores = torch.stack([score(row, path) for path in paths])
        right = tuple(tags[row, :length].tolist())
        loss = torch.logsumexp(scores, 0) - score(row, right)
        assert float(found[row].detach()) == pytest.approx(float(loss.detach()), abs=1e-8)
        assert tuple(best[row, :length].tolist()) == paths[int(scores.argmax())]
        assert best[row, length:].tolist() == [0] * (4 - length)
        mine, theirs = (torch.autograd.grad(own, emissions, retain_graph=True)[0][row] for own in (found[row], loss))
        assert torch.allclose(mine, theirs, atol=1e-8)
    # Sequences of equal score: the lowest numbers.
    for each in crf.parameters():
        each.data.zero_()
    assert crf.best(torch.zeros(1, 3, 3), torch.tensor([3])).tolist() == [[0, 0, 0]]


WORDS = "dog cat runs sleeps the a".split()
SENTENCES = [(first, second, third) for first in WORDS[4:] for second in WORDS[:4] for third in WORDS[2:4]]
# Tag 1 for a dog or a cat, and 2 for what follows a dog.
TAGS = [[0, int(second in WORDS[:2]), 2 * (second == "dog")] for _, second, _ in SENTENCES]
SETTINGS = TaggerSettings(hidden=8, dropout=0.0)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    found = load_encoder(save_bert(tmp_path_factory.mktemp("bert")), device=CPU)
    for name, each in found.module.named_parameters():
        if ".layer." in name and each.ndim == 2:
            each.data *= 0.2  # otherwise its layers change the words beyond recognition
    return found


@pytest.mark.parametrize("head", [*TAGGERS])
def test_it_learns_and_does_not_depend_on_how_a_step_is_split(head, encoder):
    tagger = TAGGERS[head]
    words = tagger.words(encoder, SETTINGS)
    given = words([*SENTENCES[:15], ("dog",)])
    right = Ragged.of([*TAGS[:15], [1]])
    own = tagger(words, tags=3, settings=SETTINGS, seed=0)
    objective = TaggingObjective(own, given, right)
    every = objective.rows(0)
    whole = objective.losses(every, 0)
    parts = torch.cat([objective.losses(every[part], 0) for part in (slice(0, 3), slice(3, 16))])
    assert torch.allclose(whole, parts, atol=1e-5)
    assert float(whole.sum().detach()) * 46 / 16 == pytest.approx(46 * np.log(3), rel=0.3), "nats per word"
    schedule = Schedule(epochs=25, batch_size=4, learning_rate=1e-2 if own.tunes else 3e-2, warmup=0.1)
    Trainer(objective, schedule=schedule).run()
    found = predicted_tags(own, given, tokens=1)
    assert [each.tolist() for each in found] == [*TAGS[:15], [1]]
    assert ("encoder" in own.modules) == own.tunes


def test_word_vectors_are_those_of_the_encoder(encoder):
    sentences = [("the", "dog", " ", "runs"), ("cat",)]
    settings = TaggerSettings(layers=(1, -1), combine="concat", longest=3)
    given = FrozenWords.of(encoder, settings)(sentences)
    assert (given.lengths.tolist(), given.truncated, given.missing) == ([3, 1], 1, 1)
    expected = [word_encoder(encoder, layer=layer, unit="words")([("the", "dog", " "), ("cat",)]).values
                for layer in (1, 2)]  # fmt: skip
    vectors = np.concatenate(expected, axis=1)
    vectors = (vectors - vectors.mean(1, keepdims=True)) / vectors.std(1, keepdims=True)
    assert np.allclose(given.data.values[[0, 1, 3]], vectors, atol=2e-3)
    assert not given.data.values[2].any()
    every = [word_encoder(encoder, layer=layer, unit="words")(sentences).values for layer in range(3)]
    for how, own in (("mean", np.mean(every, axis=0)), ("concat", np.concatenate(every, axis=1))):
        assert np.allclose(word_encoder(encoder, layer=how, unit="words")(sentences).values, own, atol=1e-5)
    with pytest.raises(ConfigError, match="no layer 7"):
        FrozenWords.of(encoder, TaggerSettings(layers=(7,)))


def test_random_vectors_know_the_word_and_nothing_else():
    words = FrozenWords(RandomWords(12, seed=0), TaggerSettings(), device=torch.device("cpu"))
    one, other = words([("a", "b", "a")]).data.values, words([("b",), ("c",)]).data.values
    assert np.array_equal(one[0], one[2])
    assert np.array_equal(one[1], other[0])
    assert not np.allclose(one[0], other[1], atol=0.1)


def test_subwords_after_the_longest_input_are_not_read(encoder):
    given = TunedWords(encoder, TaggerSettings(longest=5))([("the", "dog", "runs", "the", "cat"), ("a", " ", "cat")])
    tokens, firsts = given.data
    assert [tokens[row].tolist() for row in range(2)] == [[2, 8, 4, 6, 3], [2, 9, 5, 3]]
    assert [firsts[row].tolist() for row in range(2)] == [[1, 2, 3, -1, -1], [1, -1, 2]]
    assert (given.truncated, given.missing) == (1, 3)


def test_locked_dropout_drops_dimensions_and_words():
    torch.manual_seed(0)
    part = LockedDropout(0.5, 0.25)
    found = part(torch.ones(50, 20, 8))
    assert set(found.unique().tolist()) == {0.0, 2.0}
    alive = found.any(dim=2)
    assert 0.65 < float(alive.float().mean()) < 0.85
    for sentence, own in zip(found, alive, strict=True):
        assert len(sentence[own].unique(dim=0)) == 1
    assert torch.equal(part.eval()(torch.ones(2, 2, 2)), torch.ones(2, 2, 2))
