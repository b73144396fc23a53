"""An input that becomes shorter while it is mapped into memory gives an error, not a signal."""

import subprocess
import sys

import numpy as np
import pytest

READ = """
import os, sys, threading
import numpy as np
from lexenc_cli.lost_files import explain_lost_files
explain_lost_files()
table = np.load(sys.argv[1], mmap_mode="r")
os.truncate(sys.argv[1], 100_000)
ways = {"sum": lambda: table.sum(), "rows": lambda: table[[1, 900]],
        "product": lambda: np.matmul(table, np.ones((1000, 50), np.float32)),
        "finite": lambda: np.isfinite(table).all()}
thread = threading.Thread(target=ways[sys.argv[2]])
thread.start() if "thread" in sys.argv else ways[sys.argv[2]]()
thread.join()
"""


@pytest.mark.parametrize(
    "words", [["sum"], ["rows"], ["product", "thread"], ["finite", "thread", "--json"]], ids=" ".join
)
def test_a_file_that_becomes_shorter_is_named(tmp_path, words):
    np.save(tmp_path / "table.npy", np.ones((1000, 1000), np.float32))
    done = subprocess.run(
        [sys.executable, "-c", READ, tmp_path / "table.npy", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"{tmp_path / 'table.npy'} became shorter while it was read" in done.stderr
    assert done.stderr.count("\n") == (1 if "--json" in words else 2)
