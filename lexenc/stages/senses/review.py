"""A reviewed table of senses + the senses -> senses that are named, merged and dropped as the reviewer says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.artifact import read_manifest
from lexenc.errors import ConfigError, DataError
from lexenc.files.sense_reviews import REVIEW, SenseDecision, read_sense_review, write_sense_review
from lexenc.files.text import counted, table_rows, write_table
from lexenc.stage import Job, Outcome
from lexenc.stages.senses.lexicon import (
    CONCORDANCE,
    CONCORDANCE_HEADS,
    SenseChoice,
    read_sense_lexicon,
    write_sense_lexicon,
)
from lexenc.stages.senses.writing import review_lines, senses_table, write_page
from lexenc.word_senses.description import HeadwordEntry, SenseEntry, SenseTranslations, WordScore

_DRAWN = 8  # headwords whose shares are drawn on the page, where the reviewed result does not say


def review_senses(inputs: Mapping[str, Any], job: Job) -> Outcome:
    """Write the senses that a reviewer has named, merged and dropped as a new lexicon."""
    path, folder = inputs["review"], inputs.get("senses")
    if folder is None:
        raise ConfigError(
            f"{path} is a review of senses, and --senses is missing.",
            hint="Give the result that it belongs to: --senses runs/senses",
        )
    if not job.kept:
        raise ConfigError("A review of senses makes a folder.", hint="Give one: --out runs/reviewed")
    lexicon, choices = read_sense_lexicon(folder)
    plan = _Plan.of(path, [one.sense for entry in lexicon.headwords for one in entry.senses])
    entries, kept = [], []
    for entry, choice in zip(lexicon.headwords, choices, strict=True):
        found = _reviewed(entry, choice, plan)
        if found is not None:
            entries.append(found[0])
            kept.append(found[1])
    if not entries:
        raise DataError(f"{path} drops every sense.", hint="Keep one at least.")
    reviewed = replace(lexicon, headwords=entries)
    write_sense_lexicon(job.out, reviewed, kept)
    if (folder / CONCORDANCE).is_file():
        write_table(job.out / CONCORDANCE, CONCORDANCE_HEADS, _concordance(folder / CONCORDANCE, plan))
    write_sense_review(job.out / REVIEW, review_lines(entries))
    drawn = read_manifest(folder).params.get("drawn")
    write_page(job.out, reviewed, {}, drawn=drawn if isinstance(drawn, int) else _DRAWN)
    if plan.unlisted:
        job.notices.warn(
            f"{path}: {counted(plan.unlisted, 'sense')} without a line kept as they are.", "Write drop to drop one."
        )
    summary = {
        "headwords": len(entries),
        "senses": sum(len(entry.senses) for entry in entries),
        "named": sum(bool(one.name) for entry in entries for one in entry.senses),
        "merged": sum(bool(into) and into != sense for sense, into in plan.into.items()),
        "dropped": sum(not into for into in plan.into.values()),
    }
    return Outcome(summary, [{"task": "read-review", **summary}], [senses_table(entries)])


@dataclass(frozen=True)
class _Plan:
    """What becomes of every sense.

    Args:
        into: The sense that each becomes: itself, another one, or empty for none.
        names: Names of senses that have one.
        unlisted: Number of senses without a line.
    """

    into: dict[str, str]
    names: dict[str, str]
    unlisted: int

    @classmethod
    def of(cls, path: Path, senses: Sequence[str]) -> _Plan:
        """Read a review.

        Raises:
            DataError: If it has a sense that is not among `senses`, or a merge that is not possible.
        """
        decisions = {each.sense: each for each in read_sense_review(path)}
        for each in decisions.values():
            for sense in filter(None, (each.sense, each.into)):
                if sense not in senses:
                    close = get_close_matches(sense, senses, n=1)
                    hint = f"Did you mean '{close[0]}'?" if close else "Is it the review of these senses?"
                    raise DataError(f"{each.place}: there is no sense {sense}.", hint=hint)
        into = {sense: _last(sense, decisions) for sense in senses}
        names: dict[str, str] = {}
        for sense, each in decisions.items():
            if each.name and into[sense] == sense:
                names[sense] = each.name
        for sense, each in decisions.items():  # a merged sense may bring the name
            if each.name and into[sense]:
                names.setdefault(into[sense], each.name)
        return cls(into, names, sum(sense not in decisions for sense in senses))


def _last(sense: str, decisions: Mapping[str, SenseDecision]) -> str:
    """Follow merges to the sense that is kept; empty for a dropped one."""
    seen, place = [sense], ""
    while (each := decisions.get(seen[-1])) is not None and each.into != each.sense:
        place = place or each.place
        if not each.into:
            if len(seen) > 1:
                raise DataError(f"{place}: {sense} is merged into {seen[-1]}, which is dropped.", hint="Keep that one.")
            return ""
        if each.into in seen:
            raise DataError(f"{place}: {sense} and {each.into} are merged into each other.", hint="Keep one of them.")
        if _word(each.into) != _word(sense):
            raise DataError(
                f"{place}: {sense} and {each.into} are senses of different words.", hint="Merge senses of one word."
            )
        seen.append(each.into)
    return seen[-1]


def _word(sense: str) -> str:
    return sense.rpartition("#")[0]


def _reviewed(entry: HeadwordEntry, choice: SenseChoice, plan: _Plan) -> tuple[HeadwordEntry, SenseChoice] | None:
    """Return a headword with the senses that are left, or None if there are none."""
    left = [one.sense for one in entry.senses if plan.into[one.sense] == one.sense]
    if not left:
        return None
    senses = [
        _merged([one for one in entry.senses if plan.into[one.sense] == sense], sense, plan.names.get(sense, ""))
        for sense in left
    ]
    places = [left.index(plan.into[one.sense]) if plan.into[one.sense] else -1 for one in entry.senses]
    table = np.array([*places, -1], dtype=np.int64)  # the last one for clusters that were dropped before
    order = sorted(range(len(left)), key=lambda place: -senses[place].share)
    rank = np.argsort(np.array([*order, len(left)]))
    moved = np.append(rank[: len(left)], -1)
    entries = moved[table[choice.entries]]
    return replace(entry, senses=[senses[place] for place in order]), replace(choice, entries=entries)


def _merged(parts: Sequence[SenseEntry], sense: str, name: str) -> SenseEntry:
    """Join senses that are one. What cannot be counted again, such as nearest words, keeps the best of each."""
    first = next(one for one in parts if one.sense == sense)
    name = name or first.name or next((one.name for one in parts if one.name), "")
    if len(parts) == 1:
        return replace(first, name=name)
    total = sum(one.count for one in parts)
    languages = dict.fromkeys(language for one in parts for language in one.nearest)
    targets = dict.fromkeys(language for one in parts for language in one.translations)
    examples = sorted((each for one in parts for each in one.examples), key=lambda each: -each.confidence)
    return SenseEntry(
        sense,
        total,
        sum(one.share for one in parts),
        round(sum(one.confidence * one.count for one in parts) / max(total, 1), 4),
        name,
        {each: _best([one.nearest.get(each, []) for one in parts]) for each in languages},
        _best([one.context_words for one in parts]),
        {each: _translations([one.translations[each] for one in parts if each in one.translations])
         for each in targets},
        examples[: max(len(one.examples) for one in parts)],
    )  # fmt: skip


def _best(lists: Sequence[Sequence[WordScore]]) -> list[WordScore]:
    """Return the best words of several lists, as many as the longest has."""
    scores: dict[str, float] = {}
    for each in (each for words in lists for each in words):
        scores[each.word] = max(each.score, scores.get(each.word, each.score))
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    return [WordScore(word, score) for word, score in ranked[: max(map(len, lists), default=0)]]


def _translations(parts: Sequence[SenseTranslations]) -> SenseTranslations:
    """Join translations. Shares of links are weighted by their number; nearest words count only without links."""
    linked = [one for one in parts if one.method == "word links"]
    if not linked:
        return SenseTranslations("nearest words", _best([one.words for one in parts]))
    total = sum(one.links for one in linked)
    shares: dict[str, float] = {}
    for one in linked:
        for each in one.words:
            shares[each.word] = shares.get(each.word, 0.0) + each.score * one.links / max(total, 1)
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    most = max(len(one.words) for one in linked)
    return SenseTranslations("word links", [WordScore(word, round(share, 4)) for word, share in ranked[:most]], total)


def _concordance(path: Path, plan: _Plan) -> Iterator[list[str]]:
    """Yield the rows of a concordance under the senses that are left."""
    for _, row in table_rows(path, CONCORDANCE_HEADS):
        if sense := plan.into.get(row["sense"], ""):
            yield [sense if name == "sense" else row[name] for name in CONCORDANCE_HEADS]
