"""Senses found in the vectors of an encoder, against gold senses and on pseudo-words. Prints two tables.

    python bench/senses.py --model ENCODER

The first table has the four words of Senseval, with as many senses as gold. Settings were chosen on hard and interest;
line and serve are held out. Every figure is the mean over samples of 400 occurrences, with the range of 90 % of
the samples. `plain` is k-means of scikit-learn on centred vectors, `whitened` is `induce_senses` with the background of
the same sentences, `auto` the number of senses that it chooses.

The second table says how often the chosen number is right: for words of one sense, for pseudo-words of two and three
words (`merged`), and for pseudo-words whose words are all written as the first one (`hidden`), so that only the context
tells them apart.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import DATA, add_model, seconds_of

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


def of_samples(word, encoder, layer, pool, samples):
    """Return the figures of every sample of the occurrences of a word."""
    from sklearn.cluster import KMeans

    from lexenc.evaluation.senses import few_shot
    from lexenc.files.senseval import read_senseval
    from lexenc.word_senses.induction import induce_senses

    found, _ = read_senseval(DATA / "wsd" / "senseval" / f"{word}.pos.gz")
    instances, random = next(iter(found.values())), np.random.default_rng(0)
    instances = [instances[row] for row in random.permutation(len(instances))[:pool]]
    gold = np.unique([each.sense for each in instances], return_inverse=True)[1]
    spans = [(each.first, each.last) for each in instances]
    vectors, whitening = vectors_of(encoder, layer, [each.words for each in instances], spans)
    rows = {"plain": [], "whitened": [], "10-shot": [], "auto": [], "auto ARI": []}
    for seed in range(samples):
        chosen = random.choice(len(gold), min(SAMPLE, len(gold)), replace=False)
        own, right = vectors[chosen], gold[chosen]
        count = len(np.unique(right))
        plain = KMeans(count, n_init=10, random_state=seed).fit_predict(own - own.mean(axis=0))
        whitened = induce_senses(own, count=count, seed=seed, whitening=whitening)
        auto = induce_senses(own, seed=seed, whitening=whitening)
        good, asked = few_shot(own, right, generator=random)
        values = (adjusted_rand(right, plain), adjusted_rand(right, whitened.labels), good.sum() / asked.sum(),
                  auto.count, adjusted_rand(right, auto.labels))  # fmt: skip
        for name, value in zip(rows, values, strict=True):
            rows[name].append(value)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser)
    parser.add_argument("--layer", type=int, help="layer; by default the last but one")
    parser.add_argument("--pool", type=int, default=1000, help="occurrences of a word that are encoded")
    parser.add_argument("--samples", type=int, default=20, help="samples of 400 of them")
    parser.add_argument("--skip-numbers", action="store_true", help="print the first table only")
    args = parser.parse_args()

    from lexenc.device import CPU
    from lexenc.encoders.load import load_encoder
    from lexenc.word_senses.induction import default_layer, induce_senses

    encoder = load_encoder(args.model, device=CPU)
    layer = default_layer(encoder) if args.layer is None else args.layer
    print(f"layer {layer}\n\n| word | plain | whitened | difference | 10-shot | auto: senses | auto: ARI |")
    print("|---|---|---|---|---|---|---|")
    for word in WORDS:
        rows = of_samples(word, encoder, layer, args.pool, args.samples)
        rows["difference"] = np.subtract(rows["whitened"], rows["plain"])
        spans = {name: f"{np.mean(own):.2f} [{np.percentile(own, 5):.2f}, {np.percentile(own, 95):.2f}]"
                 for name, own in rows.items()}  # fmt: skip
        names = ("plain", "whitened", "difference", "10-shot")
        print("|", word, *("| " + spans[name] for name in names), f"| {np.mean(rows['auto']):.1f}",
              "|", spans["auto ARI"], "|", flush=True)  # fmt: skip
    random = np.random.default_rng(0).normal(size=(SAMPLE, 384)).astype(np.float32)
    print(f"\ninduce_senses of {SAMPLE} x 384: {1000 * seconds_of(induce_senses, random):.0f} ms")
    if args.skip_numbers:
        return
    print("\n| words of | kind | senses | number right | mean number | ARI |\n|---|---|---|---|---|---|")
    for name, words in (("captions.en.txt.gz", CAPTIONS), ("english.txt.gz", NEWS)):
        for (kind, right), own in chosen_numbers(encoder, layer, name, words).items():
            counts, scores = zip(*own, strict=True)
            good = sum(count == right for count in counts)
            print(f"| {name.split('.')[0]} | {kind} | {right} | {good} of {len(own)} | {np.mean(counts):.1f}",
                  f"| {np.mean(scores):.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
