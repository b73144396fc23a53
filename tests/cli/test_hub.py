"""map-hub from the command line."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def files(world, tmp_path_factory):
    """Two languages and their options; the dictionary of a third is there as well."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "train").mkdir()
    text = (world / "train.tsv").read_text(encoding="utf-8")
    for name in ("en-de", "en-nl"):
        (folder / f"train/{name}.tsv").write_text(text, encoding="utf-8")
    return ["--hub", "en", "--vectors", f"en={world}/en.vec", "--vectors", f"de={world}/de.vec",
            "--dictionaries", folder / "train"]  # fmt: skip


def test_result_in_a_narrow_window(world, files, forked, tmp_path):
    done = forked("map-hub", *files, "--vectors", f"nl={world}/de.vec", "--out", tmp_path / "hub")
    told, table = done.stderr.decode(), done.stdout.decode()
    assert done.returncode == 0, told
    assert max(len(line) for line in table.splitlines()) <= 80
    assert [line.split("\t")[0] for line in table.splitlines()[1:3]] == ["de", "nl"]
    assert told.splitlines()[-1] == f"next: lexenc eval bli --vectors {tmp_path / 'hub'} --dictionary TEST-DICTIONARIES"


def test_json_has_an_object_for_each_language(world, files, lexenc, tmp_path):
    lines = lexenc("map-hub", *files, "--vectors", f"nl={world}/de.vec", "--out", tmp_path / "hub", "--json").lines
    assert [json.loads(line)["language"] for line in lines] == ["de", "nl"]


def test_a_language_from_standard_input(world, files, lexenc, tmp_path):
    given = (world / "de.vec").read_text(encoding="utf-8")
    lexenc("map-hub", *files, "--vectors", "nl=-", "--out", tmp_path / "hub", stdin=given)
    record = json.loads((tmp_path / "hub/manifest.json").read_text(encoding="utf-8"))["inputs"]["vectors"][-1]
    assert (record["name"], record["given"]) == ("nl", "nl=-")


def test_slips_are_told_in_two_lines(world, files, fails, tmp_path):
    place = ["--out", tmp_path / "hub"]
    found = fails("map-hub", *files, "--vectors", world / "de.vec", *place)
    assert (found.message, found.hint) == (
        "--vectors must be NAME=PATH.",
        "Write it with its name: --vectors en=en.vec",
    )
    found = fails("map-hub", *files, "--vectors", f"nl={world}/none.vec", *place)
    assert found.message == f"map-hub: input 'vectors' is not there: {world}/none.vec"
    found = fails("map-hub", *files, "--vectors", f"fr={world}/de.vec", *place)
    assert found.message == "--dictionaries has none of en and fr."
    assert found.hint == "Add en-fr.tsv to the folder, or name it: --dictionaries en-fr=PATH"
    (tmp_path / "empty.tsv").write_text("")
    found = fails(
        "map-hub", *files, "--vectors", f"fr={world}/de.vec", "--dictionaries", f"en-fr={tmp_path}/empty.tsv", *place
    )
    assert found.message == f"{tmp_path}/empty.tsv holds no pairs."
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize(
    ("options", "command"),
    [
        (["--hub", "en"], "map-hub"),
        (["--into", "hub"], "map-hub"),
        (["--mapping", "mapped"], "apply-mapping"),
        (["--apply", "mapped"], "apply-mapping"),
        (["--source-vocabulary", "words.txt"], "apply-mapping"),
    ],
)
def test_options_that_map_had_name_the_new_command(fails, tmp_path, options, command):
    found = fails("map", *options, "--out", tmp_path / "out")
    assert found.message == f"No such option: {options[0]}."
    assert found.hint == f"Use: lexenc {command} (see: lexenc {command} --help)"
