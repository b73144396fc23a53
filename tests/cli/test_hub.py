"""map --hub from the command line."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def files(world, tmp_path_factory):
    """Three languages, of which the third is the second under another name; dictionaries by name."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("train", "test"):
        (folder / name).mkdir()
        text = (world / f"{name}.tsv").read_text(encoding="utf-8")
        (folder / name / "en-de.tsv").write_text(text, encoding="utf-8")
        (folder / name / "en-nl.tsv").write_text(text, encoding="utf-8")
    targets = [line.split("\t")[1] for line in (world / "test.tsv").read_text(encoding="utf-8").splitlines()]
    (folder / "test/de-nl.tsv").write_text("".join(f"{each}\t{each}\n" for each in targets), encoding="utf-8")
    return ["--hub", "en", "--vectors", f"en={world}/en.vec", "--vectors", f"de={world}/de.vec",
            "--dictionaries", folder / "train", "--test-dictionaries", folder / "test"]  # fmt: skip


def test_every_pair_in_a_narrow_window(world, files, program, tmp_path):
    done = program("map", *files, "--vectors", f"nl={world}/de.vec", "--out", tmp_path / "hub")
    told, tables = done.stderr.decode(), done.stdout.decode()
    assert done.returncode == 0, told
    assert max(len(line) for line in tables.splitlines()) <= 80
    assert ["de", "nl"] == tables.splitlines()[1].split("\t")[:1] + tables.splitlines()[2].split("\t")[:1]
    row = next(line.split("\t") for line in tables.splitlines() if line.startswith("de-nl\t"))
    assert row[:4] == ["de-nl", "12", "100 %", "100.0 (100-100)"]
    assert told.splitlines()[-1] == f"next: lexenc translate --vectors {tmp_path / 'hub'} --from de --to en"
    assert "mean precision at 1: " in told


def test_json_has_means_pairs_and_languages(world, files, lexenc, tmp_path):
    lines = lexenc("map", *files, "--vectors", f"nl={world}/de.vec", "--out", tmp_path / "hub", "--json").lines
    objects = [json.loads(line) for line in lines]
    assert [each.get("average_over") for each in objects[:3]] == ["pairs, each way"] * 2 + [None]
    assert [each["task"] for each in objects[2:]] == ["bli"] * 12 + ["map"] * 2


def test_a_language_from_standard_input(world, files, lexenc, tmp_path):
    given = (world / "de.vec").read_text(encoding="utf-8")
    lexenc("map", *files, "--vectors", "nl=-", "--out", tmp_path / "hub", stdin=given)
    record = json.loads((tmp_path / "hub/manifest.json").read_text(encoding="utf-8"))["inputs"]["vectors"][-1]
    assert (record["name"], record["given"]) == ("nl", "nl=-")


def test_slips_are_told_in_two_lines(world, files, fails, tmp_path):
    place = ["--out", tmp_path / "hub"]
    found = fails("map", *files, "--vectors", world / "de.vec", *place)
    assert (found.message, found.hint) == (
        "--vectors must be NAME=PATH.",
        "Write it with its name: --vectors en=en.vec",
    )
    found = fails("map", *files, "--vectors", f"nl={world}/none.vec", *place)
    assert found.message == f"map: input 'vectors' is not there: {world}/none.vec"
    found = fails("map", *files, "--vectors", f"fr={world}/de.vec", *place)
    assert found.message == "--dictionaries has none of en and fr."
    assert found.hint == "Add en-fr.tsv to the folder, or name it: --dictionaries en-fr=PATH"
    (tmp_path / "empty.tsv").write_text("")
    found = fails(
        "map", *files, "--vectors", f"fr={world}/de.vec", "--dictionaries", f"en-fr={tmp_path}/empty.tsv", *place
    )
    assert found.message == f"{tmp_path}/empty.tsv holds no pairs."
    assert not (tmp_path / "hub").exists()
