"""align-train: encoders that learn to link words, from links or from sentence pairs alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForQuestionAnswering, BertConfig, BertModel

from lexenc.artifact import MANIFEST
from lexenc.encoders.load import load_encoder
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.alignment import diagonal_links
from lexenc.files.alignments import link_line, score_line
from lexenc.stage import Job
from lexenc.stages.alignment.align_train import read_rows
from lexenc.training.trainer import Trainer

ENGLISH = "dog cat sun hat cup bed red sky".split()
FRENCH = "zu ko ri pe va to mi ba".split()
LEARNT, HELD_OUT = 500, 60


def sentence(draw):
    """A sentence of a toy language, word for word in another one, in any order."""
    words = draw.choice(len(ENGLISH), draw.integers(3, 6), replace=False)
    order = draw.permutation(len(words))
    links = [(int(i), j, 1.0) for j, i in enumerate(order)]
    return [ENGLISH[i] for i in words], [FRENCH[words[i]] for i in order], links


def written(folder, rows):
    """Write sentence pairs with links as `align` does, and the pairs alone beside them."""
    folder.mkdir()
    for name, line in (("alignments.txt", link_line), ("scores.txt", score_line)):
        (folder / name).write_text("".join(f"{line(links)}\n" for *_, links in rows))
    lines = [f"{' '.join(source)} ||| {' '.join(target)}\n" for source, target, _ in rows]
    (folder / "sentences.txt").write_text("".join(lines))
    (folder.parent / f"{folder.name}.pairs").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Links to learn (`learnt`), links held out (`held-out`), a few (`few`); with the pairs alone in *.pairs."""
    place = tmp_path_factory.mktemp("toy")
    draw = np.random.default_rng(0)
    rows = [sentence(draw) for _ in range(LEARNT + HELD_OUT)]
    written(place / "learnt", rows[:LEARNT])
    written(place / "held-out", rows[LEARNT:])
    written(place / "few", rows[:12])
    return place


@pytest.fixture(scope="module")
def tiny(stage, toy):
    """A tiny transformer of somebody else; its first weights are larger than usual, so that little has to be learnt."""
    size = {"dimensions": 48, "layers": 2, "heads": 4, "max_length": 32, "vocabulary_size": 200}
    kind = {"kind": "transformer", "tokenizer": "wordpiece"}
    folder = stage("new-encoder", toy / "tiny", kind | size, text=[toy / "learnt.pairs"]).out
    config = BertConfig.from_pretrained(folder)
    config.initializer_range, config.intermediate_size = 0.2, 96
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    (folder / MANIFEST).unlink()
    return folder


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def diagonal_error(rows):
    """What linking along the diagonal gets wrong."""
    lengths = [np.array([len(row[side]) for row in rows]) for side in (0, 1)]
    found = {tuple(row) for row in diagonal_links(*lengths).tolist()}
    gold = {(number, i, j) for number, (*_, links) in enumerate(rows) for i, j, _ in links}
    return 1 - 2 * len(found & gold) / (len(found) + len(gold))


# ---------------------------------------------------------------- span


@pytest.mark.slow
def test_span_aligner_learns_from_links_and_beats_the_diagonal(stage, toy, tiny, tmp_path):
    params = {"epochs": 3, "learning_rate": 3e-3, "batch_size": 16}
    made = stage("align-train span", tmp_path / "aligner", params, alignments=toy / "learnt",
                 encoder=tiny, validation=toy / "held-out")  # fmt: skip
    summary = made.manifest.summary
    draw = np.random.default_rng(0)
    rows = [sentence(draw) for _ in range(LEARNT + HELD_OUT)][LEARNT:]
    assert summary["validation_aer_after"] < 0.3 < diagonal_error(rows)
    assert summary["validation_aer_before"] > 0.8
    assert summary["validation_loss_after"] < summary["validation_loss_before"] / 2
    assert summary["last_loss"] < summary["first_loss"]
    assert AutoModelForQuestionAnswering.from_pretrained(made.out)
    aligned = stage("align", tmp_path / "aligned", {"method": "span", "words": "spaces"},
                    pairs=toy / "held-out.pairs", encoder=made.out)  # fmt: skip
    found = (aligned.out / "alignments.txt").read_text().splitlines()
    gold = (toy / "held-out" / "alignments.txt").read_text().splitlines()
    hits = sum(len(set(a.split()) & set(b.split())) for a, b in zip(found, gold, strict=True))
    total = sum(len(each.split()) for each in [*found, *gold])
    assert 1 - 2 * hits / total == pytest.approx(summary["validation_aer_after"])


def test_span_result_holds_a_model_its_card_and_its_history(stage, toy, tiny, tmp_path):
    made = stage("align-train span", tmp_path / "aligner", {"epochs": 2, "batch_size": 16}, alignments=toy / "few",
                 encoder=tiny)  # fmt: skip
    assert made.files == {"README.md", "config.json", "manifest.json", "model.safetensors", "tokenizer.json",
                          "tokenizer_config.json", "training.jsonl"}  # fmt: skip
    assert "# aligner" in (made.out / "README.md").read_text()
    assert [each["step"] for each in lines(made.out / "training.jsonl")] == list(
        range(1, made.manifest.summary["steps"] + 1)
    )
    assert not made.warnings


def test_pairs_and_a_file_of_links_do_as_well_as_a_result_of_align(stage, toy, tiny, tmp_path):
    whole = stage("align-train span", tmp_path / "a", alignments=toy / "few", encoder=tiny)
    (tmp_path / "few.txt").write_text("".join(
        " ".join(f"{int(i) + 1}-{int(j) + 1}" for i, j in (link.split("-") for link in line.split())) + "\n"
        for line in (toy / "few" / "alignments.txt").read_text().splitlines()
    ))  # fmt: skip
    parts = stage("align-train span", tmp_path / "b", {"one_based": True}, alignments=tmp_path / "few.txt",
                  pairs=toy / "few.pairs", encoder=tiny)  # fmt: skip
    both = stage("align-train span", tmp_path / "c", alignments=toy / "few", pairs=toy / "few.pairs", encoder=tiny)
    for other in (parts, both):
        assert (other.out / "model.safetensors").read_bytes() == (whole.out / "model.safetensors").read_bytes()


def test_other_sentence_pairs_than_those_aligned_are_refused(stage, toy, tiny, tmp_path):
    lines = (toy / "few.pairs").read_text(encoding="utf-8").splitlines(keepends=True)
    for name, changed, message in (("order", lines[::-1], "line 1: not the sentence pair 1"),
                                   ("fewer", lines[:-1], "more lines than the other")):  # fmt: skip
        (tmp_path / name).write_text("".join(changed), encoding="utf-8")
        with pytest.raises(DataError, match=message):
            stage("align-train span", tmp_path / "out", alignments=toy / "few", pairs=tmp_path / name, encoder=tiny)


def test_the_layer_that_was_tuned_is_the_one_that_aligns(stage, toy, tiny, tmp_path):
    made = stage("align-train softmax", tmp_path / "tuned", {"layer": 1, "objectives": ("so",)},
                 alignments=toy / "few", encoder=tiny)  # fmt: skip
    told, first, last = (
        stage("align", tmp_path / str(layer), {"method": "softmax", "words": "spaces", "layer": layer},
              pairs=toy / "few.pairs", encoder=made.out)
        for layer in (None, 1, -1)
    )  # fmt: skip
    scores = [(each.out / "scores.txt").read_bytes() for each in (told, first, last)]
    assert scores[0] == scores[1] != scores[2]


@pytest.mark.parametrize("command", ["align-train span", "align-train softmax"])
def test_seed_decides_the_result(stage, toy, tiny, tmp_path, command):
    def weights(name, seed):
        made = stage(command, tmp_path / name, {"epochs": 1, "learning_rate": 1e-3}, seed, alignments=toy / "few",
                     encoder=tiny)  # fmt: skip
        return (made.out / "model.safetensors").read_bytes()

    assert weights("a", 1) == weights("b", 1)
    assert weights("a", 1) != weights("c", 2)


@pytest.mark.parametrize("command", ["align-train span", "align-train softmax"])
def test_interrupted_run_ends_with_the_same_bytes(stage, toy, tiny, tmp_path, monkeypatch, command):
    params = {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3}
    inputs = {"alignments": toy / "few", "encoder": tiny}
    whole = stage(command, tmp_path / "whole", params, **inputs)
    real, calls = Trainer.take_step, []

    def stopped(self, *given):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(self, *given)

    monkeypatch.setattr(Trainer, "take_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        stage(command, tmp_path / "again", params | {"checkpoint_seconds": 0}, **inputs)
    again = stage(command, tmp_path / "again", params, **inputs)
    assert len(calls) == whole.manifest.summary["steps"] + 1
    assert again.files == whole.files
    for name in ("model.safetensors", "training.jsonl", "tokenizer.json"):
        assert (again.out / name).read_bytes() == (whole.out / name).read_bytes(), name


def test_uncertain_links_are_not_learnt(stage, toy, tiny, tmp_path):
    few = tmp_path / "silver"
    draw = np.random.default_rng(1)
    rows = [sentence(draw) for _ in range(6)]
    rows = [(source, target, [(i, j, 0.3 if j == 0 else 0.9) for i, j, _ in links]) for source, target, links in rows]
    written(few, rows)
    made = stage("align-train span", tmp_path / "aligner", {"min_score": 0.5}, alignments=few, encoder=tiny)
    words = sum(2 * len(source) for source, *_ in rows)
    assert made.manifest.summary["uncertain"] == 12
    assert made.manifest.summary["questions"] == words - 12
    few_words = stage("align-train span", tmp_path / "few", {"words_per_sentence": 1, "batch_size": 4},
                      alignments=few, encoder=tiny)  # fmt: skip
    assert few_words.manifest.summary["steps"] == 3


def test_pairs_that_cannot_be_used_are_counted_and_told(stage, toy, tiny, tmp_path):
    rows = [(["dog"], ["zu"], [(0, 0, 1.0)]), ([], ["zu"], []), (["dog"] * 40, ["zu"] * 40, [(0, 0, 1.0)])]
    written(tmp_path / "odd", rows)
    made = stage("align-train span", tmp_path / "aligner", alignments=tmp_path / "odd", encoder=tiny)
    summary = made.manifest.summary
    assert (summary["sentence_pairs"], summary["empty"], summary["too_long"], summary["questions"]) == (3, 1, 1, 2)
    assert made.warnings == [
        "1 sentence pair longer than the 32 subwords that the encoder accepts: left out.",
        "1 sentence pair with an empty side: left out.",
    ]


# ---------------------------------------------------------------- softmax


def test_softmax_aligner_learns_from_given_links(stage, toy, tiny, tmp_path):
    params = {"objectives": "supervised,co", "learning_rate": 2e-3, "batch_size": 8, "epochs": 5}
    made = stage("align-train softmax", tmp_path / "aligner", params, alignments=toy / "learnt", encoder=tiny,
                 validation=toy / "held-out")  # fmt: skip
    summary = made.manifest.summary
    assert summary["layer"] == 2
    assert summary["validation_aer_after"] < 0.3 < summary["validation_aer_before"] - 0.2
    assert summary["last_loss"] < summary["first_loss"]


def test_softmax_result_is_an_encoder(stage, toy, tiny, tmp_path):
    made = stage("align-train softmax", tmp_path / "aligner", {"learning_rate": 1e-3}, pairs=toy / "few.pairs",
                 encoder=tiny)  # fmt: skip
    assert {"model.safetensors", "modules.json", "tokenizer.json", "training.jsonl", "README.md"} <= made.files
    assert made.warnings == ["The encoder has no head that predicts masked subwords. A new one is trained with it."]
    before, after = (AutoModel.from_pretrained(folder) for folder in (tiny, made.out))
    assert not torch.equal(before.get_input_embeddings().weight, after.get_input_embeddings().weight)
    assert load_encoder(made.out, device=_cpu()).dimensions == 48


def _cpu():
    from lexenc.device import CPU

    return CPU


@pytest.mark.parametrize("objectives", ["so", "co", "tlm", "so,co,tlm"])
def test_softmax_objectives_need_no_links(stage, toy, tiny, tmp_path, objectives):
    made = stage("align-train softmax", tmp_path / "aligner", {"objectives": objectives, "epochs": 2},
                 pairs=toy / "few.pairs", encoder=tiny)  # fmt: skip
    assert made.manifest.params["objectives"] == objectives.split(",")
    assert made.manifest.summary["steps"] == 4


def test_sentence_pairs_without_links_are_cut_as_align_cuts_them(tmp_path):
    raw, links = tmp_path / "raw.tsv", tmp_path / "links.txt"
    raw.write_text("I can't.\t私は学生です。\n", encoding="utf-8")
    links.write_text("1-0\n")
    (row,) = read_rows(raw, None, one_based=False, job=Job(tmp_path))
    assert row[:2] == (["I", "can't", "."], list("私は学生です。"))
    # Links of a file are of the words between spaces.
    (row,) = read_rows(raw, links, one_based=False, job=Job(tmp_path))
    assert row == (["I", "can't."], ["私は学生です。"], [(1, 0, 1.0)])


# ---------------------------------------------------------------- what cannot be used


def test_links_behind_the_end_of_a_sentence_are_refused(stage, toy, tiny, tmp_path):
    (tmp_path / "links.txt").write_text("0-0\n" * 11 + "0-9\n")
    with pytest.raises(
        DataError, match=r"links\.txt, line 12: link 0-9, but the sentences have \d and \d words"
    ) as caught:
        stage("align-train span", tmp_path / "out", alignments=tmp_path / "links.txt", pairs=toy / "few.pairs",
              encoder=tiny)  # fmt: skip
    assert "count from 1" in caught.value.hint


@pytest.mark.parametrize(("count", "what"), [(11, "no line of links"), (13, "no sentence pair")])
def test_unequal_numbers_of_lines_are_refused(stage, toy, tiny, tmp_path, count, what):
    (tmp_path / "links.txt").write_text("0-0\n" * count)
    with pytest.raises(DataError, match=f"line {min(count, 12) + 1} has {what}"):
        stage("align-train span", tmp_path / "out", alignments=tmp_path / "links.txt", pairs=toy / "few.pairs",
              encoder=tiny)  # fmt: skip


def test_bag_of_subwords_is_refused(stage, toy, static, tmp_path):
    for command in ("align-train span", "align-train softmax"):
        with pytest.raises(ConfigError, match="is of kind static"):
            stage(command, tmp_path / "out", alignments=toy / "few", encoder=static)


def test_inputs_that_do_not_go_together_are_refused(stage, toy, tiny, tmp_path):
    (tmp_path / "links.txt").write_text("0-0\n")
    with pytest.raises(ConfigError, match="--alignments is a file of links without words"):
        stage("align-train span", tmp_path / "out", alignments=tmp_path / "links.txt", encoder=tiny)
    with pytest.raises(ConfigError, match="--validation-pairs needs --validation"):
        stage("align-train span", tmp_path / "out", alignments=toy / "few", encoder=tiny,
              validation_pairs=toy / "few.pairs")  # fmt: skip
    with pytest.raises(ConfigError, match="without --alignments"):
        stage("align-train softmax", tmp_path / "out", {"objectives": "supervised"}, pairs=toy / "few.pairs",
              encoder=tiny)  # fmt: skip


def test_nothing_to_learn_is_an_error(stage, tiny, tmp_path):
    written(tmp_path / "empty", [([], [], []), (["dog"], [], [])])
    with pytest.raises(DataError, match="nothing to learn"):
        stage("align-train span", tmp_path / "out", alignments=tmp_path / "empty", encoder=tiny)
    (tmp_path / "none.pairs").write_text("")
    with pytest.raises(DataError, match="contains no sentence pair"):
        stage("align-train softmax", tmp_path / "out", pairs=tmp_path / "none.pairs", encoder=tiny)
