"""Unigram subwords: the same on every run, room for small languages, special subwords where XLM-R has them."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

from lexenc.encoders.unigram import (
    _best_counts,
    _expected,
    _Lattice,
    _Text,
    fit_unigram,
    smoothed_shares,
    train_language_tokenizer,
)
from lexenc.errors import ConfigError, DataError

EN = [f"the {word} is here and a {word} was there" for word in "house dog cat tree water fire stone bread".split()]
SW = [f"{word} iko hapa na {word} ilikuwa pale" for word in "nyumba mbwa paka mti maji moto jiwe mkate".split()]


def made(size=120, **texts):
    return train_language_tokenizer(texts or {"en": EN * 9, "sw": SW * 9}, vocabulary_size=size)


def test_special_subwords_have_the_numbers_of_xlm_r():
    tokenizer = made()
    size = tokenizer.get_vocab_size()
    assert [tokenizer.token_to_id(each) for each in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")] == [
        0,
        1,
        2,
        3,
        size - 1,
    ]
    one, other = (tokenizer.encode(text, add_special_tokens=False).ids for text in ("the dog", "a cat"))
    assert tokenizer.encode("the dog").ids == [0, *one, 2]
    assert tokenizer.encode("the dog", "a cat").ids == [0, *one, 2, 2, *other, 2]
    assert tokenizer.encode("the <mask> is").ids.count(size - 1) == 1


def test_text_comes_back_and_frequent_words_are_one_subword():
    tokenizer = made(200)
    text = "the dog is here"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.encode("the dog", add_special_tokens=False).tokens == ["▁the", "▁dog"]


def test_compatible_forms_are_one_and_signs_are_apart():
    tokenizer = made(200)
    assert tokenizer.encode("ｔｈｅ dog").ids == tokenizer.encode("the dog").ids
    tokens = train_language_tokenizer({"en": ["dog, dog. dog7"] * 20}, vocabulary_size=30).encode("dog, dog7").tokens
    assert tokens == ["<s>", "▁dog", ",", "▁dog", "7", "</s>"]


def test_processes_learn_the_same():
    code = "from tests.unit.encoders.test_unigram import made; print(made().to_str())"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert json.loads(runs[0]) == json.loads(made().to_str())


def test_small_language_gets_its_share_of_the_vocabulary():
    draw = np.random.default_rng(0)

    def words(letters, count):
        return ["".join(draw.choice(list(letters), 5)) for _ in range(count)]

    large, small = words("abcdefgh", 400), words("стуфхцчш", 40)
    texts = {"large": large * 40, "small": small * 4}

    def share(exponent):
        found = train_language_tokenizer(texts, vocabulary_size=260, exponent=exponent).get_vocab()
        return np.mean([any("а" <= sign <= "я" for sign in piece) for piece in found])

    assert share(0.0) > 1.5 * share(1.0)


def test_shares():
    assert smoothed_shares({"a": 90, "b": 10}, 1.0) == pytest.approx({"a": 0.9, "b": 0.1})
    assert smoothed_shares({"a": 90, "b": 10}, 0.0) == pytest.approx({"a": 0.5, "b": 0.5})
    one, other = 0.9**0.3, 0.1**0.3
    assert smoothed_shares({"a": 90, "b": 10}, 0.3)["b"] == pytest.approx(other / (one + other))
    assert smoothed_shares({"a": 9, "b": 0}, 0.3) == pytest.approx({"a": 1.0, "b": 0.0})


def test_expected_and_best_counts_are_those_of_all_ways_to_split():
    words = {"abab": 3.0, "aba": 2.0, "bb": 1.0}
    lattice = _Lattice.of(_Text.of(words), most=5)
    names = [lattice.text(piece) for piece in range(len(lattice.scores))]
    scores = dict(zip(names, lattice.scores.tolist(), strict=True))
    expected, best = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for word, weight in words.items():
        places = (cuts for number in range(len(word)) for cuts in itertools.combinations(range(1, len(word)), number))
        ways = [[word[i:j] for i, j in itertools.pairwise([0, *cuts, len(word)])] for cuts in places]
        ways = [way for way in ways if all(piece in scores for piece in way)]
        chances = np.exp([sum(scores[piece] for piece in way) for way in ways])
        for way, chance in zip(ways, chances / chances.sum(), strict=True):
            for piece in way:
                expected[piece] += weight * chance
        for piece in ways[int(chances.argmax())]:
            best[piece] += weight
    assert lattice.expected() == pytest.approx(np.array(list(expected.values())))
    assert _best_counts(*lattice._parts) == pytest.approx(np.array(list(best.values())))
    assert "aba" in names
    assert _expected(*lattice._parts).sum() == pytest.approx(sum(expected.values()))


def test_repeated_words_become_subwords_and_their_parts_do_not():
    found = dict(fit_unigram({"▁hello": 50.0, "▁help": 30.0, "▁x": 1.0}, 12))
    assert "▁hello" in found
    assert "ello" not in found
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_rare_characters_are_unknown():
    lines = ["the dog is here"] * 3000 + ["Ж"]
    tokenizer = train_language_tokenizer({"en": lines}, vocabulary_size=40)
    assert tokenizer.encode("Ж", add_special_tokens=False).ids[-1] == 3


def test_text_without_words_and_a_vocabulary_without_room_are_refused():
    with pytest.raises(DataError, match="no words"):
        made(en=["", "  "])
    with pytest.raises(ConfigError, match="frequent characters"):
        made(12)


@pytest.mark.parametrize(
    "lines", [["a"], ["日本語の文章です"], ["हिन्दी में एक वाक्य"], ["1 2 3"], ["💡 ▁ \u200b x"], ["x" * 5000]]
)
def test_any_text_gives_a_tokenizer(lines):
    tokenizer = train_language_tokenizer({"xx": lines}, vocabulary_size=100)
    assert 5 < tokenizer.get_vocab_size() <= 100
    assert tokenizer.encode(lines[0]).ids
