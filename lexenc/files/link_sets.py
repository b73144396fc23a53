"""The links of a system and of a gold file as arrays, and the checks that they belong together."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lexenc.errors import DataError
from lexenc.files.alignments import alignments_file, read_alignments, sentences_file
from lexenc.files.parallel import ParallelText, parallel_text
from lexenc.files.text import counted
from lexenc.text.words import split_at_spaces


@dataclass(frozen=True)
class LinkFile:
    """The links of a file: sentence pair, source word, target word. Words are counted from 0.

    Args:
        path: The file.
        option: The name of its option.
        declared: Whether the user says that it counts words from 1; None if the user does not say.
        sure: Shape [p, 3].
        possible: Links that are only possible. Shape [q, 3].
        names: Names of the lines that have one.
        zero: The line and text of the first link with an index 0; None without one.
        lines: Number of lines.
    """

    path: Path
    option: str
    declared: bool | None
    sure: np.ndarray
    possible: np.ndarray
    names: dict[int, str]
    zero: tuple[int, str] | None
    lines: int

    @property
    def first(self) -> int:
        """The number of the first word of a sentence in the file."""
        return int(bool(self.declared))

    @property
    def empty(self) -> bool:
        """Whether it has no link at all."""
        return not len(self.sure) and not len(self.possible)

    @property
    def counting(self) -> str | None:
        """Evidence of the number that it counts words from; None without any."""
        if self.declared is not None:
            return f"is said to count words from {self.first}"
        return None if self.zero is None else f"does (line {self.zero[0]}: '{self.zero[1]}')"

    def shown(self, row: np.ndarray, mark: str) -> str:
        """Return the place and the text of a link for messages; `mark` stands between its words."""
        sentence, source, target = row.tolist()
        return f"{self.path}, line {sentence + 1}: '{source + self.first}{mark}{target + self.first}'"


@dataclass(frozen=True)
class Sentences:
    """The words of the sentences that are aligned.

    Args:
        name: The files.
        source: Number of every source word, sentence after sentence. Shape [t].
        source_lengths: Words of every source sentence. Shape [n].
        target_lengths: Words of every target sentence. Shape [n].
    """

    name: str
    source: np.ndarray
    source_lengths: np.ndarray
    target_lengths: np.ndarray

    def frequencies(self, rows: np.ndarray) -> np.ndarray:
        """Return how often the source word of each link occurs in the sentences. Shape [p]."""
        starts = np.cumsum(self.source_lengths) - self.source_lengths
        words = self.source[starts[rows[:, 0]] + rows[:, 1]]
        found: np.ndarray = np.bincount(self.source)[words] if len(self.source) else words
        return found


def read_links(path: Path, option: str, one_based: bool | None) -> LinkFile:
    """Read all links of a file or of the folder of a result; words are counted from 0 if the user does not say."""
    place, lines = alignments_file(path), 0
    columns = {kind: array("q") for kind in ("sure", "possible")}
    names: dict[int, str] = {}
    zero = None
    for row in read_alignments(place, one_based=bool(one_based)):
        lines = row.line
        if row.name:
            names[row.line] = row.name
        for kind, mark, links in (("sure", "-", row.sure), ("possible", "p", row.possible)):
            for source, target in links:
                columns[kind].extend((row.line - 1, source, target))
                if zero is None and not one_based and 0 in (source, target):
                    zero = row.line, f"{source}{mark}{target}"
    sure, possible = (np.array(column, dtype=np.int64).reshape(-1, 3) for column in columns.values())
    return LinkFile(place, option, one_based, sure, possible, names, zero, lines)


def read_gold_and_predicted(
    gold: Path, predicted: Path, gold_one_based: bool | None, system_one_based: bool | None
) -> tuple[LinkFile, LinkFile]:
    """Read both files, and check that they can be scored.

    Raises:
        DataError: If the numbers or names of the lines differ, the files seem to count words from different numbers,
            the system has possible links, or the gold file has no links.
    """
    first = read_links(gold, "gold", gold_one_based)
    second = read_links(predicted, "system", system_one_based)
    if first.lines != second.lines:
        raise _unequal(first.path, first.lines, second.path, second.lines)
    if first.empty:
        raise DataError(
            f"{first.path} holds no links.", hint="Give the gold links: 0-0 for a sure, 0p1 for a possible."
        )
    for line, name in first.names.items():
        other = second.names.get(line, name)
        if other != name:
            raise DataError(
                f"Line {line} is called '{name}' in {first.path}, '{other}' in {second.path}.",
                hint="Put the lines of both in the same order.",
            )
    if len(second.possible):
        raise DataError(
            f"{second.shown(second.possible[0], 'p')} is a possible link, as only gold files have them.",
            hint="Are --gold and --predicted swapped?",
        )
    _check_counting(first, second)
    return first, second


def read_sentences(
    predicted: Path, pairs: Path | None = None, source: Path | None = None, target: Path | None = None
) -> Sentences | None:
    """Read the words that the links are of, separated by spaces: the given ones, else those of the result.

    Raises:
        DataError: If the result was made from other words.
    """
    own = sentences_file(predicted)
    aligned = None if own is None else _counted(parallel_text(own))
    first = source or pairs
    if first is None:
        return aligned
    sentences = _counted(parallel_text(first, target if source else None))
    if aligned is None:
        return sentences
    if len(sentences.source_lengths) != len(aligned.source_lengths):
        raise _unequal(sentences.name, len(sentences.source_lengths), aligned.name, len(aligned.source_lengths))
    for side in ("source", "target"):
        one, other = (getattr(each, f"{side}_lengths") for each in (sentences, aligned))
        if (one != other).any():
            row = int(np.argmax(one != other))
            raise DataError(
                f"Line {row + 1:,}: {counted(int(one[row]), f'{side} word')} in {sentences.name}, {other[row]:,} in "
                f"{aligned.name}: the links are of other words.",
                hint="If the gold links are of the words between spaces, align with --words spaces. If they are of the "
                f"words that were aligned, use --pairs {aligned.name}.",
            )
    return sentences


def _counted(text: ParallelText) -> Sentences:
    numbers: dict[str, int] = {}
    words, widths, heights = array("q"), array("q"), array("q")
    for pair in text:
        source, target = split_at_spaces(pair.source), split_at_spaces(pair.target)
        words.extend(numbers.setdefault(word, len(numbers)) for word in source)
        widths.append(len(source))
        heights.append(len(target))
    return Sentences(text.name, *(np.array(column, dtype=np.int64) for column in (words, widths, heights)))


def _unequal(one: Path | str, lines: int, other: Path | str, others: int) -> DataError:
    return DataError(
        f"{one} has {counted(lines, 'line')}, {other} {others:,}.",
        hint="Every file needs one line per sentence pair in the same order; one without links is an empty line.",
    )


def _check_counting(gold: LinkFile, predicted: LinkFile) -> None:
    """Refuse two files of which only one shows, or is said to show, the number that it counts words from.

    If neither shows it, their links match in the same way, whether both count from 0 or from 1.
    """
    for own, other in ((gold, predicted), (predicted, gold)):
        if own.counting is None and other.counting is not None and not own.empty and not other.empty:
            option = f"{own.option}-one-based"
            raise DataError(
                f"{own.path} holds no index 0, {other.path} {other.counting}: they may not count words from the same "
                "number.",
                hint=f"Add --{option} if {own.path.name} counts from 1; --no-{option} if it counts from 0 and links "
                "the first word of no sentence.",
            )


def check_range(file: LinkFile, sentences: Sentences) -> None:
    """Check that every link is of words that its sentences have.

    Raises:
        DataError: If the number of sentence pairs is not that of lines, or an index is past the end of its sentence.
    """
    pairs = len(sentences.source_lengths)
    if pairs != file.lines:
        raise _unequal(file.path, file.lines, sentences.name, pairs)
    rows = np.concatenate([file.sure, file.possible])
    lengths = np.stack([sentences.source_lengths, sentences.target_lengths], axis=1)[rows[:, 0]]
    past = np.flatnonzero((rows[:, 1:] >= lengths).any(axis=1))
    if len(past):
        worst = past[np.argmin(rows[past, 0])]
        hint = "Are these the sentences that were aligned, cut into the same words by spaces?"
        if not file.declared and file.zero is None:
            hint = f"If {file.path.name} counts words from 1, add --{file.option}-one-based."
        source, target = lengths[worst].tolist()
        raise DataError(
            f"{file.shown(rows[worst], 'p' if worst >= len(file.sure) else '-')} runs past the sentence, which has "
            f"{counted(source, 'source word')} and {counted(target, 'target word')}, counted from {file.first}.",
            hint=hint,
        )
