from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc.files.dictionaries import read_pairs
from lexenc.lexical import negatives as module
from lexenc.lexical.negatives import Filter, forbidden_rows, mine_negatives
from lexenc.text.folding import fold_case


def unit(*shape, seed=0):
    rows = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def small():
    """7 anchors with 12 pairs among 60 candidates; some are barred."""
    random = np.random.default_rng(1)
    anchors, vocabulary = unit(7, 8), unit(60, 8, seed=2)
    pair_anchors = np.concatenate([np.arange(7), random.integers(0, 7, 5)])
    forbidden = [np.sort(random.choice(60, size=size, replace=False)) for size in (0, 1, 2, 3, 4, 5, 30)]
    return anchors, vocabulary, pair_anchors, random.uniform(-0.2, 1, 12), forbidden


def mine(small, wanted, seed=0):
    anchors, vocabulary, pair_anchors, positive, forbidden = small
    return mine_negatives(
        anchors, vocabulary, pair_anchors, positive,
        forbidden=forbidden, wanted=wanted, generator=np.random.default_rng(seed),
    )  # fmt: skip


def brute_force(small, wanted: Filter):
    """Every candidate scored, barred ones removed, the range cut, the filters applied, the first kept."""
    anchors, vocabulary, pair_anchors, positive, forbidden = small
    lists = []
    for anchor, own in zip(pair_anchors, positive, strict=True):
        cosines = vocabulary.astype(np.float64) @ anchors[anchor].astype(np.float64)
        order = [i for i in np.argsort(-cosines, kind="stable") if i not in forbidden[anchor]]
        order = order[wanted.range_min : wanted.range_max]
        lists.append(
            [
                i
                for i in order
                if (wanted.max_score is None or cosines[i] <= wanted.max_score)
                and (wanted.min_score is None or cosines[i] >= wanted.min_score)
                and (wanted.absolute_margin is None or cosines[i] <= own - wanted.absolute_margin)
                and (wanted.relative_margin is None or cosines[i] <= own * (1 - wanted.relative_margin))
            ]
        )
    return lists


FILTERS = [
    Filter(),
    Filter(count=1),
    Filter(count=3, range_min=5),
    Filter(count=3, range_max=4),
    Filter(count=4, range_min=2, range_max=9),
    Filter(count=3, max_score=0.1),
    Filter(count=3, max_score=-0.3),
    Filter(count=5, min_score=0.45),
    Filter(count=3, absolute_margin=0.1),
    Filter(count=3, absolute_margin=0.0, range_min=1),
    Filter(count=3, relative_margin=0.5),
    Filter(count=3, relative_margin=0.5, max_score=0.2, min_score=0.0, range_max=30),
    Filter(count=60),
]


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_negatives_equal_brute_force(small, wanted):
    mined = mine(small, wanted)
    expected = brute_force(small, wanted)
    assert [own.tolist() for own in mined.rows] == [own[: wanted.count] for own in expected]
    anchors, vocabulary, pair_anchors, *_ = small
    for anchor, rows, scores in zip(pair_anchors, mined.rows, mined.scores, strict=True):
        np.testing.assert_allclose(scores, vocabulary[rows] @ anchors[anchor], atol=1e-6)
        assert (np.diff(scores) <= 0).all()
    assert min(map(len, mined.rows)) == min(len(own[: wanted.count]) for own in expected)


def test_negatives_options_change_the_list(small):
    for wanted in FILTERS:
        if wanted.selective or wanted.range_min:
            plain = [own.tolist() for own in mine(small, Filter(count=wanted.count)).rows]
            assert [own.tolist() for own in mine(small, wanted).rows] != plain, wanted


def test_negatives_exactly_so_many_and_never_twice(small):
    for own in mine(small, Filter(count=10)).rows:
        assert len(own) == len(set(own.tolist())) == 10


def test_negatives_short_rows_where_the_vocabulary_is_too_small(small):
    sizes = [len(own) for own in mine(small, Filter(count=60)).rows]
    assert sizes == [60 - len(small[4][anchor]) for anchor in small[2]]


def test_negatives_of_nothing():
    nobody = mine((unit(1, 4), unit(5, 4), np.zeros(0, dtype=np.int64), np.zeros(0), [[]]), Filter(count=2))
    assert (nobody.rows, nobody.scores) == ([], [])
    empty = mine((unit(1, 4), unit(0, 4), np.array([0]), np.array([0.5]), [[]]), Filter(count=2))
    assert [own.tolist() for own in empty.rows] == [[]]


def test_negatives_are_sought_deeper_where_the_nearest_do_not_do(monkeypatch):
    depths = []
    real = module.top_k
    monkeypatch.setattr(module, "top_k", lambda *more, k, **rest: depths.append(k) or real(*more, k=k, **rest))
    # 300 candidates next to the anchor, then ten farther away.
    near, far = np.tile([[1.0, 0.0]], (300, 1)), np.tile([[0.6, 0.8]], (10, 1))
    vocabulary = np.concatenate([near, far]).astype(np.float32)
    anchors = np.array([[1.0, 0.0], [0.6, 0.8]], dtype=np.float32)
    small = anchors, vocabulary, np.array([0, 1]), np.array([1.0, 0.6]), [np.zeros(0, dtype=np.int64)] * 2
    mined = mine(small, Filter(count=3, absolute_margin=0.2))
    assert mined.rows[0].tolist() == [300, 301, 302]
    assert mined.rows[1].tolist() == []
    assert depths == sorted(depths)
    assert len(depths) > 2
    assert depths[0] <= 12


def test_negatives_depth_has_an_end(monkeypatch):
    monkeypatch.setattr(module, "_DEEPEST", 20)
    vocabulary = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (300, 1))
    small = vocabulary[:1], vocabulary, np.array([0]), np.array([1.0]), [np.zeros(0, dtype=np.int64)]
    assert min(map(len, mine(small, Filter(count=3, max_score=0.5)).rows)) == 0


# ---------------------------------------------------------------- random choice


def test_negatives_random_choice_is_reproducible_and_within_the_range(small):
    wanted = Filter(count=4, range_min=2, range_max=20, sampling="random")
    mined = mine(small, wanted)
    again, other = mine(small, wanted), mine(small, wanted, seed=1)
    assert [own.tolist() for own in mined.rows] == [own.tolist() for own in again.rows]
    assert [own.tolist() for own in mined.rows] != [own.tolist() for own in other.rows]
    for own, allowed in zip(mined.rows, brute_force(small, wanted), strict=True):
        assert len(set(own.tolist())) == 4
        assert set(own.tolist()) <= set(allowed)


def test_negatives_random_choice_is_even(small):
    wanted = Filter(count=3, range_max=10, sampling="random")
    drawn = Counter(i for seed in range(300) for i in mine(small, wanted, seed=seed).rows[0].tolist())
    assert sorted(drawn) == sorted(brute_force(small, wanted)[0])
    assert all(50 <= times <= 130 for times in drawn.values())  # 90 expected


def test_negatives_random_choice_takes_all_where_there_are_few(small):
    wanted = Filter(count=9, range_max=5, sampling="random")
    assert [own.tolist() for own in mine(small, wanted).rows] == brute_force(small, wanted)


# ---------------------------------------------------------------- forbidden words


def barred(anchors, pairs, vocabulary, source=None, target=None):
    fold_anchor, fold_word = (partial(fold_case, language=code) for code in (source, target))
    table: dict[str, set[str]] = {}
    for left, right in pairs:
        table.setdefault(fold_anchor(left), set()).add(fold_word(right))
    rows = forbidden_rows(anchors, table, vocabulary, fold_anchor, fold_word)
    return [[vocabulary[i] for i in own] for own in rows]


def test_negatives_no_translation_of_the_anchor_and_not_the_anchor_in_any_case():
    pairs = [("Haus", "House"), ("haus", "HOME"), ("Taxi", "cab"), ("HAUS", "building site")]
    vocabulary = ["house", "House", "haus", "HAUS", "home", "cab", "taxi", "building site", "building"]
    assert barred(["Haus", "Taxi", "Auto"], pairs, vocabulary) == [
        ["house", "House", "haus", "HAUS", "home", "building site"],
        ["cab", "taxi"],
        [],
    ]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # Turkish anchors: KADIN is kadın; the English word of the same letters is barred too.
        ("tr", None, [["woman", "WOMAN", "kadın", "KADIN"], ["to watch", "izlemek"]]),
        (None, None, [["woman", "WOMAN", "KADIN"], ["to watch"]]),
    ],
)
def test_negatives_forbidden_words_of_turkish_anchors(source, target, expected):
    vocabulary = ["woman", "WOMAN", "kadın", "KADIN", "to watch", "izlemek", "other"]
    found = barred(
        ["KADIN", "İzlemek"],
        [("KADIN", "Woman"), ("İZLEMEK", "to watch"), ("İzlemek", "To watch")],
        vocabulary,
        source,
        target,
    )
    assert found == expected


def test_negatives_forbidden_words_of_turkish_candidates():
    vocabulary = ["KADIN", "kadın", "kadin", "IŞIK", "ışık", "taxi", "TAXI"]
    assert barred(["Woman", "Taxi"], [("woman", "KADIN"), ("WOMAN", "ışık")], vocabulary, None, "tr") == [
        ["KADIN", "kadın", "IŞIK", "ışık"],
        ["taxi"],  # TAXI is taxı in Turkish
    ]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abAB"), st.sampled_from("bcBCd")), max_size=6),
    st.lists(st.sampled_from("abcdABCD"), unique=True),
)
def test_negatives_forbidden_rows_equal_a_loop(pairs, vocabulary):
    anchors = list(dict.fromkeys(left for left, _ in pairs))
    expected = [
        [
            w
            for w in vocabulary
            if w.lower() == a.lower() or any((a.lower(), w.lower()) == (s.lower(), t.lower()) for s, t in pairs)
        ]
        for a in anchors
    ]
    assert barred(anchors, pairs, vocabulary) == expected


@pytest.mark.data
def test_negatives_of_real_pairs_hold_no_translation(data):
    """On de-fi, excluding only the paired word would let other translations through; none may come."""
    pairs = read_pairs(data / "bli" / "gt" / "de-fi" / "train.freq.5k.tsv")
    several = {source for source, targets in pairs.translations().items() if len(targets) > 1}
    pairs = pairs.chosen([row for row, source in enumerate(pairs.sources) if source in several])
    assert len(pairs) > 700
    anchors, words = list(dict.fromkeys(pairs.sources)), list(dict.fromkeys(pairs.targets))
    # Each word lies where its translations lie: the worst case, in which every nearest word is a translation.
    random = np.random.default_rng(0)
    place = {word: random.normal(size=16) for word in words}
    golds: dict[str, set[str]] = {}
    for source, target in pairs:
        golds.setdefault(source.lower(), set()).add(target.lower())
    rows = np.array([np.mean([place[t] for t in pairs.translations()[a]], axis=0) for a in anchors])
    vocabulary = np.array([place[word] for word in words])
    rows, vocabulary = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (rows, vocabulary))
    index = {word: row for row, word in enumerate(anchors)}
    pair_anchors = np.array([index[source] for source in pairs.sources])
    fold = partial(fold_case, language=None)

    def run(forbidden):
        mined = mine_negatives(
            rows, vocabulary, pair_anchors, np.ones(len(pairs)),
            forbidden=forbidden, wanted=Filter(count=10), generator=np.random.default_rng(0),
        )  # fmt: skip
        assert {len(own) for own in mined.rows} == {10}
        return sum(
            words[i].lower() in golds[source.lower()] | {source.lower()}
            for source, own in zip(pairs.sources, mined.rows, strict=True)
            for i in own
        )

    assert run(forbidden_rows(anchors, golds, words, fold, fold)) == 0
    paired_only = [np.array([words.index(pairs.translations()[anchor][0])]) for anchor in anchors]
    assert run(paired_only) > 300
