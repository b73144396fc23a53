"""Training pairs as numbers: tokens, batches, and which candidates must not count as negatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lexenc.arrays import Ragged, blocks, positions, ranges, starts_of
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress

_CHUNK = 8192


def store_tokens(
    tokenise: Callable[[Sequence[str]], list[list[int]]], texts: Sequence[str], *, progress: Progress = SILENT
) -> Ragged:
    """Tokenise texts once, a chunk at a time, and store their token ids in one array.

    Args:
        tokenise: Tokeniser of the encoder.
        texts: Distinct texts.
        progress: Progress bar to update.
    """
    parts = [Ragged.of([], dtype=np.int32)]
    with progress.task("tokenise", len(texts), "texts") as task:
        for block in blocks(len(texts), _CHUNK):
            parts.append(Ragged.of(tokenise(texts[block]), dtype=np.int32))
            task.advance(len(parts[-1]))
    return Ragged.joined(parts)


@dataclass(frozen=True)
class Classes:
    """Classes of pairs, and the classes that each form belongs to.

    Args:
        labels: Class of each pair. Shape [n].
        members: Classes of each case-folded form. A pair has one class, its texts may have more.
    """

    labels: np.ndarray
    members: Ragged

    @classmethod
    def of(cls, labels: np.ndarray, folds: np.ndarray, members: np.ndarray, *, forms: int) -> Classes:
        """Sort classes by form.

        Args:
            labels: Class of each pair. Shape [n].
            folds: Forms, in any order. Shape [k].
            members: A class of each. Shape [k].
            forms: Number of forms.
        """
        rows = distinct_pairs(np.column_stack([folds, members]))
        return cls(labels, Ragged(starts_of(np.bincount(rows[:, 0], minlength=forms)), rows[:, 1]))

    def related(self, folds: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
        """Return which forms share a class with which others. A form always shares one with itself.

        Args:
            folds: Forms. Shape [n].
            others: Forms. Shape [m]. None for the same forms.

        Returns:
            Shape [n, m], bool.
        """
        others = folds if others is None else others
        table: np.ndarray = folds[:, None] == others[None, :]
        left, right = self.members.take(folds), self.members.take(others)
        order = np.argsort(right.values, kind="stable")
        # Sorted, the others of one class are neighbours.
        found, owners = right.values[order], right.rows[order]
        starts = np.searchsorted(found, left.values, side="left")
        counts = np.searchsorted(found, left.values, side="right") - starts
        table[np.repeat(left.rows, counts), owners[ranges(starts, counts)]] = True
        return table


def distinct_pairs(rows: np.ndarray) -> np.ndarray:
    """Sort pairs of numbers, first by the first column, and drop repeats. Shape [n, 2] -> [m, 2]."""
    size = int(rows[:, 1].max(initial=0)) + 1
    return np.column_stack(np.divmod(np.unique(rows[:, 0] * size + rows[:, 1]), size))


@dataclass(frozen=True)
class PairData:
    """Pairs with hard negatives, as positions in a list of distinct texts.

    Args:
        texts: Distinct texts.
        anchors: Text of each anchor. Shape [n].
        positives: Text of each positive. Shape [n].
        negatives: Texts of its hard negatives. -1 fills up a short row. Shape [n, k].
        folds: Number of each text's case-folded form. Texts that differ only in case share it. Shape [number of texts].
        known: Sorted distinct keys `fold of anchor * number of folds + fold of translation`. Shape [m].
        classes: Classes of the pairs, which then decide which texts are not negatives of each other.
        sources: Number of the source of each pair, from 0. Shape [n]. None for one source.
        languages: Number of the language of each text, from 1; 0 for none. Shape [number of texts]. None for no
            languages.
    """

    texts: list[str]
    anchors: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    folds: np.ndarray
    known: np.ndarray
    classes: Classes | None = None
    sources: np.ndarray | None = None
    languages: np.ndarray | None = None

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
        negatives: Hard negatives of each pair, any number. Empty for no hard negatives at all.
        fold: Maps forms that count as the same word to one form when known translations are looked up.

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
    """Make every pair a class of its own. Texts share a class if they form a pair.

    Args:
        data: From `number_pairs`.
    """
    labels = np.arange(len(data))
    folds = np.concatenate([data.folds[data.anchors], data.folds[data.positives]])
    classes = Classes.of(labels, folds, np.concatenate([labels, labels]), forms=int(data.folds.max()) + 1)
    return replace(data, classes=classes)


def translation_classes(data: PairData) -> Classes:
    """Return one class for every form: the form and its direct translations.

    Texts are then no negatives of each other if one is a translation of the other, or if both are translations of the
    same text. Translations of translations do not go on from there, so that no class covers half of a corpus.

    Args:
        data: Pairs. Its own classes do not count.

    Returns:
        The number of a class is that of its form, the label of a pair that of its anchor.
    """
    anchors, positives = data.folds[data.anchors], data.folds[data.positives]
    forms = int(data.folds.max(initial=-1)) + 1
    own = np.arange(forms)
    folds, members = np.concatenate([own, anchors, positives]), np.concatenate([own, positives, anchors])
    return Classes.of(anchors, folds, members, forms=forms)


@dataclass(frozen=True)
class PairBatch:
    """The pairs of one step.

    Args:
        texts: Texts of the step, as positions in the data's list. Shape [u].
        anchors: Positions in `texts`. Shape [b].
        positives: Positions in `texts`. Shape [b].
        negatives: Positions in `texts`. A place that only fills up holds 0 and is masked. Shape [b, k].
        known_positives: See `losses.Contrast`. Shape [b, b], bool.
        known_negatives: See `losses.Contrast`. Shape [b, b, k], bool.
        labels: See `losses.Contrast`. Shape [b]. None without classes.
        related: See `losses.Contrast`. Shape [2b, 2b], bool. None without classes.
    """

    texts: np.ndarray
    anchors: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    known_positives: np.ndarray
    known_negatives: np.ndarray
    labels: np.ndarray | None = None
    related: np.ndarray | None = None


def batch_of(data: PairData, rows: np.ndarray, *, mask_known: bool = True, own_texts: bool = False) -> PairBatch:
    """Gather some pairs.

    Args:
        data: All pairs.
        rows: Which of them. Shape [b].
        mask_known: Whether known translations of the anchor, and texts that share a class with it, are masked.
        own_texts: Whether every pair has texts of its own: its anchor, its positive and its hard negatives, pair after
            pair. A text that is its own positive is then encoded twice, with two draws of dropout. Otherwise every
            distinct text appears once, sorted.
    """
    negatives = data.negatives[rows]
    size, width = negatives.shape
    filled = negatives >= 0
    columns = np.concatenate([data.anchors[rows], data.positives[rows], negatives[filled]])
    if own_texts:
        starts = starts_of(2 + filled.sum(axis=1))
        hard = (starts[:-1, None] + 1 + filled.cumsum(axis=1))[filled]
        places = np.concatenate([starts[:-1], starts[:-1] + 1, hard])
        texts = np.empty_like(columns)
        texts[places] = columns
    else:
        texts, places = np.unique(columns, return_inverse=True)
    own = np.zeros((size, width), dtype=np.int64)
    own[filled] = places[2 * size :]
    hidden = np.broadcast_to(~filled, (size, size, width)).copy()
    twins, labels, related = np.zeros((size, size), dtype=bool), None, None
    if data.classes is not None:
        labels, related = data.classes.labels[rows], np.zeros((2 * size, 2 * size), dtype=bool)
    if mask_known and data.classes is not None:
        folds = data.folds[columns]
        related = data.classes.related(folds[: 2 * size])
        twins = related[:size, size:].copy()
        hidden[:, filled] |= data.classes.related(folds[:size], folds[2 * size :])
    elif mask_known:
        twins = _known(data, rows, data.positives[rows])
        hidden |= _known(data, rows, np.where(filled, negatives, 0).ravel()).reshape(size, size, width)
    np.fill_diagonal(twins, False)
    return PairBatch(texts, places[:size], places[size : 2 * size], own, twins, hidden, labels, related)


def _known(data: PairData, rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return which candidates are known translations of which anchors. Shape [b, c], bool.

    The few translations of each anchor are looked up among the sorted candidates, far fewer than b x c look-ups.
    """
    forms = int(data.folds.max()) + 1
    anchors = data.folds[data.anchors[rows]]
    starts = np.searchsorted(data.known, anchors * forms)
    ends = np.searchsorted(data.known, (anchors + 1) * forms)
    folded = data.folds[candidates]
    order = np.argsort(folded, kind="stable")
    counts = ends - starts
    owners = np.repeat(np.arange(len(counts)), counts)
    wanted = data.known[np.repeat(starts, counts) + positions(counts)] % forms
    left = np.searchsorted(folded, wanted, side="left", sorter=order)
    right = np.searchsorted(folded, wanted, side="right", sorter=order)
    table = np.zeros((len(rows), len(candidates)), dtype=bool)
    for owner, begin, end in zip(owners[left < right], left[left < right], right[left < right], strict=True):
        table[owner, order[begin:end]] = True
    return table
