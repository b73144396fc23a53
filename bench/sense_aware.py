"""Sense-aware training: what senses cost, and whether they are found.

  softmax   exact softmax over 100,000 words in blocks against the dense one: seconds, memory
  step      a step of ELMo with senses against the plain one, by turns: `tiny` with S = 3 and the mended choice, and
            the paper's algorithm; share of the step in which senses are chosen; words per second
  pseudo    pseudo-words in captions: two nouns are merged into one word of two senses, nouns of nearly the same
            frequency, or with --pairing random any two, whose rarer sense is harder to find. Arms: plain (k-means
            on its states afterwards), mended, paper, random, oracle. On held-out captions: adjusted Rand index of
            each direction, and accuracy of the nearest centroid of 20 labelled examples per sense, with the
            difference from plain and its 95 % interval over pseudo-words

Run:  python bench/sense_aware.py [--only softmax,step,pseudo] [--arms plain,mended] [--seeds 1,2] [--steps 3000]
On two quiet cores: softmax 1 minute, step 5, pseudo about 10 minutes per arm and seed.
Text: text/captions.en.txt.gz of the data folder (LEXENC_TEST_DATA).
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from common import DATA
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from lexenc.arrays import Indices, Ragged
from lexenc.device import CPU
from lexenc.encoders.elmo import ElmoSettings, new_elmo
from lexenc.randomness import generator
from lexenc.stages.encoders.pretrain import PretrainParams, resolve_pretrain
from lexenc.stages.encoders.pretraining_senses import settings_of
from lexenc.training.language_models import LanguageTexts
from lexenc.training.schedule import StepSchedule
from lexenc.training.sense_aware.inventory import SenseInventory
from lexenc.training.sense_aware.pseudo_words import merge_words
from lexenc.training.sense_aware.settings import SensePlan, SenseSettings
from lexenc.training.sense_aware.words import give_senses
from lexenc.training.softmax import soft_target_losses
from lexenc.training.trainer import Trainer, own_randomness
from lexenc.training.word_prediction import ElmoLanguageModel, WordObjective, train_word_tokenizer

NOUNS = """dog street ball shirt water grass beach bike snow table car hat crowd building horse field girl woman man boy
guitar bench tree rock road mountain pool camera soccer baseball basketball stage kitchen restaurant
motorcycle train boat wave slide swing fence river lake bridge wall window door chair sidewalk store market
food cake phone book paper computer helmet jacket dress suit sunglasses umbrella bag skateboard ramp trick
rope ladder bus truck wagon tent fire microphone drum band violin singer dancer player team game race uniform
goal net racket puppy cat bird stick frisbee toy leash tunnel surfboard skier hill path sand ocean cliff
forest garden flowers park playground child baby lady couple family friends worker vendor cook officer soldier
hiker climber cyclist runner swimmer surfer skateboarder""".split()


# ---------------------------------------------------------------- softmax


def _peak() -> float:
    """Return the peak memory of this process since it was reset, in MiB."""
    line = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _softmax_run(kind: str, connection: Any) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    states, shares = torch.randn(640, 128, requires_grad=True), torch.ones(640, 1)
    # First a few rows, so that the code of the libraries is in memory already.
    for rows in (100, 100_000):
        vectors, bias = (torch.randn(rows, 128) * 0.1).requires_grad_(), torch.zeros(rows, requires_grad=True)
        right = torch.randint(0, rows, (640, 1))
        Path("/proc/self/clear_refs").write_text("5")
        before, seconds = _peak(), []
        for _ in range(4):
            began = time.perf_counter()
            if kind == "dense":
                loss = torch.nn.functional.cross_entropy(states @ vectors.T + bias, right[:, 0])
            else:
                loss = soft_target_losses(states, vectors, bias, right, shares).mean()
            loss.backward()
            seconds.append(time.perf_counter() - began)
            states.grad = vectors.grad = bias.grad = None
    connection.send((min(seconds), _peak() - before))


def softmax() -> None:
    """Compare blocks with the dense softmax."""
    found = {}
    for kind in ("dense", "blocks"):
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_softmax_run, args=(kind, theirs))
        process.start()
        found[kind] = ours.recv()
        process.join()
        print(f"softmax  {kind:7} {found[kind][0]:6.2f} s  {found[kind][1]:6.0f} MiB")
    (slow, much), (fast, little) = found["dense"], found["blocks"]
    print(f"softmax  blocks over dense: time {fast / slow:.2f}, memory {little / much:.2f}")


# ---------------------------------------------------------------- step


@contextmanager
def _timed(names: tuple[str, ...]) -> Iterator[list[float]]:
    """Add up the seconds of some methods of the inventories."""
    spent, usual = [0.0], {name: getattr(SenseInventory, name) for name in names}

    def wrapped(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            began = time.perf_counter()
            found = work(*args, **more)
            spent[0] += time.perf_counter() - began
            return found

        return run

    for name, work in usual.items():
        setattr(SenseInventory, name, wrapped(work))
    try:
        yield spent
    finally:
        for name, work in usual.items():
            setattr(SenseInventory, name, work)


def _zipf_texts(words: int, texts: int) -> Ragged:
    draw = np.random.default_rng(0)
    chances = 1 / np.arange(1, words - 2)
    values = 3 + draw.choice(words - 3, texts * 20, p=chances / chances.sum())
    return Ragged(np.arange(0, texts * 20 + 1, 20), values.astype(np.int32))


def _trainer(
    settings: SenseSettings | None,
    texts: Ragged,
    model: ElmoLanguageModel,
    *,
    negatives: int,
    steps: int,
    seed: int = 0,
    context: str = "both",
    batch_size: int = 64,
    senses: Indices | None = None,
    labels: Ragged | None = None,
    rate: float = 4e-3,
) -> Trainer:
    counts = np.bincount(texts.values, minlength=model.encoder.vocabulary)
    if settings is not None:
        if senses is None:
            rank = np.argsort(-counts, kind="stable")
            several = counts >= (settings.min_count if settings.scope == "frequent" else 1)
            several[rank[: settings.skip_top]] = False
            senses = np.where(several, settings.senses, 1)
        give_senses(model, SensePlan(senses, settings), context=context)
    made: Any = context
    objective = WordObjective(
        model,
        LanguageTexts.of({"en": texts}),
        negatives=negatives,
        exponent=1.0,
        seed=seed,
        context=made,
        labels=labels,
    )
    schedule = StepSchedule(steps=steps, batch_size=batch_size, learning_rate=rate)
    return Trainer(objective, schedule=schedule, seed=seed)


def step(repeats: int) -> None:
    """Compare steps with and without senses, by turns."""
    words = 24_000
    lines = [" ".join(f"w{number}" for number in range(begin, begin + 100)) for begin in range(0, words, 100)]
    texts = _zipf_texts(words, 6_000)
    tokenizer = train_word_tokenizer({"en": lines}, vocabulary_size=words)
    published = resolve_pretrain({}, PretrainParams(preset="saelmo", senses=3))
    for preset, settings, context in (
        # As many words of several senses as in 4.5 million words of English, 2,100.
        ("tiny", SenseSettings(senses=3, min_count=6), "both"),
        ("paper", settings_of(published, 0), "own"),
    ):
        runs = {}
        for name, own in (("plain", None), ("senses", settings)):
            model = ElmoLanguageModel(new_elmo(tokenizer, ElmoSettings(192, 2), seed=0))
            trainer = _trainer(own, texts, model, negatives=1024, steps=1_000_000, context=context)
            if own is not None:
                for table in model.head.values():
                    table.inventory._divides_at = 8
            trainer._module.train()
            runs[name] = (trainer, trainer.batches())
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        with _timed(("choose", "translate", "observe", "end_step")) as spent:
            for number in range(12 + repeats):
                for name, (trainer, batches) in runs.items():
                    began, before = time.perf_counter(), spent[0]
                    trainer.take_step(*next(batches))
                    if number >= 12:
                        seconds[name].append(time.perf_counter() - began)
                    else:
                        spent[0] = before
        plain, ours = (median(seconds[name]) for name in ("plain", "senses"))
        share = spent[0] / sum(seconds["senses"])
        print(
            f"step     {preset:6} plain {1000 * plain:5.0f} ms, senses {1000 * ours:5.0f} ms: {ours / plain:.2f}, "
            f"choosing {100 * share:.1f} % of it; {64 * 22 / plain:,.0f} and {64 * 22 / ours:,.0f} words/s"
        )


# ---------------------------------------------------------------- pseudo-words


_HELD_OUT = 15_000  # captions


def _captions(most: int) -> list[str]:
    with gzip.open(DATA / "text" / "captions.en.txt.gz", "rt", encoding="utf-8") as stream:
        return [line.strip() for _, line in zip(range(most), stream, strict=False)]


def pseudo(arms: list[str], seeds: list[int], steps: int, pairs: int, pairing: str, rate: float) -> None:
    """Train on pseudo-words, and compare the senses that are found with the words that were merged."""
    lines = _captions(80_000)
    tokenizer = train_word_tokenizer({"en": lines}, vocabulary_size=30_000, minimum_count=5)
    for seed in seeds:
        plain: np.ndarray | None = None
        for arm in arms:
            began = time.perf_counter()
            model = ElmoLanguageModel(new_elmo(tokenizer, ElmoSettings(96, 2), seed=seed))
            texts = model.splitter()(lines)
            counts = np.bincount(texts.values, minlength=model.encoder.vocabulary)
            draw = generator(1, "pairs")  # the same pairs for every seed of the training
            known = [number for noun in NOUNS if (number := tokenizer.token_to_id(noun)) and counts[number] >= 150]
            chosen = draw.permutation(np.unique(known))
            chosen = chosen[: min(2 * pairs, len(chosen) // 2 * 2)]
            if pairing == "alike":
                chosen = chosen[np.argsort(counts[chosen], kind="stable")]
            chosen = chosen.reshape(-1, 2)
            merged, labels = merge_words(texts, [(int(one), int(other)) for one, other in chosen])
            train, test = np.arange(len(merged) - _HELD_OUT), np.arange(len(merged) - _HELD_OUT, len(merged))
            context: Any = "own" if arm == "paper" else "both"
            senses = np.ones(model.encoder.vocabulary, dtype=np.int64)
            senses[chosen[:, 0]] = 2
            settings = {
                "plain": None,
                "mended": SenseSettings(senses=2, choice="clusters"),
                # In so few steps, with the warm-up, the rate and the pruning of the mended choice.
                "paper": replace(SenseSettings(senses=2), scope="all", skip_top=0, projection="paper", start="noise"),
                "random": SenseSettings(senses=2, choice="random"),
                "oracle": SenseSettings(senses=2, choice="oracle"),
            }[arm]
            with own_randomness(seed, "bench", CPU.torch):
                trainer = _trainer(
                    settings, merged.take(train), model, negatives=300, steps=steps, seed=seed, senses=senses,
                    labels=labels.take(train), context=context, rate=rate,
                )  # fmt: skip
                trainer.run()
            held_out = WordObjective(
                model, LanguageTexts.of({"en": merged.take(test)}), context=context, labels=labels.take(test)
            )
            rand, clustered, accuracy, unfiltered = _scores(model, held_out, chosen[:, 0], np.arange(len(test)), arm)
            if arm == "plain":
                plain = accuracy
            shown = ""
            if plain is not None and arm != "plain":
                draws = np.random.default_rng(0).integers(0, len(plain), (2000, len(plain)))
                low, high = np.percentile((accuracy - plain)[draws].mean(1) * 100, [2.5, 97.5])
                shown = f", difference {100 * (accuracy - plain).mean():+.1f} [{low:+.1f}, {high:+.1f}]"
            print(
                f"pseudo   seed {seed} {arm:7} ARI forward {rand[0]:.2f} backward {rand[1]:.2f} (k-means afterwards "
                f"{clustered[0]:.2f} {clustered[1]:.2f}), two-way accuracy "
                f"{100 * accuracy.mean():.1f}{shown}, unfiltered {100 * unfiltered.mean():.1f}; "
                f"{time.perf_counter() - began:,.0f} s",
                flush=True,
            )


@torch.no_grad()
def _scores(
    model: ElmoLanguageModel, objective: WordObjective, words: np.ndarray, rows: Indices, arm: str
) -> tuple[list[float], list[float], np.ndarray, np.ndarray]:
    """Return the ARI of both directions, of the choice and of k-means, and accuracies of each pseudo-word."""
    found: dict[str, list[np.ndarray]] = {}
    for begin in range(0, len(rows), 256):
        for name, each in objective.predictions(rows[begin : begin + 256]).items():
            wanted = np.isin(each.words.numpy(), words)
            assert each.labels is not None
            table: Any = model.head[name]
            picked = table.choose(each).numpy() if arm != "plain" else each.words.numpy()
            if arm == "oracle":  # what its clusters would choose
                picked = table.inventory.choose(each.words, each.own, labels=None).numpy()
            for key, value in (("word", each.words), ("label", each.labels), ("own", each.own), ("row", picked)):
                found.setdefault(f"{name} {key}", []).append(np.asarray(value)[wanted])
    parts = {name: np.concatenate(each) for name, each in found.items()}
    rand, clustered = [], []
    for name in ("next", "previous"):
        values = []
        for word in words:
            mine = parts[f"{name} word"] == word
            if mine.sum() < 20:
                continue
            own, right = parts[f"{name} own"][mine], parts[f"{name} label"][mine]
            again = KMeans(2, n_init=5, random_state=0).fit_predict(own - own.mean(0))
            chosen = again if arm == "plain" else parts[f"{name} row"][mine]
            values.append([adjusted_rand_score(right, each) for each in (chosen, again)])
        rand.append(float(np.mean(values, axis=0)[0]))
        clustered.append(float(np.mean(values, axis=0)[1]))
    return rand, clustered, *_accuracies(parts["next word"], parts["next label"], parts["next own"], words)


def _accuracies(
    word: np.ndarray, label: np.ndarray, own: np.ndarray, words: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the accuracy of the nearest centroid of 20 examples per sense, among two and among all. Per word."""
    unit = own / np.linalg.norm(own, axis=1, keepdims=True)
    centroids, owners, tests = [], [], []
    for each in words:
        rows = [np.flatnonzero((word == each) & (label == sense)) for sense in (0, 1)]
        if min(map(len, rows)) < 25:
            continue
        for sense in (0, 1):
            centroids.append(unit[rows[sense][:20]].mean(0))
            owners.append((each, sense))
        tests.append((each, np.concatenate([rows[0][20:60], rows[1][20:60]])))
    table = np.stack(centroids)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    two, every = [], []
    for each, rows in tests:
        near = unit[rows] @ table.T
        mine = [i for i, (owner, _) in enumerate(owners) if owner == each]
        two.append(np.mean(near[:, mine].argmax(1) == label[rows]))
        every.append(np.mean(near.argmax(1) == np.array(mine)[label[rows]]))
    return np.array(two), np.array(every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="softmax,step,pseudo", help="parts to run")
    parser.add_argument("--arms", default="plain,mended,random,oracle", help="arms of pseudo")
    parser.add_argument("--seeds", default="1", help="seeds of pseudo")
    parser.add_argument("--steps", type=int, default=3_000, help="steps of pseudo")
    parser.add_argument("--pairs", type=int, default=60, help="pseudo-words")
    parser.add_argument("--pairing", choices=("alike", "random"), default="alike", help="frequencies of merged nouns")
    parser.add_argument("--learning-rate", type=float, default=4e-3, help="of pseudo")
    parser.add_argument("--repeats", type=int, default=30, help="measured steps of step")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    parts = args.only.split(",")
    if "softmax" in parts:
        softmax()
    if "step" in parts:
        step(args.repeats)
    if "pseudo" in parts:
        seeds = [int(seed) for seed in args.seeds.split(",")]
        pseudo(args.arms.split(","), seeds, args.steps, args.pairs, args.pairing, args.learning_rate)


if __name__ == "__main__":
    main()
