"""Are sense-aware models better at word sense disambiguation (Liu et al., Table 2) than the plain one?

Per seed and arm, an ELMo is trained on the same text, words, negatives, order and steps; then `eval wsd` learns sense
vectors from SemCor and scores all test sets:

  plain    one sense a word
  mended   several senses, with the defaults of the preset tiny
  paper    several senses by the algorithm of the paper: all words, states of one direction, principal directions of
           all states, start with noise
  random   several senses, drawn at random: the control of the capacity

Per arm: accuracy over the instances of all test sets, of all senses and of those of the lemma, with the deviation over
seeds; then the difference from plain with a 95 % interval that draws documents and seeds. Results are kept in --work:
the same command goes on where it stopped.

Run:  python bench/disambiguation.py [--seeds 1,2,3] [--sizes "--steps 5000"] [--arms plain,mended,paper,random]
On one core: about 6 minutes per arm and seed with the usual sizes. Text: text/english.txt.gz of the data folder
(LEXENC_TEST_DATA), which has the sentences of SemCor without their senses, and none of the tests.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import DATA

LEXENC = Path(sys.executable).parent / "lexenc"
WSD = DATA / "wsd"
TESTS = ("senseval2", "semeval2007", "semeval2013", "semeval2015")
PAPER = "--sense-scope all --skip-top 0 --sense-projection paper --sense-context own --sense-start noise".split()
ARMS = {"plain": [], "mended": [], "paper": PAPER, "random": ["--sense-choice", "random"]}
METRICS = ("accuracy", "filtered_accuracy")
Items = dict[str, np.ndarray]


def lexenc(*words: object) -> None:
    """Run a command."""
    subprocess.run([str(LEXENC), *map(str, words), "-q", "--no-progress"], check=True, stdout=subprocess.DEVNULL)


def scored(work: Path, arm: str, seed: int, sizes: list[str], senses: int) -> Items:
    """Train and score an arm. Return the credits of the instances, and the document of each."""
    model, result = work / f"{arm}-{seed}", work / f"{arm}-{seed}-wsd"
    more = ["--senses", senses, *ARMS[arm]] if arm != "plain" else []
    lexenc("pretrain", "--model", "elmo", "--preset", "tiny", "--text", f"en={work / 'english.txt'}", *sizes,
           "--dev-share", 0, "--seed", seed, "--out", model, *more)  # fmt: skip
    tests: list[object] = []
    for name in TESTS:
        own = WSD / "evaluation" / name
        tests += ["--test", own / f"{name}.data.xml.gz", "--gold", own / f"{name}.gold.key.txt.gz"]
    lexenc("eval", "wsd", "--encoder", model, "--train", WSD / "semcor.tar.xz", *tests, "--draws", 100, "--out", result)
    with (result / "items.jsonl").open(encoding="utf-8") as stream:
        items = [json.loads(line) for line in stream]
    documents = {place: i for i, place in enumerate(dict.fromkeys(map(document, items)))}
    found = {metric: np.array([each["numbers"][metric] for each in items]) for metric in METRICS}
    return found | {"document": np.array([documents[document(each)] for each in items])}


def document(item: dict[str, object]) -> tuple[str, int]:
    """Return the test set and the document of an instance."""
    labels, numbers = item["labels"], item["numbers"]
    assert isinstance(labels, dict)
    assert isinstance(numbers, dict)
    return labels["track"], int(numbers["group"])


def interval(differences: np.ndarray, documents: np.ndarray, draws: int = 10_000) -> tuple[float, float]:
    """Return the 95 % interval of the mean of differences, seeds x instances, drawing documents and seeds."""
    draw = np.random.default_rng(0)
    count = documents.max() + 1
    sums = np.stack([np.bincount(documents, weights=row, minlength=count) for row in differences])
    sizes = np.bincount(documents, minlength=count)
    means = np.empty(draws)
    for i in range(draws):
        seeds, own = draw.integers(0, len(sums), len(sums)), draw.integers(0, count, count)
        means[i] = sums[seeds][:, own].sum() / (sizes[own].sum() * len(sums))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def table(results: dict[tuple[str, int], Items], arms: list[str], seeds: list[int]) -> None:
    """Print the accuracy of every arm, and its difference from the plain one."""
    for metric in METRICS:
        values = {arm: np.stack([results[arm, seed][metric] for seed in seeds]) for arm in arms}
        for arm in arms:
            means = 100 * values[arm].mean(1)
            spread = f" (SD {means.std(ddof=1):.1f})" if len(seeds) > 1 else ""
            count = values[arm].shape[1]
            line = f"{metric:18} {arm:7} {means.mean():5.1f}{spread}, {len(seeds)} seeds, {count:,} instances"
            if arm != "plain" and "plain" in values:
                gains = values[arm] - values["plain"]
                low, high = interval(gains, results[arm, seeds[0]]["document"])
                verdict = "better" if low > 0 else "worse" if high < 0 else "not shown"
                line += f"; against plain {100 * gains.mean():+.2f} [{100 * low:+.2f}, {100 * high:+.2f}] {verdict}"
            print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--sizes", default="--dimensions 96 --cells 96 --negatives 300 --steps 1500",
                        help="options of pretrain for all arms; tiny has what is left out")  # fmt: skip
    parser.add_argument("--senses", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder of the models and results, kept; by default a temporary one")
    args = parser.parse_args()
    arms, seeds = args.arms.split(","), [int(seed) for seed in args.seeds.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        text = work / "english.txt"
        if not text.exists():
            with gzip.open(DATA / "text" / "english.txt.gz", "rb") as stream:
                text.write_bytes(stream.read())
        results: dict[tuple[str, int], Items] = {}
        for done, seed in enumerate(seeds, 1):
            for arm in arms:
                results[arm, seed] = scored(work, arm, seed, args.sizes.split(), args.senses)
                found = [f"{metric} {100 * results[arm, seed][metric].mean():.1f}" for metric in METRICS]
                print(f"seed {seed} {arm:7} {', '.join(found)}", flush=True)
            table(results, arms, seeds[:done])


if __name__ == "__main__":
    main()
