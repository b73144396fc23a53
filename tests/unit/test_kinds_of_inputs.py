"""Inputs written [KIND:][NAME=]PATH, and inputs that may be a number."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from lexenc_cli.piped_inputs import kept_inputs
from lexenc_cli.stage_command import stage_command

import lexenc.pipeline as pipelines
from lexenc.api.stage_functions import docstring, signature, stage_function
from lexenc.artifact import read_manifest
from lexenc.errors import ConfigError
from lexenc.parameters import param
from lexenc.pipeline import read_pipeline, run_pipeline
from lexenc.planning import plan_stage, run_plan
from lexenc.registry import Registry
from lexenc.stage import GivenSource, Input, Outcome, Stage

KINDS = ("parallel", "nli", "cross-lingual-nli")


@dataclass(frozen=True)
class GatherParams:
    dev_share: float | None = param(None, "Share.", gt=0, le=1)


@dataclass(frozen=True)
class OwnShare:
    dev_share: float = param(0.1, "Share.", gt=0, le=1)


def gather(inputs, params, job):
    rows = [[each.kind, each.name, each.path.name] for each in inputs["data"]]
    (job.out / "rows.json").write_text(json.dumps({"rows": rows, "share": params.dev_share}))
    for each in inputs["data"]:
        job.notices.warn(f"{each.path} was read.", None)
    return Outcome({"sources": len(rows)})


GATHER = Stage(
    "gather", 1,
    {"data": Input("Data.", kinds=KINDS), "dev": Input("Held out.", required=False, many=True, number="dev_share")},
    GatherParams, gather, "Gather.", makes="rows.json",
)  # fmt: skip
ONE = GATHER.inputs["data"]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    for name in ("a.tsv", "b.tsv", "nil:c.tsv"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lexenc.stages.STAGES", table := Registry("stage", {"gather": GATHER}))
    monkeypatch.setattr(pipelines, "STAGES", table)


def read(folder):
    return json.loads((Path(folder) / "rows.json").read_text())


def planned(*data, **more):
    inputs = {"data": list(data)} | ({"dev": more.pop("dev")} if "dev" in more else {})
    return plan_stage(GATHER, inputs=inputs, params=more.pop("params", {}), out=Path("out"), **more)


@pytest.mark.parametrize(
    ("text", "prefix", "source", "label"),
    [
        ("a.tsv", "", ("parallel", "", "a.tsv"), "parallel"),
        ("nli:a.tsv", "nli:", ("nli", "", "a.tsv"), "nli"),
        ("parallel:en-sw=a.tsv", "parallel:en-sw=", ("parallel", "en-sw", "a.tsv"), "parallel:en-sw"),
        ("en-sw=a.tsv", "en-sw=", ("parallel", "en-sw", "a.tsv"), "parallel:en-sw"),
        ("cross-lingual-nli:en,sw=x/", "cross-lingual-nli:en,sw=", ("cross-lingual-nli", "en,sw", "x"),
         "cross-lingual-nli:en,sw"),
        ("nil:a.tsv", "", ("parallel", "", "nil:a.tsv"), "parallel"),
        ("./nli:a.tsv", "", ("parallel", "", "nli:a.tsv"), "parallel"),
        ("a=b=c", "a=", ("parallel", "a", "b=c"), "parallel:a"),
        ("nli:", "", ("parallel", "", "nli:"), "parallel"),
    ],
)  # fmt: skip
def test_a_text_is_split_into_kind_name_and_path(text, prefix, source, label):
    assert ONE.split(text) == (prefix, text[len(prefix) :])
    made = ONE.source(text, Path(ONE.split(text)[1]))
    assert (made.kind, made.name, str(made.path)) == source
    assert ONE.label(text) == label
    assert ONE.label(ONE.typed(label, source[2])) == label


def test_the_stage_gets_all_sources_in_order_and_the_manifest_has_them():
    plan = planned("nli:a.tsv", "a.tsv", "nli:en=b.tsv", "cross-lingual-nli:folder")
    assert plan.inputs["data"][0] == GivenSource("nli", "", Path("a.tsv"))
    manifest = run_plan(plan)
    assert read("out")["rows"] == [
        ["nli", "", "a.tsv"], ["parallel", "", "a.tsv"], ["nli", "en", "b.tsv"], ["cross-lingual-nli", "", "folder"],
    ]  # fmt: skip
    records = manifest.inputs["data"]
    assert [each.given for each in records] == ["nli:a.tsv", "a.tsv", "nli:en=b.tsv", "cross-lingual-nli:folder"]
    assert [each.name for each in records] == ["nli", "parallel", "nli:en", "cross-lingual-nli"]
    assert [each.path for each in records] == ["a.tsv", "a.tsv", "b.tsv", "folder"]
    assert len({each.sha256 for each in records}) == 3
    assert manifest.warnings[0] == "nli:a.tsv was read."


def test_kind_name_and_content_decide_whether_a_result_is_reused():
    run_plan(planned("a.tsv", "nli:b.tsv"))
    assert planned("parallel:a.tsv", "nli:b.tsv").action == "reuse", "the default kind, written out"
    for other in (("nli:a.tsv", "nli:b.tsv"), ("en=a.tsv", "nli:b.tsv"), ("nli:b.tsv", "a.tsv")):
        assert planned(*other).reasons == ("input data changed",)
    Path("b.tsv").write_text("other")
    assert planned("a.tsv", "nli:b.tsv").reasons == ("input data changed",)


def test_a_wrong_kind_is_an_error_unless_there_is_such_a_file():
    with pytest.raises(ConfigError, match="no kind of data called 'nil'") as caught:
        planned("nil:a.tsv")
    assert caught.value.hint == "Did you mean 'nli'?"
    with pytest.raises(ConfigError, match="no kind of data called 'xnli'"):
        planned("xnli:en=folder/x")
    assert planned("nil:c.tsv").inputs["data"] == [GivenSource("parallel", "", Path("nil:c.tsv"))]
    with pytest.raises(ConfigError, match=r"input 'data' is not there: c\.tsv"):
        planned("nli:c.tsv")
    with pytest.raises(ConfigError, match="needs --data"):
        planned()


@pytest.mark.parametrize(
    "data",
    ["[nli:a.tsv, 'en-sw=b.tsv']", "[{nli: a.tsv}, {en-sw: b.tsv}]", "[{nli: a.tsv}, {'parallel:en-sw': b.tsv}]",
     "{nli: a.tsv, en-sw: b.tsv}"],
)  # fmt: skip
def test_pipelines_have_kinds(tmp_path, data):
    path = tmp_path / "p.yaml"
    path.write_text(f"steps: [{{stage: gather, inputs: {{data: {data}, dev: 0.25}}}}]")
    pipeline = read_pipeline(path)
    kind = "parallel:" if "parallel:" in data else ""
    assert pipeline.steps[0].inputs == {"data": [f"nli:{tmp_path}/a.tsv", f"{kind}en-sw={tmp_path}/b.tsv"]}
    run_pipeline(pipeline, list(pipeline.steps))
    assert read("runs/gather") == {"rows": [["nli", "", "a.tsv"], ["parallel", "en-sw", "b.tsv"]], "share": 0.25}


def test_pipelines_refer_to_results_and_name_wrong_kinds(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("steps:\n- {stage: gather, inputs: {data: a.tsv}}\n"
                    "- {stage: gather, name: two, inputs: {data: ['nli:en=${gather.rows.json}']}}")  # fmt: skip
    pipeline = read_pipeline(path)
    run_pipeline(pipeline, list(pipeline.steps))
    assert read("runs/two")["rows"] == [["nli", "en", "rows.json"]]
    path.write_text("steps: [{stage: gather, inputs: {data: 'nil:a.tsv'}}]")
    with pytest.raises(ConfigError, match="no kind of data called 'nil'") as caught:
        pipeline = read_pipeline(path)
        run_pipeline(pipeline, list(pipeline.steps))
    assert caught.value.hint == "Did you mean 'nli'?"


@pytest.mark.filterwarnings("ignore:.* was read")
def test_python_calls_have_kinds():
    function = stage_function(GATHER)
    made = function(data=["nli:a.tsv", Path("b.tsv")], out="out", dev=0.5)
    assert read("out") == {"rows": [["nli", "", "a.tsv"], ["parallel", "", "b.tsv"]], "share": 0.5}
    assert made.manifest.params["dev_share"] == 0.5
    assert function(data={"nli": "a.tsv", "parallel": "b.tsv"}, out="out", dev_share=0.5).reused
    assert "float" in str(signature(GATHER).parameters["dev"].annotation)
    assert "data: Data." in docstring(GATHER)
    with pytest.raises(ConfigError, match="data takes a path, or several, got 3"):
        function(data=3, out="out")


def test_a_source_may_be_piped(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x\ty\n")))
    with kept_inputs(GATHER, {"data": ["nli:en=-", "a.tsv"], "dev": None}) as kept:
        (source, _) = plan_stage(GATHER, inputs=kept.given, params={}).inputs["data"]
        assert (source.kind, source.name, source.path.read_text()) == ("nli", "en", "x\ty\n")
        plan = plan_stage(GATHER, inputs=kept.given, params={}, out=Path("out"))
        records = kept.records(plan.records)["data"]
        assert [each.given for each in records] == ["nli:en=-", "a.tsv"]
        assert kept.in_message(f"{source.path}, line 1: bad.") == "standard input, line 1: bad."


def test_the_command_takes_the_option_many_times_and_says_how_it_is_written():
    parameters = stage_command(GATHER).__signature__.parameters
    data, dev = parameters["data"].annotation, parameters["dev"].annotation
    assert data.__args__[0] == list[str]
    assert data.__metadata__[0].metavar == "[KIND:][NAME=]PATH"
    assert dev.__metadata__[0].metavar == "PATH|NUMBER"


def test_a_number_sets_a_parameter_and_is_checked_as_one():
    plan = planned("a.tsv", dev="0.05")
    assert (plan.params.dev_share, plan.inputs["dev"], plan.records.get("dev")) == (0.05, [], None)
    run_plan(plan)
    assert read_manifest(Path("out")).params["dev_share"] == 0.05
    assert planned("a.tsv", params={"dev_share": "0.05"}).action == "reuse"
    assert planned("a.tsv", dev=["0.05"]).action == "reuse"
    assert "dev_share: 0.05 -> 0.1" in planned("a.tsv", dev="0.1").reasons[0]
    assert planned("a.tsv", dev=["b.tsv"]).inputs["dev"] == [Path("b.tsv")]
    with pytest.raises(ConfigError, match=r"dev_share|dev-share"):
        planned("a.tsv", dev="5")
    with pytest.raises(ConfigError, match="the same setting"):
        planned("a.tsv", dev="0.05", params={"dev_share": 0.1})


@pytest.mark.parametrize("given", ["0.1", 0.1])
def test_a_default_is_no_second_value(given):
    """The command line passes all parameters, most of them as they are by default."""
    stage = replace(GATHER, params=OwnShare)
    plan = plan_stage(stage, inputs={"data": "a.tsv", "dev": "0.3"}, params={"dev_share": given})
    assert plan.params.dev_share == 0.3
    with pytest.raises(ConfigError, match="the same setting"):
        plan_stage(stage, inputs={"data": "a.tsv", "dev": "0.3"}, params={"dev_share": "0.2"})
