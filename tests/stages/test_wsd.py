"""eval wsd: the nearest sense vector against a plain loop, the forms of training data, controls, back-off and leaks."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lexenc.device import CPU
from lexenc.encoders.load import load_encoder
from lexenc.encoders.word_vectors import word_encoder
from lexenc.errors import ConfigError, DataError
from lexenc.stage import Job, Notices
from lexenc.stages.evaluation.shared import shared_facts
from lexenc.stages.lineage import Seen

FEW = {"draws": 100}
NOUNS = "dog cat tree fish house"
# Words of a sentence, and the senses of its second one, which may be two words, separated by `_`.
TRAIN = [
    (f"the {noun} is {place}", (f"{noun}%1:0{1 + number % 3 // 2}:00::",))
    for number, place in enumerate("here there red blue here green".split())
    for noun in NOUNS.split()
] + [
    ("a sea_star was here", ("sea_star%1:05:00::",)),
    ("a dog was red", ("dog%1:01:00::", "dog%1:02:00::")),
    ("the moon is red", ()),
]
TEST = [
    (f"a {noun} was {place}", (f"{noun}%1:0{1 + (place == 'blue')}:00::",))
    for place in ("here", "blue", "there")
    for noun in NOUNS.split()
] + [("the sea_star is there", ("sea_star%1:05:00::",)), ("the river is here", ("river%1:17:00::", "x%1:17:00::"))]


def lemma_of(text):
    return text.split()[1]


def write_xml(folder, name, rows, *, part="NOUN"):
    """Write sentences in the form of Raganato et al. 2017, four to a document."""
    lines, keys = ['<?xml version="1.0" encoding="UTF-8" ?>', '<corpus lang="en">'], []
    for start in range(0, len(rows), 4):
        lines.append(f'<text id="d{start}">')
        for number, (text, own) in enumerate(rows[start : start + 4]):
            first, word, *rest = text.split()
            name_of = f"d{start}.s{number}.t0"
            keys += [" ".join([name_of, *own])] if own else []
            lines += ['<sentence id="x">', f'<wf lemma="{first}" pos="DET">{first}</wf>']
            lines.append(f'<instance id="{name_of}" lemma="{word}" pos="{part}">{word.replace("_", " ")}</instance>')
            lines += [*(f'<wf lemma="x" pos="X">{each}</wf>' for each in rest), "</sentence>"]
        lines.append("</text>")
    (folder / f"{name}.data.xml").write_text("\n".join([*lines, "</corpus>"]))
    (folder / f"{name}.gold.key.txt").write_text("\n".join(keys) + "\n")
    return {"test": [folder / f"{name}.data.xml"], "gold": [folder / f"{name}.gold.key.txt"]}


def write_semcor(folder, rows):
    lines = ["<contextfile concordance=brown>", "<context filename=br-a01 paras=yes>"]
    for text, own in rows:
        first, word, *rest = text.split()
        senses = [key.split("%")[1] for key in own]
        known = f"lexsn={';'.join(senses)} wnsn={';'.join(each[3] for each in senses)}" if own else "ot=notag"
        lines += ["<s snum=1>", f"<wf cmd=ignore>{first}</wf>", f"<wf cmd=done lemma={word} {known}>{word}</wf>"]
        lines += [*(f"<wf cmd=ignore>{each}</wf>" for each in rest), "</s>"]
    (folder / "semcor").mkdir()
    (folder / "semcor" / "br-a01").write_text("\n".join([*lines, "</context>", "</contextfile>\n"]))
    return folder / "semcor"


@pytest.fixture(scope="module")
def large(transformer, tmp_path_factory):
    """An untrained encoder with large weights, in which the context of a word matters."""
    folder = tmp_path_factory.mktemp("encoder") / "large"
    shutil.copytree(transformer, folder, ignore=shutil.ignore_patterns("manifest.json"))
    tensors = load_file(folder / "model.safetensors")
    for name, values in tensors.items():
        if name.endswith("weight") and "LayerNorm" not in name:
            values *= 20
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wsd")
    write_xml(folder, "train", TRAIN)
    (folder / "index.sense").write_text("river%1:17:00:: 00001740 1 3\ndog%1:03:00:: 00001740 1 3\n")
    return {"train": write_semcor(folder, TRAIN), "folder": folder} | write_xml(folder, "small", TEST)


def plain(encoder, *layers):
    """Return the accuracy and the filtered accuracy by loops over words."""

    def of(text):
        words = text.replace("_", " ").split()
        rows = []
        for layer in layers:
            found = word_encoder(encoder, layer=layer, unit="words")([words]).values
            rows.append(found[1 : len(words) - 2].mean(axis=0))
        return np.concatenate(rows).astype(float)

    occurrences: dict[str, list[np.ndarray]] = {}
    for text, keys in TRAIN:
        for key in keys:
            occurrences.setdefault(key, []).append(of(text))
    senses = {key: np.mean(own, axis=0) / np.linalg.norm(np.mean(own, axis=0)) for key, own in occurrences.items()}
    right = Counter()
    for text, gold in TEST:
        vector = of(text)
        for name, known in (
            ("all", senses),
            ("own", {key: senses[key] for key in senses if key.startswith(f"{lemma_of(text)}%")}),
        ):
            best = max(known, key=lambda key: known[key] @ vector, default="")
            right[name] += best in gold
    return right["all"] / len(TEST), right["own"] / len(TEST)


def test_scores_are_those_of_a_plain_loop(stage, large, files, tmp_path):
    given = {name: files[name] for name in ("train", "test", "gold")}
    made = stage("eval wsd", tmp_path / "out", FEW, encoder=large, **given)
    head, first, shuffled = made.manifest.results
    encoder = load_encoder(large, device=CPU)
    assert (head["accuracy"], head["filtered_accuracy"]) == pytest.approx(plain(encoder, 1))
    assert (head["instances"], head["layer"], head["training_tags"], head["groups"]) == (17, 1, 32, 5)
    assert (first["control"], shuffled["control"]) == ("first sense", "shuffled vectors")
    # The most frequent sense of every noun is right in two of three sentences.
    assert first["accuracy"] == first["filtered_accuracy"] == head["first_sense"] == pytest.approx(11 / 17)
    assert (head["ceiling"], head["without_candidate"], head["back_off"]) == pytest.approx((16 / 17, 1 / 17, 0))
    assert shuffled["accuracy"] < 0.4
    items = made.json_lines("items.jsonl")
    assert items[0]["asked"] == ["d0.s0.t0", "dog.n", "a [dog] was here"]
    assert [each["senses"] for each in items[-1]["answers"]] == ["all"]
    assert any("too few for reliable intervals: small 5" in each for each in made.warnings)
    assert any("first sense" in each for each in made.warnings)
    same = stage("compare", params=FEW, first=made.out, second=made.out).manifest.results
    assert [each["difference"] for each in same] == [0] * 3
    # Training data as XML, and a packed test set, give the same.
    own = {"train": files["folder"] / "train.data.xml", "train_gold": files["folder"] / "train.gold.key.txt"}
    again = stage("eval wsd", None, FEW, encoder=large, **given | own)
    keys = ("accuracy", "filtered_accuracy", "right_lemma", "accuracy_low", "first_sense", "training_senses")
    assert [again.manifest.results[0][key] for key in keys] == [head[key] for key in keys]
    assert any("no sense key: 1" in each for each in again.warnings)


def test_several_layers_back_off_and_several_test_sets(stage, large, static, files, monkeypatch):
    given = {name: files[name] for name in ("train", "test", "gold")}
    encoder = load_encoder(large, device=CPU)
    made = stage("eval wsd", None, FEW | {"layer": [0, -1]}, encoder=large, **given)
    monkeypatch.setattr("lexenc.stages.evaluation.wsd._LAYERS", 0)  # sentence by sentence
    alone = stage("eval wsd", None, FEW | {"layer": [0, -1]}, encoder=large, **given)
    assert alone.manifest.results == made.manifest.results
    assert made.manifest.results[0]["accuracy"] == pytest.approx(plain(encoder, 0, 1)[0])
    assert made.manifest.results[0]["layer"] == [0, -1]
    params = FEW | {"layer": [0, 1], "combine": "mean", "resample": "instances"}
    twice = {name: files[name] * 2 for name in ("test", "gold")}
    fallen = stage("eval wsd", None, params, encoder=large, back_off=files["folder"] / "index.sense", **given | twice)
    macro, one, other, *_ = fallen.manifest.results
    assert (macro["track"], one["track"], other["track"]) == ("macro mean", "small", "small (2)")
    assert (one["back_off"], one["first_sense"], macro["first_sense"]) == pytest.approx((1 / 17, 12 / 17, 12 / 17))
    assert (macro["accuracy_all_instances"], macro["groups"] if "groups" in macro else None) == (
        macro["accuracy"],
        None,
    )
    assert macro["back_off_file"] == "index.sense"
    assert not any("too few" in each for each in fallen.warnings)
    with pytest.raises(ConfigError, match="has no layers"):
        stage("eval wsd", None, FEW | {"layer": [1]}, **given | {"encoder": static})


def test_a_test_set_in_the_training_data_is_not_fair(stage, static, files, tmp_path):
    other = write_xml(tmp_path, "leak", [*TRAIN[:3], ("the dog is new", ("dog%1:01:00::",))])
    made = stage("eval wsd", None, FEW, encoder=static, train=files["train"], **other)
    head = made.manifest.results[0]
    assert head["sentences_in_training_data"] == 3
    assert head["unfair"] == ["3 of 4 test sentences are in the training data."]
    assert "leak: 3 test sentences also in the training data: the scores are too high." in made.warnings


def test_few_sentences_of_the_training_data_are_fair(tmp_path):
    said, warned = [], []
    job = Job(tmp_path, notices=Notices(lambda message, hint: warned.append(message), said.append))
    found = [shared_facts("test", Seen(), shared, 200, job) for shared in (0, 2, 3)]
    assert [each["sentences_in_training_data"] for each in found] == [0, 2, 3]
    assert [each["unfair"] for each in found] == [[], [], ["3 of 200 test sentences are in the training data."]]
    assert said == ["test: 2 test sentences also in the training data."]
    assert warned == ["test: 3 test sentences also in the training data: the scores are too high."]


def test_what_cannot_be_scored_is_refused(stage, static, files, tmp_path):
    given = {name: files[name] for name in ("train", "test", "gold")}
    with pytest.raises(ConfigError, match="Every --test needs its --gold"):
        stage("eval wsd", None, FEW, encoder=static, **given | {"test": files["test"] * 2})
    with pytest.raises(ConfigError, match="sense keys are in a file of their own"):
        stage("eval wsd", None, FEW, encoder=static, **given | {"train": files["test"][0]})
    with pytest.raises(DataError, match="None of the instances of"):
        (tmp_path / "keys").write_text("other k\n")
        stage("eval wsd", None, FEW, encoder=static, **given | {"gold": [tmp_path / "keys"]})
    with pytest.raises(DataError, match="has no sense key"):
        (tmp_path / "a").write_text("<contextfile>\n<s>\n<wf>a</wf>\n</s>\n</contextfile>\n")
        stage("eval wsd", None, FEW, encoder=static, **given | {"train": tmp_path / "a"})
