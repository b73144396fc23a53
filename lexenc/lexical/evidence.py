"""Dictionary entries as evidence for probabilities: entries that the vectors were not learned from.

Entries that a mapping was learned from look better than new words will. Therefore entries are held out, or the mapping
is learned again without each part of them in turn (cross-fitting), or the probabilities are called optimistic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from lexenc.arrays import Doubles, Indices
from lexenc.errors import DataError
from lexenc.files.text import counted
from lexenc.files.vectors import index_of
from lexenc.lexical.induction import Candidates, DirectedSpace, Flags, features, same_strings
from lexenc.text.folding import SAME_TEXT

ENOUGH = 300  # with this many entries that were not learned from, no others are needed
FEW = 100
Basis = Literal["held out", "not learnt from", "cross-fitted", "optimistic"]
Warning_ = tuple[str, str | None]
_SENTENCES: dict[Basis, str] = {
    "held out": "measured on held-out entries",
    "not learnt from": "measured on entries that the vectors were not learnt from",
    "cross-fitted": "measured on entries that each mapping did not see (learnt again without each part of them)",
    "optimistic": "OPTIMISTIC: measured on entries that the vectors were learnt from, or on others of the same origin",
}


@dataclass(frozen=True)
class JudgedCandidates:
    """Candidates of dictionary words, judged by the dictionary.

    Args:
        features: Shape [q, k, f].
        correct: Whether a candidate is listed for its word. Shape [q, k].
        shuffled: The same after the translations of the words are shuffled, as a control. Shape [q, k].
        folds: Part of every word, for cross-validation. Shape [q].
        basis: How the words relate to what the vectors were learned from.
        reason: Why there is no better basis, if it is optimistic.
        unanswerable: Number of words whose translations all have no vector.
        seen: Share of correct best candidates in the vectors learned from the entries; None if not measured.
    """

    features: Doubles
    correct: Flags
    shuffled: Flags
    folds: Indices
    basis: Basis
    reason: str
    unanswerable: int
    seen: float | None = None

    @property
    def sentence(self) -> str:
        """The basis in words."""
        return _SENTENCES[self.basis] + (f" ({self.reason})" if self.reason else "")

    @property
    def unfair(self) -> list[str]:
        """Why the measured precision is too high, one sentence for each reason."""
        return [f"{self.sentence}."] if self.basis == "optimistic" else []


@dataclass
class LearnedWords:
    """Words that vectors were learned from, in lower case, for both columns of the dictionaries.

    Args:
        mapped: Words of the dictionaries of the mapping or the projection.
        tuned: Words of the pairs that an encoder was fine-tuned on.
        gaps: What is unknown, one sentence each.
        origin: What both the vectors and the dictionary were made from, in a sentence; empty for nothing.
        unknown: Whether a manifest is missing or damaged, so that the vectors may be learned from any words.
    """

    mapped: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    tuned: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    gaps: list[str] = field(default_factory=list)
    origin: str = ""
    unknown: bool = False

    def seen(self, column: int) -> set[str]:
        """Return all words of one column."""
        return self.mapped[column] | self.tuned[column]


@dataclass(frozen=True)
class ChosenEntries:
    """Dictionary words to look up.

    Args:
        words: The words.
        basis: How they relate to what the vectors were learned from.
        again: Whether to learn the space again without each part of them.
        reason: Why there is no better basis, if it is optimistic.
        warnings: Messages for the user, with hints.
    """

    words: list[str]
    basis: Basis
    again: bool = False
    reason: str = ""
    warnings: list[Warning_] = field(default_factory=list)


def choose_held_out(words: Sequence[str], learned: LearnedWords, column: int, path: Path) -> ChosenEntries:
    """Keep the held-out words that the vectors were indeed not learned from.

    Args:
        words: Words with a vector.
        learned: What the vectors were learned from.
        column: Column of the words: 0 or 1.
        path: The file, for messages.

    Raises:
        DataError: If fewer than two words are left.
    """
    fresh = [word for word in words if SAME_TEXT.fold(word) not in learned.seen(column)]
    lost = len(words) - len(fresh)
    if len(fresh) < 2:
        raise DataError(
            f"{path}: the vectors were learnt from all of its {counted(lost, 'word')}; none is held out.",
            hint="Hold entries out before map, or leave --held-out out: the mapping is then learnt again in parts.",
        )
    warnings: list[Warning_] = []
    if lost:
        total = counted(len(words), "word")
        warnings.append((f"{path}: the vectors were learnt from {lost:,} of {total}; these are left out.", None))
    if learned.origin:
        return ChosenEntries(fresh, "optimistic", reason=learned.origin, warnings=[*warnings, _same_origin(learned)])
    if learned.gaps:
        warnings.append((f"Whether {path} was held out cannot be checked: {learned.gaps[0]}.", None))
    if learned.unknown:
        return ChosenEntries(fresh, "optimistic", reason=learned.gaps[0], warnings=warnings)
    return ChosenEntries(fresh, "held out", warnings=warnings)


def _same_origin(learned: LearnedWords) -> Warning_:
    return f"{learned.origin}: the probabilities are too high.", "Give entries of another origin: --held-out test.tsv"


def choose_known(
    words: list[str], learned: LearnedWords, column: int, path: Path, problem: Callable[[], str | None]
) -> ChosenEntries:
    """Choose words that were not learned from, or all words if the space can be learned again without them.

    Args:
        words: Words with a vector.
        learned: What the vectors were learned from.
        column: Column of the words: 0 or 1.
        path: The file, for messages.
        problem: Returns why the space cannot be learned again, or None. Called only if that is necessary.
    """
    fresh = [word for word in words if SAME_TEXT.fold(word) not in learned.seen(column)]
    if not (learned.gaps or learned.origin) and (len(fresh) >= ENOUGH or len(fresh) == len(words)):
        return ChosenEntries(fresh, "not learnt from")
    reason = learned.gaps[0] if learned.gaps else ""
    chosen = [word for word in words if SAME_TEXT.fold(word) not in learned.tuned[column]]
    if len(chosen) < min(FEW, len(words)) or (learned.tuned[column] and len(chosen) < FEW):
        reason = reason or "the encoder was tuned on them"
        chosen = words
    obstacle = problem()
    if learned.origin:
        return ChosenEntries(chosen, "optimistic", obstacle is None, learned.origin, [_same_origin(learned)])
    reason = reason or obstacle or ""
    if not reason:
        return ChosenEntries(chosen, "cross-fitted", again=True)
    if len(fresh) >= FEW and not learned.gaps:
        return ChosenEntries(fresh, "not learnt from", warnings=[few(len(fresh))])
    message = (
        f"The probabilities may be far too high: {reason}."
        if learned.gaps
        else f"The vectors were learnt from {path}, so that the probabilities are too high ({reason})."
    )
    hint = "Give entries that map, interpolate and finetune never saw: --held-out test.tsv"
    return ChosenEntries(chosen, "optimistic", obstacle is None, reason, [(message, hint)])


def few(count: int) -> Warning_:
    """Return the warning about a small number of words."""
    return f"The probabilities are based on {counted(count, 'word')} only.", "Give more with --held-out."


def judge_candidates(
    found: Candidates,
    space: DirectedSpace,
    gold: Mapping[str, Sequence[str]],
    chosen: ChosenEntries,
    folds: Indices,
    generator: np.random.Generator,
) -> JudgedCandidates:
    """Compare candidates with the translations that a dictionary lists.

    Args:
        found: Candidates of some words.
        space: Vocabularies of both languages.
        gold: Translations by word.
        chosen: The words.
        folds: Part of every word, shape [q].
        generator: Shuffles the translations of the control.
    """
    index = index_of(space.choices)
    golds = [{index[target] for target in gold[space.words[row]] if target in index} for row in found.rows]
    mixed = generator.permutation(len(golds))

    def listed(wanted: Sequence[set[int]]) -> Flags:
        rows = zip(found.targets.tolist(), wanted, strict=True)
        return np.array([[target in own for target in row] for row, own in rows], dtype=bool)

    return JudgedCandidates(
        features(found, same_strings(found, space.words, space.choices)),
        listed(golds),
        listed([golds[row] for row in mixed]),
        folds,
        chosen.basis,
        chosen.reason,
        sum(not own for own in golds),
    )
