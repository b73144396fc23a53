"""Translations of words, from the pairs of a dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from lexenc.arrays import Ragged


@dataclass(frozen=True)
class Translations:
    """Words of a vocabulary and their translations.

    Args:
        words: Translations of every word, in the order of the dictionary. v rows.
        used: Number of pairs that were used in one direction at least.
        left_out: Number of pairs that were left out, by reason.
    """

    words: Ragged
    used: int
    left_out: Mapping[str, int] = field(default_factory=dict)


def translations_of(
    pairs: Iterable[tuple[str, str]], numbers: Mapping[str, int], size: int, *, most: int
) -> Translations:
    """Find the translations of the words of a vocabulary. Every pair is used in both directions.

    Args:
        pairs: Words and their translations, in the order of the dictionary.
        numbers: Numbers of the words of the joint vocabulary.
        size: Number of words of the vocabulary, v.
        most: Largest number of translations of a word, T; the first ones are used.

    Source: Liu et al. 2022, section 3.2. The authors' program used only the direction of the file.
    """
    found: dict[int, dict[int, None]] = {}
    reasons: Counter[str] = Counter()
    used = 0
    for pair in pairs:
        missing = [side for side, word in zip(("source", "target"), pair, strict=True) if word not in numbers]
        one, other = (numbers.get(word, -1) for word in pair)
        if missing:
            reasons[f"{' and '.join(missing)} not in the vocabulary"] += 1
        elif one == other:
            reasons["word is its own translation"] += 1
        elif other in found.get(one, ()):
            reasons["pair occurs again"] += 1
        else:
            room = [(word, other_word) for word, other_word in ((one, other), (other, one))
                    if len(found.setdefault(word, {})) < most]  # fmt: skip
            for word, translation in room:
                found[word][translation] = None
            used += bool(room)
            if not room:
                reasons[f"both words have {most} translations"] += 1
    return Translations(
        Ragged.of([np.array(list(found.get(word, ())), dtype=np.int64) for word in range(size)]), used, dict(reasons)
    )
