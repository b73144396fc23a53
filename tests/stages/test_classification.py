"""eval nli, paraphrase and sentiment: classifiers trained with several seeds, and tested in every language."""

from __future__ import annotations

from shutil import copytree

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from lexenc.encoders.static import StaticEncoder
from lexenc.errors import ConfigError, DataError
from lexenc.stages.evaluation.nli import read_nli
from lexenc.stages.evaluation.paraphrase import read_paraphrase_data
from lexenc.stages.evaluation.sentiment import labels_of, read_sentiment

WORDS = "house dog cat tree water fire stone bread milk green red blue night day sun moon".split()
FAST = {"draws": 100, "seeds": 2}
LABELS = ("entailment", "neutral", "contradiction")


def pairs(words):
    """The same sentence twice, or two that share no word."""
    other = [f"a {words[-place % 7]}" for place in range(len(words) ** 2)]
    both = [(a, b) for a in words for b in words]
    return [(f"the {a} {b}", f"the {a} {b}" if a < b else c, int(a < b)) for (a, b), c in zip(both, other, strict=True)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    train, test = pairs(WORDS[:10]), pairs(WORDS[8:])
    (folder / "train.tsv").write_text("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
                                      + "".join(f"{c}\t1\t2\t{a}\t{b}\n" for a, b, c in train))  # fmt: skip
    (folder / "test.de.tsv").write_text("id\tsentence1\tsentence2\tlabel\n1\tNS\tso\t0\n2\ta\t\t1\n3\ta\tb\t-1\n"
                                        + "".join(f"1\t{a}\t{b}\t{c}\n" for a, b, c in test))  # fmt: skip
    (folder / "test.en.tsv").write_text("".join(f"{a}\t{b}\t{c}\n" for a, b, c in test[:30]))
    few = [(a, b, label) for a in WORDS[:3] for b in WORDS[:3] for label in (*LABELS, "-")]
    rows = [(lang, f"{lang} {a}", f"{b} is {label}", label) for lang in ("en", "sw") for a, b, label in few]
    (folder / "xnli.tsv").write_text(
        "language\tpremise\thypothesis\tlabel\n" + "".join("\t".join(row) + "\n" for row in rows)
    )
    (folder / "triplets.csv").write_text("sent0,sent1,hard_neg\na,b,c\n")
    return folder


def answers(made, track=None):
    items = [each for each in made.json_lines("items.jsonl") if track in (None, each["labels"].get("track"))]
    runs = zip(*([answer["target"] for answer in each["answers"]] for each in items), strict=True)
    return [each["gold"][0] for each in items], list(runs)


def test_paraphrases_with_frozen_vectors(stage, static, files, tmp_path):
    tests = [files / "test.de.tsv", files / "test.en.tsv"]
    given = FAST | {"dev_share": 0.2, "epochs": 20}
    made = stage("eval paraphrase", tmp_path / "out", given, train=[files / "train.tsv"],
                 test=tests, encoder=static)  # fmt: skip
    mean, german, english, *controls = made.manifest.results
    gold, runs = answers(made, "test.de")
    assert german["accuracy_by_seed"] == pytest.approx([accuracy_score(gold, run) for run in runs])
    assert german["macro_f1"] == pytest.approx(np.mean([f1_score(gold, run, average="macro") for run in runs]))
    assert mean["accuracy"] == pytest.approx((german["accuracy"] + english["accuracy"]) / 2)
    assert mean["accuracy_sd"] == pytest.approx(np.std(mean["accuracy_by_seed"], ddof=1))
    assert german["accuracy_low"] < german["accuracy"] <= german["accuracy_high"]
    assert german["left_out"] == {"not translated (NS)": 1, "an empty sentence": 1, "no gold label": 1}
    assert (german["head"], german["seeds"], german["training_examples"]) == ("dense", [0, 1], 80)
    assert (english["pairs_learnt_from"], "used for training (--train)" in " ".join(made.warnings)) == (1, True)
    named = {(each["control"], each["track"]): each for each in controls}
    assert set(named) == {(name, track) for name in ("majority class", "bag of words")
                          for track in ("macro mean", "test.de", "test.en")}  # fmt: skip
    assert named["majority class", "test.de"]["accuracy"] == pytest.approx(
        np.mean([each == "different" for each in gold])
    )
    assert german["accuracy"] > 0.8 > named["majority class", "test.de"]["accuracy"]
    assert "accuracy_by_seed" not in controls[0]
    table = made.manifest.tables[1]
    assert table.columns == ["test set", "seed 0", "seed 1", "mean", "deviation"]
    same = stage("compare", params={"draws": 100}, first=made.out, second=made.out).manifest.results
    assert {each["difference"] for each in same} == {0}
    assert {"seed-0/training.jsonl", "seed-1/training.jsonl", "scores.json", "items.jsonl"} <= made.files


def test_sentiment_with_labels_of_the_training_data(stage, static, tmp_path):
    good = [(a, b, a < b) for a in WORDS for b in WORDS[:9]]
    rows = [(f"the {a} {b} is {'good' if yes else 'bad'}", "ja" if yes else "nein") for a, b, yes in good]
    train = tmp_path / "train.tsv"
    train.write_text("tweet\tlabel\n" + "".join("\t".join(row) + "\n" for row in [*rows, ("no label", "")]))
    test = tmp_path / "test.txt"
    test.write_text("".join("\t".join(row) + "\n" for row in [*rows[:3], ("a sun is good", "nein"), ("", "ja")]))
    given = FAST | {"epochs": 5}
    made = stage("eval sentiment", tmp_path / "out", given, train=[train], test=[test], encoder=static)
    own, *controls = made.manifest.results
    gold, runs = answers(made)
    assert gold == [row[1] for row in rows[:3]] + ["nein"]
    weighted = [f1_score(gold, run, average="weighted") for run in runs]
    assert own["weighted_f1"] == pytest.approx(np.mean(weighted))
    assert own["weighted_f1_by_seed"] == pytest.approx(weighted)
    assert own["left_out"] == {"no text": 1}
    assert any("the training data left out (no label: 1)" in each for each in made.warnings)
    assert [each["control"] for each in controls] == ["majority class", "bag of words"]
    warned = [each for each in made.warnings if "3 of 4 test texts were used for training" in each]
    assert len(warned) == 1
    assert warned[0].endswith("so the scores are too high for new texts.")
    test.write_text("tweet\tlabel\nso\tja\n\nso\tJa\n")
    with pytest.raises(DataError, match=r"test.txt, line 4: the training data has no label 'Ja'") as caught:
        stage("eval sentiment", None, given, train=[train], test=[test], encoder=static)
    assert caught.value.hint == "It has ja, nein."
    train.write_text("".join(f"{place}\t{place + 1}\n" for place in range(30)))
    with pytest.raises(DataError, match="30 different labels for 30 texts"):
        stage("eval sentiment", None, given, train=[train], test=[test], encoder=static)


def test_frozen_heads_are_tested_with_an_encoder_of_another_language(stage, static, transformer, files, tmp_path):
    def run(head, out=None, **more):
        return stage("eval nli", out, TINY | {"head": head}, train=[files / "xnli.tsv"], test=[files / "xnli.tsv"],
                     encoder=static, **more).manifest  # fmt: skip

    copied = copytree(static, tmp_path / "german")
    for head in ("dense", "bilstm"):
        alone, both = run(head), run(head, tmp_path / head, test_encoder=copied)
        assert alone.results == both.results
        assert {"encoder", "test_encoder"} <= {name.split("/")[0] for name in both.inputs}
        assert f"{head}, tested with german." in both.tables[0].note
    with pytest.raises(ConfigError, match=r"--test-encoder has vectors of \d+ numbers, and --encoder of \d+"):
        encoder = StaticEncoder.load(static)
        rows = encoder.states(np.arange(encoder.tokenizer.get_vocab_size())).detach()
        StaticEncoder(encoder.tokenizer, rows[:, :3]).save(tmp_path / "narrow")
        run("dense", test_encoder=tmp_path / "narrow")
    with pytest.raises(ConfigError, match="--test-encoder has no meaning with --head fine-tune"):
        stage("eval nli", None, TINY, train=[files / "xnli.tsv"], test=[files / "xnli.tsv"], encoder=transformer,
              test_encoder=transformer)  # fmt: skip


TINY = FAST | {"steps": 4, "batch_size": 8, "checkpoint_seconds": 0.0, "learning_rate": 1e-2}


def fine_tuned(stage, files, transformer, out, seed=0, **more):
    return stage("eval nli", out, TINY | more, seed, train=[files / "xnli.tsv"], test=[files / "xnli.tsv"],
                 encoder=transformer)  # fmt: skip


def test_a_fine_tuned_encoder_resumes_with_the_same_answers(stage, transformer, files, tmp_path, cut_training):
    whole = fine_tuned(stage, files, transformer, tmp_path / "whole")
    taken = cut_training()
    with pytest.raises(KeyboardInterrupt):
        fine_tuned(stage, files, transformer, tmp_path / "cut")
    again = fine_tuned(stage, files, transformer, tmp_path / "cut")
    assert taken == [0, 0, 0, 0, 1, 1, 1, 1, 1], "the step that was cut off, and no other, is taken twice"
    assert whole.manifest.results == again.manifest.results
    assert whole.manifest.outputs == again.manifest.outputs
    assert [each["track"] for each in whole.manifest.results[:3]] == ["macro mean", "xnli.en", "xnli.sw"]
    assert whole.manifest.results[1]["left_out"] == {"no gold label": 9}
    assert any("in other languages: 27" in each for each in whole.warnings)
    # A seed is the same, whichever others there are.
    alone = fine_tuned(stage, files, transformer, tmp_path / "alone", 1, seeds=1)
    assert answers(alone)[1][0] == answers(whole)[1][1]


def test_what_cannot_be_used_is_refused(stage, static, transformer, files, tmp_path):
    def run(name, encoder, train, *tests, **params):
        stage(name, None, FAST | params, train=[files / train], test=[files / each for each in tests], encoder=encoder)

    with pytest.raises(ConfigError, match="needs a transformer"):
        run("eval nli", static, "xnli.tsv", "xnli.tsv", head="fine-tune")
    with pytest.raises(ConfigError, match="--epochs and --steps"):
        run("eval nli", static, "xnli.tsv", "xnli.tsv", epochs=1, steps=2)
    with pytest.raises(DataError, match="triplets, expected labelled pairs"):
        run("eval nli", transformer, "triplets.csv", "xnli.tsv")
    with pytest.raises(DataError, match="no examples with a label in 'de'") as caught:
        run("eval nli", static, "xnli.tsv", "xnli.tsv", language="de")
    assert "--language en" in caught.value.hint
    (files / "one").write_text("a\tb\t1\nc\td\t1\n")
    with pytest.raises(DataError, match="a single class"):
        run("eval paraphrase", static, "one", "one", dev_share=0.0)


def test_real_data_has_as_many_pairs_as_its_makers_say(data):
    sick = read_nli(data / "nli/sick/SICK_train.txt.gz")[""]
    assert np.bincount(sick.classes).tolist() == [1299, 2536, 665]
    for language in ("aym", "gn", "quy", "shp"):
        own = read_nli(data / f"nli/americas/test.{language}.tsv.gz")
        assert {name: np.bincount(each.classes).tolist() for name, each in own.items()} == {language: [250, 250, 250]}
    tweets = data / "sentiment/afrisenti/por.test.tsv.gz"
    labels = labels_of([tweets])
    assert (labels, np.bincount(read_sentiment(tweets, classes=labels)[""].classes).tolist()) == (
        ["negative", "neutral", "positive"], [655, 2379, 628])  # fmt: skip
    msr = {part: read_paraphrase_data(data / f"paraphrase/msr/{part}.tsv.gz")[""] for part in ("train", "val", "test")}
    assert {part: (len(each.texts), sum(each.classes)) for part, each in msr.items()} == {
        "train": (3576, 2407), "val": (500, 346), "test": (1725, 1147)}  # fmt: skip
