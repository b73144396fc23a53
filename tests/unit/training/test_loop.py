from __future__ import annotations

import signal
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from lexenc.device import CPU, Device
from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.encoders.static import StaticEncoder
from lexenc.errors import WorkError
from lexenc.training import checkpoints
from lexenc.training.data import batch_of, number_pairs, store_tokens
from lexenc.training.loop import Schedule, Training, contrast_of, encode_with_gradient, run_training
from lexenc.training.losses import mneg, symmetric

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


def training(encoder, schedule=PLAN, *, seed=0, loss=mneg) -> Training:
    data = number_pairs(SOURCES, TARGETS, NEGATIVES)
    return Training(encoder, data, store_tokens(encoder.tokenise, data.texts), loss=loss, schedule=schedule, seed=seed)


def weights(encoder):
    return {name: each.detach().clone() for name, each in encoder.module.state_dict().items()}


def trained(encoder, schedule=PLAN, **more):
    records = []
    run_training(training(encoder, schedule, **more), record=records.append)
    return weights(encoder), records


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, each in one.items():
        assert torch.equal(each, other[name]), name


KINDS = ["static", "float32", "bfloat16"]

# ---------------------------------------------------------------- one step


def gradients(encoder, chunk_tokens, *, chunked_by_hand=False, dropout=False):
    """Encodings and gradients of one step over all pairs."""
    run = training(encoder)
    batch = batch_of(run.data, np.arange(len(SOURCES)))
    tokens = run.tokens.rows(batch.texts)
    encoder.module.train(dropout)
    encoder.module.zero_grad()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        if chunked_by_hand:
            # The same draws of dropout as chunk after chunk, but with one graph over all of them.
            from lexenc.training.loop import _chunks

            parts = [encoder.embed(tokens[c]) for c in _chunks([len(each) for each in tokens], chunk_tokens)]
            encodings, send_back = torch.cat(parts), lambda: None
        else:
            encodings, send_back = encode_with_gradient(encoder.embed, tokens, chunk_tokens)
        mneg(contrast_of(encodings, batch)).backward()
        send_back()
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
def test_loop_cached_chunks_equal_the_full_batch(make, kind, chunk_tokens):
    encoder = make(kind)
    assert_close(gradients(encoder, 10_000), gradients(encoder, chunk_tokens), 1e-5)


@pytest.mark.parametrize("chunk_tokens", [7, 20])
def test_loop_cached_chunks_draw_the_same_dropout_twice(make, chunk_tokens):
    encoder = make("float32")
    cached = gradients(encoder, chunk_tokens, dropout=True)
    by_hand = gradients(encoder, chunk_tokens, dropout=True, chunked_by_hand=True)
    assert_close(by_hand, cached, 1e-5)
    assert cached[2] == by_hand[2], "what is drawn afterwards must not depend on the second pass"
    still = gradients(encoder, chunk_tokens)
    assert (cached[0] - still[0]).abs().max() > 1e-2, "dropout must have done something"


def test_loop_cached_chunks_keep_the_randomness_of_their_device_from_the_first_on(make, monkeypatch):
    asked = []
    real = checkpoints.random_state
    monkeypatch.setattr(
        checkpoints, "random_state", lambda device: asked.append(device.type) or real(torch.device("cpu"))
    )
    encoder = make("static")
    tokens = [np.array([1, 2]), np.array([3])]
    encodings, send_back = encode_with_gradient(encoder.embed, tokens, 2, device=torch.device("meta"))
    encodings.sum().backward()
    send_back()
    assert asked == ["meta"] * 3


def test_loop_batch_rows_go_where_they_belong(make):
    encoder = make("static")
    run = training(encoder)
    batch = batch_of(run.data, np.array([3, 0]))
    made = contrast_of(encoder.embed(run.tokens.rows(batch.texts)), batch)
    for place, row in enumerate([3, 0]):
        expected = encoder.embed(encoder.tokenise([SOURCES[row], TARGETS[row], *NEGATIVES[row]]))
        own = made.negatives[place, : len(NEGATIVES[row])]
        assert torch.equal(torch.stack([made.anchors[place], made.positives[place], *own]), expected)


# ---------------------------------------------------------------- a whole run


@pytest.mark.parametrize("kind", KINDS)
def test_loop_learns(make, kind):
    rate = 0.05 if kind == "static" else 5e-3
    before = weights(make(kind))
    after, records = trained(make(kind), replace(PLAN, epochs=12, learning_rate=rate))
    assert np.mean([r.loss for r in records[-3:]]) < np.mean([r.loss for r in records[:3]]) - 0.3
    assert any(not torch.equal(before[name], each) for name, each in after.items())
    assert all(torch.isfinite(each).all() for each in after.values() if each.is_floating_point())


def test_loop_logged_learning_rate_reaches_the_peak():
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


def test_loop_a_run_of_one_step_changes_something():
    before = weights(static())
    after, _ = trained(static(), replace(PLAN, epochs=1, batch_size=99))
    assert not torch.equal(before["weight"], after["weight"])


@pytest.mark.parametrize("kind", KINDS)
def test_loop_result_depends_on_the_seed_and_not_on_other_randomness(make, kind):
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
def test_loop_chunk_size_does_not_change_a_run_without_dropout(make, kind):
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


def test_loop_bfloat16_encoder_answers_with_its_new_weights(make, tmp_path):
    encoder = make("bfloat16")
    assert encoder.packed
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
def test_loop_resumed_run_ends_with_the_same_bits(make, tmp_path, kind, chunk_tokens, stops):
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
            run_training(training(encoder, plan), folder=tmp_path, record=stopping(at))
        assert not encoder.module.training
    encoder = make(kind)
    run = training(encoder, plan)
    run_training(run, folder=tmp_path, record=stopping(None))
    assert_equal(whole, weights(encoder))
    assert [seen[step] for step in sorted(seen)] == records
    assert run.step == run.total == 9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["record", "step"])
def test_loop_interrupted_between_checkpoints_goes_on_from_the_last_step(make, tmp_path, monkeypatch, kind, place):
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
        run_training(training(encoder, plan), folder=tmp_path, record=record)
    assert signal.getsignal(signal.SIGINT) is usual
    assert [each.step for each in seen] == [1, 2, 3, 4]
    encoder = make(kind)
    run_training(training(encoder, plan), folder=tmp_path, record=seen.append)
    assert seen == records
    assert_equal(whole, weights(encoder))


def test_loop_second_interruption_stops_at_once_and_keeps_no_half_step(make, tmp_path, monkeypatch):
    encoder = make("static")

    def embed(tokens):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(encoder, "embed", embed)
    seen = []
    with pytest.raises(KeyboardInterrupt):
        run_training(training(encoder), folder=tmp_path, record=seen.append)
    assert seen == []
    assert list(tmp_path.iterdir()) == []


def test_loop_finished_run_is_not_trained_further(make, tmp_path):
    encoder = make("static")
    run_training(training(encoder), folder=tmp_path)
    records = []
    again = make("static")
    run_training(training(again), folder=tmp_path, record=records.append)
    assert records == []
    assert_equal(weights(encoder), weights(again))


def test_loop_checkpoints_are_written_by_the_clock(make, tmp_path):
    run_training(training(make("static"), replace(PLAN, checkpoint_seconds=1e9)), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


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
def test_loop_loss_that_is_no_number_is_a_work_error(make, broken, epochs):
    encoder = make("static")
    plan = replace(PLAN, epochs=epochs, batch_size=99)
    with pytest.raises(WorkError, match=f"step 1 of {epochs}") as caught:
        run_training(training(encoder, plan, loss=broken))
    assert "0.01" in caught.value.hint
    assert not encoder.module.training


def test_loop_loss_that_is_no_number_leaves_the_weights_alone(make):
    encoder = make("static")
    before = weights(encoder)
    with pytest.raises(WorkError):
        run_training(training(encoder, loss=lambda contrast: contrast.anchors.sum() * float("nan")))
    assert_equal(before, weights(encoder))


def test_loop_out_of_gpu_memory_says_what_to_do(make):
    def full(contrast):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(WorkError, match="memory at step 1") as caught:
        run_training(training(make("static"), loss=full))
    assert "--chunk-tokens 8192" in caught.value.hint


@pytest.mark.parametrize(("pairs", "batch", "epochs", "steps"), [(10, 4, 3, 9), (8, 4, 3, 6), (1, 128, 5, 5)])
def test_loop_number_of_steps(pairs, batch, epochs, steps):
    assert Schedule(epochs=epochs, batch_size=batch).total(pairs) == steps
