"""Do a dictionary and senses bring the words of two languages together in one language model? With every control.

Four arms of ELMo, trained alike on English and German captions, of which no line is a translation of another:

  joint        one sense, no dictionary
  dictionary   one sense, with the dictionary: the control that the paper (Liu et al. 2021) lacks
  senses       several senses, with the dictionary: Bi-SaELMo
  random       the same, but the sense of a word is chosen at random (control)

Each alone, and projected: the layers of German words, mapped by `project` with the same dictionary. Measured:

  BLI   the nearest English anchor of German words that are held out of the dictionary; precision at 1, top layer.
        Pairs are those of GT-BLI that occur in the text; identical strings are no test, since all arms share them
  CSLS  the same, ranked by CSLS, which finds answers where a few anchors are near to all
  NER   WikiANN, trained on English, tested on German: F1 of entities, mean over taggers
  STS   STS-B test, English against German sentences: Spearman

Scores have 95 % bootstrap intervals over test items, and differences are paired. A difference whose interval holds 0 is
`not shown`. Nothing is chosen by these scores. The intervals know nothing of the spread over seeds of training, so use
several before you believe a small difference. Controls of the measures stand below the scores.

Run:  python bench/bilingual_senses.py --work runs/bilingual        about 25 minutes on one core
      python bench/bilingual_senses.py --work runs/large --steps 20000 --dimensions 192 --seeds 1,2,3 --sentences 20000
The same command continues a run that was stopped. Data: text, bli, ner and sts of the data folder (LEXENC_TEST_DATA).
"""

from __future__ import annotations

import argparse
import gzip
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from common import DATA

import lexenc

PAIRS, WIKIANN, STS = DATA / "bli" / "gt" / "en-de", DATA / "ner" / "wikiann", DATA / "sts" / "stsb"
ARMS = ("joint", "dictionary", "senses", "random")
METRICS = {"BLI": "precision_at_1", "CSLS": "precision_at_1", "NER": "f1", "STS": "spearman"}
HELD_OUT = 0.3  # share of the German words of the dictionary
# What each claim compares: an arm, alone or projected, with another.
CLAIMS = [
    *((f"{claim}{', projected' if projected else ''}", (one, projected), (other, projected))
      for projected in (False, True) for claim, one, other in (("the dictionary helps", "dictionary", "joint"),
                                ("senses help", "senses", "dictionary"),
                                ("senses help more than random ones", "senses", "random"),
                                ("senses and the dictionary help", "senses", "joint"))),
    *((f"projection helps {arm}", (arm, True), (arm, False)) for arm in ARMS),
]  # fmt: skip


def lines_of(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as stream:
        yield from stream


def write_texts(work: Path, most: int | None) -> None:
    """Write the first half of the English lines, and the second half of the German ones."""
    for language, half in (("en", 0), ("de", 1)):
        path = DATA / "text" / f"captions.{language}.txt.gz"
        size = sum(1 for _ in lines_of(path)) // 2
        own = islice(lines_of(path), half * size, half * size + min(size, most or size))
        (work / f"{language}.txt").write_text("".join(own), encoding="utf-8")


def write_dictionaries(work: Path) -> None:
    """Divide all pairs by their German word. Identical strings stay in the dictionary."""
    pairs = dict[tuple[str, str], None]()
    for name in ("train.freq.5k.tsv", "test.freq.2k.tsv"):
        rows = (PAIRS / name).read_text(encoding="utf-8").lower().splitlines()
        pairs |= dict.fromkeys((one, other) for one, other in (row.split("\t") for row in rows))
    same = {other for one, other in pairs if one == other}
    words = sorted({other for _, other in pairs} - same)
    drawn = np.random.default_rng(0).permutation(len(words))[: round(HELD_OUT * len(words))]
    held = {words[place] for place in drawn.tolist()}
    known = {one for one, other in pairs if other not in held}
    for name, own in (("train.tsv", [pair for pair in pairs if pair[1] not in held]),
                      ("test.tsv", [pair for pair in pairs if pair[1] in held and pair[0] not in known])):  # fmt: skip
        (work / name).write_text("".join(f"{one}\t{other}\n" for one, other in own), encoding="utf-8")


def write_entities(work: Path, most: int) -> None:
    """Write the first sentences of WikiANN."""
    for name, count in (("en.train", most), ("en.dev", most // 4), ("de.test", most)):
        blocks = "".join(lines_of(WIKIANN / f"{name}.gz")).split("\n\n")[:count]
        (work / name).write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def done(what: str, work: Callable[..., Any], *given: Any, **more: Any) -> Any:
    """Return what a command makes, and say how long it took."""
    began = time.perf_counter()
    found = work(*given, **more)
    print(f"# {what}: {time.perf_counter() - began:.0f} s", flush=True)
    return found


def train(arm: str, seed: int, work: Path, options: argparse.Namespace) -> None:
    """Train the model of an arm, and project it."""
    texts = {name: work / f"{name}.txt" for name in ("en", "de")}
    more: dict[str, Any] = {} if arm == "joint" else {"dictionary": work / "train.tsv"}
    more |= {"senses": options.senses} if arm in ("senses", "random") else {}
    more |= {"sense_choice": "random"} if arm == "random" else {}
    made = done(f"train {arm} {seed}", lexenc.pretrain, text=texts, model="elmo", preset="tiny", steps=options.steps,
                evaluate_every=-(-options.steps // 5), dimensions=options.dimensions, cells=options.dimensions,
                seed=seed, force=True, out=work / f"{arm}-{seed}", **more)  # fmt: skip
    perplexities = [f"{each['language']} {each['perplexity']:.1f}" for each in made.results if "perplexity" in each]
    print("\t".join(["perplexity of held-out lines", arm, str(seed), *perplexities]), flush=True)
    made = done(f"project {arm} {seed}", lexenc.project, encoder=work / f"{arm}-{seed}", text=texts,
                dictionary=work / "train.tsv", method=options.method, layers=[0, 1, 2],
                most_occurrences=options.occurrences, force=True, out=work / f"{arm}-{seed}-projected")  # fmt: skip
    for each in made.results:
        scores = [f"{100 * each[f'precision_at_1{end}']:.1f}" for end in ("_before", "", "_shuffled")]
        spread = [f"{each['spread'][name][kind]:.3f}" for name in texts for kind in ("within", "between")]
        row = [arm, seed, each["layer"], each["pairs"], each["held_out_words"], *scores, *spread]
        print("\t".join(["project", *map(str, row)]), flush=True)


def folder_of(measure: str, arm: str, seed: int, projected: bool, work: Path) -> Path:
    return work / f"{arm}-{seed}-{'projected' if projected else 'alone'}-{measure}"


def score(arm: str, seed: int, projected: bool, work: Path, options: argparse.Namespace, *, first: bool) -> None:
    """Score a model alone or projected, and print the row, after the first one also the controls."""
    model, made = work / f"{arm}-{seed}", work / f"{arm}-{seed}-projected"
    source, target = (made / "en", made / "de") if projected else (model, model)
    out = {name: {"out": folder_of(name, arm, seed, projected, work), "force": True} for name in METRICS}
    name = f"{arm} {seed} {'projected' if projected else 'alone'}"
    words = {"vectors": made / ("anchors" if projected else "anchors-before"), "dictionary": work / "test.tsv",
             "direction": "target-source"}  # fmt: skip
    found = {
        "BLI": done(f"BLI {name}", lexenc.eval_bli, **words, **out["BLI"]),
        "CSLS": done(f"CSLS {name}", lexenc.eval_bli, retrieval="csls", **words, **out["CSLS"]),
        "NER": done(f"NER {name}", lexenc.eval_ner, encoder=source, test_encoder=target, train=work / "en.train",
                    dev=work / "en.dev", test=work / "de.test", seeds=options.taggers, hidden=64,
                    epochs=options.epochs, random_vectors=first, **out["NER"]),
        "STS": done(f"STS {name}", lexenc.eval_sts, encoder=source, target_encoder=target,
                    pairs=STS / "stsb-en-test.csv.gz", second=STS / "stsb-de-test.csv.gz", **out["STS"]),
    }  # fmt: skip
    cells = []
    for measure, key in METRICS.items():
        head = found[measure].results[0]
        low, high = (100 * head[f"{key}_{end}"] for end in ("low", "high"))
        cells.append(f"{100 * head[key]:.1f} [{low:.1f}, {high:.1f}]")
    row = [arm, str(seed), "projected" if projected else "alone", str(found["BLI"].results[0]["queries"]), *cells]
    print("\t".join(["score", *row]), flush=True)
    if first:
        for measure, key in METRICS.items():
            for each in found[measure].results:
                if each.get("control"):
                    print(f"control\t{measure}\t{each['control']}\t{100 * each[key]:.1f}", flush=True)


def compare(claim: str, first: tuple[str, bool], second: tuple[str, bool], seed: int, work: Path) -> None:
    """Print the paired comparison of two rows, by every measure."""
    for measure, key in METRICS.items():
        folders = [folder_of(measure, arm, seed, projected, work) for arm, projected in (first, second)]
        one = lexenc.compare(*folders, metric=key).results[0]
        value, low, high = (100 * one[name] for name in ("difference", "difference_low", "difference_high"))
        verdict = ("yes" if low > 0 else "the opposite") if one["shown"] else "not shown"
        print(f"compare\t{claim}\t{seed}\t{measure}\t{value:+.1f} [{low:+.1f}, {high:+.1f}]\t{verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of the results")
    parser.add_argument("--steps", type=int, default=800, help="steps of training; 800")
    parser.add_argument("--dimensions", type=int, default=96, help="width of each direction of the model; 96")
    parser.add_argument("--senses", type=int, default=3, help="largest number of senses of a word; 3")
    parser.add_argument("--seeds", default="1", help="seeds of training, e.g. 1,2,3")
    parser.add_argument("--method", choices=("lstsq", "procrustes"), default="lstsq", help="map; lstsq as in the paper")
    parser.add_argument("--occurrences", type=int, default=50, help="occurrences of a word in its anchor; 50")
    parser.add_argument("--captions", type=int, help="lines of each language; by default half of the file")
    parser.add_argument("--sentences", type=int, default=1000, help="of NER, to learn from and to test on; 1000")
    parser.add_argument("--taggers", type=int, default=2, help="taggers of NER, each with a seed of its own; 2")
    parser.add_argument("--epochs", type=int, default=5, help="passes over the sentences of NER; 5")
    options = parser.parse_args()
    warnings.showwarning = lambda message, *_, **__: print(f"# {message}", flush=True)
    if not PAIRS.is_dir():
        raise SystemExit(f"error: there is no data at {DATA}\nhint:  set LEXENC_TEST_DATA")
    work, seeds = options.work, [int(seed) for seed in options.seeds.split(",")]
    work.mkdir(parents=True, exist_ok=True)
    write_texts(work, options.captions)
    write_dictionaries(work)
    write_entities(work, options.sentences)
    heads = ["layer", "pairs", "held-out words", "P@1 before", "after", "shuffled"]
    heads += ["within en", "between en", "within de", "between de"]
    print("\t".join(["project", "arm", "seed", *heads]))
    for seed in seeds:
        for arm in ARMS:
            train(arm, seed, work, options)
    print("score\tarm\tseed\tprojection\tBLI words\tP@1 %\tCSLS P@1 %\tNER F1 %\tSTS 100 Spearman")
    for seed in seeds:
        for arm in ARMS:
            for projected in (False, True):
                score(arm, seed, projected, work, options, first=(arm, seed, projected) == (ARMS[0], seeds[0], False))
    print("compare\tclaim\tseed\tmeasure\tdifference\tshown")
    for seed in seeds:
        for claim, first, second in CLAIMS:
            compare(claim, first, second, seed, work)


if __name__ == "__main__":
    main()
