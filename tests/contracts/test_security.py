"""What SECURITY.md promises: each promise has its tests, and no source can run data as code."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("lexenc", "cli") for path in (ROOT / folder).rglob("*.py"))

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "code", "imp", "runpy"}
MODULES |= {"xml.etree", "xml.etree.ElementTree", "xml.dom", "xml.dom.minidom", "xml.sax"}  # they resolve entities
CALLS = {"eval", "exec", "compile", "os.system", "os.popen", "torch.load", "tempfile.mktemp", "yaml.full_load",
         "yaml.unsafe_load", "yaml.load_all", "shutil.unpack_archive"}  # fmt: skip
# No value but this one may be given by these names.
ARGUMENTS = {"shell": False, "allow_pickle": False, "trust_remote_code": False, "weights_only": True, "verify": True,
             "resolve_entities": False, "use_safetensors": True}  # fmt: skip


def test_every_promise_has_tests_that_exist():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    parts = re.split(r"\n(?=- |## )", text.split("## What is not promised")[0])
    promises = [part for part in parts if part.startswith("- ")]
    assert len(promises) > 15
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
        assert named, promise
        for path, name in named:
            assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), (path, name)


def is_unsafe(name: object, value: ast.expr) -> bool:
    return name in ARGUMENTS and not (isinstance(value, ast.Constant) and value.value is ARGUMENTS[name])


def faults_of(source: str) -> list[str]:
    """Return what a source does that could run data as code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name in MODULES]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if node.module in MODULES else []
            found += [name for each in node.names if (name := f"{node.module}.{each.name}") in MODULES | CALLS]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in CALLS or name.endswith(".extractall") else []
            found += [name] if name == "yaml.load" and "Loader" not in {each.arg for each in node.keywords} else []
            found += [each.arg for each in node.keywords if is_unsafe(each.arg, each.value)]
        elif isinstance(node, ast.Dict):
            keys = [getattr(key, "value", None) for key in node.keys]
            found += [key for key, value in zip(keys, node.values, strict=True) if is_unsafe(key, value)]
        elif isinstance(node, ast.Attribute) and node.attr in ("UnsafeLoader", "FullLoader"):
            found.append(node.attr)
    return found


def test_no_source_can_run_data_as_code():
    assert len(SOURCES) > 100
    assert {str(path): faults for path in SOURCES if (faults := faults_of(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from pickle import load", "from torch import load", "torch.load(x)", "run(x, shell=True)",
     "eval(x)", "np.load(x, allow_pickle=flag)", "f(trust_remote_code=True)", "d = {'trust_remote_code': True}",
     "yaml.load(x)", "yaml.load(x, Loader=yaml.UnsafeLoader)", "archive.extractall()"],
)  # fmt: skip
def test_what_could_run_data_as_code_is_found(source):
    assert faults_of(source)


# The version that mended a published vulnerability. The latest of each package.
MENDED = {
    "torch": "2.8",  # CVE-2025-32434 (2.6), CVE-2025-3730 (2.8)
    "transformers": "4.53",  # CVE-2025-5197 and others of regular expressions and conversion
    "jinja2": "3.1.6",  # CVE-2025-27516
    "tqdm": "4.66.3",  # CVE-2024-34062
    "scikit-learn": "1.5",  # CVE-2024-5206
    "lxml": "4.9.1",  # CVE-2022-2309
    "pyyaml": "5.4",  # CVE-2020-14343
    "scipy": "1.10",  # CVE-2023-25399
    "numpy": "1.22",  # CVE-2021-41496
    "setuptools": "78.1.1",  # CVE-2025-47273
}


def test_lower_bounds_exclude_vulnerable_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    bounds = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", each).groups() for each in named)

    def numbers(version: str) -> list[int]:
        return [int(each) for each in version.split(".")]

    assert {name: bounds[name] for name, mended in MENDED.items() if numbers(bounds[name]) < numbers(mended)} == {}


@pytest.mark.parametrize(
    ("printed", "code", "says"),
    [
        ({"name": "x", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}, 1, "x 1: CVE-1, fixed in 2"),
        ({"name": "x", "version": "1", "vulns": []}, 0, "1 of 1 packages audited, 0 vulnerable"),
        ({"name": "x", "skip_reason": "not found"}, 0, "DEPENDENCIES WERE NOT AUDITED"),
        (None, 0, "DEPENDENCIES WERE NOT AUDITED: no network"),
    ],
)
def test_the_audit_fails_on_a_vulnerability_only(tmp_path, printed, code, says):
    body = "sys.exit('no network')" if printed is None else f"print({json.dumps({'dependencies': [printed]})!r})"
    (tmp_path / "pip_audit.py").write_text(f"import sys\n{body}\n")
    words = [sys.executable, ROOT / "tests/contracts/audit.py"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert says in done.stdout
