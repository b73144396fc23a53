"""Parsing of many decimal numbers in text at once.

All cells of a block of lines are parsed together. The last eight bytes of a cell are loaded as one 64-bit integer, the
decimal point is removed, three multiplications turn digits into a number, and the result is divided by a power of ten.
Both operands are exact in float64, so the result is that of `float()`, rounded to float32. Other cells (exponents, more
than 16 characters, errors) are parsed with `float()` one by one. NumPy releases the interpreter lock, so that threads
can read several files in parallel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lexenc.files.vec_report import Finding

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Wide = NDArray[np.uint64]

NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_NON_FINITE = re.compile(rb"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
# The smallest float64 that becomes infinite as float32.
_TOO_LARGE = (2.0 - 2.0**-24) * 2.0**127
# Minimum number of unusual cells in a block that are parsed together, and their maximum length.
MANY, _LONGEST_CELL = 64, 40
_NUMERIC = np.isin(np.arange(256), np.frombuffer(b"0123456789+-.eE", np.uint8))


def parse_cell(cell: bytes) -> float | Finding:
    """Return a cell as a number that is finite in float32, or the reason why it is not one."""
    if NUMBER.fullmatch(cell):
        value = float(cell)
        return value if abs(value) < _TOO_LARGE else Finding.NON_FINITE
    return Finding.NON_FINITE if _NON_FINITE.fullmatch(cell) else Finding.NOT_A_NUMBER


def parse_many(buffer: NDArray[np.uint8], starts: Ints, ends: Ints) -> NDArray[np.float64] | None:
    """Parse cells like `parse_cell`, but several times faster. Return None if any is not a finite number."""
    length = ends - starts
    width = int(length.max())
    # NumPy reads an empty cell as 0.
    if width > _LONGEST_CELL or int(length.min()) < 1:
        return None
    at = starts[:, None] + np.arange(width)
    outside = at >= ends[:, None]
    characters = buffer.take(at, mode="clip")
    if not (_NUMERIC[characters] | outside).all():
        return None
    characters[outside] = 0
    try:
        values = characters.view(f"S{width}").ravel().astype(np.float64)
    except ValueError:
        return None
    return values if bool((np.abs(values) < _TOO_LARGE).all()) else None


def _load(words: Wide, ends: Ints, length: Ints, w: Wide, t: Wide) -> None:
    """Load the last `length` bytes (at most 8) before each end into `w`, minus the code of `0`; `t` is overwritten."""
    index = ends >> 3
    words.take(index, out=t, mode="clip")
    index -= 1
    words.take(index, out=w, mode="clip")
    shift = np.bitwise_and(ends, 7, out=index).view(np.uint64)
    shift <<= np.uint64(3)
    w >>= shift
    np.subtract(np.uint64(64), shift, out=shift)
    t <<= shift
    w |= t
    # Digits become 0 to 9, the point 0x1e; bytes in front of the cell become 0.
    w ^= np.uint64(0x3030303030303030)
    blank = np.subtract(8, length, out=index)
    np.clip(blank, 0, 8, out=blank)
    blank <<= 3
    shift = blank.view(np.uint64)
    w >>= shift
    w <<= shift


def _squeeze(w: Wide, t: Wide, u: Wide, v: Wide, place: NDArray[np.uint8]) -> Bools:
    """Remove the point from the bytes in `w`, and return which are not digits with at most one point."""
    # u: 1 in every byte that is not a digit. It should be the point, which becomes 0.
    np.add(w, np.uint64(0x7676767676767676), out=u)
    u |= w
    u &= np.uint64(0x8080808080808080)
    u >>= np.uint64(7)
    np.multiply(u, np.uint64(0x1E), out=v)
    w ^= v
    np.multiply(u, np.uint64(0xFF), out=v)
    v &= w
    odd: Bools = v != 0
    np.subtract(u, np.uint64(1), out=v)
    np.bitwise_and(u, v, out=t)
    # u & (u - 1) is 0 for one point or none.
    odd |= t != 0
    np.bitwise_count(v, out=place)
    # Move the digits before the point up by one byte. Without a point v is all ones and must become 0.
    np.right_shift(v.view(np.int64), 63, out=t.view(np.int64))
    np.invert(t, out=t)
    v &= t
    v &= w
    v *= np.uint64(255)
    w += v
    return odd


def _add_digits(w: Wide, t: Wide) -> None:
    """Replace eight digits, one per byte, by their number; `t` is overwritten."""
    # Add neighbours: pairs of digits, then fours, then eights.
    np.right_shift(w, np.uint64(8), out=t)
    w *= np.uint64(10)
    w += t
    np.right_shift(w, np.uint64(16), out=t)
    w &= np.uint64(0x000000FF000000FF)
    t &= np.uint64(0x000000FF000000FF)
    w *= np.uint64(0x000F424000000064)
    t *= np.uint64(0x0000271000000001)
    w += t
    w >>= np.uint64(32)


class Cells:
    """Parser of many cells at once, with buffers that are reused for every block."""

    # Divisors by place of the decimal point: the index is 8 times the byte of the point (64 if there is none), plus
    # 128 for a negative number.
    _DIVISOR = np.array([s * 10.0 ** max(7 - min(i, 64) // 8, 0) for s in (1.0, -1.0) for i in range(128)])
    _POWER = 10.0 ** np.arange(23)

    def __init__(self) -> None:
        self._words: list[NDArray[np.uint64]] = []
        self._numbers = np.empty(0)
        self._small = np.empty((3, 0), np.uint8)

    def parse(self, buffer: NDArray[np.uint8], starts: Ints, ends: Ints) -> tuple[NDArray[np.float64], Ints]:
        """Parse the cells `buffer[starts[i]:ends[i]]`.

        Args:
            buffer: Text. Its length is a multiple of 8, and every start is at least 16. Shape [bytes].
            starts: Shape [m].
            ends: Shape [m].

        Returns:
            Numbers, shape [m], float64, overwritten by the next call; and the indices of cells that are not plain
            decimals, whose numbers are meaningless.
        """
        count = len(ends)
        if not self._words or len(self._numbers) < count:
            room = count + count // 4
            self._words = [np.empty(room, np.uint64) for _ in range(4)]
            self._numbers = np.empty(room)
            self._divisors = np.empty(room)
            self._small = np.empty((3, room), np.uint8)
        w, t, u, v = (a[:count] for a in self._words)
        place, minus = self._small[0, :count], self._small[1, :count]
        numbers, divisors = self._numbers[:count], self._divisors[:count]
        buffer.take(starts, out=minus, mode="clip")
        np.equal(minus, ord("-"), out=minus.view(np.bool_))
        length = np.subtract(ends, starts)
        length -= minus
        words = buffer.view("<u8")
        odd = self._digits(words, ends, length, (w, t, u, v), place)
        long = np.flatnonzero(length > 8)
        np.copyto(numbers, w.view(np.int64))
        np.left_shift(minus, 7, out=minus)
        np.bitwise_or(place, minus, out=minus)
        self._DIVISOR.take(minus, out=divisors, mode="clip")
        if len(long):
            self._lengthen(words, ends[long], length[long], long, (numbers, divisors, place, odd))
        np.divide(numbers, divisors, out=numbers)
        odd |= length < 1
        odd |= length > 16
        # A point alone has no digits.
        odd |= (length == 1) & (place < 64)
        return numbers, np.flatnonzero(odd)

    @staticmethod
    def _digits(
        words: NDArray[np.uint64],
        ends: Ints,
        length: Ints,
        room: Sequence[NDArray[np.uint64]],
        place: NDArray[np.uint8],
    ) -> Bools:
        """Parse the last `length` bytes (at most 8) before each end as digits with at most one point.

        The first of the four buffers in `room` receives the number, and `place` 8 times the index of the byte with the
        point, or 64 without a point. Return whether the bytes are something else. Arrays but `words` have shape [m].
        """
        w, t, u, v = room
        _load(words, ends, length, w, t)
        odd = _squeeze(w, t, u, v, place)
        _add_digits(w, t)
        return odd

    def _lengthen(
        self,
        words: NDArray[np.uint64],
        ends: Ints,
        length: Ints,
        where: Ints,
        low: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8], Bools],
    ) -> None:
        """Add the characters before the last 8 to the numbers of cells with 9 to 16 characters."""
        numbers, divisors, place, odd = low
        room = np.empty((4, len(where)), np.uint64)
        high_place = np.empty(len(where), np.uint8)
        odd[where] |= self._digits(words, ends - 8, length - 8, list(room), high_place)
        low_place = place[where]
        # A point takes one of the low eight characters.
        low_digits = np.where(low_place < 64, 7, 8)
        numbers[where] += room[0].view(np.int64) * self._POWER[low_digits]
        high = high_place < 64
        odd[where[high & (low_place < 64)]] = True
        sign = np.sign(divisors[where])
        after = np.where(high, 15 - (high_place >> 3).astype(np.int64), 0)
        divisors[where] = np.where(high, sign * self._POWER[after], divisors[where])
        place[where] = np.minimum(low_place, high_place)
        # Sixteen digits are more than float64 holds exactly.
        odd[where] |= (length == 16) & (place[where] == 64)
