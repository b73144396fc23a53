"""finetune --synonyms: from files of names to a tuned encoder, its defaults, counts, control and what it learns."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError, LexencError

# Made-up names of made-up minerals: a stem that means it, in two spellings, and endings that mean nothing.
STEMS = [("kalm", "qoru"), ("dresk", "vima"), ("polt", "shun"), ("grebz", "yefo"), ("trimp", "wago"), ("clusk", "nibe"),
         ("fland", "juzi"), ("mosk", "dahe"), ("bront", "kipu"), ("spelf", "ruxa"), ("twing", "loqi"),
         ("harv", "zemo")]  # fmt: skip
ENDINGS = ["it", "an", "ose", "ur"]


def names_of(stem, other):
    return [f"{stem}{end}" for end in ENDINGS[:3]] + [f"{other}{end}" for end in ENDINGS[:3]]


@pytest.fixture(scope="module")
def files(stage, tmp_path_factory):
    """Synonyms, held-out names of the same concepts, and an untrained bag of subwords that knows their parts."""
    folder = tmp_path_factory.mktemp("synonyms")
    lines = [f"C{i}||{name}" for i, both in enumerate(STEMS) for name in names_of(*both)]
    (folder / "names.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    text = [f"{stem} {stem}{end} {end}" for both in STEMS for stem in both for end in ENDINGS] * 3
    (folder / "text.txt").write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
    stage("new-encoder", folder / "static", {"dimensions": 48, "vocabulary_size": 150}, text=[folder / "text.txt"])
    return folder


def tune(stage, files, out, params=None, seed=0, **inputs):
    given = {"synonyms": [files / "names.txt"], "encoder": files / "static"} | inputs
    return stage("finetune", out, params or {}, seed, **given)


def linked(encoder):
    """Share of held-out names (the first spelling with a new ending) nearest to the second spelling of their own."""
    from lexenc.device import CPU
    from lexenc.encoders.encode import encode_texts
    from lexenc.encoders.load import load_encoder

    made = load_encoder(encoder, device=CPU)
    known = [(i, f"{other}{end}") for i, (_, other) in enumerate(STEMS) for end in ENDINGS[:3]]
    vectors = [encode_texts(made, texts) for texts in (
        [f"{stem}{ENDINGS[3]}" for stem, _ in STEMS], [name for _, name in known]
    )]  # fmt: skip
    asked, base = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors)
    return np.mean([known[best][0] == i for i, best in enumerate((asked @ base.T).argmax(axis=1))])


LONG = {"epochs": 30, "batch_size": 32, "learning_rate": 0.02}


def test_tuning_links_held_out_names_and_the_control_does_not(stage, files, tmp_path):
    before = linked(files / "static")
    tuned = linked(tune(stage, files, tmp_path / "tuned", LONG).out)
    controls = [
        linked(tune(stage, files, tmp_path / f"control{seed}", LONG | {"control": "shuffled-pairs"}, seed).out)
        for seed in range(3)
    ]
    assert before < 0.4
    assert tuned > 0.8
    assert max(controls) < 0.5


def test_defaults_are_sapberts_and_stand_in_the_manifest(stage, files, tmp_path):
    made = tune(stage, files, tmp_path / "tuned")
    wanted = {
        "epochs": 1, "batch_size": 256, "loss": "multi-similarity", "schedule": "constant", "warmup": 0.0, "clip": 0.0,
        "weight_decay": 0.01, "similarity_alpha": 1.0, "similarity_beta": 60.0, "triplet_margin": 0.2,
        "similarity_base": 0.5, "pairs_per_concept": 50, "suppressible": "drop", "scale": None,
    }  # fmt: skip
    assert {name: made.manifest.params[name] for name in wanted} == wanted
    counts = {"pairs": 12 * 15, "concepts": 12, "names": 72, "concepts_with_one_name": 0, "steps": 1}
    assert {name: made.manifest.summary[name] for name in counts} == counts
    assert {each["learning_rate"] for each in made.json_lines("training.jsonl")} == {1e-3}
    card = (made.out / "README.md").read_text()
    assert "180 pairs of synonyms of `names.txt`" in card
    assert "Loss multi-similarity, alpha 1, beta 60, base 0.5, margin 0.2, 1 epoch," in card
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("a\tb\nc\td\n")
    of_pairs = stage("finetune", tmp_path / "pairs", {}, pairs=pairs, encoder=files / "static").manifest.params
    wanted = {"epochs": 5, "batch_size": 128, "loss": "mneg", "schedule": "linear", "warmup": 0.1, "clip": 1.0,
              "scale": 20.0, "triplet_margin": None, "pairs_per_concept": None, "suppressible": None}  # fmt: skip
    assert {name: of_pairs[name] for name in wanted} == wanted


def test_a_default_written_out_is_the_same_recipe(stage, files, tmp_path):
    bare = tune(stage, files, tmp_path / "bare").manifest.key
    written = {"epochs": 1, "loss": "multi-similarity", "triplet_margin": 0.2, "suppressible": "drop", "clip": 0}
    assert tune(stage, files, tmp_path / "written", written).manifest.key == bare
    assert tune(stage, files, tmp_path / "other", {"triplet_margin": 0.3}).manifest.key != bare


@pytest.mark.parametrize("loss", ["multi-similarity", "mneg", "symmetric"])
def test_losses_take_synonyms_and_pairs(stage, files, world, tmp_path, loss):
    tune(stage, files, tmp_path / "synonyms", {"loss": loss, "batch_size": 50})
    made = stage("finetune", tmp_path / "pairs", {"loss": loss, "epochs": 12, "batch_size": 8, "learning_rate": 0.02},
                 pairs=world / "train.tsv", encoder=files / "static")  # fmt: skip
    assert made.manifest.summary["last_epoch_loss"] < made.manifest.summary["first_epoch_loss"]


def test_several_files_in_several_forms(stage, files, tmp_path):
    (tmp_path / "a.txt").write_text("C1||Potassium\nC1||potassium\nC2||iron\n\nC9||alone\n")
    (tmp_path / "b.txt").write_text("C1|C2||metal\nC2||Eisen\nC1||metal\n")
    (tmp_path / "c.txt").write_text("C3 || x || y\nC3 || y || x\nC1||kalium||potassium\n")
    given = {"synonyms": [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]}
    made = tune(stage, files, tmp_path / "out", **given)
    # C1: Potassium, potassium, metal; C2: iron, metal, Eisen; listed: x-y, kalium-potassium.
    wanted = {"pairs": 8, "concepts": 4, "names": 9, "concepts_with_one_name": 1}
    assert {name: made.manifest.summary[name] for name in wanted} == wanted
    assert made.warnings == ["1 pair of 8 differs only in case or Unicode form."]
    low = tune(stage, files, tmp_path / "low", {"lowercase": True}, **given)
    wanted = {"pairs": 1 + 3 + 2, "concepts": 4, "names": 8, "concepts_with_one_name": 1}
    assert {name: low.manifest.summary[name] for name in wanted} == wanted
    assert low.warnings == []
    assert [record.given for record in low.manifest.inputs["synonyms"]] == [str(each) for each in given["synonyms"]]


def mrconso(*rows):
    """Rows of MRCONSO.RRF, made up: concept, language, name, SUPPRESS."""
    return "".join(
        "|".join([concept, language, "P", "L1", "PF", "S1", "Y", "A1", "", "", "", "X", "PT", "1", name, "0", kept, "",
                  "\n"])
        for concept, language, name, kept in rows
    )  # fmt: skip


@pytest.fixture
def umls(tmp_path):
    path = tmp_path / "MRCONSO.RRF"
    path.write_text(mrconso(
        ("C1", "ENG", "Iron", "N"), ("C1", "GER", "Eisen", "N"), ("C1", "TUR", "DEMİR I", "N"),
        ("C1", "ENG", "Fe", "O"), ("C2", "ENG", "Silver", "N"), ("C2", "GER", "Silber", "N"),
        ("C2", "FRE", "argent", "Y"),
    ), encoding="utf-8")  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, {"pairs": 4, "names": 5, "suppressible": "drop", "suppressible_rows": 2}),
        ({"suppressible": "keep"}, {"pairs": 6 + 3, "names": 7, "suppressible": "keep"}),
        ({"languages": "en,deu"}, {"pairs": 2, "rows_of_other_languages": 2, "suppressible_rows": 1}),
        ({"languages": ["ENG", "GER", "FRE"], "suppressible": "keep"}, {"pairs": 6, "rows_of_other_languages": 1}),
    ],
)
def test_mrconso_rows_are_chosen_and_counted(stage, files, tmp_path, umls, params, wanted):
    made = tune(stage, files, tmp_path / "out", params, synonyms=[umls])
    assert {name: made.manifest.summary.get(name) for name in wanted} == wanted


def test_languages_are_recorded_as_umls_writes_them(stage, files, tmp_path, umls):
    made = tune(stage, files, tmp_path / "out", {"languages": "tr,ENG,de,en"}, synonyms=[umls])
    assert made.manifest.params["languages"] == ["ENG", "GER", "TUR"]


def test_turkish_rows_are_folded_as_turkish(umls):
    from lexenc.stage import Job
    from lexenc.stages.lexical.finetune import FinetuneParams, read_synonym_data

    params = FinetuneParams(lowercase=True, pairs_per_concept=50, suppressible="drop", source_language="az")
    texts = read_synonym_data({"synonyms": [umls]}, params, Job(umls.parent)).data.texts
    assert set(texts) == {"iron", "eisen", "demir ı", "silver", "silber"}


def test_drawn_pairs_depend_on_the_seed(stage, files, tmp_path):
    def history(name, seed, **params):
        made = tune(stage, files, tmp_path / name, {"pairs_per_concept": 4, "batch_size": 999} | params, seed)
        assert made.manifest.summary["pairs"] == 12 * 4
        assert made.manifest.summary["concepts_with_pairs_drawn"] == 12
        return json.dumps(made.json_lines("training.jsonl"))

    assert history("a", 0) == history("b", 0)
    assert len({history("c", 1), history("a2", 0), history("d", 0, control="shuffled-pairs")}) == 3


@pytest.mark.parametrize(
    ("text", "params", "says"),
    [
        ("C1||a\nC2||b\n", {}, r"No concept of .*x\.txt has two names \(2 concepts, 2 names\)\."),
        ("C1||A\nC1||a\n", {"lowercase": True}, r"has two names \(1 concept, 1 name\)\."),
        ("C1||a||a\n", {}, "has two names"),
        ("C1||a\nC1||b\n", {"languages": "en"}, r"--languages needs MRCONSO\.RRF"),
        (
            mrconso(("C1", "ENG", "a", "N"), ("C1", "ENG", "b", "N")),
            {"languages": "fi"},
            "has no name in the language FIN",
        ),
        (mrconso(("C1", "ENG", "a", "O"), ("C1", "ENG", "b", "Y")), {}, r"has two names"),
        ("C1||a\nC1|b\n", {}, r"x\.txt, line 2: 1 field, expected 2 \(concept\|\|name\): 'C1\|b'"),
    ],
)
def test_files_that_cannot_be_tuned_on(stage, files, tmp_path, text, params, says):
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises((DataError, ConfigError), match=says):
        tune(stage, files, tmp_path / "out", params, synonyms=[tmp_path / "x.txt"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("inputs", "params", "says"),
    [
        ("", {}, "either --pairs or --synonyms, got neither"),
        ("pairs synonyms", {}, "either --pairs or --synonyms, not both"),
        ("synonyms negatives", {}, "--negatives needs --pairs"),
        ("pairs negatives", {"loss": "multi-similarity"}, "--loss multi-similarity does not use --negatives"),
        ("synonyms", {"loss": "own-hard"}, "--loss own-hard needs hard negatives"),
        ("synonyms", {"loss": "printed"}, "--loss printed needs hard negatives"),
        ("pairs", {"loss": "printed"}, "--loss printed needs --negatives"),
        ("synonyms", {"scale": 20}, "--scale has no meaning for --loss multi-similarity"),
        ("pairs", {"triplet_margin": 0.2}, "--triplet-margin has no meaning for --loss mneg"),
        ("synonyms", {"loss": "mneg", "similarity_beta": 2}, "--similarity-beta has no meaning"),
        ("pairs", {"pairs_per_concept": 5}, "--pairs-per-concept has no meaning without --synonyms"),
        ("pairs", {"languages": "en"}, "--languages has no meaning without --synonyms"),
        ("pairs", {"suppressible": "drop"}, "--suppressible has no meaning without --synonyms"),
        ("synonyms", {"target_language": "de"}, "--target-language has no meaning with --synonyms"),
        ("synonyms", {"languages": "xx"}, "no language of UMLS called 'xx'"),
        ("synonyms", {"pairs_per_concept": 0}, "--pairs-per-concept must be at least 1"),
        ("synonyms", {"triplet_margin": 3}, "--triplet-margin must be at most 2"),
    ],
)
def test_settings_that_do_not_go_together(stage, files, world, tmp_path, inputs, params, says):
    given = {"pairs": world / "train.tsv", "synonyms": [files / "names.txt"], "negatives": world / "train.tsv"}
    with pytest.raises(LexencError) as caught:
        stage("finetune", tmp_path / "out", params, encoder=files / "static",
              **{name: given[name] for name in inputs.split()})  # fmt: skip
    assert says in caught.value.message
    assert caught.value.hint


def test_order_of_names_is_that_of_the_files():
    """Of a pair the name read first is the anchor, so that a direction can be chosen by the order of the files."""
    from lexenc.training.synonyms import gather_sets, synonym_pairs

    for order in permutations(["a", "b", "c"]):
        sets = gather_sets((["C1"], [name]) for name in order)
        pairs = [(sets.texts[a], sets.texts[b]) for _, a, b in synonym_pairs(sets, per_concept=9, seed=0)]
        assert pairs == [(order[0], order[1]), (order[0], order[2]), (order[1], order[2])]
