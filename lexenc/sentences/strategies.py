"""What a positive pair is: rows of data become rows of training, and these become numbers.

The four strategies are those of mSimCSE (section 3.2): parallel sentences, natural language inference in one language
or across languages, and single sentences, whose two views differ in their dropout masks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from lexenc.arrays import Indices, starts_of
from lexenc.files.nli import NliRow
from lexenc.text.folding import SAME_TEXT
from lexenc.training.data import Classes, PairData

MissingNegatives = Literal["keep", "drop", "random"]

EMPTY = "with an empty side"
SAME = "with the same text on both sides"
REPEATED = "repeated"
NO_LABEL = "without a gold label"
LOW_SCORE = "with a lower score"
OTHER = "that are neutral"
NO_NEGATIVE = "without a contradiction of the premise"
CONTRADICTION = "that are contradictions"
_BLOCK = 65_536
_LANGUAGES = 1 << 20  # more than there are
_Row = TypeVar("_Row")


class TrainingRow(NamedTuple):
    """An anchor with its positive.

    Attributes:
        line: Line or row of the anchor in its source, counted from 1.
        anchor: The anchor.
        positive: Its positive, which is the same text for single sentences.
        languages: Languages of the anchor and the positive, and then of the hard negatives. Empty texts for none.
        negatives: Hard negatives.
        group: Number of its premise within the source, whose other rows are no negatives. -1 for parallel sentences.
    """

    line: int
    anchor: str
    positive: str
    languages: tuple[str, ...] = ("", "")
    negatives: tuple[str, ...] = ()
    group: int = -1


# ---------------------------------------------------------------- strategies


def parallel_rows(
    pairs: Iterable[tuple[int, str, str]], languages: tuple[str, str], counts: Counter[str]
) -> Iterator[TrainingRow]:
    """Yield a row for each sentence with its translation.

    A sentence whose translation is the same text was not translated, and is left out, as is a pair with an empty side.
    Repeated pairs stay.

    Args:
        pairs: Line, sentence and translation.
        languages: Languages of the sentences and of the translations.
        counts: Receives the numbers of pairs that are left out, by reason.
    """
    for line, source, target in pairs:
        if not source or not target:
            counts[EMPTY] += 1
        elif source == target:
            counts[SAME] += 1
        else:
            yield TrainingRow(line, source, target, languages)


def unsupervised_rows(lines: Iterable[tuple[int, str]], language: str, counts: Counter[str]) -> Iterator[TrainingRow]:
    """Yield a row for each sentence, which is its own positive.

    Empty lines are left out. So are repeated ones, since a sentence that a crawl has a thousand times would be learned
    a thousand times.

    Args:
        lines: Line number and sentence.
        language: Language of the sentences.
        counts: Receives the numbers of lines that are left out, by reason.
    """
    seen: set[str] = set()
    for line, text in lines:
        if not text or text in seen:
            counts[REPEATED if text else EMPTY] += 1
            continue
        seen.add(text)
        yield TrainingRow(line, text, text, (language, language))


def nli_rows(
    table: Sequence[tuple[NliRow, ...]],
    counts: Counter[str],
    *,
    missing: MissingNegatives,
    random: np.random.Generator,
    threshold: float = 4.0,
    per_row: int = 1,
) -> Iterator[TrainingRow]:
    """Yield a row for each entailment and each language of its premise.

    The languages of the hypothesis and of each hard negative are drawn uniformly from all languages, with replacement:
    any of the three may be the same (mSimCSE, section 3.2). A hard negative contradicts the same premise. If there are
    more contradictions, some are drawn without replacement. Rows with the same premise in all languages are a group.
    A hypothesis that is equal to its premise stays: it is a positive with another dropout mask.

    Args:
        table: The same row in every language. One language each for data that is not aligned.
        counts: Receives the numbers of rows that are left out, by reason, and of contradictions. They and the rows
            that are yielded are all rows of the table, once per language.
        missing: What happens to an entailment without a contradiction. keep: it has no hard negative; drop: it is left
            out; random: its hard negatives contradict other premises.
        random: Draws languages and contradictions.
        threshold: Lowest score at which a scored pair counts as an entailment.
        per_row: Largest number of hard negatives. A triplet has its own one.
    """
    entailments, contradictions = _grouped(table, threshold, counts)
    everywhere = [place for places in contradictions.values() for place in places]
    if missing == "random":
        everywhere += [place for place, _ in entailments if all(row.contradiction for row in table[place])]
    for place, group in entailments:
        rows, own = table[place], contradictions.get(group, [])
        triplet = all(row.contradiction for row in rows)
        if not own and not triplet:
            if missing == "drop" or (missing == "random" and not everywhere):
                counts[NO_NEGATIVE] += len(rows)
                continue
            own = everywhere if missing == "random" else []
        used = 1 if triplet else min(per_row, len(own))
        slots = random.integers(len(rows), size=(len(rows), 1 + used)).tolist() if len(rows) > 1 else [[0] * (1 + used)]
        for anchor, (first, *others) in zip(rows, slots, strict=True):
            positive = rows[first]
            places = [place] if triplet else _some(random, own, per_row)
            negatives = [table[each][other] for each, other in zip(places, others, strict=True)]
            yield TrainingRow(
                anchor.line,
                anchor.premise,
                positive.hypothesis,
                (anchor.language, positive.language, *(each.language for each in negatives)),
                tuple(each.contradiction or each.hypothesis for each in negatives),
                group,
            )


def _grouped(
    table: Sequence[tuple[NliRow, ...]], threshold: float, counts: Counter[str]
) -> tuple[list[tuple[int, int]], dict[int, list[int]]]:
    """Return the entailments of a table with the groups of their premises, and the contradictions of each group."""
    groups: dict[tuple[str, ...], int] = {}
    entailments: list[tuple[int, int]] = []
    contradictions: dict[int, list[int]] = {}
    for place, rows in enumerate(table):
        label, score = rows[0].label, rows[0].score
        if score is not None and score >= threshold:
            label = "entailment"
        if not all(row.premise and row.hypothesis for row in rows):
            counts[EMPTY] += len(rows)
        elif label in ("neutral", ""):
            counts[OTHER if label else NO_LABEL if score is None else LOW_SCORE] += len(rows)
        else:
            # Premises that one language translates alike may differ in another.
            key = tuple(part for row in rows for part in (row.language, row.premise))
            group = groups.setdefault(key, len(groups))
            if label == "entailment":
                entailments.append((place, group))
            else:
                counts[CONTRADICTION] += len(rows)
                contradictions.setdefault(group, []).append(place)
    return entailments, contradictions


def _some(random: np.random.Generator, places: Sequence[int], number: int) -> list[int]:
    """Draw so many places, or return all if there are not more."""
    if len(places) <= number:
        return list(places)
    if number == 1:
        return [places[int(random.integers(len(places)))]]
    return [places[each] for each in np.sort(random.choice(len(places), number, replace=False))]


def sample(rows: Iterable[_Row], limit: int | None, random: np.random.Generator) -> list[_Row]:
    """Return some rows, drawn at random, in their order.

    It keeps these and a block. What yields the rows may keep more: `nli_rows` needs its whole table.

    Args:
        rows: All rows.
        limit: Their largest number. None for all rows.
        random: Draws them.
    """
    stream = iter(rows)
    if limit is None:
        return list(stream)
    kept = list(enumerate(islice(stream, limit)))
    count = len(kept)
    while block := list(islice(stream, _BLOCK)):
        # Vitter's algorithm R: the row at place i replaces one of the kept rows with probability limit / (i + 1).
        drawn = random.integers(0, count + 1 + np.arange(len(block)))
        for own in np.flatnonzero(drawn < limit).tolist():
            kept[drawn[own]] = (count + own, block[own])
        count += len(block)
    return [row for _, row in sorted(kept, key=lambda each: each[0])]


# ---------------------------------------------------------------- numbers


@dataclass(frozen=True)
class NumberedRows:
    """The rows of all sources as numbers.

    Args:
        data: The pairs, with classes, sources, and the languages of texts if any are known.
        lines: Line or row of each pair in its source, counted from 1. Shape [n].
        languages: Names of the languages: text `i` has the language `languages[data.languages[i] - 1]`.
    """

    data: PairData
    lines: Indices
    languages: list[str]


def number_rows(
    sources: Sequence[Iterable[TrainingRow]], *, fold: Callable[[str], str] = SAME_TEXT.fold
) -> NumberedRows:
    """Turn the rows of all sources into numbers, with classes that decide which texts are not negatives of each other.

    Every parallel sentence makes a class of itself and its direct translations. The premise and the entailments of a
    group are one class, in all languages. Texts of one form always belong together.

    Args:
        sources: Rows of each source. They are read once.
        fold: Maps texts that count as the same to one form.
    """
    texts, counts = _Texts(), [0]
    names = ("anchor", "positive", "own", "line", "source", "group", "width")
    parts: dict[str, list[Indices]] = {name: [] for name in names}
    for number, rows in enumerate(sources):
        stream, most = iter(rows), -1
        while block := list(islice(stream, _BLOCK)):
            lines, firsts, seconds, languages, negatives, groups = zip(*block, strict=True)
            parts["anchor"].append(texts.numbers(firsts, [each[0] for each in languages]))
            parts["positive"].append(texts.numbers(seconds, [each[1] for each in languages]))
            flat = [name for each in languages for name in each[2:]]
            parts["own"].append(texts.numbers([text for each in negatives for text in each], flat))
            numbers = np.array(groups, dtype=np.int64)
            parts["group"].append(np.where(numbers < 0, -1, numbers + counts[-1]))
            parts["line"].append(np.array(lines, dtype=np.int64))
            parts["source"].append(np.full(len(block), number))
            parts["width"].append(np.array([len(each) for each in negatives]))
            most = max(most, int(numbers.max()))
        counts.append(counts[-1] + most + 1)
    made = {name: np.concatenate([np.zeros(0, dtype=np.int64), *arrays]) for name, arrays in parts.items()}
    anchors, positives, own = (texts.placed(made[name]) for name in ("anchor", "positive", "own"))
    table = np.full((len(anchors), int(made["width"].max(initial=0))), -1, dtype=np.int64)
    table[np.arange(table.shape[1]) < made["width"][:, None]] = own
    forms: dict[str, int] = {}
    listed = texts.listed
    folds = np.array([forms.setdefault(fold(text), len(forms)) for text in listed], dtype=np.int64)
    heads, tails = folds[anchors], folds[positives]
    data = PairData(
        listed,
        anchors,
        positives,
        table,
        folds,
        np.unique(heads * max(1, len(forms)) + tails),
        _classes(heads, tails, made["group"], len(forms)),
        made["source"],
        texts.languages,
    )
    return NumberedRows(data, made["line"], texts.names)


def pairs_at(data: PairData, rows: Indices) -> PairData:
    """Return some pairs. All texts stay, so that their numbers do not change.

    Args:
        data: All pairs.
        rows: Which of them. Shape [m].
    """
    if len(rows) == len(data):
        return data
    classes, sources = data.classes, data.sources
    return replace(
        data,
        anchors=data.anchors[rows],
        positives=data.positives[rows],
        negatives=data.negatives[rows],
        classes=None if classes is None else replace(classes, labels=classes.labels[rows]),
        sources=None if sources is None else sources[rows],
    )


def hold_out(data: PairData, groups: Sequence[tuple[Indices, int]], random: np.random.Generator) -> Indices:
    """Return some pairs, drawn at random, none of whose texts is in another pair that is not among them.

    Pairs that were drawn and share a text with others are put back, so that there may be fewer.

    Args:
        data: All pairs.
        groups: Pairs that may be drawn, shape [m], and the number of them to draw.
        random: Draws them.
    """
    held = np.zeros(len(data), dtype=bool)
    for rows, number in groups:
        held[random.choice(rows, min(number, len(rows)), replace=False)] = True
    heads, tails = data.folds[data.anchors], data.folds[data.positives]
    while True:
        used = np.zeros(int(data.folds.max(initial=-1)) + 1, dtype=bool)
        negatives = data.negatives[~held]
        for side in (heads[~held], tails[~held], data.folds[negatives[negatives >= 0]]):
            used[side] = True
        shared = held & (used[heads] | used[tails])
        if not shared.any():
            return np.flatnonzero(held)
        held &= ~shared


def _classes(heads: Indices, tails: Indices, groups: Indices, forms: int) -> Classes:
    """Return the classes of all pairs. The class of a form has its number, and those of groups the numbers after."""
    grouped = groups >= 0
    single = ~grouped & (heads != tails)
    degrees = np.bincount(np.concatenate([heads[single], tails[single]]), minlength=forms)
    # Two texts that have no other translation share one class, which is most of a corpus.
    alone = single & (degrees[heads] == 1) & (degrees[tails] == 1)
    one, other = (side[single & ~alone] for side in (heads, tails))
    members = [(heads[alone], heads[alone]), (tails[alone], heads[alone])]
    members += [(one, one), (other, other), (one, other), (other, one)]
    members += [(side[grouped], forms + groups[grouped]) for side in (heads, tails)]
    folds, classes = (np.concatenate(each) for each in zip(*members, strict=True))
    return Classes.of(np.where(grouped, forms + groups, heads), folds, classes, forms=forms)


def repeats(data: PairData, sources: int) -> list[int]:
    """Return the number of pairs of each source that repeat another one of it."""
    numbers = data.sources if data.sources is not None else np.zeros(len(data), dtype=np.int64)
    counts = []
    for source in range(sources):
        own = numbers == source
        keys = data.anchors[own] * max(1, len(data.texts)) + data.positives[own]
        counts.append(len(keys) - len(np.unique(keys)))
    return counts


class _Texts:
    """Distinct texts by language."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, int]] = {"": {}}

    def numbers(self, texts: Sequence[str], languages: Sequence[str]) -> Indices:
        """Number texts within their languages, new ones after the others. Shape [n], see `placed`."""
        names = set(languages)
        for name in names:
            self._tables.setdefault(name, {})
        if len(names) == 1:
            own = self._tables[languages[0]]
            found = [own.setdefault(text, len(own)) for text in texts]
        else:
            tables = [self._tables[name] for name in languages]
            found = [own.setdefault(text, len(own)) for text, own in zip(texts, tables, strict=True)]
        codes = {name: code for code, name in enumerate(self._tables)}
        known = np.array([codes[name] for name in languages], dtype=np.int64)
        return np.array(found, dtype=np.int64) * _LANGUAGES + known

    def placed(self, numbers: Indices) -> Indices:
        """Return the positions of texts among those of all languages. Shape [n]."""
        within, codes = np.divmod(numbers, _LANGUAGES)
        placed: Indices = starts_of([len(own) for own in self._tables.values()])[codes] + within
        return placed

    @property
    def listed(self) -> list[str]:
        """All texts, those of one language after those of another."""
        return [text for own in self._tables.values() for text in own]

    @property
    def names(self) -> list[str]:
        """The languages that have a name."""
        return list(self._tables)[1:]

    @property
    def languages(self) -> Indices | None:
        """Number of the language of each text, 0 for none. Shape [number of texts]. None if no language has a name."""
        sizes = [len(own) for own in self._tables.values()]
        return np.repeat(np.arange(len(sizes)), sizes) if len(sizes) > 1 else None
