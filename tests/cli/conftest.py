"""A tiny world of two languages, made here, and the program run in it through its real parser."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from forks import Forked
from lexenc_cli.main import build_app
from typer.testing import CliRunner

EN = (
    "house dog cat tree water fire stone bread milk green red blue night day sun moon star river mountain sea book pen "
    "table chair door window street city land hand head foot eye ear heart bird fish horse cow apple"
).split()
DE = (
    "haus hund katze baum wasser feuer stein brot milch grün rot blau nacht tag sonne mond stern fluss berg meer buch "
    "stift tisch stuhl tür fenster straße stadt land hand kopf fuß auge ohr herz vogel fisch pferd kuh apfel"
).split()
SPLIT = 28


@dataclass(frozen=True)
class Shown:
    """What one run of the program did."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


@dataclass(frozen=True)
class Failure:
    """The two lines of a failure, and the remarks that came before them; of several faults the first, and all."""

    message: str
    hint: str
    before: list[str]
    faults: list[tuple[str, str]]


def invoke(*args: object, stdin: str | bytes | None = None, env: dict[str, str] | None = None) -> Shown:
    result = CliRunner().invoke(build_app(), [str(each) for each in args], input=stdin, env=env)
    return Shown(result.exit_code, result.stdout, result.stderr)


def well(*args: object, **more) -> Shown:
    shown = invoke(*args, **more)
    assert shown.code == 0, shown.stderr
    return shown


@pytest.fixture(scope="session")
def lexenc():
    """Run a command; the exit code must be 0."""
    return well


@pytest.fixture(scope="session")
def attempt():
    """Run a command, whatever comes of it."""
    return invoke


@pytest.fixture(scope="session")
def fails():
    """Run a command that must fail in exactly two lines a fault and without a traceback; gives them."""

    def run(*args: object, code: int = 2, early: bool = True, faults: int = 1, **more) -> Failure:
        shown = invoke(*args, **more)
        assert shown.code == code, (shown.code, shown.stdout, shown.stderr)
        return read_failure(shown.stderr, early=early, faults=faults)

    return run


@pytest.fixture(scope="session")
def failure():
    """Take the two lines of a failure from standard error."""
    return read_failure


def read_failure(stderr: str, *, early: bool = True, faults: int = 1) -> Failure:
    """Check the form of a failure; an early one comes before any remark."""
    assert "Traceback" not in stderr
    lines = stderr.splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith("error:")]
    assert len(places) == faults, stderr
    before, found = lines[: places[0]], []
    for place, end in zip(places, [*places[1:], len(lines)], strict=True):
        own = lines[place:end]
        assert [line.startswith("hint:") for line in own] == [False] * (len(own) - 1) + [True], stderr
        found.append(("\n".join(own[:-1]).removeprefix("error: "), own[-1].removeprefix("hint:  ")))
    if early:
        assert before == [], stderr
    return Failure(*found[0], before, found)


def command_line(*args: object) -> list[str]:
    return [sys.executable, "-m", "lexenc_cli", *(str(each) for each in args)]


@pytest.fixture(scope="session")
def program():
    """Run a command as a process of its own."""

    def run(*args: object, **more) -> subprocess.CompletedProcess:
        more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": os.environ | {"COLUMNS": "80"}} | more
        return subprocess.run(command_line(*args), check=False, **more)

    return run


@pytest.fixture(scope="session")
def forked():
    """Run a command as a process of its own that has imported everything before; what a start does is not tested."""

    def run(*args: object, input: bytes | None = None, **more) -> subprocess.CompletedProcess:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": os.environ | {"COLUMNS": "80"}}
        words = [str(each) for each in args]
        with Forked(words, **pipes | more, stdin=subprocess.DEVNULL if input is None else subprocess.PIPE) as process:
            stdout, stderr = process.communicate(input)
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    return run


def begin(make, words: list[str], more: dict) -> subprocess.Popen:
    return make(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


@pytest.fixture(scope="session")
def start():
    """Start a command as a process of its own, with Ctrl-C as a terminal would have it."""
    import signal

    def run(*args: object, **more) -> subprocess.Popen:
        # A test run in the background hands on "ignore interrupts", and under nohup "ignore the end of the terminal",
        # which a user's shell does not.
        kept = lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)]  # noqa: E731
        return begin(subprocess.Popen, command_line(*args), {"preexec_fn": kept} | more)

    return run


@pytest.fixture(scope="session")
def fork():
    """Start a command as `start` does, in a process that has imported everything before."""
    return lambda *args, **more: begin(Forked, [str(each) for each in args], more)


@pytest.fixture(scope="session")
def wait_for():
    """Wait until something is so, while a process runs; a process that ends before is a failure, and one that hangs."""

    def wait(sign, process: subprocess.Popen) -> None:
        end = time.monotonic() + 600
        while not sign():
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < end, "the sign never came"
            time.sleep(0.005)

    return wait


def write_vec(path: Path, words: list[str], matrix: np.ndarray) -> None:
    rows = [f"{word} " + " ".join(f"{x:.5f}" for x in row) for word, row in zip(words, matrix, strict=True)]
    path.write_text("\n".join([f"{len(words)} {matrix.shape[1]}", *rows]) + "\n", encoding="utf-8")


def write_pairs(path: Path, pairs) -> None:
    path.write_text("".join(f"{left}\t{right}\n" for left, right in pairs), encoding="utf-8")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors that are a noisy rotation of each other, dictionaries, vocabularies, parallel text."""
    folder = tmp_path_factory.mktemp("world")
    random = np.random.default_rng(0)
    source = random.normal(size=(len(EN), 8))
    rotation, _ = np.linalg.qr(random.normal(size=(8, 8)))
    write_vec(folder / "en.vec", EN, source)
    write_vec(folder / "de.vec", DE, source @ rotation + 0.05 * random.normal(size=source.shape))
    pairs = list(zip(EN, DE, strict=True))
    write_pairs(folder / "train.tsv", pairs[:SPLIT])
    write_pairs(folder / "test.tsv", pairs[SPLIT:])
    (folder / "en.txt").write_text("\n".join(EN) + "\n", encoding="utf-8")
    (folder / "de.txt").write_text("".join(f"{word} {99 - i}\n" for i, word in enumerate(DE)), encoding="utf-8")
    write_pairs(folder / "text.tsv", [(f"the {a} is here and a {a} was there", f"das {b} ist hier") for a, b in pairs])
    return folder


@pytest.fixture(scope="session")
def static(world: Path) -> Path:
    """An untrained bag of subwords."""
    out = world / "static"
    well("new-encoder", "--text", world / "text.tsv", "--dimensions", 16, "--vocabulary-size", 200, "--out", out)
    return out


@pytest.fixture(scope="session")
def transformer(world: Path) -> Path:
    """An untrained transformer of one layer."""
    out = world / "transformer"
    size = ["--dimensions", 16, "--layers", 1, "--heads", 2, "--max-length", 32, "--vocabulary-size", 200]
    well("new-encoder", "--text", world / "text.tsv", "--kind", "transformer", *size, "--out", out)
    return out


@pytest.fixture(scope="session")
def mapped(world: Path) -> Path:
    """Both languages in one space."""
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    well("map", *files, "--out", world / "mapped")
    return world / "mapped"


@pytest.fixture(scope="session")
def negatives(world: Path, static: Path) -> Path:
    """Three hard negatives for every training pair."""
    files = ["--pairs", world / "train.tsv", "--encoder", static, "--target-vocabulary", world / "de.txt"]
    well("mine-negatives", *files, "--count", 3, "--out", world / "negatives")
    return world / "negatives"


@pytest.fixture(scope="session")
def tuned(world: Path, static: Path, negatives: Path) -> Path:
    """The bag of subwords after tuning."""
    files = ["--pairs", world / "train.tsv", "--negatives", negatives, "--encoder", static]
    well("finetune", *files, "--epochs", 2, "--batch-size", 8, "--out", world / "tuned")
    return world / "tuned"


@pytest.fixture(scope="session")
def blended(world: Path, mapped: Path, tuned: Path) -> Path:
    """The shared space blended with the tuned encoder."""
    files = ["--vectors", mapped, "--encoder", tuned, "--dictionary", world / "train.tsv"]
    well("interpolate", *files, "--lambda", 0.3, "--out", world / "blended")
    return world / "blended"


@pytest.fixture
def pipeline(world: Path, static: Path, tmp_path: Path) -> Path:
    """A pipeline of two steps: map and eval bli."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        f"""seed: 3
workdir: runs
steps:
  - stage: map
    name: mapped
    inputs: {{source: {world}/en.vec, target: {world}/de.vec, dictionary: {world}/train.tsv}}
  - stage: eval bli
    name: scores
    inputs: {{vectors: "${{mapped}}", dictionary: {world}/test.tsv}}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="session")
def report_runs(world: Path, static: Path, tuned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluations for a report, some of words that look like HTML; what they were made from lies elsewhere."""
    runs = tmp_path_factory.mktemp("runs")
    names = {"apple": "<script>hacked=1</script>", "apfel": '"><img/src=x/onerror=hacked=1>'}
    for side in ("en", "de"):
        text = (world / f"{side}.vec").read_text(encoding="utf-8")
        for word, name in names.items():
            text = text.replace(f"\n{word} ", f"\n{name} ")
        (runs / f"{side}.vec").write_text(text, encoding="utf-8")
    text = (world / "test.tsv").read_text(encoding="utf-8")
    (runs / "test.tsv").write_text(text.replace("apple\tapfel", "\t".join(names.values())), encoding="utf-8")
    train, test = world / "train.tsv", runs / "test.tsv"
    out = runs / "spaces" / "mapped"
    well("map", "--source", runs / "en.vec", "--target", runs / "de.vec", "--dictionary", train, "--out", out)
    both = ["eval", "bli", "--vectors", out, "--train-dictionary", train, "--dictionary", test, "--lambda", "0,0.5,1"]
    for name, encoder in (("untuned", static), ("tuned", tuned)):
        well(*both, "--encoder", encoder, "--out", runs / f"scores-{name}")
    well("interpolate", "--vectors", out, "--encoder", tuned, "--dictionary", train, "--out", runs / "blended")
    alone = ["eval", "bli", "--dictionary", test, "--retrieval", "csls"]
    well(*alone, "--vectors", runs / "blended", "--out", runs / "scores-blended")
    well(*alone, "--vectors", out, "--out", runs / "scores-static")
    return runs


@pytest.fixture(scope="session")
def report_page(report_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that report writes on them."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    well("report", report_runs, "--out", out, "--title", "Worlds <b>apart</b>")
    return out
