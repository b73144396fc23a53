"""Senses found in the vectors of encoders, against gold senses and on pseudo-words. Prints three tables.

    python bench/senses.py --model ENCODER ANOTHER

The first table has the four words of Senseval, with as many senses as gold. Settings were chosen on hard and interest;
line and serve are held out. Every figure is the mean over samples of 400 occurrences, with the range of 95 % of the
samples. All but 10-shot and `auto` are adjusted Rand indices (ARI). `k-means` is that of scikit-learn on centred
vectors, `senses` is `induce_senses` with the background of the same sentences, `random` has its labels in a random
order. 10-shot: accuracy of the nearest centroid of 10 labelled examples of each sense; `random` has the vectors in a
random order. `auto` is the number of senses that `induce_senses` chooses, with the share of the samples in which it is
that of gold.

The second table compares the mean confidence of `senses` with the share of occurrences whose sense is right, if senses
are matched to gold senses one to one as well as possible. Error: expected calibration error, ten bins of equal width.

The third table says how often the chosen number is right: for words of one sense, for pseudo-words of two and three
words (`merged`), and for pseudo-words whose words are all written as the first one (`hidden`), so that only the context
tells them apart.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import DATA, add_model, minilm, seconds_of

WORDS = ("hard", "interest", "line", "serve")
CAPTIONS = "dog horse guitar bicycle beach snow boat woman helmet umbrella ball camera tree kitchen bridge".split()
NEWS = "government church money music mother door doctor school war morning wife city hospital river language".split()
SAMPLE, OCCURRENCES = 400, 120


def adjusted_rand(gold: np.ndarray, labels: np.ndarray) -> float:
    from lexenc.evaluation.senses import MEASURE

    none = np.zeros(len(gold))
    return MEASURE.values(np.stack([gold, labels, none, none]))["adjusted_rand_index"]


def vectors_of(encoder, layer, sentences, spans):
    """Return the vectors of the spans, and the whitening by the other words."""
    from lexenc.encoders.word_vectors import word_encoder
    from lexenc.word_senses.background import Background
    from lexenc.word_senses.contexts import span_vectors

    background = Background(word_encoder(encoder, layer=layer, unit="words"))
    marked = {words[first] for words, (first, _) in zip(sentences, spans, strict=True)}
    return span_vectors(background, sentences, spans)[0], background.whitening(marked)


def senseval(word, encoder, layer, pool):
    """Return the vectors of occurrences of a word, the whitening by the other words, and the gold senses."""
    from lexenc.files.senseval import read_senseval

    found, _ = read_senseval(DATA / "wsd" / "senseval" / f"{word}.pos.gz")
    instances, random = next(iter(found.values())), np.random.default_rng(0)
    instances = [instances[row] for row in random.permutation(len(instances))[:pool]]
    gold = np.unique([each.sense for each in instances], return_inverse=True)[1]
    spans = [(each.first, each.last) for each in instances]
    return *vectors_of(encoder, layer, [each.words for each in instances], spans), gold


def calibration(labels, confidence, gold):
    """Return the share of right senses, matched one to one with gold senses, and the expected calibration error."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((labels.max() + 1, gold.max() + 1))
    np.add.at(table, (labels, gold), 1)
    matched = dict(zip(*linear_sum_assignment(-table), strict=True))
    right = np.array([matched.get(label) for label in labels.tolist()]) == gold
    bins = np.minimum((10 * confidence).astype(int), 9)
    gaps = np.bincount(bins, confidence, 10) - np.bincount(bins, right, 10)
    return right.mean(), np.abs(gaps).sum() / len(gold)


def of_samples(vectors, whitening, gold, samples):
    """Return the figures of every sample of the occurrences of a word."""
    from sklearn.cluster import KMeans

    from lexenc.evaluation.senses import few_shot
    from lexenc.word_senses.induction import induce_senses

    rows, random = {}, np.random.default_rng(1)
    for seed in range(samples):
        chosen = random.choice(len(gold), min(SAMPLE, len(gold)), replace=False)
        own, right = vectors[chosen], np.unique(gold[chosen], return_inverse=True)[1]
        count = right.max() + 1
        plain = KMeans(count, n_init=10, random_state=seed).fit_predict(own - own.mean(axis=0))
        senses = induce_senses(own, count=count, seed=seed, whitening=whitening)
        auto = induce_senses(own, seed=seed, whitening=whitening)
        mixed = random.permutation(len(own))
        shots = [np.divide(*(each.sum() for each in few_shot(own[order], right, generator=random)))
                 for order in (mixed, slice(None))]  # fmt: skip
        share, error = calibration(senses.labels, senses.confidence, right)
        indices = [adjusted_rand(right, each) for each in (senses.labels[mixed], plain, senses.labels, auto.labels)]
        values = {"random": indices[0], "k-means": indices[1], "senses": indices[2],
                  "difference": indices[2] - indices[1], "10-shot random": shots[0], "10-shot": shots[1],
                  "gold": count, "auto": auto.count, "auto right": float(auto.count == count), "auto ARI": indices[3],
                  "confidence": senses.confidence.mean(), "right": share, "error": error}  # fmt: skip
        for name, value in values.items():
            rows.setdefault(name, []).append(value)
    return rows


def occurrences(name, words):
    """Return sentences of a corpus that contain each word once, with its place."""
    from lexenc.files.text import read_lines

    lines = [line.lower().split() for _, line in read_lines(DATA / "text" / name)]
    found = {word: [] for word in words}
    for row in np.random.default_rng(1).permutation(len(lines)):
        words_of = lines[row]
        for word in {*words_of} & {*words} if 5 <= len(words_of) <= 40 else ():
            if words_of.count(word) == 1 and len(found[word]) < OCCURRENCES:
                found[word].append((words_of, words_of.index(word)))
    return found


def chosen_numbers(encoder, layer, name, words):
    """Return the numbers of senses that are chosen, by the kind of word and the right number."""
    from lexenc.word_senses.induction import induce_senses

    found, numbers, matrices = occurrences(name, words), {}, {}
    for place, word in enumerate(words):
        parts = []
        for step in range(2):
            given = found[words[(place + step) % len(words)]]
            sentences = [[*own[:at], word, *own[at + 1 :]] for own, at in given]
            parts.append(vectors_of(encoder, layer, sentences, [(at, at + 1) for _, at in given]))
        matrices[word] = parts
    whitening = np.mean([own[0][1] for own in matrices.values()], axis=0)
    own = [matrices[word][0][0] for word in words]
    for place, word in enumerate(words):
        others = [own[(place + step) % len(words)] for step in (1, 2)]
        kinds = {("one sense", 1): [own[place]], ("merged", 2): [own[place], others[0]],
                 ("merged", 3): [own[place], *others],
                 ("hidden", 2): [own[place], matrices[word][1][0]]}  # fmt: skip
        for kind, parts in kinds.items():
            senses = induce_senses(np.concatenate(parts), seed=place, whitening=whitening)
            gold = np.repeat(np.arange(len(parts)), [len(each) for each in parts])
            numbers.setdefault(kind, []).append((senses.count, adjusted_rand(gold, senses.labels)))
    return numbers


def print_senseval(encoders, pool, samples):
    """Print the first two tables."""
    names = ("random", "k-means", "senses", "difference", "10-shot random", "10-shot")
    print("| encoder | word | gold |", " | ".join(names), "| auto | auto ARI |")
    print("|", "---|" * 11, sep="")
    calibrated = []
    for name, (encoder, layer) in encoders.items():
        for word in WORDS:
            rows = of_samples(*senseval(word, encoder, layer, pool), samples)
            spans = {each: f"{np.mean(own):.2f} [{np.percentile(own, 2.5):.2f}, {np.percentile(own, 97.5):.2f}]"
                     for each, own in rows.items()}  # fmt: skip
            chosen = f"{np.mean(rows['auto']):.1f} ({100 * np.mean(rows['auto right']):.0f} %)"
            print("|", name, "|", word, "|", f"{np.mean(rows['gold']):.0f}", *("| " + spans[each] for each in names),
                  "|", chosen, "|", spans["auto ARI"], "|", flush=True)  # fmt: skip
            calibrated.append([name, word, *(spans[each] for each in ("confidence", "right", "error"))])
    print("\n| encoder | word | confidence | right | error |\n|---|---|---|---|---|")
    for row in calibrated:
        print("|", " | ".join(row), "|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser, several=True)
    parser.add_argument("--layer", type=int, help="layer; by default the last but one")
    parser.add_argument("--pool", type=int, default=1000, help="occurrences of a word that are encoded")
    parser.add_argument("--samples", type=int, default=20, help="samples of 400 of them")
    parser.add_argument("--skip-numbers", action="store_true", help="print no third table")
    args = parser.parse_args()

    from lexenc.device import CPU
    from lexenc.encoders.load import load_encoder
    from lexenc.word_senses.induction import default_layer, induce_senses

    encoders = {}
    for path in args.model:
        encoder = load_encoder(path, device=CPU)
        layer = default_layer(encoder) if args.layer is None else args.layer
        name = "MiniLM" if path == minilm() else path.resolve().name
        encoders[f"{name} layer {layer}"] = encoder, layer
    print_senseval(encoders, args.pool, args.samples)
    random = np.random.default_rng(0).normal(size=(SAMPLE, 384)).astype(np.float32)
    print(f"\ninduce_senses of {SAMPLE} x 384: {1000 * seconds_of(induce_senses, random):.0f} ms")
    if args.skip_numbers:
        return
    print("\n| encoder | words of | kind | senses | number right | mean number | ARI |\n|---|---|---|---|---|---|---|")
    for encoder_name, (encoder, layer) in encoders.items():
        for name, words in (("captions.en.txt.gz", CAPTIONS), ("english.txt.gz", NEWS)):
            for (kind, right), own in chosen_numbers(encoder, layer, name, words).items():
                counts, scores = zip(*own, strict=True)
                good = sum(count == right for count in counts)
                print("|", encoder_name, "|", name.split(".")[0], "|", kind, "|", right, "|", good, "of", len(own),
                      f"| {np.mean(counts):.1f} | {np.mean(scores):.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
