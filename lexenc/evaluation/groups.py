"""Kinds of test words: how frequent the word is, and how much its translation looks like it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

BANDS = ("1-500", "501-1k", "1k-2k", "2k-5k", "5k-10k", "10k-")
_LAST_RANKS = (500, 1_000, 2_000, 5_000, 10_000)

LIKENESS = ("identical", "similar", "different")
SIMILAR = 0.3  # largest share of edits of what still counts as similar


def band_of(rank: int) -> str:
    """Return the frequency band of a word from its rank in a vocabulary ordered by frequency, from 1."""
    return BANDS[bisect_left(_LAST_RANKS, rank)]


def edit_distance(left: str, right: str, *, at_most: int) -> int:
    """Count the insertions, deletions and substitutions that turn one word into the other (Levenshtein 1966).

    Counting stops at `at_most`; larger distances are returned as one more.
    """
    if abs(len(left) - len(right)) > at_most:
        return at_most + 1
    row = list(range(len(right) + 1))
    for place, letter in enumerate(left, start=1):
        before, row = row, [place]
        for column, other in enumerate(right, start=1):
            row.append(min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != other)))
        if min(row) > at_most:
            return at_most + 1
    return min(row[-1], at_most + 1)


def likeness_of(word: str, translations: Sequence[str]) -> str:
    """Return how much the closest translation looks like the word, regardless of case: one of `LIKENESS`."""
    own = word.casefold()
    found = "different"
    for other in (each.casefold() for each in translations):
        if other == own:
            return "identical"
        allowed = int(SIMILAR * max(len(own), len(other)))
        if edit_distance(own, other, at_most=allowed) <= allowed:
            found = "similar"
    return found
