"""What happens to a result that is already there: reused, refused, replaced, or none of ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from lexenc_cli.single_file import SingleFile

from lexenc.errors import WorkError


@pytest.fixture
def command(world, tmp_path):
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    return ["map", *files, "--out", tmp_path / "out"]


def state(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_dry_run_writes_nothing_and_says_why(command, lexenc, tmp_path):
    shown = lexenc(*command, "--dry-run")
    assert shown.stderr == "map: would run (no result yet).\n"
    assert shown.stdout == ""
    assert list(tmp_path.iterdir()) == []
    lexenc(*command)
    before = state(tmp_path)
    assert "would reuse (unchanged since" in lexenc(*command, "--dry-run").stderr
    assert "would refuse (reduce_to: None -> 4)" in lexenc(*command, "--reduce-to", 4, "--dry-run").stderr
    assert "would run (reduce_to: None -> 4)" in lexenc(*command, "--reduce-to", 4, "--force", "--dry-run").stderr
    assert state(tmp_path) == before


def test_dry_run_as_json(command, lexenc):
    body = json.loads(lexenc(*command, "--dry-run", "--json").stdout)
    assert (body["action"], body["reasons"]) == ("run", ["no result yet"])


def test_same_recipe_is_reused(command, lexenc, tmp_path):
    lexenc(*command)
    before = state(tmp_path)
    shown = lexenc(*command)
    today = datetime.now(UTC).date().isoformat()
    assert shown.stderr.splitlines()[0] == f"map: unchanged since {today}, reused ({tmp_path / 'out'})"
    assert state(tmp_path) == before


def test_reused_result_prints_the_same_scores(world, mapped, lexenc, tmp_path):
    files = ["--vectors", mapped, "--dictionary", world / "test.tsv", "--out", tmp_path / "scores", "--json"]
    first, second = lexenc("eval", "bli", *files), lexenc("eval", "bli", *files)
    assert "reused" in second.stderr
    assert [json.loads(line) for line in first.lines] == [json.loads(line) for line in second.lines]


def test_force_replaces_a_result_of_ours(command, lexenc, tmp_path):
    lexenc(*command)
    lexenc(*command, "--reduce-to", 4, "--force")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["params"]["reduce_to"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_force_spares_files_of_the_users_inside_a_result(command, lexenc, fails, tmp_path):
    lexenc(*command)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    wanted = [*command, "--reduce-to", 4, "--force"]
    assert "would refuse (notes.txt)" in lexenc(*wanted, "--dry-run").stderr
    found = fails(*wanted)
    assert found.message == f"{tmp_path / 'out'} already holds a file that lexenc did not make (notes.txt)."
    assert found.hint == "Choose another --out, or move your files elsewhere."
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["thesis.txt", "manifest.json"])
def test_force_never_touches_foreign_folders(command, fails, tmp_path, name):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / name).write_text('{"name": "an app of the web"}')
    found = fails(*command, "--force")
    assert "files that lexenc did not make" in found.message
    assert (folder / name).read_text() == '{"name": "an app of the web"}'


def test_empty_folder_may_be_used(command, lexenc, tmp_path):
    (tmp_path / "out").mkdir()
    lexenc(*command)
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_failed_force_keeps_the_old_result(command, lexenc, fails, tmp_path):
    lexenc(*command)
    before = state(tmp_path / "out")
    wrong = tmp_path / "wrong.tsv"
    wrong.write_text("hund\tdog\n")
    command[command.index("--dictionary") + 1] = wrong
    fails(*command, "--force")
    assert state(tmp_path / "out") == before
    assert {path.name for path in tmp_path.iterdir()} == {"out", "wrong.tsv"}


def test_changed_input_and_altered_output_are_named(world, command, fails, lexenc, tmp_path):
    copy = tmp_path / "train.tsv"
    copy.write_bytes((world / "train.tsv").read_bytes())
    command[command.index("--dictionary") + 1] = copy
    lexenc(*command)
    copy.write_bytes(copy.read_bytes() + b"apple\tapfel\n")
    assert "(input dictionary changed)" in fails(*command).message
    copy.write_bytes((world / "train.tsv").read_bytes())
    words = tmp_path / "out" / "source" / "words.txt"
    words.write_text(words.read_text().upper())
    assert "output source/words.txt was altered" in fails(*command).message
    lexenc(*command, "--force")


def test_speed_settings_do_not_make_another_result(world, static, lexenc, tmp_path):
    files = ["--encoder", static, world / "en.txt", "--out", tmp_path / "out"]
    lexenc("encode", *files)
    assert "reused" in lexenc("encode", *files, "--token-budget", 7, "--device", "cpu").stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["settings"] == {"token_budget": 1536}


def test_moved_inputs_are_the_same_inputs(world, command, lexenc, tmp_path):
    lexenc(*command)
    moved = tmp_path / "elsewhere.tsv"
    moved.write_bytes((world / "train.tsv").read_bytes())
    command[command.index("--dictionary") + 1] = moved
    assert "reused" in lexenc(*command).stderr


def test_other_seed_is_another_result_only_where_it_matters(command, lexenc, fails, world, mapped, static, tmp_path):
    lexenc(*command)
    assert "(seed: 0 -> 5)" in fails(*command, "--seed", 5).message
    assert "(seed: 0 -> 6)" in fails(*command, env={"LEXENC_SEED": "6"}).message


@pytest.mark.parametrize("place", [".", "..", "/", "", "./"])
def test_result_cannot_be_where_you_are(command, fails, tmp_path, monkeypatch, place):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    command[-1] = place
    found = fails(*command)
    assert found.message.startswith("--out is ")
    assert found.hint == "Give the name of a new folder."
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


def test_link_to_a_folder_stays_a_link(command, lexenc, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    lexenc(*command)
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "manifest.json").is_file()
    assert "reused" in lexenc(*command).stderr


def test_summary_can_be_read(world, mapped, lexenc, tmp_path):
    shown = lexenc("eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv", "--out", tmp_path / "scores")
    assert "eval bli: queries 12, coverage 1, precision at 1: 1 -> " in shown.stderr


def test_a_file_that_appears_during_the_work_stays_and_the_result_is_written_beside_it(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "table.tsv").write_text("result")
    place = tmp_path / "deep" / "out.tsv"
    single = SingleFile("table.tsv", place)
    single.deliver(tmp_path / "made")
    assert place.read_text() == "result"
    place.write_text("mine")
    with pytest.raises(WorkError, match=r"out\.tsv has appeared meanwhile") as caught:
        single.deliver(tmp_path / "made")
    assert caught.value.hint == f"The result is in {place.with_name('out-2.tsv')}."
    assert place.read_text() == "mine"
    assert place.with_name("out-2.tsv").read_text() == "result"
    SingleFile("table.tsv", place, replace=True).deliver(tmp_path / "made")
    assert place.read_text() == "result"


def test_hidden_files_and_links_of_the_user_are_spared(lexenc, attempt, tmp_path):
    (tmp_path / "pairs.tsv").write_text("dog\tHund\n")
    (tmp_path / "precious").write_text("mine")
    for name in (".out.tmx.partial", ".out.tmx.lock", ".o.lock"):
        (tmp_path / name).symlink_to("precious")
    languages = ["--source-language", "en", "--target-language", "de"]
    lexenc("convert", tmp_path / "pairs.tsv", *languages, "--out", tmp_path / "out.tmx")
    attempt("audit", "--train", tmp_path / "pairs.tsv", "--test", tmp_path / "pairs.tsv", "--out", tmp_path / "o")
    assert (tmp_path / "o" / "manifest.json").is_file()
    assert (tmp_path / "precious").read_text() == "mine"
    assert {each.name for each in tmp_path.iterdir() if each.is_symlink()} == {
        ".out.tmx.partial", ".out.tmx.lock", ".o.lock",
    }  # fmt: skip
