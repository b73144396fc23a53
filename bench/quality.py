"""Does it work on real data? Word translation with any encoder, every claim beside its control.

Word vectors of two languages and the 5,000 + 2,000 GT-BLI pairs, lower-cased: VecMap's mapping alone, the encoder
untuned, tuned and tuned on shuffled pairs, each alone and blended, by nearest neighbour and by CSLS, with paired
bootstrap intervals.

Run:  python bench/quality.py                                          the bundled mini, about two minutes on two cores
      python bench/quality.py --encoder FOLDER --precision bfloat16    any other; a transformer takes some ten minutes
      python bench/quality.py --pair en-fr --vectors en.vec fr.vec     another pair; by default en-de, and the shared
                                                                       fastText vectors (23,770 and 35,505 words)
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

GT = DATA / "bli" / "gt"
LEXENC = Path(sys.executable).parent / "lexenc"
BLENDS = ("0.3", "0.4", "0.5")
RETRIEVALS = ("nearest", "csls")


def lexenc(*words: object) -> list[dict[str, Any]]:
    """Run a command; give its results."""
    done = subprocess.run(
        [str(LEXENC), *(str(word) for word in words), "--json", "-q"], stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_vocabulary(path: Path, vectors: Path) -> Path:
    """Write the words of vectors, the candidates for hard negatives."""
    opened = gzip.open if vectors.suffix == ".gz" else open
    with opened(vectors, "rt", encoding="utf-8", newline="\n") as stream:
        next(stream)
        path.write_text("".join(line.split(" ", 1)[0] + "\n" for line in stream), encoding="utf-8")
    return path


def scores(work: Path, pairs: Path, name: str, encoder: object, precision: str) -> None:
    """Evaluate an encoder alone and blended."""
    options = ["--vectors", work / "mapped", "--encoder", encoder, "--train-dictionary", pairs / "train.freq.5k.tsv"]
    options += ["--dictionary", pairs / "test.freq.2k.tsv", "--lambda", ",".join(("0", *BLENDS, "1"))]
    for retrieval in RETRIEVALS:
        ranked = ["--retrieval", retrieval, "--out", work / f"{name}-{retrieval}"]
        found = lexenc("eval", "bli", "--lowercase", "--precision", precision, *options, *ranked)
        heads = found[: len(BLENDS) + 2]
        print("\t".join([name, retrieval, f"{heads[0]['queries']:,}", *map(_shown, heads)]), flush=True)


def _shown(head: dict[str, Any]) -> str:
    low, high = (100 * head[f"precision_at_1_{end}"] for end in ("low", "high"))
    return f"{100 * head['precision_at_1']:.1f} [{low:.1f}, {high:.1f}]"


def difference(work: Path, claim: str, first: tuple[str, str], second: tuple[str, str]) -> None:
    """Print a paired comparison of two systems, each a folder and a lambda."""
    systems = [f"--first-system=lambda={first[1]}", f"--second-system=lambda={second[1]}"]
    for retrieval in RETRIEVALS:
        one = lexenc("compare", *(work / f"{each[0]}-{retrieval}" for each in (first, second)), *systems)[0]
        low, high = 100 * one["difference_low"], 100 * one["difference_high"]
        verdict = ("yes" if low > 0 else "the opposite") if one["shown"] else "not shown"
        print(f"{claim}\t{retrieval}\t{100 * one['difference']:+.1f} [{low:+.1f}, {high:+.1f}]\t{verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="mini")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--learning-rate")
    parser.add_argument("--epochs", help="passes over the pairs, by default as many as finetune makes")
    parser.add_argument("--pair", default="en-de", help="languages of the dictionary")
    parser.add_argument("--vectors", type=Path, nargs=2, help="of both languages, .vec or .vec.gz, lower-cased")
    parser.add_argument("--work", type=Path, help="folder that keeps the results")
    options = parser.parse_args()
    if not GT.is_dir():
        raise SystemExit(f"error: there is no data at {DATA}\nhint:  set LEXENC_TEST_DATA")
    with tempfile.TemporaryDirectory() as scratch:
        run(options, options.work or Path(scratch))


def run(options: argparse.Namespace, work: Path) -> None:
    """Do all of it."""
    work.mkdir(parents=True, exist_ok=True)
    pairs = GT / options.pair
    train = pairs / "train.freq.5k.tsv"
    shipped = [DATA / "static" / f"{language}.fasttext300.vec.gz" for language in options.pair.split("-")]
    source, target = options.vectors or shipped
    sides = ["--source", source, "--target", target]
    lexenc("map", "--lowercase", *sides, "--dictionary", train, "--out", work / "mapped")
    vocabulary = write_vocabulary(work / "target.txt", target)
    shared = ["--lowercase", "--pairs", train, "--encoder", options.encoder, "--precision", options.precision]
    lexenc("mine-negatives", *shared, "--target-vocabulary", vocabulary, "--out", work / "negatives")
    asked = [("--learning-rate", options.learning_rate), ("--epochs", options.epochs)]
    learning = [word for name, value in asked if value for word in (name, value)]
    print("\t".join([f"P@1, {options.pair}", "retrieval", "words", "0 (VecMap)", *BLENDS, "1 (encoder)"]))
    scores(work, pairs, "untuned", options.encoder, options.precision)
    for name, control in (("tuned", "none"), ("shuffled", "shuffled-pairs")):
        tuned = work / f"encoder-{name}"
        lexenc("finetune", *shared, "--negatives", work / "negatives", "--control", control, *learning, "--out", tuned)
        scores(work, pairs, name, tuned, options.precision)
    for weight in (*BLENDS, "1"):
        for name in ("tuned", "shuffled"):
            difference(work, f"{name} beats untuned, lambda {weight}", (name, weight), ("untuned", weight))
    for weight in BLENDS:
        for end, part in (("0", "static vectors"), ("1", "tuned encoder")):
            difference(work, f"tuned blend {weight} beats {part}", ("tuned", weight), ("tuned", end))


if __name__ == "__main__":
    main()
