"""Training of sentence encoders against sentence-transformers: seconds per step, losses, memory.

Translation ranking on lafand English-Swahili sentences with a multilingual encoder, AdamW, the same pairs in the same
order, dropout off on all sides so that the losses can be compared. Three comparisons:

  ranking   256 pairs a step: MultipleNegativesRankingLoss of SentenceTransformerTrainer against tr
  cached    2,048 pairs a step: CachedMultipleNegativesRankingLoss, with the best of several budgets of tokens
            (`mini_batch_num_tokens`), against tr in chunks
  words     64 pairs a step: tr,awp,wtr against tr, with the vocabulary of the corpus (half or all of the linked words
            masked at a time) and with the whole one

Runs take turns; medians are quoted.

Run:  python bench/train.py ENCODER [--only ranking,words]      Up to an hour on two cores.
Sentences: parallel/lafand/en-swa of the data folder (LEXENC_TEST_DATA). ENCODER: a folder, e.g. multilingual-e5-small.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import DATA, peak_memory
from finetune import line_of, without_dropout

from lexenc.device import has_bfloat16, keep_freed_memory

TEXT = DATA / "parallel" / "lafand" / "en-swa"
SIZES = {"ranking": 256, "cached": 2048, "words": 64}
BUDGETS = (8_192, 16_384, 32_768)  # tokens of a chunk of the peer; the best is quoted
KINDS = {
    "ranking": ("peer", "float32", "bfloat16"),
    "cached": (*(f"peer-{tokens}" for tokens in BUDGETS), "float32", "bfloat16"),
    "words": ("tr", "corpus", "all-masked", "full"),
}
LONGEST = 64


def pairs_of(count: int) -> list[tuple[str, str]]:
    """Return the first pairs of the training text that differ from each other."""
    sides = (gzip.open(TEXT / f"train.{name}.gz", "rt", encoding="utf-8") for name in ("en", "swa"))
    found = dict.fromkeys((one.strip(), other.strip()) for one, other in zip(*sides, strict=True))
    return list(islice((pair for pair in found if all(pair)), count))


def peer_steps(folder: Path, pairs: list, size: int, tokens: int | None) -> tuple[list[float], list[float]]:
    """Train with SentenceTransformerTrainer; return the seconds and the loss of every step."""
    from datasets import Dataset
    from finetune import _in_order
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )
    from transformers import PrinterCallback, TrainerCallback

    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = LONGEST
    loss = MultipleNegativesRankingLoss(model)
    if tokens is not None:
        loss = CachedMultipleNegativesRankingLoss(model, mini_batch_num_tokens=tokens)
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
            output_dir=out, per_device_train_batch_size=size, max_steps=len(pairs) // size, learning_rate=2e-5,
            weight_decay=0.0, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
            dataloader_pin_memory=False, max_grad_norm=1.0,
        )  # fmt: skip
        table = dict(zip(("anchor", "positive"), map(list, zip(*pairs, strict=True)), strict=True))
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_dict(table), loss=loss, callbacks=[Clock()]
        )
        # The rows come as they stand, so that both sides see the same batches.
        trainer.get_batch_sampler = lambda dataset, batch_size, drop_last, **rest: _in_order(dataset, batch_size)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [end - begin for begin, end in zip(marks[::2], marks[1::2], strict=True)], losses


def our_steps(
    folder: Path, pairs: list, size: int, *, precision: str = "float32", words: str = ""
) -> tuple[list[float], list[float]]:
    """Train with lexenc; return the seconds and the loss of every step."""
    from lexenc.device import Device
    from lexenc.encoders.load import load_encoder
    from lexenc.sentences.objective import SentenceObjective
    from lexenc.training.data import number_pairs, store_tokens
    from lexenc.training.losses import mneg
    from lexenc.training.schedule import Schedule
    from lexenc.training.trainer import Trainer

    encoder: Any = load_encoder(folder, device=Device("cpu", precision, ""), max_length=LONGEST)
    data = number_pairs(*map(list, zip(*pairs, strict=True)), [])
    tokens = store_tokens(encoder.tokenise, data.texts)
    terms = terms_of(folder, encoder, data, tokens, pairs, words) if words else {}
    weights = {"tr": 0.8, "awp": 0.1, "wtr": 0.1} if words else {}
    objective = SentenceObjective(encoder, data, tokens, ranking=partial(mneg), terms=terms, weights=weights)
    schedule = Schedule(epochs=1, batch_size=size, warmup=0.0, weight_decay=0.0, chunk_tokens=32_768)
    training = Trainer(objective, schedule=schedule)
    encoder.module.train()
    seconds, losses = [], []
    for step in range(len(pairs) // size):
        began = time.perf_counter()
        losses.append(training.take_step(0, np.arange(step * size, (step + 1) * size)).loss)
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def terms_of(folder: Path, encoder: Any, data: Any, tokens: Any, pairs: list, words: str) -> dict[str, Any]:
    """Return aligned word prediction and word translation ranking, on links of the statistical aligner."""
    from lexenc.encoders.masked_language import MaskedHead
    from lexenc.sentences import OBJECTIVES
    from lexenc.sentences.terms import TermInputs
    from lexenc.stages.sentences.links import ParallelRows, read_word_links

    with tempfile.TemporaryDirectory() as name:
        text = Path(name) / "pairs.tsv"
        text.write_text("".join(f"{one}\t{other}\n" for one, other in pairs), encoding="utf-8")
        command = [sys.executable, "-m", "lexenc_cli", "align", "--pairs", str(text), "--method", "statistical"]
        subprocess.run([*command, "--out", f"{name}/links", "-q"], check=True, capture_output=True)
        rows = np.arange(len(pairs))
        linked = read_word_links([Path(name) / "links"], [ParallelRows(name, len(pairs), rows, rows)], data, encoder)
    # Of lafand's whole training text, as a real run has.
    corpus = [text for pair in pairs_of(1 << 20) for text in pair]
    used = np.unique(np.concatenate([tokens.values, *map(np.array, encoder.tokenise(corpus))])).astype(np.int64)
    head = MaskedHead(folder, encoder, None if words == "full" else used)
    given = TermInputs(encoder, data, tokens, np.ones(len(pairs), dtype=bool), linked, head)
    share = 1.0 if words == "all-masked" else 0.5
    return {"awp": OBJECTIVES["awp"](given, share=share), "wtr": OBJECTIVES["wtr"](given)}


def work(what: str, kind: str, folder: Path, pairs: list) -> dict[str, Any]:
    """Do one run in this process; return the median seconds of a step, the losses and the peak memory."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    size = SIZES[what]
    if kind.startswith("peer"):
        seconds, losses = peer_steps(folder, pairs, size, int(kind[5:]) if what == "cached" else None)
    else:
        keep_freed_memory()  # as the program does; in a process of its own, so that the peer keeps its own ways
        precision = kind if what != "words" else "float32"
        words = kind if what == "words" and kind != "tr" else ""
        seconds, losses = our_steps(folder, pairs, size, precision=precision, words=words)
    return {"seconds": median(seconds), "losses": losses, "memory": peak_memory() / 1024}


def run(what: str, kind: str, scratch: Path) -> dict[str, Any]:
    """Do one run in a process of its own."""
    command = [
        sys.executable,
        __file__,
        str(scratch / "encoder"),
        "--worker",
        f"{what}/{kind}",
        "--scratch",
        str(scratch),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--only", default=",".join(SIZES))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        what, kind = options.worker.split("/")
        pairs = json.loads((options.scratch / f"{what}.json").read_text())
        print(json.dumps(work(what, kind, options.encoder, pairs)))
        return
    if not TEXT.is_dir():
        raise SystemExit(f"error: there is no folder {TEXT}\nhint:  Set LEXENC_TEST_DATA.")
    print(f"bfloat16 instructions: {'yes' if has_bfloat16() else 'none, so that it is left out'}")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        without_dropout(options.encoder, scratch / "encoder")
        for what in options.only.split(","):
            pairs = pairs_of(SIZES[what] * options.steps)
            (scratch / f"{what}.json").write_text(json.dumps(pairs))
            kinds = [kind for kind in KINDS[what] if kind != "bfloat16" or has_bfloat16()]
            runs = [{kind: run(what, kind, scratch) for kind in kinds} for _ in range(options.rounds)]
            report(what, runs)


def report(what: str, runs: list[dict[str, dict[str, Any]]]) -> None:
    """Print medians and ratios."""
    print(f"{what}: {SIZES[what]:,} pairs a step", flush=True)
    if what == "words":
        for kind in KINDS[what]:
            ratios = [each[kind]["seconds"] / each["tr"]["seconds"] for each in runs]
            seconds, memory = median(each[kind]["seconds"] for each in runs), runs[0][kind]["memory"]
            print(
                f"  {kind}: {seconds:.2f} s per step, {median(ratios):.2f} times tr ({min(ratios):.2f} to "
                f"{max(ratios):.2f}), peak memory {memory:.2f} GiB"
            )
        return
    peers = [kind for kind in runs[0] if kind.startswith("peer")]
    best = min(peers, key=lambda kind: median(each[kind]["seconds"] for each in runs))
    for each in runs:
        each["peer"] = each[best]
    for kind in [*peers, *(kind for kind in runs[0] if not kind.startswith("peer"))]:
        name = f"sentence-transformers, {kind}" if kind.startswith("peer") else f"lexenc, {kind}"
        print(f"  {line_of(name, kind, runs)}", flush=True)


if __name__ == "__main__":
    main()
