"""Sets of synonyms as training pairs: names per concept, the pairs drawn from them, and who is nobody's negative."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lexenc.randomness import generator
from lexenc.training.data import Classes, PairData


@dataclass(frozen=True)
class SynonymSets:
    """Concepts and their names, both as positions in lists of distinct texts.

    Args:
        texts: Distinct names.
        concepts: Distinct identifiers, in order of first appearance.
        starts: Where the names of each concept begin in `names`, and the end. Shape [number of concepts + 1].
        names: Names of every concept, in order of first appearance, without repeats. Shape [m].
        listed: Pairs that a file lists as such: concept, name, other name; without repeats. Shape [l, 3].
    """

    texts: list[str]
    concepts: list[str]
    starts: np.ndarray
    names: np.ndarray
    listed: np.ndarray

    def memberships(self) -> np.ndarray:
        """Give every concept with every name of it, those of listed pairs too; sorted. Shape [k, 2]."""
        owners = np.repeat(np.arange(len(self.concepts)), np.diff(self.starts))
        parts = [np.column_stack([owners, self.names]), self.listed[:, [0, 1]], self.listed[:, [0, 2]]]
        return _distinct(np.concatenate(parts), len(self.texts))

    def sizes(self) -> np.ndarray:
        """Count the distinct names of every concept, those of listed pairs too. Shape [number of concepts]."""
        return np.bincount(self.memberships()[:, 0], minlength=len(self.concepts))


def gather_sets(entries: Iterable[tuple[Sequence[str], Sequence[str]]]) -> SynonymSets:
    """Gather names by concept, in one pass and holding every distinct text once.

    Args:
        entries: Concepts, and one name that they have, or two that are listed as a pair. Names under one case policy.
    """
    texts: dict[str, int] = {}
    concepts: dict[str, int] = {}
    single, listed = array("q"), array("q")
    for identifiers, names in entries:
        numbers = [texts.setdefault(name, len(texts)) for name in names]
        for identifier in identifiers:
            concept = concepts.setdefault(identifier, len(concepts))
            if len(numbers) == 1:
                single.extend((concept, numbers[0]))
            else:
                first, second = numbers
                listed.extend((concept, first, second))
    owners, names_of = _columns(single, 2).T
    _, kept = np.unique(owners * len(texts) + names_of, return_index=True)
    kept.sort()
    kept = kept[np.argsort(owners[kept], kind="stable")]
    counts = np.bincount(owners[kept], minlength=len(concepts))
    starts = np.concatenate([[0], np.cumsum(counts)])
    pairs = _columns(listed, 3)
    return SynonymSets(list(texts), list(concepts), starts, names_of[kept], _without_repeats(pairs, len(texts)))


def _columns(flat: array[int], width: int) -> np.ndarray:
    return np.frombuffer(flat, dtype=np.int64).reshape(-1, width) if len(flat) else np.zeros((0, width), np.int64)


def _distinct(rows: np.ndarray, size: int) -> np.ndarray:
    """Sort rows of two numbers, the second below `size`, and drop repeats. Shape [n, 2]."""
    keys = np.unique(rows[:, 0] * size + rows[:, 1])
    return np.column_stack([keys // size, keys % size]) if size else rows


def _without_repeats(pairs: np.ndarray, size: int) -> np.ndarray:
    """Drop pairs of a name with itself and pairs that came before, in either order; the first stays where it was."""
    pairs = pairs[pairs[:, 1] != pairs[:, 2]]
    ends = np.sort(pairs[:, 1:], axis=1)
    # Two numbers in a row at a time: concept x text x text would leave 63 bits.
    _, of_texts = np.unique(ends[:, 0] * size + ends[:, 1], return_inverse=True)
    _, first = np.unique(pairs[:, 0] * (len(pairs) + 1) + of_texts, return_index=True)
    return pairs[np.sort(first)]


def shuffled_sets(sets: SynonymSets, *, seed: int) -> SynonymSets:
    """Deal the names to concepts at random: a control that knows the names, but not what they mean.

    Every name takes the places of another, so that each concept has as many names as before and a name of several
    concepts is again one of as many. Names of concepts without another name stay out of it, as they do in training.

    Args:
        sets: The sets.
        seed: The user's seed.
    """
    members = sets.memberships()
    paired = np.unique(members[sets.sizes()[members[:, 0]] > 1, 1])
    new = np.arange(len(sets.texts))
    new[paired] = generator(seed, "shuffled synonyms").permutation(paired)
    listed = np.column_stack([sets.listed[:, :1], new[sets.listed[:, 1:]]])
    return replace(sets, names=new[sets.names], listed=listed)


def synonym_pairs(sets: SynonymSets, *, per_concept: int, seed: int) -> np.ndarray:
    """Pair the names of every concept: all pairs, or that many of them drawn at random; then the listed pairs.

    Which pairs of a concept are drawn depends on the seed, its identifier and its own names in their order; not on
    other concepts. Every set of pairs is as likely as any other, and no more pairs are made than are drawn. The name
    that was read first comes first.

    Args:
        sets: The sets.
        per_concept: Pairs of a concept at most; listed pairs beside them are all kept.
        seed: The user's seed.

    Returns:
        Concept, name, other name. Shape [n, 3], int64.
    """
    sizes = np.diff(sets.starts)
    totals = sizes * (sizes - 1) // 2
    parts = [np.zeros((0, 3), dtype=np.int64)]
    for size in np.unique(sizes[(totals > 0) & (totals <= per_concept)]):
        parts.append(_rows_of(sets, np.flatnonzero(sizes == size), np.arange(size * (size - 1) // 2)))
    for concept in np.flatnonzero(totals > per_concept):
        own = generator(seed, f"pairs of {sets.concepts[concept]}")
        drawn = own.choice(int(totals[concept]), size=per_concept, replace=False, shuffle=False)
        parts.append(_rows_of(sets, np.array([concept]), np.sort(drawn)))
    pairs = np.concatenate(parts)
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    if not len(sets.listed):
        return pairs
    return _without_repeats(np.concatenate([pairs, sets.listed]), len(sets.texts))


def _rows_of(sets: SynonymSets, concepts: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Give some pairs, by their numbers, of concepts that all have so many names. Shape [concepts * numbers, 3]."""
    first, second = pair_places(numbers)
    starts = sets.starts[concepts][:, None]
    columns = [np.broadcast_to(concepts[:, None], (len(concepts), len(numbers))), sets.names[starts + first]]
    return np.stack([*columns, sets.names[starts + second]], axis=-1).reshape(-1, 3)


def pair_places(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the pair of places i < j of each number, counting (0, 1), (0, 2), (1, 2), (0, 3) and so on.

    Args:
        numbers: From 0. Shape [n].

    Returns:
        i and j. Shape [n] each.
    """
    second = ((1 + np.sqrt(1 + 8 * numbers.astype(np.float64))) / 2).astype(np.int64)
    # The root is rounded where it is near a whole number.
    second -= second * (second - 1) // 2 > numbers
    second += second * (second + 1) // 2 <= numbers
    return numbers - second * (second - 1) // 2, second


def number_synonyms(sets: SynonymSets, pairs: np.ndarray, *, fold: Callable[[str], str] = str.lower) -> PairData:
    """Turn pairs of names into training pairs; names that no pair uses are left out.

    Args:
        sets: The sets.
        pairs: Concept, name, other name. Shape [n, 3].
        fold: Brings forms together that count as the same name when concepts are compared.
    """
    used, places = np.unique(pairs[:, 1:], return_inverse=True)
    texts = [sets.texts[i] for i in used]
    anchors, positives = places.reshape(-1, 2).T
    forms: dict[str, int] = {}
    folds = np.array([forms.setdefault(fold(text), len(forms)) for text in texts], dtype=np.int64)
    # A name that no pair uses says something too where it is another only in case: what else its form may stand for.
    form_of = np.fromiter((forms.get(fold(text), -1) for text in sets.texts), np.int64, count=len(sets.texts))
    members = sets.memberships()
    members = members[form_of[members[:, 1]] >= 0]
    classes = Classes.of(pairs[:, 0], form_of[members[:, 1]], members[:, 0], forms=len(forms))
    nothing = np.zeros(0, dtype=np.int64)
    table = np.full((len(pairs), 0), -1, dtype=np.int64)
    return PairData(texts, anchors.copy(), positives.copy(), table, folds, nothing, classes)
