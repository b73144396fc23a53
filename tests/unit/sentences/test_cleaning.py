"""Rules of cleaning, on sentences of several scripts."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.sentences.cleaning import (
    LanguageJudge,
    PairRules,
    SentenceFacts,
    nearly_copied,
    numbers_of,
    plain_form,
    repeats,
    script_of,
)

ALL = frozenset(("copies", "numbers", "lengths"))


@pytest.mark.parametrize(
    ("one", "other"),
    [("The cat!", "the  cat"), ("Straße.", "STRASSE"), ("ｃａｔ", "cat"), ("e\u0301te\u0301", "été"), ("«कि»", "कि")],
)
def test_plain_form_ignores_case_punctuation_and_spaces(one, other):
    assert plain_form(one) == plain_form(other)


def test_plain_form_keeps_letters_marks_and_what_is_only_punctuation():
    assert len({plain_form(each) for each in ("कि", "की", "का", "क", "?!", "...", "2", "3")}) == 8


@pytest.mark.parametrize(
    ("source", "target", "broken"),
    [
        ("in 1,234.5 years", "in 1.234,5 Jahren", ""),
        ("on 3/14/2010", "am 14.3.2010", ""),
        ("two cats in ٢٠١٠", "2 Katzen im Jahr 2010", ""),
        ("two cats in ٢٠١٠", "222 Katzen im Jahr 2010", "numbers"),
        ("on March 4", "am 14. März", "numbers"),
        ("two or three cats in 2010", "2 oder 3 Katzen im Jahr 2010", "numbers"),
        ("1 cat in 2010", "5 Katzen im Jahr 2010", "numbers"),
        ("from June 3, 2008 to June 6, 2008", "vom 3. bis 6. Juni 2008", ""),
        ("2 of 22 cats", "2 Katzen", ""),
        ("2 of 222 cats", "2 Katzen", "numbers"),
        ("1,200 cats", "200 Katzen", "numbers"),
        ("2.5 cats", "5 Katzen", "numbers"),
        ("a cat https://t.co/a19", "eine Katze", ""),
        ("a cat pic.twitter.com/039", "eine Katze @katze24", ""),
        ("#19 of all cats", "Nummer 19 aller Katzen", ""),
        ("cat #190", "die Katze", "numbers"),
        ("cats in ٢٠١٠", "Katzen im Jahr 2010", ""),
        ("two cats", "2 Katzen", ""),
        ("twelve cats", "12 Katzen", ""),
        ("a hundred cats", "100 Katzen", "numbers"),
        ("in 2010", "im Jahr 2011", "numbers"),
        ("Microsoft Word!", "microsoft word", "copies"),
        ("a cat", "die Katze sitzt hier, " * 8, "lengths"),
    ],
)
def test_pairs_break_rules(source, target, broken):
    facts = [SentenceFacts.of([each]) for each in (source, target)]
    zero = np.zeros(1, dtype=np.int64)
    found = PairRules(facts[0], facts[1], ALL, 1.0).broken(zero, zero)
    assert [name for name, each in found.items() if each[0]] == ([broken] if broken else [])
    assert PairRules(facts[0], facts[1], ALL, 1.0).allows(zero, zero)[0] == (not broken)


def test_numbers_in_any_script_but_not_in_addresses():
    assert numbers_of("٣/14, 2.50") == ["3", "14", "250"]
    assert numbers_of("WWW.example.org/7 at http://a.b?c=8 by @me9 on #day10 at 11") == ["11"]
    assert numbers_of("none") == []


def test_near_copies_share_more_than_half_of_their_words():
    assert nearly_copied("Open the file in the Writer menu", "Open the file im Writer Menü")
    assert not nearly_copied("Open LibreOffice Writer now please", "Jetzt bitte LibreOffice Writer öffnen")
    assert not nearly_copied("LibreOffice Writer", "LibreOffice Writer")  # too few words, and an exact copy anyway
    assert not nearly_copied("1 2 3 4 5", "1 2 3 4 5")
    assert not nearly_copied("Ada Lovelace lived in Hyde Park", "Ada Lovelace wohnte am Hyde Park")
    assert nearly_copied("Ada Lovelace, Hyde Park 2", "Ada Lovelace, Hyde Park 4")


def test_repeats_are_all_but_the_first():
    assert repeats(np.array([1, 1, 2, 1]), np.array([1, 2, 2, 1])).tolist() == [False, False, False, True]


ENGLISH, GERMAN = (
    [f"the {adjective} {noun} is {adverb} in the house" for adjective in ("small", "white", "young", "quiet")
     for noun in ("cat", "dog", "child", "woman") for adverb in ("often", "never", "always", "seldom")],
    [f"{article} ist {adverb} in dem {adjective}en Haus" for adjective in ("klein", "weiß", "alt", "ruhig")
     for article in ("die Katze", "der Hund", "das Kind", "die Frau") for adverb in ("oft", "nie", "immer", "selten")],
)  # fmt: skip


def judged(*sides):
    judge = LanguageJudge()
    for step in (judge.learn, judge.check):
        for number, texts in enumerate(sides):
            step(number, 0, texts)
    return judge, [judge.foreign(number, 0, texts) for number, texts in enumerate(sides)]


def test_sentences_of_the_other_file_and_of_other_scripts_are_found():
    junk = ["die kleine Katze ist immer in dem Haus", "кошка и собака", "12 %", "猫がいる"]
    judge, (english, german) = judged(ENGLISH + junk, [*GERMAN, "the quiet dog is always in the small house"])
    assert judge.tells_apart
    assert judge.scripts(0) == ["LATIN"]
    assert np.flatnonzero(english).tolist() == [64, 65, 67]
    assert np.flatnonzero(german).tolist() == [64]


def test_files_of_the_same_language_are_not_judged():
    judge, (one, other) = judged(ENGLISH, ENGLISH[::-1])
    assert not judge.tells_apart
    assert not one.any()
    assert not other.any()


def test_two_scripts_in_one_file_are_both_its_own():
    judge, (mixed, _) = judged(["кућа и пас", "kuća i pas"] * 30, ENGLISH)
    assert set(judge.scripts(0)) == {"CYRILLIC", "LATIN"}
    assert not mixed.any()


def test_kana_and_han_are_one_script():
    assert {script_of(each) for each in "猫がイ"} == {"CJK"}
