"""What is said of senses, beside numbers worked out in another way."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from lexenc.evaluation.projection import leading_plane
from lexenc.text.folding import Folding
from lexenc.text.words import segmenter
from lexenc.word_senses.contexts import WordAverages, average_words, span_vectors
from lexenc.word_senses.description import good_examples, nearest_words, sense_names, typical_words
from lexenc.word_senses.occurrences import Headword, HeadwordFinder, Occurrence, Reservoir, sample_text

FOLD = Folding(True, "nfc")


class Counting:
    """Gives every word the vector (length of the word, its position); words with a digit have none."""

    def __call__(self, sentences):
        from lexenc.encoders.base import WordVectors

        rows = [(s, w, len(word)) for s, words in enumerate(sentences) for w, word in enumerate(words)
                if not any(map(str.isdigit, word))]  # fmt: skip
        counts = np.bincount([row[0] for row in rows], minlength=len(sentences))
        values = np.array([(size, place) for _, place, size in rows], dtype=np.float32).reshape(-1, 2)
        places = np.array([place for _, place, _ in rows], dtype=np.int32)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return WordVectors(values, starts, places, np.zeros(len(sentences), bool), np.zeros(len(sentences), np.int32))


def test_a_span_has_the_mean_of_its_words_and_one_without_vectors_has_none():
    vectors, has = span_vectors(Counting(), [["a", "new", "house"], ["1", "b"], ["b", "2", "ccc"]],
                                [(1, 3), (0, 1), (0, 3)])  # fmt: skip
    assert vectors.tolist() == [[4, 1.5], [0, 0], [2, 1]]
    assert has.tolist() == [True, False, True]


def test_words_are_averaged_over_all_their_occurrences():
    found = average_words(Counting(), [["The", "cat"], ["a", "the", "the", "x1"]], fold=str.lower, least=2)
    assert found.words == ["the"]
    assert found.matrix.tolist() == [[3, 1]]
    assert found.sentences == Counter({"the": 2, "cat": 1, "a": 1, "x1": 1})


def test_nearest_words_are_those_of_a_plain_loop():
    random = np.random.default_rng(0)
    table = WordAverages([f"w{i}" for i in range(20)], random.normal(size=(20, 5)).astype(np.float32), Counter(), 9)
    vectors, centre = random.normal(size=(3, 5)).astype(np.float32), random.normal(size=5).astype(np.float32)
    found = nearest_words(vectors, centre, table, top=4, without={"w3"})
    mean = table.matrix.mean(axis=0)
    for row, own in zip(vectors, found, strict=True):
        both = [(row - centre, other - mean, word) for word, other in zip(table.words, table.matrix, strict=True)]
        cosines = [(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), word) for a, b, word in both if word != "w3"]
        expected = sorted(cosines, reverse=True)[:4]
        assert [each.word for each in own] == [word for _, word in expected]
        assert [each.score for each in own] == pytest.approx([score for score, _ in expected], abs=1e-4)


def test_typical_words_have_the_likelihood_ratio_of_dunning():
    contexts = [{"river", "the"}] * 6 + [{"river"}] + [{"money", "the"}] * 5
    labels = np.array([0] * 6 + [1] + [1] * 5)
    first, second = typical_words(contexts, labels, 2, top=5, elsewhere={}, total=0)
    cells = {(0, 0): (6, 6 * 7 / 12), (1, 0): (1, 6 * 7 / 12), (1, 1): (5, 6 * 5 / 12)}
    expected = 2 * sum(seen * math.log(seen / chance) for seen, chance in cells.values())
    assert (first[0].word, first[0].score) == ("river", pytest.approx(expected, abs=0.01))
    assert [each.word for each in second] == ["money"]
    (alone,) = typical_words(contexts[:6], labels[:6], 1, top=5, elsewhere={"the": 90, "river": 1}, total=100)
    assert alone[0].word == "river", "with one sense, the text is what its sentences are compared with"


def test_examples_are_certain_and_neither_short_nor_repeated():
    def of(line, text):
        words = text.split()
        place = words.index("bank")
        return Occurrence.of(line, text, words, place, place + 1)

    texts = ["bank", "we sat on the bank today", "we sat on the bank today", "they walked along the old bank"]
    found = good_examples([of(i + 1, text) for i, text in enumerate(texts)], np.zeros(4, int),
                          np.array([1, 0.9, 0.8, 0.95]), 1, top=3)  # fmt: skip
    assert [each.line for each in found[0]] == [4, 2, 1]


def test_contexts_are_cut_at_words_and_far_words_are_left_out():
    words = [f"w{i}" for i in range(400)]
    text = "  ".join(words)
    one = Occurrence.of(7, text, words, 200, 202)
    assert (one.words[one.start : one.end], len(one.words)) == (["w200", "w201"], 258)
    assert one.form == "w200  w201"
    assert one.left.startswith("…  w")
    assert one.right.endswith(" …")
    assert len(one.left) <= 162


def test_a_reservoir_is_a_fair_sample():
    hits = Counter()
    for seed in range(300):
        reservoir = Reservoir(3, seed, "test")
        for item in range(10):
            reservoir.offer(lambda item=item: item)
        assert (len(reservoir.items), reservoir.seen) == (3, 10)
        hits.update(reservoir.items)
    assert all(55 < hits[item] < 130 for item in range(10)), "90 expected, standard deviation 8"


def test_the_search_for_lines_misses_no_headword():
    heads = {0: Headword("el", ("οδός",)), 1: Headword("el", ("é",)), 2: Headword("el", ("new", "york"))}
    lines = ["Η ΟΔΌΣ, ναι", "caf E\u0301 !", "NEW-YORK", "New York", "newyork", "York New"]
    finder = HeadwordFinder(heads, FOLD, "el")
    cut = segmenter("words", "el")
    found = [finder.find(cut(line)) for line in lines]
    assert found == [[(0, 1, 2)], [(1, 1, 2)], [], [(2, 0, 2)], [], []]
    assert all(finder.may_be_in(line) for line, own in zip(lines, found, strict=True) if own)
    assert not finder.may_be_in("κάτι άλλο")


def test_a_sample_counts_everything_and_keeps_little():
    lines = ((i, "" if i % 5 == 0 else f"the bank {i} and the bank") for i in range(1, 101))
    found = sample_text(lines, {4: Headword("en", ("bank",))}, cut=segmenter("words"), folding=FOLD, language="en",
                        most=7, sentences=9, seed=0)  # fmt: skip
    assert (found.lines, len(found.sentences.items)) == (80, 9)
    assert (found.occurrences[4].seen, len(found.occurrences[4].items)) == (160, 7)


def test_names_of_senses_have_no_spaces():
    assert sense_names("new york", 2) == ["new_york#1", "new_york#2"]
    assert sense_names("bank", 1, language="de") == ["de:bank#1"]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_plane_of_some_vectors_is_that_of_their_components(count):
    rows = np.random.default_rng(count).normal(size=(30, 6))
    places, explained = leading_plane(rows, count)
    assert places.shape == (30, 2)
    assert explained[1] >= 0
    assert explained.sum() <= 1
    if count > 2:  # distances of the first vectors are those on their own plane
        centred = rows[:count] - rows[:count].mean(axis=0)
        _, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        assert np.linalg.svd(places[:count] - places[:count].mean(axis=0))[1] == pytest.approx(sizes[:2])
    if count == 2:
        assert abs(places[0, 0] - places[1, 0]) == pytest.approx(np.linalg.norm(rows[0] - rows[1]))
