"""Problems of a training and a test dictionary: leaks, repeats, case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lexenc.text.folding import COMPOSED

Pair = tuple[str, str]


@dataclass(frozen=True)
class Leaks:
    """Test pairs and words that occur in the training dictionary.

    Args:
        pairs: Distinct test pairs that are in the training dictionary.
        swapped: Distinct other test pairs that are in it with their sides swapped.
        lines: Number of test lines with one of them.
        sources: Distinct test sources that are sources in training.
        targets: Distinct test targets that are targets in training.
    """

    pairs: list[Pair]
    swapped: list[Pair]
    lines: int
    sources: list[str]
    targets: list[str]


def find_leaks(
    train: Iterable[Pair], test: Sequence[Pair], *, form: Callable[[Pair], Pair] = COMPOSED.fold_pair
) -> Leaks:
    """Find the test pairs and words that occur in the training dictionary.

    Args:
        train: Training pairs.
        test: Test pairs.
        form: Returns a pair as it is compared. By default case counts, the Unicode form does not.
    """
    known = set(map(form, train))
    seen_sources, seen_targets = {s for s, _ in known}, {t for _, t in known}
    asked = list(map(form, test))
    written = dict(zip(reversed(asked), reversed(test), strict=True))
    return Leaks(
        pairs=[written[pair] for pair in dict.fromkeys(asked) if pair in known],
        swapped=[written[pair] for pair in dict.fromkeys(asked) if pair[::-1] in known and pair not in known],
        lines=sum(pair in known for pair in asked),
        sources=[word for word in dict.fromkeys(s for s, _ in asked) if word in seen_sources],
        targets=[word for word in dict.fromkeys(t for _, t in asked) if word in seen_targets],
    )


def without_leaks(
    train: Sequence[Pair],
    test: Sequence[Pair],
    *,
    sources: bool,
    form: Callable[[Pair], Pair] = COMPOSED.fold_pair,
) -> list[int]:
    """Return the positions of the training pairs that do not leak, in either order of their sides.

    Args:
        train: Training pairs.
        test: Test pairs.
        sources: Whether to drop training pairs whose source word is a test source as well.
        form: Returns a pair as it is compared, as in `find_leaks`.
    """
    asked = list(map(form, test))
    tested, tested_sources = {*asked, *(pair[::-1] for pair in asked)}, {s for s, _ in asked}
    return [
        place
        for place, pair in enumerate(map(form, train))
        if pair not in tested and not (sources and pair[0] in tested_sources)
    ]


def repeated(pairs: Sequence[Pair]) -> int:
    """Count the lines that repeat an earlier one."""
    return len(pairs) - len(set(pairs))


def with_capitals(pairs: Iterable[Pair]) -> int:
    """Count the lines with capital letters."""
    return sum(source != source.lower() or target != target.lower() for source, target in pairs)


def decomposed(pairs: Iterable[Pair]) -> int:
    """Count the lines that are not in the Unicode form NFC."""
    return sum(COMPOSED.fold_pair(pair) != pair for pair in pairs)


def several_translations(pairs: Iterable[Pair]) -> int:
    """Count the source words with more than one translation."""
    table: dict[str, set[str]] = {}
    for source, target in pairs:
        table.setdefault(source, set()).add(target)
    return sum(len(targets) > 1 for targets in table.values())
