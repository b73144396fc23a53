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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lexenc_cli.__main__ import main as program
from tiny import RUNS, Tiny, make_world

from lexenc.stages import STAGES

HERE = Path(__file__).parent
# As in calls.c.
MODES = {
    "off": 0,
    "count": 1,
    "kill": 2,
    "torn": 3,
    "full": 4,
    "full-once": 5,
    "error": 6,
    "int": 7,
    "term": 8,
    "stop": 9,
}
KILLS = ("kill", "torn", "twice")
SPACE = ("full", "full-once", "error", "disk")
SIGNALS = ("int", "term")
STOPS = ("two", "appear", "change")
# What happens, and how many trials of it there are for each kill.
SHARES = {
    "kill": 0.4,  # SIGKILL before the call
    "torn": 0.25,  # half of the call, if it writes, then SIGKILL
    "twice": 0.35,  # either of them in the run and again in the next run
    "full": 0.06,  # no space from the call on
    "full-once": 0.06,  # no space for this call
    "error": 0.04,  # the call fails with EIO
    "disk": 0.06,  # a disk of that many blocks of 4 kB, which is full before the end
    "int": 0.05,  # SIGINT before the call
    "term": 0.05,  # SIGTERM before the call
    "two": 0.03,  # the same command runs while the first one stands still
    "appear": 0.03,  # a file of the user's appears in the place of the result meanwhile
    "change": 0.03,  # an input changes meanwhile
    "real": 0.006,  # SIGINT, SIGTERM or SIGKILL to a new process after that many milliseconds
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
        mode: What happens: a name in `SHARES`.
        at: Number of the call where it happens; for `twice` also that in the second run.
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
    blocks: int = 0


@dataclass(frozen=True)
class Fault:
    trial: Trial
    what: str

    def __str__(self) -> str:
        return f"{self.trial.run}{' over a result' * self.trial.over}, {self.what}\n    {self.trial.command}"


# ---------------------------------------------------------------- what is in a folder


def whole_results(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the results in and below a folder: files that are missing, changed or strange."""
    for manifest in [*folder.glob("manifest.json"), *folder.glob("[!.]*/manifest.json")]:
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
    """Return the content of every file, link and empty folder below a folder, by relative name."""
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
        elif path.is_dir() and not any(path.iterdir()):
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
        library: The library made from `calls.c`, which is loaded already. Without it nothing is disturbed.
    """

    def __init__(self, base: Path, library: Path | None) -> None:
        self.base, self.library = base, library and ctypes.CDLL(str(library))
        self._outputs = 0

    def here(self, words: list[str], folder: Path) -> Ended:
        """Run a command in this process, which is faster than in a child, and warms the process up."""
        os.chdir(folder)
        kept, std = [os.dup(number) for number in range(3)], self._output()
        try:
            code = self._program(words, std)
        finally:
            for number, file in enumerate(kept):
                os.dup2(file, number)
                os.close(file)
        return Ended(code, std.read_text(encoding="utf-8", errors="replace"))

    def well(self, words: list[str], folder: Path) -> None:
        """Run a command that has to succeed."""
        ended = self.here(words, folder)
        if ended.code:
            raise RuntimeError(f"lexenc {shlex.join(words)}: exit code {ended.code}\n{ended.stderr}")

    def child(
        self,
        words: list[str],
        folder: Path,
        mode: str = "off",
        at: int = 0,
        log: Path | None = None,
        *,
        before: Callable[[], object] = lambda: None,
    ) -> Ended:
        """Run a command in a child, in a folder; `before` is called in the child first."""
        return self.wait(self.start(words, folder, mode, at, log, before)) or Ended(0, "it stands still")

    def start(
        self,
        words: list[str],
        folder: Path,
        mode: str = "off",
        at: int = 0,
        log: Path | None = None,
        before: Callable[[], object] = lambda: None,
    ) -> tuple[int, Path]:
        """Start a command in a child, and return its process and its standard error."""
        sys.stdout.flush()
        std = self._output()
        if not (pid := os.fork()):
            try:
                os.chdir(folder)
                before()
                self._become(words, folder, std, mode, at, log)
            finally:
                os._exit(99)
        return pid, std

    def wait(self, started: tuple[int, Path]) -> Ended | None:
        """Wait until a child ends, or return None as soon as it stands still."""
        pid, std = started
        signal.signal(signal.SIGALRM, lambda number, frame: os.kill(pid, signal.SIGKILL))
        signal.alarm(LIMIT)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        hung = not signal.alarm(0)
        _, status = os.waitpid(pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return None
        return Ended(os.waitstatus_to_exitcode(status), std.read_text(encoding="utf-8", errors="replace"), hung)

    def _output(self) -> Path:
        self._outputs += 1
        path = self.base / f"std.{os.getpid()}.{self._outputs % 4}"
        path.touch()
        path.chmod(0o666)
        return path

    def _become(self, words: list[str], folder: Path, std: Path, mode: str, at: int, log: Path | None) -> None:
        gc.disable()
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        signal.signal(signal.SIGINT, signal.default_int_handler)
        writes = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if log else -1
        if self.library:
            self.library.faults_arm(MODES[mode], ctypes.c_long(at), os.fsencode(f"{folder}/"), writes)
        os._exit(self._program(words, std))

    def _program(self, words: list[str], std: Path) -> int:
        """Run the program as a process would, and return its exit code. Its output goes to a file."""
        out, nothing = os.open(std, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(os.devnull, os.O_RDWR)
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
        self._lost: list[str] = []
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
                self.reference.blocks = blocks_of(folder) + 2
                shutil.rmtree(folder)

    def trials(self, budget: int, draw: random.Random, chosen: set[str]) -> Iterator[Trial]:
        """Yield trials, spread evenly over the calls."""
        overs = [False, True] if self.reference.tiny.other else [False]
        for over in overs:
            calls, spare = self.reference.calls[over], 0
            for mode in sorted(SHARES, key="twice".__eq__):
                fit = self._points(mode, calls)
                wanted = round(budget * SHARES[mode] / len(overs) + draw.random() - 0.5) + spare * (mode == "twice")
                # So that there are as many kills as wanted.
                spare += max(0, wanted - len(fit)) * (mode in KILLS)
                if mode not in chosen or not self._possible(mode, over):
                    continue
                if mode == "twice":
                    for _ in range(wanted):
                        yield Trial(self.name, over, mode, (draw.choice(fit), draw.choice(fit)))
                else:
                    for number in evenly(fit, wanted, draw):
                        yield Trial(self.name, over, mode, (number,))

    def _points(self, mode: str, calls: list[Call]) -> list[int]:
        """Return where a disturbance is possible: numbers of calls, blocks or milliseconds."""
        if mode == "disk":
            return list(range(1, self.reference.blocks))
        if mode == "real":
            return list(range(1, 3000))
        needs = {"torn": 2, "full": 1, "full-once": 1}.get(mode, 0)
        return [number for number, each in enumerate(calls, start=1) if each.needs >= needs]

    def _possible(self, mode: str, over: bool) -> bool:
        tiny = self.reference.tiny
        if mode == "appear":  # --force replaces a file; a pipeline's folder may hold files
            return tiny.option == "--out" and not (tiny.is_file and over)
        if mode == "change":  # only stages plan before they read
            return self.name.rpartition(" ")[0] in STAGES
        return can_mount() if mode == "disk" else True

    def carry_out(self, trial: Trial, *, alone: bool = False) -> None:
        """Carry out a trial, with the run that follows it, which is in a child too if the trial is `alone`."""
        mode = trial.mode if trial.mode != "twice" else ("kill", "torn")[sum(trial.at) % 2]
        with self._room(trial, keep=alone) as folder:
            for part, at in enumerate(trial.at):
                where = self._where(trial, part)
                run = self._stopped if mode in STOPS else self._real if mode == "real" else self._run
                ended = run(folder, trial.over, mode, at)
                faults = [*self._lost, *self._wrong_end(mode, ended), *self._wrong_state(trial, mode, folder)]
                self._lost.clear()
                for text in faults:
                    self._fault(trial, f"{where}: {text}")
            self._mend(trial, folder)
            run = self._runner.child if alone else self._next
            ended = run(self.reference.tiny.words("../../../world", force=trial.over), folder)
            for text in self._wrong_next(trial, folder, ended):
                self._fault(trial, f"{where}: {text}")

    @contextmanager
    def _room(self, trial: Trial, *, keep: bool) -> Iterator[Path]:
        """Make the folder of a trial, with an older result if there is one, and remove it."""
        folder = self._filled(trial.over, own_world=trial.mode == "change")
        if trial.mode == "disk":
            mount(folder, blocks_of(folder) + trial.at[0])
            self._fill(folder, trial.over)
        yield folder
        if keep:
            print(f"kept: {folder}")
            return
        if trial.mode == "disk":
            unmount(folder)
        shutil.rmtree(folder.parents[2] if trial.mode == "change" else folder, ignore_errors=True)

    def _mend(self, trial: Trial, folder: Path) -> None:
        """Free the disk, and bring back the inputs as they were."""
        if trial.mode == "disk":
            mount(folder, 1 << 18, again=True)
        elif trial.mode == "change":
            shutil.rmtree(folder / "../../../world")
            shutil.copytree(self._runner.base / "world", folder / "../../../world", symlinks=True)

    def _stopped(self, folder: Path, over: bool, mode: str, at: int) -> Ended:
        """Run until call `at`, let something else happen meanwhile, and run on."""
        words = self.reference.tiny.words("../../../world", force=over)
        started = self._runner.start(words, folder, "stop", at)
        if ended := self._runner.wait(started):
            return ended
        mine = {"two": self._second, "change": self._change, "appear": self._appear}[mode](folder, words, at)
        os.kill(started[0], signal.SIGCONT)
        ended = self._runner.wait(started) or Ended(0, "it stands still")
        if mine:
            if mine.is_file() and mine.read_text() == "mine":
                mine.unlink()
                with suppress(OSError):  # there is a result
                    if mine.parent != folder:
                        mine.parent.rmdir()
            else:
                self._lost.append("a file of the user is gone")
        # A file whose place was taken meanwhile is written beside it.
        tiny = self.reference.tiny
        for name in [*([tiny.out] if tiny.is_file else []), *tiny.copies]:
            beside = folder / name.replace(".", "-2.")
            if beside.exists():
                if content(beside) != self.reference.new[over][name]:
                    self._lost.append(f"{beside.name} is not the result")
                beside.unlink()
        return ended

    def _second(self, folder: Path, words: list[str], at: int) -> None:
        self._lost += [f"the second run: {text}" for text in self._wrong_end("two", self._runner.child(words, folder))]

    def _change(self, folder: Path, words: list[str], at: int) -> None:
        """Put the lines of one of the text files that the command names in another order."""
        world, named = (folder / "../../../world").resolve(), " ".join(words)
        files = sorted(each for each in world.iterdir() if each.is_file() and f"/world/{each.name}" in named)
        if files:
            path = files[at % len(files)]
            head, *rest = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"".join([head, *rest[1:], *rest[:1]]))

    def _appear(self, folder: Path, words: list[str], at: int) -> Path | None:
        """Write a file of the user in the place of the result, unless one is there."""
        tiny = self.reference.tiny
        mine = folder / tiny.out if tiny.is_file else folder / tiny.out / "mine.txt"
        if mine.exists():
            return None
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
        return mine

    def _real(self, folder: Path, over: bool, mode: str, at: int) -> Ended:
        """Run the command as a process of its own, and send it a signal after `at` milliseconds."""
        words = self.reference.tiny.words("../../../world", force=over)
        process = subprocess.Popen(
            [sys.executable, "-m", "lexenc_cli", *words], cwd=folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        try:
            _, stderr = process.communicate(timeout=at / 1000)
        except subprocess.TimeoutExpired:
            process.send_signal((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[at % 3])
            _, stderr = process.communicate()
        return Ended(process.returncode, stderr)

    def _wrong_next(self, trial: Trial, folder: Path, ended: Ended) -> Iterator[str]:
        """Yield in what the next run does not bring what an undisturbed one brings."""
        # Without --force, a file that is finished is refused.
        refused = self.reference.tiny.is_file and not trial.over and " already " in ended.stderr
        if ended.code and not (refused and ended.code == 2):
            yield f"the next run has exit code {ended.code}: {ended.stderr}"
        if text := differences(snapshot(folder), self.reference.new[trial.over]):
            yield f"after the next run {text}"

    def _where(self, trial: Trial, part: int) -> str:
        calls, number = self.reference.calls[trial.over], trial.at[part]
        call = calls[number - 1] if number <= len(calls) else None
        named = f" ({call.name} {call.path})" if call and not part else ""
        return f"{trial.mode} at call {' and '.join(map(str, trial.at[: part + 1]))}{named}"

    def _wrong_end(self, mode: str, ended: Ended) -> Iterator[str]:
        if ended.hung:
            yield "hangs"
        elif mode in KILLS:
            if ended.code not in (-signal.SIGKILL, 0, 2):
                yield f"exit code {ended.code}: {ended.stderr}"
        elif ended.code == 0:
            return
        elif mode == "real" and _starting(ended.stderr) and ended.code in (-9, -15, -2, 1, 130):
            return
        elif "Traceback" in ended.stderr:
            yield f"traceback: {ended.stderr}"
        elif ended.code not in ((130, 143, -9) if mode in (*SIGNALS, "real") else (1, 2)):
            yield f"exit code {ended.code}: {ended.stderr}"
        elif ended.code > 0 and (
            [line[:6] for line in ended.stderr.splitlines()].count("error:") != 1 or "\nhint: " not in ended.stderr
        ):
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
                own = {path: each for path, each in own.items() if "/." not in path and path != name}
                if own.items() <= done.items():
                    own = {}
            if own not in ((stood,) if trial.over else ({},)) and own != done:
                text = f"{name} is neither old nor new: {differences(own, done)}" if own else f"{name} is gone"
                yield text
        yield from whole_results(folder / tiny.out)
        if mode not in (*KILLS, "real"):
            partial = f".{tiny.out}.partial"
            left = {each.name for each in folder.iterdir()} - names
            # A result that is finished and could not get its name is kept too.
            if known.resumable or (folder / partial / "manifest.json").exists():
                left.discard(partial)
            if left:
                yield f"{', '.join(sorted(left))} is left"

    def _run(self, folder: Path, over: bool, mode: str = "off", at: int = 0, log: Path | None = None) -> Ended:
        words = self.reference.tiny.words("../../../world", force=over)
        return self._runner.child(words, folder, mode if mode in MODES else "off", at, log)

    @property
    def _next(self) -> Callable[[list[str], Path], Ended]:
        return self._runner.here if self.reference.tiny.forks else self._runner.child

    def _filled(self, over: bool, *, own_world: bool = False) -> Path:
        self._trials += 1
        folder = self._place / f"t{self._trials}"
        if own_world:
            shutil.copytree(self._runner.base / "world", folder / "world", symlinks=True)
            folder = folder / "trials/x/y"
        folder.mkdir(parents=True)
        self._fill(folder, over)
        return folder

    def _fill(self, folder: Path, over: bool) -> None:
        if over:
            shutil.copytree(self._old, folder, symlinks=True, dirs_exist_ok=True)

    def _fault(self, trial: Trial, what: str) -> None:
        text = what.replace(str(self._place), "")
        self.faults.append(Fault(trial, text if len(text) < 700 else f"{text[:300]} [...] {text[-400:]}"))
        print(f"FAULT {self.faults[-1]}", flush=True)


# ---------------------------------------------------------------- disks


def blocks_of(folder: Path) -> int:
    """Return the blocks of 4 kB that the files and folders below a folder need."""
    paths = list(folder.rglob("*"))
    return 1 + sum(1 + -(-path.lstat().st_size // 4096) * path.is_file() for path in paths)


def mount(folder: Path, blocks: int, *, again: bool = False, read_only: bool = False) -> None:
    """Mount a disk in memory of that many blocks of 4 kB, or change it."""
    options, flags = f"size={4 * blocks}k".encode(), 32 * again + read_only
    if ctypes.CDLL(None, use_errno=True).mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, options):
        raise OSError(ctypes.get_errno(), f"cannot mount a disk at {folder}")


def unmount(folder: Path) -> None:
    """Unmount a disk, as soon as nothing uses it."""
    ctypes.CDLL(None).umount2(os.fsencode(folder), 2)


@functools.cache
def can_mount() -> bool:
    """Return whether this process may mount disks; say so if not."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(Path(folder), 4)
        except OSError as error:
            print(f"NO SMALL DISKS are tested: {error}")
            return False
        unmount(Path(folder))
        return True


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


def work(runner: Runner, names: list[str], settings: argparse.Namespace) -> None:
    """Carry out the trials of some runs, and write a row of counts for each."""
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
        (runner.base / f"rows.{os.getpid()}").write_text(json.dumps(rows))
        print(f"{name}: {len(calls[False])} and {len(calls[True])} calls, {len(trials)} trials, {len(faults)} faults, "
              f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip


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
                    work(Runner(base, library), settings.runs[number :: settings.workers], settings)
                    os._exit(0)
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    os._exit(1)
            children.append(pid)
        failed = [pid for pid in children if os.waitpid(pid, 0)[1]]
        if failed:
            print("FAULT: a process of the harness failed, and its further runs were not tested")
        rows = [row for path in sorted(base.glob("rows.*")) for row in json.loads(path.read_text())]
        if text := differences(snapshot(base / "world"), before):
            print(f"FAULT: inputs were changed: {text}")
            failed.append(0)
    return show(rows, settings.seed) + len(failed)


def _starting(stderr: str) -> bool:
    """Return whether Python itself was starting; it runs code of installed packages before the program's own."""
    return "lexenc" not in stderr or "init_import_site" in stderr


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
