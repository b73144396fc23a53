"""Are the probabilities of an induced lexicon true? English to German on real data, beside calibrations that cheat.

The shared fastText vectors mapped with GT-BLI's 5,000 training pairs (lower-cased), alone and blended with mini at
lambda 0.4. Probabilities are learnt from the training pairs by cross-fitting, tested on them, and on the 2,000 test
pairs, rarer words that nothing saw. The control learns them in the space that saw the pairs (--no-cross-fit).

Run:  python bench/lexicon.py       some ten minutes on two cores
The data folder is found by LEXENC_TEST_DATA, by default ../shared/data.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import DATA

TRAIN, TEST = (DATA / "bli" / "gt" / "en-de" / name for name in ("train.freq.5k.tsv", "test.freq.2k.tsv"))
LEXENC = Path(sys.executable).parent / "lexenc"
CASE = ("--lowercase", "--source-language", "en", "--target-language", "de")
COLUMNS = "{:<44} {:>5} {:>7} {:>15} {:>8} {:>9} {:>6} {:>11}"


def lexenc(*words: object) -> dict[str, Any]:
    """Run a command; give its headline."""
    command = [str(LEXENC), *(str(word) for word in words), *CASE, "--json", "-q"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[0])


def show(label: str, head: dict[str, Any]) -> None:
    """Print a row: calibration error, and precision where the probability is at least 0.8."""
    (point,) = (each for each in head["thresholds"] if each["threshold"] == 0.8)
    error = "expected_calibration_error"
    right = "" if point["precision"] is None else f"{100 * point['precision']:.0f}"
    print(
        COLUMNS.format(
            label,
            head["entries"],
            f"{head[error]:.3f}",
            f"{head[error + '_low']:.3f}-{head[error + '_high']:.3f}",
            f"{head[error + '_if_perfect']:.3f}",
            point["kept"],
            right,
            f"{100 * point['low']:.0f}-{100 * point['high']:.0f}",
        )
    )


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        sides = [
            f"--{side}={DATA}/static/{code}.fasttext300.vec.gz" for side, code in (("source", "en"), ("target", "de"))
        ]
        lexenc("map", *sides, "--dictionary", TRAIN, "--out", work / "mapped")
        blend = ("--vectors", work / "mapped", "--encoder", "mini", "--dictionary", TRAIN, "--lambda", 0.4)
        lexenc("interpolate", *blend, "--out", work / "blended")
        print(COLUMNS.format("", "words", "ECE", "95 %", "perfect", "p >= 0.8", "right", "95 %"))
        for space in ("mapped", "blended"):
            for label, extra in (("cross-fitted", ()), ("control: as learnt", ("--no-cross-fit",))):
                vectors, own = ("--vectors", work / space), work / f"{space}-{len(extra)}"
                show(
                    f"{space}, {label}, training",
                    lexenc("induce", *vectors, "--dictionary", TRAIN, *extra, "--out", own),
                )
                tested = ("--calibration", own, "--held-out", TEST, "--limit", 100)
                show(f"{space}, {label}, test", lexenc("induce", *vectors, *tested))


if __name__ == "__main__":
    main()
