"""induce and read-review as a person types them: files, pipes, numbers."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def command(mapped, world):
    return ["induce", "--vectors", mapped, "--dictionary", world / "train.tsv", "--quiet"]


def test_a_name_with_an_ending_is_one_file(command, lexenc, tmp_path):
    shown = lexenc(*command, "--out", tmp_path / "lexicon.tsv")
    head, *lines = (tmp_path / "lexicon.tsv").read_text(encoding="utf-8").splitlines()
    assert head.startswith("source\ttarget\tprobability\tcsls\t")
    assert len(lines) == 40
    assert shown.lines[0] == "probability from\twords\tprecision\t95 %\tcoverage"
    assert [path.name for path in tmp_path.iterdir()] == ["lexicon.tsv"]
    lexenc(*command, "--out", tmp_path / "review.csv")
    assert (
        (tmp_path / "review.csv").read_bytes().startswith(b"\xef\xbb\xbfsource,target,probability,decision,correction")
    )


def test_a_file_is_only_replaced_by_force(command, fails, lexenc, tmp_path):
    path = tmp_path / "lexicon.tsv"
    path.write_text("mine\n")
    found = fails(*command, "--out", path)
    assert found.message == f"{path} already exists."
    assert "--force" in found.hint
    assert path.read_text() == "mine\n"
    lexenc(*command, "--out", path, "--force")
    assert path.read_text(encoding="utf-8").startswith("source\t")


def test_a_file_never_replaces_an_input(world, mapped, fails, tmp_path):
    own = tmp_path / "train.tsv"
    own.write_bytes((world / "train.tsv").read_bytes())
    found = fails("induce", "--vectors", mapped, "--dictionary", own, "--out", own, "--force")
    assert found.message == f"--out {own} is the input 'dictionary' itself."
    found = fails("induce", "--vectors", mapped, "--dictionary", own, "--out", mapped / "lexicon.tsv")
    assert "lies in the input 'vectors'" in found.message
    assert own.read_bytes() == (world / "train.tsv").read_bytes()


def test_failure_leaves_the_old_file(mapped, fails, tmp_path):
    (tmp_path / "bad.tsv").write_text("x\ty\n")
    (tmp_path / "lexicon.tsv").write_text("mine\n")
    command = ["induce", "--vectors", mapped, "--dictionary", tmp_path / "bad.tsv"]
    fails(*command, "--out", tmp_path / "lexicon.tsv", "--force")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "bad.tsv": "x\ty\n",
        "lexicon.tsv": "mine\n",
    }


@pytest.mark.parametrize("out", [[], ["--out", "-"]], ids=["nothing", "dash"])
def test_without_a_name_the_lexicon_is_printed_and_nothing_else(command, lexenc, out):
    shown = lexenc(*command, *out)
    assert shown.lines[0].startswith("source\ttarget\tprobability")
    assert len(shown.lines) == 41
    assert all(line.count("\t") == 8 for line in shown.lines)


def test_numbers_as_json(command, lexenc, tmp_path):
    head, _, control = (json.loads(line) for line in lexenc(*command, "--json").lines)
    assert {"expected_calibration_error", "precision_at_threshold", "coverage_at_threshold", "entries"} <= set(head)
    assert [point["threshold"] for point in head["thresholds"]] == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    assert "control" in control
    filed = lexenc(*command, "--json", "--out", tmp_path / "lexicon.tsv")
    assert json.loads(filed.lines[0])["expected_calibration_error"] == head["expected_calibration_error"]


def test_only_one_thing_is_printed(command, attempt):
    shown = attempt(*command, "--json", "--out", "-")
    assert (shown.code, shown.stdout) == (2, "")
    assert json.loads(shown.stderr)["error"].startswith("--json and --out - would both print")


def test_a_folder_keeps_everything(command, lexenc, tmp_path):
    lexenc(*command, "--out", tmp_path / "run")
    assert {"lexicon.tsv", "review.csv", "calibration.json", "curve.tsv", "manifest.json"} == {
        path.name for path in (tmp_path / "run").iterdir()
    }


def test_review_goes_round(command, lexenc, fails, tmp_path, world, mapped):
    review = tmp_path / "review.csv"
    lexenc(*command, "--out", review)
    head, first, *rest = review.read_text(encoding="utf-8-sig").splitlines()
    source, target, *_ = first.split(",")
    review.write_text("\n".join([head, first.replace(",,", ",fine,"), *rest]), encoding="utf-8")
    found = fails("read-review", review, "--out", tmp_path / "reviewed.tsv")
    assert found.message == f"{review}, line 2: unknown decision 'fine'."
    assert not (tmp_path / "reviewed.tsv").exists()
    review.write_text("\n".join([head, first.replace(",,", ",OK,"), *rest]), encoding="utf-8")
    lexenc("read-review", review, "--out", tmp_path / "reviewed.tsv")
    assert (tmp_path / "reviewed.tsv").read_text(encoding="utf-8") == f"{source}\t{target}\n"
    assert lexenc("read-review", review).stdout == f"{source}\t{target}\n"


def test_dry_run_writes_nothing(command, lexenc, tmp_path):
    lexenc(*command, "--out", tmp_path / "lexicon.tsv", "--dry-run")
    assert list(tmp_path.iterdir()) == []


def test_table_fits_a_narrow_window(command, lexenc, tmp_path):
    shown = lexenc("induce", "--help", env={"COLUMNS": "80"})
    assert all(len(line) <= 80 for line in shown.lines)
    assert "lexicon.tsv" in shown.stdout


def test_what_becomes_of_the_dictionary_is_said(command, lexenc, tmp_path, world):
    loud = [each for each in command if each != "--quiet"]
    shown = lexenc(*loud, "--out", tmp_path / "lexicon.tsv", "--margin", 2)
    pairs = (world / "train.tsv").read_text(encoding="utf-8").splitlines()
    assert f"{len(pairs)} dictionary pairs with vectors not in the lexicon" in shown.stderr
    shown = lexenc(*loud, "--out", tmp_path / "new.tsv", "--only-new", "--top", 2, "--min-probability", 0)
    rows = [line.split("\t") for line in (tmp_path / "new.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    further = [row for row in rows if row[8].startswith("new further")]
    assert f"{len(further)} further translations of words in the dictionary without a probability" in shown.stderr
    assert [row for row in rows if not row[2]] == further
    assert "not in the lexicon" not in shown.stderr
