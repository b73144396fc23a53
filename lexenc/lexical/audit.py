"""Problems of a training and a test dictionary: leaks, repeats, case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True)
class Leaks:
    """Test pairs and words that occur in the training dictionary.

    Args:
        pairs: Distinct test pairs that are in the training dictionary.
        lines: Number of test lines with one of them.
        sources: Distinct test sources that are sources in training.
        targets: Distinct test targets that are targets in training.
    """

    pairs: list[Pair]
    lines: int
    sources: list[str]
    targets: list[str]


def find_leaks(train: Sequence[Pair], test: Sequence[Pair]) -> Leaks:
    """Find the test pairs and words that occur in the training dictionary. Case counts.

    Args:
        train: Training pairs.
        test: Test pairs.
    """
    known, seen_sources, seen_targets = set(train), {s for s, _ in train}, {t for _, t in train}
    pairs = [pair for pair in dict.fromkeys(test) if pair in known]
    return Leaks(
        pairs=pairs,
        lines=sum(pair in known for pair in test),
        sources=[word for word in dict.fromkeys(s for s, _ in test) if word in seen_sources],
        targets=[word for word in dict.fromkeys(t for _, t in test) if word in seen_targets],
    )


def without_leaks(train: Sequence[Pair], test: Sequence[Pair], *, sources: bool) -> list[int]:
    """Return the positions of the training pairs that do not leak.

    Args:
        train: Training pairs.
        test: Test pairs.
        sources: Whether to drop training pairs whose source word is a test source as well.
    """
    tested, tested_sources = set(test), {s for s, _ in test}
    return [
        place for place, pair in enumerate(train) if pair not in tested and not (sources and pair[0] in tested_sources)
    ]


def repeated(pairs: Sequence[Pair]) -> int:
    """Count the lines that repeat an earlier one."""
    return len(pairs) - len(set(pairs))


def with_capitals(pairs: Iterable[Pair]) -> int:
    """Count the lines with capital letters."""
    return sum(source != source.lower() or target != target.lower() for source, target in pairs)


def several_translations(pairs: Iterable[Pair]) -> int:
    """Count the source words with more than one translation."""
    table: dict[str, set[str]] = {}
    for source, target in pairs:
        table.setdefault(source, set()).add(target)
    return sum(len(targets) > 1 for targets in table.values())
