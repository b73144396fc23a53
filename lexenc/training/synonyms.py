"""Synonym sets as training pairs: the names of each concept, the pairs drawn from them, and their classes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lexenc.arrays import Ragged, starts_of
from lexenc.randomness import generator
from lexenc.training.data import Classes, PairData, distinct_pairs


@dataclass(frozen=True)
class SynonymSets:
    """Concepts and their names, both as positions in lists of distinct texts.

    Args:
        texts: Distinct names.
        concepts: Distinct identifiers, in order of first appearance.
        names: Names of every concept, in order of first appearance, without repeats.
        listed: Pairs that a file lists as pairs: concept, name, other name. Without repeats. Shape [l, 3].
    """

    texts: list[str]
    concepts: list[str]
    names: Ragged
    listed: np.ndarray

    def memberships(self) -> np.ndarray:
        """Return every concept with every name of it, also those of listed pairs, sorted. Shape [k, 2]."""
        parts = [np.column_stack([self.names.rows, self.names.values]), self.listed[:, [0, 1]], self.listed[:, [0, 2]]]
        return distinct_pairs(np.concatenate(parts))

    def sizes(self) -> np.ndarray:
        """Count the distinct names of every concept, also those of listed pairs. Shape [number of concepts]."""
        return np.bincount(self.memberships()[:, 0], minlength=len(self.concepts))


def gather_sets(entries: Iterable[tuple[Sequence[str], Sequence[str]]]) -> SynonymSets:
    """Gather names by concept in one pass, with every distinct text in memory once.

    Args:
        entries: Concepts, and one name that they have, or two that are listed as a pair. Case is folded already.
    """
    texts: dict[str, int] = {}
    concepts: dict[str, int] = {}
    single, listed = array("q"), array("q")
    for identifiers, names in entries:
        numbers = [texts.setdefault(name, len(texts)) for name in names]
        for identifier in identifiers:
            concept = concepts.setdefault(identifier, len(concepts))
            (single if len(numbers) == 1 else listed).extend((concept, *numbers))
    owners, names_of = _columns(single, 2).T
    _, kept = np.unique(owners * len(texts) + names_of, return_index=True)
    kept.sort()
    kept = kept[np.argsort(owners[kept], kind="stable")]
    own = Ragged(starts_of(np.bincount(owners[kept], minlength=len(concepts))), names_of[kept])
    return SynonymSets(list(texts), list(concepts), own, _without_repeats(_columns(listed, 3), len(texts)))


def _columns(flat: array[int], width: int) -> np.ndarray:
    return np.frombuffer(flat, dtype=np.int64).reshape(-1, width) if len(flat) else np.zeros((0, width), np.int64)


def _without_repeats(pairs: np.ndarray, size: int) -> np.ndarray:
    """Drop pairs of a name with itself, and repeats in either order. The first of equal pairs stays in its place."""
    pairs = pairs[pairs[:, 1] != pairs[:, 2]]
    ends = np.sort(pairs[:, 1:], axis=1)
    # Two numbers at a time: concept x text x text would need more than 63 bits.
    _, of_texts = np.unique(ends[:, 0] * size + ends[:, 1], return_inverse=True)
    _, first = np.unique(pairs[:, 0] * (len(pairs) + 1) + of_texts, return_index=True)
    return pairs[np.sort(first)]


def shuffled_sets(sets: SynonymSets, *, seed: int) -> SynonymSets:
    """Assign names to concepts at random: a control with the same names, but without their meaning.

    Every name takes the places of another, so that each concept has as many names as before, and each name as many
    concepts as the other one had. Concepts with one name are left out, as they are in training.

    Args:
        sets: The synonym sets.
        seed: The user's seed.
    """
    members = sets.memberships()
    paired = np.unique(members[sets.sizes()[members[:, 0]] > 1, 1])
    new = np.arange(len(sets.texts))
    new[paired] = generator(seed, "shuffled synonyms").permutation(paired)
    listed = np.column_stack([sets.listed[:, :1], new[sets.listed[:, 1:]]])
    return replace(sets, names=Ragged(sets.names.starts, new[sets.names.values]), listed=listed)


def synonym_pairs(sets: SynonymSets, *, per_concept: int, seed: int) -> np.ndarray:
    """Pair the names of every concept: all pairs, or a random sample of them, and then the listed pairs.

    The sample of a concept depends on the seed, its identifier and the order of its names, not on other concepts.
    Every sample is equally likely, and only sampled pairs are built. The name that was read first comes first.

    Args:
        sets: The synonym sets.
        per_concept: Maximum number of pairs of a concept. All listed pairs are kept beside them.
        seed: The user's seed.

    Returns:
        Concept, name, other name. Shape [n, 3], int64.
    """
    sizes = sets.names.lengths
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
    """Return the pairs with some numbers, for concepts with equally many names. Shape [concepts * numbers, 3]."""
    first, second = pair_places(numbers)
    starts, names = sets.names.starts[concepts][:, None], sets.names.values
    owners = np.broadcast_to(concepts[:, None], (len(concepts), len(numbers)))
    return np.stack([owners, names[starts + first], names[starts + second]], axis=-1).reshape(-1, 3)


def pair_places(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pair of places i < j of each number, counted as (0, 1), (0, 2), (1, 2), (0, 3) and so on.

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
    """Turn pairs of names into training pairs. Names that no pair uses are left out.

    Args:
        sets: The synonym sets.
        pairs: Concept, name, other name. Shape [n, 3].
        fold: Maps forms that count as the same name to one form when concepts are compared.
    """
    used, places = np.unique(pairs[:, 1:], return_inverse=True)
    texts = [sets.texts[i] for i in used]
    anchors, positives = places.reshape(-1, 2).T
    forms: dict[str, int] = {}
    folds = np.array([forms.setdefault(fold(text), len(forms)) for text in texts], dtype=np.int64)
    # An unused name that differs from a used one only in case also adds concepts to their common form.
    form_of = np.fromiter((forms.get(fold(text), -1) for text in sets.texts), np.int64, count=len(sets.texts))
    members = sets.memberships()
    members = members[form_of[members[:, 1]] >= 0]
    classes = Classes.of(pairs[:, 0], form_of[members[:, 1]], members[:, 0], forms=len(forms))
    nothing = np.zeros(0, dtype=np.int64)
    table = np.full((len(pairs), 0), -1, dtype=np.int64)
    return PairData(texts, anchors.copy(), positives.copy(), table, folds, nothing, classes)
