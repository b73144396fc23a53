"""The program on real data, with the numbers that were measured for it; skipped, loudly, without the data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lexenc_cli.main import build_app
from typer.testing import CliRunner

pytestmark = pytest.mark.data


def lexenc(*args: object) -> str:
    done = CliRunner().invoke(build_app(), [str(each) for each in args])
    assert done.exit_code == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> Path:
    from tests_data import DATA

    return DATA


def fold(text: str) -> str:
    return text.lower()


def pairs_of(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")) if "\t" in line else tuple(line.split(" ")) for line in lines if line.strip()]
