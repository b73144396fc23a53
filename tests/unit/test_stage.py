from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lexenc import planning
from lexenc.artifact import MANIFEST, InputChangedError, aside_folder, read_manifest, result_folder
from lexenc.errors import ConfigError, WorkError
from lexenc.parameters import param
from lexenc.planning import find_inputs, plan_stage, run_plan
from lexenc.stage import Input, Job, Notices, Outcome, Stage, Table


@dataclass(frozen=True)
class JoinParams:
    separator: str = param(" ", "What stands between.")
    times: int = param(1, "Repetitions.", ge=1, le=9)
    actions: tuple[str, ...] = param(("a",), "Actions.")
    threads: int = param(1, "Threads.", ge=1, affects_result=False)


def join(inputs, params, job: Job) -> Outcome:
    texts = [inputs["first"].read_text(errors="surrogateescape"), *(path.read_text() for path in inputs["more"])]
    text = params.separator.join(texts * params.times)
    (job.out / "text.txt").write_text(text, errors="surrogateescape")
    job.notices.say("joined")
    return Outcome({"characters": len(text)}, [{"length": len(text)}], [Table("T", ["n"], [[str(len(text))]])])


JOIN = Stage(
    name="join",
    version=1,
    summary="Join texts.",
    inputs={
        "first": Input("First text."),
        "more": Input("Other texts.", required=False, many=True),
    },
    params=JoinParams,
    run=join,
)


@pytest.fixture
def given(tmp_path):
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "b.txt").write_text("B")
    return {"first": str(tmp_path / "a.txt"), "more": [str(tmp_path / "b.txt")]}


@pytest.fixture
def plan(given, tmp_path):
    def make(stage=JOIN, params=None, inputs=None, **more):
        more = {"out": tmp_path / "out"} | more
        return plan_stage(stage, inputs=given | (inputs or {}), params=params or {}, **more)

    return make


def test_stage_runs_then_reuses(plan, tmp_path):
    first = plan()
    assert (first.action, first.reasons) == ("run", ("no result yet",))
    assert not (tmp_path / "out").exists(), "planning writes nothing"
    manifest = run_plan(first, command="lexenc join")
    assert (tmp_path / "out" / "text.txt").read_text() == "A B"
    assert manifest == read_manifest(tmp_path / "out")
    assert (manifest.key, manifest.summary, manifest.command) == (first.key, {"characters": 3}, "lexenc join")
    assert set(manifest.outputs) == {"text.txt"}
    assert manifest.settings == {"threads": 1}
    again = plan()
    assert again.action == "reuse"
    assert again.key == first.key
    stamp = (tmp_path / "out" / MANIFEST).stat().st_mtime_ns
    assert run_plan(again) == manifest
    assert (tmp_path / "out" / MANIFEST).stat().st_mtime_ns == stamp


def test_stage_that_only_prints_leaves_nothing(plan, tmp_path):
    before = sorted(tmp_path.iterdir())
    manifest = run_plan(plan(out=None))
    assert manifest.results == [{"length": 3}]
    assert sorted(tmp_path.iterdir()) == before


def test_stage_parameters_that_change_speed_only_do_not_make_a_new_result(plan):
    run_plan(plan())
    assert plan(params={"threads": 4}).action == "reuse"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"times": 3}, ["times: 1 -> 3"]),
        ({"actions": "a,b"}, ["actions: a -> a,b"]),
        ({"times": 2, "separator": "-"}, ["separator:   -> -", "times: 1 -> 2"]),
    ],
)
def test_stage_other_parameters_are_refused_in_words(plan, params, words):
    run_plan(plan())
    other = plan(params=params)
    assert other.action == "refuse"
    assert sorted(other.reasons) == words
    with pytest.raises(ConfigError) as caught:
        run_plan(other)
    assert all(word in caught.value.message for word in words)
    assert "--force" in caught.value.hint


def test_stage_other_inputs_are_refused_by_name(plan, given, tmp_path):
    run_plan(plan())
    (tmp_path / "b.txt").write_text("C")
    assert plan().reasons == ("input more changed",)
    (tmp_path / "a.txt").write_text("C")
    assert plan().reasons == ("input first changed", "input more changed")
    assert "input more changed" in plan(inputs={"more": None}).reasons
    assert "input more changed" in plan(inputs={"more": [given["more"][0]] * 2}).reasons


def test_stage_inputs_of_equal_content_elsewhere_are_the_same(plan, tmp_path):
    run_plan(plan())
    (tmp_path / "b.txt").rename(tmp_path / "moved.txt")
    assert plan(inputs={"more": [str(tmp_path / "moved.txt")]}).action == "reuse"
    assert plan(inputs={"more": str(tmp_path / "moved.txt")}).action == "reuse"


def test_stage_another_stage_or_version_is_named(plan):
    run_plan(plan())
    assert plan(replace(JOIN, version=2)).reasons == ("made by join v1",)
    assert plan(replace(JOIN, name="weld")).reasons == ("made by join",)


def test_stage_altered_outputs_are_named_and_not_reused(plan, tmp_path):
    run_plan(plan())
    (tmp_path / "out" / "text.txt").write_text("mine")
    assert plan().action == "refuse"
    assert "text.txt" in plan().reasons[0]
    run_plan(plan(force=True))
    assert plan().action == "reuse"


def test_stage_force_replaces_but_does_not_repeat(plan, tmp_path):
    run_plan(plan())
    assert plan(force=True).action == "reuse"
    forced = plan(params={"times": 2}, force=True)
    assert forced.action == "run"
    run_plan(forced)
    assert (tmp_path / "out" / "text.txt").read_text() == "A B A B"


@pytest.mark.parametrize("force", [False, True])
def test_stage_never_takes_a_foreign_folder(plan, tmp_path, force):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError):
        plan(force=force)


def test_stage_force_spares_a_folder_with_files_of_the_users(plan, tmp_path):
    run_plan(plan())
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert plan().action == "reuse", "they do no harm"
    forced = plan(params={"times": 2}, force=True)
    assert forced.action == "refuse"
    with pytest.raises(ConfigError, match=r"a file that lexenc did not make \(notes.txt\)"):
        run_plan(forced)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    (tmp_path / "out" / "notes.txt").rename(tmp_path / "out" / ".DS_Store")
    assert plan(params={"times": 2}, force=True).action == "run", "litter of a file manager is nobody's work"


def test_stage_folder_with_a_copied_manifest_is_not_ours(plan, tmp_path):
    run_plan(plan())
    (tmp_path / "theirs").mkdir()
    (tmp_path / "out" / MANIFEST).rename(tmp_path / "theirs" / MANIFEST)
    (tmp_path / "theirs" / "thesis.tex").write_text("x")
    assert plan(out=tmp_path / "theirs", force=True).action == "refuse"


@pytest.mark.parametrize("force", [False, True])
def test_stage_damaged_manifest_says_nothing_of_what_may_be_lost(plan, tmp_path, force):
    run_plan(plan())
    (tmp_path / "out" / MANIFEST).write_text("{")
    if force:
        with pytest.raises(ConfigError, match="which files belong to the result"):
            plan(force=True)
    else:
        assert plan().action == "refuse"


def test_stage_manifest_of_another_program_beside_an_input_does_no_harm(plan, tmp_path):
    (tmp_path / MANIFEST).write_text('{"manifest_version": 3}')
    assert run_plan(plan()).inputs["first"][0].made_by is None


def test_stage_records_who_made_an_input(plan, tmp_path):
    first = run_plan(plan())
    second = run_plan(plan(inputs={"first": str(tmp_path / "out" / "text.txt")}, out=tmp_path / "second"))
    (record,) = second.inputs["first"]
    assert record.made_by == first.key
    assert record.path == "out/text.txt"
    assert second.inputs["more"][0].made_by is None


def test_stage_all_faults_come_together(plan, tmp_path):
    with pytest.raises(ConfigError) as caught:
        plan(params={"times": 0, "tims": 3}, inputs={"first": str(tmp_path / "none.txt"), "mor": "x"})
    for word in ("at least 1", "tims", "none.txt", "mor", "Did you mean 'times'", "Did you mean 'more'"):
        assert word in caught.value.message


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_stage_missing_input_is_asked_for_by_its_option(nothing):
    with pytest.raises(ConfigError) as caught:
        find_inputs(JOIN, {"first": nothing})
    assert "--first" in caught.value.message
    assert "irst text" in caught.value.hint


def test_stage_input_that_is_not_there_names_its_maker(tmp_path):
    path = tmp_path / "none.txt"
    with pytest.raises(ConfigError, match=r"none\.txt") as caught:
        find_inputs(JOIN, {"first": str(path)}, {str(path): "lexenc run p.yaml --until maker"})
    assert "--until maker" in caught.value.hint
    with pytest.raises(ConfigError, match=r"none\.txt"):
        find_inputs(JOIN, {"first": str(path)})


def test_stage_single_input_given_twice_is_refused(given):
    with pytest.raises(ConfigError, match="2"):
        find_inputs(JOIN, {"first": [given["first"]] * 2})


def test_stage_own_check_sees_inputs_and_parameters(plan):
    def check(inputs, params):
        return [ConfigError("too long")] if len(inputs["more"]) < params.times else []

    stage = replace(JOIN, check=check)
    assert plan(stage).action == "run"
    with pytest.raises(ConfigError, match="too long"):
        plan(stage, params={"times": 2})
    with pytest.raises(ConfigError, match="at least"):
        plan(stage, params={"times": 0})


# ---------------------------------------------------------------- seed, precision


def test_stage_seed_is_part_of_the_key_only_where_it_means_something(plan):
    assert plan(seed=1).key == plan(seed=2).key
    seeded = replace(JOIN, uses_seed=True)
    assert plan(seeded, seed=1).key != plan(seeded, seed=2).key
    run_plan(plan(seeded, seed=1))
    assert plan(seeded, seed=2).reasons == ("seed: 1 -> 2",)
    assert plan(seeded, seed=1).action == "reuse"


def test_stage_precision_is_part_of_the_key_only_where_it_means_something(plan):
    assert plan().key == plan(precision="bfloat16").key
    heavy = replace(JOIN, uses_device=True)
    assert plan(heavy).key != plan(heavy, precision="bfloat16").key
    run_plan(plan(heavy))
    assert plan(heavy, precision="bfloat16").reasons == ("precision: float32 -> bfloat16",)


def test_stage_device_is_looked_for_when_used_and_told(plan):
    told = []
    stage = replace(JOIN, uses_device=True, run=lambda inputs, params, job: Outcome({"device": job.device.name}))
    manifest = run_plan(plan(stage), device="cpu", notices=Notices(say=told.append))
    assert (manifest.device, manifest.summary) == ("cpu", {"device": "cpu"})
    assert len(told) == 1


# ---------------------------------------------------------------- failing and resuming


def failing(inputs, params, job):
    if job.continued:
        half = job.out / "unfinished" / "half"
        (job.out / "text.txt").write_text(half.read_text() + " and whole")
        half.unlink()
        half.parent.rmdir()
        return Outcome()
    (job.out / "unfinished").mkdir()
    (job.out / "unfinished" / "half").write_text("half")
    raise KeyboardInterrupt


def diverging(inputs, params, job):
    (job.out / "unfinished").mkdir()
    (job.out / "unfinished" / "half").write_text("half")
    raise WorkError("The loss is not a number.", hint="Lower the learning rate.")


def test_stage_failure_of_the_recipe_itself_is_not_kept_for_later(plan, tmp_path):
    stage = replace(JOIN, run=diverging, resumable=True)
    with pytest.raises(WorkError):
        run_plan(plan(stage))
    assert plan(stage, params={"times": 2}).action == "run", "the hint can be followed without more ado"


@pytest.mark.parametrize("force", [False, True])
def test_stage_never_replaces_what_it_reads(plan, tmp_path, force):
    made = run_plan(plan())
    assert made.outputs
    out = tmp_path / "out"
    for first in (out, out / "text.txt"):
        with pytest.raises(ConfigError, match="input 'first' itself"):
            plan(inputs={"first": str(first)}, force=force)
    with pytest.raises(ConfigError, match="lies in the input"):
        plan(inputs={"first": str(tmp_path)}, force=force)


def test_stage_unfinished_work_does_not_replace_a_result_unasked(plan, tmp_path):
    run_plan(plan())
    stage = replace(JOIN, run=failing, resumable=True)
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan(stage, params={"times": 2}, force=True))
    assert plan(stage).action == "reuse"
    assert plan(stage, params={"times": 2}).action == "refuse"
    assert plan(stage, params={"times": 2}, force=True).action == "resume"


def test_stage_that_fails_leaves_nothing(plan, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan(replace(JOIN, run=failing)))
    assert sorted(tmp_path.iterdir()) == before


def test_stage_that_can_resume_does_so_with_the_same_recipe_only(plan, tmp_path):
    stage = replace(JOIN, run=failing, resumable=True)
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan(stage))
    other = plan(stage, params={"times": 2})
    assert other.action == "refuse"
    assert "unfinished work" in other.refusal().message
    assert plan(stage, params={"times": 2}, force=True).action == "run"
    again = plan(stage)
    assert again.action == "resume"
    run_plan(again)
    assert (tmp_path / "out" / "text.txt").read_text() == "half and whole"
    assert "recipe.json" not in json.dumps(read_manifest(tmp_path / "out").outputs)
    assert not aside_folder(tmp_path / "out").exists()
    assert plan(stage).action == "reuse"


# ---------------------------------------------------------------- while it runs


def during(change):
    """Return a stage that does something else between reading its inputs and finishing."""

    def run(inputs, params, job):
        made = join(inputs, params, job)
        change()
        return made

    return replace(JOIN, run=run)


def names(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("moment", ["before", "during"])
def test_stage_input_that_changes_is_an_error_and_nothing_is_written(plan, tmp_path, moment, resumable):
    def change():
        (tmp_path / "a.txt").write_text("other")

    made = plan(replace(during(change), resumable=resumable) if moment == "during" else JOIN)
    if moment == "before":
        change()
    with pytest.raises(InputChangedError, match=r"a\.txt has changed since join began"):
        run_plan(made)
    assert names(tmp_path) == ["a.txt", "b.txt"]
    run_plan(plan())


def test_stage_input_that_is_removed_is_an_error(plan, tmp_path):
    with pytest.raises(WorkError, match=r"b\.txt has changed"):
        run_plan(plan(during((tmp_path / "b.txt").unlink)))


def test_stage_input_that_is_only_touched_or_linked_is_the_same(plan, tmp_path):
    def touch():
        os.utime(tmp_path / "a.txt", ns=(1, 1))
        os.link(tmp_path / "b.txt", tmp_path / "c.txt")

    run_plan(plan(during(touch)))
    assert plan().action == "reuse"


def test_stage_input_folder_that_gets_a_file_is_an_error(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one").write_text("1")

    def run(inputs, params, job):
        (tmp_path / "in" / "two").write_text("2")
        return Outcome()

    stage = replace(JOIN, inputs={"folder": Input("Folder.")}, run=run)
    with pytest.raises(InputChangedError, match="in has changed"):
        run_plan(plan_stage(stage, inputs={"folder": str(tmp_path / "in")}, params={}, out=tmp_path / "out"))


def test_stage_input_altered_after_lexenc_made_it_is_used_with_a_warning_that_stays(plan, tmp_path):
    run_plan(plan(out=tmp_path / "made"))
    (tmp_path / "made" / "README.md").write_text("a card may be edited")
    told = []
    notices = Notices(warn=lambda message, hint: told.append(message))
    for given in ("made/text.txt", "made"):
        stage = JOIN if given != "made" else replace(JOIN, run=lambda inputs, params, job: Outcome())
        inputs = {"first": str(tmp_path / given), "more": None}
        assert run_plan(plan(stage, inputs=inputs, out=tmp_path / "sound"), notices=notices).warnings == []
        shutil.rmtree(tmp_path / "sound")
    (tmp_path / "made" / "text.txt").write_text("mine")
    inputs = {"first": str(tmp_path / "made" / "text.txt"), "more": None}
    made = run_plan(plan(inputs=inputs, out=tmp_path / "used"), notices=notices)
    assert told == [f"{tmp_path / 'made' / 'text.txt'} was changed after lexenc made it."]
    assert made.warnings == told
    assert read_manifest(tmp_path / "used").warnings == told


def test_stage_input_altered_after_lexenc_made_it_is_told_for_a_printed_result(plan, tmp_path):
    run_plan(plan(out=tmp_path / "made"))
    inputs = {"first": str(tmp_path / "made" / "text.txt"), "more": None}
    assert run_plan(plan(inputs=inputs, out=None)).warnings == []
    time.sleep(0.02)  # the clock of a file system is coarse
    (tmp_path / "made" / "text.txt").write_text("mine")
    assert run_plan(plan(inputs=inputs, out=None)).warnings == [f"{inputs['first']} was changed after lexenc made it."]


@pytest.mark.parametrize("out", ["used", None])
def test_stage_input_with_a_damaged_manifest_is_used_with_a_warning(plan, tmp_path, out):
    run_plan(plan(out=tmp_path / "made"))
    (tmp_path / "made" / "manifest.json").write_text("{")
    inputs = {"first": str(tmp_path / "made" / "text.txt"), "more": None}
    (warning,) = run_plan(plan(inputs=inputs, out=out and tmp_path / out)).warnings
    assert warning.startswith(f"{tmp_path / 'made' / 'manifest.json'} cannot be read")


def test_stage_refusal_beside_a_damaged_manifest_does_not_advise_what_would_be_refused(plan, tmp_path):
    run_plan(plan())
    place = tmp_path / "out" / MANIFEST
    place.write_text(json.dumps(dict.fromkeys(json.loads(place.read_text()), 7)))
    assert plan().action == "refuse"
    assert plan().refusal().hint == "Choose another --out, or check the folder and remove it yourself."
    with pytest.raises(ConfigError, match="does not say which files"):
        plan(force=True)


def test_stage_decides_again_when_the_place_is_locked(plan, tmp_path):
    late, other = plan(), plan(params={"times": 2})
    first = run_plan(plan())
    assert late.action == other.action == "run"
    assert run_plan(late) == first, "another process has made the same result meanwhile"
    with pytest.raises(ConfigError, match="times: 1 -> 2"):
        run_plan(other)
    assert read_manifest(tmp_path / "out") == first
    assert names(tmp_path) == ["a.txt", "b.txt", "out"]


def test_stage_spares_a_folder_that_appears_while_it_runs_and_takes_the_place_later(plan, tmp_path):
    def appear():
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").write_text("mine")

    with pytest.raises(WorkError, match="kept, complete"):
        run_plan(plan(during(appear)))
    assert names(tmp_path / "out") == ["thesis.tex"]
    (tmp_path / "out" / "thesis.tex").rename(tmp_path / "thesis.tex")
    again = plan(during(lambda: pytest.fail("the work is done already")))
    assert again.action == "resume"
    run_plan(again)
    assert names(tmp_path / "out") == [MANIFEST, "text.txt"]
    assert names(tmp_path) == ["a.txt", "b.txt", "out", "thesis.tex"]


def test_stage_result_that_could_not_take_its_place_is_dropped_by_force_only(plan, tmp_path):
    with pytest.raises(WorkError):
        run_plan(plan(during(lambda: (tmp_path / "out" / "mine").mkdir(parents=True))))
    (tmp_path / "out" / "mine").rmdir()
    assert plan(params={"times": 2}).action == "refuse"
    run_plan(plan(params={"times": 2}, force=True))
    assert names(tmp_path) == ["a.txt", "b.txt", "out"]


def test_stage_output_that_is_a_link_replaces_what_it_points_to(plan, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk/out")
    run_plan(plan())
    run_plan(plan(params={"times": 2}, force=True))
    assert (tmp_path / "out").is_symlink()
    assert names(tmp_path / "disk" / "out") == [MANIFEST, "text.txt"]
    assert names(tmp_path / "disk") == ["out"]


# ---------------------------------------------------------------- what decorates a manifest


def test_stage_paths_that_are_no_utf8_are_escaped_in_the_manifest(given, plan, tmp_path):
    odd = tmp_path / os.fsdecode(b"a\xff.txt")
    try:
        odd.write_bytes(b"x\xfe")
    except OSError:
        pytest.skip("this file system wants UTF-8 names")
    out = tmp_path / os.fsdecode(b"o\xfd")
    run_plan(plan(inputs={"first": str(odd)}, out=out), command=f"lexenc join {odd}")
    text = (out / MANIFEST).read_bytes().decode("utf-8")
    json.loads(text, parse_constant=pytest.fail)
    assert read_manifest(out).inputs["first"][0].given == str(odd)
    assert plan(inputs={"first": str(odd)}, out=out).action == "reuse"


HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("head", "commit"),
    [
        (HASH, HASH),
        (HASH[:24] + HASH, HASH[:24] + HASH),
        ("ref: refs/heads/main", HASH),
        ("ref: refs/heads/none", None),
        ("ref: ../secret", None),
        ("ref: refs/../../secret", None),
        ("ref: /etc/passwd", None),
        ("my own text", None),
        ("\udcff", None),
        ("", None),
    ],
)
def test_stage_commit_is_a_hash_or_nothing(tmp_path, monkeypatch, head, commit):
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text(head + "\n", errors="surrogateescape")
    (git / "refs" / "heads" / "main").write_text(HASH + "\n")
    (tmp_path / "secret").write_text(HASH)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert planning._commit() == commit


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "file instead of .git"])
def test_stage_commit_is_read_from_files_only(tmp_path, monkeypatch, kind):
    git = tmp_path / ".git"
    (tmp_path / "secret").write_text(HASH)
    if kind.startswith("file"):
        git.write_text("gitdir: elsewhere")
    else:
        git.mkdir()
        head = git / "HEAD"
        {"link": lambda: head.symlink_to("../secret"), "folder": head.mkdir, "pipe": lambda: os.mkfifo(head)}[kind]()
    monkeypatch.chdir(tmp_path)
    assert planning._commit() is None


@pytest.mark.parametrize("out", ["there", "elsewhere"])
def test_stage_in_a_folder_that_was_removed(plan, tmp_path, monkeypatch, out):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    if out == "there":
        with pytest.raises(ConfigError, match="current folder was removed"):
            result_folder("out")
        return
    run_plan(plan(out=result_folder(str(tmp_path / "out"))))
    assert plan().action == "reuse"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_stage_mount_point_is_refused_before_the_work(plan, tmp_path):
    (tmp_path / "out").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(tmp_path / "out")], check=False).returncode:
        pytest.skip("no mounts here")
    try:
        with pytest.raises(ConfigError, match="mount point"):
            plan()
        inner = Path(tmp_path / "out" / "result")
        run_plan(plan(out=inner))
        assert names(tmp_path / "out") == ["result"]
    finally:
        subprocess.run(["umount", str(tmp_path / "out")], check=True)
