from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import pytest

from lexenc import pipeline as module
from lexenc.artifact import DigestStore
from lexenc.errors import ConfigError
from lexenc.parameters import param
from lexenc.pipeline import (
    Watcher,
    chosen_steps,
    find_faults,
    forecast,
    read_pipeline,
    run_pipeline,
)
from lexenc.planning import plan_stage, run_plan
from lexenc.registry import Registry
from lexenc.stage import Input, Outcome, Stage
from lexenc.stages import STAGES


@dataclass(frozen=True)
class CopyParams:
    case: Literal["same", "upper"] = param("same", "Case.")
    rate: float = param(1.0, "Rate.", gt=0)
    language: str | None = param(None, "Language.")
    tags: tuple[str, ...] = param((), "Tags.")


def copy(inputs, params, job):
    text = "".join(path.read_text() for path in inputs["text"])
    (job.out / "text.txt").write_text(text.upper() if params.case == "upper" else text)
    return Outcome({"characters": len(text)})


def draw(inputs, params, job):
    text = inputs["source"].read_text() if inputs["source"].is_file() else (inputs["source"] / "text.txt").read_text()
    (job.out / "drawn.txt").write_text(f"{text}{job.seed}")
    return Outcome({"seed": job.seed})


COPY = Stage("copy", 1, {"text": Input("Text.", many=True)}, CopyParams, copy, "Copy.")
DRAW = Stage(
    "draw lots", 1,
    {"source": Input("Text."), "encoder": Input("Encoder.", kind="encoder", required=False)},
    CopyParams, draw, "Draw.", uses_seed=True,
)  # fmt: skip
STORE = DigestStore(None)


@pytest.fixture(autouse=True)
def _toy_stages(monkeypatch):
    table = Registry("stage", {"copy": COPY, "draw lots": DRAW})
    monkeypatch.setattr("lexenc.stages.STAGES", table)
    monkeypatch.setattr(module, "STAGES", table)


@pytest.fixture
def write(tmp_path):
    (tmp_path / "in.txt").write_text("abc")

    def make(text: str, name: str = "p.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


THREE = """
seed: 7
workdir: runs
steps:
- stage: copy
  inputs: {text: in.txt}
- stage: draw lots
  inputs: {source: '${copy.text.txt}'}
  seed: 3
- stage: draw-lots
  name: second
  inputs: {source: '${copy}'}
  params: {case: upper}
"""


def states(pipeline, steps=None, *, force=False):
    casts = forecast(pipeline, list(steps or pipeline.steps), force=force, digests=STORE)
    return {cast.step.name: cast.action for cast in casts}


def fault(path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_pipeline(path)
    return caught.value


# ---------------------------------------------------------------- reading


def test_pipeline_reads_steps_references_and_seeds(write, tmp_path):
    read = read_pipeline(write(THREE))
    assert [step.name for step in read.steps] == ["copy", "draw-lots", "second"]
    copied, first, second = read.steps
    assert copied.inputs == {"text": str(tmp_path / "in.txt")}
    assert first.inputs["source"] == str(tmp_path / "runs" / "copy" / "text.txt")
    assert second.inputs["source"] == str(tmp_path / "runs" / "copy")
    assert [step.seed for step in read.steps] == [7, 3, 7]
    assert first.needs == second.needs == ("copy",)
    assert second.given_params == ("case",)
    assert second.out == tmp_path / "runs" / "second"


def test_pipeline_workdir_can_be_given(write, tmp_path):
    read = read_pipeline(write(THREE), workdir=tmp_path / "elsewhere")
    assert read.steps[1].inputs["source"] == str(tmp_path / "elsewhere" / "copy" / "text.txt")


def test_pipeline_names_of_encoders_are_left_alone_unless_a_folder_has_it(write, tmp_path):
    text = "steps: [{stage: draw lots, inputs: {source: in.txt, encoder: mini}}]"
    assert read_pipeline(write(text)).steps[0].inputs["encoder"] == "mini"
    (tmp_path / "mini").mkdir()
    assert read_pipeline(write(text)).steps[0].inputs["encoder"] == str(tmp_path / "mini")


def test_pipeline_same_stage_on_the_command_line_and_in_a_file_has_the_same_key(write, tmp_path):
    given = {"case": "upper", "rate": "2e-5", "tags": "a,b", "language": None}
    body = "{case: upper, rate: 2e-5, tags: [a, b]}"
    step = read_pipeline(write(f"steps: [{{stage: copy, inputs: {{text: in.txt}}, params: {body}}}]")).steps[0]
    plan = plan_stage(COPY, inputs={"text": [str(tmp_path / "in.txt")]}, params=given, out=step.out)
    run_plan(plan)
    (cast,) = forecast(read_pipeline(tmp_path / "p.yaml"), [step], force=False, digests=STORE)
    assert (cast.action, len(cast.reasons)) == ("reuse", 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["p.yaml"]),
        ("- a", ["p.yaml"]),
        ("steps: [", ["line 1"]),
        ("a: b\n  c: d", ["line 2"]),
        ("steps: []", ["steps"]),
        ("steps: 5", ["steps"]),
        ("steps: [5]", ["steps[0]", "5"]),
        ("step: []", ["step", "Did you mean 'steps'"]),
        ("steps: [{stage: copi}]", ["steps[0]", "copi", "Did you mean 'copy'"]),
        ("steps: [{inputs: {}}]", ["steps[0]"]),
        ("steps: [{stage: copy, inputs: {text: in.txt}, param: {}}]", ["param", "Did you mean 'params'"]),
        ("steps: [{stage: copy, inputs: {txt: in.txt}}]", ["txt", "Did you mean 'text'"]),
        ("steps: [{stage: copy, inputs: {text: in.txt}, params: {cas: x}}]", ["cas", "Did you mean 'case'"]),
        ("steps: [{stage: copy, inputs: {text: in.txt}, params: {case: uper}}]", ["steps[0].params.case", "'upper'"]),
        ("steps: [{stage: copy, inputs: {text: in.txt}, params: {language: no}}]", ["language", "'no'"]),
        ("steps: [{stage: copy, inputs: {text: in.txt}, params: [a]}]", ["steps[0].params"]),
        ("steps: [{stage: copy, inputs: [in.txt]}]", ["steps[0].inputs"]),
        ("steps: [{stage: copy, inputs: {text: 5}}]", ["steps[0].inputs.text", "'5'"]),
        ("steps: [{stage: copy, inputs: {text: []}}]", ["text"]),
        ("steps: [{stage: copy}]", ["needs --text"]),
        ("steps: [{stage: copy, inputs: {text: '${later}'}}]", ["later", "steps[0].inputs.text"]),
        ("steps: [{stage: copy, inputs: {text: '${copy}'}}]", ["copy", "steps[0].inputs.text"]),
        ("steps: [{stage: copy, inputs: {text: 'x/${a}'}}]", ["stands alone"]),
        ("seed: -1\nsteps: [{stage: copy, inputs: {text: in.txt}}]", ["seed", "-1"]),
        ("seed: true\nsteps: [{stage: copy, inputs: {text: in.txt}}]", ["seed", "true"]),
        ("steps: [{stage: copy, seed: x, inputs: {text: in.txt}}]", ["steps[0].seed"]),
        ("precision: float64\nsteps: [{stage: copy, inputs: {text: in.txt}}]", ["float64", "bfloat16"]),
        ("device: gpu\nsteps: [{stage: copy, inputs: {text: in.txt}}]", ["gpu", "cuda"]),
    ],
)
def test_pipeline_faults_say_where_and_what(write, text, words):
    error = fault(write(text))
    shown = f"{error.message} {error.hint}"
    assert all(word in shown for word in words), shown


@pytest.mark.parametrize("name", ["''", "../up", "a/b", "v1.0", ".hidden", "5", "no", "[a]"])
def test_pipeline_step_names_that_are_no_plain_folder_names_are_refused(write, name):
    error = fault(write(f"steps: [{{stage: copy, name: {name}, inputs: {{text: in.txt}}}}]"))
    assert "name" in error.message


def test_pipeline_step_names_may_have_spaces_and_other_letters(write):
    read = read_pipeline(write("steps: [{stage: copy, name: größer als_1, inputs: {text: in.txt}}]"))
    assert [step.name for step in read.steps] == ["größer-als_1"]


def test_pipeline_two_steps_of_one_name_are_refused(write):
    step = "{stage: copy, inputs: {text: in.txt}}"
    assert "copy" in fault(write(f"steps: [{step}, {step}]")).message


def test_pipeline_all_faults_come_together(write):
    text = "sed: 1\nsteps:\n- {stage: copy, params: {rate: 0, cas: x}}\n- {stage: drow lots}\n- 7\n"
    message = fault(write(text)).message
    for word in ("sed", "needs --text", "above 0", "cas", "drow lots", "steps[2]"):
        assert word in message


def test_pipeline_own_check_of_a_stage_is_asked(write, monkeypatch):
    stage = Stage(**{**vars(COPY), "check": lambda inputs, params: [ConfigError(f"not with {params.case}")]})
    monkeypatch.setattr(module, "STAGES", Registry("stage", {"copy": stage}))
    assert (
        "not with upper"
        in fault(write("steps: [{stage: copy, inputs: {text: in.txt}, params: {case: upper}}]")).message
    )


def test_pipeline_file_that_is_missing_or_not_utf8(tmp_path):
    assert "lexenc init" in fault(tmp_path / "none.yaml").hint
    (tmp_path / "latin.yaml").write_bytes(b"steps: \xe9")
    assert "offset 7" in fault(tmp_path / "latin.yaml").message


# ---------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({}, ["copy", "draw-lots", "second"]),
        ({"start": "draw-lots"}, ["draw-lots", "second"]),
        ({"until": "draw-lots"}, ["copy", "draw-lots"]),
        ({"start": "draw-lots", "until": "draw-lots"}, ["draw-lots"]),
        ({"only": "second"}, ["second"]),
    ],
)
def test_pipeline_chosen_steps(write, choice, names):
    read = read_pipeline(write(THREE))
    steps = chosen_steps(read, **({"start": None, "until": None, "only": None} | choice))
    assert [step.name for step in steps] == names


@pytest.mark.parametrize(
    ("choice", "word"),
    [({"only": "secnd"}, "second"), ({"start": "second", "until": "copy"}, "copy, draw-lots, second")],
)
def test_pipeline_chosen_steps_that_cannot_be(write, choice, word):
    with pytest.raises(ConfigError) as caught:
        chosen_steps(read_pipeline(write(THREE)), **({"start": None, "until": None, "only": None} | choice))
    assert word in caught.value.hint


# ---------------------------------------------------------------- forecasting and running


def test_pipeline_forecast_waits_for_what_must_run_first(write, tmp_path):
    read = read_pipeline(write(THREE))
    assert states(read) == {"copy": "run", "draw-lots": "wait", "second": "wait"}
    assert not (tmp_path / "runs").exists()


def test_pipeline_runs_then_reuses(write, tmp_path):
    path = write(THREE)
    seen = []
    watcher = Watcher(
        before=lambda step, plan: seen.append((step.name, plan.action)),
        after=lambda step, plan, manifest: seen.append(manifest.stage),
    )
    read = read_pipeline(path)
    made = run_pipeline(read, list(read.steps), watcher=watcher)
    assert list(made) == ["copy", "draw-lots", "second"]
    assert seen == [("copy", "run"), "copy", ("draw-lots", "run"), "draw lots", ("second", "run"), "draw lots"]
    assert (tmp_path / "runs" / "draw-lots" / "drawn.txt").read_text() == "abc3"
    assert (tmp_path / "runs" / "second" / "drawn.txt").read_text() == "abc7"
    assert made["second"].inputs["source"][0].made_by == made["copy"].key
    assert states(read) == dict.fromkeys([step.name for step in read.steps], "reuse")
    assert run_pipeline(read, list(read.steps)) == made


def test_pipeline_change_of_one_step_makes_later_ones_wait_and_refuses_without_force(write, tmp_path):
    path = write(THREE)
    read = read_pipeline(path)
    run_pipeline(read, list(read.steps))
    (tmp_path / "in.txt").write_text("abcd")
    assert states(read) == {"copy": "refuse", "draw-lots": "wait", "second": "wait"}
    assert states(read, force=True) == {"copy": "run", "draw-lots": "wait", "second": "wait"}
    with pytest.raises(ConfigError, match="input text changed"):
        run_pipeline(read, list(read.steps))
    run_pipeline(read, list(read.steps), force=True)
    assert (tmp_path / "runs" / "second" / "drawn.txt").read_text() == "abcd7"


def test_pipeline_seed_of_the_file_touches_only_steps_that_draw(write):
    read = read_pipeline(write(THREE))
    run_pipeline(read, list(read.steps))
    assert states(read_pipeline(write(THREE.replace("seed: 7", "seed: 8")))) == {
        "copy": "reuse", "draw-lots": "reuse", "second": "refuse",
    }  # fmt: skip


def test_pipeline_does_not_build_on_what_is_not_up_to_date(write, tmp_path):
    path = write(THREE)
    read = read_pipeline(path)
    last = list(read.steps[2:])
    with pytest.raises(ConfigError, match="'copy' is not up to date") as caught:
        run_pipeline(read, last)
    assert "--until copy" in caught.value.hint
    run_pipeline(read, list(read.steps[:1]))
    run_pipeline(read, last)  # draw-lots is not needed for it
    (tmp_path / "runs" / "copy" / "text.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"text\.txt"):
        run_pipeline(read, last)


def test_pipeline_steps_that_are_not_needed_do_not_matter(write, tmp_path):
    steps = "- {stage: copy, name: other, inputs: {text: none.txt}}\n"
    read = read_pipeline(write(THREE.replace("- stage: draw lots", f"{steps}- stage: draw lots")))
    run_pipeline(read, [read.steps[0]])
    run_pipeline(read, [read.steps[3]])
    assert (tmp_path / "runs" / "second" / "drawn.txt").read_text() == "abc7"


def test_pipeline_needs_reach_back_over_several_steps(write, tmp_path):
    text = THREE + "- {stage: copy, name: last, inputs: {text: '${second.drawn.txt}'}}\n"
    read = read_pipeline(write(text))
    run_pipeline(read, list(read.steps))
    (tmp_path / "in.txt").write_text("changed")
    with pytest.raises(ConfigError, match="'second' is not up to date"):
        run_pipeline(read, [read.steps[3]])


def test_pipeline_file_that_a_step_does_not_make_names_that_step(write):
    text = """
steps:
- {stage: copy, name: map, inputs: {text: in.txt}}
- {stage: copy, name: map2, inputs: {text: in.txt}, params: {case: upper}}
- {stage: copy, name: last, inputs: {text: ['${map.text.txt}', '${map2.txet.txt}']}}
"""
    read = read_pipeline(write(text))
    with pytest.raises(ConfigError, match=r"txet\.txt") as caught:
        run_pipeline(read, list(read.steps))
    assert caught.value.hint.endswith("--until map2")


def test_pipeline_check_finds_outside_inputs_that_are_not_there(write, tmp_path):
    (tmp_path / "runs" / "copy").mkdir(parents=True)
    assert find_faults(write(THREE))[1] == []
    text = THREE + "- {stage: copy, name: last, inputs: {text: ['${copy.text.txt}', runs/copy-none.txt]}}\n"
    read, faults = find_faults(write(text.replace("in.txt", "none.txt")))
    messages = [error.message for error in faults]
    assert len(messages) == 2
    assert str(tmp_path / "none.txt") in messages[0]
    assert messages[1].startswith("last: "), "a step is called by its own name"
    assert "copy-none.txt" in messages[1]
    assert "text.txt" not in messages[1]
    with pytest.raises(ConfigError, match="2 problems"):
        run_pipeline(read, list(read.steps))
    assert not (tmp_path / "runs" / "copy" / "manifest.json").exists(), "nothing has worked for nothing"


def test_pipeline_check_finds_faults_of_the_file_and_of_the_disk_together(write):
    faults = find_faults(
        write("precision: int8" + THREE.replace("in.txt", "none.txt").replace("workdir: runs", "workdir: [1]"))
    )[1]
    told = "\n".join(fault.message for fault in faults)
    for part in ("precision cannot be", "workdir must be the name of a folder, got a list", "none.txt"):
        assert part in told


def test_pipeline_refuses_a_key_that_is_there_twice(write):
    with pytest.raises(ConfigError, match=r"line 2: 'seed' is there twice"):
        read_pipeline(write("seed: 1\nseed: 2\n" + THREE))


def test_pipeline_says_once_that_params_are_no_table(write):
    with pytest.raises(ConfigError) as caught:
        read_pipeline(write("steps: [{stage: copy, inputs: {text: in.txt}, params: 10}]\n"))
    assert caught.value.message.count("must be a table") == 1


def test_pipeline_only_does_not_go_with_from(write):
    read = read_pipeline(write(THREE))
    with pytest.raises(ConfigError, match="--only"):
        chosen_steps(read, start="copy", until=None, only="copy")


def test_pipeline_device_of_the_caller_wins(write, monkeypatch):
    used = []
    real = module.run_plan
    monkeypatch.setattr(module, "run_plan", lambda plan, **more: used.append(more["device"]) or real(plan, **more))
    read = read_pipeline(write("device: cpu\n" + THREE))
    run_pipeline(read, [read.steps[0]])
    run_pipeline(read, [read.steps[0]], device="auto")
    assert used == ["cpu", "auto"]


def test_pipeline_manifest_of_a_step_is_json(write, tmp_path):
    read = read_pipeline(write(THREE))
    run_pipeline(read, list(read.steps))
    assert json.loads((tmp_path / "runs" / "second" / "manifest.json").read_text())["params"]["case"] == "upper"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("inputs:", "input:", "steps[0]: There is no step key called 'input'."),
        ("inputs:", "xyz:", "steps[0]: There is no step key called 'xyz'."),
        ("source:", "sorce:", "steps[0]: There is no input of map called 'sorce'."),
        ("source:", "xyz:", "steps[0]: There is no input of map called 'xyz'."),
        ("source: a.vec", "source: 3", "steps[0].inputs.source must be text, got 3."),
        ("stage: map", "stge: map", "steps[0]: There is no step key called 'stge'."),
        ("stage: map", "xyz: map", "steps[0]: There is no step key called 'xyz'."),
        ("name: mapped", "nam: mapped", "steps[0]: There is no step key called 'nam'."),
        ("name: mapped", "xyz: mapped", "steps[0]: There is no step key called 'xyz'."),
        ("steps:", "step:", "There is no pipeline key called 'step'."),
        ("steps:", "xyz:", "There is no pipeline key called 'xyz'."),
        ("params:", "parms:", "steps[0]: There is no step key called 'parms'."),
        ("normalise: [unit]", "normalize: [unit]", "There is no parameter of map called 'normalize'."),
    ],
)
def test_one_wrong_key_is_one_error(tmp_path, monkeypatch, old, new, said):
    monkeypatch.setattr("lexenc.stages.STAGES", STAGES)
    monkeypatch.setattr(module, "STAGES", STAGES)
    text = (
        "steps:\n- stage: map\n  name: mapped\n  inputs: {source: a.vec, target: b.vec, dictionary: c.tsv}\n"
        "  params: {normalise: [unit]}\n- stage: eval bli\n  inputs: {vectors: '${mapped}', dictionary: d.tsv}\n"
    )
    path = tmp_path / "p.yaml"
    path.write_text(text)
    assert len(read_pipeline(path).steps) == 2
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        read_pipeline(path)
    assert caught.value.message == said
