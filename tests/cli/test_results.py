"""results: the scores of many evaluations as one table, in every form."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest


@pytest.fixture(scope="module")
def scores(lexenc, world, mapped, static, tmp_path_factory):
    """Two systems on one dictionary, one of them in two more evaluations, and a sweep."""
    out = tmp_path_factory.mktemp("scores")
    test = ["--dictionary", world / "test.tsv"]
    lexenc("eval", "bli", "--vectors", mapped, *test, "--out", out / "mapped")
    words = ["--source-vocabulary", world / "en.txt", "--target-vocabulary", world / "de.txt"]
    lexenc("eval", "bli", "--encoder", static, *words, *test, "--out", out / "encoder")
    blend = ["--vectors", mapped, "--encoder", static, "--train-dictionary", world / "train.tsv"]
    lexenc("eval", "bli", *blend, *test, "--lambda", "0,1", "--out", out / "more" / "sweep")
    (out / "pairs.tsv").write_text("a\tb\t1\nb\tc\t2\nc\td\t3\nd\ta\t4\n")
    lexenc("eval", "sts", "--encoder", static, "--pairs", out / "pairs.tsv", "--draws", 100, "--out", out / "sts")
    return out


def test_a_row_for_every_system_and_a_column_for_every_task(lexenc, scores, mapped, static):
    head, *rows = [line.split("\t") for line in lexenc("results", scores).lines]
    assert head == ["system", "bli P@1", "sts Spearman"]
    names = {row[0] for row in rows}
    assert names == {str(mapped), str(static), *(f"{mapped} + {static}, lambda {weight}" for weight in (0, 1))}
    only = lexenc("results", scores / "sts", "--metric", "pearson", "--metric", "spearman").lines
    assert only[0].split("\t")[1:] == ["sts Pearson", "sts Spearman"]


def test_numbers_are_those_of_the_evaluations(lexenc, scores):
    found = [json.loads(line) for line in lexenc("results", scores, "--format", "json").lines]
    for each in found:
        objects = json.loads((scores.__class__(each["folder"]) / "manifest.json").read_text())["results"]
        assert each["value"] in [one.get(each["metric"]) for one in objects]
    table = list(csv.DictReader(io.StringIO(lexenc("results", scores, "--format", "csv").stdout)))
    assert {float(row["bli P@1"]) for row in table if row["bli P@1"]} == {
        each["value"] for each in found if each["task"] == "bli"
    }
    best = [each for each in found if each["task"] == "bli" and each["best"]]
    assert {each["value"] for each in best} == {max(each["value"] for each in found if each["task"] == "bli")}


def test_significance_against_a_baseline(lexenc, scores, mapped, static):
    told = [json.loads(line) for line in
            lexenc("results", scores, "--baseline", scores / "mapped", "--json").lines]  # fmt: skip
    by_name = {each["system"]: each for each in told if each["task"] == "bli"}
    assert by_name[str(mapped)]["p_value"] is None
    own = by_name[str(static)]
    plain = json.loads(lexenc("compare", scores / "encoder", scores / "mapped", "--json").stdout)
    assert own["difference"] == plain["difference"]
    assert own["p_value"] >= plain["p_value"], "Holm's correction"
    assert own["significant"] == (own["p_value"] < 0.05)
    shown = lexenc("results", scores, "--baseline", mapped).stdout
    assert ("-" in shown.split(str(static))[1].split("[")[0]) == own["significant"]


def test_forms_of_papers(lexenc, scores):
    named = [f"best_of 50%={scores / 'mapped'}", f"x|y={scores / 'encoder'}"]
    latex = lexenc("results", *named, "--format", "latex").stdout
    assert latex.startswith("\\begin{tabular}{lc}\n\\toprule\nsystem & bli P@1 \\\\")
    assert "best\\_of 50\\% & \\textbf{" in latex
    markdown = lexenc("results", *named, "--format", "markdown").stdout.splitlines()
    assert markdown[1] == "| --- | ---: |"
    assert markdown[2].startswith("| best_of 50% | **")
    assert markdown[3].startswith("| x\\|y | ")


def test_faults(fails, scores, tmp_path):
    assert "no evaluation in" in fails("results", tmp_path, early=False).message
    assert "There is no folder" in fails("results", tmp_path / "none", early=False).message
    assert "called 'nobody'" in fails("results", scores, "--baseline", "nobody", early=False).message
    assert "'best'" in fails("results", scores, "--format", "best", early=False).message
    assert "'aer'" in fails("results", scores, "--metric", "aer", early=False).message
    twice = fails("results", f"a={scores / 'mapped'}", f"a={scores / 'encoder'}", early=False)
    assert "both score a on test" in twice.message


def test_marks_are_explained_in_every_form(lexenc, scores, mapped):
    two = [scores / "mapped", scores / "encoder", "--baseline", mapped]
    assert lexenc("results", *two, "--format", "markdown").lines[-1].endswith(f"better or worse than {mapped}.")
    last = lexenc("results", *two, "--format", "latex").stdout.splitlines()[-1]
    assert last.startswith("% 2 evaluations.")
    assert "Bold: best of the column." in last


def test_columns_of_one_name_stay_apart(lexenc, scores, static, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("en", "de"):
        (tmp_path / f"{name}.tsv").write_text(f"a\tb\t1\nb\tc\t2\nc\td\t3\nd\t{name}\t4\n")
    judge = ["eval", "sts", "--encoder", static, "--draws", 100]
    lexenc(*judge, "--pairs", "en.tsv", "--out", "one")
    lexenc(*judge, "--pairs", "en.tsv", "--pairs", "de.tsv", "--out", "two")
    heads = lexenc("results", "one", "two").lines[0].split("\t")[1:]
    assert heads == [f"sts {name} Spearman" for name in ("en", "en+de macro mean", "en+de en", "en+de de")]
    head, _ = csv.reader(io.StringIO(lexenc("results", "one", "two", "--format", "csv").stdout))
    assert len(head) == len(set(head)) == 1 + 3 * len(heads)


def test_a_name_in_csv_is_no_formula(lexenc, scores):
    shown = lexenc("results", f"=1+1={scores / 'sts'}", "--format", "csv")
    assert [row["system"] for row in csv.DictReader(io.StringIO(shown.stdout))] == ["'=1+1"]


def test_an_unfair_test_is_named_below_the_table(lexenc, mapped, world, tmp_path):
    lexenc("eval", "bli", "--vectors", mapped, "--dictionary", world / "train.tsv", "--out", tmp_path / "seen")
    shown = lexenc("results", tmp_path, "--format", "markdown")
    assert f"NOT A FAIR TEST of {mapped}:" in shown.stdout
    (found,) = (json.loads(line) for line in lexenc("results", tmp_path, "--json").lines)
    assert found["unfair"] == ["28 test pairs were learnt from."]


@pytest.fixture(scope="module")
def others(lexenc, scores, world, mapped, static, tmp_path_factory):
    """The system `mapped` with another retrieval, and on the same dictionary with fewer and with other answers."""
    out = tmp_path_factory.mktemp("others")
    lines = (world / "test.tsv").read_text(encoding="utf-8").splitlines()
    words = ["--vectors", mapped, "--out"]
    lexenc("eval", "bli", *words, out / "csls", "--dictionary", world / "test.tsv", "--retrieval", "csls")
    for name, left in (("fewer", lines[:-2]), ("gold", [lines[0].split("\t")[0] + "\t" + lines[1].split("\t")[1],
                                                        *lines[1:]])):  # fmt: skip
        (out / name).mkdir()
        (out / name / "test.tsv").write_text("".join(f"{line}\n" for line in left), encoding="utf-8")
        lexenc("eval", "bli", *words, out / f"on-{name}", "--dictionary", out / name / "test.tsv")
    return out


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("csls", "as the systems differ in retrieval (nearest, csls)."),
        ("on-fewer", "as the systems differ in the queries that they answered, or their gold answers."),
        ("on-gold", "as the systems differ in the queries that they answered, or their gold answers."),
    ],
)
def test_nothing_is_best_where_conventions_or_items_differ(lexenc, scores, others, tmp_path, monkeypatch, folder, why):
    # Test sets of one name are told apart only where their contents are known to differ.
    pair = [tmp_path / "a", tmp_path / "b"]
    for place, origin in zip(pair, (scores / "mapped", others / folder), strict=True):
        shutil.copytree(origin, place, ignore=shutil.ignore_patterns("manifest.json"))
    shown = lexenc("results", *pair, "--format", "markdown", "--baseline", pair[0])
    *_, note = shown.lines
    assert "**" not in shown.stdout
    assert "Bold: best" not in note
    assert f"none is marked, {why}" in note
    assert ("Not compared with" in note) == (folder != "csls")


def test_the_caption_has_the_convention_and_the_number_of_items(lexenc, scores):
    note = lexenc("results", scores, "--format", "markdown").lines[-1]
    assert "bli P@1 (12 queries); retrieval nearest; direction source-target;" in note
    assert "out of vocabulary left out" in note
    assert "sts Spearman (4 " in note


def test_what_is_damaged_is_left_out_with_a_warning(lexenc, fails, scores, tmp_path):
    shutil.copytree(scores, tmp_path / "all")
    (tmp_path / "all/sts/scores.json").write_text('{"task": "bli"')
    body = json.loads((tmp_path / "all/encoder/scores.json").read_text())
    (tmp_path / "all/encoder/scores.json").write_text(json.dumps(body | {"task": "chess"}))
    done = lexenc("results", tmp_path / "all")
    assert len(done.lines) == 1 + 3, "the head, and the mapping with its sweep"
    assert done.stderr.count("An evaluation is left out") == 2
    assert "sts/scores.json" in done.stderr
    assert "there is no task 'chess'" in done.stderr
    assert "sts/scores.json" in fails("results", tmp_path / "all", tmp_path / "all/sts").message
    shutil.copytree(tmp_path / "all/sts", tmp_path / "alone/sts")
    assert "sts/scores.json" in fails("results", tmp_path / "alone").message


def test_one_column_for_all_tracks_and_the_controls_below(lexenc, static, mapped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("en", "de"):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{a}\t{b}\t{i}\n" for i, (a, b) in enumerate(
            [("dog", "cat"), ("sun", "moon"), ("a tree", "house"), ("sea", "river"), (name, "book")])))  # fmt: skip
    judge = ["eval", "sts", "--draws", 100, "--pairs", "en.tsv", "--pairs", "de.tsv"]
    lexenc(*judge, "--encoder", static, "--out", "one")
    lexenc(*judge, "--vectors", mapped, "--out", "two")
    one, two = lexenc("results", "a=one", "b=two", "--means", "--controls", "--baseline", "best", "--json").lines[:2]
    assert {each["test"] for each in map(json.loads, (one, two))} == {"en+de macro mean"}
    latex = lexenc("results", "a=one", "b=two", "--means", "--controls", "--format", "latex").stdout.splitlines()
    assert latex[0] == r"\begin{tabular}{lc}"
    names = [line.split(" & ")[0] for line in latex if line.endswith(r"\\")]
    assert names == ["system", "a", "b", "control: shuffled scores", "control: characters only"]
    assert latex[latex.index(r"\midrule", 5) + 1].startswith("control: ")
    assert "mean over tracks" in latex[-1]


def test_the_best_of_each_column_is_a_baseline(lexenc, scores, mapped, static):
    told = [json.loads(line) for line in lexenc("results", scores, "--baseline", "best", "--json").lines]
    words = {each["system"]: each for each in told if each["task"] == "bli"}
    best = next(each for each in words.values() if each["best"])
    other = next(each for each in words.values() if each["system"] in (str(mapped), str(static)) and not each["best"])
    assert best["p_value"] is None
    assert other["difference"] == pytest.approx(other["value"] - best["value"])
    assert other["significant"] == (other["p_value"] < 0.05)
    assert "than the best of the column" in lexenc("results", scores, "--baseline", "best", "--format", "latex").stdout
