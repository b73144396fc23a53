"""map, interpolate, eval bli, audit, compare: what comes out is what the words promise."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.evaluation import TASKS
from lexenc.files.evaluations import Score, ScoredSystem
from lexenc.parameters import parameters, rule_of
from lexenc.stage import Job, Notices
from lexenc.stages import STAGES
from lexenc.stages.evaluation.shared import PAPER_WEIGHTS, warn_of_scores

from .conftest import DE, EN, write_vec


def head(made):
    return made.manifest.results[0]


def by_convention(made):
    return {(r["query_unit"], r["out_of_vocabulary"]): r for r in made.manifest.results if "control" not in r}


# ---------------------------------------------------------------- map


def test_map_files(mapped):
    names = {f"{side}/{name}" for side in ("source", "target") for name in ("words.txt", "vectors.npy")}
    assert mapped.files == names | {"mapping.safetensors", "manifest.json"}
    assert mapped.matrix("source").dtype == np.float32


def test_map_lists_pairs_without_vectors(stage, map_inputs, world, pairs_file, tmp_path):
    pairs = pairs_file(
        tmp_path / "d.tsv", [("dog", "hund"), ("dog", "qqq"), *zip("abcdefghij", "klmnopqrst", strict=True)]
    )
    made = stage("map", tmp_path / "out", **{**map_inputs, "dictionary": pairs})
    assert "missing.tsv" in made.files
    assert "Only 1 of 12 dictionary pairs has vectors on both sides (8 %)." in made.warnings


@pytest.mark.parametrize("kind", ["advanced", "orthogonal", "unconstrained"])
def test_saved_mapping_gives_the_same_vectors(stage, map_inputs, tmp_path, kind):
    first = stage("map", tmp_path / "first", {"kind": kind}, **map_inputs)
    inputs = {name: map_inputs[name] for name in ("source", "target")}
    second = stage("apply-mapping", tmp_path / "second", mapping=first.out, **inputs)
    for side in ("source", "target"):
        assert np.allclose(first.matrix(side), second.matrix(side), atol=1e-6)
        assert first.words(side) == second.words(side)


def test_saved_mapping_applies_to_new_words(stage, mapped, world, tmp_path):
    lines = (world / "en.vec").read_text().splitlines()
    (tmp_path / "new.vec").write_text("1 8\nnewword " + lines[5].split(" ", 1)[1] + "\n")
    both = {"source": tmp_path / "new.vec", "target": world / "de.vec"}
    made = stage("apply-mapping", tmp_path / "out", **both, mapping=mapped.out)
    assert made.words("source") == ["newword"]
    assert np.allclose(made.matrix("source")[0], mapped.matrix("source")[4], atol=1e-6)


def test_shuffled_pairs_are_a_control(stage, map_inputs, mapped, world, tmp_path):
    shuffled = stage("map", tmp_path / "shuffled", {"control": "shuffled-pairs"}, **map_inputs)
    scores = [head(stage("eval bli", vectors=each.out, dictionary=world / "test.tsv"))["precision_at_1"]
              for each in (mapped, shuffled)]  # fmt: skip
    assert scores[0] > 0.5
    assert scores[1] < 0.3
    other = stage("map", tmp_path / "other", {"control": "shuffled-pairs"}, seed=1, **map_inputs)
    assert not np.allclose(other.matrix("source"), shuffled.matrix("source"))


def test_limit_keeps_the_first_words(stage, map_inputs, tmp_path):
    made = stage("map", tmp_path / "out", {"limit": 20}, **map_inputs)
    assert len(made.words("source")) == len(made.words("target")) == 20


# ---------------------------------------------------------------- interpolate


def test_interpolate_files(stage, mapped, static, world, tmp_path):
    made = stage("interpolate", tmp_path / "out", vectors=mapped.out, encoder=static, dictionary=world / "train.tsv")
    names = {f"{side}/{name}" for side in ("source", "target") for name in ("words.txt", "vectors.npy")}
    assert made.files == names | {"projection.safetensors", "manifest.json"}
    assert made.words("source") == mapped.words("source")


def test_lambda_0_is_the_mapped_space_and_lambda_1_the_encoder(stage, mapped, encoder, world, tmp_path):
    inputs = {"vectors": mapped.out, "encoder": encoder, "dictionary": world / "train.tsv"}
    none = stage("interpolate", tmp_path / "0", {"lambda": 0}, **inputs)
    wanted = mapped.unit("source") @ mapped.unit("target").T
    assert np.abs(none.unit("source") @ none.unit("target").T - wanted).max() < 1e-5
    full = stage("interpolate", tmp_path / "1", {"lambda": 1}, **inputs)
    (tmp_path / "words.txt").write_text("\n".join(mapped.words("source")) + "\n", encoding="utf-8")
    alone = stage("encode", tmp_path / "e", words=tmp_path / "words.txt", encoder=encoder)
    assert np.einsum("nd,nd->n", full.unit("source"), alone.unit()).min() > 1 - 1e-5
    assert not none.warnings


def test_a_static_space_with_fewer_dimensions_than_columns_is_no_poor_dictionary(stage, static, world, tmp_path):
    files = {"source": world / "en.vec", "target": world / "de.vec", "dictionary": world / "train.tsv"}
    narrow = stage("map", tmp_path / "narrow", {"normalise": "unit,centeremb,unit"}, **files)
    assert narrow.manifest.summary["rank"] == 7
    made = stage("interpolate", tmp_path / "out", vectors=narrow.out, encoder=static, dictionary=world / "train.tsv")
    assert not made.warnings
    few = pairs_of(world / "train.tsv", tmp_path / "few.tsv", 2)
    made = stage("interpolate", tmp_path / "few", vectors=narrow.out, encoder=static, dictionary=few)
    assert [warning for warning in made.warnings if "4 words determine only 4 of 7 dimensions" in warning]


def pairs_of(path, out, count):
    out.write_text("".join(path.read_text().splitlines(keepends=True)[:count]))
    return out


def test_lambda_0_warns_where_the_encoder_is_smaller(stage, static, world, tmp_path):
    files = {"source": world / "wide.en.vec", "target": world / "wide.de.vec", "dictionary": world / "train.tsv"}
    wide = stage("map", tmp_path / "wide", **files)
    made = stage("interpolate", tmp_path / "out", {"lambda": 0}, vectors=wide.out, encoder=static,
                 dictionary=world / "train.tsv")  # fmt: skip
    assert any("24 dimensions, the encoder 16" in warning for warning in made.warnings)
    assert made.manifest.summary["static_preserved"] is False
    # Sixteen dimensions in 24 columns fit.
    for side in ("source", "target"):
        lines = [line.split() for line in files[side].read_text().splitlines()[1:]]
        files[side] = tmp_path / f"{side}.vec"
        values = np.array([line[1:] for line in lines], dtype=float) * ([1] * 16 + [0] * 8)
        write_vec(files[side], [line[0] for line in lines], values)
    wide = stage("map", tmp_path / "zeros", **files)
    made = stage("interpolate", tmp_path / "zeros-0", {"lambda": 0}, vectors=wide.out, encoder=static,
                 dictionary=world / "train.tsv")  # fmt: skip
    assert not [warning for warning in made.warnings if "the encoder 16" in warning]
    assert "static_preserved" not in made.manifest.summary
    wanted = wide.unit("source") @ wide.unit("target").T
    assert np.abs(made.unit("source") @ made.unit("target").T - wanted).max() < 1e-5


def test_words_without_static_vectors_are_counted(stage, mapped, static, world, pairs_file, tmp_path):
    (tmp_path / "more.txt").write_text("house\nqqqqq\nhouse dog\n")
    inputs = {"vectors": mapped.out, "encoder": static, "dictionary": world / "train.tsv",
              "source_vocabulary": tmp_path / "more.txt"}  # fmt: skip
    alone = stage("interpolate", tmp_path / "encoder", **inputs)
    assert alone.words("source") == [*mapped.words("source"), "qqqqq", "house dog"]
    assert (alone.manifest.summary["source_words"], alone.manifest.summary["source_encoder_only"]) == (42, 2)
    average = stage("interpolate", tmp_path / "average", {"missing": "average"}, **inputs)
    assert average.manifest.summary["source_encoder_only"] == 1
    dropped = stage("interpolate", tmp_path / "drop", {"missing": "drop"}, **inputs)
    assert dropped.words("source") == mapped.words("source")


def test_blending_twice_warns_with_the_weight_that_comes_of_it(stage, mapped, static, world, tmp_path):
    inputs = {"encoder": static, "dictionary": world / "train.tsv"}
    once = stage("interpolate", tmp_path / "once", {"lambda": 0.3}, vectors=mapped.out, **inputs)
    assert once.warnings == []
    twice = stage("interpolate", tmp_path / "twice", {"lambda": 0.5}, vectors=once.out, **inputs)
    (warning,) = twice.warnings
    assert "is already blended, with lambda 0.3" in warning
    assert "static vectors weigh about 0.35, encodings 0.65." in warning
    train = {"encoder": static, "train_dictionary": world / "train.tsv", "dictionary": world / "test.tsv"}
    swept = stage("eval bli", params={"lambda": (0.0, 0.5)}, vectors=once.out, **train)
    assert any("is already blended" in each for each in swept.warnings), "a sweep blends too"


# ---------------------------------------------------------------- eval bli


def test_lines_without_vectors_change_only_the_scores_that_count_them(stage, mapped, world, pairs_file, tmp_path):
    lines = [line.split("\t") for line in (world / "test.tsv").read_text().splitlines()]
    more = pairs_file(tmp_path / "more.tsv", [*lines, *((f"word{i}", f"wort{i}") for i in range(100))])
    before = by_convention(stage("eval bli", vectors=mapped.out, dictionary=world / "test.tsv"))
    after = by_convention(stage("eval bli", vectors=mapped.out, dictionary=more))
    for unit in ("source word", "pair"):
        for name in ("precision_at_1", "precision_at_10", "mean_reciprocal_rank", "mean_average_precision"):
            assert after[unit, "left out"][name] == before[unit, "left out"][name]
            assert after[unit, "counted wrong"][name] == pytest.approx(before[unit, "counted wrong"][name] * 12 / 112)
        assert after[unit, "counted wrong"]["queries"] == 112
    assert after["source word", "left out"]["coverage"] == pytest.approx(12 / 112)


def test_target_source_asks_the_other_way_round(stage, map_inputs, mapped, world, pairs_file, tmp_path):
    swapped = {"source": map_inputs["target"], "target": map_inputs["source"]}
    lines = [line.split("\t") for line in (world / "test.tsv").read_text().splitlines()]
    back = pairs_file(tmp_path / "back.tsv", [(b, a) for a, b in lines])
    other = tmp_path / "other"
    (other).mkdir()
    for side, name in (("source", "target"), ("target", "source")):
        (other / side).symlink_to(mapped.out / name)
    made = stage("eval bli", params={"direction": "target-source"}, vectors=mapped.out, dictionary=world / "test.tsv")
    wanted = stage("eval bli", vectors=other, dictionary=back)
    left, right = head(made), head(wanted)
    keys = ("direction", "query_unit", "search_space", "unfair")  # the other folder has no manifest
    told = {key: (left.pop(key), right.pop(key)) for key in keys}
    assert left == right
    assert told["direction"][0] == "target-source"
    assert told["query_unit"] == ("target word", "source word"), "the words that ask are named by their column"
    assert told["search_space"] == ("whole source vocabulary", "whole target vocabulary")
    assert swapped


def test_candidates_test_is_easier_and_says_so(stage, mapped, world):
    made = stage("eval bli", params={"candidates": "test"}, vectors=mapped.out, dictionary=world / "test.tsv")
    whole = stage("eval bli", vectors=mapped.out, dictionary=world / "test.tsv")
    assert (head(made)["search_space"], head(made)["search_space_words"]) == ("test targets only", 12)
    assert head(made)["precision_at_1"] >= head(whole)["precision_at_1"]


def test_candidates_test_is_said_in_every_row(stage, mapped, static, world):
    files = {"vectors": mapped.out, "dictionary": world / "test.tsv"}
    whole, easy = (stage("eval bli", params={"candidates": kind}, **files).manifest.tables[0].rows
                   for kind in ("vocabulary", "test"))  # fmt: skip
    assert easy[0][0] == "source word, left out, test targets only"
    assert [row[0] for row in easy] == [f"{row[0]}, test targets only" for row in whole]
    params = {"candidates": "test", "lambda": (0.0, 1.0), "direction": "target-source"}
    sweep = stage("eval bli", params=params, encoder=static, train_dictionary=world / "train.tsv", **files)
    assert sweep.manifest.tables[0].rows[0][0] == "test, test sources only"
    assert all(row[0].endswith(", test sources only") for row in sweep.manifest.tables[1].rows)


def test_any_gold_translation_counts(stage, mapped, world, pairs_file, tmp_path):
    pairs = pairs_file(tmp_path / "t.tsv", [("dog", "katze"), ("dog", "hund"), ("cat", "katze")])
    made = by_convention(stage("eval bli", vectors=mapped.out, dictionary=pairs))
    assert made["source word", "left out"]["precision_at_1"] == 1
    assert made["source word", "left out"]["queries"] == 2
    assert made["pair", "left out"]["queries"] == 3
    assert made["pair", "left out"]["precision_at_1"] == pytest.approx(2 / 3)


def test_sweep_does_what_interpolate_and_eval_do(stage, mapped, encoder, world, tmp_path):
    train = world / "train.tsv"
    sweep = stage("eval bli", tmp_path / "sweep", {"lambda": [0, 0.3, 1]}, vectors=mapped.out, encoder=encoder,
                  train_dictionary=train, dictionary=world / "test.tsv")  # fmt: skip
    labels = [each["labels"] for each in sweep.json("scores.json")["items"]]
    assert labels == [{"lambda": weight} for weight in (0, 0.3, 1)]
    assert not any(name.endswith(".npy") for name in sweep.files)
    for place, weight in enumerate((0, 0.3, 1)):
        space = stage("interpolate", tmp_path / str(weight), {"lambda": weight}, vectors=mapped.out, encoder=encoder,
                      dictionary=train)  # fmt: skip
        one = head(stage("eval bli", vectors=space.out, dictionary=world / "test.tsv"))
        assert sweep.manifest.results[place]["lambda"] == weight
        for name in ("precision_at_1", "precision_at_5", "mean_reciprocal_rank"):
            assert sweep.manifest.results[place][name] == pytest.approx(one[name]), (weight, name)


def test_sweep_without_weights_has_the_papers_columns(stage, mapped, static, world):
    made = stage("eval bli", vectors=mapped.out, encoder=static, train_dictionary=world / "train.tsv",
                 dictionary=world / "test.tsv")  # fmt: skip
    table = made.manifest.tables[0]
    assert table.columns == ["lambda", "0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.7", "1"]


def test_help_of_lambda_names_the_weights_of_a_sweep_without_it():
    help_text = rule_of(parameters(STAGES["eval bli"].params)["lambda"][0]).help
    assert "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1." in help_text
    assert tuple(float(each) for each in help_text.rstrip(".").split("left out ")[1].split(", ")) == PAPER_WEIGHTS


@pytest.mark.parametrize("weights", ["0.3,1,0.30", "0.3,0.30000000001", [0, -0.0]])
def test_a_sweep_refuses_a_weight_that_comes_twice(stage, mapped, static, world, weights):
    files = {"vectors": mapped.out, "encoder": static, "train_dictionary": world / "train.tsv"}
    with pytest.raises(ConfigError, match=r"--lambda has 0(\.3)? more than once\."):
        stage("eval bli", params={"lambda": weights}, dictionary=world / "test.tsv", **files)


def test_vectors_in_one_space_need_no_folder_of_ours(stage, world):
    made = stage("eval bli", source=world / "en.vec", target=world / "en.vec", dictionary=world / "same.tsv"
                 if (world / "same.tsv").write_text("dog\tdog\ncat\tcat\n") else None)  # fmt: skip
    assert head(made)["precision_at_1"] == 1


@pytest.mark.parametrize(("lines", "warnings"), [
    (1, ["The scores are based on 1 query only."]), (19, ["The scores are based on 19 queries only."]), (20, []),
])  # fmt: skip
def test_scores_of_few_words_are_called_so(stage, mapped, world, tmp_path, lines, warnings):
    path = tmp_path / "few.tsv"
    pairs = (world / "train.tsv").read_text(encoding="utf-8").splitlines()[:lines]
    path.write_text("\n".join([*pairs, "nowhere\tnirgends"]) + "\n", encoding="utf-8")
    made = stage("eval bli", vectors=mapped.out, dictionary=path)
    assert [each for each in made.warnings if "based on" in each] == warnings


def test_scores_of_few_items_name_the_smallest_test_set(tmp_path):
    def system(track, n, **labels):
        return ScoredSystem("sts", (Score("spearman", 0.5, n=n),), labels={"track": track, **labels})

    told = []
    job = Job(tmp_path, device_name="cpu", notices=Notices(warn=lambda *each: told.append(each)))
    systems = [system("macro mean", 5), system("en", 3), system("de", 2), system("fr", 20), system("it", 1, by="band")]
    warn_of_scores(TASKS["sts"], systems, job)
    assert told == [(
        "The scores of de are based on 2 pairs only (1 other test set on fewer than 20).",
        "Intervals of fewer than 20 are not reliable. Test on more.",
    )]  # fmt: skip


def test_test_pairs_that_were_learnt_from_are_counted_and_listed(stage, mapped, static, world, pairs_file, tmp_path):
    fair = stage("eval bli", vectors=mapped.out, dictionary=world / "test.tsv")
    assert head(fair)["pairs_learnt_from"] == 0
    assert fair.warnings == ["The scores are based on 12 queries only."]
    mixed = pairs_file(
        tmp_path / "mixed.tsv", [("House", "Haus"), ("hund", "dog"), ("dog", "katze"), ("apple", "apfel")]
    )
    made = stage("eval bli", tmp_path / "out", {"lowercase": True}, vectors=mapped.out, dictionary=mixed)
    assert head(made)["pairs_learnt_from"] == 2
    warned = [each for each in made.warnings if "2 of 4 test pairs were used for training" in each]
    assert len(warned) == 1
    assert warned[0].endswith("so the scores are too high for new pairs.")
    assert (made.out / "leaks.tsv").read_text() == "house\thaus\nhund\tdog\n"
    assert "NOT A FAIR TEST" in made.manifest.tables[0].note
    for folder in (mapped.out / "source", mapped.out / "target"):
        assert folder.is_dir()
    sides = {side: mapped.out / side for side in ("source", "target")}
    assert head(stage("eval bli", dictionary=world / "train.tsv", **sides))["pairs_learnt_from"] == 28
    train = {"encoder": static, "train_dictionary": world / "test.tsv"}
    blend = stage("eval bli", None, {"lambda": (0.5,)}, vectors=mapped.out, dictionary=world / "test.tsv", **train)
    assert head(blend)["pairs_learnt_from"] == 12


def test_what_an_encoder_was_tuned_on_is_found_through_blends(stage, mapped, static, world, pairs_file, tmp_path):
    pairs = pairs_file(tmp_path / "pairs.tsv", [("sun", "sonne"), ("apple", "apfel"), ("x", "y")])
    tuned = stage("finetune", tmp_path / "tuned", {"epochs": 1}, pairs=pairs, encoder=static)
    blend = stage("interpolate", tmp_path / "blend", {"lambda": 0.5}, vectors=mapped.out, encoder=tuned.out,
                  dictionary=world / "train.tsv")  # fmt: skip
    made = stage("eval bli", vectors=blend.out, dictionary=world / "test.tsv")
    assert head(made)["pairs_learnt_from"] == 1
    words = {"source_vocabulary": world / "en.txt", "target_vocabulary": world / "de.txt"}
    alone = stage("eval bli", encoder=tuned.out, dictionary=world / "test.tsv", **words)
    assert head(alone)["pairs_learnt_from"] == 1
    pairs.write_text("other\tpair\n", encoding="utf-8")
    changed = stage("eval bli", vectors=blend.out, dictionary=world / "test.tsv")
    assert head(changed)["pairs_learnt_from"] == 0
    assert any("cannot be checked" in each for each in changed.warnings)


def test_lowercase_folds_words_and_dictionary(stage, mapped, pairs_file, tmp_path):
    pairs = pairs_file(tmp_path / "t.tsv", [("Dog", "HUND")])
    made = stage("eval bli", params={"lowercase": True}, vectors=mapped.out, dictionary=pairs)
    assert head(made)["queries"] == 1
    with pytest.raises(DataError, match="No test word has vectors"):
        stage("eval bli", vectors=mapped.out, dictionary=pairs)


# ---------------------------------------------------------------- audit, compare, export


def test_audit_removes_what_leaks(stage, world, pairs_file, tmp_path):
    test = pairs_file(tmp_path / "test.tsv", [("house", "haus"), ("dog", "köter"), ("new", "neu")])
    made = stage("audit", tmp_path / "out", train=world / "train.tsv", test=test)
    assert made.files == {"train.tsv", "leaks.tsv", "manifest.json"}
    assert (made.out / "leaks.tsv").read_text() == "house\thaus\n"
    assert "dog\thund" in (made.out / "train.tsv").read_text()
    strict = stage("audit", tmp_path / "strict", {"drop_sources": True}, train=world / "train.tsv", test=test)
    assert "dog\thund" not in (strict.out / "train.tsv").read_text()


@pytest.mark.parametrize(
    ("out", "params", "leak", "answer"),
    [
        (False, {}, True, False),
        (False, {}, False, True),
        (True, {}, True, True),
        (True, {"fail_on_leak": True}, True, False),
        (True, {"fail_on_leak": True}, False, True),
    ],
)
def test_audit_says_no_where_it_finds_leaks_and_cleans_nothing(stage, pairs_file, tmp_path, out, params, leak, answer):
    train = pairs_file(tmp_path / "train.tsv", [("a", "b"), ("c", "d")])
    test = pairs_file(tmp_path / "test.tsv", [("a", "b" if leak else "x")])
    made = stage("audit", tmp_path / "out" if out else None, params, train=train, test=test)
    assert made.manifest.answer is answer
    assert made.warnings == ([] if answer else ["1 test pair is in the training dictionary."])


@pytest.mark.parametrize(("out", "params"), [(False, {}), (True, {}), (True, {"fail_on_leak": True})])
def test_audit_finds_leaks_in_a_dictionary_of_the_other_direction(stage, pairs_file, tmp_path, out, params):
    train = pairs_file(tmp_path / "train.tsv", [("hund", "dog"), ("katze", "cat"), ("baum", "tree"), ("e", "f")])
    test = pairs_file(tmp_path / "test.tsv", [("dog", "hund"), ("cat", "katze"), ("e", "f")])
    made = stage("audit", tmp_path / "out" if out else None, params, train=train, test=test)
    assert made.manifest.answer is (out and not params)
    assert made.warnings[-1] == "2 test pairs are in the training dictionary with their sides swapped."
    assert (head(made)["leaked_pairs"], head(made)["leaked_swapped_pairs"], head(made)["train_kept"]) == (1, 2, 1)
    if out:
        assert (made.out / "train.tsv").read_text() == "baum\ttree\n"
        assert (made.out / "leaks.tsv").read_text() == "e\tf\ndog\thund\ncat\tkatze\n"


def test_audit_counts_capitals_as_they_are_in_the_files(stage, pairs_file, tmp_path):
    train = pairs_file(tmp_path / "train.tsv", [("dog", "Hund"), ("dog", "hund"), ("Cat", "Katze")])
    test = pairs_file(tmp_path / "test.tsv", [("tree", "Baum"), ("DOG", "hund")])
    for lowercase in (False, True):
        found = head(stage("audit", params={"lowercase": lowercase}, train=train, test=test))
        assert (found["train_lines_with_capitals"], found["test_lines_with_capitals"]) == (2, 2)
        assert (found["train_repeated_lines"], found["leaked_pairs"]) == ((1, 1) if lowercase else (0, 0))


def test_compare_sees_a_difference_and_refuses_other_questions(stage, mapped, map_inputs, world, pairs_file, tmp_path):
    shuffled = stage("map", tmp_path / "shuffled", {"control": "shuffled-pairs"}, **map_inputs)
    good, bad = (stage("eval bli", tmp_path / name, vectors=space.out, dictionary=world / "test.tsv")
                 for name, space in (("good", mapped), ("bad", shuffled)))  # fmt: skip
    found = stage("compare", params={"draws": 500}, first=good.out, second=bad.out).manifest.results[0]
    assert found["shown"] is True
    assert found["difference"] == pytest.approx(found["first"] - found["second"])
    back = stage("compare", params={"draws": 500}, first=bad.out, second=good.out).manifest.results[0]
    assert back["difference"] == -found["difference"]
    other = stage("eval bli", tmp_path / "other", vectors=mapped.out,
                  dictionary=pairs_file(tmp_path / "t.tsv", [("dog", "hund")]))  # fmt: skip
    alone = stage("compare", params={"draws": 100}, first=other.out, second=other.out)
    assert "1 query (items not covered are left out), paired bootstrap" in alone.manifest.tables[0].note
    with pytest.raises(DataError, match="different questions"):
        stage("compare", first=good.out, second=other.out)


@pytest.mark.parametrize("lines", [["dog\thund", "Dog\tkatze"], ["dog\thund", "CAT\tkatze"]])
def test_compare_names_the_case_that_one_side_folded(stage, mapped, world, tmp_path, lines):
    test = tmp_path / "test.tsv"
    test.write_text("\n".join(lines) + "\n", encoding="utf-8")
    plain, folded = (
        stage("eval bli", tmp_path / f"{lower}", vectors=mapped.out, dictionary=test, params={"lowercase": lower})
        for lower in (False, True)
    )
    for first, second in ((plain, folded), (folded, plain)):
        with pytest.raises(DataError) as caught:
            stage("compare", first=first.out, second=second.out)
        assert caught.value.hint.startswith(f"Only {folded.out} was made with --lowercase: ")


NAMES = {
    "precision_at_1": "precision_at_1", "precision_at_5": "precision_at_5", "precision_at_10": "precision_at_10",
    "reciprocal_rank": "mean_reciprocal_rank", "average_precision": "mean_average_precision",
}  # fmt: skip


@pytest.fixture(scope="module")
def lossy(world, mapped, pairs_file):
    """A test dictionary with translations, and words, that have no vectors."""
    lines = [line.split("\t") for line in (world / "test.tsv").read_text(encoding="utf-8").splitlines()]
    more = [[a, f"{b}lein"] for a, b in lines[::2]] + [[a, mapped.words("target")[0]] for a, _ in lines[::3]]
    return pairs_file(world / "lossy.tsv", [*lines, *more, ("nowhere", "nirgends"), ("nowhere", "haus")])


@pytest.fixture(scope="module")
def evaluate(stage, world, mapped, tmp_path_factory):
    """Evaluate into a folder: `evaluate(name, params, dictionary=...)`."""

    def run(name, params=None, **inputs):
        files = {"vectors": mapped.out, "dictionary": world / "test.tsv"} | inputs
        return stage("eval bli", tmp_path_factory.mktemp("scores") / name, params or {}, **files)

    return run


@pytest.mark.parametrize(("questions", "policy"), [("covered", "left out"), ("all", "counted wrong")])
@pytest.mark.parametrize("metric", list(NAMES))
@pytest.mark.parametrize("given", [{}, {"top": 1}, {"direction": "target-source"}, {"candidates": "test"}], ids=str)
def test_compare_and_eval_bli_give_the_same_number(stage, evaluate, lossy, metric, questions, policy, given):
    made = evaluate("one", {"retrieval": "csls", **given}, dictionary=lossy)
    (unit,) = {each["query_unit"] for each in made.manifest.results} - {"pair"}
    wanted = by_convention(made)[unit, policy]
    params = {"metric": metric, "questions": questions, "draws": 100}
    found = head(stage("compare", params=params, first=made.out, second=made.out))
    assert found["first"] == found["second"] == wanted[NAMES[metric]]
    assert (found["count"], found["out_of_vocabulary"]) == (wanted["queries"], policy)
    assert 0 < wanted["coverage"] < 1


@pytest.mark.parametrize(
    ("questions", "says"),
    [("covered", "items not covered are left out"), ("all", "items not covered: counted wrong")],
)
def test_compare_names_its_convention(stage, evaluate, lossy, questions, says):
    one, other = evaluate("one", dictionary=lossy), evaluate("other", {"retrieval": "csls"}, dictionary=lossy)
    made = stage("compare", params={"questions": questions, "draws": 100}, first=one.out, second=other.out)
    note = made.manifest.tables[0].note
    assert made.warnings == [], "another retrieval is what one compares"
    assert says in note
    assert "Different: retrieval nearest against csls." in note
    assert "direction source-target; search space whole target vocabulary; search space words 40" in note
    assert head(made)["conventions"] == "alike"
    assert (head(made)["first_convention"]["retrieval"], head(made)["second_convention"]["retrieval"]) == (
        "nearest", "csls",
    )  # fmt: skip


def test_compare_warns_of_other_candidates(stage, evaluate):
    whole, easy, few = evaluate("whole"), evaluate("easy", {"candidates": "test"}), evaluate("few", {"limit": 39})
    made = stage("compare", params={"draws": 100}, first=easy.out, second=whole.out)
    assert made.warnings == [
        f"The evaluations differ in search space: test targets only in {easy.out}, "
        f"whole target vocabulary in {whole.out}."
    ]
    assert head(made)["conventions"] == "different"
    assert "Different: search space test targets only against whole" in made.manifest.tables[0].note
    (warning,) = stage("compare", params={"draws": 100}, first=whole.out, second=few.out).warnings
    assert f"differ in search space words: 40 in {whole.out}, 39 in" in warning


def test_compare_warns_of_another_direction_and_dictionary(stage, evaluate, world, pairs_file, tmp_path):
    train = pairs_file(tmp_path / "train.tsv", [(word, word) for word in ("house", "dog", "cat", "tree")])
    same = stage("map", tmp_path / "same", source=world / "en.vec", target=world / "en.vec", dictionary=train)
    pairs = [("dog", "dog"), ("cat", "cat")]
    first, again = (pairs_file(tmp_path / name, own) for name, own in (("a.tsv", pairs), ("b.tsv", pairs[::-1])))
    one = evaluate("one", vectors=same.out, dictionary=first)
    other = evaluate("other", {"direction": "target-source"}, vectors=same.out, dictionary=again)
    direction, dictionary, *_ = stage("compare", params={"draws": 100}, first=one.out, second=other.out).warnings
    assert f"differ in direction: source-target in {one.out}, target-source in {other.out}." in direction
    assert re.search(rf"dictionary: {first} \(sha256 \w+\) in {one.out}, {again} \(sha256 \w+\) in ", dictionary)
    first.write_text("cat\tcat\ndog\tdog\n\n")
    third = evaluate("third", vectors=same.out, dictionary=first)
    warning, *_ = stage("compare", params={"draws": 100}, first=one.out, second=third.out).warnings
    assert warning.count(f"{first} (sha256 ") == 2, "files of one name are told apart"


def note(made):
    return made.manifest.tables[0].note


def test_compare_without_a_manifest_says_that_nothing_was_checked(stage, evaluate, tmp_path):
    whole, easy = evaluate("whole"), evaluate("easy", {"candidates": "test"})
    for name in ("scores.json", "items.jsonl"):
        (tmp_path / name).write_bytes((easy.out / name).read_bytes())
    made = stage("compare", params={"draws": 100}, first=whole.out, second=tmp_path)
    assert made.warnings == []
    assert (head(made)["conventions"], head(made)["second_convention"]) == ("not checked", None)
    assert "Not checked whether both follow the same convention: no manifest of second." in note(made)
    both = stage("compare", params={"draws": 100}, first=tmp_path, second=tmp_path)
    assert "no manifest of first and second." in note(both)
    # A file in the folder of an evaluation is as good as the folder.
    inside = stage("compare", params={"draws": 100}, first=whole.out, second=easy.out / "items.jsonl")
    assert len(inside.warnings) == 1
    (tmp_path / "items.jsonl").unlink()
    with pytest.raises(DataError, match="is not an evaluation"):
        stage("compare", first=whole.out, second=tmp_path)


def test_compare_chooses_systems_of_a_sweep(stage, evaluate, static, world):
    sweep = evaluate("sweep", {"lambda": [0, 0.5, 1]}, encoder=static, train_dictionary=world / "train.tsv")
    with pytest.raises(ConfigError, match="holds 3 systems") as caught:
        stage("compare", first=sweep.out, second=sweep.out)
    assert "--first-system lambda=0.5" in caught.value.hint
    params = {"first_system": "lambda=0.5", "second_system": "lambda=0", "draws": 100}
    found = head(stage("compare", params=params, first=sweep.out, second=sweep.out))
    assert [found["first"], found["second"]] == [sweep.manifest.results[i]["precision_at_1"] for i in (1, 0)]
    with pytest.raises(ConfigError, match=r"has no system 'lambda=0\.7'"):
        stage("compare", params={"first_system": "lambda=0.7"}, first=sweep.out, second=sweep.out)


def test_compare_warns_where_average_precisions_have_other_translations(stage, evaluate, pairs_file, tmp_path):
    pairs = pairs_file(tmp_path / "t.tsv", [("house", "haus"), ("house", "apfel"), ("dog", "hund")])
    more, fewer = evaluate("more", dictionary=pairs), evaluate("fewer", {"limit": 39}, dictionary=pairs)
    told = []
    for metric, questions in (
        ("precision_at_1", "covered"),
        ("average_precision", "all"),
        ("average_precision", "covered"),
    ):
        params = {"metric": metric, "questions": questions, "draws": 100}
        warnings = stage("compare", params=params, first=more.out, second=fewer.out).warnings
        told.append([each for each in warnings if "not a fair test" not in each])
    assert [len(each) for each in told] == [1, 1, 2], "that there are 39 and 40 words is said in all of them"
    assert told[2][1].startswith("MAP: for 1 of 2 questions the evaluations have vectors for different numbers of ")


def test_export_of_encodings(stage, static, world, tmp_path):
    encoded = stage("encode", tmp_path / "words", words=world / "en.txt", encoder=static)
    made = stage("export", tmp_path / "vec", vectors=encoded.out)
    assert made.files == {"vectors.vec", "manifest.json"}
    back = stage("export", tmp_path / "bin", {"format": "word2vec"}, vectors=made.out / "vectors.vec")
    assert back.files == {"vectors.bin", "manifest.json"}


PHRASES = "5 2\nhouse 1 0\nnew york 0 1\nnew_york 1 1\ncity of light 2 1\nriver\tbed 1 2\n"


def export_phrases(stage, tmp_path, **params):
    (tmp_path / "phrases.vec").write_text(PHRASES)
    made = stage("export", tmp_path / "out", params, vectors=tmp_path / "phrases.vec")
    return made, (made.out / "vectors.vec").read_text().splitlines()


def test_exported_phrases_have_underscores_so_that_other_programs_open_them(stage, tmp_path):
    made, lines = export_phrases(stage, tmp_path)
    assert lines == ["4 2", "house 1 0", "new_york 1 1", "city_of_light 2 1", "river_bed 1 2"]
    assert made.manifest.summary == {"files": 1, "words": 4, "phrases": 3}
    (warning,) = made.warnings
    assert "3 of 5 words with spaces, written with underscores (1 dropped" in warning
    assert all(len(line.split()) == 3 for line in lines[1:])


def test_exported_phrases_can_be_kept_or_dropped(stage, tmp_path):
    _, lines = export_phrases(stage, tmp_path, phrases="drop")
    assert lines == ["2 2", "house 1 0", "new_york 1 1"]
    (tmp_path / "keep").mkdir()
    made, lines = export_phrases(stage, tmp_path / "keep", phrases="keep")
    assert "city of light 2 1" in lines
    assert any("3 of 5 words with spaces, written unchanged." in each for each in made.warnings)


def test_export_of_phrases_alone(stage, tmp_path):
    (tmp_path / "x.vec").write_text("1 2\nnew york 0 1\n")
    with pytest.raises(DataError, match="only words with spaces"):
        stage("export", tmp_path / "out", {"phrases": "drop"}, vectors=tmp_path / "x.vec")
    made = stage("export", tmp_path / "bin", {"format": "word2vec"}, vectors=tmp_path / "x.vec")
    assert (made.out / "vectors.bin").read_bytes().startswith(b"1 2\nnew_york ")


@pytest.mark.parametrize("phrases", ["underscore", "keep", "drop"])
def test_words_of_spaces_are_not_exported(stage, tmp_path, phrases):
    folder = tmp_path / "vectors"
    folder.mkdir()
    (folder / "words.txt").write_text("house\n   \ndog\n")
    np.save(folder / "vectors.npy", np.arange(6, dtype=np.float32).reshape(3, 2))
    made = stage("export", tmp_path / "out", {"phrases": phrases}, vectors=folder)
    assert (made.out / "vectors.vec").read_text() == "2 2\nhouse 0 1\ndog 4 5\n"
    assert made.warnings == [f"{folder}: dropped 1 word of spaces only."]
    (folder / "words.txt").write_text(" \n   \n  \n")
    with pytest.raises(DataError, match="only words of spaces"):
        stage("export", tmp_path / "none", {"phrases": phrases}, vectors=folder)


def test_export_tells_what_the_file_read_was_like(stage, tmp_path):
    (tmp_path / "x.vec").write_text("3 2\nhouse 0 1\nhouse 1 1\ntree 1 0\n")
    made = stage("export", tmp_path / "out", vectors=tmp_path / "x.vec")
    assert made.warnings == [f"{tmp_path / 'x.vec'}: 1 row with a repeated word skipped (line 3)."]


def test_a_control_that_does_as_well_is_a_warning(stage, world, pairs_file, tmp_path):
    pairs = pairs_file(tmp_path / "same.tsv", [("land", "land"), ("hand", "hand"), ("dog", "hund")])
    made = stage("eval bli", source=world / "en.vec", target=world / "de.vec", dictionary=pairs)
    assert head(made)["precision_at_1"] < 2 / 3, "these vectors are in no common space"
    assert any("A control does as well: identity, P@1 66.67 against " in each for each in made.warnings)


@pytest.mark.parametrize("control", [0.35, 0.45, 0.2])
def test_a_control_inside_the_interval_is_a_warning_too(control):
    told = []
    job = SimpleNamespace(notices=SimpleNamespace(warn=lambda message, hint: told.append(message)))
    systems = [ScoredSystem("bli", (Score("precision_at_1", 0.4, 0.3, 0.5, 100),)),
               ScoredSystem("bli", (Score("precision_at_1", control),), labels={"control": "identity"})]  # fmt: skip
    warn_of_scores(TASKS["bli"], systems, job)
    how = {0.35: "is not significantly worse", 0.45: "does as well"}.get(control)
    values = f"identity, P@1 {100 * control:.2f} against 40.00"
    assert told == ([f"A control {how}: {values}."] if how else [])


def test_two_files_are_the_same_as_one_with_pairs(stage, static, tmp_path):
    from safetensors.numpy import load_file

    rows = [(f"the {a} is here", f"das {b} ist hier") for a, b in zip(EN, DE, strict=True)]
    pairs, source, target = (tmp_path / name for name in ("pairs.tsv", "train.en", "train.de"))
    pairs.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    source.write_text("".join(f"{a}\n" for a, _ in rows) + "lost\n\n", encoding="utf-8")
    target.write_text("".join(f"{b}\n" for _, b in rows) + "\nverloren\n", encoding="utf-8")
    params = {"epochs": 1, "batch_size": 8}
    one = stage("finetune", tmp_path / "one", params, pairs=pairs, encoder=static)
    two = stage("finetune", tmp_path / "two", params, source=source, target=target, encoder=static)
    assert one.manifest.summary == two.manifest.summary
    weights = [load_file(next(made.out.rglob("*.safetensors"))) for made in (one, two)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert "`train.en`, `train.de`" in (two.out / "README.md").read_text(encoding="utf-8")
    tabbed = tmp_path / "tabbed.de"
    tabbed.write_text(target.read_text("utf-8").replace("das haus", "das\thaus"), encoding="utf-8")
    stage("finetune", tmp_path / "three", params, source=source, target=tabbed, encoder=static)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "a.en"}, "--source and --target belong together"),
        ({"target": "a.en"}, "--source and --target belong together"),
        ({"source": "a.en", "target": "b.de", "pairs": "p.tsv"}, "not both"),
        ({"source": "a.en", "target": "b.de", "synonyms": "p.tsv"}, "not both"),
        ({"source": "a.en", "target": "b.de"}, "line"),
        ({"source": "a.en", "target": "empty"}, "hold no pairs"),
    ],
)
def test_two_files_that_do_not_belong_together(stage, static, tmp_path, given, said):
    for name, body in (("a.en", "a\n\n"), ("b.de", "a\n"), ("p.tsv", "a\tb\n"), ("empty", "\nx\n")):
        (tmp_path / name).write_text(body, encoding="utf-8")
    inputs = {name: [tmp_path / file] if name == "synonyms" else tmp_path / file for name, file in given.items()}
    with pytest.raises(LexencError, match=said) as caught:
        stage("finetune", tmp_path / "out", {}, encoder=static, **inputs)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()
