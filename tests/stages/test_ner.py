"""eval ner: taggers trained with several seeds, two controls, another encoder for the test, and resuming."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.entities import tag_scores
from lexenc.stages.evaluation.seeds import row_store
from lexenc.training.classification import in_memory

NAMES = {"PER": "dog cat fish horse cow bird".split(), "LOC": "tree house river mountain street city".split()}
FAST = {"draws": 100, "seeds": 2, "hidden": 8, "epochs": 8, "learning_rate": 2e-2, "batch_size": 8}


def sentence(kind, first, second):
    return f"the O\n{first} B-{kind}\n{second} I-{kind}\nis O\nhere O\n"


def sentences(names):
    return [sentence(kind, a, b) for kind, own in names.items() for a in own for b in own if a != b]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ner")
    train, test = (sentences({kind: own[part] for kind, own in NAMES.items()}) for part in (slice(0, 5), slice(3, 6)))
    (folder / "train.txt").write_text("\n".join([*train, "so O\n"]))
    (folder / "test.txt").write_text("\n".join([*test, "and O\na S-DATE\n"]))
    (folder / "other.tsv").write_text("\n".join(test[:2]).replace(" ", "\t"))
    return folder


def tags_of(target, size=5):
    """Return the tags that an answer shows."""
    tags = ["O"] * size
    for each in target.split("; ") if target != "O" else ():
        kind, place, *_ = each.split(" ")
        start, end = map(int, place.split("-"))
        tags[start - 1 : end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start)]
    return tags


def test_frozen_words_several_tests_and_controls(stage, static, files, tmp_path):
    made = stage("eval ner", tmp_path / "out", FAST, encoder=static, train=[files / "train.txt"],
                 test=[files / "test.txt", files / "other.tsv"])  # fmt: skip
    mean, test, other, *controls = made.manifest.results
    items = [each for each in made.json_lines("items.jsonl") if each["labels"]["track"] == "test"]
    gold = [tags_of("; ".join(each["gold"]) or "O") for each in items]
    runs = [[tags_of(each["answers"][run]["target"]) for each in items] for run in range(2)]
    assert test["f1_by_seed"] == pytest.approx([float(tag_scores(gold, run).f1) for run in runs])
    assert test["f1"] == pytest.approx(np.mean(test["f1_by_seed"]))
    assert test["f1_low"] <= test["f1"] <= test["f1_high"]
    assert mean["f1"] == pytest.approx((test["f1"] + other["f1"]) / 2)
    assert (test["sentences"], test["entities"], test["types"]) == (13, 13, ["DATE", "LOC", "PER"])
    assert (test["tag_scheme"], test["repaired_entities"], other["tag_scheme"]) == ("BIOES", 12, "IOB2")
    assert (test["head"], test["layer"], test["training_sentences"]) == ("bilstm-crf", "all", 37)
    assert test["by_type"]["DATE"] == {"entities": 1, "precision": 0, "recall": 0, "f1": 0}
    assert any("no entity of some types, and none is found (DATE: 1)" in each for each in made.warnings)
    assert "To score the others only: --types LOC,PER." in made.hints
    # Two of three names are in the training data, in some sentences together.
    assert test["sentences_in_training_data"] == 4
    assert test["unfair"] == ["4 of 13 test sentences are in the training data."]
    assert "test: 4 test sentences also in the training data: the scores are too high." in made.warnings
    named = {each["control"]: each for each in controls if each["track"] == "test"}
    assert set(named) == {"most frequent tags", "random vectors"}
    assert test["f1"] > 0.5
    assert named["random vectors"]["f1_low"] is not None
    assert "by_type" not in named["random vectors"]
    assert {"random-vectors/training.jsonl", "seed-0/training.jsonl", "seed-1/training.jsonl"} <= made.files
    same = stage("compare", params={"draws": 100}, first=made.out, second=made.out).manifest.results
    assert {each["difference"] for each in same} == {0}
    assert [table.title for table in made.manifest.tables] == [
        "Named entities", "F1 by seed", "Named entities by type"]  # fmt: skip


def test_types_that_do_not_count_and_the_lexicon(stage, static, files):
    given = FAST | {"types": ["PER"], "seeds": 1, "random_vectors": False, "dev_share": 0.0, "epochs": 1}
    made = stage("eval ner", None, given, encoder=static, train=[files / "train.txt"], test=[files / "test.txt"])
    head, lexicon = made.manifest.results
    assert (head["types"], head["entities_left_out"]) == (["PER"], {"DATE": 1, "LOC": 6})
    # Every known word is as often the first word of a name as its last one, and B- comes first in the alphabet.
    assert (lexicon["control"], lexicon["f1"], lexicon["recall"]) == ("most frequent tags", 0, 0)
    assert any("Without development data" in each for each in made.said)


def test_another_encoder_for_the_test(stage, static, transformer, world, files):
    given = FAST | {"seeds": 1, "random_vectors": False, "epochs": 2}
    own = {"train": [files / "train.txt"], "test": [files / "test.txt"]}
    one = stage("eval ner", None, given, encoder=static, **own).manifest.results[0]
    same = stage("eval ner", None, given, encoder=static, test_encoder=static, **own).manifest.results[0]
    other = stage("eval ner", None, given, encoder=static, test_encoder=transformer, **own).manifest.results[0]
    assert one["f1"] == same["f1"]
    assert one["dev_f1"] == other["dev_f1"], "only the test sentences have other vectors"
    stage("new-encoder", world / "narrow", {"dimensions": 8, "vocabulary_size": 200}, text=[world / "text.tsv"])
    with pytest.raises(ConfigError, match="--test-encoder have 8 numbers, those of --encoder 16"):
        stage("eval ner", None, given, encoder=static, test_encoder=world / "narrow", **own)


def test_a_fine_tuned_encoder_resumes_with_the_same_answers(stage, transformer, files, tmp_path, cut_training):
    given = {"head": "fine-tune", "seeds": 2, "steps": 4, "batch_size": 8, "checkpoint_seconds": 0.0, "draws": 100,
             "random_vectors": False, "learning_rate": 1e-2}  # fmt: skip

    def run(out):
        return stage("eval ner", out, given, encoder=transformer, train=[files / "train.txt"],
                     test=[files / "test.txt"])  # fmt: skip

    whole = run(tmp_path / "whole")
    cut_training()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut")
    again = run(tmp_path / "cut")
    assert whole.manifest.results == again.manifest.results
    assert whole.manifest.outputs == again.manifest.outputs


def test_vectors_are_stored_in_files(tmp_path):
    rows = np.arange(12, dtype=np.float16).reshape(6, 2)
    store = row_store(tmp_path / "own")
    for parts in ([rows[:4], rows[4:]], [rows[:0], rows[:1]], []):
        found = store(iter(parts), 2)
        assert np.array_equal(found, in_memory(parts, 2))
        assert isinstance(found, np.memmap) == bool(len(found))
    assert [each.stat().st_size for each in sorted((tmp_path / "own").iterdir())] == [24, 4, 0]


def test_what_cannot_be_used_is_refused(stage, static, transformer, files):
    def run(encoder, train="train.txt", test="test.txt", *, second=None, **params):
        more = {} if second is None else {"test_encoder": second}
        stage("eval ner", None, FAST | params, train=[files / train], test=[files / test], encoder=encoder, **more)

    with pytest.raises(ConfigError, match="needs a transformer"):
        run(static, head="fine-tune")
    with pytest.raises(ConfigError, match="has no layers"):
        run(static, layer=[1])
    with pytest.raises(ConfigError, match="--test-encoder needs an encoder that is not trained"):
        run(transformer, head="fine-tune", second=transformer)
    with pytest.raises(ConfigError, match="--layer has no effect"):
        run(transformer, head="fine-tune", layer=[1])
    with pytest.raises(ConfigError, match="--epochs and --steps"):
        run(static, steps=3)
    with pytest.raises(DataError, match="training data has no entity of the types ORG"):
        run(static, types=["ORG"])
    (files / "plain.txt").write_text("the O\nsea O\n")
    with pytest.raises(DataError, match=r"plain\.txt has no entity"):
        run(static, test="plain.txt")
