"""Anchors of words: which words and lines count, means and spread against a loop, and maps between them."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from lexenc.arrays import starts_of
from lexenc.encoders.base import WordVectors
from lexenc.lexical.anchors import (
    average_contexts,
    fit_map,
    hold_out,
    judge_map,
    line_limits,
    line_numbers,
    wanted_words,
)

SPLIT = (str.split, str.split)


def wanted(pairs, first, second, **more):
    settings = {"minimum": 2, "vocabulary": 0, "identical": True} | more
    return wanted_words(pairs, (Counter(first), Counter(second)), cut=SPLIT, **settings)


def test_identical_strings_count_once():
    pairs = [("hand", "hand"), ("dog", "hund"), ("dog", "hund"), ("hand", "hand")]
    found = wanted(pairs, {"hand": 3, "dog": 3, "radio": 2}, {"hand": 3, "hund": 2, "radio": 5})
    assert found.pairs == [("hand", "hand"), ("dog", "hund"), ("radio", "radio")]
    assert (found.of_dictionary, found.identical) == (2, 2)
    without = wanted(pairs, {"hand": 3, "dog": 3, "radio": 2}, {"hand": 3, "hund": 2, "radio": 5}, identical=False)
    assert without.pairs == [("hand", "hand"), ("dog", "hund")]


def test_pairs_are_left_out_by_reason():
    pairs = [("new york", "neu"), ("dog", "hund"), ("cat", "katze"), ("sun", "sonne"), ("sun", "mond")]
    found = wanted(pairs, {"dog": 1, "cat": 2, "sun": 2, "neu": 2}, {"hund": 9, "katze": 2, "mond": 1})
    assert found.left_out == {"not one word": 1, "fewer than 2 occurrences": 2, "no occurrence": 1}
    assert found.pairs == [("cat", "katze")]


def test_frequent_words_get_anchors_too():
    first = {"a": 5, "b": 4, "c": 3, "d": 2, "e": 1}
    found = wanted([("d", "x")], first, {"x": 3, "y": 9}, vocabulary=2)
    assert found.words == (["a", "b", "d"], ["y", "x"])


@pytest.fixture
def text():
    random = np.random.default_rng(0)
    return [[f"w{number}" for number in (random.pareto(1, size=6) * 2).astype(int) if number < 40] for _ in range(300)]


def test_every_word_draws_at_most_so_many_lines_and_few_lines_are_needed(text):
    words = {word: row for row, word in enumerate(sorted({word for line in text for word in line}))}
    limits = line_limits(text, words, line_numbers(0, "x"), most=10)
    numbers = list(islice(line_numbers(0, "x"), len(text)))
    needed = set()
    for word, row in words.items():
        lines = [place for place, line in enumerate(text) if word in line]
        drawn = [place for place in lines if numbers[place] <= limits[row]]
        assert len(drawn) == min(10, len(lines))
        assert max(numbers[place] for place in drawn) <= min([numbers[p] for p in lines if p not in drawn], default=1)
        needed |= {*drawn}
    assert len(needed) < 0.6 * len(text)


def states_of(sentences):
    """A vector for every word that depends on its position; words with an x have none."""
    rows = [(place, [ord(word[-1]) % 7 + 1, place, len(words), 1]) for words in sentences
            for place, word in enumerate(words) if "x" not in word]  # fmt: skip
    counts = [sum("x" not in word for word in words) for words in sentences]
    return WordVectors(
        np.array([row for _, row in rows], dtype=np.float32).reshape(-1, 4),
        starts_of(counts),
        np.array([place for place, _ in rows], dtype=np.int32),
        np.zeros(len(sentences), bool),
        np.array([len(words) - count for words, count in zip(sentences, counts, strict=True)], dtype=np.int32),
    )


def test_means_and_spread_are_those_of_a_loop(text):
    lines = [[*line, "wx"] for line in text if line]
    words = {word: row for row, word in enumerate(["wx", *sorted({word for line in text for word in line})])}
    limits = line_limits(lines, words, line_numbers(0, "x"), most=20)
    upper = [[word.upper().replace("X", "x") for word in line] for line in lines]
    (found,) = average_contexts(states_of, zip(upper, lines, strict=True), words, line_numbers(0, "x"), limits)
    numbers = list(islice(line_numbers(0, "x"), len(lines)))
    within, anchors = [], {}
    for word, row in words.items():
        chosen = [k for k, line in enumerate(lines) if word in line and numbers[k] <= limits[row] and word != "wx"]
        own = [states_of([lines[k]]).values[lines[k].index(word)] for k in chosen]
        assert found.occurrences[row] == len(own)
        if own:
            anchors[word] = np.mean(own, axis=0)
            np.testing.assert_allclose(found.matrix[row], anchors[word], rtol=1e-5)
        if len(own) > 1:
            within.append(np.mean([1 - cosine(each, anchors[word]) for each in own]))
    assert not found.matrix[0].any(), "a word without a vector"
    assert found.spread.words == len(within)
    assert found.spread.within == pytest.approx(np.mean(within), abs=1e-6)
    between = [1 - cosine(anchors[one], anchors[other]) for one in anchors for other in anchors if one != other]
    assert found.spread.between == pytest.approx(np.mean(between), abs=1e-6)


def test_several_layers_are_those_that_are_averaged_one_at_a_time(text):
    words = {f"w{number}": number for number in range(40)}
    limits = line_limits(text, words, line_numbers(0, "x"), most=20)

    def averages(encoder, **more):
        return average_contexts(encoder, zip(text, text, strict=True), words, line_numbers(0, "x"), limits, **more)

    def both(sentences):
        found = states_of(sentences)
        return found._replace(values=np.concatenate([found.values, 2 - found.values], axis=1))

    def second(sentences):
        found = states_of(sentences)
        return found._replace(values=2 - found.values)

    for one, alone in zip(averages(both, layers=2), (states_of, second), strict=True):
        (expected,) = averages(alone)
        assert np.array_equal(one.matrix, expected.matrix)
        assert np.array_equal(one.occurrences, expected.occurrences)
        assert one.spread == pytest.approx(expected.spread, abs=1e-12)


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_no_word_is_learned_from_and_tested_on():
    pairs = [(f"e{i}", f"d{i % 30}") for i in range(60)] + [("radio", "radio"), ("wireless", "radio")]
    split = hold_out(pairs, 0.1, np.random.default_rng(0))
    words = [{pairs[row][1] for row in rows} for rows in split]
    assert len(words[1]) == 3
    assert not words[0] & words[1]
    assert "radio" in words[0]
    assert len(split.train) + len(split.test) == len(pairs)
    assert not len(hold_out(pairs, 0.0, np.random.default_rng(0)).test)


@pytest.fixture
def rotated():
    random = np.random.default_rng(0)
    first = random.normal(size=(200, 12)).astype(np.float32)
    rotation, _ = np.linalg.qr(random.normal(size=(12, 12)))
    return first, (first @ rotation).astype(np.float32), rotation


def test_a_rotation_is_recovered(rotated):
    first, second, rotation = rotated
    rows = np.arange(100), np.arange(100)
    for method in ("procrustes", "lstsq"):
        found = fit_map((first, second), rows, method)
        np.testing.assert_allclose(found.source, rotation.T, atol=1e-5)
        held = np.arange(100, 200), np.arange(100, 200)
        fitness = judge_map((first, second), held, found.source)
        assert fitness.hits.all()
        assert fitness.residual < 1e-8
    before = judge_map((first, second), held, None)
    assert before.hits.mean() < 0.1
    assert before.residual > 1


def test_least_squares_between_different_widths_is_that_of_numpy():
    random = np.random.default_rng(1)
    first, second = random.normal(size=(80, 5)), random.normal(size=(90, 7))
    rows = np.arange(60), random.permutation(90)[:60]
    expected = np.linalg.lstsq(second[rows[1]], first[rows[0]], rcond=None)[0]
    np.testing.assert_allclose(fit_map((first, second), rows, "lstsq").source, expected, atol=1e-10)
    assert fit_map((first, second), rows, "procrustes").source.shape == (7, 5)


def test_too_few_pairs_are_announced():
    random = np.random.default_rng(1)
    first, second = random.normal(size=(80, 20)), random.normal(size=(80, 20))
    assert "determine only 12 of 20" in fit_map((first, second), (np.arange(12), np.arange(12)), "lstsq").announcement


def test_any_translation_is_right_and_every_word_with_an_anchor_is_a_candidate():
    first = np.array([[1, 0], [0.9, 0.1], [0, 1], [0, 0]], dtype=np.float32)
    second = np.array([[2, 0.2], [0, 3]], dtype=np.float32)
    pairs = np.array([[0, 0], [1, 0], [0, 1]])
    found = judge_map((first, second), (pairs[:, 0], pairs[:, 1]), None)
    assert found.hits.tolist() == [True, False]
