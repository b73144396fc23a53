"""The lexicon of an aligned corpus: every pair of words that were linked, with how often and how surely."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from lexenc.files.dictionaries import LEXICON_HEAD
from lexenc.files.lexicons import writable
from lexenc.files.text import fold_case, write_lines
from lexenc.stages.alignment.aligned_files import LEXICON, read_aligned

if TYPE_CHECKING:
    from lexenc.alignment.counting import LinkCounts
    from lexenc.stage import Job

_HEAD = (*LEXICON_HEAD, "backward_probability", "links")
_PART = 4096


@dataclass(frozen=True)
class Case:
    """Whether words are counted without their case, and by whose rules.

    Args:
        folded: Whether.
        source_language: BCP-47 code.
        target_language: BCP-47 code.
    """

    folded: bool
    source_language: str | None = None
    target_language: str | None = None

    @property
    def languages(self) -> tuple[str | None, str | None]:
        """Both codes."""
        return self.source_language, self.target_language

    def fold(self, language: str | None) -> Callable[[str], str]:
        """Give what gives a word as it is counted."""
        return partial(fold_case, language=language) if self.folded else str


class Counted(NamedTuple):
    """Links by the numbers of their words.

    Args:
        links: How often every pair was linked.
        source: Source words by number.
        target: Target words by number.
    """

    links: LinkCounts
    source: Sequence[str]
    target: Sequence[str]


def write_lexicon(job: Job, counts: Counted, *, min_count: int, min_probability: float) -> int:
    """Write `lexicon.tsv`; give how many pairs are in it."""
    kept = counts.links.lexicon(counts.source, counts.target, min_count=min_count, min_probability=min_probability)
    written = 0

    def lines() -> Iterator[str]:
        nonlocal written
        yield "\t".join(_HEAD)
        for each in kept:
            if writable(each.source) and writable(each.target):
                written += 1
                yield f"{each.source}\t{each.target}\t{each.probability:.4f}\t{each.backward:.4f}\t{each.links}"

    write_lines(job.out / LEXICON, lines())
    return written


def count_links(job: Job, case: Case) -> Counted:
    """Count the links of all sentence pairs of a result, as they stand on disk."""
    import numpy as np

    from lexenc.alignment.counting import LinkCounts, WordNumbers

    counts = LinkCounts()
    source, target = (WordNumbers(case.fold(language)) for language in case.languages)
    pairs = read_aligned(job.out)
    with job.progress.task("lexicon", None, "sentence pairs") as task:
        while part := list(islice(pairs, _PART)):
            ours = source.numbers([words[i] for words, _, links in part for i, _, _ in links])
            theirs = target.numbers([words[j] for _, words, links in part for _, j, _ in links])
            counts.add(np.array(ours, dtype=np.int64), np.array(theirs, dtype=np.int64))
            task.advance(len(part))
    return Counted(counts, source.words, target.words)
