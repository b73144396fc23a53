"""induce and read-review: honest evidence, the same space learnt again, files."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest

from lexenc.artifact import read_manifest
from lexenc.errors import ConfigError, DataError
from lexenc.files.dictionaries import read_pairs
from lexenc.files.spaces import load_space
from lexenc.planning import plan_stage, run_plan
from lexenc.stage import Job, Notices
from lexenc.stages import STAGES
from lexenc.stages.lexical.induce import learned_words, learner_again
from lexenc.stages.lexical.map import NotAgainError

WORDS, SIZE, TRAIN = 550, 30, 330
ALL = {"min_probability": 0}


def write_vec(path, words, matrix):
    rows = [f"{word} " + " ".join(f"{x:.5f}" for x in row) for word, row in zip(words, matrix, strict=True)]
    path.write_text("\n".join([f"{len(words)} {matrix.shape[1]}", *rows]) + "\n", encoding="utf-8")


def random_world(folder):
    """Two languages of which some words correspond well and others not; 330 known pairs, 140 held out."""
    random = np.random.default_rng(0)
    source = random.normal(size=(WORDS, SIZE))
    rotation, _ = np.linalg.qr(random.normal(size=(SIZE, SIZE)))
    noise = random.uniform(0.5, 4.0, size=(WORDS, 1))
    left = [f"en{row}" for row in range(WORDS)]
    right = [f"de{row}" for row in range(WORDS)]
    left[3] = right[3] = "1984"
    left[5] = right[5] = "radio"
    write_vec(folder / "en.vec", left, source)
    write_vec(folder / "de.vec", right, source @ rotation + noise * random.normal(size=source.shape))
    order = random.permutation(WORDS)
    for name, rows in (("train", order[:TRAIN]), ("test", order[TRAIN : TRAIN + 140])):
        lines = [f"{left[row]}\t{right[row]}\n" for row in rows]
        (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return random_world(tmp_path_factory.mktemp("induce"))


@pytest.fixture(scope="module")
def space(stage, place):
    files = {"source": place / "en.vec", "target": place / "de.vec", "dictionary": place / "train.tsv"}
    return stage("map", place / "mapped", **files)


@pytest.fixture(scope="module")
def bag(stage, place):
    """An encoder whose encodings of these words fill all its dimensions."""
    size = {"dimensions": 32, "vocabulary_size": 300}
    return stage("new-encoder", place / "bag", size, text=[place / "train.tsv", place / "test.tsv"]).out


@pytest.fixture(scope="module")
def blend(stage, space, place, bag):
    return stage("interpolate", place / "blended", {"lambda": 0.3}, vectors=space.out, encoder=bag,
                 dictionary=place / "train.tsv")  # fmt: skip


@pytest.fixture(scope="module")
def induced(stage, space, place):
    return stage("induce", place / "induced", ALL, vectors=space.out, dictionary=place / "train.tsv")


def rows_of(folder):
    head, *lines = (folder / "lexicon.tsv").read_text(encoding="utf-8").splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


# ---------------------------------------------------------------- evidence


def test_entries_of_the_mapping_are_judged_by_mappings_without_them(induced):
    head, later, control = induced.manifest.results
    assert head["basis"] == "cross-fitted"
    assert not head["optimistic"]
    assert head["entries"] == TRAIN
    assert head["precision_at_1_seen"] > head["precision_at_1"] + 0.1, "what was learnt from looks better"
    assert head["expected_calibration_error_low"] < head["expected_calibration_error"] < 0.09
    assert later["candidates"] == "candidates of rank 2 and later"
    assert control["above_threshold"] == 0
    assert control["largest_probability"] < 0.3
    assert induced.warnings == []


def test_probabilities_hold_on_words_that_nothing_was_learnt_from(stage, space, place, induced):
    files = {"vectors": space.out, "calibration": induced.out, "held_out": place / "test.tsv"}
    head = stage("induce", **files).manifest.results[0]
    assert head["basis"] == "held out"
    assert head["entries"] == 140
    # 140 words in ten bins are noisy: true probabilities would show so much, too.
    assert head["expected_calibration_error"] < head["expected_calibration_error_if_perfect"] + 0.06
    leaky = stage("induce", place / "leaky", {"cross_fit": False}, vectors=space.out, dictionary=place / "train.tsv")
    assert leaky.manifest.results[0]["basis"] == "optimistic"
    assert "too high" in leaky.warnings[0]
    files["calibration"] = leaky.out
    worse = stage("induce", **files).manifest.results[0]
    assert worse["log_loss"] > head["log_loss"]
    assert worse["expected_calibration_error"] > head["expected_calibration_error"] + 0.03
    assert (leaky.out / "lexicon.tsv").read_text(encoding="utf-8").split("\t")[2] == "optimistic_probability"
    assert (leaky.out / "review.csv").read_text(encoding="utf-8-sig").split(",")[2] == "optimistic_probability"


def test_held_out_entries_are_used_as_they_are(stage, space, place):
    files = {"vectors": space.out, "dictionary": place / "train.tsv", "held_out": place / "test.tsv"}
    made = stage("induce", **files)
    assert (made.manifest.results[0]["basis"], made.manifest.results[0]["entries"]) == ("held out", 140)
    assert made.warnings == []


def test_held_out_entries_that_were_not_are_found_by_content(stage, space, place, tmp_path):
    copy = tmp_path / "other name.tsv"
    shutil.copy(place / "train.tsv", copy)
    with pytest.raises(DataError, match="none is held out"):
        stage("induce", vectors=space.out, held_out=copy)
    copy.write_text((place / "test.tsv").read_text() + "".join((place / "train.tsv").read_text().splitlines(True)[:30]))
    made = stage("induce", vectors=space.out, held_out=copy)
    assert made.manifest.results[0]["entries"] == 140
    assert "learnt from 30 of 170 words" in made.warnings[0]


def test_a_dictionary_that_was_not_learnt_from_needs_no_second_mapping(stage, space, place):
    made = stage("induce", vectors=space.out, dictionary=place / "test.tsv")
    assert made.manifest.results[0]["basis"] == "not learnt from"
    assert made.warnings == []


def test_vectors_of_unknown_origin_are_called_optimistic(stage, space, place, tmp_path):
    shutil.copytree(space.out, tmp_path / "mapped")
    (tmp_path / "mapped" / "manifest.json").unlink()
    made = stage("induce", vectors=tmp_path / "mapped", dictionary=place / "train.tsv")
    assert made.manifest.results[0]["basis"] == "optimistic"
    assert "no leak can be checked" in made.warnings[0]
    assert "may be far too high" in made.warnings[1]
    held = stage("induce", vectors=tmp_path / "mapped", held_out=place / "test.tsv")
    assert held.manifest.results[0]["basis"] == "optimistic", "whether they were held out is not known"
    assert "cannot be checked" in held.warnings[1]


def test_raw_vectors_that_are_gone_leave_optimistic_probabilities(stage, place, tmp_path):
    for name in ("en.vec", "de.vec", "train.tsv"):
        shutil.copy(place / name, tmp_path)
    stage("map", tmp_path / "m", source=tmp_path / "en.vec", target=tmp_path / "de.vec",
          dictionary=tmp_path / "train.tsv")  # fmt: skip
    (tmp_path / "en.vec").write_text("1 1\na 1\n")
    made = stage("induce", vectors=tmp_path / "m", dictionary=tmp_path / "train.tsv")
    assert made.manifest.results[0]["basis"] == "optimistic"
    assert "en.vec" in made.warnings[0]
    # A dictionary that has been moved is known by its content.
    (tmp_path / "train.tsv").rename(tmp_path / "moved.tsv")
    assert learned_words(tmp_path / "m", [tmp_path / "moved.tsv"]).gaps == []
    assert "train.tsv" in learned_words(tmp_path / "m", []).gaps[0]


def test_pairs_that_the_encoder_was_tuned_on_are_no_evidence(stage, space, place, static, tmp_path):
    tuned = stage("finetune", tmp_path / "tuned", {"epochs": 1}, pairs=place / "train.tsv", encoder=static)
    files = {"vectors": space.out, "encoder": tuned.out, "dictionary": place / "train.tsv"}
    blend = stage("interpolate", tmp_path / "blend", **files)
    origin = learned_words(blend.out, [])
    assert origin.tuned[0] == origin.mapped[0] == {pair[0] for pair in read_pairs(place / "train.tsv")}
    made = stage("induce", vectors=blend.out, dictionary=place / "train.tsv")
    assert made.manifest.results[0]["basis"] == "optimistic"
    assert "the encoder was tuned on them" in made.warnings[0]


# ---------------------------------------------------------------- the same space again


@pytest.mark.parametrize("which", ["space", "blend"])
def test_nothing_left_out_gives_the_same_space(request, which, tmp_path):
    made = request.getfixturevalue(which)
    again = learner_again(made.out, 0, Job(tmp_path, device_name="cpu")).without(set())
    before = load_space(made.out)
    for side in ("source", "target"):
        assert again.side(side).words == before.side(side).words
        assert np.abs(again.side(side).matrix - before.side(side).matrix).max() < 1e-5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("which", ["space", "blend"])
def test_left_out_entries_teach_nothing(stage, request, which, column, place, bag, tmp_path):
    made = request.getfixturevalue(which)
    pairs = list(read_pairs(place / "train.tsv"))
    out = {pair[column] for pair in pairs[:100]}
    again = learner_again(made.out, column, Job(tmp_path / "job", device_name="cpu"))
    (tmp_path / "job").mkdir()
    found = again.without(out)
    (tmp_path / "rest.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs[100:]), encoding="utf-8")
    files = {"source": place / "en.vec", "target": place / "de.vec", "dictionary": tmp_path / "rest.tsv"}
    wanted = stage("map", tmp_path / "m", **files)
    if which == "blend":
        files = {"vectors": wanted.out, "encoder": bag, "dictionary": tmp_path / "rest.tsv"}
        wanted = stage("interpolate", tmp_path / "b", {"lambda": 0.3}, **files)
    for side in ("source", "target"):
        assert np.abs(found.side(side).matrix - wanted.matrix(side)).max() < 1e-5


def test_a_space_of_an_encoder_alone_owes_nothing_to_a_mapping(stage, space, place, static, tmp_path):
    files = {"vectors": space.out, "encoder": static, "dictionary": place / "train.tsv"}
    alone = stage("interpolate", tmp_path / "alone", {"lambda": 1.0}, **files)
    assert learned_words(alone.out, []).seen(0) == set()


def test_what_was_made_otherwise_is_not_learnt_again(space, blend, stage, place, static, tmp_path):
    job = Job(tmp_path, device_name="cpu")
    files = {"vectors": space.out, "encoder": static, "dictionary": place / "train.tsv"}
    still = stage("interpolate", tmp_path / "still", {"lambda": 0.0}, **files)
    with pytest.raises(NotAgainError, match="lambda 0"):
        learner_again(still.out, 0, job)
    shutil.copytree(space.out, place / "older", dirs_exist_ok=True)
    body = json.loads((place / "older" / "manifest.json").read_text(encoding="utf-8")) | {"stage_version": 0}
    (place / "older" / "manifest.json").write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(NotAgainError, match="another version of map"):
        learner_again(place / "older", 0, job)
    both = {"source": place / "en.vec", "target": place / "de.vec"}
    applied = stage("apply-mapping", tmp_path / "applied", **both, mapping=space.out)
    with pytest.raises(NotAgainError, match="not learnt by map from a dictionary"):
        learner_again(applied.out, 0, job)
    assert learned_words(applied.out, []).seen(0) == learned_words(space.out, []).seen(0)


# ---------------------------------------------------------------- the lexicon


def test_lexicon_holds_every_word_once_by_frequency(induced, space, place):
    rows = rows_of(induced.out)
    words = [word for word in space.words("source") if word != "1984"]
    best = [row for row in rows if row["rank"]]
    assert [row["source"] for row in best] == [word for word in words if word in {row["source"] for row in best}]
    assert len(best) >= len(words) - 5, "only a best candidate without a letter is left out"
    known = set(read_pairs(place / "train.tsv"))
    assert all((row["status"].split()[0] == "known") == ((row["source"], row["target"]) in known) for row in rows)
    listed = {source for source, _ in known}
    assert all(
        (row["status"].startswith("new further")) == (row["source"] in listed and row["status"][:5] != "known")
        for row in rows
    )
    assert {row["rank"] for row in best} == {"1"}
    assert all(0 <= float(row["probability"]) <= 1 for row in best)
    assert induced.files == {"lexicon.tsv", "review.csv", "calibration.json", "curve.tsv", "manifest.json"}
    curve = (induced.out / "curve.tsv").read_text().splitlines()
    assert curve[0].split("\t") == ["threshold", "kept", "precision", "low", "high", "coverage"]
    assert len(curve) == 7


def test_lexicon_is_a_dictionary_for_other_stages(stage, induced, place, tmp_path):
    files = {"source": place / "en.vec", "target": place / "de.vec"}
    made = stage("map", tmp_path / "again", dictionary=induced.out / "lexicon.tsv", **files)
    assert made.manifest.summary["pairs_used"] == len(rows_of(induced.out))


@pytest.fixture(scope="module")
def filtered(stage, space, place, induced):
    def make(tmp_path, params, **inputs):
        files = {"vectors": space.out, "calibration": induced.out, "dictionary": place / "train.tsv"} | inputs
        return rows_of(stage("induce", tmp_path / "out", ALL | params, **files).out)

    return make


@pytest.mark.parametrize(
    ("params", "holds"),
    [
        ({"min_probability": 0.6}, lambda row: row["status"] == "known" or float(row["probability"]) >= 0.6),
        ({"mutual": True}, lambda row: row["mutual"] == "yes"),
        ({"margin": 0.1}, lambda row: float(row["margin"]) >= 0.0999),
        ({"only_new": True}, lambda row: row["status"].startswith("new")),
        ({"identical": "drop"}, lambda row: row["source"] != row["target"]),
        ({"identical": "keep"}, lambda row: "identical" not in row["status"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_filters(filtered, induced, tmp_path, params, holds):
    rows, every = filtered(tmp_path, params), rows_of(induced.out)
    assert rows
    assert all(holds(row) for row in rows)
    loose = [row for row in every if row["source"] == row["target"] or holds(row)]
    assert len(rows) >= len(loose) - 1


def test_what_is_hardly_ever_right_is_left_out_and_counted(stage, space, place, induced, tmp_path):
    files = {"vectors": space.out, "calibration": induced.out}
    made = stage("induce", tmp_path / "out", **files)
    ranked = [row for row in rows_of(induced.out) if row["rank"]]
    kept = [row for row in ranked if float(row["probability"]) >= 0.05]
    assert [row["source"] for row in rows_of(made.out)] == [row["source"] for row in kept]
    counts = made.manifest.summary
    assert counts["pairs"] + counts["improbable_pairs"] == len(ranked) > len(kept)
    assert induced.manifest.summary["improbable_pairs"] == 0
    assert induced.manifest.results[0]["threshold"] == 0.9
    held = stage("induce", **files, held_out=place / "test.tsv").manifest.results[0]
    assert held["threshold"] == 0.9


def test_known_pairs_stay_however_improbable(stage, space, place, induced, tmp_path):
    known = set(read_pairs(place / "train.tsv"))
    files = {"vectors": space.out, "calibration": induced.out, "dictionary": place / "train.tsv"}
    every = {(row["source"], row["target"]): row for row in rows_of(induced.out)}
    for params in ({}, {"min_probability": 0.99}, {"top": 3}):
        made = stage("induce", tmp_path / f"out{len(params)}{params.get('top')}", params, **files)
        rows = rows_of(made.out)
        pairs = {(row["source"], row["target"]) for row in rows}
        assert {pair for pair in known if pair[0] != "1984"} <= pairs
        assert made.manifest.summary["known_pairs"] == len(known & pairs)
        assert made.manifest.summary["known_pairs_without_vectors"] == 0
        least = params.get("min_probability", 0.05)
        assert all(float(row["probability"]) >= least for row in rows if row["status"].startswith("new"))
    chances = [every[pair]["probability"] for pair in known & set(every)]
    assert min(float(each) for each in chances if each) < 0.99, "some would be left out"


def test_known_pairs_that_are_no_candidates_come_before_new_ones(stage, space, place, induced, tmp_path):
    top = {row["source"]: row["target"] for row in rows_of(induced.out) if row["rank"]}
    further = next(word for word, best in top.items() if word.startswith("en") and best not in ("de1", "de2"))
    path = tmp_path / "seed.tsv"
    path.write_text(f"{further}\tde2\n{further}\t{top[further]}\n{further}\tde1\n{further}\tnirgends\nen9\tnein\n")
    files = {"vectors": space.out, "calibration": induced.out, "dictionary": path}
    (tmp_path / "words.txt").write_text(f"{further}\nen9\n")
    made = stage("induce", tmp_path / "out", ALL | {"top": 2}, words=tmp_path / "words.txt", **files)
    rows = [row for row in rows_of(made.out) if row["source"] == further]
    assert [(row["target"], row["rank"], row["status"], bool(row["probability"])) for row in rows[:3]] == [
        (top[further], "1", "known", True), ("de2", "", "known", False), ("de1", "", "known", False),
    ]  # fmt: skip
    assert (rows[3]["rank"], rows[3]["status"], len(rows)) == ("2", "new further", 4)
    assert made.manifest.summary["known_pairs"] == 3
    assert made.manifest.summary["known_pairs_without_vectors"] == 2
    assert "3 of 5 dictionary pairs have vectors on both sides (60 %)." in made.warnings
    assert "The others are not in the lexicon." in made.hints
    # Their evidence is what they would have as candidates.
    every = {**files, "words": tmp_path / "words.txt"}
    deep = rows_of(stage("induce", tmp_path / "deep", ALL | {"top": WORDS}, **every).out)
    for row in rows[1:3]:
        same = next(each for each in deep if (each["source"], each["target"]) == (further, row["target"]))
        for name in ("csls", "cosine", "margin"):
            assert float(row[name]) == pytest.approx(float(same[name]), abs=2e-4)
        assert (same["mutual"], int(same["rank"]) > 2) == (row["mutual"], True)
    assert not any(row["status"] == "known" for row in rows_of(
        stage("induce", tmp_path / "new", ALL | {"only_new": True}, **files).out))  # fmt: skip
    elsewhere = stage("induce", tmp_path / "mutual", ALL | {"mutual": True}, **files)
    assert {row["rank"] for row in rows_of(elsewhere.out)} == {"1"}
    read = read_pairs(made.out / "lexicon.tsv")
    known = [chance for pair, chance in zip(read, read.probabilities, strict=True) if pair[1] in ("de1", "de2")]
    assert known == [1, 1], "for align --dictionary"
    review = (made.out / "review.csv").read_text(encoding="utf-8-sig").splitlines()
    assert f"{further},de2,,," in review


def test_known_pairs_of_the_other_direction_stay(stage, space, place, tmp_path):
    params = {"direction": "target-source", "min_probability": 1}
    made = stage("induce", tmp_path / "out", params, vectors=space.out, dictionary=place / "train.tsv")
    rows = rows_of(made.out)
    assert len(rows) > 100
    assert {(row["target"], row["source"]) for row in rows} <= set(read_pairs(place / "train.tsv"))
    assert made.manifest.summary["pairs"] == made.manifest.summary["known_pairs"] == len(rows)


def test_probabilities_of_new_words_are_true(filtered, place, tmp_path):
    rows = [row for row in filtered(tmp_path, {"only_new": True}) if row["status"] == "new"]
    chances = np.array([float(row["probability"]) for row in rows])
    right = np.array([row["source"][2:] == row["target"][2:] for row in rows])
    assert len(rows) > 200
    for part in (chances >= 0, chances >= np.median(chances), chances < np.median(chances)):
        assert abs(chances[part].mean() - right[part].mean()) < 0.1


def test_further_translations_of_known_words_have_no_probability(filtered, place, tmp_path):
    listed = {source for source, _ in read_pairs(place / "train.tsv")}
    rows = filtered(tmp_path, {"only_new": True, "top": 2})
    further = [row for row in rows if row["source"] in listed]
    assert len(further) > 100
    assert len(rows) - len(further) > 100
    assert {row["probability"] for row in further} == {""}
    assert {row["status"].removesuffix(" identical") for row in further} == {"new further"}
    new = [row for row in rows if row["source"] not in listed]
    assert {row["status"].removesuffix(" identical") for row in new} == {"new"}
    assert all(0 <= float(row["probability"]) <= 1 for row in new)
    review = (tmp_path / "out" / "review.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    assert [bool(line.split(",")[2]) for line in review] == [row["source"] not in listed for row in rows]


def test_probabilities_never_rise_with_the_rank_nor_fall_with_the_evidence(stage, space, place, tmp_path):
    made = stage("induce", tmp_path / "out", ALL | {"top": 4, "identical": "keep"}, vectors=space.out,
                 dictionary=place / "train.tsv")  # fmt: skip
    rows = [row for row in rows_of(made.out) if row["source"].startswith("en") and row["target"].startswith("de")]
    chances = {(row["source"], int(row["rank"])): float(row["probability"]) for row in rows if row["rank"]}
    assert len(chances) > 2000
    assert all(each <= chances.get((word, rank - 1), 1) for (word, rank), each in chances.items())
    best = [row for row in rows if row["rank"] == "1"]
    ranks = [{word: rank for rank, word in enumerate(space.words(side), 1)} for side in ("source", "target")]
    pair = np.array([(ranks[0][row["source"]], ranks[1][row["target"]]) for row in best])
    table = np.column_stack(
        [
            [(float(row["csls"]), float(row["margin"]), row["mutual"] == "yes") for row in best],
            -pair[:, 0], -pair.max(axis=1), np.minimum(pair[:, 0] / pair[:, 1], 1),
        ]
    )  # fmt: skip
    found = np.array([float(row["probability"]) for row in best])
    one, other = np.random.default_rng(0).integers(len(best), size=(2, 10_000))
    more = (table[one] >= table[other]).all(axis=1)
    assert more.sum() > 300
    assert (found[one[more]] >= found[other[more]]).all()


def test_more_translations_numbers_limits_and_lists(filtered, tmp_path, place):
    rows = filtered(tmp_path / "top", {"top": 3, "limit": 50, "keep_numbers": True})
    rows = [row for row in rows if row["rank"]]
    assert len(rows) == 150
    assert [row["rank"] for row in rows[:3]] == ["1", "2", "3"]
    assert any(row["source"] == "1984" for row in rows)
    (tmp_path / "words.txt").write_text("en7\nradio\nunknown\n")
    rows = filtered(tmp_path / "words", {}, words=tmp_path / "words.txt")
    assert [row["source"] for row in rows if row["rank"]] == ["radio", "en7"], "by frequency"
    assert rows[0]["status"].endswith(" identical") == (rows[0]["target"] == "radio")


def test_other_direction(stage, space, place, tmp_path):
    made = stage("induce", tmp_path / "out", {"direction": "target-source"}, vectors=space.out,
                 dictionary=place / "train.tsv")  # fmt: skip
    assert made.manifest.results[0]["basis"] == "cross-fitted"
    rows = rows_of(made.out)
    assert all(row["source"][:2] in ("de", "ra") for row in rows)
    known = {pair[::-1] for pair in read_pairs(place / "train.tsv")}
    assert any(row["status"] == "known" for row in rows)
    assert all((row["status"].split()[0] == "known") == ((row["source"], row["target"]) in known) for row in rows)


def test_shuffled_control_believes_nothing(stage, space, place, tmp_path):
    made = stage("induce", tmp_path / "out", {"control": "shuffled-pairs", "min_probability": 0.5},
                 vectors=space.out, dictionary=place / "train.tsv")  # fmt: skip
    assert {row["status"].split()[0] for row in rows_of(made.out)} == {"known"}
    params = {"control": "shuffled-pairs", "min_probability": 0.5, "only_new": True}
    made = stage("induce", tmp_path / "new", params, vectors=space.out, dictionary=place / "train.tsv")
    assert rows_of(made.out) == []
    assert "No translation passes" in made.warnings[-1]


def test_same_seed_same_bytes(stage, space, place, induced, tmp_path):
    again = stage("induce", tmp_path / "out", ALL, vectors=space.out, dictionary=place / "train.tsv")
    assert again.manifest.outputs == induced.manifest.outputs


def test_words_whose_translations_have_no_vector(stage, space, place, tmp_path):
    path = tmp_path / "more.tsv"
    path.write_text((place / "test.tsv").read_text() + "en1\tnirgends\n", encoding="utf-8")
    counts = {}
    for policy in ("wrong", "left-out"):
        made = stage("induce", None, {"out_of_vocabulary": policy}, vectors=space.out, held_out=path)
        counts[policy] = made.manifest.results[0]["entries"], made.manifest.results[0]["entries_unanswerable"]
    seen = "en1" in {pair[0] for pair in read_pairs(place / "train.tsv")}
    already = "en1" in {pair[0] for pair in read_pairs(place / "test.tsv")}
    extra = int(not seen and not already)
    assert counts == {"wrong": (140 + extra, extra), "left-out": (140, 0)}


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("params", "names", "words"),
    [
        ({}, [], "needs --dictionary, --held-out or --calibration"),
        ({"only_new": True}, ["held_out"], "--only-new needs --dictionary"),
        ({"control": "shuffled-pairs"}, ["calibration"], "do not go together"),
    ],
)
def test_wrong_combinations(stage, space, place, params, names, words):
    with pytest.raises(ConfigError, match=words):
        stage("induce", None, params, vectors=space.out, **dict.fromkeys(names, place / "test.tsv"))


def test_damaged_and_foreign_calibrations(stage, space, induced, tmp_path):
    for text, words in (
        ("[]", "expected a table"),
        ("{", "not JSON"),
        ('{"format": 9, "features": []}', "another version"),
    ):
        (tmp_path / "calibration.json").write_text(text)
        with pytest.raises(DataError, match=words):
            stage("induce", vectors=space.out, calibration=tmp_path)
    body = json.loads((induced.out / "calibration.json").read_text())
    del body["calibrator"]["base"]
    (tmp_path / "calibration.json").write_text(json.dumps(body))
    with pytest.raises(DataError, match="calibrator: base is missing"):
        stage("induce", vectors=space.out, calibration=tmp_path)
    with pytest.raises(DataError, match="10 CSLS neighbours, not 3"):
        stage("induce", None, {"csls_neighbours": 3}, vectors=space.out, calibration=induced.out)
    with pytest.raises(DataError, match=r"holds no calibration\.json"):
        stage("induce", vectors=space.out, calibration=space.out)


def test_dictionaries_without_vectors(stage, space, place, tmp_path):
    path = tmp_path / "d.tsv"
    path.write_text("EN1\tDE1\nEN2\tDE2\n")
    with pytest.raises(DataError, match="No dictionary entry has vectors") as caught:
        stage("induce", vectors=space.out, dictionary=path)
    assert "--lowercase" in caught.value.hint
    path.write_text("en1\tde1\n")
    with pytest.raises(DataError, match="only one entry"):
        stage("induce", vectors=space.out, dictionary=path)


def test_swapped_columns_are_told(stage, space, place, tmp_path):
    pairs = read_pairs(place / "train.tsv")
    path = tmp_path / "swapped.tsv"
    same = "".join(f"{word}\t{word}\n" for word in ("1984", "radio"))
    path.write_text(same + "".join(f"{right}\t{left}\n" for left, right in pairs), encoding="utf-8")
    told = []
    given = {"vectors": str(space.out), "dictionary": str(path)}
    plan = plan_stage(STAGES["induce"], inputs=given, params={})
    run_plan(plan, device="cpu", notices=Notices(warn=lambda *remark: told.append(remark)))
    (hint,) = [hint for message, hint in told if "dictionary pairs have vectors on both sides" in message]
    assert "The columns look swapped" in hint


# ---------------------------------------------------------------- review


def test_review_comes_back_as_a_dictionary(stage, induced, tmp_path):
    text = (induced.out / "review.csv").read_bytes().decode("utf-8-sig").splitlines()
    cells = [line.split(",") for line in text[1:4]]
    lines = [text[0], ",".join([*cells[0][:3], "ok", ""]), ",".join([*cells[1][:3], "wrong", ""]), *text[3:]]
    (tmp_path / "r.csv").write_text("\n".join(lines).replace(",", ";"), encoding="utf-8")
    made = stage("read-review", tmp_path / "out", review=tmp_path / "r.csv")
    assert list(read_pairs(made.out / "reviewed.tsv")) == [tuple(cells[0][:2])]
    assert list(read_pairs(made.out / "rejected.tsv")) == [tuple(cells[1][:2])]
    assert made.manifest.summary == {
        "accepted": 1, "confirmed": 1, "corrected": 0, "rejected": 1, "lines": len(text) - 1, "undecided": len(text) - 3
    }  # fmt: skip
    with pytest.raises(DataError, match="no line has a decision"):
        stage("read-review", None, review=induced.out / "review.csv")


def test_manifest_of_a_lexicon_says_what_was_learnt_from(induced, space):
    manifest = read_manifest(induced.out)
    assert manifest.inputs["vectors"][0].made_by == space.manifest.key
    assert dataclasses.asdict(manifest)["summary"]["words"] == len(space.words("source")) - 1
