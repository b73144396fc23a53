from __future__ import annotations

import pytest

from lexenc.files.dictionaries import read_pairs
from lexenc.lexical.audit import find_leaks, repeated, several_translations, with_capitals, without_leaks
from lexenc.text.folding import Folding

LOWER = Folding(lowercase=True)


TRAIN = [("a", "x"), ("b", "y"), ("b", "z"), ("c", "w"), ("a", "x")]
TEST = [("b", "y"), ("d", "w"), ("a", "q"), ("b", "y"), ("A", "x")]


def test_audit_leaks_worked_example():
    leaks = find_leaks(TRAIN, TEST)
    assert leaks.pairs == [("b", "y")]
    assert leaks.lines == 2
    assert leaks.sources == ["b", "a"]
    assert leaks.targets == ["y", "w", "x"]


def test_audit_case_counts():
    assert find_leaks([("Haus", "house")], [("haus", "house")]).pairs == []


def test_audit_unicode_forms_do_not_count():
    composed, decomposed = ("cafe\u0301", "kaffee"), ("caf\u00e9", "kaffee")
    leaks = find_leaks([composed], [decomposed, composed])
    assert (leaks.pairs, leaks.lines, leaks.sources) == ([decomposed], 2, ["caf\u00e9"])
    assert without_leaks([composed], [decomposed], sources=False) == []


def test_audit_swapped_pairs_leak():
    train = [("x", "a"), ("b", "y"), ("radio", "radio"), ("c", "d"), ("d", "c")]
    test = [("a", "x"), ("b", "y"), ("radio", "radio"), ("a", "x"), ("c", "d"), ("new", "neu")]
    leaks = find_leaks(train, test)
    assert leaks.pairs == [("b", "y"), ("radio", "radio"), ("c", "d")]
    assert leaks.swapped == [("a", "x")], "not what leaks as it is"
    assert without_leaks([*train, ("e", "f")], test, sources=False) == [5]


@pytest.mark.parametrize(("sources", "kept"), [(False, [0, 2, 3, 4]), (True, [3])])
def test_audit_without_leaks_nothing_leaks(sources, kept):
    assert without_leaks(TRAIN, TEST, sources=sources) == kept
    leaks = find_leaks([TRAIN[i] for i in kept], TEST)
    assert leaks.pairs == []
    assert (leaks.sources == []) is sources


def test_audit_without_leaks_keeps_clean_training_data():
    assert without_leaks(TRAIN, [("e", "x")], sources=True) == list(range(len(TRAIN)))
    assert without_leaks([], TEST, sources=True) == []


def test_audit_counts():
    assert repeated(TRAIN) == 1
    assert several_translations(TRAIN) == 1
    assert with_capitals([("a", "b"), ("A", "b"), ("a", "B"), ("ß", "日")]) == 2
    assert repeated([]) == several_translations([]) == with_capitals([]) == 0


REAL = {
    "gt/de-fr": ("train.freq.5k.tsv", "test.freq.2k.tsv", 115, 347),
    "gt/en-de": ("train.freq.5k.tsv", "test.freq.2k.tsv", 0, 0),
    "panlex/bg-ca": ("bg-ca.train.5000.cc.trans", "bg-ca.test.2000.cc.trans", 14, 498),
}


@pytest.mark.data
@pytest.mark.parametrize("folder", REAL)
def test_audit_of_real_dictionaries(data, folder):
    train_name, test_name, pairs, sources = REAL[folder]
    train, test = (list(read_pairs(data / "bli" / folder / name).folded(LOWER)) for name in (train_name, test_name))
    leaks = find_leaks(train, test)
    assert (len(leaks.pairs), len(leaks.sources)) == (pairs, sources)
    kept = [train[i] for i in without_leaks(train, test, sources=True)]
    assert find_leaks(kept, test).sources == []
    assert len(kept) > len(train) // 2


@pytest.mark.data
def test_audit_every_dictionary_with_english_is_clean(data):
    folders = sorted((data / "bli" / "gt").glob("en-*"))
    assert len(folders) >= 5
    for folder in folders:
        train, test = (
            list(read_pairs(folder / name).folded(LOWER)) for name in ("train.freq.5k.tsv", "test.freq.2k.tsv")
        )
        leaks = find_leaks(train, test)
        assert (leaks.pairs, leaks.sources) == ([], []), folder.name
