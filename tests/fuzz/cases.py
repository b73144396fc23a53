"""Every input of every command, with every kind of damage, through the command line.

Each case is one process, forked from one that has imported everything, with a ceiling of memory and of time. Its verdict:
the exit code is 0, 1 or 2; a failure is exactly an `error:` and a `hint:` line for each fault, without a traceback or a
signal, and leaves nothing behind; what is printed is UTF-8, and with `--json` strict JSON.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import shlex
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from zlib import crc32

from lexenc_cli.commands import COMMANDS
from lexenc_cli.main import build_app
from typer.main import get_command

from lexenc.stages import STAGES
from tests.fuzz.damage import CHANGES, CONTENTS, PATHS, PLACES, content, copied, json_changes
from tests.fuzz.world import STEPS, names_in, run, words_of

MEMORY = 500_000_000
"""Bytes that a case may have resident at most, above those of the process that it is forked from: with what a command
imports, less than 1 GB."""
SECONDS = 40

NO_INPUT = {"demo", "list", "env", "eval mteb"}
"""Commands that read nothing of the user's, or leave that to mteb, which is not installed everywhere. Every other one
needs a step in `STEPS`."""

# Values of options: none is right for all, many are right for none.
VALUES = (
    "", " ", "-", "0", "-1", "1", "2.5", "-0.0", "1e-400", "1e999", "nan", "inf", "-inf", "99999999999999999999", "9" * 5000,
    "0x10", "1_000", "1,5", "٣", "true", "none", "ä", "a b", "=", ",", ",,1", "[1]", "{}", "%s", "../..", "/", "\x1b[31m", "\n",
    os.fsdecode(b"\xff"), "x" * 5000,
)  # fmt: skip
# Options that have no value, or say where to write and which step of a pipeline to run.
NOT_VALUES = ("--out", "--workdir", "--install-completion", "--show-completion")
# Steps that leave what is finished, or say no, when a part fails.
KEEP = ("ran", "reproduced")


@dataclass(frozen=True)
class Case:
    """A step with something done to it.

    Args:
        step: Its name.
        what: What is done.
        prepare: Does it, given the world and the folder of the case; returns the words of the command.
        endless: Whether it may run for ever, as with an endless number of epochs.
    """

    step: str
    what: str
    prepare: Callable[[Path, Path], list[str]]
    endless: bool = False

    @property
    def name(self) -> str:
        return f"{self.step}: {self.what}"


def command_of(step: str) -> tuple[str, object]:
    """Return the name of a step's command, and the command with its options."""
    words = shlex.split(STEPS[step])
    count = 2 if " ".join(words[:2]) in STAGES else 1
    command = get_command(build_app())
    for word in words[:count]:
        command = command.loaded(word)
    return " ".join(words[:count]), command


def missing_entries() -> list[str]:
    """Return the commands, and the inputs of stages, that no step covers."""
    used: dict[str, set[str]] = {}
    for step, line in STEPS.items():
        name, _ = command_of(step)
        used.setdefault(name, set()).update(word for word in shlex.split(line) if word.startswith("--"))
    lacking = [name for name in (*STAGES, *COMMANDS) if name not in used and name not in NO_INPUT]
    for name in (name for name in STAGES if name not in NO_INPUT):
        for key, one in STAGES[name].inputs.items():
            option = f"--{key.replace('_', '-')}"
            if not one.positional and option not in used.get(name, ()):
                lacking.append(f"{name} {option}")
    return lacking


def _replacing(step: str, name: str, write: Callable[[Path, Path], str | None]) -> Callable[[Path, Path], list[str]]:
    """Return how a case is prepared in which `write(original, place)` puts something else for one input."""

    def prepare(world: Path, folder: Path) -> list[str]:
        place = folder / "given" / Path(name).name
        place.parent.mkdir()
        word = write(world / name, place)
        table = {name: str(place) if word is None else word, "out": str(folder / "made" / _out_name(step))}
        return words_of(step, lambda each: table.get(each) or (table[each] if each in table else str(world / each)))

    return prepare


def _out_name(step: str) -> str:
    return step if "." in step else "out"


def _inside(part: str, write: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """Return `write` for one file of a folder, the rest of which is copied."""

    def change(original: Path, place: Path) -> None:
        copied(original, place)
        inner = place / part
        shutil.rmtree(inner) if inner.is_dir() else inner.unlink(missing_ok=True)
        write(original / part, inner)

    return change


def _fits(kind: str, part: str) -> bool:
    """Return whether a kind of damage is one for this file of a folder: of its own format, or of any."""
    form = next((form for form in FORMS if kind.startswith(form)), "")
    return not form or any(part.endswith(ending) for ending in FORMS[form])


FORMS = {
    "JSON": (".json", ".jsonl", ".yaml"), "YAML": (".yaml",), "XML": (".xml",), "vec": (".vec",), "word2vec": (".bin",),
    "fastText": (".bin",), "npy": (".npy",), "safetensors": (".safetensors",), "rows": (".txt", ".tsv", ".csv", ".jsonl"),
    "words": (".txt", ".tsv", ".csv", ".json", ".jsonl"), "numbers": (".txt", ".tsv", ".csv", ".json", ".jsonl"),
    "a million": (".txt", ".tsv", ".csv"), "gzip": (".txt", ".tsv", ".csv", ".vec"), "UTF": (".txt", ".tsv", ".csv", ".json"),
}  # fmt: skip
"""Endings of the files in result folders that a kind of damage is for, by how its name begins."""


def _file_damage(original: Path, seed: str) -> Iterator[tuple[str, Callable[[Path, Path], None]]]:
    for kind in CONTENTS:
        yield kind, lambda _, place, kind=kind: place.write_bytes(content(kind)) and None
    for kind, change in CHANGES.items():
        draw = Random(f"{seed} {kind}")
        yield kind, lambda old, place, c=change, d=draw: place.write_bytes(c(old.read_bytes(), d)) and None
    for kind, make in PLACES.items():
        yield kind, lambda _, place, make=make: make(place)
    if original.suffix in (".json", ".jsonl"):
        for kind, data in json_changes(original.read_bytes(), Random(seed)):
            yield f"JSON {kind}", lambda _, place, data=data: place.write_bytes(data) and None


def damaged_inputs(world: Path, seed: int) -> Iterator[Case]:
    """Yield a case for every input of every step, each file of it if it is a folder, and every kind of damage."""
    seen: Counter[str] = Counter()
    for step in STEPS:
        for name in dict.fromkeys(names_in(step)):
            original = world / name
            if not original.exists():
                continue
            for kind, word in PATHS.items():
                yield Case(step, f"{name} is {kind}", _replacing(step, name, lambda *_, word=word: word))
            if original.is_dir():
                yield from _damaged_folders(step, name, original, seed, seen)
                continue
            for kind, write in _file_damage(original, f"{seed} {step} {name}"):
                yield Case(step, f"{name} is {kind}", _replacing(step, name, write))


def _damaged_folders(step: str, name: str, original: Path, seed: int, seen: Counter[str]) -> Iterator[Case]:
    """Yield the cases of a folder: each file has the kinds for its format, which steps that read the same one share."""
    for kind, make in PLACES.items():
        yield Case(step, f"{name} is {kind}", _replacing(step, name, lambda _, place, m=make: m(place)))
    for part in sorted(each.relative_to(original).as_posix() for each in original.rglob("*") if each.is_file()):
        seen[f"{name}/{part}"] += 1
        draw = Random(f"{seed} {step} {name} {part}")
        for kind, write in _file_damage(original / part, f"{seed} {step} {name} {part}"):
            if _fits(kind, part) and draw.random() < 1 / seen[f"{name}/{part}"]:
                yield Case(step, f"{name}/{part} is {kind}", _replacing(step, name, _inside(part, write)))


def odd_options(world: Path) -> Iterator[Case]:
    """Yield a case for every option of every command and every odd value."""
    done: set[str] = set()
    for step in STEPS:
        name, command = command_of(step)
        for option in command.params:
            label = option.opts[0]
            if option.param_type_name != "option" or getattr(option, "is_flag", False) or label in NOT_VALUES:
                continue
            if f"{name} {label}" not in done:
                done.add(f"{name} {label}")
                for value in VALUES:
                    endless = value.isdecimal() and len(value) > 9
                    yield Case(step, f"{label} {value[:20]!r}", _with_option(step, label, value), endless)


def _with_option(step: str, label: str, value: str) -> Callable[[Path, Path], list[str]]:
    def prepare(world: Path, folder: Path) -> list[str]:
        out = str(folder / "made" / _out_name(step))
        words = words_of(step, lambda name: out if name == "out" else str(world / name))
        return [*words, f"{label}={value}"]

    return prepare


@dataclass(frozen=True)
class Verdict:
    """What became of a case: the faults found, the exit code, the peak of memory in bytes, and the time in seconds."""

    faults: list[str]
    code: int
    memory: int
    seconds: float
    words: list[str]


def judge(case: Case, world: Path, folder: Path, *, as_json: bool) -> Verdict:
    """Run a case in a process of its own, in a new folder.

    Args:
        case: The case.
        world: The folder of `make_world`.
        folder: Folder for the case, which is emptied before and afterwards.
        as_json: Whether to add `--json`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "made").mkdir(parents=True)
    words = case.prepare(world, folder)
    words += ["--json"] if as_json and "--json" not in words else []
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(words, folder)
    status, usage = _wait(child)
    seconds = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    streams = [(folder / name).read_bytes() for name in ("stdout", "stderr")]
    memory = usage.ru_maxrss * 1024
    faults = (
        []
        if case.endless and seconds > SECONDS - 6
        else list(_faults(case, code, *streams, folder, as_json="--json" in words))
    )
    if memory > MEMORY + own * 1024:
        faults.append(f"memory: {memory / 1e6:.0f} MB")
    shutil.rmtree(folder, ignore_errors=True)
    return Verdict(faults, code, memory, seconds, words)


def _become(words: list[str], folder: Path) -> None:
    """Run the command in this process, which then ends; the descriptors of the parent are left alone."""
    code = 99
    try:
        os.setsid()
        os.chdir(folder / "made")
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        for name in ("stdout", "stderr"):
            errors = "surrogateescape" if name == "stdout" else "replace"
            number = 1 if name == "stdout" else 2
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", errors=errors, closefd=False))
        # Data, not addresses: V8 reserves far more of these than it uses.
        size = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (size + 4 * MEMORY, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.dump_traceback_later(SECONDS - 5, file=2)  # where it hangs
        try:
            code = run(words)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 98
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait(child: int) -> tuple[int, resource.struct_rusage]:
    """Wait for a child and its whole group; it is killed when its time is over."""
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL) if _alive(child) else None)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    _, status, usage = os.wait4(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    return status, usage


def _alive(child: int) -> bool:
    with suppress(ProcessLookupError):
        os.getpgid(child)
        return True
    return False


def _faults(case: Case, code: int, out: bytes, err: bytes, folder: Path, *, as_json: bool) -> Iterator[str]:
    if code not in (0, 1, 2):
        lines = err.decode("utf-8", "replace").strip().splitlines()
        frames = [line.strip() for line in lines if line.startswith("  File ")][:5]  # of a hang, the innermost first
        told = " ".join(frames if code < 0 and frames else lines[-3:])[-500:]
        yield f"signal {-code}: {told}" if code < 0 else f"exit code {code}: {told}"
        return
    if b"Traceback" in err:
        yield f"traceback: {err[-300:]!r}"
    told = list(_decoded(out, "standard output")) + list(_decoded(err, "standard error"))
    yield from told
    if as_json and not told:
        yield from _strict(out)
    if code:
        yield from _failure(err.decode("utf-8", "replace"), code, as_json)
        left = sorted(each.name for each in (folder / "made").iterdir())
        answered = code == 1 and b"error" not in err
        if left and case.step not in KEEP and not answered:
            yield f"left behind: {left}"


def _decoded(data: bytes, what: str) -> Iterator[str]:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        yield f"{what} is not UTF-8: {data[max(0, error.start - 20) : error.end + 20]!r}"


def _strict(out: bytes) -> Iterator[str]:
    def refuse(name: str) -> None:
        raise ValueError(name)

    for line in out.decode("utf-8").split("\n"):
        try:
            line.strip() and json.loads(line, parse_constant=refuse)
        except (ValueError, RecursionError) as error:
            yield f"not strict JSON ({error}): {line[:100]!r}"
            return


def _failure(err: str, code: int, as_json: bool) -> Iterator[str]:
    lines = err.splitlines()
    if as_json:
        errors = [line for line in lines if line.startswith('{"error"')]
        if len(errors) != 1 and not (code == 1 and not errors):
            yield f"{len(errors)} error objects: {err[-300:]!r}"
        return
    errors = [number for number, line in enumerate(lines) if line.startswith("error:")]
    if not errors:
        if code == 2:
            yield f"no error line: {err[-300:]!r}"
        return
    for start, end in zip(errors, [*errors[1:], len(lines)], strict=True):
        own = lines[start:end]
        if sum(line.startswith("hint:") for line in own) != 1 or not own[-1].startswith(("hint:", "  ", "next:")):
            yield f"not one error and one hint: {own!r}"[:400]
    if "hint:  None" in err or not err.split("error:")[1].strip():
        yield f"empty message: {err[-300:]!r}"


def chosen(cases: list[Case], count: int | None, seed: int) -> list[Case]:
    """Return some cases at random, all in random order if `count` is None."""
    draw = Random(seed)
    return draw.sample(cases, len(cases) if count is None else min(count, len(cases)))


def with_json(case: Case) -> bool:
    """Return whether to run a case with `--json`: half of them, always the same, where the command has it."""
    _, command = command_of(case.step)
    return crc32(case.name.encode("utf-8", "surrogateescape")) % 2 == 0 and any(
        "--json" in each.opts for each in command.params
    )
