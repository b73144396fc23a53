from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexenc import artifact, durable
from lexenc.artifact import (
    MANIFEST,
    DigestStore,
    InputRecord,
    Manifest,
    altered_outputs,
    altered_parts,
    aside_folder,
    check_place,
    maker_of,
    output_digests,
    owner_of,
    read_manifest,
    recipe_key,
    recorded_input,
    recorded_param,
    unknown_origin,
    write_manifest,
)
from lexenc.errors import ConfigError, DataError, WorkError

STORE = DigestStore(None)


def manifest(**changed):
    body = {
        "stage": "toy", "stage_version": 1, "key": "k", "params": {"lambda": 0.3, "actions": ["unit"]}, "seed": 0,
        "inputs": {"pairs": [InputRecord("a.tsv", "../a.tsv", "00")]}, "outputs": {}, "summary": {}, "results": [],
        "tables": [], "device": "cpu", "precision": "float32", "seconds": 0.1, "created": "2025-01-01T00:00:00+00:00",
        "command": "lexenc toy", "versions": {},
    }  # fmt: skip
    return Manifest(**(body | changed))


def tree(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@contextmanager
def building(out, key, *, resumable=False, force=True):
    """Build as planning does: resume what can be resumed, and yield the folder and whether it does."""
    with artifact.locked(out) as folder:
        keep = "unfinished" if resumable and artifact.unfinished_key(out) == key else "nothing"
        with artifact.building(folder, out, key, keep=keep, resumable=resumable, force=force):
            yield folder, keep == "unfinished"


def finish(folder, files, key="k"):
    tree(folder, files)
    write_manifest(folder, manifest(key=key, outputs=output_digests(folder, STORE)))


def make(out, files, *, key="k", resumable=False, force=True):
    with building(out, key, resumable=resumable, force=force) as (folder, _):
        finish(folder, files, key)


def names(folder):
    return sorted(each.name for each in folder.iterdir())


# ---------------------------------------------------------------- manifests


def test_artifact_manifest_round_trip(tmp_path):
    one = manifest(command="lexenc toy --pairs 'Straße.tsv'", commit="abc", answer=False)
    write_manifest(tmp_path, one)
    assert read_manifest(tmp_path) == one


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '"x"', '{"schema": 1}', '{"schema": 99, "stage": "toy"}', '{"schema": 1, "inputs": 3}'],
)
def test_artifact_other_manifests_are_refused(tmp_path, content):
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(DataError):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("stage", 3, "stage is 3, expected a text"),
        ("seconds", "fast", "seconds is 'fast', expected a finite number"),
        ("seconds", float("nan"), "NaN is not a number of JSON"),
        (
            "inputs",
            {"pairs": [{"given": "a", "path": 3, "sha256": ""}]},
            r"inputs.pairs\[0\].path is 3, expected a text",
        ),
        ("inputs", {"pairs": {}}, "inputs.pairs is a table, expected a list"),
        (
            "tables",
            [{"title": "a", "columns": ["b"], "rows": [[1]]}],
            r"tables\[0\].rows\[0\]\[0\] is 1, expected a text",
        ),
        ("results", [1], r"results\[0\] is 1, expected a table"),
        ("outputs", {"a": None}, "outputs.a is null, expected a text"),
        ("answer", "yes", "answer is 'yes', expected true or false"),
        ("more", 1, "more is not a known key"),
    ],
)
def test_artifact_manifest_with_a_wrong_type_names_it(tmp_path, name, value, said):
    write_manifest(tmp_path, manifest())
    body = json.loads((tmp_path / MANIFEST).read_text()) | {name: value}
    (tmp_path / MANIFEST).write_text(json.dumps(body))
    with pytest.raises(DataError, match=said):
        read_manifest(tmp_path)
    assert maker_of(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "damaged"),
    [("{", True), ("", True), ("{}", True), ("7", True), ('{"schema": 7}', True), ('{"stage": null}', True),
     ('{"name": "an app", "icons": []}', False)],
)  # fmt: skip
def test_artifact_damaged_manifest_is_not_that_of_another_program(tmp_path, content, damaged):
    (tmp_path / MANIFEST).write_text(content)
    (tmp_path / "a").write_text("")
    for path in (tmp_path, tmp_path / "a"):
        assert unknown_origin(path) == (f"{tmp_path / MANIFEST} cannot be read" if damaged else "")


@pytest.mark.parametrize("files", [["source/words.txt", "target/words.txt"], ["hub.json", "en/words.txt"]])
def test_artifact_space_without_a_manifest_is_of_unknown_origin(tmp_path, files):
    space = tmp_path / "space"
    tree(space, dict.fromkeys(files, b"a"))
    for path in (space, space / Path(files[1]).parent):
        assert unknown_origin(path) == f"{space} has no manifest of lexenc"
    write_manifest(space, manifest())
    assert unknown_origin(space) == unknown_origin(space / "source") == ""
    (space / files[0]).unlink()
    (space / MANIFEST).unlink()
    assert unknown_origin(space) == "", "files of any program"


def test_artifact_files_that_are_newer_than_the_manifest_are_read(tmp_path, monkeypatch):
    tree(tmp_path, {"a": b"1", "b": b"2"})
    write_manifest(tmp_path, manifest(outputs=output_digests(tmp_path, STORE)))
    read = []
    monkeypatch.setattr(STORE, "of", lambda path: read.append(path.name) or DigestStore(None).of(path))
    assert altered_parts(tmp_path, STORE, later=True) == read == []
    time.sleep(0.02)  # the clock of a file system is coarse
    old = (tmp_path / "b").stat().st_mtime
    (tmp_path / "b").write_text("3")
    os.utime(tmp_path / "b", (old, old))
    assert altered_parts(tmp_path, STORE, later=True) == read == ["b"]
    (tmp_path / "a").unlink()
    assert altered_parts(tmp_path, STORE, later=True) == ["a", "b"]


@pytest.mark.parametrize("content", ['["a"]', '{"a": 3}', "{", "[" * 100_000, '{"a": "\\ud800"}'])
def test_artifact_damaged_digests_are_forgotten(tmp_path, content):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "digests.json").write_text(content)
    assert DigestStore(tmp_path / "digests.json").of(tmp_path / "a") == STORE.of(tmp_path / "a")


def test_artifact_manifest_that_is_not_text_is_refused(tmp_path):
    (tmp_path / MANIFEST).write_bytes(b"\xff\xfe")
    with pytest.raises(DataError):
        read_manifest(tmp_path)
    with pytest.raises(DataError):
        read_manifest(tmp_path / "nothing")


def test_artifact_owner_of_a_folder_a_file_and_a_part(tmp_path):
    make(tmp_path / "out", {"words.txt": b"a", "source/words.txt": b"b"})
    assert owner_of(tmp_path / "out") == tmp_path / "out"
    assert owner_of(tmp_path / "out" / "words.txt") == tmp_path / "out"
    assert owner_of(tmp_path / "out" / "source") == tmp_path / "out"
    assert owner_of(tmp_path / "other") is None


# ---------------------------------------------------------------- digests


def test_artifact_digest_of_a_file_is_of_its_content(tmp_path):
    tree(tmp_path, {"a": b"x", "b": b"x", "c": b"y"})
    a, b, c = STORE.of_many([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert a == b != c


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"ab": b"c"}, {"a": b"bc"}),
        ({"a": b"x", "b": b"y"}, {"a": b"y", "b": b"x"}),
        ({"a": b"x"}, {"b": b"x"}),
        ({"a/b": b"x"}, {"ab": b"x"}),
        ({"a/b": b"x"}, {"a": b"x"}),
        ({"a": b"x"}, {"a": b"x", "b": b""}),
        ({"a": b"x"}, {"a": b"X"}),
        ({"é": b"x"}, {"e\u0301": b"x"}),
    ],
)
def test_artifact_digest_of_a_folder_tells_names_and_contents_apart(tmp_path, one, other):
    assert STORE.of(tree(tmp_path / "1", one)) != STORE.of(tree(tmp_path / "2", other))


@settings(max_examples=40)
@given(
    st.lists(
        st.dictionaries(st.text("ab1:", min_size=1, max_size=3), st.binary(max_size=2), max_size=3),
        min_size=2,
        max_size=2,
    )
)
def test_artifact_digest_of_a_folder_is_equal_exactly_where_the_trees_are(tmp_path_factory, trees):
    folders = []
    for files in trees:
        folder = tmp_path_factory.mktemp("tree")
        folders.append(tree(folder, files))
    assert (STORE.of(folders[0]) == STORE.of(folders[1])) == (trees[0] == trees[1])


def test_artifact_digest_of_a_folder_cannot_be_imitated_by_a_name(tmp_path):
    inner = hashlib.sha256(b"x").hexdigest()
    one, other = tree(tmp_path / "1", {"a": b"x", "b": b"y"}), tree(tmp_path / "2", {f"a{inner}b": b"y"})
    assert STORE.of(one) != STORE.of(other)


def test_artifact_digest_of_a_folder_does_not_depend_on_the_order_of_writing_or_the_manifest(tmp_path):
    one = tree(tmp_path / "1", {"a": b"x", "b/c": b"y"})
    other = tree(tmp_path / "2", {"b/c": b"y", "a": b"x", MANIFEST: b"{}"})
    assert STORE.of(one) == STORE.of(other)


def test_artifact_digest_of_names_that_are_no_utf8(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"a\xff")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system wants UTF-8 names")
    assert len(STORE.of(tmp_path)) == 64


@pytest.fixture
def large(monkeypatch, tmp_path):
    """A file that counts as large, and the number of times that files were read."""
    monkeypatch.setattr(artifact, "_LARGE", 10)
    reads = []
    real = artifact._file_digest
    monkeypatch.setattr(artifact, "_file_digest", lambda path: reads.append(path) or real(path))
    path = tmp_path / "big"
    path.write_bytes(b"x" * 20)
    return path, reads


def test_artifact_digest_store_remembers_large_files_over_processes(large, tmp_path):
    path, reads = large
    place = tmp_path / "cache" / "digests.json"
    first = DigestStore(place).of(path)
    assert DigestStore(place).of(path) == first
    assert len(reads) == 1
    assert DigestStore(place, trust=False).of(path) == first
    assert len(reads) == 2


def test_artifact_digest_store_sees_a_change_of_equal_size(large, tmp_path):
    path, _ = large
    store = DigestStore(tmp_path / "digests.json")
    before = store.of(path)
    path.write_bytes(b"y" * 20)
    os.utime(path, ns=(1, 1))
    assert store.of(path) != before


def test_artifact_digest_store_reads_small_files_every_time(large, tmp_path):
    path, reads = large
    path.write_bytes(b"x")
    store = DigestStore(tmp_path / "digests.json")
    assert store.of(path) == store.of(path)
    assert len(reads) == 2
    assert not (tmp_path / "digests.json").exists()


@pytest.mark.parametrize("content", ["", "{", "5", "[1]", "null"])
def test_artifact_digest_store_survives_a_damaged_file(large, tmp_path, content):
    path, _ = large
    place = tmp_path / "digests.json"
    place.write_text(content)
    assert len(DigestStore(place).of(path)) == 64
    assert len(json.loads(place.read_text())) == 1


def test_artifact_digest_store_that_cannot_be_written_is_no_failure(large, tmp_path):
    path, _ = large
    (tmp_path / "file").write_text("")
    assert len(DigestStore(tmp_path / "file" / "digests.json").of(path)) == 64


def test_artifact_digest_store_that_may_not_be_read_is_no_failure(large, tmp_path, monkeypatch):
    def refused(self):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    path, _ = large
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", refused)
        store = DigestStore(tmp_path / "cache" / "digests.json")
    assert len(store.of(path)) == 64


def test_artifact_digest_store_place_follows_the_environment(monkeypatch, large, tmp_path):
    path, _ = large
    monkeypatch.setenv("LEXENC_CACHE", str(tmp_path / "own"))
    DigestStore.default().of(path)
    assert (tmp_path / "own" / "digests.json").is_file()
    monkeypatch.delenv("LEXENC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    DigestStore.default().of(path)
    assert (tmp_path / "xdg" / "lexenc" / "digests.json").is_file()


# ---------------------------------------------------------------- keys


def key(stage="toy", version=1, params=None, seed=0, inputs=None):
    return recipe_key(
        stage, version, params or {"a": 1, "b": [1, 2]}, seed, inputs or {"x": [InputRecord("g", "p", "d1")]}
    )


def test_artifact_key_does_not_depend_on_paths_or_order():
    other = InputRecord("given otherwise", "elsewhere", "d1", made_by="m", revision="r")
    assert key() == key(inputs={"x": [other]}, params={"b": [1, 2], "a": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "toy2"},
        {"version": 2},
        {"params": {"a": 2, "b": [1, 2]}},
        {"params": {"a": "1", "b": [1, 2]}},
        {"params": {"a": 1, "b": [2, 1]}},
        {"seed": 1},
        {"inputs": {"x": [InputRecord("g", "p", "d2")]}},
        {"inputs": {"y": [InputRecord("g", "p", "d1")]}},
        {"inputs": {"x": [InputRecord("g", "p", "d1"), InputRecord("g", "p", "d1")]}},
    ],
)
def test_artifact_key_depends_on_everything_else(change):
    assert key(**change) != key()


# ---------------------------------------------------------------- outputs


def test_artifact_altered_outputs_are_named(tmp_path):
    out = tmp_path / "out"
    make(out, {"same": b"1", "changed": b"2", "gone": b"3", "part/deep": b"4"})
    assert altered_outputs(out, read_manifest(out), STORE) == []
    (out / "changed").write_bytes(b"!")
    (out / "gone").unlink()
    (out / "part" / "deep").write_bytes(b"!")
    (out / "notes.txt").write_bytes(b"a file of the user's is no alteration")
    assert sorted(altered_outputs(out, read_manifest(out), STORE)) == ["changed", "gone", "part/deep"]


# ---------------------------------------------------------------- building


def test_artifact_building_gives_the_name_only_at_the_end(tmp_path):
    out = tmp_path / "deep" / "out"
    with building(out, "k", resumable=False) as (folder, continued):
        tree(folder, {"a": b"x"})
        assert not out.exists()
        assert not continued
        assert folder == aside_folder(out)
    assert names(out) == ["a"]
    assert names(out.parent) == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_artifact_building_that_fails_leaves_nothing(tmp_path, error):
    with pytest.raises(error), building(tmp_path / "out", "k", resumable=False) as (folder, _):
        tree(folder, {"a": b"x"})
        raise error
    assert names(tmp_path) == []


def test_artifact_building_that_fails_keeps_what_stood_there(tmp_path):
    out = tmp_path / "out"
    make(out, {"a": b"old"})
    with pytest.raises(ValueError, match="no"), building(out, "k2", resumable=False) as (folder, _):
        tree(folder, {"a": b"new"})
        raise ValueError("no")
    assert (out / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_artifact_building_replaces_the_whole_folder(tmp_path):
    out = tmp_path / "out"
    make(out, {"a": b"old", "b": b"old"})
    make(out, {"a": b"new"})
    assert names(out) == ["a", MANIFEST]
    assert (out / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["out"]


def interrupted(out, files, *, key="k"):
    with pytest.raises(KeyboardInterrupt), building(out, key, resumable=True) as (folder, _):
        tree(folder, files)
        raise KeyboardInterrupt


def test_artifact_building_resumable_finds_unfinished_work_of_the_same_recipe(tmp_path):
    out = tmp_path / "out"
    interrupted(out, {f"{artifact.UNFINISHED}/half": b"x"})
    assert not out.exists()
    with building(out, "k", resumable=True) as (folder, continued):
        assert continued
        assert (folder / artifact.UNFINISHED / "half").read_bytes() == b"x"
    assert names(out) == [], "the saved state is no part of the result"


def test_artifact_building_resumable_begins_with_the_saved_state_alone(tmp_path):
    out = tmp_path / "out"
    interrupted(out, {f"{artifact.UNFINISHED}/half": b"x", "stray": b"x", "sub/stray": b"x", MANIFEST: b"{"})
    with building(out, "k", resumable=True) as (folder, continued):
        assert continued
        assert names(folder) == [artifact.RECIPE, artifact.UNFINISHED]


def test_artifact_building_resumable_starts_anew_where_nothing_was_kept(tmp_path):
    out = tmp_path / "out"
    interrupted(out, {"half": b"x"})
    assert list(tmp_path.iterdir()) == [], "there is nothing to go on from"
    with building(out, "k", resumable=True) as (folder, continued):
        assert not continued
        assert names(folder) == [artifact.RECIPE]


def test_artifact_building_resumable_starts_anew_for_another_recipe(tmp_path):
    out = tmp_path / "out"
    interrupted(out, {"half": b"x", f"{artifact.UNFINISHED}/half": b"x"})
    with building(out, "other", resumable=True) as (folder, continued):
        assert not continued
        assert not (folder / "half").exists()


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000])
def test_artifact_building_resumable_does_not_trust_a_damaged_note(tmp_path, content):
    out = tmp_path / "out"
    interrupted(out, {f"{artifact.UNFINISHED}/half": b"x"})
    (aside_folder(out) / artifact.RECIPE).write_text(content)
    with building(out, "k", resumable=True) as (_, continued):
        assert not continued


@pytest.mark.parametrize("content", ["[]", "{}", "5", '{"key": 5}'])
def test_artifact_building_spares_a_note_of_another_kind(tmp_path, content):
    tree(aside_folder(tmp_path / "out"), {artifact.RECIPE: content.encode(), "soup": b"x"})
    with pytest.raises(ConfigError, match="did not make"):
        make(tmp_path / "out", {"a": b"x"})
    assert names(aside_folder(tmp_path / "out")) == [artifact.RECIPE, "soup"]


@pytest.mark.parametrize("again", [KeyError("bug"), DataError("damaged"), MemoryError(), KeyboardInterrupt()])
def test_artifact_unfinished_work_is_dropped_by_force_only_if_it_cannot_be_resumed(tmp_path, again):
    out = tmp_path / "out"
    interrupted(out, {f"{artifact.UNFINISHED}/half": b"x"})
    with pytest.raises(type(again)), building(out, "k", resumable=True):
        raise again
    assert artifact.unfinished_key(out) == "k"
    assert artifact.can_be_dropped(out) == isinstance(again, KeyError | DataError)
    with pytest.raises(KeyboardInterrupt), building(out, "k", resumable=True) as (_, continued):
        assert continued
        assert not artifact.can_be_dropped(out)
        raise KeyboardInterrupt


def test_artifact_unfinished_work_on_inputs_that_changed_is_dropped(tmp_path):
    out = tmp_path / "out"
    interrupted(out, {f"{artifact.UNFINISHED}/half": b"x"})
    with pytest.raises(WorkError), building(out, "k", resumable=True):
        raise artifact.InputChangedError("in.txt has changed")
    assert names(tmp_path) == []


def test_artifact_building_is_locked_while_another_writes(tmp_path):
    out = tmp_path / "out"
    with building(out, "k", resumable=True) as (folder, _):
        tree(folder, {"a": b"first"})
        with pytest.raises(WorkError, match="Another lexenc is writing"), building(out, "k", resumable=True):
            pass
        assert (folder / "a").read_bytes() == b"first"
        make(tmp_path / "out2", {"a": b"x"})  # another name is another matter
        finish(folder, {})
    assert (out / "a").read_bytes() == b"first"
    make(out, {"a": b"second"})
    assert (out / "a").read_bytes() == b"second"
    assert names(tmp_path) == ["out", "out2"]


def test_artifact_lock_of_a_folder_that_its_owner_has_renamed_has_no_effect(tmp_path, monkeypatch):
    out, real = tmp_path / "out", durable.lock

    def late(stream, **how):
        # The owner finishes between our opening of the folder and our locking of it.
        if not out.exists():
            aside_folder(out).rename(out)
        return real(stream, **how)

    monkeypatch.setattr(durable, "lock", late)
    with artifact.locked(out) as folder:
        assert folder.is_dir()
        assert out.is_dir()


def test_artifact_lock_on_a_file_system_without_locks(tmp_path, monkeypatch):
    def none(stream, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(durable.fcntl, "flock", none)
    make(tmp_path / "out", {"a": b"x"})
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "pipe"])
def test_artifact_building_uses_no_link_and_no_file_of_that_name(tmp_path, kind):
    aside, mine = aside_folder(tmp_path / "out"), tmp_path / "mine"
    tree(mine, {"a": b"x"})
    if "link" in kind:
        aside.symlink_to(mine if kind == "link" else tmp_path / "nowhere")
    else:
        aside.write_text("x") if kind == "file" else os.mkfifo(aside)
    with pytest.raises(ConfigError, match=r"\.out\.partial"):
        make(tmp_path / "out", {"b": b"x"})
    assert names(mine) == ["a"]
    assert names(tmp_path) == [".out.partial", "mine"]


def test_artifact_building_spares_a_lock_file_of_the_user(tmp_path):
    (tmp_path / ".out.lock").write_text("mine")
    make(tmp_path / "out", {"a": b"x"})
    assert (tmp_path / ".out.lock").read_text() == "mine"


@pytest.mark.parametrize("call", ["open", "unlink", "link"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "Input/output error")])
def test_artifact_building_that_fails_at_its_very_start_leaves_nothing(tmp_path, monkeypatch, call, error):
    real, failed = getattr(os, call), []

    def failing(*args, **more):
        if "partial" in str(args[0]) and not failed:
            failed.append(call)
            raise error
        return real(*args, **more)

    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(os, call, failing if call != "link" else lambda *args, **more: (_ for _ in ()).throw(error))
        make(tmp_path / "out", {"a": b"x"})
    assert names(tmp_path) == []


# ---------------------------------------------------------------- taking the place


@pytest.fixture(params=["at once", "by renaming"])
def exchanging(request, monkeypatch):
    if request.param == "by renaming":
        monkeypatch.setattr(durable, "_exchange_at_once", lambda one, other: False)


@pytest.mark.parametrize("force", [True, False])
def test_artifact_place_that_is_taken_meanwhile_is_spared_and_the_result_kept(tmp_path, force):
    out = tmp_path / "out"
    with (
        pytest.raises(WorkError, match=r"appeared.*complete, in .*\.out\.partial"),
        building(out, "k", force=force) as (folder, _),
    ):
        finish(folder, {"a": b"new"})
        tree(out, {"thesis.tex": b"mine"})
    assert (out / "thesis.tex").read_bytes() == b"mine"
    assert artifact.unfinished_key(out) == "k"
    assert not artifact.can_be_dropped(out)
    assert artifact.finished_manifest(aside_folder(out), "k", STORE) is not None
    (out / "thesis.tex").unlink()
    with artifact.locked(out) as folder, artifact.building(folder, out, "k", keep="finished"):
        pass
    assert names(out) == ["a", MANIFEST]
    assert names(tmp_path) == ["out"]


def test_artifact_place_of_an_older_result_is_taken_by_force_only(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(WorkError, match="appeared"), building(out, "k", force=False) as (folder, _):
        finish(folder, {"a": b"new"})
        make(tmp_path / "other", {"a": b"old"})
        (tmp_path / "other").rename(out)
    assert (out / "a").read_bytes() == b"old"


@pytest.mark.parametrize("when", ["before", "after"])
def test_artifact_replacing_spares_a_file_that_is_added_meanwhile(tmp_path, exchanging, monkeypatch, when):
    out, real = tmp_path / "out", durable.exchange
    make(out, {"a": b"old"})

    def exchange(one, other):
        if when == "after" and not (out / "notes.txt").exists():
            (out / "notes.txt").write_bytes(b"mine")
        real(one, other)

    monkeypatch.setattr(durable, "exchange", exchange)
    with pytest.raises(WorkError, match=r"notes\.txt"), building(out, "k2") as (folder, _):
        finish(folder, {"a": b"new"}, "k2")
        if when == "before":
            (out / "notes.txt").write_bytes(b"mine")
    assert names(out) == ["a", MANIFEST, "notes.txt"]
    assert (out / "a").read_bytes() == b"old"
    assert artifact.finished_manifest(aside_folder(out), "k2", STORE) is not None


def test_artifact_replacing_keeps_both_results_if_the_system_refuses(tmp_path, monkeypatch):
    out = tmp_path / "out"
    make(out, {"a": b"old"})

    def refused(one, other):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(durable, "exchange", refused)
    with pytest.raises(WorkError, match="Operation not permitted"):
        make(out, {"a": b"new"}, key="k2")
    assert (out / "a").read_bytes() == b"old"
    assert (aside_folder(out) / "a").read_bytes() == b"new"


class Killed(BaseException):
    pass


_CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir", "link", "open", "fsync")


@contextmanager
def killed_at(number, monkeypatch):
    """Let nothing happen on the disk any more from the n-th call on, as if the process had been killed."""
    left = [number]

    def mortal(real):
        def call(*args, **more):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **more)

        return call

    with monkeypatch.context() as patch:
        for name in _CALLS:
            patch.setattr(os, name, mortal(getattr(os, name)))
        patch.setattr(durable, "_exchange_at_once", mortal(durable._exchange_at_once))
        with suppress(Killed):
            yield


@pytest.mark.parametrize("case", ["new", "replacing", "resuming"])
def test_artifact_building_can_be_killed_anywhere(tmp_path_factory, monkeypatch, exchanging, case):
    """The place always holds nothing, the old or the new result, whole. The next run leaves the new one alone."""
    for number in range(400):
        place = tmp_path_factory.mktemp("place")
        out, key = place / "out", "k2"
        if case == "replacing":
            make(out, {"a": b"old", "sub/b": b"old"})
        if case == "resuming":
            interrupted(out, {f"{artifact.UNFINISHED}/half": b"x", "stray": b"x"}, key=key)
        died = True
        with killed_at(number, monkeypatch):
            with building(out, key, resumable=True) as (folder, _):
                tree(folder, {f"{artifact.UNFINISHED}/half": b"x"})
                finish(folder, {"a": b"new", "sub/b": b"new"}, key)
            died = False
        if out.exists():
            assert {(out / name).read_bytes() for name in ("a", "sub/b")} in ({b"old"}, {b"new"})
            assert altered_outputs(out, read_manifest(out), STORE) == []
        else:
            assert died
            assert case != "replacing" or any(place.glob(".out.*.old")), number
        if out.exists() and read_manifest(out).key == key:
            artifact.sweep(out, key)
        else:
            make(out, {"a": b"new", "sub/b": b"new"}, key=key, resumable=True)
        assert names(out) == ["a", MANIFEST, "sub"], number
        assert names(place) == ["out"], number
        assert (out / "a").read_bytes() == b"new"
        if not died:
            break
    assert not died
    assert number > 20


def test_artifact_replacing_leaves_other_folders_of_a_like_name(tmp_path):
    out = tmp_path / "out"
    make(out, {"a": b"old"})
    tree(tmp_path / ".out.old", {"mine": b"x"})
    make(out, {"a": b"new"})
    assert names(tmp_path / ".out.old") == ["mine"]
    assert names(tmp_path) == [".out.old", "out"]


def test_artifact_building_spares_a_folder_of_that_name_with_other_files(tmp_path):
    tree(aside_folder(tmp_path / "out"), {"mine": b"x"})
    with pytest.raises(ConfigError, match="partial"), building(tmp_path / "out", "k", resumable=False):
        pass
    assert names(aside_folder(tmp_path / "out")) == ["mine"]


@pytest.mark.parametrize("files", [{}, {artifact.RECIPE: b'{"key": "k"}', "half": b"x"}, {artifact.RECIPE: b""}])
def test_artifact_building_takes_what_a_kill_left(tmp_path, files):
    aside_folder(tmp_path / "out").mkdir()
    tree(aside_folder(tmp_path / "out"), files)
    make(tmp_path / "out", {"a": b"x"})
    assert names(tmp_path) == ["out"]


def test_artifact_building_takes_a_replaced_result_but_not_with_files_of_the_user(tmp_path):
    make(tmp_path / "old", {"a": b"old"})
    (tmp_path / "old").rename(aside_folder(tmp_path / "out"))
    (aside_folder(tmp_path / "out") / "notes.txt").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"notes\.txt"):
        make(tmp_path / "out", {"a": b"x"}, key="other")
    (aside_folder(tmp_path / "out") / "notes.txt").unlink()
    make(tmp_path / "out", {"a": b"x"}, key="other")
    assert names(tmp_path) == ["out"]


def test_artifact_sweeping_spares_unfinished_work_of_another_recipe(tmp_path):
    out = tmp_path / "out"
    make(out, {"a": b"x"})
    interrupted(out, {f"{artifact.UNFINISHED}/half": b"x"}, key="other")
    artifact.sweep(out, "k")
    assert names(tmp_path) == [".out.partial", "out"]
    artifact.sweep(out, "other")
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_artifact_files_get_the_mode_that_the_umask_allows(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with building(tmp_path / "out", "k", resumable=False) as (folder, _):
            tree(folder, {"sub/private": b"x", "program": b"x"})
            (folder / "sub" / "private").chmod(0o600)
            (folder / "program").chmod(0o700)
            artifact.share(folder)
    finally:
        os.umask(before)
    assert (tmp_path / "out" / "sub" / "private").stat().st_mode & 0o777 == mode
    assert (tmp_path / "out" / "program").stat().st_mode & 0o777 == mode | 0o700


# ---------------------------------------------------------------- places


def test_artifact_place_that_is_new_empty_or_ours_is_taken(tmp_path):
    check_place(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_place(tmp_path / "empty")
    make(tmp_path / "ours", {"a": b"x"})
    check_place(tmp_path / "ours")


@pytest.mark.parametrize("files", [{"thesis.tex": b"x"}, {MANIFEST: b'{"manifest_version": 3, "name": "an add-on"}'}])
def test_artifact_place_of_somebody_else_is_refused(tmp_path, files):
    with pytest.raises(ConfigError):
        check_place(tree(tmp_path / "theirs", files))


def test_artifact_place_that_is_a_mount_point_is_refused():
    with pytest.raises(ConfigError, match="mount point"):
        check_place(Path("/proc"))


def test_artifact_place_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="file"):
        check_place(tmp_path / "file")


def test_artifact_recorded_values_have_their_types(tmp_path):
    one = manifest()
    assert recorded_param(tmp_path, one, "lambda", float) == 0.3
    assert recorded_input(tmp_path, one, "pairs").given == "a.tsv"
    for name, kind in (("lambda", str), ("nothing", float), ("actions", list[int])):
        with pytest.raises(DataError, match=rf"manifest\.json, params: {name}"):
            recorded_param(tmp_path, one, name, kind)
    with pytest.raises(DataError, match="has 0 inputs 'encoder', expected 1"):
        recorded_input(tmp_path, one, "encoder")
