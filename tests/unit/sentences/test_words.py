from __future__ import annotations

import random
import unicodedata

import numpy as np
import pytest

from lexenc.errors import DataError
from lexenc.sentences.words import LinkedWords, link_words, subword_spans, word_places
from lexenc.text.links import Links
from lexenc.text.words import segmenter

JOINERS = "\u00ad\u200c\u200d"
HIDDEN = " \u00a0\u200e\u200b\u00ad\ud800\udcff"


def places_of(text, words):
    return [tuple(each) for each in word_places([text], [words])[0].tolist()]


def shown(text, words):
    return [text[begin:end] for begin, end in places_of(text, words)]


def offsets_of(*pairs):
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def plain_offsets(text, size=3, longest=1 << 30):
    """Cut every run between spaces into pieces of `size` characters, with a special subword at both ends."""
    pairs, begin = [(-1, -1)], 0
    for run in text.split(" "):
        pairs += [(begin + k, begin + min(k + size, len(run))) for k in range(0, len(run), size)]
        begin += len(run) + 1
    return offsets_of(*pairs[: longest - 1], (-1, -1))


# ---------------------------------------------------------------- words in the text


def test_words_are_found_in_their_order():
    assert places_of("the cat, the dog", ["the", "cat", ",", "the", "dog"]) == [
        (0, 3), (4, 7), (7, 8), (9, 12), (13, 16)
    ]  # fmt: skip


@pytest.mark.parametrize("segmentation", ["words", "spaces", "characters"])
def test_words_of_every_segmentation_are_found(segmentation):
    texts = [
        "Don’t  worry\u00a0(10\u00a0000) — it’s\u200b fine.", "私は猫です。", "नमस्ते, दुनिया!",
        "e\u0301te\u0301 a\u00ad b",
        "", " \u200e ", "a\ud800b \udcff c", "👩‍👩‍👧 🇩🇪!", "ﬁne ½ cup", "ßß İI", "한국어 \u1112\u1161\u11ab",
    ]  # fmt: skip
    words = [segmenter(segmentation)(text) for text in texts]
    found = word_places(texts, words)
    for row, (text, each) in enumerate(zip(texts, words, strict=True)):
        for word, (begin, end) in zip(each, found[row].tolist(), strict=True):
            assert text[begin:end].strip(HIDDEN) == word.strip(HIDDEN), text


def test_spaces_case_and_unicode_form_may_differ():
    text = "Caf\u00e9  au\u00a0lait ﬁn ＡＢＣ"
    words = unicodedata.normalize("NFD", "cafe\u0301 AULAIT fin abc").split()
    assert shown(text, words) == ["Caf\u00e9", "au\u00a0lait", "ﬁn", "ＡＢＣ"]
    assert shown("e\u0301a", ["\u00e9", "a"]) == ["e\u0301", "a"]
    # Marks in another order than the canonical one.
    assert shown("q\u0307\u0323 x", ["q\u0323\u0307", "x"]) == ["q\u0307\u0323", "x"]
    assert shown("ΟΔΟΣ", ["οδος"]) == ["ΟΔΟΣ"]


def test_signs_may_be_missing_but_letters_may_not():
    assert shown("«Yes», he said.", ["Yes", "he", "said"]) == ["Yes", "he", "said"]
    with pytest.raises(DataError, match=r"sentence 1: the word 'said' does not occur in 'Yes he was'") as raised:
        places_of("Yes he was", ["Yes", "he", "said"])
    assert "other sentences" in raised.value.hint
    with pytest.raises(DataError, match="the word 'cat' does not occur"):
        places_of("the dog and the cat", ["the", "cat"])
    with pytest.raises(DataError, match="no word of the alignment stands for 'cat'"):
        places_of("the cat", ["the"])
    with pytest.raises(DataError, match=r"in file\.txt, line 7: the word 'b'"):
        word_places(["a", "a"], [["a"], ["b"]], lambda row: f"in file.txt, line {6 + row}")


def test_words_without_a_visible_character_have_no_place():
    assert places_of("a \u00a0 b", ["a", "\u00a0", "b"]) == [(0, 1), (0, 0), (4, 5)]
    assert word_places([], []).lengths.tolist() == []
    assert word_places(["", "a"], [[], ["a"]]).lengths.tolist() == [0, 1]


# ---------------------------------------------------------------- subwords of words


def spans_of(text, words, offsets, longest=1 << 30):
    spans, cut = subword_spans(word_places([text], [words]), [text], [offsets], longest=longest)
    return [tuple(each) for each in spans[0].tolist()], cut.tolist()


def test_a_word_has_the_subwords_that_stand_for_its_characters():
    offsets = offsets_of((-1, -1), (0, 3), (3, 5), (5, 6), (7, 8), (-1, -1))
    assert spans_of("thing, b", ["thing", ",", "b"], offsets)[0] == [(1, 3), (3, 4), (4, 5)]


def test_a_subword_of_two_words_belongs_to_the_first():
    assert spans_of("thing, b", ["thing", ",", "b"], offsets_of((0, 4), (4, 6), (7, 8)))[0] == [(0, 2), (0, 0), (2, 3)]
    # A subword with the sign before its word, which the alignment does not have.
    assert spans_of("«thing", ["thing"], offsets_of((0, 3), (3, 6)))[0] == [(0, 2)]
    assert spans_of("«thing", ["thing"], offsets_of((0, 1), (1, 6)))[0] == [(1, 2)]


def test_a_subword_that_is_only_a_space_belongs_to_the_word_after_it():
    text, words = "a , b", ["a", ",", "b"]
    assert spans_of(text, words, offsets_of((0, 1), (1, 1), (2, 3), (4, 5)))[0] == [(0, 1), (1, 3), (3, 4)]
    assert spans_of(text, words, offsets_of((0, 1), (1, 1), (1, 1), (2, 3), (4, 5)))[0] == [(0, 1), (1, 4), (4, 5)]
    # Inside a word, at the end of the text, or before what is no word.
    assert spans_of(text, ["a,b"], offsets_of((0, 1), (1, 1), (2, 3), (4, 5)))[0] == [(0, 4)]
    assert spans_of("a ", ["a"], offsets_of((0, 1), (1, 1), (-1, -1)))[0] == [(0, 1)]
    assert spans_of("a »b", ["a", "b"], offsets_of((0, 1), (1, 1), (2, 3), (3, 4)))[0] == [(0, 1), (3, 4)]
    spans, _ = subword_spans(
        word_places(["a ", "b"], [["a"], ["b"]]), ["a ", "b"], [offsets_of((0, 1), (1, 1)), offsets_of((0, 1))],
        longest=9,
    )  # fmt: skip
    assert spans.values.tolist() == [[0, 1], [0, 1]]


def test_several_subwords_of_one_character():
    assert spans_of("a猫b", ["a", "猫", "b"], offsets_of((0, 1), (1, 2), (1, 2), (1, 2), (2, 3)))[0] == [
        (0, 1), (1, 4), (4, 5)
    ]  # fmt: skip


def test_words_that_are_cut_off_have_no_subwords():
    text, words = "one three five", ["one", "three", "five"]
    offsets = offsets_of((-1, -1), (0, 3), (4, 6), (-1, -1))
    assert spans_of(text, words, offsets, longest=4) == ([(1, 2), (0, 0), (0, 0)], [False, True, True])
    # The tokenizer had room left: the rest has no subwords, but is not cut off.
    assert spans_of(text, words, offsets, longest=5)[1] == [False] * 3
    offsets = offsets_of((-1, -1), (0, 3), (4, 7), (7, 9), (-1, -1))
    assert spans_of(text, words, offsets, longest=5) == ([(1, 2), (2, 4), (0, 0)], [False, False, True])
    # Cut off at the beginning.
    offsets = offsets_of((-1, -1), (6, 9), (10, 14), (-1, -1))
    assert spans_of(text, words, offsets, longest=4) == ([(0, 0), (0, 0), (2, 3)], [True, True, False])
    # The last character has lost subwords, or not: this cannot be known.
    offsets = offsets_of((0, 1), (1, 2), (1, 2))
    assert spans_of("a猫b", ["a", "猫", "b"], offsets, longest=3) == ([(0, 1), (0, 0), (0, 0)], [False, True, True])


# ---------------------------------------------------------------- links


def linked(sentences, links, *, longest=1 << 30, size=3, **settings):
    texts = tuple([pair[side] for pair in sentences] for side in (0, 1))
    words = tuple([text.split() for text in side] for side in texts)
    offsets = tuple([plain_offsets(text, size, longest) for text in side] for side in texts)
    return link_words(texts, words, Links.of(links), offsets, longest=longest, **settings)


def pairs_of(found, row=0, *, backward=False):
    _, words, others = found.dictionary(np.array([row]), backward=backward)
    return list(zip(words.tolist(), others.tolist(), strict=True))


def test_links_keep_the_best_translation_of_each_word_in_each_direction():
    found = linked([("a b c", "x y z")], [[(0, 0, 0.9), (0, 1, 0.8), (1, 1, 0.7), (2, 1, 0.6)]])
    assert pairs_of(found) == [(0, 0), (1, 1), (2, 1)]
    assert pairs_of(found, backward=True) == [(0, 0), (1, 0)]
    assert found.counts["not_chosen"] == 0
    found = linked([("a b", "x y")], [[(0, 0, 0.9), (1, 1, 0.9), (0, 1, 0.8)]])
    assert (pairs_of(found), found.counts["not_chosen"]) == ([(0, 0), (1, 1)], 1)
    assert found.links.values.tolist() == [[0, 0], [0, 1], [1, 1]]


def test_ties_are_broken_by_relative_position_then_by_order():
    # |1/3 - j/6|: 2 is exact, 1 and 3 are equally far.
    sentence = ("a b c", "u v w x y z")
    assert pairs_of(linked([sentence], [[(1, 3, 0.5), (1, 2, 0.5)]])) == [(1, 2)]
    assert pairs_of(linked([sentence], [[(1, 3, 0.5), (1, 1, 0.5)]])) == [(1, 1)]
    assert pairs_of(linked([sentence], [[(0, 2, 0.5), (2, 2, 0.5)]]), backward=True) == [(2, 0)]
    assert pairs_of(linked([sentence], [[(1, 5, 0.6), (1, 2, 0.5)]])) == [(1, 5)]


def test_dictionaries_equal_a_loop():
    draw = random.Random(5)
    sentences = [(" ".join("a" * draw.randint(1, 9)), " ".join("b" * draw.randint(1, 9))) for _ in range(60)]
    links = [[(draw.randrange((len(x) + 1) // 2), draw.randrange((len(y) + 1) // 2), draw.choice([0.0, 0.3, 0.5, 0.9]))
              for _ in range(draw.randint(0, 15))] for x, y in sentences]  # fmt: skip
    found = linked(sentences, links, min_score=0.4)
    for row, ((x, y), each) in enumerate(zip(sentences, links, strict=True)):
        m, n = (len(x) + 1) // 2, (len(y) + 1) // 2
        forward, backward = {}, {}
        for i, j, score in each:
            if score >= 0.4:
                key = (-score, abs(i * n - j * m))
                forward[i] = min(forward.get(i, (9,)), (*key, j))
                backward[j] = min(backward.get(j, (9,)), (*key, i))
        assert pairs_of(found, row) == [(i, forward[i][2]) for i in sorted(forward)]
        assert sorted(pairs_of(found, row, backward=True)) == [(j, backward[j][2]) for j in sorted(backward)]


def test_what_is_left_out_is_counted_by_reason():
    # Six letters are two subwords; the fourth subword of the source is cut off.
    links = [[(0, 0, 0.9), (0, 1, 0.3), (1, 1, 0.8), (2, 0, 0.7), (2, 2, 0.9)], []]
    found = linked([("aaa bbbbbb ccc", "x y z"), ("a", "b")], links, longest=5, min_score=0.5)
    assert dict(found.counts) == {
        "links": 5, "below_score": 1, "cut_off": 2, "without_subwords": 0, "not_chosen": 0
    }  # fmt: skip
    assert found.source[0].tolist() == [[1, 2], [2, 4]]
    assert pairs_of(found) == [(0, 0), (1, 1)]
    assert pairs_of(found, 1) == []


def test_words_without_subwords_have_no_number():
    texts, words = (["a b c"], ["x"]), ([["a", "b", "c"]], [["x"]])
    offsets = ([offsets_of((0, 1), (4, 5))], [offsets_of((0, 1))])
    links = Links.of([[(0, 0, 0.5), (1, 0, 0.9), (2, 0, 0.7)]])
    found = link_words(texts, words, links, offsets, longest=9)
    assert found.source[0].tolist() == [[0, 1], [1, 2]]
    assert pairs_of(found) == [(0, 0), (1, 0)]
    assert pairs_of(found, backward=True) == [], "x has chosen b"
    assert found.counts["without_subwords"] == 1


def test_a_mean_of_two_directions_keeps_the_same_links_as_their_sum():
    draw = np.random.default_rng(0)
    sums = np.round(draw.random((20, 2)).sum(1), 3)
    sums[0] = 0.9
    sentences = [(" ".join("a" * 20), " ".join("b" * 20))]
    by_sum = [i for i, score in enumerate(sums) if score >= 0.9]
    found = linked(sentences, [[(i, i, float(np.float32(score / 2))) for i, score in enumerate(sums)]], min_score=0.45)
    assert [i for i, _ in pairs_of(found)] == by_sum


def test_links_past_the_end_of_a_sentence_are_refused():
    with pytest.raises(DataError, match=r"sentence pair 1: a link is of target word 1, counted from 0, .* 1 words"):
        linked([("a", "b")], [[(0, 1, 0.5)]])


def test_parts_are_joined_and_placed_among_other_rows():
    sentences, links = [("a b", "x"), ("c", "y z")], [[(1, 0, 0.9)], [(0, 1, 0.9)]]
    whole = linked(sentences, links)
    parts = [linked(sentences[k : k + 1], links[k : k + 1]) for k in (0, 1)]
    joined = LinkedWords.joined(parts)
    for name in ("source", "target", "links"):
        one, other = getattr(joined, name), getattr(whole, name)
        assert (one.starts == other.starts).all()
        assert (one.values == other.values).all()
    assert joined.counts == whole.counts
    placed = joined.placed(np.array([1, 3]), 5)
    assert len(placed) == 5
    owners, words, others = placed.dictionary(np.array([0, 3, 1]))
    assert (owners.tolist(), words.tolist(), others.tolist()) == ([1, 2], [0, 1], [1, 0])


def test_no_sentence_at_all():
    found = link_words(([], []), ([], []), Links.of([]), ([], []), longest=9)
    assert (len(found), len(found.placed(np.zeros(0, dtype=np.int64), 3))) == (0, 3)


@pytest.mark.data
def test_words_of_real_sentences_are_found_in_36_languages(data):
    count = 0
    for path in sorted((data / "tatoeba").glob("*")):
        texts = path.read_text(encoding="utf-8").splitlines()[:200]
        words = [segmenter("words")(text) for text in texts]
        places = word_places(texts, words)
        for row, (text, each) in enumerate(zip(texts, words, strict=True)):
            found = [text[begin:end] for begin, end in places[row].tolist()]
            assert found == [word.strip(JOINERS) for word in each], path.name
            count += len(each)
    assert count > 20_000
