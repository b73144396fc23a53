"""run, status, check, init: a pipeline file from its first line to its last result."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml


def steps(shown):
    return [line.split("\t") for line in shown.lines]


def test_run_makes_what_the_single_commands_make(pipeline, world, lexenc, tmp_path):
    shown = lexenc("run", pipeline)
    assert "mapped: source words 40" in shown.stderr
    assert (tmp_path / "runs" / "mapped" / "manifest.json").is_file()
    assert shown.stdout.startswith("convention\tqueries\tP@1"), "scores are the result"
    manifest = json.loads((tmp_path / "runs" / "scores" / "manifest.json").read_text())
    assert manifest["seed"] == 3
    single = tmp_path / "single"
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    lexenc("map", *files, "--seed", 3, "--out", single)
    keys = [json.loads((f / "manifest.json").read_text())["key"] for f in (single, tmp_path / "runs" / "mapped")]
    assert keys[0] == keys[1]


def test_second_run_reuses_everything(pipeline, lexenc):
    first = lexenc("run", pipeline)
    second = lexenc("run", pipeline)
    assert second.stderr.count("reused") == 2
    assert second.stdout == first.stdout


def test_dry_run_tells_and_writes_nothing(pipeline, lexenc, tmp_path):
    assert steps(lexenc("run", pipeline, "--dry-run")) == [
        ["step", "state", "why"],
        ["mapped", "would run", "no result yet"],
        ["scores", "would run", "after mapped"],
    ]
    assert not (tmp_path / "runs").exists()
    lexenc("run", pipeline, "--until", "mapped")
    assert [row[1] for row in steps(lexenc("run", pipeline, "--dry-run"))[1:]] == ["up to date", "would run"]
    objects = [json.loads(line) for line in lexenc("run", pipeline, "--dry-run", "--json").lines]
    assert [(each["step"], each["action"]) for each in objects] == [("mapped", "reuse"), ("scores", "run")]


def test_from_until_only(pipeline, lexenc, fails, tmp_path):
    lexenc("run", pipeline, "--until", "mapped")
    assert not (tmp_path / "runs" / "scores").exists()
    assert "mapped" not in lexenc("run", pipeline, "--from", "scores").stderr.split(" ")[0]
    assert "reused" in lexenc("run", pipeline, "--only", "scores").stderr
    assert fails("run", pipeline, "--from", "scroes").hint == "Did you mean 'scores'?"
    found = fails("run", pipeline, "--from", "scores", "--until", "mapped")
    assert found.message == "Step 'scores' comes after 'mapped'."


def test_changed_settings_are_refused_then_forced(pipeline, lexenc, fails):
    lexenc("run", pipeline)
    pipeline.write_text(pipeline.read_text().replace("train.tsv}", "train.tsv}\n    params: {reduce_to: 5}"))
    found = fails("run", pipeline, early=False)
    assert "already holds a result (reduce_to: None -> 5)" in found.message
    assert found.message.startswith("Step 'mapped': ")
    assert "--force" in found.hint
    assert "--only mapped" in found.hint
    shown = lexenc("run", pipeline, "--force")
    assert shown.stderr.count("reused") == 0, "what was made from the old result is made again"


def test_status_answers_with_its_exit_code(pipeline, attempt, lexenc, tmp_path):
    shown = attempt("status", pipeline)
    assert shown.code == 1
    assert [row[1] for row in steps(shown)[1:]] == ["would run", "would run"]
    assert not (tmp_path / "runs").exists()
    lexenc("run", pipeline)
    shown = attempt("status", pipeline)
    assert shown.code == 0
    assert [row[1] for row in steps(shown)[1:]] == ["up to date", "up to date"]
    (tmp_path / "runs" / "mapped" / "source" / "words.txt").write_text("x")
    shown = attempt("status", pipeline, "--json")
    assert shown.code == 1
    assert [json.loads(line)["action"] for line in shown.lines] == ["refuse", "wait"]


def test_check_says_that_all_is_well(pipeline, lexenc, tmp_path):
    shown = lexenc("check", pipeline)
    assert shown.stdout == ""
    assert "2 steps, no faults" in shown.stderr
    assert json.loads(lexenc("check", pipeline, "--json").stdout)["faults"] == 0
    assert not (tmp_path / "runs").exists()


def test_check_show_prints_every_value_and_its_origin(pipeline, attempt, lexenc):
    pipeline.write_text(pipeline.read_text().replace("train.tsv}", "train.tsv}\n    params: {reduce-to: 5}"))
    rows = steps(lexenc("check", pipeline, "--show"))
    assert rows[0] == ["step", "name", "value", "from"]
    assert ["mapped", "reduce_to", "5", "file"] in rows
    assert ["mapped", "normalise", "unit,center,unit", "default"] in rows
    assert ["scores", "retrieval", "nearest", "default"] in rows
    shown = lexenc("check", pipeline, "--show", env={"LEXENC_DEVICE": "cpu"})
    assert ["run", "device", "cpu", "LEXENC_DEVICE"] in steps(shown)
    objects = [json.loads(line) for line in lexenc("check", pipeline, "--show", "--json").lines]
    assert {"step": "mapped", "name": "reduce_to", "value": "5", "from": "file"} in objects


def test_workdir_can_be_elsewhere(pipeline, lexenc, tmp_path):
    lexenc("run", pipeline, "--workdir", tmp_path / "elsewhere", "--until", "mapped")
    assert (tmp_path / "elsewhere" / "mapped").is_dir()
    assert not (tmp_path / "runs").exists()


def test_json_of_run_names_the_step(pipeline, lexenc):
    objects = [json.loads(line) for line in lexenc("run", pipeline, "--json").lines]
    assert {each["step"] for each in objects} == {"scores"}
    assert 0 <= objects[0]["precision_at_1"] <= 1


def test_answer_no_is_exit_code_1(pipeline, attempt, tmp_path):
    (tmp_path / "wrong.tsv").write_text("dog\tkatze\n")
    text = pipeline.read_text()
    old = text[text.rindex("dictionary: ") :]
    pipeline.write_text(text.replace(old, f"dictionary: {tmp_path}/wrong.tsv}}\n    params: {{fail_under: 0.5}}\n"))
    assert attempt("run", pipeline).code == 1
    assert attempt("run", pipeline).code == 1, "a reused answer is still no"


def test_init_writes_a_file_that_passes_check(world, static, lexenc, fails, tmp_path):
    path = tmp_path / "mine.yaml"
    shown = lexenc("init", path)
    assert f"lexenc check {path}" in shown.stderr
    assert path.read_text().startswith("# "), "it is commented"
    assert "already exists" in fails("init", path).message
    assert "is not there" in fails("check", path, faults=5).message
    for name in ("train.tsv", "test.tsv", "de.txt", "en.vec", "de.vec"):
        shutil.copy(world / name, tmp_path / name)
    assert "no faults" in lexenc("check", path).stderr


def test_init_runs_to_the_end_with_an_encoder_of_ones_own(world, static, lexenc, tmp_path):
    path = tmp_path / "mine.yaml"
    lexenc("init", path)
    for name in ("train.tsv", "test.tsv", "de.txt", "en.vec", "de.vec"):
        shutil.copy(world / name, tmp_path / name)
    shutil.copytree(static, tmp_path / "encoder")
    path.write_text(path.read_text().replace("encoder: mini", "encoder: encoder").replace("epochs: 5", "epochs: 1"))
    shown = lexenc("run", path)
    assert [line.split(":")[0] for line in shown.stderr.splitlines() if " -> " in line] == [
        "negatives", "encoder", "mapped", "blended", "scores",
    ]  # fmt: skip
    assert shown.stdout.startswith("convention\t")
    assert lexenc("status", path).code == 0


def test_init_covers_the_main_stages(lexenc, tmp_path):
    lexenc("init", tmp_path / "p.yaml")
    body = yaml.safe_load((tmp_path / "p.yaml").read_text())
    assert [step["stage"] for step in body["steps"]] == [
        "mine-negatives", "finetune", "map", "interpolate", "eval bli",
    ]  # fmt: skip


def test_init_into_a_folder_that_is_not_there(fails, tmp_path):
    assert "No such file" in fails("init", tmp_path / "none" / "p.yaml").message


@pytest.mark.parametrize("command", ["run", "status", "check"])
def test_folder_in_place_of_a_pipeline(fails, command, tmp_path):
    found = fails(command, tmp_path)
    assert found.message == f"{tmp_path} is a folder, not a pipeline file."
    assert "YAML" in found.hint


def test_bytes_in_place_of_a_pipeline(fails, tmp_path):
    (tmp_path / "junk.bin").write_bytes(b"\xff\xfe\x00")
    found = fails("run", tmp_path / "junk.bin")
    assert "not UTF-8" in found.message
    assert found.hint == "Check that it is a text file in UTF-8."


def test_a_file_that_several_steps_miss_is_one_error(fails, tmp_path):
    steps = "".join(
        f"  - {{stage: map, name: {name}, inputs: {{source: s.vec, target: t.vec, dictionary: d.tsv}}}}\n"
        for name in ("one", "two")
    )
    (tmp_path / "p.yaml").write_text("steps:\n" + steps)
    found = fails("check", tmp_path / "p.yaml", faults=3).faults
    assert [message for message, _ in found] == [
        f"one: input '{name}'; two: input '{name}' is not there: {tmp_path / file}"
        for name, file in (("source", "s.vec"), ("target", "t.vec"), ("dictionary", "d.tsv"))
    ]


def test_program_runs_a_pipeline_as_a_process(pipeline, program):
    done = program("run", pipeline)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith("convention\tqueries\tP@1")
    assert b"Traceback" not in done.stderr
    done = program("status", pipeline)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_hub_that_does_not_answer_is_no_fault_of_the_file(world, fails, tmp_path):
    text = "steps: [{stage: encode, inputs: {words: %s, encoder: someone/some-model}}]\n"
    (tmp_path / "hub.yaml").write_text(text % (world / "en.txt"))
    assert "did not answer" in fails("run", tmp_path / "hub.yaml", code=1).message
    assert "did not answer" in fails("check", tmp_path / "hub.yaml").message
