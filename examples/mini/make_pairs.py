"""Turn the nine-language help text into what `mini` is trained on: text pairs, word pairs, and plain text.

Run:  python examples/mini/make_pairs.py office-help.9way.tsv.gz runs/mini-text        Takes about a minute.
      Add --without lexenc/resources/lexicon/en-*.test.tsv, so that no word of the bundled test lexicon is in a pair.

Writes into the folder:
  pairs.tsv     every paragraph with its translation, English against each other language, and, several times over, the
                word pairs that the same text gives by itself: words that choose each other by Dice's coefficient.
  text.tsv      all columns, for the tokenizer.
  en.txt, de.txt  the English and German columns, for static vectors.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_WORD = re.compile(r"\w+")
_ENGLISH = "en"


def read_columns(path: Path) -> dict[str, list[str]]:
    """Read the paragraphs of every language; an empty cell is not translated."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as stream:
        names = next(stream).rstrip("\n").split("\t")
        rows = [line.rstrip("\n").split("\t") for line in stream]
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def word_sets(texts: list[str]) -> list[set[str]]:
    """Give the distinct words of every paragraph, lower-cased, without numbers."""
    return [{word for word in _WORD.findall(text.lower()) if not word.isdecimal()} for text in texts]


def dice_pairs(
    left: list[set[str]], right: list[set[str]], *, least: int, threshold: float
) -> Iterator[tuple[str, str, float]]:
    """Find the words of two languages that choose each other.

    Args:
        left: Words of every paragraph in one language.
        right: The same in the other.
        least: Paragraphs that a word must be in.
        threshold: Smallest coefficient.

    Yields:
        Two words and Dice's coefficient 2 |both| / (|left| + |right|) over paragraphs.
    """
    counts = [Counter(word for words in side for word in words) for side in (left, right)]
    together: Counter[tuple[str, str]] = Counter()
    for first, second in zip(left, right, strict=True):
        kept = [word for word in second if counts[1][word] >= least]
        for word in first:
            if counts[0][word] >= least:
                together.update((word, other) for other in kept)
    scores = {
        (first, second): 2 * count / (counts[0][first] + counts[1][second])
        for (first, second), count in together.items()
        if count >= least
    }
    best: list[dict[str, tuple[float, str]]] = [{}, {}]
    for (first, second), score in sorted(scores.items()):
        best[0][first] = max(best[0].get(first, (0.0, "")), (score, second))
        best[1][second] = max(best[1].get(second, (0.0, "")), (score, first))
    for first, (score, second) in sorted(best[0].items()):
        if best[1][second][1] == first and score >= threshold:
            yield first, second, score


def tested_words(paths: list[Path]) -> set[str]:
    """Give all words of test dictionaries, whichever side they are on."""
    return {word for path in paths for word in path.read_text(encoding="utf-8").replace("\n", "\t").split("\t") if word}


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="office-help.9way.tsv.gz")
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("--copies", type=int, default=3, help="how often each word pair is written")
    parser.add_argument("--least", type=int, default=4, help="paragraphs that a word must be in")
    parser.add_argument("--without", type=Path, nargs="*", default=[], help="dictionaries whose words are left out")
    parser.add_argument("--threshold", type=float, default=0.3, help="smallest Dice coefficient of a word pair")
    options = parser.parse_args()
    tested = tested_words(options.without)
    columns = read_columns(options.text)
    options.out.mkdir(parents=True, exist_ok=True)
    english = columns.pop(_ENGLISH)
    with (options.out / "pairs.tsv").open("w", encoding="utf-8") as stream:
        for language, texts in columns.items():
            both = [(a, b) for a, b in zip(english, texts, strict=True) if a and b]
            stream.writelines(f"{a}\t{b}\n" for a, b in both)
            sides = word_sets([a for a, _ in both]), word_sets([b for _, b in both])
            words = [
                pair
                for pair in dice_pairs(*sides, least=options.least, threshold=options.threshold)
                if not tested.intersection(pair[:2])
            ]
            print(f"{language}: {len(both)} paragraphs, {len(words)} word pairs")
            stream.writelines(f"{a}\t{b}\n" for a, b, _ in words * options.copies)
    everything = {_ENGLISH: english, **columns}
    with (options.out / "text.tsv").open("w", encoding="utf-8") as stream:
        stream.writelines("\t".join(row) + "\n" for row in zip(*everything.values(), strict=True))
    for language in ("en", "de"):
        with (options.out / f"{language}.txt").open("w", encoding="utf-8") as stream:
            stream.writelines(text + "\n" for text in everything[language] if text)


if __name__ == "__main__":
    main()
