"""The command to type next goes on where the last one stopped."""

from __future__ import annotations


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
