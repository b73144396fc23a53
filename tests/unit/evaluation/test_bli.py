from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc.evaluation.bli import MEASURE, TASK, ask, control_scores, conventions, rank_columns
from lexenc.files.evaluations import Item, ScoredSystem

SOURCE = {"eins": 0, "zwei": 1, "haus": 2, "taxi": 3}
TARGET = {"one": 0, "two": 1, "house": 2, "home": 3, "taxi": 4}
GOLD = {
    "haus": ["house", "home", "building"],  # one gold without a vector
    "eins": ["one"],
    "drei": ["three"],  # no vector at all
    "vier": ["two"],  # none for the source
    "zwei": ["pair"],  # none for any gold
    "taxi": ["cab", "taxi"],
}
RANKS = {"haus": [2, 5], "eins": [1], "drei": [], "vier": [], "zwei": [], "taxi": [3]}
NAMES = ["source word, in vocabulary", "source word, all lines", "pair, in vocabulary", "pair, all lines"]


def lines(gold):
    return [(word, target) for word, own in gold.items() for target in own]


@pytest.fixture
def questions():
    return ask(lines(GOLD), SOURCE, TARGET)


def ranks_of(questions, table=RANKS):
    return [np.array(table.get(word, []), dtype=np.int64) for word in questions.words]


def summaries(questions, ranks):
    random = np.random.default_rng(0)
    return {
        name: ScoredSystem("bli", *MEASURE.scores([columns], generator=random)).flat()
        for name, columns in conventions(questions, ranks).items()
    }


def test_bli_questions(questions):
    assert questions.words == list(GOLD)
    assert questions.rows.tolist() == [2, 0, -1, -1, 1, 3]
    assert [own.tolist() for own in questions.gold_rows] == [[2, 3], [0], [], [1], [], [4]]
    assert questions.covered.tolist() == [True, True, False, False, False, True]
    assert ask([], SOURCE, TARGET).covered.tolist() == []


def test_bli_conventions_worked_example(questions):
    table = summaries(questions, ranks_of(questions))
    assert list(table) == NAMES
    expected = {
        # queries, P@1, P@5, mean reciprocal rank, mean average precision
        "source word, in vocabulary": (3, 1 / 3, 1, (1 / 2 + 1 + 1 / 3) / 3, ((1 / 2 + 2 / 5) / 2 + 1 + 1 / 3) / 3),
        "source word, all lines": (6, 1 / 6, 3 / 6, (1 / 2 + 1 + 1 / 3) / 6, ((1 / 2 + 2 / 5) / 3 + 1 + 1 / 6) / 6),
        "pair, in vocabulary": (4, 1 / 4, 1, (1 / 2 + 1 / 5 + 1 + 1 / 3) / 4, (1 / 2 + 1 / 5 + 1 + 1 / 3) / 4),
        "pair, all lines": (9, 1 / 9, 4 / 9, (1 / 2 + 1 / 5 + 1 + 1 / 3) / 9, (1 / 2 + 1 / 5 + 1 + 1 / 3) / 9),
    }
    for name, (count, first, five, reciprocal, average) in expected.items():
        got = table[name]
        assert got["queries"] == count
        assert got["precision_at_1"] == pytest.approx(first)
        assert got["precision_at_5"] == pytest.approx(five)
        assert got["mean_reciprocal_rank"] == pytest.approx(reciprocal)
        assert got["mean_average_precision"] == pytest.approx(average)
        assert got["precision_at_1_low"] <= got["precision_at_1"] <= got["precision_at_1_high"]


def test_bli_repeated_lines_count_per_line_only():
    """xling-eval averages over the lines of the dictionary, so that a line that stands there twice counts twice."""
    ranks = [np.array([1]), np.array([2, 4]), np.zeros(0, np.int64)]
    pairs = [("eins", "one"), ("haus", "house"), ("eins", "one"), ("haus", "home"), ("eins", "one")]
    pairs += [("haus", "building")]  # no vector
    table = summaries(ask([*pairs, ("drei", "three"), ("drei", "three")], SOURCE, TARGET), ranks)
    assert [table[name]["queries"] for name in NAMES] == [2, 3, 5, 8]
    assert [table[name]["precision_at_1"] for name in NAMES] == pytest.approx([1 / 2, 1 / 3, 3 / 5, 3 / 8])
    reciprocal = table["pair, in vocabulary"]["mean_reciprocal_rank"]
    assert reciprocal == pytest.approx((1 + 1 + 1 + 1 / 2 + 1 / 4) / 5)


@st.composite
def dictionaries(draw):
    """A test dictionary with golds with and without vectors, and ranks for those with."""
    number = draw(st.integers(1, 6))
    gold, table = {}, {}
    for place in range(number):
        inside, outside = draw(st.integers(0, 3)), draw(st.integers(0, 2))
        known = draw(st.booleans()) and inside > 0
        gold[f"s{place}" if known else f"oov{place}"] = [f"t{i}" for i in range(inside)] + [
            f"none{i}" for i in range(outside + (inside + outside == 0))
        ]
        table[f"s{place}"] = (
            draw(st.lists(st.integers(1, 12), min_size=inside, max_size=inside, unique=True)) if known else []
        )
    return gold, table


@settings(max_examples=60)
@given(dictionaries())
def test_bli_conventions_equal_a_slow_loop(drawn):
    gold, table = drawn
    questions = ask(lines(gold), {f"s{i}": i for i in range(9)}, {f"t{i}": i for i in range(3)})
    found = conventions(questions, ranks_of(questions, table))
    scored = {name: [] for name in NAMES}
    for word, golds in gold.items():
        ranks, best = table.get(word, []), min(table.get(word, []), default=None)
        scored["source word, all lines"].append(best)
        if ranks:
            scored["source word, in vocabulary"].append(best)
        scored["pair, in vocabulary"] += ranks
        scored["pair, all lines"] += ranks + [None] * (len(golds) - len(ranks))
    for name, bests in scored.items():
        scores = found[name]
        for place, cutoff in enumerate((1, 5, 10)):
            assert sorted(scores[place]) == sorted(float(b is not None and b <= cutoff) for b in bests), name
        assert sorted(scores[3]) == pytest.approx(sorted(1 / b if b else 0.0 for b in bests)), name


def test_bli_lines_without_vectors_scale_only_the_scores_over_all_lines():
    random = np.random.default_rng(0)
    count, more = 295, 100
    gold = {f"s{i}": [f"t{i}"] for i in range(count)}
    ranks = [np.array([rank]) for rank in random.integers(1, 20, count)]
    source, target = ({f"{side}{i}": i for i in range(count)} for side in "st")
    before = conventions(ask(lines(gold), source, target), ranks)
    gold |= {f"oov{i}": ["nowhere"] for i in range(more)}
    nothing = [np.zeros(0, dtype=np.int64)] * more
    after = conventions(ask(lines(gold), source, target), [*ranks, *nothing])
    for unit in ("source word", "pair"):
        inside, every = f"{unit}, in vocabulary", f"{unit}, all lines"
        for one, other, scale in (
            (before[inside], after[inside], 1),
            (before[every], after[every], count / (count + more)),
        ):
            assert other.mean(axis=1) == pytest.approx(one.mean(axis=1) * scale, rel=1e-12)
        assert after[inside].shape == (5, count)
        assert after[every].shape == (5, count + more)


def test_bli_nothing_covered_is_no_crash():
    questions = ask([("a", "b")], {}, {})
    table = summaries(questions, ranks_of(questions))
    assert table["source word, in vocabulary"]["queries"] == 0
    assert table["source word, in vocabulary"]["precision_at_1"] == 0
    assert "precision_at_1_low" not in table["source word, in vocabulary"]
    assert table["pair, all lines"]["queries"] == 1
    assert control_scores(questions, ["x"]) == {"identity": 0.0, "random": 0.0}


def test_bli_perfect_ranks_score_one(questions):
    perfect = [np.arange(1, len(rows) + 1) * bool(rows.size) for rows in questions.gold_rows]
    only = np.flatnonzero(questions.covered)
    assert (rank_columns([perfect[i] for i in only], [len(perfect[i]) for i in only]) == 1).all()


# ---------------------------------------------------------------- controls


def test_bli_controls_worked_example(questions):
    controls = control_scores(questions, list(TARGET))
    assert controls["identity"] == pytest.approx(1 / 3)  # taxi, of haus, eins and taxi
    assert controls["random"] == pytest.approx((2 + 1 + 1) / 3 / 5)


def test_bli_copying_a_word_that_cannot_be_found_is_no_hit(questions):
    # The search space holds no "taxi" now, so that nobody could answer with it.
    gold_rows = [*questions.gold_rows[:5], np.array([0])]
    assert control_scores(replace(questions, gold_rows=gold_rows), ["one", "two", "house", "home"])["identity"] == 0


def test_bli_random_control_is_what_random_answers_reach(questions):
    random = np.random.default_rng(0)
    covered = np.flatnonzero(questions.covered)
    drawn = random.integers(0, len(TARGET), size=(20_000, len(covered)))
    hits = np.mean(
        [[answer in questions.gold_rows[i] for i, answer in zip(covered, row, strict=True)] for row in drawn]
    )
    assert control_scores(questions, list(TARGET))["random"] == pytest.approx(hits, abs=0.01)


def test_kinds_of_test_words():
    by_frequency, by_spelling = TASK.breakdowns
    item = Item(("Tabelle",), ("table", "tabelle"), numbers={"ranks": [1], "frequency_rank": 501})
    assert by_frequency.kind(item) == "501-1k"
    assert by_frequency.kind(Item(("a",), ("b",))) is None
    assert by_spelling.kind(item) == "identical"
    assert all(each.kind(item) in each.kinds for each in TASK.breakdowns)
