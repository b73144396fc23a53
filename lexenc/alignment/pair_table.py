"""A table of numbers by pair of words, for compiled loops: open addressing, half empty."""

from __future__ import annotations

from typing import Any

from lexenc.alignment.compiled import compiled, inlined

FREE = -1  # in the first column: a slot without a pair


@inlined
def slot_of(table: Any, pair: Any) -> Any:
    """Find the slot of a pair, or the free one where it would stand.

    Args:
        table: Pairs, and a number of each. Shape [slots, 2]; slots are a power of two, and some are free.
        pair: Number of one word times 2^32, and that of the other.
    """
    mask = len(table) - 1
    place = ((pair * -7046029254386353131) >> 20) & mask
    while table[place, 0] != pair and table[place, 0] != FREE:
        place = (place + 1) & mask
    return place


@compiled
def fill(pairs: Any, table: Any) -> None:
    """Put pairs with their numbers into a table that has room for them."""
    for row in range(len(pairs)):
        place = slot_of(table, pairs[row, 0])
        table[place, 0] = pairs[row, 0]
        table[place, 1] = pairs[row, 1]
