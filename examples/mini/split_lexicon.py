"""Splits the mini lexicon into leak-free train and test word pairs.

Reads ``lexicon.tsv`` (header ``english  german  french``, one triple per line) and writes the four two-column
files ``en-de.train.tsv``, ``en-de.test.tsv``, ``en-fr.train.tsv`` and ``en-fr.test.tsv``. English words that
share a translation in either language, or that are inflected forms of each other, stay on the same side.

Example:
    python examples/mini/split_lexicon.py --lexicon lexenc/resources/lexicon/lexicon.tsv \
        --out lexenc/resources/lexicon
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict
from pathlib import Path

HEADER = ["english", "german", "french"]
LANGUAGES = {"de": 1, "fr": 2}
SUFFIXES = ("ations", "ation", "ions", "ally", "ion", "ing", "ed", "es", "al", "ly", "s", "e")

Triple = tuple[str, str, str]
Pair = tuple[str, str]


def read_lexicon(path: Path) -> list[Triple]:
    """Reads the triples of a lexicon file.

    Args:
        path: TAB-separated file with the header ``english  german  french``.

    Returns:
        The triples in file order.

    Raises:
        ValueError: If the header or a line is malformed.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].split("\t") != HEADER:
        raise ValueError(f"{path}: the header must be {HEADER}")
    triples: list[Triple] = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(HEADER) or not all(cell and cell == cell.strip().lower() for cell in cells):
            raise ValueError(f"{path}:{number}: expected three non-empty lower-case cells, got {line!r}")
        triples.append((cells[0], cells[1], cells[2]))
    return triples


def stem(term: str) -> str:
    """Cuts a common English ending off the last word, so that inflected forms fall together.

    Args:
        term: A lower-case English word or multi-word term.

    Returns:
        A grouping key; it need not be a word.
    """
    head, _, word = term.rpartition(" ")
    if word.endswith("ies") and len(word) > 5:
        word = word[:-3] + "y"
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            word = word[: -len(suffix)]
            break
    word = word.removesuffix("at") if len(word) > 6 else word
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return f"{head} {word}".strip()


def components(triples: list[Triple]) -> list[list[str]]:
    """Groups English words that share a German or French translation or a stem.

    Args:
        triples: The lexicon.

    Returns:
        The groups, each sorted, in the order of their first word.
    """
    neighbours: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for english, german, french in triples:
        node = ("en", english)
        for other in (("de", german), ("fr", french), ("stem", stem(english))):
            neighbours[node].add(other)
            neighbours[other].add(node)
    seen: set[tuple[str, str]] = set()
    groups: list[list[str]] = []
    for start in sorted(node for node in neighbours if node[0] == "en"):
        if start in seen:
            continue
        seen.add(start)
        queue, words = [start], []
        while queue:
            node = queue.pop()
            if node[0] == "en":
                words.append(node[1])
            fresh = neighbours[node] - seen
            seen |= fresh
            queue.extend(fresh)
        groups.append(sorted(words))
    return groups


def choose_test(groups: list[list[str]], singles: int, terms: int, largest: int, seed: int) -> set[str]:
    """Draws whole groups for the test side until both quotas are full.

    Args:
        groups: The output of `components`.
        singles: Number of single words wanted.
        terms: Number of multi-word terms wanted.
        largest: Groups with more words than this stay in the training side.
        seed: Seed of the shuffle.

    Returns:
        The English words and terms of the test side.
    """
    order = [group for group in groups if len(group) <= largest]
    random.Random(seed).shuffle(order)  # noqa: S311 - a reproducible split, nothing secret
    left = {False: singles, True: terms}
    chosen: set[str] = set()
    for group in order:
        need = {kind: sum((" " in word) is kind for word in group) for kind in left}
        if all(need[kind] <= left[kind] for kind in left):
            chosen.update(group)
            for kind in left:
                left[kind] -= need[kind]
    return chosen


def pairs_of(triples: list[Triple], column: int, words: set[str]) -> list[Pair]:
    """Collects the unique word pairs of one language for a set of English words.

    Args:
        triples: The lexicon.
        column: Column of the other language, 1 or 2.
        words: English words to keep.

    Returns:
        The unique pairs in lexicon order.
    """
    return list(dict.fromkeys((triple[0], triple[column]) for triple in triples if triple[0] in words))


def find_leaks(train: list[Pair], test: list[Pair]) -> list[str]:
    """Lists words that occur on both sides.

    Args:
        train: Training pairs.
        test: Test pairs.

    Returns:
        One description per leaking word, empty when the split is clean.
    """
    leaks: list[str] = []
    for column, side in enumerate(("English", "foreign")):
        shared = {pair[column] for pair in train} & {pair[column] for pair in test}
        leaks.extend(f"{side} word {word!r} is in train and test" for word in sorted(shared))
    return leaks


def write_pairs(path: Path, pairs: list[Pair]) -> None:
    """Writes pairs as two TAB-separated columns with LF line ends.

    Args:
        path: File to write.
        pairs: The pairs.
    """
    path.write_bytes("".join(f"{left}\t{right}\n" for left, right in pairs).encode("utf-8"))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line.

    Args:
        argv: Arguments, the process's own when None.

    Returns:
        The parsed arguments.
    """
    parser = argparse.ArgumentParser(description="Split the mini lexicon into leak-free train and test pairs.")
    parser.add_argument("--lexicon", type=Path, required=True, help="lexicon.tsv to read")
    parser.add_argument("--out", type=Path, required=True, help="folder for the four pair files")
    parser.add_argument("--test-singles", type=int, default=422, help="single English words in the test side")
    parser.add_argument("--test-terms", type=int, default=70, help="multi-word terms in the test side")
    parser.add_argument("--largest", type=int, default=40, help="largest group that may go to the test side")
    parser.add_argument("--seed", type=int, default=17, help="seed of the shuffle")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Runs the split.

    Args:
        argv: Arguments, the process's own when None.

    Returns:
        0, or 1 when the lexicon is malformed or a word leaks between train and test.
    """
    args = parse_args(argv)
    try:
        triples = read_lexicon(args.lexicon)
    except (OSError, ValueError) as error:
        print(f"split_lexicon: {error}", file=sys.stderr)
        return 1
    groups = components(triples)
    test_words = choose_test(groups, args.test_singles, args.test_terms, args.largest, args.seed)
    train_words = {triple[0] for triple in triples} - test_words
    splits = {
        code: (pairs_of(triples, column, train_words), pairs_of(triples, column, test_words))
        for code, column in LANGUAGES.items()
    }
    leaks = [f"en-{code}: {leak}" for code, split in splits.items() for leak in find_leaks(*split)]
    if leaks:
        print(f"split_lexicon: {len(leaks)} leaks, such as " + "; ".join(leaks[:5]), file=sys.stderr)
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    for code, (train, test) in splits.items():
        write_pairs(args.out / f"en-{code}.train.tsv", train)
        write_pairs(args.out / f"en-{code}.test.tsv", test)
        print(f"en-{code}: {len(train)} train pairs, {len(test)} test pairs, 0 leaks")
    largest = max(map(len, groups), default=0)
    print(f"{len(train_words)} train words, {len(test_words)} test words, largest group {largest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
