"""What all tests share: no network, no remembered digests of the user's, tiny things made here."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# As the program does: threads that spin while they wait are far slower where the cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A busy machine is no fault of the program.
settings.register_profile("lexenc", deadline=None)
settings.load_profile("lexenc")

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("LEXENC_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The real data folder; tests that need it are skipped, loudly, where it is not there."""
    if not DATA.is_dir():
        pytest.skip(f"NO REAL DATA at {DATA}: set LEXENC_TEST_DATA to the folder with bli/, static/ and the rest")
    return DATA


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXENC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    for name in ("LEXENC_DEVICE", "LEXENC_SEED", "LEXENC_PRECISION"):
        monkeypatch.delenv(name, raising=False)


_STOPS = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}


_HERE = Path.cwd()


@pytest.fixture(autouse=True)
def _own_process() -> Iterator[None]:
    """Put back what handles signals, and the folder: a test that runs the whole program here changes them."""
    yield
    os.chdir(_HERE)
    for number, handler in _STOPS.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


# Files that take longest, the longest first: a process that begins one of them last would work alone in the end. Both
# campaigns compile the same loops, so they do not begin at the same time.
LONGEST = (
    "tests/faults/test_campaign.py",
    "tests/examples/test_real_induction.py",
    "tests/examples/test_real_data.py",
    "tests/fuzz/test_fuzz.py",
    "tests/examples/test_bundled.py",
    "tests/unit/lexical/test_mapping.py",
    "tests/unit/training/test_processes.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.split("::")[0], len(places)))


def pytest_collection_finish() -> None:
    """Leave the modules that are imported by now, and the tests themselves, out of every collection of garbage."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not tested for want of data."""
    if not DATA.is_dir():
        terminalreporter.write_line(f"REAL-DATA TESTS WERE SKIPPED: there is no folder {DATA}", yellow=True, bold=True)
