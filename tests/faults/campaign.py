"""Kill, interrupt and starve every stage at every call that changes files, and check what is left.

One process imports everything once and forks a child for each run, in which `calls.c` counts the calls below the folder
of the trial. Run `make faults` or `python tests/faults/campaign.py --help`.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import gc
import hashlib
import json
import os
import random
import select
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lexenc_cli.__main__ import main as program
from tiny import RUNS, Tiny, make_world

from lexenc import planning
from lexenc.stages import STAGES

HERE = Path(__file__).parent
# As in calls.c.
MODES = {"off": 0, "count": 1, "kill": 2, "torn": 3, "full": 4, "full-once": 5, "error": 6, "int": 7, "term": 8}
KILLS = ("kill", "torn", "twice")
SPACE = ("full", "full-once", "error")
SIGNALS = ("int", "term")
# What part of all trials each mode gets.
SHARES = {
    "kill": 0.4,
    "torn": 0.25,
    "twice": 0.35,
    "full": 0.1,
    "full-once": 0.1,
    "error": 0.05,
    "int": 0.06,
    "term": 0.06,
}
LIMIT = 60  # seconds of one run
# Keys of JSON files that hold times.
TIMES = {"created", "seconds", "tokens_per_second", "pairs_per_second", "versions"}


@dataclass(frozen=True)
class Call:
    """A call that changes files: function, what it needs (0 nothing, 1 space, 2 space for bytes), and path."""

    name: str
    needs: int
    path: str


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code or minus the signal, and standard error."""

    code: int
    stderr: str
    hung: bool = False


@dataclass(frozen=True)
class Trial:
    """One disturbance of one run.

    Args:
        run: Name and number in `RUNS`.
        over: Whether there is an older result, which `--force` replaces.
        mode: What happens: a name in `MODES`, or `twice` for `kill` or `torn` in the run and in the next run.
        at: Numbers of the calls where it happens, in the first and the second run.
    """

    run: str
    over: bool
    mode: str
    at: tuple[int, ...]

    @property
    def command(self) -> str:
        words = ["python", "tests/faults/campaign.py", "--only", self.run, "--mode", self.mode, "--at",
                 ",".join(map(str, self.at))]  # fmt: skip
        return shlex.join([*words, *["--over"] * self.over])


@dataclass
class Reference:
    """What a run leaves if nothing disturbs it."""

    tiny: Tiny
    resumable: bool
    old: dict[str, str] = field(default_factory=dict)
    new: dict[bool, dict[str, str]] = field(default_factory=dict)
    calls: dict[bool, list[Call]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    trial: Trial
    what: str

    def __str__(self) -> str:
        return f"{self.trial.run}{' over a result' * self.trial.over}, {self.what}\n    {self.trial.command}"


# ---------------------------------------------------------------- what is in a folder


def whole_results(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the results in and below a folder: files that are missing, changed or strange."""
    for manifest in [*folder.glob("manifest.json"), *folder.glob("*/manifest.json")]:
        try:
            outputs = json.loads(manifest.read_text(encoding="utf-8"))["outputs"]
        except (ValueError, KeyError) as error:
            yield f"{manifest.name} is damaged ({error})"
            continue
        own = manifest.parent
        found = {each.relative_to(own).as_posix(): each for each in own.rglob("*") if each.is_file()}
        del found["manifest.json"]
        for name, path in found.items():
            if outputs.pop(name, None) != hashlib.sha256(path.read_bytes()).hexdigest():
                yield f"{name} is not as the manifest has it"
        if outputs:
            yield f"{', '.join(outputs)} missing"


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_times(each) for name, each in value.items() if name not in TIMES}
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def content(path: Path) -> str:
    """Return the mode and bytes of a file, as a short text; times in JSON do not count."""
    body = path.read_bytes()
    if path.name == "manifest.json":
        known = json.loads(body)
        # The digest of a file that holds times.
        for name in [each for each in known["outputs"] if each.endswith((".json", ".jsonl"))]:
            known["outputs"][name] = content(path.parent / name)
        body = json.dumps(_without_times(known)).encode()
    elif path.suffix in (".json", ".jsonl"):
        lines = body.decode().splitlines() if path.suffix == ".jsonl" else [body.decode()]
        body = "\n".join(json.dumps(_without_times(json.loads(line))) for line in lines).encode() + body[-1:]
    return f"{stat.S_IMODE(path.stat().st_mode):o} {hashlib.sha256(body).hexdigest()[:16]}"


def snapshot(folder: Path) -> dict[str, str]:
    """Return the content of every file and link below a folder, by relative name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            try:
                found[name] = content(path)
            except (ValueError, KeyError, OSError) as error:
                found[name] = f"damaged: {error}"
        elif not any(path.iterdir()):
            found[name] = "empty folder"
    return found


def differences(found: dict[str, str], wanted: dict[str, str]) -> str:
    """Return the names that differ, or nothing."""
    parts = [f"{name} lacks" for name in wanted if name not in found]
    parts += [f"{name} is left" for name in found if name not in wanted]
    parts += [f"{name} differs" for name in wanted if name in found and found[name] != wanted[name]]
    return "; ".join(parts[:4])


# ---------------------------------------------------------------- runs


class Runner:
    """Runs command lines in forked children.

    Args:
        base: Folder for everything: inputs in `world`, and a folder for each trial.
        library: The library made from `calls.c`, which is loaded already.
    """

    def __init__(self, base: Path, library: Path) -> None:
        self.base, self.library = base, ctypes.CDLL(str(library))
        self.std = base / f"std.{os.getpid()}"
        # Half of the time of a tiny run.
        planning.package_versions = functools.cache(planning.package_versions)

    def here(self, words: list[str], folder: Path) -> Ended:
        """Run a command in this process, which is faster than in a child, and warms the process up."""
        kept = [os.dup(number) for number in range(3)]
        try:
            code = self._program(words, folder)
        finally:
            for number, file in enumerate(kept):
                os.dup2(file, number)
                os.close(file)
        return Ended(code, self._errors())

    def well(self, words: list[str], folder: Path) -> None:
        """Run a command that has to succeed."""
        ended = self.here(words, folder)
        if ended.code:
            raise RuntimeError(f"lexenc {shlex.join(words)}: exit code {ended.code}\n{ended.stderr}")

    def child(self, words: list[str], folder: Path, mode: str = "off", at: int = 0, log: Path | None = None) -> Ended:
        """Run a command in a child, in a folder."""
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            try:
                self._become(words, folder, mode, at, log)
            finally:
                os._exit(99)
        watch = os.pidfd_open(pid)
        hung = not select.select([watch], [], [], LIMIT)[0]
        os.close(watch)
        if hung:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return Ended(os.waitstatus_to_exitcode(status), self._errors(), hung)

    def _become(self, words: list[str], folder: Path, mode: str, at: int, log: Path | None) -> None:
        gc.disable()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        writes = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if log else -1
        self.library.faults_arm(MODES[mode], ctypes.c_long(at), os.fsencode(f"{folder}/"), writes)
        os._exit(self._program(words, folder))

    def _program(self, words: list[str], folder: Path) -> int:
        """Run the program as a process would, and return its exit code. Its output goes to a file."""
        os.chdir(folder)
        out, nothing = os.open(self.std, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(os.devnull, os.O_RDWR)
        for number, file in enumerate((nothing, nothing, out)):
            os.dup2(file, number)
        os.close(out)
        os.close(nothing)
        sys.argv, code = ["lexenc", *words], 0
        try:
            program()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        return code

    def _errors(self) -> str:
        return self.std.read_text(encoding="utf-8", errors="replace")


class Examiner:
    """Carries out trials of one run, and judges them.

    Args:
        runner: Runs command lines.
        name: Name and number of the run in `RUNS`.
    """

    def __init__(self, runner: Runner, name: str) -> None:
        self._runner, self.name = runner, name
        self._place = runner.base / "trials" / name.replace(" ", "-")
        self._old = self._place / "old"
        self._trials = 0
        self.faults: list[Fault] = []
        stage, _, number = name.rpartition(" ")
        tiny = RUNS[stage][int(number)]
        self.reference = Reference(tiny, stage == "run" or (stage in STAGES and STAGES[stage].resumable))

    def prepare(self) -> None:
        """Warm up, and keep what undisturbed runs leave."""
        tiny = self.reference.tiny
        for name, other in (("warm", False), ("old", True)):
            folder = self._place / name
            folder.mkdir(parents=True)
            words = tiny.words("../../../world", other=other)
            ended = self._next(words, folder)
            if ended.code:
                raise RuntimeError(f"lexenc {shlex.join(words)}: exit code {ended.code}\n{ended.stderr}")
        gc.collect()
        gc.freeze()
        self.reference.old = snapshot(self._old)
        for over in (False, True):
            for again in range(2):
                folder, log = self._filled(over), self._runner.base / f"log.{os.getpid()}"
                ended = self._run(folder, over, "count", log=log)
                found = snapshot(folder)
                trial = Trial(self.name, over, "count", ())
                if ended.code:
                    self._fault(trial, f"undisturbed: exit code {ended.code}: {ended.stderr}")
                if again and (text := differences(found, self.reference.new[over])):
                    self._fault(trial, f"two undisturbed runs differ: {text}")
                self.reference.new[over] = found
                parts = [line.split(" ", 3) for line in log.read_text().splitlines()]
                self.reference.calls[over] = [
                    Call(name, int(needs), path.removeprefix(f"{folder}/")) for _, name, needs, path in parts
                ]
                shutil.rmtree(folder)

    def trials(self, budget: int, draw: random.Random, chosen: set[str]) -> Iterator[Trial]:
        """Yield trials, spread evenly over the calls."""
        overs = [False, True] if self.reference.tiny.other else [False]
        for over in overs:
            calls = self.reference.calls[over]
            needs = {"torn": 2, "full": 1, "full-once": 1}
            spare = 0
            for mode in ("kill", "torn", *SPACE, *SIGNALS, "twice"):
                fit = [number for number, each in enumerate(calls, start=1) if each.needs >= needs.get(mode, 0)]
                wanted = round(budget * SHARES[mode] / len(overs)) + (spare if mode == "twice" else 0)
                if mode in ("kill", "torn"):
                    spare += max(0, wanted - len(fit))
                if mode not in chosen:
                    continue
                if mode == "twice":
                    for _ in range(wanted):
                        yield Trial(self.name, over, mode, (draw.choice(fit), draw.choice(fit)))
                else:
                    for number in evenly(fit, wanted, draw):
                        yield Trial(self.name, over, mode, (number,))

    def carry_out(self, trial: Trial, *, alone: bool = False) -> None:
        """Carry out a trial, with the run that follows it, which is in a child too if the trial is `alone`."""
        folder = self._filled(trial.over)
        mode = trial.mode if trial.mode != "twice" else ("kill", "torn")[sum(trial.at) % 2]
        for part, at in enumerate(trial.at):
            ended = self._run(folder, trial.over, mode, at)
            where = self._where(trial, part)
            for text in self._wrong_end(trial, mode, ended):
                self._fault(trial, f"{where}: {text}")
            for text in self._wrong_state(trial, mode, folder):
                self._fault(trial, f"{where}: {text}")
        run = self._runner.child if alone else self._next
        ended = run(self.reference.tiny.words("../../../world", force=trial.over), folder)
        for text in self._wrong_next(trial, folder, ended):
            self._fault(trial, f"{where}: {text}")
        if alone:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def _wrong_next(self, trial: Trial, folder: Path, ended: Ended) -> Iterator[str]:
        """Yield in what the next run does not bring what an undisturbed one brings."""
        # Without --force, a file that is finished is refused.
        refused = self.reference.tiny.is_file and not trial.over and "already exists" in ended.stderr
        if ended.code and not (refused and ended.code == 2):
            yield f"the next run has exit code {ended.code}: {ended.stderr}"
        if text := differences(snapshot(folder), self.reference.new[trial.over]):
            yield f"after the next run {text}"

    def _where(self, trial: Trial, part: int) -> str:
        calls, number = self.reference.calls[trial.over], trial.at[part]
        call = calls[number - 1] if number <= len(calls) else None
        named = f" ({call.name} {call.path})" if call and not part else ""
        return f"{trial.mode} at call {' and '.join(map(str, trial.at[: part + 1]))}{named}"

    def _wrong_end(self, trial: Trial, mode: str, ended: Ended) -> Iterator[str]:
        if ended.hung:
            yield "hangs"
        elif mode in KILLS:
            if ended.code not in (-signal.SIGKILL, 0, 2):
                yield f"exit code {ended.code}: {ended.stderr}"
        elif ended.code == 0:
            return
        elif "Traceback" in ended.stderr:
            yield f"traceback: {ended.stderr}"
        elif ended.code not in ((130, 143) if mode in SIGNALS else (1, 2)):
            yield f"exit code {ended.code}: {ended.stderr}"
        elif [line[:6] for line in ended.stderr.splitlines()].count("error:") != 1 or "\nhint: " not in ended.stderr:
            yield f"no error with a hint: {ended.stderr}"

    def _wrong_state(self, trial: Trial, mode: str, folder: Path) -> Iterator[str]:
        """Yield what is wrong with a folder after a disturbance."""
        tiny, known = self.reference.tiny, self.reference
        names = {tiny.out, *tiny.copies}
        found = snapshot(folder)
        for name in names:
            own = {path: each for path, each in found.items() if path.split("/")[0] == name}
            stood = {path: each for path, each in known.old.items() if path.split("/")[0] == name}
            done = {path: each for path, each in known.new[trial.over].items() if path.split("/")[0] == name}
            if tiny.option == "--workdir":
                # Steps of a pipeline are finished one by one.
                own = {path: each for path, each in own.items() if not path.split("/")[1].startswith(".")}
                if own.items() <= done.items():
                    own = {}
            if own not in ((stood,) if trial.over else ({},)) and own != done:
                text = f"{name} is neither old nor new: {differences(own, done)}" if own else f"{name} is gone"
                yield text
        yield from whole_results(folder / tiny.out)
        if mode not in KILLS:
            left = {each.name for each in folder.iterdir()} - names
            unfinished = {f".{tiny.out}.partial"} if known.resumable else set()
            if left - unfinished:
                yield f"{', '.join(sorted(left - unfinished))} is left"

    def _run(self, folder: Path, over: bool, mode: str = "off", at: int = 0, log: Path | None = None) -> Ended:
        words = self.reference.tiny.words("../../../world", force=over)
        return self._runner.child(words, folder, mode, at, log)

    @property
    def _next(self) -> Callable[[list[str], Path], Ended]:
        return self._runner.here if self.reference.tiny.forks else self._runner.child

    def _filled(self, over: bool) -> Path:
        self._trials += 1
        folder = self._place / f"t{self._trials}"
        if over:
            shutil.copytree(self._old, folder, symlinks=True)
        else:
            folder.mkdir(parents=True)
        return folder

    def _fault(self, trial: Trial, what: str) -> None:
        text = what.replace(str(self._place), "")
        self.faults.append(Fault(trial, text if len(text) < 700 else f"{text[:300]} [...] {text[-400:]}"))
        print(f"FAULT {self.faults[-1]}", flush=True)


def evenly(numbers: list[int], wanted: int, draw: random.Random) -> list[int]:
    """Return that many of the numbers, spread evenly."""
    if wanted >= len(numbers):
        return numbers
    step = len(numbers) / max(wanted, 1)
    return [numbers[int((i + draw.random()) * step)] for i in range(wanted)]


# ---------------------------------------------------------------- campaign


def all_runs() -> list[str]:
    """Return the name and number of each run."""
    return [f"{name} {number}" for name, many in RUNS.items() for number in range(len(many))]


def work(runner: Runner, names: list[str], settings: argparse.Namespace) -> list[dict]:
    """Carry out the trials of some runs, and return a row of counts for each."""
    rows = []
    for name in names:
        began = time.monotonic()
        examiner = Examiner(runner, name)
        examiner.prepare()
        draw = random.Random(f"{settings.seed} {name}")
        if settings.at:
            trials = [Trial(name, settings.over, settings.mode, tuple(map(int, settings.at.split(","))))]
        else:
            chosen = set(settings.mode.split(",")) if settings.mode else set(SHARES)
            trials = list(examiner.trials(settings.trials // len(settings.runs), draw, chosen))
        for trial in trials:
            examiner.carry_out(trial, alone=bool(settings.at))
        calls = examiner.reference.calls
        counts = Counter(each.mode for each in trials)
        faults = [str(each) for each in examiner.faults]
        rows.append({"run": name, "calls": len(calls[False]), "over": len(calls[True]), "faults": faults, **counts})
        print(f"{name}: {len(calls[False])} and {len(calls[True])} calls, {len(trials)} trials, {len(faults)} faults, "
              f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    return rows


def campaign(settings: argparse.Namespace, library: Path) -> int:
    """Make the inputs, share the runs among processes, and print the table. Return the number of faults."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        base = Path(place)
        for name in ("world", "tmp", "cache"):
            (base / name).mkdir()
        os.environ |= {"LEXENC_CACHE": str(base / "cache"), "TMPDIR": str(base / "tmp")}
        tempfile.tempdir = None
        runner = Runner(base, library)
        make_world(base / "world", lambda words: runner.well(words, base))
        before = snapshot(base / "world")
        children = []
        for number in range(settings.workers):
            sys.stdout.flush()
            if not (pid := os.fork()):
                try:
                    # Runs of many calls stand beside each other in the table.
                    rows = work(Runner(base, library), settings.runs[number :: settings.workers], settings)
                    (base / f"rows.{number}").write_text(json.dumps(rows))
                    os._exit(0)
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    os._exit(1)
            children.append(pid)
        failed = [pid for pid in children if os.waitpid(pid, 0)[1]]
        rows = [row for path in sorted(base.glob("rows.*")) for row in json.loads(path.read_text())]
        if text := differences(snapshot(base / "world"), before):
            print(f"FAULT: inputs were changed: {text}")
            failed.append(0)
    return show(rows, settings.seed) + len(failed)


def show(rows: list[dict], seed: int) -> int:
    """Print the table and all faults, and return the number of faults."""
    modes = list(SHARES)
    total: dict = {"run": "all", "calls": sum(row["calls"] for row in rows), "over": sum(row["over"] for row in rows)}
    total |= {mode: sum(row.get(mode, 0) for row in rows) for mode in modes}
    total["faults"] = [text for row in rows for text in row["faults"]]
    print(f"\n{'run':24}{'calls':>7}{'over':>7}{''.join(f'{mode:>10}' for mode in modes)}{'faults':>8}")
    for row in [*rows, total]:
        cells = "".join(f"{row.get(mode, 0):>10}" for mode in modes)
        print(f"{row['run']:24}{row['calls']:>7}{row['over']:>7}{cells}{len(row['faults']):>8}")
    kills, space = (sum(total[mode] for mode in group) for group in (KILLS, SPACE))
    print(f"{kills:,} kills, {space:,} without space, {len(total['faults'])} faults (seed {seed})")
    return len(total["faults"])


def build_library(folder: Path) -> Path | None:
    """Compile `calls.c`, or return None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "calls.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(HERE / "calls.c"), "-ldl"], check=True)
    return library


def main() -> int:
    """Read the options, and start again with the library loaded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", nargs="?", type=int, default=10_000, help="number of kills; others come on top")
    parser.add_argument("--only", help="runs, e.g. 'map 0,finetune 1'")
    parser.add_argument("--mode", default="", help=f"some of {', '.join(SHARES)}")
    parser.add_argument("--at", default="", help="number of the call, for one trial; two for twice")
    parser.add_argument("--over", action="store_true", help="with --at: over an older result")
    parser.add_argument("--seed", type=int, default=None, help="seed of the choice of calls; by default a new one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="number of processes")
    settings = parser.parse_args()
    if "FAULTS_LIBRARY" not in os.environ:
        with tempfile.TemporaryDirectory(prefix="faults-library-") as place:
            library = build_library(Path(place))
            if library is None:
                print("NO C COMPILER: nothing was tested. Install one, e.g. apt-get install build-essential.")
                return 0
            fixed = {"FAULTS_LIBRARY": str(library), "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1",
                     "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0",
                     "COLUMNS": "200"}  # fmt: skip
            return subprocess.call([sys.executable, __file__, *sys.argv[1:]], env=os.environ | fixed)
    library = Path(os.environ.pop("FAULTS_LIBRARY"))
    del os.environ["LD_PRELOAD"]
    settings.seed = random.SystemRandom().randrange(1 << 30) if settings.seed is None else settings.seed
    settings.runs = settings.only.split(",") if settings.only else all_runs()
    settings.workers = min(settings.workers, len(settings.runs))
    return min(campaign(settings, library), 1)


if __name__ == "__main__":
    sys.exit(main())
