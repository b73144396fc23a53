from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from lexenc.files.nli import NliRow, aligned_files, nli_text
from lexenc.sentences import strategies
from lexenc.sentences.strategies import (
    TrainingRow,
    nli_rows,
    number_rows,
    parallel_rows,
    repeats,
    sample,
    unsupervised_rows,
)
from lexenc.training.data import batch_of

LANGUAGES = ("aym", "gn", "quy", "shp")


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def row(premise, hypothesis, label, language="", line=1, **more):
    return (NliRow(line, premise, hypothesis, label, language=language, **more),)


def short(rows):
    return [(each.anchor, each.positive, each.negatives) for each in rows]


# ---------------------------------------------------------------- rows


def test_parallel_rows_have_two_different_sides():
    counts = Counter[str]()
    pairs = [(1, "a", "b"), (2, "", "b"), (3, "a", ""), (4, "", ""), (5, "c", "c"), (6, "a", "b"), (7, "C", "c")]
    rows = list(parallel_rows(pairs, ("en", "sw"), counts))
    assert [(each.line, each.anchor, each.positive) for each in rows] == [(1, "a", "b"), (6, "a", "b"), (7, "C", "c")]
    assert {each.languages for each in rows} == {("en", "sw")}
    assert counts == {strategies.EMPTY: 3, strategies.SAME: 1}
    assert repeats(number_rows([rows]).data, 1) == [1]


def test_a_single_sentence_is_its_own_positive():
    counts = Counter[str]()
    rows = list(unsupervised_rows([(1, "a"), (2, ""), (3, "b"), (4, "a")], "en", counts))
    assert [each[:4] for each in rows] == [(1, "a", "a", ("en", "en")), (3, "b", "b", ("en", "en"))]
    assert counts == {strategies.EMPTY: 1, strategies.REPEATED: 1}


TABLE = [
    *row("p", "p yes", "entailment"), *row("p", "p no", "contradiction"), *row("p", "p maybe", "neutral"),
    *row("p", "p also", "entailment"), *row("q", "q yes", "entailment"), *row("r", "r no", "contradiction"),
    *row("s", "s?", ""), *row("", "t", "entailment"), *row("same", "same", "entailment"),
]  # fmt: skip
TABLE = [(each,) for each in TABLE]


@pytest.mark.parametrize("missing", ["keep", "drop", "random"])
def test_hard_negatives_contradict_the_same_premise(missing):
    counts = Counter[str]()
    rows = short(nli_rows(TABLE, counts, missing=missing, random=draws()))
    assert rows[:2] == [("p", "p yes", ("p no",)), ("p", "p also", ("p no",))]
    kept = {"keep": [("q", "q yes", ()), ("same", "same", ())], "drop": []}
    if missing == "random":
        assert {each[2][0] for each in rows[2:]} <= {"p no", "r no"}
        assert len(rows) == 4
    else:
        assert rows[2:] == kept[missing]
    dropped = {strategies.NO_NEGATIVE: 2} if missing == "drop" else {}
    expected = {strategies.EMPTY: 1, strategies.NO_LABEL: 1, strategies.OTHER: 1, strategies.CONTRADICTION: 2}
    assert counts == expected | dropped


def test_several_contradictions():
    table = [row("p", "yes", "entailment"), *(row("p", f"no {i}", "contradiction") for i in range(5))]
    seen = Counter(short(nli_rows(table, Counter(), missing="drop", random=draws(i)))[0][2] for i in range(100))
    assert set(seen) == {(f"no {i}",) for i in range(5)}
    ((_, _, negatives),) = short(nli_rows(table, Counter(), missing="drop", random=draws(), per_row=3))
    assert len(set(negatives)) == 3
    ((_, _, negatives),) = short(nli_rows(table, Counter(), missing="drop", random=draws(), per_row=9))
    assert negatives == tuple(f"no {i}" for i in range(5))


def test_triplets_have_a_contradiction_of_their_own():
    table = [row("p", "yes", "entailment", contradiction="no 1"), row("p", "aye", "entailment", contradiction="no 2")]
    rows = short(nli_rows(table, Counter(), missing="drop", random=draws()))
    assert rows == [("p", "yes", ("no 1",)), ("p", "aye", ("no 2",))]


def test_a_triplet_without_a_contradiction_draws_one_of_the_others():
    table = [row("p", "yes", "entailment", contradiction="no 1"), row("q", "aye", "entailment")]
    kept = [("p", "yes", ("no 1",)), ("q", "aye", ())]
    for missing, wanted in (("keep", kept), ("drop", kept[:1]), ("random", [kept[0], ("q", "aye", ("no 1",))])):
        assert short(nli_rows(table, Counter(), missing=missing, random=draws())) == wanted


def test_scored_pairs_are_entailments_from_a_score_on():
    counts = Counter[str]()
    table = [row("a", "b", "", score=4.0), row("c", "d", "", score=3.9), row("e", "", "", score=5.0)]
    assert short(nli_rows(table, counts, missing="keep", random=draws())) == [("a", "b", ())]
    assert counts == {strategies.LOW_SCORE: 1, strategies.EMPTY: 1}


def test_languages_of_one_file_are_apart_and_groups_count_all_languages():
    table = [row("p", "yes", "entailment", "en"), row("p", "no", "contradiction", "sw")]
    assert short(nli_rows(table, Counter(), missing="keep", random=draws())) == [("p", "yes", ())]
    two = [(*row(a, x, "entailment", "en"), *row("same", y, "entailment", "gn")) for a, x, y in ("axy", "bzw")]
    rows = list(nli_rows(two, Counter(), missing="keep", random=draws()))
    assert [each.group for each in rows] == [0, 0, 1, 1]


# ---------------------------------------------------------------- a sample


def test_sample_is_uniform_and_in_order(monkeypatch):
    monkeypatch.setattr(strategies, "_BLOCK", 3)
    rows = [TrainingRow(i, "a", "b") for i in range(10)]
    seen = Counter[int]()
    for seed in range(2000):
        drawn = [each.line for each in sample(iter(rows), 4, draws(seed))]
        assert drawn == sorted(set(drawn))
        assert len(drawn) == 4
        seen.update(drawn)
    assert chisquare([seen[i] for i in range(10)]).pvalue > 1e-3
    assert sample(iter(rows), None, draws()) == sample(iter(rows), 10, draws()) == sample(rows, 11, draws()) == rows
    assert sample(rows, 4, draws(1)) == sample(rows, 4, draws(1))


# ---------------------------------------------------------------- numbers


def related(data, rows):
    """Return the pairs of texts that a batch does not count as negatives of each other."""
    batch = batch_of(data, np.array(rows), own_texts=True)
    texts = [data.texts[each] for each in (*data.anchors[rows], *data.positives[rows])]
    return {frozenset((texts[i], texts[j])) for i, j in np.argwhere(batch.related).tolist() if texts[i] != texts[j]}


def test_numbers_say_the_same_as_the_rows():
    sources = [
        [TrainingRow(4, "a", "x", ("en", "sw")), TrainingRow(9, "b", "a", ("en", "sw"))],
        [TrainingRow(1, "a", "c", ("en", "", "sw"), ("x",), 0), TrainingRow(2, "d", "a", ("",) * 4, ("e", "f"), 0)],
        [],
        [TrainingRow(3, "z", "z")],
    ]
    numbered = number_rows(sources)
    data, names = numbered.data, ["", *numbered.languages]
    assert numbered.lines.tolist() == [4, 9, 1, 2, 3]
    assert data.sources.tolist() == [0, 0, 1, 1, 3]
    assert repeats(data, 4) == [0, 0, 0, 0]

    def shown(number):
        return None if number < 0 else (data.texts[number], names[data.languages[number]])

    flat = [each for rows in sources for each in rows]
    for place, each in enumerate(flat):
        assert shown(data.anchors[place]) == (each.anchor, each.languages[0])
        assert shown(data.positives[place]) == (each.positive, each.languages[1])
        own = list(zip(each.negatives, each.languages[2:], strict=True))
        assert [shown(number) for number in data.negatives[place]] == own + [None] * (2 - len(own))
    assert len({*zip(data.texts, data.languages.tolist(), strict=True)}) == len(data.texts)
    a = [number for number, text in enumerate(data.texts) if text == "a"]
    assert len(a) == 3, "English, Swahili, and without a language"
    assert len({data.folds[number] for number in a}) == 1


def test_without_languages_there_are_none_and_case_is_one_form():
    data = number_rows([[TrainingRow(1, "A", "B"), TrainingRow(2, "a", "É"), TrainingRow(3, "E\u0301", "b")]]).data
    assert data.languages is None
    assert len(data.texts) == 6
    assert len(set(data.folds.tolist())) == 3


def test_translations_of_translations_are_no_negatives_and_no_chain_grows():
    pairs = [("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("d", "z")]
    data = number_rows([[TrainingRow(i, *pair) for i, pair in enumerate(pairs)]]).data
    found = related(data, list(range(5)))
    assert found == {frozenset(each) for each in ("ax", "bx", "by", "cy", "dz", "ab", "xy", "bc")}


@pytest.mark.parametrize("seed", range(20))
def test_classes_are_those_of_their_definition(seed):
    random = draws(seed)
    rows = [TrainingRow(1, f"s{a}", f"t{b}") for a, b in random.integers(8, size=(12, 2))]
    rows += [TrainingRow(1, f"s{a}", f"s{a}") for a in random.integers(8, size=2)]
    nli = [TrainingRow(1, f"s{a}", f"e{b}", group=int(b) % 2) for a, b in random.integers(8, size=(4, 2))]
    classes = {text: {text, *(y for row in rows for x, y in (row[1:3], row[2:0:-1]) if x == text)}
               for row in rows for text in row[1:3]}  # fmt: skip
    classes |= {each: {text for row in nli if row.group == each for text in row[1:3]} for each in (0, 1)}
    wanted = {frozenset((x, y)) for own in classes.values() for x, y in product(own, repeat=2) if x != y}
    data = number_rows([rows, nli]).data
    assert related(data, list(range(len(data)))) == wanted


def test_rows_of_a_premise_are_no_negatives_and_sources_share_texts_only():
    nli = [TrainingRow(1, "p", "e1", group=0), TrainingRow(2, "p2", "e2", group=0), TrainingRow(3, "q", "e3", group=1)]
    more = [TrainingRow(1, "r", "e4", group=0), TrainingRow(2, "E1", "e5", group=1)]
    text = [TrainingRow(1, "p", "t")]
    data = number_rows([nli, more, text]).data
    found = related(data, list(range(6)))
    first = [frozenset(each) for each in product(("p", "p2", "e1", "e2"), repeat=2) if len(set(each)) == 2]
    assert set(first) <= found
    assert found - set(first) == {frozenset(each) for each in (
        ("q", "e3"), ("r", "e4"), ("p", "t"), ("E1", "e5"), ("E1", "e1"), ("e5", "e1"), ("E1", "p"), ("E1", "p2"),
        ("E1", "e2"))}  # fmt: skip
    assert len(set(data.classes.labels.tolist())) == 5


def test_no_rows_at_all():
    numbered = number_rows([[], []])
    assert len(numbered.data) == 0
    assert repeats(numbered.data, 2) == [0, 0]


# ---------------------------------------------------------------- real data


@pytest.fixture(scope="module")
def americas(data):
    return list(aligned_files({each: data / "nli" / "americas" / f"test.{each}.tsv.gz" for each in LANGUAGES}))


def test_every_slot_of_cross_lingual_inference(americas):
    counts = Counter[str]()
    rows = list(nli_rows(americas, counts, missing="drop", random=draws(7)))
    assert (len(rows), counts) == (1000, {strategies.OTHER: 1000, strategies.CONTRADICTION: 1000})
    language = {each: place for place, each in enumerate(LANGUAGES)}
    by_line = {each[0].line: each for each in americas}
    premises = {tuple(row.premise for row in rows) for rows in americas}
    assert len(premises) == 250
    for each in rows:
        own = by_line[each.line]
        anchor, positive, negative = (language[name] for name in each.languages)
        assert own[0].label == "entailment"
        assert (own[anchor].premise, own[positive].hypothesis) == (each.anchor, each.positive)
        key = tuple(row.premise for row in own)
        contradicting = [rows[negative].hypothesis for rows in americas
                         if rows[0].label == "contradiction" and tuple(row.premise for row in rows) == key]  # fmt: skip
        assert list(each.negatives) == contradicting
    assert Counter((each.line, each.languages[0]) for each in rows) == {
        (rows[0].line, name): 1 for rows in americas if rows[0].label == "entailment" for name in LANGUAGES
    }
    for slot in (1, 2):
        table = Counter((each.languages[0], each.languages[slot]) for each in rows)
        assert chisquare([table[pair] for pair in product(LANGUAGES, repeat=2)]).pvalue > 1e-3
    both = Counter(each.languages[1:] for each in rows)
    assert chisquare([both[pair] for pair in product(LANGUAGES, repeat=2)]).pvalue > 1e-3
    again = list(nli_rows(americas, Counter(), missing="drop", random=draws(7)))
    assert rows == again
    assert rows != list(nli_rows(americas, Counter(), missing="drop", random=draws(8)))


def test_no_batch_has_a_row_of_the_same_premise_or_its_translation_as_negative(americas):
    rows = list(nli_rows(americas, Counter(), missing="drop", random=draws(7)))
    data = number_rows([rows]).data
    gn = {each.anchor for each in rows if each.languages[0] == "gn"}
    assert len(gn) == 249
    groups = np.array([each.group for each in rows])
    order = draws(1).permutation(1000)
    for chosen in (order[:256], np.arange(64)):
        batch = batch_of(data, chosen, own_texts=True)
        same = groups[chosen][:, None] == groups[chosen][None, :]
        assert batch.related[np.tile(same, (2, 2))].all()
        assert batch.known_positives[same & ~np.eye(len(chosen), dtype=bool)].all()
        assert batch.related[~np.tile(same, (2, 2))].mean() < 0.01, "little else is masked"


def test_pairs_of_english_only_training(data):
    """SICK and STS-B: 1,299 entailments and 1,406 pairs with a score of at least 4."""
    kept = 0
    for name, expected in (("nli/sick/SICK_train.txt.gz", 1299), ("sts/stsb/stsb-en-train.csv.gz", 1406)):
        table = [(each,) for each in nli_text(data / name)]
        rows = list(nli_rows(table, Counter(), missing="keep", random=draws()))
        assert len(rows) == expected
        kept += len(rows)
    assert kept == 2705
