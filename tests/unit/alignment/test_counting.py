"""The lexicon of an aligned corpus: counts and shares by hand, and in parts."""

from __future__ import annotations

from lexenc.alignment import counting
from lexenc.alignment.counting import LinkCounts, WordNumbers

LINKS = [(0, 0), (0, 0), (0, 1), (1, 1), (0, 0)]
WORDS = ["house", "home"], ["haus", "heim"]


def counted(*parts):
    """Count links of one sentence pair in parts."""
    counts = LinkCounts(WordNumbers(), WordNumbers())
    for part in parts:
        counts.add([WORDS], [part])
    return counts


def test_shares_by_hand():
    assert list(counted(LINKS).lexicon()) == [
        ("house", "haus", 0.75, 1.0, 3),
        ("house", "heim", 0.25, 0.5, 1),
        ("home", "heim", 1.0, 0.5, 1),
    ]


def test_rare_and_improbable_pairs_can_be_left_out():
    assert [target for _, target, *_ in counted(LINKS).lexicon(min_count=2)] == ["haus"]
    assert [share for _, _, share, *_ in counted(LINKS).lexicon(min_probability=0.5)] == [0.75, 1.0]


def test_counting_in_parts_is_counting_at_once(monkeypatch):
    monkeypatch.setattr(counting, "_WAITING", 2)
    in_parts = counted(LINKS[:2], [], LINKS[2:3], LINKS[3:])
    assert list(in_parts.lexicon()) == list(counted(LINKS).lexicon())


def test_nothing_was_linked():
    assert list(counted().lexicon()) == []


def test_words_are_numbered_as_they_come():
    words = WordNumbers()
    assert words.numbers(["a", "b", "a"]) == [0, 1, 0]
    assert words.numbers(["c", "b"]) == [2, 1]
    assert (words.words, len(words)) == (["a", "b", "c"], 3)
    assert words.find(["c", "d"]).tolist() == [2, -1]


def test_words_of_one_form_have_one_number():
    words = WordNumbers(str.lower)
    assert words.numbers(["A", "b", "a"]) == [0, 1, 0]
    assert words.find(["B"]).tolist() == [1]
    assert words.words == ["a", "b"]
