"""The best scores of every row and of every column so far, while blocks of scores pass by. Compiled loops."""

from __future__ import annotations

from typing import Any

from lexenc.compiled import compiled, inlined

GROUP = 64
"""Scores of a row that are compared with their bars at once, by wide instructions. Few groups hold one above a bar."""


@inlined
def _insert(kept: Any, others: Any, row: int, score: float, other: int) -> None:
    """Replace the smallest kept score of a row. Kept scores are a heap: the smallest is the first."""
    count, place, child = kept.shape[1], 0, 1
    while child < count:
        if child + 1 < count and kept[row, child + 1] < kept[row, child]:
            child += 1
        if kept[row, child] >= score:
            break
        kept[row, place] = kept[row, child]
        others[row, place] = others[row, child]
        place, child = child, 2 * child + 1
    kept[row, place] = score
    others[row, place] = other


@compiled
def keep_best(scores: Any, first: Any, rows: Any, row_others: Any, columns: Any, column_others: Any, bars: Any) -> None:
    """Offer a block of scores to its rows and to its columns.

    A score that is not kept, or no longer, is at most as high as the smallest one that is kept.

    Args:
        scores: Shape [h, w / GROUP, GROUP], float32.
        first: Number of the first row and of the first column.
        rows: Best scores of every row so far, -inf where there are fewer. A heap. Shape [h, c], float32.
        row_others: Their columns. Shape [h, c], int32.
        columns: Best scores of every column so far. A heap. Shape [w, c], float32.
        column_others: Their rows. Shape [w, c], int32.
        bars: The smallest kept score of every column. Shape [w / GROUP, GROUP], float32.
    """
    first_row, first_column = first
    height, groups, _ = scores.shape
    for row in range(height):
        bar = rows[row, 0]
        for group in range(groups):
            above = False
            for place in range(GROUP):
                score = scores[row, group, place]
                above |= (score > bar) | (score > bars[group, place])
            if not above:
                continue
            for place in range(GROUP):
                score = scores[row, group, place]
                column = group * GROUP + place
                if score > bar:
                    _insert(rows, row_others, row, score, first_column + column)
                    bar = rows[row, 0]
                if score > bars[group, place]:
                    _insert(columns, column_others, column, score, first_row + row)
                    bars[group, place] = columns[column, 0]
