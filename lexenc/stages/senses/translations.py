"""Translations of senses from word links of aligned text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import ConfigError, DataError
from lexenc.files.alignments import read_alignments, result_of, sentences_file
from lexenc.stage import Job
from lexenc.stages.alignment.shared import AlignedWords
from lexenc.stages.senses.finding import FoundHeadword
from lexenc.stages.senses.settings import SensesParams
from lexenc.word_senses.description import HeadwordEntry, SenseTranslations, WordScore
from lexenc.word_senses.occurrences import HeadwordFinder, Occurrence, Reservoir

if TYPE_CHECKING:
    from lexenc.encoders.base import WordEncoder


@dataclass(frozen=True)
class LinkedOccurrence:
    """An occurrence of a headword in aligned text, and the words that it is linked to."""

    occurrence: Occurrence
    translation: str


def _link_languages(name: str, languages: Sequence[str]) -> tuple[str, str]:
    """Return the languages of aligned text, source first.

    Raises:
        ConfigError: If they are not given and cannot be known.
    """
    if not name and len(languages) == 2:
        return languages[0], languages[1]
    for known in languages:
        if name.startswith(f"{known}-"):
            return known, name.removeprefix(f"{known}-")
        if name.endswith(f"-{known}"):
            return name.removesuffix(f"-{known}"), known
    known = f"{languages[0]}-{languages[1] if len(languages) > 1 else 'de'}"
    raise ConfigError(
        f"--alignments {name or 'without languages'}: it has no language of --text.",
        hint=f"Name the languages of both sides: --alignments {known}=runs/links",
    )


def _aligned(path: Path) -> Iterator[tuple[int, tuple[list[str], list[str]], list[tuple[int, int]]]]:
    """Yield the number, the words and the links of every sentence pair of a result of `align`."""
    folder = result_of(path)
    if sentences_file(folder) is None:
        raise DataError(f"{path} has no sentences.txt with its words.", hint="Give a folder that lexenc align wrote.")
    for number, (words, links) in enumerate(zip_longest(AlignedWords(folder), read_alignments(folder)), start=1):
        if words is None or links is None:
            raise DataError(f"The files of {path} have different numbers of lines.", hint="Align the text again.")
        yield number, words, links.sure


def read_links(
    path: Path, language: str, side: int, other: str, found: Mapping[int, FoundHeadword], params: SensesParams, job: Job
) -> tuple[dict[int, Reservoir[LinkedOccurrence]], Counter[int]]:
    """Draw linked occurrences of headwords from one side of aligned text; return them, and how many have no link."""
    heads = {number: one.head for number, one in found.items() if one.head.language == language}
    finder = HeadwordFinder(heads, params.folding, language)
    drawn = {
        number: Reservoir[LinkedOccurrence](params.most_occurrences, job.seed, f"links of {one.text} with {other}")
        for number, one in heads.items()
    }
    unlinked: Counter[int] = Counter()
    with job.progress.task("read links", None, "sentence pairs") as task:
        for line, both, links in _aligned(path):
            task.advance(1)
            words, others = both[side], both[1 - side]
            for number, start, end in finder.find(words):
                targets = sorted({link[1 - side] for link in links if start <= link[side] < end})
                if any(target >= len(others) for target in targets):
                    raise DataError(f"{path}, line {line}: a link beyond the last word.", hint="Align the text again.")
                if not targets:
                    unlinked[number] += 1
                    continue
                translation = " ".join(params.folding.fold(others[target], other) for target in targets)
                drawn[number].offer(
                    lambda place=(line, words, start, end), translation=translation: LinkedOccurrence(  # type: ignore[misc]
                        Occurrence.of(place[0], " ".join(place[1]), *place[1:]), translation
                    )
                )
    return drawn, unlinked


def link_translations(
    inputs: Mapping[str, Any],
    found: Mapping[int, FoundHeadword],
    encoder: WordEncoder,
    languages: Sequence[str],
    params: SensesParams,
    job: Job,
) -> dict[tuple[int, str], list[Counter[str]]]:
    """Count the translations of every sense: by headword and language, a counter per sense."""
    from lexenc.word_senses.contexts import span_vectors

    counts: dict[tuple[int, str], list[Counter[str]]] = {}
    for name, path in (inputs.get("alignments") or {}).items():
        pair = _link_languages(name, languages)
        for side, (language, other) in enumerate((pair, pair[::-1])):
            if not any(one.head.language == language for one in found.values()):
                continue
            drawn, unlinked = read_links(path, language, side, other, found, params, job)
            for number, sample in drawn.items():
                items = [each.occurrence for each in sample.items]
                table = counts.setdefault((number, other), [Counter() for _ in range(found[number].count)])
                if not items:
                    job.notices.warn(
                        f"{found[number].head.text}: no linked occurrence in {path}, so no translation from links.",
                        "Its translations are the nearest words, if there is a --text of that language.",
                    )
                    continue
                vectors, has = span_vectors(
                    encoder, [one.words for one in items], [(one.start, one.end) for one in items],
                    progress=job.progress,
                )  # fmt: skip
                labels, _ = found[number].choice.choose(vectors)
                for each, label, own in zip(sample.items, labels.tolist(), has.tolist(), strict=True):
                    if own and label >= 0:
                        table[label][each.translation] += 1
                if unlinked[number]:
                    job.notices.say(
                        f"{found[number].head.text}: {unlinked[number]:,} of {unlinked[number] + sample.seen:,} "
                        f"occurrences in {path} have no link."
                    )
    return counts


def with_links(
    entry: HeadwordEntry, number: int, counts: Mapping[tuple[int, str], list[Counter[str]]], top: int
) -> HeadwordEntry:
    """Return an entry whose translations come from word links, where there are any."""
    senses = list(entry.senses)
    for (head, language), table in counts.items():
        for sense, own in enumerate(table if head == number else ()):
            total = own.total()
            if total:
                words = [WordScore(word, round(often / total, 4)) for word, often in own.most_common(top)]
                known = senses[sense].translations | {language: SenseTranslations("word links", words, total)}
                senses[sense] = replace(senses[sense], translations=known)
    return replace(entry, senses=senses)
