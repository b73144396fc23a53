"""fastText models (`.bin`): words by frequency, and vectors of any text from its subwords.

The file is read here, not by the fastText library, which trusts the header: a damaged file ends the program there.
Every number of the header is compared with the size of the file before memory is reserved for it. Vectors are equal to
the library's bit for bit.

A file has a mark and a version, twelve settings, the dictionary, the input matrix (a row for every word and for every
bucket of character n-grams) and the output matrix, which no vector needs. A matrix may be quantised: each row is then
made of pieces, each of which is one of 256.

Source: Bojanowski et al. 2017 (vectors of subwords); Joulin et al. 2016 (quantised models).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices, Ragged, blocks, starts_of
from lexenc.errors import DataError
from lexenc.files.text import counted, open_bytes, refuse_hollow
from lexenc.files.vec_report import Finding, ReadReport
from lexenc.files.vec_text import Floats, is_utf8
from lexenc.progress import RunningTask

FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
_VERSIONS = (11, 12)
_SUPERVISED = 3
# The mark, the version, twelve settings, the rate of sampling; sizes of the dictionary; rows and columns of a matrix.
_HEADER, _SIZES, _SHAPE, _FOUR = Struct("<2i12id"), Struct("<3i2q"), Struct("<2q"), Struct("<4i")
# After a word and its NUL: how often it occurs, and whether it is a label.
_MOST_COLUMNS = 1 << 24  # of a matrix; one without rows may claim any number
_AFTER_WORD = 9
_CHUNK = 1 << 20
# fastText's own settings allow 64 bytes for what 6 characters need; no program writes more. A longer n-gram or word
# would let a small file ask for any amount of work.
_LONGEST_NGRAM, _LONGEST_WORD = 256, 1 << 16
# Pieces of a quantised row are numbered by one byte.
_PIECES = 256
_END_OF_LINE = "</s>"
_FIRST_HASH, _PRIME = np.uint32(2166136261), np.uint32(16777619)
# Texts, and beginnings of n-grams, that are looked at together.
_TEXTS, _PLACES = 4096, 1 << 16


@dataclass(frozen=True)
class _Quantised:
    """A matrix whose rows are made of pieces.

    Args:
        codes: Which piece stands at each place. Shape [rows, places].
        pieces: All pieces of all places but the last, one behind the other, then those of the last. Shape [p].
        width: Length of a piece; that of the last place may be shorter.
        columns: Length of a row.
        norms: Factor of every row, shape [rows]; None for 1.
    """

    codes: NDArray[np.uint8]
    pieces: Floats
    width: int
    columns: int
    norms: Floats | None

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.codes), self.columns

    def __getitem__(self, rows: Indices) -> Floats:
        made = np.empty((len(rows), self.columns), np.float32)
        for place in range(self.codes.shape[1]):
            start = place * self.width
            own = self.pieces[_PIECES * start : _PIECES * (start + self.width)].reshape(_PIECES, -1)
            made[:, start : start + self.width] = own[self.codes[rows, place]]
        return made if self.norms is None else made * self.norms[rows, None]


class Subwords:
    """A fastText model, which computes vectors of any words from their subwords.

    Args:
        path: A `.bin` file of fastText.

    Attributes:
        words: Its words by frequency. Bytes that are not UTF-8 are surrogate escapes.

    Raises:
        DataError: If it is not a fastText model, or damaged.
    """

    def __init__(self, path: Path) -> None:
        check_fasttext(path)
        refuse_hollow(path)
        self._path = path
        with path.open("rb") as stream:
            self._read(_Checked(stream, path))

    def _read(self, source: _Checked) -> None:
        columns = self._read_settings(source)
        entries, count, labels, _, kept = source.unpack(_SIZES)
        if min(count, labels) < 0 or entries != count + labels:
            raise source.damaged(f"it has {entries:,} entries, {counted(count, 'word')} and {counted(labels, 'label')}")
        every = source.entries(entries, count)
        self.words = every[:count]
        self._index = {word: row for row, word in enumerate(every)}
        # Buckets that were not left out, and their rows; None for all.
        self._kept = source.kept(kept) if kept >= 0 else None
        packed = source.flag()
        if self._kept is not None and not packed:
            raise source.damaged("some n-grams were left out, but it is not quantised")
        self._matrix: Any = source.quantised() if packed else source.matrix()
        rows, width = self._matrix.shape
        if width != columns:
            raise source.damaged(f"its settings say {counted(columns, 'dimension')}, its matrix has {width:,}")
        used = count
        if self._longest:
            used += self._buckets if self._kept is None else int(self._kept[1].max(initial=-1)) + 1
        if rows < used:
            raise source.damaged(f"it needs {used:,} rows, its matrix has {rows:,}")
        if source.flag() and packed:
            source.quantised()
        else:
            source.skip_matrix()

    def _read_settings(self, source: _Checked) -> int:
        """Read what n-grams are, and return the number of dimensions."""
        _, version, columns, *rest = source.unpack(_HEADER)
        kind, self._buckets, self._shortest, self._longest = rest[6:10]
        if version not in _VERSIONS:
            raise source.damaged(f"its version is {version}, expected {' or '.join(map(str, _VERSIONS))}")
        if columns < 1:
            raise source.damaged(f"its vectors have {counted(columns, 'dimension')}")
        if version == _VERSIONS[0] and kind == _SUPERVISED:
            self._longest = 0  # classifiers had no character n-grams then
        if min(self._shortest, self._longest) < 0 or self._longest > _LONGEST_NGRAM:
            raise source.damaged(f"its n-grams have {self._shortest} to {self._longest} characters")
        if self._buckets < 0 or (not self._buckets and self._longest >= max(self._shortest, 1)):
            raise source.damaged(f"its n-grams have {counted(self._buckets, 'bucket')}")
        return int(columns)

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._matrix.shape[1])

    @np.errstate(over="ignore", invalid="ignore")
    def vectors(self, words: Sequence[str]) -> Floats:
        """Return the vectors of n words, shape [n, d], float32.

        Vectors of unknown words are computed from their subwords, and are zero without any known subword. A phrase
        counts as one word.

        Raises:
            DataError: If a vector has a number that is not finite.
        """
        sums = np.zeros((len(words), self.dimensions), np.float32)
        counts = np.zeros(len(words), np.int64)
        own = np.array([self._index.get(word, -1) for word in words], np.int64)
        own[own >= self._matrix.shape[0]] = -1  # a label without a row
        known = np.flatnonzero(own >= 0)
        for part in blocks(len(known), _TEXTS):
            sums[known[part]] = self._matrix[own[known[part]]]
        counts[known] = 1
        for rows, subwords in self._subwords(words):
            for place, row in enumerate(rows):
                # One after the other, as the library adds them.
                sums[row] = _added(sums[row], self._matrix[subwords[place]])
            counts[rows] += subwords.lengths
        several = counts > 1
        sums[several] *= (1.0 / counts[several]).astype(np.float32)[:, None]
        finite = np.isfinite(sums).all(axis=1)
        if not finite.all():
            word = words[int(np.argmin(finite))]
            raise DataError(
                f"{self._path}: the vector of '{word}' has a number that is not finite.",
                hint="Download the file again.",
            )
        return sums

    def _subwords(self, words: Sequence[str]) -> Iterator[tuple[Sequence[int], Ragged]]:
        """Yield positions of words, each perhaps several times in a row, and the rows of their n-grams."""
        for part in blocks(len(words), _TEXTS) if self._longest else ():
            # The end of a line has no n-grams.
            marked = [
                b"" if each == _END_OF_LINE else b"<" + each.encode("utf-8", "surrogateescape") + b">"
                for each in words[part]
            ]
            for owners, ids in _ngrams(marked, self._shortest, self._longest, self._buckets):
                if self._kept is not None:
                    owners, ids = _rows_of(self._kept, owners, ids)
                begins = np.flatnonzero(np.diff(owners, prepend=-1))
                rows = Ragged(np.append(begins, len(owners)), ids + len(self.words))
                yield (owners[begins] + part.start).tolist(), rows


def _rows_of(kept: tuple[Indices, Indices], owners: Indices, buckets: Indices) -> tuple[Indices, Indices]:
    """Return owners and rows of the n-grams that were not left out."""
    numbers, rows = kept
    if not len(numbers):
        return owners[:0], buckets[:0]
    at = np.minimum(np.searchsorted(numbers, buckets), len(numbers) - 1)
    known = numbers[at] == buckets
    return owners[known], rows[at[known]]


def _added(start: Floats, rows: Floats) -> Floats:
    """Add rows to a vector in their order."""
    whole = np.concatenate([start[None], rows])
    # A sum over a single column would be added in pairs.
    result: Floats = np.add.reduce(whole, axis=0) if len(start) > 1 else np.add.accumulate(whole, axis=0)[-1]
    return result


def _ngrams(texts: Sequence[bytes], shortest: int, longest: int, buckets: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield the texts that character n-grams belong to, and their buckets, in the order of the texts.

    A character is a byte and those after it that begin with the bits 10. The marks of beginning and end are no n-gram
    alone.
    """
    joined = np.frombuffer(b"".join(texts), np.uint8)
    # Bytes count as signed numbers.
    signed = joined.view(np.int8).astype(np.int32).view(np.uint32)
    leading = (joined & 0xC0) != 0x80
    ends = starts_of([len(text) for text in texts])
    places = np.flatnonzero(leading)
    for part in blocks(len(places), _PLACES):
        first = places[part]
        owners = np.searchsorted(ends, first, side="right") - 1
        end, at, value = ends[owners + 1], first.copy(), np.full(len(first), _FIRST_HASH, np.uint32)
        found, numbers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        alive = np.arange(len(first))
        for length in range(1, longest + 1):
            alive = alive[at[alive] < end[alive]]
            if not len(alive):
                break
            step = alive
            while len(step):
                value[step] = (value[step] ^ signed[at[step]]) * _PRIME
                at[step] += 1
                step = step[at[step] < end[step]]
                step = step[~leading[at[step]]]
            if length >= shortest:
                inner = alive
                if length == 1:
                    inner = alive[(first[alive] != ends[owners[alive]]) & (at[alive] != end[alive])]
                found.append(inner)
                numbers.append((value[inner] % np.uint32(buckets)).astype(np.int64))
        which = np.concatenate(found)
        order = np.argsort(which, kind="stable")
        yield owners[which[order]], np.concatenate(numbers)[order]


class _Checked:
    """A file whose parts are compared with its size before they are read.

    Args:
        stream: The file, at its start.
        path: Its name, for messages.
    """

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream, self._path, self._size = stream, path, path.stat().st_size

    def damaged(self, why: str) -> DataError:
        """Return the error of a file that is not what fastText writes."""
        return DataError(f"{self._path} is damaged: {why}.", hint="Download the file again.")

    def _need(self, count: int, what: str) -> None:
        left = self._size - self._stream.tell()
        if count < 0:
            raise self.damaged(f"{what} of {count:,} bytes")
        if count > left:
            raise DataError(
                f"{self._path} ends too early: {what} of {count:,} bytes, and only {left:,} bytes are left.",
                hint="The file is incomplete. Download it again.",
            )

    def _cut(self) -> DataError:
        return DataError(f"{self._path} became shorter while it was read.", hint="Run the same command again.")

    def unpack(self, kind: Struct) -> tuple[Any, ...]:
        """Read numbers."""
        self._need(kind.size, "a part of its header")
        raw = self._stream.read(kind.size)
        if len(raw) < kind.size:
            raise self._cut()
        return kind.unpack(raw)

    def flag(self) -> bool:
        """Read a byte that says whether a matrix is quantised, or has norms."""
        self._need(1, "a mark")
        byte = self._stream.read(1)
        if byte not in (b"\0", b"\1"):
            raise self.damaged(f"a mark is {byte[0] if byte else 'missing'}, neither 0 nor 1")
        return byte == b"\1"

    def array(self, kind: str, count: int) -> NDArray[Any]:
        """Read `count` numbers."""
        length = count * np.dtype(kind).itemsize
        self._need(length, f"{counted(count, 'number')}")
        made = np.empty(count, kind)
        if length and self._stream.readinto(made.data.cast("B")) < length:  # type: ignore[attr-defined]
            raise self._cut()
        return made

    def entries(self, count: int, words: int) -> list[str]:
        """Read the dictionary: words, then labels."""
        self._need(count * (1 + _AFTER_WORD), "a dictionary")
        found, data, at = list[str](), b"", 0
        for row in range(count):
            end = data.find(b"\0", at)
            while end < 0 or end + _AFTER_WORD >= len(data):
                chunk = self._stream.read(_CHUNK)
                if not chunk or (end < 0 and len(data) - at > _LONGEST_WORD):
                    raise self.damaged(f"entry {row + 1:,} of its dictionary has no end")
                data, at = data[at:] + chunk, 0
                end = data.find(b"\0")
            if data[end + _AFTER_WORD] != (row >= words):
                raise self.damaged(f"entry {row + 1:,} of its dictionary is neither a word nor a label at its place")
            found.append(data[at:end].decode("utf-8", "surrogateescape"))
            at = end + _AFTER_WORD + 1
        self._stream.seek(at - len(data), 1)
        return found

    def kept(self, count: int) -> tuple[Indices, Indices]:
        """Read buckets in ascending order, and their rows."""
        pairs = self.array("<i4", 2 * count).reshape(-1, 2).astype(np.int64)
        if len(pairs) and pairs.min() < 0:
            raise self.damaged("the row of an n-gram is below 0")
        order = np.argsort(pairs[:, 0], kind="stable")
        return pairs[order, 0], pairs[order, 1]

    def matrix(self) -> Floats:
        """Read a matrix, shape [rows, columns]."""
        rows, columns = self._shape()
        return self.array("<f4", rows * columns).reshape(rows, columns).astype(np.float32, copy=False)

    def skip_matrix(self) -> None:
        """Check that a matrix is there."""
        rows, columns = self._shape()
        self._need(4 * rows * columns, "a matrix")
        self._stream.seek(4 * rows * columns, 1)

    def end(self) -> None:
        """Check that nothing follows."""
        left = self._size - self._stream.tell()
        if left:
            raise self.damaged(f"{left:,} bytes follow its end")

    def _shape(self) -> tuple[int, int]:
        rows, columns = self.unpack(_SHAPE)
        if rows < 0 or not 1 <= columns <= _MOST_COLUMNS:
            raise self.damaged(f"a matrix has {rows:,} rows and {columns:,} columns")
        return rows, columns

    def quantised(self) -> _Quantised:
        """Read a quantised matrix."""
        with_norms = self.flag()
        rows, columns = self._shape()
        (length,) = self.unpack(Struct("<i"))
        self._need(length, "a quantised matrix")
        codes = self.array("u1", length)
        places, width, pieces = self._pieces(columns)
        if length != rows * places:
            raise self.damaged(f"{rows:,} rows of {counted(places, 'piece')} stand in {length:,} bytes")
        norms = None
        if with_norms:
            which = self.array("u1", rows)
            norms = self._pieces(1)[2][which]
        return _Quantised(codes.reshape(rows, places), pieces, width, columns, norms)

    def _pieces(self, columns: int) -> tuple[int, int, Floats]:
        """Read the pieces of rows: their places, the length of one, and all of them."""
        whole, places, width, last = self.unpack(_FOUR)
        if whole != columns or width < 1 or places != -(-whole // width) or last != whole - (places - 1) * width:
            raise self.damaged(f"rows of {columns:,} numbers in {counted(places, 'piece')} of {width}")
        return places, width, self.array("<f4", _PIECES * whole).astype(np.float32, copy=False)


def read_fasttext(path: Path, report: ReadReport, limit: int | None, task: RunningTask) -> tuple[list[str], Floats]:
    """Read the words of a fastText model and their vectors, sorted by frequency.

    Args:
        path: A `.bin` file of fastText.
        report: Report to update.
        limit: Maximum number of words, None for all.
        task: Progress bar to update.

    Returns:
        Words, and vectors of shape [n, d], float32.

    Raises:
        DataError: If it is damaged, or has no words.
    """
    model = Subwords(path)
    words = model.words[:limit]
    if not words:
        raise DataError(f"{path} is a model without words.", hint="Check that it is the right file.")
    matrix = np.empty((len(words), model.dimensions), np.float32)
    for part in blocks(len(words), _TEXTS):
        matrix[part] = model.vectors(words[part])
        task.advance(part.stop - part.start)
    for row in np.flatnonzero(~matrix.any(axis=1)).tolist():
        report.add(Finding.ZERO, row + 1)
    for row, word in enumerate(words):
        if not word.isascii() and not is_utf8(word):
            report.add(Finding.NOT_UTF8, row + 1)
    return words, matrix


def check_whole(path: Path) -> None:
    """Check that a model that is not quantised has exactly the size that its header says, without reading its matrices.

    Raises:
        DataError: If it has not.
    """
    check_fasttext(path)
    with path.open("rb") as stream:
        source = _Checked(stream, path)
        source.unpack(_HEADER)
        entries, count, *_ = source.unpack(_SIZES)
        source.entries(entries, count)
        for _ in range(2):
            source.flag()
            source.skip_matrix()
        source.end()


def is_fasttext(path: Path) -> bool:
    """Return whether a file is a fastText model, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(FASTTEXT_MAGIC)) == FASTTEXT_MAGIC


def check_fasttext(path: Path) -> None:
    """Raise an error if a file is not a fastText model.

    Raises:
        DataError: If it is not, with what it is, as far as that is known.
    """
    if is_fasttext(path):
        return
    with open_bytes(path) as stream:
        packed = stream.read(len(FASTTEXT_MAGIC)) == FASTTEXT_MAGIC
    if packed:
        raise DataError(f"{path} is a packed fastText model.", hint=f"Unpack it: gunzip {path}")
    raise DataError(
        f"{path} is not a fastText model.", hint="Use a .bin file. Only a whole model has vectors of new words."
    )
