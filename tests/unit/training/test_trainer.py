from __future__ import annotations

import json
import math
import signal
import warnings
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from lexenc.arrays import batches
from lexenc.device import CPU, Device
from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.encoders.static import StaticEncoder
from lexenc.errors import WorkError
from lexenc.files.text import json_lines
from lexenc.training import HISTORY, contrastive
from lexenc.training.checkpoints import load_checkpoint, save_checkpoint
from lexenc.training.contrastive import Encoded, PairObjective, contrast_of, encode_with_gradient
from lexenc.training.data import batch_of, number_pairs, store_tokens
from lexenc.training.losses import mneg, symmetric
from lexenc.training.schedule import Schedule, StepSchedule
from lexenc.training.trainer import Trainer, Validation

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lexenc.encoders.transformer import TransformerEncoder

WORDS = "dog hund cat katze house haus tree baum sun sonne milk milch hand hot dog new york".split()
SOURCES = ["dog", "cat", "house", "tree", "sun", "milk", "hand", "hot dog", "cat", "new york house"]
TARGETS = ["hund", "katze", "haus", "baum", "sonne", "milch", "hand", "hot hund", "katze baum", "haus new york"]
NEGATIVES = [
    ["katze", "haus"],
    ["hund"],
    ["baum", "sonne"],
    ["haus"],
    [],
    ["hand"],
    ["hund", "milch"],
    ["hund"],
    ["haus"],
    [],
]
BF16 = Device("cpu", "bfloat16", "")
PLAN = Schedule(epochs=3, batch_size=4, learning_rate=1e-2, checkpoint_seconds=0.0)


def static() -> StaticEncoder:
    words = list(dict.fromkeys(WORDS))
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*words, "[UNK]"])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = torch.randn(len(words) + 1, 6, generator=torch.Generator().manual_seed(0))
    return StaticEncoder(tokenizer, weights)


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """The folder of a tiny BERT with random weights and the usual dropout of 0.1."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = train_tokenizer(iter(WORDS * 3), kind="wordpiece", vocabulary_size=60, lowercase=True, special=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_new_transformer(folder, tokenizer, dimensions=16, layers=2, heads=2, max_length=64, seed=0)
    return folder


@pytest.fixture
def make(bert):
    def encoder(kind: str):
        if kind == "static":
            return static()
        return TransformerEncoder.load_folder(bert, device=BF16 if kind == "bfloat16" else CPU)

    return encoder


def pairs_of(encoder, loss=mneg) -> PairObjective:
    data = number_pairs(SOURCES, TARGETS, NEGATIVES)
    return PairObjective(encoder, data, store_tokens(encoder.tokenise, data.texts), loss=loss)


def training(encoder, schedule=PLAN, *, seed=0, loss=mneg, evaluation=None) -> Trainer:
    return Trainer(pairs_of(encoder, loss), schedule=schedule, seed=seed, evaluation=evaluation)


def weights(encoder):
    return {name: each.detach().clone() for name, each in encoder.module.state_dict().items()}


def trained(encoder, schedule=PLAN, **more):
    records = []
    training(encoder, schedule, **more).run(record=records.append)
    return weights(encoder), records


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, each in one.items():
        assert torch.equal(each, other[name]), name


KINDS = ["static", "float32", "bfloat16"]

# ---------------------------------------------------------------- one step


def cached(embed, tokens, chunk_tokens, **more):
    """Encodings and what sends their gradient back, with one text a group."""
    sizes = np.array([len(each) for each in tokens])
    return encode_with_gradient(lambda part: Encoded(embed(tokens[part])), sizes, chunk_tokens, **more)


def gradients(encoder, chunk_tokens, *, chunked_by_hand=False, dropout=False):
    """Encodings and gradients of one step over all pairs."""
    pairs = pairs_of(encoder)
    batch = batch_of(pairs.data, np.arange(len(SOURCES)))
    tokens = [pairs.tokens[text] for text in batch.texts]
    encoder.module.train(dropout)
    encoder.module.zero_grad()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        if chunked_by_hand:
            # The same draws of dropout as chunk after chunk, but with one graph over all of them.
            parts = [encoder.embed(tokens[part]) for part in batches([len(each) for each in tokens], chunk_tokens)]
            encodings, send_back = torch.cat(parts), dict
        else:
            encodings, send_back = cached(encoder.embed, tokens, chunk_tokens)
        mneg(contrast_of(encodings, batch)).backward()
        send_back({})
        after = torch.rand(1).item()
    encoder.module.eval()
    found = {name: each.grad.clone() for name, each in encoder.module.named_parameters() if each.grad is not None}
    assert found
    return encodings.detach(), found, after


def assert_close(one, other, tolerance):
    torch.testing.assert_close(one[0], other[0], rtol=0, atol=tolerance)
    assert one[1].keys() == other[1].keys()
    for name, each in one[1].items():
        scale = max(1.0, each.abs().max().item())
        torch.testing.assert_close(other[1][name], each, rtol=0, atol=tolerance * scale, msg=name)


@pytest.mark.parametrize("kind", ["static", "float32"])
@pytest.mark.parametrize("chunk_tokens", [1, 7, 20])
def test_cached_chunks_equal_the_full_batch(make, kind, chunk_tokens):
    encoder = make(kind)
    assert_close(gradients(encoder, 10_000), gradients(encoder, chunk_tokens), 1e-5)


@pytest.mark.parametrize("chunk_tokens", [7, 20])
def test_cached_chunks_draw_the_same_dropout_twice(make, chunk_tokens):
    encoder = make("float32")
    cached = gradients(encoder, chunk_tokens, dropout=True)
    by_hand = gradients(encoder, chunk_tokens, dropout=True, chunked_by_hand=True)
    assert_close(by_hand, cached, 1e-5)
    assert cached[2] == by_hand[2], "what is drawn afterwards must not depend on the second pass"
    still = gradients(encoder, chunk_tokens)
    assert (cached[0] - still[0]).abs().max() > 1e-2, "dropout must have done something"


def test_cached_chunks_keep_the_randomness_of_their_device_from_the_first_on(make, monkeypatch):
    asked = []
    real = contrastive.random_state
    monkeypatch.setattr(
        contrastive, "random_state", lambda device: asked.append(device.type) or real(torch.device("cpu"))
    )
    encoder = make("static")
    tokens = [np.array([1, 2]), np.array([3])]
    encodings, send_back = cached(encoder.embed, tokens, 2, device=torch.device("meta"))
    encodings.sum().backward()
    send_back({})
    assert asked == ["meta"] * 4


def test_batch_rows_go_where_they_belong(make):
    encoder = make("static")
    pairs = pairs_of(encoder)
    batch = batch_of(pairs.data, np.array([3, 0]))
    made = contrast_of(encoder.embed([pairs.tokens[text] for text in batch.texts]), batch)
    for place, row in enumerate([3, 0]):
        expected = encoder.embed(encoder.tokenise([SOURCES[row], TARGETS[row], *NEGATIVES[row]]))
        own = made.negatives[place, : len(NEGATIVES[row])]
        assert torch.equal(torch.stack([made.anchors[place], made.positives[place], *own]), expected)


# ---------------------------------------------------------------- order


def order(count, size, *, seed=0, epochs=1):
    data = number_pairs([f"a{i}" for i in range(count)], [f"b{i}" for i in range(count)], [])
    encoder = static()
    pairs = PairObjective(encoder, data, store_tokens(encoder.tokenise, data.texts), loss=mneg)
    return list(Trainer(pairs, schedule=Schedule(epochs=epochs, batch_size=size), seed=seed).batches())


@pytest.mark.parametrize(("count", "size"), [(1, 1), (10, 3), (10, 10), (10, 99), (12, 4)])
def test_epoch_covers_all_rows_once(count, size):
    steps = order(count, size, epochs=2)
    for epoch in range(2):
        rows = [each for number, each in steps if number == epoch]
        assert sorted(np.concatenate(rows).tolist()) == list(range(count))
        assert {len(each) for each in rows[:-1]} <= {size}
        assert len(rows) == -(-count // size)


def test_epoch_order_depends_on_seed_and_epoch_only():
    def flat(seed, epoch, size=7):
        return np.concatenate([rows for number, rows in order(50, size, seed=seed, epochs=3) if number == epoch])

    assert flat(0, 0).tolist() == flat(0, 0, size=13).tolist()
    np.random.seed(3)  # the global generator must not matter
    assert flat(0, 0).tolist() == flat(0, 0).tolist()
    assert len({tuple(flat(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9
    assert flat(0, 0).tolist() != list(range(50))


# ---------------------------------------------------------------- a whole run


@pytest.mark.parametrize("kind", KINDS)
def test_learns(make, kind):
    rate = 0.05 if kind == "static" else 5e-3
    before = weights(make(kind))
    after, records = trained(make(kind), replace(PLAN, epochs=12, learning_rate=rate))
    assert np.mean([r.loss for r in records[-3:]]) < np.mean([r.loss for r in records[:3]]) - 0.3
    assert any(not torch.equal(before[name], each) for name, each in after.items())
    assert all(torch.isfinite(each).all() for each in after.values() if each.is_floating_point())


def test_logged_learning_rate_reaches_the_peak():
    plan = Schedule(epochs=20, batch_size=1, learning_rate=2e-5, warmup=0.1, checkpoint_seconds=1e9)
    _, records = trained(static(), plan)
    rates = [record.learning_rate for record in records]
    assert [record.step for record in records] == list(range(1, 201))
    assert [record.epoch for record in records] == [1 + step // 10 for step in range(200)]
    assert max(rates) == 2e-5
    assert rates.index(max(rates)) == 20
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[10] == pytest.approx(1e-5)
    assert rates[-1] == pytest.approx(2e-5 / 180)


def test_a_run_of_one_step_changes_something():
    before = weights(static())
    after, _ = trained(static(), replace(PLAN, epochs=1, batch_size=99))
    assert not torch.equal(before["0.weight"], after["0.weight"])


@pytest.mark.parametrize("kind", KINDS)
def test_result_depends_on_the_seed_and_not_on_other_randomness(make, kind):
    state = torch.get_rng_state()
    one, records = trained(make(kind))
    assert torch.equal(torch.get_rng_state(), state), "a run must not touch the randomness of others"
    torch.manual_seed(99)
    other, again = trained(make(kind))
    assert_equal(one, other)
    assert records == again
    different, _ = trained(make(kind), seed=1)
    assert any(not torch.equal(each, different[name]) for name, each in one.items())


@pytest.mark.parametrize("kind", ["static", "float32"])
def test_chunk_size_does_not_change_a_run_without_dropout(make, kind):
    def run(chunk_tokens):
        encoder = make(kind)
        for part in encoder.module.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        if kind == "float32":
            encoder = TransformerEncoder(encoder.module)
        return trained(encoder, replace(PLAN, epochs=1, learning_rate=1e-3, chunk_tokens=chunk_tokens), loss=symmetric)

    (whole, records), (cached, chunked) = run(10_000), run(9)
    for one, other in zip(records, chunked, strict=True):
        assert other.loss == pytest.approx(one.loss, abs=1e-4)
        assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-3)
    for name, each in whole.items():
        torch.testing.assert_close(cached[name], each, rtol=0, atol=1e-3, msg=name)


def test_bfloat16_encoder_answers_with_its_new_weights(make, tmp_path):
    encoder = make("bfloat16")
    assert encoder.side_by_side
    texts = encoder.tokenise(TARGETS)
    with torch.no_grad():
        before = encoder.embed(texts)  # casts the weights and remembers them
    trained(encoder)
    assert {each.dtype for each in encoder.module.parameters()} == {torch.float32}
    encoder.save(tmp_path / "saved")
    fresh = TransformerEncoder.load_folder(tmp_path / "saved", device=BF16)
    with torch.no_grad():
        assert torch.equal(encoder.embed(texts), fresh.embed(texts))
        assert not torch.equal(encoder.embed(texts), before)


# ---------------------------------------------------------------- interrupted and resumed


class StopError(Exception):
    pass


@pytest.mark.parametrize("chunk_tokens", [10_000, 9])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stops", [(1,), (5,), (2, 4, 6)], ids=str)
def test_resumed_run_ends_with_the_same_bits(make, tmp_path, kind, chunk_tokens, stops):
    plan = replace(PLAN, chunk_tokens=chunk_tokens)
    whole, records = trained(make(kind), plan)
    assert len(records) == 9
    seen = {}

    def stopping(at):
        def record(one):
            seen[one.step] = one
            if one.step == at:
                raise StopError

        return record

    for at in stops:
        encoder = make(kind)
        with pytest.raises(StopError):
            training(encoder, plan).run(tmp_path, record=stopping(at))
        assert not encoder.module.training
    encoder = make(kind)
    run = training(encoder, plan)
    run.run(tmp_path, record=stopping(None))
    assert_equal(whole, weights(encoder))
    assert [seen[step] for step in sorted(seen)] == records
    assert run.step == run.total == 9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["record", "step"])
def test_interrupted_between_checkpoints_goes_on_from_the_last_step(make, tmp_path, monkeypatch, kind, place):
    plan = replace(PLAN, checkpoint_seconds=1e9)
    whole, records = trained(make(kind), plan)
    seen = []

    def record(one):
        seen.append(one)
        if place == "record" and one.step == 4:
            raise KeyboardInterrupt

    encoder = make(kind)
    if place == "step":
        real, calls = encoder.embed, []

        def embed(tokens):
            calls.append(1)
            if len(calls) == 4:
                signal.raise_signal(signal.SIGINT)
            return real(tokens)

        monkeypatch.setattr(encoder, "embed", embed)
    usual = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        training(encoder, plan).run(tmp_path, record=record)
    assert signal.getsignal(signal.SIGINT) is usual
    assert [each.step for each in seen] == [1, 2, 3, 4]
    encoder = make(kind)
    training(encoder, plan).run(tmp_path, record=seen.append)
    assert seen == records
    assert_equal(whole, weights(encoder))


def test_second_interruption_stops_at_once_and_keeps_no_half_step(make, tmp_path, monkeypatch):
    encoder = make("static")

    def embed(tokens):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(encoder, "embed", embed)
    monkeypatch.setattr("lexenc.training.trainer._ONE_REQUEST_SECONDS", 0)
    seen = []
    with pytest.raises(KeyboardInterrupt):
        training(encoder).run(tmp_path, record=seen.append)
    assert seen == []
    assert list(tmp_path.iterdir()) == []


def test_finished_run_is_not_trained_further(make, tmp_path):
    encoder = make("static")
    training(encoder).run(tmp_path)
    records = []
    again = make("static")
    training(again).run(tmp_path, record=records.append)
    assert records == []
    assert_equal(weights(encoder), weights(again))


@pytest.mark.parametrize(("seconds", "steps"), [(1e9, [9]), (0.0, list(range(1, 10)))])
def test_checkpoints_are_written_by_the_clock_and_at_the_end(make, tmp_path, monkeypatch, seconds, steps):
    saved = []
    monkeypatch.setattr("lexenc.training.trainer.save_checkpoint", lambda folder, checkpoint: saved.append(checkpoint))
    training(make("static"), replace(PLAN, checkpoint_seconds=seconds)).run(tmp_path)
    assert [each.step for each in saved] == steps


def log_of(records) -> list[dict]:
    return [each.line() for each in records]


def test_log_has_every_step_once_however_often_the_run_is_stopped(make, tmp_path):
    """The log is saved with every checkpoint; what it has beyond the checkpoint is cut off."""
    _, records = trained(make("static"))

    def stopping(at):
        def record(one):
            if one.step == at:
                raise StopError

        return record

    log = tmp_path / "training.jsonl"
    for at in (3, 5, 5, 9):
        with pytest.raises(StopError):
            training(make("static")).run(tmp_path, record=stopping(at))
        assert [json.loads(line) for line in log.read_text().splitlines()[: at - 1]] == log_of(records[: at - 1])
        with log.open("a") as stream:
            stream.write('{"step": 9}\n{"st')  # what a kill between both leaves
    training(make("static")).run(tmp_path)
    assert [json.loads(line) for line in log.read_text().splitlines()] == log_of(records)


def cut_log(folder):
    path = folder / "training.jsonl"
    path.write_bytes(path.read_bytes()[:-1])


def change_line(folder):
    path = folder / "training.jsonl"
    path.write_text(path.read_text().replace('"step": 2', '"step": 7'))


def other_weights(folder):
    found = load_checkpoint(folder)
    save_checkpoint(folder, replace(found, weights={name: each[:1] for name, each in found.weights.items()}))


def less_optimiser(folder):
    found = load_checkpoint(folder)
    save_checkpoint(folder, replace(found, optimiser={}))


def later_step(folder):
    save_checkpoint(folder, replace(load_checkpoint(folder), step=10))


@pytest.mark.parametrize(
    "damage",
    [cut_log, change_line, other_weights, less_optimiser, later_step,
     lambda folder: (folder / "training.jsonl").unlink(),
     lambda folder: (folder / "checkpoint.safetensors").write_bytes(b"x" * 40)],
)  # fmt: skip
def test_damaged_state_is_told_once_and_the_run_begins_anew(make, tmp_path, damage):
    whole, records = trained(make("static"))
    with pytest.raises(StopError):
        training(make("static")).run(tmp_path, record=Mock(side_effect=[None] * 4 + [StopError]))
    damage(tmp_path)
    encoder, said, seen = make("static"), [], []
    training(encoder).run(tmp_path, say=said.append, record=seen.append)
    assert len(said) == 1
    assert said[0].endswith("Beginning anew.")
    assert seen == records
    assert_equal(whole, weights(encoder))
    assert (tmp_path / "training.jsonl").read_text().count("\n") == len(records)


def test_interruption_in_the_last_step_is_not_lost(make, tmp_path):
    """It comes when nothing is left to train, but perhaps much to measure and to write."""

    def interrupting(one):
        if one.step == 9:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        training(make("static")).run(tmp_path, record=interrupting)
    assert load_checkpoint(tmp_path).step == 9


# ---------------------------------------------------------------- failing


@pytest.mark.parametrize(
    "broken",
    [
        lambda contrast: contrast.anchors.sum() * float("nan"),
        lambda contrast: contrast.anchors.sum() * 0 + float("inf"),
        # 0, but its slope is no number
        lambda contrast: (contrast.anchors - contrast.anchors.detach()).square().sum().sqrt(),
    ],
    ids=["nan", "inf", "gradient"],
)
@pytest.mark.parametrize("epochs", [1, 3])
def test_loss_that_is_no_number_is_a_work_error(make, broken, epochs):
    encoder = make("static")
    plan = replace(PLAN, epochs=epochs, batch_size=99)
    with pytest.raises(WorkError, match=f"step 1 of {epochs}") as caught:
        training(encoder, plan, loss=broken).run()
    assert "0.01" in caught.value.hint
    assert not encoder.module.training


def test_loss_that_is_no_number_leaves_the_weights_alone(make):
    encoder = make("static")
    before = weights(encoder)
    with pytest.raises(WorkError):
        training(encoder, loss=lambda contrast: contrast.anchors.sum() * float("nan")).run()
    assert_equal(before, weights(encoder))


def test_out_of_gpu_memory_says_what_to_do(make):
    def full(contrast):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(WorkError, match="memory at step 1") as caught:
        training(make("static"), loss=full).run()
    assert "--chunk-tokens 4096" in caught.value.hint


@pytest.mark.parametrize(("pairs", "batch", "epochs", "steps"), [(10, 4, 3, 9), (8, 4, 3, 6), (1, 128, 5, 5)])
def test_number_of_steps(pairs, batch, epochs, steps):
    schedule = Schedule(epochs=epochs, batch_size=batch)
    assert schedule.total_steps(schedule.epoch_steps(pairs)) == steps


@pytest.mark.parametrize(("steps", "epochs"), [(2, [1, 1]), (7, [1, 1, 1, 2, 2, 2, 3])])
def test_length_in_steps_comes_before_epochs(steps, epochs):
    plan = StepSchedule(epochs=9, steps=steps, batch_size=4, learning_rate=1e-2)
    _, records = trained(static(), plan)
    assert [record.epoch for record in records] == epochs
    assert [record.step for record in records] == list(range(1, steps + 1))
    assert records[-1].learning_rate == pytest.approx(1e-2 / max(1, steps - 1))


# ---------------------------------------------------------------- evaluation


def evaluated(scores):
    """A trainer with given scores of its evaluations, its encoder, and the weights at each evaluation."""
    encoder, seen = static(), {}

    def score():
        assert not encoder.module.training
        torch.rand(3)
        seen[trainer.step] = weights(encoder)
        return scores[len(seen) - 1]

    trainer = training(encoder, evaluation=Validation(score, 2))
    return trainer, encoder, seen


def test_best_weights_are_kept():
    trainer, encoder, seen = evaluated([0.1, 0.5, 0.3, 0.5, 0.2])
    records = []
    trainer.run(record=records.append)
    assert {record.step: record.score for record in records if record.score is not None} == {
        2: 0.1, 4: 0.5, 6: 0.3, 8: 0.5, 9: 0.2}  # fmt: skip
    assert trainer.best.step == 4, "the first of two with the best score"
    assert_equal(weights(encoder), seen[4])
    assert any(not torch.equal(each, seen[9][name]) for name, each in seen[4].items())


def test_scores_that_are_no_numbers_are_never_the_best_nor_in_the_log(tmp_path):
    nan = float("nan")
    trainer, encoder, seen = evaluated([nan, 0.5, nan, -math.inf, nan])
    trainer.run(tmp_path)
    assert_equal(weights(encoder), seen[4])
    assert {row["step"]: row["score"] for _, row in json_lines(tmp_path / HISTORY) if "score" in row} == {4: 0.5}
    trainer, encoder, seen = evaluated([nan] * 5)
    trainer.run()
    assert_equal(weights(encoder), seen[9])


def test_log_with_a_line_that_is_not_json_is_not_continued(make, tmp_path):
    encoder = make("static")
    training(encoder).run(tmp_path)
    log = tmp_path / HISTORY
    log.write_text(log.read_text().replace('"epoch": 1', '"epoch": NaN', 1))
    messages = []
    training(make("static")).run(tmp_path, say=messages.append)
    assert "Beginning anew" in messages[0]
    assert len(list(json_lines(log))) == 9


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_does_not_change_the_training(make, kind):
    whole, records = trained(make(kind))
    encoder = make(kind)
    seen = []
    trainer = training(encoder, evaluation=Validation(lambda: float(torch.rand(1)) * 0 + len(seen), 2))
    trainer.run(record=seen.append)
    assert_equal(whole, weights(encoder))
    assert [replace(record, score=None) for record in seen] == records


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [3, 4, 7])
def test_resumed_run_ends_with_the_same_best_weights(make, tmp_path, kind, stop):
    def run(folder=None, at=None):
        encoder = make(kind)
        scores = {2: 0.1, 4: 0.5, 6: 0.3, 8: 0.2, 9: 0.4}
        trainer = training(encoder, evaluation=Validation(lambda: scores[trainer.step], 2))
        records = []

        def record(one):
            records.append(one)
            if one.step == at:
                raise KeyboardInterrupt

        trainer.run(folder, record=record)
        return weights(encoder), records, trainer

    whole, records, _ = run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, at=stop)
    again, rest, trainer = run(tmp_path)
    assert_equal(whole, again)
    assert rest == records[stop:]
    assert trainer.best.step == 4
    finished, none, trainer = run(tmp_path)
    assert none == []
    assert_equal(whole, finished)
    assert (trainer.step, trainer.best.score) == (9, 0.5)


# ---------------------------------------------------------------- heads


def test_heads_are_trained_and_kept_in_checkpoints(tmp_path):
    class WithHead(PairObjective):
        """Pairs whose encodings go through a projection during training."""

        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            self.head = torch.nn.Linear(6, 6)
            with torch.no_grad():
                self.head.weight.copy_(torch.eye(6))
            self.modules = {"encoder": self.encoder.module, "head": self.head}

        def embed(self, tokens):
            return self.head(super().embed(tokens))

    def run(folder=None, at=None):
        encoder = static()
        data = number_pairs(SOURCES, TARGETS, NEGATIVES)
        pairs = WithHead(encoder, data, store_tokens(encoder.tokenise, data.texts), loss=mneg)

        def record(one):
            if one.step == at:
                raise KeyboardInterrupt

        Trainer(pairs, schedule=replace(PLAN, chunk_tokens=9)).run(folder, record=record)
        return weights(encoder) | {f"head.{name}": each for name, each in pairs.head.state_dict().items()}

    torch.manual_seed(0)
    whole = run()
    assert not torch.equal(whole["head.weight"], torch.eye(6))
    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, at=5)
    torch.manual_seed(1)
    assert_equal(whole, run(tmp_path))
