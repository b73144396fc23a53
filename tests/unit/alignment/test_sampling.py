"""Aligning without a model: a toy language, the same again, and how it mixes."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.alignment.numbered import Bitext, Side
from lexenc.alignment.sampling import Sweeps, _Sampler, sample_links, usual_sweeps
from lexenc.alignment.symmetrise import links_of
from lexenc.errors import ConfigError


def side(sentences, types):
    starts = np.concatenate([[0], np.cumsum([len(each) for each in sentences])])
    flat = [word for each in sentences for word in each]
    return Side(starts.astype(np.int64), np.array(flat, dtype=np.int32), types)


@pytest.fixture(scope="module")
def toy():
    """Sentences of 12 words, each translated by the word of the same number; neighbours change places at times."""
    random = np.random.default_rng(1)
    sources, targets, gold = [], [], []
    for _ in range(120):
        words = random.integers(0, 40, size=random.integers(3, 12)).tolist()
        order = list(range(len(words)))
        swap = int(random.integers(0, len(words) - 1))
        order[swap], order[swap + 1] = order[swap + 1], order[swap]
        sources.append(words)
        targets.append([words[place] for place in order])
        gold.append({(place, row) for row, place in enumerate(order)})
    return Bitext.of(side(sources, 40), side(targets, 40)), gold


def marginals(bitext, sweeps, *, seed=0, chains=1, **more):
    scale = 60_000 // (sweeps.counted * chains)
    tables = []
    for direction, each in enumerate((bitext, bitext.swapped)):
        counts = np.zeros(each.cells[-1], dtype=np.uint16)
        for chain in range(chains):
            sample_links(each, sweeps=sweeps, seed=seed + 2 * chain + direction, counts=counts, scale=scale, **more)
        tables.append(counts)
    return tables, scale * sweeps.counted * chains


def scored(bitext, gold, tables, sure, how="threshold"):
    links = links_of(bitext.source.lengths, bitext.target.lengths, *tables, how, sure=sure)
    found = [{each[:2] for each in sentence} for sentence in links.sentences()]
    right = sum(len(one & other) for one, other in zip(found, gold, strict=True))
    return right / sum(map(len, found)), right / sum(map(len, gold))


@pytest.mark.parametrize("model", ["fertility", "diagonal"])
def test_a_toy_language_is_learnt(toy, model):
    bitext, gold = toy
    precision, recall = scored(bitext, gold, *marginals(bitext, usual_sweeps(len(bitext), model, factor=0.2)))
    assert precision > 0.9
    assert recall > 0.9


def test_probabilities_of_a_word_sum_up_to_at_most_one(toy):
    bitext, _ = toy
    (forward, _), sure = marginals(bitext, Sweeps(4, 8), chains=2)
    first = forward[: bitext.cells[1]].reshape(bitext.target.lengths[0], bitext.source.lengths[0])
    assert (first.sum(axis=1) <= sure * 1.01).all()
    assert first.sum() > 0.5 * sure * len(first)


def test_the_same_seed_gives_the_same_and_another_one_another(toy):
    bitext, _ = toy
    sweeps = Sweeps(2, 4)
    first, again, other = (marginals(bitext, sweeps, seed=seed)[0] for seed in (3, 3, 4))
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    assert any((one != two).any() for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("model", ["fertility", "diagonal"])
def test_sentences_without_words_are_passed_over(model):
    bitext = Bitext.of(side([[], [0, 1], [1], []], 2), side([[0], [1, 0], [], []], 2))
    tables, sure = marginals(bitext, Sweeps(0, 4, model))
    assert [len(table) for table in tables] == [4, 4]
    assert sure > 0


def test_sweeps_are_many_for_few_sentences_and_fewer_for_many():
    assert usual_sweeps(447) == Sweeps(29, 117)
    assert usual_sweeps(60_730).total == 6 + 8 + 34
    assert usual_sweeps(10**9).total >= 4
    with pytest.raises(ConfigError, match="diagonal"):
        usual_sweeps(10, "diagonals")


def test_a_chain_begins_with_the_best_probabilities_of_ibm_model_1(toy):
    bitext, _ = toy
    chain = _Sampler(bitext, 0, 0.05)
    chain.begin(bitext, lambda sentences: None)
    # The same by definition: a table of all words, and no code for flat arrays.
    table, null = np.zeros((40, 40)), np.zeros(40)
    sentences = [(bitext.source.values[a:b], bitext.target.values[c:d]) for a, b, c, d in zip(
        bitext.source.starts[:-1], bitext.source.starts[1:], bitext.target.starts[:-1], bitext.target.starts[1:],
        strict=True)]  # fmt: skip
    for _ in range(5):
        weights = (table + 0.001) / (table.sum(axis=1, keepdims=True) + 0.04)
        free = 0.05 * (null + 0.001) / (null.sum() + 0.04)
        table, null = np.zeros((40, 40)), np.zeros(40)
        for source, target in sentences:
            for word in target:
                shares = 0.95 * weights[source, word] / len(source)
                total = shares.sum() + free[word]
                np.add.at(table, (source, word), shares / total)
                null[word] += free[word] / total
    drawn = np.zeros((40, 40))
    links = chain._state.links
    for (source, target), start in zip(sentences, bitext.target.starts[:-1], strict=True):
        for row, word in enumerate(target):
            if links[start + row] >= 0:
                drawn[source[links[start + row]], word] += 1
    assert drawn.sum() + chain._state.null[-1] == len(bitext.target.values)
    assert (drawn.sum(axis=1) == chain._state.totals).all()
    # Each word is drawn as often as expected, but for chance.
    assert np.abs(drawn - table).max() < 8
    assert abs(np.trace(drawn) - np.trace(table)) < 3 * np.sqrt(np.trace(table) * 0.3)


def reversed_text(count, words, lengths, random):
    """Sentences, and their translations word by word in reverse order; the words are drawn from a range."""
    sources = [random.integers(*words, size=random.integers(*lengths)).tolist() for _ in range(count)]
    return sources, [each[::-1] for each in sources]


def test_more_text_of_other_words_does_no_harm():
    """The links of a few long sentences in reverse order, alone and with many short ones of hardly a common word."""
    random = np.random.default_rng(3)
    few, many = reversed_text(60, (0, 300), (12, 20), random), reversed_text(3000, (280, 900), (3, 9), random)
    gold = [{(len(each) - 1 - row, row) for row in range(len(each))} for each in few[0]]
    rates = []
    for sources, targets in (few, [one + other for one, other in zip(few, many, strict=True)]):
        bitext = Bitext.of(side(sources, 900), side(targets, 900))
        tables, sure = marginals(bitext, usual_sweeps(len(bitext)))
        links = links_of(bitext.source.lengths, bitext.target.lengths, *tables, "threshold", sure=sure)
        found = [{each[:2] for each in sentence} for sentence in links.sentences()][:60]
        right = sum(len(one & other) for one, other in zip(found, gold, strict=True))
        rates.append(1 - 2 * right / (sum(map(len, found)) + sum(map(len, gold))))
    assert rates[0] < 0.5
    assert rates[1] < rates[0] + 0.005


def test_progress_counts_every_sentence_pair_of_every_sweep(toy):
    bitext, _ = toy
    seen = []
    counts = np.zeros(bitext.cells[-1], dtype=np.uint16)
    sweeps = Sweeps(1, 3)
    sample_links(bitext, sweeps=sweeps, seed=0, counts=counts, scale=9, advance=seen.append)
    assert sum(seen) == sweeps.total * len(bitext)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 9), (9, 5), (7, 7), (1, 6), (6, 1)])
def test_nearness_to_the_diagonal_is_the_exponential_of_the_distance(width, height):
    from lexenc.alignment.sampling import _near

    near = np.zeros(width + 2)
    for row in range(height):
        mean, variance = _near(near, row, width, height, 3.0, 0.9)
        distances = np.abs(np.arange(1, width + 1) / width - (row + 1) / height)
        wanted = np.exp(-3.0 * distances)
        wanted /= wanted.sum()
        np.testing.assert_allclose(near[:width], 0.9 * wanted, rtol=1e-9)
        assert mean == pytest.approx(wanted @ distances)
        assert variance == pytest.approx(wanted @ distances**2 - (wanted @ distances) ** 2, abs=1e-12)


@pytest.mark.parametrize("model", ["fertility", "diagonal"])
def test_known_translations_decide_where_the_corpus_cannot(model):
    sides = side([[0, 1]] * 9, 2), side([[0, 1]] * 9, 2)
    crossed = np.array([0, 1]), np.array([1, 0]), np.array([50, 50])
    bitext = Bitext.of(*sides, crossed)
    tables, sure = marginals(bitext, Sweeps(0, 40, model))
    links = links_of(bitext.source.lengths, bitext.target.lengths, *tables, "threshold", sure=sure)
    assert [{each[:2] for each in sentence} for sentence in links.sentences()] == [{(0, 1), (1, 0)}] * 9
