"""eval xlsim and cross-pairs as a person types them."""

from __future__ import annotations

import json

import pytest

PAIRS = "word 1\tword 2\tscore\ndog\thund\t9\ncat\thaus\t1\nsun\tmond\t4\nwater\tmilch\t3\n"


@pytest.fixture
def pairs(tmp_path):
    (tmp_path / "pairs.txt").write_text(PAIRS)
    return tmp_path / "pairs.txt"


def test_the_bundled_encoder_on_a_file_with_cr_alone(lexenc, tmp_path):
    path = tmp_path / "simlex-german.txt"
    path.write_bytes(PAIRS.replace("\n", "\r").encode())
    lines = lexenc("eval", "xlsim", "--encoder", "mini", "--pairs", path, "--json").lines
    head = json.loads(lines[0])
    assert {"spearman", "pearson", "coverage", "spearman_low", "spearman_high"} <= set(head)
    assert (head["test_pairs"], head["coverage"], len(lines)) == (4, 1.0, 3)


def test_undefined_is_null_in_json(lexenc, tmp_path):
    (tmp_path / "one.txt").write_text("dog\thund\t9\n")
    shown = lexenc("eval", "xlsim", "--encoder", "mini", "--pairs", tmp_path / "one.txt", "--json")
    assert json.loads(shown.lines[0])["spearman"] is None
    assert "NaN" not in shown.stdout
    assert "fewer than two pairs" in shown.stderr


def test_pairs_may_be_piped(lexenc, mapped):
    shown = lexenc("eval", "xlsim", "--vectors", mapped, "--pairs", "-", stdin=PAIRS)
    assert shown.lines[0].split("\t")[:3] == ["convention", "pairs", "Spearman"]
    assert [line.split("\t")[0] for line in shown.lines[1:]] == [
        "covered, left out", "all, similarity 0", "control: shuffled scores"
    ]  # fmt: skip


def test_a_sweep_has_a_column_per_lambda(lexenc, mapped, static, world, pairs):
    files = ["--vectors", mapped, "--encoder", static, "--train-dictionary", world / "train.tsv", "--pairs", pairs]
    shown = lexenc("eval", "xlsim", *files, "--lambda", "0,0.5,1", "--draws", 100)
    assert shown.lines[0].split("\t") == ["lambda", "0", "0.5", "1"]
    assert [line.split("\t")[0] for line in shown.lines[2:4]] == ["95 % from", "95 % to"]
    assert "1 of 4 test pairs was used for training" in shown.stderr


def test_crossing_leads_to_evaluation(lexenc, tmp_path, static):
    for name in ("en", "de"):
        (tmp_path / f"{name}.txt").write_text("a\tb\t1\nc\td\t5\ne\tf\t8\n")
    shown = lexenc("cross-pairs", "--source", tmp_path / "en.txt", "--target", tmp_path / "de.txt",
                   "--out", tmp_path / "pairs")  # fmt: skip
    assert "next: lexenc eval xlsim --pairs" in shown.stderr
    lexenc("eval", "xlsim", "--encoder", static, "--pairs", tmp_path / "pairs")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "holds no pairs", "word, TAB, word, TAB, score"),
        ("dog\thund\t9\ncat\tkatze\tnine\n", "line 2: the score is 'nine'", "7.5"),
        ("Word 1,Word 2,Human (mean)\ndog,hund,90\n", "line 2: the score is 90", "delete the line"),
    ],
)
def test_bad_pairs_fail_in_two_lines(fails, tmp_path, static, text, message, hint):
    (tmp_path / "pairs.txt").write_text(text)
    failure = fails("eval", "xlsim", "--encoder", static, "--pairs", tmp_path / "pairs.txt")
    assert message in failure.message
    assert hint in failure.hint
