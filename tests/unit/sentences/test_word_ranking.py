from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lexenc.arrays import Ragged, starts_of
from lexenc.errors import ConfigError
from lexenc.sentences.terms import PairStates, TermInputs, sums_of_rows
from lexenc.sentences.word_ranking import WordRanking
from lexenc.sentences.words import LinkedWords


class _Given(TermInputs):
    """Inputs without an encoder, because the states are made by hand."""

    transformer = None


def ranking(words, **settings):
    return WordRanking(_Given(None, None, None, None, words), **settings)


def linked_words(rows):
    """Make the words of rows (source spans, target spans, links, forward, backward)."""
    source, target, links = (Ragged.of([np.array(row[k]) for row in rows]) for k in range(3))
    sides = [Ragged(each.starts // 2, each.values.reshape(-1, 2)) for each in (source, target, links)]
    flags = [np.array([flag for row in rows for flag in row[k]], dtype=bool) for k in (3, 4)]
    return LinkedWords(*sides, *flags)


def states_of(sources, targets):
    tables = [torch.cat([torch.as_tensor(each) for each in side]) for side in (sources, targets)]
    starts = [starts_of([len(each) for each in side]) for side in (sources, targets)]
    return PairStates(tables[0], starts[0], tables[1], starts[1])


NOTE = (
    [(0, 2), (2, 3), (3, 6)], [(0, 1), (1, 3), (3, 4), (4, 6)], [(0, 1), (2, 3)], [True, True], [True, True]
)  # fmt: skip


def note_states():
    draw = np.random.default_rng(2)
    return draw.standard_normal((6, 8)), draw.standard_normal((6, 8))


@pytest.mark.parametrize(
    ("temperature", "forward", "backward", "both"),
    [(1.0, 2.793308, 2.383864, 2.588586), (0.05, 6.478482, 12.301852, 9.390167)],
)
def test_the_loss_of_one_pair_is_the_one_worked_out(temperature, forward, backward, both):
    states = states_of(*([each] for each in note_states()))
    for flags, expected in (((1, 1), 2 * both), ((1, 0), forward), ((0, 1), backward)):
        words = linked_words([(*NOTE[:3], [bool(flags[0])] * 2, [bool(flags[1])] * 2)])
        loss = ranking(words, temperature=temperature).losses(np.array([0]), 0, states)
        assert loss.shape == (1,)
        assert 2 * float(loss) == pytest.approx(expected, abs=2e-6)


def made_rows(count=40, seed=0):
    """Make random words with special subwords around, some of them without subwords between words."""
    draw = np.random.default_rng(seed)
    rows, states = [], ([], [])
    for _ in range(count):
        spans = []
        for side in range(2):
            sizes = draw.integers(1, 4, draw.integers(1, 8))
            gaps = draw.integers(0, 2, len(sizes))
            begins = 1 + np.cumsum(sizes + gaps) - sizes
            spans.append([(int(b), int(b + s)) for b, s in zip(begins, sizes, strict=True)])
            states[side].append(draw.standard_normal((int(begins[-1] + sizes[-1]) + 1, 8)))
        m, n = map(len, spans)
        links = sorted({(int(draw.integers(m)), int(draw.integers(n))) for _ in range(draw.integers(0, 6))})
        first = [i not in [link[0] for link in links[:k]] for k, (i, _) in enumerate(links)]
        last = [j not in [link[1] for link in links[k + 1 :]] for k, (_, j) in enumerate(links)]
        rows.append((*spans, links, first, last))
    return rows, states


def by_loop(row, x, y, temperature, mask=False):
    """Compute equations 6 to 8 for one pair, one cosine after the other."""
    spans_x, spans_y, links, forward, backward = row
    unit_x, unit_y = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, y))

    def similarity(i, j):
        pairs = [(a, b) for a in range(*spans_x[i]) for b in range(*spans_y[j])]
        return sum(float(unit_x[a] @ unit_y[b]) for a, b in pairs) / len(pairs)

    total = 0.0
    for (i, j), there, back in zip(links, forward, backward, strict=True):
        right = similarity(i, j) / temperature
        for wanted, others in (
            (there, [(i, n) for n in range(len(spans_y)) if n == j or not (mask and (i, n) in links)]),
            (back, [(n, j) for n in range(len(spans_x)) if n == i or not (mask and (n, j) in links)]),
        ):
            if wanted:
                total += math.log(sum(math.exp(similarity(*each) / temperature) for each in others)) - right
    return total / 2


@pytest.mark.parametrize("mask", [False, True])
def test_losses_equal_a_double_loop(mask):
    rows, (sources, targets) = made_rows()
    objective = ranking(linked_words(rows), temperature=0.2, mask_links=mask)
    chosen = np.array([7, 3, 30, 0, 12, *range(13, 30), 39])
    states = states_of([sources[k] for k in chosen], [targets[k] for k in chosen])
    expected = [by_loop(rows[k], sources[k], targets[k], 0.2, mask) for k in chosen]
    found = objective.losses(chosen, 0, states)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)
    unlinked = [place for place, k in enumerate(chosen) if not rows[k][2]]
    assert len(unlinked) > 0
    assert found[unlinked].tolist() == [0] * len(unlinked)


def test_a_loss_depends_on_its_own_row_alone(monkeypatch):
    rows, (sources, targets) = made_rows()
    objective = ranking(linked_words(rows))
    everything = objective.losses(np.arange(40), 0, states_of(sources, targets))
    # Padding and the other sentences change nothing: alone, in pairs, or a few padded cells at a time.
    for k in range(40):
        alone = objective.losses(np.array([k]), 0, states_of([sources[k]], [targets[k]]))
        torch.testing.assert_close(alone[0], everything[k])
    monkeypatch.setattr("lexenc.sentences.word_ranking._TOGETHER", 30)
    torch.testing.assert_close(objective.losses(np.arange(40), 0, states_of(sources, targets)), everything)
    changed = [sources[0], *np.random.default_rng(3).permutation(np.array(sources[1:], dtype=object))]
    other = states_of(changed[:1] + [np.ones_like(each) for each in sources[1:]], targets)
    torch.testing.assert_close(objective.losses(np.arange(40), 0, other)[0], everything[0])


def test_gradients_are_finite_and_right():
    rows, (sources, targets) = made_rows(6, seed=4)
    objective = ranking(linked_words(rows), temperature=0.5)
    given = states_of(sources, targets)
    one, other = given.source.requires_grad_(), given.target.requires_grad_()

    def loss(source, target):
        return objective.losses(
            np.arange(6), 0, PairStates(source, given.source_starts, target, given.target_starts)
        ).sum()

    assert torch.autograd.gradcheck(loss, (one, other))


def test_rows_without_links_cost_and_give_nothing():
    rows, (sources, targets) = made_rows(3)
    rows = [(*row[:2], [], [], []) for row in rows]
    objective = ranking(linked_words(rows))
    assert objective.losses(np.arange(3), 0, states_of(sources, targets)).tolist() == [0, 0, 0]
    assert objective.sizes(np.arange(3)).tolist() == [0, 0, 0]
    assert objective.modules == {}


def test_the_same_bits_every_time():
    rows, (sources, targets) = made_rows()
    objective = ranking(linked_words(rows))
    first, second = (objective.losses(np.arange(40), step, states_of(sources, targets)) for step in (0, 5))
    assert torch.equal(first, second)


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="need word links"):
        ranking(None)
    with pytest.raises(ConfigError, match="above 0, got 0"):
        ranking(linked_words([NOTE]), temperature=0)


def test_sums_of_rows():
    values = torch.tensor([1.0, 2.0, 4.0, 8.0], requires_grad=True)
    found = sums_of_rows(values, np.array([0, 0, 3, 3]), 5)
    assert found.tolist() == [3, 0, 0, 12, 0]
    found[3].backward()
    assert values.grad.tolist() == [0, 0, 1, 1]
    assert sums_of_rows(values[:0], np.zeros(0, dtype=np.int64), 2).tolist() == [0, 0]
