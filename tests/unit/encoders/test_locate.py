"""From words to the folder of an encoder, without a network."""

from __future__ import annotations

import pytest

from lexenc.encoders.locate import locate_encoder
from lexenc.errors import ConfigError, WorkError


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "runs" / "encoder").mkdir(parents=True)
    (tmp_path / "runs" / "encoder" / "deep").mkdir()
    (tmp_path / "runs" / "file-list").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["runs/encoder", "./runs/encoder", "runs/encoder/", "runs"])
def test_locate_folders_come_first(here, name):
    assert locate_encoder(name).path.is_dir()
    assert locate_encoder(name).revision is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("runs/encodr", "Did you mean 'runs/encoder'?"),
        ("./runs/encodr", "Did you mean 'runs/encoder'?"),
        ("runs/encoder/dep", "Did you mean 'runs/encoder/deep'?"),
        ("runs/zzz", "Check the path"),
        ("runs/file", "Check the path"),
        ("./zzz", "Check the path"),
        ("none/at/all", "Check the path"),
        ("zzz/", "Check the path"),
    ],
)
def test_locate_paths_that_are_not_there(here, name, hint):
    with pytest.raises(ConfigError, match="The encoder is not there: ") as error:
        locate_encoder(name)
    assert error.value.message.endswith(name)
    assert hint in error.value.hint


def test_locate_absolute_paths(here):
    with pytest.raises(ConfigError) as error:
        locate_encoder(str(here / "runs" / "encodr"))
    assert error.value.hint == f"Did you mean '{here / 'runs' / 'encoder'}'?"


@pytest.mark.parametrize(("name", "meant"), [("min", "mini"), ("rusn", "runs"), ("rusn/encodr", "runs/encoder")])
def test_locate_names_are_compared_with_bundled_ones_and_folders(here, name, meant):
    with pytest.raises(ConfigError, match=f"There is no encoder called '{name}'") as error:
        locate_encoder(name)
    assert error.value.hint == f"Did you mean '{meant}'?"


def test_locate_hub_names_are_left_to_the_hub(here):
    with pytest.raises(WorkError, match="the hub did not answer"):
        locate_encoder("some/encoder")


@pytest.mark.parametrize("name", ["mini", "bundled:mini"])
def test_locate_bundled_encoders_by_either_name(here, name):
    assert locate_encoder(name).path.name == "mini"
