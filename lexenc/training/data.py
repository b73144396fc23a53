"""Training pairs as numbers: token store, batches, and which candidates must not count as negatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress
from lexenc.randomness import generator

_CHUNK = 8192


@dataclass(frozen=True)
class TokenStore:
    """Token ids of many texts, end to end in one array so that a million texts stay small.

    Args:
        flat: All ids. Shape [total], int32.
        offsets: Where each text begins, and the end. Shape [n + 1], int64.
    """

    flat: np.ndarray
    offsets: np.ndarray

    def rows(self, places: Iterable[int]) -> list[np.ndarray]:
        """Give the token ids of some texts."""
        return [self.flat[self.offsets[i] : self.offsets[i + 1]] for i in places]

    def lengths(self) -> np.ndarray:
        """Give the token counts. Shape [n]."""
        return np.diff(self.offsets)


def store_tokens(
    tokenise: Callable[[Sequence[str]], list[list[int]]], texts: Sequence[str], *, progress: Progress = SILENT
) -> TokenStore:
    """Tokenise texts once, a chunk at a time.

    Args:
        tokenise: The encoder's.
        texts: Distinct texts.
        progress: Who watches.
    """
    parts, lengths = [], []
    with progress.task("tokenise", len(texts), "texts") as task:
        for start in range(0, len(texts), _CHUNK):
            rows = tokenise(texts[start : start + _CHUNK])
            lengths += [len(row) for row in rows]
            parts.append(np.fromiter((i for row in rows for i in row), dtype=np.int32))
            task.advance(len(rows))
    flat = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)
    return TokenStore(flat, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))


@dataclass(frozen=True)
class Classes:
    """What pairs are of one kind, and which texts can be of one kind.

    Args:
        labels: Class of each pair. Shape [n].
        starts: Where the classes of each case-folded form begin in `members`, and the end. Shape [number of folds + 1].
        members: Classes that a form belongs to; a pair has one of them, its texts may have more. Shape [m].
    """

    labels: np.ndarray
    starts: np.ndarray
    members: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, folds: np.ndarray, members: np.ndarray, *, forms: int) -> Classes:
        """Sort which form belongs to which class.

        Args:
            labels: Class of each pair. Shape [n].
            folds: Forms, in any order. Shape [k].
            members: A class of each. Shape [k].
            forms: Number of forms.
        """
        order = np.lexsort((members, folds))
        rows = np.column_stack([folds[order], members[order]])
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
        starts = np.searchsorted(rows[new, 0], np.arange(forms + 1))
        return cls(labels, starts, rows[new, 1])

    def related(self, folds: np.ndarray) -> np.ndarray:
        """Tell which forms share a class; the same form always does. Shape [n, n], bool.

        Args:
            folds: Forms. Shape [n].
        """
        begins = self.starts[folds]
        counts = self.starts[folds + 1] - begins
        owners, offsets = _spread(counts)
        found = self.members[begins[owners] + offsets]
        order = np.argsort(found, kind="stable")
        found, owners = found[order], owners[order]
        table: np.ndarray = folds[:, None] == folds[None, :]
        # Sorted, the forms of one class stand together: compare each with the next, the next but one, ...
        for step in range(1, len(found)):
            same = found[step:] == found[:-step]
            if not same.any():
                break
            table[owners[:-step][same], owners[step:][same]] = True
        table |= table.T
        return table


def _spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the row and the place in it of every cell of a ragged table. Shape [sum of counts] each."""
    owners = np.repeat(np.arange(len(counts)), counts)
    return owners, np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


@dataclass(frozen=True)
class PairData:
    """Pairs with hard negatives, as positions in a list of distinct texts.

    Args:
        texts: Distinct texts.
        anchors: Text of each anchor. Shape [n].
        positives: Text of each positive. Shape [n].
        negatives: Texts of its hard negatives; -1 fills up a short row. Shape [n, k].
        folds: Number of each text's case-folded form; texts that differ in case only share it. Shape [number of texts].
        known: Sorted distinct keys `fold of anchor * number of folds + fold of translation`. Shape [m].
        classes: Where pairs are of classes; these then say which texts are no negatives of each other.
    """

    texts: list[str]
    anchors: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    folds: np.ndarray
    known: np.ndarray
    classes: Classes | None = None

    def __len__(self) -> int:
        return len(self.anchors)


def number_pairs(
    sources: Sequence[str],
    targets: Sequence[str],
    negatives: Sequence[Sequence[str]],
    *,
    fold: Callable[[str], str] = str.lower,
) -> PairData:
    """Turn pairs of texts into numbers.

    Args:
        sources: Anchors.
        targets: Positives.
        negatives: Hard negatives of each pair, any number; empty for none at all.
        fold: Brings forms together that count as the same word when known translations are looked up.

    Raises:
        ConfigError: If the columns differ in length.
    """
    if len(sources) != len(targets) or (negatives and len(negatives) != len(sources)):
        raise ConfigError(f"{len(sources)} anchors, {len(targets)} positives, {len(negatives)} rows of negatives.")
    numbers: dict[str, int] = {}
    anchors = np.array([numbers.setdefault(text, len(numbers)) for text in sources], dtype=np.int64)
    positives = np.array([numbers.setdefault(text, len(numbers)) for text in targets], dtype=np.int64)
    width = max((len(row) for row in negatives), default=0)
    table = np.full((len(sources), width), -1, dtype=np.int64)
    for place, row in enumerate(negatives):
        table[place, : len(row)] = [numbers.setdefault(text, len(numbers)) for text in row]
    forms: dict[str, int] = {}
    folds = np.array([forms.setdefault(fold(text), len(forms)) for text in numbers], dtype=np.int64)
    known = np.unique(folds[anchors] * len(forms) + folds[positives])
    return PairData(list(numbers), anchors, positives, table, folds, known)


def with_pair_classes(data: PairData) -> PairData:
    """Make every pair a class of its own; texts share a class where some pair of the data has both.

    Args:
        data: From `number_pairs`.
    """
    labels = np.arange(len(data))
    folds = np.concatenate([data.folds[data.anchors], data.folds[data.positives]])
    classes = Classes.of(labels, folds, np.concatenate([labels, labels]), forms=int(data.folds.max()) + 1)
    return replace(data, classes=classes)


@dataclass(frozen=True)
class Batch:
    """One step's worth of pairs.

    Args:
        texts: Distinct texts of the step, as positions in the data's list. Shape [u].
        anchors: Positions in `texts`. Shape [b].
        positives: Positions in `texts`. Shape [b].
        negatives: Positions in `texts`; a place that only fills up holds 0 and is masked. Shape [b, k].
        known_positives: See `losses.Contrast`. Shape [b, b], bool.
        known_negatives: See `losses.Contrast`. Shape [b, b, k], bool.
        labels: See `losses.Contrast`. Shape [b]; None without classes.
        related: See `losses.Contrast`. Shape [2b, 2b], bool; None without classes.
    """

    texts: np.ndarray
    anchors: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    known_positives: np.ndarray
    known_negatives: np.ndarray
    labels: np.ndarray | None = None
    related: np.ndarray | None = None


def batch_of(data: PairData, rows: np.ndarray, *, mask_known: bool = True) -> Batch:
    """Gather some pairs; every distinct text appears once.

    Args:
        data: All pairs.
        rows: Which of them. Shape [b].
        mask_known: Hide candidates that are known translations of the anchor, or share a class with it.
    """
    negatives = data.negatives[rows]
    size, width = negatives.shape
    filled = negatives >= 0
    columns = np.concatenate([data.anchors[rows], data.positives[rows], negatives[filled]])
    texts, places = np.unique(columns, return_inverse=True)
    own = np.zeros((size, width), dtype=np.int64)
    own[filled] = places[2 * size :]
    hidden = np.broadcast_to(~filled, (size, size, width)).copy()
    twins, labels, related = np.zeros((size, size), dtype=bool), None, None
    if data.classes is not None:
        labels, related = data.classes.labels[rows], np.zeros((2 * size, 2 * size), dtype=bool)
    if mask_known and data.classes is not None:
        related = data.classes.related(data.folds[columns[: 2 * size]])
        twins = related[:size, size:].copy()
    elif mask_known:
        twins = _known(data, rows, data.positives[rows])
        hidden |= _known(data, rows, np.where(filled, negatives, 0).ravel()).reshape(size, size, width)
    np.fill_diagonal(twins, False)
    return Batch(texts, places[:size], places[size : 2 * size], own, twins, hidden, labels, related)


def _known(data: PairData, rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Tell which candidates are known translations of which anchors. Shape [b, c], bool.

    Looks up each anchor's few translations among the sorted candidates, which is far less than b x c look-ups.
    """
    forms = int(data.folds.max()) + 1
    anchors = data.folds[data.anchors[rows]]
    starts = np.searchsorted(data.known, anchors * forms)
    ends = np.searchsorted(data.known, (anchors + 1) * forms)
    folded = data.folds[candidates]
    order = np.argsort(folded, kind="stable")
    counts = ends - starts
    owners, offsets = _spread(counts)
    wanted = data.known[starts[owners] + offsets] % forms
    left = np.searchsorted(folded, wanted, side="left", sorter=order)
    right = np.searchsorted(folded, wanted, side="right", sorter=order)
    table = np.zeros((len(rows), len(candidates)), dtype=bool)
    for owner, begin, end in zip(owners[left < right], left[left < right], right[left < right], strict=True):
        table[owner, order[begin:end]] = True
    return table


def epoch_rows(count: int, batch_size: int, *, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """Give the rows of every step of one epoch, in an order that depends on seed and epoch only.

    Args:
        count: Number of pairs.
        batch_size: Pairs per step; the last step may have fewer.
        seed: The user's seed.
        epoch: From 0.
    """
    order = generator(seed, f"order of epoch {epoch}").permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]
