"""Does it work on real data? Word translation English to German with any encoder, every claim beside its control.

The shared fastText vectors (23,770 and 35,505 words) and the 5,000 + 2,000 GT-BLI pairs, lower-cased: VecMap's mapping
alone, the encoder untuned, tuned and tuned on shuffled pairs, each alone and blended, with paired bootstrap intervals.

Run:  python bench/quality.py                                          the bundled mini, about two minutes on two cores
      python bench/quality.py --encoder FOLDER --precision bfloat16    any other; a transformer takes some ten minutes
The data folder is found by LEXENC_TEST_DATA, by default ../shared/data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import DATA

PAIRS = DATA / "bli" / "gt" / "en-de"
LEXENC = Path(sys.executable).parent / "lexenc"
BLENDS = ("0.3", "0.4", "0.5")


def lexenc(*words: object) -> list[dict[str, Any]]:
    """Run a command; give its results."""
    done = subprocess.run(
        [str(LEXENC), *(str(word) for word in words), "--json", "-q"], stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_vocabulary(path: Path) -> Path:
    """Write the German words of the static vectors, the candidates for hard negatives."""
    with gzip.open(DATA / "static" / "de.fasttext300.vec.gz", "rt", encoding="utf-8", newline="\n") as stream:
        next(stream)
        path.write_text("".join(line.split(" ", 1)[0] + "\n" for line in stream), encoding="utf-8")
    return path


def scores(work: Path, name: str, encoder: object, precision: str) -> None:
    """Evaluate an encoder alone and blended."""
    options = ["--vectors", work / "mapped", "--encoder", encoder, "--train-dictionary", PAIRS / "train.freq.5k.tsv"]
    options += ["--dictionary", PAIRS / "test.freq.2k.tsv", "--lambda", ",".join(("0", *BLENDS, "1"))]
    found = lexenc("eval", "bli", "--lowercase", "--precision", precision, *options, "--out", work / name)
    heads = found[: len(BLENDS) + 2]
    cells = [_shown(head) for head in heads]
    print("\t".join([name, *cells]), flush=True)


def _shown(head: dict[str, Any]) -> str:
    low, high = (100 * head[f"precision_at_1_{end}"] for end in ("low", "high"))
    return f"{100 * head['precision_at_1']:.1f} [{low:.1f}, {high:.1f}]"


def difference(work: Path, claim: str, first: tuple[str, str], second: tuple[str, str]) -> None:
    """Print a paired comparison of two systems, each a folder and a lambda."""
    systems = [f"--first-system=lambda={first[1]}", f"--second-system=lambda={second[1]}"]
    one = lexenc("compare", work / first[0], work / second[0], *systems)[0]
    low, high = 100 * one["difference_low"], 100 * one["difference_high"]
    print(
        f"{claim}\t{100 * one['difference']:+.1f} [{low:+.1f}, {high:+.1f}]\t{'yes' if one['shown'] else 'not shown'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="mini")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--learning-rate")
    parser.add_argument("--work", type=Path, help="folder that keeps the results")
    options = parser.parse_args()
    if not PAIRS.is_dir():
        raise SystemExit(f"error: there is no data at {DATA}\nhint:  set LEXENC_TEST_DATA")
    with tempfile.TemporaryDirectory() as scratch:
        run(options, options.work or Path(scratch))


def run(options: argparse.Namespace, work: Path) -> None:
    """Do all of it."""
    work.mkdir(parents=True, exist_ok=True)
    train = PAIRS / "train.freq.5k.tsv"
    vectors = [DATA / "static" / f"{language}.fasttext300.vec.gz" for language in ("en", "de")]
    lexenc(
        "map",
        "--lowercase",
        "--source",
        vectors[0],
        "--target",
        vectors[1],
        "--dictionary",
        train,
        "--out",
        work / "mapped",
    )
    vocabulary = write_vocabulary(work / "de.txt")
    shared = ["--lowercase", "--pairs", train, "--encoder", options.encoder, "--precision", options.precision]
    lexenc("mine-negatives", *shared, "--target-vocabulary", vocabulary, "--out", work / "negatives")
    rate = ["--learning-rate", options.learning_rate] if options.learning_rate else []
    print("\t".join(["P@1, 752 words", "0 (VecMap)", *BLENDS, "1 (encoder)"]))
    scores(work, "untuned", options.encoder, options.precision)
    for name, control in (("tuned", "none"), ("shuffled", "shuffled-pairs")):
        tuned = work / f"encoder-{name}"
        lexenc("finetune", *shared, "--negatives", work / "negatives", "--control", control, *rate, "--out", tuned)
        scores(work, name, tuned, options.precision)
    for weight in (*BLENDS, "1"):
        for name in ("tuned", "shuffled"):
            difference(work, f"{name} beats untuned, lambda {weight}", (name, weight), ("untuned", weight))
    for weight in BLENDS:
        for end, part in (("0", "static vectors"), ("1", "tuned encoder")):
            difference(work, f"tuned blend {weight} beats {part}", ("tuned", weight), ("tuned", end))


if __name__ == "__main__":
    main()
