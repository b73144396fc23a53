"""Do the claims about sentence encoders hold? Retrieval on real text, every claim beside its controls, three seeds.

  ranking       translation ranking against the encoder as it was, characters alone (TF-IDF), and a static encoder
                trained on the same text: multi30k English-German and lafand English-Swahili, 1,000 test sentences
  english-only  contrastive training on English alone (language inference and scored pairs; single sentences) from the
                lower 6 layers and the first token: Swahili, Telugu and German sentences of Tatoeba before and after
  words         aligned word prediction and word translation ranking beside translation ranking, with as many steps, and
                with as much time, from the lower 6 layers: lafand's test set and Tatoeba's Swahili

Retrieval is the share of sentences whose nearest of the other side, by cosine, is the one in the same line, both ways.
The mean over seeds stands with its 95 % bootstrap interval over sentences; differences are paired, and shown if their
interval excludes zero. Nothing is chosen on the test sentences: there is one setting for each system.

Run:  python bench/sentences.py ENCODER --lower FOLDER [--only words] [--work FOLDER]     Some hours on two cores.
ENCODER: a multilingual encoder. --lower: its lower 6 layers. --work keeps results, and goes on from what is there.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from common import DATA

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.evaluation.bootstrap import interval, paired_difference

LEXENC = Path(sys.executable).parent / "lexenc"
SEEDS = (0, 1, 2)
TESTS = 1000
Sides = tuple[list[str], list[str]]


# ---------------------------------------------------------------- text


def lines(path: Path) -> list[str]:
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as stream:
        return [line.rstrip("\n") for line in stream]


def multi30k(part: str) -> Sides:
    one, other = (lines(DATA / "parallel" / "multi30k" / f"{part}.{name}.gz") for name in ("en", "de"))
    return one, other


def lafand(part: str) -> Sides:
    one, other = (lines(DATA / "parallel" / "lafand" / "en-swa" / f"{part}.{name}.gz") for name in ("en", "swa"))
    return one, other


def tatoeba(name: str) -> Sides:
    one, other = (lines(DATA / "tatoeba" / f"tatoeba.{name}-eng.{side}") for side in ("eng", name))
    return one, other


# ---------------------------------------------------------------- scores


def hits(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return which queries find their line, English first, then the other direction. Shape [2 n], 0 or 1."""
    one, other = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (one, other))
    table, right = one @ other.T, np.arange(len(one))
    return np.concatenate([table.argmax(1) == right, table.argmax(0) == right]).astype(float)


def by_encoder(folder: Path, sides: Sides) -> np.ndarray:
    encoder = load_encoder(folder, device=CPU)
    return hits(*(encode_texts(encoder, side) for side in sides))


def by_characters(sides: Sides) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True).fit(sides[0] + sides[1])
    return hits(*(table.transform(side).toarray() for side in sides))


def shown(found: np.ndarray) -> str:
    """Return percentages of both directions, and their mean with its interval. Shape [seeds, 2 n]."""
    mean = found.mean(axis=0)
    half = len(mean) // 2
    # Both directions of a line are drawn together.
    low, high = interval((mean[:half] + mean[half:]) / 2, generator=np.random.default_rng(0))
    seeds = 100 * found.mean(axis=1)
    spread = f", seeds {seeds.min():.1f} to {seeds.max():.1f}" if len(found) > 1 else ""
    ways = f"{100 * mean[:half].mean():.1f} / {100 * mean[half:].mean():.1f}"
    return f"{ways}, mean {100 * mean.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]{spread}"


def compared(name: str, first: np.ndarray, second: np.ndarray) -> None:
    """Print a paired difference of two systems."""
    halves = [(each.mean(0)[: each.shape[1] // 2] + each.mean(0)[each.shape[1] // 2 :]) / 2 for each in (first, second)]
    found = paired_difference(*halves, generator=np.random.default_rng(0))
    low, high = 100 * found.low, 100 * found.high
    verdict = "shown" if low > 0 else "shown, the other way" if high < 0 else "not shown"
    print(f"  {name}: {100 * found.mean:+.1f} [{low:+.1f}, {high:+.1f}], {verdict}", flush=True)


# ---------------------------------------------------------------- training


class Bench:
    """Runs stages in a folder, each once, and keeps what test sentences they find.

    Args:
        work: Folder of the results.
        precision: Arithmetic of the training.
    """

    def __init__(self, work: Path, precision: str) -> None:
        self.work, self._precision = work, precision

    def run(self, name: str, stage: str, *words: object) -> Path:
        """Run a stage, or reuse its result; note the seconds."""
        out = self.work / name
        if not out.is_dir():
            began = time.perf_counter()
            command = [str(LEXENC), stage, *map(str, words), "--out", str(out), "-q", "--no-progress"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            (self.work / f"{name}.seconds").write_text(f"{time.perf_counter() - began:.1f}")
        return out

    def seconds(self, name: str) -> float:
        """Return how long a stage took."""
        return float((self.work / f"{name}.seconds").read_text())

    def train(self, name: str, *words: object) -> list[Path]:
        """Train with every seed."""
        settings = ("--precision", self._precision)
        return [self.run(f"{name}-{seed}", "train", *words, *settings, "--seed", seed) for seed in SEEDS]

    def pairs(self, name: str, sides: Sides) -> Path:
        """Write sentence pairs as a file. A TAB inside a sentence becomes a space."""
        path = self.work / name
        rows = [[text.replace("\t", " ").strip() for text in pair] for pair in zip(*sides, strict=True)]
        path.write_text("".join(f"{one}\t{other}\n" for one, other in rows if one and other), encoding="utf-8")
        return path

    def found(self, name: str, score: Callable[[], np.ndarray]) -> np.ndarray:
        """Return scores that are kept in the folder. Shape [2 n]."""
        path = self.work / f"{name}.json"
        if not path.is_file():
            path.write_text(json.dumps(score().tolist()))
        return np.array(json.loads(path.read_text()))

    def of(self, folders: Sequence[Path], sides: Sides, test: str) -> np.ndarray:
        """Score the results of all seeds. Shape [seeds, 2 n]."""
        return np.stack(
            [self.found(f"{each.name}.{test}", lambda each=each: by_encoder(each, sides)) for each in folders]
        )


def ranking(bench: Bench, encoder: Path, steps: int) -> None:
    """Translation ranking against what it has to beat."""
    for name, text, test in (("multi30k en-de", multi30k, "test_2016_flickr"), ("lafand en-sw", lafand, "test")):
        short = name.split()[0]
        train = bench.pairs(f"{short}.tsv", text("train"))
        sides: Sides = tuple(side[:TESTS] for side in text(test))  # type: ignore[assignment]
        subwords = ("--dimensions", 256, "--vocabulary-size", 24_000)
        fresh = bench.run(f"{short}-fresh", "new-encoder", "--text", train, "--kind", "static", *subwords)
        static = bench.train(f"{short}-static", "--data", train, "--encoder", fresh, "--epochs", 3, "--batch-size", 256,
                             "--learning-rate", 0.02, "--direction", "both")  # fmt: skip
        settings = ("--steps", steps, "--batch-size", 32, "--max-length", 48, "--freeze", "embeddings")
        tuned = bench.train(f"{short}-tuned", "--data", train, "--encoder", encoder, *settings, "--learning-rate", 1e-4,
                            "--warmup", 0.1, "--direction", "both")  # fmt: skip
        found = {
            "characters": bench.found(f"{short}-characters", lambda sides=sides: by_characters(sides))[None],
            "encoder as it was": bench.of([encoder], sides, short),
            "static, trained": bench.of(static, sides, short),
            "encoder, trained": bench.of(tuned, sides, short),
        }
        print(f"{name}, {len(sides[0]):,} sentences, English to the other / back", flush=True)
        for label, table in found.items():
            print(f"  {label}: {shown(table)}", flush=True)
        for label in ("characters", "encoder as it was", "static, trained"):
            compared(f"trained against {label}", found["encoder, trained"], found[label])


def english_only(bench: Bench, lower: Path, steps: int) -> None:
    """English alone, and what it does to other languages."""
    inference = ["--data", f"nli:{DATA / 'nli' / 'sick' / 'SICK_train.txt.gz'}"]
    inference += ["--data", f"nli:{DATA / 'sts' / 'stsb' / 'stsb-en-train.csv.gz'}"]
    texts = bench.work / "english.txt"
    sentences = lines(DATA / "text" / "english.txt.gz")
    texts.write_text("".join(f"{text}\n" for text in sentences if 20 < len(text) < 200), encoding="utf-8")
    settings = ["--encoder", lower, "--pooling", "cls", "--projection", "train-only", "--steps", steps,
                "--batch-size", 64, "--learning-rate", 3e-4, "--max-length", 64, "--freeze", "embeddings"]  # fmt: skip
    systems = {
        "language inference": bench.train("nli", *inference, *settings),
        "single sentences": bench.train("unsupervised", "--data", f"unsupervised:{texts}", *settings),
        "single sentences, shuffled pairs": bench.train("shuffled", "--data", shuffled(bench, sentences), *settings),
    }
    for name in ("swh", "tel", "deu"):
        sides = tatoeba(name)
        before = bench.found(f"lower.{name}", lambda sides=sides: by_first_token(lower, sides))[None]
        print(f"Tatoeba {name}, {len(sides[0]):,} sentences, English to the other / back", flush=True)
        print(f"  before: {shown(before)}", flush=True)
        for label, folders in systems.items():
            after = bench.of(folders, sides, name)
            print(f"  {label}: {shown(after)}", flush=True)
            compared("  after against before", after, before)


def by_first_token(folder: Path, sides: Sides) -> np.ndarray:
    encoder = load_encoder(folder, pooling="cls", device=CPU)
    return hits(*(encode_texts(encoder, side) for side in sides))


def shuffled(bench: Bench, sentences: list[str]) -> Path:
    """Write pairs of sentences that have nothing to do with each other: training without knowledge."""
    chosen = [text for text in sentences if 20 < len(text) < 200][:20_000]
    other = np.random.default_rng(0).permutation(len(chosen))
    return bench.pairs("shuffled.tsv", (chosen, [chosen[place] for place in other]))


def words(bench: Bench, lower: Path, steps: int, cost: float | None) -> None:
    """Objectives over words beside translation ranking alone."""
    train = bench.pairs("lafand.tsv", lafand("train"))
    links = bench.run("lafand-links", "align", "--pairs", train, "--method", "statistical")
    settings = ["--data", train, "--encoder", lower, "--batch-size", 32, "--learning-rate", 1e-4, "--warmup", 0.1,
                "--max-length", 48]  # fmt: skip
    linked = ["--alignments", links, "--min-score", 0.45]
    systems = {"tr": bench.train("words-tr", *settings, "--steps", steps)}
    for name, objective in (("tr + awp", "tr:0.8,awp:0.1"), ("tr + wtr", "tr:0.8,wtr:0.1"),
                            ("tr + awp + wtr", "tr:0.8,awp:0.1,wtr:0.1")):  # fmt: skip
        label = f"words-{name.replace(' + ', '-')}"
        systems[name] = bench.train(label, *settings, *linked, "--steps", steps, "--objective", objective)
    if cost is None:
        full, plain = (np.mean([bench.seconds(f"{name}-{seed}") for seed in SEEDS])
                       for name in ("words-tr-awp-wtr", "words-tr"))  # fmt: skip
        cost = float(full / plain)
    longer = round(steps * cost)
    systems[f"tr, as long ({longer:,} steps)"] = bench.train("words-tr-longer", *settings, "--steps", longer)
    tests = {"lafand test": lafand("test"), "Tatoeba swh": tatoeba("swh")}
    for test, sides in tests.items():
        found = {name: bench.of(folders, sides, test.replace(" ", "-")) for name, folders in systems.items()}
        print(f"{test}, {len(sides[0]):,} sentences, English to Swahili / back, {steps:,} steps of 32", flush=True)
        before = bench.of([lower], sides, test.replace(" ", "-"))
        for label, table in {"encoder as it was": before, **found}.items():
            print(f"  {label}: {shown(table)}", flush=True)
        for label, table in found.items():
            if label != "tr":
                compared(f"{label} against tr", table, found["tr"])
        compared("tr + awp + wtr against tr, as long", found["tr + awp + wtr"], list(found.values())[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--lower", type=Path, required=True)
    parser.add_argument("--only", default="ranking,english-only,words")
    parser.add_argument("--steps", type=int, default=100, help="of ranking and words; english-only takes 120")
    parser.add_argument(
        "--cost",
        type=float,
        help="time of a step with all terms over one of ranking, as bench/train.py "
        "measures it; by default that of the runs, for a machine with nothing else to do",
    )
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"error: there is no data at {DATA}\nhint:  set LEXENC_TEST_DATA")
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        bench = Bench(work, options.precision)
        chosen = options.only.split(",")
        if "ranking" in chosen:
            ranking(bench, options.encoder, options.steps)
        if "english-only" in chosen:
            english_only(bench, options.lower, 120)
        if "words" in chosen:
            words(bench, options.lower, options.steps, options.cost)


if __name__ == "__main__":
    main()
