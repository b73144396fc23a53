"""One space for many languages: each is mapped to a hub that stays where it is.

So a language can be added later without moving the others, and all pairs can be compared, also those without a
dictionary of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lexenc.lexical.mapping import RANK_TOLERANCE, Mapping


def anchored(mapping: Mapping) -> Mapping:
    """Undo what a mapping does to its target, so that the target stays and the source comes to it.

    Args:
        mapping: Source [d, k] and target [d, k] matrices.

    Returns:
        The mapping whose source matrix is that of `mapping` times the (pseudo-)inverse of its target matrix, and whose
        target matrix is the identity.

    Where the target matrix is a rotation this changes no cosine at all. It is one in an orthogonal mapping, and in an
    advanced one that re-weights the source only and de-whitens the target by its own whitening W: there
    W V V' W^(-1) V = V. With re-weighting on the target side the inverse would undo the re-weighting as well.
    """
    # The pseudo-inverse is the inverse wherever there is one; a truncated mapping has none.
    source = mapping.source @ np.linalg.pinv(mapping.target, rcond=RANK_TOLERANCE)
    return replace(mapping, source=source, target=np.eye(len(mapping.target)))


def composed(
    first: Iterable[tuple[str, str]], second: Iterable[tuple[str, str]], wanted: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Find the pairs of two languages that follow from the dictionaries of both with the hub.

    Args:
        first: Pairs (word of the first language, hub word).
        second: Pairs (word of the second language, hub word).
        wanted: Pairs (word of the first, word of the second) that are asked for.

    Returns:
        Those of `wanted` whose words share a hub word.
    """
    left, right = _by_word(first), _by_word(second)
    return {pair for pair in wanted if left.get(pair[0], set()) & right.get(pair[1], set())}


def _by_word(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    for word, other in pairs:
        table.setdefault(word, set()).add(other)
    return table
