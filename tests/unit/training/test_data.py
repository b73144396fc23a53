from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc.errors import ConfigError
from lexenc.text.folding import fold_case
from lexenc.training import data as module
from lexenc.training.data import batch_of, number_pairs, store_tokens, translation_classes

WORDS = st.sampled_from(["a", "A", "b", "B", "c", "x", "X", "y", "z"])
ROWS = st.lists(st.tuples(WORDS, WORDS, st.lists(WORDS, max_size=3)), min_size=1, max_size=8)


def numbered(rows):
    return number_pairs([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def test_data_numbers_every_text_once():
    data = number_pairs(["a", "b", "a"], ["x", "a", "y"], [["b", "q"], [], ["x"]])
    assert data.texts == ["a", "b", "x", "y", "q"]
    assert [data.texts[i] for i in data.anchors] == ["a", "b", "a"]
    assert [data.texts[i] for i in data.positives] == ["x", "a", "y"]
    assert data.negatives.tolist() == [[1, 4], [-1, -1], [2, -1]]
    assert len(data) == 3


@pytest.mark.parametrize("negatives", [[], [[], []]])
def test_data_without_negatives_has_no_columns(negatives):
    data = number_pairs(["a", "b"], ["x", "y"], negatives)
    assert data.negatives.shape == (2, 0)
    batch = batch_of(data, np.array([1, 0]))
    assert batch.negatives.shape == (2, 0)
    assert batch.known_negatives.shape == (2, 2, 0)


@pytest.mark.parametrize(("sources", "targets", "negatives"), [(["a"], [], []), (["a"], ["x"], [[], []])])
def test_data_columns_of_unequal_length_are_refused(sources, targets, negatives):
    with pytest.raises(ConfigError):
        number_pairs(sources, targets, negatives)


def slow_masks(rows, chosen):
    """What must not count for whom, pair by pair and word by word."""
    known = {(source.lower(), target.lower()) for source, target, _ in rows}
    width = max(len(row[2]) for row in rows)
    positives = np.zeros((len(chosen), len(chosen)), dtype=bool)
    negatives = np.zeros((len(chosen), len(chosen), width), dtype=bool)
    for i, row in enumerate(chosen):
        anchor = rows[row][0].lower()
        for j, other in enumerate(chosen):
            positives[i, j] = i != j and (anchor, rows[other][1].lower()) in known
            for k in range(width):
                own = rows[other][2]
                negatives[i, j, k] = k >= len(own) or (anchor, own[k].lower()) in known
    return positives, negatives


@settings(max_examples=150)
@given(ROWS, st.data())
def test_data_batch_equals_a_slow_loop(rows, draw):
    data = numbered(rows)
    chosen = draw.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6))
    batch = batch_of(data, np.array(chosen))
    texts = [data.texts[i] for i in batch.texts]
    assert len(set(texts)) == len(texts)
    used = {text for i in chosen for text in (rows[i][0], rows[i][1], *rows[i][2])}
    assert set(texts) == used
    assert [texts[i] for i in batch.anchors] == [rows[i][0] for i in chosen]
    assert [texts[i] for i in batch.positives] == [rows[i][1] for i in chosen]
    for place, row in enumerate(chosen):
        own = rows[row][2]
        assert [texts[i] for i in batch.negatives[place][: len(own)]] == own
    positives, negatives = slow_masks(rows, chosen)
    np.testing.assert_array_equal(batch.known_positives, positives)
    np.testing.assert_array_equal(batch.known_negatives, negatives)
    assert not batch.known_positives.diagonal().any()


@settings(max_examples=50)
@given(ROWS)
def test_data_batch_without_masks_hides_only_what_fills_up(rows):
    data = numbered(rows)
    batch = batch_of(data, np.arange(len(rows)), mask_known=False)
    assert not batch.known_positives.any()
    for j, row in enumerate(rows):
        assert not batch.known_negatives[:, j, : len(row[2])].any()
        assert batch.known_negatives[:, j, len(row[2]) :].all()


def test_data_known_translations_come_from_the_whole_dictionary_in_any_case():
    # Row 2 is in no batch, but says that TWO is a translation of One.
    data = number_pairs(["one", "b", "One"], ["uno", "two", "TWO"], [["x"], ["Two"], ["x"]])
    batch = batch_of(data, np.array([0, 1]))
    assert batch.known_positives.tolist() == [[False, True], [False, False]]
    assert batch.known_negatives[:, :, 0].tolist() == [[False, True], [False, True]]


def test_data_folding_is_the_callers():
    rows = ["kadın", "b"], ["woman", "w"], [["x"], ["KADIN"]]
    pairs = (["w", *rows[0]], ["kadın", *rows[1]], [[], *rows[2]])
    turkish = number_pairs(*pairs, fold=partial(fold_case, language="tr"))
    assert batch_of(turkish, np.array([0, 2])).known_negatives[0, 1, 0]
    assert not batch_of(number_pairs(*pairs), np.array([0, 2])).known_negatives[0, 1, 0]


# ---------------------------------------------------------------- tokens


def test_data_token_store_gives_back_every_text(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 3)
    calls = []

    def tokenise(texts):
        calls.append(len(texts))
        return [[ord(letter) for letter in text] for text in texts]

    texts = ["abc", "", "d", "efgh", "", "i", "", ""]
    store = store_tokens(tokenise, texts)
    assert calls == [3, 3, 2]
    assert ["".join(map(chr, row)) for row in store] == texts
    assert ["".join(map(chr, row)) for row in store.take(np.array([3, 0, 3]))] == ["efgh", "abc", "efgh"]
    assert store.lengths.tolist() == [len(text) for text in texts]
    assert store.values.dtype == np.int32
    assert store_tokens(tokenise, []).lengths.tolist() == []


# ---------------------------------------------------------------- classes


def slow_classes(rows):
    """The classes of every form: a class is a form and its direct translations."""
    members = {}
    for source, target, negatives in rows:
        for text in (source, target, *negatives):
            members.setdefault(text.lower(), set()).add(text.lower())
        members[source.lower()].add(target.lower())
        members[target.lower()].add(source.lower())
    return members


@settings(max_examples=150)
@given(ROWS, st.data())
def test_classes_of_translations_mask_translations_of_one_text_and_hard_negatives(rows, draw):
    data = numbered(rows)
    data = replace(data, classes=translation_classes(data))
    chosen = draw.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6))
    batch = batch_of(data, np.array(chosen))
    members = slow_classes(rows)

    def share(one, other):
        return any(one.lower() in each and other.lower() in each for each in members.values())

    for i, row in enumerate(chosen):
        anchor = rows[row][0]
        for j, other in enumerate(chosen):
            assert batch.known_positives[i, j] == (i != j and share(anchor, rows[other][1]))
            for k in range(batch.negatives.shape[1]):
                own = rows[other][2]
                assert batch.known_negatives[i, j, k] == (k >= len(own) or share(anchor, own[k]))
    loose = batch_of(data, np.array(chosen), mask_known=False)
    assert not loose.known_positives.any()
    assert loose.known_negatives.sum() == sum(
        len(chosen) * (batch.negatives.shape[1] - len(rows[row][2])) for row in chosen
    )


def test_classes_of_translations_do_not_grow_into_chains():
    # hund and cat are linked by dog, bark and tree; only neighbours, and neighbours of one text, are masked.
    data = number_pairs(["dog", "dog", "tree", "cat"], ["hund", "bark", "bark", "katze"], [])
    data = replace(data, classes=translation_classes(data))
    found = batch_of(data, np.arange(4)).known_positives
    assert found.tolist() == [
        [False, True, True, False],
        [True, False, True, False],
        [False, True, False, False],
        [False, False, False, False],
    ]
    assert data.classes.labels.tolist() == data.folds[data.anchors].tolist()


@settings(max_examples=50)
@given(ROWS, st.data())
def test_own_texts_of_a_batch_stand_row_after_row(rows, draw):
    data = numbered(rows)
    chosen = draw.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6))
    batch, shared = (batch_of(data, np.array(chosen), own_texts=own) for own in (True, False))
    texts = [data.texts[i] for i in batch.texts]
    assert texts == [text for row in chosen for text in (rows[row][0], rows[row][1], *rows[row][2])]
    for one, other in ((batch.anchors, shared.anchors), (batch.positives, shared.positives)):
        assert batch.texts[one].tolist() == shared.texts[other].tolist()
        assert len(set(one.tolist())) == len(chosen)
    assert set(batch.anchors.tolist()).isdisjoint(batch.positives.tolist())
    for place, row in enumerate(chosen):
        assert [texts[i] for i in batch.negatives[place][: len(rows[row][2])]] == rows[row][2]
    np.testing.assert_array_equal(batch.known_positives, shared.known_positives)
    np.testing.assert_array_equal(batch.known_negatives, shared.known_negatives)


def test_classes_of_a_large_batch_take_little_time_and_memory():
    count = 2048
    texts = [[f"{kind}{i}" for i in range(count)] for kind in "abc"]
    data = number_pairs(texts[0], texts[1], [[text] for text in texts[2]])
    data = replace(data, classes=translation_classes(data))
    tracemalloc.start()
    batch = batch_of(data, np.arange(count), own_texts=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not batch.known_positives.any()
    assert not batch.known_negatives.any()
    assert peak < 100e6
