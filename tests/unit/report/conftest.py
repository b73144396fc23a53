"""Result folders for reports, written without running any stage."""

from __future__ import annotations

from hashlib import sha256
from types import SimpleNamespace

import pytest

from lexenc.artifact import InputRecord, Manifest, write_manifest
from lexenc.files.evaluations import writing_evaluation
from lexenc.report.data import ReportData
from lexenc.report.results import find_results


@pytest.fixture
def make():
    """Write a result folder. Inputs are (path, key of their maker)."""

    def write(folder, *, stage="map", key=None, inputs=None, created="2026-01-01T00:00:00+00:00", params=None,
              results=(), summary=None):  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        digests = {str(path): sha256(str(path).encode()).hexdigest() for path, _ in (inputs or {}).values()}
        records = {name: [InputRecord(str(path), str(path).rsplit("/", 1)[-1], digests[str(path)], made_by)]
                   for name, (path, made_by) in (inputs or {}).items()}  # fmt: skip
        write_manifest(folder, Manifest(
            stage=stage, stage_version=1, key=key or folder.name, params=params or {}, seed=0, inputs=records,
            outputs={}, summary=summary or {}, results=list(results), tables=[], device="cpu", precision="float32",
            seconds=1.0, created=created, command="", versions={"lexenc": "0"},
        ))  # fmt: skip
        return folder

    return write


@pytest.fixture
def evaluate(make):
    """Write an evaluation: systems, and (items, labels) for each that has answers."""

    def write(folder, task, systems, answers=(), *, stage=None, **more):
        folder.mkdir(parents=True)
        with writing_evaluation(folder, task) as writer:
            for items, labels in answers:
                writer.write(items, labels)
            writer.systems = list(systems)
        results = [each.flat() for each in systems]
        return make(folder, stage=stage or f"eval {task}", results=results, **more)

    return write


@pytest.fixture
def data_of():
    return lambda root, **more: ReportData(find_results(root), **more)


@pytest.fixture
def texts():
    return lambda row: [cell.text for cell in row]


@pytest.fixture
def stub():
    """Data with bare results, for sections that read records only."""

    def write(*results, verdicts=()):
        return SimpleNamespace(results=SimpleNamespace(finished=[*results]), verdicts=[*verdicts])

    return write
