"""map without a dictionary, with a small one, and by preset."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lexenc.artifact import UNFINISHED, aside_folder
from lexenc.errors import ConfigError, DataError, WorkError
from lexenc.files.tensors import read_tensors, write_tensors
from lexenc.planning import plan_stage, run_plan
from lexenc.resources import preset_names, preset_summaries, read_preset
from lexenc.stages import STAGES
from lexenc.stages.lexical.map import Preset

from .conftest import write_pairs, write_vec

WORDS, SIZE = 400, 20
QUICK = {"patience": 3, "vocabulary_cutoff": 300}


@pytest.fixture(scope="module")
def languages(tmp_path_factory):
    """Two languages that differ by a rotation and some noise; every fifth word is written alike, some are numbers."""
    folder = tmp_path_factory.mktemp("languages")
    write_hard(folder)
    draw = np.random.default_rng(0)
    meanings = draw.normal(size=(25, SIZE))[draw.integers(25, size=WORDS)] + draw.normal(size=(WORDS, SIZE))
    turn, _ = np.linalg.qr(draw.normal(size=(SIZE, SIZE)))
    order = np.argsort(np.arange(WORDS) + draw.normal(scale=10, size=WORDS))
    source = [str(i) if i % 10 == 0 else f"name{i}" if i % 5 == 0 else f"word{i}" for i in range(WORDS)]
    target = [word.replace("word", "wort") for word in source]
    write_vec(folder / "en.vec", source, meanings)
    noisy = (meanings @ turn + 0.2 * draw.normal(size=meanings.shape))[order]
    write_vec(folder / "de.vec", [target[i] for i in order], noisy)
    write_vec(folder / "noise.vec", [f"x{i}" for i in range(WORDS)], draw.normal(size=(WORDS, SIZE)))
    write_pairs(folder / "few.tsv", list(zip(source, target, strict=True))[1:40:2])
    write_pairs(folder / "test.tsv", list(zip(source, target, strict=True))[1::3])
    return folder


def write_hard(folder):
    """Write two languages with more noise, of which a quick schedule finds no mapping from the vectors alone."""
    draw = np.random.default_rng(1)
    meanings = draw.normal(size=(25, SIZE))[draw.integers(25, size=WORDS)] + draw.normal(size=(WORDS, SIZE))
    turn, _ = np.linalg.qr(draw.normal(size=(SIZE, SIZE)))
    order = np.argsort(np.arange(WORDS) + draw.normal(scale=10, size=WORDS))
    write_vec(folder / "one.vec", [f"word{i}" for i in range(WORDS)], meanings)
    noisy = (meanings @ turn + 0.7 * draw.normal(size=meanings.shape))[order]
    write_vec(folder / "other.vec", [f"wort{i}" for i in order], noisy)
    write_pairs(folder / "hard.tsv", [(f"word{i}", f"wort{i}") for i in range(WORDS)])


def vectors(folder, target: str = "de.vec") -> dict:
    return {"source": folder / "en.vec", "target": folder / target}


def precision(stage, folder, made) -> float:
    scores = stage("eval bli", vectors=made.out, dictionary=folder / "test.tsv")
    return scores.manifest.results[0]["precision_at_1"]


@pytest.mark.parametrize("supervision", ["semi", "identical", "numerals"])
def test_little_knowledge_becomes_a_mapping(stage, languages, tmp_path, supervision):
    given = {"dictionary": languages / "few.tsv"} if supervision == "semi" else {}
    made = stage("map", tmp_path / "out", {**QUICK, "supervision": supervision}, **vectors(languages), **given)
    assert precision(stage, languages, made) > 0.9
    assert {"iterations.jsonl", "induced.tsv"} <= made.files
    assert "unfinished" not in {path.name for path in made.out.iterdir()}
    log = made.json_lines("iterations.jsonl")
    assert [line["iteration"] for line in log] == list(range(1, len(log) + 1))
    assert len(log) == made.manifest.summary["iterations"]
    induced = [tuple(line.split("\t")) for line in (made.out / "induced.tsv").read_text().splitlines()]
    assert len(set(induced)) == len(induced) >= 300
    assert made.manifest.summary["verdict"] == "found"
    assert made.manifest.answer
    assert not [warning for warning in made.warnings if "mapping" in warning.lower()]
    assert made.manifest.tables[0].title == "Self-learning"


def test_words_that_were_learnt_from_are_no_evidence(stage, languages, tmp_path):
    made = stage("map", tmp_path / "out", {**QUICK, "preset": "identical", "max_iterations": 1}, **vectors(languages))
    assert made.manifest.params["supervision"] == "identical"
    assert made.manifest.summary["first_pairs"] == 80
    assert made.manifest.summary["identical_agreement"] is None


def test_noise_is_called_noise_and_is_no_answer(stage, languages, tmp_path):
    given = vectors(languages, "noise.vec")
    made = stage("map", tmp_path / "out", {**QUICK, "supervision": "none", "start_vocabulary": 200}, **given)
    assert made.manifest.summary["verdict"] == "not found"
    assert not made.manifest.answer
    (told,) = [warning for warning in made.warnings if "No mapping was found" in warning]
    assert "agreement of frequency ranks" in told
    assert "noise below 0.3" in told
    table = made.manifest.tables[0]
    assert table.columns == ["sign", "value", "noise below", "found from"]
    assert table.rows[1][2:] == ["0.1", "0.4"]
    assert {len(row) for row in table.rows} == {4}


HARD = {"supervision": "none", "vocabulary_cutoff": 300, "start_vocabulary": 300}


def hard(folder) -> dict:
    return {"source": folder / "one.vec", "target": folder / "other.vec"}


def test_what_a_quick_schedule_does_not_find_a_patient_one_does(stage, languages, tmp_path):
    quick, both = (
        stage("map", tmp_path / patience, {**HARD, "patience": patience}, **hard(languages))
        for patience in ("3", "3,10")
    )
    assert [made.manifest.summary["verdict"] for made in (quick, both)] == ["not found", "found"]
    assert both.manifest.answer
    assert [warning for warning in quick.warnings if "No mapping was found" in warning]
    assert not both.warnings
    logs = [made.json_lines("iterations.jsonl") for made in (quick, both)]
    assert logs[1][: len(logs[0])] == logs[0]
    assert [line["iteration"] for line in logs[1]] == list(range(1, len(logs[1]) + 1))
    assert [line["keep_probability"] for line in logs[1][len(logs[0]) - 1 :][:2]] == [1.0, 0.1]
    assert both.manifest.summary["iterations"] == len(logs[1])
    assert both.manifest.summary["patience"] == 10
    scores = stage("eval bli", vectors=both.out, dictionary=languages / "hard.tsv")
    assert scores.manifest.results[0]["precision_at_1"] > 0.9


def test_what_a_quick_schedule_finds_is_not_learned_again(stage, languages, tmp_path):
    settings = {**QUICK, "supervision": "identical"}
    quick, both = (
        stage("map", tmp_path / name, {**settings, "patience": patience}, **vectors(languages))
        for name, patience in (("quick", (3,)), ("both", (3, 10)))
    )
    assert quick.files == both.files
    for name in quick.files - {"manifest.json"}:
        assert (both.out / name).read_bytes() == (quick.out / name).read_bytes(), name


@pytest.mark.parametrize(("verdicts", "best"), [(("doubtful", "not found"), 0), (("not found", "doubtful"), 1)])
def test_of_several_starts_the_best_verdict_counts(stage, languages, tmp_path, monkeypatch, verdicts, best):
    from dataclasses import replace

    from lexenc.stages.lexical import map as map_stage

    real, left = map_stage._judge, list(verdicts)
    monkeypatch.setattr(map_stage, "_judge", lambda *given: replace(real(*given), verdict=left.pop(0)))
    made = stage("map", tmp_path / "out", {**HARD, "patience": "1,3"}, **hard(languages))
    summary = made.manifest.summary
    assert (summary["verdict"], summary["patience"]) == ("doubtful", (1, 3)[best])
    assert not left
    # Iterations of all starts, the objective of the best one.
    log = made.json_lines("iterations.jsonl")
    assert summary["iterations"] == len(log)
    begin = next(i for i, (one, other) in enumerate(pairwise(log), start=1)
                 if other["keep_probability"] < one["keep_probability"])  # fmt: skip
    own = (log[:begin], log[begin:])[best]
    # A doubtful mapping is where the next start begins; from a failure it does not go on.
    assert (log[begin]["objective"] > log[begin - 1]["objective"] - 0.01) == (verdicts[0] == "doubtful")
    assert summary["objective"] == pytest.approx(max(line["objective"] for line in own), abs=1e-6)
    assert len(made.warnings) == 1


def test_the_maximum_number_of_iterations_is_that_of_all_starts(stage, languages, tmp_path):
    given = vectors(languages, "noise.vec")
    settings = {"supervision": "none", "start_vocabulary": 200, "patience": "1,3"}
    whole = stage("map", tmp_path / "whole", {**settings, "patience": 1}, **given).manifest.summary["iterations"]
    for most in (whole - 2, whole + 2):
        made = stage("map", tmp_path / str(most), {**settings, "max_iterations": most}, **given)
        assert made.manifest.summary["iterations"] == len(made.json_lines("iterations.jsonl")) == most


@pytest.mark.parametrize("value", ["", ","])
def test_a_patience_without_a_value_is_refused(languages, value):
    with pytest.raises(ConfigError, match="--patience must have a value"):
        planned(languages, {"preset": "unsupervised", "patience": value})


@pytest.mark.parametrize(
    ("consistency", "chance", "frequency", "alike", "verdict"),
    [
        (0.508, 0.017, 0.54, None, "found"),  # fastText en-de, the 2,000 most frequent words, identical
        (0.512, 0.014, 0.53, 0.55, "found"),  # none, another seed than the next
        (0.269, 0.013, 0.29, 0.20, "not found"),  # none: precision at 1 of 0.9 on test words
        (0.24, 0.013, 0.23, None, "not found"),  # random first pairs
        (0.71, 0.21, 0.19, None, "not found"),  # the same in 100 dimensions, where the first sign is strong
        (0.30, 0.013, 0.50, 0.40, "doubtful"),
        (0.508, 0.017, 0.35, None, "doubtful"),
        (0.05, 0.013, 0.50, 0.40, "not found"),
    ],
)
def test_the_verdict_tells_mappings_from_what_failing_looks_like(consistency, chance, frequency, alike, verdict):
    from lexenc.lexical.confidence import Confidence, _verdict

    judged = Confidence(0.5, consistency, chance, frequency, alike, "doubtful")
    assert _verdict(judged.signs) == verdict


@pytest.mark.parametrize("name", ["cuda:0", "mps"])
def test_a_device_that_is_not_there_is_refused_though_the_work_needs_none(languages, tmp_path, name):
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("This machine has one.")
    given = {key: str(path) for key, path in vectors(languages).items()} | {"dictionary": str(languages / "few.tsv")}
    plan = plan_stage(STAGES["map"], inputs=given, params={}, out=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"this machine has none|no Metal device"):
        run_plan(plan, device=name)
    assert not (tmp_path / "out").exists()


def test_validation_is_watched_and_teaches_nothing(stage, languages, tmp_path):
    settings = {**QUICK, "supervision": "identical", "max_iterations": 7, "validate_every": 3}
    plain = stage("map", tmp_path / "plain", settings, **vectors(languages))
    made = stage("map", tmp_path / "out", settings, **vectors(languages), validation=languages / "test.tsv")
    assert np.array_equal(plain.matrix("source"), made.matrix("source"))
    seen = {line["iteration"] for line in made.json_lines("iterations.jsonl") if "validation_precision_at_1" in line}
    assert seen == {3, 6, 7}
    assert made.json_lines("iterations.jsonl")[-1]["validation_precision_at_1"] > 0.5
    unknown = write_pairs(tmp_path / "unknown.tsv", [("qqq", "xxx")])
    with pytest.raises(DataError, match="validation word"):
        stage("map", tmp_path / "other", settings, **vectors(languages), validation=unknown)


def test_stopped_and_continued_is_the_same_result(stage, languages, tmp_path, monkeypatch):
    from lexenc.lexical import self_learning

    settings = {**QUICK, "supervision": "identical", "max_iterations": 9, "checkpoint_seconds": 0}
    whole = stage("map", tmp_path / "whole", settings, **vectors(languages))
    real, calls = self_learning.rotation, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(self_learning, "rotation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stage("map", tmp_path / "out", settings, **vectors(languages))
    monkeypatch.setattr(self_learning, "rotation", real)
    again = stage("map", tmp_path / "out", settings, **vectors(languages))
    assert again.files == whole.files
    for name in ("iterations.jsonl", "induced.tsv", "source/vectors.npy", "target/vectors.npy"):
        assert (again.out / name).read_bytes() == (whole.out / name).read_bytes(), name


@pytest.mark.parametrize("place", ["search", "record", "judgement"])
def test_interrupted_between_checkpoints_it_goes_on_from_the_last_iteration(
    stage, languages, tmp_path, monkeypatch, place
):
    from lexenc.lexical import self_learning
    from lexenc.stages.lexical import map as map_stage

    settings = {**QUICK, "supervision": "identical", "max_iterations": 9, "checkpoint_seconds": 1e6}
    whole = stage("map", tmp_path / "whole", settings, **vectors(languages))
    module, name, count = {
        "search": (self_learning, "_advance", 6),
        "record": (map_stage, "asdict", 6),
        "judgement": (map_stage, "_judge", 1),
    }[place]
    real, calls = getattr(module, name), []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == count:
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            stage("map", tmp_path / "out", settings, **vectors(languages))
    done = []
    with monkeypatch.context() as patch:
        advance = self_learning._advance
        patch.setattr(self_learning, "_advance", lambda *args: done.append(1) or advance(*args))
        again = stage("map", tmp_path / "out", settings, **vectors(languages))
    assert len(done) == (0 if place == "judgement" else 9 - 5)
    assert again.files == whole.files
    for name in ("iterations.jsonl", "induced.tsv", "source/vectors.npy", "target/vectors.npy"):
        assert (again.out / name).read_bytes() == (whole.out / name).read_bytes(), name


def test_interrupted_in_the_second_start_it_goes_on_there(stage, languages, tmp_path, monkeypatch):
    from lexenc.lexical import self_learning

    settings = {**HARD, "patience": "3,10", "checkpoint_seconds": 1e6}
    whole = stage("map", tmp_path / "whole", settings, **hard(languages))
    length = len(whole.json_lines("iterations.jsonl"))
    advance, calls = self_learning._advance, []

    def counted(*args):
        calls.append(1)
        if len(calls) == length - 5:
            raise KeyboardInterrupt
        return advance(*args)

    monkeypatch.setattr(self_learning, "_advance", counted)
    with pytest.raises(KeyboardInterrupt):
        stage("map", tmp_path / "out", settings, **hard(languages))
    again = stage("map", tmp_path / "out", settings, **hard(languages))
    assert len(calls) == length + 1
    assert again.files == whole.files
    for name in ("iterations.jsonl", "induced.tsv", "source/vectors.npy", "target/vectors.npy"):
        assert (again.out / name).read_bytes() == (whole.out / name).read_bytes(), name


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def other_facts(path):
    tensors, facts = read_tensors(path)
    write_tensors(path, tensors, {"saved": facts["saved"] | {"iteration": "7"}})


def other_generator(path):
    tensors, facts = read_tensors(path)
    write_tensors(path, tensors, {"saved": facts["saved"] | {"drawn": {"bit_generator": "PCG64", "state": {}}}})


def far_rows(path):
    tensors, facts = read_tensors(path)
    write_tensors(path, tensors | {"source": tensors["source"] + 10**6}, facts)


def fewer_bars(path):
    tensors, facts = read_tensors(path)
    write_tensors(path, {name: each for name, each in tensors.items() if name != "bars_1"}, facts)


@pytest.fixture(scope="module")
def stopped(stage, languages, tmp_path_factory):
    """A result of self-learning, its settings, and its unfinished work when it was stopped in the second start."""
    from lexenc.lexical import self_learning

    settings = {**HARD, "patience": "1,3", "checkpoint_seconds": 0}
    place = tmp_path_factory.mktemp("stopped")
    whole = stage("map", place / "whole", settings, **hard(languages))
    advance, calls = self_learning._advance, []

    def counted(*args):
        calls.append(1)
        if len(calls) == len(whole.json_lines("iterations.jsonl")) - 3:
            raise KeyboardInterrupt
        return advance(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_learning, "_advance", counted)
        with pytest.raises(KeyboardInterrupt):
            stage("map", place / "out", settings, **hard(languages))
    return whole, settings, aside_folder(place / "out")


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, cut) for name in ("learning-0.safetensors", "learning-1.safetensors", "iterations.jsonl")]
    + [("learning-1.safetensors", each) for each in (other_facts, other_generator, far_rows, fewer_bars)]
    + [(name, Path.unlink) for name in ("learning-0.safetensors", "iterations.jsonl")],
)
def test_damaged_state_is_told_and_learned_again(stage, languages, tmp_path, stopped, name, damage):
    """The state of every start, and the log of all of them, may be damaged; nothing of it reaches the result."""
    whole, settings, partial = stopped
    shutil.copytree(partial, aside_folder(tmp_path / "out"))
    damage(aside_folder(tmp_path / "out") / UNFINISHED / name)
    again = stage("map", tmp_path / "out", settings, **hard(languages))
    assert again.files == whole.files
    assert again.manifest.outputs == whole.manifest.outputs


def test_rcsls_and_arithmetic(stage, languages, tmp_path):
    train = write_pairs(tmp_path / "train.tsv", [(f"word{i}", f"wort{i}") for i in range(300) if i % 5])
    made = stage("map", tmp_path / "rcsls", {"preset": "rcsls"}, **vectors(languages), dictionary=train)
    assert made.manifest.params["kind"] == "rcsls"
    assert precision(stage, languages, made) > 0.9
    again = stage("apply-mapping", tmp_path / "again", mapping=made.out, **vectors(languages))
    assert np.array_equal(again.matrix("source"), made.matrix("source"))
    exact = stage(
        "map", tmp_path / "exact", {**QUICK, "preset": "identical", "arithmetic": "float64"}, **vectors(languages)
    )
    assert precision(stage, languages, exact) > 0.9


@pytest.mark.parametrize(
    ("preset", "more"),
    [("supervised", {}), ("aaai2018", {}), ("emnlp2016", {}), ("rcsls", {}), ("supervised", {"kind": "unconstrained"}),
     ("semi-supervised", QUICK), ("refinement", QUICK)],
)  # fmt: skip
def test_a_space_without_one_dimension_is_no_poor_dictionary(stage, languages, tmp_path, preset, more):
    """Rows of mean 0 lack one dimension, whatever the dictionary."""
    train = write_pairs(tmp_path / "train.tsv", [(f"word{i}", f"wort{i}") for i in range(300) if i % 5])
    settings = {"preset": preset, "normalise": "unit,centeremb,unit", **more}
    made = stage("map", tmp_path / "out", settings, **vectors(languages), dictionary=train)
    assert not [warning for warning in made.warnings if "dimensions" in warning]
    assert made.manifest.summary["rank"] == SIZE - 1
    assert precision(stage, languages, made) > 0.9
    few = write_pairs(tmp_path / "few.tsv", [(f"word{i}", f"wort{i}") for i in range(1, 5)])
    if preset in ("supervised", "aaai2018", "emnlp2016"):
        poor = stage("map", tmp_path / "poor", settings, **vectors(languages), dictionary=few)
        assert [warning for warning in poor.warnings if "determine only 4 of 19 dimensions" in warning]


def test_shuffled_first_pairs_are_a_control(stage, languages, tmp_path):
    settings = {**QUICK, "max_iterations": 1, "supervision": "semi", "keep_start": 1.0}
    given = {**vectors(languages), "dictionary": languages / "few.tsv"}
    scores = [precision(stage, languages, stage("map", tmp_path / control, {**settings, "control": control}, **given))
              for control in ("none", "shuffled-pairs")]  # fmt: skip
    assert scores[1] < scores[0] / 2


# ---------------------------------------------------------------- presets


def planned(languages, params=None, **more):
    given = {name: str(path) for name, path in {**vectors(languages), **more}.items()}
    return plan_stage(STAGES["map"], inputs=given, params=params or {}, seed=0, out=languages / "never").params


def test_presets_are_those_of_the_option_and_name_known_parameters():
    from typing import get_args

    assert set(preset_names()) == set(get_args(Preset))
    known = {field for field in STAGES["map"].params.__dataclass_fields__}
    for name in preset_names():
        assert set(read_preset(name)) <= known
        assert re.fullmatch(r"map: [A-Z].{20,}\.", preset_summaries()[name]), name


@pytest.mark.parametrize("name", ["aaai2018", "acl2017", "emnlp2016", "refinement", "rcsls", "supervised"])
def test_a_preset_gives_its_values_and_options_change_them(languages, name):
    few = languages / "few.tsv"
    resolved = planned(languages, {"preset": name}, dictionary=few)
    for key, value in read_preset(name).items():
        assert getattr(resolved, key) == value
    changed = planned(languages, {"preset": name, "normalise": ["unit"]}, dictionary=few)
    assert changed.normalise == ("unit",)


def test_all_ways_to_ask_for_the_default_are_one_recipe(languages):
    few = str(languages / "few.tsv")
    inputs = {**{name: str(path) for name, path in vectors(languages).items()}, "dictionary": few}
    keys = {
        plan_stage(STAGES["map"], inputs=inputs, params=params, seed=0, out=languages / "never").key
        for params in ({}, {"preset": "supervised"}, {"kind": "advanced"}, {"supervision": "dictionary"})
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("params", "given", "words"),
    [({}, {}, "needs --dictionary"),
     ({"supervision": "semi"}, {}, "needs --dictionary"),
     ({"supervision": "none"}, {"dictionary": "few.tsv"}, "takes no --dictionary"),
     ({"preset": "unsupervised"}, {"dictionary": "few.tsv"}, "takes no --dictionary"),
     ({}, {"dictionary": "few.tsv", "validation": "test.tsv"}, "--validation"),
     ({"normalise": "unit,centre"}, {}, "centre"),
     ({"preset": "acl2018"}, {}, "acl2018"),
     ({"keep_start": 0}, {}, "above 0")],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_any_work(languages, params, given, words):
    with pytest.raises(ConfigError, match=words):
        planned(languages, params, **{name: languages / each for name, each in given.items()})


def test_no_word_in_common_says_what_helps(stage, languages, tmp_path):
    with pytest.raises(WorkError, match="no words written alike in common") as caught:
        stage("map", tmp_path / "out", {"preset": "identical"}, **vectors(languages, "noise.vec"))
    assert "--supervision semi" in caught.value.hint
