"""The two sides of a corpus, read for mining: distinct sentences on the disk, cleaned, with known pairs mixed in."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.arrays import Indices, blocks
from lexenc.errors import DataError
from lexenc.files.parallel import Languages, ParallelText, parallel_text
from lexenc.files.stored_texts import StoredTexts, write_texts
from lexenc.files.text import counted, read_lines, writing
from lexenc.randomness import generator
from lexenc.sentences.cleaning import (
    LanguageJudge,
    PairRules,
    SentenceFacts,
    Truths,
    nearly_copied,
    repeats,
    text_hash,
)
from lexenc.sentences.planting import KnownPairs
from lexenc.stage import Job
from lexenc.stages.reading import tell_remarks
from lexenc.text.folding import trim

Lines = Callable[[], Iterator[tuple[int, str]]]
SIDES = ("source", "target")
EXAMPLES = 100
"""Examples of every reason in the list of what was dropped."""
_TOGETHER = 8192
# What would end a cell of a table.
_BREAKS = str.maketrans("\t\r\n", "   ")
_FEWEST_PLANTED = 5
_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class CorpusSide:
    """The sentences of one side that are compared.

    Args:
        texts: The sentences, each once. Those that were mixed in are at the end.
        lines: The first line of each in its file, counted from 1; 0 for a sentence that was mixed in. Shape [n].
        facts: What the rules of cleaning need; None if there is no cleaning.
    """

    texts: StoredTexts
    lines: Indices
    facts: SentenceFacts | None

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(frozen=True)
class Corpus:
    """Two sides to compare.

    Args:
        sides: Source and target.
        rows: Source row, target row and line of every pair that exists; none unless pairs are scored. Shape [3, p].
        known: Pairs that are known to be translations, as rows of both sides.
        rules: Rules for pairs, or None if there is no cleaning.
    """

    sides: tuple[CorpusSide, CorpusSide]
    rows: Indices
    known: KnownPairs
    rules: PairRules | None


@dataclass(frozen=True)
class _Reading:
    """The lines of one side that have a text. Rows are its distinct sentences, in the order of their first lines.

    Args:
        lines: Reads the lines again.
        numbers: Number of each line. Shape [t].
        rows: Row of each line. Shape [t].
        first: First line of each row. Shape [n].
        hashes: Hash of each row. Shape [n].
        more: Sentences to mix in.
    """

    lines: Lines
    numbers: Indices
    rows: Indices
    first: Indices
    hashes: np.ndarray
    more: list[str]


class CleaningLog:
    """Counts of what is dropped, by reason, and examples.

    Attributes:
        counts: Number of sentences or pairs by reason.
        examples: Reason, lines and texts of the first ones of each reason.
    """

    def __init__(self, counts: Mapping[str, int] | None = None, examples: Sequence[list[str]] = ()) -> None:
        self.counts, self.examples = Counter(counts or {}), list(examples)

    def add(self, reason: str, lines: Sequence[int | str], texts: Sequence[str]) -> None:
        """Note a sentence, with an empty text for the other side, or a pair."""
        self.counts[reason] += 1
        if self.counts[reason] <= EXAMPLES:
            self.examples.append([reason, *map(str, lines), *texts])


def read_corpus(
    inputs: Mapping[str, Any], mode: str, names: frozenset[str], alone: float, folder: Path, job: Job
) -> tuple[dict[str, Any], list[Path]]:
    """Read, clean and store a corpus; return its counts and its files.

    Args:
        inputs: `source` and `target`, or `pairs`; `planted` and `dev`, or None; `languages` of units.
        mode: `mine`, `score` or `search`.
        names: Rules of cleaning to use; none without cleaning.
        alone: Share of the planted pairs of which only one side is mixed in.
        folder: Folder to write to.
        job: Seed, progress and messages of the run.

    Raises:
        DataError: If a side has no sentence, a file cannot be read, or nothing is left.
    """
    text = _pairs_of(inputs) if mode == "score" else None
    counts: dict[str, Any] = {}
    read = [_read_side(_lines(inputs, text, side, counts), job) for side in range(2)]
    if text is not None:
        tell_remarks(text, job)
    _check_filled(read, inputs, text, counts)
    known, sides = _planted(inputs.get("planted"), inputs["languages"], read, alone, counts, job)
    if inputs.get("dev"):
        known = _gold(inputs["dev"], inputs["languages"], sides, counts, job)
    texts = [_store(side, folder / f"{name}.txt") for name, side in zip(SIDES, sides, strict=True)]
    log, cleaning = CleaningLog(), _Cleaning(texts, sides, names, job)
    pairs = np.zeros((3, 0), dtype=np.int64)
    if text is not None:
        pairs = cleaning.pairs(np.stack([sides[0].rows, sides[1].rows, sides[0].numbers]), log)
        usable = [np.isin(np.arange(len(side.first)), own) for side, own in zip(sides, pairs, strict=False)]
    else:
        usable = [cleaning.sentences(side, log) for side in range(2)]
    if not all(map(np.any, usable)):
        place = text.name if text is not None else inputs[SIDES[int(bool(usable[0].any()))]]
        raise DataError(f"{place}: cleaning drops everything.", hint="Name the rules to use: --rules duplicates,copies")
    arrays = _chosen(texts, sides, usable, known, pairs, cleaning)
    with writing(folder / "corpus.npz") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    files = [folder / "corpus.npz", *(folder / f"{name}.txt" for name in SIDES)]
    return {"counts": counts, "dropped": dict(log.counts), "examples": log.examples}, files


def _check_filled(
    sides: Sequence[_Reading], inputs: Mapping[str, Any], text: ParallelText | None, counts: dict[str, Any]
) -> None:
    """Count the sentences, and raise an error if a side has none."""
    for name, side in zip(SIDES, sides, strict=True):
        if not len(side.first):
            place = text.name if text is not None else inputs[name]
            what = "pair of two sentences" if text is not None else "sentence"
            raise DataError(f"{place} holds no {what}.", hint="One sentence per line.")
        if text is None:
            counts[f"{name}_sentences"] = len(side.rows)
        counts[f"repeated_{name}"] = len(side.rows) - len(side.first)


def load_corpus(folder: Path, names: frozenset[str]) -> Corpus:
    """Open what `read_corpus` stored."""
    with np.load(folder / "corpus.npz", allow_pickle=False) as stored:
        arrays = dict(stored)
    sides = []
    for name in SIDES:
        texts = StoredTexts(folder / f"{name}.txt", arrays[f"{name}_starts"], arrays[f"{name}_ends"])
        facts = [arrays[f"{name}_{key}"] for key in SentenceFacts.__dataclass_fields__] if names else []
        sides.append(CorpusSide(texts, arrays[f"{name}_lines"], SentenceFacts(*facts) if names else None))
    known = KnownPairs(*(arrays[f"{name}_{key}"] for key in ("known", "lone") for name in SIDES))
    rules = None
    if sides[0].facts is not None and sides[1].facts is not None:
        rules = PairRules(sides[0].facts, sides[1].facts, names, float(arrays["growth"]))
    return Corpus((sides[0], sides[1]), arrays["pairs"], known, rules)


# ---------------------------------------------------------------- lines


def _pairs_of(inputs: Mapping[str, Any]) -> ParallelText:
    one, other = (inputs["pairs"], None) if inputs.get("pairs") else (inputs["source"], inputs["target"])
    return parallel_text(one, other, languages=inputs["languages"])


def _lines(inputs: Mapping[str, Any], text: ParallelText | None, side: int, counts: dict[str, Any]) -> Lines:
    """Return a function that yields the lines of a side that have a text; of pairs, those with both texts."""

    def of_file() -> Iterator[tuple[int, str]]:
        for number, line in read_lines(inputs[SIDES[side]]):
            if own := _in_cell(line):
                yield number, own

    def of_pairs() -> Iterator[tuple[int, str]]:
        read = kept = 0
        for pair in text or ():
            own = _in_cell(pair.source), _in_cell(pair.target)
            read += 1
            if all(own):
                kept += 1
                yield pair.line, own[side]
        counts["pairs_read"], counts["empty_pairs"] = read, read - kept

    return of_file if text is None else of_pairs


def _in_cell(text: str) -> str:
    return trim(text.translate(_BREAKS))


def _read_side(lines: Lines, job: Job) -> _Reading:
    """Find the distinct sentences of a side. Of a line, a hash and two numbers are kept in memory: 24 bytes."""
    hashes, numbers = array("Q"), array("q")
    with job.progress.task("Reading", None, "lines") as task:
        for number, text in lines():
            hashes.append(text_hash(text))
            numbers.append(number)
            if not len(hashes) % _TOGETHER:
                task.advance(_TOGETHER)
    values, first, inverse = np.unique(np.frombuffer(hashes, dtype=np.uint64), return_index=True, return_inverse=True)
    order = np.argsort(first)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    found = np.frombuffer(numbers, dtype=np.int64)
    return _Reading(lines, found, ranks[inverse], found[first[order]], values[order], [])


def _store(side: _Reading, path: Path) -> StoredTexts:
    """Write the distinct sentences of a side, and those that are mixed in."""

    def distinct() -> Iterator[str]:
        found = 0
        for (_, text), row in zip(side.lines(), side.rows.tolist(), strict=True):
            if row == found:
                found += 1
                yield text
        yield from side.more

    starts = write_texts(path, distinct())
    return StoredTexts(path, starts[:-1], starts[1:] - 1)


def _chosen(
    texts: Sequence[StoredTexts],
    sides: Sequence[_Reading],
    usable: Sequence[Truths],
    known: KnownPairs,
    pairs: Indices,
    cleaning: _Cleaning,
) -> dict[str, np.ndarray]:
    """Return the arrays of a corpus that has the usable sentences and those that are mixed in."""
    arrays: dict[str, np.ndarray] = {"growth": np.array(cleaning.growth), "pairs": pairs.copy()}
    for side, name in enumerate(SIDES):
        own = sides[side]
        chosen = np.flatnonzero(np.append(usable[side], np.ones(len(own.more), dtype=np.bool_)))
        # Rows among the chosen ones, -1 for the others.
        new = np.full(len(texts[side]) + 1, -1, dtype=np.int64)
        new[chosen] = np.arange(len(chosen))
        arrays |= {f"{name}_starts": texts[side].starts[chosen], f"{name}_ends": texts[side].ends[chosen]}
        arrays[f"{name}_lines"] = np.append(own.first, np.zeros(len(own.more), dtype=np.int64))[chosen]
        arrays |= {f"{name}_known": new[known[side]], f"{name}_lone": new[known[2 + side]]}
        if cleaning.facts:
            table = cleaning.facts[side].take(chosen)
            arrays |= {f"{name}_{key}": value for key, value in vars(table).items()}
        arrays["pairs"][side] = new[pairs[side]]
    return arrays


# ---------------------------------------------------------------- known pairs


def _planted(
    path: Path | None, languages: Languages, sides: Sequence[_Reading], alone: float, counts: dict[str, Any], job: Job
) -> tuple[KnownPairs, list[_Reading]]:
    """Choose the planted pairs that are mixed in whole, and those of which one side is; return both sides with them."""
    if path is None:
        return KnownPairs(_NONE, _NONE), list(sides)
    text = parallel_text(path, languages=languages)
    seen = [set(side.hashes.tolist()) for side in sides]
    pairs, read = list[tuple[str, str]](), 0
    for pair in text:
        read += 1
        own = _in_cell(pair.source), _in_cell(pair.target)
        marks = [text_hash(each) for each in own]
        if all(own) and not any(mark in known for mark, known in zip(marks, seen, strict=True)):
            pairs.append(own)
            for mark, known in zip(marks, seen, strict=True):
                known.add(mark)
    tell_remarks(text, job)
    if len(pairs) < _FEWEST_PLANTED:
        raise DataError(
            f"{path}: {counted(len(pairs), 'pair')} can be mixed in, at least {_FEWEST_PLANTED} are needed.",
            hint="Planted pairs must not be in the files. For known pairs of the files use --dev.",
        )
    order = generator(job.seed, "planted pairs").permutation(len(pairs)).tolist()
    lone = int(alone * len(pairs))
    whole, halves = [pairs[each] for each in order[lone:]], [pairs[each] for each in order[:lone]]
    made, rows, single = [], list[Indices](), list[Indices]()
    for side, reading in enumerate(sides):
        more = [pair[side] for pair in whole] + [pair[side] for pair in halves[side::2]]
        made.append(replace(reading, more=more))
        places = len(reading.first) + np.arange(len(more))
        rows.append(places[: len(whole)])
        single.append(places[len(whole) :])
    counts |= {"planted_pairs": len(whole), "planted_alone": len(halves), "not_planted": read - len(pairs)}
    return KnownPairs(rows[0], rows[1], single[0], single[1]), made


def _gold(path: Path, languages: Languages, sides: Sequence[_Reading], counts: dict[str, Any], job: Job) -> KnownPairs:
    """Find the sentences of known pairs: by their texts, or by line numbers if every pair is two numbers."""
    text = parallel_text(path, languages=languages)
    pairs = [own for pair in text if all(own := (_in_cell(pair.source), _in_cell(pair.target)))]
    tell_remarks(text, job)
    numbered = bool(pairs) and all(each.isdecimal() for pair in pairs for each in pair)
    known: list[dict[int, int]] = []
    for side in sides:
        names, rows = (side.numbers, side.rows) if numbered else (side.hashes, np.arange(len(side.first)))
        known.append(dict(zip(names.tolist(), rows.tolist(), strict=True)))
    name = int if numbered else text_hash
    found = {(known[0].get(name(one), -1), known[1].get(name(other), -1)) for one, other in pairs}
    inside = sorted(pair for pair in found if min(pair) >= 0)
    if not inside:
        what = "line numbers" if numbered else "sentences"
        raise DataError(
            f"{path}: none of {counted(len(pairs), 'pair')} is in the files, read as {what}.",
            hint="One pair per line: the source sentence, TAB, the target sentence; or their line numbers.",
        )
    counts |= {"dev_pairs": len(inside), "dev_pairs_outside": len(found) - len(inside)}
    rows = np.array(inside, dtype=np.int64)
    return KnownPairs(rows[:, 0], rows[:, 1])


# ---------------------------------------------------------------- cleaning


class _Cleaning:
    """Finds the sentences and pairs to drop.

    Args:
        texts: Sentences of both sides.
        sides: Both sides.
        names: The rules to use; none without cleaning.
        job: Progress and messages of the run.

    Attributes:
        facts: What the rules need of every sentence; empty without cleaning.
        growth: Target characters per source character.
    """

    def __init__(
        self, texts: Sequence[StoredTexts], sides: Sequence[_Reading], names: frozenset[str], job: Job
    ) -> None:
        self._texts, self._sides, self._names = texts, sides, names
        self.facts: list[SentenceFacts] = []
        self.growth = 1.0
        self._foreign = [np.zeros(len(side.first), dtype=np.bool_) for side in sides]
        if not names:
            return
        with job.progress.task("Cleaning", sum(map(len, texts)), "sentences") as task:
            for own in texts:
                parts = []
                for part in blocks(len(own), _TOGETHER):
                    parts.append(SentenceFacts.of(own[part]))
                    task.advance(part.stop - part.start)
                self.facts.append(SentenceFacts.joined(parts))
        self.growth = float(self.facts[1].lengths.mean() / self.facts[0].lengths.mean())
        if "language" in names:
            self._judge_languages(job)

    def _judge_languages(self, job: Job) -> None:
        judge = LanguageJudge()
        for step in (judge.learn, judge.check):
            for side, part in self._parts():
                step(side, part.start, self._texts[side][part])
        for side, part in self._parts():
            self._foreign[side][part] = judge.foreign(side, part.start, self._texts[side][part])
        scripts = [", ".join(each.title() for each in judge.scripts(side)) or "none" for side in range(2)]
        if judge.tells_apart:
            told = f"trigrams tell {100 * judge.accuracy:.1f} % of the sentences to be of their file"
        else:
            told = "the two languages are not told apart by trigrams, only by scripts"
            job.notices.warn(
                f"Sentences in the wrong language are found by their script only: trigrams tell "
                f"{100 * judge.accuracy:.0f} % of the sentences to be of their file.",
                "The files are small, or their languages too similar.",
            )
        job.notices.say(f"mine-bitext: scripts: {scripts[0]} and {scripts[1]}; {told}.")

    def _parts(self) -> Iterator[tuple[int, slice]]:
        for side, reading in enumerate(self._sides):
            for part in blocks(len(reading.first), _TOGETHER):
                yield side, part

    def sentences(self, side: int, log: CleaningLog) -> Truths:
        """Return which distinct sentences of a side are kept, and log the others. Shape [n]."""
        own = self._sides[side]
        found = {f"wrong language ({SIDES[side]})": self._foreign[side]}
        if "duplicates" in self._names:
            found[f"near duplicates ({SIDES[side]})"] = repeats(self.facts[side].forms[: len(own.first)])
        kept = np.ones(len(own.first), dtype=np.bool_)
        for reason, broken in found.items():
            for row in np.flatnonzero(broken & kept).tolist():
                cells = [str(own.first[row]), self._texts[side][row]]
                lines, texts = zip(*([cells, ["", ""]] if side == 0 else [["", ""], cells]), strict=True)
                log.add(reason, lines, texts)
            kept &= ~broken
        return kept

    def pairs(self, rows: Indices, log: CleaningLog) -> Indices:
        """Return the pairs that are kept, and log the others. Shape [3, p] to [3, q]."""
        if not self._names:
            return rows
        left, right = self.facts
        rules = PairRules(left, right, self._names, self.growth)
        found = rules.broken(rows[0], rows[1])
        if "language" in self._names:
            found["wrong language"] = self._foreign[0][rows[0]] | self._foreign[1][rows[1]]
        if "duplicates" in self._names:
            found["exact duplicates"] = repeats(rows[0], rows[1])
            found["near duplicates"] = repeats(left.shapes[rows[0]], right.shapes[rows[1]])
        kept = np.ones(rows.shape[1], dtype=np.bool_)
        for reason, broken in found.items():
            for place in np.flatnonzero(broken & kept).tolist():
                self._log(reason, rows[:, place], log)
            kept &= ~broken
        if "copies" in self._names:
            for place in np.flatnonzero(kept).tolist():
                if nearly_copied(self._texts[0][int(rows[0, place])], self._texts[1][int(rows[1, place])]):
                    self._log("near copies", rows[:, place], log)
                    kept[place] = False
        return rows[:, kept]

    def _log(self, reason: str, pair: Indices, log: CleaningLog) -> None:
        source, target, line = pair.tolist()
        log.add(reason, (line, line), (self._texts[0][source], self._texts[1][target]))
