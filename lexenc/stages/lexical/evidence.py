"""Dictionary entries as evidence of what candidates are worth: those that the vectors were not learnt from.

Entries that a mapping was learnt from look better than any new word will. So either entries are held out, or the
mapping is learnt again without each part of them in turn (cross-fitting), or the probabilities are called optimistic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lexenc.errors import DataError, LexencError
from lexenc.files.text import counted, fold_case
from lexenc.stage import Job
from lexenc.stages.lexical.relearning import NotAgainError, Origin, Relearner, trace
from lexenc.stages.reading import fold_vectors

if TYPE_CHECKING:
    import numpy as np

    from lexenc.files.dictionaries import Pairs
    from lexenc.files.spaces import Space
    from lexenc.lexical.induction import Candidates, Density

ENOUGH = 300  # unseen entries from which no other are needed
FEW = 100
DEPTH = 5  # candidates looked at, whatever is shown
Basis = Literal["held out", "not learnt from", "cross-fitted", "optimistic"]
_SENTENCES: dict[Basis, str] = {
    "held out": "measured on held-out entries",
    "not learnt from": "measured on entries that the vectors were not learnt from",
    "cross-fitted": "measured on entries that each mapping did not see (learnt again without each part of them)",
    "optimistic": "OPTIMISTIC: measured on entries that the vectors were learnt from",
}


class Policy(Protocol):
    """What decides how words are asked."""

    @property
    def direction(self) -> Literal["source-target", "target-source"]:
        """Which language asks."""

    @property
    def lowercase(self) -> bool:
        """Whether case is folded."""

    @property
    def source_language(self) -> str | None:
        """Language of the source words."""

    @property
    def target_language(self) -> str | None:
        """Language of the target words."""

    @property
    def csls_neighbours(self) -> int:
        """Neighbours that CSLS averages over."""

    @property
    def folds(self) -> int:
        """Parts of the entries."""

    @property
    def cross_fit(self) -> bool:
        """Whether a mapping may be learnt again."""

    @property
    def top(self) -> int:
        """Translations per word."""

    @property
    def out_of_vocabulary(self) -> Literal["wrong", "left-out"]:
        """What becomes of words whose translations have no vector."""


@dataclass(frozen=True)
class Sides:
    """A shared space as it is asked.

    Args:
        words: Of the language that asks.
        choices: Of the other.
        asks: Vectors of the words, at length 1. Shape [n, d].
        answers: Vectors of the choices. Shape [m, d].
    """

    words: list[str]
    choices: list[str]
    asks: np.ndarray
    answers: np.ndarray


def directed(space: Space, policy: Policy) -> Sides:
    """Bring both languages to length 1, fold case where that was asked for, and let one of them ask."""
    from lexenc.lexical.mapping import normalise

    source, target = space.source, space.target
    if policy.lowercase:
        source, target = fold_vectors(source, policy.source_language), fold_vectors(target, policy.target_language)
    if policy.direction == "target-source":
        source, target = target, source
    unit = [normalise(each.matrix, ["unit"])[0] for each in (source, target)]
    return Sides(source.words, target.words, unit[0], unit[1])


def density_of(sides: Sides, policy: Policy, job: Job) -> Density:
    """Measure how crowded both vocabularies are."""
    from lexenc.lexical.induction import measure_density

    return measure_density(
        sides.asks,
        sides.answers,
        neighbours=policy.csls_neighbours,
        device=job.device.name,
        progress=job.progress,
    )


@dataclass(frozen=True)
class Evidence:
    """Questions with known answers, and what is known of their candidates.

    Args:
        features: Shape [q, k, f].
        correct: Whether a candidate is listed for its word. Shape [q, k].
        shuffled: The same with every word's translations given to another one, a control. Shape [q, k].
        folds: Part of every question. Shape [q].
        basis: What the questions are to the vectors.
        reason: Why nothing better was to be had, where they are optimistic.
        unanswerable: Questions of whose translations none has a vector.
        seen: Share of best candidates that are listed when the vectors that saw the entries answer; None where they
            were not asked.
    """

    features: np.ndarray
    correct: np.ndarray
    shuffled: np.ndarray
    folds: np.ndarray
    basis: Basis
    reason: str
    unanswerable: int
    seen: float | None = None

    @property
    def sentence(self) -> str:
        """Say what it was measured on."""
        return _SENTENCES[self.basis] + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True)
class Entries:
    """The entries of a dictionary that can be asked.

    Args:
        gold: Translations by word.
        words: Words with a vector, in order.
        path: The file.
        held_out: Whether the user says that nothing was learnt from them.
    """

    gold: Mapping[str, Sequence[str]]
    words: list[str]
    path: Path
    held_out: bool


@dataclass(frozen=True)
class _Chosen:
    words: list[str]
    basis: Basis
    again: Relearner | None = None
    reason: str = ""
    warnings: list[tuple[str, str | None]] = field(default_factory=list)


def gather(
    inputs: Mapping[str, Any], entries: Entries, sides: Sides, density: Density, policy: Policy, job: Job
) -> Evidence:
    """Ask dictionary entries, so that none was learnt from by the vectors that answer it, as far as that can be had.

    Args:
        inputs: Of the stage: `vectors`, `dictionary`, `held_out`.
        entries: Of `askable`.
        sides: The space.
        density: Of it.
        policy: How words are asked.
        job: Seed, device, remarks.

    Raises:
        DataError: If the vectors were learnt from all entries that should be held out.
    """
    import numpy as np

    from lexenc.lexical.induction import Candidates
    from lexenc.randomness import generator

    files = [inputs[name] for name in ("dictionary", "held_out") if inputs.get(name) is not None]
    origin = trace(inputs["vectors"], files)
    column = 0 if policy.direction == "source-target" else 1
    chosen = (
        _held_out(entries, origin, column)
        if entries.held_out
        else _from_dictionary(entries, origin, column, policy, inputs, job)
    )
    for message, hint in chosen.warnings:
        job.notices.warn(message, hint)
    words = chosen.words
    count = max(2, min(policy.folds, len(words)))
    folds = generator(job.seed, "folds").permutation(np.arange(len(words)) % count)
    depth = max(policy.top, DEPTH)
    if chosen.again is None:
        found = _ask(words, sides, density, depth, job)
    else:
        # The parts one behind the other, as their answers come.
        order = np.argsort(folds, kind="stable")
        words, folds = [words[row] for row in order], folds[order]
        parts = []
        for fold in range(count):
            job.notices.say(f"Learning the space again without part {fold + 1} of {count} of the entries.")
            held = [words[row] for row in np.flatnonzero(folds == fold)]
            parts.append(_ask_again(held, chosen.again, sides, policy, depth, job))
        found = Candidates.joined(parts)
    golds = [entries.gold[word] for word in words]
    made = _evidence(golds, folds, found, sides, chosen, job)
    if chosen.again is None:
        return made
    flattered = _evidence(golds, folds, _ask(words, sides, density, 1, job), sides, chosen, job)
    return replace(made, seen=float(flattered.correct.mean()))


def askable(pairs: Pairs, sides: Sides, policy: Policy, path: Path, *, held_out: bool) -> Entries:
    """Choose the entries of a dictionary that can be asked.

    Args:
        pairs: The entries, the language that asks first.
        sides: The space.
        policy: How words are asked.
        path: The file, for messages.
        held_out: Whether the user says that nothing was learnt from them.

    Raises:
        DataError: If there are none.
    """
    from lexenc.files.vectors import index_of
    from lexenc.stages.reading import uncovered

    gold = pairs.translations()
    known, choices = index_of(sides.words), set(sides.choices)
    words = [word for word in gold if word in known]
    answerable = [word for word in words if any(target in choices for target in gold[word])]
    if policy.out_of_vocabulary == "left-out":
        words = answerable
    if len(answerable) < 2:
        advice = _advice(pairs, sides, policy)
        if not answerable:
            raise uncovered("dictionary entry", len(pairs), pairs, advice)
        raise DataError(
            f"{path}: only one entry has vectors on both sides, too few to learn from.",
            hint=advice or "Give a larger dictionary.",
        )
    return Entries(gold, words, path, held_out)


def tell_coverage(pairs: Pairs, sides: Sides, policy: Policy, job: Job) -> None:
    """Warn where less than half of a dictionary has vectors, and of the slip that explains it.

    Args:
        pairs: The dictionary, the language that asks first.
        sides: The space.
        policy: How words are asked.
        job: Where the warning goes.
    """
    from lexenc.stages.reading import low_coverage

    words, choices = set(sides.words), set(sides.choices)
    covered, total = sum(left in words and right in choices for left, right in pairs), len(pairs)
    if 2 * covered < total:
        hint = _advice(pairs, sides, policy) or "Words without a vector are not asked."
        job.notices.warn(low_coverage("dictionary pair", covered, total), hint)


def _advice(pairs: Pairs, sides: Sides, policy: Policy) -> str | None:
    from lexenc.stages.reading import coverage_advice

    languages = (policy.source_language, policy.target_language)
    if policy.direction == "target-source":
        languages = languages[::-1]
    return coverage_advice(pairs, sides.words, sides.choices, lowercase=policy.lowercase, languages=languages)


def _held_out(entries: Entries, origin: Origin, column: int) -> _Chosen:
    """Use what the user held out, without what manifests say was not.

    Raises:
        DataError: If nothing was.
    """
    fresh = [word for word in entries.words if fold_case(word) not in origin.seen(column)]
    lost = len(entries.words) - len(fresh)
    if len(fresh) < 2:
        raise DataError(
            f"{entries.path}: the vectors were learnt from all of its {counted(lost, 'word')}; none is held out.",
            hint="Hold entries out before map, or leave --held-out away: the mapping is then learnt again in parts.",
        )
    warnings: list[tuple[str, str | None]] = []
    if lost:
        warnings.append(
            (
                f"{entries.path}: the vectors were learnt from {lost:,} of {counted(len(entries.words), 'word')}; "
                "these are left out.",
                None,
            )
        )
    if origin.gaps:
        warnings.append((f"Whether {entries.path} was held out cannot be checked: {origin.gaps[0]}.", None))
    return _Chosen(fresh, "held out", warnings=warnings)


def _from_dictionary(
    entries: Entries, origin: Origin, column: int, policy: Policy, inputs: Mapping[str, Any], job: Job
) -> _Chosen:
    """Use entries that were not learnt from, or learn again without them, or say that neither is possible."""
    fresh = [word for word in entries.words if fold_case(word) not in origin.seen(column)]
    if not origin.gaps and (len(fresh) >= ENOUGH or len(fresh) == len(entries.words)):
        return _Chosen(fresh, "not learnt from")
    untuned = [word for word in entries.words if fold_case(word) not in origin.tuned[column]]
    reason = origin.gaps[0] if origin.gaps else ""
    words = untuned if len(untuned) >= min(FEW, len(entries.words)) else entries.words
    if words is not untuned or (origin.tuned[column] and len(untuned) < FEW):
        reason = reason or "the encoder was tuned on them"
        words = entries.words
    again = None
    if policy.cross_fit:
        try:
            again = Relearner(inputs["vectors"], column, job)
        except NotAgainError as error:
            reason = reason or error.message.rstrip(".")
    else:
        reason = reason or "--no-cross-fit"
    if again is not None and not reason:
        return _Chosen(words, "cross-fitted", again)
    if len(fresh) >= FEW and not origin.gaps:
        return _Chosen(fresh, "not learnt from", warnings=[_few(len(fresh))])
    warning = (
        f"The vectors were learnt from {entries.path}, so that the probabilities are too high ({reason})."
        if not origin.gaps
        else f"The probabilities may be far too high: {reason}.",
        "Give entries that map, interpolate and finetune never saw: --held-out test.tsv",
    )
    return _Chosen(words, "optimistic", again, reason, [warning])


def _few(count: int) -> tuple[str, str | None]:
    return f"The probabilities rest on {counted(count, 'word')} only.", "Give more with --held-out."


def _ask(words: Sequence[str], sides: Sides, density: Density, depth: int, job: Job) -> Candidates:
    import numpy as np

    from lexenc.files.vectors import index_of
    from lexenc.lexical.induction import find_candidates

    index = index_of(sides.words)
    rows = np.array([index[word] for word in words], dtype=np.int64)
    return find_candidates(
        sides.asks, sides.answers, rows, k=depth, density=density, device=job.device.name, progress=job.progress
    )


def _ask_again(words: list[str], again: Relearner, sides: Sides, policy: Policy, depth: int, job: Job) -> Candidates:
    """Ask words in a space that was learnt without them."""
    try:
        own = directed(again.without({fold_case(word) for word in words}), policy)
    except NotAgainError:
        raise
    except LexencError as error:
        hint = "Give entries that map never saw: --held-out test.tsv"
        raise DataError(f"Without part of the entries: {error.message}", hint=hint) from None
    if own.words != sides.words or own.choices != sides.choices:
        raise DataError("The space comes out with other words when it is learnt again.", hint="Use --no-cross-fit.")
    return _ask(words, own, density_of(own, policy, job), depth, job)


def _evidence(
    listed: Sequence[Sequence[str]], folds: np.ndarray, found: Candidates, sides: Sides, chosen: _Chosen, job: Job
) -> Evidence:
    """Compare candidates with the translations listed for their words."""
    from lexenc.files.vectors import index_of
    from lexenc.lexical.induction import features, same_strings
    from lexenc.randomness import generator

    if len(listed) < FEW:
        job.notices.warn(*_few(len(listed)))
    index = index_of(sides.choices)
    golds = [{index[target] for target in own if target in index} for own in listed]
    same = same_strings(found, sides.words, sides.choices)
    mixed = generator(job.seed, "shuffled pairs").permutation(len(golds))
    return Evidence(
        features(found, same),
        _right(found, golds),
        _right(found, [golds[row] for row in mixed]),
        folds,
        chosen.basis,
        chosen.reason,
        sum(not own for own in golds),
    )


def _right(found: Candidates, golds: Sequence[set[int]]) -> np.ndarray:
    """Tell which candidates are listed. Shape [q, k]."""
    import numpy as np

    return np.array(
        [[target in own for target in row] for row, own in zip(found.targets.tolist(), golds, strict=True)], dtype=bool
    )
