"""What is installed: every folder of code, the command, the resources, and nothing called `cli`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

from lexenc.errors import ExitCode

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def packages_on_disk():
    found = set()
    for top, name in (("lexenc", "lexenc"), ("cli", "lexenc_cli")):
        for init in (ROOT / top).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / top).parts
            found.add(".".join([name, *parts]))
    return found


def test_the_walk_found_packages():
    assert {"lexenc", "lexenc.stages", "lexenc.files", "lexenc_cli", "lexenc_cli.commands"} <= packages_on_disk()
    assert len(packages_on_disk()) >= 10


def test_listed_packages_are_the_folders_with_code():
    assert set(SETUPTOOLS["packages"]) == packages_on_disk()


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for top in ("lexenc", "cli") for path in (ROOT / top).rglob("*.py")}
    assert len(folders) >= 10
    for folder in folders:
        assert (folder / "__init__.py").is_file(), folder


def test_console_script_is_not_called_cli():
    assert PROJECT["project"]["scripts"] == {"lexenc": "lexenc_cli.__main__:main"}
    (installed,) = {point.value for point in entry_points(group="console_scripts") if point.name == "lexenc"}
    assert installed.startswith("lexenc_cli.")
    assert SETUPTOOLS["package-dir"]["lexenc_cli"] == "cli"


def test_nothing_called_cli_can_be_imported_from_elsewhere(tmp_path):
    code = "import importlib.util; print(importlib.util.find_spec('cli'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "None"


def test_code_never_imports_cli_or_click():
    files = [*ROOT.glob("lexenc/**/*.py"), *ROOT.glob("cli/**/*.py")]
    assert len(files) > 40
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not re.match(r"\s*(import|from) (cli|click)\b", line), (path, line)


def third_party_imports():
    """The packages that the code imports, under the names by which they are installed."""
    names = {"yaml": "pyyaml", "faiss": "faiss-cpu", "sentence_transformers": "sentence-transformers",
             "huggingface_hub": "huggingface-hub", "vl_convert": "vl-convert-python",
             "sklearn": "scikit-learn"}  # fmt: skip
    used = set()
    for path in [*ROOT.glob("lexenc/**/*.py"), *ROOT.glob("cli/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                used.add(node.module.partition(".")[0])
    return {names.get(name, name) for name in used - sys.stdlib_module_names - {"lexenc", "lexenc_cli"}}


def test_imports_and_dependencies_are_the_same_packages():
    declared = {re.match(r"[\w.-]+", each).group() for each in PROJECT["project"]["dependencies"]}
    assert {"numpy", "typer", "torch", "lxml"} <= declared
    extras = {re.match(r"[\w.-]+", each).group() for each in PROJECT["project"]["optional-dependencies"]["mteb"]}
    assert third_party_imports() == declared | extras


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built without network from a copy of what belongs in it."""
    import shutil

    if find_spec("setuptools") is None:
        pytest.skip("NO WHEEL WAS BUILT: setuptools is not installed here")
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in ("lexenc", "cli"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    code = f"import setuptools.build_meta as b; b.build_wheel({str(place)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, check=False, text=True)
    if "requires setuptools" in done.stderr or "InvalidConfigError" in done.stderr:
        pytest.skip(f"NO WHEEL WAS BUILT: this setuptools is too old ({done.stderr.splitlines()[-1]})")
    assert done.returncode == 0, done.stderr
    (built,) = place.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_wheel_holds_no_folder_called_cli(wheel):
    assert len(wheel) > 50
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"lexenc", "lexenc_cli"}


def test_wheel_holds_all_code_and_all_resources(wheel):
    for top, name in (("lexenc", "lexenc"), ("cli", "lexenc_cli")):
        for path in (ROOT / top).rglob("*.py"):
            assert f"{name}/{path.relative_to(ROOT / top).as_posix()}" in wheel
    resources = [path for path in (ROOT / "lexenc" / "resources").rglob("*")
                 if path.is_file() and "__pycache__" not in path.parts]  # fmt: skip
    assert len(resources) >= 3
    for path in resources:
        assert path.relative_to(ROOT).as_posix() in wheel
    assert "lexenc/py.typed" in wheel


def test_wheel_holds_no_tests(wheel):
    assert not [name for name in wheel if "test" in name.lower() and name.endswith(".py")]


def test_readme_names_the_exit_codes():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^Exit codes: (.*?)\n\n", text, re.DOTALL | re.MULTILINE)
    assert [int(code) for code in re.findall(r"(?:^|; )(\d+) ", " ".join(listed.split()))] == [*map(int, ExitCode)]
