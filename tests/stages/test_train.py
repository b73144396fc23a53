"""Training of sentence encoders, from every kind of data to a folder that other programs open."""

from __future__ import annotations

import json
from inspect import signature
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.errors import ConfigError, DataError
from lexenc.sentences import OBJECTIVES
from lexenc.stages.sentences import train
from lexenc.stages.sentences.train import TRAIN
from lexenc.training import development

WORDS = "dog cat house tree river stone bread milk bird fish horse cow moon star sea book pen table door city".split()
CZECH = (
    "pas mace dum strom reka kamen chleb mleko ptak ryba kun krava luna hvezda more kniha pero stul dvere mesto".split()
)
SMALL = {"batch_size": 8, "epochs": 2, "learning_rate": 1e-3}


def sentences(count: int = 40) -> list[tuple[str, str]]:
    """Return made-up sentences with translations, all different."""
    draw = np.random.default_rng(0)
    found = {}
    while len(found) < count:
        rows = draw.choice(len(WORDS), 3, replace=False)
        found[" ".join(WORDS[row] for row in rows)] = " ".join(CZECH[row] for row in rows)
    return list(found.items())


@pytest.fixture(scope="session")
def text(tmp_path_factory, pairs_file):
    """Files of every kind of data, and encoders with their subwords."""
    folder = tmp_path_factory.mktemp("train")
    pairs = sentences()
    pairs_file(folder / "pairs.tsv", pairs)
    for side, name in enumerate(("a.txt", "b.txt")):
        (folder / name).write_text("".join(f"{pair[side]}\n" for pair in pairs))
    labels = ("entailment", "contradiction")
    rows = [(one[0], other[0], labels[place % 2]) for place, (one, other) in enumerate(pairwise(pairs))]
    rows += [(one, other, labels[1 - place % 2]) for place, (one, other, _) in enumerate(rows)]
    lines = ["premise\thypothesis\tlabel", *("\t".join(row) for row in rows)]
    (folder / "nli.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def bag(text, stage):
    stage("new-encoder", text / "bag", {"dimensions": 32, "vocabulary_size": 120}, text=[text / "pairs.tsv"])
    return text / "bag"


@pytest.fixture(scope="session")
def network(text, stage):
    size = {"dimensions": 16, "layers": 2, "heads": 2, "max_length": 40, "vocabulary_size": 120}
    stage("new-encoder", text / "network", {"kind": "transformer"} | size, text=[text / "pairs.tsv"])
    return text / "network"


@pytest.fixture(scope="session")
def links(text, stage):
    stage("align", text / "links", {"method": "statistical"}, pairs=text / "pairs.tsv")
    return text / "links"


def vectors_of(folder, texts, **settings):
    encoder = load_encoder(folder, device=CPU)
    for name, value in settings.items():
        setattr(encoder, name, value)
    return encode_texts(encoder, texts)


def accuracy(folder) -> float:
    one, other = (vectors_of(folder, list(side)) for side in zip(*sentences(), strict=True))
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (one, other))
    return float(((one @ other.T).argmax(1) == np.arange(len(one))).mean())


def test_a_static_encoder_learns_which_sentences_are_translations(stage, text, bag, tmp_path):
    made = stage("train", tmp_path / "out", {"batch_size": 20, "epochs": 30, "learning_rate": 0.05},
                 data=[text / "pairs.tsv"], encoder=bag, dev=[text / "pairs.tsv"])  # fmt: skip
    summary = made.manifest.summary
    assert summary["pairs"] == 40
    assert summary["effective_negatives"] == 19
    assert accuracy(bag) < 0.3
    assert accuracy(tmp_path / "out") > 0.9
    assert summary["dev_score"] > 0.9
    assert summary["dev_score_before"] == pytest.approx(accuracy(bag), abs=0.1)
    assert summary["development_pairs"] == summary["sources"][0]["rows"] == summary["pairs"]
    scores = [line["score"] for line in made.json_lines("training.jsonl") if "score" in line]
    assert max(scores) == summary["dev_score"]
    assert {"training.jsonl", "model.safetensors", "README.md"} <= made.files


@pytest.mark.parametrize(
    "data",
    [
        ["pairs.tsv"],
        ["nli:nli.tsv"],
        ["unsupervised:a.txt"],
        ["nli:nli.tsv", "parallel:en-cs=pairs.tsv", "unsupervised:a.txt"],
    ],
)
def test_every_kind_of_data_trains_a_transformer_that_other_programs_open(
    stage, text, network, tmp_path, data, monkeypatch
):
    monkeypatch.chdir(text)
    made = stage(
        "train", tmp_path / "out", SMALL | {"pooling": "cls", "projection": "train-only"}, data=data, encoder=network
    )
    assert made.manifest.summary["first_loss"] > 0
    texts = [pair[0] for pair in sentences()[:5]]
    own = vectors_of(tmp_path / "out", texts)
    theirs = SentenceTransformer(str(tmp_path / "out"), device="cpu").encode(texts)
    np.testing.assert_allclose(own, theirs, atol=1e-5)
    assert np.abs(own - vectors_of(network, texts)).max() > 1e-3
    names = json.dumps([row["type"] for row in made.json("modules.json")])
    assert "Dense" not in names


def test_two_files_are_the_same_as_one(stage, text, bag, tmp_path):
    one = stage("train", tmp_path / "one", SMALL, data=[text / "pairs.tsv"], encoder=bag)
    two = stage("train", tmp_path / "two", SMALL, source=text / "a.txt", target=text / "b.txt", encoder=bag)
    assert one.json_lines("training.jsonl") == two.json_lines("training.jsonl")
    assert "40 pairs of `a.txt` and `b.txt` (parallel)" in (tmp_path / "two" / "README.md").read_text()


def test_all_objectives_together(stage, text, network, links, tmp_path):
    names = ["tr:0.8", "awp:0.1", "wtr:0.1", "rtl:0.1", "tlm:0.1", "mlm:0.1"]
    params = SMALL | {"objective": names, "direction": "both", "margin": 0.1, "chunk_tokens": 100}
    made = stage("train", tmp_path / "out", params, data=[text / "pairs.tsv"], encoder=network, alignments=[links])
    weights = {"tr": 0.8} | dict.fromkeys(("awp", "wtr", "rtl", "tlm", "mlm"), 0.1)
    for line in made.json_lines("training.jsonl"):
        assert sum(weight * line[name] for name, weight in weights.items()) == pytest.approx(line["loss"], rel=1e-5)
    summary = made.manifest.summary
    assert summary["links"] > 40
    assert not {"links_links", "links_cut_off", "tlm_pairs_too_long", "left_out", "truncated_texts"} & summary.keys()
    assert "Objective: tr 0.8, awp 0.1, wtr 0.1, rtl 0.1, tlm 0.1, mlm 0.1." in made.said
    assert made.manifest.params["output_vocabulary"] == "corpus"
    assert any("head" in warning for warning in made.warnings)


def test_chunks_of_a_step_see_all_negatives(stage, text, bag, tmp_path):
    params = SMALL | {"batch_size": 20}
    whole = stage("train", tmp_path / "whole", params, data=[text / "pairs.tsv"], encoder=bag)
    chunks = stage("train", tmp_path / "chunks", params | {"chunk_tokens": 30}, data=[text / "pairs.tsv"], encoder=bag)
    small = stage("train", tmp_path / "small", params | {"batch_size": 5}, data=[text / "pairs.tsv"], encoder=bag)
    first = [made.json_lines("training.jsonl")[0]["loss"] for made in (whole, chunks, small)]
    assert first[0] == pytest.approx(first[1], abs=1e-5)
    assert first[2] < first[0] - 0.5
    assert [made.manifest.summary["effective_negatives"] for made in (whole, chunks, small)] == [19, 19, 4]


def test_a_language_embedding_is_learned_and_used_by_name(stage, text, network, tmp_path):
    params = SMALL | {"language_embedding": True}
    data = [f"en-cs={text / 'pairs.tsv'}", f"unsupervised:{text / 'a.txt'}"]
    made = stage("train", tmp_path / "out", params, data=data, encoder=network)
    texts = [pair[0] for pair in sentences()[:5]]
    none, english = (vectors_of(tmp_path / "out", texts, language=each) for each in (None, "en"))
    assert np.abs(none - english).max() > 1e-3
    theirs = SentenceTransformer(str(tmp_path / "out"), device="cpu").encode(texts)
    np.testing.assert_allclose(none, theirs, atol=1e-5)
    (warning,) = [each for each in made.warnings if "language" in each]
    assert "40 of 120 texts get no language embedding" in warning
    assert made.manifest.summary["languages"] == ["en", "cs"]
    assert "encode --encoder {out} --language en " in TRAIN.next_step(made.manifest)


def test_objectives_say_what_they_need(stage, text, network, tmp_path, monkeypatch):
    class Lengths:
        """An objective of another package."""

        uses_states = False
        needs_links = needs_head = True
        options: ClassVar = {"masked_words": "part"}

        def __init__(self, given, *, part):
            made.append((given.linked, given.prediction, part))
            self.modules = {}

        def sizes(self, rows):
            return 0 * rows

        def losses(self, rows, step, states):
            return torch.zeros(len(rows))

    made = []
    monkeypatch.setitem(OBJECTIVES._entries, "lengths", Lengths)
    monkeypatch.setitem(OBJECTIVES._loaded, "lengths", Lengths)
    (tmp_path / "links").write_text("0-0 1-1 2-2\n" * 40)
    params = SMALL | {"objective": ["tr", "lengths"], "masked_words": 0.3}
    stage("train", tmp_path / "out", params, data=[text / "pairs.tsv"], encoder=network,
          alignments=[tmp_path / "links"])  # fmt: skip
    assert made[0][2] == 0.3


@pytest.mark.parametrize("name", OBJECTIVES)
def test_defaults_of_the_command_are_those_of_the_objectives(name):
    kind = OBJECTIVES[name]
    for option, argument in getattr(kind, "options", {}).items():
        assert train._OF_WORDS[option] == signature(kind).parameters[argument].default


def test_the_manifest_shows_only_what_had_an_effect(stage, text, bag, tmp_path):
    made = stage("train", tmp_path / "one", SMALL, data=[text / "pairs.tsv"], encoder=bag, teacher=bag)
    params = made.manifest.params
    names = ("direction", "margin", "temperature", "hard_negative_weight", "projection", "mix", "language_sampling",
             "min_similarity", "negatives_per_row", "hard_negatives", "word_temperature", "min_score")  # fmt: skip
    assert {name: params[name] for name in names if params[name] is not None} == {}
    assert "effective_negatives" not in made.manifest.summary
    made = stage("train", tmp_path / "steps", {"steps": 2}, data=[text / "pairs.tsv", f"nli:{text / 'nli.tsv'}"],
                 encoder=bag)  # fmt: skip
    assert made.manifest.params["epochs"] is None
    assert [made.manifest.params[name] for name in ("mix", "temperature", "min_similarity")] == ["rows", 0.05, 4]


def test_a_teacher_is_asked_for_source_sentences_of_parallel_rows_only(stage, text, bag, tmp_path, monkeypatch):
    asked = []

    def watched(encoder, texts, **more):
        asked.extend(texts)
        return encode_texts(encoder, texts, **more)

    monkeypatch.setattr("lexenc.encoders.encode.encode_texts", watched)
    stage("train", tmp_path / "out", SMALL | {"objective": ["tr", "teacher"]}, teacher=bag, encoder=bag,
          data=[text / "pairs.tsv", f"nli:{text / 'nli.tsv'}"])  # fmt: skip
    assert sorted(asked) == sorted(pair[0] for pair in sentences())


def test_truncated_texts_are_counted(stage, text, network, tmp_path):
    made = stage("train", tmp_path / "out", SMALL | {"max_length": 4}, data=[text / "pairs.tsv"], encoder=network)
    assert made.manifest.summary["truncated_texts"] == 80
    assert any("80 of 80 texts have 4 subwords or more" in each for each in made.warnings)


def test_pairs_too_long_for_tlm_are_counted(stage, text, network, tmp_path, pairs_file):
    pairs_file(tmp_path / "long.tsv", [*sentences(5), (" ".join(WORDS), " ".join(CZECH))])
    made = stage("train", tmp_path / "out", SMALL | {"objective": ["tr", "tlm"]}, data=[tmp_path / "long.tsv"],
                 encoder=network)  # fmt: skip
    assert made.manifest.summary["tlm_pairs_too_long"] == 1
    assert any("tlm learns nothing from 1 pair" in warning for warning in made.warnings)


def test_a_student_learns_the_vectors_of_its_teacher(stage, text, bag, tmp_path):
    stage(
        "new-encoder", tmp_path / "new", {"dimensions": 32, "vocabulary_size": 120}, seed=1, text=[text / "pairs.tsv"]
    )
    params = {"epochs": 60, "learning_rate": 0.02, "batch_size": 20}
    made = stage("train", tmp_path / "out", params, data=[text / "pairs.tsv"], encoder=tmp_path / "new", teacher=bag)
    assert made.manifest.params["objective"] == ["teacher"]
    wanted = vectors_of(bag, [pair[0] for pair in sentences()])
    for side in (0, 1):
        before, after = (
            vectors_of(each, [pair[side] for pair in sentences()]) for each in (tmp_path / "new", tmp_path / "out")
        )
        assert np.square(after - wanted).mean() < 0.3 * np.square(before - wanted).mean()


def test_frozen_embeddings_stay(stage, text, network, tmp_path):
    stage("train", tmp_path / "out", SMALL | {"freeze": "embeddings"}, data=[text / "pairs.tsv"], encoder=network)
    before, after = (load_encoder(each, device=CPU).module[0].auto_model for each in (network, tmp_path / "out"))
    one, other = (each.get_input_embeddings().weight.detach().numpy() for each in (before, after))
    np.testing.assert_array_equal(one, other)
    layers = [each.encoder.layer[0].output.dense.weight.detach().numpy() for each in (before, after)]
    assert np.abs(layers[0] - layers[1]).max() > 0


def test_scored_pairs_as_development_data(stage, text, bag, tmp_path):
    lines = [f"{one}\t{other}\t{place % 6}" for place, (one, other) in enumerate(sentences())]
    (tmp_path / "sts.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *lines]) + "\n")
    params = SMALL | {"dev_metric": "sts", "evaluate_every": 3}
    made = stage("train", tmp_path / "out", params, data=[text / "pairs.tsv"], encoder=bag, dev=[tmp_path / "sts.tsv"])
    assert -1 <= made.manifest.summary["dev_score"] <= 1
    assert [line["step"] for line in made.json_lines("training.jsonl") if "score" in line] == [3, 6, 9, 10]
    with pytest.raises(ConfigError, match="pairs with scores, and --dev-metric is retrieval"):
        stage("train", tmp_path / "no", SMALL, data=[text / "pairs.tsv"], encoder=bag, dev=[tmp_path / "sts.tsv"])


def test_development_data_without_a_score_is_told_and_the_last_weights_stay(stage, text, bag, tmp_path, monkeypatch):
    monkeypatch.setattr(development, "mean_spearman", lambda encoder, data: float("nan"))
    lines = [f"{one}\t{other}\t{place % 6}" for place, (one, other) in enumerate(sentences())]
    (tmp_path / "sts.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *lines]) + "\n")
    params = SMALL | {"dev_metric": "sts", "evaluate_every": 3}
    made = stage("train", tmp_path / "out", params, data=[text / "pairs.tsv"], encoder=bag, dev=[tmp_path / "sts.tsv"])
    assert "NaN" not in (tmp_path / "out" / "training.jsonl").read_text()
    assert "dev_score" not in made.manifest.summary
    [warning] = [each for each in made.warnings if "No evaluation gave a score" in each]
    assert "last weights are kept" in warning


def test_scored_pairs_are_encoded_in_their_languages(stage, text, network, tmp_path, monkeypatch):
    lines = [f"{one}\t{other}\t{place % 6}" for place, (one, other) in enumerate(sentences())]
    (tmp_path / "sts.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *lines]) + "\n")
    seen = []
    original = development.mean_spearman
    monkeypatch.setattr(
        development, "mean_spearman", lambda encoder, data: seen.extend(data) or original(encoder, data)
    )
    params = SMALL | {"dev_metric": "sts", "language_embedding": True}
    data, dev = f"en-cs={text / 'pairs.tsv'}", f"en-cs={tmp_path / 'sts.tsv'}"
    stage("train", tmp_path / "out", params, data=[data], encoder=network, dev=[dev])
    pairs, _ = seen[0]
    assert set(pairs.languages[pairs.anchors]) != set(pairs.languages[pairs.positives])


def test_a_corpus_smaller_than_a_step_is_one_step(stage, text, bag, tmp_path, pairs_file):
    pairs_file(tmp_path / "few.tsv", sentences(3))
    made = stage("train", tmp_path / "out", {"batch_size": 64}, data=[tmp_path / "few.tsv"], encoder=bag)
    assert (made.manifest.summary["steps"], made.manifest.summary["effective_negatives"]) == (1, 2)


@pytest.mark.parametrize(
    ("params", "inputs", "message"),
    [
        ({"objective": ["tr", "awp"]}, {}, "--objective awp needs word links"),
        ({}, {"alignments": ["links"]}, "--alignments has no meaning without awp or wtr"),
        ({"objective": ["ranking"]}, {}, "no objective called 'ranking'"),
        ({"objective": ["tr:-1"]}, {}, "the weight of tr must be a number above 0, got '-1'"),
        ({"objective": ["mlm"]}, {}, "Masked language modelling alone makes no sentence encoder"),
        ({"objective": ["tr", "teacher"]}, {}, "--teacher and the objective teacher belong together"),
        ({"word_temperature": 0.1}, {}, "--word-temperature has no meaning without wtr"),
        ({"objective": ["tr:0.8", "tr:0.1"]}, {}, "--objective names tr twice"),
        ({"temperature": 1e-5}, {}, "temperature"),
        *(
            ({"objective": ["mlm", "awp"], name: value}, {"alignments": ["links"]}, "has no meaning without tr")
            for name, value in (("direction", "both"), ("margin", 0.1), ("temperature", 0.1),
                                ("hard_negative_weight", 1), ("projection", "none"))
        ),
        ({"mix": "batches"}, {}, "--mix has no meaning with one source of data"),
        ({"language_sampling": 0.5}, {}, "--language-sampling has no meaning with one source of data"),
        ({"min_similarity": 3}, {}, "--min-similarity has no meaning without nli"),
        ({"missing_negatives": "keep"}, {}, "--missing-negatives has no meaning without nli"),
        ({"negatives_per_row": 2}, {}, "--negatives-per-row has no meaning without nli"),
        ({"hard_negatives": "keep"}, {}, "--hard-negatives has no meaning without nli"),
        ({"source_language": "en"}, {"data": ["en-cs=pairs.tsv"]}, "--source-language has no meaning without parallel"),
        ({"epochs": 1, "steps": 3}, {}, "--steps cannot be used with --epochs"),
        *(
            ({"objective": ["tr", name]}, {"data": ["nli:nli.tsv"]}, f"--objective {name} needs parallel data")
            for name in ("rtl", "tlm", "awp", "wtr")
        ),
        ({}, {"data": ["nli:nli.tsv"], "teacher": "bag"}, "--objective teacher needs parallel data"),
        ({"evaluate_every": 3}, {}, "--evaluate-every needs --dev"),
        ({"freeze": "embeddings"}, {}, "would leave nothing to learn in a static encoder"),
        ({"language_embedding": True}, {}, "--language-embedding needs"),
        ({}, {"data": ["unsupervised:a.txt"]}, "has no dropout"),
        ({"objective": ["tr", "mlm"]}, {}, "The objective mlm needs a transformer"),
    ],
)
def test_what_cannot_be_is_said(stage, text, bag, links, tmp_path, monkeypatch, params, inputs, message):
    monkeypatch.chdir(text)
    given = {"data": ["pairs.tsv"], "encoder": bag} | inputs
    with pytest.raises(ConfigError, match=message):
        stage("train", tmp_path / "out", params, **given)
    assert not (tmp_path / "out").exists()


def test_a_temperature_at_which_little_is_learned_is_warned_of(stage, text, bag, tmp_path):
    made = stage(
        "train",
        tmp_path / "out",
        SMALL | {"temperature": 1.0, "batch_size": 40},
        data=[text / "pairs.tsv"],
        encoder=bag,
    )
    (warning,) = [each for each in made.warnings if "temperature" in each]
    assert "1 and 39 negatives" in warning
    assert f"{np.log(1 + 39 * np.exp(-2)):.2f}" in warning
    assert made.json_lines("training.jsonl")[0]["loss"] > np.log(1 + 39 * np.exp(-2))


def test_links_of_other_sentences_are_refused(stage, text, network, links, tmp_path, pairs_file):
    pairs_file(tmp_path / "other.tsv", sentences()[::-1])
    with pytest.raises(DataError, match=r"does not occur|no word of the alignment"):
        stage("train", tmp_path / "out", SMALL | {"objective": ["tr", "wtr"]}, data=[tmp_path / "other.tsv"],
              encoder=network, alignments=[links])  # fmt: skip
