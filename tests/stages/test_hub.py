"""map-hub: many languages in one space; apply-mapping: new words through a saved mapping."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.lexical.hub import anchored, composed
from lexenc.lexical.mapping import fit_mapping, normalise
from lexenc.planning import plan_stage
from lexenc.stages import STAGES

from .conftest import write_pairs, write_vec

WORDS, SIZE = 200, 12
NAMES = ("en", "de", "fr", "it")


def word(name: str, number: int) -> str:
    return str(number) if number % 4 == 0 else f"{name}{number}"


@pytest.fixture(scope="module")
def tongues(tmp_path_factory):
    """Four languages that differ by a rotation and some noise; every fourth word is a number in all of them."""
    folder = tmp_path_factory.mktemp("tongues")
    draw = np.random.default_rng(0)
    meanings = draw.normal(size=(WORDS, SIZE)) * np.linspace(2, 0.5, SIZE)
    for name in NAMES:
        turn, _ = np.linalg.qr(draw.normal(size=(SIZE, SIZE)))
        write_vec(folder / f"{name}.vec", [word(name, i) for i in range(WORDS)],
                  (meanings + 0.15 * draw.normal(size=meanings.shape)) @ turn)  # fmt: skip
    for place, rows in (("train", range(0, 120)), ("test", range(100, WORDS))):
        (folder / place).mkdir()
        for first, second in (("en", "de"), ("fr", "en"), ("en", "it"), ("de", "fr")):
            pairs = [(word(first, i), word(second, i)) for i in rows]
            write_pairs(folder / place / f"{first}-{second}.tsv", pairs)
    return folder


def inputs(folder, names=NAMES[:3], **more) -> dict:
    given = {"vectors": [f"{name}={folder / name}.vec" for name in names], "dictionaries": [folder / "train"]}
    return given | more


@pytest.fixture(scope="module")
def hub(tongues, stage, tmp_path_factory):
    out = tmp_path_factory.mktemp("hub") / "hub"
    return stage("map-hub", out, {"hub": "en"}, **inputs(tongues))


@pytest.fixture(scope="module")
def precision(stage, tongues):
    """Return precision at 1 of two languages of a hub; the file has its columns in this order."""

    def score(made, first, second) -> float:
        sides = {"source": made.out / first, "target": made.out / second}
        scored = stage("eval bli", **sides, dictionary=tongues / f"test/{first}-{second}.tsv")
        return scored.manifest.results[0]["precision_at_1"]

    return score


# ---------------------------------------------------------------- core


@pytest.mark.parametrize("settings", [{"kind": "orthogonal"}, {"source_reweight": 0.5, "target_reweight": 0}])
def test_anchoring_changes_no_cosine(settings):
    draw = np.random.default_rng(1)
    source, target = draw.normal(size=(2, 60, 8))
    source[:, :4] += 2 * target[:, :4]
    mapping = fit_mapping(source, target, **settings)
    fixed = anchored(mapping)
    assert np.array_equal(fixed.target, np.eye(8))
    assert np.allclose(target @ mapping.target @ np.linalg.inv(mapping.target), target)
    for one, other in ((mapping, fixed),):
        units = [normalise(x, ["unit"])[0] for m in (one, other) for x in (source @ m.source, target @ m.target)]
        assert np.abs(units[0] @ units[1].T - units[2] @ units[3].T).max() < 1e-5


def test_composed_pairs_share_a_hub_word():
    first, second = [("hund", "dog"), ("katze", "cat")], [("chien", "dog"), ("chat", "chat")]
    assert composed(first, second, [("hund", "chien"), ("katze", "chat"), ("qqq", "chien")]) == {("hund", "chien")}


# ---------------------------------------------------------------- the hub


def test_columns_of_zeros_change_nothing(stage, hub, tongues, tmp_path):
    for name in NAMES[:3]:
        write_vec(tmp_path / f"{name}.vec", *widened(tongues / f"{name}.vec"))
    made = stage("map-hub", tmp_path / "hub", {"hub": "en"}, **inputs(tongues, vectors=[
        f"{name}={tmp_path / name}.vec" for name in NAMES[:3]]))  # fmt: skip
    assert not made.warnings
    assert [each["rank"] for each in made.manifest.results] == [SIZE, SIZE]
    for name in NAMES[:3]:
        own, known = made.matrix(name), hub.matrix(name)
        assert np.abs(own[:, :SIZE] - known).max() < 1e-5
        assert np.abs(own[:, SIZE:]).max() < 1e-6
    again = stage("apply-mapping", tmp_path / "again", mapping=made.out / "de", source=tmp_path / "de.vec")
    assert np.array_equal(again.matrix("source"), made.matrix("de"))
    own = stage("apply-mapping", tmp_path / "own", mapping=made.out / "en", source=tmp_path / "en.vec")
    assert own.manifest.summary["rank"] == SIZE


def widened(path):
    lines = [line.split(" ") for line in path.read_text().splitlines()[1:]]
    matrix = np.array([line[1:] for line in lines], dtype=float)
    return [line[0] for line in lines], np.pad(matrix, ((0, 0), (0, 3)))


def test_hub_has_a_folder_for_every_language(hub, tongues):
    per_language = {f"{name}/{file}" for name in NAMES[:3]
                    for file in ("words.txt", "vectors.npy", "mapping.safetensors")}  # fmt: skip
    assert hub.files == per_language | {"hub.json", "manifest.json"}
    assert hub.words("de") == [word("de", i) for i in range(WORDS)]
    settings = ("source_reweight", "target_reweight", "source_dewhiten", "target_dewhiten")
    assert [hub.manifest.params[name] for name in settings] == [0.5, 0, "target", "target"]
    assert [each["language"] for each in hub.manifest.results] == ["de", "fr"]
    assert [table.title for table in hub.manifest.tables] == ["Mapped to 'en'"]
    raw = np.loadtxt(tongues / "en.vec", skiprows=1, usecols=range(1, SIZE + 1))
    assert np.allclose(hub.matrix("en"), normalise(raw, ["unit", "center", "unit"])[0], atol=1e-5), "the hub stays"


def test_languages_without_a_dictionary_of_their_own_are_in_one_space(hub, precision):
    assert precision(hub, "de", "fr") > 0.7
    assert precision(hub, "en", "de") > 0.7


def test_a_language_added_later_is_where_it_would_have_been(hub, stage, tongues, tmp_path, precision):
    whole = stage("map-hub", tmp_path / "whole", {"hub": "en"}, **inputs(tongues, NAMES))
    added = stage("map-hub", tmp_path / "added", **inputs(tongues, ["it"], into=hub.out))
    assert json.loads((added.out / "hub.json").read_text())["languages"] == list(NAMES)
    for name in NAMES:
        for file in ("words.txt", "vectors.npy", "mapping.safetensors"):
            assert (added.out / name / file).read_bytes() == (whole.out / name / file).read_bytes(), (name, file)
    assert [each["language"] for each in added.manifest.results] == ["it"]
    assert precision(added, "en", "it") > 0.7


def test_order_of_columns_does_not_matter(stage, tongues, hub, tmp_path):
    lines = (tongues / "train/fr-en.tsv").read_text().splitlines()
    turned = write_pairs(tmp_path / "x.tsv", [line.split("\t")[::-1] for line in lines])
    given = inputs(tongues) | {"dictionaries": [tongues / "train", f"en-fr={turned}"]}
    made = stage("map-hub", tmp_path / "out", {"hub": "en"}, **given)
    assert np.array_equal(made.matrix("fr"), hub.matrix("fr"))


def test_self_learning_and_other_kinds(stage, tongues, tmp_path, precision):
    given = {"vectors": inputs(tongues)["vectors"]}
    quick = {"hub": "en", "supervision": "identical", "patience": 2, "vocabulary_cutoff": 150}
    made = stage("map-hub", tmp_path / "identical", quick, **given)
    assert {"de/iterations.jsonl", "fr/induced.tsv"} <= made.files
    assert precision(made, "de", "fr") > 0.7
    assert made.manifest.tables[0].columns[-1] == "mapping"
    for kind in ("orthogonal", "unconstrained", "rcsls"):
        made = stage("map-hub", tmp_path / kind, {"hub": "en", "kind": kind}, **inputs(tongues))
        assert precision(made, "de", "fr") > 0.6, kind


def test_stopped_and_continued_is_the_same_result(hub, stage, tongues, tmp_path, monkeypatch):
    from lexenc.stages.lexical import map_hub as module

    real, seen = module.read_language, []

    def stopped(name, *args):
        seen.append(name)
        if name == "fr" and seen.count("fr") == 1:
            raise KeyboardInterrupt
        return real(name, *args)

    monkeypatch.setattr(module, "read_language", stopped)
    given = inputs(tongues)
    with pytest.raises(KeyboardInterrupt):
        stage("map-hub", tmp_path / "out", {"hub": "en"}, **given)
    made = stage("map-hub", tmp_path / "out", {"hub": "en"}, **given)
    assert seen[:5] == ["en", "de", "fr", "en", "fr"], "de was finished"
    assert made.files == hub.files
    assert made.manifest.outputs == hub.manifest.outputs
    assert made.manifest.results == hub.manifest.results


def test_names_are_part_of_the_recipe(hub, tongues):
    def planned(*names):
        given = {
            "vectors": [f"{name}={tongues / 'en.vec'}" for name in names],
            "dictionaries": [str(tongues / "train")],
        }
        return plan_stage(STAGES["map-hub"], inputs=given, params={"hub": "en"}, out=tongues / "none").key

    assert planned("en", "de") == planned("en", "de")
    assert planned("en", "de") != planned("en", "fr")


@pytest.mark.parametrize(
    ("params", "change", "message"),
    [
        ({"hub": "en"}, {"vectors": ["en.vec"]}, "must be NAME=PATH"),
        ({"hub": "xx"}, {}, "There is no language among --vectors called 'xx'"),
        ({"hub": "en"}, {"vectors": ["en=en.vec"]}, "no language besides the hub"),
        ({"hub": "en"}, {"vectors": ["en=en.vec", "en=de.vec"]}, "--vectors has 'en' more than once"),
        ({"hub": "en", "supervision": "none"}, {}, "--supervision none takes no --dictionaries"),
        ({"hub": "en"}, {"dictionaries": []}, "--supervision dictionary needs --dictionaries"),
        ({"hub": "en"}, {"dictionaries": ["train/en-de.tsv"]}, "without the names of its languages"),
        ({"hub": "en"}, {"dictionaries": ["en-xx=train/en-de.tsv"]}, "no pair of languages .* called 'en-xx'"),
        ({"hub": "en"}, {"dictionaries": ["test/.."]}, "holds no dictionary of en, de, fr"),
        ({"hub": "en"}, {"dictionaries": ["en-de=train/en-de.tsv"]}, "has none of en and fr"),
        ({"hub": "en", "reduce_to": 3}, {}, "--reduce-to cannot be used"),
        ({"hub": "en", "target_reweight": 0.5}, {}, "cannot be re-weighted"),
        ({}, {}, "map-hub needs --hub"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_the_work(stage, tongues, tmp_path, monkeypatch, params, change, message):
    monkeypatch.chdir(tongues)
    given = {"vectors": [f"{name}={name}.vec" for name in NAMES[:3]], "dictionaries": ["train"]} | change
    given = {name: value for name, value in given.items() if value}
    with pytest.raises(ConfigError, match=message):
        stage("map-hub", tmp_path / "out", params, **given)
    assert not (tmp_path / "out").exists()


def test_space_that_is_added_to_keeps_its_settings(hub, stage, tongues, tmp_path):
    for params, names, message in (
        ({}, ["de"], "holds 'de' already"),
        ({"hub": "de"}, ["it"], "hub of .* is 'en', not 'de'"),
        ({"lowercase": True}, ["it"], "are not lower-cased"),
    ):
        with pytest.raises(ConfigError, match=message):
            stage("map-hub", tmp_path / "out", params, **inputs(tongues, names, into=hub.out))
    with pytest.raises(DataError, match="holds no space of many languages"):
        stage("map-hub", tmp_path / "out", **inputs(tongues, ["it"], into=tongues))


def test_two_dictionaries_of_one_pair_and_other_sizes(stage, tongues, tmp_path):
    (tmp_path / "muse").mkdir()
    for name in ("en-de.0-5000.txt", "en-de.5000-6500.txt"):
        write_pairs(tmp_path / "muse" / name, [("en1", "de1")])
    with pytest.raises(ConfigError, match=r"several dictionaries of en-de: en-de\.0-5000\.txt"):
        stage(
            "map-hub",
            tmp_path / "out",
            {"hub": "en"},
            **inputs(tongues, NAMES[:2]) | {"dictionaries": [tmp_path / "muse"]},
        )
    write_vec(tmp_path / "de.vec", ["de1", "de2"], np.ones((2, 3)))
    given = inputs(tongues, ["en"]) | {"vectors": [f"en={tongues}/en.vec", f"de={tmp_path}/de.vec"]}
    with pytest.raises(ConfigError, match="has 3 columns, the hub 12"):
        stage("map-hub", tmp_path / "out", {"hub": "en"}, **given)


# ---------------------------------------------------------------- new words


@pytest.fixture(scope="module")
def model(tmp_path_factory, stage):
    """A tiny fastText model, and other vectors for its words."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "text").write_text("".join(f"walk{i} talk{i}er sing{i}ing\n" for i in range(12)) * 20)
    settings = {"dimensions": 6, "minimum_count": 1, "epochs": 2, "buckets": 500, "write": "bin"}
    words = stage("train-static", folder / "static", settings, text=[folder / "text"]).words()
    (folder / "model.bin").symlink_to(folder / "static/model.bin")
    write_vec(folder / "other.vec", [f"x{each}" for each in words], np.random.default_rng(0).normal(size=(36, 6)))
    write_pairs(folder / "train.tsv", [(each, f"x{each}") for each in words])
    return folder


@pytest.fixture(scope="module")
def of_model(model, stage):
    sides = {"source": model / "model.bin", "target": model / "other.vec", "dictionary": model / "train.tsv"}
    return stage("map", model / "mapped", {"kind": "orthogonal"}, **sides)


def test_words_that_a_model_does_not_know_come_from_subwords(model, of_model, stage, tmp_path):
    from lexenc.files.vec_fasttext import Subwords
    from lexenc.stages.lexical.shared import load_mapping

    listed = tmp_path / "words.txt"
    known = of_model.words("source")[1]
    assert known != "</s>"
    listed.write_text(f"{known}\nwalk99ing\n")
    given = {"source": model / "model.bin", "source_vocabulary": listed, "mapping": of_model.out}
    made = stage("apply-mapping", tmp_path / "out", **given)
    assert made.words("source") == [known, "walk99ing"]
    assert np.allclose(made.matrix("source")[0], of_model.matrix("source")[1], atol=1e-6)
    raw = Subwords(model / "model.bin").vectors(["walk99ing"])
    assert np.allclose(made.matrix("source")[1], load_mapping(of_model.out).apply_source(raw)[0], atol=1e-6)
    assert np.array_equal(made.matrix("target"), of_model.matrix("target")), "ready to be asked"
    back = stage("map", tmp_path / "back", source=model / "other.vec", target=model / "model.bin",
                 dictionary=write_pairs(tmp_path / "d.tsv", [(f"x{known}", known), ("xwalk1", "walk1")]))  # fmt: skip
    made = stage(
        "apply-mapping", tmp_path / "target", target=model / "model.bin", target_vocabulary=listed, mapping=back.out
    )
    assert made.words("target") == [known, "walk99ing"]


def test_one_side_alone(mapped, stage, world, tmp_path):
    for side, name in (("source", "en.vec"), ("target", "de.vec")):
        made = stage("apply-mapping", tmp_path / side, mapping=mapped.out, **{side: world / name})
        assert np.allclose(made.matrix(side), mapped.matrix(side), atol=1e-6)
        assert set(made.manifest.summary) & {"source_words", "target_words"} == {f"{side}_words"}
    lone = tmp_path / "lone.safetensors"
    lone.write_bytes((mapped.out / "mapping.safetensors").read_bytes())
    made = stage("apply-mapping", tmp_path / "lone", mapping=lone, source=world / "en.vec")
    assert not [name for name in made.files if name.startswith("target")], "nothing is known of the other side"


def test_word_list_out_of_plain_vectors(mapped, stage, world, tmp_path):
    (tmp_path / "words.txt").write_text("dog\nqqq\nhouse\n")
    given = {"source": world / "en.vec", "source_vocabulary": tmp_path / "words.txt", "mapping": mapped.out}
    made = stage("apply-mapping", tmp_path / "out", **given)
    assert made.words("source") == ["dog", "house"]
    assert np.allclose(made.matrix("source"), mapped.matrix("source")[[1, 0]], atol=1e-6)
    assert (made.out / "missing.source.txt").read_text() == "qqq\n"
    assert any("1 of 3 source words have no vector" in each for each in made.warnings)
    (tmp_path / "words.txt").write_text("qqq\n")
    with pytest.raises(DataError, match="a vector for none of 1 word"):
        stage("apply-mapping", tmp_path / "none", **given)


def test_a_language_of_a_hub_takes_new_words(hub, stage, tongues, tmp_path):
    made = stage("apply-mapping", tmp_path / "out", mapping=hub.out / "de", source=tongues / "de.vec")
    assert np.allclose(made.matrix("source"), hub.matrix("de"), atol=1e-6)
    both = stage(
        "apply-mapping", tmp_path / "both", mapping=hub.out / "de", source=tongues / "de.vec", target=tongues / "en.vec"
    )
    assert np.allclose(both.matrix("target"), hub.matrix("en"), atol=1e-6)


def test_new_words_need_a_side(mapped, stage, world, tmp_path):
    for given, message in (
        ({"mapping": mapped.out}, "apply-mapping needs --source or --target"),
        ({"mapping": mapped.out, "target": world / "de.vec", "source_vocabulary": world / "en.txt"},
         "--source-vocabulary needs --source"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            stage("apply-mapping", tmp_path / "out", **given)


@pytest.mark.parametrize(
    ("params", "given", "command"),
    [({"hub": "en"}, {}, "map-hub"), ({}, {"into": "hub"}, "map-hub"), ({}, {"mapping": "mapped"}, "apply-mapping")],
)
def test_options_of_the_other_commands_name_them(stage, world, tmp_path, params, given, command):
    sides = {"source": world / "en.vec", "target": world / "de.vec", "dictionary": world / "train.tsv"}
    with pytest.raises(ConfigError) as caught:
        stage("map", tmp_path / "out", params, **sides, **given)
    assert f"lexenc {command}" in caught.value.hint


def test_named_inputs_in_python_and_in_a_pipeline(hub, tongues, tmp_path, precision):
    import lexenc

    vectors = {name: tongues / f"{name}.vec" for name in NAMES[:3]}
    made = lexenc.map_hub(hub="en", vectors=vectors, dictionaries=tongues / "train", out=tmp_path / "called")
    assert np.array_equal(np.load(made.out / "fr/vectors.npy"), hub.matrix("fr"))
    (tmp_path / "pipeline.yaml").write_text(f"""steps:
  - stage: map-hub
    name: hub
    inputs:
      vectors: {{en: {tongues}/en.vec, de: {tongues}/de.vec}}
      dictionaries: {tongues}/train
    params: {{hub: en}}
  - stage: map-hub
    name: more
    inputs: {{into: "${{hub}}", vectors: ["fr={tongues}/fr.vec"], dictionaries: {tongues}/train}}
  - stage: eval bli
    name: scores
    inputs: {{source: "${{more.de}}", target: "${{more.fr}}", dictionary: {tongues}/test/de-fr.tsv}}
""")
    steps = lexenc.run(tmp_path / "pipeline.yaml")
    assert np.array_equal(np.load(steps["more"].out / "fr/vectors.npy"), hub.matrix("fr"))
    assert steps["scores"].results[0]["precision_at_1"] == precision(hub, "de", "fr")
    assert [record.name for record in steps["hub"].manifest.inputs["vectors"]] == ["en", "de"]


# ---------------------------------------------------------------- scores of a hub


def test_every_pair_is_scored_each_way(hub, stage, tongues):
    made = stage("eval bli", vectors=hub.out, dictionary=tongues / "test")
    head, *rest = made.manifest.results
    names = ["en-de", "en-fr", "de-en", "de-fr", "fr-en", "fr-de"]
    assert (head["track"], [each["track"] for each in rest]) == ("macro mean", names)
    assert head["precision_at_1"] == pytest.approx(np.mean([each["precision_at_1"] for each in rest]))
    found = rest[names.index("de-fr")]
    assert found["identity_precision_at_1"] == pytest.approx(0.25)
    assert found["precision_at_1_low"] <= found["precision_at_1"] <= found["precision_at_1_high"]
    assert found["pairs_learnt_from"] == 20, "rows 100 to 119 are in both dictionaries with the hub"
    assert rest[0]["pairs_learnt_from"] == 20
    assert any("de-fr: 20 of 100 test pairs follow from the training dictionaries" in each for each in made.warnings)


@pytest.mark.parametrize("retrieval", ["nearest", "csls"])
def test_one_pair_is_scored_as_the_same_two_languages_are(hub, stage, tongues, retrieval):
    test = tongues / "test/de-fr.tsv"
    params = {"retrieval": retrieval}
    wanted = stage("eval bli", params=params, source=hub.out / "de", target=hub.out / "fr", dictionary=test)
    for given in (test, tongues / "test"):
        found = stage("eval bli", params=params | {"pair": "de-fr"}, vectors=hub.out, dictionary=given)
        for name in ("queries", "precision_at_1", "mean_reciprocal_rank", "coverage", "search_space_words"):
            assert found.manifest.results[0][name] == wanted.manifest.results[0][name], name


def test_pairs_that_cannot_be_scored(hub, mapped, stage, tongues, world, tmp_path):
    nothing = write_pairs(tmp_path / "t.tsv", [("qqq", "zzz")])
    with pytest.raises(DataError, match="No test word of any pair"):
        stage("eval bli", params={"pair": "en-de"}, vectors=hub.out, dictionary=nothing)
    with pytest.raises(ConfigError, match="is one dictionary, and the hub has many pairs"):
        stage("eval bli", vectors=hub.out, dictionary=nothing)
    with pytest.raises(ConfigError, match="no pair with a test dictionary called 'de-it'"):
        stage("eval bli", params={"pair": "de-it"}, vectors=hub.out, dictionary=tongues / "test")
    with pytest.raises(ConfigError, match="--pair is for a hub"):
        stage("eval bli", params={"pair": "en-de"}, vectors=mapped.out, dictionary=world / "test.tsv")


def test_leaks_into_a_hub_that_was_added_to(hub, stage, tongues, tmp_path):
    added = stage("map-hub", tmp_path / "added", **inputs(tongues, ["it"], into=hub.out))
    made = stage("eval bli", params={"pair": "en-it,de-en"}, vectors=added.out, dictionary=tongues / "test")
    assert [each["pairs_learnt_from"] for each in made.manifest.results[1:]] == [20, 20]
