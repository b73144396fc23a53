"""Self-learning finds the rotation between two languages, from little or nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lexenc.errors import ConfigError, WorkError
from lexenc.lexical import self_learning
from lexenc.lexical.confidence import confidence_of
from lexenc.lexical.rcsls import fit_rcsls
from lexenc.lexical.seeds import identical_pairs, numeral_pairs, similarity_pairs
from lexenc.lexical.self_learning import Learning, SelfLearningSettings, learn, rotation

SIZE, WORDS = 30, 900
QUICK = SelfLearningSettings(vocabulary_cutoff=600, patience=3)


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def world():
    """Two languages that differ by a rotation, some noise, and the order of their words."""
    draw = np.random.default_rng(0)
    meanings = draw.normal(size=(40, SIZE))[draw.integers(40, size=WORDS)] + draw.normal(size=(WORDS, SIZE))
    turn, _ = np.linalg.qr(draw.normal(size=(SIZE, SIZE)))
    # Frequencies agree roughly: words move a few places.
    order = np.argsort(np.arange(WORDS) + draw.normal(scale=20, size=WORDS))
    other = (meanings @ turn + 0.25 * draw.normal(size=meanings.shape))[order]
    gold = np.empty(WORDS, dtype=np.int64)
    gold[order] = np.arange(WORDS)
    return unit(meanings), unit(other), gold


def started(world, count: int, seed: int = 0) -> Learning:
    rows = np.random.default_rng(seed).choice(500, size=count, replace=False)
    return Learning(rows, world[2][rows])


def right(world, state: Learning) -> float:
    """Share of the source words whose nearest target under the last rotation is their translation."""
    source, target, gold = world
    matrix = rotation(source, target, state.source, state.target)
    return float(((source @ matrix @ target.T).argmax(axis=1) == gold).mean())


@pytest.mark.parametrize("direction", ["union", "forward", "backward"])
def test_few_pairs_become_a_mapping(world, direction):
    start = started(world, 15)
    assert right(world, start) < 0.5
    steps = []
    state = learn(world[0], world[1], start, settings=replace(QUICK, induction=direction),
                  generator=np.random.default_rng(0), record=lambda step, _: steps.append(step))  # fmt: skip
    assert right(world, state) > 0.9
    assert state.finished
    assert [step.iteration for step in steps] == list(range(1, state.iteration + 1))
    assert steps[-1].objective > steps[0].objective
    shares = [step.keep_probability for step in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.1, 1.0)


def test_refinement_by_pairs_that_choose_each_other(world):
    start = started(world, 40)
    settings = replace(QUICK, induction="mutual", keep_start=1.0, max_iterations=5)
    state = learn(world[0], world[1], start, settings=settings, generator=np.random.default_rng(0))
    assert state.iteration == 5
    assert len(state.source) == len(set(state.source)) == len(set(state.target))
    assert right(world, state) > 0.95


def test_the_same_seed_gives_the_same_dictionary_and_another_seed_another(world):
    runs = [learn(world[0], world[1], started(world, 15), settings=replace(QUICK, max_iterations=4),
                  generator=np.random.default_rng(seed)) for seed in (0, 0, 1)]  # fmt: skip
    assert np.array_equal(runs[0].target, runs[1].target)
    assert not np.array_equal(runs[0].target, runs[2].target)


def test_stopped_and_continued_equals_uninterrupted(world):
    seen: list[tuple[Learning, dict]] = []
    drawn = np.random.default_rng(0)
    whole = learn(world[0], world[1], started(world, 15), settings=QUICK, generator=drawn,
                  record=lambda _, state: seen.append((state, drawn.bit_generator.state)))  # fmt: skip
    middle, numbers = seen[len(seen) // 2]
    again = np.random.default_rng(99)
    again.bit_generator.state = numbers
    rest = learn(world[0], world[1], middle, settings=QUICK, generator=again)
    assert (rest.iteration, rest.best) == (whole.iteration, whole.best)
    assert np.array_equal(rest.target, whole.target)
    assert np.array_equal(rest.source, whole.source)


def test_float64_agrees_with_float32(world):
    settings = replace(QUICK, keep_start=1.0)
    states = [learn(world[0].astype(kind), world[1].astype(kind), started(world, 40), settings=settings,
                    generator=np.random.default_rng(0)) for kind in (np.float32, np.float64)]  # fmt: skip
    assert np.mean(states[0].target == states[1].target) > 0.99
    assert states[0].best == pytest.approx(states[1].best, abs=1e-5)


def test_patience_counts_as_in_the_paper(monkeypatch):
    """The share grows, and all ends, once more iterations than `patience` have brought nothing."""
    monkeypatch.setattr(self_learning, "_IMPROVEMENT", 10.0)
    words = unit(np.random.default_rng(0).normal(size=(60, 8)))
    start, steps = Learning(np.arange(60), np.arange(60)), []
    learn(words, words, start, settings=SelfLearningSettings(keep_start=0.5, patience=2),
          generator=np.random.default_rng(0), record=lambda step, _: steps.append(step.keep_probability))  # fmt: skip
    # The first iteration improves on nothing at all; the growth of the share counts as an improvement.
    assert steps == [0.5, 0.5, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"patience": 0}, "patience"), ({"keep_start": 0.0}, "share kept"), ({"keep_growth": 1.0}, "growth"),
     ({"vocabulary_cutoff": 0}, "cut-off"), ({"induction": "both"}, "both")],
)  # fmt: skip
def test_settingss_that_cannot_be(world, change, words):
    with pytest.raises(ConfigError, match=words):
        learn(world[0], world[1], started(world, 5), settings=replace(QUICK, **change),
              generator=np.random.default_rng(0))  # fmt: skip


def test_no_first_pair_is_an_error(world):
    nothing = np.zeros(0, dtype=np.int64)
    with pytest.raises(WorkError, match="no pairs"):
        learn(world[0], world[1], Learning(nothing, nothing), settings=QUICK, generator=np.random.default_rng(0))
    with pytest.raises(ConfigError, match="equal sizes"):
        learn(world[0], world[1][:, :9], started(world, 5), settings=QUICK, generator=np.random.default_rng(0))


# ---------------------------------------------------------------- first pairs


def test_identical_words_and_numbers():
    source, target = ["taxi", "7", "a1", "taxi", "٣", "haus"], ["7", "taxi", "x", "٣", "taxi", "a1"]
    rows, columns = identical_pairs(source, target)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0), (2, 5), (4, 3)]
    rows, columns = numeral_pairs(source, target)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(1, 0), (4, 3)]
    assert len(numeral_pairs(["a"], ["b"])[0]) == 0


def test_vectors_alone_find_most_words_of_a_rotated_language():
    """Without noise the sorted similarities are equal, so every word finds itself."""
    draw = np.random.default_rng(0)
    words = unit(draw.normal(size=(200, 20)) * np.linspace(1, 3, 20))
    turn, _ = np.linalg.qr(draw.normal(size=(20, 20)))
    order = draw.permutation(200)
    rows, columns = similarity_pairs(words, (words @ turn)[order].astype(np.float32), words=200)
    assert len(rows) == 400
    assert np.mean(order[columns] == rows) > 0.95


# ---------------------------------------------------------------- confidence


def test_a_mapping_that_translates_is_found_and_chance_is_not(world):
    source, target, gold = world
    good = confidence_of(source, target, np.arange(WORDS), gold, generator=np.random.default_rng(0))
    assert good.verdict == "found"
    assert good.consistency > 0.8
    assert good.frequency_agreement > 0.9
    chance = np.random.default_rng(1).permutation(WORDS)
    bad = confidence_of(source, target, np.arange(WORDS), chance, generator=np.random.default_rng(0))
    assert bad.verdict == "not found"
    assert bad.consistency == pytest.approx(good.chance_consistency, abs=0.1)
    assert abs(bad.frequency_agreement) < 0.2
    alike = np.arange(0, WORDS, 9), gold[::9]
    known = confidence_of(source, target, np.arange(WORDS), gold, generator=np.random.default_rng(0), alike=alike)
    assert known.verdict == "found"
    assert known.identical_agreement > 0.9
    assert "written alike" in known.sentence
    wrong = confidence_of(source, target, np.arange(WORDS), gold, generator=np.random.default_rng(0),
                          alike=(alike[0], alike[1][::-1]))  # fmt: skip
    assert wrong.verdict == "not found"
    one = confidence_of(source, target, np.array([0]), np.array([0]), generator=np.random.default_rng(0))
    assert one.verdict == "not found"


@pytest.mark.parametrize("pairs", ["gold", "shuffled"])
def test_chance_is_the_same_in_a_space_that_is_stored_in_more_columns(world, pairs):
    source, target, gold = world
    columns = gold if pairs == "gold" else np.random.default_rng(1).permutation(gold)
    wider, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(4 * SIZE, SIZE)))
    narrow, wide = (
        confidence_of(*sides, np.arange(WORDS), columns, generator=np.random.default_rng(0))
        for sides in ((source, target), (unit(source @ wider.T), np.pad(target, ((0, 0), (2, 3 * SIZE - 2)))))
    )
    assert wide.chance_consistency == pytest.approx(narrow.chance_consistency, abs=0.06)
    assert wide.signs[0].value == pytest.approx(narrow.signs[0].value, abs=0.1)
    assert wide.verdict == narrow.verdict


# ---------------------------------------------------------------- RCSLS


def relaxed(matrix, source, target, rows, columns, k):
    """The loss of Joulin et al. 2018, section 3, pair by pair."""
    images = source @ matrix
    total = 0.0
    for row, column in zip(rows, columns, strict=True):
        query, answer = source[row] @ matrix, target[column]
        near_targets = np.sort(target @ query)[-k:]
        near = np.argsort(images @ answer / np.linalg.norm(images, axis=1))[-k:]
        total += -2 * query @ answer + near_targets.mean() + (images[near] @ answer).mean()
    return total / len(rows)


def test_rcsls_lowers_the_loss_of_the_paper(world):
    source, target, gold = (each[:300].astype(np.float64) for each in world)
    rows = np.flatnonzero(gold < 300)[:120]
    columns = gold[rows].astype(np.int64)
    start = rotation(source, target, rows[:12], columns[:12])
    found = fit_rcsls(source, target, rows, columns, start, neighbours=5, iterations=8)
    assert found.losses == sorted(found.losses, reverse=True)
    assert found.losses[0] == pytest.approx(relaxed(start, source, target, rows, columns, 5), abs=1e-9)
    assert found.losses[-1] == pytest.approx(relaxed(found.matrix, source, target, rows, columns, 5), abs=1e-9)
    assert found.losses[-1] < found.losses[0] - 0.1
    bounded = fit_rcsls(source, target, rows, columns, start, neighbours=5, iterations=8, spectral=True)
    assert np.linalg.svd(bounded.matrix, compute_uv=False).max() <= 1 + 1e-9
    with pytest.raises(ConfigError, match="positive"):
        fit_rcsls(source, target, rows, columns, start, rate=0)
