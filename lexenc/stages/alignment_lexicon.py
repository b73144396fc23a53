"""The lexicon of an aligned corpus: every pair of words that were linked, with how often and how surely."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from lexenc.files.dictionaries import LEXICON_HEAD
from lexenc.files.lexicons import writable
from lexenc.files.text import write_lines
from lexenc.stages.align_statistical import Case
from lexenc.stages.aligned_files import LEXICON, read_aligned

if TYPE_CHECKING:
    from lexenc.alignment.counting import LinkCounts, Vocabulary
    from lexenc.stage import Job

_HEAD = (*LEXICON_HEAD, "backward_probability", "links")
_PART = 4096


def write_lexicon(job: Job, case: Case, *, min_count: int, min_probability: float) -> dict[str, Any]:
    """Count the links of a result and write `lexicon.tsv`; give how many links there are, and pairs in the lexicon."""
    from lexenc.alignment.counting import LinkCounts, Vocabulary

    counts, words = LinkCounts(), (Vocabulary(), Vocabulary())
    links = _count(job, case, counts, words)
    kept = counts.lexicon(*(each.words for each in words), min_count=min_count, min_probability=min_probability)
    written = 0

    def lines() -> Iterator[str]:
        nonlocal written
        yield "\t".join(_HEAD)
        for each in kept:
            if writable(each.source) and writable(each.target):
                written += 1
                yield f"{each.source}\t{each.target}\t{each.probability:.4f}\t{each.backward:.4f}\t{each.links}"

    write_lines(job.out / LEXICON, lines())
    return {"links": links, "lexicon_pairs": written}


def _count(job: Job, case: Case, counts: LinkCounts, words: tuple[Vocabulary, Vocabulary]) -> int:
    """Count the links of all sentence pairs."""
    import numpy as np

    total = 0
    pairs = read_aligned(job.out)
    with job.progress.task("lexicon", None, "sentence pairs") as task:
        while part := list(islice(pairs, _PART)):
            linked: tuple[list[str], list[str]] = ([], [])
            for source, target, links in part:
                linked[0].extend(source[i] for i, _, _ in links)
                linked[1].extend(target[j] for _, j, _ in links)
            languages = (case.source_language, case.target_language)
            numbers = [
                np.array(own.numbers(case.of(each, language)), dtype=np.int64)
                for own, each, language in zip(words, linked, languages, strict=True)
            ]
            counts.add(*numbers)
            total += len(linked[0])
            task.advance(len(part))
    return total
