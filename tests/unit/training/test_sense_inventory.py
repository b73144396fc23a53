"""Senses of words: which is chosen, how centres and projection follow the states, and what is pruned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from lexenc.arrays import Ragged
from lexenc.training.sense_aware.clustering import cluster_words
from lexenc.training.sense_aware.dictionary import translations_of
from lexenc.training.sense_aware.inventory import SenseInventory
from lexenc.training.sense_aware.projection import StateQueue, principal_components
from lexenc.training.sense_aware.settings import SensePlan, SenseSettings, looks_like_word, sense_counts

PAPER = SenseSettings(
    senses=2, projection="paper", width=2, queue=20, refit_every=1000, start="noise", rate=0.1, warmup=0.0,
    prune_every=0, sigma=1.0,
)  # fmt: skip


def inventory_of(settings=PAPER, counts=(2, 2, 1), width=4, translations=None, total=100):
    made = SenseInventory(SensePlan(np.array(counts), settings, translations), width)
    made.begin(total)
    return made


def by_hand():
    """Word 0 has its senses along x and y of a plane, word 1 along its diagonals, both in the first two of 4 places."""
    made = inventory_of()
    made.begin_step(0)
    made.projection.copy_(torch.eye(4, 2))
    made.centres[:4] = torch.tensor([[1.0, 0, 5, 0], [0, 1, 5, 0], [1, 1, 0, 0], [1, -1, 0, 0]])
    return made


def step(made, number, words, own, rows=None):
    made.begin_step(number)
    words, own = torch.tensor(words), torch.tensor(own)
    rows = made.choose(words, own) if rows is None else torch.tensor(rows)
    made.observe(words, own, rows)
    made.end_step(number)
    return rows.tolist()


def test_algorithm_1_by_hand():
    made = by_hand()
    words = torch.tensor([0, 0, 1, 2])
    own = torch.tensor([[3.0, 1, -9, 2], [1, 3, 99, 0], [2, -1, 0, 7], [1, 1, 1, 1]])
    rows = made.choose(words, own)
    assert rows.tolist() == [0, 1, 3, 4]
    assert made.choose(words, 10 * own).tolist() == rows.tolist()
    before = made.centres.clone()
    made.observe(words, own, rows)
    assert torch.equal(made.centres, before), "centres move after all parts of a step"
    made.end_step(1)
    expected = torch.tensor([[1.2, 0.1, 3.6, 0.2], [0.1, 1.2, 14.4, 0], [1.1, -1, 0, 0.7]])
    assert torch.allclose(made.centres[[0, 1, 3]], expected, atol=1e-6)
    assert torch.equal(made.centres[[2, 4]], before[[2, 4]]), "centres that were not chosen keep their bits"
    assert not any(each.requires_grad for each in made.buffers())


def test_a_sense_that_is_chosen_twice_moves_towards_the_mean_whatever_the_parts():
    one, other = by_hand(), by_hand()
    own = torch.tensor([[2.0, 0, 0, 0], [4, 0, 0, 0]])
    words = torch.tensor([0, 0])
    one.observe(words, own, torch.tensor([0, 0]))
    for part in range(2):
        other.observe(words[part : part + 1], own[part : part + 1], torch.tensor([0]))
    one.end_step(1)
    other.end_step(1)
    assert torch.allclose(one.centres[0], torch.tensor([1.2, 0, 4.5, 0]))
    assert torch.equal(one.centres, other.centres)


def test_several_processes_move_centres_projection_and_queue_alike():
    settings = SenseSettings(**vars(PAPER) | {"refit_every": 2, "projection": "word-centred", "start": "kmeans"})
    alone, *both = (inventory_of(settings) for _ in range(3))
    draw = np.random.default_rng(0)
    for number in range(5):
        words = torch.from_numpy(draw.integers(0, 3, 9))
        own = torch.from_numpy(draw.normal(size=(9, 4))).float()
        shares = [slice(0, 4), slice(4, 9)]
        for made in (alone, *both):
            made.begin_step(number)
        rows = alone.choose(words, own)
        alone.observe(words, own, rows)
        for made, share in zip(both, shares, strict=True):
            assert torch.equal(made.choose(words[share], own[share]), rows[share])
            made.observe(words[share], own[share], rows[share])
        tracked = words < 2
        for made in both:
            whole = iter([words[tracked], own[tracked], rows[tracked]])
            made.end_step(number, lambda _, whole=whole: next(whole))
        alone.end_step(number)
        for made in both:
            assert all(torch.equal(each, made.state_dict()[name]) for name, each in alone.state_dict().items())


def test_global_decay_shrinks_all_other_centres():
    made = by_hand()
    made.settings = SenseSettings(**vars(PAPER) | {"decay": "global"})
    before = made.centres.clone()
    step(made, 1, [0], [[2.0, 0, 5, 0]])
    assert torch.allclose(made.centres[1:], 0.9 * before[1:])
    assert torch.allclose(made.centres[0], torch.tensor([1.1, 0, 5, 0]))


def test_ties_go_to_the_first_sense_and_disabled_senses_are_never_chosen():
    made = by_hand()
    made.centres[1] = made.centres[0]
    assert made.choose(torch.tensor([0]), torch.tensor([[1.0, 2, 0, 0]])).tolist() == [0]
    assert made.choose(torch.tensor([0]), torch.zeros(1, 4)).tolist() == [0]
    made.enabled[0] = False
    assert made.choose(torch.tensor([0]), torch.tensor([[1.0, 2, 0, 0]])).tolist() == [1]


def test_random_logits_and_oracle_choices():
    words, own = torch.zeros(400, dtype=torch.int64), torch.ones(400, 4)
    made = by_hand()
    made.settings = SenseSettings(**vars(PAPER) | {"choice": "random"})
    share = made.choose(words, own).double().mean()
    assert 0.4 < share < 0.6
    made.settings = SenseSettings(**vars(PAPER) | {"choice": "logits"})
    scores = torch.tensor([[1.0, 2.0], [3.0, 2.0]])
    assert made.choose(words[:2], own[:2], scores=scores).tolist() == [1, 0]
    made.settings = SenseSettings(**vars(PAPER) | {"choice": "oracle"})
    assert made.choose(torch.tensor([1, 1, 0]), own[:3], labels=torch.tensor([1, 0, -1])).tolist() == [3, 2, 0]


def test_algorithm_2_refits_the_projection_from_a_queue_every_so_many_steps():
    made = inventory_of(SenseSettings(**vars(PAPER) | {"refit_every": 3, "queue": 12}), width=5)
    draw = np.random.default_rng(0)
    states = draw.normal(size=(8, 5, 5)) * [5, 3, 2, 1, 0.5] + 3
    seen = []
    for number in range(8):
        before = made.projection.clone()
        step(made, number, [0, 1, 0, 1, 0], states[number].astype(np.float32).tolist())
        seen.append(torch.equal(made.projection, before))
        if not seen[-1]:
            last = states[: number + 1].reshape(-1, 5)[-12:]
            expected = PCA(2).fit(last).components_.T
            assert subspace_angles(made.projection.double().numpy(), expected).max() < 1e-4
            assert torch.allclose(made.projection.T @ made.projection, torch.eye(2), atol=1e-5)
    assert seen == [True, True, False, True, True, False, True, True]
    assert torch.allclose(made.queue.held()[0].double(), torch.from_numpy(states.reshape(-1, 5)[-12:]), atol=1e-5)


def test_the_queue_is_first_in_first_out():
    queue, rows = StateQueue(5, 1), torch.arange(19.0)[:, None]
    for begin, end in ((0, 3), (3, 3), (3, 7), (7, 19)):
        queue.push(rows[begin:end], torch.arange(begin, end))
        states, words = queue.held()
        assert words.tolist() == list(range(max(0, end - 5), end)) == states[:, 0].tolist()


def test_word_centred_components_ignore_differences_between_words():
    settings = SenseSettings(
        **vars(PAPER) | {"projection": "word-centred", "width": 1, "refit_every": 4, "queue": 200, "warmup": 0.5}
    )
    made = inventory_of(settings, counts=(2, 2), width=3, total=10)
    draw = np.random.default_rng(0)
    for number in range(4):
        words = draw.integers(0, 2, 40)
        own = draw.normal(0, 0.1, (40, 3)) + np.stack([20 * words, draw.choice([-1, 1], 40), 0 * words], 1)
        step(made, number, words.tolist(), own.astype(np.float32).tolist())
    direction = torch.nn.functional.normalize(made.projection[:, 0], dim=0)
    assert abs(direction[1]) > 0.95, "not the difference between the two words, which is 20 times as large"
    assert torch.allclose(made.means[1], torch.tensor([20.0, 0, 0]), atol=0.3)
    expected = PCA(1).fit(made.queue.held()[0] - made.means[made.slots[made.queue.held()[1]]]).components_.T
    assert subspace_angles(made.projection.double().numpy(), expected).max() < 1e-4


def test_kmeans_start_finds_the_senses_and_words_have_one_sense_before():
    settings = SenseSettings(
        senses=2, width=1, queue=400, refit_every=5, warmup=0.5, prune_every=0, start="kmeans", rate=0.05
    )
    made = inventory_of(settings, counts=(2, 1, 2), width=6, total=20)
    draw = np.random.default_rng(1)
    labels, chosen, given = [], [], []
    for number in range(20):
        shares = made.begin_step(number)
        assert (shares is not None) == (number == 10)
        words, senses = draw.integers(0, 3, 30), draw.choice(2, 30, p=[0.7, 0.3])
        own = draw.normal(0, 0.3, (30, 6)) + 10 * np.eye(6)[words] + 2 * np.eye(6)[3 + senses]
        words, own = torch.from_numpy(words), torch.from_numpy(own).float()
        rows = made.choose(words, own)
        made.observe(words, own, rows)
        made.end_step(number)
        if number < 10:
            assert torch.equal(rows, made.offsets[words])
            assert made.enabled.tolist() == [True, False, True, True, False]
        else:
            labels += (2 * words + torch.from_numpy(senses))[words != 1].tolist()
            chosen += rows[words != 1].tolist()
        if number == 10:
            given = shares.tolist()
    assert adjusted_rand_score(labels, chosen) > 0.95
    assert given[0] == pytest.approx(0.7, abs=0.15), "the largest cluster comes first"
    assert [given[0] + given[1], given[2], given[3] + given[4]] == pytest.approx([1, 1, 1])
    usage = made.usage()
    assert usage["senses"] == 4
    assert 0.8 < usage["sense_entropy"] < 0.95
    assert usage["one_sense_share"] == 0


def test_a_rare_sense_is_chosen_by_distance_from_the_mean_of_its_word():
    made = inventory_of(SenseSettings(senses=2, width=1, warmup=0.0), counts=(2,), width=2)
    made.begin_step(0)
    made.projection.copy_(torch.tensor([[1.0], [0.0]]))
    made.means[0] = torch.tensor([1.0, 0.0])
    made.centres.copy_(torch.tensor([[0.0, 3.0], [9.0, 3.0]]))  # nine in ten occurrences have the first sense
    words, own = torch.zeros(3, dtype=torch.int64), torch.tensor([[2.0, 9.0], [4.0, -9.0], [5.0, 0.0]])
    assert made.choose(words, own).tolist() == [0, 0, 1]


@pytest.mark.parametrize("sphere", [True, False])
def test_clusters_of_many_words_at_once(sphere):
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, (5, 40))
    points = 3 * np.eye(4)[truth] + draw.normal(0, 0.3, (5, 40, 4))
    counts = torch.tensor([40, 30, 40, 25, 40])
    given, seed = torch.from_numpy(points).float(), torch.Generator().manual_seed(0)
    found = cluster_words(given, counts, 3, draw=seed, sphere=sphere).numpy()
    for word, count in enumerate(counts.tolist()):
        assert adjusted_rand_score(truth[word, :count], found[word, :count]) == 1
        assert (found[word, count:] == -1).all()
        sizes = np.bincount(found[word, :count])
        assert (sizes == np.sort(sizes)[::-1]).all()


def test_rare_senses_are_pruned_for_good_and_one_always_stays():
    settings = SenseSettings(
        **vars(PAPER) | {"senses": 3, "prune_every": 2, "prune_below": 0.1, "prune_from": 0.0, "prune_least": 10}
    )
    translations = Ragged.of([[1], [0], []])
    made = inventory_of(settings, counts=(3, 3, 1), translations=translations)
    made.begin_step(0)
    rows = [0] * 19 + [1] + [3] * 4 + [4] * 5  # word 0: sense 1 has 5 %, sense 2 nothing; word 1 has too few
    words = [0] * 20 + [1] * 9
    for number in range(2):
        step(made, number, words, torch.ones(29, 4).tolist(), rows)
        assert made.enabled.all() == (number == 0)
    assert made.enabled.tolist() == [True, False, False, True, True, False, True]
    centres = made.centres
    centres[1:3] = torch.tensor([9.0, 9, 9, 9])
    assert made.choose(torch.tensor([0]), centres[1:2]).tolist() == [0]
    candidates = made.translate(torch.tensor([1, 2]), centres[[1, 1]])
    assert candidates.places.tolist() == [0]
    assert candidates.chosen.tolist() == [0]
    loaded = inventory_of(settings, counts=(3, 3, 1), translations=translations)
    loaded.load_state_dict(made.state_dict())
    assert torch.equal(loaded.enabled, made.enabled)
    assert loaded.begin_step(3) is None
    assert torch.equal(loaded.enabled, made.enabled), "senses that were pruned do not come back"
    made.recent[0] = 0
    made.recent[3:6] = torch.tensor([0, 100, 0])
    made.prune()
    assert made.enabled[:3].sum() == 1
    assert made.enabled[3:6].tolist() == [False, True, False]


def test_the_translation_of_the_context_is_chosen_and_read_but_not_moved():
    translations = translations_of(
        [("bank", "ufer"), ("bank", "kasse"), ("bank", "sitz"), ("see", "see"), ("bank", "ufer"), ("bank", "xxx"),
         ("xxx", "yyy")],
        {"bank": 0, "ufer": 1, "kasse": 2, "sitz": 3, "see": 4}, 5, most=2,
    )  # fmt: skip
    assert list(map(list, translations.words)) == [[1, 2], [0], [0], [0], []]
    assert translations.used == 3
    assert translations.left_out == {"word is its own translation": 1, "pair occurs again": 1,
        "target not in the vocabulary": 1, "source and target not in the vocabulary": 1}  # fmt: skip
    draw = np.random.default_rng(0)
    for projection in ("paper", "word-centred"):
        settings = SenseSettings(**vars(PAPER) | {"projection": projection, "width": 3, "refit_every": 5, "rate": 0.2})
        made = inventory_of(settings, counts=(2, 1, 1, 1, 1), width=8, translations=translations.words)
        right = total = 0
        for number in range(40):
            words = torch.from_numpy(draw.integers(0, 3, 30))
            sense = torch.where(words == 0, torch.from_numpy(draw.integers(0, 2, 30)), words - 1)
            own = torch.from_numpy(draw.normal(0, 0.2, (30, 8))).float()
            own[torch.arange(30), 5 + sense] += 2
            own[torch.arange(30), words] += 1
            made.begin_step(number)
            rows, before = made.choose(words, own), made.centres.clone()
            found = made.translate(words, own)
            assert torch.equal(made.centres, before)
            assert found.valid.sum(1).tolist() == [2] * 30, "empty places are not valid"
            if number >= 20:
                ours = words[found.places] == 0
                right += int((found.chosen[ours] == 2 + sense[found.places][ours]).sum())
                total += int(ours.sum())
            made.observe(words, own, rows)
            made.end_step(number)
        assert right >= 0.9 * total, projection
    assert made.translate(torch.tensor([4]), torch.ones(1, 8)) is None


def test_words_that_deserve_senses():
    counts, regular = np.array([900, 5000, 300, 200, 199, 0, 800]), np.array([True] * 6 + [False])
    scopes = [sense_counts(counts, regular, SenseSettings(skip_top=top, scope=scope)).tolist()
              for top, scope in ((1, "frequent"), (0, "all"))]  # fmt: skip
    assert scopes == [[3, 1, 3, 3, 1, 1, 1], [3, 3, 3, 3, 3, 1, 1]]
    assert looks_like_word(["a", "▁été", "##ing", "12", "."]).tolist() == [True, True, False, False, False]


def test_principal_components_have_the_largest_variance_first():
    states = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 4)) * [1, 4, 2, 3])
    assert torch.diff((states @ principal_components(states, 4)).std(0)).max() < 0
    states[:, 0] = 1e-5 * states[:, 1]  # so that one direction has no variance
    white = (states @ principal_components(states, 4, whiten=True)).std(0, correction=0)
    assert white[:3] == pytest.approx(1, abs=1e-6)
    assert white[3] < 1e-3
