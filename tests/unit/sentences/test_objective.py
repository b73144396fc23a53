"""The gradient of a step does not depend on how it is split, whatever is learned in it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.errors import ConfigError
from lexenc.sentences.objective import SentenceObjective, Teacher, train_only_projection
from lexenc.training.contrastive import PairObjective
from lexenc.training.data import number_pairs, store_tokens, translation_classes
from lexenc.training.losses import mneg, symmetric
from lexenc.training.mixture import Mixture
from lexenc.training.processes import Processes
from lexenc.training.schedule import Schedule
from lexenc.training.trainer import Trainer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lexenc.encoders.transformer import TransformerEncoder

WORDS = "dog hund cat katze house haus tree baum sun sonne milk milch hand hot new york".split()
CPU = torch.device("cpu")


def sentences(count, seed=0):
    draw = np.random.default_rng(seed)
    texts = [" ".join(draw.choice(WORDS, size=draw.integers(1, 9))) + f" {i}" for i in range(3 * count)]
    return texts[:count], texts[count : 2 * count], [[text] for text in texts[2 * count :]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tiny") / "bert"
    tokenizer = train_tokenizer(iter(WORDS * 3), kind="wordpiece", vocabulary_size=60, lowercase=True, special=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_new_transformer(place, tokenizer, dimensions=16, layers=2, heads=2, max_length=64, seed=0)
    return place


@pytest.fixture
def encoder(folder):
    return TransformerEncoder.load_folder(folder)


def in_float64(encoder):
    """In float32, sums over all tokens in another order differ by about as much as is allowed."""
    encoder.module.double()
    encoder._backbone.weights.dtype = torch.float64


class Distance:
    """Distance between the mean states of both sentences, through a head. Nothing to learn where `every` divides."""

    uses_states = True

    def __init__(self, every=3):
        self.head, self.every, self.seen = nn.Linear(16, 1), every, []
        with torch.no_grad():
            self.head.weight.copy_(torch.linspace(-1, 1, 16)[None])
            self.head.bias.zero_()
        self.modules = {"head": self.head}

    def sizes(self, rows):
        return np.zeros(len(rows), dtype=np.int64)

    def losses(self, rows, step, states):
        self.seen.append(rows)
        found = []
        for place, row in enumerate(rows.tolist()):
            one = states.source[states.source_starts[place] : states.source_starts[place + 1]].mean(0)
            other = states.target[states.target_starts[place] : states.target_starts[place + 1]].mean(0)
            loss = self.head(one * other).square().sum() * (1 + row % 5)
            found.append(loss if row % self.every else loss.detach() * 0)
        return torch.stack(found)


class Apart:
    """Texts of its own, encoded by the term itself, with the head of another term."""

    uses_states = False

    def __init__(self, encoder, head):
        self.encoder, self.modules, self.calls = encoder, {"head": head}, []

    def sizes(self, rows):
        return 3 + rows % 4

    def losses(self, rows, step, states):
        assert states is None
        self.calls.append(len(rows))
        own = [np.full(3 + row % 4, 5 + row % 7) for row in rows.tolist()]
        return self.modules["head"](self.encoder.embed(own)).square()[:, 0]


def objective(encoder, count=24, *, terms=True, **more):
    sources, targets, negatives = sentences(count)
    data = number_pairs(sources, targets, negatives if more.pop("hard", True) else [])
    data = replace(data, classes=translation_classes(data))
    if terms:
        near = Distance()
        more = {
            "terms": {"near": near, "apart": Apart(encoder, near.head)},
            "weights": {"near": 0.3, "apart": 0.2},
        } | more
    settings = {"ranking": mneg} | more
    return SentenceObjective(encoder, data, store_tokens(encoder.tokenise, data.texts), **settings)


def gradient(made, chunk_tokens, *, rows=None, dropout=False):
    """Gradient of one step by name, its loss, and what is drawn next."""
    module = nn.ModuleDict(dict(made.modules))
    module.train(dropout)
    module.zero_grad()
    rows = np.arange(len(made.data)) if rows is None else rows
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        loss = made.backward(rows, 3, chunk_tokens=chunk_tokens, device=CPU, processes=Processes())
    module.eval()
    return {name: each.grad.clone() for name, each in module.named_parameters() if each.grad is not None}, loss


def assert_same(one, other, tolerance=1e-6):
    assert one[0].keys() == other[0].keys()
    scale = float(torch.stack([each.norm() for each in one[0].values()]).norm())
    for name, each in one[0].items():
        torch.testing.assert_close(other[0][name], each, rtol=0, atol=tolerance * scale, msg=name)
    assert other[1].value == pytest.approx(one[1].value, rel=1e-5, abs=1e-5)
    assert other[1].terms == pytest.approx(one[1].terms, rel=1e-5, abs=1e-5)


# ---------------------------------------------------------------- chunks


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("terms", [False, True])
@pytest.mark.parametrize("more", ["plain", "projection", "teacher"])
def test_cached_gradient_is_the_full_gradient(encoder, hard, terms, more):
    in_float64(encoder)
    places = np.where(np.arange(24) % 5 == 1, -1, np.arange(24) % 7)
    teacher = Teacher(np.random.default_rng(0).standard_normal((7, 16), dtype=np.float32), places)
    settings = {
        "plain": {"ranking": partial(symmetric, margin=0.1)},
        "projection": {"projection": train_only_projection(16, seed=0)},
        "teacher": {"teacher": teacher},
    }[more]
    made = objective(encoder, terms=terms, hard=hard, **settings)
    whole = gradient(made, 100_000)
    assert whole[1].value > 0.1
    for tokens in (1, 40):
        assert_same(whole, gradient(made, tokens))
    rows = np.arange(24)
    nn.ModuleDict(dict(made.modules)).zero_grad()
    made.losses(rows, 3).backward()
    plain = {name: each.grad for name, each in nn.ModuleDict(dict(made.modules)).named_parameters()}
    assert_same(whole, ({name: each for name, each in plain.items() if each is not None}, whole[1]))


def test_chunks_keep_pairs_whole_and_own_texts_are_encoded_once(encoder):
    made = objective(encoder)
    gradient(made, 40)
    near, apart = made.terms["near"], made.terms["apart"]
    assert len(near.seen) > 3
    assert np.concatenate(near.seen).tolist() == list(range(24))
    assert len(apart.calls) > 1
    assert sum(apart.calls) == 24


def test_eight_cached_chunks_are_one_batch_and_not_eight_steps_of_accumulation(encoder):
    in_float64(encoder)
    made = objective(encoder, 256, terms=False, hard=False)
    whole = gradient(made, 1_000_000)
    sizes = made.sizes(np.arange(256))
    assert_same(whole, gradient(made, int(sizes.sum()) // 8), 1e-5)
    parts = [gradient(made, 1_000_000, rows=np.arange(i, i + 32))[0] for i in range(0, 256, 32)]
    accumulated = {name: sum(part[name] for part in parts) / 8 for name in parts[0]}
    norm = torch.stack([each.norm() for each in whole[0].values()]).norm()
    apart = torch.stack([(accumulated[name] - each).norm() for name, each in whole[0].items()]).norm()
    assert float(apart) > 0.01 * float(norm)


@pytest.mark.parametrize("terms", [False, True])
def test_dropout_is_drawn_again_alike(encoder, monkeypatch, terms):
    made = objective(encoder, terms=terms)
    seen = []
    names = ["embed", "embed_with_states"]
    for name in names:
        real = getattr(encoder, name)

        def watched(tokens, languages=None, real=real):
            found = real(tokens, languages)
            vectors = found[0] if isinstance(found, tuple) else found
            seen.append((torch.is_grad_enabled(), [list(map(int, each)) for each in tokens], vectors.detach().clone()))
            return found

        monkeypatch.setattr(encoder, name, watched)
    gradient(made, 60, dropout=True)
    first = [each for each in seen if not each[0]]
    again = (
        [each for each in seen if each[0]][: len(first)]
        if not terms
        else [each for each in seen if each[0] and any(each[1] == one[1] for one in first)]
    )
    assert len(first) == len(again) > 2
    for one, other in zip(first, again, strict=True):
        assert one[1] == other[1]
        torch.testing.assert_close(one[2], other[2], rtol=0, atol=1e-6)
    encoder.module.eval()
    still = encoder.embed([np.array(each) for each in first[0][1]])
    assert float((still - first[0][2]).detach().abs().max()) > 1e-2, "dropout must have done something"


def test_a_text_that_is_its_own_positive_is_seen_twice(encoder):
    texts = sentences(4)[0]
    data = number_pairs(texts, texts, [])
    data = replace(data, classes=translation_classes(data))
    made = SentenceObjective(encoder, data, store_tokens(encoder.tokenise, data.texts), ranking=mneg)
    encoder.module.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vectors = made.prepare(np.arange(4), 0).encode(slice(0, 4)).vectors
    encoder.module.eval()
    assert len(vectors) == 8
    assert float((vectors[::2] - vectors[1::2]).detach().abs().amax(1).min()) > 1e-2
    assert made.effective_negatives(4, 0) == 3


# ---------------------------------------------------------------- what a step learns


def test_loss_is_the_weighted_sum_of_its_terms(encoder):
    teacher = Teacher(np.ones((1, 16), dtype=np.float32), np.zeros(24, dtype=np.int64))
    made = objective(encoder, teacher=teacher, weights={"tr": 0.8, "near": 0.3, "teacher": 2.0})
    loss = gradient(made, 60)[1]
    assert list(loss.terms) == ["tr", "teacher", "near", "apart"]
    weights = {"tr": 0.8, "near": 0.3, "teacher": 2.0, "apart": 1.0}
    assert made.weights == weights
    assert loss.value == pytest.approx(sum(weights[name] * value for name, value in loss.terms.items()))
    with torch.no_grad():
        texts = np.concatenate([made.data.anchors, made.data.positives])
        vectors = encoder.embed([made.tokens[text] for text in texts])
    assert loss.terms["teacher"] == pytest.approx(float((vectors - 1).square().mean()), rel=1e-5)


def test_both_sentences_of_a_pair_learn_what_the_teacher_says_of_its_anchor(encoder):
    # x is the positive of two anchors, b positive and anchor, n a hard negative, and (c, d) no translation.
    data = number_pairs(["a", "b", "a", "c"], ["x", "x", "b", "d"], [["n"], [], [], ["n"]])
    tokens = store_tokens(encoder.tokenise, data.texts)
    wanted = np.random.default_rng(0).standard_normal((2, 16), dtype=np.float32)
    places = np.array([0, 1, 0, -1])
    made = SentenceObjective(encoder, data, tokens, None, teacher=Teacher(wanted, places))
    loss = gradient(made, 100)[1]
    with torch.no_grad():
        sides = [encoder.embed([tokens[text] for text in side]).numpy() for side in (data.anchors, data.positives)]
    errors = [np.square(side[:3] - wanted[places[:3]]).sum() for side in sides]
    assert loss.value == pytest.approx(sum(errors) / (2 * 4 * 16), rel=1e-4)
    found, loss = gradient(made, 100, rows=np.array([3]))
    assert loss.value == 0
    assert not any(bool(each.any()) for each in found.values())


@pytest.mark.parametrize("kept", ["near", "apart"])
def test_terms_need_no_ranking(encoder, kept):
    made = objective(encoder, ranking=None)
    made = SentenceObjective(encoder, made.data, made.tokens, None, {kept: made.terms[kept]})
    whole = gradient(made, 100_000)
    assert whole[1].terms == {}
    assert_same(whole, gradient(made, 40), 1e-5)


def test_ranking_is_that_of_pairs_without_terms(encoder):
    made = objective(encoder, terms=False)
    pairs = PairObjective(encoder, made.data, made.tokens, loss=mneg)
    torch.testing.assert_close(made.losses(np.arange(8), 0), pairs.losses(np.arange(8), 0), rtol=0, atol=1e-5)


def test_one_pair_alone_has_the_loss_0(encoder):
    made = objective(encoder, terms=False, hard=False)
    found, loss = gradient(made, 1000, rows=np.array([3]))
    assert loss.value == 0
    assert all(bool((each == 0).all()) for each in found.values())
    assert made.effective_negatives(1, 0) == 0


def test_effective_negatives_do_not_count_what_is_masked(encoder):
    data = number_pairs(["a", "b", "a"], ["x", "y", "z"], [["q"], ["y"], []])
    data = replace(data, classes=translation_classes(data))
    made = SentenceObjective(encoder, data, store_tokens(encoder.tokenise, data.texts), ranking=mneg)
    # a: y and q, y again; z and x are translations. b: x, z, q.
    assert made.effective_negatives(3, 0) == pytest.approx(3)


def test_what_does_not_fit_is_refused(encoder):
    made = objective(encoder, terms=False)
    with pytest.raises(ConfigError, match="nothing to learn"):
        SentenceObjective(encoder, made.data, made.tokens, ranking=None)
    teacher = Teacher(np.ones((1, 8)), np.zeros(24, dtype=np.int64))
    with pytest.raises(ConfigError, match="have 8 dimensions, those of the encoder 16"):
        SentenceObjective(encoder, made.data, made.tokens, ranking=mneg, teacher=teacher)
    with pytest.raises(ConfigError, match="'head'"):
        SentenceObjective(encoder, made.data, made.tokens, mneg, {"one": Distance(), "other": Distance()})


def test_projection_is_seeded_small_and_only_for_training(encoder):
    one, other = (train_only_projection(384, seed=0)[0] for _ in range(2))
    assert torch.equal(one.weight, other.weight)
    assert float(one.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert not one.bias.any()
    assert not torch.equal(one.weight, train_only_projection(384, seed=1)[0].weight)
    made = objective(encoder, terms=False, projection=train_only_projection(16, seed=0))
    found, _ = gradient(made, 1000)
    assert float(found["projection.0.weight"].abs().max()) > 0
    assert "projection" not in dict(encoder.module.named_modules())


# ---------------------------------------------------------------- runs


def run(folder, out=None, at=None):
    encoder = TransformerEncoder.load_folder(folder)
    made = objective(encoder, projection=train_only_projection(16, seed=0))
    records = []

    def record(one):
        records.append(one)
        if one.step == at:
            raise KeyboardInterrupt

    trainer = Trainer(made, schedule=Schedule(epochs=2, batch_size=7, learning_rate=1e-3, chunk_tokens=40))
    try:
        trainer.run(out, record=record)
    except KeyboardInterrupt:
        pass
    return {name: each.clone() for name, each in nn.ModuleDict(dict(made.modules)).state_dict().items()}, records


def test_resumed_run_has_the_same_bits_heads_and_terms(folder, tmp_path):
    whole, records = run(folder)
    assert len(records) == 8
    assert set(records[0].terms) == {"tr", "near", "apart"}
    _, first = run(folder, tmp_path, at=3)
    again, rest = run(folder, tmp_path)
    assert first + rest == records
    for name, each in whole.items():
        assert torch.equal(each, again[name]), name
    line = (tmp_path / "training.jsonl").read_text().splitlines()[0]
    assert '"tr": ' in line
    assert '"near": ' in line


# ---------------------------------------------------------------- sources


def of_sources(counts, mixture=Mixture()):
    sources = np.repeat(np.arange(len(counts)), counts)
    return lambda epoch: mixture.rows(sources, epoch), sources


@pytest.mark.parametrize(("alpha", "expected"), [(1.0, [90, 9, 1]), (0.0, [34, 33, 33]), (0.5, [70, 22, 8])])
def test_sampling_gives_every_source_its_share(alpha, expected):
    rows, sources = of_sources([90, 9, 1], Mixture(sampling=alpha))
    for epoch in range(3):
        found = np.bincount(sources[rows(epoch)], minlength=3)
        assert found.tolist() == expected


def test_sampling_repeats_no_pair_before_all_of_its_source_came():
    rows, sources = of_sources([90, 9, 1], Mixture(sampling=0.5))
    for source, size in enumerate([90, 9, 1]):
        seen = np.zeros(100, dtype=int)
        for epoch in range(4):
            own = rows(epoch)
            np.add.at(seen, own[sources[own] == source], 1)
            counts = seen[sources == source]
            assert counts.max() - counts.min() <= 1, (source, epoch)
            assert counts.sum() == (epoch + 1) * [70, 22, 8][source]
        assert size == len(counts)
    assert rows(0).tolist() == rows(0).tolist() != rows(1).tolist()
    other, _ = of_sources([90, 9, 1], Mixture(sampling=0.5, seed=1))
    assert other(0).tolist() != rows(0).tolist()


@pytest.mark.parametrize("counts", [[0, 5, 0], [3], [1, 1]])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_sampling_of_few_sources(counts, alpha):
    rows, _ = of_sources(counts, Mixture(sampling=alpha))
    assert len(rows(0)) == len(rows(7)) == sum(counts)


@pytest.mark.parametrize("mix", ["rows", "batches"])
def test_steps_cover_an_epoch_once(encoder, mix):
    made = objective(encoder, 24, terms=False)
    made = replace(made, data=replace(made.data, sources=np.repeat([0, 1, 2], [13, 8, 3])), mixture=Mixture(mix))
    steps = made.steps(0, 4, 7)
    assert sorted(np.concatenate(steps).tolist()) == list(range(24))
    assert [each.tolist() for each in steps] == [each.tolist() for each in made.steps(0, 4, 7)]
    assert [each.tolist() for each in steps] != [each.tolist() for each in made.steps(1, 4, 7)]
    sources = [set(made.data.sources[each].tolist()) for each in steps]
    if mix == "batches":
        assert all(len(each) == 1 for each in sources)
        assert sorted(map(len, steps)) == [1, 3, 4, 4, 4, 4, 4]
        assert Trainer(made, schedule=Schedule(epochs=3, batch_size=4)).total == 21
    else:
        assert any(len(each) > 1 for each in sources)
        assert [len(each) for each in steps] == [4] * 6
