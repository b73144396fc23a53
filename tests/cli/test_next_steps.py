"""The command to type next goes on where the last one stopped, and the object of a result says where it is."""

from __future__ import annotations

import json


def last_line(shown):
    return shown.stderr.splitlines()[-1]


def test_next_step_keeps_case_and_languages(world, static, lexenc, tmp_path):
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    out = tmp_path / "my maps"
    case = ["--lowercase", "--source-language", "tr", "--target-language", "de-DE"]
    told = last_line(lexenc("map", *files, *case, "--out", out))
    assert told.startswith(f"next: lexenc eval bli --vectors '{out}' ")
    assert told.endswith(" --lowercase --source-language tr --target-language de-DE")
    assert "--lowercase" not in last_line(lexenc("map", *files, "--out", tmp_path / "plain"))


def test_next_step_leaves_out_what_the_next_command_does_not_have(world, static, lexenc, tmp_path):
    shown = lexenc("encode", world / "en.txt", "--encoder", static, "--out", tmp_path / "encoded")
    assert last_line(shown) == f"next: lexenc export {tmp_path / 'encoded'} --format vec --out vectors"


def test_object_of_a_stage_without_scores_names_stage_and_place(world, mapped, lexenc, tmp_path):
    body = json.loads(lexenc("export", mapped, "--out", tmp_path / "out", "--json").stdout)
    assert (body["stage"], body["out"]) == ("export", str(tmp_path / "out"))
    assert body["files"] == 2
    again = json.loads(lexenc("export", mapped, "--out", tmp_path / "out", "--json").stdout)
    assert again == body
