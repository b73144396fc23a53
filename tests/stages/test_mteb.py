"""eval mteb: the same scores as mteb itself, on tasks whose data lie in a folder."""

from __future__ import annotations

import json
import sys
import warnings
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.mteb_model import MtebModel

FEW = {"draws": 100}


@pytest.fixture
def mteb():
    if find_spec("mteb") is None:
        pytest.skip("NO MTEB: pip install mteb, to compare eval mteb with mteb itself")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("mteb")


@pytest.fixture
def folder(tmp_path):
    """Two subsets of STS17 as they lie in the repository of the data set."""
    place = tmp_path / "sts17"
    place.mkdir()
    words = "dog cat tree water fire stone bread milk house green".split()
    rows = [
        {"sentence1": f"the {a} is here", "sentence2": f"a {b} was there", "score": float(i % 6), "lang": lang}
        for lang in ("en-en", "es-en", "nl-en")
        for i, (a, b) in enumerate(zip(words, words[3:] + words[:3], strict=True))
    ]  # fmt: skip
    (place / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def test_scores_are_those_of_mteb_itself(mteb, stage, transformer, folder, tmp_path):
    from sentence_transformers import SentenceTransformer

    params = FEW | {"tasks": "STS17", "subsets": "en-en,es-en"}
    made = stage("eval mteb", tmp_path / "out", params, data=[f"STS17={folder}"], encoder=transformer)
    task = mteb.get_task("STS17", hf_subsets=["en-en", "es-en"])
    task.metadata = task.metadata.model_copy(
        update={"dataset": {"path": str(folder), "revision": "x", "cache_dir": str(tmp_path)}}
    )
    settings = {"cache": None, "co2_tracker": False, "show_progress_bar": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = mteb.evaluate(SentenceTransformer(str(transformer), device="cpu"), task, **settings).task_results[0]
    subsets = {each["hf_subset"]: each["main_score"] for each in own.scores["test"]}
    found = {each["asked"][0]: each["numbers"]["main_score"] for each in made.json_lines("items.jsonl")}
    assert found == pytest.approx(subsets, abs=1e-6)
    (head,) = made.manifest.results
    assert head["main_score"] == pytest.approx(own.get_score(), abs=1e-6)
    assert (head["main_score_is"], head["subsets"], "main_score_low" in head) == ("cosine_spearman", 2, False)
    same = stage("compare", params=FEW, first=made.out, second=made.out).manifest.results
    assert [each["difference"] for each in same] == [0]
    assert [path.name for path in made.out.iterdir() if path.name.startswith("cache")] == []


def test_errors_of_mteb_are_told(mteb, stage, static, folder, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean: 'STS17'"):
        stage("eval mteb", None, FEW | {"tasks": "STS_17"}, encoder=static)
    (folder / "test.jsonl").write_text('{"lang": "en-en", "sentence1": "x"}\n')
    with pytest.raises(DataError, match="mteb stopped in STS17"):
        stage("eval mteb", None, FEW | {"tasks": "STS17"}, data=[f"STS17={folder}"], encoder=static)
    (folder / "test.jsonl").unlink()
    with pytest.raises(DataError, match="cannot read the data of STS17"):
        stage("eval mteb", None, FEW | {"tasks": "STS17"}, data=[f"STS17={folder}"], encoder=static)


def test_the_model_keeps_the_order_of_all_batches(static):
    encoder, texts = load_encoder(static, device=CPU), [f"the {word}" * 3 for word in "dog cat tree sun".split()]
    model = MtebModel(encoder, "x")
    found = model.encode([{"text": texts[:3]}, {"text": texts[3:]}], task_metadata=None, hf_split="test", batch_size=1)
    assert np.array_equal(found, encode_texts(encoder, texts))
    assert model.similarity(found, found).diagonal().tolist() == pytest.approx([1] * 4)
    assert model.similarity_pairwise(found, found[::-1].copy()).shape == (4,)
    with pytest.raises(ConfigError, match="has image and no text"):
        model.encode([{"image": [1]}])


def test_without_mteb_an_error_says_what_to_install(stage, static, monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(ConfigError, match=r"mteb (is not installed|cannot be imported)") as found:
        stage("eval mteb", None, FEW | {"tasks": "STS17"}, encoder=static)
    assert found.value.hint == "Install it: pip install mteb"
    for tasks, message in (("", "no task"), ("A,A", "twice")):
        with pytest.raises(ConfigError, match=message):
            stage("eval mteb", None, FEW | {"tasks": tasks}, encoder=static)


class Task:
    """What the stage uses of a task of mteb."""

    data_loaded = False

    def __init__(self, name):
        self.metadata = SimpleNamespace(name=name, main_score="f1", type="STS", dataset={"revision": "r"})

    def load_data(self):
        self.data_loaded = True

    def unload_data(self):
        self.data_loaded = False


def test_every_task_is_a_track_with_its_main_score(stage, static, tmp_path, monkeypatch):
    """With a stand-in, which shows what is done with scores."""

    def evaluate(model, task, **settings):
        assert settings["cache"] is None
        value = float(np.mean(model.encode([{"text": ["dog", "cat"]}])) if task.metadata.name == "A" else np.nan)
        scores = {"test": [{"hf_subset": "en", "main_score": value}, {"hf_subset": "de", "main_score": 0.5}]}
        return SimpleNamespace(task_results=[SimpleNamespace(scores=scores)])

    standing = SimpleNamespace(__version__="0", get_task=lambda name, hf_subsets: Task(name), evaluate=evaluate)
    monkeypatch.setitem(sys.modules, "mteb", standing)
    made = stage("eval mteb", tmp_path / "out", FEW | {"tasks": "A,B"}, encoder=static)
    mean, first, second = made.manifest.results
    assert (second["main_score"], second["coverage"], second["subsets"], second["revision"]) == (0.5, 0.5, 1, "r")
    assert (mean["track"], mean["main_score"]) == ("macro mean", pytest.approx((first["main_score"] + 0.5) / 2))
    assert not any("based on" in each for each in made.warnings)
    alone = stage("eval mteb", None, FEW | {"tasks": "B"}, encoder=static).manifest.results
    assert [(each["track"], each["main_score"]) for each in alone] == [("B", 0.5)]
    with pytest.raises(ConfigError, match="of no task"):
        stage("eval mteb", None, FEW | {"tasks": "A"}, data=[f"B={tmp_path}"], encoder=static)
