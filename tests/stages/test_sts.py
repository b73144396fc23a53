"""eval sts: correlations with ratings, by test set."""

from __future__ import annotations

import pytest
from scipy.stats import spearmanr

from lexenc.errors import ConfigError, DataError

ROWS = [("a dog runs", "ein hund", 4.5), ("he said, no", "a cat", 1), ("the sea", "meer", 5), ("tree", "sonne", 0.2)]
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
    assert second["left_out"] == {"no score": 1, "no two sentences with a score": 2}
    for more in ({"pairs": [files["csv"]]}, {"pairs": [files["input"]], "gold": [files["gold"]]}):
        alone, control = stage("eval sts", None, {"draws": 100}, encoder=static, **more).manifest.results
        assert (alone["spearman"], alone["pearson"]) == (first["spearman"], first["pearson"])
        assert control["control"] == "shuffled scores"
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
