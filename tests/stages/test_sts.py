"""eval sts: correlations with ratings, by test set."""

from __future__ import annotations

import json

import pytest
from scipy.stats import spearmanr

from lexenc.errors import ConfigError, DataError
from lexenc.stages.evaluation.sts import _by_characters, _read

ROWS = [("a dog runs", "ein hund", 4.5), ("he said, no", "a cat", 1), ("the sea", "meer", 5), ("tree", "sonne", 0.2)]
EMPTY = "an empty sentence"
FILES = {"tsv": "{0}\t{1}\t{2}\n", "csv": '"{0}",{1},{2}\n', "input": "{0}\t{1}\n", "gold": "{2}\n"}


@pytest.fixture
def files(tmp_path):
    for name, form in FILES.items():
        (tmp_path / name).write_text("".join(form.format(*row) for row in ROWS))
    (tmp_path / "odd").write_text("left\tright\tscore\na\tb\t1\nc\td\tx\ne\t\t2\nf\ng\th\t3\ni\tj\t2\n")
    return {name: tmp_path / name for name in [*FILES, "odd"]}


def test_all_forms_of_files_score_alike_and_tracks_have_a_mean(stage, static, files, tmp_path):
    made = stage("eval sts", tmp_path / "out", {"draws": 100}, pairs=[files["tsv"], files["odd"]], encoder=static)
    mean, first, second = made.manifest.results[:3]
    cosines = [each["numbers"]["cosine"] for each in made.json_lines("items.jsonl")][:4]
    assert first["spearman"] == pytest.approx(spearmanr(cosines, [row[2] for row in ROWS]).statistic)
    assert mean["spearman"] == pytest.approx((first["spearman"] + second["spearman"]) / 2)
    assert (mean["track"], mean["pairs"]) == ("macro mean", 7)
    assert second["left_out"] == {"no score": 1, "no sentence pair with a score": 1, EMPTY: 1}
    for more in ({"pairs": [files["csv"]]}, {"pairs": [files["input"]], "gold": [files["gold"]]}):
        alone, *controls = stage("eval sts", None, {"draws": 100}, encoder=static, **more).manifest.results
        assert (alone["spearman"], alone["pearson"]) == (first["spearman"], first["pearson"])
        assert [each["control"] for each in controls] == ["shuffled scores", "characters only"]
    same = stage("compare", params={"draws": 100}, first=made.out, second=made.out).manifest.results
    assert [each["difference"] for each in same] == [0] * 6


def test_static_vectors_stand_for_sentences_by_their_mean(stage, mapped, files):
    head = stage("eval sts", None, {"draws": 100}, pairs=[files["tsv"]], vectors=mapped.out).manifest.results[0]
    assert (head["coverage"], head["pairs"]) == (1.0 * 3 / 4, 3)


def test_a_correlation_that_is_not_defined_is_reported(stage, static, tmp_path):
    (tmp_path / "one").write_text("a dog\ta cat\t3\n")
    made = stage("eval sts", None, {"draws": 100}, pairs=[tmp_path / "one"], encoder=static)
    assert (made.manifest.results[0]["spearman"], "not defined" in made.warnings[-1]) == (None, True)


def test_what_does_not_match_is_refused(stage, static, files):
    with pytest.raises(DataError, match="has 4 lines"):
        stage("eval sts", pairs=[files["input"]], gold=[files["odd"]], encoder=static)
    with pytest.raises(ConfigError, match="either --encoder or --vectors"):
        stage("eval sts", pairs=[files["tsv"]])
    with pytest.raises(ConfigError, match="--target-encoder needs --encoder"):
        stage("eval sts", pairs=[files["tsv"]], target_encoder=static)


def test_languages_of_a_file_are_tracks_and_empty_sentences_a_choice(stage, static, tmp_path):
    rows = [(score, text, other, lang) for lang in ("en", "de-en")
            for score, text, other in ((1, "a dog", "a cat"), (3.5, "the sea", ""), (4, "sun", "moon"))]  # fmt: skip
    names = ("score", "sentence1", "sentence2", "lang")
    objects = (json.dumps(dict(zip(names, row, strict=True))) for row in rows)
    (tmp_path / "sts22.jsonl").write_text("".join(f"{each}\n" for each in objects))
    (tmp_path / "sts22.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in [names, *rows]))
    found = [
        stage("eval sts", None, {"draws": 100} | more, pairs=[tmp_path / name], encoder=static).manifest.results[:3]
        for name, more in (("sts22.jsonl", {}), ("sts22.tsv", {}), ("sts22.tsv", {"empty": "keep"}))
    ]
    assert found[0] == found[1]
    assert [each["track"] for each in found[0]] == ["macro mean", "sts22 en", "sts22 de-en"]
    assert [(own[1]["pairs"], own[1].get("left_out")) for own in found[1:]] == [(2, {EMPTY: 1}), (2, None)]
    assert found[2][1]["coverage"] == 2 / 3, "an empty sentence has no subwords, so a static encoder has no vector"


def test_the_meaning_of_overall_is_never_guessed(stage, static, tmp_path):
    rows = [("text1", "text2", "Overall"), ("a dog", "a dog", 1), ("the sea", "a tree", 4), ("sun", "moon", 2.5)]
    (tmp_path / "raw.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    with pytest.raises(ConfigError, match="in a column Overall"):
        stage("eval sts", None, {"draws": 100}, pairs=[tmp_path / "raw.tsv"], encoder=static)
    heads = [stage("eval sts", None, {"draws": 100, "scores": each}, pairs=[tmp_path / "raw.tsv"], encoder=static)
             for each in ("distance", "similarity")]  # fmt: skip
    first, second = (made.manifest.results[0] for made in heads)
    assert (first["spearman"], first["scores"]) == (-second["spearman"], "distance, with the sign turned")


def test_second_sentences_of_another_language(stage, static, files, tmp_path):
    swapped = "".join(f"{right}\t{left}\t{score}\n" for left, right, score in ROWS)
    (tmp_path / "other").write_text(swapped)
    made = stage("eval sts", tmp_path / "out", {"draws": 100}, pairs=[files["tsv"]], second=[tmp_path / "other"],
                 encoder=static)  # fmt: skip
    asked = [each["asked"] for each in made.json_lines("items.jsonl")]
    assert asked == [[left, left] for left, *_ in ROWS]
    (tmp_path / "other").write_text(swapped.replace("4.5", "4.4"))
    with pytest.raises(DataError, match=r"different scores in row 1: 4\.5 and 4\.4"):
        stage("eval sts", None, pairs=[files["tsv"]], second=[tmp_path / "other"], encoder=static)
    with pytest.raises(ConfigError, match="Every --pairs needs its --second"):
        stage("eval sts", pairs=[files["tsv"]] * 2, second=[files["tsv"]], encoder=static)


def test_real_tracks(data):
    folder = data / "sts" / "sts17"
    found = {}
    for name in ("track2.ar-en", "track4a.es-en", "track5.en-en", "track6.tr-en"):
        (track,) = _read(folder / f"STS.input.{name}.txt", folder / f"STS.gs.{name}.txt")
        assert (track.name, len(track.rows), track.left_out) == (name, 250, {})
        found[name] = _by_characters(track.rows, generator=None)[0].value
    assert [round(100 * value, 1) for value in found.values()] == [19.5, 11.1, 80.7, 2.3]
    lines = (folder / "STS.input.track6.tr-en.txt").read_text(encoding="utf-8").split("\n")[:250]
    assert [row[0] for row in track.rows] == [line.split("\t")[0].strip() for line in lines]
    with pytest.raises(DataError, match="has 500 lines"):
        _read(folder / "STS.input.track6.tr-en.txt", data / "sts" / "stsb" / "stsb-en-test.csv.gz")


def test_real_pairs_of_two_languages(data):
    folder = data / "sts" / "stsb"
    (track,) = _read(folder / "stsb-en-test.csv.gz", second=folder / "stsb-de-test.csv.gz")
    assert len(track.rows) == 1379
    assert round(100 * _by_characters(track.rows, generator=None)[0].value, 1) == 34.8
