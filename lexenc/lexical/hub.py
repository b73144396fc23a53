"""One space for many languages, each mapped to a hub that does not move.

A language can be added later without moving the others, and all pairs of languages can be compared, including those
without a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lexenc.lexical.mapping import RANK_TOLERANCE, Mapping


def anchored(mapping: Mapping) -> Mapping:
    """Undo the target side of a mapping, so that only the source moves.

    Args:
        mapping: Source [d, k] and target [d, k] matrices.

    Returns:
        A mapping whose source matrix is that of `mapping` times the (pseudo-)inverse of its target matrix, and whose
        target matrix is the identity.

    If the target matrix is a rotation, no cosine changes. It is a rotation in an orthogonal mapping, and in an advanced
    one that re-weights only the source and de-whitens the target by its own whitening W: W V V' W^(-1) V = V. With
    re-weighting on the target side, the inverse would undo the re-weighting as well.
    """
    # The pseudo-inverse equals the inverse if there is one. A truncated mapping has none.
    source = mapping.source @ np.linalg.pinv(mapping.target, rcond=RANK_TOLERANCE)
    return replace(mapping, source=source, target=np.eye(len(mapping.target)))


def composed(
    first: Iterable[tuple[str, str]], second: Iterable[tuple[str, str]], wanted: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return the pairs of two languages that follow from the dictionaries of both with the hub.

    Args:
        first: Pairs (word of the first language, hub word).
        second: Pairs (word of the second language, hub word).
        wanted: Candidate pairs (word of the first, word of the second).

    Returns:
        The pairs of `wanted` whose words share a hub word.
    """
    left, right = _by_word(first), _by_word(second)
    return {pair for pair in wanted if left.get(pair[0], set()) & right.get(pair[1], set())}


def _by_word(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    for word, other in pairs:
        table.setdefault(word, set()).add(other)
    return table
