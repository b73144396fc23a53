"""The table of messages: what is wrong, with its value and place, and one thing to do."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
import torch
from typer.core import TyperGroup

import lexenc.stages.lexical.map as map_stage
from lexenc.stages import STAGES


def map_files(world, **other):
    files = {"source": world / "en.vec", "target": world / "de.vec", "dictionary": world / "train.tsv"} | other
    return [word for name, path in files.items() for word in (f"--{name}", path)]


def written(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def yaml(tmp_path, world, static):
    def make(body):
        text = body.replace("WORLD", str(world)).replace("ENC", str(static))
        return written(tmp_path / "pipeline.yaml", text)

    return make


MINE = """
steps:
  - stage: mine-negatives
    inputs: {pairs: WORLD/train.tsv, encoder: ENC, target_vocabulary: WORLD/de.txt}
    params: {%s}
"""


# ---------------------------------------------------------------- pipeline files


@pytest.mark.parametrize("command", [("check",), ("run",), ("run", "--dry-run"), ("status",)])
def test_typo_in_yaml(yaml, fails, command):
    found = fails(*command, yaml(MINE % "cuont: 5"))
    assert found.message == "There is no parameter of mine-negatives called 'cuont'."
    assert found.hint == "Did you mean 'count'?"


def test_several_faults_are_shown_together(yaml, fails):
    found = fails("check", yaml(MINE % "cuont: 5, max_score: 7, sampling: tpo" + "sead: 4\n"), faults=4).faults
    assert [message for message, _ in found] == [
        "There is no pipeline key called 'sead'.",
        "There is no parameter of mine-negatives called 'cuont'.",
        "steps[0].params.max_score must be at most 1, got 7.",
        "steps[0].params.sampling cannot be 'tpo'.",
    ]
    assert found[3][1].endswith("Did you mean 'top'?")


def test_several_faults_of_options_are_shown_together(world, fails, tmp_path):
    words = ["map", *map_files(world), "--kind", "ortogonal", "--limit", 0, "--out", tmp_path / "out"]
    found = fails(*words, faults=2).faults
    assert found[0][1].endswith("Did you mean 'orthogonal'?")
    assert found[1][0] == "--limit must be at least 1, got 0."


def test_several_missing_files_are_two_lines_each_and_a_list_in_json(fails, attempt, tmp_path):
    words = ["map", "--source", "a", "--target", "b", "--dictionary", "c", "--out", tmp_path / "out"]
    wanted = [(f"map: input '{name}' is not there: {path}", "Check the path.")
              for name, path in (("source", "a"), ("target", "b"), ("dictionary", "c"))]  # fmt: skip
    assert fails(*words, faults=3).faults == wanted
    (line,) = attempt(*words, "--json").stderr.splitlines()
    told = json.loads(line)
    assert told["error"] == "3 faults."
    assert [(each["error"], each["hint"]) for each in told["faults"]] == wanted


def test_faults_that_follow_from_a_step_that_cannot_be_read_are_not_told(yaml, fails):
    found = fails("check", yaml("""
steps:
  - {stage: finetun, name: encoder, inputs: {pairs: WORLD/train.tsv, encoder: ENC}}
  - {stage: map, inputs: {source: WORLD/en.vec, target: WORLD/de.vec, dictionary: WORLD/train.tsv}}
  - {stage: interpolate, inputs: {vectors: "${map}", encoder: "${encoder}", dictionary: WORLD/train.tsv}}
  - {stage: mine-negatives, inputs: {pairs: "${encoder.x}", encoder: "${encoder}", target_vocabulary: WORLD/de.txt}}
"""))  # fmt: skip
    assert found.message == "steps[0]: There is no stage called 'finetun'."
    assert found.hint == "Did you mean 'finetune'?"
    found = fails("check", yaml("""
steps:
  - {stage: finetun, inputs: {pairs: WORLD/train.tsv, encoder: ENC}}
  - {stage: encode, inputs: {words: WORLD/en.txt, encoder: "${finetune}"}}
"""))  # fmt: skip
    assert found.message == "steps[0]: There is no stage called 'finetun'."


def test_an_unknown_input_beside_a_reference_is_told(yaml, fails):
    found = fails("check", yaml("""
steps:
  - {stage: encode, name: first, inputs: {words: WORLD/en.txt, encoder: ENC}}
  - {stage: encode, inputs: {texts: WORLD/en.txt, words: "${first.words.txt}", encoder: ENC}}
"""))  # fmt: skip
    assert found.message == "steps[1]: There is no input of encode called 'texts'."


def test_yaml_reads_no_as_false(yaml, fails):
    found = fails("check", yaml(MINE % "source_language: no"))
    assert found.message == "steps[0].params.source_language must be text, got False."
    assert "YAML reads no, off or false as false" in found.hint
    assert "'no'" in found.hint


def test_yaml_reads_2e_5_as_text_and_we_as_a_number(yaml, lexenc, world):
    body = (MINE % "epochs: 1, learning_rate: 2e-5").replace("mine-negatives", "finetune")
    lexenc("check", yaml(body.replace(", target_vocabulary: WORLD/de.txt", "")))


@pytest.mark.parametrize(
    ("body", "faults", "says"),
    [
        ("steps: []", 1, "steps must be a list with at least one step."),
        ("", 1, "is not a table of keys and values."),
        ("steps: [1]", 1, "steps[0] must be a table, got 1."),
        ("steps:\n - stage: mapp", 1, "There is no stage called 'mapp'."),
        ("a: [1", 1, "line 1"),
        ("seed: -3\nsteps:\n - stage: compare\n   inputs: {first: a, second: b}", 3, "seed must be a whole number"),
        ("steps:\n - {stage: compare, inputs: {first: '${gone}', second: b}}", 2, "no earlier step called 'gone'"),
        ("device: gpu\nsteps:\n - {stage: compare, inputs: {first: a, second: b}}", 3, "no device called 'gpu'"),
    ],
)
def test_bad_pipeline_files(yaml, fails, body, faults, says):
    assert any(says in message for message, _ in fails("check", yaml(body), faults=faults).faults)


def test_missing_pipeline_file(fails, tmp_path):
    found = fails("run", tmp_path / "none.yaml")
    assert "There is no pipeline file" in found.message
    assert "lexenc init" in found.hint


def test_missing_input_names_the_stage_that_makes_it(pipeline, fails, lexenc, tmp_path):
    pipeline.write_text(pipeline.read_text().replace('"${mapped}"', '"${mapped.sauce}"'))
    lexenc("run", pipeline, "--until", "mapped")
    found = fails("run", pipeline, early=False)
    assert found.message.startswith("eval bli: input 'vectors' is not there:")
    assert found.message.endswith("sauce")
    assert found.hint == f"Run the stage that makes it first: lexenc run {pipeline} --until mapped"


def test_earlier_step_must_be_up_to_date(pipeline, fails, tmp_path):
    found = fails("run", pipeline, "--from", "scores")
    assert found.message == "Step 'mapped' is not up to date (no result yet)."
    assert found.hint == f"Run it first: lexenc run {pipeline} --until mapped"
    assert not (tmp_path / "runs").exists()


def test_check_finds_missing_files(yaml, fails):
    body = (MINE % "count: 3").replace("train.tsv", "trian.tsv").replace("de.txt", "ed.txt")
    found = fails("check", yaml(body), faults=2).faults
    assert "trian.tsv" in found[0][0]
    assert "ed.txt" in found[1][0]


# ---------------------------------------------------------------- input data


def test_missing_input(world, fails, tmp_path):
    found = fails("map", *map_files(world, source=tmp_path / "none.vec"), "--out", tmp_path / "out")
    assert found.message == f"map: input 'source' is not there: {tmp_path / 'none.vec'}"


def test_bad_row_with_its_line(world, fails, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", "dog\thund\ncat\tkatze\tkater\n")
    found = fails("map", *map_files(world, dictionary=pairs), "--out", tmp_path / "out")
    assert found.message == f"{pairs}, line 2: 3 columns, expected 2 (source, target)."
    assert found.hint == "A tab inside the text? Replace it by a space."


def test_bad_row_of_finetune_names_its_columns(static, fails, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", "one two three\n")
    found = fails("finetune", "--pairs", pairs, "--encoder", static, "--out", tmp_path / "out")
    assert "line 1: 3 columns, expected 2 (anchor, positive)." in found.message


def test_not_utf8_with_byte_offset_and_line(world, fails, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", b"dog\thund\ngreen\tgr\xfcn\n")
    found = fails("map", *map_files(world, dictionary=pairs), "--out", tmp_path / "out")
    assert found.message == f"{pairs} is not UTF-8 (byte 0xfc at offset 17, line 2)."
    assert found.hint == f"Convert it: iconv -f latin1 -t utf-8 {pairs}"


def test_standard_input_is_named_so(world, static, fails, lexenc, tmp_path):
    bad, out = b"dog\thund\ngreen\tgr\xfcn\n", ["--out", tmp_path / "out"]
    for command in (["map", *map_files(world, dictionary="-")], ["encode", "-", "--encoder", static]):
        found = fails(*command, *out, stdin=bad)
        assert found.message == "standard input is not UTF-8 (byte 0xfc at offset 17, line 2)."
        assert found.hint == "Convert it: iconv -f latin1 -t utf-8 -"
    found = fails("map", *map_files(world, dictionary="-"), *out, stdin="dog\n")
    assert found.message == "standard input, line 1: 1 column, expected 2 (source, target)."
    shown = lexenc(
        "map", *map_files(world, source="-"), *out, stdin=(world / "en.vec").read_text() + "dog 1 2 3 4 5 6 7 8\n"
    )
    assert "warning: standard input: 1 " in shown.stderr
    assert "lexenc-stdin" not in shown.stderr + (tmp_path / "out" / "manifest.json").read_text()


def test_pipes_of_a_shell_are_named_as_the_shell_does(world, fails, lexenc, mapped, tmp_path):
    def piped(content):
        out, into = os.pipe()
        os.write(into, content)
        os.close(into)
        return out

    reader = piped(b"dog\n")
    found = fails("map", *map_files(world, dictionary=f"/dev/fd/{reader}"), "--out", tmp_path / "out")
    assert found.message == f"/dev/fd/{reader}, line 1: 1 column, expected 2 (source, target)."
    os.close(reader)
    reader = piped((world / "train.tsv").read_bytes())
    lexenc("map", *map_files(world, dictionary=f"/dev/fd/{reader}"), "--out", tmp_path / "out")
    os.close(reader)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["inputs"]["dictionary"][0]["given"] == f"/dev/fd/{reader}"


def test_phrases_that_a_format_cannot_hold_are_refused_before_any_warning(fails, tmp_path):
    vectors = written(tmp_path / "x.vec", "3 2\nnew york 0 1\ncity of light 1 1\nhouse 1 0\n")
    found = fails("export", vectors, "--phrases", "keep", "--format", "word2vec", "--out", tmp_path / "out")
    assert found.message == f"{vectors}: 2 of 3 words with spaces, at which the word2vec format ends a word."
    assert found.hint == "Use --phrases underscore or drop, or --format vec."


def test_dimensions(world, fails, tmp_path):
    other = written(tmp_path / "de.vec", "2 3\nhund 1 2 3\nkatze 3 2 1\n")
    found = fails("map", *map_files(world, target=other), "--out", tmp_path / "out")
    assert found.message == "Source vectors have 8 columns, target vectors 3."
    assert "--reduce-to 3" in found.hint


def test_dictionary_warning_has_number_and_share(world, lexenc, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", (world / "train.tsv").read_bytes() + b"xx\tyy\n" * 4)
    shown = lexenc("map", *map_files(world, dictionary=pairs), "--out", tmp_path / "out")
    lines = shown.stderr.splitlines()
    wanted = "warning: 4 of 32 dictionary pairs have a word without a vector and are skipped (12 %)."
    assert lines.count(wanted) == 1
    assert lines[lines.index(wanted) + 1].startswith("hint:")
    assert (tmp_path / "out" / "missing.tsv").read_text() == "xx\tyy\n" * 4


def test_nothing_left_shows_the_first_pair(world, fails, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", "hund\tdog\nkatze\tcat\n")
    found = fails("map", *map_files(world, dictionary=pairs), "--out", tmp_path / "out")
    assert found.message == "No dictionary pair has vectors on both sides (0 of 2)."
    assert "The columns look swapped: the other way round 2 of 2 pairs would have vectors" in found.hint
    assert "First pair read: 'hund' - 'dog'" in found.hint
    pairs.write_text("chien\thund\nchat\tkatze\n")
    found = fails("map", *map_files(world, dictionary=pairs), "--out", tmp_path / "out")
    assert "source, then target" in found.hint


@pytest.mark.parametrize("cell", ["a" * 100_000, "a " * 50_000])
def test_a_huge_cell_is_not_told_whole(world, attempt, tmp_path, cell):
    pairs = written(tmp_path / "pairs.tsv", f"{cell}\tcat\n")
    words = ["map", *map_files(world, dictionary=pairs), "--out", tmp_path / "out"]
    for more in ([], ["--json"]):
        shown = attempt(*words, *more)
        assert shown.code == 2
        assert "First pair read: 'a" in shown.stderr
        assert re.search(r" \[\.\.\. [\d,]+ characters \.\.\.\] ", shown.stderr)
        assert "'cat'" in shown.stderr
        assert len(shown.stderr) < 3_000


def test_nothing_left_of_the_questions(world, mapped, fails, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", "Dog\tHund\n")
    found = fails("eval", "bli", "--vectors", mapped, "--dictionary", pairs, early=False)
    assert found.message == "No test word has vectors on both sides (0 of 1)."
    assert "'Dog' - 'Hund'" in found.hint
    assert "--lowercase" in found.hint


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        ("Dog\tHund\nCat\tKatze\n", "Do they differ in case? With --lowercase 3 of 3 pairs would have vectors"),
        ("hund\tdog\nkatze\tcat\n", "The columns look swapped: the other way round 2 of 3 pairs would have vectors"),
        ("xx\tyy\nzz\tyy\n", "The others"),
    ],
)
def test_low_coverage_is_told_with_what_would_help(world, mapped, lexenc, tmp_path, lines, hint):
    pairs = written(tmp_path / "pairs.tsv", "tree\tbaum\n" + lines)
    for what, words in (
        ("test words", ["eval", "bli", "--vectors", mapped, "--dictionary", pairs]),
        ("dictionary pairs", ["map", *map_files(world, dictionary=pairs), "--out", tmp_path / "out"]),
    ):
        told = lexenc(*words).stderr.splitlines()
        place = told.index(f"warning: Only 1 of 3 {what} has vectors on both sides (33 %).")
        assert told[place + 1].startswith(f"hint:  {hint}")


def test_a_hint_on_coverage_names_the_rows_as_the_table_does(world, mapped, lexenc, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", "tree\tbaum\nxx\tyy\nzz\tyy\n")
    shown = lexenc("eval", "bli", "--vectors", mapped, "--dictionary", pairs)
    assert "wrong in the rows 'counted wrong'." in shown.stderr
    assert "source word, counted wrong" in shown.stdout


def test_low_coverage_of_target_source_looks_at_the_columns_of_the_file(world, mapped, lexenc, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", "tree\tbaum\nhund\tdog\nkatze\tcat\n")
    shown = lexenc("eval", "bli", "--vectors", mapped, "--dictionary", pairs, "--direction", "target-source")
    assert "The columns look swapped: the other way round 2 of 3 pairs" in shown.stderr


def test_missing_tsv_is_named_only_where_it_stays(world, mapped, static, lexenc, tmp_path):
    train = written(tmp_path / "train.tsv", (world / "train.tsv").read_bytes() + b"xx\tyy\n")
    files = ["--vectors", mapped, "--encoder", static, "--train-dictionary", train, "--dictionary", world / "test.tsv"]
    printed, kept = lexenc("eval", "bli", *files), lexenc("eval", "bli", *files, "--out", tmp_path / "out")
    wanted = "1 of 29 dictionary pairs has a word without a vector and is skipped (3 %)."
    assert wanted in printed.stderr
    assert "missing.tsv" not in printed.stderr
    assert "hint:  It is listed in missing.tsv of the result." in kept.stderr
    assert (tmp_path / "out" / "missing.tsv").is_file()


def test_poor_dictionary_is_announced(world, lexenc, tmp_path):
    pairs = written(tmp_path / "pairs.tsv", "dog\thund\ncat\tkatze\ntree\tbaum\n")
    shown = lexenc("map", *map_files(world, dictionary=pairs), "--out", tmp_path / "out")
    assert "warning:" in shown.stderr


# ---------------------------------------------------------------- places


def test_overwrite_is_refused_with_the_difference(world, lexenc, fails, tmp_path):
    lexenc("map", *map_files(world), "--out", tmp_path / "out")
    found = fails("map", *map_files(world), "--reduce-to", 5, "--whiten", "--out", tmp_path / "out")
    assert found.message == f"{tmp_path / 'out'} already holds a result (reduce_to: None -> 5)."
    assert found.hint == "Choose another --out, or add --force to replace it."


def test_foreign_folder(world, fails, tmp_path):
    written(tmp_path / "thesis.txt", "mine")
    found = fails("map", *map_files(world), "--out", tmp_path, "--force")
    assert found.message == f"{tmp_path} contains files that lexenc did not make."
    assert found.hint == "Choose an empty or new folder for --out."


def test_out_is_a_file(world, fails, tmp_path):
    place = written(tmp_path / "file", "mine")
    assert fails("map", *map_files(world), "--out", place, "--force").message == f"{place} is a file, not a folder."
    assert "file" in fails("map", *map_files(world), "--out", place / "below").message
    assert place.read_text() == "mine"


# ---------------------------------------------------------------- devices


def test_device_that_is_not_there(world, static, fails, tmp_path):
    found = fails("encode", world / "en.txt", "--encoder", static, "--device", "cuda:7", "--out", tmp_path / "out")
    assert found.message.startswith("No CUDA device 7; this machine has ")
    assert "--device" in found.hint
    if not torch.cuda.is_available():
        assert found.message.endswith("none.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "", "CPU"])
def test_device_that_no_machine_has(world, static, mapped, pipeline, fails, tmp_path, name):
    for command in (
        ("encode", world / "en.txt", "--encoder", static, "--out", tmp_path / "out"),
        ("eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv"),
        ("translate", "--vectors", mapped, world / "en.txt"),
        ("run", pipeline),
    ):
        found = fails(*command, "--device", name)
        assert found.message == f"There is no device called '{name}'."
        assert found.hint == "Use auto, cpu, cuda, cuda:1 or mps."


def test_device_of_the_environment(world, static, fails, tmp_path):
    command = ("encode", world / "en.txt", "--encoder", static, "--out", tmp_path / "out")
    assert "'quantum'" in fails(*command, env={"LEXENC_DEVICE": "quantum"}).message


# ---------------------------------------------------------------- our own faults


def test_bug_asks_for_a_report(world, fails, attempt, tmp_path, monkeypatch):
    def broken(inputs, params, job):
        raise ValueError("sizes 3 and 4\nsecond line")

    monkeypatch.setitem(STAGES._loaded, "map", dataclasses.replace(map_stage.MAP, run=broken))
    found = fails("map", *map_files(world), "--out", tmp_path / "out", code=70)
    assert "Something is wrong inside lexenc (ValueError in" in found.message
    assert "--debug" in found.hint
    assert "lexenc env" in found.hint
    assert list(tmp_path.iterdir()) == []
    shown = attempt("map", *map_files(world), "--out", tmp_path / "out", "--debug")
    assert shown.code == 70
    assert "Traceback" in shown.stderr


def test_out_of_memory_is_no_bug(world, fails, tmp_path, monkeypatch):
    def hungry(inputs, params, job):
        raise MemoryError

    monkeypatch.setitem(STAGES._loaded, "map", dataclasses.replace(map_stage.MAP, run=hungry))
    assert fails("map", *map_files(world), "--out", tmp_path / "out", code=1).message == "Out of memory."


@pytest.mark.parametrize("place", ["x", None])
def test_full_disk_is_no_bug_and_the_place_is_named(world, fails, tmp_path, monkeypatch, place):
    out, said = tmp_path / "out", "No space left on device"

    def full(inputs, params, job):
        raise OSError(28, said, place)

    monkeypatch.setitem(STAGES._loaded, "map", dataclasses.replace(map_stage.MAP, run=full))
    assert fails("map", *map_files(world), "--out", tmp_path / "out", code=1).message == f"{said}: {place or out}."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_full_disk_of_standard_output(mapped, program, forked):
    for run, words in ((forked, ["translate", "--vectors", mapped, "-"]), (program, ["--version"])):
        with Path("/dev/full").open("wb") as full:
            done = run(*words, input=b"dog\n", stdout=full)
        assert done.returncode == 1
        assert done.stderr.count(b"error: ") == 1
        assert b"error: Standard output cannot be written: No space left on device.\nhint:  Check where" in done.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("finetune", "finetune continues where it was."),
        ("mine-negatives", "nothing was left half-written."),
        ("eval bli", "nothing was left half-written."),
        ("run", "what is finished is kept."),
        ("demo", "what is finished is kept."),
    ],
)
def test_interrupt_says_what_is_left(attempt, failure, monkeypatch, name, says):
    def interrupted(*args, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(TyperGroup, "main", interrupted)
    shown = attempt(*name.split())
    assert shown.code == 130
    assert failure(shown.stderr).hint == f"Run the same command again; {says}"


def test_errors_are_objects_with_json(world, attempt, fails, tmp_path):
    for command, code in (
        (["map", *map_files(world, source=tmp_path / "none"), "--out", tmp_path / "out", "--json"], 2),
        (["map", "--json"], 2),
        (["mapp", "--json"], 2),
        (["show", tmp_path, "--json"], 2),
    ):
        shown = attempt(*command)
        assert shown.code == code
        assert shown.stdout == ""
        body = json.loads(shown.stderr)
        assert set(body) == {"error", "hint"}
        assert body["hint"]
