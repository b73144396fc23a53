from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lexenc.alignment.softmax_objective import SoftmaxObjective, consistency, extracted, self_training
from lexenc.alignment.span_model import SpanModel, all_questions
from lexenc.alignment.span_objective import SpanObjective, answers_of, longest_runs
from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.encoders.masked_language import MaskedHead
from lexenc.encoders.subwords import WordTokenizer
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError, WorkError
from lexenc.text.links import LinkedText, Links
from lexenc.training.objective import Objective
from lexenc.training.schedule import Schedule
from lexenc.training.trainer import Trainer, mean_loss

PAIRS = [
    ("the house is unbelievably big".split(), "la maison est vraiment grande".split()),
    ("dogs , cats !".split(), "chiens et chats".split()),
    ([], ["maison"]),
    ("house".split(), "maison".split()),
    ("house".split() * 70, "maison".split() * 70),
]
LINKS = [
    [(0, 0, 0.9), (1, 1, 0.8), (2, 2, 0.3), (3, 3, 0.9), (3, 4, 0.9), (4, 0, 0.9)],
    [(0, 0, 1.0), (1, 1, 0.0), (2, 2, 0.7), (2, 0, 0.9)],
    [],
    [(0, 0, 1.0)],
    [(0, 0, 1.0)],
]
TEXT = [" ".join(words) for pair in PAIRS for words in pair] * 3
PLAN = Schedule(epochs=2, batch_size=4, learning_rate=1e-2, checkpoint_seconds=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("encoders") / "tiny"
    tokenizer = train_tokenizer(iter(TEXT), kind="wordpiece", vocabulary_size=60, lowercase=True, special=True)
    save_new_transformer(place, tokenizer, dimensions=16, layers=2, heads=2, max_length=64, seed=0)
    return place


def span_objective(folder, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = SpanModel.load(folder, new_head=True)
    source, target = (model.words.cut([pair[side] for pair in PAIRS]) for side in (0, 1))
    return SpanObjective(model, LinkedText(source, target, Links.of(LINKS)), **settings)


def softmax_objective(folder, *objectives, head=None, **settings):
    encoder = TransformerEncoder.load_folder(folder)
    if "tlm" in objectives:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            head = MaskedHead(folder, encoder)
    cut = WordTokenizer(encoder.tokenizer).cut
    source, target = (cut([pair[side] for pair in PAIRS]) for side in (0, 1))
    text = LinkedText(source, target, Links.of(LINKS))
    return SoftmaxObjective(encoder, text, objectives=objectives, head=head, **settings)


@pytest.fixture(params=["spans", "softmax"])
def objective(request, folder):
    """Make objective of either kind, always the same."""
    if request.param == "spans":
        return lambda: span_objective(folder)
    return lambda: softmax_objective(folder, "so", "co", "tlm", "supervised")


def weights(objective):
    return {name: each.clone() for name, each in nn.ModuleDict(objective.modules).state_dict().items()}


# ---------------------------------------------------------------- answers


def test_longest_run_of_each_word():
    keys, others = np.array([7, 7, 7, 7, 3, 3, 3, 5, 5]), np.array([4, 0, 1, 5, 9, 2, 6, 1, 3])
    scores = np.array([0.5, 0.1, 0.1, 0.2, 0.3, 0.9, 0.9, 0.5, 0.5])
    words, first, last = longest_runs(keys, others, scores)
    # 7: 0-1 and 4-5 are as long, the second has more; 3: the first of two with 0.9; 5: the first.
    assert words.tolist() == [3, 5, 7]
    assert (first.tolist(), last.tolist()) == ([2, 1, 4], [2, 1, 5])
    assert all(len(each) == 0 for each in longest_runs(keys[:0], others[:0], scores[:0]))


def answers(folder, **settings):
    objective = span_objective(folder)
    text = objective._text
    questions = all_questions(text.source, text.target, np.array([True, True, False, True, False]))
    found = answers_of(text, questions, **settings)
    rows = zip(*(each.tolist() for each in (*questions, *found)), strict=True)
    return {(pair, "ts"[not swapped], word): (first, last) if known else None
            for pair, swapped, word, first, last, known in rows}  # fmt: skip


def test_answers_are_what_a_word_is_linked_to(folder):
    found = answers(folder)
    assert found[0, "s", 3] == (3, 4)
    assert found[0, "t", 0] == (0, 0), "0 and 4 are equally long and sure"
    assert found[1, "s", 2] == (0, 0), "the surer of two apart"
    assert found[1, "s", 3] == (-1, -1), "no link at all"
    assert found[1, "s", 1] is None, "only possible"
    assert found[0, "s", 2] == (2, 2)
    assert answers(folder, min_score=0.5)[0, "s", 2] is None, "too uncertain"
    assert answers(folder, min_score=0.85)[0, "t", 1] is None
    assert len(found) == 5 + 5 + 4 + 3 + 2


def test_span_objective_leave_out_what_nobody_knows_and_count_it(folder):
    objective = span_objective(folder, min_score=0.5)
    assert (objective.uncertain, objective.empty, objective.too_long) == (4, 1, 1)
    assert len(objective.questions.pairs) == 19 - 4


def test_words_per_sentence_are_drawn_anew_in_every_epoch(folder):
    objective = span_objective(folder, words_per_sentence=2, seed=3)
    epochs = [objective.rows(epoch).tolist() for epoch in range(5)]
    assert epochs[0] == objective.rows(0).tolist()
    assert len({tuple(each) for each in epochs}) > 1
    for rows in epochs:
        asked = Counter(zip(objective.questions.pairs[rows].tolist(), objective.questions.swapped[rows].tolist(),
                            strict=True))  # fmt: skip
        assert asked == {(0, False): 2, (0, True): 2, (1, False): 2, (1, True): 2, (3, False): 1, (3, True): 1}


def test_span_loss_is_minus_the_log_of_beginning_and_end(folder):
    objective = span_objective(folder)
    model, text = objective._model, objective._text
    rows = objective.rows(0)
    batch = model.batch(text.source, text.target, objective.questions)
    with torch.inference_mode():
        losses = objective.losses(rows, 0).numpy()
        start, end = (torch.softmax(each, dim=1).numpy() for each in model.logits(batch))
    for row in rows:
        first, last = objective.answers.first[row], objective.answers.last[row]
        owners = batch.owners[row].numpy()
        begin = np.flatnonzero(owners == first + 1)[0]
        close = np.flatnonzero(owners == last + 1)[-1]
        assert losses[row] == pytest.approx(-(math.log(start[row, begin]) + math.log(end[row, close])) / 2, abs=1e-4)


# ---------------------------------------------------------------- objectives of softmax


def test_objectives_by_hand():
    forward = torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5]])
    backward = torch.tensor([[0.8, 0.5, 0.0], [0.2, 0.5, 1.0]])
    linked = extracted(forward, backward)
    assert linked.tolist() == [[True, True, False], [False, True, True]]
    rows, columns = 0.9 + 0.1 + 0.5 + 0.5, 0.8 + 0.5 + 0.5 + 1.0
    assert float(self_training(forward, backward, linked)) == pytest.approx(-(rows / 2 + columns / 3) / 2)
    assert float(consistency(forward, backward)) == pytest.approx(-(0.72 + 0.05 + 0.25 + 0.5) / 2)


def test_objectives_are_least_where_everything_is_certain():
    certain = torch.eye(3)
    assert float(self_training(certain, certain, certain.bool())) == pytest.approx(-1)
    assert float(consistency(certain, certain)) == pytest.approx(-1)


def test_given_links_hold_for_every_subword(folder):
    text = softmax_objective(folder, "so")._text
    table = text.subword_links(0, min_score=0.5)
    source, target = text.source.sentence(0)[1], text.target.sentence(0)[1]
    assert table.shape == (source[-1], target[-1])
    wanted = np.zeros_like(table)
    for i, j in [(0, 0), (1, 1), (3, 3), (3, 4), (4, 0)]:
        wanted[source[i] : source[i + 1], target[j] : target[j + 1]] = True
    assert (table == wanted).all()
    assert not text.subword_links(1)[text.source.sentence(1)[1][1]].any(), "a link that is merely possible"


def test_softmax_objective_leave_out_empty_and_long_pairs_and_count_them(folder):
    objective = softmax_objective(folder, "so")
    assert (objective.rows(0).tolist(), objective.empty, objective.too_long) == ([0, 1, 3], 1, 1)
    assert objective.layer == 2


def test_layer_that_is_not_there_is_refused(folder):
    assert softmax_objective(folder, "so", layer=-2).layer == 1
    for layer in (0, 3, -3):
        with pytest.raises(ConfigError, match="has 2 layers"):
            softmax_objective(folder, "so", layer=layer)


@pytest.mark.parametrize("objective", ["so", "co", "supervised", "tlm"])
def test_loss_of_a_pair_does_not_depend_on_the_others(folder, objective):
    objective = softmax_objective(folder, objective)
    with torch.inference_mode():
        whole = objective.losses(objective.rows(0), 0)
        alone = torch.cat([objective.losses(np.array([row]), 0) for row in objective.rows(0)])
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-4)


def test_masked_head_shares_the_vectors_of_the_subwords(folder):
    encoder = TransformerEncoder.load_folder(folder)
    head = MaskedHead(folder, encoder)
    assert head.fresh
    table = encoder.module[0].auto_model.get_input_embeddings().weight
    assert any(each is table for each in head.module.parameters())
    assert head.logits(torch.zeros(3, 16)).shape == (3, len(table))


def test_masks_are_of_words_only_and_as_many_as_in_bert(folder):
    objective = softmax_objective(folder, "tlm")
    masked = total = kept = 0
    for step in range(300):
        guess = objective._masked(0, step)
        special = [0, len(guess.ids) - 1]
        assert not set(guess.places.tolist()) & set(special)
        assert len(guess.places) >= 1
        masked += int((guess.ids[guess.places] == objective._head.mask).sum())
        kept += int((guess.ids[guess.places] == guess.right).sum())
        total += len(guess.places)
    size = int(objective._text.source.sizes[0] + objective._text.target.sizes[0])
    assert total / 300 == pytest.approx(0.15 * size, rel=0.15)
    assert masked / total == pytest.approx(0.8, abs=0.04)
    assert kept / total == pytest.approx(0.1, abs=0.04)


# ---------------------------------------------------------------- the loop


def test_every_lesson_is_met_once_in_an_epoch(objective):
    tuning = Trainer(objective(), schedule=PLAN, seed=0)
    met = [[], []]
    sizes = []
    for epoch, rows in tuning.batches():
        met[epoch] += rows.tolist()
        sizes.append(len(rows))
    assert sorted(met[0]) == sorted(met[1]) == sorted(tuning.objective.rows(0).tolist())
    assert tuning.total == len(sizes)
    steps = len(sizes) // 2
    assert sizes[: steps - 1] == [4] * (steps - 1)


def test_loss_falls(objective):
    made = objective()
    before = mean_loss(made)
    Trainer(made, schedule=replace(PLAN, epochs=15), seed=0).run()
    assert mean_loss(made) < before - 0.1


def test_chunks_have_the_same_gradient(objective):
    found = []
    for tokens in (1, 100_000):
        made = objective()
        tuning = Trainer(made, schedule=replace(PLAN, chunk_tokens=tokens, batch_size=100, weight_decay=0.0), seed=0)
        record = tuning.take_step(*next(tuning.batches()))
        found.append((record.loss, record.gradient_norm))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_interrupted_run_ends_with_the_same_bits(objective, tmp_path, seconds):
    plan = replace(PLAN, checkpoint_seconds=seconds)
    whole, records = objective(), []
    Trainer(whole, schedule=plan, seed=0).run(record=records.append)
    seen = []

    def stop(one):
        seen.append(one)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(objective(), schedule=plan, seed=0).run(tmp_path, record=stop)
    again = objective()
    torch.rand(1)
    Trainer(again, schedule=plan, seed=0).run(tmp_path, record=seen.append)
    assert len({each.step for each in seen}) == len(records)
    assert {each.step: each for each in seen} == {each.step: each for each in records}
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(again)[name]), name


def test_run_leaves_the_randomness_of_others_alone(objective):
    made = objective()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    Trainer(made, schedule=PLAN, seed=0).run()
    assert torch.equal(torch.get_rng_state(), state)


def test_loss_that_is_no_number_stops_the_run():
    class Broken(Objective):
        def __init__(self):
            self.modules = {"line": nn.Linear(1, 1)}

        def rows(self, epoch):
            return np.arange(3)

        def sizes(self, rows):
            return np.ones(len(rows), dtype=np.int64)

        def losses(self, rows, step):
            return self.modules["line"](torch.full((len(rows), 1), math.nan))[:, 0]

    with pytest.raises(WorkError, match="The loss is nan at step 1 of 2") as caught:
        Trainer(Broken(), schedule=PLAN, seed=0).run()
    assert "learning rate" in caught.value.hint
