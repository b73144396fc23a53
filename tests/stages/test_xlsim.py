"""eval xlsim and cross-pairs: every system and policy scores what its words promise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from lexenc.errors import ConfigError, DataError, LexencError


@pytest.fixture(scope="session")
def pairs(world, tmp_path_factory):
    """Twenty cross-lingual pairs whose scores have nothing to do with the vectors, and a head."""
    random = np.random.default_rng(3)
    sides = [[line.split(" ")[0] for line in (world / name).read_text(encoding="utf-8").splitlines()]
             for name in ("en.txt", "de.txt")]  # fmt: skip
    left, right = (random.permutation(words)[:20] for words in sides)
    rows = [f"{a}\t{b}\t{random.integers(0, 10)}" for a, b in zip(left, right, strict=True)]
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text("\n".join(["word 1\tword 2\tscore", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def write(tmp_path):
    def to(text: str, name: str = "own.tsv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return to


@pytest.fixture
def vec(write):
    """Write vectors as text."""

    def to(table: dict[str, list[float]]):
        rows = [" ".join([word, *(str(x) for x in row)]) for word, row in table.items()]
        return write(f"{len(rows)} {len(next(iter(table.values())))}\n" + "\n".join(rows) + "\n", "own.vec")

    return to


def rows_of(path):
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def head(made):
    return made.manifest.results[0]


def by_policy(made):
    return {each["out_of_vocabulary"]: each for each in made.manifest.results if "control" not in each}


def blend_inputs(mapped, static, world):
    return {"vectors": mapped.out, "encoder": static, "train_dictionary": world / "train.tsv"}


# ---------------------------------------------------------------- systems


def test_static_vectors_are_scored_by_cosine_and_spearman(stage, mapped, pairs, tmp_path):
    made = stage("eval xlsim", tmp_path / "out", {"draws": 200}, vectors=mapped.out, pairs=pairs)
    sides = {name: dict(zip(mapped.words(name), mapped.unit(name), strict=True)) for name in ("source", "target")}
    rows = rows_of(pairs)
    cosines = [float(sides["source"][a] @ sides["target"][b]) for a, b, _ in rows]
    assert head(made)["spearman"] == pytest.approx(spearmanr(cosines, [float(r[2]) for r in rows]).statistic)
    written = made.json_lines("items.jsonl")
    assert [each["asked"] for each in written] == [row[:2] for row in rows]
    assert [each["numbers"]["cosine"] for each in written] == pytest.approx(cosines, abs=1e-6)
    assert (head(made)["coverage"], head(made)["system"], head(made)["missing"]) == (1.0, "static vectors", "drop")


def test_a_sweep_ends_in_the_static_vectors_and_in_the_encoder(stage, mapped, static, world, pairs, tmp_path):
    more = blend_inputs(mapped, static, world)
    params = {"draws": 200, "lambda": "0,0.5,1"}
    sweep = stage("eval xlsim", tmp_path / "sweep", params, **more, pairs=pairs).manifest.results[:3]
    alone = stage("eval xlsim", None, {"draws": 200}, encoder=static, pairs=pairs)
    mapped_only = stage("eval xlsim", None, {"draws": 200}, vectors=mapped.out, pairs=pairs)
    for own, other in ((sweep[0], head(mapped_only)), (sweep[2], head(alone))):
        assert own["spearman"] == pytest.approx(other["spearman"])
        assert own["pearson_low"] == pytest.approx(other["pearson_low"], abs=1e-5)
    made = stage("interpolate", tmp_path / "blend", {"lambda": 0.5}, vectors=mapped.out, encoder=static,
                 dictionary=world / "train.tsv")  # fmt: skip
    blended = stage("eval xlsim", None, {"draws": 200}, vectors=made.out, pairs=pairs)
    assert sweep[1]["spearman"] == pytest.approx(head(blended)["spearman"])


def test_a_word_without_static_vector_has_only_the_encoder_part(stage, mapped, static, world, pairs, write):
    own = write(pairs.read_text(encoding="utf-8") + "house\tschlagsahne\t3\n")
    params = {"draws": 200, "lambda": "0,0.5,1"}
    made = stage("eval xlsim", None, params, **blend_inputs(mapped, static, world), pairs=own)
    heads = made.manifest.results[:3]
    assert [each["pairs"] for each in heads] == [20, 20, 20]
    assert {each["coverage"] for each in heads} == {20 / 21}
    assert [each["words_missing"] for each in heads] == [1, 0, 0]
    wider = [each for each in made.manifest.results[3:] if each.get("counted") == "covered"]
    assert [(each["lambda"], each["pairs"], each["coverage"]) for each in wider] == [(0.5, 21, 1), (1, 21, 1)]
    more, last = made.manifest.tables[1:]
    assert more.columns == ["lambda", "0.5", "1"]
    assert more.rows[0][1:] == [f"{100 * each['spearman']:.1f}" for each in wider]
    assert [row[0] for row in last.rows] == ["static, left out", "all, similarity 0", "control: shuffled scores"]
    one = stage("eval xlsim", None, params | {"lambda": "0.5"}, **blend_inputs(mapped, static, world), pairs=own)
    assert (head(one)["pairs"], head(one)["counted"]) == (21, "covered")
    assert head(one)["spearman"] == wider[0]["spearman"]
    assert heads[1]["words_encoder_alone"] == 1
    alone = stage("eval xlsim", None, {"draws": 200}, encoder=static, pairs=own)
    assert wider[1]["spearman"] == pytest.approx(head(alone)["spearman"])
    dropped = stage("eval xlsim", None, params | {"missing": "drop"}, **blend_inputs(mapped, static, world), pairs=own)
    assert [each["pairs"] for each in dropped.manifest.results[:3]] == [20, 20, 20]
    assert [each["spearman"] for each in dropped.manifest.results[:3]] == [each["spearman"] for each in heads]


@pytest.mark.parametrize("form", ["vec", "folder"])
def test_vectors_of_one_language_need_no_space(stage, mapped, world, write, form):
    own = write("dog\tcat\t8\nsun\tmoon\t7\nbread\tmilk\t5\ndog\tqqq\t1\n")
    path = world / "en.vec" if form == "vec" else mapped.out / "source"
    made = stage("eval xlsim", None, {"draws": 200}, vectors=path, pairs=own)
    assert by_policy(made)["left out"]["pairs"] == 3
    assert by_policy(made)["similarity 0"]["pairs"] == 4
    with pytest.raises(DataError, match="holds one language"):
        stage("eval xlsim", None, {"side": "source"}, vectors=path, pairs=own)


def test_side_chooses_the_language_of_a_space_and_is_hinted_at(stage, mapped, write):
    own = write("hund\tkatze\t8\nsonne\tmond\t7\nbrot\tmilch\t5\n")
    made = stage("eval xlsim", None, {"side": "target", "draws": 200}, vectors=mapped.out, pairs=own)
    assert head(made)["coverage"] == 1.0
    with pytest.raises(DataError) as caught:
        stage("eval xlsim", None, vectors=mapped.out, pairs=own)
    assert "--side target 3 of 3 pairs" in caught.value.hint


def test_blending_needs_a_space(stage, world, static, pairs):
    more = {"encoder": static, "train_dictionary": world / "train.tsv", "pairs": pairs}
    with pytest.raises(DataError, match="shared space"):
        stage("eval xlsim", None, vectors=world / "en.vec", **more)


# ---------------------------------------------------------------- words without vectors


def test_phrases_by_underscores_and_by_their_parts(stage, vec, write, tmp_path):
    own_vec = vec({"ice_cream": [1, 0], "hot": [0, 1], "dog": [1, 1]})
    own = write("ice cream\tdog\t5\nhot dog\tdog\t3\nhot zzz\tdog\t2\nzzz\tdog\t1\n")
    made = stage("eval xlsim", tmp_path / "drop", {"draws": 200}, vectors=own_vec, pairs=own)
    assert head(made)["pairs"] == 1
    assert head(made)["words_with_underscores"] == 1
    params = {"draws": 200, "missing": "average"}
    made = stage("eval xlsim", tmp_path / "average", params, vectors=own_vec, pairs=own)
    assert (head(made)["pairs"], head(made)["words_averaged"], head(made)["words_missing"]) == (3, 2, 1)
    rows = made.json_lines("items.jsonl")
    assert [row["answers"][0]["first_from"] for row in rows] == [
        "static, with underscores", "average of parts", "average of parts", "missing",
    ]  # fmt: skip
    mean = np.array([0.5, 1.0])
    assert rows[1]["numbers"]["cosine"] == pytest.approx(mean @ [1, 1] / np.linalg.norm(mean) / np.sqrt(2))
    assert rows[3]["numbers"]["cosine"] is None


def test_zero_vectors_are_no_vectors(stage, vec, write):
    own_vec = vec({"a": [1, 0], "b": [1, 1], "c": [0, 0], "d": [0, 1]})
    own = write("a\tb\t5\na\tc\t3\na\td\t1\n")
    made = stage("eval xlsim", None, {"draws": 200}, vectors=own_vec, pairs=own)
    assert (head(made)["pairs"], head(made)["words_zero"]) == (2, 1)


def test_back_off_counts_every_pair(stage, mapped, pairs, write):
    own = write(pairs.read_text(encoding="utf-8") + "house\tqqq\t9\nzzz\thund\t9\n")
    made = stage("eval xlsim", None, {"draws": 200}, vectors=mapped.out, pairs=own)
    first, second, control = made.manifest.results
    assert (first["pairs"], first["coverage"], second["pairs"]) == (20, 20 / 22, 22)
    assert (control["control"], control["pairs"]) == ("shuffled scores", 20)
    turned = stage("eval xlsim", None, {"draws": 200, "missing": "back-off"}, vectors=mapped.out, pairs=own)
    assert [each["pairs"] for each in turned.manifest.results[:2]] == [22, 20]
    assert head(turned)["spearman"] == second["spearman"]
    far = stage("eval xlsim", None, {"draws": 200, "back_off": -1}, vectors=mapped.out, pairs=own)
    assert by_policy(far)["similarity -1"]["spearman"] < second["spearman"]
    assert head(far)["spearman"] == first["spearman"]


def test_all_missing_is_an_error_with_advice(stage, mapped, write):
    with pytest.raises(DataError, match="No test pair has vectors"):
        stage("eval xlsim", None, vectors=mapped.out, pairs=write("qq\tzz\t1\nyy\txx\t2\n"))
    with pytest.raises(DataError) as caught:
        stage("eval xlsim", None, vectors=mapped.out, pairs=write("House\tHund\t1\nDOG\tHaus\t2\n"))
    assert "With --lowercase 2 of 2 pairs" in caught.value.hint


def test_lowercase_folds_pairs_words_and_dictionary(stage, mapped, static, world, pairs, write):
    titled = write(pairs.read_text(encoding="utf-8").title())
    train = write((world / "train.tsv").read_text(encoding="utf-8").title(), "train.tsv")
    more = blend_inputs(mapped, static, world)
    params = {"draws": 200, "lambda": "0.5"}
    wanted = stage("eval xlsim", None, params, **more, pairs=pairs)
    found = stage("eval xlsim", None, params | {"lowercase": True}, **more | {"train_dictionary": train}, pairs=titled)
    assert head(found)["spearman"] == pytest.approx(head(wanted)["spearman"])


def test_some_pairs_of_another_case_are_hinted_at(stage, mapped, pairs, write):
    lines = pairs.read_text(encoding="utf-8").splitlines()
    own = write("\n".join([*lines[:15], *(line.upper() for line in lines[15:])]) + "\n")
    made = stage("eval xlsim", None, {"draws": 200}, vectors=mapped.out, pairs=own)
    assert made.warnings[0] == "14 of 20 test pairs have vectors on both sides (70 %)."


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dog\tcat\t5\nsun\tmoon\t5\n", "all scores are equal"),
        ("dog\tcat\t5\n", "fewer than two pairs"),
        ("dog\tdog\t5\ncat\tcat\t4\n", "all similarities are equal"),
    ],
)
def test_what_is_not_defined_is_null_and_said(stage, world, write, text, why):
    made = stage("eval xlsim", None, {"draws": 200}, vectors=world / "en.vec", pairs=write(text))
    assert head(made)["spearman"] is None
    assert head(made)["undefined"] == why
    assert made.warnings == [f"Spearman of word similarity is not defined: {why}."]
    json.dumps(made.manifest.results, allow_nan=False)


def test_repeated_pairs_count_each_time(stage, world, write):
    made = stage("eval xlsim", None, {"draws": 200}, vectors=world / "en.vec",
                 pairs=write("dog\tcat\t5\nsun\tmoon\t4\ndog\tcat\t5\n"))  # fmt: skip
    assert (head(made)["pairs"], head(made)["repeated_pairs"]) == (3, 1)


def test_training_pairs_among_the_test_pairs_are_counted(stage, mapped, static, world, tmp_path, write):
    own = write("Hund\tdog\t10\ndog\tkatze\t3\nHund\tdog\t10\ncat\tkatze\t9\ncow\tkuh\t9\n")
    made = stage("eval xlsim", tmp_path / "out", {"draws": 200, "lambda": "0.5"},
                 **blend_inputs(mapped, static, world), pairs=own)  # fmt: skip
    assert head(made)["pairs_learnt_from"] == 2
    assert any("2 of 4 test pairs were used for training" in each for each in made.warnings)
    assert (made.out / "leaks.tsv").read_text(encoding="utf-8") == "Hund\tdog\ncat\tkatze\n"
    assert "NOT A FAIR TEST" in made.manifest.tables[0].note
    alone = stage("eval xlsim", None, {"draws": 200}, vectors=mapped.out, pairs=own)
    assert head(alone)["pairs_learnt_from"] == 2, "the space was learned from the same dictionary"


@pytest.mark.parametrize(
    ("params", "given", "words"),
    [
        ({}, [], "nothing to score"),
        ({}, ["vectors", "encoder"], "needs --train-dictionary"),
        ({"lambda": "0.5"}, ["vectors"], "--lambda needs"),
        ({"lambda": "0.5,0.50"}, ["vectors", "encoder", "train_dictionary"], "0.5 more than once"),
        ({"missing": "drop"}, ["encoder"], "--missing means nothing"),
        ({"missing": "encoder"}, ["vectors"], "needs --encoder"),
        ({"side": "source"}, ["encoder"], "--side means nothing"),
        ({"language": "en", "target_language": "de"}, ["encoder"], "--language stands for"),
    ],
)
def test_faults_are_named_before_anything_is_read(stage, mapped, static, world, pairs, params, given, words):
    inputs = {name: own for name, own in blend_inputs(mapped, static, world).items() if name in given}
    with pytest.raises(ConfigError, match=words):
        stage("eval xlsim", None, params, **inputs, pairs=pairs)


# ---------------------------------------------------------------- crossing


@pytest.fixture
def sets(write):
    en = write("word 1\tword 2\tscore\nold\tnew\t1\nsmart\tclever\t9\ndog\tcat\t4\n", "en.txt")
    de = write("alt\tneu\t2\nklug\tschlau\t6\nhund\tkatze\t4.5\n", "de.txt")
    return {"source": en, "target": de}


def test_cross_pairs_are_read_by_eval(stage, sets, static, tmp_path):
    made = stage("cross-pairs", tmp_path / "pairs", **sets)
    assert rows_of(made.out / "pairs.tsv") == [
        ["old", "neu", "1.5", "1"],
        ["new", "alt", "1.5", "1"],
        ["dog", "katze", "4.25", "3"],
        ["cat", "hund", "4.25", "3"],
    ]
    result = head(made)
    assert (result["pairs"], result["rows"], result["rows_rejected"], result["max_difference"]) == (4, 3, 1, 2.0)
    scored = stage("eval xlsim", None, {"draws": 200}, encoder=static, pairs=made.out)
    assert head(scored)["test_pairs"] == 4


def test_cross_pairs_are_taken_out_of_a_dictionary(stage, tmp_path, write):
    english, german = write("house\thouse\t9\nhouse\tdog\t1\n", "en"), write("haus\theim\t9\nhaus\thund\t1\n", "de")
    made = stage("cross-pairs", tmp_path / "pairs", source=english, target=german)
    train = write("House\thaus\nhouse\theim\ndog\thund\nhouse\thaus\n", "train")
    clean = stage("audit", tmp_path / "clean", {"lowercase": True}, train=train, test=made.out)
    assert (clean.out / "leaks.tsv").read_text() == "house\theim\nhouse\thaus\n"
    assert (clean.out / "train.tsv").read_text() == "dog\thund\n"


def test_cross_pairs_needs_the_same_rows_and_scale(stage, sets, write):
    with pytest.raises(DataError, match="3 pairs"):
        stage("cross-pairs", None, source=sets["source"], target=write("alt\tneu\t2\n"))
    with pytest.raises(DataError, match="off the scale from 0 to 8"):
        stage("cross-pairs", None, {"highest_score": 8}, **sets)
    with pytest.raises(DataError, match="No row is left"):
        stage("cross-pairs", None, {"max_difference": 0}, **sets)
    with pytest.raises(ConfigError, match="needs --target"):
        stage("cross-pairs", None, source=sets["source"])


def test_a_scale_that_looks_too_wide_is_doubted(stage, write):
    made = stage("cross-pairs", None, source=write("a\tb\t1\nc\td\t4\n"), target=write("e\tf\t1\ng\th\t4\n", "two.tsv"))
    assert made.warnings == ["The scale is taken to be 0 to 10, but no score is above 4."]


def test_two_languages_of_one_file_are_crossed(stage, static, tmp_path, write):
    write(
        "ID,ENG 1,ENG 2,FIN 1,FIN 2\n1,pain,misery,kipu,kurjuus\n2,allow,permit,sallia,antaa lupa\n", "translation.csv"
    )
    write("ID,ENG,FIN\n1,3,4\n2,5,2\n", "scores.csv")
    languages = {"source_language": "en", "target_language": "fi"}
    made = stage("cross-pairs", tmp_path / "pairs", languages, source=tmp_path / "translation.csv")
    assert [row[:2] for row in rows_of(made.out / "pairs.tsv")] == [["pain", "kurjuus"], ["misery", "kipu"]]
    scored = stage("eval xlsim", None, languages | {"draws": 200}, encoder=static, pairs=tmp_path / "scores.csv")
    assert (head(scored)["test_pairs"], head(scored)["format"]) == (2, "Multi-SimLex, crossed")
    one = stage("eval xlsim", None, {"language": "fi", "draws": 200}, encoder=static, pairs=tmp_path / "scores.csv")
    assert (head(one)["test_pairs"], head(one)["format"]) == (2, "Multi-SimLex")
    with pytest.raises(LexencError, match="none was chosen"):
        stage("eval xlsim", None, encoder=static, pairs=tmp_path / "scores.csv")


# ---------------------------------------------------------------- comparing


@pytest.fixture(scope="session")
def scored(stage, mapped, static, world, pairs, tmp_path_factory):
    """The static vectors, the encoder and a sweep on the same pairs."""
    out = tmp_path_factory.mktemp("scored")
    stage("eval xlsim", out / "static", {"draws": 200}, vectors=mapped.out, pairs=pairs)
    stage("eval xlsim", out / "encoder", {"draws": 200}, encoder=static, pairs=pairs)
    params = {"draws": 200, "lambda": "0,1"}
    stage("eval xlsim", out / "sweep", params, **blend_inputs(mapped, static, world), pairs=pairs)
    return out


def test_compare_gives_the_difference_of_two_evaluations(stage, scored):
    made = stage("compare", None, {"draws": 200}, first=scored / "static", second=scored / "encoder")
    result, alone = head(made), [
        json.loads((scored / name / "manifest.json").read_text())["results"][0]["spearman"]
        for name in ("static", "encoder")
    ]  # fmt: skip
    assert [result["first"], result["second"]] == pytest.approx(alone)
    assert result["difference"] == pytest.approx(alone[0] - alone[1])
    assert result["difference_low"] <= result["difference"] <= result["difference_high"]
    assert (result["metric"], result["count"]) == ("spearman", 20)


def test_compare_reads_one_lambda_of_a_sweep(stage, scored):
    params = {"draws": 200, "first_system": "lambda=1"}
    made = stage("compare", None, params, first=scored / "sweep", second=scored / "encoder")
    assert head(made)["difference"] == 0
    with pytest.raises(ConfigError, match="holds 2 systems"):
        stage("compare", None, first=scored / "sweep", second=scored / "encoder")


@pytest.mark.parametrize(("questions", "count"), [("covered", 20), ("all", 21)])
def test_compare_counts_uncovered_pairs_on_request(stage, mapped, static, pairs, write, tmp_path, questions, count):
    own = write(pairs.read_text(encoding="utf-8") + "house\tschlagsahne\t3\n")
    first = stage("eval xlsim", tmp_path / "first", {"draws": 200}, vectors=mapped.out, pairs=own)
    second = stage("eval xlsim", tmp_path / "second", {"draws": 200}, encoder=static, pairs=own)
    made = stage("compare", None, {"draws": 200, "questions": questions}, first=first.out, second=second.out)
    assert head(made)["count"] == count
    if questions == "all":
        assert head(made)["first"] == pytest.approx(by_policy(first)["similarity 0"]["spearman"])


def test_compare_refuses_what_does_not_fit(stage, scored, static, mapped, world, write, tmp_path):
    other = stage("eval xlsim", tmp_path / "x", {"draws": 200}, encoder=static, pairs=write("dog\thund\t1\na\tb\t2\n"))
    with pytest.raises(DataError, match="asked different questions"):
        stage("compare", None, first=scored / "static", second=other.out)
    with pytest.raises(ConfigError, match="There is no metric of word similarity called"):
        stage("compare", None, {"metric": "average_precision"}, first=scored / "static", second=scored / "encoder")
    bli = stage("eval bli", tmp_path / "bli", vectors=mapped.out, dictionary=world / "test.tsv")
    with pytest.raises(DataError, match="is an evaluation of word translation"):
        stage("compare", None, first=scored / "static", second=bli.out)
