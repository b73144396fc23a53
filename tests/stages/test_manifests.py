"""What a result folder says of itself, and that the same work has the same key however it was asked for."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
from lexenc_cli.main import build_app
from typer.main import get_command
from typer.testing import CliRunner

from lexenc.artifact import read_manifest
from lexenc.parameters import as_dict, build, choices_of, parameters, rule_of
from lexenc.pipeline import read_pipeline
from lexenc.planning import package_versions, plan_stage
from lexenc.stage import Stage
from lexenc.stages import STAGES
from lexenc.training import LOSSES

NAMES = list(STAGES)


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def command_of(name):
    command = get_command(build_app())
    for word in name.split(" "):
        command = command.loaded(word)
    return command


# ---------------------------------------------------------------- one name everywhere


def test_the_table_holds_the_stages():
    assert len(NAMES) >= 11
    assert all(isinstance(STAGES[name], Stage) for name in NAMES)
    assert sum(len(parameters(STAGES[name].params)) for name in NAMES) >= 80


@pytest.mark.parametrize("name", NAMES)
def test_options_are_yaml_keys_are_manifest_keys(name, tmp_path, monkeypatch):
    stage = STAGES[name]
    known = set(parameters(stage.params))
    options = {
        option.removeprefix("--").replace("-", "_")
        for each in command_of(name).params
        if each.param_type_name == "option"
        for option in each.opts
        if option.startswith("--")
    }
    arguments = {each.name for each in command_of(name).params if each.param_type_name == "argument"}
    assert known <= options | arguments
    assert set(stage.inputs) <= options | arguments
    extra = {"out", "device", "precision", "seed", "json", "dry_run", "force", "check_content", "quiet",
             "no_progress", "debug", "help"}  # fmt: skip
    extra |= set(stage.copies) | ({"show"} if stage.draw else set())
    assert options - known - set(stage.inputs) <= extra
    assert not known & extra
    assert stage.uses_seed == ("seed" in options)
    assert stage.uses_device == ("device" in options) == ("precision" in options)
    # The same words are the keys of a pipeline file, and of the manifest; here with values that need not go together.
    monkeypatch.setitem(STAGES._loaded, name, dataclasses.replace(stage, check=None))
    path = tmp_path / "p.yaml"
    inputs = {one: ["x"] if stage.inputs[one].many else "x" for one in stage.inputs}
    defaults = {one: value for one, value in json_defaults(stage).items() if value is not None}
    path.write_text(json.dumps({"steps": [{"stage": name, "inputs": inputs, "params": defaults}]}))
    step = read_pipeline(path).steps[0]
    assert set(step.params) == known
    built, faults = build(stage.params, step.params, owner=name)
    assert not faults
    assert set(as_dict(built)) == known


def json_defaults(stage):
    return {
        name: list(field.default) if isinstance(field.default, tuple) else field.default
        for name, (field, _) in parameters(stage.params).items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_and_input_has_help(name):
    stage = STAGES[name]
    assert stage.summary.endswith(".")
    assert stage.examples
    assert all(line.split("| ")[-1].startswith("lexenc ") for line in stage.examples)
    for shown, (field, _) in parameters(stage.params).items():
        assert len(rule_of(field).help) > 5, shown
    assert all(len(one.help) > 5 for one in stage.inputs.values())
    assert dataclasses.is_dataclass(stage.params)


@pytest.mark.parametrize("name", NAMES)
def test_examples_name_options_that_exist(name):
    known = {option for each in command_of(name).params for option in [*each.opts, *each.secondary_opts]}
    for line in STAGES[name].examples:
        used = {word for word in line.split("lexenc " + name, 1)[-1].split() if word.startswith("--")}
        if f"lexenc {name} " in line:
            assert used <= known, line


def test_lambda_is_called_lambda_everywhere():
    for name in ("interpolate", "eval bli"):
        assert "lambda" in parameters(STAGES[name].params)
        assert "--lambda" in {option for each in command_of(name).params for option in each.opts}
        assert "lambda_" not in json.dumps(sorted(parameters(STAGES[name].params)))


def test_choices_of_losses_are_the_table_of_losses():
    _, hint = parameters(STAGES["finetune"].params)["loss"]
    assert choices_of(hint) == list(LOSSES)


# ---------------------------------------------------------------- the manifest


def test_manifest_says_what_made_the_result(mapped, world):
    manifest = read_manifest(world / "mapped")
    assert (manifest.stage, manifest.stage_version, manifest.seed) == ("map", STAGES["map"].version, 0)
    fields = parameters(STAGES["map"].params).items()
    declared = {shown for shown, (field, _) in fields if rule_of(field).affects_result}
    assert set(manifest.params) == declared | {"precision"}
    assert manifest.params["preset"] == "supervised"
    assert manifest.params["normalise"] == ["unit", "center", "unit"]
    assert manifest.inputs["dictionary"][0].sha256 == sha(world / "train.tsv")
    assert manifest.inputs["source"][0].given == str(world / "en.vec")
    assert "mapping" not in manifest.inputs, "an input left out is no input"
    for name, digest in manifest.outputs.items():
        assert digest == sha(world / "mapped" / name)
    assert manifest.versions == package_versions()
    assert manifest.created.endswith("+00:00")
    assert manifest.summary["pairs_used"] == 28
    assert (manifest.device, manifest.precision) == ("cpu", "float32")


def test_all_files_of_a_result_may_be_read_by_the_same_people(mapped):
    modes = {path.name: path.stat().st_mode for path in mapped.out.rglob("*") if path.is_file()}
    assert "mapping.safetensors" in modes
    assert len(set(modes.values())) == 1


def test_manifests_form_a_chain(stage, static, mapped, map_inputs, world, tmp_path):
    blended = stage("interpolate", tmp_path / "blended", vectors=mapped.out, encoder=static,
                    dictionary=world / "train.tsv")  # fmt: skip
    assert blended.manifest.inputs["vectors"][0].made_by == mapped.manifest.key
    assert blended.manifest.inputs["encoder"][0].made_by == read_manifest(static).key
    assert blended.manifest.inputs["dictionary"][0].made_by is None
    assert blended.manifest.params["lambda"] == 0.3
    assert blended.manifest.params["precision"] == "float32"
    # A file inside a result belongs to that result.
    scores = stage("audit", tmp_path / "clean", train=world / "train.tsv", test=world / "test.tsv")
    again = stage("map", tmp_path / "again", **{**map_inputs, "dictionary": scores.out / "train.tsv"})
    assert again.manifest.inputs["dictionary"][0].made_by == scores.manifest.key


def test_paths_in_a_manifest_are_relative_to_the_result(mapped, world):
    record = read_manifest(world / "mapped").inputs["source"][0]
    assert record.path == "en.vec"


@pytest.mark.parametrize("name", ["map", "encode"])
def test_same_stage_by_option_by_yaml_and_by_function_has_the_same_key(name, world, static, stage, tmp_path):
    inputs = {
        "map": {"source": world / "en.vec", "target": world / "de.vec", "dictionary": world / "train.tsv"},
        "encode": {"words": world / "en.txt", "encoder": static},
    }[name]
    params = {"map": {"normalise": ["unit", "center"], "source_reweight": 1, "whiten": False, "reduce_to": 6},
              "encode": {"max_length": 9, "pooling": "auto"}}[name]  # fmt: skip
    words = [name]
    for key, value in inputs.items():
        words += [str(value)] if STAGES[name].inputs[key].positional else [f"--{key}", str(value)]
    for key, value in params.items():
        option = key.replace("_", "-")
        shown = ",".join(value) if isinstance(value, list) else str(value)
        words += [f"--no-{option}"] if value is False else [f"--{option}", shown]
    seed = ["--seed", "4"] if STAGES[name].uses_seed else []
    done = CliRunner().invoke(build_app(), [*words, *seed, "--out", str(tmp_path / "option")])
    assert done.exit_code == 0, done.stderr
    step = {"stage": name, "inputs": {k: str(v) for k, v in inputs.items()}, "params": params}
    (tmp_path / "p.yaml").write_text(json.dumps({"seed": 4, "steps": [step]}))
    done = CliRunner().invoke(build_app(), ["run", str(tmp_path / "p.yaml")])
    assert done.exit_code == 0, done.stderr
    own = stage(name, tmp_path / "function", params, 4, **inputs)
    keys = {read_manifest(tmp_path / place).key for place in ("option", f"runs/{name}")} | {own.manifest.key}
    assert len(keys) == 1
    outputs = [read_manifest(tmp_path / place).outputs for place in ("option", f"runs/{name}", "function")]
    assert outputs[0] == outputs[1] == outputs[2], "and the same bytes"


@pytest.mark.parametrize("name", NAMES)
def test_what_only_affects_speed_is_not_in_the_key(name, world, static, mapped, tmp_path):
    stage = STAGES[name]
    some = {"path": world / "train.tsv", "encoder": static}
    inputs = {key: [str(some[one.kind])] if one.many else str(some[one.kind]) for key, one in stage.inputs.items()}
    bare = dataclasses.replace(stage, check=None)
    base = plan_stage(bare, inputs=inputs, params={}, out=tmp_path / "out").key
    for shown, (field, _) in parameters(stage.params).items():
        if isinstance(field.default, bool):
            other = not field.default
        elif isinstance(field.default, int | float):
            other = min(field.default + 1, rule_of(field).maximum or field.default + 1)
            other = other if other != field.default else field.default / 2
        else:
            continue
        key = plan_stage(bare, inputs=inputs, params={shown: other}, out=tmp_path / "out").key
        assert (key != base) == rule_of(field).affects_result, shown
    assert (plan_stage(bare, inputs=inputs, params={}, seed=9, out=tmp_path / "out").key != base) == stage.uses_seed


def test_speed_settings_are_those_and_no_others():
    found = {
        f"{name} {shown}"
        for name in NAMES
        for shown, (field, _) in parameters(STAGES[name].params).items()
        if not rule_of(field).affects_result
    }
    assert found == {
        "align-train softmax checkpoint_seconds",
        "align-train span checkpoint_seconds",
        "encode token_budget",
        "eval ner checkpoint_seconds",
        "eval nli checkpoint_seconds",
        "eval paraphrase checkpoint_seconds",
        "eval sentiment checkpoint_seconds",
        "finetune checkpoint_seconds",
        "map checkpoint_seconds",
        "map-hub checkpoint_seconds",
        "mine-bitext token_budget",
        "pretrain checkpoint_seconds",
        "pretrain max_steps",
        "train checkpoint_seconds",
    }
