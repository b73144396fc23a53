"""What a pair of dictionaries hides: leaks, repeats, case, words without vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True)
class Leaks:
    """Test material that training has seen.

    Args:
        pairs: Distinct test pairs that are in the training dictionary.
        lines: Test lines that hold one of them.
        sources: Distinct test sources that are sources in training.
        targets: Distinct test targets that are targets in training.
    """

    pairs: list[Pair]
    lines: int
    sources: list[str]
    targets: list[str]


def find_leaks(train: Sequence[Pair], test: Sequence[Pair]) -> Leaks:
    """Find the test pairs and words that training has seen; case counts, so fold it first where it should not.

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
    """Give the positions of the training pairs that may stay.

    Args:
        train: Training pairs.
        test: Test pairs.
        sources: Also drop training pairs whose source word is a test source.
    """
    tested, tested_sources = set(test), {s for s, _ in test}
    return [
        place for place, pair in enumerate(train) if pair not in tested and not (sources and pair[0] in tested_sources)
    ]


def repeated(pairs: Sequence[Pair]) -> int:
    """Count the lines that had come before."""
    return len(pairs) - len(set(pairs))


def with_capitals(pairs: Iterable[Pair]) -> int:
    """Count the lines that lower-casing would change."""
    return sum(source != source.lower() or target != target.lower() for source, target in pairs)


def several_translations(pairs: Iterable[Pair]) -> int:
    """Count the sources with more than one translation."""
    table: dict[str, set[str]] = {}
    for source, target in pairs:
        table.setdefault(source, set()).add(target)
    return sum(len(targets) > 1 for targets in table.values())
