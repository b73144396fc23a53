"""A page on the senses of headwords, with the tables and charts of a report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lexenc import charts
from lexenc.arrays import Doubles
from lexenc.files.sense_reviews import REVIEW
from lexenc.files.text import counted
from lexenc.pages import Cell, Figure, Grid, Part, Section, count, number, numbers_of_chart, readable, render_page, word
from lexenc.word_senses.description import HeadwordEntry, SenseEntry, SenseTranslations, WordScore

_WORDS = 8  # words of a list in a table


@dataclass(frozen=True)
class SensePlane:
    """The senses of a headword, and the words nearest to each, on a plane.

    Args:
        senses: Places of the senses. Shape [k, 2].
        words: Language and text of each word.
        places: Places of the words. Shape [n, 2].
        spokes: Sense and word of each line between them.
        explained: Share of the variance along both axes. Shape [2].
        basis: What the axes are the principal components of.
    """

    senses: Doubles
    words: list[tuple[str, str]]
    places: Doubles
    spokes: list[tuple[int, int]]
    explained: Doubles
    basis: str = "the senses"


def listed(words: Sequence[WordScore], most: int = _WORDS) -> str:
    """Return words with commas between them."""
    return ", ".join(each.word for each in words[:most])


def sense_plane(entry: HeadwordEntry, plane: SensePlane, languages: Sequence[str]) -> charts.Spec:
    """Return the chart of a headword's senses and the words nearest to them."""
    rows: list[dict[str, Any]] = [
        {"x": x, "y": y, "language": entry.language, "name": one.sense, "sense": True,
         "label": f"{one.title}: {100 * one.share:.0f} %"}
        for one, (x, y) in zip(entry.senses, plane.senses.round(4).tolist(), strict=True)
    ]  # fmt: skip
    rows += [
        {"x": x, "y": y, "language": language, "name": text, "sense": False, "label": f"{language}: {text}"}
        for (language, text), (x, y) in zip(plane.words, plane.places.round(4).tolist(), strict=True)
    ]
    spokes = [(sense, len(entry.senses) + place) for sense, place in plane.spokes]
    first, second = (100 * float(share) for share in plane.explained)
    titles = f"first component, {first:.1f} % of the variance", f"second component, {second:.1f} %"
    return charts.neighbourhood(rows, spokes, languages, titles)


def picture(drawn: Sequence[tuple[HeadwordEntry, SensePlane]], languages: Sequence[str], note: Sequence[str]) -> str:
    """Return an SVG file with a chart per headword; without any headword, an empty one."""
    if not drawn:
        return '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n'
    titles = [[readable(entry.word), *_summary(entry)] for entry, _ in drawn]
    specs = [sense_plane(entry, plane, languages) for entry, plane in drawn]
    about = f"{counted(len(drawn), 'headword')}: senses, and the words nearest to each."
    return charts.draw_alone(charts.panels(specs, titles, note), about)


def _summary(entry: HeadwordEntry) -> list[str]:
    shares = ", ".join(f"{one.title.partition('#')[2]}: {100 * one.share:.0f} %" for one in entry.senses)
    return [f"{counted(entry.sampled, 'occurrence')}. Senses {shares}"]


def senses_page(
    entries: Sequence[HeadwordEntry],
    planes: Mapping[int, SensePlane],
    *,
    languages: Sequence[str],
    drawn: int,
    origin: str,
    notes: Sequence[str],
) -> str:
    """Return a page as one HTML file that needs no other file.

    Args:
        entries: The headwords.
        planes: Planes of some of them, by number.
        languages: Languages in the order of legends.
        drawn: Number of headwords whose shares are drawn.
        origin: What the senses were found in.
        notes: What a reader has to know of the numbers, as sentences.
    """
    names = _section_names(entries)
    sections = [Section("senses", "All senses", "All senses", " ".join(notes), [_overview(entries), _review(entries)])]
    for place, (entry, name) in enumerate(zip(entries, names, strict=True)):
        figures = [_shares(entry)] if place < drawn else []
        figures += [_plane_figure(entry, planes[place], languages)] if place in planes else []
        sections.append(_section(entry, name, figures))
    senses = sum(len(entry.senses) for entry in entries)
    title = f"Senses of {_words_of(entries)}"
    return render_page(
        title="lexenc senses",
        headline=readable(title),
        qualified=f"{counted(len(entries), 'headword')}, {counted(senses, 'sense')}.",
        sections=sections,
        origin=readable(origin),
    )


def _words_of(entries: Sequence[HeadwordEntry]) -> str:
    shown = [entry.word for entry in entries[:5]]
    more = f" and {len(entries) - 5:,} more" if len(entries) > 5 else ""
    return ", ".join(shown) + more


def _section_names(entries: Sequence[HeadwordEntry]) -> list[str]:
    """Return names that links can have."""
    return [f"word-{number}-{re.sub(r'[^a-z0-9]+', '-', entry.word)}" for number, entry in enumerate(entries, start=1)]


def _overview(entries: Sequence[HeadwordEntry]) -> Grid:
    rows = [
        [word(one.sense), word(one.name), number(one.share, 0, scale=100), count(one.count),
         number(one.confidence, 2), word(_nearest(entry, one)), word(_translations(one))]
        for entry in entries
        for one in entry.senses
    ]  # fmt: skip
    columns = ["sense", "name", "#share %", "#occurrences", "#confidence", "nearest words", "translations"]
    kept = [place for place in range(len(columns)) if columns[place] not in ("name", "translations")
            or any(row[place].text for row in rows)]  # fmt: skip
    return Grid("Senses", [columns[place] for place in kept], [[row[place] for place in kept] for row in rows],
                search=len(rows) > 8)  # fmt: skip


def _review(entries: Sequence[HeadwordEntry]) -> Grid:
    """Return the table in which a reviewer names, merges and drops senses."""
    rows = []
    for entry in entries:
        for one in entry.senses:
            others = [other.sense for other in entry.senses if other is not one]
            choices = [(text, text == "keep") for text in ("keep", "drop", *map(readable, others))]
            rows.append([
                word(one.sense), Cell(readable(one.name), style="field", link=f"Name of {readable(one.sense)}"),
                Cell("keep", style="choice", link=f"Decision on {readable(one.sense)}", marked=choices),
                word(_nearest(entry, one)),
            ])  # fmt: skip
    note = (
        f"Name the senses, and choose keep, drop, or the sense to merge one into. Then: lexenc read-review {REVIEW} "
        f"--senses RESULT --out REVIEWED. {REVIEW} of the result is the same table for a spreadsheet, with examples."
    )
    return Grid("Review these senses", ["sense", "name", "decision", "nearest"], rows, note, folded=True, saved=REVIEW)


def _nearest(entry: HeadwordEntry, one: SenseEntry) -> str:
    return listed(one.nearest.get(entry.language, []))


def _translations(one: SenseEntry) -> str:
    several = len(one.translations) > 1
    return "; ".join(
        f"{f'{language}: ' if several else ''}{listed(found.words, 5)}" for language, found in one.translations.items()
    )


def _section(entry: HeadwordEntry, name: str, figures: Sequence[Figure]) -> Section:
    parts: list[Part] = [*figures, _lists(entry), _examples(entry)]
    lead = (
        f"{counted(entry.occurrences, 'occurrence')} in the text ({entry.language}), of which {entry.sampled:,} were "
        f"used: {counted(len(entry.senses), 'sense')}."
    )
    return Section(name, readable(entry.word), readable(entry.word), readable(lead), parts)


def _shares(entry: HeadwordEntry) -> Figure:
    names = [readable(one.title) for one in entry.senses]
    rows = [
        {"name": name, "x": one.share, "text": f"{100 * one.share:.0f} %",
         "label": f"{name}: {100 * one.share:.1f} %, {counted(one.count, 'occurrence')}"}
        for name, one in zip(names, entry.senses, strict=True)
    ]  # fmt: skip
    about = f"Shares of the senses of {entry.word}."
    drawings = {"any": charts.draw(charts.bars(rows, names, width=charts.HALF, x="share of the occurrences"), about)}
    cells = [[word(one.title), number(one.share, 1, scale=100), count(one.count)] for one in entry.senses]
    return Figure(f"Shares of the senses of {readable(entry.word)}", readable(about), drawings,
                  numbers_of_chart(["sense", "#share %", "#occurrences"], cells), half=True)  # fmt: skip


def _plane_figure(entry: HeadwordEntry, plane: SensePlane, languages: Sequence[str]) -> Figure:
    about = f"The senses of {entry.word} and the words nearest to each on a plane."
    cells = [
        [Cell(language), word(text), number(float(x), 2), number(float(y), 2)]
        for (language, text), (x, y) in zip(plane.words, plane.places.tolist(), strict=True)
    ]
    note = (
        f"The first two principal components of {plane.basis}. The senses, and the words nearest to each, are of unit "
        "length. A line joins a sense with each of its words. Distances are those of the plane, which keeps a part of "
        "the variance."
    )
    drawing = charts.draw(sense_plane(entry, plane, languages), about)
    return Figure(f"The neighbours of each sense of {readable(entry.word)}", readable(about), {"any": drawing},
                  numbers_of_chart(["language", "word", "#x", "#y"], cells), note, half=True)  # fmt: skip


def _lists(entry: HeadwordEntry) -> Grid:
    languages = [*dict.fromkeys(language for one in entry.senses for language in one.nearest)]
    linked = [*dict.fromkeys(language for one in entry.senses for language, found in one.translations.items()
                             if found.method == "word links")]  # fmt: skip
    columns = ["sense", "typical context", *(f"nearest, {each}" for each in languages),
               *(f"translations, {each} (links)" for each in linked)]  # fmt: skip
    rows = [
        [
            word(one.title),
            word(listed(one.context_words)),
            *(word(listed(one.nearest.get(language, []))) for language in languages),
            *(word(_with_shares(one.translations.get(language))) for language in linked),
        ]
        for one in entry.senses
    ]
    return Grid("Words that tell the senses apart", columns, rows)


def _with_shares(found: SenseTranslations | None) -> str:
    words = found.words[:_WORDS] if found is not None and found.method == "word links" else []
    return ", ".join(f"{each.word} {100 * each.score:.0f} %" for each in words)


def _examples(entry: HeadwordEntry) -> Grid:
    rows = [
        [word(one.title), number(each.confidence, 2), count(each.line),
         Cell(each.left + each.word + each.right, style="context",
              marked=[(readable(each.left), False), (readable(each.word), True), (readable(each.right), False)])]
        for one in entry.senses
        for each in one.examples
    ]  # fmt: skip
    note = "The most certain occurrences of each sense. concordance.tsv has all."
    return Grid("Examples", ["sense", "#confidence", "#line", "context"], rows, note, search=len(rows) > 8)
