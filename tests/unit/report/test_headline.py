"""The headline and the tiles below it: what each number is, and why two of them differ."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lexenc.evaluation.bootstrap import holm
from lexenc.files.evaluations import Convention, Item, Score, ScoredSystem
from lexenc.report.answers import answers
from lexenc.report.page import build_page

WEIGHTS = {0.0: 0.3, 0.2: 0.45, 0.4: 0.5, 0.6: 0.5, 1.0: 0.4}


@pytest.fixture
def page(evaluate, data_of, tmp_path):
    random, systems, answers = np.random.default_rng(0), [], []
    convention = Convention("nearest", "source-target", "whole target vocabulary", 900, "source word", "left out")
    for weight, share in WEIGHTS.items():
        right = random.random(200) < share
        items = [
            Item((f"w{i}",), ("g",), True, ({"target": "g" if each else "x", "score": 1.0},),
                 {"ranks": [1 if each else 2]})
            for i, each in enumerate(right)
        ]  # fmt: skip
        labels, score = {"lambda": weight}, Score("precision_at_1", float(right.mean()), n=200)
        answers.append((items, labels))
        systems.append(ScoredSystem("bli", (score,), convention, labels, {"coverage": 1.0}))
    inputs = {name: ("d.tsv", None) for name in ("dictionary", "encoder")}
    evaluate(tmp_path / "runs" / "sweep", "bli", systems, answers, inputs=inputs)
    return build_page(data_of(tmp_path / "runs"), title="t", sections=["claims"])


def test_a_gain_with_a_chosen_lambda_says_so_and_has_its_tile(page):
    found = re.fullmatch(
        r"Blending at a lambda chosen on other items beats the static vectors alone by (\d+\.\d) "
        r"\[\d+\.\d, \d+\.\d\] points\.",
        page.headline,
    )
    assert found
    tiles = dict(re.findall(r'<dt>([^<]*)</dt><dd><span class="value">([^<]*)<', page.html))
    chosen, static = tiles["blend, lambda chosen on other items"], tiles["static vectors (lambda 0)"]
    assert float(chosen) - float(static) == pytest.approx(float(found[1]), abs=0.11)
    assert f'<span class="ends">+{found[1]} points</span>' in page.html


def test_no_number_is_chosen_on_the_items_that_it_is_scored_on(page):
    assert len(re.findall("<dt>", page.html)) == 3
    assert "chosen on these items" not in page.html
    assert re.search(r"Lambda chosen among 3 on one half of the items and scored on the other \(0\.\d", page.html)


def test_the_table_of_differences_says_how_many_draws_there_were(page):
    assert re.search(r"scored on the other \([^)]*\); 10,000 draws", page.html)
    assert "lexenc compare scores a given lambda on all items" in page.html


# ---------------------------------------------------------------- systems on one test set


def answered(share, count=200, seed=0):
    right = np.random.default_rng(seed).random(count) < share
    return right, [Item((f"w{i}",), ("g",), True, ({"target": "g" if each else "x", "score": 1.0},),
                        {"ranks": [1 if each else 2]}) for i, each in enumerate(right)]  # fmt: skip


@pytest.fixture
def compared(evaluate, data_of, tmp_path):
    def write(*, controls=(), unfair=(), params=None, **shares):
        for number, (name, share) in enumerate(shares.items()):
            right, items = answered(share, seed=number)
            mean, width = float(right.mean()), 0.07
            facts = {"unfair": list(unfair)} if unfair else {}
            systems = [ScoredSystem("bli", (Score("precision_at_1", mean, mean - width, mean + width, 200),),
                                    facts=facts)]  # fmt: skip
            systems += [ScoredSystem("bli", (Score("precision_at_1", value, n=200),), labels={"control": control})
                        for control, value in controls]  # fmt: skip
            inputs = {"dictionary": ("d.tsv", None)}
            evaluate(tmp_path / "runs" / name, "bli", systems, [(items, {})], inputs=inputs,
                     created=f"2026-01-0{number + 1}T00:00:00+00:00", params=params)  # fmt: skip
        data = data_of(tmp_path / "runs")
        return data, build_page(data, title="t", sections=["claims"])

    return write


def test_two_evaluations_of_one_test_set_are_compared(compared):
    data, page = compared(weak=0.3, strong=0.6)
    (claim,) = data.claims
    assert claim.text == "strong against weak"
    assert claim.significant
    assert page.headline.startswith("strong beats weak: P@1 +")
    assert "Nothing has been compared" not in page.html
    _, page = compared(other=0.6)
    assert page.headline.startswith("2 of 3 differences between 3 systems on the same test set are significant")


def test_p_values_of_several_pairs_are_corrected(compared):
    data, page = compared(first=0.5, second=0.5, third=0.5, fourth=0.58)
    assert len(data.claims) == 6
    gaps = [claim.gain.p_value for claim in data.claims]
    assert [claim.p_value for claim in data.claims] == holm(gaps)
    assert min(gaps) < 0.05, "one of six would be significant by itself"
    assert not any(claim.significant for claim in data.claims)
    assert page.headline.startswith("0 of 6 differences between 4 systems")
    assert "after Holm&#39;s correction for 6" in page.html


def test_the_winner_of_all_pairs_is_named(compared):
    _, page = compared(first=0.3, second=0.35, third=0.7)
    assert page.headline == "third beats all others of 3 systems on the same test set (P@1, Holm's correction)."


@pytest.mark.parametrize(
    ("value", "verb"), [(0.9, "scores no worse than"), (0.0, None), (None, "is not significantly worse than")]
)
def test_a_control_that_does_as_well_comes_first(compared, value, verb):
    right, _ = answered(0.5)
    value = float(right.mean()) - 0.05 if value is None else value
    _, page = compared(controls=[("identity", value), ("random", 0.01)], system=0.5)
    assert page.headline.startswith("system: word translation") == (verb is None)
    if verb is not None:
        assert page.headline.startswith(f"The control identity {verb} system: P@1 ")
        assert "system: word translation, P@1" in page.html, "the score comes after it"


def test_a_system_made_as_a_control_comes_first(compared, make, evaluate, data_of, tmp_path):
    compared(system=0.5)
    make(tmp_path / "runs" / "shuffled", stage="finetune", params={"control": "shuffled-pairs"})
    right, items = answered(0.55, seed=5)
    score = Score("precision_at_1", float(right.mean()), 0.4, 0.6, 200)
    evaluate(tmp_path / "runs" / "zz", "bli", [ScoredSystem("bli", (score,))], [(items, {})],
             inputs={"dictionary": ("d.tsv", None), "encoder": ("shuffled", "shuffled")})  # fmt: skip
    page = build_page(data_of(tmp_path / "runs"), title="t", sections=["claims"])
    assert page.headline.startswith("The control zz scores no worse than system: P@1")


def test_an_unfair_test_is_said_at_the_top(compared):
    _, page = compared(unfair=["3 test pairs were learnt from."], system=0.5)
    before = page.html.split("<nav", 1)[0]
    assert "system: the test was not fair. 3 test pairs were learnt from." in before


def test_every_system_that_does_not_beat_a_control_is_named(compared):
    data, page = compared(controls=[("identity", 0.4)], alpha=0.4, beta=0.4, gamma=0.4, delta=0.4, epsilon=0.4)
    told = "5 of 5 systems on the same test set do not significantly beat a control"
    assert page.headline == f"{told}: epsilon, alpha, beta and 2 more."
    (claim,) = [one for one in data.claims if one.text == "alpha against its control identity"]
    assert claim.gain.mean == pytest.approx(claim.first - 0.4)
    assert claim.gain.low == pytest.approx(claim.gain.mean - 0.07)
    assert not claim.significant
    assert "epsilon against its control identity" in page.html


def test_controls_of_the_others_come_after_the_winner(compared):
    _, page = compared(controls=[("identity", 0.35)], first=0.7, second=0.3, third=0.35)
    assert page.headline.startswith("first beats all others of 3 systems")
    assert "2 of 3 systems on the same test set do not significantly beat a control: second and third." in page.html


@pytest.mark.parametrize("shares", [{"first": 0.7, "second": 0.3, "third": 0.35}, {"first": 0.7, "second": 0.3}])
def test_what_is_shown_is_what_the_headline_names(compared, shares):
    data, page = compared(**shares)
    assert page.headline.startswith("first beats")
    assert "(first): 200 queries" in page.html
    (tile, *_) = re.findall(r"<dt>([^<]*)</dt>", page.html)
    assert tile == "first"
    assert shown_by(data) == "first: 200 of 200 queries shown"


def test_without_a_winner_the_last_is_shown(compared):
    data, page = compared(first=0.5, second=0.5, third=0.5)
    assert page.headline.startswith("0 of 3 differences")
    assert "(third): 200 queries" in page.html
    assert shown_by(data) == "third: 200 of 200 queries shown"


def shown_by(data):
    """What the section of answers says that it shows."""
    (note,) = [part.note for part in answers(data).parts if part.title == "Word translation: answers"]
    return note.split(",")[0]
