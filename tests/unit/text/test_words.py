"""Texts cut into words: every policy by example, and nothing lost."""

from __future__ import annotations

import sys
import types
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.errors import ConfigError
from lexenc.text.words import SEGMENTATIONS, in_context, segmenter, spacing_of


def cut(name, text, language=None):
    return segmenter(name, language)(text)


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("don't stop-it ’90s", ["don't", "stop-it", "’", "90s"]),
        ("'quoted' rock- -n", ["'", "quoted", "'", "rock", "-", "-", "n"]),
        ("1,234.5 at 10:30, 3.", ["1,234.5", "at", "10:30", ",", "3", "."]),
        ("a.b U.S. v1.2", ["a", ".", "b", "U", ".", "S", ".", "v1.2"]),
        ("e\u0301te\u0301 «naïve»...", ["e\u0301te\u0301", "«", "naïve", "»", ".", ".", "."]),
        ("हिन्दी में।", ["हिन्दी", "में", "।"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("한국어를 씁니다.", ["한국어를", "씁니다", "."]),
        ("x_y #tag", ["x", "_", "y", "#", "tag"]),
        ("👨\u200d👩\u200d👧 👍🏽❤\ufe0f🇩🇪🇫🇷", ["👨\u200d👩\u200d👧", "👍🏽", "❤\ufe0f", "🇩🇪", "🇫🇷"]),
        ("\u200bx\u200by \ufeffz\x00 \u200d", ["x", "y", "z"]),
        ("10\xa0000\u3000x", ["10", "000", "x"]),
        ("𐐷𐑊 𝔸1", ["𐐷𐑊", "𝔸1"]),
        ("co\xadop", ["co\xadop"]),
        (" \t\n", []),
        ("", []),
    ],
)
def test_words_and_signs(text, words):
    assert cut("words", text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我爱NLP 2024年", ["我", "爱", "NLP", "2024", "年"]),
        ("カタカナー ｶﾞと漢字々", ["カ", "タ", "カ", "ナー", "ｶﾞ", "と", "漢", "字", "々"]),
        ("ไทยน้ำ", ["ไ", "ท", "ย", "น้ำ"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
    ],
)
def test_scripts_without_spaces_are_cut_into_characters(text, words):
    assert cut("words", text) == words


def test_elision_ends_a_word_in_the_languages_that_have_it():
    text = "L'eau d’or, l' homme 'x' est-ce n'"
    words = ["L'", "eau", "d’", "or", ",", "l", "'", "homme", "'", "x", "'", "est-ce", "n", "'"]
    assert cut("words", text, "fr") == cut("words", text, "fr-CA") == cut("words", text, "ITA") == words
    assert cut("words", text)[:2] == cut("words", text, "de")[:2] == ["L'eau", "d’or"]


# ---------------------------------------------------------------- the others


def test_spaces_part_words_and_nothing_else_does():
    assert cut("spaces", "  don ' t \t10\xa0000  a,b ") == ["don", "'", "t", "10\xa0000", "a,b"]
    assert cut("spaces", " ") == []


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("a e\u0301\tx", ["a", "e\u0301", "x"]),
        ("漢字 か\u3099ｶﾞ", ["漢", "字", "か\u3099", "ｶﾞ"]),
        ("น้ำไทย", ["น้ำ", "ไ", "ท", "ย"]),
        (unicodedata.normalize("NFD", "각한"), [unicodedata.normalize("NFD", each) for each in "각한"]),
        ("👩\u200d🚀🇯🇵👍🏿", ["👩\u200d🚀", "🇯🇵", "👍🏿"]),
        ("\u200b\x01", []),
    ],
)
def test_characters_are_what_people_see_as_one(text, characters):
    assert cut("characters", text) == characters


def test_spacy_cuts_by_its_own_rules(monkeypatch):
    asked = []

    def blank(language):
        asked.append(language)
        if language == "xx":
            raise ImportError("[E048] Can't import\nlanguage xx")
        return types.SimpleNamespace(tokenizer=lambda text: [types.SimpleNamespace(text=each)
                                                             for each in ("do", "n't", "  ", "New York")])  # fmt: skip

    monkeypatch.setitem(sys.modules, "spacy", types.SimpleNamespace(blank=blank))
    assert cut("spacy", "whatever", "en-GB") == ["do", "n't", "New", "York"]
    assert asked == ["en"]
    with pytest.raises(ConfigError, match=r"spaCy cannot split 'xx' into words: \[E048\] Can't import language xx\."):
        segmenter("spacy", "xx")


def test_spacy_that_is_not_there_has_a_hint(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(ConfigError) as caught:
        segmenter("spacy", "en")
    assert "pip install spacy" in caught.value.hint


def test_spacy_needs_a_language():
    with pytest.raises(ConfigError, match="depend on the language"):
        segmenter("spacy")


def test_unknown_ways_are_refused():
    with pytest.raises(ConfigError) as caught:
        segmenter("word")
    assert caught.value.hint == "Did you mean 'words'?"


# ---------------------------------------------------------------- where texts have spaces


@pytest.mark.parametrize(("texts", "spacing"), [
    (["the dog barks .", "i can 't , he said ."], "tokenised"),
    (["The dog barks.", "I can't, he said."], "written"),
    (["Où est-il ?", "Il dort, là."], "written"),
    (["Mr. Smith sleeps .", "the U.S. and , e.g. , France ."], "tokenised"),
    (["ఇది నా పుస్తకం.", "అది నీది."], "written"),
    (["मैं घर जाता हूँ ।"], "tokenised"),
    (["मैं घर जाता हूँ।"], "written"),
    (["هذا كتاب ، وذاك قلم ."], "tokenised"),
    (["私 は 学生 で す 。"], "tokenised"),
    (["私は学生です。", "東京 大阪間の電車に乗りました"], "unspaced"),
    (["我 去 北京"], "tokenised"),
    (["我去北京", "你好"], "unspaced"),
    (["เหลือเวลาอีกกี่ชั่วโมง กว่าจะเดินทางไปถึง"], "unspaced"),
    (["เหลือ เวลา อีก กี่ ชั่วโมง"], "tokenised"),
    (["two dogs in the snow", "a man on a bike"], "unknown"),
    ([], "unknown"),
])  # fmt: skip
def test_where_texts_have_spaces(texts, spacing):
    assert spacing_of(texts) == spacing


@pytest.mark.parametrize(("place", "shown"), [
    ((0, 1), "[a] b c …"),
    ((2, 4), "a b [c d] e"),
    ((3, 4), "… b c [d] e"),
    ((0, 5), "[a b c d e]"),
])  # fmt: skip
def test_a_word_in_its_context(place, shown):
    assert in_context("a b c d e".split(), *place, around=2) == shown


# ---------------------------------------------------------------- properties


@given(text=st.text(), name=st.sampled_from([each for each in SEGMENTATIONS if each != "spacy"]))
def test_words_are_the_text_without_spaces_and_control_characters(text, name):
    words = cut(name, text)
    assert all(words)
    assert not any(character in " \t" for word in words for character in word)
    kept = [each for each in "".join(words) if not dropped(each)]
    assert kept == [each for each in text if not dropped(each)]


def dropped(character):
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs")


@given(text=st.text())
def test_words_cut_again_at_spaces_are_the_same(text):
    words = cut("words", text)
    assert cut("spaces", " ".join(words)) == words
