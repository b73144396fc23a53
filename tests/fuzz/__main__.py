"""Attack the program with malformed files. See `python -m tests.fuzz --help`."""

from __future__ import annotations

import argparse
import secrets
import shlex
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz import cases, readers, world


def main() -> int:
    """Run what the words ask for; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("what", choices=["all", "cases", "readers", "again"])
    parser.add_argument(
        "names", nargs="*", help="readers: some of them; cases: texts in their names; again: READER FILE SEED PART"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="by default a fresh one")
    parser.add_argument("--count", type=int, help="cases at most")
    parser.add_argument(
        "--executions", type=int, default=1_000_000, help="of each reader at most; a tenth of slow ones"
    )
    parser.add_argument("--seconds", type=float, default=1e9, help="for each reader at most")
    parser.add_argument("--guided", action="store_true", help="by coverage (pip install atheris)")
    parser.add_argument("--world", type=Path, help="folder for the world, which is kept and used again")
    parser.add_argument("--faults", type=Path, default=Path("build/fuzz"), help="folder for inputs that show a fault")
    given = parser.parse_args()
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="lexenc-fuzz-", dir=memory if memory.is_dir() else None))
    made = given.world or place / "world"
    try:
        if (made / "modules.txt").is_file():
            world.warm(made)
        else:
            world.make_world(made)
        print(f"seed {given.seed}", flush=True)
        action = {"all": run_all, "cases": run_cases, "readers": run_readers, "again": repeat}[given.what]
        return action(given, made, place / "run")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def run_all(given: argparse.Namespace, made: Path, place: Path) -> int:
    """Look for what has no entry, then run cases and readers."""
    lacking = [f"no step of world.py has {each}" for each in cases.missing_entries()]
    lacking += readers.lacking(made, place)
    print("".join(f"FAULT {each}\n" for each in lacking), end="")
    return int(bool(lacking)) | run_cases(given, made, place) | run_readers(given, made, place)


def run_cases(given: argparse.Namespace, made: Path, place: Path) -> int:
    """Run the table of malformed inputs, or some of it."""
    listed = [*cases.damaged_inputs(made, given.seed), *cases.odd_options(made)]
    listed = [each for each in listed if all(text in each.name for text in given.names)]
    codes, faults, peak = Counter[int](), 0, 0
    for case in cases.chosen(listed, given.count, given.seed):
        try:
            found = cases.judge(case, made, place, as_json=cases.with_json(case))
        except KeyboardInterrupt:
            break
        codes[found.code] += 1
        peak = max(peak, found.memory)
        for fault in found.faults:
            faults += 1
            words = shlex.join(found.words)
            print(f"FAULT {case.name!a}\n  {fault[:500]!a}\n  lexenc {words[:400]!a}", flush=True)
    ends = ", ".join(f"{count:,} with {code}" for code, count in sorted(codes.items()))
    print(
        f"{codes.total():,} of {len(listed):,} cases: {ends}; peak {peak / 1e6:,.0f} MB; {faults} faults; seed {given.seed}"
    )
    return int(bool(faults))


def run_readers(given: argparse.Namespace, made: Path, place: Path) -> int:
    """Fuzz readers one after the other."""
    total = faults = 0
    for name in given.names or readers.READERS:
        one = readers.READERS[name]
        count = given.executions // (10 if one.slow else 1)
        done = readers.fuzz(
            one, made, place, executions=count, seconds=given.seconds, seed=given.seed, guided=given.guided
        )
        total, faults = total + done.executions, faults + len(done.faults)
        rate = done.executions / max(done.seconds, 1e-9)
        print(f"{name}: {done.executions:,} executions, {rate:,.0f} a second of the processor, {done.refused:,} refused, "
              f"{len(done.faults)} faults", flush=True)  # fmt: skip
        for number, found in enumerate(done.faults.values()):
            found.data = readers.minimised(one, made, place, found, seconds=10)
            given.faults.mkdir(parents=True, exist_ok=True)
            path = given.faults / f"{name}-{given.seed}-{number}"
            path.write_bytes(found.data)
            words = shlex.join(["again", name, str(path), found.seed, found.part])
            print(f"  FAULT {found.what!a}, {found.times:,} times, {len(found.data)} bytes: {found.data[:80]!r}\n"
                  f"    python -m tests.fuzz {words}", flush=True)  # fmt: skip
    print(f"{total:,} executions of {len(given.names or readers.READERS)} readers, {faults} faults; seed {given.seed}")
    return int(bool(faults))


def repeat(given: argparse.Namespace, made: Path, place: Path) -> int:
    """Read one input again, and print what becomes of it."""
    name, file, seed, part = given.names
    fault = readers.again(readers.READERS[name], made, place, readers.Found("", Path(file).read_bytes(), seed, part))
    print(fault or "no fault")
    return int(bool(fault))


if __name__ == "__main__":
    sys.exit(main())
