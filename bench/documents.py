"""Sentence alignment of documents: strict and lax F1 on planted edits, and time by length.

Run from the project root:

    python bench/documents.py --encoder mini                       quality, English-German captions
    python bench/documents.py --encoder ENC --text lafand          quality, English-Swahili news
    python bench/documents.py --encoder mini --parts time --lengths 10000 20000 100000

Two documents are made from parallel text: some sentence pairs lose a side, and some sentences are merged with the next
one on one side. Beside the alignment by vectors stand two controls: alignment by lengths alone (Gale and Church 1993),
and a document whose target sentences are shuffled. `--alone` cuts the text into short documents.
Strict and lax F1 are of links with two sides, `all_f1` counts insertions and deletions as links too. Seconds are those
of the processor.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import DATA, peak_memory

from lexenc.compiled import compiled
from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.encoders.locate import locate_encoder
from lexenc.sentences.documents import (
    Blocks,
    BlockTexts,
    Link,
    SentenceLinks,
    align_blocks,
    centred,
    compare_links,
    scale_rows,
)

PARALLEL = DATA / "parallel"
TEXTS = {"multi30k": (PARALLEL / "multi30k", "en", "de"), "lafand": (PARALLEL / "lafand" / "en-swa", "en", "swa"),
         "yoruba": (PARALLEL / "lafand" / "en-yor", "en", "yor")}  # fmt: skip
Pair = tuple[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="mini")
    parser.add_argument("--text", choices=list(TEXTS), default="multi30k")
    parser.add_argument("--part", default="train", help="file of the text, e.g. train or test")
    parser.add_argument("--skip", type=int, default=0, help="sentence pairs to leave out at the start")
    parser.add_argument("--count", type=int, default=2000, help="sentence pairs of the quality part")
    parser.add_argument("--alone", type=int, help="sentence pairs of a document; by default all are one document")
    parser.add_argument("--rate", type=float, default=0.05, help="share of deletions, insertions and merges, each")
    parser.add_argument("--parts", nargs="+", choices=["quality", "time"], default=["quality"])
    parser.add_argument("--lengths", type=int, nargs="+", default=[10_000, 20_000])
    parser.add_argument("--blocks", nargs="+", choices=["text", "sum"], default=["text", "sum"])
    parser.add_argument("--most", type=int, nargs="+", default=[8])
    parser.add_argument("--deletion", type=float, nargs="+", default=[0.33])
    parser.add_argument("--band", type=int, nargs="+", default=[10])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder, *languages = TEXTS[options.text]
    if not folder.is_dir():
        print(f"SKIPPED: there is no text at {folder}; set LEXENC_TEST_DATA.")
        return
    pairs = list(read_pairs(folder, options.part, languages))[options.skip :]
    encoder = load_encoder(locate_encoder(options.encoder).path, device=CPU)
    for part in options.parts:
        {"quality": quality, "time": timing}[part](encoder, pairs, options)


def read_pairs(folder: Path, part: str, languages: Sequence[str]) -> Iterator[Pair]:
    """Yield the sentence pairs of a part whose sides are not empty."""
    files = [next(folder.glob(f"{part}*.{language}.gz")) for language in languages]
    lines = [gzip.open(each, "rt", encoding="utf-8") for each in files]
    yield from (
        (one.strip(), other.strip()) for one, other in zip(*lines, strict=True) if one.strip() and other.strip()
    )


# ---------------------------------------------------------------- planted edits


class Planted(NamedTuple):
    """Two documents and how their sentences belong together."""

    source: list[str]
    target: list[str]
    gold: list[Link]


def plant(pairs: Sequence[Pair], rate: float, random: np.random.Generator) -> Planted:
    """Delete sentences on one side, and merge two sentences of one side into one, each with a probability of `rate`."""
    made = Planted([], [], [])
    rest = iter(pairs)
    for pair in rest:
        kind = random.choice(5, p=[1 - 4 * rate, rate, rate, rate, rate])
        sides: list[list[str]] = [[pair[0]], [pair[1]]]
        if kind in (1, 2):
            sides[kind - 1] = []
        following = next(rest, None) if kind in (3, 4) else None
        if following is not None:
            for side in (0, 1):
                sides[side].append(following[side])
            sides[kind - 3] = [" ".join(sides[kind - 3])]
        link = []
        for side, document in zip(sides, made, strict=False):
            link.append(range(len(document), len(document) + len(side)))
            document += side
        made.gold.append((link[0], link[1]))
    return made


def quality(encoder: Any, pairs: Sequence[Pair], options: argparse.Namespace) -> None:
    random = np.random.default_rng(options.seed)
    chosen, size = pairs[: options.count], options.alone or options.count
    planted = [plant(chosen[start : start + size], options.rate, random) for start in range(0, len(chosen), size)]
    shuffled = [each._replace(target=random.permutation(each.target).tolist()) for each in planted]
    kinds = Counter(f"{len(one)}:{len(other)}" for each in planted for one, other in each.gold)
    sizes = [sum(len(each[side]) for each in planted) for side in (0, 1)]
    print(
        f"{options.text} {options.part}: {len(planted)} documents, {sizes[0]} and {sizes[1]} sentences, {dict(kinds)}"
    )
    print("how\tmost\tdeletion\tband\tstrict_p\tstrict_r\tstrict_f1\tlax_f1\tall_f1\tlinks\tscore\tencode_s\talign_s")
    show("lengths alone", options, [gale_church(each) for each in planted], planted)
    for how in options.blocks:
        for most, deletion, band in itertools.product(options.most, options.deletion, options.band):
            for name, documents in (("", planted), (", shuffled", shuffled)):
                found, times, scores = [], np.zeros(2), []
                for each in documents:
                    began = time.process_time()
                    sides = [encoded(encoder, side, how, most) for side in each[:2]]
                    times[0] += time.process_time() - began
                    began = time.process_time()
                    links = align_blocks(*sides, most=most, deletion=deletion, band=band)
                    times[1] += time.process_time() - began
                    found.append(ladder(links))
                    scores += links.scores[~np.isnan(links.scores)].tolist()
                settings = argparse.Namespace(most=most, deletion=deletion, band=band)
                show(f"{how}{name}", settings, found, planted, f"{np.mean(scores):.3f}\t{times[0]:.1f}\t{times[1]:.1f}")


def show(name: str, settings: Any, found: list[list[Link]], planted: Sequence[Planted], more: str = "") -> None:
    links, gold, rows, golden = [], [], [], []
    for number, (own, each) in enumerate(zip(found, planted, strict=True)):
        for own_links, table, every in ((own, links, rows), (each.gold, gold, golden)):
            moved = [tuple([(number << 32) + i for i in side] for side in link) for link in own_links]
            table += moved
            every += [tuple(map(tuple, link)) for link in moved]
    strict, lax = compare_links(links, gold)
    right = len(set(rows) & set(golden))
    empty = 2 * right / (len(rows) + len(golden))
    number = sum(bool(one) and bool(other) for one, other in links)
    print(f"{name}\t{settings.most}\t{settings.deletion}\t{settings.band}\t{strict.precision:.4f}\t{strict.recall:.4f}\t"
          f"{strict.f1:.4f}\t{lax.f1:.4f}\t{empty:.4f}\t{number}\t{more}", flush=True)  # fmt: skip


def ladder(links: SentenceLinks) -> list[Link]:
    return [(one, other) for one, other, _ in links]


def encoded(encoder: Any, sentences: Sequence[str], how: str, most: int) -> Blocks:
    """Encode the blocks of a document; `sum` encodes its sentences only."""

    def table(rows: int) -> Any:
        return np.empty((rows, encoder.dimensions), dtype=np.float32)

    texts = BlockTexts(sentences, most - 1 if how == "text" else 1)
    vectors = centred(scale_rows(encode_texts(encoder, texts)), texts.rows[0], table)
    return Blocks(vectors, texts.rows) if how == "text" else Blocks.summed(vectors[texts.rows[0]], most - 1, table)


# ---------------------------------------------------------------- time


def timing(encoder: Any, pairs: Sequence[Pair], options: argparse.Namespace) -> None:
    """Align longer and longer documents. A text that is too short is repeated in another order."""
    random = np.random.default_rng(options.seed)
    warm = plant(pairs[:50], 0, random)
    align_blocks(*(encoded(encoder, side, "text", 8) for side in warm[:2]))
    print("blocks\tsentences\tencode_s\talign_s\tstrict_f1\tpeak_mb")
    for length in options.lengths:
        order = np.concatenate([random.permutation(len(pairs)) for _ in range(math.ceil(length / len(pairs)))])[:length]
        made = plant([pairs[row] for row in order], options.rate, random)
        for how in options.blocks:
            began = time.process_time()
            sides = [encoded(encoder, side, how, options.most[0]) for side in made[:2]]
            middle = time.process_time()
            links = align_blocks(*sides, most=options.most[0], deletion=options.deletion[0], band=options.band[0])
            end = time.process_time()
            strict, _ = compare_links(ladder(links), made.gold)
            print(f"{how}\t{len(made.source)}x{len(made.target)}\t{middle - began:.1f}\t{end - middle:.1f}\t"
                  f"{strict.f1:.4f}\t{peak_memory():.0f}", flush=True)  # fmt: skip
            del sides


# ---------------------------------------------------------------- lengths alone


PRIORS = {(1, 1): 0.89, (1, 0): 0.0099, (0, 1): 0.0099, (2, 1): 0.089, (1, 2): 0.089, (2, 2): 0.011}
VARIANCE = 6.8
"""Variance of the length of a translation per character (Gale and Church 1993, section 3.1)."""


def gale_church(document: Planted) -> list[Link]:
    """Align by the numbers of characters."""
    lengths = [np.array([len(text) for text in side], dtype=np.float64) for side in document[:2]]
    ratio = lengths[1].sum() / lengths[0].sum()
    kinds = np.array([[*sizes, -100 * math.log(prior)] for sizes, prior in PRIORS.items()])
    moves = length_moves(*(np.concatenate([[0.0], np.cumsum(each)]) for each in lengths), ratio, kinds)
    i, j = (len(each) for each in lengths)
    links: list[Link] = []
    while i or j:
        one, other = (int(each) for each in kinds[moves[i, j], :2])
        links.append((range(i - one, i), range(j - other, j)))
        i, j = i - one, j - other
    return links[::-1]


@compiled
def length_moves(source: Any, target: Any, ratio: float, kinds: Any) -> Any:
    """Return the kind of the last link of the best alignment of the first i and the first j sentences."""
    moves = np.zeros((len(source), len(target)), dtype=np.uint8)
    costs = np.full((len(source), len(target)), np.inf)
    costs[0, 0] = 0
    for i in range(len(source)):
        for j in range(len(target)):
            for kind in range(len(kinds)):
                one, other = int(kinds[kind, 0]), int(kinds[kind, 1])
                if i < one or j < other or (i == 0 and j == 0):
                    continue
                left, right = source[i] - source[i - one], target[j] - target[j - other]
                mean = (left + right / ratio) / 2
                delta = abs(right - left * ratio) / math.sqrt(max(mean, 1.0) * VARIANCE)
                chance = math.erfc(delta / math.sqrt(2.0))
                cost = costs[i - one, j - other] + kinds[kind, 2] - 100 * math.log(max(chance, 1e-12))
                if cost < costs[i, j]:
                    costs[i, j], moves[i, j] = cost, kind
    return moves


if __name__ == "__main__":
    main()
